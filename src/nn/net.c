/* Compiling: which values are real, what type they have, who needs gradients, what is fused. */
#include "nn/net_priv.h"

#include "base/memory.h"

#include <string.h>

enum { LINE_FLOATS = 16 };

static reha_status out_of_memory(reha_error *err)
{
    return reha_fail(err, REHA_E_NOMEM, "out of memory for the network");
}

static const reha_layer_kind *kind_of(reha_op op)
{
    switch (op) {
    case REHA_OP_CONV:
    case REHA_OP_CONV_TRANSPOSE:
        return &reha_layer_conv;
    case REHA_OP_BATCH_NORM:
        return &reha_layer_norm;
    case REHA_OP_RELU:
    case REHA_OP_RELU6:
    case REHA_OP_SIGMOID:
        return &reha_layer_activation;
    case REHA_OP_ADD:
        return &reha_layer_add;
    case REHA_OP_SOFTMAX:
        return &reha_layer_softmax;
    case REHA_OP_MUL:
        return &reha_layer_mul;
    case REHA_OP_CONCAT:
        return &reha_layer_concat;
    case REHA_OP_RESIZE_NEAREST:
    case REHA_OP_RESIZE_BILINEAR:
        return &reha_layer_resize;
    case REHA_OP_MAX_POOL:
    case REHA_OP_AVERAGE_POOL:
        return &reha_layer_pool;
    case REHA_OP_GLOBAL_AVERAGE_POOL:
        return &reha_layer_mean;
    case REHA_OP_FULLY_CONNECTED:
        return &reha_layer_fully_connected;
    case REHA_OP_FLATTEN:
        return &reha_layer_flatten;
    case REHA_OP_DROPOUT:
        return &reha_layer_dropout;
    case REHA_OP_INPUT:
    case REHA_OP_COUNT:
        break;
    }
    return NULL;
}

/* ---- sizes of values ---- */

reha_span reha_value_span(const reha_net_value *value)
{
    return (reha_span){value->data != NULL ? value->data->data : NULL, value->half};
}

reha_span reha_grad_span(const reha_net_value *value)
{
    return (reha_span){value->grad != NULL ? value->grad->data : NULL, value->half};
}

int64_t reha_value_count(const reha_net_value *value)
{
    return value->n * value->c * value->h * value->w;
}

size_t reha_value_bytes(const reha_net_value *value)
{
    return (size_t)reha_value_count(value) * reha_span_item_bytes(value->half);
}

/* ---- compiling ---- */

