/* ONNX files: written and read again, refusals, hostile bytes. */
#include "unit/nn/nn_support.h"

#include "base/file.h"
#include "base/text.h"
#include "nn/onnx.h"

#include "../../../fuzz/fuzz_onnx.c"

/* ---- round trips ---- */

typedef struct net {
    reha_graph *graph;
    reha_error err;
} net;

#define BUILD(call) assert_ok(call, &n.err)

/* Every operator once. */
static net every_operator(void)
{
    net n = {0};
    reha_value_id x;
    reha_value_id a;
    reha_value_id b;
    reha_value_id v;
    const reha_window uneven = {3, 1, 2, 1, 0, 0, 1, 0, 1, 1};
    BUILD(reha_graph_new("every operator", &n.graph, &n.err));
    reha_graph *g = n.graph;
    BUILD(reha_graph_add_input(g, "image", 3, 16, 12, &x, &n.err));
    BUILD(reha_graph_add_batch_norm(g, "data", x, 1e-3F, &a, &n.err));
    BUILD(reha_graph_add_conv(g, "conv", a, 8, reha_window_square(3, 1, 1), 1, false, &a, &n.err));
    BUILD(reha_graph_add_unary(g, "relu6", REHA_OP_RELU6, a, &a, &n.err));
    BUILD(reha_graph_add_conv(g, "depthwise", a, 8, reha_window_square(3, 1, 1), 8, true, &b, &n.err));
    BUILD(reha_graph_add_binary(g, "add", REHA_OP_ADD, a, b, &b, &n.err));
    BUILD(reha_graph_add_unary(g, "relu", REHA_OP_RELU, b, &b, &n.err));
    BUILD(reha_graph_add_unary(g, "mean", REHA_OP_GLOBAL_AVERAGE_POOL, b, &v, &n.err));
    BUILD(reha_graph_add_unary(g, "gate", REHA_OP_SIGMOID, v, &v, &n.err));
    BUILD(reha_graph_add_binary(g, "mul", REHA_OP_MUL, b, v, &b, &n.err));
    BUILD(reha_graph_add_pool(g, "max", REHA_OP_MAX_POOL, b, reha_window_square(2, 2, 0), &a, &n.err));
    BUILD(
        reha_graph_add_pool(g, "average", REHA_OP_AVERAGE_POOL, b, reha_window_square(3, 2, 1), &v, &n.err));
    const reha_value_id pair[2] = {a, v};
    BUILD(reha_graph_add_concat(g, "concat", pair, 2, &a, &n.err));
    BUILD(reha_graph_add_resize(g, "nearest", REHA_OP_RESIZE_NEAREST, a, 2, 2, &v, &n.err));
    BUILD(reha_graph_add_resize(g, "bilinear", REHA_OP_RESIZE_BILINEAR, a, 2, 2, &b, &n.err));
    BUILD(
        reha_graph_add_conv_transpose(g, "transpose", a, 16, reha_window_square(2, 2, 0), true, &a, &n.err));
    BUILD(reha_graph_add_binary(g, "add2", REHA_OP_ADD, v, b, &v, &n.err));
    BUILD(reha_graph_add_binary(g, "add3", REHA_OP_ADD, v, a, &v, &n.err));
    BUILD(reha_graph_add_conv(g, "uneven", v, 4, uneven, 1, true, &a, &n.err));
    BUILD(reha_graph_add_unary(g, "softmax", REHA_OP_SOFTMAX, a, &b, &n.err));
    BUILD(reha_graph_mark_output(g, b, "map", &n.err));
    BUILD(reha_graph_add_unary(g, "flatten", REHA_OP_FLATTEN, a, &a, &n.err));
    BUILD(reha_graph_add_dropout(g, "dropout", a, 0.25F, &a, &n.err));
    BUILD(reha_graph_add_fully_connected(g, "dense", a, 5, &a, &n.err));
    BUILD(reha_graph_mark_output(g, a, "scores", &n.err));
    reha_random random = reha_random_init(2, 2);
    nn_randomise(g, &random);
    return n;
}

static char test_folder[] = "/tmp/reha-onnx-XXXXXX";

static const char *temporary(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", test_folder, name);
    return path;
}

