/* FHIR without findings (those need models: tests/e2e/test_fhir.sh): formats, errors, searching, pages, who
 * may see what. */
#include "caller.h"

enum { PATIENTS = 5 };
static char ids[PATIENTS][40];
static char score_ids[3][40];

static json_t *get(const bench *b, reha_role role, const char *path, const sent *more, int expected,
                   reha_http_response *head)
{
    json_t *out = NULL;
    reha_http_response own;
    sent what = as(&b->accounts[role]);
    if (more != NULL) {
        memcpy(what.query, more->query, sizeof what.query);
        what.headers[6][0] = more->headers[0][0];
        what.headers[6][1] = more->headers[0][1];
        what.headers[5][0] = what.headers[5][0] != NULL ? what.headers[5][0] : "X-Filler";
        what.headers[5][1] = what.headers[5][1] != NULL ? what.headers[5][1] : "";
    }
    const int code = ask(b, REHA_HTTP_GET, path, &what, NULL, &out, &own);
    if (code != expected) {
        char *text = json_dumps(out, 0);
        fail_msg("%s: %d instead of %d: %s", path, code, expected, text != NULL ? text : "");
    }
    if (code != 304) {
        assert_string_equal(own.type, "application/fhir+json");
    }
    if (head != NULL) {
        *head = own;
    }
    return out;
}

static json_t *search(const bench *b, reha_role role, const char *path, const char *query, int expected)
{
    static char copy[400];
    sent more = {0};
    size_t count = 0;
    (void)snprintf(copy, sizeof copy, "%s", query);
    for (char *at = strtok(copy, "&"); at != NULL; at = strtok(NULL, "&")) {
        char *value = strchr(at, '=');
        *value = '\0';
        more.query[count][0] = at;
        more.query[count++][1] = value + 1;
    }
    return get(b, role, path, &more, expected, NULL);
}

static int64_t total(const json_t *bundle)
{
    return json_integer_value(json_object_get(bundle, "total"));
}

static const char *link_to(const json_t *bundle, const char *relation)
{
    const json_t *links = json_object_get(bundle, "link");
    for (size_t i = 0; i < json_array_size(links); i++) {
        if (strcmp(reha_json_string(json_array_get(links, i), "relation", ""), relation) == 0) {
            return reha_json_string(json_array_get(links, i), "url", "");
        }
    }
    return NULL;
}

static const json_t *resource(const json_t *bundle, size_t i)
{
    return json_object_get(json_array_get(json_object_get(bundle, "entry"), i), "resource");
}

/* An OperationOutcome with this code; takes it. */
static void expect_outcome(json_t *outcome, const char *issue)
{
    const json_t *first = json_array_get(json_object_get(outcome, "issue"), 0);
    assert_string_equal(reha_json_string(outcome, "resourceType", ""), "OperationOutcome");
    assert_string_equal(reha_json_string(first, "code", ""), issue);
    assert_true(strlen(reha_json_string(json_object_get(first, "details"), "text", "")) > 5);
    json_decref(outcome);
}

static void post(const bench *b, const char *path, const char *body, char id[40])
{
    json_t *made = NULL;
    const sent what = as(&b->accounts[REHA_ROLE_PHYSIOTHERAPIST]);
    assert_int_equal(ask(b, REHA_HTTP_POST, path, &what, body, &made, NULL), 201);
    (void)snprintf(id, 40, "%s", reha_json_string(made, "id", ""));
    json_decref(made);
}