static reha_status copy_params(reha_net *net, const reha_graph *graph, reha_error *err)
{
    size_t total = 0, trained = 0;

    net->param_count = reha_graph_param_count(graph);
    net->params = reha_alloc_zero((size_t)net->param_count, sizeof *net->params);
    if (net->params == NULL) {
        return out_of_memory(err);
    }
    for (int i = 0; i < net->param_count; i++) {
        const reha_param *from = reha_graph_param(graph, i);
        reha_net_param *to = &net->params[i];
        const size_t count = reha_shape_count(from->shape);
        const size_t padded = (count + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS;
        memcpy(to->name, from->name, sizeof to->name);
        to->count = count;
        to->offset = total;
        total += padded;
        to->train_offset = SIZE_MAX;
        if (from->is_trainable && net->options.train_params) {
            to->train_offset = trained;
            trained += padded;
        }
        to->decays = from->decays;
        to->learning_rate_ratio = from->learning_rate_ratio;
    }
    net->weight_count = total;
    net->grad_count = trained;
    net->weights = reha_alloc_aligned((total > 0 ? total : 1) * sizeof(float));
    net->grads = reha_alloc_aligned((trained > 0 ? trained : 1) * sizeof(float));
    if (net->weights == NULL || net->grads == NULL) {
        return out_of_memory(err);
    }
    memset(net->weights, 0, total * sizeof(float));
    memset(net->grads, 0, trained * sizeof(float));
    for (int i = 0; i < net->param_count; i++) {
        memcpy(net->weights + net->params[i].offset, reha_graph_param(graph, i)->values,
               net->params[i].count * sizeof(float));
    }
    return REHA_OK;
}

/* Vectors, and what global pooling leaves, are f32 even in bf16: they cost nothing, and the last
 * layers decide about precision. */
static bool half_of(const reha_net *net, const reha_node *node, bool half)
{
    if (!half || node->shape.rank != 4 || node->op == REHA_OP_GLOBAL_AVERAGE_POOL) {
        return false;
    }
    if (node->op == REHA_OP_INPUT) {
        return node->shape.dims[2] * node->shape.dims[3] > 1;
    }
    if (node->op == REHA_OP_MUL) { /* the map decides, not the factor per channel */
        return net->values[node->inputs[0]].half || net->values[node->inputs[1]].half;
    }
    return net->values[node->inputs[0]].half;
}

static bool set_types(reha_net *net, bool half)
{
    bool agree = true;
    for (int i = 0; i < net->layer_count; i++) {
        const reha_node *node = &net->layers[i].node;
        net->values[i].half = half_of(net, node, half);
        for (int k = 1; k < node->input_count && node->op != REHA_OP_MUL; k++) {
            agree = agree && net->values[node->inputs[k]].half == net->values[i].half;
        }
    }
    return agree;
}

static bool is_alias(const reha_net *net, const reha_layer *layer)
{
    const reha_net_value *in = &net->values[layer->node.inputs[0]];
    if (layer->node.op == REHA_OP_FLATTEN) {
        return in->h * in->w == 1 && !in->half;
    }
    return layer->node.op == REHA_OP_DROPOUT && (!net->options.training || layer->node.ratio <= 0.0F);
}

static bool can_fuse(const reha_net *net, int producer, int raw_consumers)
{
    const reha_op op = net->layers[producer].node.op;
    return (op == REHA_OP_BATCH_NORM || op == REHA_OP_ADD) && raw_consumers == 1 &&
           !net->values[producer].is_output && producer != net->options.grad_value &&
           net->layers[producer].act == REHA_ACT_NONE;
}

static void find_roots(reha_net *net, const int *raw_consumers)
{
    for (int i = 0; i < net->layer_count; i++) {
        reha_layer *layer = &net->layers[i];
        net->values[i].root = i;
        for (int k = 0; k < layer->node.input_count; k++) {
            layer->inputs[k] = net->values[layer->node.inputs[k]].root;
        }
        if (layer->node.op == REHA_OP_INPUT) {
            continue;
        }
        const int raw = layer->node.inputs[0];
        if (is_alias(net, layer)) {
            layer->is_skipped = true;
            net->values[i].root = layer->inputs[0];
        } else if ((layer->node.op == REHA_OP_RELU || layer->node.op == REHA_OP_RELU6) &&
                   layer->inputs[0] == raw && can_fuse(net, raw, raw_consumers[raw])) {
            layer->is_skipped = true;
            net->values[i].root = raw;
            net->layers[raw].act = layer->node.op == REHA_OP_RELU ? REHA_ACT_RELU : REHA_ACT_RELU6;
        }
    }
}

static void find_gradients(reha_net *net)
{
    for (int i = 0; i < net->layer_count; i++) {
        reha_layer *layer = &net->layers[i];
        reha_net_value *value = &net->values[i];
        for (int k = 0; k < layer->node.param_count; k++) {
            layer->trains = layer->trains || net->params[layer->node.params[k]].train_offset != SIZE_MAX;
        }
        layer->wants_backward = layer->trains;
        for (int k = 0; k < layer->node.input_count; k++) {
            layer->wants_backward = layer->wants_backward || net->values[layer->inputs[k]].wants_grad;
        }
        value->wants_grad = layer->wants_backward || i == net->options.grad_value;
    }
}

/* What the backward pass reads of a layer's input and output. */
static void find_saved(reha_layer *layer)
{
    switch (layer->node.op) {
    case REHA_OP_CONV:
    case REHA_OP_CONV_TRANSPOSE:
        layer->saves_input = layer->trains && !layer->is_strided_1x1;
        break;
    case REHA_OP_FULLY_CONNECTED:
        layer->saves_input = layer->trains;
        break;
    case REHA_OP_BATCH_NORM:
    case REHA_OP_MUL:
        layer->saves_input = true;
        break;
    case REHA_OP_RELU:
    case REHA_OP_RELU6:
    case REHA_OP_SIGMOID:
    case REHA_OP_SOFTMAX:
        layer->saves_output = true;
        break;
    case REHA_OP_ADD:
        layer->saves_output = layer->act != REHA_ACT_NONE;
        break;
    default:
        break;
    }
}

static void count_reads(reha_net *net)
{
    for (int i = 0; i < net->layer_count; i++) {
        reha_layer *layer = &net->layers[i];
        if (layer->is_skipped) {
            continue;
        }
        if (layer->wants_backward) {
            find_saved(layer);
        }
        for (int k = 0; k < layer->node.input_count; k++) {
            net->values[layer->inputs[k]].reads += layer->saves_input ? 2 : 1;
        }
        net->values[i].reads += layer->saves_output ? 1 : 0;
    }
    for (int i = 0; i < net->output_count; i++) {
        net->values[net->outputs[i]].reads++;
    }
    if (net->options.grad_value >= 0) {
        net->values[net->options.grad_value].reads++;
    }
}

static reha_status copy_nodes(reha_net *net, const reha_graph *graph, int *raw_consumers, reha_error *err)
{
    for (int i = 0; i < net->layer_count; i++) {
        reha_layer *layer = &net->layers[i];
        reha_net_value *value = &net->values[i];
        layer->node = *reha_graph_node(graph, i);
        const reha_shape *shape = &layer->node.shape;
        value->n = net->options.batch;
        value->c = shape->dims[1];
        value->h = shape->rank == 4 ? shape->dims[2] : 1;
        value->w = shape->rank == 4 ? shape->dims[3] : 1;
        if (shape->rank != 4 && shape->rank != 2) {
            return reha_fail(err, REHA_E_UNSUPPORTED, "node %s: a value of rank %d", layer->node.name,
                             shape->rank);
        }
        for (int k = 0; k < layer->node.input_count; k++) {
            raw_consumers[layer->node.inputs[k]]++;
        }
        if (layer->node.op == REHA_OP_CONV && layer->node.window.kernel_h == 1 &&
            layer->node.window.kernel_w == 1) {
            const reha_window *w = &layer->node.window;
            layer->is_strided_1x1 = (w->stride_h > 1 || w->stride_w > 1) &&
                                    w->pad_top + w->pad_left + w->pad_bottom + w->pad_right == 0;
        }
    }
    return REHA_OK;
}

static reha_status find_io(reha_net *net, const reha_graph *graph, reha_error *err)
{
    net->input_count = reha_graph_input_count(graph);
    net->output_count = reha_graph_output_count(graph);
    if (net->input_count > REHA_NN_INPUTS_MAX) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "%d inputs: at most %d", net->input_count,
                         REHA_NN_INPUTS_MAX);
    }
    if (net->output_count < 1) {
        return reha_fail(err, REHA_E_ARG, "the graph has no output");
    }
    for (int i = 0; i < net->input_count; i++) {
        net->inputs[i] = reha_graph_input(graph, i);
    }
    net->outputs = reha_alloc_zero((size_t)net->output_count, sizeof *net->outputs);
    if (net->outputs == NULL) {
        return out_of_memory(err);
    }
    for (int i = 0; i < net->output_count; i++) {
        net->values[reha_graph_output(graph, i)].is_output = true;
    }
    return REHA_OK;
}

