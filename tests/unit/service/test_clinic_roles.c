/* Every use case by every role, anonymous included: what the table of permissions allows works, all else is
 * refused before anything happens. */
#include "clinic_support.h"

typedef struct fixture {
    reha_clinic *clinic;
    const char *patient, *episode, *study, *image, *score, *plan;
} fixture;

typedef reha_status (*use_case)(const fixture *f, const reha_actor *actor, reha_error *err);

static reha_status with_json(json_t *in, json_t *out, reha_status status)
{
    json_decref(in);
    json_decref(out);
    return status;
}

#define READ(name, call)                                                                                     \
    static reha_status name(const fixture *f, const reha_actor *actor, reha_error *err)                      \
    {                                                                                                        \
        json_t *out = NULL;                                                                                  \
        const reha_query query = {.limit = 5};                                                               \
        (void)query;                                                                                         \
        (void)f;                                                                                             \
        const reha_status status = call;                                                                     \
        json_decref(out);                                                                                    \
        return status;                                                                                       \
    }
#define WRITE(name, input, call)                                                                             \
    static reha_status name(const fixture *f, const reha_actor *actor, reha_error *err)                      \
    {                                                                                                        \
        json_t *out = NULL;                                                                                  \
        json_t *in = input;                                                                                  \
        (void)out;                                                                                           \
        const reha_status status = call;                                                                     \
        return with_json(in, out, status);                                                                   \
    }
#define BYTES(name, call)                                                                                    \
    static reha_status name(const fixture *f, const reha_actor *actor, reha_error *err)                      \
    {                                                                                                        \
        uint8_t *bytes = NULL;                                                                               \
        size_t count = 0;                                                                                    \
        const reha_view view = {.side_max_px = 16};                                                          \
        (void)view;                                                                                          \
        const reha_status status = call;                                                                     \
        reha_free(bytes);                                                                                    \
        return status;                                                                                       \
    }

READ(do_studies, reha_clinic_studies(f->clinic, actor, &query, &out, err))
READ(do_counts, reha_clinic_study_counts(f->clinic, actor, &out, err))
READ(do_study, reha_clinic_study(f->clinic, actor, f->study, &out, err))
READ(do_patients, reha_clinic_patients(f->clinic, actor, &query, &out, err))
READ(do_patient, reha_clinic_patient(f->clinic, actor, f->patient, &out, err))
READ(do_series, reha_clinic_series(f->clinic, actor, f->patient, &out, err))
READ(do_plans, reha_clinic_plans(f->clinic, actor, f->patient, &out, err))
READ(do_plan, reha_clinic_plan(f->clinic, actor, f->plan, REHA_ANY_VERSION, &out, err))
READ(do_predictions, reha_clinic_predictions(f->clinic, actor, f->patient, &out, err))
READ(do_models, reha_clinic_models(f->clinic, actor, &out, err))
READ(do_card, reha_clinic_model_card(f->clinic, actor, "knee-oa", &out, err))
READ(do_events, reha_clinic_events(f->clinic, actor, 0, 0, &out, err))
READ(do_settings, reha_clinic_settings(f->clinic, actor, &out, err))
READ(do_users, reha_clinic_users(f->clinic, actor, &out, err))
READ(do_audit, reha_clinic_audit(f->clinic, actor, &query, &out, err))
READ(do_verify, reha_clinic_audit_verify(f->clinic, actor, false, &out, err))
READ(do_result, reha_clinic_result(f->clinic, actor, "none", &out, err))
READ(do_compare,
     reha_clinic_compare(f->clinic, actor, "none", f->image, &(reha_clinic_comparing){0}, &out, err))
