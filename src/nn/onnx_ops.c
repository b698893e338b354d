/* The layers: one function per ONNX operator. Source: the operator specifications of ONNX, opsets 7 to 17. */
#include "nn/onnx_priv.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

static reha_graph *graph_of(const reha_onnx_op *op)
{
    return op->reader->graph;
}

static const reha_shape *shape_of(const reha_onnx_op *op, reha_value_id value)
{
    return &reha_graph_node(graph_of(op), value)->shape;
}

/* One initialiser may feed many nodes, each with a copy of its own: the copies count. */
static reha_status charge(const reha_onnx_op *op, size_t count)
{
    op->reader->param_floats += count;
    if (op->reader->param_floats > op->reader->limits->params_max) {
        return reha_onnx_fail(op, REHA_E_LIMIT, "more than %zu weights", op->reader->limits->params_max);
    }
    return REHA_OK;
}

static reha_status need_weight(const reha_onnx_op *op, size_t i, size_t rank, const reha_onnx_entry **out)
{
    size_t count = 0;
    REHA_TRY(reha_onnx_need_tensor(op, i, out));
    REHA_TRY(reha_onnx_tensor_count((*out)->tensor, op->reader->limits->params_max, &count, op->err));
    if ((*out)->tensor->n_dims != rank) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "a weight of %zu dimensions", (*out)->tensor->n_dims);
    }
    for (size_t k = 0; k < rank; k++) {
        if ((*out)->tensor->dims[k] < 1 || (*out)->tensor->dims[k] > 1 << 24) {
            return reha_onnx_fail(op, REHA_E_FORMAT, "dimension %zu of its weight is %lld", k,
                                  (long long)(*out)->tensor->dims[k]);
        }
    }
    return charge(op, count);
}

/* ---- windows ---- */

/* Padding such that the output is ceil(in / stride). */
static void same_padding(int64_t in, int kernel, int stride, int dilation, bool is_upper, int *low, int *high)
{
    const int64_t out = (in + stride - 1) / stride;
    int64_t pad = (out - 1) * stride + (int64_t)dilation * (kernel - 1) + 1 - in;
    pad = pad < 0 ? 0 : pad > 1000000 ? 1000000 : pad;
    *low = (int)(is_upper ? pad / 2 : pad - pad / 2);
    *high = (int)pad - *low;
}

static reha_status read_window(const reha_onnx_op *op, reha_value_id input, int kernel_h, int kernel_w,
                               reha_window *out)
{
    int kernel[2];
    int strides[2];
    int dilations[2];
    int pads[4];
    if (shape_of(op, input)->rank != 4) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "its input is no image [N, C, H, W]");
    }
    REHA_TRY(reha_onnx_ints(op, "kernel_shape", 2, 0, kernel));
    REHA_TRY(reha_onnx_ints(op, "strides", 2, 1, strides));
    REHA_TRY(reha_onnx_ints(op, "dilations", 2, 1, dilations));
    REHA_TRY(reha_onnx_ints(op, "pads", 4, 0, pads));
    if (kernel_h == 0) {
        kernel_h = kernel[0];
        kernel_w = kernel[1];
    } else if (reha_onnx_attribute(op, "kernel_shape") != NULL &&
               (kernel[0] != kernel_h || kernel[1] != kernel_w)) {
        return reha_onnx_fail(op, REHA_E_FORMAT, "kernel_shape %d x %d differs from the weight's %d x %d",
                              kernel[0], kernel[1], kernel_h, kernel_w);
    }
    const reha_window window = {kernel_h, kernel_w, strides[0], strides[1],   pads[0],
                                pads[1],  pads[2],  pads[3],    dilations[0], dilations[1]};
    *out = window;
    if (reha_onnx_is_text(op, "auto_pad", "NOTSET", true) ||
        reha_onnx_is_text(op, "auto_pad", "VALID", false)) {
        return REHA_OK;
    }
    const bool is_upper = reha_onnx_is_text(op, "auto_pad", "SAME_UPPER", false);
    if (!is_upper && !reha_onnx_is_text(op, "auto_pad", "SAME_LOWER", false)) {
        return reha_onnx_fail(op, REHA_E_FORMAT, "auto_pad is none of the known words");
    }
    if (strides[0] < 1 || strides[1] < 1 || kernel_h < 1 || kernel_w < 1 || dilations[0] < 1 ||
        dilations[1] < 1) {
        return reha_onnx_fail(op, REHA_E_FORMAT, "a stride, kernel or dilation below 1");
    }
    same_padding(shape_of(op, input)->dims[2], kernel_h, strides[0], dilations[0], is_upper, &out->pad_top,
                 &out->pad_bottom);
    same_padding(shape_of(op, input)->dims[3], kernel_w, strides[1], dilations[1], is_upper, &out->pad_left,
                 &out->pad_right);
    return REHA_OK;
}

