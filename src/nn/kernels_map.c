/* Kernels of the operators that rearrange maps: concatenation, softmax, products, resizing. */
#include "nn/kernel_body_priv.h"

#include <math.h>

enum { CHANNEL_BLOCK = 256 };

#define MAYBE(span, i, half) ((span).data != NULL ? get((span).data, i, half) : 0.0F)

/* ---- concatenation ---- */

typedef struct copy_args {
    reha_span from, addend, to;
    reha_row_copy s;
} copy_args;

BODY copy_rows_body(const void *args, int64_t begin, int64_t end, int part)
{
    const copy_args *a = args;
    const size_t bytes = (size_t)a->s.channels * reha_span_item_bytes(a->to.half);
    (void)part;
    for (int64_t r = begin; r < end; r++) {
        const int64_t from = r * a->s.from_stride + a->s.from_offset;
        const int64_t to = r * a->s.to_stride + a->s.to_offset;
        if (a->addend.data == NULL) {
            memcpy(at(a->to, to), at(a->from, from), bytes);
        } else if (a->to.half) {
            IN_PLACE_OK
            for (int64_t c = 0; c < a->s.channels; c++) {
                put(a->to.data, to + c, true,
                    get(a->from.data, from + c, true) + get(a->addend.data, to + c, true));
            }
        } else {
            IN_PLACE_OK
            for (int64_t c = 0; c < a->s.channels; c++) {
                put(a->to.data, to + c, false,
                    get(a->from.data, from + c, false) + get(a->addend.data, to + c, false));
            }
        }
    }
}
KERNEL(copy_rows)

void reha_kernel_copy_rows(int threads, reha_span from, reha_span addend, reha_span to, reha_row_copy shape)
{
    const copy_args args = {.from = from, .addend = addend, .to = to, .s = shape};
    reha_kernel_run(copy_rows(), &args, shape.rows, shape.channels, threads);
}

/* ---- softmax ---- */

typedef struct softmax_args {
    reha_span x, dy, addend, y;
    int64_t channels;
} softmax_args;

BODY softmax_body(const void *args, int64_t begin, int64_t end, int part)
{
    const softmax_args *a = args;
    (void)part;
    for (int64_t r = begin; r < end; r++) {
        const int64_t row = r * a->channels;
        float highest = -INFINITY, sum = 0.0F;
        for (int64_t c = 0; c < a->channels; c++) {
            highest = fmaxf(highest, get(a->x.data, row + c, a->x.half));
        }
        for (int64_t c = 0; c < a->channels; c++) {
            sum += expf(get(a->x.data, row + c, a->x.half) - highest);
        }
        for (int64_t c = 0; c < a->channels; c++) {
            put(a->y.data, row + c, a->y.half, expf(get(a->x.data, row + c, a->x.half) - highest) / sum);
        }
    }
}
KERNEL(softmax)

void reha_kernel_softmax(int threads, reha_span x, reha_span y, int64_t rows, int64_t channels)
{
    const softmax_args args = {.x = x, .y = y, .channels = channels};
    reha_kernel_run(softmax(), &args, rows, channels, threads);
}

BODY softmax_grad_body(const void *args, int64_t begin, int64_t end, int part)
{
    const softmax_args *a = args; /* x: the softmax; y: dx */
    (void)part;
    for (int64_t r = begin; r < end; r++) {
        const int64_t row = r * a->channels;
        float dot = 0.0F;
        for (int64_t c = 0; c < a->channels; c++) {
            dot += get(a->x.data, row + c, a->x.half) * get(a->dy.data, row + c, a->x.half);
        }
        for (int64_t c = 0; c < a->channels; c++) {
            const float d = get(a->x.data, row + c, a->x.half) * (get(a->dy.data, row + c, a->x.half) - dot);
            put(a->y.data, row + c, a->y.half, d + MAYBE(a->addend, row + c, a->y.half));
        }
    }
}
KERNEL(softmax_grad)

