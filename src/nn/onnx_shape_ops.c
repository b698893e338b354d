/* Operators that only rename, reshape or compute shapes: they vanish while the file is read. */
#include "nn/onnx_priv.h"

#include <string.h>

static reha_graph *graph_of(const reha_onnx_op *op)
{
    return op->reader->graph;
}

static const reha_shape *shape_of(const reha_onnx_op *op, reha_value_id value)
{
    return &reha_graph_node(graph_of(op), value)->shape;
}

/* The output is the first input under another name. */
static reha_status pass_on(const reha_onnx_op *op)
{
    const reha_onnx_entry *entry = reha_onnx_input(op, 0);
    if (entry == NULL) {
        return reha_onnx_fail(op, REHA_E_FORMAT, "it has no input");
    }
    const reha_onnx_entry same = *entry;
    switch (same.kind) {
    case REHA_ONNX_VALUE:
        return reha_onnx_set_value(op, same.value);
    case REHA_ONNX_TENSOR:
        return reha_onnx_set_tensor(op, same.tensor, same.is_transposed);
    default:
        return reha_onnx_set_ints(op, same.ints, same.int_count, same.is_scalar);
    }
}

static reha_status op_identity(const reha_onnx_op *op)
{
    return pass_on(op);
}

static reha_status op_dropout(const reha_onnx_op *op)
{
    reha_value_id input;
    reha_value_id value;
    float ratio = reha_onnx_float(op, "ratio", 0.5F);
    REHA_TRY(reha_onnx_need_value(op, 0, &input));
    REHA_TRY(reha_onnx_float_input(op, 1, ratio, &ratio));
    if (op->node->n_output > 1 && op->node->output[1][0] != '\0') {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "the second output (mask)");
    }
    ratio = ratio >= 0.0F && ratio < 1.0F ? ratio : 0.5F; /* without effect at inference */
    REHA_TRY(
        reha_onnx_built(op, reha_graph_add_dropout(graph_of(op), op->name, input, ratio, &value, op->err)));
    return reha_onnx_set_value(op, value);
}

static reha_status op_cast(const reha_onnx_op *op)
{
    enum { TO_FLOAT = 1, TO_INT32 = 6, TO_INT64 = 7 };
    const int64_t to = reha_onnx_int(op, "to", 0);
    const reha_onnx_entry *entry = reha_onnx_input(op, 0);
    if (entry != NULL && entry->kind == REHA_ONNX_VALUE && to != TO_FLOAT) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "computing in data type %lld", (long long)to);
    }
    if (to != TO_FLOAT && to != TO_INT32 && to != TO_INT64) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "to data type %lld", (long long)to);
    }
    return pass_on(op);
}

static reha_status op_constant(const reha_onnx_op *op)
{
    const Onnx__AttributeProto *attribute = reha_onnx_attribute(op, "value");
    if (attribute != NULL && attribute->t != NULL) {
        size_t count = 0;
        REHA_TRY(reha_onnx_tensor_count(attribute->t, op->reader->limits->params_max, &count, op->err));
        return reha_onnx_set_tensor(op, attribute->t, false);
    }
    attribute = reha_onnx_attribute(op, "value_int");
    if (attribute != NULL && attribute->has_i) {
        return reha_onnx_set_ints(op, &attribute->i, 1, true);
    }
    attribute = reha_onnx_attribute(op, "value_ints");
    if (attribute != NULL && attribute->n_ints <= REHA_ONNX_INTS_MAX && attribute->n_ints > 0) {
        return reha_onnx_set_ints(op, attribute->ints, (int)attribute->n_ints, false);
    }
    return reha_onnx_fail(op, REHA_E_UNSUPPORTED,
                          "a constant that is no tensor and no short list of integers");
}

