/* `train muscle-us`: from a folder with index.csv to a network and its card. The groups of split "train"
 * teach; those of "val" are looked at after every epoch for the log, but choose nothing: the weights kept are
 * the average at the end of the schedule, so that the figures on "val" stay honest. It starts from the
 * weights of a picture network, or goes on from a muscle-us model. */
#include "recognition/muscle_train.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/threads.h"
#include "recognition/course.h"
#include "recognition/muscle_augment.h"
#include "recognition/muscle_card.h"
#include "recognition/muscle_data.h"
#include "recognition/recipe.h"
#include "recognition/sampling.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    BATCH = 8,
    DEFAULT_EPOCHS = 40,
    WARMUP_STEPS = 60,
    PROBE_STEPS = 10,
    SAVE_EVERY_EPOCHS = 4,
    STORE_COUNT = REHA_MUSCLE_STORE_PX * REHA_MUSCLE_STORE_PX,
    INPUT_COUNT = REHA_MUSCLE_INPUT_PX * REHA_MUSCLE_INPUT_PX,
    MAP_COUNT = REHA_MUSCLE_MAP_PX * REHA_MUSCLE_MAP_PX,
    TARGET_COUNT = REHA_MUSCLE_MAPS * MAP_COUNT
};
static const float PEAK_RATE = 1.5e-3F;
static const float GO_ON_RATE = 4e-4F;      /* from a network that knows these muscles already */
static const double EVALUATION_SHARE = 1.1; /* time of an epoch with its evaluation, against its steps */

typedef struct store { /* the pictures of one split, in memory */
    reha_muscle_data data;
    uint8_t *pixels; /* grey and mask of each */
    double *aspects;
} store;

typedef struct training {
    const reha_train_options *options;
    store train, val;
    reha_graph *graph;
    size_t *order;
    reha_muscle_looks looks;
    bool goes_on; /* from a model, not from a backbone */
    double val_dice[REHA_MUSCLE_MAPS];
    reha_course course;
} training;

/* ---- data ---- */

typedef struct preparation {
    store *into;
    reha_load_function load;
} preparation;

static reha_status sample_bytes(const reha_gray *image, reha_box_px box, reha_tone tone, float *work,
                                uint8_t *out, reha_error *err)
{
    REHA_TRY(reha_sample_rect(image, box, REHA_BORDER_ZERO, tone, REHA_MUSCLE_STORE_PX, REHA_MUSCLE_STORE_PX,
                              work, err));
    for (int i = 0; i < STORE_COUNT; i++) {
        out[i] = (uint8_t)(work[i] * 255.0F + 0.5F);
    }
    return REHA_OK;
}

static reha_status prepare_one(void *context, size_t index, size_t thread_idx, reha_error *err)
{
    const preparation *job = context;
    const reha_muscle_item *item = &job->into->data.items[index];
    uint8_t *pixels = job->into->pixels + index * 2 * STORE_COUNT;
    reha_status status = REHA_OK;
    reha_gray *image = NULL;
    reha_gray *mask = NULL;
    reha_muscle_frame frame;
    (void)thread_idx;
    float *work = reha_alloc(STORE_COUNT * sizeof *work);
    if (work == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a picture");
    }
    REHA_CHECK(reha_muscle_item_open(item, job->load, &image, &mask, err));
    REHA_CHECK(reha_muscle_frame_find(image, &frame, err));
    const double side = 1.0 + 2.0 * REHA_MUSCLE_STORE_MARGIN;
    const reha_box_px wide = {frame.box.x_px - REHA_MUSCLE_STORE_MARGIN * frame.box.width_px,
                              frame.box.y_px - REHA_MUSCLE_STORE_MARGIN * frame.box.height_px,
                              side * frame.box.width_px, side * frame.box.height_px};
    job->into->aspects[index] = frame.box.width_px / frame.box.height_px;
    float most = 0.0F;
    for (size_t i = 0; i < (size_t)mask->width_px * mask->height_px; i++) {
        most = fmaxf(most, mask->pixels[i]);
    }
    const reha_tone tone = {frame.low, frame.high};
    const reha_tone mask_tone = {0.0, most > 0.0F ? (double)most : 1.0};
    REHA_CHECK(sample_bytes(image, wide, tone, work, pixels, err));
    REHA_CHECK(sample_bytes(mask, wide, mask_tone, work, pixels + STORE_COUNT, err));
done:
    reha_gray_free(image);
    reha_gray_free(mask);
    reha_free(work);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", item->image);
    }
    return status;
}

