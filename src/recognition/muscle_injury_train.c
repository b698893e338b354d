/* From a folder with index.csv to a network and its card. "train" teaches: labelled pictures as they are,
 * healthy ones with something new simulated in them each time they are shown. "tune" fits grades,
 * probabilities and the threshold afterwards. "val" is not looked at: the weights are those at the end of the
 * schedule. */
#include "recognition/muscle_injury_train.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/threads.h"
#include "nn/onnx.h"
#include "nn/trainer.h"
#include "recognition/muscle_injury_augment.h"
#include "recognition/muscle_injury_card.h"
#include "recognition/muscle_injury_priv.h"
#include "recognition/muscle_injury_sheet.h"
#include "recognition/muscle_net.h"
#include "recognition/recipe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    BATCH_MAX = 8,
    BATCH_GOING_ON = 4, /* without batch-norms a small batch does, and gives more steps a picture */
    FROZEN_BLOCKS = 6, /* of the encoder, going on: the finest scales cost most and know ultrasound already */
    DEFAULT_EPOCHS = 40,
    WARMUP_STEPS = 60,
    PROBE_STEPS = 10,
    SAVE_EVERY_EPOCHS = 4,
    INPUT_COUNT = REHA_MUSCLE_INPUT_PX * REHA_MUSCLE_INPUT_PX,
    TARGET_COUNT = REHA_INJURY_MAPS * REHA_MUSCLE_MAP_PX * REHA_MUSCLE_MAP_PX
};
static const float PEAK_RATE = 1.5e-3F;
static const float GO_ON_RATE = 8e-4F; /* from a network that knows ultrasound already */
static const float ENCODER_RATE_RATIO = 0.4F;
static const double HEAD_SD = 0.15;
static const double TUNE_SHARE = 1.15; /* time of a run with its calibration, against its steps */

typedef struct training {
    const reha_train_options *options;
    const reha_progress *progress;
    reha_load_function load;
    reha_injury_data data;
    reha_injury_scene *scenes; /* as many as data.count; those that cannot be used are empty */
    size_t *usable;            /* indices of the others */
    size_t usable_count, labelled_count;
    reha_graph *graph;
    reha_trainer *trainer;
    float *inputs, *targets; /* a batch of each */
    size_t *order;
    int batch;
    float peak_rate;
    bool goes_on;         /* from a network, not from a backbone */
    bool knows_simulated; /* that network had learnt injuries already */
    int epochs, epoch;
    double start_ms, steps_ms;
    size_t steps_done;
    reha_text log;
} training;

/* ---- data ---- */

static reha_status prepare_one(void *context, size_t index, size_t thread_idx, reha_error *err)
{
    training *run = context;
    reha_error fault = REHA_ERROR_INIT;
    (void)thread_idx;
    const reha_status status =
        reha_injury_scene_open(&run->data.items[index], run->load, true, &run->scenes[index], &fault);
    if (status == REHA_E_REFUSED) {
        return REHA_OK; /* nothing can be simulated in it: counted, and left out */
    }
    return status == REHA_OK ? REHA_OK : reha_fail(err, status, "%s", fault.text);
}

static reha_status prepare(training *run, reha_error *err)
{
    REHA_TRY(reha_injury_data_load(run->options->data_folder, "train", &run->data, err));
    run->scenes = reha_alloc_zero(run->data.count, sizeof *run->scenes);
    run->usable = reha_alloc_zero(run->data.count, sizeof *run->usable);
    run->order = reha_alloc_zero(run->data.count, sizeof *run->order);
    if (run->scenes == NULL || run->usable == NULL || run->order == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pictures", run->data.count);
    }
    REHA_TRY(reha_parallel_for(run->data.count, (size_t)run->options->threads, prepare_one, run, err));
    for (size_t i = 0; i < run->data.count; i++) {
        if (run->scenes[i].pixels != NULL) {
            run->usable[run->usable_count++] = i;
            run->labelled_count += run->scenes[i].is_labelled ? 1 : 0;
        }
    }
    return run->usable_count >= BATCH_MAX
               ? REHA_OK
               : reha_fail(err, REHA_E_ARG,
                           "%s: %zu of %zu training pictures can be used: at least %d are needed",
                           run->options->data_folder, run->usable_count, run->data.count, BATCH_MAX);
}

typedef struct batch_job {
    training *run;
    size_t first; /* position in the order */
} batch_job;

