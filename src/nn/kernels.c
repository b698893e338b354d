#include "nn/kernel_body_priv.h"

#include <math.h>
#include <string.h>

enum { SERIAL_BELOW = 16384 }; /* values: waking the team costs more than this work */

void reha_kernel_run(reha_kernel_fn *fn, const void *args, int64_t items, int64_t values_per_item,
                     int threads)
{
    if (threads <= 1 || items < threads || items * values_per_item < SERIAL_BELOW) {
        for (int part = 0; part < threads; part++) {
            fn(args, items * part / threads, items * (part + 1) / threads, part);
        }
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int part = 0; part < threads; part++) {
        fn(args, items * part / threads, items * (part + 1) / threads, part);
    }
}

/* Choices as bit masks: the compilers turn `open ? d : 0` back into a branch, and the loop around it
 * is then not vectorised. */
static inline __attribute__((always_inline)) float keep_if(bool open, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits &= 0U - (uint32_t)open;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

static inline __attribute__((always_inline)) float activate(float v, reha_act act)
{
    if (act == REHA_ACT_RELU) {
        return keep_if(!(v <= 0.0F), v); /* a NaN stays one: the step is then skipped */
    }
    if (act == REHA_ACT_RELU6) {
        return keep_if(!(v <= 0.0F) & !(v >= 6.0F), v) + keep_if(v >= 6.0F, 6.0F);
    }
    if (act == REHA_ACT_SIGMOID) {
        return 1.0F / (1.0F + expf(-v));
    }
    return v;
}

/* d where the activation is open, else 0; `v`: its input or output (sigmoid: output). */
static inline __attribute__((always_inline)) float gate(float d, float v, reha_act act)
{
    if (act == REHA_ACT_RELU) {
        return keep_if(v > 0.0F, d);
    }
    if (act == REHA_ACT_RELU6) {
        return keep_if((v > 0.0F) & (v < 6.0F), d);
    }
    if (act == REHA_ACT_SIGMOID) {
        return d * v * (1.0F - v);
    }
    return d;
}

/* Calls `body(half, act)` with literals, so that each combination becomes its own loop. */
#define BY_ACT(half, act, body)                                                                              \
    switch (act) {                                                                                           \
    case REHA_ACT_NONE:                                                                                      \
        body(half, REHA_ACT_NONE);                                                                           \
        break;                                                                                               \
    case REHA_ACT_RELU:                                                                                      \
        body(half, REHA_ACT_RELU);                                                                           \
        break;                                                                                               \
    case REHA_ACT_RELU6:                                                                                     \
        body(half, REHA_ACT_RELU6);                                                                          \
        break;                                                                                               \
    case REHA_ACT_SIGMOID:                                                                                   \
        body(half, REHA_ACT_SIGMOID);                                                                        \
        break;                                                                                               \
    }
#define BY_TYPE_AND_ACT(is_half, act, body)                                                                  \
    if (is_half) {                                                                                           \
        BY_ACT(true, act, body)                                                                              \
    } else {                                                                                                 \
        BY_ACT(false, act, body)                                                                             \
    }

/* ---- layout ---- */

typedef struct transpose_args {
    float *nchw;
    reha_span nhwc;
    int64_t channels, area;
} transpose_args;

enum { TILE = 16 };

BODY from_nchw_body(const void *args, int64_t begin, int64_t end, int part)
{
    const transpose_args *a = args;
    const int64_t tiles = (a->area + TILE - 1) / TILE;
    (void)part;
    for (int64_t i = begin; i < end; i++) {
        const int64_t image = i / tiles, first = i % tiles * TILE;
        const int64_t last = first + TILE < a->area ? first + TILE : a->area;
        const float *in = a->nchw + image * a->channels * a->area;
        for (int64_t c = 0; c < a->channels; c++) {
            for (int64_t p = first; p < last; p++) {
                put(a->nhwc.data, (image * a->area + p) * a->channels + c, a->nhwc.half, in[c * a->area + p]);
            }
        }
    }
}
KERNEL(from_nchw)

BODY to_nchw_body(const void *args, int64_t begin, int64_t end, int part)
{
    const transpose_args *a = args;
    const int64_t tiles = (a->area + TILE - 1) / TILE;
    (void)part;
    for (int64_t i = begin; i < end; i++) {
        const int64_t image = i / tiles, first = i % tiles * TILE;
        const int64_t last = first + TILE < a->area ? first + TILE : a->area;
        float *out = a->nchw + image * a->channels * a->area;
        for (int64_t c = 0; c < a->channels; c++) {
            for (int64_t p = first; p < last; p++) {
                out[c * a->area + p] =
                    get(a->nhwc.data, (image * a->area + p) * a->channels + c, a->nhwc.half);
            }
        }
    }
}
KERNEL(to_nchw)

void reha_kernel_from_nchw(int threads, const float *nchw, reha_span nhwc, int64_t batch, int64_t channels,
                           int64_t area)
{
    const transpose_args args = {(float *)(uintptr_t)nchw, nhwc, channels, area};
    reha_kernel_run(from_nchw(), &args, batch * ((area + TILE - 1) / TILE), TILE * channels, threads);
}

void reha_kernel_to_nchw(int threads, reha_span nhwc, float *nchw, int64_t batch, int64_t channels,
                         int64_t area)
{
    const transpose_args args = {nchw, nhwc, channels, area};
    reha_kernel_run(to_nchw(), &args, batch * ((area + TILE - 1) / TILE), TILE * channels, threads);
}

/* ---- batch normalisation ---- */

typedef struct norm_args {
    reha_span x, dy, addend, result;
    int64_t channels;
    const float *scale, *shift, *mean;
    const float *k_d, *k_x, *k_1;
    reha_act act;
    double *partial;
} norm_args;

enum { CHANNEL_BLOCK = 256, ROW_BLOCK = 64 };

/* Sums about the values of the first row: the plain difference E[x2] - E[x]2 loses all digits when
 * the mean is large. f32 over 64 rows, f64 above; four rows at a time keep the sums in registers. */
static inline __attribute__((always_inline)) void stats_block(const norm_args *a, int64_t row, int64_t rows,
                                                              int64_t c0, int64_t n, bool half, double *sums)
{
    float pivot[CHANNEL_BLOCK], sum[CHANNEL_BLOCK], square[CHANNEL_BLOCK];
    int64_t r = row;
    for (int64_t c = 0; c < n; c++) {
        pivot[c] = get(a->x.data, c0 + c, half);
        sum[c] = 0.0F;
        square[c] = 0.0F;
    }
    for (; r + 4 <= row + rows; r += 4) {
        const void *x0 = at(a->x, r * a->channels + c0), *x1 = at(a->x, (r + 1) * a->channels + c0);
        const void *x2 = at(a->x, (r + 2) * a->channels + c0), *x3 = at(a->x, (r + 3) * a->channels + c0);
        for (int64_t c = 0; c < n; c++) {
            const float v0 = get(x0, c, half) - pivot[c], v1 = get(x1, c, half) - pivot[c];
            const float v2 = get(x2, c, half) - pivot[c], v3 = get(x3, c, half) - pivot[c];
            sum[c] += (v0 + v1) + (v2 + v3);
            square[c] += (v0 * v0 + v1 * v1) + (v2 * v2 + v3 * v3);
        }
    }
    for (; r < row + rows; r++) {
        const void *x = at(a->x, r * a->channels + c0);
        for (int64_t c = 0; c < n; c++) {
            const float v = get(x, c, half) - pivot[c];
            sum[c] += v;
            square[c] += v * v;
        }
    }
    for (int64_t c = 0; c < n; c++) {
        sums[c0 + c] += (double)sum[c];
        sums[a->channels + c0 + c] += (double)square[c];
    }
}

BODY norm_stats_body(const void *args, int64_t begin, int64_t end, int part)
{
    const norm_args *a = args;
    double *sums = a->partial + (int64_t)part * 2 * a->channels;
    memset(sums, 0, (size_t)(2 * a->channels) * sizeof *sums);
    for (int64_t row = begin; row < end; row += ROW_BLOCK) {
        const int64_t rows = row + ROW_BLOCK < end ? ROW_BLOCK : end - row;
        for (int64_t c = 0; c < a->channels; c += CHANNEL_BLOCK) {
            const int64_t n = c + CHANNEL_BLOCK < a->channels ? CHANNEL_BLOCK : a->channels - c;
            if (a->x.half) {
                stats_block(a, row, rows, c, n, true, sums);
            } else {
                stats_block(a, row, rows, c, n, false, sums);
            }
        }
    }
}
KERNEL(norm_stats)

void reha_kernel_norm_stats(int threads, reha_span x, int64_t rows, int64_t channels, double *partial,
                            float *mean, float *variance)
{
    const norm_args args = {.x = x, .channels = channels, .partial = partial};
    reha_kernel_run(norm_stats(), &args, rows, channels, threads);
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0.0, square = 0.0;
        for (int part = 0; part < threads; part++) {
            sum += partial[(int64_t)part * 2 * channels + c];
            square += partial[(int64_t)part * 2 * channels + channels + c];
        }
        sum /= (double)rows;
        square = square / (double)rows - sum * sum;
        mean[c] = (float)((double)get(x.data, c, x.half) + sum);
        variance[c] = (float)(square > 0.0 ? square : (square == square ? 0.0 : square));
    }
}

