/* The second visit: edits of a clinician are kept, dangers win over them, changes are told. */
#include "unit/rehab/plan_cases.h"

static reha_guideline *base;

static int start(void **state)
{
    (void)state;
    base = load_guidelines();
    return 0;
}

static int end(void **state)
{
    (void)state;
    reha_guideline_free(base);
    return 0;
}

static json_t *make(const json_t *input, const json_t *previous)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *plan = NULL;
    assert_ok(plan_of(base, input, previous, false, &plan, &err), &err);
    return plan;
}

static json_t *line_of(const json_t *plan, const char *list, const char *id)
{
    const json_t *lines = json_object_get(phase_of(plan, "current"), list);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        if (strcmp(reha_json_string(json_array_get(lines, i), "line", ""), id) == 0) {
            return json_array_get(lines, i);
        }
    }
    return NULL;
}

static reha_status check(const json_t *plan, reha_error *err)
{
    char *text = NULL;
    reha_source_text source = {0};
    assert_int_equal(reha_json_format(plan, &text, NULL), REHA_OK);
    reha_status status = reha_source_parse("plan.json", text, &source, err);
    if (status == REHA_OK) {
        status = reha_plan_check(&source, err);
    }
    reha_source_clear(&source);
    reha_free(text);
    return status;
}

static void edit(json_t *line, const char *key, json_t *value, const char *reason)
{
    assert_non_null(line);
    assert_int_equal(json_object_set_new(line, key, value), 0);
    if (reason != NULL) {
        assert_int_equal(
            json_object_set_new(line, "edited", json_pack("{s:s, s:s}", "reason", reason, "by", "physio 7")),
            0);
    }
}

static void test_edits_are_kept_with_their_reason(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *plan = make(input, NULL);
    json_t *bridge = line_of(plan, "exercises", "knee-oa.exercise.bridge");
    assert_int_equal(json_object_set_new(json_object_get(bridge, "dose"), "repetitions", json_integer(15)),
                     0);
    edit(bridge, "text", json_string("Bridge with a ball."), "likes it harder");
    edit(line_of(plan, "exercises", "knee-oa.exercise.heel-slide"), "state", json_string("removed"),
         "full motion already");
    json_t *added =
        json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s}}", "line", "clinician.1", "text", "Nordic walking",
                  "kind", "exercise", "state", "active", "edited", "reason", "own wish", "by", "physio 7");
    assert_int_equal(
        json_array_append_new(json_object_get((json_t *)phase_of(plan, "current"), "exercises"), added), 0);
    assert_ok(check(plan, &err), &err);
    json_t *next = make(input, plan);
    const json_t *kept = line_of(next, "exercises", "knee-oa.exercise.bridge");
    assert_string_equal(reha_json_string(kept, "text", ""), "Bridge with a ball.");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(kept, "dose"), "repetitions")), 15);
    assert_string_equal(reha_json_string(json_object_get(kept, "edited"), "reason", ""), "likes it harder");
    assert_string_equal(reha_json_string(json_object_get(kept, "generated"), "text", ""),
                        "Bridge for the buttocks.");
    assert_string_equal(
        reha_json_string(line_of(next, "exercises", "knee-oa.exercise.heel-slide"), "state", ""), "removed");
    assert_non_null(json_object_get(line_of(next, "exercises", "clinician.1"), "kept"));
    assert_ok(check(next, &err), &err);
    json_t *third = make(input, next); /* and once more */
    assert_true(
        json_equal(line_of(next, "exercises", "clinician.1"), line_of(third, "exercises", "clinician.1")));
    assert_string_equal(reha_json_string(line_of(third, "exercises", "knee-oa.exercise.bridge"), "text", ""),
                        "Bridge with a ball.");
    json_decref(third);
    json_decref(next);
    json_decref(plan);
    json_decref(input);
}

