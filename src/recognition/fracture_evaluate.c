/* `evaluate fracture` and `calibrate fracture`. Beside the usual figures: the baseline that never looks,
 * whether the pictures were in the training, and erasure: the drawn fractures are painted over with what
 * surrounds them; a detector that looks at fractures then scores lower, one that knows whose pictures these
 * are does not. */
#include "recognition/fracture_priv.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "recognition/each.h"
#include "recognition/fracture_score.h"
#include "recognition/fracture_train.h"
#include "recognition/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char HELD_OUT[] = "held-out";
static const double ERASE_MARGIN = 0.15; /* of the box's side, painted over too */

typedef struct evaluation {
    reha_model *model;
    const reha_evaluate_options *options;
    reha_load_function load;
    reha_fracture_data data;
    reha_fracture_truth truth;
    reha_fracture_detector folds[REHA_FRACTURE_FOLDS]; /* of the split "held-out" */
    int *fold_of_group;                                /* NULL: the model itself judges all */
    reha_found *found;
    size_t found_count;
    double *best;                   /* by image: highest score; 0 without a box */
    double *erased;                 /* the same after erasure; NaN where there was nothing to erase */
    uint32_t *width_px, *height_px; /* by image; 0: unreadable */
    size_t unreadable;
    bool with_erasure;
} evaluation;

/* ---- whose network ---- */

static reha_status open_folds(evaluation *run, reha_error *err)
{
    const json_t *training = json_object_get(run->model->card.json, "training");
    const double seed = reha_json_number(training, "seed", 1.0);
    if ((size_t)reha_json_number(training, "groups", 0.0) != run->data.group_count) {
        return reha_fail(
            err, REHA_E_CONFLICT,
            "%s: %zu %ss, the model was trained on %.0f: 'held-out' is of the training folder only",
            run->options->data_folder, run->data.group_count, run->data.group_kind,
            reha_json_number(training, "groups", 0.0));
    }
    run->fold_of_group = reha_alloc_zero(run->data.group_count, sizeof *run->fold_of_group);
    if (run->fold_of_group == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the folds");
    }
    REHA_TRY(reha_fracture_folds(&run->data, REHA_FRACTURE_FOLDS, (uint64_t)seed, run->fold_of_group, err));
    for (int i = 0; i < REHA_FRACTURE_FOLDS; i++) {
        char file[REHA_FRACTURE_FILE_BYTES];
        reha_fracture_fold_file(i, file);
        REHA_TRY(reha_fracture_open_network_(run->model, file, &run->folds[i], err));
    }
    return REHA_OK;
}

static reha_fracture_detector *detector_of(evaluation *run, size_t image)
{
    return run->fold_of_group != NULL ? &run->folds[run->fold_of_group[run->data.images[image].group_idx]]
                                      : &run->model->detector;
}

static int compare_prints(const void *a, const void *b)
{
    return memcmp(a, b, REHA_FRACTURE_FINGERPRINT_BYTES - 1);
}

/* How many of the pictures the model was trained on. */
static reha_status count_seen(const evaluation *run, size_t *out, reha_error *err)
{
    enum { LIST_BYTES_MAX = 1 << 26, LINE_BYTES = REHA_FRACTURE_FINGERPRINT_BYTES };
    uint8_t *list = NULL;
    size_t bytes = 0;
    reha_status status = REHA_OK;
    *out = 0;
    char *path = reha_path_join(run->model->folder, "training_images.txt");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    if (!reha_path_is_file(path)) {
        goto done;
    }
    REHA_CHECK(reha_file_load(path, LIST_BYTES_MAX, &list, &bytes, err));
    const size_t lines = bytes / LINE_BYTES;
    qsort(list, lines, LINE_BYTES, compare_prints);
    for (size_t i = 0; i < run->data.image_count; i++) {
        char print[REHA_FRACTURE_FINGERPRINT_BYTES];
        REHA_CHECK(reha_fracture_fingerprint(run->data.images[i].full_path, print, err));
        *out += bsearch(print, list, lines, LINE_BYTES, compare_prints) != NULL ? 1 : 0;
    }
done:
    reha_free(list);
    reha_free(path);
    return status;
}

/* ---- erasure ---- */

static uint32_t clamp_px(double value, uint32_t size)
{
    return value <= 0.0 ? 0 : value >= size - 1.0 ? size - 1 : (uint32_t)value;
}

