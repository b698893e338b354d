/* Graphs as ONNX files: one node each, initialisers named as the parameters, symbolic batch "N". */
#include "nn/onnx.h"

#include "base/file.h"
#include "base/memory.h"
#include "nn/half_priv.h"

#include "onnx/onnx.pb-c.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    IR_VERSION = 7,
    OPSET = 13,
    TYPE_FLOAT = 1,
    TYPE_FLOAT16 = 10,
    ATTRIBUTES_MAX = 6,
    EXTRA_TENSORS = 2, /* the limits of Clip */
    EXTRA_NODES = 16   /* one Identity per output at most */
};

/* Everything of one message lives until the file is written: blocks chained, freed together. */
typedef struct block {
    struct block *next;
    max_align_t data[];
} block;

typedef struct writer {
    const reha_graph *graph;
    const reha_onnx_save_options *options;
    block *blocks;
    bool failed; /* out of memory; sticky */
    Onnx__GraphProto out;
    char **values; /* name of each node's result */
    bool has_clip;
} writer;

static void *take(writer *w, size_t bytes)
{
    block *made = reha_alloc_zero(1, sizeof(block) + bytes);
    if (made == NULL) {
        w->failed = true;
        return NULL;
    }
    made->next = w->blocks;
    w->blocks = made;
    return made->data;
}

static char *take_text(writer *w, const char *text)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = take(w, bytes);
    if (copy != NULL) {
        memcpy(copy, text, bytes);
    }
    return copy;
}

static char *take_joined(writer *w, const char *text, const char *suffix)
{
    const size_t bytes = strlen(text) + strlen(suffix) + 1;
    char *copy = take(w, bytes);
    if (copy != NULL) {
        snprintf(copy, bytes, "%s%s", text, suffix);
    }
    return copy;
}

/* ---- initialisers ---- */

static Onnx__TensorProto *add_tensor(writer *w, char *name, int type, const int64_t *dims, size_t rank)
{
    Onnx__TensorProto *tensor = take(w, sizeof *tensor);
    int64_t *own = take(w, (rank + 1) * sizeof *own);
    if (tensor == NULL || own == NULL) {
        return NULL;
    }
    onnx__tensor_proto__init(tensor);
    if (rank > 0) {
        memcpy(own, dims, rank * sizeof *own);
    }
    tensor->name = name;
    tensor->n_dims = rank;
    tensor->dims = own;
    tensor->has_data_type = true;
    tensor->data_type = type;
    tensor->has_raw_data = true;
    w->out.initializer[w->out.n_initializer++] = tensor;
    return tensor;
}

/* Copies small constants. */
static char *add_floats(writer *w, char *name, const float *values, size_t rank, int64_t count)
{
    Onnx__TensorProto *tensor = add_tensor(w, name, TYPE_FLOAT, &count, rank);
    float *own = take(w, (size_t)count * sizeof *own);
    if (tensor != NULL && own != NULL) {
        memcpy(own, values, (size_t)count * sizeof *own);
        tensor->raw_data.data = (uint8_t *)own;
        tensor->raw_data.len = (size_t)count * sizeof *own;
    }
    return name;
}

/* ---- nodes ---- */

static Onnx__NodeProto *add_node(writer *w, const char *type, char *name, size_t inputs, char *output)
{
    Onnx__NodeProto *node = take(w, sizeof *node);
    char **names = take(w, (inputs + 1) * sizeof *names);
    char **outputs = take(w, sizeof *outputs);
    Onnx__AttributeProto **attributes = take(w, ATTRIBUTES_MAX * sizeof *attributes);
    char *op_type = take_text(w, type);
    if (node == NULL || names == NULL || outputs == NULL || attributes == NULL || op_type == NULL) {
        return NULL;
    }
    onnx__node_proto__init(node);
    node->name = name;
    node->op_type = op_type;
    node->n_input = inputs;
    node->input = names;
    node->n_output = 1;
    node->output = outputs;
    node->output[0] = output;
    node->attribute = attributes;
    w->out.node[w->out.n_node++] = node;
    return node;
}

