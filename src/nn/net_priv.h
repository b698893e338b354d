/* A graph compiled for training or for exact gradients: the inside of reha_trainer and
 * reha_explainer. Forward keeps what the gradients will need, backward runs the layers in reverse
 * and skips everything below the lowest thing that wants a gradient.
 *
 * Buffers come from one pool and go back as soon as their last reader has run, in the forward pass
 * (frozen parts) as in the backward pass. The order of takes and returns is the same in every step,
 * so a dry run at creation allocates all there will ever be. One thread at a time. */
#ifndef REHA_NN_NET_PRIV_H
#define REHA_NN_NET_PRIV_H

#include "nn/graph.h"
#include "nn/kernels_priv.h"
#include "nn/onednn_priv.h"

typedef struct reha_buffer { /* of the pool */
    void *data;
    size_t bytes;
    int readers; /* 0: free */
} reha_buffer;

typedef struct reha_net_value { /* what a node puts out */
    int root;                   /* the value that really holds the data: itself, or the input of a node
                                 * that does nothing (flatten of a vector), or a node fused into another */
    int64_t n, c, h, w;         /* vectors: h = w = 1 */
    bool half;                  /* bf16 */
    bool wants_grad;
    bool is_output;
    int reads; /* how often a step reads the data, forward and backward */
    int reads_left;
    reha_buffer *data;
    reha_buffer *grad;
} reha_net_value;

typedef struct reha_net_param {
    char name[REHA_NN_NAME_BYTES];
    size_t count;
    size_t offset;       /* in `weights` */
    size_t train_offset; /* in `grads`; SIZE_MAX: not trained */
    bool decays;
    float learning_rate_ratio;
} reha_net_param;

typedef struct reha_layer {
    reha_node node;
    int inputs[REHA_NN_INPUTS_MAX]; /* roots */
    bool is_skipped;                /* does nothing by itself */
    bool wants_backward;
    bool trains;                    /* some parameter of its own is trainable */
    bool saves_input, saves_output; /* for the backward pass */
    reha_act act;                   /* fused behind batch-norm or add */

    /* convolution, fully connected, pooling */
    bool is_strided_1x1; /* computed as: take every stride-th pixel, then a dense 1x1 */
    reha_stride_shape stride;
    bool is_shuffle; /* transposed with kernel = stride: a dense 1x1, then its values move to their
                      * places (oneDNN's own bf16 kernel is many times slower) */
    float *own_weights, *own_bias, *own_weight_grads, *own_bias_grads; /* of that 1x1: [kh*kw*o][i] */
    reha_call *forward, *backward_data, *backward_weights;
    reha_memory *src, *dst, *diff_src, *diff_dst;
    reha_memory *weights, *weights_backward; /* own layout; may be the master itself */
    reha_call *load, *load_backward;         /* master -> own layout */
    reha_memory *diff_weights;
    reha_call *store; /* diff_weights -> grads */
    bool is_loaded;   /* weights are fresh: frozen ones are loaded once */
    reha_memory *workspace;
    reha_buffer *kept; /* workspace of max pooling; strided input; what else backward needs */
    size_t kept_bytes;

    /* batch-norm: [channels] each */
    float *mean, *variance; /* of the last batch */
    float *scale, *shift;   /* y = x * scale + shift */
    bool uses_running;
    uint64_t dropout_place;
} reha_layer;

typedef struct reha_net_options {
    int batch, threads;
    bool half;         /* bf16 activations and weight copies */
    bool training;     /* batch statistics and dropout; false: as at inference */
    int grad_value;    /* >= 0: compute the gradient of this node's output and keep its activation */
    bool train_params; /* false: no gradient of any parameter */
    float norm_momentum;
} reha_net_options;

typedef struct reha_net {
    reha_net_options options;
    reha_dnn *dnn;
    int threads;
    int layer_count;
    reha_layer *layers;
    reha_net_value *values;
    int param_count;
    reha_net_param *params;
    float *weights; /* all parameters, plain; each starts on a cache line */
    size_t weight_count;
    float *grads; /* trained parameters only */
    size_t grad_count;
    int input_count, output_count;
    int inputs[REHA_NN_INPUTS_MAX];
    int *outputs; /* roots */
    reha_buffer **pool;
    int pool_count, pool_capacity;
    size_t pool_bytes;
    double *partial; /* reductions: threads * 2 * widest */
    double *sums;    /* 2 * widest */
    float *factors;  /* 3 * widest */
    uint64_t dropout_seed;
    bool is_dry; /* takes and returns buffers only */
} reha_net;

