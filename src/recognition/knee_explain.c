/* `evaluate knee-oa --explain`: which pictures, what each explanation is asked about, and where a reader
 * would look. The pictures go through the whole deployed path first, so that what is explained is what the
 * network got. */
#include "recognition/knee_oa_priv.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "nn/onnx.h"
#include "recognition/dataset.h"
#include "recognition/explain_evaluate.h"
#include "recognition/explain_target.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHUFFLED_MAX = 12, DISEASE_GRADE = 2, FEMUR_POINTS = REHA_KNEE_POINTS - REHA_KNEE_TIBIA_POINTS };
static const double EXPERT_RESIDUAL_MAX =
    0.06; /* plateau widths: beyond, the expert's points are of another frame */

typedef struct run {
    reha_model *model;
    const reha_evaluate_options *options;
    const reha_progress *progress;
    reha_dataset data;
    reha_csv *experts; /* NULL: the folder has no landmarks.csv */
    int knee_column, tibia_column, femur_column;
    reha_graph *graphs[REHA_KNEE_NETWORKS_MAX]; /* of the networks that vote and explain */
    int graph_count;
    reha_explain_study *study;
    bool *target;
    size_t expert_count, refused_count;
} run;

/* ---- Expert landmarks ---- */

static reha_status open_experts(run *of, reha_error *err)
{
    char *path = reha_path_join(of->options->data_folder, "landmarks.csv");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    reha_status status = REHA_OK;
    if (reha_path_is_file(path)) {
        status = reha_csv_load(path, &of->experts, err);
        if (status == REHA_OK) {
            status = reha_csv_need(of->experts, "knee_id", &of->knee_column, err);
        }
        if (status == REHA_OK) {
            status = reha_csv_need(of->experts, "tibia_xy9_roi466", &of->tibia_column, err);
        }
        if (status == REHA_OK) {
            status = reha_csv_need(of->experts, "femur_xy7_roi466", &of->femur_column, err);
        }
        if (status != REHA_OK) {
            reha_error_prefix(err, "%s", path);
        }
    }
    reha_free(path);
    return status;
}

/* "x,y,x,y,...": exactly `count` points. */
static bool parse_points(const char *text, reha_point_px *out, int count)
{
    for (int i = 0; i < 2 * count; i++) {
        char number[32];
        const size_t length = strcspn(text, ",");
        double value = 0.0;
        if (length == 0 || length >= sizeof number) {
            return false;
        }
        memcpy(number, text, length);
        number[length] = '\0';
        if (!reha_parse_double(number, true, &value)) {
            return false;
        }
        *(i % 2 == 0 ? &out[i / 2].x_px : &out[i / 2].y_px) = value;
        text += length + (text[length] == ',' ? 1 : 0);
    }
    return *text == '\0';
}

/* *has: the folder knows this knee's landmarks. A line that cannot be read is the folder's fault. */
static reha_status expert_points(const run *of, const char *knee_id, reha_point_px *out, bool *has,
                                 reha_error *err)
{
    *has = false;
    for (size_t row = 0; of->experts != NULL && row < reha_csv_rows(of->experts); row++) {
        if (strcmp(reha_csv_get(of->experts, row, of->knee_column), knee_id) != 0) {
            continue;
        }
        if (!parse_points(reha_csv_get(of->experts, row, of->tibia_column), out, REHA_KNEE_TIBIA_POINTS) ||
            !parse_points(reha_csv_get(of->experts, row, of->femur_column), out + REHA_KNEE_TIBIA_POINTS,
                          FEMUR_POINTS)) {
            return reha_fail(err, REHA_E_FORMAT, "landmarks.csv, line %zu: not 9 and 7 points as x,y,x,y,...",
                             reha_csv_line(of->experts, row));
        }
        *has = true;
        return REHA_OK;
    }
    return REHA_OK;
}

/* ---- One picture ---- */

