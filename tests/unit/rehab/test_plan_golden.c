/* Golden patients: what must fire, what must not, and every rule of the base by somebody.
 *
 * "must_fire", "must_not_fire", "withheld", "asks" and the rest are written by hand from what a clinician
 * expects. "fired" is the whole list, recorded (REHA_GOLDEN_WRITE=1) and read by a person, so that a
 * change of the rule base shows all its effects. */
#include "unit/rehab/plan_cases.h"

static reha_paths paths;
static reha_guideline *guideline;
static int faults;

static int start(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    guideline = load_guidelines();
    assert_ok(reha_folder_list(GOLDEN, 2000, &paths, &err), &err);
    return 0;
}

static int end(void **state)
{
    (void)state;
    reha_guideline_free(guideline);
    reha_paths_clear(&paths);
    return 0;
}

static void complain(const char *path, const char *what, const char *which)
{
    print_error("%s: %s: %s\n", reha_path_name(path), what, which);
    faults++;
}

static json_t *load(const char *path)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *one = NULL;
    assert_ok(reha_json_load(path, &one, &err), &err);
    return one;
}

static void check_all(const char *path, const json_t *wanted, const char *what, const json_t *list,
                      const char *key, bool is_there)
{
    for (size_t i = 0; i < json_array_size(wanted); i++) {
        const char *name = json_string_value(json_array_get(wanted, i));
        const bool found = key != NULL ? any_has(list, key, name) : list_has(list, name);
        if (found != is_there) {
            complain(path, what, name);
        }
    }
}

static void check_text(const char *path, const json_t *expect, const char *key, const char *got)
{
    const char *wanted = reha_json_string(expect, key, NULL);
    if (wanted != NULL && strcmp(wanted, got) != 0) {
        char text[120];
        (void)snprintf(text, sizeof text, "wanted %.50s, got %.50s", wanted, got);
        complain(path, key, text);
    }
}

static void check_notes(const char *path, const json_t *wanted, const json_t *notes)
{
    for (size_t i = 0; i < json_array_size(wanted); i++) {
        bool found = false;
        for (size_t k = 0; k < json_array_size(notes); k++) {
            found = found || strstr(json_string_value(json_array_get(notes, k)),
                                    json_string_value(json_array_get(wanted, i))) != NULL;
        }
        if (!found) {
            complain(path, "note is missing", json_string_value(json_array_get(wanted, i)));
        }
    }
}

static void check_recorded(const char *path, json_t *one, const json_t *fired)
{
    json_t *expect = json_object_get(one, "expect");
    if (getenv("REHA_GOLDEN_WRITE") != NULL) {
        reha_error err = REHA_ERROR_INIT;
        assert_int_equal(json_object_set(expect, "fired", (json_t *)fired), 0);
        assert_ok(reha_json_save(path, one, &err), &err);
        return;
    }
    const json_t *recorded = json_object_get(expect, "fired");
    check_all(path, recorded, "no longer fires", fired, NULL, true);
    check_all(path, fired, "fires, but is not recorded", recorded, NULL, true);
}

static void check_plan(const char *path, json_t *one, const json_t *plan)
{
    const json_t *expect = json_object_get(one, "expect");
    const json_t *fired = json_object_get(json_object_get(plan, "rules"), "fired");
    const json_t *current = json_object_get(plan, "current");
    check_all(path, json_object_get(expect, "must_fire"), "must fire", fired, NULL, true);
    check_all(path, json_object_get(expect, "must_not_fire"), "must not fire", fired, NULL, false);
    check_all(path, json_object_get(expect, "withheld"), "must be withheld",
              json_object_get(plan, "withheld"), "rule", true);
    check_all(path, json_object_get(expect, "asks"), "must be asked", json_object_get(plan, "questions"),
              "fact", true);
    check_all(path, json_object_get(expect, "changes"), "change", json_object_get(plan, "changes"), "what",
              true);
    check_notes(path, json_object_get(expect, "notes"), json_object_get(plan, "notes"));
    check_text(path, expect, "status", reha_json_string(plan, "status", ""));
    check_text(path, expect, "phase", reha_json_string(current, "phase", ""));
    check_text(path, expect, "imaging", reha_json_string(json_object_get(plan, "imaging"), "need", ""));
    if (json_object_get(expect, "level") != NULL &&
        json_integer_value(json_object_get(expect, "level")) !=
            json_integer_value(json_object_get(current, "level"))) {
        complain(path, "level", "differs");
    }
    check_recorded(path, one, fired);
}

