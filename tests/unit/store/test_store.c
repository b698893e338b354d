#include "former_home.h"
#include "scratch.h"

#include "base/memory.h"
#include "store/audit.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const reha_keys keys = {.records = {7, 7, 7}, .check = "the check of a test"};
static char path[64];

static reha_store *open_new(const char *name)
{
    reha_error err = REHA_ERROR_INIT;
    reha_store *store = NULL;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(reha_store_open(path, &keys, true, &store, &err), &err);
    return store;
}

static void add_patient(reha_store *store, const char *id, const char *pseudonym)
{
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_store_do(store, REHA_SQL_PATIENT_ADD,
                            REHA_BIND(reha_of_text(id), reha_of_text(pseudonym),
                                      reha_of_text("Ada \xc3\x84ngstr\xc3\xb6m"), reha_of_int(1950),
                                      reha_of_text("f"), reha_of_text(NULL), reha_of_text(NULL),
                                      reha_of_text("2026-01-01T00:00:00.000Z")),
                            NULL, &err),
              &err);
}

static void test_every_statement_is_valid(void **state)
{
    (void)state;
    reha_store *store = open_new("all.db");
    for (int which = 0; which < REHA_SQL_COUNT; which++) {
        reha_value many[40] = {{REHA_VALUE_NULL, 0, 0.0, NULL}};
        reha_error err = REHA_ERROR_INIT;
        json_t *rows = NULL;
        /* No statement has 40 values: it is prepared, then refused for their number. */
        assert_int_equal(reha_store_rows(store, (reha_sql)which, many, 40, &rows, &err), REHA_E_INTERNAL);
        if (strstr(err.text, "40 values for") == NULL) {
            fail_msg("statement %d: %s", which, err.text);
        }
    }
    reha_store_close(store);
}

static void test_values_go_in_and_out(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    json_t *row = NULL;
    reha_store *store = open_new("values.db");
    add_patient(store, "p1", "P-1");
    assert_ok(
        reha_store_row(store, REHA_SQL_PATIENT, REHA_BIND(reha_of_int(1), reha_of_text("p1")), &row, &err),
        &err);
    assert_string_equal(reha_json_string(row, "name", ""), "Ada \xc3\x84ngstr\xc3\xb6m");
    assert_int_equal(json_integer_value(json_object_get(row, "birth_year")), 1950);
    assert_true(json_is_null(json_object_get(row, "note")));
    json_decref(row);
    /* Without the permission, the name is not even read. */
    assert_ok(
        reha_store_row(store, REHA_SQL_PATIENT, REHA_BIND(reha_of_int(0), reha_of_text("p1")), &row, &err),
        &err);
    assert_true(json_is_null(json_object_get(row, "name")));
    json_decref(row);
    assert_int_equal(
        reha_store_row(store, REHA_SQL_PATIENT, REHA_BIND(reha_of_int(0), reha_of_text("no")), &row, &err),
        REHA_E_NOT_FOUND);
    assert_null(row);
    reha_store_close(store);
}

static void test_search_folds_case_and_wants_every_word(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        int identity;
        int found;
    } cases[] = {{"ada", 1, 1},     {"\xc3\xa4ngstr\xc3\x96m ada", 1, 1},
                 {"ada bob", 1, 0}, {"ada", 0, 0},
                 {"p-1", 0, 1},     {"%", 1, 0}};
    reha_error err = REHA_ERROR_INIT;
    reha_store *store = open_new("search.db");
    add_patient(store, "p1", "P-1");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t count = -1;
        assert_ok(reha_store_number(store, REHA_SQL_PATIENTS_COUNT,
                                    REHA_BIND(reha_of_int(cases[i].identity), reha_of_text(cases[i].words)),
                                    &count, &err),
                  &err);
        assert_int_equal(count, cases[i].found);
    }
    reha_store_close(store);
}

static void test_constraints_become_statuses(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_store *store = open_new("constraints.db");
    add_patient(store, "p1", "P-1");
    const reha_value twice[] = {reha_of_text("p2"), reha_of_text("P-1"), reha_of_text(NULL),
                                reha_of_text(NULL), reha_of_text(NULL),  reha_of_text(NULL),
                                reha_of_text(NULL), reha_of_text("t")};
    assert_int_equal(reha_store_do(store, REHA_SQL_PATIENT_ADD, twice, 8, NULL, &err), REHA_E_CONFLICT);
    assert_int_equal(reha_store_do(store, REHA_SQL_JOB_ADD,
                                   REHA_BIND(reha_of_text("j"), reha_of_text("no image"), reha_of_text(NULL),
                                             reha_of_text("t")),
                                   NULL, &err),
                     REHA_E_NOT_FOUND);
    reha_store_close(store);
}

static void test_transactions(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    json_t *row = NULL;
    reha_store *store = open_new("transactions.db");
    reha_store *other = open_new("transactions.db");
    const int64_t mark = reha_store_change_mark(other);
    assert_ok(reha_store_begin(store, true, &err), &err);
    add_patient(store, "p1", "P-1");
    assert_int_equal(
        reha_store_row(other, REHA_SQL_PATIENT, REHA_BIND(reha_of_int(0), reha_of_text("p1")), &row, NULL),
        REHA_E_NOT_FOUND);
    reha_store_rollback(store);
    assert_ok(reha_store_begin(store, false, &err), &err);
    add_patient(store, "p2", "P-2");
    assert_ok(reha_store_commit(store, &err), &err);
    assert_int_equal(
        reha_store_row(other, REHA_SQL_PATIENT, REHA_BIND(reha_of_int(0), reha_of_text("p1")), &row, NULL),
        REHA_E_NOT_FOUND);
    assert_ok(
        reha_store_row(other, REHA_SQL_PATIENT, REHA_BIND(reha_of_int(0), reha_of_text("p2")), &row, &err),
        &err);
    json_decref(row);
    assert_true(reha_store_change_mark(other) != mark);
    reha_store_close(other);
    reha_store_close(store);
}

/* Another process that opens the records and goes must not take the journal away from the connections here.
 */
