/* A clinic's own table: what is used, what is cleaned away, and that rows are read as described. */
#include "outcome_support.h"

#include "base/memory.h"
#include "rehab/outcome_own.h"

/* 200 rows; patient p has rows 2p and 2p + 1. */
static char *made_file(void)
{
    reha_error err = REHA_ERROR_INIT;
    reha_text text = {0};
    char *out = NULL;
    reha_text_add(&text, "patient_id,name,site,age,flag,city,site_count,nothing,score\n");
    for (size_t i = 0; i < 200; i++) {
        reha_random random = reha_random_init(5, i);
        reha_text_addf(&text, "P%zu,\"Person %zu\",%s,", i / 2, i, i % 2 == 0 ? "knee" : "hip");
        if (i % 50 == 0) {
            reha_text_add(&text, i == 0 ? "999," : "*,");
        } else {
            reha_text_addf(&text, "%u,", 50 + reha_random_below(&random, 30));
        }
        reha_text_addf(&text, "%u,%s,1,,", reha_random_below(&random, 2),
                       i < 195 ? (i % 3 ? "A" : "B") : "Smallville");
        reha_text_addf(&text, i == 7 ? "\n" : "%u\n", 10 + reha_random_below(&random, 30));
    }
    assert_ok(reha_text_take(&text, &out, &err), &err);
    return out;
}

static const json_t *column(const json_t *cleaning, const char *name)
{
    size_t i = 0;
    json_t *one = NULL;
    json_array_foreach((json_t *)cleaning, i, one)
    {
        if (strcmp(reha_json_string(one, "column", ""), name) == 0) {
            return one;
        }
    }
    fail_msg("no column %s", name);
    return NULL;
}

static void test_cleaning(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_csv *csv = NULL;
    reha_feature *features = NULL;
    size_t count = 0;
    json_t *cleaning = NULL;
    reha_table *table = NULL;
    reha_own_counts counts;
    char *file = made_file();
    assert_ok(reha_csv_parse(file, strlen(file), &csv, &err), &err);
    assert_ok(reha_own_describe(csv, "score", &features, &count, &cleaning, &err), &err);
    assert_int_equal(count, 4); /* site, age, flag, city */
    assert_int_equal(reha_feature_find(features, count, "patient_id"), -1);
    assert_int_equal(reha_feature_find(features, count, "name"), -1);
    assert_non_null(strstr(reha_json_string(column(cleaning, "name"), "reason", ""), "identifier"));
    assert_string_equal(reha_json_string(column(cleaning, "site_count"), "reason", ""), "constant");
    assert_string_equal(reha_json_string(column(cleaning, "nothing"), "reason", ""), "empty");
    const json_t *age = column(cleaning, "age");
    assert_string_equal(reha_json_string(age, "kind", ""), "number");
    assert_true(reha_json_number(age, "implausible", 0.0) == 1.0);
    assert_true(reha_json_number(age, "suppressed", 0.0) == 3.0);
    const int flag = reha_feature_find(features, count, "flag");
    assert_int_equal(features[flag].kind, REHA_FEATURE_CATEGORY);
    const int city = reha_feature_find(features, count, "city");
    assert_int_equal(features[city].level_count, 2);
    assert_int_equal(reha_feature_level(&features[city], "Smallville"), -1); /* five rows: not in the model */

    assert_ok(reha_own_read(csv, "score", features, count, &table, &counts, &err), &err);
    assert_int_equal(counts.rows, 200);
    assert_int_equal(counts.no_outcome, 1);
    assert_int_equal(table->row_count, 199);
    assert_int_equal(table->patient[0], table->patient[1]);
    assert_int_not_equal(table->patient[1], table->patient[2]);
    const int at = reha_feature_find(features, count, "age");
    assert_true(table->x[at] == 999.0F);
    reha_own_clean(table);
    assert_true(isnan(table->x[at]));
    reha_table_free(table);
    reha_free(features);
    json_decref(cleaning);

    assert_int_equal(reha_own_describe(csv, "outcome", &features, &count, &cleaning, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "'outcome' is missing"));
    reha_csv_free(csv);
    reha_free(file);
}

static void test_cleaning_leaves_no_blocks(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_csv *csv = NULL;
    char *file = made_file();
    assert_ok(reha_csv_parse(file, strlen(file), &csv, &err), &err);
    const size_t live = reha_mem_live_blocks();
    for (long round = 0;; round++) {
        reha_feature *features = NULL;
        size_t count = 0;
        json_t *cleaning = NULL;
        reha_mem_fail_after(round);
        const reha_status status = reha_own_describe(csv, "score", &features, &count, &cleaning, &err);
        reha_mem_fail_after(-1);
        reha_free(features);
        json_decref(cleaning);
        assert_int_equal(reha_mem_live_blocks(), live);
        if (status == REHA_OK) {
            break;
        }
        assert_int_equal(status, REHA_E_NOMEM);
    }
    reha_csv_free(csv);
    reha_free(file);
}

