#include "recognition/recipe.h"

reha_random reha_recipe_random(const reha_train_options *options, int epoch, uint64_t stream)
{
    return reha_random_init(options->seed * 100003 + (uint64_t)epoch, stream);
}

void reha_recipe_order(const reha_train_options *options, int epoch, size_t *order, size_t count)
{
    reha_random random = reha_recipe_random(options, epoch, REHA_STREAM_ORDER);
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
    }
    reha_random_shuffle(&random, order, count);
}

reha_trainer_options reha_recipe_trainer(const reha_train_options *options, int batch)
{
    reha_trainer_options how = reha_trainer_options_default();
    how.batch = batch;
    how.threads = options->threads;
    how.precision = options->force_f32 ? REHA_F32 : REHA_BF16;
    how.optimizer = REHA_ADAMW;
    how.seed = options->seed;
    return how;
}