/* The region's landmarks in pixels of the network's window. */
static void to_window(const run *of, const reha_region *region, reha_point_px *out)
{
    const reha_box_px *box = &region->explanation_box;
    const double angle = -region->explanation_angle_deg * (3.14159265358979323846 / 180.0);
    const double scale = reha_explain_study_width(of->study) / box->width_px;
    for (int i = 0; i < REHA_KNEE_POINTS; i++) {
        const double x = region->points[i].x_px + 0.5 - box->x_px - 0.5 * box->width_px;
        const double y = region->points[i].y_px + 0.5 - box->y_px - 0.5 * box->height_px;
        out[i].x_px =
            scale * (cos(angle) * x - sin(angle) * y) + 0.5 * (reha_explain_study_width(of->study) - 1);
        out[i].y_px =
            scale * (sin(angle) * x + cos(angle) * y) + 0.5 * (reha_explain_study_height(of->study) - 1);
    }
}

static reha_status find_target(run *of, const reha_labelled *item, const reha_region *region,
                               reha_explain_case *one, reha_error *err)
{
    reha_point_px model[REHA_KNEE_POINTS];
    reha_point_px expert[REHA_KNEE_POINTS];
    bool has_expert = false;
    if (region->point_count != REHA_KNEE_POINTS) {
        return REHA_OK;
    }
    to_window(of, region, model);
    REHA_TRY(expert_points(of, item->knee_id, expert, &has_expert, err));
    if (has_expert) {
        double residual = (double)NAN;
        reha_point_px placed[REHA_KNEE_POINTS];
        REHA_TRY(reha_explain_place_points(expert, model, placed, &residual, err));
        if (residual <= EXPERT_RESIDUAL_MAX) {
            memcpy(model, placed, sizeof model);
            of->expert_count++;
        }
    }
    one->target_share = reha_explain_joint_target(model, reha_explain_study_width(of->study),
                                                  reha_explain_study_height(of->study), of->target);
    one->target = of->target;
    return REHA_OK;
}

/* The one accepted knee; NULL where none or two are: the window kept is then not for certain this one's. */
static const reha_region *only_region(const reha_analysis *analysis)
{
    const reha_region *only = NULL;
    for (int i = 0; i < analysis->region_count; i++) {
        if (analysis->regions[i].is_accepted) {
            if (only != NULL) {
                return NULL;
            }
            only = &analysis->regions[i];
        }
    }
    return only;
}

static reha_status measure_one(run *of, const reha_labelled *item, reha_error *err)
{
    reha_gray *image = NULL;
    reha_analysis *analysis = NULL;
    reha_acquisition facts = reha_acquisition_unknown();
    reha_error fault = REHA_ERROR_INIT;
    const reha_load_function load = of->options->load != NULL ? of->options->load : reha_load_picture;
    const reha_analyse_options how = {
        .with_explanation = true, .side_hint = item->side, .side_source = "labels.csv"};
    reha_status status = load(item->full_path, &image, &facts, &fault);
    if (status != REHA_OK) {
        of->refused_count++;
        return reha_status_is_input_fault(status) ? REHA_OK : reha_fail(err, status, "%s", fault.text);
    }
    REHA_CHECK(reha_recogniser_knee_oa.analyse(of->model, image, &facts, &how, &analysis, err));
    const reha_region *region = only_region(analysis);
    const reha_finding *grade = region != NULL ? reha_region_find(region, "kl-grade") : NULL;
    if (grade == NULL) {
        of->refused_count++;
        goto done;
    }
    reha_explain_case one = {.picture = of->model->windows,
                             .class_idx = grade->grade,
                             .patient_idx = item->patient_idx,
                             .is_ill = grade->grade >= DISEASE_GRADE};
    REHA_CHECK(find_target(of, item, region, &one, err));
    REHA_CHECK(reha_explain_study_add(of->study, &one, err));
done:
    reha_analysis_free(analysis);
    reha_gray_free(image);
    return status;
}

/* ---- All of them ---- */