static reha_status build_layers(reha_net *net, reha_error *err)
{
    int64_t widest = 1;
    for (int i = 0; i < net->layer_count; i++) {
        widest = net->values[i].c > widest ? net->values[i].c : widest;
    }
    net->partial = reha_alloc_zero((size_t)(widest * 2 * net->threads), sizeof *net->partial);
    net->sums = reha_alloc_zero((size_t)(widest * 2), sizeof *net->sums);
    net->factors = reha_alloc_zero((size_t)(widest * 3), sizeof *net->factors);
    if (net->partial == NULL || net->sums == NULL || net->factors == NULL) {
        return out_of_memory(err);
    }
    for (int i = 0; i < net->layer_count; i++) {
        const reha_layer *layer = &net->layers[i];
        const reha_layer_kind *kind = kind_of(layer->node.op);
        if (layer->is_skipped || kind == NULL || kind->build == NULL) {
            continue;
        }
        const reha_status status = kind->build(net, i, err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "node %s: ", layer->node.name);
            return status;
        }
    }
    return REHA_OK;
}

static reha_status dry_run(reha_net *net, reha_error *err)
{
    reha_status status;
    net->is_dry = true;
    status = reha_net_forward(net, NULL, 0, err);
    if (status == REHA_OK) {
        status = reha_net_backward(net, NULL, err);
    }
    net->is_dry = false;
    return status;
}

