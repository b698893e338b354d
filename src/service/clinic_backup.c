#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* nftw */
#endif
#include "service/clinic_priv.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 4, OPEN_FOLDERS_MAX = 8 };

static bool is_absent_or_empty(const char *folder)
{
    reha_paths files = {0};
    struct stat info;
    if (stat(folder, &info) != 0) {
        return errno == ENOENT;
    }
    const bool is_empty = S_ISDIR(info.st_mode) &&
                          reha_folder_list(folder, FILES_MAX, &files, NULL) == REHA_OK && files.count == 0;
    reha_paths_clear(&files);
    return is_empty;
}

static reha_status copy_named(const char *from_folder, const char *to_folder, const char *name,
                              int64_t *bytes_done, reha_error *err)
{
    char from[PATH_MAX];
    char to[PATH_MAX];
    (void)snprintf(from, sizeof from, "%s/%s", from_folder, name);
    (void)snprintf(to, sizeof to, "%s/%s", to_folder, name);
    return reha_file_copy(from, to, bytes_done, err);
}

static reha_status make_private(const char *folder, reha_error *err)
{
    REHA_TRY(reha_folder_make(folder, err));
    return chmod(folder, 0700) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_IO, "%s: its mode cannot be set: %s", folder, strerror(errno));
}

/* REHA_E_NOT_FOUND: it is not there, or was taken away while it was copied, and may then have been
 * overwritten. */
static reha_status copy_blob(const char *from_home, const char *to_home, const char *digest, int64_t *bytes,
                             reha_error *err)
{
    char folder[PATH_MAX];
    char name[PATH_MAX];
    char from[PATH_MAX];
    struct stat before;
    struct stat after;
    (void)snprintf(folder, sizeof folder, "%s/blobs/%.2s", to_home, digest);
    (void)snprintf(name, sizeof name, "blobs/%.2s/%s", digest, digest);
    (void)snprintf(from, sizeof from, "%s/%s", from_home, name);
    REHA_TRY(make_private(folder, err));
    const bool is_there = stat(from, &before) == 0;
    const reha_status status = is_there ? copy_named(from_home, to_home, name, bytes, err) : REHA_E_NOT_FOUND;
    const bool has_stayed = is_there && stat(from, &after) == 0 && after.st_ino == before.st_ino;
    if (status == REHA_E_NOT_FOUND || (status == REHA_OK && !has_stayed)) {
        return reha_fail(
            err, REHA_E_NOT_FOUND,
            "the stored file %.12s... is missing: if a patient was erased just now, make the backup again",
            digest);
    }
    return status;
}

/* Every file that the copied records name. Files are never changed, so those of the copy's moment are all
 * there, unless a patient was erased since: such a copy must not be kept. */
static reha_status copy_blobs(reha_store *copy, const char *from_home, const char *to_home, int64_t *files,
                              int64_t *bytes, reha_error *err)
{
    json_t *rows = NULL;
    json_t *row = NULL;
    size_t i = 0;
    reha_status status = REHA_OK;
    REHA_TRY(reha_store_rows(copy, REHA_SQL_IMAGE_DIGESTS, REHA_BIND_NONE, &rows, err));
    json_array_foreach(rows, i, row)
    {
        REHA_CHECK(copy_blob(from_home, to_home, reha_json_string(row, "digest", ""), bytes, err));
        (*files)++;
    }
done:
    json_decref(rows);
    return status;
}

static reha_status copy_home(reha_clinic *clinic, reha_store *store, const char *to_home, int64_t *files,
                             int64_t *bytes, reha_error *err)
{
    char path[PATH_MAX];
    reha_store *copy = NULL;
    REHA_TRY(make_private(to_home, err));
    /* The head before the records: the copy's chain is then at least as long as it says. */
    REHA_TRY(copy_named(clinic->home, to_home, "audit.head", bytes, err));
    (void)snprintf(path, sizeof path, "%s/records.db", to_home);
    REHA_TRY(reha_store_copy(store, path, err));
    REHA_TRY(reha_store_open(path, &clinic->keys, false, &copy, err));
    const reha_status status = copy_blobs(copy, clinic->home, to_home, files, bytes, err);
    reha_store_close(copy);
    REHA_TRY(status);
    return copy_named(clinic->home, to_home, "key", bytes, err); /* last: without it a folder is no backup */
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)(place->level > 0 && remove(path) != 0); /* what stays makes the folder stay, too */
    return 0;
}

/* What a backup that failed has written: it may hold a patient who was erased meanwhile. */
static void drop_copy(const char *folder, bool was_there)
{
    (void)nftw(folder, remove_one, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS);
    if (!was_there) {
        (void)rmdir(folder);
    }
}

