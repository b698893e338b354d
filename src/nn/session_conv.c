/* Convolutions, fully connected layers and their weights. */
#include "nn/session_priv.h"

#include "base/memory.h"

#include <string.h>

enum {
    WINOGRAD_PIXELS_MIN = 36,   /* smaller maps waste most of a tile */
    SECOND_COPY_MAX = 128 * 128 /* channels: transformed weights are up to four times as large */
};

static const reha_step *current(const reha_builder *builder)
{
    return &builder->plan->steps[builder->step];
}

static const reha_tensor *tensor_at(const reha_builder *builder, int tensor)
{
    return &builder->plan->tensors[tensor];
}

static const char *step_name(const reha_builder *builder)
{
    return reha_graph_node(builder->plan->graph, current(builder)->node)->name;
}

static bool has_sigmoid(const reha_step *step)
{
    return step->post_count > 0 && step->posts[step->post_count - 1] == REHA_OP_SIGMOID;
}

static reha_conv_spec conv_spec(const reha_builder *builder)
{
    const reha_step *step = current(builder);
    const reha_node *node = reha_graph_node(builder->plan->graph, step->node);
    const reha_tensor *in = tensor_at(builder, step->inputs[0]);
    const reha_tensor *out = tensor_at(builder, step->output);
    const bool is_int8 = in->type == dnnl_u8 || in->type == dnnl_s8;
    const reha_conv_spec spec = {.batch = builder->program->batch,
                                 .in_channels = in->channels,
                                 .in_h = in->height,
                                 .in_w = in->width,
                                 .out_channels = out->channels,
                                 .out_h = out->height,
                                 .out_w = out->width,
                                 .groups = node->groups,
                                 .is_transposed = node->op == REHA_OP_CONV_TRANSPOSE && !step->is_pointwise,
                                 .with_bias = true,
                                 .window = step->is_pointwise ? reha_window_square(1, 1, 0) : node->window,
                                 .src_type = in->type,
                                 .weights_type = is_int8 ? dnnl_s8 : in->type,
                                 .bias_type = dnnl_f32,
                                 .dst_type = out->type,
                                 .is_blocked = out->order == REHA_ORDER_BLOCKED,
                                 .has_plain_src = in->order == REHA_ORDER_PLAIN,
                                 .allow_winograd = out->height * out->width >= WINOGRAD_PIXELS_MIN};
    return spec;
}

/* Runs one reorder now. */
static reha_status move_now(reha_builder *builder, const reha_layout *layout, void *data, reha_memory *to,
                            reha_error *err)
{
    reha_memory *from = NULL;
    reha_call *call = NULL;
    REHA_TRY(reha_dnn_memory(builder->dnn, layout, data, &from, err));
    REHA_TRY(reha_dnn_reorder_call(builder->dnn, from, to, &call, err));
    return reha_call_run(call, err);
}

/* Weights and bias of the current step in the primitive's layout; kept for the next batch size. The
 * floats must be in the order of `plain`; `quantized` replaces them for 8-bit layers. */
static reha_status store_weights(reha_builder *builder, const reha_primitive *primitive,
                                 const reha_layout *plain, void *values, float *bias, int64_t channels,
                                 reha_error *err)
{
    reha_step_weights *kept = &builder->weights[builder->step];
    const reha_layout *wanted = reha_primitive_layout(primitive, DNNL_ARG_WEIGHTS);
    if (wanted == NULL) {
        return reha_fail(err, REHA_E_INTERNAL, "node %s: the primitive takes no weights", step_name(builder));
    }
    if (kept->weights == NULL || !reha_layout_equal(wanted, reha_memory_layout(kept->weights))) {
        REHA_TRY(reha_dnn_memory_alloc(builder->dnn, wanted, &kept->weights, err));
        REHA_TRY(move_now(builder, plain, values, kept->weights, err));
    }
    if (kept->bias == NULL) {
        const reha_layout *layout = NULL;
        REHA_TRY(reha_dnn_layout(builder->dnn, 1, &channels, dnnl_f32, REHA_ORDER_PLAIN, &layout, err));
        REHA_TRY(reha_dnn_memory_alloc(builder->dnn, layout, &kept->bias, err));
        memcpy(reha_memory_data(kept->bias), bias, (size_t)channels * sizeof(float));
    }
    return REHA_OK;
}

