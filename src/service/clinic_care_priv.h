/* What the use cases of plans, predictions and scores share. */
#ifndef REHA_SERVICE_CLINIC_CARE_PRIV_H
#define REHA_SERVICE_CLINIC_CARE_PRIV_H

#include "rehab/guideline.h"
#include "rehab/score.h"
#include "service/clinic_priv.h"

enum { CLINIC_DATE_BYTES = 11 };
void clinic_today(char out[CLINIC_DATE_BYTES]); /* UTC */

/* ---- storing (clinic_care.c): roles are the caller's matter ---- */

typedef struct clinic_plan_version {
    const char *patient_id;
    const char *id; /* NULL: a new plan */
    int64_t if_version;
    const json_t *content;
    const char *episode_id, *reason; /* may be NULL */
    const char *action;              /* of the audit event */
} clinic_plan_version;
REHA_MUST_USE reha_status clinic_plan_store(reha_clinic *clinic, const reha_actor *actor,
                                            const clinic_plan_version *version, json_t **out,
                                            reha_error *err);
/* A plan of this patient; `version` REHA_ANY_VERSION: the newest. Not audited. */
REHA_MUST_USE reha_status clinic_plan_read(reha_clinic *clinic, const char *patient_id, const char *id,
                                           int64_t version, json_t **out, reha_error *err);
typedef struct clinic_prediction {
    const char *patient_id;
    const char *outcome;
    const json_t *content;
    const char *model, *model_hash, *episode_id; /* may be NULL */
} clinic_prediction;
REHA_MUST_USE reha_status clinic_prediction_store(reha_clinic *clinic, const reha_actor *actor,
                                                  const clinic_prediction *prediction, json_t **out,
                                                  reha_error *err);
/* True if the content of a plan is one that this program made (rehascope/plan/1). */
bool clinic_plan_is_ours(const json_t *content);

/* ---- what the record knows (clinic_known.c) ---- */

typedef struct clinic_known {      /* all owned; NULL: none */
    json_t *patient;               /* without the name */
    json_t *episode;               /* the stated one, else the newest open one */
    json_t *measurements, *scores; /* oldest first */
    json_t *plan;                  /* the stated one, else the newest that this program made */
    char today[CLINIC_DATE_BYTES];
} clinic_known;
REHA_MUST_USE reha_status clinic_known_read(reha_clinic *clinic, const char *patient_id,
                                            const char *episode_id, const char *plan_id, clinic_known *out,
                                            reha_error *err);
void clinic_known_clear(clinic_known *known); /* {0} is fine */
/* The newest measurement of a finding on a side, rejected ones passed over; NULL: none. Borrowed. */
const json_t *clinic_known_measure(const clinic_known *known, const char *finding, const char *side);
/* Whether the measurement is of one of several joints in its study whose sides nobody knows. */
bool clinic_known_is_ambiguous(const clinic_known *known, const json_t *measurement);
/* The same finding of another joint in the same study, from index *next on, that fits the side; NULL: no
 * more. Borrowed. */
const json_t *clinic_known_beside(const clinic_known *known, const json_t *measurement, const char *side,
                                  size_t *next);
/* The finding of the analysis that a measurement came from, with what a reader has amended: {"key",
 * "grading", ...}. New reference; NULL: the analysis holds none. */
REHA_MUST_USE reha_status clinic_known_finding(reha_clinic *clinic, const json_t *measurement, json_t **out,
                                               reha_error *err);
/* The newest score of an instrument, withdrawn ones passed over; NULL: none. Borrowed. */
const json_t *clinic_known_score(const clinic_known *known, const char *instrument, const char *side);
/* The side of the episode, or the one given if that is not NULL; "none" if nobody knows. */
const char *clinic_known_side(const clinic_known *known, const char *side);

/* ---- the rule base and the instruments: read when they are needed, 20 ms ---- */

REHA_MUST_USE reha_status clinic_guideline(reha_guideline **out, reha_error *err); /* reha_guideline_free */
REHA_MUST_USE reha_status clinic_instruments(reha_scores **out, reha_error *err);  /* reha_scores_free */

/* ---- scores (clinic_scores.c) ---- */

typedef struct clinic_score {
    char instrument[128]; /* key of a known one, or the words of another */
    const char *unit;     /* borrowed from the input or static; NULL: none */
    char known_unit[24];
    double value;
    char items[16 * REHA_ITEMS_MAX]; /* the answers as JSON, "[3,2,null,4]"; "" for a value given directly */
} clinic_score;
/* The instrument, value (or items) and unit of a new score, checked against scores.json. */
REHA_MUST_USE reha_status clinic_score_read(const json_t *in, clinic_score *out, reha_error *err);
/* Adds "title" to each row of a known instrument; *judged: one series for each instrument and side. */
REHA_MUST_USE reha_status clinic_scores_judge(json_t *rows, json_t **judged, reha_error *err);

#endif