void reha_kernel_softmax_grad(int threads, reha_span y, reha_span dy, reha_span addend, reha_span dx,
                              int64_t rows, int64_t channels)
{
    const softmax_args args = {.x = y, .dy = dy, .addend = addend, .y = dx, .channels = channels};
    reha_kernel_run(softmax_grad(), &args, rows, channels, threads);
}

/* ---- products ---- */

typedef struct mul_args {
    reha_span a, b, addend, y;
    bool broadcast;
    int64_t area, channels;
} mul_args;

BODY mul_body(const void *args, int64_t begin, int64_t end, int part)
{
    const mul_args *m = args;
    (void)part;
#define ROWS(half_, b_half_)                                                                                 \
    for (int64_t r = begin; r < end; r++) {                                                                  \
        const void *a = at(m->a, r * m->channels);                                                           \
        const void *b = at(m->b, (m->broadcast ? r / m->area : r) * m->channels);                            \
        void *y = at(m->y, r * m->channels);                                                                 \
        if (m->addend.data == NULL) {                                                                        \
            IN_PLACE_OK                                                                                      \
            for (int64_t c = 0; c < m->channels; c++) {                                                      \
                put(y, c, half_, get(a, c, half_) * get(b, c, b_half_));                                     \
            }                                                                                                \
        } else {                                                                                             \
            const void *addend = at(m->addend, r * m->channels);                                             \
            IN_PLACE_OK                                                                                      \
            for (int64_t c = 0; c < m->channels; c++) {                                                      \
                put(y, c, half_, get(a, c, half_) * get(b, c, b_half_) + get(addend, c, half_));             \
            }                                                                                                \
        }                                                                                                    \
    }
    if (m->a.half && m->b.half) {
        ROWS(true, true)
    } else if (m->a.half) {
        ROWS(true, false)
    } else {
        ROWS(false, false)
    }
#undef ROWS
}
KERNEL(mul)

void reha_kernel_mul(int threads, reha_span a, reha_span b, bool broadcast, reha_span addend, reha_span y,
                     int64_t batch, int64_t area, int64_t channels)
{
    const mul_args args = {
        .a = a, .b = b, .addend = addend, .y = y, .broadcast = broadcast, .area = area, .channels = channels};
    reha_kernel_run(mul(), &args, batch * area, channels, threads);
}

BODY mul_sum_body(const void *args, int64_t begin, int64_t end, int part)
{
    const mul_args *m = args; /* b: dy */
    (void)part;
    for (int64_t image = begin; image < end; image++) {
        for (int64_t c0 = 0; c0 < m->channels; c0 += CHANNEL_BLOCK) {
            const int64_t n = c0 + CHANNEL_BLOCK < m->channels ? CHANNEL_BLOCK : m->channels - c0;
            float sum[CHANNEL_BLOCK] = {0};
            for (int64_t p = 0; p < m->area; p++) {
                const int64_t row = (image * m->area + p) * m->channels + c0;
                const void *a = at(m->a, row), *d = at(m->b, row);
                if (m->a.half) {
                    for (int64_t c = 0; c < n; c++) {
                        sum[c] += get(a, c, true) * get(d, c, true);
                    }
                } else {
                    for (int64_t c = 0; c < n; c++) {
                        sum[c] += get(a, c, false) * get(d, c, false);
                    }
                }
            }
            for (int64_t c = 0; c < n; c++) {
                const int64_t to = image * m->channels + c0 + c;
                put(m->y.data, to, m->y.half, sum[c] + MAYBE(m->addend, to, m->y.half));
            }
        }
    }
}
KERNEL(mul_sum)

void reha_kernel_mul_sum(int threads, reha_span a, reha_span dy, reha_span addend, reha_span db,
                         int64_t batch, int64_t area, int64_t channels)
{
    const mul_args args = {.a = a, .b = dy, .addend = addend, .y = db, .area = area, .channels = channels};
    reha_kernel_run(mul_sum(), &args, batch, area * channels, threads);
}

/* ---- resizing ---- */

typedef struct resize_args {
    reha_span x, addend, y;
    reha_resize_shape s;
} resize_args;

