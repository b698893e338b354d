#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "recognition/conformal.h"

#include <math.h>
#include <string.h>

enum { GRADES = 5, FIT = 900, NEW = 6000 };

/* A reader-like world: severity on a line, the true probabilities of the grades follow from it, the label is
 * drawn from them. The "network" reports sharper (over-confident) logits. */
static const double SHARES[GRADES] = {0.40, 0.18, 0.26, 0.13, 0.03};

static void draw(reha_random *random, double sharpness, double *logits, int *label)
{
    double u = reha_random_unit(random);
    int grade = 0;
    while (grade < GRADES - 1 && u > SHARES[grade]) {
        u -= SHARES[grade++];
    }
    const double severity = grade + 0.75 * reha_random_normal(random);
    double p[GRADES];
    double sum = 0.0;
    for (int k = 0; k < GRADES; k++) {
        p[k] = SHARES[k] * exp(-0.5 * pow((severity - k) / 0.75, 2));
        sum += p[k];
    }
    for (int k = 0; k < GRADES; k++) {
        logits[k] = sharpness * log(p[k] / sum);
    }
    *label = grade;
}

static void draw_many(uint64_t seed, double sharpness, size_t n, double *logits, int *labels)
{
    reha_random random = reha_random_init(seed, 1);
    for (size_t i = 0; i < n; i++) {
        draw(&random, sharpness, logits + i * GRADES, &labels[i]);
    }
}

static double fit_logits[FIT * GRADES];
static int fit_labels[FIT];
static double new_logits[NEW * GRADES];
static int new_labels[NEW];

static void probabilities_sum_to_one_and_keep_their_order(void **state)
{
    (void)state;
    reha_ordinal_calibration c = reha_ordinal_calibration_none(GRADES);
    c.temperature = 2.5;
    const double logits[GRADES] = {-800.0, 3.0, 2.0, 900.0, 1.0};
    double p[GRADES];
    reha_ordinal_probabilities(&c, logits, p);
    double sum = 0.0;
    for (int k = 0; k < GRADES; k++) {
        assert_true(p[k] >= 0.0 && p[k] <= 1.0);
        sum += p[k];
    }
    assert_true(fabs(sum - 1.0) < 1e-12);
    assert_true(p[3] > 0.999);
}

static void the_fit_finds_a_known_temperature(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_ordinal_calibration c;
    for (int i = 0; i < 3; i++) {
        const double sharpness[3] = {0.5, 1.0, 2.5};
        draw_many(11, sharpness[i], FIT, fit_logits, fit_labels);
        assert_ok(reha_ordinal_fit(fit_logits, fit_labels, FIT, GRADES, NULL, &c, &err), &err);
        /* The sampling error of the sharpness is about 5 % at this size. */
        assert_true(fabs(c.temperature / sharpness[i] - 1.0) < 0.12);
    }
}

static void a_bias_is_found_and_undone(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    draw_many(12, 1.0, FIT, fit_logits, fit_labels);
    for (size_t i = 0; i < FIT; i++) {
        fit_logits[i * GRADES + 1] += 1.5; /* the network loves grade 1 */
    }
    reha_ordinal_fit_options options = reha_ordinal_fit_options_default();
    options.with_bias = true;
    options.bias_penalty = 1e-4;
    reha_ordinal_calibration c;
    assert_ok(reha_ordinal_fit(fit_logits, fit_labels, FIT, GRADES, &options, &c, &err), &err);
    const double others = (c.bias[0] + c.bias[2] + c.bias[3]) / 3.0;
    assert_true(fabs(c.bias[1] - others + 1.5) < 0.35);
}

