/* Geometry against slow references: half-pixel conventions, spacing, edges. */
#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "image/resample.h"

#include <math.h>
#include <string.h>

static reha_gray *noise(uint32_t width, uint32_t height, uint64_t seed)
{
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_gray_new(width, height, &image, &err), &err);
    reha_random random = reha_random_init(seed, 1);
    for (size_t i = 0; i < (size_t)width * height; i++) {
        image->pixels[i] = (float)reha_random_below(&random, 4096);
    }
    image->spacing = (reha_spacing){0.2, 0.3, REHA_SPACING_CALIBRATED};
    return image;
}

/* I(x, y) = 5 + 3 x - 2 y: every linear method must reproduce it exactly away from the edges. */
static reha_gray *slope(uint32_t width, uint32_t height)
{
    reha_gray *image = noise(width, height, 1);
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            image->pixels[(size_t)y * width + x] = 5.0f + 3.0f * (float)x - 2.0f * (float)y;
        }
    }
    return image;
}

static float clamped(const reha_gray *image, int64_t x, int64_t y)
{
    const int64_t cx = x < 0 ? 0 : x >= (int64_t)image->width_px ? (int64_t)image->width_px - 1 : x;
    const int64_t cy = y < 0 ? 0 : y >= (int64_t)image->height_px ? (int64_t)image->height_px - 1 : y;
    return reha_gray_at(image, (uint32_t)cx, (uint32_t)cy);
}

/* The definition of the filters, one output pixel at a time, weights not separated. */
static double resize_ref(const reha_gray *image, reha_box_px box, uint32_t w, uint32_t h, uint32_t x,
                         uint32_t y, reha_filter filter)
{
    const double sx = box.width_px / w;
    const double sy = box.height_px / h;
    const double cx = box.x_px + (x + 0.5) * sx;
    const double cy = box.y_px + (y + 0.5) * sy;
    const double rx = fmax(sx, 1.0);
    const double ry = fmax(sy, 1.0);
    double sum = 0.0;
    double weights = 0.0;
    for (int64_t j = (int64_t)floor(cy - ry) - 1; j <= (int64_t)ceil(cy + ry) + 1; j++) {
        for (int64_t i = (int64_t)floor(cx - rx) - 1; i <= (int64_t)ceil(cx + rx) + 1; i++) {
            double weight;
            if (filter == REHA_FILTER_LINEAR) {
                weight =
                    fmax(0.0, 1.0 - fabs((double)i - cx) / rx) * fmax(0.0, 1.0 - fabs((double)j - cy) / ry);
            } else {
                const double ox = fmin((double)i + 0.5, cx + sx / 2) - fmax((double)i - 0.5, cx - sx / 2);
                const double oy = fmin((double)j + 0.5, cy + sy / 2) - fmax((double)j - 0.5, cy - sy / 2);
                weight = fmax(ox, 0.0) * fmax(oy, 0.0);
            }
            sum += weight * (double)clamped(image, i, j);
            weights += weight;
        }
    }
    return sum / weights;
}

static void test_resize_is_its_definition(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = noise(53, 37, 9);
    const uint32_t sizes[][2] = {{53, 37}, {54, 36},  {20, 20},  {7, 5},
                                 {1, 1},   {106, 74}, {131, 11}, {52, 90}};
    const reha_box_px boxes[] = {
        {-0.5, -0.5, 53, 37}, {10.25, 4.5, 20.5, 13.75}, {-8, -6, 70, 50}, {52, 36, 9, 9}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t b = 0; b < 4; b++) {
            for (int f = 0; f < 2; f++) {
                const reha_filter filter = f == 0 ? REHA_FILTER_LINEAR : REHA_FILTER_AREA;
                reha_gray *out = NULL;
                assert_ok(reha_gray_resize_box(image, boxes[b], sizes[s][0], sizes[s][1], filter, &out, &err),
                          &err);
                assert_int_equal(out->width_px, sizes[s][0]);
                assert_int_equal(out->height_px, sizes[s][1]);
                for (uint32_t y = 0; y < out->height_px; y++) {
                    for (uint32_t x = 0; x < out->width_px; x++) {
                        const double wanted =
                            resize_ref(image, boxes[b], sizes[s][0], sizes[s][1], x, y, filter);
                        assert_float_equal(reha_gray_at(out, x, y), wanted, 0.02);
                    }
                }
                assert_float_equal(out->spacing.x_mm, 0.2 * boxes[b].width_px / sizes[s][0], 1e-12);
                assert_float_equal(out->spacing.y_mm, 0.3 * boxes[b].height_px / sizes[s][1], 1e-12);
                assert_int_equal(out->spacing.source, REHA_SPACING_CALIBRATED);
                reha_gray_free(out);
            }
        }
    }
    reha_gray_free(image);
}

