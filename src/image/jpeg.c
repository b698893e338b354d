/* JPEG (baseline, extended, progressive, arithmetic; 8 bits) by libjpeg-turbo. */
#include "base/memory.h"
#include "image/codec_priv.h"

#include <setjmp.h>
#include <stdio.h> /* jpeglib.h needs it */
#include <stdlib.h>

#include <jerror.h>
#include <jpeglib.h>

enum {
    EXIF_TAG_ORIENTATION = 0x0112,
    EXIF_TYPE_SHORT = 3,
    SCANS_MAX = 200, /* real progressive files have about 10; thousands are an attack on our time */
    MEMORY_BYTES_MAX = 1 << 30
};

/* State that must survive a longjmp (see png.c). `errors` first: libjpeg hands back its address. */
typedef struct job {
    struct jpeg_error_mgr errors;
    jmp_buf jump;
    struct jpeg_decompress_struct jpeg;
    struct jpeg_progress_mgr progress;
    const reha_image_limits *limits;
    reha_gray *image;
    uint8_t *row;
    uint64_t coloured_px;
    size_t file_bytes;
    reha_acquisition *facts;
    reha_status status;
    reha_error *err;
} job;

static void on_error(j_common_ptr common)
{
    job *work = (job *)common->err;
    char text[JMSG_LENGTH_MAX];
    common->err->format_message(common, text);
    switch (common->err->msg_code) {
    case JERR_OUT_OF_MEMORY:
        work->status = reha_fail(work->err, REHA_E_NOMEM, "JPEG: no memory");
        break;
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
        work->status = reha_fail(work->err, REHA_E_UNSUPPORTED,
                                 "JPEG: %s: only 8-bit lossy JPEG is read from plain files, "
                                 "export the image as PNG or DICOM",
                                 text);
        break;
    default:
        work->status = reha_fail(work->err, REHA_E_FORMAT, "JPEG: %s: copy or export the file again", text);
        break;
    }
    longjmp(work->jump, 1);
}

/* libjpeg goes on after damage and fills the rest with grey, which a recogniser would take for
 * anatomy. Warnings that mean lost pixels therefore end the decoding; the harmless ones pass. */
static void on_message(j_common_ptr common, int level)
{
    if (level >= 0) {
        return; /* a trace */
    }
    switch (common->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_TOO_MUCH_DATA:
        return;
    default:
        on_error(common);
    }
}

static void on_output(j_common_ptr common)
{
    (void)common;
}

static void on_progress(j_common_ptr common)
{
    job *work = (job *)common->err;
    if (work->jpeg.input_scan_number > SCANS_MAX) {
        work->status = reha_fail(work->err, REHA_E_LIMIT, "JPEG: more than %d scans", (int)SCANS_MAX);
        longjmp(work->jump, 1);
    }
}

static bool jpeg_detects(reha_bytes in)
{
    return reha_bytes_starts(in, "\xff\xd8\xff", 3);
}

static bool exif_u16(reha_bytes *in, bool is_big, uint16_t *out)
{
    return is_big ? reha_bytes_u16be(in, out) : reha_bytes_u16le(in, out);
}

static bool exif_u32(reha_bytes *in, bool is_big, uint32_t *out)
{
    return is_big ? reha_bytes_u32be(in, out) : reha_bytes_u32le(in, out);
}

/* Orientation from an EXIF block (a small TIFF file inside the APP1 marker), 1 if there is none.
 * A damaged block means "unknown", not a refusal: the picture itself is intact. */
static unsigned exif_orientation(reha_bytes block)
{
    if (!reha_bytes_starts(block, "Exif\0\0", 6) || !reha_bytes_skip(&block, 6)) {
        return 1;
    }
    reha_bytes rest = block;
    const bool is_big = reha_bytes_starts(rest, "MM", 2);
    uint16_t mark = 0;
    uint32_t offset = 0;
    uint16_t entries = 0;
    if ((!is_big && !reha_bytes_starts(rest, "II", 2)) || !reha_bytes_skip(&rest, 2) ||
        !exif_u16(&rest, is_big, &mark) || mark != 42 || !exif_u32(&rest, is_big, &offset)) {
        return 1;
    }
    rest = block;
    if (!reha_bytes_skip(&rest, offset) || !exif_u16(&rest, is_big, &entries)) {
        return 1;
    }
    for (uint16_t i = 0; i < entries; i++) {
        uint16_t tag = 0;
        uint16_t type = 0;
        uint32_t values = 0;
        uint16_t value = 0;
        if (!exif_u16(&rest, is_big, &tag) || !exif_u16(&rest, is_big, &type) ||
            !exif_u32(&rest, is_big, &values) || !exif_u16(&rest, is_big, &value) ||
            !reha_bytes_skip(&rest, 2)) {
            return 1;
        }
        if (tag == EXIF_TAG_ORIENTATION && type == EXIF_TYPE_SHORT && values == 1) {
            return value >= 1 && value <= 8 ? value : 1;
        }
    }
    return 1;
}

