/* Ridge regression with one column per level: the plain model that a more complicated one has to beat.
 *
 * Categories get an indicator per level but the most frequent one, numbers their centred value and its
 * square, and either an indicator "not known" where enough rows lack it. Contributions are taken from the
 * mean training patient, so that they sum exactly to the prediction. */
#ifndef REHA_REHAB_OUTCOME_LINEAR_H
#define REHA_REHAB_OUTCOME_LINEAR_H

#include "rehab/table.h"

typedef struct reha_linear_column {
    uint32_t feature;
    int32_t level; /* >= 0: indicator; the others as below */
    double coefficient;
    double mean; /* of the column over the training rows */
} reha_linear_column;

enum { REHA_LINEAR_UNKNOWN = -1, REHA_LINEAR_VALUE = -2, REHA_LINEAR_SQUARE = -3 };

typedef struct reha_linear {
    double base; /* mean outcome of the training rows */
    size_t column_count;
    reha_linear_column *columns; /* owned */
    double centre[REHA_FEATURES_MAX];
    double scale[REHA_FEATURES_MAX]; /* of numbers */
} reha_linear;

/* `ridge`: weight of the squared coefficients (columns have a scale of about 1). The features' counts must be
 * those of the rows (reha_table_count). */
REHA_MUST_USE reha_status reha_linear_fit(const reha_table *table, double ridge, reha_linear *out,
                                          reha_error *err);
void reha_linear_clear(reha_linear *linear);
double reha_linear_predict(const reha_linear *linear, const float *x);
/* out[feature_count], added to; prediction = base + their sum. */
void reha_linear_explain(const reha_linear *linear, const float *x, double *out);
/* New reference. */
REHA_MUST_USE reha_status reha_linear_to_json(const reha_linear *linear, const reha_feature *features,
                                              json_t **out, reha_error *err);
REHA_MUST_USE reha_status reha_linear_from_json(const json_t *object, const reha_feature *features,
                                                size_t count, reha_linear *out, reha_error *err);

/* Solves A x = b in place (A symmetric positive definite, n x n, row major; x replaces b). False if A is not.
 */
bool reha_solve_positive(double *a, double *b, size_t n);

#endif