static void test_another_process_comes_and_goes(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_store *store = open_new("guests.db");
    reha_store *second = open_new("guests.db");
    for (int round = 0; round < 3; round++) {
        char id[8];
        char command[200];
        (void)snprintf(id, sizeof id, "p%d", round);
        assert_ok(reha_store_begin(store, true, &err), &err);
        add_patient(store, id, id);
        assert_ok(reha_store_commit(store, &err), &err);
        (void)snprintf(command, sizeof command,
                       "python3 -c \"import sqlite3; d = sqlite3.connect('%s'); "
                       "assert d.execute('SELECT COUNT(*) FROM patient').fetchone()[0] == %d; d.close()\"",
                       path, round + 1);
        assert_int_equal(system(command), 0);
    }
    reha_store_close(second);
    reha_store_close(store);
}

static void test_owner_only(void **state)
{
    (void)state;
    struct stat info;
    reha_store_close(open_new("mode.db"));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 077, 0);
}

/* Whether a file holds the bytes, as somebody with a disk editor would see them. */
static bool file_has(const char *file, const char *text)
{
    char command[200];
    (void)snprintf(command, sizeof command, "grep -aq -e '%s' '%s' 2>/dev/null", text, file);
    return system(command) == 0;
}

static void expect_no_clear_text(const char *text)
{
    char journal[80];
    (void)snprintf(journal, sizeof journal, "%s-wal", path);
    assert_false(file_has(path, text));
    assert_false(file_has(journal, text));
}

static const char FORMER_PATIENT[] = "01m8n4h5j7zf6mtff6n338ez6v"; /* of golden/home-v1 */
#define FORMER_STUDY_1  "01m8n4hgdbdb4b3nq055xfpdt7"               /* of golden/home-v1 */
#define FORMER_IMAGE_1  "01m8n4hgdbg5vsy2a6xh6f608b"
#define FORMER_RESULT_1 "01m8n4hjjkvy5x84cravvhnaat"
#define FORMER_STUDY_2  "01m8nj87asfgrcn234pws8scb0" /* of golden/home-v2 */
#define FORMER_IMAGE_2  "01m8nj87atq72wrysewwy47k9j"
#define FORMER_RESULT_2 "01m8nj8gm964hz3qaq8zm2g40b"

/* Every column that the first version kept in clear, read through the newest statements. */
static void expect_former_records(reha_store *store)
{
    static const struct {
        reha_sql which;
        const char *id, *key, *text;
    } known[] = {
        {REHA_SQL_EPISODES, FORMER_PATIENT, "condition", "knee ZZSECRET"},
        {REHA_SQL_EPISODES, FORMER_PATIENT, "surgery", "surgery ZZSECRET"},
        {REHA_SQL_EPISODES, FORMER_PATIENT, "goals", "other goals ZZSECRET"},
        {REHA_SQL_SCORES, FORMER_PATIENT, "note", "score ZZSECRET"},
        {REHA_SQL_SCORES, FORMER_PATIENT, "withdrawn_reason", "withdrawn ZZSECRET"},
        {REHA_SQL_PLANS, FORMER_PATIENT, "reason", "more ZZSECRET"},
        {REHA_SQL_PREDICTIONS, FORMER_PATIENT, "outcome", "knee-replacement"},
        {REHA_SQL_REVIEWS, "01m8n4hjjkvy5x84cravvhnaat", "reason", "reason ZZSECRET"},
        {REHA_SQL_SIGNATURES, "01m8n4hgdbdb4b3nq055xfpdt7", "comment", "comment ZZSECRET"},
        {REHA_SQL_SIGNATURES, "01m8n4hgdbdb4b3nq055xfpdt7", "withdrawn_reason", "reopened ZZSECRET"}};
    reha_error err = REHA_ERROR_INIT;
    json_t *row = NULL;
    int64_t found = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_ok(reha_store_row(store, known[i].which, REHA_BIND(reha_of_text(known[i].id)), &row, &err),
                  &err);
        assert_string_equal(reha_json_string(row, known[i].key, ""), known[i].text);
        json_decref(row);
    }
    assert_ok(reha_store_row(store, REHA_SQL_PATIENT, REHA_BIND(reha_of_int(1), reha_of_text(FORMER_PATIENT)),
                             &row, &err),
              &err);
    assert_string_equal(reha_json_string(row, "name", ""), "Erna ZZSECRET");
    assert_string_equal(reha_json_string(row, "note", ""), "changed ZZSECRET");
    assert_int_equal(json_integer_value(json_object_get(row, "birth_year")), 1951);
    json_decref(row);
    assert_ok(reha_store_row(store, REHA_SQL_PLAN,
                             REHA_BIND(reha_of_text("01m8n4hk7z1d2dtkcjazfmbs7c"), reha_of_int(1)), &row,
                             &err),
              &err);
    assert_string_equal(reha_json_string(json_object_get(row, "content"), "for", ""), "ZZSECRET");
    json_decref(row);
    assert_ok(reha_store_row(store, REHA_SQL_UPLOAD,
                             REHA_BIND(reha_of_text("01m8n4h4xdgen28frgpvfp0qa8"), reha_of_text("k0")), &row,
                             &err),
              &err);
    assert_true(json_is_object(json_object_get(row, "answer")));
    json_decref(row);
    assert_ok(reha_store_number(store, REHA_SQL_PATIENTS_COUNT,
                                REHA_BIND(reha_of_int(1), reha_of_text("erna zzsecret knee")), &found, &err),
              &err);
    assert_int_equal(found, 1);
}

static void load_former_keys(const char *home, reha_keys *out)
{
    char file[80];
    reha_error err = REHA_ERROR_INIT;
    (void)snprintf(file, sizeof file, "%s/key", home);
    assert_ok(reha_keys_load(file, false, out, &err), &err);
}

