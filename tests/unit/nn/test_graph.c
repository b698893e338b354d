/* Shape inference, refusals and copies of graphs. */
#include "unit/nn/nn_support.h"

#include "nn/graph.h"

typedef struct fixture {
    reha_graph *graph;
    reha_value_id input; /* 6 channels, 10 x 12 */
    reha_error err;
} fixture;

static int setup(void **state)
{
    static fixture f;
    memset(&f, 0, sizeof f);
    assert_ok(reha_graph_new("g", &f.graph, &f.err), &f.err);
    assert_ok(reha_graph_add_input(f.graph, "x", 6, 10, 12, &f.input, &f.err), &f.err);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    reha_graph_free(((fixture *)*state)->graph);
    return reha_mem_live_blocks() == 0 ? 0 : -1;
}

static void assert_shape(const fixture *f, reha_value_id v, int rank, int64_t c, int64_t h, int64_t w)
{
    const reha_shape shape = reha_graph_node(f->graph, v)->shape;
    assert_int_equal(shape.rank, rank);
    assert_int_equal(shape.dims[0], 1);
    assert_int_equal(shape.dims[1], c);
    if (rank == 4) {
        assert_int_equal(shape.dims[2], h);
        assert_int_equal(shape.dims[3], w);
    }
}

static void test_shapes(void **state)
{
    fixture *f = *state;
    reha_graph *g = f->graph;
    reha_error *err = &f->err;
    reha_value_id v;
    reha_value_id u;
    const reha_window uneven = {3, 5, 2, 1, 1, 0, 2, 3, 1, 2};
    assert_ok(reha_graph_add_conv(g, "a", f->input, 8, uneven, 2, true, &v, err), err);
    assert_shape(f, v, 4, 8, (10 + 3 - 3) / 2 + 1, 12 + 3 - 9 + 1);
    assert_ok(reha_graph_add_conv_transpose(g, "b", f->input, 4, reha_window_square(3, 2, 1), false, &v, err),
              err);
    assert_shape(f, v, 4, 4, 9 * 2 - 2 + 3, 11 * 2 - 2 + 3);
    assert_ok(reha_graph_add_batch_norm(g, "c", v, 1e-5F, &v, err), err);
    assert_shape(f, v, 4, 4, 19, 23);
    assert_ok(reha_graph_add_pool(g, "d", REHA_OP_MAX_POOL, f->input, reha_window_square(3, 2, 1), &v, err),
              err);
    assert_shape(f, v, 4, 6, 5, 6);
    assert_ok(reha_graph_add_resize(g, "e", REHA_OP_RESIZE_BILINEAR, v, 2, 2, &v, err), err);
    assert_shape(f, v, 4, 6, 10, 12);
    const reha_value_id both[2] = {v, f->input};
    assert_ok(reha_graph_add_concat(g, "f", both, 2, &v, err), err);
    assert_shape(f, v, 4, 12, 10, 12);
    assert_ok(reha_graph_add_unary(g, "g", REHA_OP_GLOBAL_AVERAGE_POOL, v, &u, err), err);
    assert_shape(f, u, 4, 12, 1, 1);
    assert_ok(reha_graph_add_binary(g, "h", REHA_OP_MUL, u, v, &v, err), err);
    assert_shape(f, v, 4, 12, 10, 12);
    assert_int_equal(reha_graph_node(g, v)->inputs[1], u); /* the image comes first */
    assert_ok(reha_graph_add_unary(g, "i", REHA_OP_FLATTEN, v, &v, err), err);
    assert_shape(f, v, 2, 12 * 120, 0, 0);
    assert_ok(reha_graph_add_fully_connected(g, "j", v, 5, &v, err), err);
    assert_ok(reha_graph_add_dropout(g, "k", v, 0.2F, &v, err), err);
    assert_shape(f, v, 2, 5, 0, 0);
    const double macs = 8.0 * 3 * 15 * 6 * 7 + 6.0 * 4 * 9 * 120 + 5.0 * 1440;
    assert_float_equal((float)reha_graph_macs(g), (float)macs, 0.5F);
}

