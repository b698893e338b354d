/* The recipe of the fracture detector. Labelled pictures are few, so nothing is held out once and for all:
 * the pictures are split into folds by patient or source, each fold is judged by a network that never saw it,
 * and the model that is kept learns from all of them. What the card says comes from the held-out boxes. */
#include "recognition/fracture_train.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/threads.h"
#include "nn/fold.h"
#include "nn/onnx.h"
#include "recognition/course.h"
#include "recognition/fracture_augment.h"
#include "recognition/fracture_card.h"
#include "recognition/fracture_net.h"
#include "recognition/fracture_score.h"
#include "recognition/recipe.h"
#include "recognition/sampling.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    BATCH = 8,
    FOLDS = REHA_FRACTURE_FOLDS,
    ALL = FOLDS, /* the last run: on all pictures */
    DEFAULT_EPOCHS = 30,
    WARMUP_STEPS = 40,
    MINUTES_PROBE_STEPS = 6,
    STORE_SIDE_PX = 640, /* of the prepared pictures: 1.25 times what the network sees */
    PERCENTILE_SAMPLES = 65536,
    BOOTSTRAP_ROUNDS = 1000
};
enum { CENTRES, SIZES };                               /* the network's maps, in the order of its losses */
static const size_t STORE_BYTES_MAX = (size_t)2 << 30; /* pictures beyond are read again for each use */
static const float PEAK_RATE = 7e-4F;                  /* of the trunk */
static const float HEAD_RATE_RATIO = 3.0F;
static const float WEIGHT_DECAY = 0.02F;
static const float SIZE_LOSS_WEIGHT = 1.0F;
static const double REST_SHARE = 1.15; /* time of a run with its evaluation, against its steps */

typedef struct training {
    const reha_train_options *options;
    reha_load_function load;
    reha_fracture_card card;
    reha_fracture_augment_spec augment;
    reha_fracture_data data;
    reha_fracture_truth truth;
    reha_fracture_picture *store; /* pixels NULL: not kept in memory */
    reha_edges *edges;            /* of all boxes, for the store */
    int *fold_of_group;
    size_t *order;        /* the run's pictures in this epoch */
    size_t use_count;     /* pictures of the run */
    reha_found *held_out; /* image_count * boxes_max */
    size_t held_out_count;
    int run;            /* fold, or ALL */
    char run_name[24];  /* for people */
    reha_course course; /* of one run after the other; number of epochs and log are those of all */
} training;

/* ---- pictures ---- */

static reha_status prepare_picture(const training *run, size_t index, reha_fracture_picture *out,
                                   reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *image = NULL;
    float *grey = NULL;
    reha_acquisition facts = reha_acquisition_unknown();
    const double percentiles[2] = {run->card.view.low_percentile, run->card.view.high_percentile};
    double levels[2];
    REHA_CHECK(run->load(run->data.images[index].full_path, &image, &facts, err));
    const double longer = image->width_px > image->height_px ? image->width_px : image->height_px;
    out->width_px = (int)fmax(STORE_SIDE_PX * image->width_px / longer + 0.5, 1.0);
    out->height_px = (int)fmax(STORE_SIDE_PX * image->height_px / longer + 0.5, 1.0);
    const size_t count = (size_t)out->width_px * (size_t)out->height_px;
    grey = reha_alloc(count * sizeof *grey);
    out->pixels = reha_alloc(count);
    if (grey == NULL || out->pixels == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a picture");
        goto done;
    }
    REHA_CHECK(reha_sample_percentiles(image, 0, 0, image->width_px, image->height_px, PERCENTILE_SAMPLES,
                                       percentiles, 2, levels, err));
    const reha_box_px whole = {0.0, 0.0, image->width_px, image->height_px};
    REHA_CHECK(reha_sample_rect(image, whole, REHA_BORDER_NEAREST, (reha_tone){levels[0], levels[1]},
                                out->width_px, out->height_px, grey, err));
    for (size_t i = 0; i < count; i++) {
        out->pixels[i] = (uint8_t)(fminf(fmaxf(grey[i], 0.0F), 1.0F) * 255.0F + 0.5F);
    }
done:
    reha_gray_free(image);
    reha_free(grey);
    if (status != REHA_OK) {
        reha_free(out->pixels);
        out->pixels = NULL;
        reha_error_prefix(err, "%s", run->data.images[index].path);
    }
    return status;
}

