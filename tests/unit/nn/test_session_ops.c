/* Every operator and fusion of the sessions against the reference, in each precision, on each
 * instruction set of this CPU. */
#include "unit/nn/nn_support.h"

enum { BATCH = 3 };

typedef struct net { /* a graph under construction: errors end the test */
    reha_graph *graph;
    reha_error err;
    int count;
    char name[32];
} net;

static const char *next_name(net *n)
{
    snprintf(n->name, sizeof n->name, "n%d", n->count++);
    return n->name;
}

static reha_value_id input(net *n, int channels, int height, int width)
{
    reha_value_id v;
    assert_ok(reha_graph_add_input(n->graph, next_name(n), channels, height, width, &v, &n->err), &n->err);
    return v;
}

static reha_value_id conv_window(net *n, reha_value_id x, int channels, reha_window w, int groups, bool bias)
{
    reha_value_id v;
    assert_ok(reha_graph_add_conv(n->graph, next_name(n), x, channels, w, groups, bias, &v, &n->err),
              &n->err);
    return v;
}

static reha_value_id conv(net *n, reha_value_id x, int channels, int kernel, int stride, int pad)
{
    return conv_window(n, x, channels, reha_window_square(kernel, stride, pad), 1, true);
}

static reha_value_id transpose(net *n, reha_value_id x, int channels, reha_window w)
{
    reha_value_id v;
    assert_ok(reha_graph_add_conv_transpose(n->graph, next_name(n), x, channels, w, true, &v, &n->err),
              &n->err);
    return v;
}

static reha_value_id norm(net *n, reha_value_id x)
{
    reha_value_id v;
    assert_ok(reha_graph_add_batch_norm(n->graph, next_name(n), x, 1e-3F, &v, &n->err), &n->err);
    return v;
}

static reha_value_id unary(net *n, reha_op op, reha_value_id x)
{
    reha_value_id v;
    assert_ok(reha_graph_add_unary(n->graph, next_name(n), op, x, &v, &n->err), &n->err);
    return v;
}

static reha_value_id binary(net *n, reha_op op, reha_value_id a, reha_value_id b)
{
    reha_value_id v;
    assert_ok(reha_graph_add_binary(n->graph, next_name(n), op, a, b, &v, &n->err), &n->err);
    return v;
}

static reha_value_id concat(net *n, reha_value_id a, reha_value_id b)
{
    const reha_value_id parts[2] = {a, b};
    reha_value_id v;
    assert_ok(reha_graph_add_concat(n->graph, next_name(n), parts, 2, &v, &n->err), &n->err);
    return v;
}

static reha_value_id pool(net *n, reha_op op, reha_value_id x, int kernel, int stride, int pad)
{
    reha_value_id v;
    assert_ok(reha_graph_add_pool(n->graph, next_name(n), op, x, reha_window_square(kernel, stride, pad), &v,
                                  &n->err),
              &n->err);
    return v;
}

static reha_value_id resize(net *n, reha_op op, reha_value_id x, int h, int w)
{
    reha_value_id v;
    assert_ok(reha_graph_add_resize(n->graph, next_name(n), op, x, h, w, &v, &n->err), &n->err);
    return v;
}

static reha_value_id layer(net *n, reha_value_id x, int features)
{
    reha_value_id v;
    assert_ok(reha_graph_add_fully_connected(n->graph, next_name(n), x, features, &v, &n->err), &n->err);
    return v;
}

static reha_value_id dropout(net *n, reha_value_id x)
{
    reha_value_id v;
    assert_ok(reha_graph_add_dropout(n->graph, next_name(n), x, 0.5F, &v, &n->err), &n->err);
    return v;
}

static void output(net *n, reha_value_id x)
{
    assert_ok(reha_graph_mark_output(n->graph, x, next_name(n), &n->err), &n->err);
}

static net net_new(void)
{
    net n = {0};
    assert_ok(reha_graph_new("net", &n.graph, &n.err), &n.err);
    return n;
}

/* ---- the judge ---- */

static reha_session *make_session(const net *n, int batch_max, int threads, reha_precision precision,
                                  const reha_calibration *calibration)
{
    reha_error err = REHA_ERROR_INIT;
    reha_session_options options = reha_session_options_default();
    reha_session *session = NULL;
    options.batch_max = batch_max;
    options.threads = threads;
    options.precision = precision;
    options.calibration = calibration;
    assert_ok(reha_session_new(n->graph, &options, &session, &err), &err);
    return session;
}

