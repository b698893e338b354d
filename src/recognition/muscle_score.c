#include "recognition/muscle_score.h"

#include "base/memory.h"
#include "base/random.h"
#include "image/resample.h"
#include "image/statistics.h"
#include "recognition/sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAP = REHA_MUSCLE_MAP_PX, MAP_COUNT = MAP * MAP };
static const float FASCICLE_GAIN = 2.5F; /* as in training: lines of a pixel become cells */
static const double DRAWN_LENGTH_MIN_PX = 8.0;
static const double SAME_LINE = 0.05; /* of the box's height: a labelled line this near is the measured one */

/* ---- One picture ---- */

static double bilinear(const float *map, double x, double y)
{
    const double cx = fmin(MAP - 1.0, fmax(0.0, x));
    const double cy = fmin(MAP - 1.0, fmax(0.0, y));
    const int ix = cx < MAP - 1 ? (int)cx : MAP - 2;
    const int iy = cy < MAP - 1 ? (int)cy : MAP - 2;
    const double fx = cx - ix;
    const double fy = cy - iy;
    const float *at = map + (ptrdiff_t)iy * MAP + ix;
    return (1.0 - fy) * ((1.0 - fx) * (double)at[0] + fx * (double)at[1]) +
           fy * ((1.0 - fx) * (double)at[MAP] + fx * (double)at[MAP + 1]);
}

static void overlap(double both, double sum, double *dice, double *iou)
{
    *dice = sum > 0.0 ? 2.0 * both / sum : 1.0;
    *iou = sum > 0.0 ? both / (sum - both) : 1.0;
}