static void test_seals_the_records_of_the_first_version(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_store *store = NULL;
    reha_keys former;
    char home[64];
    (void)snprintf(home, sizeof home, "%s/former", folder);
    assert_int_equal(mkdir(home, 0700), 0);
    make_former_home(home, 1, 0);
    load_former_keys(home, &former);
    (void)snprintf(path, sizeof path, "%s/records.db", home);
    assert_true(file_has(path, "ZZSECRET"));
    assert_int_equal(reha_store_open(path, &former, false, &store, &err), REHA_E_STALE);
    assert_int_equal(reha_store_open(path, &keys, true, &store, &err),
                     REHA_E_TAMPERED); /* nothing is sealed with a wrong key */
    assert_true(file_has(path, "ZZSECRET"));
    assert_ok(reha_store_open(path, &former, true, &store, &err), &err);
    assert_int_equal(reha_store_schema(store), reha_store_schema_newest());
    expect_former_records(store);
    assert_ok(reha_store_sweep(store, &err), &err);
    expect_no_clear_text("ZZSECRET");
    expect_no_clear_text("Erna");
    assert_ok(reha_store_check(store, &err), &err);
    expect_former_records(store);
    reha_store_close(store);
    char head[80];
    (void)snprintf(head, sizeof head, "%s/audit.head", home);
    assert_ok(reha_store_open(path, &former, false, &store, &err), &err);
    assert_ok(reha_audit_verify(store, former.audit, head, NULL, &err), &err); /* and the chain is the same */
    reha_store_close(store);
}

/* The newest result of every former version stands, as one of the task that its analysis names and nobody had
 * asked for; older ones are history. A result is as unchangeable as before. */
static void test_results_of_former_versions_stand(void **state)
{
    (void)state;
    static const struct {
        const char *study, *image, *result;
    } newest[] = {{FORMER_STUDY_1, FORMER_IMAGE_1, FORMER_RESULT_1},
                  {FORMER_STUDY_2, FORMER_IMAGE_2, FORMER_RESULT_2}};
    for (int version = 1; version <= 2; version++) {
        reha_error err = REHA_ERROR_INIT;
        reha_store *store = NULL;
        reha_keys former;
        json_t *rows = NULL;
        char home[64];
        char command[900];
        (void)snprintf(home, sizeof home, "%s/results-%d", folder, version);
        assert_int_equal(mkdir(home, 0700), 0);
        make_former_home(home, version, 0);
        load_former_keys(home, &former);
        (void)snprintf(path, sizeof path, "%s/records.db", home);
        assert_ok(reha_store_open(path, &former, true, &store, &err), &err);
        assert_ok(reha_store_rows(store, REHA_SQL_RESULTS, REHA_BIND(reha_of_text(newest[version - 1].image)),
                                  &rows, &err),
                  &err);
        assert_int_equal(json_array_size(rows), 1);
        const json_t *row = json_array_get(rows, 0);
        assert_string_equal(reha_json_string(row, "result_id", ""), newest[version - 1].result);
        assert_string_equal(reha_json_string(row, "task", ""), "knee-oa");
        assert_int_equal(json_integer_value(json_object_get(row, "asked")), 0);
        json_decref(rows);
        assert_ok(reha_store_row(store, REHA_SQL_JOB_NEWEST,
                                 REHA_BIND(reha_of_text(newest[version - 1].image)), &rows, &err),
                  &err);
        assert_true(json_is_null(json_object_get(rows, "task")));
        json_decref(rows);
        assert_ok(reha_store_row(store, REHA_SQL_STUDY,
                                 REHA_BIND(reha_of_int(0), reha_of_text(newest[version - 1].study)), &rows,
                                 &err),
                  &err);
        const json_t *tasks = json_object_get(rows, "tasks");
        assert_int_equal(json_array_size(tasks), 1);
        assert_string_equal(json_string_value(json_array_get(tasks, 0)), "knee-oa");
        json_decref(rows);
        assert_ok(reha_store_check(store, &err), &err);
        reha_store_close(store);
        (void)snprintf(
            command, sizeof command,
            "python3 -c \"\nimport sqlite3\nd = sqlite3.connect('%s')\n"
            "for change in ('DELETE FROM result', 'UPDATE result SET task = task', 'UPDATE result SET asked = 1'):\n"
            " try:\n  d.execute(change)\n except sqlite3.IntegrityError as e:\n  assert 'never' in str(e)\n"
            " else:\n  raise SystemExit(1)\"",
            path);
        assert_int_equal(system(command), 0);
    }
}

#define FORMER_STUDY_4 "01m8p0tms9bhsvcst986wahb9w" /* of golden/home-v4 */
#define FORMER_IMAGE_4 "01m8p0tms9zybh11tc713efzxr"
#define FORMER_PETRA_4 "01m8p0th00ka15em6mhjdf1d83"
static const char CHOSEN_4[] = "01m8p0tthnrewqrjaxq155g8w7"; /* by the program, as a knee */
static const char BROKEN_4[] = "01m8p0tw8nm9vfhhkb92yf1r3m"; /* for fractures, by name */
static const char NAMED_4[] = "01m8p0tzf7r23f5qydp8yhnenv";  /* as a knee, by name */

/* These stand, and the study counts the findings of no others. */
static void expect_standing(reha_store *store, const char *first, const char *second, int64_t findings)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *rows = NULL;
    const char *const wanted[] = {first, second};
    assert_ok(
        reha_store_do(store, REHA_SQL_STUDY_REFRESH, REHA_BIND(reha_of_text(FORMER_STUDY_4)), NULL, &err),
        &err);
    assert_ok(reha_store_rows(store, REHA_SQL_RESULTS, REHA_BIND(reha_of_text(FORMER_IMAGE_4)), &rows, &err),
              &err);
    assert_int_equal(json_array_size(rows), (first != NULL ? 1 : 0) + (second != NULL ? 1 : 0));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        assert_string_equal(reha_json_string(json_array_get(rows, i), "result_id", ""), wanted[i]);
    }
    const size_t count = json_array_size(rows);
    json_decref(rows);
    assert_ok(reha_store_row(store, REHA_SQL_STUDY, REHA_BIND(reha_of_int(0), reha_of_text(FORMER_STUDY_4)),
                             &rows, &err),
              &err);
    assert_int_equal(json_array_size(json_object_get(rows, "tasks")), count);
    assert_int_equal(json_integer_value(json_object_get(rows, "reviewed")) +
                         json_integer_value(json_object_get(rows, "to_review")),
                     findings);
    json_decref(rows);
}

