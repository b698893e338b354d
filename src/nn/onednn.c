/* oneDNN 2.x behind onednn_priv.h. Port to 3.x: this file only (see the notes marked "3.x"). */
#include "nn/onednn_priv.h"

#include "base/memory.h"
#include "nn/session.h"

#include <omp.h>
#include <string.h>

#if DNNL_VERSION_MAJOR != 2
#error "written for oneDNN 2.x; 3.x drops operation descriptors: see reference in docs/adr"
#endif

typedef enum owned_kind { OWNED_BLOCK, OWNED_PRIMITIVE, OWNED_MEMORY } owned_kind;

typedef struct owned {
    owned_kind kind;
    void *item;
} owned;

struct reha_dnn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int threads;
    owned *items;
    size_t item_count, item_capacity;
    size_t data_bytes;
    void *scratch;
    size_t scratch_bytes, scratch_wanted_bytes;
};

struct reha_primitive {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t handle;
};

struct reha_memory {
    dnnl_memory_t handle;
    const reha_layout *layout;
    void *data;
    bool owns_data;
};

struct reha_call {
    reha_dnn *dnn;
    const reha_primitive *primitive;
    reha_memory *scratch; /* NULL: needs none */
    int count;
    dnnl_exec_arg_t args[REHA_DNN_ARGS_MAX];
};

/* In 2.x a layout is a heap copy of the descriptor, or the one inside a primitive descriptor; in 3.x
 * it would be the opaque handle itself. Either way it is only ever seen through this cast. */
static const dnnl_memory_desc_t *md_of(const reha_layout *layout)
{
    return (const dnnl_memory_desc_t *)(const void *)layout;
}

static reha_status check(dnnl_status_t code, const char *what, reha_error *err)
{
    switch (code) {
    case dnnl_success:
        return REHA_OK;
    case dnnl_out_of_memory:
        return reha_fail(err, REHA_E_NOMEM, "out of memory in the network engine (%s)", what);
    case dnnl_unimplemented:
        return reha_fail(err, REHA_E_UNSUPPORTED, "the network engine has no implementation of %s here",
                         what);
    default:
        return reha_fail(err, REHA_E_INTERNAL, "the network engine refused %s (status %d)", what, (int)code);
    }
}

static reha_status out_of_memory(reha_error *err)
{
    return reha_fail(err, REHA_E_NOMEM, "out of memory in the network engine");
}

static void destroy(owned entry)
{
    if (entry.kind == OWNED_PRIMITIVE) {
        reha_primitive *primitive = entry.item;
        dnnl_primitive_destroy(primitive->handle);
        dnnl_primitive_desc_destroy(primitive->desc);
    } else if (entry.kind == OWNED_MEMORY) {
        reha_memory *memory = entry.item;
        dnnl_memory_destroy(memory->handle);
        if (memory->owns_data) {
            reha_free(memory->data);
        }
    }
    reha_free(entry.item);
}

/* The context takes the item, or destroys it at once when the list cannot grow. */
static reha_status own(reha_dnn *dnn, owned_kind kind, void *item, reha_error *err)
{
    if (dnn->item_count == dnn->item_capacity) {
        const size_t capacity = dnn->item_capacity == 0 ? 64 : 2 * dnn->item_capacity;
        owned *items = reha_realloc(dnn->items, capacity * sizeof *items);
        if (items == NULL) {
            destroy((owned){kind, item});
            return out_of_memory(err);
        }
        dnn->items = items;
        dnn->item_capacity = capacity;
    }
    dnn->items[dnn->item_count++] = (owned){kind, item};
    return REHA_OK;
}

reha_status reha_dnn_new(int threads, reha_dnn **out, reha_error *err)
{
    reha_status status;
    reha_dnn *dnn = NULL;

    *out = NULL;
    if (threads < 0 || threads > 1024) {
        return reha_fail(err, REHA_E_ARG, "%d threads: expected 0 to 1024", threads);
    }
    dnn = reha_alloc_zero(1, sizeof *dnn);
    if (dnn == NULL) {
        return out_of_memory(err);
    }
    dnn->threads = threads > 0 ? threads : omp_get_num_procs();
    REHA_CHECK(check(dnnl_engine_create(&dnn->engine, dnnl_cpu, 0), "a CPU engine", err));
    REHA_CHECK(
        check(dnnl_stream_create(&dnn->stream, dnn->engine, dnnl_stream_default_flags), "a stream", err));
    *out = dnn;
    dnn = NULL;
done:
    reha_dnn_free(dnn);
    return status;
}

void reha_dnn_free(reha_dnn *dnn)
{
    if (dnn == NULL) {
        return;
    }
    for (size_t i = dnn->item_count; i > 0; i--) {
        destroy(dnn->items[i - 1]);
    }
    if (dnn->stream != NULL) {
        dnnl_stream_destroy(dnn->stream);
    }
    if (dnn->engine != NULL) {
        dnnl_engine_destroy(dnn->engine);
    }
    reha_free(dnn->scratch);
    reha_free(dnn->items);
    reha_free(dnn);
}

int reha_dnn_threads(const reha_dnn *dnn)
{
    return dnn->threads;
}