static void test_each_patient(void **state)
{
    (void)state;
    faults = 0;
    assert_true(paths.count >= 60);
    for (size_t i = 0; i < paths.count; i++) {
        reha_error err = REHA_ERROR_INIT;
        json_t *plan = NULL;
        json_t *one = load(paths.items[i]);
        const char *error = reha_json_string(json_object_get(one, "expect"), "error", NULL);
        const reha_status status = plan_of_case(guideline, one, &plan, &err);
        if (error != NULL &&
            (status == REHA_OK || strstr(err.text, error) == NULL || !reha_status_is_input_fault(status))) {
            complain(paths.items[i], "wanted the error", error);
        } else if (error == NULL && status != REHA_OK) {
            complain(paths.items[i], "error", err.text);
        } else if (error == NULL) {
            check_plan(paths.items[i], one, plan);
        }
        json_decref(plan);
        json_decref(one);
    }
    assert_int_equal(faults, 0);
}

/* A rule that nobody exercises could say anything. */
static void test_every_rule_is_exercised(void **state)
{
    (void)state;
    bool seen[REHA_RULES_MAX] = {false};
    faults = 0;
    for (size_t i = 0; i < paths.count; i++) {
        json_t *one = load(paths.items[i]);
        const json_t *expect = json_object_get(one, "expect");
        for (size_t r = 0; r < guideline->rule_count; r++) {
            seen[r] = seen[r] || list_has(json_object_get(expect, "fired"), guideline->rules[r].id) ||
                      list_has(json_object_get(expect, "refused"), guideline->rules[r].id);
        }
        json_decref(one);
    }
    for (size_t r = 0; r < guideline->rule_count; r++) {
        if (!seen[r]) {
            complain(guideline->rules[r].file, "no patient exercises", guideline->rules[r].id);
        }
    }
    assert_int_equal(faults, 0);
}

/* Every kind of case is there: an easy suite proves little. */
static void test_kinds_of_patients(void **state)
{
    static const char *const kinds[] = {"typical", "complex", "contra-indicated", "contradictory", "missing"};
    int counts[5] = {0};
    (void)state;
    for (size_t i = 0; i < paths.count; i++) {
        json_t *one = load(paths.items[i]);
        int found = -1;
        for (int k = 0; k < 5; k++) {
            found = strcmp(reha_json_string(one, "kind", ""), kinds[k]) == 0 ? k : found;
        }
        assert_in_range(found, 0, 4);
        counts[found]++;
        json_decref(one);
    }
    for (int k = 0; k < 5; k++) {
        assert_true(counts[k] >= 8);
    }
}

static json_t *exercises_and_doses(const json_t *plan)
{
    json_t *list = json_array();
    const json_t *lines = json_object_get(phase_of(plan, "current"), "exercises");
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        assert_int_equal(json_array_append_new(
                             list, json_pack("[s, s]", reha_json_string(line, "line", ""),
                                             reha_json_string(json_object_get(line, "dose"), "text", ""))),
                         0);
    }
    return list;
}

/* For every patient: any grade on the film, no other exercises, doses, goals or phase. */
static void test_the_picture_changes_no_treatment(void **state)
{
    (void)state;
    int compared = 0;
    for (size_t i = 0; i < paths.count; i++) {
        reha_error err = REHA_ERROR_INIT;
        json_t *one = load(paths.items[i]);
        json_t *plans[2] = {NULL, NULL};
        json_t *lists[2];
        const json_t *input = json_object_get(one, "input");
        if (json_object_get(json_object_get(one, "expect"), "error") == NULL &&
            json_object_get(input, "image") == NULL) {
            for (int k = 0; k < 2; k++) {
                json_t *copy = json_deep_copy(input);
                assert_int_equal(
                    json_object_set_new(copy, "image",
                                        json_pack("{s:i, s:b, s:s}", "kl_grade", 4 * k, "meniscus_tear_seen",
                                                  k, "cuff_tear", k ? "partial" : "none")),
                    0);
                assert_ok(plan_of(guideline, copy, NULL, false, &plans[k], &err), &err);
                lists[k] = exercises_and_doses(plans[k]);
                json_decref(copy);
            }
            assert_true(json_equal(lists[0], lists[1]));
            assert_true(json_equal(json_object_get(phase_of(plans[0], "current"), "goals"),
                                   json_object_get(phase_of(plans[1], "current"), "goals")));
            assert_true(
                json_equal(json_object_get(plans[0], "current"), json_object_get(plans[1], "current")));
            compared++;
            json_decref(lists[0]);
            json_decref(lists[1]);
        }
        json_decref(plans[0]);
        json_decref(plans[1]);
        json_decref(one);
    }
    assert_true(compared >= 60);
}