static reha_status fill_bias(const reha_onnx_op *op, reha_value_id node, size_t input)
{
    const reha_onnx_entry *bias = NULL;
    if (reha_graph_node(graph_of(op), node)->param_count < 2) {
        return REHA_OK;
    }
    REHA_TRY(need_weight(op, input, 1, &bias));
    return reha_onnx_fill(op, node, 1, bias, false);
}

static reha_status op_conv(const reha_onnx_op *op)
{
    reha_value_id input;
    reha_value_id value;
    const reha_onnx_entry *weight = NULL;
    reha_window window;
    REHA_TRY(reha_onnx_need_value(op, 0, &input));
    REHA_TRY(need_weight(op, 1, 4, &weight));
    const int64_t *dims = weight->tensor->dims;
    REHA_TRY(read_window(op, input, (int)dims[2], (int)dims[3], &window));
    const int64_t groups = reha_onnx_int(op, "group", 1);
    if (groups < 1 || groups > 1 << 20 || shape_of(op, input)->dims[1] != dims[1] * groups) {
        return reha_onnx_fail(op, REHA_E_FORMAT, "%lld groups of %lld channels do not fit an input of %lld",
                              (long long)groups, (long long)dims[1], (long long)shape_of(op, input)->dims[1]);
    }
    REHA_TRY(reha_onnx_built(op, reha_graph_add_conv(graph_of(op), op->name, input, (int)dims[0], window,
                                                     (int)groups, reha_onnx_input(op, 2) != NULL, &value,
                                                     op->err)));
    REHA_TRY(reha_onnx_fill(op, value, 0, weight, false));
    REHA_TRY(fill_bias(op, value, 2));
    return reha_onnx_set_value(op, value);
}

static reha_status op_conv_transpose(const reha_onnx_op *op)
{
    reha_value_id input;
    reha_value_id value;
    const reha_onnx_entry *weight = NULL;
    reha_window window;
    int extra[2];
    REHA_TRY(reha_onnx_need_value(op, 0, &input));
    REHA_TRY(need_weight(op, 1, 4, &weight));
    const int64_t *dims = weight->tensor->dims;
    REHA_TRY(reha_onnx_ints(op, "output_padding", 2, 0, extra));
    if (reha_onnx_int(op, "group", 1) != 1 || reha_onnx_attribute(op, "output_shape") != NULL ||
        !reha_onnx_is_text(op, "auto_pad", "NOTSET", true)) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "groups, output_shape and auto_pad are not supported");
    }
    REHA_TRY(read_window(op, input, (int)dims[2], (int)dims[3], &window));
    /* rows added at the end are rows not cut off there */
    window.pad_bottom -= extra[0];
    window.pad_right -= extra[1];
    if (window.pad_bottom < 0 || window.pad_right < 0) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "output_padding larger than the padding");
    }
    if (shape_of(op, input)->dims[1] != dims[0]) {
        return reha_onnx_fail(op, REHA_E_FORMAT, "the weight is for %lld input channels, not %lld",
                              (long long)dims[0], (long long)shape_of(op, input)->dims[1]);
    }
    REHA_TRY(
        reha_onnx_built(op, reha_graph_add_conv_transpose(graph_of(op), op->name, input, (int)dims[1], window,
                                                          reha_onnx_input(op, 2) != NULL, &value, op->err)));
    REHA_TRY(reha_onnx_fill(op, value, 0, weight, false));
    REHA_TRY(fill_bias(op, value, 2));
    return reha_onnx_set_value(op, value);
}

static reha_status op_batch_norm(const reha_onnx_op *op)
{
    reha_value_id input;
    reha_value_id value;
    REHA_TRY(reha_onnx_need_value(op, 0, &input));
    if (reha_onnx_int(op, "training_mode", 0) != 0) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "training mode: export the model for inference");
    }
    REHA_TRY(reha_onnx_built(op, reha_graph_add_batch_norm(graph_of(op), op->name, input,
                                                           reha_onnx_float(op, "epsilon", 1e-5F), &value,
                                                           op->err)));
    for (int i = 0; i < 4; i++) {
        const reha_onnx_entry *entry = NULL;
        REHA_TRY(need_weight(op, (size_t)i + 1, 1, &entry));
        REHA_TRY(reha_onnx_fill(op, value, i, entry, false));
    }
    return reha_onnx_set_value(op, value);
}

