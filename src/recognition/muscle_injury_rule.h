/* From the six figures of a reading to the probabilities of the grades, a prediction set and the threshold of
 * the regions that are told: a small logistic model that can be read in the card. */
#ifndef REHA_RECOGNITION_MUSCLE_INJURY_RULE_H
#define REHA_RECOGNITION_MUSCLE_INJURY_RULE_H

#include "recognition/conformal.h"
#include "recognition/muscle_injury_detect.h"
#include "recognition/muscle_lesion.h"

typedef struct reha_injury_rule {
    double mean[REHA_INJURY_FEATURES], sd[REHA_INJURY_FEATURES];
    double weights[REHA_LESION_GRADES][REHA_INJURY_FEATURES + 1]; /* the last: constant */
    reha_ordinal_calibration calibration;
    double score_min; /* regions of at least this score are told */
} reha_injury_rule;

typedef struct reha_injury_example {
    double features[REHA_INJURY_FEATURES];
    int grade;
    size_t group_idx;
} reha_injury_example;

/* Weights by penalised likelihood on all examples; temperature, biases and sets on logits of models that had
 * not seen the example's group (five folds). REHA_E_ARG: fewer than 30 examples. score_min is left alone. */
REHA_MUST_USE reha_status reha_injury_rule_fit(const reha_injury_example *examples, size_t count,
                                               reha_injury_rule *out, reha_error *err);
void reha_injury_rule_logits(const reha_injury_rule *rule, const double *features, double *logits);

/* The card's "rule" object. */
REHA_MUST_USE reha_status reha_injury_rule_to_json(const reha_injury_rule *rule, json_t **out,
                                                   reha_error *err);
REHA_MUST_USE reha_status reha_injury_rule_from_json(const json_t *object, reha_injury_rule *out,
                                                     reha_error *err);

#endif
