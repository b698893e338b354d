/* A labelled folder: `labels.csv` with the columns path,knee_id,patient_id,side,split,kl (others are
 * ignored), paths relative to the folder. */
#ifndef REHA_RECOGNITION_DATASET_H
#define REHA_RECOGNITION_DATASET_H

#include "base/status.h"
#include "image/acquisition.h"

#include <stddef.h>

enum { REHA_SPLIT_BYTES = 24, REHA_KNEE_ID_BYTES = 64 };

typedef struct reha_labelled {
    char *path;          /* as in the table; owned */
    char *full_path;     /* owned */
    char knee_id[REHA_KNEE_ID_BYTES];
    size_t patient_idx;  /* equal for one patient, in order of first appearance */
    reha_side side;
    char split[REHA_SPLIT_BYTES];
    int grade;           /* 0 to 4 */
} reha_labelled;

typedef struct reha_dataset {
    reha_labelled *items;
    size_t count;
    size_t patient_count;
} reha_dataset;

/* split NULL: all rows. An unreadable row is REHA_E_FORMAT (line and column named); a path that
 * leaves the folder is refused; a split with no rows is REHA_E_NOT_FOUND and names those there are. */
REHA_MUST_USE reha_status reha_dataset_load(const char *folder, const char *split, reha_dataset *out,
                                            reha_error *err);
void reha_dataset_clear(reha_dataset *dataset);

#endif
