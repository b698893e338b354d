#include "nn/onnx.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "nn/onnx_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { OPSET_MIN = 7, OPSET_MAX = 17, ELEMENT_FLOAT = 1 };

reha_onnx_limits reha_onnx_limits_default(void)
{
    const reha_onnx_limits limits = {
        .file_bytes_max = (size_t)256 << 20, .nodes_max = 20000, .params_max = (size_t)128 << 20};
    return limits;
}

/* Names of foreign files go into messages and logs: printable ASCII only, and short. */
static void clean_name(const char *name, char *out, size_t size)
{
    size_t n = 0;
    for (; name != NULL && name[n] != '\0' && n + 1 < size; n++) {
        const unsigned char c = (unsigned char)name[n];
        out[n] = (char)(c > 0x20 && c < 0x7f ? c : '_');
    }
    out[n] = '\0';
}

reha_status reha_onnx_fail(const reha_onnx_op *op, reha_status status, const char *format, ...)
{
    char text[160];
    char type[32];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    clean_name(op->node->op_type, type, sizeof type);
    return reha_fail(op->err, status, "node %.60s (%s): %s", op->name, type, text);
}

reha_status reha_onnx_built(const reha_onnx_op *op, reha_status status)
{
    if (status != REHA_E_ARG) {
        return status;
    }
    if (op->err != NULL) {
        op->err->status = REHA_E_FORMAT;
    }
    return REHA_E_FORMAT;
}

/* ---- names ---- */

static reha_onnx_entry *slot_of(const reha_onnx_reader *reader, const char *name)
{
    size_t i = reha_hash32_text(name) & (reader->entry_capacity - 1);
    while (reader->entries[i].name != NULL && strcmp(reader->entries[i].name, name) != 0) {
        i = (i + 1) & (reader->entry_capacity - 1);
    }
    return &reader->entries[i];
}

reha_onnx_entry *reha_onnx_find(const reha_onnx_reader *reader, const char *name)
{
    reha_onnx_entry *entry = slot_of(reader, name);
    return entry->name != NULL && entry->kind != REHA_ONNX_NONE ? entry : NULL;
}

static reha_status make_table(reha_onnx_reader *reader, reha_error *err)
{
    const Onnx__GraphProto *g = reader->source;
    size_t names = g->n_initializer + g->n_input + g->n_output;
    for (size_t i = 0; i < g->n_node; i++) {
        names += g->node[i]->n_input + g->node[i]->n_output;
    }
    reader->entry_capacity = 64;
    while (reader->entry_capacity < 2 * names) {
        reader->entry_capacity *= 2;
    }
    reader->entries = reha_alloc_zero(reader->entry_capacity, sizeof *reader->entries);
    if (reader->entries == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for %zu names", names);
    }
    for (size_t i = 0; i < g->n_node; i++) {
        for (size_t k = 0; k < g->node[i]->n_input; k++) {
            reha_onnx_entry *entry = slot_of(reader, g->node[i]->input[k]);
            entry->name = g->node[i]->input[k];
            entry->uses++;
        }
    }
    for (size_t i = 0; i < g->n_output; i++) {
        if (g->output[i]->name != NULL) {
            reha_onnx_entry *entry = slot_of(reader, g->output[i]->name);
            entry->name = g->output[i]->name;
            entry->uses++;
        }
    }
    return REHA_OK;
}

static reha_onnx_entry *define(reha_onnx_reader *reader, const char *name)
{
    reha_onnx_entry *entry = name != NULL && name[0] != '\0' ? slot_of(reader, name) : NULL;
    if (entry == NULL || (entry->name != NULL && entry->kind != REHA_ONNX_NONE)) {
        return NULL; /* without name, or twice */
    }
    entry->name = name;
    return entry;
}

static reha_onnx_entry *define_output(const reha_onnx_op *op)
{
    return op->node->n_output > 0 ? define(op->reader, op->node->output[0]) : NULL;
}

static reha_status output_fault(const reha_onnx_op *op)
{
    return reha_onnx_fail(op, REHA_E_FORMAT, "its output has no name, or one that exists already");
}

reha_status reha_onnx_set_value(const reha_onnx_op *op, reha_value_id value)
{
    reha_onnx_entry *entry = define_output(op);
    if (entry == NULL) {
        return output_fault(op);
    }
    entry->kind = REHA_ONNX_VALUE;
    entry->value = value;
    return REHA_OK;
}