BODY norm_apply_body(const void *args, int64_t begin, int64_t end, int part)
{
    const norm_args *a = args;
    const float *scale = a->scale, *shift = a->shift;
    (void)part;
#define ROWS(half_, act_)                                                                                    \
    for (int64_t r = begin; r < end; r++) {                                                                  \
        const void *x = at(a->x, r * a->channels);                                                           \
        void *y = at(a->result, r * a->channels);                                                            \
        if (a->addend.data == NULL) {                                                                        \
            IN_PLACE_OK                                                                                      \
            for (int64_t c = 0; c < a->channels; c++) {                                                      \
                put(y, c, half_, activate(get(x, c, half_) * scale[c] + shift[c], act_));                    \
            }                                                                                                \
        } else {                                                                                             \
            const void *o = at(a->addend, r * a->channels);                                                  \
            IN_PLACE_OK                                                                                      \
            for (int64_t c = 0; c < a->channels; c++) {                                                      \
                put(y, c, half_, activate(get(x, c, half_) * scale[c] + shift[c] + get(o, c, half_), act_)); \
            }                                                                                                \
        }                                                                                                    \
    }
    BY_TYPE_AND_ACT(a->x.half, a->act, ROWS)
#undef ROWS
}
KERNEL(norm_apply)

void reha_kernel_norm_apply(int threads, reha_span x, reha_span other, reha_span y, int64_t rows,
                            int64_t channels, const float *scale, const float *shift, reha_act act)
{
    const norm_args args = {.x = x,
                            .addend = other,
                            .result = y,
                            .channels = channels,
                            .scale = scale,
                            .shift = shift,
                            .act = act};
    reha_kernel_run(norm_apply(), &args, rows, channels, threads);
}

