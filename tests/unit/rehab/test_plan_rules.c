/* The rule language, the strict loader and its checks of the whole rule base. */
#include "unit/rehab/plan_cases.h"

#include "base/text.h"
#include "rehab/change.h"

#include <math.h>
#include <unistd.h>

/* ---- Conditions in three values ---- */

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

static reha_status parse(const char *text, reha_condition *out, reha_error *err)
{
    reha_source_text source = {0};
    REHA_TRY(reha_source_parse("rule.json", text, &source, err));
    const reha_place root = reha_place_root(&source);
    const reha_status status = reha_condition_parse(&root, source.json, &base->facts, out, err);
    reha_source_clear(&source);
    return status;
}

static void nothing_known(reha_facts *facts)
{
    memset(facts, 0, sizeof *facts);
    for (size_t i = 0; i < REHA_FACTS_MAX; i++) {
        facts->values[i] = (double)NAN;
    }
}

static void set(reha_facts *facts, const char *name, double value)
{
    const int fact = reha_fact_find(&base->facts, name);
    assert_true(fact >= 0);
    facts->values[fact] = value;
}

static reha_truth judge(const char *text, const reha_facts *facts)
{
    reha_error err = REHA_ERROR_INIT;
    reha_condition condition;
    assert_ok(parse(text, &condition, &err), &err);
    const reha_truth truth = reha_condition_judge(&condition, facts);
    reha_condition_clear(&condition);
    return truth;
}

static void test_three_values(void **state)
{
    static const char pain[] = "{\"fact\": \"pain_activity\", \"at_least\": 5}";
    static const char both[] =
        "{\"all\": [{\"fact\": \"pain_activity\", \"at_least\": 5}, {\"fact\": \"limp\", \"is\": true}]}";
    static const char either[] =
        "{\"any\": [{\"fact\": \"pain_activity\", \"at_least\": 5}, {\"fact\": \"limp\", \"is\": true}]}";
    static const char not_limp[] = "{\"not\": {\"fact\": \"limp\", \"is\": true}}";
    reha_facts facts;
    (void)state;
    nothing_known(&facts);
    assert_int_equal(judge(pain, &facts), REHA_UNKNOWN);
    assert_int_equal(judge(not_limp, &facts), REHA_UNKNOWN);
    assert_int_equal(judge("{\"fact\": \"limp\", \"known\": false}", &facts), REHA_TRUE);
    set(&facts, "pain_activity", 3.0);
    assert_int_equal(judge(pain, &facts), REHA_FALSE);
    assert_int_equal(judge(both, &facts), REHA_FALSE); /* the other one cannot change it */
    assert_int_equal(judge(either, &facts), REHA_UNKNOWN);
    set(&facts, "pain_activity", 5.0);
    assert_int_equal(judge(pain, &facts), REHA_TRUE); /* the edge belongs to it */
    assert_int_equal(judge("{\"fact\": \"pain_activity\", \"above\": 5}", &facts), REHA_FALSE);
    assert_int_equal(judge("{\"fact\": \"pain_activity\", \"below\": 5}", &facts), REHA_FALSE);
    assert_int_equal(judge(both, &facts), REHA_UNKNOWN);
    assert_int_equal(judge(either, &facts), REHA_TRUE);
    set(&facts, "limp", 1.0);
    assert_int_equal(judge(both, &facts), REHA_TRUE);
    assert_int_equal(judge(not_limp, &facts), REHA_FALSE);
    set(&facts, "swelling", 2.0); /* marked */
    assert_int_equal(judge("{\"fact\": \"swelling\", \"in\": [\"mild\", \"marked\"]}", &facts), REHA_TRUE);
    assert_int_equal(judge("{\"fact\": \"swelling\", \"is\": \"none\"}", &facts), REHA_FALSE);
}

