#include "service/sandbox_child_priv.h"

#include "base/memory.h"
#include "dicom/dicom.h"
#include "image/resample.h"
#include "image/save.h"

#include <math.h>
#include <string.h>

static const float BYTE_MAX = 255.0F;

static void scale(reha_gray *image, double factor, double offset)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    for (size_t i = 0; i < count; i++) {
        image->pixels[i] = (float)(factor * (double)image->pixels[i] + offset);
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

/* One frame as grey values of the PNG. */
static reha_status develop(const reha_dicom *dicom, const look *how, uint32_t frame_idx, reha_gray **out,
                           reha_error *err)
{
    reha_status status = REHA_OK;
    if (how->is_deep) {
        REHA_TRY(reha_dicom_read_frame(dicom, frame_idx, out, NULL, err));
    } else {
        REHA_TRY(reha_dicom_read_display(dicom, frame_idx, how->window.width > 0.0 ? &how->window : NULL, out,
                                         err));
    }
    REHA_CHECK(shrink(out, how->side_max_px, err));
    scale(*out, how->is_deep ? 1.0 / how->slope : 255.0, how->is_deep ? -how->intercept / how->slope : 0.0);
done:
    if (status != REHA_OK) {
        reha_gray_free(*out);
        *out = NULL;
    }
    return status;
}

/* Several frames below each other in one picture: the file travels and is opened once for all of them. */
static reha_status develop_strip(const reha_dicom *dicom, const look *how, uint32_t first_idx,
                                 uint32_t frames, reha_gray **out, reha_error *err)
{
    reha_gray *frame = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    for (uint32_t i = 0; i < frames; i++) {
        REHA_CHECK(develop(dicom, how, first_idx + i, &frame, err));
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

static unsigned bits_for(const reha_gray *image)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    for (size_t i = 0; i < count; i++) {
        if (image->pixels[i] > BYTE_MAX) {
            return 16;
        }
    }
    return 8;
}

reha_status sandbox_render(const wire_message *request, sandbox_reply *reply, reha_error *err)
{
    const json_t *json = request->json;
    reha_dicom *dicom = NULL;
    reha_gray *image = NULL;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    reha_status status = REHA_OK;
    const uint32_t frame_idx = (uint32_t)reha_json_number(json, "frame", 0.0);
    const uint32_t frames = (uint32_t)reha_json_number(json, "frames", 1.0);
    const look how = {.is_deep = json_is_true(json_object_get(json, "modality_values")),
                      .window = {.center = reha_json_number(json, "center", 0.0),
                                 .width = reha_json_number(json, "width", 0.0),
                                 .shape = REHA_WINDOW_LINEAR},
                      .slope = reha_json_number(json, "slope", 1.0),
                      .intercept = reha_json_number(json, "intercept", 0.0),
                      .side_max_px = (uint32_t)reha_json_number(json, "side_max_px", 0.0)};
    REHA_CHECK(reha_dicom_open(request->bytes, request->count, NULL, &dicom, err));
    if (frames > 1) {
        REHA_CHECK(develop_strip(dicom, &how, frame_idx, frames, &image, err));
    } else {
        REHA_CHECK(develop(dicom, &how, frame_idx, &image, err));
    }
    if (how.is_deep) { /* read once, by the page that asked */
        REHA_CHECK(reha_image_encode_png_fast(image, bits_for(image), &png, &png_bytes, err));
    } else {
        REHA_CHECK(reha_image_encode_png(image, 8, &png, &png_bytes, err));
    }
    status = sandbox_part(reply, "png", png, png_bytes, err);
done:
    reha_free(png);
    reha_gray_free(image);
    reha_dicom_close(dicom);
    return status;
}
