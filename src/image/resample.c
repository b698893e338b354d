/* Crop, resize, flip, turn. Warping is in warp.c. */
#include "image/resample.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

reha_box_px reha_gray_box(const reha_gray *image)
{
    return (reha_box_px){-0.5, -0.5, (double)image->width_px, (double)image->height_px};
}

static int64_t clamp_index(int64_t i, uint32_t count)
{
    return i < 0 ? 0 : i >= (int64_t)count ? (int64_t)count - 1 : i;
}

reha_status reha_gray_crop(const reha_gray *image, int64_t x_px, int64_t y_px, uint32_t width_px,
                           uint32_t height_px, reha_fill fill, reha_gray **out, reha_error *err)
{
    *out = NULL;
    /* 2^40: far beyond every picture, and sums with a width still cannot overflow. */
    const int64_t far_px = (int64_t)1 << 40;
    if (x_px < -far_px || x_px > far_px || y_px < -far_px || y_px > far_px) {
        return reha_fail(err, REHA_E_ARG, "a crop that begins far outside the picture");
    }
    REHA_TRY(reha_gray_new(width_px, height_px, out, err));
    reha_gray *crop = *out;
    crop->spacing = image->spacing;
    for (uint32_t y = 0; y < height_px; y++) {
        float *row = crop->pixels + (size_t)y * width_px;
        const int64_t from_y = y_px + (int64_t)y;
        const bool is_inside_y = from_y >= 0 && from_y < (int64_t)image->height_px;
        const float *source = image->pixels + (size_t)clamp_index(from_y, image->height_px) * image->width_px;
        /* [first, last) is what overlaps the source row. */
        int64_t first = x_px < 0 ? -x_px : 0;
        int64_t last = (int64_t)image->width_px - x_px;
        first = first > (int64_t)width_px ? (int64_t)width_px : first;
        last = last > (int64_t)width_px ? (int64_t)width_px : last < first ? first : last;
        const bool is_repeat = fill.edge == REHA_EDGE_REPEAT;
        const float left = is_repeat ? source[0] : fill.value;
        const float right = is_repeat ? source[image->width_px - 1] : fill.value;
        if (!is_inside_y && !is_repeat) {
            first = last = (int64_t)width_px;
        }
        for (int64_t x = 0; x < first; x++) {
            row[x] = left;
        }
        if (last > first) {
            memcpy(row + first, source + x_px + first, (size_t)(last - first) * sizeof(float));
        }
        for (int64_t x = last; x < (int64_t)width_px; x++) {
            row[x] = right;
        }
    }
    return REHA_OK;
}

/* For each output index along one axis, the input indices [first, first + taps) and their weights.
 * All outputs have the same number of taps (weights of 0 where fewer are needed), so that the inner
 * loops have a fixed length. */
typedef struct axis {
    uint32_t count;
    uint32_t taps;
    uint32_t *first;
    float *weights; /* count * taps */
} axis;

static void axis_clear(axis *part)
{
    reha_free(part->first);
    reha_free(part->weights);
    *part = (axis){0};
}

static double triangle_weight(double distance, double radius)
{
    const double part = 1.0 - fabs(distance) / radius;
    return part > 0.0 ? part : 0.0;
}

/* Length of the overlap of pixel i (from i - 0.5 to i + 0.5) with [low, high]. */
static double area_weight(double i, double low, double high)
{
    const double from = i - 0.5 > low ? i - 0.5 : low;
    const double to = i + 0.5 < high ? i + 0.5 : high;
    return to > from ? to - from : 0.0;
}

/* Weights of one output sample over the clamped input indices; those beyond the edge go to the edge
 * pixel. `low`, `high`: the covered interval; `scale`: its length. */
static void axis_fill(axis *part, uint32_t out_idx, double low, double high, uint32_t in_count,
                      reha_filter filter)
{
    const double scale = high - low;
    const double centre = 0.5 * (low + high);
    const double radius = filter == REHA_FILTER_AREA ? 0.5 * scale : scale > 1.0 ? scale : 1.0;
    const int64_t begin = (int64_t)floor(filter == REHA_FILTER_AREA ? low + 0.5 : centre - radius + 1e-9);
    const int64_t end = (int64_t)ceil(filter == REHA_FILTER_AREA ? high - 0.5 : centre + radius - 1e-9);
    int64_t first = clamp_index(begin, in_count);
    if (first + (int64_t)part->taps > (int64_t)in_count) {
        first = (int64_t)in_count - (int64_t)part->taps;
    }
    float *weights = part->weights + (size_t)out_idx * part->taps;
    part->first[out_idx] = (uint32_t)first;
    double sum = 0.0;
    for (int64_t i = begin; i <= end; i++) {
        sum += filter == REHA_FILTER_AREA ? area_weight((double)i, low, high)
                                          : triangle_weight((double)i - centre, radius);
    }
    for (int64_t i = begin; i <= end; i++) {
        const double weight = filter == REHA_FILTER_AREA ? area_weight((double)i, low, high)
                                                         : triangle_weight((double)i - centre, radius);
        if (weight > 0.0) {
            weights[clamp_index(i, in_count) - first] += (float)(weight / sum);
        }
    }
}

