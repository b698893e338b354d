/* What is to go to the archive, and what became of it. The sender (archive.c) is the only one who takes from
 * it. */
#include "service/clinic_priv.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIST_MAX = 1000 };

static void write_place(const clinic_address *to, char out[CLINIC_PLACE_BYTES])
{
    (void)snprintf(out, CLINIC_PLACE_BYTES, "%s@%s:%d", to->ae_title, to->host, to->port);
}

void clinic_outbox_open(reha_clinic *clinic, const clinic_address *to)
{
    write_place(to, clinic->archive);
    atomic_store(&clinic->has_outbox, true);
}

/* Whoever looks at the study, or at the outbox, looks again. */
static void tell_page(reha_clinic *clinic, const char *study_id)
{
    clinic_event_add(clinic, "study", study_id, NULL, NULL, "archive");
}

static void tell_pages(reha_clinic *clinic, const json_t *rows)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        tell_page(clinic, reha_json_string(json_array_get(rows, i), "study_id", ""));
    }
}

static reha_status give_back(clinic_write *write, const char *signature_id, reha_error *err)
{
    return reha_store_do(write->store, REHA_SQL_OUTBOX_GIVE_BACK, REHA_BIND(reha_of_text(signature_id)), NULL,
                         err);
}

static reha_status end_letter(clinic_write *write, const char *signature_id, const char *state,
                              const char *reason, reha_error *err)
{
    char now[REHA_TIMESTAMP_BYTES];
    reha_clock_timestamp(now);
    return reha_store_do(
        write->store, REHA_SQL_OUTBOX_END,
        REHA_BIND(reha_of_text(signature_id), reha_of_text(state), reha_of_text(reason), reha_of_text(now)),
        NULL, err);
}

reha_status clinic_outbox_add(clinic_write *write, const json_t *study, const char *signature_id,
                              reha_error *err)
{
    char now[REHA_TIMESTAMP_BYTES];
    const json_t *images = json_object_get(study, "images");
    bool has_wrapped = false;
    if (!atomic_load(&write->clinic->has_outbox)) {
        return REHA_OK;
    }
    reha_clock_timestamp(now);
    REHA_TRY(reha_store_do(write->store, REHA_SQL_OUTBOX_ADD,
                           REHA_BIND(reha_of_text(signature_id),
                                     reha_of_text(reha_json_string(study, "id", "")), reha_of_text(now)),
                           NULL, err));
    for (size_t i = 0; i < json_array_size(images); i++) {
        has_wrapped = has_wrapped || json_is_true(json_object_get(json_array_get(images, i), "wrapped"));
    }
    return has_wrapped
               ? end_letter(write, signature_id, "dropped",
                            "an image came as a picture, not as DICOM: no archive knows its study", err)
               : REHA_OK;
}

reha_status clinic_outbox_drop(clinic_write *write, const char *study_id, reha_error *err)
{
    char now[REHA_TIMESTAMP_BYTES];
    reha_clock_timestamp(now);
    return reha_store_do(
        write->store, REHA_SQL_OUTBOX_DROP,
        REHA_BIND(reha_of_text(study_id), reha_of_text("the signature was withdrawn"), reha_of_text(now)),
        NULL, err);
}

/* ---- the sender ---- */

static json_t *where(const clinic_address *to, const char *signature_id, const char *outcome)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:s}", "signature_id", signature_id, "to", to->ae_title, "host",
                     to->host, "port", to->port, "outcome", outcome);
}

/* Whoever sends is the only one: what is taken while nothing is sent was left by a process that was stopped
 * in the middle. How much of it arrived, nobody knows; it is sent again. */
reha_status clinic_outbox_resume(reha_clinic *clinic, const clinic_address *to,
                                 const clinic_patience *patience, reha_error *err)
{
    clinic_write write;
    char now[REHA_TIMESTAMP_BYTES];
    json_t *rows = NULL;
    reha_status status = REHA_OK;
    const reha_actor system = clinic_system_actor();
    reha_clock_timestamp(now);
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(reha_store_rows(write.store, REHA_SQL_OUTBOX_TAKEN, REHA_BIND_NONE, &rows, err));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *id = reha_json_string(row, "signature_id", "");
        REHA_CHECK(
            reha_store_do(write.store, REHA_SQL_OUTBOX_LATER,
                          REHA_BIND(reha_of_text(id), reha_of_int((int64_t)time(NULL)), reha_of_text(now),
                                    reha_of_text("the server was stopped while it was being sent"),
                                    reha_of_int(0), reha_of_int(patience->refusals_max),
                                    reha_of_int(patience->tries_max), reha_of_int(0), reha_of_int(0)),
                          NULL, err));
        REHA_CHECK(clinic_note(&write, &system, "study.send", "study", reha_json_string(row, "study_id", ""),
                               where(to, id, "interrupted"), err));
    }
    REHA_CHECK(give_back(&write, NULL, err));
