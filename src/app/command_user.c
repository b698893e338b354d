/* `rehascope user`: the accounts of a clinic, for whoever can read its key file. */
#include "app/commands.h"
#include "app/home.h"
#include "app/terminal.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { PASSWORD_BYTES = 300 };

typedef struct user_arguments {
    const char *home;
    const char *role;
    const char *display_name;
    bool json;
} user_arguments;

static const app_option user_options[] = {
    APP_HOME_OPTION(user_arguments),
    {"role", APP_TEXT, "ROLE", "physiotherapist, reviewer, administrator, researcher or read-only",
     offsetof(user_arguments, role), 0, 0},
    {"display-name", APP_TEXT, "TEXT", "how reports name the user", offsetof(user_arguments, display_name), 0,
     0},
    {"json", APP_FLAG, NULL, "as JSON on standard output", offsetof(user_arguments, json), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static void print_user(const json_t *user)
{
    (void)printf("%-20s %-16s %-8s %s\n", reha_json_string(user, "name", ""),
                 reha_json_string(user, "role", ""),
                 json_is_true(json_object_get(user, "active")) ? "active" : "off",
                 reha_json_string(user, "display_name", ""));
}

static reha_status add(reha_clinic *clinic, const reha_actor *actor, const char *name,
                       const user_arguments *given, json_t **out, reha_error *err)
{
    char password[PASSWORD_BYTES];
    json_t *state = NULL;
    REHA_TRY(reha_clinic_state(clinic, &state, err));
    const bool is_first = json_is_true(json_object_get(state, "setup_needed"));
    json_decref(state);
    if (is_first && strcmp(given->role, "administrator") != 0) {
        return reha_fail(err, REHA_E_ARG,
                         "the first account must be an administrator (--role administrator)");
    }
    REHA_TRY(app_read_password(password, sizeof password, err));
    json_t *in = json_pack("{s:s, s:s?, s:s, s:s}", "name", name, "display_name", given->display_name,
                           "password", password, "role", given->role);
    const reha_status status = in != NULL
                                   ? reha_clinic_user_add(clinic, actor, in, out, err)
                                   : reha_fail(err, REHA_E_ARG, "name and password must be UTF-8 text");
    json_decref(in);
    return status;
}

static reha_status change(reha_clinic *clinic, const reha_actor *actor, const char *name, json_t *in,
                          json_t **out, reha_error *err)
{
    const reha_status status =
        in != NULL ? reha_clinic_user_change(clinic, actor, name, REHA_ANY_VERSION, in, out, err)
                   : reha_fail(err, REHA_E_ARG, "the value must be UTF-8 text");
    json_decref(in);
    return status;
}

static reha_status change_password(reha_clinic *clinic, const reha_actor *actor, const char *name,
                                   json_t **out, reha_error *err)
{
    char password[PASSWORD_BYTES];
    REHA_TRY(app_read_password(password, sizeof password, err));
    return change(clinic, actor, name, json_pack("{s:s}", "password", password), out, err);
}

static int run_user(const app_command *command, int argc, char **argv)
{
    user_arguments given = {0};
    const char *words[2] = {NULL, NULL};
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    reha_clinic *clinic = NULL;
    json_t *out = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    const bool is_list = strcmp(words[0], "list") == 0;
    const bool is_add = strcmp(words[0], "add") == 0;
    const bool is_role = strcmp(words[0], "role") == 0;
    const bool is_known = is_list || is_add || is_role || strcmp(words[0], "password") == 0 ||
                          strcmp(words[0], "off") == 0 || strcmp(words[0], "on") == 0;
    if (!is_known || is_list != (word_count == 1)) {
        return app_wrong_use(command, "say list, or add, role, password, off or on with a NAME");
    }
    if ((is_add || is_role) && given.role == NULL) {
        return app_wrong_use(command, "--role is needed");
    }
    const reha_actor actor = reha_actor_local();
    reha_status status = app_open_clinic(given.home, NULL, !is_add, false, &clinic, &err);
    if (status == REHA_OK) {
        status = is_list  ? reha_clinic_users(clinic, &actor, &out, &err)
                 : is_add ? add(clinic, &actor, words[1], &given, &out, &err)
                 : is_role
                     ? change(clinic, &actor, words[1], json_pack("{s:s}", "role", given.role), &out, &err)
                 : strcmp(words[0], "password") == 0
                     ? change_password(clinic, &actor, words[1], &out, &err)
                     : change(clinic, &actor, words[1],
                              json_pack("{s:b}", "active", strcmp(words[0], "on") == 0), &out, &err);
    }
    code = status == REHA_OK ? app_print_items(out, given.json, print_user) : app_fail(status, &err);
    json_decref(out);
    reha_clinic_close(clinic);
    return code;
}

const app_command app_user = {.name = "user",
                              .arguments = "list | add NAME | role NAME | password NAME | off NAME | on NAME",
                              .summary = "accounts of a clinic (passwords come on standard input)",
                              .example = "rehascope user add anna --role physiotherapist --home clinic",
                              .options = user_options,
                              .words_min = 1,
                              .words_max = 2,
                              .run = run_user};
