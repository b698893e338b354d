/* NumPy files, good and bad, and backbones loaded by name. */
#include "unit/nn/nn_support.h"

#include "base/file.h"
#include "nn/half_priv.h"
#include "nn/npy.h"

#include <sys/stat.h>

typedef struct file {
    uint8_t bytes[512];
    size_t count;
} file;

static file make(const char *header, const void *data, size_t data_bytes)
{
    file f = {.bytes = "\x93NUMPY\x01"};
    const size_t length = strlen(header);
    f.bytes[8] = (uint8_t)length;
    f.bytes[9] = (uint8_t)(length >> 8);
    memcpy(f.bytes + 10, header, length);
    if (data_bytes > 0) {
        memcpy(f.bytes + 10 + length, data, data_bytes);
    }
    f.count = 10 + length + data_bytes;
    return f;
}

static void test_good(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_npy array;
    const float values[6] = {1, 2, 3, 4, 5, -6.5F};
    file f = make("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", values, sizeof values);
    assert_ok(reha_npy_parse(f.bytes, f.count, &array, &err), &err);
    assert_int_equal(array.shape.rank, 2);
    assert_int_equal(array.shape.dims[1], 3);
    assert_memory_equal(array.values, values, sizeof values);
    reha_npy_clear(&array);
    const uint16_t halves[4] = {0x3c00, 0xc000, 0x0001, 0x7bff};
    f = make("{'descr': '<f2', 'fortran_order': False, 'shape': (4,), }", halves, sizeof halves);
    assert_ok(reha_npy_parse(f.bytes, f.count, &array, &err), &err);
    assert_true(array.values[0] == 1.0F && array.values[1] == -2.0F && array.values[3] == 65504.0F);
    assert_true(array.values[2] == ldexpf(1.0F, -24));
    reha_npy_clear(&array);
    const uint8_t bytes[4] = {0, 255, 0, 128};
    f = make("{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", bytes, sizeof bytes);
    assert_ok(reha_npy_parse(f.bytes, f.count, &array, &err), &err);
    assert_true(array.values[1] == 255.0F && array.values[3] == 128.0F);
    reha_npy_clear(&array);
    f = make("{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }", bytes, sizeof bytes);
    assert_ok(reha_npy_parse(f.bytes, f.count, &array, &err), &err);
    assert_true(array.values[0] == -256.0F && array.values[1] == -32768.0F);
    reha_npy_clear(&array);
    f = make("{'descr': '<u2', 'fortran_order': False, 'shape': (2,), }", bytes, sizeof bytes);
    assert_ok(reha_npy_parse(f.bytes, f.count, &array, &err), &err);
    assert_true(array.values[0] == 65280.0F && array.values[1] == 32768.0F);
    reha_npy_clear(&array);
}

static void expect(const char *header, size_t data_bytes, reha_status wanted)
{
    static const uint8_t zeros[256];
    reha_error err = REHA_ERROR_INIT;
    reha_npy array;
    const file f = make(header, zeros, data_bytes);
    const reha_status status = reha_npy_parse(f.bytes, f.count, &array, &err);
    if (status != wanted || array.values != NULL || err.text[0] == '\0') {
        fail_msg("%s: %s (%s)", header, reha_status_name(status), err.text);
    }
}