static reha_status prepare(const training *run, const char *split, store *out, reha_error *err)
{
    size_t bytes = 0;
    const reha_load_function load = run->options->load != NULL ? run->options->load : reha_load_picture;
    REHA_TRY(reha_muscle_data_load(run->options->data_folder, split, &out->data, err));
    if (reha_mul_size(out->data.count, (size_t)2 * STORE_COUNT, &bytes)) {
        out->pixels = reha_alloc(bytes);
    }
    out->aspects = reha_alloc_zero(out->data.count, sizeof *out->aspects);
    if (out->pixels == NULL || out->aspects == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pictures", out->data.count);
    }
    preparation job = {out, load};
    return reha_parallel_for(out->data.count, (size_t)run->options->threads, prepare_one, &job, err);
}

static void store_clear(store *part)
{
    reha_muscle_data_clear(&part->data);
    reha_free(part->pixels);
    reha_free(part->aspects);
}

static reha_muscle_stored stored_at(const store *part, size_t index)
{
    const uint8_t *pixels = part->pixels + index * 2 * STORE_COUNT;
    return (reha_muscle_stored){pixels, pixels + STORE_COUNT, part->aspects[index],
                                part->data.items[index].structure};
}

static void begin_epoch(void *context, int epoch)
{
    const training *run = context;
    reha_recipe_order(run->options, epoch, run->order, run->train.data.count);
}

static reha_status fill(void *context, int epoch, size_t position, size_t place, reha_error *err)
{
    training *run = context;
    const reha_muscle_stored stored = stored_at(&run->train, run->order[position]);
    reha_random random = reha_recipe_random(run->options, epoch, REHA_STREAM_AUGMENT + (uint64_t)position);
    return reha_muscle_augment(&stored, &run->looks, &random, run->course.inputs + place * INPUT_COUNT,
                               run->course.targets[0] + place * TARGET_COUNT, err);
}

/* ---- evaluation on `val` ---- */

static double dice_of(const float *logits, const float *target)
{
    double both = 0.0;
    double sum = 0.0;
    for (int i = 0; i < MAP_COUNT; i++) {
        const double p = logits[i] > 0.0F ? 1.0 : 0.0;
        const double t = target[i] > 0.5F ? 1.0 : 0.0;
        both += p * t;
        sum += p + t;
    }
    return sum > 0.0 ? 2.0 * both / sum : 1.0;
}

static reha_status validate(training *run, const reha_graph *graph, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_session *session = NULL;
    double sums[REHA_MUSCLE_MAPS] = {0};
    int counts[REHA_MUSCLE_MAPS] = {0};
    float *logits = reha_alloc(TARGET_COUNT * sizeof *logits);
    if (logits == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the maps");
    }
    reha_session_options how = reha_session_options_default();
    how.threads = run->options->threads;
    how.precision = run->options->force_f32 ? REHA_F32 : REHA_BF16;
    REHA_CHECK(reha_session_new(graph, &how, &session, err));
    for (size_t i = 0; i < run->val.data.count; i++) {
        const reha_muscle_stored stored = stored_at(&run->val, i);
        const float *in[1] = {run->course.inputs};
        float *out[1] = {logits};
        REHA_CHECK(reha_muscle_augment(&stored, NULL, NULL, run->course.inputs, run->course.targets[0], err));
        REHA_CHECK(reha_session_run(session, 1, in, out, err));
        const size_t map = (size_t)stored.structure * MAP_COUNT;
        sums[stored.structure] += dice_of(logits + map, run->course.targets[0] + map);
        counts[stored.structure]++;
    }
    for (int m = 0; m < REHA_MUSCLE_MAPS; m++) {
        run->val_dice[m] = counts[m] > 0 ? sums[m] / counts[m] : (double)NAN;
    }
done:
    reha_session_free(session);
    reha_free(logits);
    return status;
}

/* ---- the end of an epoch ---- */

static void describe(const void *context, char *out, size_t bytes)
{
    const training *run = context;
    (void)snprintf(out, bytes, "dice %.3f", run->val_dice[REHA_MUSCLE_APONEUROSIS]);
}

static reha_status end_epoch(void *context, reha_course *course, double mean_loss, reha_error *err)
{
    training *run = context;
    reha_status status = REHA_OK;
    reha_graph *averaged = NULL;
    REHA_CHECK(reha_course_averaged(course, run->graph, &averaged, err));
    REHA_CHECK(validate(run, averaged, err));
    reha_text_addf(&course->log, "%d,%.4f,%.4f,%.4f,%.1f\n", course->epoch, mean_loss,
                   run->val_dice[REHA_MUSCLE_APONEUROSIS], run->val_dice[REHA_MUSCLE_FASCICLE],
                   reha_course_seconds(course));
    REHA_CHECK(reha_course_save_log(course, err));
    if (course->epoch % SAVE_EVERY_EPOCHS == 0 || course->epoch == course->epochs) {
        REHA_CHECK(reha_recipe_save_network(run->options, averaged, "model.onnx", err));
        REHA_CHECK(reha_course_save(course, err));
    }
done:
    reha_graph_free(averaged);
    return status;
}

