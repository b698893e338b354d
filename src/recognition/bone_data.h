/* A folder of radiographs with bone-density classes: `labels.csv` (path, patient_id, bone_density_class;
 * optionally original_width_px, original_height_px, original_md5) and, beside it if there is one,
 * `patients.csv` (patient id, age, gender, height, weight, BMI, T-score; names of columns as people write
 * them).
 *
 * What such tables do wrong is met here, not later: copies of one picture under several patients count once,
 * and where their patients differ, their facts count as unknown; impossible ages and sizes count as unknown.
 */
#ifndef REHA_RECOGNITION_BONE_DATA_H
#define REHA_RECOGNITION_BONE_DATA_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { REHA_BONE_CLASSES = 3, REHA_BONE_SETS_MAX = 8, REHA_BONE_ID_BYTES = 64 };

extern const char
    *const reha_bone_class_names[REHA_BONE_CLASSES]; /* "normal", "osteopenia", "osteoporosis" */

typedef struct reha_bone_item {
    char *path, *full_path; /* owned */
    char patient_id[REHA_BONE_ID_BYTES];
    char content[33]; /* the original's MD5 if the table has it, else a hash of the file */
    int class_idx;
    size_t group_idx; /* equal for pictures that may be of one person: same patient, copy, or same facts */
    double age, female, bmi, t_score;             /* NaN: unknown. female: 0 or 1 */
    double original_width_px, original_height_px; /* NaN: unknown */
    int set_idx;      /* acquisition set: originals of about one size, turned or not */
    size_t copy_of;   /* index of the first row with this picture; its own index if it is the first */
    bool has_patient; /* patients.csv has a row for it */
    bool is_age_implausible, is_size_implausible;
    bool is_conflict;  /* copies with different classes: none of them is used */
    bool is_ambiguous; /* copies of different patients: whose facts hold is not known */
} reha_bone_item;

typedef struct reha_bone_data {
    reha_bone_item *items;
    size_t count;
    size_t group_count;
    int set_count;
    char sets[REHA_BONE_SETS_MAX][24]; /* "2430x1994" */
    bool has_patients;                 /* there is a patients.csv */
} reha_bone_data;

/* REHA_E_FORMAT names file, line and column; REHA_E_NOT_FOUND: no folder, no table, no rows. */
REHA_MUST_USE reha_status reha_bone_data_load(const char *folder, reha_bone_data *out, reha_error *err);
void reha_bone_data_clear(reha_bone_data *data);
/* True for the one row that stands for its picture. */
bool reha_bone_item_is_used(const reha_bone_data *data, size_t index);

#endif
