#include "recognition/sampling.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* ---- One-dimensional tent filter ---- */

/* For each output cell the first source index, the number of sources and their weights. Source indices
 * are relative to the rectangle's outer whole pixels and may lie outside of the image. */
typedef struct taps {
    int *first;
    int *count;
    float *weights; /* width_max per output */
    int width_max;
} taps;

static void taps_clear(taps *t)
{
    reha_free(t->first);
    reha_free(t->count);
    reha_free(t->weights);
    *t = (taps){0};
}

/* Edges [start, start + length) in pixel-edge coordinates are spread over n cells. */
static reha_status taps_make(double start, double length, int n, taps *out, reha_error *err)
{
    const double scale = length / n;
    const double support = fmax(scale, 1.0);
    const int low = (int)floor(start);
    const int high = (int)ceil(start + length);
    *out = (taps){.width_max = (int)ceil(2.0 * support) + 3};
    size_t weight_count = 0;
    if (!reha_mul_size((size_t)n, (size_t)out->width_max, &weight_count)) {
        return reha_fail(err, REHA_E_LIMIT, "resampling filter too wide");
    }
    out->first = reha_alloc_zero((size_t)n, sizeof(int));
    out->count = reha_alloc_zero((size_t)n, sizeof(int));
    out->weights = reha_alloc_zero(weight_count, sizeof(float));
    if (out->first == NULL || out->count == NULL || out->weights == NULL) {
        taps_clear(out);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a resampling filter");
    }
    for (int i = 0; i < n; i++) {
        const double centre = start + (i + 0.5) * scale;
        int from = (int)(centre - support + 0.5);
        int to = (int)(centre + support + 0.5);
        from = from < low ? low : from;
        to = to > high ? high : to;
        if (centre - support + 0.5 < 0.0) { /* the cast rounds negative numbers up */
            from = (int)floor(centre - support + 0.5);
            from = from < low ? low : from;
        }
        float *weights = out->weights + (size_t)i * (size_t)out->width_max;
        double sum = 0.0;
        int used = 0;
        for (int s = from; s < to && used < out->width_max; s++) {
            const double w = fmax(0.0, 1.0 - fabs((s + 0.5 - centre) / support));
            weights[used++] = (float)w;
            sum += w;
        }
        if (!(sum > 0.0)) { /* a cell thinner than a pixel at the border */
            from = (int)floor(centre);
            used = 1;
            weights[0] = 1.0f;
            sum = 1.0;
        }
        for (int s = 0; s < used; s++) {
            weights[s] = (float)(weights[s] / sum);
        }
        out->first[i] = from;
        out->count[i] = used;
    }
    return REHA_OK;
}

static inline float toned(float value, float low, float gain)
{
    if (gain == 0.0f) {
        return value;
    }
    const float t = (value - low) * gain;
    return t < 0.0f ? 0.0f : t > 1.0f ? 1.0f : t;
}

typedef struct row_source {
    const reha_gray *image;
    reha_border border;
    float low, gain;
} row_source;

/* One source row (NULL: outside, zero) through the horizontal filter. */
static void filter_row(const row_source *source, int y, const taps *columns, int width, float *line,
                       float *out)
{
    const int w = (int)source->image->width_px;
    const int h = (int)source->image->height_px;
    if (y < 0 || y >= h) {
        if (source->border == REHA_BORDER_ZERO) {
            memset(out, 0, sizeof(float) * (size_t)width);
            return;
        }
        y = y < 0 ? 0 : h - 1;
    }
    const float *row = source->image->pixels + (size_t)y * (size_t)w;
    const float *pixels = row;
    if (source->gain != 0.0f) {
        int from = columns->first[0];
        int to = columns->first[width - 1] + columns->count[width - 1];
        from = from < 0 ? 0 : from;
        to = to > w ? w : to;
        for (int x = from; x < to; x++) {
            line[x] = toned(row[x], source->low, source->gain);
        }
        if (source->border == REHA_BORDER_NEAREST) {
            line[0] = toned(row[0], source->low, source->gain);
            line[w - 1] = toned(row[w - 1], source->low, source->gain);
        }
        pixels = line;
    }
    for (int i = 0; i < width; i++) {
        const float *weights = columns->weights + (size_t)i * (size_t)columns->width_max;
        const int first = columns->first[i];
        const int count = columns->count[i];
        float sum = 0.0f;
        if (first >= 0 && first + count <= w) {
            for (int s = 0; s < count; s++) {
                sum += weights[s] * pixels[first + s];
            }
        } else {
            for (int s = 0; s < count; s++) {
                const int x = first + s;
                if (x >= 0 && x < w) {
                    sum += weights[s] * pixels[x];
                } else if (source->border == REHA_BORDER_NEAREST) {
                    sum += weights[s] * pixels[x < 0 ? 0 : w - 1];
                }
            }
        }
        out[i] = sum;
    }
}

