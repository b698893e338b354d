#include "dicom/jpeg_header_priv.h"

#include "base/bytes.h"

#include <string.h>

enum {
    SCANS_MAX = 64, /* encoders make about 10 per colour image */
    MARKER_SOI = 0xD8,
    MARKER_SOS = 0xDA,
    MARKER_EOI = 0xD9,
    MARKER_DHT = 0xC4,
    MARKER_JPG = 0xC8,
    MARKER_DAC = 0xCC,
    MARKER_SOF_LS = 0xF7,
    MARKER_APP0 = 0xE0,
    MARKER_APP14 = 0xEE
};

static bool is_frame_header(uint8_t marker)
{
    return marker == MARKER_SOF_LS || (marker >= 0xC0 && marker <= 0xCF && marker != MARKER_DHT &&
                                       marker != MARKER_JPG && marker != MARKER_DAC);
}

/* The next marker; like the decoders, passes over stray bytes and fill bytes before it. */
static bool next_marker(reha_bytes *in, uint8_t *out)
{
    uint8_t byte;
    do {
        do {
            if (!reha_bytes_u8(in, &byte)) {
                return false;
            }
        } while (byte != 0xFF);
        do {
            if (!reha_bytes_u8(in, &byte)) {
                return false;
            }
        } while (byte == 0xFF);
    } while (byte == 0);
    *out = byte;
    return true;
}

static bool read_frame_header(reha_bytes body, reha_jpeg_header *out)
{
    uint8_t precision;
    uint8_t components;
    uint16_t rows;
    uint16_t columns;
    uint8_t ids[3] = {0};
    if (!reha_bytes_u8(&body, &precision) || !reha_bytes_u16be(&body, &rows) ||
        !reha_bytes_u16be(&body, &columns) || !reha_bytes_u8(&body, &components) ||
        body.left != (size_t)components * 3) {
        return false;
    }
    for (uint32_t i = 0; i < components; i++) {
        reha_bytes component;
        if (!reha_bytes_take(&body, 3, &component)) {
            return false;
        }
        const uint8_t horizontal = component.data[1] >> 4;
        const uint8_t vertical = component.data[1] & 15;
        if (horizontal < 1 || horizontal > 4 || vertical < 1 || vertical > 4) {
            return false;
        }
        if (i < 3) {
            ids[i] = component.data[0];
        }
    }
    out->precision = precision;
    out->rows = rows;
    out->columns = columns;
    out->components = components;
    out->has_rgb_ids = memcmp(ids, "RGB", 3) == 0;
    return true;
}

static reha_status count_scans(const uint8_t *stream, size_t size_bytes, reha_error *err)
{
    uint32_t scans = 0;
    const uint8_t *p = stream;
    const uint8_t *end = stream + size_bytes;
    while (p < end && (p = memchr(p, 0xFF, (size_t)(end - p))) != NULL && end - p >= 2) {
        scans += p[1] == MARKER_SOS;
        p++;
    }
    if (scans > SCANS_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "the JPEG stream has %u scans, at most %d are decoded", scans,
                         SCANS_MAX);
    }
    return REHA_OK;
}

reha_status reha_jpeg_read_header(const uint8_t *stream, size_t size_bytes, reha_jpeg_header *out,
                                  reha_error *err)
{
    reha_bytes in = {stream, size_bytes};
    uint8_t marker;
    *out = (reha_jpeg_header){.adobe_transform = -1};
    if (!next_marker(&in, &marker) || marker != MARKER_SOI) {
        return reha_fail(err, REHA_E_FORMAT, "the compressed frame does not begin like a JPEG stream");
    }
    while (next_marker(&in, &marker)) {
        uint16_t length;
        reha_bytes body;
        if (marker == MARKER_SOS || marker == MARKER_EOI || marker == MARKER_SOI) {
            break;
        }
        if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7)) {
            continue; /* stands alone */
        }
        if (!reha_bytes_u16be(&in, &length) || length < 2 || !reha_bytes_take(&in, length - 2u, &body)) {
            return reha_fail(err, REHA_E_FORMAT, "the JPEG stream ends within segment FF%02X", marker);
        }
        if (marker == MARKER_APP0 && reha_bytes_starts(body, "JFIF", 5)) {
            out->is_jfif = true;
        } else if (marker == MARKER_APP14 && body.left >= 12 && reha_bytes_starts(body, "Adobe", 5)) {
            out->adobe_transform = body.data[11];
        } else if (is_frame_header(marker)) {
            out->sof = marker;
            if (!read_frame_header(body, out)) {
                return reha_fail(err, REHA_E_FORMAT, "the JPEG frame header is damaged");
            }
            return count_scans(stream, size_bytes, err);
        }
    }
    return reha_fail(err, REHA_E_FORMAT, "the JPEG stream has no frame header");
}
