/* What `train`, `evaluate`, `calibrate` and `audit-data muscle-injury` read: a folder with `index.csv`, two
 * kinds of rows in one table (docs/formats/muscle-injury-data.md):
 *
 * - labelled: image, mask, grade (0 to 3), patient_id. The mask shows the injury; with grade 0 it may be left
 * out. A clinic's own pictures. They are taken as they are.
 * - healthy: structure "aponeurosis", image, mask (of the aponeuroses), similarity_group, and no grade.
 * Injuries are simulated in them. Rows of structure "fascicle" are passed over. */
#ifndef REHA_RECOGNITION_MUSCLE_INJURY_DATA_H
#define REHA_RECOGNITION_MUSCLE_INJURY_DATA_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct reha_injury_item {
    char *image;      /* as in the table; owned */
    char *image_path; /* owned */
    char *mask_path;  /* owned; NULL: no mask, grade 0 */
    bool is_labelled;
    int grade;        /* of a labelled row; else 0 */
    char split[16];   /* "train", "tune", "val", or the table's own word (cut) */
    size_t line;      /* in the table */
    size_t group_idx; /* equal for pictures that must not be split */
} reha_injury_item;

typedef struct reha_injury_data {
    reha_injury_item *items;
    size_t count;
    size_t group_count;
    size_t labelled_count;
} reha_injury_data;

/* split NULL: all rows. "val" holds one group in five, by a hash of its name (the same groups as muscle-us),
 * "tune" one in six of the others, "train" the rest; with a column `split` its words stand, and "tune" is
 * taken out of its "train". No rows: REHA_E_NOT_FOUND; a bad row: REHA_E_FORMAT with its line; a path that
 * leaves the folder is refused. */
REHA_MUST_USE reha_status reha_injury_data_load(const char *folder, const char *split, reha_injury_data *out,
                                                reha_error *err);
void reha_injury_data_clear(reha_injury_data *data);

#endif
