/* Headers of JPEG (ISO 10918-1) and JPEG-LS (ISO 14495-1) streams, read before any decoder runs. */
#ifndef REHA_DICOM_JPEG_HEADER_PRIV_H
#define REHA_DICOM_JPEG_HEADER_PRIV_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reha_jpeg_header {
    uint8_t sof; /* second byte of the frame marker: 0xC0 baseline, ..., 0xF7 JPEG-LS */
    uint32_t rows;
    uint32_t columns;
    uint32_t components;
    uint32_t precision;
    bool is_jfif;        /* APP0: three components are YCbCr */
    int adobe_transform; /* APP14; -1 if absent */
    bool has_rgb_ids;    /* component ids 'R' 'G' 'B' */
} reha_jpeg_header;

/* Walks the markers up to the frame header, then counts the scans: a stream may ask a decoder to
 * pass over the whole image once per scan. REHA_E_FORMAT or REHA_E_LIMIT. */
REHA_MUST_USE reha_status reha_jpeg_read_header(const uint8_t *stream, size_t size_bytes,
                                                reha_jpeg_header *out, reha_error *err);

#endif
