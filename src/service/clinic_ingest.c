#include "service/clinic_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "service/input.h"
#include "store/erase.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENT_BYTES = 256 };

/* One file on its way into the records. */
typedef struct arrival {
    reha_clinic *clinic;
    const reha_actor *actor;
    const reha_upload_options *options;
    const char *name;
    char source_digest[REHA_DIGEST_TEXT_BYTES]; /* of the file as it came */
    char digest[REHA_DIGEST_TEXT_BYTES];        /* of the DICOM file that is stored */
    reha_sandbox_answer seen;                   /* what the sandbox says of it */
    char study_id[REHA_ID_BYTES], image_id[REHA_ID_BYTES], job_id[REHA_ID_BYTES];
    bool is_duplicate;
} arrival;

static json_t *make_item(const arrival *at, const char *outcome, const reha_error *fault)
{
    json_t *error = fault != NULL ? json_pack("{s:s, s:o}", "code", reha_status_name(fault->status), "text",
                                              reha_json_text(fault->text))
                                  : json_null();
    return json_pack("{s:o, s:s, s:s?, s:s?, s:s?, s:o}", "name", reha_json_text(at->name), "outcome",
                     outcome, "study_id", at->study_id[0] != '\0' ? at->study_id : NULL, "image_id",
                     at->image_id[0] != '\0' ? at->image_id : NULL, "job_id",
                     at->job_id[0] != '\0' ? at->job_id : NULL, "error", error);
}

static void put_id(char out[REHA_ID_BYTES], const char *id)
{
    (void)snprintf(out, REHA_ID_BYTES, "%s", id != NULL ? id : "");
}

static reha_status find_known(reha_store *store, arrival *at, const char *sop_uid, reha_error *err)
{
    json_t *row = NULL;
    const reha_status status =
        reha_store_row(store, REHA_SQL_IMAGE_KNOWN,
                       REHA_BIND(reha_of_text(at->source_digest), reha_of_text(sop_uid)), &row, err);
    at->is_duplicate = status == REHA_OK;
    if (status == REHA_OK) {
        put_id(at->image_id, reha_json_string(row, "id", ""));
        put_id(at->study_id, reha_json_string(row, "study_id", ""));
    }
    json_decref(row);
    return status == REHA_E_NOT_FOUND ? REHA_OK : status;
}

/* Who sends to a study by its name must not find the image in another one. */
static reha_status check_study(const arrival *at, const char *study_uid, reha_error *err)
{
    const char *wanted = at->options->study_instance_uid;
    return wanted == NULL || strcmp(wanted, study_uid) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_ARG, "the image is of another study than the one that it was sent to");
}

static reha_status check_known_study(reha_store *store, const arrival *at, reha_error *err)
{
    json_t *row = NULL;
    REHA_TRY(reha_store_row(store, REHA_SQL_STUDY_UID, REHA_BIND(reha_of_text(at->study_id)), &row, err));
    const reha_status status = check_study(at, reha_json_string(row, "uid", ""), err);
    json_decref(row);
    return status;
}

/* The patient whom the upload names; else whom the file names, by a keyed hash of the number: the number
 * itself stays in the sealed file. Pictures name nobody: "" then. */
static reha_status choose_patient(clinic_write *write, arrival *at, char out[REHA_ID_BYTES], reha_error *err)
{
    char mac[REHA_MAC_TEXT_BYTES];
    json_t *row = NULL;
    const char *external = reha_json_string(at->seen.json, "patient_id", NULL);
    put_id(out, at->options->patient_id);
    if (out[0] != '\0' || external == NULL) {
        return REHA_OK;
    }
    reha_mac(at->clinic->keys.pseudonyms, external, strlen(external), mac);
    const reha_status status =
        reha_store_row(write->store, REHA_SQL_PATIENT_BY_EXTERNAL, REHA_BIND(reha_of_text(mac)), &row, err);
    if (status == REHA_OK) {
        put_id(out, reha_json_string(row, "id", ""));
        json_decref(row);
        return REHA_OK;
    }
    if (status != REHA_E_NOT_FOUND) {
        return status;
    }
    json_t *empty = json_object();
    const reha_status made = clinic_patient_make(write, at->actor, empty, mac, out, err);
    json_decref(empty);
    return made;
}

