#include "app/commands.h"
#include "app/home.h"
#include "app/terminal.h"
#include "base/memory.h"
#include "service/clinic.h"
#include "service/models.h"

#include <stddef.h>
#include <stdio.h>

typedef struct doctor_arguments {
    const char *models, *home;
    bool json;
} doctor_arguments;

static const app_option doctor_options[] = {
    {"models", APP_TEXT, "DIR", "folder of models (default: beside the program)",
     offsetof(doctor_arguments, models), 0, 0},
    {"home", APP_TEXT, "DIR",
     "these records, too: a fault if a signed report did not reach the archive for longer than a day, or if "
     "this clock stands before the newest record",
     offsetof(doctor_arguments, home), 0, 0},
    {"json", APP_FLAG, NULL, "as JSON on standard output", offsetof(doctor_arguments, json), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

enum { LATE_S = 24 * 3600, HOUR_S = 3600, ARCHIVE_TEXT_BYTES = 200 };

static void add_check(json_t *report, const char *name, bool is_ok, const char *text)
{
    (void)json_array_append_new(
        json_object_get(report, "checks"),
        json_pack("{s:s, s:b, s:s}", "name", name, "ok", is_ok ? 1 : 0, "text", text));
    if (!is_ok) {
        (void)json_object_set_new(report, "ok", json_false());
    }
}

/* More lines of the report. What failed or waits for less than a day is everyday work. */
static reha_status check_home(const char *home, json_t *report, reha_error *err)
{
    char text[ARCHIVE_TEXT_BYTES];
    reha_clinic *clinic = NULL;
    json_t *care = NULL;
    reha_status status = app_open_clinic(home, NULL, true, false, &clinic, err);
    if (status == REHA_OK) {
        status = reha_clinic_outbox_care(clinic, &care, err);
    }
    if (status == REHA_OK) {
        const json_int_t waiting_s = json_integer_value(json_object_get(care, "waiting_s"));
        const json_int_t failed_s = json_integer_value(json_object_get(care, "failed_s"));
        const bool is_late = waiting_s > LATE_S || failed_s > LATE_S;
        (void)snprintf(
            text, sizeof text,
            "%lld signed reports wait for the archive (up to %lld h), %lld failed (up to %lld h ago)%s",
            (long long)json_integer_value(json_object_get(care, "waiting")), (long long)(waiting_s / HOUR_S),
            (long long)json_integer_value(json_object_get(care, "failed")), (long long)(failed_s / HOUR_S),
            is_late ? ": rehascope outbox list tells why" : "");
        add_check(report, "archive", !is_late, text);
        char clock[APP_CLOCK_TEXT_BYTES];
        const bool is_behind = app_clock_is_behind(clinic, clock);
        add_check(report, "clock", !is_behind, clock);
    }
    json_decref(care);
    reha_clinic_close(clinic);
    return status;
}

static int run_doctor(const app_command *command, int argc, char **argv)
{
    doctor_arguments given = {0};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    json_t *report = NULL;
    char *models = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    reha_status status = given.models != NULL ? REHA_OK : reha_models_folder(&models, &err);
    if (status == REHA_OK) {
        status = reha_doctor(given.models != NULL ? given.models : models, &report, &err);
    }
    if (status == REHA_OK && given.home != NULL) {
        status = check_home(given.home, report, &err);
    }
    if (status != REHA_OK) {
        code = app_fail(status, &err);
    } else {
        const json_t *checks = json_object_get(report, "checks");
        code = json_is_true(json_object_get(report, "ok")) ? EXIT_DONE : EXIT_INPUT;
        if (given.json) {
            const int printed = app_print_json(report);
            code = printed > code ? printed : code;
        }
        for (size_t i = 0; !given.json && i < json_array_size(checks); i++) {
            const json_t *one = json_array_get(checks, i);
            (void)printf("%-5s %-14s %s\n", json_is_true(json_object_get(one, "ok")) ? "ok" : "FAULT",
                         reha_json_string(one, "name", ""), reha_json_string(one, "text", ""));
        }
    }
    json_decref(report);
    reha_free(models);
    return code;
}

const app_command app_doctor = {.name = "doctor",
                                .arguments = "",
                                .summary = "check this machine: processor, memory, models, a trial analysis",
                                .example = "rehascope doctor --home clinic",
                                .options = doctor_options,
                                .words_min = 0,
                                .words_max = 0,
                                .run = run_doctor};
