/* The pixel data of the copy: as they are, cleaned around the pixels, or with regions painted black. */
#include "dicom/deidentify_priv.h"

#include "base/memory.h"
#include "dicom/lut_priv.h"

#include <math.h>
#include <string.h>

/* The cells of one frame, to be written to. */
typedef struct cells {
    uint8_t *data;
    size_t first; /* cell of the frame's first sample */
    size_t pixels;
    uint32_t bits_allocated;
    bool is_big_endian;
    bool swaps_bytes; /* 8-bit samples in big endian 16-bit words */
    bool is_planar;
    reha_dcm_colour colour;
} cells;

static void write_cell(const cells *c, size_t idx, uint32_t value)
{
    const size_t cell = c->first + idx;
    const size_t width = c->bits_allocated / 8;
    if (width == 1) {
        c->data[cell ^ (c->swaps_bytes ? 1u : 0u)] = (uint8_t)value;
        return;
    }
    uint8_t *p = c->data + cell * width;
    for (size_t i = 0; i < width; i++) {
        p[c->is_big_endian ? width - 1 - i : i] = (uint8_t)(value >> (8 * i));
    }
}

static void and_cell(const cells *c, size_t idx, uint32_t mask)
{
    const size_t width = c->bits_allocated / 8;
    uint8_t *p = c->data + (c->first + idx) * width;
    for (size_t i = 0; i < width; i++) {
        p[c->is_big_endian ? width - 1 - i : i] &= (uint8_t)(mask >> (8 * i));
    }
}

static uint32_t mask_of(uint32_t bits)
{
    return bits >= 32 ? UINT32_MAX : (1u << bits) - 1u;
}

/* Palette entry that looks darkest. */
static bool darkest_entry(const reha_dicom *dicom, uint32_t bits_stored, uint32_t *out)
{
    static const uint32_t tags[3][2] = {{TAG_RED_PALETTE_DESCRIPTOR, TAG_RED_PALETTE_DATA},
                                        {TAG_GREEN_PALETTE_DESCRIPTOR, TAG_GREEN_PALETTE_DATA},
                                        {TAG_BLUE_PALETTE_DESCRIPTOR, TAG_BLUE_PALETTE_DATA}};
    const reha_dcm_scope root = reha_dcm_root(&dicom->set);
    reha_dcm_lut luts[3];
    uint32_t lowest = UINT32_MAX;
    for (int c = 0; c < 3; c++) {
        if (!reha_dcm_lut_read(&dicom->set, reha_dcm_find(&dicom->set, root, tags[c][0]),
                               reha_dcm_find(&dicom->set, root, tags[c][1]), false, &luts[c])) {
            return false;
        }
    }
    for (uint32_t i = 0; i <= mask_of(bits_stored < 16 ? bits_stored : 16); i++) {
        const uint32_t luma = 299u * reha_dcm_lut_at(&luts[0], i) + 587u * reha_dcm_lut_at(&luts[1], i) +
                              114u * reha_dcm_lut_at(&luts[2], i);
        if (luma < lowest) {
            lowest = luma;
            *out = i;
        }
    }
    return true;
}

/* What is black in each channel, as stored bits in their place. */
static reha_status find_black(const reha_dicom *dicom, const deid_pixels *form, uint32_t black[3],
                              reha_error *err)
{
    const reha_dcm_layout *layout = &dicom->layout;
    const uint32_t bits = form->bits_stored;
    const uint32_t shift = form->high_bit + 1 - bits;
    black[0] = black[1] = black[2] = 0;
    switch (form->colour) {
    case REHA_DCM_GREY: {
        const uint32_t sign_bit = 1u << (bits - 1);
        const uint32_t low = layout->is_signed ? sign_bit : 0;
        const uint32_t high = layout->is_signed ? sign_bit - 1 : mask_of(bits);
        black[0] = layout->is_monochrome1 ? high : low;
        break;
    }
    case REHA_DCM_PALETTE:
        if (!darkest_entry(dicom, bits, &black[0])) {
            return reha_fail(err, REHA_E_UNSUPPORTED,
                             "no black is found in the colour palette to blank with");
        }
        break;
    case REHA_DCM_RGB:
        break;
    case REHA_DCM_YBR:
    case REHA_DCM_YBR_422:
        black[1] = black[2] = 1u << (bits - 1);
        break;
    }
    for (int c = 0; c < 3; c++) {
        black[c] <<= shift;
    }
    return REHA_OK;
}

