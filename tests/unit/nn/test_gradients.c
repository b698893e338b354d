/* Every gradient of the trainer against finite differences, once per instruction set of this CPU
 * (oneDNN picks other code for each, and one of them was wrong before). */
#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "nn/trainer_priv.h"

#include <math.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 3, CHANNELS = 5, HEIGHT = 9, WIDTH = 7 };

typedef struct bench {
    reha_graph *graph;
    reha_trainer_options options;
    reha_trainer *trainer;
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

/* With the graph's present weights; the same dropout each time. */
static double loss_at(bench *b)
{
    const float *inputs[1] = {b->input}, *targets[1] = {b->target};
    reha_net *net = b->trainer->net;
    double loss = 0.0;
    for (int p = 0; p < net->param_count; p++) {
        memcpy(net->weights + net->params[p].offset, reha_graph_param(b->graph, p)->values,
               net->params[p].count * sizeof(float));
    }
    reha_net_weights_restored(net);
    b->trainer->batches = 0;
    assert_ok(reha_trainer_backward(b->trainer, inputs, targets, &loss, &b->err), &b->err);
    return loss;
}

/* (L(w + e u) - L(w - e u)) / 2e along u: once a random one, once the gradient itself,
 * where the difference is largest. */
static double finite_difference(bench *b, reha_param *param, const float *direction, double e)
{
    const size_t count = reha_shape_count(param->shape);
    float *old = reha_alloc(count * sizeof *old);
    double side[2];
    assert_non_null(old);
    memcpy(old, param->values, count * sizeof *old);
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < count; i++) {
            param->values[i] = old[i] + (float)((s == 0 ? e : -e) * (double)direction[i]);
        }
        side[s] = loss_at(b);
    }
    memcpy(param->values, old, count * sizeof *old);
    reha_free(old);
    return (side[0] - side[1]) / (2 * e);
}

