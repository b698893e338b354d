/* Operators that rearrange or combine maps: concatenation, softmax, products, resizing. */
#include "nn/net_priv.h"

static reha_span nothing(bool half)
{
    return (reha_span){NULL, half};
}

/* ---- concatenation of channels ---- */

static reha_row_copy slice_of(const reha_net_value *part, const reha_net_value *whole, int64_t offset,
                              bool into_whole)
{
    reha_row_copy copy = {.rows = reha_value_rows(whole), .channels = part->c};
    copy.from_stride = into_whole ? part->c : whole->c;
    copy.from_offset = into_whole ? 0 : offset;
    copy.to_stride = into_whole ? whole->c : part->c;
    copy.to_offset = into_whole ? offset : 0;
    return copy;
}

static reha_status forward_concat(reha_net *net, int index, reha_error *err)
{
    const reha_layer *layer = &net->layers[index];
    const reha_net_value *out = &net->values[index];
    int64_t offset = 0;

    (void)err;
    for (int k = 0; k < layer->node.input_count && !net->is_dry; k++) {
        const reha_net_value *in = &net->values[layer->inputs[k]];
        reha_kernel_copy_rows(net->threads, reha_value_span(in), nothing(in->half), reha_value_span(out),
                              slice_of(in, out, offset, true));
        offset += in->c;
    }
    return REHA_OK;
}

static reha_status backward_concat(reha_net *net, int index, reha_error *err)
{
    const reha_layer *layer = &net->layers[index];
    const reha_net_value *out = &net->values[index];
    int64_t offset = 0;

    for (int k = 0; k < layer->node.input_count; k++) {
        reha_net_value *in = &net->values[layer->inputs[k]];
        reha_span addend, dx;
        if (in->wants_grad) {
            REHA_TRY(reha_net_grad_target(net, in, NULL, &addend, &dx, err));
            if (!net->is_dry) {
                reha_kernel_copy_rows(net->threads, reha_grad_span(out), addend, dx,
                                      slice_of(in, out, offset, false));
            }
        }
        offset += in->c;
    }
    return REHA_OK;
}

const reha_layer_kind reha_layer_concat = {NULL, forward_concat, backward_concat};

/* ---- softmax ---- */

static reha_status forward_softmax(reha_net *net, int index, reha_error *err)
{
    const reha_net_value *in = &net->values[net->layers[index].inputs[0]], *out = &net->values[index];

    (void)err;
    if (!net->is_dry) {
        reha_kernel_softmax(net->threads, reha_value_span(in), reha_value_span(out), reha_value_rows(in),
                            in->c);
    }
    return REHA_OK;
}

static reha_status backward_softmax(reha_net *net, int index, reha_error *err)
{
    reha_net_value *in = &net->values[net->layers[index].inputs[0]];
    const reha_net_value *out = &net->values[index];
    reha_span addend, dx;

    REHA_TRY(reha_net_grad_target(net, in, out->grad, &addend, &dx, err));
    if (!net->is_dry) {
        reha_kernel_softmax_grad(net->threads, reha_value_span(out), reha_grad_span(out), addend, dx,
                                 reha_value_rows(in), in->c);
    }
    return REHA_OK;
}

const reha_layer_kind reha_layer_softmax = {NULL, forward_softmax, backward_softmax};

/* ---- products ---- */

/* The operand with one value per channel, if there is one, is `b`. */
typedef struct mul_plan {
    reha_net_value *a, *b;
    bool broadcast;
} mul_plan;

static mul_plan plan_of(reha_net *net, int index)
{
    const reha_layer *layer = &net->layers[index];
    const reha_net_value *out = &net->values[index];
    mul_plan plan = {&net->values[layer->inputs[0]], &net->values[layer->inputs[1]], false};

    if (plan.a->h * plan.a->w != out->h * out->w) {
        reha_net_value *swap = plan.a;
        plan.a = plan.b;
        plan.b = swap;
    }
    plan.broadcast = plan.b->h * plan.b->w != out->h * out->w;
    return plan;
}

static reha_status build_mul(reha_net *net, int index, reha_error *err)
{
    const mul_plan plan = plan_of(net, index);

    if (plan.a->half != net->values[index].half || (plan.b->half && !plan.a->half) ||
        (!plan.broadcast && plan.a->half != plan.b->half)) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "a product of values in unlike precision: train in f32");
    }
    return REHA_OK;
}

static reha_status forward_mul(reha_net *net, int index, reha_error *err)
{
    const reha_net_value *out = &net->values[index];
    const mul_plan plan = plan_of(net, index);

    (void)err;
    if (!net->is_dry) {
        reha_kernel_mul(net->threads, reha_value_span(plan.a), reha_value_span(plan.b), plan.broadcast,
                        nothing(out->half), reha_value_span(out), out->n, out->h * out->w, out->c);
    }
    return REHA_OK;
}

static reha_status backward_mul(reha_net *net, int index, reha_error *err)
{
    const reha_net_value *out = &net->values[index];
    const mul_plan plan = plan_of(net, index);
    const int64_t area = out->h * out->w;
    reha_span addend, dx;

    if (plan.a->wants_grad) {
        REHA_TRY(reha_net_grad_target(net, plan.a, NULL, &addend, &dx, err));
        if (!net->is_dry) {
            reha_kernel_mul(net->threads, reha_grad_span(out), reha_value_span(plan.b), plan.broadcast,
                            addend, dx, out->n, area, out->c);
        }
    }
    if (plan.b->wants_grad) {
        REHA_TRY(reha_net_grad_target(net, plan.b, NULL, &addend, &dx, err));
        if (!net->is_dry && plan.broadcast) {
            reha_kernel_mul_sum(net->threads, reha_value_span(plan.a), reha_grad_span(out), addend, dx,
                                out->n, area, out->c);
        } else if (!net->is_dry) {
            reha_kernel_mul(net->threads, reha_grad_span(out), reha_value_span(plan.a), false, addend, dx,
                            out->n, area, out->c);
        }
    }
    return REHA_OK;
}

const reha_layer_kind reha_layer_mul = {build_mul, forward_mul, backward_mul};

/* ---- resizing ---- */

static reha_resize_shape resize_of(const reha_net *net, int index)
{
    const reha_layer *layer = &net->layers[index];
    const reha_net_value *in = &net->values[layer->inputs[0]];
    const reha_resize_shape shape = {.batch = in->n,
                                     .in_h = in->h,
                                     .in_w = in->w,
                                     .channels = in->c,
                                     .scale_h = layer->node.scale_h,
                                     .scale_w = layer->node.scale_w,
                                     .bilinear = layer->node.op == REHA_OP_RESIZE_BILINEAR};
    return shape;
}

static reha_status forward_resize(reha_net *net, int index, reha_error *err)
{
    const reha_net_value *in = &net->values[net->layers[index].inputs[0]];

    (void)err;
    if (!net->is_dry) {
        reha_kernel_resize(net->threads, reha_value_span(in), reha_value_span(&net->values[index]),
                           resize_of(net, index));
    }
    return REHA_OK;
}

static reha_status backward_resize(reha_net *net, int index, reha_error *err)
{
    reha_net_value *in = &net->values[net->layers[index].inputs[0]];
    reha_span addend, dx;

    REHA_TRY(reha_net_grad_target(net, in, NULL, &addend, &dx, err));
    if (!net->is_dry) {
        reha_kernel_resize_grad(net->threads, reha_grad_span(&net->values[index]), addend, dx,
                                resize_of(net, index));
    }
    return REHA_OK;
}

const reha_layer_kind reha_layer_resize = {NULL, forward_resize, backward_resize};
