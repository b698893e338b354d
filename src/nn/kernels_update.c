/* Kernels over whole arrays of weights: updates, averages, norms. */
#include "nn/kernel_body_priv.h"

#include <math.h>

typedef struct update_args {
    const reha_update *u;
    float *weights, *first, *second;
    const float *grads;
    float ratio;
    double *partial;
    int64_t count;
} update_args;

BODY adamw_body(const void *args, int64_t begin, int64_t end, int part)
{
    const update_args *a = args;
    const reha_update u = *a->u;
    float *w = a->weights, *m = a->first, *v = a->second;
    const float *g = a->grads;
    (void)part;
    IN_PLACE_OK
    for (int64_t i = begin; i < end; i++) {
        const float grad = g[i] * u.grad_scale;
        const float mean = u.beta1 * m[i] + (1.0F - u.beta1) * grad;
        const float square = u.beta2 * v[i] + (1.0F - u.beta2) * grad * grad;
        m[i] = mean;
        v[i] = square;
        w[i] -=
            u.decay * w[i] + u.rate * (mean * u.correction1) / (sqrtf(square * u.correction2) + u.epsilon);
    }
}
KERNEL(adamw)

void reha_kernel_adamw(int threads, const reha_update *update, float *weights, const float *grads,
                       float *first, float *second, int64_t count)
{
    const update_args args = {
        .u = update, .weights = weights, .grads = grads, .first = first, .second = second};
    reha_kernel_run(adamw(), &args, count, 1, threads);
}

BODY sgd_body(const void *args, int64_t begin, int64_t end, int part)
{
    const update_args *a = args;
    const reha_update u = *a->u;
    float *w = a->weights, *m = a->first;
    const float *g = a->grads;
    (void)part;
    IN_PLACE_OK
    for (int64_t i = begin; i < end; i++) {
        const float mean = u.beta1 * m[i] + g[i] * u.grad_scale;
        m[i] = mean;
        w[i] -= u.decay * w[i] + u.rate * mean;
    }
}
KERNEL(sgd)

void reha_kernel_sgd(int threads, const reha_update *update, float *weights, const float *grads, float *first,
                     int64_t count)
{
    const update_args args = {.u = update, .weights = weights, .grads = grads, .first = first};
    reha_kernel_run(sgd(), &args, count, 1, threads);
}

BODY average_body(const void *args, int64_t begin, int64_t end, int part)
{
    const update_args *a = args;
    const float *w = a->grads;
    float *mean = a->weights;
    const float ratio = a->ratio;
    (void)part;
    IN_PLACE_OK
    for (int64_t i = begin; i < end; i++) {
        mean[i] += ratio * (w[i] - mean[i]);
    }
}
KERNEL(average)

void reha_kernel_average(int threads, const float *weights, float *average_values, float ratio, int64_t count)
{
    const update_args args = {.grads = weights, .weights = average_values, .ratio = ratio};
    reha_kernel_run(average(), &args, count, 1, threads);
}

enum { CHUNK = 65536, LANES = 16 };

BODY squares_body(const void *args, int64_t begin, int64_t end, int part)
{
    const update_args *a = args;
    (void)part;
    for (int64_t chunk = begin; chunk < end; chunk++) {
        const int64_t last = (chunk + 1) * CHUNK < a->count ? (chunk + 1) * CHUNK : a->count;
        float lanes[LANES] = {0}; /* independent sums: vectorised without -ffast-math */
        int64_t i = chunk * CHUNK;
        for (; i + LANES <= last; i += LANES) {
            for (int k = 0; k < LANES; k++) {
                lanes[k] += a->grads[i + k] * a->grads[i + k];
            }
        }
        for (; i < last; i++) {
            lanes[0] += a->grads[i] * a->grads[i];
        }
        a->partial[chunk] = 0.0;
        for (int k = 0; k < LANES; k++) {
            a->partial[chunk] += (double)lanes[k];
        }
    }
}
KERNEL(squares)

double reha_kernel_squares(int threads, const float *values, int64_t count, double *partial)
{
    const update_args args = {.grads = values, .partial = partial, .count = count};
    const int64_t chunks = (count + CHUNK - 1) / CHUNK;
    double total = 0.0;
    reha_kernel_run(squares(), &args, chunks, CHUNK, threads);
    for (int64_t i = 0; i < chunks; i++) {
        total += partial[i];
    }
    return total;
}