static int open_records(void **state)
{
    (void)open_bench(state);
    const bench *b = *state;
    for (int i = 0; i < PATIENTS; i++) {
        char body[160];
        (void)snprintf(
            body, sizeof body,
            "{\"pseudonym\": \"P-%d\", \"name\": \"Erna Secret\", \"birth_year\": 1951, \"sex\": \"f\"}", i);
        post(b, "/api/v1/patients", body, ids[i]);
    }
    static const char *const scores[] = {
        "{\"instrument\": \"koos-pain\", \"value\": 61.5, \"date\": \"2026-01-31\", \"side\": \"right\"}",
        "{\"instrument\": \"nrs-pain\", \"value\": 3, \"date\": \"2026-02-28\", \"note\": \"Secret\"}",
        "{\"instrument\": \"other\", \"name\": \"Hop test\", \"value\": 90, \"unit\": \"%\", \"date\": \"2026-03-01\"}"};
    char path[80];
    (void)snprintf(path, sizeof path, "/api/v1/patients/%s/scores", ids[0]);
    for (size_t i = 0; i < 3; i++) {
        post(b, path, scores[i], score_ids[i]);
    }
    return 0;
}

static void test_formats_and_errors(void **state)
{
    const bench *b = *state;
    json_t *out = get(b, REHA_ROLE_NONE, "/fhir/R4/metadata", NULL, 200, NULL);
    assert_string_equal(reha_json_string(out, "resourceType", ""), "CapabilityStatement");
    assert_string_equal(reha_json_string(out, "fhirVersion", ""), "4.0.1");
    json_decref(out);
    expect_outcome(get(b, REHA_ROLE_NONE, "/fhir/R4/Patient", NULL, 401, NULL), "login");
    expect_outcome(get(b, REHA_ROLE_READ_ONLY, "/fhir/R4/Condition", NULL, 404, NULL), "not-found");
    expect_outcome(get(b, REHA_ROLE_READ_ONLY, "/fhir/R4/Patient/none", NULL, 404, NULL), "not-found");
    expect_outcome(get(b, REHA_ROLE_READ_ONLY, "/fhir/R4/Observation/none", NULL, 404, NULL), "not-found");
    expect_outcome(get(b, REHA_ROLE_READ_ONLY, "/fhir/R4/Observation/none.0.oa", NULL, 404, NULL),
                   "not-found");
    expect_outcome(get(b, REHA_ROLE_READ_ONLY, "/fhir/R4/DiagnosticReport/none", NULL, 404, NULL),
                   "not-found");
    expect_outcome(get(b, REHA_ROLE_READ_ONLY, "/fhir/R4/Patient/none/$everything", NULL, 404, NULL),
                   "not-found");
    const sent what = as(&b->accounts[REHA_ROLE_PHYSIOTHERAPIST]);
    json_t *outcome = NULL;
    assert_int_equal(ask(b, REHA_HTTP_POST, "/fhir/R4/Patient", &what, "{}", &outcome, NULL), 405);
    expect_outcome(outcome, "not-supported");
    static const struct {
        const char *accept, *format;
        int code;
    } cases[] = {{"application/fhir+json", NULL, 200},
                 {"application/fhir+json;fhirVersion=4.0", NULL, 200},
                 {"*/*", NULL, 200},
                 {"application/json", NULL, 200},
                 {"application/fhir+xml", NULL, 406},
                 {"text/html", NULL, 406},
                 {"text/html", "json", 200},
                 {"*/*", "xml", 406},
                 {"*/*", "application/fhir+json", 200},
                 {"*/*", "application/fhir json", 200}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const sent more = {.headers = {{"Accept", cases[i].accept}},
                           .query = {{cases[i].format != NULL ? "_format" : NULL, cases[i].format}}};
        json_decref(get(b, REHA_ROLE_READ_ONLY, "/fhir/R4/Patient", &more, cases[i].code, NULL));
    }
}