done:
    json_decref(rows);
    return clinic_end(&write, status, err);
}

reha_status clinic_outbox_take(reha_clinic *clinic, clinic_letter *out, reha_error *err)
{
    clinic_write write;
    json_t *row = NULL;
    reha_status status = REHA_OK;
    const reha_value now = reha_of_int((int64_t)time(NULL));
    *out = (clinic_letter){.tries = 0};
    reha_store *store = clinic_read(clinic); /* most looks find nothing, and disturb nobody who writes */
    status = reha_store_row(store, REHA_SQL_OUTBOX_NEXT, REHA_BIND(now), &row, err);
    clinic_read_end(clinic, store);
    json_decref(row);
    row = NULL;
    REHA_TRY(status);
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(reha_store_row(write.store, REHA_SQL_OUTBOX_NEXT, REHA_BIND(now), &row, err));
    (void)snprintf(out->signature_id, sizeof out->signature_id, "%s",
                   reha_json_string(row, "signature_id", ""));
    (void)snprintf(out->study_id, sizeof out->study_id, "%s", reha_json_string(row, "study_id", ""));
    out->tries = json_integer_value(json_object_get(row, "tries"));
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_OUTBOX_TAKE, REHA_BIND(reha_of_text(out->signature_id)),
                             NULL, err));
done:
    json_decref(row);
    return clinic_end(&write, status, err);
}

/* The UIDs of those objects that `arrived`; all if it is NULL. */
static json_t *uids_of(const reha_export *objects, const bool *arrived)
{
    json_t *uids = json_array();
    for (size_t i = 0; i < objects->count; i++) {
        if (arrived == NULL || arrived[i]) {
            (void)json_array_append_new(uids, json_string(objects->files[i].instance_uid));
        }
    }
    return uids;
}

static reha_status note_sent(clinic_write *write, const clinic_letter *letter, const clinic_address *to,
                             const char *outcome, json_t *uids, reha_error *err)
{
    const reha_actor system = clinic_system_actor();
    json_t *detail = where(to, letter->signature_id, outcome);
    (void)json_object_set_new(detail, "objects", uids);
    return clinic_note(write, &system, "study.send", "study", letter->study_id, detail, err);
}

reha_status clinic_outbox_sent(reha_clinic *clinic, const clinic_letter *letter, const clinic_address *to,
                               const reha_export *objects, reha_error *err)
{
    clinic_write write;
    char now[REHA_TIMESTAMP_BYTES];
    char place[CLINIC_PLACE_BYTES];
    reha_status status = REHA_OK;
    json_t *uids = uids_of(objects, NULL);
    char *text = json_dumps(uids, JSON_COMPACT);
    reha_clock_timestamp(now);
    write_place(to, place);
    REHA_CHECK(clinic_begin(clinic, true, &write, err));
    status = reha_store_do(write.store, REHA_SQL_OUTBOX_SENT,
                           REHA_BIND(reha_of_text(letter->signature_id), reha_of_text(place),
                                     reha_of_text(text), reha_of_text(now)),
                           NULL, err);
    if (status == REHA_OK) {
        status = note_sent(&write, letter, to, "sent", json_incref(uids), err);
    }
    status = clinic_end(&write, status, err);
    if (status == REHA_OK) {
        tell_page(clinic, letter->study_id);
    }
done:
    free(text); /* allowed: jansson's */
    json_decref(uids);
    return status;
}

static reha_status note_failed(clinic_write *write, const clinic_address *to, const char *signature_id,
                               const char *study_id, reha_status why, reha_error *err)
{
    const reha_actor system = clinic_system_actor();
    json_t *detail = where(to, signature_id, "failed");
    (void)json_object_set_new(detail, "status", json_string(reha_status_name(why)));
    return clinic_note(write, &system, "study.send-failed", "study", study_id, detail, err);
}

