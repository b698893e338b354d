/* Replays the corpus of the fuzzer of HTTP headers and FHIR searches. */
#include "../../../fuzz/fuzz_http.c"

#include "replay.h"

static void test_replay(void **state)
{
    (void)state;
    replay_corpus(REHA_SOURCE_DIR "/fuzz/corpus/http", 3, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