/* Paints a box with the mean of the straight lines between its edges, across and down. */
static void paint_over(reha_gray *image, const reha_edges *box)
{
    const double mx = ERASE_MARGIN * (box->x1 - box->x0);
    const double my = ERASE_MARGIN * (box->y1 - box->y0);
    const uint32_t left = clamp_px((box->x0 - mx) * image->width_px, image->width_px);
    const uint32_t right = clamp_px((box->x1 + mx) * image->width_px, image->width_px);
    const uint32_t top = clamp_px((box->y0 - my) * image->height_px, image->height_px);
    const uint32_t bottom = clamp_px((box->y1 + my) * image->height_px, image->height_px);
    for (uint32_t y = top + 1; y < bottom; y++) {
        const float down = (float)(y - top) / (float)(bottom - top);
        for (uint32_t x = left + 1; x < right; x++) {
            const float across = (float)(x - left) / (float)(right - left);
            const float row =
                (1.0F - across) * reha_gray_at(image, left, y) + across * reha_gray_at(image, right, y);
            const float column =
                (1.0F - down) * reha_gray_at(image, x, top) + down * reha_gray_at(image, x, bottom);
            image->pixels[(size_t)y * image->width_px + x] = 0.5F * (row + column);
        }
    }
}

static reha_status judge_erased(evaluation *run, size_t index, reha_gray *image, reha_error *err)
{
    reha_found found[32];
    size_t count = 0;
    const reha_fracture_image *item = &run->data.images[index];
    run->erased[index] = (double)NAN;
    if (item->box_count == 0) {
        return REHA_OK;
    }
    for (size_t b = 0; b < item->box_count; b++) {
        paint_over(image, &run->data.boxes[item->first_box + b].edges);
    }
    REHA_TRY(reha_fracture_detect(detector_of(run, index), image, found, &count, err));
    run->erased[index] = count > 0 ? found[0].score : 0.0;
    return REHA_OK;
}

/* {"n", "auc": intact against erased, "fallen": share of pictures whose best score fell}. */
static reha_status erasure_json(const evaluation *run, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    const size_t images = run->data.image_count;
    size_t n = 0;
    double fallen = 0.0;
    double auc = (double)NAN;
    double *scores = reha_alloc_zero(2 * images + 1, sizeof *scores);
    int *labels = reha_alloc_zero(2 * images + 1, sizeof *labels);
    *out = NULL;
    if (scores == NULL || labels == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the erasure test");
        goto done;
    }
    for (size_t i = 0; i < images; i++) {
        if (isfinite(run->erased[i]) && run->width_px[i] > 0) {
            scores[2 * n] = run->best[i];
            labels[2 * n] = 1;
            scores[2 * n + 1] = run->erased[i];
            fallen += run->erased[i] < run->best[i] ? 1.0 : 0.0;
            n++;
        }
    }
    if (n > 0) {
        REHA_CHECK(reha_auc(scores, labels, 2 * n, &auc, err));
    }
    *out = json_pack(
        "{s:s, s:I, s:o, s:o}", "what",
        "drawn boxes painted over from their edges: the best score of the picture, intact against erased",
        "n", (json_int_t)n, "auc", reha_json_real(auc), "share_fallen",
        reha_json_real(n > 0 ? fallen / (double)n : (double)NAN));
done:
    reha_free(scores);
    reha_free(labels);
    return status;
}

static bool points_into(const evaluation *run, size_t image, const reha_edges *box)
{
    const reha_fracture_image *item = &run->data.images[image];
    const double x = 0.5 * (box->x0 + box->x1);
    const double y = 0.5 * (box->y0 + box->y1);
    bool is_inside = false;
    for (size_t b = 0; b < item->box_count; b++) {
        const reha_edges *drawn = &run->data.boxes[item->first_box + b].edges;
        is_inside = is_inside || (x >= drawn->x0 && x <= drawn->x1 && y >= drawn->y0 && y <= drawn->y1);
    }
    return is_inside;
}

/* The pointing game (Zhang et al. 2018): does the middle of the surest box lie in a drawn one? Beside it the
 * middle of the usual box, which looks at nothing. Intervals by bootstrap over groups. */