static reha_status set_aside(reha_store *store, const char *result, reha_error *err)
{
    return reha_store_do(store, REHA_SQL_SET_ASIDE_ADD,
                         REHA_BIND(reha_of_text(result), reha_of_text(FORMER_PETRA_4),
                                   reha_of_text("aside ZZSECRET"), reha_of_text("2026-12-01T00:00:00.000Z")),
                         NULL, err);
}

/* A former home knows nothing that was set aside. What is set aside then lets stand again what it had taken
 * the place of; once, for good, with its reason sealed. */
static void test_what_is_set_aside_stands_no_more(void **state)
{
    (void)state;
    enum { FINDINGS = 6 };
    reha_error err = REHA_ERROR_INIT;
    reha_store *store = NULL;
    reha_keys former;
    json_t *rows = NULL;
    char home[64];
    char command[700];
    (void)snprintf(home, sizeof home, "%s/aside", folder);
    assert_int_equal(mkdir(home, 0700), 0);
    make_former_home(home, 4, 0);
    load_former_keys(home, &former);
    (void)snprintf(path, sizeof path, "%s/records.db", home);
    assert_ok(reha_store_open(path, &former, true, &store, &err), &err);
    assert_int_equal(reha_store_schema(store), reha_store_schema_newest());
    expect_standing(store, BROKEN_4, NAMED_4, FINDINGS);
    assert_ok(set_aside(store, NAMED_4, &err), &err);
    expect_standing(store, CHOSEN_4, BROKEN_4, FINDINGS);
    assert_ok(set_aside(store, BROKEN_4, &err), &err);
    expect_standing(store, CHOSEN_4, NULL, FINDINGS);
    assert_int_equal(set_aside(store, BROKEN_4, &err), REHA_E_CONFLICT);
    assert_int_equal(set_aside(store, "no-result", &err), REHA_E_NOT_FOUND);

    assert_ok(
        reha_store_rows(store, REHA_SQL_SET_ASIDES, REHA_BIND(reha_of_text(FORMER_IMAGE_4)), &rows, &err),
        &err);
    assert_int_equal(json_array_size(rows), 2);
    assert_string_equal(reha_json_string(json_array_get(rows, 0), "task", ""), "fracture");
    json_decref(rows);
    assert_ok(reha_store_row(store, REHA_SQL_SET_ASIDE, REHA_BIND(reha_of_text(NAMED_4)), &rows, &err), &err);
    assert_string_equal(reha_json_string(rows, "reason", ""), "aside ZZSECRET");
    assert_string_equal(reha_json_string(rows, "user_name", ""), "Petra P.");
    json_decref(rows);
    expect_no_clear_text("ZZSECRET");

    /* If nothing is left to stand, the study says so instead of showing a headline of what does not count. */
    assert_ok(set_aside(store, CHOSEN_4, &err), &err); /* what the tables allow; the clinic does not */
    expect_standing(store, NULL, NULL, 0);
    assert_ok(reha_store_row(store, REHA_SQL_STUDY, REHA_BIND(reha_of_int(0), reha_of_text(FORMER_STUDY_4)),
                             &rows, &err),
              &err);
    assert_non_null(strstr(reha_json_string(rows, "headline", ""), "set aside"));
    json_decref(rows);
    assert_ok(reha_store_check(store, &err), &err);
    reha_store_close(store);
    (void)snprintf(
        command, sizeof command,
        "python3 -c \"\nimport sqlite3\nd = sqlite3.connect('%s')\n"
        "for change in ('DELETE FROM set_aside', 'UPDATE set_aside SET reason = reason'):\n"
        " try:\n  d.execute(change)\n except sqlite3.IntegrityError as e:\n  assert 'never' in str(e)\n"
        " else:\n  raise SystemExit(1)\"",
        path);
    assert_int_equal(system(command), 0);
}

/* What is immutable stays so after its records were sealed. */
#define FORMER_PATIENT_5 "01m8pap4je8b359pysr80219gg" /* of golden/home-v5 */
#define FORMER_STUDY_5   "01m8papmz7yeyg96r1r21fb2ye"

static void read_time(reha_store *store, reha_sql which, const char *id, char out[32])
{
    reha_error err = REHA_ERROR_INIT;
    json_t *row = NULL;
    assert_ok(reha_store_row(store, which, REHA_BIND(reha_of_int(1), reha_of_text(id)), &row, &err), &err);
    (void)snprintf(out, 32, "%s", reha_json_string(row, "changed_at", ""));
    assert_int_equal(strlen(out), strlen("2026-12-01T00:00:00.000Z"));
    json_decref(row);
}

static void wait_a_moment(void)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000000L};
    (void)nanosleep(&pause, NULL);
}

/* A home of before tells that its records changed at the latest when it was brought forward; from then on
 * every change tells its time. */
static void test_changes_tell_when(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_store *store = NULL;
    reha_keys former;
    char home[64];
    char head[80];
    char before[32];
    char after[32];
    (void)snprintf(home, sizeof home, "%s/changed", folder);
    assert_int_equal(mkdir(home, 0700), 0);
    make_former_home(home, 5, 0);
    load_former_keys(home, &former);
    (void)snprintf(path, sizeof path, "%s/records.db", home);
    assert_ok(reha_store_open(path, &former, true, &store, &err), &err);
    assert_int_equal(reha_store_schema(store), reha_store_schema_newest());
    read_time(store, REHA_SQL_PATIENT, FORMER_PATIENT_5, before);
    wait_a_moment();
    assert_ok(reha_store_do(store, REHA_SQL_PATIENT_CHANGE,
                            REHA_BIND(reha_of_text(FORMER_PATIENT_5), reha_of_text("P-5"),
                                      reha_of_text("Erna ZZSECRET"), reha_of_int(1951), reha_of_text("f"),
                                      reha_of_text(NULL)),
                            NULL, &err),
              &err);
    read_time(store, REHA_SQL_PATIENT, FORMER_PATIENT_5, after);
    assert_true(strcmp(after, before) > 0);
    read_time(store, REHA_SQL_STUDY, FORMER_STUDY_5, before);
    wait_a_moment();
    assert_ok(
        reha_store_do(store, REHA_SQL_STUDY_REFRESH, REHA_BIND(reha_of_text(FORMER_STUDY_5)), NULL, &err),
        &err);
    read_time(store, REHA_SQL_STUDY, FORMER_STUDY_5, after);
    assert_true(strcmp(after, before) > 0);
    add_patient(store, "new", "P-6");
    read_time(store, REHA_SQL_PATIENT, "new", after);
    assert_ok(reha_store_check(store, &err), &err);
    (void)snprintf(head, sizeof head, "%s/audit.head", home);
    assert_ok(reha_audit_verify(store, former.audit, head, NULL, &err), &err);
    reha_store_close(store);
}

