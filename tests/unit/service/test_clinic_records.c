/* Lists, versions, plans, scores, settings, backup, tampering, and what the logs may hold. */
#include "clinic_support.h"

#include "base/log.h"
#include "base/text.h"
#include "dicom/write.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static json_t *add_patient(reha_clinic *clinic, const reha_actor *actor, const char *name)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    json_t *in = json_pack("{s:s}", "name", name);
    assert_ok(reha_clinic_patient_add(clinic, actor, in, &out, &err), &err);
    json_decref(in);
    return out;
}

/* A DICOM file of this person; another seed, another picture and instance. */
static void make_dicom(const char *patient_id, const char *name, unsigned seed, uint8_t **out,
                       size_t *out_bytes)
{
    reha_error err = REHA_ERROR_INIT;
    uint8_t pixels[64 * 64];
    reha_dicom_image image = reha_dicom_image_empty();
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)((i * 7U + seed * 13U) % 251U);
    }
    image.width_px = image.height_px = 64;
    image.bits_stored = 8;
    image.pixels = pixels;
    image.patient_id = patient_id;
    image.patient_name = name;
    (void)snprintf(image.facts.modality, sizeof image.facts.modality, "DX");
    (void)snprintf(image.facts.body_part, sizeof image.facts.body_part, "KNEE");
    assert_ok(reha_dicom_write_image(&image, out, out_bytes, &err), &err);
}

static json_t *store_dicom(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                           const char *name, unsigned seed)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    json_t *study = NULL;
    uint8_t *bytes = NULL;
    size_t count = 0;
    make_dicom(patient_id, name, seed, &bytes, &count);
    const reha_upload_options options = {.file_name = "IM0001"};
    assert_ok(upload_bytes(clinic, actor, &options, bytes, count, &out, &err), &err);
    assert_string_equal(item_text(out, 0, "outcome"), "stored");
    assert_ok(reha_clinic_study(clinic, actor, item_text(out, 0, "study_id"), &study, &err), &err);
    json_decref(out);
    reha_free(bytes);
    return study;
}

static const char *patient_of(const json_t *study)
{
    return reha_json_string(json_object_get(study, "patient"), "id", "");
}

static void test_dicom_is_filed_by_its_patient(void **state)
{
    (void)state;
    test_home home;
    open_home(&home, false);
    const reha_actor local = reha_actor_local();
    json_t *a = store_dicom(home.clinic, &local, "12345", "ZZSECRET^Person", 1);
    json_t *b = store_dicom(home.clinic, &local, "12345", "ZZSECRET^Person", 2);
    json_t *c = store_dicom(home.clinic, &local, "99999", "Other^Person", 3);
    assert_string_equal(patient_of(a), patient_of(b));
    assert_string_not_equal(patient_of(a), patient_of(c));
    assert_string_equal(reha_json_string(a, "modality", ""), "DX");
    assert_string_equal(reha_json_string(a, "body_part", ""), "KNEE");
    assert_int_equal(strncmp(reha_json_string(json_object_get(a, "patient"), "pseudonym", ""), "P-", 2), 0);
    json_decref(a);
    json_decref(b);
    json_decref(c);
    /* Neither number nor name of the file is readable anywhere in the home. */
    char command[160];
    (void)snprintf(command, sizeof command, "! grep -rqE 'ZZSECRET|12345\\b' '%s'", home.path);
    assert_int_equal(system(command), 0);
    close_home(&home);
}

