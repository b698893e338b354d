/* Plans, predictions and scores of the clinic: what a form knows, what is made of it, who stands for it, what
 * is refused. */
#include "clinic_support.h"

#include "service/demo_care_priv.h"

static json_t *parse(const char *text)
{
    json_error_t fault;
    json_t *value = json_loads(text, 0, &fault);
    if (value == NULL) {
        fail_msg("%s: %s", text, fault.text);
    }
    return value;
}

typedef struct fixture {
    test_home home;
    reha_actor physio, reviewer;
    json_t *patient, *episode;
    const char *id;
} fixture;

static void begin(fixture *f)
{
    reha_error err = REHA_ERROR_INIT;
    open_home(&f->home, false);
    f->physio = add_user(f->home.clinic, "physio", REHA_ROLE_PHYSIOTHERAPIST);
    f->reviewer = add_user(f->home.clinic, "reviewer", REHA_ROLE_REVIEWER);
    json_t *in = parse("{\"pseudonym\":\"P-1\",\"name\":\"ZZSECRET\",\"birth_year\":1950,\"sex\":\"f\"}");
    assert_ok(reha_clinic_patient_add(f->home.clinic, &f->physio, in, &f->patient, &err), &err);
    json_decref(in);
    f->id = reha_json_string(f->patient, "id", "");
    in = parse("{\"condition\":\"Knee osteoarthritis\",\"side\":\"right\",\"onset\":\"2020-01-01\","
               "\"surgery\":\"Partial meniscectomy\",\"surgery_date\":\"2019-05-01\"}");
    assert_ok(reha_clinic_episode_add(f->home.clinic, &f->physio, f->id, in, &f->episode, &err), &err);
    json_decref(in);
}

static void end(fixture *f)
{
    json_decref(f->patient);
    json_decref(f->episode);
    close_home(&f->home);
}

#define NO_ILLNESS                                                                                           \
    "\"comorbidity\":{\"heart_unstable\":false,\"low_bone_density\":false,\"vertebral_fracture\":false,"     \
    "\"diabetes\":true,\"depression\":false,\"neuropathy\":false,\"pregnant\":false,\"anticoagulants\":"     \
    "false,"                                                                                                 \
    "\"inflammatory_arthritis\":false}"
#define FACTS                                                                                                \
    "\"condition\":\"knee-oa\",\"side\":\"right\",\"person\":{\"age_years\":75,\"sex\":\"female\"},"         \
    "\"symptoms\":{\"pain_activity\":6,\"pain_rest\":2,\"swelling\":\"mild\"},\"function\":{\"falls_12_"     \
    "months\":0},"                                                                                           \
    "\"scores\":{\"koos_pain\":45}," NO_ILLNESS                                                              \
    ",\"goals\":[{\"activity\":\"walk to the shop\",\"psfs\":4}]"
#define ABSENT ",\"red_flags\":{\"others_absent\":true}"

static reha_status make(const fixture *f, const char *id, int64_t version, const char *input, json_t **out,
                        reha_error *err)
{
    char text[2000];
    (void)snprintf(text, sizeof text, "{\"input\":{%s}}", input);
    json_t *in = parse(text);
    const reha_status status =
        reha_clinic_plan_make(f->home.clinic, &f->physio, f->id, id, version, in, out, err);
    json_decref(in);
    return status;
}

static const json_t *fact_of(const json_t *form, const char *name)
{
    const json_t *facts = json_object_get(form, "facts");
    for (size_t i = 0; i < json_array_size(facts); i++) {
        if (strcmp(reha_json_string(json_array_get(facts, i), "fact", ""), name) == 0) {
            return json_array_get(facts, i);
        }
    }
    fail_msg("the form has no fact %s", name);
    return NULL;
}

static json_t *score(const fixture *f, const char *text, reha_status expected)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    json_t *in = parse(text);
    const reha_status got = reha_clinic_score_add(f->home.clinic, &f->physio, f->id, in, &out, &err);
    if (got != expected) {
        fail_msg("%s: %s: %s", text, reha_status_name(got), err.text);
    }
    json_decref(in);
    return out;
}

/* ---- The form ---- */

