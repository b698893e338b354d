/* Every route, every role: who may, who may not, and what else a request needs. */
#include "caller.h"

#include "web/route.h"

/* The pattern with every {x} filled in by a record that does not exist. */
static void fill(const char *pattern, char out[128])
{
    size_t used = 0;
    for (const char *at = pattern; *at != '\0' && used < 120; at++) {
        if (*at == '{') {
            used += (size_t)snprintf(out + used, 128 - used, "none");
            at = strchr(at, '}');
        } else {
            out[used++] = *at;
        }
    }
    out[used] = '\0';
}

static int ask_as(const bench *b, const reha_route *route, reha_role role)
{
    char path[128];
    const sent what = as(&b->accounts[role]);
    fill(route->pattern, path);
    return ask(b, route->method, path, &what, route->body != REHA_BODY_NONE ? "{}" : NULL, NULL, NULL);
}

static bool ends_session(const reha_route *route)
{
    return route->method == REHA_HTTP_DELETE && strstr(route->pattern, "/session") != NULL;
}

static void test_every_route_and_role(void **state)
{
    const bench *b = *state;
    size_t count = 0;
    const reha_route *routes = reha_routes(&count);
    assert_true(count > 40);
    for (size_t i = 0; i < count; i++) {
        for (int role = REHA_ROLE_NONE; role < REHA_ROLE_LOCAL && !ends_session(&routes[i]); role++) {
            const int code = ask_as(b, &routes[i], (reha_role)role);
            const bool may = reha_route_may(&routes[i], (reha_role)role);
            const int refusal = role == REHA_ROLE_NONE ? 401 : 403;
            /* Signing in without a name is a 400; nothing else of a public route asks who it is. */
            if (may ? code == 401 || code == 403 || code >= 500 : code != refusal) {
                fail_msg("%s %s as %s: %d", reha_http_method_text(routes[i].method), routes[i].pattern,
                         reha_role_name((reha_role)role), code);
            }
        }
    }
}

/* A token of a machine: what its role may read, and nothing else, on every route. */
static void test_every_route_by_token(void **state)
{
    const bench *b = *state;
    size_t count = 0;
    const reha_route *routes = reha_routes(&count);
    static const reha_role roles[] = {REHA_ROLE_READ_ONLY, REHA_ROLE_RESEARCHER};
    for (size_t r = 0; r < sizeof roles / sizeof roles[0]; r++) {
        char bearer[REHA_ACCESS_TOKEN_BYTES + 8];
        token_of(b, roles[r], bearer);
        for (size_t i = 0; i < count; i++) {
            char path[128];
            sent what = as(&b->accounts[REHA_ROLE_NONE]);
            what.headers[5][0] = "Authorization";
            what.headers[5][1] = bearer;
            fill(routes[i].pattern, path);
            const int code = ask(b, routes[i].method, path, &what,
                                 routes[i].body != REHA_BODY_NONE ? "{}" : NULL, NULL, NULL);
            const bool may = reha_http_is_safe(routes[i].method) &&
                             routes[i].permission != REHA_ROUTE_SIGNED_IN &&
                             reha_route_may(&routes[i], roles[r]);
            if (may ? code == 401 || code == 403 || code >= 500 : code != 403) {
                fail_msg("%s %s by a token of %s: %d", reha_http_method_text(routes[i].method),
                         routes[i].pattern, reha_role_name(roles[r]), code);
            }
        }
    }
}

static void test_tokens_are_shown_in_the_header_only(void **state)
{
    const bench *b = *state;
    char bearer[REHA_ACCESS_TOKEN_BYTES + 8];
    reha_http_response head;
    sent what = as(&b->accounts[REHA_ROLE_NONE]);
    token_of(b, REHA_ROLE_READ_ONLY, bearer);
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/studies", &what, NULL, NULL, NULL), 401);
    what.query[0][0] = "access_token";
    what.query[0][1] = bearer + 7;
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/studies", &what, NULL, NULL, NULL), 400);
    assert_int_equal(ask(b, REHA_HTTP_GET, "/fhir/R4/Patient", &what, NULL, NULL, NULL), 400);
    what.query[0][0] = NULL;
    what.headers[5][0] = "Authorization";
    what.headers[5][1] = bearer;
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/studies", &what, NULL, NULL, &head), 200);
    assert_string_equal(head.cookie, "");
    what.headers[5][1] = "Bearer rht_wrong";
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/studies", &what, NULL, NULL, NULL), 401);
    /* With a session beside it: the header decides, it is not passed over for the better of the two. */
    sent both = as(&b->accounts[REHA_ROLE_ADMINISTRATOR]);
    both.headers[5][0] = "Authorization";
    both.headers[5][1] = "Bearer rht_wrong";
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/users", &both, NULL, NULL, NULL), 401);
    both.headers[5][1] = bearer;
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/users", &both, NULL, NULL, NULL), 403);
}

