/* AdamW (Loshchilov and Hutter 2019), SGD with momentum, clipping, weight averages. */
#include "nn/trainer_priv.h"

#include <math.h>

#define PI 3.14159265358979323846

bool reha_optimizer_step(reha_trainer *trainer, float learning_rate)
{
    const reha_trainer_options *o = &trainer->options;
    reha_net *net = trainer->net;
    const int threads = net->threads, token = reha_dnn_enter(net->dnn);
    const double norm =
        sqrt(reha_kernel_squares(threads, net->grads, (int64_t)net->grad_count, trainer->partial));
    reha_update u = {.beta1 = o->beta1, .beta2 = o->beta2, .epsilon = o->epsilon, .grad_scale = 1.0F};

    if (!isfinite(norm)) {
        reha_dnn_leave(token);
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
            reha_kernel_adamw(threads, &u, weights, grads, first, trainer->second + param->train_offset,
                              (int64_t)param->count);
        } else {
            reha_kernel_sgd(threads, &u, weights, grads, first, (int64_t)param->count);
        }
    }
    reha_net_update_running(net);
    if (trainer->average != NULL) {
        const double t = (double)trainer->steps;
        const float decay = fminf(o->ema_decay, (float)((1.0 + t) / (10.0 + t)));
        reha_kernel_average(threads, net->weights, trainer->average, 1.0F - decay,
                            (int64_t)net->weight_count);
    }
    reha_dnn_leave(token);
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
