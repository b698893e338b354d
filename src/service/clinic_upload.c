#include "service/clinic_priv.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "dicom/dicom.h"
#include "service/sandbox_wire_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char ZIP_MAGIC[] = "PK\3\4";
enum { NAME_BYTES = 512, FILES_MAX = 200000, AE_BYTES = 16, UID_BYTES = 64 };
static const double MM_PER_PX_MIN = 0.001;
static const double MM_PER_PX_MAX = 10.0;

struct reha_upload {
    reha_clinic *clinic;
    reha_actor actor;
    char *key, *name, *patient_id, *episode_id, *study_id, *image_date, *task; /* owned; NULL: none */
    char *from_ae_title, *sop_instance_uid, *study_instance_uid;
    bool is_dicom;
    reha_upload_seen *seen; /* borrowed; may be NULL */
    double mm_per_px;
    reha_blob_writer *writer;
};

static reha_status copy_text(const char *text, size_t bytes_max, const char *what, char **out,
                             reha_error *err)
{
    *out = NULL;
    if (text == NULL || text[0] == '\0') {
        return REHA_OK;
    }
    if (strlen(text) > bytes_max) {
        return reha_fail(err, REHA_E_ARG, "%s is longer than %zu bytes", what, bytes_max);
    }
    *out = reha_strdup(text);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for an upload");
}

static reha_status check_options(const reha_clinic *clinic, const reha_upload_options *options,
                                 reha_error *err)
{
    REHA_TRY(clinic_check_key(options->idempotency_key, err));
    REHA_TRY(clinic_check_task(clinic, options->task, err));
    if (options->image_date != NULL && options->image_date[0] != '\0' &&
        !clinic_is_date(options->image_date)) {
        return reha_fail(err, REHA_E_ARG, "'image_date' must be a date such as 2026-01-31");
    }
    if (options->mm_per_px != 0.0 &&
        !(options->mm_per_px >= MM_PER_PX_MIN && options->mm_per_px <= MM_PER_PX_MAX)) {
        return reha_fail(err, REHA_E_ARG, "'mm_per_px' must be from %g to %g", MM_PER_PX_MIN, MM_PER_PX_MAX);
    }
    return REHA_OK;
}

reha_status reha_upload_begin(reha_clinic *clinic, const reha_actor *actor,
                              const reha_upload_options *options, reha_upload **out, reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_UPLOAD, err));
    REHA_TRY(check_options(clinic, options, err));
    reha_upload *upload = reha_alloc_zero(1, sizeof *upload);
    if (upload == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for an upload");
    }
    upload->clinic = clinic;
    upload->actor = *actor;
    upload->mm_per_px = options->mm_per_px;
    upload->is_dicom = options->is_dicom;
    upload->seen = options->seen;
    REHA_CHECK(
        copy_text(options->idempotency_key, CLINIC_KEY_BYTES, "the idempotency key", &upload->key, err));
    REHA_CHECK(copy_text(options->file_name, NAME_BYTES, "the file's name", &upload->name, err));
    REHA_CHECK(copy_text(options->patient_id, REHA_ID_BYTES - 1, "'patient_id'", &upload->patient_id, err));
    REHA_CHECK(copy_text(options->episode_id, REHA_ID_BYTES - 1, "'episode_id'", &upload->episode_id, err));
    REHA_CHECK(copy_text(options->study_id, REHA_ID_BYTES - 1, "'study_id'", &upload->study_id, err));
    REHA_CHECK(copy_text(options->image_date, 10, "'image_date'", &upload->image_date, err));
    REHA_CHECK(copy_text(options->task, CLINIC_TASK_BYTES, "'task'", &upload->task, err));
    REHA_CHECK(copy_text(options->from_ae_title, AE_BYTES, "the AE title", &upload->from_ae_title, err));
    REHA_CHECK(copy_text(options->sop_instance_uid, UID_BYTES, "the UID", &upload->sop_instance_uid, err));
    REHA_CHECK(
        copy_text(options->study_instance_uid, UID_BYTES, "the UID", &upload->study_instance_uid, err));
    REHA_CHECK(reha_blob_writer_new(clinic->blobs, &upload->writer, err));
    *out = upload;
    upload = NULL;
