#include "app/commands.h"
#include "app/terminal.h"
#include "recognition/audit.h"
#include "service/input.h"

#include <stddef.h>
#include <stdio.h>

typedef struct audit_arguments {
    const char *data;
    bool json;
} audit_arguments;

static const app_option audit_options[] = {
    {"data", APP_TEXT, "DIR", "labelled folder (labels.csv)", offsetof(audit_arguments, data), 0, 0},
    {"json", APP_FLAG, NULL, "the report as JSON on standard output", offsetof(audit_arguments, json), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static void print_report(const json_t *report)
{
    const char *name = NULL;
    json_t *split = NULL;
    const json_t *problems = json_object_get(report, "problems");
    const bool has_groups =
        json_object_get(report, "groups") != NULL; /* images that belong together, not patients */
    (void)printf("%s: %lld images of %lld %s\n", reha_json_string(report, "data", ""),
                 (long long)reha_json_number(report, "n", 0.0),
                 (long long)reha_json_number(report, has_groups ? "groups" : "patients", 0.0),
                 has_groups ? "groups" : "patients");
    json_object_foreach(json_object_get(report, "splits"), name, split)
    {
        (void)printf("  %-10s n %6lld   by grade", name, (long long)reha_json_number(split, "n", 0.0));
        const json_t *grades = json_object_get(split, "n_by_grade");
        for (size_t k = 0; k < json_array_size(grades); k++) {
            (void)printf(" %lld", (long long)json_integer_value(json_array_get(grades, k)));
        }
        (void)printf("   right %lld, left %lld\n", (long long)reha_json_number(split, "right", 0.0),
                     (long long)reha_json_number(split, "left", 0.0));
    }
    if (json_object_get(report, "brightness_auc") != NULL) {
        (void)printf("  brightness alone against disease: AUC %.3f\n",
                     reha_json_number(report, "brightness_auc", 0.5));
    }
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const json_t *one = json_array_get(problems, i);
        const json_t *examples = json_object_get(one, "examples");
        (void)printf("%s: %s (%lld)\n    do: %s\n    for example: %s\n",
                     reha_json_string(one, "severity", ""), reha_json_string(one, "what", ""),
                     (long long)reha_json_number(one, "count", 0.0), reha_json_string(one, "do", ""),
                     json_string_value(json_array_get(examples, 0)));
    }
    if (json_array_size(problems) == 0) {
        (void)printf("no problems found\n");
    }
}

static int run_audit(const app_command *command, int argc, char **argv)
{
    audit_arguments given = {0};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    json_t *report = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    if (given.data == NULL) {
        return app_wrong_use(command, "--data is needed");
    }
    const reha_recogniser *recogniser = reha_recogniser_find(words[0]);
    if (recogniser == NULL || recogniser->audit == NULL) {
        return app_fail(
            reha_fail(&err, REHA_E_NOT_FOUND, "no task '%.40s'; see 'rehascope model list'", words[0]), &err);
    }
    const reha_progress progress = app_progress();
    const reha_status status = recogniser->audit(given.data, reha_input_load_gray, &progress, &report, &err);
    app_progress_end();
    if (status != REHA_OK) {
        return app_fail(status, &err);
    }
    if (given.json) {
        code = app_print_json(report);
    } else {
        print_report(report);
        code = EXIT_DONE;
    }
    const size_t errors = reha_audit_error_count(report);
    if (code == EXIT_DONE && errors > 0) { /* a script must be able to stop here */
        (void)fprintf(stderr, "rehascope audit-data: %zu %s: train and evaluate when %s mended\n", errors,
                      errors == 1 ? "problem is an error" : "problems are errors",
                      errors == 1 ? "it is" : "they are");
        code = EXIT_INPUT;
    }
    json_decref(report);
    return code;
}

const app_command app_audit_data = {
    .name = "audit-data",
    .arguments = "TASK --data DIR",
    .summary = "find what would spoil a training or an evaluation (errors: exit code 1)",
    .example = "rehascope audit-data knee-oa --data knees",
    .options = audit_options,
    .words_min = 1,
    .words_max = 1,
    .run = run_audit};