static void paint_pixel(const cells *c, size_t i, const uint32_t black[3])
{
    if (c->colour == REHA_DCM_GREY || c->colour == REHA_DCM_PALETTE) {
        write_cell(c, i, black[0]);
    } else if (c->colour == REHA_DCM_YBR_422) { /* the colour of a pair goes with either of its pixels */
        write_cell(c, i / 2 * 4 + i % 2, black[0]);
        write_cell(c, i / 2 * 4 + 2, black[1]);
        write_cell(c, i / 2 * 4 + 3, black[2]);
    } else {
        for (size_t channel = 0; channel < 3; channel++) {
            write_cell(c, c->is_planar ? i + channel * c->pixels : i * 3 + channel, black[channel]);
        }
    }
}

static uint32_t edge(double value, uint32_t size)
{
    return value <= 0.0 ? 0 : value >= size ? size : (uint32_t)value;
}

static void fill_box(bool *area, const reha_dcm_layout *layout, reha_box_px box, bool value)
{
    const uint32_t x0 = edge(floor(box.x_px), layout->columns);
    const uint32_t x1 = edge(ceil(box.x_px + box.width_px), layout->columns);
    const uint32_t y0 = edge(floor(box.y_px), layout->rows);
    const uint32_t y1 = edge(ceil(box.y_px + box.height_px), layout->rows);
    for (uint32_t y = y0; y < y1; y++) {
        for (uint32_t x = x0; x < x1; x++) {
            area[(size_t)y * layout->columns + x] = value;
        }
    }
}

/* Which pixels of the frame become black. */
static void find_area(const reha_dicom *dicom, const reha_deid_options *options, uint32_t frame_idx,
                      bool *area)
{
    const reha_dcm_layout *layout = &dicom->layout;
    const bool outside = options->blanks_outside_regions && reha_dicom_region_count(dicom, frame_idx) > 0;
    reha_dicom_region region;
    memset(area, outside ? 1 : 0, (size_t)layout->rows * layout->columns * sizeof *area);
    for (uint32_t i = 0; outside && reha_dicom_get_region(dicom, frame_idx, i, &region); i++) {
        fill_box(area, layout, region.box, false);
    }
    for (size_t i = 0; i < options->blank_count; i++) {
        fill_box(area, layout, options->blanks[i], true);
    }
}

static bool wants_blank(const reha_dicom *dicom, const reha_deid_options *options)
{
    if (options->blank_count > 0) {
        return true;
    }
    for (uint32_t f = 0; options->blanks_outside_regions && f < dicom->layout.frames; f++) {
        if (reha_dicom_region_count(dicom, f) == 0) {
            return false; /* of a frame without regions nothing is known: the caller refuses the file */
        }
    }
    return options->blanks_outside_regions;
}

static reha_status check_boxes(const reha_dicom *dicom, const reha_deid_options *options, reha_error *err)
{
    const reha_dcm_layout *layout = &dicom->layout;
    for (size_t i = 0; i < options->blank_count; i++) {
        const reha_box_px box = options->blanks[i];
        if (!(box.width_px > 0.0 && box.height_px > 0.0 && box.x_px < layout->columns &&
              box.y_px < layout->rows && box.x_px + box.width_px > 0.0 && box.y_px + box.height_px > 0.0)) {
            return reha_fail(err, REHA_E_ARG,
                             "box %zu to blank lies outside of the picture of %u x %u pixels", i + 1,
                             layout->columns, layout->rows);
        }
    }
    return REHA_OK;
}