int reha_dnn_enter(const reha_dnn *dnn)
{
    const int token = omp_get_max_threads();
    if (token != dnn->threads) {
        omp_set_num_threads(dnn->threads);
    }
    return token;
}

void reha_dnn_leave(int token)
{
    if (token != omp_get_max_threads()) {
        omp_set_num_threads(token);
    }
}

size_t reha_dnn_memory_bytes(const reha_dnn *dnn)
{
    const size_t scratch =
        dnn->scratch_bytes > dnn->scratch_wanted_bytes ? dnn->scratch_bytes : dnn->scratch_wanted_bytes;
    return dnn->data_bytes + scratch;
}

/* ---- layouts and memories ---- */

static reha_status own_layout(reha_dnn *dnn, const dnnl_memory_desc_t *md, const reha_layout **out,
                              reha_error *err)
{
    dnnl_memory_desc_t *copy = reha_alloc(sizeof *copy);

    *out = NULL;
    if (copy == NULL) {
        return out_of_memory(err);
    }
    *copy = *md;
    REHA_TRY(own(dnn, OWNED_BLOCK, copy, err));
    *out = (const reha_layout *)(const void *)copy;
    return REHA_OK;
}

/* oneDNN declares its dims as arrays of 12 whatever the rank. */
static void copy_dims(int rank, const int64_t *dims, dnnl_dims_t out)
{
    memset(out, 0, sizeof(dnnl_dims_t));
    memcpy(out, dims, (size_t)rank * sizeof *dims);
}

static reha_status make_md(int rank, const int64_t *dims, dnnl_data_type_t type, reha_order order,
                           dnnl_memory_desc_t *out, reha_error *err)
{
    static const dnnl_format_tag_t plain[] = {
        dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde};
    dnnl_format_tag_t tag = dnnl_format_tag_any;
    dnnl_dims_t full;

    if (rank < 1 || rank > REHA_DNN_DIMS_MAX) {
        return reha_fail(err, REHA_E_INTERNAL, "a tensor of rank %d", rank);
    }
    if (order == REHA_ORDER_PLAIN || (order == REHA_ORDER_NHWC && rank != 4)) {
        tag = plain[rank];
    } else if (order == REHA_ORDER_NHWC) {
        tag = dnnl_acdb;
    } else if (order == REHA_ORDER_BLOCKED) {
        tag = dnnl_aBcd16b;
    }
    copy_dims(rank, dims, full);
    return check(dnnl_memory_desc_init_by_tag(out, rank, full, type, tag), "a tensor shape", err);
}

reha_status reha_dnn_layout(reha_dnn *dnn, int rank, const int64_t *dims, dnnl_data_type_t type,
                            reha_order order, const reha_layout **out, reha_error *err)
{
    dnnl_memory_desc_t md;
    *out = NULL;
    REHA_TRY(make_md(rank, dims, type, order, &md, err));
    return own_layout(dnn, &md, out, err);
}

reha_status reha_dnn_layout_strided(reha_dnn *dnn, int rank, const int64_t *dims, dnnl_data_type_t type,
                                    const int64_t *strides, const reha_layout **out, reha_error *err)
{
    dnnl_memory_desc_t md;
    dnnl_dims_t full_dims, full_strides;

    *out = NULL;
    if (rank < 1 || rank > REHA_DNN_DIMS_MAX) {
        return reha_fail(err, REHA_E_INTERNAL, "a tensor of rank %d", rank);
    }
    copy_dims(rank, dims, full_dims);
    copy_dims(rank, strides, full_strides);
    REHA_TRY(check(dnnl_memory_desc_init_by_strides(&md, rank, full_dims, type, full_strides),
                   "a tensor layout", err));
    return own_layout(dnn, &md, out, err);
}

reha_status reha_dnn_layout_part(reha_dnn *dnn, const reha_layout *parent, const int64_t *dims,
                                 const int64_t *offsets, const reha_layout **out, reha_error *err)
{
    const int rank = md_of(parent)->ndims;
    dnnl_memory_desc_t md;
    dnnl_dims_t full_dims, full_offsets;

    *out = NULL;
    copy_dims(rank, dims, full_dims);
    copy_dims(rank, offsets, full_offsets);
    REHA_TRY(check(dnnl_memory_desc_init_submemory(&md, md_of(parent), full_dims, full_offsets),
                   "a part of a tensor", err));
    return own_layout(dnn, &md, out, err);
}

size_t reha_layout_bytes(const reha_layout *layout)
{
    return dnnl_memory_desc_get_size(md_of(layout));
}

bool reha_layout_equal(const reha_layout *a, const reha_layout *b)
{
    return dnnl_memory_desc_equal(md_of(a), md_of(b)) != 0;
}

reha_status reha_dnn_memory(reha_dnn *dnn, const reha_layout *layout, void *data, reha_memory **out,
                            reha_error *err)
{
    reha_status status;
    reha_memory *memory = reha_alloc_zero(1, sizeof *memory);

    *out = NULL;
    if (memory == NULL) {
        return out_of_memory(err);
    }
    memory->layout = layout;
    memory->data = data;
    status = check(dnnl_memory_create(&memory->handle, md_of(layout), dnn->engine,
                                      data != NULL ? data : DNNL_MEMORY_NONE),
                   "a memory object", err);
    if (status != REHA_OK) {
        reha_free(memory);
        return status;
    }
    REHA_TRY(own(dnn, OWNED_MEMORY, memory, err));
    *out = memory;
    return REHA_OK;
}

