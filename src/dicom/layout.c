/* The pixel module: what the cells hold, checked before a byte of them is touched. */
#include "dicom/dicom_priv.h"

#include "base/memory.h"

#include <string.h>

static const reha_dcm_node *root_find(const reha_dicom *dicom, uint32_t tag)
{
    return reha_dcm_find(&dicom->set, reha_dcm_root(&dicom->set), tag);
}

static reha_status need_u32(const reha_dicom *dicom, uint32_t tag, const char *name, uint32_t low,
                            uint32_t high, uint32_t *out, reha_error *err)
{
    const reha_dcm_node *node = root_find(dicom, tag);
    if (node == NULL) {
        return reha_fail(err, REHA_E_FORMAT, "%s (%04x,%04x) is missing", name, (unsigned)(tag >> 16),
                         (unsigned)(tag & 0xFFFF));
    }
    if (!reha_dcm_u32(&dicom->set, node, out)) {
        return reha_fail(err, REHA_E_FORMAT, "%s (%04x,%04x) is not one number of 16 bits", name,
                         (unsigned)(tag >> 16), (unsigned)(tag & 0xFFFF));
    }
    if (*out < low || *out > high) {
        return reha_fail(err, REHA_E_FORMAT, "%s (%04x,%04x) is %u, not within %u to %u", name,
                         (unsigned)(tag >> 16), (unsigned)(tag & 0xFFFF), *out, low, high);
    }
    return REHA_OK;
}

static reha_status read_colour(const reha_dicom *dicom, reha_dcm_layout *layout, reha_error *err)
{
    static const struct {
        const char *name;
        uint32_t samples;
        reha_dcm_colour colour;
    } kinds[] = {
        {"MONOCHROME1", 1, REHA_DCM_GREY},      {"MONOCHROME2", 1, REHA_DCM_GREY},
        {"PALETTE COLOR", 1, REHA_DCM_PALETTE}, {"RGB", 3, REHA_DCM_RGB},
        {"YBR_FULL", 3, REHA_DCM_YBR},          {"YBR_FULL_422", 3, REHA_DCM_YBR_422},
        {"YBR_RCT", 3, REHA_DCM_RGB}, /* undone by the JPEG 2000 decoder */
        {"YBR_ICT", 3, REHA_DCM_RGB},
    };
    char name[33];
    if (!reha_dcm_text(&dicom->set, root_find(dicom, TAG_PHOTOMETRIC_INTERPRETATION), 0, name,
                       sizeof(name))) {
        return reha_fail(err, REHA_E_FORMAT,
                         "Photometric Interpretation (0028,0004) is missing or malformed");
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, name) != 0) {
            continue;
        }
        if (kinds[i].samples != layout->samples) {
            return reha_fail(err, REHA_E_FORMAT, "%s with %u samples per pixel", name, layout->samples);
        }
        layout->colour = kinds[i].colour;
        layout->is_monochrome1 = strcmp(name, "MONOCHROME1") == 0;
        return REHA_OK;
    }
    /* Retired models exist (HSV, ARGB, CMYK, YBR_PARTIAL); the name is no patient data. */
    return reha_fail(err, REHA_E_UNSUPPORTED, "photometric interpretation \"%s\" is not read", name);
}

