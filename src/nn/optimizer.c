/* AdamW (Loshchilov and Hutter 2019), SGD with momentum, clipping, weight averages. */
#include "nn/trainer_priv.h"

#include <math.h>

#define PI 3.14159265358979323846

typedef struct update {
    float rate, decay; /* of this parameter; decay = rate * weight_decay */
    float beta1, beta2, epsilon;
    float correction1, correction2; /* 1 / (1 - beta^t) */
    float grad_scale;
} update;

enum { CHUNK = 65536 };

static void adamw(const update *u, int64_t count, float *restrict w, const float *restrict g,
                  float *restrict m, float *restrict v)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const float grad = g[i] * u->grad_scale;
        m[i] = u->beta1 * m[i] + (1.0F - u->beta1) * grad;
        v[i] = u->beta2 * v[i] + (1.0F - u->beta2) * grad * grad;
        w[i] -=
            u->decay * w[i] + u->rate * (m[i] * u->correction1) / (sqrtf(v[i] * u->correction2) + u->epsilon);
    }
}

static void sgd(const update *u, int64_t count, float *restrict w, const float *restrict g, float *restrict m)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        m[i] = u->beta1 * m[i] + g[i] * u->grad_scale;
        w[i] -= u->decay * w[i] + u->rate * m[i];
    }
}

/* Sum of squares in fixed chunks: the same whatever the team does. NaN and infinity survive the sum. */
static double squared_norm(const reha_trainer *trainer)
{
    const reha_net *net = trainer->net;
    const int64_t chunks = ((int64_t)net->grad_count + CHUNK - 1) / CHUNK;
    double total = 0.0;
    for (int64_t i = 0; i < chunks; i++) {
        const int64_t end =
            (i + 1) * CHUNK < (int64_t)net->grad_count ? (i + 1) * CHUNK : (int64_t)net->grad_count;
        float lanes[16] = {0}; /* independent sums: can be vectorised without -ffast-math */
        for (int64_t k = i * CHUNK; k < end; k += 16) {
            for (int j = 0; j < 16; j++) { /* parameters are padded to 16 floats */
                lanes[j] += net->grads[k + j] * net->grads[k + j];
            }
        }
        for (int j = 0; j < 16; j++) {
            total += (double)lanes[j];
        }
    }
    return total;
}

static void average(reha_trainer *trainer)
{
    const double t = (double)trainer->steps;
    const float decay = fminf(trainer->options.ema_decay, (float)((1.0 + t) / (10.0 + t)));
    const float *weights = trainer->net->weights;
    float *mean = trainer->average;
    for (size_t i = 0; i < trainer->net->weight_count; i++) {
        mean[i] += (1.0F - decay) * (weights[i] - mean[i]);
    }
}

bool reha_optimizer_step(reha_trainer *trainer, float learning_rate)
{
    const reha_trainer_options *o = &trainer->options;
    reha_net *net = trainer->net;
    const double norm = sqrt(squared_norm(trainer));
    update u = {.beta1 = o->beta1, .beta2 = o->beta2, .epsilon = o->epsilon, .grad_scale = 1.0F};

    if (!isfinite(norm)) {
        return false;
    }
    trainer->steps++;
    if (o->clip_norm > 0.0F && norm > (double)o->clip_norm) {
        u.grad_scale = (float)((double)o->clip_norm / norm);
    }
    u.correction1 = (float)(1.0 / (1.0 - pow((double)o->beta1, (double)trainer->steps)));
    u.correction2 = (float)(1.0 / (1.0 - pow((double)o->beta2, (double)trainer->steps)));
    for (int p = 0; p < net->param_count; p++) {
        const reha_net_param *param = &net->params[p];
        if (param->train_offset == SIZE_MAX) {
            continue;
        }
        u.rate = learning_rate * param->learning_rate_ratio;
        u.decay = param->decays ? u.rate * o->weight_decay : 0.0F;
        float *weights = net->weights + param->offset, *grads = net->grads + param->train_offset;
        float *first = trainer->first + param->train_offset;
        if (o->optimizer == REHA_ADAMW) {
            adamw(&u, (int64_t)param->count, weights, grads, first, trainer->second + param->train_offset);
        } else {
            sgd(&u, (int64_t)param->count, weights, grads, first);
        }
    }
    reha_net_update_running(net);
    if (trainer->average != NULL) {
        average(trainer);
    }
    reha_net_weights_changed(net);
    return true;
}

float reha_cosine_rate(float peak, long step, long warmup_steps, long steps)
{
    if (step < 0 || step >= steps) {
        return 0.0F;
    }
    if (step < warmup_steps) {
        return (float)((double)peak * (double)(step + 1) / (double)warmup_steps);
    }
    const long rest = steps - warmup_steps > 1 ? steps - warmup_steps : 1;
    return (float)((double)peak * 0.5 * (1.0 + cos(PI * (double)(step - warmup_steps) / (double)rest)));
}
