/* `train knee-oa`: the whole recipe of the grading network, from a labelled folder to a calibrated model
 * with its card. The split `train` teaches, the split `val` chooses the epoch and calibrates; no other
 * split is read.
 *
 * The ImageNet trunk (knee_network.h) is fine-tuned with its early weights frozen: bf16 where the CPU has it,
 * AdamW, cosine rate with warm-up, average of the weights, soft labels: the neighbours of a grade get a
 * share, since readers disagree by one grade far more often than by two; and a miss by two costs more than
 * two misses by one. */
#include "recognition/knee_oa.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/threads.h"
#include "nn/onnx.h"
#include "nn/session.h"
#include "recognition/course.h"
#include "recognition/dataset.h"
#include "recognition/knee_augment.h"
#include "recognition/knee_card.h"
#include "recognition/knee_network.h"
#include "recognition/knee_teacher.h"
#include "recognition/metrics.h"
#include "recognition/recipe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    GRADES = REHA_GRADES,
    BATCH = 32,
    EVALUATION_BATCH = 8,
    DEFAULT_EPOCHS = 14,
    WARMUP_STEPS = 120,
    DISEASE_GRADE = 2,
    MINUTES_PROBE_STEPS = 12
};
static const float PEAK_RATES[] = {3e-4F, 1e-3F}; /* by trunk: the small one takes larger steps */
static const float LEAST_RATE_SHARE = 0.02F;
static const float WEIGHT_DECAY = 0.05F;
static const float RANK_LOSS_WEIGHT = 0.3F; /* squared error of the expected grade, beside cross-entropy */
static const double LABEL_SD_GRADES = 0.5;  /* of the soft labels */
/* Of a teacher in the target, where there is one: the reader of the label still has the greater say over
 * everything but the teacher's own mistakes. */
static const double TEACHER_SHARE = 0.5;
static const double EVALUATION_SHARE = 1.1; /* time of an epoch with its evaluation, against its steps */

typedef struct squares { /* prepared images of one split, in memory */
    reha_dataset data;
    uint8_t *pixels; /* count * square_bytes */
    uint8_t *raw;    /* the same before normalisation, bone bright; NULL: not kept */
    float *teacher;  /* as reha_knee_teacher_load gives it; NULL: no teacher */
    size_t square_bytes;
    size_t inverted_count;
} squares;

typedef struct training {
    const reha_train_options *options;
    reha_knee_crop_spec crop;
    reha_knee_network_spec network;
    reha_knee_augment_spec augment;
    reha_knee_reframe_spec reframe;
    squares train, val;
    reha_graph *graph;
    size_t *order;      /* of the training images in this epoch */
    double *val_logits; /* val count * GRADES: mean of the picture and its mirror image */
    reha_course course; /* its best: kappa */
} training;

reha_train_options reha_train_options_default(void)
{
    return (reha_train_options){.seed = 1};
}

/* ---- data ---- */

typedef struct preparation {
    squares *into;
    const reha_knee_crop_spec *crop;
    reha_load_function load;
    bool *was_inverted;
} preparation;

static void to_bytes(const float *square, size_t count, uint8_t *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = (uint8_t)(square[i] * 255.0F + 0.5F);
    }
}

/* The lot's darkest value to 0 and its brightest to 255: what follows does not mind another scale. */
static void keep_raw(const float *square, size_t count, uint8_t *raw)
{
    float low = square[0];
    float high = square[0];
    for (size_t i = 1; i < count; i++) {
        low = fminf(low, square[i]);
        high = fmaxf(high, square[i]);
    }
    const float gain = 255.0F / fmaxf(high - low, 1e-6F);
    for (size_t i = 0; i < count; i++) {
        raw[i] = (uint8_t)((square[i] - low) * gain + 0.5F);
    }
}

