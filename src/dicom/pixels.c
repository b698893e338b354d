/* From samples to a grey image: sign, modality values, padding, colour. */
#include "dicom/dicom_priv.h"
#include "dicom/voi_priv.h"

#include <math.h>
#include <string.h>

/* Stored bits of one cell as a number. */
typedef struct cell_form {
    uint32_t shift;
    uint32_t mask;
    uint32_t sign_bit; /* 0: unsigned */
} cell_form;

static cell_form form_of(const reha_dcm_layout *layout, const reha_dcm_raw *raw)
{
    const uint32_t bits = raw->bits_stored;
    /* A stream of fewer bits than are stored has no sign bit of its own. */
    const bool has_sign = layout->is_signed && bits == layout->bits_stored;
    return (cell_form){
        .shift = raw->high_bit + 1 - bits,
        .mask = bits >= 32 ? UINT32_MAX : (1u << bits) - 1u,
        .sign_bit = has_sign ? 1u << (bits - 1) : 0,
    };
}

static inline int64_t cell_value(cell_form form, uint32_t cell)
{
    const uint32_t value = (cell >> form.shift) & form.mask;
    return (value & form.sign_bit) != 0 ? (int64_t)value - (int64_t)form.mask - 1 : (int64_t)value;
}

static inline uint32_t cell_at(const reha_dcm_raw *raw, size_t idx)
{
    if (raw->bits_allocated == 1) {
        const uint64_t bit = raw->first_bit + idx;
        const size_t byte = (size_t)(bit / 8) ^ (raw->swaps_bytes ? 1u : 0u);
        return raw->data[byte] >> (bit % 8) & 1u;
    }
    const size_t first = (size_t)(raw->first_bit / 8);
    if (raw->bits_allocated == 8) {
        return raw->data[(first + idx) ^ (raw->swaps_bytes ? 1u : 0u)];
    }
    const size_t width = raw->bits_allocated / 8;
    const uint8_t *p = raw->data + first + idx * width;
    uint32_t value = 0;
    for (size_t i = 0; i < width; i++) {
        value = value << 8 | p[raw->is_big_endian ? i : width - 1 - i];
    }
    return value;
}

static void stored_values(const reha_dcm_layout *layout, const reha_dcm_raw *raw, float *out, size_t count)
{
    const cell_form form = form_of(layout, raw);
    const uint8_t *p = raw->data + raw->first_bit / 8;
    if (raw->bits_allocated == 16 && !raw->is_big_endian) {
        for (size_t i = 0; i < count; i++) {
            out[i] = (float)cell_value(form, (uint32_t)p[2 * i] | (uint32_t)p[2 * i + 1] << 8);
        }
    } else if (raw->bits_allocated == 8 && !raw->swaps_bytes) {
        for (size_t i = 0; i < count; i++) {
            out[i] = (float)cell_value(form, p[i]);
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            out[i] = (float)cell_value(form, cell_at(raw, i));
        }
    }
}

/* Luma by ITU-R BT.601, written around green so that r == g == b gives exactly that value. */
static inline float luma(float red, float green, float blue)
{
    return green + 0.299f * (red - green) + 0.114f * (blue - green);
}

/* Colour that a viewer notices: channels differ by more than 1/16 of full scale (as for pictures). */
static inline bool is_coloured(float red, float green, float blue, float full_scale)
{
    const float limit = full_scale / 16.0f;
    return fabsf(red - green) > limit || fabsf(green - blue) > limit || fabsf(blue - red) > limit;
}

/* Y already is the luma; the distance of the two others from the middle is the colour. */
static double ybr_plane(const reha_dcm_raw *raw, cell_form form, float *out, size_t count)
{
    const float full_scale = (float)form.mask;
    const uint32_t half = form.mask / 2;
    const float middle = (float)(half + 1);
    const bool is_422 = raw->colour == REHA_DCM_YBR_422;
    size_t coloured = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t y = is_422 ? i / 2 * 4 + i % 2 : raw->is_planar ? i : i * 3;
        const size_t b = is_422 ? i / 2 * 4 + 2 : raw->is_planar ? i + count : i * 3 + 1;
        const size_t r = is_422 ? i / 2 * 4 + 3 : raw->is_planar ? i + 2 * count : i * 3 + 2;
        const float luminance = (float)cell_value(form, cell_at(raw, y));
        const float cb = (float)cell_value(form, cell_at(raw, b)) - middle;
        const float cr = (float)cell_value(form, cell_at(raw, r)) - middle;
        out[i] = luminance;
        coloured += is_coloured(1.402f * cr, -0.344136f * cb - 0.714136f * cr, 1.772f * cb, full_scale);
    }
    return (double)coloured / (double)count;
}