static reha_status prepare_one(void *context, size_t index, size_t thread_idx, reha_error *err)
{
    training *run = context;
    (void)thread_idx;
    return prepare_picture(run, index, &run->store[index], err);
}

static reha_status prepare_store(training *run, reha_error *err)
{
    const size_t count = run->data.image_count;
    size_t kept = STORE_BYTES_MAX / ((size_t)STORE_SIDE_PX * STORE_SIDE_PX);
    run->store = reha_alloc_zero(count, sizeof *run->store);
    run->edges = reha_alloc_zero(run->data.box_count + 1, sizeof *run->edges);
    if (run->store == NULL || run->edges == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pictures", count);
    }
    for (size_t i = 0; i < run->data.box_count; i++) {
        run->edges[i] = run->data.boxes[i].edges;
    }
    for (size_t i = 0; i < count; i++) {
        run->store[i].boxes = run->edges + run->data.images[i].first_box;
        run->store[i].box_count = run->data.images[i].box_count;
    }
    kept = kept < count ? kept : count;
    return reha_parallel_for(kept, (size_t)run->options->threads, prepare_one, run, err);
}

/* ---- one step ---- */

static bool is_held_out(const training *run, size_t image)
{
    return run->run != ALL && run->fold_of_group[run->data.images[image].group_idx] == run->run;
}

/* An epoch is a function of (seed, run, epoch) alone. */
static int epoch_of_all(const training *run, int epoch)
{
    return run->run * 1000 + epoch;
}

static void begin_epoch(void *context, int epoch)
{
    training *run = context;
    reha_random random = reha_recipe_random(run->options, epoch_of_all(run, epoch), REHA_STREAM_ORDER);
    run->use_count = 0;
    for (size_t i = 0; i < run->data.image_count; i++) {
        if (!is_held_out(run, i)) {
            run->order[run->use_count++] = i;
        }
    }
    reha_random_shuffle(&random, run->order, run->use_count);
}

static reha_status fill(void *context, int epoch, size_t position, size_t place, reha_error *err)
{
    training *run = context;
    const size_t image = run->order[position % run->use_count];
    const int side = run->augment.side_px;
    const size_t area = (size_t)side * (size_t)side;
    const size_t cells = area / ((size_t)REHA_FRACTURE_STRIDE_PX * REHA_FRACTURE_STRIDE_PX);
    reha_edges boxes[REHA_FRACTURE_PART_BOXES_MAX];
    reha_fracture_picture picture = run->store[image];
    reha_random random =
        reha_recipe_random(run->options, epoch_of_all(run, epoch), REHA_STREAM_AUGMENT + (uint64_t)position);
    float *grey = reha_alloc(area * sizeof *grey);
    if (grey == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a picture");
    }
    reha_status status = picture.pixels == NULL ? prepare_picture(run, image, &picture, err) : REHA_OK;
    if (status == REHA_OK) {
        const size_t count = reha_fracture_augment(&picture, &run->augment, &random, grey, boxes);
        reha_fracture_colour(grey, side, false, run->course.inputs + place * REHA_FRACTURE_CHANNELS * area);
        reha_fracture_targets(boxes, count, side, run->card.view.size_unit_px,
                              run->course.targets[CENTRES] + place * cells,
                              run->course.targets[SIZES] + place * REHA_FRACTURE_MAPS * cells);
    }
    if (run->store[image].pixels == NULL) {
        reha_free(picture.pixels);
    }
    reha_free(grey);
    return status;
}

static size_t steps_per_epoch(size_t pictures)
{
    return pictures > BATCH ? pictures / BATCH : 1;
}

static size_t pictures_of_run(const training *run, int which)
{
    size_t count = 0;
    for (size_t i = 0; i < run->data.image_count; i++) {
        count += which == ALL || run->fold_of_group[run->data.images[i].group_idx] != which ? 1 : 0;
    }
    return count;
}

static reha_status end_epoch(void *context, reha_course *course, double mean_loss, reha_error *err)
{
    const training *run = context;
    (void)err;
    reha_text_addf(&course->log, "%d,%d,%.4f,%.1f\n", run->run + 1, course->epoch, mean_loss,
                   reha_course_seconds(course));
    return REHA_OK;
}

/* ---- one run ---- */

