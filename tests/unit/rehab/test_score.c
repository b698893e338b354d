/* guidelines/scores.json is valid and complete; scores follow the published rules, missing items included. */
#include "support.h"

#include "base/memory.h"
#include "rehab/score.h"

#include <math.h>
#include <string.h>

static const double NO = (double)NAN;

static reha_scores *instruments(void)
{
    reha_scores *scores = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_scores_load(REHA_SOURCE_DIR "/guidelines/scores.json", &scores, &err), &err);
    return scores;
}

static void test_file_has_every_instrument(void **state)
{
    (void)state;
    static const char *const keys[] = {"koos-pain",
                                       "koos-symptoms",
                                       "koos-adl",
                                       "koos-sport",
                                       "koos-qol",
                                       "hoos-pain",
                                       "womac-pain",
                                       "womac-stiffness",
                                       "womac-function",
                                       "oks",
                                       "ohs",
                                       "dash",
                                       "quickdash",
                                       "odi",
                                       "nrs-pain",
                                       "vas-pain",
                                       "psfs",
                                       "rom-knee-extension",
                                       "rom-knee-flexion",
                                       "rom-shoulder-abduction",
                                       "tug",
                                       "sit-to-stand-30s",
                                       "walk-6min",
                                       "dynamometry-knee-extension",
                                       "lsi",
                                       "rmdq",
                                       "spadi",
                                       "ikdc",
                                       "jsw-medial-min",
                                       "jsw-lateral-min",
                                       "muscle-thickness",
                                       "pennation",
                                       "kl-grade"};
    reha_scores *scores = instruments();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (reha_scores_find(scores, keys[i]) == NULL) {
            fail_msg("no instrument %s", keys[i]);
        }
    }
    assert_null(reha_scores_find(scores, "koos"));
    for (size_t i = 0; i < reha_scores_count(scores); i++) {
        const reha_instrument *one = reha_scores_at(scores, i);
        for (size_t k = 0; k < one->mdc_count; k++) {
            assert_true(strlen(one->mdc[k].source) > 5 && strlen(one->mdc[k].population) > 3);
            assert_true(strchr("ABCK", one->mdc[k].sure[0]) != NULL);
        }
        for (size_t k = 0; k < one->repeat_count; k++) {
            assert_non_null(
                strstr(one->repeats[k].source, "repeat_bench")); /* the command that measured it */
        }
    }
    reha_scores_free(scores);
}

typedef struct golden {
    const char *key;
    double items[32];
    size_t count;
    double expected;
} golden;

/* Worked by hand from the published rules. */
static const golden cases[] = {
    /* KOOS: 100 - mean * 100 / 4; five of nine pain items are enough. */
    {"koos-pain", {1, 1, 1, 1, 1, 1, 1, 1, 1}, 9, 75.0},
    {"koos-pain", {0, 1, 2, 3, 4, (double)NAN, (double)NAN, (double)NAN, (double)NAN}, 9, 50.0},
    {"koos-qol", {4, 4, 4, 4}, 4, 0.0},
    {"koos-qol", {2, (double)NAN, 3, (double)NAN}, 4, 37.5},
    {"koos-sport", {0, 0, 0, (double)NAN, (double)NAN}, 5, 100.0},
    /* WOMAC: a missing item takes the mean of its subscale: 2 + 2 + 3 + 1 = 8, mean 2, so 10. */
    {"womac-pain", {2, 2, 3, 1, (double)NAN}, 5, 10.0},
    {"womac-stiffness", {3, (double)NAN}, 2, 6.0},
    /* Oxford: 10 items of 3 are 30, the two missing take 3 each. */
    {"oks", {3, 3, 3, 3, 3, (double)NAN, 3, 3, 3, 3, (double)NAN, 3}, 12, 36.0},
    {"ohs", {4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4}, 12, 48.0},
    /* QuickDASH: (mean - 1) * 25; 11 items with mean 3 give 50; one missing: (26 / 10 - 1) * 25 = 40. */
    {"quickdash", {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}, 11, 50.0},
    {"quickdash", {2, 3, 2, 3, 2, 3, 2, 3, 3, 3, (double)NAN}, 11, 40.0},
    {"dash",
     {1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2},
     30,
     12.5},
    /* ODI: the printed example 16 of 50 is 32 %; with a section omitted 16 of 45 is 35.6 %. */
    {"odi", {2, 2, 2, 2, 2, 2, 2, 2, 0, 0}, 10, 32.0},
    {"odi", {2, 2, 2, 2, 2, 2, 2, 2, 0, (double)NAN}, 10, 35.5555555556},
    {"psfs", {2, 5, 8}, 3, 5.0},
    {"psfs", {2, 5, 8, (double)NAN, 9}, 5, 6.0},
    {"rmdq", {1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 24, 4.0},
    /* SPADI: pain 25 of 50, disability 20 of 80: (50 + 25) / 2. */
    {"spadi", {5, 5, 5, 5, 5, 2, 2, 2, 2, 3, 3, 3, 3}, 13, 37.5},
    /* IKDC: sum over 87; without one item of 10, over 77. */
    {"ikdc", {4, 10, 10, 4, 4, 1, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 10}, 18, 100.0},
    {"ikdc", {2, 5, 5, 2, 2, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, (double)NAN}, 18, 100.0 * 38.0 / 77.0},
    {"lsi", {180, 200}, 2, 90.0},
    {"nrs-pain", {7}, 1, 7.0},
};

static void test_scores_follow_the_published_rules(void **state)
{
    (void)state;
    reha_scores *scores = instruments();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_score score;
        const reha_instrument *one = reha_scores_find(scores, cases[i].key);
        assert_non_null(one);
        assert_ok(reha_score_compute(one, cases[i].items, cases[i].count, &score, &err), &err);
        if (fabs(score.value - cases[i].expected) > 1e-9) {
            fail_msg("case %zu, %s: %g instead of %g", i, cases[i].key, score.value, cases[i].expected);
        }
    }
    reha_scores_free(scores);
}