static bool rect_is_sane(reha_box_px edges)
{
    const double limit = 1e6;
    return fabs(edges.x_px) < limit && fabs(edges.y_px) < limit && edges.width_px > 1e-3 &&
           edges.width_px < limit && edges.height_px > 1e-3 && edges.height_px < limit;
}

reha_status reha_sample_rect(const reha_gray *image, reha_box_px edges, reha_border border, reha_tone tone,
                             int width, int height, float *out, reha_error *err)
{
    if (!rect_is_sane(edges) || width < 1 || height < 1) {
        return reha_fail(err, REHA_E_ARG, "cannot sample a rectangle of %g x %g px into %d x %d",
                         edges.width_px, edges.height_px, width, height);
    }
    const double span = tone.high - tone.low;
    const row_source source = {.image = image,
                               .border = border,
                               .low = (float)tone.low,
                               .gain = span != 0.0 ? (float)(1.0 / span) : 0.0f};
    taps columns = {0};
    taps rows = {0};
    float *line = NULL;
    float *filtered = NULL;
    memset(out, 0, sizeof(float) * (size_t)width * (size_t)height);
    reha_status status;
    REHA_CHECK(taps_make(edges.x_px, edges.width_px, width, &columns, err));
    REHA_CHECK(taps_make(edges.y_px, edges.height_px, height, &rows, err));
    line = reha_alloc_zero(image->width_px, sizeof(float));
    filtered = reha_alloc((size_t)width * sizeof(float));
    if (line == NULL || filtered == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory while resampling");
        goto done;
    }
    /* Source rows in order; each is filtered once and spread over the output rows that use it. */
    const int y_end = rows.first[height - 1] + rows.count[height - 1];
    int next = 0; /* first output row that may still need rows from here on */
    for (int y = rows.first[0]; y < y_end; y++) {
        while (next < height && rows.first[next] + rows.count[next] <= y) {
            next++;
        }
        bool is_filtered = false;
        for (int r = next; r < height && rows.first[r] <= y; r++) {
            const int tap = y - rows.first[r];
            if (tap >= rows.count[r]) {
                continue;
            }
            const float weight = rows.weights[(size_t)r * (size_t)rows.width_max + (size_t)tap];
            if (weight == 0.0f) {
                continue;
            }
            if (!is_filtered) {
                filter_row(&source, y, &columns, width, line, filtered);
                is_filtered = true;
            }
            float *to = out + (size_t)r * (size_t)width;
            for (int i = 0; i < width; i++) {
                to[i] += weight * filtered[i];
            }
        }
    }
done:
    reha_free(filtered);
    reha_free(line);
    taps_clear(&rows);
    taps_clear(&columns);
    return status;
}

/* ---- Turned rectangles ---- */

static float bilinear(const float *pixels, int width, int height, double x, double y)
{
    x = fmin(fmax(x, 0.0), width - 1.0);
    y = fmin(fmax(y, 0.0), height - 1.0);
    const int x0 = x >= width - 1 ? (width > 1 ? width - 2 : 0) : (int)x;
    const int y0 = y >= height - 1 ? (height > 1 ? height - 2 : 0) : (int)y;
    const int x1 = width > 1 ? x0 + 1 : x0;
    const int y1 = height > 1 ? y0 + 1 : y0;
    const float fx = (float)(x - x0);
    const float fy = (float)(y - y0);
    const float *a = pixels + (size_t)y0 * (size_t)width;
    const float *b = pixels + (size_t)y1 * (size_t)width;
    const float top = a[x0] + fx * (a[x1] - a[x0]);
    const float bottom = b[x0] + fx * (b[x1] - b[x0]);
    return top + fy * (bottom - top);
}