#define FORMER_STUDY_6     "01m8pnfr4e03ch11s21zxg8pjd" /* of golden/home-v6 */
#define FORMER_SIGNATURE_6 "01m8png4j9yy3dc935fdzq0sc2"

static const json_t *outbox_row(reha_store *store, json_t **rows)
{
    reha_error err = REHA_ERROR_INIT;
    json_decref(*rows);
    assert_ok(reha_store_rows(store, REHA_SQL_OUTBOX,
                              REHA_BIND(reha_of_text(NULL), reha_of_text(NULL), reha_of_int(9)), rows, &err),
              &err);
    assert_int_equal(json_array_size(*rows), 1);
    return json_array_get(*rows, 0);
}

static void put_off(reha_store *store, int64_t now_s, bool is_refusal)
{
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_store_do(
                  store, REHA_SQL_OUTBOX_LATER,
                  REHA_BIND(reha_of_text(NULL), reha_of_int(now_s), reha_of_text("2026-12-01T00:00:00.000Z"),
                            reha_of_text("no room for Erna ZZSECRET"), reha_of_int(is_refusal ? 1 : 0),
                            reha_of_int(2), reha_of_int(4), reha_of_int(30), reha_of_int(100)),
                  NULL, &err),
              &err);
}

static int64_t next_due(reha_store *store, int64_t now_s)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *rows = NULL;
    assert_ok(reha_store_rows(store, REHA_SQL_OUTBOX_NEXT, REHA_BIND(reha_of_int(now_s)), &rows, &err), &err);
    const int64_t count = (int64_t)json_array_size(rows);
    json_decref(rows);
    return count;
}

static void stamp_before(int before_s, char out[40])
{
    const time_t at = time(NULL) - before_s;
    struct tm utc;
    assert_non_null(gmtime_r(&at, &utc));
    assert_true(strftime(out, 40, "%Y-%m-%dT%H:%M:%S.000Z", &utc) > 0);
}

/* One needs care, in this state and for so long (an hour may pass meanwhile); `state` NULL: none does. */
static void expect_age(reha_store *store, const char *state, json_int_t age_s)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *rows = NULL;
    assert_ok(reha_store_rows(store, REHA_SQL_OUTBOX_CARE, REHA_BIND_NONE, &rows, &err), &err);
    assert_int_equal(json_array_size(rows), state != NULL ? 1 : 0);
    const json_t *row = json_array_get(rows, 0);
    const json_int_t told_s = json_integer_value(json_object_get(row, "age_s"));
    assert_string_equal(reha_json_string(row, "state", ""), state != NULL ? state : "");
    assert_int_equal(json_integer_value(json_object_get(row, "n")), state != NULL ? 1 : 0);
    assert_true(told_s >= age_s && told_s <= age_s + 3600);
    json_decref(rows);
}

/* A home of before has an empty outbox: what was signed then is not sent. What is put into it waits longer
 * from try to try, fails by refusals or by tries, and keeps what the archive said sealed. */
