/* `train gate`: from a folder with scenes.csv to the gate's network and card. Split "train" teaches, with
 * drawn pictures of the kinds that have few real ones; "cal" sets the limits of the card; "val" is measured
 * once, at the end. Every batch has each kind in a fixed share; the weights kept are the average at the end
 * of the schedule. */
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/threads.h"
#include "nn/onnx.h"
#include "nn/trainer.h"
#include "recognition/recipe.h"
#include "recognition/scene_augment.h"
#include "recognition/scene_priv.h"

#include <stdio.h>
#include <string.h>

enum {
    BATCH = 32,
    DEFAULT_EPOCHS = 32,
    STEPS_PER_EPOCH = 50,
    WARMUP_STEPS = 60,
    PROBE_STEPS = 10,
    BOOTSTRAP_ROUNDS = 1000,
    HEADS = 4,
    CAL_SEED = 7,
    VAL_SEED = 11
};
static const float PEAK_RATE = 1.0e-3F;

/* Share of a batch, and drawn pictures to train with (a third as many again for limits and measurement each).
 */
static const struct {
    double share;
    size_t drawn;
} plan[REHA_SCENE_KINDS] = {
    [REHA_SCENE_KNEE] = {0.20, 18},  [REHA_SCENE_LIMB] = {0.21, 0},    [REHA_SCENE_MUSCLE] = {0.18, 30},
    [REHA_SCENE_ECHO] = {0.08, 150}, [REHA_SCENE_SLICE] = {0.07, 120}, [REHA_SCENE_PHOTO] = {0.12, 120},
    [REHA_SCENE_PAGE] = {0.08, 150}, [REHA_SCENE_BLANK] = {0.06, 90},
};

static const reha_loss losses[HEADS] = {
    {.kind = REHA_LOSS_CROSS_ENTROPY, .output = REHA_SCENE_OUT_KIND, .weight = 1.0F, .label_smoothing = 0.0F},
    {.kind = REHA_LOSS_CROSS_ENTROPY, .output = REHA_SCENE_OUT_TURN, .weight = 0.6F},
    {.kind = REHA_LOSS_CROSS_ENTROPY, .output = REHA_SCENE_OUT_TONE, .weight = 0.5F},
    {.kind = REHA_LOSS_CROSS_ENTROPY, .output = REHA_SCENE_OUT_FLAW, .weight = 0.6F},
};

typedef struct training {
    const reha_train_options *options;
    const reha_progress *progress;
    reha_scene_data train, cal, val;
    size_t *by_kind[REHA_SCENE_KINDS];     /* items of a kind, each as often as it repeats */
    size_t ticket_count[REHA_SCENE_KINDS]; /* of by_kind */
    size_t kind_count[REHA_SCENE_KINDS];   /* of items */
    reha_graph *graph;
    reha_trainer *trainer;
    float *inputs, *targets[HEADS];
    int epochs, epoch;
    double start_ms, steps_ms;
    long steps_done;
    reha_text log;
} training;

/* ---- data ---- */

static reha_status draw_all(reha_scene_data *data, size_t divisor, uint64_t seed, reha_error *err)
{
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        if (plan[k].drawn > 0) {
            REHA_TRY(reha_scene_data_draw(data, (reha_scene_kind)k, plan[k].drawn / divisor, seed, err));
        }
    }
    return REHA_OK;
}

static reha_status load_all(training *run, reha_error *err)
{
    const reha_train_options *how = run->options;
    const uint64_t seed = how->seed;
    REHA_TRY(reha_scene_data_load(how->data_folder, "train", how->load, how->threads, &run->train, err));
    REHA_TRY(reha_scene_data_load(how->data_folder, "cal", how->load, how->threads, &run->cal, err));
    REHA_TRY(reha_scene_data_load(how->data_folder, "val", how->load, how->threads, &run->val, err));
    REHA_TRY(draw_all(&run->train, 1, seed, err));
    REHA_TRY(draw_all(&run->cal, 3, seed + CAL_SEED, err));
    return draw_all(&run->val, 3, seed + VAL_SEED, err);
}

