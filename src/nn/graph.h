/* The network as a plain graph: what ONNX files are read into and written from, what the reference
 * executes, and what the sessions (inference) and trainers compile for oneDNN.
 *
 * Layout at this level is NCHW, as in ONNX: [batch, channels, height, width] for images,
 * [batch, features] for vectors. Weights: convolution [out, in/groups, kh, kw], transposed
 * convolution [in, out/groups, kh, kw], fully connected [out, in]. The compilers turn activations
 * into nhwc themselves; nobody above this room sees that.
 *
 * A graph is built once, by reha_graph_add_* in topological order, and is then read only, except
 * for the values of its parameters. One thread at a time while building; any thread for reading. */
#ifndef REHA_NN_GRAPH_H
#define REHA_NN_GRAPH_H

#include "base/random.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REHA_NN_DIMS_MAX = 4, REHA_NN_INPUTS_MAX = 8, REHA_NN_NAME_BYTES = 96 };

typedef struct reha_shape {
    int rank;
    int64_t dims[REHA_NN_DIMS_MAX]; /* dims[0] is the batch; 1 in the graph, set when compiled */
} reha_shape;

size_t reha_shape_count(reha_shape shape);

typedef enum reha_op {
    REHA_OP_INPUT,
    REHA_OP_CONV,           /* grouped, depth-wise, dilated, strided; optional bias */
    REHA_OP_CONV_TRANSPOSE, /* optional bias */
    REHA_OP_BATCH_NORM,     /* scale, shift, running mean, running variance */
    REHA_OP_RELU,
    REHA_OP_RELU6,
    REHA_OP_SIGMOID,
    REHA_OP_SOFTMAX, /* over axis 1 */
    REHA_OP_ADD,
    REHA_OP_MUL,    /* same shape, or [n,c,1,1] with [n,c,h,w] */
    REHA_OP_CONCAT, /* axis 1 */
    REHA_OP_MAX_POOL,
    REHA_OP_AVERAGE_POOL,        /* padding not counted */
    REHA_OP_GLOBAL_AVERAGE_POOL, /* [n,c,h,w] -> [n,c,1,1] */
    REHA_OP_RESIZE_NEAREST,      /* asymmetric, floor, integer scale */
    REHA_OP_RESIZE_BILINEAR,     /* half-pixel centres, integer scale */
    REHA_OP_FULLY_CONNECTED,     /* [n,in] -> [n,out]; optional bias; ONNX Gemm */
    REHA_OP_FLATTEN,             /* [n,...] -> [n,product] */
    REHA_OP_DROPOUT,             /* identity at inference */
    REHA_OP_COUNT
} reha_op;

const char *reha_op_name(reha_op op); /* the ONNX operator type */

typedef struct reha_window { /* of convolutions and pools */
    int kernel_h, kernel_w;
    int stride_h, stride_w;
    int pad_top, pad_left, pad_bottom, pad_right;
    int dilation_h, dilation_w; /* 1 = dense */
} reha_window;

/* Square kernel, stride, symmetric padding, no dilation. */
reha_window reha_window_square(int kernel, int stride, int pad);

/* A trainable or fixed array of floats, owned by the graph. */
typedef struct reha_param {
    char name[REHA_NN_NAME_BYTES]; /* unique in the graph; the ONNX initialiser's name */
    reha_shape shape;              /* rank 1 to 4; dims[0] is no batch here */
    float *values;
    bool is_trainable;         /* false for running statistics and frozen weights */
    bool decays;               /* weight decay applies (weights yes; bias, batch-norm no) */
    float learning_rate_ratio; /* multiplies the trainer's rate; 1 by default */
} reha_param;

typedef int reha_value_id; /* the output of a node; also the node's index */

typedef struct reha_node {
    reha_op op;
    char name[REHA_NN_NAME_BYTES];
    int input_count;
    reha_value_id inputs[REHA_NN_INPUTS_MAX];
    reha_shape shape; /* of the output at batch 1 */
    reha_window window;
    int groups;
    int param_count;
    int params[4];        /* conv, fc: weight[, bias]; batch-norm: scale, shift, mean, variance */
    float epsilon;        /* batch-norm */
    bool is_frozen;       /* batch-norm: running statistics are used in training too */
    float ratio;          /* dropout probability */
    int scale_h, scale_w; /* resize */
} reha_node;

typedef struct reha_graph reha_graph;

REHA_MUST_USE reha_status reha_graph_new(const char *name, reha_graph **out, reha_error *err);
REHA_MUST_USE reha_status reha_graph_copy(const reha_graph *graph, reha_graph **out, reha_error *err);
void reha_graph_free(reha_graph *graph);

