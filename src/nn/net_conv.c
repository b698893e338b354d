/* Convolutions, pooling and fully connected layers: oneDNN primitives, bound to the pool's buffers
 * just before each run. */
#include "nn/net_priv.h"

#include "base/memory.h"

#include <string.h>

static dnnl_data_type_t type_of(bool half)
{
    return half ? dnnl_bf16 : dnnl_f32;
}

static reha_conv_spec spec_of(const reha_net *net, const reha_layer *layer, int index)
{
    const reha_net_value *in = &net->values[layer->inputs[0]], *out = &net->values[index];
    reha_conv_spec spec = {.batch = in->n,
                           .in_channels = in->c,
                           .in_h = in->h,
                           .in_w = in->w,
                           .out_channels = out->c,
                           .out_h = out->h,
                           .out_w = out->w,
                           .groups = layer->node.groups,
                           .is_transposed = layer->node.op == REHA_OP_CONV_TRANSPOSE,
                           .with_bias = layer->node.param_count > 1,
                           .window = layer->node.window,
                           .src_type = type_of(in->half),
                           .weights_type = type_of(in->half),
                           .bias_type = dnnl_f32,
                           .dst_type = type_of(out->half)};
    if (layer->is_strided_1x1) {
        spec.in_h = out->h;
        spec.in_w = out->w;
        spec.window = reha_window_square(1, 1, 0);
    }
    if (layer->is_shuffle) {
        spec.is_transposed = false;
        spec.out_channels = out->c * layer->node.window.kernel_h * layer->node.window.kernel_w;
        spec.out_h = in->h;
        spec.out_w = in->w;
        spec.window = reha_window_square(1, 1, 0);
    }
    return spec;
}

static reha_status no_reference(const reha_primitive *primitive, reha_error *err)
{
    if (reha_primitive_is_reference(primitive)) {
        return reha_fail(err, REHA_E_INTERNAL, "only the reference implementation %s is available",
                         reha_primitive_implementation(primitive));
    }
    return REHA_OK;
}

/* The master weights as this primitive wants them: *copy, refreshed by *load (NULL: the master itself). */
static reha_status bind_weights(reha_net *net, reha_memory *master, const reha_layout *wanted,
                                reha_memory **copy, reha_call **load, reha_error *err)
{
    *load = NULL;
    *copy = master;
    if (reha_layout_equal(wanted, reha_memory_layout(master))) {
        return REHA_OK;
    }
    REHA_TRY(reha_dnn_memory_alloc(net->dnn, wanted, copy, err));
    return reha_dnn_reorder_call(net->dnn, master, *copy, load, err);
}

static reha_status vector_memory(reha_net *net, int64_t count, float *data, reha_memory **out,
                                 reha_error *err)
{
    const reha_layout *layout;
    REHA_TRY(reha_dnn_layout(net->dnn, 1, &count, dnnl_f32, REHA_ORDER_PLAIN, &layout, err));
    return data != NULL ? reha_dnn_memory(net->dnn, layout, data, out, err)
                        : reha_dnn_memory_alloc(net->dnn, layout, out, err);
}

static float *weights_of(reha_net *net, const reha_layer *layer, int which)
{
    if (layer->is_shuffle) {
        return which == 0 ? layer->own_weights : layer->own_bias;
    }
    return net->weights + net->params[layer->node.params[which]].offset;
}

static float *grad_of(reha_net *net, const reha_layer *layer, int which)
{
    if (layer->is_shuffle) {
        return which == 0 ? layer->own_weight_grads : layer->own_bias_grads;
    }
    const reha_net_param *param = &net->params[layer->node.params[which]];
    return param->train_offset != SIZE_MAX ? net->grads + param->train_offset : NULL;
}

