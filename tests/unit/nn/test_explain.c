/* Gradient maps: the network's output is the inference result, the map is activation times gradient. */
#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "nn/explain.h"
#include "nn/fold.h"
#include "nn/reference.h"

#include <math.h>
#include <string.h>

enum { HEIGHT = 14, WIDTH = 10, MAPS = 9, CLASSES = 4 };

static reha_error err;

typedef struct model {
    reha_graph *graph;
    reha_value_id fused, features, logits; /* a batch-norm with ReLU behind it; the last map */
    float input[3 * HEIGHT * WIDTH];
} model;

/* With dropout and batch-norms that are no identity. `head`: pooled linear head, else a map as output. */
static void make(model *m, bool head)
{
    reha_value_id v, side;
    reha_random random = reha_random_init(9, 1);
    assert_ok(reha_graph_new("m", &m->graph, &err), &err);
    assert_ok(reha_graph_add_input(m->graph, "x", 3, HEIGHT, WIDTH, &v, &err), &err);
    assert_ok(reha_graph_add_conv(m->graph, "c1", v, 7, reha_window_square(3, 1, 1), 1, false, &v, &err),
              &err);
    assert_ok(reha_graph_add_batch_norm(m->graph, "n1", v, 1e-5F, &v, &err), &err);
    assert_ok(reha_graph_add_unary(m->graph, "r1", REHA_OP_RELU, v, &m->fused, &err), &err);
    assert_ok(
        reha_graph_add_conv(m->graph, "c2", m->fused, MAPS, reha_window_square(3, 2, 1), 1, true, &v, &err),
        &err);
    assert_ok(reha_graph_add_conv(m->graph, "c3", m->fused, MAPS, reha_window_square(1, 2, 0), 1, true, &side,
                                  &err),
              &err);
    assert_ok(reha_graph_add_binary(m->graph, "a", REHA_OP_ADD, v, side, &v, &err), &err);
    assert_ok(reha_graph_add_unary(m->graph, "r2", REHA_OP_RELU, v, &m->features, &err), &err);
    m->logits = m->features;
    if (head) {
        assert_ok(reha_graph_add_unary(m->graph, "g", REHA_OP_GLOBAL_AVERAGE_POOL, m->features, &v, &err),
                  &err);
        assert_ok(reha_graph_add_unary(m->graph, "f", REHA_OP_FLATTEN, v, &v, &err), &err);
        assert_ok(reha_graph_add_dropout(m->graph, "d", v, 0.5F, &v, &err), &err);
        assert_ok(reha_graph_add_fully_connected(m->graph, "fc", v, CLASSES, &m->logits, &err), &err);
    }
    assert_ok(reha_graph_mark_output(m->graph, m->logits, "y", &err), &err);
    reha_graph_init_params(m->graph, &random);
    for (int p = 0; p < reha_graph_param_count(m->graph); p++) {
        reha_param *param = reha_graph_param_mutable(m->graph, p);
        for (size_t i = 0; i < reha_shape_count(param->shape) && !param->decays; i++) {
            param->values[i] += (float)reha_random_range(&random, 0.0, 0.5);
        }
    }
    for (size_t i = 0; i < sizeof m->input / sizeof m->input[0]; i++) {
        m->input[i] = (float)reha_random_normal(&random);
    }
}

static double score_of(const model *m, const float *input, const float *weights, size_t count)
{
    const float *inputs[1] = {input};
    reha_reference *reference = NULL;
    double score = 0.0;
    assert_ok(reha_reference_new(m->graph, 1, inputs, &reference, &err), &err);
    for (size_t i = 0; i < count; i++) {
        score += (double)weights[i] * (double)reha_reference_value(reference, m->logits)[i];
    }
    reha_reference_free(reference);
    return score;
}

/* For a pooled linear head the gradient is the class weight over the area, and the map's sum is the
 * logit without its bias (the completeness of HiResCAM). */
