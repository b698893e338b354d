/* Shared by the figures: which rows count, resampling of patients, coverage. */
#ifndef REHA_REHAB_OUTCOME_FIGURES_PRIV_H
#define REHA_REHAB_OUTCOME_FIGURES_PRIV_H

#include "rehab/outcome_figures.h"

#include <stddef.h>
#include <stdint.h>

/* True for rows that count: an outcome, and not refused. */
bool reha_outcome_counts(const reha_table *table, const reha_outcome_row *rows, size_t i);
/* The members `coverage`, `groups` and `by_expected` of a report. New reference. */
REHA_MUST_USE reha_status reha_outcome_coverage(const reha_outcome_model *model, const reha_table *table,
                                                const reha_outcome_row *rows, json_t **out, reha_error *err);

/* Sums of value (rows x width) per patient: *out is patients x width (reha_free). */
REHA_MUST_USE reha_status reha_patients_sum(const double *value, size_t width, const uint32_t *patient,
                                            size_t rows, double **out, size_t *out_count, reha_error *err);
/* The sums of as many patients, drawn with replacement: out[width]. */
void reha_patients_resample(const double *sums, size_t width, size_t count, uint64_t seed, uint64_t round,
                            double *out);
/* 2.5 and 97.5 % of the values, which are sorted in place; NaN of none. */
void reha_interval_of(double *values, size_t count, double *low, double *high);

#endif