READ(do_job, reha_clinic_job(f->clinic, actor, "none", &out, err))
BYTES(do_view, reha_clinic_image_view(f->clinic, actor, f->image, &view, &bytes, &count, NULL, err))
BYTES(do_picture, reha_clinic_result_picture(f->clinic, actor, "none", "overlay", &bytes, &count, err))
BYTES(do_frames, reha_clinic_result_frames(f->clinic, actor, "none", &bytes, &count, err))
BYTES(do_report, reha_clinic_report(f->clinic, actor, f->study, REHA_REPORT_JSON, &bytes, &count, err))
BYTES(do_audit_export, reha_clinic_audit_export(f->clinic, actor, &bytes, &count, err))
static reha_status do_thumbnail(const fixture *f, const reha_actor *actor, reha_error *err)
{
    const reha_view view = {.side_max_px = 16};
    uint8_t *png = NULL;
    uint8_t *values = NULL;
    size_t count = 0;
    size_t value_count = 0;
    const reha_status status = reha_clinic_image_thumbnail(f->clinic, actor, f->image, &view, &png, &count,
                                                           &values, &value_count, err);
    assert_null(values); /* a picture that is small as it is */
    reha_free(png);
    return status;
}
WRITE(do_patient_add, json_object(), reha_clinic_patient_add(f->clinic, actor, in, &out, err))
WRITE(do_patient_change, json_pack("{s:s}", "note", "x"),
      reha_clinic_patient_change(f->clinic, actor, f->patient, REHA_ANY_VERSION, in, &out, err))
WRITE(do_episode_add, json_pack("{s:s}", "condition", "knee pain"),
      reha_clinic_episode_add(f->clinic, actor, f->patient, in, &out, err))
WRITE(do_episode_change, json_pack("{s:s}", "goals", "stairs"),
      reha_clinic_episode_change(f->clinic, actor, f->episode, REHA_ANY_VERSION, in, &out, err))
WRITE(do_assign, json_pack("{s:s}", "patient_id", f->patient),
      reha_clinic_study_assign(f->clinic, actor, f->study, REHA_ANY_VERSION, in, &out, err))
WRITE(do_score_add,
      json_pack("{s:s, s:f, s:s}", "instrument", "nrs-pain", "value", 3.0, "date", "2026-01-31"),
      reha_clinic_score_add(f->clinic, actor, f->patient, in, &out, err))
WRITE(do_score_withdraw, json_pack("{s:s}", "reason", "typed wrongly"),
      reha_clinic_score_withdraw(f->clinic, actor, "none", in, &out, err))
WRITE(do_plan_save, json_pack("{s:{}}", "content"),
      reha_clinic_plan_save(f->clinic, actor, f->patient, NULL, REHA_ANY_VERSION, in, &out, err))
WRITE(do_prediction_add, json_pack("{s:s, s:{}}", "outcome", "oks", "content"),
      reha_clinic_prediction_add(f->clinic, actor, f->patient, in, &out, err))
READ(do_instruments, reha_clinic_instruments(f->clinic, actor, &out, err))
READ(do_plan_form, reha_clinic_plan_form(f->clinic, actor, f->patient, NULL, NULL, &out, err))
READ(do_prediction_form,
     reha_clinic_prediction_form(f->clinic, actor, f->patient, "knee-oa-progression", &out, err))
BYTES(do_plan_pdf, reha_clinic_plan_pdf(f->clinic, actor, f->plan, REHA_ANY_VERSION, REHA_PLAN_FOR_PATIENT,
                                        &bytes, &count, err))
WRITE(do_plan_make, json_pack("{s:{s:s, s:s}}", "input", "condition", "low-back-pain", "side", "none"),
      reha_clinic_plan_make(f->clinic, actor, f->patient, NULL, REHA_ANY_VERSION, in, &out, err))
WRITE(do_plan_edit, json_object(),
      reha_clinic_plan_edit(f->clinic, actor, f->patient, f->plan, REHA_ANY_VERSION, in, &out, err))
WRITE(do_plan_confirm, json_object(),
      reha_clinic_plan_confirm(f->clinic, actor, f->patient, f->plan, REHA_ANY_VERSION, in, &out, err))
WRITE(do_prediction_make, json_pack("{s:s, s:{}}", "outcome", "knee-oa-progression", "input"),
      reha_clinic_prediction_make(f->clinic, actor, f->patient, in, &out, err))