reha_status reha_dnn_memory_alloc(reha_dnn *dnn, const reha_layout *layout, reha_memory **out,
                                  reha_error *err)
{
    const size_t bytes = reha_layout_bytes(layout);

    REHA_TRY(reha_dnn_memory(dnn, layout, NULL, out, err));
    (*out)->data = reha_alloc_aligned(bytes);
    if ((*out)->data == NULL) {
        *out = NULL;
        return out_of_memory(err);
    }
    (*out)->owns_data = true;
    memset((*out)->data, 0, bytes);
    dnn->data_bytes += bytes;
    return check(dnnl_memory_set_data_handle((*out)->handle, (*out)->data), "a memory handle", err);
}

void reha_memory_set_data(reha_memory *memory, void *data)
{
    if (memory->data != data) {
        memory->data = data;
        (void)dnnl_memory_set_data_handle(memory->handle, data);
    }
}

void *reha_memory_data(const reha_memory *memory)
{
    return memory->data;
}

const reha_layout *reha_memory_layout(const reha_memory *memory)
{
    return memory->layout;
}

/* ---- attributes ---- */

static reha_status add_post_op(dnnl_post_ops_t ops, const reha_post_op *op, reha_error *err)
{
    dnnl_status_t code = dnnl_invalid_arguments;

    if (op->kind == REHA_POST_SUM) {
        code = dnnl_post_ops_append_sum_v2(ops, op->scale, op->sum_type);
    } else if (op->kind == REHA_POST_ELTWISE) { /* 3.x: no scale: append a linear one when it is not 1 */
        code = dnnl_post_ops_append_eltwise(ops, op->scale, op->algorithm, op->alpha, op->beta);
    } else if (op->kind == REHA_POST_BINARY) {
        code = dnnl_post_ops_append_binary(ops, op->algorithm, md_of(op->layout));
    }
    return check(code, "a fused operation", err);
}

/* *out always gets an attribute with a user scratchpad, so that one buffer serves all primitives. */
static reha_status make_attr(const reha_attr *attr, dnnl_primitive_attr_t *out, reha_error *err)
{
    reha_status status;
    dnnl_primitive_attr_t made = NULL;
    dnnl_post_ops_t ops = NULL;

    REHA_CHECK(check(dnnl_primitive_attr_create(&made), "attributes", err));
    REHA_CHECK(
        check(dnnl_primitive_attr_set_scratchpad_mode(made, dnnl_scratchpad_mode_user), "a scratchpad", err));
    if (attr != NULL && attr->output_scales != NULL) { /* 3.x: run-time scales */
        REHA_CHECK(check(dnnl_primitive_attr_set_output_scales(made, attr->output_scale_count,
                                                               attr->output_scale_mask, attr->output_scales),
                         "output scales", err));
    }
    for (int i = 0; attr != NULL && i < 2; i++) {
        if (attr->src_scale[i] != 0.0F && attr->src_scale[i] != 1.0F) {
            REHA_CHECK(check(dnnl_primitive_attr_set_scales(made, i == 0 ? DNNL_ARG_SRC_0 : DNNL_ARG_SRC_1, 1,
                                                            0, &attr->src_scale[i]),
                             "source scales", err));
        }
    }
    if (attr != NULL && attr->post_op_count > 0) {
        REHA_CHECK(check(dnnl_post_ops_create(&ops), "fused operations", err));
        for (int i = 0; i < attr->post_op_count; i++) {
            REHA_CHECK(add_post_op(ops, &attr->post_ops[i], err));
        }
        REHA_CHECK(check(dnnl_primitive_attr_set_post_ops(made, ops), "fused operations", err));
    }
    *out = made;
    made = NULL;
done:
    if (ops != NULL) {
        dnnl_post_ops_destroy(ops);
    }
    if (made != NULL) {
        dnnl_primitive_attr_destroy(made);
    }
    return status;
}

/* ---- primitives ---- */

/* Takes `desc`. */
static reha_status own_primitive(reha_dnn *dnn, dnnl_primitive_desc_t desc, const char *what,
                                 reha_primitive **out, reha_error *err)
{
    reha_status status;
    size_t scratch_bytes;
    reha_primitive *primitive = reha_alloc_zero(1, sizeof *primitive);

    if (primitive == NULL) {
        dnnl_primitive_desc_destroy(desc);
        return out_of_memory(err);
    }
    primitive->desc = desc;
    status = check(dnnl_primitive_create(&primitive->handle, desc), what, err);
    if (status != REHA_OK) {
        dnnl_primitive_desc_destroy(desc);
        reha_free(primitive);
        return status;
    }
    scratch_bytes =
        dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0));
    if (scratch_bytes > dnn->scratch_wanted_bytes) {
        dnn->scratch_wanted_bytes = scratch_bytes;
    }
    REHA_TRY(own(dnn, OWNED_PRIMITIVE, primitive, err));
    *out = primitive;
    return REHA_OK;
}

