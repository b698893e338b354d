#include "service/clinic_priv.h"

#include "base/memory.h"
#include "base/text.h"
#include "service/models.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char SETTINGS[] = "settings";
enum { SETTINGS_BYTES = 1 << 16, EXPORT_PART = 500, NOTE_BYTES = 300, ACTION_BYTES = 40 };

reha_status reha_clinic_state(reha_clinic *clinic, json_t **out, reha_error *err)
{
    int64_t users = 0;
    json_t *row = NULL;
    *out = NULL;
    reha_store *store = clinic_read(clinic);
    reha_status status = reha_store_number(store, REHA_SQL_USER_COUNT, REHA_BIND_NONE, &users, err);
    if (status == REHA_OK) {
        status = reha_store_row(store, REHA_SQL_SETTING, REHA_BIND(reha_of_text(SETTINGS)), &row, err);
        status = status == REHA_E_NOT_FOUND ? REHA_OK : status;
    }
    const int schema = reha_store_schema(store);
    clinic_read_end(clinic, store);
    REHA_TRY(status);
    *out = json_pack("{s:b, s:s, s:i, s:s?}", "setup_needed", users == 0 ? 1 : 0, "version", REHA_VERSION,
                     "schema", schema, "clinic_name",
                     reha_json_string(json_object_get(row, "value"), "clinic_name", NULL));
    json_decref(row);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the state");
}

/* ---- models ---- */

reha_status clinic_check_task(const reha_clinic *clinic, const char *task, reha_error *err)
{
    return task == NULL || task[0] == '\0' ? REHA_OK : reha_models_ask(clinic->models_folder, task, err);
}

reha_status reha_clinic_models(reha_clinic *clinic, const reha_actor *actor, json_t **out, reha_error *err)
{
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_TRY(reha_models_list(clinic->models_folder, out, err));
    for (size_t i = 0; i < json_array_size(*out); i++) {
        json_t *entry = json_array_get(*out, i);
        (void)json_object_del(entry, "folder");
        if (json_object_get(entry, "fault") != NULL && !reha_role_may(actor->role, REHA_MAY_ADMINISTER)) {
            (void)json_object_set_new(entry, "fault",
                                      json_string("its files cannot be read: an administrator sees why"));
        }
    }
    return REHA_OK;
}

reha_status reha_clinic_model_card(reha_clinic *clinic, const reha_actor *actor, const char *task,
                                   json_t **out, reha_error *err)
{
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    return reha_models_card(clinic->models_folder, task, out, err);
}

/* ---- settings ---- */

static reha_status read_settings(reha_store *store, json_t **out, reha_error *err)
{
    json_t *row = NULL;
    *out = NULL;
    const reha_status status =
        reha_store_row(store, REHA_SQL_SETTING, REHA_BIND(reha_of_text(SETTINGS)), &row, err);
    if (status != REHA_OK && status != REHA_E_NOT_FOUND) {
        return status;
    }
    json_t *value = row != NULL ? json_deep_copy(json_object_get(row, "value")) : json_object();
    const json_int_t version = row != NULL ? json_integer_value(json_object_get(row, "version")) : 0;
    json_decref(row);
    if (json_object_set_new(value, "version", json_integer(version)) != 0) {
        json_decref(value);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the settings");
    }
    *out = value;
    return REHA_OK;
}

reha_status reha_clinic_settings(reha_clinic *clinic, const reha_actor *actor, json_t **out, reha_error *err)
{
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    reha_store *store = clinic_read(clinic);
    const reha_status status = read_settings(store, out, err);
    clinic_read_end(clinic, store);
    return status;
}

reha_status reha_clinic_settings_save(reha_clinic *clinic, const reha_actor *actor, int64_t if_version,
                                      const json_t *in, json_t **out, reha_error *err)
{
    clinic_write write = {.store = NULL};
    json_t *before = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_ADMINISTER, err));
    if (!json_is_object(in)) {
        return reha_fail(err, REHA_E_ARG, "a JSON object is needed");
    }
    json_t *value = json_deep_copy(in);
    (void)json_object_del(value, "version");
    char *text = json_dumps(value, JSON_COMPACT);
    json_decref(value);
    if (text == NULL || strlen(text) > SETTINGS_BYTES) {
        status = reha_fail(err, REHA_E_LIMIT, "the settings are larger than %d bytes", SETTINGS_BYTES);
        goto done;
    }
    REHA_CHECK(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(read_settings(write.store, &before, err));
    REHA_CHECK(clinic_version(before, if_version, err));
    const int64_t version = json_integer_value(json_object_get(before, "version"));
    REHA_CHECK(version == 0 ? reha_store_do(write.store, REHA_SQL_SETTING_ADD,
                                            REHA_BIND(reha_of_text(SETTINGS), reha_of_text(text)), NULL, err)
                            : reha_store_do(
                                  write.store, REHA_SQL_SETTING_PUT,
                                  REHA_BIND(reha_of_text(SETTINGS), reha_of_text(text), reha_of_int(version)),
                                  NULL, err));
    REHA_CHECK(clinic_note(&write, actor, "settings.save", "", "", NULL, err));
    REHA_CHECK(read_settings(write.store, out, err));
done:
    free(text); /* allowed: jansson's */
    json_decref(before);
    return clinic_end_with(&write, status, out, err);
}

/* ---- the audit log ---- */

static const char *no_cursor(const json_t *row, char *text)
{
    (void)snprintf(text, CLINIC_CURSOR_BYTES, "%" JSON_INTEGER_FORMAT,
                   json_integer_value(json_object_get(row, "no")));
    return text;
}

