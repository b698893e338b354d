#include "nn/reference.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

struct reha_reference {
    int count;
    size_t *counts;
    float **values;
};

typedef struct image_shape {
    int64_t n, c, h, w;
} image_shape;

static image_shape shape_of(const reha_node *node, int batch)
{
    const image_shape flat = {batch, node->shape.dims[1], 1, 1};
    const image_shape image = {batch, node->shape.dims[1], node->shape.dims[2], node->shape.dims[3]};
    return node->shape.rank == 4 ? image : flat;
}

static size_t at(image_shape s, int64_t n, int64_t c, int64_t y, int64_t x)
{
    return (size_t)(((n * s.c + c) * s.h + y) * s.w + x);
}

typedef struct node_view {
    const reha_node *node;
    const float *weight, *bias; /* NULL if absent */
    image_shape in, out;
    const float *x;
    float *y;
} node_view;

static double conv_at(const node_view *v, int64_t n, int64_t o, int64_t oy, int64_t ox)
{
    const reha_window *w = &v->node->window;
    const int64_t group_in = v->in.c / v->node->groups;
    const int64_t group_out = v->out.c / v->node->groups;
    const int64_t first = o / group_out * group_in;
    double sum = v->bias != NULL ? (double)v->bias[o] : 0.0;
    for (int64_t i = 0; i < group_in; i++) {
        for (int ky = 0; ky < w->kernel_h; ky++) {
            const int64_t y = oy * w->stride_h - w->pad_top + (int64_t)ky * w->dilation_h;
            if (y < 0 || y >= v->in.h) {
                continue;
            }
            for (int kx = 0; kx < w->kernel_w; kx++) {
                const int64_t x = ox * w->stride_w - w->pad_left + (int64_t)kx * w->dilation_w;
                if (x >= 0 && x < v->in.w) {
                    const size_t tap = (size_t)(((o * group_in + i) * w->kernel_h + ky) * w->kernel_w + kx);
                    sum += (double)v->weight[tap] * (double)v->x[at(v->in, n, first + i, y, x)];
                }
            }
        }
    }
    return sum;
}

static void run_conv(const node_view *v)
{
    for (int64_t n = 0; n < v->out.n; n++) {
        for (int64_t o = 0; o < v->out.c; o++) {
            for (int64_t y = 0; y < v->out.h; y++) {
                for (int64_t x = 0; x < v->out.w; x++) {
                    v->y[at(v->out, n, o, y, x)] = (float)conv_at(v, n, o, y, x);
                }
            }
        }
    }
}

/* The inputs that reach an output: those whose window, laid on the output, covers it. */
static double conv_transpose_at(const node_view *v, int64_t n, int64_t o, int64_t oy, int64_t ox)
{
    const reha_window *w = &v->node->window;
    double sum = v->bias != NULL ? (double)v->bias[o] : 0.0;
    for (int ky = 0; ky < w->kernel_h; ky++) {
        const int64_t row = oy + w->pad_top - (int64_t)ky * w->dilation_h;
        if (row < 0 || row % w->stride_h != 0 || row / w->stride_h >= v->in.h) {
            continue;
        }
        for (int kx = 0; kx < w->kernel_w; kx++) {
            const int64_t column = ox + w->pad_left - (int64_t)kx * w->dilation_w;
            if (column < 0 || column % w->stride_w != 0 || column / w->stride_w >= v->in.w) {
                continue;
            }
            for (int64_t i = 0; i < v->in.c; i++) {
                const size_t tap = (size_t)(((i * v->out.c + o) * w->kernel_h + ky) * w->kernel_w + kx);
                sum += (double)v->weight[tap] *
                       (double)v->x[at(v->in, n, i, row / w->stride_h, column / w->stride_w)];
            }
        }
    }
    return sum;
}

static void run_conv_transpose(const node_view *v)
{
    for (int64_t n = 0; n < v->out.n; n++) {
        for (int64_t o = 0; o < v->out.c; o++) {
            for (int64_t y = 0; y < v->out.h; y++) {
                for (int64_t x = 0; x < v->out.w; x++) {
                    v->y[at(v->out, n, o, y, x)] = (float)conv_transpose_at(v, n, o, y, x);
                }
            }
        }
    }
}

static void run_fully_connected(const node_view *v)
{
    for (int64_t n = 0; n < v->out.n; n++) {
        for (int64_t o = 0; o < v->out.c; o++) {
            double sum = v->bias != NULL ? (double)v->bias[o] : 0.0;
            for (int64_t i = 0; i < v->in.c; i++) {
                sum += (double)v->weight[o * v->in.c + i] * (double)v->x[n * v->in.c + i];
            }
            v->y[n * v->out.c + o] = (float)sum;
        }
    }
}

