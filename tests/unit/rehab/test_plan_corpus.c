/* Replays the corpus of the fuzzer of plans. It reads guidelines/ of the root of the tree. */
#include "../../../fuzz/fuzz_plan.c"

#include "replay.h"

#include <unistd.h>

static void test_replay(void **state)
{
    (void)state;
    assert_int_equal(chdir(REHA_SOURCE_DIR), 0);
    (void)guidelines(); /* stay: no leak */
    replay_corpus(REHA_SOURCE_DIR "/fuzz/corpus/plan", 4, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