WRITE(do_review, json_pack("{s:i, s:s, s:s}", "region", 0, "finding", "oa", "decision", "accept"),
      reha_clinic_review(f->clinic, actor, "none", REHA_ANY_VERSION, in, &out, err))
WRITE(do_set_aside, json_pack("{s:s}", "reason", "asked by mistake"),
      reha_clinic_set_aside(f->clinic, actor, "none", REHA_ANY_VERSION, in, &out, err))
WRITE(do_sign, json_object(), reha_clinic_sign(f->clinic, actor, "none", REHA_ANY_VERSION, in, &out, err))
WRITE(do_reopen, json_pack("{s:s}", "reason", "x"),
      reha_clinic_reopen(f->clinic, actor, "none", REHA_ANY_VERSION, in, &out, err))
WRITE(do_analyse, json_object(), reha_clinic_analyse(f->clinic, actor, "none", in, NULL, &out, err))
WRITE(do_user_change, json_pack("{s:s}", "display_name", "X"),
      reha_clinic_user_change(f->clinic, actor, "none", REHA_ANY_VERSION, in, &out, err))
WRITE(do_user_add, json_pack("{s:s, s:s, s:s}", "name", "x", "password", password, "role", "reviewer"),
      reha_clinic_user_add(f->clinic, actor, in, &out,
                           err)) /* a name too short: refused after the role was checked */
WRITE(do_token_add, json_pack("{s:s, s:s}", "name", "ward", "role", "reviewer"),
      reha_clinic_token_add(f->clinic, actor, in, (char[REHA_ACCESS_TOKEN_BYTES]){""}, &out, err))
READ(do_tokens, reha_clinic_tokens(f->clinic, actor, &out, err))
READ(do_token_revoke, reha_clinic_token_revoke(f->clinic, actor, "none", &out, err))
READ(do_patient_find, reha_clinic_patient_find(f->clinic, actor, "none",
                                               REHA_PATIENT_BY_PSEUDONYM | REHA_PATIENT_BY_NUMBER, &out, err))
READ(do_study_times, reha_clinic_study_times(f->clinic, actor, &out, err))
READ(do_study_uid, reha_clinic_study_uid(f->clinic, actor, f->study, &out, err))
READ(do_study_find, reha_clinic_study_find(f->clinic, actor, "1.2.3", &out, err))
READ(do_score, reha_clinic_score(f->clinic, actor, "none", &out, err))
READ(do_outbox, reha_clinic_outbox(f->clinic, actor, NULL, &out, err))
READ(do_outbox_again, reha_clinic_outbox_again(f->clinic, actor, "none", &(int64_t){0}, err))
READ(do_outbox_give_up, reha_clinic_outbox_give_up(f->clinic, actor, "none", err))
WRITE(do_settings_save, json_object(), reha_clinic_settings_save(f->clinic, actor, 99, in, &out, err))
WRITE(do_backup, json_object(), reha_clinic_backup(f->clinic, actor, "/tmp", &out, err))

static reha_status do_upload(const fixture *f, const reha_actor *actor, reha_error *err)
{
    json_t *out = NULL;
    const reha_upload_options options = {.file_name = "x"};
    const reha_status status = upload_bytes(f->clinic, actor, &options, "text", 4, &out, err);
    json_decref(out);
    return status;
}