static reha_status make_primitive(reha_dnn *dnn, const_dnnl_op_desc_t op, const reha_attr *attr,
                                  const reha_primitive *hint, const char *what, reha_primitive **out,
                                  reha_error *err)
{
    reha_status status;
    dnnl_primitive_attr_t made = NULL;
    dnnl_primitive_desc_t desc = NULL;

    *out = NULL;
    REHA_TRY(make_attr(attr, &made, err));
    status = check(dnnl_primitive_desc_create(&desc, op, made, dnn->engine, hint != NULL ? hint->desc : NULL),
                   what, err);
    dnnl_primitive_attr_destroy(made);
    REHA_TRY(status);
    return own_primitive(dnn, desc, what, out, err);
}

static dnnl_prop_kind_t forward_kind(reha_pass pass)
{
    return pass == REHA_PASS_TRAINING ? dnnl_forward_training : dnnl_forward_inference;
}

/* Windows as oneDNN wants them: a dilation of 0 is dense. */
typedef struct window_dims {
    dnnl_dims_t kernel, stride, dilation, pad_low, pad_high;
} window_dims;

static window_dims to_dims(const reha_window *window)
{
    const window_dims dims = {.kernel = {window->kernel_h, window->kernel_w},
                              .stride = {window->stride_h, window->stride_w},
                              .dilation = {window->dilation_h - 1, window->dilation_w - 1},
                              .pad_low = {window->pad_top, window->pad_left},
                              .pad_high = {window->pad_bottom, window->pad_right}};
    return dims;
}

typedef struct conv_mds {
    dnnl_memory_desc_t src, weights, bias, dst;
    const dnnl_memory_desc_t *bias_or_null;
    window_dims window;
} conv_mds;

static int weight_dims(const reha_conv_spec *spec, int64_t *dims)
{
    const int64_t kernel[2] = {spec->window.kernel_h, spec->window.kernel_w};
    int rank = 0;
    if (spec->groups > 1) {
        dims[rank++] = spec->groups;
    }
    dims[rank++] = spec->out_channels / spec->groups;
    dims[rank++] = spec->in_channels / spec->groups;
    dims[rank++] = kernel[0];
    dims[rank++] = kernel[1];
    return rank;
}

static reha_status make_conv_mds(const reha_conv_spec *spec, conv_mds *out, reha_error *err)
{
    const int64_t src[4] = {spec->batch, spec->in_channels, spec->in_h, spec->in_w};
    const int64_t dst[4] = {spec->batch, spec->out_channels, spec->out_h, spec->out_w};
    int64_t weights[5];
    const int weights_rank = weight_dims(spec, weights);

    const reha_order dst_order = spec->is_blocked ? REHA_ORDER_BLOCKED : REHA_ORDER_NHWC;
    const reha_order src_order = spec->has_plain_src ? REHA_ORDER_PLAIN : dst_order;

    REHA_TRY(make_md(4, src, spec->src_type, src_order, &out->src, err));
    REHA_TRY(make_md(weights_rank, weights, spec->weights_type, REHA_ORDER_ANY, &out->weights, err));
    if (spec->weights_layout != NULL) {
        out->weights = *md_of(spec->weights_layout);
    }
    REHA_TRY(make_md(4, dst, spec->dst_type, dst_order, &out->dst, err));
    out->bias_or_null = NULL;
    if (spec->with_bias) {
        REHA_TRY(make_md(1, &spec->out_channels, spec->bias_type, REHA_ORDER_PLAIN, &out->bias, err));
        out->bias_or_null = &out->bias;
    }
    out->window = to_dims(&spec->window);
    return REHA_OK;
}

reha_status reha_dnn_conv_forward(reha_dnn *dnn, const reha_conv_spec *spec, reha_pass pass,
                                  const reha_attr *attr, reha_primitive **out, reha_error *err)
{
    const char *what = spec->is_transposed ? "transposed convolution" : "convolution";
    dnnl_convolution_desc_t op;
    conv_mds m;
    dnnl_status_t code;

    *out = NULL;
    REHA_TRY(make_conv_mds(spec, &m, err));
    if (spec->allow_winograd && spec->is_blocked && !spec->is_transposed) {
        code = dnnl_dilated_convolution_forward_desc_init(
            &op, forward_kind(pass), dnnl_convolution_winograd, &m.src, &m.weights, m.bias_or_null, &m.dst,
            m.window.stride, m.window.dilation, m.window.pad_low, m.window.pad_high);
        if (code == dnnl_success && make_primitive(dnn, &op, attr, NULL, what, out, NULL) == REHA_OK) {
            return REHA_OK; /* else directly */
        }
    }
    if (spec->is_transposed) {
        code = dnnl_dilated_deconvolution_forward_desc_init(
            &op, forward_kind(pass), dnnl_deconvolution_direct, &m.src, &m.weights, m.bias_or_null, &m.dst,
            m.window.stride, m.window.dilation, m.window.pad_low, m.window.pad_high);
    } else {
        code = dnnl_dilated_convolution_forward_desc_init(
            &op, forward_kind(pass), dnnl_convolution_direct, &m.src, &m.weights, m.bias_or_null, &m.dst,
            m.window.stride, m.window.dilation, m.window.pad_low, m.window.pad_high);
    }
    REHA_TRY(check(code, what, err));
    return make_primitive(dnn, &op, attr, NULL, what, out, err);
}