static reha_status compile(reha_net *net, const reha_graph *graph, reha_error *err)
{
    reha_status status;
    int *raw_consumers = NULL;

    net->layer_count = reha_graph_node_count(graph);
    net->layers = reha_alloc_zero((size_t)net->layer_count, sizeof *net->layers);
    net->values = reha_alloc_zero((size_t)net->layer_count, sizeof *net->values);
    raw_consumers = reha_alloc_zero((size_t)net->layer_count + 1, sizeof *raw_consumers);
    if (net->layers == NULL || net->values == NULL || raw_consumers == NULL) {
        status = out_of_memory(err);
        goto done;
    }
    REHA_CHECK(reha_dnn_new(net->options.threads, &net->dnn, err));
    net->threads = reha_dnn_threads(net->dnn);
    REHA_CHECK(copy_nodes(net, graph, raw_consumers, err));
    REHA_CHECK(copy_params(net, graph, err));
    REHA_CHECK(find_io(net, graph, err));
    if (!set_types(net, net->options.half)) {
        (void)set_types(net, false); /* a branch mixes pooled vectors with maps: rare, so simply f32 */
    }
    find_roots(net, raw_consumers);
    if (net->options.grad_value >= 0) {
        net->options.grad_value = net->values[net->options.grad_value].root;
    }
    find_gradients(net);
    for (int i = 0; i < net->output_count; i++) {
        net->outputs[i] = net->values[reha_graph_output(graph, i)].root;
    }
    count_reads(net);
    REHA_CHECK(build_layers(net, err));
    REHA_CHECK(dry_run(net, err));
done:
    reha_free(raw_consumers);
    return status;
}

reha_status reha_net_new(const reha_graph *graph, const reha_net_options *options, reha_net **out,
                         reha_error *err)
{
    reha_status status;
    reha_net *net = NULL;

    *out = NULL;
    if (options->batch < 1 || options->batch > 65536) {
        return reha_fail(err, REHA_E_ARG, "batch %d: expected 1 to 65536", options->batch);
    }
    net = reha_alloc_zero(1, sizeof *net);
    if (net == NULL) {
        return out_of_memory(err);
    }
    net->options = *options;
    status = compile(net, graph, err);
    if (status != REHA_OK) {
        reha_net_free(net);
        return status;
    }
    *out = net;
    return REHA_OK;
}

void reha_net_free(reha_net *net)
{
    if (net == NULL) {
        return;
    }
    for (int i = 0; i < net->pool_count; i++) {
        reha_free(net->pool[i]->data);
        reha_free(net->pool[i]);
    }
    reha_free(net->pool);
    for (int i = 0; net->layers != NULL && i < net->layer_count; i++) {
        reha_free(net->layers[i].mean);
        reha_free(net->layers[i].own_weights);
    }
    reha_dnn_free(net->dnn);
    reha_free(net->layers);
    reha_free(net->values);
    reha_free(net->params);
    reha_free(net->weights);
    reha_free(net->grads);
    reha_free(net->outputs);
    reha_free(net->partial);
    reha_free(net->sums);
    reha_free(net->factors);
    reha_free(net);
}

size_t reha_net_memory_bytes(const reha_net *net)
{
    return net->pool_bytes + reha_dnn_memory_bytes(net->dnn) +
           (net->weight_count + net->grad_count) * sizeof(float);
}

/* ---- buffers ---- */

static reha_status add_buffer(reha_net *net, size_t bytes, reha_buffer **out, reha_error *err)
{
    if (net->pool_count == net->pool_capacity) {
        const int capacity = net->pool_capacity == 0 ? 32 : 2 * net->pool_capacity;
        reha_buffer **pool = reha_realloc(net->pool, (size_t)capacity * sizeof(*pool));
        if (pool == NULL) {
            return out_of_memory(err);
        }
        net->pool = pool;
        net->pool_capacity = capacity;
    }
    reha_buffer *buffer = reha_alloc_zero(1, sizeof *buffer);
    void *data = buffer != NULL ? reha_alloc_aligned(bytes) : NULL;
    if (data == NULL) {
        reha_free(buffer);
        return out_of_memory(err);
    }
    buffer->data = data;
    buffer->bytes = bytes;
    net->pool_bytes += bytes;
    net->pool[net->pool_count++] = buffer;
    *out = buffer;
    return REHA_OK;
}

reha_status reha_net_take(reha_net *net, size_t bytes, reha_buffer **out, reha_error *err)
{
    reha_buffer *best = NULL;

    *out = NULL;
    for (int i = 0; i < net->pool_count; i++) {
        reha_buffer *buffer = net->pool[i];
        if (buffer->readers == 0 && buffer->bytes >= bytes && (best == NULL || buffer->bytes < best->bytes)) {
            best = buffer;
        }
    }
    if (best == NULL) {
        REHA_TRY(add_buffer(net, bytes, &best, err));
    }
    best->readers = 1;
    *out = best;
    return REHA_OK;
}

