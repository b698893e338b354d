/* Nested cross-validation of a regression on rows of bone_study.h. */
#ifndef REHA_RECOGNITION_BONE_FOLDS_PRIV_H
#define REHA_RECOGNITION_BONE_FOLDS_PRIV_H

#include "recognition/bone_study.h"

enum {
    BONE_OUTER = 5,
    BONE_INNER = 4,
    BONE_REPEATS = 5,
    BONE_COMPONENTS = 12 /* principal components of the embedding */
};

typedef enum bone_part {
    BONE_WITH_FACTS = 1,
    BONE_WITH_TEXTURE = 2,
    BONE_WITH_EMBEDDING = 4,
    BONE_WITH_ACQUISITION = 8
} bone_part;

typedef struct bone_problem {
    const reha_bone_table *table;
    const double *gram; /* inner products of the embeddings, count x count; NULL without */
    int parts;          /* bone_part */
    const int *classes; /* count */
    int class_count;
    uint64_t seed;
} bone_problem;

int reha_bone_columns_(const bone_problem *problem);
/* Out-of-fold probabilities, mean over the repeats: count * class_count. */
REHA_MUST_USE reha_status reha_bone_cross_validate_(const bone_problem *problem, double *probabilities,
                                                    reha_error *err);
/* The regression of all rows, its ridge chosen by the inner folds; not for BONE_WITH_EMBEDDING. */
REHA_MUST_USE reha_status reha_bone_fit_all_(const bone_problem *problem, reha_regression *out, double *ridge,
                                             reha_error *err);

#endif
