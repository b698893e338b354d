#include "service/clinic_priv.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *study_cursor(const json_t *row, char *text)
{
    (void)snprintf(text, CLINIC_CURSOR_BYTES, "%d.%s", (int)json_integer_value(json_object_get(row, "place")),
                   reha_json_string(row, "id", ""));
    return text;
}

static reha_status check_query(const reha_query *query, reha_error *err)
{
    static const char *const statuses[] = {"waiting", "to-review", "signed", "failed", "today"};
    bool is_known = query->status == NULL;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        is_known = is_known || strcmp(query->status, statuses[i]) == 0;
    }
    if (!is_known) {
        return reha_fail(err, REHA_E_ARG, "'status' must be one of: waiting to-review signed failed today");
    }
    if ((query->from != NULL && !clinic_is_date(query->from)) ||
        (query->to != NULL && !clinic_is_date(query->to))) {
        return reha_fail(err, REHA_E_ARG, "'from' and 'to' must be dates such as 2026-01-31");
    }
    return REHA_OK;
}

reha_status reha_clinic_studies(reha_clinic *clinic, const reha_actor *actor, const reha_query *query,
                                json_t **out, reha_error *err)
{
    json_t *rows = NULL;
    int64_t total = 0;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_TRY(check_query(query, err));
    const int limit = clinic_limit(clinic, query);
    const char *after_id = query->cursor != NULL ? strchr(query->cursor, '.') : NULL;
    if (query->cursor != NULL && after_id == NULL) {
        return reha_fail(err, REHA_E_ARG, "'cursor' is none of a list of studies");
    }
    const reha_value filters[] = {clinic_identity(actor),
                                  reha_of_text(query->text),
                                  reha_of_text(query->status),
                                  reha_of_text(query->patient_id),
                                  reha_of_text(query->modality),
                                  reha_of_text(query->from),
                                  reha_of_text(query->to),
                                  reha_of_int(after_id != NULL ? atol(query->cursor) : 0),
                                  reha_of_text(after_id != NULL ? after_id + 1 : NULL),
                                  reha_of_int(limit + 1)};
    enum { ALL = sizeof filters / sizeof filters[0], FILTERS = 7 };
    reha_store *store = clinic_read(clinic);
    reha_status status = reha_store_rows(store, REHA_SQL_STUDIES, filters, ALL, &rows, err);
    if (status == REHA_OK) {
        status = reha_store_number(store, REHA_SQL_STUDIES_COUNT, filters, FILTERS, &total, err);
    }
    clinic_read_end(clinic, store);
    if (status != REHA_OK) {
        json_decref(rows);
        return status;
    }
    REHA_TRY(clinic_page(rows, limit, total, study_cursor, out, err));
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach(json_object_get(*out, "items"), i, row)
    {
        (void)json_object_del(row, "place"); /* of the order only */
    }
    return REHA_OK;
}

reha_status reha_clinic_study_counts(reha_clinic *clinic, const reha_actor *actor, json_t **out,
                                     reha_error *err)
{
    json_t *rows = NULL;
    json_t *row = NULL;
    size_t i = 0;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_TRY(clinic_rows(clinic, REHA_SQL_STUDY_COUNTS, REHA_BIND_NONE, &rows, err));
    json_t *counts = json_pack("{s:i, s:i, s:i, s:i, s:i}", "today", 0, "waiting", 0, "to-review", 0,
                               "signed", 0, "failed", 0);
    json_int_t today = 0;
    json_array_foreach(rows, i, row)
    {
        const char *status = reha_json_string(row, "status", "");
        const json_int_t n = json_integer_value(json_object_get(row, "n"));
        (void)json_object_set_new(counts, status, json_integer(n));
        today += strcmp(status, "to-review") == 0 || strcmp(status, "failed") == 0 ? n : 0;
    }
    (void)json_object_set_new(counts, "today", json_integer(today));
    json_decref(rows);
    *out = counts;
    return counts != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the counts");
}

/* ---- one study ---- */

