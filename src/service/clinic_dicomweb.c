/* Images as DICOM knows them: searches, heads, attributes, and the stored files in pieces. */
#include "service/clinic_priv.h"

#include "base/log.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATTERN_BYTES = 260, MODALITIES_MAX = 20, UIDS_MAX = 200 };

static reha_status may_see(const reha_actor *actor, reha_error *err)
{
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    return clinic_may(actor, REHA_MAY_IDENTITY, err);
}

/* ---- searching ---- */

/* DICOM's wildcards are those of GLOB, but for the bracket, which is a plain character in DICOM. */
static reha_status glob_of(const char *pattern, char out[PATTERN_BYTES], reha_error *err)
{
    size_t used = 0;
    out[0] = '\0';
    for (; pattern != NULL && *pattern != '\0'; pattern++) {
        if (used + 4 > PATTERN_BYTES) {
            return reha_fail(err, REHA_E_ARG, "a value to search for is longer than %d characters", 64);
        }
        if (*pattern == '[') {
            memcpy(out + used, "[[]", 3);
            used += 3;
        } else {
            out[used++] = (char)tolower((unsigned char)*pattern);
        }
        out[used] = '\0';
    }
    return REHA_OK;
}

static reha_value pattern_value(const char *pattern)
{
    return reha_of_text(pattern[0] != '\0' ? pattern : NULL);
}

/* Jansson's text of an array; NULL (and REHA_OK) for none. free(). */
static reha_status list_text(const json_t *list, size_t most, char **out, reha_error *err)
{
    *out = NULL;
    if (list == NULL) {
        return REHA_OK;
    }
    if (json_array_size(list) > most) {
        return reha_fail(err, REHA_E_ARG, "more than %zu values to search for at once", most);
    }
    *out = json_dumps(list, JSON_COMPACT);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a search");
}

static reha_status search(reha_clinic *clinic, const reha_dicom_query *query, json_t **rows, int64_t *total,
                          reha_error *err)
{
    char patient[PATTERN_BYTES];
    char name[PATTERN_BYTES];
    char accession[PATTERN_BYTES];
    char description[PATTERN_BYTES];
    char mac[REHA_MAC_TEXT_BYTES] = "";
    char *uids = NULL;
    char *modalities = NULL;
    reha_status status = REHA_OK;
    const char *number = query->patient_id;
    REHA_CHECK(glob_of(query->patient_id, patient, err));
    REHA_CHECK(glob_of(query->patient_name, name, err));
    REHA_CHECK(glob_of(query->accession_number, accession, err));
    REHA_CHECK(glob_of(query->study_description, description, err));
    REHA_CHECK(list_text(query->study_uids, UIDS_MAX, &uids, err));
    REHA_CHECK(list_text(query->modalities, MODALITIES_MAX, &modalities, err));
    if (number != NULL && number[0] != '\0') {
        reha_mac(clinic->keys.pseudonyms, number, strlen(number), mac);
    }
    const reha_value values[] = {
        reha_of_text(uids),        pattern_value(patient),    pattern_value(mac),
        pattern_value(name),       reha_of_text(query->from), reha_of_text(query->to),
        reha_of_text(modalities),  pattern_value(accession),  pattern_value(description),
        reha_of_int(query->limit), reha_of_int(query->offset)};
    enum { ALL = sizeof values / sizeof values[0], FILTERS = ALL - 2 };
    reha_store *store = clinic_read(clinic);
    status = reha_store_rows(store, REHA_SQL_DICOM_STUDIES, values, ALL, rows, err);
    if (status == REHA_OK) {
        status = reha_store_number(store, REHA_SQL_DICOM_STUDIES_COUNT, values, FILTERS, total, err);
    }
    clinic_read_end(clinic, store);
done:
    free(uids);       /* allowed: jansson's */
    free(modalities); /* allowed: jansson's */
    return status;
}

reha_status reha_clinic_dicom_studies(reha_clinic *clinic, const reha_actor *actor,
                                      const reha_dicom_query *query, json_t **out, reha_error *err)
{
    json_t *rows = NULL;
    int64_t total = 0;
    *out = NULL;
    REHA_TRY(may_see(actor, err));
    if ((query->from != NULL && !clinic_is_date(query->from)) ||
        (query->to != NULL && !clinic_is_date(query->to))) {
        return reha_fail(err, REHA_E_ARG, "a date to search for must be one such as 20260131");
    }
    reha_status status = search(clinic, query, &rows, &total, err);
    if (status == REHA_OK) {
        status = clinic_saw(clinic, actor, "study.search", "study", "", err);
    }
    if (status == REHA_OK) {
        *out = json_pack("{s:O, s:I}", "items", rows, "total", (json_int_t)total);
        status = *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a search");
    }
    json_decref(rows);
    return status;
}

