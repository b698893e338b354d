#include "service/clinic_priv.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    PICTURE_BYTES_MAX = 64 << 20,
    SIDE_MAX_PX = 20000,
    STRIP_PIXELS_MAX = 16 << 20,
    LARGE_PIXELS = 2 << 20
};
static const char FRAMES_PART[] = "frames.json";

static reha_status load_image(reha_clinic *clinic, const char *image_id, json_t **row, uint8_t **bytes,
                              size_t *count, reha_error *err)
{
    REHA_TRY(clinic_row(clinic, REHA_SQL_IMAGE, REHA_BIND(reha_of_text(image_id)), "image", row, err));
    const reha_status status = reha_blobs_get(clinic->blobs, reha_json_string(*row, "digest", ""),
                                              clinic->limits.archive_bytes_max, bytes, count, err);
    if (status != REHA_OK) {
        json_decref(*row);
        *row = NULL;
        return status == REHA_E_NOT_FOUND ? reha_fail(err, REHA_E_TAMPERED,
                                                      "the file of the image is missing; restore it "
                                                      "from a backup")
                                          : status;
    }
    return REHA_OK;
}

static json_t *render_request(const json_t *row, const reha_view *view, uint32_t values_side_px)
{
    const json_t *display = json_object_get(json_object_get(row, "facts"), "display");
    return json_pack("{s:s, s:i, s:i, s:f, s:f, s:b, s:f, s:f, s:i, s:i}", "op", "render", "frame",
                     (int)view->frame_idx, "frames", view->frames > 0 ? (int)view->frames : 1, "center",
                     view->window_center, "width", view->window_width, "modality_values",
                     view->modality_values ? 1 : 0, "slope", reha_json_number(display, "slope", 1.0),
                     "intercept", reha_json_number(display, "intercept", 0.0), "side_max_px",
                     (int)view->side_max_px, "values_side_max_px", (int)values_side_px);
}

/* The same request on the same content is the same picture, by any version that says so here. */
static void make_etag(const json_t *row, const reha_view *view, char etag[REHA_TOKEN_BYTES + 2])
{
    char text[256];
    char digest[REHA_DIGEST_TEXT_BYTES];
    const int length =
        snprintf(text, sizeof text, "3|%s|%u|%u|%.9g|%.9g|%d|%u", reha_json_string(row, "digest", ""),
                 view->frame_idx, view->frames, view->window_center, view->window_width,
                 view->modality_values ? 1 : 0, view->side_max_px);
    reha_digest_bytes(text, (size_t)length, digest);
    (void)snprintf(etag, REHA_TOKEN_BYTES + 2, "\"%.40s\"", digest);
}

/* A picture of several frames stays of a size that a page can hold beside others. */
static reha_status check_strip(const json_t *row, const reha_view *view, reha_error *err)
{
    const json_t *facts = json_object_get(row, "facts");
    const double pixels =
        reha_json_number(facts, "width_px", 0.0) * reha_json_number(facts, "height_px", 0.0);
    const double left = reha_json_number(facts, "frame_count", 1.0) - (double)view->frame_idx;
    if ((double)view->frames > fmax(left, 1.0)) {
        return reha_fail(err, REHA_E_NOT_FOUND, "from frame %u on there are fewer than %u frames",
                         view->frame_idx + 1, view->frames);
    }
    return view->frames < 2 || pixels * view->frames <= STRIP_PIXELS_MAX
               ? REHA_OK
               : reha_fail(err, REHA_E_LIMIT,
                           "%u frames of this size are more than %d pixels: ask for fewer at once",
                           view->frames, STRIP_PIXELS_MAX);
}

/* Many pixels, or one frame out of a file of many: what would keep a reader waiting. */
static bool is_slow_to_open(const json_t *row)
{
    const json_t *facts = json_object_get(row, "facts");
    return reha_json_number(facts, "width_px", 0.0) * reha_json_number(facts, "height_px", 0.0) >=
               LARGE_PIXELS ||
           reha_json_number(facts, "frame_count", 1.0) > 1.0;
}

