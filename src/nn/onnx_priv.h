/* The inside of the ONNX reader: a table of names and one function per operator. */
#ifndef REHA_NN_ONNX_PRIV_H
#define REHA_NN_ONNX_PRIV_H

#include "nn/onnx.h"

#include "onnx/onnx.pb-c.h"

/* Stands for the batch dimension in small integer vectors, such as the result of Shape. */
#define REHA_ONNX_BATCH INT64_MIN

enum { REHA_ONNX_INTS_MAX = 8, REHA_ONNX_DIMS_MAX = 8 };

typedef enum reha_onnx_kind {
    REHA_ONNX_NONE,   /* named, not made yet */
    REHA_ONNX_VALUE,  /* computed from the input: a node of the graph */
    REHA_ONNX_TENSOR, /* a constant of the file */
    REHA_ONNX_INTS    /* a small vector of integers computed here, for shapes */
} reha_onnx_kind;

typedef struct reha_onnx_entry {
    const char *name; /* borrowed from the message */
    reha_onnx_kind kind;
    reha_value_id value;
    const Onnx__TensorProto *tensor;
    bool is_transposed; /* a matrix that must be read with its axes swapped */
    int int_count;
    bool is_scalar;
    int64_t ints[REHA_ONNX_INTS_MAX];
    int uses;
} reha_onnx_entry;

typedef struct reha_onnx_reader {
    const reha_onnx_limits *limits;
    const Onnx__GraphProto *source;
    int64_t opset;
    int64_t batch; /* the file's own batch size, if it names one, else 1 */
    reha_graph *graph;
    size_t param_floats;
    reha_onnx_entry *entries; /* open addressing by name */
    size_t entry_capacity;    /* a power of two */
} reha_onnx_reader;

typedef struct reha_onnx_op {
    reha_onnx_reader *reader;
    const Onnx__NodeProto *node;
    int index;
    char name[REHA_NN_NAME_BYTES]; /* of the node in our graph: unique and short */
    reha_error *err;
} reha_onnx_op;

/* "node NAME (Operator): text" */
reha_status reha_onnx_fail(const reha_onnx_op *op, reha_status status, const char *format, ...)
    REHA_PRINTF(3, 4);

/* ---- onnx_scan.c: from bytes to messages, in bounded memory and stack ---- */

/* A message made by reha_onnx_unpack, with everything allocated for it. */
typedef struct reha_onnx_message {
    Onnx__ModelProto *model;
    size_t left_bytes; /* of the budget */
    bool is_over;      /* the budget was not enough */
    bool is_out_of_memory;
} reha_onnx_message;
REHA_MUST_USE reha_status reha_onnx_unpack(const void *bytes, size_t count, const reha_onnx_limits *limits,
                                           reha_onnx_message *out, reha_error *err);
void reha_onnx_message_clear(reha_onnx_message *message);

/* ---- onnx_tensor.c ---- */

/* Number of elements; REHA_E_FORMAT for negative dimensions, REHA_E_LIMIT above the limit, and
 * REHA_E_FORMAT if the bytes do not fit the shape. */
REHA_MUST_USE reha_status reha_onnx_tensor_count(const Onnx__TensorProto *tensor, size_t limit, size_t *out,
                                                 reha_error *err);
/* float, double and float16 as float. `out` has room for reha_onnx_tensor_count numbers. */
REHA_MUST_USE reha_status reha_onnx_tensor_floats(const Onnx__TensorProto *tensor, size_t count, float *out,
                                                  reha_error *err);
/* int64 and int32, or floats with whole values; at most REHA_ONNX_INTS_MAX. */
REHA_MUST_USE reha_status reha_onnx_tensor_ints(const Onnx__TensorProto *tensor, int64_t *out, int *out_count,
                                                reha_error *err);

/* ---- onnx_read.c, for the operators ---- */

reha_onnx_entry *reha_onnx_find(const reha_onnx_reader *reader, const char *name); /* NULL if absent */
/* Input i of the node: NULL if left out. */
reha_onnx_entry *reha_onnx_input(const reha_onnx_op *op, size_t i);
REHA_MUST_USE reha_status reha_onnx_need_value(const reha_onnx_op *op, size_t i, reha_value_id *out);
REHA_MUST_USE reha_status reha_onnx_need_tensor(const reha_onnx_op *op, size_t i,
                                                const reha_onnx_entry **out);
/* Small constant vectors, of integers or of whole floats. */
REHA_MUST_USE reha_status reha_onnx_need_ints(const reha_onnx_op *op, size_t i, int64_t *out, int *count);
/* A constant float; `fallback` if the input is left out. */
REHA_MUST_USE reha_status reha_onnx_float_input(const reha_onnx_op *op, size_t i, float fallback, float *out);

/* Defines output 0 of the node. */
REHA_MUST_USE reha_status reha_onnx_set_value(const reha_onnx_op *op, reha_value_id value);
REHA_MUST_USE reha_status reha_onnx_set_ints(const reha_onnx_op *op, const int64_t *ints, int count,
                                             bool is_scalar);
REHA_MUST_USE reha_status reha_onnx_set_tensor(const reha_onnx_op *op, const Onnx__TensorProto *tensor,
                                               bool is_transposed);

/* Attributes. The vectors must have exactly `count` integers; absent ones give `fallback`. */
const Onnx__AttributeProto *reha_onnx_attribute(const reha_onnx_op *op, const char *name);
int64_t reha_onnx_int(const reha_onnx_op *op, const char *name, int64_t fallback);
float reha_onnx_float(const reha_onnx_op *op, const char *name, float fallback);
bool reha_onnx_is_text(const reha_onnx_op *op, const char *name, const char *text, bool if_absent);
REHA_MUST_USE reha_status reha_onnx_ints(const reha_onnx_op *op, const char *name, int count,
                                         int64_t fallback, int *out);

/* Another unique name, for operators that need two nodes. */
void reha_onnx_second_name(const reha_onnx_op *op, const char *suffix, char out[REHA_NN_NAME_BYTES]);
/* Passes on a builder's status; a shape that does not fit is the file's fault. */
reha_status reha_onnx_built(const reha_onnx_op *op, reha_status status);
/* Reads a constant into a parameter of `node`, transposing a matrix if asked. */
REHA_MUST_USE reha_status reha_onnx_fill(const reha_onnx_op *op, reha_value_id node, int which,
                                         const reha_onnx_entry *entry, bool is_transposed);

/* ---- onnx_ops.c, onnx_shape_ops.c ---- */

typedef reha_status (*reha_onnx_translate)(const reha_onnx_op *op);
/* NULL if the operator is not supported. */
reha_onnx_translate reha_onnx_find_layer(const char *op_type);
reha_onnx_translate reha_onnx_find_shape_op(const char *op_type);
/* Element-wise arithmetic of small integer vectors; *done false if the operands are others. */
REHA_MUST_USE reha_status reha_onnx_int_arithmetic(const reha_onnx_op *op, char what, bool *done);

#endif
