/* Groups that a split tears apart: which rows are told of, and which are not. */
#include "support.h"

#include "recognition/audit_priv.h"

enum { ROWS_MAX = 8 };

typedef struct rows {
    const reha_place *places;
    size_t told[ROWS_MAX];
    bool is_first[ROWS_MAX];
    size_t count;
} rows;

static reha_place place_of(const void *context, size_t row)
{
    return ((const rows *)context)->places[row];
}

static void tell(void *context, size_t row, bool is_first)
{
    rows *to = context;
    assert_true(to->count < ROWS_MAX);
    to->told[to->count] = row;
    to->is_first[to->count++] = is_first;
}

static void rows_elsewhere_than_the_first_of_their_group_are_told(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char same[] = "train"; /* splits are compared by their text */
    const reha_place places[] = {{0, "train"}, {1, "val"},  {0, "val"},   {2, "test"},
                                 {0, same},    {0, "test"}, {1, "train"}, {2, "test"}};
    rows to = {.places = places};
    assert_ok(reha_find_parted_groups(8, 3, place_of, tell, &to, &err), &err);
    assert_int_equal(to.count, 3);
    assert_true(to.told[0] == 2 && to.is_first[0]);
    assert_true(to.told[1] == 5 && !to.is_first[1]);
    assert_true(to.told[2] == 6 && to.is_first[2]);
}

static void whole_groups_and_no_rows_are_no_case(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const reha_place places[] = {{0, "train"}, {1, "val"}, {0, "train"}, {1, "val"}};
    rows to = {.places = places};
    assert_ok(reha_find_parted_groups(4, 2, place_of, tell, &to, &err), &err);
    assert_ok(reha_find_parted_groups(0, 0, place_of, tell, &to, &err), &err);
    assert_int_equal(to.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_elsewhere_than_the_first_of_their_group_are_told),
        cmocka_unit_test(whole_groups_and_no_rows_are_no_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
