/* Requests from tests: a clinic in a scratch folder, one account for each role, headers as a list. */
#ifndef REHA_TESTS_WEB_CALLER_H
#define REHA_TESTS_WEB_CALLER_H

#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "web/web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define PASSWORD "correct horse battery"

typedef struct account {
    reha_role role;
    char cookie[128];
    char csrf[128];
} account;

typedef struct bench {
    char folder[64];
    reha_clinic *clinic;
    reha_web *web;
    account accounts[REHA_ROLE_COUNT]; /* by role; NONE: nobody */
} bench;

typedef struct sent {
    const char *headers[16][2];
    const char *query[8][2];
} sent;

static const char *find_pair(const char *const (*pairs)[2], size_t count, const char *name)
{
    for (size_t i = 0; i < count && pairs[i][0] != NULL; i++) {
        if (strcasecmp(pairs[i][0], name) == 0) {
            return pairs[i][1];
        }
    }
    return NULL;
}

static inline const char *sent_header(const void *context, const char *name)
{
    return find_pair(((const sent *)context)->headers, 16, name);
}

static inline const char *sent_query(const void *context, const char *name)
{
    return find_pair(((const sent *)context)->query, 8, name);
}

static inline void sent_each(const void *context, reha_http_visit visit, void *to)
{
    const sent *what = context;
    for (size_t i = 0; i < 8 && what->query[i][0] != NULL; i++) {
        visit(to, what->query[i][0], what->query[i][1] != NULL ? what->query[i][1] : "");
    }
}

/* One request; its JSON answer (or NULL) in *out, which may be NULL. The status code. */
static inline int ask(const bench *b, reha_http_method method, const char *path, const sent *what,
                      const char *body, json_t **out, reha_http_response *head)
{
    const reha_http_request request = {.method = method,
                                       .path = path,
                                       .id = "0123456789abcdef",
                                       .header = sent_header,
                                       .query = sent_query,
                                       .each_query = sent_each,
                                       .context = what};
    reha_call *call = reha_call_open(b->web, &request);
    assert_non_null(call);
    if (!reha_call_is_refused(call) && body != NULL) {
        (void)reha_call_feed(call, body, strlen(body));
    }
    const reha_http_response *response = reha_call_finish(call);
    const int code = response->code;
    if (head != NULL) {
        *head = *response; /* texts only: the body dies with the call */
    }
    if (out != NULL) {
        *out = response->body != NULL
                   ? json_loadb((const char *)response->body, response->body_bytes, 0, NULL)
                   : NULL;
    }
    reha_call_close(call);
    return code;
}

/* Headers that a page of ours sends as `who`. */
static inline sent as(const account *who)
{
    return (sent){.headers = {{"Host", "127.0.0.1:8080"},
                              {"Content-Type", "application/json"},
                              {"If-Match", "\"1-x\""},
                              {who->cookie[0] != '\0' ? "Cookie" : "X-None", who->cookie},
                              {who->csrf[0] != '\0' ? "X-CSRF-Token" : "X-Nothing", who->csrf}}};
}

/* A new access token as the value of an Authorization header. */
static inline void token_of(const bench *b, reha_role role, char out[REHA_ACCESS_TOKEN_BYTES + 8])
{
    char body[120];
    json_t *made = NULL;
    const sent admin = as(&b->accounts[REHA_ROLE_ADMINISTRATOR]);
    (void)snprintf(body, sizeof body, "{\"name\": \"ward\", \"role\": \"%s\"}", reha_role_name(role));
    assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/tokens", &admin, body, &made, NULL), 201);
    (void)snprintf(out, REHA_ACCESS_TOKEN_BYTES + 8, "Bearer %s", reha_json_string(made, "token", ""));
    assert_true(strlen(out) > 70);
    json_decref(made);
}

