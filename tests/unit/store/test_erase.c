/* A patient leaves the records: everything of one, nothing of anybody else, and no byte stays. */
#include "former_home.h"

#include "base/memory.h"
#include "store/audit.h"
#include "store/erase.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char PATIENT[] =
    "01m8n4h5j7zf6mtff6n338ez6v"; /* of golden/home-v1: with records of every kind */
static const char RESULT[] = "01m8n4hjjkvy5x84cravvhnaat";
static const char USER[] = "01m8n4h4xdgen28frgpvfp0qa8";
static const char STUDY[] = "01m8n4hgdbdb4b3nq055xfpdt7";
static const char SIGNATURE[] = "01m8n4hjsr11643xwpncwfw9pz";
static char folder[64];

typedef struct home { /* golden/home-v1 with a second patient (PATIENT and "0"), brought forward */
    char path[80];
    reha_keys keys;
    reha_store *store;
    reha_blobs *blobs;
} home;

static void open_home(home *h)
{
    char file[96];
    reha_error err = REHA_ERROR_INIT;
    (void)snprintf(file, sizeof file, "%s/key", h->path);
    assert_ok(reha_secret_start(&err), &err);
    assert_ok(reha_keys_load(file, false, &h->keys, &err), &err);
    (void)snprintf(file, sizeof file, "%s/records.db", h->path);
    assert_ok(reha_store_open(file, &h->keys, true, &h->store, &err), &err);
    assert_ok(reha_blobs_open(h->path, h->keys.blobs, &h->blobs, &err), &err);
}

static void close_home(home *h)
{
    reha_store_close(h->store);
    reha_blobs_close(h->blobs);
}