static reha_graph *through_file(const reha_graph *graph, bool half, size_t *bytes)
{
    reha_error err = REHA_ERROR_INIT;
    reha_graph *again = NULL;
    uint8_t *data = NULL;
    const reha_onnx_save_options options = {.float16_weights = half, .producer = "test", .doc = "a test"};
    const char *path = temporary("model.onnx");
    assert_ok(reha_onnx_save(graph, path, &options, &err), &err);
    assert_ok(reha_file_load(path, 1 << 28, &data, bytes, &err), &err);
    assert_ok(reha_onnx_parse(data, *bytes, NULL, &again, &err), &err);
    reha_free(data);
    return again;
}

static void compare_outputs(const reha_graph *a, const reha_graph *b, double tolerance)
{
    reha_error err = REHA_ERROR_INIT;
    reha_random random = reha_random_init(9, 9);
    reha_reference *ra = NULL;
    reha_reference *rb = NULL;
    nn_data data = nn_data_new(a, 2, &random);
    const float *const *inputs = (const float *const *)data.in;
    assert_ok(reha_reference_new(a, 2, inputs, &ra, &err), &err);
    assert_ok(reha_reference_new(b, 2, inputs, &rb, &err), &err);
    assert_int_equal(reha_graph_output_count(a), reha_graph_output_count(b));
    for (int i = 0; i < data.outputs; i++) {
        const float *x = reha_reference_value(ra, reha_graph_output(a, i));
        const float *y = reha_reference_value(rb, reha_graph_output(b, i));
        assert_string_equal(reha_graph_output_name(a, i), reha_graph_output_name(b, i));
        assert_int_equal(reha_reference_count(rb, reha_graph_output(b, i)), data.out_count[i]);
        if (tolerance == 0) {
            assert_memory_equal(x, y, data.out_count[i] * sizeof(float));
        } else {
            assert_true(nn_difference(x, y, data.out_count[i]) < tolerance);
        }
    }
    reha_reference_free(ra);
    reha_reference_free(rb);
    nn_data_clear(&data);
}

static void test_round_trip(void **state)
{
    (void)state;
    const net n = every_operator();
    size_t bytes = 0;
    size_t half_bytes = 0;
    reha_graph *again = through_file(n.graph, false, &bytes);
    assert_string_equal(reha_graph_name(again), "every_operator"); /* names become printable words */
    assert_int_equal(reha_graph_node_count(again), reha_graph_node_count(n.graph));
    for (int i = 0; i < reha_graph_node_count(again); i++) {
        const reha_node *node = reha_graph_node(n.graph, i);
        assert_string_equal(reha_graph_node(again, i)->name, node->name);
        assert_int_equal(reha_graph_node(again, i)->op, node->op);
        assert_memory_equal(&reha_graph_node(again, i)->window, &node->window, sizeof node->window);
        assert_true(reha_graph_node(again, i)->ratio == node->ratio);
    }
    for (int i = 0; i < reha_graph_param_count(n.graph); i++) {
        const reha_param *param = reha_graph_param(n.graph, i);
        const int at = reha_graph_find_param(again, param->name);
        assert_true(at >= 0);
        assert_memory_equal(reha_graph_param(again, at)->values, param->values,
                            reha_shape_count(param->shape) * sizeof(float));
        assert_int_equal(reha_graph_param(again, at)->is_trainable, param->is_trainable);
    }
    compare_outputs(n.graph, again, 0);
    reha_graph_free(again);
    again = through_file(n.graph, true, &half_bytes);
    compare_outputs(n.graph, again, 5e-3);
    assert_true(half_bytes < bytes);
    /* what was rounded once is not rounded again */
    reha_graph *twice = through_file(again, true, &bytes);
    compare_outputs(again, twice, 0);
    reha_graph_free(twice);
    reha_graph_free(again);
    reha_graph_free(n.graph);
}

