/* Series: slope, interval, level shift and reaching of the SDC against known truth; false alarms by
 * simulation. */
#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "rehab/series.h"

#include <math.h>
#include <string.h>

static const double NO = (double)NAN;

static reha_threshold mdc = {.value = 10.0, .confidence = 95.0, .kind = REHA_ABSOLUTE, .setting = "any"};

static reha_change_spec higher_is_better(void)
{
    return (reha_change_spec){.better = 1, .low = 0.0, .high = 100.0, .acquisition_sd = NO, .mdc = &mdc};
}

static reha_series judge(const double *days, const double *values, size_t count)
{
    reha_series_point points[32];
    reha_series series;
    reha_error err = REHA_ERROR_INIT;
    const reha_change_spec spec = higher_is_better();
    for (size_t i = 0; i < count; i++) {
        points[i] = (reha_series_point){days[i], values[i], NO};
    }
    assert_ok(reha_series_judge(points, count, &spec, &series, &err), &err);
    return series;
}

static void test_slope_is_robust(void **state)
{
    (void)state;
    const double days[] = {0, 10, 20, 30, 40, 50};
    const double straight[] = {40, 42, 44, 46, 48, 50};
    const double outlier[] = {40, 42, 44, 90, 48, 50};
    reha_series series = judge(days, straight, 6);
    assert_float_equal(series.slope_per_day, 0.2, 1e-12);
    assert_float_equal(series.intercept, 40.0, 1e-9);
    assert_float_equal(series.slope_low, 0.2, 1e-12);
    series = judge(days, outlier, 6);
    assert_float_equal(series.slope_per_day, 0.2, 1e-12); /* least squares would give 0.38 */
    series = judge(days, straight, 4);
    assert_float_equal(series.slope_per_day, 0.2, 1e-12);
    assert_true(isnan(series.slope_low) && isnan(series.shift_p)); /* too few for an interval or a shift */
    series = judge(days, straight, 2);
    assert_true(isnan(series.slope_per_day));
    const double one_day[] = {5, 5, 5};
    series = judge(one_day, straight, 3);
    assert_true(isnan(series.slope_per_day));
}

/* Sen's interval at the smallest size: five visits, ranks 1 and 10 of the ten slopes. */
static void test_interval_by_hand(void **state)
{
    (void)state;
    const double days[] = {0, 1, 2, 3, 4};
    const double values[] = {1, 3, 2, 5, 4}; /* slopes: 2 .5 1.33 .75 -1 1 .33 3 1 -1 */
    const reha_series series = judge(days, values, 5);
    assert_float_equal(series.slope_per_day, 0.875, 1e-9); /* between .75 and 1 */
    assert_float_equal(series.slope_low, -1.0, 1e-9);
    assert_float_equal(series.slope_high, 3.0, 1e-9);
}

static void test_shift_is_found(void **state)
{
    (void)state;
    const double days[] = {0, 7, 14, 21, 28, 35, 42, 49};
    const double step[] = {40, 41, 39, 40, 55, 56, 54, 55};
    reha_series series = judge(days, step, 8);
    assert_int_equal(series.shift_at, 4);
    assert_float_equal(series.shift, 15.0, 1e-9);
    assert_true(series.shift_p < 0.05);
    const double flat[] = {40, 41, 39, 40, 41, 39, 40, 41};
    series = judge(days, flat, 8);
    assert_true(series.shift_p > 0.2);
    /* Two clear levels: of the 8! orders 2 * 4! * 4! split as well. */
    const double clear[] = {1, 1.1, 0.9, 1.2, 9, 9.1, 8.9, 9.2};
    series = judge(days, clear, 8);
    assert_float_equal(series.shift_p, 1152.0 / 40320.0, 1e-12);
    series = judge(days, clear, 7); /* not even this could be told from chance */
    assert_true(isnan(series.shift_p));
}

static void test_reaching_the_sdc(void **state)
{
    (void)state;
    const double days[] = {0, 7, 14, 21, 28};
    const double steady[] = {40, 45, 52, 55, 58};
    reha_series series = judge(days, steady, 5);
    assert_int_equal(series.reached_at, 2);
    assert_true(series.is_confirmed && !series.is_back);
    assert_int_equal(series.latest.verdict, REHA_IMPROVED);
    assert_int_equal(series.previous.verdict, REHA_NO_CHANGE);
    const double once[] = {40, 45, 55, 44, 45};
    series = judge(days, once, 5);
    assert_int_equal(series.reached_at, 2);
    assert_true(!series.is_confirmed && !series.is_back);
    const double lost[] = {40, 52, 55, 45, 42};
    series = judge(days, lost, 5);
    assert_true(series.is_confirmed && series.is_back);
    assert_int_equal(series.reached_at, 1);
    const double never[] = {40, 45, 42, 48, 50};
    series = judge(days, never, 5);
    assert_int_equal(series.reached_at, 0);
}

/* Nothing changed: shares of series with a "real" latest verdict, a trend, a shift. */
static void test_false_alarms(void **state)
{
    (void)state;
    enum { ROUNDS = 1000, VISITS = 9 };
    const double sd = 10.0 / (1.959964 * sqrt(2.0));
    const double days[VISITS] = {0, 10, 20, 30, 45, 60, 90, 100, 120};
    reha_random random = reha_random_init(3, 9);
    int latest = 0;
    int trend = 0;
    int shift = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double values[VISITS];
        for (int i = 0; i < VISITS; i++) {
            values[i] = 50.0 + sd * reha_random_normal(&random);
        }
        const reha_series series = judge(days, values, VISITS);
        latest += series.latest.verdict != REHA_NO_CHANGE ? 1 : 0;
        trend += series.slope_low > 0.0 || series.slope_high < 0.0 ? 1 : 0;
        shift += series.shift_p <= 0.05 ? 1 : 0;
    }
    print_message("false alarms of %d: latest %d, trend %d, shift %d\n", ROUNDS, latest, trend, shift);
    assert_true(latest < 0.07 * ROUNDS && latest > 0.03 * ROUNDS); /* 5 % and its sampling error */
    assert_true(trend < 0.07 * ROUNDS);
    assert_true(shift < 0.07 * ROUNDS);
}

static void test_bad_series_are_refused(void **state)
{
    (void)state;
    const reha_change_spec spec = higher_is_better();
    reha_series series;
    reha_error err = REHA_ERROR_INIT;
    reha_series_point points[3] = {{0, 1, NO}, {5, 2, NO}, {4, 3, NO}};
    assert_int_equal(reha_series_judge(points, 0, &spec, &series, &err), REHA_E_ARG);
    assert_int_equal(reha_series_judge(points, 3, &spec, &series, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "visit 3"));
    points[2] = (reha_series_point){6, NO, NO};
    assert_int_equal(reha_series_judge(points, 3, &spec, &series, &err), REHA_E_ARG);
    points[2].value = 3;
    reha_mem_fail_after(0);
    assert_int_equal(reha_series_judge(points, 3, &spec, &series, &err), REHA_E_NOMEM);
    reha_mem_fail_after(-1);
    assert_ok(reha_series_judge(points, 1, &spec, &series, &err), &err);
    assert_int_equal(series.latest.verdict, REHA_NO_CHANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slope_is_robust), cmocka_unit_test(test_interval_by_hand),
        cmocka_unit_test(test_shift_is_found),  cmocka_unit_test(test_reaching_the_sdc),
        cmocka_unit_test(test_false_alarms),    cmocka_unit_test(test_bad_series_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
