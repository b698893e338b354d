/* `evaluate muscle-us`: the maps against masks, and what is measured from them against the same measurement of the
 * masks. Similarity groups, not pictures, are drawn for the intervals: frames of one video are not independent. */
#include "recognition/muscle_us_priv.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "image/statistics.h"
#include "recognition/muscle_card.h"
#include "recognition/muscle_data.h"
#include "recognition/sampling.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAP = REHA_MUSCLE_MAP_PX, MAP_COUNT = MAP * MAP };
static const float FASCICLE_GAIN = 2.5F; /* as in training: lines of a pixel become cells */
static const double DRAWN_LENGTH_MIN_PX = 8.0;
static const double SAME_LINE = 0.05;    /* of the box's height: a labelled line this near is the measured one */

typedef enum figure {
    DICE_APONEUROSIS,
    IOU_APONEUROSIS,
    DICE_FASCICLE,
    IOU_FASCICLE,
    SUPERFICIAL_ANGLE,
    DEEP_ANGLE,
    THICKNESS,
    SAME_BELLY,
    FASCICLE_ANGLE,
    TEXTURE_ANGLE,
    TIME,
    FIGURES
} figure;

static const char *const figure_names[FIGURES] = {"dice_aponeurosis",
                                                  "iou_aponeurosis",
                                                  "dice_fascicle",
                                                  "iou_fascicle",
                                                  "superficial_angle_error_deg",
                                                  "deep_angle_error_deg",
                                                  "thickness_error_ratio",
                                                  "same_belly",
                                                  "fascicle_angle_error_deg",
                                                  "texture_angle_error_deg",
                                                  "milliseconds"};

typedef struct evaluation {
    reha_model *model;
    const reha_evaluate_options *options;
    reha_muscle_data data;
    double *values; /* count x FIGURES, NaN where it does not apply */
    uint32_t (*sizes)[2]; /* width and height of each picture, pixels */
    reha_text table;
    size_t refused;
} evaluation;

/* ---- one picture ---------------------------------------------------------------------------------- */

static double bilinear(const float *map, double x, double y)
{
    const double cx = fmin(MAP - 1.0, fmax(0.0, x));
    const double cy = fmin(MAP - 1.0, fmax(0.0, y));
    const int ix = cx < MAP - 1 ? (int)cx : MAP - 2;
    const int iy = cy < MAP - 1 ? (int)cy : MAP - 2;
    const double fx = cx - ix;
    const double fy = cy - iy;
    const float *at = map + iy * MAP + ix;
    return (1.0 - fy) * ((1.0 - fx) * (double)at[0] + fx * (double)at[1]) +
           fy * ((1.0 - fx) * (double)at[MAP] + fx * (double)at[MAP + 1]);
}

static void overlap(double both, double sum, double *dice, double *iou)
{
    *dice = sum > 0.0 ? 2.0 * both / sum : 1.0;
    *iou = sum > 0.0 ? both / (sum - both) : 1.0;
}

/* Every pixel of the image against the mask as it was drawn. */
static void compare_pixels(const reha_gray *mask, const reha_muscle_frame *frame, const float *map, double *dice,
                           double *iou)
{
    double both = 0.0;
    double sum = 0.0;
    for (uint32_t y = 0; y < mask->height_px; y++) {
        for (uint32_t x = 0; x < mask->width_px; x++) {
            const double u = (x + 0.5 - frame->box.x_px) / frame->box.width_px * MAP - 0.5;
            const double v = (y + 0.5 - frame->box.y_px) / frame->box.height_px * MAP - 0.5;
            const bool is_inside = u >= -0.5 && v >= -0.5 && u <= MAP - 0.5 && v <= MAP - 0.5;
            const bool is_found = is_inside && bilinear(map, u, v) > 0.5;
            const bool is_drawn = reha_gray_at(mask, x, y) > 0.0F;
            both += is_found && is_drawn ? 1.0 : 0.0;
            sum += (is_found ? 1.0 : 0.0) + (is_drawn ? 1.0 : 0.0);
        }
    }
    overlap(both, sum, dice, iou);
}

/* Fascicles are drawn as thin lines: compared on the network's grid. */
static void compare_cells(const float *truth, const float *map, double *dice, double *iou)
{
    double both = 0.0;
    double sum = 0.0;
    for (int i = 0; i < MAP_COUNT; i++) {
        const double t = truth[i] > 0.5F ? 1.0 : 0.0;
        const double p = map[i] > 0.5F ? 1.0 : 0.0;
        both += t * p;
        sum += t + p;
    }
    overlap(both, sum, dice, iou);
}