static reha_status op_pad(const reha_onnx_op *op)
{
    const Onnx__AttributeProto *attribute = reha_onnx_attribute(op, "pads");
    int64_t pads[REHA_ONNX_INTS_MAX];
    int count = 0;
    if (attribute != NULL && attribute->n_ints <= REHA_ONNX_INTS_MAX) {
        count = (int)attribute->n_ints;
        memcpy(pads, attribute->ints, (size_t)count * sizeof *pads);
    } else {
        REHA_TRY(reha_onnx_need_ints(op, 1, pads, &count));
    }
    for (int i = 0; i < count; i++) {
        if (pads[i] != 0) {
            return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "padding apart from convolutions and pools");
        }
    }
    return pass_on(op);
}

/* ---- reshaping ---- */

static reha_status flatten(const reha_onnx_op *op, reha_value_id input)
{
    reha_value_id value;
    REHA_TRY(reha_onnx_built(
        op, reha_graph_add_unary(graph_of(op), op->name, REHA_OP_FLATTEN, input, &value, op->err)));
    return reha_onnx_set_value(op, value);
}

static reha_status op_flatten(const reha_onnx_op *op)
{
    reha_value_id input;
    REHA_TRY(reha_onnx_need_value(op, 0, &input));
    const int64_t axis = reha_onnx_int(op, "axis", 1);
    if (axis != 1 && axis != 1 - shape_of(op, input)->rank) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "axis %lld: only 1", (long long)axis);
    }
    return flatten(op, input);
}

/* Is `dim` the batch dimension, given what the rest of the shape says? */
static bool is_batch(const reha_onnx_op *op, int64_t dim, bool rest_is_known)
{
    return dim == REHA_ONNX_BATCH || dim == 0 || dim == op->reader->batch || (dim == -1 && rest_is_known);
}

static reha_status op_reshape(const reha_onnx_op *op)
{
    const reha_onnx_entry *entry = reha_onnx_input(op, 0);
    int64_t dims[REHA_ONNX_INTS_MAX];
    int count = 0;
    reha_value_id input;
    if (entry != NULL && entry->kind == REHA_ONNX_INTS) {
        return pass_on(op); /* a scalar made a vector, or back */
    }
    REHA_TRY(reha_onnx_need_value(op, 0, &input));
    REHA_TRY(reha_onnx_need_ints(op, 1, dims, &count));
    const reha_shape *shape = shape_of(op, input);
    const int64_t features = (int64_t)reha_shape_count(*shape);
    if (count == 2 && (dims[1] == -1 || dims[1] == features) && is_batch(op, dims[0], dims[1] == features)) {
        return flatten(op, input);
    }
    bool is_same = count == shape->rank && is_batch(op, dims[0], true);
    for (int i = 1; is_same && i < count; i++) {
        is_same = dims[i] == shape->dims[i] || dims[i] == 0;
    }
    if (!is_same) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "only [N, everything else] is a supported shape");
    }
    return pass_on(op);
}

static reha_status read_axes(const reha_onnx_op *op, int64_t *axes, int *count)
{
    const Onnx__AttributeProto *attribute = reha_onnx_attribute(op, "axes");
    *count = 0;
    if (attribute != NULL && attribute->n_ints <= REHA_ONNX_INTS_MAX) {
        *count = (int)attribute->n_ints;
        memcpy(axes, attribute->ints, attribute->n_ints * sizeof *axes);
        return REHA_OK;
    }
    return op->node->n_input > 1 ? reha_onnx_need_ints(op, 1, axes, count) : REHA_OK;
}