static reha_course_recipe recipe_of_run(training *run)
{
    reha_course_recipe recipe = {.batch = BATCH,
                                 .picture_count = run->data.image_count,
                                 .peak_rate = PEAK_RATE,
                                 .warmup_steps = WARMUP_STEPS,
                                 .probe_steps = MINUTES_PROBE_STEPS,
                                 .rest_share = REST_SHARE,
                                 .name = run->run_name,
                                 .kept = "finished folds are kept",
                                 .inputs = {run->course.inputs},
                                 .targets = {run->course.targets[CENTRES], run->course.targets[SIZES]},
                                 .context = run,
                                 .begin = begin_epoch,
                                 .fill = fill,
                                 .end = end_epoch};
    for (int which = 0; which <= ALL; which++) {
        const size_t steps = steps_per_epoch(pictures_of_run(run, which));
        recipe.steps_per_epoch += which == run->run ? steps : 0;
        recipe.steps_elsewhere += which != run->run ? steps : 0;
        recipe.steps_before += which < run->run ? steps : 0;
    }
    if (run->run == ALL) {
        (void)snprintf(run->run_name, sizeof run->run_name, "all pictures");
    } else {
        (void)snprintf(run->run_name, sizeof run->run_name, "fold %d/%d", run->run + 1, FOLDS);
    }
    return recipe;
}

/* The trained weights in a graph of the analysis's input size, batch-norms folded, to a file. */
static reha_status save_network(const training *run, const char *path, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *large = NULL;
    reha_graph *folded = NULL;
    const reha_fracture_net_spec spec = {run->card.view.side_px, HEAD_RATE_RATIO};
    const reha_onnx_save_options how = {.float16_weights = true, .producer = "rehascope " REHA_VERSION};
    REHA_CHECK(reha_fracture_net_new(&spec, NULL, 1, &large, err));
    REHA_CHECK(reha_trainer_read_params(run->course.trainer, large, true, err));
    REHA_CHECK(reha_graph_fold_batch_norm(large, &folded, err));
    REHA_CHECK(reha_onnx_save(folded, path, &how, err));
done:
    reha_graph_free(large);
    reha_graph_free(folded);
    return status;
}

static reha_status train_network(training *run, const char *path, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *graph = NULL;
    const reha_fracture_net_spec spec = {run->augment.side_px, HEAD_RATE_RATIO};
    reha_trainer_options how = reha_recipe_trainer(run->options, BATCH);
    how.weight_decay = WEIGHT_DECAY;
    how.clip_norm = 5.0F;
    how.ema_decay = 0.99F;
    how.loss_count = 2;
    how.losses[0] = (reha_loss){.kind = REHA_LOSS_CENTRE_FOCAL, .output = 0, .weight = 1.0F};
    how.losses[1] = (reha_loss){.kind = REHA_LOSS_HUBER_KNOWN, .output = 1, .weight = SIZE_LOSS_WEIGHT};
    REHA_CHECK(reha_fracture_net_new(&spec, run->options->backbone_folder,
                                     run->options->seed + (uint64_t)run->run, &graph, err));
    REHA_CHECK(reha_trainer_new(graph, &how, &run->course.trainer, err));
    run->course.recipe = recipe_of_run(run);
    run->course.epoch = 0;
    REHA_CHECK(reha_course_run(&run->course, err));
    REHA_CHECK(save_network(run, path, err));
done:
    reha_trainer_free(run->course.trainer);
    run->course.trainer = NULL;
    reha_graph_free(graph);
    return status;
}

void reha_fracture_fold_file(int fold, char out[REHA_FRACTURE_FILE_BYTES])
{
    (void)snprintf(out, REHA_FRACTURE_FILE_BYTES, "fold-%d.onnx", fold + 1);
}

/* Of the run's network; reha_free it. */
static reha_status network_path(const training *run, char **out, reha_error *err)
{
    char name[REHA_FRACTURE_FILE_BYTES] = "model.onnx";
    if (run->run != ALL) {
        reha_fracture_fold_file(run->run, name);
    }
    return reha_recipe_path(run->options, name, out, err);
}

/* Boxes of the pictures that the run's network has not seen, by the file that was saved: what is shipped is
 * judged. */