reha_status reha_clinic_audit(reha_clinic *clinic, const reha_actor *actor, const reha_query *query,
                              json_t **out, reha_error *err)
{
    json_t *rows = NULL;
    int64_t total = 0;
    int64_t before = 0;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_AUDIT, err));
    if (query->cursor != NULL && !reha_parse_int64(query->cursor, &before)) {
        return reha_fail(err, REHA_E_ARG, "'cursor' is none of the audit log");
    }
    const int limit = clinic_limit(clinic, query);
    const reha_value filters[] = {reha_of_text(query->user_id),
                                  reha_of_text(query->action),
                                  reha_of_text(query->from),
                                  reha_of_text(query->to),
                                  query->cursor != NULL ? reha_of_int(before) : reha_of_text(NULL),
                                  reha_of_int(limit + 1)};
    reha_store *store = clinic_read(clinic);
    reha_status status = reha_store_rows(store, REHA_SQL_AUDIT, filters, 6, &rows, err);
    if (status == REHA_OK) {
        status = reha_store_number(store, REHA_SQL_AUDIT_COUNT, filters, 4, &total, err);
    }
    clinic_read_end(clinic, store);
    if (status != REHA_OK) {
        json_decref(rows);
        return status;
    }
    return clinic_page(rows, limit, total, no_cursor, out, err);
}

static reha_status check_blobs(reha_clinic *clinic, int64_t *good, int64_t *bad, reha_error *first,
                               reha_error *err)
{
    json_t *rows = NULL;
    json_t *row = NULL;
    size_t i = 0;
    REHA_TRY(clinic_rows(clinic, REHA_SQL_IMAGE_DIGESTS, REHA_BIND_NONE, &rows, err));
    json_array_foreach(rows, i, row)
    {
        uint8_t *bytes = NULL;
        size_t count = 0;
        reha_error fault = REHA_ERROR_INIT;
        if (reha_blobs_get(clinic->blobs, reha_json_string(row, "digest", ""), SIZE_MAX / 2, &bytes, &count,
                           &fault) == REHA_OK) {
            (*good)++;
        } else {
            *first = *bad == 0 ? fault : *first;
            (*bad)++;
        }
        reha_free(bytes);
    }
    json_decref(rows);
    return REHA_OK;
}

reha_status reha_clinic_audit_verify(reha_clinic *clinic, const reha_actor *actor, bool with_blobs,
                                     json_t **out, reha_error *err)
{
    char head_path[PATH_MAX];
    int64_t events = 0;
    int64_t good = 0;
    int64_t bad = 0;
    reha_error fault = REHA_ERROR_INIT;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_AUDIT, err));
    (void)snprintf(head_path, sizeof head_path, "%s/audit.head", clinic->home);
    reha_store *store = clinic_read(clinic);
    reha_status status = reha_audit_verify(store, clinic->keys.audit, head_path, &events, &fault);
    if (status == REHA_OK) {
        status = reha_store_check(store, &fault);
    }
    clinic_read_end(clinic, store);
    if (status != REHA_OK && status != REHA_E_TAMPERED) {
        return reha_fail(err, status, "%s", fault.text);
    }
    if (with_blobs) {
        reha_error blob_fault = REHA_ERROR_INIT;
        REHA_TRY(check_blobs(clinic, &good, &bad, &blob_fault, err));
        fault = status == REHA_OK && bad > 0 ? blob_fault : fault;
    }
    const bool is_ok = status == REHA_OK && bad == 0;
    *out = json_pack("{s:I, s:b, s:s?, s:I, s:I}", "events", (json_int_t)events, "ok", is_ok ? 1 : 0, "fault",
                     is_ok ? NULL : fault.text, "blobs", (json_int_t)good + (json_int_t)bad, "blobs_bad",
                     (json_int_t)bad);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
}

reha_status reha_clinic_audit_export(reha_clinic *clinic, const reha_actor *actor, uint8_t **out,
                                     size_t *out_bytes, reha_error *err)
{
    reha_text lines = {0};
    int64_t last = 0;
    size_t seen = 0;
    clinic_write write;
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(clinic_may(actor, REHA_MAY_AUDIT, err));
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_TRY(clinic_end(&write, clinic_note(&write, actor, "audit.export", "", "", NULL, err), err));
    do {
        json_t *rows = NULL;
        json_t *row = NULL;
        size_t i = 0;
        const reha_status status = clinic_rows(
            clinic, REHA_SQL_AUDIT_PART, REHA_BIND(reha_of_int(last), reha_of_int(EXPORT_PART)), &rows, err);
        if (status != REHA_OK) {
            reha_text_clear(&lines);
            return status;
        }
        seen = json_array_size(rows);
        json_array_foreach(rows, i, row)
        {
            char *line = json_dumps(row, JSON_COMPACT);
            reha_text_add(&lines, line != NULL ? line : "");
            reha_text_add(&lines, "\n");
            free(line); /* allowed: jansson's */
            last = json_integer_value(json_object_get(row, "no"));
        }
        json_decref(rows);
    } while (seen == EXPORT_PART);
    *out_bytes = lines.length;
    return reha_text_take(&lines, (char **)out, err);
}

reha_status reha_clinic_audit_note(reha_clinic *clinic, const reha_actor *actor, const char *action,
                                   const char *text, reha_error *err)
{
    clinic_write write;
    if (strlen(action) > ACTION_BYTES || strlen(text) > NOTE_BYTES) {
        return reha_fail(err, REHA_E_ARG, "the note for the audit log is too long");
    }
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    return clinic_end(
        &write,
        clinic_note(&write, actor, action, "", "", json_pack("{s:o}", "text", reha_json_text(text)), err),
        err);
}
