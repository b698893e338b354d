/* The builders: shape inference and the checks that every other file of the room relies on. */
#include "base/memory.h"
#include "nn/graph.h"
#include "nn/graph_priv.h"

#include <stdio.h>
#include <string.h>

/* Far above any image network; keeps every product below inside 64 bits. */
enum { SIDE_MAX = 1 << 16, CHANNELS_MAX = 1 << 17, WINDOW_MAX = 4096, SUFFIX_BYTES = 10 };
static const int64_t value_count_max = (int64_t)1 << 30;

static reha_status check_name(const reha_graph *graph, const char *name, reha_error *err)
{
    if (name == NULL || name[0] == '\0') {
        return reha_fail(err, REHA_E_ARG, "node %d has no name", graph->node_count);
    }
    if (strlen(name) >= REHA_NN_NAME_BYTES - SUFFIX_BYTES) {
        return reha_fail(err, REHA_E_ARG, "node name %.60s... is too long (limit %d bytes)", name,
                         REHA_NN_NAME_BYTES - SUFFIX_BYTES - 1);
    }
    if (reha_graph_find_node(graph, name) >= 0) {
        return reha_fail(err, REHA_E_ARG, "node %s exists already", name);
    }
    return REHA_OK;
}

static reha_status check_input(const reha_graph *graph, const char *name, reha_value_id input, int rank,
                               reha_error *err)
{
    if (input < 0 || input >= graph->node_count) {
        return reha_fail(err, REHA_E_ARG, "node %s: input value %d does not exist", name, input);
    }
    if (rank != 0 && graph->nodes[input].shape.rank != rank) {
        return reha_fail(err, REHA_E_ARG, "node %s: input %s has %d dimensions, %d are needed", name,
                         graph->nodes[input].name, graph->nodes[input].shape.rank, rank);
    }
    return REHA_OK;
}

static reha_status check_shape(const char *name, reha_shape shape, reha_error *err)
{
    int64_t count = 1;
    for (int i = 0; i < shape.rank; i++) {
        const int64_t limit = i == 1 && shape.rank == 4 ? CHANNELS_MAX : i >= 2 ? SIDE_MAX : value_count_max;
        if (shape.dims[i] < 1) {
            return reha_fail(err, REHA_E_ARG, "node %s: output dimension %d would be %lld", name, i,
                             (long long)shape.dims[i]);
        }
        if (shape.dims[i] > limit || count > value_count_max / shape.dims[i]) {
            return reha_fail(err, REHA_E_LIMIT, "node %s: the output is too large (dimension %d is %lld)",
                             name, i, (long long)shape.dims[i]);
        }
        count *= shape.dims[i];
    }
    return REHA_OK;
}

static reha_status check_window(const char *name, const reha_window *w, reha_error *err)
{
    const int at_least_one[] = {w->kernel_h, w->kernel_w,   w->stride_h,
                                w->stride_w, w->dilation_h, w->dilation_w};
    const int at_least_zero[] = {w->pad_top, w->pad_left, w->pad_bottom, w->pad_right};
    for (size_t i = 0; i < sizeof at_least_one / sizeof at_least_one[0]; i++) {
        if (at_least_one[i] < 1 || at_least_one[i] > WINDOW_MAX) {
            return reha_fail(err, REHA_E_ARG, "node %s: kernel, stride or dilation %d is outside 1 to %d",
                             name, at_least_one[i], WINDOW_MAX);
        }
    }
    for (size_t i = 0; i < sizeof at_least_zero / sizeof at_least_zero[0]; i++) {
        if (at_least_zero[i] < 0 || at_least_zero[i] > WINDOW_MAX) {
            return reha_fail(err, REHA_E_ARG, "node %s: padding %d is outside 0 to %d", name,
                             at_least_zero[i], WINDOW_MAX);
        }
    }
    return REHA_OK;
}

static int64_t windowed_size(int64_t in, int pads, int kernel, int stride, int dilation)
{
    const int64_t room = in + pads - ((int64_t)dilation * (kernel - 1) + 1);
    return room < 0 ? 0 : room / stride + 1;
}

static reha_shape windowed_shape(reha_shape in, int64_t channels, const reha_window *w)
{
    const reha_shape shape = {
        4,
        {in.dims[0], channels,
         windowed_size(in.dims[2], w->pad_top + w->pad_bottom, w->kernel_h, w->stride_h, w->dilation_h),
         windowed_size(in.dims[3], w->pad_left + w->pad_right, w->kernel_w, w->stride_w, w->dilation_w)}};
    return shape;
}

