#include "image/gray.h"

#include "base/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

reha_spacing reha_spacing_unknown(void)
{
    return (reha_spacing){.x_mm = (double)NAN, .y_mm = (double)NAN, .source = REHA_SPACING_UNKNOWN};
}

bool reha_spacing_is_known(reha_spacing spacing)
{
    return spacing.source > REHA_SPACING_UNKNOWN && spacing.source < REHA_SPACING_SOURCE_COUNT &&
           isfinite(spacing.x_mm) && spacing.x_mm > 0.0 && isfinite(spacing.y_mm) && spacing.y_mm > 0.0;
}

const char *reha_spacing_source_text(reha_spacing_source source)
{
    static const char *const texts[REHA_SPACING_SOURCE_COUNT] = {
        [REHA_SPACING_UNKNOWN] = "unknown",
        [REHA_SPACING_CALIBRATED] = "calibrated",
        [REHA_SPACING_MAGNIFICATION] = "detector spacing divided by the stated magnification",
        [REHA_SPACING_AT_DETECTOR] = "at detector, magnification unknown",
        [REHA_SPACING_USER] = "stated by the user",
    };
    /* Through an int: the enumeration may be unsigned, and then "< 0" would be no test. */
    const int idx = (int)source;
    return idx >= 0 && idx < (int)REHA_SPACING_SOURCE_COUNT ? texts[idx] : "unknown";
}

reha_image_limits reha_image_limits_default(void)
{
    return (reha_image_limits){
        .pixels_max = UINT64_C(100000000),
        .side_max_px = 20000,
        .frames_max = 2000,
        .file_bytes_max = UINT64_C(1) << 30,
        .decoded_bytes_max = UINT64_C(2) << 30,
    };
}

reha_status reha_image_check_size(uint64_t width_px, uint64_t height_px, const reha_image_limits *limits,
                                  reha_error *err)
{
    const reha_image_limits defaults = reha_image_limits_default();
    if (limits == NULL) {
        limits = &defaults;
    }
    if (width_px == 0 || height_px == 0) {
        return reha_fail(err, REHA_E_FORMAT, "the image is empty: %" PRIu64 " x %" PRIu64 " px", width_px,
                         height_px);
    }
    if (width_px > limits->side_max_px || height_px > limits->side_max_px) {
        return reha_fail(err, REHA_E_LIMIT,
                         "the file claims %" PRIu64 " x %" PRIu64 " px; at most %" PRIu32
                         " px a side are read: export a smaller image",
                         width_px, height_px, limits->side_max_px);
    }
    if (width_px > limits->pixels_max / height_px) {
        return reha_fail(err, REHA_E_LIMIT,
                         "the file claims %" PRIu64 " x %" PRIu64 " px; at most %" PRIu64
                         " pixels are read: export a smaller image",
                         width_px, height_px, limits->pixels_max);
    }
    return REHA_OK;
}

reha_status reha_gray_new(uint32_t width_px, uint32_t height_px, reha_gray **out, reha_error *err)
{
    *out = NULL;
    if (width_px == 0 || height_px == 0) {
        return reha_fail(err, REHA_E_ARG, "an image of %" PRIu32 " x %" PRIu32 " px cannot exist", width_px,
                         height_px);
    }
    size_t count = 0;
    size_t bytes = 0;
    if (!reha_mul_size(width_px, height_px, &count) || !reha_mul_size(count, sizeof(float), &bytes)) {
        return reha_fail(err, REHA_E_LIMIT, "an image of %" PRIu32 " x %" PRIu32 " px is too large", width_px,
                         height_px);
    }
    reha_gray *image = reha_alloc_zero(1, sizeof *image);
    float *pixels = image != NULL ? reha_alloc_zero(count, sizeof *pixels) : NULL;
    if (pixels == NULL) {
        reha_free(image);
        return reha_fail(err, REHA_E_NOMEM, "no memory for an image of %" PRIu32 " x %" PRIu32 " px",
                         width_px, height_px);
    }
    image->width_px = width_px;
    image->height_px = height_px;
    image->pixels = pixels;
    image->spacing = reha_spacing_unknown();
    *out = image;
    return REHA_OK;
}

reha_status reha_gray_copy(const reha_gray *image, reha_gray **out, reha_error *err)
{
    REHA_TRY(reha_gray_new(image->width_px, image->height_px, out, err));
    assert(*out != NULL); /* told to the static analyser, which cannot know reha_fail */
    memcpy((*out)->pixels, image->pixels, (size_t)image->width_px * image->height_px * sizeof(float));
    (*out)->spacing = image->spacing;
    return REHA_OK;
}

void reha_gray_free(reha_gray *image)
{
    if (image != NULL) {
        reha_free(image->pixels);
        reha_free(image);
    }
}
