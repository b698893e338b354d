/* A clinician's changes of single lines: what may change, what must have a reason, what safety forbids, and
 * that the result is a plan which the next one can go on from. */
#include "unit/rehab/plan_cases.h"

#include "rehab/plan_edit.h"

#include <math.h>

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
    assert_int_equal(json_object_set(plan, "input", (json_t *)(uintptr_t)input), 0);
    return plan;
}

static const char *phase_id(const json_t *plan)
{
    return reha_json_string(json_object_get(plan, "current"), "phase", "");
}

static json_t *list_of(const json_t *plan, const char *list)
{
    const json_t *phases = json_object_get(plan, "phases");
    for (size_t i = 0; i < json_array_size(phases); i++) {
        if (strcmp(reha_json_string(json_array_get(phases, i), "id", ""), phase_id(plan)) == 0) {
            return json_object_get(json_array_get(phases, i), list);
        }
    }
    return NULL;
}

static json_t *line_of(const json_t *plan, const char *list, const char *id)
{
    const json_t *lines = list_of(plan, list);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        if (strcmp(reha_json_string(json_array_get(lines, i), "line", ""), id) == 0) {
            return json_array_get(lines, i);
        }
    }
    return NULL;
}

/* One edit of the current phase, as text without "phase". */
static reha_status edit(json_t *plan, const char *text, reha_error *err)
{
    json_error_t fault;
    json_t *one = json_loads(text, 0, &fault);
    if (one == NULL) {
        fail_msg("%s: %s", text, fault.text);
    }
    if (json_object_get(one, "phase") == NULL) {
        assert_int_equal(json_object_set_new(one, "phase", json_string(phase_id(plan))), 0);
    }
    const reha_status status = reha_plan_edit(base, plan, one, "Petra", "2026-05-02", err);
    json_decref(one);
    return status;
}

static void check_whole(const json_t *plan)
{
    char *text = NULL;
    reha_error err = REHA_ERROR_INIT;
    reha_source_text source = {0};
    assert_int_equal(reha_json_format(plan, &text, NULL), REHA_OK);
    assert_ok(reha_source_parse("plan.json", text, &source, &err), &err);
    assert_ok(reha_plan_check(&source, &err), &err);
    reha_source_clear(&source);
    reha_free(text);
}

#define BRIDGE "knee-oa.exercise.bridge"

static void test_a_dose_and_a_text(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *plan = make(input, NULL);
    json_object_set_new(plan, "reviewed", json_true());
    json_object_set_new(plan, "review", json_object());
    assert_ok(
        edit(plan,
             "{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"text\":\"Bridge with a ball.\","
             "\"dose\":{\"sets\":3,\"repetitions\":12,\"days_per_week\":2},\"reason\":\"likes it harder\"}",
             &err),
        &err);
    const json_t *bridge = line_of(plan, "exercises", BRIDGE);
    const json_t *dose = json_object_get(bridge, "dose");
    assert_string_equal(reha_json_string(dose, "text", ""), "3 x, 12 repetitions, 2 days a week");
    assert_null(json_object_get(dose, "effort_0_10")); /* the whole dose was stated */
    assert_non_null(json_object_get(dose, "progression"));
    assert_string_equal(reha_json_string(json_object_get(bridge, "generated"), "text", ""),
                        "Bridge for the buttocks.");
    assert_non_null(
        json_object_get(json_object_get(json_object_get(bridge, "generated"), "dose"), "effort_0_10"));
    assert_string_equal(reha_json_string(json_object_get(bridge, "edited"), "by", ""), "Petra");
    assert_true(json_is_false(json_object_get(plan, "reviewed"))); /* nobody has confirmed this version */
    assert_null(json_object_get(plan, "review"));
    check_whole(plan);

    json_t *next = make(input, plan); /* and it survives the next plan, twice */
    json_t *third = make(input, next);
    const json_t *kept = line_of(third, "exercises", BRIDGE);
    assert_string_equal(reha_json_string(kept, "text", ""), "Bridge with a ball.");
    assert_string_equal(reha_json_string(json_object_get(kept, "dose"), "text", ""),
                        "3 x, 12 repetitions, 2 days a week");

    assert_ok(edit(third,
                   "{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"restore\":true,\"reason\":\"enough\"}",
                   &err),
              &err);
    kept = line_of(third, "exercises", BRIDGE);
    assert_string_equal(reha_json_string(kept, "text", ""), "Bridge for the buttocks.");
    assert_null(json_object_get(kept, "edited"));
    check_whole(third);
    json_decref(third);
    json_decref(next);
    json_decref(plan);
    json_decref(input);
}