static reha_status judge_held_out(training *run, reha_error *err)
{
    reha_status status = REHA_OK;
    char *path = NULL;
    reha_graph *graph = NULL;
    reha_gray *image = NULL;
    reha_fracture_detector detector = {0};
    REHA_CHECK(network_path(run, &path, err));
    REHA_CHECK(reha_onnx_load(path, NULL, &graph, err));
    REHA_CHECK(reha_fracture_detector_init(&detector, graph, &run->card.view, run->options->threads,
                                           run->options->force_f32 ? REHA_F32 : REHA_BF16, err));
    for (size_t i = 0; i < run->data.image_count; i++) {
        reha_acquisition facts = reha_acquisition_unknown();
        reha_found *found = run->held_out + run->held_out_count;
        size_t count = 0;
        if (!is_held_out(run, i)) {
            continue;
        }
        if (reha_progress_is_stopped(run->course.progress)) {
            status =
                reha_fail(err, REHA_E_CANCELLED,
                          "stopped while fold %d was judged; finished folds are kept: go on with --resume",
                          run->run + 1);
            goto done;
        }
        REHA_CHECK(run->load(run->data.images[i].full_path, &image, &facts, err));
        REHA_CHECK(reha_fracture_detect(&detector, image, found, &count, err));
        for (size_t k = 0; k < count; k++) {
            found[k].image_idx = i;
        }
        run->held_out_count += count;
        reha_gray_free(image);
        image = NULL;
    }
done:
    reha_gray_free(image);
    reha_fracture_detector_clear(&detector);
    reha_graph_free(graph);
    reha_free(path);
    return status;
}

static reha_status do_run(training *run, reha_error *err)
{
    char *path = NULL;
    REHA_TRY(network_path(run, &path, err));
    const bool is_done = run->options->resume && reha_path_is_file(path);
    const reha_status status = is_done ? REHA_OK : train_network(run, path, err);
    reha_free(path);
    return status;
}

/* The boxes of all folds, each by its own network and with its own gain. */
static reha_status judge_folds(training *run, const double gains[FOLDS], reha_error *err)
{
    run->held_out_count = 0;
    for (run->run = 0; run->run < FOLDS; run->run++) {
        run->card.view.size_gain = gains[run->run];
        REHA_TRY(judge_held_out(run, err));
    }
    return REHA_OK;
}

/* Of the boxes outside of `fold` (ALL: of all). */
static reha_status gain_without(const training *run, int fold, double *out, reha_error *err)
{
    reha_found *found = reha_alloc_zero(run->held_out_count + 1, sizeof *found);
    size_t count = 0;
    if (found == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu boxes", run->held_out_count);
    }
    for (size_t i = 0; i < run->held_out_count; i++) {
        const size_t group = run->data.images[run->held_out[i].image_idx].group_idx;
        if (run->fold_of_group[group] != fold) {
            found[count++] = run->held_out[i];
        }
    }
    const reha_detections set = reha_fracture_detections(&run->data, &run->truth, found, count);
    const reha_status status = reha_fracture_size_gain(&set, out, err);
    reha_free(found);
    return status;
}

/* The gain of a fold comes from the other folds, that of the shipped model from all. */
static reha_status judge(training *run, reha_error *err)
{
    double gains[FOLDS + 1];
    for (int fold = 0; fold < FOLDS; fold++) {
        gains[fold] = 1.0;
    }
    REHA_TRY(judge_folds(run, gains, err));
    for (int fold = 0; fold <= ALL; fold++) {
        REHA_TRY(gain_without(run, fold, &gains[fold], err));
    }
    REHA_TRY(judge_folds(run, gains, err));
    run->card.view.size_gain = gains[ALL];
    return REHA_OK;
}

/* ---- the result ---- */

static reha_status save_text(const training *run, const char *name, const reha_text *text, reha_error *err)
{
    char *path = reha_path_join(run->options->out_folder, name);
    if (path == NULL || text->failed) {
        reha_free(path);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %s", name);
    }
    const reha_status status = reha_file_save(path, text->data != NULL ? text->data : "", text->length, err);
    reha_free(path);
    return status;
}