static double rgb_plane(const reha_dcm_raw *raw, cell_form form, float *out, size_t count)
{
    const float full_scale = (float)form.mask;
    size_t coloured = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t at = raw->is_planar ? i : i * 3;
        const size_t step = raw->is_planar ? count : 1;
        const float red = (float)cell_value(form, cell_at(raw, at));
        const float green = (float)cell_value(form, cell_at(raw, at + step));
        const float blue = (float)cell_value(form, cell_at(raw, at + 2 * step));
        out[i] = luma(red, green, blue);
        coloured += is_coloured(red, green, blue, full_scale);
    }
    return (double)coloured / (double)count;
}

/* Scale of palette entries to 0..255. Some writers declare 16 bits and fill 8. */
static float palette_scale(const reha_dcm_lut *luts)
{
    uint16_t highest = 0;
    for (int c = 0; c < 3; c++) {
        for (uint32_t i = 0; i < luts[c].count; i++) {
            const uint16_t entry = reha_dcm_lut_entry(&luts[c], i);
            highest = entry > highest ? entry : highest;
        }
    }
    return luts[0].bits <= 8 || highest <= 255 ? 1.0f : 255.0f / 65535.0f;
}

static reha_status palette_plane(const reha_dicom *dicom, const reha_dcm_raw *raw, cell_form form, float *out,
                                 size_t count, double *chroma, reha_error *err)
{
    static const uint32_t tags[3][2] = {{TAG_RED_PALETTE_DESCRIPTOR, TAG_RED_PALETTE_DATA},
                                        {TAG_GREEN_PALETTE_DESCRIPTOR, TAG_GREEN_PALETTE_DATA},
                                        {TAG_BLUE_PALETTE_DESCRIPTOR, TAG_BLUE_PALETTE_DATA}};
    const reha_dcm_scope root = reha_dcm_root(&dicom->set);
    reha_dcm_lut luts[3];
    for (int c = 0; c < 3; c++) {
        if (!reha_dcm_lut_read(&dicom->set, reha_dcm_find(&dicom->set, root, tags[c][0]),
                               reha_dcm_find(&dicom->set, root, tags[c][1]), false, &luts[c])) {
            const bool segmented = reha_dcm_find(&dicom->set, root, TAG_RED_SEGMENTED_DATA) != NULL;
            return reha_fail(err, segmented ? REHA_E_UNSUPPORTED : REHA_E_FORMAT,
                             segmented ? "a segmented colour palette is not read"
                                       : "the colour palette is missing or shorter than it says");
        }
    }
    const float scale = palette_scale(luts);
    size_t coloured = 0;
    for (size_t i = 0; i < count; i++) {
        const int64_t idx = cell_value(form, cell_at(raw, i));
        const float red = (float)reha_dcm_lut_at(&luts[0], idx) * scale;
        const float green = (float)reha_dcm_lut_at(&luts[1], idx) * scale;
        const float blue = (float)reha_dcm_lut_at(&luts[2], idx) * scale;
        out[i] = luma(red, green, blue);
        coloured += is_coloured(red, green, blue, 255.0f);
    }
    *chroma = (double)coloured / (double)count;
    return REHA_OK;
}

/* Stored values (grey) or luma (colour) into a new image. */
static reha_status decode(const reha_dicom *dicom, uint32_t frame_idx, reha_gray **out, double *chroma,
                          reha_error *err)
{
    const reha_dcm_layout *layout = &dicom->layout;
    const size_t count = (size_t)layout->rows * layout->columns;
    reha_gray *image = NULL;
    reha_dcm_raw raw;
    *chroma = 0.0;
    reha_status status = reha_dcm_read_raw(dicom, frame_idx, &raw, err);
    if (status == REHA_OK) {
        status = reha_gray_new(layout->columns, layout->rows, &image, err);
    }
    if (status == REHA_OK) {
        const cell_form form = form_of(layout, &raw);
        switch (raw.colour) {
        case REHA_DCM_GREY:
            stored_values(layout, &raw, image->pixels, count);
            break;
        case REHA_DCM_PALETTE:
            status = palette_plane(dicom, &raw, form, image->pixels, count, chroma, err);
            break;
        case REHA_DCM_RGB:
            *chroma = rgb_plane(&raw, form, image->pixels, count);
            break;
        case REHA_DCM_YBR:
        case REHA_DCM_YBR_422:
            *chroma = ybr_plane(&raw, form, image->pixels, count);
            break;
        }
    }
    reha_dcm_raw_clear(&raw);
    if (status == REHA_OK) {
        image->spacing = reha_dicom_spacing(dicom, frame_idx);
        *out = image;
        image = NULL;
    }
    reha_gray_free(image);
    return status;
}

