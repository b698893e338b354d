/* Statistics and filters against their definitions. */
#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "image/statistics.h"

#include <math.h>
#include <string.h>

static reha_gray *make(uint32_t width, uint32_t height)
{
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_gray_new(width, height, &image, &err), &err);
    return image;
}

static reha_gray *noise(uint32_t width, uint32_t height, double low, double high)
{
    reha_gray *image = make(width, height);
    reha_random random = reha_random_init(width, height);
    for (size_t i = 0; i < (size_t)width * height; i++) {
        image->pixels[i] = (float)reha_random_range(&random, low, high);
    }
    return image;
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a;
    const float y = *(const float *)b;
    return (x > y) - (x < y);
}

static void check_percentiles(const float *values, size_t count)
{
    static const double fractions[] = {0.0,  0.001, 0.01,  0.02, 0.1,  0.25, 1.0 / 3.0, 0.5,      0.75, 0.9,
                                       0.95, 0.99,  0.999, 1.0,  -3.0, 7.0,  0.123456,  0.654321, 0.3,  0.7};
    enum { N = sizeof fractions / sizeof fractions[0] };
    float found[N];
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_percentiles(values, count, fractions, N, found, &err), &err);
    float *sorted = malloc(count * sizeof *sorted);
    assert_non_null(sorted);
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare);
    for (size_t i = 0; i < N; i++) {
        const double at = fmin(fmax(fractions[i], 0.0), 1.0) * (double)(count - 1);
        const size_t low = (size_t)at;
        const size_t high = low + 1 < count ? low + 1 : low;
        const double wanted =
            (double)sorted[low] + (at - (double)low) * ((double)sorted[high] - (double)sorted[low]);
        assert_true(fabs((double)found[i] - wanted) <= 1e-6 * (1.0 + fabs(wanted)));
    }
    free(sorted);
}

static void test_percentiles_are_those_of_sorting(void **state)
{
    (void)state;
    const size_t counts[] = {1, 2, 3, 100, 2048, 2049, 5000, 60001};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        const size_t count = counts[c];
        float *values = malloc(count * sizeof *values);
        assert_non_null(values);
        reha_random random = reha_random_init(count, 1);
        for (int kind = 0; kind < 7; kind++) {
            for (size_t i = 0; i < count; i++) {
                const double unit = reha_random_unit(&random);
                switch (kind) {
                case 0:
                    values[i] = (float)floor(unit * 256.0);
                    break;
                case 1:
                    values[i] = (float)floor(unit * 65536.0) - 32768.0f;
                    break;
                case 2:
                    values[i] = (float)unit;
                    break;
                case 3:
                    values[i] = (float)(unit * 2.0 - 1.0) * 1e-20f;
                    break;
                case 4:
                    values[i] = 42.0f;
                    break;
                case 5:
                    values[i] = unit < 0.6 ? 0.0f : (float)(unit * 4095.0);
                    break;
                default:
                    values[i] = (float)((unit - 0.5) * 6e38);
                    break;
                }
            }
            if (kind == 0 && count > 2) {
                values[0] = -0.0f;
                values[1] = 0.0f;
            }
            check_percentiles(values, count);
        }
        free(values);
    }
}

static void test_percentiles_refuse(void **state)
{
    (void)state;
    const float value = 1.0f;
    const double half = 0.5;
    const double nothing = NAN;
    float out = 0.0f;
    assert_int_equal(reha_percentiles(&value, 0, &half, 1, &out, NULL), REHA_E_ARG);
    assert_true(isnan(out));
    assert_int_equal(reha_percentiles(&value, 1, &nothing, 1, &out, NULL), REHA_E_ARG);
    assert_int_equal(reha_percentiles(&value, 1, &half, 0, &out, NULL), REHA_OK);
    const size_t blocks = reha_mem_live_blocks();
    reha_gray *image = noise(100, 100, 0, 1);
    for (long n = 0; n < 3; n++) {
        reha_mem_fail_after(n);
        const reha_status status = reha_percentiles(image->pixels, 10000, &half, 1, &out, NULL);
        reha_mem_fail_after(-1);
        assert_int_equal(status, REHA_E_NOMEM);
        assert_true(isnan(out));
    }
    reha_gray_free(image);
    assert_int_equal(reha_mem_live_blocks(), blocks);
}

