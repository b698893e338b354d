/* Reading the layout of NHS England's files, on generated rows; and the shipped models. */
#include "outcome_support.h"

#include "base/file.h"
#include "base/memory.h"
#include "rehab/outcome_nhs.h"

#include <stdlib.h>

static const char *const knee_items[] = {"Pain",    "Night Pain", "Washing",  "Transport",
                                         "Walking", "Standing",   "Limping",  "Kneeling",
                                         "Work",    "Confidence", "Shopping", "Stairs"};
static const char header_start[] = "Provider Code,Revision Flag,Year,Age Band,Gender,Pre-Op Q "
                                   "Assisted,Pre-Op Q Symptom Period,Pre-Op Q Previous Surgery,"
                                   "Pre-Op Q Living Arrangements,Pre-Op Q Disability,Heart Disease,High "
                                   "Bp,Stroke,Circulation,Lung Disease,Diabetes,"
                                   "Kidney Disease,Nervous System,Liver "
                                   "Disease,Cancer,Depression,Arthritis,Pre-Op Q Mobility,Pre-Op Q Self-Care,"
                                   "Pre-Op Q Activity,Pre-Op Q Discomfort,Pre-Op Q Anxiety,Pre-Op Q EQ VAS";

static void add_header(reha_text *text)
{
    reha_text_add(text, header_start);
    for (size_t i = 0; i < 12; i++) {
        reha_text_addf(text, ",Knee Replacement Pre-Op Q %s", knee_items[i]);
    }
    reha_text_add(text, ",Knee Replacement Pre-Op Q Score,Knee Replacement Post-Op Q Score,"
                        "Knee Replacement OKS Post-Op Q Predicted\n");
}

static const char row_start[] = "X1,0,2018/19,60 to 69,2,2,2,2,1,2,9,1,9,9,9,9,9,9,9,9,9,1,2,1,2,2,1,70";

static char *made_file(size_t rows)
{
    reha_error err = REHA_ERROR_INIT;
    reha_text text = {0};
    char *out = NULL;
    add_header(&text);
    for (size_t i = 0; i < rows; i++) {
        reha_text_addf(&text, "%s,1,1,3,2,2,2,1,0,2,2,2,2,20,%zu,36.5\n", row_start, 20 + i % 29);
    }
    assert_ok(reha_text_take(&text, &out, &err), &err);
    return out;
}

static reha_status read_text(const char *text, reha_table **table, reha_nhs_counts *counts, reha_error *err)
{
    const reha_nhs_layout *layout = reha_nhs_layout_find("knee-replacement");
    reha_csv *csv = NULL;
    *table = NULL;
    *counts = (reha_nhs_counts){0};
    reha_status status = reha_csv_parse(text, strlen(text), &csv, err);
    if (status == REHA_OK) {
        assert_ok(reha_nhs_table_new(layout, table, err), err);
        status = reha_nhs_read(layout, csv, *table, counts, err);
    }
    reha_csv_free(csv);
    return status;
}

static double value_of(const reha_table *table, size_t row, const char *key)
{
    const int j = reha_feature_find(table->features, table->feature_count, key);
    assert_true(j >= 0);
    return (double)table->x[row * table->feature_count + (size_t)j];
}

