#include "support.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

static void test_growing(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_text text = {0};
    char *out = NULL;
    for (int i = 0; i < 1000; i++) {
        reha_text_addf(&text, "%d,", i);
    }
    assert_ok(reha_text_take(&text, &out, &err), &err);
    assert_int_equal(strlen(out), 3890);
    assert_memory_equal(out, "0,1,2,", 6);
    reha_free(out);
    assert_ok(reha_text_take(&text, &out, &err), &err);
    assert_string_equal(out, "");
    reha_free(out);
}

static void test_html_is_escaped(void **state)
{
    (void)state;
    reha_text text = {0};
    char *out = NULL;
    reha_text_add_html(&text, "<a href=\"x\">'&'</a>");
    assert_int_equal(reha_text_take(&text, &out, NULL), REHA_OK);
    assert_string_equal(out, "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
    reha_free(out);
}

/* The published vectors of the authors (Noll's test suite). */
static void test_hashes(void **state)
{
    (void)state;
    assert_true(reha_hash32_text("") == 0x811c9dc5U);
    assert_true(reha_hash32_text("a") == 0xe40c292cU);
    assert_true(reha_hash32_text("foobar") == 0xbf9cf968U);
    assert_true(reha_hash64_text("") == 0xcbf29ce484222325ULL);
    assert_true(reha_hash64_text("a") == 0xaf63dc4c8601ec8cULL);
    assert_true(reha_hash64_text("foobar") == 0x85944171f73967e8ULL);
    assert_true(reha_hash64(reha_hash64_text("foo"), "bar", 3) == reha_hash64_text("foobar"));
}

static void test_timestamps(void **state)
{
    (void)state;
    static const struct {
        int64_t unix_s;
        int milliseconds;
        const char *text;
    } cases[] = {{0, 0, "1970-01-01T00:00:00.000Z"},
                 {951782399, 999, "2000-02-28T23:59:59.999Z"},
                 {951782400, 7, "2000-02-29T00:00:00.007Z"},
                 {-1, 0, "1969-12-31T23:59:59.000Z"},
                 {INT64_MAX, 0, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[REHA_TIMESTAMP_BYTES];
        reha_timestamp_of(cases[i].unix_s, cases[i].milliseconds, out);
        assert_string_equal(out, cases[i].text);
    }
}

static void test_base64(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < 5; i++) { /* RFC 4648, section 10 */
        reha_text text = {0};
        char *out = NULL;
        reha_text_add_base64(&text, (const uint8_t *)pairs[i][0], strlen(pairs[i][0]));
        assert_int_equal(reha_text_take(&text, &out, NULL), REHA_OK);
        assert_string_equal(out, pairs[i][1]);
        reha_free(out);
    }
}

static void test_memory_failure_is_reported_once_at_the_end(void **state)
{
    (void)state;
    for (long round = 0; round < 4; round++) {
        reha_text text = {0};
        char *out = NULL;
        reha_mem_fail_after(round);
        for (int i = 0; i < 200; i++) {
            reha_text_add(&text, "0123456789");
        }
        const reha_status status = reha_text_take(&text, &out, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_true((status == REHA_OK) == (out != NULL));
        reha_free(out);
    }
    assert_int_equal(reha_mem_live_blocks(), 0);
}

static void test_numbers(void **state)
{
    (void)state;
    int64_t whole = 0;
    double number = 0.0;
    assert_true(reha_parse_int64(" 42 ", &whole));
    assert_int_equal(whole, 42);
    assert_true(reha_parse_int64("-9223372036854775808", &whole));
    static const char *const bad_whole[] = {"", " ", "4x", "0x10", "1.5", "9223372036854775808", "--1"};
    for (size_t i = 0; i < sizeof bad_whole / sizeof bad_whole[0]; i++) {
        assert_false(reha_parse_int64(bad_whole[i], &whole));
        assert_int_equal(whole, 0);
    }
    assert_true(reha_parse_double("1e-3", true, &number));
    assert_true(fabs(number - 1e-3) < 1e-15);
    assert_true(reha_parse_double("nan", false, &number));
    static const char *const bad_number[] = {"", "nan", "inf", "1e999", "0x1p3", "1,5", "1.5mm"};
    for (size_t i = 0; i < sizeof bad_number / sizeof bad_number[0]; i++) {
        assert_false(reha_parse_double(bad_number[i], true, &number));
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_true(reha_str_equal_nocase("Knee.PNG", "knee.png"));
    assert_false(reha_str_equal_nocase("knee", "knees"));
    assert_true(reha_str_ends_nocase("a/b/KNEE.PNG", ".png"));
    assert_false(reha_str_ends_nocase("png", ".png"));
}

static void test_window_over_bytes(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7};
    reha_bytes in = {data, sizeof data};
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    assert_true(reha_bytes_u8(&in, &u8) && u8 == 1);
    assert_true(reha_bytes_u16le(&in, &u16) && u16 == 0x0302);
    assert_true(reha_bytes_u32be(&in, &u32) && u32 == 0x04050607);
    assert_int_equal(in.left, 0);
    assert_false(reha_bytes_u8(&in, &u8));
    in = (reha_bytes){data, 3};
    assert_false(reha_bytes_u32le(&in, &u32));
    assert_int_equal(in.left, 3); /* a failed take moves nothing */
    assert_false(reha_bytes_skip(&in, SIZE_MAX));
    assert_true(reha_bytes_starts(in, "\1\2", 2));
    assert_false(reha_bytes_starts(in, "\1\2\3\4", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_growing),
                                       cmocka_unit_test(test_html_is_escaped),
                                       cmocka_unit_test(test_hashes),
                                       cmocka_unit_test(test_timestamps),
                                       cmocka_unit_test(test_base64),
                                       cmocka_unit_test(test_memory_failure_is_reported_once_at_the_end),
                                       cmocka_unit_test(test_numbers),
                                       cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_window_over_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