/* The table itself against the roles as people know them: a slip in the table is not seen by asking it. */
static void test_the_table_says_what_roles_are_for(void **state)
{
    (void)state;
    static const struct {
        reha_http_method method;
        const char *path;
        const char *roles; /* first letters of physiotherapist, reviewer, administrator, (c) researcher, (o)
                              read-only */
    } known[] = {{REHA_HTTP_GET, "/api/v1/studies", "praco"},
                 {REHA_HTTP_GET, "/api/v1/patients/x", "praco"},
                 {REHA_HTTP_GET, "/api/v1/images/x/picture.png", "praco"},
                 {REHA_HTTP_GET, "/api/v1/images/x/values", "praco"},
                 {REHA_HTTP_GET, "/api/v1/images/x/comparison", "praco"},
                 {REHA_HTTP_GET, "/api/v1/results/x/frames", "praco"},
                 {REHA_HTTP_GET, "/api/v1/images/x/file.dcm", "pra"},
                 {REHA_HTTP_GET, "/api/v1/studies/x/report.pdf", "prac"},
                 {REHA_HTTP_GET, "/api/v1/studies/x/export", "pra"},
                 {REHA_HTTP_POST, "/api/v1/uploads", "pra"},
                 {REHA_HTTP_GET, "/dicom-web/studies", "prao"},
                 {REHA_HTTP_GET, "/dicom-web/studies/x/series", "prao"},
                 {REHA_HTTP_GET, "/dicom-web/studies/x/series/y/instances/z/metadata", "prao"},
                 {REHA_HTTP_GET, "/dicom-web/studies/x", "pra"},
                 {REHA_HTTP_GET, "/dicom-web/studies/x/series/y/instances/z", "pra"},
                 {REHA_HTTP_POST, "/dicom-web/studies", "pra"},
                 {REHA_HTTP_POST, "/dicom-web/studies/x", "pra"},
                 {REHA_HTTP_POST, "/api/v1/patients", "pa"},
                 {REHA_HTTP_PUT, "/api/v1/studies/x/patient", "pa"},
                 {REHA_HTTP_DELETE, "/api/v1/patients/x", "a"},
                 {REHA_HTTP_POST, "/api/v1/patients/x/plans", "p"},
                 {REHA_HTTP_POST, "/api/v1/patients/x/scores", "p"},
                 {REHA_HTTP_GET, "/api/v1/instruments", "praco"},
                 {REHA_HTTP_GET, "/api/v1/patients/x/plan-form", "p"},
                 {REHA_HTTP_POST, "/api/v1/patients/x/plans/made", "p"},
                 {REHA_HTTP_POST, "/api/v1/patients/x/plans/y/made", "p"},
                 {REHA_HTTP_POST, "/api/v1/patients/x/plans/y/edits", "p"},
                 {REHA_HTTP_POST, "/api/v1/patients/x/plans/y/confirmation", "pr"},
                 {REHA_HTTP_GET, "/api/v1/plans/x/plan.pdf", "prac"},
                 {REHA_HTTP_GET, "/api/v1/plans/x/patient.pdf", "prac"},
                 {REHA_HTTP_GET, "/api/v1/patients/x/prediction-form", "p"},
                 {REHA_HTTP_POST, "/api/v1/patients/x/predictions/made", "p"},
                 {REHA_HTTP_POST, "/api/v1/results/x/reviews", "pr"},
                 {REHA_HTTP_POST, "/api/v1/results/x/set-aside", "pr"},
                 {REHA_HTTP_POST, "/api/v1/studies/x/signature", "pr"},
                 {REHA_HTTP_POST, "/api/v1/studies/x/reopen", "pr"},
                 {REHA_HTTP_GET, "/api/v1/users", "a"},
                 {REHA_HTTP_POST, "/api/v1/users", "a"},
                 {REHA_HTTP_PUT, "/api/v1/users/x", "a"},
                 {REHA_HTTP_GET, "/api/v1/tokens", "a"},
                 {REHA_HTTP_POST, "/api/v1/tokens", "a"},
                 {REHA_HTTP_DELETE, "/api/v1/tokens/x", "a"},
                 {REHA_HTTP_GET, "/fhir/R4/Patient", "praco"},
                 {REHA_HTTP_GET, "/fhir/R4/Patient/x", "praco"},
                 {REHA_HTTP_GET, "/fhir/R4/Patient/x/$everything", "praco"},
                 {REHA_HTTP_GET, "/fhir/R4/ImagingStudy/x", "praco"},
                 {REHA_HTTP_GET, "/fhir/R4/DiagnosticReport", "praco"},
                 {REHA_HTTP_GET, "/fhir/R4/Observation/x.0.kl-grade", "praco"},
                 {REHA_HTTP_GET, "/api/v1/audit", "a"},
                 {REHA_HTTP_GET, "/api/v1/audit/export", "a"},
                 {REHA_HTTP_POST, "/api/v1/backups", "a"},
                 {REHA_HTTP_GET, "/api/v1/outbox", "a"},
                 {REHA_HTTP_POST, "/api/v1/outbox/again", "a"},
                 {REHA_HTTP_POST, "/api/v1/outbox/x/again", "a"},
                 {REHA_HTTP_POST, "/api/v1/outbox/x/give-up", "a"},
                 {REHA_HTTP_PUT, "/api/v1/settings", "a"}};
    static const char letters[] = "-pracol";
    size_t count = 0;
    const reha_route *routes = reha_routes(&count);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const reha_route_match match = reha_route_find(routes, count, known[i].method, known[i].path);
        assert_non_null(match.route);
        for (int role = REHA_ROLE_NONE; role < REHA_ROLE_LOCAL; role++) {
            const bool expected = role != REHA_ROLE_NONE && strchr(known[i].roles, letters[role]) != NULL;
            if (reha_route_may(match.route, (reha_role)role) != expected) {
                fail_msg("%s as %s", known[i].path, reha_role_name((reha_role)role));
            }
        }
    }
}

