#include "nn/graph.h"

#include "base/hash.h"
#include "base/memory.h"
#include "nn/graph_priv.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const op_names[REHA_OP_COUNT] = {
    [REHA_OP_INPUT] = "Input",
    [REHA_OP_CONV] = "Conv",
    [REHA_OP_CONV_TRANSPOSE] = "ConvTranspose",
    [REHA_OP_BATCH_NORM] = "BatchNormalization",
    [REHA_OP_RELU] = "Relu",
    [REHA_OP_RELU6] = "Clip",
    [REHA_OP_SIGMOID] = "Sigmoid",
    [REHA_OP_SOFTMAX] = "Softmax",
    [REHA_OP_ADD] = "Add",
    [REHA_OP_MUL] = "Mul",
    [REHA_OP_CONCAT] = "Concat",
    [REHA_OP_MAX_POOL] = "MaxPool",
    [REHA_OP_AVERAGE_POOL] = "AveragePool",
    [REHA_OP_GLOBAL_AVERAGE_POOL] = "GlobalAveragePool",
    [REHA_OP_RESIZE_NEAREST] = "Resize",
    [REHA_OP_RESIZE_BILINEAR] = "Resize",
    [REHA_OP_FULLY_CONNECTED] = "Gemm",
    [REHA_OP_FLATTEN] = "Flatten",
    [REHA_OP_DROPOUT] = "Dropout",
};

const char *reha_op_name(reha_op op)
{
    return (unsigned)op < REHA_OP_COUNT ? op_names[op] : "?";
}

size_t reha_shape_count(reha_shape shape)
{
    size_t count = 1;
    for (int i = 0; i < shape.rank; i++) {
        count *= (size_t)shape.dims[i];
    }
    return count;
}

reha_window reha_window_square(int kernel, int stride, int pad)
{
    const reha_window window = {kernel, kernel, stride, stride, pad, pad, pad, pad, 1, 1};
    return window;
}

reha_status reha_graph_new(const char *name, reha_graph **out, reha_error *err)
{
    *out = NULL;
    reha_graph *graph = reha_alloc_zero(1, sizeof *graph);
    if (graph == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for a graph");
    }
    snprintf(graph->name, sizeof graph->name, "%s", name != NULL ? name : "");
    *out = graph;
    return REHA_OK;
}

void reha_graph_free(reha_graph *graph)
{
    if (graph == NULL) {
        return;
    }
    for (int i = 0; i < graph->param_count; i++) {
        reha_free(graph->params[i].values);
    }
    reha_free(graph->params);
    reha_free(graph->nodes);
    reha_free(graph->name_hashes);
    reha_free(graph);
}

static reha_status copy_params(const reha_graph *graph, reha_graph *copy, reha_error *err)
{
    copy->params = reha_alloc_zero((size_t)graph->param_count, sizeof *copy->params);
    if (copy->params == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory to copy %d parameters", graph->param_count);
    }
    copy->param_capacity = graph->param_count;
    for (int i = 0; i < graph->param_count; i++) {
        reha_param param = graph->params[i];
        const size_t bytes = reha_shape_count(param.shape) * sizeof(float);
        param.values = reha_alloc_aligned(bytes);
        if (param.values == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "no memory to copy parameter %s", param.name);
        }
        memcpy(param.values, graph->params[i].values, bytes);
        copy->params[copy->param_count++] = param;
    }
    return REHA_OK;
}

reha_status reha_graph_copy(const reha_graph *graph, reha_graph **out, reha_error *err)
{
    *out = NULL;
    reha_graph *copy = NULL;
    reha_status status = REHA_OK;
    REHA_CHECK(reha_graph_new(graph->name, &copy, err));
    copy->nodes = reha_alloc_zero((size_t)graph->node_count, sizeof *copy->nodes);
    copy->name_hashes = reha_alloc_zero((size_t)graph->node_count, sizeof *copy->name_hashes);
    if (copy->nodes == NULL || copy->name_hashes == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "no memory to copy %d nodes", graph->node_count);
        goto done;
    }
    copy->node_capacity = graph->node_count;
    copy->node_count = graph->node_count;
    if (graph->node_count > 0) {
        memcpy(copy->nodes, graph->nodes, (size_t)graph->node_count * sizeof *copy->nodes);
        memcpy(copy->name_hashes, graph->name_hashes, (size_t)graph->node_count * sizeof *copy->name_hashes);
    }
    memcpy(copy->inputs, graph->inputs, sizeof copy->inputs);
    copy->input_count = graph->input_count;
    memcpy(copy->outputs, graph->outputs, sizeof copy->outputs);
    copy->output_count = graph->output_count;
    REHA_CHECK(copy_params(graph, copy, err));
    *out = copy;
    copy = NULL; /* handed over */