/* ---- activations ---- */

static reha_status add_unary(const reha_onnx_op *op, reha_op kind)
{
    reha_value_id input;
    reha_value_id value;
    REHA_TRY(reha_onnx_need_value(op, 0, &input));
    REHA_TRY(reha_onnx_built(op, reha_graph_add_unary(graph_of(op), op->name, kind, input, &value, op->err)));
    return reha_onnx_set_value(op, value);
}

static reha_status op_relu(const reha_onnx_op *op)
{
    return add_unary(op, REHA_OP_RELU);
}

static reha_status op_sigmoid(const reha_onnx_op *op)
{
    return add_unary(op, REHA_OP_SIGMOID);
}

static reha_status op_clip(const reha_onnx_op *op)
{
    float low = reha_onnx_float(op, "min", -INFINITY);
    float high = reha_onnx_float(op, "max", INFINITY);
    REHA_TRY(reha_onnx_float_input(op, 1, low, &low));
    REHA_TRY(reha_onnx_float_input(op, 2, high, &high));
    if (low == 0.0F && high == 6.0F) {
        return add_unary(op, REHA_OP_RELU6);
    }
    if (low == 0.0F && high > 3e38F) {
        return add_unary(op, REHA_OP_RELU);
    }
    return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "limits %g and %g: only 0 to 6 and 0 to infinity",
                          (double)low, (double)high);
}

static reha_status op_softmax(const reha_onnx_op *op)
{
    reha_value_id input;
    REHA_TRY(reha_onnx_need_value(op, 0, &input));
    const int rank = shape_of(op, input)->rank;
    int64_t axis = reha_onnx_int(op, "axis", op->reader->opset >= 13 ? -1 : 1);
    axis = axis < 0 ? axis + rank : axis;
    /* before opset 13 axis 1 meant "over everything from axis 1 on" */
    if (axis != 1 || (rank == 4 && op->reader->opset < 13)) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "axis %lld of %d: only axis 1", (long long)axis, rank);
    }
    return add_unary(op, REHA_OP_SOFTMAX);
}

/* ---- arithmetic ---- */

/* x * factor + offset per channel, as a batch-norm that is otherwise the identity. */
static reha_status add_affine(const reha_onnx_op *op, reha_value_id input, const reha_onnx_entry *constant,
                              char what)
{
    const reha_shape *shape = shape_of(op, input);
    const size_t channels = (size_t)shape->dims[1];
    reha_value_id value;
    size_t count = 0;
    reha_status status = REHA_OK;
    REHA_TRY(reha_onnx_tensor_count(constant->tensor, op->reader->limits->params_max, &count, op->err));
    const size_t rank = constant->tensor->n_dims;
    const bool is_per_channel =
        count == channels && rank >= 3 && rank <= 4 && (size_t)constant->tensor->dims[rank - 3] == channels;
    if (shape->rank != 4 || (count != 1 && !is_per_channel) || rank > 4) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED,
                              "a constant that is neither a number nor one per channel");
    }
    REHA_TRY(charge(op, 4 * channels));
    REHA_TRY(
        reha_onnx_built(op, reha_graph_add_batch_norm(graph_of(op), op->name, input, 0.0F, &value, op->err)));
    float *numbers = reha_alloc(count * sizeof *numbers);
    if (numbers == NULL) {
        return reha_onnx_fail(op, REHA_E_NOMEM, "no memory for %zu numbers", count);
    }
    REHA_CHECK(reha_onnx_tensor_floats(constant->tensor, count, numbers, op->err));
    const reha_node *node = reha_graph_node(graph_of(op), value);
    float *scale = reha_graph_param_mutable(graph_of(op), node->params[0])->values;
    float *shift = reha_graph_param_mutable(graph_of(op), node->params[1])->values;
    for (size_t c = 0; c < channels; c++) {
        const float x = numbers[count == 1 ? 0 : c];
        scale[c] = what == '*' ? x : what == '/' ? 1.0F / x : 1.0F;
        shift[c] = what == '+' ? x : what == '-' ? -x : 0.0F;
    }
    status = reha_onnx_set_value(op, value);
