/* What the training recipes share: where their random numbers come from, how their trainers start, which
 * files they leave in options->out_folder.
 *
 * Every epoch is a function of (seed, epoch) alone, so that a resumed training repeats what it would have
 * done. All functions: any thread, no state. */
#ifndef REHA_RECOGNITION_RECIPE_H
#define REHA_RECOGNITION_RECIPE_H

#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "nn/trainer.h"
#include "recognition/recogniser.h"

enum {
    REHA_STREAM_ORDER = 1,     /* streams of random numbers: one purpose each */
    REHA_STREAM_AUGMENT = 1000 /* + the image's position in the epoch */
};

/* The random numbers of one epoch for one purpose. */
reha_random reha_recipe_random(const reha_train_options *options, int epoch, uint64_t stream);
/* 0 to count - 1 in the epoch's order. */
void reha_recipe_order(const reha_train_options *options, int epoch, size_t *order, size_t count);
/* AdamW with the user's threads, precision and seed; the recipe adds its rates and losses. */
reha_trainer_options reha_recipe_trainer(const reha_train_options *options, int batch);

/* Where a file of the run lies; reha_free it. */
REHA_MUST_USE reha_status reha_recipe_path(const reha_train_options *options, const char *name, char **out,
                                           reha_error *err);
/* Copies a network's file of the base model (base_folder must not be NULL) to the run's folder. */
REHA_MUST_USE reha_status reha_recipe_take_over(const reha_train_options *options, const char *name,
                                                reha_error *err);
/* The network as it is shipped: batch-norms folded, weights in half precision. */
REHA_MUST_USE reha_status reha_recipe_save_network(const reha_train_options *options, const reha_graph *graph,
                                                   const char *name, reha_error *err);
/* checkpoint.bin, then checkpoint.json with the recipe's `state` (a new reference, taken; NULL:
 * REHA_E_NOMEM). */
REHA_MUST_USE reha_status reha_recipe_take_checkpoint(const reha_train_options *options,
                                                      const reha_trainer *trainer, json_t *state,
                                                      reha_error *err);
/* log.csv */
REHA_MUST_USE reha_status reha_recipe_save_log(const reha_train_options *options, const reha_text *log,
                                               reha_error *err);

#endif
