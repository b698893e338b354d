/* Every gradient of the trainer against finite differences, once per instruction set of this CPU
 * (oneDNN picks other code for each, and one of them was wrong before). */
#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "nn/trainer.h"

#include <math.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 3, CHANNELS = 5, HEIGHT = 9, WIDTH = 7 };

typedef struct bench {
    reha_graph *graph;
    reha_trainer_options options;
    float *input, *target;
    reha_error err;
} bench;

static float *random_values(reha_random *random, size_t count, double low, double high)
{
    float *values = reha_alloc_aligned(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)reha_random_range(random, low, high);
    }
    return values;
}

static double loss_at(bench *b, reha_trainer **keep)
{
    const float *inputs[1] = {b->input}, *targets[1] = {b->target};
    reha_trainer *trainer = NULL;
    double loss = 0.0;
    assert_ok(reha_trainer_new(b->graph, &b->options, &trainer, &b->err), &b->err);
    assert_ok(reha_trainer_backward(trainer, inputs, targets, &loss, &b->err), &b->err);
    if (keep != NULL) {
        *keep = trainer;
    } else {
        reha_trainer_free(trainer);
    }
    return loss;
}

/* Along two random directions per parameter tensor: (L(w + e u) - L(w - e u)) / 2e against g . u. */
static void check_params(bench *b, const char *name, double tolerance)
{
    reha_random random = reha_random_init(7, 3);
    reha_trainer *trainer = NULL;
    (void)loss_at(b, &trainer);
    for (int p = 0; p < reha_graph_param_count(b->graph); p++) {
        reha_param *param = reha_graph_param_mutable(b->graph, p);
        const size_t count = reha_shape_count(param->shape);
        if (!param->is_trainable) {
            continue;
        }
        float *gradient = random_values(&random, count, 0, 1);
        float *old = random_values(&random, count, 0, 1);
        memcpy(old, param->values, count * sizeof *old);
        assert_ok(reha_trainer_read_gradient(trainer, p, gradient, &b->err), &b->err);
        for (int trial = 0; trial < 2; trial++) {
            float *direction = random_values(&random, count, -1, 1);
            double expected = 0.0, norm = 0.0, g_norm = 0.0, side[2];
            for (size_t i = 0; i < count; i++) {
                expected += (double)gradient[i] * (double)direction[i];
                norm += (double)direction[i] * (double)direction[i];
                g_norm += (double)gradient[i] * (double)gradient[i];
            }
            const double e = 4e-3 / sqrt(norm);
            for (int s = 0; s < 2; s++) {
                for (size_t i = 0; i < count; i++) {
                    param->values[i] = old[i] + (float)((s == 0 ? e : -e) * (double)direction[i]);
                }
                side[s] = loss_at(b, NULL);
            }
            memcpy(param->values, old, count * sizeof *old);
            const double measured = (side[0] - side[1]) / (2 * e);
            const double scale = sqrt(g_norm * norm) + 1e-3;
            if (!(fabs(measured - expected) <= tolerance * scale)) {
                fail_msg("%s, %s: gradient %g, finite difference %g (scale %g)", name, param->name, expected,
                         measured, scale);
            }
            reha_free(direction);
        }
        reha_free(gradient);
        reha_free(old);
    }
    reha_trainer_free(trainer);
}

typedef reha_value_id build_fn(reha_graph *graph, reha_value_id in, reha_error *err);

static void start(bench *b, int channels)
{
    memset(b, 0, sizeof *b);
    assert_ok(reha_graph_new("g", &b->graph, &b->err), &b->err);
    b->options = reha_trainer_options_default();
    b->options.batch = BATCH;
    b->options.threads = 2;
    b->options.precision = REHA_F32;
    (void)channels;
}

static void finish(bench *b)
{
    reha_graph_free(b->graph);
    reha_free(b->input);
    reha_free(b->target);
}

/* A trainable 1x1 convolution below the operator shows the gradient of the operator's input. */
static void check_build(const char *name, build_fn *build, int channels)
{
    bench b;
    reha_value_id v;
    reha_random random = reha_random_init(5, (uint64_t)channels);
    start(&b, channels);
    assert_ok(reha_graph_add_input(b.graph, "x", CHANNELS, HEIGHT, WIDTH, &v, &b.err), &b.err);
    assert_ok(reha_graph_add_conv(b.graph, "below", v, channels, reha_window_square(1, 1, 0), 1, true, &v, &b.err),
              &b.err);
    v = build(b.graph, v, &b.err);
    assert_ok(reha_graph_mark_output(b.graph, v, "y", &b.err), &b.err);
    reha_graph_init_params(b.graph, &random);
    for (int p = 0; p < reha_graph_param_count(b.graph); p++) {
        reha_param *param = reha_graph_param_mutable(b.graph, p);
        if (!param->decays && param->is_trainable) {
            for (size_t i = 0; i < reha_shape_count(param->shape); i++) {
                param->values[i] += (float)reha_random_range(&random, -0.3, 0.3);
            }
        }
    }
    const size_t outputs = reha_shape_count(reha_graph_node(b.graph, v)->shape) * BATCH;
    b.input = random_values(&random, (size_t)BATCH * CHANNELS * HEIGHT * WIDTH, -1, 1);
    b.target = random_values(&random, outputs, -1, 1);
    b.options.loss_count = 1;
    b.options.losses[0] = (reha_loss){.kind = REHA_LOSS_MSE, .weight = 1.0F};
    check_params(&b, name, 1e-2);
    finish(&b);
}

