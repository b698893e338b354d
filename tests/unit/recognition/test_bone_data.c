#include "scratch.h"

#include "base/file.h"
#include "base/memory.h"
#include "recognition/bone_data.h"

#include <math.h>
#include <string.h>

static void save(const char *name, const char *text)
{
    reha_error err = REHA_ERROR_INIT;
    char path[64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    if (text == NULL) {
        (void)remove(path);
    } else {
        assert_ok(reha_file_save(path, text, strlen(text), &err), &err);
    }
}

static reha_status load(const char *labels, const char *patients, reha_bone_data *out, reha_error *err)
{
    save("labels.csv", labels);
    save("patients.csv", patients);
    return reha_bone_data_load(folder, out, err);
}

#define LABELS   "path,patient_id,bone_density_class,original_width_px,original_height_px,original_md5\n"
#define PATIENTS "S.No,Patient Id,Gender,Age,height  (meter),Weight (KG),T-score Value,BMI\n"

static void tables_as_people_write_them(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_bone_data data;
    assert_ok(load(LABELS "a.jpg,N1,normal,1000,1000,m1\nb.jpg,OS1 ,Osteoporosis,2000,2400,m2\n"
                          "c.jpg,OP1,osteopenia,2400,2050,m3\nd.jpg,X9,osteopenia,,,m4\n",
                   PATIENTS "1.0,N1,female,55.0,1.6,64,-0.5,\n2,OS1,Male,107,1.7,70,-2.8,24.2\n"
                            "3,OP1,,70,1.5,,-1.5,\n,,,107,max,98,,\n",
                   &data, &err),
              &err);
    assert_int_equal(data.count, 4);
    assert_int_equal(data.group_count, 4);
    assert_true(data.has_patients);
    assert_true(fabs(data.items[0].bmi - 25.0) < 1e-9 && data.items[0].age == 55.0 &&
                data.items[0].female == 1.0);
    assert_int_equal(data.items[1].class_idx, 2);
    assert_true(data.items[1].is_age_implausible && isnan(data.items[1].age) && data.items[1].female == 0.0);
    assert_true(isnan(data.items[2].female) && isnan(data.items[2].bmi) && data.items[2].age == 70.0);
    assert_false(data.items[3].has_patient);
    assert_int_equal(data.set_count, 2); /* turned originals are of one set */
    assert_int_equal(data.items[1].set_idx, data.items[2].set_idx);
    assert_int_not_equal(data.items[0].set_idx, data.items[1].set_idx);
    for (size_t i = 0; i < 4; i++) {
        assert_true(reha_bone_item_is_used(&data, i));
    }
    reha_bone_data_clear(&data);
}

static void copies_count_once_and_stay_in_one_group(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_bone_data data;
    /* a = b (other patient, other facts), c = d (other class), e and f: one person entered twice; g: f's
     * patient again */
    assert_ok(load(LABELS "a,P1,normal,,,m1\nb,P2,normal,,,m1\nc,P3,normal,,,m2\nd,P4,osteopenia,,,m2\n"
                          "e,P5,osteopenia,,,m3\nf,P6,osteopenia,,,m4\ng,P6,osteopenia,,,m5\n",
                   PATIENTS "1,P1,f,50,1.6,60,-1,23\n2,P2,f,61,1.6,60,-1,23\n3,P3,m,40,1.7,70,0,24\n"
                            "4,P4,m,40,1.7,70,0,24.1\n5,P5,f,55,1.5,50,-2,22.2\n6,P6,f,55,1.5,50,-2,22.2\n",
                   &data, &err),
              &err);
    assert_true(reha_bone_item_is_used(&data, 0));
    assert_false(reha_bone_item_is_used(&data, 1));
    assert_true(data.items[0].is_ambiguous && isnan(data.items[0].age) && isnan(data.items[0].bmi));
    assert_false(reha_bone_item_is_used(&data, 2)); /* whose class is right is not known */
    assert_false(reha_bone_item_is_used(&data, 3));
    assert_true(data.items[2].is_conflict && data.items[3].is_conflict);
    assert_int_equal(data.items[0].group_idx, data.items[1].group_idx);
    assert_int_equal(data.items[4].group_idx, data.items[5].group_idx);
    assert_int_equal(data.items[5].group_idx, data.items[6].group_idx);
    assert_int_equal(data.group_count, 3);
    assert_true(reha_bone_item_is_used(&data, 4) && reha_bone_item_is_used(&data, 5));
    reha_bone_data_clear(&data);
}

static void without_sums_the_files_are_compared(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_bone_data data;
    save("x.png", "same");
    save("y.png", "same");
    save("z.png", "other");
    assert_ok(load("path,patient_id,bone_density_class\nx.png,A,normal\ny.png,B,normal\nz.png,C,normal\nnot-"
                   "there,D,normal\n",
                   NULL, &data, &err),
              &err);
    assert_false(data.has_patients);
    assert_int_equal(data.items[1].copy_of, 0);
    assert_int_equal(data.items[2].copy_of, 2);
    assert_int_equal(data.items[3].copy_of, 3);
    assert_int_equal(data.group_count, 3);
    reha_bone_data_clear(&data);
}

static void faults_name_file_line_and_column(void **state)
{
    (void)state;
    static const char *const bad[][3] = {
        {"path,patient_id\na,b\n", NULL, "'bone_density_class' is missing"},
        {LABELS, NULL, "no rows"},
        {LABELS "a,P,thin,,,\n", NULL, "line 2: 'bone_density_class' is 'thin'"},
        {LABELS "a,P,normal,,,\nb,P,,,,\n", NULL, "line 3: 'bone_density_class'"},
        {LABELS "../a,P,normal,,,\n", NULL, "line 2: 'path'"},
        {LABELS "/etc/passwd,P,normal,,,\n", NULL, "line 2: 'path'"},
        {LABELS ",P,normal,,,\n", NULL, "line 2: 'path'"},
        {LABELS "a,P,normal,wide,,\n", NULL, "line 2: 'original_width_px'"},
        {LABELS "a,P,normal,1,1,m\n", "Gender,Age\nf,50\n", "patients.csv: no column for the patient's id"},
        {LABELS "a,P,normal,1,1,m\n", PATIENTS "1,P,f,old,1.6,60,-1,23\n",
         "patients.csv: line 2: the age is not a number"},
        {LABELS "a,P,normal,1,1,m\n", PATIENTS "1,P,f,50,1.6,60,-1,nan\n", "line 2: the BMI"},
        {LABELS "a,P,normal,1,1,m\n", PATIENTS "1,P,f,50,1.6,60,-1,23\n2,P,f,51,1.6,60,-1,23\n",
         "line 3: a second row"},
        {LABELS "a,P,normal,1,1,m\n", "Patient Id,Age\nP\n", "patients.csv"},
        {"", NULL, "labels.csv"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_bone_data data;
        const reha_status status = load(bad[i][0], bad[i][1], &data, &err);
        if (status == REHA_OK || strstr(err.text, bad[i][2]) == NULL) {
            fail_msg("table %zu: '%s' lacks '%s'", i, err.text, bad[i][2]);
        }
        assert_null(data.items);
    }
    reha_error err = REHA_ERROR_INIT;
    reha_bone_data data;
    assert_int_equal(reha_bone_data_load("no-such-folder", &data, &err), REHA_E_NOT_FOUND);
}

static void memory_runs_out(void **state)
{
    (void)state;
    save("labels.csv", LABELS "a,P1,normal,1,1,m1\nb,P2,osteopenia,1,1,m2\n");
    save("patients.csv", PATIENTS "1,P1,f,50,1.6,60,-1,23\n");
    const size_t before = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    for (long n = 0; status != REHA_OK; n++) {
        reha_bone_data data;
        reha_mem_fail_after(n);
        status = reha_bone_data_load(folder, &data, NULL);
        reha_mem_fail_after(-1);
        reha_bone_data_clear(&data);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_int_equal(reha_mem_live_blocks(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_as_people_write_them),
        cmocka_unit_test(copies_count_once_and_stay_in_one_group),
        cmocka_unit_test(without_sums_the_files_are_compared),
        cmocka_unit_test(faults_name_file_line_and_column),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests_name("bone_data", tests, make_folder, remove_folder);
}