static void test_codes(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_table *table = NULL;
    reha_nhs_counts counts;
    reha_text text = {0};
    char *file = NULL;
    add_header(&text);
    reha_text_addf(&text, "%s,1,1,3,2,2,2,1,0,2,2,2,2,20,40,36.5\n", row_start);
    /* suppressed, not answered, EQ VAS not given, one item missing, no prediction */
    reha_text_add(&text, "X1,1,2018/19,*,*,9,9,9,9,9,,*,1,1,1,1,1,1,1,1,1,1,9,9,9,9,9,999,"
                         "9,1,3,2,2,2,1,0,2,2,2,2,21,12,\n");
    reha_text_addf(&text, "%s,1,1,3,2,2,2,1,0,2,2,2,2,20,,\n", row_start); /* no outcome */
    reha_text_addf(&text, "%s,9,9,9,2,2,2,1,0,2,2,2,2,,40,\n", row_start); /* no score before */
    assert_ok(reha_text_take(&text, &file, &err), &err);
    assert_ok(read_text(file, &table, &counts, &err), &err);
    assert_int_equal(counts.rows, 4);
    assert_int_equal(counts.no_outcome, 1);
    assert_int_equal(counts.no_score, 1);
    assert_int_equal(counts.unreadable, 0);
    assert_int_equal(table->row_count, 2);
    assert_true(table->y[0] == 40.0 && table->benchmark[0] == 36.5 && isnan(table->benchmark[1]));
    assert_int_equal(table->period[0], 2018);
    assert_int_equal(table->line_no[1], 3);
    assert_true(value_of(table, 0, "sex") == 1.0 && value_of(table, 0, "eq_vas") == 70.0);
    assert_true(value_of(table, 0, "high_blood_pressure") == 1.0 && value_of(table, 0, "stroke") == 0.0);
    assert_true(value_of(table, 0, "oks_before") == 20.0);
    assert_true(isnan(value_of(table, 1, "age_band")) && isnan(value_of(table, 1, "eq_vas")));
    assert_true(isnan(value_of(table, 1, "disability")) && value_of(table, 1, "stroke") == 1.0);
    assert_true(value_of(table, 1, "heart_disease") == 0.0); /* left empty */
    assert_true(isnan(value_of(table, 1, "high_blood_pressure")));
    assert_true(value_of(table, 1, "oks_before") == 21.0); /* 19 in 11 items: 20.7 */
    reha_table_free(table);

    /* Another year writes its headers a little differently. */
    char *at = strstr(file, "Knee Replacement Pre-Op Q Night Pain");
    memcpy(at, "knee_replacement pre-op q night_pain", strlen("knee_replacement pre-op q night_pain"));
    assert_ok(read_text(file, &table, &counts, &err), &err);
    assert_int_equal(table->row_count, 2);
    reha_table_free(table);
    reha_free(file);
}

static void test_bad_cells_are_counted_and_named(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_table *table = NULL;
    reha_nhs_counts counts;
    reha_text text = {0};
    char *file = made_file(40);
    reha_text_add(&text, file);
    reha_text_add(&text, "X1,0,2018/19,60 to 69,7,2,2,2,1,2,9,1,9,9,9,9,9,9,9,9,9,1,2,1,2,2,1,70,"
                         "1,1,3,2,2,2,1,0,2,2,2,2,20,40,36.5\n");
    assert_ok(read_text(text.data, &table, &counts, &err), &err);
    assert_int_equal(counts.unreadable, 1);
    assert_int_equal(table->row_count, 40);
    assert_string_equal(counts.fault, "line 42: 'Gender' is '7', which is no code of it");
    reha_table_free(table);
    reha_text_clear(&text);
    reha_free(file);

    add_header(&text);
    reha_text_addf(&text, "%s,1,1,3,2,2,2,1,0,2,2,2,5,20,40,36.5\n", row_start);
    assert_int_equal(read_text(text.data, &table, &counts, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "line 2: 'Knee Replacement Pre-Op Q Stairs' is '5'"));
    reha_table_free(table);
    reha_text_clear(&text);
    assert_int_equal(read_text("Age Band,Gender\n60 to 69,1\n", &table, &counts, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "'Revision Flag' is missing"));
    reha_table_free(table);
}

/* Bytes changed, lines cut and doubled: every file is read or refused with a text; nothing else. */
static void test_damaged_files(void **state)
{
    (void)state;
    char *file = made_file(6);
    const size_t length = strlen(file);
    for (uint64_t seed = 0; seed < 1500; seed++) {
        reha_random random = reha_random_init(seed, 1);
        reha_error err = REHA_ERROR_INIT;
        reha_table *table = NULL;
        reha_nhs_counts counts;
        char *copy = reha_strdup(file);
        for (uint32_t change = 0; change <= reha_random_below(&random, 4); change++) {
            static const char bytes[] = ",\"\n\r*9-. eN\x7f\xff";
            copy[reha_random_below(&random, (uint32_t)length)] =
                bytes[reha_random_below(&random, sizeof bytes - 1)];
        }
        if (seed % 5 == 0) {
            copy[reha_random_below(&random, (uint32_t)length)] = '\0';
        }
        const reha_status status = read_text(copy, &table, &counts, &err);
        if (status != REHA_OK) {
            assert_int_equal(status, REHA_E_FORMAT);
            assert_true(strstr(err.text, "line ") != NULL || strstr(err.text, "missing") != NULL ||
                        strstr(err.text, "empty") != NULL);
        }
        reha_table_free(table);
        reha_free(copy);
    }
    reha_free(file);
}

