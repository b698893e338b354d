/* DICOMweb without images (those need a sandbox and files: tests/e2e/test_dicomweb.sh): what is refused and
 * how, limits, keys that match nothing. */
#include "caller.h"

#define RELATED "multipart/related; type=\"application/dicom\"; boundary=b"

static int get(const bench *b, reha_role role, const char *path, const char *name, const char *value,
               const char *accept, reha_http_response *head)
{
    sent what = as(&b->accounts[role]);
    what.query[0][0] = name;
    what.query[0][1] = value;
    what.headers[5][0] = "Accept";
    what.headers[5][1] = accept;
    return ask(b, REHA_HTTP_GET, path, &what, NULL, NULL, head);
}

static int store(const bench *b, reha_role role, const char *type, const char *body, json_t **out)
{
    sent what = as(&b->accounts[role]);
    what.headers[1][1] = type;
    return ask(b, REHA_HTTP_POST, "/dicom-web/studies", &what, body, out, NULL);
}

static void test_searches(void **state)
{
    const bench *b = *state;
    const reha_role reader = REHA_ROLE_READ_ONLY;
    static const char path[] = "/dicom-web/studies";
    reha_http_response head;
    static const struct {
        const char *name, *value;
        int code;
    } known[] = {{NULL, NULL, 204},
                 {"PatientID", "x", 204},
                 {"00100010", "*", 204},
                 {"StudyDate", "20260101", 204},
                 {"StudyDate", "20260101-20260131", 204},
                 {"StudyDate", "-20260131", 204},
                 {"StudyDate", "2026", 400},
                 {"StudyDate", "-", 400},
                 {"StudyDate", "20260101-2026013x", 400},
                 {"StudyDate", "20261301", 400},
                 {"limit", "5", 204},
                 {"limit", "0", 400},
                 {"limit", "-1", 400},
                 {"offset", "x", 400},
                 {"includefield", "all", 204}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const int code = get(b, reader, path, known[i].name, known[i].value, NULL, &head);
        if (code != known[i].code) {
            fail_msg("%s=%s: %d", known[i].name, known[i].value, code);
        }
        assert_string_equal(head.warning, "");
    }
    assert_int_equal(get(b, reader, path, "Occupation", "x", NULL, &head), 204);
    assert_string_equal(head.warning, "299 http://127.0.0.1:8080/dicom-web: \"Not matched by: Occupation\"");
    assert_int_equal(get(b, reader, path, "a\r\nSet-Cookie: x", "x", NULL, &head), 204);
    assert_string_equal(head.warning, "299 http://127.0.0.1:8080/dicom-web: \"Not matched by: ?\"");
    assert_int_equal(get(b, reader, path, "fuzzymatching", "true", NULL, &head), 204);
    assert_non_null(strstr(head.warning, "fuzzymatching"));
    char longer[400];
    memset(longer, '[', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(get(b, reader, path, "PatientName", longer, NULL, NULL), 400);
    static const char *const taken[] = {"*/*",
                                        "application/*",
                                        "application/json",
                                        "application/dicom+json",
                                        "text/html;q=0.1, application/dicom+json; q=0.9",
                                        ""};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        assert_int_equal(get(b, reader, path, NULL, NULL, taken[i], NULL), 204);
    }
    assert_int_equal(get(b, reader, path, NULL, NULL, "application/dicom+xml", NULL), 406);
    assert_int_equal(
        get(b, reader, path, NULL, NULL, "multipart/related; type=\"a, application/dicom+json\"", NULL), 406);
}