reha_status reha_onnx_set_ints(const reha_onnx_op *op, const int64_t *ints, int count, bool is_scalar)
{
    reha_onnx_entry *entry = define_output(op);
    if (entry == NULL) {
        return output_fault(op);
    }
    entry->kind = REHA_ONNX_INTS;
    entry->int_count = count;
    entry->is_scalar = is_scalar;
    memcpy(entry->ints, ints, (size_t)count * sizeof *ints);
    return REHA_OK;
}

reha_status reha_onnx_set_tensor(const reha_onnx_op *op, const Onnx__TensorProto *tensor, bool is_transposed)
{
    reha_onnx_entry *entry = define_output(op);
    if (entry == NULL) {
        return output_fault(op);
    }
    entry->kind = REHA_ONNX_TENSOR;
    entry->tensor = tensor;
    entry->is_transposed = is_transposed;
    return REHA_OK;
}

static bool is_name_free(const reha_graph *graph, const char *name)
{
    return name[0] != '\0' && reha_graph_find_node(graph, name) < 0;
}

/* The file's name for the node, or for its output, or a number. */
static void name_op(reha_onnx_op *op)
{
    enum { ROOM = REHA_NN_NAME_BYTES - 24 }; /* for ".variance" and the suffix of a second node */
    const reha_graph *graph = op->reader->graph;
    clean_name(op->node->name, op->name, ROOM);
    if (!is_name_free(graph, op->name) && op->node->n_output > 0) {
        clean_name(op->node->output[0], op->name, ROOM);
    }
    for (int attempt = 0; !is_name_free(graph, op->name); attempt++) {
        snprintf(op->name, sizeof op->name, "node_%d_%d", op->index, attempt);
    }
}

void reha_onnx_second_name(const reha_onnx_op *op, const char *suffix, char out[REHA_NN_NAME_BYTES])
{
    snprintf(out, REHA_NN_NAME_BYTES, "%.71s%.10s", op->name, suffix);
    for (int attempt = 0; !is_name_free(op->reader->graph, out); attempt++) {
        snprintf(out, REHA_NN_NAME_BYTES, "node_%d_%.10s_%d", op->index, suffix, attempt);
    }
}

/* ---- operands and attributes ---- */

reha_onnx_entry *reha_onnx_input(const reha_onnx_op *op, size_t i)
{
    if (i >= op->node->n_input || op->node->input[i][0] == '\0') {
        return NULL;
    }
    return reha_onnx_find(op->reader, op->node->input[i]);
}

static bool is_given(const reha_onnx_op *op, size_t i)
{
    return i < op->node->n_input && op->node->input[i][0] != '\0';
}

static reha_status missing(const reha_onnx_op *op, size_t i)
{
    char name[48];
    clean_name(is_given(op, i) ? op->node->input[i] : "", name, sizeof name);
    return reha_onnx_fail(op, REHA_E_FORMAT, "input %zu (%s) is missing or not computed before it", i, name);
}

reha_status reha_onnx_need_value(const reha_onnx_op *op, size_t i, reha_value_id *out)
{
    const reha_onnx_entry *entry = reha_onnx_input(op, i);
    *out = -1;
    if (entry == NULL) {
        return missing(op, i);
    }
    if (entry->kind != REHA_ONNX_VALUE) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "input %zu is a constant", i);
    }
    *out = entry->value;
    return REHA_OK;
}

reha_status reha_onnx_need_tensor(const reha_onnx_op *op, size_t i, const reha_onnx_entry **out)
{
    const reha_onnx_entry *entry = reha_onnx_input(op, i);
    *out = entry;
    if (entry == NULL) {
        return missing(op, i);
    }
    if (entry->kind != REHA_ONNX_TENSOR) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "input %zu is not a constant of the file", i);
    }
    return REHA_OK;
}

reha_status reha_onnx_need_ints(const reha_onnx_op *op, size_t i, int64_t *out, int *count)
{
    const reha_onnx_entry *entry = reha_onnx_input(op, i);
    *count = 0;
    if (entry == NULL) {
        return missing(op, i);
    }
    if (entry->kind == REHA_ONNX_INTS) {
        memcpy(out, entry->ints, (size_t)entry->int_count * sizeof *out);
        *count = entry->int_count;
        return REHA_OK;
    }
    if (entry->kind == REHA_ONNX_TENSOR) {
        return reha_onnx_tensor_ints(entry->tensor, out, count, op->err);
    }
    return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "input %zu must be known when the file is read", i);
}