static void test_an_edit_without_reason_is_refused(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *plan = make(input, NULL);
    assert_ok(check(plan, &err), &err);
    json_t *bridge = line_of(plan, "exercises", "knee-oa.exercise.bridge");
    edit(bridge, "text", json_string("Bridge with a ball."), NULL);
    assert_int_equal(check(plan, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "'knee-oa.exercise.bridge' was changed without a reason"));
    assert_non_null(strstr(err.text, "plan.json line "));
    edit(bridge, "edited", json_object(), NULL);
    assert_int_equal(check(plan, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "needs its reason"));
    json_decref(plan);
    plan = json_pack("{s:s}", "schema", "rehascope/analysis/1");
    assert_int_equal(check(plan, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "is this a plan?"));
    json_decref(plan);
    json_decref(input);
}

static void set(json_t *input, const char *section, const char *key, double value)
{
    json_t *of = json_object_get(input, section);
    if (of == NULL) {
        of = json_object();
        assert_int_equal(json_object_set_new(input, section, of), 0);
    }
    assert_int_equal(json_object_set_new(of, key, json_real(value)), 0);
}

/* 10.2 - 1.4 is no 8.8 in binary: the plan as written must still be the plan as made, for any baseline. */
static void test_targets_survive_their_file(void **state)
{
    (void)state;
    json_t *input = input_of("knee-oa-typical-build");
    for (int i = 0; i < 120; i++) {
        reha_error err = REHA_ERROR_INIT;
        set(input, "function", "tug_s", 10.0 + 0.1 * i);
        set(input, "scores", "koos_pain", 30.0 + 0.1 * i);
        set(input, "scores", "koos_adl", 30.0 + 0.3 * i);
        json_t *plan = make(input, NULL);
        assert_non_null(line_of(plan, "goals", "knee-oa.goal.tug"));
        assert_non_null(line_of(plan, "goals", "knee-oa.goal.koos-adl"));
        assert_ok(check(plan, &err), &err);
        json_decref(plan);
    }
    json_decref(input);
}

/* On to the next phase: a goal that is still open keeps its baseline, target and date, with what a clinician
 * said of it; a reached one is set anew. And back again. */
static void test_open_goals_come_along(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *plan = make(input, NULL);
    assert_string_equal(reha_json_string(phase_of(plan, "current"), "id", ""), "calm");
    json_t *adl = line_of(plan, "goals", "knee-oa.goal.koos-adl");
    const double target = reha_json_number(adl, "target", 0.0);
    char *by = reha_strdup(reha_json_string(adl, "by", ""));
    assert_true(target > 62.0 && target < 62.5);
    edit(adl, "target", json_real(60.0), "modest hopes");
    json_t *own = json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s}}", "line", "clinician.1", "text",
                            "Sing in the choir again", "kind", "goal", "state", "open", "edited", "reason",
                            "own wish", "by", "physio 7");
    assert_int_equal(
        json_array_append_new(json_object_get((json_t *)phase_of(plan, "current"), "goals"), own), 0);
    set(input, "scores", "koos_pain", 58.0); /* beyond its target */
    set(input, "scores", "koos_adl", 57.0);
    set(input, "symptoms", "pain_activity", 4.0);
    assert_int_equal(json_object_set_new(input, "date", json_string("2026-06-12")), 0);
    json_t *next = make(input, plan);
    assert_string_equal(reha_json_string(phase_of(next, "current"), "id", ""), "build");
    const json_t *came = line_of(next, "goals", "knee-oa.goal.koos-adl");
    assert_true(reha_json_number(came, "baseline", 0.0) == 52.0);
    assert_true(reha_json_number(came, "now", 0.0) == 57.0);
    assert_true(reha_json_number(came, "target", 0.0) == 60.0);
    assert_string_equal(reha_json_string(came, "by", ""), by);
    assert_string_equal(reha_json_string(came, "state", ""), "open");
    assert_string_equal(reha_json_string(json_object_get(came, "edited"), "reason", ""), "modest hopes");
    const json_t *pain = line_of(next, "goals", "knee-oa.goal.koos-pain");
    assert_true(reha_json_number(pain, "baseline", 0.0) == 58.0);
    assert_non_null(line_of(next, "goals", "clinician.1"));
    assert_null(line_of(next, "goals", "knee-oa.goal.pain-first")); /* of the first phase only */
    assert_ok(check(next, &err), &err);
    json_t *response = json_pack("{s:i, s:b, s:i, s:i}", "pain_change_24h", 4, "swelling_more", 1,
                                 "sessions_done_percent", 90, "effort_felt", 8);
    assert_int_equal(json_object_set_new(input, "response", response), 0);
    assert_int_equal(json_object_set_new(input, "date", json_string("2026-06-26")), 0);
    json_t *back = make(input, next);
    assert_string_equal(reha_json_string(phase_of(back, "current"), "id", ""), "calm");
    came = line_of(back, "goals", "knee-oa.goal.koos-adl");
    assert_true(reha_json_number(came, "baseline", 0.0) == 52.0);
    assert_true(reha_json_number(came, "target", 0.0) == 60.0);
    pain = line_of(back, "goals", "knee-oa.goal.koos-pain");
    assert_true(reha_json_number(pain, "baseline", 0.0) == 58.0);
    reha_free(by);
    json_decref(back);
    json_decref(next);
    json_decref(plan);
    json_decref(input);
}

