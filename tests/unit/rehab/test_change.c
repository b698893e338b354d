/* Real change, important change: conversions, combination of errors, verdicts; false alarms and power by
 * simulation. */
#include "support.h"

#include "base/random.h"
#include "rehab/change.h"

#include <math.h>
#include <string.h>

static const double NO = (double)NAN;

static reha_threshold mdc_of(double value, double confidence, reha_threshold_kind kind)
{
    return (reha_threshold){.value = value, .confidence = confidence, .kind = kind, .setting = "any"};
}

static void test_levels_convert(void **state)
{
    (void)state;
    assert_float_equal(reha_z_of_confidence(95.0), 1.959964, 1e-6);
    assert_float_equal(reha_z_of_confidence(90.0), 1.644854, 1e-6);
    assert_float_equal(reha_z_of_confidence(50.0), 0.674490, 1e-6);
    const reha_threshold at_90 = mdc_of(4.0, 90.0, REHA_ABSOLUTE);
    assert_float_equal(reha_mdc_95(&at_90, 20.0, 0.0, 48.0), 4.766292, 1e-5); /* 4 * 1.95996 / 1.64485 */
    const reha_threshold at_95 = mdc_of(20.2, 95.0, REHA_ABSOLUTE);
    assert_float_equal(reha_mdc_95(&at_95, 50.0, 0.0, 100.0), 20.2, 1e-9);
    const reha_threshold silent = mdc_of(1.10, NO, REHA_ABSOLUTE); /* level not stated: taken for 90 */
    assert_float_equal(reha_mdc_95(&silent, 9.0, 0.1, 600.0), 1.310730, 1e-5);
    const reha_threshold share = mdc_of(36.7, 95.0, REHA_PERCENT);
    assert_float_equal(reha_mdc_95(&share, 10.0, 0.1, 600.0), 3.67, 1e-9);
    const reha_threshold of_range = mdc_of(10.0, 95.0, REHA_PERCENT_OF_RANGE);
    assert_float_equal(reha_threshold_value(&of_range, 3.0, 0.0, 20.0), 2.0, 1e-12);
    assert_true(isnan(reha_mdc_95(NULL, 1.0, 0.0, 1.0)));
}

static void test_errors_add_in_quadrature(void **state)
{
    (void)state;
    reha_change_spec spec = {.better = 1, .low = 0.0, .high = 15.0, .acquisition_sd = NO};
    reha_change change = reha_change_judge((reha_reading){4.0, 0.3}, (reha_reading){3.0, 0.4}, &spec);
    assert_float_equal(change.sdc, 1.959964 * 0.5, 1e-6);
    assert_int_equal(change.verdict, REHA_WORSENED);
    spec.acquisition_sd = 0.6; /* 0.3^2 + 0.4^2 + 2 * 0.6^2 = 0.97 */
    change = reha_change_judge((reha_reading){4.0, 0.3}, (reha_reading){3.0, 0.4}, &spec);
    assert_float_equal(change.sdc, 1.959964 * sqrt(0.97), 1e-6);
    assert_int_equal(change.verdict, REHA_NO_CHANGE);
    const reha_threshold mdc =
        mdc_of(2.5, 95.0, REHA_ABSOLUTE); /* of the whole measurement: the larger one counts */
    spec.mdc = &mdc;
    change = reha_change_judge((reha_reading){4.0, 0.3}, (reha_reading){3.0, 0.4}, &spec);
    assert_float_equal(change.sdc, 2.5, 1e-9);
    /* One reading without an error: the published one alone; without that, nothing can be told. */
    change = reha_change_judge((reha_reading){4.0, NO}, (reha_reading){1.0, 0.4}, &spec);
    assert_float_equal(change.sdc, 2.5, 1e-9);
    assert_int_equal(change.verdict, REHA_WORSENED);
    spec.mdc = NULL;
    change = reha_change_judge((reha_reading){4.0, NO}, (reha_reading){1.0, 0.4}, &spec);
    assert_true(isnan(change.sdc));
    assert_int_equal(change.verdict, REHA_CANNOT_TELL);
    change = reha_change_judge((reha_reading){4.0, 0.0}, (reha_reading){1.0, 0.0}, &spec);
    assert_float_equal(change.sdc, 1.959964 * 0.6 * sqrt(2.0), 1e-5);
    spec.acquisition_sd = NO; /* no error at all is no error that anybody knows */
    change = reha_change_judge((reha_reading){4.0, 0.0}, (reha_reading){1.0, 0.0}, &spec);
    assert_int_equal(change.verdict, REHA_CANNOT_TELL);
    change = reha_change_judge((reha_reading){NO, 0.1}, (reha_reading){1.0, 0.1}, &spec);
    assert_int_equal(change.verdict, REHA_CANNOT_TELL);
}

