/* Two results of one patient: what refuses, what blocks, what warns; millimetres only where they hold; the
 * right error. */
#include "support.h"

#include "rehab/change_films.h"

#include <math.h>
#include <string.h>

typedef struct film { /* what varies between the results of these tests */
    const char *modality, *view, *device, *spacing, *side, *version, *unit;
    double medial, lateral, plateau, error;
    int grade, set_low, set_high;
    const char *patient, *date, *digest, *position;
    bool is_accepted;
} film;

static const film usual = {.modality = "DX",
                           .view = "PA",
                           .device = "Detector 5",
                           .spacing = "calibrated",
                           .side = "right",
                           .version = "1",
                           .unit = "mm",
                           .medial = 4.0,
                           .lateral = 5.5,
                           .plateau = 79.0,
                           .error = 1.05,
                           .grade = 2,
                           .set_low = 1,
                           .set_high = 2,
                           .patient = "p1",
                           .date = "2024-01-10",
                           .digest = "aa",
                           .position = "STANDING",
                           .is_accepted = true};

static json_t *number(const char *key, double value, double error, const char *unit)
{
    return json_pack("{s:s, s:s, s:n, s:{s:o, s:s, s:o}}", "key", key, "label", key, "grading", "measure",
                     "value", reha_json_real(value), "unit", unit, "error_95", reha_json_real(error));
}

static json_t *analysis_of(const film *f)
{
    json_t *grade =
        json_pack("{s:s, s:s, s:{s:i, s:{s:i, s:i}}}", "key", "kl-grade", "label", "KL", "grading", "grade",
                  f->grade, "prediction_set", "low", f->set_low, "high", f->set_high);
    const bool is_mm = strcmp(f->unit, "mm") == 0;
    json_t *region =
        json_pack("{s:b, s:s, s:[o, o, o, o, o], s:[]}", "accepted", f->is_accepted, "side", f->side,
                  "findings", grade, number("jsw-medial-min", f->medial, f->error, f->unit),
                  number("jsw-lateral-min", f->lateral, f->error, f->unit),
                  number("jsw-min", f->medial, f->error, f->unit),
                  number("plateau-width", f->plateau, 0.02 * f->plateau, is_mm ? "mm" : "px"), "notes");
    return json_pack("{s:s, s:{s:s}, s:{s:s, s:s, s:s, s:{s:s}}, s:b, s:[{s:s, s:s}], s:[o]}", "task",
                     "knee-oa", "model", "version", f->version, "image", "modality", f->modality,
                     "view_position", f->view, "device_model", f->device, "spacing", "source", f->spacing,
                     "accepted", f->is_accepted, "notes", "level", f->is_accepted ? "info" : "refused",
                     "text", "a note", "regions", region);
}

static reha_scores *scores;

static reha_films compare(const film *a, const film *b, bool is_setup_stated)
{
    reha_films films;
    reha_error err = REHA_ERROR_INIT;
    json_t *first = analysis_of(a);
    json_t *second = analysis_of(b);
    assert_non_null(first);
    assert_non_null(second);
    const reha_visit before = {first, a->patient, a->date, a->digest, a->position};
    const reha_visit after = {second, b->patient, b->date, b->digest, b->position};
    const reha_film_options how = {.is_setup_stated = is_setup_stated};
    assert_ok(reha_films_compare(&before, &after, scores, &how, &films, &err), &err);
    json_decref(first);
    json_decref(second);
    return films;
}

static film later(void)
{
    film f = usual;
    f.date = "2026-01-10";
    f.digest = "bb";
    return f;
}

static const reha_check *check_of(const reha_films *films, const char *code)
{
    for (int i = 0; i < films->check_count; i++) {
        if (strcmp(films->checks[i].code, code) == 0) {
            return &films->checks[i];
        }
    }
    return NULL;
}

static const reha_compared *measure_of(const reha_films *films, const char *key)
{
    for (int i = 0; films->pair_count > 0 && i < films->pairs[0].measure_count; i++) {
        if (strcmp(films->pairs[0].measures[i].key, key) == 0) {
            return &films->pairs[0].measures[i];
        }
    }
    fail_msg("no measure %s", key);
    return NULL;
}