static reha_status prepare_one(void *context, size_t index, size_t thread_idx, reha_error *err)
{
    preparation *job = context;
    const reha_labelled *item = &job->into->data.items[index];
    const size_t count = job->into->square_bytes;
    reha_status status = REHA_OK;
    reha_acquisition facts = reha_acquisition_unknown();
    reha_gray *image = NULL;
    float *square = reha_alloc(count * sizeof *square);
    (void)thread_idx;
    if (square == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a crop");
    }
    REHA_CHECK(job->load(item->full_path, &image, &facts, err));
    const reha_knee_pose whole = reha_knee_pose_whole(image, job->crop);
    REHA_CHECK(reha_knee_square(image, &whole, job->crop, false, square, err));
    if (reha_knee_looks_inverted(square, job->crop->size_px)) {
        job->was_inverted[index] = true;
        REHA_CHECK(reha_knee_square(image, &whole, job->crop, true, square, err));
    }
    if (job->into->raw != NULL) {
        keep_raw(square, count, job->into->raw + index * count);
    }
    REHA_CHECK(reha_knee_normalise(job->crop, square, err));
    to_bytes(square, count, job->into->pixels + index * count);
done:
    reha_gray_free(image);
    reha_free(square);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", item->path);
    }
    return status;
}

static reha_status prepare(const training *run, const char *split, bool with_raw, squares *out,
                           reha_error *err)
{
    const reha_load_function load = run->options->load != NULL ? run->options->load : reha_load_picture;
    REHA_TRY(reha_dataset_load(run->options->data_folder, split, &out->data, err));
    out->square_bytes = (size_t)run->crop.size_px * (size_t)run->crop.size_px;
    size_t total_bytes = 0;
    if (reha_mul_size(out->data.count, out->square_bytes, &total_bytes)) {
        out->pixels = reha_alloc(total_bytes);
        out->raw = with_raw ? reha_alloc(total_bytes) : NULL;
    }
    bool *was_inverted = reha_alloc_zero(out->data.count, sizeof *was_inverted);
    if (out->pixels == NULL || (with_raw && out->raw == NULL) || was_inverted == NULL) {
        reha_free(was_inverted);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu crops", out->data.count);
    }
    preparation job = {out, &run->crop, load, was_inverted};
    const reha_status status =
        reha_parallel_for(out->data.count, (size_t)run->options->threads, prepare_one, &job, err);
    for (size_t i = 0; i < out->data.count; i++) {
        out->inverted_count += was_inverted[i] ? 1 : 0;
    }
    reha_free(was_inverted);
    return status;
}

static void squares_clear(squares *part)
{
    reha_dataset_clear(&part->data);
    reha_free(part->pixels);
    reha_free(part->raw);
    reha_free(part->teacher);
}

/* ---- targets ---- */

static void soft_label(int grade, float *target)
{
    double sum = 0.0;
    for (int k = 0; k < GRADES; k++) {
        sum += exp(-0.5 * (k - grade) * (k - grade) / (LABEL_SD_GRADES * LABEL_SD_GRADES));
    }
    for (int k = 0; k < GRADES; k++) {
        target[k] =
            (float)(exp(-0.5 * (k - grade) * (k - grade) / (LABEL_SD_GRADES * LABEL_SD_GRADES)) / sum);
    }
}

static void set_target(const squares *part, size_t image, float *target)
{
    soft_label(part->data.items[image].grade, target);
    const float *says = part->teacher != NULL ? part->teacher + image * GRADES : NULL;
    if (says == NULL || says[0] < 0.0F) {
        return;
    }
    for (int k = 0; k < GRADES; k++) {
        target[k] = (float)((1.0 - TEACHER_SHARE) * (double)target[k] + TEACHER_SHARE * (double)says[k]);
    }
}

static void begin_epoch(void *context, int epoch)
{
    const training *run = context;
    reha_recipe_order(run->options, epoch, run->order, run->train.data.count);
}