static void test_pooled_head(void **state)
{
    enum { AREA = (HEIGHT / 2) * (WIDTH / 2) };
    model m;
    reha_explainer *explainer = NULL;
    reha_reference *reference = NULL;
    (void)state;
    make(&m, true);
    const float *inputs[1] = {m.input};
    const float *weight = reha_graph_param(m.graph, reha_graph_find_param(m.graph, "fc.weight"))->values;
    const float *bias = reha_graph_param(m.graph, reha_graph_find_param(m.graph, "fc.bias"))->values;
    assert_ok(reha_reference_new(m.graph, 1, inputs, &reference, &err), &err);
    assert_ok(reha_explainer_new(m.graph, m.features, 0, 2, &explainer, &err), &err);
    for (int k = 0; k < CLASSES; k++) {
        float hot[CLASSES] = {0}, outputs[CLASSES], map[AREA];
        double sum = 0.0;
        hot[k] = 1.0F;
        assert_ok(reha_explainer_run(explainer, inputs, hot, outputs, map, &err), &err);
        const float *logits = reha_reference_value(reference, m.logits);
        const float *features = reha_reference_value(reference, m.features);
        for (int i = 0; i < CLASSES; i++) {
            assert_true(fabs((double)outputs[i] - (double)logits[i]) < 1e-4);
        }
        for (int p = 0; p < AREA; p++) {
            double expected = 0.0;
            for (int c = 0; c < MAPS; c++) {
                expected += (double)features[c * AREA + p] * (double)weight[k * MAPS + c] / AREA;
            }
            assert_true(fabs((double)map[p] - expected) < 1e-5);
            sum += (double)map[p];
        }
        assert_true(fabs(sum + (double)bias[k] - (double)logits[k]) < 1e-4);
    }
    reha_explainer_free(explainer);
    reha_reference_free(reference);
    reha_graph_free(m.graph);
}

/* Behind a pooled linear head the gradient is one number per channel, so that weighing by its mean is the
 * same map; Grad-CAM++ keeps channels that speak for the class only, and the plain gradient is the sum of the
 * class weights. */
static void test_other_maps(void **state)
{
    enum { AREA = (HEIGHT / 2) * (WIDTH / 2) };
    model m;
    reha_explainer *explainer = NULL;
    float hot[CLASSES] = {0.0F, 1.0F}, outputs[CLASSES], run[AREA], map[AREA];
    (void)state;
    make(&m, true);
    const float *inputs[1] = {m.input};
    const float *weight = reha_graph_param(m.graph, reha_graph_find_param(m.graph, "fc.weight"))->values;
    assert_ok(reha_explainer_new(m.graph, m.features, 0, 1, &explainer, &err), &err);
    assert_ok(reha_explainer_run(explainer, inputs, hot, outputs, run, &err), &err);
    reha_explainer_read(explainer, REHA_CAM_HIRES, map);
    assert_memory_equal(map, run, sizeof map);
    reha_explainer_read(explainer, REHA_CAM_MEAN, map);
    for (int p = 0; p < AREA; p++) {
        assert_true(fabs((double)map[p] - (double)run[p]) < 1e-5);
    }
    double sum = 0.0;
    for (int c = 0; c < MAPS; c++) {
        sum += (double)weight[MAPS + c] / AREA;
    }
    reha_explainer_read(explainer, REHA_CAM_GRADIENT, map);
    for (int p = 0; p < AREA; p++) {
        assert_true(fabs((double)map[p] - sum) < 1e-5);
    }
    reha_explainer_read(explainer, REHA_CAM_PLUS, map);
    double most = 0.0;
    for (int p = 0; p < AREA; p++) {
        assert_true(map[p] >= 0.0F && isfinite(map[p]));
        most = fmax(most, (double)map[p]);
    }
    assert_true(most > 0.0);
    reha_explainer_free(explainer);
    reha_graph_free(m.graph);
}