reha_status reha_sample_turned(const reha_gray *image, reha_point_px centre, double width_px,
                               double height_px, double angle_deg, reha_border border, reha_tone tone,
                               int width, int height, float *out, reha_error *err)
{
    if (fabs(angle_deg) < 1e-6) {
        const reha_box_px edges = {.x_px = centre.x_px + 0.5 - 0.5 * width_px,
                                   .y_px = centre.y_px + 0.5 - 0.5 * height_px,
                                   .width_px = width_px,
                                   .height_px = height_px};
        return reha_sample_rect(image, edges, border, tone, width, height, out, err);
    }
    if (!(width_px > 1e-3) || !(height_px > 1e-3) || !isfinite(angle_deg) || width < 1 || height < 1) {
        return reha_fail(err, REHA_E_ARG, "cannot sample a turned rectangle of %g x %g px", width_px,
                         height_px);
    }
    /* The upright rectangle around the turned one is resampled at the target scale first: that does the
     * smoothing, so that the second step may be plain bilinear. */
    const double angle = angle_deg * (3.14159265358979323846 / 180.0);
    const double c = cos(angle);
    const double s = sin(angle);
    const double scale_x = width_px / width;
    const double scale_y = height_px / height;
    const int outer_w = (int)ceil((fabs(c) * width_px + fabs(s) * height_px) / scale_x) + 4;
    const int outer_h = (int)ceil((fabs(s) * width_px + fabs(c) * height_px) / scale_y) + 4;
    size_t count = 0;
    if (!reha_mul_size((size_t)outer_w, (size_t)outer_h, &count) || count > ((size_t)1 << 28)) {
        return reha_fail(err, REHA_E_ARG, "cannot sample a turned rectangle of %g x %g px", width_px,
                         height_px);
    }
    float *outer = reha_alloc(count * sizeof(float));
    if (outer == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory while resampling");
    }
    const reha_box_px edges = {.x_px = centre.x_px + 0.5 - 0.5 * outer_w * scale_x,
                               .y_px = centre.y_px + 0.5 - 0.5 * outer_h * scale_y,
                               .width_px = outer_w * scale_x,
                               .height_px = outer_h * scale_y};
    const reha_status status = reha_sample_rect(image, edges, border, tone, outer_w, outer_h, outer, err);
    for (int y = 0; status == REHA_OK && y < height; y++) {
        for (int x = 0; x < width; x++) {
            const double dx = (x + 0.5 - 0.5 * width) * scale_x;
            const double dy = (y + 0.5 - 0.5 * height) * scale_y;
            const double u = (c * dx - s * dy) / scale_x + 0.5 * outer_w - 0.5;
            const double v = (s * dx + c * dy) / scale_y + 0.5 * outer_h - 0.5;
            out[(size_t)y * (size_t)width + (size_t)x] = bilinear(outer, outer_w, outer_h, u, v);
        }
    }
    reha_free(outer);
    return status;
}

reha_status reha_sample_reduce(const reha_gray *image, uint32_t factor, reha_gray **out, reha_error *err)
{
    *out = NULL;
    assert(factor > 0);
    reha_gray *small = NULL;
    const uint32_t width = image->width_px / factor;
    const uint32_t height = image->height_px / factor;
    REHA_TRY(reha_gray_new(width, height, &small, err));
    small->spacing = image->spacing;
    small->spacing.x_mm *= factor;
    small->spacing.y_mm *= factor;
    const float ratio = 1.0f / ((float)factor * (float)factor);
    for (uint32_t y = 0; y < height; y++) {
        float *to = small->pixels + (size_t)y * width;
        for (uint32_t r = 0; r < factor; r++) {
            const float *from = image->pixels + ((size_t)y * factor + r) * image->width_px;
            for (uint32_t x = 0; x < width; x++) {
                float sum = 0.0f;
                for (uint32_t k = 0; k < factor; k++) {
                    sum += from[(size_t)x * factor + k];
                }
                to[x] += sum * ratio;
            }
        }
    }
    *out = small;
    return REHA_OK;
}

/* ---- Statistics ---- */

