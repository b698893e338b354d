#include "recognition/audit_priv.h"

#include "recognition/audit.h"

#include <string.h>

enum { EXAMPLES_MAX = 8 };

reha_problem reha_problem_new(const char *code, const char *severity, const char *what, const char *remedy)
{
    return (reha_problem){{code, severity, what, remedy}, 0, json_array()};
}

void reha_problem_add(reha_problem *found, const char *first, const char *second)
{
    found->count++;
    if (json_array_size(found->examples) < EXAMPLES_MAX) {
        json_t *example = reha_json_text(first);
        if (second != NULL) {
            json_t *other = reha_json_text(second);
            json_t *pair = json_sprintf("%s = %s", json_string_value(example), json_string_value(other));
            json_decref(example);
            json_decref(other);
            example = pair;
        }
        (void)json_array_append_new(found->examples, example);
    }
}

void reha_problem_close(json_t *problems, reha_problem *found)
{
    if (found->count > 0 && problems != NULL) {
        (void)json_array_append_new(
            problems, json_pack("{s:s, s:s, s:I, s:s, s:s, s:O}", "code", found->text.code, "severity",
                                found->text.severity, "count", (json_int_t)found->count, "what",
                                found->text.what, "do", found->text.remedy, "examples", found->examples));
    }
    json_decref(found->examples);
    found->examples = NULL;
}

void reha_problems_open(const reha_problem_text *texts, size_t count, reha_problem *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = (reha_problem){texts[i], 0, json_array()};
    }
}

void reha_problems_close(json_t *problems, reha_problem *found, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        reha_problem_close(problems, &found[i]);
    }
}

size_t reha_audit_error_count(const json_t *report)
{
    const json_t *problems = json_object_get(report, "problems");
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(problems); i++) {
        count += strcmp(reha_json_string(json_array_get(problems, i), "severity", ""), "error") == 0 ? 1 : 0;
    }
    return count;
}