static reha_status sort_by_kind(training *run, reha_error *err)
{
    for (size_t i = 0; i < run->train.count; i++) {
        run->kind_count[run->train.items[i].kind]++;
        run->ticket_count[run->train.items[i].kind] += run->train.items[i].repeat;
    }
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        if (run->kind_count[k] == 0) {
            return reha_fail(err, REHA_E_ARG, "no training picture of kind '%s': one of each is needed",
                             reha_scene_name((reha_scene_kind)k));
        }
        run->by_kind[k] = reha_alloc(run->ticket_count[k] * sizeof *run->by_kind[k]);
        if (run->by_kind[k] == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for the order of pictures");
        }
        size_t ticket = 0;
        for (size_t i = 0; i < run->train.count; i++) {
            for (size_t r = 0;
                 run->train.items[i].kind == (reha_scene_kind)k && r < run->train.items[i].repeat; r++) {
                run->by_kind[k][ticket++] = i;
            }
        }
    }
    return REHA_OK;
}

/* ---- one batch ---- */

static reha_scene_kind draw_kind(reha_random *random)
{
    double left = reha_random_unit(random);
    int k = 0;
    while (k + 1 < REHA_SCENE_KINDS && left >= plan[k].share) {
        left -= plan[k].share;
        k++;
    }
    return (reha_scene_kind)k;
}

typedef struct batch_job {
    training *run;
    size_t first;
} batch_job;

static reha_status fill_one(void *context, size_t index, size_t thread_idx, reha_error *err)
{
    const batch_job *job = context;
    training *run = job->run;
    reha_gray *image = NULL;
    reha_scene_truth truth;
    (void)thread_idx;
    reha_random random =
        reha_recipe_random(run->options, run->epoch, REHA_STREAM_AUGMENT + (uint64_t)(job->first + index));
    const reha_scene_kind kind = draw_kind(&random);
    const size_t which = run->by_kind[kind][reha_random_below(&random, (uint32_t)run->ticket_count[kind])];
    REHA_TRY(reha_scene_vary(&run->train.items[which], false, &random, &image, &truth, err));
    const reha_status status = reha_scene_view(image, false, run->inputs + index * REHA_SCENE_INPUT, err);
    reha_gray_free(image);
    memcpy(run->targets[0] + index * REHA_SCENE_KINDS, truth.kinds, sizeof truth.kinds);
    memcpy(run->targets[1] + index * REHA_SCENE_TURNS, truth.turns, sizeof truth.turns);
    memcpy(run->targets[2] + index * 2, truth.tones, sizeof truth.tones);
    memcpy(run->targets[3] + index * REHA_SCENE_FLAWS, truth.flaws, sizeof truth.flaws);
    return status;
}

static void tell(const training *run, int step, double loss)
{
    char text[80];
    const reha_progress *progress = run->progress;
    if (progress == NULL || progress->update == NULL) {
        return;
    }
    const double done = run->epoch * (double)STEPS_PER_EPOCH + step;
    const double total = run->epochs * (double)STEPS_PER_EPOCH;
    const double per_ms = (double)run->steps_done / run->steps_ms;
    (void)snprintf(text, sizeof text, "epoch %d/%d loss %.3f", run->epoch + 1, run->epochs, loss);
    progress->update(progress->context, done * BATCH, total * BATCH, "images", 1e3 * BATCH * per_ms,
                     1e-3 * (total - done) / per_ms, text);
}

static reha_status train_step(training *run, int step, double *loss, reha_error *err)
{
    const reha_progress *progress = run->progress;
    batch_job job = {run, (size_t)step * BATCH};
    const float *inputs[1] = {run->inputs};
    const float *targets[HEADS] = {run->targets[0], run->targets[1], run->targets[2], run->targets[3]};
    if (reha_progress_is_stopped(progress)) {
        return reha_fail(err, REHA_E_CANCELLED,
                         "stopped in epoch %d; saved epochs are kept: go on with --resume", run->epoch + 1);
    }
    const double start_ms = reha_clock_ms();
    const long steps = (long)run->epochs * STEPS_PER_EPOCH;
    const long global = (long)run->epoch * STEPS_PER_EPOCH + step;
    const long warmup = steps / 4 < WARMUP_STEPS ? steps / 4 : WARMUP_STEPS;
    REHA_TRY(reha_parallel_for(BATCH, (size_t)run->options->threads, fill_one, &job, err));
    REHA_TRY(reha_trainer_step(run->trainer, inputs, targets, NULL,
                               reha_cosine_rate(PEAK_RATE, global, warmup, steps), loss, err));
    run->steps_ms += reha_clock_ms() - start_ms;
    run->steps_done++;
    return REHA_OK;
}

