/* STOW-RS: every part of the body is an upload of its own, which is over and on disk before the next one
 * begins. Nothing of the body is kept here but what became of it. */
#include "web/dicomweb_priv.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/multipart.h"

#include <stdio.h>
#include <string.h>

/* Failure reasons (PS3.18 table I.2-2, PS3.7 annex C), as the DICOM node gives them where it can. */
enum {
    REASON_PROCESSING = 0x0110,  /* a fault of ours */
    REASON_CLASS = 0x0122,       /* of a kind that is not read */
    REASON_RESOURCES = 0xA700,   /* too large, or the disk is full */
    REASON_OTHER_STUDY = 0xA900, /* of another study than the address says */
    REASON_DAMAGED = 0xC000      /* no DICOM file, damaged, or not to be taken in */
};

struct reha_dicomweb_store {
    reha_call *call;
    reha_multipart *parser;
    size_t body_bytes;
    reha_upload *upload; /* the part on its way; NULL: none, or it failed already */
    reha_status status;  /* of that part */
    reha_error fault;
    reha_upload_seen seen;
    json_t *stored, *failed, *others; /* items of the three sequences; owned */
    size_t parts;
    char study_uid[65]; /* of all that were stored; "": of several */
    dicomweb answer;
};

static const char *wanted_study(const reha_call *call)
{
    return call->match.params[0][0] != '\0' ? call->match.params[0] : NULL;
}

static void begin_upload(reha_dicomweb_store *store)
{
    reha_call *call = store->call;
    const reha_upload_options options = {
        .study_instance_uid = wanted_study(call), .is_dicom = true, .seen = &store->seen};
    store->status = reha_upload_begin(call->clinic, &call->actor, &options, &store->upload, &store->fault);
}

static reha_status on_begin(void *context, const char *type, reha_error *err)
{
    reha_dicomweb_store *store = context;
    (void)err;
    store->parts++;
    store->fault = (reha_error)REHA_ERROR_INIT;
    store->seen = (reha_upload_seen){.study_uid = ""};
    if (reha_media_is(type, DICOM_TYPE)) {
        begin_upload(store);
    } else {
        store->status = reha_fail(&store->fault, REHA_E_FORMAT, "a part is not " DICOM_TYPE);
    }
    return REHA_OK;
}

static reha_status on_add(void *context, const void *bytes, size_t count, reha_error *err)
{
    reha_dicomweb_store *store = context;
    (void)err;
    if (store->status == REHA_OK) {
        store->status = reha_upload_write(store->upload, bytes, count, &store->fault);
    }
    if (store->status != REHA_OK) { /* what it has written is given up now, not at the end of the part */
        reha_upload_close(store->upload);
        store->upload = NULL;
    }
    return REHA_OK;
}

static int reason_of(reha_status status)
{
    switch (status) {
    case REHA_E_ARG:
        return REASON_OTHER_STUDY;
    case REHA_E_UNSUPPORTED:
        return REASON_CLASS;
    case REHA_E_LIMIT:
    case REHA_E_FULL:
        return REASON_RESOURCES;
    default:
        return reha_status_is_input_fault(status) ? REASON_DAMAGED : REASON_PROCESSING;
    }
}

/* A failure whose instance could not be read is one of the others. */
static void note_failure(reha_dicomweb_store *store)
{
    dicomweb *d = &store->answer;
    json_t *item = json_object();
    const bool is_known = store->seen.sop_uid[0] != '\0' && store->seen.class_uid[0] != '\0';
    if (is_known) {
        dicomweb_put_text(d, item, TAG_REF_CLASS, "UI", store->seen.class_uid);
        dicomweb_put_text(d, item, TAG_REF_INSTANCE, "UI", store->seen.sop_uid);
    }
    dicomweb_put_number(d, item, TAG_FAILURE_REASON, "US", reason_of(store->status));
    d->failed = json_array_append_new(is_known ? store->failed : store->others, item) != 0 || d->failed;
    reha_log(REHA_LOG_WARN, "dicomweb.refused", "request=%s part=%zu status=%s", store->call->request->id,
             store->parts, reha_status_name(store->status));
}