static void test_cause_and_missing_facts(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    reha_condition condition;
    reha_facts facts;
    unsigned char because[REHA_FACTS_MAX] = {0};
    unsigned char missing[REHA_FACTS_MAX] = {0};
    char words[200];
    (void)state;
    nothing_known(&facts);
    set(&facts, "pain_activity", 8.0);
    assert_ok(parse("{\"any\": [{\"fact\": \"pain_activity\", \"at_least\": 5}, {\"not\": {\"fact\": "
                    "\"limp\", \"is\": false}}]}",
                    &condition, &err),
              &err);
    reha_condition_because(&condition, &facts, because);
    assert_int_equal(because[reha_fact_find(&base->facts, "pain_activity")], 1);
    assert_int_equal(because[reha_fact_find(&base->facts, "limp")], 0); /* unknown: it caused nothing */
    reha_condition_describe(&condition, &base->facts, words, sizeof words);
    assert_string_equal(words, "pain in activity at least 5 of 10 or not not: walks with a limp");
    set(&facts, "pain_activity", 1.0);
    reha_condition_missing(&condition, &facts, missing);
    assert_int_equal(missing[reha_fact_find(&base->facts, "limp")], 1);
    assert_int_equal(missing[reha_fact_find(&base->facts, "pain_activity")], 0);
    reha_condition_clear(&condition);
}

static void test_bad_conditions_name_their_place(void **state)
{
    static const char *const bad[][2] = {
        {"[]", "must be a condition"},
        {"{}", "must be one of {all"},
        {"{\"all\": []}", "line 1, all: must be a list of conditions"},
        {"{\"all\": [\n{\"fact\": \"limp\", \"is\": true},\n{\"fact\": \"pain_activty\", \"above\": 3}]}",
         "line 3, all[1].fact: no such fact: 'pain_activty'; did you mean pain_activity"},
        {"{\"fact\": \"pain_activity\"}", "a comparison is 'fact' and one of"},
        {"{\"fact\": \"pain_activity\", \"is\": 3}", "is a number: use at_least"},
        {"{\"fact\": \"limp\", \"at_least\": 1}", "is no number: use 'is' or 'in'"},
        {"{\"fact\": \"pain_activity\", \"at_least\": 11}", "must be a number from 0 to 10 of 10"},
        {"{\"fact\": \"swelling\", \"is\": \"huge\"}", "must be one of: none, mild, marked"},
        {"{\"fact\": \"limp\", \"is\": \"yes\"}", "must be true or false"},
        {"{\"fact\": \"limp\", \"equals\": true}", "none of is, in, known"},
        {"{\"fact\": \"limp\", \"is\": true, \"known\": true}", "a comparison is 'fact' and one of"},
        {"{\"not\": [{\"fact\": \"limp\", \"is\": true}]}", "must be a condition"},
        {"{\"all\": [{\"fact\": \"limp\", \"is\": true}], \"any\": []}", "must be one of {all"},
        {"{\"fact\": 3, \"is\": true}", "must be a text"}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_condition condition;
        assert_int_equal(parse(bad[i][0], &condition, &err), REHA_E_FORMAT);
        if (strstr(err.text, bad[i][1]) == NULL) {
            fail_msg("case %zu: '%s' is not in '%s'", i, bad[i][1], err.text);
        }
    }
}

static bool can_hold(const char *a, const char *b)
{
    reha_error err = REHA_ERROR_INIT;
    reha_condition one;
    reha_condition other;
    assert_ok(parse(a, &one, &err), &err);
    assert_ok(parse(b, &other, &err), &err);
    const reha_condition *const both[] = {&one, &other};
    const bool result = reha_conditions_can_hold(both, 2, &base->facts);
    reha_condition_clear(&one);
    reha_condition_clear(&other);
    return result;
}

static void test_what_can_hold_together(void **state)
{
    static const char above[] = "{\"fact\": \"pain_activity\", \"above\": 5}";
    static const char least[] = "{\"fact\": \"pain_activity\", \"at_least\": 5}";
    static const char most[] = "{\"fact\": \"pain_activity\", \"at_most\": 5}";
    (void)state;
    assert_true(can_hold(least, most));
    assert_false(can_hold(above, most));
    assert_false(can_hold(least, "{\"not\": {\"fact\": \"pain_activity\", \"at_least\": 4}}"));
    assert_true(can_hold(least, "{\"not\": {\"fact\": \"pain_activity\", \"at_least\": 6}}"));
    assert_false(can_hold(least, "{\"fact\": \"pain_activity\", \"known\": false}"));
    assert_false(can_hold("{\"fact\": \"limp\", \"is\": true}", "{\"fact\": \"limp\", \"is\": false}"));
    assert_false(can_hold("{\"fact\": \"swelling\", \"in\": [\"none\", \"mild\"]}",
                          "{\"fact\": \"swelling\", \"is\": \"marked\"}"));
    assert_true(can_hold("{\"fact\": \"swelling\", \"in\": [\"none\", \"mild\"]}",
                         "{\"not\": {\"fact\": \"swelling\", \"is\": \"mild\"}}"));
    assert_false(can_hold(
        "{\"any\": [{\"fact\": \"pain_activity\", \"above\": 7}, {\"fact\": \"limp\", \"is\": true}]}",
        "{\"all\": [{\"fact\": \"pain_activity\", \"at_most\": 7}, {\"fact\": \"limp\", \"is\": false}]}"));
    assert_true(can_hold(
        "{\"any\": [{\"fact\": \"pain_activity\", \"above\": 7}, {\"fact\": \"limp\", \"is\": true}]}",
        "{\"fact\": \"pain_activity\", \"at_most\": 7}"));
}