static reha_node node_init(reha_op op, const char *name)
{
    reha_node node = {0};
    node.op = op;
    node.groups = 1;
    node.window = reha_window_square(1, 1, 0);
    node.scale_h = 1;
    node.scale_w = 1;
    snprintf(node.name, sizeof node.name, "%s", name);
    return node;
}

typedef struct param_spec {
    const char *suffix;
    reha_shape shape;
    float fill;
    bool is_trainable;
    bool decays;
} param_spec;

/* Appends the node and its parameters, or nothing. */
static reha_status commit(reha_graph *graph, reha_node *node, const param_spec *specs, int count,
                          reha_value_id *out, reha_error *err)
{
    reha_param params[4] = {0};
    reha_status status = REHA_OK;
    REHA_CHECK(check_shape(node->name, node->shape, err));
    REHA_CHECK(reha_graph_reserve(graph, count, err));
    for (int i = 0; i < count; i++) {
        reha_param *param = &params[i];
        snprintf(param->name, sizeof param->name, "%.*s%s", REHA_NN_NAME_BYTES - SUFFIX_BYTES - 1, node->name,
                 specs[i].suffix);
        param->shape = specs[i].shape;
        param->is_trainable = specs[i].is_trainable;
        param->decays = specs[i].decays;
        param->learning_rate_ratio = 1.0F;
        const size_t values = reha_shape_count(param->shape);
        param->values = reha_alloc_aligned(values * sizeof(float));
        if (param->values == NULL) {
            status = reha_fail(err, REHA_E_NOMEM, "node %s: no memory for %zu parameter values", node->name,
                               values);
            goto done;
        }
        for (size_t k = 0; k < values; k++) {
            param->values[k] = specs[i].fill;
        }
    }
    node->param_count = count;
    for (int i = 0; i < count; i++) {
        node->params[i] = reha_graph_append_param(graph, &params[i]);
        params[i].values = NULL; /* handed over */
    }
    *out = reha_graph_append_node(graph, node);
done:
    for (int i = 0; i < count; i++) {
        reha_free(params[i].values);
    }
    return status;
}

reha_status reha_graph_add_input(reha_graph *graph, const char *name, int channels, int height, int width,
                                 reha_value_id *out, reha_error *err)
{
    *out = -1;
    REHA_TRY(check_name(graph, name, err));
    if (graph->input_count == REHA_GRAPH_IO_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "input %s: more than %d inputs", name, REHA_GRAPH_IO_MAX);
    }
    reha_node node = node_init(REHA_OP_INPUT, name);
    node.shape = (reha_shape){4, {1, channels, height, width}};
    REHA_TRY(commit(graph, &node, NULL, 0, out, err));
    graph->inputs[graph->input_count++] = *out;
    return REHA_OK;
}

static reha_status check_groups(const char *name, int64_t in_channels, int out_channels, int groups,
                                reha_error *err)
{
    if (out_channels < 1 || out_channels > CHANNELS_MAX) {
        return reha_fail(err, REHA_E_ARG, "node %s: %d output channels", name, out_channels);
    }
    if (groups < 1 || in_channels % groups != 0 || out_channels % groups != 0) {
        return reha_fail(err, REHA_E_ARG,
                         "node %s: %d groups do not divide %lld input and %d output channels", name, groups,
                         (long long)in_channels, out_channels);
    }
    return REHA_OK;
}

static reha_status check_weight_count(const char *name, reha_shape shape, reha_error *err)
{
    int64_t count = 1;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dims[i] < 1 || count > value_count_max / shape.dims[i]) {
            return reha_fail(err, REHA_E_LIMIT, "node %s: the weight is too large", name);
        }
        count *= shape.dims[i];
    }
    return REHA_OK;
}

