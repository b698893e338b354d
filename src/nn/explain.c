/* The network as at inference, with the gradient of one of its values. */
#include "nn/explain.h"

#include "base/memory.h"
#include "nn/net_priv.h"

struct reha_explainer {
    reha_net *net;
    int value; /* root */
    int output;
    const float **grads; /* per output: NULL but for the explained one */
};

reha_status reha_explainer_new(const reha_graph *graph, reha_value_id value, int output, int threads,
                               reha_explainer **out, reha_error *err)
{
    reha_status status;
    reha_explainer *explainer = NULL;
    const reha_net_options options = {.batch = 1, .threads = threads, .grad_value = value};

    *out = NULL;
    if (value < 0 || value >= reha_graph_node_count(graph)) {
        return reha_fail(err, REHA_E_ARG, "value %d of %d", value, reha_graph_node_count(graph));
    }
    if (output < 0 || output >= reha_graph_output_count(graph)) {
        return reha_fail(err, REHA_E_ARG, "output %d of %d", output, reha_graph_output_count(graph));
    }
    explainer = reha_alloc_zero(1, sizeof *explainer);
    if (explainer == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the explanation");
    }
    explainer->output = output;
    explainer->grads = reha_alloc_zero((size_t)reha_graph_output_count(graph), sizeof(*explainer->grads));
    if (explainer->grads == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the explanation");
        goto done;
    }
    REHA_CHECK(reha_net_new(graph, &options, &explainer->net, err));
    explainer->value = explainer->net->options.grad_value;
    if (!explainer->net->values[explainer->net->outputs[output]].wants_grad) {
        status = reha_fail(err, REHA_E_ARG, "output %s does not depend on node %s",
                           reha_graph_output_name(graph, output), reha_graph_node(graph, value)->name);
        goto done;
    }
    *out = explainer;
    explainer = NULL;
done:
    reha_explainer_free(explainer);
    return status;
}

void reha_explainer_free(reha_explainer *explainer)
{
    if (explainer != NULL) {
        reha_net_free(explainer->net);
        reha_free(explainer->grads);
        reha_free(explainer);
    }
}

reha_status reha_explainer_run(reha_explainer *explainer, const float *const *inputs,
                               const float *output_weights, float *outputs, float *map, reha_error *err)
{
    reha_net *net = explainer->net;
    REHA_TRY(reha_net_forward(net, inputs, 0, err));
    reha_net_read_output(net, explainer->output, outputs);
    explainer->grads[explainer->output] = output_weights;
    REHA_TRY(reha_net_backward(net, explainer->grads, err));
    explainer->grads[explainer->output] = NULL; /* borrowed for this call only */
    reha_explainer_read(explainer, REHA_CAM_HIRES, map);
    return REHA_OK;
}

/* Weight of channel c in Grad-CAM++: its positive gradients, each weighed so that every place where the
 * channel speaks for the class counts, not only the largest patch. The derivatives of exp(score) are powers
 * of the gradient. */
static double plus_weight(const float *activation, const float *gradient, int64_t area, int64_t channels,
                          int64_t c)
{
    double mass = 0.0;
    for (int64_t p = 0; p < area; p++) {
        mass += (double)activation[p * channels + c];
    }
    double weight = 0.0;
    for (int64_t p = 0; p < area; p++) {
        const double g = (double)gradient[p * channels + c];
        const double denominator = 2.0 * g * g + mass * g * g * g;
        if (g > 0.0 && denominator > 0.0) {
            weight += g * g * g / denominator;
        }
    }
    return weight;
}

static double mean_weight(const float *gradient, int64_t area, int64_t channels, int64_t c)
{
    double sum = 0.0;
    for (int64_t p = 0; p < area; p++) {
        sum += (double)gradient[p * channels + c];
    }
    return sum / (double)area;
}

void reha_explainer_read(const reha_explainer *explainer, reha_cam cam, float *map)
{
    const reha_net_value *value = &explainer->net->values[explainer->value];
    const float *activation = value->data->data, *gradient = value->grad->data; /* f32, nhwc */
    const int64_t area = value->h * value->w, channels = value->c;
    if (cam == REHA_CAM_HIRES || cam == REHA_CAM_GRADIENT) {
        for (int64_t p = 0; p < area; p++) {
            double sum = 0.0;
            for (int64_t c = 0; c < channels; c++) {
                const double seen = cam == REHA_CAM_HIRES ? (double)activation[p * channels + c] : 1.0;
                sum += seen * (double)gradient[p * channels + c];
            }
            map[p] = (float)sum;
        }
        return;
    }
    for (int64_t p = 0; p < area; p++) {
        map[p] = 0.0F;
    }
    for (int64_t c = 0; c < channels; c++) {
        const double weight = cam == REHA_CAM_MEAN ? mean_weight(gradient, area, channels, c)
                                                   : plus_weight(activation, gradient, area, channels, c);
        for (int64_t p = 0; p < area && weight != 0.0; p++) {
            map[p] += (float)(weight * (double)activation[p * channels + c]);
        }
    }
}