/* Outputs that are inputs, outputs twice, and names that collide. */
static void test_odd_names(void **state)
{
    (void)state;
    net n = {0};
    reha_value_id x;
    reha_value_id a;
    reha_value_id b;
    size_t bytes = 0;
    BUILD(reha_graph_new("", &n.graph, &n.err));
    BUILD(reha_graph_add_input(n.graph, "x", 2, 4, 4, &x, &n.err));
    BUILD(reha_graph_add_conv(n.graph, "c", x, 2, reha_window_square(1, 1, 0), 1, true, &a, &n.err));
    BUILD(reha_graph_add_unary(n.graph, "c.weight", REHA_OP_RELU, a, &b, &n.err));
    BUILD(reha_graph_add_unary(n.graph, "last", REHA_OP_SIGMOID, b, &b, &n.err));
    BUILD(reha_graph_mark_output(n.graph, b, "c", &n.err));
    BUILD(reha_graph_mark_output(n.graph, b, "again", &n.err));
    BUILD(reha_graph_mark_output(n.graph, x, "same", &n.err));
    BUILD(reha_graph_mark_output(n.graph, a, "last", &n.err));
    reha_random random = reha_random_init(2, 2);
    nn_randomise(n.graph, &random);
    reha_graph *again = through_file(n.graph, false, &bytes);
    compare_outputs(n.graph, again, 0);
    reha_graph_free(again);
    reha_graph_free(n.graph);
}