#define CONV(fn, out, ...)                                                                                   \
    static reha_value_id fn(reha_graph *graph, reha_value_id in, reha_error *err)                            \
    {                                                                                                        \
        const reha_window window = {__VA_ARGS__};                                                            \
        const int groups = fn##_groups;                                                                      \
        assert_ok(reha_graph_add_conv(graph, "c", in, out, window, groups, true, &in, err), err);            \
        return in;                                                                                           \
    }
enum { conv3_groups = 1, conv3s2_groups = 1, conv1s2_groups = 1, conv1s2b_groups = 1, dilated_groups = 1 };
enum { grouped_groups = 2, depthwise_groups = 6, depthwise20_groups = 20, odd_groups = 1, dws2_groups = 6 };
/* kernel, stride, pad top/left/bottom/right, dilation */
CONV(conv3, 7, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1)
CONV(conv3s2, 7, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1)
CONV(conv1s2, 7, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1)
CONV(conv1s2b, 32, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1)
CONV(dilated, 6, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2)
CONV(grouped, 10, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1)
CONV(depthwise, 6, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1)
CONV(depthwise20, 20, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1)
CONV(dws2, 6, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1)
CONV(odd, 3, 5, 2, 2, 1, 2, 0, 1, 1, 1, 1)

static void test_convolutions(void **state)
{
    (void)state;
    check_build("3x3", conv3, 5);
    check_build("3x3 of 1", conv3, 1);
    check_build("3x3 of 16", conv3, 16);
    check_build("3x3 stride 2", conv3s2, 5);
    check_build("3x3 stride 2 of 3", conv3s2, 3);
    check_build("1x1 stride 2 of 5", conv1s2, 5);
    check_build("1x1 stride 2 of 20", conv1s2, 20);
    check_build("1x1 stride 2 of 16", conv1s2b, 16);
    check_build("dilated", dilated, 5);
    check_build("grouped", grouped, 6);
    check_build("depth-wise", depthwise, 6);
    check_build("depth-wise of 20", depthwise20, 20);
    check_build("depth-wise stride 2", dws2, 6);
    check_build("5x2, uneven stride and padding", odd, 4);
}

static reha_value_id norm(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_batch_norm(graph, "n", in, 1e-3F, &in, err), err);
    return in;
}

static reha_value_id norm_relu(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_batch_norm(graph, "n", in, 1e-3F, &in, err), err);
    assert_ok(reha_graph_add_unary(graph, "r", REHA_OP_RELU, in, &in, err), err);
    return in;
}

static reha_value_id norm_relu6(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_batch_norm(graph, "n", in, 1e-3F, &in, err), err);
    assert_ok(reha_graph_add_unary(graph, "r", REHA_OP_RELU6, in, &in, err), err);
    return in;
}

static reha_value_id norm_frozen(reha_graph *graph, reha_value_id in, reha_error *err)
{
    in = norm_relu(graph, in, err);
    reha_graph_node_mutable(graph, reha_graph_find_node(graph, "n"))->is_frozen = true;
    return in;
}

static reha_value_id sigmoid(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_unary(graph, "s", REHA_OP_SIGMOID, in, &in, err), err);
    return in;
}

static reha_value_id relu(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_unary(graph, "s", REHA_OP_RELU, in, &in, err), err);
    return in;
}

static reha_value_id max_pool(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_pool(graph, "p", REHA_OP_MAX_POOL, in, reha_window_square(3, 2, 1), &in, err), err);
    return in;
}

static reha_value_id average_pool(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_pool(graph, "p", REHA_OP_AVERAGE_POOL, in, reha_window_square(3, 2, 1), &in, err),
              err);
    return in;
}

static void test_norm_and_pool(void **state)
{
    (void)state;
    check_build("batch-norm", norm, 5);
    check_build("batch-norm of 300", norm, 300);
    check_build("batch-norm, relu", norm_relu, 5);
    check_build("batch-norm, relu6", norm_relu6, 16);
    check_build("frozen batch-norm", norm_frozen, 5);
    check_build("sigmoid", sigmoid, 5);
    check_build("relu", relu, 5);
    check_build("max pool", max_pool, 5);
    check_build("max pool of 16", max_pool, 16);
    check_build("average pool", average_pool, 5);
    check_build("average pool of 32", average_pool, 32);
}

