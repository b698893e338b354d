#include "service/outcome_tables.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <zip.h>

enum { FILES_MAX = 10000, ENTRIES_MAX = 1000, NAME_BYTES = 512 };
static const zip_uint64_t ENTRY_BYTES_MAX = 1U << 30;

static reha_status visit_text(const char *name, const char *text, size_t length, reha_table_visit visit,
                              void *context, reha_error *err)
{
    reha_csv *csv = NULL;
    reha_status status = reha_csv_parse(text, length, &csv, err);
    if (status == REHA_OK) {
        status = visit(context, name, csv, err);
    }
    reha_csv_free(csv);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", name);
    }
    return status;
}

static reha_status visit_csv(const char *path, reha_table_visit visit, void *context, reha_error *err)
{
    uint8_t *data = NULL;
    size_t size_bytes = 0;
    REHA_TRY(reha_file_load(path, ENTRY_BYTES_MAX, &data, &size_bytes, err));
    const reha_status status = visit_text(path, (const char *)data, size_bytes, visit, context, err);
    reha_free(data);
    return status;
}

/* Reads an entry of the announced size; an archive that lies about it is damaged. */
static reha_status read_entry(zip_t *archive, zip_uint64_t index, const char *name, zip_uint64_t size,
                              char **out, reha_error *err)
{
    *out = NULL;
    if (size > ENTRY_BYTES_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "%s: unpacks to %llu bytes, more than 1 GiB", name,
                         (unsigned long long)size);
    }
    char *text = reha_alloc((size_t)size + 1);
    if (text == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a table of %llu bytes",
                         (unsigned long long)size);
    }
    zip_file_t *entry = zip_fopen_index(archive, index, 0);
    const zip_int64_t got = entry != NULL ? zip_fread(entry, text, size) : -1;
    if (entry != NULL) {
        (void)zip_fclose(entry);
    }
    if (got < 0 || (zip_uint64_t)got != size) {
        reha_free(text);
        return reha_fail(err, REHA_E_FORMAT, "%s: cannot be unpacked (damaged, or encrypted)", name);
    }
    text[size] = '\0';
    *out = text;
    return REHA_OK;
}

static reha_status visit_entry(zip_t *archive, zip_uint64_t index, const char *path, reha_table_visit visit,
                               void *context, size_t *found, reha_error *err)
{
    char name[NAME_BYTES];
    char *text = NULL;
    zip_stat_t info;
    if (zip_stat_index(archive, index, 0, &info) != 0 || (info.valid & ZIP_STAT_NAME) == 0 ||
        (info.valid & ZIP_STAT_SIZE) == 0) {
        return reha_fail(err, REHA_E_FORMAT, "%s: damaged zip archive", path);
    }
    /* macOS adds a shadow entry to each file. */
    if (!reha_str_ends_nocase(info.name, ".csv") || strncmp(info.name, "__MACOSX/", 9) == 0) {
        return REHA_OK;
    }
    (void)snprintf(name, sizeof name, "%s: %s", path, info.name);
    REHA_TRY(read_entry(archive, index, name, info.size, &text, err));
    const reha_status status = visit_text(name, text, (size_t)info.size, visit, context, err);
    reha_free(text);
    (*found)++;
    return status;
}

static reha_status visit_zip(const char *path, reha_table_visit visit, void *context, reha_error *err)
{
    reha_status status = REHA_OK;
    size_t found = 0;
    int fault = 0;
    if (!reha_path_is_file(path)) {
        return reha_fail(err, REHA_E_NOT_FOUND, "no such file: %s", path);
    }
    zip_t *archive = zip_open(path, ZIP_RDONLY, &fault);
    if (archive == NULL) {
        return reha_fail(err, REHA_E_FORMAT, "%s: not a readable zip archive", path);
    }
    const zip_int64_t count = zip_get_num_entries(archive, 0);
    if (count < 0 || count > ENTRIES_MAX) {
        status = reha_fail(err, REHA_E_LIMIT, "%s: more than %d entries", path, ENTRIES_MAX);
    }
    for (zip_int64_t i = 0; status == REHA_OK && i < count; i++) {
        status = visit_entry(archive, (zip_uint64_t)i, path, visit, context, &found, err);
    }
    zip_discard(archive);
    if (status == REHA_OK && found == 0) {
        status = reha_fail(err, REHA_E_FORMAT, "%s: no .csv file in this archive", path);
    }
    return status;
}

static reha_status visit_folder(const char *path, reha_table_visit visit, void *context, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_paths files = {0};
    size_t found = 0;
    REHA_TRY(reha_folder_list(path, FILES_MAX, &files, err));
    for (size_t i = 0; status == REHA_OK && i < files.count; i++) {
        if (reha_str_ends_nocase(files.items[i], ".csv") || reha_str_ends_nocase(files.items[i], ".zip")) {
            found++;
            status = reha_tables_visit(files.items[i], visit, context, err);
        }
    }
    reha_paths_clear(&files);
    if (status == REHA_OK && found == 0) {
        status = reha_fail(err, REHA_E_NOT_FOUND, "no .csv or .zip file in the folder %s", path);
    }
    return status;
}

reha_status reha_tables_visit(const char *path, reha_table_visit visit, void *context, reha_error *err)
{
    if (reha_path_is_folder(path)) {
        return visit_folder(path, visit, context, err);
    }
    return reha_str_ends_nocase(path, ".zip") ? visit_zip(path, visit, context, err)
                                              : visit_csv(path, visit, context, err);
}