static void test_save_failures(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const net n = every_operator();
    reha_graph *empty = NULL;
    assert_int_equal(reha_onnx_save(n.graph, "/nowhere/at/all/m.onnx", NULL, &err), REHA_E_NOT_FOUND);
    assert_ok(reha_graph_new("empty", &empty, &err), &err);
    assert_int_equal(reha_onnx_save(empty, temporary("empty.onnx"), NULL, &err), REHA_E_ARG);
    assert_false(reha_path_is_file(temporary("empty.onnx")));
    reha_graph_free(empty);
    const size_t before = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    for (long round = 0; status != REHA_OK; round++) {
        reha_mem_fail_after(round);
        status = reha_onnx_save(n.graph, temporary("torture.onnx"), NULL, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_int_equal(reha_mem_live_blocks(), before);
        assert_true(round < 20000);
    }
    reha_graph_free(n.graph);
}

/* ---- messages by hand: what no honest writer makes ---- */

typedef struct bytes {
    uint8_t data[8192];
    size_t count;
} bytes;

static void put_varint(bytes *b, uint64_t value)
{
    do {
        b->data[b->count++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value > 0);
}

static void put_int(bytes *b, int field, int64_t value)
{
    put_varint(b, (uint64_t)field << 3);
    put_varint(b, (uint64_t)value);
}

static void put_block(bytes *b, int field, const void *data, size_t count)
{
    put_varint(b, (uint64_t)field << 3 | 2);
    put_varint(b, count);
    assert_true(b->count + count < sizeof b->data);
    if (count > 0) {
        memcpy(b->data + b->count, data, count);
    }
    b->count += count;
}

static void put_text(bytes *b, int field, const char *text)
{
    put_block(b, field, text, strlen(text));
}

static void put_message(bytes *b, int field, const bytes *message)
{
    put_block(b, field, message->data, message->count);
}

static bytes value_info(const char *name, int type, const int64_t *dims, int rank) /* dim -1: symbolic */
{
    bytes shape = {0};
    bytes tensor = {0};
    bytes kind = {0};
    bytes info = {0};
    for (int i = 0; i < rank; i++) {
        bytes dim = {0};
        if (dims[i] == -1) {
            put_text(&dim, 2, "n");
        } else {
            put_int(&dim, 1, dims[i]);
        }
        put_message(&shape, 1, &dim);
    }
    put_int(&tensor, 1, type);
    put_message(&tensor, 2, &shape);
    put_message(&kind, 1, &tensor);
    put_text(&info, 1, name);
    put_message(&info, 2, &kind);
    return info;
}

static bytes float_tensor(const char *name, const int64_t *dims, int rank, size_t values)
{
    static const float zeros[512];
    bytes tensor = {0};
    for (int i = 0; i < rank; i++) {
        put_int(&tensor, 1, dims[i]);
    }
    put_int(&tensor, 2, 1);
    put_text(&tensor, 8, name);
    put_block(&tensor, 9, zeros, values * sizeof(float));
    return tensor;
}

static bytes int_attribute(const char *name, int64_t value)
{
    bytes attribute = {0};
    put_text(&attribute, 1, name);
    put_int(&attribute, 3, value);
    put_int(&attribute, 20, 2);
    return attribute;
}

typedef struct model {
    bytes graph;
    int64_t opset;
    bool without_input;
} model;

static void put_node(model *m, const char *type, const char *name, const char *inputs, const char *out,
                     const bytes *attribute)
{
    bytes node = {0};
    char copy[128];
    snprintf(copy, sizeof copy, "%s", inputs);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        put_text(&node, 1, word);
    }
    put_text(&node, 2, out);
    put_text(&node, 3, name);
    put_text(&node, 4, type);
    if (attribute != NULL) {
        put_message(&node, 5, attribute);
    }
    put_message(&m->graph, 1, &node);
}

static bytes finish(const model *m)
{
    static const int64_t image[4] = {-1, 3, 8, 8};
    bytes graph = m->graph;
    bytes opset = {0};
    bytes out = {0};
    put_text(&graph, 2, "g");
    if (!m->without_input) {
        const bytes in = value_info("x", 1, image, 4);
        put_message(&graph, 11, &in);
    }
    const bytes result = value_info("y", 1, image, 4);
    put_message(&graph, 12, &result);
    put_text(&opset, 1, "");
    put_int(&opset, 2, m->opset);
    put_int(&out, 1, 7);
    put_message(&out, 7, &graph);
    put_message(&out, 8, &opset);
    return out;
}

static model new_model(void)
{
    const model m = {.opset = 13};
    return m;
}

static void expect(const model *m, reha_status wanted, const char *text)
{
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    const bytes file = finish(m);
    const reha_status status = reha_onnx_parse(file.data, file.count, NULL, &graph, &err);
    if (status != wanted || strstr(err.text, text) == NULL) {
        fail_msg("%s instead of %s, \"%s\" instead of \"%s\"", reha_status_name(status),
                 reha_status_name(wanted), err.text, text);
    }
    assert_true((status == REHA_OK) == (graph != NULL));
    reha_graph_free(graph);
}

static void expect_node(const char *type, const char *inputs, const bytes *attribute, reha_status wanted,
                        const char *text)
{
    static const int64_t weight[4] = {4, 3, 3, 3};
    static const int64_t vector[1] = {3};
    model m = new_model();
    const bytes w = float_tensor("w", weight, 4, 108);
    const bytes v = float_tensor("v", vector, 1, 3);
    put_message(&m.graph, 5, &w);
    put_message(&m.graph, 5, &v);
    put_node(&m, type, "me", inputs, "y", attribute);
    expect(&m, wanted, text);
}

static void test_node_refusals(void **state)
{
    (void)state;
    expect_node("Relu", "x", NULL, REHA_OK, "");
    expect_node("Conv", "x w", NULL, REHA_OK, "");
    expect_node("LSTM", "x", NULL, REHA_E_UNSUPPORTED, "node me (LSTM): the operator is not supported");
    expect_node("Conv", "x", NULL, REHA_E_FORMAT, "node me (Conv): input 1");
    expect_node("Conv", "x v", NULL, REHA_E_UNSUPPORTED, "1 dimensions");
    expect_node("Conv", "x x", NULL, REHA_E_UNSUPPORTED, "not a constant");
    expect_node("Conv", "w w", NULL, REHA_E_UNSUPPORTED, "constant");
    expect_node("Conv", "nobody w", NULL, REHA_E_FORMAT, "nobody");
    bytes a = int_attribute("group", 2);
    expect_node("Conv", "x w", &a, REHA_E_FORMAT, "groups");
    a = int_attribute("group", INT64_MIN);
    expect_node("Conv", "x w", &a, REHA_E_FORMAT, "groups");
    expect_node("BatchNormalization", "x v v v", NULL, REHA_E_FORMAT, "input 4");
    expect_node("BatchNormalization", "x v v v v", NULL, REHA_OK, "");
    expect_node("BatchNormalization", "x v v v w", NULL, REHA_E_UNSUPPORTED, "4 dimensions");
    a = int_attribute("training_mode", 1);
    expect_node("BatchNormalization", "x v v v v", &a, REHA_E_UNSUPPORTED, "training");
    expect_node("Clip", "x", NULL, REHA_E_UNSUPPORTED, "limits");
    expect_node("Clip", "x v v", NULL, REHA_E_LIMIT, "v");
    expect_node("Softmax", "x", NULL, REHA_E_UNSUPPORTED, "axis");
    expect_node("Add", "x v", NULL, REHA_E_UNSUPPORTED, "per channel");
    expect_node("Sub", "v x", NULL, REHA_E_UNSUPPORTED, "second");
    expect_node("Concat", "x x", NULL, REHA_E_UNSUPPORTED, "axis 0");
    expect_node("MaxPool", "x", NULL, REHA_E_FORMAT, "kernel");
    expect_node("Gemm", "x w", NULL, REHA_E_UNSUPPORTED, "dimensions");
    expect_node("ReduceMean", "x", NULL, REHA_E_UNSUPPORTED, "mean");
    expect_node("Resize", "x", NULL, REHA_E_FORMAT, "input 3");
    expect_node("Reshape", "x", NULL, REHA_E_FORMAT, "input 1");
    expect_node("Reshape", "x v", NULL, REHA_E_UNSUPPORTED, "shape");
    expect_node("Squeeze", "x", NULL, REHA_E_UNSUPPORTED, "1 x 1");
    expect_node("Transpose", "x", NULL, REHA_E_UNSUPPORTED, "constant");
    expect_node("Transpose", "w", NULL, REHA_E_UNSUPPORTED, "matrices");
    expect_node("Cast", "x", NULL, REHA_E_UNSUPPORTED, "data type");
    expect_node("Gather", "v w", NULL, REHA_E_LIMIT, "w");
    expect_node("Unsqueeze", "x", NULL, REHA_E_UNSUPPORTED, "shapes");
    expect_node("Identity", "v", NULL, REHA_E_FORMAT, "output y");
    expect_node("Constant", "", NULL, REHA_E_UNSUPPORTED, "constant");
}

static void test_graph_refusals(void **state)
{
    (void)state;
    static const int64_t images[][4] = {{-1, -1, 8, 8}, {-1, 3, -1, 8}, {-1, 3, 8, 0}, {-1, 3, 8, 1LL << 40}};
    model m = new_model();
    expect(&m, REHA_E_FORMAT, "output y");
    m.opset = 99;
    expect(&m, REHA_E_UNSUPPORTED, "operator set 99");
    m.opset = 3;
    expect(&m, REHA_E_UNSUPPORTED, "operator set 3");
    for (int i = 0; i < 4; i++) {
        m = new_model();
        m.without_input = true;
        const bytes in = value_info("x", 1, images[i], 4);
        put_message(&m.graph, 11, &in);
        expect(&m, REHA_E_UNSUPPORTED, "input x: dimension");
    }
    m = new_model();
    m.without_input = true;
    const bytes ints = value_info("x", 7, images[0], 4);
    put_message(&m.graph, 11, &ints);
    expect(&m, REHA_E_UNSUPPORTED, "float images");
    m = new_model();
    put_node(&m, "Relu", "a", "x", "x", NULL); /* defines its input again */
    expect(&m, REHA_E_FORMAT, "exists");
    m = new_model();
    put_node(&m, "Relu", "a", "z", "y", NULL); /* z comes later */
    put_node(&m, "Relu", "b", "x", "z", NULL);
    expect(&m, REHA_E_FORMAT, "not computed before");
    m = new_model();
    put_node(&m, "Relu", "evil\n\x1b[31m name", "x", "q", NULL);
    put_node(&m, "Nope", "evil\n\x1b[31m name", "q", "y", NULL);
    expect(&m, REHA_E_UNSUPPORTED, "(Nope)");
    m = new_model();
    for (int i = 0; i < 3; i++) { /* the same name thrice: ours become unique */
        char from[16];
        char to[16];
        snprintf(from, sizeof from, i == 0 ? "x" : "v%d", i);
        snprintf(to, sizeof to, i == 2 ? "y" : "v%d", i + 1);
        put_node(&m, "Relu", "same", from, to, NULL);
    }
    expect(&m, REHA_OK, "");
}

static void expect_tensor(const bytes *tensor, reha_status wanted, const char *text)
{
    model m = new_model();
    put_message(&m.graph, 5, tensor);
    put_node(&m, "Relu", "a", "x", "y", NULL);
    expect(&m, wanted, text);
}

static void test_tensor_refusals(void **state)
{
    (void)state;
    const int64_t dims[2] = {2, 2};
    const int64_t negative[2] = {-2, -2};
    const int64_t huge[2] = {INT64_MAX, INT64_MAX};
    const int64_t wrapping[2] = {1LL << 33, 1LL << 31};
    bytes tensor = float_tensor("t", dims, 2, 4);
    expect_tensor(&tensor, REHA_OK, "");
    tensor = float_tensor("t", dims, 2, 3);
    expect_tensor(&tensor, REHA_E_FORMAT, "tensor t: its shape asks for 4 values, it holds fewer");
    tensor = float_tensor("t", dims, 2, 5);
    expect_tensor(&tensor, REHA_E_FORMAT, "more");
    tensor = float_tensor("t", negative, 2, 4);
    expect_tensor(&tensor, REHA_E_FORMAT, "dimension 0 is -2");
    tensor = float_tensor("t", huge, 2, 4);
    expect_tensor(&tensor, REHA_E_LIMIT, "more than");
    tensor = float_tensor("t", wrapping, 2, 0);
    expect_tensor(&tensor, REHA_E_LIMIT, "more than");
    tensor = float_tensor("t", dims, 2, 4);
    put_int(&tensor, 14, 1);
    expect_tensor(&tensor, REHA_E_UNSUPPORTED, "another file");
    tensor = float_tensor("t", dims, 2, 4);
    put_int(&tensor, 2, 8);
    expect_tensor(&tensor, REHA_E_UNSUPPORTED, "data type 8");
    tensor = float_tensor("x", dims, 2, 4); /* then "x" is no input but a constant */
    expect_tensor(&tensor, REHA_E_UNSUPPORTED, "constant");
    model m = new_model();
    tensor = float_tensor("t", dims, 2, 4);
    put_message(&m.graph, 5, &tensor);
    put_message(&m.graph, 5, &tensor);
    expect(&m, REHA_E_FORMAT, "initialiser 1");
}

/* Messages in messages: refused before anything recurses. */
static void test_nesting(void **state)
{
    (void)state;
    enum { DEPTH = 100000 };
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    model m = new_model();
    bytes branch = {0};
    put_text(&branch, 1, "then_branch");
    put_block(&branch, 6, "", 0);
    put_node(&m, "If", "me", "x", "y", &branch);
    expect(&m, REHA_E_UNSUPPORTED, "sub-graphs");
    /* graph -> node -> attribute -> graph -> ..., written from the inside out into the end of a buffer */
    const size_t room = (size_t)DEPTH * 40;
    uint8_t *data = reha_alloc(room);
    assert_non_null(data);
    size_t start = room;
    static const uint8_t fields[3] = {6 << 3 | 2, 5 << 3 | 2, 1 << 3 | 2};
    for (int i = 0; i < DEPTH; i++) {
        bytes head = {0};
        put_varint(&head, i == DEPTH - 1 ? 7 << 3 | 2 : fields[i % 3]);
        put_varint(&head, room - start);
        start -= head.count;
        memcpy(data + start, head.data, head.count);
    }
    assert_int_equal(reha_onnx_parse(data + start, room - start, NULL, &graph, &err), REHA_E_UNSUPPORTED);
    assert_null(graph);
    reha_free(data);
}

static void test_limits(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    reha_onnx_limits limits = reha_onnx_limits_default();
    model m = new_model();
    put_node(&m, "Relu", "a", "x", "b", NULL);
    put_node(&m, "Relu", "b", "b", "y", NULL);
    const bytes file = finish(&m);
    limits.nodes_max = 1;
    assert_int_equal(reha_onnx_parse(file.data, file.count, &limits, &graph, &err), REHA_E_LIMIT);
    limits.nodes_max = 2;
    assert_ok(reha_onnx_parse(file.data, file.count, &limits, &graph, &err), &err);
    reha_graph_free(graph);
    limits.file_bytes_max = file.count - 1;
    assert_int_equal(reha_onnx_parse(file.data, file.count, &limits, &graph, &err), REHA_E_LIMIT);
    const net n = every_operator();
    size_t bytes_read = 0;
    uint8_t *data = NULL;
    assert_ok(reha_onnx_save(n.graph, temporary("limits.onnx"), NULL, &err), &err);
    assert_ok(reha_file_load(temporary("limits.onnx"), 1 << 20, &data, &bytes_read, &err), &err);
    limits = reha_onnx_limits_default();
    limits.params_max = 500;
    assert_int_equal(reha_onnx_parse(data, bytes_read, &limits, &graph, &err), REHA_E_LIMIT);
    /* a file of empty messages: two bytes each, some hundred when unpacked */
    uint8_t *bomb = reha_alloc_zero(1, 4 << 20);
    assert_non_null(bomb);
    bytes head = {0};
    put_varint(&head, 7 << 3 | 2);
    put_varint(&head, (4 << 20) - 16);
    memcpy(bomb, head.data, head.count);
    for (size_t i = head.count; i + 1 < head.count + (4 << 20) - 16; i += 2) {
        bomb[i] = 14 << 3 | 2; /* quantisation annotations */
    }
    const reha_status status = reha_onnx_parse(bomb, head.count + (4 << 20) - 16, NULL, &graph, &err);
    assert_true(status == REHA_E_LIMIT || status == REHA_E_UNSUPPORTED || status == REHA_E_FORMAT);
    assert_null(graph);
    reha_free(bomb);
    reha_free(data);
    reha_graph_free(n.graph);
    assert_int_equal(reha_onnx_load("/nowhere.onnx", NULL, &graph, &err), REHA_E_NOT_FOUND);
    assert_int_equal(reha_onnx_parse("", 0, NULL, &graph, &err), REHA_E_FORMAT);
    assert_int_equal(reha_onnx_parse("this is no model at all", 23, NULL, &graph, &err), REHA_E_FORMAT);
}

static void test_no_memory(void **state)
{
    (void)state;
    const net n = every_operator();
    size_t count = 0;
    uint8_t *data = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_onnx_save(n.graph, temporary("torture2.onnx"), NULL, &err), &err);
    assert_ok(reha_file_load(temporary("torture2.onnx"), 1 << 20, &data, &count, &err), &err);
    const size_t before = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    for (long round = 0; status != REHA_OK; round++) {
        reha_graph *graph = NULL;
        reha_mem_fail_after(round);
        status = reha_onnx_parse(data, count, NULL, &graph, NULL);
        reha_mem_fail_after(-1);
        if (status != REHA_OK && status != REHA_E_NOMEM) {
            fail_msg("round %ld: %s", round, reha_status_name(status));
        }
        reha_graph_free(graph);
        assert_int_equal(reha_mem_live_blocks(), before);
        assert_true(round < 20000);
    }
    reha_free(data);
    reha_graph_free(n.graph);
}