done:
    reha_free(numbers);
    return status;
}

/* MatMul followed by Add: the constant is the bias of the layer just made. */
static reha_status add_bias(const reha_onnx_op *op, reha_value_id layer, const reha_onnx_entry *constant)
{
    reha_graph *graph = graph_of(op);
    reha_param *bias = reha_graph_param_mutable(graph, reha_graph_node(graph, layer)->params[1]);
    const size_t outputs = (size_t)bias->shape.dims[0];
    size_t count = 0;
    reha_status status = REHA_OK;
    REHA_TRY(reha_onnx_tensor_count(constant->tensor, op->reader->limits->params_max, &count, op->err));
    const size_t rank = constant->tensor->n_dims;
    if (count != 1 &&
        (count != outputs || rank < 1 || rank > 2 || (size_t)constant->tensor->dims[rank - 1] != count)) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "a bias of %zu numbers for %zu outputs", count,
                              outputs);
    }
    float *numbers = reha_alloc(count * sizeof *numbers);
    if (numbers == NULL) {
        return reha_onnx_fail(op, REHA_E_NOMEM, "no memory for %zu numbers", count);
    }
    REHA_CHECK(reha_onnx_tensor_floats(constant->tensor, count, numbers, op->err));
    for (size_t i = 0; i < outputs; i++) {
        bias->values[i] += numbers[count == 1 ? 0 : i];
    }
    status = reha_onnx_set_value(op, layer);
done:
    reha_free(numbers);
    return status;
}

static reha_status op_arithmetic(const reha_onnx_op *op, char what)
{
    bool done = false;
    reha_value_id values[2];
    REHA_TRY(reha_onnx_int_arithmetic(op, what, &done));
    if (done) {
        return REHA_OK;
    }
    const reha_onnx_entry *a = reha_onnx_input(op, 0);
    const reha_onnx_entry *b = reha_onnx_input(op, 1);
    const bool commutes = what == '+' || what == '*';
    if (commutes && a != NULL && b != NULL && a->kind == REHA_ONNX_TENSOR) {
        const reha_onnx_entry *swap = a;
        a = b;
        b = swap;
    }
    if (a != NULL && b != NULL && a->kind == REHA_ONNX_VALUE && b->kind == REHA_ONNX_TENSOR) {
        const bool is_layer = reha_graph_node(graph_of(op), a->value)->op == REHA_OP_FULLY_CONNECTED;
        if (what == '+' && is_layer && a->uses == 1) {
            return add_bias(op, a->value, b);
        }
        return add_affine(op, a->value, b, what);
    }
    if (!commutes) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "only a constant second operand is supported");
    }
    REHA_TRY(reha_onnx_need_value(op, 0, &values[0]));
    REHA_TRY(reha_onnx_need_value(op, 1, &values[1]));
    REHA_TRY(reha_onnx_built(op, reha_graph_add_binary(graph_of(op), op->name,
                                                       what == '+' ? REHA_OP_ADD : REHA_OP_MUL, values[0],
                                                       values[1], &values[0], op->err)));
    return reha_onnx_set_value(op, values[0]);
}

static reha_status op_add(const reha_onnx_op *op)
{
    return op_arithmetic(op, '+');
}

static reha_status op_mul(const reha_onnx_op *op)
{
    return op_arithmetic(op, '*');
}

static reha_status op_sub(const reha_onnx_op *op)
{
    return op_arithmetic(op, '-');
}

static reha_status op_div(const reha_onnx_op *op)
{
    return op_arithmetic(op, '/');
}

/* More inputs than a node takes are joined in rounds. */
static reha_status concat_values(const reha_onnx_op *op)
{
    reha_value_id part[REHA_NN_INPUTS_MAX];
    int count = 0;
    for (size_t i = 0; i < op->node->n_input; i++) {
        if (count == REHA_NN_INPUTS_MAX) {
            char name[REHA_NN_NAME_BYTES];
            reha_onnx_second_name(op, "_part", name);
            REHA_TRY(reha_onnx_built(
                op, reha_graph_add_concat(graph_of(op), name, part, count, &part[0], op->err)));
            count = 1;
        }
        REHA_TRY(reha_onnx_need_value(op, i, &part[count]));
        count++;
    }
    REHA_TRY(
        reha_onnx_built(op, reha_graph_add_concat(graph_of(op), op->name, part, count, &part[0], op->err)));
    return reha_onnx_set_value(op, part[0]);
}

