#include "scratch.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_save_and_load(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    uint8_t *bytes = NULL;
    size_t count = 0;
    char *deep = reha_path_join(folder, "a/b");
    assert_ok(reha_folder_make(deep, &err), &err);
    assert_ok(reha_folder_make(deep, &err), &err);
    char *path = reha_path_join(deep, "x.bin");
    assert_ok(reha_file_save(path, "one", 3, &err), &err);
    assert_ok(reha_file_save(path, "two!", 4, &err), &err);
    assert_ok(reha_file_load(path, 4, &bytes, &count, &err), &err);
    assert_int_equal(count, 4);
    assert_memory_equal(bytes, "two!", 5); /* with the extra end mark */
    reha_free(bytes);
    assert_int_equal(reha_file_load(path, 3, &bytes, &count, &err), REHA_E_LIMIT);
    assert_null(bytes);
    reha_paths list = {0};
    assert_ok(reha_folder_list(folder, 10, &list, &err), &err);
    assert_int_equal(list.count, 1); /* no temporary file stays behind */
    assert_string_equal(list.items[0], path);
    reha_paths_clear(&list);
    reha_free(path);
    reha_free(deep);
}

typedef struct gathered {
    uint8_t *bytes;
    size_t count;
    int pieces;
} gathered;

static void gather(void *context, const uint8_t *bytes, size_t count)
{
    gathered *all = context;
    memcpy(all->bytes + all->count, bytes, count);
    all->count += count;
    all->pieces++;
}

static void test_pieces(void **state)
{
    enum { SIZE = 2500000 };
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    uint8_t *bytes = reha_alloc(SIZE);
    gathered all = {.bytes = reha_alloc(SIZE)};
    char *path = reha_path_join(folder, "pieces.bin");
    reha_random random = reha_random_init(4, 1);
    for (int i = 0; i < SIZE; i++) {
        bytes[i] = (uint8_t)reha_random_u32(&random);
    }
    assert_ok(reha_file_save(path, bytes, SIZE, &err), &err);
    assert_ok(reha_file_pieces(path, SIZE, gather, &all, &err), &err);
    assert_int_equal(all.count, SIZE);
    assert_int_equal(all.pieces, 3);
    assert_memory_equal(all.bytes, bytes, SIZE);
    assert_int_equal(reha_file_pieces(path, SIZE - 1, gather, &all, &err), REHA_E_LIMIT);
    assert_int_equal(reha_file_pieces("no/such", SIZE, gather, &all, &err), REHA_E_NOT_FOUND);
    assert_int_equal(reha_file_pieces("/dev/zero", SIZE, gather, &all, &err), REHA_E_FORMAT);
    assert_ok(reha_file_save(path, "", 0, &err), &err);
    assert_ok(reha_file_pieces(path, SIZE, gather, &all, &err), &err);
    assert_int_equal(all.pieces, 3); /* none came */
    assert_int_equal(remove(path), 0);
    reha_free(path);
    reha_free(all.bytes);
    reha_free(bytes);
}

/* Before and after the wish for large pages, blocks on both sides of its limit hold what is written. */
static void test_large_blocks(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (size_t mib = 1; mib <= 64; mib *= 4) {
            const size_t count = mib << 20;
            uint8_t *plain = reha_alloc(count);
            uint8_t *zeroed = reha_alloc_zero(count, 1);
            uint8_t *aligned = reha_alloc_aligned(count);
            assert_true(plain != NULL && zeroed != NULL && aligned != NULL);
            assert_true((uintptr_t)aligned % 64 == 0);
            for (size_t i = 0; i < count; i += 4096) {
                assert_int_equal(zeroed[i], 0);
                plain[i] = aligned[i] = (uint8_t)(i >> 12);
            }
            for (size_t i = 0; i < count; i += 4096) {
                assert_int_equal(plain[i], (uint8_t)(i >> 12));
                assert_int_equal(aligned[i], (uint8_t)(i >> 12));
            }
            reha_free(aligned);
            reha_free(zeroed);
            reha_free(plain);
        }
        reha_mem_expect_models();
    }
}

