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
    const reha_net_value *value = &net->values[explainer->value];
    const int64_t area = value->h * value->w;

    REHA_TRY(reha_net_forward(net, inputs, 0, err));
    reha_net_read_output(net, explainer->output, outputs);
    explainer->grads[explainer->output] = output_weights;
    REHA_TRY(reha_net_backward(net, explainer->grads, err));
    explainer->grads[explainer->output] = NULL; /* borrowed for this call only */
    const float *activation = value->data->data, *gradient = value->grad->data; /* f32, nhwc */
    for (int64_t p = 0; p < area; p++) {
        double sum = 0.0;
        for (int64_t c = 0; c < value->c; c++) {
            sum += (double)activation[p * value->c + c] * (double)gradient[p * value->c + c];
        }
        map[p] = (float)sum;
    }
    return REHA_OK;
}