reha_status reha_onnx_float_input(const reha_onnx_op *op, size_t i, float fallback, float *out)
{
    const reha_onnx_entry *entry = NULL;
    size_t count = 0;
    *out = fallback;
    if (!is_given(op, i)) {
        return REHA_OK;
    }
    REHA_TRY(reha_onnx_need_tensor(op, i, &entry));
    REHA_TRY(reha_onnx_tensor_count(entry->tensor, 1, &count, op->err));
    if (count != 1) {
        return reha_onnx_fail(op, REHA_E_FORMAT, "input %zu holds no number", i);
    }
    return reha_onnx_tensor_floats(entry->tensor, 1, out, op->err);
}

const Onnx__AttributeProto *reha_onnx_attribute(const reha_onnx_op *op, const char *name)
{
    for (size_t i = 0; i < op->node->n_attribute; i++) {
        if (op->node->attribute[i]->name != NULL && strcmp(op->node->attribute[i]->name, name) == 0) {
            return op->node->attribute[i];
        }
    }
    return NULL;
}

int64_t reha_onnx_int(const reha_onnx_op *op, const char *name, int64_t fallback)
{
    const Onnx__AttributeProto *attribute = reha_onnx_attribute(op, name);
    return attribute != NULL && attribute->has_i ? attribute->i : fallback;
}

float reha_onnx_float(const reha_onnx_op *op, const char *name, float fallback)
{
    const Onnx__AttributeProto *attribute = reha_onnx_attribute(op, name);
    return attribute != NULL && attribute->has_f ? attribute->f : fallback;
}

bool reha_onnx_is_text(const reha_onnx_op *op, const char *name, const char *text, bool if_absent)
{
    const Onnx__AttributeProto *attribute = reha_onnx_attribute(op, name);
    if (attribute == NULL || !attribute->has_s) {
        return if_absent;
    }
    return attribute->s.len == strlen(text) && memcmp(attribute->s.data, text, attribute->s.len) == 0;
}

reha_status reha_onnx_ints(const reha_onnx_op *op, const char *name, int count, int64_t fallback, int *out)
{
    const Onnx__AttributeProto *attribute = reha_onnx_attribute(op, name);
    if (attribute != NULL && attribute->n_ints != (size_t)count) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "attribute %s has %zu numbers, %d are supported", name,
                              attribute->n_ints, count);
    }
    for (int i = 0; i < count; i++) {
        const int64_t value = attribute != NULL ? attribute->ints[i] : fallback;
        if (value < -1000000 || value > 1000000) {
            return reha_onnx_fail(op, REHA_E_FORMAT, "attribute %s is %lld", name, (long long)value);
        }
        out[i] = (int)value;
    }
    return REHA_OK;
}

static bool fits_param(const Onnx__TensorProto *tensor, reha_shape shape, bool is_transposed)
{
    if (tensor->n_dims != (size_t)shape.rank) {
        return false;
    }
    for (int i = 0; i < shape.rank; i++) {
        if (tensor->dims[is_transposed ? shape.rank - 1 - i : i] != shape.dims[i]) {
            return false;
        }
    }
    return true;
}

reha_status reha_onnx_fill(const reha_onnx_op *op, reha_value_id node, int which,
                           const reha_onnx_entry *entry, bool is_transposed)
{
    reha_graph *graph = op->reader->graph;
    reha_param *param = reha_graph_param_mutable(graph, reha_graph_node(graph, node)->params[which]);
    const bool swap = is_transposed != entry->is_transposed;
    reha_status status = REHA_OK;
    float *room = NULL;
    size_t count = 0;
    REHA_TRY(reha_onnx_tensor_count(entry->tensor, op->reader->limits->params_max, &count, op->err));
    if (!fits_param(entry->tensor, param->shape, swap && param->shape.rank == 2)) {
        return reha_onnx_fail(op, REHA_E_FORMAT, "the shape of tensor %.40s does not fit", entry->name);
    }
    if (!swap || param->shape.rank != 2) {
        return reha_onnx_tensor_floats(entry->tensor, count, param->values, op->err);
    }
    room = reha_alloc(count * sizeof *room);
    if (room == NULL) {
        return reha_onnx_fail(op, REHA_E_NOMEM, "no memory for %zu weights", count);
    }
    REHA_CHECK(reha_onnx_tensor_floats(entry->tensor, count, room, op->err));
    for (int64_t o = 0; o < param->shape.dims[0]; o++) {
        for (int64_t i = 0; i < param->shape.dims[1]; i++) {
            param->values[o * param->shape.dims[1] + i] = room[i * param->shape.dims[0] + o];
        }
    }
done:
    reha_free(room);
    return status;
}

