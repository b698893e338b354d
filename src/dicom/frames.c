/* From the pixel data element to the samples of one frame. */
#include "dicom/dicom_priv.h"

#include "base/memory.h"

#include <string.h>

static const bool host_is_big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

void reha_dcm_raw_clear(reha_dcm_raw *raw)
{
    reha_free(raw->owned);
    *raw = (reha_dcm_raw){0};
}

reha_status reha_dcm_raw_new(const reha_dcm_layout *layout, uint32_t bits_allocated, reha_dcm_raw *out,
                             reha_error *err)
{
    size_t size_bytes;
    if (!reha_mul_size((size_t)layout->rows * layout->columns, (size_t)layout->samples * (bits_allocated / 8),
                       &size_bytes) ||
        size_bytes > UINT32_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "a frame of %u x %u pixels is too large", layout->columns,
                         layout->rows);
    }
    /* Zeroed: the system hands such pages out only when they are written, so a frame that turns out
     * to be damaged at its first byte costs nothing. */
    uint8_t *block = reha_alloc_zero(size_bytes, 1);
    if (block == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a frame of %u x %u pixels", layout->columns,
                         layout->rows);
    }
    /* A stream of fewer bits than the file allots has its value in the low bits. */
    const bool is_narrow = bits_allocated < layout->bits_allocated;
    *out = (reha_dcm_raw){
        .data = block,
        .owned = block,
        .size_bytes = size_bytes,
        .bits_allocated = bits_allocated,
        .bits_stored = layout->bits_stored < bits_allocated ? layout->bits_stored : bits_allocated,
        .high_bit = layout->high_bit,
        .is_big_endian = host_is_big_endian,
        .colour = layout->colour == REHA_DCM_YBR_422 ? REHA_DCM_YBR : layout->colour,
    };
    if (is_narrow) {
        out->high_bit = out->bits_stored - 1;
    }
    return REHA_OK;
}

static bool starts_image(const uint8_t *p, size_t length)
{
    static const uint8_t jpeg[] = {0xFF, 0xD8, 0xFF};
    static const uint8_t jpeg2000[] = {0xFF, 0x4F, 0xFF, 0x51};
    return (length >= sizeof(jpeg) && memcmp(p, jpeg, sizeof(jpeg)) == 0) ||
           (length >= sizeof(jpeg2000) && memcmp(p, jpeg2000, sizeof(jpeg2000)) == 0);
}

/* By the basic offset table: offsets count from the first fragment's item header. */
static bool assign_by_table(const reha_dcm_dataset *set, uint32_t frames, size_t *first)
{
    const reha_dcm_span table = set->offset_table;
    if (table.length != (size_t)frames * 4) {
        return false;
    }
    size_t f = 0;
    const size_t base = set->fragments[0].offset;
    for (uint32_t i = 0; i < frames; i++) {
        const uint8_t *p = set->bytes + table.offset + (size_t)i * 4;
        const size_t offset = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
        while (f < set->fragment_count && set->fragments[f].offset - base < offset) {
            f++;
        }
        if (f == set->fragment_count || set->fragments[f].offset - base != offset ||
            (i > 0 && f <= first[i - 1])) {
            return false;
        }
        first[i] = f;
    }
    return first[0] == 0;
}

/* By the marks with which compressed images begin. */
static bool assign_by_marks(const reha_dcm_dataset *set, uint32_t frames, size_t *first)
{
    uint32_t found = 0;
    for (size_t f = 0; f < set->fragment_count; f++) {
        if (starts_image(set->bytes + set->fragments[f].offset, set->fragments[f].length)) {
            if (found == frames) {
                return false;
            }
            first[found++] = f;
        }
    }
    return found == frames && first[0] == 0;
}

