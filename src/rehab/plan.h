/* A rehabilitation plan from facts and rules, as JSON (docs/formats/plan.md).
 *
 * Red flags are judged first. Symptoms, function and time choose the phase, the exercises and their dose;
 * findings of images only add precautions or withhold. Every line names its rule, its source and the facts
 * of the patient that caused it. What is not known is asked for, never guessed. The same input and the
 * same rule base give the same plan. */
#ifndef REHA_REHAB_PLAN_H
#define REHA_REHAB_PLAN_H

#include "rehab/guideline.h"

typedef struct reha_plan_request {
    const reha_guideline *guideline;
    const reha_plan_input *input;
    const json_t *previous; /* the last plan, with a clinician's edits; NULL: this is the first */
    bool why;               /* adds the judgement of every rule that concerns this condition */
} reha_plan_request;

/* New reference in *out. An input that contradicts itself is REHA_E_REFUSED with the rule's line. */
REHA_MUST_USE reha_status reha_plan_make(const reha_plan_request *request, json_t **out, reha_error *err);

/* Loads an earlier plan and checks it: schema, and that each line that somebody changed says why
 * ("edited": {"reason"}). New reference. */
REHA_MUST_USE reha_status reha_plan_load(const char *path, json_t **out, reha_error *err);
REHA_MUST_USE reha_status reha_plan_check(const reha_source_text *source, reha_error *err);

#endif