static reha_status pointing_json(const evaluation *run, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    const size_t count = run->data.image_count;
    double *hits = reha_alloc(
        2 * count * sizeof *hits); /* of the surest box, then of the usual one; NaN: nothing drawn */
    size_t *groups = reha_alloc(count * sizeof *groups);
    size_t at = 0;
    int n = 0;
    reha_estimate surest;
    reha_estimate usual;
    *out = NULL;
    if (hits == NULL || groups == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for the pointing game"));
    }
    for (size_t i = 0; i < count; i++) {
        const bool has_found = at < run->found_count && run->found[at].image_idx == i;
        const bool has_drawn = run->data.images[i].box_count > 0;
        n += has_drawn ? 1 : 0;
        groups[i] = run->data.images[i].group_idx;
        hits[i] = hits[count + i] = (double)NAN;
        if (has_drawn) {
            hits[i] = has_found && points_into(run, i, &run->found[at].box) ? 1.0 : 0.0;
            hits[count + i] = points_into(run, i, &run->model->card.usual_box) ? 1.0 : 0.0;
        }
        while (at < run->found_count && run->found[at].image_idx == i) {
            at++;
        }
    }
    const int rounds = run->options->bootstrap_rounds;
    REHA_CHECK(reha_mean_estimate(hits, groups, count, rounds, run->options->seed, &surest, err));
    REHA_CHECK(reha_mean_estimate(hits + count, groups, count, rounds, run->options->seed, &usual, err));
    *out =
        json_pack("{s:s, s:i, s:o, s:o}", "what", "the middle of the surest box lies in a drawn one", "n", n,
                  "surest_box", reha_estimate_to_json(&surest), "usual_box", reha_estimate_to_json(&usual));
    if (*out == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
    }
done:
    reha_free(hits);
    reha_free(groups);
    return status;
}

/* ---- all pictures ---- */

static reha_status judge_image(void *context, size_t index, reha_error *err)
{
    evaluation *run = context;
    reha_gray *image = NULL;
    reha_acquisition facts;
    reha_found *found = run->found + run->found_count;
    size_t count = 0;
    reha_status status =
        reha_load_readable(run->load, run->data.images[index].full_path, &image, &facts, err);
    REHA_TRY(status);
    if (image != NULL) {
        status = reha_fracture_detect(detector_of(run, index), image, found, &count, err);
    }
    if (image == NULL || reha_status_is_input_fault(status)) {
        run->unreadable++; /* its boxes count as missed */
        status = REHA_OK;
        goto done;
    }
    REHA_CHECK(status);
    run->width_px[index] = image->width_px;
    run->height_px[index] = image->height_px;
    run->best[index] = count > 0 ? found[0].score : 0.0;
    for (size_t k = 0; k < count; k++) {
        found[k].image_idx = index;
    }
    run->found_count += count;
    if (run->with_erasure) {
        REHA_CHECK(judge_erased(run, index, image, err));
    }
done:
    reha_gray_free(image);
    return status;
}

static reha_status judge_all(evaluation *run, const reha_progress *progress, reha_error *err)
{
    const size_t images = run->data.image_count;
    run->found = reha_alloc_zero(images * (size_t)run->model->card.view.boxes_max, sizeof *run->found);
    run->best = reha_alloc_zero(images, sizeof *run->best);
    run->erased = reha_alloc_zero(images, sizeof *run->erased);
    run->width_px = reha_alloc_zero(images, sizeof *run->width_px);
    run->height_px = reha_alloc_zero(images, sizeof *run->height_px);
    if (run->found == NULL || run->best == NULL || run->erased == NULL || run->width_px == NULL ||
        run->height_px == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pictures", images);
    }
    return reha_each(images, "pictures", progress, judge_image, run, err);
}

static void clear(evaluation *run)
{
    for (int i = 0; i < REHA_FRACTURE_FOLDS; i++) {
        reha_fracture_detector_clear(&run->folds[i]);
    }
    reha_free(run->fold_of_group);
    reha_free(run->found);
    reha_free(run->best);
    reha_free(run->erased);
    reha_free(run->width_px);
    reha_free(run->height_px);
    reha_fracture_truth_clear(&run->truth);
    reha_fracture_data_clear(&run->data);
}

static reha_status start(evaluation *run, reha_model *model, const reha_evaluate_options *options,
                         reha_error *err)
{
    *run = (evaluation){.model = model,
                        .options = options,
                        .load = options->load != NULL ? options->load : reha_load_picture};
    if (options->split != NULL && strcmp(options->split, HELD_OUT) != 0) {
        return reha_fail(err, REHA_E_ARG,
                         "no split '%.20s': leave it out, or 'held-out' for the model's own training folder",
                         options->split);
    }
    REHA_TRY(reha_fracture_data_load(options->data_folder, &run->data, err));
    REHA_TRY(reha_fracture_truth_init(&run->truth, &run->data, err));
    return options->split != NULL ? open_folds(run, err) : REHA_OK;
}