static void test_paging_visits_each_once(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    open_home(&home, false);
    const reha_actor local = reha_actor_local();
    for (unsigned i = 0; i < 7; i++) {
        json_decref(store_dicom(home.clinic, &local, i % 2 == 0 ? "even" : "odd", NULL, i));
    }
    char seen[8][REHA_ID_BYTES];
    size_t count = 0;
    char cursor[80] = "";
    do {
        json_t *page = NULL;
        const reha_query query = {.limit = 3, .cursor = cursor[0] != '\0' ? cursor : NULL};
        assert_ok(reha_clinic_studies(home.clinic, &local, &query, &page, &err), &err);
        assert_int_equal((int)reha_json_number(page, "total", 0.0), 7);
        const json_t *items = json_object_get(page, "items");
        assert_true(json_array_size(items) <= 3);
        for (size_t i = 0; i < json_array_size(items); i++) {
            assert_true(count < 8);
            const char *id = reha_json_string(json_array_get(items, i), "id", "");
            for (size_t k = 0; k < count; k++) {
                assert_string_not_equal(seen[k], id);
            }
            (void)snprintf(seen[count++], REHA_ID_BYTES, "%s", id);
        }
        (void)snprintf(cursor, sizeof cursor, "%s", reha_json_string(page, "next", ""));
        json_decref(page);
    } while (cursor[0] != '\0');
    assert_int_equal(count, 7);
    json_t *page = NULL;
    const reha_query nothing = {.text = "nothing like it"};
    assert_ok(reha_clinic_studies(home.clinic, &local, &nothing, &page, &err), &err);
    assert_int_equal((int)reha_json_number(page, "total", -1.0), 0);
    json_decref(page);
    const reha_query knees = {.text = "knee dx", .modality = "DX", .status = "waiting"};
    assert_ok(reha_clinic_studies(home.clinic, &local, &knees, &page, &err), &err);
    assert_int_equal((int)reha_json_number(page, "total", -1.0), 7);
    json_decref(page);
    static const reha_query bad[] = {
        {.status = "odd"}, {.from = "yesterday"}, {.to = "2026-02-30"}, {.cursor = "x"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(reha_clinic_studies(home.clinic, &local, &bad[i], &page, &err), REHA_E_ARG);
    }
    close_home(&home);
}

static void test_two_at_once_lose_nothing(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *out = NULL;
    open_home(&home, false);
    const reha_actor local = reha_actor_local();
    json_t *patient = add_patient(home.clinic, &local, "One Person");
    const char *id = reha_json_string(patient, "id", "");
    json_t *first = json_pack("{s:s, s:i}", "note", "by the first", "birth_year", 1950);
    json_t *second = json_pack("{s:s}", "sex", "f");
    assert_ok(reha_clinic_patient_change(home.clinic, &local, id, 1, first, &out, &err), &err);
    json_decref(out);
    assert_int_equal(reha_clinic_patient_change(home.clinic, &local, id, 1, second, &out, &err),
                     REHA_E_STALE);
    assert_null(out);
    assert_ok(reha_clinic_patient_change(home.clinic, &local, id, 2, second, &out, &err), &err);
    assert_string_equal(reha_json_string(out, "note", ""), "by the first"); /* what is not named stays */
    assert_string_equal(reha_json_string(out, "name", ""), "One Person");
    assert_int_equal(version_of(out), 3);
    json_decref(out);
    json_t *clear = json_pack("{s:n}", "note");
    assert_ok(reha_clinic_patient_change(home.clinic, &local, id, 3, clear, &out, &err), &err);
    assert_true(json_is_null(json_object_get(out, "note")));
    json_decref(out);

    /* Plans: every version stays. */
    json_t *plan = json_pack("{s:{s:i}}", "content", "sets", 3);
    json_t *saved = NULL;
    assert_ok(reha_clinic_plan_save(home.clinic, &local, id, NULL, REHA_ANY_VERSION, plan, &saved, &err),
              &err);
    char plan_id[REHA_ID_BYTES];
    (void)snprintf(plan_id, sizeof plan_id, "%s", reha_json_string(saved, "id", ""));
    assert_int_equal(version_of(saved), 1);
    json_decref(saved);
    (void)json_object_set_new(json_object_get(plan, "content"), "sets", json_integer(4));
    assert_ok(reha_clinic_plan_save(home.clinic, &local, id, plan_id, 1, plan, &saved, &err), &err);
    assert_int_equal(version_of(saved), 2);
    json_decref(saved);
    assert_int_equal(reha_clinic_plan_save(home.clinic, &local, id, plan_id, 1, plan, &saved, &err),
                     REHA_E_STALE);
    assert_ok(reha_clinic_plan(home.clinic, &local, plan_id, 1, &saved, &err), &err);
    assert_int_equal(reha_json_number(json_object_get(saved, "content"), "sets", 0.0), 3);
    json_decref(saved);
    assert_ok(reha_clinic_plans(home.clinic, &local, id, &saved, &err), &err);
    const json_t *one = json_array_get(json_object_get(saved, "items"), 0);
    assert_int_equal(version_of(one), 2);
    assert_int_equal(json_array_size(json_object_get(one, "versions")), 2);
    json_decref(saved);
    json_t *other = add_patient(home.clinic, &local, "Another");
    assert_int_equal(reha_clinic_plan_save(home.clinic, &local, reha_json_string(other, "id", ""), plan_id, 2,
                                           plan, &saved, &err),
                     REHA_E_NOT_FOUND); /* not this patient's */
    json_decref(other);
    json_decref(plan);
    json_decref(first);
    json_decref(second);
    json_decref(clear);
    json_decref(patient);
    close_home(&home);
}

static void test_scores_are_withdrawn_not_deleted(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"instrument\":\"OKS\",\"value\":30}",
        "{\"instrument\":\"OKS\",\"value\":\"30\",\"date\":\"2026-01-31\"}",
        "{\"instrument\":\"OKS\",\"value\":30,\"date\":\"31.1.2026\"}",
        "{\"instrument\":\"\",\"value\":30,\"date\":\"2026-01-31\"}",
        "{\"instrument\":\"OKS\",\"value\":30,\"date\":\"2026-01-31\",\"side\":\"up\"}"};
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *score = NULL;
    json_t *out = NULL;
    open_home(&home, false);
    const reha_actor local = reha_actor_local();
    json_t *patient = add_patient(home.clinic, &local, "One");
    const char *id = reha_json_string(patient, "id", "");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *in = json_loads(bad[i], 0, NULL);
        assert_int_equal(reha_clinic_score_add(home.clinic, &local, id, in, &out, &err), REHA_E_ARG);
        json_decref(in);
    }
    json_t *in = json_loads("{\"instrument\":\"OKS\",\"value\":30,\"date\":\"2026-01-31\"}", 0, NULL);
    assert_ok(reha_clinic_score_add(home.clinic, &local, id, in, &score, &err), &err);
    json_t *why = json_pack("{s:s}", "reason", "other patient");
    assert_ok(
        reha_clinic_score_withdraw(home.clinic, &local, reha_json_string(score, "id", ""), why, &out, &err),
        &err);
    assert_string_equal(reha_json_string(out, "withdrawn_reason", ""), "other patient");
    json_decref(out);
    assert_int_equal(
        reha_clinic_score_withdraw(home.clinic, &local, reha_json_string(score, "id", ""), why, &out, &err),
        REHA_E_CONFLICT);
    assert_ok(reha_clinic_series(home.clinic, &local, id, &out, &err), &err);
    assert_int_equal(json_array_size(json_object_get(out, "scores")), 1);
    json_decref(out);
    assert_int_equal(reha_clinic_score_add(home.clinic, &local, "nobody", in, &out, &err), REHA_E_NOT_FOUND);
    json_decref(in);
    json_decref(why);
    json_decref(score);
    json_decref(patient);
    close_home(&home);
}