/* Below other layers: activation * gradient of the network's input against finite differences. */
static void test_against_finite_differences(void **state)
{
    enum { COUNT = MAPS * (HEIGHT / 2) * (WIDTH / 2) };
    model m;
    reha_explainer *explainer = NULL;
    reha_random random = reha_random_init(2, 2);
    float weights[COUNT], outputs[COUNT], map[HEIGHT * WIDTH];
    (void)state;
    make(&m, false);
    const float *inputs[1] = {m.input};
    for (int i = 0; i < COUNT; i++) {
        weights[i] = (float)reha_random_normal(&random);
    }
    assert_ok(reha_explainer_new(m.graph, reha_graph_input(m.graph, 0), 0, 1, &explainer, &err), &err);
    assert_ok(reha_explainer_run(explainer, inputs, weights, outputs, map, &err), &err);
    for (int p = 0; p < HEIGHT * WIDTH; p += 7) {
        double expected = 0.0;
        bool agrees = false;
        for (float e = 1e-3F; e > 5e-5F && !agrees; e /= 4.0F) { /* smaller where a ReLU has its kink */
            expected = 0.0;
            for (int c = 0; c < 3; c++) {
                float *pixel = &m.input[c * HEIGHT * WIDTH + p];
                const float old = *pixel;
                *pixel = old + e;
                const double up = score_of(&m, m.input, weights, COUNT), high = (double)*pixel;
                *pixel = old - e;
                const double down = score_of(&m, m.input, weights, COUNT), low = (double)*pixel;
                *pixel = old;
                expected += (double)old * (up - down) / (high - low);
            }
            agrees = fabs((double)map[p] - expected) < 2e-2 * (fabs(expected) + 0.5);
        }
        if (!agrees) {
            fail_msg("pixel %d: %g, finite difference %g", p, (double)map[p], expected);
        }
    }
    reha_explainer_free(explainer);
    reha_graph_free(m.graph);
}

/* The map of a value inside: completeness does not hold, but a second run gives the same bits, and the
 * value behind a fused ReLU is the one behind, not before. */
static void test_inner_value(void **state)
{
    model m;
    reha_explainer *explainer = NULL;
    const float hot[CLASSES] = {0, 0, 1, 0};
    float outputs[CLASSES], map[HEIGHT * WIDTH], again[HEIGHT * WIDTH];
    (void)state;
    make(&m, true);
    const float *inputs[1] = {m.input};
    assert_ok(reha_explainer_new(m.graph, m.fused, 0, 2, &explainer, &err), &err);
    assert_ok(reha_explainer_run(explainer, inputs, hot, outputs, map, &err), &err);
    assert_ok(reha_explainer_run(explainer, inputs, hot, outputs, again, &err), &err);
    assert_memory_equal(map, again, sizeof map);
    reha_explainer_free(explainer);
    reha_graph_free(m.graph);
}

/* What lies behind a map, as a network of its own: the same outputs, and the same explanation from the map's
 * values alone. */
static void test_tail(void **state)
{
    enum { AREA = (HEIGHT / 2) * (WIDTH / 2) };
    model m;
    reha_explainer *whole = NULL, *behind = NULL;
    reha_reference *reference = NULL;
    reha_graph *tail = NULL;
    (void)state;
    make(&m, true);
    const float *inputs[1] = {m.input};
    assert_ok(reha_reference_new(m.graph, 1, inputs, &reference, &err), &err);
    const float *features[1] = {reha_reference_value(reference, m.features)};
    assert_ok(reha_graph_tail(m.graph, m.features, &tail, &err), &err);
    assert_int_equal(reha_graph_node_count(tail), 5); /* the map, pooled, flat, dropout, linear */
    assert_int_equal(reha_graph_param_count(tail), 2);
    assert_string_equal(reha_graph_node(tail, reha_graph_input(tail, 0))->name, "r2");
    assert_string_equal(reha_graph_output_name(tail, 0), "y");
    assert_ok(reha_explainer_new(m.graph, m.features, 0, 1, &whole, &err), &err);
    assert_ok(reha_explainer_new(tail, reha_graph_input(tail, 0), 0, 1, &behind, &err), &err);
    for (int k = 0; k < CLASSES; k++) {
        float hot[CLASSES] = {0}, outputs[CLASSES], others[CLASSES], map[AREA], other[AREA];
        hot[k] = 1.0F;
        assert_ok(reha_explainer_run(whole, inputs, hot, outputs, map, &err), &err);
        assert_ok(reha_explainer_run(behind, features, hot, others, other, &err), &err);
        for (int i = 0; i < CLASSES; i++) {
            assert_true(fabs((double)outputs[i] - (double)others[i]) < 1e-5);
        }
        for (int p = 0; p < AREA; p++) {
            assert_true(fabs((double)map[p] - (double)other[p]) < 1e-5);
        }
    }
    reha_explainer_free(whole);
    reha_explainer_free(behind);
    reha_reference_free(reference);
    reha_graph_free(tail);
    reha_graph_free(m.graph);
}