static void make_home(home *h)
{
    reha_error err = REHA_ERROR_INIT;
    (void)snprintf(folder, sizeof folder, "/tmp/reha-erase-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(h->path, sizeof h->path, "%s/home", folder);
    assert_int_equal(mkdir(h->path, 0700), 0);
    make_former_home(h->path, 1, 1);
    open_home(h);
    assert_ok(
        reha_store_do(h->store, REHA_SQL_SET_ASIDE_ADD,
                      REHA_BIND(reha_of_text(RESULT), reha_of_text(USER), reha_of_text("aside ZZSECRET"),
                                reha_of_text("2026-12-01T00:00:00.000Z")),
                      NULL, &err),
        &err);
    assert_ok(reha_store_do(h->store, REHA_SQL_OUTBOX_ADD,
                            REHA_BIND(reha_of_text(SIGNATURE), reha_of_text(STUDY),
                                      reha_of_text("2026-12-01T00:00:00.000Z")),
                            NULL, &err),
              &err);
    assert_ok(reha_store_do(h->store, REHA_SQL_OUTBOX_SENT,
                            REHA_BIND(reha_of_text(SIGNATURE), reha_of_text("PACS@10.0.0.5:104"),
                                      reha_of_text("[\"2.25.1\"]"), reha_of_text("2026-12-01T00:00:00.000Z")),
                            NULL, &err),
              &err);
    assert_ok(reha_store_sweep(h->store, &err),
              &err); /* of the migration: what is found afterwards is ours */
}

static void drop_home(home *h)
{
    char command[96];
    close_home(h);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

/* A line of Python on the database `d`, opened without our key; what must be true. */
static void expect_python(const home *h, const char *code)
{
    char command[2000];
    (void)snprintf(
        command, sizeof command,
        "python3 -c \"\nimport sqlite3\nd = sqlite3.connect('%s/records.db', isolation_level=None)\n%s\"",
        h->path, code);
    if (system(command) != 0) {
        fail_msg("not true: %s", code);
    }
}

static void erase(home *h, const char *id, reha_erasure *found)
{
    reha_error err = REHA_ERROR_INIT;
    reha_audit_head head = {.no = 0};
    char file[96];
    const reha_audit_event event = {"local", "local", "patient.erase", "patient", id, NULL};
    assert_ok(reha_store_begin(h->store, true, &err), &err);
    assert_ok(reha_erase_records(h->store, id, found, &err), &err);
    assert_ok(reha_audit_append(h->store, h->keys.audit, &event, &head, &err), &err);
    assert_ok(reha_store_commit(h->store, &err), &err);
    (void)snprintf(file, sizeof file, "%s/audit.head", h->path);
    assert_ok(reha_audit_note_head(file, h->keys.audit, &head, &err), &err);
}

static void keep_copy(void)
{
    char command[200];
    (void)snprintf(command, sizeof command, "rm -rf '%s/before' && cp -a '%s/home' '%s/before'", folder,
                   folder, folder);
    assert_int_equal(system(command), 0);
}

static void expect_no_traces(const char *id)
{
    char command[400];
    (void)snprintf(command, sizeof command,
                   "python3 '" REHA_SOURCE_DIR "/tests/traces.py' '%s/before' '%s/home' %s 20", folder,
                   folder, id);
    assert_int_equal(system(command), 0);
}

static void test_everything_of_a_patient_goes(void **state)
{
    (void)state;
    home h;
    reha_erasure found;
    reha_error err = REHA_ERROR_INIT;
    char head[96];
    make_home(&h);
    keep_copy();
    erase(&h, PATIENT, &found);
    assert_true(found.studies > 0 && found.images >= found.studies);
    assert_int_equal(found.running, 0);
    assert_int_equal(found.sending, 0);
    assert_int_equal(found.sent, 1);
    assert_ok(reha_erase_traces(h.store, h.blobs, &err), &err);
    expect_no_traces(PATIENT);
    /* Nobody else had anything, so every table that refers to a patient, directly or not, is empty. */
    expect_python(
        &h, "tables = {'patient'}\n"
            "names = [n for (n,) in d.execute(\\\"SELECT name FROM sqlite_master WHERE type = 'table'\\\")]\n"
            "for _ in names:\n"
            " tables |= {n for n in names if any(f[2] in tables for f in d.execute('PRAGMA "
            "foreign_key_list(%s)' % n))}\n"
            "assert {'result_picture', 'withdrawal', 'plan_version', 'measurement', 'job', 'set_aside', "
            "'outbox', 'erasing'} < "
            "tables, tables\n"
            "left = {n: d.execute('SELECT COUNT(*) FROM ' + n).fetchone()[0] for n in tables}\n"
            "assert left.pop('patient') == 1 and not any(left.values()), left\n"
            "assert d.execute('SELECT COUNT(*) FROM upload').fetchone()[0] == 0");
    assert_ok(reha_store_check(h.store, &err), &err);
    (void)snprintf(head, sizeof head, "%s/audit.head", h.path);
    assert_ok(reha_audit_verify(h.store, h.keys.audit, head, NULL, &err), &err);
    drop_home(&h);
}

static void test_a_stopped_erasing_changes_nothing(void **state)
{
    (void)state;
    home h;
    reha_erasure found;
    reha_error err = REHA_ERROR_INIT;
    json_t *row = NULL;
    make_home(&h);
    assert_ok(reha_store_begin(h.store, true, &err), &err);
    assert_ok(reha_erase_records(h.store, PATIENT, &found, &err), &err);
    reha_store_rollback(h.store);
    assert_ok(reha_store_row(h.store, REHA_SQL_PATIENT, REHA_BIND(reha_of_int(1), reha_of_text(PATIENT)),
                             &row, &err),
              &err);
    assert_string_equal(reha_json_string(row, "name", ""), "Erna ZZSECRET");
    json_decref(row);
    assert_int_equal(
        reha_store_row(h.store, REHA_SQL_SETTING, REHA_BIND(reha_of_text("sweep-files")), &row, &err),
        REHA_E_NOT_FOUND);
    expect_python(&h, "assert d.execute('SELECT COUNT(*) FROM review').fetchone()[0] > 0\n"
                      "assert d.execute('SELECT COUNT(*) FROM erasing').fetchone()[0] == 0");
    drop_home(&h);
}

/* The process ends after the commit: whoever opens the records next goes on where it stopped. */
static void test_traces_go_at_the_next_start(void **state)
{
    (void)state;
    home h;
    reha_erasure found;
    reha_error err = REHA_ERROR_INIT;
    char digest[REHA_DIGEST_TEXT_BYTES];
    make_home(&h);
    assert_ok(reha_blobs_put(h.blobs, "nobody's", 8, digest, &err), &err);
    keep_copy();
    erase(&h, PATIENT, &found);
    close_home(&h);
    open_home(&h);
    assert_true(reha_blobs_has(h.blobs, digest));
    assert_ok(reha_erase_traces(h.store, h.blobs, &err), &err);
    assert_false(reha_blobs_has(h.blobs, digest));
    expect_no_traces(PATIENT);
    assert_ok(reha_blobs_put(h.blobs, "nobody's", 8, digest, &err), &err);
    assert_ok(reha_erase_traces(h.store, h.blobs, &err),
              &err); /* done once: without the note it looks at no file */
    assert_true(reha_blobs_has(h.blobs, digest));
    drop_home(&h);
}

/* A file that another patient's record names, too, stays; and so does one that is named again before the
 * sweep. */
static void test_shared_files_stay(void **state)
{
    (void)state;
    home h;
    reha_erasure found;
    reha_error err = REHA_ERROR_INIT;
    char shared[REHA_DIGEST_TEXT_BYTES];
    char own[REHA_DIGEST_TEXT_BYTES];
    char code[1200];
    make_home(&h);
    assert_ok(reha_blobs_put(h.blobs, "shared", 6, shared, &err), &err);
    assert_ok(reha_blobs_put(h.blobs, "own", 3, own, &err), &err);
    (void)snprintf(code, sizeof code,
                   "r = d.execute('SELECT id, image_id FROM result LIMIT 1').fetchone()\n"
                   "d.execute('INSERT INTO result_picture VALUES (?, ?, ?)', (r[0], 'shared', '%s'))\n"
                   "d.execute('INSERT INTO result_picture VALUES (?, ?, ?)', (r[0], 'own', '%s'))\n"
                   "d.execute(\\\"INSERT INTO study (id, patient_id, uid, received_at) VALUES ('s', '%s0', "
                   "'1.2', 't')\\\")\n"
                   "d.execute(\\\"INSERT INTO image (id, study_id, sop_uid, digest, source_digest, "
                   "size_bytes, facts, created_at) "
                   "VALUES ('i', 's', '1.3', '%s', 'x', 6, '{}', 't')\\\")\n",
                   shared, own, PATIENT, shared);
    expect_python(&h, code);
    erase(&h, PATIENT, &found);
    assert_ok(reha_erase_traces(h.store, h.blobs, &err), &err);
    assert_true(reha_blobs_has(h.blobs, shared));
    assert_false(reha_blobs_has(h.blobs, own));
    drop_home(&h);
}

/* Whoever is being erased opens no door to anybody else's records, nor to changing one's own, nor to the
 * audit chain. */
static void test_what_is_immutable_stays_so(void **state)
{
    (void)state;
    home h;
    make_home(&h);
    char code[1600];
    (void)snprintf(code, sizeof code,
                   "tables = ('result', 'result_picture', 'measurement', 'review', 'set_aside', 'signature', "
                   "'withdrawal', 'plan_version', 'prediction', 'audit')\n"
                   "def refused(change):\n"
                   " try:\n"
                   "  d.execute(change)\n"
                   " except sqlite3.IntegrityError as e:\n"
                   "  return 'never' in str(e)\n"
                   " return d.execute('SELECT changes()').fetchone()[0] == 0 and d.execute('SELECT COUNT(*) "
                   "FROM ' + change.split()[-1]).fetchone()[0] == 0\n"
                   "assert all(refused('DELETE FROM ' + t) for t in tables)\n"
                   "d.execute('BEGIN')\n"
                   "d.execute(\\\"INSERT INTO erasing VALUES ('%s0')\\\")\n"
                   "assert all(refused('DELETE FROM ' + t) for t in tables)\n"
                   "d.execute(\\\"UPDATE erasing SET patient_id = '%s'\\\")\n"
                   "assert refused('DELETE FROM audit')\n"
                   "for t, c in (('result', 'headline'), ('review', 'decision'), ('set_aside', 'reason'), "
                   "('signature', 'role'), "
                   "('audit', 'action')):\n"
                   " try:\n"
                   "  d.execute('UPDATE %%s SET %%s = %%s' %% (t, c, c))\n"
                   " except sqlite3.IntegrityError:\n"
                   "  continue\n"
                   " raise SystemExit(t)\n",
                   PATIENT, PATIENT);
    expect_python(&h, code);
    drop_home(&h);
}

/* A study without a patient that lies in an episode of the patient is the patient's; somebody else's that
 * lies there is not. */
static void test_studies_of_the_episodes(void **state)
{
    (void)state;
    home h;
    reha_erasure before, found;
    reha_error err = REHA_ERROR_INIT;
    char code[900];
    make_home(&h);
    assert_ok(reha_store_begin(h.store, true, &err), &err);
    assert_ok(reha_erase_records(h.store, PATIENT, &before, &err), &err);
    reha_store_rollback(h.store);
    (void)snprintf(
        code, sizeof code,
        "e = d.execute('SELECT id FROM episode').fetchone()[0]\n"
        "d.execute('INSERT INTO study (id, patient_id, episode_id, uid, received_at) VALUES (?, NULL, ?, ?, "
        "?)', ('a', e, '1.2', 't'))\n"
        "d.execute('INSERT INTO study (id, patient_id, episode_id, uid, received_at) VALUES (?, ?, ?, ?, "
        "?)', ('b', '%s0', e, '1.3', 't'))\n"
        "d.execute('INSERT INTO study (id, uid, received_at) VALUES (?, ?, ?)', ('c', '1.4', 't'))\n",
        PATIENT);
    expect_python(&h, code);
    erase(&h, PATIENT, &found);
    assert_int_equal(found.studies, before.studies + 1);
    expect_python(&h, "assert d.execute('SELECT id, episode_id FROM study ORDER BY id').fetchall() == [('b', "
                      "None), ('c', None)]");
    assert_int_equal(reha_store_begin(h.store, true, &err), REHA_OK);
    assert_int_equal(reha_erase_records(h.store, PATIENT, &found, &err), REHA_E_NOT_FOUND); /* twice */
    reha_store_rollback(h.store);
    drop_home(&h);
}

/* A table that refers to a patient and that nobody told the erasing about is a fault, not a silent rest. */
static void test_a_forgotten_table_is_found(void **state)
{
    (void)state;
    home h;
    reha_erasure found;
    reha_error err = REHA_ERROR_INIT;
    char code[300];
    make_home(&h);
    (void)snprintf(code, sizeof code,
                   "d.execute('CREATE TABLE later (patient_id TEXT REFERENCES patient(id)) STRICT')\n"
                   "d.execute(\\\"INSERT INTO later VALUES ('%s')\\\")\n",
                   PATIENT);
    expect_python(&h, code);
    assert_ok(reha_store_begin(h.store, true, &err), &err);
    assert_int_equal(reha_erase_records(h.store, PATIENT, &found, &err), REHA_E_NOT_FOUND);
    reha_store_rollback(h.store);
    expect_python(&h, "assert d.execute('SELECT COUNT(*) FROM review').fetchone()[0] > 0");
    drop_home(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_everything_of_a_patient_goes),
                                       cmocka_unit_test(test_a_stopped_erasing_changes_nothing),
                                       cmocka_unit_test(test_traces_go_at_the_next_start),
                                       cmocka_unit_test(test_shared_files_stay),
                                       cmocka_unit_test(test_what_is_immutable_stays_so),
                                       cmocka_unit_test(test_studies_of_the_episodes),
                                       cmocka_unit_test(test_a_forgotten_table_is_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