static reha_status check_target(const json_t *study, const arrival *at, reha_error *err)
{
    if (reha_json_string(study, "signed_at", NULL) != NULL) {
        return reha_fail(err, REHA_E_CONFLICT, "the study is signed: reopen it before images are added");
    }
    const char *owner = reha_json_string(study, "patient_id", NULL);
    if (at->options->patient_id != NULL && owner != NULL && strcmp(owner, at->options->patient_id) != 0) {
        return reha_fail(err, REHA_E_CONFLICT, "the study belongs to another patient");
    }
    return REHA_OK;
}

static reha_status choose_study(clinic_write *write, arrival *at, reha_error *err)
{
    json_t *study = NULL;
    char patient[REHA_ID_BYTES];
    char now[REHA_TIMESTAMP_BYTES];
    const json_t *facts = json_object_get(at->seen.json, "facts");
    const char *uid = reha_json_string(at->seen.json, "study_uid", "");
    reha_status status =
        reha_store_row(write->store, REHA_SQL_STUDY_BY_UID, REHA_BIND(reha_of_text(uid)), &study, err);
    if (status == REHA_OK) {
        put_id(at->study_id, reha_json_string(study, "id", ""));
        status = check_target(study, at, err);
        json_decref(study);
        return status;
    }
    if (status != REHA_E_NOT_FOUND) {
        return status;
    }
    REHA_TRY(choose_patient(write, at, patient, err));
    reha_identifier_new(at->study_id);
    reha_clock_timestamp(now);
    status = reha_store_do(
        write->store, REHA_SQL_STUDY_ADD,
        REHA_BIND(reha_of_text(at->study_id), reha_of_text(patient[0] != '\0' ? patient : NULL),
                  reha_of_text(at->options->episode_id), reha_of_text(uid),
                  reha_of_text(reha_json_string(facts, "modality", NULL)),
                  reha_of_text(reha_json_string(facts, "body_part", NULL)),
                  reha_of_text(reha_json_string(at->seen.json, "image_date", NULL)), reha_of_text(now)),
        NULL, err);
    if (status == REHA_E_NOT_FOUND) {
        (void)reha_fail(err, status, "no such patient or episode");
    }
    return status;
}

static reha_status store_image(clinic_write *write, arrival *at, size_t size_bytes, reha_error *err)
{
    char now[REHA_TIMESTAMP_BYTES];
    const reha_side side = reha_side_from_name(at->name);
    char *facts = json_dumps(json_object_get(at->seen.json, "facts"), JSON_COMPACT);
    char *head = json_dumps(json_object_get(at->seen.json, "head"), JSON_COMPACT);
    if (facts == NULL || head == NULL) {
        free(facts); /* allowed: jansson's */
        free(head);  /* allowed: jansson's */
        return reha_fail(err, REHA_E_INTERNAL, "the facts of an image are missing");
    }
    reha_identifier_new(at->image_id);
    reha_clock_timestamp(now);
    const reha_status status = reha_store_do(
        write->store, REHA_SQL_IMAGE_ADD,
        REHA_BIND(reha_of_text(at->image_id), reha_of_text(at->study_id),
                  reha_of_text(reha_json_string(at->seen.json, "sop_uid", "")), reha_of_text(at->digest),
                  reha_of_text(at->source_digest), reha_of_int((int64_t)size_bytes), reha_of_text(facts),
                  reha_of_text(reha_json_string(at->seen.json, "image_date", NULL)),
                  reha_of_text(side != REHA_SIDE_UNKNOWN ? reha_side_text(side) : NULL), reha_of_text(now),
                  reha_of_text(head)),
        NULL, err);
    free(facts); /* allowed: jansson's */
    free(head);  /* allowed: jansson's */
    return status;
}

