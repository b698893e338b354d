#include "outcome_support.h"

#include "base/json.h"
#include "base/memory.h"

static reha_feature *counted_features(void)
{
    static reha_feature features[MADE_FEATURES + 3];
    reha_table *table = made_table(400, 1);
    memcpy(features, table->features, MADE_FEATURES * sizeof features[0]);
    reha_table_free(table);
    return features;
}

static reha_status read(const char *text, float *x, reha_error *err)
{
    json_t *input = NULL;
    assert_ok(reha_json_parse(text, strlen(text), &input, err), err);
    const reha_status status = reha_table_row_from_json(counted_features(), MADE_FEATURES, input, x, err);
    json_decref(input);
    return status;
}

static void test_row(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    float x[MADE_FEATURES];
    assert_ok(read("{\"age\": \"old\", \"ill\": true, \"before\": 20, \"noise\": null}", x, &err), &err);
    assert_true(x[AGE] == 2.0F && x[ILL] == 1.0F && x[BEFORE] == 20.0F && isnan(x[NOISE]));
    assert_ok(read("{\"age\": \"young\", \"ill\": \"no\", \"before\": 5, \"noise\": 0.5}", x, &err), &err);
    assert_true(x[AGE] == 0.0F && x[ILL] == 0.0F);
}

static void test_bad_rows_are_told_by_name(void **state)
{
    static const struct {
        const char *input;
        reha_status status;
        const char *text;
    } bad[] = {
        {"{\"age\": \"old\", \"before\": 20, \"noise\": 1}", REHA_E_FORMAT, "'ill' (illness) is missing"},
        {"{\"age\": \"old\", \"ill\": true, \"before\": 20, \"noise\": 1, \"pain\": 3}", REHA_E_FORMAT,
         "'pain' is no input"},
        {"{\"age\": \"ancient\", \"ill\": true, \"before\": 20, \"noise\": 1}", REHA_E_FORMAT,
         "young, middle, old"},
        {"{\"age\": 1.5, \"ill\": true, \"before\": 20, \"noise\": 1}", REHA_E_FORMAT,
         "'age' must be one of"},
        {"{\"age\": \"old\", \"ill\": [], \"before\": 20, \"noise\": 1}", REHA_E_FORMAT,
         "'ill' must be one of"},
        {"{\"age\": \"old\", \"ill\": 7, \"before\": 20, \"noise\": 1}", REHA_E_FORMAT,
         "'ill' must be one of"},
        {"{\"age\": \"old\", \"ill\": true, \"before\": \"20\", \"noise\": 1}", REHA_E_FORMAT,
         "'before' must be a number"},
        {"{\"age\": \"old\", \"ill\": true, \"before\": 40, \"noise\": 1}", REHA_E_REFUSED,
         "outside the range"},
        {"{\"age\": \"old\", \"ill\": true, \"before\": -1, \"noise\": 1}", REHA_E_REFUSED, "5 to 35"},
        {"{\"age\": null, \"ill\": true, \"before\": 20, \"noise\": 1}", REHA_E_REFUSED,
         "age (age) must be known"},
        {"[]", REHA_E_FORMAT, "must be a JSON object"},
        {"{}", REHA_E_FORMAT, "'age' (age) is missing"}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        float x[MADE_FEATURES];
        assert_int_equal(read(bad[i].input, x, &err), bad[i].status);
        if (strstr(err.text, bad[i].text) == NULL) {
            fail_msg("'%s' does not say '%s'", err.text, bad[i].text);
        }
    }
}

/* A level that the training rows (nearly) lack is outside the range, though it is a level. */
static void test_rare_levels_are_refused(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_feature feature = counted_features()[AGE];
    assert_ok(reha_feature_check(&feature, 2.0, &err), &err);
    feature.level_rows[2] = REHA_FEATURE_ROWS_MIN - 1;
    assert_int_equal(reha_feature_check(&feature, 2.0, &err), REHA_E_REFUSED);
    assert_non_null(strstr(err.text, "age 'old'"));
    feature.unknown_rows = REHA_FEATURE_ROWS_MIN;
    assert_ok(reha_feature_check(&feature, (double)NAN, &err), &err);
}