static const struct {
    const char *name;
    use_case run;
    reha_permission permission;
    reha_status allowed; /* how it ends for those who may: some targets do not exist */
} cases[] = {
    {"studies", do_studies, REHA_MAY_READ, REHA_OK},
    {"counts", do_counts, REHA_MAY_READ, REHA_OK},
    {"study", do_study, REHA_MAY_READ, REHA_OK},
    {"patients", do_patients, REHA_MAY_READ, REHA_OK},
    {"patient", do_patient, REHA_MAY_READ, REHA_OK},
    {"series", do_series, REHA_MAY_READ, REHA_OK},
    {"plans", do_plans, REHA_MAY_READ, REHA_OK},
    {"plan", do_plan, REHA_MAY_READ, REHA_OK},
    {"predictions", do_predictions, REHA_MAY_READ, REHA_OK},
    {"models", do_models, REHA_MAY_READ, REHA_OK},
    {"card", do_card, REHA_MAY_READ, REHA_OK},
    {"events", do_events, REHA_MAY_READ, REHA_OK},
    {"settings", do_settings, REHA_MAY_READ, REHA_OK},
    {"result", do_result, REHA_MAY_READ, REHA_E_NOT_FOUND},
    {"job", do_job, REHA_MAY_READ, REHA_E_NOT_FOUND},
    {"view", do_view, REHA_MAY_READ, REHA_OK},
    {"thumbnail", do_thumbnail, REHA_MAY_READ, REHA_OK},
    {"picture", do_picture, REHA_MAY_READ, REHA_E_NOT_FOUND},
    {"compare", do_compare, REHA_MAY_READ, REHA_E_NOT_FOUND},
    {"frames", do_frames, REHA_MAY_READ, REHA_E_NOT_FOUND},
    {"report", do_report, REHA_MAY_EXPORT, REHA_OK},
    {"upload", do_upload, REHA_MAY_UPLOAD, REHA_E_FORMAT},
    {"analyse", do_analyse, REHA_MAY_UPLOAD, REHA_E_NOT_FOUND},
    {"patient-add", do_patient_add, REHA_MAY_PATIENTS, REHA_OK},
    {"patient-change", do_patient_change, REHA_MAY_PATIENTS, REHA_OK},
    {"episode-add", do_episode_add, REHA_MAY_PATIENTS, REHA_OK},
    {"episode-change", do_episode_change, REHA_MAY_PATIENTS, REHA_OK},
    {"assign", do_assign, REHA_MAY_PATIENTS, REHA_OK},
    {"score-add", do_score_add, REHA_MAY_CARE, REHA_OK},
    {"score-withdraw", do_score_withdraw, REHA_MAY_CARE, REHA_E_NOT_FOUND},
    {"plan-save", do_plan_save, REHA_MAY_CARE, REHA_OK},
    {"prediction-add", do_prediction_add, REHA_MAY_CARE, REHA_OK},
    {"instruments", do_instruments, REHA_MAY_READ, REHA_OK},
    {"plan-form", do_plan_form, REHA_MAY_CARE, REHA_OK},
    {"plan-make", do_plan_make, REHA_MAY_CARE, REHA_OK},
    {"plan-edit", do_plan_edit, REHA_MAY_CARE, REHA_E_CONFLICT}, /* of another program: only to be read */
    {"plan-confirm", do_plan_confirm, REHA_MAY_SIGN, REHA_E_CONFLICT},
    {"plan-pdf", do_plan_pdf, REHA_MAY_EXPORT, REHA_E_UNSUPPORTED},
    {"prediction-form", do_prediction_form, REHA_MAY_CARE, REHA_OK},
    {"prediction-make", do_prediction_make, REHA_MAY_CARE, REHA_E_ARG},
    {"review", do_review, REHA_MAY_REVIEW, REHA_E_NOT_FOUND},
    {"set-aside", do_set_aside, REHA_MAY_REVIEW, REHA_E_NOT_FOUND},
    {"sign", do_sign, REHA_MAY_SIGN, REHA_E_NOT_FOUND},
    {"reopen", do_reopen, REHA_MAY_SIGN, REHA_E_NOT_FOUND},
    {"users", do_users, REHA_MAY_USERS, REHA_OK},
    {"user-add", do_user_add, REHA_MAY_USERS, REHA_E_ARG},
    {"user-change", do_user_change, REHA_MAY_USERS, REHA_E_NOT_FOUND},
    {"token-add", do_token_add, REHA_MAY_USERS, REHA_E_ARG}, /* no token of a role that decides */
    {"tokens", do_tokens, REHA_MAY_USERS, REHA_OK},
    {"token-revoke", do_token_revoke, REHA_MAY_USERS, REHA_E_NOT_FOUND},
    {"patient-find", do_patient_find, REHA_MAY_READ, REHA_OK},
    {"study-times", do_study_times, REHA_MAY_READ, REHA_OK},
    {"study-uid", do_study_uid, REHA_MAY_IDENTITY, REHA_OK},
    {"study-find", do_study_find, REHA_MAY_IDENTITY, REHA_E_NOT_FOUND},
    {"score", do_score, REHA_MAY_READ, REHA_E_NOT_FOUND},
    {"audit", do_audit, REHA_MAY_AUDIT, REHA_OK},
    {"verify", do_verify, REHA_MAY_AUDIT, REHA_OK},
    {"audit-export", do_audit_export, REHA_MAY_AUDIT, REHA_OK},
    {"settings-save", do_settings_save, REHA_MAY_ADMINISTER, REHA_E_STALE},
    {"outbox", do_outbox, REHA_MAY_ADMINISTER, REHA_OK},
    {"outbox-again", do_outbox_again, REHA_MAY_ADMINISTER, REHA_E_NOT_FOUND},
    {"outbox-give-up", do_outbox_give_up, REHA_MAY_ADMINISTER, REHA_E_NOT_FOUND},
    {"backup", do_backup, REHA_MAY_ADMINISTER, REHA_E_CONFLICT}};

