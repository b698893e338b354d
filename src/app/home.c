#include "app/home.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

reha_status app_home(const char *given, char **out, reha_error *err)
{
    const char *user = getenv("HOME");
    *out = NULL;
    given = given != NULL ? given : getenv("REHASCOPE_HOME");
    if (given == NULL && (user == NULL || user[0] == '\0')) {
        return reha_fail(err, REHA_E_ARG, "where are the records? Give --home DIR");
    }
    *out = given != NULL ? reha_strdup(given) : reha_path_join(user, ".local/share/rehascope");
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
}

reha_status app_open_clinic(const char *home, const char *models, bool must_exist, bool with_workers,
                            reha_clinic **out, reha_error *err)
{
    char *path = NULL;
    *out = NULL;
    (void)umask(S_IRWXG | S_IRWXO);
    REHA_TRY(app_home(home, &path, err));
    const reha_clinic_options options = {
        .home = path, .models_folder = models, .must_exist = must_exist, .with_workers = with_workers};
    const reha_status status = reha_clinic_open(&options, out, err);
    reha_free(path);
    return status;
}

bool app_clock_is_behind(reha_clinic *clinic, char text[APP_CLOCK_TEXT_BYTES])
{
    char now[REHA_TIMESTAMP_BYTES];
    json_t *list = NULL;
    const reha_actor actor = reha_actor_local();
    const reha_query newest = {.limit = 1};
    const reha_status status = reha_clinic_audit(clinic, &actor, &newest, &list, NULL);
    const json_t *last = json_array_get(json_object_get(list, "items"), 0);
    const char *at = reha_json_string(last, "at", "");
    reha_clock_timestamp(now);
    const bool is_behind = status == REHA_OK && strcmp(now, at) < 0;
    (void)snprintf(
        text, APP_CLOCK_TEXT_BYTES,
        is_behind ? "this machine's clock says %.16s UTC, the newest record is of %.16s: set the clock right"
                  : "%.16s UTC, the newest record is of %.16s",
        now, at);
    json_decref(list);
    return is_behind;
}

static reha_status read_line(char *out, size_t out_bytes, reha_error *err)
{
    if (fgets(out, (int)out_bytes, stdin) == NULL) {
        return reha_fail(err, REHA_E_ARG, "no password came on standard input");
    }
    const size_t length = strcspn(out, "\r\n");
    if (out[length] == '\0' && length + 1 == out_bytes) {
        return reha_fail(err, REHA_E_LIMIT, "the password is too long");
    }
    out[length] = '\0';
    return REHA_OK;
}

reha_status app_read_password(char *out, size_t out_bytes, reha_error *err)
{
    enum { AGAIN_BYTES = 300 };
    struct termios before;
    char again[AGAIN_BYTES];
    out[0] = '\0';
    if (isatty(STDIN_FILENO) == 0 || tcgetattr(STDIN_FILENO, &before) != 0) {
        return read_line(out, out_bytes, err);
    }
    struct termios silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    (void)fprintf(stderr, "Password: ");
    reha_status status = read_line(out, out_bytes, err);
    (void)fprintf(stderr, "\nAgain: ");
    if (status == REHA_OK) {
        status = read_line(again, sizeof again, err);
    }
    (void)fprintf(stderr, "\n");
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    if (status == REHA_OK && strcmp(out, again) != 0) {
        status = reha_fail(err, REHA_E_ARG, "the two passwords differ");
    }
    return status;
}
