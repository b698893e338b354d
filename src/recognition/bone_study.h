/* Does the picture know more about bone density than age, sex and BMI do? Nested cross-validation by group:
 * the outer folds measure, the inner ones choose the ridge, and no group stands on both sides of any of them.
 * Beside it the shortcut tests: can the class be told from the acquisition alone, and the acquisition set
 * from the features? Any thread. */
#ifndef REHA_RECOGNITION_BONE_STUDY_H
#define REHA_RECOGNITION_BONE_STUDY_H

#include "base/json.h"
#include "recognition/bone_picture.h"
#include "recognition/ordinal_fit.h"
#include "recognition/recogniser.h"

enum { REHA_BONE_FACTS = 3 /* age, female, BMI */ };

typedef struct reha_bone_row {
    int class_idx;
    size_t group_idx;
    int set_idx;
    double facts[REHA_BONE_FACTS]; /* NaN: unknown */
    double texture[REHA_BONE_TEXTURE];
    double background[REHA_BONE_BACKGROUND];
    const float *embedding; /* borrowed; embedding_count values */
} reha_bone_row;

typedef struct reha_bone_table {
    const reha_bone_row *rows;
    size_t count;
    int embedding_count; /* 0: models with the embedding are left out */
    int set_count;
} reha_bone_table;

typedef struct reha_bone_models {          /* fitted to all rows */
    reha_regression baseline, image, both; /* columns: facts; texture; facts, then texture */
} reha_bone_models;

/* *report:
 * {"n","groups","protocol","models":[{"name","auc_low_density","auc_osteoporosis","kappa","accuracy",
 * "auc_low_density_within_sets",...}],"added":{...},"shortcuts":{...},"adds": bool,"verdict"}; new reference.
 * REHA_E_FORMAT: a class does not occur, or too few groups of one to fold. */
REHA_MUST_USE reha_status reha_bone_study(const reha_bone_table *table, int rounds, uint64_t seed,
                                          const reha_progress *progress, reha_bone_models *models,
                                          json_t **report, reha_error *err);

/* Area under the ROC curve of score against label with weights; with strata only pairs of one stratum count.
 * NaN if there is no such pair. */
double reha_bone_auc(const double *scores, const int *labels, const int *strata, const double *weights,
                     size_t count);

#endif