done:
    reha_graph_free(copy);
    return status;
}

static reha_status reserve_nodes(reha_graph *graph, reha_error *err)
{
    if (graph->node_count < graph->node_capacity) {
        return REHA_OK;
    }
    const int capacity = graph->node_capacity < 16 ? 32 : graph->node_capacity * 2;
    reha_node *nodes = reha_realloc(graph->nodes, (size_t)capacity * sizeof *nodes);
    if (nodes == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for %d nodes", capacity);
    }
    graph->nodes = nodes;
    uint32_t *hashes = reha_realloc(graph->name_hashes, (size_t)capacity * sizeof *hashes);
    if (hashes == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for %d nodes", capacity);
    }
    graph->name_hashes = hashes;
    graph->node_capacity = capacity;
    return REHA_OK;
}

reha_status reha_graph_reserve(reha_graph *graph, int params, reha_error *err)
{
    REHA_TRY(reserve_nodes(graph, err));
    if (graph->param_count + params > graph->param_capacity) {
        const int capacity = (graph->param_count + params) * 2;
        reha_param *grown = reha_realloc(graph->params, (size_t)capacity * sizeof *grown);
        if (grown == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "no memory for %d parameters", capacity);
        }
        graph->params = grown;
        graph->param_capacity = capacity;
    }
    return REHA_OK;
}

reha_value_id reha_graph_append_node(reha_graph *graph, const reha_node *node)
{
    assert(graph->node_count < graph->node_capacity);
    graph->nodes[graph->node_count] = *node;
    graph->name_hashes[graph->node_count] = reha_hash32_text(node->name);
    return graph->node_count++;
}

int reha_graph_append_param(reha_graph *graph, const reha_param *param)
{
    assert(graph->param_count < graph->param_capacity);
    graph->params[graph->param_count] = *param;
    return graph->param_count++;
}

reha_status reha_graph_mark_output(reha_graph *graph, reha_value_id value, const char *name, reha_error *err)
{
    if (value < 0 || value >= graph->node_count) {
        return reha_fail(err, REHA_E_ARG, "output %s: value %d does not exist", name, value);
    }
    if (graph->output_count == REHA_GRAPH_IO_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "output %s: more than %d outputs", name, REHA_GRAPH_IO_MAX);
    }
    if (name[0] == '\0' || strlen(name) >= REHA_NN_NAME_BYTES) {
        return reha_fail(err, REHA_E_ARG, "output name \"%.40s\" is empty or too long", name);
    }
    for (int i = 0; i < graph->output_count; i++) {
        if (strcmp(graph->outputs[i].name, name) == 0) {
            return reha_fail(err, REHA_E_ARG, "output %s exists already", name);
        }
    }
    reha_graph_output_entry *entry = &graph->outputs[graph->output_count++];
    entry->value = value;
    snprintf(entry->name, sizeof entry->name, "%s", name);
    return REHA_OK;
}

int reha_graph_node_count(const reha_graph *graph)
{
    return graph->node_count;
}

const reha_node *reha_graph_node(const reha_graph *graph, int index)
{
    assert(index >= 0 && index < graph->node_count);
    return &graph->nodes[index];
}

reha_node *reha_graph_node_mutable(reha_graph *graph, int index)
{
    assert(index >= 0 && index < graph->node_count);
    return &graph->nodes[index];
}

int reha_graph_param_count(const reha_graph *graph)
{
    return graph->param_count;
}

const reha_param *reha_graph_param(const reha_graph *graph, int index)
{
    assert(index >= 0 && index < graph->param_count);
    return &graph->params[index];
}

reha_param *reha_graph_param_mutable(reha_graph *graph, int index)
{
    assert(index >= 0 && index < graph->param_count);
    return &graph->params[index];
}

