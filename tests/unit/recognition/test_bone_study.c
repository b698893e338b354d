/* The study on generated rows, where it is known what the picture adds; and the regression under it. */
#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "recognition/bone_study.h"

#include <math.h>
#include <string.h>

enum { ROWS = 150, EMBEDDING = 24 };

static reha_error err;

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* ---- Regression ---- */

static void a_regression_finds_its_weights(void **state)
{
    (void)state;
    enum { N = 4000, COLUMNS = 3 };
    static double rows[N * COLUMNS];
    static int classes[N];
    static const double weights[COLUMNS] = {1.5, -0.8, 0.0};
    reha_random random = reha_random_init(1, 1);
    for (int i = 0; i < N; i++) {
        double score = 0.0;
        for (int c = 0; c < COLUMNS; c++) {
            rows[i * COLUMNS + c] = reha_random_normal(&random);
            score += weights[c] * rows[i * COLUMNS + c];
        }
        const double u = reha_random_unit(&random);
        classes[i] = u < sigmoid(-1.0 - score) ? 0 : u < sigmoid(1.5 - score) ? 1 : 2;
    }
    reha_regression model;
    assert_ok(reha_regression_fit(rows, classes, N, COLUMNS, 3, 0.01, &model, &err), &err);
    for (int c = 0; c < COLUMNS; c++) {
        assert_true(fabs(model.weights[c] / model.sd[c] - weights[c]) < 0.12);
    }
    assert_true(fabs(model.thresholds[0] + 1.0) < 0.12 && fabs(model.thresholds[1] - 1.5) < 0.12);
    double p[3];
    reha_regression_predict(&model, (const double[]){0.3, (double)NAN, 0.0}, p); /* unknown: as the mean */
    assert_true(fabs(p[0] + p[1] + p[2] - 1.0) < 1e-12 && p[0] > 0.0 && p[1] > 0.0 && p[2] > 0.0);

    reha_regression flat;
    assert_ok(reha_regression_fit(rows, classes, N, COLUMNS, 3, 1e6, &flat, &err), &err);
    assert_true(fabs(flat.weights[0]) < 0.01);

    json_t *json = NULL;
    reha_regression back;
    assert_ok(reha_regression_to_json(&model, &json, &err), &err);
    assert_ok(reha_regression_from_json(json, &back, &err), &err);
    assert_true(back.weights[1] == model.weights[1] && back.thresholds[1] == model.thresholds[1]);
    json_decref(json);
}

static void two_separable_classes_do_not_run_away(void **state)
{
    (void)state;
    double rows[20];
    int classes[20];
    for (int i = 0; i < 20; i++) {
        rows[i] = i;
        classes[i] = i >= 10;
    }
    reha_regression model;
    assert_ok(reha_regression_fit(rows, classes, 20, 1, 2, 1.0, &model, &err), &err);
    double low[2];
    double high[2];
    reha_regression_predict(&model, &rows[0], low);
    reha_regression_predict(&model, &rows[19], high);
    assert_true(low[1] < 0.2 && high[1] > 0.8 && isfinite(model.weights[0]));
}

static void bad_regressions_are_refused(void **state)
{
    (void)state;
    const double rows[4] = {1.0, 2.0, 3.0, 4.0};
    const int classes[4] = {0, 1, 0, 1};
    const int gap[4] = {0, 2, 0, 2};
    const int beyond[4] = {0, 1, 3, 2};
    reha_regression model;
    assert_int_equal(reha_regression_fit(rows, classes, 4, 1, 2, 0.0, &model, &err), REHA_E_ARG);
    assert_int_equal(reha_regression_fit(rows, classes, 4, 0, 2, 1.0, &model, &err), REHA_E_ARG);
    assert_int_equal(reha_regression_fit(rows, classes, 4, 1, 9, 1.0, &model, &err), REHA_E_ARG);
    assert_int_equal(reha_regression_fit(rows, gap, 4, 1, 3, 1.0, &model, &err), REHA_E_FORMAT);
    assert_int_equal(reha_regression_fit(rows, beyond, 4, 1, 3, 1.0, &model, &err), REHA_E_ARG);
    static const char *const bad[] = {"{}",
                                      "{\"classes\": 3, \"columns\": 200}",
                                      "{\"classes\": 3, \"columns\": 1.5}",
                                      "{\"classes\": 3, \"columns\": 1, \"mean\": [0], \"sd\": [0], "
                                      "\"weights\": [1], \"thresholds\": [0, 1]}",
                                      "{\"classes\": 3, \"columns\": 1, \"mean\": [0], \"sd\": [1], "
                                      "\"weights\": [1], \"thresholds\": [1, 0]}",
                                      "{\"classes\": 3, \"columns\": 1, \"mean\": [0], \"sd\": [1], "
                                      "\"weights\": [1, 2], \"thresholds\": [0, 1]}",
                                      "{\"classes\": 3, \"columns\": 1, \"mean\": [\"x\"], \"sd\": [1], "
                                      "\"weights\": [1], \"thresholds\": [0, 1]}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *json = NULL;
        assert_ok(reha_json_parse(bad[i], strlen(bad[i]), &json, &err), &err);
        assert_int_equal(reha_regression_from_json(json, &model, &err), REHA_E_FORMAT);
        json_decref(json);
    }
    assert_int_equal(reha_regression_from_json(NULL, &model, &err), REHA_E_FORMAT);
}