static double dot(const float *a, const float *b, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static void check_params(bench *b, const char *name, double tolerance)
{
    reha_random random = reha_random_init(7, 3);
    assert_ok(reha_trainer_new(b->graph, &b->options, &b->trainer, &b->err), &b->err);
    for (int p = 0; p < reha_graph_param_count(b->graph); p++) {
        reha_param *param = reha_graph_param_mutable(b->graph, p);
        const size_t count = reha_shape_count(param->shape);
        if (!param->is_trainable) {
            continue;
        }
        float *gradient = random_values(&random, count, 0, 1);
        (void)loss_at(b);
        assert_ok(reha_trainer_read_gradient(b->trainer, p, gradient, &b->err), &b->err);
        const double length = sqrt(dot(gradient, gradient, count));
        for (int trial = 0; trial < 2; trial++) {
            float *direction = random_values(&random, count, -1, 1);
            for (size_t i = 0; i < count && trial == 1 && length > 0.0; i++) {
                direction[i] = (float)((double)gradient[i] / length);
            }
            const double norm = sqrt(dot(direction, direction, count));
            const double expected = dot(gradient, direction, count) / norm;
            double measured = 0.0;
            bool agrees = false;
            /* A smaller step where the first one crosses a kink of ReLU or max pooling. */
            for (double e = 4e-3; e > 2e-4 && !agrees; e /= 4) {
                measured = finite_difference(b, param, direction, e / norm) / norm;
                agrees = fabs(measured - expected) <= tolerance * (length + 0.01);
            }
            if (!agrees) {
                fail_msg("%s, %s: gradient %g, finite difference %g (length %g)", name, param->name, expected,
                         measured, length);
            }
            reha_free(direction);
        }
        reha_free(gradient);
    }
}

typedef reha_value_id build_fn(reha_graph *graph, reha_value_id in, reha_error *err);

static void start(bench *b)
{
    memset(b, 0, sizeof *b);
    assert_ok(reha_graph_new("g", &b->graph, &b->err), &b->err);
    b->options = reha_trainer_options_default();
    b->options.batch = BATCH;
    b->options.threads = 2;
    b->options.precision = REHA_F32;
}

static void finish(bench *b)
{
    reha_trainer_free(b->trainer);
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
    start(&b);
    assert_ok(reha_graph_add_input(b.graph, "x", CHANNELS, HEIGHT, WIDTH, &v, &b.err), &b.err);
    assert_ok(
        reha_graph_add_conv(b.graph, "below", v, channels, reha_window_square(1, 1, 0), 1, true, &v, &b.err),
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
    check_params(&b, name, 4e-3);
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
    assert_ok(reha_graph_add_pool(graph, "p", REHA_OP_MAX_POOL, in, reha_window_square(3, 2, 1), &in, err),
              err);
    return in;
}

static reha_value_id average_pool(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(
        reha_graph_add_pool(graph, "p", REHA_OP_AVERAGE_POOL, in, reha_window_square(3, 2, 1), &in, err),
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

static reha_value_id up(reha_graph *graph, reha_value_id in, int kernel, int stride, int pad, int out,
                        reha_error *err)
{
    assert_ok(reha_graph_add_conv_transpose(graph, "t", in, out, reha_window_square(kernel, stride, pad),
                                            true, &in, err),
              err);
    return in;
}

static reha_value_id up2(reha_graph *graph, reha_value_id in, reha_error *err)
{
    return up(graph, in, 2, 2, 0, 7, err);
}

static reha_value_id up2_16(reha_graph *graph, reha_value_id in, reha_error *err)
{
    return up(graph, in, 2, 2, 0, 16, err);
}

static reha_value_id up4(reha_graph *graph, reha_value_id in, reha_error *err)
{
    return up(graph, in, 4, 2, 1, 3, err);
}

static reha_value_id up3(reha_graph *graph, reha_value_id in, reha_error *err)
{
    return up(graph, in, 3, 1, 1, 5, err);
}

static reha_value_id joined(reha_graph *graph, reha_value_id in, reha_error *err)
{
    reha_value_id parts[4] = {in, in, in, in};
    assert_ok(reha_graph_add_unary(graph, "s", REHA_OP_SIGMOID, in, &parts[1], err), err);
    assert_ok(reha_graph_add_conv(graph, "c", in, 3, reha_window_square(3, 1, 1), 1, true, &parts[2], err),
              err);
    assert_ok(reha_graph_add_concat(graph, "j", parts, 4, &in, err), err);
    return in;
}

static reha_value_id squeezed(reha_graph *graph, reha_value_id in, reha_error *err)
{
    reha_value_id v;
    assert_ok(reha_graph_add_unary(graph, "g", REHA_OP_GLOBAL_AVERAGE_POOL, in, &v, err), err);
    assert_ok(reha_graph_add_conv(graph, "e", v, 6, reha_window_square(1, 1, 0), 1, true, &v, err), err);
    assert_ok(reha_graph_add_unary(graph, "s", REHA_OP_SIGMOID, v, &v, err), err);
    assert_ok(reha_graph_add_binary(graph, "m", REHA_OP_MUL, in, v, &in, err), err);
    return in;
}

static reha_value_id product(reha_graph *graph, reha_value_id in, reha_error *err)
{
    reha_value_id v;
    assert_ok(reha_graph_add_conv(graph, "c", in, 6, reha_window_square(3, 1, 1), 1, true, &v, err), err);
    assert_ok(reha_graph_add_binary(graph, "m", REHA_OP_MUL, v, in, &in, err), err);
    return in;
}

static reha_value_id squared(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_binary(graph, "m", REHA_OP_MUL, in, in, &in, err), err);
    return in;
}

static reha_value_id softmax(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_unary(graph, "s", REHA_OP_SOFTMAX, in, &in, err), err);
    return in;
}

static reha_value_id nearest(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_resize(graph, "z", REHA_OP_RESIZE_NEAREST, in, 2, 3, &in, err), err);
    return in;
}

static reha_value_id bilinear(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_resize(graph, "z", REHA_OP_RESIZE_BILINEAR, in, 2, 4, &in, err), err);
    return in;
}

static reha_value_id bilinear3(reha_graph *graph, reha_value_id in, reha_error *err)
{
    assert_ok(reha_graph_add_resize(graph, "z", REHA_OP_RESIZE_BILINEAR, in, 3, 1, &in, err), err);
    return in;
}

static void test_maps(void **state)
{
    (void)state;
    check_build("transposed 2x2 stride 2", up2, 5);
    check_build("transposed 2x2 stride 2 of 16", up2_16, 32);
    check_build("transposed 4x4 stride 2", up4, 6);
    check_build("transposed 3x3", up3, 1);
    check_build("concat", joined, 5);
    check_build("concat of 16", joined, 16);
    check_build("squeeze and excite", squeezed, 6);
    check_build("product", product, 6);
    check_build("x * x", squared, 4);
    check_build("softmax", softmax, 7);
    check_build("nearest", nearest, 5);
    check_build("bilinear", bilinear, 5);
    check_build("bilinear of 300", bilinear, 300);
    check_build("bilinear by 3 and 1", bilinear3, 3);
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
        cmocka_unit_test(test_maps),
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