static bool verifies(reha_clinic *clinic, char *fault, size_t fault_bytes)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    const reha_actor local = reha_actor_local();
    assert_ok(reha_clinic_audit_verify(clinic, &local, true, &out, &err), &err);
    const bool is_ok = json_is_true(json_object_get(out, "ok"));
    (void)snprintf(fault, fault_bytes, "%s", reha_json_string(out, "fault", ""));
    json_decref(out);
    return is_ok;
}

static void shell(const char *format, ...) REHA_PRINTF(1, 2);
static void shell(const char *format, ...)
{
    char command[600];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(command, sizeof command, format, args);
    va_end(args);
    assert_int_equal(system(command), 0);
}

static void test_backup_restore_and_tampering(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *out = NULL;
    char fault[300];
    char backup[96];
    char again[96];
    open_home(&home, false);
    const reha_actor local = reha_actor_local();
    json_t *study = store_dicom(home.clinic, &local, "1", NULL, 1);
    (void)snprintf(backup, sizeof backup, "%s.backup", home.path);
    (void)snprintf(again, sizeof again, "%s.again", home.path);
    assert_true(verifies(home.clinic, fault, sizeof fault));
    assert_ok(reha_clinic_backup(home.clinic, &local, backup, &out, &err), &err);
    assert_int_equal((int)reha_json_number(out, "blobs", 0.0), 1);
    json_decref(out);
    assert_int_equal(reha_clinic_backup(home.clinic, &local, backup, &out, &err), REHA_E_CONFLICT);

    /* What comes after the backup is not in it; what was before is, and whole. */
    json_decref(store_dicom(home.clinic, &local, "2", NULL, 2));
    assert_ok(reha_clinic_restore(backup, again, &out, &err), &err);
    json_decref(out);
    reha_clinic *restored = open_clinic(again, false);
    const reha_query all = {.limit = 10};
    assert_ok(reha_clinic_studies(restored, &local, &all, &out, &err), &err);
    assert_int_equal((int)reha_json_number(out, "total", 0.0), 1);
    json_decref(out);
    assert_ok(reha_clinic_study(restored, &local, reha_json_string(study, "id", ""), &out, &err), &err);
    json_decref(out);
    assert_true(verifies(restored, fault, sizeof fault));
    reha_clinic_close(restored);
    assert_int_equal(reha_clinic_restore(backup, again, &out, &err), REHA_E_CONFLICT);
    shell("rm -rf '%s' '%s.restoring'", again, again);

    /* A backup with one bad byte is refused, and no home is made of it. */
    shell(
        "f=$(find '%s/blobs' -type f | head -1); printf 'X' | dd of=\"$f\" bs=1 seek=200 conv=notrunc 2>/dev/null",
        backup);
    assert_int_equal(reha_clinic_restore(backup, again, &out, &err), REHA_E_TAMPERED);
    assert_null(out);
    struct stat info;
    assert_int_not_equal(stat(again, &info), 0);
    shell("rm -rf '%s' '%s.restoring'", backup, again);

    /* A lost file, then an altered record: each is named. */
    reha_clinic_close(home.clinic);
    shell("f=$(find '%s/blobs' -type f | head -1); mv \"$f\" '%s.blob'", home.path, home.path);
    home.clinic = open_clinic(home.path, false);
    assert_false(verifies(home.clinic, fault, sizeof fault));
    reha_clinic_close(home.clinic);
    shell("rm -f '%s.blob'", home.path);
    shell(
        "python3 -c \"import sqlite3; d = sqlite3.connect('%s/records.db'); d.execute('DROP TRIGGER audit_keep'); "
        "d.execute(\\\"UPDATE audit SET user_id = 'somebody' WHERE no = 2\\\"); d.commit()\"",
        home.path);
    home.clinic = open_clinic(home.path, false);
    assert_false(verifies(home.clinic, fault, sizeof fault));
    assert_non_null(strstr(fault, "record 2 was altered"));
    json_decref(study);

    /* Another home's key opens nothing. */
    reha_clinic_close(home.clinic);
    home.clinic = NULL;
    test_home other;
    open_home(&other, false);
    shell("cp '%s/key' '%s/key'", other.path, home.path);
    const reha_clinic_options options = {.home = home.path};
    assert_int_equal(reha_clinic_open(&options, &home.clinic, &err), REHA_E_TAMPERED);
    assert_null(home.clinic);
    /* Without its key, a home gets no new one. */
    shell("rm '%s/key'", home.path);
    assert_int_equal(reha_clinic_open(&options, &home.clinic, &err), REHA_E_NOT_FOUND);
    close_home(&other);
    close_home(&home);
}