static double angle_between(double a, double b)
{
    const double d = a - b;
    return fabs(d - 180.0 * floor((d + 90.0) / 180.0));
}

static const reha_muscle_band *nearest_band(const reha_muscle_band *bands, int count, const reha_muscle_curve *curve,
                                            reha_muscle_edge edge, double within)
{
    const reha_muscle_band *best = NULL;
    double least = within;
    for (int i = 0; i < count; i++) {
        const double off = fabs(reha_muscle_curve_at(&bands[i].edges[edge], curve->x_middle) -
                                reha_muscle_curve_at(curve, curve->x_middle));
        if (off < least) {
            least = off;
            best = &bands[i];
        }
    }
    return best;
}

/* The lines of the drawn mask, found as those of the network's map are. */
static reha_status compare_lines(const reha_muscle_frame *frame, const float *truth, const reha_muscle_measurement *m,
                                 double *values, reha_error *err)
{
    reha_muscle_band bands[REHA_MUSCLE_CURVES_MAX];
    int count = 0;
    REHA_TRY(reha_muscle_find_bands(truth, frame->box, 0.5, bands, &count, err));
    values[SAME_BELLY] = 0.0;
    if (!m->has_superficial || !m->has_deep) {
        return REHA_OK;
    }
    const double within = SAME_LINE * frame->box.height_px;
    const reha_muscle_band *top = nearest_band(bands, count, &m->superficial, REHA_MUSCLE_LOWER_EDGE, within);
    const reha_muscle_band *bottom = nearest_band(bands, count, &m->deep, REHA_MUSCLE_UPPER_EDGE, within);
    if (top != NULL) {
        values[SUPERFICIAL_ANGLE] =
            fabs(reha_muscle_angle_of_slope(top->edges[REHA_MUSCLE_LOWER_EDGE].slope) - m->superficial_angle_deg);
    }
    if (bottom != NULL) {
        values[DEEP_ANGLE] =
            fabs(reha_muscle_angle_of_slope(bottom->edges[REHA_MUSCLE_UPPER_EDGE].slope) - m->deep_angle_deg);
    }
    if (top != NULL && bottom != NULL) {
        const double x = m->deep.x_middle;
        const double drawn = reha_muscle_curve_at(&bottom->edges[REHA_MUSCLE_UPPER_EDGE], x) -
                             reha_muscle_curve_at(&top->edges[REHA_MUSCLE_LOWER_EDGE], x);
        const double found = reha_muscle_curve_at(&m->deep, x) - reha_muscle_curve_at(&m->superficial, x);
        values[THICKNESS] = fabs(found / drawn - 1.0);
        values[SAME_BELLY] = 1.0;
    }
    return REHA_OK;
}

/* The drawn lines themselves, at the image's resolution. */
static reha_status compare_fascicles(const reha_gray *mask, const reha_muscle_measurement *m, double *values,
                                     reha_error *err)
{
    double spread = 0.0;
    int count = 0;
    const reha_box_px whole = {0, 0, mask->width_px, mask->height_px};
    const reha_muscle_grid grid = {mask->pixels, (int)mask->width_px, (int)mask->height_px, whole};
    reha_muscle_segment *segments = reha_alloc(REHA_MUSCLE_SEGMENTS_MAX * sizeof *segments);
    if (segments == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the fascicles of a picture");
    }
    const reha_status status = reha_muscle_find_segments(&grid, 0.5, DRAWN_LENGTH_MIN_PX, segments, &count, err);
    if (status == REHA_OK && count > 0) {
        const double drawn = reha_muscle_median_angle(segments, count, &spread);
        values[FASCICLE_ANGLE] = angle_between(drawn, m->fascicle_angle_deg);
        values[TEXTURE_ANGLE] = angle_between(drawn, m->texture_angle_deg);
    }
    reha_free(segments);
    return status;
}

