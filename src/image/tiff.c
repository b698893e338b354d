/* TIFF and BigTIFF by libtiff: 1 to 32 bit integers, 32 and 64 bit floats, strips and tiles, all
 * compressions that the installed libtiff knows. */
#include "base/memory.h"
#include "image/codec_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <tiffio.h>

enum {
    TEXT_BYTES = 160,
    CHANNELS_MAX = 64,
    BLOCK_PIXELS_SPARE = 1 << 22 /* a tile may be this much larger than the picture it covers */
};

typedef struct job {
    reha_bytes in;
    uint64_t position; /* of the next read */
    const reha_image_limits *limits;
    reha_acquisition *facts;
    reha_error *err;
    TIFF *tiff;
    bool is_damaged; /* libtiff only warned, but pixels are lost */
    char text[TEXT_BYTES];
} job;

/* What the tags say about the samples. */
typedef struct layout {
    uint32_t width_px;
    uint32_t height_px;
    uint16_t bits;
    uint16_t channels;
    uint16_t format;      /* SAMPLEFORMAT_* */
    uint16_t photometric; /* PHOTOMETRIC_* */
    uint16_t planar;
    uint16_t orientation;
    uint16_t alpha; /* EXTRASAMPLE_*; 0 = none */
    bool is_tiled;
    uint32_t block_width_px;
    uint32_t block_height_px;
    const uint16_t *map[3]; /* palette; borrowed from libtiff */
    unsigned map_shift;
} layout;

REHA_PRINTF(4, 0)
static int on_error(TIFF *tiff, void *context, const char *module, const char *format, va_list values)
{
    (void)tiff;
    (void)module;
    job *work = context;
    if (work->text[0] == '\0') { /* the first message names the cause, the others follow from it */
        vsnprintf(work->text, sizeof work->text, format, values);
    }
    return 1;
}

REHA_PRINTF(4, 0)
static int on_warning(TIFF *tiff, void *context, const char *module, const char *format, va_list values)
{
    (void)tiff;
    job *work = context;
    /* Unknown tags and the like do not matter; lost JPEG data does. */
    if (module != NULL && strcmp(module, "JPEGLib") == 0) {
        char text[TEXT_BYTES];
        vsnprintf(text, sizeof text, format, values);
        if (strstr(text, "Premature end") != NULL || strstr(text, "Corrupt") != NULL) {
            work->is_damaged = true;
            memcpy(work->text, text, sizeof text);
        }
    }
    return 1;
}

static tmsize_t on_read(thandle_t handle, void *out, tmsize_t count)
{
    job *work = handle;
    if (count <= 0 || work->position >= work->in.left) {
        return 0;
    }
    const size_t left = work->in.left - (size_t)work->position;
    const size_t part = (size_t)count < left ? (size_t)count : left;
    memcpy(out, work->in.data + work->position, part);
    work->position += part;
    return (tmsize_t)part;
}

static tmsize_t on_write(thandle_t handle, void *data, tmsize_t count)
{
    (void)handle;
    (void)data;
    (void)count;
    return -1;
}

static toff_t on_seek(thandle_t handle, toff_t offset, int from)
{
    job *work = handle;
    switch (from) {
    case SEEK_SET:
        work->position = offset;
        break;
    case SEEK_CUR:
        work->position += offset;
        break;
    case SEEK_END:
        work->position = work->in.left + offset;
        break;
    default:
        return (toff_t)-1;
    }
    return work->position;
}

static int on_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t on_size(thandle_t handle)
{
    const job *work = handle;
    return work->in.left;
}

static bool tiff_detects(reha_bytes in)
{
    return reha_bytes_starts(in, "II*\0", 4) || reha_bytes_starts(in, "MM\0*", 4) ||
           reha_bytes_starts(in, "II+\0", 4) || reha_bytes_starts(in, "MM\0+", 4);
}

static reha_status fail_format(job *work, const char *fallback)
{
    return reha_fail(work->err, REHA_E_FORMAT, "TIFF: %s: copy or export the file again",
                     work->text[0] != '\0' ? work->text : fallback);
}