static void test_a_second_edit_remembers_the_rules(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *plan = make(input, NULL);
    assert_ok(edit(plan,
                   "{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"text\":\"One.\",\"reason\":\"a\"}",
                   &err),
              &err);
    assert_ok(edit(plan,
                   "{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"text\":\"Two.\",\"reason\":\"b\"}",
                   &err),
              &err);
    const json_t *bridge = line_of(plan, "exercises", BRIDGE);
    assert_string_equal(reha_json_string(json_object_get(bridge, "generated"), "text", ""),
                        "Bridge for the buttocks.");
    assert_string_equal(reha_json_string(json_object_get(bridge, "edited"), "reason", ""), "b");
    json_decref(plan);
    json_decref(input);
}

static void test_left_out_and_back(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *plan = make(input, NULL);
    assert_ok(edit(plan,
                   "{\"list\":\"exercises\",\"line\":\"" BRIDGE
                   "\",\"state\":\"removed\",\"reason\":\"back pain\"}",
                   &err),
              &err);
    json_t *next = make(input, plan);
    assert_string_equal(reha_json_string(line_of(next, "exercises", BRIDGE), "state", ""), "removed");
    assert_ok(edit(next,
                   "{\"list\":\"exercises\",\"line\":\"" BRIDGE
                   "\",\"state\":\"active\",\"reason\":\"gone\"}",
                   &err),
              &err);
    assert_string_equal(reha_json_string(line_of(next, "exercises", BRIDGE), "state", ""), "active");
    check_whole(next);
    json_decref(next);
    json_decref(plan);
    json_decref(input);
}

static void test_a_goal_keeps_its_words_true(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    char text[300];
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *plan = make(input, NULL);
    const json_t *goal = json_array_get(list_of(plan, "goals"), 0);
    const char *id = reha_json_string(goal, "line", "");
    const bool at_most = strcmp(reha_json_string(goal, "direction", ""), "at-most") == 0;
    const double target = reha_json_number(goal, "target", 0.0) + (at_most ? 1.0 : -1.0);
    (void)snprintf(
        text, sizeof text,
        "{\"list\":\"goals\",\"line\":\"%s\",\"target\":%g,\"by\":\"2026-12-24\",\"reason\":\"slow\"}", id,
        target);
    assert_ok(edit(plan, text, &err), &err);
    goal = line_of(plan, "goals", id);
    assert_non_null(strstr(reha_json_string(goal, "text", ""), "by 2026-12-24"));
    assert_string_equal(reha_json_string(goal, "by", ""), "2026-12-24");
    json_t *next = make(input, plan);
    goal = line_of(next, "goals", id);
    assert_true(fabs(reha_json_number(goal, "target", 0.0) - target) < 1e-9);
    assert_string_equal(reha_json_string(goal, "by", ""), "2026-12-24");
    assert_string_equal(reha_json_string(goal, "state", ""), "open");
    json_decref(next);
    json_decref(plan);
    json_decref(input);
}

/* Today's numbers decide whether an edited goal is reached; one that was left out stays out and holds nothing
 * up. */