static void assert_no_reference(const reha_session *session)
{
    const char *node;
    const char *implementation;
    for (int i = 0; reha_session_layer_info(session, i, &node, &implementation); i++) {
        if (strstr(implementation, "ref") != NULL) {
            fail_msg("node %s runs on %s", node, implementation);
        }
    }
}

static void compare(const net *n, reha_precision precision, double tolerance, const char *what)
{
    reha_error err = REHA_ERROR_INIT;
    reha_random random = reha_random_init(3, 1);
    reha_reference *reference = NULL;
    reha_calibration *calibration = NULL;
    nn_data data = nn_data_new(n->graph, BATCH, &random);
    const float *const *inputs = (const float *const *)data.in;
    assert_ok(reha_reference_new(n->graph, BATCH, inputs, &reference, &err), &err);
    if (precision == REHA_INT8) {
        reha_calibration_options options = reha_calibration_options_default();
        options.percentile = 1.0F;
        assert_ok(reha_calibration_new(n->graph, &options, &calibration, &err), &err);
        assert_ok(reha_calibration_add(calibration, BATCH, inputs, &err), &err);
    }
    for (int threads = 1; threads <= 2; threads++) {
        reha_session *session = make_session(n, BATCH, threads, precision, calibration);
        assert_ok(reha_session_run(session, BATCH, inputs, data.out, &err), &err);
        for (int i = 0; i < data.outputs; i++) {
            const float *expected = reha_reference_value(reference, reha_graph_output(n->graph, i));
            const double difference = precision == REHA_F32
                                          ? nn_difference(data.out[i], expected, data.out_count[i])
                                          : nn_rms_difference(data.out[i], expected, data.out_count[i]);
            if (!(difference <= tolerance)) {
                fail_msg("%s, output %d, %s, %d threads: difference %g", what, i,
                         reha_precision_name(precision), threads, difference);
            }
        }
        reha_session_free(session);
    }
    reha_calibration_free(calibration);
    reha_reference_free(reference);
    nn_data_clear(&data);
}

/* Any precision that this CPU runs fast; takes the graph. */
static void check(net n, const char *what)
{
    reha_random random = reha_random_init(11, 5);
    nn_randomise(n.graph, &random);
    compare(&n, REHA_F32, 1e-5, what);
    if (reha_precision_is_fast(REHA_BF16)) {
        compare(&n, REHA_BF16, 0.015, what);
    }
    if (reha_precision_is_fast(REHA_INT8)) {
        compare(&n, REHA_INT8, 0.06, what);
    }
    reha_graph_free(n.graph);
}

/* ---- cases ---- */