typedef struct tap {
    int64_t low, high; /* source pixels */
    float weight;      /* of `high` */
} tap;

static inline __attribute__((always_inline)) tap tap_of(int64_t out, int64_t in_size, int scale,
                                                        bool bilinear)
{
    tap t = {out / scale, out / scale, 0.0F};
    if (bilinear) {
        const float place = ((float)out + 0.5F) / (float)scale - 0.5F;
        const float low = floorf(place);
        t.weight = place - low;
        t.low = low < 0.0F ? 0 : (int64_t)low;
        t.high = (int64_t)low + 1 < in_size ? (int64_t)low + 1 : in_size - 1;
    }
    return t;
}

BODY resize_body(const void *args, int64_t begin, int64_t end, int part)
{
    const resize_args *a = args;
    const reha_resize_shape *s = &a->s;
    const int64_t out_h = s->in_h * s->scale_h, out_w = s->in_w * s->scale_w;
    (void)part;
    for (int64_t i = begin; i < end; i++) {
        const int64_t image = i / out_h;
        const tap v = tap_of(i % out_h, s->in_h, s->scale_h, s->bilinear);
        for (int64_t x = 0; x < out_w; x++) {
            const tap h = tap_of(x, s->in_w, s->scale_w, s->bilinear);
            const int64_t top = (image * s->in_h + v.low) * s->in_w,
                          bottom = (image * s->in_h + v.high) * s->in_w;
            const void *p00 = at(a->x, (top + h.low) * s->channels),
                       *p01 = at(a->x, (top + h.high) * s->channels);
            const void *p10 = at(a->x, (bottom + h.low) * s->channels);
            const void *p11 = at(a->x, (bottom + h.high) * s->channels);
            void *y = at(a->y, (i * out_w + x) * s->channels);
            const float w00 = (1.0F - v.weight) * (1.0F - h.weight), w01 = (1.0F - v.weight) * h.weight;
            const float w10 = v.weight * (1.0F - h.weight), w11 = v.weight * h.weight;
            if (!s->bilinear) {
                memcpy(y, p00, (size_t)s->channels * reha_span_item_bytes(a->x.half));
            } else if (a->x.half) {
                IN_PLACE_OK
                for (int64_t c = 0; c < s->channels; c++) {
                    put(y, c, true,
                        (w00 * get(p00, c, true) + w01 * get(p01, c, true)) +
                            (w10 * get(p10, c, true) + w11 * get(p11, c, true)));
                }
            } else {
                IN_PLACE_OK
                for (int64_t c = 0; c < s->channels; c++) {
                    put(y, c, false,
                        (w00 * get(p00, c, false) + w01 * get(p01, c, false)) +
                            (w10 * get(p10, c, false) + w11 * get(p11, c, false)));
                }
            }
        }
    }
}
KERNEL(resize)

void reha_kernel_resize(int threads, reha_span x, reha_span y, reha_resize_shape shape)
{
    const resize_args args = {.x = x, .y = y, .s = shape};
    reha_kernel_run(resize(), &args, shape.batch * shape.in_h * shape.scale_h,
                    shape.in_w * shape.scale_w * shape.channels, threads);
}

/* How much of output `out` came from input `in`. */
static inline __attribute__((always_inline)) float weight_of(int64_t out, int64_t in, int64_t in_size,
                                                             int scale, bool bilinear)
{
    const tap t = tap_of(out, in_size, scale, bilinear);
    return (t.low == in ? 1.0F - t.weight : 0.0F) + (t.high == in ? t.weight : 0.0F);
}