static reha_status op_concat(const reha_onnx_op *op)
{
    const int64_t axis = reha_onnx_int(op, "axis", 0);
    const reha_onnx_entry *first = reha_onnx_input(op, 0);
    if (first == NULL) {
        return reha_onnx_fail(op, REHA_E_FORMAT, "it has no input");
    }
    if (first->kind == REHA_ONNX_VALUE) {
        const int rank = shape_of(op, first->value)->rank;
        if (axis != 1 && axis != 1 - rank) {
            return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "axis %lld: only channels are joined",
                                  (long long)axis);
        }
        return concat_values(op);
    }
    int64_t joined[REHA_ONNX_INTS_MAX];
    int total = 0;
    for (size_t i = 0; i < op->node->n_input; i++) {
        int64_t part[REHA_ONNX_INTS_MAX];
        int count = 0;
        REHA_TRY(reha_onnx_need_ints(op, i, part, &count));
        if (axis != 0 || total + count > REHA_ONNX_INTS_MAX) {
            return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "constants of this size or axis");
        }
        memcpy(joined + total, part, (size_t)count * sizeof *part);
        total += count;
    }
    return reha_onnx_set_ints(op, joined, total, false);
}

/* ---- pooling ---- */

/* Rounding the size up is padding at the end, which pools here do not count. */
static void pad_for_ceiling(int64_t in, int low, int kernel, int stride, int *high)
{
    const int64_t span = in + low + *high - kernel;
    if (span < 0 || stride < 1 || span % stride == 0) {
        return;
    }
    const int64_t last_start = (span / stride + 1) * stride;
    if (last_start < in + low) { /* a window that would begin in the padding is left out */
        *high += (int)(stride - span % stride);
    }
}

static reha_status add_pool(const reha_onnx_op *op, reha_op kind)
{
    reha_value_id input;
    reha_value_id value;
    reha_window w;
    REHA_TRY(reha_onnx_need_value(op, 0, &input));
    REHA_TRY(read_window(op, input, 0, 0, &w));
    if (op->node->n_output > 1 && op->node->output[1][0] != '\0') {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "the second output (indices)");
    }
    const bool is_padded = w.pad_top + w.pad_left + w.pad_bottom + w.pad_right > 0;
    if (kind == REHA_OP_AVERAGE_POOL && reha_onnx_int(op, "count_include_pad", 0) != 0 && is_padded) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "padding that counts in the mean");
    }
    if (reha_onnx_int(op, "ceil_mode", 0) != 0) {
        pad_for_ceiling(shape_of(op, input)->dims[2], w.pad_top, w.kernel_h, w.stride_h, &w.pad_bottom);
        pad_for_ceiling(shape_of(op, input)->dims[3], w.pad_left, w.kernel_w, w.stride_w, &w.pad_right);
    }
    REHA_TRY(
        reha_onnx_built(op, reha_graph_add_pool(graph_of(op), op->name, kind, input, w, &value, op->err)));
    return reha_onnx_set_value(op, value);
}

static reha_status op_max_pool(const reha_onnx_op *op)
{
    return add_pool(op, REHA_OP_MAX_POOL);
}

static reha_status op_average_pool(const reha_onnx_op *op)
{
    return add_pool(op, REHA_OP_AVERAGE_POOL);
}

static reha_status op_global_pool(const reha_onnx_op *op)
{
    return add_unary(op, REHA_OP_GLOBAL_AVERAGE_POOL);
}

static reha_status op_reduce_mean(const reha_onnx_op *op)
{
    int64_t axes[REHA_ONNX_INTS_MAX];
    int count = 0;
    reha_value_id input;
    reha_value_id value;
    const Onnx__AttributeProto *attribute = reha_onnx_attribute(op, "axes");
    REHA_TRY(reha_onnx_need_value(op, 0, &input));
    if (attribute != NULL && attribute->n_ints <= REHA_ONNX_INTS_MAX) {
        count = (int)attribute->n_ints;
        memcpy(axes, attribute->ints, (size_t)count * sizeof *axes);
    } else if (op->node->n_input > 1) {
        REHA_TRY(reha_onnx_need_ints(op, 1, axes, &count));
    }
    const int rank = shape_of(op, input)->rank;
    int64_t sum = 0;
    for (int i = 0; i < count; i++) {
        axes[i] += axes[i] < 0 ? rank : 0;
        sum += axes[i] == 2 || axes[i] == 3 ? axes[i] : 100;
    }
    if (rank != 4 || count != 2 || sum != 5) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "only the mean over height and width");
    }
    REHA_TRY(reha_onnx_built(op, reha_graph_add_unary(graph_of(op), op->name, REHA_OP_GLOBAL_AVERAGE_POOL,
                                                      input, &value, op->err)));
    if (reha_onnx_int(op, "keepdims", 1) == 0) {
        char name[REHA_NN_NAME_BYTES];
        reha_onnx_second_name(op, "_flatten", name);
        REHA_TRY(reha_onnx_built(
            op, reha_graph_add_unary(graph_of(op), name, REHA_OP_FLATTEN, value, &value, op->err)));
    }
    return reha_onnx_set_value(op, value);
}