done:
    reha_upload_close(upload);
    return status;
}

reha_status reha_upload_write(reha_upload *upload, const void *bytes, size_t count, reha_error *err)
{
    const size_t limit = upload->clinic->limits.upload_bytes_max;
    if (count > limit || reha_blob_writer_bytes(upload->writer) > limit - count) {
        return reha_fail(err, REHA_E_LIMIT, "the file is larger than %zu MiB", limit >> 20);
    }
    return reha_blob_writer_add(upload->writer, bytes, count, err);
}

void reha_upload_close(reha_upload *upload)
{
    if (upload != NULL) {
        reha_blob_writer_free(upload->writer);
        reha_free(upload->key);
        reha_free(upload->name);
        reha_free(upload->patient_id);
        reha_free(upload->episode_id);
        reha_free(upload->study_id);
        reha_free(upload->image_date);
        reha_free(upload->task);
        reha_free(upload->from_ae_title);
        reha_free(upload->sop_instance_uid);
        reha_free(upload->study_instance_uid);
        reha_free(upload);
    }
}

reha_status clinic_answer(json_t *items, json_t **out, reha_error *err)
{
    bool has_any = false;
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(items, i, item)
    {
        has_any = has_any || strcmp(reha_json_string(item, "outcome", ""), "refused") != 0;
    }
    const json_t *error = json_object_get(json_array_get(items, 0), "error");
    if (!has_any && !json_is_object(error)) {
        return reha_fail(err, REHA_E_FORMAT, "there is no DICOM, PNG, JPEG or TIFF image in it");
    }
    if (!has_any) {
        return reha_fail(err, wire_status(reha_json_string(error, "code", "")), "%.230s",
                         reha_json_string(error, "text", ""));
    }
    *out = json_pack("{s:O}", "items", items);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for an answer");
}

/* ---- archives ---- */

typedef struct unpacking { /* the entries, sealed on disk, until the sandbox is free again */
    reha_clinic *clinic;
    size_t count, capacity;
    reha_blob_writer **writers;
    char **names;
} unpacking;

static reha_status keep_entry(void *context, const char *name, const uint8_t *bytes, size_t count,
                              reha_error *err)
{
    unpacking *all = context;
    reha_status status = REHA_OK;
    if (all->count == all->capacity) {
        return reha_fail(err, REHA_E_LIMIT, "the archive has more entries than it said");
    }
    reha_blob_writer **writer = &all->writers[all->count];
    all->names[all->count] = reha_strdup(name);
    if (all->names[all->count] == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a name");
    }
    all->count++;
    REHA_CHECK(reha_blob_writer_new(all->clinic->blobs, writer, err));
    status = reha_blob_writer_add(*writer, bytes, count, err);
done:
    return status;
}

static void clear_unpacking(unpacking *all)
{
    for (size_t i = 0; i < all->count; i++) {
        reha_blob_writer_free(all->writers[i]);
        reha_free(all->names[i]);
    }
    reha_free(all->writers);
    reha_free(all->names);
}