/* Old files hide overlays in the bits of the pixel cells that no pixel uses (60xx,0102). */
static bool has_hidden_overlay(const reha_dicom *dicom)
{
    const reha_dcm_dataset *set = &dicom->set;
    const reha_dcm_scope root = reha_dcm_root(set);
    for (uint32_t group = 0x6000; group <= 0x601E; group += 2) {
        uint32_t value;
        if ((reha_dcm_u32(set, reha_dcm_find(set, root, group << 16 | 0x0102), &value) && value != 0) ||
            (reha_dcm_u32(set, reha_dcm_find(set, root, group << 16 | 0x0100), &value) && value > 1)) {
            return true;
        }
    }
    return false;
}

static reha_status change_frames(const reha_dicom *dicom, const reha_deid_options *options, bool blanks,
                                 bool hides, cells c, const deid_pixels *form, reha_error *err)
{
    const reha_dcm_layout *layout = &dicom->layout;
    const size_t cells_a_frame = c.pixels * (form->colour == REHA_DCM_YBR_422 ? 2
                                             : layout->samples > 1            ? 3
                                                                              : 1);
    uint32_t black[3];
    if (c.bits_allocated < 8) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "pixels of one bit are not blanked");
    }
    REHA_TRY(find_black(dicom, form, black, err));
    bool *area = reha_alloc(c.pixels * sizeof *area);
    if (area == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for blanking");
    }
    const uint32_t used = mask_of(form->bits_stored) << (form->high_bit + 1 - form->bits_stored);
    for (uint32_t f = 0; f < layout->frames; f++) {
        c.first = f * cells_a_frame;
        for (size_t i = 0; hides && i < cells_a_frame; i++) {
            and_cell(&c, i, used);
        }
        if (blanks) {
            find_area(dicom, options, f, area);
            for (size_t i = 0; i < c.pixels; i++) {
                if (area[i]) {
                    paint_pixel(&c, i, black);
                }
            }
        }
    }
    reha_free(area);
    return REHA_OK;
}

static reha_status prepare_native(const reha_dicom *dicom, const reha_deid_options *options, bool blanks,
                                  bool hides, deid_pixels *out, reha_error *err)
{
    const reha_dcm_layout *layout = &dicom->layout;
    const uint64_t samples = layout->colour == REHA_DCM_YBR_422 ? 2 : layout->samples;
    const uint64_t bits = (uint64_t)layout->rows * layout->columns * samples * layout->bits_allocated;
    /* Checked by the reader: not more than the element has. */
    out->size_bytes = (size_t)((bits * layout->frames + 7) / 8);
    out->data = dicom->set.bytes + dicom->pixels->offset;
    if (!blanks && !hides) {
        return REHA_OK;
    }
    const size_t even = out->size_bytes + out->size_bytes % 2;
    const size_t there = even <= dicom->pixels->length ? even : out->size_bytes;
    out->owned = reha_alloc_zero(even, 1);
    if (out->owned == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu bytes of pixels", even);
    }
    memcpy(out->owned, out->data, there);
    out->data = out->owned;
    const bool is_big = !dicom->pixels->little_endian;
    const cells c = {.data = out->owned,
                     .pixels = (size_t)layout->rows * layout->columns,
                     .bits_allocated = layout->bits_allocated,
                     .is_big_endian = is_big,
                     .swaps_bytes = is_big && dicom->pixels->vr == REHA_VR('O', 'W') &&
                                    layout->bits_allocated <= 8 && dicom->pixels->length % 2 == 0,
                     .is_planar = layout->is_planar,
                     .colour = layout->colour};
    return change_frames(dicom, options, blanks, hides, c, out, err);
}