static inline __attribute__((always_inline)) void grad_block(const norm_args *a, int64_t row, int64_t rows,
                                                             int64_t c0, int64_t n, bool half, reha_act act,
                                                             double *sums)
{
    float sum[CHANNEL_BLOCK], cross[CHANNEL_BLOCK];
    const float *scale = a->scale + c0, *shift = a->shift + c0, *mean = a->mean + c0;
    int64_t r = row;
    for (int64_t c = 0; c < n; c++) {
        sum[c] = 0.0F;
        cross[c] = 0.0F;
    }
#define PIXEL(k)                                                                                             \
    const float v##k = get(x##k, c, half);                                                                   \
    const float d##k = gate(get(dy##k, c, half), v##k * scale[c] + shift[c], act)
    for (; r + 4 <= row + rows; r += 4) {
        const int64_t at0 = r * a->channels + c0, at1 = at0 + a->channels, at2 = at1 + a->channels;
        const int64_t at3 = at2 + a->channels;
        const void *x0 = at(a->x, at0), *x1 = at(a->x, at1), *x2 = at(a->x, at2), *x3 = at(a->x, at3);
        const void *dy0 = at(a->dy, at0), *dy1 = at(a->dy, at1), *dy2 = at(a->dy, at2), *dy3 = at(a->dy, at3);
        for (int64_t c = 0; c < n; c++) {
            PIXEL(0);
            PIXEL(1);
            PIXEL(2);
            PIXEL(3);
            sum[c] += (d0 + d1) + (d2 + d3);
            cross[c] +=
                (d0 * (v0 - mean[c]) + d1 * (v1 - mean[c])) + (d2 * (v2 - mean[c]) + d3 * (v3 - mean[c]));
        }
    }
    for (; r < row + rows; r++) {
        const void *x0 = at(a->x, r * a->channels + c0), *dy0 = at(a->dy, r * a->channels + c0);
        for (int64_t c = 0; c < n; c++) {
            PIXEL(0);
            sum[c] += d0;
            cross[c] += d0 * (v0 - mean[c]);
        }
    }
#undef PIXEL
    for (int64_t c = 0; c < n; c++) {
        sums[c0 + c] += (double)sum[c];
        sums[a->channels + c0 + c] += (double)cross[c];
    }
}

