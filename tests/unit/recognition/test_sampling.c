#include "support.h"

#include "base/memory.h"
#include "recognition/sampling.h"

#include <math.h>
#include <string.h>

/* The reference values come from Pillow 9.4 (Image.resize with BILINEAR on 32-bit float images, which is the
 * separable triangle filter) and NumPy 1.24 on the same pattern. */
static reha_gray *pattern(uint32_t width, uint32_t height)
{
    reha_gray *image = NULL;
    if (reha_gray_new(width, height, &image, NULL) != REHA_OK) {
        fail();
    }
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            image->pixels[y * width + x] = (float)((x * 37 + y * 91 + (x * y) % 23 * 5) % 251);
        }
    }
    return image;
}

static const reha_tone AS_IS = {0.0, 0.0};

static void assert_near(const float *got, const double *wanted, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++) {
        if (fabs((double)got[i] - wanted[i]) > tolerance) {
            fail_msg("value %zu: %.5f, wanted %.5f", i, (double)got[i], wanted[i]);
        }
    }
}

static void shrinking_equals_the_triangle_filter(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = pattern(13, 9);
    float out[20];
    const double wanted[20] = {104.2257, 116.2147, 119.4082, 106.7065, 116.7286, 120.9154, 127.4634,
                               112.8704, 109.6474, 131.8203, 116.4894, 141.1190, 124.8843, 115.1308,
                               116.5090, 127.9352, 124.0078, 149.9943, 115.1273, 121.8029};
    const reha_box_px whole = {0, 0, 13, 9};
    assert_ok(reha_sample_rect(image, whole, REHA_BORDER_ZERO, AS_IS, 5, 4, out, &err), &err);
    assert_near(out, wanted, 20, 2e-4);
    reha_gray_free(image);
}

static void enlarging_equals_bilinear(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = pattern(13, 9);
    float out[17 * 11];
    const double row5[17] = {113.0,    149.8824, 193.4706, 192.7647, 44.4118,  73.2353,
                             116.8235, 133.3529, 89.0,     132.5882, 176.1765, 145.9412,
                             12.3529,  55.9412,  99.5294,  102.5294, 65.0};
    const reha_box_px whole = {0, 0, 13, 9};
    assert_ok(reha_sample_rect(image, whole, REHA_BORDER_ZERO, AS_IS, 17, 11, out, &err), &err);
    assert_near(out + 5 * 17, row5, 17, 2e-4);
    reha_gray_free(image);
}

static void a_fractional_box_equals_the_triangle_filter(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = pattern(31, 29);
    float out[16];
    const double wanted[16] = {124.0265, 119.6903, 126.5798, 126.8188, 130.7016, 117.5316,
                               128.6670, 121.1353, 125.3924, 117.2499, 122.6912, 117.5607,
                               122.6134, 114.2040, 119.1804, 115.9756};
    const reha_box_px box = {3.3, 2.6, 24.6, 22.5};
    assert_ok(reha_sample_rect(image, box, REHA_BORDER_ZERO, AS_IS, 4, 4, out, &err), &err);
    /* Pillow lets the filter reach over the box into the picture, we end at its outer whole pixels. */
    assert_near(out + 5, wanted + 5, 1, 2e-3);
    assert_near(out + 10, wanted + 10, 1, 2e-3);
    reha_gray_free(image);
}

static void outside_is_zero_or_the_nearest_pixel(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = pattern(8, 8);
    for (size_t i = 0; i < 64; i++) {
        image->pixels[i] = 7.0f;
    }
    float out[64];
    const reha_box_px beyond = {-8, -8, 24, 24};
    assert_ok(reha_sample_rect(image, beyond, REHA_BORDER_NEAREST, AS_IS, 8, 8, out, &err), &err);
    for (size_t i = 0; i < 64; i++) {
        assert_true(fabsf(out[i] - 7.0f) < 1e-5f);
    }
    assert_ok(reha_sample_rect(image, beyond, REHA_BORDER_ZERO, AS_IS, 8, 8, out, &err), &err);
    assert_true(out[0] == 0.0f && out[63] == 0.0f);
    assert_true(fabsf(out[3 * 8 + 3] - 7.0f) < 1e-5f);
    const reha_box_px elsewhere = {100, 100, 10, 10};
    assert_ok(reha_sample_rect(image, elsewhere, REHA_BORDER_ZERO, AS_IS, 8, 8, out, &err), &err);
    assert_true(out[0] == 0.0f);
    reha_gray_free(image);
}