static reha_status build_weight_grad(reha_net *net, reha_layer *layer, const reha_conv_spec *forward_spec,
                                     const reha_primitive *forward, const reha_layout *plain, reha_error *err)
{
    reha_conv_spec spec = *forward_spec;
    reha_primitive *primitive;
    reha_memory *grad = NULL, *diff_bias = NULL;
    reha_call_arg args[4];
    int count = 3;

    spec.weights_type = dnnl_f32;
    REHA_TRY(reha_dnn_conv_backward_weights(net->dnn, &spec, forward, &primitive, err));
    REHA_TRY(no_reference(primitive, err));
    const reha_layout *wanted = reha_primitive_layout(primitive, DNNL_ARG_DIFF_WEIGHTS);
    if (grad_of(net, layer, 0) == NULL) { /* only the bias trains: computed, not used */
        REHA_TRY(reha_dnn_memory_alloc(net->dnn, wanted, &layer->diff_weights, err));
    } else {
        REHA_TRY(reha_dnn_memory(net->dnn, plain, grad_of(net, layer, 0), &grad, err));
        layer->diff_weights = grad;
        if (!reha_layout_equal(wanted, plain)) {
            REHA_TRY(reha_dnn_memory_alloc(net->dnn, wanted, &layer->diff_weights, err));
            REHA_TRY(reha_dnn_reorder_call(net->dnn, layer->diff_weights, grad, &layer->store, err));
        }
    }
    args[0] = (reha_call_arg){DNNL_ARG_SRC, layer->src};
    args[1] = (reha_call_arg){DNNL_ARG_DIFF_DST, layer->diff_dst};
    args[2] = (reha_call_arg){DNNL_ARG_DIFF_WEIGHTS, layer->diff_weights};
    if (spec.with_bias) {
        REHA_TRY(vector_memory(net, spec.out_channels, grad_of(net, layer, 1), &diff_bias, err));
        args[count++] = (reha_call_arg){DNNL_ARG_DIFF_BIAS, diff_bias};
    }
    return reha_dnn_call(net->dnn, primitive, args, count, &layer->backward_weights, err);
}

static reha_status build_conv_forward(reha_net *net, reha_layer *layer, const reha_conv_spec *spec,
                                      reha_memory *master, reha_primitive **out, reha_error *err)
{
    const reha_pass pass = layer->wants_backward ? REHA_PASS_TRAINING : REHA_PASS_INFERENCE;
    reha_memory *bias = NULL;
    reha_call_arg args[4];
    int count = 3;

    REHA_TRY(reha_dnn_conv_forward(net->dnn, spec, pass, NULL, out, err));
    REHA_TRY(no_reference(*out, err));
    REHA_TRY(bind_weights(net, master, reha_primitive_layout(*out, DNNL_ARG_WEIGHTS), &layer->weights,
                          &layer->load, err));
    REHA_TRY(reha_dnn_memory(net->dnn, reha_primitive_layout(*out, DNNL_ARG_SRC), NULL, &layer->src, err));
    REHA_TRY(reha_dnn_memory(net->dnn, reha_primitive_layout(*out, DNNL_ARG_DST), NULL, &layer->dst, err));
    args[0] = (reha_call_arg){DNNL_ARG_SRC, layer->src};
    args[1] = (reha_call_arg){DNNL_ARG_WEIGHTS, layer->weights};
    args[2] = (reha_call_arg){DNNL_ARG_DST, layer->dst};
    if (spec->with_bias) {
        REHA_TRY(vector_memory(net, spec->out_channels, weights_of(net, layer, 1), &bias, err));
        args[count++] = (reha_call_arg){DNNL_ARG_BIAS, bias};
    }
    return reha_dnn_call(net->dnn, *out, args, count, &layer->forward, err);
}