BODY norm_grad_sums_body(const void *args, int64_t begin, int64_t end, int part)
{
    const norm_args *a = args;
    double *sums = a->partial + (int64_t)part * 2 * a->channels;
    memset(sums, 0, (size_t)(2 * a->channels) * sizeof *sums);
#define BLOCKS(half_, act_)                                                                                  \
    for (int64_t row = begin; row < end; row += ROW_BLOCK) {                                                 \
        const int64_t rows = row + ROW_BLOCK < end ? ROW_BLOCK : end - row;                                  \
        for (int64_t c = 0; c < a->channels; c += CHANNEL_BLOCK) {                                           \
            const int64_t n = c + CHANNEL_BLOCK < a->channels ? CHANNEL_BLOCK : a->channels - c;             \
            grad_block(a, row, rows, c, n, half_, act_, sums);                                               \
        }                                                                                                    \
    }
    BY_TYPE_AND_ACT(a->x.half, a->act, BLOCKS)
#undef BLOCKS
}
KERNEL(norm_grad_sums)

void reha_kernel_norm_grad_sums(int threads, reha_span x, reha_span dy, int64_t rows, int64_t channels,
                                const float *scale, const float *shift, const float *mean, reha_act act,
                                double *partial, double *sum_d, double *sum_dx)
{
    const norm_args args = {.x = x,
                            .dy = dy,
                            .channels = channels,
                            .scale = scale,
                            .shift = shift,
                            .mean = mean,
                            .act = act,
                            .partial = partial};
    reha_kernel_run(norm_grad_sums(), &args, rows, channels, threads);
    for (int64_t c = 0; c < channels; c++) {
        sum_d[c] = 0.0;
        sum_dx[c] = 0.0;
        for (int part = 0; part < threads; part++) {
            sum_d[c] += partial[(int64_t)part * 2 * channels + c];
            sum_dx[c] += partial[(int64_t)part * 2 * channels + channels + c];
        }
    }
}

BODY norm_grad_apply_body(const void *args, int64_t begin, int64_t end, int part)
{
    const norm_args *a = args;
    const float *scale = a->scale, *shift = a->shift, *k_d = a->k_d, *k_x = a->k_x, *k_1 = a->k_1;
    (void)part;
#define ROWS(half_, act_)                                                                                    \
    for (int64_t r = begin; r < end; r++) {                                                                  \
        const void *x = at(a->x, r * a->channels), *dy = at(a->dy, r * a->channels);                         \
        void *dx = at(a->result, r * a->channels);                                                           \
        if (a->addend.data == NULL) {                                                                        \
            IN_PLACE_OK                                                                                      \
            for (int64_t c = 0; c < a->channels; c++) {                                                      \
                const float v = get(x, c, half_);                                                            \
                const float d = gate(get(dy, c, half_), v * scale[c] + shift[c], act_);                      \
                put(dx, c, half_, k_d[c] * d + k_x[c] * v + k_1[c]);                                         \
            }                                                                                                \
        } else {                                                                                             \
            const void *addend = at(a->addend, r * a->channels);                                             \
            IN_PLACE_OK                                                                                      \
            for (int64_t c = 0; c < a->channels; c++) {                                                      \
                const float v = get(x, c, half_);                                                            \
                const float d = gate(get(dy, c, half_), v * scale[c] + shift[c], act_);                      \
                put(dx, c, half_, k_d[c] * d + k_x[c] * v + k_1[c] + get(addend, c, half_));                 \
            }                                                                                                \
        }                                                                                                    \
    }
    BY_TYPE_AND_ACT(a->x.half, a->act, ROWS)
#undef ROWS
}
KERNEL(norm_grad_apply)