static reha_status unpack(reha_clinic *clinic, const uint8_t *bytes, size_t count, unpacking *all,
                          reha_error *err)
{
    reha_sandbox_answer answer;
    const reha_clinic_limits *limits = &clinic->limits;
    const reha_sandbox_options how = {.program = clinic->program,
                                      .memory_bytes = limits->worker_memory_bytes,
                                      .cpu_s = limits->worker_cpu_s,
                                      .wall_s = limits->worker_wall_s};
    reha_sandbox *sandbox =
        NULL; /* its own: archives are slow and must not hold up those who look at images */
    *all = (unpacking){.clinic = clinic, .capacity = limits->archive_entries_max};
    all->writers = reha_alloc_zero(all->capacity, sizeof *all->writers);
    all->names = reha_alloc_zero(all->capacity, sizeof *all->names);
    if (all->writers == NULL || all->names == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for an archive");
    }
    REHA_TRY(reha_sandbox_new(&how, &sandbox, err));
    json_t *request =
        json_pack("{s:s, s:f, s:f, s:f}", "op", "unpack", "entries_max", (double)limits->archive_entries_max,
                  "bytes_max", (double)limits->archive_bytes_max, "ratio_max", limits->archive_ratio_max);
    const reha_status status =
        reha_sandbox_run(sandbox, request, bytes, count, keep_entry, all, &answer, err);
    json_decref(request);
    reha_sandbox_free(sandbox);
    if (status == REHA_OK) {
        reha_sandbox_answer_clear(&answer);
    }
    return status;
}

static reha_status ingest_archive(reha_clinic *clinic, const reha_actor *actor,
                                  const reha_upload_options *options, const uint8_t *bytes, size_t count,
                                  json_t *items, reha_error *err)
{
    unpacking all;
    reha_upload_options how = *options;
    char study_id[REHA_ID_BYTES];
    reha_status status = REHA_OK;
    REHA_CHECK(unpack(clinic, bytes, count, &all, err));
    for (size_t i = 0; i < all.count; i++) {
        uint8_t *entry = NULL;
        size_t entry_bytes = 0;
        json_t *item = NULL;
        REHA_CHECK(reha_blob_writer_end(all.writers[i], NULL, &entry, &entry_bytes, err));
        status = clinic_ingest(clinic, actor, &how, all.names[i], entry, entry_bytes, study_id, &item, err);
        reha_free(entry);
        reha_blob_writer_free(all.writers[i]);
        all.writers[i] = NULL;
        (void)json_array_append_new(items, item);
        REHA_CHECK(status);
    }
done:
    clear_unpacking(&all);
    return status;
}

static reha_status ingest_any(reha_clinic *clinic, const reha_actor *actor,
                              const reha_upload_options *options, const char *name, const uint8_t *bytes,
                              size_t count, json_t *items, reha_error *err)
{
    char study_id[REHA_ID_BYTES];
    json_t *item = NULL;
    if (options->is_dicom && !reha_dicom_detect(bytes, count)) {
        return reha_fail(err, REHA_E_FORMAT, "it is no DICOM file");
    }
    if (!options->is_dicom && count >= sizeof ZIP_MAGIC - 1 &&
        memcmp(bytes, ZIP_MAGIC, sizeof ZIP_MAGIC - 1) == 0) {
        return ingest_archive(clinic, actor, options, bytes, count, items, err);
    }
    const reha_status status =
        clinic_ingest(clinic, actor, options, name, bytes, count, study_id, &item, err);
    (void)json_array_append_new(items, item);
    return status;
}

/* ---- finishing ---- */

/* The same file for another task is another request. Without a task the digest is that of the file, as it
 * always was. */
static void request_digest(const reha_upload *upload, char digest[REHA_DIGEST_TEXT_BYTES])
{
    char text[REHA_DIGEST_TEXT_BYTES + CLINIC_TASK_BYTES + 2];
    if (upload->task != NULL) {
        const int length = snprintf(text, sizeof text, "%s|%s", digest, upload->task);
        reha_digest_bytes(text, (size_t)length, digest);
    }
}

static reha_status keep_answer(const reha_upload *upload, const char *digest, const json_t *answer,
                               reha_error *err)
{
    clinic_write write;
    if (upload->key == NULL) {
        return REHA_OK;
    }
    REHA_TRY(clinic_begin(upload->clinic, true, &write, err));
    return clinic_end(&write,
                      clinic_answer_keep(write.store, &upload->actor, upload->key, digest, answer, err), err);
}

