/* What is asked of an image by name: jobs with a task, results beside each other, what cannot be asked for.
 */
#include "clinic_support.h"

#include "base/sync.h"

typedef struct stored { /* a knee in the records of a clinic with workers */
    test_home home;
    reha_actor clinician;
    char study_id[REHA_ID_BYTES], image_id[REHA_ID_BYTES];
} stored;

static void store_knee(stored *at, bool with_workers, const char *task)
{
    reha_error err = REHA_ERROR_INIT;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    json_t *out = NULL;
    const reha_upload_options options = {.file_name = "knee.png", .task = task, .idempotency_key = "first"};
    open_home(&at->home, with_workers);
    at->clinician = add_user(at->home.clinic, "clinician", REHA_ROLE_PHYSIOTHERAPIST);
    knee_png(1, &png, &png_bytes);
    assert_ok(upload_bytes(at->home.clinic, &at->clinician, &options, png, png_bytes, &out, &err), &err);
    (void)snprintf(at->study_id, sizeof at->study_id, "%s", item_text(out, 0, "study_id"));
    (void)snprintf(at->image_id, sizeof at->image_id, "%s", item_text(out, 0, "image_id"));
    json_decref(out);
    reha_free(png);
}

static reha_status ask(const stored *at, const char *task, const char *key, json_t **out, reha_error *err)
{
    json_t *in = json_pack("{s:s?}", "task", task);
    const reha_status status =
        reha_clinic_analyse(at->home.clinic, &at->clinician, at->image_id, in, key, out, err);
    json_decref(in);
    return status;
}

static json_t *read_study(const stored *at)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *study = NULL;
    assert_ok(reha_clinic_drain(at->home.clinic, &err), &err);
    assert_ok(reha_clinic_study(at->home.clinic, &at->clinician, at->study_id, &study, &err), &err);
    return study;
}

static const json_t *results_of(const json_t *study)
{
    return json_object_get(json_array_get(json_object_get(study, "images"), 0), "results");
}

/* The result of this task is at this place, asked for or not. *id: copied. */
static void expect_result(const json_t *study, size_t place, const char *task, bool is_asked,
                          char id[REHA_ID_BYTES])
{
    const json_t *result = json_array_get(results_of(study), place);
    assert_string_equal(reha_json_string(result, "task", ""), task);
    assert_int_equal(json_is_true(json_object_get(result, "asked")), is_asked);
    assert_string_equal(reha_json_string(json_object_get(result, "analysis"), "task", ""), task);
    assert_string_equal(json_string_value(json_array_get(json_object_get(study, "tasks"), place)), task);
    (void)snprintf(id, REHA_ID_BYTES, "%s", reha_json_string(result, "id", ""));
}

static int count_measures(const stored *at, const json_t *study, const char *result_id)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *patient = NULL;
    json_t *filed = NULL;
    json_t *series = NULL;
    int count = 0;
    json_t *in = json_object();
    assert_ok(reha_clinic_patient_add(at->home.clinic, &at->clinician, in, &patient, &err), &err);
    const char *patient_id = reha_json_string(patient, "id", "");
    json_t *file = json_pack("{s:s}", "patient_id", patient_id);
    assert_ok(reha_clinic_study_assign(at->home.clinic, &at->clinician, at->study_id, version_of(study), file,
                                       &filed, &err),
              &err);
    assert_ok(reha_clinic_series(at->home.clinic, &at->clinician, patient_id, &series, &err), &err);
    const json_t *measurements = json_object_get(series, "measurements");
    for (size_t i = 0; i < json_array_size(measurements); i++) {
        count += strcmp(reha_json_string(json_array_get(measurements, i), "result_id", ""), result_id) == 0
                     ? 1
                     : 0;
    }
    json_decref(in);
    json_decref(file);
    json_decref(patient);
    json_decref(filed);
    json_decref(series);
    return count;
}

static reha_status reject_grade(const stored *at, const json_t *study, const char *result_id, reha_error *err)
{
    json_t *out = NULL;
    json_t *in = json_pack("{s:i, s:s, s:s, s:s}", "region", 0, "finding", "kl-grade", "decision", "reject",
                           "reason", "no");
    const reha_status status =
        reha_clinic_review(at->home.clinic, &at->clinician, result_id, version_of(study), in, &out, err);
    json_decref(in);
    json_decref(out);
    return status;
}

