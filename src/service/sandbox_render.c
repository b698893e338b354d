#include "service/sandbox_child_priv.h"

#include "base/memory.h"
#include "dicom/dicom.h"
#include "image/resample.h"
#include "image/save.h"

#include <math.h>

static void scale(reha_gray *image, double factor, double offset)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    for (size_t i = 0; i < count; i++) {
        image->pixels[i] = (float)(factor * (double)image->pixels[i] + offset);
    }
}

static reha_status shrink(reha_gray **image, uint32_t side_max_px, reha_error *err)
{
    const uint32_t side_px = (*image)->width_px > (*image)->height_px ? (*image)->width_px : (*image)->height_px;
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

reha_status sandbox_render(const wire_message *request, sandbox_reply *reply, reha_error *err)
{
    const json_t *how = request->json;
    reha_dicom *dicom = NULL;
    reha_gray *image = NULL;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    reha_status status = REHA_OK;
    const uint32_t frame_idx = (uint32_t)reha_json_number(how, "frame", 0.0);
    const uint32_t side_max_px = (uint32_t)reha_json_number(how, "side_max_px", 0.0);
    const bool is_deep = json_is_true(json_object_get(how, "modality_values"));
    const reha_window window = {.center = reha_json_number(how, "center", 0.0),
                                .width = reha_json_number(how, "width", 0.0),
                                .shape = REHA_WINDOW_LINEAR};
    REHA_CHECK(reha_dicom_open(request->bytes, request->count, NULL, &dicom, err));
    if (is_deep) {
        const double slope = reha_json_number(how, "slope", 1.0);
        const double intercept = reha_json_number(how, "intercept", 0.0);
        REHA_CHECK(reha_dicom_read_frame(dicom, frame_idx, &image, NULL, err));
        REHA_CHECK(shrink(&image, side_max_px, err));
        scale(image, 1.0 / slope, -intercept / slope);
    } else {
        REHA_CHECK(reha_dicom_read_display(dicom, frame_idx, window.width > 0.0 ? &window : NULL, &image, err));
        REHA_CHECK(shrink(&image, side_max_px, err));
        scale(image, 255.0, 0.0);
    }
    REHA_CHECK(reha_image_encode_png(image, is_deep ? 16 : 8, &png, &png_bytes, err));
    status = sandbox_part(reply, "png", png, png_bytes, err);
done:
    reha_free(png);
    reha_gray_free(image);
    reha_dicom_close(dicom);
    return status;
}