static bool is_told(const json_t *plan, const char *what, const char *says)
{
    const json_t *changes = json_object_get(plan, "changes");
    for (size_t i = 0; i < json_array_size(changes); i++) {
        const json_t *one = json_array_get(changes, i);
        if (strcmp(reha_json_string(one, "what", ""), what) == 0 &&
            strstr(reha_json_string(one, "text", ""), says) != NULL) {
            return true;
        }
    }
    return false;
}

/* Good sessions before a red flag are no reason for more: not while it stops the plan, nor right after. */
static void test_a_stop_raises_nothing(void **state)
{
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *first = make(input, NULL);
    json_t *response = json_pack("{s:i, s:b, s:i, s:i}", "pain_change_24h", 0, "swelling_more", 0,
                                 "sessions_done_percent", 90, "effort_felt", 4);
    assert_int_equal(json_object_set_new(input, "response", response), 0);
    assert_int_equal(json_object_set_new(input, "date", json_string("2026-06-12")), 0);
    json_t *usual = make(input, first);
    assert_true(is_told(usual, "dose-level", "from level 1 up to level 2"));
    for (int is_stated = 0; is_stated < 2; is_stated++) { /* the phase follows, or is the clinician's */
        if (is_stated == 1) {
            assert_int_equal(json_object_set_new(input, "phase", json_string("calm")), 0);
        }
        assert_int_equal(
            json_object_set_new(json_object_get(input, "red_flags"), "rf_infection", json_true()), 0);
        json_t *stopped = make(input, first);
        assert_string_equal(reha_json_string(stopped, "status", ""), "doctor-today");
        assert_false(is_told(stopped, "dose-level", ""));
        assert_false(is_told(stopped, "flag-gone", ""));
        assert_int_equal(json_object_del(json_object_get(input, "red_flags"), "rf_infection"), 0);
        json_t *after = make(input, stopped);
        assert_string_equal(reha_json_string(after, "status", ""), "ready");
        assert_true(is_told(after, "flag-gone", "Fever"));
        assert_true(is_told(after, "flag-gone", "what the doctor found"));
        assert_false(is_told(after, "dose-level", ""));
        json_t *third = make(input, after);
        assert_true(is_told(third, "dose-level", "from level 1 up to level 2"));
        assert_false(is_told(third, "flag-gone", ""));
        json_decref(third);
        json_decref(after);
        json_decref(stopped);
    }
    json_decref(usual);
    json_decref(first);
    json_decref(input);
}