static void make_sum(reha_feature *features, size_t unknown_max)
{
    memset(features, 0, 5 * sizeof *features);
    for (size_t j = 0; j < 4; j++) {
        features[j] = (reha_feature){.kind = REHA_FEATURE_CATEGORY, .level_count = 5, .unknown_rows = 99};
        (void)snprintf(features[j].key, sizeof features[j].key, "item%zu", j);
        (void)snprintf(features[j].title, sizeof features[j].title, "item");
        for (int k = 0; k < 5; k++) {
            (void)snprintf(features[j].levels[k], sizeof features[j].levels[k], "%d", k);
            features[j].level_rows[k] = 99;
        }
    }
    features[4] = (reha_feature){.key = "total",
                                 .title = "total",
                                 .kind = REHA_FEATURE_SUM,
                                 .sum_count = 4,
                                 .high = 16.0,
                                 .sum_unknown_max = unknown_max};
}

static void test_sums_replace_missing_items_by_the_mean(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_feature features[5];
    json_t *input = NULL;
    make_sum(features, 1);
    float whole[5] = {1, 2, 3, 4, NAN};
    reha_table_add_sums(features, 5, whole);
    assert_true(whole[4] == 10.0F);
    float one_missing[5] = {1, 2, NAN, 4, NAN};
    reha_table_add_sums(features, 5, one_missing);
    assert_true(one_missing[4] == 9.0F); /* 7 / 3 * 4 = 9.33 */
    float two_missing[5] = {1, NAN, NAN, 4, NAN};
    reha_table_add_sums(features, 5, two_missing);
    assert_true(isnan(two_missing[4]));

    float x[5];
    static const char text[] = "{\"item0\": 1, \"item1\": null, \"item2\": null, \"item3\": 4}";
    assert_ok(reha_json_parse(text, sizeof text - 1, &input, &err), &err);
    assert_int_equal(reha_table_row_from_json(features, 5, input, x, &err), REHA_E_REFUSED);
    assert_non_null(strstr(err.text, "more than 1 of its items"));
    (void)json_object_set_new(input, "total", json_integer(10));
    assert_int_equal(reha_table_row_from_json(features, 5, input, x, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "formed from the items"));
    json_decref(input);
}

static void test_features_survive_json(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_feature features[5];
    reha_feature *back = NULL;
    size_t count = 0;
    json_t *array = NULL;
    make_sum(features, 2);
    assert_ok(reha_features_to_json(features, 5, &array, &err), &err);
    assert_ok(reha_features_from_json(array, &back, &count, &err), &err);
    assert_int_equal(count, 5);
    assert_memory_equal(back, features, sizeof features);
    reha_free(back);

    /* Each member that is taken away, and each that gets another type, is an error with a text. */
    for (size_t j = 0; j < 5; j++) {
        static const char *const keys[] = {"key",    "title",      "kind", "unknown_rows",
                                           "levels", "first_item", "items"};
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
            json_t *broken = json_deep_copy(array);
            json_t *one = json_array_get(broken, j);
            if (json_object_get(one, keys[k]) != NULL) {
                (void)json_object_set_new(one, keys[k], json_true());
                reha_error fault = REHA_ERROR_INIT;
                assert_int_not_equal(reha_features_from_json(broken, &back, &count, &fault), REHA_OK);
                assert_null(back);
                assert_non_null(strstr(fault.text, "feature"));
            }
            json_decref(broken);
        }
    }
    json_decref(array);
    assert_int_equal(reha_features_from_json(NULL, &back, &count, &err), REHA_E_FORMAT);
}

static void test_select_and_memory(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_table *table = made_table(50, 2);
    bool keep[50] = {false};
    keep[3] = keep[40] = true;
    reha_table *part = NULL;
    assert_ok(reha_table_select(table, keep, &part, &err), &err);
    assert_int_equal(part->row_count, 2);
    assert_true(part->y[1] == table->y[40]);
    assert_memory_equal(part->x, table->x + 3 * MADE_FEATURES, MADE_FEATURES * sizeof(float));
    reha_table_free(part);
    const size_t live = reha_mem_live_blocks();
    for (long round = 0;; round++) {
        reha_mem_fail_after(round);
        const reha_status status = reha_table_select(table, keep, &part, &err);
        reha_mem_fail_after(-1);
        if (status == REHA_OK) {
            break;
        }
        assert_int_equal(status, REHA_E_NOMEM);
        assert_int_equal(reha_mem_live_blocks(), live);
    }
    reha_table_free(part);
    reha_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_row),
                                       cmocka_unit_test(test_bad_rows_are_told_by_name),
                                       cmocka_unit_test(test_rare_levels_are_refused),
                                       cmocka_unit_test(test_sums_replace_missing_items_by_the_mean),
                                       cmocka_unit_test(test_features_survive_json),
                                       cmocka_unit_test(test_select_and_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