reha_status reha_graph_add_conv(reha_graph *graph, const char *name, reha_value_id input, int out_channels,
                                reha_window window, int groups, bool with_bias, reha_value_id *out,
                                reha_error *err)
{
    *out = -1;
    REHA_TRY(check_name(graph, name, err));
    REHA_TRY(check_input(graph, name, input, 4, err));
    REHA_TRY(check_window(name, &window, err));
    const reha_shape in = graph->nodes[input].shape;
    REHA_TRY(check_groups(name, in.dims[1], out_channels, groups, err));
    reha_node node = node_init(REHA_OP_CONV, name);
    node.input_count = 1;
    node.inputs[0] = input;
    node.window = window;
    node.groups = groups;
    node.shape = windowed_shape(in, out_channels, &window);
    const param_spec specs[2] = {{".weight",
                                  {4, {out_channels, in.dims[1] / groups, window.kernel_h, window.kernel_w}},
                                  0,
                                  true,
                                  true},
                                 {".bias", {1, {out_channels}}, 0, true, false}};
    REHA_TRY(check_weight_count(name, specs[0].shape, err));
    return commit(graph, &node, specs, with_bias ? 2 : 1, out, err);
}

reha_status reha_graph_add_conv_transpose(reha_graph *graph, const char *name, reha_value_id input,
                                          int out_channels, reha_window window, bool with_bias,
                                          reha_value_id *out, reha_error *err)
{
    *out = -1;
    REHA_TRY(check_name(graph, name, err));
    REHA_TRY(check_input(graph, name, input, 4, err));
    REHA_TRY(check_window(name, &window, err));
    const reha_shape in = graph->nodes[input].shape;
    REHA_TRY(check_groups(name, in.dims[1], out_channels, 1, err));
    reha_node node = node_init(REHA_OP_CONV_TRANSPOSE, name);
    node.input_count = 1;
    node.inputs[0] = input;
    node.window = window;
    node.shape.rank = 4;
    node.shape.dims[0] = in.dims[0];
    node.shape.dims[1] = out_channels;
    node.shape.dims[2] = (in.dims[2] - 1) * window.stride_h - window.pad_top - window.pad_bottom +
                         (int64_t)window.dilation_h * (window.kernel_h - 1) + 1;
    node.shape.dims[3] = (in.dims[3] - 1) * window.stride_w - window.pad_left - window.pad_right +
                         (int64_t)window.dilation_w * (window.kernel_w - 1) + 1;
    const param_spec specs[2] = {
        {".weight", {4, {in.dims[1], out_channels, window.kernel_h, window.kernel_w}}, 0, true, true},
        {".bias", {1, {out_channels}}, 0, true, false}};
    REHA_TRY(check_weight_count(name, specs[0].shape, err));
    return commit(graph, &node, specs, with_bias ? 2 : 1, out, err);
}

reha_status reha_graph_add_batch_norm(reha_graph *graph, const char *name, reha_value_id input, float epsilon,
                                      reha_value_id *out, reha_error *err)
{
    *out = -1;
    REHA_TRY(check_name(graph, name, err));
    REHA_TRY(check_input(graph, name, input, 4, err));
    if (!(epsilon >= 0.0F && epsilon < 1.0F)) {
        return reha_fail(err, REHA_E_ARG, "node %s: epsilon %g is outside 0 to 1", name, (double)epsilon);
    }
    reha_node node = node_init(REHA_OP_BATCH_NORM, name);
    node.input_count = 1;
    node.inputs[0] = input;
    node.shape = graph->nodes[input].shape;
    node.epsilon = epsilon;
    const reha_shape channels = {1, {node.shape.dims[1]}};
    const param_spec specs[4] = {{".scale", channels, 1, true, false},
                                 {".shift", channels, 0, true, false},
                                 {".mean", channels, 0, false, false},
                                 {".variance", channels, 1, false, false}};
    return commit(graph, &node, specs, 4, out, err);
}

reha_status reha_graph_add_unary(reha_graph *graph, const char *name, reha_op op, reha_value_id input,
                                 reha_value_id *out, reha_error *err)
{
    *out = -1;
    REHA_TRY(check_name(graph, name, err));
    REHA_TRY(check_input(graph, name, input, op == REHA_OP_GLOBAL_AVERAGE_POOL ? 4 : 0, err));
    reha_node node = node_init(op, name);
    node.input_count = 1;
    node.inputs[0] = input;
    node.shape = graph->nodes[input].shape;
    switch (op) {
    case REHA_OP_RELU:
    case REHA_OP_RELU6:
    case REHA_OP_SIGMOID:
    case REHA_OP_SOFTMAX:
        break;
    case REHA_OP_GLOBAL_AVERAGE_POOL:
        node.shape.dims[2] = 1;
        node.shape.dims[3] = 1;
        break;
    case REHA_OP_FLATTEN:
        node.shape.dims[1] = (int64_t)reha_shape_count(node.shape) / node.shape.dims[0];
        node.shape.rank = 2;
        node.shape.dims[2] = 0;
        node.shape.dims[3] = 0;
        break;
    default:
        return reha_fail(err, REHA_E_ARG, "node %s: %s is no unary operator", name, reha_op_name(op));
    }
    return commit(graph, &node, NULL, 0, out, err);
}