static reha_status build_data_grad(reha_net *net, reha_layer *layer, const reha_conv_spec *spec,
                                   const reha_primitive *forward, reha_memory *master, reha_error *err)
{
    reha_primitive *primitive;

    REHA_TRY(reha_dnn_conv_backward_data(net->dnn, spec, forward, &primitive, err));
    REHA_TRY(no_reference(primitive, err));
    const reha_layout *wanted = reha_primitive_layout(primitive, DNNL_ARG_WEIGHTS);
    if (reha_layout_equal(wanted, reha_memory_layout(layer->weights))) {
        layer->weights_backward = layer->weights;
    } else {
        REHA_TRY(bind_weights(net, master, wanted, &layer->weights_backward, &layer->load_backward, err));
    }
    REHA_TRY(reha_dnn_memory(net->dnn, reha_primitive_layout(primitive, DNNL_ARG_DIFF_SRC), NULL,
                             &layer->diff_src, err));
    const reha_call_arg args[3] = {{DNNL_ARG_DIFF_DST, layer->diff_dst},
                                   {DNNL_ARG_WEIGHTS, layer->weights_backward},
                                   {DNNL_ARG_DIFF_SRC, layer->diff_src}};
    return reha_dnn_call(net->dnn, primitive, args, 3, &layer->backward_data, err);
}

/* Kernel = stride, nothing cut off or left out. */
static bool can_shuffle(const reha_layer *layer)
{
    const reha_window *w = &layer->node.window;
    return layer->node.op == REHA_OP_CONV_TRANSPOSE && w->kernel_h == w->stride_h &&
           w->kernel_w == w->stride_w && w->pad_top + w->pad_left + w->pad_bottom + w->pad_right == 0 &&
           w->dilation_h == 1 && w->dilation_w == 1;
}

static reha_status build_conv(reha_net *net, int index, reha_error *err)
{
    reha_layer *layer = &net->layers[index];
    const reha_net_value *in = &net->values[layer->inputs[0]], *out = &net->values[index];

    if (can_shuffle(layer)) {
        REHA_TRY(reha_shuffle_build(net, index, err));
        layer->is_shuffle = true;
    }
    const reha_conv_spec spec = spec_of(net, layer, index);
    const int token = reha_dnn_enter(net->dnn);
    reha_status status;
    reha_primitive *forward = NULL;
    reha_memory *master = NULL;
    const reha_layout *plain = NULL;

    layer->stride = (reha_stride_shape){
        in->n, in->h, in->w, out->h, out->w, in->c, layer->node.window.stride_h, layer->node.window.stride_w};
    REHA_CHECK(reha_dnn_conv_plain_weights(net->dnn, &spec, dnnl_f32, &plain, err));
    REHA_CHECK(reha_dnn_memory(net->dnn, plain, weights_of(net, layer, 0), &master, err));
    REHA_CHECK(build_conv_forward(net, layer, &spec, master, &forward, err));
    if (layer->wants_backward) {
        REHA_CHECK(reha_dnn_memory(net->dnn, reha_memory_layout(layer->dst), NULL, &layer->diff_dst, err));
    }
    if (layer->trains) {
        REHA_CHECK(build_weight_grad(net, layer, &spec, forward, plain, err));
    }
    if (in->wants_grad) {
        REHA_CHECK(build_data_grad(net, layer, &spec, forward, master, err));
    }
done:
    reha_dnn_leave(token);
    return status;
}

/* Every stride-th pixel of the input, in layer->kept. */
static reha_status take_strided(reha_net *net, reha_layer *layer, const reha_net_value *in, reha_error *err)
{
    const reha_stride_shape *s = &layer->stride;
    const size_t bytes =
        (size_t)(s->batch * s->out_h * s->out_w * s->channels) * reha_span_item_bytes(in->half);

    REHA_TRY(reha_net_take(net, bytes, &layer->kept, err));
    if (!net->is_dry) {
        reha_kernel_take_strided(net->threads, reha_value_span(in), (reha_span){layer->kept->data, in->half},
                                 *s);
    }
    return REHA_OK;
}

static reha_status load_weights(reha_net *net, reha_layer *layer, reha_error *err)
{
    if (!layer->is_loaded) {
        if (layer->is_shuffle) {
            reha_shuffle_load(net, layer);
        }
        if (layer->load != NULL) {
            REHA_TRY(reha_call_run(layer->load, err));
        }
        if (layer->load_backward != NULL) {
            REHA_TRY(reha_call_run(layer->load_backward, err));
        }
        layer->is_loaded = true;
    }
    return REHA_OK;
}

