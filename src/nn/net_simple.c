/* Operators without primitives of their own: activations, sums, means, flatten, dropout. */
#include "nn/net_priv.h"

static reha_act act_of(reha_op op)
{
    switch (op) {
    case REHA_OP_RELU:
        return REHA_ACT_RELU;
    case REHA_OP_RELU6:
        return REHA_ACT_RELU6;
    case REHA_OP_SIGMOID:
        return REHA_ACT_SIGMOID;
    default:
        return REHA_ACT_NONE;
    }
}

static reha_status forward_activation(reha_net *net, int index, reha_error *err)
{
    const reha_layer *layer = &net->layers[index];
    const reha_net_value *in = &net->values[layer->inputs[0]], *out = &net->values[index];

    (void)err;
    if (!net->is_dry) {
        reha_kernel_add(net->threads, reha_value_span(in), (reha_span){NULL, in->half}, reha_value_span(out),
                        reha_value_count(out), act_of(layer->node.op));
    }
    return REHA_OK;
}

static reha_status backward_activation(reha_net *net, int index, reha_error *err)
{
    const reha_layer *layer = &net->layers[index];
    reha_net_value *in = &net->values[layer->inputs[0]];
    const reha_net_value *out = &net->values[index];
    reha_span addend, dx;

    REHA_TRY(reha_net_grad_target(net, in, out->grad, &addend, &dx, err));
    if (!net->is_dry) {
        reha_kernel_act_grad(net->threads, reha_value_span(out), reha_grad_span(out), addend, dx,
                             reha_value_count(out), act_of(layer->node.op));
    }
    return REHA_OK;
}

const reha_layer_kind reha_layer_activation = {NULL, forward_activation, backward_activation};

static reha_status forward_add(reha_net *net, int index, reha_error *err)
{
    const reha_layer *layer = &net->layers[index];
    const reha_net_value *a = &net->values[layer->inputs[0]], *b = &net->values[layer->inputs[1]];
    const reha_net_value *out = &net->values[index];

    (void)err;
    if (!net->is_dry) {
        reha_kernel_add(net->threads, reha_value_span(a), reha_value_span(b), reha_value_span(out),
                        reha_value_count(out), layer->act);
    }
    return REHA_OK;
}

/* Both branches get the very same gradient: shared, copied only if one of them must add to it. */
static reha_status backward_add(reha_net *net, int index, reha_error *err)
{
    const reha_layer *layer = &net->layers[index];
    reha_net_value *out = &net->values[index];

    if (layer->act != REHA_ACT_NONE) {
        reha_buffer *masked = NULL;
        if (out->grad->readers > 1) {
            REHA_TRY(reha_net_take(net, reha_value_bytes(out), &masked, err));
        } else {
            masked = out->grad;
        }
        if (!net->is_dry) {
            reha_kernel_act_grad(net->threads, reha_value_span(out), reha_grad_span(out),
                                 (reha_span){NULL, out->half}, (reha_span){masked->data, out->half},
                                 reha_value_count(out), layer->act);
        }
        if (masked != out->grad) {
            reha_net_drop(out->grad);
            out->grad = masked;
        }
    }
    for (int k = 0; k < 2; k++) {
        reha_net_value *in = &net->values[layer->inputs[k]];
        if (in->wants_grad) {
            REHA_TRY(reha_net_grad_share(net, in, out->grad, err));
        }
    }
    return REHA_OK;
}

const reha_layer_kind reha_layer_add = {NULL, forward_add, backward_add};

static reha_status forward_mean(reha_net *net, int index, reha_error *err)
{
    const reha_net_value *in = &net->values[net->layers[index].inputs[0]], *out = &net->values[index];

    (void)err;
    if (!net->is_dry) {
        reha_kernel_mean(net->threads, reha_value_span(in), reha_value_span(out), in->n, in->h * in->w,
                         in->c);
    }
    return REHA_OK;
}

static reha_status backward_mean(reha_net *net, int index, reha_error *err)
{
    reha_net_value *in = &net->values[net->layers[index].inputs[0]];
    reha_span addend, dx;

    REHA_TRY(reha_net_grad_target(net, in, NULL, &addend, &dx, err));
    if (!net->is_dry) {
        reha_kernel_mean_grad(net->threads, reha_grad_span(&net->values[index]), addend, dx, in->n,
                              in->h * in->w, in->c);
    }
    return REHA_OK;
}

const reha_layer_kind reha_layer_mean = {NULL, forward_mean, backward_mean};

/* Flatten means NCHW order, the data is nhwc: through f32, once per step and on the last small map. */
static reha_status forward_flatten(reha_net *net, int index, reha_error *err)
{
    const reha_net_value *in = &net->values[net->layers[index].inputs[0]], *out = &net->values[index];

    (void)err;
    if (!net->is_dry) {
        reha_kernel_to_nchw(net->threads, reha_value_span(in), out->data->data, in->n, in->c, in->h * in->w);
    }
    return REHA_OK;
}

static reha_status backward_flatten(reha_net *net, int index, reha_error *err)
{
    reha_net_value *in = &net->values[net->layers[index].inputs[0]];
    const reha_net_value *out = &net->values[index];
    reha_buffer *scratch;

    REHA_TRY(reha_net_grad_scratch(net, in, &scratch, err));
    if (!net->is_dry) {
        reha_kernel_from_nchw(net->threads, out->grad->data, (reha_span){scratch->data, in->half}, in->n,
                              in->c, in->h * in->w);
    }
    reha_net_grad_merge(net, in, scratch);
    return REHA_OK;
}

const reha_layer_kind reha_layer_flatten = {NULL, forward_flatten, backward_flatten};

static reha_status forward_dropout(reha_net *net, int index, reha_error *err)
{
    const reha_layer *layer = &net->layers[index];
    const reha_net_value *in = &net->values[layer->inputs[0]], *out = &net->values[index];

    (void)err;
    if (!net->is_dry) {
        reha_kernel_dropout(net->threads, reha_value_span(in), (reha_span){NULL, in->half},
                            reha_value_span(out), reha_value_count(out), layer->node.ratio,
                            net->dropout_seed + (uint64_t)index);
    }
    return REHA_OK;
}

static reha_status backward_dropout(reha_net *net, int index, reha_error *err)
{
    const reha_layer *layer = &net->layers[index];
    reha_net_value *in = &net->values[layer->inputs[0]];
    const reha_net_value *out = &net->values[index];
    reha_span addend, dx;

    REHA_TRY(reha_net_grad_target(net, in, out->grad, &addend, &dx, err));
    if (!net->is_dry) {
        reha_kernel_dropout(net->threads, reha_grad_span(out), addend, dx, reha_value_count(out),
                            layer->node.ratio, net->dropout_seed + (uint64_t)index);
    }
    return REHA_OK;
}

const reha_layer_kind reha_layer_dropout = {NULL, forward_dropout, backward_dropout};