/* with_reduced: a second part where it would be slow to open. */
static reha_status look_at(reha_clinic *clinic, const reha_actor *actor, const char *image_id,
                           const reha_view *view, bool with_reduced, reha_sandbox_answer *answer,
                           char etag[REHA_TOKEN_BYTES + 2], reha_error *err)
{
    json_t *row = NULL;
    uint8_t *bytes = NULL;
    size_t count = 0;
    json_t *request = NULL;
    reha_status status = REHA_OK;
    *answer = (reha_sandbox_answer){.json = NULL};
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    if (view->side_max_px > SIDE_MAX_PX || !(view->window_width >= 0.0)) {
        return reha_fail(err, REHA_E_ARG,
                         "the window's width and the size must not be negative, the size at most %d px",
                         SIDE_MAX_PX);
    }
    REHA_TRY(load_image(clinic, image_id, &row, &bytes, &count, err));
    const size_t parts = with_reduced && is_slow_to_open(row) ? 2 : 1;
    REHA_CHECK(check_strip(row, view, err));
    request = render_request(row, view, parts == 2 ? REHA_REDUCED_SIDE_PX : 0);
    REHA_CHECK(clinic_saw(clinic, actor, "image.see", "image", image_id, err));
    REHA_CHECK(clinic_view(clinic, request, bytes, count, answer, err));
    if (answer->part_count != parts) {
        status = reha_fail(err, REHA_E_INTERNAL, "the worker gave no picture");
        goto done;
    }
    if (etag != NULL) {
        make_etag(row, view, etag);
    }
done:
    if (status != REHA_OK) {
        reha_sandbox_answer_clear(answer);
    }
    json_decref(request);
    json_decref(row);
    reha_free(bytes);
    return status;
}

static void take_part(reha_sandbox_answer *answer, size_t part, uint8_t **out, size_t *out_bytes)
{
    *out = answer->parts[part].bytes;
    *out_bytes = answer->parts[part].count;
    answer->parts[part].bytes = NULL;
}

reha_status reha_clinic_image_view(reha_clinic *clinic, const reha_actor *actor, const char *image_id,
                                   const reha_view *view, uint8_t **out, size_t *out_bytes,
                                   char etag[REHA_TOKEN_BYTES + 2], reha_error *err)
{
    reha_sandbox_answer answer;
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(look_at(clinic, actor, image_id, view, false, &answer, etag, err));
    take_part(&answer, 0, out, out_bytes);
    reha_sandbox_answer_clear(&answer);
    return REHA_OK;
}

reha_status reha_clinic_image_seen(reha_clinic *clinic, const reha_actor *actor, const char *image_id,
                                   reha_error *err)
{
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    return clinic_saw(clinic, actor, "image.see", "image", image_id, err);
}

reha_status reha_clinic_image_thumbnail(reha_clinic *clinic, const reha_actor *actor, const char *image_id,
                                        const reha_view *view, uint8_t **png, size_t *png_bytes,
                                        uint8_t **values, size_t *values_bytes, reha_error *err)
{
    reha_sandbox_answer answer;
    *png = *values = NULL;
    *png_bytes = *values_bytes = 0;
    REHA_TRY(look_at(clinic, actor, image_id, view, true, &answer, NULL, err));
    take_part(&answer, 0, png, png_bytes);
    if (answer.part_count > 1) {
        take_part(&answer, 1, values, values_bytes);
    }
    reha_sandbox_answer_clear(&answer);
    return REHA_OK;
}

reha_status reha_clinic_image_dicom(reha_clinic *clinic, const reha_actor *actor, const char *image_id,
                                    uint8_t **out, size_t *out_bytes, reha_error *err)
{
    json_t *row = NULL;
    clinic_write write;
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(clinic_may(actor, REHA_MAY_EXPORT, err));
    /* The file may hold the patient's name: without the permission it stays here. */
    REHA_TRY(clinic_may(actor, REHA_MAY_IDENTITY, err));
    REHA_TRY(load_image(clinic, image_id, &row, out, out_bytes, err));
    json_decref(row);
    reha_status status = clinic_begin(clinic, true, &write, err);
    if (status == REHA_OK) {
        status =
            clinic_end(&write, clinic_note(&write, actor, "image.export", "image", image_id, NULL, err), err);
    }
    if (status != REHA_OK) {
        reha_free(*out);
        *out = NULL;
        *out_bytes = 0;
    }
    return status;
}

static reha_status load_part(reha_clinic *clinic, const reha_actor *actor, const char *id, const char *name,
                             const char *what, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    json_t *row = NULL;
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_TRY(clinic_row(clinic, REHA_SQL_PICTURE, REHA_BIND(reha_of_text(id), reha_of_text(name)), what, &row,
                        err));
    const reha_status status = reha_blobs_get(clinic->blobs, reha_json_string(row, "digest", ""),
                                              PICTURE_BYTES_MAX, out, out_bytes, err);
    json_decref(row);
    return status;
}

reha_status reha_clinic_result_picture(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                       const char *name, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    if (strcmp(name, FRAMES_PART) == 0) {
        name = ""; /* no picture: it has a use case of its own */
    }
    return load_part(clinic, actor, id, name, "picture of this result", out, out_bytes, err);
}

reha_status reha_clinic_result_frames(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                      uint8_t **out, size_t *out_bytes, reha_error *err)
{
    return load_part(clinic, actor, id, FRAMES_PART, "sequence of this result", out, out_bytes, err);
}