static reha_status forward_conv(reha_net *net, int index, reha_error *err)
{
    reha_layer *layer = &net->layers[index];
    const reha_net_value *in = &net->values[layer->inputs[0]], *out = &net->values[index];
    reha_buffer *packed = NULL;

    if (layer->is_strided_1x1) {
        REHA_TRY(take_strided(net, layer, in, err));
    }
    if (layer->is_shuffle) {
        REHA_TRY(reha_net_take(net, reha_shuffle_bytes(net, index), &packed, err));
    }
    if (!net->is_dry) {
        REHA_TRY(load_weights(net, layer, err));
        reha_memory_set_data(layer->src, layer->is_strided_1x1 ? layer->kept->data : in->data->data);
        reha_memory_set_data(layer->dst, packed != NULL ? packed->data : out->data->data);
        REHA_TRY(reha_call_run(layer->forward, err));
        if (packed != NULL) {
            reha_kernel_move_taps(net->threads, (reha_span){packed->data, out->half}, reha_value_span(out),
                                  true, reha_shuffle_shape_of(net, index));
        }
    }
    reha_net_drop(packed);
    if (layer->is_strided_1x1 && !layer->trains) {
        reha_net_drop(layer->kept);
        layer->kept = NULL;
    }
    return REHA_OK;
}

static reha_status backward_strided(reha_net *net, reha_layer *layer, reha_net_value *in, reha_error *err)
{
    const reha_stride_shape *s = &layer->stride;
    reha_buffer *small;
    reha_span addend, dx;

    REHA_TRY(reha_net_take(
        net, (size_t)(s->batch * s->out_h * s->out_w * s->channels) * reha_span_item_bytes(in->half), &small,
        err));
    REHA_TRY(reha_net_grad_target(net, in, NULL, &addend, &dx, err));
    if (!net->is_dry) {
        reha_memory_set_data(layer->diff_src, small->data);
        REHA_TRY(reha_call_run(layer->backward_data, err));
        reha_kernel_put_strided(net->threads, (reha_span){small->data, in->half}, addend, dx, *s);
    }
    reha_net_drop(small);
    return REHA_OK;
}

static reha_status backward_weights(reha_net *net, reha_layer *layer, const reha_net_value *in,
                                    reha_error *err)
{
    reha_memory_set_data(layer->src, layer->is_strided_1x1 ? layer->kept->data : in->data->data);
    REHA_TRY(reha_call_run(layer->backward_weights, err));
    if (layer->store != NULL) {
        REHA_TRY(reha_call_run(layer->store, err));
    }
    if (layer->is_shuffle) {
        reha_shuffle_store(net, layer);
    }
    return REHA_OK;
}

static reha_status backward_input(reha_net *net, reha_layer *layer, reha_net_value *in, reha_error *err)
{
    reha_buffer *scratch;

    if (layer->is_strided_1x1) {
        return backward_strided(net, layer, in, err);
    }
    REHA_TRY(reha_net_grad_scratch(net, in, &scratch, err));
    if (!net->is_dry) {
        reha_memory_set_data(layer->diff_src, scratch->data);
        REHA_TRY(reha_call_run(layer->backward_data, err));
    }
    reha_net_grad_merge(net, in, scratch);
    return REHA_OK;
}

