/* What all DICOMweb answers share. */
#include "web/dicomweb_priv.h"

#include "base/memory.h"
#include "base/multipart.h"

#include <stdio.h>
#include <string.h>

/* DICOM's decimal strings have 16 characters: no number loses digits on its way. */
enum { DIGITS = 15 };

dicomweb dicomweb_begin(reha_call *call)
{
    dicomweb d = {.call = call};
    reha_call_base(call, DICOMWEB_ROOT, d.base);
    return d;
}

void dicomweb_put(dicomweb *d, json_t *to, const char *tag, const char *vr, json_t *value)
{
    json_t *attribute =
        value != NULL ? json_pack("{s:s, s:[o]}", "vr", vr, "Value", value) : json_pack("{s:s}", "vr", vr);
    d->failed = json_object_set_new(to, tag, attribute) != 0 || d->failed;
}

void dicomweb_put_text(dicomweb *d, json_t *to, const char *tag, const char *vr, const char *text)
{
    dicomweb_put(d, to, tag, vr, text != NULL && text[0] != '\0' ? json_string(text) : NULL);
}

void dicomweb_put_number(dicomweb *d, json_t *to, const char *tag, const char *vr, json_int_t number)
{
    dicomweb_put(d, to, tag, vr, json_integer(number));
}

void dicomweb_copy(dicomweb *d, json_t *to, const json_t *from, const char *tag)
{
    json_t *attribute = json_object_get(from, tag);
    if (attribute != NULL) {
        d->failed = json_object_set(to, tag, attribute) != 0 || d->failed;
    }
}

const char *dicomweb_text(const json_t *attributes, const char *tag)
{
    const json_t *values = json_object_get(json_object_get(attributes, tag), "Value");
    const char *text = json_string_value(json_array_get(values, 0));
    return text != NULL ? text : "";
}

reha_status dicomweb_answer(dicomweb *d, int code, json_t *value, reha_error *err)
{
    const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(DIGITS);
    const size_t length = value != NULL && !d->failed ? json_dumpb(value, NULL, 0, flags) : 0;
    uint8_t *body = length > 0 ? reha_alloc(length) : NULL;
    if (body == NULL || json_dumpb(value, (char *)body, length, flags) != length) {
        reha_free(body);
        json_decref(value);
        return reha_fail(err, REHA_E_NOMEM, "out of memory while writing the answer");
    }
    json_decref(value);
    reha_call_bytes(d->call, DICOMWEB_JSON, body, length);
    d->call->response.code = code;
    return REHA_OK;
}

void dicomweb_refuse(reha_call *call, int code, const char *message, const char *hint)
{
    reha_http_respond_error(&call->response, code, code == 406 ? "not-acceptable" : "refused", message, hint,
                            call->request->id);
}

bool dicomweb_next_type(const char **list, char *out, size_t room)
{
    bool is_quoted = false;
    size_t used = 0;
    const char *at = *list + strspn(*list, ", \t");
    for (; *at != '\0' && (is_quoted || *at != ','); at++) {
        is_quoted = *at == '"' ? !is_quoted : is_quoted;
        if (used + 1 < room) {
            out[used++] = *at;
        }
    }
    out[used] = '\0';
    *list = at;
    return used > 0;
}

bool dicomweb_takes_json(reha_call *call)
{
    static const char *const ours[] = {DICOMWEB_JSON, "application/json", "application/*", "*/*"};
    char type[REHA_MULTIPART_TYPE_BYTES];
    const char *accept = reha_call_header(call, "Accept");
    bool takes = accept == NULL || accept[0] == '\0';
    for (const char *at = accept; !takes && dicomweb_next_type(&at, type, sizeof type);) {
        for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
            takes = takes || reha_media_is(type, ours[i]);
        }
    }
    if (!takes) {
        dicomweb_refuse(call, 406, "this server answers in DICOM JSON only",
                        "Ask for application/dicom+json in the header Accept.");
    }
    return takes;
}

reha_status dicomweb_images(reha_call *call, json_t **out, reha_error *err)
{
    const char *series = call->match.params[1];
    const char *instance = call->match.params[2];
    json_t *kept = json_array();
    json_t *image = NULL;
    size_t i = 0;
    bool is_complete = kept != NULL;
    *out = NULL;
    json_t *all = NULL;
    const reha_status status =
        reha_clinic_dicom_images(call->clinic, &call->actor, call->match.params[0], &all, err);
    if (status != REHA_OK) {
        json_decref(kept);
        return status;
    }
    json_array_foreach(json_object_get(all, "items"), i, image)
    {
        const json_t *head = json_object_get(image, "head");
        if ((series[0] == '\0' || strcmp(dicomweb_text(head, TAG_SERIES_UID), series) == 0) &&
            (instance[0] == '\0' || strcmp(reha_json_string(image, "sop_uid", ""), instance) == 0)) {
            is_complete = json_array_append(kept, image) == 0 && is_complete;
        }
    }
    const bool has_any = json_array_size(kept) > 0;
    is_complete = json_object_set_new(all, "items", kept) == 0 && is_complete;
    if (!is_complete || !has_any) {
        json_decref(all);
        return !is_complete ? reha_fail(err, REHA_E_NOMEM, "out of memory for a study")
                            : reha_fail(err, REHA_E_NOT_FOUND, "the study has no such series or instance");
    }
    *out = all;
    return REHA_OK;
}