/* ---- resize ---- */

static reha_status whole_scale(const reha_onnx_op *op, double scale, int *out)
{
    if (!(scale >= 1.0 && scale <= 4096.0) || fabs(scale - round(scale)) > 1e-6) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "a scale of %g: only whole ones", scale);
    }
    *out = (int)round(scale);
    return REHA_OK;
}

static reha_status scales_from_floats(const reha_onnx_op *op, const float *scales, size_t count, int out[2])
{
    if (count != 4 || scales[0] != 1.0F || scales[1] != 1.0F) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "scales of the batch or the channels");
    }
    REHA_TRY(whole_scale(op, (double)scales[2], &out[0]));
    return whole_scale(op, (double)scales[3], &out[1]);
}

static reha_status read_scales(const reha_onnx_op *op, size_t scales_input, const reha_shape *shape,
                               int out[2])
{
    const Onnx__AttributeProto *attribute = reha_onnx_attribute(op, "scales"); /* Upsample before opset 9 */
    if (attribute != NULL) {
        return scales_from_floats(op, attribute->floats, attribute->n_floats, out);
    }
    const reha_onnx_entry *entry = reha_onnx_input(op, scales_input);
    size_t count = 0;
    if (entry != NULL && entry->kind == REHA_ONNX_TENSOR) {
        REHA_TRY(reha_onnx_tensor_count(entry->tensor, 4, &count, op->err));
    }
    if (count > 0) {
        float scales[4] = {0};
        REHA_TRY(reha_onnx_tensor_floats(entry->tensor, count, scales, op->err));
        return scales_from_floats(op, scales, count, out);
    }
    if (entry != NULL && entry->kind == REHA_ONNX_INTS && entry->int_count == 4) {
        const float scales[4] = {(float)entry->ints[0], (float)entry->ints[1], (float)entry->ints[2],
                                 (float)entry->ints[3]};
        return scales_from_floats(op, scales, 4, out);
    }
    int64_t sizes[REHA_ONNX_INTS_MAX];
    int size_count = 0;
    REHA_TRY(reha_onnx_need_ints(op, 3, sizes, &size_count));
    if (size_count != 4 || sizes[1] != shape->dims[1]) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "sizes other than [N, C, height, width]");
    }
    REHA_TRY(whole_scale(op, (double)sizes[2] / (double)shape->dims[2], &out[0]));
    return whole_scale(op, (double)sizes[3] / (double)shape->dims[3], &out[1]);
}

static reha_status op_resize(const reha_onnx_op *op)
{
    reha_value_id input;
    reha_value_id value;
    int scale[2];
    const bool is_upsample = strcmp(op->node->op_type, "Upsample") == 0;
    REHA_TRY(reha_onnx_need_value(op, 0, &input));
    const reha_shape shape = *shape_of(op, input);
    if (shape.rank != 4) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "its input is no image [N, C, H, W]");
    }
    const bool is_nearest = reha_onnx_is_text(op, "mode", "nearest", true);
    const bool is_linear = reha_onnx_is_text(op, "mode", "linear", false);
    const char *key = "coordinate_transformation_mode";
    const bool is_half_pixel = reha_onnx_is_text(op, key, "half_pixel", true) ||
                               reha_onnx_is_text(op, key, "pytorch_half_pixel", false);
    const bool is_asymmetric =
        is_upsample || op->reader->opset < 11 || reha_onnx_is_text(op, key, "asymmetric", false);
    if (!is_nearest && !is_linear) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "only nearest and linear");
    }
    if (is_linear && (is_asymmetric || !is_half_pixel)) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "linear only with half-pixel centres");
    }
    /* for whole scales all of these give the pixel that covers the place */
    const bool rounds_half = is_half_pixel && !is_asymmetric &&
                             (reha_onnx_is_text(op, "nearest_mode", "round_prefer_floor", true) ||
                              reha_onnx_is_text(op, "nearest_mode", "round_prefer_ceil", false));
    const bool floors = is_asymmetric && (is_upsample || op->reader->opset < 11 ||
                                          reha_onnx_is_text(op, "nearest_mode", "floor", false));
    if (is_nearest && !rounds_half && !floors) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "this rounding of nearest");
    }
    REHA_TRY(read_scales(op, is_upsample || op->reader->opset < 11 ? 1 : 2, &shape, scale));
    REHA_TRY(reha_onnx_built(
        op, reha_graph_add_resize(graph_of(op), op->name,
                                  is_nearest ? REHA_OP_RESIZE_NEAREST : REHA_OP_RESIZE_BILINEAR, input,
                                  scale[0], scale[1], &value, op->err)));
    return reha_onnx_set_value(op, value);
}