static void test_conv_shapes(void **state)
{
    static const int channels[][2] = {{1, 16}, {3, 32}, {16, 16}, {5, 7}, {24, 40}, {33, 17}, {64, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
        static const int windows[][3] = {{1, 1, 0}, {3, 1, 1}, {3, 2, 1}, {7, 2, 3}, {5, 1, 0}};
        for (size_t k = 0; k < sizeof windows / sizeof windows[0]; k++) {
            char what[64];
            net n = net_new();
            const reha_value_id x = input(&n, channels[i][0], 11, 13);
            output(&n, conv(&n, x, channels[i][1], windows[k][0], windows[k][1], windows[k][2]));
            snprintf(what, sizeof what, "conv %d to %d, %dx%d/%d", channels[i][0], channels[i][1],
                     windows[k][0], windows[k][0], windows[k][1]);
            check(n, what);
        }
    }
}

static void test_conv_windows(void **state)
{
    (void)state;
    net n = net_new();
    const reha_window uneven = {3, 5, 1, 2, 0, 3, 2, 1, 1, 1};
    const reha_window dilated = {3, 3, 1, 1, 2, 2, 2, 2, 2, 2};
    const reha_value_id x = conv_window(&n, input(&n, 16, 10, 12), 32, uneven, 1, false);
    output(&n, conv_window(&n, x, 16, dilated, 1, true));
    check(n, "uneven and dilated windows");
}

static void test_groups(void **state)
{
    static const int cases[][3] = {{32, 32, 32}, {24, 24, 24}, {20, 20, 20}, {32, 64, 4},
                                   {64, 64, 8},  {12, 18, 3},  {8, 16, 8}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char what[64];
        net n = net_new();
        const reha_value_id x = input(&n, cases[i][0], 9, 10);
        output(&n, conv_window(&n, x, cases[i][1], reha_window_square(3, 1, 1), cases[i][2], true));
        output(&n, conv_window(&n, x, cases[i][1], reha_window_square(3, 2, 1), cases[i][2], false));
        snprintf(what, sizeof what, "%d to %d channels in %d groups", cases[i][0], cases[i][1], cases[i][2]);
        check(n, what);
    }
}

static void test_conv_transpose(void **state)
{
    (void)state;
    net n = net_new();
    const reha_value_id x = input(&n, 32, 6, 7);
    output(&n, unary(&n, REHA_OP_RELU, norm(&n, transpose(&n, x, 16, reha_window_square(2, 2, 0)))));
    output(&n, transpose(&n, x, 5, reha_window_square(4, 4, 0)));
    output(&n, unary(&n, REHA_OP_RELU6, transpose(&n, x, 16, reha_window_square(1, 1, 0))));
    check(n, "transposed convolution, kernel = stride");
}

static void test_conv_transpose_overlapping(void **state)
{
    (void)state;
    reha_random random = reha_random_init(11, 5);
    net n = net_new();
    const reha_value_id x = input(&n, 32, 6, 7);
    const reha_window uneven = {3, 3, 2, 2, 1, 1, 0, 0, 1, 1}; /* output_padding 1 of other frameworks */
    output(&n, unary(&n, REHA_OP_RELU, transpose(&n, x, 16, uneven)));
    output(&n, norm(&n, transpose(&n, x, 16, reha_window_square(4, 2, 1))));
    nn_randomise(n.graph, &random);
    compare(&n, REHA_F32, 1e-5, "overlapping transposed convolution");
    if (reha_precision_is_fast(REHA_BF16)) {
        compare(&n, REHA_BF16, 0.015, "overlapping transposed convolution");
    }
    reha_graph_free(n.graph);
}

static void test_fusions(void **state)
{
    (void)state;
    net n = net_new();
    reha_value_id x = unary(&n, REHA_OP_RELU, norm(&n, conv(&n, input(&n, 16, 12, 12), 32, 3, 1, 1)));
    /* sum with a value that others need too, so that it cannot be overwritten */
    const reha_value_id kept = x;
    x = unary(&n, REHA_OP_RELU, binary(&n, REHA_OP_ADD, norm(&n, conv(&n, x, 32, 3, 1, 1)), x));
    output(&n, kept);
    /* x + conv(x) */
    x = unary(&n, REHA_OP_RELU6, binary(&n, REHA_OP_ADD, x, conv(&n, x, 32, 3, 1, 1)));
    /* both sides are convolutions */
    const reha_value_id a = norm(&n, conv(&n, x, 48, 1, 2, 0));
    const reha_value_id b = norm(&n, conv(&n, conv(&n, x, 16, 1, 1, 0), 48, 3, 2, 1));
    x = binary(&n, REHA_OP_ADD, a, b);
    /* activation before the sum, twice the same operand, and a gate */
    x = binary(&n, REHA_OP_ADD, unary(&n, REHA_OP_RELU, conv(&n, x, 48, 3, 1, 1)), x);
    x = binary(&n, REHA_OP_ADD, x, x);
    const reha_value_id gate = unary(
        &n, REHA_OP_SIGMOID,
        conv(&n, unary(&n, REHA_OP_RELU, conv(&n, unary(&n, REHA_OP_GLOBAL_AVERAGE_POOL, x), 16, 1, 1, 0)),
             48, 1, 1, 0));
    x = binary(&n, REHA_OP_MUL, x, gate);
    output(&n, unary(&n, REHA_OP_SIGMOID, conv(&n, x, 3, 1, 1, 0)));
    output(&n, x);
    check(n, "sums, activations and gates");
}

static void test_pre_activation(void **state)
{
    (void)state;
    net n = net_new();
    reha_value_id x = norm(&n, input(&n, 3, 16, 16)); /* on the data, before a padded convolution */
    x = conv(&n, x, 24, 3, 1, 1);
    for (int i = 0; i < 3; i++) {
        const reha_value_id y = unary(&n, i == 1 ? REHA_OP_RELU6 : REHA_OP_RELU, norm(&n, x));
        x = binary(&n, REHA_OP_ADD, conv(&n, y, 24, 3, 1, 1), x);
    }
    output(&n, norm(&n, x));
    output(&n, unary(&n, REHA_OP_RELU, x));
    check(n, "batch-norm before convolutions");
}

static void test_pools_and_resizes(void **state)
{
    static const int channels[] = {16, 3, 24};
    (void)state;
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
        net n = net_new();
        const reha_value_id x = input(&n, channels[i], 12, 14);
        output(&n, pool(&n, REHA_OP_MAX_POOL, x, 3, 2, 1));
        output(&n, pool(&n, REHA_OP_AVERAGE_POOL, x, 3, 2, 1));
        output(&n, resize(&n, REHA_OP_RESIZE_NEAREST, pool(&n, REHA_OP_MAX_POOL, x, 2, 2, 0), 2, 3));
        output(&n, resize(&n, REHA_OP_RESIZE_BILINEAR, pool(&n, REHA_OP_AVERAGE_POOL, x, 2, 2, 0), 3, 2));
        check(n, "pools and resizes");
    }
}