static void test_resize_same_size_is_the_identity(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = noise(19, 23, 4);
    for (int f = 0; f < 2; f++) {
        reha_gray *out = NULL;
        assert_ok(reha_gray_resize(image, 19, 23, f == 0 ? REHA_FILTER_LINEAR : REHA_FILTER_AREA, &out, &err),
                  &err);
        assert_memory_equal(out->pixels, image->pixels, 19 * 23 * sizeof(float));
        reha_gray_free(out);
    }
    reha_gray_free(image);
}

static void test_area_keeps_the_mean(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = noise(101, 77, 5);
    double mean = 0.0;
    for (size_t i = 0; i < 101 * 77; i++) {
        mean += (double)image->pixels[i] / (101.0 * 77.0);
    }
    reha_gray *out = NULL;
    assert_ok(reha_gray_resize(image, 1, 1, REHA_FILTER_AREA, &out, &err), &err);
    assert_float_equal(out->pixels[0], mean, 0.05);
    reha_gray_free(out);
    reha_gray_free(image);
}

static void test_no_aliasing_when_shrinking(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = noise(600, 600, 5);
    for (size_t i = 0; i < 600 * 600; i++) {
        image->pixels[i] = (i % 600 + i / 600) % 2 == 0 ? 1000.0f : 0.0f; /* the finest chess board */
    }
    reha_gray *out = NULL;
    for (int f = 0; f < 2; f++) {
        assert_ok(reha_gray_resize(image, 53, 53, f == 0 ? REHA_FILTER_LINEAR : REHA_FILTER_AREA, &out, &err),
                  &err);
        for (size_t i = 0; i < 53 * 53; i++) {
            assert_float_equal(out->pixels[i], 500.0, 15.0);
        }
        reha_gray_free(out);
    }
    const reha_affine map =
        reha_affine_similarity(9.3, 17.0, (reha_point_px){26, 26}, (reha_point_px){300, 300});
    assert_ok(reha_gray_warp(image, map, 53, 53, REHA_SAMPLING_LINEAR, (reha_fill){0}, &out, &err), &err);
    for (size_t i = 0; i < 53 * 53; i++) {
        assert_float_equal(out->pixels[i], 500.0, 40.0);
    }
    reha_gray_free(out);
    reha_gray_free(image);
}

static void test_resize_refuses(void **state)
{
    (void)state;
    reha_gray *image = noise(10, 10, 1);
    const reha_box_px boxes[] = {{0, 0, 0, 5},        {0, 0, 5, -1},  {NAN, 0, 5, 5},
                                 {0, 0, INFINITY, 5}, {9.6, 0, 3, 3}, {-9, 0, 8, 3},
                                 {0, 20, 3, 3},       {0, -9, 3, 8},  {-1e300, 0, 1e301, 5}};
    for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++) {
        reha_gray *out = (reha_gray *)1;
        reha_error err = REHA_ERROR_INIT;
        assert_int_equal(reha_gray_resize_box(image, boxes[i], 4, 4, REHA_FILTER_AREA, &out, &err),
                         REHA_E_ARG);
        assert_null(out);
    }
    reha_gray *out = NULL;
    assert_int_equal(reha_gray_resize(image, 0, 4, REHA_FILTER_AREA, &out, NULL), REHA_E_ARG);
    assert_int_equal(reha_gray_resize(image, 4, 0, REHA_FILTER_AREA, &out, NULL), REHA_E_ARG);
    assert_null(out);
    reha_gray_free(image);
}