/* ---- fully connected ---- */

static void scale_param(const reha_onnx_op *op, reha_value_id node, int which, float factor)
{
    reha_param *param =
        reha_graph_param_mutable(graph_of(op), reha_graph_node(graph_of(op), node)->params[which]);
    const size_t count = reha_shape_count(param->shape);
    for (size_t i = 0; factor != 1.0F && i < count; i++) {
        param->values[i] *= factor;
    }
}

/* swap: the file has [in, out]. */
static reha_status add_layer(const reha_onnx_op *op, bool swap, reha_value_id *out)
{
    reha_value_id input;
    const reha_onnx_entry *weight = NULL;
    REHA_TRY(reha_onnx_need_value(op, 0, &input));
    REHA_TRY(need_weight(op, 1, 2, &weight));
    if (shape_of(op, input)->rank != 2) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "its input is no vector [N, features]");
    }
    const int64_t outputs = weight->tensor->dims[swap != weight->is_transposed ? 1 : 0];
    REHA_TRY(reha_onnx_built(
        op, reha_graph_add_fully_connected(graph_of(op), op->name, input, (int)outputs, out, op->err)));
    return reha_onnx_fill(op, *out, 0, weight, swap);
}

static reha_status op_gemm(const reha_onnx_op *op)
{
    reha_value_id value;
    if (reha_onnx_int(op, "transA", 0) != 0) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "transA");
    }
    REHA_TRY(add_layer(op, reha_onnx_int(op, "transB", 0) == 0, &value));
    scale_param(op, value, 0, reha_onnx_float(op, "alpha", 1.0F));
    const reha_onnx_entry *bias = reha_onnx_input(op, 2);
    if (bias == NULL) {
        return reha_onnx_set_value(op, value);
    }
    REHA_TRY(reha_onnx_need_tensor(op, 2, &bias));
    REHA_TRY(add_bias(op, value, bias));
    scale_param(op, value, 1, reha_onnx_float(op, "beta", 1.0F));
    return REHA_OK;
}

static reha_status op_mat_mul(const reha_onnx_op *op)
{
    reha_value_id value;
    REHA_TRY(add_layer(op, true, &value));
    return reha_onnx_set_value(op, value);
}

reha_onnx_translate reha_onnx_find_layer(const char *op_type)
{
    static const struct {
        const char *op_type;
        reha_onnx_translate translate;
    } layers[] = {{"Conv", op_conv},
                  {"ConvTranspose", op_conv_transpose},
                  {"BatchNormalization", op_batch_norm},
                  {"Relu", op_relu},
                  {"Clip", op_clip},
                  {"Sigmoid", op_sigmoid},
                  {"Softmax", op_softmax},
                  {"Add", op_add},
                  {"Mul", op_mul},
                  {"Sub", op_sub},
                  {"Div", op_div},
                  {"Concat", op_concat},
                  {"MaxPool", op_max_pool},
                  {"AveragePool", op_average_pool},
                  {"GlobalAveragePool", op_global_pool},
                  {"ReduceMean", op_reduce_mean},
                  {"Resize", op_resize},
                  {"Upsample", op_resize},
                  {"Gemm", op_gemm},
                  {"MatMul", op_mat_mul}};
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        if (strcmp(layers[i].op_type, op_type) == 0) {
            return layers[i].translate;
        }
    }
    return NULL;
}