/* ---- Rule bases that must be refused: the shipped one, with one file or place changed ---- */

static char folder[64];

static void link_base(void)
{
    static const char *const parts[] = {"facts.json", "sources.json", "exercises.json", "doses.json"};
    char from[300];
    char to[300];
    (void)snprintf(folder, sizeof folder, "/tmp/reha-rules-XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        (void)snprintf(from, sizeof from, "%s/%s", GUIDELINES, parts[i]);
        (void)snprintf(to, sizeof to, "%s/%s", folder, parts[i]);
        assert_int_equal(symlink(from, to), 0);
    }
    (void)snprintf(to, sizeof to, "%s/conditions", folder);
    assert_int_equal(mkdir(to, 0700), 0);
    for (size_t i = 0; i < base->programme_count; i++) {
        (void)snprintf(from, sizeof from, "%s/conditions/%s", GUIDELINES, base->programmes[i].source.name);
        (void)snprintf(to, sizeof to, "%s/conditions/%s", folder, base->programmes[i].source.name);
        assert_int_equal(symlink(from, to), 0);
    }
}

static void remove_base(void)
{
    reha_paths paths = {0};
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_folder_list(folder, 100, &paths, &err), &err);
    for (size_t i = 0; i < paths.count; i++) {
        (void)unlink(paths.items[i]);
    }
    reha_paths_clear(&paths);
    char path[300];
    (void)snprintf(path, sizeof path, "%s/conditions", folder);
    (void)rmdir(path);
    (void)rmdir(folder);
}

static json_t *load_knee(void)
{
    char path[300];
    reha_error err = REHA_ERROR_INIT;
    json_t *file = NULL;
    (void)snprintf(path, sizeof path, "%s/conditions/knee-oa.json", GUIDELINES);
    assert_ok(reha_json_load(path, &file, &err), &err);
    return file;
}

/* Takes the knee's file, changed, and loads with it: the error must hold `wanted`. */
static void refuse_knee(json_t *file, const char *wanted)
{
    char path[300];
    reha_error err = REHA_ERROR_INIT;
    reha_guideline *loaded = NULL;
    (void)snprintf(path, sizeof path, "%s/conditions/knee-oa.json", folder);
    (void)unlink(path);
    assert_ok(reha_json_save(path, file, &err), &err);
    json_decref(file);
    assert_int_equal(reha_guideline_load(folder, &loaded, &err), REHA_E_FORMAT);
    assert_null(loaded);
    assert_non_null(strstr(err.text, ".json line "));
    if (strstr(err.text, wanted) == NULL) {
        fail_msg("'%s' is not in '%s'", wanted, err.text);
    }
}

/* Appends a rule to the knee's file. */
static void refuse_rule(const char *rule, const char *wanted)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *added = NULL;
    json_t *file = load_knee();
    assert_ok(reha_json_parse(rule, strlen(rule), &added, &err), &err);
    assert_int_equal(json_array_append_new(json_object_get(file, "rules"), added), 0);
    refuse_knee(file, wanted);
}

#define CONVENTION "\"strength\": \"clinical convention\", \"source\": {\"id\": \"convention\"}"

