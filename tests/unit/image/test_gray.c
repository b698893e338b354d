/* Grey images, spacing, limits, acquisition facts. */
#include "support.h"

#include "base/memory.h"
#include "image/acquisition.h"
#include "image/gray.h"

#include <math.h>
#include <string.h>

static void test_new_is_black_and_unmeasured(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    assert_ok(reha_gray_new(3, 2, &image, &err), &err);
    assert_int_equal(image->width_px, 3);
    assert_int_equal(image->height_px, 2);
    for (uint32_t i = 0; i < 6; i++) {
        assert_true(image->pixels[i] == 0.0f);
    }
    assert_false(reha_spacing_is_known(image->spacing));
    assert_true(isnan(image->spacing.x_mm));
    reha_gray_free(image);
    reha_gray_free(NULL);
}

static void test_copy_is_deep(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    reha_gray *copy = NULL;
    assert_ok(reha_gray_new(2, 2, &image, &err), &err);
    image->pixels[3] = 7.5f;
    image->spacing = (reha_spacing){0.2, 0.3, REHA_SPACING_CALIBRATED};
    assert_ok(reha_gray_copy(image, &copy, &err), &err);
    image->pixels[3] = 0.0f;
    assert_true(reha_gray_at(copy, 1, 1) == 7.5f);
    assert_true(copy->spacing.y_mm == 0.3 && copy->spacing.source == REHA_SPACING_CALIBRATED);
    reha_gray_free(image);
    reha_gray_free(copy);
}

static void test_no_empty_images(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = (reha_gray *)1;
    assert_int_equal(reha_gray_new(0, 5, &image, &err), REHA_E_ARG);
    assert_null(image);
    assert_int_equal(reha_gray_new(5, 0, &image, NULL), REHA_E_ARG);
    assert_null(image);
}

static void test_no_memory(void **state)
{
    (void)state;
    const size_t blocks = reha_mem_live_blocks();
    for (long n = 0; n < 2; n++) {
        reha_gray *image = NULL;
        reha_mem_fail_after(n);
        const reha_status status = reha_gray_new(10, 10, &image, NULL);
        reha_mem_fail_after(-1);
        assert_int_equal(status, REHA_E_NOMEM);
        assert_null(image);
        assert_int_equal(reha_mem_live_blocks(), blocks);
    }
}

static void test_size_limits(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    assert_int_equal(reha_image_check_size(1, 1, NULL, &err), REHA_OK);
    assert_int_equal(reha_image_check_size(20000, 5000, NULL, &err), REHA_OK);
    assert_int_equal(reha_image_check_size(20000, 5001, NULL, &err), REHA_E_LIMIT);
    assert_int_equal(reha_image_check_size(30000, 30000, NULL, &err), REHA_E_LIMIT);
    assert_non_null(strstr(err.text, "30000 x 30000"));
    assert_int_equal(reha_image_check_size(20001, 1, NULL, &err), REHA_E_LIMIT);
    assert_int_equal(reha_image_check_size(UINT64_MAX, UINT64_MAX, NULL, &err), REHA_E_LIMIT);
    assert_int_equal(reha_image_check_size(0, 1, NULL, &err), REHA_E_FORMAT);
    assert_int_equal(reha_image_check_size(1, 0, NULL, &err), REHA_E_FORMAT);
    reha_image_limits mine = reha_image_limits_default();
    mine.pixels_max = 99;
    assert_int_equal(reha_image_check_size(10, 10, &mine, &err), REHA_E_LIMIT);
    assert_int_equal(reha_image_check_size(11, 9, &mine, &err), REHA_OK);
}

static void test_spacing_must_be_believable(void **state)
{
    (void)state;
    const reha_spacing good = {0.15, 0.15, REHA_SPACING_AT_DETECTOR};
    assert_true(reha_spacing_is_known(good));
    const reha_spacing bad[] = {
        {0.15, 0.15, REHA_SPACING_UNKNOWN},      {NAN, 0.15, REHA_SPACING_CALIBRATED},
        {0.15, NAN, REHA_SPACING_CALIBRATED},    {0.0, 0.15, REHA_SPACING_CALIBRATED},
        {0.15, -0.15, REHA_SPACING_CALIBRATED},  {INFINITY, 0.15, REHA_SPACING_USER},
        {0.15, 0.15, REHA_SPACING_SOURCE_COUNT}, {0.15, 0.15, (reha_spacing_source)77},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(reha_spacing_is_known(bad[i]));
    }
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(reha_spacing_source_text(REHA_SPACING_CALIBRATED), "calibrated");
    assert_string_equal(reha_spacing_source_text(REHA_SPACING_AT_DETECTOR),
                        "at detector, magnification unknown");
    assert_string_equal(reha_spacing_source_text(REHA_SPACING_UNKNOWN), "unknown");
    assert_string_equal(reha_spacing_source_text((reha_spacing_source)1000), "unknown");
    for (int i = 0; i < REHA_SPACING_SOURCE_COUNT; i++) {
        assert_true(strlen(reha_spacing_source_text((reha_spacing_source)i)) > 3);
    }
    assert_string_equal(reha_side_text(REHA_SIDE_LEFT), "left");
    assert_string_equal(reha_side_text(REHA_SIDE_RIGHT), "right");
    assert_string_equal(reha_side_text(REHA_SIDE_BOTH), "both");
    assert_string_equal(reha_side_text(REHA_SIDE_UNKNOWN), "unknown");
    assert_string_equal(reha_side_text((reha_side)50), "unknown");
}

static void test_unknown_acquisition(void **state)
{
    (void)state;
    const reha_acquisition facts = reha_acquisition_unknown();
    assert_string_equal(facts.container, "");
    assert_string_equal(facts.modality, "");
    assert_int_equal(facts.side, REHA_SIDE_UNKNOWN);
    assert_false(facts.was_monochrome1);
    assert_true(facts.chroma_fraction == 0.0);
    assert_int_equal(facts.frame_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_is_black_and_unmeasured),
        cmocka_unit_test(test_copy_is_deep),
        cmocka_unit_test(test_no_empty_images),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_size_limits),
        cmocka_unit_test(test_spacing_must_be_believable),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_unknown_acquisition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
