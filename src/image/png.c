/* PNG by libpng. */
#include "base/memory.h"
#include "image/codec_priv.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 120, CHUNK_BYTES_MAX = 8 << 20, CHUNKS_MAX = 1000 };

/* Everything that must survive a longjmp out of libpng lives here and not in local variables, whose
 * values C17 7.13.2.1 leaves indeterminate. */
typedef struct job {
    reha_bytes rest;
    const reha_image_limits *limits;
    png_structp png;
    png_infop info;
    reha_gray *image;
    uint8_t *raw; /* one row, or all rows of an interlaced file */
    uint64_t coloured_px;
    reha_acquisition *facts;
    reha_status status;
    reha_error *err;
    bool is_truncated;
    bool is_out_of_memory;
    char text[TEXT_BYTES];
} job;

/* How the samples of a row are laid out after libpng's own transformations. */
typedef struct layout {
    uint32_t width_px;
    uint32_t height_px;
    unsigned channels;
    unsigned bits; /* of a sample in the row: 8 or 16 */
    bool has_key;  /* one colour that means "transparent" */
    uint16_t key[3];
} layout;

static void on_error(png_structp png, png_const_charp text)
{
    job *work = png_get_error_ptr(png);
    snprintf(work->text, sizeof work->text, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text; /* a broken optional chunk does not change the pixels */
}

static void on_read(png_structp png, png_bytep out, size_t count)
{
    job *work = png_get_io_ptr(png);
    reha_bytes part;
    if (!reha_bytes_take(&work->rest, count, &part)) {
        work->is_truncated = true;
        png_error(png, "the file ends too early");
    }
    memcpy(out, part.data, count);
}

static png_voidp on_alloc(png_structp png, png_alloc_size_t count)
{
    job *work = png_get_mem_ptr(png);
    void *block = reha_alloc(count);
    if (block == NULL) {
        work->is_out_of_memory = true;
    }
    return block;
}

static void on_free(png_structp png, png_voidp block)
{
    (void)png;
    reha_free(block);
}

static bool png_detects(reha_bytes in)
{
    return reha_bytes_starts(in, "\x89PNG\r\n\x1a\n", 8);
}

/* Reads the header, checks the size and tells libpng what rows we want. The size comes first: libpng makes
 * room for a row of whatever width, 16 GiB for 2^31 pixels. */
static layout prepare(job *work)
{
    png_structp png = work->png;
    png_read_info(png, work->info);
    layout rows = {
        .width_px = png_get_image_width(png, work->info),
        .height_px = png_get_image_height(png, work->info),
    };
    work->status = reha_image_check_size(rows.width_px, rows.height_px, work->limits, work->err);
    if (work->status != REHA_OK) {
        return rows;
    }
    const unsigned depth = png_get_bit_depth(png, work->info);
    const unsigned colour = png_get_color_type(png, work->info);
    work->facts->bits_stored = depth;

    png_bytep alphas = NULL;
    int alpha_count = 0;
    png_color_16p key = NULL;
    const bool has_trns = png_get_tRNS(png, work->info, &alphas, &alpha_count, &key) != 0;
    if (colour == PNG_COLOR_TYPE_PALETTE) {
        png_set_palette_to_rgb(png);
        work->facts->bits_stored = 8; /* the palette's, not the index's */
        if (has_trns) {
            png_set_tRNS_to_alpha(png);
        }
    } else {
        /* Packing widens 1, 2 and 4 bits to bytes and keeps the values, where "expand" would scale
         * them. The colour key is handled by us for the same reason. */
        png_set_packing(png);
        if (has_trns && key != NULL) {
            rows.has_key = true;
            const bool is_grey = (colour & PNG_COLOR_MASK_COLOR) == 0;
            rows.key[0] = is_grey ? key->gray : key->red;
            rows.key[1] = key->green;
            rows.key[2] = key->blue;
        }
    }
    (void)png_set_interlace_handling(png);
    png_read_update_info(png, work->info);
    rows.channels = png_get_channels(png, work->info);
    rows.bits = png_get_bit_depth(png, work->info);
    return rows;
}

static float sample(const uint8_t *row, size_t i, unsigned bits)
{
    return bits == 16 ? (float)((unsigned)row[2 * i] << 8 | row[2 * i + 1]) : (float)row[i];
}

static void convert_grey(const uint8_t *row, const layout *rows, float *out)
{
    const size_t width = rows->width_px;
    if (rows->bits == 16) {
        for (size_t x = 0; x < width; x++) {
            out[x] = (float)((unsigned)row[2 * x] << 8 | row[2 * x + 1]);
        }
    } else {
        for (size_t x = 0; x < width; x++) {
            out[x] = (float)row[x];
        }
    }
    if (rows->has_key) {
        for (size_t x = 0; x < width; x++) {
            out[x] = out[x] == (float)rows->key[0] ? 0.0f : out[x];
        }
    }
}

/* Colour and alpha. Returns the number of coloured pixels. */
static uint64_t convert_mixed(const uint8_t *row, const layout *rows, float *out)
{
    const float full = rows->bits == 16 ? 65535.0f : 255.0f;
    const bool is_colour = rows->channels >= 3;
    const bool has_alpha = rows->channels == 2 || rows->channels == 4;
    uint64_t coloured = 0;
    for (uint32_t x = 0; x < rows->width_px; x++) {
        const size_t first = (size_t)x * rows->channels;
        float value = sample(row, first, rows->bits);
        if (is_colour) {
            const float red = value;
            const float green = sample(row, first + 1, rows->bits);
            const float blue = sample(row, first + 2, rows->bits);
            value = reha_luma(red, green, blue);
            coloured += reha_is_coloured(red, green, blue, full);
            if (rows->has_key && red == (float)rows->key[0] && green == (float)rows->key[1] &&
                blue == (float)rows->key[2]) {
                value = 0.0f;
            }
        }
        if (has_alpha) {
            const float alpha = sample(row, first + rows->channels - 1, rows->bits);
            value = alpha == full ? value : value * alpha / full;
        }
        out[x] = value;
    }
    return coloured;
}

static void convert_row(job *work, const layout *rows, const uint8_t *row, uint32_t y)
{
    float *out = work->image->pixels + (size_t)y * rows->width_px;
    if (rows->channels == 1) {
        convert_grey(row, rows, out);
    } else {
        work->coloured_px += convert_mixed(row, rows, out);
    }
}

static reha_status check_header(job *work, const layout *rows, size_t row_bytes, bool is_interlaced)
{
    const uint64_t raw_pixel_bytes = is_interlaced ? (uint64_t)rows->channels * rows->bits / 8 : 0;
    REHA_TRY(reha_codec_check(rows->width_px, rows->height_px, sizeof(float) + raw_pixel_bytes, work->limits,
                              work->err));
    /* Deflate cannot shrink by more than 1032 : 1 (RFC 1951: 258 bytes from 2 bits), so a file too
     * short for its own header is refused before its picture is allocated. Packed rows (below 8
     * bits) are counted as stored, hence the factor of 8 to be on the safe side. */
    if ((uint64_t)row_bytes / 8 * rows->height_px / 1032 > work->rest.left) {
        return reha_fail(work->err, REHA_E_FORMAT,
                         "PNG: the header claims %u x %u px but the file is far too short for that: "
                         "copy or export it again",
                         rows->width_px, rows->height_px);
    }
    return REHA_OK;
}

/* libpng may jump out of here at any call; only *work is used after that. */
static void read_all(job *work)
{
    if (setjmp(png_jmpbuf(work->png))) {
        if (work->is_out_of_memory) {
            work->status = reha_fail(work->err, REHA_E_NOMEM, "PNG: no memory");
        } else {
            work->status = reha_fail(work->err, REHA_E_FORMAT, "PNG: %s: copy or export the file again",
                                     work->is_truncated ? "the file ends too early" : work->text);
        }
        return;
    }
    png_set_user_limits(work->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* our own limits speak clearer */
    png_set_chunk_malloc_max(work->png, CHUNK_BYTES_MAX);
    png_set_chunk_cache_max(work->png, CHUNKS_MAX);
    png_set_read_fn(work->png, work, on_read);
    const layout rows = prepare(work);
    if (work->status != REHA_OK) {
        return;
    }
    const size_t row_bytes = png_get_rowbytes(work->png, work->info);
    const bool is_interlaced = png_get_interlace_type(work->png, work->info) != PNG_INTERLACE_NONE;

    work->status = check_header(work, &rows, row_bytes, is_interlaced);
    if (work->status == REHA_OK) {
        work->status = reha_gray_new(rows.width_px, rows.height_px, &work->image, work->err);
    }
    if (work->status != REHA_OK) {
        return;
    }
    work->raw = reha_alloc_zero(is_interlaced ? rows.height_px : 1, row_bytes);
    if (work->raw == NULL) {
        work->status = reha_fail(work->err, REHA_E_NOMEM, "PNG: no memory for the rows");
        return;
    }
    const int passes = is_interlaced ? 7 : 1;
    for (int pass = 0; pass < passes; pass++) {
        for (uint32_t y = 0; y < rows.height_px; y++) {
            uint8_t *row = work->raw + (is_interlaced ? (size_t)y * row_bytes : 0);
            png_read_row(work->png, row, NULL);
            if (pass == passes - 1) {
                convert_row(work, &rows, row, y);
            }
        }
    }
    png_read_end(work->png, NULL); /* finds a missing end and damaged check sums */
    work->facts->chroma_fraction =
        (double)work->coloured_px / ((double)rows.width_px * (double)rows.height_px);
    work->facts->frame_count = 1;
}

static reha_status png_decode(reha_bytes in, uint32_t frame_idx, const reha_image_limits *limits,
                              reha_gray **out, reha_acquisition *facts, reha_error *err)
{
    if (frame_idx != 0) {
        return reha_fail(err, REHA_E_NOT_FOUND, "a PNG file has one picture, no. %u was asked for",
                         frame_idx + 1);
    }
    job work = {.rest = in, .limits = limits, .facts = facts, .err = err, .status = REHA_OK};
    work.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &work, on_error, on_warning, &work, on_alloc,
                                        on_free);
    work.info = work.png != NULL ? png_create_info_struct(work.png) : NULL;
    if (work.info == NULL) {
        png_destroy_read_struct(&work.png, NULL, NULL);
        return reha_fail(err, REHA_E_NOMEM, "PNG: no memory");
    }
    read_all(&work);
    png_destroy_read_struct(&work.png, &work.info, NULL);
    reha_free(work.raw);
    if (work.status != REHA_OK) {
        reha_gray_free(work.image);
        return work.status;
    }
    *out = work.image;
    return REHA_OK;
}

const reha_codec reha_codec_png = {.name = "png", .detects = png_detects, .decode = png_decode};
