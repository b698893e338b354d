#include "image/save.h"

#include "base/file.h"
#include "base/memory.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

/* See png.c: what must survive a longjmp is not kept in local variables. */
typedef struct job {
    png_structp png;
    png_infop info;
    uint8_t *row;
    uint8_t *bytes;
    size_t length;
    size_t capacity;
    bool is_done;
} job;

static void on_error(png_structp png, png_const_charp text)
{
    (void)text; /* only memory can fail here */
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static png_voidp on_alloc(png_structp png, png_alloc_size_t count)
{
    (void)png;
    return reha_alloc(count);
}

static void on_free(png_structp png, png_voidp block)
{
    (void)png;
    reha_free(block);
}

static void on_write(png_structp png, png_bytep bytes, size_t count)
{
    job *work = png_get_io_ptr(png);
    if (count > work->capacity - work->length) {
        size_t capacity = work->capacity + work->capacity / 2 + count + 4096;
        uint8_t *grown = reha_realloc(work->bytes, capacity);
        if (grown == NULL) {
            png_error(png, "no memory");
        }
        work->bytes = grown;
        work->capacity = capacity;
    }
    memcpy(work->bytes + work->length, bytes, count);
    work->length += count;
}

static void on_flush(png_structp png)
{
    (void)png;
}

static void fill_row(const reha_gray *image, uint32_t y, unsigned bits, uint8_t *row)
{
    const float full = bits == 16 ? 65535.0f : 255.0f;
    const float *from = image->pixels + (size_t)y * image->width_px;
    for (size_t x = 0; x < image->width_px; x++) {
        const float cut = from[x] > 0.0f ? (from[x] < full ? from[x] : full) : 0.0f; /* NaN gives 0 */
        const unsigned value = (unsigned)(cut + 0.5f);
        if (bits == 16) {
            row[2 * x] = (uint8_t)(value >> 8);
            row[2 * x + 1] = (uint8_t)value;
        } else {
            row[x] = (uint8_t)value;
        }
    }
}

static void write_all(job *work, const reha_gray *image, unsigned bits)
{
    if (setjmp(png_jmpbuf(work->png))) {
        return;
    }
    png_set_write_fn(work->png, work, on_write, on_flush);
    png_set_IHDR(work->png, work->info, image->width_px, image->height_px, (int)bits, PNG_COLOR_TYPE_GRAY,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(work->png, 6);
    png_write_info(work->png, work->info);
    for (uint32_t y = 0; y < image->height_px; y++) {
        fill_row(image, y, bits, work->row);
        png_write_row(work->png, work->row);
    }
    png_write_end(work->png, NULL);
    work->is_done = true;
}

reha_status reha_image_encode_png(const reha_gray *image, unsigned bits, uint8_t **out, size_t *out_bytes,
                                  reha_error *err)
{
    *out = NULL;
    *out_bytes = 0;
    if (bits != 8 && bits != 16) {
        return reha_fail(err, REHA_E_ARG, "a PNG of %u bits is not written (8 and 16 are)", bits);
    }
    job work = {0};
    work.png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &work, on_error, on_warning, &work, on_alloc,
                                         on_free);
    work.info = work.png != NULL ? png_create_info_struct(work.png) : NULL;
    work.row = reha_alloc((size_t)image->width_px * (bits / 8));
    if (work.info != NULL && work.row != NULL) {
        write_all(&work, image, bits);
    }
    png_destroy_write_struct(&work.png, &work.info);
    reha_free(work.row);
    if (!work.is_done) {
        reha_free(work.bytes);
        return reha_fail(err, REHA_E_NOMEM, "no memory to encode a PNG");
    }
    *out = work.bytes;
    *out_bytes = work.length;
    return REHA_OK;
}

reha_status reha_image_save_png(const reha_gray *image, unsigned bits, const char *path, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    REHA_TRY(reha_image_encode_png(image, bits, &bytes, &count, err));
    const reha_status status = reha_file_save(path, bytes, count, err);
    reha_free(bytes);
    return status;
}