/* A clinic without an archive: the same answers, empty. With one: tests/e2e/test_dicom_archive.sh. */
static void test_the_outbox(void **state)
{
    const bench *b = *state;
    json_t *got = NULL;
    sent what = as(&b->accounts[REHA_ROLE_ADMINISTRATOR]);
    const sent nobody = as(&b->accounts[REHA_ROLE_NONE]);
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/outbox", &what, NULL, &got, NULL), 200);
    assert_true(json_is_null(json_object_get(got, "archive")));
    assert_true(json_is_null(json_object_get(got, "last_sent_at")));
    assert_int_equal(json_array_size(json_object_get(got, "items")), 0);
    assert_int_equal(json_object_size(json_object_get(got, "counts")), 4);
    json_decref(got);
    assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/outbox/again", &what, "{}", &got, NULL), 200);
    assert_int_equal(json_integer_value(json_object_get(got, "again")), 0);
    json_decref(got);
    assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/outbox/01none/again", &what, "{}", &got, NULL), 404);
    assert_non_null(
        strstr(reha_json_string(json_object_get(got, "error"), "message", ""), "nothing of that id waits"));
    json_decref(got);
    assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/outbox/01none/give-up", &what, "{}", NULL, NULL), 404);
    what.query[0][0] = "state";
    what.query[0][1] = "lost";
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/outbox", &what, NULL, NULL, NULL), 400);
    what.query[0][1] = "failed";
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/outbox", &what, NULL, NULL, NULL), 200);
    /* For monitoring, without an account: counts, and nothing that names anything. */
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/health", &nobody, NULL, &got, NULL), 200);
    const json_t *archive = json_object_get(got, "archive");
    assert_true(json_is_true(json_object_get(got, "ok")));
    assert_true(json_is_false(json_object_get(archive, "configured")));
    assert_int_equal(json_integer_value(json_object_get(archive, "waiting")), 0);
    assert_int_equal(json_integer_value(json_object_get(archive, "failed")), 0);
    assert_true(json_is_null(json_object_get(archive, "failed_s")));
    json_decref(got);
}

