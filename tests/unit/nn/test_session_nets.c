/* Whole networks against the reference, in each precision, and without any slow path. */
#include "unit/nn/nn_support.h"

#include "base/file.h"

typedef enum zoo_net { RESNET18, MOBILENETV2, RESNET50V2, UNET, ZOO_COUNT } zoo_net;

static const char *const zoo_names[ZOO_COUNT] = {"resnet18", "mobilenetv2", "resnet50v2", "unet"};

static reha_graph *build(zoo_net which, int side)
{
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    reha_value_id v;
    assert_ok(reha_graph_new(zoo_names[which], &graph, &err), &err);
    assert_ok(reha_graph_add_input(graph, "image", which == UNET ? 1 : 3, side, side, &v, &err), &err);
    switch (which) {
    case RESNET18:
        assert_ok(reha_zoo_resnet18(graph, v, &v, &err), &err);
        break;
    case MOBILENETV2:
        assert_ok(reha_zoo_mobilenetv2(graph, v, &v, &err), &err);
        break;
    case RESNET50V2:
        assert_ok(reha_zoo_resnet50v2_trunk(graph, v, 3, &v, &err), &err);
        break;
    default:
        assert_ok(reha_zoo_unet(graph, v, 16, 4, 2, &v, &err), &err);
        assert_ok(reha_graph_add_unary(graph, "mask", REHA_OP_SIGMOID, v, &v, &err), &err);
        break;
    }
    if (which != UNET) {
        assert_ok(reha_zoo_classifier(graph, "head", v, 10, &v, &err), &err);
    }
    assert_ok(reha_graph_mark_output(graph, v, "y", &err), &err);
    reha_random random = reha_random_init(21, (uint64_t)which);
    nn_randomise(graph, &random);
    return graph;
}

static reha_calibration *calibrate(const reha_graph *graph, int batch, const float *const *inputs)
{
    reha_error err = REHA_ERROR_INIT;
    reha_calibration *calibration = NULL;
    assert_ok(reha_calibration_new(graph, NULL, &calibration, &err), &err);
    assert_ok(reha_calibration_add(calibration, batch, inputs, &err), &err);
    return calibration;
}

enum { BATCH = 2, SIDE = 64 };

typedef struct judged { /* a network, its inputs and what the reference says of them: slow, so made once for
                           all precisions */
    reha_graph *graph;
    nn_data data;
    reha_reference *reference;
} judged;

static void judge(zoo_net which, judged *out)
{
    reha_error err = REHA_ERROR_INIT;
    reha_random random = reha_random_init(2, 3);
    out->graph = build(which, SIDE);
    out->data = nn_data_new(out->graph, BATCH, &random);
    assert_ok(
        reha_reference_new(out->graph, BATCH, (const float *const *)out->data.in, &out->reference, &err),
        &err);
}

static void judged_clear(judged *net)
{
    reha_reference_free(net->reference);
    nn_data_clear(&net->data);
    reha_graph_free(net->graph);
}

static void check_layers(const judged *net, const reha_session *session, const char *what)
{
    const char *node;
    const char *implementation;
    int layers = 0;
    for (; reha_session_layer_info(session, layers, &node, &implementation); layers++) {
        if (strstr(implementation, "ref") != NULL || strstr(implementation, "simple") != NULL) {
            fail_msg("%s: node %s runs on %s", what, node, implementation);
        }
    }
    assert_true(layers < reha_graph_node_count(net->graph));
}

static void check(const judged *net, const char *name, reha_precision precision, double tolerance)
{
    char what[48];
    reha_error err = REHA_ERROR_INIT;
    reha_session *session = NULL;
    const float *const *inputs = (const float *const *)net->data.in;
    reha_session_options options = reha_session_options_default();
    reha_calibration *calibration = precision == REHA_INT8 ? calibrate(net->graph, BATCH, inputs) : NULL;
    (void)snprintf(what, sizeof what, "%s %s", name, reha_precision_name(precision));
    options.batch_max = BATCH;
    options.precision = precision;
    options.calibration = calibration;
    assert_ok(reha_session_new(net->graph, &options, &session, &err), &err);
    reha_calibration_free(calibration);
    assert_ok(reha_session_run(session, BATCH, inputs, net->data.out, &err), &err);
    const float *expected = reha_reference_value(net->reference, reha_graph_output(net->graph, 0));
    const double difference = precision == REHA_F32
                                  ? nn_difference(net->data.out[0], expected, net->data.out_count[0])
                                  : nn_rms_difference(net->data.out[0], expected, net->data.out_count[0]);
    print_message("%s: difference %.2g\n", what, difference);
    assert_true(difference <= tolerance);
    check_layers(net, session, what);
    reha_session_free(session);
}

static void check_network(zoo_net which)
{
    static const struct {
        reha_precision precision;
        double tolerance;
    } ways[] = {{REHA_F32, 2e-5}, {REHA_BF16, 0.02}, {REHA_INT8, 0.05}};
    judged net;
    judge(which, &net);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (reha_precision_is_fast(ways[i].precision)) {
            check(&net, zoo_names[which], ways[i].precision, ways[i].tolerance);
        }
    }
    judged_clear(&net);
}

static void test_resnet18(void **state)
{
    (void)state;
    check_network(RESNET18);
}

static void test_mobilenetv2(void **state)
{
    (void)state;
    check_network(MOBILENETV2);
}