static reha_status open_study(run *of, size_t count, reha_error *err)
{
    reha_explain_network networks[REHA_KNEE_NETWORKS_MAX];
    for (int i = 0; i < of->model->card.network_count && of->model->explains; i++) {
        const reha_knee_network *one = &of->model->card.networks[i];
        if (one->role != REHA_KNEE_KL || one->explain_node[0] == '\0') {
            continue;
        }
        char *path = reha_path_join(of->model->folder, one->file);
        if (path == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
        }
        const reha_status status = reha_onnx_load(path, NULL, &of->graphs[of->graph_count], err);
        reha_free(path);
        REHA_TRY(status);
        /* int8 ranges belong to the true weights, and the shuffled networks are to be judged by the same
         * numbers. */
        networks[of->graph_count] =
            (reha_explain_network){.graph = of->graphs[of->graph_count],
                                   .node = one->explain_node,
                                   .input_offset = (float)one->input_offset,
                                   .input_gain = (float)one->input_gain,
                                   .weight = one->weight,
                                   .precision = one->precision == REHA_INT8 ? REHA_BF16 : one->precision,
                                   .threads = 1};
        of->graph_count++;
    }
    if (of->graph_count == 0) {
        return reha_fail(err, REHA_E_ARG, "this model explains nothing: its card names no explain_node");
    }
    REHA_TRY(reha_explain_study_new(networks, of->graph_count, count, SHUFFLED_MAX, &of->study, err));
    of->target = reha_alloc_zero((size_t)reha_explain_study_width(of->study) *
                                     (size_t)reha_explain_study_height(of->study),
                                 sizeof(bool));
    return of->target != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a target");
}

static reha_status measure_all(run *of, const size_t *order, size_t count, reha_error *err)
{
    const double start_ms = reha_clock_ms();
    const reha_progress *progress = of->progress;
    for (size_t i = 0; i < count; i++) {
        REHA_TRY(measure_one(of, &of->data.items[order[i]], err));
        if (reha_progress_is_stopped(progress)) {
            return reha_fail(err, REHA_E_CANCELLED, "stopped after %zu of %zu explanations", i + 1, count);
        }
        if (progress != NULL && progress->update != NULL) {
            const double rate = (double)(i + 1) / (1e-3 * (reha_clock_ms() - start_ms));
            progress->update(progress->context, (double)(i + 1), (double)count, "explanations", rate,
                             (double)(count - i - 1) / rate, "");
        }
    }
    return REHA_OK;
}

static void add_words(const run *of, json_t *report)
{
    (void)json_object_set_new(
        report, "explained",
        json_string(
            "log of the probability that the networks together give the told grade, of the unmirrored picture"));
    (void)json_object_set_new(
        report, "target",
        json_string("joint line (within 3 mm of the space between tibia and femur) and margins "
                    "(within 7 mm of the four outermost landmarks), for a plateau of 79 mm"));
    (void)json_object_set_new(report, "n_expert_landmarks", json_integer((json_int_t)of->expert_count));
    (void)json_object_set_new(report, "n_left_out", json_integer((json_int_t)of->refused_count));
    (void)json_object_set_new(report, "split",
                              json_string(of->options->split != NULL ? of->options->split : "all"));
    (void)json_object_set_new(report, "seed", json_integer((json_int_t)of->options->seed));
}

reha_status reha_knee_explain_measure_(reha_model *model, const reha_evaluate_options *options,
                                       const reha_progress *progress, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    run of = {.model = model, .options = options, .progress = progress};
    size_t *order = NULL;
    *out = NULL;
    REHA_CHECK(reha_dataset_load(options->data_folder, options->split, &of.data, err));
    REHA_CHECK(open_experts(&of, err));
    order = reha_alloc(of.data.count * sizeof *order);
    if (order == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", of.data.count));
    }
    for (size_t i = 0; i < of.data.count; i++) {
        order[i] = i;
    }
    reha_random random = reha_random_init(options->seed, 31);
    reha_random_shuffle(&random, order, of.data.count);
    const size_t count = options->explain_max > 0 && options->explain_max < of.data.count
                             ? options->explain_max
                             : of.data.count;
    REHA_CHECK(open_study(&of, count, err));
    REHA_CHECK(measure_all(&of, order, count, err));
    REHA_CHECK(
        reha_explain_study_finish(of.study, options->bootstrap_rounds, options->seed, progress, out, err));
    add_words(&of, *out);
done:
    reha_explain_study_free(of.study);
    for (int i = 0; i < of.graph_count; i++) {
        reha_graph_free(of.graphs[i]);
    }
    reha_csv_free(of.experts);
    reha_free(of.target);
    reha_free(order);
    reha_dataset_clear(&of.data);
    return status;
}
