/* One picture format: how to know it and how to decode it. Adding one is one file and one line in
 * the table of load.c. */
#ifndef REHA_IMAGE_CODEC_PRIV_H
#define REHA_IMAGE_CODEC_PRIV_H

#include "base/bytes.h"
#include "image/acquisition.h"
#include "image/gray.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct reha_codec {
    const char *name; /* also facts->container */
    bool (*detects)(reha_bytes in);
    /* `limits` and `facts` are never NULL here. *out is NULL on entry and on failure. */
    reha_status (*decode)(reha_bytes in, uint32_t frame_idx, const reha_image_limits *limits, reha_gray **out,
                          reha_acquisition *facts, reha_error *err);
} reha_codec;

extern const reha_codec reha_codec_png;
extern const reha_codec reha_codec_jpeg;
extern const reha_codec reha_codec_tiff;

/* Luma by ITU-R BT.601. Written around green so that r == g == b gives exactly that value. */
static inline float reha_luma(float red, float green, float blue)
{
    return green + 0.299f * (red - green) + 0.114f * (blue - green);
}

/* Colour that a viewer notices: the channels differ by more than 1/16 of full scale. JPEG artefacts
 * and slightly tinted scans of films stay below. */
static inline bool reha_is_coloured(float red, float green, float blue, float full_scale)
{
    const float rg = red - green;
    const float gb = green - blue;
    const float br = blue - red;
    const float limit = full_scale / 16.0f;
    return rg > limit || rg < -limit || gb > limit || gb < -limit || br > limit || br < -limit;
}

/* REHA_E_LIMIT if width * height * bytes_per_pixel (of everything the decoder will hold) exceeds
 * limits->decoded_bytes_max; also checks the size itself. Call before allocating. */
REHA_MUST_USE reha_status reha_codec_check(uint64_t width_px, uint64_t height_px, uint64_t bytes_per_pixel,
                                           const reha_image_limits *limits, reha_error *err);

/* Turns *image as EXIF / TIFF orientation 1..8 asks (other values: nothing to do). */
REHA_MUST_USE reha_status reha_codec_orient(reha_gray **image, unsigned orientation, reha_error *err);

#endif