/* ---- heads of images that a former version stored ---- */

static reha_status ask_model(reha_clinic *clinic, const char *digest, bool is_head, json_t **out,
                             reha_error *err)
{
    reha_sandbox_answer answer = {.json = NULL};
    uint8_t *bytes = NULL;
    size_t count = 0;
    *out = NULL;
    REHA_TRY(reha_blobs_get(clinic->blobs, digest, clinic->limits.archive_bytes_max, &bytes, &count, err));
    json_t *request = json_pack("{s:s, s:b}", "op", "model", "head", is_head ? 1 : 0);
    reha_status status = clinic_view(clinic, request, bytes, count, &answer, err);
    if (status == REHA_OK) {
        json_t *model = json_object_get(answer.json, "model");
        *out = json_is_object(model) ? json_incref(model) : NULL;
        status = *out != NULL ? REHA_OK : reha_fail(err, REHA_E_INTERNAL, "the worker gave no attributes");
    }
    reha_sandbox_answer_clear(&answer);
    json_decref(request);
    reha_free(bytes);
    return status;
}

/* Out: the head, {} if the file has none that can be read. Kept, so that this happens once. */
static reha_status read_head(reha_clinic *clinic, const char *id, const char *digest, json_t **out,
                             reha_error *err)
{
    clinic_write write;
    reha_error fault = REHA_ERROR_INIT;
    const reha_status got = ask_model(clinic, digest, true, out, &fault);
    if (got != REHA_OK && !(reha_status_is_input_fault(got) && got != REHA_E_NOT_FOUND)) {
        return got == REHA_E_NOT_FOUND
                   ? reha_fail(err, REHA_E_TAMPERED,
                               "the file of an image is missing; restore it from a backup")
                   : reha_fail(err, got, "%s", fault.text);
    }
    if (got != REHA_OK) {
        reha_log(REHA_LOG_WARN, "image.headless", "image=%s status=%s", id, reha_status_name(got));
        *out = json_object();
    }
    char *text = json_dumps(*out, JSON_COMPACT);
    reha_status status =
        text != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the head of an image");
    if (status == REHA_OK) {
        status = clinic_begin(clinic, false, &write, err);
    }
    if (status == REHA_OK) {
        status = clinic_end(&write,
                            reha_store_do(write.store, REHA_SQL_IMAGE_HEAD_PUT,
                                          REHA_BIND(reha_of_text(id), reha_of_text(text)), NULL, err),
                            err);
    }
    free(text); /* allowed: jansson's */
    if (status != REHA_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

static reha_status need_head(reha_clinic *clinic, const char *id, json_t *row, reha_error *err)
{
    json_t *head = NULL;
    if (json_is_object(json_object_get(row, "head"))) {
        return REHA_OK;
    }
    REHA_TRY(read_head(clinic, id, reha_json_string(row, "digest", ""), &head, err));
    return json_object_set_new(row, "head", head) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for the head of an image");
}

bool clinic_read_one_head(reha_clinic *clinic)
{
    json_t *row = NULL;
    json_t *head = NULL;
    reha_error err = REHA_ERROR_INIT;
    if (clinic_row(clinic, REHA_SQL_IMAGE_HEADLESS, REHA_BIND_NONE, "image", &row, &err) != REHA_OK) {
        return false;
    }
    const reha_status status =
        read_head(clinic, reha_json_string(row, "id", ""), reha_json_string(row, "digest", ""), &head, &err);
    if (status != REHA_OK) {
        reha_log(REHA_LOG_WARN, "image.headless", "image=%s status=%s", reha_json_string(row, "id", ""),
                 reha_status_name(status));
    }
    json_decref(head);
    json_decref(row);
    return status == REHA_OK;
}

/* ---- one study ---- */

reha_status reha_clinic_dicom_images(reha_clinic *clinic, const reha_actor *actor, const char *study_uid,
                                     json_t **out, reha_error *err)
{
    json_t *found = NULL;
    json_t *rows = NULL;
    json_t *row = NULL;
    size_t i = 0;
    int64_t total = 0;
    *out = NULL;
    REHA_TRY(may_see(actor, err));
    json_t *uids = json_pack("[s]", study_uid);
    const reha_dicom_query query = {.study_uids = uids, .limit = 1};
    reha_status status = search(clinic, &query, &found, &total, err);
    json_decref(uids);
    REHA_TRY(status);
    json_t *study = json_array_get(found, 0);
    const char *id = reha_json_string(study, "id", "");
    if (study == NULL) {
        status = reha_fail(err, REHA_E_NOT_FOUND, "no such study");
        goto done;
    }
    REHA_CHECK(clinic_rows(clinic, REHA_SQL_DICOM_IMAGES, REHA_BIND(reha_of_text(id)), &rows, err));
    json_array_foreach(rows, i, row)
    {
        REHA_CHECK(need_head(clinic, reha_json_string(row, "id", ""), row, err));
    }
    REHA_CHECK(clinic_saw(clinic, actor, "study.see", "study", id, err));
    *out = json_pack("{s:O, s:O}", "study", study, "items", rows);
    status = *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a study");
done:
    json_decref(rows);
    json_decref(found);
    return status;
}

reha_status reha_clinic_dicom_model(reha_clinic *clinic, const reha_actor *actor, const char *image_id,
                                    json_t **out, reha_error *err)
{
    json_t *row = NULL;
    *out = NULL;
    REHA_TRY(may_see(actor, err));
    REHA_TRY(
        clinic_row(clinic, REHA_SQL_DICOM_REFERENCE, REHA_BIND(reha_of_text(image_id)), "image", &row, err));
    const reha_status status = ask_model(clinic, reha_json_string(row, "digest", ""), false, out, err);
    json_decref(row);
    return status;
}

reha_status reha_clinic_dicom_reference(reha_clinic *clinic, const reha_actor *actor, const char *image_id,
                                        json_t **out, reha_error *err)
{
    json_t *row = NULL;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_UPLOAD, err));
    REHA_TRY(
        clinic_row(clinic, REHA_SQL_DICOM_REFERENCE, REHA_BIND(reha_of_text(image_id)), "image", &row, err));
    reha_status status = need_head(clinic, image_id, row, err);
    if (status == REHA_OK) {
        const json_t *head = json_object_get(row, "head");
        const json_t *class_uid =
            json_array_get(json_object_get(json_object_get(head, "00080016"), "Value"), 0);
        const json_t *series_uid =
            json_array_get(json_object_get(json_object_get(head, "0020000E"), "Value"), 0);
        *out = json_pack("{s:O, s:s?, s:O, s:s?}", "study_uid", json_object_get(row, "study_uid"),
                         "series_uid", json_string_value(series_uid), "sop_uid",
                         json_object_get(row, "sop_uid"), "class_uid", json_string_value(class_uid));
        status = *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for an answer");
    }
    json_decref(row);
    return status;
}

