/* Erasing a patient as a use case: who may, what must be said, what stands in the way, and kill -9 at random
 * instants. */
#include "clinic_support.h"

#include "base/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 16, BACKUPS = 8, IMAGES = 3 };

static char *add_patient(reha_clinic *clinic, const char *pseudonym, uint64_t seed)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    const reha_actor local = reha_actor_local();
    json_t *in = json_pack("{s:s, s:s, s:s}", "pseudonym", pseudonym, "name", "Erna ZZSECRET", "note",
                           "note ZZSECRET");
    assert_ok(reha_clinic_patient_add(clinic, &local, in, &out, &err), &err);
    char *id = reha_strdup(reha_json_string(out, "id", ""));
    json_decref(in);
    json_decref(out);
    in = json_pack("{s:s, s:i, s:s, s:s}", "instrument", "OKS", "value", 30, "date", "2026-01-31", "note",
                   "score ZZSECRET");
    assert_ok(reha_clinic_score_add(clinic, &local, id, in, &out, &err), &err);
    json_decref(in);
    json_decref(out);
    for (uint64_t i = 0; i < IMAGES; i++) {
        uint8_t *png = NULL;
        size_t count = 0;
        char key[40];
        (void)snprintf(key, sizeof key, "%s-%d", pseudonym, (int)i);
        const reha_upload_options options = {
            .file_name = "ZZSECRET.png", .patient_id = id, .idempotency_key = key};
        knee_png(seed * 100 + i, &png, &count);
        assert_ok(upload_bytes(clinic, &local, &options, png, count, &out, &err), &err);
        json_decref(out);
        reha_free(png);
    }
    return id;
}

static reha_status try_erase(reha_clinic *clinic, const reha_actor *actor, const char *patient,
                             int64_t version, const char *pseudonym, const char *reason, reha_error *err)
{
    json_t *out = NULL;
    json_t *in = json_pack("{s:s?, s:s?}", "pseudonym", pseudonym, "reason", reason);
    const reha_status status = reha_clinic_erase(clinic, actor, patient, version, in, &out, err);
    if (status == REHA_OK) {
        assert_int_equal(json_integer_value(json_object_get(out, "images")), IMAGES);
        assert_int_equal(json_integer_value(json_object_get(out, "studies")), IMAGES);
        assert_true(json_is_true(json_object_get(out, "wiped")));
    } else {
        assert_null(out);
    }
    json_decref(in);
    json_decref(out);
    return status;
}

static bool is_there(reha_clinic *clinic, const char *id)
{
    json_t *out = NULL;
    reha_error err = REHA_ERROR_INIT;
    const reha_actor local = reha_actor_local();
    const reha_status status = reha_clinic_patient(clinic, &local, id, &out, &err);
    json_decref(out);
    assert_true(status == REHA_OK || status == REHA_E_NOT_FOUND);
    return status == REHA_OK;
}

/* The chain and every stored file; how many files there are. */
static int64_t expect_whole(reha_clinic *clinic)
{
    json_t *out = NULL;
    reha_error err = REHA_ERROR_INIT;
    const reha_actor local = reha_actor_local();
    assert_ok(reha_clinic_audit_verify(clinic, &local, true, &out, &err), &err);
    if (!json_is_true(json_object_get(out, "ok"))) {
        fail_msg("%s", reha_json_string(out, "fault", "?"));
    }
    const int64_t files = json_integer_value(json_object_get(out, "blobs"));
    json_decref(out);
    return files;
}

static int64_t count_files(const char *home)
{
    char path[96];
    reha_paths files = {0};
    (void)snprintf(path, sizeof path, "%s/blobs", home);
    assert_int_equal(reha_folder_list(path, 10000, &files, NULL), REHA_OK);
    const int64_t count = (int64_t)files.count;
    reha_paths_clear(&files);
    return count;
}