static reha_status fill_one(void *context, size_t index, size_t thread_idx, reha_error *err)
{
    const batch_job *job = context;
    training *run = job->run;
    const size_t position = job->first + index;
    const reha_injury_scene *scene = &run->scenes[run->usable[run->order[position]]];
    reha_injury_view view = {0};
    reha_random random =
        reha_recipe_random(run->options, run->epoch, REHA_STREAM_AUGMENT + (uint64_t)position);
    (void)thread_idx;
    const reha_lesion_spec spec = scene->is_labelled ? (reha_lesion_spec){.kind = REHA_LESION_NOTHING}
                                                     : reha_injury_drawn(scene, &random);
    const reha_status status = reha_injury_scene_view(scene, &spec, &view, err);
    if (status == REHA_OK) {
        reha_injury_augment(&view, &scene->frame, &random, run->inputs + index * INPUT_COUNT,
                            run->targets + index * TARGET_COUNT);
    }
    reha_injury_view_clear(&view);
    return status;
}

/* ---- files of a run ---- */

static reha_status save_state(training *run, reha_error *err)
{
    json_t *state = json_pack("{s:i, s:i, s:I, s:I, s:s}", "epoch", run->epoch, "epochs", run->epochs,
                              "seed", (json_int_t)run->options->seed,
                              "pictures", (json_int_t)run->usable_count,
                              "log", run->log.data != NULL ? run->log.data : "");
    return reha_recipe_take_checkpoint(run->options, run->trainer, state, err);
}

static reha_status load_state(training *run, reha_error *err)
{
    static const char *const keys[4] = {"epoch", "epochs", "seed", "pictures"};
    reha_status status = REHA_OK;
    char *path = NULL;
    char *state_path = NULL;
    json_t *state = NULL;
    double numbers[4];
    REHA_CHECK(reha_recipe_path(run->options, "checkpoint.bin", &path, err));
    REHA_CHECK(reha_recipe_path(run->options, "checkpoint.json", &state_path, err));
    REHA_CHECK(reha_json_load(state_path, &state, err));
    for (int i = 0; i < 4; i++) {
        REHA_CHECK(reha_json_need_number(state, keys[i], &numbers[i], err));
    }
    if ((uint64_t)numbers[2] != run->options->seed || (size_t)numbers[3] != run->usable_count) {
        status = reha_fail(
            err, REHA_E_CONFLICT,
            "%s: was started with seed %.0f on %.0f pictures; resume with the same, or take another --out",
            state_path, numbers[2], numbers[3]);
        goto done;
    }
    run->epoch = (int)numbers[0];
    run->epochs = run->options->epochs > 0 ? run->options->epochs : (int)numbers[1];
    reha_text_clear(&run->log);
    reha_text_add(&run->log, reha_json_string(state, "log", ""));
    REHA_CHECK(reha_trainer_load(run->trainer, path, err));
done:
    json_decref(state);
    reha_free(path);
    reha_free(state_path);
    return status;
}

/* ---- epochs ---- */

static size_t steps_per_epoch(const training *run)
{
    return run->usable_count / (size_t)run->batch;
}

static void tell(const training *run, size_t step, double loss)
{
    const reha_progress *progress = run->progress;
    char text[96];
    if (progress == NULL || progress->update == NULL) {
        return;
    }
    const double total = (double)run->epochs * (double)steps_per_epoch(run);
    const double done = (double)run->epoch * (double)steps_per_epoch(run) + (double)step;
    const double steps_per_ms = (double)run->steps_done / fmax(1e-3, run->steps_ms);
    (void)snprintf(text, sizeof text, "epoch %d/%d loss %.3f", run->epoch + 1, run->epochs, loss);
    progress->update(progress->context, done * run->batch, total * run->batch, "images",
                     1e3 * run->batch * steps_per_ms, 1e-3 * (total - done) / steps_per_ms, text);
}

static reha_status train_step(training *run, size_t step, double *loss, reha_error *err)
{
    const reha_progress *progress = run->progress;
    batch_job job = {run, step * (size_t)run->batch};
    const float *inputs[1] = {run->inputs};
    const float *targets[1] = {run->targets};
    if (reha_progress_is_stopped(progress)) {
        return reha_fail(err, REHA_E_CANCELLED,
                         "stopped in epoch %d; saved epochs are kept: go on with --resume", run->epoch + 1);
    }
    const double start_ms = reha_clock_ms();
    const long steps = (long)run->epochs * (long)steps_per_epoch(run);
    const long global = (long)run->epoch * (long)steps_per_epoch(run) + (long)step;
    const long warmup = steps / 4 < WARMUP_STEPS ? steps / 4 : WARMUP_STEPS;
    const float rate = reha_cosine_rate(run->peak_rate, global, warmup, steps);
    REHA_TRY(reha_parallel_for((size_t)run->batch, (size_t)run->options->threads, fill_one, &job, err));
    REHA_TRY(reha_trainer_step(run->trainer, inputs, targets, NULL, rate, loss, err));
    run->steps_ms += reha_clock_ms() - start_ms;
    run->steps_done++;
    return REHA_OK;
}