static void test_summary(void **state)
{
    (void)state;
    reha_gray *image = noise(333, 77, 60000.0, 60010.0); /* a narrow range far from 0 */
    double sum = 0.0;
    double squares = 0.0;
    const size_t count = 333 * 77;
    for (size_t i = 0; i < count; i++) {
        sum += (double)image->pixels[i];
    }
    for (size_t i = 0; i < count; i++) {
        squares += pow((double)image->pixels[i] - sum / (double)count, 2.0);
    }
    image->pixels[1000] = 59000.0f;
    image->pixels[2000] = 61000.0f;
    const reha_gray_summary wide = reha_gray_summarise(image);
    assert_true(wide.low == 59000.0f && wide.high == 61000.0f);
    image->pixels[1000] = image->pixels[2000] = 60005.0f;
    const reha_gray_summary found = reha_gray_summarise(image);
    assert_float_equal(found.mean, sum / (double)count, 0.01);
    assert_float_equal(found.sd, sqrt(squares / (double)count), 0.01);
    for (size_t i = 0; i < count; i++) {
        image->pixels[i] = 0.1f;
    }
    assert_true(reha_gray_summarise(image).sd == 0.0);
    reha_gray_free(image);
    image = make(1, 1);
    image->pixels[0] = -3.0f;
    const reha_gray_summary one = reha_gray_summarise(image);
    assert_true(one.low == -3.0f && one.high == -3.0f && one.mean == -3.0 && one.sd == 0.0);
    reha_gray_free(image);
}

static void test_window_and_stretch(void **state)
{
    (void)state;
    reha_gray *image = make(101, 1);
    for (size_t i = 0; i < 101; i++) {
        image->pixels[i] = (float)i * 10.0f;
    }
    float low = 0.0f;
    float high = 0.0f;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_gray_stretch(image, 0.1, 0.9, &low, &high, &err), &err);
    assert_true(low == 100.0f && high == 900.0f);
    assert_true(image->pixels[0] == 0.0f && image->pixels[100] == 1.0f);
    assert_float_equal(image->pixels[50], 0.5, 1e-6);
    reha_gray_window(image, 0.5f, 0.5f); /* no range */
    for (size_t i = 0; i < 101; i++) {
        assert_true(image->pixels[i] == 0.0f);
    }
    assert_int_equal(reha_gray_stretch(image, NAN, 0.9, NULL, NULL, &err), REHA_E_ARG);
    reha_gray_free(image);
}

static void test_invert_keeps_the_range(void **state)
{
    (void)state;
    reha_gray *image = make(4, 1);
    const float values[4] = {10.0f, 20.0f, 30.0f, 100.0f};
    memcpy(image->pixels, values, sizeof values);
    reha_gray_invert(image);
    assert_true(image->pixels[0] == 100.0f && image->pixels[1] == 90.0f && image->pixels[3] == 10.0f);
    reha_gray_invert(image);
    assert_memory_equal(image->pixels, values, sizeof values);
    reha_gray_free(image);
}

static void test_sharpness_is_its_definition(void **state)
{
    (void)state;
    const uint32_t sizes[][2] = {{3, 3}, {10, 7}, {18, 5}, {133, 40}};
    for (size_t s = 0; s < 4; s++) {
        const uint32_t w = sizes[s][0];
        const uint32_t h = sizes[s][1];
        reha_gray *image = noise(w, h, 0.0, 1.0);
        double energy = 0.0, sum = 0.0, squares = 0.0;
        for (uint32_t y = 1; y + 1 < h; y++) {
            for (uint32_t x = 1; x + 1 < w; x++) {
                const double dx =
                    0.5 * ((double)reha_gray_at(image, x + 1, y) - (double)reha_gray_at(image, x - 1, y));
                const double dy =
                    0.5 * ((double)reha_gray_at(image, x, y + 1) - (double)reha_gray_at(image, x, y - 1));
                const double lap =
                    (double)reha_gray_at(image, x + 1, y) + (double)reha_gray_at(image, x - 1, y) +
                    (double)reha_gray_at(image, x, y + 1) + (double)reha_gray_at(image, x, y - 1) -
                    4.0 * (double)reha_gray_at(image, x, y);
                energy += dx * dx + dy * dy;
                sum += lap;
                squares += lap * lap;
            }
        }
        const double count = (double)(w - 2) * (double)(h - 2);
        assert_float_equal(reha_gray_gradient_energy(image), energy / count, 1e-5);
        assert_float_equal(reha_gray_laplacian_variance(image), squares / count - sum * sum / count / count,
                           1e-5);
        reha_gray_free(image);
    }
    reha_gray *tiny = noise(2, 9, 0.0, 1.0);
    assert_true(reha_gray_gradient_energy(tiny) == 0.0 && reha_gray_laplacian_variance(tiny) == 0.0);
    reha_gray_free(tiny);
}