reha_status reha_dcm_assign_fragments(const reha_dcm_dataset *set, uint32_t frames, bool is_rle, size_t **out,
                                      reha_error *err)
{
    *out = NULL;
    if (set->fragment_count < frames) {
        return reha_fail(err, REHA_E_FORMAT, "%u frames are declared, the pixel data has %zu fragments",
                         frames, set->fragment_count);
    }
    size_t *first = reha_alloc_zero((size_t)frames + 1, sizeof(*first));
    if (first == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the frames of a DICOM file");
    }
    first[frames] = set->fragment_count;
    if (set->fragment_count == frames) {
        for (uint32_t i = 0; i < frames; i++) {
            first[i] = i;
        }
    } else if (frames > 1 &&
               (is_rle || !(assign_by_table(set, frames, first) || assign_by_marks(set, frames, first)))) {
        reha_free(first);
        return reha_fail(err, REHA_E_FORMAT, "%zu fragments cannot be told apart into %u frames",
                         set->fragment_count, frames);
    }
    *out = first;
    return REHA_OK;
}

static reha_status read_native(const reha_dicom *dicom, uint32_t frame_idx, reha_dcm_raw *out)
{
    const reha_dcm_layout *layout = &dicom->layout;
    /* 4:2:2 halves the chroma samples: two a pixel on average. reha_dcm_read_layout checked that
     * all frames lie within the element. */
    const uint64_t samples = layout->colour == REHA_DCM_YBR_422 ? 2 : layout->samples;
    const uint64_t frame_bits = (uint64_t)layout->rows * layout->columns * samples * layout->bits_allocated;
    const reha_dcm_node *pixels = dicom->pixels;
    *out = (reha_dcm_raw){
        .data = dicom->set.bytes + pixels->offset,
        .size_bytes = pixels->length,
        .first_bit = frame_bits * frame_idx,
        .bits_allocated = layout->bits_allocated,
        .bits_stored = layout->bits_stored,
        .high_bit = layout->high_bit,
        .is_big_endian = !pixels->little_endian,
        .swaps_bytes =
            !pixels->little_endian && pixels->vr == REHA_VR('O', 'W') && layout->bits_allocated <= 8,
        .is_planar = layout->is_planar,
        .colour = layout->colour,
    };
    if (pixels->length % 2 != 0) {
        out->swaps_bytes = false; /* then these are no words */
    }
    return REHA_OK;
}

static reha_status read_encapsulated(const reha_dicom *dicom, uint32_t frame_idx, reha_dcm_raw *out,
                                     reha_error *err)
{
    const reha_dcm_dataset *set = &dicom->set;
    const size_t from = dicom->frame_fragments[frame_idx];
    const size_t to = dicom->frame_fragments[frame_idx + 1];
    size_t total = 0;
    for (size_t f = from; f < to; f++) {
        total += set->fragments[f].length; /* together less than the file */
    }
    if (to == from + 1) {
        return dicom->syntax->decode(&dicom->layout, set->bytes + set->fragments[from].offset, total, out,
                                     err);
    }
    uint8_t *joined = reha_alloc(total);
    if (joined == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a compressed frame of %zu bytes", total);
    }
    size_t at = 0;
    for (size_t f = from; f < to; f++) {
        memcpy(joined + at, set->bytes + set->fragments[f].offset, set->fragments[f].length);
        at += set->fragments[f].length;
    }
    const reha_status status = dicom->syntax->decode(&dicom->layout, joined, total, out, err);
    reha_free(joined);
    return status;
}

reha_status reha_dcm_read_raw(const reha_dicom *dicom, uint32_t frame_idx, reha_dcm_raw *out, reha_error *err)
{
    *out = (reha_dcm_raw){0};
    if (frame_idx >= dicom->layout.frames) {
        return reha_fail(err, REHA_E_NOT_FOUND, "frame %u of %u", frame_idx + 1, dicom->layout.frames);
    }
    if (!dicom->set.is_encapsulated) {
        return read_native(dicom, frame_idx, out);
    }
    const reha_status status = read_encapsulated(dicom, frame_idx, out, err);
    if (status != REHA_OK) {
        reha_dcm_raw_clear(out);
        reha_error_prefix(err, "frame %u (%s)", frame_idx + 1, dicom->syntax->name);
    }
    return status;
}
