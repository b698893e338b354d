/* `rehascope audit`, `backup` and `restore`: what an administrator does with a clinic's records. */
#include "app/commands.h"
#include "app/home.h"
#include "app/terminal.h"
#include "base/file.h"
#include "base/memory.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct records_arguments {
    const char *home;
    const char *out;
    bool no_files;
    bool json;
} records_arguments;

static const app_option audit_options[] = {
    APP_HOME_OPTION(records_arguments),
    {"out", APP_TEXT, "FILE", "export: where to (default: standard output)", offsetof(records_arguments, out),
     0, 0},
    {"no-files", APP_FLAG, NULL, "verify: the chain and the database only, not every stored file",
     offsetof(records_arguments, no_files), 0, 0},
    {"json", APP_FLAG, NULL, "verify: the report as JSON", offsetof(records_arguments, json), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static const app_option copy_options[] = {
    APP_HOME_OPTION(records_arguments),
    {"json", APP_FLAG, NULL, "the report as JSON", offsetof(records_arguments, json), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static long long number_of(const json_t *report, const char *key)
{
    return (long long)json_integer_value(json_object_get(report, key));
}

static int verify(reha_clinic *clinic, const records_arguments *given, reha_error *err)
{
    json_t *report = NULL;
    const reha_actor actor = reha_actor_local();
    const reha_status status = reha_clinic_audit_verify(clinic, &actor, !given->no_files, &report, err);
    if (status != REHA_OK) {
        return app_fail(status, err);
    }
    const bool is_ok = json_is_true(json_object_get(report, "ok"));
    int code = is_ok ? EXIT_DONE : EXIT_INPUT;
    if (given->json) {
        const int printed = app_print_json(report);
        code = printed != EXIT_DONE ? printed : code;
    } else if (is_ok) {
        (void)printf("whole: %lld audit records, %lld files\n", number_of(report, "events"),
                     number_of(report, "blobs"));
    } else {
        (void)printf("ALTERED: %s (%lld of %lld files are bad)\n", reha_json_string(report, "fault", ""),
                     number_of(report, "blobs_bad"), number_of(report, "blobs"));
    }
    json_decref(report);
    return code;
}

static int export_log(reha_clinic *clinic, const records_arguments *given, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    const reha_actor actor = reha_actor_local();
    reha_status status = reha_clinic_audit_export(clinic, &actor, &bytes, &count, err);
    if (status == REHA_OK && given->out != NULL) {
        status = reha_file_save(given->out, bytes, count, err);
    } else if (status == REHA_OK && fwrite(bytes, 1, count, stdout) != count) {
        status = reha_fail(err, REHA_E_IO, "standard output cannot be written");
    }
    reha_free(bytes);
    return status == REHA_OK ? EXIT_DONE : app_fail(status, err);
}

static int run_audit(const app_command *command, int argc, char **argv)
{
    records_arguments given = {0};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    reha_clinic *clinic = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    const bool is_verify = strcmp(words[0], "verify") == 0;
    if (!is_verify && strcmp(words[0], "export") != 0) {
        return app_wrong_use(command, "say verify or export");
    }
    const reha_status status = app_open_clinic(given.home, NULL, true, false, &clinic, &err);
    if (status != REHA_OK) {
        return app_fail(status, &err);
    }
    code = is_verify ? verify(clinic, &given, &err) : export_log(clinic, &given, &err);
    reha_clinic_close(clinic);
    return code;
}

static int run_backup(const app_command *command, int argc, char **argv)
{
    records_arguments given = {0};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    reha_clinic *clinic = NULL;
    json_t *report = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    const reha_actor actor = reha_actor_local();
    reha_status status = app_open_clinic(given.home, NULL, true, false, &clinic, &err);
    if (status == REHA_OK) {
        status = reha_clinic_backup(clinic, &actor, words[0], &report, &err);
    }
    if (status != REHA_OK) {
        code = app_fail(status, &err);
    } else if (given.json) {
        code = app_print_json(report);
    } else {
        (void)printf("%s: %lld files, %.1f MiB; it holds the key: keep it as safe as the records\n", words[0],
                     number_of(report, "blobs"), (double)number_of(report, "bytes") / 1048576.0);
        code = EXIT_DONE;
    }
    json_decref(report);
    reha_clinic_close(clinic);
    return code;
}

static int run_restore(const app_command *command, int argc, char **argv)
{
    records_arguments given = {0};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    json_t *report = NULL;
    char *home = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    reha_status status = app_home(given.home, &home, &err);
    if (status == REHA_OK) {
        status = reha_clinic_restore(words[0], home, &report, &err);
    }
    if (status != REHA_OK) {
        code = app_fail(status, &err);
    } else if (given.json) {
        code = app_print_json(report);
    } else {
        (void)printf("%s: restored; %lld audit records and %lld files are whole\n", home,
                     number_of(report, "events"), number_of(report, "blobs"));
        code = EXIT_DONE;
    }
    json_decref(report);
    reha_free(home);
    return code;
}

const app_command app_audit = {.name = "audit",
                               .arguments = "verify | export",
                               .summary =
                                   "check that nothing in a clinic's records was altered; export the log",
                               .example = "rehascope audit verify --home clinic",
                               .options = audit_options,
                               .words_min = 1,
                               .words_max = 1,
                               .run = run_audit};

const app_command app_backup = {.name = "backup",
                                .arguments = "FOLDER",
                                .summary = "copy a clinic's records into a new folder, while it works",
                                .example = "rehascope backup /backup/2026-01-31 --home clinic",
                                .options = copy_options,
                                .words_min = 1,
                                .words_max = 1,
                                .run = run_backup};

const app_command app_restore = {.name = "restore",
                                 .arguments = "BACKUP",
                                 .summary = "make a clinic's records from a backup, after checking it",
                                 .example = "rehascope restore /backup/2026-01-31 --home clinic",
                                 .options = copy_options,
                                 .words_min = 1,
                                 .words_max = 1,
                                 .run = run_restore};
