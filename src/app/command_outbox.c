/* `rehascope outbox`: what went to the archive by itself, and what did not. */
#include "app/commands.h"
#include "app/home.h"
#include "app/terminal.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct outbox_arguments {
    const char *home;
    const char *state;
    bool json;
} outbox_arguments;

static const app_option outbox_options[] = {
    APP_HOME_OPTION(outbox_arguments),
    {"state", APP_TEXT, "STATE", "list only those: waiting, sent, failed or dropped",
     offsetof(outbox_arguments, state), 0, 0},
    {"json", APP_FLAG, NULL, "as JSON on standard output", offsetof(outbox_arguments, json), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static void print_letter(const json_t *letter)
{
    const char *reason = reha_json_string(letter, "reason", NULL);
    const char *to = reha_json_string(letter, "destination", NULL);
    const json_t *patient = json_object_get(letter, "patient");
    (void)printf("%s  %-7s  %s  %s, signed %.16s", reha_json_string(letter, "id", ""),
                 reha_json_string(letter, "state", ""), reha_json_string(letter, "study_id", ""),
                 reha_json_string(patient, "pseudonym", "no patient"),
                 reha_json_string(letter, "created_at", ""));
    if (to != NULL) {
        (void)printf(", %zu objects to %s at %.16s", json_array_size(json_object_get(letter, "objects")), to,
                     reha_json_string(letter, "ended_at", ""));
    }
    if (json_is_string(json_object_get(letter, "withdrawn_at")) && to != NULL) {
        (void)printf("; withdrawn since: tell the archive");
    }
    if (reason != NULL) {
        (void)printf("; after %lld tries: %s",
                     (long long)json_integer_value(json_object_get(letter, "tries")), reason);
    }
    if (json_is_string(json_object_get(letter, "due_at"))) {
        (void)printf(" (again at %.19sZ)", reha_json_string(letter, "due_at", ""));
    }
    (void)printf("\n");
}

static int print_list(const json_t *list, bool as_json)
{
    const json_t *items = json_object_get(list, "items");
    const json_t *counts = json_object_get(list, "counts");
    const char *key = NULL;
    const json_t *count = NULL;
    const char *comma = "";
    if (as_json) {
        return app_print_json(list);
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        print_letter(json_array_get(items, i));
    }
    json_object_foreach((json_t *)(uintptr_t)counts, key, count)
    {
        (void)printf("%s%lld %s", comma, (long long)json_integer_value(count), key);
        comma = ", ";
    }
    (void)printf("\n");
    return EXIT_DONE;
}

static int run_outbox(const app_command *command, int argc, char **argv)
{
    outbox_arguments given = {0};
    const char *words[2] = {NULL, NULL};
    int word_count = 0;
    int64_t count = 0;
    reha_error err = REHA_ERROR_INIT;
    reha_clinic *clinic = NULL;
    json_t *out = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    const bool is_list = strcmp(words[0], "list") == 0;
    const bool gives_up = strcmp(words[0], "give-up") == 0;
    if (!(is_list || gives_up || strcmp(words[0], "again") == 0) || is_list != (word_count == 1)) {
        return app_wrong_use(command, "say list, again ID, again all or give-up ID");
    }
    const reha_actor actor = reha_actor_local();
    reha_status status = app_open_clinic(given.home, NULL, true, false, &clinic, &err);
    if (status == REHA_OK && is_list) {
        status = reha_clinic_outbox(clinic, &actor, given.state, &out, &err);
    } else if (status == REHA_OK && gives_up) {
        status = reha_clinic_outbox_give_up(clinic, &actor, words[1], &err);
        out = json_pack("{s:i}", "given_up", 1);
    } else if (status == REHA_OK) {
        status = reha_clinic_outbox_again(clinic, &actor, strcmp(words[1], "all") == 0 ? NULL : words[1],
                                          &count, &err);
        out = json_pack("{s:I}", "again", (json_int_t)count);
    }
    if (status != REHA_OK) {
        code = app_fail(status, &err);
    } else if (is_list) {
        code = print_list(out, given.json);
    } else if (given.json) {
        code = app_print_json(out);
    } else {
        (void)(gives_up ? printf("the report is not sent any more\n")
                        : printf("%lld reports are tried again by the server\n", (long long)count));
        code = EXIT_DONE;
    }
    json_decref(out);
    reha_clinic_close(clinic);
    return code;
}

const app_command app_outbox = {.name = "outbox",
                                .arguments = "list | again ID | again all | give-up ID",
                                .summary =
                                    "signed reports on their way to the archive (serve --dicom-send-to)",
                                .example = "rehascope outbox list --state failed --home clinic",
                                .options = outbox_options,
                                .words_min = 1,
                                .words_max = 2,
                                .run = run_outbox};