/* ---- logs ---- */

static void collect(void *context, reha_log_level level, const char *event, const char *fields)
{
    (void)level;
    reha_text_addf(context, "%s %s\n", event, fields);
}

static void test_logs_and_audit_hold_no_names(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    reha_text log = {0};
    json_t *out = NULL;
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_log_set_sink(collect, &log, REHA_LOG_DEBUG);
    open_home(&home, true);
    const reha_actor clinician = add_user(home.clinic, "clinician", REHA_ROLE_PHYSIOTHERAPIST);
    const reha_actor local = reha_actor_local();
    json_t *patient = add_patient(home.clinic, &clinician, "ZZSECRET Person");
    json_t *study = store_dicom(home.clinic, &clinician, "ZZSECRET-NUMBER", "ZZSECRET^Person", 5);
    const reha_upload_options options = {.file_name = "ZZSECRET.png", .idempotency_key = "k"};
    assert_int_equal(upload_bytes(home.clinic, &clinician, &options, "no image", 8, &out, &err),
                     REHA_E_FORMAT);
    assert_null(strstr(err.text, "ZZSECRET"));
    json_t *note = json_pack("{s:s}", "note", "ZZSECRET lives in the next street");
    assert_ok(reha_clinic_patient_change(home.clinic, &clinician, reha_json_string(patient, "id", ""), 1,
                                         note, &out, &err),
              &err);
    json_decref(out);
    assert_ok(reha_clinic_drain(home.clinic, &err), &err);
    const reha_query search = {.text = "ZZSECRET"};
    assert_ok(reha_clinic_patients(home.clinic, &clinician, &search, &out, &err), &err);
    json_decref(out);
    assert_ok(reha_clinic_audit_export(home.clinic, &local, &bytes, &count, &err), &err);
    assert_null(strstr((char *)bytes, "ZZSECRET"));
    reha_free(bytes);
    reha_clinic_close(home.clinic);
    home.clinic = NULL;
    reha_log_set_sink(NULL, NULL, REHA_LOG_ERROR);
    assert_true(log.length > 0);
    assert_null(strstr(log.data, "ZZSECRET"));
    assert_non_null(strstr(log.data, "job.ended"));
    reha_text_clear(&log);
    json_decref(note);
    json_decref(study);
    json_decref(patient);
    close_home(&home);
}