/* A golden patient of this condition whose plan can be made, without its red flags. */
static json_t *patient_with(const char *condition)
{
    for (size_t i = 0; i < paths.count; i++) {
        json_t *one = load(paths.items[i]);
        const json_t *input = json_object_get(one, "input");
        const bool fits = json_object_get(json_object_get(one, "expect"), "error") == NULL &&
                          strcmp(reha_json_string(input, "condition", ""), condition) == 0;
        json_t *copy = fits ? json_deep_copy(input) : NULL;
        json_decref(one);
        if (copy != NULL) {
            return copy;
        }
    }
    fail_msg("no golden patient has %s", condition);
    return NULL;
}

/* Whatever the problem is: a red flag that somebody states stops the plan, also one that belongs to others.
 */
static void test_every_stated_red_flag_stops_every_plan(void **state)
{
    (void)state;
    const reha_fact *conditions = &guideline->facts.items[reha_fact_find(&guideline->facts, "condition")];
    int plans = 0;
    for (int c = 0; c < conditions->choice_count; c++) {
        json_t *input = patient_with(conditions->choices[c]);
        for (size_t f = 0; f < guideline->facts.count; f++) {
            const reha_fact *flag = &guideline->facts.items[f];
            reha_error err = REHA_ERROR_INIT;
            json_t *plan = NULL;
            if (flag->origin != REHA_FACT_RED_FLAG) {
                continue;
            }
            assert_int_equal(json_object_set_new(input, "red_flags",
                                                 json_pack("{s:b, s:b}", "others_absent", 1, flag->name, 1)),
                             0);
            assert_ok(plan_of(guideline, input, NULL, false, &plan, &err), &err);
            int present = 0;
            const json_t *flags = json_object_get(plan, "red_flags");
            for (size_t i = 0; i < json_array_size(flags); i++) {
                present += strcmp(reha_json_string(json_array_get(flags, i), "state", ""), "present") == 0;
            }
            if (strcmp(reha_json_string(plan, "status", ""), "doctor-today") != 0 || present != 1 ||
                json_array_size(json_object_get(phase_of(plan, "current"), "exercises")) != 0 ||
                strcmp(reha_json_string(json_object_get(plan, "imaging"), "need", ""), "not-needed") == 0) {
                fail_msg("%s with %s: status %s, %d flags present", conditions->choices[c], flag->name,
                         reha_json_string(plan, "status", ""), present);
            }
            plans++;
            json_decref(plan);
        }
        json_decref(input);
    }
    assert_true(plans >= 150);
}

/* Each line of each plan says which rule, which source and which fact of the patient made it. */
static void check_causes(const json_t *lines)
{
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        assert_true(reha_json_string(line, "rule", "")[0] != '\0');
        assert_true(reha_json_string(json_object_get(line, "source"), "title", "")[0] != '\0');
        assert_true(json_array_size(json_object_get(line, "because")) > 0 ||
                    json_is_true(json_object_get(line, "held_until_known")));
    }
}

static void test_every_line_has_its_cause(void **state)
{
    static const char *const lists[] = {"exercises", "goals", "advice"};
    (void)state;
    for (size_t i = 0; i < paths.count; i++) {
        json_t *one = load(paths.items[i]);
        json_t *plan = NULL;
        if (plan_of_case(guideline, one, &plan, NULL) == REHA_OK) {
            const json_t *phases = json_object_get(plan, "phases");
            for (size_t p = 0; p < json_array_size(phases); p++) {
                for (int k = 0; k < 3; k++) {
                    check_causes(json_object_get(json_array_get(phases, p), lists[k]));
                }
            }
            check_causes(json_object_get(plan, "precautions"));
            check_causes(json_object_get(plan, "avoid"));
            check_causes(json_object_get(plan, "blocks"));
            assert_true(json_array_size(json_object_get(plan, "red_flags")) >= 7); /* always shown */
            assert_true(json_is_object(json_object_get(plan, "imaging")));
            assert_true(json_is_object(json_object_get(plan, "reassess")));
        }
        json_decref(plan);
        json_decref(one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_patient),
                                       cmocka_unit_test(test_every_rule_is_exercised),
                                       cmocka_unit_test(test_kinds_of_patients),
                                       cmocka_unit_test(test_the_picture_changes_no_treatment),
                                       cmocka_unit_test(test_every_stated_red_flag_stops_every_plan),
                                       cmocka_unit_test(test_every_line_has_its_cause)};
    return cmocka_run_group_tests(tests, start, end);
}