/* Pre-activation unit: the branch point needs its gradient from two sides. */
static reha_value_id residual_v2(reha_graph *graph, reha_value_id in, reha_error *err)
{
    reha_value_id v;
    assert_ok(reha_graph_add_batch_norm(graph, "n1", in, 1e-3F, &v, err), err);
    assert_ok(reha_graph_add_unary(graph, "r1", REHA_OP_RELU, v, &v, err), err);
    assert_ok(reha_graph_add_conv(graph, "c1", v, 6, reha_window_square(3, 1, 1), 1, false, &v, err), err);
    assert_ok(reha_graph_add_binary(graph, "a1", REHA_OP_ADD, v, in, &in, err), err);
    assert_ok(reha_graph_add_batch_norm(graph, "n2", in, 1e-3F, &v, err), err);
    assert_ok(reha_graph_add_conv(graph, "c2", v, 6, reha_window_square(1, 1, 0), 1, false, &v, err), err);
    assert_ok(reha_graph_add_binary(graph, "a2", REHA_OP_ADD, in, v, &in, err), err);
    return in;
}

static reha_value_id residual_v1(reha_graph *graph, reha_value_id in, reha_error *err)
{
    reha_value_id v, s;
    assert_ok(reha_graph_add_conv(graph, "c1", in, 6, reha_window_square(3, 2, 1), 1, false, &v, err), err);
    assert_ok(reha_graph_add_batch_norm(graph, "n1", v, 1e-3F, &v, err), err);
    assert_ok(reha_graph_add_conv(graph, "c2", in, 6, reha_window_square(1, 2, 0), 1, false, &s, err), err);
    assert_ok(reha_graph_add_batch_norm(graph, "n2", s, 1e-3F, &s, err), err);
    assert_ok(reha_graph_add_binary(graph, "a", REHA_OP_ADD, v, s, &v, err), err);
    assert_ok(reha_graph_add_unary(graph, "r", REHA_OP_RELU, v, &v, err), err);
    assert_ok(reha_graph_add_conv(graph, "c3", v, 6, reha_window_square(3, 1, 1), 1, false, &s, err), err);
    assert_ok(reha_graph_add_binary(graph, "a3", REHA_OP_ADD, v, s, &v, err), err);
    assert_ok(reha_graph_add_unary(graph, "r3", REHA_OP_RELU, v, &v, err), err);
    return v;
}

static reha_value_id twice(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_binary(graph, "a", REHA_OP_ADD, in, in, &in, err), err);
    return in;
}

static reha_value_id head(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_unary(graph, "g", REHA_OP_GLOBAL_AVERAGE_POOL, in, &in, err), err);
    assert_ok(reha_graph_add_unary(graph, "f", REHA_OP_FLATTEN, in, &in, err), err);
    assert_ok(reha_graph_add_dropout(graph, "d", in, 0.4F, &in, err), err);
    assert_ok(reha_graph_add_fully_connected(graph, "fc1", in, 9, &in, err), err);
    assert_ok(reha_graph_add_unary(graph, "r", REHA_OP_SIGMOID, in, &in, err), err);
    assert_ok(reha_graph_add_fully_connected(graph, "fc2", in, 4, &in, err), err);
    return in;
}

static reha_value_id flat(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_unary(graph, "f", REHA_OP_FLATTEN, in, &in, err), err);
    assert_ok(reha_graph_add_fully_connected(graph, "fc", in, 4, &in, err), err);
    return in;
}

static void test_branches_and_heads(void **state)
{
    (void)state;
    check_build("pre-activation units", residual_v2, 6);
    check_build("residual units", residual_v1, 6);
    check_build("x + x", twice, 4);
    check_build("pooled head", head, 6);
    check_build("flattened map", flat, 3);
}

/* Runs all tests again in a child of its own for each lower instruction set. */
static int run_with_isa(const char *program, const char *isa)
{
    const pid_t child = fork();
    int result = 1;
    if (child == 0) {
        setenv("DNNL_MAX_CPU_ISA", isa, 1);
        execl(program, program, isa, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &result, 0) != child) {
        return 1;
    }
    return WIFEXITED(result) ? WEXITSTATUS(result) : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolutions),
        cmocka_unit_test(test_norm_and_pool),
        cmocka_unit_test(test_branches_and_heads),
    };
    const char *isas[] = {"AVX2", "AVX512_CORE"};
    char title[96];
    int failures;
    snprintf(title, sizeof title, "gradients on %s", reha_nn_isa());
    failures = cmocka_run_group_tests_name(title, tests, NULL, NULL);
    for (size_t i = 0; argc == 1 && i < sizeof isas / sizeof isas[0]; i++) {
        failures += run_with_isa(argv[0], isas[i]);
    }
    return failures;
}
