/* The training recipe of muscle-us: `train muscle-us` (muscle_train.c). */
#ifndef REHA_RECOGNITION_MUSCLE_TRAIN_H
#define REHA_RECOGNITION_MUSCLE_TRAIN_H

#include "recognition/recogniser.h"

REHA_MUST_USE reha_status reha_muscle_train(const reha_train_options *options, const reha_progress *progress,
                                            reha_error *err);

#endif