static void test_concat(void **state)
{
    (void)state;
    net n = net_new();
    const reha_value_id x = input(&n, 8, 8, 8);
    const reha_value_id skip = unary(&n, REHA_OP_RELU, conv(&n, x, 16, 3, 1, 1));
    const reha_value_id low = pool(&n, REHA_OP_MAX_POOL, skip, 2, 2, 0);
    const reha_value_id up = transpose(&n, low, 16, reha_window_square(2, 2, 0));
    const reha_value_id joined = concat(&n, skip, up); /* `up` is written into its place at once */
    output(&n, conv(&n, joined, 8, 3, 1, 1));
    output(&n, concat(&n, joined, joined));
    const reha_value_id both = transpose(&n, low, 8, reha_window_square(2, 2, 0));
    output(&n, concat(&n, both, transpose(&n, low, 4, reha_window_square(2, 2, 0))));
    output(&n, both); /* here it may not be */
    check(n, "concatenation");
}

static void test_heads(void **state)
{
    (void)state;
    net n = net_new();
    const reha_value_id x = unary(&n, REHA_OP_RELU, conv(&n, input(&n, 3, 8, 6), 20, 3, 2, 1));
    const reha_value_id pooled =
        dropout(&n, unary(&n, REHA_OP_FLATTEN, unary(&n, REHA_OP_GLOBAL_AVERAGE_POOL, x)));
    const reha_value_id hidden = unary(&n, REHA_OP_RELU, layer(&n, pooled, 33));
    output(&n, unary(&n, REHA_OP_SOFTMAX, layer(&n, hidden, 5)));
    output(&n, unary(&n, REHA_OP_SIGMOID, layer(&n, hidden, 4)));
    output(&n, layer(&n, unary(&n, REHA_OP_FLATTEN, x), 7)); /* 4 x 3 pixels: order matters */
    output(&n, pooled);
    check(n, "heads");
    net maps = net_new();
    output(&maps, unary(&maps, REHA_OP_SOFTMAX, conv(&maps, input(&maps, 4, 9, 9), 6, 3, 1, 1)));
    check(maps, "softmax over channels");
}

static void test_several_inputs(void **state)
{
    (void)state;
    net n = net_new();
    const reha_value_id a = input(&n, 3, 8, 8);
    const reha_value_id b = input(&n, 1, 8, 8);
    const reha_value_id unused = conv(&n, a, 8, 3, 1, 1); /* nobody reads it */
    (void)unused;
    output(&n, conv(&n, concat(&n, a, b), 8, 3, 1, 1));
    output(&n, b);
    check(n, "two inputs, a dead branch, an input as output");
}