static void new_images_are_covered_as_promised(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    double covered = 0.0;
    double size = 0.0;
    double by_grade[GRADES] = {0.0};
    double count[GRADES] = {0.0};
    enum { WORLDS = 8 };
    for (int world = 0; world < WORLDS; world++) {
        reha_ordinal_calibration c;
        draw_many(100 + (uint64_t)world, 1.7, FIT, fit_logits, fit_labels);
        draw_many(200 + (uint64_t)world, 1.7, NEW, new_logits, new_labels);
        assert_ok(reha_ordinal_fit(fit_logits, fit_labels, FIT, GRADES, NULL, &c, &err), &err);
        assert_int_equal(c.fitted_on, FIT);
        for (size_t i = 0; i < NEW; i++) {
            double p[GRADES];
            int low = -1;
            int high = -1;
            reha_ordinal_probabilities(&c, new_logits + i * GRADES, p);
            reha_ordinal_set(&c, p, &low, &high);
            assert_true(low >= 0 && low <= high && high < GRADES);
            const int hit = new_labels[i] >= low && new_labels[i] <= high;
            covered += hit;
            by_grade[new_labels[i]] += hit;
            count[new_labels[i]] += 1.0;
            size += high - low + 1;
        }
    }
    const double n = (double)WORLDS * NEW;
    assert_true(covered / n > 0.885 && covered / n < 0.925);
    assert_true(size / n < 2.6);
    for (int k = 0; k < GRADES; k++) {
        assert_true(by_grade[k] / count[k] > 0.82); /* the floor of 0.85 less its sampling error */
    }
}

static void the_set_is_contiguous_and_holds_the_told_grade(void **state)
{
    (void)state;
    reha_ordinal_calibration c = reha_ordinal_calibration_none(GRADES);
    for (int k = 0; k < GRADES; k++) {
        c.threshold[k] = 0.2;
    }
    int low = -1;
    int high = -1;
    const double gap[GRADES] = {0.3, 0.05, 0.4, 0.24, 0.01};
    reha_ordinal_set(&c, gap, &low, &high);
    assert_int_equal(low, 0); /* grade 1 is below its threshold, but lies between members */
    assert_int_equal(high, 3);
    for (int k = 0; k < GRADES; k++) {
        c.threshold[k] = 0.9;
    }
    reha_ordinal_set(&c, gap, &low, &high);
    assert_int_equal(low, 2); /* never empty */
    assert_int_equal(high, 2);
}

/* Costs by hand: 0.4 of grade 0, 0.25 of 1, 0.35 of 2. Telling 0 costs 0.25 * 1.3 + 0.35 * 2.2 = 1.095,
 * telling 1 costs 0.75 * 1.3 = 0.975, telling 2 costs 0.4 * 2.2 + 0.25 * 1.3 = 1.205. */
static void the_told_grade_avoids_misses_by_two(void **state)
{
    const double split[3] = {0.4, 0.25, 0.35};
    const double clear[3] = {0.8, 0.15, 0.05};
    (void)state;
    assert_int_equal(reha_ordinal_grade(split, 3), 1);
    assert_int_equal(reha_ordinal_grade(clear, 3), 0);
}

static void a_grade_too_rare_for_its_floor_is_always_in_the_set(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    draw_many(13, 1.0, FIT, fit_logits, fit_labels);
    int kept = 0;
    for (size_t i = 0; i < FIT; i++) { /* leave three images of grade 4: 90 % of 4 cannot be promised */
        fit_labels[i] = fit_labels[i] == 4 && kept++ >= 3 ? 3 : fit_labels[i];
    }
    reha_ordinal_fit_options options = reha_ordinal_fit_options_default();
    options.grade_floor = 0.9;
    reha_ordinal_calibration c;
    assert_ok(reha_ordinal_fit(fit_logits, fit_labels, FIT, GRADES, &options, &c, &err), &err);
    assert_true(c.threshold[4] == 0.0);
    assert_true(c.threshold[0] > 0.0);
}

static void bad_input_is_refused_by_name(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_ordinal_calibration c;
    draw_many(14, 1.0, FIT, fit_logits, fit_labels);
    assert_int_equal(reha_ordinal_fit(fit_logits, fit_labels, 9, GRADES, NULL, &c, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "at least 10 images"));
    assert_int_equal(reha_ordinal_fit(fit_logits, fit_labels, FIT, 1, NULL, &c, &err), REHA_E_ARG);
    assert_int_equal(reha_ordinal_fit(fit_logits, fit_labels, FIT / 2, 9, NULL, &c, &err), REHA_E_ARG);
    reha_ordinal_fit_options options = reha_ordinal_fit_options_default();
    options.coverage = 1.0;
    assert_int_equal(reha_ordinal_fit(fit_logits, fit_labels, FIT, GRADES, &options, &c, &err), REHA_E_ARG);
    options.coverage = (double)NAN;
    assert_int_equal(reha_ordinal_fit(fit_logits, fit_labels, FIT, GRADES, &options, &c, &err), REHA_E_ARG);
    const int old = fit_labels[17];
    fit_labels[17] = 5;
    assert_int_equal(reha_ordinal_fit(fit_logits, fit_labels, FIT, GRADES, NULL, &c, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "image 17"));
    fit_labels[17] = -1;
    assert_int_equal(reha_ordinal_fit(fit_logits, fit_labels, FIT, GRADES, NULL, &c, &err), REHA_E_ARG);
    fit_labels[17] = old;
    fit_logits[3 * GRADES + 2] = INFINITY;
    assert_int_equal(reha_ordinal_fit(fit_logits, fit_labels, FIT, GRADES, NULL, &c, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "image 3"));
}

