/* Appends elements in one of the three encodings of a data set. */
#include "dicom/deidentify_priv.h"

#include "base/memory.h"

#include <string.h>

void reha_deid_put_bytes(deid_out *out, const void *bytes, size_t count)
{
    size_t needed;
    if (out->status != REHA_OK || count == 0) {
        return;
    }
    if (!reha_add_size(out->length, count, &needed)) {
        out->status = reha_fail(out->err, REHA_E_LIMIT, "the copy would be too large");
        return;
    }
    if (needed > out->capacity) {
        const size_t capacity = needed + needed / 2 + 1024;
        uint8_t *data = reha_realloc(out->data, capacity);
        if (data == NULL) {
            out->status = reha_fail(out->err, REHA_E_NOMEM, "out of memory for a copy of %zu bytes", needed);
            return;
        }
        out->data = data;
        out->capacity = capacity;
    }
    memcpy(out->data + out->length, bytes, count);
    out->length = needed;
}

void reha_deid_put_u16(deid_out *out, uint32_t value)
{
    const uint8_t low = (uint8_t)value;
    const uint8_t high = (uint8_t)(value >> 8);
    const uint8_t bytes[2] = {out->big_endian ? high : low, out->big_endian ? low : high};
    reha_deid_put_bytes(out, bytes, sizeof bytes);
}

void reha_deid_put_u32(deid_out *out, uint32_t value)
{
    reha_deid_put_u16(out, out->big_endian ? value >> 16 : value);
    reha_deid_put_u16(out, out->big_endian ? value : value >> 16);
}

void reha_deid_put_mark(deid_out *out, uint32_t tag, uint32_t length)
{
    reha_deid_put_u16(out, tag >> 16);
    reha_deid_put_u16(out, tag);
    reha_deid_put_u32(out, length);
}

void reha_deid_put_header(deid_out *out, uint32_t tag, const char *vr, uint32_t length)
{
    static const char long_vrs[] = "OB OW SQ";
    if (!out->explicit_vr) {
        reha_deid_put_mark(out, tag, length);
        return;
    }
    reha_deid_put_u16(out, tag >> 16);
    reha_deid_put_u16(out, tag);
    reha_deid_put_bytes(out, vr, 2);
    if (strstr(long_vrs, vr) != NULL) {
        reha_deid_put_u16(out, 0);
        reha_deid_put_u32(out, length);
    } else {
        reha_deid_put_u16(out, length);
    }
}

void reha_deid_put_value(deid_out *out, uint32_t tag, const char *vr, const void *bytes, size_t count)
{
    const bool is_text = strcmp(vr, "UI") != 0 && strcmp(vr, "OB") != 0;
    reha_deid_put_header(out, tag, vr, (uint32_t)(count + count % 2));
    reha_deid_put_bytes(out, bytes, count);
    reha_deid_put_bytes(out, is_text ? " " : "", count % 2);
}

void reha_deid_put_text(deid_out *out, uint32_t tag, const char *vr, const char *text)
{
    reha_deid_put_value(out, tag, vr, text, strlen(text));
}
