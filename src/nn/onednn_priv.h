/* The one door to oneDNN. Everything that differs between oneDNN 2.x (Debian 12) and 3.x (Debian 13)
 * stays in onednn*.c: operation descriptors, memory descriptors by value, attributes, post-ops.
 * DNNL_ARG_*, data types and algorithm kinds are the same in both and are used directly.
 *
 * A context owns everything made through it (layouts, primitives, memories, calls); nothing is
 * freed one by one. One thread at a time per context. All primitives of a context share one
 * scratchpad. Activations are nhwc; logical dims are always [n, c, h, w] as in ONNX. */
#ifndef REHA_NN_ONEDNN_PRIV_H
#define REHA_NN_ONEDNN_PRIV_H

#include "nn/graph.h"

#include <oneapi/dnnl/dnnl.h>

typedef struct reha_dnn reha_dnn;             /* engine, stream, thread count, owner of the rest */
typedef struct reha_layout reha_layout;       /* memory descriptor, immutable */
typedef struct reha_primitive reha_primitive; /* compiled operator, immutable */
typedef struct reha_memory reha_memory;       /* layout + pointer to the data */
typedef struct reha_call reha_call;           /* primitive bound to memories, ready to run */

enum { REHA_DNN_DIMS_MAX = 5, REHA_DNN_ARGS_MAX = 16 };

/* threads 0: all processors. Primitives are tuned for the thread count at creation. */
REHA_MUST_USE reha_status reha_dnn_new(int threads, reha_dnn **out, reha_error *err);
void reha_dnn_free(reha_dnn *dnn);
int reha_dnn_threads(const reha_dnn *dnn);
/* Every function that creates primitives or runs calls must stand between these two: they set the
 * calling thread's OpenMP team size and put the old one back. Entering wakes the team's threads, each on a
 * processor of its own. */
int reha_dnn_enter(const reha_dnn *dnn);
void reha_dnn_leave(int token);
/* Bytes of allocated memories and of the scratchpad. */
size_t reha_dnn_memory_bytes(const reha_dnn *dnn);

typedef enum reha_order {
    REHA_ORDER_PLAIN,  /* row major in the logical order of dims: NCHW, OIHW, vectors */
    REHA_ORDER_NHWC,   /* rank 4 with channels innermost; other ranks: plain */
    REHA_ORDER_ANY,    /* the primitive chooses: ask reha_primitive_layout afterwards */
    REHA_ORDER_BLOCKED /* rank 4, f32: blocks of 16 channels, the last one padded with zeros (nChw16c) */
} reha_order;

REHA_MUST_USE reha_status reha_dnn_layout(reha_dnn *dnn, int rank, const int64_t *dims, dnnl_data_type_t type,
                                          reha_order order, const reha_layout **out, reha_error *err);
/* Strides in elements. */
REHA_MUST_USE reha_status reha_dnn_layout_strided(reha_dnn *dnn, int rank, const int64_t *dims,
                                                  dnnl_data_type_t type, const int64_t *strides,
                                                  const reha_layout **out, reha_error *err);
/* The sub-tensor of `dims` at `offsets` inside `parent` (for concat without copies). */
REHA_MUST_USE reha_status reha_dnn_layout_part(reha_dnn *dnn, const reha_layout *parent, const int64_t *dims,
                                               const int64_t *offsets, const reha_layout **out,
                                               reha_error *err);
size_t reha_layout_bytes(const reha_layout *layout);
bool reha_layout_equal(const reha_layout *a, const reha_layout *b);

/* data NULL: bound later by reha_memory_set_data, before the first run. Borrowed, 64 byte aligned. */
REHA_MUST_USE reha_status reha_dnn_memory(reha_dnn *dnn, const reha_layout *layout, void *data,
                                          reha_memory **out, reha_error *err);
/* Zeroed data owned by the context. */
REHA_MUST_USE reha_status reha_dnn_memory_alloc(reha_dnn *dnn, const reha_layout *layout, reha_memory **out,
                                                reha_error *err);
void reha_memory_set_data(reha_memory *memory, void *data);
void *reha_memory_data(const reha_memory *memory);
const reha_layout *reha_memory_layout(const reha_memory *memory);

/* ---- attributes ---- */

typedef enum reha_post_op_kind { REHA_POST_SUM, REHA_POST_ELTWISE, REHA_POST_BINARY } reha_post_op_kind;

typedef struct reha_post_op {
    reha_post_op_kind kind;
    dnnl_alg_kind_t algorithm; /* eltwise, binary */
    float alpha, beta;         /* eltwise */
    float scale;               /* sum: factor of the old destination; eltwise: factor of the result */
    dnnl_data_type_t sum_type; /* sum: type to read the destination as; dnnl_data_type_undef = its own */
    const reha_layout *layout; /* binary: second operand, passed as DNNL_ARG_ATTR_MULTIPLE_POST_OP(i) |
                                * DNNL_ARG_SRC_1 */
} reha_post_op;

