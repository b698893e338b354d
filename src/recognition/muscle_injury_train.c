/* From a folder with index.csv to a network and its card. "train" teaches: labelled pictures as they are,
 * healthy ones with something new simulated in them each time they are shown. "tune" fits grades,
 * probabilities and the threshold afterwards. "val" is not looked at: the weights are those at the end of the
 * schedule. */
#include "recognition/muscle_injury_train.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/threads.h"
#include "nn/onnx.h"
#include "recognition/course.h"
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
    reha_load_function load;
    reha_injury_data data;
    reha_injury_scene *scenes; /* as many as data.count; those that cannot be used are empty */
    size_t *usable;            /* indices of the others */
    size_t usable_count, labelled_count;
    reha_graph *graph;
    size_t *order;
    int batch;
    float peak_rate;
    bool goes_on;         /* from a network, not from a backbone */
    bool knows_simulated; /* that network had learnt injuries already */
    reha_course course;
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

static void begin_epoch(void *context, int epoch)
{
    const training *run = context;
    reha_recipe_order(run->options, epoch, run->order, run->usable_count);
}

static reha_status fill(void *context, int epoch, size_t position, size_t place, reha_error *err)
{
    training *run = context;
    const reha_injury_scene *scene = &run->scenes[run->usable[run->order[position]]];
    reha_injury_view view = {0};
    reha_random random = reha_recipe_random(run->options, epoch, REHA_STREAM_AUGMENT + (uint64_t)position);
    const reha_lesion_spec spec = scene->is_labelled ? (reha_lesion_spec){.kind = REHA_LESION_NOTHING}
                                                     : reha_injury_drawn(scene, &random);
    const reha_status status = reha_injury_scene_view(scene, &spec, &view, err);
    if (status == REHA_OK) {
        reha_injury_augment(&view, &scene->frame, &random, run->course.inputs + place * INPUT_COUNT,
                            run->course.targets[0] + place * TARGET_COUNT);
    }
    reha_injury_view_clear(&view);
    return status;
}

/* ---- the end of an epoch ---- */

static reha_status end_epoch(void *context, reha_course *course, double mean_loss, reha_error *err)
{
    const training *run = context;
    reha_status status = REHA_OK;
    reha_graph *averaged = NULL;
    reha_text_addf(&course->log, "%d,%.4f,%.1f\n", course->epoch, mean_loss, reha_course_seconds(course));
    REHA_CHECK(reha_course_save_log(course, err));
    if (course->epoch % SAVE_EVERY_EPOCHS == 0 || course->epoch == course->epochs) {
        REHA_CHECK(reha_course_averaged(course, run->graph, &averaged, err));
        REHA_CHECK(reha_recipe_save_network(run->options, averaged, REHA_INJURY_FILE, err));
        REHA_CHECK(reha_course_save(course, err));
    }
done:
    reha_graph_free(averaged);
    return status;
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
    REHA_TRY(
        reha_course_make_room(&run->course, BATCH_MAX, INPUT_COUNT, (const size_t[]){TARGET_COUNT}, 1, err));
    REHA_TRY(make_graph(run, err));
    reha_trainer_options how = reha_recipe_trainer(run->options, run->batch);
    how.weight_decay = 0.01F;
    how.clip_norm = 2.0F;
    how.ema_decay = 0.995F;
    how.loss_count = 1;
    how.losses[0] = (reha_loss){.kind = REHA_LOSS_BCE_DICE, .output = 0, .weight = 1.0F};
    run->course.recipe = (reha_course_recipe){.batch = run->batch,
                                              .steps_per_epoch = run->usable_count / (size_t)run->batch,
                                              .picture_count = run->usable_count,
                                              .peak_rate = run->peak_rate,
                                              .warmup_steps = WARMUP_STEPS,
                                              .probe_steps = PROBE_STEPS,
                                              .rest_share = TUNE_SHARE,
                                              .kept = "saved epochs are kept",
                                              .inputs = {run->course.inputs},
                                              .targets = {run->course.targets[0]},
                                              .context = run,
                                              .begin = begin_epoch,
                                              .fill = fill,
                                              .end = end_epoch};
    return reha_trainer_new(run->graph, &how, &run->course.trainer, err);
}

static reha_status write_card(const training *run, reha_error *err)
{
    json_t *facts =
        json_pack("{s:s, s:i, s:i, s:I, s:i, s:i, s:i, s:i, s:f, s:b, s:s}", "command", run->options->command,
                  "epochs", run->course.epochs, "batch", run->batch, "seed", (json_int_t)run->options->seed,
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
    reha_course_clear(&run->course);
    reha_graph_free(run->graph);
}

reha_status reha_injury_train(const reha_train_options *options, const reha_progress *progress,
                              reha_error *err)
{
    reha_status status = REHA_OK;
    training run = {.options = options, .load = options->load != NULL ? options->load : reha_load_picture};
    if (options->network != NULL) {
        return reha_fail(err, REHA_E_ARG, "no network '%.20s' for muscle-injury: it has only one",
                         options->network);
    }
    REHA_CHECK(
        reha_course_start(options, progress, DEFAULT_EPOCHS, "epoch,loss,seconds\n", &run.course, err));
    REHA_CHECK(start(&run, err));
    REHA_CHECK(reha_course_resume(&run.course, err));
    REHA_CHECK(reha_course_run(&run.course, err));
    REHA_CHECK(write_card(&run, err));
    REHA_CHECK(reha_injury_fit_after_training_(options, progress, err));
done:
    clear(&run);
    return status;
}
