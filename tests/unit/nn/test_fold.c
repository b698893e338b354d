#include "support.h"

#include "base/memory.h"
#include "nn/fold.h"
#include "nn/reference.h"

#include <math.h>

enum { SIDE = 6, CHANNELS = 3 };

static void randomise(reha_graph *graph, reha_random *random)
{
    for (int p = 0; p < reha_graph_param_count(graph); p++) {
        reha_param *param = reha_graph_param_mutable(graph, p);
        for (size_t i = 0; i < reha_shape_count(param->shape); i++) {
            param->values[i] = (float)reha_random_range(random, 0.2, 1.2); /* variances stay positive */
        }
    }
}

/* conv -> bn -> relu -> conv transpose (bias) -> bn, and a bn that nothing can take up. */
static reha_graph *build(reha_random *random)
{
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    reha_value_id value = 0;
    reha_value_id input = 0;
    assert_ok(reha_graph_new("fold", &graph, &err), &err);
    assert_ok(reha_graph_add_input(graph, "x", CHANNELS, SIDE, SIDE, &input, &err), &err);
    assert_ok(reha_graph_add_batch_norm(graph, "first", input, 1e-3F, &value, &err), &err);
    assert_ok(reha_graph_add_conv(graph, "a", value, 4, reha_window_square(3, 1, 1), 1, false, &value, &err),
              &err);
    assert_ok(reha_graph_add_batch_norm(graph, "a_norm", value, 1e-3F, &value, &err), &err);
    assert_ok(reha_graph_add_unary(graph, "relu", REHA_OP_RELU, value, &value, &err), &err);
    assert_ok(
        reha_graph_add_conv_transpose(graph, "b", value, 5, reha_window_square(2, 2, 0), true, &value, &err),
        &err);
    assert_ok(reha_graph_add_batch_norm(graph, "b_norm", value, 1e-3F, &value, &err), &err);
    assert_ok(reha_graph_mark_output(graph, value, "y", &err), &err);
    randomise(graph, random);
    return graph;
}

static int count_norms(const reha_graph *graph)
{
    int norms = 0;
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        norms += reha_graph_node(graph, i)->op == REHA_OP_BATCH_NORM ? 1 : 0;
    }
    return norms;
}

static void test_same_results_fewer_nodes(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_random random = reha_random_init(5, 0);
    reha_graph *graph = build(&random);
    reha_graph *folded = NULL;
    float input[CHANNELS * SIDE * SIDE];
    const float *inputs[1] = {input};
    reha_reference *before = NULL;
    reha_reference *after = NULL;
    for (size_t i = 0; i < sizeof input / sizeof input[0]; i++) {
        input[i] = (float)reha_random_normal(&random);
    }
    assert_ok(reha_graph_fold_batch_norm(graph, &folded, &err), &err);
    assert_int_equal(count_norms(graph), 3);
    assert_int_equal(count_norms(folded), 1); /* the one on the input stays */
    assert_true(reha_graph_find_param(folded, "a.bias") >= 0);
    assert_ok(reha_reference_new(graph, 1, inputs, &before, &err), &err);
    assert_ok(reha_reference_new(folded, 1, inputs, &after, &err), &err);
    const float *expected = reha_reference_value(before, reha_graph_output(graph, 0));
    const float *got = reha_reference_value(after, reha_graph_output(folded, 0));
    const size_t count = reha_reference_count(before, reha_graph_output(graph, 0));
    assert_int_equal(count, 5 * 4 * SIDE * SIDE);
    for (size_t i = 0; i < count; i++) {
        assert_true(fabsf(got[i] - expected[i]) <= 1e-4F * (1.0F + fabsf(expected[i])));
    }
    reha_reference_free(before);
    reha_reference_free(after);
    reha_graph_free(graph);
    reha_graph_free(folded);
}

static void test_a_shared_convolution_is_left_alone(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    reha_graph *folded = NULL;
    reha_value_id conv = 0;
    reha_value_id norm = 0;
    assert_ok(reha_graph_new("shared", &graph, &err), &err);
    assert_ok(reha_graph_add_input(graph, "x", CHANNELS, SIDE, SIDE, &conv, &err), &err);
    assert_ok(reha_graph_add_conv(graph, "a", conv, 4, reha_window_square(1, 1, 0), 1, false, &conv, &err),
              &err);
    assert_ok(reha_graph_add_batch_norm(graph, "norm", conv, 1e-3F, &norm, &err), &err);
    assert_ok(reha_graph_add_binary(graph, "sum", REHA_OP_ADD, conv, norm, &norm, &err), &err);
    assert_ok(reha_graph_mark_output(graph, norm, "y", &err), &err);
    assert_ok(reha_graph_fold_batch_norm(graph, &folded, &err), &err);
    assert_int_equal(count_norms(folded), 1);
    reha_graph_free(graph);
    reha_graph_free(folded);
}

static void test_memory_failures(void **state)
{
    (void)state;
    reha_random random = reha_random_init(5, 0);
    reha_graph *graph = build(&random);
    const size_t before = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    for (long round = 0; status != REHA_OK; round++) {
        reha_graph *folded = NULL;
        reha_mem_fail_after(round);
        status = reha_graph_fold_batch_norm(graph, &folded, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_graph_free(folded);
        assert_int_equal(reha_mem_live_blocks(), before);
    }
    reha_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_results_fewer_nodes),
                                       cmocka_unit_test(test_a_shared_convolution_is_left_alone),
                                       cmocka_unit_test(test_memory_failures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
