/* Proportional-odds logistic regression with a ridge penalty, for tables of few rows: with two classes it is
 * plain logistic regression. P(class > k) = sigmoid(weights . x - thresholds[k]).
 *
 * Fisher scoring with step halving (McCullagh 1980). Columns are standardised inside with the mean and SD of
 * the known values; an unknown value (NaN) counts as the mean. Any thread, no state. */
#ifndef REHA_RECOGNITION_ORDINAL_FIT_H
#define REHA_RECOGNITION_ORDINAL_FIT_H

#include "base/json.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { REHA_REGRESSION_COLUMNS_MAX = 80, REHA_REGRESSION_CLASSES_MAX = 4 };

typedef struct reha_regression {
    int class_count, column_count;
    double mean[REHA_REGRESSION_COLUMNS_MAX], sd[REHA_REGRESSION_COLUMNS_MAX];
    double weights[REHA_REGRESSION_COLUMNS_MAX];        /* of standardised columns */
    double thresholds[REHA_REGRESSION_CLASSES_MAX - 1]; /* rising */
} reha_regression;

/* rows: count * column_count; classes in [0, class_count), each of which must occur. ridge: on the sum of
 * squared weights, halved; > 0. REHA_E_ARG: out of range; REHA_E_FORMAT: a class does not occur. */
REHA_MUST_USE reha_status reha_regression_fit(const double *rows, const int *classes, size_t count,
                                              int column_count, int class_count, double ridge,
                                              reha_regression *out, reha_error *err);
void reha_regression_predict(const reha_regression *model, const double *row, double *probabilities);

REHA_MUST_USE reha_status reha_regression_to_json(const reha_regression *model, json_t **out,
                                                  reha_error *err);
/* Checks that all numbers are there and possible; the text names the member. */
REHA_MUST_USE reha_status reha_regression_from_json(const json_t *object, reha_regression *out,
                                                    reha_error *err);

#endif