static void test_edited_goals_are_judged_again(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    char text[300];
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *plan = make(input, NULL);
    json_t *goals = json_deep_copy(list_of(plan, "goals"));
    const char *kept = NULL;
    for (size_t i = 0; i < json_array_size(goals); i++) {
        const char *id = reha_json_string(json_array_get(goals, i), "line", "");
        const bool is_pain =
            strcmp(reha_json_string(json_array_get(goals, i), "measure", ""), "pain_activity") == 0;
        kept = is_pain ? id : kept;
        (void)snprintf(text, sizeof text,
                       is_pain
                           ? "{\"list\":\"goals\",\"line\":\"%s\",\"by\":\"2026-12-01\",\"reason\":\"r\"}"
                           : "{\"list\":\"goals\",\"line\":\"%s\",\"state\":\"removed\",\"reason\":\"r\"}",
                       id);
        assert_ok(edit(plan, text, &err), &err);
    }
    assert_non_null(kept);
    json_object_set_new(json_object_get(input, "symptoms"), "pain_activity", json_integer(1));
    json_t *next = make(input, plan);
    assert_string_not_equal(phase_id(next), phase_id(plan)); /* the one goal that counts is reached: on */
    bool is_told = false;
    for (size_t i = 0; i < json_array_size(json_object_get(next, "changes")); i++) {
        const json_t *one = json_array_get(json_object_get(next, "changes"), i);
        is_told = is_told || strcmp(reha_json_string(one, "what", ""), "goal-reached") == 0;
    }
    assert_true(is_told);
    json_decref(goals);
    json_decref(next);
    json_decref(plan);
    json_decref(input);
}

static void test_new_lines(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *plan = make(input, NULL);
    const size_t before = json_array_size(list_of(plan, "exercises"));
    assert_ok(edit(plan,
                   "{\"list\":\"exercises\",\"exercise\":\"step-up\",\"dose\":{\"sets\":2,\"repetitions\":8},"
                   "\"reason\":\"stairs\"}",
                   &err),
              &err);
    assert_ok(
        edit(plan, "{\"list\":\"exercises\",\"text\":\"Nordic walking\",\"reason\":\"own wish\"}", &err),
        &err);
    assert_ok(edit(plan, "{\"list\":\"advice\",\"text\":\"Call on Monday\",\"reason\":\"worried\"}", &err),
              &err);
    assert_ok(edit(plan,
                   "{\"list\":\"goals\",\"measure\":\"tug_s\",\"direction\":\"at-most\",\"target\":9,\"by\":"
                   "\"2026-09-01\",\"reason\":\"wish\"}",
                   &err),
              &err);
    assert_ok(edit(plan, "{\"list\":\"goals\",\"text\":\"Dance at the wedding\",\"reason\":\"wish\"}", &err),
              &err);
    const json_t *own = json_array_get(list_of(plan, "exercises"), before);
    assert_string_equal(reha_json_string(own, "line", ""), "clinician.1");
    assert_string_equal(reha_json_string(own, "figure", ""), "step-up");
    assert_string_equal(reha_json_string(json_object_get(own, "dose"), "text", ""), "2 x, 8 repetitions");
    const json_t *goal = line_of(plan, "goals", "clinician.4");
    assert_non_null(strstr(reha_json_string(goal, "text", ""), "timed up and go"));
    assert_null(json_object_get(goal, "generated"));
    check_whole(plan);
    json_t *next = make(input, plan); /* no rule makes them: they stay because a clinician wrote them */
    for (int i = 1; i <= 5; i++) {
        static const char *const lists[] = {"exercises", "exercises", "advice", "goals", "goals"};
        char id[16];
        (void)snprintf(id, sizeof id, "clinician.%d", i);
        assert_non_null(line_of(next, lists[i - 1], id));
    }
    assert_ok(edit(next,
                   "{\"list\":\"advice\",\"line\":\"clinician.3\",\"restore\":true,\"reason\":\"done\"}",
                   &err),
              &err);
    assert_null(line_of(next, "advice", "clinician.3"));
    json_decref(next);
    json_decref(plan);
    json_decref(input);
}