/* Those that were given up in this moment; *rows is the caller's, also on failure. */
static reha_status note_given_up(clinic_write *write, const clinic_address *to, const char *now,
                                 reha_status why, json_t **rows, reha_error *err)
{
    REHA_TRY(
        reha_store_rows(write->store, REHA_SQL_OUTBOX_ENDED_AT, REHA_BIND(reha_of_text(now)), rows, err));
    reha_status status = REHA_OK;
    for (size_t i = 0; status == REHA_OK && i < json_array_size(*rows); i++) {
        const json_t *row = json_array_get(*rows, i);
        status = note_failed(write, to, reha_json_string(row, "signature_id", ""),
                             reha_json_string(row, "study_id", ""), why, err);
    }
    return status;
}

reha_status clinic_outbox_later(reha_clinic *clinic, const clinic_letter *letter, const clinic_address *to,
                                const clinic_setback *setback, const clinic_patience *patience,
                                reha_error *err)
{
    clinic_write write;
    char now[REHA_TIMESTAMP_BYTES];
    json_t *given_up = NULL;
    reha_status status = REHA_OK;
    reha_clock_timestamp(now);
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(give_back(&write, letter->signature_id, err));
    REHA_CHECK(
        reha_store_do(write.store, REHA_SQL_OUTBOX_LATER,
                      REHA_BIND(reha_of_text(setback->is_for_all ? NULL : letter->signature_id),
                                reha_of_int((int64_t)time(NULL)), reha_of_text(now),
                                reha_of_text(setback->fault.text), reha_of_int(setback->is_refusal ? 1 : 0),
                                reha_of_int(patience->refusals_max), reha_of_int(patience->tries_max),
                                reha_of_int(patience->pause_first_s), reha_of_int(patience->pause_max_s)),
                      NULL, err));
    if (setback->arrived_count > 0) { /* what left the house is told, also when it was not all */
        REHA_CHECK(note_sent(&write, letter, to, "partly", uids_of(setback->objects, setback->arrived), err));
    }
    REHA_CHECK(note_given_up(&write, to, now, setback->fault.status, &given_up, err));
done:
    status = clinic_end(&write, status, err);
    if (status == REHA_OK) {
        tell_page(clinic, letter->study_id);
        tell_pages(clinic, given_up);
    }
    json_decref(given_up);
    return status;
}

reha_status clinic_outbox_end(reha_clinic *clinic, const clinic_letter *letter, const clinic_address *to,
                              bool is_fault, const reha_error *why, reha_error *err)
{
    clinic_write write;
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    reha_status status = give_back(&write, letter->signature_id, err);
    if (status == REHA_OK) {
        status = end_letter(&write, letter->signature_id, is_fault ? "failed" : "dropped", why->text, err);
    }
    if (status == REHA_OK && is_fault) {
        status = note_failed(&write, to, letter->signature_id, letter->study_id, why->status, err);
    }
    status = clinic_end(&write, status, err);
    if (status == REHA_OK) {
        tell_page(clinic, letter->study_id);
    }
    return status;
}

/* ---- for the administrator ---- */

/* The member of the row of this state; null if none is in it. */
static json_t *of_state(const json_t *rows, const char *state, const char *key)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (strcmp(reha_json_string(row, "state", ""), state) == 0) {
            return json_incref(json_object_get(row, key));
        }
    }
    return json_null();
}

static json_int_t count_of(const json_t *rows, const char *state)
{
    json_t *n = of_state(rows, state, "n");
    const json_int_t count = json_integer_value(n);
    json_decref(n);
    return count;
}

static json_t *place_of(const reha_clinic *clinic)
{
    return atomic_load(&clinic->has_outbox) ? json_string(clinic->archive) : json_null();
}

reha_status reha_clinic_outbox(reha_clinic *clinic, const reha_actor *actor, const char *state, json_t **out,
                               reha_error *err)
{
    json_t *rows = NULL;
    json_t *found = NULL;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_ADMINISTER, err));
    if (state != NULL && strcmp(state, "waiting") != 0 && strcmp(state, "sent") != 0 &&
        strcmp(state, "failed") != 0 && strcmp(state, "dropped") != 0) {
        return reha_fail(err, REHA_E_ARG, "'state' must be one of: waiting sent failed dropped");
    }
    reha_store *store = clinic_read(clinic);
    reha_status status = reha_store_rows(
        store, REHA_SQL_OUTBOX, REHA_BIND(reha_of_text(NULL), reha_of_text(state), reha_of_int(LIST_MAX)),
        &rows, err);
    if (status == REHA_OK) {
        status = reha_store_rows(store, REHA_SQL_OUTBOX_COUNTS, REHA_BIND_NONE, &found, err);
    }
    clinic_read_end(clinic, store);
    if (status == REHA_OK) {
        *out = json_pack("{s:o, s:{s:I, s:I, s:I, s:I}, s:o, s:o, s:O}", "archive", place_of(clinic),
                         "counts", "waiting", count_of(found, "waiting"), "sent", count_of(found, "sent"),
                         "failed", count_of(found, "failed"), "dropped", count_of(found, "dropped"),
                         "oldest_waiting_at", of_state(found, "waiting", "first_at"), "last_sent_at",
                         of_state(found, "sent", "last_end_at"), "items", rows);
        status = *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the outbox");
    }
    json_decref(found);
    json_decref(rows);
    return status;
}