/* An erasing may have swept the file away as nobody's before its record was made. */
static reha_status file_stands(clinic_write *write, const arrival *at, const uint8_t *bytes, size_t count,
                               reha_error *err)
{
    char digest[REHA_DIGEST_TEXT_BYTES];
    return reha_blobs_has(write->clinic->blobs, at->digest)
               ? REHA_OK
               : reha_blobs_put(write->clinic->blobs, bytes, count, digest, err);
}

/* Study, image, job and audit event: all or nothing. */
static reha_status file_arrival(arrival *at, const uint8_t *bytes, size_t size_bytes, reha_error *err)
{
    clinic_write write;
    reha_status status = REHA_OK;
    REHA_TRY(clinic_begin(at->clinic, true, &write, err));
    /* Again, now that nobody else writes: the same file may have come twice at once. */
    REHA_CHECK(find_known(write.store, at, reha_json_string(at->seen.json, "sop_uid", ""), err));
    if (at->is_duplicate) {
        REHA_CHECK(check_known_study(write.store, at, err));
        goto done;
    }
    REHA_CHECK(choose_study(&write, at, err));
    REHA_CHECK(store_image(&write, at, size_bytes, err));
    REHA_CHECK(file_stands(&write, at, bytes, size_bytes, err));
    REHA_CHECK(clinic_job_add(&write, at->image_id, at->options->task, at->job_id, err));
    REHA_CHECK(
        reha_store_do(write.store, REHA_SQL_STUDY_REFRESH, REHA_BIND(reha_of_text(at->study_id)), NULL, err));
    REHA_CHECK(clinic_note(&write, at->actor, "image.store", "image", at->image_id,
                           json_pack("{s:s, s:s, s:s?, s:s*}", "study_id", at->study_id, "digest", at->digest,
                                     "task", at->options->task, "from_ae_title", at->options->from_ae_title),
                           err));
done:
    if (status != REHA_OK || at->is_duplicate) {
        reha_erase_unnamed(write.store, at->clinic->blobs, at->digest);
    }
    status = clinic_end(&write, status, err);
    if (status != REHA_OK) {
        at->study_id[0] = at->image_id[0] = at->job_id[0] = '\0';
    }
    return status;
}

/* The UID of the study that pictures are to be added to; "" makes a new one. */
static reha_status target_uid(arrival *at, char out[65], reha_error *err)
{
    json_t *row = NULL;
    out[0] = '\0';
    if (at->options->study_id == NULL) {
        return REHA_OK;
    }
    REHA_TRY(clinic_row(at->clinic, REHA_SQL_STUDY_UID, REHA_BIND(reha_of_text(at->options->study_id)),
                        "study", &row, err));
    (void)snprintf(out, 65, "%s", reha_json_string(row, "uid", ""));
    json_decref(row);
    return REHA_OK;
}

static reha_status look_at(arrival *at, const uint8_t *bytes, size_t count, reha_error *err)
{
    char uid[65];
    char today[REHA_TIMESTAMP_BYTES];
    REHA_TRY(target_uid(at, uid, err));
    reha_clock_timestamp(today);
    today[10] = '\0';
    json_t *request =
        json_pack("{s:s, s:o, s:s, s:s, s:f}", "op", "inspect", "name", reha_json_text(at->name), "study_uid",
                  uid, "image_date", at->options->image_date != NULL ? at->options->image_date : today,
                  "mm_per_px", at->options->mm_per_px);
    const reha_status status = clinic_view(at->clinic, request, bytes, count, &at->seen, err);
    json_decref(request);
    return status;
}

