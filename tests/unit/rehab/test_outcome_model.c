#include "outcome_support.h"

#include "base/file.h"
#include "base/memory.h"
#include "rehab/outcome_figures.h"

#include <unistd.h>

static void test_regression_finds_the_rule(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_table *table = made_table(4000, 1);
    reha_linear linear;
    assert_ok(reha_linear_fit(table, 1.0, &linear, &err), &err);
    float healthy[MADE_FEATURES] = {1.0F, 0.0F, 20.0F, 0.0F};
    float ill[MADE_FEATURES] = {1.0F, 1.0F, 20.0F, 0.0F};
    float better[MADE_FEATURES] = {1.0F, 0.0F, 30.0F, 0.0F};
    assert_true(fabs(reha_linear_predict(&linear, healthy) - 28.0) < 0.6);
    assert_true(fabs(reha_linear_predict(&linear, ill) - reha_linear_predict(&linear, healthy) + 5.0) < 0.6);
    assert_true(fabs(reha_linear_predict(&linear, better) - reha_linear_predict(&linear, healthy) - 5.0) <
                0.6);
    double contribution[MADE_FEATURES] = {0.0};
    reha_linear_explain(&linear, ill, contribution);
    const double sum = linear.base + contribution[0] + contribution[1] + contribution[2] + contribution[3];
    assert_true(fabs(sum - reha_linear_predict(&linear, ill)) < 1e-9);
    reha_linear_clear(&linear);
    reha_table_free(table);
}

static void test_solver(void **state)
{
    (void)state;
    double a[4] = {4.0, 2.0, 2.0, 3.0};
    double b[2] = {10.0, 8.0};
    assert_true(reha_solve_positive(a, b, 2));
    assert_true(fabs(b[0] - 1.75) < 1e-12 && fabs(b[1] - 1.5) < 1e-12);
    double singular[4] = {1.0, 1.0, 1.0, 1.0};
    assert_false(reha_solve_positive(singular, b, 2));
}

/* Whatever the row: bounded, whole, nested, monotone; contributions sum to the expected score. */
static void check_prediction(reha_outcome_model *model, const float *x)
{
    reha_error err = REHA_ERROR_INIT;
    reha_outcome_prediction one;
    assert_ok(reha_outcome_predict(model, x, &one, &err), &err);
    assert_true(one.expected >= 0.0 && one.expected <= 48.0);
    assert_true(0.0 <= one.low[1] && one.low[1] <= one.low[0] && one.low[0] <= one.high[0] &&
                one.high[0] <= one.high[1] && one.high[1] <= 48.0);
    assert_true(one.low[0] == floor(one.low[0]) && one.high[1] == floor(one.high[1]));
    double before = 0.0;
    for (size_t k = 0; k < model->spread.cell_count; k++) {
        assert_true(one.cdf[k] >= before);
        before = one.cdf[k];
    }
    assert_true(fabs(before - 1.0) < 1e-9);
    double sum = one.base;
    for (size_t j = 0; j < MADE_FEATURES; j++) {
        sum += one.contribution[j];
    }
    assert_false(one.is_clipped);
    assert_true(fabs(sum - one.expected) < 1e-4);
    for (size_t g = 0; g < 2; g++) {
        assert_true(one.reached[g] >= 0.0 && one.reached[g] <= 1.0);
    }
    const double chance = 1.0 - one.cdf[29]; /* 30 or more: the cells end at 0.5, 1.5, ... */
    assert_true(fabs(one.reached[1] - chance) < 1e-9);
}

static void check_model(reha_outcome_kind kind)
{
    reha_error err = REHA_ERROR_INIT;
    reha_table *table = made_table(3000, 3);
    reha_outcome_model *model = made_model(table, kind);
    assert_true((model->boost != NULL) == (kind == REHA_OUTCOME_TREES));
    assert_true(model->beats_naive);
    for (size_t i = 0; i < 60; i++) {
        check_prediction(model, table->x + i * MADE_FEATURES);
    }
    float outside[MADE_FEATURES] = {1.0F, 0.0F, 90.0F, 0.0F};
    reha_outcome_prediction one;
    assert_int_equal(reha_outcome_predict(model, outside, &one, &err), REHA_E_REFUSED);
    assert_non_null(strstr(err.text, "before 90"));
    reha_outcome_model_free(model);
    reha_table_free(table);
}

