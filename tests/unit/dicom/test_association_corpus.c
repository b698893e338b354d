/* Replays the corpus of the fuzzer of DICOM associations. */
#include "../../../fuzz/fuzz_association.c"

#include "replay.h"

static void test_replay(void **state)
{
    (void)state;
    replay_corpus(REHA_SOURCE_DIR "/fuzz/corpus/association", 8, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
