/* Our own kernels: everything of training that is bound by memory speed and not by arithmetic, so
 * that neighbouring steps can be fused (batch-norm + activation + branch sum in one pass).
 *
 * Tensors are nhwc, seen as `rows` = n*h*w of `channels` values, either f32 or bf16 (`half`).
 * Arithmetic is f32 (sums over a batch: f64). Every kernel exists once as plain C and is compiled
 * for the baseline, AVX2 and AVX-512; the best is chosen at run time. Work is split into one fixed
 * range per thread, so results are the same from run to run. */
#ifndef REHA_NN_KERNELS_PRIV_H
#define REHA_NN_KERNELS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum reha_act { REHA_ACT_NONE, REHA_ACT_RELU, REHA_ACT_RELU6, REHA_ACT_SIGMOID } reha_act;

/* A tensor as the kernels see it. */
typedef struct reha_span {
    void *data;
    bool half; /* bf16 */
} reha_span;

static inline size_t reha_span_item_bytes(bool half)
{
    return half ? 2 : 4;
}

/* [n][c][h*w] f32 <-> [n][h*w][c] in `nhwc`'s type. `add`: to what is there already. */
void reha_kernel_from_nchw(int threads, const float *nchw, reha_span nhwc, int64_t batch, int64_t channels,
                           int64_t area);
void reha_kernel_to_nchw(int threads, reha_span nhwc, float *nchw, int64_t batch, int64_t channels,
                         int64_t area);
void reha_kernel_convert(int threads, reha_span from, reha_span to, int64_t count);

/* Mean and biased variance of each channel. partial: threads * 2 * channels doubles of room. */
void reha_kernel_norm_stats(int threads, reha_span x, int64_t rows, int64_t channels, double *partial,
                            float *mean, float *variance);
/* y = act(x * scale[c] + shift[c] + other); other.data NULL: none. y may be x. */
void reha_kernel_norm_apply(int threads, reha_span x, reha_span other, reha_span y, int64_t rows,
                            int64_t channels, const float *scale, const float *shift, reha_act act);
/* d = dy where the activation was open, else 0; sums over rows of d and of d * (x - mean). The
 * activation's input is recomputed as x * scale + shift. */
void reha_kernel_norm_grad_sums(int threads, reha_span x, reha_span dy, int64_t rows, int64_t channels,
                                const float *scale, const float *shift, const float *mean, reha_act act,
                                double *partial, double *sum_d, double *sum_dx);
/* dx = k_d[c] * d + k_x[c] * x + k_1[c] + addend; addend.data NULL: none. dx may be dy or addend. */
void reha_kernel_norm_grad_apply(int threads, reha_span x, reha_span dy, reha_span addend, reha_span dx,
                                 int64_t rows, int64_t channels, const float *scale, const float *shift,
                                 reha_act act, const float *k_d, const float *k_x, const float *k_1);

/* out = act(a + b); b.data NULL: act(a). */
void reha_kernel_add(int threads, reha_span a, reha_span b, reha_span out, int64_t count, reha_act act);
/* dx = dy * act'(out) + addend. */
void reha_kernel_act_grad(int threads, reha_span out, reha_span dy, reha_span addend, reha_span dx,
                          int64_t count, reha_act act);

/* Mean over `area` rows of each image: [batch][area][c] -> [batch][c]; and its gradient. */
void reha_kernel_mean(int threads, reha_span x, reha_span y, int64_t batch, int64_t area, int64_t channels);
void reha_kernel_mean_grad(int threads, reha_span dy, reha_span addend, reha_span dx, int64_t batch,
                           int64_t area, int64_t channels);

/* Every stride-th pixel of [batch][in_h][in_w][c], and the reverse: dx is zero (plus addend) elsewhere. */
typedef struct reha_stride_shape {
    int64_t batch, in_h, in_w, out_h, out_w, channels;
    int64_t stride_h, stride_w;
} reha_stride_shape;
void reha_kernel_take_strided(int threads, reha_span x, reha_span y, reha_stride_shape shape);
void reha_kernel_put_strided(int threads, reha_span dy, reha_span addend, reha_span dx,
                             reha_stride_shape shape);