static reha_status backward_conv(reha_net *net, int index, reha_error *err)
{
    reha_layer *layer = &net->layers[index];
    reha_net_value *in = &net->values[layer->inputs[0]], *out = &net->values[index];
    reha_buffer *packed = NULL;

    if (layer->is_shuffle) {
        REHA_TRY(reha_net_take(net, reha_shuffle_bytes(net, index), &packed, err));
    }
    if (!net->is_dry) {
        if (layer->is_shuffle) {
            reha_kernel_move_taps(net->threads, (reha_span){packed->data, out->half}, reha_grad_span(out),
                                  false, reha_shuffle_shape_of(net, index));
        }
        reha_memory_set_data(layer->diff_dst, layer->is_shuffle ? packed->data : out->grad->data);
    }
    if (layer->trains && !net->is_dry) {
        REHA_TRY(backward_weights(net, layer, in, err));
    }
    if (in->wants_grad) {
        REHA_TRY(backward_input(net, layer, in, err));
    }
    reha_net_drop(packed);
    return REHA_OK;
}

const reha_layer_kind reha_layer_conv = {build_conv, forward_conv, backward_conv};

/* ---- pooling ---- */

static reha_status build_pool_grad(reha_net *net, reha_layer *layer, const reha_pool_spec *spec,
                                   const reha_primitive *forward, reha_error *err)
{
    reha_primitive *primitive;
    reha_call_arg args[3];
    int count = 2;

    REHA_TRY(reha_dnn_pool_backward(net->dnn, spec, forward, &primitive, err));
    REHA_TRY(reha_dnn_memory(net->dnn, reha_memory_layout(layer->src), NULL, &layer->diff_src, err));
    REHA_TRY(reha_dnn_memory(net->dnn, reha_memory_layout(layer->dst), NULL, &layer->diff_dst, err));
    args[0] = (reha_call_arg){DNNL_ARG_DIFF_DST, layer->diff_dst};
    args[1] = (reha_call_arg){DNNL_ARG_DIFF_SRC, layer->diff_src};
    if (layer->workspace != NULL) {
        args[count++] = (reha_call_arg){DNNL_ARG_WORKSPACE, layer->workspace};
    }
    return reha_dnn_call(net->dnn, primitive, args, count, &layer->backward_data, err);
}

static reha_status build_pool(reha_net *net, int index, reha_error *err)
{
    reha_layer *layer = &net->layers[index];
    const reha_net_value *in = &net->values[layer->inputs[0]], *out = &net->values[index];
    const bool is_max = layer->node.op == REHA_OP_MAX_POOL;
    const reha_pool_spec spec = {.algorithm = is_max ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding,
                                 .batch = in->n,
                                 .channels = in->c,
                                 .in_h = in->h,
                                 .in_w = in->w,
                                 .out_h = out->h,
                                 .out_w = out->w,
                                 .window = layer->node.window,
                                 .type = type_of(in->half)};
    const int token = reha_dnn_enter(net->dnn);
    reha_status status;
    reha_primitive *forward = NULL;
    reha_call_arg args[3];
    int count = 2;

    REHA_CHECK(reha_dnn_pool_forward(
        net->dnn, &spec, layer->wants_backward ? REHA_PASS_TRAINING : REHA_PASS_INFERENCE, &forward, err));
    REHA_CHECK(
        reha_dnn_memory(net->dnn, reha_primitive_layout(forward, DNNL_ARG_SRC), NULL, &layer->src, err));
    REHA_CHECK(
        reha_dnn_memory(net->dnn, reha_primitive_layout(forward, DNNL_ARG_DST), NULL, &layer->dst, err));
    args[0] = (reha_call_arg){DNNL_ARG_SRC, layer->src};
    args[1] = (reha_call_arg){DNNL_ARG_DST, layer->dst};
    const reha_layout *workspace = reha_primitive_layout(forward, DNNL_ARG_WORKSPACE);
    if (workspace != NULL) {
        REHA_CHECK(reha_dnn_memory(net->dnn, workspace, NULL, &layer->workspace, err));
        layer->kept_bytes = reha_layout_bytes(workspace);
        args[count++] = (reha_call_arg){DNNL_ARG_WORKSPACE, layer->workspace};
    }
    REHA_CHECK(reha_dnn_call(net->dnn, forward, args, count, &layer->forward, err));
    if (layer->wants_backward) {
        REHA_CHECK(build_pool_grad(net, layer, &spec, forward, err));
    }
done:
    reha_dnn_leave(token);
    return status;
}