enum { REHA_POST_OPS_MAX = 4 };

typedef struct reha_attr { /* {0} or NULL: none */
    int post_op_count;
    reha_post_op post_ops[REHA_POST_OPS_MAX];
    /* int8: result = scale * accumulator, before the post-ops. The bias is given in accumulator units. */
    const float *output_scales; /* NULL: none; borrowed during the call */
    int output_scale_count;     /* 1 or the number of output channels */
    int output_scale_mask;      /* 0, or 1 << axis */
    float src_scale[2];         /* binary: factor of each operand; 0 = 1 */
} reha_attr;

/* ---- primitives ---- */

typedef struct reha_conv_spec {
    int64_t batch, in_channels, in_h, in_w, out_channels, out_h, out_w;
    int groups;
    bool is_transposed; /* transposed convolution: groups must be 1 */
    bool with_bias;
    reha_window window;
    dnnl_data_type_t src_type, weights_type, bias_type, dst_type;
    bool is_blocked;                   /* source and destination in REHA_ORDER_BLOCKED ... */
    bool has_plain_src;                /* ... but the source (fewer than 16 channels) plain */
    bool allow_winograd;               /* where the engine has it (3x3, stride 1, blocked) */
    const reha_layout *weights_layout; /* preferred, so that weights can be shared; NULL: any */
} reha_conv_spec;

typedef enum reha_pass { REHA_PASS_INFERENCE, REHA_PASS_TRAINING } reha_pass;

/* Sources and destinations nhwc, weights ANY (see reha_primitive_layout(p, DNNL_ARG_WEIGHTS)).
 * The backward ones take the forward primitive made from the same spec; diffs have the types of
 * the forward tensors (diff weights: weights_type, diff bias: bias_type). */
REHA_MUST_USE reha_status reha_dnn_conv_forward(reha_dnn *dnn, const reha_conv_spec *spec, reha_pass pass,
                                                const reha_attr *attr, reha_primitive **out, reha_error *err);
REHA_MUST_USE reha_status reha_dnn_conv_backward_data(reha_dnn *dnn, const reha_conv_spec *spec,
                                                      const reha_primitive *forward, reha_primitive **out,
                                                      reha_error *err);
REHA_MUST_USE reha_status reha_dnn_conv_backward_weights(reha_dnn *dnn, const reha_conv_spec *spec,
                                                         const reha_primitive *forward, reha_primitive **out,
                                                         reha_error *err);
/* The layout in which the graph holds the weights of this convolution ([g,] o, i, h, w; transposed:
 * i, o, h, w in memory), for reorders into and out of the primitive's own. */
REHA_MUST_USE reha_status reha_dnn_conv_plain_weights(reha_dnn *dnn, const reha_conv_spec *spec,
                                                      dnnl_data_type_t type, const reha_layout **out,
                                                      reha_error *err);

typedef struct reha_pool_spec {
    dnnl_alg_kind_t algorithm; /* dnnl_pooling_max, dnnl_pooling_avg_exclude_padding */
    int64_t batch, channels, in_h, in_w, out_h, out_w;
    reha_window window;
    dnnl_data_type_t type;
    bool is_blocked;
} reha_pool_spec;
/* Training max pooling also writes DNNL_ARG_WORKSPACE (reha_primitive_layout tells its layout). */
REHA_MUST_USE reha_status reha_dnn_pool_forward(reha_dnn *dnn, const reha_pool_spec *spec, reha_pass pass,
                                                reha_primitive **out, reha_error *err);
REHA_MUST_USE reha_status reha_dnn_pool_backward(reha_dnn *dnn, const reha_pool_spec *spec,
                                                 const reha_primitive *forward, reha_primitive **out,
                                                 reha_error *err);

typedef struct reha_norm_spec {
    const reha_layout *layout;
    float epsilon;
    bool use_running; /* statistics are inputs */
    bool fuse_relu;   /* training: needs DNNL_ARG_WORKSPACE */
} reha_norm_spec;
/* Scale and shift are separate f32 vectors: DNNL_ARG_SCALE, DNNL_ARG_SHIFT. */
REHA_MUST_USE reha_status reha_dnn_norm_forward(reha_dnn *dnn, const reha_norm_spec *spec, reha_pass pass,
                                                reha_primitive **out, reha_error *err);
REHA_MUST_USE reha_status reha_dnn_norm_backward(reha_dnn *dnn, const reha_norm_spec *spec,
                                                 const reha_primitive *forward, bool with_params,
                                                 reha_primitive **out, reha_error *err);

REHA_MUST_USE reha_status reha_dnn_eltwise_forward(reha_dnn *dnn, dnnl_alg_kind_t algorithm,
                                                   const reha_layout *layout, float alpha, float beta,
                                                   reha_pass pass, reha_primitive **out, reha_error *err);