/* A number of 2, 4 or 8 bytes at *offset, which moves behind it. */
static bool number_at(reha_bytes in, bool is_big_endian, unsigned bytes, uint64_t *offset, uint64_t *out)
{
    *out = 0;
    if (*offset > in.left || in.left - *offset < bytes) {
        return false;
    }
    for (unsigned i = 0; i < bytes; i++) {
        const unsigned at = is_big_endian ? i : bytes - 1 - i;
        *out = *out << 8 | in.data[*offset + at];
    }
    *offset += bytes;
    return true;
}

/* Walks the chain of page directories by hand: libtiff takes a link that is cut off for the end of the
 * chain, and reads every page just to count them. */
static reha_status count_pages(job *work, uint32_t *pages)
{
    const reha_bytes in = work->in;
    const bool is_big_endian = in.data[0] == 'M';
    const bool is_big_tiff = in.data[2] == '+' || in.data[3] == '+';
    const unsigned link_bytes = is_big_tiff ? 8 : 4;
    uint64_t at = is_big_tiff ? 8 : 4;
    uint64_t offset = 0;
    *pages = 0;
    bool is_good = number_at(in, is_big_endian, link_bytes, &at, &offset);
    while (is_good && offset != 0) {
        if (*pages >= work->limits->frames_max) {
            return reha_fail(work->err, REHA_E_LIMIT,
                             "TIFF: more than %" PRIu32 " pages (or a loop of pages)",
                             work->limits->frames_max);
        }
        ++*pages;
        uint64_t entries = 0;
        at = offset;
        is_good = number_at(in, is_big_endian, is_big_tiff ? 8 : 2, &at, &entries) && entries <= in.left / 12;
        at += entries * (is_big_tiff ? 20 : 12);
        is_good = is_good && number_at(in, is_big_endian, link_bytes, &at, &offset);
    }
    if (!is_good || *pages == 0) {
        return fail_format(work, "the file ends inside a page's directory");
    }
    return REHA_OK;
}

static reha_status open_page(job *work, uint32_t frame_idx)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (options == NULL) {
        return reha_fail(work->err, REHA_E_NOMEM, "TIFF: no memory");
    }
    const uint64_t most = work->limits->decoded_bytes_max;
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, most < INT64_MAX ? (tmsize_t)most : (tmsize_t)INT64_MAX);
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, work);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, work);
    /* "m": no memory mapping, all bytes come through on_read, which knows the bounds. */
    work->tiff = TIFFClientOpenExt("image", "rm", work, on_read, on_write, on_seek, on_close, on_size, NULL,
                                   NULL, options);
    TIFFOpenOptionsFree(options);
    if (work->tiff == NULL) {
        return fail_format(work, "the header is damaged");
    }
    uint32_t pages = 0;
    REHA_TRY(count_pages(work, &pages));
    if (frame_idx >= pages) {
        return reha_fail(work->err, REHA_E_NOT_FOUND,
                         "the TIFF file has %" PRIu32 " page(s), no. %" PRIu32 " was asked for", pages,
                         frame_idx + 1);
    }
    work->facts->frame_count = pages;
    if (TIFFSetDirectory(work->tiff, (tdir_t)frame_idx) == 0) {
        return fail_format(work, "the page's directory is damaged");
    }
    return REHA_OK;
}

static bool is_readable_depth(uint16_t bits, uint16_t format)
{
    switch (format) {
    case SAMPLEFORMAT_UINT:
    case SAMPLEFORMAT_VOID:
        return bits == 1 || bits == 2 || bits == 4 || bits == 8 || bits == 16 || bits == 32;
    case SAMPLEFORMAT_INT:
        return bits == 8 || bits == 16 || bits == 32;
    case SAMPLEFORMAT_IEEEFP:
        return bits == 32 || bits == 64;
    default:
        return false;
    }
}