static reha_status save_lists(const training *run, reha_error *err)
{
    reha_text boxes = {0};
    reha_text prints = {0};
    reha_status status = REHA_OK;
    reha_text_add(&boxes, "path,fold,x0,y0,x1,y1,score\n");
    for (size_t i = 0; i < run->held_out_count; i++) {
        const reha_found *found = &run->held_out[i];
        const reha_fracture_image *image = &run->data.images[found->image_idx];
        reha_csv_add_field(&boxes, image->path);
        reha_text_addf(&boxes, ",%d,%.5f,%.5f,%.5f,%.5f,%.5f\n", run->fold_of_group[image->group_idx] + 1,
                       found->box.x0, found->box.y0, found->box.x1, found->box.y1, found->score);
    }
    for (size_t i = 0; i < run->data.image_count; i++) {
        char print[REHA_FRACTURE_FINGERPRINT_BYTES];
        REHA_CHECK(reha_fracture_fingerprint(run->data.images[i].full_path, print, err));
        reha_text_addf(&prints, "%s\n", print);
    }
    REHA_CHECK(save_text(run, "held_out.csv", &boxes, err));
    REHA_CHECK(save_text(run, "training_images.txt", &prints, err));
    REHA_CHECK(save_text(run, "log.csv", &run->course.log, err));
done:
    reha_text_clear(&boxes);
    reha_text_clear(&prints);
    return status;
}

/* The baseline gets the average box of the pictures outside of each fold. */
static reha_status judge_baseline(const training *run, const reha_detections *set, json_t **out,
                                  reha_error *err)
{
    reha_status status = REHA_OK;
    bool *use = reha_alloc_zero(run->data.image_count, sizeof *use);
    reha_edges *boxes = reha_alloc_zero(run->data.image_count, sizeof *boxes);
    *out = NULL;
    if (use == NULL || boxes == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the baseline");
        goto done;
    }
    for (int fold = 0; fold < FOLDS; fold++) {
        for (size_t i = 0; i < run->data.image_count; i++) {
            use[i] = run->fold_of_group[run->data.images[i].group_idx] != fold;
        }
        const reha_edges usual = reha_fracture_usual_box(&run->data, use);
        for (size_t i = 0; i < run->data.image_count; i++) {
            boxes[i] = use[i] ? boxes[i] : usual;
        }
    }
    REHA_CHECK(reha_fracture_baseline(set, boxes, run->card.iou_hit, BOOTSTRAP_ROUNDS, 1, out, err));
done:
    reha_free(use);
    reha_free(boxes);
    return status;
}

static json_t *training_json(const training *run)
{
    const reha_fracture_data *data = &run->data;
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:f, s:I, s:s, s:s}", "layout",
                     reha_fracture_layout_name(data->layout), "split_by", data->group_kind, "images",
                     (json_int_t)data->image_count, "groups", (json_int_t)data->group_count, "boxes",
                     (json_int_t)data->box_count, "folds", FOLDS, "epochs", run->course.epochs, "batch",
                     BATCH, "part_px", run->augment.side_px, "networks", FOLDS + 1, "peak_rate",
                     (double)PEAK_RATE, "seed", (json_int_t)run->options->seed, "trunk",
                     run->options->backbone_folder != NULL ? "mobilenetv2, pre-trained"
                                                           : "mobilenetv2, random start",
                     "software", "rehascope " REHA_VERSION);
}

static reha_status write_card(training *run, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *figures = NULL;
    json_t *baseline = NULL;
    const reha_detections set =
        reha_fracture_detections(&run->data, &run->truth, run->held_out, run->held_out_count);
    REHA_CHECK(reha_fracture_fit(&set, &run->card, err));
    run->card.usual_box = reha_fracture_usual_box(&run->data, NULL);
    REHA_CHECK(reha_fracture_figures(&run->data, &set, &run->card, BOOTSTRAP_ROUNDS, 1, &figures, err));
    REHA_CHECK(judge_baseline(run, &set, &baseline, err));
    (void)json_object_set(figures, "baseline", baseline);
    (void)json_object_set_new(
        figures, "split",
        json_string(
            "cross-validation: each picture judged by a network that saw none of its patient or source; the "
            "thresholds and probabilities were chosen on these same boxes"));
    REHA_CHECK(reha_fracture_card_set_take(&run->card, "status", json_string("research only"), err));
    REHA_CHECK(reha_fracture_card_set_take(&run->card, "command", json_string(run->options->command), err));
    REHA_CHECK(reha_fracture_card_set_take(&run->card, "training", training_json(run), err));
    REHA_CHECK(reha_fracture_card_set_take(&run->card, "metrics", json_incref(figures), err));
    REHA_CHECK(reha_fracture_card_save(&run->card, run->options->out_folder, err));
done:
    json_decref(figures);
    json_decref(baseline);
    return status;
}