REHA_MUST_USE reha_status reha_net_new(const reha_graph *graph, const reha_net_options *options,
                                       reha_net **out, reha_error *err);
void reha_net_free(reha_net *net);
size_t reha_net_memory_bytes(const reha_net *net);

/* Trainable weights have changed: their copies are made anew in the next forward pass. */
void reha_net_weights_changed(reha_net *net);
/* The same for all weights, frozen ones too. */
void reha_net_weights_restored(reha_net *net);
/* inputs: NCHW. dropout_seed: another one in each step. */
REHA_MUST_USE reha_status reha_net_forward(reha_net *net, const float *const *inputs, uint64_t dropout_seed,
                                           reha_error *err);
/* Output i as NCHW floats. */
void reha_net_read_output(const reha_net *net, int output, float *values);
size_t reha_net_output_count(const reha_net *net, int output); /* floats, whole batch */
/* output_grads[i]: NCHW or NULL for zero. Gradients of trained parameters land in net->grads. */
REHA_MUST_USE reha_status reha_net_backward(reha_net *net, const float *const *output_grads, reha_error *err);
/* running = (1 - m) * running + m * last batch's (variance unbiased), for batch-norms that train. */
void reha_net_update_running(reha_net *net);

/* ---- for the net_*.c files ---- */

REHA_MUST_USE reha_status reha_net_take(reha_net *net, size_t bytes, reha_buffer **out, reha_error *err);
void reha_net_drop(reha_buffer *buffer); /* one reader less; NULL is fine */
reha_span reha_value_span(const reha_net_value *value);
reha_span reha_grad_span(const reha_net_value *value);
int64_t reha_value_count(const reha_net_value *value);
size_t reha_value_bytes(const reha_net_value *value);
static inline int64_t reha_value_rows(const reha_net_value *value)
{
    return value->n * value->h * value->w;
}

/* Where a layer writes its share of the gradient of value `v`, for kernels that can add: *addend is
 * what is there already (data NULL: nothing). `donor`: a buffer of the same size that this layer is the
 * last to read and may be overwritten in place, or NULL. Afterwards the value's gradient is *out. */
REHA_MUST_USE reha_status reha_net_grad_target(reha_net *net, reha_net_value *v, reha_buffer *donor,
                                               reha_span *addend, reha_span *out, reha_error *err);
/* For primitives that cannot add: they write *scratch; then reha_net_grad_merge. */
REHA_MUST_USE reha_status reha_net_grad_scratch(reha_net *net, const reha_net_value *v, reha_buffer **scratch,
                                                reha_error *err);
void reha_net_grad_merge(reha_net *net, reha_net_value *v, reha_buffer *scratch);
/* The value's gradient is exactly this other value's gradient (sums of branches): shared, not copied. */
REHA_MUST_USE reha_status reha_net_grad_share(reha_net *net, reha_net_value *v, reha_buffer *grad,
                                              reha_error *err);

/* ---- net_shuffle.c: transposed convolutions as 1x1 convolutions ---- */

REHA_MUST_USE reha_status reha_shuffle_build(reha_net *net, int index, reha_error *err);
void reha_shuffle_load(reha_net *net, const reha_layer *layer);  /* weights -> own */
void reha_shuffle_store(reha_net *net, const reha_layer *layer); /* own gradients -> net->grads */
reha_shuffle_shape reha_shuffle_shape_of(const reha_net *net, int index);
size_t reha_shuffle_bytes(const reha_net *net, int index); /* of the 1x1's result */

/* Each operator: build (once), forward, backward. Forward finds its output buffer ready. */
typedef struct reha_layer_kind {
    reha_status (*build)(reha_net *net, int index, reha_error *err); /* NULL: nothing to build */
    reha_status (*forward)(reha_net *net, int index, reha_error *err);
    reha_status (*backward)(reha_net *net, int index, reha_error *err);
} reha_layer_kind;

extern const reha_layer_kind reha_layer_conv;
extern const reha_layer_kind reha_layer_fully_connected;
extern const reha_layer_kind reha_layer_pool;
extern const reha_layer_kind reha_layer_norm;
extern const reha_layer_kind reha_layer_activation;
extern const reha_layer_kind reha_layer_add;
extern const reha_layer_kind reha_layer_mul;
extern const reha_layer_kind reha_layer_softmax;
extern const reha_layer_kind reha_layer_concat;
extern const reha_layer_kind reha_layer_mean;
extern const reha_layer_kind reha_layer_resize;
extern const reha_layer_kind reha_layer_flatten;
extern const reha_layer_kind reha_layer_dropout;

#endif