reha_status reha_clinic_outbox_care(reha_clinic *clinic, json_t **out, reha_error *err)
{
    json_t *found = NULL;
    *out = NULL;
    REHA_TRY(clinic_rows(clinic, REHA_SQL_OUTBOX_CARE, REHA_BIND_NONE, &found, err));
    *out = json_pack("{s:b, s:I, s:I, s:o, s:o}", "configured", (int)atomic_load(&clinic->has_outbox),
                     "waiting", count_of(found, "waiting"), "failed", count_of(found, "failed"), "waiting_s",
                     of_state(found, "waiting", "age_s"), "failed_s", of_state(found, "failed", "age_s"));
    json_decref(found);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the outbox");
}

static reha_status none_of(reha_error *err)
{
    return reha_fail(err, REHA_E_NOT_FOUND, "nothing of that id waits or has failed: see the list");
}

reha_status reha_clinic_outbox_again(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                     int64_t *count, reha_error *err)
{
    clinic_write write;
    json_t *failed = NULL;
    reha_status status = REHA_OK;
    *count = 0;
    REHA_TRY(clinic_may(actor, REHA_MAY_ADMINISTER, err));
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(reha_store_rows(write.store, REHA_SQL_OUTBOX,
                               REHA_BIND(reha_of_text(id), reha_of_text("failed"), reha_of_int(LIST_MAX)),
                               &failed, err));
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_OUTBOX_AGAIN, REHA_BIND(reha_of_text(id)), count, err));
    if (id != NULL && *count == 0) {
        status = none_of(err);
        goto done;
    }
    if (*count > 0) {
        REHA_CHECK(clinic_note(&write, actor, "outbox.again", "signature", id != NULL ? id : "all",
                               json_pack("{s:I}", "count", (json_int_t)*count), err));
    }
done:
    status = clinic_end(&write, status, err);
    if (status == REHA_OK) {
        tell_pages(clinic, failed);
    }
    json_decref(failed);
    return status;
}

/* Why it had not gone stays told beside that it was given up. */
static reha_status give_up(clinic_write *write, const json_t *letter, reha_error *err)
{
    char now[REHA_TIMESTAMP_BYTES];
    char reason[REHA_ERROR_TEXT_BYTES + 64]; /* never cut: half a character is none */
    const char *before = reha_json_string(letter, "reason", NULL);
    reha_clock_timestamp(now);
    (void)snprintf(reason, sizeof reason, "given up by an administrator%s%s",
                   before != NULL ? "; before: " : "", before != NULL ? before : "");
    return reha_store_do(
        write->store, REHA_SQL_OUTBOX_GIVE_UP,
        REHA_BIND(reha_of_text(reha_json_string(letter, "id", "")), reha_of_text(reason), reha_of_text(now)),
        NULL, err);
}

reha_status reha_clinic_outbox_give_up(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                       reha_error *err)
{
    clinic_write write;
    json_t *rows = NULL;
    reha_status status = REHA_OK;
    REHA_TRY(clinic_may(actor, REHA_MAY_ADMINISTER, err));
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(reha_store_rows(write.store, REHA_SQL_OUTBOX,
                               REHA_BIND(reha_of_text(id), reha_of_text(NULL), reha_of_int(1)), &rows, err));
    const json_t *letter = json_array_get(rows, 0);
    const char *state = reha_json_string(letter, "state", "");
    if (strcmp(state, "waiting") != 0 && strcmp(state, "failed") != 0) {
        status = none_of(err);
        goto done;
    }
    REHA_CHECK(give_up(&write, letter, err));
    REHA_CHECK(clinic_note(&write, actor, "outbox.give-up", "signature", id,
                           json_pack("{s:s, s:s, s:O}", "study_id", reha_json_string(letter, "study_id", ""),
                                     "state", state, "tries", json_object_get(letter, "tries")),
                           err));
done:
    status = clinic_end(&write, status, err);
    if (status == REHA_OK) {
        tell_pages(clinic, rows);
    }
    json_decref(rows);
    return status;
}