/* A spreadsheet of a country with a decimal comma: the same numbers, not a category of texts. */
static void test_decimal_commas(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_text text = {0};
        char *file = NULL;
        reha_csv *csv = NULL;
        reha_feature *features = NULL;
        size_t count = 0;
        json_t *cleaning = NULL;
        reha_table *table = NULL;
        reha_own_counts counts;
        reha_text_add(&text, i == 0 ? "bmi,score\n" : "bmi;score\n");
        for (int row = 0; row < 40; row++) {
            if (i == 0) {
                reha_text_addf(&text, "%d.25,%d.5\n", 18 + row % 30, row);
            } else {
                reha_text_addf(&text, "%d,25;%d,5\n", 18 + row % 30, row);
            }
        }
        assert_ok(reha_text_take(&text, &file, &err), &err);
        assert_ok(reha_csv_parse(file, strlen(file), &csv, &err), &err);
        assert_ok(reha_own_describe(csv, "score", &features, &count, &cleaning, &err), &err);
        assert_int_equal(count, 1);
        assert_int_equal(features[0].kind, REHA_FEATURE_NUMBER);
        assert_ok(reha_own_read(csv, "score", features, count, &table, &counts, &err), &err);
        assert_true(table->x[0] == 18.25F && table->x[31] == 19.25F);
        assert_true(table->y[0] == 0.5 && table->y[39] == 39.5);
        reha_table_free(table);
        reha_free(features);
        json_decref(cleaning);
        reha_csv_free(csv);
        reha_free(file);
    }
}

/* Where commas part the columns, too, numbers look like words: never taken for categories without a word. */
static void test_quoted_decimal_commas_are_told(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_csv *csv = NULL;
    reha_feature *features = NULL;
    size_t count = 0;
    json_t *cleaning = NULL;
    reha_table *table = NULL;
    reha_own_counts counts;
    reha_text text = {0};
    char *file = NULL;
    reha_text_add(&text, "\"pain, 0 to 10\",age,score\n");
    for (int i = 0; i < 80; i++) {
        reha_text_addf(&text, "\"%d,5\",%d,%d\n", i % 3, 20 + i, i % 7);
    }
    reha_text_add(&text, "1,50,\"2,5\"\n");
    assert_ok(reha_text_take(&text, &file, &err), &err);
    assert_ok(reha_csv_parse(file, strlen(file), &csv, &err), &err);
    assert_ok(reha_own_describe(csv, "score", &features, &count, &cleaning, &err), &err);
    assert_int_equal(count, 1); /* age */
    assert_non_null(
        strstr(reha_json_string(column(cleaning, "pain, 0 to 10"), "reason", ""), "decimal comma"));
    assert_int_equal(reha_own_read(csv, "score", features, count, &table, &counts, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "line 82: the outcome '2,5' is no number: write a decimal point"));
    reha_free(features);
    json_decref(cleaning);
    reha_csv_free(csv);
    reha_free(file);
}

static void test_unusable_tables(void **state)
{
    static const struct {
        const char *text;
        reha_status status;
        const char *says;
    } bad[] = {{"score\n1\n2\n", REHA_E_REFUSED, "no column but 'score'"},
               {"a,score\nx,1\nx,2\n", REHA_E_REFUSED, "no column but 'score'"},
               {"a,score\nx,1\ny,2\n", REHA_E_REFUSED, "'a': known in fewer than 30 rows"},
               {"a,b\n1,2\n", REHA_E_FORMAT, "'score' is missing; the header has: a, b"}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_csv *csv = NULL;
        reha_feature *features = NULL;
        size_t count = 0;
        json_t *cleaning = NULL;
        assert_ok(reha_csv_parse(bad[i].text, strlen(bad[i].text), &csv, &err), &err);
        assert_int_equal(reha_own_describe(csv, "score", &features, &count, &cleaning, &err), bad[i].status);
        assert_non_null(strstr(err.text, bad[i].says));
        assert_null(features);
        assert_null(cleaning);
        reha_csv_free(csv);
    }
    reha_error err = REHA_ERROR_INIT;
    reha_csv *csv = NULL;
    reha_table *table = NULL;
    reha_own_counts counts;
    reha_feature feature = {.key = "a", .kind = REHA_FEATURE_NUMBER};
    assert_ok(reha_csv_parse("a,score\n1,2\n2,good\n", 19, &csv, &err), &err);
    assert_int_equal(reha_own_read(csv, "score", &feature, 1, &table, &counts, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "line 3: the outcome 'good' is no number"));
    assert_null(table);
    (void)snprintf(feature.key, sizeof feature.key, "b");
    assert_int_equal(reha_own_read(csv, "score", &feature, 1, &table, &counts, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "'b' is missing"));
    reha_csv_free(csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cleaning), cmocka_unit_test(test_cleaning_leaves_no_blocks),
        cmocka_unit_test(test_decimal_commas), cmocka_unit_test(test_quoted_decimal_commas_are_told),
        cmocka_unit_test(test_unusable_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