static void test_only_an_administrator_who_means_it(void **state)
{
    (void)state;
    test_home home;
    reha_error err = REHA_ERROR_INIT;
    open_home(&home, false);
    const reha_actor admin = add_user(home.clinic, "admin", REHA_ROLE_ADMINISTRATOR);
    char *a = add_patient(home.clinic, "P-A", 1);
    char *b = add_patient(home.clinic, "P-B", 2);
    for (int role = REHA_ROLE_NONE; role < REHA_ROLE_LOCAL; role++) {
        const reha_actor actor = {.user_id = "x", .role = (reha_role)role};
        const reha_status expected = role == REHA_ROLE_NONE ? REHA_E_SIGNED_OUT : REHA_E_DENIED;
        if (role != REHA_ROLE_ADMINISTRATOR) {
            assert_int_equal(try_erase(home.clinic, &actor, a, REHA_ANY_VERSION, "P-A", "request", &err),
                             expected);
        }
    }
    static const struct {
        const char *patient, *pseudonym, *reason, *text;
        int64_t version;
        reha_status status;
    } bad[] = {{NULL, NULL, "request", "pseudonym", 1, REHA_E_ARG},
               {NULL, "", "request", "pseudonym", 1, REHA_E_ARG},
               {NULL, "P-B", "request", "not that of", 1, REHA_E_ARG},
               {NULL, "p-a", "request", "not that of", 1, REHA_E_ARG},
               {NULL, "P-A ", "request", "not that of", 1, REHA_E_ARG},
               {NULL, "P-A", NULL, "reason", 1, REHA_E_ARG},
               {NULL, "P-A", "Erna asked", "reason", 1, REHA_E_ARG},
               {NULL, "P-A", "request", "", 2, REHA_E_STALE},
               {"nobody", "P-A", "request", "no such", 1, REHA_E_NOT_FOUND},
               {"", "P-A", "request", "no such", 1, REHA_E_NOT_FOUND}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err = (reha_error)REHA_ERROR_INIT;
        assert_int_equal(try_erase(home.clinic, &admin, bad[i].patient != NULL ? bad[i].patient : a,
                                   bad[i].version, bad[i].pseudonym, bad[i].reason, &err),
                         bad[i].status);
        assert_non_null(strstr(err.text, bad[i].text));
    }
    json_t *in = json_pack("{s:s, s:s, s:s}", "pseudonym", "P-A", "reason", "request", "name", "Erna");
    json_t *out = NULL;
    assert_int_equal(reha_clinic_erase(home.clinic, &admin, a, 1, in, &out, &err), REHA_E_ARG);
    json_decref(in);
    assert_true(is_there(home.clinic, a));
    assert_int_equal(expect_whole(home.clinic), 2 * IMAGES);
    assert_ok(try_erase(home.clinic, &admin, a, 1, "P-A", "request", &err), &err);
    assert_false(is_there(home.clinic, a));
    assert_true(is_there(home.clinic, b));
    assert_int_equal(expect_whole(home.clinic), IMAGES);
    assert_int_equal(count_files(home.path), IMAGES);
    assert_int_equal(try_erase(home.clinic, &admin, a, 1, "P-A", "request", &err), REHA_E_NOT_FOUND);
    reha_free(a);
    a = add_patient(home.clinic, "P-A", 1); /* the same pseudonym and the same files again: another patient */
    assert_ok(try_erase(home.clinic, &admin, "P-A", REHA_ANY_VERSION, "P-A", "keeping-over", &err),
              &err); /* by the pseudonym */
    assert_false(is_there(home.clinic, a));

    const reha_query query = {.action = "patient.erase", .limit = 10};
    assert_ok(reha_clinic_audit(home.clinic, &admin, &query, &out, &err), &err);
    assert_int_equal(json_integer_value(json_object_get(out, "total")), 2);
    const json_t *event = json_array_get(json_object_get(out, "items"), 1);
    const json_t *detail = json_object_get(event, "detail");
    assert_string_equal(reha_json_string(event, "user_id", ""), admin.user_id);
    assert_string_equal(reha_json_string(event, "entity", ""), "patient");
    assert_string_equal(reha_json_string(detail, "reason", ""), "request");
    assert_int_equal(json_integer_value(json_object_get(detail, "studies")), IMAGES);
    assert_int_equal(json_integer_value(json_object_get(detail, "sent")), 0); /* to an archive */
    assert_int_equal(json_object_size(detail), 4);
    json_decref(out);
    reha_free(a);
    reha_free(b);
    close_home(&home);
}