static void test_the_form_knows_the_record(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    fixture f;
    json_t *form = NULL;
    json_t *plan = NULL;
    begin(&f);
    json_decref(score(&f,
                      "{\"instrument\":\"koos-adl\",\"value\":52,\"date\":\"2020-02-01\",\"side\":\"right\"}",
                      REHA_OK));
    json_decref(score(&f,
                      "{\"instrument\":\"koos-pain\",\"value\":11,\"date\":\"2020-02-01\",\"side\":\"left\"}",
                      REHA_OK));
    assert_ok(reha_clinic_plan_form(f.home.clinic, &f.physio, f.id, NULL, NULL, &form, &err), &err);
    assert_string_equal(reha_json_string(form, "condition", ""), "knee-oa");
    assert_string_equal(reha_json_string(form, "side", ""), "right");
    assert_string_equal(reha_json_string(form, "surgery_date", ""), "2019-05-01");
    assert_true(json_is_null(json_object_get(form, "previous")));
    assert_true(reha_json_number(fact_of(form, "age_years"), "value", 0.0) >= 75.0);
    assert_string_equal(reha_json_string(fact_of(form, "sex"), "value", ""), "female");
    assert_string_equal(reha_json_string(fact_of(form, "procedure"), "value", ""), "partial-meniscectomy");
    assert_true(reha_json_number(fact_of(form, "weeks_of_symptoms"), "value", 0.0) > 300.0);
    /* Old scores are shown, not filled in; those of the other side not even that. */
    assert_null(json_object_get(fact_of(form, "koos_adl"), "value"));
    assert_true(reha_json_number(fact_of(form, "koos_adl"), "last", 0.0) == 52.0);
    assert_null(json_object_get(fact_of(form, "koos_pain"), "last"));
    assert_true(json_is_null(json_object_get(fact_of(form, "bmi"), "conditions")) ||
                json_array_size(json_object_get(fact_of(form, "bmi"), "conditions")) > 0);
    json_decref(form);

    assert_ok(make(&f, NULL, REHA_ANY_VERSION, FACTS ABSENT, &plan, &err), &err);
    assert_ok(reha_clinic_plan_form(f.home.clinic, &f.physio, f.id, NULL, NULL, &form, &err), &err);
    assert_string_equal(reha_json_string(json_object_get(form, "previous"), "id", ""),
                        reha_json_string(plan, "id", "-"));
    assert_true(
        json_is_true(json_object_get(fact_of(form, "diabetes"), "value"))); /* what stays so is taken over */
    assert_null(json_object_get(fact_of(form, "pain_activity"), "value"));  /* what changes is shown */
    assert_true(reha_json_number(fact_of(form, "pain_activity"), "last", 0.0) == 6.0);
    assert_null(json_object_get(fact_of(form, "rf_infection"), "value")); /* red flags are asked every time */
    assert_null(json_object_get(fact_of(form, "rf_infection"), "last"));
    assert_string_equal(reha_json_string(json_array_get(json_object_get(form, "goals"), 0), "activity", ""),
                        "walk to the shop");
    json_decref(form);
    assert_int_equal(reha_clinic_plan_form(f.home.clinic, &f.physio, "nobody", NULL, NULL, &form, &err),
                     REHA_E_NOT_FOUND);
    assert_int_equal(reha_clinic_plan_form(f.home.clinic, &f.physio, f.id, "none", NULL, &form, &err),
                     REHA_E_NOT_FOUND);
    assert_int_equal(reha_clinic_plan_form(f.home.clinic, &f.physio, f.id, NULL, "none", &form, &err),
                     REHA_E_NOT_FOUND);
    assert_null(form);
    json_decref(plan);
    end(&f);
}

/* ---- Making, editing, confirming ---- */

static json_t *current_list(const json_t *plan, const char *list, const char **phase)
{
    const json_t *content = json_object_get(plan, "content");
    const json_t *phases = json_object_get(content, "phases");
    *phase = reha_json_string(json_object_get(content, "current"), "phase", "");
    for (size_t i = 0; i < json_array_size(phases); i++) {
        if (strcmp(reha_json_string(json_array_get(phases, i), "id", ""), *phase) == 0) {
            return json_object_get(json_array_get(phases, i), list);
        }
    }
    return NULL;
}

#define NOT_REVIEWED_UTF16                                                                                   \
    "006E006F0074002000720065007600690065007700650064" /* as the title of a PDF may be written */
static bool has_text(const uint8_t *bytes, size_t count, const char *text)
{
    const size_t length = strlen(text);
    for (size_t i = 0; i + length <= count; i++) {
        if (memcmp(bytes + i, text, length) == 0) {
            return true;
        }
    }
    return false;
}