void reha_kernel_norm_grad_apply(int threads, reha_span x, reha_span dy, reha_span addend, reha_span dx,
                                 int64_t rows, int64_t channels, const float *scale, const float *shift,
                                 reha_act act, const float *k_d, const float *k_x, const float *k_1)
{
    const norm_args args = {.x = x,
                            .dy = dy,
                            .addend = addend,
                            .result = dx,
                            .channels = channels,
                            .scale = scale,
                            .shift = shift,
                            .act = act,
                            .k_d = k_d,
                            .k_x = k_x,
                            .k_1 = k_1};
    reha_kernel_run(norm_grad_apply(), &args, rows, channels, threads);
}

/* ---- element by element ---- */

typedef struct flat_args {
    reha_span a, b, c, out;
    reha_act act;
    float ratio;
    uint64_t seed;
} flat_args;

BODY convert_body(const void *args, int64_t begin, int64_t end, int part)
{
    const flat_args *f = args;
    (void)part;
    if (f->a.half && !f->out.half) {
        IN_PLACE_OK
        for (int64_t i = begin; i < end; i++) {
            put(f->out.data, i, false, get(f->a.data, i, true));
        }
    } else if (!f->a.half && f->out.half) {
        IN_PLACE_OK
        for (int64_t i = begin; i < end; i++) {
            put(f->out.data, i, true, get(f->a.data, i, false));
        }
    } else {
        memcpy(at(f->out, begin), at(f->a, begin), (size_t)(end - begin) * reha_span_item_bytes(f->a.half));
    }
}
KERNEL(convert)

void reha_kernel_convert(int threads, reha_span from, reha_span to, int64_t count)
{
    const flat_args args = {.a = from, .out = to};
    reha_kernel_run(convert(), &args, count, 1, threads);
}

BODY add_body(const void *args, int64_t begin, int64_t end, int part)
{
    const flat_args *f = args;
    (void)part;
#define LOOP(half_, act_)                                                                                    \
    if (f->b.data == NULL) {                                                                                 \
        IN_PLACE_OK                                                                                          \
        for (int64_t i = begin; i < end; i++) {                                                              \
            put(f->out.data, i, half_, activate(get(f->a.data, i, half_), act_));                            \
        }                                                                                                    \
    } else {                                                                                                 \
        IN_PLACE_OK                                                                                          \
        for (int64_t i = begin; i < end; i++) {                                                              \
            put(f->out.data, i, half_, activate(get(f->a.data, i, half_) + get(f->b.data, i, half_), act_)); \
        }                                                                                                    \
    }
    BY_TYPE_AND_ACT(f->a.half, f->act, LOOP)
#undef LOOP
}
KERNEL(add)

void reha_kernel_add(int threads, reha_span a, reha_span b, reha_span out, int64_t count, reha_act act)
{
    const flat_args args = {.a = a, .b = b, .out = out, .act = act};
    reha_kernel_run(add(), &args, count, 1, threads);
}