static bool same_shape(reha_shape a, reha_shape b)
{
    if (a.rank != b.rank) {
        return false;
    }
    for (int i = 0; i < a.rank; i++) {
        if (a.dims[i] != b.dims[i]) {
            return false;
        }
    }
    return true;
}

static bool is_per_channel(reha_shape whole, reha_shape part)
{
    return whole.rank == 4 && part.rank == 4 && part.dims[1] == whole.dims[1] && part.dims[2] == 1 &&
           part.dims[3] == 1;
}

reha_status reha_graph_add_binary(reha_graph *graph, const char *name, reha_op op, reha_value_id a,
                                  reha_value_id b, reha_value_id *out, reha_error *err)
{
    *out = -1;
    REHA_TRY(check_name(graph, name, err));
    REHA_TRY(check_input(graph, name, a, 0, err));
    REHA_TRY(check_input(graph, name, b, 0, err));
    if (op != REHA_OP_ADD && op != REHA_OP_MUL) {
        return reha_fail(err, REHA_E_ARG, "node %s: %s is no binary operator", name, reha_op_name(op));
    }
    const reha_shape shape_a = graph->nodes[a].shape;
    const reha_shape shape_b = graph->nodes[b].shape;
    reha_node node = node_init(op, name);
    node.input_count = 2;
    node.inputs[0] = a;
    node.inputs[1] = b;
    node.shape = shape_a;
    if (!same_shape(shape_a, shape_b)) {
        if (op == REHA_OP_MUL && is_per_channel(shape_b, shape_a)) {
            node.inputs[0] = b; /* the image first: compilers look at one order only */
            node.inputs[1] = a;
            node.shape = shape_b;
        } else if (op != REHA_OP_MUL || !is_per_channel(shape_a, shape_b)) {
            return reha_fail(err, REHA_E_ARG, "node %s: the shapes of %s and %s do not fit", name,
                             graph->nodes[a].name, graph->nodes[b].name);
        }
    }
    return commit(graph, &node, NULL, 0, out, err);
}

reha_status reha_graph_add_concat(reha_graph *graph, const char *name, const reha_value_id *inputs, int count,
                                  reha_value_id *out, reha_error *err)
{
    reha_value_id given[REHA_NN_INPUTS_MAX]; /* a caller may pass &inputs[0] as `out` */
    if (count >= 1 && count <= REHA_NN_INPUTS_MAX) {
        memcpy(given, inputs, (size_t)count * sizeof *inputs);
    }
    *out = -1;
    REHA_TRY(check_name(graph, name, err));
    if (count < 1 || count > REHA_NN_INPUTS_MAX) {
        return reha_fail(err, REHA_E_ARG, "node %s: %d inputs, 1 to %d are possible", name, count,
                         REHA_NN_INPUTS_MAX);
    }
    reha_node node = node_init(REHA_OP_CONCAT, name);
    node.input_count = count;
    for (int i = 0; i < count; i++) {
        REHA_TRY(check_input(graph, name, given[i], 0, err));
        reha_shape shape = graph->nodes[given[i]].shape;
        node.inputs[i] = given[i];
        if (i == 0) {
            node.shape = shape;
            continue;
        }
        const int64_t channels = shape.dims[1];
        shape.dims[1] = node.shape.dims[1];
        if (!same_shape(shape, node.shape)) {
            return reha_fail(err, REHA_E_ARG, "node %s: %s and %s differ in more than their channels", name,
                             graph->nodes[given[0]].name, graph->nodes[given[i]].name);
        }
        node.shape.dims[1] += channels;
    }
    return commit(graph, &node, NULL, 0, out, err);
}

