/* WADO-RS: stored files as they are, and their attributes. */
#include "web/dicomweb_priv.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/multipart.h"

#include <stdio.h>
#include <string.h>

enum { HEAD_BYTES = 256, MARK_BYTES = 33, METADATA_MAX = 2000 };
static const size_t METADATA_BYTES_MAX = (size_t)64 << 20;

/* ---- files ---- */

/* One answer on its way: a head, the bytes of a file, the next head, ... */
typedef struct delivery {
    reha_retrieval *retrieval;
    json_t *images; /* owned */
    size_t next;    /* which of them comes */
    char mark[MARK_BYTES];
    char text[HEAD_BYTES]; /* of a part, or the end of all */
    size_t text_at, text_bytes;
    const uint8_t *piece; /* of the retrieval */
    size_t piece_left;
    bool is_in_file, is_over, is_broken;
} delivery;

static size_t part_head(const delivery *at, size_t idx, char out[HEAD_BYTES])
{
    const json_t *image = json_array_get(at->images, idx);
    const int length = snprintf(
        out, HEAD_BYTES,
        "%s--%s\r\nContent-Type: " DICOM_TYPE "; transfer-syntax=%.64s\r\nContent-Length: %lld\r\n\r\n",
        idx > 0 ? "\r\n" : "", at->mark, dicomweb_text(json_object_get(image, "head"), TAG_TRANSFER_SYNTAX),
        (long long)json_integer_value(json_object_get(image, "size_bytes")));
    return (size_t)length;
}

static size_t last_line(const delivery *at, char out[HEAD_BYTES])
{
    return (size_t)snprintf(out, HEAD_BYTES, "\r\n--%s--\r\n", at->mark);
}

static size_t total_bytes(const delivery *at)
{
    char text[HEAD_BYTES];
    size_t total = last_line(at, text);
    for (size_t i = 0; i < json_array_size(at->images); i++) {
        total += part_head(at, i, text);
        total += (size_t)json_integer_value(json_object_get(json_array_get(at->images, i), "size_bytes"));
    }
    return total;
}

/* The head of the next file, or the end. The first file is open already. */
static reha_status begin_file(delivery *at, reha_error *err)
{
    bool has_one = at->next == 0;
    at->text_at = 0;
    if (at->next > 0) {
        REHA_TRY(reha_retrieval_next(at->retrieval, &has_one, err));
    }
    at->is_in_file = has_one;
    at->is_over = !has_one;
    at->text_bytes = has_one ? part_head(at, at->next, at->text) : last_line(at, at->text);
    at->next++;
    return REHA_OK;
}

static reha_status advance(delivery *at, reha_error *err)
{
    if (!at->is_in_file) {
        return begin_file(at, err);
    }
    REHA_TRY(reha_retrieval_read(at->retrieval, &at->piece, &at->piece_left, err));
    at->is_in_file = at->piece_left > 0;
    return REHA_OK;
}

static size_t give(char *out, size_t room, const void *bytes, size_t count)
{
    const size_t part = count < room ? count : room;
    memcpy(out, bytes, part);
    return part;
}

/* What was promised by Content-Length cannot be kept if a file is gone or damaged: the connection ends early,
 * and the client sees it. */
static size_t next_bytes(void *context, char *out, size_t room)
{
    delivery *at = context;
    size_t used = 0;
    while (used < room && !at->is_broken) {
        if (at->text_at < at->text_bytes) {
            const size_t part =
                give(out + used, room - used, at->text + at->text_at, at->text_bytes - at->text_at);
            at->text_at += part;
            used += part;
        } else if (at->piece_left > 0) {
            const size_t part = give(out + used, room - used, at->piece, at->piece_left);
            at->piece += part;
            at->piece_left -= part;
            used += part;
        } else if (at->is_over) {
            break;
        } else {
            reha_error err = REHA_ERROR_INIT;
            const reha_status status = advance(at, &err);
            if (status != REHA_OK) {
                at->is_broken = true;
                reha_log(REHA_LOG_ERROR, "dicomweb.broken", "status=%s", reha_status_name(status));
            }
        }
    }
    return used;
}

static void release(void *context)
{
    delivery *at = context;
    reha_retrieval_close(at->retrieval);
    json_decref(at->images);
    reha_free(at);
}

