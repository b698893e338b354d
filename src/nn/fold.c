#include "nn/fold.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

static reha_status add_same(reha_graph *graph, const reha_node *node, const reha_value_id *inputs,
                            bool with_bias, reha_value_id *out, reha_error *err)
{
    const int channels = (int)node->shape.dims[1];
    switch (node->op) {
    case REHA_OP_INPUT:
        return reha_graph_add_input(graph, node->name, channels, (int)node->shape.dims[2],
                                    (int)node->shape.dims[3], out, err);
    case REHA_OP_CONV:
        return reha_graph_add_conv(graph, node->name, inputs[0], channels, node->window, node->groups,
                                   with_bias, out, err);
    case REHA_OP_CONV_TRANSPOSE:
        return reha_graph_add_conv_transpose(graph, node->name, inputs[0], channels, node->window, with_bias,
                                             out, err);
    case REHA_OP_BATCH_NORM:
        return reha_graph_add_batch_norm(graph, node->name, inputs[0], node->epsilon, out, err);
    case REHA_OP_ADD:
    case REHA_OP_MUL:
        return reha_graph_add_binary(graph, node->name, node->op, inputs[0], inputs[1], out, err);
    case REHA_OP_CONCAT:
        return reha_graph_add_concat(graph, node->name, inputs, node->input_count, out, err);
    case REHA_OP_MAX_POOL:
    case REHA_OP_AVERAGE_POOL:
        return reha_graph_add_pool(graph, node->name, node->op, inputs[0], node->window, out, err);
    case REHA_OP_RESIZE_NEAREST:
    case REHA_OP_RESIZE_BILINEAR:
        return reha_graph_add_resize(graph, node->name, node->op, inputs[0], node->scale_h, node->scale_w,
                                     out, err);
    case REHA_OP_FULLY_CONNECTED:
        return reha_graph_add_fully_connected(graph, node->name, inputs[0], channels, out, err);
    case REHA_OP_DROPOUT:
        return reha_graph_add_dropout(graph, node->name, inputs[0], node->ratio, out, err);
    default:
        return reha_graph_add_unary(graph, node->name, node->op, inputs[0], out, err);
    }
}

static void copy_param(reha_graph *graph, int target, const reha_graph *from, int source)
{
    const reha_param *old = reha_graph_param(from, source);
    reha_param *copy = reha_graph_param_mutable(graph, target);
    memcpy(copy->values, old->values, reha_shape_count(old->shape) * sizeof *copy->values);
    copy->is_trainable = old->is_trainable;
    copy->decays = old->decays;
    copy->learning_rate_ratio = old->learning_rate_ratio;
}

static bool has_bias(const reha_node *node)
{
    const bool may_have =
        node->op == REHA_OP_CONV || node->op == REHA_OP_CONV_TRANSPOSE || node->op == REHA_OP_FULLY_CONNECTED;
    return may_have && node->param_count > 1;
}

reha_status reha_graph_add_copy(reha_graph *graph, const reha_graph *from, const reha_node *node,
                                const reha_value_id *inputs, reha_value_id *out, reha_error *err)
{
    REHA_TRY(add_same(graph, node, inputs, has_bias(node), out, err));
    reha_node *copy = reha_graph_node_mutable(graph, *out);
    copy->is_frozen = node->is_frozen;
    for (int i = 0; i < node->param_count; i++) {
        copy_param(graph, copy->params[i], from, node->params[i]);
    }
    return REHA_OK;
}

static bool folds(const reha_graph *graph, const int *readers, const reha_node *node)
{
    if (node->op != REHA_OP_BATCH_NORM || readers[node->inputs[0]] != 1) {
        return false;
    }
    const reha_op op = reha_graph_node(graph, node->inputs[0])->op;
    return op == REHA_OP_CONV || op == REHA_OP_CONV_TRANSPOSE || op == REHA_OP_FULLY_CONNECTED;
}

