/* Model files from outside. Beyond "no crash": a success is a graph whose values all have sizes within
 * the limits, a failure has no graph and says why. Small limits keep each run short. */
#include "base/memory.h"
#include "nn/onnx.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

static void check_graph(const reha_graph *graph, const reha_onnx_limits *limits)
{
    size_t params = 0;
    require(reha_graph_output_count(graph) >= 1);
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        const reha_node *node = reha_graph_node(graph, i);
        require(node->shape.rank == 2 || node->shape.rank == 4);
        require(node->name[0] != '\0' && reha_shape_count(node->shape) <= (size_t)1 << 30);
        for (int k = 0; k < node->input_count; k++) {
            require(node->inputs[k] >= 0 && node->inputs[k] < i);
        }
    }
    for (int i = 0; i < reha_graph_param_count(graph); i++) {
        params += reha_shape_count(reha_graph_param(graph, i)->shape);
    }
    require(params <= 2 * limits->params_max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const reha_onnx_limits limits = {.file_bytes_max = 1 << 20, .nodes_max = 500, .params_max = 1 << 20};
    reha_graph *graph = NULL;
    reha_error err = REHA_ERROR_INIT;
    const size_t blocks = reha_mem_live_blocks();
    const reha_status status = reha_onnx_parse(data, size, &limits, &graph, &err);
    if (status == REHA_OK) {
        require(graph != NULL);
        check_graph(graph, &limits);
        reha_graph_free(graph);
    } else {
        require(graph == NULL);
        require(err.text[0] != '\0' && err.status == status);
        require(status != REHA_E_INTERNAL && status != REHA_E_ARG);
    }
    require(reha_mem_live_blocks() == blocks);
    return 0;
}