static void test_changes_need_the_csrf_token(void **state)
{
    const bench *b = *state;
    size_t count = 0;
    const reha_route *routes = reha_routes(&count);
    for (size_t i = 0; i < count; i++) {
        if (reha_http_is_safe(routes[i].method) || routes[i].permission == REHA_ROUTE_PUBLIC) {
            continue;
        }
        for (int role = REHA_ROLE_NONE + 1; role < REHA_ROLE_LOCAL; role++) {
            char path[128];
            account who = b->accounts[role];
            fill(routes[i].pattern, path);
            who.csrf[0] = '\0';
            const sent without = as(&who);
            assert_int_equal(ask(b, routes[i].method, path, &without, "{}", NULL, NULL), 403);
            const account *other =
                &b->accounts[role == REHA_ROLE_REVIEWER ? REHA_ROLE_READ_ONLY : REHA_ROLE_REVIEWER];
            memcpy(who.csrf, other->csrf, sizeof who.csrf);
            const sent wrong = as(&who);
            assert_int_equal(ask(b, routes[i].method, path, &wrong, "{}", NULL, NULL), 403);
        }
    }
}

static void test_foreign_pages_are_refused(void **state)
{
    const bench *b = *state;
    sent what = as(&b->accounts[REHA_ROLE_ADMINISTRATOR]);
    what.headers[6][0] = "Origin";
    what.headers[6][1] = "http://evil.example";
    what.headers[5][0] = "X-Filler";
    what.headers[5][1] = "";
    assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/patients", &what, "{}", NULL, NULL), 403);
    assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/session", &what, "{}", NULL, NULL), 403);
    what.headers[6][1] = "http://127.0.0.1:8080";
    assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/patients", &what, "{}", NULL, NULL), 201);
    what.headers[0][1] = "evil.example:8080"; /* 127.0.0.1 under another name */
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/patients", &what, NULL, NULL, NULL), 421);
    what.headers[0][0] = "X-No-Host";
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/patients", &what, NULL, NULL, NULL), 421);
}

static void test_edits_need_the_version(void **state)
{
    const bench *b = *state;
    json_t *made = NULL;
    reha_http_response head;
    char path[128];
    char tag[80];
    sent what = as(&b->accounts[REHA_ROLE_PHYSIOTHERAPIST]);
    assert_int_equal(
        ask(b, REHA_HTTP_POST, "/api/v1/patients", &what, "{\"pseudonym\": \"P-1\"}", &made, &head), 201);
    (void)snprintf(path, sizeof path, "/api/v1/patients/%s", reha_json_string(made, "id", ""));
    (void)snprintf(tag, sizeof tag, "%s", head.etag);
    json_decref(made);
    what.headers[2][1] = tag;
    assert_int_equal(ask(b, REHA_HTTP_PUT, path, &what, "{\"birth_year\": 1960}", NULL, &head), 200);
    assert_string_not_equal(head.etag, tag);
    assert_int_equal(ask(b, REHA_HTTP_PUT, path, &what, "{\"birth_year\": 1961}", NULL, NULL),
                     412); /* the second of two clinicians */
    static const char *const bad[] = {"garbage", "*",       "\"",     "\"2",  "\"2garbage\"",
                                      "2",       "W/\"2\"", "\"-2\"", "\"\"", ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        what.headers[2][1] = bad[i];
        assert_int_equal(ask(b, REHA_HTTP_PUT, path, &what, "{\"birth_year\": 1961}", NULL, NULL), 400);
    }
    what.headers[2][0] = "X-No-Match";
    assert_int_equal(ask(b, REHA_HTTP_PUT, path, &what, "{\"birth_year\": 1961}", NULL, NULL), 428);
}