static reha_status decode_frames(const reha_dicom *dicom, deid_pixels *out, reha_error *err)
{
    const reha_dcm_layout *layout = &dicom->layout;
    size_t frame_bytes = 0;
    for (uint32_t f = 0; f < layout->frames; f++) {
        reha_dcm_raw raw;
        reha_error fault = REHA_ERROR_INIT;
        reha_status status = reha_dcm_read_raw(dicom, f, &raw, &fault);
        if (status != REHA_OK) {
            return reha_fail(err, status, "frame %u could not be decoded for blanking", f + 1);
        }
        if (f == 0) {
            frame_bytes = raw.size_bytes;
            out->colour = raw.colour;
            out->bits_allocated = raw.bits_allocated;
            out->bits_stored = raw.bits_stored;
            out->high_bit = raw.high_bit;
            out->is_planar = raw.is_planar;
            if (!reha_mul_size(frame_bytes, layout->frames, &out->size_bytes) ||
                out->size_bytes > UINT32_MAX - 1) {
                status = reha_fail(err, REHA_E_LIMIT, "%u decoded frames are too large for one file",
                                   layout->frames);
            } else if ((out->owned = reha_alloc_zero(out->size_bytes + out->size_bytes % 2, 1)) == NULL) {
                status =
                    reha_fail(err, REHA_E_NOMEM, "out of memory for %zu bytes of pixels", out->size_bytes);
            }
        }
        if (status == REHA_OK && (raw.size_bytes != frame_bytes || raw.colour != out->colour ||
                                  raw.bits_allocated != out->bits_allocated ||
                                  raw.bits_stored != out->bits_stored || raw.is_planar != out->is_planar ||
                                  (layout->is_signed && raw.bits_stored != layout->bits_stored))) {
            status = reha_fail(err, REHA_E_UNSUPPORTED,
                               "frame %u is stored in another way than the file says", f + 1);
        }
        if (status == REHA_OK && out->owned != NULL) {
            memcpy(out->owned + frame_bytes * f, raw.data, frame_bytes);
        }
        const bool is_big = raw.is_big_endian;
        reha_dcm_raw_clear(&raw);
        REHA_TRY(status);
        if (is_big) { /* no machine of ours */
            return reha_fail(err, REHA_E_UNSUPPORTED, "compressed pixels are not blanked on this machine");
        }
    }
    out->data = out->owned;
    out->is_decoded = true;
    return REHA_OK;
}

static reha_status prepare_decoded(const reha_dicom *dicom, const reha_deid_options *options, bool hides,
                                   deid_pixels *out, reha_error *err)
{
    REHA_TRY(decode_frames(dicom, out, err));
    const cells c = {.data = out->owned,
                     .pixels = (size_t)dicom->layout.rows * dicom->layout.columns,
                     .bits_allocated = out->bits_allocated,
                     .is_planar = out->is_planar,
                     .colour = out->colour};
    return change_frames(dicom, options, true, hides, c, out, err);
}

/* Frame by frame over the joined fragments, which then lie behind each other in out->fragments. */
static reha_status clean_frames(const reha_dicom *dicom, deid_pixels *out, reha_error *err)
{
    const reha_dcm_dataset *set = &dicom->set;
    size_t total = 0;
    size_t at = 0;
    for (size_t f = 0; f < set->fragment_count; f++) {
        total += set->fragments[f].length; /* together less than the file */
    }
    out->fragments = reha_alloc(total);
    if (out->fragments == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu bytes of pixels", total);
    }
    for (uint32_t frame = 0; frame < dicom->layout.frames; frame++) {
        const size_t start = at;
        for (size_t f = dicom->frame_fragments[frame]; f < dicom->frame_fragments[frame + 1]; f++) {
            memcpy(out->fragments + at, set->bytes + set->fragments[f].offset, set->fragments[f].length);
            at += set->fragments[f].length;
        }
        if (!reha_deid_clean_stream(dicom->syntax->uid, out->fragments + start, at - start,
                                    &out->cleared_segments)) {
            return reha_fail(err, REHA_E_FORMAT,
                             "the compressed pixels of frame %u are damaged: what they hold is not known",
                             frame + 1);
        }
    }
    return REHA_OK;
}