static bool report_says(const stored *at, const char *text)
{
    reha_error err = REHA_ERROR_INIT;
    uint8_t *bytes = NULL;
    size_t count = 0;
    assert_ok(reha_clinic_report(at->home.clinic, &at->clinician, at->study_id, REHA_REPORT_HTML, &bytes,
                                 &count, &err),
              &err);
    const bool says = strstr((const char *)bytes, text) != NULL;
    reha_free(bytes);
    return says;
}

static void test_results_of_tasks_stand_beside_each_other(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    stored at;
    json_t *job = NULL;
    json_t *again = NULL;
    char knee[REHA_ID_BYTES];
    char fracture[REHA_ID_BYTES];
    char newer[REHA_ID_BYTES];
    char same[REHA_ID_BYTES];
    store_knee(&at, true, NULL);
    json_t *study = read_study(&at);
    assert_int_equal(json_array_size(results_of(study)), 1);
    expect_result(study, 0, "knee-oa", false, knee);
    json_decref(study);

    /* Another task: the first result stays as it was, in the study, the series, the report, and for review.
     */
    assert_ok(ask(&at, "fracture", "key", &job, &err), &err);
    assert_string_equal(reha_json_string(job, "task", ""), "fracture");
    study = read_study(&at);
    assert_int_equal(json_array_size(results_of(study)), 2);
    expect_result(study, 0, "knee-oa", false, same);
    assert_string_equal(same, knee);
    expect_result(study, 1, "fracture", true, fracture);
    assert_true(count_measures(&at, study, knee) >= 3);
    assert_true(report_says(&at, "fracture, asked for by name") &&
                report_says(&at, "knee-oa, chosen by the program"));
    json_decref(study);

    /* The same request again does nothing twice; its key for another one is refused. */
    assert_ok(ask(&at, "fracture", "key", &again, &err), &err);
    assert_string_equal(reha_json_string(again, "id", ""), reha_json_string(job, "id", "-"));
    json_decref(again);
    assert_int_equal(ask(&at, "muscle-us", "key", &again, &err), REHA_E_CONFLICT);
    assert_int_equal(ask(&at, NULL, "key", &again, &err), REHA_E_CONFLICT);
    assert_int_equal(ask(&at, NULL, "first", &again, &err), REHA_E_CONFLICT); /* the upload's */
    assert_null(again);

    /* The program's choice again takes the place of its former one only, whose reviews are history. */
    assert_ok(ask(&at, NULL, NULL, &again, &err), &err);
    assert_true(json_is_null(json_object_get(again, "task")));
    json_decref(again);
    study = read_study(&at);
    assert_int_equal(json_array_size(results_of(study)), 2);
    expect_result(study, 0, "fracture", true, same);
    assert_string_equal(same, fracture);
    expect_result(study, 1, "knee-oa", false, newer);
    assert_string_not_equal(newer, knee);
    assert_int_equal(reject_grade(&at, study, knee, &err), REHA_E_CONFLICT);
    assert_ok(reha_clinic_result(at.home.clinic, &at.clinician, knee, &again, &err),
              &err); /* nothing is lost */
    json_decref(again);
    assert_ok(reject_grade(&at, study, newer, &err), &err);
    json_decref(study);

    /* By name, the same task: it takes the place of the program's choice. */
    assert_ok(ask(&at, "knee-oa", NULL, &again, &err), &err);
    json_decref(again);
    study = read_study(&at);
    assert_int_equal(json_array_size(results_of(study)), 2);
    expect_result(study, 1, "knee-oa", true, same);
    assert_string_not_equal(same, newer);
    json_decref(study);
    json_decref(job);
    close_home(&at.home);
}

