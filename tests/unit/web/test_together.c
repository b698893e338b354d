/* Many people at once on a real socket: edits that meet, clients that are slow, a disk that is full. */
#include "wire.h"

#include "base/clock.h"
#include "base/sync.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

enum { CLINICIANS = 4, EDITS = 6, SLOW = 30, TRIES = 50 };

static int open_server(void **state)
{
    return open_wire(state, (reha_server_options){.head_s = PATIENCE_S, .idle_s = PATIENCE_S});
}

static void make_patient(const account *who, char path[64])
{
    json_t *made = NULL;
    assert_int_equal(ask_wire(who, "POST", "/api/v1/patients", "Content-Type: application/json\r\n",
                              "{\"note\": \"-\"}", 13, &made),
                     201);
    (void)snprintf(path, 64, "/api/v1/patients/%s", reha_json_string(made, "id", ""));
    json_decref(made);
}

static int put_note(const account *who, const char *path, int64_t version, const char *note, json_t **out)
{
    char headers[120];
    char body[400];
    (void)snprintf(headers, sizeof headers, "Content-Type: application/json\r\nIf-Match: \"%lld\"\r\n",
                   (long long)version);
    const int length = snprintf(body, sizeof body, "{\"note\": \"%s\"}", note);
    return ask_wire(who, "PUT", path, headers, body, (size_t)length, out);
}

/* ---- edits ---- */

typedef struct clinician {
    const account *who;
    const char *path;
    char letter;
    int codes[3]; /* how often 200, 412, anything else */
    int64_t version;
} clinician;

static void count(clinician *one, int code)
{
    one->codes[code == 200 ? 0 : code == 412 ? 1 : 2]++;
}

static void write_once(void *context)
{
    clinician *one = context;
    const char note[2] = {one->letter, '\0'};
    count(one, put_note(one->who, one->path, one->version, note, NULL));
}

/* All read the same version, all write: one gets through, the others are told, nothing is overwritten. */
static void test_one_of_those_who_read_the_same(void **state)
{
    const bench *b = *state;
    const account *who = &b->accounts[REHA_ROLE_ADMINISTRATOR];
    reha_error err = REHA_ERROR_INIT;
    clinician all[CLINICIANS];
    reha_thread *threads[CLINICIANS];
    json_t *patient = NULL;
    char path[64];
    int done = 0;
    int stale = 0;
    make_patient(who, path);
    for (int i = 0; i < CLINICIANS; i++) {
        all[i] = (clinician){.who = who, .path = path, .letter = (char)('a' + i), .version = 1};
        assert_ok(reha_thread_start(write_once, &all[i], &threads[i], &err), &err);
    }
    char winner = '-';
    for (int i = 0; i < CLINICIANS; i++) {
        reha_thread_join(threads[i]);
        done += all[i].codes[0];
        stale += all[i].codes[1];
        winner = all[i].codes[0] == 1 ? all[i].letter : winner;
    }
    assert_int_equal(done, 1);
    assert_int_equal(stale, CLINICIANS - 1);
    assert_int_equal(ask_wire(who, "GET", path, "", NULL, 0, &patient), 200);
    assert_int_equal(reha_json_string(patient, "note", "?")[0], winner);
    assert_int_equal(json_integer_value(json_object_get(patient, "version")), 2);
    json_decref(patient);
}

/* Reads, adds a letter, writes; told that it is stale, does it again, as a page does. */
static void write_until_done(void *context)
{
    clinician *one = context;
    for (int done = 0; done < EDITS && one->codes[2] == 0;) {
        json_t *patient = NULL;
        char note[200];
        if (ask_wire(one->who, "GET", one->path, "", NULL, 0, &patient) != 200) {
            one->codes[2]++;
            return;
        }
        (void)snprintf(note, sizeof note, "%s%c", reha_json_string(patient, "note", ""), one->letter);
        const int code = put_note(one->who, one->path,
                                  json_integer_value(json_object_get(patient, "version")), note, NULL);
        json_decref(patient);
        count(one, code);
        done += code == 200 ? 1 : 0;
    }
}

