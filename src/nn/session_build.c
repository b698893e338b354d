/* A plan, translated into bound oneDNN calls and kernels for one batch size. */
#include "nn/session_priv.h"

#include "base/memory.h"

#include <string.h>

static const reha_step *current(const reha_builder *builder)
{
    return &builder->plan->steps[builder->step];
}

static const reha_tensor *tensor_at(const reha_builder *builder, int tensor)
{
    return &builder->plan->tensors[tensor];
}

static const reha_node *node_of(const reha_builder *builder)
{
    return reha_graph_node(builder->plan->graph, current(builder)->node);
}

static int64_t type_bytes(dnnl_data_type_t type)
{
    return type == dnnl_f32 ? 4 : type == dnnl_bf16 ? 2 : 1;
}

static uint8_t *address_of(const reha_builder *builder, int tensor)
{
    const reha_tensor *t = tensor_at(builder, tensor);
    const size_t pixels = t->order == REHA_ORDER_BLOCKED ? (size_t)(t->height * t->width) : 1;
    return builder->arena + builder->plan->buffers[t->buffer].offset +
           (size_t)t->channel_offset * pixels * (size_t)type_bytes(t->type);
}

static reha_status image_layout(reha_builder *builder, int tensor, dnnl_data_type_t type, reha_order order,
                                const reha_layout **out, reha_error *err)
{
    const reha_tensor *t = tensor_at(builder, tensor);
    const int64_t dims[4] = {builder->program->batch, t->channels, t->height, t->width};
    return reha_dnn_layout(builder->dnn, 4, dims, type, order, out, err);
}

reha_status reha_build_layout(reha_builder *builder, int tensor, const reha_layout **out, reha_error *err)
{
    const reha_tensor *t = tensor_at(builder, tensor);
    return image_layout(builder, tensor, t->type, t->order, out, err);
}

static reha_status add_run(reha_builder *builder, const char *implementation, reha_op_run **out,
                           reha_error *err)
{
    reha_program *program = builder->program;
    if (program->run_count == program->run_capacity) {
        const int capacity = program->run_capacity == 0 ? 64 : 2 * program->run_capacity;
        reha_op_run *runs = reha_realloc(program->runs, (size_t)capacity * sizeof *runs);
        if (runs == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "no memory for %d operators", capacity);
        }
        program->runs = runs;
        program->run_capacity = capacity;
    }
    reha_op_run *run = &program->runs[program->run_count++];
    memset(run, 0, sizeof *run);
    run->step = builder->step;
    run->port = -1;
    run->value = -1;
    run->implementation = implementation;
    *out = run;
    return REHA_OK;
}

/* Inputs that stay as the caller has them are read from the caller's memory: no copy. */
static bool is_callers(const reha_builder *builder, int tensor)
{
    const reha_tensor *t = tensor_at(builder, tensor);
    return t->order == REHA_ORDER_PLAIN && builder->plan->steps[t->first].kind == REHA_STEP_INPUT;
}

reha_status reha_build_memory(reha_builder *builder, int tensor, reha_memory **out, reha_error *err)
{
    const reha_layout *layout = NULL;
    *out = NULL;
    REHA_TRY(reha_build_layout(builder, tensor, &layout, err));
    if (!is_callers(builder, tensor)) {
        return reha_dnn_memory(builder->dnn, layout, address_of(builder, tensor), out, err);
    }
    reha_op_run *run = NULL;
    REHA_TRY(reha_dnn_memory(builder->dnn, layout, NULL, out, err));
    REHA_TRY(add_run(builder, "own:bind", &run, err));
    run->user = *out;
    run->port = builder->plan->steps[tensor_at(builder, tensor)->first].port;
    return REHA_OK;
}

reha_status reha_build_call(reha_builder *builder, const reha_primitive *primitive, const reha_call_arg *args,
                            int count, reha_error *err)
{
    reha_call *call = NULL;
    reha_op_run *run = NULL;
    REHA_TRY(reha_dnn_call(builder->dnn, primitive, args, count, &call, err));
    REHA_TRY(add_run(builder, reha_primitive_implementation(primitive), &run, err));
    run->call = call;
    return REHA_OK;
}