static void run_batch_norm(const reha_graph *graph, const node_view *v)
{
    const float *scale = v->weight;
    const float *shift = v->bias;
    const float *mean = reha_graph_param(graph, v->node->params[2])->values;
    const float *variance = reha_graph_param(graph, v->node->params[3])->values;
    const size_t plane = (size_t)(v->out.h * v->out.w);
    for (size_t p = 0; p < (size_t)(v->out.n * v->out.c); p++) {
        const size_t c = p % (size_t)v->out.c;
        const double factor = (double)scale[c] / sqrt((double)variance[c] + (double)v->node->epsilon);
        for (size_t i = p * plane; i < (p + 1) * plane; i++) {
            v->y[i] = (float)(((double)v->x[i] - (double)mean[c]) * factor + (double)shift[c]);
        }
    }
}

static void run_pointwise(const node_view *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float x = v->x[i];
        switch (v->node->op) {
        case REHA_OP_RELU:
            v->y[i] = x > 0.0F ? x : 0.0F;
            break;
        case REHA_OP_RELU6:
            v->y[i] = x <= 0.0F ? 0.0F : x >= 6.0F ? 6.0F : x;
            break;
        case REHA_OP_SIGMOID:
            v->y[i] = (float)(1.0 / (1.0 + exp(-(double)x)));
            break;
        default: /* flatten, dropout: the same numbers */
            v->y[i] = x;
            break;
        }
    }
}

static void run_softmax(const node_view *v)
{
    const int64_t plane = v->out.h * v->out.w;
    for (int64_t n = 0; n < v->out.n; n++) {
        for (int64_t p = 0; p < plane; p++) {
            const float *x = v->x + n * v->out.c * plane + p;
            float *y = v->y + n * v->out.c * plane + p;
            double largest = -INFINITY;
            double sum = 0;
            for (int64_t c = 0; c < v->out.c; c++) {
                largest = fmax(largest, (double)x[c * plane]);
            }
            for (int64_t c = 0; c < v->out.c; c++) {
                sum += exp((double)x[c * plane] - largest);
            }
            for (int64_t c = 0; c < v->out.c; c++) {
                y[c * plane] = (float)(exp((double)x[c * plane] - largest) / sum);
            }
        }
    }
}

static void run_binary(const node_view *v, const float *other, image_shape other_shape)
{
    const size_t plane = (size_t)(v->out.h * v->out.w);
    const size_t other_plane = (size_t)(other_shape.h * other_shape.w);
    for (size_t p = 0; p < (size_t)(v->out.n * v->out.c); p++) {
        for (size_t i = 0; i < plane; i++) {
            const float a = v->x[p * plane + i];
            const float b = other[p * other_plane + (other_plane == plane ? i : 0)];
            v->y[p * plane + i] = v->node->op == REHA_OP_ADD ? a + b : a * b;
        }
    }
}

static void run_pool(const node_view *v)
{
    const reha_window *w = &v->node->window;
    for (int64_t p = 0; p < v->out.n * v->out.c; p++) {
        const float *plane = v->x + p * v->in.h * v->in.w;
        for (int64_t oy = 0; oy < v->out.h; oy++) {
            for (int64_t ox = 0; ox < v->out.w; ox++) {
                double sum = 0;
                double largest = -INFINITY;
                int count = 0;
                for (int k = 0; k < w->kernel_h * w->kernel_w; k++) {
                    const int64_t y = oy * w->stride_h - w->pad_top + k / w->kernel_w;
                    const int64_t x = ox * w->stride_w - w->pad_left + k % w->kernel_w;
                    if (y >= 0 && y < v->in.h && x >= 0 && x < v->in.w) {
                        sum += (double)plane[y * v->in.w + x];
                        largest = fmax(largest, (double)plane[y * v->in.w + x]);
                        count++;
                    }
                }
                v->y[(p * v->out.h + oy) * v->out.w + ox] =
                    (float)(v->node->op == REHA_OP_MAX_POOL ? largest : sum / count);
            }
        }
    }
}

static void run_global_average(const node_view *v)
{
    const int64_t plane = v->in.h * v->in.w;
    for (int64_t p = 0; p < v->in.n * v->in.c; p++) {
        double sum = 0;
        for (int64_t i = 0; i < plane; i++) {
            sum += (double)v->x[p * plane + i];
        }
        v->y[p] = (float)(sum / (double)plane);
    }
}

/* Where a bilinear output lies: two neighbours and the share of the second. */
static double source_of(int64_t out, int scale, int64_t size, int64_t *low, int64_t *high)
{
    double position = ((double)out + 0.5) / scale - 0.5;
    position = position < 0 ? 0 : position > (double)(size - 1) ? (double)(size - 1) : position;
    *low = (int64_t)position;
    *high = *low + 1 < size ? *low + 1 : *low;
    return position - (double)*low;
}

static void run_resize(const node_view *v)
{
    for (int64_t p = 0; p < v->out.n * v->out.c; p++) {
        const float *plane = v->x + p * v->in.h * v->in.w;
        for (int64_t y = 0; y < v->out.h; y++) {
            for (int64_t x = 0; x < v->out.w; x++) {
                float *out = &v->y[(p * v->out.h + y) * v->out.w + x];
                if (v->node->op == REHA_OP_RESIZE_NEAREST) {
                    *out = plane[y / v->node->scale_h * v->in.w + x / v->node->scale_w];
                    continue;
                }
                int64_t y0;
                int64_t y1;
                int64_t x0;
                int64_t x1;
                const double fy = source_of(y, v->node->scale_h, v->in.h, &y0, &y1);
                const double fx = source_of(x, v->node->scale_w, v->in.w, &x0, &x1);
                const double top =
                    (1 - fx) * (double)plane[y0 * v->in.w + x0] + fx * (double)plane[y0 * v->in.w + x1];
                const double low =
                    (1 - fx) * (double)plane[y1 * v->in.w + x0] + fx * (double)plane[y1 * v->in.w + x1];
                *out = (float)((1 - fy) * top + fy * low);
            }
        }
    }
}