static void test_no_edit_is_lost(void **state)
{
    const bench *b = *state;
    const account *who = &b->accounts[REHA_ROLE_ADMINISTRATOR];
    reha_error err = REHA_ERROR_INIT;
    clinician all[CLINICIANS];
    reha_thread *threads[CLINICIANS];
    json_t *patient = NULL;
    char path[64];
    int stale = 0;
    make_patient(who, path);
    for (int i = 0; i < CLINICIANS; i++) {
        all[i] = (clinician){.who = who, .path = path, .letter = (char)('a' + i)};
        assert_ok(reha_thread_start(write_until_done, &all[i], &threads[i], &err), &err);
    }
    for (int i = 0; i < CLINICIANS; i++) {
        reha_thread_join(threads[i]);
        assert_int_equal(all[i].codes[0], EDITS);
        assert_int_equal(all[i].codes[2], 0);
        stale += all[i].codes[1];
    }
    assert_int_equal(ask_wire(who, "GET", path, "", NULL, 0, &patient), 200);
    const char *note = reha_json_string(patient, "note", "");
    assert_int_equal(strlen(note), 1 + CLINICIANS * EDITS);
    for (int i = 0; i < CLINICIANS; i++) {
        int seen = 0;
        for (const char *at = note; *at != '\0'; at++) {
            seen += *at == all[i].letter ? 1 : 0;
        }
        assert_int_equal(seen, EDITS);
    }
    assert_int_equal(json_integer_value(json_object_get(patient, "version")), 1 + CLINICIANS * EDITS);
    print_message("%d edits, %d were told to read again\n", CLINICIANS * EDITS, stale);
    json_decref(patient);
}

/* ---- slow clients ---- */

/* Uploads that stand still hold neither the records nor those who only read; what they began is gone
 * afterwards. */
static void test_uploads_that_stand_still(void **state)
{
    const bench *b = *state;
    const account *who = &b->accounts[REHA_ROLE_ADMINISTRATOR];
    int held[SLOW];
    char head[600];
    char folder[128];
    char path[64];
    (void)snprintf(head, sizeof head,
                   "POST /api/v1/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: %s\r\nX-CSRF-Token: %s\r\n"
                   "Content-Length: 1000000\r\n\r\nonly the beginning of it",
                   who->cookie, who->csrf);
    for (int i = 0; i < SLOW; i++) {
        held[i] = dial();
        say(held[i], head);
    }
    make_patient(who, path); /* a write, and a read, while all of them wait */
    assert_int_equal(ask_wire(who, "GET", path, "", NULL, 0, NULL), 200);
    for (int i = 0; i < SLOW; i++) {
        (void)close(held[i]);
    }
    reha_paths left = {0};
    (void)snprintf(folder, sizeof folder, "%s/home/incoming", b->folder);
    for (int i = 0; i < PAUSES; i++) { /* the server learns of it by itself */
        reha_error err = REHA_ERROR_INIT;
        wait_ms(PAUSE_MS);
        assert_ok(reha_folder_list(folder, 1000, &left, &err), &err);
        const size_t count_left = left.count;
        reha_paths_clear(&left);
        if (count_left == 0) {
            return;
        }
    }
    fail_msg("files of broken uploads stay in incoming/");
}

static void tick_on(void *context)
{
    atomic_bool *is_over = context;
    while (!atomic_load(is_over)) {
        (void)reha_server_tick(server);
        wait_ms(5);
    }
}

static int sign_in_timed(const bench *b, double *out_s)
{
    static const char body[] = "{\"name\": \"admin\", \"password\": \"" PASSWORD "\"}";
    const double begin_ms = reha_clock_ms();
    const int code = ask_wire(&b->accounts[REHA_ROLE_NONE], "POST", "/api/v1/session",
                              "Content-Type: application/json\r\n", body, sizeof body - 1, NULL);
    *out_s = (reha_clock_ms() - begin_ms) / 1000.0;
    return code;
}

/* A password's hash takes longer than this server has patience with clients: the answer comes nevertheless.
 * How long one takes is measured here and now. On a busy machine the client may truly be slow and be cut,
 * or quick once: then it is tried again. */