static void test_addresses(void **state)
{
    const bench *b = *state;
    const reha_role reader = REHA_ROLE_REVIEWER;
    static const struct {
        const char *path;
        int code;
    } known[] = {{"/dicom-web/studies/1.2/series", 204},
                 {"/dicom-web/studies/1.2/instances", 204},
                 {"/dicom-web/studies/1.2/series/1.3/instances", 204},
                 {"/dicom-web/studies/1.2", 404},
                 {"/dicom-web/studies/1.2/metadata", 404},
                 {"/dicom-web/studies/1.2/series/1.3", 404},
                 {"/dicom-web/studies/1.2/series/1.3/metadata", 404},
                 {"/dicom-web/studies/1.2/series/1.3/instances/1.4", 404},
                 {"/dicom-web/studies/1.2/series/1.3/instances/1.4/metadata", 404},
                 {"/dicom-web/studies/1.2/series/1.3/instances/1.4/frames/1", 404},
                 {"/dicom-web/series", 404},
                 {"/dicom-web/", 404},
                 {"/dicom-web/studies/../studies", 404}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const int code = get(b, reader, known[i].path, NULL, NULL, NULL, NULL);
        if (code != known[i].code) {
            fail_msg("%s: %d", known[i].path, code);
        }
    }
    const sent what = as(&b->accounts[reader]);
    assert_int_equal(ask(b, REHA_HTTP_DELETE, "/dicom-web/studies/1.2", &what, NULL, NULL, NULL), 405);
}

static void test_what_is_not_stored(void **state)
{
    const bench *b = *state;
    const reha_role writer = REHA_ROLE_PHYSIOTHERAPIST;
    static const struct {
        const char *type, *body;
        int code;
    } known[] = {{"application/json", "{}", 415},
                 {"application/dicom", "x", 415},
                 {"multipart/related; type=\"application/dicom\"", "x", 415},
                 {"multipart/related; type=\"application/dicom+json\"; boundary=b", "--b--", 415},
                 {"multipart/form-data; boundary=b", "--b--", 415},
                 {RELATED, "", 400},
                 {RELATED, "--b--", 400},
                 {RELATED, "--b\r\n\r\nhalf", 400},
                 {RELATED, "--b\r\nno header\r\n\r\nx\r\n--b--", 400},
                 {RELATED, "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--", 409},
                 {RELATED, "--b\r\nContent-Type: application/dicom\r\n\r\n\r\n--b--", 409}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const int code = store(b, writer, known[i].type, known[i].body, NULL);
        if (code != known[i].code) {
            fail_msg("%s %s: %d", known[i].type, known[i].body, code);
        }
    }
    json_t *answer = NULL;
    assert_int_equal(
        store(b, writer, RELATED,
              "--b\r\nContent-Type: application/dicom\r\n\r\nPK\3\4xxxx\r\n--b\r\n\r\ny\r\n--b--", &answer),
        409);
    const json_t *failures = json_object_get(json_object_get(answer, "0008119A"), "Value");
    assert_int_equal(json_array_size(failures), 2);
    assert_int_equal(
        json_integer_value(json_array_get(
            json_object_get(json_object_get(json_array_get(failures, 0), "00081197"), "Value"), 0)),
        0xC000);
    assert_null(json_object_get(answer, "00081199"));
    json_decref(answer);
    sent forged = as(&b->accounts[writer]);
    forged.headers[1][1] = RELATED;
    forged.headers[4][1] = "wrong";
    assert_int_equal(ask(b, REHA_HTTP_POST, "/dicom-web/studies", &forged, "--b--", NULL, NULL), 403);
}

/* More parts than one request may have: refused as a whole, and so told. */
static void test_limits(void **state)
{
    const bench *b = *state;
    enum { PARTS = 2001, PART_BYTES = 10 };
    char *body = reha_alloc_zero(1, PARTS * PART_BYTES + 8);
    assert_non_null(body);
    for (int i = 0; i < PARTS; i++) {
        memcpy(body + (size_t)i * PART_BYTES, "--b\r\n\r\nx\r\n", PART_BYTES);
    }
    memcpy(body + (size_t)PARTS * PART_BYTES, "--b--", 6);
    assert_int_equal(store(b, REHA_ROLE_PHYSIOTHERAPIST, RELATED, body, NULL), 413);
    reha_free(body);
    sent what = as(&b->accounts[REHA_ROLE_PHYSIOTHERAPIST]);
    what.headers[1][1] = RELATED;
    what.headers[5][0] = "Content-Length";
    what.headers[5][1] = "2000000000";
    assert_int_equal(ask(b, REHA_HTTP_POST, "/dicom-web/studies", &what, "--b--", NULL, NULL), 413);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_searches), cmocka_unit_test(test_addresses),
                                       cmocka_unit_test(test_what_is_not_stored),
                                       cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, open_bench, close_bench);
}