typedef struct refused {
    const char *key;
    double items[12];
    size_t count;
    reha_status status;
    const char *says;
} refused;

static const refused bad[] = {
    {"koos-pain",
     {1, 1, 1, 1, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN},
     9,
     REHA_E_REFUSED,
     "4 of 9"},
    {"koos-sport", {1, 1, (double)NAN, (double)NAN, (double)NAN}, 5, REHA_E_REFUSED, "at least 3"},
    {"womac-pain", {1, 1, 1, (double)NAN, (double)NAN}, 5, REHA_E_REFUSED, "at least 4"},
    {"womac-stiffness", {(double)NAN, (double)NAN}, 2, REHA_E_REFUSED, "at least 1"},
    {"oks",
     {3, 3, 3, 3, 3, (double)NAN, (double)NAN, 3, 3, 3, (double)NAN, 3},
     12,
     REHA_E_REFUSED,
     "at least 10"},
    {"quickdash", {3, 3, 3, 3, 3, 3, 3, 3, 3, (double)NAN, (double)NAN}, 11, REHA_E_REFUSED, "at least 10"},
    {"odi", {2, 2, 2, 2, 2, 2, 2, 2, (double)NAN, (double)NAN}, 10, REHA_E_REFUSED, "at least 9"},
    {"psfs", {2, 5}, 2, REHA_E_ARG, "items"},
    {"psfs", {2, 5, (double)NAN}, 3, REHA_E_REFUSED, "at least 3"},
    {"oks", {5, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}, 12, REHA_E_ARG, "item 1"},
    {"quickdash", {3, 3, 0, 3, 3, 3, 3, 3, 3, 3, 3}, 11, REHA_E_ARG, "item 3"},
    {"oks", {3, 3, 3}, 3, REHA_E_ARG, "12 items"},
    {"tug", {9.5}, 1, REHA_E_ARG, "measured value"},
    {"lsi", {180, 0}, 2, REHA_E_REFUSED, "other side"},
    {"nrs-pain", {11}, 1, REHA_E_ARG, "item 1"},
};

static void test_bad_forms_are_refused(void **state)
{
    (void)state;
    reha_scores *scores = instruments();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_score score;
        const reha_status status = reha_score_compute(reha_scores_find(scores, bad[i].key), bad[i].items,
                                                      bad[i].count, &score, &err);
        if (status != bad[i].status || strstr(err.text, bad[i].says) == NULL || !isnan(score.value)) {
            fail_msg("case %zu, %s: %s: %s", i, bad[i].key, reha_status_name(status), err.text);
        }
    }
    reha_error err = REHA_ERROR_INIT;
    assert_int_equal(reha_score_check(reha_scores_find(scores, "oks"), 49.0, &err), REHA_E_ARG);
    assert_int_equal(reha_score_check(reha_scores_find(scores, "oks"), NO, &err), REHA_E_ARG);
    assert_ok(reha_score_check(reha_scores_find(scores, "oks"), 48.0, &err), &err);
    reha_scores_free(scores);
}

