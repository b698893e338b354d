#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "recognition/metrics.h"

#include <math.h>
#include <string.h>

static void set_grade(reha_graded_case *one, size_t patient, int truth, int predicted, double confidence)
{
    *one = (reha_graded_case){
        .patient_idx = patient, .grade = truth, .set_low = predicted, .set_high = predicted};
    for (int k = 0; k < 5; k++) {
        one->probabilities[k] = k == predicted ? confidence : (1.0 - confidence) / 4.0;
    }
}

static void test_hand_computed_figures(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_graded_case cases[6];
    reha_graded_metrics got;
    /* truth 0 0 1 2 3 4, predicted 0 1 1 2 4 4 */
    static const int truth[] = {0, 0, 1, 2, 3, 4};
    static const int predicted[] = {0, 1, 1, 2, 4, 4};
    for (size_t i = 0; i < 6; i++) {
        set_grade(&cases[i], i / 2, truth[i], predicted[i], 0.8);
    }
    assert_ok(reha_graded_metrics_compute(cases, 6, 5, 2, 0, 1, &got, &err), &err);
    assert_float_equal(got.accuracy.value, 4.0 / 6.0, 1e-12);
    assert_float_equal(got.mae.value, 2.0 / 6.0, 1e-12);
    /* Observed sum of squares 2; expected: rows (2,1,1,1,1), columns (1,2,1,0,2):
     * sum_ij r_i c_j (i-j)^2 / 6 = 160 / 6. Kappa = 1 - 2 / (160 / 6). */
    double expected = 0.0;
    static const double rows[] = {2, 1, 1, 1, 1};
    static const double columns[] = {1, 2, 1, 0, 2};
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < 5; j++) {
            expected += rows[i] * columns[j] * (i - j) * (i - j) / 6.0;
        }
    }
    assert_float_equal(got.kappa.value, 1.0 - 2.0 / expected, 1e-12);
    assert_float_equal(got.auc.value, 1.0, 1e-12);
    assert_float_equal(got.coverage.value, 4.0 / 6.0, 1e-12);
    assert_float_equal(got.set_size.value, 1.0, 1e-12);
    assert_float_equal(got.ece.value, fabs(0.8 - 4.0 / 6.0), 1e-12);
    assert_float_equal(got.recall[0].value, 0.5, 1e-12);
    assert_float_equal(got.recall[3].value, 0.0, 1e-12);
    assert_int_equal(got.patient_count, 3);
    assert_int_equal(got.confusion[3][4], 1);
    assert_true(isnan(got.accuracy.low));
}

/* All answers are given with 0.5: the error is |heads / n - 0.5|, whose mean is sqrt(2 / pi) * sqrt(0.25 /
 * n). */
static void test_chance_alone_makes_a_calibration_error(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    enum { COUNT = 400, ROUNDS = 4000 };
    static reha_graded_case cases[COUNT];
    reha_graded_metrics got;
    for (size_t i = 0; i < COUNT; i++) {
        set_grade(&cases[i], i, i % 4 == 0 ? 1 : 0, 0, 0.5);
    }
    assert_ok(reha_graded_metrics_compute(cases, COUNT, 5, 2, ROUNDS, 1, &got, &err), &err);
    const double expected = sqrt(2.0 / 3.14159265358979323846) * sqrt(0.25 / COUNT);
    assert_float_equal(got.ece_by_chance.value, expected, 0.05 * expected);
    assert_true(got.ece_by_chance.low < 0.003 && fabs(got.ece_by_chance.high - 2.24 * 0.025) < 0.005);
    assert_float_equal(got.ece.value, 0.25, 1e-12); /* 3 of 4 are right: no chance */
    assert_ok(reha_graded_metrics_compute(cases, COUNT, 5, 2, 0, 1, &got, &err), &err);
    assert_true(isnan(got.ece_by_chance.value) && isnan(got.ece_by_chance.high));
}