static void test_predictions(void **state)
{
    (void)state;
    check_model(REHA_OUTCOME_REGRESSION);
    check_model(REHA_OUTCOME_TREES);
}

/* Intervals fitted on one set of patients cover another as promised: on the whole and in each group, although
 * the ill spread twice as far. 4,000 new patients: the standard error of a share of 50 % among the ill is 1.4
 * points. */
static void test_coverage_by_group(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_table *table = made_table(6000, 4);
    reha_table *fresh = made_table(4000, 5);
    reha_outcome_model *model = made_model(table, REHA_OUTCOME_REGRESSION);
    reha_outcome_row *rows = reha_alloc_zero(fresh->row_count, sizeof *rows);
    json_t *report = NULL;
    assert_ok(reha_outcome_predict_rows(model, fresh, rows, &err), &err);
    assert_ok(reha_outcome_report(model, fresh, rows, 50, 1, &report, &err), &err);
    size_t i = 0;
    size_t groups = 0;
    const json_t *one = NULL;
    json_array_foreach(json_object_get(report, "groups"), i, one)
    {
        const double n = reha_json_number(one, "n", 0.0);
        const double half = reha_json_number(json_object_get(one, "coverage_50"), "value", 0.0);
        const double most = reha_json_number(json_object_get(one, "coverage_90"), "value", 0.0);
        assert_true(fabs(half - 0.5) < 3.0 * sqrt(0.25 / n) + 0.015);
        assert_true(fabs(most - 0.9) < 3.0 * sqrt(0.09 / n) + 0.01);
        groups++;
    }
    assert_int_equal(groups, 5);
    const json_t *ill = json_array_get(json_object_get(report, "groups"), 4);
    const json_t *healthy = json_array_get(json_object_get(report, "groups"), 3);
    assert_string_equal(reha_json_string(ill, "level", ""), "yes");
    assert_true(reha_json_number(ill, "width_90", 0.0) > 1.5 * reha_json_number(healthy, "width_90", 0.0));
    /* The rule explains what it should: R2 near its ceiling, and clearly above the group mean. */
    assert_true(reha_json_number(json_object_get(report, "r2"), "value", 0.0) > 0.4);
    assert_true(json_is_true(json_object_get(json_object_get(report, "naive"), "model_is_better")));
    assert_true(json_is_null(json_object_get(report, "benchmark")));
    json_decref(report);
    reha_free(rows);
    reha_table_free(fresh);
    reha_outcome_model_free(model);
    reha_table_free(table);
}

/* An outcome that nothing predicts: the model must say that it is no better than the mean. */
static void test_useless_model_says_so(void **state)
{
    (void)state;
    reha_table *table = made_table(600, 6);
    for (size_t i = 0; i < table->row_count; i++) {
        reha_random random = reha_random_init(9, i);
        table->y[i] = (double)reha_random_below(&random, 49);
    }
    reha_outcome_model *model = made_model(table, REHA_OUTCOME_REGRESSION);
    assert_false(model->beats_naive);
    reha_outcome_model_free(model);
    reha_table_free(table);
}

static void test_impossible_training_is_refused(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_outcome_design design;
    reha_outcome_model *model = NULL;
    reha_outcome_choice choice;
    const reha_outcome_fit_options how = reha_outcome_fit_options_default();
    made_design(&design);
    reha_table *few = made_table(REHA_OUTCOME_ROWS_MIN - 1, 1);
    assert_int_equal(reha_outcome_fit(&design, few, &how, &model, &choice, &err), REHA_E_REFUSED);
    assert_non_null(strstr(err.text, "at least 100"));
    reha_table *same = made_table(200, 1);
    for (size_t i = 0; i < same->row_count; i++) {
        same->y[i] = 7.0;
    }
    assert_int_equal(reha_outcome_fit(&design, same, &how, &model, &choice, &err), REHA_E_REFUSED);
    assert_non_null(strstr(err.text, "same outcome"));
    for (size_t i = 0; i < same->row_count; i++) {
        same->y[i] = (double)(i % 40);
        same->patient[i] = 1; /* one patient: four folds are empty, the fifth has nothing to learn from */
    }
    assert_int_equal(reha_outcome_fit(&design, same, &how, &model, &choice, &err), REHA_E_REFUSED);
    assert_null(model);
    reha_table_free(few);
    reha_table_free(same);
}