/* ---- the file ---- */

static reha_status read_opset(reha_onnx_reader *reader, const Onnx__ModelProto *model, reha_error *err)
{
    reader->opset = 0;
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *set = model->opset_import[i];
        if ((set->domain == NULL || set->domain[0] == '\0' || strcmp(set->domain, "ai.onnx") == 0) &&
            set->has_version) {
            reader->opset = set->version;
        }
    }
    if (reader->opset < OPSET_MIN || reader->opset > OPSET_MAX) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "ONNX operator set %lld: %d to %d are read",
                         (long long)reader->opset, OPSET_MIN, OPSET_MAX);
    }
    return REHA_OK;
}

static reha_status read_initializers(reha_onnx_reader *reader, reha_error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < reader->source->n_initializer; i++) {
        const Onnx__TensorProto *tensor = reader->source->initializer[i];
        size_t count = 0;
        REHA_TRY(reha_onnx_tensor_count(tensor, reader->limits->params_max, &count, err));
        total += count;
        if (total > reader->limits->params_max) {
            return reha_fail(err, REHA_E_LIMIT, "more than %zu weights", reader->limits->params_max);
        }
        reha_onnx_entry *entry = define(reader, tensor->name);
        if (entry == NULL) {
            return reha_fail(err, REHA_E_FORMAT, "initialiser %zu has no name, or one that exists already",
                             i);
        }
        entry->kind = REHA_ONNX_TENSOR;
        entry->tensor = tensor;
    }
    return REHA_OK;
}

static const Onnx__TensorShapeProto *shape_of(const Onnx__ValueInfoProto *info)
{
    if (info->type == NULL || info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ||
        info->type->tensor_type == NULL) {
        return NULL;
    }
    return info->type->tensor_type->shape;
}

static int64_t dim_of(const Onnx__TensorShapeProto *shape, size_t i) /* 0: symbolic */
{
    const Onnx__TensorShapeProto__Dimension *dim = shape->dim[i];
    return dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE ? dim->dim_value : 0;
}

static reha_status read_input(reha_onnx_reader *reader, const Onnx__ValueInfoProto *info, reha_error *err)
{
    char name[REHA_NN_NAME_BYTES - 24];
    int64_t dims[4] = {0};
    if (info->name != NULL && reha_onnx_find(reader, info->name) != NULL) {
        return REHA_OK; /* an initialiser, listed as input too by old exporters */
    }
    clean_name(info->name, name, sizeof name);
    const Onnx__TensorShapeProto *shape = shape_of(info);
    if (shape == NULL || shape->n_dim != 4 || info->type->tensor_type->elem_type != ELEMENT_FLOAT) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "input %s: only float images [N, C, H, W] are read", name);
    }
    for (size_t i = 0; i < 4; i++) {
        dims[i] = dim_of(shape, i);
        if (i > 0 && (dims[i] < 1 || dims[i] > 1 << 20)) {
            return reha_fail(err, REHA_E_UNSUPPORTED, "input %s: dimension %zu is not a fixed size", name, i);
        }
    }
    if (dims[0] < 0) {
        return reha_fail(err, REHA_E_FORMAT, "input %s: a batch of %lld", name, (long long)dims[0]);
    }
    reader->batch = dims[0] > 0 ? dims[0] : 1;
    reha_onnx_entry *entry = define(reader, info->name);
    if (entry == NULL) {
        return reha_fail(err, REHA_E_FORMAT, "an input has no name");
    }
    reha_value_id value = -1;
    REHA_TRY(
        reha_graph_add_input(reader->graph, name, (int)dims[1], (int)dims[2], (int)dims[3], &value, err));
    entry->kind = REHA_ONNX_VALUE;
    entry->value = value;
    return REHA_OK;
}

static reha_status read_node(reha_onnx_reader *reader, size_t index, reha_error *err)
{
    reha_onnx_op op = {
        .reader = reader, .node = reader->source->node[index], .index = (int)index, .err = err};
    name_op(&op);
    if (op.node->op_type == NULL) {
        return reha_onnx_fail(&op, REHA_E_FORMAT, "it has no operator type");
    }
    if (op.node->domain != NULL && op.node->domain[0] != '\0' && strcmp(op.node->domain, "ai.onnx") != 0) {
        return reha_onnx_fail(&op, REHA_E_UNSUPPORTED, "the operator is not one of the ONNX standard");
    }
    for (size_t i = 0; i < op.node->n_input; i++) {
        if (is_given(&op, i) && reha_onnx_input(&op, i) == NULL) {
            return missing(&op, i);
        }
    }
    reha_onnx_translate translate = reha_onnx_find_layer(op.node->op_type);
    if (translate == NULL) {
        translate = reha_onnx_find_shape_op(op.node->op_type);
    }
    if (translate == NULL) {
        return reha_onnx_fail(&op, REHA_E_UNSUPPORTED, "the operator is not supported");
    }
    return translate(&op);
}

