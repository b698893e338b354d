/* Matched pairs on generated knees: the picture tells something, or nothing, and the model must find out
 * which. */
#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "rehab/outcome_pairs.h"

#include <math.h>
#include <string.h>

enum { PAIRS = 150 };

/* Severity moves the grade and, if `tells`, the picture's grade beyond it; replaced knees are more severe. */
static size_t made_rows(reha_knee_row *rows, bool tells)
{
    size_t count = 0;
    for (size_t i = 0; i < PAIRS; i++) {
        for (size_t k = 0; k < 2; k++) {
            reha_random random = reha_random_init(17 + k, i);
            const double severity = 1.6 + (k == 0 ? 1.0 : 0.0) + reha_random_normal(&random);
            const double seen = tells ? severity : 2.0 + reha_random_normal(&random);
            rows[count].patient = (uint32_t)(2 * i + k);
            rows[count].stratum = (uint32_t)i;
            rows[count].is_case = k == 0;
            rows[count].x[REHA_PAIR_KL] =
                fmin(4.0, fmax(0.0, round(severity + 1.5 * reha_random_normal(&random))));
            rows[count].x[REHA_PAIR_IMAGE_GRADE] = fmin(4.0, fmax(0.0, seen));
            rows[count].x[REHA_PAIR_JOINT_SPACE] = 0.07 + 0.01 * reha_random_normal(&random);
            count++;
        }
    }
    return count;
}

static double auc_of(const json_t *report, size_t m)
{
    const json_t *one = json_array_get(json_object_get(report, "models"), m);
    return reha_json_number(json_object_get(one, "auc_within_strata"), "value", (double)NAN);
}

static void test_a_telling_picture_is_found(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    static reha_knee_row rows[2 * PAIRS];
    static reha_pairs_model model;
    static reha_pairs_model back;
    json_t *report = NULL;
    json_t *object = NULL;
    const size_t count = made_rows(rows, true);
    assert_ok(reha_pairs_train(rows, count, 1, 200, &model, &report, &err), &err);
    assert_int_equal(model.pairs, PAIRS);
    assert_true(model.ranks_better && model.odds_better);
    assert_true(auc_of(report, 2) > auc_of(report, 0) + 0.02);
    assert_true((model.full.mask >> REHA_PAIR_IMAGE_GRADE & 1U) != 0);
    assert_true(model.full.b[REHA_PAIR_IMAGE_GRADE] > 0.3);

    const double mild[] = {1.0, 0.5, 0.07};
    const double severe[] = {3.0, 3.5, 0.07};
    reha_progression low;
    reha_progression high;
    assert_ok(reha_pairs_predict(&model, mild, 0.05, &low, &err), &err);
    assert_ok(reha_pairs_predict(&model, severe, 0.05, &high, &err), &err);
    assert_true(low.ratio < 1.0 && high.ratio > 1.0);
    assert_true(low.risk < 0.05 && high.risk > 0.05);
    assert_true(high.ratio_low < high.ratio && high.ratio < high.ratio_high);
    assert_true(fabs(high.risk / (1.0 - high.risk) - 0.05 / 0.95 * high.ratio) < 1e-9);
    /* Contributions are differences of log odds: exact. */
    double difference = 0.0;
    for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
        difference += high.contribution[f] - low.contribution[f];
    }
    assert_true(fabs(difference - log(high.ratio / low.ratio)) < 1e-9);

    assert_ok(reha_pairs_to_json(&model, &object, &err), &err);
    assert_ok(reha_pairs_from_json(object, &back, &err), &err);
    assert_memory_equal(&back.low, &model.low, sizeof model.low);
    assert_true(back.full.draws[7][1] == model.full.draws[7][1] && back.full.mask == model.full.mask);
    (void)json_object_del(json_object_get(object, "full"), "draws");
    assert_int_equal(reha_pairs_from_json(object, &back, &err), REHA_E_FORMAT);
    json_decref(object);
    json_decref(report);
}

static void test_a_picture_that_tells_nothing(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    static reha_knee_row rows[2 * PAIRS];
    static reha_pairs_model model;
    json_t *report = NULL;
    const size_t count = made_rows(rows, false);
    assert_ok(reha_pairs_train(rows, count, 1, 200, &model, &report, &err), &err);
    assert_false(model.odds_better);
    json_decref(report);
}

static void test_refusals(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    static reha_knee_row rows[2 * PAIRS];
    static reha_pairs_model model;
    json_t *report = NULL;
    const size_t count = made_rows(rows, true);
    assert_int_equal(reha_pairs_train(rows, 20, 1, 50, &model, &report, &err), REHA_E_REFUSED);
    assert_non_null(strstr(err.text, "10 matched pairs"));
    assert_int_equal(reha_pairs_train(rows, 0, 1, 50, &model, &report, &err), REHA_E_REFUSED);
    assert_null(report);
    for (size_t i = 0; i < count; i++) {
        rows[i].is_case = true; /* no controls */
    }
    assert_int_equal(reha_pairs_train(rows, count, 1, 50, &model, &report, &err), REHA_E_REFUSED);
    assert_ok(reha_pairs_train(rows, made_rows(rows, true), 1, 50, &model, &report, &err), &err);
    reha_progression out;
    const double outside[] = {9.0, 2.0, 0.07};
    assert_int_equal(reha_pairs_predict(&model, outside, (double)NAN, &out, &err), REHA_E_REFUSED);
    assert_non_null(strstr(err.text, "kl 9"));
    const double fine[] = {2.0, 2.0, 0.07};
    assert_int_equal(reha_pairs_predict(&model, fine, 1.0, &out, &err), REHA_E_ARG);
    assert_ok(reha_pairs_predict(&model, fine, (double)NAN, &out, &err), &err);
    assert_true(isnan(out.risk) && isfinite(out.ratio));
    json_decref(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_telling_picture_is_found),
                                       cmocka_unit_test(test_a_picture_that_tells_nothing),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
