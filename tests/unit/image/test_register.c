/* Registration: known maps are found again, other exposure and inversion do no harm, hopeless pairs are told.
 */
#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "image/register.h"

#include <math.h>
#include <string.h>

/* Blobs of several sizes: no symmetry, structure at every level. */
static double scene(double x, double y)
{
    static const double blobs[][4] = {{40, 30, 14, 90}, {90, 60, 20, -60}, {60, 95, 10, 120},
                                      {110, 25, 9, 70}, {25, 100, 12, 50}, {100, 105, 6, 140},
                                      {70, 50, 5, 100}};
    double value = 100.0 + 0.2 * x;
    for (size_t i = 0; i < sizeof blobs / sizeof blobs[0]; i++) {
        const double dx = (x - blobs[i][0]) / blobs[i][2];
        const double dy = (y - blobs[i][1]) / blobs[i][2];
        value += blobs[i][3] * exp(-0.5 * (dx * dx + 2.0 * dy * dy));
    }
    return value;
}

/* The scene seen through a map from this picture's pixels to scene coordinates. */
static reha_gray *view(uint32_t width, uint32_t height, reha_affine to_scene, double exponent, bool inverted,
                       double noise)
{
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    reha_random random = reha_random_init(5, 1);
    assert_ok(reha_gray_new(width, height, &image, &err), &err);
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            const reha_point_px at = reha_affine_apply(to_scene, (reha_point_px){x, y});
            double value = 255.0 * pow(fmin(fmax(scene(at.x_px, at.y_px) / 300.0, 0.0), 1.0), exponent);
            value = (inverted ? 255.0 - value : value) + noise * reha_random_normal(&random);
            image->pixels[(size_t)y * width + x] = (float)value;
        }
    }
    return image;
}

/* Mean distance between two maps over a picture. */
static double distance(reha_affine found, reha_affine truth, uint32_t width, uint32_t height)
{
    double sum = 0.0;
    for (int j = 0; j <= 4; j++) {
        for (int i = 0; i <= 4; i++) {
            const reha_point_px at = {0.25 * i * (width - 1.0), 0.25 * j * (height - 1.0)};
            const reha_point_px a = reha_affine_apply(found, at);
            const reha_point_px b = reha_affine_apply(truth, at);
            sum += hypot(a.x_px - b.x_px, a.y_px - b.y_px);
        }
    }
    return sum / 25.0;
}

typedef struct trial {
    reha_register_kind kind;
    double scale, angle_deg, x_px, y_px, exponent;
    bool inverted;
    double noise, error_max_px;
} trial;