static reha_status op_squeeze(const reha_onnx_op *op)
{
    const reha_onnx_entry *entry = reha_onnx_input(op, 0);
    int64_t axes[REHA_ONNX_INTS_MAX];
    int count = 0;
    reha_value_id input;
    REHA_TRY(read_axes(op, axes, &count));
    if (entry != NULL && entry->kind == REHA_ONNX_INTS) {
        return reha_onnx_set_ints(op, entry->ints, entry->int_count, true);
    }
    REHA_TRY(reha_onnx_need_value(op, 0, &input));
    const reha_shape *shape = shape_of(op, input);
    bool is_fine =
        shape->rank == 4 && shape->dims[2] == 1 && shape->dims[3] == 1 && (count == 0 || count == 2);
    for (int i = 0; i < count; i++) {
        is_fine = is_fine && (axes[i] == 2 || axes[i] == 3 || axes[i] == -1 || axes[i] == -2);
    }
    if (!is_fine) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "only height and width of 1 x 1 maps");
    }
    return flatten(op, input);
}

static reha_status op_unsqueeze(const reha_onnx_op *op)
{
    const reha_onnx_entry *entry = reha_onnx_input(op, 0);
    int64_t ints[REHA_ONNX_INTS_MAX];
    int count = 0;
    if (entry != NULL && entry->kind == REHA_ONNX_VALUE) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "only of shapes");
    }
    REHA_TRY(reha_onnx_need_ints(op, 0, ints, &count));
    return reha_onnx_set_ints(op, ints, count, false);
}

static reha_status op_transpose(const reha_onnx_op *op)
{
    const reha_onnx_entry *entry = NULL;
    int perm[2];
    REHA_TRY(reha_onnx_need_tensor(op, 0, &entry));
    REHA_TRY(reha_onnx_ints(op, "perm", 2, -1, perm));
    const bool swaps = perm[0] == -1 || (perm[0] == 1 && perm[1] == 0);
    if (entry->tensor->n_dims != 2 || (!swaps && (perm[0] != 0 || perm[1] != 1))) {
        return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "only of constant matrices");
    }
    return reha_onnx_set_tensor(op, entry->tensor, entry->is_transposed != swaps);
}

/* ---- shapes as numbers ---- */

static reha_status op_shape(const reha_onnx_op *op)
{
    reha_value_id input;
    int64_t dims[REHA_ONNX_INTS_MAX];
    REHA_TRY(reha_onnx_need_value(op, 0, &input));
    const reha_shape *shape = shape_of(op, input);
    dims[0] = REHA_ONNX_BATCH;
    for (int i = 1; i < shape->rank; i++) {
        dims[i] = shape->dims[i];
    }
    return reha_onnx_set_ints(op, dims, shape->rank, false);
}

static reha_status op_gather(const reha_onnx_op *op)
{
    const reha_onnx_entry *which = reha_onnx_input(op, 1);
    int64_t ints[REHA_ONNX_INTS_MAX];
    int64_t indices[REHA_ONNX_INTS_MAX];
    int count = 0;
    int index_count = 0;
    REHA_TRY(reha_onnx_need_ints(op, 0, ints, &count));
    REHA_TRY(reha_onnx_need_ints(op, 1, indices, &index_count));
    const bool is_scalar =
        which != NULL && (which->kind == REHA_ONNX_INTS ? which->is_scalar : which->tensor->n_dims == 0);
    for (int i = 0; i < index_count; i++) {
        const int64_t at = indices[i] < 0 ? indices[i] + count : indices[i];
        if (at < 0 || at >= count) {
            return reha_onnx_fail(op, REHA_E_FORMAT, "index %lld of %d", (long long)indices[i], count);
        }
        indices[i] = ints[at];
    }
    return reha_onnx_set_ints(op, indices, index_count, is_scalar);
}