/* f32 networks of 3x3 convolutions run in blocks of 16 channels; everything else must get along. */
static void test_blocked(void **state)
{
    (void)state;
    net n = net_new();
    const reha_value_id picture = input(&n, 3, 20, 24);
    const reha_value_id second = input(&n, 5, 20, 24);
    reha_value_id x = conv(&n, norm(&n, picture), 32, 7, 1, 3);
    x = unary(&n, REHA_OP_RELU, norm(&n, conv(&n, x, 32, 3, 1, 1)));
    x = unary(&n, REHA_OP_RELU6, binary(&n, REHA_OP_ADD, conv(&n, x, 32, 3, 1, 1), x));
    const reha_value_id y = conv(&n, second, 16, 3, 1, 1);
    const reha_value_id aligned = concat(&n, x, y);
    const reha_value_id uneven = concat(&n, aligned, second); /* 53 channels */
    output(&n, conv(&n, uneven, 16, 3, 1, 1));
    x = conv(&n, aligned, 32, 3, 1, 1);
    x = unary(&n, REHA_OP_RELU, norm(&n, x));
    const reha_value_id down = pool(&n, REHA_OP_MAX_POOL, x, 3, 2, 1);
    const reha_value_id up = transpose(&n, down, 32, reha_window_square(2, 2, 0));
    x = conv(&n, concat(&n, up, x), 32, 3, 1, 1);
    const reha_value_id thin = transpose(&n, down, 5, reha_window_square(2, 2, 0)); /* no whole block */
    output(&n, thin);
    x = conv_window(&n, x, 32, reha_window_square(3, 1, 1), 32, true);
    x = binary(&n, REHA_OP_MUL, x,
               unary(&n, REHA_OP_SIGMOID, conv(&n, unary(&n, REHA_OP_GLOBAL_AVERAGE_POOL, x), 32, 1, 1, 0)));
    x = resize(&n, REHA_OP_RESIZE_BILINEAR, pool(&n, REHA_OP_AVERAGE_POOL, x, 2, 2, 0), 2, 2);
    output(&n, unary(&n, REHA_OP_SOFTMAX, conv(&n, x, 7, 1, 1, 0)));
    output(&n,
           layer(&n, unary(&n, REHA_OP_FLATTEN, conv(&n, pool(&n, REHA_OP_MAX_POOL, x, 4, 4, 0), 3, 3, 1, 1)),
                 4));
    output(&n, unary(&n, REHA_OP_SIGMOID, conv(&n, x, 1, 1, 1, 0)));
    reha_random random = reha_random_init(11, 5);
    nn_randomise(n.graph, &random);
    if (strstr(reha_nn_isa(), "avx512") != NULL) {
        reha_session *session = make_session(&n, 1, 1, REHA_F32, NULL);
        const char *node;
        const char *implementation;
        int fast = 0;
        for (int i = 0; reha_session_layer_info(session, i, &node, &implementation); i++) {
            fast += strstr(implementation, "wino") != NULL;
        }
        assert_true(fast >= 5);
        assert_no_reference(session);
        reha_session_free(session);
    }
    check(n, "blocks of channels");
}

/* ---- properties ---- */

static net residual_net(void)
{
    net n = net_new();
    reha_value_id x = unary(&n, REHA_OP_RELU, norm(&n, conv(&n, input(&n, 3, 16, 16), 32, 3, 2, 1)));
    x = unary(&n, REHA_OP_RELU, binary(&n, REHA_OP_ADD, norm(&n, conv(&n, x, 32, 3, 1, 1)), x));
    x = unary(&n, REHA_OP_RELU, norm(&n, transpose(&n, x, 16, reha_window_square(2, 2, 0))));
    output(&n, layer(&n, unary(&n, REHA_OP_FLATTEN, unary(&n, REHA_OP_GLOBAL_AVERAGE_POOL, x)), 5));
    reha_random random = reha_random_init(4, 4);
    nn_randomise(n.graph, &random);
    return n;
}

static void test_repeatable(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const net n = residual_net();
    reha_random random = reha_random_init(1, 1);
    nn_data data = nn_data_new(n.graph, 7, &random);
    const float *const *inputs = (const float *const *)data.in;
    float *first = reha_alloc(data.out_count[0] * sizeof(float));
    assert_non_null(first);
    for (int threads = 1; threads <= 2; threads++) {
        reha_session *session = make_session(&n, 7, threads, REHA_F32, NULL);
        assert_no_reference(session);
        assert_true(reha_session_memory_bytes(session) > 1000);
        for (int run = 0; run < 3; run++) {
            assert_ok(reha_session_run(session, 7, inputs, data.out, &err), &err);
            if (threads == 1 && run == 0) {
                memcpy(first, data.out[0], data.out_count[0] * sizeof(float));
            }
            assert_memory_equal(first, data.out[0], data.out_count[0] * sizeof(float));
        }
        for (int batch = 1; batch < 7; batch++) { /* sums of smaller compiled batches */
            memset(data.out[0], 0, data.out_count[0] * sizeof(float));
            assert_ok(reha_session_run(session, batch, inputs, data.out, &err), &err);
            assert_true(nn_difference(data.out[0], first, (size_t)batch * 5) < 1e-5);
            assert_true(data.out[0][batch * 5] == 0.0F);
        }
        reha_session_free(session);
    }
    reha_free(first);
    nn_data_clear(&data);
    reha_graph_free(n.graph);
}

