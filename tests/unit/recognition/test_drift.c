/* The comparison of two tables: false alarms at the stated rate, changes found, hand-made distances. */
#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "recognition/drift.h"

#include <math.h>
#include <string.h>

static reha_error err = REHA_ERROR_INIT;

static reha_drift_table table_of(size_t columns)
{
    reha_drift_table table = {.column_count = columns};
    for (size_t c = 0; c < columns; c++) {
        (void)snprintf(table.names[c], REHA_DRIFT_NAME_BYTES, "column %zu", c);
    }
    return table;
}

/* Four numbers that hang together, and a share. */
static reha_drift_table draw(reha_random *random, size_t rows, double shift, double share)
{
    reha_drift_table table = table_of(5);
    double common = 0.0;
    table.is_share[4] = true;
    for (size_t i = 0; i < rows; i++) {
        double *row = NULL;
        assert_ok(reha_drift_table_add(&table, &row, &err), &err);
        common = i % 2 == 0 ? reha_random_normal(random) : common; /* two images of each person */
        table.groups[i] = i - i % 2;
        for (int c = 0; c < 4; c++) {
            row[c] = common + 0.5 * reha_random_normal(random) + (c == 2 ? shift : 0.0);
        }
        row[4] = reha_random_unit(random) < share ? 1.0 : 0.0;
    }
    return table;
}

static int alarms(double shift, double share, int rounds, double rate)
{
    int count = 0;
    reha_random random = reha_random_init(5, 1);
    reha_drift_options how = reha_drift_options_default();
    how.permutations = 199;
    how.false_alarm_rate = rate;
    for (int i = 0; i < rounds; i++) {
        reha_drift_report report;
        reha_drift_table a = draw(&random, 300, 0.0, 0.1);
        reha_drift_table b = draw(&random, 120, shift, share);
        how.seed = (uint64_t)i;
        assert_ok(reha_drift_compare(&a, &b, &how, &report, &err), &err);
        count += report.is_alarm ? 1 : 0;
        reha_drift_table_clear(&a);
        reha_drift_table_clear(&b);
    }
    return count;
}

static void false_alarms_keep_their_rate(void **state)
{
    (void)state;
    const int count = alarms(0.0, 0.1, 200, 0.1);
    assert_in_range(count, 9, 33); /* 20 of 200 expected; 99.9 % of such runs */
}

static void changes_are_found(void **state)
{
    (void)state;
    assert_true(alarms(1.0, 0.1, 20, 0.01) >= 19); /* one of four numbers */
    assert_true(alarms(0.0, 0.5, 20, 0.01) >= 19); /* a share: 10 to 50 % */
}

/* {1,2,3,4} against {3,4,5}, 5 also unknown: at value 2 half of the first lie below and none of the second.
 */
static void the_distance_by_hand(void **state)
{
    (void)state;
    const double a[4] = {1, 2, 3, 4};
    const double b[4] = {3, 4, 5, (double)NAN};
    reha_drift_table tables[2] = {table_of(2), table_of(2)};
    reha_drift_report report;
    reha_drift_options how = reha_drift_options_default();
    how.rows_min = 2;
    for (int i = 0; i < 4; i++) {
        double *row = NULL;
        assert_ok(reha_drift_table_add(&tables[0], &row, &err), &err);
        row[0] = a[i];
        assert_ok(reha_drift_table_add(&tables[1], &row, &err), &err);
        row[0] = b[i];
    }
    assert_ok(reha_drift_compare(&tables[0], &tables[1], &how, &report, &err), &err);
    assert_true(fabs(report.columns[0].distance - 0.5) < 1e-12);
    assert_int_equal(report.columns[0].reference_count, 4);
    assert_int_equal(report.columns[0].fresh_count, 3);
    assert_true(fabs(report.columns[0].reference_middle - 2.5) < 1e-12);
    assert_true(fabs(report.columns[0].fresh_middle - 4.0) < 1e-12);
    assert_true(isnan(report.columns[1].distance)); /* nothing known */
    assert_false(report.is_alarm);
    reha_drift_table_clear(&tables[0]);
    reha_drift_table_clear(&tables[1]);
}

static void bad_requests_are_refused(void **state)
{
    (void)state;
    reha_random random = reha_random_init(1, 1);
    reha_drift_table a = draw(&random, 30, 0.0, 0.1);
    reha_drift_table b = draw(&random, 10, 0.0, 0.1);
    reha_drift_report report;
    reha_drift_options how = reha_drift_options_default();
    assert_int_equal(reha_drift_compare(&a, &b, &how, &report, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "10 images are too few"));
    how.permutations = 20;
    assert_int_equal(reha_drift_compare(&a, &a, &how, &report, &err), REHA_E_ARG); /* 1/21 > 0.01 */
    (void)snprintf(b.names[0], sizeof b.names[0], "another");
    how = reha_drift_options_default();
    assert_int_equal(reha_drift_compare(&a, &b, &how, &report, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "different columns"));
    reha_drift_table_clear(&a);
    reha_drift_table_clear(&b);
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    reha_random random = reha_random_init(2, 1);
    reha_drift_table a = draw(&random, 30, 0.0, 0.1);
    reha_drift_options how = reha_drift_options_default();
    reha_drift_report report;
    how.permutations = 99;
    const size_t blocks = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    long rounds = 0;
    for (; status != REHA_OK; rounds++) {
        reha_mem_fail_after(rounds);
        status = reha_drift_compare(&a, &a, &how, &report, &err);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_int_equal(reha_mem_live_blocks(), blocks);
    }
    assert_true(rounds > 2);
    reha_drift_table_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(false_alarms_keep_their_rate),
        cmocka_unit_test(changes_are_found),
        cmocka_unit_test(the_distance_by_hand),
        cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests_name("drift", tests, NULL, NULL);
}