static reha_status op_slice(const reha_onnx_op *op)
{
    int64_t ints[REHA_ONNX_INTS_MAX];
    int64_t bounds[2] = {0, 0};
    int count = 0;
    REHA_TRY(reha_onnx_need_ints(op, 0, ints, &count));
    for (int i = 0; i < 2; i++) {
        int64_t numbers[REHA_ONNX_INTS_MAX];
        int number_count = 0;
        REHA_TRY(reha_onnx_need_ints(op, (size_t)i + 1, numbers, &number_count));
        if (number_count != 1 || numbers[0] == REHA_ONNX_BATCH) {
            return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "only one axis, with fixed bounds");
        }
        int64_t at = numbers[0] < 0 ? numbers[0] + count : numbers[0];
        bounds[i] = at < 0 ? 0 : at > count ? count : at;
    }
    if (op->node->n_input > 4) {
        int64_t step[REHA_ONNX_INTS_MAX];
        int steps = 0;
        REHA_TRY(reha_onnx_need_ints(op, 4, step, &steps));
        if (steps != 1 || step[0] != 1) {
            return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "only steps of 1");
        }
    }
    const int64_t length = bounds[1] > bounds[0] ? bounds[1] - bounds[0] : 0;
    return reha_onnx_set_ints(op, ints + bounds[0], (int)length, false);
}

static bool is_int_operand(const reha_onnx_entry *entry)
{
    return entry != NULL && (entry->kind == REHA_ONNX_INTS || entry->kind == REHA_ONNX_TENSOR);
}

static bool apply(char what, int64_t a, int64_t b, int64_t *out)
{
    static const int64_t limit = (int64_t)1 << 31;
    if (a == REHA_ONNX_BATCH || b == REHA_ONNX_BATCH || a > limit || a < -limit || b > limit || b < -limit ||
        (what == '/' && b == 0)) {
        return false;
    }
    *out = what == '+' ? a + b : what == '-' ? a - b : what == '*' ? a * b : a / b;
    return true;
}

reha_status reha_onnx_int_arithmetic(const reha_onnx_op *op, char what, bool *done)
{
    const reha_onnx_entry *a = reha_onnx_input(op, 0);
    const reha_onnx_entry *b = reha_onnx_input(op, 1);
    int64_t x[REHA_ONNX_INTS_MAX];
    int64_t y[REHA_ONNX_INTS_MAX];
    int x_count = 0;
    int y_count = 0;
    *done = is_int_operand(a) && is_int_operand(b);
    if (!*done) {
        return REHA_OK;
    }
    REHA_TRY(reha_onnx_need_ints(op, 0, x, &x_count));
    REHA_TRY(reha_onnx_need_ints(op, 1, y, &y_count));
    const int count = x_count > y_count ? x_count : y_count;
    if (x_count == 0 || y_count == 0 || (x_count != y_count && x_count != 1 && y_count != 1)) {
        return reha_onnx_fail(op, REHA_E_FORMAT, "vectors of %d and %d numbers", x_count, y_count);
    }
    int64_t result[REHA_ONNX_INTS_MAX];
    for (int i = 0; i < count; i++) {
        if (!apply(what, x[x_count == 1 ? 0 : i], y[y_count == 1 ? 0 : i], &result[i])) {
            return reha_onnx_fail(op, REHA_E_UNSUPPORTED, "arithmetic with the batch size, or out of range");
        }
    }
    const bool is_scalar =
        (a->kind != REHA_ONNX_INTS || a->is_scalar) && (b->kind != REHA_ONNX_INTS || b->is_scalar);
    return reha_onnx_set_ints(op, result, count, is_scalar && count == 1);
}

reha_onnx_translate reha_onnx_find_shape_op(const char *op_type)
{
    static const struct {
        const char *op_type;
        reha_onnx_translate translate;
    } ops[] = {{"Identity", op_identity},   {"Dropout", op_dropout}, {"Cast", op_cast},
               {"Constant", op_constant},   {"Pad", op_pad},         {"Flatten", op_flatten},
               {"Reshape", op_reshape},     {"Squeeze", op_squeeze}, {"Unsqueeze", op_unsqueeze},
               {"Transpose", op_transpose}, {"Shape", op_shape},     {"Gather", op_gather},
               {"Slice", op_slice}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(ops[i].op_type, op_type) == 0) {
            return ops[i].translate;
        }
    }
    return NULL;
}
