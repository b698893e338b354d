/* The inside of an inference session: the plan (what runs, in which order, on which memory) and its
 * translation into oneDNN calls for one batch size. */
#ifndef REHA_NN_SESSION_PRIV_H
#define REHA_NN_SESSION_PRIV_H

#include "nn/graph.h"
#include "nn/onednn_priv.h"
#include "nn/session.h"

/* ---- plan: independent of the batch size ---- */

typedef enum reha_step_kind {
    REHA_STEP_INPUT,   /* the caller's NCHW floats into nhwc */
    REHA_STEP_CONV,    /* also transposed ones written as 1x1 convolutions: see is_pointwise */
    REHA_STEP_SHUFFLE, /* second half of those: [h, w, (ky, kx, c)] to [h * ky, w * kx, c] */
    REHA_STEP_FULLY_CONNECTED,
    REHA_STEP_SCALE, /* per channel: x * scale + shift, then perhaps an activation */
    REHA_STEP_ADD,
    REHA_STEP_MUL,
    REHA_STEP_CONCAT,
    REHA_STEP_POOL,
    REHA_STEP_GLOBAL_POOL,
    REHA_STEP_RESIZE,
    REHA_STEP_SIGMOID,
    REHA_STEP_SOFTMAX,
    REHA_STEP_FLATTEN, /* nhwc to the plain order that the graph's vectors have */
    REHA_STEP_CONVERT, /* to another data type, or a private copy */
    REHA_STEP_OUTPUT   /* nhwc to the caller's NCHW floats */
} reha_step_kind;

typedef struct reha_tensor {
    reha_value_id value;             /* the graph's, for its calibrated range */
    int64_t channels, height, width; /* vectors: height = width = 1 */
    dnnl_data_type_t type;
    float scale;        /* real value = scale * stored value; 1 for floats */
    reha_order order;   /* NHWC; in blocked plans BLOCKED, or PLAIN for a picture */
    int buffer;         /* where it lives */
    int channel_offset; /* of a part of a concatenation inside its buffer */
    int channel_stride; /* channels of the whole buffer */
    int first, last;    /* steps that make it and use it last */
    int uses;
    bool is_output;
} reha_tensor;

typedef struct reha_buffer {
    size_t image_bytes; /* of one image */
    int first, last;
    size_t offset; /* in the arena, for the batch it was laid out for */
    bool is_used;
} reha_buffer;

enum { REHA_STEP_POSTS_MAX = 3 };

typedef struct reha_step {
    reha_step_kind kind;
    int node;      /* the graph's, for window, groups and parameters */
    int norm_node; /* batch-norm folded in, or -1 */
    int order;     /* index of the last graph node fused in */
    int input_count;
    int inputs[REHA_NN_INPUTS_MAX]; /* values while fusing, then tensors */
    int output;
    int post_count;
    reha_op posts[REHA_STEP_POSTS_MAX]; /* RELU, RELU6, SIGMOID, or ADD of the last input */
    bool is_pointwise;
    int port; /* index of the graph's input or output */
} reha_step;

typedef struct reha_plan {
    const reha_graph *graph; /* borrowed: for the time of building only */
    reha_precision precision;
    bool is_blocked;              /* f32 in blocks of 16 channels, for Winograd's 3x3 convolutions */
    dnnl_data_type_t vector_type; /* of fully connected layers: f32 or bf16 */
    reha_step *steps;
    int step_count, step_capacity;
    reha_tensor *tensors;
    int tensor_count, tensor_capacity;
    reha_buffer *buffers;
    int buffer_count;
} reha_plan;

struct reha_calibration;

/* is_blocked: only with REHA_F32. */
REHA_MUST_USE reha_status reha_plan_new(const reha_graph *graph, reha_precision precision, bool is_blocked,
                                        const struct reha_calibration *calibration, reha_plan **out,
                                        reha_error *err);
void reha_plan_free(reha_plan *plan);
/* Lays the buffers out for a batch; returns the size of the arena. */
size_t reha_plan_arrange(reha_plan *plan, int batch);
bool reha_step_has_add(const reha_step *step);

/* session_types.c: data types, scales, conversions; session_memory.c: buffers and views. */
REHA_MUST_USE reha_status reha_plan_assign_types(reha_plan *plan, const struct reha_calibration *calibration,
                                                 reha_error *err);
REHA_MUST_USE reha_status reha_plan_assign_buffers(reha_plan *plan, reha_error *err);
/* Inserts before step `at` a conversion of `tensor` and returns the new tensor in *out. */
typedef struct reha_quantity { /* how the numbers of a tensor are stored */
    dnnl_data_type_t type;
    float scale;
    reha_order order;
} reha_quantity;
REHA_MUST_USE reha_status reha_plan_insert_convert(reha_plan *plan, int at, int tensor,
                                                   reha_quantity quantity, int *out, reha_error *err);