static void expect(const film *b, const char *code, reha_check_level level, bool is_refused)
{
    const reha_films films = compare(&usual, b, false);
    const reha_check *check = check_of(&films, code);
    if (check == NULL || check->level != level || films.is_refused != is_refused) {
        fail_msg("%s: level %d, refused %d: %s", code, check != NULL ? (int)check->level : -1,
                 films.is_refused, check != NULL ? check->text : "no such check");
    }
}

static void test_what_cannot_be_compared_is_refused(void **state)
{
    (void)state;
    film f = later();
    f.patient = "p2";
    expect(&f, "patient", REHA_CHECK_REFUSED, true);
    f = later();
    f.side = "left";
    expect(&f, "side", REHA_CHECK_REFUSED, true);
    f = later();
    f.view = "LL";
    expect(&f, "view", REHA_CHECK_REFUSED, true);
    f = later();
    f.modality = "US";
    expect(&f, "device", REHA_CHECK_REFUSED, true);
    f = later();
    f.is_accepted = false;
    expect(&f, "refused", REHA_CHECK_REFUSED, true);
    f = later();
    f.date = "2023-12-31";
    expect(&f, "dates", REHA_CHECK_REFUSED, true);
    const reha_films films = compare(&usual, &f, true);
    assert_int_equal(films.pair_count, 0); /* nothing is measured after a refusal */
}

static void test_what_spoils_measuring_blocks_it(void **state)
{
    (void)state;
    film f = later();
    f.medial = 1.0;
    f.view = "AP";
    expect(&f, "view", REHA_CHECK_BLOCKS, false);
    const reha_films films = compare(&usual, &f, true);
    assert_int_equal(measure_of(&films, "jsw-medial-min")->change.verdict, REHA_CANNOT_TELL);
    f = later();
    f.position = "SUPINE";
    expect(&f, "position", REHA_CHECK_BLOCKS, false);
}

static void test_what_is_unknown_is_said(void **state)
{
    (void)state;
    film f = later();
    f.patient = f.date = f.modality = f.view = f.position = "";
    const reha_films films = compare(&usual, &f, false);
    static const char *const codes[] = {"patient", "dates", "device", "view", "position", "setup"};
    assert_false(films.is_refused);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        assert_non_null(check_of(&films, codes[i]));
        assert_int_equal(check_of(&films, codes[i])->level, REHA_CHECK_NOTE);
    }
    f = later();
    f.modality = "CR"; /* another detector technique, the same kind of picture */
    expect(&f, "device", REHA_CHECK_OK, false);
    f.device = "Other";
    expect(&f, "device", REHA_CHECK_WARNING, false);
    f = later();
    f.digest = "aa";
    expect(&f, "same-file", REHA_CHECK_WARNING, false);
    f = later();
    f.version = "2";
    expect(&f, "model", REHA_CHECK_WARNING, false);
    f = later();
    f.side = "unknown";
    expect(&f, "side", REHA_CHECK_WARNING, false);
}

static void test_millimetres_only_where_they_hold(void **state)
{
    (void)state;
    film f = later();
    reha_films films = compare(&usual, &f, false);
    assert_true(films.is_mm && films.is_same_setup);
    assert_string_equal(measure_of(&films, "jsw-medial-min")->unit, "mm");
    f.spacing = "unknown"; /* then the result itself has ratios */
    f.unit = "1";
    f.medial = 4.0 / 79.0;
    f.lateral = 5.5 / 79.0;
    f.plateau = 300.0;
    f.error = 1.05 / 79.0;
    films = compare(&usual, &f, false);
    assert_false(films.is_mm);
    const reha_compared *medial = measure_of(&films, "jsw-medial-min");
    assert_string_equal(medial->unit, "1");
    assert_float_equal(medial->change.difference, 0.0, 1e-9); /* 4 mm of 79 mm is the same share */
    assert_int_equal(medial->change.verdict, REHA_NO_CHANGE);
    f = later();
    f.spacing = "stated by the user";
    films = compare(&usual, &f, false);
    assert_false(films.is_mm);
    film a = usual;
    a.spacing = f.spacing = "at detector, magnification unknown";
    a.device = "";
    films = compare(&a, &f, false);
    assert_false(films.is_mm);
    films = compare(&a, &f, true); /* the user states one set-up */
    assert_true(films.is_mm);
    assert_int_equal(check_of(&films, "spacing")->level, REHA_CHECK_WARNING);
}