static void test_the_outbox(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_store *store = NULL;
    reha_keys former;
    json_t *rows = NULL;
    char home[64];
    char head[80];
    char stamp[40];
    (void)snprintf(home, sizeof home, "%s/outbox", folder);
    assert_int_equal(mkdir(home, 0700), 0);
    make_former_home(home, 6, 0);
    load_former_keys(home, &former);
    (void)snprintf(path, sizeof path, "%s/records.db", home);
    assert_int_equal(reha_store_open(path, &former, false, &store, &err), REHA_E_STALE);
    assert_ok(reha_store_open(path, &former, true, &store, &err), &err);
    assert_int_equal(reha_store_schema(store), reha_store_schema_newest());
    assert_ok(reha_store_rows(store, REHA_SQL_OUTBOX,
                              REHA_BIND(reha_of_text(NULL), reha_of_text(NULL), reha_of_int(9)), &rows, &err),
              &err);
    assert_int_equal(json_array_size(rows), 0);
    stamp_before(7200, stamp);
    const reha_value letter[] = {reha_of_text(FORMER_SIGNATURE_6), reha_of_text(FORMER_STUDY_6),
                                 reha_of_text(stamp)};
    assert_ok(reha_store_do(store, REHA_SQL_OUTBOX_ADD, letter, 3, NULL, &err), &err);
    assert_int_equal(reha_store_do(store, REHA_SQL_OUTBOX_ADD, letter, 3, NULL, &err), REHA_E_CONFLICT);
    const json_t *row = outbox_row(store, &rows);
    assert_string_equal(reha_json_string(row, "state", ""), "waiting");
    assert_null(json_string_value(json_object_get(row, "due_at")));
    assert_int_equal(next_due(store, 1000), 1);
    put_off(store, 1000, false);
    assert_int_equal(next_due(store, 1029), 0);
    assert_int_equal(next_due(store, 1030), 1);
    put_off(store, 1029, false); /* it is not due: that call was not its own */
    put_off(store, 1030, true);
    assert_int_equal(next_due(store, 1089), 0);
    assert_int_equal(next_due(store, 1090), 1);
    row = outbox_row(store, &rows);
    assert_int_equal(json_integer_value(json_object_get(row, "tries")), 2);
    assert_string_equal(reha_json_string(row, "due_at", ""), "1970-01-01T00:18:10.000Z");
    assert_string_equal(reha_json_string(row, "reason", ""), "no room for Erna ZZSECRET");
    expect_no_clear_text("ZZSECRET");
    put_off(store, 1090, false);
    assert_int_equal(next_due(store, 1189), 0); /* 100 s at most */
    assert_int_equal(next_due(store, 1190), 1);
    put_off(store, 1190, true); /* the second refusal */
    assert_string_equal(reha_json_string(outbox_row(store, &rows), "state", ""), "failed");
    assert_int_equal(next_due(store, 9000), 0);
    assert_ok(reha_store_do(store, REHA_SQL_OUTBOX_AGAIN, REHA_BIND(reha_of_text(NULL)), NULL, &err), &err);
    for (int64_t now_s = 2000; now_s < 6000; now_s += 1000) {
        assert_int_equal(next_due(store, now_s), 1);
        put_off(store, now_s, false);
    }
    assert_string_equal(reha_json_string(outbox_row(store, &rows), "state", ""), "failed"); /* four tries */
    /* How long the oldest has waited since it was signed, and the first has been failed since it was. */
    stamp_before(3600, stamp);
    assert_ok(reha_store_do(store, REHA_SQL_OUTBOX_AGAIN, REHA_BIND(reha_of_text(NULL)), NULL, &err), &err);
    expect_age(store, "waiting", 7200);
    assert_ok(reha_store_do(store, REHA_SQL_OUTBOX_END,
                            REHA_BIND(reha_of_text(FORMER_SIGNATURE_6), reha_of_text("failed"),
                                      reha_of_text("no try helps"), reha_of_text(stamp)),
                            NULL, &err),
              &err);
    expect_age(store, "failed", 3600);
    assert_ok(reha_store_do(store, REHA_SQL_OUTBOX_GIVE_UP,
                            REHA_BIND(reha_of_text(FORMER_SIGNATURE_6), reha_of_text("enough, ZZSECRET"),
                                      reha_of_text(stamp)),
                            NULL, &err),
              &err);
    row = outbox_row(store, &rows);
    assert_string_equal(reha_json_string(row, "state", ""), "dropped");
    assert_string_equal(reha_json_string(row, "reason", ""), "enough, ZZSECRET");
    expect_no_clear_text("ZZSECRET");
    expect_age(store, NULL, 0);
    json_decref(rows);
    assert_ok(reha_store_check(store, &err), &err);
    (void)snprintf(head, sizeof head, "%s/audit.head", home);
    assert_ok(reha_audit_verify(store, former.audit, head, NULL, &err), &err);
    reha_store_close(store);
}

/* Images of before have no head until somebody reads it; then it is sealed, and stays the first one. */
static void test_heads_come_later(void **state)
{
    (void)state;
    static const char head[] = "{\"00080050\": {\"vr\": \"SH\", \"Value\": [\"A-ZZSECRET\"]}}";
    reha_error err = REHA_ERROR_INIT;
    reha_store *store = NULL;
    reha_keys former;
    char home[64];
    char id[REHA_IDENTIFIER_BYTES] = "";
    json_t *rows = NULL;
    int64_t count = 0;
    (void)snprintf(home, sizeof home, "%s/heads", folder);
    assert_int_equal(mkdir(home, 0700), 0);
    make_former_home(home, 6, 0);
    load_former_keys(home, &former);
    (void)snprintf(path, sizeof path, "%s/records.db", home);
    assert_ok(reha_store_open(path, &former, true, &store, &err), &err);
    assert_int_equal(reha_store_schema(store), reha_store_schema_newest());
    for (; reha_store_row(store, REHA_SQL_IMAGE_HEADLESS, REHA_BIND_NONE, &rows, &err) == REHA_OK; count++) {
        (void)snprintf(id, sizeof id, "%s", reha_json_string(rows, "id", ""));
        json_decref(rows);
        for (int i = 0; i < 2; i++) {
            assert_ok(reha_store_do(store, REHA_SQL_IMAGE_HEAD_PUT,
                                    REHA_BIND(reha_of_text(id), reha_of_text(i == 0 ? head : "{}")), NULL,
                                    &err),
                      &err);
        }
    }
    assert_true(count > 0);
    assert_ok(reha_store_row(store, REHA_SQL_DICOM_REFERENCE, REHA_BIND(reha_of_text(id)), &rows, &err),
              &err);
    assert_non_null(json_object_get(json_object_get(rows, "head"), "00080050"));
    json_decref(rows);
    for (int i = 0; i < 2; i++) {
        const reha_value values[] = {reha_of_text(NULL), reha_of_text(NULL),
                                     reha_of_text(NULL), reha_of_text(NULL),
                                     reha_of_text(NULL), reha_of_text(NULL),
                                     reha_of_text(NULL), reha_of_text(i == 0 ? "a-*secre?" : "zz*"),
                                     reha_of_text(NULL)};
        assert_ok(reha_store_number(store, REHA_SQL_DICOM_STUDIES_COUNT, values, 9, &count, &err), &err);
        assert_int_equal(count > 0, i == 0);
    }
    expect_no_clear_text("ZZSECRET");
    assert_ok(reha_store_check(store, &err), &err);
    reha_store_close(store);
}

/* A token is of a role that only reads, whoever asks for another. */
static void test_tokens_only_read(void **state)
{
    (void)state;
    reha_store *store = open_new("tokens.db");
    static const char *const roles[] = {"read-only", "researcher", "administrator", "reviewer", "local", ""};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        const reha_status got =
            reha_store_do(store, REHA_SQL_TOKEN_ADD,
                          REHA_BIND(reha_of_text(roles[i]), reha_of_text("x"), reha_of_text(roles[i]),
                                    reha_of_text(roles[i]), reha_of_text("local"),
                                    reha_of_text("2026-12-01T00:00:00.000Z"), reha_of_int(1)),
                          NULL, &err);
        assert_int_equal(got == REHA_OK, i < 2);
    }
    reha_store_close(store);
}

