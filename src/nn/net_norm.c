/* Batch normalisation (Ioffe and Szegedy 2015), with the activation behind it in the same pass. */
#include "nn/net_priv.h"

#include "base/memory.h"

#include <math.h>

static const float *weights_of(const reha_net *net, const reha_layer *layer, int which)
{
    return net->weights + net->params[layer->node.params[which]].offset;
}

static reha_status build(reha_net *net, int index, reha_error *err)
{
    reha_layer *layer = &net->layers[index];
    const size_t channels = (size_t)net->values[index].c;

    layer->mean = reha_alloc_zero(4 * channels, sizeof(float)); /* one block for all four */
    if (layer->mean == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the network");
    }
    layer->variance = layer->mean + channels;
    layer->scale = layer->variance + channels;
    layer->shift = layer->scale + channels;
    layer->uses_running = !net->options.training || layer->node.is_frozen;
    return REHA_OK;
}

static reha_status forward(reha_net *net, int index, reha_error *err)
{
    reha_layer *layer = &net->layers[index];
    const reha_net_value *in = &net->values[layer->inputs[0]], *out = &net->values[index];
    const int64_t rows = reha_value_rows(in);
    const float *gamma = weights_of(net, layer, 0), *beta = weights_of(net, layer, 1);

    (void)err;
    if (net->is_dry) {
        return REHA_OK;
    }
    if (layer->uses_running) {
        for (int64_t c = 0; c < in->c; c++) {
            layer->mean[c] = weights_of(net, layer, 2)[c];
            layer->variance[c] = weights_of(net, layer, 3)[c];
        }
    } else {
        reha_kernel_norm_stats(net->threads, reha_value_span(in), rows, in->c, net->partial, layer->mean,
                               layer->variance);
    }
    for (int64_t c = 0; c < in->c; c++) {
        layer->scale[c] = gamma[c] / sqrtf(layer->variance[c] + layer->node.epsilon);
        layer->shift[c] = beta[c] - layer->mean[c] * layer->scale[c];
    }
    reha_kernel_norm_apply(net->threads, reha_value_span(in), (reha_span){NULL, in->half},
                           reha_value_span(out), rows, in->c, layer->scale, layer->shift, layer->act);
    return REHA_OK;
}

/* dx = k_d * d + k_x * x + k_1 with d the gradient behind the activation. */
static void find_factors(reha_net *net, const reha_layer *layer, int64_t channels, double rows)
{
    const float *gamma = weights_of(net, layer, 0);
    for (int64_t c = 0; c < channels; c++) {
        const double inverse = 1.0 / sqrt((double)layer->variance[c] + (double)layer->node.epsilon);
        const double k_d = (double)gamma[c] * inverse;
        double k_x = 0.0, k_1 = 0.0;
        if (!layer->uses_running) {
            k_x = -k_d * inverse * inverse * net->sums[channels + c] / rows;
            k_1 = -k_d * net->sums[c] / rows - k_x * (double)layer->mean[c];
        }
        net->factors[c] = (float)k_d;
        net->factors[channels + c] = (float)k_x;
        net->factors[2 * channels + c] = (float)k_1;
    }
}

static void store_grads(reha_net *net, const reha_layer *layer, int64_t channels)
{
    const size_t scale_at = net->params[layer->node.params[0]].train_offset;
    const size_t shift_at = net->params[layer->node.params[1]].train_offset;
    for (int64_t c = 0; c < channels; c++) {
        if (scale_at != SIZE_MAX) {
            const double inverse = 1.0 / sqrt((double)layer->variance[c] + (double)layer->node.epsilon);
            net->grads[scale_at + (size_t)c] = (float)(net->sums[channels + c] * inverse);
        }
        if (shift_at != SIZE_MAX) {
            net->grads[shift_at + (size_t)c] = (float)net->sums[c];
        }
    }
}

static reha_status backward(reha_net *net, int index, reha_error *err)
{
    reha_layer *layer = &net->layers[index];
    reha_net_value *in = &net->values[layer->inputs[0]];
    const reha_net_value *out = &net->values[index];
    const reha_span x = reha_value_span(in), dy = reha_grad_span(out);
    const int64_t rows = reha_value_rows(in);
    reha_span addend, dx;

    if (!net->is_dry && (layer->trains || !layer->uses_running)) {
        reha_kernel_norm_grad_sums(net->threads, x, dy, rows, in->c, layer->scale, layer->shift, layer->mean,
                                   layer->act, net->partial, net->sums, net->sums + in->c);
        store_grads(net, layer, in->c);
    }
    if (!in->wants_grad) {
        return REHA_OK;
    }
    REHA_TRY(reha_net_grad_target(net, in, out->grad, &addend, &dx, err));
    if (!net->is_dry) {
        find_factors(net, layer, in->c, (double)rows);
        reha_kernel_norm_grad_apply(net->threads, x, dy, addend, dx, rows, in->c, layer->scale, layer->shift,
                                    layer->act, net->factors, net->factors + in->c, net->factors + 2 * in->c);
    }
    return REHA_OK;
}

const reha_layer_kind reha_layer_norm = {build, forward, backward};