static void test_our_own_time_counts_for_nothing(void **state)
{
    const bench *b = *state;
    reha_error err = REHA_ERROR_INIT;
    reha_server *usual = server;
    reha_thread *ticker = NULL;
    atomic_bool is_over = false;
    double took_s = 0.0;
    bool was_waited_for = false;
    assert_int_equal(sign_in_timed(b, &took_s), 201);
    const reha_server_options hasty = {.grace_s = took_s / 4.0, .head_s = PATIENCE_S, .idle_s = PATIENCE_S};
    assert_ok(reha_server_open(b->web, &hasty, &server, &err), &err);
    assert_ok(reha_thread_start(tick_on, &is_over, &ticker, &err), &err);
    for (int i = 0; i < TRIES && !was_waited_for; i++) {
        const int code = sign_in_timed(b, &took_s);
        was_waited_for = code == 201 && took_s > 2.0 * hasty.grace_s;
    }
    atomic_store(&is_over, true);
    reha_thread_join(ticker);
    reha_server *closed = server;
    server = usual;
    reha_server_close(closed);
    assert_true(was_waited_for);
}

/* ---- a full disk ---- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The system's limit on the size of a file stands for the disk's end: the same calls fail in the same places.
 */
static void test_a_full_disk_is_told_and_loses_nothing(void **state)
{
    const bench *b = *state;
    const account *who = &b->accounts[REHA_ROLE_ADMINISTRATOR];
    json_t *answer = NULL;
    json_t *list = NULL;
    char path[64];
    enum { BYTES = 3 << 20 };
    char *body = calloc(1, BYTES);
    assert_non_null(body);
    (void)signal(SIGXFSZ, SIG_IGN); /* as the server does */
    make_patient(who, path);
    limit_files(1 << 20);
    const int code =
        ask_wire(who, "POST", "/api/v1/uploads", "X-File-Name: big.dcm\r\n", body, BYTES, &answer);
    limit_files(RLIM_INFINITY);
    free(body);
    assert_int_equal(code, 507);
    const json_t *error = json_object_get(answer, "error");
    assert_string_equal(reha_json_string(error, "code", ""), "disk-full");
    assert_non_null(strstr(reha_json_string(error, "message", ""), "full"));
    assert_null(strstr(reha_json_string(error, "message", ""), b->folder)); /* no path of the server's */
    json_decref(answer);
    assert_int_equal(ask_wire(who, "GET", "/api/v1/studies", "", NULL, 0, &list), 200);
    assert_int_equal(json_integer_value(json_object_get(list, "total")), 0); /* nothing half */
    json_decref(list);
    assert_int_equal(ask_wire(who, "GET", path, "", NULL, 0, NULL), 200);
    make_patient(who, path); /* and once there is room again, work goes on */
}

/* The records themselves cannot grow: each change is refused as a whole, and what was there stays. */
static void test_records_that_cannot_grow(void **state)
{
    const bench *b = *state;
    const account *who = &b->accounts[REHA_ROLE_ADMINISTRATOR];
    json_t *answer = NULL;
    json_t *verdict = NULL;
    char path[64];
    make_patient(who, path);
    limit_files(1);
    const int code = ask_wire(who, "POST", "/api/v1/patients", "Content-Type: application/json\r\n",
                              "{\"note\": \"x\"}", 13, &answer);
    limit_files(RLIM_INFINITY);
    assert_int_equal(code, 507);
    assert_non_null(strstr(reha_json_string(json_object_get(answer, "error"), "message", ""), "full"));
    json_decref(answer);
    assert_int_equal(ask_wire(who, "GET", path, "", NULL, 0, NULL), 200);
    make_patient(who, path);
    assert_int_equal(ask_wire(who, "POST", "/api/v1/audit/verification?blobs=1",
                              "Content-Type: application/json\r\n", "{}", 2, &verdict),
                     200);
    assert_true(json_is_true(json_object_get(verdict, "ok")));
    json_decref(verdict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_of_those_who_read_the_same),
                                       cmocka_unit_test(test_no_edit_is_lost),
                                       cmocka_unit_test(test_uploads_that_stand_still),
                                       cmocka_unit_test(test_our_own_time_counts_for_nothing),
                                       cmocka_unit_test(test_a_full_disk_is_told_and_loses_nothing),
                                       cmocka_unit_test(test_records_that_cannot_grow)};
    return cmocka_run_group_tests(tests, open_server, close_wire);
}