static void test_sealed_records_are_immutable(void **state)
{
    (void)state;
    char command[700];
    (void)snprintf(path, sizeof path, "%s/former/records.db", folder);
    (void)snprintf(
        command, sizeof command,
        "python3 -c \"\nimport sqlite3\nd = sqlite3.connect('%s')\n"
        "for table in ('review', 'signature', 'withdrawal', 'plan_version', 'prediction'):\n"
        " for change in ('DELETE FROM ' + table, 'UPDATE ' + table + ' SET user_id = user_id'):\n"
        "  try:\n   d.execute(change)\n  except sqlite3.IntegrityError as e:\n   assert 'never' in str(e)\n"
        "  else:\n   raise SystemExit(1)\"",
        path);
    assert_int_equal(system(command), 0);
}

/* Somebody who can write the file, but has no key, cannot give one patient's name to another, nor move it
 * between columns. */
static void test_sealed_values_stay_where_they_are(void **state)
{
    (void)state;
    static const char *const attacks[] = {
        "UPDATE patient SET name = (SELECT name FROM patient WHERE id = 'p2') WHERE id = 'p1'",
        "UPDATE patient SET note = name WHERE id = 'p1'",
        "UPDATE patient SET name = 'Somebody Else' WHERE id = 'p1'",
        "UPDATE patient SET name = 's1' WHERE id = 'p1'",
        "UPDATE patient SET name = '' WHERE id = 'p1'",
        "UPDATE patient SET name = substr(name, 1, 40) WHERE id = 'p1'",
        "UPDATE patient SET birth_year = '1950' WHERE id = 'p1'",
        "UPDATE patient SET name = 's2' || substr(name, 3) WHERE id = 'p1'"};
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
        char name[24];
        char command[400];
        reha_error err = REHA_ERROR_INIT;
        json_t *row = NULL;
        (void)snprintf(name, sizeof name, "moved-%zu.db", i);
        reha_store *store = open_new(name);
        add_patient(store, "p1", "P-1");
        add_patient(store, "p2", "P-2");
        expect_no_clear_text("ngstr");
        reha_store_close(store);
        expect_no_clear_text("ngstr");
        (void)snprintf(
            command, sizeof command,
            "python3 -c \"import sqlite3; d = sqlite3.connect('%s'); d.execute(\\\"%s\\\"); d.commit()\"",
            path, attacks[i]);
        assert_int_equal(system(command), 0);
        store = open_new(name);
        if (reha_store_row(store, REHA_SQL_PATIENT, REHA_BIND(reha_of_int(1), reha_of_text("p1")), &row,
                           &err) != REHA_E_TAMPERED) {
            fail_msg("not found: %s", attacks[i]);
        }
        assert_non_null(strstr(err.text, "does not open"));
        assert_ok(reha_store_row(store, REHA_SQL_PATIENT, REHA_BIND(reha_of_int(1), reha_of_text("p2")), &row,
                                 &err),
                  &err);
        json_decref(row);
        reha_store_close(store);
    }
}

static void test_another_key_opens_nothing(void **state)
{
    (void)state;
    static const reha_keys other = {.records = {8}, .check = "of another home"};
    static const reha_keys forged = {.records = {8}, .check = "the check of a test"};
    reha_error err = REHA_ERROR_INIT;
    json_t *row = NULL;
    reha_store *store = open_new("keys.db");
    add_patient(store, "p1", "P-1");
    reha_store_close(store);
    assert_int_equal(reha_store_open(path, &other, true, &store, &err), REHA_E_TAMPERED);
    assert_null(store);
    assert_ok(reha_store_open(path, &forged, true, &store, &err), &err);
    assert_int_equal(
        reha_store_row(store, REHA_SQL_PATIENT, REHA_BIND(reha_of_int(1), reha_of_text("p1")), &row, &err),
        REHA_E_TAMPERED);
    assert_int_equal(
        reha_store_row(store, REHA_SQL_PATIENT_BY_EXTERNAL, REHA_BIND(reha_of_text("m")), &row, &err),
        REHA_E_NOT_FOUND); /* what is not sealed still answers */
    reha_store_close(store);
}

static void make_with_version(const char *name, const char version[4])
{
    reha_store_close(open_new(name));
    FILE *file = fopen(path, "r+b"); /* user_version stands at byte 60 of the header */
    assert_non_null(file);
    assert_int_equal(fseek(file, 60, SEEK_SET), 0);
    assert_int_equal(fwrite(version, 1, 4, file), 4);
    assert_int_equal(fclose(file), 0);
}

static void test_refuses_what_it_does_not_know(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_store *store = NULL;
    char command[160];
    make_with_version("newer.db", "\0\0\3\0");
    assert_int_equal(reha_store_open(path, &keys, true, &store, &err), REHA_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "newer version"));
    for (int may_migrate = 0; may_migrate <= 1;
         may_migrate++) { /* a number below 0 is no step to begin with */
        make_with_version(may_migrate ? "below.db" : "below-read.db", "\377\377\377\376");
        assert_int_equal(reha_store_open(path, &keys, may_migrate != 0, &store, &err), REHA_E_TAMPERED);
        assert_non_null(strstr(err.text, "version -2"));
        assert_null(store);
    }
    (void)snprintf(path, sizeof path, "%s/text.db", folder);
    (void)snprintf(command, sizeof command, "yes hello | head -c 9000 > '%s'", path);
    assert_int_equal(system(command), 0);
    assert_int_equal(reha_store_open(path, &keys, true, &store, &err), REHA_E_FORMAT);
    assert_null(store);
}

/* ---- the audit chain ---- */

static const uint8_t key[REHA_KEY_BYTES] = {1, 2, 3};
static char head_path[64];

static reha_store *chain_of(const char *name, int events)
{
    reha_error err = REHA_ERROR_INIT;
    reha_audit_head head = {.no = 0};
    reha_store *store = open_new(name);
    (void)snprintf(head_path, sizeof head_path, "%s/%s.head", folder, name);
    assert_ok(reha_store_begin(store, true, &err), &err);
    for (int i = 0; i < events; i++) {
        const reha_audit_event event = {"u1",    "reviewer", i % 2 == 0 ? "study.see" : "study.sign",
                                        "study", "s1",       "{\"a\":1}"};
        assert_ok(reha_audit_append(store, key, &event, &head, &err), &err);
    }
    assert_ok(reha_store_commit(store, &err), &err);
    assert_ok(reha_audit_note_head(head_path, key, &head, &err), &err);
    return store;
}