static reha_status read_palette(job *work, layout *rows)
{
    uint16_t *map[3] = {NULL, NULL, NULL};
    if (rows->channels != 1 || rows->bits > 16 || rows->format != SAMPLEFORMAT_UINT ||
        TIFFGetField(work->tiff, TIFFTAG_COLORMAP, &map[0], &map[1], &map[2]) == 0) {
        return fail_format(work, "a palette picture without a usable palette");
    }
    /* Palettes have 16-bit entries; some writers fill them with 0..255. Values are given as 0..255
     * either way. */
    rows->map_shift = 0;
    for (int c = 0; c < 3; c++) {
        rows->map[c] = map[c];
        for (size_t i = 0; i < (size_t)1 << rows->bits; i++) {
            if (map[c][i] > 255) {
                rows->map_shift = 8;
            }
        }
    }
    return REHA_OK;
}

static reha_status read_photometric(job *work, layout *rows)
{
    TIFF *tiff = work->tiff;
    if (TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &rows->photometric) == 0) {
        rows->photometric = PHOTOMETRIC_MINISBLACK;
    }
    uint16_t compression = COMPRESSION_NONE;
    (void)TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &compression);
    const bool is_jpeg = compression == COMPRESSION_JPEG;
    work->facts->is_lossy = is_jpeg || compression == COMPRESSION_OJPEG;
    unsigned needed = 1;
    switch (rows->photometric) {
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_MINISWHITE:
        break;
    case PHOTOMETRIC_PALETTE:
        return read_palette(work, rows);
    case PHOTOMETRIC_RGB:
        needed = 3;
        break;
    case PHOTOMETRIC_YCBCR:
        needed = 3;
        if (is_jpeg) {
            /* libtiff's own upsampling: the planes of sub-sampled files differ in size otherwise. */
            (void)TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
            rows->photometric = PHOTOMETRIC_RGB;
            break;
        }
        return reha_fail(work->err, REHA_E_UNSUPPORTED,
                         "TIFF: YCbCr colour without JPEG compression is not read: export as grey");
    default:
        return reha_fail(work->err, REHA_E_UNSUPPORTED,
                         "TIFF: colour kind %u is not read (grey, palette, RGB and YCbCr are): "
                         "export as grey",
                         rows->photometric);
    }
    if (rows->channels < needed) {
        return fail_format(work, "fewer channels than its colour kind needs");
    }
    return REHA_OK;
}

static reha_status read_layout(job *work, layout *rows)
{
    TIFF *tiff = work->tiff;
    *rows = (layout){.bits = 1, .channels = 1};
    if (TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &rows->width_px) == 0 ||
        TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &rows->height_px) == 0) {
        return fail_format(work, "no image size");
    }
    (void)TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &rows->bits);
    (void)TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &rows->channels);
    (void)TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &rows->format);
    (void)TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &rows->planar);
    (void)TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &rows->orientation);
    if (rows->channels == 0 || rows->channels > CHANNELS_MAX) {
        return reha_fail(work->err, REHA_E_UNSUPPORTED, "TIFF: %u channels are not read", rows->channels);
    }
    if (!is_readable_depth(rows->bits, rows->format)) {
        return reha_fail(work->err, REHA_E_UNSUPPORTED,
                         "TIFF: %u-bit samples of format %u are not read: export with 8 or 16 bits",
                         rows->bits, rows->format);
    }
    work->facts->bits_stored = rows->bits;
    const uint64_t sample_bytes = ((uint64_t)rows->bits + 7) / 8;
    REHA_TRY(reha_codec_check(rows->width_px, rows->height_px, sizeof(float) + sample_bytes * rows->channels,
                              work->limits, work->err));
    REHA_TRY(read_photometric(work, rows));

    uint16_t extra_count = 0;
    uint16_t *extras = NULL;
    const unsigned colours = rows->photometric == PHOTOMETRIC_RGB ? 3 : 1;
    if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &extra_count, &extras) != 0 && extra_count > 0 &&
        rows->channels > colours && rows->format == SAMPLEFORMAT_UINT &&
        rows->photometric != PHOTOMETRIC_MINISWHITE) {
        /* Associated alpha is already multiplied in, which is what showing on black means. */
        rows->alpha = extras[0] == EXTRASAMPLE_UNASSALPHA ? EXTRASAMPLE_UNASSALPHA : 0;
    }
    rows->is_tiled = TIFFIsTiled(tiff) != 0;
    if (rows->is_tiled) {
        (void)TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &rows->block_width_px);
        (void)TIFFGetField(tiff, TIFFTAG_TILELENGTH, &rows->block_height_px);
    } else {
        rows->block_width_px = rows->width_px;
        (void)TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &rows->block_height_px);
        if (rows->block_height_px > rows->height_px) {
            rows->block_height_px = rows->height_px; /* "all in one strip" is written as 2^32 - 1 */
        }
    }
    if (rows->block_width_px == 0 || rows->block_height_px == 0) {
        return fail_format(work, "strips or tiles of no size");
    }
    const uint64_t block_pixels = (uint64_t)rows->block_width_px * rows->block_height_px;
    const uint64_t pixels = (uint64_t)rows->width_px * rows->height_px;
    if (block_pixels > 4 * pixels + BLOCK_PIXELS_SPARE) {
        return reha_fail(work->err, REHA_E_LIMIT, "TIFF: tiles of %" PRIu32 " x %" PRIu32 " px are too large",
                         rows->block_width_px, rows->block_height_px);
    }
    return REHA_OK;
}

