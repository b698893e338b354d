/* RLE frames (PS3.5 annex G): one PackBits segment per byte of a sample, the highest byte first. */
#include "dicom/dicom_priv.h"

enum { RLE_HEADER_BYTES = 64, RLE_SEGMENTS_MAX = 15 };

static uint32_t read_u32le(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Unpacks one segment into every stride-th byte; false if it ends before all pixels are there. */
static bool unpack(const uint8_t *in, size_t in_bytes, uint8_t *out, size_t pixels, size_t stride)
{
    size_t at = 0;
    size_t done = 0;
    while (done < pixels) {
        if (at >= in_bytes) {
            return false;
        }
        const uint8_t code = in[at++];
        if (code == 128) {
            continue; /* no operation */
        }
        size_t run = code < 128 ? (size_t)code + 1 : 257 - (size_t)code;
        const bool is_literal = code < 128;
        if (in_bytes - at < (is_literal ? run : 1)) {
            return false;
        }
        const uint8_t *from = in + at;
        at += is_literal ? run : 1;
        run = run < pixels - done ? run : pixels - done;
        for (size_t i = 0; i < run; i++, done++) {
            out[done * stride] = is_literal ? from[i] : *from;
        }
    }
    return true;
}

reha_status reha_dcm_decode_rle(const reha_dcm_layout *layout, const uint8_t *stream, size_t size_bytes,
                                reha_dcm_raw *out, reha_error *err)
{
    const uint32_t sample_bytes = layout->bits_allocated / 8;
    const uint32_t expected = layout->samples * sample_bytes;
    const size_t pixels = (size_t)layout->rows * layout->columns;
    if (size_bytes < RLE_HEADER_BYTES) {
        return reha_fail(err, REHA_E_FORMAT, "an RLE frame of %zu bytes has no header", size_bytes);
    }
    const uint32_t segments = read_u32le(stream);
    if (segments > RLE_SEGMENTS_MAX || segments != expected || sample_bytes == 0) {
        return reha_fail(err, REHA_E_FORMAT, "the RLE frame has %u segments, the file needs %u", segments,
                         expected);
    }
    REHA_TRY(reha_dcm_raw_new(layout, layout->bits_allocated, out, err));
    for (uint32_t s = 0; s < segments; s++) {
        const uint32_t from = read_u32le(stream + 4 + 4 * (size_t)s);
        const uint32_t next =
            s + 1 < segments ? read_u32le(stream + 8 + 4 * (size_t)s) : (uint32_t)size_bytes;
        if (from < RLE_HEADER_BYTES || next < from || next > size_bytes) {
            return reha_fail(err, REHA_E_FORMAT, "RLE segment %u lies outside the frame", s + 1);
        }
        const size_t plane = s / sample_bytes;
        const size_t byte = sample_bytes - 1 - s % sample_bytes;
        if (!unpack(stream + from, next - from, out->owned + plane * pixels * sample_bytes + byte, pixels,
                    sample_bytes)) {
            return reha_fail(err, REHA_E_FORMAT, "RLE segment %u ends before its last pixel", s + 1);
        }
    }
    out->is_planar = true;
    out->is_big_endian = false;
    return REHA_OK;
}