static void add_row(evaluation *run, const reha_muscle_item *item, const reha_muscle_measurement *m,
                    const uint32_t *size, const double *values)
{
    const bool is_fascicle = item->structure == REHA_MUSCLE_FASCICLE;
    reha_text_add(&run->table, is_fascicle ? "fascicle," : "aponeurosis,");
    reha_csv_add_field(&run->table, item->image);
    reha_text_addf(&run->table, ",%u,%u", size[0], size[1]);
    const double cells[] = {(double)item->group_idx, values[is_fascicle ? DICE_FASCICLE : DICE_APONEUROSIS],
                            values[is_fascicle ? IOU_FASCICLE : IOU_APONEUROSIS], m->fascicle_angle_deg,
                            m->superficial_angle_deg, m->deep_angle_deg, m->pennation_deg, m->thickness_px, m->length_px,
                            m->length_curved_px, m->length_outside, m->echo_mean, m->texture_angle_deg,
                            values[SUPERFICIAL_ANGLE], values[DEEP_ANGLE], values[THICKNESS], values[FASCICLE_ANGLE]};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        if (isfinite(cells[i])) {
            reha_text_addf(&run->table, ",%.4g", cells[i]);
        } else {
            reha_text_add(&run->table, ",");
        }
    }
    reha_text_add(&run->table, "\n");
}

static reha_status measure_one(evaluation *run, const reha_muscle_item *item, const reha_gray *image,
                               const reha_gray *mask, double *values, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_muscle_frame frame;
    reha_muscle_measurement m;
    reha_muscle_maps maps = {0};
    float *truth = reha_alloc(MAP_COUNT * sizeof *truth);
    if (truth == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a mask");
    }
    const double start_ms = reha_clock_ms();
    REHA_CHECK(reha_muscle_frame_find(image, &frame, err));
    REHA_CHECK(reha_muscle_model_run(run->model, image, &frame, &maps, err));
    REHA_CHECK(reha_muscle_measure(image, &frame, maps.mean[REHA_MUSCLE_APONEUROSIS], maps.mean[REHA_MUSCLE_FASCICLE], &m,
                                   err));
    values[TIME] = reha_clock_ms() - start_ms;
    const reha_gray_summary range = reha_gray_summarise(mask);
    const reha_tone tone = {0.0, range.high > 0.0F ? (double)range.high : 1.0};
    REHA_CHECK(reha_sample_rect(mask, frame.box, REHA_BORDER_ZERO, tone, MAP, MAP, truth, err));
    if (item->structure == REHA_MUSCLE_APONEUROSIS) {
        compare_pixels(mask, &frame, maps.mean[REHA_MUSCLE_APONEUROSIS], &values[DICE_APONEUROSIS],
                       &values[IOU_APONEUROSIS]);
        REHA_CHECK(compare_lines(&frame, truth, &m, values, err));
    } else {
        for (int i = 0; i < MAP_COUNT; i++) {
            truth[i] = fminf(1.0F, FASCICLE_GAIN * truth[i]);
        }
        compare_cells(truth, maps.mean[REHA_MUSCLE_FASCICLE], &values[DICE_FASCICLE], &values[IOU_FASCICLE]);
        REHA_CHECK(compare_fascicles(mask, &m, values, err));
    }
    run->refused += m.has_superficial || m.has_deep ? 0 : 1;
    add_row(run, item, &m, (const uint32_t[]){image->width_px, image->height_px}, values);
done:
    reha_muscle_maps_clear(&maps);
    reha_free(truth);
    return status;
}

static reha_status evaluate_one(evaluation *run, size_t index, reha_error *err)
{
    const reha_muscle_item *item = &run->data.items[index];
    const reha_load_function load = run->options->load != NULL ? run->options->load : reha_load_picture;
    double *values = run->values + index * FIGURES;
    reha_status status = REHA_OK;
    reha_gray *image = NULL;
    reha_gray *mask = NULL;
    reha_acquisition facts;
    for (int f = 0; f < FIGURES; f++) {
        values[f] = (double)NAN;
    }
    REHA_CHECK(load(item->image_path, &image, &facts, err));
    REHA_CHECK(load(item->mask_path, &mask, &facts, err));
    if (mask->width_px != image->width_px || mask->height_px != image->height_px) {
        status = reha_fail(err, REHA_E_FORMAT, "the mask is %u x %u px, the image %u x %u", mask->width_px,
                           mask->height_px, image->width_px, image->height_px);
        goto done;
    }
    run->sizes[index][0] = image->width_px;
    run->sizes[index][1] = image->height_px;
    status = measure_one(run, item, image, mask, values, err);
done:
    reha_gray_free(image);
    reha_gray_free(mask);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", item->image);
    }
    return status;
}

