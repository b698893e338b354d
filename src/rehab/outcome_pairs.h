/* Knee replacement within 9 years, from a matched case-control study: does the picture add to the grade?
 *
 * Pairs of one knee that was replaced and one that was not, matched on other risk factors. Such data tell
 * odds, never risks: conditional logistic regression compares the two knees of each pair. A knee's likelihood
 * ratio is how much more often its picture is met in replaced knees than in the others, LR(x) = exp(b x) /
 * mean over the controls of exp(b x), and a risk follows only from a prior that the user states: odds = prior
 * odds * LR.
 *
 * Measured by leaving out one group of pairs at a time (pairs that share a person are one group): the share
 * of pairs in which the replaced knee has the higher score is the AUC within strata; intervals by a bootstrap
 * of pairs. */
#ifndef REHA_REHAB_OUTCOME_PAIRS_H
#define REHA_REHAB_OUTCOME_PAIRS_H

#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REHA_PAIR_KL, REHA_PAIR_IMAGE_GRADE, REHA_PAIR_JOINT_SPACE, REHA_PAIR_FEATURES };
enum { REHA_PAIR_DRAWS = 200, REHA_PAIRS_MIN = 40 };

typedef struct reha_knee_row {
    uint32_t patient;
    uint32_t stratum;
    bool is_case;
    double x[REHA_PAIR_FEATURES]; /* reader's KL grade, expected grade of the picture, minimum joint space /
                                     plateau width */
} reha_knee_row;

typedef struct reha_pairs_fit {
    unsigned mask;                                         /* bit f: feature f is used */
    double b[REHA_PAIR_FEATURES];                          /* log odds per unit */
    double log_mean;                                       /* log of the controls' mean exp(b x) */
    double draws[REHA_PAIR_DRAWS][REHA_PAIR_FEATURES + 1]; /* b and log_mean of bootstrap samples of pairs */
} reha_pairs_fit;

typedef struct reha_pairs_model {
    size_t pairs;
    double low[REHA_PAIR_FEATURES], high[REHA_PAIR_FEATURES]; /* seen */
    double control_mean[REHA_PAIR_FEATURES];
    bool ranks_better;    /* than KL alone: the interval of the AUC's gain is above zero */
    bool odds_better;     /* and that of the log loss: the odds themselves are more accurate */
    reha_pairs_fit grade; /* KL alone: the baseline */
    reha_pairs_fit full;  /* what is used */
} reha_pairs_model;

/* Learns from the strata that hold exactly one case and one control; *report: figures of KL alone and of
 * every combination with it (new reference). The combination with the lowest log loss on left-out groups is
 * kept. */
REHA_MUST_USE reha_status reha_pairs_train(const reha_knee_row *rows, size_t count, uint64_t seed,
                                           int bootstrap_rounds, reha_pairs_model *out, json_t **report,
                                           reha_error *err);

/* Keys of the input, in the order of the features. */
const char *reha_pair_key(size_t feature);

typedef struct reha_progression {
    double ratio, ratio_low, ratio_high; /* likelihood ratio and its 95 % interval */
    double grade_ratio;                  /* from the grade alone */
    double risk, risk_low, risk_high;    /* NaN without a prior */
    double grade_risk;
    double contribution[REHA_PAIR_FEATURES]; /* log odds against the mean control */
} reha_progression;

/* prior: share of such people whose knee is replaced within 9 years, in (0, 1); NaN: none stated. Outside the
 * seen range: REHA_E_REFUSED by name. */
REHA_MUST_USE reha_status reha_pairs_predict(const reha_pairs_model *model, const double *x, double prior,
                                             reha_progression *out, reha_error *err);

/* New reference. */
REHA_MUST_USE reha_status reha_pairs_to_json(const reha_pairs_model *model, json_t **out, reha_error *err);
REHA_MUST_USE reha_status reha_pairs_from_json(const json_t *object, reha_pairs_model *out, reha_error *err);

#endif