static reha_status read_bits(const reha_dicom *dicom, reha_dcm_layout *layout, reha_error *err)
{
    uint32_t is_signed = 0;
    REHA_TRY(need_u32(dicom, TAG_BITS_ALLOCATED, "Bits Allocated", 1, 64, &layout->bits_allocated, err));
    const uint32_t bits = layout->bits_allocated;
    if (bits != 1 && bits != 8 && bits != 16 && bits != 32) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "pixel cells of %u bits are not read", bits);
    }
    REHA_TRY(need_u32(dicom, TAG_BITS_STORED, "Bits Stored", 1, bits, &layout->bits_stored, err));
    layout->high_bit = layout->bits_stored - 1;
    if (root_find(dicom, TAG_HIGH_BIT) != NULL) {
        REHA_TRY(need_u32(dicom, TAG_HIGH_BIT, "High Bit", layout->bits_stored - 1, bits - 1,
                          &layout->high_bit, err));
    }
    if (root_find(dicom, TAG_PIXEL_REPRESENTATION) != NULL) {
        REHA_TRY(need_u32(dicom, TAG_PIXEL_REPRESENTATION, "Pixel Representation", 0, 1, &is_signed, err));
    }
    layout->is_signed = is_signed == 1;
    if (layout->colour != REHA_DCM_GREY && (layout->is_signed || bits < 8 || bits > 16)) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "colour pixels of %u bits%s are not read", bits,
                         layout->is_signed ? " with sign" : "");
    }
    if (layout->colour == REHA_DCM_YBR_422 && bits != 8) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "YBR_FULL_422 of %u bits is not read", bits);
    }
    return REHA_OK;
}

static int32_t padding_value(const reha_dicom *dicom, const reha_dcm_node *node, bool is_signed)
{
    const uint16_t value = reha_dcm_u16_at(&dicom->set, node, 0);
    return is_signed ? (int32_t)(int16_t)value : (int32_t)value;
}

static void read_padding(const reha_dicom *dicom, reha_dcm_layout *layout)
{
    const reha_dcm_node *value = root_find(dicom, TAG_PIXEL_PADDING_VALUE);
    const reha_dcm_node *limit = root_find(dicom, TAG_PIXEL_PADDING_LIMIT);
    if (layout->colour != REHA_DCM_GREY || layout->bits_allocated > 16 || value == NULL ||
        value->length != 2) {
        return;
    }
    layout->has_padding = true;
    layout->padding_low = padding_value(dicom, value, layout->is_signed);
    layout->padding_high = layout->padding_low;
    if (limit != NULL && limit->length == 2) {
        const int32_t other = padding_value(dicom, limit, layout->is_signed);
        layout->padding_low = other < layout->padding_low ? other : layout->padding_low;
        layout->padding_high = other > layout->padding_high ? other : layout->padding_high;
    }
}

static reha_status read_frames(const reha_dicom *dicom, reha_dcm_layout *layout, reha_error *err)
{
    const reha_dcm_node *node = root_find(dicom, TAG_NUMBER_OF_FRAMES);
    double frames = 1.0;
    if (node != NULL && node->length > 0 &&
        (!reha_dcm_number(&dicom->set, node, 0, &frames) || frames < 1.0 ||
         frames != (double)(int64_t)frames)) {
        return reha_fail(err, REHA_E_FORMAT, "Number of Frames (0028,0008) is not a whole number above 0");
    }
    if (frames > dicom->limits.frames_max) {
        return reha_fail(err, REHA_E_LIMIT, "%.0f frames, at most %u are read", frames,
                         dicom->limits.frames_max);
    }
    layout->frames = (uint32_t)frames;
    const uint64_t all_bytes = (uint64_t)layout->rows * layout->columns * sizeof(float) * layout->frames;
    if (all_bytes > dicom->limits.decoded_bytes_max) {
        return reha_fail(err, REHA_E_LIMIT,
                         "%u frames of %u x %u pixels need %llu MiB decoded, the limit is %llu",
                         layout->frames, layout->columns, layout->rows, (unsigned long long)(all_bytes >> 20),
                         (unsigned long long)(dicom->limits.decoded_bytes_max >> 20));
    }
    return REHA_OK;
}