/* A session for just one size of batch computes the same, and takes no other. */
static void test_whole_batches(void **state)
{
    (void)state;
    const net n = residual_net();
    reha_error err = REHA_ERROR_INIT;
    reha_random random = reha_random_init(3, 1);
    nn_data data = nn_data_new(n.graph, 6, &random);
    const float *const *inputs = (const float *const *)data.in;
    float *any = reha_alloc(data.out_count[0] * sizeof(float));
    assert_non_null(any);
    reha_session *session = make_session(&n, 6, 1, REHA_F32, NULL);
    assert_ok(reha_session_run(session, 6, inputs, data.out, &err), &err);
    memcpy(any, data.out[0], data.out_count[0] * sizeof(float));
    reha_session_free(session);
    reha_session_options options = reha_session_options_default();
    options.batch_max = 6;
    options.threads = 1;
    options.is_whole_batch = true;
    assert_ok(reha_session_new(n.graph, &options, &session, &err), &err);
    memset(data.out[0], 0, data.out_count[0] * sizeof(float));
    assert_ok(reha_session_run(session, 6, inputs, data.out, &err), &err);
    assert_memory_equal(any, data.out[0], data.out_count[0] * sizeof(float));
    assert_int_equal(reha_session_run(session, 5, inputs, data.out, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "takes 6 to 6"));
    assert_int_equal(reha_session_run(session, 7, inputs, data.out, &err), REHA_E_ARG);
    reha_session_free(session);
    reha_free(any);
    nn_data_clear(&data);
    reha_graph_free(n.graph);
}

static void test_bad_options(void **state)
{
    (void)state;
    const net n = residual_net();
    reha_session *session = NULL;
    reha_error err = REHA_ERROR_INIT;
    reha_session_options options = reha_session_options_default();
    options.batch_max = 0;
    assert_int_equal(reha_session_new(n.graph, &options, &session, &err), REHA_E_ARG);
    assert_null(session);
    options.batch_max = 1;
    options.threads = -1;
    assert_int_equal(reha_session_new(n.graph, &options, &session, &err), REHA_E_ARG);
    options.threads = 1;
    options.precision = (reha_precision)9;
    assert_int_equal(reha_session_new(n.graph, &options, &session, &err), REHA_E_ARG);
    options.precision = REHA_INT8;
    options.force_precision = true;
    assert_int_equal(reha_session_new(n.graph, &options, &session, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "calibration"));
    net empty = net_new();
    input(&empty, 3, 8, 8);
    assert_int_equal(reha_session_new(empty.graph, NULL, &session, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "output"));
    reha_graph_free(empty.graph);
    assert_ok(reha_session_new(n.graph, NULL, &session, &err), &err);
    assert_int_equal(reha_session_run(session, 2, NULL, NULL, &err), REHA_E_ARG);
    assert_int_equal(reha_session_run(session, 0, NULL, NULL, &err), REHA_E_ARG);
    reha_session_free(session);
    reha_session_free(NULL);
    reha_graph_free(n.graph);
}

static void test_no_memory(void **state)
{
    (void)state;
    const net n = residual_net();
    const size_t before = reha_mem_live_blocks();
    reha_session_options options = reha_session_options_default();
    reha_status status = REHA_E_NOMEM;
    options.batch_max = 2;
    options.threads = 1;
    for (long round = 0; status != REHA_OK; round++) {
        reha_session *session = NULL;
        reha_mem_fail_after(round);
        status = reha_session_new(n.graph, &options, &session, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_true((status == REHA_OK) == (session != NULL));
        reha_session_free(session);
        assert_int_equal(reha_mem_live_blocks(), before);
        assert_true(round < 5000);
    }
    reha_graph_free(n.graph);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_shapes),
        cmocka_unit_test(test_conv_windows),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_conv_transpose),
        cmocka_unit_test(test_conv_transpose_overlapping),
        cmocka_unit_test(test_fusions),
        cmocka_unit_test(test_pre_activation),
        cmocka_unit_test(test_pools_and_resizes),
        cmocka_unit_test(test_concat),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_several_inputs),
        cmocka_unit_test(test_blocked),
        cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_whole_batches),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_no_memory),
    };
    char title[96];
    snprintf(title, sizeof title, "sessions on %s", reha_nn_isa());
    int failures = cmocka_run_group_tests_name(title, tests, NULL, NULL);
    if (argc == 1) {
        failures += nn_run_on_each_isa(argv);
    }
    return failures;
}
