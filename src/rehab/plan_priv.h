/* Shared by the files that make a plan. */
#ifndef REHA_REHAB_PLAN_PRIV_H
#define REHA_REHAB_PLAN_PRIV_H

#include "rehab/plan.h"

enum { REHA_LEVEL_START = 1, REHA_LEVEL_MAX = 3, REHA_PHASE_NOTE_BYTES = 600 };

typedef struct plan_maker {
    const reha_guideline *g;
    const reha_plan_input *in;
    const json_t *previous;
    const reha_programme *programme;
    int programme_index;
    reha_facts facts;              /* of the input, and what follows from the last plan */
    bool concerns[REHA_RULES_MAX]; /* general, or of this condition */
    reha_truth truths[REHA_RULES_MAX];
    int phase;
    int phase_before; /* of the last plan, -1: none */
    int level;        /* of the doses in this phase */
    int level_before;
    int moved_by;                             /* the rule that moved dose or phase, -1: none */
    bool has_advanced;                        /* by the criteria of the phase before */
    bool is_stopped;                          /* a red flag is present */
    bool is_placed_by_time;                   /* a phase was left by time, its criteria are not all known */
    unsigned char unmeasured[REHA_FACTS_MAX]; /* which they are */
    char phase_note[REHA_PHASE_NOTE_BYTES];   /* on why this phase; "": none */
    json_t *plan;                             /* owned */
    bool failed;                              /* memory ran out while building JSON */
} plan_maker;

/* JSON building: a NULL value or container marks the maker as failed; the end checks once. */
json_t *reha_plan_object_(plan_maker *m);
json_t *reha_plan_array_(plan_maker *m);
void reha_plan_put_(plan_maker *m, json_t *object, const char *key, json_t *value); /* steals */
void reha_plan_append_(plan_maker *m, json_t *array, json_t *value);                /* steals */
json_t *reha_plan_text_(const char *text); /* NULL and "" give json_null */

bool reha_plan_in_phase_(const reha_rule *rule, int phase);
json_t *reha_plan_because_(plan_maker *m, const reha_condition *when);
json_t *reha_plan_basis_(plan_maker *m, const reha_basis *basis);
/* "line", "rule", "kind", "text", "patient", "strength", "source", "because". */
json_t *reha_plan_line_(plan_maker *m, const reha_rule *rule);
/* The rule that withholds `rule` in a phase: the one of highest priority; NULL: none. */
const reha_rule *reha_plan_withheld_by_(const plan_maker *m, const reha_rule *rule, int phase);
/* The same for a clinician's line on an exercise. */
const reha_rule *reha_plan_withholds_exercise_(const plan_maker *m, const reha_exercise *exercise, int phase);
/* Digest of what a clinician may change on a line (text, dose, state), 8 hex digits. */
void reha_plan_digest_(const json_t *line, char out[9]);

/* "2 x, 10 repetitions, 3 days a week": of one level of a dose, or of a dose that somebody wrote. */
void reha_plan_dose_text_(const json_t *level, char *out, size_t out_bytes);
/* Whether today's numbers reach a goal of the last plan; false for words without a number. */
bool reha_plan_goal_reached_(const plan_maker *m, const json_t *goal);
void reha_plan_goal_text_(const reha_fact *fact, double baseline, double target, bool at_most, const char *by,
                          char *out, size_t out_bytes);

/* plan.c */
void reha_plan_judge_(plan_maker *m); /* every rule, by the facts as they stand */
/* plan_phase.c */
void reha_plan_read_previous_(plan_maker *m); /* phase, level, goals reached */
reha_status reha_plan_find_phase_(plan_maker *m, reha_error *err);
json_t *reha_plan_phases_(plan_maker *m);
/* plan_lines.c */
json_t *reha_plan_red_flags_(plan_maker *m);
json_t *reha_plan_questions_(plan_maker *m, bool *asks_safety);
json_t *reha_plan_of_kind_(plan_maker *m, reha_rule_kind kind);
json_t *reha_plan_imaging_(plan_maker *m);
json_t *reha_plan_reassess_(plan_maker *m);
json_t *reha_plan_withheld_(plan_maker *m);
json_t *reha_plan_exercise_line_(plan_maker *m, const reha_rule *rule, int level);
json_t *reha_plan_advice_line_(plan_maker *m, const reha_rule *rule);
json_t *reha_plan_rules_(plan_maker *m);
json_t *reha_plan_why_(plan_maker *m);
/* plan_goal.c */
json_t *reha_plan_goals_(plan_maker *m, int phase);
json_t *reha_plan_own_goals_(plan_maker *m);
/* True if the last plan had goals with a known value and all of them are reached now. */
bool reha_plan_goals_reached_(const plan_maker *m);
/* One of its goals is past its date, measured now, and not reached. */
bool reha_plan_goals_overdue_(const plan_maker *m);
void reha_plan_goal_notes_(plan_maker *m, json_t *list); /* which goals the scale has no room for */
/* plan_previous.c */
void reha_plan_keep_edits_(plan_maker *m);
json_t *reha_plan_changes_(plan_maker *m);

#endif
