/* Picture files (PNG, JPEG, TIFF) to grey images.
 *
 * The content decides, never the file name. Stored values are kept exactly: 8-bit files give 0..255,
 * 16-bit files 0..65535, 1/2/4-bit grey files 0..2^n-1, float TIFF its own values. TIFF integers of
 * 32 bits are rounded to float32 (exact up to 2^24). Colour becomes luma (ITU-R BT.601, the
 * weights of JPEG itself), and facts->chroma_fraction tells how much of the picture had colour, so
 * that a photograph can be refused. Transparent pixels are shown on black. Dark-is-high files (TIFF
 * MinIsWhite) are turned over and facts->was_monochrome1 is set. EXIF and TIFF orientation are
 * applied, so row 0 is the top of the picture as its maker meant it.
 *
 * Spacing is always unknown: PNG pHYs, JPEG density and TIFF resolution describe paper or a screen
 * (72 and 96 dpi are the usual defaults), not the patient. Taking them for millimetres would give
 * wrong lengths that look right.
 *
 * DICOM is read by the room `dicom`, not here. All functions: any thread. */
#ifndef REHA_IMAGE_LOAD_H
#define REHA_IMAGE_LOAD_H

#include "image/acquisition.h"
#include "image/gray.h"

#include <stddef.h>
#include <stdint.h>

/* "png", "jpeg" or "tiff" by the first bytes; NULL for everything else. */
const char *reha_image_detect(const void *bytes, size_t count);

/* Decodes the first frame (page) of a file in memory. `limits` NULL: defaults. *out is owned by the
 * caller (reha_gray_free). `facts` may be NULL; facts->frame_count is the number of pages.
 * REHA_E_FORMAT: damaged, truncated or no image at all; REHA_E_UNSUPPORTED: an image of a kind that
 * is not read (the text names it); REHA_E_LIMIT: declared size over the limits, found before
 * anything of that size is allocated. */
REHA_MUST_USE reha_status reha_image_decode(const void *bytes, size_t count, const reha_image_limits *limits,
                                            reha_gray **out, reha_acquisition *facts, reha_error *err);

/* As above for frame frame_idx (from 0); REHA_E_NOT_FOUND beyond the last one. */
REHA_MUST_USE reha_status reha_image_decode_frame(const void *bytes, size_t count, uint32_t frame_idx,
                                                  const reha_image_limits *limits, reha_gray **out,
                                                  reha_acquisition *facts, reha_error *err);

/* Reads and decodes a file; error texts begin with the path. */
REHA_MUST_USE reha_status reha_image_load(const char *path, const reha_image_limits *limits, reha_gray **out,
                                          reha_acquisition *facts, reha_error *err);

#endif
