#include "scratch.h"

#include "base/file.h"
#include "base/memory.h"
#include "recognition/dataset.h"

#include <string.h>

static reha_status load(const char *table, const char *split, reha_dataset *out, reha_error *err)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/labels.csv", folder);
    assert_int_equal(reha_file_save(path, table, strlen(table), err), REHA_OK);
    return reha_dataset_load(folder, split, out, err);
}

#define HEAD "path,knee_id,patient_id,side,split,kl\n"

static void test_rows_and_patients(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_dataset data;
    assert_ok(load("extra," HEAD "x,a.png,aL,a,L,train,0\ny,b.png,bR,b,right,val,4\nz,c.png,aR,a,R,train,2\n",
                   NULL, &data, &err),
              &err);
    assert_int_equal(data.count, 3);
    assert_int_equal(data.patient_count, 2);
    assert_int_equal(data.items[0].patient_idx, data.items[2].patient_idx);
    assert_int_not_equal(data.items[0].patient_idx, data.items[1].patient_idx);
    assert_int_equal(data.items[1].side, REHA_SIDE_RIGHT);
    assert_int_equal(data.items[1].grade, 4);
    assert_non_null(strstr(data.items[0].full_path, "/a.png"));
    reha_dataset_clear(&data);
    assert_ok(load(HEAD "a.png,a,a,L,train,0\nb.png,b,b,L,val,1\n", "val", &data, &err), &err);
    assert_int_equal(data.count, 1);
    assert_string_equal(data.items[0].path, "b.png");
    reha_dataset_clear(&data);
    assert_ok(load(HEAD "a.png,a,a,L,train,3.0\n", NULL, &data, &err),
              &err); /* as tables of numbers write 3 */
    assert_int_equal(data.items[0].grade, 3);
    reha_dataset_clear(&data);
}

static void test_rows_without_patient_are_patients_of_their_own(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_dataset data;
    assert_ok(load(HEAD "a.png,a,,L,train,0\nb.png,b,,L,train,1\n", NULL, &data, &err), &err);
    assert_int_equal(data.patient_count, 2);
    reha_dataset_clear(&data);
}

static void test_faults_name_line_and_column(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"path,kl\na.png,1\n", "'knee_id' is missing"},
        {HEAD "a.png,a,a,L,train,5\n", "line 2: 'kl' is '5'"},
        {HEAD "a.png,a,a,L,train,\n", "line 2: 'kl'"},
        {HEAD "a.png,a,a,L,train,2.5\n", "line 2: 'kl' is '2.5'"},
        {HEAD "a.png,a,a,L,train,nan\n", "line 2: 'kl' is 'nan'"},
        {HEAD "a.png,a,a,L,train,one\n", "line 2: 'kl' is 'one'"},
        {HEAD "../secret.png,a,a,L,train,1\n", "line 2: 'path'"},
        {HEAD "/etc/passwd,a,a,L,train,1\n", "below the folder, not '/etc/passwd'"},
        {HEAD "x/../../y,a,a,L,train,1\n", "line 2: 'path'"},
        {HEAD ",a,a,L,train,1\n", "line 2: 'path'"},
        {HEAD, "no rows"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_dataset data;
        assert_true(reha_status_is_input_fault(load(bad[i][0], NULL, &data, &err)));
        assert_non_null(strstr(err.text, bad[i][1]));
        assert_int_equal(data.count, 0);
    }
    reha_error err = REHA_ERROR_INIT;
    reha_dataset data;
    assert_int_equal(load(HEAD "a.png,a,a,L,train,0\n", "test", &data, &err), REHA_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "'train'"));
    assert_int_equal(reha_dataset_load("no/such", NULL, &data, &err), REHA_E_NOT_FOUND);
}

static void test_splits_that_cannot_be_learnt_from(void **state)
{
    static const char *const bad[][2] = {
        {HEAD "a.png,a,p1,L,train,0\nb.png,b,p2,L,train,2\nc.png,c,p1,R,val,1\nd.png,d,p3,R,val,3\n",
         "/labels.csv: a.png (split 'train') and c.png (split 'val') are of one patient"},
        {HEAD "a.png,a,p1,L,train,0\nb.png,b,p2,L,train,2\nc.png,c,p2,R,test,1\nd.png,d,p3,R,val,3\n",
         "b.png (split 'train') and c.png (split 'test') are of one patient"},
        {HEAD "a.png,a,p1,L,train,2\nb.png,b,p2,L,train,2\nc.png,c,p3,R,val,1\nd.png,d,p4,R,val,3\n",
         "every image of split 'train' has grade 2"},
        {HEAD "a.png,a,p1,L,train,0\nb.png,b,p2,L,train,2\nc.png,c,p3,R,val,3\nd.png,d,p4,R,val,3\n",
         "every image of split 'val' has grade 3"}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_dataset data;
        assert_ok(load(bad[i][0], NULL, &data, &err), &err);
        reha_dataset_clear(&data);
        assert_int_equal(reha_dataset_check_splits(folder, &err), REHA_E_FORMAT);
        if (strstr(err.text, bad[i][1]) == NULL) {
            fail_msg("case %zu: '%s' is not in '%s'", i, bad[i][1], err.text);
        }
    }
    reha_error err = REHA_ERROR_INIT;
    reha_dataset data;
    assert_ok(load(HEAD "a.png,a,p1,L,train,0\nb.png,b,,L,train,2\nc.png,c,,R,val,1\nd.png,d,p2,R,val,3\n",
                   NULL, &data, &err),
              &err); /* two rows without a patient are two patients */
    reha_dataset_clear(&data);
    assert_ok(reha_dataset_check_splits(folder, &err), &err);
    for (long round = 0, done = 0; !done; round++) {
        reha_mem_fail_after(round);
        const reha_status status = reha_dataset_check_splits(folder, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_int_equal(reha_mem_live_blocks(), 0);
        done = status == REHA_OK;
    }
}

static void test_memory_failures(void **state)
{
    (void)state;
    reha_status status = REHA_E_NOMEM;
    for (long round = 0; status != REHA_OK; round++) {
        reha_dataset data;
        reha_mem_fail_after(round);
        status = reha_dataset_load(folder, NULL, &data, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_dataset_clear(&data);
        assert_int_equal(reha_mem_live_blocks(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows_and_patients),
                                       cmocka_unit_test(test_rows_without_patient_are_patients_of_their_own),
                                       cmocka_unit_test(test_faults_name_line_and_column),
                                       cmocka_unit_test(test_splits_that_cannot_be_learnt_from),
                                       cmocka_unit_test(test_memory_failures)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
