#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "store/blob.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/reha-blob-XXXXXX";
static const uint8_t key[REHA_KEY_BYTES] = {7};
static reha_blobs *blobs;

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL && reha_secret_start(NULL) == REHA_OK &&
                   reha_blobs_open(folder, key, &blobs, NULL) == REHA_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[64];
    reha_blobs_close(blobs);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static uint8_t *pattern(size_t count)
{
    uint8_t *bytes = reha_alloc(count);
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(i * 31U + i / 251U + count);
    }
    return bytes;
}

/* The published example (FIPS 180-4, "abc"); pieces of any size; and files together with their names. */
static void test_digests(void **state)
{
    enum { SIZE = 3 << 20 };
    (void)state;
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const char *const names[] = {"a.bin", "b.bin"};
    reha_error err = REHA_ERROR_INIT;
    reha_digest digest;
    char found[REHA_DIGEST_TEXT_BYTES], other[REHA_DIGEST_TEXT_BYTES];
    reha_digest_bytes("abc", 3, found);
    assert_string_equal(found, abc);
    uint8_t *bytes = pattern(SIZE);
    char *a = reha_path_join(folder, names[0]);
    char *b = reha_path_join(folder, names[1]);
    assert_ok(reha_file_save(a, bytes, SIZE, &err), &err);
    assert_ok(reha_file_save(b, "abc", 3, &err), &err);
    assert_ok(reha_digest_file(b, found, &err), &err);
    assert_string_equal(found, abc);
    assert_ok(reha_digest_file(a, found, &err), &err);
    reha_digest_init(&digest);
    for (size_t done = 0, part = 1; done < SIZE; done += part, part = part * 3 + 1) {
        part = part < SIZE - done ? part : SIZE - done;
        reha_digest_add(&digest, bytes + done, part);
    }
    reha_digest_end(&digest, other);
    assert_string_equal(found, other);
    assert_ok(reha_digest_files(folder, names, 2, found, &err), &err);
    reha_digest_add(&digest, "a.bin", 6); /* after its end it begins anew */
    reha_digest_add(&digest, bytes, SIZE);
    reha_digest_add(&digest, "b.bin", 6);
    reha_digest_add(&digest, "abc", 3);
    reha_digest_end(&digest, other);
    assert_string_equal(found, other);
    assert_int_equal(remove(b), 0);
    assert_int_equal(reha_digest_files(folder, names, 2, found, &err), REHA_E_NOT_FOUND);
    assert_string_equal(found, "");
    assert_int_equal(remove(a), 0);
    reha_free(a);
    reha_free(b);
    reha_free(bytes);
}

static void test_comes_back_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 300001};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        char digest[REHA_DIGEST_TEXT_BYTES];
        uint8_t *back = NULL;
        size_t back_bytes = 0;
        uint8_t *bytes = pattern(sizes[i]);
        assert_ok(reha_blobs_put(blobs, bytes, sizes[i], digest, &err), &err);
        assert_ok(reha_blobs_put(blobs, bytes, sizes[i], digest, &err), &err); /* a second time is nothing */
        assert_true(reha_blobs_has(blobs, digest));
        assert_ok(reha_blobs_get(blobs, digest, sizes[i], &back, &back_bytes, &err), &err);
        assert_int_equal(back_bytes, sizes[i]);
        assert_memory_equal(back, bytes, sizes[i]);
        reha_free(back);
        if (sizes[i] > 0) {
            assert_int_equal(reha_blobs_get(blobs, digest, sizes[i] - 1, &back, &back_bytes, &err),
                             REHA_E_LIMIT);
        }
        reha_free(bytes);
    }
}

static void test_pieces_equal_the_whole(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char digest[REHA_DIGEST_TEXT_BYTES];
    char whole[REHA_DIGEST_TEXT_BYTES];
    reha_blob_writer *writer = NULL;
    uint8_t *bytes = pattern(200000);
    uint8_t *back = NULL;
    size_t back_bytes = 0;
    assert_ok(reha_blob_writer_new(blobs, &writer, &err), &err);
    for (size_t at = 0; at < 200000; at += 7777) {
        assert_ok(reha_blob_writer_add(writer, bytes + at, at + 7777 < 200000 ? 7777 : 200000 - at, &err),
                  &err);
    }
    assert_ok(reha_blob_writer_end(writer, digest, &back, &back_bytes, &err), &err);
    reha_digest_bytes(bytes, 200000, whole);
    assert_string_equal(digest, whole);
    assert_memory_equal(back, bytes, 200000);
    assert_false(reha_blobs_has(blobs, digest)); /* not before it is kept */
    assert_ok(reha_blob_writer_keep(writer, &err), &err);
    assert_true(reha_blobs_has(blobs, digest));
    reha_blob_writer_free(writer);
    reha_free(back);
    reha_free(bytes);
}