/* The backup itself is only read: it may lie on a disk that cannot be written, and may be of an older
 * version. */
static reha_status bring_back(const char *backup, const char *work, reha_error *err)
{
    char path[PATH_MAX];
    reha_keys keys;
    reha_store *store = NULL;
    int64_t files = 0;
    int64_t bytes = 0;
    REHA_TRY(make_private(work, err));
    REHA_TRY(copy_named(backup, work, "audit.head", &bytes, err));
    REHA_TRY(copy_named(backup, work, "key", &bytes, err));
    REHA_TRY(copy_named(backup, work, "records.db", &bytes, err));
    (void)snprintf(path, sizeof path, "%s/records.db-wal", backup);
    if (reha_path_is_file(path)) { /* of a home that was copied by other means while it stood still */
        REHA_TRY(copy_named(backup, work, "records.db-wal", &bytes, err));
    }
    (void)snprintf(path, sizeof path, "%s/key", work);
    REHA_TRY(reha_keys_load(path, false, &keys, err));
    (void)snprintf(path, sizeof path, "%s/records.db", work);
    reha_status status = reha_store_open(path, &keys, true, &store, err);
    reha_wipe(&keys, sizeof keys);
    if (status == REHA_OK) {
        status = copy_blobs(store, backup, work, &files, &bytes, err);
    }
    reha_store_close(store);
    return status;
}

reha_status reha_clinic_backup(reha_clinic *clinic, const reha_actor *actor, const char *folder, json_t **out,
                               reha_error *err)
{
    int64_t files = 0;
    int64_t bytes = 0;
    clinic_write write;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_ADMINISTER, err));
    if (folder[0] == '\0' || !is_absent_or_empty(folder)) {
        return reha_fail(err, REHA_E_CONFLICT, "%s: is not empty; name a new folder for the backup", folder);
    }
    const bool was_there = reha_path_is_folder(folder);
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_TRY(clinic_end(&write, clinic_note(&write, actor, "clinic.backup", "", "", NULL, err), err));
    reha_store *store = clinic_read(clinic);
    const reha_status status = copy_home(clinic, store, folder, &files, &bytes, err);
    clinic_read_end(clinic, store);
    if (status != REHA_OK) {
        drop_copy(folder, was_there);
        return status;
    }
    *out = json_pack("{s:o, s:I, s:I}", "folder", reha_json_text(folder), "blobs", (json_int_t)files, "bytes",
                     (json_int_t)bytes);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
}

/* A home that is whole: its chain, its records, every file. */
static reha_status check_home(const char *home, json_t **report, reha_error *err)
{
    reha_clinic *clinic = NULL;
    const reha_clinic_options options = {.home = home, .must_exist = true};
    const reha_actor actor = clinic_system_actor();
    REHA_TRY(reha_clinic_open(&options, &clinic, err));
    reha_status status = reha_clinic_audit_verify(clinic, &actor, true, report, err);
    if (status == REHA_OK && !json_is_true(json_object_get(*report, "ok"))) {
        status = reha_fail(err, REHA_E_TAMPERED, "the backup is damaged: %.180s",
                           reha_json_string(*report, "fault", ""));
    }
    if (status == REHA_OK) {
        status = reha_clinic_audit_note(clinic, &actor, "clinic.restore", "restored from a backup", err);
    }
    reha_clinic_close(clinic);
    return status;
}

reha_status reha_clinic_restore(const char *backup_folder, const char *home, json_t **out, reha_error *err)
{
    char work[PATH_MAX];
    char path[PATH_MAX];
    *out = NULL;
    (void)snprintf(path, sizeof path, "%s/key", backup_folder);
    if (!reha_path_is_file(path)) {
        return reha_fail(err, REHA_E_NOT_FOUND, "%s: is no backup of rehascope (it has no key file)",
                         backup_folder);
    }
    if (!is_absent_or_empty(home)) {
        return reha_fail(err, REHA_E_CONFLICT, "%s: is not empty; restore into a new folder", home);
    }
    /* Made beside its place and moved there whole: a home is never half restored. */
    (void)snprintf(work, sizeof work, "%s.restoring", home);
    if (!is_absent_or_empty(work)) {
        return reha_fail(err, REHA_E_CONFLICT, "%s: is left of a restore that was stopped; remove it first",
                         work);
    }
    REHA_TRY(reha_secret_start(err));
    REHA_TRY(bring_back(backup_folder, work, err));
    reha_status status = check_home(work, out, err);
    if (status == REHA_OK) {
        (void)rmdir(home);
        status = rename(work, home) == 0
                     ? REHA_OK
                     : reha_fail(err, REHA_E_IO, "%s: cannot be made: %s", home, strerror(errno));
    }
    if (status != REHA_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}
