/* The two joints of NHS England's patient-reported outcome measures (record-level provider files, Open
 * Government Licence v3): which columns are read, what their codes mean, and the models' designs.
 *
 * Codes follow the PROMs data dictionary 3.4. Only scores and short names are held, never the wording of a
 * question. Suppressed values (asterisk), code 9 and an EQ VAS of 999 are "not known"; in a comorbidity
 * column 9 means "not ticked". */
#ifndef REHA_REHAB_OUTCOME_NHS_H
#define REHA_REHAB_OUTCOME_NHS_H

#include "base/csv.h"
#include "rehab/outcome.h"

typedef struct reha_nhs_layout reha_nhs_layout; /* immutable */

/* "knee-replacement", "hip-replacement"; NULL past the end / if unknown. */
const reha_nhs_layout *reha_nhs_layout_at(size_t index);
const reha_nhs_layout *reha_nhs_layout_find(const char *task);
const char *reha_nhs_task(const reha_nhs_layout *layout);

/* True if the table has this joint's columns. */
bool reha_nhs_accepts(const reha_nhs_layout *layout, const reha_csv *csv);
/* An empty table with the layout's features. */
REHA_MUST_USE reha_status reha_nhs_table_new(const reha_nhs_layout *layout, reha_table **out,
                                             reha_error *err);

typedef struct reha_nhs_counts {
    size_t rows;       /* read */
    size_t no_outcome; /* left out: no score after surgery */
    size_t no_score;   /* left out: no score before surgery */
    size_t unreadable; /* left out: a value that is no code of its column */
    char fault[200];   /* the first of these: line, column and value */
} reha_nhs_counts;

/* Appends the rows that have both scores; counts are added to. A missing column and more than 1 unreadable
 * row in 20 are REHA_E_FORMAT and name column and line. */
REHA_MUST_USE reha_status reha_nhs_read(const reha_nhs_layout *layout, const reha_csv *csv, reha_table *table,
                                        reha_nhs_counts *counts, reha_error *err);

/* Names, goals with their sources, and the axes of the strata. */
void reha_nhs_design(const reha_nhs_layout *layout, reha_outcome_design *out);

#endif
