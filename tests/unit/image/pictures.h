/* Picture files made in memory by the libraries themselves, and what every decoder is put through. */
#ifndef REHA_TESTS_PICTURES_H
#define REHA_TESTS_PICTURES_H

#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "image/load.h"

#include <png.h>
#include <string.h>

#include <jpeglib.h>
#include <tiffio.h>

typedef struct buffer {
    uint8_t *data;
    size_t size;
    size_t position;
} buffer;

static inline void buffer_free(buffer *file)
{
    free(file->data);
    *file = (buffer){0};
}

static inline void buffer_write(buffer *file, const void *bytes, size_t count)
{
    const size_t end = file->position + count;
    if (end > file->size) {
        file->data = realloc(file->data, end);
        assert_non_null(file->data);
        memset(file->data + file->size, 0, end - file->size);
        file->size = end;
    }
    memcpy(file->data + file->position, bytes, count);
    file->position = end;
}

/* ---- PNG ---- */

typedef struct png_spec {
    uint32_t width;
    uint32_t height;
    int depth;
    int colour;
    bool interlaced;
    const png_color *palette;
    int palette_count;
    const uint8_t *palette_alpha;
    int alpha_count;
    const png_color_16 *key;
    bool with_phys;
} png_spec;

static inline void png_out(png_structp png, png_bytep bytes, size_t count)
{
    buffer_write(png_get_io_ptr(png), bytes, count);
}

static inline void png_flush_out(png_structp png)
{
    (void)png;
}

/* `rows` as PNG stores them: 16-bit samples big endian, row after row without gaps. */
static inline buffer png_make(const png_spec *spec, const uint8_t *rows)
{
    buffer file = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, &file, png_out, png_flush_out);
    png_set_IHDR(png, info, spec->width, spec->height, spec->depth, spec->colour,
                 spec->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (spec->palette != NULL) {
        png_set_PLTE(png, info, spec->palette, spec->palette_count);
    }
    if (spec->palette_alpha != NULL || spec->key != NULL) {
        png_set_tRNS(png, info, spec->palette_alpha, spec->alpha_count, spec->key);
    }
    if (spec->with_phys) {
        png_set_pHYs(png, info, 11811, 11811, PNG_RESOLUTION_METER);
    }
    png_write_info(png, info);
    const size_t row_bytes = png_get_rowbytes(png, info);
    png_bytep *pointers = calloc(spec->height, sizeof *pointers);
    assert_non_null(pointers);
    for (uint32_t y = 0; y < spec->height; y++) {
        pointers[y] = (png_bytep)(uintptr_t)(rows + y * row_bytes);
    }
    png_write_image(png, pointers);
    png_write_end(png, info);
    free(pointers);
    png_destroy_write_struct(&png, &info);
    return file;
}

/* ---- JPEG ---- */

typedef struct jpeg_spec {
    uint32_t width;
    uint32_t height;
    int components;
    J_COLOR_SPACE input;
    J_COLOR_SPACE stored;
    int quality;
    bool is_progressive;
    bool is_arithmetic;
    int exif_orientation; /* 0: no EXIF */
    bool exif_big_endian;
} jpeg_spec;

static inline void jpeg_add_exif(struct jpeg_compress_struct *jpeg, const jpeg_spec *spec)
{
    uint8_t exif[32] = "Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\0\0\0\0";
    if (spec->exif_big_endian) {
        memcpy(exif, "Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0", 28);
        exif[25] = (uint8_t)spec->exif_orientation;
    } else {
        exif[24] = (uint8_t)spec->exif_orientation;
    }
    jpeg_write_marker(jpeg, JPEG_APP0 + 1, exif, 32);
}

static inline buffer jpeg_make(const jpeg_spec *spec, const uint8_t *rows)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    unsigned char *bytes = NULL;
    unsigned long count = 0;
    jpeg_mem_dest(&jpeg, &bytes, &count);
    jpeg.image_width = spec->width;
    jpeg.image_height = spec->height;
    jpeg.input_components = spec->components;
    jpeg.in_color_space = spec->input;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, spec->stored);
    jpeg_set_quality(&jpeg, spec->quality > 0 ? spec->quality : 100, TRUE);
    for (int i = 0; i < jpeg.num_components; i++) {
        jpeg.comp_info[i].h_samp_factor = 1;
        jpeg.comp_info[i].v_samp_factor = 1;
    }
    if (spec->is_progressive) {
        jpeg_simple_progression(&jpeg);
    }
    jpeg.arith_code = spec->is_arithmetic ? TRUE : FALSE;
    jpeg_start_compress(&jpeg, TRUE);
    if (spec->exif_orientation != 0) {
        jpeg_add_exif(&jpeg, spec);
    }
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row =
            (JSAMPROW)(uintptr_t)(rows + (size_t)jpeg.next_scanline * spec->width * (size_t)spec->components);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    buffer file = {0};
    buffer_write(&file, bytes, count);
    free(bytes);
    return file;
}

