/* Subgroups: columns that people give other names, tables of figures, and what the audit says about them. */
#include "scratch.h"

#include "base/file.h"
#include "base/memory.h"
#include "recognition/audit_priv.h"
#include "recognition/subgroups.h"

#include <string.h>

static reha_error err;

static void load(const char *table, reha_dataset *out)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/labels.csv", folder);
    assert_ok(reha_file_save(path, table, strlen(table), &err), &err);
    assert_ok(reha_dataset_load(folder, NULL, out, &err), &err);
}

#define HEAD "path,knee_id,patient_id,side,split,kl"

static void columns_are_known_by_many_names(void **state)
{
    (void)state;
    reha_dataset data;
    load(HEAD
         ",Gender,AGE,Scanner,hospital,notes\na,a,a,L,t,0,F,49.9,X100,north,n\nb,b,b,L,t,0,male,70,,south,n\n"
         "c,c,c,L,t,0,,-3,X200,north,n\nd,d,d,L,t,0,other,sixty,X100,south,n\n",
         &data);
    assert_int_equal(data.grouping_count, 4);
    assert_string_equal(data.groupings[0], "sex");
    assert_string_equal(data.items[0].groups[0], "female");
    assert_string_equal(data.items[1].groups[0], "male");
    assert_string_equal(data.items[2].groups[0], "");
    assert_string_equal(data.items[3].groups[0], "other");
    assert_string_equal(data.items[0].groups[1], "below 50");
    assert_string_equal(data.items[1].groups[1], "70 and above");
    assert_string_equal(data.items[2].groups[1], "implausible");
    assert_string_equal(data.items[3].groups[1], "implausible");
    assert_string_equal(data.items[0].groups[2], "X100");
    assert_string_equal(data.items[1].groups[3], "south");
    reha_dataset_clear(&data);
    load(HEAD "\na,a,a,L,t,0\n", &data);
    assert_int_equal(data.grouping_count, 0);
    reha_dataset_clear(&data);
}

/* 60 images: 40 of site A, of which all are told rightly, 19 of site B, all wrongly, and 1 refused without a
 * site. */
static void make_cases(reha_dataset *data, reha_graded_case *cases, reha_subgroup_facts *facts)
{
    char *table = reha_alloc(8192);
    size_t used = (size_t)snprintf(table, 8192, HEAD ",site\n");
    for (int i = 0; i < 60; i++) {
        used += (size_t)snprintf(table + used, 8192 - used, "i%d,k%d,p%d,%s,val,%d,%s\n", i, i, i,
                                 i % 2 == 0 ? "L" : "R", i % 5,
                                 i < 40   ? "A"
                                 : i < 59 ? "B"
                                          : "");
    }
    load(table, data);
    reha_free(table);
    for (size_t i = 0; i < 60; i++) {
        const int told = i < 40 ? data->items[i].grade : (data->items[i].grade + 2) % 5;
        cases[i] = (reha_graded_case){.patient_idx = i,
                                      .grade = data->items[i].grade,
                                      .set_low = told,
                                      .set_high = told,
                                      .is_refused = i == 59};
        cases[i].probabilities[told] = 1.0;
        facts[i] = (reha_subgroup_facts){.was_inverted = i == 3};
    }
}

static json_t *find(const json_t *rows, const char *by, const char *group)
{
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach(rows, i, row)
    {
        if (strcmp(reha_json_string(row, "by", ""), by) == 0 &&
            strcmp(reha_json_string(row, "group", ""), group) == 0) {
            return row;
        }
    }
    return NULL;
}

static double value(const json_t *row, const char *key)
{
    return reha_json_number(json_object_get(row, key), "value", -1.0);
}

