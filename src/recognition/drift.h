/* Do new images still look like those that a model was made and checked with? Compares two tables of
 * numbers, one row per image: scores of the recogniser, its certainty, facts of the acquisition, grey values.
 *
 * Per column the Kolmogorov-Smirnov distance of the two distributions; 0/1 columns (refused or not, a device
 * or another) give the difference of the shares. One permutation test for all columns together (Westfall and
 * Young 1993, max-T) holds the chance of any false alarm at the stated rate, however many
 * columns there are and however they hang together. Images of one group (a person) are shuffled together,
 * since they are alike: counted as independent they made 15 % false alarms where 5 % were promised.
 *
 * Any thread, no state. */
#ifndef REHA_RECOGNITION_DRIFT_H
#define REHA_RECOGNITION_DRIFT_H

#include "base/json.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REHA_DRIFT_COLUMNS_MAX = 64, REHA_DRIFT_NAME_BYTES = 96 };

typedef struct reha_drift_table {
    size_t column_count;
    char names[REHA_DRIFT_COLUMNS_MAX][REHA_DRIFT_NAME_BYTES];
    bool is_share[REHA_DRIFT_COLUMNS_MAX]; /* 0/1 column */
    size_t row_count, row_capacity;
    double *values; /* row_count * REHA_DRIFT_COLUMNS_MAX; NaN: not known; owned */
    size_t *groups; /* per row, below row_count; each row its own at first; owned */
} reha_drift_table;

void reha_drift_table_clear(reha_drift_table *table);
/* Appends a row of NaN, a group of its own; *row is borrowed until the next call. REHA_E_NOMEM. */
REHA_MUST_USE reha_status reha_drift_table_add(reha_drift_table *table, double **row, reha_error *err);

typedef struct reha_drift_options {
    double false_alarm_rate; /* of one comparison: 0.01 */
    int permutations;        /* 1999 */
    size_t rows_min;         /* known values a column needs on both sides: 20 */
    uint64_t seed;           /* 1 */
} reha_drift_options;
reha_drift_options reha_drift_options_default(void);

typedef struct reha_drift_column {
    size_t reference_count, fresh_count;   /* known values */
    double reference_middle, fresh_middle; /* median, or share of ones */
    double distance;                       /* Kolmogorov-Smirnov, 0 to 1; NaN: too few values */
    double p;                              /* for this column with all columns reckoned with; NaN likewise */
    bool is_changed;                       /* p <= false_alarm_rate */
} reha_drift_column;

typedef struct reha_drift_report {
    size_t column_count;
    reha_drift_column columns[REHA_DRIFT_COLUMNS_MAX];
    bool is_alarm; /* any column changed */
    double p;      /* of the most changed column */
} reha_drift_report;

/* Both tables with the same columns. REHA_E_ARG: other columns, an option out of range, fewer than rows_min
 * rows on a side. */
REHA_MUST_USE reha_status reha_drift_compare(const reha_drift_table *reference, const reha_drift_table *fresh,
                                             const reha_drift_options *options, reha_drift_report *out,
                                             reha_error *err);

#endif