static void check_paper(const fixture *f, const char *id, int64_t version, bool is_draft)
{
    reha_error err = REHA_ERROR_INIT;
    for (int paper = REHA_PLAN_FOR_CLINICIAN; paper <= REHA_PLAN_FOR_PATIENT; paper++) {
        uint8_t *bytes = NULL;
        size_t count = 0;
        assert_ok(reha_clinic_plan_pdf(f->home.clinic, &f->reviewer, id, version, (reha_plan_paper)paper,
                                       &bytes, &count, &err),
                  &err);
        assert_true(count > 1000 && memcmp(bytes, "%PDF-", 5) == 0);
        if (paper == REHA_PLAN_FOR_CLINICIAN) { /* the title of the file says it; the pages are compressed */
            const bool says_so =
                has_text(bytes, count, "not reviewed") || has_text(bytes, count, NOT_REVIEWED_UTF16);
            assert_int_equal(says_so, is_draft);
        }
        reha_free(bytes);
    }
}

static void test_a_plan_from_first_to_last(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    fixture f;
    json_t *plan = NULL;
    json_t *next = NULL;
    const char *phase = NULL;
    begin(&f);
    assert_ok(make(&f, NULL, REHA_ANY_VERSION, FACTS ABSENT, &plan, &err), &err);
    char id[REHA_ID_BYTES];
    (void)snprintf(id, sizeof id, "%s", reha_json_string(plan, "id", ""));
    const json_t *content = json_object_get(plan, "content");
    assert_string_equal(reha_json_string(content, "status", ""), "ready");
    assert_true(json_is_false(json_object_get(content, "reviewed")));
    assert_non_null(json_object_get(content, "why"));
    assert_string_equal(reha_json_string(json_object_get(content, "input"), "schema", ""),
                        "rehascope/plan-input/1");
    check_paper(&f, id, 1, true);

    const json_t *exercises = current_list(plan, "exercises", &phase);
    json_t *in = json_pack("{s:s, s:s, s:s, s:s, s:s}", "phase", phase, "list", "exercises", "line",
                           reha_json_string(json_array_get(exercises, 0), "line", ""), "state", "removed",
                           "reason", "ZZREASON");
    assert_ok(reha_clinic_plan_edit(f.home.clinic, &f.physio, f.id, id, 1, in, &next, &err), &err);
    assert_int_equal(version_of(next), 2);
    assert_string_equal(reha_json_string(next, "reason", ""), "ZZREASON");
    const json_t *first = json_array_get(current_list(next, "exercises", &phase), 0);
    assert_string_equal(reha_json_string(json_object_get(first, "edited"), "by", ""),
                        "physio"); /* named after the account */
    json_decref(next);
    assert_int_equal(reha_clinic_plan_edit(f.home.clinic, &f.physio, f.id, id, 1, in, &next, &err),
                     REHA_E_STALE);
    json_decref(in);

    in = json_object();
    assert_int_equal(reha_clinic_plan_confirm(f.home.clinic, &f.physio, f.id, id, 1, in, &next, &err),
                     REHA_E_STALE);
    assert_ok(reha_clinic_plan_confirm(f.home.clinic, &f.reviewer, f.id, id, 2, in, &next, &err), &err);
    content = json_object_get(next, "content");
    assert_true(json_is_true(json_object_get(content, "reviewed")));
    assert_string_equal(reha_json_string(json_object_get(content, "review"), "role", ""), "reviewer");
    json_decref(next);
    check_paper(&f, id, 3, false);
    check_paper(&f, id, 2, true); /* an old version stays what it was */
    assert_int_equal(reha_clinic_plan_confirm(f.home.clinic, &f.reviewer, f.id, id, 3, in, &next, &err),
                     REHA_E_CONFLICT);
    json_decref(in);

    assert_int_equal(make(&f, id, 2, FACTS ABSENT, &next, &err), REHA_E_STALE);
    assert_ok(make(&f, id, 3, FACTS ABSENT ",\"response\":{\"pain_change_24h\":4}", &next, &err), &err);
    content = json_object_get(next, "content");
    assert_true(json_is_false(json_object_get(content, "reviewed"))); /* a new plan is confirmed anew */
    assert_null(json_object_get(content, "review"));
    assert_true(json_array_size(json_object_get(content, "changes")) > 0);
    first = json_array_get(current_list(next, "exercises", &phase), 0);
    assert_string_equal(reha_json_string(first, "state", ""), "removed"); /* the edit is kept */
    json_decref(next);

    const reha_query query = {.action = "plan.", .limit = 20};
    const reha_actor local = reha_actor_local();
    assert_ok(reha_clinic_audit(f.home.clinic, &local, &query, &next, &err), &err);
    char *events = json_dumps(next, 0);
    assert_non_null(strstr(events, "plan.make"));
    assert_non_null(strstr(events, "plan.edit"));
    assert_non_null(strstr(events, "plan.confirm"));
    assert_non_null(strstr(events, "plan.export"));
    assert_null(strstr(events, "ZZREASON")); /* ids and words of ours only */
    assert_null(strstr(events, "ZZSECRET"));
    free(events); /* allowed: jansson's */
    json_decref(next);
    json_decref(plan);
    end(&f);
}