/* ---- files of a run ---- */

static reha_status save_state(training *run, reha_error *err)
{
    json_t *state = json_pack("{s:i, s:i, s:I, s:s}", "epoch", run->epoch, "epochs", run->epochs,
                              "seed", (json_int_t)run->options->seed,
                              "log", run->log.data != NULL ? run->log.data : "");
    REHA_TRY(reha_recipe_take_checkpoint(run->options, run->trainer, state, err));
    return reha_recipe_save_log(run->options, &run->log, err);
}

static reha_status load_state(training *run, reha_error *err)
{
    reha_status status = REHA_OK;
    char *path = NULL;
    char *state_path = NULL;
    json_t *state = NULL;
    double numbers[3];
    static const char *const keys[3] = {"epoch", "epochs", "seed"};
    REHA_CHECK(reha_recipe_path(run->options, "checkpoint.bin", &path, err));
    REHA_CHECK(reha_recipe_path(run->options, "checkpoint.json", &state_path, err));
    REHA_CHECK(reha_json_load(state_path, &state, err));
    for (int i = 0; i < 3; i++) {
        REHA_CHECK(reha_json_need_number(state, keys[i], &numbers[i], err));
    }
    if ((uint64_t)numbers[2] != run->options->seed) {
        status = reha_fail(err, REHA_E_CONFLICT, "%s: was started with seed %.0f; resume with the same",
                           state_path, numbers[2]);
        goto done;
    }
    REHA_CHECK(reha_trainer_load(run->trainer, path, err));
    run->epoch = (int)numbers[0];
    run->epochs = run->options->epochs > (int)numbers[1] ? run->options->epochs : (int)numbers[1];
    reha_text_clear(&run->log);
    reha_text_add(&run->log, reha_json_string(state, "log", ""));
done:
    json_decref(state);
    reha_free(path);
    reha_free(state_path);
    return status;
}

/* ---- the loop ---- */

/* Fits the number of epochs to the time that the user gives, by the speed of the first steps. */
static void plan_epochs(training *run)
{
    const double budget_ms = 60e3 * run->options->minutes_max - (reha_clock_ms() - run->start_ms);
    const int fitting = (int)(budget_ms / (1.1 * run->steps_ms / (double)run->steps_done * STEPS_PER_EPOCH));
    if (fitting < run->epochs) {
        run->epochs = fitting > 1 ? fitting : 1;
    }
}

static reha_status train_epochs(training *run, reha_error *err)
{
    bool is_planned = run->options->minutes_max <= 0.0 || run->epoch > 0;
    while (run->epoch < run->epochs) {
        double sum = 0.0;
        for (int step = 0; step < STEPS_PER_EPOCH; step++) {
            double loss = 0.0;
            REHA_TRY(train_step(run, step, &loss, err));
            sum += loss;
            if (!is_planned && run->steps_done == PROBE_STEPS) {
                plan_epochs(run);
                is_planned = true;
            }
            tell(run, step + 1, sum / (step + 1));
        }
        run->epoch++;
        reha_text_addf(&run->log, "%d,%.4f,%.1f\n", run->epoch, sum / STEPS_PER_EPOCH,
                       1e-3 * (reha_clock_ms() - run->start_ms));
        REHA_TRY(save_state(run, err));
    }
    return REHA_OK;
}

/* ---- start and end ---- */

static reha_status start(training *run, reha_error *err)
{
    static const int sizes[HEADS] = {REHA_SCENE_KINDS, REHA_SCENE_TURNS, 2, REHA_SCENE_FLAWS};
    REHA_TRY(reha_folder_make(run->options->out_folder, err));
    REHA_TRY(load_all(run, err));
    REHA_TRY(sort_by_kind(run, err));
    run->inputs = reha_alloc_zero((size_t)BATCH * REHA_SCENE_INPUT, sizeof *run->inputs);
    bool has_room = run->inputs != NULL;
    for (int i = 0; i < HEADS; i++) {
        run->targets[i] = reha_alloc_zero((size_t)BATCH * (size_t)sizes[i], sizeof *run->targets[i]);
        has_room = has_room && run->targets[i] != NULL;
    }
    if (!has_room) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for training");
    }
    REHA_TRY(reha_scene_network_new(run->options->backbone_folder, run->options->seed, &run->graph, err));
    reha_trainer_options how = reha_recipe_trainer(run->options, BATCH);
    how.weight_decay = 0.02F;
    how.clip_norm = 2.0F;
    how.ema_decay = 0.99F;
    how.loss_count = HEADS;
    memcpy(how.losses, losses, sizeof losses);
    return reha_trainer_new(run->graph, &how, &run->trainer, err);
}