static void test_nothing_readable_on_disk(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    static const char secret[] = "PatientName ZZSECRET, a text long enough to be found";
    char digest[REHA_DIGEST_TEXT_BYTES];
    uint8_t *raw = NULL;
    size_t raw_bytes = 0;
    struct stat info;
    assert_ok(reha_blobs_put(blobs, secret, sizeof secret, digest, &err), &err);
    char *path = reha_blobs_path(blobs, digest);
    assert_ok(reha_file_load(path, 1 << 20, &raw, &raw_bytes, &err), &err);
    for (size_t i = 0; i + 8 <= raw_bytes; i++) {
        assert_true(memcmp(raw + i, "ZZSECRET", 8) != 0);
    }
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 077, 0);
    reha_free(raw);
    reha_free(path);
}

static void expect_tampered(const char *digest, const char *what)
{
    reha_error err = REHA_ERROR_INIT;
    uint8_t *back = NULL;
    size_t back_bytes = 0;
    if (reha_blobs_get(blobs, digest, 1 << 20, &back, &back_bytes, &err) != REHA_E_TAMPERED) {
        fail_msg("%s was not found", what);
    }
    assert_null(back);
}

static void test_any_alteration_is_found(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char digest[REHA_DIGEST_TEXT_BYTES];
    char other[REHA_DIGEST_TEXT_BYTES];
    uint8_t *raw = NULL;
    size_t raw_bytes = 0;
    uint8_t *bytes = pattern(140000);
    assert_ok(reha_blobs_put(blobs, bytes, 140000, digest, &err), &err);
    assert_ok(reha_blobs_put(blobs, bytes, 139999, other, &err), &err);
    char *path = reha_blobs_path(blobs, digest);
    char *other_path = reha_blobs_path(blobs, other);
    assert_ok(reha_file_load(path, 1 << 20, &raw, &raw_bytes, &err), &err);
    for (size_t at = 0; at < raw_bytes; at += at < 100 ? 1 : 9973) {
        raw[at] ^= 1U;
        assert_ok(reha_file_save(path, raw, raw_bytes, &err), &err);
        expect_tampered(digest, "a flipped bit");
        raw[at] ^= 1U;
    }
    for (size_t cut = 0; cut < raw_bytes; cut += cut < 60 ? 1 : 6553) {
        assert_ok(reha_file_save(path, raw, cut, &err), &err);
        expect_tampered(digest, "a cut file");
    }
    assert_ok(reha_file_save(path, raw, 32 + 2 * (65536 + 17), &err), &err); /* cut between two pieces */
    expect_tampered(digest, "a missing last piece");
    assert_ok(reha_file_save(other_path, raw, raw_bytes, &err), &err); /* sealed well, but another's */
    expect_tampered(other, "another file's content");
    reha_free(raw);
    reha_free(path);
    reha_free(other_path);
    reha_free(bytes);
}

static void test_names_are_checked(void **state)
{
    (void)state;
    uint8_t *back = NULL;
    size_t back_bytes = 0;
    char absent[REHA_DIGEST_TEXT_BYTES];
    reha_digest_bytes("no", 2, absent);
    assert_int_equal(reha_blobs_get(blobs, "../../etc/passwd", 99, &back, &back_bytes, NULL), REHA_E_ARG);
    assert_int_equal(reha_blobs_get(blobs, absent, 99, &back, &back_bytes, NULL), REHA_E_NOT_FOUND);
    assert_false(reha_blobs_has(blobs, "x"));
}