/* ---- reports ---- */

/* What every row of a picture begins with. */
static void add_picture(const evaluation *run, size_t index, reha_text *csv)
{
    const reha_fracture_image *image = &run->data.images[index];
    reha_csv_add_field(csv, image->path);
    reha_text_add(csv, ",");
    reha_csv_add_field(csv, image->group);
    reha_text_addf(csv, ",%zu,", image->box_count);
    if (run->width_px[index] > 0) {
        reha_text_addf(csv, "%.5f", run->best[index]);
    }
    reha_text_add(csv, ",");
    if (run->width_px[index] > 0 && isfinite(run->erased[index])) {
        reha_text_addf(csv, "%.5f", run->erased[index]);
    }
}

static void add_box(const evaluation *run, const reha_found *f, reha_text *csv)
{
    const reha_fracture_card *card = &run->model->card;
    const double width = run->width_px[f->image_idx];
    const double height = run->height_px[f->image_idx];
    const char *point = f->score >= card->points[REHA_FRACTURE_SPECIFIC].score_min    ? "high_specificity"
                        : f->score >= card->points[REHA_FRACTURE_SENSITIVE].score_min ? "high_sensitivity"
                                                                                      : "";
    reha_text_addf(csv, ",%.2f,%.2f,%.2f,%.2f,%.5f,%.5f,%s\n", f->box.x0 * width, f->box.y0 * height,
                   (f->box.x1 - f->box.x0) * width, (f->box.y1 - f->box.y0) * height, f->score,
                   reha_fracture_probability(card, f->score), point);
}

static reha_status save_predictions(const evaluation *run, reha_error *err)
{
    reha_text csv = {0};
    char *text = NULL;
    size_t at = 0;
    if (run->options->predictions_path == NULL) {
        return REHA_OK;
    }
    reha_text_add(&csv, "path,group,drawn_boxes,best_score,erased_score,x_px,y_px,width_px,height_px,score,"
                        "probability,operating_point\n");
    for (size_t i = 0; i < run->data.image_count; i++) {
        const size_t first = at;
        for (; at < run->found_count && run->found[at].image_idx == i; at++) {
            add_picture(run, i, &csv);
            add_box(run, &run->found[at], &csv);
        }
        if (at == first) {
            add_picture(run, i, &csv);
            reha_text_add(&csv, ",,,,,,,\n");
        }
    }
    REHA_TRY(reha_text_take(&csv, &text, err));
    const reha_status status = reha_file_save(run->options->predictions_path, text, strlen(text), err);
    reha_free(text);
    return status;
}

static void put_estimate(json_t *to, const char *name, const json_t *figures, const char *part,
                         const char *key)
{
    json_t *one = json_object_get(json_object_get(figures, part), key);
    if (one != NULL) {
        (void)json_object_set(to, name, one);
    }
}

/* The figures that people ask for first, by their usual names. */
static json_t *headline(const evaluation *run, const json_t *figures, const json_t *baseline)
{
    static const char half[] = "sensitivity_at_half_false_positive_per_image";
    json_t *to = json_pack("{s:I, s:I, s:I, s:I}", "n", (json_int_t)run->data.image_count, "groups",
                           (json_int_t)run->data.group_count, "boxes", (json_int_t)run->data.box_count,
                           "unreadable", (json_int_t)run->unreadable);
    put_estimate(to, "mAP50", figures, "iou_0.5", "average_precision");
    put_estimate(to, "sensitivity_at_0.5_fp", figures, "iou_0.5", half);
    put_estimate(to, "sensitivity_at_0.5_fp_iou_0.3", figures, "iou_hit", half);
    put_estimate(to, "mAP50_baseline", baseline, "iou_0.5", "average_precision");
    put_estimate(to, "sens_at_1_fp_baseline", baseline, "iou_0.5",
                 "sensitivity_at_one_false_positive_per_image");
    put_estimate(to, "fp_without_boxes", figures, "iou_0.5", "false_positives_per_image_without_boxes");
    return to;
}