/* What waits for one task can be asked for another one, and not for the same again. */
static void test_one_job_for_each_task(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    stored at;
    json_t *job = NULL;
    store_knee(&at, false, "fracture"); /* nobody works: all stay queued */
    json_t *study = NULL;
    assert_ok(reha_clinic_study(at.home.clinic, &at.clinician, at.study_id, &study, &err), &err);
    const json_t *image = json_array_get(json_object_get(study, "images"), 0);
    assert_string_equal(reha_json_string(json_object_get(image, "job"), "task", ""), "fracture");
    assert_int_equal(json_array_size(json_object_get(study, "tasks")), 0);
    json_decref(study);
    assert_int_equal(ask(&at, "fracture", NULL, &job, &err), REHA_E_CONFLICT);
    assert_non_null(strstr(err.text, "waiting for this analysis"));
    assert_ok(ask(&at, NULL, NULL, &job, &err), &err);
    json_decref(job);
    assert_int_equal(ask(&at, NULL, NULL, &job, &err), REHA_E_CONFLICT);
    assert_ok(ask(&at, "muscle-us", NULL, &job, &err), &err);
    json_decref(job);

    /* Each is in the audit log with its task, the upload too. */
    json_t *log = NULL;
    const reha_actor local = reha_actor_local();
    const reha_query query = {.action = "image."};
    assert_ok(reha_clinic_audit(at.home.clinic, &local, &query, &log, &err), &err);
    static const struct {
        const char *action, *task;
    } wanted[] = {{"image.analyse", "muscle-us"}, {"image.analyse", NULL}, {"image.store", "fracture"}};
    size_t found = 0;
    const json_t *items = json_object_get(log, "items");
    for (size_t i = 0; i < json_array_size(items) && found < 3; i++) {
        const json_t *event = json_array_get(items, i);
        const char *task = reha_json_string(json_object_get(event, "detail"), "task", NULL);
        if (strcmp(reha_json_string(event, "action", ""), wanted[found].action) == 0) {
            assert_int_equal(task == NULL, wanted[found].task == NULL);
            assert_true(task == NULL || strcmp(task, wanted[found].task) == 0);
            found++;
        }
    }
    assert_int_equal(found, 3);
    json_decref(log);
    close_home(&at.home);
}

static void test_what_cannot_be_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *task;
        reha_status status;
        const char *says;
    } bad[] = {{"fractures", REHA_E_ARG, "there is no 'fractures'; there are: knee-oa"},
               {"gate", REHA_E_ARG, "there is no 'gate'"},
               {"../fracture", REHA_E_ARG, "there is no"},
               {"outcome-knee-replacement", REHA_E_ARG, "there is no"},
               {"knee-mri", REHA_E_REFUSED, "no model of 'knee-mri' is installed"},
               {"bone-density", REHA_E_REFUSED, "switched off by its own model card"}};
    reha_error err = REHA_ERROR_INIT;
    stored at;
    json_t *out = NULL;
    store_knee(&at, false, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const reha_upload_options options = {.file_name = "other.png", .task = bad[i].task};
        assert_int_equal(ask(&at, bad[i].task, NULL, &out, &err), bad[i].status);
        assert_non_null(strstr(err.text, bad[i].says));
        assert_int_equal(upload_bytes(at.home.clinic, &at.clinician, &options, "x", 1, &out, &err),
                         bad[i].status);
        assert_null(out);
    }
    json_t *in = json_pack("{s:i}", "task", 3);
    assert_int_equal(reha_clinic_analyse(at.home.clinic, &at.clinician, at.image_id, in, NULL, &out, &err),
                     REHA_E_ARG);
    json_decref(in);
    in = json_pack("{s:s}", "tasks", "fracture");
    assert_int_equal(reha_clinic_analyse(at.home.clinic, &at.clinician, at.image_id, in, NULL, &out, &err),
                     REHA_E_ARG);
    json_decref(in);
    const char *const paths[] = {REHA_SOURCE_DIR "/ui/public"};
    const reha_upload_options options = {.task = "fractures"};
    assert_int_equal(reha_clinic_import(at.home.clinic, &at.clinician, paths, 1, &options, &out, &err),
                     REHA_E_ARG);
    /* The same file and key for another task is another request. */
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    knee_png(1, &png, &png_bytes);
    const reha_upload_options other = {
        .file_name = "knee.png", .task = "fracture", .idempotency_key = "first"};
    assert_int_equal(upload_bytes(at.home.clinic, &at.clinician, &other, png, png_bytes, &out, &err),
                     REHA_E_CONFLICT);
    const reha_upload_options same = {.file_name = "knee.png", .idempotency_key = "first"};
    assert_ok(upload_bytes(at.home.clinic, &at.clinician, &same, png, png_bytes, &out, &err), &err);
    assert_string_equal(item_text(out, 0, "outcome"), "stored");
    json_decref(out);
    reha_free(png);
    close_home(&at.home);

    /* A watched folder for a task that there is not is said at the start. */
    char path[] = "/tmp/reha-clinic-XXXXXX";
    reha_clinic *clinic = NULL;
    assert_non_null(mkdtemp(path));
    const reha_clinic_options how = {
        .home = path, .models_folder = REHA_SOURCE_DIR "/models", .inbox_task = "bone-density"};
    assert_int_equal(reha_clinic_open(&how, &clinic, &err), REHA_E_REFUSED);
    assert_null(clinic);
    char command[96];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