static void test_open_safety_questions_are_not_confirmed(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    fixture f;
    json_t *plan = NULL;
    json_t *out = NULL;
    json_t *in = json_object();
    begin(&f);
    assert_ok(make(&f, NULL, REHA_ANY_VERSION, FACTS, &plan, &err), &err);
    assert_string_equal(reha_json_string(json_object_get(plan, "content"), "status", ""), "ask-first");
    assert_int_equal(reha_clinic_plan_confirm(f.home.clinic, &f.physio, f.id,
                                              reha_json_string(plan, "id", ""), 1, in, &out, &err),
                     REHA_E_REFUSED);
    json_decref(plan);
    assert_ok(make(&f, NULL, REHA_ANY_VERSION, FACTS ",\"red_flags\":{\"rf_clot\":true}", &plan, &err), &err);
    assert_string_equal(reha_json_string(json_object_get(plan, "content"), "status", ""), "doctor-today");
    json_decref(plan);
    json_decref(in);
    end(&f);
}

static void test_bad_facts(void **state)
{
    (void)state;
    static const struct {
        const char *input, *says;
        reha_status status;
    } bad[] = {
        {"", "condition", REHA_E_ARG},
        {"\"condition\":\"knee\",\"side\":\"right\"", "condition: must be one of", REHA_E_ARG},
        {"\"condition\":\"knee-oa\",\"side\":\"up\"", "side: must be one of", REHA_E_ARG},
        {"\"condition\":\"knee-oa\",\"side\":\"right\",\"symptoms\":{\"pain_rest\":11}",
         "symptoms.pain_rest: must be", REHA_E_ARG},
        {"\"condition\":\"knee-oa\",\"side\":\"right\",\"symptoms\":{\"pain_rset\":1}",
         "did you mean 'pain_rest'", REHA_E_ARG},
        {"\"condition\":\"knee-oa\",\"side\":\"right\",\"symptoms\":5", "symptoms: must be an object",
         REHA_E_ARG},
        {"\"condition\":\"knee-oa\",\"side\":\"right\",\"name\":\"Anna\"", "name", REHA_E_ARG},
        {"\"condition\":\"knee-oa\",\"side\":\"right\",\"analyses\":[]", "come from the record", REHA_E_ARG},
        {"\"condition\":\"knee-oa\",\"side\":\"right\",\"date\":\"2199-01-01\"", "in the future", REHA_E_ARG},
        {"\"condition\":\"knee-oa\",\"side\":\"right\",\"date\":\"soon\"", "date", REHA_E_ARG},
        {"\"condition\":\"knee-oa\",\"side\":\"right\",\"phase\":\"none\"", "phase", REHA_E_REFUSED},
        {"\"condition\":\"knee-oa\",\"side\":\"right\",\"function\":{\"pain_free_jogging\":true,\"pain_free_"
         "walking\":false}",
         "rule ", REHA_E_REFUSED}};
    fixture f;
    begin(&f);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        json_t *out = NULL;
        const reha_status got = make(&f, NULL, REHA_ANY_VERSION, bad[i].input, &out, &err);
        if (got == REHA_OK || !reha_status_is_input_fault(got) || strstr(err.text, bad[i].says) == NULL ||
            (got != bad[i].status && bad[i].status == REHA_E_ARG)) {
            fail_msg("{%s}: %s: %s", bad[i].input, reha_status_name(got), err.text);
        }
        if (strstr(err.text, "line ") != NULL && got == REHA_E_ARG) {
            fail_msg("a form has no lines: %s", err.text);
        }
        assert_null(out);
    }
    json_t *plans = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_clinic_plans(f.home.clinic, &f.physio, f.id, &plans, &err), &err);
    assert_int_equal(json_array_size(json_object_get(plans, "items")), 0); /* nothing half-made was kept */
    json_decref(plans);
    end(&f);
}

