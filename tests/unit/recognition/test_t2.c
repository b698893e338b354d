/* T2 against phantoms of known truth: bias, coverage of the stated error, and what must not be fitted. */
#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "recognition/t2_map.h"
#include "recognition/t2_phantom.h"

#include <math.h>
#include <string.h>

static const reha_t2_options plain = {0};

static double rician(reha_random *random, double amplitude, double sigma)
{
    return hypot(amplitude + sigma * reha_random_normal(random), sigma * reha_random_normal(random));
}

static void the_rician_mean_is_that_of_noise(void **state)
{
    (void)state;
    reha_random random = reha_random_init(3, 0);
    const double amplitudes[] = {0.0, 0.5, 1.0, 2.0, 5.0, 9.9, 10.1, 40.0};
    for (size_t i = 0; i < sizeof amplitudes / sizeof amplitudes[0]; i++) {
        double sum = 0.0;
        double slope = 0.0;
        const int draws = 40000;
        for (int d = 0; d < draws; d++) {
            sum += rician(&random, 2.0 * amplitudes[i], 2.0);
        }
        const double mean = reha_rician_mean(2.0 * amplitudes[i], 2.0, &slope);
        assert_float_equal(mean, sum / draws, 0.05); /* five standard errors */
        const double h = 1e-4;
        const double numeric = (reha_rician_mean(2.0 * amplitudes[i] + h, 2.0, NULL) -
                                reha_rician_mean(fabs(2.0 * amplitudes[i] - h), 2.0, NULL)) /
                               (2.0 * h);
        assert_float_equal(slope, numeric, 2e-3);
    }
    assert_float_equal(reha_rician_mean(0.0, 1.0, NULL), 1.2533141, 1e-6);
    assert_float_equal(reha_rician_mean(7.0, 0.0, NULL), 7.0, 0);
}

/* Exact data give exact answers, with and without a floor. */
static void without_noise_the_truth_comes_back(void **state)
{
    (void)state;
    double echo_ms[8];
    double signal[8];
    reha_t2_fit fit;
    const double truths[] = {5.0, 12.0, 35.0, 80.0, 250.0};
    for (size_t t = 0; t < 5; t++) {
        for (int sigma = 0; sigma <= 30; sigma += 15) {
            for (int e = 0; e < 8; e++) {
                echo_ms[e] = 6.3 * (e + 1);
                signal[e] = reha_rician_mean(1200.0 * exp(-echo_ms[e] / truths[t]), sigma, NULL);
            }
            reha_t2_fit_voxel(echo_ms, signal, 8, sigma, &plain, &fit);
            assert_int_equal(fit.state, REHA_T2_FITTED);
            assert_float_equal(fit.t2_ms, truths[t], 1e-3 * truths[t]);
            assert_float_equal(fit.s0, 1200.0, 1.0);
            assert_float_equal(fit.first_ratio, 0.0, 1e-3);
        }
    }
}

typedef struct outcome {
    double bias;     /* of the median, relative */
    double coverage; /* of fitted voxels: share whose interval holds the truth */
    double fitted;
} outcome;

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static outcome try_voxels(double t2_ms, double snr, bool is_sigma_known)
{
    enum { VOXELS = 3000 };
    static double got[VOXELS];
    double echo_ms[8];
    double signal[8];
    int fitted = 0;
    int covered = 0;
    reha_random random = reha_random_init((uint64_t)(t2_ms * 100.0 + snr), is_sigma_known ? 1 : 0);
    const double sigma = 1000.0 / snr;
    for (int v = 0; v < VOXELS; v++) {
        reha_t2_fit fit;
        for (int e = 0; e < 8; e++) {
            echo_ms[e] = 6.312 * (e + 1);
            signal[e] = rician(&random, 1000.0 * exp(-echo_ms[e] / t2_ms), sigma);
        }
        reha_t2_fit_voxel(echo_ms, signal, 8, is_sigma_known ? sigma : 0.0, &plain, &fit);
        if (fit.state == REHA_T2_FITTED) {
            got[fitted++] = fit.t2_ms;
            covered += fabs(fit.t2_ms - t2_ms) <= fit.t2_error_ms ? 1 : 0;
        }
    }
    qsort(got, (size_t)fitted, sizeof got[0], compare);
    return (outcome){got[fitted / 2] / t2_ms - 1.0, (double)covered / fitted, (double)fitted / VOXELS};
}

