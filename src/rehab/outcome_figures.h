/* How good an outcome model is, on rows it has not seen: beside the naive prediction and, where the table
 * holds one, somebody else's. Intervals by a bootstrap of patients; shares by Wilson's interval. */
#ifndef REHA_REHAB_OUTCOME_FIGURES_H
#define REHA_REHAB_OUTCOME_FIGURES_H

#include "rehab/outcome.h"

typedef struct reha_outcome_row {
    bool is_refused; /* outside the model's range: no prediction; `refused_feature` says why */
    size_t refused_feature;
    double expected, naive;
    double low[REHA_INTERVALS], high[REHA_INTERVALS];
    double reached[REHA_OUTCOME_GOALS_MAX]; /* chances */
} reha_outcome_row;

/* Predictions of all rows of a table that has the model's features. rows: table->row_count. */
REHA_MUST_USE reha_status reha_outcome_predict_rows(reha_outcome_model *model, const reha_table *table,
                                                    reha_outcome_row *rows, reha_error *err);

/* Figures of the rows that have an outcome and were not refused; see docs/formats/outcome.md. New reference.
 */
REHA_MUST_USE reha_status reha_outcome_report(const reha_outcome_model *model, const reha_table *table,
                                              const reha_outcome_row *rows, int bootstrap_rounds,
                                              uint64_t seed, json_t **out, reha_error *err);

/* 95 % interval of the mean of value[], resampling patients with all their rows. */
REHA_MUST_USE reha_status reha_outcome_mean_interval(const double *value, const uint32_t *patient,
                                                     size_t rows, int bootstrap_rounds, uint64_t seed,
                                                     double *low, double *high, reha_error *err);
void reha_outcome_sort(double *values, size_t count); /* rising */
/* Wilson's 95 % interval of a share. */
void reha_outcome_wilson(size_t hits, size_t count, double *low, double *high);

#endif