static void expect(const fixture *f, reha_status status, reha_status wanted, const reha_value_id *v,
                   const char *text)
{
    assert_int_equal(status, wanted);
    assert_int_equal(*v, -1);
    if (strstr(f->err.text, text) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", f->err.text, text);
    }
}

static void test_refusals(void **state)
{
    fixture *f = *state;
    reha_graph *g = f->graph;
    reha_error *err = &f->err;
    const reha_window fine = reha_window_square(3, 1, 1);
    reha_window bad = fine;
    reha_value_id v;
    reha_value_id flat;
    char longest[200];
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_ok(reha_graph_add_unary(g, "flat", REHA_OP_FLATTEN, f->input, &flat, err), err);
    const int nodes = reha_graph_node_count(g);

    expect(f, reha_graph_add_conv(g, "", f->input, 8, fine, 1, true, &v, err), REHA_E_ARG, &v, "no name");
    expect(f, reha_graph_add_conv(g, longest, f->input, 8, fine, 1, true, &v, err), REHA_E_ARG, &v,
           "too long");
    expect(f, reha_graph_add_conv(g, "x", f->input, 8, fine, 1, true, &v, err), REHA_E_ARG, &v, "exists");
    expect(f, reha_graph_add_conv(g, "c", 99, 8, fine, 1, true, &v, err), REHA_E_ARG, &v,
           "c: input value 99");
    expect(f, reha_graph_add_conv(g, "c", -1, 8, fine, 1, true, &v, err), REHA_E_ARG, &v,
           "c: input value -1");
    expect(f, reha_graph_add_conv(g, "c", flat, 8, fine, 1, true, &v, err), REHA_E_ARG, &v, "dimensions");
    expect(f, reha_graph_add_conv(g, "c", f->input, 0, fine, 1, true, &v, err), REHA_E_ARG, &v, "channels");
    expect(f, reha_graph_add_conv(g, "c", f->input, 8, fine, 4, true, &v, err), REHA_E_ARG, &v, "groups");
    expect(f, reha_graph_add_conv(g, "c", f->input, 8, fine, 0, true, &v, err), REHA_E_ARG, &v, "groups");
    bad.stride_w = 0;
    expect(f, reha_graph_add_conv(g, "c", f->input, 8, bad, 1, true, &v, err), REHA_E_ARG, &v, "stride");
    bad = fine;
    bad.pad_top = -1;
    expect(f, reha_graph_add_conv(g, "c", f->input, 8, bad, 1, true, &v, err), REHA_E_ARG, &v, "padding");
    bad = reha_window_square(40, 1, 0);
    expect(f, reha_graph_add_conv(g, "c", f->input, 8, bad, 1, true, &v, err), REHA_E_ARG, &v, "dimension 2");
    expect(
        f,
        reha_graph_add_conv_transpose(g, "c", f->input, 1, reha_window_square(4096, 4096, 0), true, &v, err),
        REHA_E_LIMIT, &v, "too large");
    expect(f, reha_graph_add_batch_norm(g, "c", f->input, -1.0F, &v, err), REHA_E_ARG, &v, "epsilon");
    expect(f, reha_graph_add_batch_norm(g, "c", f->input, NAN, &v, err), REHA_E_ARG, &v, "epsilon");
    expect(f, reha_graph_add_unary(g, "c", REHA_OP_CONV, f->input, &v, err), REHA_E_ARG, &v, "unary");
    expect(f, reha_graph_add_unary(g, "c", REHA_OP_GLOBAL_AVERAGE_POOL, flat, &v, err), REHA_E_ARG, &v,
           "dimensions");
    expect(f, reha_graph_add_binary(g, "c", REHA_OP_ADD, f->input, flat, &v, err), REHA_E_ARG, &v,
           "do not fit");
    expect(f, reha_graph_add_binary(g, "c", REHA_OP_RELU, f->input, f->input, &v, err), REHA_E_ARG, &v,
           "binary");
    const reha_value_id odd[2] = {f->input, flat};
    expect(f, reha_graph_add_concat(g, "c", odd, 2, &v, err), REHA_E_ARG, &v, "differ");
    expect(f, reha_graph_add_concat(g, "c", odd, 0, &v, err), REHA_E_ARG, &v, "inputs");
    expect(f, reha_graph_add_concat(g, "c", odd, 9, &v, err), REHA_E_ARG, &v, "inputs");
    expect(f, reha_graph_add_pool(g, "c", REHA_OP_RELU, f->input, fine, &v, err), REHA_E_ARG, &v, "pooling");
    expect(f, reha_graph_add_pool(g, "c", REHA_OP_MAX_POOL, f->input, reha_window_square(2, 2, 2), &v, err),
           REHA_E_ARG, &v, "padding");
    expect(f, reha_graph_add_resize(g, "c", REHA_OP_RESIZE_NEAREST, f->input, 0, 2, &v, err), REHA_E_ARG, &v,
           "scale");
    expect(f, reha_graph_add_resize(g, "c", REHA_OP_RESIZE_NEAREST, f->input, 4096, 4096, &v, err),
           REHA_E_LIMIT, &v, "too large");
    expect(f, reha_graph_add_fully_connected(g, "c", f->input, 5, &v, err), REHA_E_ARG, &v, "dimensions");
    expect(f, reha_graph_add_fully_connected(g, "c", flat, 0, &v, err), REHA_E_ARG, &v, "features");
    expect(f, reha_graph_add_dropout(g, "c", flat, 1.0F, &v, err), REHA_E_ARG, &v, "ratio");
    expect(f, reha_graph_add_input(g, "c", 0, 8, 8, &v, err), REHA_E_ARG, &v, "dimension 1");
    expect(f, reha_graph_add_input(g, "c", 3, 1 << 20, 8, &v, err), REHA_E_LIMIT, &v, "too large");
    assert_int_equal(reha_graph_node_count(g), nodes); /* a refusal leaves nothing behind */
    assert_int_equal(reha_graph_param_count(g), 0);
    assert_int_equal(reha_graph_input_count(g), 1);
    assert_int_equal(reha_graph_mark_output(g, 77, "y", err), REHA_E_ARG);
    assert_int_equal(reha_graph_mark_output(g, flat, "", err), REHA_E_ARG);
    assert_ok(reha_graph_mark_output(g, flat, "y", err), err);
    assert_int_equal(reha_graph_mark_output(g, flat, "y", err), REHA_E_ARG);
}