/* The figures of docs/t2-map.md: SNR is S0 over sigma. */
static void bias_and_coverage_hold_at_many_noise_levels(void **state)
{
    (void)state;
    static const struct {
        double snr;
        double bias_max;
        double fitted_min;
    } levels[] = {{200.0, 0.005, 0.99}, {100.0, 0.01, 0.99}, {50.0, 0.015, 0.99}, {20.0, 0.03, 0.95}};
    const double truths[] = {15.0, 30.0, 40.0, 60.0};
    for (size_t l = 0; l < sizeof levels / sizeof levels[0]; l++) {
        for (size_t t = 0; t < 4; t++) {
            const outcome got = try_voxels(truths[t], levels[l].snr, true);
            print_message("SNR %3.0f, T2 %2.0f ms: median bias %+.2f %%, coverage %.1f %%, fitted %.1f %%\n",
                          levels[l].snr, truths[t], 100.0 * got.bias, 100.0 * got.coverage,
                          100.0 * got.fitted);
            assert_true(fabs(got.bias) <= levels[l].bias_max);
            assert_true(got.coverage >= 0.93 && got.coverage <= 0.995);
            assert_true(got.fitted >= levels[l].fitted_min);
        }
    }
}

/* The reason for the floor: the same data without it. */
static void the_floor_takes_the_bias_away(void **state)
{
    (void)state;
    const outcome with = try_voxels(12.0, 25.0, true);
    const outcome without = try_voxels(12.0, 25.0, false);
    print_message("T2 12 ms at SNR 25: bias %+.1f %% with the noise floor, %+.1f %% without\n",
                  100.0 * with.bias, 100.0 * without.bias);
    assert_true(fabs(with.bias) < 0.02);
    assert_true(without.bias > 0.05);
}

static void what_cannot_be_fitted_is_marked(void **state)
{
    (void)state;
    const double nan = (double)NAN;
    const double echo_ms[6] = {10, 20, 30, 40, 50, 60};
    static const struct {
        double signal[6];
        double sigma;
        reha_t2_state expected;
    } cases[] = {
        {{100, 99.7, 99.4, 99.1, 98.8, 98.5}, 2.0, REHA_T2_OUT_OF_RANGE},
        {{100, 100, 100, 100, 100, 100}, 2.0, REHA_T2_NO_DECAY},
        {{100, 104, 109, 114, 120, 126}, 2.0, REHA_T2_NO_DECAY},
        {{2, 3, 1, 2, 4, 2}, 2.0, REHA_T2_IN_NOISE},
        {{100, 2, 3, 2, 3, 2}, 2.0, REHA_T2_IN_NOISE},
        {{0, 0, 0, 0, 0, 0}, 2.0, REHA_T2_IN_NOISE},
        {{30, 18, 33, 9, 28, 14}, 8.0, REHA_T2_UNCERTAIN},
    };
    reha_t2_fit fit;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reha_t2_fit_voxel(echo_ms, cases[i].signal, 6, cases[i].sigma, &plain, &fit);
        if (fit.state != cases[i].expected) {
            fail_msg("case %zu: %s instead of %s", i, reha_t2_state_text(fit.state),
                     reha_t2_state_text(cases[i].expected));
        }
        assert_true(isnan(fit.t2_ms) && isnan(fit.t2_error_ms) && isnan(fit.s0));
    }
    const double few[6] = {100, nan, nan, 60, nan, nan};
    reha_t2_fit_voxel(echo_ms, few, 6, 2.0, &plain, &fit);
    assert_int_equal(fit.state, REHA_T2_NO_DATA);
    const double three[6] = {nan, 81.87, 74.08, nan, 60.65, nan}; /* T2 100 ms from what is there */
    reha_t2_fit_voxel(echo_ms, three, 6, 0.5, &plain, &fit);
    assert_int_equal(fit.state, REHA_T2_FITTED);
    assert_float_equal(fit.t2_ms, 100.0, 1.0);
    const reha_t2_options narrow = {.t2_max_ms = 90.0};
    reha_t2_fit_voxel(echo_ms, three, 6, 0.5, &narrow, &fit);
    assert_int_equal(fit.state, REHA_T2_OUT_OF_RANGE);
}