/* Builders return the new value in *out and check shapes (REHA_E_ARG names the node). `name` is
 * copied; parameters are called "<name>.weight", ".bias", ".scale", ".shift", ".mean",
 * ".variance". Weights start at zero, batch-norm as identity: call reha_graph_init_params or load. */
REHA_MUST_USE reha_status reha_graph_add_input(reha_graph *graph, const char *name, int channels, int height,
                                               int width, reha_value_id *out, reha_error *err);
REHA_MUST_USE reha_status reha_graph_add_conv(reha_graph *graph, const char *name, reha_value_id input,
                                              int out_channels, reha_window window, int groups,
                                              bool with_bias, reha_value_id *out, reha_error *err);
REHA_MUST_USE reha_status reha_graph_add_conv_transpose(reha_graph *graph, const char *name,
                                                        reha_value_id input, int out_channels,
                                                        reha_window window, bool with_bias,
                                                        reha_value_id *out, reha_error *err);
REHA_MUST_USE reha_status reha_graph_add_batch_norm(reha_graph *graph, const char *name, reha_value_id input,
                                                    float epsilon, reha_value_id *out, reha_error *err);
/* RELU, RELU6, SIGMOID, SOFTMAX, GLOBAL_AVERAGE_POOL, FLATTEN. */
REHA_MUST_USE reha_status reha_graph_add_unary(reha_graph *graph, const char *name, reha_op op,
                                               reha_value_id input, reha_value_id *out, reha_error *err);
/* ADD, MUL. */
REHA_MUST_USE reha_status reha_graph_add_binary(reha_graph *graph, const char *name, reha_op op,
                                                reha_value_id a, reha_value_id b, reha_value_id *out,
                                                reha_error *err);
REHA_MUST_USE reha_status reha_graph_add_concat(reha_graph *graph, const char *name,
                                                const reha_value_id *inputs, int count, reha_value_id *out,
                                                reha_error *err);
/* MAX_POOL, AVERAGE_POOL. */
REHA_MUST_USE reha_status reha_graph_add_pool(reha_graph *graph, const char *name, reha_op op,
                                              reha_value_id input, reha_window window, reha_value_id *out,
                                              reha_error *err);
/* RESIZE_NEAREST, RESIZE_BILINEAR. */
REHA_MUST_USE reha_status reha_graph_add_resize(reha_graph *graph, const char *name, reha_op op,
                                                reha_value_id input, int scale_h, int scale_w,
                                                reha_value_id *out, reha_error *err);
REHA_MUST_USE reha_status reha_graph_add_fully_connected(reha_graph *graph, const char *name,
                                                         reha_value_id input, int out_features,
                                                         reha_value_id *out, reha_error *err);
REHA_MUST_USE reha_status reha_graph_add_dropout(reha_graph *graph, const char *name, reha_value_id input,
                                                 float ratio, reha_value_id *out, reha_error *err);
/* Names a value as an output of the network, in order. */
REHA_MUST_USE reha_status reha_graph_mark_output(reha_graph *graph, reha_value_id value, const char *name,
                                                 reha_error *err);

int reha_graph_node_count(const reha_graph *graph);
const reha_node *reha_graph_node(const reha_graph *graph, int index);
reha_node *reha_graph_node_mutable(reha_graph *graph, int index); /* is_frozen, ratio */
int reha_graph_param_count(const reha_graph *graph);
const reha_param *reha_graph_param(const reha_graph *graph, int index);
reha_param *reha_graph_param_mutable(reha_graph *graph, int index);
int reha_graph_find_param(const reha_graph *graph, const char *name); /* -1 if absent */
int reha_graph_find_node(const reha_graph *graph, const char *name);  /* -1 if absent */
int reha_graph_input_count(const reha_graph *graph);
reha_value_id reha_graph_input(const reha_graph *graph, int index);
int reha_graph_output_count(const reha_graph *graph);
reha_value_id reha_graph_output(const reha_graph *graph, int index);
const char *reha_graph_output_name(const reha_graph *graph, int index);
const char *reha_graph_name(const reha_graph *graph);

/* He initialisation (fan in) for convolutions followed by ReLU, Glorot for fully connected;
 * biases 0. Only trainable weights are touched. */
void reha_graph_init_params(reha_graph *graph, reha_random *random);
/* Multiply-accumulates of one image, convolutions and fully connected layers only. */
double reha_graph_macs(const reha_graph *graph);

#endif
