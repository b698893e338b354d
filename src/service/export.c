#include "service/export.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

static const time_t ZIP_EPOCH_S =
    315619200; /* 1980-01-02, what zip can say at the earliest in any time zone */

void reha_export_clear(reha_export *files)
{
    for (size_t i = 0; i < files->count; i++) {
        reha_free(files->files[i].bytes);
    }
    reha_free(files->files);
    *files = (reha_export){.files = NULL};
}

reha_status reha_export_add(reha_export *files, const char *name, uint8_t *bytes, size_t count,
                            reha_error *err)
{
    reha_export_file *grown = reha_realloc(files->files, (files->count + 1) * sizeof *grown);
    if (grown == NULL) {
        reha_free(bytes);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for an export");
    }
    files->files = grown;
    grown[files->count] = (reha_export_file){.bytes = bytes, .count = count};
    (void)snprintf(grown[files->count].name, sizeof grown[files->count].name, "%s", name);
    files->count++;
    return REHA_OK;
}

static bool add_entry(zip_t *archive, const reha_export_file *file)
{
    zip_source_t *source = zip_source_buffer(archive, file->bytes, file->count, 0);
    const zip_int64_t at = source != NULL ? zip_file_add(archive, file->name, source, ZIP_FL_ENC_UTF_8) : -1;
    if (source != NULL && at < 0) {
        zip_source_free(source);
    }
    return at >= 0 && zip_file_set_mtime(archive, (zip_uint64_t)at, ZIP_EPOCH_S, 0) == 0;
}

static reha_status read_back(zip_source_t *target, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    zip_stat_t facts;
    if (zip_source_stat(target, &facts) != 0 || zip_source_open(target) != 0) {
        return reha_fail(err, REHA_E_INTERNAL, "the archive cannot be made: %s",
                         zip_error_strerror(zip_source_error(target)));
    }
    uint8_t *bytes = reha_alloc((size_t)facts.size + 1);
    const zip_int64_t got = bytes != NULL ? zip_source_read(target, bytes, facts.size) : -1;
    (void)zip_source_close(target);
    if (bytes == NULL || got < 0 || (zip_uint64_t)got != facts.size) {
        reha_free(bytes);
        return reha_fail(err, bytes == NULL ? REHA_E_NOMEM : REHA_E_INTERNAL, "the archive cannot be made");
    }
    *out = bytes;
    *out_bytes = (size_t)facts.size;
    return REHA_OK;
}

reha_status reha_export_zip(const reha_export *files, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    zip_error_t fault;
    *out = NULL;
    *out_bytes = 0;
    zip_error_init(&fault);
    zip_source_t *target = zip_source_buffer_create(NULL, 0, 0, &fault);
    zip_t *archive = target != NULL ? zip_open_from_source(target, ZIP_TRUNCATE, &fault) : NULL;
    if (archive == NULL) {
        zip_source_free(target);
        zip_error_fini(&fault);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for an archive");
    }
    zip_error_fini(&fault);
    zip_source_keep(target); /* it holds the bytes after the archive is closed */
    bool is_whole = true;
    for (size_t i = 0; i < files->count && is_whole; i++) {
        is_whole = add_entry(archive, &files->files[i]);
    }
    if (!is_whole || zip_close(archive) != 0) {
        zip_discard(archive);
        zip_source_free(target);
        return reha_fail(err, REHA_E_INTERNAL, "the archive of an export cannot be made");
    }
    const reha_status status = read_back(target, out, out_bytes, err);
    zip_source_free(target);
    return status;
}

static reha_status save_file(const reha_export_file *file, const char *folder, reha_error *err)
{
    char *path = reha_path_join(folder, file->name);
    const reha_status status = path != NULL ? reha_file_save(path, file->bytes, file->count, err)
                                            : reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    reha_free(path);
    return status;
}

static void remove_file(const reha_export_file *file, const char *folder)
{
    char *path = reha_path_join(folder, file->name);
    if (path != NULL) {
        (void)unlink(path);
    }
    reha_free(path);
}

reha_status reha_export_save(const reha_export *files, const char *folder, reha_error *err)
{
    reha_paths there = {.items = NULL};
    const bool is_new = !reha_path_is_folder(folder);
    REHA_TRY(reha_folder_make(folder, err));
    /* One entry is enough to know; more than one is a limit that says the same. */
    const reha_status listed = reha_folder_list(folder, 1, &there, err);
    const bool is_empty = listed == REHA_OK && there.count == 0;
    reha_paths_clear(&there);
    if (listed != REHA_OK && listed != REHA_E_LIMIT) {
        return listed;
    }
    if (!is_empty) {
        return reha_fail(err, REHA_E_CONFLICT,
                         "%s: there are files in it already: name a new or an empty folder", folder);
    }
    reha_status status = REHA_OK;
    size_t saved = 0;
    while (saved < files->count && (status = save_file(&files->files[saved], folder, err)) == REHA_OK) {
        saved++;
    }
    for (size_t i = 0; status != REHA_OK && i < saved; i++) {
        remove_file(&files->files[i], folder); /* half an export might be taken for a whole one */
    }
    if (status != REHA_OK && is_new) {
        (void)rmdir(folder);
    }
    return status;
}