reha_status reha_dnn_conv_backward_data(reha_dnn *dnn, const reha_conv_spec *spec,
                                        const reha_primitive *forward, reha_primitive **out, reha_error *err)
{
    dnnl_convolution_desc_t op;
    conv_mds m;
    dnnl_status_t code;

    *out = NULL;
    REHA_TRY(make_conv_mds(spec, &m, err));
    if (spec->is_transposed) {
        code = dnnl_dilated_deconvolution_backward_data_desc_init(
            &op, dnnl_deconvolution_direct, &m.src, &m.weights, &m.dst, m.window.stride, m.window.dilation,
            m.window.pad_low, m.window.pad_high);
    } else {
        code = dnnl_dilated_convolution_backward_data_desc_init(
            &op, dnnl_convolution_direct, &m.src, &m.weights, &m.dst, m.window.stride, m.window.dilation,
            m.window.pad_low, m.window.pad_high);
    }
    REHA_TRY(check(code, "the gradient of a convolution's input", err));
    return make_primitive(dnn, &op, NULL, forward, "the gradient of a convolution's input", out, err);
}

reha_status reha_dnn_conv_backward_weights(reha_dnn *dnn, const reha_conv_spec *spec,
                                           const reha_primitive *forward, reha_primitive **out,
                                           reha_error *err)
{
    dnnl_convolution_desc_t op;
    conv_mds m;
    dnnl_status_t code;

    *out = NULL;
    REHA_TRY(make_conv_mds(spec, &m, err));
    if (spec->is_transposed) {
        code = dnnl_dilated_deconvolution_backward_weights_desc_init(
            &op, dnnl_deconvolution_direct, &m.src, &m.weights, m.bias_or_null, &m.dst, m.window.stride,
            m.window.dilation, m.window.pad_low, m.window.pad_high);
    } else {
        code = dnnl_dilated_convolution_backward_weights_desc_init(
            &op, dnnl_convolution_direct, &m.src, &m.weights, m.bias_or_null, &m.dst, m.window.stride,
            m.window.dilation, m.window.pad_low, m.window.pad_high);
    }
    REHA_TRY(check(code, "the gradient of a convolution's weights", err));
    return make_primitive(dnn, &op, NULL, forward, "the gradient of a convolution's weights", out, err);
}

reha_status reha_dnn_conv_plain_weights(reha_dnn *dnn, const reha_conv_spec *spec, dnnl_data_type_t type,
                                        const reha_layout **out, reha_error *err)
{
    int64_t dims[5];
    const int rank = weight_dims(spec, dims);

    if (spec->is_transposed) { /* logical [o, i, h, w], in memory i, o, h, w */
        const int64_t area = dims[2] * dims[3];
        const int64_t strides[4] = {area, dims[0] * area, dims[3], 1};
        return reha_dnn_layout_strided(dnn, rank, dims, type, strides, out, err);
    }
    return reha_dnn_layout(dnn, rank, dims, type, REHA_ORDER_PLAIN, out, err);
}

static reha_status pool_mds(const reha_pool_spec *spec, dnnl_memory_desc_t *src, dnnl_memory_desc_t *dst,
                            reha_error *err)
{
    const int64_t in[4] = {spec->batch, spec->channels, spec->in_h, spec->in_w};
    const int64_t result[4] = {spec->batch, spec->channels, spec->out_h, spec->out_w};
    const reha_order order = spec->is_blocked ? REHA_ORDER_BLOCKED : REHA_ORDER_NHWC;
    REHA_TRY(make_md(4, in, spec->type, order, src, err));
    return make_md(4, result, spec->type, order, dst, err);
}

reha_status reha_dnn_pool_forward(reha_dnn *dnn, const reha_pool_spec *spec, reha_pass pass,
                                  reha_primitive **out, reha_error *err)
{
    const window_dims window = to_dims(&spec->window);
    dnnl_memory_desc_t src, dst;
    dnnl_pooling_v2_desc_t op;

    *out = NULL;
    REHA_TRY(pool_mds(spec, &src, &dst, err));
    REHA_TRY(check(dnnl_pooling_v2_forward_desc_init(&op, forward_kind(pass), spec->algorithm, &src, &dst,
                                                     window.stride, window.kernel, window.dilation,
                                                     window.pad_low, window.pad_high),
                   "pooling", err));
    return make_primitive(dnn, &op, NULL, NULL, "pooling", out, err);
}

reha_status reha_dnn_pool_backward(reha_dnn *dnn, const reha_pool_spec *spec, const reha_primitive *forward,
                                   reha_primitive **out, reha_error *err)
{
    const window_dims window = to_dims(&spec->window);
    dnnl_memory_desc_t src, dst;
    dnnl_pooling_v2_desc_t op;

    *out = NULL;
    REHA_TRY(pool_mds(spec, &src, &dst, err));
    REHA_TRY(check(dnnl_pooling_v2_backward_desc_init(&op, spec->algorithm, &src, &dst, window.stride,
                                                      window.kernel, window.dilation, window.pad_low,
                                                      window.pad_high),
                   "the gradient of pooling", err));
    return make_primitive(dnn, &op, NULL, forward, "the gradient of pooling", out, err);
}

