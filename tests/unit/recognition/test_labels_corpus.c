/* Replays the corpus of the fuzzer of fracture labels. */
#include "../../../fuzz/fuzz_labels.c"

#include "replay.h"

static void test_replay(void **state)
{
    (void)state;
    replay_corpus(REHA_SOURCE_DIR "/fuzz/corpus/labels", 4, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