static void test_bad_rules_are_refused(void **state)
{
    static const char *const bad[][2] = {
        /* contradictions: recommended and forbidden for one patient, no priority */
        {"{\"id\": \"knee-oa.avoid.walk\", \"kind\": \"avoid\", \"forbids\": [\"exercise:walking\"], "
         "\"text\": \"x\", "
         "\"when\": {\"fact\": \"pain_activity\", \"at_least\": 6}, " CONVENTION "}",
         "forbids what 'knee-oa.exercise.walking'"},
        {"{\"id\": \"knee-oa.avoid.bend\", \"kind\": \"block\", \"forbids\": [\"tag:knee-bend\"], \"text\": "
         "\"x\", " CONVENTION "}",
         "give one of them a priority"},
        {"{\"id\": \"knee-oa.advice.opioids\", \"kind\": \"advice\", \"action\": \"opioids\", \"text\": "
         "\"x\", " CONVENTION "}",
         "rule 'knee-oa.avoid.opioids' forbids what 'knee-oa.advice.opioids'"},
        /* the picture must not rule */
        {"{\"id\": \"knee-oa.exercise.x\", \"kind\": \"exercise\", \"exercise\": \"bridge\", \"dose\": "
         "\"strength\", \"text\": "
         "\"x\", \"when\": {\"fact\": \"kl_grade\", \"at_least\": 2}, " CONVENTION "}",
         "hangs on the image fact 'kl_grade'"},
        {"{\"id\": \"knee-oa.goal.x\", \"kind\": \"goal\", \"measure\": \"koos_qol\", \"change\": 10, "
         "\"weeks\": 8, \"text\": "
         "\"x\", \"when\": {\"not\": {\"fact\": \"kl_grade\", \"at_least\": 2}}, " CONVENTION "}",
         "a picture may add caution"},
        {"{\"id\": \"knee-oa.dose.x\", \"kind\": \"shift\", \"shift\": \"down\", \"moment\": \"start\", "
         "\"text\": \"x\", "
         "\"when\": {\"fact\": \"kl_grade\", \"at_least\": 3}, " CONVENTION "}",
         "a picture may add caution"},
        /* no patient can fulfil it */
        {"{\"id\": \"knee-oa.advice.x\", \"kind\": \"advice\", \"action\": \"x\", \"text\": \"x\", \"when\": "
         "{\"all\": "
         "[{\"fact\": \"bmi\", \"above\": 30}, {\"fact\": \"bmi\", \"below\": 20}]}, " CONVENTION "}",
         "can never apply"},
        {"{\"id\": \"knee-oa.advice.x\", \"kind\": \"advice\", \"action\": \"x\", \"text\": \"x\", \"when\": "
         "{\"fact\": "
         "\"condition\", \"is\": \"hip-oa\"}, " CONVENTION "}",
         "can never apply"},
        /* false grades */
        {"{\"id\": \"knee-oa.advice.x\", \"kind\": \"advice\", \"action\": \"x\", \"text\": \"x\", "
         "\"strength\": \"strong\", "
         "\"source\": {\"id\": \"convention\"}}",
         "go together only"},
        {"{\"id\": \"knee-oa.advice.x\", \"kind\": \"advice\", \"action\": \"x\", \"text\": \"x\", "
         "\"strength\": \"clinical "
         "convention\", \"source\": {\"id\": \"nice-ng226\", \"section\": \"1\"}}",
         "go together only"},
        {"{\"id\": \"knee-oa.advice.x\", \"kind\": \"advice\", \"action\": \"x\", \"text\": \"x\", "
         "\"source\": {\"id\": "
         "\"nice-ng226\"}}",
         "a source needs its section"},
        {"{\"id\": \"knee-oa.advice.x\", \"kind\": \"advice\", \"action\": \"x\", \"text\": \"x\", "
         "\"source\": {\"id\": "
         "\"nice-ng999\", \"section\": \"1\"}}",
         "'nice-ng999' is not in sources.json"},
        /* form */
        {"{\"id\": \"knee-oa.goal.oks\", \"kind\": \"advice\", \"action\": \"x\", \"text\": "
         "\"x\", " CONVENTION "}",
         "already"},
        {"{\"id\": \"hip-oa.x\", \"kind\": \"advice\", \"action\": \"x\", \"text\": \"x\", " CONVENTION "}",
         "must begin with 'knee-oa.'"},
        {"{\"id\": \"knee-oa.x\", \"kind\": \"advise\", \"text\": \"x\", " CONVENTION "}",
         "'advise' is none of: refuse"},
        {"{\"id\": \"knee-oa.x\", \"kind\": \"precaution\", \"dose\": \"strength\", \"text\": "
         "\"x\", " CONVENTION "}",
         "dose: no such member here"},
        {"{\"id\": \"knee-oa.x\", \"kind\": \"exercise\", \"exercise\": \"plank\", \"dose\": \"strength\", "
         "\"text\": \"x\", " CONVENTION "}",
         "'plank' is not in exercises.json"},
        {"{\"id\": \"knee-oa.x\", \"kind\": \"exercise\", \"exercise\": \"bridge\", \"dose\": \"much\", "
         "\"text\": \"x\", " CONVENTION "}",
         "'much' is not in doses.json"},
        {"{\"id\": \"knee-oa.x\", \"kind\": \"block\", \"forbids\": [\"tag:nothing\"], \"text\": "
         "\"x\", " CONVENTION "}",
         "forbids[0]: no such exercise, tag or dose"},
        {"{\"id\": \"knee-oa.x\", \"kind\": \"block\", \"forbids\": [\"dose:much\"], \"text\": "
         "\"x\", " CONVENTION "}",
         "forbids[0]: no such exercise, tag or dose"},
        /* a dose that is forbidden is a contradiction, as an exercise is */
        {"{\"id\": \"knee-oa.x\", \"kind\": \"block\", \"forbids\": [\"dose:activation\"], \"text\": "
         "\"x\", " CONVENTION "}",
         "rule 'knee-oa.x' forbids what 'knee-oa.exercise.quad-set'"},
        {"{\"id\": \"knee-oa.x\", \"kind\": \"precaution\", \"phases\": [\"calm\", \"rest\"], \"text\": "
         "\"x\", " CONVENTION "}",
         "must be different phases of this file"},
        {"{\"id\": \"knee-oa.x\", \"kind\": \"goal\", \"measure\": \"oks\", \"weeks\": 6, \"text\": "
         "\"x\", " CONVENTION "}",
         "either 'change' or 'reach'"},
        {"{\"id\": \"knee-oa.x\", \"kind\": \"goal\", \"measure\": \"limp\", \"change\": 1, \"weeks\": 6, "
         "\"text\": \"x\", " CONVENTION "}",
         "a goal has a measured number"},
        {"{\"id\": \"knee-oa.x\", \"kind\": \"reassess\", \"weeks\": 1.5, \"text\": \"x\", " CONVENTION "}",
         "must be a whole number from 0 to 104"},
        {"{\"id\": \"knee-oa.x\", \"kind\": \"precaution\", " CONVENTION "}",
         "text: is missing; it must be a text"}};
    (void)state;
    link_base();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refuse_rule(bad[i][0], bad[i][1]);
    }
    remove_base();
}