/* Everything about an 8-bit layer that depends on scales. */
typedef struct int8_parts {
    int8_t *weights;
    float *weight_scales; /* per output channel */
    float *output_scales; /* accumulator to result */
} int8_parts;

static void int8_clear(int8_parts *parts)
{
    reha_free(parts->weights);
    reha_free(parts->weight_scales);
    reha_free(parts->output_scales);
}

static reha_status int8_prepare(const reha_builder *builder, reha_folded *folded, float unit, int8_parts *out,
                                reha_error *err)
{
    const reha_tensor *in = tensor_at(builder, current(builder)->inputs[0]);
    const size_t channels = (size_t)folded->out_channels;
    const reha_step *step = current(builder);
    if (reha_graph_node(builder->plan->graph, step->node)->op == REHA_OP_CONV_TRANSPOSE &&
        !step->is_pointwise) {
        return reha_fail(err, REHA_E_UNSUPPORTED,
                         "node %s: int8 transposed convolutions need kernel = stride", step_name(builder));
    }
    memset(out, 0, sizeof *out);
    out->weights = reha_alloc(folded->count);
    out->weight_scales = reha_alloc(channels * sizeof(float));
    out->output_scales = reha_alloc(channels * sizeof(float));
    if (out->weights == NULL || out->weight_scales == NULL || out->output_scales == NULL) {
        int8_clear(out);
        memset(out, 0, sizeof *out);
        return reha_fail(err, REHA_E_NOMEM, "node %s: no memory for its weights", step_name(builder));
    }
    reha_quantize_weights(folded->weights, folded->out_channels, folded->count / channels, out->weights,
                          out->weight_scales);
    for (size_t o = 0; o < channels; o++) {
        /* oneDNN 2.x adds the bias to the accumulator, before the scale */
        folded->bias[o] /= in->scale * out->weight_scales[o];
        out->output_scales[o] = in->scale * out->weight_scales[o] * unit;
    }
    return REHA_OK;
}

static reha_status bind_conv(reha_builder *builder, const reha_primitive *primitive, reha_error *err)
{
    const reha_step *step = current(builder);
    const reha_step_weights *kept = &builder->weights[builder->step];
    reha_call_arg args[4] = {{DNNL_ARG_SRC, NULL},
                             {DNNL_ARG_WEIGHTS, kept->weights},
                             {DNNL_ARG_BIAS, kept->bias},
                             {DNNL_ARG_DST, NULL}};
    REHA_TRY(reha_build_memory(builder, step->inputs[0], &args[0].memory, err));
    REHA_TRY(reha_build_memory(builder, step->output, &args[3].memory, err));
    return reha_build_call(builder, primitive, args, 4, err);
}

/* With the weights of a larger batch as they lie, if that is possible: one copy serves both. */
static reha_status make_conv(reha_builder *builder, reha_conv_spec spec, const reha_attr *attr,
                             reha_primitive **out, reha_error *err)
{
    const reha_memory *kept = builder->weights[builder->step].weights;
    if (kept != NULL) {
        spec.weights_layout = reha_memory_layout(kept);
        if (reha_dnn_conv_forward(builder->dnn, &spec, REHA_PASS_INFERENCE, attr, out, NULL) == REHA_OK &&
            !reha_primitive_is_reference(*out)) {
            return REHA_OK;
        }
        spec.weights_layout = NULL;
        spec.allow_winograd = spec.allow_winograd && spec.in_channels * spec.out_channels <= SECOND_COPY_MAX;
    }
    return reha_dnn_conv_forward(builder->dnn, &spec, REHA_PASS_INFERENCE, attr, out, err);
}

