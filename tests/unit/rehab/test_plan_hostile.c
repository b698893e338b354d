/* Broken bytes: an input, an earlier plan or a rule that was cut or changed anywhere is an error or a
 * correct plan; no crash, no leak, and the error names a line. */
#include "unit/rehab/plan_cases.h"

#include "base/random.h"
#include "base/text.h"
#include "service/plan_pdf.h"

enum { ROUNDS = 300 };

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

static char *text_of(const char *name, bool as_plan)
{
    char path[300];
    char *text = NULL;
    reha_error err = REHA_ERROR_INIT;
    json_t *one = NULL;
    json_t *plan = NULL;
    (void)snprintf(path, sizeof path, "%s/%s.json", GOLDEN, name);
    assert_ok(reha_json_load(path, &one, &err), &err);
    if (as_plan) {
        assert_ok(plan_of_case(base, one, &plan, &err), &err);
    }
    assert_ok(reha_json_format(as_plan ? plan : json_object_get(one, "input"), &text, &err), &err);
    json_decref(plan);
    json_decref(one);
    return text;
}

/* Cuts, changes a byte, swaps a value for an odd one, or doubles a part. */
static void spoil(char *text, reha_random *random)
{
    static const char *const odd[] = {
        "null", "-1", "1e308", "[]", "{}", "true", "\"\"", "99999999999999999999", "\"\\u0000\""};
    const size_t length = strlen(text);
    const size_t at = reha_random_below(random, (uint32_t)length);
    const uint32_t kind = reha_random_below(random, 4);
    if (kind == 0) {
        text[at] = '\0';
    } else if (kind == 1) {
        text[at] = (char)(1 + reha_random_below(random, 255));
    } else {
        char *colon = strchr(text + at, ':');
        const char *value = odd[reha_random_below(random, sizeof odd / sizeof odd[0])];
        const size_t wide = colon != NULL ? strcspn(colon + 1, ",}\n") : 0;
        if (wide > strlen(value)) {
            memset(colon + 1, ' ', wide);
            memcpy(colon + 1, value, strlen(value));
        }
    }
}

static void test_spoilt_inputs(void **state)
{
    static const char *const names[] = {"knee-oa-many-conditions", "knee-oa-machine-fracture",
                                        "knee-replacement-week-4"};
    reha_random random = reha_random_init(7, 1);
    int made = 0;
    int refused = 0;
    (void)state;
    reha_plan_input *input = reha_alloc_zero(1, sizeof *input);
    const size_t before = reha_mem_live_blocks();
    for (int round = 0; round < ROUNDS; round++) {
        reha_error err = REHA_ERROR_INIT;
        reha_source_text source = {0};
        json_t *plan = NULL;
        char *text = text_of(names[round % 3], false);
        spoil(text, &random);
        reha_status status = reha_source_parse("input.json", text, &source, &err);
        if (status == REHA_OK) {
            status = reha_plan_input_read(&source, &base->facts, input, &err);
        }
        if (status == REHA_OK) {
            const reha_plan_request request = {.guideline = base, .input = input, .why = true};
            status = reha_plan_make(&request, &plan, &err);
        }
        assert_true(status == REHA_OK || reha_status_is_input_fault(status));
        assert_true(status == REHA_OK || err.text[0] != '\0');
        made += status == REHA_OK;
        refused += status != REHA_OK;
        json_decref(plan);
        reha_source_clear(&source);
        reha_free(text);
    }
    assert_int_equal(reha_mem_live_blocks(), before);
    reha_free(input);
    assert_true(made > 20 && refused > 100);
}

/* An earlier plan whose digests were set right again after it was spoilt: nothing but the reader protects. */
static void mark_all_edited(json_t *plan)
{
    static const char *const lists[] = {"exercises", "goals", "advice"};
    const json_t *phases = json_object_get(plan, "phases");
    for (size_t p = 0; p < json_array_size(phases); p++) {
        for (int k = 0; k < 3; k++) {
            const json_t *lines = json_object_get(json_array_get(phases, p), lists[k]);
            for (size_t i = 0; i < json_array_size(lines); i++) {
                json_t *line = json_array_get(lines, i);
                if (json_is_object(line)) {
                    (void)json_object_set_new(line, "edited", json_pack("{s:s}", "reason", "x"));
                }
            }
        }
    }
}