/* Whatever a role may edit: without a version 428, whichever record it is; and the description says both. */
static void test_every_edit_needs_a_version(void **state)
{
    const bench *b = *state;
    size_t count = 0;
    size_t edits = 0;
    json_t *description = NULL;
    const reha_route *routes = reha_routes(&count);
    const sent plain = as(&b->accounts[REHA_ROLE_NONE]);
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/openapi.json", &plain, NULL, &description, NULL), 200);
    for (size_t i = 0; i < count; i++) {
        const bool is_own =
            strncmp(routes[i].pattern, "/api/v1/session", 15) == 0; /* one's own account: no two clinicians */
        if (routes[i].method == REHA_HTTP_PUT && !is_own) {
            assert_true((routes[i].flags & REHA_ROUTE_IF_MATCH) != 0);
        }
        if ((routes[i].flags & REHA_ROUTE_IF_MATCH) == 0) {
            continue;
        }
        edits++;
        for (int role = REHA_ROLE_NONE + 1; role < REHA_ROLE_LOCAL; role++) {
            char path[128];
            sent what = as(&b->accounts[role]);
            what.headers[2][0] = "X-No-Match";
            fill(routes[i].pattern, path);
            if (reha_route_may(&routes[i], (reha_role)role)) {
                assert_int_equal(ask(b, routes[i].method, path, &what, "{}", NULL, NULL), 428);
            }
        }
        const json_t *answers = json_object_get(
            json_object_get(json_object_get(json_object_get(description, "paths"), routes[i].pattern),
                            routes[i].method == REHA_HTTP_PUT      ? "put"
                            : routes[i].method == REHA_HTTP_DELETE ? "delete"
                                                                   : "post"),
            "responses");
        assert_non_null(json_object_get(answers, "412"));
        assert_non_null(json_object_get(answers, "428"));
    }
    assert_true(edits >= 9);
    json_decref(description);
}

static void test_unchanged_is_not_sent_again(void **state)
{
    const bench *b = *state;
    reha_http_response head;
    char tag[80];
    sent what = as(&b->accounts[REHA_ROLE_READ_ONLY]);
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/models", &what, NULL, NULL, &head), 200);
    (void)snprintf(tag, sizeof tag, "%s", head.etag);
    assert_string_not_equal(tag, "");
    what.headers[2][0] = "If-None-Match";
    what.headers[2][1] = tag;
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/models", &what, NULL, NULL, &head), 304);
    assert_int_equal(head.body_bytes, 0);
    what.headers[2][1] = "\"other\"";
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/models", &what, NULL, NULL, NULL), 200);
}

static void test_bodies(void **state)
{
    const bench *b = *state;
    static const char *const bad[] = {
        "", "[]", "1", "{", "{\"name\": \"a\", \"name\": \"b\"}", "{\"no_such_member\": 1}", "\xff"};
    sent what = as(&b->accounts[REHA_ROLE_PHYSIOTHERAPIST]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/patients", &what, bad[i], NULL, NULL), 400);
    }
    char *large = malloc(5001);
    memset(large, ' ', 5000);
    large[5000] = '\0';
    assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/patients", &what, large, NULL, NULL), 413);
    free(large);
    what.headers[5][0] = "Content-Length";
    what.headers[5][1] = "4097";
    assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/patients", &what, "{}", NULL, NULL), 413);
    what.headers[5][1] = "many";
    assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/patients", &what, "{}", NULL, NULL), 413);
    what.headers[5][1] = "2";
    what.headers[1][1] = "text/plain"; /* what a foreign form could send */
    assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/patients", &what, "{}", NULL, NULL), 415);
}

static void test_queries(void **state)
{
    const bench *b = *state;
    sent what = as(&b->accounts[REHA_ROLE_READ_ONLY]);
    what.query[0][0] = "limit";
    what.query[0][1] = "201";
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/studies", &what, NULL, NULL, NULL), 400);
    what.query[0][1] = "10";
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/studies", &what, NULL, NULL, NULL), 200);
    what.query[1][0] = "status";
    what.query[1][1] = "no-such-status";
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/studies", &what, NULL, NULL, NULL), 400);
    assert_int_equal(ask(b, REHA_HTTP_OTHER, "/api/v1/studies", &what, NULL, NULL, NULL), 405);
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/nothing", &what, NULL, NULL, NULL), 404);
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v2/studies", &what, NULL, NULL, NULL), 404);
}

