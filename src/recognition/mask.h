/* Where a recogniser marked something in an image: one byte for each pixel of the whole input image, row by
 * row, 1 inside and 0 outside. What leaves the program as a segmentation (docs/formats/dicom-export.md). */
#ifndef REHA_RECOGNITION_MASK_H
#define REHA_RECOGNITION_MASK_H

#include "base/status.h"
#include "image/gray.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REHA_MASKS_MAX = 6, REHA_MASK_KEY_BYTES = 24 }; /* masks: per region */

typedef struct reha_mask {
    char key[REHA_MASK_KEY_BYTES]; /* stable: "belly", "aponeurosis", "fascicle", "lesion-1", ... */
    uint8_t *inside;               /* owned */
} reha_mask;

/* Of an image of width x height pixels, with nothing inside. REHA_E_NOMEM. */
REHA_MUST_USE reha_status reha_mask_new(const char *key, uint32_t width_px, uint32_t height_px,
                                        reha_mask *out, reha_error *err);
void reha_mask_clear(reha_mask *mask);
/* Marks each pixel whose centre lies in `box` (in the whole image, 0 is the centre of its first pixel) and
 * where `map`, side x side values over the box, read bilinearly, is above a half. The image's width and
 * height as in reha_mask_new. */
void reha_mask_from_map(const float *map, int side, reha_box_px box, uint32_t width_px, uint32_t height_px,
                        reha_mask *mask);

#endif