static void sqlite_shell(const char *sql) /* as somebody with access to the file would do it */
{
    char command[700];
    (void)snprintf(
        command, sizeof command,
        "python3 -c \"import sqlite3; d = sqlite3.connect('%s'); d.executescript(\\\"DROP TRIGGER IF EXISTS audit_keep; "
        "DROP TRIGGER IF EXISTS audit_stay; %s\\\"); d.commit()\"",
        path, sql);
    assert_int_equal(system(command), 0);
}

static void test_chain_verifies(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    int64_t events = 0;
    reha_store *store = chain_of("good.db", 1203);
    assert_ok(reha_audit_verify(store, key, head_path, &events, &err), &err);
    assert_int_equal(events, 1203);
    static const uint8_t other[REHA_KEY_BYTES] = {9};
    assert_int_equal(reha_audit_verify(store, other, head_path, NULL, &err), REHA_E_TAMPERED);
    reha_store_close(store);
}

static void test_any_alteration_is_found(void **state)
{
    (void)state;
    static const char *const attacks[] = {
        "UPDATE audit SET user_id = 'u2' WHERE no = 3;",
        "UPDATE audit SET at = '2020-01-01T00:00:00.000Z' WHERE no = 1;",
        "UPDATE audit SET action = 'study.see' WHERE no = 2;",
        "UPDATE audit SET detail = '{}' WHERE no = 5;",
        "UPDATE audit SET entity_id = 's2' WHERE no = 5;",
        "UPDATE audit SET role = 'x' WHERE no = 5;",
        "UPDATE audit SET hash = prev_hash WHERE no = 7;",
        "DELETE FROM audit WHERE no = 4;",
        "DELETE FROM audit WHERE no = 1;",
        "DELETE FROM audit WHERE no > 6;", /* cut off */
        "DELETE FROM audit WHERE no > 6; UPDATE audit_head SET no = 6, hash = (SELECT hash FROM audit WHERE no = 6);",
        "DELETE FROM audit; DELETE FROM audit_head;",
        "UPDATE audit SET no = 20 WHERE no = 8;",
    };
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
        char name[24];
        reha_error err = REHA_ERROR_INIT;
        (void)snprintf(name, sizeof name, "attack-%zu.db", i);
        reha_store_close(chain_of(name, 8));
        sqlite_shell(attacks[i]);
        reha_store *store = open_new(name);
        if (reha_audit_verify(store, key, head_path, NULL, &err) != REHA_E_TAMPERED) {
            fail_msg("not found: %s (%s)", attacks[i], err.text);
        }
        reha_store_close(store);
    }
}

static void test_an_old_database_put_back_is_found(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char old[80];
    reha_audit_head head = {.no = 0};
    reha_store *store = chain_of("rollback.db", 4);
    (void)snprintf(old, sizeof old, "%s/old.db", folder);
    assert_ok(reha_store_copy(store, old, &err), &err);
    const reha_audit_event event = {"u1", "reviewer", "study.sign", "study", "s1", NULL};
    assert_ok(reha_store_begin(store, true, &err), &err);
    assert_ok(reha_audit_append(store, key, &event, &head, &err), &err);
    assert_ok(reha_store_commit(store, &err), &err);
    /* The copy of the head may lag: that is no fault. */
    assert_ok(reha_audit_verify(store, key, head_path, NULL, &err), &err);
    assert_ok(reha_audit_note_head(head_path, key, &head, &err), &err);
    reha_store_close(store);
    assert_ok(reha_store_open(old, &keys, true, &store, &err), &err);
    assert_ok(reha_audit_verify(store, key, NULL, NULL, &err), &err); /* whole in itself, */
    assert_int_equal(reha_audit_verify(store, key, head_path, NULL, &err), REHA_E_TAMPERED); /* but old */
    reha_store_close(store);
}

static void test_immutable_records_say_so(void **state)
{
    (void)state;
    char command[400];
    reha_store_close(chain_of("immutable.db", 2));
    (void)snprintf(
        command, sizeof command,
        "python3 -c \"import sqlite3; d = sqlite3.connect('%s')\ntry:\n d.execute('DELETE FROM audit')\nexcept "
        "sqlite3.IntegrityError as e:\n assert 'never deleted' in str(e)\nelse:\n raise SystemExit(1)\"",
        path);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_statement_is_valid),
                                       cmocka_unit_test(test_values_go_in_and_out),
                                       cmocka_unit_test(test_search_folds_case_and_wants_every_word),
                                       cmocka_unit_test(test_constraints_become_statuses),
                                       cmocka_unit_test(test_transactions),
                                       cmocka_unit_test(test_another_process_comes_and_goes),
                                       cmocka_unit_test(test_owner_only),
                                       cmocka_unit_test(test_seals_the_records_of_the_first_version),
                                       cmocka_unit_test(test_results_of_former_versions_stand),
                                       cmocka_unit_test(test_what_is_set_aside_stands_no_more),
                                       cmocka_unit_test(test_changes_tell_when),
                                       cmocka_unit_test(test_the_outbox),
                                       cmocka_unit_test(test_heads_come_later),
                                       cmocka_unit_test(test_tokens_only_read),
                                       cmocka_unit_test(test_sealed_records_are_immutable),
                                       cmocka_unit_test(test_sealed_values_stay_where_they_are),
                                       cmocka_unit_test(test_another_key_opens_nothing),
                                       cmocka_unit_test(test_refuses_what_it_does_not_know),
                                       cmocka_unit_test(test_chain_verifies),
                                       cmocka_unit_test(test_any_alteration_is_found),
                                       cmocka_unit_test(test_an_old_database_put_back_is_found),
                                       cmocka_unit_test(test_immutable_records_say_so)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
