/* The patient's page: every word there, no word unused, a reading age of about 12, a drawing for every
 * exercise, and PDFs that open. */
#include "unit/rehab/plan_cases.h"

#include "base/text.h"
#include "service/plan_pdf.h"

#include <ctype.h>
#include <unistd.h>

static reha_guideline *base;
static json_t *words;

static int start(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *file = NULL;
    (void)state;
    base = load_guidelines();
    assert_ok(reha_json_load(GUIDELINES "/text/en.json", &file, &err), &err);
    assert_string_equal(reha_json_string(file, "schema", ""), "rehascope/text/1");
    words = json_incref(json_object_get(file, "text"));
    json_decref(file);
    return 0;
}

static int end(void **state)
{
    (void)state;
    json_decref(words);
    reha_guideline_free(base);
    return 0;
}

/* ---- Completeness ---- */

static void need(json_t *seen, const char *key)
{
    if (json_string_value(json_object_get(words, key)) == NULL) {
        fail_msg("text/en.json has no '%s'", key);
    }
    assert_int_equal(json_object_set_new(seen, key, json_true()), 0);
}

static void need_of(json_t *seen, const char *format, const char *name)
{
    char key[120];
    char *text = NULL;
    reha_text built = {0};
    const char *mark = strchr(format, '*');
    reha_text_addf(&built, "%.*s%s%s", (int)(mark - format), format, name, mark + 1);
    assert_int_equal(reha_text_take(&built, &text, NULL), REHA_OK);
    (void)snprintf(key, sizeof key, "%s", text);
    reha_free(text);
    need(seen, key);
}

static void test_every_word_is_there_and_used(void **state)
{
    static const char *const fixed[] = {"page.", "month.",       "side.",         "scale.",
                                        "dose.", "goal.reached", "goal.activity", "goal.late"};
    const char *key = NULL;
    json_t *value = NULL;
    json_t *seen = json_object();
    (void)state;
    for (size_t i = 0; i < base->rule_count; i++) {
        if (base->rules[i].patient != NULL) {
            need(seen, base->rules[i].patient);
        }
    }
    for (size_t i = 0; i < base->programme_count; i++) {
        for (int p = 0; p < base->programmes[i].phase_count; p++) {
            need(seen, base->programmes[i].phases[p].patient);
        }
        if (base->programmes[i].condition != NULL) {
            need_of(seen, "condition.*", base->programmes[i].condition);
        }
    }
    for (size_t i = 0; i < base->exercise_count; i++) {
        need_of(seen, "exercise.*.name", base->exercises[i].id);
        need_of(seen, "exercise.*.how", base->exercises[i].id);
    }
    json_object_foreach(words, key, value)
    {
        bool is_used = json_object_get(seen, key) != NULL;
        for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
            is_used = is_used || strncmp(key, fixed[i], strlen(fixed[i])) == 0;
        }
        if (!is_used) {
            fail_msg("nothing uses the text '%s'", key);
        }
        for (const char *p = json_string_value(value); *p != '\0'; p++) {
            assert_in_range((unsigned char)*p, 32, 126);
        }
    }
    json_decref(seen);
}

/* ---- Reading age ---- */

static bool is_vowel(char c)
{
    return strchr("aeiouy", tolower((unsigned char)c)) != NULL;
}

/* Groups of vowels; a silent e at the end does not count. The usual rule; it errs by a few per cent. */
static int syllables(const char *word, size_t length)
{
    int count = 0;
    bool was_vowel = false;
    for (size_t i = 0; i < length; i++) {
        const bool vowel = is_vowel(word[i]);
        count += vowel && !was_vowel;
        was_vowel = vowel;
    }
    if (length > 2 && tolower((unsigned char)word[length - 1]) == 'e' && !is_vowel(word[length - 2]) &&
        word[length - 2] != 'l' && count > 1) {
        count--;
    }
    return count > 0 ? count : 1;
}

/* Flesch-Kincaid grade: 0.39 words per sentence + 11.8 syllables per word - 15.59. A line end ends a sentence
 * (each item of a list stands alone); a colon does not. */
static double reading_grade(const char *text)
{
    double sentences = 0.0;
    double word_count = 0.0;
    double syllable_count = 0.0;
    bool is_open = false;
    for (const char *p = text; *p != '\0';) {
        size_t length = 0;
        while (isalpha((unsigned char)p[length]) || (length > 0 && p[length] == '\'')) {
            length++;
        }
        if (length > 0) {
            word_count += 1.0;
            syllable_count += syllables(p, length);
            is_open = true;
            p += length;
            continue;
        }
        if (is_open && (*p == '.' || *p == '!' || *p == '?' || *p == '\n')) {
            sentences += 1.0;
            is_open = false;
        }
        p++;
    }
    sentences += is_open ? 1.0 : 0.0;
    return 0.39 * word_count / sentences + 11.8 * syllable_count / word_count - 15.59;
}