static char ids[6][REHA_ID_BYTES];

static void fill(fixture *f)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    const reha_actor clinician = {.user_id = "u", .role = REHA_ROLE_PHYSIOTHERAPIST};
    json_t *in = json_pack("{s:s}", "name", "Person Secret");
    assert_ok(reha_clinic_patient_add(f->clinic, &clinician, in, &out, &err), &err);
    (void)snprintf(ids[0], REHA_ID_BYTES, "%s", reha_json_string(out, "id", ""));
    json_decref(in);
    json_decref(out);
    in = json_pack("{s:s}", "condition", "knee");
    assert_ok(reha_clinic_episode_add(f->clinic, &clinician, ids[0], in, &out, &err), &err);
    (void)snprintf(ids[1], REHA_ID_BYTES, "%s", reha_json_string(out, "id", ""));
    json_decref(in);
    json_decref(out);
    knee_png(9, &png, &png_bytes);
    const reha_upload_options options = {.file_name = "a.png", .patient_id = ids[0]};
    assert_ok(upload_bytes(f->clinic, &clinician, &options, png, png_bytes, &out, &err), &err);
    (void)snprintf(ids[2], REHA_ID_BYTES, "%s", item_text(out, 0, "study_id"));
    (void)snprintf(ids[3], REHA_ID_BYTES, "%s", item_text(out, 0, "image_id"));
    json_decref(out);
    in = json_pack("{s:{}}", "content");
    assert_ok(reha_clinic_plan_save(f->clinic, &clinician, ids[0], NULL, REHA_ANY_VERSION, in, &out, &err),
              &err);
    (void)snprintf(ids[4], REHA_ID_BYTES, "%s", reha_json_string(out, "id", ""));
    json_decref(in);
    json_decref(out);
    reha_free(png);
    f->patient = ids[0];
    f->episode = ids[1];
    f->study = ids[2];
    f->image = ids[3];
    f->plan = ids[4];
}

static void test_matrix(void **state)
{
    (void)state;
    test_home home;
    fixture f = {0};
    open_home(&home, false);
    f.clinic = home.clinic;
    fill(&f);
    for (int role = REHA_ROLE_NONE; role < REHA_ROLE_COUNT; role++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            reha_error err = REHA_ERROR_INIT;
            const reha_actor actor = {
                .user_id = "u", .role = (reha_role)role, .session_id = {(char)('a' + role)}};
            const bool may = reha_role_may((reha_role)role, cases[i].permission);
            const reha_status expected = may                      ? cases[i].allowed
                                         : role == REHA_ROLE_NONE ? REHA_E_SIGNED_OUT
                                                                  : REHA_E_DENIED;
            const reha_status got = cases[i].run(&f, &actor, &err);
            if (got != expected) {
                fail_msg("%s by %s: %s instead of %s: %s", cases[i].name, reha_role_name((reha_role)role),
                         reha_status_name(got), reha_status_name(expected), err.text);
            }
        }
    }
    close_home(&home);
}