/* The picture as another hospital would have cut and exposed it, normalised; reha_free *out. */
static reha_status reframe(const training *run, size_t image, reha_random *random, uint8_t **out,
                           reha_error *err)
{
    reha_status status = REHA_OK;
    const size_t count = run->train.square_bytes;
    float *square = reha_alloc(count * sizeof *square);
    uint8_t *bytes = reha_alloc(count);
    if (square == NULL || bytes == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a crop");
        goto done;
    }
    reha_knee_reframe(run->train.raw + image * count, &run->crop, &run->reframe, random, square);
    REHA_CHECK(reha_knee_normalise(&run->crop, square, err));
    to_bytes(square, count, bytes);
    *out = bytes;
    bytes = NULL;
done:
    reha_free(bytes);
    reha_free(square);
    return status;
}

static reha_status fill(void *context, int epoch, size_t position, size_t place, reha_error *err)
{
    training *run = context;
    const size_t image = run->order[position];
    const size_t window = (size_t)run->crop.window_w_px * (size_t)run->crop.window_h_px;
    reha_random random = reha_recipe_random(run->options, epoch, REHA_STREAM_AUGMENT + (uint64_t)position);
    uint8_t *reframed = NULL;
    if (reha_random_unit(&random) < run->reframe.chance) {
        REHA_TRY(reframe(run, image, &random, &reframed, err));
    }
    reha_knee_augment(reframed != NULL ? reframed : run->train.pixels + image * run->train.square_bytes,
                      &run->crop, &run->augment, &random, run->course.inputs + place * window);
    reha_free(reframed);
    set_target(&run->train, image, run->course.targets[0] + place * GRADES);
    return REHA_OK;
}

/* ---- evaluation on `val` ---- */

static reha_status fill_windows(const training *run, const squares *part, size_t first, int count,
                                bool mirror, float *out, reha_error *err)
{
    const size_t window = (size_t)run->crop.window_w_px * (size_t)run->crop.window_h_px;
    float *square = reha_alloc(part->square_bytes * sizeof *square);
    if (square == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a crop");
    }
    for (int i = 0; i < count; i++) {
        const uint8_t *pixels = part->pixels + (first + (size_t)i) * part->square_bytes;
        for (size_t p = 0; p < part->square_bytes; p++) {
            square[p] = (float)pixels[p] / 255.0F;
        }
        reha_knee_window(&run->crop, square, mirror, out + (size_t)i * window);
    }
    reha_free(square);
    return REHA_OK;
}

/* Log of the mean probability over the picture and its mirror image: as the analysis does it. */
static void average_views(const float *straight, const float *mirrored, double *logits)
{
    const float *views[2] = {straight, mirrored};
    double mean[GRADES] = {0};
    for (int v = 0; v < 2; v++) {
        double most = (double)views[v][0];
        double sum = 0.0;
        for (int k = 1; k < GRADES; k++) {
            most = fmax(most, (double)views[v][k]);
        }
        for (int k = 0; k < GRADES; k++) {
            sum += exp((double)views[v][k] - most);
        }
        for (int k = 0; k < GRADES; k++) {
            mean[k] += 0.5 * exp((double)views[v][k] - most) / sum;
        }
    }
    for (int k = 0; k < GRADES; k++) {
        logits[k] = log(fmax(mean[k], 1e-12));
    }
}

static reha_status predict(training *run, const reha_graph *graph, const squares *part, double *logits,
                           reha_error *err)
{
    reha_status status = REHA_OK;
    reha_session *session = NULL;
    const size_t window = (size_t)run->crop.window_w_px * (size_t)run->crop.window_h_px;
    float outputs[2][EVALUATION_BATCH * GRADES];
    float *inputs = reha_alloc(EVALUATION_BATCH * window * sizeof *inputs);
    if (inputs == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a batch");
    }
    reha_session_options how = reha_session_options_default();
    how.batch_max = EVALUATION_BATCH;
    how.threads = run->options->threads;
    how.precision = run->options->force_f32 ? REHA_F32 : REHA_BF16;
    REHA_CHECK(reha_session_new(graph, &how, &session, err));
    for (size_t first = 0; first < part->data.count; first += EVALUATION_BATCH) {
        const size_t left = part->data.count - first;
        const int count = left < EVALUATION_BATCH ? (int)left : EVALUATION_BATCH;
        for (int view = 0; view < 2; view++) {
            const float *in[1] = {inputs};
            float *out[1] = {outputs[view]};
            REHA_CHECK(fill_windows(run, part, first, count, view == 1, inputs, err));
            REHA_CHECK(reha_session_run(session, count, in, out, err));
        }
        for (int i = 0; i < count; i++) {
            average_views(outputs[0] + (size_t)i * GRADES, outputs[1] + (size_t)i * GRADES,
                          logits + (first + (size_t)i) * GRADES);
        }
    }
done:
    reha_session_free(session);
    reha_free(inputs);
    return status;
}