static void test_the_formula(void **state)
{
    (void)state;
    /* 9 words, 9 syllables, 2 sentences */
    const double grade = reading_grade("The cat sat down. The dog ran off fast.");
    assert_true(grade > -2.1 && grade < -2.0);
    /* 4 words of 1, 5, 4 and 4 syllables in one sentence */
    assert_true(reading_grade("The rehabilitation university particularity.") > 20.0);
}

static void test_reading_age_of_every_page(void **state)
{
    reha_paths paths = {0};
    reha_error err = REHA_ERROR_INIT;
    double worst = -99.0;
    int pages = 0;
    (void)state;
    assert_ok(reha_folder_list(GOLDEN, 2000, &paths, &err), &err);
    for (size_t i = 0; i < paths.count; i++) {
        json_t *one = NULL;
        json_t *plan = NULL;
        char *text = NULL;
        assert_ok(reha_json_load(paths.items[i], &one, &err), &err);
        if (plan_of_case(base, one, &plan, &err) == REHA_OK) {
            assert_ok(reha_plan_patient_text(plan, GUIDELINES, "en", &text, &err), &err);
            const double grade = reading_grade(text);
            assert_null(strchr(text, '{')); /* every mark was filled */
            if (grade > 6.5) {
                fail_msg("%s: reading grade %.1f:\n%s", reha_path_name(paths.items[i]), grade, text);
            }
            worst = grade > worst ? grade : worst;
            pages++;
        }
        reha_free(text);
        json_decref(plan);
        json_decref(one);
    }
    print_message("%d pages, the hardest has Flesch-Kincaid grade %.1f\n", pages, worst);
    assert_true(pages >= 100);
    reha_paths_clear(&paths);
}

/* No single text may hide behind easy ones. */
static void test_reading_age_of_every_text(void **state)
{
    const char *key = NULL;
    json_t *value = NULL;
    (void)state;
    json_object_foreach(words, key, value)
    {
        const char *text = json_string_value(value);
        if (strlen(text) > 60 && reading_grade(text) > 9.5) {
            fail_msg("%s: reading grade %.1f: %s", key, reading_grade(text), text);
        }
    }
}

static const char *place_of(const char *text, const char *key)
{
    const char *place = strstr(text, json_string_value(json_object_get(words, key)));
    if (place == NULL) {
        fail_msg("'%s' is not on the page", key);
    }
    return place;
}

/* A call to the doctor on the same day stands before everything, not under "Other help" at the end. */
static void test_a_referral_of_today_comes_first(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *plan = NULL;
    char *text = NULL;
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    assert_int_equal(
        json_object_set_new(json_object_get(input, "symptoms"), "swelling", json_string("marked")), 0);
    json_t *comorbidity = json_object_get(input, "comorbidity");
    assert_int_equal(json_object_set_new(comorbidity, "anticoagulants", json_true()), 0);
    assert_int_equal(json_object_set_new(comorbidity, "depression", json_true()), 0);
    assert_ok(plan_of(base, input, NULL, false, &plan, &err), &err);
    assert_ok(reha_plan_patient_text(plan, GUIDELINES, "en", &text, &err), &err);
    assert_true(place_of(text, "refer.bleed") < place_of(text, "flag.infection"));
    assert_true(place_of(text, "refer.mood") > place_of(text, "scale.red"));
    assert_null(strstr(place_of(text, "refer.bleed") + 1, "You take blood thinners")); /* once */
    reha_free(text);
    json_decref(plan);
    json_decref(input);
}

/* A page of August must not ask for something by July. */
static void test_a_day_that_passed_is_told(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *first = NULL;
    json_t *next = NULL;
    char *text = NULL;
    (void)state;
    json_t *input = input_of("knee-oa-typical-calm");
    assert_ok(plan_of(base, input, NULL, false, &first, &err), &err);
    assert_ok(reha_plan_patient_text(first, GUIDELINES, "en", &text, &err), &err);
    assert_null(strstr(text, json_string_value(json_object_get(words, "goal.late"))));
    reha_free(text);
    assert_int_equal(json_object_set_new(input, "date", json_string("2026-08-01")), 0);
    assert_ok(plan_of(base, input, first, false, &next, &err), &err);
    assert_ok(reha_plan_patient_text(next, GUIDELINES, "en", &text, &err), &err);
    assert_true(place_of(text, "goal.late") > strstr(text, "your pain score goes from"));
    reha_free(text);
    json_decref(next);
    json_decref(first);
    json_decref(input);
}

/* ---- Drawings and PDFs ---- */