static void test_a_patient(void **state)
{
    const bench *b = *state;
    char path[80];
    char tag[80];
    reha_http_response head;
    (void)snprintf(path, sizeof path, "/fhir/R4/Patient/%s", ids[0]);
    json_t *patient = get(b, REHA_ROLE_READ_ONLY, path, NULL, 200, &head);
    assert_string_equal(reha_json_string(patient, "birthDate", ""), "1951");
    assert_string_equal(reha_json_string(patient, "gender", ""), "female");
    assert_string_equal(reha_json_string(json_array_get(json_object_get(patient, "name"), 0), "text", ""),
                        "Erna Secret");
    assert_string_equal(
        reha_json_string(json_array_get(json_object_get(patient, "identifier"), 0), "value", ""), "P-0");
    json_decref(patient);
    (void)snprintf(tag, sizeof tag, "%s", head.etag);
    assert_string_equal(tag, "W/\"1\"");
    assert_int_equal(strlen(head.last_modified), strlen("Mon, 30 Nov 2026 12:34:56 GMT"));
    const sent known = {.headers = {{"If-None-Match", tag}}};
    json_decref(get(b, REHA_ROLE_READ_ONLY, path, &known, 304, NULL));
    const sent other = {.headers = {{"If-None-Match", "W/\"9\""}}};
    json_decref(get(b, REHA_ROLE_READ_ONLY, path, &other, 200, NULL));
    patient = get(b, REHA_ROLE_RESEARCHER, path, NULL, 200, NULL);
    assert_null(json_object_get(patient, "name"));
    json_decref(patient);
}

static void test_patients_are_found_by_what_others_call_them(void **state)
{
    const bench *b = *state;
    static const struct {
        const char *query;
        int64_t found;
    } cases[] = {{"identifier=P-3", 1},
                 {"identifier=urn:rehascope:pseudonym|P-3", 1},
                 {"identifier=urn:rehascope:dicom-patient-id|P-3", 0},
                 {"identifier=urn:other|P-3", 0},
                 {"identifier=P-", 0},
                 {"identifier=p-3&_count=0", 0},
                 {"identifier=none", 0},
                 {"_id=none", 0},
                 {"identifier=", PATIENTS},
                 {"_summary=count", PATIENTS}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *bundle = search(b, REHA_ROLE_RESEARCHER, "/fhir/R4/Patient", cases[i].query, 200);
        assert_int_equal(total(bundle), cases[i].found);
        json_decref(bundle);
    }
    char query[80];
    (void)snprintf(query, sizeof query, "identifier=P-3&_id=%s", ids[3]);
    json_t *bundle = search(b, REHA_ROLE_READ_ONLY, "/fhir/R4/Patient", query, 200);
    assert_int_equal(total(bundle), 1);
    json_decref(bundle);
    (void)snprintf(query, sizeof query, "identifier=P-3&_id=%s", ids[2]);
    bundle = search(b, REHA_ROLE_READ_ONLY, "/fhir/R4/Patient", query, 200);
    assert_int_equal(total(bundle), 0); /* all must fit */
    json_decref(bundle);
    (void)snprintf(query, sizeof query, "identifier=%s", ids[3]);
    bundle = search(b, REHA_ROLE_READ_ONLY, "/fhir/R4/Patient", query, 200);
    assert_int_equal(total(bundle), 0); /* our own id is no identifier */
    json_decref(bundle);
}

/* Every page follows the link of the one before; each patient comes once. */
static void test_pages(void **state)
{
    const bench *b = *state;
    static const struct {
        const char *path, *query;
        size_t all;
    } lists[] = {{"/fhir/R4/Patient", "_count=2", PATIENTS}, {NULL, "_count=1", 4}};
    char everything[80];
    (void)snprintf(everything, sizeof everything, "/fhir/R4/Patient/%s/$everything", ids[0]);
    for (size_t i = 0; i < 2; i++) {
        const char *path = lists[i].path != NULL ? lists[i].path : everything;
        char query[200];
        char seen[400] = "";
        size_t count = 0;
        (void)snprintf(query, sizeof query, "%s", lists[i].query);
        for (int page = 0; page < 10; page++) {
            json_t *bundle = search(b, REHA_ROLE_READ_ONLY, path, query, 200);
            assert_int_equal(total(bundle), lists[i].all);
            for (size_t k = 0; k < json_array_size(json_object_get(bundle, "entry")); k++) {
                const char *id = reha_json_string(resource(bundle, k), "id", "");
                assert_null(strstr(seen, id));
                (void)snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s ", id);
                count++;
            }
            const char *next = link_to(bundle, "next");
            assert_non_null(link_to(bundle, "self"));
            if (next == NULL) {
                json_decref(bundle);
                break;
            }
            char *slash = NULL;
            (void)snprintf(query, sizeof query, "%s", strchr(next, '?') + 1);
            while ((slash = strstr(query, "%2F")) != NULL) { /* as the transport decodes it */
                *slash = '/';
                memmove(slash + 1, slash + 3, strlen(slash + 3) + 1);
            }
            json_decref(bundle);
        }
        assert_int_equal(count, lists[i].all);
    }
    json_decref(search(b, REHA_ROLE_READ_ONLY, everything, "_cursor=Patient/none", 400));
}