static reha_status baseline_json(const evaluation *run, const reha_detections *set, json_t **out,
                                 reha_error *err)
{
    reha_edges *boxes = reha_alloc_zero(run->data.image_count, sizeof *boxes);
    if (boxes == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the baseline");
    }
    for (size_t i = 0; i < run->data.image_count; i++) {
        boxes[i] = run->model->card.usual_box;
    }
    const reha_status status = reha_fracture_baseline(
        set, boxes, run->model->card.iou_hit, run->options->bootstrap_rounds, run->options->seed, out, err);
    reha_free(boxes);
    return status;
}

static reha_status report_of(const evaluation *run, json_t **report, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *figures = NULL;
    json_t *baseline = NULL;
    json_t *erasure = NULL;
    json_t *pointing = NULL;
    size_t seen = 0;
    const reha_detections set =
        reha_fracture_detections(&run->data, &run->truth, run->found, run->found_count);
    REHA_CHECK(reha_fracture_figures(&run->data, &set, &run->model->card, run->options->bootstrap_rounds,
                                     run->options->seed, &figures, err));
    REHA_CHECK(baseline_json(run, &set, &baseline, err));
    REHA_CHECK(erasure_json(run, &erasure, err));
    REHA_CHECK(pointing_json(run, &pointing, err));
    REHA_CHECK(count_seen(run, &seen, err));
    const bool is_fair = run->fold_of_group != NULL || seen == 0;
    *report =
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:I, s:s, s:o, s:O, s:O, s:O, s:O}", "task",
                  "fracture", "status", "research only", "model", run->model->card.name, "version",
                  run->model->card.version, "data", reha_json_text(run->options->data_folder), "layout",
                  reha_fracture_layout_name(run->data.layout), "split",
                  run->fold_of_group != NULL ? "held-out (cross-validation)"
                  : is_fair                  ? "all"
                            : "all; SEEN IN TRAINING, figures optimistic: see the card's cross-validation",
                  "seen_in_training", (json_int_t)seen, "grouped_by", run->data.group_kind, "metrics",
                  headline(run, figures, baseline), "figures", figures, "baseline", baseline, "erasure",
                  erasure, "pointing", pointing);
    if (*report == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
    }
done:
    json_decref(figures);
    json_decref(baseline);
    json_decref(erasure);
    json_decref(pointing);
    return status;
}

reha_status reha_fracture_evaluate_(reha_model *model, const reha_evaluate_options *options,
                                    const reha_progress *progress, json_t **report, reha_error *err)
{
    evaluation run;
    *report = NULL;
    reha_status status = start(&run, model, options, err);
    if (status == REHA_OK) {
        run.with_erasure = true;
        status = judge_all(&run, progress, err);
    }
    if (status == REHA_OK) {
        status = save_predictions(&run, err);
    }
    if (status == REHA_OK) {
        status = report_of(&run, report, err);
    }
    clear(&run);
    return status;
}

reha_status reha_fracture_calibrate_(reha_model *model, const char *model_folder,
                                     const reha_evaluate_options *options, const reha_progress *progress,
                                     json_t **report, reha_error *err)
{
    evaluation run;
    size_t seen = 0;
    *report = NULL;
    reha_status status = start(&run, model, options, err);
    REHA_CHECK(status);
    REHA_CHECK(count_seen(&run, &seen, err));
    if (seen > 0 && run.fold_of_group == NULL) {
        status = reha_fail(
            err, REHA_E_CONFLICT,
            "%zu of %zu pictures were in the training: thresholds fitted to them would promise too much; "
            "give others, or --split held-out",
            seen, run.data.image_count);
        goto done;
    }
    if (run.data.box_count == 0) {
        status = reha_fail(err, REHA_E_FORMAT, "%s: no picture has a box: nothing to fit to",
                           options->data_folder);
        goto done;
    }
    REHA_CHECK(judge_all(&run, progress, err));
    const reha_detections set = reha_fracture_detections(&run.data, &run.truth, run.found, run.found_count);
    REHA_CHECK(reha_fracture_fit(&set, &model->card, err));
    REHA_CHECK(reha_fracture_figures(&run.data, &set, &model->card, options->bootstrap_rounds, options->seed,
                                     report, err));
    REHA_CHECK(reha_fracture_card_set_take(&model->card, "calibrated_on", json_incref(*report), err));
    REHA_CHECK(reha_fracture_card_save(&model->card, model_folder, err));
done:
    if (status != REHA_OK) {
        json_decref(*report);
        *report = NULL;
    }
    clear(&run);
    return status;
}