/* Figures of (calibrated) logits; rounds 0: no intervals. */
static reha_status measure(const squares *part, const double *logits,
                           const reha_ordinal_calibration *calibration, int rounds, reha_graded_metrics *out,
                           reha_error *err)
{
    reha_graded_case *cases = reha_alloc_zero(part->data.count, sizeof *cases);
    if (cases == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu cases", part->data.count);
    }
    for (size_t i = 0; i < part->data.count; i++) {
        cases[i].patient_idx = part->data.items[i].patient_idx;
        cases[i].grade = part->data.items[i].grade;
        reha_ordinal_probabilities(calibration, logits + i * GRADES, cases[i].probabilities);
        reha_ordinal_set(calibration, cases[i].probabilities, &cases[i].set_low, &cases[i].set_high);
    }
    const reha_status status =
        reha_graded_metrics_compute(cases, part->data.count, GRADES, DISEASE_GRADE, rounds, 1, out, err);
    reha_free(cases);
    return status;
}

/* ---- the end of an epoch ---- */

static void describe(const void *context, char *out, size_t bytes)
{
    const training *run = context;
    (void)snprintf(out, bytes, "best kappa %.3f", run->course.best);
}

static reha_status end_epoch(void *context, reha_course *course, double mean_loss, reha_error *err)
{
    training *run = context;
    reha_status status = REHA_OK;
    reha_graph *averaged = NULL;
    reha_graded_metrics figures;
    const reha_ordinal_calibration none = reha_ordinal_calibration_none(GRADES);
    REHA_CHECK(reha_course_averaged(course, run->graph, &averaged, err));
    REHA_CHECK(predict(run, averaged, &run->val, run->val_logits, err));
    REHA_CHECK(measure(&run->val, run->val_logits, &none, 0, &figures, err));
    reha_text_addf(&course->log, "%d,%.4f,%.4f,%.4f,%.4f,%.4f,%.1f\n", course->epoch, mean_loss,
                   figures.accuracy.value, figures.kappa.value, figures.mae.value, figures.auc.value,
                   reha_course_seconds(course));
    if (figures.kappa.value > course->best) {
        course->best = figures.kappa.value;
        REHA_CHECK(reha_recipe_save_network(run->options, averaged, "model.onnx", err));
    }
    REHA_CHECK(reha_course_save(course, err));
    REHA_CHECK(reha_course_save_log(course, err));
done:
    reha_graph_free(averaged);
    return status;
}

/* ---- the result ---- */

/* The card to fill: the base model's with its grading networks taken out and its other networks' files
 * copied, or a new one. */
static reha_status start_card(const training *run, reha_knee_card *card, reha_error *err)
{
    int kept = 1; /* the first place is the new grading network's */
    reha_knee_network others[REHA_KNEE_NETWORKS_MAX];
    REHA_TRY(reha_knee_card_init(card, "1", err));
    const reha_knee_network grader = card->networks[0];
    if (run->options->base_folder == NULL) {
        return REHA_OK;
    }
    reha_knee_card_clear(card);
    REHA_TRY(reha_knee_card_load(run->options->base_folder, card, err));
    (void)json_object_del(card->json,
                          "explanation"); /* measured on the base model's network, not on this one */
    (void)json_object_del(card->json, "subgroups");
    memcpy(others, card->networks, sizeof others);
    for (int i = 0; i < card->network_count; i++) {
        if (others[i].role != REHA_KNEE_KL && kept < REHA_KNEE_NETWORKS_MAX) {
            REHA_TRY(reha_recipe_take_over(run->options, others[i].file, err));
            card->networks[kept++] = others[i];
        }
    }
    card->networks[0] = grader;
    card->network_count = kept;
    return REHA_OK;
}