/* Time alone ends no phase by anything but time, and not the last one. */
static void test_a_phase_ends_by_time_only_by_time(void **state)
{
    static const char *const bad[][2] = {
        {"{\"fact\": \"flexion_deg\", \"at_least\": 80}", "must be weeks_since_surgery or"},
        {"{\"fact\": \"weeks_since_surgery\", \"at_most\": 4}", "must be weeks_since_surgery or"},
        {"{\"all\": [{\"fact\": \"weeks_since_surgery\", \"at_least\": 4}]}",
         "must be weeks_since_surgery or"},
        {"{\"fact\": \"weeks_since_surgery\", \"at_least\": 4}", "in a phase with 'advance'"}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char path[300];
        reha_error err = REHA_ERROR_INIT;
        json_t *file = NULL;
        json_t *by_time = NULL;
        reha_guideline *loaded = NULL;
        link_base();
        (void)snprintf(path, sizeof path, "%s/conditions/knee-replacement.json", GUIDELINES);
        assert_ok(reha_json_load(path, &file, &err), &err);
        assert_ok(reha_json_parse(bad[i][0], strlen(bad[i][0]), &by_time, &err), &err);
        json_t *phases = json_object_get(file, "phases");
        const size_t at = i == 3 ? json_array_size(phases) - 1 : 0;
        assert_int_equal(json_object_set_new(json_array_get(phases, at), "by_time", by_time), 0);
        (void)snprintf(path, sizeof path, "%s/conditions/knee-replacement.json", folder);
        (void)unlink(path);
        assert_ok(reha_json_save(path, file, &err), &err);
        json_decref(file);
        assert_int_equal(reha_guideline_load(folder, &loaded, &err), REHA_E_FORMAT);
        assert_non_null(strstr(err.text, "by_time"));
        assert_non_null(strstr(err.text, bad[i][1]));
        remove_base();
    }
}

static void test_bad_weeks_of_a_phase_are_refused(void **state)
{
    static const double bad[][2] = {{-1.0, 2.0}, {4.0, 2.0}, {0.0, 521.0}, {1e30, 1e300}};
    (void)state;
    link_base();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *file = load_knee();
        json_t *phase = json_array_get(json_object_get(file, "phases"), 0);
        assert_int_equal(json_object_set_new(phase, "weeks", json_pack("[f, f]", bad[i][0], bad[i][1])), 0);
        refuse_knee(file, "how long the phase lasts");
    }
    remove_base();
}