static void test_bad_paths(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_paths list = {0};
    assert_int_equal(reha_file_load("no/such", 10, &bytes, &count, &err), REHA_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "no/such"));
    assert_int_equal(reha_file_load(folder, 10, &bytes, &count, &err), REHA_E_FORMAT);
    assert_int_equal(reha_file_load("/dev/zero", 10, &bytes, &count, &err), REHA_E_FORMAT);
    assert_int_equal(reha_file_save("no/such/file", "x", 1, &err), REHA_E_NOT_FOUND);
    assert_int_equal(reha_file_check_target("no/such/file", &err), REHA_E_NOT_FOUND);
    assert_int_equal(reha_file_check_target(folder, &err), REHA_E_ARG);
    assert_ok(reha_file_check_target("here", &err), &err);
    assert_ok(reha_file_check_target(NULL, &err), &err);
    assert_int_equal(reha_folder_list("no/such", 10, &list, &err), REHA_E_NOT_FOUND);
    char *file = reha_path_join(folder, "plain");
    assert_ok(reha_file_save(file, "", 0, &err), &err);
    char *below = reha_path_join(file, "sub");
    assert_int_equal(reha_folder_make(below, &err), REHA_E_IO);
    assert_int_equal(reha_folder_list(folder, 0, &list, &err), REHA_E_LIMIT);
    reha_free(below);
    reha_free(file);
}

static reha_status square_of(void *context, size_t index, size_t thread_idx, reha_error *err)
{
    size_t *results = context;
    (void)thread_idx;
    results[index] = index * index;
    return index == 777 ? reha_fail(err, REHA_E_FORMAT, "item %zu", index) : REHA_OK;
}

static void test_parallel_loop(void **state)
{
    (void)state;
    static size_t results[1000];
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_parallel_for(777, 4, square_of, results, &err), &err);
    for (size_t i = 0; i < 777; i++) {
        assert_int_equal(results[i], i * i);
    }
    assert_int_equal(reha_parallel_for(1000, 3, square_of, results, &err), REHA_E_FORMAT);
    assert_string_equal(err.text, "item 777");
    assert_ok(reha_parallel_for(0, 0, square_of, results, &err), &err);
}

static void test_random(void **state)
{
    (void)state;
    reha_random a = reha_random_init(42, 54);
    /* First outputs of the reference implementation for seed 42, stream 54 (pcg32-demo). */
    static const uint32_t expected[] = {0xa15c02b7, 0x7b47f409, 0xba1d3330,
                                        0x83d2f293, 0xbfa4784b, 0xcbed606e};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(reha_random_u32(&a), expected[i]);
    }
    double sum = 0.0;
    double squares = 0.0;
    for (int i = 0; i < 20000; i++) {
        const double value = reha_random_normal(&a);
        sum += value;
        squares += value * value;
        assert_true(reha_random_below(&a, 7) < 7);
    }
    assert_true(sum / 20000 < 0.03 && sum / 20000 > -0.03);
    assert_true(squares / 20000 > 0.95 && squares / 20000 < 1.05);
    size_t items[50];
    size_t seen = 0;
    for (size_t i = 0; i < 50; i++) {
        items[i] = i;
    }
    reha_random_shuffle(&a, items, 50);
    for (size_t i = 0; i < 50; i++) {
        seen += items[i];
    }
    assert_int_equal(seen, 1225);
}