/* Whether one media type of the Accept header takes the files as they are. */
static bool type_takes(const char *type, const json_t *images)
{
    char inner[64];
    char syntax[80];
    const json_t *image = NULL;
    size_t i = 0;
    if (reha_media_is(type, "*/*") || reha_media_is(type, "multipart/*")) {
        return true;
    }
    if (!reha_media_is(type, "multipart/related") ||
        (reha_media_parameter(type, "type", inner, sizeof inner) && !reha_media_is(inner, DICOM_TYPE))) {
        return false;
    }
    if (!reha_media_parameter(type, "transfer-syntax", syntax, sizeof syntax) || strcmp(syntax, "*") == 0) {
        return true;
    }
    json_array_foreach(images, i, image)
    {
        if (strcmp(dicomweb_text(json_object_get(image, "head"), TAG_TRANSFER_SYNTAX), syntax) != 0) {
            return false;
        }
    }
    return true;
}

static bool takes_files(const reha_call *call, const json_t *images)
{
    char type[REHA_MULTIPART_TYPE_BYTES];
    const char *accept = reha_call_header(call, "Accept");
    bool takes = accept == NULL || accept[0] == '\0';
    for (const char *at = accept; !takes && dicomweb_next_type(&at, type, sizeof type);) {
        takes = type_takes(type, images);
    }
    return takes;
}

static void answer_files(reha_call *call, delivery *at)
{
    reha_http_response *response = &call->response;
    (void)snprintf(response->own_type, sizeof response->own_type,
                   "multipart/related; type=\"" DICOM_TYPE "\"; boundary=%s", at->mark);
    response->type = "multipart/related";
    response->code = 200;
    response->body_bytes = total_bytes(at);
    response->stream = (reha_http_stream){.next = next_bytes, .release = release, .context = at};
}

reha_status reha_dicomweb_retrieve(reha_call *call, reha_error *err)
{
    json_t *found = NULL;
    bool has_one = false;
    reha_status status = REHA_OK;
    delivery *at = NULL;
    REHA_TRY(dicomweb_images(call, &found, err));
    json_t *images = json_object_get(found, "items");
    if (!takes_files(call, images)) {
        dicomweb_refuse(call, 406, "files are given out as they are stored, as multipart/related",
                        "Ask for multipart/related; type=\"application/dicom\"; transfer-syntax=*.");
        goto done;
    }
    at = reha_alloc_zero(1, sizeof *at);
    if (at == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the files of a study");
        goto done;
    }
    at->images = json_incref(images);
    reha_http_random_hex(at->mark, sizeof at->mark);
    REHA_CHECK(reha_clinic_retrieve(call->clinic, &call->actor,
                                    reha_json_string(json_object_get(found, "study"), "id", ""), images,
                                    &at->retrieval, err));
    REHA_CHECK(reha_retrieval_next(at->retrieval, &has_one, err));
    answer_files(call, at);
    at = NULL;
done:
    if (at != NULL) {
        release(at);
    }
    json_decref(found);
    return status;
}

/* ---- attributes ---- */

reha_status reha_dicomweb_metadata(reha_call *call, reha_error *err)
{
    json_t *found = NULL;
    json_t *image = NULL;
    size_t i = 0;
    size_t total_bytes = 0;
    reha_status status = REHA_OK;
    json_t *all = json_array();
    dicomweb d = dicomweb_begin(call);
    if (!dicomweb_takes_json(call)) {
        goto done;
    }
    REHA_CHECK(dicomweb_images(call, &found, err));
    if (json_array_size(json_object_get(found, "items")) > METADATA_MAX) {
        status = reha_fail(err, REHA_E_LIMIT, "more than %d instances: ask for one series, or one instance",
                           METADATA_MAX);
        goto done;
    }
    json_array_foreach(json_object_get(found, "items"), i, image)
    {
        json_t *attributes = NULL;
        REHA_CHECK(reha_clinic_dicom_model(call->clinic, &call->actor, reha_json_string(image, "id", ""),
                                           &attributes, err));
        total_bytes += json_dumpb(attributes, NULL, 0, JSON_COMPACT);
        d.failed = json_array_append_new(all, attributes) != 0 || d.failed;
        if (total_bytes > METADATA_BYTES_MAX) {
            status = reha_fail(err, REHA_E_LIMIT,
                               "the attributes of these instances are more than %zu MiB: ask for fewer",
                               METADATA_BYTES_MAX >> 20);
            goto done;
        }
    }
    status = dicomweb_answer(&d, 200, all, err);
    all = NULL;
done:
    json_decref(all);
    json_decref(found);
    return status;
}
