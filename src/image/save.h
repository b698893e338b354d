/* Grey images to PNG and JPEG files: generated pictures, crops for reports, test input. Holds no text chunks
 * and no time, so the same image gives the same bytes. Any thread. */
#ifndef REHA_IMAGE_SAVE_H
#define REHA_IMAGE_SAVE_H

#include "image/gray.h"

#include <stddef.h>
#include <stdint.h>

/* Grey PNG of 8 or 16 bits: values are rounded and cut to 0 .. 2^bits - 1, so what reha_image_decode gave
 * for such a file goes back exactly. Spacing is not stored (see load.h). *out: reha_free. */
REHA_MUST_USE reha_status reha_image_encode_png(const reha_gray *image, unsigned bits, uint8_t **out,
                                                size_t *out_bytes, reha_error *err);
REHA_MUST_USE reha_status reha_image_save_png(const reha_gray *image, unsigned bits, const char *path,
                                              reha_error *err);

/* Grey baseline JPEG of 8 bits, quality 1 (worst) to 100 (REHA_E_ARG otherwise): what lossy storage does to a
 * picture. *out: reha_free. (jpeg_write.c) */
REHA_MUST_USE reha_status reha_image_encode_jpeg(const reha_gray *image, int quality, uint8_t **out,
                                                 size_t *out_bytes, reha_error *err);

#endif