static void test_params(void **state)
{
    fixture *f = *state;
    reha_random random = reha_random_init(5, 0);
    reha_value_id v;
    assert_ok(reha_graph_add_conv(f->graph, "conv", f->input, 64, reha_window_square(3, 1, 1), 1, true, &v,
                                  &f->err),
              &f->err);
    assert_ok(reha_graph_add_batch_norm(f->graph, "norm", v, 1e-5F, &v, &f->err), &f->err);
    assert_ok(reha_graph_add_unary(f->graph, "relu", REHA_OP_RELU, v, &v, &f->err), &f->err);
    const int weight = reha_graph_find_param(f->graph, "conv.weight");
    const int bias = reha_graph_find_param(f->graph, "conv.bias");
    const int variance = reha_graph_find_param(f->graph, "norm.variance");
    assert_true(weight >= 0 && bias >= 0 && variance >= 0);
    assert_int_equal(reha_graph_find_param(f->graph, "conv"), -1);
    assert_int_equal(reha_graph_find_node(f->graph, "norm"), 2);
    assert_true(reha_graph_param(f->graph, weight)->decays &&
                reha_graph_param(f->graph, weight)->is_trainable);
    assert_false(reha_graph_param(f->graph, bias)->decays);
    assert_false(reha_graph_param(f->graph, variance)->is_trainable);
    assert_true(reha_graph_param(f->graph, variance)->values[0] == 1.0F);
    reha_graph_init_params(f->graph, &random);
    double sum = 0;
    const size_t count = reha_shape_count(reha_graph_param(f->graph, weight)->shape);
    for (size_t i = 0; i < count; i++) {
        sum += (double)reha_graph_param(f->graph, weight)->values[i] *
               (double)reha_graph_param(f->graph, weight)->values[i];
    }
    assert_float_equal((float)(sum / (double)count), 2.0F / 54.0F, 0.003F); /* He, fan in 6 * 9 */
    /* frozen weights stay */
    reha_graph_param_mutable(f->graph, weight)->is_trainable = false;
    const float kept = reha_graph_param(f->graph, weight)->values[7];
    reha_graph_init_params(f->graph, &random);
    assert_true(reha_graph_param(f->graph, weight)->values[7] == kept);
}

