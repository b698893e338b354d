/* PNG files that we write come back as they were. */
#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "image/load.h"
#include "image/save.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static reha_gray *noise(uint32_t width, uint32_t height, uint32_t bound)
{
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_gray_new(width, height, &image, &err), &err);
    reha_random random = reha_random_init(bound, 1);
    for (size_t i = 0; i < (size_t)width * height; i++) {
        image->pixels[i] = (float)reha_random_below(&random, bound);
    }
    return image;
}

static void test_round_trip(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const struct {
        unsigned bits;
        uint32_t width, height;
    } cases[] = {{8, 31, 17}, {16, 31, 17}, {8, 1, 1}, {16, 1, 300}};
    for (size_t i = 0; i < 4; i++) {
        reha_gray *image = noise(cases[i].width, cases[i].height, 1u << cases[i].bits);
        image->spacing = (reha_spacing){0.1, 0.1, REHA_SPACING_CALIBRATED};
        uint8_t *bytes = NULL;
        uint8_t *again = NULL;
        size_t count = 0;
        size_t again_count = 0;
        assert_ok(reha_image_encode_png(image, cases[i].bits, &bytes, &count, &err), &err);
        assert_ok(reha_image_encode_png(image, cases[i].bits, &again, &again_count, &err), &err);
        assert_int_equal(count, again_count);
        assert_memory_equal(bytes, again, count);
        reha_gray *back = NULL;
        reha_acquisition facts;
        assert_ok(reha_image_decode(bytes, count, NULL, &back, &facts, &err), &err);
        assert_memory_equal(back->pixels, image->pixels,
                            (size_t)cases[i].width * cases[i].height * sizeof(float));
        assert_int_equal(facts.bits_stored, cases[i].bits);
        assert_false(reha_spacing_is_known(back->spacing));
        reha_free(bytes);
        reha_free(again);
        reha_gray_free(back);
        reha_gray_free(image);
    }
}

static void test_values_are_rounded_and_cut(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = noise(7, 1, 2);
    const float values[7] = {-5.0f, 0.49f, 0.5f, 254.6f, 300.0f, NAN, INFINITY};
    const float wanted[7] = {0.0f, 0.0f, 1.0f, 255.0f, 255.0f, 0.0f, 255.0f};
    memcpy(image->pixels, values, sizeof values);
    uint8_t *bytes = NULL;
    size_t count = 0;
    assert_ok(reha_image_encode_png(image, 8, &bytes, &count, &err), &err);
    reha_gray *back = NULL;
    assert_ok(reha_image_decode(bytes, count, NULL, &back, NULL, &err), &err);
    assert_memory_equal(back->pixels, wanted, sizeof wanted);
    reha_free(bytes);
    reha_gray_free(back);
    reha_gray_free(image);
}

static void test_refused(void **state)
{
    (void)state;
    reha_gray *image = noise(4, 4, 9);
    const unsigned bits[] = {0, 1, 7, 12, 32};
    for (size_t i = 0; i < 5; i++) {
        uint8_t *bytes = (uint8_t *)1;
        size_t count = 1;
        reha_error err = REHA_ERROR_INIT;
        assert_int_equal(reha_image_encode_png(image, bits[i], &bytes, &count, &err), REHA_E_ARG);
        assert_null(bytes);
        assert_int_equal(count, 0);
    }
    reha_error err = REHA_ERROR_INIT;
    assert_true(reha_image_save_png(image, 8, "/nonexistent-folder/a.png", &err) != REHA_OK);
    assert_int_equal(reha_image_save_png(image, 9, "/tmp/never.png", &err), REHA_E_ARG);
    reha_gray_free(image);
}

static void test_saved_file_loads(void **state)
{
    (void)state;
    char path[] = "/tmp/reha-save-XXXXXX";
    const int handle = mkstemp(path);
    assert_true(handle >= 0);
    close(handle);
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = noise(40, 30, 4096);
    reha_gray *back = NULL;
    assert_ok(reha_image_save_png(image, 16, path, &err), &err);
    assert_ok(reha_image_load(path, NULL, &back, NULL, &err), &err);
    assert_memory_equal(back->pixels, image->pixels, 1200 * sizeof(float));
    reha_gray_free(back);
    reha_gray_free(image);
    unlink(path);
}

/* Lossy, and the more so the lower the quality; greys beyond 0..255 are cut. */
static void test_jpeg(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    double sums[2] = {0.0, 0.0};
    size_t sizes[2] = {0, 0};
    static const int qualities[2] = {95, 10};
    assert_ok(reha_gray_new(97, 61, &image, &err), &err);
    for (uint32_t i = 0; i < 97 * 61; i++) {
        image->pixels[i] = 120.0F + 100.0F * sinf((float)(i % 97) / 9.0F) * cosf((float)(i / 97) / 7.0F);
    }
    image->pixels[0] = -40.0F;
    for (int q = 0; q < 2; q++) {
        uint8_t *bytes = NULL;
        reha_gray *back = NULL;
        reha_acquisition facts;
        assert_ok(reha_image_encode_jpeg(image, qualities[q], &bytes, &sizes[q], &err), &err);
        assert_string_equal(reha_image_detect(bytes, sizes[q]), "jpeg");
        assert_ok(reha_image_decode(bytes, sizes[q], NULL, &back, &facts, &err), &err);
        assert_true(back->width_px == 97 && back->height_px == 61 && facts.is_lossy);
        for (uint32_t i = 1; i < 97 * 61; i++) {
            sums[q] += fabs((double)(back->pixels[i] - image->pixels[i])) / (97.0 * 61.0);
        }
        reha_free(bytes);
        reha_gray_free(back);
    }
    assert_true(sums[0] < 2.0 && sums[1] > 1.5 * sums[0] && sizes[1] < sizes[0]);
    static const int bad[] = {0, -1, 101};
    for (size_t i = 0; i < 3; i++) {
        uint8_t *bytes = (uint8_t *)1;
        size_t count = 1;
        assert_int_equal(reha_image_encode_jpeg(image, bad[i], &bytes, &count, &err), REHA_E_ARG);
        assert_null(bytes);
        assert_int_equal(count, 0);
    }
    reha_gray_free(image);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    reha_gray *image = noise(200, 200, 60000);
    const size_t blocks = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    for (long n = 0; status != REHA_OK && n < 200; n++) {
        uint8_t *bytes = NULL;
        size_t count = 0;
        reha_mem_fail_after(n);
        status = reha_image_encode_png(image, 16, &bytes, &count, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || (status == REHA_E_NOMEM && bytes == NULL));
        reha_free(bytes);
        assert_int_equal(reha_mem_live_blocks(), blocks);
    }
    assert_int_equal(status, REHA_OK);
    reha_gray_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_values_are_rounded_and_cut),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_saved_file_loads),
        cmocka_unit_test(test_jpeg),       cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
