/* Losses: value and gradient with respect to the logits, f32 NCHW in and out, sums in f64. */
#ifndef REHA_NN_LOSS_PRIV_H
#define REHA_NN_LOSS_PRIV_H

#include "nn/trainer.h"

/* Floats of target per image; 0 if this output shape does not fit the loss. */
size_t reha_loss_target_count(reha_loss_kind kind, reha_shape output);

/* Adds weight * d(loss)/d(logits) to grad and returns weight * loss. The loss is the mean over
 * images, weighted by image_weights (NULL: all 1) relative to their sum. shape: with the real batch.
 * A target outside its range (rank, probability) gives REHA_E_ARG with the image's index. */
REHA_MUST_USE reha_status reha_loss_run(const reha_loss *loss, reha_shape shape, const float *logits,
                                        const float *target, const float *image_weights, float *grad,
                                        double *value, reha_error *err);

#endif