static Onnx__AttributeProto *add_attribute(writer *w, Onnx__NodeProto *node, const char *name,
                                           Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *attribute = take(w, sizeof *attribute);
    char *own = take_text(w, name);
    if (attribute == NULL || own == NULL) {
        return NULL;
    }
    onnx__attribute_proto__init(attribute);
    attribute->name = own;
    attribute->has_type = true;
    attribute->type = type;
    node->attribute[node->n_attribute++] = attribute;
    return attribute;
}

static void add_int(writer *w, Onnx__NodeProto *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = add_attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (a != NULL) {
        a->has_i = true;
        a->i = value;
    }
}

static void add_float(writer *w, Onnx__NodeProto *node, const char *name, float value)
{
    Onnx__AttributeProto *a = add_attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    if (a != NULL) {
        a->has_f = true;
        a->f = value;
    }
}

static void add_word(writer *w, Onnx__NodeProto *node, const char *name, const char *word)
{
    Onnx__AttributeProto *a = add_attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    char *own = take_text(w, word);
    if (a != NULL && own != NULL) {
        a->has_s = true;
        a->s.data = (uint8_t *)own;
        a->s.len = strlen(word);
    }
}

static void add_ints(writer *w, Onnx__NodeProto *node, const char *name, const int *values, size_t count)
{
    Onnx__AttributeProto *a = add_attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    int64_t *own = take(w, count * sizeof *own);
    if (a != NULL && own != NULL) {
        for (size_t i = 0; i < count; i++) {
            own[i] = values[i];
        }
        a->ints = own;
        a->n_ints = count;
    }
}

static void add_window(writer *w, Onnx__NodeProto *node, const reha_window *window, bool with_dilation)
{
    const int kernel[2] = {window->kernel_h, window->kernel_w};
    const int strides[2] = {window->stride_h, window->stride_w};
    const int pads[4] = {window->pad_top, window->pad_left, window->pad_bottom, window->pad_right};
    const int dilations[2] = {window->dilation_h, window->dilation_w};
    add_ints(w, node, "kernel_shape", kernel, 2);
    add_ints(w, node, "strides", strides, 2);
    add_ints(w, node, "pads", pads, 4);
    if (with_dilation) {
        add_ints(w, node, "dilations", dilations, 2);
    }
}

static bool is_halvable(const writer *w, const reha_param *param, const reha_node *node, int which)
{
    if (w->options == NULL || !w->options->float16_weights || which != 0 || node->op == REHA_OP_BATCH_NORM) {
        return false;
    }
    const size_t count = reha_shape_count(param->shape);
    for (size_t i = 0; i < count; i++) {
        if (!(fabsf(param->values[i]) < 65504.0F)) {
            return false; /* beyond float16: keep this one whole */
        }
    }
    return true;
}

/* Stored as float16, with a Cast in front of the layer. */
static void write_half_param(writer *w, const reha_param *param)
{
    const size_t count = reha_shape_count(param->shape);
    char *stored = take_joined(w, param->name, ".f16");
    uint16_t *halves = take(w, count * sizeof *halves);
    Onnx__TensorProto *tensor =
        add_tensor(w, stored, TYPE_FLOAT16, param->shape.dims, (size_t)param->shape.rank);
    Onnx__NodeProto *cast =
        add_node(w, "Cast", take_joined(w, param->name, ".cast"), 1, take_text(w, param->name));
    if (stored == NULL || halves == NULL || tensor == NULL || cast == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        halves[i] = reha_float_to_half(param->values[i]);
    }
    tensor->raw_data.data = (uint8_t *)halves;
    tensor->raw_data.len = count * sizeof *halves;
    cast->input[0] = stored;
    add_int(w, cast, "to", TYPE_FLOAT);
}

