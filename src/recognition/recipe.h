/* What the training recipes share: where their random numbers come from and how their trainers start.
 *
 * Every epoch is a function of (seed, epoch) alone, so that a resumed training repeats what it would have done.
 * All functions: any thread, no state. */
#ifndef REHA_RECOGNITION_RECIPE_H
#define REHA_RECOGNITION_RECIPE_H

#include "base/random.h"
#include "nn/trainer.h"
#include "recognition/recogniser.h"

enum {
    REHA_STREAM_ORDER = 1, /* streams of random numbers: one purpose each */
    REHA_STREAM_AUGMENT = 1000 /* + the image's position in the epoch */
};

/* The random numbers of one epoch for one purpose. */
reha_random reha_recipe_random(const reha_train_options *options, int epoch, uint64_t stream);
/* 0 to count - 1 in the epoch's order. */
void reha_recipe_order(const reha_train_options *options, int epoch, size_t *order, size_t count);
/* AdamW with the user's threads, precision and seed; the recipe adds its rates and losses. */
reha_trainer_options reha_recipe_trainer(const reha_train_options *options, int batch);

#endif