static void test_a_running_analysis_stands_in_the_way(void **state)
{
    (void)state;
    test_home home;
    reha_error err = REHA_ERROR_INIT;
    char path[96];
    open_home(&home, false);
    const reha_actor local = reha_actor_local();
    char *a = add_patient(home.clinic, "P-A", 1);
    char *b = add_patient(home.clinic, "P-B", 2);
    char command[600];
    (void)snprintf(command, sizeof command,
                   "python3 -c \"import sqlite3; d = sqlite3.connect('%s/records.db'); d.execute(\\\"UPDATE "
                   "job SET state = 'running' WHERE "
                   "image_id IN (SELECT i.id FROM image i JOIN study s ON s.id = i.study_id WHERE "
                   "s.patient_id = '%s')\\\"); d.commit()\"",
                   home.path, a);
    assert_int_equal(system(command), 0);
    (void)snprintf(path, sizeof path, "%s/worker.lock", home.path);
    const int worker = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(worker, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(try_erase(home.clinic, &local, a, REHA_ANY_VERSION, "P-A", "mistake", &err),
                     REHA_E_CONFLICT);
    assert_non_null(strstr(err.text, "being analysed"));
    assert_true(is_there(home.clinic, a));
    assert_ok(try_erase(home.clinic, &local, b, REHA_ANY_VERSION, "P-B", "mistake", &err),
              &err); /* waiting ones go along */
    (void)close(worker);
    assert_ok(try_erase(home.clinic, &local, a, REHA_ANY_VERSION, "P-A", "mistake", &err),
              &err); /* nobody works: it was left */
    assert_int_equal(expect_whole(home.clinic), 0);
    assert_int_equal(count_files(home.path), 0);
    reha_free(a);
    reha_free(b);
    close_home(&home);
}

/* What comes for a patient who is gone is refused, and leaves no file behind. */
static void test_late_images_leave_nothing(void **state)
{
    (void)state;
    test_home home;
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    uint8_t *png = NULL;
    size_t count = 0;
    open_home(&home, false);
    const reha_actor local = reha_actor_local();
    char *a = add_patient(home.clinic, "P-A", 1);
    assert_ok(try_erase(home.clinic, &local, a, REHA_ANY_VERSION, "P-A", "no-basis", &err), &err);
    knee_png(7, &png, &count);
    const reha_upload_options options = {.file_name = "x.png", .patient_id = a};
    assert_int_equal(upload_bytes(home.clinic, &local, &options, png, count, &out, &err), REHA_E_NOT_FOUND);
    json_decref(out);
    assert_int_equal(count_files(home.path), 0);
    /* A file that was swept away as nobody's, just before its record is made, is there all the same. */
    const reha_upload_options anybody = {.file_name = "x.png"};
    assert_ok(upload_bytes(home.clinic, &local, &anybody, png, count, &out, &err), &err);
    json_decref(out);
    assert_int_equal(expect_whole(home.clinic), 1);
    reha_free(png);
    reha_free(a);
    close_home(&home);
}

static void erase_and_end(const char *home)
{
    json_t *out = NULL;
    reha_clinic *clinic = NULL;
    const reha_actor local = reha_actor_local();
    const reha_clinic_options options = {.home = home, .models_folder = "models"};
    json_t *in = json_pack("{s:s, s:s}", "pseudonym", "P-A", "reason", "request");
    if (reha_clinic_open(&options, &clinic, NULL) != REHA_OK ||
        reha_clinic_erase(clinic, &local, "P-A", REHA_ANY_VERSION, in, &out, NULL) != REHA_OK) {
        _exit(1);
    }
    _exit(0);
}

/* Killed at any instant, the patient is whole, or gone as soon as the home is opened again: then no byte is
 * left. */
static void test_killed_while_erasing(void **state)
{
    (void)state;
    test_home home;
    char copy[96];
    int whole = 0;
    double erase_ms = 0.0;
    unsigned random = 4242;
    open_home(&home, false);
    char *a = add_patient(home.clinic, "P-A", 1);
    char *b = add_patient(home.clinic, "P-B", 2);
    reha_clinic_close(home.clinic);
    (void)snprintf(copy, sizeof copy, "%s.killed", home.path);
    for (int round = 0; round <= ROUNDS; round++) {
        char command[400];
        (void)snprintf(command, sizeof command, "rm -rf '%s' && cp -a '%s' '%s'", copy, home.path, copy);
        assert_int_equal(system(command), 0);
        const double begin_ms = reha_clock_ms();
        int how = 0;
        const pid_t child = fork();
        if (child == 0) {
            erase_and_end(copy);
        }
        if (round == 0) { /* how long it takes here and now */
            assert_int_equal(waitpid(child, &how, 0), child);
            assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
            erase_ms = reha_clock_ms() - begin_ms;
        } else {
            random = random * 1103515245U + 12345U;
            const double share = (double)(random >> 16 & 0x7fffU) / 32768.0;
            /* Every second time near the end, where the records are gone and the traces are not. */
            const long wait_ms = (long)(erase_ms * (round % 2 == 0 ? 0.6 + 0.4 * share : share));
            const struct timespec pause = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
            (void)nanosleep(&pause, NULL);
            (void)kill(child, SIGKILL);
            assert_int_equal(waitpid(child, &how, 0), child);
        }
        reha_clinic *clinic = open_clinic(copy, false);
        const bool stands = is_there(clinic, a);
        assert_true(is_there(clinic, b));
        assert_int_equal(expect_whole(clinic), stands ? 2 * IMAGES : IMAGES);
        assert_int_equal(count_files(copy), stands ? 2 * IMAGES : IMAGES);
        reha_clinic_close(clinic);
        whole += stands ? 1 : 0;
        if (!stands) {
            (void)snprintf(command, sizeof command,
                           "python3 '" REHA_SOURCE_DIR "/tests/traces.py' '%s' '%s' %s 15", home.path, copy,
                           a);
            assert_int_equal(system(command), 0);
        }
    }
    print_message("%d kills of an erasing that takes %.0f ms: %d times the patient was whole\n", ROUNDS,
                  erase_ms, whole);
    char command[256];
    (void)snprintf(command, sizeof command, "rm -rf '%s' '%s'", copy, home.path);
    assert_int_equal(system(command), 0);
    reha_free(a);
    reha_free(b);
}

typedef struct backup_job {
    reha_clinic *clinic;
    char folder[96];
    double ms;
    reha_status status;
} backup_job;

static void *make_backup(void *argument)
{
    backup_job *job = argument;
    json_t *out = NULL;
    const reha_actor local = reha_actor_local();
    const double begin_ms = reha_clock_ms();
    job->status = reha_clinic_backup(job->clinic, &local, job->folder, &out, NULL);
    job->ms = reha_clock_ms() - begin_ms;
    json_decref(out);
    return NULL;
}

static void expect_whole_backup(const char *folder, const char *erased)
{
    char home[128];
    char command[200];
    json_t *out = NULL;
    reha_error err = REHA_ERROR_INIT;
    (void)snprintf(home, sizeof home, "%s.restored", folder);
    assert_ok(reha_clinic_restore(folder, home, &out, &err), &err);
    json_decref(out);
    reha_clinic *clinic = open_clinic(home, false);
    assert_int_equal(expect_whole(clinic), is_there(clinic, erased) ? 2 * IMAGES : IMAGES);
    reha_clinic_close(clinic);
    (void)snprintf(command, sizeof command, "rm -rf '%s' '%s'", home, folder);
    assert_int_equal(system(command), 0);
}

/* While a patient is erased, a backup is whole, with them or without, or fails and leaves nothing of them. */
static void test_backups_while_erasing(void **state)
{
    (void)state;
    test_home home;
    char copy[96];
    char command[300];
    double backup_ms = 0.0;
    int failed = 0;
    open_home(&home, false);
    char *a = add_patient(home.clinic, "P-A", 1);
    char *b = add_patient(home.clinic, "P-B", 2);
    reha_clinic_close(home.clinic);
    (void)snprintf(copy, sizeof copy, "%s.copy", home.path);
    for (int round = 0; round <= BACKUPS; round++) {
        pthread_t thread;
        reha_error err = REHA_ERROR_INIT;
        const reha_actor local = reha_actor_local();
        (void)snprintf(command, sizeof command, "rm -rf '%s' && cp -a '%s' '%s'", copy, home.path, copy);
        assert_int_equal(system(command), 0);
        backup_job job = {.clinic = open_clinic(copy, false)};
        (void)snprintf(job.folder, sizeof job.folder, "%s.backup", home.path);
        assert_int_equal(pthread_create(&thread, NULL, make_backup, &job), 0);
        if (round > 0) {
            const long wait_us = (long)(1e3 * backup_ms * (round - 1) / BACKUPS);
            const struct timespec pause = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
            (void)nanosleep(&pause, NULL);
            assert_ok(try_erase(job.clinic, &local, a, REHA_ANY_VERSION, "P-A", "request", &err), &err);
        }
        assert_int_equal(pthread_join(thread, NULL), 0);
        backup_ms = round == 0 ? job.ms : backup_ms;
        assert_int_equal(expect_whole(job.clinic), round == 0 ? 2 * IMAGES : IMAGES);
        reha_clinic_close(job.clinic);
        if (job.status == REHA_OK) {
            expect_whole_backup(job.folder, a);
        } else {
            assert_int_equal(job.status, REHA_E_NOT_FOUND);
            assert_int_not_equal(access(job.folder, F_OK), 0);
            failed++;
        }
    }
    print_message("%d backups of %.0f ms while a patient was erased: %d failed and left nothing\n", BACKUPS,
                  backup_ms, failed);

    /* A folder that was there before stays, empty. */
    (void)snprintf(command, sizeof command,
                   "rm -rf '%s' && cp -a '%s' '%s' && rm \"$(find '%s/blobs' -type f | head -n 1)\" && mkdir "
                   "'%s.backup'",
                   copy, home.path, copy, copy, home.path);
    assert_int_equal(system(command), 0);
    backup_job job = {.clinic = open_clinic(copy, false)};
    (void)snprintf(job.folder, sizeof job.folder, "%s.backup", home.path);
    (void)make_backup(&job);
    assert_int_equal(job.status, REHA_E_NOT_FOUND);
    reha_clinic_close(job.clinic);
    assert_int_equal(rmdir(job.folder), 0); /* empty */
    (void)snprintf(command, sizeof command, "rm -rf '%s' '%s'", copy, home.path);
    assert_int_equal(system(command), 0);
    reha_free(a);
    reha_free(b);
}

int main(int argc, char **argv)
{
    const int code = clinic_worker(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_only_an_administrator_who_means_it),
                                       cmocka_unit_test(test_a_running_analysis_stands_in_the_way),
                                       cmocka_unit_test(test_late_images_leave_nothing),
                                       cmocka_unit_test(test_killed_while_erasing),
                                       cmocka_unit_test(test_backups_while_erasing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