static reha_status take_in(arrival *at, const uint8_t *bytes, size_t count, reha_error *err)
{
    reha_store *store = clinic_read(at->clinic);
    reha_status known = find_known(store, at, "", err);
    if (known == REHA_OK && at->is_duplicate) {
        known = check_known_study(store, at, err);
    }
    clinic_read_end(at->clinic, store);
    REHA_TRY(known);
    if (at->is_duplicate) {
        return REHA_OK;
    }
    REHA_TRY(look_at(at, bytes, count, err));
    const json_t *seen = at->seen.json;
    if (strcmp(reha_json_string(seen, "kind", ""), "archive") == 0) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "an archive inside of an archive; unpack it first");
    }
    if (reha_json_string(seen, "sop_uid", NULL) == NULL ||
        reha_json_string(seen, "study_uid", NULL) == NULL) {
        return reha_fail(err, REHA_E_FORMAT, "the DICOM file names no study or no instance (UID missing)");
    }
    /* Else the sender would take the one for stored, while we keep the other. */
    if (at->options->sop_instance_uid != NULL &&
        strcmp(at->options->sop_instance_uid, reha_json_string(seen, "sop_uid", "")) != 0) {
        return reha_fail(err, REHA_E_FORMAT, "the object is another instance than its sender says");
    }
    REHA_TRY(check_study(at, reha_json_string(seen, "study_uid", ""), err));
    const bool is_wrapped = at->seen.part_count == 1;
    const uint8_t *stored = is_wrapped ? at->seen.parts[0].bytes : bytes;
    const size_t stored_bytes = is_wrapped ? at->seen.parts[0].count : count;
    REHA_TRY(reha_blobs_put(at->clinic->blobs, stored, stored_bytes, at->digest, err));
    return file_arrival(at, stored, stored_bytes, err);
}

static void tell_seen(const arrival *at)
{
    reha_upload_seen *seen = at->options->seen;
    const json_t *head = json_object_get(at->seen.json, "head");
    const json_t *class_uid = json_array_get(json_object_get(json_object_get(head, "00080016"), "Value"), 0);
    const char *text = json_string_value(class_uid);
    if (seen != NULL) {
        (void)snprintf(seen->study_uid, sizeof seen->study_uid, "%s",
                       reha_json_string(at->seen.json, "study_uid", ""));
        (void)snprintf(seen->sop_uid, sizeof seen->sop_uid, "%s",
                       reha_json_string(at->seen.json, "sop_uid", ""));
        (void)snprintf(seen->class_uid, sizeof seen->class_uid, "%s", text != NULL ? text : "");
    }
}

reha_status clinic_ingest(reha_clinic *clinic, const reha_actor *actor, const reha_upload_options *options,
                          const char *name, const uint8_t *bytes, size_t count, char study_id[REHA_ID_BYTES],
                          json_t **item, reha_error *err)
{
    reha_error fault = REHA_ERROR_INIT;
    arrival at = {.clinic = clinic, .actor = actor, .options = options, .name = name};
    reha_digest_bytes(bytes, count, at.source_digest);
    const reha_status status = take_in(&at, bytes, count, &fault);
    tell_seen(&at);
    reha_sandbox_answer_clear(&at.seen);
    put_id(study_id, at.study_id);
    if (status == REHA_OK) {
        *item = make_item(&at, at.is_duplicate ? "duplicate" : "stored", NULL);
        reha_log(REHA_LOG_INFO, "image.arrived", "image=%s study=%s outcome=%s", at.image_id, at.study_id,
                 at.is_duplicate ? "duplicate" : "stored");
        if (!at.is_duplicate) {
            clinic_event_add(clinic, "job", at.study_id, at.image_id, at.job_id, "queued");
            clinic_job_wake(clinic);
        }
    } else {
        at.study_id[0] = at.image_id[0] = '\0'; /* of one that is known, but not there */
        *item = make_item(&at, "refused", &fault);
        reha_log(REHA_LOG_WARN, "image.refused", "digest=%.12s status=%s", at.source_digest,
                 reha_status_name(status));
    }
    if (*item == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for an answer");
    }
    /* A fault of ours stops everything; a fault of the file is the file's. */
    return status == REHA_OK || reha_status_is_input_fault(status) ? REHA_OK
                                                                   : reha_fail(err, status, "%s", fault.text);
}