/* The level of the latest period is what is predicted. */
static void test_latest_period_sets_the_level(void **state)
{
    (void)state;
    reha_table *table = made_table(3000, 7);
    for (size_t i = 0; i < table->row_count; i++) {
        table->period[i] = i % 2 == 0 ? 2016 : 2017;
        table->y[i] = fmin(48.0, table->y[i] + (i % 2 == 0 ? 0.0 : 2.0));
    }
    for (size_t i = 1; i < table->row_count; i += 2) { /* and a wider spread */
        reha_random random = reha_random_init(77, i);
        table->y[i] = fmin(48.0, fmax(0.0, table->y[i] + round(6.0 * reha_random_normal(&random))));
    }
    reha_outcome_model *model = made_model(table, REHA_OUTCOME_REGRESSION);
    assert_true(fabs(model->shift - 1.0) < 0.35);
    reha_error err = REHA_ERROR_INIT;
    reha_outcome_row *rows = reha_alloc_zero(table->row_count, sizeof *rows);
    assert_ok(reha_outcome_predict_rows(model, table, rows, &err), &err);
    double covered[2] = {0.0, 0.0};
    for (size_t i = 0; i < table->row_count; i++) {
        covered[i % 2] += table->y[i] >= rows[i].low[0] && table->y[i] <= rows[i].high[0];
    }
    assert_true(fabs(covered[1] / 1500.0 - 0.5) < 0.03);
    assert_true(covered[0] / 1500.0 > 0.55);
    reha_free(rows);
    reha_outcome_model_free(model);
    reha_table_free(table);
}

/* Scores that rise by 4 points a year. */
static reha_table *made_year(size_t rows, uint64_t seed, uint32_t year)
{
    reha_table *table = made_table(rows, seed);
    for (size_t i = 0; i < rows; i++) {
        table->period[i] = year;
        table->y[i] = fmin(48.0, fmax(0.0, table->y[i] - 4.0 * (2018.0 - (double)year)));
    }
    return table;
}

static double share_within_half(reha_outcome_model *model, const reha_table *table)
{
    reha_error err = REHA_ERROR_INIT;
    reha_outcome_row *rows = reha_alloc_zero(table->row_count, sizeof *rows);
    double covered = 0.0;
    assert_ok(reha_outcome_predict_rows(model, table, rows, &err), &err);
    for (size_t i = 0; i < table->row_count; i++) {
        assert_false(rows[i].is_refused);
        covered += table->y[i] >= rows[i].low[0] && table->y[i] <= rows[i].high[0];
    }
    reha_free(rows);
    return covered / (double)table->row_count;
}

/* A model that knows how well last year was foreseen keeps its promise in a year that nobody has seen; one
 * that does not know, misses a shift of a whole standard deviation. */
static void test_intervals_hold_in_the_next_year(void **state)
{
    enum { ROWS = 2000 };
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_table *first = made_year(ROWS, 31, 2016);
    reha_table *both = made_year(2 * ROWS, 32, 2017);
    reha_table *next = made_year(ROWS, 33, 2018);
    memcpy(both->x, first->x, ROWS * MADE_FEATURES * sizeof *both->x);
    memcpy(both->y, first->y, ROWS * sizeof *both->y);
    memcpy(both->period, first->period, ROWS * sizeof *both->period);
    reha_table_count(both);
    for (size_t i = 0; i < both->row_count; i++) {
        both->patient[i] = (uint32_t)i;
    }
    reha_outcome_model *early = made_model(first, REHA_OUTCOME_REGRESSION);
    double *foreseen = reha_alloc_zero(both->row_count * REHA_INTERVALS, sizeof *foreseen);
    assert_ok(reha_outcome_foresee(early, both, 2017, foreseen, &err), &err);
    for (size_t i = 0; i < both->row_count; i++) {
        assert_true(isnan(foreseen[i * REHA_INTERVALS]) == (both->period[i] == 2016));
    }
    reha_outcome_model *blind = made_model(both, REHA_OUTCOME_REGRESSION);
    reha_outcome_model *warned = NULL;
    reha_outcome_design design;
    reha_outcome_choice choice;
    reha_outcome_fit_options how = reha_outcome_fit_options_default();
    how.kind = REHA_OUTCOME_REGRESSION;
    how.bootstrap_rounds = 100;
    how.foreseen = foreseen;
    made_design(&design);
    assert_ok(reha_outcome_fit(&design, both, &how, &warned, &choice, &err), &err);
    assert_true(share_within_half(blind, next) < 0.42);
    assert_true(fabs(share_within_half(warned, next) - 0.5) < 0.05);
    reha_outcome_model_free(warned);
    for (size_t i = 0; i < both->row_count * REHA_INTERVALS; i++) {
        foreseen[i] = isnan(foreseen[i]) ? foreseen[i] : -5.0; /* all well inside: no reason to be narrower */
    }
    assert_ok(reha_outcome_fit(&design, both, &how, &warned, &choice, &err), &err);
    assert_true(warned->spread.widen[0][0] == blind->spread.widen[0][0]);
    reha_free(foreseen);
    reha_outcome_model_free(early);
    reha_outcome_model_free(blind);
    reha_outcome_model_free(warned);
    reha_table_free(first);
    reha_table_free(both);
    reha_table_free(next);
}