static unsigned find_orientation(const struct jpeg_decompress_struct *jpeg)
{
    for (jpeg_saved_marker_ptr marker = jpeg->marker_list; marker != NULL; marker = marker->next) {
        if (marker->marker == JPEG_APP0 + 1 && marker->data_length >= 6) {
            return exif_orientation((reha_bytes){.data = marker->data, .left = marker->data_length});
        }
    }
    return 1;
}

/* Asks for the stored planes where we can: the Y of a YCC file is the luma we want, so a grey film
 * saved as colour comes back without a rounding through RGB. */
static void choose_output(struct jpeg_decompress_struct *jpeg)
{
    switch (jpeg->jpeg_color_space) {
    case JCS_GRAYSCALE:
        jpeg->out_color_space = JCS_GRAYSCALE;
        break;
    case JCS_YCbCr:
        jpeg->out_color_space = JCS_YCbCr;
        break;
    case JCS_CMYK:
    case JCS_YCCK:
        jpeg->out_color_space = JCS_CMYK;
        break;
    default:
        jpeg->out_color_space = JCS_RGB;
        break;
    }
    jpeg->dct_method = JDCT_ISLOW;
    jpeg->do_fancy_upsampling = FALSE; /* only matters for chroma, of which we take a share */
}

static uint64_t convert_ycc(const uint8_t *row, uint32_t width_px, float *out)
{
    uint64_t coloured = 0;
    for (size_t x = 0; x < width_px; x++) {
        const float cb = (float)row[3 * x + 1] - 128.0f;
        const float cr = (float)row[3 * x + 2] - 128.0f;
        out[x] = (float)row[3 * x];
        coloured += reha_is_coloured(1.402f * cr, -0.344f * cb - 0.714f * cr, 1.772f * cb, 255.0f);
    }
    return coloured;
}

static uint64_t convert_rgb(const uint8_t *row, uint32_t width_px, float *out)
{
    uint64_t coloured = 0;
    for (size_t x = 0; x < width_px; x++) {
        const float red = (float)row[3 * x];
        const float green = (float)row[3 * x + 1];
        const float blue = (float)row[3 * x + 2];
        out[x] = reha_luma(red, green, blue);
        coloured += reha_is_coloured(red, green, blue, 255.0f);
    }
    return coloured;
}

/* Ink to light without a colour profile: each channel is what paper minus ink and black lets through.
 * Adobe programs store the inks turned over (255 = none) and leave their marker. */
static uint64_t convert_cmyk(const uint8_t *row, uint32_t width_px, bool is_inverted, float *out)
{
    uint64_t coloured = 0;
    for (size_t x = 0; x < width_px; x++) {
        float light[4];
        for (int c = 0; c < 4; c++) {
            const float ink = (float)row[4 * x + (unsigned)c];
            light[c] = is_inverted ? ink : 255.0f - ink;
        }
        for (int c = 0; c < 3; c++) {
            light[c] = light[c] * light[3] / 255.0f;
        }
        out[x] = reha_luma(light[0], light[1], light[2]);
        coloured += reha_is_coloured(light[0], light[1], light[2], 255.0f);
    }
    return coloured;
}

static uint64_t convert_row(const struct jpeg_decompress_struct *jpeg, const uint8_t *row, float *out)
{
    const uint32_t width_px = jpeg->output_width;
    switch (jpeg->out_color_space) {
    case JCS_YCbCr:
        return convert_ycc(row, width_px, out);
    case JCS_CMYK:
        return convert_cmyk(row, width_px, jpeg->saw_Adobe_marker, out);
    case JCS_RGB:
        return convert_rgb(row, width_px, out);
    default:
        for (uint32_t x = 0; x < width_px; x++) {
            out[x] = (float)row[x];
        }
        return 0;
    }
}