static void test_bad_edits(void **state)
{
    static const struct {
        const char *edit, *says;
    } bad[] = {
        {"{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"text\":\"x\"}", "'reason' is needed"},
        {"{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"text\":\"x\",\"reason\":\"  \"}",
         "'reason' is needed"},
        {"{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"text\":\"x\",\"reason\":7}",
         "'reason' must be a text"},
        {"{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"reason\":\"r\"}", "nothing is changed"},
        {"{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"text\":\"\",\"reason\":\"r\"}",
         "must not be empty"},
        {"{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"state\":\"gone\",\"reason\":\"r\"}",
         "removed or active"},
        {"{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"target\":3,\"reason\":\"r\"}", "belong to goals"},
        {"{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"dose\":{\"sets\":0},\"reason\":\"r\"}",
         "sets must be a whole number from 1 to 20"},
        {"{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"dose\":{\"sets\":2.5},\"reason\":\"r\"}",
         "whole number"},
        {"{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"dose\":{\"days_per_week\":8},\"reason\":\"r\"}",
         "from 1 to 7"},
        {"{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"dose\":{\"weight\":8},\"reason\":\"r\"}",
         "no member 'weight'"},
        {"{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"dose\":5,\"reason\":\"r\"}", "object of numbers"},
        {"{\"list\":\"exercises\",\"line\":\"" BRIDGE "\",\"restore\":true,\"reason\":\"r\"}",
         "as the rules made it"},
        {"{\"list\":\"exercises\",\"restore\":true,\"reason\":\"r\"}", "'line' is needed"},
        {"{\"list\":\"advice\",\"line\":\"none\",\"text\":\"x\",\"reason\":\"r\"}", "no such line"},
        {"{\"list\":\"advice\",\"dose\":{},\"text\":\"x\",\"reason\":\"r\"}", "belongs to exercises"},
        {"{\"list\":\"advice\",\"reason\":\"r\"}", "needs its 'text'"},
        {"{\"list\":\"exercises\",\"exercise\":\"sword-dance\",\"reason\":\"r\"}",
         "no 'sword-dance' in the library"},
        {"{\"list\":\"goals\",\"measure\":\"pain\",\"reason\":\"r\"}", "no number"},
        {"{\"list\":\"goals\",\"measure\":\"swelling\",\"direction\":\"at-most\",\"target\":1,\"by\":\"2026-"
         "09-01\",\"reason\":\"r\"}",
         "no number"},
        {"{\"list\":\"goals\",\"measure\":\"tug_s\",\"target\":9,\"by\":\"2026-09-01\",\"reason\":\"r\"}",
         "at-least or at-most"},
        {"{\"list\":\"goals\",\"measure\":\"tug_s\",\"direction\":\"at-most\",\"reason\":\"r\"}",
         "needs its 'target'"},
        {"{\"list\":\"goals\",\"measure\":\"tug_s\",\"direction\":\"at-most\",\"target\":9000,\"by\":\"2026-"
         "09-01\",\"reason\":\"r\"}",
         "from 1 to 300"},
        {"{\"list\":\"goals\",\"measure\":\"tug_s\",\"direction\":\"at-most\",\"target\":9,\"by\":\"soon\","
         "\"reason\":\"r\"}",
         "must be a date"},
        {"{\"list\":\"goals\",\"measure\":\"tug_s\",\"direction\":\"at-most\",\"target\":9,\"by\":\"2020-09-"
         "01\",\"reason\":\"r\"}",
         "not before the plan"},
        {"{\"list\":\"phases\",\"text\":\"x\",\"reason\":\"r\"}", "'list' must be"},
        {"{\"phase\":\"none\",\"list\":\"advice\",\"text\":\"x\",\"reason\":\"r\"}", "'phase' must be"},
        {"{\"list\":\"advice\",\"txt\":\"x\",\"reason\":\"r\"}", "'txt' is no member"}};
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_t *plan = make(input, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        json_t *copy = json_deep_copy(plan);
        const reha_status status = edit(copy, bad[i].edit, &err);
        if (status == REHA_OK || strstr(err.text, bad[i].says) == NULL ||
            !reha_status_is_input_fault(status)) {
            fail_msg("%s: %s: %s", bad[i].edit, reha_status_name(status), err.text);
        }
        json_decref(copy);
    }
    reha_error err = REHA_ERROR_INIT;
    json_t *text = json_string("no object");
    assert_int_equal(reha_plan_edit(base, plan, text, "P", "2026-05-02", &err), REHA_E_ARG);
    json_decref(text);
    json_decref(plan);
    json_decref(input);
}