static void test_crop(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = noise(12, 9, 3);
    const struct {
        int64_t x, y;
        uint32_t w, h;
    } crops[] = {{0, 0, 12, 9}, {3, 2, 5, 4},   {-4, -3, 30, 30},
                 {10, 8, 6, 6}, {50, 60, 3, 3}, {-9, -9, 4, 4}};
    for (size_t c = 0; c < sizeof crops / sizeof crops[0]; c++) {
        for (int edge = 0; edge < 2; edge++) {
            const reha_fill fill = {edge == 0 ? REHA_EDGE_REPEAT : REHA_EDGE_VALUE, -7.0f};
            reha_gray *out = NULL;
            assert_ok(reha_gray_crop(image, crops[c].x, crops[c].y, crops[c].w, crops[c].h, fill, &out, &err),
                      &err);
            for (uint32_t y = 0; y < crops[c].h; y++) {
                for (uint32_t x = 0; x < crops[c].w; x++) {
                    const int64_t fx = crops[c].x + x;
                    const int64_t fy = crops[c].y + y;
                    const bool inside = fx >= 0 && fy >= 0 && fx < 12 && fy < 9;
                    const float wanted = inside || edge == 0 ? clamped(image, fx, fy) : -7.0f;
                    assert_true(reha_gray_at(out, x, y) == wanted);
                }
            }
            assert_true(out->spacing.x_mm == 0.2 && out->spacing.y_mm == 0.3);
            reha_gray_free(out);
        }
    }
    reha_gray *out = NULL;
    assert_int_equal(reha_gray_crop(image, INT64_MAX, 0, 3, 3, (reha_fill){0}, &out, &err), REHA_E_ARG);
    assert_int_equal(reha_gray_crop(image, 0, INT64_MIN, 3, 3, (reha_fill){0}, &out, &err), REHA_E_ARG);
    assert_int_equal(reha_gray_crop(image, 0, 0, 0, 3, (reha_fill){0}, &out, &err), REHA_E_ARG);
    assert_null(out);
    reha_gray_free(image);
}

static void test_flips_and_turns(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = noise(70, 45, 8);
    for (int turns = -5; turns <= 5; turns++) {
        reha_gray *out = NULL;
        assert_ok(reha_gray_rotate90(image, turns, &out, &err), &err);
        const int quarter = (turns % 4 + 4) % 4;
        assert_int_equal(out->width_px, quarter % 2 == 0 ? 70 : 45);
        assert_true(out->spacing.x_mm == (quarter % 2 == 0 ? 0.2 : 0.3));
        for (uint32_t y = 0; y < 45; y++) {
            for (uint32_t x = 0; x < 70; x++) {
                uint32_t tx = x;
                uint32_t ty = y;
                uint32_t h = 45;
                uint32_t w = 70;
                for (int q = 0; q < quarter; q++) { /* clockwise: (x, y) -> (h - 1 - y, x) */
                    const uint32_t nx = h - 1 - ty;
                    ty = tx;
                    tx = nx;
                    const uint32_t kept = w;
                    w = h;
                    h = kept;
                }
                assert_true(reha_gray_at(out, tx, ty) == reha_gray_at(image, x, y));
            }
        }
        reha_gray_free(out);
    }
    reha_gray *copy = NULL;
    assert_ok(reha_gray_copy(image, &copy, &err), &err);
    reha_gray_flip_x(copy);
    assert_true(reha_gray_at(copy, 0, 3) == reha_gray_at(image, 69, 3));
    reha_gray_flip_y(copy);
    assert_true(reha_gray_at(copy, 0, 3) == reha_gray_at(image, 69, 41));
    reha_gray_flip_x(copy);
    reha_gray_flip_y(copy);
    assert_memory_equal(copy->pixels, image->pixels, 70 * 45 * sizeof(float));
    reha_gray_free(copy);
    reha_gray_free(image);
}

static void test_affine_algebra(void **state)
{
    (void)state;
    const reha_affine map = reha_affine_similarity(2.0, 90.0, (reha_point_px){1, 1}, (reha_point_px){10, 20});
    const reha_point_px moved = reha_affine_apply(map, (reha_point_px){2, 1}); /* right of the centre */
    assert_float_equal(moved.x_px, 10.0, 1e-12);
    assert_float_equal(moved.y_px, 22.0, 1e-12); /* clockwise on the screen: now below */
    reha_affine inverse;
    assert_true(reha_affine_invert(map, &inverse));
    const reha_affine unity = reha_affine_then(map, inverse);
    assert_float_equal(unity.a, 1.0, 1e-12);
    assert_float_equal(unity.b, 0.0, 1e-12);
    assert_float_equal(unity.c, 0.0, 1e-9);
    assert_float_equal(unity.f, 0.0, 1e-9);
    const reha_affine flat[] = {
        {1, 1, 0, 2, 2, 0}, {0, 0, 0, 0, 0, 0}, {NAN, 0, 0, 0, 1, 0}, {1, 0, INFINITY, 0, 1, 0}};
    for (size_t i = 0; i < 4; i++) {
        assert_false(reha_affine_invert(flat[i], &inverse));
        assert_true(inverse.a == 1.0 && inverse.e == 1.0);
        reha_gray *image = noise(4, 4, 1);
        reha_gray *out = NULL;
        assert_int_equal(
            reha_gray_warp(image, flat[i], 4, 4, REHA_SAMPLING_LINEAR, (reha_fill){0}, &out, NULL),
            REHA_E_ARG);
        assert_null(out);
        reha_gray_free(image);
    }
}