/* ---- corpus: files of PyTorch 1.13 as they are, cut off, and with flipped bits ---- */

static void test_corpus(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_paths files = {0};
    reha_random random = reha_random_init(6, 6);
    assert_ok(reha_folder_list(REHA_SOURCE_DIR "/fuzz/corpus/onnx", 1000, &files, &err), &err);
    assert_true(files.count >= 8);
    for (size_t i = 0; i < files.count; i++) {
        uint8_t *data = NULL;
        size_t count = 0;
        reha_graph *graph = NULL;
        assert_ok(reha_file_load(files.items[i], 1 << 20, &data, &count, &err), &err);
        assert_ok(reha_onnx_parse(data, count, NULL, &graph, &err), &err);
        reha_graph_free(graph);
        LLVMFuzzerTestOneInput(data, count);
        for (size_t cut = 0; cut<count; cut += count> 600 ? 7 : 1) {
            LLVMFuzzerTestOneInput(data, cut);
        }
        for (int round = 0; round < 2000; round++) {
            const uint32_t flips = 1 + reha_random_below(&random, 4);
            uint32_t at[4];
            uint8_t mask[4];
            for (uint32_t k = 0; k < flips; k++) {
                at[k] = reha_random_below(&random, (uint32_t)count);
                mask[k] = (uint8_t)(1u << reha_random_below(&random, 8));
                data[at[k]] ^= mask[k];
            }
            LLVMFuzzerTestOneInput(data, count);
            for (uint32_t k = 0; k < flips; k++) {
                data[at[k]] ^= mask[k];
            }
        }
        reha_free(data);
    }
    reha_paths_clear(&files);
}

