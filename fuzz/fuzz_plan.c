/* Inputs of plans and earlier plans: any bytes end in a status. What was read makes a plan or an input
 * fault, and a plan that we made passes our own check. Run from the root of the tree (guidelines/). */
#include "base/memory.h"
#include "rehab/plan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const reha_guideline *guidelines(void)
{
    static reha_guideline *loaded; /* lives as long as the fuzzer */
    if (loaded == NULL && reha_guideline_load("guidelines", &loaded, NULL) != REHA_OK) {
        abort();
    }
    return loaded;
}

static void check_own(const json_t *plan)
{
    char *text = NULL;
    reha_source_text source = {0};
    if (reha_json_format(plan, &text, NULL) == REHA_OK &&
        reha_source_parse("plan", text, &source, NULL) == REHA_OK &&
        reha_plan_check(&source, NULL) != REHA_OK) {
        abort();
    }
    reha_source_clear(&source);
    reha_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    reha_source_text source = {0};
    char *text = reha_strndup((const char *)data, size);
    reha_plan_input *input = reha_alloc_zero(1, sizeof *input);
    if (text != NULL && input != NULL && reha_source_parse("input", text, &source, NULL) == REHA_OK) {
        const reha_guideline *g = guidelines();
        json_t *plan = NULL;
        json_t *next = NULL;
        if (reha_plan_input_read(&source, &g->facts, input, NULL) == REHA_OK) {
            const reha_plan_request first = {.guideline = g, .input = input, .why = true};
            const reha_status status = reha_plan_make(&first, &plan, NULL);
            if (status == REHA_OK) {
                const reha_plan_request second = {.guideline = g, .input = input, .previous = plan};
                check_own(plan);
                (void)!reha_plan_make(&second, &next, NULL);
            } else if (!reha_status_is_input_fault(status)) {
                abort();
            }
        }
        (void)!reha_plan_check(&source, NULL);
        json_decref(next);
        json_decref(plan);
    }
    reha_source_clear(&source);
    reha_free(input);
    reha_free(text);
    return 0;
}