/* ---- TIFF ---- */

typedef struct tiff_spec {
    uint32_t width;
    uint32_t height;
    uint16_t bits;
    uint16_t channels;
    uint16_t format;
    uint16_t photometric;
    uint16_t planar;
    uint16_t compression;
    uint16_t orientation; /* 0: absent */
    uint16_t extra;       /* EXTRASAMPLE_*, used if with_extra */
    bool with_extra;
    uint32_t tile; /* 0: strips */
    uint32_t rows_per_strip;
    const uint16_t *map[3];
} tiff_spec;

static inline tmsize_t tiff_in(thandle_t handle, void *bytes, tmsize_t count)
{
    buffer *file = handle;
    size_t part = file->position < file->size ? file->size - file->position : 0;
    part = part < (size_t)count ? part : (size_t)count;
    if (part > 0) {
        memcpy(bytes, file->data + file->position, part);
    }
    file->position += part;
    return (tmsize_t)part;
}

static inline tmsize_t tiff_out(thandle_t handle, void *bytes, tmsize_t count)
{
    buffer_write(handle, bytes, (size_t)count);
    return count;
}

static inline toff_t tiff_seek(thandle_t handle, toff_t offset, int from)
{
    buffer *file = handle;
    file->position = (size_t)offset + (from == SEEK_CUR ? file->position : from == SEEK_END ? file->size : 0);
    return file->position;
}

static inline int tiff_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static inline toff_t tiff_size(thandle_t handle)
{
    return ((buffer *)handle)->size;
}

static inline TIFF *tiff_open(buffer *file, const char *mode)
{
    TIFF *tiff =
        TIFFClientOpen("test", mode, file, tiff_in, tiff_out, tiff_seek, tiff_close, tiff_size, NULL, NULL);
    assert_non_null(tiff);
    return tiff;
}

/* `samples`: in the machine's byte order, pixel by pixel (mixed) or plane by plane (separate). */
static inline void tiff_add_page(TIFF *tiff, const tiff_spec *spec, const uint8_t *samples)
{
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, spec->width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, spec->height);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, spec->bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, spec->channels > 0 ? spec->channels : 1);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, spec->format > 0 ? spec->format : SAMPLEFORMAT_UINT);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, spec->photometric);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, spec->planar > 0 ? spec->planar : PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, spec->compression > 0 ? spec->compression : COMPRESSION_NONE);
    TIFFSetField(tiff, TIFFTAG_XRESOLUTION, 300.0);
    TIFFSetField(tiff, TIFFTAG_YRESOLUTION, 300.0);
    if (spec->orientation > 0) {
        TIFFSetField(tiff, TIFFTAG_ORIENTATION, spec->orientation);
    }
    if (spec->with_extra) {
        TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &spec->extra);
    }
    if (spec->map[0] != NULL) {
        TIFFSetField(tiff, TIFFTAG_COLORMAP, spec->map[0], spec->map[1], spec->map[2]);
    }
    const bool is_apart = spec->planar == PLANARCONFIG_SEPARATE;
    const unsigned planes = is_apart ? spec->channels : 1;
    const unsigned mixed = is_apart || spec->channels == 0 ? 1 : spec->channels;
    const size_t row_bytes = ((size_t)spec->width * mixed * spec->bits + 7) / 8;
    if (spec->tile > 0) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, spec->tile);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, spec->tile);
        const size_t pixel_bytes = (size_t)mixed * spec->bits / 8;
        const size_t tile_row = spec->tile * pixel_bytes;
        uint8_t *tile = calloc(spec->tile, tile_row);
        assert_non_null(tile);
        for (unsigned p = 0; p < planes; p++) {
            for (uint32_t y = 0; y < spec->height; y += spec->tile) {
                for (uint32_t x = 0; x < spec->width; x += spec->tile) {
                    for (uint32_t r = 0; r < spec->tile && y + r < spec->height; r++) {
                        const size_t left = (spec->width - x) * pixel_bytes;
                        memcpy(tile + r * tile_row,
                               samples + (p * (size_t)spec->height + y + r) * row_bytes + x * pixel_bytes,
                               left < tile_row ? left : tile_row);
                    }
                    assert_true(TIFFWriteTile(tiff, tile, x, y, 0, (uint16_t)p) > 0);
                }
            }
        }
        free(tile);
    } else {
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, spec->rows_per_strip > 0 ? spec->rows_per_strip : 3);
        uint8_t *row = malloc(row_bytes);
        assert_non_null(row);
        for (unsigned p = 0; p < planes; p++) {
            for (uint32_t y = 0; y < spec->height; y++) {
                memcpy(row, samples + (p * (size_t)spec->height + y) * row_bytes, row_bytes);
                assert_true(TIFFWriteScanline(tiff, row, y, (uint16_t)p) == 1);
            }
        }
        free(row);
    }
    assert_true(TIFFWriteDirectory(tiff) == 1);
}