/* ---- for tests/e2e/test_onnx_parity.sh: models with inputs and the reference's outputs ---- */

static void write_floats(const char *folder, const char *name, const char *kind, int i, const float *values,
                         size_t count)
{
    char path[256];
    reha_error err = REHA_ERROR_INIT;
    snprintf(path, sizeof path, "%s/%s.%s.%d", folder, name, kind, i);
    assert_ok(reha_file_save(path, values, count * sizeof *values, &err), &err);
}

static void add_shape(reha_text *json, const char *name, reha_shape shape, int batch)
{
    const bool is_first = json->data[json->length - 1] == '[';
    reha_text_addf(json, "%s{\"name\": \"%s\", \"shape\": [%d", is_first ? "" : ", ", name, batch);
    for (int i = 1; i < shape.rank; i++) {
        reha_text_addf(json, ", %d", (int)shape.dims[i]);
    }
    reha_text_add(json, "]}");
}

static void export_graph(const reha_graph *graph, const char *folder, const char *name, bool half)
{
    enum { BATCH = 2 };
    char path[256];
    reha_error err = REHA_ERROR_INIT;
    reha_random random = reha_random_init(8, 8);
    reha_reference *reference = NULL;
    reha_text json = {0};
    nn_data data = nn_data_new(graph, BATCH, &random);
    const reha_onnx_save_options options = {.float16_weights = half, .producer = "rehascope test"};
    snprintf(path, sizeof path, "%s/%s.onnx", folder, name);
    assert_ok(reha_onnx_save(graph, path, &options, &err), &err);
    assert_ok(reha_reference_new(graph, BATCH, (const float *const *)data.in, &reference, &err), &err);
    reha_text_add(&json, "{\"inputs\": [");
    for (int i = 0; i < data.inputs; i++) {
        const reha_node *node = reha_graph_node(graph, reha_graph_input(graph, i));
        write_floats(folder, name, "in", i, data.in[i], BATCH * reha_shape_count(node->shape));
        add_shape(&json, node->name, node->shape, BATCH);
    }
    reha_text_add(&json, "], \"outputs\": [");
    for (int i = 0; i < data.outputs; i++) {
        const reha_value_id v = reha_graph_output(graph, i);
        write_floats(folder, name, "out", i, reha_reference_value(reference, v), data.out_count[i]);
        add_shape(&json, reha_graph_output_name(graph, i), reha_graph_node(graph, v)->shape, BATCH);
    }
    reha_text_add(&json, "]}\n");
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    assert_false(json.failed);
    assert_ok(reha_file_save(path, json.data, json.length, &err), &err);
    reha_text_clear(&json);
    reha_reference_free(reference);
    nn_data_clear(&data);
}

