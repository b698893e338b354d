/* Uploads, studies, images, results, review and signature. */
#include "web/call_priv.h"

#include "base/memory.h"
#include "base/text.h"
#include "store/digest.h"

#include <stdio.h>
#include <string.h>

#define ID call->match.params[0]

/* File names travel percent-encoded: headers are ASCII. A bad escape is kept as it is. */
static void decode_name(const char *in, char *out, size_t room)
{
    size_t used = 0;
    while (*in != '\0' && used + 1 < room) {
        unsigned byte = 0;
        if (in[0] == '%' && sscanf(in + 1, "%2x", &byte) == 1 && byte >= 32u && in[1] != '\0' &&
            in[2] != '\0') {
            out[used++] = (char)byte;
            in += 3;
        } else {
            out[used++] = *in++;
        }
    }
    out[used] = '\0';
}

reha_status reha_call_upload_begin(reha_call *call, reha_error *err)
{
    char name[256] = "";
    double mm_per_px = 0.0;
    const char *scale = reha_call_query(call, "mm_per_px");
    const char *encoded = reha_call_header(call, "X-File-Name");
    if (scale != NULL &&
        (!reha_parse_double(scale, true, &mm_per_px) || mm_per_px <= 0.0 || mm_per_px > 10.0)) {
        return reha_fail(err, REHA_E_ARG, "'mm_per_px' must be a number above 0 and up to 10");
    }
    if (encoded != NULL) {
        decode_name(encoded, name, sizeof name);
    }
    const reha_upload_options options = {.idempotency_key = reha_call_header(call, "Idempotency-Key"),
                                         .file_name = name[0] != '\0' ? name : NULL,
                                         .patient_id = reha_call_query(call, "patient_id"),
                                         .episode_id = reha_call_query(call, "episode_id"),
                                         .study_id = reha_call_query(call, "study_id"),
                                         .image_date = reha_call_query(call, "image_date"),
                                         .mm_per_px = mm_per_px,
                                         .task = reha_call_query(call, "task")};
    return reha_upload_begin(call->clinic, &call->actor, &options, &call->upload, err);
}

reha_status reha_web_upload(reha_call *call, reha_error *err)
{
    json_t *answer = NULL;
    REHA_TRY(reha_upload_finish(call->upload, &answer, err));
    return reha_call_json(call, 201, answer, err);
}

reha_status reha_web_studies(reha_call *call, reha_error *err)
{
    reha_query query;
    json_t *list = NULL;
    REHA_TRY(reha_call_list_query(call, &query, err));
    REHA_TRY(reha_clinic_studies(call->clinic, &call->actor, &query, &list, err));
    return reha_call_json(call, 200, list, err);
}

reha_status reha_web_study_counts(reha_call *call, reha_error *err)
{
    json_t *counts = NULL;
    REHA_TRY(reha_clinic_study_counts(call->clinic, &call->actor, &counts, err));
    return reha_call_json(call, 200, counts, err);
}

reha_status reha_web_study(reha_call *call, reha_error *err)
{
    json_t *study = NULL;
    REHA_TRY(reha_clinic_study(call->clinic, &call->actor, ID, &study, err));
    return reha_call_json(call, 200, study, err);
}

reha_status reha_web_study_assign(reha_call *call, reha_error *err)
{
    json_t *study = NULL;
    REHA_TRY(
        reha_clinic_study_assign(call->clinic, &call->actor, ID, call->if_version, call->in, &study, err));
    return reha_call_json(call, 200, study, err);
}

reha_status reha_web_review(reha_call *call, reha_error *err)
{
    json_t *study = NULL;
    REHA_TRY(reha_clinic_review(call->clinic, &call->actor, ID, call->if_version, call->in, &study, err));
    return reha_call_json(call, 200, study, err);
}

reha_status reha_web_set_aside(reha_call *call, reha_error *err)
{
    json_t *study = NULL;
    REHA_TRY(reha_clinic_set_aside(call->clinic, &call->actor, ID, call->if_version, call->in, &study, err));
    return reha_call_json(call, 200, study, err);
}

reha_status reha_web_sign(reha_call *call, reha_error *err)
{
    json_t *study = NULL;
    REHA_TRY(reha_clinic_sign(call->clinic, &call->actor, ID, call->if_version, call->in, &study, err));
    return reha_call_json(call, 200, study, err);
}

reha_status reha_web_reopen(reha_call *call, reha_error *err)
{
    json_t *study = NULL;
    REHA_TRY(reha_clinic_reopen(call->clinic, &call->actor, ID, call->if_version, call->in, &study, err));
    return reha_call_json(call, 200, study, err);
}

reha_status reha_web_report(reha_call *call, reha_error *err)
{
    static const char *const types[] = {"text/html; charset=utf-8", "application/pdf", "application/json"};
    static const char *const endings[] = {"html", "pdf", "json"};
    const int format = call->match.route->variant;
    uint8_t *bytes = NULL;
    size_t count = 0;
    REHA_TRY(
        reha_clinic_report(call->clinic, &call->actor, ID, (reha_report_format)format, &bytes, &count, err));
    reha_call_bytes(call, types[format], bytes, count);
    (void)snprintf(call->response.file_name, sizeof call->response.file_name, "report-%.40s.%s", ID,
                   endings[format]);
    return REHA_OK;
}