/* One sample of a decoded row, in the machine's byte order (libtiff has swapped it). */
static double sample_at(const uint8_t *row, size_t i, const layout *rows)
{
    union {
        uint16_t u16;
        int16_t i16;
        uint32_t u32;
        int32_t i32;
        float f32;
        double f64;
    } value;
    const size_t bytes = rows->bits / 8u;
    if (bytes == 0) {
        const size_t bit = i * rows->bits;
        return (double)(row[bit / 8] >> (8 - rows->bits - bit % 8) & ((1 << rows->bits) - 1));
    }
    memcpy(&value, row + i * bytes, bytes);
    switch (rows->format) {
    case SAMPLEFORMAT_INT:
        return bytes == 1 ? (double)(int8_t)row[i] : bytes == 2 ? (double)value.i16 : (double)value.i32;
    case SAMPLEFORMAT_IEEEFP:
        return bytes == 4 ? (double)value.f32 : value.f64;
    default:
        return bytes == 1 ? (double)row[i] : bytes == 2 ? (double)value.u16 : (double)value.u32;
    }
}

/* The common cases, in loops that the compiler turns into vector code. */
static bool convert_fast(const uint8_t *row, const layout *rows, uint32_t count, float *out)
{
    if (rows->channels != 1 || rows->format != SAMPLEFORMAT_UINT || rows->map[0] != NULL) {
        return false;
    }
    if (rows->bits == 8) {
        for (uint32_t x = 0; x < count; x++) {
            out[x] = (float)row[x];
        }
        return true;
    }
    if (rows->bits == 16) {
        for (uint32_t x = 0; x < count; x++) {
            uint16_t value = 0;
            memcpy(&value, row + 2 * (size_t)x, sizeof value);
            out[x] = (float)value;
        }
        return true;
    }
    return false;
}

static double full_scale(const layout *rows)
{
    return rows->format == SAMPLEFORMAT_IEEEFP ? 1.0 : ldexp(1.0, rows->bits) - 1.0;
}

/* Pixels [0, count) of one block row. `planes` holds one pointer per channel where the file keeps the
 * channels apart, else planes[0] is the mixed row. Returns the number of coloured pixels. */
static uint64_t convert_row(const uint8_t *const planes[4], const layout *rows, uint32_t count, float *out)
{
    if (convert_fast(planes[0], rows, count, out)) {
        return 0;
    }
    const bool is_apart = rows->planar == PLANARCONFIG_SEPARATE && rows->channels > 1;
    const unsigned colours = rows->photometric == PHOTOMETRIC_RGB ? 3 : 1;
    const double full = full_scale(rows);
    uint64_t coloured = 0;
    for (uint32_t x = 0; x < count; x++) {
        double values[4] = {0.0, 0.0, 0.0, 0.0};
        const unsigned wanted = colours + (rows->alpha != 0 ? 1 : 0);
        for (unsigned c = 0; c < wanted; c++) {
            values[c] = is_apart ? sample_at(planes[c], x, rows)
                                 : sample_at(planes[0], (size_t)x * rows->channels + c, rows);
        }
        float value = (float)values[0];
        if (rows->map[0] != NULL) {
            const size_t idx = (size_t)values[0];
            const float red = (float)(rows->map[0][idx] >> rows->map_shift);
            const float green = (float)(rows->map[1][idx] >> rows->map_shift);
            const float blue = (float)(rows->map[2][idx] >> rows->map_shift);
            value = reha_luma(red, green, blue);
            coloured += reha_is_coloured(red, green, blue, 255.0f);
        } else if (colours == 3) {
            value = reha_luma((float)values[0], (float)values[1], (float)values[2]);
            coloured += reha_is_coloured((float)values[0], (float)values[1], (float)values[2], (float)full);
        }
        if (rows->alpha != 0 && values[colours] < full) {
            value = (float)((double)value * values[colours] / full);
        }
        out[x] = value;
    }
    return coloured;
}