static void test_danger_wins_over_an_edit(void **state)
{
    (void)state;
    json_t *input = input_of("wrist-regain");
    json_t *plan = make(input, NULL);
    edit(line_of(plan, "exercises", "wrist-fracture.exercise.grip-squeeze"), "text",
         json_string("Grip, hard."), "strong hands");
    assert_int_equal(
        json_object_set_new(json_object_get(input, "image"), "fracture_union", json_string("not-united")), 0);
    json_t *next = make(input, plan);
    assert_null(line_of(next, "exercises", "wrist-fracture.exercise.grip-squeeze"));
    const json_t *withheld = json_object_get(next, "withheld");
    bool is_told = false;
    for (size_t i = 0; i < json_array_size(withheld); i++) {
        const json_t *one = json_array_get(withheld, i);
        is_told =
            is_told || (json_object_get(one, "edited") != NULL &&
                        strcmp(reha_json_string(one, "by", ""), "wrist-fracture.block.not-united") == 0);
    }
    assert_true(is_told);
    assert_int_equal(json_object_set_new(json_object_get(input, "red_flags"), "rf_infection", json_true()),
                     0);
    json_t *stopped = make(input, plan);
    assert_string_equal(reha_json_string(stopped, "status", ""), "doctor-today");
    assert_int_equal(json_array_size(json_object_get(phase_of(stopped, "current"), "exercises")), 0);
    json_decref(stopped);
    json_decref(next);
    json_decref(plan);
    json_decref(input);
}

static void test_goals_keep_their_baseline(void **state)
{
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *plan = make(input, NULL);
    const char *id = "knee-oa.goal.koos-pain";
    const double target = reha_json_number(line_of(plan, "goals", id), "target", 0.0);
    assert_true(target > 56.2 && target < 56.4); /* 45 + 11.3 */
    assert_string_equal(reha_json_string(line_of(plan, "goals", id), "by", ""), "2026-07-24");
    assert_int_equal(json_object_set_new(json_object_get(input, "scores"), "koos_pain", json_real(50.0)), 0);
    assert_int_equal(json_object_set_new(input, "date", json_string("2026-08-01")), 0);
    json_t *next = make(input, plan);
    const json_t *goal = line_of(next, "goals", id);
    assert_true(reha_json_number(goal, "target", 0.0) < 56.4); /* not 61.3: the goal does not run away */
    assert_string_equal(reha_json_string(goal, "by", ""), "2026-07-24");
    assert_string_equal(reha_json_string(goal, "state", ""), "overdue");
    json_decref(next);
    json_decref(plan);
    json_decref(input);
}

/* "KOOS pain from 96 to at least 100" would ask for 4 points and cite a source that says 11.3. */
static void test_no_goal_beyond_the_end_of_a_scale(void **state)
{
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *first = make(input, NULL);
    json_t *scores = json_object_get(input, "scores");
    assert_int_equal(json_object_set_new(scores, "koos_pain", json_real(96.0)), 0);
    assert_int_equal(json_object_set_new(scores, "koos_adl", json_real(89.8)), 0);
    json_t *plan = make(input, NULL);
    assert_null(line_of(plan, "goals", "knee-oa.goal.koos-pain"));
    const json_t *just = line_of(plan, "goals", "knee-oa.goal.koos-adl"); /* 89.8 + 10.2 is the end itself */
    assert_true(reha_json_number(just, "target", 0.0) > 99.9);
    const json_t *notes = json_object_get(plan, "notes");
    assert_int_equal(json_array_size(notes), 1);
    assert_string_equal(json_string_value(json_array_get(notes, 0)),
                        "no goal on KOOS pain: at 96 the scale (0 to 100) has no room for a change of 11.3");
    json_t *next = make(input, first); /* an agreed goal is reached, not taken away */
    assert_string_equal(reha_json_string(line_of(next, "goals", "knee-oa.goal.koos-pain"), "state", ""),
                        "reached");
    json_decref(next);
    json_decref(plan);
    json_decref(first);
    json_decref(input);
}

static void test_same_input_same_plan(void **state)
{
    (void)state;
    json_t *input = input_of("knee-oa-many-conditions");
    json_t *one = make(input, NULL);
    json_t *other = make(input, NULL);
    assert_true(json_equal(one, other));
    assert_int_equal(json_array_size(json_object_get(one, "changes")), 0);
    json_t *again = make(input, one);
    assert_int_equal(json_array_size(json_object_get(again, "changes")), 0); /* nothing happened */
    json_decref(again);
    json_decref(other);
    json_decref(one);
    json_decref(input);
}