static reha_status axis_init(axis *part, double start, double length, uint32_t out_count, uint32_t in_count,
                             reha_filter filter, reha_error *err)
{
    const double scale = length / (double)out_count;
    const double width = filter == REHA_FILTER_AREA ? scale : 2.0 * (scale > 1.0 ? scale : 1.0);
    const double taps = ceil(width) + 2.0;
    part->count = out_count;
    part->taps = taps < (double)in_count ? (uint32_t)taps : in_count;
    size_t weights = 0;
    if (!reha_mul_size(out_count, part->taps, &weights)) {
        return reha_fail(err, REHA_E_LIMIT, "a resize to %u px is too large", out_count);
    }
    part->first = reha_alloc_zero(out_count, sizeof *part->first);
    part->weights = reha_alloc_zero(weights, sizeof *part->weights);
    if (part->first == NULL || part->weights == NULL) {
        axis_clear(part);
        return reha_fail(err, REHA_E_NOMEM, "no memory to resize to %u px", out_count);
    }
    for (uint32_t i = 0; i < out_count; i++) {
        axis_fill(part, i, start + (double)i * scale, start + (double)(i + 1) * scale, in_count, filter);
    }
    return REHA_OK;
}

/* out[x] = sum over k of weights[k] * rows[k][x]: the vertical pass, four rows at a time, because the
 * loop is bound by loads and stores of `out`. */
static void blend_rows(const float *rows, size_t stride, const float *weights, uint32_t taps,
                       uint32_t width_px, float *restrict out)
{
    memset(out, 0, width_px * sizeof *out);
    uint32_t k = 0;
    for (; k + 4 <= taps; k += 4) {
        const float *restrict r0 = rows + (size_t)k * stride;
        const float *restrict r1 = r0 + stride;
        const float *restrict r2 = r1 + stride;
        const float *restrict r3 = r2 + stride;
        const float w0 = weights[k];
        const float w1 = weights[k + 1];
        const float w2 = weights[k + 2];
        const float w3 = weights[k + 3];
        for (uint32_t x = 0; x < width_px; x++) {
            out[x] += (w0 * r0[x] + w1 * r1[x]) + (w2 * r2[x] + w3 * r3[x]);
        }
    }
    for (; k < taps; k++) {
        const float *restrict row = rows + (size_t)k * stride;
        const float weight = weights[k];
        for (uint32_t x = 0; x < width_px; x++) {
            out[x] += weight * row[x];
        }
    }
}