/* Two in five reach the best score: an interval that ends there must not promise 90 % and hold 95 %.
 * `mirror`: the same at the worst score. */
static void check_many_at_a_bound(bool is_mirrored)
{
    reha_error err = REHA_ERROR_INIT;
    reha_table *tables[2];
    for (size_t k = 0; k < 2; k++) {
        tables[k] = made_table(6000, 41 + k);
        for (size_t i = 0; i < tables[k]->row_count; i++) {
            const double y = fmin(48.0, tables[k]->y[i] + 18.0);
            tables[k]->y[i] = is_mirrored ? 48.0 - y : y;
        }
    }
    reha_outcome_model *model = made_model(tables[0], REHA_OUTCOME_REGRESSION);
    reha_outcome_row *rows = reha_alloc_zero(tables[1]->row_count, sizeof *rows);
    json_t *report = NULL;
    assert_ok(reha_outcome_predict_rows(model, tables[1], rows, &err), &err);
    assert_ok(reha_outcome_report(model, tables[1], rows, 50, 1, &report, &err), &err);
    const json_t *bands = json_object_get(report, "by_expected");
    assert_int_equal(json_array_size(bands), 5);
    const json_t *edge = json_array_get(bands, is_mirrored ? 0 : 4);
    const double most = reha_json_number(json_object_get(edge, "coverage_90"), "value", 0.0);
    assert_true(fabs(most - 0.9) < 0.035); /* 95 or more with 5 % cut off on the other side */
    for (size_t i = 0; i < tables[1]->row_count; i++) {
        assert_true(rows[i].low[1] >= 0.0 && rows[i].high[1] <= 48.0 && rows[i].low[1] <= rows[i].high[1]);
    }
    json_decref(report);
    reha_free(rows);
    reha_outcome_model_free(model);
    reha_table_free(tables[0]);
    reha_table_free(tables[1]);
}

static void test_many_at_a_bound(void **state)
{
    (void)state;
    check_many_at_a_bound(false);
    check_many_at_a_bound(true);
}

/* The report names a group whose intervals hold far too much, and no group that is off by chance. */
static void test_report_tells_misses_from_chance(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_table *table = made_table(3000, 51);
    reha_table *fresh = made_table(1500, 52);
    reha_outcome_model *model = made_model(table, REHA_OUTCOME_REGRESSION);
    reha_outcome_row *rows = reha_alloc_zero(fresh->row_count, sizeof *rows);
    assert_ok(reha_outcome_predict_rows(model, fresh, rows, &err), &err);
    for (int is_spoilt = 0; is_spoilt < 2; is_spoilt++) {
        json_t *report = NULL;
        size_t i = 0;
        const json_t *one = NULL;
        assert_ok(reha_outcome_report(model, fresh, rows, 50, 1, &report, &err), &err);
        json_array_foreach(json_object_get(report, "groups"), i, one)
        {
            const bool is_ill = strcmp(reha_json_string(one, "feature", ""), "ill") == 0 &&
                                strcmp(reha_json_string(one, "level", ""), "yes") == 0;
            assert_true(json_is_boolean(json_object_get(one, "beyond_chance_90")));
            if (is_ill || is_spoilt == 0) {
                assert_int_equal(json_is_true(json_object_get(one, "beyond_chance_50")), is_spoilt);
            }
        }
        json_decref(report);
        for (size_t k = 0; k < fresh->row_count; k++) {
            if (fresh->x[k * MADE_FEATURES + ILL] == 1.0F) {
                rows[k].low[0] = 0.0;
                rows[k].high[0] = 48.0;
            }
        }
    }
    reha_free(rows);
    reha_outcome_model_free(model);
    reha_table_free(table);
    reha_table_free(fresh);
}

