/* What the files of the bone-density recogniser share. */
#ifndef REHA_RECOGNITION_BONE_DENSITY_PRIV_H
#define REHA_RECOGNITION_BONE_DENSITY_PRIV_H

#include "recognition/bone_data.h"
#include "recognition/bone_picture.h"
#include "recognition/bone_study.h"

typedef struct bone_sample { /* the usable pictures of a folder, measured */
    reha_bone_data data;
    reha_bone_row *rows;
    size_t *items; /* row -> item */
    size_t count, capacity;
    int embedding_count;
    float *embeddings;          /* capacity * embedding_count */
    size_t unreadable, refused; /* pictures that could not be measured */
} bone_sample;

/* Loads and measures; progress per picture. sample is for clear in any case. */
REHA_MUST_USE reha_status reha_bone_sample_take_(const char *data_folder, reha_load_function load,
                                                 reha_bone_reader *reader, const reha_progress *progress,
                                                 bone_sample *out, reha_error *err);
void reha_bone_sample_clear_(bone_sample *sample);

/* The folder of the knee-oa model that belongs to a model folder or to a folder of models; reha_free it.
 * candidate: itself a knee-oa model, or any <models>/<task>/<version>; NULL with models_folder. */
REHA_MUST_USE reha_status reha_bone_knee_folder_(const char *models_folder, const char *candidate, char **out,
                                                 reha_error *err);

REHA_MUST_USE reha_status reha_bone_train_(const reha_train_options *options, const reha_progress *progress,
                                           reha_error *err);
REHA_MUST_USE reha_status reha_bone_audit_(const char *data_folder, reha_load_function load,
                                           const reha_progress *progress, json_t **report, reha_error *err);

/* bone_evaluate.c */
REHA_MUST_USE reha_status reha_bone_evaluate_(const reha_bone_models *models, const char *version,
                                              const char *model_folder, reha_bone_reader *reader,
                                              const reha_evaluate_options *options,
                                              const reha_progress *progress, json_t **report,
                                              reha_error *err);

#endif
