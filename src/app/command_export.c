/* `rehascope export`: a study's results as DICOM objects, for the archive that its images came from. */
#include "app/commands.h"
#include "app/home.h"
#include "app/terminal.h"

#include <stddef.h>
#include <stdio.h>

typedef struct export_arguments {
    const char *home, *out;
    bool json;
} export_arguments;

static const app_option export_options[] = {
    APP_HOME_OPTION(export_arguments),
    {"out", APP_TEXT, "DIR", "where to: a new or an empty folder (needed)", offsetof(export_arguments, out),
     0, 0},
    {"json", APP_FLAG, NULL, "what was written as JSON on standard output", offsetof(export_arguments, json),
     0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static int print_files(const reha_export *files, const export_arguments *given)
{
    json_t *names = json_array();
    for (size_t i = 0; i < files->count; i++) {
        if (!given->json) {
            (void)printf("%s/%s\n", given->out, files->files[i].name);
        }
        (void)json_array_append_new(names, json_string(files->files[i].name));
    }
    json_t *report = json_pack("{s:s, s:o}", "folder", given->out, "files", names);
    const int code = given->json ? app_print_json(report) : EXIT_DONE;
    json_decref(report);
    return code;
}

static int run_export(const app_command *command, int argc, char **argv)
{
    export_arguments given = {0};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    reha_clinic *clinic = NULL;
    reha_export files = {.files = NULL};
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    if (given.out == NULL) {
        return app_wrong_use(command, "--out DIR is needed");
    }
    const reha_actor actor = reha_actor_local();
    reha_status status = app_open_clinic(given.home, NULL, true, false, &clinic, &err);
    if (status == REHA_OK) {
        status = reha_clinic_export(clinic, &actor, words[0], &files, &err);
    }
    if (status == REHA_OK) {
        status = reha_export_save(&files, given.out, &err);
    }
    code = status == REHA_OK ? print_files(&files, &given) : app_fail(status, &err);
    reha_export_clear(&files);
    reha_clinic_close(clinic);
    return code;
}

const app_command app_export = {.name = "export",
                                .arguments = "STUDY",
                                .summary =
                                    "write a study's results as DICOM objects for the hospital's archive",
                                .example = "rehascope export 01J9ZK3V5M --out for-the-archive --home clinic",
                                .options = export_options,
                                .words_min = 1,
                                .words_max = 1,
                                .run = run_export};