static void test_no_tail(void **state)
{
    model m;
    reha_graph *tail = NULL;
    reha_value_id late, other;
    (void)state;
    make(&m, true);
    assert_int_equal(reha_graph_tail(m.graph, reha_graph_find_node(m.graph, "c2"), &tail, &err), REHA_E_ARG);
    assert_null(tail);
    assert_non_null(strstr(err.text, "node c3 needs r1, which is not behind c2"));
    assert_int_equal(reha_graph_tail(m.graph, m.logits, &tail, &err), REHA_E_ARG); /* no map */
    assert_int_equal(reha_graph_tail(m.graph, -1, &tail, &err), REHA_E_ARG);
    assert_int_equal(reha_graph_tail(m.graph, 999, &tail, &err), REHA_E_ARG);
    assert_ok(reha_graph_add_input(m.graph, "x2", 1, 4, 4, &other, &err), &err);
    assert_ok(reha_graph_add_unary(m.graph, "s2", REHA_OP_SIGMOID, other, &late, &err), &err);
    assert_int_equal(reha_graph_tail(m.graph, late, &tail, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "output y does not depend on node s2"));
    reha_graph_free(m.graph);
}

static void expect_refused(const reha_graph *graph, reha_value_id value, int output, const char *text)
{
    reha_explainer *explainer = (reha_explainer *)&err;
    assert_int_equal(reha_explainer_new(graph, value, output, 1, &explainer, &err), REHA_E_ARG);
    assert_null(explainer);
    assert_non_null(strstr(err.text, text));
}

static void test_refusals(void **state)
{
    model m;
    reha_value_id late, other;
    (void)state;
    make(&m, true);
    expect_refused(m.graph, -1, 0, "value -1");
    expect_refused(m.graph, 999, 0, "value 999");
    expect_refused(m.graph, m.features, 1, "output 1");
    expect_refused(m.graph, m.features, -1, "output -1");
    assert_ok(reha_graph_add_input(m.graph, "x2", 1, 4, 4, &other, &err), &err);
    assert_ok(reha_graph_add_unary(m.graph, "s2", REHA_OP_SIGMOID, other, &late, &err), &err);
    expect_refused(m.graph, late, 0, "does not depend");
    reha_explainer_free(NULL);
    reha_graph_free(m.graph);
}

static void test_memory_runs_out(void **state)
{
    model m;
    reha_status status = REHA_E_NOMEM;
    long rounds = 0;
    (void)state;
    make(&m, true);
    const size_t blocks = reha_mem_live_blocks();
    while (status != REHA_OK) {
        reha_explainer *explainer = NULL;
        reha_mem_fail_after(rounds++);
        status = reha_explainer_new(m.graph, m.features, 0, 1, &explainer, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_explainer_free(explainer);
        assert_int_equal(reha_mem_live_blocks(), blocks);
    }
    assert_true(rounds > 30);
    reha_graph_free(m.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pooled_head),
        cmocka_unit_test(test_other_maps),
        cmocka_unit_test(test_against_finite_differences),
        cmocka_unit_test(test_inner_value),
        cmocka_unit_test(test_tail),
        cmocka_unit_test(test_no_tail),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