/* Gathered per input pixel, so that no two threads add to one place. */
static inline __attribute__((always_inline)) void gather_pixel(const resize_args *a, int64_t image, int64_t y,
                                                               int64_t x, int64_t c0, int64_t n, bool half)
{
    const reha_resize_shape *s = &a->s;
    const int64_t out_h = s->in_h * s->scale_h, out_w = s->in_w * s->scale_w;
    const int64_t reach = s->bilinear ? 1 : 0;
    const int64_t y0 = (y - reach) * s->scale_h, y1 = (y + 1 + reach) * s->scale_h;
    const int64_t x0 = (x - reach) * s->scale_w, x1 = (x + 1 + reach) * s->scale_w;
    float sum[CHANNEL_BLOCK] = {0};

    for (int64_t oy = y0 > 0 ? y0 : 0; oy < y1 && oy < out_h; oy++) {
        const float wy = weight_of(oy, y, s->in_h, s->scale_h, s->bilinear);
        for (int64_t ox = x0 > 0 ? x0 : 0; ox < x1 && ox < out_w && wy > 0.0F; ox++) {
            const float w = wy * weight_of(ox, x, s->in_w, s->scale_w, s->bilinear);
            const void *d = at(a->x, ((image * out_h + oy) * out_w + ox) * s->channels + c0);
            if (w > 0.0F) {
                for (int64_t c = 0; c < n; c++) {
                    sum[c] += w * get(d, c, half);
                }
            }
        }
    }
    const int64_t to = ((image * s->in_h + y) * s->in_w + x) * s->channels + c0;
    for (int64_t c = 0; c < n; c++) {
        put(a->y.data, to + c, half, sum[c] + MAYBE(a->addend, to + c, half));
    }
}

BODY resize_grad_body(const void *args, int64_t begin, int64_t end, int part)
{
    const resize_args *a = args; /* x: dy; y: dx */
    const reha_resize_shape *s = &a->s;
    (void)part;
    for (int64_t i = begin; i < end; i++) {
        for (int64_t x = 0; x < s->in_w; x++) {
            for (int64_t c = 0; c < s->channels; c += CHANNEL_BLOCK) {
                const int64_t n = c + CHANNEL_BLOCK < s->channels ? CHANNEL_BLOCK : s->channels - c;
                if (a->x.half) {
                    gather_pixel(a, i / s->in_h, i % s->in_h, x, c, n, true);
                } else {
                    gather_pixel(a, i / s->in_h, i % s->in_h, x, c, n, false);
                }
            }
        }
    }
}
KERNEL(resize_grad)

void reha_kernel_resize_grad(int threads, reha_span dy, reha_span addend, reha_span dx,
                             reha_resize_shape shape)
{
    const resize_args args = {.x = dy, .addend = addend, .y = dx, .s = shape};
    reha_kernel_run(resize_grad(), &args, shape.batch * shape.in_h, shape.in_w * shape.channels * 4, threads);
}

/* ---- pixels of transposed convolutions ---- */

typedef struct shuffle_args {
    reha_span packed, image;
    bool to_image;
    reha_shuffle_shape s;
} shuffle_args;

BODY shuffle_body(const void *args, int64_t begin, int64_t end, int part)
{
    const shuffle_args *a = args;
    const reha_shuffle_shape *s = &a->s;
    const int64_t run = s->kernel_w * s->channels; /* neighbours in both */
    const size_t bytes = (size_t)run * reha_span_item_bytes(a->image.half);
    (void)part;
    for (int64_t i = begin; i < end; i++) { /* rows of the image */
        const int64_t row = i / s->kernel_h, ky = i % s->kernel_h;
        for (int64_t x = 0; x < s->in_w; x++) {
            void *packed = at(a->packed, ((row * s->in_w + x) * s->kernel_h + ky) * run);
            void *image = at(a->image, (i * s->in_w + x) * run);
            if (a->to_image) {
                memcpy(image, packed, bytes);
            } else {
                memcpy(packed, image, bytes);
            }
        }
    }
}
KERNEL(shuffle)

void reha_kernel_move_taps(int threads, reha_span packed, reha_span image, bool to_image,
                           reha_shuffle_shape shape)
{
    const shuffle_args args = {.packed = packed, .image = image, .to_image = to_image, .s = shape};
    reha_kernel_run(shuffle(), &args, shape.batch * shape.in_h * shape.kernel_h,
                    shape.in_w * shape.kernel_w * shape.channels, threads);
}