static void test_same_seed_same_trees(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_table *table = made_table(800, 10);
    uint8_t *bytes[2] = {NULL, NULL};
    size_t counts[2] = {0, 0};
    for (size_t k = 0; k < 2; k++) {
        reha_outcome_model *model = made_model(table, REHA_OUTCOME_TREES);
        assert_ok(reha_boost_write(model->boost, &bytes[k], &counts[k], &err), &err);
        reha_outcome_model_free(model);
    }
    assert_int_equal(counts[0], counts[1]);
    assert_memory_equal(bytes[0], bytes[1], counts[0]);
    reha_free(bytes[0]);
    reha_free(bytes[1]);
    reha_table_free(table);
}

static void test_files(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char folder[] = "/tmp/reha-outcome-XXXXXX";
    char path[64];
    reha_outcome_model *back = NULL;
    assert_non_null(mkdtemp(folder));
    reha_table *table = made_table(1500, 8);
    reha_outcome_model *model = made_model(table, REHA_OUTCOME_TREES);
    assert_ok(reha_outcome_model_save(model, folder, &err), &err);
    assert_ok(reha_outcome_model_load(folder, &back, &err), &err);
    for (size_t i = 0; i < 20; i++) {
        reha_outcome_prediction a;
        reha_outcome_prediction b;
        assert_ok(reha_outcome_predict(model, table->x + i * MADE_FEATURES, &a, &err), &err);
        assert_ok(reha_outcome_predict(back, table->x + i * MADE_FEATURES, &b, &err), &err);
        assert_true(fabs(a.expected - b.expected) < 1e-5 && fabs(a.naive - b.naive) < 1e-6);
        assert_true(a.low[0] == b.low[0] && a.high[1] == b.high[1]);
        assert_true(fabs(a.reached[0] - b.reached[0]) < 1e-5 && a.naive_rows == b.naive_rows);
    }
    reha_outcome_model_free(back);

    (void)snprintf(path, sizeof path, "%s/trees.ubj", folder);
    assert_ok(reha_file_save(path, "short", 5, &err), &err);
    assert_int_equal(reha_outcome_model_load(folder, &back, &err), REHA_E_FORMAT);
    assert_null(back);
    assert_non_null(strstr(err.text, "trees.ubj is damaged"));
    (void)unlink(path);
    assert_int_equal(reha_outcome_model_load(folder, &back, &err), REHA_E_NOT_FOUND);
    (void)snprintf(path, sizeof path, "%s/model.json", folder);
    assert_ok(reha_file_save(path, "{\"format\": \"other\"}", 19, &err), &err);
    assert_int_equal(reha_outcome_model_load(folder, &back, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "rehascope-outcome-model"));
    (void)unlink(path);
    (void)rmdir(folder);
    reha_outcome_model_free(model);
    reha_table_free(table);
}

/* Members of model.json that are missing or wrong are errors, never crashes. */
static void test_damaged_model_files(void **state)
{
    static const char *const members[] = {"task",        "features", "regression", "distribution",
                                          "goals",       "axes",     "strata",     "rows",
                                          "level_shift", "low",      "unit"};
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char folder[] = "/tmp/reha-outcome-XXXXXX";
    char path[64];
    json_t *good = NULL;
    reha_outcome_model *back = NULL;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/model.json", folder);
    reha_table *table = made_table(600, 8);
    reha_outcome_model *model = made_model(table, REHA_OUTCOME_REGRESSION);
    assert_ok(reha_outcome_model_save(model, folder, &err), &err);
    assert_ok(reha_json_load(path, &good, &err), &err);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        json_t *wrong[] = {
            NULL, json_true(), json_array(), json_pack("[{}]"), json_pack("[[[1, 2]]]"), json_object()};
        for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++) {
            json_t *broken = json_deep_copy(good);
            if (wrong[w] == NULL) {
                (void)json_object_del(broken, members[i]);
            } else {
                (void)json_object_set_new(broken, members[i], wrong[w]);
            }
            reha_error fault = REHA_ERROR_INIT;
            assert_ok(reha_json_save(path, broken, &err), &err);
            const reha_status status = reha_outcome_model_load(folder, &back, &fault);
            /* No goals, no strata, no axes: a plainer model, but a model. */
            const bool may_be_empty =
                w == 2 && (strcmp(members[i], "goals") == 0 || strcmp(members[i], "strata") == 0 ||
                           strcmp(members[i], "axes") == 0);
            if (!may_be_empty) {
                assert_int_not_equal(status, REHA_OK);
                assert_true(fault.text[0] != '\0');
            }
            reha_outcome_model_free(back);
            json_decref(broken);
        }
    }
    json_decref(good);
    (void)unlink(path);
    (void)rmdir(folder);
    reha_outcome_model_free(model);
    reha_table_free(table);
}