static inline void sign_in(bench *b, reha_role role, const char *name)
{
    account *who = &b->accounts[role];
    char body[160];
    json_t *session = NULL;
    reha_http_response head;
    const sent plain = as(&b->accounts[REHA_ROLE_NONE]);
    (void)snprintf(body, sizeof body, "{\"name\": \"%s\", \"password\": \"" PASSWORD "\"}", name);
    assert_int_equal(ask(b, REHA_HTTP_POST, "/api/v1/session", &plain, body, &session, &head), 201);
    (void)snprintf(who->cookie, sizeof who->cookie, "%.*s", (int)strcspn(head.cookie, ";"), head.cookie);
    (void)snprintf(who->csrf, sizeof who->csrf, "%s", reha_json_string(session, "csrf", ""));
    who->role = role;
    assert_non_null(strstr(head.cookie, "HttpOnly"));
    assert_non_null(strstr(head.cookie, "SameSite=Strict"));
    json_decref(session);
}

/* The program beside the tests: uploads are looked at in its sandbox. Not this program, which would test
 * itself. */
static inline void find_program(char *out, size_t room)
{
    char self[512] = "";
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    *strrchr(self, '/') = '\0';
    (void)snprintf(out, room, "%s/../rehascope", self);
}

/* With an administrator; `with_all`: one account for each role (each costs the time of a password's hash,
 * twice). */
static inline int open_bench_with(void **state, bool with_all)
{
    static bench b;
    reha_error err = REHA_ERROR_INIT;
    b = (bench){.folder = P_tmpdir "/reha-web-XXXXXX"};
    assert_non_null(mkdtemp(b.folder));
    assert_int_equal(setenv("REHASCOPE_GUIDELINES", REHA_SOURCE_DIR "/guidelines", 1), 0);
    static char home[96];
    static char backups[96];
    (void)snprintf(home, sizeof home, "%s/home", b.folder);
    (void)snprintf(backups, sizeof backups, "%s/backups", b.folder);
    static char program[600];
    find_program(program, sizeof program);
    reha_clinic_limits limits = reha_clinic_limits_default();
    limits.worker_cpu_s = limits.worker_wall_s = TEST_PATIENCE_S;
    const reha_clinic_options options = {
        .home = home, .models_folder = REHA_SOURCE_DIR "/models", .program = program, .limits = limits};
    assert_ok(reha_clinic_open(&options, &b.clinic, &err), &err);
    const reha_web_options web = {
        .clinic = b.clinic, .loopback_only = true, .backup_folder = backups, .json_bytes_max = 4096};
    assert_ok(reha_web_new(&web, &b.web, &err), &err);
    *state = &b;
    const sent plain = as(&b.accounts[REHA_ROLE_NONE]);
    assert_int_equal(ask(&b, REHA_HTTP_POST, "/api/v1/setup", &plain,
                         "{\"name\": \"admin\", \"display_name\": \"A\", \"password\": \"" PASSWORD "\"}",
                         NULL, NULL),
                     201);
    sign_in(&b, REHA_ROLE_ADMINISTRATOR, "admin");
    const sent admin = as(&b.accounts[REHA_ROLE_ADMINISTRATOR]);
    for (int role = REHA_ROLE_NONE + 1; role < REHA_ROLE_LOCAL && with_all; role++) {
        char body[200];
        if (role != REHA_ROLE_ADMINISTRATOR) {
            const char *name = reha_role_name((reha_role)role);
            (void)snprintf(body, sizeof body,
                           "{\"name\": \"%s\", \"display_name\": \"X\", \"password\": \"" PASSWORD
                           "\", \"role\": \"%s\"}",
                           name, name);
            assert_int_equal(ask(&b, REHA_HTTP_POST, "/api/v1/users", &admin, body, NULL, NULL), 201);
            sign_in(&b, (reha_role)role, name);
        }
    }
    return 0;
}

static inline int open_bench(void **state)
{
    return open_bench_with(state, true);
}

static inline int close_bench(void **state)
{
    bench *b = *state;
    char command[128];
    reha_web_stop(b->web);
    reha_web_free(b->web);
    reha_clinic_close(b->clinic);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", b->folder);
    return system(command);
}

#endif