static void run_concat(const reha_graph *graph, const reha_reference *r, const node_view *v, int batch)
{
    const size_t plane = (size_t)(v->out.h * v->out.w);
    float *y = v->y;
    for (int n = 0; n < batch; n++) {
        for (int k = 0; k < v->node->input_count; k++) {
            const reha_value_id input = v->node->inputs[k];
            const size_t count = (size_t)reha_graph_node(graph, input)->shape.dims[1] * plane;
            memcpy(y, r->values[input] + (size_t)n * count, count * sizeof(float));
            y += count;
        }
    }
}

static void run_node(const reha_graph *graph, reha_reference *r, int index, int batch)
{
    const reha_node *node = reha_graph_node(graph, index);
    const reha_node *source = reha_graph_node(graph, node->inputs[0]);
    node_view v = {node,
                   NULL,
                   NULL,
                   shape_of(source, batch),
                   shape_of(node, batch),
                   r->values[node->inputs[0]],
                   r->values[index]};
    if (node->param_count > 0) {
        v.weight = reha_graph_param(graph, node->params[0])->values;
    }
    if (node->param_count > 1) {
        v.bias = reha_graph_param(graph, node->params[1])->values;
    }
    switch (node->op) {
    case REHA_OP_CONV:
        run_conv(&v);
        break;
    case REHA_OP_CONV_TRANSPOSE:
        run_conv_transpose(&v);
        break;
    case REHA_OP_BATCH_NORM:
        run_batch_norm(graph, &v);
        break;
    case REHA_OP_SOFTMAX:
        run_softmax(&v);
        break;
    case REHA_OP_ADD:
    case REHA_OP_MUL:
        run_binary(&v, r->values[node->inputs[1]], shape_of(reha_graph_node(graph, node->inputs[1]), batch));
        break;
    case REHA_OP_CONCAT:
        run_concat(graph, r, &v, batch);
        break;
    case REHA_OP_MAX_POOL:
    case REHA_OP_AVERAGE_POOL:
        run_pool(&v);
        break;
    case REHA_OP_GLOBAL_AVERAGE_POOL:
        run_global_average(&v);
        break;
    case REHA_OP_RESIZE_NEAREST:
    case REHA_OP_RESIZE_BILINEAR:
        run_resize(&v);
        break;
    case REHA_OP_FULLY_CONNECTED:
        run_fully_connected(&v);
        break;
    default:
        run_pointwise(&v, r->counts[index]);
        break;
    }
}

reha_status reha_reference_new(const reha_graph *graph, int batch, const float *const *inputs,
                               reha_reference **out, reha_error *err)
{
    *out = NULL;
    if (batch < 1) {
        return reha_fail(err, REHA_E_ARG, "a batch of %d images", batch);
    }
    const int count = reha_graph_node_count(graph);
    reha_status status = REHA_OK;
    reha_reference *r = reha_alloc_zero(1, sizeof *r);
    if (r == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for a reference run");
    }
    r->values = reha_alloc_zero((size_t)count, sizeof *r->values);
    r->counts = reha_alloc_zero((size_t)count, sizeof *r->counts);
    if (r->values == NULL || r->counts == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "no memory for a reference run");
        goto done;
    }
    r->count = count;
    int input_index = 0;
    for (int i = 0; i < count; i++) {
        const reha_node *node = reha_graph_node(graph, i);
        r->counts[i] = reha_shape_count(node->shape) * (size_t)batch;
        r->values[i] = reha_alloc(r->counts[i] * sizeof(float));
        if (r->values[i] == NULL) {
            status =
                reha_fail(err, REHA_E_NOMEM, "node %s: no memory for %zu values", node->name, r->counts[i]);
            goto done;
        }
        if (node->op == REHA_OP_INPUT) {
            memcpy(r->values[i], inputs[input_index++], r->counts[i] * sizeof(float));
        } else {
            run_node(graph, r, i, batch);
        }
    }
    *out = r;
    r = NULL; /* handed over */
done:
    reha_reference_free(r);
    return status;
}

void reha_reference_free(reha_reference *reference)
{
    if (reference == NULL) {
        return;
    }
    for (int i = 0; i < reference->count; i++) {
        reha_free(reference->values[i]);
    }
    reha_free(reference->values);
    reha_free(reference->counts);
    reha_free(reference);
}

const float *reha_reference_value(const reha_reference *reference, reha_value_id value)
{
    return reference->values[value];
}

size_t reha_reference_count(const reha_reference *reference, reha_value_id value)
{
    return reference->counts[value];
}