static void test_models_tell_what_is_offered(void **state)
{
    (void)state;
    static const struct {
        const char *task;
        bool is_offered, is_unasked;
    } known[] = {{"knee-oa", true, true},        {"muscle-us", true, true},  {"fracture", true, false},
                 {"muscle-injury", true, false}, {"knee-mri", false, false}, {"bone-density", false, false},
                 {"gate", false, false}};
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *list = NULL;
    size_t seen = 0;
    open_home(&home, false);
    const reha_actor reader = add_user(home.clinic, "reader", REHA_ROLE_READ_ONLY);
    assert_ok(reha_clinic_models(home.clinic, &reader, &list, &err), &err);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
            if (strcmp(reha_json_string(one, "task", ""), known[k].task) == 0) {
                assert_int_equal(json_is_true(json_object_get(one, "offered")), known[k].is_offered);
                assert_int_equal(json_is_true(json_object_get(one, "unasked")), known[k].is_unasked);
                seen++;
            }
        }
        if (strcmp(reha_json_string(one, "kind", ""), "outcome") == 0) {
            assert_true(json_is_false(json_object_get(one, "offered")));
        }
    }
    assert_int_equal(seen, sizeof known / sizeof known[0]);
    json_decref(list);
    close_home(&home);
}

/* ---- asked by mistake ---- */

static const char WHY[] = "<b>wrong</b>\nimage";

static const json_t *asides_of(const json_t *study)
{
    return json_object_get(json_array_get(json_object_get(study, "images"), 0), "set_aside");
}

/* *study (json_decref'ed) becomes what it is afterwards; unchanged after a failure. */
static reha_status set_aside(const stored *at, const reha_actor *actor, const char *result_id,
                             const char *reason, json_t **study, reha_error *err)
{
    json_t *out = NULL;
    json_t *in = json_pack("{s:s?}", "reason", reason);
    const reha_status status =
        reha_clinic_set_aside(at->home.clinic, actor, result_id, version_of(*study), in, &out, err);
    json_decref(in);
    if (status == REHA_OK) {
        json_decref(*study);
        *study = out;
    } else {
        assert_null(out);
    }
    return status;
}

static json_t *ask_and_read(const stored *at, const char *task, json_t *study)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *job = NULL;
    assert_ok(ask(at, task, NULL, &job, &err), &err);
    json_decref(job);
    json_decref(study);
    return read_study(at);
}

static json_t *accept_all(const stored *at, json_t *study)
{
    reha_error err = REHA_ERROR_INIT;
    const json_t *result = first_result(study);
    json_t *kept = json_deep_copy(json_object_get(json_object_get(result, "analysis"), "regions"));
    char id[REHA_ID_BYTES];
    size_t region = 0;
    size_t k = 0;
    json_t *one = NULL;
    json_t *finding = NULL;
    (void)snprintf(id, sizeof id, "%s", reha_json_string(result, "id", ""));
    json_array_foreach(kept, region, one)
    {
        json_array_foreach(json_object_get(one, "findings"), k, finding)
        {
            json_t *out = NULL;
            json_t *in = json_pack("{s:i, s:s, s:s}", "region", (int)region, "finding",
                                   reha_json_string(finding, "key", ""), "decision", "accept");
            if (reha_finding_needs_decision(finding)) {
                assert_ok(reha_clinic_review(at->home.clinic, &at->clinician, id, version_of(study), in, &out,
                                             &err),
                          &err);
                json_decref(study);
                study = out;
            }
            json_decref(in);
        }
    }
    json_decref(kept);
    return study;
}

static json_t *sign(const stored *at, json_t *study, bool again)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    json_t *in = again ? json_pack("{s:s}", "reason", "more was asked") : json_object();
    assert_ok(again ? reha_clinic_reopen(at->home.clinic, &at->clinician, at->study_id, version_of(study), in,
                                         &out, &err)
                    : reha_clinic_sign(at->home.clinic, &at->clinician, at->study_id, version_of(study), in,
                                       &out, &err),
              &err);
    json_decref(in);
    json_decref(study);
    return out;
}