static void equal_logits_do_not_break_the_fit(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_ordinal_calibration c;
    memset(fit_logits, 0, sizeof fit_logits);
    assert_ok(reha_ordinal_fit(fit_logits, fit_labels, FIT, GRADES, NULL, &c, &err), &err);
    assert_true(isfinite(c.temperature) && c.temperature > 0.0);
}

static void json_keeps_everything_and_refuses_nonsense(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_ordinal_calibration c;
    reha_ordinal_calibration back;
    json_t *json = NULL;
    draw_many(15, 1.3, FIT, fit_logits, fit_labels);
    assert_ok(reha_ordinal_fit(fit_logits, fit_labels, FIT, GRADES, NULL, &c, &err), &err);
    assert_ok(reha_ordinal_to_json(&c, &json, &err), &err);
    assert_ok(reha_ordinal_from_json(json, &back, &err), &err);
    assert_int_equal(back.grade_count, GRADES);
    assert_true(back.temperature == c.temperature && back.coverage == c.coverage);
    assert_int_equal(back.fitted_on, FIT);
    for (int k = 0; k < GRADES; k++) {
        assert_true(back.threshold[k] == c.threshold[k] && back.bias[k] == c.bias[k]);
    }
    static const struct {
        const char *key, *value;
    } wrong[] = {
        {"temperature", "0"}, {"temperature", "-1"}, {"temperature", "\"warm\""},  {"grades", "1"},
        {"grades", "2.5"},    {"grades", "9"},       {"coverage", "1.5"},          {"thresholds", "[0.1]"},
        {"thresholds", "3"},  {"bias", "null"},      {"thresholds", "[0,0,0,0,2]"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_t *broken = json_deep_copy(json);
        json_object_set_new(broken, wrong[i].key, json_loads(wrong[i].value, JSON_DECODE_ANY, NULL));
        assert_int_equal(reha_ordinal_from_json(broken, &back, &err), REHA_E_FORMAT);
        assert_non_null(strstr(err.text, wrong[i].key));
        json_object_del(broken, wrong[i].key);
        assert_int_equal(reha_ordinal_from_json(broken, &back, &err), REHA_E_FORMAT);
        json_decref(broken);
    }
    json_decref(json);
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    reha_ordinal_calibration c;
    draw_many(16, 1.0, FIT, fit_logits, fit_labels);
    reha_status status = REHA_E_NOMEM;
    for (long round = 0; status != REHA_OK; round++) {
        const size_t before = reha_mem_live_blocks();
        reha_mem_fail_after(round);
        status = reha_ordinal_fit(fit_logits, fit_labels, FIT, GRADES, NULL, &c, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_int_equal(reha_mem_live_blocks(), before);
        assert_true(round < 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_sum_to_one_and_keep_their_order),
        cmocka_unit_test(the_fit_finds_a_known_temperature),
        cmocka_unit_test(a_bias_is_found_and_undone),
        cmocka_unit_test(new_images_are_covered_as_promised),
        cmocka_unit_test(the_told_grade_avoids_misses_by_two),
        cmocka_unit_test(the_set_is_contiguous_and_holds_the_told_grade),
        cmocka_unit_test(a_grade_too_rare_for_its_floor_is_always_in_the_set),
        cmocka_unit_test(bad_input_is_refused_by_name),
        cmocka_unit_test(equal_logits_do_not_break_the_fit),
        cmocka_unit_test(json_keeps_everything_and_refuses_nonsense),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