static void test_scores_as_observations(void **state)
{
    const bench *b = *state;
    static const struct {
        const char *query; /* beside the patient */
        int code;
        int64_t found;
    } cases[] = {{"", 200, 3},
                 {"&code=72102-7", 200, 1},
                 {"&code=http://loinc.org|72102-7", 200, 1},
                 {"&code=http://snomed.info/sct|72102-7", 200, 0},
                 {"&code=http://loinc.org|", 200, 2},
                 {"&code=urn:rehascope:instrument|nrs-pain,72102-7", 200, 2},
                 {"&category=survey", 200, 3},
                 {"&category=imaging", 200, 0},
                 {"&status=final", 200, 3},
                 {"&date=2026", 200, 3},
                 {"&date=2026-02", 200, 1},
                 {"&date=2026-01-31", 200, 1},
                 {"&date=eq2026-01-31", 200, 1},
                 {"&date=gt2026-01-31", 200, 2},
                 {"&date=ge2026-01-31&date=lt2026-03", 200, 2},
                 {"&date=le2026-02", 200, 2},
                 {"&date=lt2026", 200, 0},
                 {"&date=ge2026-02-28T10:00:00Z", 200, 2},
                 {"&date=sa2026", 400, 0},
                 {"&date=31.1.2026", 400, 0},
                 {"&date=2026-13", 400, 0},
                 {"&date=ge", 400, 0},
                 {"&derived-from=ImagingStudy/none", 200, 0},
                 {"&_count=many", 400, 0},
                 {"&_count=-1", 400, 0},
                 {"&_summary=text", 400, 0},
                 {"&code:text=knee", 400, 0},
                 {"&_count=1000", 200, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char query[200];
        (void)snprintf(query, sizeof query, "%s=%s%s%s", i % 2 == 0 ? "patient" : "subject",
                       i % 3 == 0 ? "Patient/" : "", ids[0], cases[i].query);
        json_t *bundle = search(b, REHA_ROLE_RESEARCHER, "/fhir/R4/Observation", query, cases[i].code);
        if (cases[i].code == 200 && total(bundle) != cases[i].found) {
            fail_msg("%s: %d found", query, (int)total(bundle));
        }
        json_decref(bundle);
    }
    json_decref(search(b, REHA_ROLE_RESEARCHER, "/fhir/R4/Observation", "date=2026", 400)); /* of whom? */
    json_decref(search(b, REHA_ROLE_RESEARCHER, "/fhir/R4/Observation", "patient=Device/x", 400));
    json_t *bundle = search(b, REHA_ROLE_RESEARCHER, "/fhir/R4/Observation", "patient=none", 200);
    assert_int_equal(total(bundle), 0);
    json_decref(bundle);
    char path[80];
    (void)snprintf(path, sizeof path, "/fhir/R4/Observation/%s", score_ids[0]);
    json_t *one = get(b, REHA_ROLE_RESEARCHER, path, NULL, 200, NULL);
    const json_t *value = json_object_get(one, "valueQuantity");
    assert_true(reha_json_number(value, "value", 0.0) == 61.5);
    assert_string_equal(reha_json_string(value, "code", ""), "{score}");
    const json_t *site = json_array_get(json_object_get(json_object_get(one, "bodySite"), "coding"), 0);
    assert_string_equal(reha_json_string(site, "code", ""), "6757004");
    json_decref(one);
    (void)snprintf(path, sizeof path, "/fhir/R4/Observation/%s", score_ids[1]);
    one = get(b, REHA_ROLE_READ_ONLY, path, NULL, 200, NULL);
    char *text = json_dumps(one, 0);
    assert_null(strstr(text, "Secret")); /* what people write is not given out */
    free(text);
    json_decref(one);
    (void)snprintf(path, sizeof path, "/api/v1/scores/%s/withdrawal", score_ids[2]);
    const sent clinician = as(&b->accounts[REHA_ROLE_PHYSIOTHERAPIST]);
    assert_int_equal(ask(b, REHA_HTTP_POST, path, &clinician, "{\"reason\": \"typed wrongly\"}", NULL, NULL),
                     200);
    (void)snprintf(path, sizeof path, "/fhir/R4/Observation/%s", score_ids[2]);
    one = get(b, REHA_ROLE_READ_ONLY, path, NULL, 200, NULL);
    assert_string_equal(reha_json_string(one, "status", ""), "entered-in-error");
    json_decref(one);
}

/* Of reports only here: there is none, but the times are read. Findings: tests/e2e. */
static void test_what_changed_since(void **state)
{
    const bench *b = *state;
    static const struct {
        const char *value;
        int code;
    } cases[] = {{"2026-01-31", 200},
                 {"ge2026-01-31T12:30Z", 200},
                 {"gt2026-01-31T12:30:00.123+01:00", 200},
                 {"lt2026-01-31T12:30:00 01:00", 200},
                 {"ge2026-01-31T12:30", 400},
                 {"2026", 400},
                 {"xx2026-01-31", 400},
                 {"t 2026-01-31", 400},
                 {"ge", 400},
                 {"g", 400},
                 {"2026-01-31T12:30:00+99:00", 400},
                 {"2026-01-31x", 400}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const sent more = {.query = {{"_lastUpdated", cases[i].value}}};
        json_decref(get(b, REHA_ROLE_READ_ONLY, "/fhir/R4/DiagnosticReport", &more, cases[i].code, NULL));
        json_decref(get(b, REHA_ROLE_READ_ONLY, "/fhir/R4/ImagingStudy", &more, cases[i].code, NULL));
        json_decref(get(b, REHA_ROLE_READ_ONLY, "/fhir/R4/Observation", &more, 400, NULL)); /* of whom? */
    }
}

/* Whatever stands in a query, it is answered, or refused as the client's fault; no text of it is lost on the
 * way back. */
static void test_any_query_is_answered(void **state)
{
    const bench *b = *state;
    static const char *const names[] = {"patient", "_id",   "identifier", "code",   "date",    "_lastUpdated",
                                        "_count",  "study", "_cursor",    "status", "_format", "\xff:x"};
    static const char letters[] = "0123456789-T:Z+.|,/%&=?urn:oidgelptPatient \xc3\xa4\xff\x01\"'\\";
    static const char *const paths[] = {"/fhir/R4/Patient", "/fhir/R4/ImagingStudy",
                                        "/fhir/R4/DiagnosticReport", "/fhir/R4/Observation"};
    uint32_t random = 28;
    for (int round = 0; round < 2000; round++) {
        char value[120];
        sent what = as(&b->accounts[REHA_ROLE_READ_ONLY]);
        json_t *out = NULL;
        random = random * 1664525u + 1013904223u;
        const size_t length = (random >> 8) % (round % 10 == 0 ? sizeof value - 1 : 24);
        for (size_t i = 0; i < length; i++) {
            random = random * 1664525u + 1013904223u;
            value[i] = letters[(random >> 8) % (sizeof letters - 1)];
        }
        value[length] = '\0';
        what.query[0][0] = names[(random >> 4) % (sizeof names / sizeof names[0])];
        what.query[0][1] = value;
        what.query[1][0] = round % 3 == 0 ? "patient" : NULL;
        what.query[1][1] = ids[0];
        const int code = ask(b, REHA_HTTP_GET, paths[round % 4], &what, NULL, &out, NULL);
        if ((code != 200 && code != 400 && code != 406) || !json_is_object(out)) {
            fail_msg("%s?%s=%s: %d", paths[round % 4], what.query[0][0], value, code);
        }
        json_decref(out);
    }
}

/* Lenient: passed over, reported in the Bundle, and left out of its own address. Strict: refused. */
static void test_unknown_parameters(void **state)
{
    const bench *b = *state;
    sent more = {.query = {{"identifier", "P-1"}, {"favourite-colour", "blue"}}};
    json_t *bundle = get(b, REHA_ROLE_READ_ONLY, "/fhir/R4/Patient", &more, 200, NULL);
    assert_int_equal(total(bundle), 1);
    assert_null(strstr(link_to(bundle, "self"), "colour"));
    assert_non_null(strstr(link_to(bundle, "self"), "identifier=P-1"));
    const json_t *second = json_array_get(json_object_get(bundle, "entry"), 1);
    assert_string_equal(reha_json_string(json_object_get(second, "search"), "mode", ""), "outcome");
    const json_t *issue = json_array_get(json_object_get(json_object_get(second, "resource"), "issue"), 0);
    assert_string_equal(reha_json_string(issue, "severity", ""), "warning");
    assert_non_null(
        strstr(reha_json_string(json_object_get(issue, "details"), "text", ""), "favourite-colour"));
    json_decref(bundle);
    more.headers[0][0] = "Prefer";
    more.headers[0][1] = "return=representation, handling=strict";
    expect_outcome(get(b, REHA_ROLE_READ_ONLY, "/fhir/R4/Patient", &more, 400, NULL), "invalid");
    more.headers[0][1] = "handling=lenient";
    json_decref(get(b, REHA_ROLE_READ_ONLY, "/fhir/R4/Patient", &more, 200, NULL));
}

static void test_everybody_is_told_what_they_may_know(void **state)
{
    const bench *b = *state;
    char path[80];
    (void)snprintf(path, sizeof path, "/fhir/R4/Patient/%s/$everything", ids[0]);
    for (int role = REHA_ROLE_NONE + 1; role < REHA_ROLE_LOCAL; role++) {
        json_t *bundle = get(b, (reha_role)role, path, NULL, 200, NULL);
        char *text = json_dumps(bundle, 0);
        assert_int_equal(strstr(text, "Secret") != NULL, reha_role_may((reha_role)role, REHA_MAY_IDENTITY));
        free(text);
        json_decref(bundle);
    }
}

static void test_dates_of_http(void **state)
{
    (void)state;
    char out[32];
    reha_http_date("2026-11-30T12:34:56.789Z", out);
    assert_string_equal(out, "Mon, 30 Nov 2026 12:34:56 GMT");
    reha_http_date("2024-02-29T00:00:00.000Z", out);
    assert_string_equal(out, "Thu, 29 Feb 2024 00:00:00 GMT");
    reha_http_date("yesterday", out);
    assert_string_equal(out, "");
    reha_http_date(NULL, out);
    assert_string_equal(out, "");
    assert_string_equal(reha_http_bearer("bearer  abc"), "abc");
    assert_null(reha_http_bearer("Basic abc"));
    assert_null(reha_http_bearer(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_formats_and_errors),
                                       cmocka_unit_test(test_a_patient),
                                       cmocka_unit_test(test_patients_are_found_by_what_others_call_them),
                                       cmocka_unit_test(test_pages),
                                       cmocka_unit_test(test_scores_as_observations),
                                       cmocka_unit_test(test_what_changed_since),
                                       cmocka_unit_test(test_unknown_parameters),
                                       cmocka_unit_test(test_any_query_is_answered),
                                       cmocka_unit_test(test_everybody_is_told_what_they_may_know),
                                       cmocka_unit_test(test_dates_of_http)};
    return cmocka_run_group_tests(tests, open_records, close_bench);
}