/* So many events of what was set aside, with the task and nothing that somebody typed. */
static void expect_noted(const stored *at, size_t count)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *log = NULL;
    const reha_actor local = reha_actor_local();
    const reha_query query = {.action = "result.set-aside"};
    assert_ok(reha_clinic_audit(at->home.clinic, &local, &query, &log, &err), &err);
    const json_t *items = json_object_get(log, "items");
    assert_int_equal(json_array_size(items), count);
    for (size_t i = 0; i < count; i++) {
        const json_t *event = json_array_get(items, i);
        const json_t *detail = json_object_get(event, "detail");
        assert_string_equal(reha_json_string(event, "entity", ""), "result");
        assert_string_equal(reha_json_string(event, "user_id", ""), at->clinician.user_id);
        assert_int_equal(json_object_size(detail), 1);
        assert_non_null(json_object_get(detail, "task"));
    }
    json_decref(log);
}

/* Who may not, what is missing or too much, another version, another state: nothing changes. */
static void expect_refusals(const stored *at, json_t *study, const char *asked, const char *chosen)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    char longest[302];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    for (int role = REHA_ROLE_NONE; role < REHA_ROLE_COUNT; role++) {
        const reha_actor actor = {.user_id = "x", .role = (reha_role)role};
        if (!reha_role_may((reha_role)role, REHA_MAY_REVIEW)) {
            assert_int_equal(set_aside(at, &actor, asked, "mistake", &study, &err),
                             role == REHA_ROLE_NONE ? REHA_E_SIGNED_OUT : REHA_E_DENIED);
        }
    }
    const struct {
        const char *result, *reason, *says;
        reha_status status;
    } bad[] = {{asked, NULL, "'reason' is needed", REHA_E_ARG},
               {asked, "", "'reason' is needed", REHA_E_ARG},
               {asked, " \n\t", "blank", REHA_E_ARG},
               {asked, "a\x01", "reason", REHA_E_ARG},
               {asked, longest, "300", REHA_E_ARG},
               {"none", "mistake", "no such result", REHA_E_NOT_FOUND},
               {chosen, "mistake", "the program chose this task", REHA_E_CONFLICT}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(set_aside(at, &at->clinician, bad[i].result, bad[i].reason, &study, &err),
                         bad[i].status);
        if (strstr(err.text, bad[i].says) == NULL) {
            fail_msg("%s: %s", bad[i].says, err.text);
        }
    }
    const char *const bodies[] = {"{\"reason\": 3}", "{\"reason\": \"x\", \"finding\": \"oa\"}", "[]"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        json_t *in = json_loads(bodies[i], 0, NULL);
        assert_int_equal(
            reha_clinic_set_aside(at->home.clinic, &at->clinician, asked, version_of(study), in, &out, &err),
            REHA_E_ARG);
        json_decref(in);
    }
    json_t *in = json_pack("{s:s}", "reason", "mistake");
    assert_int_equal(
        reha_clinic_set_aside(at->home.clinic, &at->clinician, asked, version_of(study) - 1, in, &out, &err),
        REHA_E_STALE);
    json_decref(in);
    assert_null(out);
    json_t *same = read_study(at);
    assert_int_equal(version_of(same), version_of(study));
    assert_int_equal(json_array_size(asides_of(same)), 0);
    json_decref(same);
    expect_noted(at, 0);
}

typedef struct hasty { /* one of several who read the same study */
    const stored *at;
    reha_actor actor;
    const char *result_id;
    int64_t version;
    reha_status status;
} hasty;

static void set_aside_at_once(void *context)
{
    hasty *one = context;
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    json_t *in = json_pack("{s:s}", "reason", "all saw it");
    one->status = reha_clinic_set_aside(one->at->home.clinic, &one->actor, one->result_id, one->version, in,
                                        &out, &err);
    json_decref(in);
    json_decref(out);
}