static void test_spoilt_earlier_plans(void **state)
{
    reha_random random = reha_random_init(11, 2);
    reha_error err = REHA_ERROR_INIT;
    json_t *one = NULL;
    int made = 0;
    (void)state;
    assert_ok(reha_json_load(GOLDEN "/knee-oa-review-flare.json", &one, &err), &err);
    char *good = text_of("knee-oa-typical-calm", true);
    for (int round = 0; round < ROUNDS; round++) {
        reha_source_text source = {0};
        json_t *plan = NULL;
        char *text = reha_strdup(good);
        spoil(text, &random);
        reha_status status = reha_source_parse("plan.json", text, &source, &err);
        if (status == REHA_OK) {
            mark_all_edited(source.json);
            status = reha_plan_check(&source, &err);
        }
        if (status == REHA_OK) {
            status = plan_of(base, json_object_get(one, "input"), source.json, true, &plan, &err);
        }
        assert_true(status == REHA_OK || reha_status_is_input_fault(status));
        if (status == REHA_OK && made++ % 8 == 0) {
            char *page = NULL;
            status = reha_plan_patient_text(plan, GUIDELINES, "en", &page, &err);
            assert_true(status == REHA_OK || status == REHA_E_FORMAT);
            reha_free(page);
        }
        json_decref(plan);
        reha_source_clear(&source);
        reha_free(text);
    }
    assert_true(made > 50);
    reha_free(good);
    json_decref(one);
}

static void test_lines_are_found_in_odd_texts(void **state)
{
    static const struct {
        const char *text;
        const char *key;
        size_t index;
        int line;
    } cases[] = {{"{\n\"a\": \"}{][\\\"\",\n\"b\": [1,\n[2, {\"c\": 3}],\n\"x\"]}", "b", 2, 5},
                 {"{\n\"a\": 1,\n\"b\":\n\n[7]}", "b", 0, 5},
                 {"{\"b\": []}", "b", 3, 1},
                 {"{\n\n\"c\": 1}", "b", 0, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_source_text source = {0};
        assert_ok(reha_source_parse("x.json", cases[i].text, &source, &err), &err);
        const reha_place root = reha_place_root(&source);
        const reha_place key = reha_place_key(&root, cases[i].key);
        const reha_place item = reha_place_item(&key, cases[i].index);
        assert_int_equal(reha_place_line(&item), cases[i].line);
        reha_source_clear(&source);
    }
}

/* 15 MB, which a file may have, of brackets: parsed, the second would take 704 MiB before anybody could say
 * that it is no patient. */
static void test_files_that_would_fill_the_memory(void **state)
{
    static const char *const cases[] = {"[", "[],", "{},", "0,"};
    enum { BYTES = 15 << 20, PEAK_BYTES = 64 << 20 };
    (void)state;
    char *text = reha_alloc(BYTES + 1);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_source_text source = {0};
        const size_t length = strlen(cases[i]);
        for (size_t k = 0; k < BYTES; k++) {
            text[k] = k == 0 ? '[' : cases[i][(k - 1) % length];
        }
        text[BYTES] = '\0';
        const size_t peak_bytes = reha_mem_peak_rss_bytes();
        assert_int_equal(reha_source_parse("input.json", text, &source, &err), REHA_E_LIMIT);
        assert_non_null(strstr(err.text, "input.json: JSON whose values would take"));
        assert_true(reha_mem_peak_rss_bytes() - peak_bytes < PEAK_BYTES);
    }
    reha_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_spoilt_inputs),
                                       cmocka_unit_test(test_spoilt_earlier_plans),
                                       cmocka_unit_test(test_lines_are_found_in_odd_texts),
                                       cmocka_unit_test(test_files_that_would_fill_the_memory)};
    return cmocka_run_group_tests(tests, start, end);
}