static void test_events_wake_those_who_wait(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *out = NULL;
    open_home(&home, false);
    const reha_actor local = reha_actor_local();
    assert_ok(reha_clinic_events(home.clinic, &local, 0, 0, &out, &err), &err);
    const int64_t last = (int64_t)reha_json_number(out, "last", 0.0);
    assert_int_equal(json_array_size(json_object_get(out, "items")), 0);
    json_decref(out);
    json_decref(store_dicom(home.clinic, &local, "1", NULL, 1));
    assert_ok(reha_clinic_events(home.clinic, &local, last, 5000, &out, &err), &err);
    const json_t *event = json_array_get(json_object_get(out, "items"), 0);
    assert_string_equal(reha_json_string(event, "kind", ""), "job");
    assert_string_equal(reha_json_string(event, "state", ""), "queued");
    assert_int_equal((int64_t)reha_json_number(event, "no", 0.0), last + 1);
    assert_true(json_is_false(json_object_get(out, "lost")));
    json_decref(out);
    assert_ok(reha_clinic_events(home.clinic, &local, last + 1, 10, &out, &err),
              &err); /* nothing new: the time runs out */
    assert_int_equal(json_array_size(json_object_get(out, "items")), 0);
    json_decref(out);
    assert_ok(reha_clinic_events(home.clinic, &local, 5, 10, &out, &err), &err); /* of long ago */
    assert_true(json_is_true(json_object_get(out, "lost")));
    json_decref(out);
    reha_clinic_wake(home.clinic);
    assert_ok(reha_clinic_events(home.clinic, &local, last + 1, 60000, &out, &err),
              &err); /* returns at once */
    json_decref(out);
    close_home(&home);
}