static reha_status write_card(training *run, const reha_ordinal_calibration *calibration,
                              const reha_graded_metrics *figures, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_knee_card card = {0};
    json_t *metrics = NULL;
    REHA_CHECK(start_card(run, &card, err));
    card.crop = run->crop;
    card.view_count = 1; /* what `val` was predicted with */
    card.views[0] = (reha_knee_view){.by_plateau = false, .scale = 1.0};
    card.mirror_average = true;
    card.calibration = *calibration;
    (void)snprintf(card.networks[0].explain_node, sizeof card.networks[0].explain_node, "%s",
                   reha_knee_network_explained(run->network.trunk));
    card.networks[0].precision = REHA_BF16;
    REHA_CHECK(reha_knee_card_set_take(&card, "command", json_string(run->options->command), err));
    REHA_CHECK(reha_graded_metrics_to_json(figures, &metrics, err));
    (void)json_object_set_new(metrics, "split",
                              json_string("val (chose the epoch and calibrated: optimistic)"));
    status = reha_knee_card_set_take(&card, "metrics", metrics, err);
    metrics = NULL;
    REHA_CHECK(status);
    REHA_CHECK(reha_knee_card_set_take(
        &card, "training",
        json_pack("{s:i, s:i, s:I, s:I, s:I, s:i, s:f, s:f, s:f, s:s}", "epochs", run->course.epochs, "batch",
                  BATCH, "seed", (json_int_t)run->options->seed, "images", (json_int_t)run->train.data.count,
                  "inverted_corrected", (json_int_t)(run->train.inverted_count + run->val.inverted_count),
                  "frozen_stages", run->network.frozen_stages, "peak_rate",
                  (double)PEAK_RATES[run->network.trunk], "teacher_share",
                  run->train.teacher != NULL ? TEACHER_SHARE : 0.0, "reframed_chance", run->reframe.chance,
                  "software", "rehascope " REHA_VERSION),
        err));
    REHA_CHECK(reha_knee_card_save(&card, run->options->out_folder, err));
done:
    json_decref(metrics);
    reha_knee_card_clear(&card);
    return status;
}

/* Reads the best epoch back from its file, so that exactly what is shipped is what is calibrated. */
static reha_status finish(training *run, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *best = NULL;
    char *path = NULL;
    int *labels = NULL;
    reha_ordinal_calibration calibration;
    reha_graded_metrics figures;
    const reha_ordinal_fit_options how = reha_ordinal_fit_options_default();
    const size_t count = run->val.data.count;
    REHA_CHECK(reha_recipe_path(run->options, "model.onnx", &path, err));
    REHA_CHECK(reha_onnx_load(path, NULL, &best, err));
    REHA_CHECK(predict(run, best, &run->val, run->val_logits, err));
    labels = reha_alloc_zero(count, sizeof *labels);
    if (labels == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu labels", count);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        labels[i] = run->val.data.items[i].grade;
    }
    REHA_CHECK(reha_ordinal_fit(run->val_logits, labels, count, GRADES, &how, &calibration, err));
    REHA_CHECK(measure(&run->val, run->val_logits, &calibration, 1000, &figures, err));
    REHA_CHECK(write_card(run, &calibration, &figures, err));
done:
    reha_free(labels);
    reha_free(path);
    reha_graph_free(best);
    return status;
}