/* ---- figures -------------------------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Mean over pictures; each picture counts as often as its group was drawn. */
static double weighted_mean(const evaluation *run, figure which, const double *drawn, size_t *count)
{
    double sum = 0.0;
    double total = 0.0;
    *count = 0;
    for (size_t i = 0; i < run->data.count; i++) {
        const double value = run->values[i * FIGURES + which];
        const double w = drawn != NULL ? drawn[run->data.items[i].group_idx] : 1.0;
        if (isfinite(value)) {
            sum += w * value;
            total += w;
            (*count)++;
        }
    }
    return total > 0.0 ? sum / total : (double)NAN;
}

static double upper_percentile(const evaluation *run, figure which, double share, double *work)
{
    size_t count = 0;
    for (size_t i = 0; i < run->data.count; i++) {
        if (isfinite(run->values[i * FIGURES + which])) {
            work[count++] = run->values[i * FIGURES + which];
        }
    }
    qsort(work, count, sizeof *work, compare_doubles);
    return count > 0 ? work[(size_t)(share * (double)(count - 1) + 0.5)] : (double)NAN;
}

/* work: the larger of rounds and data.count numbers; drawn: group_count. */
static json_t *estimate(const evaluation *run, figure which, double *work, double *drawn)
{
    size_t count = 0;
    const size_t groups = run->data.group_count;
    const int rounds = run->options->bootstrap_rounds;
    reha_random random = reha_random_init(run->options->seed, (uint64_t)which + 1);
    const double value = weighted_mean(run, which, NULL, &count);
    const double upper = upper_percentile(run, which, 0.95, work);
    double low = (double)NAN;
    double high = (double)NAN;
    int kept = 0;
    for (int r = 0; r < rounds; r++) {
        size_t unused = 0;
        memset(drawn, 0, groups * sizeof *drawn);
        for (size_t g = 0; g < groups; g++) {
            drawn[reha_random_below(&random, (uint32_t)groups)] += 1.0;
        }
        const double mean = weighted_mean(run, which, drawn, &unused);
        if (isfinite(mean)) {
            work[kept++] = mean;
        }
    }
    if (kept > 0) {
        qsort(work, (size_t)kept, sizeof *work, compare_doubles);
        low = work[(size_t)(0.025 * (kept - 1) + 0.5)];
        high = work[(size_t)(0.975 * (kept - 1) + 0.5)];
    }
    return json_pack("{s:o, s:o, s:o, s:i, s:o}", "value", reha_json_real(value), "low", reha_json_real(low), "high",
                     reha_json_real(high), "n", (int)count, "p95", reha_json_real(upper));
}

/* Mean of one figure over the pictures of one size, and how many they are. */
static json_t *mean_of_size(const evaluation *run, figure which, const uint32_t *size)
{
    double sum = 0.0;
    int count = 0;
    for (size_t i = 0; i < run->data.count; i++) {
        const double value = run->values[i * FIGURES + which];
        if (memcmp(run->sizes[i], size, sizeof run->sizes[i]) == 0 && isfinite(value)) {
            sum += value;
            count++;
        }
    }
    return json_pack("{s:o, s:i}", "value", reha_json_real(count > 0 ? sum / count : (double)NAN), "n", count);
}

/* Neither device nor muscle is recorded: the size of the pictures is what tells one scanner's export from another's. */
static json_t *by_size(const evaluation *run)
{
    json_t *groups = json_array();
    for (size_t i = 0; i < run->data.count; i++) {
        bool is_known = false;
        for (size_t k = 0; k < i && !is_known; k++) {
            is_known = memcmp(run->sizes[k], run->sizes[i], sizeof run->sizes[i]) == 0;
        }
        if (is_known) {
            continue;
        }
        json_t *one = json_pack("{s:s, s:i, s:i}", "by", "image size", "width_px", (int)run->sizes[i][0], "height_px",
                                (int)run->sizes[i][1]);
        for (int f = 0; f < FIGURES; f++) {
            (void)json_object_set_new(one, figure_names[f], mean_of_size(run, (figure)f, run->sizes[i]));
        }
        (void)json_array_append_new(groups, one);
    }
    return groups;
}