BODY act_grad_body(const void *args, int64_t begin, int64_t end, int part)
{
    const flat_args *f = args;
    (void)part;
#define LOOP(half_, act_)                                                                                    \
    if (f->c.data == NULL) {                                                                                 \
        IN_PLACE_OK                                                                                          \
        for (int64_t i = begin; i < end; i++) {                                                              \
            put(f->out.data, i, half_, gate(get(f->b.data, i, half_), get(f->a.data, i, half_), act_));      \
        }                                                                                                    \
    } else {                                                                                                 \
        IN_PLACE_OK                                                                                          \
        for (int64_t i = begin; i < end; i++) {                                                              \
            put(f->out.data, i, half_,                                                                       \
                gate(get(f->b.data, i, half_), get(f->a.data, i, half_), act_) + get(f->c.data, i, half_));  \
        }                                                                                                    \
    }
    BY_TYPE_AND_ACT(f->a.half, f->act, LOOP)
#undef LOOP
}
KERNEL(act_grad)

void reha_kernel_act_grad(int threads, reha_span out, reha_span dy, reha_span addend, reha_span dx,
                          int64_t count, reha_act act)
{
    const flat_args args = {.a = out, .b = dy, .c = addend, .out = dx, .act = act};
    reha_kernel_run(act_grad(), &args, count, 1, threads);
}

/* ---- mean over the image ---- */

typedef struct mean_args {
    reha_span x, addend, y;
    int64_t area, channels;
} mean_args;

BODY mean_body(const void *args, int64_t begin, int64_t end, int part)
{
    const mean_args *m = args;
    const float factor = 1.0F / (float)m->area;
    (void)part;
    for (int64_t image = begin; image < end; image++) {
        for (int64_t c0 = 0; c0 < m->channels; c0 += CHANNEL_BLOCK) {
            const int64_t n = c0 + CHANNEL_BLOCK < m->channels ? CHANNEL_BLOCK : m->channels - c0;
            float sum[CHANNEL_BLOCK] = {0};
            for (int64_t p = 0; p < m->area; p++) {
                const void *x = at(m->x, (image * m->area + p) * m->channels + c0);
                if (m->x.half) {
                    IN_PLACE_OK
                    for (int64_t c = 0; c < n; c++) {
                        sum[c] += get(x, c, true);
                    }
                } else {
                    IN_PLACE_OK
                    for (int64_t c = 0; c < n; c++) {
                        sum[c] += get(x, c, false);
                    }
                }
            }
            IN_PLACE_OK
            for (int64_t c = 0; c < n; c++) {
                put(m->y.data, image * m->channels + c0 + c, m->y.half, sum[c] * factor);
            }
        }
    }
}
KERNEL(mean)

void reha_kernel_mean(int threads, reha_span x, reha_span y, int64_t batch, int64_t area, int64_t channels)
{
    const mean_args args = {.x = x, .y = y, .area = area, .channels = channels};
    reha_kernel_run(mean(), &args, batch, area * channels, threads);
}

BODY mean_grad_body(const void *args, int64_t begin, int64_t end, int part)
{
    const mean_args *m = args;
    const float factor = 1.0F / (float)m->area;
    (void)part;
    for (int64_t row = begin; row < end; row++) {
        const int64_t from = row / m->area * m->channels, to = row * m->channels;
        IN_PLACE_OK
        for (int64_t c = 0; c < m->channels; c++) {
            const float d = get(m->x.data, from + c, m->x.half) * factor;
            const float old = m->addend.data != NULL ? get(m->addend.data, to + c, m->y.half) : 0.0F;
            put(m->y.data, to + c, m->y.half, d + old);
        }
    }
}
KERNEL(mean_grad)

void reha_kernel_mean_grad(int threads, reha_span dy, reha_span addend, reha_span dx, int64_t batch,
                           int64_t area, int64_t channels)
{
    const mean_args args = {.x = dy, .addend = addend, .y = dx, .area = area, .channels = channels};
    reha_kernel_run(mean_grad(), &args, batch * area, channels, threads);
}

/* ---- strided pixels ---- */

typedef struct stride_args {
    reha_span x, addend, y;
    reha_stride_shape s;
} stride_args;