/* Dark = high: turned over so that larger is brighter. Unsigned integers around their full scale (as
 * the standard means it), others around the range that is present. */
static void turn_over(reha_gray *image, const layout *rows)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    float sum = (float)full_scale(rows);
    if (rows->format != SAMPLEFORMAT_UINT) {
        float low = image->pixels[0];
        float high = image->pixels[0];
        for (size_t i = 1; i < count; i++) {
            low = image->pixels[i] < low ? image->pixels[i] : low;
            high = image->pixels[i] > high ? image->pixels[i] : high;
        }
        sum = low + high;
    }
    for (size_t i = 0; i < count; i++) {
        image->pixels[i] = sum - image->pixels[i];
    }
}

static reha_status check_finite(const reha_gray *image, reha_error *err)
{
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        if (!isfinite(image->pixels[i])) {
            return reha_fail(err, REHA_E_FORMAT,
                             "TIFF: the value at column %zu, row %zu is not a finite number",
                             i % image->width_px, i / image->width_px);
        }
    }
    return REHA_OK;
}

static reha_status read_block(job *work, const layout *rows, uint32_t x, uint32_t y, unsigned plane,
                              uint8_t *out, tmsize_t block_bytes)
{
    TIFF *tiff = work->tiff;
    tmsize_t got = 0;
    tmsize_t wanted = block_bytes;
    if (rows->is_tiled) {
        got = TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, x, y, 0, (uint16_t)plane), out, block_bytes);
    } else {
        const uint32_t left = rows->height_px - y;
        if (left < rows->block_height_px) {
            wanted = TIFFVStripSize(tiff, left);
        }
        got = TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, y, (uint16_t)plane), out, block_bytes);
    }
    if (got < wanted || work->is_damaged) {
        return fail_format(work, "the pixel data end too early");
    }
    return REHA_OK;
}

static reha_status read_blocks(job *work, const layout *rows, uint8_t *buffer, tmsize_t block_bytes,
                               reha_gray *image)
{
    const bool is_apart = rows->planar == PLANARCONFIG_SEPARATE && rows->channels > 1;
    const unsigned colours = rows->photometric == PHOTOMETRIC_RGB ? 3 : 1;
    const unsigned planes = is_apart ? colours + (rows->alpha != 0 ? 1 : 0) : 1;
    const tmsize_t row_bytes = rows->is_tiled ? TIFFTileRowSize(work->tiff) : TIFFScanlineSize(work->tiff);
    uint64_t coloured = 0;
    for (uint32_t y = 0; y < rows->height_px; y += rows->block_height_px) {
        const uint32_t below = rows->height_px - y;
        const uint32_t block_rows = below < rows->block_height_px ? below : rows->block_height_px;
        for (uint32_t x = 0; x < rows->width_px; x += rows->block_width_px) {
            const uint32_t beside = rows->width_px - x;
            const uint32_t block_columns = beside < rows->block_width_px ? beside : rows->block_width_px;
            for (unsigned plane = 0; plane < planes; plane++) {
                REHA_TRY(
                    read_block(work, rows, x, y, plane, buffer + plane * (size_t)block_bytes, block_bytes));
            }
            for (uint32_t r = 0; r < block_rows; r++) {
                const uint8_t *lines[4] = {NULL, NULL, NULL, NULL};
                for (unsigned plane = 0; plane < planes; plane++) {
                    lines[plane] = buffer + plane * (size_t)block_bytes + r * (size_t)row_bytes;
                }
                coloured += convert_row(lines, rows, block_columns,
                                        image->pixels + (size_t)(y + r) * rows->width_px + x);
            }
            if (beside <= rows->block_width_px) {
                break; /* before x can overflow */
            }
        }
        if (below <= rows->block_height_px) {
            break;
        }
    }
    work->facts->chroma_fraction = (double)coloured / ((double)rows->width_px * (double)rows->height_px);
    return REHA_OK;
}