static void tones_stretch_clip_and_invert(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    assert_ok(reha_gray_new(4, 1, &image, &err), &err);
    const float values[4] = {-10.0f, 0.0f, 50.0f, 400.0f};
    memcpy(image->pixels, values, sizeof values);
    float out[4];
    const reha_box_px whole = {0, 0, 4, 1};
    assert_ok(reha_sample_rect(image, whole, REHA_BORDER_ZERO, (reha_tone){0.0, 100.0}, 4, 1, out, &err),
              &err);
    assert_true(out[0] == 0.0f && out[1] == 0.0f && fabsf(out[2] - 0.5f) < 1e-6f && out[3] == 1.0f);
    assert_ok(reha_sample_rect(image, whole, REHA_BORDER_ZERO, (reha_tone){100.0, 0.0}, 4, 1, out, &err),
              &err);
    assert_true(out[0] == 1.0f && out[1] == 1.0f && fabsf(out[2] - 0.5f) < 1e-6f && out[3] == 0.0f);
    reha_gray_free(image);
}

/* A straight edge seen by a view that turns with it comes out upright. */
static void a_turned_view_straightens_a_turned_edge(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    assert_ok(reha_gray_new(101, 101, &image, &err), &err);
    const double angle_deg = 17.0;
    const double t = tan(angle_deg * 3.14159265358979 / 180.0);
    for (uint32_t y = 0; y < 101; y++) {
        for (uint32_t x = 0; x < 101;
             x++) { /* below the line through the centre: bright; falls to the right */
            image->pixels[y * 101 + x] = (double)y - 50.0 > t * ((double)x - 50.0) ? 100.0f : 0.0f;
        }
    }
    float out[40 * 40];
    assert_ok(reha_sample_turned(image, (reha_point_px){50, 50}, 40, 40, angle_deg, REHA_BORDER_NEAREST,
                                 AS_IS, 40, 40, out, &err),
              &err);
    for (int x = 0; x < 40; x++) {
        assert_true(out[17 * 40 + x] < 15.0f);
        assert_true(out[22 * 40 + x] > 85.0f);
    }
    reha_gray_free(image);
}

static void reducing_averages_blocks_and_widens_the_spacing(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = pattern(7, 5);
    image->spacing = (reha_spacing){0.2, 0.25, REHA_SPACING_CALIBRATED};
    reha_gray *small = NULL;
    assert_ok(reha_sample_reduce(image, 2, &small, &err), &err);
    assert_int_equal(small->width_px, 3);
    assert_int_equal(small->height_px, 2);
    const float *p = image->pixels;
    assert_true(fabsf(small->pixels[1] - 0.25f * (p[2] + p[3] + p[9] + p[10])) < 1e-4f);
    assert_true(fabs(small->spacing.x_mm - 0.4) < 1e-12 && fabs(small->spacing.y_mm - 0.5) < 1e-12);
    assert_int_equal(small->spacing.source, REHA_SPACING_CALIBRATED);
    reha_gray_free(small);
    reha_gray_free(image);
}