static void test_blur_is_gaussian(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const double sigmas[] = {0.5, 1.0, 3.0, 9.5, 12.0, 24.0};
    for (size_t s = 0; s < 6; s++) {
        const double sigma = sigmas[s];
        const uint32_t side = 321;
        reha_gray *image = make(side, side);
        const uint32_t mid = 160;
        image->pixels[(size_t)mid * side + mid] = 1e6f;
        reha_gray *out = NULL;
        assert_ok(reha_gray_blur(image, sigma, &out, &err), &err);
        double sum = 0.0, variance = 0.0;
        for (uint32_t y = 0; y < side; y++) {
            for (uint32_t x = 0; x < side; x++) {
                const double dx = (double)x - mid;
                sum += (double)reha_gray_at(out, x, y);
                variance += dx * dx * (double)reha_gray_at(out, x, y);
            }
        }
        assert_float_equal(sum, 1e6, 1e4);
        assert_float_equal(sqrt(variance / sum), sigma, (sigma < 0.9 ? 0.1 : 0.02) * sigma);
        if (sigma > 0.9) {
            const double peak = 1e6 / (2.0 * acos(-1.0) * sigma * sigma);
            assert_float_equal(reha_gray_at(out, mid, mid), peak, 0.05 * peak);
        }
        reha_gray_free(out);
        reha_gray_free(image);
    }
}

static void test_blur_keeps_constants_and_edges(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = make(31, 5);
    image->spacing = (reha_spacing){0.1, 0.1, REHA_SPACING_USER};
    for (size_t i = 0; i < 31 * 5; i++) {
        image->pixels[i] = 1234.0f;
    }
    const double sigmas[] = {0.3, 4.0, 40.0, 1000.0};
    for (size_t s = 0; s < 4; s++) {
        reha_gray *out = NULL;
        assert_ok(reha_gray_blur(image, sigmas[s], &out, &err), &err);
        for (size_t i = 0; i < 31 * 5; i++) {
            assert_float_equal(out->pixels[i], 1234.0, 0.01);
        }
        assert_true(out->spacing.x_mm == 0.1 && out->width_px == 31 && out->height_px == 5);
        reha_gray_free(out);
    }
    const double bad[] = {0.0, -1.0, 1000.5, NAN, INFINITY};
    for (size_t s = 0; s < 5; s++) {
        reha_gray *out = (reha_gray *)1;
        assert_int_equal(reha_gray_blur(image, bad[s], &out, &err), REHA_E_ARG);
        assert_null(out);
    }
    reha_gray_free(image);
}

static void test_local_contrast_evens_out_exposure(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = noise(200, 200, -10.0, 10.0);
    reha_gray *other = NULL;
    assert_ok(reha_gray_copy(image, &other, &err), &err);
    for (size_t i = 0; i < 200 * 200; i++) {
        other->pixels[i] = 5.0f * image->pixels[i] + 2.0f * (float)(i % 200); /* more contrast, a ramp */
    }
    reha_gray *a = NULL;
    reha_gray *b = NULL;
    assert_ok(reha_gray_local_contrast(image, 6.0, 0.01, &a, &err), &err);
    assert_ok(reha_gray_local_contrast(other, 6.0, 0.01, &b, &err), &err);
    for (uint32_t y = 40; y < 160; y += 3) {
        for (uint32_t x = 40; x < 160; x += 3) {
            assert_float_equal(reha_gray_at(a, x, y), reha_gray_at(b, x, y), 0.05);
        }
    }
    const reha_gray_summary all = reha_gray_summarise(a);
    assert_float_equal(all.sd, 1.0, 0.1);
    reha_gray_free(a);
    assert_int_equal(reha_gray_local_contrast(image, 6.0, 0.0, &a, &err), REHA_E_ARG);
    assert_null(a);
    reha_gray_free(b);
    assert_int_equal(reha_gray_local_contrast(image, -1.0, 1.0, &b, &err), REHA_E_ARG);
    assert_null(b);
    reha_gray_free(image);
    reha_gray_free(other);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    reha_gray *image = noise(64, 64, 0.0, 1.0);
    const size_t blocks = reha_mem_live_blocks();
    const double sigmas[] = {2.0, 20.0};
    for (size_t s = 0; s < 2; s++) {
        reha_status status = REHA_E_NOMEM;
        for (long n = 0; status != REHA_OK && n < 100; n++) {
            reha_gray *out = NULL;
            reha_mem_fail_after(n);
            status = reha_gray_local_contrast(image, sigmas[s], 0.1, &out, NULL);
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
        cmocka_unit_test(test_percentiles_are_those_of_sorting),
        cmocka_unit_test(test_percentiles_refuse),
        cmocka_unit_test(test_summary),
        cmocka_unit_test(test_window_and_stretch),
        cmocka_unit_test(test_invert_keeps_the_range),
        cmocka_unit_test(test_sharpness_is_its_definition),
        cmocka_unit_test(test_blur_is_gaussian),
        cmocka_unit_test(test_blur_keeps_constants_and_edges),
        cmocka_unit_test(test_local_contrast_evens_out_exposure),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