static void blend_columns(const float *row, const axis *columns, float *out)
{
    const uint32_t taps = columns->taps;
    for (uint32_t x = 0; x < columns->count; x++) {
        const float *from = row + columns->first[x];
        const float *weights = columns->weights + (size_t)x * taps;
        /* Four sums: without -ffast-math the compiler must keep the order of one sum. */
        float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        uint32_t k = 0;
        for (; k + 4 <= taps; k += 4) {
            for (uint32_t lane = 0; lane < 4; lane++) {
                sums[lane] += weights[k + lane] * from[k + lane];
            }
        }
        for (; k < taps; k++) {
            sums[0] += weights[k] * from[k];
        }
        out[x] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
}

static bool is_useful_box(reha_box_px box, const reha_gray *image)
{
    return isfinite(box.x_px) && isfinite(box.y_px) && isfinite(box.width_px) && isfinite(box.height_px) &&
           box.width_px > 0.0 && box.height_px > 0.0 && box.width_px < 1e6 && box.height_px < 1e6 &&
           box.x_px < (double)image->width_px - 0.5 && box.y_px < (double)image->height_px - 0.5 &&
           box.x_px + box.width_px > -0.5 && box.y_px + box.height_px > -0.5;
}

reha_status reha_gray_resize_box(const reha_gray *image, reha_box_px box, uint32_t width_px,
                                 uint32_t height_px, reha_filter filter, reha_gray **out, reha_error *err)
{
    *out = NULL;
    if (!is_useful_box(box, image)) {
        return reha_fail(err, REHA_E_ARG, "the box to resize is empty or outside the picture");
    }
    reha_status status = REHA_OK;
    axis columns = {0};
    axis rows = {0};
    reha_gray *result = NULL;
    float *line = NULL;
    REHA_CHECK(reha_gray_new(width_px, height_px, &result, err));
    REHA_CHECK(axis_init(&columns, box.x_px, box.width_px, width_px, image->width_px, filter, err));
    REHA_CHECK(axis_init(&rows, box.y_px, box.height_px, height_px, image->height_px, filter, err));
    line = reha_alloc_aligned((size_t)image->width_px * sizeof *line);
    if (line == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "no memory to resize");
        goto done;
    }
    /* Only the columns that the box touches are blended. */
    const uint32_t from_x = columns.first[0];
    const uint32_t to_x = columns.first[width_px - 1] + columns.taps;
    for (uint32_t y = 0; y < height_px; y++) {
        const float *source = image->pixels + (size_t)rows.first[y] * image->width_px + from_x;
        blend_rows(source, image->width_px, rows.weights + (size_t)y * rows.taps, rows.taps, to_x - from_x,
                   line + from_x);
        blend_columns(line, &columns, result->pixels + (size_t)y * width_px);
    }
    result->spacing = image->spacing;
    result->spacing.x_mm *= box.width_px / (double)width_px;
    result->spacing.y_mm *= box.height_px / (double)height_px;
    *out = result;
    result = NULL;
done:
    axis_clear(&columns);
    axis_clear(&rows);
    reha_free(line);
    reha_gray_free(result);
    return status;
}

reha_status reha_gray_resize(const reha_gray *image, uint32_t width_px, uint32_t height_px,
                             reha_filter filter, reha_gray **out, reha_error *err)
{
    if (width_px == image->width_px && height_px == image->height_px) {
        return reha_gray_copy(image, out, err); /* the identity, exactly */
    }
    return reha_gray_resize_box(image, reha_gray_box(image), width_px, height_px, filter, out, err);
}

void reha_gray_flip_x(reha_gray *image)
{
    for (uint32_t y = 0; y < image->height_px; y++) {
        float *row = image->pixels + (size_t)y * image->width_px;
        for (uint32_t x = 0; x < image->width_px / 2; x++) {
            const float kept = row[x];
            row[x] = row[image->width_px - 1 - x];
            row[image->width_px - 1 - x] = kept;
        }
    }
}

void reha_gray_flip_y(reha_gray *image)
{
    for (uint32_t y = 0; y < image->height_px / 2; y++) {
        float *restrict upper = image->pixels + (size_t)y * image->width_px;
        float *restrict lower = image->pixels + (size_t)(image->height_px - 1 - y) * image->width_px;
        for (uint32_t x = 0; x < image->width_px; x++) {
            const float kept = upper[x];
            upper[x] = lower[x];
            lower[x] = kept;
        }
    }
}

reha_status reha_gray_rotate90(const reha_gray *image, int quarter_turns, reha_gray **out, reha_error *err)
{
    const int turns = (quarter_turns % 4 + 4) % 4;
    if (turns == 0) {
        return reha_gray_copy(image, out, err);
    }
    if (turns == 2) {
        REHA_TRY(reha_gray_copy(image, out, err));
        reha_gray_flip_x(*out);
        reha_gray_flip_y(*out);
        return REHA_OK;
    }
    REHA_TRY(reha_gray_new(image->height_px, image->width_px, out, err));
    reha_gray *turned = *out;
    /* Tiles keep both the rows that are read and the columns that are written in the cache. */
    enum { TILE = 32 };
    for (uint32_t y0 = 0; y0 < turned->height_px; y0 += TILE) {
        for (uint32_t x0 = 0; x0 < turned->width_px; x0 += TILE) {
            for (uint32_t y = y0; y < turned->height_px && y < y0 + TILE; y++) {
                for (uint32_t x = x0; x < turned->width_px && x < x0 + TILE; x++) {
                    const uint32_t from_x = turns == 1 ? y : image->width_px - 1 - y;
                    const uint32_t from_y = turns == 1 ? image->height_px - 1 - x : x;
                    turned->pixels[(size_t)y * turned->width_px + x] = reha_gray_at(image, from_x, from_y);
                }
            }
        }
    }
    turned->spacing = image->spacing;
    turned->spacing.x_mm = image->spacing.y_mm;
    turned->spacing.y_mm = image->spacing.x_mm;
    return REHA_OK;
}