reha_status clinic_result_read(reha_store *store, const char *id, json_t **out, reha_error *err)
{
    json_t *reviews = NULL;
    json_t *aside = NULL;
    reha_status status = reha_store_row(store, REHA_SQL_RESULT, REHA_BIND(reha_of_text(id)), out, err);
    if (status == REHA_E_NOT_FOUND) {
        return reha_fail(err, status, "no such result");
    }
    REHA_TRY(status);
    status = reha_store_rows(store, REHA_SQL_REVIEWS, REHA_BIND(reha_of_text(id)), &reviews, err);
    if (status == REHA_OK && json_object_set_new(*out, "reviews", reviews) != 0) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a result");
    }
    if (status == REHA_OK) {
        status = reha_store_row(store, REHA_SQL_SET_ASIDE, REHA_BIND(reha_of_text(id)), &aside, err);
        status = status == REHA_E_NOT_FOUND ? REHA_OK : status;
    }
    if (status == REHA_OK &&
        json_object_set_new(*out, "set_aside", aside != NULL ? aside : json_null()) != 0) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a result");
    }
    if (status != REHA_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

/* Those that stand, in the order in which they were asked for first. */
static reha_status read_results(reha_store *store, const char *image_id, json_t **out, reha_error *err)
{
    json_t *rows = NULL;
    json_t *results = json_array();
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_CHECK(reha_store_rows(store, REHA_SQL_RESULTS, REHA_BIND(reha_of_text(image_id)), &rows, err));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *result = NULL;
        REHA_CHECK(clinic_result_read(store, reha_json_string(json_array_get(rows, i), "result_id", ""),
                                      &result, err));
        (void)json_array_append_new(results, result);
    }
    *out = json_incref(results);
done:
    json_decref(rows);
    json_decref(results);
    return status;
}

static reha_status complete_image(reha_store *store, json_t *image, reha_error *err)
{
    json_t *job = NULL;
    json_t *results = NULL;
    json_t *aside = NULL;
    const char *image_id = reha_json_string(image, "id", "");
    json_t *facts = json_object_get(image, "facts");
    (void)json_object_update_missing(image, facts);
    (void)json_object_del(image, "facts");
    reha_status status =
        reha_store_row(store, REHA_SQL_JOB_NEWEST, REHA_BIND(reha_of_text(image_id)), &job, err);
    if (status != REHA_OK && status != REHA_E_NOT_FOUND) {
        return status;
    }
    (void)json_object_set_new(image, "job", job != NULL ? job : json_null());
    REHA_TRY(read_results(store, image_id, &results, err));
    (void)json_object_set_new(image, "results", results);
    REHA_TRY(reha_store_rows(store, REHA_SQL_SET_ASIDES, REHA_BIND(reha_of_text(image_id)), &aside, err));
    return json_object_set_new(image, "set_aside", aside) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for the results of an image");
}

/* The signature in force is the newest one, unless it was withdrawn. */
static void choose_signature(json_t *study, json_t *signatures)
{
    json_t *newest = json_array_get(signatures, json_array_size(signatures) - 1);
    const bool stands = newest != NULL && json_is_null(json_object_get(newest, "withdrawn_at"));
    (void)json_object_set(study, "signature", stands ? newest : json_null());
    (void)json_object_set(study, "signatures", signatures);
}

reha_status clinic_study_read(reha_store *store, const reha_actor *actor, const char *id, json_t **out,
                              reha_error *err)
{
    json_t *images = NULL;
    json_t *signatures = NULL;
    json_t *image = NULL;
    size_t i = 0;
    json_t *study = NULL;
    *out = NULL;
    reha_status status = reha_store_row(store, REHA_SQL_STUDY,
                                        REHA_BIND(clinic_identity(actor), reha_of_text(id)), &study, err);
    if (status == REHA_E_NOT_FOUND) {
        return reha_fail(err, status, "no such study");
    }
    REHA_TRY(status);
    REHA_CHECK(reha_store_rows(store, REHA_SQL_IMAGES, REHA_BIND(reha_of_text(id)), &images, err));
    json_array_foreach(images, i, image)
    {
        REHA_CHECK(complete_image(store, image, err));
    }
    REHA_CHECK(reha_store_rows(store, REHA_SQL_SIGNATURES, REHA_BIND(reha_of_text(id)), &signatures, err));
    (void)json_object_set(study, "images", images);
    choose_signature(study, signatures);
    *out = json_incref(study);
done:
    json_decref(study);
    json_decref(images);
    json_decref(signatures);
    return status;
}

