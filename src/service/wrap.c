#include "service/wrap.h"

#include "base/memory.h"
#include "dicom/write.h"

#include <math.h>

enum { BYTE_BITS = 8, DEEP_BITS = 16 };
static const double DEEP_MAX = 65535.0;

/* Stored values of a picture: as they are where they are whole numbers of 8 or 16 bits, else spread over 16
 * bits. */
static void *stored_pixels(const reha_gray *image, const reha_acquisition *facts, reha_dicom_image *out)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    float low = INFINITY;
    float high = -INFINITY;
    bool is_whole = true;
    for (size_t i = 0; i < count; i++) {
        low = fminf(low, image->pixels[i]);
        high = fmaxf(high, image->pixels[i]);
        is_whole = is_whole && image->pixels[i] == rintf(image->pixels[i]);
    }
    const bool fits = is_whole && low >= 0.0F && high <= 65535.0F;
    const bool is_byte = fits && facts->bits_stored <= BYTE_BITS && high <= 255.0F;
    const double slope = fits ? 1.0 : high > low ? ((double)high - (double)low) / DEEP_MAX : 1.0;
    uint8_t *bytes = reha_alloc(count * (is_byte ? 1 : 2));
    uint16_t *words = (uint16_t *)(void *)bytes;
    for (size_t i = 0; bytes != NULL && i < count; i++) {
        const double value =
            fits ? (double)image->pixels[i] : rint(((double)image->pixels[i] - (double)low) / slope);
        if (is_byte) {
            bytes[i] = (uint8_t)value;
        } else {
            words[i] = (uint16_t)value;
        }
    }
    out->bits_stored = is_byte ? BYTE_BITS : DEEP_BITS;
    out->rescale_slope = fits ? 0.0 : slope;
    out->rescale_intercept = fits ? 0.0 : (double)low;
    return bytes;
}

reha_status reha_wrap_picture(const reha_input *input, double mm_per_px, const reha_dicom_ids *ids,
                              uint8_t **out, size_t *out_bytes, reha_error *err)
{
    reha_dicom_image image = reha_dicom_image_empty();
    image.width_px = input->image->width_px;
    image.height_px = input->image->height_px;
    image.facts = input->facts;
    image.facts.was_monochrome1 = false; /* the decoder turned it over: bright is high now */
    image.spacing = input->image->spacing;
    if (mm_per_px > 0.0) {
        image.spacing = (reha_spacing){mm_per_px, mm_per_px, REHA_SPACING_USER};
    }
    image.ids = *ids;
    void *pixels = stored_pixels(input->image, &input->facts, &image);
    if (pixels == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for wrapping a picture");
    }
    image.pixels = pixels;
    const reha_status status = reha_dicom_write_image(&image, out, out_bytes, err);
    reha_free(pixels);
    return status;
}
