#include "service/sandbox_child_priv.h"

#include "base/memory.h"
#include "dicom/dicom.h"
#include "image/resample.h"
#include "image/save.h"

#include <math.h>
#include <string.h>

enum { HEAD_BYTES = 20, BYTE_MAX = 255, WORD_MAX = 65535 }; /* docs/formats/values.md */
static const char MAGIC[4] = {'R', 'H', 'V', '1'};

static void to_bytes(reha_gray *image)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    for (size_t i = 0; i < count; i++) {
        image->pixels[i] *= (float)BYTE_MAX;
    }
}

static reha_status shrink(reha_gray **image, uint32_t side_max_px, reha_error *err)
{
    const uint32_t side_px =
        (*image)->width_px > (*image)->height_px ? (*image)->width_px : (*image)->height_px;
    if (side_max_px == 0 || side_px <= side_max_px) {
        return REHA_OK;
    }
    reha_gray *small = NULL;
    const double ratio = (double)side_max_px / side_px;
    const uint32_t width_px = (uint32_t)fmax(1.0, rint(ratio * (*image)->width_px));
    const uint32_t height_px = (uint32_t)fmax(1.0, rint(ratio * (*image)->height_px));
    REHA_TRY(reha_gray_resize(*image, width_px, height_px, REHA_FILTER_AREA, &small, err));
    reha_gray_free(*image);
    *image = small;
    return REHA_OK;
}

typedef struct look { /* what was asked for */
    bool is_deep;
    reha_window window;
    double slope, intercept;
    uint32_t side_max_px;
} look;

typedef struct range {
    float low, high;
} range;

/* Widens the range to what the picture holds. */
static void find_range(const reha_gray *image, range *seen)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    for (size_t i = 0; i < count; i++) {
        seen->low = image->pixels[i] < seen->low ? image->pixels[i] : seen->low;
        seen->high = image->pixels[i] > seen->high ? image->pixels[i] : seen->high;
    }
}

/* One frame as grey values of the answer. The range (for values) is of the frame as it is stored: a smaller
 * copy has lost its extremes. */
static reha_status develop(const reha_dicom *dicom, const look *how, uint32_t frame_idx, reha_gray **out,
                           range *seen, reha_error *err)
{
    reha_status status = REHA_OK;
    if (how->is_deep) {
        REHA_TRY(reha_dicom_read_frame(dicom, frame_idx, out, NULL, err));
        find_range(*out, seen);
    } else {
        REHA_TRY(reha_dicom_read_display(dicom, frame_idx, how->window.width > 0.0 ? &how->window : NULL, out,
                                         err));
    }
    REHA_CHECK(shrink(out, how->side_max_px, err));
    if (!how->is_deep) {
        to_bytes(*out);
    }
done:
    if (status != REHA_OK) {
        reha_gray_free(*out);
        *out = NULL;
    }
    return status;
}

/* Several frames below each other in one picture: the file travels and is opened once for all of them. */
static reha_status develop_strip(const reha_dicom *dicom, const look *how, uint32_t first_idx,
                                 uint32_t frames, reha_gray **out, range *seen, reha_error *err)
{
    reha_gray *frame = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    if (frames <= 1) {
        return develop(dicom, how, first_idx, out, seen, err);
    }
    for (uint32_t i = 0; i < frames; i++) {
        REHA_CHECK(develop(dicom, how, first_idx + i, &frame, seen, err));
        if (i == 0) {
            REHA_CHECK(reha_gray_new(frame->width_px, frame->height_px * frames, out, err));
        }
        const size_t count = (size_t)frame->width_px * frame->height_px;
        memcpy((*out)->pixels + i * count, frame->pixels, count * sizeof *frame->pixels);
        reha_gray_free(frame);
        frame = NULL;
    }
done:
    reha_gray_free(frame);
    if (status != REHA_OK) {
        reha_gray_free(*out);
        *out = NULL;
    }
    return status;
}

static inline uint32_t to_grey(float value, double factor, double offset)
{
    const double grey = factor * (double)value + offset;
    const double cut = grey > 0.0 ? (grey < WORD_MAX ? grey : WORD_MAX) : 0.0; /* NaN gives 0 */
    return (uint32_t)(cut + 0.5);
}

static uint8_t *put_le(uint8_t *to, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        *to++ = (uint8_t)(value >> (8 * i));
    }
    return to;
}