/* ---- Study ---- */

static float embeddings[ROWS * EMBEDDING];

/* facts_say, texture_says: strength of the signal in each; groups of `per_group` rows. */
static void make_rows(reha_bone_row *rows, double facts_say, double texture_says, size_t per_group,
                      uint64_t seed)
{
    reha_random random = reha_random_init(seed, 3);
    for (size_t i = 0; i < ROWS; i++) {
        reha_bone_row *row = &rows[i];
        *row = (reha_bone_row){.group_idx = i / per_group, .set_idx = (int)(reha_random_below(&random, 2))};
        row->class_idx = (int)((i / per_group) % 3);
        row->facts[0] = facts_say * row->class_idx + reha_random_normal(&random);
        row->facts[1] = i % 7 == 0 ? (double)NAN : (double)(i % 2);
        row->facts[2] = reha_random_normal(&random);
        for (int c = 0; c < REHA_BONE_TEXTURE; c++) {
            row->texture[c] = (c == 4 ? texture_says * row->class_idx : 0.0) + reha_random_normal(&random);
        }
        for (int c = 0; c < REHA_BONE_BACKGROUND; c++) {
            row->background[c] = reha_random_normal(&random);
        }
        for (int c = 0; c < EMBEDDING; c++) {
            embeddings[i * EMBEDDING + (size_t)c] =
                (float)reha_random_normal(&random) + (c == 0 ? 3.0F * (float)row->set_idx : 0.0F);
        }
        row->embedding = embeddings + i * EMBEDDING;
    }
}

static json_t *study(const reha_bone_row *rows, int embedding_count)
{
    static reha_bone_models models;
    json_t *report = NULL;
    const reha_bone_table table = {rows, ROWS, embedding_count, 2};
    assert_ok(reha_bone_study(&table, 200, 1, NULL, &models, &report, &err), &err);
    assert_int_equal(models.both.column_count, REHA_BONE_FACTS + REHA_BONE_TEXTURE);
    return report;
}

static double auc_of(const json_t *report, const char *name)
{
    size_t i = 0;
    json_t *one = NULL;
    json_array_foreach(json_object_get(report, "models"), i, one)
    {
        if (strcmp(reha_json_string(one, "name", ""), name) == 0) {
            return reha_json_number(json_object_get(one, "auc_low_density"), "value", (double)NAN);
        }
    }
    return (double)NAN;
}

static void a_picture_that_knows_something_is_believed(void **state)
{
    (void)state;
    static reha_bone_row rows[ROWS];
    make_rows(rows, 0.5, 1.2, 1, 11);
    json_t *report = study(rows, 0);
    assert_true(json_is_true(json_object_get(report, "adds")));
    assert_true(auc_of(report, "baseline+texture") > auc_of(report, "baseline") + 0.05);
    assert_true(isnan(auc_of(report, "embedding"))); /* none was given */
    assert_true(auc_of(report, "acquisition") < 0.65);
    json_decref(report);
}

static void a_picture_that_knows_nothing_is_not(void **state)
{
    (void)state;
    static reha_bone_row rows[ROWS];
    make_rows(rows, 1.2, 0.0, 1, 12);
    json_t *report = study(rows, EMBEDDING);
    assert_false(json_is_true(json_object_get(report, "adds")));
    assert_true(auc_of(report, "baseline") > 0.75);
    assert_true(auc_of(report, "texture") < 0.65);
    /* The embedding tells the acquisition set, as it was made to. */
    const json_t *sets = json_object_get(json_object_get(report, "shortcuts"), "set_from_embedding");
    assert_int_equal(json_array_size(sets), 2);
    assert_true(reha_json_number(json_object_get(json_array_get(sets, 0), "auc_of_set"), "value", 0.0) > 0.9);
    json_decref(report);
}