static void test_a_dead_writers_file_is_removed(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char command[80];
    reha_blob_writer *living = NULL;
    reha_blobs *again = NULL;
    assert_ok(reha_blob_writer_new(blobs, &living, &err), &err);
    const pid_t child = fork();
    if (child == 0) {
        reha_blob_writer *writer = NULL;
        const bool made = reha_blob_writer_new(blobs, &writer, NULL) == REHA_OK &&
                          reha_blob_writer_add(writer, "half", 4, NULL) == REHA_OK;
        _exit(made ? 0 : 1);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
    assert_ok(reha_blobs_open(folder, key, &again, &err), &err);
    (void)snprintf(command, sizeof command, "test $(ls '%s/incoming' | wc -l) = 1", folder);
    assert_int_equal(system(command), 0); /* the living one's stays */
    reha_blob_writer_free(living);
    reha_blobs_close(again);
}

/* Only what nobody names goes; a second name of the same bytes on disk (as an undelete would find them) opens
 * no more. */
static reha_status is_first(void *context, const char *digest, bool *out, reha_error *err)
{
    (void)err;
    *out = strcmp(context, digest) == 0;
    return REHA_OK;
}

static void test_what_nobody_names_is_swept(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char kept[REHA_DIGEST_TEXT_BYTES];
    char gone[REHA_DIGEST_TEXT_BYTES];
    char undeleted[PATH_MAX];
    uint8_t *back = NULL;
    size_t count = 0;
    uint8_t *bytes = pattern(70000);
    assert_ok(reha_blobs_put(blobs, bytes, 70000, kept, &err), &err);
    assert_ok(reha_blobs_put(blobs, bytes, 69999, gone, &err), &err);
    char *path = reha_blobs_path(blobs, gone);
    (void)snprintf(undeleted, sizeof undeleted, "%s/undeleted", folder);
    assert_int_equal(link(path, undeleted), 0);
    assert_ok(reha_blobs_sweep(blobs, is_first, kept, &err), &err);
    assert_false(reha_blobs_has(blobs, gone));
    assert_ok(reha_blobs_get(blobs, kept, 1000000, &back, &count, &err), &err);
    assert_int_equal(count, 70000);
    reha_free(back);
    assert_int_equal(rename(undeleted, path), 0);
    assert_int_equal(reha_blobs_get(blobs, gone, 1000000, &back, &count, &err), REHA_E_TAMPERED);
    assert_ok(reha_blobs_remove(blobs, gone, &err), &err);
    assert_ok(reha_blobs_remove(blobs, gone, &err), &err); /* twice is fine */
    assert_int_equal(reha_blobs_remove(blobs, "../records.db", &err), REHA_E_ARG);
    assert_false(reha_blobs_has(blobs, gone));
    reha_free(path);
    reha_free(bytes);
}

/* All pieces of a blob together; the status of the last call. */
static reha_status read_pieces(const char *digest, uint8_t *out, size_t *count, reha_error *err)
{
    reha_blob_reader *reader = NULL;
    const uint8_t *piece = NULL;
    size_t part = 1;
    *count = 0;
    reha_status status = reha_blob_reader_new(blobs, digest, &reader, err);
    while (status == REHA_OK && part > 0) {
        status = reha_blob_reader_next(reader, &piece, &part, err);
        if (status == REHA_OK) {
            assert_true(part <= 65536);
            memcpy(out + *count, piece, part);
            *count += part;
        }
    }
    if (status == REHA_OK) {
        assert_int_equal(reha_blob_reader_bytes(reader), *count);
        assert_ok(reha_blob_reader_next(reader, &piece, &part, err), err); /* behind the end is the end */
        assert_int_equal(part, 0);
    }
    reha_blob_reader_free(reader);
    return status;
}

static void test_is_read_in_pieces(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 300001};
    uint8_t *back = reha_alloc(400000);
    size_t count = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        char digest[REHA_DIGEST_TEXT_BYTES];
        uint8_t *bytes = pattern(sizes[i]);
        assert_ok(reha_blobs_put(blobs, bytes, sizes[i], digest, &err), &err);
        assert_ok(read_pieces(digest, back, &count, &err), &err);
        assert_int_equal(count, sizes[i]);
        assert_memory_equal(back, bytes, count);
        /* Any byte altered, cut off, or another file's content under this name. */
        char *file = reha_blobs_path(blobs, digest);
        uint8_t *sealed = NULL;
        size_t sealed_bytes = 0;
        assert_ok(reha_file_load(file, 1 << 20, &sealed, &sealed_bytes, &err), &err);
        for (size_t at = 0; at < sealed_bytes; at += 1 + sealed_bytes / 9) {
            sealed[at] ^= 4;
            assert_ok(reha_file_save(file, sealed, sealed_bytes, &err), &err);
            assert_int_equal(read_pieces(digest, back, &count, &err), REHA_E_TAMPERED);
            sealed[at] ^= 4;
        }
        assert_ok(reha_file_save(file, sealed, sealed_bytes - 1, &err), &err);
        assert_int_equal(read_pieces(digest, back, &count, &err), REHA_E_TAMPERED);
        char other[REHA_DIGEST_TEXT_BYTES];
        assert_ok(reha_blobs_put(blobs, "other", 5, other, &err), &err);
        char *others = reha_blobs_path(blobs, other);
        assert_int_equal(rename(others, file), 0);
        assert_int_equal(read_pieces(digest, back, &count, &err), REHA_E_TAMPERED);
        assert_ok(reha_file_save(file, sealed, sealed_bytes, &err), &err);
        assert_ok(read_pieces(digest, back, &count, &err), &err);
        reha_free(sealed);
        reha_free(others);
        reha_free(file);
        reha_free(bytes);
        assert_int_equal(read_pieces(other, back, &count, &err), REHA_E_NOT_FOUND);
    }
    reha_free(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_digests),
                                       cmocka_unit_test(test_comes_back_whole),
                                       cmocka_unit_test(test_pieces_equal_the_whole),
                                       cmocka_unit_test(test_is_read_in_pieces),
                                       cmocka_unit_test(test_nothing_readable_on_disk),
                                       cmocka_unit_test(test_any_alteration_is_found),
                                       cmocka_unit_test(test_names_are_checked),
                                       cmocka_unit_test(test_a_dead_writers_file_is_removed),
                                       cmocka_unit_test(test_what_nobody_names_is_swept)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
