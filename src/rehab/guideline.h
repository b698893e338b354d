/* The rule base: guidelines/ (schema in docs/formats/guidelines.md), loaded strictly.
 *
 * A guideline file is one condition with its phases and rules; conditions/general.json holds the rules
 * that hold for every condition. The loader refuses what is not exactly as documented, rules that no
 * patient can fulfil, rules that let the picture alone change exercises, doses, goals or phases, grades
 * that no source printed, and pairs of rules that recommend and forbid the same thing at once. */
#ifndef REHA_REHAB_GUIDELINE_H
#define REHA_REHAB_GUIDELINE_H

#include "rehab/rule.h"

enum {
    REHA_GUIDE_SOURCES_MAX = 64,
    REHA_EXERCISES_MAX = 96,
    REHA_DOSES_MAX = 32,
    REHA_DOSE_LEVELS_MAX = 6,
    REHA_PROGRAMMES_MAX = 24,
    REHA_PHASES_MAX = 6,
    REHA_RULES_MAX = 512
};

typedef struct reha_guide_source { /* borrowed texts */
    const char *id;
    const char *title;
    int year;         /* 0: none (clinical convention, own computation) */
    const char *read; /* how we know it: "text", "abstract", "secondary", "convention" */
} reha_guide_source;

typedef struct reha_exercise {
    const char *id;
    const char *title; /* for clinicians */
    const char *figure;
    const json_t *tags; /* array of texts: what it loads */
} reha_exercise;

typedef struct reha_basis { /* on what a statement rests */
    const reha_guide_source *source;
    const char *section;
    const char *strength; /* as its source prints it; NULL: the source prints none */
} reha_basis;

typedef struct reha_dose {
    const char *id;
    const char *type; /* "strength", "aerobic", ... */
    const char *intensity;
    const char *progression;
    const char *regression;
    const json_t *levels; /* array of objects, easiest first */
    reha_basis basis;
} reha_dose;

typedef enum reha_rule_kind {
    REHA_RULE_REFUSE,   /* the input contradicts itself */
    REHA_RULE_RED_FLAG, /* to a doctor today */
    REHA_RULE_BLOCK,    /* withholds exercises and advice */
    REHA_RULE_AVOID,    /* what not to do */
    REHA_RULE_PRECAUTION,
    REHA_RULE_EXERCISE,
    REHA_RULE_ADVICE,
    REHA_RULE_GOAL,
    REHA_RULE_ASK,
    REHA_RULE_IMAGING,
    REHA_RULE_REASSESS,
    REHA_RULE_SHIFT, /* of the dose, or a phase back */
    REHA_RULE_REFER, /* soon, not today */
    REHA_RULE_KIND_COUNT
} reha_rule_kind;

/* What a shift does: a phase back; the lowest dose and no step on; a dose level down; one up. */
enum { REHA_SHIFT_PHASE_BACK = -3, REHA_SHIFT_LOWEST, REHA_SHIFT_DOWN, REHA_SHIFT_UP = 1 };

typedef struct reha_rule {
    const char *id;
    reha_rule_kind kind;
    const char *text;    /* for clinicians */
    const char *patient; /* key of the translation file, or NULL */
    int priority;
    bool has_priority; /* stated, not the default 50 */
    int programme;     /* -1: general */
    unsigned phases;   /* bit mask; 0: all */
    reha_condition when;
    reha_basis basis;
    const reha_exercise *exercise; /* of exercises */
    const reha_dose *dose;
    const char *action;    /* of advice */
    const json_t *forbids; /* of blocks and avoids: "exercise:ID", "tag:TAG", "dose:ID", "advice:ACTION" */
    bool hold_if_unknown;  /* of blocks: withhold also while the facts are not known */
    int fact;              /* of goals and asks, else -1 */
    double change;         /* of goals: signed, from the baseline; NaN: `reach` counts */
    double reach;          /* of goals: an absolute value; NaN: none */
    bool at_most;          /* of goals: reached when at or below */
    int weeks;             /* of goals and reassess */
    int need;              /* of imaging: 0 not needed, 1 consider, 2 needed */
    int shift;             /* REHA_SHIFT_...: the lower, the more careful */
    bool at_start;         /* of shifts: when the first plan is made; else at a review */
    bool is_today;         /* of refer: the same day; else soon */
    const char *file;      /* where it stands, for messages */
    int line;
} reha_rule;

typedef struct reha_guide_phase {
    const char *id;
    const char *title;
    const char *focus;
    const char *patient; /* key prefix in the translation file */
    int weeks_low, weeks_high;
    bool has_advance; /* false: the last phase */
    bool has_by_time;
    reha_condition advance;
    reha_condition
        by_time; /* so long after surgery or injury nobody is in this phase for want of a measure */
    reha_basis basis;
} reha_guide_phase;

typedef struct reha_programme {
    reha_source_text source;
    const char *condition; /* NULL: general */
    const char *title;
    const char *version;
    int phase_count;
    reha_guide_phase phases[REHA_PHASES_MAX];
} reha_programme;

typedef struct reha_guideline reha_guideline;
struct reha_guideline { /* immutable after loading: any thread */
    reha_fact_list facts;
    reha_source_text sources_file, exercises_file, doses_file;
    size_t source_count, exercise_count, dose_count, programme_count, rule_count;
    reha_guide_source sources[REHA_GUIDE_SOURCES_MAX];
    reha_exercise exercises[REHA_EXERCISES_MAX];
    reha_dose doses[REHA_DOSES_MAX];
    reha_programme programmes[REHA_PROGRAMMES_MAX];
    reha_rule rules[REHA_RULES_MAX];
};

/* The folder of the rule base: REHASCOPE_GUIDELINES, or beside the program. *out: reha_free. */
REHA_MUST_USE reha_status reha_guidelines_folder(char **out, reha_error *err);
REHA_MUST_USE reha_status reha_guideline_load(const char *folder, reha_guideline **out, reha_error *err);
void reha_guideline_free(reha_guideline *guideline); /* NULL is fine */

const char *reha_rule_kind_name(reha_rule_kind kind);
/* Index of the programme of a condition, or -1. */
int reha_guideline_programme(const reha_guideline *guideline, const char *condition);
/* Whether a forbidding rule names the exercise or advice that the other one recommends. */
bool reha_rule_forbids(const reha_rule *forbidding, const reha_rule *recommending);
/* The same for an exercise on its own. */
bool reha_rule_forbids_exercise(const reha_rule *forbidding, const reha_exercise *exercise);
const reha_exercise *reha_guideline_exercise(const reha_guideline *guideline,
                                             const char *id); /* NULL: absent */

/* Marks every fact that a plan of this programme can hang on, by the rules for every condition or by its own:
 * one byte each, REHA_FACTS_MAX long. */
void reha_guideline_facts(const reha_guideline *guideline, int programme, unsigned char *set);

/* Faults of the whole: contradictions, rules that cannot fire, pictures that rule. */
REHA_MUST_USE reha_status reha_guideline_check(const reha_guideline *guideline, reha_error *err);

#endif