static unsigned norm_flags(const reha_norm_spec *spec)
{
    unsigned flags = dnnl_use_scale | dnnl_use_shift;
    if (spec->use_running) {
        flags |= dnnl_use_global_stats;
    }
    if (spec->fuse_relu) {
        flags |= dnnl_fuse_norm_relu;
    }
    return flags;
}

reha_status reha_dnn_norm_forward(reha_dnn *dnn, const reha_norm_spec *spec, reha_pass pass,
                                  reha_primitive **out, reha_error *err)
{
    dnnl_batch_normalization_desc_t op;
    *out = NULL;
    REHA_TRY(check(dnnl_batch_normalization_forward_desc_init(&op, forward_kind(pass), md_of(spec->layout),
                                                              spec->epsilon, norm_flags(spec)),
                   "batch normalisation", err));
    return make_primitive(dnn, &op, NULL, NULL, "batch normalisation", out, err);
}

reha_status reha_dnn_norm_backward(reha_dnn *dnn, const reha_norm_spec *spec, const reha_primitive *forward,
                                   bool with_params, reha_primitive **out, reha_error *err)
{
    dnnl_batch_normalization_desc_t op;
    *out = NULL;
    REHA_TRY(check(dnnl_batch_normalization_backward_desc_init(
                       &op, with_params ? dnnl_backward : dnnl_backward_data, md_of(spec->layout),
                       md_of(spec->layout), spec->epsilon, norm_flags(spec)),
                   "the gradient of batch normalisation", err));
    return make_primitive(dnn, &op, NULL, forward, "the gradient of batch normalisation", out, err);
}

reha_status reha_dnn_eltwise_forward(reha_dnn *dnn, dnnl_alg_kind_t algorithm, const reha_layout *layout,
                                     float alpha, float beta, reha_pass pass, reha_primitive **out,
                                     reha_error *err)
{
    dnnl_eltwise_desc_t op;
    *out = NULL;
    REHA_TRY(
        check(dnnl_eltwise_forward_desc_init(&op, forward_kind(pass), algorithm, md_of(layout), alpha, beta),
              "an activation", err));
    return make_primitive(dnn, &op, NULL, NULL, "an activation", out, err);
}

reha_status reha_dnn_eltwise_backward(reha_dnn *dnn, dnnl_alg_kind_t algorithm, const reha_layout *layout,
                                      float alpha, float beta, const reha_primitive *forward,
                                      reha_primitive **out, reha_error *err)
{
    dnnl_eltwise_desc_t op;
    *out = NULL;
    REHA_TRY(check(dnnl_eltwise_backward_desc_init(&op, algorithm, md_of(layout), md_of(layout), alpha, beta),
                   "the gradient of an activation", err));
    return make_primitive(dnn, &op, NULL, forward, "the gradient of an activation", out, err);
}

reha_status reha_dnn_softmax_forward(reha_dnn *dnn, const reha_layout *src, const reha_layout *dst, int axis,
                                     reha_pass pass, reha_primitive **out, reha_error *err)
{
    dnnl_softmax_v2_desc_t op;
    *out = NULL;
    REHA_TRY(check(dnnl_softmax_v2_forward_desc_init(&op, forward_kind(pass), dnnl_softmax_accurate,
                                                     md_of(src), md_of(dst), axis),
                   "softmax", err));
    return make_primitive(dnn, &op, NULL, NULL, "softmax", out, err);
}

reha_status reha_dnn_resize_forward(reha_dnn *dnn, dnnl_alg_kind_t algorithm, const reha_layout *src,
                                    const reha_layout *dst, reha_pass pass, const reha_attr *attr,
                                    reha_primitive **out, reha_error *err)
{
    dnnl_resampling_desc_t op;
    *out = NULL;
    REHA_TRY(check(
        dnnl_resampling_forward_desc_init(&op, forward_kind(pass), algorithm, NULL, md_of(src), md_of(dst)),
        "resizing", err));
    return make_primitive(dnn, &op, attr, NULL, "resizing", out, err);
}

reha_status reha_dnn_resize_backward(reha_dnn *dnn, dnnl_alg_kind_t algorithm, const reha_layout *diff_src,
                                     const reha_layout *diff_dst, const reha_primitive *forward,
                                     reha_primitive **out, reha_error *err)
{
    dnnl_resampling_desc_t op;
    *out = NULL;
    REHA_TRY(check(dnnl_resampling_backward_desc_init(&op, algorithm, NULL, md_of(diff_src), md_of(diff_dst)),
                   "the gradient of resizing", err));
    return make_primitive(dnn, &op, NULL, forward, "the gradient of resizing", out, err);
}

reha_status reha_dnn_fc_forward(reha_dnn *dnn, const reha_layout *src, const reha_layout *weights,
                                const reha_layout *bias, const reha_layout *dst, reha_pass pass,
                                const reha_attr *attr, reha_primitive **out, reha_error *err)
{
    dnnl_inner_product_desc_t op;
    *out = NULL;
    REHA_TRY(check(dnnl_inner_product_forward_desc_init(&op, forward_kind(pass), md_of(src), md_of(weights),
                                                        md_of(bias), md_of(dst)),
                   "a fully connected layer", err));
    return make_primitive(dnn, &op, attr, NULL, "a fully connected layer", out, err);
}