BODY take_strided_body(const void *args, int64_t begin, int64_t end, int part)
{
    const stride_args *a = args;
    const size_t bytes = (size_t)a->s.channels * reha_span_item_bytes(a->x.half);
    (void)part;
    for (int64_t i = begin; i < end; i++) {
        const int64_t image = i / a->s.out_h, y = i % a->s.out_h;
        for (int64_t x = 0; x < a->s.out_w; x++) {
            const int64_t from = (image * a->s.in_h + y * a->s.stride_h) * a->s.in_w + x * a->s.stride_w;
            memcpy(at(a->y, (i * a->s.out_w + x) * a->s.channels), at(a->x, from * a->s.channels), bytes);
        }
    }
}
KERNEL(take_strided)

void reha_kernel_take_strided(int threads, reha_span x, reha_span y, reha_stride_shape shape)
{
    const stride_args args = {.x = x, .y = y, .s = shape};
    reha_kernel_run(take_strided(), &args, shape.batch * shape.out_h, shape.out_w * shape.channels, threads);
}

BODY put_strided_body(const void *args, int64_t begin, int64_t end, int part)
{
    const stride_args *a = args;
    const size_t bytes = (size_t)a->s.channels * reha_span_item_bytes(a->x.half);
    const bool half = a->x.half;
    (void)part;
    for (int64_t i = begin; i < end; i++) {
        const int64_t image = i / a->s.in_h, y = i % a->s.in_h;
        const bool row_hit = y % a->s.stride_h == 0 && y / a->s.stride_h < a->s.out_h;
        for (int64_t x = 0; x < a->s.in_w; x++) {
            const int64_t to = (i * a->s.in_w + x) * a->s.channels;
            const bool hit = row_hit && x % a->s.stride_w == 0 && x / a->s.stride_w < a->s.out_w;
            const int64_t from =
                ((image * a->s.out_h + y / a->s.stride_h) * a->s.out_w + x / a->s.stride_w) * a->s.channels;
            if (a->addend.data == NULL) {
                if (hit) {
                    memcpy(at(a->y, to), at(a->x, from), bytes);
                } else {
                    memset(at(a->y, to), 0, bytes);
                }
            } else if (hit) {
                IN_PLACE_OK
                for (int64_t c = 0; c < a->s.channels; c++) {
                    put(a->y.data, to + c, half,
                        get(a->x.data, from + c, half) + get(a->addend.data, to + c, half));
                }
            } else if (a->addend.data != a->y.data) {
                memcpy(at(a->y, to), at(a->addend, to), bytes);
            }
        }
    }
}
KERNEL(put_strided)

void reha_kernel_put_strided(int threads, reha_span dy, reha_span addend, reha_span dx,
                             reha_stride_shape shape)
{
    const stride_args args = {.x = dy, .addend = addend, .y = dx, .s = shape};
    reha_kernel_run(put_strided(), &args, shape.batch * shape.in_h, shape.in_w * shape.channels, threads);
}

/* ---- dropout ---- */

/* SplitMix64's mixer (Steele, Lea, Flood 2014): a hash of seed and place, so that no mask is stored
 * and the pattern does not depend on the number of threads. */
static inline __attribute__((always_inline)) uint32_t hash_place(uint64_t seed, uint64_t place)
{
    uint64_t z = seed + place * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

BODY dropout_body(const void *args, int64_t begin, int64_t end, int part)
{
    const flat_args *f = args;
    const uint32_t threshold = (uint32_t)((double)f->ratio * 4294967296.0);
    const float factor = 1.0F / (1.0F - f->ratio);
    (void)part;
    IN_PLACE_OK
    for (int64_t i = begin; i < end; i++) {
        const float keep = hash_place(f->seed, (uint64_t)i) >= threshold ? factor : 0.0F;
        const float old = f->b.data != NULL ? get(f->b.data, i, f->a.half) : 0.0F;
        put(f->out.data, i, f->a.half, get(f->a.data, i, f->a.half) * keep + old);
    }
}
KERNEL(dropout)

void reha_kernel_dropout(int threads, reha_span x, reha_span addend, reha_span y, int64_t count, float ratio,
                         uint64_t seed)
{
    const flat_args args = {.a = x, .b = addend, .out = y, .ratio = ratio, .seed = seed};
    reha_kernel_run(dropout(), &args, count, 1, threads);
}