static void test_priority_settles_a_contradiction(void **state)
{
    char path[300];
    reha_error err = REHA_ERROR_INIT;
    json_t *file = NULL;
    json_t *added = NULL;
    reha_guideline *loaded = NULL;
    static const char rule[] =
        "{\"id\": \"knee-oa.avoid.walk\", \"kind\": \"avoid\", \"forbids\": [\"exercise:walking\"], "
        "\"text\": \"x\", \"priority\": 60, \"when\": {\"fact\": \"pain_activity\", \"at_least\": "
        "6}, " CONVENTION "}";
    (void)state;
    link_base();
    (void)snprintf(path, sizeof path, "%s/conditions/knee-oa.json", GUIDELINES);
    assert_ok(reha_json_load(path, &file, &err), &err);
    assert_ok(reha_json_parse(rule, strlen(rule), &added, &err), &err);
    assert_int_equal(json_array_append_new(json_object_get(file, "rules"), added), 0);
    (void)snprintf(path, sizeof path, "%s/conditions/knee-oa.json", folder);
    (void)unlink(path);
    assert_ok(reha_json_save(path, file, &err), &err);
    json_decref(file);
    assert_ok(reha_guideline_load(folder, &loaded, &err), &err);
    reha_guideline_free(loaded);
    remove_base();
}

static void test_broken_folders(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    reha_guideline *loaded = NULL;
    char path[300];
    (void)state;
    assert_int_equal(reha_guideline_load("/no/such/folder", &loaded, &err), REHA_E_NOT_FOUND);
    link_base();
    (void)snprintf(path, sizeof path, "%s/conditions/hip-oa.json", folder);
    (void)unlink(path);
    assert_int_equal(reha_guideline_load(folder, &loaded, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "the condition 'hip-oa' has no file"));
    assert_ok(reha_file_save(path, "{\n\"schema\": \"x\"", 15, &err), &err);
    assert_int_equal(reha_guideline_load(folder, &loaded, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "hip-oa.json: JSON line 2"));
    remove_base();
}

/* ---- The shipped rule base as a whole ---- */

static void test_nothing_lies_unused(void **state)
{
    bool exercise[REHA_EXERCISES_MAX] = {false};
    bool dose[REHA_DOSES_MAX] = {false};
    bool source[REHA_GUIDE_SOURCES_MAX] = {false};
    (void)state;
    for (size_t i = 0; i < base->rule_count; i++) {
        const reha_rule *rule = &base->rules[i];
        source[rule->basis.source - base->sources] = true;
        if (rule->exercise != NULL) {
            exercise[rule->exercise - base->exercises] = true;
            dose[rule->dose - base->doses] = true;
            source[rule->dose->basis.source - base->sources] = true;
        }
    }
    for (size_t i = 0; i < base->programme_count; i++) {
        for (int p = 0; p < base->programmes[i].phase_count; p++) {
            source[base->programmes[i].phases[p].basis.source - base->sources] = true;
        }
    }
    for (size_t i = 0; i < base->exercise_count; i++) {
        if (!exercise[i]) {
            fail_msg("no rule uses the exercise %s", base->exercises[i].id);
        }
    }
    for (size_t i = 0; i < base->dose_count; i++) {
        if (!dose[i]) {
            fail_msg("no rule uses the dose %s", base->doses[i].id);
        }
    }
    for (size_t i = 0; i < base->source_count; i++) {
        if (!source[i]) {
            fail_msg("no rule uses the source %s", base->sources[i].id);
        }
    }
}

/* A goal by change promises what the table of scores calls important (or more than its error), else it
 * would be a number of our own. */
static bool is_in_table(const json_t *instrument, double change)
{
    const json_t *mic = json_object_get(instrument, "mic");
    const json_t *mdc = json_object_get(instrument, "mdc");
    for (size_t i = 0; i < json_array_size(mic); i++) {
        if (fabs(reha_json_number(json_array_get(mic, i), "value", (double)NAN) - change) < 0.5) {
            return true;
        }
    }
    for (size_t i = 0; i < json_array_size(mdc); i++) {
        const json_t *one = json_array_get(mdc, i);
        if (strcmp(reha_json_string(one, "kind", ""), "absolute") == 0 &&
            change >= reha_json_number(one, "value", (double)NAN)) {
            return true;
        }
    }
    return false;
}