static void test_pixels_are_no_size(void **state)
{
    (void)state;
    film a = usual;
    film b = later();
    a.unit = b.unit = "px";
    b.medial = 1.0;
    const reha_films films = compare(&a, &b, true);
    assert_int_equal(measure_of(&films, "jsw-medial-min")->change.verdict, REHA_CANNOT_TELL);
    assert_non_null(strstr(measure_of(&films, "jsw-medial-min")->remark, "no size"));
}

/* The error of an area is that of a pixel of border; what the hand adds is not known. */
static void test_a_drawn_area_is_never_judged(void **state)
{
    (void)state;
    json_t *visits[2];
    reha_films films;
    reha_error err = REHA_ERROR_INIT;
    for (int i = 0; i < 2; i++) {
        visits[i] = analysis_of(&usual);
        json_t *findings =
            json_object_get(json_array_get(json_object_get(visits[i], "regions"), 0), "findings");
        assert_int_equal(
            json_array_append_new(findings, number("cross-sectional-area", 300.0 + 200.0 * i, 5.0, "mm2")),
            0);
    }
    const reha_visit before = {visits[0], usual.patient, usual.date, "aa", usual.position};
    const reha_visit after = {visits[1], usual.patient, "2026-01-10", "bb", usual.position};
    const reha_film_options how = {.is_setup_stated = true};
    assert_ok(reha_films_compare(&before, &after, scores, &how, &films, &err), &err);
    assert_int_equal(measure_of(&films, "cross-sectional-area")->change.verdict, REHA_CANNOT_TELL);
    assert_non_null(strstr(measure_of(&films, "cross-sectional-area")->remark, "by hand"));
    json_decref(visits[0]);
    json_decref(visits[1]);
}

/* "No change" of an angle that was hardly seen says so; a clear one, and a real change, say nothing of it.
 * What a tilted probe turns as well says that. */
static void test_what_an_angle_cannot_tell(void **state)
{
    static const struct {
        const char *key;
        double before, after, error;
        reha_verdict verdict;
        bool is_told, is_tilt_told;
    } cases[] = {{"pennation", 15.0, 21.0, 6.0, REHA_NO_CHANGE, true, false},
                 {"pennation", 15.0, 17.0, 3.0, REHA_NO_CHANGE, false, false},
                 {"pennation", 15.0, 30.0, 6.0, REHA_DIFFERENT, false, false},
                 {"fascicle-angle", 15.0, 30.0, 6.0, REHA_DIFFERENT, false, true},
                 {"deep-aponeurosis-angle", 0.0, 5.0, 1.5, REHA_DIFFERENT, false, true},
                 {"deep-aponeurosis-angle", 0.0, 1.0, 1.5, REHA_NO_CHANGE, false, false}};
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        json_t *visits[2];
        reha_films films;
        reha_error err = REHA_ERROR_INIT;
        for (int i = 0; i < 2; i++) {
            visits[i] = analysis_of(&usual);
            json_t *findings =
                json_object_get(json_array_get(json_object_get(visits[i], "regions"), 0), "findings");
            const double value = i == 0 ? cases[k].before : cases[k].after;
            assert_int_equal(
                json_array_append_new(findings, number(cases[k].key, value, cases[k].error, "deg")), 0);
        }
        const reha_visit before = {visits[0], usual.patient, usual.date, "aa", usual.position};
        const reha_visit after = {visits[1], usual.patient, "2026-01-10", "bb", usual.position};
        const reha_film_options how = {.is_setup_stated = true};
        assert_ok(reha_films_compare(&before, &after, scores, &how, &films, &err), &err);
        const reha_compared *one = measure_of(&films, cases[k].key);
        assert_int_equal(one->change.verdict, cases[k].verdict);
        assert_int_equal(strstr(one->remark, "seen poorly") != NULL, cases[k].is_told);
        assert_int_equal(strstr(one->remark, "a tilted probe") != NULL, cases[k].is_tilt_told);
        assert_true(!cases[k].is_told || strstr(one->remark, "less than 9 degrees cannot show") != NULL);
        json_decref(visits[0]);
        json_decref(visits[1]);
    }
}