void reha_net_drop(reha_buffer *buffer)
{
    if (buffer != NULL) {
        buffer->readers--;
    }
}

/* ---- gradients of values ---- */

reha_status reha_net_grad_target(reha_net *net, reha_net_value *v, reha_buffer *donor, reha_span *addend,
                                 reha_span *out, reha_error *err)
{
    const size_t bytes = reha_value_bytes(v);

    *addend = (reha_span){NULL, v->half};
    if (v->grad == NULL) {
        if (donor != NULL && donor->readers == 1 && donor->bytes >= bytes) {
            donor->readers++;
            v->grad = donor;
        } else {
            REHA_TRY(reha_net_take(net, bytes, &v->grad, err));
        }
    } else {
        reha_buffer *old = v->grad;
        *addend = reha_grad_span(v);
        if (old->readers > 1) { /* somebody else still needs it as it is */
            reha_buffer *fresh;
            REHA_TRY(reha_net_take(net, bytes, &fresh, err));
            reha_net_drop(old);
            v->grad = fresh;
        }
    }
    *out = reha_grad_span(v);
    return REHA_OK;
}

reha_status reha_net_grad_scratch(reha_net *net, const reha_net_value *v, reha_buffer **scratch,
                                  reha_error *err)
{
    return reha_net_take(net, reha_value_bytes(v), scratch, err);
}

void reha_net_grad_merge(reha_net *net, reha_net_value *v, reha_buffer *scratch)
{
    const reha_span span = {scratch->data, v->half};
    if (v->grad != NULL) {
        if (!net->is_dry) {
            reha_kernel_add(net->threads, span, reha_grad_span(v), span, reha_value_count(v), REHA_ACT_NONE);
        }
        reha_net_drop(v->grad);
    }
    v->grad = scratch;
}

reha_status reha_net_grad_share(reha_net *net, reha_net_value *v, reha_buffer *grad, reha_error *err)
{
    reha_span addend, out;

    if (v->grad == NULL) {
        v->grad = grad;
        grad->readers++;
        return REHA_OK;
    }
    REHA_TRY(reha_net_grad_target(net, v, NULL, &addend, &out, err));
    if (!net->is_dry) {
        reha_kernel_add(net->threads, addend, (reha_span){grad->data, v->half}, out, reha_value_count(v),
                        REHA_ACT_NONE);
    }
    return REHA_OK;
}

/* ---- running ---- */

static void value_read(reha_net_value *value)
{
    value->reads_left--;
    if (value->reads_left <= 0) {
        reha_net_drop(value->data);
        value->data = NULL;
    }
}

static void release_all(reha_net *net)
{
    for (int i = 0; i < net->layer_count; i++) {
        reha_net_drop(net->values[i].data);
        reha_net_drop(net->values[i].grad);
        reha_net_drop(net->layers[i].kept);
        net->values[i].data = NULL;
        net->values[i].grad = NULL;
        net->layers[i].kept = NULL;
    }
}

void reha_net_weights_changed(reha_net *net)
{
    for (int i = 0; i < net->layer_count; i++) {
        if (net->layers[i].trains) {
            net->layers[i].is_loaded = false;
        }
    }
}

void reha_net_weights_restored(reha_net *net)
{
    for (int i = 0; i < net->layer_count; i++) {
        net->layers[i].is_loaded = false;
    }
}

/* `inputs` is NULL in a dry run. */
static reha_status forward_layer(reha_net *net, int index, const float *const *inputs, reha_error *err)
{
    const reha_layer *layer = &net->layers[index];
    reha_net_value *value = &net->values[index];

    REHA_TRY(reha_net_take(net, reha_value_bytes(value), &value->data, err));
    value->reads_left = value->reads;
    if (layer->node.op != REHA_OP_INPUT) {
        REHA_TRY(kind_of(layer->node.op)->forward(net, index, err));
    } else if (inputs != NULL) {
        for (int i = 0; i < net->input_count; i++) {
            if (net->inputs[i] == index) {
                reha_kernel_from_nchw(net->threads, inputs[i], reha_value_span(value), value->n, value->c,
                                      value->h * value->w);
            }
        }
    }
    for (int k = 0; k < layer->node.input_count; k++) {
        value_read(&net->values[layer->inputs[k]]);
    }
    if (value->reads == 0) {
        value_read(value);
    }
    return REHA_OK;
}

