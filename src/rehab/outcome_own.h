/* A clinic's own table: which columns can be learnt from, and what was cleaned away.
 *
 * One row per treatment, one column with the outcome (a number), any other columns known before treatment.
 * Optional: patient_id (rows of one patient stay together). "", "*", "NA", "N/A", "NULL" and "nan" are "not
 * known"; "*" is counted as suppressed. A column is a number if at least 95 % of its known cells are (few
 * whole numbers: a category), else a category. Left out: constant columns, and texts with more than 24 values
 * (names and other identifiers must not get into a model). Levels of fewer than 30 rows become "not known":
 * they are too few to learn from and could point at a person. Numbers more than 10 interquartile ranges
 * outside the middle half (999 for "missing") become "not known". */
#ifndef REHA_REHAB_OUTCOME_OWN_H
#define REHA_REHAB_OUTCOME_OWN_H

#include "base/csv.h"
#include "rehab/outcome.h"

/* Chooses the features and describes what was found: an array of {"column", "used", "kind", "reason",
 * "missing", "suppressed", "unreadable", "implausible", "distinct"}. *features: reha_free. *cleaning: new
 * reference. */
REHA_MUST_USE reha_status reha_own_describe(const reha_csv *csv, const char *target, reha_feature **features,
                                            size_t *count, json_t **cleaning, reha_error *err);

typedef struct reha_own_counts {
    size_t rows;       /* read */
    size_t no_outcome; /* left out */
} reha_own_counts;

/* Rows with an outcome, for features described above (or those of a model: a missing column is an error by
 * name). An outcome that is no number is REHA_E_FORMAT with its line. */
REHA_MUST_USE reha_status reha_own_read(const reha_csv *csv, const char *target, const reha_feature *features,
                                        size_t count, reha_table **out, reha_own_counts *counts,
                                        reha_error *err);

/* For training: numbers outside the plausible range of their feature become "not known". */
void reha_own_clean(reha_table *table);

void reha_own_design(const char *target, reha_outcome_design *out);

#endif
