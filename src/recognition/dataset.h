/* A labelled folder: `labels.csv` with the columns path,knee_id,patient_id,side,split,kl, paths relative to
 * the folder. Columns that name a subgroup (sex, age, device, source, ...: dataset_groups.c) are kept, others
 * ignored. */
#ifndef REHA_RECOGNITION_DATASET_H
#define REHA_RECOGNITION_DATASET_H

#include "base/status.h"
#include "image/acquisition.h"

#include <stddef.h>

enum { REHA_SPLIT_BYTES = 24, REHA_KNEE_ID_BYTES = 64, REHA_GROUPINGS_MAX = 6, REHA_GROUP_BYTES = 32 };

typedef struct reha_labelled {
    char *path;      /* as in the table; owned */
    char *full_path; /* owned */
    char knee_id[REHA_KNEE_ID_BYTES];
    size_t patient_idx; /* equal for one patient, in order of first appearance */
    reha_side side;
    char split[REHA_SPLIT_BYTES];
    int grade;                                         /* 0 to 4 */
    char groups[REHA_GROUPINGS_MAX][REHA_GROUP_BYTES]; /* of each grouping of the dataset; "": not stated */
} reha_labelled;

typedef struct reha_dataset {
    reha_labelled *items;
    size_t count;
    size_t patient_count;
    int grouping_count;
    const char *groupings[REHA_GROUPINGS_MAX]; /* "sex", "age", ...: those that the table has; static */
    int grouping_columns[REHA_GROUPINGS_MAX];
} reha_dataset;

/* split NULL: all rows. An unreadable row is REHA_E_FORMAT (line and column named); a path that
 * leaves the folder is refused; a split with no rows is REHA_E_NOT_FOUND and names those there are. */
REHA_MUST_USE reha_status reha_dataset_load(const char *folder, const char *split, reha_dataset *out,
                                            reha_error *err);
/* Whether a network may learn from `train` and be judged by another split: REHA_E_FORMAT if one patient's
 * images stand in two splits of the folder (both images are named), or if all images of a split have one
 * grade. */
REHA_MUST_USE reha_status reha_dataset_check_splits(const char *folder, reha_error *err);
/* dataset_groups.c: which groupings the header of a table offers, and the groups of one row. Sexes are
 * "female" and "male"; ages become bands; a number that is no age is "implausible". */
struct reha_csv;
void reha_dataset_find_groupings(const struct reha_csv *csv, reha_dataset *out);
void reha_dataset_read_groups(const struct reha_csv *csv, size_t row, const reha_dataset *dataset,
                              reha_labelled *out);

void reha_dataset_clear(reha_dataset *dataset);

#endif