static reha_status finish_epoch(training *run, double loss, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *averaged = NULL;
    run->epoch++;
    reha_text_addf(&run->log, "%d,%.4f,%.1f\n", run->epoch, loss, 1e-3 * (reha_clock_ms() - run->start_ms));
    REHA_CHECK(reha_recipe_save_log(run->options, &run->log, err));
    if (run->epoch % SAVE_EVERY_EPOCHS == 0 || run->epoch == run->epochs) {
        REHA_CHECK(reha_graph_copy(run->graph, &averaged, err));
        REHA_CHECK(reha_trainer_read_params(run->trainer, averaged, true, err));
        REHA_CHECK(reha_recipe_save_network(run->options, averaged, REHA_INJURY_FILE, err));
        REHA_CHECK(save_state(run, err));
    }
done:
    reha_graph_free(averaged);
    return status;
}

/* Fits the number of epochs to the time that the user gives, by the speed of the first steps. */
static void plan_epochs(training *run)
{
    const double budget_ms = 60e3 * run->options->minutes_max - (reha_clock_ms() - run->start_ms);
    const double epoch_ms =
        TUNE_SHARE * run->steps_ms / (double)run->steps_done * (double)steps_per_epoch(run);
    const int fitting = (int)(budget_ms / epoch_ms);
    if (fitting < run->epochs) {
        run->epochs = fitting > 1 ? fitting : 1;
    }
}

static reha_status train_epochs(training *run, reha_error *err)
{
    bool is_planned = run->options->minutes_max <= 0.0 || run->epoch > 0;
    while (run->epoch < run->epochs) {
        double sum = 0.0;
        reha_recipe_order(run->options, run->epoch, run->order, run->usable_count);
        for (size_t step = 0; step < steps_per_epoch(run); step++) {
            double loss = 0.0;
            REHA_TRY(train_step(run, step, &loss, err));
            sum += loss;
            if (!is_planned && run->steps_done == PROBE_STEPS) {
                plan_epochs(run);
                is_planned = true;
            }
            tell(run, step + 1, sum / (double)(step + 1));
        }
        REHA_TRY(finish_epoch(run, sum / (double)steps_per_epoch(run), err));
    }
    return REHA_OK;
}

/* ---- start and end ---- */

/* The network that training goes on from: given as --backbone, or the installed one where there are labels
 * alone, which are few. NULL in *path: none. */
static reha_status choose_start(const training *run, char **path, reha_error *err)
{
    const bool is_labelled = run->labelled_count == run->usable_count;
    const char *folder = run->options->backbone_folder != NULL ? run->options->backbone_folder
                         : is_labelled                         ? run->options->base_folder
                                                               : NULL;
    *path = NULL;
    if (folder == NULL) {
        return REHA_OK;
    }
    *path = reha_path_join(folder, REHA_INJURY_FILE);
    if (*path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    if (!reha_path_is_file(*path)) {
        reha_free(*path); /* a folder of .npy weights */
        *path = NULL;
    }
    return REHA_OK;
}

static bool is_frozen(const char *node)
{
    char stem[32];
    bool is_early = strcmp(node, "conv0") == 0;
    for (int block = 0; block < FROZEN_BLOCKS; block++) {
        (void)snprintf(stem, sizeof stem, "linearbottleneck%d_", block);
        is_early = is_early || strncmp(node, stem, strlen(stem)) == 0;
    }
    return is_early;
}

/* The encoder learns slower, as in muscle_net.c, or not at all; the head of a network for other maps starts
 * anew. */
static void set_start(const training *run, reha_graph *graph, bool is_injury)
{
    reha_random random = reha_random_init(run->options->seed, 0x68656164);
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        const reha_node *node = reha_graph_node(graph, i);
        const bool is_encoder = strncmp(node->name, "linearbottleneck", 16) == 0;
        const bool is_new = !is_injury && strcmp(node->name, "head") == 0;
        for (int k = 0; k < node->param_count; k++) {
            reha_param *param = reha_graph_param_mutable(graph, node->params[k]);
            const size_t count = reha_shape_count(param->shape);
            param->is_trainable = param->is_trainable && !is_frozen(node->name);
            param->learning_rate_ratio = is_encoder ? ENCODER_RATE_RATIO : 1.0F;
            for (size_t w = 0; is_new && w < count; w++) {
                param->values[w] = k == 0 ? (float)(HEAD_SD * reha_random_normal(&random)) : 0.0F;
            }
        }
    }
}

static bool is_injury_network(const char *path)
{
    json_t *card = NULL;
    char *folder = reha_strndup(path, strlen(path) - sizeof REHA_INJURY_FILE);
    const bool is_injury = folder != NULL && reha_injury_card_load(folder, &card, NULL) == REHA_OK;
    json_decref(card);
    reha_free(folder);
    return is_injury;
}