static void judge(double before, double after, int better, double mdc_value, double mic_value,
                  reha_verdict verdict, reha_importance importance, const char *says)
{
    char remark[256];
    const reha_threshold mdc = mdc_of(mdc_value, 95.0, REHA_ABSOLUTE);
    const reha_threshold mic = mdc_of(mic_value, NO, REHA_ABSOLUTE);
    const reha_change_spec spec = {.better = better,
                                   .low = 0.0,
                                   .high = 100.0,
                                   .acquisition_sd = NO,
                                   .mdc = isnan(mdc_value) ? NULL : &mdc,
                                   .mic = isnan(mic_value) ? NULL : &mic};
    const reha_change change =
        reha_change_judge((reha_reading){before, NO}, (reha_reading){after, NO}, &spec);
    reha_change_remark(&change, remark, sizeof remark);
    if (change.verdict != verdict || change.importance != importance || strstr(remark, says) == NULL) {
        fail_msg("%g -> %g: %s, importance %d, '%s'", before, after, reha_verdict_text(change.verdict),
                 change.importance, remark);
    }
}

static void test_verdicts(void **state)
{
    (void)state;
    judge(40, 65, 1, 20, 11, REHA_IMPROVED, REHA_IMPORTANT, "matter to patients");
    judge(40, 15, 1, 20, 11, REHA_WORSENED, REHA_IMPORTANT, "matter to patients");
    judge(60, 35, -1, 20, 11, REHA_IMPROVED, REHA_IMPORTANT, "matter to patients");
    judge(40, 55, 1, 20, 11, REHA_NO_CHANGE, REHA_IMPORTANT, "measure again");
    judge(40, 45, 1, 20, 11, REHA_NO_CHANGE, REHA_NOT_IMPORTANT, "could hide");
    judge(40, 50, 1, 5, 15, REHA_IMPROVED, REHA_NOT_IMPORTANT, "smaller than what patients");
    judge(40, 60, 1, 20, 11, REHA_NO_CHANGE, REHA_IMPORTANT, ""); /* exactly the SDC is not beyond it */
    judge(40, 60, 0, 10, NO, REHA_DIFFERENT, REHA_IMPORTANCE_UNKNOWN, "");
    judge(40, 60, 1, NO, 11, REHA_CANNOT_TELL, REHA_IMPORTANT, "not known");
    judge(40, 60, 1, 10, NO, REHA_IMPROVED, REHA_IMPORTANCE_UNKNOWN, "ask");
    judge(92, 97, 1, 20, 11, REHA_NO_CHANGE, REHA_NOT_IMPORTANT, "too little room");
    judge(8, 3, -1, 20, 11, REHA_NO_CHANGE, REHA_NOT_IMPORTANT, "too little room");
}

/* With the error that it is told, the judge alarms falsely in 5 % and finds 1.5 SDC in 84 %. */
static void test_false_alarms_and_power(void **state)
{
    (void)state;
    enum { ROUNDS = 20000 };
    reha_random random = reha_random_init(11, 3);
    const reha_change_spec spec = {.better = 1, .low = NO, .high = NO, .acquisition_sd = 0.09};
    const double visit_sd = hypot(0.05, 0.09);
    int alarms = 0;
    int found = 0;
    for (int i = 0; i < ROUNDS; i++) {
        const double first = 4.0 + visit_sd * reha_random_normal(&random);
        const double second = 4.0 + visit_sd * reha_random_normal(&random);
        const reha_change still =
            reha_change_judge((reha_reading){first, 0.05}, (reha_reading){second, 0.05}, &spec);
        const reha_change lost = reha_change_judge((reha_reading){first, 0.05},
                                                   (reha_reading){second - 1.5 * still.sdc, 0.05}, &spec);
        alarms += still.verdict != REHA_NO_CHANGE ? 1 : 0;
        found += lost.verdict == REHA_WORSENED ? 1 : 0;
    }
    assert_true(alarms < 0.055 * ROUNDS && alarms > 0.045 * ROUNDS);
    assert_true(found > 0.82 * ROUNDS && found < 0.86 * ROUNDS); /* 1 - Phi(1.96 - 2.94) = 0.836 */
}

static void test_instrument_gives_its_spec(void **state)
{
    (void)state;
    reha_scores *scores = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_scores_load(REHA_SOURCE_DIR "/guidelines/scores.json", &scores, &err), &err);
    const reha_change_spec spec = reha_change_spec_of(reha_scores_find(scores, "oks"), "surgical");
    const reha_change gain = reha_change_judge((reha_reading){20.0, NO}, (reha_reading){37.0, NO}, &spec);
    assert_float_equal(gain.sdc, 4.766292, 1e-5);
    assert_float_equal(gain.mic, 7.0, 1e-12);
    assert_int_equal(gain.verdict, REHA_IMPROVED);
    json_t *json = reha_change_to_json(&gain);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "verdict")), "improved");
    assert_string_equal(json_string_value(json_object_get(json, "matters")), "yes");
    assert_true(json_is_null(json_object_get(json_object_get(json, "sdc_parts"), "reading")));
    json_decref(json);
    reha_scores_free(scores);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels_convert),
        cmocka_unit_test(test_errors_add_in_quadrature),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_false_alarms_and_power),
        cmocka_unit_test(test_instrument_gives_its_spec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