typedef reha_status (*zoo_builder)(reha_graph *, reha_value_id, reha_value_id *, reha_error *);

static reha_status trunk(reha_graph *graph, reha_value_id x, reha_value_id *out, reha_error *err)
{
    return reha_zoo_resnet50v2_trunk(graph, x, 3, out, err);
}

static reha_status unet(reha_graph *graph, reha_value_id x, reha_value_id *out, reha_error *err)
{
    return reha_zoo_unet(graph, x, 8, 3, 2, out, err);
}

static int export_all(const char *folder)
{
    static const struct {
        const char *name;
        zoo_builder build;
    } nets[] = {{"resnet18", reha_zoo_resnet18},
                {"mobilenetv2", reha_zoo_mobilenetv2},
                {"resnet50v2", trunk},
                {"unet", unet}};
    net n = every_operator();
    export_graph(n.graph, folder, "every_operator", false);
    reha_graph_free(n.graph);
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        reha_value_id v;
        reha_graph *graph = NULL;
        reha_graph *again = NULL;
        reha_random random = reha_random_init(3, i);
        char half[64];
        size_t file_bytes;
        BUILD(reha_graph_new(nets[i].name, &graph, &n.err));
        BUILD(reha_graph_add_input(graph, "image", 3, 64, 48, &v, &n.err));
        BUILD(nets[i].build(graph, v, &v, &n.err));
        BUILD(reha_graph_mark_output(graph, v, "y", &n.err));
        nn_randomise(graph, &random);
        export_graph(graph, folder, nets[i].name, false);
        snprintf(half, sizeof half, "%s_float16", nets[i].name);
        again = through_file(graph, true, &file_bytes); /* weights as float16 has them */
        export_graph(again, folder, half, true);
        reha_graph_free(again);
        reha_graph_free(graph);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_odd_names),
        cmocka_unit_test(test_save_failures),  cmocka_unit_test(test_node_refusals),
        cmocka_unit_test(test_graph_refusals), cmocka_unit_test(test_tensor_refusals),
        cmocka_unit_test(test_nesting),        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_memory),      cmocka_unit_test(test_corpus),
    };
    if (mkdtemp(test_folder) == NULL) {
        return 1;
    }
    const bool is_export = argc == 3 && strcmp(argv[1], "--export") == 0;
    const int failures = is_export ? export_all(argv[2]) : cmocka_run_group_tests(tests, NULL, NULL);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", test_folder);
    return failures + (system(command) != 0);
}