typedef struct drawn {
    reha_t2_phantom spec;
    reha_volume *echoes[REHA_T2_ECHOES_MAX];
    reha_volume *labels;
} drawn;

static drawn draw(reha_t2_phantom spec)
{
    drawn out = {.spec = spec};
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_t2_phantom_draw(&spec, out.echoes, &out.labels, &err), &err);
    return out;
}

static void undraw(drawn *phantom)
{
    for (size_t e = 0; e < phantom->spec.echo_count; e++) {
        reha_volume_free(phantom->echoes[e]);
    }
    reha_volume_free(phantom->labels);
}

static reha_t2_map *map_of(const drawn *phantom, const reha_t2_options *options, double sigma)
{
    reha_t2_map *map = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_t2_map_new((const reha_volume *const *)phantom->echoes, phantom->spec.echo_ms,
                              phantom->spec.echo_count, sigma, options, 1, &map, &err),
              &err);
    return map;
}

static uint8_t *bytes_of(const reha_volume *labels)
{
    uint8_t *out = malloc(reha_volume_count(labels));
    assert_non_null(out);
    for (size_t v = 0; v < reha_volume_count(labels); v++) {
        out[v] = (uint8_t)labels->voxels[v];
    }
    return out;
}

static void a_phantom_s_tubes_are_measured(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    drawn phantom = draw(reha_t2_phantom_default());
    reha_t2_map *map = map_of(&phantom, NULL, 0.0);
    assert_float_equal(map->noise.sigma, 20.0, 0.6); /* found in the air */
    assert_true(map->noise.voxels > 1000);
    uint8_t *labels = bytes_of(phantom.labels);
    for (int t = 0; t < phantom.spec.tube_count; t++) {
        reha_t2_statistics all;
        reha_t2_statistics slice;
        assert_ok(reha_t2_describe(map, labels, (uint8_t)(t + 1), -1, &all, &err), &err);
        assert_ok(reha_t2_describe(map, labels, (uint8_t)(t + 1), 1, &slice, &err), &err);
        print_message("tube of %2.0f ms: median %.2f, quartiles %.2f to %.2f, mean %.2f, SD %.2f, voxel "
                      "error %.2f ms, n %zu of %zu\n",
                      phantom.spec.t2_ms[t], all.median_ms, all.q1_ms, all.q3_ms, all.mean_ms, all.sd_ms,
                      all.error_ms, all.fitted, all.voxels);
        assert_float_equal(all.median_ms, phantom.spec.t2_ms[t], 0.02 * phantom.spec.t2_ms[t]);
        assert_float_equal(slice.median_ms, phantom.spec.t2_ms[t], 0.04 * phantom.spec.t2_ms[t]);
        assert_int_equal(all.voxels, 3 * slice.voxels);
        assert_true(all.q1_ms < all.median_ms && all.median_ms < all.q3_ms);
        assert_true(all.unfitted_share < 0.01);
        /* The stated error of a voxel is the scatter of the voxels. */
        assert_float_equal(all.error_ms / 1.96, all.sd_ms, 0.2 * all.sd_ms);
    }
    /* Air is background, not tissue with a T2. */
    size_t air = 0;
    for (size_t v = 0; v < reha_volume_count(map->t2_ms); v++) {
        air += labels[v] == 0 && map->states[v] == REHA_T2_FITTED ? 1 : 0;
        assert_true((map->states[v] == REHA_T2_FITTED) == !isnan(map->t2_ms->voxels[v]));
    }
    assert_true(air < 5);
    assert_true(fabs(map->first_ratio) < 0.005);
    free(labels);
    reha_t2_map_free(map);
    undraw(&phantom);
}

