/* The shared loop, and threads that leave each other's processor. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* cpu_set_t */
#endif
#include "support.h"

#include "base/threads.h"

#include <sched.h>

enum { COUNT = 200, THREADS = 3 };

typedef struct loop {
    atomic_int calls[COUNT];
    atomic_int wrong_affinity;
    cpu_set_t allowed;
    size_t fails_at;
} loop;

static reha_status body(void *context, size_t index, size_t thread_idx, reha_error *err)
{
    loop *l = context;
    cpu_set_t now;
    assert_true(thread_idx < THREADS);
    atomic_fetch_add(&l->calls[index], 1);
    if (sched_getaffinity(0, sizeof now, &now) != 0 || !CPU_EQUAL(&now, &l->allowed)) {
        atomic_fetch_add(&l->wrong_affinity, 1);
    }
    return index == l->fails_at ? reha_fail(err, REHA_E_FORMAT, "index %zu", index) : REHA_OK;
}

static void test_every_index_once_and_affinity_kept(void **state)
{
    (void)state;
    for (size_t threads = 0; threads <= THREADS; threads++) {
        loop l = {.fails_at = COUNT};
        reha_error err = REHA_ERROR_INIT;
        assert_int_equal(sched_getaffinity(0, sizeof l.allowed, &l.allowed), 0);
        if (threads == 0 && reha_threads_available() > THREADS) {
            continue;
        }
        assert_int_equal(reha_parallel_for(COUNT, threads, body, &l, &err), REHA_OK);
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(atomic_load(&l.calls[i]), 1);
        }
        assert_int_equal(atomic_load(&l.wrong_affinity), 0);
    }
}

static void test_first_failure_is_told(void **state)
{
    (void)state;
    loop l = {.fails_at = 7};
    reha_error err = REHA_ERROR_INIT;
    assert_int_equal(sched_getaffinity(0, sizeof l.allowed, &l.allowed), 0);
    assert_int_equal(reha_parallel_for(COUNT, THREADS, body, &l, &err), REHA_E_FORMAT);
    assert_string_equal(err.text, "index 7");
}

static void test_claimed_processor_is_left(void **state)
{
    (void)state;
    cpu_set_t allowed, after;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    if (CPU_COUNT(&allowed) < 2) {
        skip();
    }
    reha_processors taken = {0};
    reha_processors_claim(&taken);
    reha_processors_claim(&taken); /* as another thread on the same processor would */
    int claimed = 0;
    for (size_t i = 0; i < sizeof taken.words / sizeof taken.words[0]; i++) {
        claimed += __builtin_popcountll(atomic_load(&taken.words[i]));
    }
    assert_int_equal(claimed, 2);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&allowed, &after));
}

static void test_one_processor_only(void **state)
{
    (void)state;
    cpu_set_t allowed, one, after;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    const int here = sched_getcpu();
    assert_true(here >= 0);
    CPU_ZERO(&one);
    CPU_SET((size_t)here, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    reha_processors taken = {0};
    reha_processors_claim(&taken);
    reha_processors_claim(&taken);
    assert_int_equal(sched_getcpu(), here);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&one, &after));
    assert_int_equal(sched_setaffinity(0, sizeof allowed, &allowed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_index_once_and_affinity_kept),
        cmocka_unit_test(test_first_failure_is_told),
        cmocka_unit_test(test_claimed_processor_is_left),
        cmocka_unit_test(test_one_processor_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
