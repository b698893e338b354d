#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "store/secret.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_identifiers_sort_and_differ(void **state)
{
    (void)state;
    char a[REHA_IDENTIFIER_BYTES];
    char b[REHA_IDENTIFIER_BYTES];
    reha_identifier_new(a);
    (void)usleep(2000);
    reha_identifier_new(b);
    assert_int_equal(strlen(a), 26);
    assert_true(strcmp(a, b) < 0);
}

static void test_tokens(void **state)
{
    (void)state;
    char a[REHA_TOKEN_TEXT_BYTES];
    char b[REHA_TOKEN_TEXT_BYTES];
    reha_token_new(a);
    reha_token_new(b);
    assert_int_equal(strlen(a), 43);
    assert_string_not_equal(a, b);
}

static void test_passwords(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char hash[REHA_PASSWORD_HASH_BYTES];
    assert_ok(reha_password_hash("correct horse", hash, &err), &err);
    assert_non_null(strstr(hash, "$argon2id$"));
    assert_true(reha_password_fits("correct horse", hash));
    assert_false(reha_password_fits("correct horsf", hash));
    assert_false(reha_password_fits("", hash));
    assert_false(reha_password_fits("correct horse", "no hash"));
}

static void test_one_time_codes(void **state)
{
    (void)state;
    /* RFC 6238, appendix B: the last six of its eight digits. */
    static const uint8_t secret[] = "12345678901234567890";
    static const struct {
        int64_t at;
        uint32_t code;
    } known[] = {{59, 287082},       {1111111109, 81804},  {1111111111, 50471},
                 {1234567890, 5924}, {2000000000, 279037}, {20000000000, 353130}};
    char text[REHA_TOTP_TEXT_BYTES];
    int64_t step = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_int_equal(reha_totp_code(secret, known[i].at), known[i].code);
    }
    reha_totp_text(secret, text);
    assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"); /* RFC 4648 of the same */
    assert_true(reha_totp_fits(secret, 59, "287082", &step));
    assert_int_equal(step, 1);
    assert_true(reha_totp_fits(secret, 89, "287082", &step));
    assert_false(reha_totp_fits(secret, 121, "287082", &step));
    assert_false(reha_totp_fits(secret, 59, "28708", &step));
    assert_false(reha_totp_fits(secret, 59, "287083", &step));
}

static void test_key_file(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char folder[] = "/tmp/reha-key-XXXXXX";
    char path[64];
    struct stat info;
    reha_keys first;
    reha_keys again;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/key", folder);
    assert_int_equal(reha_keys_load(path, false, &first, &err), REHA_E_NOT_FOUND);
    assert_ok(reha_keys_load(path, true, &first, &err), &err);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_ok(reha_keys_load(path, true, &again, &err), &err);
    assert_memory_equal(&first, &again, sizeof first);
    assert_memory_not_equal(first.blobs, first.audit, REHA_KEY_BYTES);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(reha_keys_load(path, true, &again, &err), REHA_E_DENIED);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 40), 0);
    assert_int_equal(reha_keys_load(path, true, &again, &err), REHA_E_FORMAT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void test_sealed_columns(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    static const uint8_t key[REHA_KEY_BYTES] = {3};
    static const uint8_t other[REHA_KEY_BYTES] = {4};
    char *sealed = NULL;
    char back[8];
    assert_ok(reha_secret_seal(key, "secret!", 8, &sealed, &err), &err);
    assert_null(strstr(sealed, "secret"));
    assert_ok(reha_secret_open(key, sealed, back, 8, &err), &err);
    assert_string_equal(back, "secret!");
    assert_int_equal(reha_secret_open(other, sealed, back, 8, &err), REHA_E_TAMPERED);
    assert_int_equal(reha_secret_open(key, "abcd", back, 8, &err), REHA_E_TAMPERED);
    sealed[50] = sealed[50] == 'a' ? 'b' : 'a';
    assert_int_equal(reha_secret_open(key, sealed, back, 8, &err), REHA_E_TAMPERED);
    reha_free(sealed);
}

static int start(void **state)
{
    (void)state;
    return reha_secret_start(NULL) == REHA_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_identifiers_sort_and_differ),
                                       cmocka_unit_test(test_tokens),
                                       cmocka_unit_test(test_passwords),
                                       cmocka_unit_test(test_one_time_codes),
                                       cmocka_unit_test(test_key_file),
                                       cmocka_unit_test(test_sealed_columns)};
    return cmocka_run_group_tests(tests, start, NULL);
}