static void test_quantile_regression_is_right_in_each_group(void **state)
{
    (void)state;
    enum { ROWS = 3000, GROUPS = 2 };
    reha_error err = REHA_ERROR_INIT;
    static double value[ROWS];
    static uint8_t member[ROWS * GROUPS];
    double widen[GROUPS + 1];
    for (size_t i = 0; i < ROWS; i++) {
        reha_random random = reha_random_init(11, i);
        member[2 * i] = reha_random_unit(&random) < 0.4;
        member[2 * i + 1] = reha_random_unit(&random) < 0.2;
        value[i] = reha_random_normal(&random) + 3.0 * member[2 * i] - 2.0 * member[2 * i + 1];
    }
    assert_ok(reha_group_quantiles(value, member, ROWS, GROUPS, 0.9, 0.0, widen, &err), &err);
    for (size_t g = 0; g < GROUPS; g++) {
        size_t n = 0;
        size_t below = 0;
        for (size_t i = 0; i < ROWS; i++) {
            const double fitted = widen[0] + widen[1] * member[2 * i] + widen[2] * member[2 * i + 1];
            n += member[2 * i + g];
            below += member[2 * i + g] && value[i] <= fitted;
        }
        assert_true(fabs((double)below / (double)n - 0.9) < 0.01);
    }
}

/* Many small groups that do not differ: shrinking takes out most of what they seem to differ by, and leaves
 * most of a large group's true difference. */
static void test_small_groups_are_shrunk(void **state)
{
    (void)state;
    enum { ROWS = 6000, GROUPS = 21, TRUE_GROUP = 20 };
    reha_error err = REHA_ERROR_INIT;
    double *value = reha_alloc_zero(ROWS, sizeof *value);
    uint8_t *member = reha_alloc_zero((size_t)ROWS * GROUPS, sizeof *member);
    double widen[2][GROUPS + 1];
    for (size_t i = 0; i < ROWS; i++) {
        reha_random random = reha_random_init(12, i);
        for (size_t g = 0; g < TRUE_GROUP; g++) {
            member[i * GROUPS + g] = reha_random_unit(&random) < 0.025;
        }
        member[i * GROUPS + TRUE_GROUP] = reha_random_unit(&random) < 0.4;
        value[i] = reha_random_normal(&random) + 1.0 * member[i * GROUPS + TRUE_GROUP];
    }
    for (size_t k = 0; k < 2; k++) {
        assert_ok(
            reha_group_quantiles(value, member, ROWS, GROUPS, 0.9, k == 0 ? 0.0 : 125.0, widen[k], &err),
            &err);
    }
    double noise[2] = {0.0, 0.0};
    for (size_t g = 1; g <= TRUE_GROUP; g++) {
        noise[0] += widen[0][g] * widen[0][g];
        noise[1] += widen[1][g] * widen[1][g];
    }
    assert_true(noise[1] < 0.5 * noise[0]);
    assert_true(fabs(widen[1][GROUPS] - 1.0) < 0.3);
    reha_free(value);
    reha_free(member);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_solver),
                                       cmocka_unit_test(test_regression_finds_the_rule),
                                       cmocka_unit_test(test_predictions),
                                       cmocka_unit_test(test_coverage_by_group),
                                       cmocka_unit_test(test_useless_model_says_so),
                                       cmocka_unit_test(test_impossible_training_is_refused),
                                       cmocka_unit_test(test_latest_period_sets_the_level),
                                       cmocka_unit_test(test_quantile_regression_is_right_in_each_group),
                                       cmocka_unit_test(test_small_groups_are_shrunk),
                                       cmocka_unit_test(test_intervals_hold_in_the_next_year),
                                       cmocka_unit_test(test_many_at_a_bound),
                                       cmocka_unit_test(test_report_tells_misses_from_chance),
                                       cmocka_unit_test(test_same_seed_same_trees),
                                       cmocka_unit_test(test_files),
                                       cmocka_unit_test(test_damaged_model_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
