/* A grey image with its physical pixel size: what every picture becomes before it is looked at.
 *
 * Coordinates: x to the right, y down, the centre of the first pixel is (0, 0). Pixel values are
 * float32: decoders keep the stored (or modality) value exactly, whatever its range; larger is
 * brighter (MONOCHROME1 is inverted by the decoder, which says so in the acquisition facts). */
#ifndef REHA_IMAGE_GRAY_H
#define REHA_IMAGE_GRAY_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where millimetres come from. A safety matter: a distance on the detector is larger than in the
 * patient by the magnification (about 5 to 20 % for a knee), so the source travels with the value. */
typedef enum reha_spacing_source {
    REHA_SPACING_UNKNOWN = 0,   /* no millimetres anywhere */
    REHA_SPACING_CALIBRATED,    /* in the patient: calibrated Pixel Spacing, CT/MR geometry, US region */
    REHA_SPACING_MAGNIFICATION, /* detector spacing divided by the stated magnification factor */
    REHA_SPACING_AT_DETECTOR,   /* at the detector, magnification unknown: lengths read too long */
    REHA_SPACING_USER,          /* stated by the user (--mm-per-px) */
    REHA_SPACING_SOURCE_COUNT
} reha_spacing_source;

typedef struct reha_spacing {
    double x_mm; /* between columns; NaN when unknown */
    double y_mm; /* between rows; NaN when unknown */
    reha_spacing_source source;
} reha_spacing;

reha_spacing reha_spacing_unknown(void);
bool reha_spacing_is_known(reha_spacing spacing); /* source known and both values finite, > 0 */
/* Stable words for reports: "calibrated", "at detector, magnification unknown", ... */
const char *reha_spacing_source_text(reha_spacing_source source);

typedef struct reha_gray {
    uint32_t width_px;
    uint32_t height_px;
    float *pixels; /* row-major, width_px * height_px, owned */
    reha_spacing spacing;
} reha_gray; /* one thread at a time for writing; any thread for reading */

typedef struct reha_image_limits {
    uint64_t pixels_max; /* per frame */
    uint32_t side_max_px;
    uint32_t frames_max;
    uint64_t file_bytes_max;
    uint64_t decoded_bytes_max; /* all frames of one file together */
} reha_image_limits;

/* 100 megapixels, 20,000 px a side, 2,000 frames, 1 GiB of file, 2 GiB decoded. */
reha_image_limits reha_image_limits_default(void);

/* Refuses 0 sizes and sizes over the limits (NULL: defaults) before anything is allocated. */
REHA_MUST_USE reha_status reha_image_check_size(uint64_t width_px, uint64_t height_px,
                                                const reha_image_limits *limits, reha_error *err);

/* Zeroed pixels, unknown spacing. Free with reha_gray_free. */
REHA_MUST_USE reha_status reha_gray_new(uint32_t width_px, uint32_t height_px, reha_gray **out,
                                        reha_error *err);
REHA_MUST_USE reha_status reha_gray_copy(const reha_gray *image, reha_gray **out, reha_error *err);
void reha_gray_free(reha_gray *image); /* NULL is fine */

static inline float reha_gray_at(const reha_gray *image, uint32_t x_px, uint32_t y_px)
{
    return image->pixels[(size_t)y_px * image->width_px + x_px];
}

typedef struct reha_point_px {
    double x_px;
    double y_px;
} reha_point_px;
typedef struct reha_point_mm {
    double x_mm;
    double y_mm;
} reha_point_mm;
typedef struct reha_box_px { /* corner and size; may be fractional */
    double x_px;
    double y_px;
    double width_px;
    double height_px;
} reha_box_px;

#endif