static reha_status make_graph(training *run, reha_error *err)
{
    reha_status status = REHA_OK;
    char *path = NULL;
    REHA_CHECK(choose_start(run, &path, err));
    run->goes_on = path != NULL;
    run->peak_rate = run->goes_on ? GO_ON_RATE : PEAK_RATE;
    run->batch = run->goes_on ? BATCH_GOING_ON : BATCH_MAX;
    if (!run->goes_on) {
        status = reha_muscle_network_new(run->options->backbone_folder, run->options->seed, &run->graph, err);
        goto done;
    }
    REHA_CHECK(reha_onnx_load(path, NULL, &run->graph, err));
    REHA_CHECK(reha_injury_check_graph_(run->graph, path, err));
    run->knows_simulated = is_injury_network(path);
    set_start(run, run->graph, run->knows_simulated);
done:
    reha_free(path);
    return status;
}

static reha_status start(training *run, reha_error *err)
{
    REHA_TRY(prepare(run, err));
    REHA_TRY(reha_folder_make(run->options->out_folder, err));
    REHA_TRY(reha_injury_sheet_save(run->scenes, run->usable, run->usable_count, run->options->seed,
                                    run->options->out_folder, err));
    run->inputs = reha_alloc_zero((size_t)BATCH_MAX * INPUT_COUNT, sizeof *run->inputs);
    run->targets = reha_alloc_zero((size_t)BATCH_MAX * TARGET_COUNT, sizeof *run->targets);
    if (run->inputs == NULL || run->targets == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for training");
    }
    REHA_TRY(make_graph(run, err));
    reha_trainer_options how = reha_recipe_trainer(run->options, run->batch);
    how.weight_decay = 0.01F;
    how.clip_norm = 2.0F;
    how.ema_decay = 0.995F;
    how.loss_count = 1;
    how.losses[0] = (reha_loss){.kind = REHA_LOSS_BCE_DICE, .output = 0, .weight = 1.0F};
    return reha_trainer_new(run->graph, &how, &run->trainer, err);
}

static reha_status write_card(const training *run, reha_error *err)
{
    json_t *facts =
        json_pack("{s:s, s:i, s:i, s:I, s:i, s:i, s:i, s:i, s:f, s:b, s:s}", "command", run->options->command,
                  "epochs", run->epochs, "batch", run->batch, "seed", (json_int_t)run->options->seed,
                  "images", (int)run->usable_count, "labelled_images", (int)run->labelled_count,
                  "unusable_images", (int)(run->data.count - run->usable_count), "groups",
                  (int)run->data.group_count, "peak_rate", (double)run->peak_rate, "went_on_from_a_network",
                  run->goes_on ? 1 : 0, "software", "rehascope " REHA_VERSION);
    if (facts == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the card");
    }
    const bool has_simulated = run->labelled_count < run->usable_count || run->knows_simulated;
    const reha_status status =
        reha_injury_card_write(run->options->out_folder, facts, run->labelled_count > 0, has_simulated, err);
    json_decref(facts);
    return status;
}

static void clear(training *run)
{
    for (size_t i = 0; run->scenes != NULL && i < run->data.count; i++) {
        reha_injury_scene_clear(&run->scenes[i]);
    }
    reha_free(run->scenes);
    reha_free(run->usable);
    reha_free(run->order);
    reha_injury_data_clear(&run->data);
    reha_text_clear(&run->log);
    reha_trainer_free(run->trainer);
    reha_graph_free(run->graph);
    reha_free(run->inputs);
    reha_free(run->targets);
}

reha_status reha_injury_train(const reha_train_options *options, const reha_progress *progress,
                              reha_error *err)
{
    reha_status status = REHA_OK;
    training run = {.options = options,
                    .progress = progress,
                    .load = options->load != NULL ? options->load : reha_load_picture,
                    .epochs = options->epochs > 0 ? options->epochs : DEFAULT_EPOCHS,
                    .start_ms = reha_clock_ms()};
    if (options->data_folder == NULL || options->out_folder == NULL) {
        return reha_fail(err, REHA_E_ARG, "training needs a data folder and an output folder");
    }
    if (options->network != NULL) {
        return reha_fail(err, REHA_E_ARG, "no network '%.20s' for muscle-injury: it has only one",
                         options->network);
    }
    reha_text_add(&run.log, "epoch,loss,seconds\n");
    REHA_CHECK(start(&run, err));
    if (options->resume) {
        REHA_CHECK(load_state(&run, err));
    }
    REHA_CHECK(train_epochs(&run, err));
    REHA_CHECK(write_card(&run, err));
    REHA_CHECK(reha_injury_fit_after_training_(options, progress, err));
done:
    clear(&run);
    return status;
}