static void write_params(writer *w, const reha_node *node)
{
    for (int i = 0; i < node->param_count; i++) {
        const reha_param *param = reha_graph_param(w->graph, node->params[i]);
        if (is_halvable(w, param, node, i)) {
            write_half_param(w, param);
            continue;
        }
        Onnx__TensorProto *tensor = add_tensor(w, take_text(w, param->name), TYPE_FLOAT, param->shape.dims,
                                               (size_t)param->shape.rank);
        if (tensor != NULL) {
            tensor->raw_data.data = (uint8_t *)param->values; /* only read while packing */
            tensor->raw_data.len = reha_shape_count(param->shape) * sizeof(float);
        }
    }
}

static const char *const clip_names[2] = {"reha.clip.low", "reha.clip.high"};

/* Constant inputs behind the computed ones: weights, limits, ratios, scales. */
static size_t constant_count(const reha_node *node)
{
    switch (node->op) {
    case REHA_OP_RELU6:
    case REHA_OP_RESIZE_NEAREST:
    case REHA_OP_RESIZE_BILINEAR:
        return 2;
    case REHA_OP_DROPOUT:
        return 1;
    default:
        return (size_t)node->param_count;
    }
}

static void write_constants(writer *w, const reha_node *node, Onnx__NodeProto *proto)
{
    char **names = proto->input + node->input_count;
    const float limits[2] = {0.0F, 6.0F};
    const float scales[4] = {1.0F, 1.0F, (float)node->scale_h, (float)node->scale_w};
    for (int i = 0; i < node->param_count; i++) {
        names[i] = take_text(w, reha_graph_param(w->graph, node->params[i])->name);
    }
    switch (node->op) {
    case REHA_OP_RELU6:
        for (int i = 0; i < 2; i++) {
            names[i] = take_text(w, clip_names[i]);
            if (!w->has_clip && names[i] != NULL) {
                add_floats(w, names[i], &limits[i], 0, 1);
            }
        }
        w->has_clip = true;
        break;
    case REHA_OP_RESIZE_NEAREST:
    case REHA_OP_RESIZE_BILINEAR:
        names[0] = take_text(w, "");
        names[1] = add_floats(w, take_joined(w, node->name, ".scales"), scales, 1, 4);
        break;
    case REHA_OP_DROPOUT:
        names[0] = add_floats(w, take_joined(w, node->name, ".ratio"), &node->ratio, 0, 1);
        break;
    default:
        break;
    }
}

static void write_attributes(writer *w, const reha_node *node, Onnx__NodeProto *proto)
{
    switch (node->op) {
    case REHA_OP_CONV:
        add_window(w, proto, &node->window, true);
        add_int(w, proto, "group", node->groups);
        break;
    case REHA_OP_CONV_TRANSPOSE:
        add_window(w, proto, &node->window, true);
        break;
    case REHA_OP_MAX_POOL:
    case REHA_OP_AVERAGE_POOL:
        add_window(w, proto, &node->window, false);
        break;
    case REHA_OP_BATCH_NORM:
        add_float(w, proto, "epsilon", node->epsilon);
        break;
    case REHA_OP_SOFTMAX:
    case REHA_OP_CONCAT:
    case REHA_OP_FLATTEN:
        add_int(w, proto, "axis", 1);
        break;
    case REHA_OP_FULLY_CONNECTED:
        add_int(w, proto, "transB", 1);
        break;
    case REHA_OP_RESIZE_NEAREST:
        add_word(w, proto, "mode", "nearest");
        add_word(w, proto, "coordinate_transformation_mode", "asymmetric");
        add_word(w, proto, "nearest_mode", "floor");
        break;
    case REHA_OP_RESIZE_BILINEAR:
        add_word(w, proto, "mode", "linear");
        add_word(w, proto, "coordinate_transformation_mode", "half_pixel");
        break;
    default:
        break;
    }
}