/* ---- files ---- */

struct reha_retrieval {
    reha_clinic *clinic;
    json_t *images; /* owned */
    size_t next;
    reha_blob_reader *reader;
};

reha_status reha_clinic_retrieve(reha_clinic *clinic, const reha_actor *actor, const char *study_id,
                                 const json_t *images, reha_retrieval **out, reha_error *err)
{
    clinic_write write;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(may_see(actor, err));
    REHA_TRY(clinic_may(actor, REHA_MAY_EXPORT, err));
    reha_retrieval *made = reha_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the files of a study");
    }
    made->clinic = clinic;
    made->images = json_copy((json_t *)(uintptr_t)images);
    if (made->images == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the files of a study");
        goto done;
    }
    const json_t *first = json_array_get(images, 0);
    const bool is_one = json_array_size(images) == 1;
    REHA_CHECK(clinic_begin(clinic, true, &write, err));
    status =
        clinic_note(&write, actor, "image.export", is_one ? "image" : "study",
                    is_one ? reha_json_string(first, "id", "") : study_id,
                    is_one ? NULL : json_pack("{s:I}", "images", (json_int_t)json_array_size(images)), err);
    REHA_CHECK(clinic_end(&write, status, err));
    *out = made;
    made = NULL;
done:
    reha_retrieval_close(made);
    return status;
}

reha_status reha_retrieval_next(reha_retrieval *retrieval, bool *has_one, reha_error *err)
{
    const json_t *image = json_array_get(retrieval->images, retrieval->next++);
    reha_blob_reader_free(retrieval->reader);
    retrieval->reader = NULL;
    *has_one = image != NULL;
    return image == NULL
               ? REHA_OK
               : reha_blob_reader_new(retrieval->clinic->blobs, reha_json_string(image, "digest", ""),
                                      &retrieval->reader, err);
}

reha_status reha_retrieval_read(reha_retrieval *retrieval, const uint8_t **out, size_t *count,
                                reha_error *err)
{
    return reha_blob_reader_next(retrieval->reader, out, count, err);
}

void reha_retrieval_close(reha_retrieval *retrieval)
{
    if (retrieval != NULL) {
        reha_blob_reader_free(retrieval->reader);
        json_decref(retrieval->images);
        reha_free(retrieval);
    }
}