static void test_fits(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const reha_affine truth =
        reha_affine_similarity(0.62, -12.0, (reha_point_px){233, 240}, (reha_point_px){110, 118});
    const reha_affine shear = {1.1, 0.2, -4.0, 0.05, 0.8, 7.0};
    reha_point_px from[16];
    reha_point_px to[16];
    reha_point_px sheared[16];
    reha_random random = reha_random_init(4, 4);
    for (size_t i = 0; i < 16; i++) {
        from[i] = (reha_point_px){reha_random_range(&random, 0, 466), reha_random_range(&random, 0, 466)};
        to[i] = reha_affine_apply(truth, from[i]);
        sheared[i] = reha_affine_apply(shear, from[i]);
    }
    reha_affine found;
    assert_ok(reha_affine_fit_similarity(from, to, 16, &found, &err), &err);
    assert_float_equal(found.a, truth.a, 1e-9);
    assert_float_equal(found.b, truth.b, 1e-9);
    assert_float_equal(found.c, truth.c, 1e-6);
    assert_float_equal(found.f, truth.f, 1e-6);
    assert_ok(reha_affine_fit(from, sheared, 16, &found, &err), &err);
    assert_float_equal(found.a, 1.1, 1e-9);
    assert_float_equal(found.b, 0.2, 1e-9);
    assert_float_equal(found.c, -4.0, 1e-6);
    assert_float_equal(found.d, 0.05, 1e-9);
    assert_float_equal(found.e, 0.8, 1e-9);
    assert_int_equal(reha_affine_fit_similarity(from, to, 1, &found, &err), REHA_E_ARG);
    assert_int_equal(reha_affine_fit(from, to, 2, &found, &err), REHA_E_ARG);
    const reha_point_px same[3] = {{5, 5}, {5, 5}, {5, 5}};
    const reha_point_px line[3] = {{0, 0}, {1, 1}, {2, 2}};
    assert_int_equal(reha_affine_fit_similarity(same, to, 3, &found, &err), REHA_E_ARG);
    assert_int_equal(reha_affine_fit(line, to, 3, &found, &err), REHA_E_ARG);
}

static void test_warp_of_a_slope_is_exact(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = slope(60, 50);
    const double scales[] = {0.4, 1.0, 1.4, 2.6};
    for (size_t s = 0; s < 4; s++) {
        for (int cubic = 0; cubic < 2; cubic++) {
            const reha_affine map =
                reha_affine_similarity(scales[s], 23.0, (reha_point_px){5, 5}, (reha_point_px){30.3, 24.7});
            reha_gray *out = NULL;
            assert_ok(reha_gray_warp(image, map, 11, 11, cubic ? REHA_SAMPLING_CUBIC : REHA_SAMPLING_LINEAR,
                                     (reha_fill){0}, &out, &err),
                      &err);
            for (uint32_t y = 0; y < 11; y++) {
                for (uint32_t x = 0; x < 11; x++) {
                    const reha_point_px at = reha_affine_apply(map, (reha_point_px){x, y});
                    if (at.x_px > 6 && at.y_px > 6 && at.x_px < 53 && at.y_px < 43) {
                        assert_float_equal(reha_gray_at(out, x, y), 5 + 3 * at.x_px - 2 * at.y_px, 0.01);
                    }
                }
            }
            /* Turned spacing: the length in mm of one output step. */
            const double c = scales[s] * cos(23.0 * acos(-1.0) / 180.0);
            const double n = scales[s] * sin(23.0 * acos(-1.0) / 180.0);
            assert_float_equal(out->spacing.x_mm, hypot(c * 0.2, n * 0.3), 1e-12);
            assert_float_equal(out->spacing.y_mm, hypot(n * 0.2, c * 0.3), 1e-12);
            reha_gray_free(out);
        }
    }
    reha_gray_free(image);
}

