/* What is asked of an image by name: jobs with a task, results beside each other, what cannot be asked for. */
#include "clinic_support.h"

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
    const reha_status status = reha_clinic_analyse(at->home.clinic, &at->clinician, at->image_id, in, key, out, err);
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
static void expect_result(const json_t *study, size_t place, const char *task, bool is_asked, char id[REHA_ID_BYTES])
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
    assert_ok(reha_clinic_study_assign(at->home.clinic, &at->clinician, at->study_id, version_of(study), file, &filed, &err), &err);
    assert_ok(reha_clinic_series(at->home.clinic, &at->clinician, patient_id, &series, &err), &err);
    const json_t *measurements = json_object_get(series, "measurements");
    for (size_t i = 0; i < json_array_size(measurements); i++) {
        count += strcmp(reha_json_string(json_array_get(measurements, i), "result_id", ""), result_id) == 0 ? 1 : 0;
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
    json_t *in = json_pack("{s:i, s:s, s:s, s:s}", "region", 0, "finding", "kl-grade", "decision", "reject", "reason", "no");
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
    assert_ok(reha_clinic_report(at->home.clinic, &at->clinician, at->study_id, REHA_REPORT_HTML, &bytes, &count, &err), &err);
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

    /* Another task: the first result stays as it was, in the study, the series, the report, and for review. */
    assert_ok(ask(&at, "fracture", "key", &job, &err), &err);
    assert_string_equal(reha_json_string(job, "task", ""), "fracture");
    study = read_study(&at);
    assert_int_equal(json_array_size(results_of(study)), 2);
    expect_result(study, 0, "knee-oa", false, same);
    assert_string_equal(same, knee);
    expect_result(study, 1, "fracture", true, fracture);
    assert_true(count_measures(&at, study, knee) >= 3);
    assert_true(report_says(&at, "fracture, asked for by name") && report_says(&at, "knee-oa, chosen by the program"));
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
    assert_ok(reha_clinic_result(at.home.clinic, &at.clinician, knee, &again, &err), &err); /* nothing is lost */
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
        assert_int_equal(upload_bytes(at.home.clinic, &at.clinician, &options, "x", 1, &out, &err), bad[i].status);
        assert_null(out);
    }
    json_t *in = json_pack("{s:i}", "task", 3);
    assert_int_equal(reha_clinic_analyse(at.home.clinic, &at.clinician, at.image_id, in, NULL, &out, &err), REHA_E_ARG);
    json_decref(in);
    in = json_pack("{s:s}", "tasks", "fracture");
    assert_int_equal(reha_clinic_analyse(at.home.clinic, &at.clinician, at.image_id, in, NULL, &out, &err), REHA_E_ARG);
    json_decref(in);
    const char *const paths[] = {REHA_SOURCE_DIR "/ui/public"};
    const reha_upload_options options = {.task = "fractures"};
    assert_int_equal(reha_clinic_import(at.home.clinic, &at.clinician, paths, 1, &options, &out, &err), REHA_E_ARG);
    /* The same file and key for another task is another request. */
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    knee_png(1, &png, &png_bytes);
    const reha_upload_options other = {.file_name = "knee.png", .task = "fracture", .idempotency_key = "first"};
    assert_int_equal(upload_bytes(at.home.clinic, &at.clinician, &other, png, png_bytes, &out, &err), REHA_E_CONFLICT);
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
    const reha_clinic_options how = {.home = path, .models_folder = REHA_SOURCE_DIR "/models", .inbox_task = "bone-density"};
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
    } known[] = {{"knee-oa", true, true},   {"muscle-us", true, true},     {"fracture", true, false}, {"muscle-injury", true, false},
                 {"knee-mri", false, false}, {"bone-density", false, false}, {"gate", false, false}};
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

int main(int argc, char **argv)
{
    const int code = clinic_worker(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_results_of_tasks_stand_beside_each_other),
                                       cmocka_unit_test(test_one_job_for_each_task), cmocka_unit_test(test_what_cannot_be_asked_for),
                                       cmocka_unit_test(test_models_tell_what_is_offered)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