static void test_bad(void **state)
{
    (void)state;
    expect("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", 16, REHA_E_UNSUPPORTED);
    expect("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8, REHA_E_UNSUPPORTED);
    expect("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", 8, REHA_E_UNSUPPORTED);
    expect("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 4, REHA_E_FORMAT);
    expect("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 12, REHA_E_FORMAT);
    expect("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8, REHA_E_FORMAT);
    expect("{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", 0, REHA_E_FORMAT);
    expect("{'descr': '<f4', 'fortran_order': False, 'shape': 2, }", 8, REHA_E_FORMAT);
    expect("{'descr': '<f4', 'fortran_order': False, 'shape': (2", 8, REHA_E_FORMAT);
    expect("{'descr': '<f4', 'fortran_order': False, 'shape': (", 8, REHA_E_FORMAT);
    expect("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,), }", 4, REHA_E_UNSUPPORTED);
    expect("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }", 4,
           REHA_E_LIMIT);
    expect("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999), }", 4, REHA_E_LIMIT);
    expect("{'descr': '<f4', 'fortran_order': False}", 4, REHA_E_FORMAT);
    expect("", 4, REHA_E_FORMAT);
    reha_error err = REHA_ERROR_INIT;
    reha_npy array;
    const float one = 1;
    const file f = make("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", &one, 4);
    for (size_t cut = 0; cut < f.count; cut++) {
        assert_int_equal(reha_npy_parse(f.bytes, cut, &array, &err), REHA_E_FORMAT);
    }
    reha_random random = reha_random_init(1, 1);
    for (int i = 0; i < 20000; i++) { /* flipped bits: an answer, never a crash */
        file broken = f;
        for (int k = 0; k < 3; k++) {
            broken.bytes[reha_random_below(&random, (uint32_t)f.count)] ^=
                (uint8_t)(1u << reha_random_below(&random, 8));
        }
        if (reha_npy_parse(broken.bytes, f.count, &array, &err) == REHA_OK) {
            reha_npy_clear(&array);
        }
    }
    assert_int_equal(reha_npy_load("/nowhere.npy", &array, &err), REHA_E_NOT_FOUND);
}

static void test_halves(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 65536; bits++) { /* all of them survive the way there and back */
        const float value = reha_half_to_float((uint16_t)bits);
        if (isnan(value)) {
            assert_true(isnan(reha_half_to_float(reha_float_to_half(value))));
        } else {
            assert_int_equal(reha_float_to_half(value), bits);
        }
    }
    assert_int_equal(reha_float_to_half(65519.0F), 0x7bff);
    assert_int_equal(reha_float_to_half(65520.0F), 0x7c00);
    assert_int_equal(reha_float_to_half(1.0F + 1.0F / 2048.0F), 0x3c00); /* half way: to even */
    assert_int_equal(reha_float_to_half(1.0F + 3.0F / 2048.0F), 0x3c02);
    assert_int_equal(reha_float_to_half(ldexpf(1.0F, -26)), 0);
}

static void write_npy(const char *path, const char *shape, const float *values, size_t count)
{
    char header[128];
    reha_error err = REHA_ERROR_INIT;
    snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", shape);
    const file f = make(header, values, count * sizeof *values);
    assert_ok(reha_file_save(path, f.bytes, f.count, &err), &err);
}

static void test_backbone_names(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    reha_value_id v;
    char folder[] = "/tmp/reha-backbone-XXXXXX";
    char path[128];
    int loaded = 0;
    const float values[4] = {1, 2, 3, 4};
    assert_non_null(mkdtemp(folder));
    assert_ok(reha_graph_new("g", &graph, &err), &err);
    assert_ok(reha_graph_add_input(graph, "x", 1, 4, 4, &v, &err), &err);
    assert_ok(reha_graph_add_conv(graph, "conv0", v, 2, reha_window_square(1, 1, 0), 1, false, &v, &err),
              &err);
    assert_ok(reha_graph_add_batch_norm(graph, "norm0", v, 1e-5F, &v, &err), &err);
    assert_int_equal(reha_backbone_load(graph, folder, "p_", &loaded, &err), REHA_E_NOT_FOUND);
    snprintf(path, sizeof path, "%s/p_conv0_weight.npy", folder);
    write_npy(path, "2, 1, 1, 1", values, 2);
    assert_ok(reha_backbone_load(graph, folder, "p_", &loaded, &err), &err);
    assert_int_equal(loaded, 1);
    assert_true(reha_graph_param(graph, 0)->values[1] == 2.0F);
    snprintf(path, sizeof path, "%s/p_norm0_gamma.npy", folder);
    write_npy(path, "2,", values, 2);
    assert_int_equal(reha_backbone_load(graph, folder, "p_", &loaded, &err), REHA_E_FORMAT); /* half a node */
    assert_non_null(strstr(err.text, "1 of the 4 files of node norm0"));
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/p_conv0_weight.npy", folder);
    write_npy(path, "2, 2, 1, 1", values, 4);
    assert_int_equal(reha_backbone_load(graph, folder, "p_", &loaded, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "conv0.weight"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    reha_graph_free(graph);
}

/* Mean and largest value of the last map for an image of a ramp, computed once with PyTorch 1.13 from
 * the same weights (input[c][y][x] = (c + 1) * (x - y) / 64 at 64 x 64). */
static void test_published_backbones(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *prefix;
        int stages, params;
        double mean, largest;
    } cases[] = {{"mobilenetv2", "mobilenetv20_features_", 0, 265, 0.7889217271173038, 6.0},
                 {"resnet50v2_stage1to3", "resnetv24_", 3, 211, 0.026388009427662062, 0.7633018493652344}};
    TEST_NEED_DATA();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_graph *graph = NULL;
        reha_reference *reference = NULL;
        reha_value_id v;
        char folder[512];
        int loaded = 0;
        float *x = reha_alloc(3 * 64 * 64 * sizeof *x);
        const float *inputs[1] = {x};
        for (int k = 0; k < 3 * 64 * 64; k++) {
            x[k] = (float)((k / 4096 + 1) * (k % 64 - k / 64 % 64)) / 64.0F;
        }
        assert_ok(reha_graph_new("g", &graph, &err), &err);
        assert_ok(reha_graph_add_input(graph, "x", 3, 64, 64, &v, &err), &err);
        if (cases[i].stages == 0) {
            assert_ok(reha_zoo_mobilenetv2(graph, v, &v, &err), &err);
        } else {
            assert_ok(reha_zoo_resnet50v2_trunk(graph, v, cases[i].stages, &v, &err), &err);
        }
        snprintf(folder, sizeof folder, "%s/backbones/%s/weights", test_data_dir(), cases[i].folder);
        assert_ok(reha_backbone_load(graph, folder, cases[i].prefix, &loaded, &err), &err);
        assert_int_equal(loaded, cases[i].params);
        assert_int_equal(loaded, reha_graph_param_count(graph));
        assert_ok(reha_reference_new(graph, 1, inputs, &reference, &err), &err);
        double sum = 0;
        double largest = 0;
        const size_t count = reha_reference_count(reference, v);
        for (size_t k = 0; k < count; k++) {
            sum += (double)reha_reference_value(reference, v)[k];
            largest = fmax(largest, (double)reha_reference_value(reference, v)[k]);
        }
        assert_true(fabs(sum / (double)count / cases[i].mean - 1) < 1e-4);
        assert_true(fabs(largest / cases[i].largest - 1) < 1e-4);
        reha_reference_free(reference);
        reha_graph_free(graph);
        reha_free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_halves),
        cmocka_unit_test(test_backbone_names),
        cmocka_unit_test(test_published_backbones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