static inline buffer tiff_make(const tiff_spec *spec, const char *mode, const uint8_t *samples)
{
    buffer file = {0};
    TIFF *tiff = tiff_open(&file, mode);
    tiff_add_page(tiff, spec, samples);
    TIFFClose(tiff);
    return file;
}

/* ---- what decoders must stand ---- */

/* A copy of exactly this length, so that the sanitizer sees a read of one byte too many. */
static inline reha_status decode_part(const uint8_t *data, size_t count, reha_gray **out,
                                      reha_acquisition *facts, reha_error *err)
{
    uint8_t *exact = malloc(count > 0 ? count : 1);
    assert_non_null(exact);
    memcpy(exact, data, count);
    const reha_status status = reha_image_decode(exact, count, NULL, out, facts, err);
    free(exact);
    return status;
}

/* Cut anywhere, a file is an error of the input, with a text, and nothing is left behind. */
static inline void check_truncations(const buffer *file)
{
    const size_t blocks = reha_mem_live_blocks();
    const size_t step = file->size > 700 ? file->size / 600 : 1;
    for (size_t count = 0; count < file->size; count += step) {
        reha_gray *image = NULL;
        reha_error err = REHA_ERROR_INIT;
        const reha_status status = decode_part(file->data, count, &image, NULL, &err);
        if (status == REHA_OK || !reha_status_is_input_fault(status)) {
            fail_msg("%zu of %zu bytes: %s %s", count, file->size, reha_status_name(status), err.text);
        }
        assert_null(image);
        assert_true(strlen(err.text) > 10);
    }
    assert_int_equal(reha_mem_live_blocks(), blocks);
}

/* One to four bits turned over: an error or a picture, never a crash or a leak. */
static inline void check_bit_flips(const buffer *file, unsigned rounds)
{
    const size_t blocks = reha_mem_live_blocks();
    reha_random random = reha_random_init(20260101, file->size);
    uint8_t *copy = malloc(file->size);
    assert_non_null(copy);
    for (unsigned round = 0; round < rounds; round++) {
        memcpy(copy, file->data, file->size);
        for (unsigned flips = 1 + reha_random_below(&random, 4); flips > 0; flips--) {
            /* Half of them in the header, where they do more. */
            const size_t range = reha_random_below(&random, 2) == 0 && file->size > 64 ? 64 : file->size;
            copy[reha_random_below(&random, (uint32_t)range)] ^=
                (uint8_t)(1u << reha_random_below(&random, 8));
        }
        reha_gray *image = NULL;
        reha_error err = REHA_ERROR_INIT;
        const reha_status status = decode_part(copy, file->size, &image, NULL, &err);
        if (status == REHA_OK) {
            assert_non_null(image);
            for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
                assert_true(image->pixels[i] == image->pixels[i]);
            }
        } else {
            assert_true(reha_status_is_input_fault(status));
            assert_null(image);
            assert_true(strlen(err.text) > 5);
        }
        reha_gray_free(image);
    }
    free(copy);
    assert_int_equal(reha_mem_live_blocks(), blocks);
}

/* The first, second, third ... allocation fails: no memory is an answer, and nothing leaks. */
static inline void check_out_of_memory(const buffer *file)
{
    const size_t blocks = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    for (long round = 0; status != REHA_OK && round < 1000; round++) {
        reha_gray *image = NULL;
        reha_error err = REHA_ERROR_INIT;
        reha_mem_fail_after(round);
        status = reha_image_decode(file->data, file->size, NULL, &image, NULL, &err);
        reha_mem_fail_after(-1);
        if (status != REHA_OK) {
            assert_int_equal(status, REHA_E_NOMEM);
            assert_null(image);
        }
        reha_gray_free(image);
        assert_int_equal(reha_mem_live_blocks(), blocks);
    }
    assert_int_equal(status, REHA_OK);
}

#endif