/* Uncompressed pixels must be there in full: a short element is a cut file, not a darker image. */
static reha_status check_native(const reha_dicom *dicom, reha_error *err)
{
    const reha_dcm_layout *layout = &dicom->layout;
    if (layout->colour == REHA_DCM_YBR_422 && layout->columns % 2 != 0) {
        return reha_fail(err, REHA_E_FORMAT, "YBR_FULL_422 with an odd number of columns");
    }
    const uint64_t samples = layout->colour == REHA_DCM_YBR_422 ? 2 : layout->samples;
    /* Rows and columns have 16 bits, frames are limited: no overflow. */
    const uint64_t bits = (uint64_t)layout->rows * layout->columns * samples * layout->bits_allocated;
    if (bits > UINT64_MAX / layout->frames || (bits * layout->frames + 7) / 8 > dicom->pixels->length) {
        return reha_fail(err, REHA_E_FORMAT,
                         "the pixel data has %u bytes, too few for %u x %u pixels of %u bits in %u frame(s)",
                         dicom->pixels->length, layout->columns, layout->rows, layout->bits_allocated,
                         layout->frames);
    }
    return REHA_OK;
}

static reha_status find_pixels(reha_dicom *dicom, reha_error *err)
{
    const reha_dcm_node *modality = root_find(dicom, TAG_MODALITY);
    char name[17];
    dicom->pixels = root_find(dicom, TAG_PIXEL_DATA);
    if (dicom->pixels != NULL) {
        return REHA_OK;
    }
    if (root_find(dicom, TAG_FLOAT_PIXEL_DATA) != NULL || root_find(dicom, TAG_DOUBLE_PIXEL_DATA) != NULL) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "floating point pixel data (a parametric map) is not read");
    }
    (void)reha_dcm_text(&dicom->set, modality, 0, name, sizeof(name));
    return reha_fail(err, REHA_E_UNSUPPORTED, "the DICOM file holds no image (modality \"%s\")", name);
}

reha_status reha_dcm_read_layout(reha_dicom *dicom, reha_error *err)
{
    reha_dcm_layout *layout = &dicom->layout;
    uint32_t planar = 0;
    const reha_dcm_dataset *set = &dicom->set;
    dicom->syntax = reha_dcm_find_syntax(set->transfer_syntax_uid);
    if (dicom->syntax == NULL) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "transfer syntax %s (%s) is not read",
                         set->transfer_syntax_uid, reha_dcm_unsupported_name(set->transfer_syntax_uid));
    }
    REHA_TRY(find_pixels(dicom, err));
    REHA_TRY(need_u32(dicom, TAG_ROWS, "Rows", 1, UINT16_MAX, &layout->rows, err));
    REHA_TRY(need_u32(dicom, TAG_COLUMNS, "Columns", 1, UINT16_MAX, &layout->columns, err));
    REHA_TRY(reha_image_check_size(layout->columns, layout->rows, &dicom->limits, err));
    layout->samples = 1;
    if (root_find(dicom, TAG_SAMPLES_PER_PIXEL) != NULL) {
        REHA_TRY(need_u32(dicom, TAG_SAMPLES_PER_PIXEL, "Samples per Pixel", 1, 4, &layout->samples, err));
    }
    REHA_TRY(read_colour(dicom, layout, err));
    REHA_TRY(read_bits(dicom, layout, err));
    if (layout->samples > 1 && root_find(dicom, TAG_PLANAR_CONFIGURATION) != NULL) {
        REHA_TRY(need_u32(dicom, TAG_PLANAR_CONFIGURATION, "Planar Configuration", 0, 1, &planar, err));
    }
    layout->is_planar = planar == 1 && layout->colour != REHA_DCM_YBR_422;
    read_padding(dicom, layout);
    REHA_TRY(read_frames(dicom, layout, err));
    if (set->is_encapsulated != (dicom->syntax->decode != NULL)) {
        return reha_fail(err, REHA_E_FORMAT, "the pixel data is %s, but the transfer syntax is %s",
                         set->is_encapsulated ? "encapsulated" : "not encapsulated", dicom->syntax->name);
    }
    if (!set->is_encapsulated) {
        return check_native(dicom, err);
    }
    return reha_dcm_assign_fragments(set, layout->frames, dicom->syntax->decode == reha_dcm_decode_rle,
                                     &dicom->frame_fragments, err);
}