/* Dropout: y = x * keep(seed, index) / (1 - ratio) + addend. Its own gradient. */
void reha_kernel_dropout(int threads, reha_span x, reha_span addend, reha_span y, int64_t count, float ratio,
                         uint64_t seed);

/* ---- kernels_map.c ---- */

/* Concatenation: [rows][channels] between tensors of other widths (strides and offset in values):
 * to[r * to_stride + to_offset + c] = from[r * from_stride + from_offset + c] + addend at the same
 * place as `to` (data NULL: none). */
typedef struct reha_row_copy {
    int64_t rows, channels;
    int64_t from_stride, from_offset;
    int64_t to_stride, to_offset;
} reha_row_copy;
void reha_kernel_copy_rows(int threads, reha_span from, reha_span addend, reha_span to, reha_row_copy shape);

/* Softmax over the channels of each row, and dx = y * (dy - sum(dy * y)) + addend. */
void reha_kernel_softmax(int threads, reha_span x, reha_span y, int64_t rows, int64_t channels);
void reha_kernel_softmax_grad(int threads, reha_span y, reha_span dy, reha_span addend, reha_span dx,
                              int64_t rows, int64_t channels);

/* y = a * b + addend, b either like a, or one value per image and channel (`broadcast`; may be f32
 * beside a bf16 `a`). [batch][area][channels]. Its own gradient with respect to a. */
void reha_kernel_mul(int threads, reha_span a, reha_span b, bool broadcast, reha_span addend, reha_span y,
                     int64_t batch, int64_t area, int64_t channels);
/* db[image][c] = sum over the area of dy * a, plus addend: the gradient of a broadcast operand. */
void reha_kernel_mul_sum(int threads, reha_span a, reha_span dy, reha_span addend, reha_span db,
                         int64_t batch, int64_t area, int64_t channels);

/* Enlarging by whole factors. Nearest: pixel (y, x) comes from (y / scale_h, x / scale_w). Bilinear:
 * half-pixel centres, edges repeated. */
typedef struct reha_resize_shape {
    int64_t batch, in_h, in_w, channels;
    int scale_h, scale_w;
    bool bilinear;
} reha_resize_shape;
void reha_kernel_resize(int threads, reha_span x, reha_span y, reha_resize_shape shape);
void reha_kernel_resize_grad(int threads, reha_span dy, reha_span addend, reha_span dx,
                             reha_resize_shape shape);

/* [image][y][x][ky][kx][c] <-> [image][y * kernel_h + ky][x * kernel_w + kx][c]. */
typedef struct reha_shuffle_shape {
    int64_t batch, in_h, in_w, channels;
    int64_t kernel_h, kernel_w;
} reha_shuffle_shape;
void reha_kernel_move_taps(int threads, reha_span packed, reha_span image, bool to_image,
                           reha_shuffle_shape shape);

/* ---- kernels_update.c ---- */

typedef struct reha_update {
    float rate, decay; /* decay = rate * weight_decay */
    float beta1, beta2, epsilon;
    float correction1, correction2; /* 1 / (1 - beta^t) */
    float grad_scale;
} reha_update;

void reha_kernel_adamw(int threads, const reha_update *update, float *weights, const float *grads,
                       float *first, float *second, int64_t count);
void reha_kernel_sgd(int threads, const reha_update *update, float *weights, const float *grads, float *first,
                     int64_t count);
/* average += ratio * (weights - average). */
void reha_kernel_average(int threads, const float *weights, float *average, float ratio, int64_t count);
/* Sum of squares; not finite if any value is not. The same for every number of threads. partial: one
 * double per started 65,536 values. */
double reha_kernel_squares(int threads, const float *values, int64_t count, double *partial);

#endif