static void test_known_maps_are_found(void **state)
{
    (void)state;
    static const trial trials[] = {
        {REHA_REGISTER_RIGID, 1.0, 0.0, 0.0, 0.0, 1.0, false, 0.0, 0.1},
        {REHA_REGISTER_RIGID, 1.0, 10.0, 12.0, -9.0, 1.0, false, 2.0, 0.5},
        {REHA_REGISTER_SIMILARITY, 1.12, -7.0, -6.0, 5.0, 0.7, false, 2.0, 0.5},
        {REHA_REGISTER_SIMILARITY, 0.9, 4.0, 8.0, 3.0, 1.4, true, 2.0, 0.5},
        {REHA_REGISTER_AFFINE, 1.05, 3.0, 4.0, -4.0, 1.3, false, 1.0, 0.7},
    };
    const reha_affine identity = reha_affine_identity();
    for (size_t i = 0; i < sizeof trials / sizeof trials[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        const trial *t = &trials[i];
        reha_gray *fixed = view(128, 128, identity, 1.0, false, 0.0);
        const reha_affine moving_to_scene =
            reha_affine_similarity(t->scale, t->angle_deg, (reha_point_px){63.5, 63.5},
                                   (reha_point_px){63.5 + t->x_px, 63.5 + t->y_px});
        reha_gray *moving = view(128, 128, moving_to_scene, t->exponent, t->inverted, t->noise);
        reha_register_options how = reha_register_options_default();
        reha_registration found;
        reha_affine truth;
        how.kind = t->kind;
        how.finest_px = 128;
        assert_ok(reha_register(fixed, moving, &how, &found, &err), &err);
        assert_true(reha_affine_invert(moving_to_scene, &truth));
        const double error = distance(found.fixed_to_moving, truth, 128, 128);
        if (!(error < t->error_max_px) || !found.is_reliable) {
            fail_msg("trial %zu: error %.2f px, residual %.2f px", i, error, found.residual_px);
        }
        assert_true(found.residual_px < 1.5 && isnan(found.residual_mm));
        assert_true(found.information >= found.information_start - 1e-9);
        reha_gray_free(fixed);
        reha_gray_free(moving);
    }
}

static void test_other_sizes_and_spacings(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_registration found;
    const reha_affine half = {0.5, 0.0, -0.25, 0.0, 0.5, -0.25}; /* the same view in four times the pixels */
    reha_gray *fixed = view(128, 128, reha_affine_identity(), 1.0, false, 0.0);
    reha_gray *moving = view(256, 256, half, 1.0, false, 0.0);
    const reha_affine truth = {2.0, 0.0, 0.5, 0.0, 2.0, 0.5};
    assert_ok(reha_register(fixed, moving, NULL, &found, &err), &err);
    assert_true(distance(found.fixed_to_moving, truth, 128, 128) < 1.0);
    fixed->spacing = (reha_spacing){0.4, 0.4, REHA_SPACING_CALIBRATED};
    moving->spacing = (reha_spacing){0.2, 0.2, REHA_SPACING_CALIBRATED};
    reha_register_options how = reha_register_options_default();
    how.kind = REHA_REGISTER_RIGID; /* millimetres give the scale */
    assert_ok(reha_register(fixed, moving, &how, &found, &err), &err);
    assert_true(distance(found.fixed_to_moving, truth, 128, 128) < 1.0);
    assert_float_equal(found.residual_mm, 0.4 * found.residual_px, 1e-9);
    reha_gray_free(fixed);
    reha_gray_free(moving);
}

static reha_gray *noise(uint64_t seed)
{
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    reha_random random = reha_random_init(seed, 2);
    assert_ok(reha_gray_new(96, 96, &image, &err), &err);
    for (size_t i = 0; i < (size_t)96 * 96; i++) {
        image->pixels[i] = (float)reha_random_unit(&random);
    }
    return image;
}

static void test_hopeless_pairs_are_told(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_registration found;
    reha_gray *a = noise(1);
    reha_gray *b = noise(2);
    assert_ok(reha_register(a, b, NULL, &found, &err), &err);
    assert_false(found.is_reliable);
    memset(b->pixels, 0, (size_t)96 * 96 * sizeof *b->pixels); /* a blank picture */
    assert_ok(reha_register(a, b, NULL, &found, &err), &err);
    assert_false(found.is_reliable);
    a->width_px = 12;
    assert_int_equal(reha_register(a, b, NULL, &found, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "12 x 96"));
    a->width_px = 96;
    reha_register_options how = reha_register_options_default();
    how.scale_max = 0.5;
    assert_int_equal(reha_register(a, b, &how, &found, &err), REHA_E_ARG);
    how = reha_register_options_default();
    how.finest_px = 8;
    assert_int_equal(reha_register(a, b, &how, &found, &err), REHA_E_ARG);
    reha_gray_free(a);
    reha_gray_free(b);
}

static void test_landmarks(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_registration found;
    reha_point_px fixed[5] = {{10, 10}, {90, 12}, {50, 60}, {20, 80}, {85, 75}};
    reha_point_px moving[5];
    const reha_affine truth =
        reha_affine_similarity(1.5, 8.0, (reha_point_px){50, 50}, (reha_point_px){70, 40});
    for (int i = 0; i < 5; i++) {
        moving[i] = reha_affine_apply(truth, fixed[i]);
    }
    const reha_spacing spacing = {0.3, 0.3, REHA_SPACING_CALIBRATED};
    assert_ok(reha_register_points(fixed, moving, 5, REHA_REGISTER_SIMILARITY, spacing, &found, &err), &err);
    assert_true(distance(found.fixed_to_moving, truth, 100, 100) < 1e-6 && found.is_reliable);
    assert_true(found.residual_mm < 1e-6);
    moving[2].x_px += 30.0; /* one misplaced by 20 px of the fixed image */
    assert_ok(reha_register_points(fixed, moving, 5, REHA_REGISTER_SIMILARITY, spacing, &found, &err), &err);
    assert_true(found.residual_px > 4.0 && found.residual_px < 20.0 && !found.is_reliable);
    assert_int_equal(reha_register_points(fixed, moving, 1, REHA_REGISTER_SIMILARITY, spacing, &found, &err),
                     REHA_E_ARG);
}

static void test_apply_matches_exposure(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *fixed = view(128, 96, reha_affine_identity(), 1.0, false, 0.0);
    reha_gray *moving = NULL;
    reha_gray *seen = NULL;
    assert_ok(reha_gray_copy(fixed, &moving, &err), &err);
    for (size_t i = 0; i < (size_t)128 * 96; i++) {
        moving->pixels[i] = 3.0F * moving->pixels[i] + 40.0F; /* brighter, more contrast */
    }
    assert_ok(reha_register_apply(fixed, moving, reha_affine_identity(), &seen, &err), &err);
    for (size_t i = 0; i < (size_t)128 * 96; i++) {
        assert_float_equal(seen->pixels[i], fixed->pixels[i], 0.05);
    }
    reha_gray_free(seen);
    const reha_affine away = {1.0, 0.0, 64.0, 0.0, 1.0, 0.0}; /* the right half lies outside of moving */
    assert_ok(reha_register_apply(fixed, moving, away, &seen, &err), &err);
    assert_true(reha_gray_at(seen, 100, 40) == reha_gray_at(fixed, 100, 40));
    double self = 0.0;
    double shifted = 0.0;
    assert_ok(reha_mutual_information(fixed, moving, reha_affine_identity(), &self, &err), &err);
    assert_ok(reha_mutual_information(fixed, moving, away, &shifted, &err), &err);
    assert_true(self > 1.5 && shifted < self - 0.2);
    reha_gray_free(seen);
    reha_gray_free(fixed);
    reha_gray_free(moving);
}

static void test_every_failing_allocation_is_reported(void **state)
{
    (void)state;
    reha_gray *a = noise(3);
    reha_gray *b = noise(4);
    const size_t before = reha_mem_live_blocks();
    for (long n = 0; n < 6; n++) {
        reha_registration found;
        reha_error err = REHA_ERROR_INIT;
        reha_mem_fail_after(n);
        const reha_status status = reha_register(a, b, NULL, &found, &err);
        reha_mem_fail_after(-1);
        assert_int_equal(status, REHA_E_NOMEM);
        assert_int_equal(reha_mem_live_blocks(), before);
    }
    reha_gray_free(a);
    reha_gray_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_maps_are_found),
        cmocka_unit_test(test_other_sizes_and_spacings),
        cmocka_unit_test(test_hopeless_pairs_are_told),
        cmocka_unit_test(test_landmarks),
        cmocka_unit_test(test_apply_matches_exposure),
        cmocka_unit_test(test_every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