static void test_refused_cases_count_and_change_nothing_else(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_graded_case cases[3];
    reha_graded_metrics got;
    set_grade(&cases[0], 0, 1, 1, 0.9);
    set_grade(&cases[1], 1, 3, 3, 0.9);
    cases[2] = (reha_graded_case){.patient_idx = 2, .grade = 4, .is_refused = true, .set_low = -1};
    assert_ok(reha_graded_metrics_compute(cases, 3, 5, 2, 50, 1, &got, &err), &err);
    assert_int_equal(got.case_count, 3);
    assert_int_equal(got.refused_count, 1);
    assert_float_equal(got.accuracy.value, 1.0, 1e-12);
    assert_true(isnan(got.recall[4].value));
}

static void test_intervals_cover_and_follow_the_seed(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    enum { COUNT = 400 };
    static reha_graded_case cases[COUNT];
    reha_graded_metrics got;
    reha_graded_metrics again;
    reha_random random = reha_random_init(3, 1);
    for (size_t i = 0; i < COUNT; i++) {
        const int truth = (int)reha_random_below(&random, 5);
        const int miss = reha_random_unit(&random) < 0.3 ? 1 : 0;
        set_grade(&cases[i], i / 2, truth, truth < 4 ? truth + miss : truth - miss, 0.7);
    }
    assert_ok(reha_graded_metrics_compute(cases, COUNT, 5, 2, 500, 9, &got, &err), &err);
    assert_ok(reha_graded_metrics_compute(cases, COUNT, 5, 2, 500, 9, &again, &err), &err);
    assert_true(got.accuracy.low < got.accuracy.value && got.accuracy.value < got.accuracy.high);
    assert_true(got.accuracy.low < 0.7 && got.accuracy.high > 0.7);
    assert_true(got.accuracy.high - got.accuracy.low < 0.12);
    assert_float_equal(got.kappa.low, again.kappa.low, 0.0);
    json_t *json = NULL;
    assert_ok(reha_graded_metrics_to_json(&got, &json, &err), &err);
    assert_int_equal(json_array_size(json_object_get(json, "recall_by_grade")), 5);
    json_decref(json);
}

static void test_auc(void **state)
{
    (void)state;
    static const double scores[] = {0.1, 0.4, 0.35, 0.8, 0.4};
    static const int labels[] = {0, 0, 1, 1, 1};
    double auc = 0.0;
    /* pairs: 0.35 beats 0.1, loses to 0.4; 0.8 beats both; 0.4 beats 0.1, ties 0.4: 4.5 of 6 */
    assert_int_equal(reha_auc(scores, labels, 5, &auc, NULL), REHA_OK);
    assert_float_equal(auc, 4.5 / 6.0, 1e-12);
    assert_int_equal(reha_auc(scores, labels, 2, &auc, NULL), REHA_OK);
    assert_true(isnan(auc));
}

static void test_bad_input(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_graded_case one;
    reha_graded_metrics got;
    set_grade(&one, 0, 1, 1, 0.9);
    assert_int_equal(reha_graded_metrics_compute(&one, 1, 1, 2, 0, 1, &got, &err), REHA_E_ARG);
    assert_int_equal(reha_graded_metrics_compute(&one, 0, 5, 2, 0, 1, &got, &err), REHA_E_ARG);
    one.grade = 5;
    assert_int_equal(reha_graded_metrics_compute(&one, 1, 5, 2, 0, 1, &got, &err), REHA_E_ARG);
    set_grade(&one, 0, 1, 1, (double)NAN);
    assert_int_equal(reha_graded_metrics_compute(&one, 1, 5, 2, 0, 1, &got, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "not a number"));
    for (long round = 0; round < 9; round++) {
        set_grade(&one, 0, 1, 1, 0.9);
        reha_mem_fail_after(round);
        const reha_status status = reha_graded_metrics_compute(&one, 1, 5, 2, 3, 1, &got, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_int_equal(reha_mem_live_blocks(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hand_computed_figures),
                                       cmocka_unit_test(test_chance_alone_makes_a_calibration_error),
                                       cmocka_unit_test(test_refused_cases_count_and_change_nothing_else),
                                       cmocka_unit_test(test_intervals_cover_and_follow_the_seed),
                                       cmocka_unit_test(test_auc),
                                       cmocka_unit_test(test_bad_input)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