reha_status reha_upload_finish(reha_upload *upload, json_t **out, reha_error *err)
{
    char digest[REHA_DIGEST_TEXT_BYTES];
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_status status = REHA_OK;
    json_t *items = json_array();
    *out = NULL;
    REHA_CHECK(reha_blob_writer_end(upload->writer, digest, &bytes, &count, err));
    request_digest(upload, digest);
    reha_store *store = clinic_read(upload->clinic);
    status = clinic_answer_find(store, &upload->actor, upload->key, digest, out, err);
    clinic_read_end(upload->clinic, store);
    REHA_CHECK(status);
    if (*out != NULL) {
        goto done;
    }
    const reha_upload_options options = {.patient_id = upload->patient_id,
                                         .episode_id = upload->episode_id,
                                         .study_id = upload->study_id,
                                         .image_date = upload->image_date,
                                         .mm_per_px = upload->mm_per_px,
                                         .task = upload->task,
                                         .from_ae_title = upload->from_ae_title,
                                         .sop_instance_uid = upload->sop_instance_uid,
                                         .study_instance_uid = upload->study_instance_uid,
                                         .is_dicom = upload->is_dicom,
                                         .seen = upload->seen};
    REHA_CHECK(ingest_any(upload->clinic, &upload->actor, &options, upload->name != NULL ? upload->name : "",
                          bytes, count, items, err));
    REHA_CHECK(clinic_answer(items, out, err));
    status = keep_answer(upload, digest, *out, err);
done:
    if (status != REHA_OK) {
        json_decref(*out);
        *out = NULL;
    }
    json_decref(items);
    reha_free(bytes);
    return status;
}

/* ---- files of this machine ---- */

static reha_status import_file(reha_clinic *clinic, const reha_actor *actor, const char *path,
                               const reha_upload_options *options, json_t *items, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_error fault = REHA_ERROR_INIT;
    reha_status status = reha_file_load(path, clinic->limits.upload_bytes_max, &bytes, &count, &fault);
    const size_t before = json_array_size(items);
    if (status == REHA_OK) {
        status = ingest_any(clinic, actor, options, path, bytes, count, items, &fault);
    }
    if (status != REHA_OK && reha_status_is_input_fault(status) && json_array_size(items) == before) {
        (void)json_array_append_new(
            items, json_pack("{s:o, s:s, s:n, s:n, s:n, s:{s:s, s:o}}", "name", reha_json_text(path),
                             "outcome", "refused", "study_id", "image_id", "job_id", "error", "code",
                             reha_status_name(status), "text", reha_json_text(fault.text)));
        status = REHA_OK;
    }
    reha_free(bytes);
    return status == REHA_OK ? REHA_OK : reha_fail(err, status, "%s", fault.text);
}

reha_status reha_clinic_import(reha_clinic *clinic, const reha_actor *actor, const char *const *paths,
                               size_t count, const reha_upload_options *options, json_t **out,
                               reha_error *err)
{
    static const reha_upload_options none = {.file_name = NULL};
    reha_status status = REHA_OK;
    json_t *items = json_array();
    *out = NULL;
    REHA_CHECK(clinic_may(actor, REHA_MAY_UPLOAD, err));
    REHA_CHECK(check_options(clinic, options != NULL ? options : &none, err));
    for (size_t i = 0; i < count; i++) {
        reha_paths files = {0};
        if (!reha_path_is_folder(paths[i])) {
            REHA_CHECK(import_file(clinic, actor, paths[i], options != NULL ? options : &none, items, err));
            continue;
        }
        REHA_CHECK(reha_folder_list(paths[i], FILES_MAX, &files, err));
        for (size_t k = 0; k < files.count && status == REHA_OK; k++) {
            status =
                import_file(clinic, actor, files.items[k], options != NULL ? options : &none, items, err);
        }
        reha_paths_clear(&files);
        REHA_CHECK(status);
    }
    *out = json_pack("{s:O}", "items", items);
done:
    json_decref(items);
    return status;
}
