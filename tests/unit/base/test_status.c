#include "support.h"

#include "base/status.h"

#include <string.h>

static void test_fail_writes_status_and_text(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    assert_int_equal(reha_fail(&err, REHA_E_FORMAT, "row %d", 7), REHA_E_FORMAT);
    assert_int_equal(err.status, REHA_E_FORMAT);
    assert_string_equal(err.text, "row 7");
    assert_int_equal(reha_fail(NULL, REHA_E_IO, "nobody listens"), REHA_E_IO);
}

static void test_long_texts_are_cut_not_overrun(void **state)
{
    (void)state;
    char longer[2 * REHA_ERROR_TEXT_BYTES];
    reha_error err = REHA_ERROR_INIT;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    (void)reha_fail(&err, REHA_E_ARG, "%s", longer);
    assert_int_equal(strlen(err.text), REHA_ERROR_TEXT_BYTES - 1);
    reha_error_prefix(&err, "%s", longer);
    assert_int_equal(strlen(err.text), REHA_ERROR_TEXT_BYTES - 1);
}

static void test_prefix(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    (void)reha_fail(&err, REHA_E_ARG, "too small");
    reha_error_prefix(&err, "%s", "knee.png");
    assert_string_equal(err.text, "knee.png: too small");
    reha_error_prefix(NULL, "x");
}

static void test_names_and_blame(void **state)
{
    (void)state;
    for (int i = 0; i < REHA_STATUS_COUNT; i++) {
        assert_true(strlen(reha_status_name((reha_status)i)) > 0);
    }
    assert_string_equal(reha_status_name((reha_status)999), "unknown");
    assert_true(reha_status_is_input_fault(REHA_E_FORMAT));
    assert_true(reha_status_is_input_fault(REHA_E_REFUSED));
    assert_false(reha_status_is_input_fault(REHA_E_NOMEM));
    assert_false(reha_status_is_input_fault(REHA_E_IO));
    assert_false(reha_status_is_input_fault(REHA_OK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fail_writes_status_and_text),
                                       cmocka_unit_test(test_long_texts_are_cut_not_overrun),
                                       cmocka_unit_test(test_prefix), cmocka_unit_test(test_names_and_blame)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
