/* Facts of one patient: the vocabulary (guidelines/facts.json) and the values.
 *
 * Every fact is a number inside: a bool is 0 or 1, a choice the index of its choice, NaN is "not known".
 * What is not known stays not known: rules are judged in three values (rule.h), so nothing is guessed. */
#ifndef REHA_REHAB_FACTS_H
#define REHA_REHAB_FACTS_H

#include "rehab/rule_place.h"

#include <stdbool.h>

enum { REHA_FACTS_MAX = 192, REHA_CHOICES_MAX = 24, REHA_FACT_FROM_BYTES = 96 };

typedef enum reha_fact_type { REHA_FACT_NUMBER, REHA_FACT_BOOL, REHA_FACT_CHOICE } reha_fact_type;

/* Where a fact comes from. Facts of the image may add precautions, never exercises, doses, goals or phases.
 */
typedef enum reha_fact_origin {
    REHA_FACT_PERSON,
    REHA_FACT_SYMPTOM,
    REHA_FACT_FUNCTION,
    REHA_FACT_HISTORY,
    REHA_FACT_RED_FLAG,
    REHA_FACT_RESPONSE, /* to the last plan */
    REHA_FACT_TEST,     /* bone density, laboratory */
    REHA_FACT_IMAGE
} reha_fact_origin;

typedef struct reha_fact { /* borrowed texts */
    const char *name;
    const char *label;      /* for clinicians: "pain in activity" */
    const char *unit;       /* "of 10", "weeks", "" */
    const char *section;    /* of the input; "" for what is derived or stands at the top */
    const char *finding;    /* key of a finding that states it, or NULL */
    const char *instrument; /* key of a score that states it (scores.json), or NULL */
    reha_fact_type type;
    reha_fact_origin origin;
    double low, high; /* of numbers */
    const char *choices[REHA_CHOICES_MAX];
    int choice_count;
} reha_fact;

typedef struct reha_fact_list { /* immutable after loading: any thread */
    reha_source_text source;
    size_t count;
    reha_fact items[REHA_FACTS_MAX];
} reha_fact_list;

REHA_MUST_USE reha_status reha_fact_list_load(const char *path, reha_fact_list *out, reha_error *err);
void reha_fact_list_clear(reha_fact_list *list);
/* Index, or -1. */
int reha_fact_find(const reha_fact_list *list, const char *name);
/* The name most like `name`, for errors; NULL if none is near. */
const char *reha_fact_near(const reha_fact_list *list, const char *name);
/* A value from JSON: a number in its range, a bool, or one of the choices. */
REHA_MUST_USE reha_status reha_fact_parse(const reha_fact *fact, const json_t *json, const reha_place *place,
                                          double *out, reha_error *err);
/* "6 of 10", "yes", "total-knee-replacement", "not known". */
void reha_fact_format(const reha_fact *fact, double value, char *out, size_t out_bytes);
/* The JSON of a value: number, bool, text or null. New reference. */
json_t *reha_fact_json(const reha_fact *fact, double value);

/* ---- One patient ---- */

typedef struct reha_facts {                          /* plain values: copy freely */
    double values[REHA_FACTS_MAX];                   /* NaN: not known */
    char from[REHA_FACTS_MAX][REHA_FACT_FROM_BYTES]; /* "" for stated ones; else how they were derived */
} reha_facts;

enum { REHA_OWN_GOALS_MAX = 5, REHA_PLAN_NOTES_MAX = 16, REHA_PLAN_NOTE_BYTES = 240 };

typedef struct reha_own_goal {
    char activity[100]; /* in the patient's words */
    double psfs;        /* how well it goes now, 0..10; NaN: not asked */
} reha_own_goal;

typedef struct reha_plan_input {
    char date[16];      /* of the plan, "2026-05-01" */
    char condition[48]; /* as stated */
    char side[16];      /* "right", "left", "both", "none" */
    char phase[40];     /* stated by the clinician, or "" */
    reha_facts facts;
    int own_goal_count;
    reha_own_goal own_goals[REHA_OWN_GOALS_MAX];
    int note_count; /* what was not used, and why */
    char notes[REHA_PLAN_NOTES_MAX][REHA_PLAN_NOTE_BYTES];
} reha_plan_input;

/* Reads and checks a patient's file (docs/formats/plan.md). Faults are REHA_E_FORMAT with the line. */
REHA_MUST_USE reha_status reha_plan_input_load(const char *path, const reha_fact_list *list,
                                               reha_plan_input *out, reha_error *err);
REHA_MUST_USE reha_status reha_plan_input_read(const reha_source_text *source, const reha_fact_list *list,
                                               reha_plan_input *out, reha_error *err);
void reha_plan_input_note(reha_plan_input *input, const char *format, ...) REHA_PRINTF(2, 3);
/* Takes the facts that the findings of one analysis (docs/formats/analysis.md) state for the plan's side. */
REHA_MUST_USE reha_status reha_facts_take_analysis(const reha_place *place, const json_t *analysis,
                                                   const reha_fact_list *list, reha_plan_input *input,
                                                   reha_error *err);
/* Days from the first date to the second ("2026-05-01"); false if one is no date. */
bool reha_date_days(const char *from, const char *to, int *out_days);
/* `date` plus days, into out[16]; false if it is no date. */
bool reha_date_after(const char *date, int days, char *out, size_t out_bytes);

#endif