static void test_the_watched_folder(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *out = NULL;
    uint8_t *bytes = NULL;
    size_t count = 0;
    char path[128];
    open_home(&home, false);
    const reha_actor local = reha_actor_local();
    (void)snprintf(path, sizeof path, "%s/inbox", home.path);
    assert_ok(reha_folder_make(path, &err), &err);
    make_dicom("7", NULL, 7, &bytes, &count);
    (void)snprintf(path, sizeof path, "%s/inbox/IM0001", home.path);
    assert_ok(reha_file_save(path, bytes, count, &err), &err);
    (void)snprintf(path, sizeof path, "%s/inbox/letter.txt", home.path);
    assert_ok(reha_file_save(path, "Dear colleague", 14, &err), &err);
    /* Fresh until tomorrow: a busy machine may take long for the rest. */
    shell("touch -d '1 minute ago' '%s'/inbox/*; echo fresh >'%s/inbox/fresh.dcm'; touch -d tomorrow "
          "'%s/inbox/fresh.dcm'",
          home.path, home.path, home.path);
    reha_clinic_close(home.clinic);
    reha_clinic_options how = {.home = home.path,
                               .models_folder = REHA_SOURCE_DIR "/models",
                               .limits = patient_limits(),
                               .inbox = "/no/such/folder"};
    assert_int_equal(reha_clinic_open(&how, &home.clinic, &err), REHA_E_ARG);
    /* Another folder than that of the home, as --inbox names it. */
    shell("mv '%s/inbox' '%s.scans'", home.path, home.path);
    (void)snprintf(path, sizeof path, "%s.scans", home.path);
    how.inbox = path;
    how.with_workers = true;
    assert_ok(reha_clinic_open(&how, &home.clinic, &err), &err);
    const reha_query all = {.limit = 5};
    int total = 0;
    for (int i = 0; i < 2400 && total == 0; i++) {
        (void)usleep(50000);
        assert_ok(reha_clinic_studies(home.clinic, &local, &all, &out, &err), &err);
        total = (int)reha_json_number(out, "total", 0.0);
        json_decref(out);
    }
    assert_int_equal(total, 1);
    reha_clinic_close(home.clinic); /* waits for the look to end */
    home.clinic = NULL;
    shell(
        "cd '%s' && test ! -e IM0001 && test ! -e letter.txt && test -e fresh.dcm && test $(ls .refused | wc -l) = 1 && cd / "
        "&& rm -r '%s'",
        path, path);
    reha_free(bytes);
    close_home(&home);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void collect_ends(void *context, reha_log_level level, const char *event, const char *fields)
{
    (void)level;
    atomic_int *ends = context;
    if (strcmp(event, "job.ended") == 0) {
        (void)atomic_fetch_add(&ends[strstr(fields, "status=disk-full") != NULL ? 0 : 1], 1);
    }
}

static void upload_knee(reha_clinic *clinic, uint64_t seed, char job_id[REHA_ID_BYTES])
{
    reha_error err = REHA_ERROR_INIT;
    const reha_actor local = reha_actor_local();
    const reha_upload_options options = {.file_name = "x.png"};
    json_t *out = NULL;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    knee_png(seed, &png, &png_bytes);
    assert_ok(upload_bytes(clinic, &local, &options, png, png_bytes, &out, &err), &err);
    (void)snprintf(job_id, REHA_ID_BYTES, "%s", item_text(out, 0, "job_id"));
    json_decref(out);
    reha_free(png);
}

static void wait_until_begun(reha_clinic *clinic, const char *job_id)
{
    reha_error err = REHA_ERROR_INIT;
    const reha_actor local = reha_actor_local();
    bool is_begun = false;
    while (!is_begun) {
        json_t *job = NULL;
        assert_ok(reha_clinic_job(clinic, &local, job_id, &job, &err), &err);
        is_begun = strcmp(reha_json_string(job, "state", ""), "queued") != 0;
        json_decref(job);
        (void)usleep(1000);
    }
}

/* An analysis whose result finds no room on the disk (here: no file may grow) waits and is done again; it
 * does not fail. Where one was over before the room was gone, the next is tried. */
static void test_an_analysis_waits_for_room(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *job = NULL;
    atomic_int ends[2] = {0, 0}; /* without room, and otherwise */
    char job_id[REHA_ID_BYTES];
    (void)signal(SIGXFSZ, SIG_IGN);
    reha_log_set_sink(collect_ends, ends, REHA_LOG_INFO);
    open_home(&home, true);
    const reha_actor local = reha_actor_local();
    for (int trial = 0; trial < 20 && atomic_load(&ends[0]) == 0; trial++) {
        upload_knee(home.clinic, 3 + (uint64_t)trial, job_id);
        wait_until_begun(home.clinic, job_id);
        limit_files(1);
        for (int i = 0; i < 6000 && atomic_load(&ends[0]) + atomic_load(&ends[1]) <= trial; i++) {
            (void)usleep(20000);
        }
        limit_files(RLIM_INFINITY);
    }
    assert_ok(reha_clinic_drain(home.clinic, &err), &err);
    assert_ok(reha_clinic_job(home.clinic, &local, job_id, &job, &err), &err);
    assert_string_equal(reha_json_string(job, "state", ""), "done");
    assert_int_equal((int)reha_json_number(job, "tries", 0.0), 1); /* the disk's fault does not count */
    assert_true(atomic_load(&ends[0]) >= 1);
    json_decref(job);
    close_home(&home);
    reha_log_set_sink(NULL, NULL, REHA_LOG_ERROR);
}

int main(int argc, char **argv)
{
    const int code = clinic_worker(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dicom_is_filed_by_its_patient),
                                       cmocka_unit_test(test_paging_visits_each_once),
                                       cmocka_unit_test(test_two_at_once_lose_nothing),
                                       cmocka_unit_test(test_scores_are_withdrawn_not_deleted),
                                       cmocka_unit_test(test_backup_restore_and_tampering),
                                       cmocka_unit_test(test_logs_and_audit_hold_no_names),
                                       cmocka_unit_test(test_an_analysis_waits_for_room),
                                       cmocka_unit_test(test_events_wake_those_who_wait),
                                       cmocka_unit_test(test_the_watched_folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