/* Every pixel of the image against the mask as it was drawn. */
static void compare_pixels(const reha_gray *mask, float drawn, const reha_muscle_frame *frame,
                           const float *map, double *dice, double *iou)
{
    double both = 0.0;
    double sum = 0.0;
    for (uint32_t y = 0; y < mask->height_px; y++) {
        for (uint32_t x = 0; x < mask->width_px; x++) {
            const double u = (x + 0.5 - frame->box.x_px) / frame->box.width_px * MAP - 0.5;
            const double v = (y + 0.5 - frame->box.y_px) / frame->box.height_px * MAP - 0.5;
            const bool is_inside = u >= -0.5 && v >= -0.5 && u <= MAP - 0.5 && v <= MAP - 0.5;
            const bool is_found = is_inside && bilinear(map, u, v) > 0.5;
            const bool is_drawn = reha_gray_at(mask, x, y) > drawn;
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

static const reha_muscle_band *nearest_band(const reha_muscle_band *bands, int count,
                                            const reha_muscle_curve *curve, reha_muscle_edge edge,
                                            double within)
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
static reha_status compare_lines(const reha_muscle_frame *frame, const float *truth,
                                 const reha_muscle_measurement *m, double *values, reha_error *err)
{
    reha_muscle_band bands[REHA_MUSCLE_CURVES_MAX];
    int count = 0;
    REHA_TRY(reha_muscle_find_bands(truth, frame->box, 0.5, bands, &count, err));
    values[REHA_MUSCLE_SAME_BELLY] = 0.0;
    if (!m->has_superficial || !m->has_deep) {
        return REHA_OK;
    }
    const double within = SAME_LINE * frame->box.height_px;
    const reha_muscle_band *top = nearest_band(bands, count, &m->superficial, REHA_MUSCLE_LOWER_EDGE, within);
    const reha_muscle_band *bottom = nearest_band(bands, count, &m->deep, REHA_MUSCLE_UPPER_EDGE, within);
    if (top != NULL) {
        values[REHA_MUSCLE_SUPERFICIAL_ANGLE] = fabs(
            reha_muscle_angle_of_slope(top->edges[REHA_MUSCLE_LOWER_EDGE].slope) - m->superficial_angle_deg);
    }
    if (bottom != NULL) {
        values[REHA_MUSCLE_DEEP_ANGLE] =
            fabs(reha_muscle_angle_of_slope(bottom->edges[REHA_MUSCLE_UPPER_EDGE].slope) - m->deep_angle_deg);
    }
    if (top != NULL && bottom != NULL) {
        const double x = m->deep.x_middle;
        const double drawn = reha_muscle_curve_at(&bottom->edges[REHA_MUSCLE_UPPER_EDGE], x) -
                             reha_muscle_curve_at(&top->edges[REHA_MUSCLE_LOWER_EDGE], x);
        const double found = reha_muscle_curve_at(&m->deep, x) - reha_muscle_curve_at(&m->superficial, x);
        values[REHA_MUSCLE_THICKNESS] = fabs(found / drawn - 1.0);
        values[REHA_MUSCLE_SAME_BELLY] = 1.0;
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
    const reha_status status =
        reha_muscle_find_segments(&grid, 0.5, DRAWN_LENGTH_MIN_PX, segments, &count, err);
    if (status == REHA_OK && count > 0) {
        const double drawn = reha_muscle_median_angle(segments, count, &spread);
        values[REHA_MUSCLE_FASCICLE_ANGLE] = reha_muscle_angle_between(drawn, m->fascicle_angle_deg);
        values[REHA_MUSCLE_TEXTURE_ANGLE] = reha_muscle_angle_between(drawn, m->texture_angle_deg);
    }
    reha_free(segments);
    return status;
}

/* mask: of the size of the picture that was measured. */
static reha_status score_mask(const reha_muscle_case *read, reha_muscle_map structure, const reha_gray *mask,
                              float *truth, double *values, reha_error *err)
{
    const reha_muscle_frame *frame = &read->frame;
    const reha_gray_summary range = reha_gray_summarise(mask);
    const reha_tone tone = {0.0, range.high > 0.0F ? (double)range.high : 1.0};
    REHA_TRY(reha_sample_rect(mask, frame->box, REHA_BORDER_ZERO, tone, MAP, MAP, truth, err));
    if (structure == REHA_MUSCLE_APONEUROSIS) {
        compare_pixels(mask, 0.5F * range.high, frame, read->maps.mean[REHA_MUSCLE_APONEUROSIS],
                       &values[REHA_MUSCLE_DICE_APONEUROSIS], &values[REHA_MUSCLE_IOU_APONEUROSIS]);
        return compare_lines(frame, truth, &read->main, values, err);
    }
    for (int i = 0; i < MAP_COUNT; i++) {
        truth[i] = fminf(1.0F, FASCICLE_GAIN * truth[i]);
    }
    compare_cells(truth, read->maps.mean[REHA_MUSCLE_FASCICLE], &values[REHA_MUSCLE_DICE_FASCICLE],
                  &values[REHA_MUSCLE_IOU_FASCICLE]);
    return compare_fascicles(mask, &read->main, values, err);
}

reha_status reha_muscle_score(const reha_muscle_case *read, reha_muscle_map structure, const reha_gray *mask,
                              double *values, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *squared = NULL;
    float *truth = reha_alloc(MAP_COUNT * sizeof *truth);
    for (int f = 0; f < REHA_MUSCLE_FIGURES; f++) {
        values[f] = (double)NAN;
    }
    if (truth == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a mask");
    }
    if (read->squared != NULL) {
        REHA_CHECK(reha_gray_resize(mask, read->squared->width_px, read->squared->height_px,
                                    REHA_FILTER_LINEAR, &squared, err));
    }
    status = score_mask(read, structure, squared != NULL ? squared : mask, truth, values, err);
done:
    reha_gray_free(squared);
    reha_free(truth);
    return status;
}

/* ---- Figures ---- */

static int compare_doubles(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Mean over pictures; each picture counts as often as its group was drawn. */
static double weighted_mean(const reha_muscle_table *table, size_t column, const double *drawn, size_t *count)
{
    double sum = 0.0;
    double total = 0.0;
    *count = 0;
    for (size_t i = 0; i < table->data->count; i++) {
        const double value = table->values[i * table->stride + column];
        const double w = drawn != NULL ? drawn[table->data->items[i].group_idx] : 1.0;
        if (isfinite(value)) {
            sum += w * value;
            total += w;
            (*count)++;
        }
    }
    return total > 0.0 ? sum / total : (double)NAN;
}

static double upper_percentile(const reha_muscle_table *table, size_t column, double share, double *work)
{
    size_t count = 0;
    for (size_t i = 0; i < table->data->count; i++) {
        if (isfinite(table->values[i * table->stride + column])) {
            work[count++] = table->values[i * table->stride + column];
        }
    }
    qsort(work, count, sizeof *work, compare_doubles);
    return count > 0 ? work[(size_t)(share * (double)(count - 1) + 0.5)] : (double)NAN;
}

json_t *reha_muscle_estimate(const reha_muscle_table *table, size_t column)
{
    size_t count = 0;
    const size_t groups = table->data->group_count;
    const size_t rounds = table->bootstrap_rounds > 0 ? (size_t)table->bootstrap_rounds : 0;
    double *work = reha_alloc((rounds + table->data->count + 1) * sizeof *work);
    double *drawn = reha_alloc((groups + 1) * sizeof *drawn);
    json_t *out = NULL;
    if (work != NULL && drawn != NULL) {
        reha_random random = reha_random_init(table->seed, (uint64_t)column + 1);
        const double value = weighted_mean(table, column, NULL, &count);
        const double upper = upper_percentile(table, column, 0.95, work);
        double low = (double)NAN;
        double high = (double)NAN;
        size_t kept = 0;
        for (size_t r = 0; r < rounds; r++) {
            size_t unused = 0;
            memset(drawn, 0, groups * sizeof *drawn);
            for (size_t g = 0; g < groups; g++) {
                drawn[reha_random_below(&random, (uint32_t)groups)] += 1.0;
            }
            const double mean = weighted_mean(table, column, drawn, &unused);
            if (isfinite(mean)) {
                work[kept++] = mean;
            }
        }
        if (kept > 0) {
            qsort(work, kept, sizeof *work, compare_doubles);
            low = work[(size_t)(0.025 * (double)(kept - 1) + 0.5)];
            high = work[(size_t)(0.975 * (double)(kept - 1) + 0.5)];
        }
        out =
            json_pack("{s:o, s:o, s:o, s:i, s:o}", "value", reha_json_real(value), "low", reha_json_real(low),
                      "high", reha_json_real(high), "n", (int)count, "p95", reha_json_real(upper));
    }
    reha_free(work);
    reha_free(drawn);
    return out;
}
