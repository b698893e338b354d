/* `rehascope import`: images of this machine into a clinic's records. */
#include "app/commands.h"
#include "app/home.h"
#include "app/terminal.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct import_arguments {
    const char *home;
    const char *patient;
    const char *date;
    const char *task;
    double mm_per_px;
    bool json;
} import_arguments;

static const app_option import_options[] = {
    APP_HOME_OPTION(import_arguments),
    {"patient", APP_TEXT, "ID", "file them under this patient (default: by the DICOM patient number)",
     offsetof(import_arguments, patient), 0, 0},
    {"date", APP_TEXT, "DATE", "date of pictures, 2026-01-31 (default: today)",
     offsetof(import_arguments, date), 0, 0},
    {"task", APP_TEXT, "TASK", "the recogniser to ask (default: by what the image is)",
     offsetof(import_arguments, task), 0, 0},
    {"mm-per-px", APP_NUMBER, "X", "scale of pictures", offsetof(import_arguments, mm_per_px), 0.001, 10},
    {"json", APP_FLAG, NULL, "the answer as JSON on standard output", offsetof(import_arguments, json), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static int print_answer(const json_t *answer)
{
    const json_t *items = json_object_get(answer, "items");
    int refused = 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *fault = reha_json_string(json_object_get(item, "error"), "text", NULL);
        (void)printf("%s: %s%s%s\n", reha_json_string(item, "name", ""),
                     reha_json_string(item, "outcome", ""), fault != NULL ? ": " : "",
                     fault != NULL ? fault : "");
        refused += fault != NULL ? 1 : 0;
    }
    if (json_array_size(items) == 0) {
        (void)fprintf(stderr, "rehascope import: there are no files\n");
    }
    return refused > 0 || json_array_size(items) == 0 ? EXIT_INPUT : EXIT_DONE;
}

static bool has_refused(const json_t *answer)
{
    const json_t *items = json_object_get(answer, "items");
    bool refused = json_array_size(items) == 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        refused =
            refused || strcmp(reha_json_string(json_array_get(items, i), "outcome", ""), "refused") == 0;
    }
    return refused;
}

static int run_import(const app_command *command, int argc, char **argv)
{
    import_arguments given = {0};
    static const char *words[APP_PATHS_MAX];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    reha_clinic *clinic = NULL;
    json_t *answer = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    const reha_actor actor = reha_actor_local();
    const reha_upload_options options = {.patient_id = given.patient,
                                         .image_date = given.date,
                                         .mm_per_px = given.mm_per_px,
                                         .task = given.task};
    reha_status status = app_open_clinic(given.home, NULL, true, false, &clinic, &err);
    if (status == REHA_OK) {
        status = reha_clinic_import(clinic, &actor, words, (size_t)word_count, &options, &answer, &err);
    }
    if (status != REHA_OK) {
        code = app_fail(status, &err);
    } else if (given.json) {
        code = app_print_json(answer);
        code = code == EXIT_DONE && has_refused(answer) ? EXIT_INPUT : code;
    } else {
        code = print_answer(answer);
    }
    json_decref(answer);
    reha_clinic_close(clinic);
    return code;
}

const app_command app_import = {.name = "import",
                                .arguments = "PATH...",
                                .summary = "store images, folders or zip archives in a clinic's records",
                                .example = "rehascope import /media/cdrom --home clinic",
                                .options = import_options,
                                .words_min = 1,
                                .words_max = APP_PATHS_MAX,
                                .run = run_import};