static void each_group_has_its_figures(void **state)
{
    (void)state;
    static reha_graded_case cases[60];
    static reha_subgroup_facts facts[60];
    reha_dataset data;
    json_t *rows = NULL;
    make_cases(&data, cases, facts);
    const reha_subgroup_figures how = {5, 2, 100, 1};
    assert_ok(reha_subgroups_to_json(&data, cases, facts, &how, &rows, &err), &err);
    const json_t *a = find(rows, "source", "A");
    const json_t *b = find(rows, "source", "B");
    const json_t *nobody = find(rows, "source", "not stated");
    assert_true(value(a, "accuracy") == 1.0 && value(a, "coverage") == 1.0);
    assert_true(json_is_false(json_object_get(a, "few")));
    assert_true(value(b, "accuracy") == 0.0);
    assert_true(json_is_true(json_object_get(b, "few"))); /* 19 */
    assert_int_equal(json_integer_value(json_object_get(nobody, "refused")), 1);
    assert_null(json_object_get(nobody, "accuracy"));
    assert_non_null(find(rows, "side", "left"));
    assert_int_equal(json_integer_value(json_object_get(find(rows, "grey values", "inverted"), "n")), 1);
    assert_null(find(rows, "device (file)", "not stated")); /* one group is no subgroup */
    json_decref(rows);
    reha_dataset_clear(&data);
}

static void memory_runs_out(void **state)
{
    (void)state;
    static reha_graded_case cases[60];
    static reha_subgroup_facts facts[60];
    reha_dataset data;
    make_cases(&data, cases, facts);
    const reha_subgroup_figures how = {5, 2, 5, 1};
    const size_t before = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    for (long n = 0; status != REHA_OK; n++) {
        json_t *rows = NULL;
        reha_mem_fail_after(n);
        status = reha_subgroups_to_json(&data, cases, facts, &how, &rows, NULL);
        reha_mem_fail_after(-1);
        json_decref(rows);
        assert_int_equal(reha_mem_live_blocks(), before);
    }
    reha_dataset_clear(&data);
}

static const json_t *problem(const json_t *problems, const char *code)
{
    size_t i = 0;
    json_t *one = NULL;
    json_array_foreach(problems, i, one)
    {
        if (strcmp(reha_json_string(one, "code", ""), code) == 0) {
            return one;
        }
    }
    return NULL;
}

static void the_audit_names_lopsided_rare_and_impossible_groups(void **state)
{
    (void)state;
    char *table = reha_alloc(16384);
    size_t used = (size_t)snprintf(table, 16384, HEAD ",site,age\n");
    for (int i = 0; i < 120; i++) { /* site A: 10 % ill; B: 90 %; C: 4 images; one age of 200; knee 7 twice */
        const char *site = i < 58 ? "A" : i < 116 ? "B" : "C";
        const int grade = (i < 58 ? i % 10 == 0 : i % 10 != 0) ? 3 : 0;
        used += (size_t)snprintf(table + used, 16384 - used, "i%d,k%d,p%d,%s,val,%d,%s,%s\n", i,
                                 i == 8 ? 7 : i, i, i % 2 == 0 ? "L" : "R", grade, site,
                                 i == 5       ? "200"
                                 : i % 3 == 0 ? ""
                                              : "62");
    }
    reha_dataset data;
    load(table, &data);
    reha_free(table);
    json_t *problems = json_array();
    json_t *groups = NULL;
    reha_audit_groups(&data, 2, problems, &groups);
    assert_int_equal(reha_json_number(problem(problems, "group-lopsided"), "count", 0.0), 1);
    assert_int_equal(reha_json_number(problem(problems, "group-few"), "count", 0.0), 1);
    assert_int_equal(reha_json_number(problem(problems, "age-implausible"), "count", 0.0), 1);
    assert_int_equal(reha_json_number(problem(problems, "group-unstated"), "count", 0.0), 1);
    assert_int_equal(reha_json_number(problem(problems, "knee-repeated"), "count", 0.0), 1);
    size_t i = 0;
    json_t *one = NULL;
    json_array_foreach(problems, i, one)
    {
        assert_true(strlen(reha_json_string(one, "do", "")) > 10);
    }
    assert_int_equal(reha_json_number(find(groups, "source", "A"), "n", 0.0), 58);
    assert_int_equal(reha_json_number(find(groups, "source", "A"), "disease", 0.0), 6);
    json_decref(problems);
    json_decref(groups);
    reha_dataset_clear(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_known_by_many_names),
        cmocka_unit_test(each_group_has_its_figures),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(the_audit_names_lopsided_rare_and_impossible_groups),
    };
    return cmocka_run_group_tests_name("subgroups", tests, make_folder, remove_folder);
}
