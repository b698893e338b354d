#include "support.h"

#include "web/http.h"

#include <string.h>

static void test_cookies(void **state)
{
    (void)state;
    char out[8];
    assert_true(reha_http_cookie("a=1; session=abc; b=2", "session", out, sizeof out));
    assert_string_equal(out, "abc");
    assert_true(reha_http_cookie("session=abc", "session", out, sizeof out));
    assert_false(reha_http_cookie("xsession=abc", "session", out, sizeof out));
    assert_false(reha_http_cookie("session=", "session", out, sizeof out));
    assert_false(reha_http_cookie("session", "session", out, sizeof out));
    assert_false(
        reha_http_cookie("session=12345678", "session", out, sizeof out)); /* no room: not cut short */
    assert_string_equal(out, "");
    assert_false(reha_http_cookie(NULL, "session", out, sizeof out));
    assert_false(reha_http_cookie(" ; ;; ", "session", out, sizeof out));
}

static void test_etags(void **state)
{
    (void)state;
    assert_true(reha_http_etag_matches("\"3-a\"", "\"3-a\""));
    assert_true(reha_http_etag_matches("\"1\", W/\"3-a\" , \"4\"", "\"3-a\""));
    assert_true(reha_http_etag_matches("*", "\"3-a\""));
    assert_false(reha_http_etag_matches("\"3-a", "\"3-a\""));
    assert_false(reha_http_etag_matches("\"3-ab\"", "\"3-a\""));
    assert_false(reha_http_etag_matches("", "\"3-a\""));
    assert_false(reha_http_etag_matches("*", "")); /* nothing has no tag */
    assert_false(reha_http_etag_matches(NULL, "\"3-a\""));
}

static void test_places(void **state)
{
    (void)state;
    static const char *const ours[] = {"127.0.0.1",  "127.0.0.1:8080", "localhost", "LOCALHOST:1",
                                       "[::1]:8080", "[::1]",          "::1"};
    static const char *const others[] = {
        "",          "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8080", "[::2]:8080",
        "127.0.0.2", "[::1",         "10.0.0.1:8080"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        assert_true(reha_http_is_loopback_host(ours[i]));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(reha_http_is_loopback_host(others[i]));
    }
    assert_true(reha_http_is_same_origin("http://127.0.0.1:8080", "127.0.0.1:8080", false));
    assert_false(reha_http_is_same_origin("http://127.0.0.1:8081", "127.0.0.1:8080", false));
    assert_false(reha_http_is_same_origin("https://127.0.0.1:8080", "127.0.0.1:8080", false));
    assert_true(reha_http_is_same_origin("https://clinic.example", "clinic.example", true));
    assert_false(reha_http_is_same_origin("http://clinic.example", "clinic.example", true));
    assert_false(reha_http_is_same_origin("null", "127.0.0.1:8080", false));
    assert_false(reha_http_is_same_origin("http://127.0.0.1:8080", NULL, false));
}

static void test_random_texts(void **state)
{
    (void)state;
    char a[33];
    char b[33];
    reha_http_random_hex(a, sizeof a);
    reha_http_random_hex(b, sizeof b);
    assert_int_equal(strlen(a), 32);
    assert_int_equal(strspn(a, "0123456789abcdef"), 32);
    assert_string_not_equal(a, b);
}

static const char *query_of(const void *context, const char *name)
{
    return strcmp(name, "limit") == 0 ? context : NULL;
}

static void test_query_numbers(void **state)
{
    (void)state;
    static const char *const bad[] = {"0", "201", "x", "1.5", "99999999999999999999", "-1", "0x10"};
    reha_http_request request = {.query = query_of, .context = "7"};
    int64_t out = 0;
    assert_int_equal(reha_http_query_integer(&request, "limit", 1, 200, 50, &out, NULL), REHA_OK);
    assert_int_equal(out, 7);
    assert_int_equal(reha_http_query_integer(&request, "other", 1, 200, 50, &out, NULL), REHA_OK);
    assert_int_equal(out, 50);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        request.context = bad[i];
        assert_int_equal(reha_http_query_integer(&request, "limit", 1, 200, 50, &out, &err), REHA_E_ARG);
        assert_non_null(strstr(err.text, "'limit'"));
        assert_int_equal(out, 50);
    }
}

static void test_every_fault_has_a_code_and_a_hint(void **state)
{
    (void)state;
    for (int status = REHA_OK + 1; status < REHA_STATUS_COUNT; status++) {
        reha_http_response response = {.code = 0};
        reha_error err = {(reha_status)status, "what and where"};
        json_t *value = NULL;
        reha_http_respond_status(&response, (reha_status)status, &err, "0123456789abcdef");
        assert_in_range(response.code, 400, 507);
        assert_int_equal(response.code, reha_http_code((reha_status)status));
        assert_int_equal(reha_json_parse((const char *)response.body, response.body_bytes, &value, &err),
                         REHA_OK);
        const json_t *error = json_object_get(value, "error");
        assert_string_equal(reha_json_string(error, "message", ""), "what and where");
        assert_string_equal(reha_json_string(error, "code", ""), reha_status_name((reha_status)status));
        assert_true(strlen(reha_json_string(error, "hint", "")) > 10);
        assert_string_equal(reha_json_string(error, "request", ""), "0123456789abcdef");
        json_decref(value);
        reha_http_response_clear(&response);
    }
    assert_int_equal(reha_http_code(REHA_E_INTERNAL), 500);
    assert_int_equal(reha_http_code(REHA_E_SIGNED_OUT), 401);
    assert_int_equal(reha_http_code(REHA_E_BUSY), 429);
    assert_int_equal(reha_http_code(REHA_E_CONFLICT), 409);
    assert_int_equal(reha_http_code(REHA_E_STALE), 412);
}

static void test_methods(void **state)
{
    (void)state;
    assert_int_equal(reha_http_method_parse("GET"), REHA_HTTP_GET);
    assert_int_equal(reha_http_method_parse("HEAD"), REHA_HTTP_GET);
    assert_int_equal(reha_http_method_parse("get"), REHA_HTTP_OTHER);
    assert_int_equal(reha_http_method_parse("TRACE"), REHA_HTTP_OTHER);
    assert_true(reha_http_is_safe(REHA_HTTP_GET));
    assert_false(reha_http_is_safe(REHA_HTTP_OTHER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cookies),       cmocka_unit_test(test_etags),
        cmocka_unit_test(test_places),        cmocka_unit_test(test_random_texts),
        cmocka_unit_test(test_query_numbers), cmocka_unit_test(test_every_fault_has_a_code_and_a_hint),
        cmocka_unit_test(test_methods)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
