#include "recognition/recipe.h"

#include "base/file.h"
#include "base/memory.h"
#include "nn/fold.h"
#include "nn/onnx.h"

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

reha_status reha_recipe_path(const reha_train_options *options, const char *name, char **out, reha_error *err)
{
    *out = reha_path_join(options->out_folder, name);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
}

reha_status reha_recipe_take_over(const reha_train_options *options, const char *name, reha_error *err)
{
    enum { NETWORK_BYTES_MAX = 1 << 28 };
    reha_status status = REHA_OK;
    uint8_t *bytes = NULL;
    size_t count = 0;
    char *to = NULL;
    char *from = reha_path_join(options->base_folder, name);
    if (from == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    REHA_CHECK(reha_recipe_path(options, name, &to, err));
    REHA_CHECK(reha_file_load(from, NETWORK_BYTES_MAX, &bytes, &count, err));
    REHA_CHECK(reha_file_save(to, bytes, count, err));
done:
    reha_free(bytes);
    reha_free(from);
    reha_free(to);
    return status;
}

reha_status reha_recipe_save_network(const reha_train_options *options, const reha_graph *graph,
                                     const char *name, reha_error *err)
{
    reha_status status = REHA_OK;
    char *path = NULL;
    reha_graph *folded = NULL;
    const reha_onnx_save_options how = {.float16_weights = true, .producer = "rehascope " REHA_VERSION};
    REHA_CHECK(reha_recipe_path(options, name, &path, err));
    REHA_CHECK(reha_graph_fold_batch_norm(graph, &folded, err));
    REHA_CHECK(reha_onnx_save(folded, path, &how, err));
done:
    reha_graph_free(folded);
    reha_free(path);
    return status;
}

reha_status reha_recipe_take_checkpoint(const reha_train_options *options, const reha_trainer *trainer,
                                        json_t *state, reha_error *err)
{
    reha_status status = REHA_OK;
    char *path = NULL;
    char *state_path = NULL;
    if (state == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the checkpoint");
    }
    REHA_CHECK(reha_recipe_path(options, "checkpoint.bin", &path, err));
    REHA_CHECK(reha_recipe_path(options, "checkpoint.json", &state_path, err));
    REHA_CHECK(reha_trainer_save(trainer, path, err));
    REHA_CHECK(reha_json_save(state_path, state, err));
done:
    json_decref(state);
    reha_free(path);
    reha_free(state_path);
    return status;
}

reha_status reha_recipe_save_log(const reha_train_options *options, const reha_text *log, reha_error *err)
{
    char *path = NULL;
    REHA_TRY(reha_recipe_path(options, "log.csv", &path, err));
    const reha_status status = reha_file_save(path, log->data, log->length, err);
    reha_free(path);
    return status;
}
