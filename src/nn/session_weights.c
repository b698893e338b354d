/* Weights as the primitives want them: batch-norm folded in, 8-bit with a scale per channel. */
#include "nn/session_priv.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

/* w[i][o][ky][kx] of a transposed convolution into [(ky, kx, o)][i]. */
static void to_pointwise(const float *weights, int64_t in, int64_t out, int64_t taps, float *result)
{
    for (int64_t i = 0; i < in; i++) {
        for (int64_t o = 0; o < out; o++) {
            for (int64_t k = 0; k < taps; k++) {
                result[(k * out + o) * in + i] = weights[(i * out + o) * taps + k];
            }
        }
    }
}

static void norm_factors(const reha_graph *graph, const reha_node *norm, int64_t channel, float *factor,
                         float *shift)
{
    const float scale = reha_graph_param(graph, norm->params[0])->values[channel];
    const float offset = reha_graph_param(graph, norm->params[1])->values[channel];
    const float mean = reha_graph_param(graph, norm->params[2])->values[channel];
    const float variance = reha_graph_param(graph, norm->params[3])->values[channel];
    const double ratio = (double)scale / sqrt((double)variance + (double)norm->epsilon);
    *factor = (float)ratio;
    *shift = (float)((double)offset - (double)mean * ratio);
}

/* A weight of output channel o: index = o * per_channel + k, or transposed [in][out][taps]. */
static void fold_norm(const reha_graph *graph, const reha_node *norm, const reha_shape *shape,
                      bool is_transposed, float *weights, float *bias)
{
    const int64_t outs = is_transposed ? shape->dims[1] : shape->dims[0];
    const int64_t ins = is_transposed ? shape->dims[0] : 1;
    const int64_t taps = (int64_t)reha_shape_count(*shape) / (outs * ins);
    for (int64_t o = 0; o < outs; o++) {
        float factor;
        float shift;
        norm_factors(graph, norm, o, &factor, &shift);
        bias[o] = bias[o] * factor + shift;
        for (int64_t i = 0; i < ins; i++) {
            for (int64_t k = 0; k < taps; k++) {
                weights[(i * outs + o) * taps + k] *= factor;
            }
        }
    }
}

static reha_status alloc_folded(size_t count, int64_t channels, const char *name, reha_folded *out,
                                reha_error *err)
{
    out->count = count;
    out->out_channels = channels;
    out->weights = reha_alloc(count * sizeof(float));
    out->bias = reha_alloc_zero((size_t)channels, sizeof(float));
    if (out->weights == NULL || out->bias == NULL) {
        reha_folded_clear(out);
        return reha_fail(err, REHA_E_NOMEM, "node %s: no memory for %zu weights", name, count);
    }
    return REHA_OK;
}

/* A batch-norm of its own: factors as weights, shifts as bias; identity for a lone activation. */
static reha_status fold_scale(const reha_plan *plan, const reha_step *step, reha_folded *out, reha_error *err)
{
    const reha_node *node = reha_graph_node(plan->graph, step->node);
    const int64_t channels = node->shape.dims[1];
    REHA_TRY(alloc_folded((size_t)channels, channels, node->name, out, err));
    for (int64_t c = 0; c < channels; c++) {
        out->weights[c] = 1.0F;
        if (step->norm_node >= 0) {
            norm_factors(plan->graph, node, c, &out->weights[c], &out->bias[c]);
        }
    }
    return REHA_OK;
}

reha_status reha_fold_weights(const reha_plan *plan, const reha_step *step, reha_folded *out, reha_error *err)
{
    memset(out, 0, sizeof *out);
    if (step->kind == REHA_STEP_SCALE) {
        return fold_scale(plan, step, out, err);
    }
    const reha_node *node = reha_graph_node(plan->graph, step->node);
    const reha_param *weight = reha_graph_param(plan->graph, node->params[0]);
    const bool is_transposed = node->op == REHA_OP_CONV_TRANSPOSE;
    const int64_t channels = node->shape.dims[1];
    const int64_t taps = step->is_pointwise ? (int64_t)node->window.kernel_h * node->window.kernel_w : 1;
    REHA_TRY(alloc_folded(reha_shape_count(weight->shape), channels * taps, node->name, out, err));
    memcpy(out->weights, weight->values, out->count * sizeof(float));
    if (node->param_count > 1) {
        memcpy(out->bias, reha_graph_param(plan->graph, node->params[1])->values,
               (size_t)channels * sizeof(float));
    }
    if (step->norm_node >= 0) {
        fold_norm(plan->graph, reha_graph_node(plan->graph, step->norm_node), &weight->shape, is_transposed,
                  out->weights, out->bias);
    }
    if (!step->is_pointwise) {
        return REHA_OK;
    }
    float *reordered = reha_alloc(out->count * sizeof(float));
    if (reordered == NULL) {
        reha_folded_clear(out);
        return reha_fail(err, REHA_E_NOMEM, "node %s: no memory for its weights", node->name);
    }
    to_pointwise(out->weights, weight->shape.dims[0], channels, taps, reordered);
    reha_free(out->weights);
    out->weights = reordered;
    for (int64_t k = 1; k < taps; k++) {
        memcpy(out->bias + k * channels, out->bias, (size_t)channels * sizeof(float));
    }
    return REHA_OK;
}

void reha_folded_clear(reha_folded *folded)
{
    reha_free(folded->weights);
    reha_free(folded->bias);
    folded->weights = NULL;
    folded->bias = NULL;
}

static float largest_magnitude(const float *values, size_t count)
{
    enum { LANES = 16 }; /* apart from each other, so that the compiler may use vectors */
    float lanes[LANES] = {0};
    size_t k = 0;
    for (; k + LANES <= count; k += LANES) {
        for (int lane = 0; lane < LANES; lane++) {
            const float magnitude = fabsf(values[k + (size_t)lane]);
            lanes[lane] = magnitude > lanes[lane] ? magnitude : lanes[lane];
        }
    }
    float largest = 0.0F;
    for (int lane = 0; lane < LANES; lane++) {
        largest = lanes[lane] > largest ? lanes[lane] : largest;
    }
    for (; k < count; k++) {
        const float magnitude = fabsf(values[k]);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

void reha_quantize_weights(const float *weights, int64_t out_channels, size_t per_channel, int8_t *out,
                           float *scales)
{
    static const float round_at = 0x1.8p23F; /* from here on floats are whole numbers */
    for (int64_t o = 0; o < out_channels; o++) {
        const float *row = weights + (size_t)o * per_channel;
        int8_t *to = out + (size_t)o * per_channel;
        const float largest = largest_magnitude(row, per_channel);
        const float scale = largest > 1e-30F ? largest / 127.0F : 1.0F;
        scales[o] = scale;
        for (size_t k = 0; k < per_channel; k++) {
            /* to the nearest, ties to even, as lrintf does: only faster, for the compiler has vectors for it */
            const float moved = row[k] / scale + round_at;
            to[k] = (int8_t)(int32_t)(moved - round_at);
        }
    }
}