static void test_copy(void **state)
{
    fixture *f = *state;
    reha_graph *copy = NULL;
    reha_value_id v;
    assert_ok(reha_zoo_mobilenetv2(f->graph, f->input, &v, &f->err), &f->err);
    assert_ok(reha_graph_mark_output(f->graph, v, "y", &f->err), &f->err);
    reha_random random = reha_random_init(5, 0);
    reha_graph_init_params(f->graph, &random);
    assert_ok(reha_graph_copy(f->graph, &copy, &f->err), &f->err);
    assert_int_equal(reha_graph_param_count(copy), reha_graph_param_count(f->graph));
    assert_int_equal(reha_graph_node_count(copy), reha_graph_node_count(f->graph));
    assert_string_equal(reha_graph_output_name(copy, 0), "y");
    const reha_param *a = reha_graph_param(f->graph, 0);
    const reha_param *b = reha_graph_param(copy, 0);
    assert_ptr_not_equal(a->values, b->values);
    assert_memory_equal(a->values, b->values, reha_shape_count(a->shape) * sizeof(float));
    assert_ok(reha_graph_add_unary(copy, "more", REHA_OP_RELU, v, &v, &f->err), &f->err); /* it can grow */
    reha_graph_free(copy);
}

static void test_zoo(void **state)
{
    fixture *f = *state;
    reha_value_id x;
    reha_value_id v;
    assert_ok(reha_graph_add_input(f->graph, "image", 3, 224, 224, &x, &f->err), &f->err);
    assert_ok(reha_zoo_resnet50v2_trunk(f->graph, x, 3, &v, &f->err), &f->err);
    assert_shape(f, v, 4, 1024, 14, 14);
    assert_int_equal(reha_graph_param_count(f->graph), 211);
    assert_int_equal(reha_zoo_resnet50v2_trunk(f->graph, x, 5, &v, &f->err), REHA_E_ARG);
    assert_int_equal(reha_zoo_unet(f->graph, x, 16, 9, 1, &v, &f->err), REHA_E_ARG);
    const reha_conv_norm stem = {"stem", "stem_norm", 32, reha_window_square(3, 2, 1), 1, REHA_OP_RELU6};
    assert_ok(reha_zoo_conv_norm(f->graph, &stem, x, &v, &f->err), &f->err);
    assert_int_equal(reha_zoo_mobilenetv2_units(f->graph, v, 0, &x, &f->err), REHA_E_ARG);
    assert_int_equal(reha_zoo_mobilenetv2_units(f->graph, v, 18, &x, &f->err), REHA_E_ARG);
    assert_ok(reha_zoo_mobilenetv2_units(f->graph, v, 13, &x, &f->err), &f->err);
    assert_shape(f, x, 4, 96, 14, 14);
    x = reha_graph_input(f->graph, 0);
    assert_int_equal(reha_zoo_resnet50v2_trunk(f->graph, x, 1, &v, &f->err), REHA_E_ARG); /* names twice */
    assert_non_null(strstr(f->err.text, "exists"));
}

static void test_no_memory(void **state)
{
    (void)state;
    reha_status status = REHA_E_NOMEM;
    const size_t before = reha_mem_live_blocks();
    for (long round = 0; status != REHA_OK; round++) {
        reha_graph *graph = NULL;
        reha_graph *copy = NULL;
        reha_value_id v;
        reha_mem_fail_after(round);
        status = reha_graph_new("g", &graph, NULL);
        if (status == REHA_OK) {
            status = reha_graph_add_input(graph, "x", 1, 32, 32, &v, NULL);
        }
        if (status == REHA_OK) {
            status = reha_zoo_unet(graph, v, 4, 2, 1, &v, NULL);
        }
        if (status == REHA_OK) {
            status = reha_graph_copy(graph, &copy, NULL);
        }
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_graph_free(graph);
        reha_graph_free(copy);
        assert_int_equal(reha_mem_live_blocks(), before);
        assert_true(round < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_params, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zoo, setup, teardown),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