int reha_graph_find_param(const reha_graph *graph, const char *name)
{
    for (int i = 0; i < graph->param_count; i++) {
        if (strcmp(graph->params[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

int reha_graph_find_node(const reha_graph *graph, const char *name)
{
    const uint32_t hash = reha_hash32_text(name);
    for (int i = 0; i < graph->node_count; i++) {
        if (graph->name_hashes[i] == hash && strcmp(graph->nodes[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

int reha_graph_input_count(const reha_graph *graph)
{
    return graph->input_count;
}

reha_value_id reha_graph_input(const reha_graph *graph, int index)
{
    assert(index >= 0 && index < graph->input_count);
    return graph->inputs[index];
}

int reha_graph_output_count(const reha_graph *graph)
{
    return graph->output_count;
}

reha_value_id reha_graph_output(const reha_graph *graph, int index)
{
    assert(index >= 0 && index < graph->output_count);
    return graph->outputs[index].value;
}

const char *reha_graph_output_name(const reha_graph *graph, int index)
{
    assert(index >= 0 && index < graph->output_count);
    return graph->outputs[index].name;
}

const char *reha_graph_name(const reha_graph *graph)
{
    return graph->name;
}

/* True if a ReLU rectifies the value, directly or behind operators that keep its distribution. */
static bool feeds_relu(const reha_graph *graph, reha_value_id value, int depth)
{
    for (int i = value + 1; i < graph->node_count; i++) {
        const reha_node *node = &graph->nodes[i];
        for (int k = 0; k < node->input_count; k++) {
            if (node->inputs[k] != value) {
                continue;
            }
            if (node->op == REHA_OP_RELU || node->op == REHA_OP_RELU6) {
                return true;
            }
            const bool passes = node->op == REHA_OP_BATCH_NORM || node->op == REHA_OP_ADD ||
                                node->op == REHA_OP_CONCAT || node->op == REHA_OP_MAX_POOL;
            if (passes && depth > 0 && feeds_relu(graph, i, depth - 1)) {
                return true;
            }
        }
    }
    return false;
}

static double weight_deviation(const reha_graph *graph, int index)
{
    const reha_node *node = &graph->nodes[index];
    const reha_shape shape = graph->params[node->params[0]].shape;
    if (node->op == REHA_OP_FULLY_CONNECTED) {
        return sqrt(2.0 / (double)(shape.dims[0] + shape.dims[1]));
    }
    double fan_in = (double)(shape.dims[1] * shape.dims[2] * shape.dims[3]);
    if (node->op == REHA_OP_CONV_TRANSPOSE) {
        /* each output sees only kernel / stride of the taps */
        const int64_t group_channels = shape.dims[0] / node->groups;
        fan_in = (double)(group_channels * shape.dims[2] * shape.dims[3]) /
                 ((double)node->window.stride_h * node->window.stride_w);
        fan_in = fan_in < 1.0 ? 1.0 : fan_in;
    }
    return sqrt((feeds_relu(graph, index, 3) ? 2.0 : 1.0) / fan_in);
}

void reha_graph_init_params(reha_graph *graph, reha_random *random)
{
    for (int i = 0; i < graph->node_count; i++) {
        const reha_node *node = &graph->nodes[i];
        if (node->op != REHA_OP_CONV && node->op != REHA_OP_CONV_TRANSPOSE &&
            node->op != REHA_OP_FULLY_CONNECTED) {
            continue;
        }
        reha_param *weight = &graph->params[node->params[0]];
        if (weight->is_trainable) {
            const double deviation = weight_deviation(graph, i);
            const size_t count = reha_shape_count(weight->shape);
            for (size_t k = 0; k < count; k++) {
                weight->values[k] = (float)(deviation * reha_random_normal(random));
            }
        }
        if (node->param_count > 1 && graph->params[node->params[1]].is_trainable) {
            reha_param *bias = &graph->params[node->params[1]];
            memset(bias->values, 0, reha_shape_count(bias->shape) * sizeof(float));
        }
    }
}

double reha_graph_macs(const reha_graph *graph)
{
    double macs = 0;
    for (int i = 0; i < graph->node_count; i++) {
        const reha_node *node = &graph->nodes[i];
        if (node->param_count == 0 || node->op == REHA_OP_BATCH_NORM) {
            continue;
        }
        const reha_shape weight = graph->params[node->params[0]].shape;
        const reha_shape in = graph->nodes[node->inputs[0]].shape;
        double uses = 1.0; /* of each weight in one image */
        if (node->op == REHA_OP_CONV) {
            uses = (double)(node->shape.dims[2] * node->shape.dims[3]);
        } else if (node->op == REHA_OP_CONV_TRANSPOSE) {
            uses = (double)(in.dims[2] * in.dims[3]);
        }
        macs += (double)reha_shape_count(weight) * uses;
    }
    return macs;
}