static void test_the_table_itself(void **state)
{
    (void)state;
    /* What must never slip into the table. */
    for (int role = REHA_ROLE_NONE; role < REHA_ROLE_COUNT; role++) {
        const bool signs = role == REHA_ROLE_PHYSIOTHERAPIST || role == REHA_ROLE_REVIEWER;
        assert_int_equal(reha_role_may((reha_role)role, REHA_MAY_SIGN), signs);
        assert_int_equal(reha_role_may((reha_role)role, REHA_MAY_REVIEW), signs);
        const bool rules = role == REHA_ROLE_ADMINISTRATOR || role == REHA_ROLE_LOCAL;
        assert_int_equal(reha_role_may((reha_role)role, REHA_MAY_USERS), rules);
        assert_int_equal(reha_role_may((reha_role)role, REHA_MAY_AUDIT), rules);
        assert_false(reha_role_may(REHA_ROLE_NONE, (reha_permission)role));
    }
    assert_false(reha_role_may(REHA_ROLE_RESEARCHER, REHA_MAY_IDENTITY));
    assert_false(reha_role_may((reha_role)99, REHA_MAY_READ));
    assert_false(reha_role_may(REHA_ROLE_REVIEWER, (reha_permission)99));
    assert_int_equal(reha_role_find("local"), REHA_ROLE_NONE);
    assert_int_equal(reha_role_find("none"), REHA_ROLE_NONE);
    assert_int_equal(reha_role_find("reviewer"), REHA_ROLE_REVIEWER);
}

static bool mentions(const json_t *value, const char *text)
{
    char *dump = json_dumps(value, 0);
    const bool found = strstr(dump, text) != NULL;
    free(dump); /* allowed: jansson's */
    return found;
}

static void test_researchers_see_no_names(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    fixture f = {0};
    open_home(&home, false);
    f.clinic = home.clinic;
    fill(&f);
    for (int pass = 0; pass < 2; pass++) {
        const reha_actor actor = {.user_id = "u",
                                  .role = pass == 0 ? REHA_ROLE_REVIEWER : REHA_ROLE_RESEARCHER};
        const bool sees = pass == 0;
        json_t *out = NULL;
        const reha_query query = {.limit = 5};
        assert_ok(reha_clinic_patients(f.clinic, &actor, &query, &out, &err), &err);
        assert_int_equal(mentions(out, "Secret"), sees);
        json_decref(out);
        assert_ok(reha_clinic_study(f.clinic, &actor, f.study, &out, &err), &err);
        assert_int_equal(mentions(out, "Secret"), sees);
        json_decref(out);
        const reha_query search = {.text = "person secret"};
        assert_ok(reha_clinic_studies(f.clinic, &actor, &search, &out, &err), &err);
        assert_int_equal((int)reha_json_number(out, "total", -1.0), sees ? 1 : 0); /* not even by searching */
        json_decref(out);
        uint8_t *bytes = NULL;
        size_t count = 0;
        assert_ok(reha_clinic_report(f.clinic, &actor, f.study, REHA_REPORT_HTML, &bytes, &count, &err),
                  &err);
        assert_int_equal(strstr((char *)bytes, "Secret") != NULL, sees);
        reha_free(bytes);
        assert_int_equal(reha_clinic_image_dicom(f.clinic, &actor, f.image, &bytes, &count, &err),
                         sees ? REHA_OK : REHA_E_DENIED);
        reha_free(bytes);
        reha_export files;
        assert_int_equal(reha_clinic_export(f.clinic, &actor, f.study, &files, &err),
                         sees ? REHA_E_CONFLICT : REHA_E_DENIED); /* it waits for its analysis */
        assert_int_equal(files.count, 0);
    }
    close_home(&home);
}

int main(int argc, char **argv)
{
    const int code = clinic_worker(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_matrix), cmocka_unit_test(test_the_table_itself),
                                       cmocka_unit_test(test_researchers_see_no_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
