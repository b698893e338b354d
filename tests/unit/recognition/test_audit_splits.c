/* Groups that a split tears apart: which rows are told of, and which are not. */
#include "support.h"

#include "recognition/audit_priv.h"

#include <string.h>

static reha_place place_of(const void *context, size_t row)
{
    return ((const reha_place *)context)[row];
}

/* What is told of the rows: their names, with blanks between. */
static void told_of(const reha_place *places, size_t row_count, size_t group_count, reha_parted_count counted,
                    const char *names, size_t count)
{
    reha_error err = REHA_ERROR_INIT;
    char told[80] = "";
    reha_problem found = reha_problem_new("code", "error", "what", "remedy");
    assert_ok(reha_find_parted_groups(row_count, group_count, place_of, places, counted, &found, &err), &err);
    for (size_t i = 0; i < json_array_size(found.examples); i++) {
        (void)strcat(strcat(told, i > 0 ? " " : ""), json_string_value(json_array_get(found.examples, i)));
    }
    assert_string_equal(told, names);
    assert_int_equal(found.count, count);
    reha_problem_close(NULL, &found);
}

static void rows_elsewhere_than_the_first_of_their_group_are_told(void **state)
{
    (void)state;
    char same[] = "train"; /* splits are compared by their text */
    const reha_place places[] = {{0, "train", "a"}, {1, "val", "b"},  {0, "val", "c"},   {2, "test", "d"},
                                 {0, same, "e"},    {0, "test", "f"}, {1, "train", "g"}, {2, "test", "h"}};
    told_of(places, 8, 3, REHA_COUNT_ROWS, "c f g", 3);
    told_of(places, 8, 3, REHA_COUNT_GROUPS, "c g", 2);
}

static void whole_groups_and_no_rows_are_no_case(void **state)
{
    (void)state;
    const reha_place places[] = {{0, "train", "a"}, {1, "val", "b"}, {0, "train", "c"}, {1, "val", "d"}};
    told_of(places, 4, 2, REHA_COUNT_ROWS, "", 0);
    told_of(places, 0, 0, REHA_COUNT_ROWS, "", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_elsewhere_than_the_first_of_their_group_are_told),
        cmocka_unit_test(whole_groups_and_no_rows_are_no_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