static reha_status check_header(job *work)
{
    const struct jpeg_decompress_struct *jpeg = &work->jpeg;
    /* A progressive file keeps all coefficients (2 bytes each) until the last scan. */
    const uint64_t coefficients = jpeg->progressive_mode ? 2 * (uint64_t)jpeg->num_components : 0;
    REHA_TRY(reha_codec_check(jpeg->image_width, jpeg->image_height, sizeof(float) + coefficients,
                              work->limits, work->err));
    /* A Huffman coded block of 64 pixels takes at least one bit, so a file too short for its own
     * header is refused before its picture is allocated. (Times 16: generous for
     * sub-sampled planes.) */
    const uint64_t pixels = (uint64_t)jpeg->image_width * jpeg->image_height;
    if (!jpeg->arith_code && pixels / 8192 > work->file_bytes) {
        return reha_fail(work->err, REHA_E_FORMAT,
                         "JPEG: the header claims %u x %u px but the file is far too short for that: "
                         "copy or export it again",
                         jpeg->image_width, jpeg->image_height);
    }
    return REHA_OK;
}

/* libjpeg may jump out of here at any call; only *work is used after that. */
static void read_all(job *work, reha_bytes in)
{
    struct jpeg_decompress_struct *jpeg = &work->jpeg;
    if (setjmp(work->jump)) {
        return; /* status and text are set */
    }
    jpeg_create_decompress(jpeg);
    jpeg->mem->max_memory_to_use = MEMORY_BYTES_MAX;
    jpeg->progress = &work->progress;
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_mem_src(jpeg, in.data, (unsigned long)in.left);
    (void)jpeg_read_header(jpeg, TRUE);
    work->status = check_header(work);
    if (work->status != REHA_OK) {
        return;
    }
    choose_output(jpeg);
    (void)jpeg_start_decompress(jpeg);
    work->status = reha_gray_new(jpeg->output_width, jpeg->output_height, &work->image, work->err);
    if (work->status != REHA_OK) {
        return;
    }
    work->row = reha_alloc_zero(jpeg->output_width, (size_t)jpeg->output_components);
    if (work->row == NULL) {
        work->status = reha_fail(work->err, REHA_E_NOMEM, "JPEG: no memory for a row");
        return;
    }
    while (jpeg->output_scanline < jpeg->output_height) {
        float *out = work->image->pixels + (size_t)jpeg->output_scanline * jpeg->output_width;
        JSAMPROW rows[1] = {work->row};
        if (jpeg_read_scanlines(jpeg, rows, 1) != 1) {
            work->status = reha_fail(work->err, REHA_E_FORMAT, "JPEG: the rows end too early");
            return;
        }
        work->coloured_px += convert_row(jpeg, work->row, out);
    }
    const unsigned orientation = find_orientation(jpeg);
    (void)jpeg_finish_decompress(jpeg); /* finds a missing end */
    work->facts->chroma_fraction =
        (double)work->coloured_px / ((double)jpeg->output_width * (double)jpeg->output_height);
    work->facts->bits_stored = 8;
    work->facts->is_lossy = true;
    work->facts->frame_count = 1;
    work->status = reha_codec_orient(&work->image, orientation, work->err);
}

static reha_status jpeg_decode(reha_bytes in, uint32_t frame_idx, const reha_image_limits *limits,
                               reha_gray **out, reha_acquisition *facts, reha_error *err)
{
    if (frame_idx != 0) {
        return reha_fail(err, REHA_E_NOT_FOUND, "a JPEG file has one picture, no. %u was asked for",
                         frame_idx + 1);
    }
    job work = {.limits = limits, .facts = facts, .err = err, .file_bytes = in.left, .status = REHA_OK};
    work.jpeg.err = jpeg_std_error(&work.errors);
    work.errors.error_exit = on_error; /* the default one ends the process */
    work.errors.emit_message = on_message;
    work.errors.output_message = on_output;
    work.progress.progress_monitor = on_progress;
    read_all(&work, in);
    jpeg_destroy_decompress(&work.jpeg); /* safe on a zeroed struct too */
    reha_free(work.row);
    if (work.status != REHA_OK) {
        reha_gray_free(work.image);
        return work.status;
    }
    *out = work.image;
    return REHA_OK;
}

const reha_codec reha_codec_jpeg = {.name = "jpeg", .detects = jpeg_detects, .decode = jpeg_decode};