/* y = scale * (conv + bias - mean) / sqrt(variance + epsilon) + shift, as a convolution of its own. */
static void fold_into(reha_graph *graph, const reha_node *folded, const reha_graph *from,
                      const reha_node *layer, const reha_node *norm)
{
    const float *scale = reha_graph_param(from, norm->params[0])->values;
    const float *shift = reha_graph_param(from, norm->params[1])->values;
    const float *mean = reha_graph_param(from, norm->params[2])->values;
    const float *variance = reha_graph_param(from, norm->params[3])->values;
    const reha_param *old = reha_graph_param(from, layer->params[0]);
    reha_param *weight = reha_graph_param_mutable(graph, folded->params[0]);
    reha_param *bias = reha_graph_param_mutable(graph, folded->params[1]);
    const size_t channels = (size_t)layer->shape.dims[1];
    const size_t count = reha_shape_count(old->shape);
    const float *old_bias = layer->param_count > 1 ? reha_graph_param(from, layer->params[1])->values : NULL;
    /* Transposed convolutions hold [in, out, ...]: the output channel is the second dimension. */
    const bool is_transposed = layer->op == REHA_OP_CONV_TRANSPOSE;
    const size_t inner =
        is_transposed ? count / (size_t)(old->shape.dims[0] * old->shape.dims[1]) : count / channels;
    copy_param(graph, folded->params[0], from, layer->params[0]);
    for (size_t c = 0; c < channels; c++) {
        const double gain = (double)scale[c] / sqrt((double)variance[c] + (double)norm->epsilon);
        const double before = old_bias != NULL ? (double)old_bias[c] : 0.0;
        bias->values[c] = (float)((double)shift[c] + (before - (double)mean[c]) * gain);
        for (size_t i = 0; i < count / channels; i++) {
            const size_t at =
                is_transposed ? ((i / inner) * channels + c) * inner + i % inner : c * inner + i;
            weight->values[at] = (float)((double)weight->values[at] * gain);
        }
    }
    bias->is_trainable = weight->is_trainable;
    bias->decays = false;
    bias->learning_rate_ratio = weight->learning_rate_ratio;
}

static void count_readers(const reha_graph *graph, int *readers)
{
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        const reha_node *node = reha_graph_node(graph, i);
        for (int k = 0; k < node->input_count; k++) {
            readers[node->inputs[k]]++;
        }
    }
    for (int i = 0; i < reha_graph_output_count(graph); i++) {
        readers[reha_graph_output(graph, i)]++;
    }
}

static reha_status fold_nodes(const reha_graph *graph, const int *readers, reha_value_id *renamed,
                              reha_graph *made, reha_error *err)
{
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        const reha_node *node = reha_graph_node(graph, i);
        reha_value_id inputs[REHA_NN_INPUTS_MAX] = {0};
        for (int k = 0; k < node->input_count; k++) {
            inputs[k] = renamed[node->inputs[k]];
        }
        if (folds(graph, readers, node)) {
            renamed[i] = inputs[0];
            fold_into(made, reha_graph_node(made, inputs[0]), graph, reha_graph_node(graph, node->inputs[0]),
                      node);
            continue;
        }
        /* A layer that will take up a batch-norm gets its bias at once. */
        bool is_folded = false;
        for (int j = i + 1; j < reha_graph_node_count(graph) && !is_folded && readers[i] == 1; j++) {
            const reha_node *next = reha_graph_node(graph, j);
            is_folded = next->input_count > 0 && next->inputs[0] == i && folds(graph, readers, next);
        }
        if (is_folded) {
            REHA_TRY(add_same(made, node, inputs, true, &renamed[i], err));
        } else {
            REHA_TRY(reha_graph_add_copy(made, graph, node, inputs, &renamed[i], err));
        }
    }
    return REHA_OK;
}