/* docs/formats/values.md. *out: reha_free. */
static reha_status pack_values(const reha_gray *image, const look *how, const range *seen, uint8_t **out,
                               size_t *out_bytes, reha_error *err)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    const double factor = 1.0 / how->slope;
    const double offset = -how->intercept / how->slope;
    const uint32_t low = to_grey(how->slope > 0.0 ? seen->low : seen->high, factor, offset);
    const uint32_t high = to_grey(how->slope > 0.0 ? seen->high : seen->low, factor, offset);
    const bool is_wide = high > BYTE_MAX;
    *out_bytes = HEAD_BYTES + count * (is_wide ? 2 : 1);
    *out = reha_alloc(*out_bytes);
    if (*out == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the values of an image");
    }
    memcpy(*out, MAGIC, sizeof MAGIC);
    uint8_t *to = put_le(*out + sizeof MAGIC, image->width_px, 4);
    to = put_le(to, image->height_px, 4);
    to = put_le(to, is_wide ? 16 : 8, 2);
    to = put_le(to, low, 2);
    to = put_le(to, high, 2);
    to = put_le(to, 0, 2);
    for (size_t i = 0; i < count && is_wide; i++) {
        const uint32_t grey = to_grey(image->pixels[i], factor, offset);
        to[2 * i] = (uint8_t)grey;
        to[2 * i + 1] = (uint8_t)(grey >> 8);
    }
    for (size_t i = 0; i < count && !is_wide; i++) {
        to[i] = (uint8_t)to_grey(image->pixels[i], factor, offset);
    }
    return REHA_OK;
}

static reha_status answer_values(const reha_dicom *dicom, const look *how, uint32_t frame_idx,
                                 uint32_t frames, sandbox_reply *reply, reha_error *err)
{
    reha_gray *image = NULL;
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_status status = REHA_OK;
    range seen = {.low = INFINITY, .high = -INFINITY};
    REHA_CHECK(develop_strip(dicom, how, frame_idx, frames, &image, &seen, err));
    REHA_CHECK(pack_values(image, how, &seen, &bytes, &count, err));
    status = sandbox_part(reply, "values", bytes, count, err);
done:
    reha_free(bytes);
    reha_gray_free(image);
    return status;
}

static reha_status answer_png(const reha_dicom *dicom, const look *how, uint32_t frame_idx, uint32_t frames,
                              sandbox_reply *reply, reha_error *err)
{
    reha_gray *image = NULL;
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_status status = REHA_OK;
    REHA_CHECK(develop_strip(dicom, how, frame_idx, frames, &image, NULL, err));
    REHA_CHECK(reha_image_encode_png(image, 8, &bytes, &count, err));
    status = sandbox_part(reply, "png", bytes, count, err);
done:
    reha_free(bytes);
    reha_gray_free(image);
    return status;
}

reha_status sandbox_render(const wire_message *request, sandbox_reply *reply, reha_error *err)
{
    const json_t *json = request->json;
    reha_dicom *dicom = NULL;
    reha_status status = REHA_OK;
    const uint32_t frame_idx = (uint32_t)reha_json_number(json, "frame", 0.0);
    const uint32_t frames = (uint32_t)reha_json_number(json, "frames", 1.0);
    look how = {.is_deep = json_is_true(json_object_get(json, "modality_values")),
                .window = {.center = reha_json_number(json, "center", 0.0),
                           .width = reha_json_number(json, "width", 0.0),
                           .shape = REHA_WINDOW_LINEAR},
                .slope = reha_json_number(json, "slope", 1.0),
                .intercept = reha_json_number(json, "intercept", 0.0),
                .side_max_px = (uint32_t)reha_json_number(json, "side_max_px", 0.0)};
    const uint32_t values_side_px = (uint32_t)reha_json_number(json, "values_side_max_px", 0.0);
    REHA_CHECK(reha_dicom_open(request->bytes, request->count, NULL, &dicom, err));
    if (how.is_deep) {
        REHA_CHECK(answer_values(dicom, &how, frame_idx, frames, reply, err));
    } else {
        REHA_CHECK(answer_png(dicom, &how, frame_idx, frames, reply, err));
    }
    if (values_side_px > 0) {
        how.is_deep = true;
        how.side_max_px = values_side_px;
        status = answer_values(dicom, &how, frame_idx, 1, reply, err);
    }
done:
    reha_dicom_close(dicom);
    return status;
}