reha_status reha_web_study_export(reha_call *call, reha_error *err)
{
    reha_export files;
    uint8_t *bytes = NULL;
    size_t count = 0;
    REHA_TRY(reha_clinic_export(call->clinic, &call->actor, ID, &files, err));
    const reha_status status = reha_export_zip(&files, &bytes, &count, err);
    reha_export_clear(&files);
    REHA_TRY(status);
    reha_call_bytes(call, "application/zip", bytes, count);
    (void)snprintf(call->response.file_name, sizeof call->response.file_name, "archive-%.40s.zip", ID);
    return REHA_OK;
}

static reha_status read_view(const reha_call *call, bool as_values, reha_view *view, reha_error *err)
{
    int64_t frame = 0;
    int64_t frames = 0;
    int64_t side = 0;
    const char *center = reha_call_query(call, "window_center");
    const char *width = reha_call_query(call, "window_width");
    REHA_TRY(reha_http_query_integer(call->request, "frame", 1, 1000000, 1, &frame, err));
    REHA_TRY(reha_http_query_integer(call->request, "frames", 1, 64, 1, &frames, err));
    REHA_TRY(reha_http_query_integer(call->request, "side_max_px", 16, 20000, 0, &side, err));
    *view = (reha_view){.frame_idx = (uint32_t)(frame - 1),
                        .frames = (uint32_t)frames,
                        .side_max_px = (uint32_t)side,
                        .modality_values = as_values};
    if (center != NULL && !reha_parse_double(center, true, &view->window_center)) {
        return reha_fail(err, REHA_E_ARG, "'window_center' must be a number");
    }
    if (width != NULL &&
        (!reha_parse_double(width, true, &view->window_width) || view->window_width <= 0.0)) {
        return reha_fail(err, REHA_E_ARG, "'window_width' must be a number above 0");
    }
    return REHA_OK;
}

/* What is kept for a while: thumbnails, and the reduced copy that the viewer begins with. */
static bool is_kept(const reha_view *view)
{
    const bool is_thumbnail = !view->modality_values && view->window_width <= 0.0 && view->side_max_px > 0 &&
                              view->side_max_px <= REHA_THUMB_SIDE_MAX_PX;
    const bool is_reduced = view->modality_values && view->side_max_px == REHA_REDUCED_SIDE_PX;
    return view->frames <= 1 && (is_thumbnail || is_reduced);
}

enum { KEPT_KEY_BYTES = REHA_PARAM_BYTES + 40 };
static void kept_key(const reha_call *call, const reha_view *view, bool is_values, char key[KEPT_KEY_BYTES])
{
    (void)snprintf(key, KEPT_KEY_BYTES, "%s/%u/%s%u", ID, view->frame_idx, is_values ? "v" : "",
                   is_values ? (uint32_t)REHA_REDUCED_SIDE_PX : view->side_max_px);
}

/* The file is opened once for a thumbnail and for the copy that is asked for when somebody opens the image
 * from the list. */
static reha_status make_kept(reha_call *call, const reha_view *view, uint8_t **out, size_t *count,
                             reha_error *err)
{
    reha_thumbs *thumbs = call->web->thumbs;
    char key[KEPT_KEY_BYTES];
    uint8_t *values = NULL;
    size_t value_count = 0;
    if (view->modality_values) {
        REHA_TRY(reha_clinic_image_view(call->clinic, &call->actor, ID, view, out, count, NULL, err));
    } else {
        REHA_TRY(reha_clinic_image_thumbnail(call->clinic, &call->actor, ID, view, out, count, &values,
                                             &value_count, err));
    }
    kept_key(call, view, view->modality_values, key);
    reha_thumbs_put(thumbs, key, *out, *count);
    if (values != NULL) {
        kept_key(call, view, true, key);
        reha_thumbs_put(thumbs, key, values, value_count);
        reha_free(values);
    }
    return REHA_OK;
}

static reha_status find_kept(reha_call *call, const reha_view *view, uint8_t **out, size_t *count,
                             reha_error *err)
{
    reha_thumbs *thumbs = call->web->thumbs;
    char key[KEPT_KEY_BYTES];
    reha_status status = REHA_OK;
    kept_key(call, view, view->modality_values, key);
    if (reha_thumbs_get(thumbs, key, out, count)) {
        return REHA_OK;
    }
    reha_thumbs_make_begin(thumbs, ID); /* by image: a thumbnail in the making brings the copy with it */
    if (!reha_thumbs_get(thumbs, key, out, count)) {
        status = make_kept(call, view, out, count, err);
    }
    reha_thumbs_make_end(thumbs, ID);
    return status;
}