reha_status reha_graph_add_pool(reha_graph *graph, const char *name, reha_op op, reha_value_id input,
                                reha_window window, reha_value_id *out, reha_error *err)
{
    *out = -1;
    REHA_TRY(check_name(graph, name, err));
    REHA_TRY(check_input(graph, name, input, 4, err));
    REHA_TRY(check_window(name, &window, err));
    if (op != REHA_OP_MAX_POOL && op != REHA_OP_AVERAGE_POOL) {
        return reha_fail(err, REHA_E_ARG, "node %s: %s is no pooling operator", name, reha_op_name(op));
    }
    if (window.dilation_h != 1 || window.dilation_w != 1) {
        return reha_fail(err, REHA_E_ARG, "node %s: a dilated pool is not possible", name);
    }
    /* a window of padding alone would have no largest value and no mean */
    if (window.pad_top >= window.kernel_h || window.pad_bottom >= window.kernel_h ||
        window.pad_left >= window.kernel_w || window.pad_right >= window.kernel_w) {
        return reha_fail(err, REHA_E_ARG, "node %s: the padding is not smaller than the kernel", name);
    }
    reha_node node = node_init(op, name);
    node.input_count = 1;
    node.inputs[0] = input;
    node.window = window;
    node.shape = windowed_shape(graph->nodes[input].shape, graph->nodes[input].shape.dims[1], &window);
    return commit(graph, &node, NULL, 0, out, err);
}

reha_status reha_graph_add_resize(reha_graph *graph, const char *name, reha_op op, reha_value_id input,
                                  int scale_h, int scale_w, reha_value_id *out, reha_error *err)
{
    *out = -1;
    REHA_TRY(check_name(graph, name, err));
    REHA_TRY(check_input(graph, name, input, 4, err));
    if (op != REHA_OP_RESIZE_NEAREST && op != REHA_OP_RESIZE_BILINEAR) {
        return reha_fail(err, REHA_E_ARG, "node %s: %s is no resize operator", name, reha_op_name(op));
    }
    if (scale_h < 1 || scale_w < 1 || scale_h > WINDOW_MAX || scale_w > WINDOW_MAX) {
        return reha_fail(err, REHA_E_ARG, "node %s: scale %d x %d is outside 1 to %d", name, scale_h, scale_w,
                         WINDOW_MAX);
    }
    reha_node node = node_init(op, name);
    node.input_count = 1;
    node.inputs[0] = input;
    node.scale_h = scale_h;
    node.scale_w = scale_w;
    node.shape = graph->nodes[input].shape;
    node.shape.dims[2] *= scale_h;
    node.shape.dims[3] *= scale_w;
    return commit(graph, &node, NULL, 0, out, err);
}

reha_status reha_graph_add_fully_connected(reha_graph *graph, const char *name, reha_value_id input,
                                           int out_features, reha_value_id *out, reha_error *err)
{
    *out = -1;
    REHA_TRY(check_name(graph, name, err));
    REHA_TRY(check_input(graph, name, input, 2, err));
    const int64_t in_features = graph->nodes[input].shape.dims[1];
    if (out_features < 1 || out_features > CHANNELS_MAX) {
        return reha_fail(err, REHA_E_ARG, "node %s: %d output features", name, out_features);
    }
    reha_node node = node_init(REHA_OP_FULLY_CONNECTED, name);
    node.input_count = 1;
    node.inputs[0] = input;
    node.shape = (reha_shape){2, {1, out_features}};
    const param_spec specs[2] = {{".weight", {2, {out_features, in_features}}, 0, true, true},
                                 {".bias", {1, {out_features}}, 0, true, false}};
    REHA_TRY(check_weight_count(name, specs[0].shape, err));
    return commit(graph, &node, specs, 2, out, err);
}

reha_status reha_graph_add_dropout(reha_graph *graph, const char *name, reha_value_id input, float ratio,
                                   reha_value_id *out, reha_error *err)
{
    *out = -1;
    REHA_TRY(check_name(graph, name, err));
    REHA_TRY(check_input(graph, name, input, 0, err));
    if (!(ratio >= 0.0F && ratio < 1.0F)) {
        return reha_fail(err, REHA_E_ARG, "node %s: dropout ratio %g is outside 0 to 1", name, (double)ratio);
    }
    reha_node node = node_init(REHA_OP_DROPOUT, name);
    node.input_count = 1;
    node.inputs[0] = input;
    node.ratio = ratio;
    node.shape = graph->nodes[input].shape;
    return commit(graph, &node, NULL, 0, out, err);
}
