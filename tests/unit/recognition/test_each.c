/* Work on many things: each once and in order, told after each, stopped before one, ended by a fault. */
#include "support.h"

#include "recognition/each.h"

#include <string.h>

typedef struct watch {
    size_t done, told, stop_at, fault_at; /* 0: never */
} watch;

static reha_status work(void *context, size_t index, reha_error *err)
{
    watch *w = context;
    assert_int_equal(index, w->done);
    w->done++;
    return w->done == w->fault_at ? reha_fail(err, REHA_E_FORMAT, "broken") : REHA_OK;
}

static void update(void *context, double done, double total, const char *unit, double rate, double left_s,
                   const char *text)
{
    watch *w = context;
    (void)rate;
    (void)text;
    assert_string_equal(unit, "images");
    assert_true(total == 5.0 && left_s >= 0.0);
    assert_true(done == (double)++w->told);
}

static bool should_stop(void *context)
{
    const watch *w = context;
    return w->stop_at > 0 && w->done >= w->stop_at;
}

static void test_each(void **state)
{
    (void)state;
    static const struct {
        size_t stop_at, fault_at, done, told;
        reha_status status;
    } cases[] = {{0, 0, 5, 5, REHA_OK},
                 {3, 0, 3, 3, REHA_E_CANCELLED},
                 {5, 0, 5, 5, REHA_OK}, /* nothing is left that could be stopped */
                 {0, 2, 2, 1, REHA_E_FORMAT}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        watch w = {.stop_at = cases[i].stop_at, .fault_at = cases[i].fault_at};
        const reha_progress progress = {&w, update, should_stop};
        assert_int_equal(reha_each(5, "images", &progress, work, &w, &err), cases[i].status);
        assert_int_equal(w.done, cases[i].done);
        assert_int_equal(w.told, cases[i].told);
        if (cases[i].status == REHA_E_CANCELLED) {
            assert_string_equal(err.text, "stopped after 3 of 5 images");
        }
    }
}

static void test_nobody_watches(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    watch w = {0};
    assert_ok(reha_each(4, "images", NULL, work, &w, &err), &err);
    assert_ok(reha_each(0, "images", NULL, work, NULL, &err), &err);
    assert_int_equal(w.done, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each), cmocka_unit_test(test_nobody_watches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