reha_status reha_deid_prepare_pixels(const reha_dicom *dicom, const reha_deid_options *options,
                                     deid_pixels *out, reha_error *err)
{
    const reha_dcm_layout *layout = &dicom->layout;
    const bool hides = has_hidden_overlay(dicom) && layout->bits_allocated >= 8;
    *out = (deid_pixels){.colour = layout->colour,
                         .bits_allocated = layout->bits_allocated,
                         .bits_stored = layout->bits_stored,
                         .high_bit = layout->high_bit,
                         .is_planar = layout->is_planar};
    REHA_TRY(check_boxes(dicom, options, err));
    out->is_blanked = wants_blank(dicom, options);
    out->has_cleared_overlay = hides;
    if (!dicom->set.is_encapsulated) {
        return prepare_native(dicom, options, out->is_blanked, hides, out, err);
    }
    if (out->is_blanked) {
        return prepare_decoded(dicom, options, hides, out, err);
    }
    if (hides) {
        return reha_fail(err, REHA_E_REFUSED,
                         "an overlay is hidden in the compressed pixels: --blank X,Y,W,H writes them "
                         "uncompressed and clears it");
    }
    return clean_frames(dicom, out, err);
}

static void put_native(reha_dcm_writer *out, const reha_dicom *dicom, const deid_pixels *pixels)
{
    /* In big endian files the byte order of OW depends on an even length: what had none was no words. */
    const bool is_bytes = pixels->is_decoded
                              ? pixels->bits_allocated <= 8
                              : dicom->pixels->vr == REHA_VR('O', 'B') ||
                                    (!dicom->pixels->little_endian && dicom->pixels->length % 2 != 0);
    const bool is_swapped = out->is_big_endian && !is_bytes && pixels->size_bytes % 2 != 0;
    /* In swapped words the last sample lies in the byte behind. */
    const size_t count = pixels->size_bytes + (is_swapped ? 1 : 0);
    const uint8_t zero = 0;
    reha_dcm_put_header(out, TAG_PIXEL_DATA, is_bytes ? "OB" : "OW", (uint32_t)(count + count % 2));
    reha_dcm_put_bytes(out, pixels->data, count);
    reha_dcm_put_bytes(out, &zero, count % 2);
}

void reha_deid_put_pixels(reha_dcm_writer *out, const reha_dicom *dicom, const deid_pixels *pixels)
{
    const reha_dcm_dataset *set = &dicom->set;
    const uint8_t zero = 0;
    uint32_t offset = 0;
    size_t at = 0;
    if (pixels->data != NULL) {
        put_native(out, dicom, pixels);
        return;
    }
    reha_dcm_put_header(out, TAG_PIXEL_DATA, "OB", REHA_DCM_UNDEFINED_LENGTH);
    const uint32_t frames = dicom->layout.frames;
    const bool has_table =
        set->offset_table.length == 4 * (size_t)frames; /* written anew: the same, or right */
    reha_dcm_put_mark(out, TAG_ITEM, has_table ? 4 * frames : 0);
    for (uint32_t frame = 0; has_table && frame < frames; frame++) {
        reha_dcm_put_u32(out, offset);
        for (size_t f = dicom->frame_fragments[frame]; f < dicom->frame_fragments[frame + 1]; f++) {
            offset += 8 + (uint32_t)(set->fragments[f].length + set->fragments[f].length % 2);
        }
    }
    for (size_t f = 0; f < set->fragment_count; f++) {
        const size_t length = set->fragments[f].length;
        reha_dcm_put_mark(out, TAG_ITEM, (uint32_t)(length + length % 2));
        reha_dcm_put_bytes(out, pixels->fragments + at, length);
        reha_dcm_put_bytes(out, &zero, length % 2);
        at += length;
    }
    reha_dcm_put_mark(out, TAG_SEQUENCE_END, 0);
}

void reha_deid_pixels_clear(deid_pixels *pixels)
{
    reha_free(pixels->owned);
    reha_free(pixels->fragments);
    *pixels = (deid_pixels){0};
}