static void noise_is_not_read_from_tissue_or_masks(void **state)
{
    (void)state;
    reha_t2_noise noise;
    reha_error err = REHA_ERROR_INIT;
    drawn phantom = draw(reha_t2_phantom_default());
    /* Air set to 0, as by a mask: nothing to judge noise by. */
    for (size_t e = 0; e < phantom.spec.echo_count; e++) {
        for (size_t v = 0; v < reha_volume_count(phantom.labels); v++) {
            phantom.echoes[e]->voxels[v] *= phantom.labels->voxels[v] > 0.0F ? 1.0F : 0.0F;
        }
    }
    assert_ok(reha_t2_find_noise((const reha_volume *const *)phantom.echoes, 8, &noise, &err), &err);
    assert_float_equal(noise.sigma, 0.0, 0);
    assert_true(noise.reason[0] != '\0');
    reha_t2_map *map = map_of(&phantom, NULL, 0.0); /* still a map: errors from the residuals alone */
    reha_t2_statistics all;
    uint8_t *labels = bytes_of(phantom.labels);
    assert_ok(reha_t2_describe(map, labels, 4, -1, &all, &err), &err);
    assert_float_equal(all.median_ms, 40.0, 2.0);
    free(labels);
    reha_t2_map_free(map);
    /* One tissue all over, no air at all. */
    for (size_t e = 0; e < phantom.spec.echo_count; e++) {
        reha_random random = reha_random_init(9, e);
        for (size_t v = 0; v < reha_volume_count(phantom.labels); v++) {
            phantom.echoes[e]->voxels[v] =
                (float)rician(&random, 800.0 * exp(-phantom.spec.echo_ms[e] / 45.0), 15.0);
        }
    }
    assert_ok(reha_t2_find_noise((const reha_volume *const *)phantom.echoes, 8, &noise, &err), &err);
    assert_float_equal(noise.sigma, 0.0, 0);
    undraw(&phantom);
}

static void a_weak_first_echo_is_noticed_and_left_out(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_t2_phantom spec = reha_t2_phantom_default();
    spec.first_loss = 0.15;
    drawn phantom = draw(spec);
    const reha_t2_options skip = {.skip_first = true};
    reha_t2_map *with = map_of(&phantom, NULL, 0.0);
    reha_t2_map *without = map_of(&phantom, &skip, 0.0);
    uint8_t *labels = bytes_of(phantom.labels);
    reha_t2_statistics biased;
    reha_t2_statistics clean;
    assert_ok(reha_t2_describe(with, labels, 4, -1, &biased, &err), &err);
    assert_ok(reha_t2_describe(without, labels, 4, -1, &clean, &err), &err);
    assert_true(with->first_ratio < -0.03);
    assert_true(fabs(without->first_ratio) < 0.01);
    assert_true(biased.median_ms > 42.0);
    assert_float_equal(clean.median_ms, 40.0, 0.8);
    assert_int_equal(without->echo_count, 7);
    free(labels);
    reha_t2_map_free(with);
    reha_t2_map_free(without);
    undraw(&phantom);
}

static void a_missing_slice_stays_without_value(void **state)
{
    (void)state;
    drawn phantom = draw(reha_t2_phantom_default());
    const size_t slice = (size_t)phantom.spec.side_px * phantom.spec.side_px;
    for (size_t e = 0; e < phantom.spec.echo_count; e++) {
        for (size_t v = slice; v < 2 * slice; v++) {
            phantom.echoes[e]->voxels[v] = NAN;
        }
    }
    for (size_t v = 0; v < slice; v++) {
        phantom.echoes[3]->voxels[v] = NAN; /* one echo of one slice: fitted from the others */
    }
    reha_t2_map *map = map_of(&phantom, NULL, 0.0);
    assert_int_equal(map->counts[REHA_T2_NO_DATA], slice);
    reha_t2_statistics got;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_t2_describe(map, NULL, 0, 1, &got, &err), &err);
    assert_int_equal(got.fitted, 0);
    assert_true(isnan(got.median_ms));
    assert_ok(reha_t2_describe(map, NULL, 0, 0, &got, &err), &err);
    assert_true(got.fitted > 500);
    assert_int_equal(reha_t2_describe(map, NULL, 0, 3, &got, &err), REHA_E_NOT_FOUND);
    reha_t2_map_free(map);
    undraw(&phantom);
}

