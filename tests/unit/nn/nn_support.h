/* Shared by the tests of the network engine: random graphs, sessions against the reference, and runs
 * of one test program on each instruction set. */
#ifndef REHA_TESTS_NN_SUPPORT_H
#define REHA_TESTS_NN_SUPPORT_H

#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "nn/quantize.h"
#include "nn/reference.h"
#include "nn/session.h"
#include "nn/zoo.h"

#include <math.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NN_PORTS_MAX = 8 };

static inline float *nn_normal(reha_random *random, size_t count)
{
    float *values = reha_alloc_aligned(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)reha_random_normal(random);
    }
    return values;
}

static inline bool nn_ends_with(const char *name, const char *suffix)
{
    const size_t a = strlen(name);
    const size_t b = strlen(suffix);
    return a >= b && strcmp(name + a - b, suffix) == 0;
}

/* He weights, and batch-norms that are no identity but keep the activations of deep networks in range. */
static inline void nn_randomise(reha_graph *graph, reha_random *random)
{
    reha_graph_init_params(graph, random);
    for (int p = 0; p < reha_graph_param_count(graph); p++) {
        reha_param *param = reha_graph_param_mutable(graph, p);
        const size_t count = reha_shape_count(param->shape);
        for (size_t i = 0; i < count; i++) {
            if (nn_ends_with(param->name, ".variance")) {
                param->values[i] = (float)reha_random_range(random, 0.7, 1.5);
            } else if (nn_ends_with(param->name, ".scale")) {
                param->values[i] = (float)reha_random_range(random, 0.6, 1.0);
            } else if (!nn_ends_with(param->name, ".weight")) {
                param->values[i] = (float)(0.1 * reha_random_normal(random));
            }
        }
    }
}

typedef struct nn_data { /* inputs of a batch, and room for the outputs */
    int inputs, outputs;
    float *in[NN_PORTS_MAX], *out[NN_PORTS_MAX];
    size_t out_count[NN_PORTS_MAX];
} nn_data;

static inline nn_data nn_data_new(const reha_graph *graph, int batch, reha_random *random)
{
    nn_data data = {.inputs = reha_graph_input_count(graph), .outputs = reha_graph_output_count(graph)};
    assert_true(data.inputs <= NN_PORTS_MAX && data.outputs <= NN_PORTS_MAX);
    for (int i = 0; i < data.inputs; i++) {
        data.in[i] = nn_normal(
            random,
            (size_t)batch * reha_shape_count(reha_graph_node(graph, reha_graph_input(graph, i))->shape));
    }
    for (int i = 0; i < data.outputs; i++) {
        data.out_count[i] =
            (size_t)batch * reha_shape_count(reha_graph_node(graph, reha_graph_output(graph, i))->shape);
        data.out[i] = reha_alloc_aligned(data.out_count[i] * sizeof(float));
        assert_non_null(data.out[i]);
    }
    return data;
}

static inline void nn_data_clear(nn_data *data)
{
    for (int i = 0; i < data->inputs; i++) {
        reha_free(data->in[i]);
    }
    for (int i = 0; i < data->outputs; i++) {
        reha_free(data->out[i]);
    }
}

/* Largest difference over the largest magnitude. */
static inline double nn_difference(const float *a, const float *b, size_t count)
{
    double largest = 1e-30;
    double difference = 0;
    for (size_t i = 0; i < count; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        largest = fmax(largest, fabs((double)b[i]));
        difference = d > difference || isnan(d) ? d : difference;
    }
    return difference / largest;
}

/* Root of the mean square difference over that of the values: for rounded precisions. */
static inline double nn_rms_difference(const float *a, const float *b, size_t count)
{
    double sum = 0;
    double total = 1e-30;
    for (size_t i = 0; i < count; i++) {
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        total += (double)b[i] * (double)b[i];
    }
    return sqrt(sum / total);
}

/* Runs argv[0] again with DNNL_MAX_CPU_ISA for each instruction set; the sum of their failures. */
static inline int nn_run_on_each_isa(char **argv)
{
    static const char *const isas[] = {"AVX2", "AVX512_CORE", "AVX512_CORE_VNNI"};
    int failures = 0;
    for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
        int result = 1;
        fflush(NULL);
        const pid_t child = fork();
        if (child == 0) {
            setenv("DNNL_MAX_CPU_ISA", isas[i], 1);
            execl(argv[0], argv[0], isas[i], (char *)NULL);
            _exit(127);
        }
        const bool is_fine = child > 0 && waitpid(child, &result, 0) == child && WIFEXITED(result);
        failures += is_fine ? WEXITSTATUS(result) : 1;
    }
    return failures;
}

#endif