/* One of those who read the same gets through, the others are told that somebody was first. */
static void expect_one_of_many(const stored *at, const char *result_id, int64_t version)
{
    enum { MANY = 4 };
    static const char *const names[MANY] = {"many-a", "many-b", "many-c", "many-d"};
    reha_error err = REHA_ERROR_INIT;
    hasty all[MANY];
    reha_thread *threads[MANY];
    int done = 0;
    for (int i = 0; i < MANY; i++) {
        all[i] = (hasty){at, add_user(at->home.clinic, names[i], REHA_ROLE_PHYSIOTHERAPIST), result_id,
                         version, REHA_OK};
    }
    for (int i = 0; i < MANY; i++) {
        assert_ok(reha_thread_start(set_aside_at_once, &all[i], &threads[i], &err), &err);
    }
    for (int i = 0; i < MANY; i++) {
        reha_thread_join(threads[i]);
        done += all[i].status == REHA_OK ? 1 : 0;
        assert_true(all[i].status == REHA_OK || all[i].status == REHA_E_STALE);
    }
    assert_int_equal(done, 1);
}

static void test_what_was_asked_by_mistake_is_set_aside(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    stored at;
    json_t *out = NULL;
    char chosen[REHA_ID_BYTES], fracture[REHA_ID_BYTES], knee[REHA_ID_BYTES], id[REHA_ID_BYTES];
    store_knee(&at, true, NULL);
    json_t *study = read_study(&at);
    expect_result(study, 0, "knee-oa", false, chosen);
    study = ask_and_read(&at, "fracture", study);
    study = ask_and_read(&at, "knee-oa", study);
    expect_result(study, 0, "fracture", true, fracture);
    expect_result(study, 1, "knee-oa", true, knee);
    expect_refusals(&at, study, knee, chosen);

    /* What it took the place of stands again, undecided; what was decided on it is history. */
    assert_ok(reject_grade(&at, study, knee, &err), &err);
    json_decref(study);
    study = read_study(&at);
    const int64_t before = version_of(study);
    assert_ok(set_aside(&at, &at.clinician, knee, WHY, &study, &err), &err);
    assert_int_equal(version_of(study), before + 1);
    assert_int_equal(json_array_size(results_of(study)), 2);
    expect_result(study, 0, "knee-oa", false, id);
    assert_string_equal(id, chosen);
    expect_result(study, 1, "fracture", true, id);
    assert_int_equal(json_integer_value(json_object_get(study, "reviewed")), 0);
    assert_true(json_integer_value(json_object_get(study, "to_review")) >= 3);
    assert_int_equal(reject_grade(&at, study, knee, &err), REHA_E_CONFLICT);
    assert_non_null(strstr(err.text, "was set aside"));
    assert_int_equal(count_measures(&at, study, knee), 0);
    json_decref(study);
    study = read_study(&at);
    assert_true(count_measures(&at, study, chosen) >= 3);

    /* It is told: in the study, beside the result (which is whole), in the report, by an event. */
    assert_int_equal(json_array_size(asides_of(study)), 1);
    const json_t *aside = json_array_get(asides_of(study), 0);
    assert_string_equal(reha_json_string(aside, "result_id", ""), knee);
    assert_string_equal(reha_json_string(aside, "task", ""), "knee-oa");
    assert_string_equal(reha_json_string(aside, "user_name", ""), "clinician");
    assert_string_equal(reha_json_string(aside, "user_id", ""), at.clinician.user_id);
    assert_string_equal(reha_json_string(aside, "reason", ""), WHY);
    assert_true(strlen(reha_json_string(aside, "analysed_at", "")) == 24 &&
                strlen(reha_json_string(aside, "created_at", "")) == 24);
    assert_ok(reha_clinic_result(at.home.clinic, &at.clinician, knee, &out, &err), &err);
    assert_string_equal(reha_json_string(json_object_get(out, "set_aside"), "reason", ""), WHY);
    assert_int_equal(json_array_size(json_object_get(out, "reviews")), 1);
    assert_true(json_array_size(json_object_get(json_object_get(out, "analysis"), "regions")) > 0);
    json_decref(out);
    assert_true(report_says(&at, "(knee-oa): asked for by name, analysed 20"));
    assert_true(report_says(&at, "set aside by clinician on 20") &&
                report_says(&at, ": &lt;b&gt;wrong&lt;/b&gt; image</p>"));
    expect_noted(&at, 1);

    /* The same request again, also with the version of before, does nothing twice; another reason or person
     * is told who was first. */
    json_decref(study);
    study = read_study(&at);
    json_t *in = json_pack("{s:s}", "reason", WHY);
    assert_ok(reha_clinic_set_aside(at.home.clinic, &at.clinician, knee, before, in, &out, &err), &err);
    assert_int_equal(version_of(out), version_of(study));
    json_decref(in);
    json_decref(out);
    const reha_actor second = add_user(at.home.clinic, "second", REHA_ROLE_REVIEWER);
    assert_int_equal(set_aside(&at, &at.clinician, knee, "another", &study, &err), REHA_E_CONFLICT);
    assert_int_equal(set_aside(&at, &second, knee, WHY, &study, &err), REHA_E_CONFLICT);
    assert_non_null(strstr(err.text, "clinician has set this result aside already"));
    expect_noted(&at, 1);

    /* A signed study stays as it was signed; reopened, it goes on. */
    study = sign(&at, accept_all(&at, study), false);
    assert_int_equal(set_aside(&at, &at.clinician, fracture, "not this one", &study, &err), REHA_E_CONFLICT);
    assert_non_null(strstr(err.text, "signed: reopen it first"));
    study = sign(&at, study, true);
    assert_ok(set_aside(&at, &at.clinician, fracture, "not this one", &study, &err), &err);
    assert_int_equal(json_array_size(results_of(study)), 1);
    assert_int_equal(json_array_size(asides_of(study)), 2);
    study = sign(&at, study, false); /* the decisions on the other one were kept */
    study = sign(&at, study, true);
    expect_noted(&at, 2);

    /* Asked for again, a new result stands; of two, only the one that stands can be set aside. */
    study = ask_and_read(&at, "fracture", study);
    expect_result(study, 1, "fracture", true, id);
    assert_string_not_equal(id, fracture);
    study = ask_and_read(&at, "fracture", study);
    assert_int_equal(set_aside(&at, &at.clinician, id, "the older one", &study, &err), REHA_E_CONFLICT);
    assert_non_null(strstr(err.text, "a newer result"));
    assert_int_equal(json_array_size(asides_of(study)), 2);
    expect_result(study, 1, "fracture", true, knee);
    expect_one_of_many(&at, knee, version_of(study));
    json_decref(study);
    study = read_study(&at);
    assert_int_equal(json_array_size(asides_of(study)), 3);
    expect_result(study, 1, "fracture", true, knee);
    assert_string_equal(knee, id); /* the older of the two */
    json_decref(study);
    close_home(&at.home);
}