static reha_status forward_pool(reha_net *net, int index, reha_error *err)
{
    reha_layer *layer = &net->layers[index];

    if (layer->workspace != NULL) {
        REHA_TRY(reha_net_take(net, layer->kept_bytes, &layer->kept, err));
        reha_memory_set_data(layer->workspace, layer->kept->data);
    }
    if (net->is_dry) {
        return REHA_OK;
    }
    reha_memory_set_data(layer->src, net->values[layer->inputs[0]].data->data);
    reha_memory_set_data(layer->dst, net->values[index].data->data);
    return reha_call_run(layer->forward, err);
}

static reha_status backward_pool(reha_net *net, int index, reha_error *err)
{
    reha_layer *layer = &net->layers[index];
    reha_net_value *in = &net->values[layer->inputs[0]];
    reha_buffer *scratch;

    REHA_TRY(reha_net_grad_scratch(net, in, &scratch, err));
    if (!net->is_dry) {
        reha_memory_set_data(layer->diff_dst, net->values[index].grad->data);
        reha_memory_set_data(layer->diff_src, scratch->data);
        REHA_TRY(reha_call_run(layer->backward_data, err));
    }
    reha_net_grad_merge(net, in, scratch);
    return REHA_OK;
}

const reha_layer_kind reha_layer_pool = {build_pool, forward_pool, backward_pool};

/* ---- fully connected: f32 in every precision, on the master weights themselves ---- */

static reha_status build_fc_grads(reha_net *net, reha_layer *layer, const reha_primitive *forward,
                                  const reha_layout *weights, const reha_layout *bias, reha_error *err)
{
    const reha_layout *src = reha_memory_layout(layer->src), *dst = reha_memory_layout(layer->dst);
    reha_primitive *primitive;
    reha_memory *diff_bias = NULL;
    int count = 3;

    REHA_TRY(reha_dnn_memory(net->dnn, dst, NULL, &layer->diff_dst, err));
    if (layer->trains) {
        float *grad = grad_of(net, layer, 0);
        REHA_TRY(reha_dnn_fc_backward_weights(net->dnn, src, weights, bias, dst, forward, &primitive, err));
        if (grad != NULL) {
            REHA_TRY(reha_dnn_memory(net->dnn, weights, grad, &layer->diff_weights, err));
        } else {
            REHA_TRY(reha_dnn_memory_alloc(net->dnn, weights, &layer->diff_weights, err));
        }
        reha_call_arg args[4] = {{DNNL_ARG_SRC, layer->src},
                                 {DNNL_ARG_DIFF_DST, layer->diff_dst},
                                 {DNNL_ARG_DIFF_WEIGHTS, layer->diff_weights}};
        if (bias != NULL) {
            REHA_TRY(vector_memory(net, layer->node.shape.dims[1], grad_of(net, layer, 1), &diff_bias, err));
            args[count++] = (reha_call_arg){DNNL_ARG_DIFF_BIAS, diff_bias};
        }
        REHA_TRY(reha_dnn_call(net->dnn, primitive, args, count, &layer->backward_weights, err));
    }
    if (net->values[layer->inputs[0]].wants_grad) {
        REHA_TRY(reha_dnn_fc_backward_data(net->dnn, src, weights, dst, forward, &primitive, err));
        REHA_TRY(reha_dnn_memory(net->dnn, src, NULL, &layer->diff_src, err));
        const reha_call_arg args[3] = {{DNNL_ARG_DIFF_DST, layer->diff_dst},
                                       {DNNL_ARG_WEIGHTS, layer->weights},
                                       {DNNL_ARG_DIFF_SRC, layer->diff_src}};
        REHA_TRY(reha_dnn_call(net->dnn, primitive, args, 3, &layer->backward_data, err));
    }
    return REHA_OK;
}

