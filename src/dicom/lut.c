#include "dicom/lut_priv.h"

bool reha_dcm_lut_read(const reha_dcm_dataset *set, const reha_dcm_node *descriptor,
                       const reha_dcm_node *data, bool input_is_signed, reha_dcm_lut *out)
{
    *out = (reha_dcm_lut){0};
    if (descriptor == NULL || data == NULL || descriptor->length != 6) {
        return false;
    }
    const uint16_t count = reha_dcm_u16_at(set, descriptor, 0);
    const uint16_t first = reha_dcm_u16_at(set, descriptor, 1);
    const uint16_t bits = reha_dcm_u16_at(set, descriptor, 2);
    out->count = count == 0 ? 65536 : count;
    out->first =
        input_is_signed || descriptor->vr == REHA_VR('S', 'S') ? (int32_t)(int16_t)first : (int32_t)first;
    out->bits = bits;
    out->data = set->bytes + data->offset;
    out->is_little_endian = data->little_endian;
    if (bits < 1 || bits > 16) {
        return false;
    }
    /* 8-bit entries are packed two in a word by some writers, one in a word by others: the length
     * tells which. */
    out->is_bytes = bits <= 8 && data->length < out->count * 2;
    out->swaps_bytes =
        out->is_bytes && !data->little_endian && data->vr == REHA_VR('O', 'W') && data->length % 2 == 0;
    return data->length >= (out->is_bytes ? out->count : out->count * 2);
}

uint16_t reha_dcm_lut_entry(const reha_dcm_lut *lut, uint32_t idx)
{
    if (lut->is_bytes) {
        return lut->data[lut->swaps_bytes ? idx ^ 1u : idx];
    }
    const uint8_t *p = lut->data + (size_t)idx * 2;
    return lut->is_little_endian ? (uint16_t)(p[1] << 8 | p[0]) : (uint16_t)(p[0] << 8 | p[1]);
}

uint16_t reha_dcm_lut_at(const reha_dcm_lut *lut, int64_t input)
{
    const int64_t idx = input - lut->first;
    return reha_dcm_lut_entry(lut, idx < 0 ? 0 : idx >= lut->count ? lut->count - 1 : (uint32_t)idx);
}
