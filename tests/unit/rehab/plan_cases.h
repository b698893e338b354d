/* The golden patients of tests/golden/plans, read and planned. Shared by the tests of plans. */
#ifndef REHA_TESTS_PLAN_CASES_H
#define REHA_TESTS_PLAN_CASES_H

#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "rehab/plan.h"

#include <string.h>

#define GUIDELINES REHA_SOURCE_DIR "/guidelines"
#define GOLDEN     REHA_SOURCE_DIR "/tests/golden/plans"

static inline reha_guideline *load_guidelines(void)
{
    reha_error err = REHA_ERROR_INIT;
    reha_guideline *guideline = NULL;
    assert_ok(reha_guideline_load(GUIDELINES, &guideline, &err), &err);
    return guideline;
}

/* What a golden case puts in; json_decref it. */
static inline json_t *input_of(const char *name)
{
    char path[300];
    reha_error err = REHA_ERROR_INIT;
    json_t *one = NULL;
    (void)snprintf(path, sizeof path, "%s/%s.json", GOLDEN, name);
    assert_ok(reha_json_load(path, &one, &err), &err);
    json_t *input = json_incref(json_object_get(one, "input"));
    json_decref(one);
    return input;
}

/* A plan for an input as JSON; the status is the caller's to judge. */
static inline reha_status plan_of(const reha_guideline *guideline, const json_t *json, const json_t *previous,
                                  bool why, json_t **out, reha_error *err)
{
    char *text = NULL;
    reha_source_text source = {0};
    reha_plan_input *input = reha_alloc_zero(1, sizeof *input);
    *out = NULL;
    assert_non_null(input);
    assert_int_equal(reha_json_format(json, &text, NULL), REHA_OK);
    reha_status status = reha_source_parse("case", text, &source, err);
    if (status == REHA_OK) {
        status = reha_plan_input_read(&source, &guideline->facts, input, err);
    }
    if (status == REHA_OK) {
        const reha_plan_request request = {
            .guideline = guideline, .input = input, .previous = previous, .why = why};
        status = reha_plan_make(&request, out, err);
    }
    reha_source_clear(&source);
    reha_free(text);
    reha_free(input);
    return status;
}

/* The plan of a golden case (after its previous one, where it has one). */
static inline reha_status plan_of_case(const reha_guideline *guideline, const json_t *one, json_t **out,
                                       reha_error *err)
{
    json_t *previous = NULL;
    const json_t *before = json_object_get(one, "previous");
    if (before != NULL) {
        assert_ok(plan_of(guideline, before, NULL, false, &previous, err), err);
    }
    const reha_status status = plan_of(guideline, json_object_get(one, "input"), previous, false, out, err);
    json_decref(previous);
    return status;
}

static inline bool list_has(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *item = json_string_value(json_array_get(list, i));
        if (item != NULL && strcmp(item, text) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether an object of the list has `text` under `key`. */
static inline bool any_has(const json_t *list, const char *key, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (strcmp(reha_json_string(json_array_get(list, i), key, ""), text) == 0) {
            return true;
        }
    }
    return false;
}

static inline const json_t *phase_of(const json_t *plan, const char *state)
{
    const json_t *phases = json_object_get(plan, "phases");
    for (size_t i = 0; i < json_array_size(phases); i++) {
        if (strcmp(reha_json_string(json_array_get(phases, i), "state", ""), state) == 0) {
            return json_array_get(phases, i);
        }
    }
    return NULL;
}

#endif