static void test_warp_identity_and_edges(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = noise(15, 14, 2);
    reha_gray *out = NULL;
    for (int cubic = 0; cubic < 2; cubic++) {
        assert_ok(reha_gray_warp(image, reha_affine_identity(), 15, 14,
                                 cubic ? REHA_SAMPLING_CUBIC : REHA_SAMPLING_LINEAR, (reha_fill){0}, &out,
                                 &err),
                  &err);
        for (size_t i = 0; i < 15 * 14; i++) {
            assert_float_equal(out->pixels[i], image->pixels[i], 1e-3);
        }
        reha_gray_free(out);
    }
    const reha_affine far_away = {1, 0, 1e12, 0, 1, -1e12};
    assert_ok(reha_gray_warp(image, far_away, 3, 3, REHA_SAMPLING_LINEAR, (reha_fill){REHA_EDGE_VALUE, 42.0f},
                             &out, &err),
              &err);
    assert_true(out->pixels[4] == 42.0f);
    reha_gray_free(out);
    assert_ok(reha_gray_warp(image, far_away, 3, 3, REHA_SAMPLING_LINEAR, (reha_fill){0}, &out, &err), &err);
    assert_true(out->pixels[4] == reha_gray_at(image, 14, 0)); /* the top right corner, repeated */
    reha_gray_free(out);
    const reha_affine half_out = {1, 0, -0.5, 0, 1, 0};
    assert_ok(reha_gray_warp(image, half_out, 3, 3, REHA_SAMPLING_LINEAR, (reha_fill){REHA_EDGE_VALUE, 10.0f},
                             &out, &err),
              &err);
    assert_float_equal(out->pixels[0], 0.5 * (10.0 + (double)image->pixels[0]), 1e-3);
    reha_gray_free(out);
    reha_gray_free(image);
}

static void test_unknown_spacing_stays_unknown(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = noise(15, 14, 2);
    image->spacing = reha_spacing_unknown();
    reha_gray *out = NULL;
    assert_ok(reha_gray_resize(image, 5, 5, REHA_FILTER_AREA, &out, &err), &err);
    assert_false(reha_spacing_is_known(out->spacing));
    reha_gray_free(out);
    assert_ok(
        reha_gray_warp(image, reha_affine_identity(), 5, 5, REHA_SAMPLING_LINEAR, (reha_fill){0}, &out, &err),
        &err);
    assert_false(reha_spacing_is_known(out->spacing));
    reha_gray_free(out);
    reha_gray_free(image);
}

static void test_box_map_agrees_with_resize(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = slope(60, 50);
    const reha_box_px box = {10.3, 8.1, 20.0, 24.0};
    reha_gray *out = NULL;
    assert_ok(reha_gray_resize_box(image, box, 40, 30, REHA_FILTER_LINEAR, &out, &err), &err);
    const reha_affine map = reha_affine_of_box(box, 40, 30);
    for (uint32_t y = 0; y < 30; y += 7) {
        for (uint32_t x = 0; x < 40; x += 7) {
            const reha_point_px at = reha_affine_apply(map, (reha_point_px){x, y});
            assert_float_equal(reha_gray_at(out, x, y), 5 + 3 * at.x_px - 2 * at.y_px, 1e-3);
        }
    }
    reha_gray_free(out);
    reha_gray_free(image);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    reha_gray *image = noise(30, 30, 2);
    const size_t blocks = reha_mem_live_blocks();
    const reha_affine map = reha_affine_similarity(3.0, 5.0, (reha_point_px){3, 3}, (reha_point_px){15, 15});
    for (int which = 0; which < 4; which++) {
        reha_status status = REHA_E_NOMEM;
        for (long n = 0; status != REHA_OK && n < 50; n++) {
            reha_gray *out = NULL;
            reha_mem_fail_after(n);
            status = which == 0 ? reha_gray_resize(image, 7, 7, REHA_FILTER_AREA, &out, NULL)
                     : which == 1
                         ? reha_gray_warp(image, map, 7, 7, REHA_SAMPLING_CUBIC, (reha_fill){0}, &out, NULL)
                     : which == 2 ? reha_gray_crop(image, 1, 1, 5, 5, (reha_fill){0}, &out, NULL)
                                  : reha_gray_rotate90(image, 1, &out, NULL);
            reha_mem_fail_after(-1);
            assert_true(status == REHA_OK || (status == REHA_E_NOMEM && out == NULL));
            reha_gray_free(out);
            assert_int_equal(reha_mem_live_blocks(), blocks);
        }
        assert_int_equal(status, REHA_OK);
    }
    reha_gray_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resize_is_its_definition),
        cmocka_unit_test(test_resize_same_size_is_the_identity),
        cmocka_unit_test(test_area_keeps_the_mean),
        cmocka_unit_test(test_no_aliasing_when_shrinking),
        cmocka_unit_test(test_resize_refuses),
        cmocka_unit_test(test_crop),
        cmocka_unit_test(test_flips_and_turns),
        cmocka_unit_test(test_affine_algebra),
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_warp_of_a_slope_is_exact),
        cmocka_unit_test(test_warp_identity_and_edges),
        cmocka_unit_test(test_unknown_spacing_stays_unknown),
        cmocka_unit_test(test_box_map_agrees_with_resize),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
