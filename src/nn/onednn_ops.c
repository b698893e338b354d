/* oneDNN 2.x: attributes and operators. */
#include "nn/onednn_parts_priv.h"

#include "base/memory.h"

#include <string.h>

/* ---- attributes ---- */

static reha_status add_post_op(dnnl_post_ops_t ops, const reha_post_op *op, reha_error *err)
{
    dnnl_status_t code = dnnl_invalid_arguments;

    if (op->kind == REHA_POST_SUM) {
        code = dnnl_post_ops_append_sum_v2(ops, op->scale, op->sum_type);
    } else if (op->kind == REHA_POST_ELTWISE) { /* 3.x: no scale: append a linear one when it is not 1 */
        code = dnnl_post_ops_append_eltwise(ops, op->scale, op->algorithm, op->alpha, op->beta);
    } else if (op->kind == REHA_POST_BINARY) {
        code = dnnl_post_ops_append_binary(ops, op->algorithm, reha_dnn_md_(op->layout));
    }
    return reha_dnn_check_(code, "a fused operation", err);
}

/* *out always gets an attribute with a user scratchpad, so that one buffer serves all primitives. */
static reha_status make_attr(const reha_attr *attr, dnnl_primitive_attr_t *out, reha_error *err)
{
    reha_status status;
    dnnl_primitive_attr_t made = NULL;
    dnnl_post_ops_t ops = NULL;

    REHA_CHECK(reha_dnn_check_(dnnl_primitive_attr_create(&made), "attributes", err));
    REHA_CHECK(reha_dnn_check_(dnnl_primitive_attr_set_scratchpad_mode(made, dnnl_scratchpad_mode_user),
                               "a scratchpad", err));
    if (attr != NULL && attr->output_scales != NULL) { /* 3.x: run-time scales */
        REHA_CHECK(reha_dnn_check_(dnnl_primitive_attr_set_output_scales(made, attr->output_scale_count,
                                                                         attr->output_scale_mask,
                                                                         attr->output_scales),
                                   "output scales", err));
    }
    for (int i = 0; attr != NULL && i < 2; i++) {
        if (attr->src_scale[i] != 0.0F && attr->src_scale[i] != 1.0F) {
            REHA_CHECK(
                reha_dnn_check_(dnnl_primitive_attr_set_scales(made, i == 0 ? DNNL_ARG_SRC_0 : DNNL_ARG_SRC_1,
                                                               1, 0, &attr->src_scale[i]),
                                "source scales", err));
        }
    }
    if (attr != NULL && attr->post_op_count > 0) {
        REHA_CHECK(reha_dnn_check_(dnnl_post_ops_create(&ops), "fused operations", err));
        for (int i = 0; i < attr->post_op_count; i++) {
            REHA_CHECK(add_post_op(ops, &attr->post_ops[i], err));
        }
        REHA_CHECK(reha_dnn_check_(dnnl_primitive_attr_set_post_ops(made, ops), "fused operations", err));
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
        return reha_dnn_no_memory_(err);
    }
    primitive->desc = desc;
    status = reha_dnn_check_(dnnl_primitive_create(&primitive->handle, desc), what, err);
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
    REHA_TRY(reha_dnn_own_(dnn, OWNED_PRIMITIVE, primitive, err));
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
    status = reha_dnn_check_(
        dnnl_primitive_desc_create(&desc, op, made, dnn->engine, hint != NULL ? hint->desc : NULL), what,
        err);
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

    REHA_TRY(reha_dnn_make_md_(4, src, spec->src_type, src_order, &out->src, err));
    REHA_TRY(
        reha_dnn_make_md_(weights_rank, weights, spec->weights_type, REHA_ORDER_ANY, &out->weights, err));
    if (spec->weights_layout != NULL) {
        out->weights = *reha_dnn_md_(spec->weights_layout);
    }
    REHA_TRY(reha_dnn_make_md_(4, dst, spec->dst_type, dst_order, &out->dst, err));
    out->bias_or_null = NULL;
    if (spec->with_bias) {
        REHA_TRY(
            reha_dnn_make_md_(1, &spec->out_channels, spec->bias_type, REHA_ORDER_PLAIN, &out->bias, err));
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
    REHA_TRY(reha_dnn_check_(code, what, err));
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
    REHA_TRY(reha_dnn_check_(code, "the gradient of a convolution's input", err));
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
    REHA_TRY(reha_dnn_check_(code, "the gradient of a convolution's weights", err));
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
    REHA_TRY(reha_dnn_make_md_(4, in, spec->type, order, src, err));
    return reha_dnn_make_md_(4, result, spec->type, order, dst, err);
}

reha_status reha_dnn_pool_forward(reha_dnn *dnn, const reha_pool_spec *spec, reha_pass pass,
                                  reha_primitive **out, reha_error *err)
{
    const window_dims window = to_dims(&spec->window);
    dnnl_memory_desc_t src, dst;
    dnnl_pooling_v2_desc_t op;

    *out = NULL;
    REHA_TRY(pool_mds(spec, &src, &dst, err));
    REHA_TRY(reha_dnn_check_(
        dnnl_pooling_v2_forward_desc_init(&op, forward_kind(pass), spec->algorithm, &src, &dst, window.stride,
                                          window.kernel, window.dilation, window.pad_low, window.pad_high),
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
    REHA_TRY(reha_dnn_check_(dnnl_pooling_v2_backward_desc_init(&op, spec->algorithm, &src, &dst,
                                                                window.stride, window.kernel, window.dilation,
                                                                window.pad_low, window.pad_high),
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
    REHA_TRY(reha_dnn_check_(dnnl_batch_normalization_forward_desc_init(&op, forward_kind(pass),
                                                                        reha_dnn_md_(spec->layout),
                                                                        spec->epsilon, norm_flags(spec)),
                             "batch normalisation", err));
    return make_primitive(dnn, &op, NULL, NULL, "batch normalisation", out, err);
}

reha_status reha_dnn_norm_backward(reha_dnn *dnn, const reha_norm_spec *spec, const reha_primitive *forward,
                                   bool with_params, reha_primitive **out, reha_error *err)
{
    dnnl_batch_normalization_desc_t op;
    *out = NULL;
    REHA_TRY(reha_dnn_check_(
        dnnl_batch_normalization_backward_desc_init(&op, with_params ? dnnl_backward : dnnl_backward_data,
                                                    reha_dnn_md_(spec->layout), reha_dnn_md_(spec->layout),
                                                    spec->epsilon, norm_flags(spec)),
        "the gradient of batch normalisation", err));
    return make_primitive(dnn, &op, NULL, forward, "the gradient of batch normalisation", out, err);
}

reha_status reha_dnn_eltwise_forward(reha_dnn *dnn, dnnl_alg_kind_t algorithm, const reha_layout *layout,
                                     float alpha, float beta, reha_pass pass, reha_primitive **out,
                                     reha_error *err)
{
    dnnl_eltwise_desc_t op;
    *out = NULL;
    REHA_TRY(reha_dnn_check_(
        dnnl_eltwise_forward_desc_init(&op, forward_kind(pass), algorithm, reha_dnn_md_(layout), alpha, beta),
        "an activation", err));
    return make_primitive(dnn, &op, NULL, NULL, "an activation", out, err);
}

reha_status reha_dnn_eltwise_backward(reha_dnn *dnn, dnnl_alg_kind_t algorithm, const reha_layout *layout,
                                      float alpha, float beta, const reha_primitive *forward,
                                      reha_primitive **out, reha_error *err)
{
    dnnl_eltwise_desc_t op;
    *out = NULL;
    REHA_TRY(reha_dnn_check_(dnnl_eltwise_backward_desc_init(&op, algorithm, reha_dnn_md_(layout),
                                                             reha_dnn_md_(layout), alpha, beta),
                             "the gradient of an activation", err));
    return make_primitive(dnn, &op, NULL, forward, "the gradient of an activation", out, err);
}

reha_status reha_dnn_softmax_forward(reha_dnn *dnn, const reha_layout *src, const reha_layout *dst, int axis,
                                     reha_pass pass, reha_primitive **out, reha_error *err)
{
    dnnl_softmax_v2_desc_t op;
    *out = NULL;
    REHA_TRY(reha_dnn_check_(dnnl_softmax_v2_forward_desc_init(&op, forward_kind(pass), dnnl_softmax_accurate,
                                                               reha_dnn_md_(src), reha_dnn_md_(dst), axis),
                             "softmax", err));
    return make_primitive(dnn, &op, NULL, NULL, "softmax", out, err);
}

reha_status reha_dnn_resize_forward(reha_dnn *dnn, dnnl_alg_kind_t algorithm, const reha_layout *src,
                                    const reha_layout *dst, reha_pass pass, const reha_attr *attr,
                                    reha_primitive **out, reha_error *err)
{
    dnnl_resampling_desc_t op;
    *out = NULL;
    REHA_TRY(reha_dnn_check_(dnnl_resampling_forward_desc_init(&op, forward_kind(pass), algorithm, NULL,
                                                               reha_dnn_md_(src), reha_dnn_md_(dst)),
                             "resizing", err));
    return make_primitive(dnn, &op, attr, NULL, "resizing", out, err);
}

reha_status reha_dnn_resize_backward(reha_dnn *dnn, dnnl_alg_kind_t algorithm, const reha_layout *diff_src,
                                     const reha_layout *diff_dst, const reha_primitive *forward,
                                     reha_primitive **out, reha_error *err)
{
    dnnl_resampling_desc_t op;
    *out = NULL;
    REHA_TRY(reha_dnn_check_(dnnl_resampling_backward_desc_init(&op, algorithm, NULL, reha_dnn_md_(diff_src),
                                                                reha_dnn_md_(diff_dst)),
                             "the gradient of resizing", err));
    return make_primitive(dnn, &op, NULL, forward, "the gradient of resizing", out, err);
}

reha_status reha_dnn_fc_forward(reha_dnn *dnn, const reha_layout *src, const reha_layout *weights,
                                const reha_layout *bias, const reha_layout *dst, reha_pass pass,
                                const reha_attr *attr, reha_primitive **out, reha_error *err)
{
    dnnl_inner_product_desc_t op;
    *out = NULL;
    REHA_TRY(reha_dnn_check_(dnnl_inner_product_forward_desc_init(&op, forward_kind(pass), reha_dnn_md_(src),
                                                                  reha_dnn_md_(weights), reha_dnn_md_(bias),
                                                                  reha_dnn_md_(dst)),
                             "a fully connected layer", err));
    return make_primitive(dnn, &op, attr, NULL, "a fully connected layer", out, err);
}

reha_status reha_dnn_fc_backward_data(reha_dnn *dnn, const reha_layout *diff_src, const reha_layout *weights,
                                      const reha_layout *diff_dst, const reha_primitive *forward,
                                      reha_primitive **out, reha_error *err)
{
    dnnl_inner_product_desc_t op;
    *out = NULL;
    REHA_TRY(reha_dnn_check_(dnnl_inner_product_backward_data_desc_init(
                                 &op, reha_dnn_md_(diff_src), reha_dnn_md_(weights), reha_dnn_md_(diff_dst)),
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
    REHA_TRY(reha_dnn_check_(
        dnnl_inner_product_backward_weights_desc_init(&op, reha_dnn_md_(src), reha_dnn_md_(diff_weights),
                                                      reha_dnn_md_(diff_bias), reha_dnn_md_(diff_dst)),
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
        out[i] = *reha_dnn_md_(srcs[i]);
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
    status = reha_dnn_check_(
        dnnl_concat_primitive_desc_create(&desc, reha_dnn_md_(dst), count, axis, mds, attr, dnn->engine),
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
    status = reha_dnn_check_(
        dnnl_sum_primitive_desc_create(&desc, reha_dnn_md_(dst), count, scales, mds, attr, dnn->engine),
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
    REHA_TRY(reha_dnn_check_(
        dnnl_binary_desc_init(&op, algorithm, reha_dnn_md_(a), reha_dnn_md_(b), reha_dnn_md_(dst)),
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
    status = reha_dnn_check_(dnnl_reorder_primitive_desc_create(&desc, reha_dnn_md_(from), dnn->engine,
                                                                reha_dnn_md_(to), dnn->engine, made),
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