static reha_status make_report(const evaluation *run, json_t **out, reha_error *err)
{
    const size_t rounds = run->options->bootstrap_rounds > 0 ? (size_t)run->options->bootstrap_rounds : 1;
    double *work = reha_alloc((rounds > run->data.count ? rounds : run->data.count) * sizeof *work);
    double *drawn = reha_alloc((run->data.group_count + 1) * sizeof *drawn);
    json_t *metrics = json_pack("{s:i, s:i, s:i}", "n", (int)run->data.count, "groups", (int)run->data.group_count, "refused",
                                (int)run->refused);
    if (work != NULL && drawn != NULL) {
        for (int f = 0; f < FIGURES; f++) {
            (void)json_object_set_new(metrics, figure_names[f], estimate(run, (figure)f, work, drawn));
        }
        *out = json_pack("{s:s, s:o, s:s, s:i, s:s, s:O, s:o}", "task", "muscle-us", "data",
                         reha_json_text(run->options->data_folder), "split",
                         run->options->split != NULL ? run->options->split : "all", "bootstrap_rounds",
                         run->options->bootstrap_rounds, "interval", "95 % by bootstrap over similarity groups", "metrics",
                         metrics, "subgroups", by_size(run));
    }
    reha_free(work);
    reha_free(drawn);
    json_decref(metrics);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
}

reha_status reha_muscle_evaluate(reha_model *model, const reha_evaluate_options *options,
                                 const reha_progress *progress, json_t **report, reha_error *err)
{
    reha_status status = REHA_OK;
    evaluation run = {.model = model, .options = options};
    const double start_ms = reha_clock_ms();
    *report = NULL;
    REHA_TRY(reha_muscle_data_load(options->data_folder, options->split, &run.data, err));
    reha_text_add(&run.table, "structure,image,width_px,height_px,group,dice,iou,fascicle_angle_deg,superficial_aponeurosis_angle_deg,"
                              "deep_aponeurosis_angle_deg,pennation_deg,thickness_px,fascicle_length_px,"
                              "fascicle_length_curved_px,fascicle_length_extrapolated,echo_intensity,texture_angle_deg,"
                              "superficial_angle_error_deg,deep_angle_error_deg,thickness_error_ratio,"
                              "fascicle_angle_error_deg\n");
    run.values = reha_alloc(run.data.count * FIGURES * sizeof *run.values);
    run.sizes = reha_alloc_zero(run.data.count, sizeof *run.sizes);
    if (run.values == NULL || run.sizes == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu results", run.data.count);
        goto done;
    }
    for (size_t i = 0; i < run.data.count; i++) {
        if (reha_progress_is_stopped(progress)) {
            status = reha_fail(err, REHA_E_CANCELLED, "stopped after %zu of %zu images", i, run.data.count);
            goto done;
        }
        REHA_CHECK(evaluate_one(&run, i, err));
        reha_progress_tell(progress, i + 1, run.data.count, "images", start_ms);
    }
    if (options->predictions_path != NULL) {
        REHA_CHECK(reha_file_save(options->predictions_path, run.table.data, run.table.length, err));
    }
    status = make_report(&run, report, err);
done:
    reha_text_clear(&run.table);
    reha_free(run.values);
    reha_free(run.sizes);
    reha_muscle_data_clear(&run.data);
    return status;
}

static double p95_of(const json_t *metrics, const char *key)
{
    return reha_json_number(json_object_get(metrics, key), "p95", (double)NAN);
}

reha_status reha_muscle_calibrate(reha_model *model, const char *model_folder, const reha_evaluate_options *options,
                                  const reha_progress *progress, json_t **report, reha_error *err)
{
    REHA_TRY(reha_muscle_evaluate(model, options, progress, report, err));
    json_t *metrics = json_object_get(*report, "metrics");
    const double aponeurosis = fmax(p95_of(metrics, figure_names[SUPERFICIAL_ANGLE]), p95_of(metrics, figure_names[DEEP_ANGLE]));
    json_t *errors = json_pack("{s:o, s:o, s:o}", "fascicle_angle_deg",
                               reha_json_real(p95_of(metrics, figure_names[FASCICLE_ANGLE])), "aponeurosis_angle_deg",
                               reha_json_real(aponeurosis), "thickness_ratio",
                               reha_json_real(p95_of(metrics, figure_names[THICKNESS])));
    reha_status status = REHA_OK;
    if (json_object_set_new(model->card, "measurement_error_95", errors) != 0 ||
        json_object_set(model->card, "metrics", metrics) != 0 ||
        json_object_set_new(metrics, "split", json_string(options->split != NULL ? options->split : "all")) != 0) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the card");
    } else {
        status = reha_muscle_card_save(model_folder, model->card, err);
    }
    if (status != REHA_OK) {
        json_decref(*report);
        *report = NULL;
    }
    return status;
}