/* What finished folds were made from: going on with something else would mix two models in one
 * cross-validation. */
static reha_status remember_run(const training *run, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *old = NULL;
    json_t *now = json_pack("{s:I, s:I, s:I}", "seed", (json_int_t)run->options->seed, "images",
                            (json_int_t)run->data.image_count, "boxes", (json_int_t)run->data.box_count);
    char *path = reha_path_join(run->options->out_folder, "run.json");
    if (path == NULL || now == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the run's facts");
        goto done;
    }
    if (run->options->resume) {
        REHA_CHECK(reha_json_load(path, &old, err));
        if (json_equal(old, now) == 0) {
            status = reha_fail(
                err, REHA_E_CONFLICT,
                "%s: was started with seed %.0f on %.0f pictures; resume with the same, or take another "
                "--out",
                path, reha_json_number(old, "seed", 0.0), reha_json_number(old, "images", 0.0));
            goto done;
        }
    }
    REHA_CHECK(reha_json_save(path, now, err));
done:
    json_decref(old);
    json_decref(now);
    reha_free(path);
    return status;
}

static reha_status start(training *run, reha_error *err)
{
    const reha_train_options *options = run->options;
    const size_t area = (size_t)run->augment.side_px * (size_t)run->augment.side_px;
    const size_t cells = area / ((size_t)REHA_FRACTURE_STRIDE_PX * REHA_FRACTURE_STRIDE_PX);
    REHA_TRY(reha_fracture_card_init(&run->card, err));
    REHA_TRY(reha_fracture_data_load(options->data_folder, &run->data, err));
    if (run->data.box_count == 0) {
        return reha_fail(err, REHA_E_FORMAT, "%s: no picture has a box: nothing to learn",
                         options->data_folder);
    }
    REHA_TRY(reha_folder_make(options->out_folder, err));
    REHA_TRY(remember_run(run, err));
    run->fold_of_group = reha_alloc_zero(run->data.group_count, sizeof *run->fold_of_group);
    run->order = reha_alloc_zero(run->data.image_count, sizeof *run->order);
    run->held_out =
        reha_alloc_zero(run->data.image_count * (size_t)run->card.view.boxes_max, sizeof *run->held_out);
    if (run->fold_of_group == NULL || run->order == NULL || run->held_out == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for training");
    }
    const size_t target_counts[] = {[CENTRES] = cells, [SIZES] = (size_t)REHA_FRACTURE_MAPS * cells};
    REHA_TRY(reha_course_make_room(&run->course, BATCH, (size_t)REHA_FRACTURE_CHANNELS * area, target_counts,
                                   2, err));
    REHA_TRY(reha_fracture_folds(&run->data, FOLDS, options->seed, run->fold_of_group, err));
    REHA_TRY(reha_fracture_truth_init(&run->truth, &run->data, err));
    return prepare_store(run, err);
}

static void clear(training *run)
{
    for (size_t i = 0; run->store != NULL && i < run->data.image_count; i++) {
        reha_free(run->store[i].pixels);
    }
    reha_free(run->store);
    reha_free(run->edges);
    reha_free(run->fold_of_group);
    reha_free(run->order);
    reha_free(run->held_out);
    reha_course_clear(&run->course);
    reha_fracture_truth_clear(&run->truth);
    reha_fracture_data_clear(&run->data);
    reha_fracture_card_clear(&run->card);
}

reha_status reha_fracture_train(const reha_train_options *options, const reha_progress *progress,
                                reha_error *err)
{
    reha_status status = REHA_OK;
    training run = {.options = options,
                    .load = options->load != NULL ? options->load : reha_load_picture,
                    .augment = reha_fracture_augment_spec_default()};
    if (options->network != NULL && strcmp(options->network, "mobilenetv2") != 0) {
        return reha_fail(err, REHA_E_ARG, "no network '%.20s' for fracture: mobilenetv2", options->network);
    }
    REHA_CHECK(
        reha_course_start(options, progress, DEFAULT_EPOCHS, "run,epoch,loss,seconds\n", &run.course, err));
    REHA_CHECK(start(&run, err));
    for (run.run = 0; run.run <= ALL; run.run++) {
        REHA_CHECK(do_run(&run, err));
    }
    REHA_CHECK(judge(&run, err));
    REHA_CHECK(write_card(&run, err));
    REHA_CHECK(save_lists(&run, err));
done:
    clear(&run);
    return status;
}