/* `unit`: what the results so far are multiplied with, against real values (1 for floats). */
reha_status reha_build_posts(const reha_builder *builder, float unit, reha_attr *attr, reha_error *err)
{
    const reha_step *step = current(builder);
    for (int i = 0; i < step->post_count; i++) {
        reha_post_op *post = &attr->post_ops[attr->post_op_count++];
        const reha_tensor *other = tensor_at(builder, step->inputs[step->input_count - 1]);
        memset(post, 0, sizeof *post);
        post->kind = REHA_POST_ELTWISE;
        post->scale = 1.0F;
        switch (step->posts[i]) {
        case REHA_OP_ADD:
            post->kind = REHA_POST_SUM;
            post->scale = other->scale * unit;
            post->sum_type = dnnl_data_type_undef;
            if (other->type == dnnl_u8 || other->type == dnnl_s8) {
                post->sum_type = other->type;
            }
            break;
        case REHA_OP_RELU:
            post->algorithm = dnnl_eltwise_relu;
            break;
        case REHA_OP_RELU6:
            post->algorithm = dnnl_eltwise_clip;
            post->beta = 6.0F * unit;
            break;
        case REHA_OP_SIGMOID:
            post->algorithm = dnnl_eltwise_logistic;
            post->scale = 1.0F / tensor_at(builder, step->output)->scale;
            break;
        default:
            return reha_fail(err, REHA_E_INTERNAL, "node %s: %s cannot be fused", node_of(builder)->name,
                             reha_op_name(step->posts[i]));
        }
    }
    return REHA_OK;
}

