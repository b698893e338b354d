/* A transposed convolution whose kernel is as large as its stride writes each output pixel once: it is
 * a 1x1 convolution to kernel_h * kernel_w * o channels, whose values then move to their pixels. */
#include "nn/net_priv.h"

#include "base/memory.h"

typedef struct sizes {
    size_t taps, in, out; /* taps = kernel_h * kernel_w */
} sizes;

static sizes sizes_of(const reha_net *net, const reha_layer *layer)
{
    const sizes s = {(size_t)layer->node.window.kernel_h * (size_t)layer->node.window.kernel_w,
                     (size_t)net->values[layer->inputs[0]].c, (size_t)layer->node.shape.dims[1]};
    return s;
}

reha_shuffle_shape reha_shuffle_shape_of(const reha_net *net, int index)
{
    const reha_layer *layer = &net->layers[index];
    const reha_net_value *in = &net->values[layer->inputs[0]];
    const reha_shuffle_shape shape = {.batch = in->n,
                                      .in_h = in->h,
                                      .in_w = in->w,
                                      .channels = net->values[index].c,
                                      .kernel_h = layer->node.window.kernel_h,
                                      .kernel_w = layer->node.window.kernel_w};
    return shape;
}

size_t reha_shuffle_bytes(const reha_net *net, int index)
{
    return reha_value_bytes(&net->values[index]); /* the same values in another order */
}

reha_status reha_shuffle_build(reha_net *net, int index, reha_error *err)
{
    reha_layer *layer = &net->layers[index];
    const sizes s = sizes_of(net, layer);
    const size_t line = 16, bias = (s.taps * s.out + line - 1) / line * line;
    const size_t weights = (s.taps * s.out * s.in + line - 1) / line * line;
    float *block = reha_alloc_aligned(2 * (weights + bias) * sizeof(float));

    if (block == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the network");
    }
    layer->own_weights = block;
    layer->own_bias = block + weights;
    layer->own_weight_grads = layer->own_bias + bias;
    layer->own_bias_grads = layer->own_weight_grads + weights;
    return REHA_OK;
}

void reha_shuffle_load(reha_net *net, const reha_layer *layer)
{
    const sizes s = sizes_of(net, layer);
    const float *weights = net->weights + net->params[layer->node.params[0]].offset; /* [i][o][tap] */
    for (size_t i = 0; i < s.in; i++) {
        for (size_t o = 0; o < s.out; o++) {
            for (size_t tap = 0; tap < s.taps; tap++) {
                layer->own_weights[(tap * s.out + o) * s.in + i] = weights[(i * s.out + o) * s.taps + tap];
            }
        }
    }
    for (size_t k = 0; k < s.taps * s.out && layer->node.param_count > 1; k++) {
        layer->own_bias[k] = net->weights[net->params[layer->node.params[1]].offset + k % s.out];
    }
}

void reha_shuffle_store(reha_net *net, const reha_layer *layer)
{
    const sizes s = sizes_of(net, layer);
    const size_t weights_at = net->params[layer->node.params[0]].train_offset;
    for (size_t i = 0; i < s.in && weights_at != SIZE_MAX; i++) {
        for (size_t o = 0; o < s.out; o++) {
            for (size_t tap = 0; tap < s.taps; tap++) {
                net->grads[weights_at + (i * s.out + o) * s.taps + tap] =
                    layer->own_weight_grads[(tap * s.out + o) * s.in + i];
            }
        }
    }
    if (layer->node.param_count > 1 && net->params[layer->node.params[1]].train_offset != SIZE_MAX) {
        float *bias = net->grads + net->params[layer->node.params[1]].train_offset;
        for (size_t o = 0; o < s.out; o++) {
            bias[o] = 0.0F;
            for (size_t tap = 0; tap < s.taps; tap++) {
                bias[o] += layer->own_bias_grads[tap * s.out + o];
            }
        }
    }
}