static void test_bone_that_grows_betrays_the_scale(void **state)
{
    (void)state;
    film f = later();
    f.plateau = 86.0; /* 9 % wider */
    f.medial = 4.0 * 86.0 / 79.0;
    f.lateral = 5.5 * 86.0 / 79.0;
    reha_films films = compare(&usual, &f, true);
    assert_int_equal(check_of(&films, "bone-width")->level, REHA_CHECK_WARNING);
    assert_false(films.is_mm);
    assert_float_equal(measure_of(&films, "jsw-medial-min")->change.difference, 0.0, 1e-9);
    f.plateau = 79.5;
    films = compare(&usual, &f, true);
    assert_int_equal(check_of(&films, "bone-width")->level, REHA_CHECK_OK);
    assert_true(films.is_mm);
}

static void test_the_right_error_counts(void **state)
{
    (void)state;
    film f = later();
    f.medial = 3.3;
    reha_films films = compare(&usual, &f, false); /* machine, view and scale are the same: repeatability */
    const reha_compared *medial = measure_of(&films, "jsw-medial-min");
    const double own = fmax(0.00062 * 79.0, sqrt(pow(1.05 / 1.959964, 2) - 0.518 * 0.518));
    const double sdc = 1.959964 * sqrt(2.0 * own * own + 2.0 * 0.09 * 0.09);
    assert_float_equal(medial->change.sdc, sdc, 1e-4);
    assert_int_equal(medial->change.verdict, REHA_WORSENED);
    assert_non_null(strstr(medial->basis, "repeatability"));
    assert_non_null(strstr(medial->remark, "-0.35 mm a year"));
    f.device = ""; /* not shown to be the same: the full error of each reading */
    films = compare(&usual, &f, false);
    medial = measure_of(&films, "jsw-medial-min");
    assert_float_equal(medial->change.sdc, sqrt(2.0 * 1.05 * 1.05 + 2.0 * pow(1.959964 * 0.09, 2)), 1e-4);
    assert_int_equal(medial->change.verdict, REHA_NO_CHANGE);
    assert_non_null(strstr(medial->basis, "full error"));
    films = compare(&usual, &f, true);
    assert_int_equal(measure_of(&films, "jsw-medial-min")->change.verdict, REHA_WORSENED);
    f.version = "2"; /* another model: its constant error does not cancel */
    films = compare(&usual, &f, true);
    assert_int_equal(measure_of(&films, "jsw-medial-min")->change.verdict, REHA_NO_CHANGE);
    f.version = "1";
    f.error = (double)NAN;
    films = compare(&usual, &f, false);
    assert_int_equal(measure_of(&films, "jsw-medial-min")->change.verdict, REHA_CANNOT_TELL);
}

static void test_a_joint_space_does_not_heal(void **state)
{
    (void)state;
    film f = later();
    f.medial = 5.5;
    const reha_films films = compare(&usual, &f, true);
    const reha_compared *medial = measure_of(&films, "jsw-medial-min");
    assert_int_equal(medial->change.verdict, REHA_DIFFERENT);
    assert_non_null(strstr(medial->remark, "not by healing"));
}

static void test_grades_change_only_without_a_common_one(void **state)
{
    (void)state;
    film f = later();
    f.grade = 3;
    f.set_low = 2;
    f.set_high = 3;
    reha_films films = compare(&usual, &f, true);
    assert_int_equal(measure_of(&films, "kl-grade")->change.verdict, REHA_NO_CHANGE);
    assert_non_null(strstr(measure_of(&films, "kl-grade")->remark, "common"));
    f.set_low = 3;
    films = compare(&usual, &f, true);
    assert_int_equal(measure_of(&films, "kl-grade")->change.verdict, REHA_WORSENED);
    f.grade = f.set_low = f.set_high = 0;
    films = compare(&usual, &f, true);
    assert_int_equal(measure_of(&films, "kl-grade")->change.verdict, REHA_DIFFERENT);
}

static void test_days_are_counted(void **state)
{
    (void)state;
    assert_float_equal(reha_days_between("2024-02-28", "2024-03-01"), 2.0, 0.0);
    assert_float_equal(reha_days_between("2023-02-28", "2023-03-01"), 1.0, 0.0);
    assert_float_equal(reha_days_between("2026-01-01", "2024-01-01"), -731.0, 0.0);
    static const char *const bad[] = {"",          "2024-02-30",  "2023-02-29", "2024-13-01", "24-01-01",
                                      "2024-01-1", "2024-01-011", "2024/01/01", "2024-00-10", "2024-01-00"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(isnan(reha_days_between(bad[i], "2024-01-01")));
    }
}