/* ---- start and end ---- */

/* --backbone: a folder of .npy weights, or that of a muscle-us model to go on from. */
static reha_status make_graph(training *run, reha_error *err)
{
    const char *folder = run->options->backbone_folder;
    reha_status status = REHA_OK;
    json_t *card = NULL;
    char *path = folder != NULL ? reha_path_join(folder, "model.onnx") : NULL;
    if (folder != NULL && path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    run->goes_on = path != NULL && reha_path_is_file(path);
    if (run->goes_on) {
        REHA_CHECK(reha_muscle_card_load(folder, &card, err));
        REHA_CHECK(reha_muscle_network_go_on(path, &run->graph, err));
    } else {
        REHA_CHECK(reha_muscle_network_new(folder, run->options->seed, &run->graph, err));
    }
done:
    json_decref(card);
    reha_free(path);
    return status;
}

static reha_status start(training *run, reha_error *err)
{
    REHA_TRY(reha_folder_make(run->options->out_folder, err));
    REHA_TRY(prepare(run, "train", &run->train, err));
    REHA_TRY(prepare(run, "val", &run->val, err));
    if (run->train.data.count < BATCH) {
        return reha_fail(err, REHA_E_ARG, "%zu training images: at least %d are needed",
                         run->train.data.count, BATCH);
    }
    REHA_TRY(reha_course_make_room(&run->course, BATCH, INPUT_COUNT, (const size_t[]){TARGET_COUNT}, 1, err));
    run->order = reha_alloc_zero(run->train.data.count, sizeof *run->order);
    if (run->order == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for training");
    }
    REHA_TRY(make_graph(run, err));
    reha_trainer_options how = reha_recipe_trainer(run->options, BATCH);
    how.weight_decay = 0.01F;
    how.clip_norm = 2.0F;
    how.ema_decay = 0.995F;
    how.loss_count = 1;
    how.losses[0] = (reha_loss){.kind = REHA_LOSS_BCE_DICE, .output = 0, .weight = 1.0F};
    run->course.recipe = (reha_course_recipe){.batch = BATCH,
                                              .steps_per_epoch = run->train.data.count / BATCH,
                                              .picture_count = run->train.data.count,
                                              .peak_rate = run->goes_on ? GO_ON_RATE : PEAK_RATE,
                                              .warmup_steps = WARMUP_STEPS,
                                              .probe_steps = PROBE_STEPS,
                                              .rest_share = EVALUATION_SHARE,
                                              .kept = "saved epochs are kept",
                                              .inputs = {run->course.inputs},
                                              .targets = {run->course.targets[0]},
                                              .context = run,
                                              .begin = begin_epoch,
                                              .fill = fill,
                                              .end = end_epoch,
                                              .describe = describe};
    return reha_trainer_new(run->graph, &how, &run->course.trainer, err);
}

static reha_status write_card(const training *run, reha_error *err)
{
    json_t *facts =
        json_pack("{s:s, s:i, s:i, s:I, s:i, s:i, s:i, s:i, s:f, s:s}", "command", run->options->command,
                  "epochs", run->course.epochs, "batch", BATCH, "seed", (json_int_t)run->options->seed,
                  "train_masks", (int)run->train.data.count, "train_groups", (int)run->train.data.group_count,
                  "val_masks", (int)run->val.data.count, "val_groups", (int)run->val.data.group_count,
                  "peak_rate", (double)run->course.recipe.peak_rate, "software", "rehascope " REHA_VERSION);
    if (facts == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the card");
    }
    const reha_status status =
        reha_muscle_card_write(run->options->base_folder, run->options->out_folder, facts, err);
    json_decref(facts);
    return status;
}

reha_status reha_muscle_train(const reha_train_options *options, const reha_progress *progress,
                              reha_error *err)
{
    reha_status status = REHA_OK;
    training run = {.options = options, .looks = reha_muscle_looks_default()};
    REHA_CHECK(reha_course_start(options, progress, DEFAULT_EPOCHS,
                                 "epoch,loss,val_dice_aponeurosis,val_dice_fascicle,seconds\n", &run.course,
                                 err));
    REHA_CHECK(start(&run, err));
    REHA_CHECK(reha_course_resume(&run.course, err));
    REHA_CHECK(reha_course_run(&run.course, err));
    REHA_CHECK(write_card(&run, err));
done:
    reha_course_clear(&run.course);
    reha_graph_free(run.graph);
    reha_free(run.order);
    store_clear(&run.train);
    store_clear(&run.val);
    return status;
}
