/* Tables for outcome models: described columns ("features") and rows of numbers made from them.
 *
 * A category is held as the index of its level, a number as itself, what is not known as NaN. A feature also
 * knows how many training rows each of its levels had: a prediction is refused where there were too few. */
#ifndef REHA_REHAB_TABLE_H
#define REHA_REHAB_TABLE_H

#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REHA_FEATURES_MAX = 96,
    REHA_FEATURE_LEVELS_MAX = 24,
    REHA_FEATURE_TEXT_BYTES = 64,
    REHA_FEATURE_ROWS_MIN = 30 /* fewer training rows of a level: outside the range of the model */
};

typedef enum reha_feature_kind {
    REHA_FEATURE_CATEGORY,
    REHA_FEATURE_NUMBER,
    REHA_FEATURE_SUM /* of `sum_count` features from `sum_first` on, not asked for: see reha_table_add_sums */
} reha_feature_kind;

typedef struct reha_feature {
    char key[REHA_FEATURE_TEXT_BYTES];   /* name in the input JSON */
    char title[REHA_FEATURE_TEXT_BYTES]; /* for people */
    reha_feature_kind kind;
    bool is_group; /* intervals are calibrated and reported within its levels */
    size_t level_count;
    char levels[REHA_FEATURE_LEVELS_MAX][REHA_FEATURE_TEXT_BYTES];
    size_t level_rows[REHA_FEATURE_LEVELS_MAX]; /* training rows */
    size_t unknown_rows;
    double low, high; /* of numbers and sums in the training rows */
    size_t sum_first, sum_count, sum_unknown_max;
} reha_feature;

typedef struct reha_table {
    reha_feature *features; /* owned */
    size_t feature_count;
    size_t row_count;
    size_t row_capacity;
    float *x;          /* row_count x feature_count */
    double *y;         /* outcome; NaN where unknown */
    double *benchmark; /* someone else's prediction in the file; NaN where none */
    uint32_t *patient; /* rows of one patient carry one number */
    uint32_t *period;  /* 2017 for 2017/18; 0 if the table has none */
    uint32_t *line_no; /* in its file */
} reha_table;

/* A table without rows; the features are copied. */
REHA_MUST_USE reha_status reha_table_new(const reha_feature *features, size_t count, reha_table **out,
                                         reha_error *err);
void reha_table_free(reha_table *table);
/* Room for one more row (values NaN, numbers 0) and its index. */
REHA_MUST_USE reha_status reha_table_add_row(reha_table *table, size_t *row, reha_error *err);
/* The rows with keep[i], in order, as a new table. */
REHA_MUST_USE reha_status reha_table_select(const reha_table *table, const bool *keep, reha_table **out,
                                            reha_error *err);
/* Counts levels and ranges of the rows into the features. */
void reha_table_count(reha_table *table);

/* Sums as the Oxford scores are formed: missing items (at most sum_unknown_max, else the sum is not known)
 * are replaced by the mean of the answered ones, and the result is rounded to a whole number. `x`: one row.
 */
void reha_table_add_sums(const reha_feature *features, size_t count, float *x);

/* Index of a feature or of a level, or -1. */
int reha_feature_find(const reha_feature *features, size_t count, const char *key);
int reha_feature_level(const reha_feature *feature, const char *text);
/* REHA_E_REFUSED, with the reason, where the training rows had (next to) no such value. */
REHA_MUST_USE reha_status reha_feature_check(const reha_feature *feature, double value, reha_error *err);
/* "female", "17", "not known". */
void reha_feature_text(const reha_feature *feature, double value, char *out, size_t out_bytes);

/* One row from the input of a prediction: an object with exactly the keys of the features (sums left out):
 * true and false mean the levels yes and no, null "not known". A missing key, an unknown key and a value that
 * is no level are REHA_E_FORMAT by name; a value outside the training range is REHA_E_REFUSED. x: room for
 * one row. */
REHA_MUST_USE reha_status reha_table_row_from_json(const reha_feature *features, size_t count,
                                                   const json_t *input, float *x, reha_error *err);

/* New reference. */
REHA_MUST_USE reha_status reha_features_to_json(const reha_feature *features, size_t count, json_t **out,
                                                reha_error *err);
/* *out owned by the caller (reha_free). */
REHA_MUST_USE reha_status reha_features_from_json(const json_t *array, reha_feature **out, size_t *count,
                                                  reha_error *err);

#endif