static reha_status read_outputs(reha_onnx_reader *reader, reha_error *err)
{
    if (reader->source->n_output == 0) {
        return reha_fail(err, REHA_E_FORMAT, "the ONNX graph has no output");
    }
    for (size_t i = 0; i < reader->source->n_output; i++) {
        const char *name = reader->source->output[i]->name;
        char clean[REHA_NN_NAME_BYTES];
        clean_name(name, clean, sizeof clean);
        const reha_onnx_entry *entry = name != NULL ? reha_onnx_find(reader, name) : NULL;
        if (entry == NULL || entry->kind != REHA_ONNX_VALUE) {
            return reha_fail(err, REHA_E_FORMAT, "output %.80s is not computed from an input", clean);
        }
        const reha_status status = reha_graph_mark_output(reader->graph, entry->value, clean, err);
        if (status != REHA_OK) {
            return status == REHA_E_ARG
                       ? reha_fail(err, REHA_E_FORMAT, "output name %.80s twice or empty", clean)
                       : status;
        }
    }
    return REHA_OK;
}

static reha_status read_graph(reha_onnx_reader *reader, const Onnx__ModelProto *model, reha_error *err)
{
    char name[REHA_NN_NAME_BYTES];
    if (model->graph == NULL) {
        return reha_fail(err, REHA_E_FORMAT, "not an ONNX model: it has no graph");
    }
    reader->source = model->graph;
    REHA_TRY(read_opset(reader, model, err));
    clean_name(model->graph->name, name, sizeof name);
    REHA_TRY(reha_graph_new(name, &reader->graph, err));
    REHA_TRY(make_table(reader, err));
    REHA_TRY(read_initializers(reader, err));
    for (size_t i = 0; i < model->graph->n_input; i++) {
        const reha_status status = read_input(reader, model->graph->input[i], err);
        if (status != REHA_OK) {
            return status == REHA_E_ARG ? REHA_E_FORMAT : status;
        }
    }
    for (size_t i = 0; i < model->graph->n_node; i++) {
        REHA_TRY(read_node(reader, i, err));
    }
    return read_outputs(reader, err);
}

/* Takes the message over. */
static reha_status read_message(reha_onnx_message *message, const reha_onnx_limits *limits, reha_graph **out,
                                reha_error *err)
{
    reha_onnx_reader reader = {.limits = limits, .batch = 1};
    const reha_status status = read_graph(&reader, message->model, err);
    if (status == REHA_OK) {
        *out = reader.graph;
        reader.graph = NULL; /* handed over */
    }
    reha_graph_free(reader.graph);
    reha_free(reader.entries);
    reha_onnx_message_clear(message);
    return status;
}

reha_status reha_onnx_parse(const void *bytes, size_t count, const reha_onnx_limits *limits, reha_graph **out,
                            reha_error *err)
{
    const reha_onnx_limits defaults = reha_onnx_limits_default();
    reha_onnx_message message;
    *out = NULL;
    limits = limits != NULL ? limits : &defaults;
    const reha_status status = reha_onnx_unpack(bytes, count, limits, &message, err);
    return status == REHA_OK ? read_message(&message, limits, out, err) : status;
}

reha_status reha_onnx_load(const char *path, const reha_onnx_limits *limits, reha_graph **out,
                           reha_error *err)
{
    const reha_onnx_limits defaults = reha_onnx_limits_default();
    reha_onnx_message message;
    uint8_t *bytes = NULL;
    size_t count = 0;
    *out = NULL;
    limits = limits != NULL ? limits : &defaults;
    REHA_TRY(reha_file_load(path, limits->file_bytes_max, &bytes, &count, err));
    reha_status status = reha_onnx_unpack(bytes, count, limits, &message, err);
    reha_free(bytes); /* before the weights become floats: the message has its own copy */
    if (status == REHA_OK) {
        status = read_message(&message, limits, out, err);
    }
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
    }
    return status;
}