REHA_MUST_USE reha_status reha_dnn_eltwise_backward(reha_dnn *dnn, dnnl_alg_kind_t algorithm,
                                                    const reha_layout *layout, float alpha, float beta,
                                                    const reha_primitive *forward, reha_primitive **out,
                                                    reha_error *err);
REHA_MUST_USE reha_status reha_dnn_softmax_forward(reha_dnn *dnn, const reha_layout *src,
                                                   const reha_layout *dst, int axis, reha_pass pass,
                                                   reha_primitive **out, reha_error *err);
/* algorithm: dnnl_resampling_nearest or dnnl_resampling_linear (half-pixel centres in both). */
REHA_MUST_USE reha_status reha_dnn_resize_forward(reha_dnn *dnn, dnnl_alg_kind_t algorithm,
                                                  const reha_layout *src, const reha_layout *dst,
                                                  reha_pass pass, const reha_attr *attr, reha_primitive **out,
                                                  reha_error *err);
REHA_MUST_USE reha_status reha_dnn_resize_backward(reha_dnn *dnn, dnnl_alg_kind_t algorithm,
                                                   const reha_layout *diff_src, const reha_layout *diff_dst,
                                                   const reha_primitive *forward, reha_primitive **out,
                                                   reha_error *err);
/* [n, in] x [out, in] -> [n, out]. bias NULL: none. Weights may be ANY. Backward: the matching diffs. */
REHA_MUST_USE reha_status reha_dnn_fc_forward(reha_dnn *dnn, const reha_layout *src,
                                              const reha_layout *weights, const reha_layout *bias,
                                              const reha_layout *dst, reha_pass pass, const reha_attr *attr,
                                              reha_primitive **out, reha_error *err);
REHA_MUST_USE reha_status reha_dnn_fc_backward_data(reha_dnn *dnn, const reha_layout *diff_src,
                                                    const reha_layout *weights, const reha_layout *diff_dst,
                                                    const reha_primitive *forward, reha_primitive **out,
                                                    reha_error *err);
REHA_MUST_USE reha_status reha_dnn_fc_backward_weights(
    reha_dnn *dnn, const reha_layout *src, const reha_layout *diff_weights, const reha_layout *diff_bias,
    const reha_layout *diff_dst, const reha_primitive *forward, reha_primitive **out, reha_error *err);
/* Sources: DNNL_ARG_MULTIPLE_SRC + i. */
REHA_MUST_USE reha_status reha_dnn_concat(reha_dnn *dnn, int axis, int count, const reha_layout *const *srcs,
                                          const reha_layout *dst, reha_primitive **out, reha_error *err);
REHA_MUST_USE reha_status reha_dnn_sum(reha_dnn *dnn, int count, const float *scales,
                                       const reha_layout *const *srcs, const reha_layout *dst,
                                       reha_primitive **out, reha_error *err);
/* DNNL_ARG_SRC_0, DNNL_ARG_SRC_1 (may broadcast). */
REHA_MUST_USE reha_status reha_dnn_binary(reha_dnn *dnn, dnnl_alg_kind_t algorithm, const reha_layout *a,
                                          const reha_layout *b, const reha_layout *dst, const reha_attr *attr,
                                          reha_primitive **out, reha_error *err);
/* DNNL_ARG_FROM, DNNL_ARG_TO. */
REHA_MUST_USE reha_status reha_dnn_reorder(reha_dnn *dnn, const reha_layout *from, const reha_layout *to,
                                           const reha_attr *attr, reha_primitive **out, reha_error *err);

/* Layout of an argument (DNNL_ARG_*) as the primitive wants it; NULL if it has no such argument. */
const reha_layout *reha_primitive_layout(const reha_primitive *primitive, int arg);
/* "jit:avx512_core_bf16", "brgconv:...", ... Borrowed. */
const char *reha_primitive_implementation(const reha_primitive *primitive);
/* True for AVX-512, where the blocked order and Winograd convolutions exist. */
bool reha_dnn_has_blocked(void);
/* True for oneDNN's fallbacks, which are up to 1000 times slower. */
bool reha_primitive_is_reference(const reha_primitive *primitive);

/* ---- running ---- */

typedef struct reha_call_arg {
    int arg; /* DNNL_ARG_* */
    reha_memory *memory;
} reha_call_arg;

/* Binds; memories may get their data later. */
REHA_MUST_USE reha_status reha_dnn_call(reha_dnn *dnn, const reha_primitive *primitive,
                                        const reha_call_arg *args, int count, reha_call **out,
                                        reha_error *err);
REHA_MUST_USE reha_status reha_call_run(reha_call *call, reha_error *err);
const reha_primitive *reha_call_primitive(const reha_call *call);
/* One reorder between two memories, bound. */
REHA_MUST_USE reha_status reha_dnn_reorder_call(reha_dnn *dnn, reha_memory *from, reha_memory *to,
                                                reha_call **out, reha_error *err);

#endif