static void test_layouts(void **state)
{
    (void)state;
    assert_null(reha_nhs_layout_find("shoulder-replacement"));
    assert_null(reha_nhs_layout_at(2));
    for (size_t i = 0; reha_nhs_layout_at(i) != NULL; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_outcome_design design;
        reha_table *table = NULL;
        assert_ok(reha_nhs_table_new(reha_nhs_layout_at(i), &table, &err), &err);
        reha_nhs_design(reha_nhs_layout_at(i), &design);
        assert_true(reha_feature_find(table->features, table->feature_count, design.goals[0].above) >= 0);
        for (size_t a = 0; a < design.axis_count; a++) {
            assert_true(design.axes[a].feature >= 0 && (size_t)design.axes[a].feature < table->feature_count);
        }
        assert_string_equal(table->features[design.axes[1].feature].key, "age_band");
        assert_string_equal(table->features[design.axes[2].feature].key, "sex");
        assert_int_equal(table->features[design.axes[0].feature].kind, REHA_FEATURE_SUM);
        reha_table_free(table);
    }
}

/* A shipped model: what a clinician would expect of it, and its promises, on the example of its
 * documentation. */
static void check_shipped(const char *task, const char *example)
{
    reha_error err = REHA_ERROR_INIT;
    char path[512];
    reha_outcome_model *model = NULL;
    json_t *input = NULL;
    float x[REHA_FEATURES_MAX];
    reha_outcome_prediction one;
    reha_outcome_prediction ill;
    (void)snprintf(path, sizeof path, "%s/models/outcome-%s/1", REHA_SOURCE_DIR, task);
    assert_ok(reha_outcome_model_load(path, &model, &err), &err);
    assert_string_equal(model->design.task, task);
    assert_non_null(model->boost);
    assert_true(model->beats_naive);
    (void)snprintf(path, sizeof path, "%s/docs/formats/examples/%s", REHA_SOURCE_DIR, example);
    assert_ok(reha_json_load(path, &input, &err), &err);
    assert_ok(reha_table_row_from_json(model->features, model->feature_count, input, x, &err), &err);
    assert_ok(reha_outcome_predict(model, x, &one, &err), &err);
    double sum = one.base;
    for (size_t j = 0; j < model->feature_count; j++) {
        sum += one.contribution[j];
    }
    assert_true(fabs(sum - one.expected) < 1e-3);
    assert_true(one.expected > 30.0 && one.expected < 46.0);
    assert_true(one.low[1] >= 0.0 && one.low[1] <= one.low[0] && one.high[0] <= one.high[1] &&
                one.high[1] <= 48.0);

    /* Depression and a bad start make a lower score to be expected. */
    (void)json_object_set_new(input, "depression", json_true());
    (void)json_object_set_new(input, "eq5d_anxiety", json_integer(3));
    (void)json_object_set_new(input, "disability", json_true());
    assert_ok(reha_table_row_from_json(model->features, model->feature_count, input, x, &err), &err);
    assert_ok(reha_outcome_predict(model, x, &ill, &err), &err);
    assert_true(ill.expected < one.expected - 2.0);

    (void)json_object_set_new(input, "age_band", json_string("10 to 19"));
    assert_int_equal(reha_table_row_from_json(model->features, model->feature_count, input, x, &err),
                     REHA_E_REFUSED);
    json_decref(input);
    reha_outcome_model_free(model);
}

static void test_shipped_models(void **state)
{
    (void)state;
    check_shipped("knee-replacement", "knee-replacement.json");
    check_shipped("hip-replacement", "hip-replacement.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_codes),
                                       cmocka_unit_test(test_bad_cells_are_counted_and_named),
                                       cmocka_unit_test(test_damaged_files), cmocka_unit_test(test_layouts),
                                       cmocka_unit_test(test_shipped_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