/* Whoever brings a plan back by hand has neither confirmed it nor changed a line in silence. */
static void test_plans_from_outside(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    fixture f;
    json_t *plan = NULL;
    json_t *out = NULL;
    const char *phase = NULL;
    begin(&f);
    assert_ok(make(&f, NULL, REHA_ANY_VERSION, FACTS ABSENT, &plan, &err), &err);
    const char *id = reha_json_string(plan, "id", "");
    json_t *content = json_object_get(plan, "content");
    json_object_set_new(content, "reviewed", json_true());
    json_object_set_new(content, "review", json_pack("{s:s}", "by", "Nobody"));
    json_t *in = json_pack("{s:O}", "content", content);
    assert_ok(reha_clinic_plan_save(f.home.clinic, &f.physio, f.id, id, 1, in, &out, &err), &err);
    assert_true(json_is_false(json_object_get(json_object_get(out, "content"), "reviewed")));
    assert_null(json_object_get(json_object_get(out, "content"), "review"));
    json_decref(out);
    json_object_set_new(json_array_get(current_list(plan, "advice", &phase), 0), "text",
                        json_string("Run a marathon."));
    assert_int_equal(reha_clinic_plan_save(f.home.clinic, &f.physio, f.id, id, 2, in, &out, &err),
                     REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "changed without a reason"));
    json_decref(in);
    in = parse(
        "{\"content\":{\"any\":1}}"); /* of another program: kept, but neither printed nor gone on from */
    assert_ok(reha_clinic_plan_save(f.home.clinic, &f.physio, f.id, NULL, REHA_ANY_VERSION, in, &out, &err),
              &err);
    assert_int_equal(make(&f, reha_json_string(out, "id", ""), 1, FACTS, &content, &err), REHA_E_CONFLICT);
    json_decref(out);
    json_decref(in);
    json_decref(plan);
    end(&f);
}

/* ---- Predictions ---- */

static json_t *example(const char *name)
{
    char path[300];
    json_t *value = NULL;
    reha_error err = REHA_ERROR_INIT;
    (void)snprintf(path, sizeof path, REHA_SOURCE_DIR "/docs/formats/examples/%s.json", name);
    assert_ok(reha_json_load(path, &value, &err), &err);
    return value;
}

static reha_status predict(const fixture *f, const char *outcome, json_t *input, json_t **out,
                           reha_error *err)
{
    json_t *in = json_pack("{s:s, s:O}", "outcome", outcome, "input", input);
    const reha_status status = reha_clinic_prediction_make(f->home.clinic, &f->physio, f->id, in, out, err);
    json_decref(in);
    return status;
}

static void test_predictions(void **state)
{
    (void)state;
    static const char *const names[] = {"knee-replacement", "hip-replacement"};
    reha_error err = REHA_ERROR_INIT;
    fixture f;
    json_t *out = NULL;
    begin(&f);
    for (size_t n = 0; n < 2; n++) {
        json_t *form = NULL;
        json_t *input = example(names[n]);
        assert_ok(reha_clinic_prediction_form(f.home.clinic, &f.physio, f.id, names[n], &form, &err), &err);
        const json_t *inputs = json_object_get(form, "inputs");
        assert_int_equal(json_array_size(inputs),
                         json_object_size(input)); /* the model's own description is whole */
        for (size_t i = 0; i < json_array_size(inputs); i++) {
            const json_t *one = json_array_get(inputs, i);
            const char *key = reha_json_string(one, "key", "");
            assert_non_null(json_object_get(input, key));
            if (strcmp(key, "sex") == 0) {
                assert_string_equal(reha_json_string(one, "value", ""), "female");
            } else if (strcmp(key, "symptom_period") == 0) {
                assert_non_null(strstr(reha_json_string(one, "from", ""), "2020-01-01"));
            }
        }
        json_decref(form);
        assert_ok(predict(&f, names[n], input, &out, &err), &err);
        assert_int_equal(strlen(reha_json_string(out, "model_hash", "")), 64);
        const json_t *content = json_object_get(out, "content");
        assert_true(reha_json_number(content, "expected", 0.0) > 0.0);
        assert_int_equal(json_array_size(json_object_get(content, "intervals")), 2);
        assert_true(json_equal(json_object_get(content, "input"), input));
        json_decref(out);

        json_object_set_new(input, "age_band", json_string("10 to 19")); /* nobody so young was learnt from */
        assert_int_equal(predict(&f, names[n], input, &out, &err), REHA_E_REFUSED);
        assert_non_null(strstr(err.text, "age_band"));
        json_object_set_new(input, "age_band", json_string("old"));
        assert_int_equal(predict(&f, names[n], input, &out, &err), REHA_E_ARG);
        json_object_set_new(input, "shoe_size", json_integer(40));
        assert_int_equal(predict(&f, names[n], input, &out, &err), REHA_E_ARG);
        assert_non_null(strstr(err.text, "shoe_size"));
        json_decref(input);
    }
    json_t *input = parse("{\"kl\":3,\"expected_grade\":2.6,\"prior_9y_risk\":null}");
    assert_ok(predict(&f, "knee-oa-progression", input, &out, &err), &err);
    assert_true(json_is_null(
        json_object_get(json_object_get(out, "content"), "risk"))); /* odds only without a prior */
    json_decref(out);
    assert_int_equal(predict(&f, "lottery", input, &out, &err), REHA_E_NOT_FOUND);
    json_decref(input);
    assert_int_equal(reha_clinic_prediction_form(f.home.clinic, &f.physio, f.id, "lottery", &out, &err),
                     REHA_E_NOT_FOUND);
    assert_int_equal(
        reha_clinic_prediction_form(f.home.clinic, &f.physio, "nobody", "knee-replacement", &out, &err),
        REHA_E_NOT_FOUND);
    assert_ok(reha_clinic_predictions(f.home.clinic, &f.physio, f.id, &out, &err), &err);
    const json_t *items = json_object_get(out, "items");
    assert_int_equal(json_array_size(items), 3); /* refusals keep nothing; newest first */
    assert_string_equal(reha_json_string(json_array_get(items, 0), "outcome", ""), "knee-oa-progression");
    json_decref(out);
    end(&f);
}