static reha_status build_fc(reha_net *net, int index, reha_error *err)
{
    reha_layer *layer = &net->layers[index];
    const reha_net_value *in = &net->values[layer->inputs[0]], *out = &net->values[index];
    const int64_t src_dims[2] = {in->n, in->c}, dst_dims[2] = {out->n, out->c};
    const int64_t weight_dims[2] = {out->c, in->c};
    const int token = reha_dnn_enter(net->dnn);
    const reha_layout *src, *weights, *dst, *bias = NULL;
    reha_status status;
    reha_primitive *forward = NULL;
    reha_memory *bias_memory = NULL;
    reha_call_arg args[4];
    int count = 3;

    REHA_CHECK(reha_dnn_layout(net->dnn, 2, src_dims, dnnl_f32, REHA_ORDER_PLAIN, &src, err));
    REHA_CHECK(reha_dnn_layout(net->dnn, 2, weight_dims, dnnl_f32, REHA_ORDER_PLAIN, &weights, err));
    REHA_CHECK(reha_dnn_layout(net->dnn, 2, dst_dims, dnnl_f32, REHA_ORDER_PLAIN, &dst, err));
    if (layer->node.param_count > 1) {
        float *values = net->weights + net->params[layer->node.params[1]].offset;
        REHA_CHECK(vector_memory(net, out->c, values, &bias_memory, err));
        bias = reha_memory_layout(bias_memory);
    }
    REHA_CHECK(
        reha_dnn_fc_forward(net->dnn, src, weights, bias, dst, REHA_PASS_TRAINING, NULL, &forward, err));
    REHA_CHECK(reha_dnn_memory(net->dnn, src, NULL, &layer->src, err));
    REHA_CHECK(reha_dnn_memory(net->dnn, dst, NULL, &layer->dst, err));
    REHA_CHECK(reha_dnn_memory(net->dnn, weights, net->weights + net->params[layer->node.params[0]].offset,
                               &layer->weights, err));
    args[0] = (reha_call_arg){DNNL_ARG_SRC, layer->src};
    args[1] = (reha_call_arg){DNNL_ARG_WEIGHTS, layer->weights};
    args[2] = (reha_call_arg){DNNL_ARG_DST, layer->dst};
    if (bias != NULL) {
        args[count++] = (reha_call_arg){DNNL_ARG_BIAS, bias_memory};
    }
    REHA_CHECK(reha_dnn_call(net->dnn, forward, args, count, &layer->forward, err));
    if (layer->wants_backward) {
        REHA_CHECK(build_fc_grads(net, layer, forward, weights, bias, err));
    }
done:
    reha_dnn_leave(token);
    return status;
}

static reha_status forward_fc(reha_net *net, int index, reha_error *err)
{
    reha_layer *layer = &net->layers[index];

    if (net->is_dry) {
        return REHA_OK;
    }
    reha_memory_set_data(layer->src, net->values[layer->inputs[0]].data->data);
    reha_memory_set_data(layer->dst, net->values[index].data->data);
    return reha_call_run(layer->forward, err);
}

static reha_status backward_fc(reha_net *net, int index, reha_error *err)
{
    reha_layer *layer = &net->layers[index];
    reha_net_value *in = &net->values[layer->inputs[0]];
    reha_buffer *scratch;

    if (!net->is_dry) {
        reha_memory_set_data(layer->diff_dst, net->values[index].grad->data);
        if (layer->trains) {
            reha_memory_set_data(layer->src, in->data->data);
            REHA_TRY(reha_call_run(layer->backward_weights, err));
        }
    }
    if (!in->wants_grad) {
        return REHA_OK;
    }
    REHA_TRY(reha_net_grad_scratch(net, in, &scratch, err));
    if (!net->is_dry) {
        reha_memory_set_data(layer->diff_src, scratch->data);
        REHA_TRY(reha_call_run(layer->backward_data, err));
    }
    reha_net_grad_merge(net, in, scratch);
    return REHA_OK;
}

const reha_layer_kind reha_layer_fully_connected = {build_fc, forward_fc, backward_fc};