void reha_plan_count_uses(reha_plan *plan);

/* ---- program: a plan compiled for one batch size ---- */

typedef struct reha_op_run reha_op_run;
typedef void (*reha_kernel)(const reha_op_run *run);

struct reha_op_run {
    reha_call *call;    /* oneDNN, or ... */
    reha_kernel kernel; /* ... our own */
    int step;
    const char *implementation;
    reha_memory *user; /* input and output steps: the caller's array is bound here */
    int port;          /* index of the graph's input or output, or -1 */
    bool is_output;
    /* our own kernels */
    const void *src;
    void *dst;
    dnnl_data_type_t src_type, dst_type;
    int64_t batch, height, width, channels;
    int64_t src_stride, dst_stride; /* bytes from pixel to pixel */
    int window_h, window_w;
    float scale;
    /* result of the step, for calibration; value is -1 if this is not its last operator */
    reha_value_id value;
    const void *result;
    int64_t result_pixels, result_channels, result_stride; /* in numbers */
};

typedef struct reha_program {
    int batch;
    reha_op_run *runs;
    int run_count, run_capacity;
} reha_program;

typedef struct reha_step_weights { /* re-ordered once, shared by the programs where layouts agree */
    reha_memory *weights, *bias;
} reha_step_weights;

typedef struct reha_builder {
    reha_dnn *dnn;
    const reha_plan *plan;
    uint8_t *arena;
    reha_step_weights *weights; /* one per step */
    reha_program *program;
    int step;
} reha_builder;

REHA_MUST_USE reha_status reha_program_build(reha_builder *builder, reha_error *err);
void reha_program_clear(reha_program *program);

typedef void (*reha_observe)(void *context, reha_value_id value, const float *values, int64_t pixels,
                             int64_t channels, int64_t stride);
/* As reha_session_new, but with nhwc throughout, as the observer below expects it. */
REHA_MUST_USE reha_status reha_session_new_nhwc(const reha_graph *graph, const reha_session_options *options,
                                                reha_session **out, reha_error *err);
/* Runs images and shows the result of every step while it is there. */
REHA_MUST_USE reha_status reha_session_observe(reha_session *session, int batch, const float *const *inputs,
                                               float *const *outputs, reha_observe observe, void *context,
                                               reha_error *err);

/* session_conv.c */
REHA_MUST_USE reha_status reha_build_conv(reha_builder *builder, reha_error *err);
REHA_MUST_USE reha_status reha_build_fully_connected(reha_builder *builder, reha_error *err);
/* session_build.c, for session_conv.c */
REHA_MUST_USE reha_status reha_build_layout(reha_builder *builder, int tensor, const reha_layout **out,
                                            reha_error *err);
REHA_MUST_USE reha_status reha_build_memory(reha_builder *builder, int tensor, reha_memory **out,
                                            reha_error *err);
REHA_MUST_USE reha_status reha_build_call(reha_builder *builder, const reha_primitive *primitive,
                                          const reha_call_arg *args, int count, reha_error *err);
REHA_MUST_USE reha_status reha_build_posts(const reha_builder *builder, float unit, reha_attr *attr,
                                           reha_error *err);

/* session_kernels.c */
void reha_kernel_copy(const reha_op_run *run);
void reha_kernel_shuffle(const reha_op_run *run);
/* The same for blocks of 16 channels: strides are channels, src and dst begin at the first image. */
void reha_kernel_copy_blocked(const reha_op_run *run);
void reha_kernel_shuffle_blocked(const reha_op_run *run);
void reha_kernel_global_pool_blocked(const reha_op_run *run);
void reha_kernel_global_pool(const reha_op_run *run);

/* session_weights.c: weights with the batch-norm folded in, in the graph's order (transposed ones as
 * 1x1: [kh * kw * out, in, 1, 1]); both allocated, bias never NULL. */
typedef struct reha_folded {
    float *weights, *bias;
    int64_t out_channels; /* of the primitive */
    size_t count;         /* of weights */
} reha_folded;
REHA_MUST_USE reha_status reha_fold_weights(const reha_plan *plan, const reha_step *step, reha_folded *out,
                                            reha_error *err);
void reha_folded_clear(reha_folded *folded);
/* Signed 8-bit weights with one scale per output channel: scales[o] = largest magnitude / 127. */
void reha_quantize_weights(const float *weights, int64_t out_channels, size_t per_channel, int8_t *out,
                           float *scales);

#endif
