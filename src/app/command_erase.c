/* `rehascope erase`: a patient leaves a clinic's records for good. */
#include "app/commands.h"
#include "app/home.h"
#include "app/terminal.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 300 };

typedef struct erase_arguments {
    const char *home;
    const char *reason;
    bool json;
} erase_arguments;

static const app_option erase_options[] = {
    APP_HOME_OPTION(erase_arguments),
    {"reason", APP_TEXT, "WORD", "request (of the patient), keeping-over, no-basis or mistake",
     offsetof(erase_arguments, reason), 0, 0},
    {"json", APP_FLAG, NULL, "the report as JSON on standard output", offsetof(erase_arguments, json), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

/* The pseudonym once more, from standard input: a slip in the argument must not be enough. */
static reha_status read_again(char out[LINE_BYTES], reha_error *err)
{
    if (isatty(STDIN_FILENO) != 0) {
        (void)fprintf(stderr, "This erases the patient for good. Type the pseudonym again: ");
    }
    if (fgets(out, LINE_BYTES, stdin) == NULL) {
        return reha_fail(err, REHA_E_ARG, "type the pseudonym again, on standard input; nothing was erased");
    }
    out[strcspn(out, "\r\n")] = '\0';
    return REHA_OK;
}

static reha_status erase(reha_clinic *clinic, const char *patient, const char *reason, json_t **report,
                         reha_error *err)
{
    char again[LINE_BYTES] = "";
    const reha_actor actor = reha_actor_local();
    REHA_TRY(read_again(again, err));
    json_t *in = json_pack("{s:s, s:s}", "pseudonym", again, "reason", reason);
    const reha_status status =
        in != NULL ? reha_clinic_erase(clinic, &actor, patient, REHA_ANY_VERSION, in, report, err)
                   : reha_fail(err, REHA_E_ARG, "pseudonym and reason must be UTF-8 text");
    json_decref(in);
    return status;
}

static void print_report(const json_t *report)
{
    (void)printf("%s: erased, with %lld studies and %lld images; the audit log says so, without a name\n",
                 reha_json_string(report, "patient_id", ""),
                 (long long)json_integer_value(json_object_get(report, "studies")),
                 (long long)json_integer_value(json_object_get(report, "images")));
    (void)printf("Backups made before now still hold the patient: destroy them, or erase again in whatever "
                 "is restored from them.\n");
    if (json_integer_value(json_object_get(report, "sent")) > 0) {
        (void)printf("%lld signed reports of the patient went to the archive: ask there for their removal.\n",
                     (long long)json_integer_value(json_object_get(report, "sent")));
    }
    if (!json_is_true(json_object_get(report, "wiped"))) {
        (void)fprintf(stderr, "Somebody reads the records now: the last traces in the files are wiped when "
                              "they are opened next.\n");
    }
}

static int run_erase(const app_command *command, int argc, char **argv)
{
    erase_arguments given = {0};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    reha_clinic *clinic = NULL;
    json_t *report = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    if (given.reason == NULL) {
        return app_wrong_use(command, "--reason is needed: it stands in the audit log");
    }
    reha_status status = app_open_clinic(given.home, NULL, true, false, &clinic, &err);
    if (status == REHA_OK) {
        status = erase(clinic, words[0], given.reason, &report, &err);
    }
    if (status != REHA_OK) {
        code = app_fail(status, &err);
    } else if (given.json) {
        code = app_print_json(report);
    } else {
        print_report(report);
        code = EXIT_DONE;
    }
    json_decref(report);
    reha_clinic_close(clinic);
    return code;
}

const app_command app_erase = {.name = "erase",
                               .arguments = "PATIENT",
                               .summary =
                                   "erase a patient (id or pseudonym) from a clinic's records, for good",
                               .example = "rehascope erase P-7KQ2MX --reason request --home clinic",
                               .options = erase_options,
                               .words_min = 1,
                               .words_max = 1,
                               .run = run_erase};
