#include "app/commands.h"
#include "app/terminal.h"
#include "base/memory.h"
#include "service/models.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct model_arguments {
    const char *models;
    bool json;
} model_arguments;

static const app_option model_options[] = {
    {"models", APP_TEXT, "DIR", "folder of models (default: beside the program)",
     offsetof(model_arguments, models), 0, 0},
    {"json", APP_FLAG, NULL, "as JSON on standard output", offsetof(model_arguments, json), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static void print_list(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        (void)printf("%-27s %-10s %s\n", reha_json_string(entry, "task", ""),
                     reha_json_string(entry, "version", "none"), reha_json_string(entry, "title", ""));
        const char *fault = reha_json_string(entry, "fault", NULL);
        if (fault != NULL) {
            (void)printf("%-27s %s\n", "", fault);
        }
    }
}

static int run_model(const app_command *command, int argc, char **argv)
{
    model_arguments given = {0};
    const char *words[2];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    json_t *found = NULL;
    char *models = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    const bool is_list = strcmp(words[0], "list") == 0 && word_count == 1;
    if (!is_list && !(strcmp(words[0], "show") == 0 && word_count == 2)) {
        return app_wrong_use(command, "use 'list' or 'show TASK'");
    }
    reha_status status = given.models != NULL ? REHA_OK : reha_models_folder(&models, &err);
    if (status == REHA_OK) {
        const char *folder = given.models != NULL ? given.models : models;
        status = is_list ? reha_models_list(folder, &found, &err)
                         : reha_models_card(folder, words[1], &found, &err);
    }
    if (status != REHA_OK) {
        code = app_fail(status, &err);
    } else if (is_list && !given.json) {
        print_list(found);
        code = EXIT_DONE;
    } else {
        code = app_print_json(found);
    }
    json_decref(found);
    reha_free(models);
    return code;
}

const app_command app_model = {.name = "model",
                               .arguments = "list | show TASK",
                               .summary = "the installed models and their cards",
                               .example = "rehascope model show knee-oa",
                               .options = model_options,
                               .words_min = 1,
                               .words_max = 2,
                               .run = run_model};