/* ---- Scores ---- */

static void test_scores_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *score;
        reha_status status;
    } bad[] = {
        {"{\"instrument\":\"koos-pain\",\"value\":101,\"date\":\"2026-01-01\"}", REHA_E_ARG},
        {"{\"instrument\":\"koos-pain\",\"value\":-1,\"date\":\"2026-01-01\"}", REHA_E_ARG},
        {"{\"instrument\":\"koos-pain\",\"date\":\"2026-01-01\"}", REHA_E_ARG},
        {"{\"instrument\":\"koos\",\"value\":50,\"date\":\"2026-01-01\"}", REHA_E_ARG},
        {"{\"instrument\":\"other\",\"value\":50,\"date\":\"2026-01-01\"}", REHA_E_ARG},
        {"{\"instrument\":\"other\",\"name\":\"koos pain\",\"value\":50,\"date\":\"2026-01-01\"}",
         REHA_E_ARG},
        {"{\"instrument\":\"other\",\"name\":\"other\",\"value\":50,\"date\":\"2026-01-01\"}", REHA_E_ARG},
        {"{\"instrument\":\"oks\",\"items\":[1,2,3],\"date\":\"2026-01-01\"}", REHA_E_ARG},
        {"{\"instrument\":\"oks\",\"items\":[4,4,4,4,4,4,4,4,4,4,4,5],\"date\":\"2026-01-01\"}", REHA_E_ARG},
        {"{\"instrument\":\"oks\",\"items\":[4,4,4,4,4,4,4,4,4,4,4,\"4\"],\"date\":\"2026-01-01\"}",
         REHA_E_ARG},
        {"{\"instrument\":\"oks\",\"items\":\"4 4\",\"date\":\"2026-01-01\"}", REHA_E_ARG},
        {"{\"instrument\":\"oks\",\"items\":[null,null,null,4,4,4,4,4,4,4,4,4],\"date\":\"2026-01-01\"}",
         REHA_E_REFUSED},
        {"{\"instrument\":\"oks\",\"items\":[4,4,4,4,4,4,4,4,4,4,4,4],\"value\":48,\"date\":\"2026-01-01\"}",
         REHA_E_ARG},
        {"{\"instrument\":\"tug\",\"items\":[9],\"date\":\"2026-01-01\"}", REHA_E_ARG}};
    fixture f;
    begin(&f);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(score(&f, bad[i].score, bad[i].status));
    }
    json_t *out = score(&f, "{\"instrument\":\"KOOS pain\",\"value\":50,\"date\":\"2026-01-01\"}", REHA_OK);
    assert_string_equal(reha_json_string(out, "instrument", ""),
                        "koos-pain"); /* a title is as good as a key */
    assert_string_equal(reha_json_string(out, "unit", ""), "points");
    json_decref(out);
    out = score(&f,
                "{\"instrument\":\"oks\",\"items\":[4,4,4,4,4,4,0,0,0,0,0,null],\"date\":\"2026-01-01\","
                "\"note\":\"by phone\"}",
                REHA_OK);
    assert_true(reha_json_number(out, "value", 0.0) >
                24.0); /* the missing one counts as the mean of the others */
    assert_string_equal(reha_json_string(out, "note", ""), "by phone");
    const json_t *answers = json_object_get(out, "items"); /* one by one, the missing one too */
    assert_int_equal(json_array_size(answers), 12);
    assert_int_equal(json_number_value(json_array_get(answers, 5)), 4);
    assert_int_equal(json_number_value(json_array_get(answers, 6)), 0);
    assert_true(json_is_null(json_array_get(answers, 11)));
    json_decref(out);
    out = score(&f,
                "{\"instrument\":\"other\",\"name\":\"Lysholm\",\"value\":80,\"unit\":\"points\",\"date\":"
                "\"2026-01-01\"}",
                REHA_OK);
    assert_string_equal(reha_json_string(out, "instrument", ""), "Lysholm");
    json_decref(out);
    end(&f);
}