static void wrong_trains_are_refused(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_t2_map *map = NULL;
    drawn phantom = draw(reha_t2_phantom_default());
    const reha_volume *const *echoes = (const reha_volume *const *)phantom.echoes;
    const reha_t2_options skip = {.skip_first = true};
    double echo_ms[8];
    memcpy(echo_ms, phantom.spec.echo_ms, sizeof echo_ms);
    assert_int_equal(reha_t2_map_new(echoes, echo_ms, 2, 0.0, NULL, 1, &map, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "T2 needs 3"));
    assert_int_equal(reha_t2_map_new(echoes, echo_ms, 3, 0.0, &skip, 1, &map, &err), REHA_E_FORMAT);
    echo_ms[4] = echo_ms[3];
    assert_int_equal(reha_t2_map_new(echoes, echo_ms, 8, 0.0, NULL, 1, &map, &err), REHA_E_FORMAT);
    echo_ms[4] = (double)NAN;
    assert_int_equal(reha_t2_map_new(echoes, echo_ms, 8, 0.0, NULL, 1, &map, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "echo 5"));
    phantom.echoes[2]->to_mm.m[0][3] += 5.0;
    assert_int_equal(reha_t2_map_new(echoes, phantom.spec.echo_ms, 8, 0.0, NULL, 1, &map, &err),
                     REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "lies elsewhere"));
    assert_null(map);
    undraw(&phantom);
}

static void threads_and_memory_change_nothing(void **state)
{
    (void)state;
    reha_t2_phantom small = reha_t2_phantom_default();
    small.side_px = 40;
    small.slice_count = 2;
    drawn phantom = draw(small);
    const reha_volume *const *echoes = (const reha_volume *const *)phantom.echoes;
    reha_t2_map *one = map_of(&phantom, NULL, 0.0);
    reha_t2_map *two = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_t2_map_new(echoes, small.echo_ms, 8, 0.0, NULL, 2, &two, &err), &err);
    assert_memory_equal(one->t2_ms->voxels, two->t2_ms->voxels,
                        reha_volume_count(one->t2_ms) * sizeof(float));
    reha_t2_map_free(one);
    reha_t2_map_free(two);
    const size_t before = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    for (long n = 0; status != REHA_OK && n < 60; n++) {
        reha_t2_map *map = NULL;
        reha_mem_fail_after(n);
        status = reha_t2_map_new(echoes, small.echo_ms, 8, 0.0, NULL, 1, &map, &err);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_t2_map_free(map);
        assert_int_equal(reha_mem_live_blocks(), before);
    }
    assert_int_equal(status, REHA_OK);
    undraw(&phantom);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rician_mean_is_that_of_noise),
        cmocka_unit_test(without_noise_the_truth_comes_back),
        cmocka_unit_test(bias_and_coverage_hold_at_many_noise_levels),
        cmocka_unit_test(the_floor_takes_the_bias_away),
        cmocka_unit_test(what_cannot_be_fitted_is_marked),
        cmocka_unit_test(a_phantom_s_tubes_are_measured),
        cmocka_unit_test(noise_is_not_read_from_tissue_or_masks),
        cmocka_unit_test(a_weak_first_echo_is_noticed_and_left_out),
        cmocka_unit_test(a_missing_slice_stays_without_value),
        cmocka_unit_test(wrong_trains_are_refused),
        cmocka_unit_test(threads_and_memory_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