reha_status reha_net_forward(reha_net *net, const float *const *inputs, uint64_t dropout_seed,
                             reha_error *err)
{
    reha_status status = REHA_OK;
    const int token = reha_dnn_enter(net->dnn);

    release_all(net);
    net->dropout_seed = dropout_seed;
    for (int i = 0; i < net->layer_count && status == REHA_OK; i++) {
        if (!net->layers[i].is_skipped) {
            status = forward_layer(net, i, inputs, err);
        }
    }
    reha_dnn_leave(token);
    return status;
}

size_t reha_net_output_count(const reha_net *net, int output)
{
    return (size_t)reha_value_count(&net->values[net->outputs[output]]);
}

void reha_net_read_output(const reha_net *net, int output, float *values)
{
    const reha_net_value *value = &net->values[net->outputs[output]];
    const int token = reha_dnn_enter(net->dnn);
    reha_kernel_to_nchw(net->threads, reha_value_span(value), values, value->n, value->c,
                        value->h * value->w);
    reha_dnn_leave(token);
}

/* No loss reached this layer. */
static void clear_grads(reha_net *net, const reha_layer *layer)
{
    for (int k = 0; k < layer->node.param_count; k++) {
        const reha_net_param *param = &net->params[layer->node.params[k]];
        if (param->train_offset != SIZE_MAX) {
            memset(net->grads + param->train_offset, 0, param->count * sizeof(float));
        }
    }
}

static reha_status backward_layer(reha_net *net, int index, reha_error *err)
{
    reha_layer *layer = &net->layers[index];
    reha_net_value *value = &net->values[index];

    if (value->grad != NULL) {
        REHA_TRY(kind_of(layer->node.op)->backward(net, index, err));
    } else if (!net->is_dry) {
        clear_grads(net, layer);
    }
    reha_net_drop(layer->kept);
    layer->kept = NULL;
    for (int k = 0; k < layer->node.input_count && layer->saves_input; k++) {
        value_read(&net->values[layer->inputs[k]]);
    }
    if (layer->saves_output) {
        value_read(value);
    }
    if (index != net->options.grad_value) {
        reha_net_drop(value->grad);
        value->grad = NULL;
    }
    return REHA_OK;
}

/* `output_grads` is NULL in a dry run. */
static reha_status seed_grads(reha_net *net, const float *const *output_grads, reha_error *err)
{
    for (int i = 0; i < net->output_count; i++) {
        reha_net_value *value = &net->values[net->outputs[i]];
        reha_buffer *scratch;
        if (!value->wants_grad || (output_grads != NULL && output_grads[i] == NULL)) {
            continue;
        }
        REHA_TRY(reha_net_grad_scratch(net, value, &scratch, err));
        if (output_grads != NULL) {
            reha_kernel_from_nchw(net->threads, output_grads[i], (reha_span){scratch->data, value->half},
                                  value->n, value->c, value->h * value->w);
        }
        reha_net_grad_merge(net, value, scratch);
    }
    return REHA_OK;
}

reha_status reha_net_backward(reha_net *net, const float *const *output_grads, reha_error *err)
{
    const int token = reha_dnn_enter(net->dnn);
    reha_status status = seed_grads(net, output_grads, err);

    for (int i = net->layer_count - 1; i >= 0 && status == REHA_OK; i--) {
        if (net->layers[i].wants_backward && !net->layers[i].is_skipped) {
            status = backward_layer(net, i, err);
        }
    }
    reha_dnn_leave(token);
    return status;
}

void reha_net_update_running(reha_net *net)
{
    const float m = net->options.norm_momentum;
    for (int i = 0; i < net->layer_count; i++) {
        const reha_layer *layer = &net->layers[i];
        if (layer->node.op != REHA_OP_BATCH_NORM || layer->uses_running) {
            continue;
        }
        const reha_net_value *value = &net->values[i];
        const float rows = (float)reha_value_rows(value);
        const float unbias = rows > 1.0F ? rows / (rows - 1.0F) : 1.0F;
        float *mean = net->weights + net->params[layer->node.params[2]].offset;
        float *variance = net->weights + net->params[layer->node.params[3]].offset;
        for (int64_t c = 0; c < value->c; c++) {
            mean[c] += m * (layer->mean[c] - mean[c]);
            variance[c] += m * (layer->variance[c] * unbias - variance[c]);
        }
    }
}