static void write_node(writer *w, int index)
{
    const reha_node *node = reha_graph_node(w->graph, index);
    if (node->op == REHA_OP_INPUT) {
        return;
    }
    write_params(w, node);
    const size_t inputs = (size_t)node->input_count + constant_count(node);
    Onnx__NodeProto *proto =
        add_node(w, reha_op_name(node->op), take_text(w, node->name), inputs, w->values[index]);
    if (proto == NULL) {
        return;
    }
    for (int i = 0; i < node->input_count; i++) {
        proto->input[i] = w->values[node->inputs[i]];
    }
    write_constants(w, node, proto);
    write_attributes(w, node, proto);
}

/* ---- inputs and outputs ---- */

static Onnx__TensorShapeProto__Dimension *make_dim(writer *w, int64_t value, const char *symbol)
{
    Onnx__TensorShapeProto__Dimension *dim = take(w, sizeof *dim);
    if (dim == NULL) {
        return NULL;
    }
    onnx__tensor_shape_proto__dimension__init(dim);
    if (symbol != NULL) {
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        dim->dim_param = take_text(w, symbol);
    } else {
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim->dim_value = value;
    }
    return dim;
}

static Onnx__ValueInfoProto *make_info(writer *w, char *name, reha_shape shape)
{
    Onnx__ValueInfoProto *info = take(w, sizeof *info);
    Onnx__TypeProto *type = take(w, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = take(w, sizeof *tensor);
    Onnx__TensorShapeProto *dims = take(w, sizeof *dims);
    Onnx__TensorShapeProto__Dimension **list = take(w, REHA_NN_DIMS_MAX * sizeof(void *));
    if (info == NULL || type == NULL || tensor == NULL || dims == NULL || list == NULL) {
        return NULL;
    }
    onnx__value_info_proto__init(info);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(dims);
    info->name = name;
    info->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = TYPE_FLOAT;
    tensor->shape = dims;
    dims->n_dim = (size_t)shape.rank;
    dims->dim = list;
    for (int i = 0; i < shape.rank; i++) {
        list[i] = make_dim(w, shape.dims[i], i == 0 ? "N" : NULL);
    }
    return info;
}

static bool is_taken(const writer *w, const char *name, int except)
{
    for (int i = 0; i < reha_graph_output_count(w->graph); i++) {
        if (strcmp(reha_graph_output_name(w->graph, i), name) == 0) {
            return true;
        }
    }
    const int node = reha_graph_find_node(w->graph, name);
    return (node >= 0 && node != except) || reha_graph_find_param(w->graph, name) >= 0;
}

/* The result of a node is called like the node, unless a parameter or an output has that name. */
static void name_values(writer *w)
{
    for (int i = 0; i < reha_graph_node_count(w->graph); i++) {
        char name[REHA_NN_NAME_BYTES + 32];
        snprintf(name, sizeof name, "%s", reha_graph_node(w->graph, i)->name);
        for (int attempt = 0; is_taken(w, name, i); attempt++) {
            snprintf(name, sizeof name, "%s/%d.%d", reha_graph_node(w->graph, i)->name, i, attempt);
        }
        w->values[i] = take_text(w, name);
    }
}

static int first_output_of(const writer *w, int node)
{
    for (int i = 0; i < reha_graph_output_count(w->graph); i++) {
        if (reha_graph_output(w->graph, i) == node) {
            return i;
        }
    }
    return -1;
}

/* An output's first name is that of the value itself; inputs and second names need an Identity. */
static void name_outputs(writer *w)
{
    for (int i = 0; i < reha_graph_output_count(w->graph); i++) {
        const int node = reha_graph_output(w->graph, i);
        if (first_output_of(w, node) == i && reha_graph_node(w->graph, node)->op != REHA_OP_INPUT) {
            w->values[node] = take_text(w, reha_graph_output_name(w->graph, i));
        }
    }
}

static void write_outputs(writer *w)
{
    for (int i = 0; i < reha_graph_output_count(w->graph); i++) {
        const int node = reha_graph_output(w->graph, i);
        char *name = take_text(w, reha_graph_output_name(w->graph, i));
        w->out.output[w->out.n_output++] = make_info(w, name, reha_graph_node(w->graph, node)->shape);
        if (name != NULL && w->values[node] != NULL && strcmp(name, w->values[node]) != 0) {
            Onnx__NodeProto *same = add_node(w, "Identity", take_joined(w, name, ".identity"), 1, name);
            if (same != NULL) {
                same->input[0] = w->values[node];
            }
        }
    }
}

static bool prepare(writer *w)
{
    const size_t nodes = (size_t)reha_graph_node_count(w->graph);
    const size_t params = (size_t)reha_graph_param_count(w->graph);
    onnx__graph_proto__init(&w->out);
    w->out.name = take_text(w, reha_graph_name(w->graph)[0] != '\0' ? reha_graph_name(w->graph) : "graph");
    w->out.node = take(w, (nodes + params + EXTRA_NODES) * sizeof(void *));
    w->out.initializer = take(w, (params + nodes + EXTRA_TENSORS) * sizeof(void *));
    w->out.input = take(w, ((size_t)reha_graph_input_count(w->graph) + 1) * sizeof(void *));
    w->out.output = take(w, ((size_t)reha_graph_output_count(w->graph) + 1) * sizeof(void *));
    w->values = take(w, (nodes + 1) * sizeof *w->values);
    return !w->failed;
}

static void write_graph(writer *w)
{
    name_values(w);
    name_outputs(w);
    for (int i = 0; i < reha_graph_input_count(w->graph) && !w->failed; i++) {
        const int node = reha_graph_input(w->graph, i);
        w->out.input[w->out.n_input++] =
            make_info(w, w->values[node], reha_graph_node(w->graph, node)->shape);
    }
    for (int i = 0; i < reha_graph_node_count(w->graph) && !w->failed; i++) {
        write_node(w, i);
    }
    if (!w->failed) {
        write_outputs(w);
    }
}

static reha_status pack(writer *w, const char *path, reha_error *err)
{
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT;
    Onnx__OperatorSetIdProto *opsets[1] = {&opset};
    const char *producer =
        w->options != NULL && w->options->producer != NULL ? w->options->producer : "rehascope";
    model.has_ir_version = true;
    model.ir_version = IR_VERSION;
    model.producer_name = take_text(w, producer);
    if (w->options != NULL && w->options->doc != NULL) {
        model.doc_string = take_text(w, w->options->doc);
    }
    opset.domain = take_text(w, "");
    opset.has_version = true;
    opset.version = OPSET;
    model.n_opset_import = 1;
    model.opset_import = opsets;
    model.graph = &w->out;
    if (w->failed) {
        return reha_fail(err, REHA_E_NOMEM, "%s: no memory to write the model", path);
    }
    const size_t bytes = onnx__model_proto__get_packed_size(&model);
    uint8_t *packed = reha_alloc(bytes);
    if (packed == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "%s: no memory to write %zu bytes", path, bytes);
    }
    onnx__model_proto__pack(&model, packed);
    const reha_status status = reha_file_save(path, packed, bytes, err);
    reha_free(packed);
    return status;
}

reha_status reha_onnx_save(const reha_graph *graph, const char *path, const reha_onnx_save_options *options,
                           reha_error *err)
{
    writer w = {.graph = graph, .options = options};
    reha_status status = REHA_OK;
    if (reha_graph_output_count(graph) == 0) {
        return reha_fail(err, REHA_E_ARG, "%s: the graph has no output", path);
    }
    if (prepare(&w)) {
        write_graph(&w);
    }
    status = w.failed ? reha_fail(err, REHA_E_NOMEM, "%s: no memory to write the model", path)
                      : pack(&w, path, err);
    while (w.blocks != NULL) {
        block *next = w.blocks->next;
        reha_free(w.blocks);
        w.blocks = next;
    }
    return status;
}
