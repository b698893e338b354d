/* Replays the corpus of a fuzzer and what a fuzzer would do first with it: cut, flip, splice. The test
 * includes the fuzzer's source before this file. */
#ifndef REHA_TESTS_REPLAY_H
#define REHA_TESTS_REPLAY_H

#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"

#include <string.h>

/* From a block of exactly that size, so that the address sanitizer sees the first byte too many. */
static inline void replay_exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static inline void replay_changed(uint8_t *data, size_t size, int rounds, reha_random *random)
{
    for (int cut = 0; cut < rounds; cut++) {
        replay_exact(data, reha_random_below(random, (uint32_t)size + 1));
    }
    for (int round = 0; round < rounds && size > 0; round++) {
        const size_t at = reha_random_below(random, (uint32_t)size);
        const uint8_t kept = data[at];
        data[at] = (uint8_t)(round % 2 == 0 ? reha_random_u32(random)
                                            : (uint32_t)kept ^ 1U << reha_random_below(random, 8));
        replay_exact(data, size);
        data[at] = kept;
    }
}

/* Each file of the folder as it is, and `rounds` times cut and changed. At least `files_min` must be there.
 */
static inline void replay_corpus(const char *folder, size_t files_min, int rounds)
{
    reha_paths files = {0};
    reha_error err = REHA_ERROR_INIT;
    reha_random random = reha_random_init(1, 2);
    const size_t blocks = reha_mem_live_blocks();
    assert_ok(reha_folder_list(folder, 10000, &files, &err), &err);
    assert_true(files.count >= files_min);
    for (size_t i = 0; i < files.count; i++) {
        uint8_t *data = NULL;
        size_t size = 0;
        assert_ok(reha_file_load(files.items[i], 1 << 20, &data, &size, &err), &err);
        replay_exact(data, size);
        replay_changed(data, size, rounds, &random);
        reha_free(data);
    }
    reha_paths_clear(&files);
    assert_int_equal(reha_mem_live_blocks(), blocks);
}

#endif