/* What the plan withholds cannot come in by an edit. */
static void test_safety_wins(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    json_object_set_new(json_object_get(input, "red_flags"), "rf_infection", json_true());
    json_t *plan = make(input, NULL);
    assert_string_equal(reha_json_string(plan, "status", ""), "doctor-today");
    assert_int_equal(edit(plan, "{\"list\":\"exercises\",\"exercise\":\"bridge\",\"reason\":\"r\"}", &err),
                     REHA_E_REFUSED);
    assert_non_null(strstr(err.text, "red flag"));
    json_decref(plan);
    json_object_set_new(json_object_get(input, "red_flags"), "rf_infection", json_false());
    json_t *image = json_object_get(input, "image");
    if (image == NULL) {
        image = json_object();
        json_object_set_new(input, "image", image);
    }
    json_object_set_new(image, "fracture_seen", json_true());
    plan = make(input, NULL);
    assert_true(json_array_size(json_object_get(plan, "blocks")) > 0);
    assert_int_equal(edit(plan, "{\"list\":\"exercises\",\"exercise\":\"step-up\",\"reason\":\"r\"}", &err),
                     REHA_E_REFUSED);
    assert_non_null(strstr(err.text, "is withheld now"));
    json_decref(plan);
    json_decref(input);
}

/* Where a fact names a score, there is such an instrument, with the same unit. */
static void test_scores_of_facts_exist(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *scores = NULL;
    int named = 0;
    (void)state;
    assert_ok(reha_json_load(GUIDELINES "/scores.json", &scores, &err), &err);
    const json_t *list = json_object_get(scores, "instruments");
    for (size_t i = 0; i < base->facts.count; i++) {
        const reha_fact *fact = &base->facts.items[i];
        bool is_there = fact->instrument == NULL;
        for (size_t k = 0; k < json_array_size(list) && !is_there; k++) {
            is_there = strcmp(reha_json_string(json_array_get(list, k), "key", ""), fact->instrument) == 0;
        }
        if (!is_there) {
            fail_msg("%s: no instrument '%s'", fact->name, fact->instrument);
        }
        named += fact->instrument != NULL ? 1 : 0;
    }
    assert_true(named >= 14);
    json_decref(scores);
}

/* What a form asks of one condition: all that its rules read, and not what only others read. */
static void test_facts_of_a_programme(void **state)
{
    (void)state;
    const int knee = reha_guideline_programme(base, "knee-oa");
    unsigned char set[REHA_FACTS_MAX] = {0};
    reha_guideline_facts(base, knee, set);
    static const char *const asked[] = {"pain_activity", "koos_pain", "rf_infection",
                                        "height_cm",     "weight_kg", "kl_grade"};
    static const char *const not_asked[] = {"odi", "ottawa_positive", "cuff_tear", "grip_percent"};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        assert_int_equal(set[reha_fact_find(&base->facts, asked[i])], 1);
    }
    for (size_t i = 0; i < sizeof not_asked / sizeof not_asked[0]; i++) {
        assert_int_equal(set[reha_fact_find(&base->facts, not_asked[i])], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_dose_and_a_text),
                                       cmocka_unit_test(test_a_second_edit_remembers_the_rules),
                                       cmocka_unit_test(test_left_out_and_back),
                                       cmocka_unit_test(test_a_goal_keeps_its_words_true),
                                       cmocka_unit_test(test_edited_goals_are_judged_again),
                                       cmocka_unit_test(test_new_lines),
                                       cmocka_unit_test(test_bad_edits),
                                       cmocka_unit_test(test_safety_wins),
                                       cmocka_unit_test(test_scores_of_facts_exist),
                                       cmocka_unit_test(test_facts_of_a_programme)};
    return cmocka_run_group_tests(tests, start, end);
}