/* Rows of a group carry one class and nearly the same texture, which says nothing about the class of others:
 * with groups torn apart it would be learnt by heart. */
static void copies_do_not_leak_across_folds(void **state)
{
    (void)state;
    static reha_bone_row rows[ROWS];
    make_rows(rows, 1.0, 0.0, 3, 13);
    for (size_t i = 0; i < ROWS; i++) {
        memcpy(rows[i].texture, rows[i - i % 3].texture, sizeof rows[i].texture);
        memcpy(rows[i].facts, rows[i - i % 3].facts, sizeof rows[i].facts);
    }
    json_t *report = study(rows, 0);
    assert_true(auc_of(report, "texture") < 0.68);
    assert_true(auc_of(report, "baseline+texture") < auc_of(report, "baseline") + 0.05);
    assert_false(json_is_true(json_object_get(report, "adds")));
    json_decref(report);
}

static void auc_counts_pairs_of_one_stratum(void **state)
{
    (void)state;
    const double scores[4] = {0.1, 0.9, 0.5, 0.5};
    const int labels[4] = {0, 1, 1, 0};
    const int strata[4] = {0, 1, 0, 1};
    const double once[4] = {1.0, 1.0, 1.0, 1.0};
    const double without[4] = {0.0, 1.0, 1.0, 1.0};
    assert_true(fabs(reha_bone_auc(scores, labels, NULL, once, 4) - 3.5 / 4.0) < 1e-12);
    assert_true(reha_bone_auc(scores, labels, strata, once, 4) == 1.0);
    assert_true(fabs(reha_bone_auc(scores, labels, NULL, without, 4) - 0.75) < 1e-12);
    assert_true(isnan(reha_bone_auc(scores, labels, NULL, once, 1)));
}

static void too_few_of_a_class_are_named(void **state)
{
    (void)state;
    static reha_bone_row rows[ROWS];
    static reha_bone_models models;
    json_t *report = (json_t *)&err;
    make_rows(rows, 0.0, 0.0, 1, 14);
    for (size_t i = 0; i < ROWS; i++) {
        rows[i].class_idx = i < 5 ? 2 : rows[i].class_idx == 2 ? 1 : rows[i].class_idx;
    }
    const reha_bone_table table = {rows, ROWS, 0, 2};
    assert_int_equal(reha_bone_study(&table, 10, 1, NULL, &models, &report, &err), REHA_E_FORMAT);
    assert_null(report);
    assert_non_null(strstr(err.text, "class 2"));
    const reha_bone_table none = {rows, 0, 0, 0};
    assert_int_equal(reha_bone_study(&none, 10, 1, NULL, &models, &report, &err), REHA_E_FORMAT);
}

static bool at_once(void *context)
{
    (void)context;
    return true;
}

static void it_stops_when_asked(void **state)
{
    (void)state;
    static reha_bone_row rows[ROWS];
    static reha_bone_models models;
    json_t *report = NULL;
    const reha_progress progress = {.should_stop = at_once};
    make_rows(rows, 0.0, 0.0, 1, 15);
    const reha_bone_table table = {rows, ROWS, 0, 2};
    const size_t before = reha_mem_live_blocks();
    assert_int_equal(reha_bone_study(&table, 10, 1, &progress, &models, &report, &err), REHA_E_CANCELLED);
    assert_int_equal(reha_mem_live_blocks(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_regression_finds_its_weights),
        cmocka_unit_test(two_separable_classes_do_not_run_away),
        cmocka_unit_test(bad_regressions_are_refused),
        cmocka_unit_test(a_picture_that_knows_something_is_believed),
        cmocka_unit_test(a_picture_that_knows_nothing_is_not),
        cmocka_unit_test(copies_do_not_leak_across_folds),
        cmocka_unit_test(auc_counts_pairs_of_one_stratum),
        cmocka_unit_test(too_few_of_a_class_are_named),
        cmocka_unit_test(it_stops_when_asked),
    };
    return cmocka_run_group_tests_name("bone_study", tests, NULL, NULL);
}