reha_status reha_clinic_study(reha_clinic *clinic, const reha_actor *actor, const char *id, json_t **out,
                              reha_error *err)
{
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    reha_store *store = clinic_read(clinic);
    reha_status status = clinic_study_read(store, actor, id, out, err);
    clinic_read_end(clinic, store);
    if (status == REHA_OK) {
        status = clinic_saw(clinic, actor, "study.see", "study", id, err);
    }
    if (status != REHA_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

reha_status reha_clinic_study_times(reha_clinic *clinic, const reha_actor *actor, json_t **out,
                                    reha_error *err)
{
    json_t *rows = NULL;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_TRY(clinic_rows(clinic, REHA_SQL_STUDY_TIMES, REHA_BIND_NONE, &rows, err));
    *out = json_pack("{s:o}", "items", rows);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the studies");
}

reha_status reha_clinic_study_uid(reha_clinic *clinic, const reha_actor *actor, const char *id, json_t **out,
                                  reha_error *err)
{
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_IDENTITY, err));
    return clinic_row(clinic, REHA_SQL_STUDY_UID, REHA_BIND(reha_of_text(id)), "study", out, err);
}

reha_status reha_clinic_study_find(reha_clinic *clinic, const reha_actor *actor, const char *uid,
                                   json_t **out, reha_error *err)
{
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_IDENTITY, err));
    return clinic_row(clinic, REHA_SQL_STUDY_BY_UID, REHA_BIND(reha_of_text(uid)), "study", out, err);
}

reha_status reha_clinic_study_assign(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                     int64_t if_version, const json_t *in, json_t **out, reha_error *err)
{
    const char *patient = NULL, *episode = NULL;
    clinic_write write;
    json_t *row = NULL;
    json_t *owner = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_PATIENTS, err));
    REHA_TRY(clinic_check_members(in, "patient_id episode_id", err));
    REHA_TRY(clinic_text(in, "patient_id", true, REHA_ID_BYTES, &patient, err));
    REHA_TRY(clinic_text(in, "episode_id", false, REHA_ID_BYTES, &episode, err));
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(clinic_study_read(write.store, actor, id, &row, err));
    REHA_CHECK(clinic_version(row, if_version, err));
    if (strcmp(reha_json_string(row, "status", ""), "signed") == 0) {
        status = reha_fail(err, REHA_E_CONFLICT, "the study is signed: reopen it first");
        goto done;
    }
    if (episode != NULL) {
        status = reha_store_row(write.store, REHA_SQL_EPISODE, REHA_BIND(reha_of_text(episode)), &owner, err);
        if (status == REHA_E_NOT_FOUND ||
            (status == REHA_OK && strcmp(reha_json_string(owner, "patient_id", ""), patient) != 0)) {
            status = reha_fail(err, REHA_E_NOT_FOUND, "the patient has no such episode");
        }
        REHA_CHECK(status);
    }
    status =
        reha_store_do(write.store, REHA_SQL_STUDY_ASSIGN,
                      REHA_BIND(reha_of_text(id), reha_of_text(patient), reha_of_text(episode)), NULL, err);
    if (status == REHA_E_NOT_FOUND) {
        (void)reha_fail(err, status, "no such patient");
    }
    REHA_CHECK(status);
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_STUDY_REFRESH, REHA_BIND(reha_of_text(id)), NULL, err));
    REHA_CHECK(clinic_note(&write, actor, "study.assign", "study", id,
                           json_pack("{s:s}", "patient_id", patient), err));
    REHA_CHECK(clinic_study_read(write.store, actor, id, out, err));
done:
    json_decref(row);
    json_decref(owner);
    status = clinic_end_with(&write, status, out, err);
    if (status == REHA_OK) {
        clinic_event_add(clinic, "study", id, NULL, NULL, "changed");
    }
    return status;
}

reha_status reha_clinic_result(reha_clinic *clinic, const reha_actor *actor, const char *id, json_t **out,
                               reha_error *err)
{
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    reha_store *store = clinic_read(clinic);
    reha_status status = clinic_result_read(store, id, out, err);
    clinic_read_end(clinic, store);
    if (status == REHA_OK) {
        status = clinic_saw(clinic, actor, "study.see", "study", reha_json_string(*out, "study_id", ""), err);
    }
    if (status != REHA_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}
