/* Knee osteoarthritis on frontal radiographs: Kellgren-Lawrence grade, joint space, explanation.
 * The path of an image is written in knee_oa.c; its parts are knee_finder, knee_gate, knee_landmarks,
 * joint_space, knee_preprocess, conformal and knee_explain. */
#ifndef REHA_RECOGNITION_KNEE_OA_H
#define REHA_RECOGNITION_KNEE_OA_H

#include "recognition/recogniser.h"

extern const reha_recogniser reha_recogniser_knee_oa;

/* The training recipe (knee_train.c). */
REHA_MUST_USE reha_status reha_knee_train(const reha_train_options *options, const reha_progress *progress,
                                          reha_error *err);

/* Calibration on the user's own images (knee_calibrate.c). */
REHA_MUST_USE reha_status reha_knee_calibrate(reha_model *model, const char *model_folder,
                                              const reha_evaluate_options *options,
                                              const reha_progress *progress, json_t **report,
                                              reha_error *err);

/* int8 for the grading networks, where it costs nothing (knee_quantise.c). */
REHA_MUST_USE reha_status reha_knee_quantise(reha_model *model, const char *model_folder,
                                             const reha_evaluate_options *options,
                                             const reha_progress *progress, json_t **report, reha_error *err);

#endif