/* A goal that one patient's measurement error could reach alone says so. */
static void check_error_is_told(const reha_rule *rule, const reha_instrument *instrument)
{
    if (instrument->mdc_count > 0) {
        const double error = reha_mdc_95(&instrument->mdc[0], (double)NAN, instrument->low, instrument->high);
        if (isfinite(error) && fabs(rule->change) < error &&
            strstr(rule->text, "measurement error") == NULL) {
            fail_msg("%s: a change of %g lies within the measurement error (%g), and the text says nothing",
                     rule->id, rule->change, error);
        }
    }
}

static void test_goals_agree_with_the_table_of_scores(void **state)
{
    static const char *const names[][2] = {{"koos_pain", "koos-pain"},
                                           {"koos_adl", "koos-adl"},
                                           {"koos_sport", "koos-sport"},
                                           {"oks", "oks"},
                                           {"ohs", "ohs"},
                                           {"dash", "dash"},
                                           {"quickdash", "quickdash"},
                                           {"odi", "odi"},
                                           {"psfs", "psfs"},
                                           {"pain_activity", "nrs-pain"},
                                           {"tug_s", "tug"},
                                           {"six_minute_walk_m", "walk-6min"}};
    reha_error err = REHA_ERROR_INIT;
    json_t *scores = NULL;
    reha_scores *table = NULL;
    int checked = 0;
    (void)state;
    assert_ok(reha_json_load(GUIDELINES "/scores.json", &scores, &err), &err);
    assert_ok(reha_scores_load(GUIDELINES "/scores.json", &table, &err), &err);
    const json_t *instruments = json_object_get(scores, "instruments");
    for (size_t r = 0; r < base->rule_count; r++) {
        const reha_rule *rule = &base->rules[r];
        if (rule->kind != REHA_RULE_GOAL || isnan(rule->change)) {
            continue;
        }
        bool is_known = false;
        for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
            for (size_t i = 0; strcmp(base->facts.items[rule->fact].name, names[n][0]) == 0 &&
                               i < json_array_size(instruments);
                 i++) {
                const json_t *one = json_array_get(instruments, i);
                is_known = is_known || (strcmp(reha_json_string(one, "key", ""), names[n][1]) == 0 &&
                                        is_in_table(one, fabs(rule->change)));
            }
        }
        if (!is_known) {
            fail_msg("%s: a change of %g is neither important nor beyond error in scores.json", rule->id,
                     rule->change);
        }
        for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
            if (strcmp(base->facts.items[rule->fact].name, names[n][0]) == 0) {
                check_error_is_told(rule, reha_scores_find(table, names[n][1]));
            }
        }
        checked++;
    }
    assert_true(checked >= 12);
    json_decref(scores);
    reha_scores_free(table);
}

/* Every allocation of loading fails once: an error, and nothing is left behind. */
static void test_memory_failures(void **state)
{
    reha_status status = REHA_E_NOMEM;
    (void)state;
    reha_guideline_free(base);
    base = NULL;
    const size_t before = reha_mem_live_blocks();
    for (long n = 0; status != REHA_OK; n += n < 40 ? 1 : 97) {
        reha_guideline *loaded = NULL;
        reha_mem_fail_after(n);
        status = reha_guideline_load(GUIDELINES, &loaded, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_guideline_free(loaded);
        assert_int_equal(reha_mem_live_blocks(), before);
    }
    base = load_guidelines();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_three_values),
                                       cmocka_unit_test(test_cause_and_missing_facts),
                                       cmocka_unit_test(test_bad_conditions_name_their_place),
                                       cmocka_unit_test(test_what_can_hold_together),
                                       cmocka_unit_test(test_bad_rules_are_refused),
                                       cmocka_unit_test(test_a_phase_ends_by_time_only_by_time),
                                       cmocka_unit_test(test_bad_weeks_of_a_phase_are_refused),
                                       cmocka_unit_test(test_priority_settles_a_contradiction),
                                       cmocka_unit_test(test_broken_folders),
                                       cmocka_unit_test(test_nothing_lies_unused),
                                       cmocka_unit_test(test_goals_agree_with_the_table_of_scores),
                                       cmocka_unit_test(test_memory_failures)};
    return cmocka_run_group_tests(tests, start, end);
}