static void percentiles_interpolate_like_numpy(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = pattern(31, 29);
    const double wanted[6] = {0.0, 2.0, 90.0, 122.0, 246.02, 250.0};
    const double which[6] = {0, 1, 37, 50, 99, 100};
    double got[6];
    assert_ok(reha_sample_percentiles(image, 0, 0, 31, 29, 0, which, 6, got, &err), &err);
    for (int i = 0; i < 6; i++) {
        assert_true(fabs(got[i] - wanted[i]) < 1e-4);
    }
    assert_ok(reha_sample_percentiles(image, 0, 0, 31, 29, 50, which, 6, got, &err),
              &err); /* a sample: near */
    assert_true(fabs(got[3] - 122.0) < 40.0);
    assert_int_equal(reha_sample_percentiles(image, 5, 5, 5, 9, 0, which, 6, got, &err), REHA_E_ARG);
    assert_int_equal(reha_sample_percentiles(image, 40, 0, 60, 9, 0, which, 6, got, &err), REHA_E_ARG);
    float one[1] = {3.0f};
    reha_select_percentiles(one, 1, which, 6, got);
    assert_true(got[0] == 3.0 && got[5] == 3.0);
    float odd[5] = {NAN, 1.0f, INFINITY, 2.0f, -INFINITY}; /* count as 0, never loop */
    reha_select_percentiles(odd, 5, which, 6, got);
    assert_true(got[5] == 2.0);
    float same[1000];
    for (int i = 0; i < 1000; i++) {
        same[i] = 4.0f;
    }
    reha_select_percentiles(same, 1000, which, 6, got);
    assert_true(got[3] == 4.0);
    reha_gray_free(image);
}

static void the_box_filter_repeats_edges(void **state)
{
    (void)state;
    const float in[6] = {1, 2, 3, 4, 5, 9};
    float scratch[6];
    float out[6];
    reha_box_filter(in, 6, 1, 1, scratch, out);
    const double wanted[6] = {4.0 / 3, 2, 3, 4, 6, 23.0 / 3};
    assert_near(out, wanted, 6, 1e-5);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = pattern(8, 8);
    float out[64];
    const reha_box_px wrong[] = {{0, 0, 0, 8},   {0, 0, -3, 8},  {NAN, 0, 8, 8}, {0, INFINITY, 8, 8},
                                 {0, 0, 8, NAN}, {0, 0, 1e9, 8}, {-1e9, 0, 8, 8}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(reha_sample_rect(image, wrong[i], REHA_BORDER_ZERO, AS_IS, 8, 8, out, &err),
                         REHA_E_ARG);
    }
    const reha_point_px at = {4, 4};
    assert_int_equal(reha_sample_turned(image, at, 8, 8, NAN, REHA_BORDER_ZERO, AS_IS, 8, 8, out, &err),
                     REHA_E_ARG);
    assert_int_equal(reha_sample_turned(image, at, 0, 8, 10, REHA_BORDER_ZERO, AS_IS, 8, 8, out, &err),
                     REHA_E_ARG);
    assert_int_equal(reha_sample_turned(image, (reha_point_px){NAN, 4}, 8, 8, 10, REHA_BORDER_ZERO, AS_IS, 8,
                                        8, out, &err),
                     REHA_E_ARG);
    reha_gray_free(image);
}

static void failing_allocations_leak_nothing(void **state)
{
    (void)state;
    reha_gray *image = pattern(40, 30);
    float out[64];
    reha_status status = REHA_E_NOMEM;
    for (long round = 0; status != REHA_OK; round++) {
        const size_t before = reha_mem_live_blocks();
        reha_mem_fail_after(round);
        status = reha_sample_turned(image, (reha_point_px){20, 15}, 20, 20, 5, REHA_BORDER_ZERO, AS_IS, 8, 8,
                                    out, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_int_equal(reha_mem_live_blocks(), before);
        assert_true(round < 40);
    }
    reha_gray_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shrinking_equals_the_triangle_filter),
        cmocka_unit_test(enlarging_equals_bilinear),
        cmocka_unit_test(a_fractional_box_equals_the_triangle_filter),
        cmocka_unit_test(outside_is_zero_or_the_nearest_pixel),
        cmocka_unit_test(tones_stretch_clip_and_invert),
        cmocka_unit_test(a_turned_view_straightens_a_turned_edge),
        cmocka_unit_test(reducing_averages_blocks_and_widens_the_spacing),
        cmocka_unit_test(percentiles_interpolate_like_numpy),
        cmocka_unit_test(the_box_filter_repeats_edges),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(failing_allocations_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
