/* Knee MR examinations: abnormal, tear of the anterior cruciate ligament, tear of a meniscus.
 *
 * A recipe for groups that hold labelled examinations (knee_mri_data.h): `train knee-mri --data DIR
 * --backbone DIR` makes a model, `evaluate` measures it. No model is installed, and the recipe was proven on
 * generated volumes only; its card says so. It reads volumes, so `analyse` of single images refuses. */
#ifndef REHA_RECOGNITION_KNEE_MRI_H
#define REHA_RECOGNITION_KNEE_MRI_H

#include "recognition/knee_mri_net.h"
#include "recognition/recogniser.h"

extern const reha_recogniser reha_recogniser_knee_mri;

enum { REHA_KNEE_MRI_SIDE_PX = 224 };

/* options->network: "mobilenetv2" (224 px, the default) or "mobilenetv2-SIDE" with a multiple of 32 from 64
 * to 512. Writes trunk.onnx, model.onnx (the head) and card.json. */
REHA_MUST_USE reha_status reha_knee_mri_train(const reha_train_options *options,
                                              const reha_progress *progress, reha_error *err);

/* Features of all examinations of `data` on these planes, row by row; *out: reha_free. REHA_E_CANCELLED on
 * request. */
REHA_MUST_USE reha_status reha_knee_mri_read_all(reha_knee_mri_trunk *trunk, const reha_knee_mri_data *data,
                                                 const bool planes[REHA_KNEE_MRI_PLANES],
                                                 const reha_progress *progress, float **out, reha_error *err);
/* Probabilities [count][labels] of rows of features; *out: reha_free. */
REHA_MUST_USE reha_status reha_knee_mri_score(const reha_graph *head, const float *features, size_t count,
                                              size_t inputs, double **out, reha_error *err);
/* {"acl_auc": {"value":, "low":, "high":, "n":, "positive":}, ..., "n":, "groups":} over the examinations
 * that `use` names (labelled ones only); 95 % interval by bootstrap over examinations. New reference. */
REHA_MUST_USE reha_status reha_knee_mri_measure(const reha_knee_mri_data *data, const double *probabilities,
                                                const bool *use, int rounds, uint64_t seed, json_t **out,
                                                reha_error *err);

#endif
