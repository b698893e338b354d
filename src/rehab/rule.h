/* Conditions over the facts of a patient, judged in three values (Kleene): a condition that hangs on a
 * fact nobody knows is neither true nor false, and says which fact to ask for.
 *
 * JSON: {"all": [...]}, {"any": [...]}, {"not": {...}}, or a comparison of one fact:
 * {"fact": "pain_activity", "at_least" | "at_most" | "above" | "below": number},
 * {"fact": "sex", "is": "female" | true}, {"fact": "procedure", "in": ["a", "b"]},
 * {"fact": "koos_pain", "known": true | false}. */
#ifndef REHA_REHAB_RULE_H
#define REHA_REHAB_RULE_H

#include "rehab/facts.h"

typedef enum reha_truth { REHA_FALSE, REHA_UNKNOWN, REHA_TRUE } reha_truth;

typedef enum reha_condition_kind {
    REHA_WHEN_ALWAYS,
    REHA_WHEN_ALL,
    REHA_WHEN_ANY,
    REHA_WHEN_NOT,
    REHA_WHEN_AT_LEAST,
    REHA_WHEN_AT_MOST,
    REHA_WHEN_ABOVE,
    REHA_WHEN_BELOW,
    REHA_WHEN_IN,   /* `mask`: the choices; of a bool bit 0 is false, bit 1 true */
    REHA_WHEN_KNOWN /* mask 1: known, 0: not known */
} reha_condition_kind;

typedef struct reha_condition reha_condition;
struct reha_condition { /* immutable after parsing */
    reha_condition_kind kind;
    int fact;
    double value;
    unsigned mask;
    size_t count;
    reha_condition *items; /* owned */
};

/* NULL JSON is "always". A fault names its line. */
REHA_MUST_USE reha_status reha_condition_parse(const reha_place *place, const json_t *json,
                                               const reha_fact_list *list, reha_condition *out,
                                               reha_error *err);
void reha_condition_clear(reha_condition *condition);

reha_truth reha_condition_judge(const reha_condition *condition, const reha_facts *facts);
/* "pain in activity at least 5 of 10" of one comparison; "not (...)", "any of ..." of others. */
void reha_condition_describe(const reha_condition *condition, const reha_fact_list *list, char *out,
                             size_t out_bytes);

/* Sets of facts, one byte each, REHA_FACTS_MAX long. The facts that make a true condition true: */
void reha_condition_because(const reha_condition *condition, const reha_facts *facts, unsigned char *set);
/* ... that an unknown condition hangs on: */
void reha_condition_missing(const reha_condition *condition, const reha_facts *facts, unsigned char *set);
/* ... that it names at all: */
void reha_condition_facts(const reha_condition *condition, unsigned char *set);

/* Whether some patient makes all of these true at once. Facts are taken as independent of each other. */
enum { REHA_TOGETHER_MAX = 8 };
bool reha_conditions_can_hold(const reha_condition *const *conditions, size_t count,
                              const reha_fact_list *list);

#endif