static json_t *facts_of(const training *run)
{
    json_t *kinds = json_object();
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        (void)json_object_set_new(kinds, reha_scene_name((reha_scene_kind)k),
                                  json_pack("{s:i, s:i}", "real", (int)(run->kind_count[k] - plan[k].drawn),
                                            "drawn", (int)plan[k].drawn));
    }
    return json_pack("{s:s, s:i, s:i, s:i, s:I, s:f, s:o, s:i, s:i, s:i, s:f, s:s}", "command",
                     run->options->command, "epochs", run->epochs, "steps_per_epoch", STEPS_PER_EPOCH,
                     "batch", BATCH, "seed", (json_int_t)run->options->seed, "peak_rate", (double)PEAK_RATE,
                     "train_pictures", kinds, "cal_pictures", (int)run->cal.count, "val_pictures",
                     (int)run->val.count, "optional_pictures_left_out",
                     (int)(run->train.left_out + run->cal.left_out + run->val.left_out), "seconds",
                     1e-3 * (reha_clock_ms() - run->start_ms), "software", "rehascope " REHA_VERSION);
}

/* The averaged network as a file, its features and limits, what `val` shows, the card. */
static reha_status finish(training *run, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *folded = NULL;
    char *path = NULL;
    scene_eye eye = {0};
    json_t *features = NULL;
    json_t *limits = NULL;
    json_t *metrics = NULL;
    json_t *facts = facts_of(run);
    reha_scene_card *card = reha_alloc_zero(1, sizeof *card);
    if (card == NULL || facts == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the card");
        goto done;
    }
    REHA_CHECK(reha_trainer_read_params(run->trainer, run->graph, true, err));
    REHA_CHECK(reha_recipe_save_network(run->options, run->graph, "model.onnx", err));
    REHA_CHECK(reha_recipe_path(run->options, "model.onnx", &path, err));
    REHA_CHECK(reha_onnx_load(path, NULL, &folded, err)); /* limits of the weights as they are stored */
    REHA_CHECK(scene_eye_init(&eye, folded, run->options->threads, err));
    REHA_CHECK(scene_fit(&eye, &run->train, &run->cal, run->options->seed, card, err));
    REHA_CHECK(scene_measure(&eye, card, &run->val, BOOTSTRAP_ROUNDS, 1, &metrics, err));
    REHA_CHECK(reha_scene_card_numbers(card, &features, &limits, err));
    REHA_CHECK(reha_scene_card_write(run->options->base_folder, run->options->out_folder, facts, features,
                                     limits, metrics, err));
done:
    json_decref(facts);
    json_decref(features);
    json_decref(limits);
    json_decref(metrics);
    scene_eye_clear(&eye);
    reha_graph_free(folded);
    reha_free(path);
    reha_free(card);
    return status;
}

reha_status scene_train(const reha_train_options *options, const reha_progress *progress, reha_error *err)
{
    reha_status status = REHA_OK;
    training run = {.options = options,
                    .progress = progress,
                    .epochs = options->epochs > 0 ? options->epochs : DEFAULT_EPOCHS,
                    .start_ms = reha_clock_ms()};
    if (options->data_folder == NULL || options->out_folder == NULL) {
        return reha_fail(err, REHA_E_ARG, "training needs a data folder and an output folder");
    }
    reha_text_add(&run.log, "epoch,loss,seconds\n");
    REHA_CHECK(start(&run, err));
    if (options->resume) {
        REHA_CHECK(load_state(&run, err));
    }
    REHA_CHECK(train_epochs(&run, err));
    REHA_CHECK(finish(&run, err));
done:
    reha_text_clear(&run.log);
    reha_trainer_free(run.trainer);
    reha_graph_free(run.graph);
    reha_free(run.inputs);
    for (int i = 0; i < HEADS; i++) {
        reha_free(run.targets[i]);
    }
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        reha_free(run.by_kind[k]);
    }
    reha_scene_data_clear(&run.train);
    reha_scene_data_clear(&run.cal);
    reha_scene_data_clear(&run.val);
    return status;
}