static void test_every_exercise_has_a_drawing(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *file = NULL;
    (void)state;
    assert_ok(reha_json_load(GUIDELINES "/figures.json", &file, &err), &err);
    const json_t *figures = json_object_get(file, "figures");
    assert_true(json_object_size(figures) >= 12);
    for (size_t i = 0; i < base->exercise_count; i++) {
        reha_canvas *canvas = NULL;
        uint8_t *drawn = NULL;
        uint8_t *empty = NULL;
        size_t drawn_bytes = 0;
        size_t empty_bytes = 0;
        const char *name = base->exercises[i].figure;
        assert_non_null(json_object_get(figures, name));
        for (int k = 0; k < 2; k++) {
            assert_ok(reha_canvas_new_picture(80, 64, reha_rgb(0xffffff), &canvas, &err), &err);
            reha_plan_figure(canvas, (reha_rect){0.0, 0.0, 80.0, 64.0}, figures,
                             k == 0 ? name : "no such figure");
            assert_ok(reha_canvas_encode(canvas, k == 0 ? &drawn : &empty,
                                         k == 0 ? &drawn_bytes : &empty_bytes, &err),
                      &err);
            reha_canvas_free(canvas);
        }
        assert_true(drawn_bytes > empty_bytes + 200);
        reha_free(drawn);
        reha_free(empty);
    }
    json_decref(file);
}

/* A figure from elsewhere may hold anything: too many parts, texts for numbers, nothing. */
static void test_odd_figures(void **state)
{
    static const char odd[] = "{\"a\": {\"floor\": 3, \"view\": [0, 0, -1, 0], \"poses\": [{\"hip\": [1], "
                              "\"trunk\": \"x\", \"legs\": "
                              "[[1, 2, 3, 4, 5, 6, 7, 8, 9]], \"arms\": [[1, 2, 3, 4], 7]}, 5], \"props\": "
                              "[{\"arrow\": []}, {\"curve\": "
                              "[1]}, {\"limb\": [1, 2]}, {\"box\": {}}, null]}, \"b\": 7}";
    reha_error err = REHA_ERROR_INIT;
    json_t *figures = NULL;
    reha_canvas *canvas = NULL;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    (void)state;
    assert_ok(reha_json_parse(odd, strlen(odd), &figures, &err), &err);
    assert_ok(reha_canvas_new_picture(80, 64, reha_rgb(0xffffff), &canvas, &err), &err);
    reha_plan_figure(canvas, (reha_rect){0.0, 0.0, 80.0, 64.0}, figures, "a");
    reha_plan_figure(canvas, (reha_rect){0.0, 0.0, 80.0, 64.0}, figures, "b");
    reha_plan_figure(canvas, (reha_rect){0.0, 0.0, 80.0, 64.0}, NULL, "a");
    assert_ok(reha_canvas_encode(canvas, &png, &png_bytes, &err), &err);
    assert_true(png_bytes > 60);
    reha_free(png);
    reha_canvas_free(canvas);
    json_decref(figures);
}

static void test_pdfs(void **state)
{
    static const char *const names[] = {"knee-oa-typical-calm", "knee-oa-infection", "wrist-union-unknown"};
    char folder[] = "/tmp/reha-plan-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        char path[300];
        json_t *one = NULL;
        json_t *plan = NULL;
        uint8_t *data = NULL;
        size_t size_bytes = 0;
        (void)snprintf(path, sizeof path, "%s/%s.json", GOLDEN, names[i]);
        assert_ok(reha_json_load(path, &one, &err), &err);
        assert_ok(plan_of_case(base, one, &plan, &err), &err);
        (void)snprintf(path, sizeof path, "%s/p.pdf", folder);
        assert_ok(reha_plan_patient_pdf(plan, GUIDELINES, "en", path, &err), &err);
        assert_ok(reha_file_load(path, 1 << 24, &data, &size_bytes, &err), &err);
        assert_memory_equal(data, "%PDF-", 5);
        reha_free(data);
        assert_ok(reha_plan_report_pdf(plan, path, &err), &err);
        assert_ok(reha_file_load(path, 1 << 24, &data, &size_bytes, &err), &err);
        assert_memory_equal(data, "%PDF-", 5);
        reha_free(data);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(reha_plan_patient_pdf(plan, GUIDELINES, "xx", path, &err), REHA_E_NOT_FOUND);
        assert_int_equal(reha_plan_patient_pdf(plan, GUIDELINES, "../en", path, &err), REHA_E_ARG);
        assert_int_equal(reha_plan_report_pdf(plan, "/no/such/folder/p.pdf", &err), REHA_E_NOT_FOUND);
        json_decref(plan);
        json_decref(one);
    }
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_word_is_there_and_used),
                                       cmocka_unit_test(test_the_formula),
                                       cmocka_unit_test(test_reading_age_of_every_page),
                                       cmocka_unit_test(test_a_referral_of_today_comes_first),
                                       cmocka_unit_test(test_a_day_that_passed_is_told),
                                       cmocka_unit_test(test_reading_age_of_every_text),
                                       cmocka_unit_test(test_every_exercise_has_a_drawing),
                                       cmocka_unit_test(test_odd_figures),
                                       cmocka_unit_test(test_pdfs)};
    return cmocka_run_group_tests(tests, start, end);
}