reha_status reha_dicom_read_stored(const reha_dicom *dicom, uint32_t frame_idx, reha_gray **out,
                                   reha_error *err)
{
    double chroma;
    *out = NULL;
    return decode(dicom, frame_idx, out, &chroma, err);
}

static bool is_padding(const reha_dcm_layout *layout, float stored)
{
    return layout->has_padding && stored >= (float)layout->padding_low &&
           stored <= (float)layout->padding_high;
}

static void stored_range(const reha_dcm_layout *layout, double *low, double *high)
{
    const double span = ldexp(1.0, (int)layout->bits_stored);
    *low = layout->is_signed ? -span / 2 : 0.0;
    *high = *low + span - 1.0;
}

/* Padding is marked by NaN and filled when the darkest real value is known. */
static void to_modality(const reha_dicom *dicom, uint32_t frame_idx, reha_gray *image)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    const reha_dcm_modality modality = reha_dcm_find_modality(dicom, frame_idx);
    for (size_t i = 0; i < count; i++) {
        image->pixels[i] = is_padding(&dicom->layout, image->pixels[i])
                               ? NAN
                               : (float)reha_dcm_modality_value(&modality, image->pixels[i]);
    }
}

bool reha_dcm_frame_span(const reha_dicom *dicom, uint32_t frame_idx, double *low, double *high)
{
    reha_gray *image = NULL;
    double chroma;
    *low = INFINITY;
    *high = -INFINITY;
    if (decode(dicom, frame_idx, &image, &chroma, NULL) != REHA_OK) {
        return false;
    }
    to_modality(dicom, frame_idx, image);
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        const double value = image->pixels[i];
        *low = value < *low ? value : *low; /* NaN compares false */
        *high = value > *high ? value : *high;
    }
    reha_gray_free(image);
    return *low <= *high;
}

static void turn_over(const reha_dicom *dicom, uint32_t frame_idx, reha_gray *image)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    const reha_dcm_modality modality = reha_dcm_find_modality(dicom, frame_idx);
    double low;
    double high;
    stored_range(&dicom->layout, &low, &high);
    const double sum = reha_dcm_modality_value(&modality, low) + reha_dcm_modality_value(&modality, high);
    for (size_t i = 0; i < count; i++) {
        image->pixels[i] = (float)(sum - (double)image->pixels[i]);
    }
}

static void fill_padding(reha_gray *image)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    float darkest = INFINITY;
    for (size_t i = 0; i < count; i++) {
        darkest = image->pixels[i] < darkest ? image->pixels[i] : darkest;
    }
    darkest = isfinite(darkest) ? darkest : 0.0f;
    for (size_t i = 0; i < count; i++) {
        image->pixels[i] = isnan(image->pixels[i]) ? darkest : image->pixels[i];
    }
}

reha_status reha_dicom_read_frame(const reha_dicom *dicom, uint32_t frame_idx, reha_gray **out,
                                  reha_acquisition *facts, reha_error *err)
{
    double chroma;
    *out = NULL;
    if (facts != NULL) {
        *facts = dicom->facts;
    }
    REHA_TRY(decode(dicom, frame_idx, out, &chroma, err));
    if (facts != NULL) {
        facts->chroma_fraction = chroma;
    }
    if (dicom->layout.colour == REHA_DCM_GREY) {
        to_modality(dicom, frame_idx, *out);
        if (dicom->layout.is_monochrome1) {
            turn_over(dicom, frame_idx, *out);
        }
        fill_padding(*out);
    }
    return REHA_OK;
}

reha_status reha_dicom_read_display(const reha_dicom *dicom, uint32_t frame_idx, const reha_window *window,
                                    reha_gray **out, reha_error *err)
{
    double chroma;
    *out = NULL;
    REHA_TRY(decode(dicom, frame_idx, out, &chroma, err));
    reha_gray *image = *out;
    const size_t count = (size_t)image->width_px * image->height_px;
    if (dicom->layout.colour != REHA_DCM_GREY) {
        const bool is_palette = dicom->layout.colour == REHA_DCM_PALETTE;
        const double full_scale = is_palette ? 255.0 : ldexp(1.0, (int)dicom->layout.bits_stored) - 1.0;
        for (size_t i = 0; i < count; i++) {
            image->pixels[i] = (float)((double)image->pixels[i] / full_scale);
        }
        return REHA_OK;
    }
    to_modality(dicom, frame_idx, image);
    reha_dcm_apply_voi(dicom, frame_idx, window, image);
    for (size_t i = 0; i < count; i++) {
        const float value = image->pixels[i];
        image->pixels[i] = isnan(value) ? 0.0f : dicom->layout.is_monochrome1 ? 1.0f - value : value;
    }
    return REHA_OK;
}