static void test_copy(void **state)
{
    (void)state;
    char from[96];
    char to[96];
    char absent[96];
    reha_error err = REHA_ERROR_INIT;
    struct stat info;
    uint8_t *back = NULL;
    size_t count = 0;
    int64_t bytes_done = 5;
    enum { SIZE = (3 << 20) + 7 }; /* several pieces, and a rest */
    uint8_t *data = malloc(SIZE);
    assert_non_null(data);
    for (size_t i = 0; i < SIZE; i++) {
        data[i] = (uint8_t)(i * 31U >> 3);
    }
    (void)snprintf(from, sizeof from, "%s/copied", folder);
    (void)snprintf(to, sizeof to, "%s/copy", folder);
    (void)snprintf(absent, sizeof absent, "%s/none/copy", folder);
    assert_ok(reha_file_save(from, data, SIZE, &err), &err);
    assert_ok(reha_file_copy(from, to, &bytes_done, &err), &err);
    assert_int_equal(bytes_done, 5 + SIZE);
    assert_int_equal(stat(to, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_ok(reha_file_load(to, SIZE, &back, &count, &err), &err);
    assert_int_equal(count, SIZE);
    assert_memory_equal(back, data, SIZE);
    assert_int_equal(reha_file_copy(from, to, &bytes_done, &err), REHA_E_CONFLICT); /* never over something */
    assert_int_equal(reha_file_copy(absent, to, NULL, &err), REHA_E_NOT_FOUND);
    assert_int_equal(reha_file_copy(from, absent, NULL, &err), REHA_E_IO);
    assert_int_equal(reha_file_copy(folder, absent, NULL, &err), REHA_E_FORMAT);
    assert_int_equal(bytes_done, 5 + SIZE);
    (void)unlink(to);
    reha_mem_fail_after(0);
    assert_int_equal(reha_file_copy(from, to, NULL, &err), REHA_E_NOMEM);
    reha_mem_fail_after(-1);
    assert_int_not_equal(stat(to, &info), 0); /* nothing half stays */
    reha_free(back);
    free(data);
}

static void test_folders_beside_the_program(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char *program = NULL;
    char *found = NULL;
    assert_int_equal(setenv("REHA_TEST_FOLDER", "/chosen/by/hand", 1), 0);
    assert_ok(reha_folder_beside_program("REHA_TEST_FOLDER", "tests", &found, &err), &err);
    assert_string_equal(found, "/chosen/by/hand");
    reha_free(found);
    assert_int_equal(unsetenv("REHA_TEST_FOLDER"), 0);
    assert_ok(reha_program_path(&program, &err), &err);
    assert_int_equal(program[0], '/');
    assert_string_equal(reha_path_name(program), "base_test_file");
    reha_free(program);
    assert_ok(reha_folder_beside_program("REHA_TEST_FOLDER", "tests", &found, &err),
              &err); /* it lies there */
    assert_true(reha_path_is_folder(found));
    reha_free(found);
    assert_int_equal(reha_folder_beside_program("REHA_TEST_FOLDER", "no-such", &found, &err),
                     REHA_E_NOT_FOUND);
    assert_null(found);
    assert_string_equal(err.text,
                        "no no-such folder beside the program: set REHA_TEST_FOLDER or give --no-such DIR");
}

static void test_clock(void **state)
{
    (void)state;
    char now[REHA_TIMESTAMP_BYTES];
    reha_clock_timestamp(now);
    assert_int_equal(strlen(now), 24);
    assert_int_equal(now[10], 'T');
    assert_int_equal(now[23], 'Z');
    const double start_ms = reha_clock_ms();
    assert_true(reha_clock_ms() >= start_ms);
}

static void test_paths_that_leave_a_folder(void **state)
{
    (void)state;
    static const char *const inside[] = {"a", "a/b.png", "..a/b", "a/..b", "a/...", "a//b", "./a", ""};
    static const char *const outside[] = {"/a", "..", "../a", "a/..", "a/../b", "a//../b", "/"};
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        assert_true(reha_path_stays_inside(inside[i]));
    }
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_false(reha_path_stays_inside(outside[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_paths_that_leave_a_folder),
                                       cmocka_unit_test(test_save_and_load),
                                       cmocka_unit_test(test_pieces),
                                       cmocka_unit_test(test_large_blocks),
                                       cmocka_unit_test(test_bad_paths),
                                       cmocka_unit_test(test_copy),
                                       cmocka_unit_test(test_parallel_loop),
                                       cmocka_unit_test(test_random),
                                       cmocka_unit_test(test_folders_beside_the_program),
                                       cmocka_unit_test(test_clock)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