static reha_status note_stored(reha_dicomweb_store *store, const json_t *outcome, reha_error *err)
{
    dicomweb *d = &store->answer;
    char url[DICOMWEB_URL_BYTES];
    json_t *is_now = NULL;
    json_t *item = json_object();
    const json_t *first = json_array_get(json_object_get(outcome, "items"), 0);
    const reha_status status = reha_clinic_dicom_reference(
        store->call->clinic, &store->call->actor, reha_json_string(first, "image_id", ""), &is_now, err);
    const char *study = reha_json_string(is_now, "study_uid", "");
    if (status != REHA_OK) {
        json_decref(item);
        return status;
    }
    (void)snprintf(url, sizeof url, "%s/studies/%s/series/%s/instances/%s", d->base, study,
                   reha_json_string(is_now, "series_uid", ""), reha_json_string(is_now, "sop_uid", ""));
    dicomweb_put_text(d, item, TAG_REF_CLASS, "UI", reha_json_string(is_now, "class_uid", ""));
    dicomweb_put_text(d, item, TAG_REF_INSTANCE, "UI", reha_json_string(is_now, "sop_uid", ""));
    dicomweb_put_text(d, item, TAG_RETRIEVE_URL, "UR", url);
    if (json_array_size(store->stored) == 0) {
        (void)snprintf(store->study_uid, sizeof store->study_uid, "%s", study);
    } else if (strcmp(store->study_uid, study) != 0) {
        store->study_uid[0] = '\0';
    }
    d->failed = json_array_append_new(store->stored, item) != 0 || d->failed;
    json_decref(is_now);
    return REHA_OK;
}

static reha_status on_end(void *context, reha_error *err)
{
    reha_dicomweb_store *store = context;
    json_t *outcome = NULL;
    (void)err;
    if (store->status == REHA_OK) {
        store->status = reha_upload_finish(store->upload, &outcome, &store->fault);
    }
    if (store->status == REHA_OK) {
        store->status = note_stored(store, outcome, &store->fault);
    }
    if (store->status != REHA_OK) {
        note_failure(store);
    }
    reha_upload_close(store->upload);
    store->upload = NULL;
    json_decref(outcome);
    return REHA_OK;
}

reha_status reha_dicomweb_store_begin(reha_call *call, reha_error *err)
{
    char boundary[REHA_BOUNDARY_BYTES];
    char inner[64];
    reha_status status = REHA_OK;
    const char *type = reha_call_header(call, "Content-Type");
    if (type == NULL || !reha_media_is(type, "multipart/related") ||
        !reha_media_parameter(type, "boundary", boundary, sizeof boundary) ||
        (reha_media_parameter(type, "type", inner, sizeof inner) && !reha_media_is(inner, DICOM_TYPE))) {
        return reha_fail(err, REHA_E_UNSUPPORTED,
                         "the body must be multipart/related; type=\"" DICOM_TYPE "\", with its boundary");
    }
    reha_dicomweb_store *store = reha_alloc_zero(1, sizeof *store);
    if (store == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for images");
    }
    const reha_multipart_taker taker = {on_begin, on_add, on_end, store};
    store->call = call;
    store->answer = dicomweb_begin(call);
    store->stored = json_array();
    store->failed = json_array();
    store->others = json_array();
    REHA_CHECK(reha_multipart_new(boundary, NULL, &taker, &store->parser, err));
    call->store = store;
    store = NULL;
done:
    reha_dicomweb_store_close(store);
    return status;
}

reha_status reha_dicomweb_store_feed(reha_dicomweb_store *store, const void *bytes, size_t count,
                                     reha_error *err)
{
    const size_t most = store->call->web->options.upload_bytes_max;
    if (count > most || store->body_bytes > most - count) {
        return reha_fail(err, REHA_E_LIMIT, "the body is larger than %zu MiB; what came before is stored",
                         most >> 20);
    }
    store->body_bytes += count;
    return reha_multipart_feed(store->parser, bytes, count, err);
}

void reha_dicomweb_store_close(reha_dicomweb_store *store)
{
    if (store != NULL) {
        reha_multipart_free(store->parser);
        reha_upload_close(store->upload);
        json_decref(store->stored);
        json_decref(store->failed);
        json_decref(store->others);
        reha_free(store);
    }
}

static void put_sequence(dicomweb *d, json_t *to, const char *tag, json_t *items)
{
    if (json_array_size(items) > 0) {
        d->failed = json_object_set_new(to, tag, json_pack("{s:s, s:O}", "vr", "SQ", "Value", items)) != 0 ||
                    d->failed;
    }
}

reha_status reha_dicomweb_store_end(reha_call *call, reha_error *err)
{
    reha_dicomweb_store *store = call->store;
    dicomweb *d = &store->answer;
    char url[DICOMWEB_URL_BYTES];
    REHA_TRY(reha_multipart_finish(store->parser, err));
    if (store->parts == 0) {
        return reha_fail(err, REHA_E_FORMAT, "the body has no part: there is nothing to store");
    }
    json_t *answer = json_object();
    const size_t stored = json_array_size(store->stored);
    (void)snprintf(url, sizeof url, "%s/studies/%s", d->base, store->study_uid);
    dicomweb_put_text(d, answer, TAG_RETRIEVE_URL, "UR", store->study_uid[0] != '\0' ? url : NULL);
    put_sequence(d, answer, TAG_FAILED_SEQUENCE, store->failed);
    put_sequence(d, answer, TAG_STORED_SEQUENCE, store->stored);
    put_sequence(d, answer, TAG_OTHER_FAILURES, store->others);
    return dicomweb_answer(d, stored == store->parts ? 200 : stored > 0 ? 202 : 409, answer, err);
}