reha_status reha_graph_fold_batch_norm(const reha_graph *graph, reha_graph **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *made = NULL;
    const size_t count = (size_t)reha_graph_node_count(graph);
    int *readers = reha_alloc_zero(count, sizeof *readers);
    reha_value_id *renamed = reha_alloc_zero(count, sizeof *renamed);
    *out = NULL;
    if (readers == NULL || renamed == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a graph of %zu nodes", count);
        goto done;
    }
    count_readers(graph, readers);
    REHA_CHECK(reha_graph_new(reha_graph_name(graph), &made, err));
    REHA_CHECK(fold_nodes(graph, readers, renamed, made, err));
    for (int i = 0; i < reha_graph_output_count(graph); i++) {
        REHA_CHECK(reha_graph_mark_output(made, renamed[reha_graph_output(graph, i)],
                                          reha_graph_output_name(graph, i), err));
    }
    *out = made;
    made = NULL;
done:
    reha_free(readers);
    reha_free(renamed);
    reha_graph_free(made);
    return status;
}

/* needed[i]: an output depends on node i by way of nodes behind `value`. */
static void find_needed(const reha_graph *graph, reha_value_id value, bool *needed)
{
    for (int i = 0; i < reha_graph_output_count(graph); i++) {
        needed[reha_graph_output(graph, i)] = true;
    }
    for (int i = reha_graph_node_count(graph) - 1; i > value; i--) {
        const reha_node *node = reha_graph_node(graph, i);
        for (int k = 0; k < node->input_count && needed[i]; k++) {
            needed[node->inputs[k]] = true;
        }
    }
}

static reha_status copy_tail(const reha_graph *graph, reha_value_id value, const bool *needed,
                             reha_value_id *renamed, reha_graph *made, reha_error *err)
{
    const reha_node *first = reha_graph_node(graph, value);
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        renamed[i] = -1;
    }
    REHA_TRY(reha_graph_add_input(made, first->name, (int)first->shape.dims[1], (int)first->shape.dims[2],
                                  (int)first->shape.dims[3], &renamed[value], err));
    for (int i = value + 1; i < reha_graph_node_count(graph); i++) {
        const reha_node *node = reha_graph_node(graph, i);
        reha_value_id inputs[REHA_NN_INPUTS_MAX] = {0};
        if (!needed[i]) {
            continue;
        }
        for (int k = 0; k < node->input_count; k++) {
            inputs[k] = renamed[node->inputs[k]];
            if (inputs[k] < 0) {
                return reha_fail(err, REHA_E_ARG, "node %s needs %s, which is not behind %s", node->name,
                                 reha_graph_node(graph, node->inputs[k])->name, first->name);
            }
        }
        REHA_TRY(reha_graph_add_copy(made, graph, node, inputs, &renamed[i], err));
    }
    for (int i = 0; i < reha_graph_output_count(graph); i++) {
        const reha_value_id output = renamed[reha_graph_output(graph, i)];
        if (output < 0) {
            return reha_fail(err, REHA_E_ARG, "output %s does not depend on node %s",
                             reha_graph_output_name(graph, i), first->name);
        }
        REHA_TRY(reha_graph_mark_output(made, output, reha_graph_output_name(graph, i), err));
    }
    return REHA_OK;
}

reha_status reha_graph_tail(const reha_graph *graph, reha_value_id value, reha_graph **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *made = NULL;
    const int count = reha_graph_node_count(graph);
    *out = NULL;
    if (value < 0 || value >= count || reha_graph_node(graph, value)->shape.rank != 4) {
        return reha_fail(err, REHA_E_ARG, "value %d of %d is no map to cut a graph at", value, count);
    }
    bool *needed = reha_alloc_zero((size_t)count, sizeof *needed);
    reha_value_id *renamed = reha_alloc_zero((size_t)count, sizeof *renamed);
    if (needed == NULL || renamed == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a graph of %d nodes", count);
        goto done;
    }
    find_needed(graph, value, needed);
    REHA_CHECK(reha_graph_new(reha_graph_name(graph), &made, err));
    REHA_CHECK(copy_tail(graph, value, needed, renamed, made, err));
    *out = made;
    made = NULL;
done:
    reha_free(needed);
    reha_free(renamed);
    reha_graph_free(made);
    return status;
}