reha_status reha_dnn_fc_backward_data(reha_dnn *dnn, const reha_layout *diff_src, const reha_layout *weights,
                                      const reha_layout *diff_dst, const reha_primitive *forward,
                                      reha_primitive **out, reha_error *err)
{
    dnnl_inner_product_desc_t op;
    *out = NULL;
    REHA_TRY(check(
        dnnl_inner_product_backward_data_desc_init(&op, md_of(diff_src), md_of(weights), md_of(diff_dst)),
        "the gradient of a fully connected layer's input", err));
    return make_primitive(dnn, &op, NULL, forward, "the gradient of a fully connected layer's input", out,
                          err);
}

reha_status reha_dnn_fc_backward_weights(reha_dnn *dnn, const reha_layout *src,
                                         const reha_layout *diff_weights, const reha_layout *diff_bias,
                                         const reha_layout *diff_dst, const reha_primitive *forward,
                                         reha_primitive **out, reha_error *err)
{
    dnnl_inner_product_desc_t op;
    *out = NULL;
    REHA_TRY(check(dnnl_inner_product_backward_weights_desc_init(&op, md_of(src), md_of(diff_weights),
                                                                 md_of(diff_bias), md_of(diff_dst)),
                   "the gradient of a fully connected layer's weights", err));
    return make_primitive(dnn, &op, NULL, forward, "the gradient of a fully connected layer's weights", out,
                          err);
}

enum { MANY_MAX = 16 };

static reha_status gather(int count, const reha_layout *const *srcs, dnnl_memory_desc_t *out, reha_error *err)
{
    if (count < 1 || count > MANY_MAX) {
        return reha_fail(err, REHA_E_INTERNAL, "%d operands: expected 1 to %d", count, MANY_MAX);
    }
    for (int i = 0; i < count; i++) {
        out[i] = *md_of(srcs[i]);
    }
    return REHA_OK;
}

reha_status reha_dnn_concat(reha_dnn *dnn, int axis, int count, const reha_layout *const *srcs,
                            const reha_layout *dst, reha_primitive **out, reha_error *err)
{
    reha_status status;
    dnnl_memory_desc_t mds[MANY_MAX];
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;

    *out = NULL;
    REHA_TRY(gather(count, srcs, mds, err));
    REHA_TRY(make_attr(NULL, &attr, err));
    status = check(dnnl_concat_primitive_desc_create(&desc, md_of(dst), count, axis, mds, attr, dnn->engine),
                   "concatenation", err);
    dnnl_primitive_attr_destroy(attr);
    REHA_TRY(status);
    return own_primitive(dnn, desc, "concatenation", out, err);
}

reha_status reha_dnn_sum(reha_dnn *dnn, int count, const float *scales, const reha_layout *const *srcs,
                         const reha_layout *dst, reha_primitive **out, reha_error *err)
{
    reha_status status;
    dnnl_memory_desc_t mds[MANY_MAX];
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;

    *out = NULL;
    REHA_TRY(gather(count, srcs, mds, err));
    REHA_TRY(make_attr(NULL, &attr, err));
    status = check(dnnl_sum_primitive_desc_create(&desc, md_of(dst), count, scales, mds, attr, dnn->engine),
                   "a sum", err);
    dnnl_primitive_attr_destroy(attr);
    REHA_TRY(status);
    return own_primitive(dnn, desc, "a sum", out, err);
}

reha_status reha_dnn_binary(reha_dnn *dnn, dnnl_alg_kind_t algorithm, const reha_layout *a,
                            const reha_layout *b, const reha_layout *dst, const reha_attr *attr,
                            reha_primitive **out, reha_error *err)
{
    dnnl_binary_desc_t op;
    *out = NULL;
    REHA_TRY(check(dnnl_binary_desc_init(&op, algorithm, md_of(a), md_of(b), md_of(dst)),
                   "element-wise arithmetic", err));
    return make_primitive(dnn, &op, attr, NULL, "element-wise arithmetic", out, err);
}

reha_status reha_dnn_reorder(reha_dnn *dnn, const reha_layout *from, const reha_layout *to,
                             const reha_attr *attr, reha_primitive **out, reha_error *err)
{
    reha_status status;
    dnnl_primitive_attr_t made = NULL;
    dnnl_primitive_desc_t desc = NULL;

    *out = NULL;
    REHA_TRY(make_attr(attr, &made, err));
    status = check(
        dnnl_reorder_primitive_desc_create(&desc, md_of(from), dnn->engine, md_of(to), dnn->engine, made),
        "a change of layout", err);
    dnnl_primitive_attr_destroy(made);
    REHA_TRY(status);
    return own_primitive(dnn, desc, "a change of layout", out, err);
}

const reha_layout *reha_primitive_layout(const reha_primitive *primitive, int arg)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(primitive->desc, dnnl_query_exec_arg_md, arg);
    return md == NULL || md->ndims == 0 ? NULL : (const reha_layout *)(const void *)md;
}

const char *reha_primitive_implementation(const reha_primitive *primitive)
{
    const char *text = NULL;
    if (dnnl_primitive_desc_query(primitive->desc, dnnl_query_impl_info_str, 0, &text) != dnnl_success) {
        return "unknown";
    }
    return text;
}