reha_status reha_build_conv(reha_builder *builder, reha_error *err)
{
    const reha_step *step = current(builder);
    const reha_conv_spec spec = conv_spec(builder);
    const bool is_int8 = spec.weights_type == dnnl_s8;
    const float out_scale = tensor_at(builder, step->output)->scale;
    const float unit = has_sigmoid(step) ? 1.0F : 1.0F / out_scale;
    reha_status status = REHA_OK;
    reha_folded folded = {0};
    int8_parts parts = {0};
    reha_attr attr = {0};
    reha_primitive *primitive = NULL;
    const reha_layout *plain = NULL;
    REHA_CHECK(reha_fold_weights(builder->plan, step, &folded, err));
    if (is_int8) {
        REHA_CHECK(int8_prepare(builder, &folded, unit, &parts, err));
        attr.output_scales = parts.output_scales;
        attr.output_scale_count = (int)spec.out_channels;
        attr.output_scale_mask = 1 << 1;
    }
    REHA_CHECK(reha_build_posts(builder, unit, &attr, err));
    REHA_CHECK(make_conv(builder, spec, &attr, &primitive, err));
    if (reha_primitive_is_reference(primitive)) {
        status =
            reha_fail(err, REHA_E_INTERNAL, "node %s: only a reference implementation (%s) exists for it",
                      step_name(builder), reha_primitive_implementation(primitive));
        goto done;
    }
    REHA_CHECK(reha_dnn_conv_plain_weights(builder->dnn, &spec, is_int8 ? dnnl_s8 : dnnl_f32, &plain, err));
    REHA_CHECK(store_weights(builder, primitive, plain, is_int8 ? (void *)parts.weights : folded.weights,
                             folded.bias, spec.out_channels, err));
    REHA_CHECK(bind_conv(builder, primitive, err));
done:
    reha_folded_clear(&folded);
    int8_clear(&parts);
    return status;
}

reha_status reha_build_fully_connected(reha_builder *builder, reha_error *err)
{
    const reha_step *step = current(builder);
    const reha_tensor *in = tensor_at(builder, step->inputs[0]);
    const reha_tensor *out = tensor_at(builder, step->output);
    const int64_t src_dims[2] = {builder->program->batch, in->channels};
    const int64_t dst_dims[2] = {builder->program->batch, out->channels};
    const int64_t weight_dims[2] = {out->channels, in->channels};
    const int64_t bias_dims[1] = {out->channels};
    const reha_layout *src;
    const reha_layout *dst;
    const reha_layout *weights;
    const reha_layout *bias;
    const reha_layout *plain;
    reha_dnn *dnn = builder->dnn;
    reha_status status = REHA_OK;
    reha_folded folded = {0};
    reha_attr attr = {0};
    reha_primitive *primitive = NULL;
    reha_call_arg args[4] = {
        {DNNL_ARG_SRC, NULL}, {DNNL_ARG_WEIGHTS, NULL}, {DNNL_ARG_BIAS, NULL}, {DNNL_ARG_DST, NULL}};
    REHA_TRY(reha_dnn_layout(dnn, 2, src_dims, in->type, REHA_ORDER_PLAIN, &src, err));
    REHA_TRY(reha_dnn_layout(dnn, 2, dst_dims, out->type, REHA_ORDER_PLAIN, &dst, err));
    REHA_TRY(reha_dnn_layout(dnn, 2, weight_dims, in->type, REHA_ORDER_ANY, &weights, err));
    REHA_TRY(reha_dnn_layout(dnn, 2, weight_dims, dnnl_f32, REHA_ORDER_PLAIN, &plain, err));
    REHA_TRY(reha_dnn_layout(dnn, 1, bias_dims, dnnl_f32, REHA_ORDER_PLAIN, &bias, err));
    REHA_TRY(reha_build_posts(builder, 1.0F, &attr, err));
    REHA_TRY(reha_dnn_fc_forward(dnn, src, weights, bias, dst, REHA_PASS_INFERENCE, &attr, &primitive, err));
    REHA_CHECK(reha_fold_weights(builder->plan, step, &folded, err));
    REHA_CHECK(store_weights(builder, primitive, plain, folded.weights, folded.bias, out->channels, err));
    args[1].memory = builder->weights[builder->step].weights;
    args[2].memory = builder->weights[builder->step].bias;
    REHA_CHECK(reha_dnn_memory(dnn, src, builder->arena + builder->plan->buffers[in->buffer].offset,
                               &args[0].memory, err));
    REHA_CHECK(reha_dnn_memory(dnn, dst, builder->arena + builder->plan->buffers[out->buffer].offset,
                               &args[3].memory, err));
    REHA_CHECK(reha_build_call(builder, primitive, args, 4, err));
done:
    reha_folded_clear(&folded);
    return status;
}