static void test_first_account_only_once(void **state)
{
    const bench *b = *state;
    const sent plain = as(&b->accounts[REHA_ROLE_NONE]);
    assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/setup", &plain,
                         "{\"name\": \"evil\", \"display_name\": \"E\", \"password\": \"" PASSWORD "\"}",
                         NULL, NULL),
                     409);
    assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/session", &plain,
                         "{\"name\": \"admin\", \"password\": \"wrong wrong wrong\"}", NULL, NULL),
                     401);
}

static void test_every_route_is_described(void **state)
{
    const bench *b = *state;
    size_t count = 0;
    size_t described = 0;
    json_t *description = NULL;
    const reha_route *routes = reha_routes(&count);
    const sent plain = as(&b->accounts[REHA_ROLE_NONE]);
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/openapi.json", &plain, NULL, &description, NULL), 200);
    const json_t *paths = json_object_get(description, "paths");
    for (size_t i = 0; i < count; i++) {
        static const char *const names[] = {"get", "post", "put", "delete"};
        const json_t *one =
            json_object_get(json_object_get(paths, routes[i].pattern), names[routes[i].method]);
        assert_non_null(one);
        assert_true(strlen(reha_json_string(one, "summary", "")) > 5);
        assert_non_null(json_object_get(json_object_get(one, "responses"), "2XX"));
        assert_int_equal(json_object_get(one, "requestBody") != NULL, routes[i].body != REHA_BODY_NONE);
        size_t braces = 0;
        size_t in_path = 0;
        for (const char *at = routes[i].pattern; (at = strchr(at, '{')) != NULL; at++) {
            braces++;
        }
        const json_t *parameters = json_object_get(one, "parameters");
        for (size_t k = 0; k < json_array_size(parameters); k++) {
            in_path += strcmp(reha_json_string(json_array_get(parameters, k), "in", ""), "path") == 0 ? 1 : 0;
        }
        assert_int_equal(in_path, braces);
    }
    const char *path = NULL;
    json_t *methods = NULL;
    json_object_foreach((json_t *)(uintptr_t)paths, path, methods)
    {
        described += json_object_size(methods);
    }
    assert_int_equal(described, count); /* and nothing else is */
    json_decref(description);
}

static void test_sign_out_ends_the_session(void **state)
{
    const bench *b = *state;
    reha_http_response head;
    const sent what = as(&b->accounts[REHA_ROLE_REVIEWER]);
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/session", &what, NULL, NULL, NULL), 200);
    assert_int_equal(ask(b, REHA_HTTP_DELETE, "/api/v1/session", &what, NULL, NULL, &head), 204);
    assert_non_null(strstr(head.cookie, "Max-Age=0"));
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/session", &what, NULL, NULL, NULL), 401);
    assert_int_equal(ask(b, REHA_HTTP_GET, "/api/v1/studies", &what, NULL, NULL, NULL), 401);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_route_and_role),
                                       cmocka_unit_test(test_every_route_by_token),
                                       cmocka_unit_test(test_tokens_are_shown_in_the_header_only),
                                       cmocka_unit_test(test_the_table_says_what_roles_are_for),
                                       cmocka_unit_test(test_the_outbox),
                                       cmocka_unit_test(test_changes_need_the_csrf_token),
                                       cmocka_unit_test(test_foreign_pages_are_refused),
                                       cmocka_unit_test(test_edits_need_the_version),
                                       cmocka_unit_test(test_every_edit_needs_a_version),
                                       cmocka_unit_test(test_unchanged_is_not_sent_again),
                                       cmocka_unit_test(test_bodies),
                                       cmocka_unit_test(test_queries),
                                       cmocka_unit_test(test_first_account_only_once),
                                       cmocka_unit_test(test_every_route_is_described),
                                       cmocka_unit_test(test_sign_out_ends_the_session)};
    return cmocka_run_group_tests(tests, open_bench, close_bench);
}