static void test_thresholds_are_chosen_by_setting(void **state)
{
    (void)state;
    reha_scores *scores = instruments();
    const reha_instrument *oks = reha_scores_find(scores, "OKS");
    assert_true(reha_threshold_choose(oks->mic, oks->mic_count, NULL)->value == 7.0);
    assert_true(reha_threshold_choose(oks->mic, oks->mic_count, "non-surgical")->value == 6.1);
    const reha_instrument *quickdash =
        reha_scores_find(scores, "quickdash"); /* its second entry is only a range */
    assert_true(reha_threshold_choose(quickdash->mic, quickdash->mic_count, "surgical")->value == 13.4);
    const reha_instrument *womac = reha_scores_find(scores, "womac-pain");
    assert_null(reha_threshold_choose(womac->mic, womac->mic_count, NULL));
    assert_null(reha_threshold_choose(womac->mdc, womac->mdc_count, NULL));
    reha_scores_free(scores);
}

static void refuse(const char *from, const char *to, const char *says)
{
    json_t *document = NULL;
    reha_error err = REHA_ERROR_INIT;
    reha_scores *scores = NULL;
    char *text = NULL;
    assert_ok(reha_json_load(REHA_SOURCE_DIR "/guidelines/scores.json", &document, &err), &err);
    assert_ok(reha_json_format(document, &text, &err), &err);
    json_decref(document);
    char *at = strstr(text, from);
    assert_non_null(at);
    assert_true(strlen(from) == strlen(to));
    memcpy(at, to, strlen(to));
    assert_ok(reha_json_parse(text, strlen(text), &document, &err), &err);
    const reha_status status = reha_scores_parse(document, &scores, &err);
    if (status == REHA_OK || strstr(err.text, says) == NULL || scores != NULL) {
        fail_msg("'%s': %s: %s", to, reha_status_name(status), err.text);
    }
    json_decref(document);
    reha_free(text);
}

static void test_slips_in_the_file_are_found(void **state)
{
    (void)state;
    refuse("rehascope/scores/1", "rehascope/scores/9", "schema");
    refuse("\"higher\"", "\"hIgher\"", "better");
    refuse("\"absolute\"", "\"absolutE\"", "mdc[0]");
    refuse("\"surgical\"", "\"surgicaI\"", "setting");
    refuse("\"mean-percent-reversed\"", "\"mean-percent-reversEd\"", "rule.kind");
    refuse("\"koos-symptoms\"", "\"koos-pain\"    ", "twice");
    refuse("\"population\"", "\"populatiom\"", "population");
    refuse("\"answered_min\": 5", "\"answered_min\": 0", "answered_min");
    refuse("\"value\": 20.2", "\"value\": -0.2", "above 0");
    /* Groups whose sizes have the right sum, and are none. */
    refuse("\"groups\": [\n          5,\n          8\n", "\"groups\": [\n         -5,\n         18\n",
           "group 1");
    refuse("\"groups\": [\n          5,\n          8\n", "\"groups\": [\n         13,\n          0\n",
           "group 2");
}

static void test_every_failing_allocation_is_reported(void **state)
{
    (void)state;
    json_t *document = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_json_load(REHA_SOURCE_DIR "/guidelines/scores.json", &document, &err), &err);
    const size_t before = reha_mem_live_blocks();
    for (long n = 0; n < 4; n++) {
        reha_scores *scores = NULL;
        reha_mem_fail_after(n);
        const reha_status status = reha_scores_parse(document, &scores, &err);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_true((scores != NULL) == (status == REHA_OK));
        reha_scores_free(scores);
        assert_int_equal(reha_mem_live_blocks(), before);
    }
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_has_every_instrument),
        cmocka_unit_test(test_scores_follow_the_published_rules),
        cmocka_unit_test(test_bad_forms_are_refused),
        cmocka_unit_test(test_thresholds_are_chosen_by_setting),
        cmocka_unit_test(test_slips_in_the_file_are_found),
        cmocka_unit_test(test_every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
