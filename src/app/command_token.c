/* `rehascope token`: how programs of other systems show who they are, for whoever can read the clinic's key
 * file. */
#include "app/commands.h"
#include "app/home.h"
#include "app/terminal.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct token_arguments {
    const char *home;
    const char *role;
    int days;
    bool json;
} token_arguments;

static const app_option token_options[] = {
    APP_HOME_OPTION(token_arguments),
    {"role", APP_TEXT, "ROLE", "read-only, or researcher (pseudonyms only)", offsetof(token_arguments, role),
     0, 0},
    {"days", APP_INTEGER, "N", "until it expires (365)", offsetof(token_arguments, days), 1,
     REHA_ACCESS_DAYS_MAX},
    {"json", APP_FLAG, NULL, "as JSON on standard output", offsetof(token_arguments, json), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static void print_token(const json_t *token)
{
    const bool is_revoked = json_is_string(json_object_get(token, "revoked_at"));
    (void)printf("%s %-12s %-8s until %.10s, last used %.10s  %s\n", reha_json_string(token, "id", ""),
                 reha_json_string(token, "role", ""),
                 is_revoked                                       ? "revoked"
                 : json_is_true(json_object_get(token, "active")) ? "active"
                                                                  : "expired",
                 reha_json_string(token, "expires_at", ""), reha_json_string(token, "last_used_at", "never"),
                 reha_json_string(token, "name", ""));
}

static int print_new(json_t *out, const char *text, bool as_json)
{
    if (as_json) {
        (void)json_object_set_new(out, "token", json_string(text));
        return app_print_json(out);
    }
    (void)printf("%s\n", text);
    (void)fprintf(stderr, "Shown this once; id %s, until %.10s.\n", reha_json_string(out, "id", ""),
                  reha_json_string(out, "expires_at", ""));
    return EXIT_DONE;
}

static reha_status add(reha_clinic *clinic, const reha_actor *actor, const char *name,
                       const token_arguments *given, char text[REHA_ACCESS_TOKEN_BYTES], json_t **out,
                       reha_error *err)
{
    json_t *in = json_pack("{s:s, s:s}", "name", name, "role", given->role);
    if (in != NULL && given->days > 0) {
        (void)json_object_set_new(in, "days", json_integer(given->days));
    }
    const reha_status status = in != NULL ? reha_clinic_token_add(clinic, actor, in, text, out, err)
                                          : reha_fail(err, REHA_E_ARG, "name and role must be UTF-8 text");
    json_decref(in);
    return status;
}

static int run_token(const app_command *command, int argc, char **argv)
{
    token_arguments given = {0};
    const char *words[2] = {NULL, NULL};
    int word_count = 0;
    char text[REHA_ACCESS_TOKEN_BYTES] = "";
    reha_error err = REHA_ERROR_INIT;
    reha_clinic *clinic = NULL;
    json_t *out = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    const bool is_list = strcmp(words[0], "list") == 0;
    const bool is_add = strcmp(words[0], "add") == 0;
    if (!(is_list || is_add || strcmp(words[0], "revoke") == 0) || is_list != (word_count == 1)) {
        return app_wrong_use(command, "say list, add NAME or revoke ID");
    }
    if (is_add && given.role == NULL) {
        return app_wrong_use(command, "--role is needed");
    }
    const reha_actor actor = reha_actor_local();
    reha_status status = app_open_clinic(given.home, NULL, true, false, &clinic, &err);
    if (status == REHA_OK) {
        status = is_list  ? reha_clinic_tokens(clinic, &actor, &out, &err)
                 : is_add ? add(clinic, &actor, words[1], &given, text, &out, &err)
                          : reha_clinic_token_revoke(clinic, &actor, words[1], &out, &err);
    }
    code = status != REHA_OK ? app_fail(status, &err)
           : is_add          ? print_new(out, text, given.json)
                             : app_print_items(out, given.json, print_token);
    json_decref(out);
    reha_clinic_close(clinic);
    return code;
}

const app_command app_token = {.name = "token",
                               .arguments = "list | add NAME | revoke ID",
                               .summary = "access tokens for programs of other systems (FHIR)",
                               .example = "rehascope token add ward-system --role read-only --home clinic",
                               .options = token_options,
                               .words_min = 1,
                               .words_max = 2,
                               .run = run_token};