/* Whoever may read may see every image (the route has checked it), so that one answer serves all. */
static reha_status answer_kept(reha_call *call, const reha_view *view, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    char digest[REHA_DIGEST_TEXT_BYTES];
    if (!reha_clinic_has_image(call->clinic,
                               ID)) { /* erased, perhaps by another process: no copy may outlive it */
        reha_thumbs_clear(call->web->thumbs);
        return reha_fail(err, REHA_E_NOT_FOUND, "no such image");
    }
    REHA_TRY(find_kept(call, view, &bytes, &count, err));
    reha_call_bytes(call, call->match.route->answer, bytes, count);
    REHA_TRY(reha_clinic_image_seen(call->clinic, &call->actor, ID, err));
    reha_digest_bytes(bytes, count, digest);
    (void)snprintf(call->response.etag, sizeof call->response.etag, "\"%.40s\"", digest);
    call->response.cache = "private, max-age=86400, immutable";
    return REHA_OK;
}

static reha_status answer_view(reha_call *call, const reha_view *view, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    char etag[REHA_TOKEN_BYTES + 2] = "";
    REHA_TRY(reha_clinic_image_view(call->clinic, &call->actor, ID, view, &bytes, &count, etag, err));
    reha_call_bytes(call, call->match.route->answer, bytes, count);
    (void)snprintf(call->response.etag, sizeof call->response.etag, etag[0] == '"' ? "%s" : "\"%s\"", etag);
    /* A stored image never changes; "private" keeps it out of caches that others share. */
    call->response.cache = "private, max-age=3600, immutable";
    return REHA_OK;
}

static reha_status answer_image(reha_call *call, bool as_values, reha_error *err)
{
    reha_view view;
    REHA_TRY(read_view(call, as_values, &view, err));
    return is_kept(&view) ? answer_kept(call, &view, err) : answer_view(call, &view, err);
}

reha_status reha_web_image(reha_call *call, reha_error *err)
{
    return answer_image(call, false, err);
}

reha_status reha_web_image_values(reha_call *call, reha_error *err)
{
    return answer_image(call, true, err);
}

reha_status reha_web_image_dicom(reha_call *call, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    REHA_TRY(reha_clinic_image_dicom(call->clinic, &call->actor, ID, &bytes, &count, err));
    reha_call_bytes(call, "application/dicom", bytes, count);
    (void)snprintf(call->response.file_name, sizeof call->response.file_name, "%.60s.dcm", ID);
    return REHA_OK;
}

reha_status reha_web_analyse(reha_call *call, reha_error *err)
{
    json_t *job = NULL;
    REHA_TRY(reha_clinic_analyse(call->clinic, &call->actor, ID, call->in,
                                 reha_call_header(call, "Idempotency-Key"), &job, err));
    return reha_call_json(call, 202, job, err);
}

reha_status reha_web_compare(reha_call *call, reha_error *err)
{
    json_t *comparison = NULL;
    const char *before = reha_call_query(call, "before");
    const char *setup = reha_call_query(call, "same_setup");
    const char *by = reha_call_query(call, "by");
    if (before == NULL || before[0] == '\0' || strlen(before) >= REHA_ID_BYTES) {
        return reha_fail(err, REHA_E_ARG, "'before' must be the id of an earlier image");
    }
    if (by != NULL && strcmp(by, "landmarks") != 0 && strcmp(by, "intensity") != 0) {
        return reha_fail(err, REHA_E_ARG, "'by' must be landmarks or intensity");
    }
    const reha_clinic_comparing how = {.is_same_setup = setup != NULL && strcmp(setup, "1") == 0,
                                       .by_intensity = by != NULL && strcmp(by, "intensity") == 0};
    REHA_TRY(reha_clinic_compare(call->clinic, &call->actor, before, ID, &how, &comparison, err));
    return reha_call_json(call, 200, comparison, err);
}

reha_status reha_web_result(reha_call *call, reha_error *err)
{
    json_t *result = NULL;
    REHA_TRY(reha_clinic_result(call->clinic, &call->actor, ID, &result, err));
    return reha_call_json(call, 200, result, err);
}

reha_status reha_web_result_picture(reha_call *call, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    REHA_TRY(reha_clinic_result_picture(call->clinic, &call->actor, ID, call->match.params[1], &bytes, &count,
                                        err));
    reha_call_bytes(call, "image/png", bytes, count);
    call->response.cache = "private, max-age=3600, immutable";
    return REHA_OK;
}

reha_status reha_web_result_frames(reha_call *call, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    REHA_TRY(reha_clinic_result_frames(call->clinic, &call->actor, ID, &bytes, &count, err));
    reha_call_bytes(call, "application/json", bytes, count);
    call->response.cache = "private, max-age=3600, immutable";
    return REHA_OK;
}

reha_status reha_web_job(reha_call *call, reha_error *err)
{
    json_t *job = NULL;
    REHA_TRY(reha_clinic_job(call->clinic, &call->actor, ID, &job, err));
    return reha_call_json(call, 200, job, err);
}
