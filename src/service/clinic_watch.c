/* The watched folder: what lies there long enough to be complete is stored and taken away; what is refused
 * goes to .refused in it, for somebody to look at. */
#include "service/clinic_priv.h"

#include "base/file.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILES_MAX = 10000, QUIET_S = 5 };

/* A file that nobody wrote to for a while: copies over a network take their time. */
static bool is_quiet(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && time(NULL) - info.st_mtime >= QUIET_S;
}

static void put_aside(const char *inbox, const char *path, const char *reason)
{
    char folder[PATH_MAX];
    char target[PATH_MAX];
    char id[REHA_IDENTIFIER_BYTES];
    reha_identifier_new(id); /* two files of one name stay two */
    (void)snprintf(folder, sizeof folder, "%s/.refused", inbox);
    (void)snprintf(target, sizeof target, "%.3900s/%s", folder, id);
    const bool is_moved = reha_folder_make(folder, NULL) == REHA_OK && rename(path, target) == 0;
    reha_log(REHA_LOG_WARN, "inbox.refused", "file=%s moved=%d status=%s", id, is_moved ? 1 : 0, reason);
}

static void take_file(reha_clinic *clinic, const char *inbox, const char *path)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *answer = NULL;
    const reha_actor system = clinic_system_actor();
    const reha_upload_options how = {.task = clinic->inbox_task};
    const reha_status status = reha_clinic_import(clinic, &system, &path, 1, &how, &answer, &err);
    if (status != REHA_OK) {
        reha_log(REHA_LOG_ERROR, "inbox.failed", "status=%s",
                 reha_status_name(status)); /* ours: tried again later */
        return;
    }
    const json_t *items = json_object_get(answer, "items");
    const char *reason = json_array_size(items) == 0 ? "empty" : NULL;
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *error = json_object_get(json_array_get(items, i), "error");
        reason = json_is_object(error) ? reha_json_string(error, "code", "refused") : reason;
    }
    if (reason != NULL) {
        put_aside(inbox, path, reason);
    } else if (unlink(path) != 0) { /* it is stored, sealed: the open copy must not stay */
        put_aside(inbox, path, "cannot-be-removed");
    }
    json_decref(answer);
}

void clinic_watch(reha_clinic *clinic)
{
    const char *inbox = clinic->inbox;
    reha_paths files = {0};
    if (!reha_path_is_folder(inbox) || reha_folder_list(inbox, FILES_MAX, &files, NULL) != REHA_OK) {
        return;
    }
    for (size_t i = 0; i < files.count; i++) {
        if (is_quiet(files.items[i])) {
            take_file(clinic, inbox, files.items[i]);
        }
    }
    reha_paths_clear(&files);
}