static void test_other_json_is_no_result(void **state)
{
    (void)state;
    reha_films films;
    reha_error err = REHA_ERROR_INIT;
    json_t *good = analysis_of(&usual);
    json_t *bad = json_pack("{s:s}", "regions", "none");
    const reha_visit before = {good, "", "", "", ""};
    const reha_visit after = {bad, "", "", "", ""};
    const reha_film_options how = {0};
    assert_int_equal(reha_films_compare(&before, &after, scores, &how, &films, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "second"));
    const reha_films fine = compare(&usual, &usual, false);
    json_t *json = reha_films_to_json(&fine);
    assert_non_null(json);
    assert_true(json_is_true(json_object_get(json, "comparable")));
    assert_int_equal(json_array_size(json_object_get(json, "joints")), 1);
    json_decref(json);
    json_decref(good);
    json_decref(bad);
}

/* Replaces leaf or branch number *left of a tree by `value`; true when done. */
static bool replace_nth(json_t *tree, size_t *left, json_t *value)
{
    const char *key = NULL;
    json_t *child = NULL;
    void *next = NULL;
    size_t index = 0;
    json_object_foreach_safe(tree, next, key, child)
    {
        if ((*left)-- == 0) {
            return json_object_set(tree, key, value) == 0;
        }
        if (replace_nth(child, left, value)) {
            return true;
        }
    }
    json_array_foreach(tree, index, child)
    {
        if ((*left)-- == 0) {
            return json_array_set(tree, index, value) == 0;
        }
        if (replace_nth(child, left, value)) {
            return true;
        }
    }
    return false;
}

/* Results may come from anywhere: every member, one after the other, of every wrong kind. */
static void test_any_member_may_be_wrong(void **state)
{
    (void)state;
    static const char *const wrong[] = {"null", "-1e300", "1e300",          "\"x\"",
                                        "[]",   "{}",     "[[[]],{},null]", "true"};
    const reha_film_options how = {.is_setup_stated = true};
    film f = later();
    json_t *good = analysis_of(&usual);
    size_t runs = 0;
    for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++) {
        json_t *value = json_loads(wrong[w], JSON_DECODE_ANY, NULL);
        for (size_t n = 0;; n++, runs++) {
            json_t *bad = analysis_of(&f);
            size_t left = n;
            reha_films films;
            reha_error err = REHA_ERROR_INIT;
            const bool is_done = !replace_nth(bad, &left, value);
            for (int turn = 0; turn < 2 && !is_done; turn++) {
                const reha_visit a = {good, "", "", "", ""};
                const reha_visit b = {bad, "", "", "", ""};
                const reha_status status =
                    reha_films_compare(turn == 0 ? &a : &b, turn == 0 ? &b : &a, scores, &how, &films, &err);
                assert_true(status == REHA_OK || status == REHA_E_FORMAT);
                json_t *json = status == REHA_OK ? reha_films_to_json(&films) : NULL;
                assert_true((json != NULL) == (status == REHA_OK));
                json_decref(json);
            }
            json_decref(bad);
            if (is_done) {
                break;
            }
        }
        json_decref(value);
    }
    json_decref(good);
    assert_true(runs > 300);
}

static int open_scores(void **state)
{
    (void)state;
    return reha_scores_load(REHA_SOURCE_DIR "/guidelines/scores.json", &scores, NULL) == REHA_OK ? 0 : -1;
}

static int close_scores(void **state)
{
    (void)state;
    reha_scores_free(scores);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_cannot_be_compared_is_refused),
        cmocka_unit_test(test_what_spoils_measuring_blocks_it),
        cmocka_unit_test(test_what_is_unknown_is_said),
        cmocka_unit_test(test_millimetres_only_where_they_hold),
        cmocka_unit_test(test_bone_that_grows_betrays_the_scale),
        cmocka_unit_test(test_pixels_are_no_size),
        cmocka_unit_test(test_a_drawn_area_is_never_judged),
        cmocka_unit_test(test_what_an_angle_cannot_tell),
        cmocka_unit_test(test_the_right_error_counts),
        cmocka_unit_test(test_a_joint_space_does_not_heal),
        cmocka_unit_test(test_grades_change_only_without_a_common_one),
        cmocka_unit_test(test_days_are_counted),
        cmocka_unit_test(test_other_json_is_no_result),
        cmocka_unit_test(test_any_member_may_be_wrong),
    };
    return cmocka_run_group_tests(tests, open_scores, close_scores);
}