/* The rows must be as long as our own reading of the tags says, or convert_row would leave them: this
 * guards against every combination of tags that libtiff understands differently from us. */
static reha_status check_block_size(job *work, const layout *rows, tmsize_t block_bytes)
{
    const bool is_apart = rows->planar == PLANARCONFIG_SEPARATE && rows->channels > 1;
    const uint64_t row_samples = (uint64_t)rows->block_width_px * (is_apart ? 1u : rows->channels);
    const uint64_t row_bytes = (row_samples * rows->bits + 7) / 8;
    const tmsize_t lib_row = rows->is_tiled ? TIFFTileRowSize(work->tiff) : TIFFScanlineSize(work->tiff);
    if (block_bytes <= 0 || lib_row <= 0 || (uint64_t)lib_row < row_bytes ||
        (uint64_t)block_bytes < (uint64_t)lib_row * rows->block_height_px) {
        return fail_format(work, "the tags contradict each other");
    }
    if ((uint64_t)block_bytes > work->limits->decoded_bytes_max / 4) {
        return reha_fail(work->err, REHA_E_LIMIT, "TIFF: blocks of %" PRId64 " bytes are too large",
                         (int64_t)block_bytes);
    }
    return REHA_OK;
}

static reha_status read_page(job *work, const layout *rows, reha_gray **out)
{
    reha_status status = REHA_OK;
    reha_gray *image = NULL;
    uint8_t *buffer = NULL;
    const tmsize_t block_bytes =
        rows->is_tiled ? TIFFTileSize(work->tiff) : TIFFVStripSize(work->tiff, rows->block_height_px);
    REHA_CHECK(check_block_size(work, rows, block_bytes));
    /* The first block is decoded before the picture is allocated: a short file with a large header
     * ends here. Four planes at most (three colours and alpha). */
    buffer = reha_alloc_zero(rows->planar == PLANARCONFIG_SEPARATE ? 4 : 1, (size_t)block_bytes);
    if (buffer == NULL) {
        status =
            reha_fail(work->err, REHA_E_NOMEM, "TIFF: no memory for %" PRId64 " bytes", (int64_t)block_bytes);
        goto done;
    }
    REHA_CHECK(read_block(work, rows, 0, 0, 0, buffer, block_bytes));
    REHA_CHECK(reha_gray_new(rows->width_px, rows->height_px, &image, work->err));
    REHA_CHECK(read_blocks(work, rows, buffer, block_bytes, image));
    if (rows->format == SAMPLEFORMAT_IEEEFP) {
        REHA_CHECK(check_finite(image, work->err));
    }
    if (rows->photometric == PHOTOMETRIC_MINISWHITE) {
        turn_over(image, rows);
        work->facts->was_monochrome1 = true;
    }
    REHA_CHECK(reha_codec_orient(&image, rows->orientation, work->err));
    *out = image;
    image = NULL;
done:
    reha_free(buffer);
    reha_gray_free(image);
    return status;
}

static reha_status tiff_decode(reha_bytes in, uint32_t frame_idx, const reha_image_limits *limits,
                               reha_gray **out, reha_acquisition *facts, reha_error *err)
{
    job work = {.in = in, .limits = limits, .facts = facts, .err = err};
    reha_status status = REHA_OK;
    layout rows;
    REHA_CHECK(open_page(&work, frame_idx));
    REHA_CHECK(read_layout(&work, &rows));
    REHA_CHECK(read_page(&work, &rows, out));
done:
    if (work.tiff != NULL) {
        TIFFClose(work.tiff);
    }
    return status;
}

const reha_codec reha_codec_tiff = {.name = "tiff", .detects = tiff_detects, .decode = tiff_decode};