static reha_status start(training *run, reha_error *err)
{
    const size_t window = (size_t)run->crop.window_w_px * (size_t)run->crop.window_h_px;
    REHA_TRY(reha_dataset_check_splits(run->options->data_folder, err));
    REHA_TRY(reha_folder_make(run->options->out_folder, err));
    REHA_TRY(prepare(run, "train", true, &run->train, err));
    REHA_TRY(prepare(run, "val", false, &run->val, err));
    if (run->options->teacher_path != NULL) {
        REHA_TRY(
            reha_knee_teacher_load(run->options->teacher_path, &run->train.data, &run->train.teacher, err));
    }
    if (run->train.data.count < BATCH) {
        return reha_fail(err, REHA_E_ARG, "%zu training images: at least %d are needed",
                         run->train.data.count, BATCH);
    }
    if (run->val.data.count < REHA_CALIBRATION_IMAGES_MIN) { /* not at the end of a night of training */
        return reha_fail(err, REHA_E_ARG,
                         "%zu images in split 'val': at least %d are needed to calibrate with",
                         run->val.data.count, REHA_CALIBRATION_IMAGES_MIN);
    }
    REHA_TRY(reha_course_make_room(&run->course, BATCH, window, (const size_t[]){GRADES}, 1, err));
    run->order = reha_alloc_zero(run->train.data.count, sizeof *run->order);
    run->val_logits = reha_alloc_zero(run->val.data.count * GRADES, sizeof *run->val_logits);
    if (run->order == NULL || run->val_logits == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for training");
    }
    run->network.height_px = run->crop.window_h_px;
    run->network.width_px = run->crop.window_w_px;
    REHA_TRY(reha_knee_network_new(&run->network, run->options->backbone_folder, run->options->seed,
                                   &run->graph, err));
    reha_trainer_options how = reha_recipe_trainer(run->options, BATCH);
    how.weight_decay = WEIGHT_DECAY;
    how.clip_norm = 2.0F;
    how.ema_decay = 0.997F;
    how.loss_count = 2;
    how.losses[0] = (reha_loss){.kind = REHA_LOSS_CROSS_ENTROPY, .output = 0, .weight = 1.0F};
    how.losses[1] = (reha_loss){.kind = REHA_LOSS_EXPECTED_RANK, .output = 0, .weight = RANK_LOSS_WEIGHT};
    run->course.recipe = (reha_course_recipe){.batch = BATCH,
                                              .steps_per_epoch = run->train.data.count / BATCH,
                                              .picture_count = run->train.data.count,
                                              .peak_rate = PEAK_RATES[run->network.trunk],
                                              .least_rate_share = LEAST_RATE_SHARE,
                                              .warmup_steps = WARMUP_STEPS,
                                              .probe_steps = MINUTES_PROBE_STEPS,
                                              .rest_share = EVALUATION_SHARE,
                                              .kept = "finished epochs are kept",
                                              .inputs = {run->course.inputs},
                                              .targets = {run->course.targets[0], run->course.targets[0]},
                                              .context = run,
                                              .begin = begin_epoch,
                                              .fill = fill,
                                              .end = end_epoch,
                                              .describe = describe};
    return reha_trainer_new(run->graph, &how, &run->course.trainer, err);
}

reha_status reha_knee_train(const reha_train_options *options, const reha_progress *progress, reha_error *err)
{
    reha_status status = REHA_OK;
    training run = {.options = options,
                    .crop = reha_knee_crop_spec_default(),
                    .network = reha_knee_network_spec_default(),
                    .augment = reha_knee_augment_spec_default(),
                    .reframe = reha_knee_reframe_spec_default()};
    REHA_CHECK(reha_course_start(options, progress, DEFAULT_EPOCHS,
                                 "epoch,loss,val_accuracy,val_kappa,val_mae,val_auc,seconds\n", &run.course,
                                 err));
    if (options->network != NULL && !reha_knee_trunk_parse(options->network, &run.network.trunk)) {
        status = reha_fail(err, REHA_E_ARG, "no network '%.20s': resnet50 or mobilenetv2", options->network);
        goto done;
    }
    REHA_CHECK(start(&run, err));
    REHA_CHECK(reha_course_resume(&run.course, err));
    REHA_CHECK(reha_course_run(&run.course, err));
    REHA_CHECK(finish(&run, err));
done:
    reha_course_clear(&run.course);
    reha_graph_free(run.graph);
    reha_free(run.order);
    reha_free(run.val_logits);
    squares_clear(&run.train);
    squares_clear(&run.val);
    return status;
}