/* A reorder between two memories; the result is multiplied with `factor`. */
static reha_status build_reorder(reha_builder *builder, reha_memory *from, reha_memory *to, float factor,
                                 reha_error *err)
{
    const reha_call_arg args[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    reha_attr attr = {0};
    reha_primitive *primitive = NULL;
    if (factor != 1.0F) {
        attr.output_scales = &factor;
        attr.output_scale_count = 1;
    }
    REHA_TRY(reha_dnn_reorder(builder->dnn, reha_memory_layout(from), reha_memory_layout(to), &attr,
                              &primitive, err));
    return reha_build_call(builder, primitive, args, 2, err);
}

static reha_status build_port(reha_builder *builder, bool is_output, reha_error *err)
{
    const reha_step *step = current(builder);
    const int tensor = is_output ? step->inputs[0] : step->output;
    const float scale = tensor_at(builder, tensor)->scale;
    const reha_layout *plain = NULL;
    reha_memory *user = NULL;
    if (!is_output && is_callers(builder, tensor)) {
        return REHA_OK;
    }
    reha_memory *own = NULL;
    REHA_TRY(image_layout(builder, tensor, dnnl_f32, REHA_ORDER_PLAIN, &plain, err));
    REHA_TRY(reha_dnn_memory(builder->dnn, plain, NULL, &user, err));
    REHA_TRY(reha_build_memory(builder, tensor, &own, err));
    if (is_output) {
        REHA_TRY(build_reorder(builder, own, user, scale, err));
    } else {
        REHA_TRY(build_reorder(builder, user, own, 1.0F / scale, err));
    }
    reha_op_run *run = &builder->program->runs[builder->program->run_count - 1];
    run->user = user;
    run->port = step->port;
    run->is_output = is_output;
    return REHA_OK;
}

static reha_status build_convert(reha_builder *builder, reha_error *err)
{
    const reha_step *step = current(builder);
    const float factor = tensor_at(builder, step->inputs[0])->scale / tensor_at(builder, step->output)->scale;
    reha_memory *from = NULL;
    reha_memory *to = NULL;
    REHA_TRY(reha_build_memory(builder, step->inputs[0], &from, err));
    REHA_TRY(reha_build_memory(builder, step->output, &to, err));
    return build_reorder(builder, from, to, factor, err);
}

/* The result is a vector whose numbers stand in the order channel, row, column. */
static reha_status build_flatten(reha_builder *builder, reha_error *err)
{
    const reha_step *step = current(builder);
    const reha_layout *plain = NULL;
    reha_memory *from = NULL;
    reha_memory *to = NULL;
    REHA_TRY(image_layout(builder, step->inputs[0], tensor_at(builder, step->output)->type, REHA_ORDER_PLAIN,
                          &plain, err));
    REHA_TRY(reha_build_memory(builder, step->inputs[0], &from, err));
    REHA_TRY(reha_dnn_memory(builder->dnn, plain, address_of(builder, step->output), &to, err));
    return build_reorder(builder, from, to, 1.0F, err);
}

/* A vector of floats, one per channel, that broadcasts over the image. */
static reha_status channel_memory(reha_builder *builder, const float *values, int64_t channels,
                                  reha_order order, reha_memory **out, reha_error *err)
{
    const int64_t dims[4] = {1, channels, 1, 1};
    const reha_layout *layout = NULL;
    REHA_TRY(reha_dnn_layout(builder->dnn, 4, dims, dnnl_f32, order, &layout, err)); /* padding stays zero */
    REHA_TRY(reha_dnn_memory_alloc(builder->dnn, layout, out, err));
    memcpy(reha_memory_data(*out), values, (size_t)channels * sizeof(float));
    return REHA_OK;
}

static reha_status scale_memories(reha_builder *builder, float unit, reha_error *err)
{
    const reha_step *step = current(builder);
    const float in_scale = tensor_at(builder, step->inputs[0])->scale;
    const reha_order order = tensor_at(builder, step->output)->order;
    reha_step_weights *kept = &builder->weights[builder->step];
    reha_status status = REHA_OK;
    reha_folded folded = {0};
    if (kept->weights != NULL) {
        return REHA_OK;
    }
    REHA_TRY(reha_fold_weights(builder->plan, step, &folded, err));
    for (int64_t c = 0; c < folded.out_channels; c++) {
        folded.weights[c] *= in_scale * unit;
        folded.bias[c] *= unit;
    }
    REHA_CHECK(channel_memory(builder, folded.weights, folded.out_channels, order, &kept->weights, err));
    REHA_CHECK(channel_memory(builder, folded.bias, folded.out_channels, order, &kept->bias, err));
done:
    reha_folded_clear(&folded);
    return status;
}

static reha_status build_scale(reha_builder *builder, reha_error *err)
{
    const reha_step *step = current(builder);
    const reha_step_weights *kept = &builder->weights[builder->step];
    const float unit = 1.0F / tensor_at(builder, step->output)->scale;
    reha_attr attr = {0};
    reha_primitive *primitive = NULL;
    reha_call_arg args[4] = {{DNNL_ARG_SRC_0, NULL},
                             {DNNL_ARG_SRC_1, NULL},
                             {DNNL_ARG_DST, NULL},
                             {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, NULL}};
    REHA_TRY(scale_memories(builder, unit, err));
    REHA_TRY(reha_build_memory(builder, step->inputs[0], &args[0].memory, err));
    args[1].memory = kept->weights;
    REHA_TRY(reha_build_memory(builder, step->output, &args[2].memory, err));
    args[3].memory = kept->bias;
    attr.post_ops[attr.post_op_count++] = (reha_post_op){
        .kind = REHA_POST_BINARY, .algorithm = dnnl_binary_add, .layout = reha_memory_layout(kept->bias)};
    REHA_TRY(reha_build_posts(builder, unit, &attr, err));
    REHA_TRY(reha_dnn_binary(builder->dnn, dnnl_binary_mul, reha_memory_layout(args[0].memory),
                             reha_memory_layout(args[1].memory), reha_memory_layout(args[2].memory), &attr,
                             &primitive, err));
    return reha_build_call(builder, primitive, args, 4, err);
}

static reha_status build_binary(reha_builder *builder, dnnl_alg_kind_t algorithm, reha_error *err)
{
    const reha_step *step = current(builder);
    const float unit = 1.0F / tensor_at(builder, step->output)->scale;
    const float scale_a = tensor_at(builder, step->inputs[0])->scale;
    const float scale_b = tensor_at(builder, step->inputs[1])->scale;
    reha_attr attr = {0};
    reha_primitive *primitive = NULL;
    reha_call_arg args[3] = {{DNNL_ARG_SRC_0, NULL}, {DNNL_ARG_SRC_1, NULL}, {DNNL_ARG_DST, NULL}};
    attr.src_scale[0] = scale_a * unit * (algorithm == dnnl_binary_mul ? scale_b : 1.0F);
    attr.src_scale[1] = algorithm == dnnl_binary_mul ? 1.0F : scale_b * unit;
    REHA_TRY(reha_build_memory(builder, step->inputs[0], &args[0].memory, err));
    REHA_TRY(reha_build_memory(builder, step->inputs[1], &args[1].memory, err));
    REHA_TRY(reha_build_memory(builder, step->output, &args[2].memory, err));
    REHA_TRY(reha_build_posts(builder, unit, &attr, err));
    REHA_TRY(reha_dnn_binary(builder->dnn, algorithm, reha_memory_layout(args[0].memory),
                             reha_memory_layout(args[1].memory), reha_memory_layout(args[2].memory), &attr,
                             &primitive, err));
    return reha_build_call(builder, primitive, args, 3, err);
}

static reha_status build_pool(reha_builder *builder, reha_error *err)
{
    const reha_step *step = current(builder);
    const reha_tensor *in = tensor_at(builder, step->inputs[0]);
    const reha_tensor *out = tensor_at(builder, step->output);
    const bool is_max = node_of(builder)->op == REHA_OP_MAX_POOL;
    const reha_pool_spec spec = {.algorithm = is_max ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding,
                                 .batch = builder->program->batch,
                                 .channels = in->channels,
                                 .in_h = in->height,
                                 .in_w = in->width,
                                 .out_h = out->height,
                                 .out_w = out->width,
                                 .window = node_of(builder)->window,
                                 .type = in->type,
                                 .is_blocked = out->order == REHA_ORDER_BLOCKED};
    reha_primitive *primitive = NULL;
    reha_call_arg args[2] = {{DNNL_ARG_SRC, NULL}, {DNNL_ARG_DST, NULL}};
    REHA_TRY(reha_build_memory(builder, step->inputs[0], &args[0].memory, err));
    REHA_TRY(reha_build_memory(builder, step->output, &args[1].memory, err));
    REHA_TRY(reha_dnn_pool_forward(builder->dnn, &spec, REHA_PASS_INFERENCE, &primitive, err));
    return reha_build_call(builder, primitive, args, 2, err);
}

static reha_status build_unary(reha_builder *builder, reha_error *err)
{
    const reha_step *step = current(builder);
    reha_primitive *primitive = NULL;
    reha_call_arg args[2] = {{DNNL_ARG_SRC, NULL}, {DNNL_ARG_DST, NULL}};
    REHA_TRY(reha_build_memory(builder, step->inputs[0], &args[0].memory, err));
    REHA_TRY(reha_build_memory(builder, step->output, &args[1].memory, err));
    const reha_layout *src = reha_memory_layout(args[0].memory);
    const reha_layout *dst = reha_memory_layout(args[1].memory);
    if (step->kind == REHA_STEP_SOFTMAX) {
        REHA_TRY(reha_dnn_softmax_forward(builder->dnn, src, dst, 1, REHA_PASS_INFERENCE, &primitive, err));
    } else if (step->kind == REHA_STEP_SIGMOID) {
        REHA_TRY(reha_dnn_eltwise_forward(builder->dnn, dnnl_eltwise_logistic, src, 0.0F, 0.0F,
                                          REHA_PASS_INFERENCE, &primitive, err));
    } else {
        const bool is_nearest = node_of(builder)->op == REHA_OP_RESIZE_NEAREST;
        REHA_TRY(reha_dnn_resize_forward(builder->dnn,
                                         is_nearest ? dnnl_resampling_nearest : dnnl_resampling_linear, src,
                                         dst, REHA_PASS_INFERENCE, NULL, &primitive, err));
    }
    return reha_build_call(builder, primitive, args, 2, err);
}

static reha_status add_kernel(reha_builder *builder, reha_kernel kernel, const char *name, int source,
                              int target, reha_op_run **out, reha_error *err)
{
    const reha_tensor *from = tensor_at(builder, source);
    const reha_tensor *to = tensor_at(builder, target);
    REHA_TRY(add_run(builder, name, out, err));
    reha_op_run *run = *out;
    run->kernel = kernel;
    run->src = address_of(builder, source);
    run->dst = address_of(builder, target);
    run->src_type = from->type;
    run->dst_type = to->type;
    run->batch = builder->program->batch;
    run->height = from->height;
    run->width = from->width;
    run->channels = from->channels;
    run->src_stride = from->channel_stride * type_bytes(from->type);
    run->dst_stride = to->channel_stride * type_bytes(to->type);
    run->scale = from->scale / to->scale;
    return REHA_OK;
}

static reha_status build_concat(reha_builder *builder, reha_error *err)
{
    const reha_step *step = current(builder);
    const reha_tensor *whole = tensor_at(builder, step->output);
    const bool is_blocked = whole->order == REHA_ORDER_BLOCKED;
    int64_t offset = 0;
    for (int k = 0; k < step->input_count; k++) {
        const reha_tensor *part = tensor_at(builder, step->inputs[k]);
        if (part->buffer != whole->buffer) { /* else it was written there at once */
            reha_op_run *run = NULL;
            const int64_t pixels = is_blocked ? whole->height * whole->width : 1;
            REHA_TRY(add_kernel(builder, is_blocked ? reha_kernel_copy_blocked : reha_kernel_copy, "own:copy",
                                step->inputs[k], step->output, &run, err));
            run->dst = (uint8_t *)run->dst + offset * pixels * type_bytes(whole->type);
        }
        offset += part->channels;
    }
    return REHA_OK;
}

static reha_status build_shuffle(reha_builder *builder, reha_error *err)
{
    const reha_step *step = current(builder);
    reha_op_run *run = NULL;
    const bool is_blocked = tensor_at(builder, step->output)->order == REHA_ORDER_BLOCKED;
    REHA_TRY(add_kernel(builder, is_blocked ? reha_kernel_shuffle_blocked : reha_kernel_shuffle,
                        "own:shuffle", step->inputs[0], step->output, &run, err));
    run->channels = tensor_at(builder, step->output)->channels;
    run->window_h = node_of(builder)->window.kernel_h;
    run->window_w = node_of(builder)->window.kernel_w;
    return REHA_OK;
}

static reha_status build_step(reha_builder *builder, reha_error *err)
{
    const reha_step *step = current(builder);
    reha_op_run *run = NULL;
    switch (step->kind) {
    case REHA_STEP_INPUT:
        return build_port(builder, false, err);
    case REHA_STEP_OUTPUT:
        return build_port(builder, true, err);
    case REHA_STEP_CONV:
        return reha_build_conv(builder, err);
    case REHA_STEP_SHUFFLE:
        return build_shuffle(builder, err);
    case REHA_STEP_FULLY_CONNECTED:
        return reha_build_fully_connected(builder, err);
    case REHA_STEP_SCALE:
        return build_scale(builder, err);
    case REHA_STEP_ADD:
        return build_binary(builder, dnnl_binary_add, err);
    case REHA_STEP_MUL:
        return build_binary(builder, dnnl_binary_mul, err);
    case REHA_STEP_CONCAT:
        return build_concat(builder, err);
    case REHA_STEP_POOL:
        return build_pool(builder, err);
    case REHA_STEP_GLOBAL_POOL:
        return add_kernel(builder,
                          tensor_at(builder, step->inputs[0])->order == REHA_ORDER_BLOCKED
                              ? reha_kernel_global_pool_blocked
                              : reha_kernel_global_pool,
                          "own:global_pool", step->inputs[0], step->output, &run, err);
    case REHA_STEP_RESIZE:
    case REHA_STEP_SIGMOID:
    case REHA_STEP_SOFTMAX:
        return build_unary(builder, err);
    case REHA_STEP_FLATTEN:
        return build_flatten(builder, err);
    case REHA_STEP_CONVERT:
        return build_convert(builder, err);
    }
    return reha_fail(err, REHA_E_INTERNAL, "a step of kind %d", (int)step->kind);
}

static void describe_result(const reha_builder *builder, reha_op_run *run)
{
    const reha_tensor *tensor = tensor_at(builder, current(builder)->output);
    run->value = tensor->value;
    run->result = address_of(builder, current(builder)->output);
    run->result_pixels = builder->program->batch * tensor->height * tensor->width;
    run->result_channels = tensor->channels;
    run->result_stride = tensor->channel_stride;
}

reha_status reha_program_build(reha_builder *builder, reha_error *err)
{
    for (builder->step = 0; builder->step < builder->plan->step_count; builder->step++) {
        const int before = builder->program->run_count;
        REHA_TRY(build_step(builder, err));
        if (builder->program->run_count > before && current(builder)->output >= 0) {
            describe_result(builder, &builder->program->runs[builder->program->run_count - 1]);
        }
    }
    return REHA_OK;
}

void reha_program_clear(reha_program *program)
{
    reha_free(program->runs);
    memset(program, 0, sizeof *program);
}