static const json_t *series_of(const json_t *series, const char *instrument, const char *side)
{
    const json_t *judged = json_object_get(series, "judged");
    for (size_t i = 0; i < json_array_size(judged); i++) {
        const json_t *one = json_array_get(judged, i);
        if (strcmp(reha_json_string(one, "instrument", ""), instrument) == 0 &&
            strcmp(reha_json_string(one, "side", ""), side) == 0) {
            return one;
        }
    }
    return NULL;
}

static const char *verdict_of(const json_t *one)
{
    return reha_json_string(json_object_get(json_object_get(one, "judged"), "latest"), "verdict", "");
}

static void test_series_are_judged(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    fixture f;
    json_t *out = NULL;
    begin(&f);
    json_decref(
        score(&f, "{\"instrument\":\"koos-pain\",\"value\":40,\"date\":\"2026-01-01\",\"side\":\"right\"}",
              REHA_OK));
    json_decref(
        score(&f, "{\"instrument\":\"koos-pain\",\"value\":45,\"date\":\"2026-02-01\",\"side\":\"right\"}",
              REHA_OK));
    json_decref(score(&f, "{\"instrument\":\"dash\",\"value\":20,\"date\":\"2026-01-01\"}", REHA_OK));
    json_decref(score(&f, "{\"instrument\":\"dash\",\"value\":60,\"date\":\"2026-03-01\"}", REHA_OK));
    json_decref(score(
        &f, "{\"instrument\":\"other\",\"name\":\"Lysholm\",\"value\":80,\"date\":\"2026-01-01\"}", REHA_OK));
    assert_ok(reha_clinic_series(f.home.clinic, &f.physio, f.id, &out, &err), &err);
    assert_int_equal(json_array_size(json_object_get(out, "judged")),
                     2); /* nothing is said of what nobody knows */
    assert_string_equal(verdict_of(series_of(out, "koos-pain", "right")), "no-change");
    assert_string_equal(verdict_of(series_of(out, "dash", "")), "worsened"); /* lower is better */
    assert_true(json_array_size(json_object_get(series_of(out, "dash", ""), "words")) > 0);
    assert_true(json_array_size(json_object_get(series_of(out, "dash", ""), "sources")) > 0);
    json_decref(out);
    json_t *good =
        score(&f, "{\"instrument\":\"koos-pain\",\"value\":90,\"date\":\"2026-03-01\",\"side\":\"right\"}",
              REHA_OK);
    assert_ok(reha_clinic_series(f.home.clinic, &f.physio, f.id, &out, &err), &err);
    assert_string_equal(verdict_of(series_of(out, "koos-pain", "right")), "improved");
    json_decref(out);
    json_t *why =
        parse("{\"reason\":\"typed wrongly\"}"); /* what is withdrawn stays in the list and judges nothing */
    assert_ok(reha_clinic_score_withdraw(f.home.clinic, &f.physio, reha_json_string(good, "id", ""), why,
                                         &out, &err),
              &err);
    json_decref(out);
    assert_ok(reha_clinic_series(f.home.clinic, &f.physio, f.id, &out, &err), &err);
    assert_string_equal(verdict_of(series_of(out, "koos-pain", "right")), "no-change");
    assert_int_equal(json_array_size(json_object_get(out, "scores")), 6);
    json_decref(out);
    json_decref(why);
    json_decref(good);
    end(&f);
}