/* An image whose only task was a mistake: nothing stands, everybody is told, and the study can be signed as
 * that. */
static void test_nothing_is_left_to_stand(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    stored at;
    json_t *out = NULL;
    char id[REHA_ID_BYTES], newer[REHA_ID_BYTES];
    store_knee(&at, true, "fracture");
    json_t *study = read_study(&at);
    expect_result(study, 0, "fracture", true, id);
    assert_ok(set_aside(&at, &at.clinician, id, "meant the knee", &study, &err), &err);
    assert_int_equal(json_array_size(results_of(study)), 0);
    assert_int_equal(json_array_size(json_object_get(study, "tasks")), 0);
    assert_string_equal(reha_json_string(study, "status", ""), "to-review");
    assert_string_equal(reha_json_string(study, "headline", ""),
                        "no result stands: what was asked for was set aside");
    assert_true(report_says(&at, "No result stands") && report_says(&at, "meant the knee"));
    const reha_clinic_comparing how = {0};
    assert_int_equal(
        reha_clinic_compare(at.home.clinic, &at.clinician, at.image_id, "another", &how, &out, &err),
        REHA_E_CONFLICT);
    assert_non_null(strstr(err.text, "without a result that stands"));
    study = sign(&at, study, false);
    study = sign(&at, study, true);
    study = ask_and_read(&at, NULL, study);
    expect_result(study, 0, "knee-oa", false, newer);
    assert_int_equal(json_array_size(asides_of(study)), 1);
    json_decref(study);
    close_home(&at.home);
}

int main(int argc, char **argv)
{
    const int code = clinic_worker(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_results_of_tasks_stand_beside_each_other),
                                       cmocka_unit_test(test_one_job_for_each_task),
                                       cmocka_unit_test(test_what_cannot_be_asked_for),
                                       cmocka_unit_test(test_models_tell_what_is_offered),
                                       cmocka_unit_test(test_what_was_asked_by_mistake_is_set_aside),
                                       cmocka_unit_test(test_nothing_is_left_to_stand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