/* Hoare's selection: afterwards values[k] is the k-th smallest, smaller ones before it. */
static float select_kth(float *values, size_t n, size_t k)
{
    size_t low = 0;
    size_t high = n - 1;
    while (low < high) {
        const float pivot = values[low + (high - low) / 2];
        size_t i = low;
        size_t j = high;
        for (;;) {
            while (values[i] < pivot) {
                i++;
            }
            while (values[j] > pivot) {
                j--;
            }
            if (i >= j) {
                break;
            }
            const float swap = values[i];
            values[i++] = values[j];
            values[j--] = swap;
        }
        /* [low, j] <= pivot <= [j + 1, high] */
        if (k <= j) {
            high = j;
        } else {
            low = j + 1;
        }
    }
    return values[k];
}

void reha_select_percentiles(float *values, size_t n, const double *percentiles, int count, double *out)
{
    assert(n > 0);
    for (size_t i = 0; i < n; i++) { /* NaN breaks the ordering that the selection relies on */
        values[i] = isfinite(values[i]) ? values[i] : 0.0f;
    }
    for (int p = 0; p < count; p++) {
        const double place = fmin(fmax(percentiles[p], 0.0), 100.0) / 100.0 * (double)(n - 1);
        const size_t k = (size_t)place;
        const double below = select_kth(values, n, k);
        double above = below;
        if (k + 1 < n) {
            above = values[k + 1];
            for (size_t i = k + 2; i < n; i++) {
                above = fmin(above, values[i]);
            }
        }
        out[p] = below + (place - (double)k) * (above - below);
    }
}

reha_status reha_sample_percentiles(const reha_gray *image, uint32_t x0, uint32_t y0, uint32_t x1,
                                    uint32_t y1, size_t sample_max, const double *percentiles, int count,
                                    double *out, reha_error *err)
{
    x1 = x1 > image->width_px ? image->width_px : x1;
    y1 = y1 > image->height_px ? image->height_px : y1;
    if (x0 >= x1 || y0 >= y1) {
        return reha_fail(err, REHA_E_ARG, "percentiles of an empty part of the image");
    }
    uint32_t step = 1;
    while (sample_max > 0 &&
           (size_t)((x1 - x0 + step - 1) / step) * ((y1 - y0 + step - 1) / step) > sample_max) {
        step++;
    }
    const size_t n = (size_t)((x1 - x0 + step - 1) / step) * ((y1 - y0 + step - 1) / step);
    float *values = reha_alloc(n * sizeof(float));
    if (values == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for grey statistics");
    }
    size_t used = 0;
    for (uint32_t y = y0; y < y1; y += step) {
        for (uint32_t x = x0; x < x1; x += step) {
            values[used++] = reha_gray_at(image, x, y);
        }
    }
    reha_select_percentiles(values, used, percentiles, count, out);
    reha_free(values);
    return REHA_OK;
}

void reha_box_filter(const float *in, int width, int height, int radius, float *scratch, float *out)
{
    const double ratio = 1.0 / (2.0 * radius + 1.0);
    for (int y = 0; y < height; y++) { /* along the rows, into scratch */
        const float *row = in + (size_t)y * (size_t)width;
        double sum = 0.0;
        for (int x = -radius; x <= radius; x++) {
            sum += row[x < 0 ? 0 : x >= width ? width - 1 : x];
        }
        for (int x = 0; x < width; x++) {
            scratch[(size_t)y * (size_t)width + (size_t)x] = (float)(sum * ratio);
            const int enter = x + radius + 1;
            const int leave = x - radius;
            sum += (double)row[enter >= width ? width - 1 : enter] - (double)row[leave < 0 ? 0 : leave];
        }
    }
    for (int x = 0; x < width; x++) { /* along the columns */
        double sum = 0.0;
        for (int y = -radius; y <= radius; y++) {
            sum += scratch[(size_t)(y < 0 ? 0 : y >= height ? height - 1 : y) * (size_t)width + (size_t)x];
        }
        for (int y = 0; y < height; y++) {
            out[(size_t)y * (size_t)width + (size_t)x] = (float)(sum * ratio);
            const int enter = y + radius + 1;
            const int leave = y - radius;
            sum +=
                (double)scratch[(size_t)(enter >= height ? height - 1 : enter) * (size_t)width + (size_t)x] -
                (double)scratch[(size_t)(leave < 0 ? 0 : leave) * (size_t)width + (size_t)x];
        }
    }
}