static void test_another_patient_or_time_is_refused(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *hip = input_of("hip-oa-typical-calm");
    json_t *plan = make(input, NULL);
    assert_int_equal(plan_of(base, hip, plan, false, &out, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "the last plan is for knee-oa"));
    assert_int_equal(json_object_set_new(input, "date", json_string("2026-04-01")), 0);
    assert_int_equal(plan_of(base, input, plan, false, &out, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "is later than this one"));
    json_decref(plan);
    json_decref(hip);
    json_decref(input);
}

static bool asks(const json_t *plan, const char *fact)
{
    const json_t *questions = json_object_get(plan, "questions");
    for (size_t i = 0; i < json_array_size(questions); i++) {
        if (strcmp(reha_json_string(json_array_get(questions, i), "fact", ""), fact) == 0) {
            return true;
        }
    }
    return false;
}

/* A man and a woman of seventy are not asked; who states it is believed. */
static void test_pregnancy_is_asked_of_whom_it_can_concern(void **state)
{
    static const struct {
        const char *sex;
        int age_years;
        bool is_asked;
    } cases[] = {{"female", 35, true}, {"other", 35, true}, {"male", 35, false}, {"female", 70, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *input = input_of("knee-oa-typical-calm");
        json_t *person = json_object_get(input, "person");
        assert_int_equal(json_object_set_new(person, "sex", json_string(cases[i].sex)), 0);
        assert_int_equal(json_object_set_new(person, "age_years", json_integer(cases[i].age_years)), 0);
        (void)json_object_del(json_object_get(input, "comorbidity"), "pregnant");
        json_t *plan = make(input, NULL);
        assert_int_equal(asks(plan, "pregnant"), cases[i].is_asked);
        json_decref(plan);
        json_decref(input);
    }
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *person = json_object_get(input, "person");
    assert_int_equal(json_object_set_new(person, "sex", json_string("male")), 0);
    assert_int_equal(json_object_set_new(person, "age_years", json_integer(35)), 0);
    assert_int_equal(json_object_set_new(json_object_get(input, "comorbidity"), "pregnant", json_true()), 0);
    json_t *plan = make(input, NULL);
    assert_true(asks(plan, "pregnancy_weeks"));
    json_decref(plan);
    json_decref(input);
}

static void test_memory_failures(void **state)
{
    reha_status status = REHA_E_NOMEM;
    (void)state;
    json_t *input = input_of("wrist-cast");
    const size_t before = reha_mem_live_blocks();
    reha_plan_input *read = reha_alloc_zero(1, sizeof *read);
    char *text = NULL;
    assert_int_equal(reha_json_format(input, &text, NULL), REHA_OK);
    for (long n = 0; status != REHA_OK; n++) {
        reha_source_text source = {0};
        json_t *plan = NULL;
        reha_mem_fail_after(n);
        status = reha_source_parse("x", text, &source, NULL);
        if (status == REHA_OK) {
            status = reha_plan_input_read(&source, &base->facts, read, NULL);
        }
        if (status == REHA_OK) {
            const reha_plan_request request = {.guideline = base, .input = read};
            status = reha_plan_make(&request, &plan, NULL);
        }
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        json_decref(plan);
        reha_source_clear(&source);
    }
    reha_free(text);
    reha_free(read);
    assert_int_equal(reha_mem_live_blocks(), before);
    json_decref(input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_edits_are_kept_with_their_reason),
                                       cmocka_unit_test(test_an_edit_without_reason_is_refused),
                                       cmocka_unit_test(test_targets_survive_their_file),
                                       cmocka_unit_test(test_open_goals_come_along),
                                       cmocka_unit_test(test_a_stop_raises_nothing),
                                       cmocka_unit_test(test_danger_wins_over_an_edit),
                                       cmocka_unit_test(test_goals_keep_their_baseline),
                                       cmocka_unit_test(test_no_goal_beyond_the_end_of_a_scale),
                                       cmocka_unit_test(test_same_input_same_plan),
                                       cmocka_unit_test(test_another_patient_or_time_is_refused),
                                       cmocka_unit_test(test_pregnancy_is_asked_of_whom_it_can_concern),
                                       cmocka_unit_test(test_memory_failures)};
    return cmocka_run_group_tests(tests, start, end);
}