bool reha_primitive_is_reference(const reha_primitive *primitive)
{
    return strstr(reha_primitive_implementation(primitive), "ref") != NULL;
}

/* ---- running ---- */

reha_status reha_dnn_call(reha_dnn *dnn, const reha_primitive *primitive, const reha_call_arg *args,
                          int count, reha_call **out, reha_error *err)
{
    const dnnl_memory_desc_t *scratch =
        dnnl_primitive_desc_query_md(primitive->desc, dnnl_query_scratchpad_md, 0);
    reha_call *call;

    *out = NULL;
    if (count < 1 || count >= REHA_DNN_ARGS_MAX) {
        return reha_fail(err, REHA_E_INTERNAL, "a call with %d arguments", count);
    }
    call = reha_alloc_zero(1, sizeof *call);
    if (call == NULL) {
        return out_of_memory(err);
    }
    call->dnn = dnn;
    call->primitive = primitive;
    call->count = count;
    for (int i = 0; i < count; i++) {
        call->args[i] = (dnnl_exec_arg_t){.arg = args[i].arg, .memory = args[i].memory->handle};
    }
    REHA_TRY(own(dnn, OWNED_BLOCK, call, err));
    if (scratch != NULL && dnnl_memory_desc_get_size(scratch) > 0) {
        REHA_TRY(reha_dnn_memory(dnn, (const reha_layout *)(const void *)scratch, NULL, &call->scratch, err));
        call->args[call->count++] =
            (dnnl_exec_arg_t){.arg = DNNL_ARG_SCRATCHPAD, .memory = call->scratch->handle};
    }
    *out = call;
    return REHA_OK;
}

/* Primitives may be added after the first run: the shared scratchpad grows when one needs more. */
static reha_status ready_scratch(reha_dnn *dnn, reha_error *err)
{
    if (dnn->scratch_bytes < dnn->scratch_wanted_bytes) {
        void *scratch = reha_alloc_aligned(dnn->scratch_wanted_bytes);
        if (scratch == NULL) {
            return out_of_memory(err);
        }
        reha_free(dnn->scratch);
        dnn->scratch = scratch;
        dnn->scratch_bytes = dnn->scratch_wanted_bytes;
    }
    return REHA_OK;
}

reha_status reha_call_run(reha_call *call, reha_error *err)
{
    reha_dnn *dnn = call->dnn;

    if (call->scratch != NULL) {
        REHA_TRY(ready_scratch(dnn, err));
        reha_memory_set_data(call->scratch, dnn->scratch);
    }
    return check(dnnl_primitive_execute(call->primitive->handle, dnn->stream, call->count, call->args),
                 "running an operator", err);
}

const reha_primitive *reha_call_primitive(const reha_call *call)
{
    return call->primitive;
}

reha_status reha_dnn_reorder_call(reha_dnn *dnn, reha_memory *from, reha_memory *to, reha_call **out,
                                  reha_error *err)
{
    const reha_call_arg args[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    reha_primitive *reorder = NULL;

    *out = NULL;
    REHA_TRY(reha_dnn_reorder(dnn, from->layout, to->layout, NULL, &reorder, err));
    return reha_dnn_call(dnn, reorder, args, 2, out, err);
}

/* ---- what this CPU offers ---- */

typedef struct isa_row {
    dnnl_cpu_isa_t isa;
    const char *name;
} isa_row;

/* Best first; a CPU has a set if all its bits are there. */
static const isa_row isa_rows[] = {{dnnl_cpu_isa_avx512_core_amx, "avx512_amx"},
                                   {dnnl_cpu_isa_avx512_core_bf16, "avx512_bf16"},
                                   {dnnl_cpu_isa_avx512_core_vnni, "avx512_vnni"},
                                   {dnnl_cpu_isa_avx512_core, "avx512"},
                                   {dnnl_cpu_isa_avx2_vnni, "avx2_vnni"},
                                   {dnnl_cpu_isa_avx2, "avx2"},
                                   {dnnl_cpu_isa_avx, "avx"},
                                   {dnnl_cpu_isa_sse41, "sse41"}};

static bool has_isa(dnnl_cpu_isa_t isa)
{
    return ((unsigned)dnnl_get_effective_cpu_isa() & (unsigned)isa) == (unsigned)isa;
}

bool reha_dnn_has_blocked(void)
{
    return has_isa(dnnl_cpu_isa_avx512_core);
}

bool reha_precision_is_fast(reha_precision precision)
{
    switch (precision) {
    case REHA_F32:
        return true;
    case REHA_BF16:
        return has_isa(dnnl_cpu_isa_avx512_core_bf16);
    case REHA_INT8:
        return has_isa(dnnl_cpu_isa_avx512_core_vnni) || has_isa(dnnl_cpu_isa_avx2_vnni);
    }
    return false;
}

const char *reha_precision_name(reha_precision precision)
{
    switch (precision) {
    case REHA_F32:
        return "f32";
    case REHA_BF16:
        return "bf16";
    case REHA_INT8:
        return "int8";
    }
    return "unknown";
}

const char *reha_nn_isa(void)
{
    for (size_t i = 0; i < sizeof isa_rows / sizeof isa_rows[0]; i++) {
        if (has_isa(isa_rows[i].isa)) {
            return isa_rows[i].name;
        }
    }
    return "baseline";
}