static void test_resnet50v2(void **state)
{
    (void)state;
    check_network(RESNET50V2);
}

static void test_unet(void **state)
{
    (void)state;
    check_network(UNET);
}

/* Ranges survive their file; another network's file, and broken ones, are refused. */
static void test_calibration_file(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_random random = reha_random_init(2, 3);
    reha_graph *graph = build(UNET, 32);
    reha_graph *other = build(RESNET18, 32);
    nn_data data = nn_data_new(graph, 3, &random);
    reha_calibration *calibration = calibrate(graph, 3, (const float *const *)data.in);
    reha_calibration *again = NULL;
    char path[] = "/tmp/reha-calibration-XXXXXX";
    const int handle = mkstemp(path);
    assert_true(handle >= 0);
    close(handle);
    assert_ok(reha_calibration_save(calibration, path, &err), &err);
    assert_ok(reha_calibration_load(graph, path, &again, &err), &err);
    int known = 0;
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        float a[2];
        float b[2];
        const bool is_known = reha_calibration_range(calibration, i, &a[0], &a[1]);
        assert_int_equal(reha_calibration_range(again, i, &b[0], &b[1]), is_known);
        if (is_known) {
            assert_true(a[0] <= 0 && a[1] >= 0 && fabsf(a[0] - b[0]) <= 1e-6F * fabsf(a[0]) &&
                        fabsf(a[1] - b[1]) <= 1e-6F * fabsf(a[1]));
            known++;
        }
    }
    assert_true(known > 20);
    assert_int_equal(reha_calibration_add(again, 1, (const float *const *)data.in, &err), REHA_E_ARG);
    reha_calibration_free(again);
    assert_int_equal(reha_calibration_load(other, path, &again, &err), REHA_E_CONFLICT);
    assert_null(again);
    static const char *const broken[] = {
        "",
        "[]",
        "{\"format\":\"rehascope-calibration\",\"version\":2,\"ranges\":{}}",
        "{\"format\":\"rehascope-calibration\",\"version\":1}",
        "{\"format\":\"rehascope-calibration\",\"version\":1,\"ranges\":{\"mask\":[0]}}",
        "{\"format\":\"rehascope-calibration\",\"version\":1,\"ranges\":{\"mask\":[1,2]}}",
        "{\"format\":\"rehascope-calibration\",\"version\":1,\"ranges\":{\"mask\":[\"a\",\"b\",3]}}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_ok(reha_file_save(path, broken[i], strlen(broken[i]), &err), &err);
        assert_int_equal(reha_calibration_load(graph, path, &again, &err), REHA_E_FORMAT);
        assert_null(again);
    }
    unlink(path);
    reha_calibration_options options = reha_calibration_options_default();
    options.percentile = 0.2F;
    assert_int_equal(reha_calibration_new(graph, &options, &again, &err), REHA_E_ARG);
    reha_calibration_free(calibration);
    reha_calibration_free(NULL);
    nn_data_clear(&data);
    reha_graph_free(graph);
    reha_graph_free(other);
}

/* Outliers do not widen the range when the percentile says so. */
static void test_percentile(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    reha_error err = REHA_ERROR_INIT;
    for (int pass = 0; pass < 2; pass++) {
        reha_graph *graph = NULL;
        reha_value_id v;
        reha_calibration *calibration = NULL;
        reha_calibration_options options = reha_calibration_options_default();
        float image[COUNT];
        const float *inputs[1] = {image};
        float low;
        float high;
        options.percentile = pass == 0 ? 1.0F : 0.99F;
        assert_ok(reha_graph_new("g", &graph, &err), &err);
        assert_ok(reha_graph_add_input(graph, "x", 1, 10, COUNT / 10, &v, &err), &err);
        assert_ok(reha_graph_add_pool(graph, "p", REHA_OP_MAX_POOL, v, reha_window_square(2, 2, 0), &v, &err),
                  &err);
        assert_ok(reha_graph_mark_output(graph, v, "y", &err), &err);
        assert_ok(reha_calibration_new(graph, &options, &calibration, &err), &err);
        assert_false(reha_calibration_range(calibration, 0, &low, &high));
        for (int round = 0; round < 2; round++) { /* the second image is 100 times brighter in one pixel */
            for (int i = 0; i < COUNT; i++) {
                image[i] = (float)(i % 100) / 100.0F - 0.5F;
            }
            image[17] = round == 1 ? 50.0F : 0.0F;
            assert_ok(reha_calibration_add(calibration, 1, inputs, &err), &err);
        }
        assert_true(reha_calibration_range(calibration, 0, &low, &high));
        assert_float_equal(low, -0.5F, 1e-6F);
        if (pass == 0) {
            assert_float_equal(high, 50.0F, 1e-6F);
        } else {
            assert_true(high >= 0.45F && high < 0.6F);
        }
        reha_calibration_free(calibration);
        reha_graph_free(graph);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resnet18),         cmocka_unit_test(test_mobilenetv2),
        cmocka_unit_test(test_resnet50v2),       cmocka_unit_test(test_unet),
        cmocka_unit_test(test_calibration_file), cmocka_unit_test(test_percentile),
    };
    char title[96];
    snprintf(title, sizeof title, "networks on %s", reha_nn_isa());
    int failures = cmocka_run_group_tests_name(title, tests, NULL, NULL);
    if (argc == 1) {
        failures += nn_run_on_each_isa(argv);
    }
    return failures;
}