static void test_lists(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    fixture f;
    json_t *out = NULL;
    int outcomes = 0;
    begin(&f);
    assert_ok(reha_clinic_instruments(f.home.clinic, &f.physio, &out, &err), &err);
    assert_true(json_array_size(json_object_get(out, "items")) >= 41);
    json_decref(out);
    assert_ok(reha_clinic_models(f.home.clinic, &f.physio, &out, &err), &err);
    for (size_t i = 0; i < json_array_size(out); i++) {
        const json_t *one = json_array_get(out, i);
        assert_null(json_object_get(one, "fault"));  /* knee-mri is not installed: no fault */
        assert_null(json_object_get(one, "folder")); /* of the server: nobody's business */
        if (strcmp(reha_json_string(one, "kind", ""), "outcome") == 0) {
            json_t *card = NULL;
            assert_ok(reha_clinic_model_card(f.home.clinic, &f.physio, reha_json_string(one, "task", ""),
                                             &card, &err),
                      &err);
            assert_non_null(json_object_get(card, "not_for"));
            json_decref(card);
            outcomes++;
        }
    }
    assert_int_equal(outcomes, 3);
    json_decref(out);
    assert_int_equal(reha_clinic_model_card(f.home.clinic, &f.physio, "outcome-lottery", &out, &err),
                     REHA_E_NOT_FOUND);
    end(&f);
}

/* Where the models lie is told to administrators only. */
static void test_damaged_models(void **state)
{
    (void)state;
    static const reha_role roles[] = {REHA_ROLE_PHYSIOTHERAPIST, REHA_ROLE_ADMINISTRATOR};
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    char models[96];
    char card[128];
    open_home(&home, false);
    reha_clinic_close(home.clinic);
    (void)snprintf(models, sizeof models, "%s/models", home.path);
    (void)snprintf(card, sizeof card, "%s/knee-oa/1", models);
    assert_ok(reha_folder_make(card, &err), &err);
    (void)snprintf(card, sizeof card, "%s/knee-oa/1/card.json", models);
    assert_ok(reha_file_save(card, "{", 1, &err), &err);
    const reha_clinic_options options = {.home = home.path, .models_folder = models};
    assert_ok(reha_clinic_open(&options, &home.clinic, &err), &err);
    for (size_t i = 0; i < 2; i++) {
        const reha_actor actor = {.role = roles[i]};
        json_t *out = NULL;
        assert_ok(reha_clinic_models(home.clinic, &actor, &out, &err), &err);
        const char *fault = reha_json_string(json_array_get(out, 0), "fault", "");
        assert_int_equal(strstr(fault, models) != NULL, roles[i] == REHA_ROLE_ADMINISTRATOR);
        assert_true(strlen(fault) > 10);
        json_decref(out);
    }
    close_home(&home);
}

/* The demonstration's histories must go on working when rules and models change. */
static void test_the_demonstration(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    fixture f;
    int plans = 0;
    int predictions = 0;
    begin(&f);
    for (int i = 1; i <= 5; i++) {
        char name[16];
        json_t *patient = NULL;
        json_t *out = NULL;
        (void)snprintf(name, sizeof name, "DEMO-%02d", i);
        json_t *in = json_pack("{s:s}", "pseudonym", name);
        assert_ok(reha_clinic_patient_add(f.home.clinic, &f.physio, in, &patient, &err), &err);
        json_decref(in);
        const char *id = reha_json_string(patient, "id", "");
        in = parse("{\"condition\":\"Knee pain\"}");
        assert_ok(reha_clinic_episode_add(f.home.clinic, &f.physio, id, in, &out, &err), &err);
        json_decref(in);
        const reha_demo_patient who = {
            .pseudonym = name, .patient_id = id, .episode_id = reha_json_string(out, "id", "")};
        assert_ok(reha_demo_care(f.home.clinic, &f.physio, &who, &err), &err);
        json_decref(out);
        assert_ok(reha_clinic_plans(f.home.clinic, &f.physio, id, &out, &err), &err);
        plans += (int)json_array_size(json_object_get(out, "items"));
        json_decref(out);
        assert_ok(reha_clinic_predictions(f.home.clinic, &f.physio, id, &out, &err), &err);
        predictions += (int)json_array_size(json_object_get(out, "items"));
        json_decref(out);
        json_decref(patient);
    }
    assert_int_equal(plans, 4); /* one of them made twice */
    assert_int_equal(predictions, 3);
    end(&f);
}

int main(int argc, char **argv)
{
    const int code = clinic_worker(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_form_knows_the_record),
                                       cmocka_unit_test(test_a_plan_from_first_to_last),
                                       cmocka_unit_test(test_open_safety_questions_are_not_confirmed),
                                       cmocka_unit_test(test_bad_facts),
                                       cmocka_unit_test(test_plans_from_outside),
                                       cmocka_unit_test(test_predictions),
                                       cmocka_unit_test(test_scores_are_checked),
                                       cmocka_unit_test(test_series_are_judged),
                                       cmocka_unit_test(test_lists),
                                       cmocka_unit_test(test_damaged_models),
                                       cmocka_unit_test(test_the_demonstration)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
