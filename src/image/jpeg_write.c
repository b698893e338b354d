/* Grey JPEG files by libjpeg-turbo. */
#include "image/save.h"

#include "base/memory.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h> /* jpeglib.h needs it */
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

/* State that must survive a longjmp (see png.c). `errors` first: libjpeg hands back its address. */
typedef struct job {
    struct jpeg_error_mgr errors;
    jmp_buf jump;
    struct jpeg_compress_struct jpeg;
    unsigned char *bytes; /* libjpeg's own, from malloc */
    unsigned long length;
    uint8_t *row;
    bool is_done;
} job;

static void on_error(j_common_ptr common)
{
    job *work = (job *)common->err; /* sizes and quality were checked: only memory can fail here */
    longjmp(work->jump, 1);
}

static void write_all(job *work, const reha_gray *image, int quality)
{
    struct jpeg_compress_struct *jpeg = &work->jpeg;
    if (setjmp(work->jump)) {
        return;
    }
    jpeg_create_compress(jpeg);
    jpeg_mem_dest(jpeg, &work->bytes, &work->length);
    jpeg->image_width = image->width_px;
    jpeg->image_height = image->height_px;
    jpeg->input_components = 1;
    jpeg->in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, quality, TRUE);
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < image->height_px) {
        JSAMPROW rows[1] = {work->row};
        for (uint32_t x = 0; x < image->width_px; x++) {
            const float value = reha_gray_at(image, x, jpeg->next_scanline);
            work->row[x] = (uint8_t)(fminf(255.0F, fmaxf(0.0F, value)) + 0.5F);
        }
        (void)jpeg_write_scanlines(jpeg, rows, 1);
    }
    jpeg_finish_compress(jpeg);
    work->is_done = true;
}

reha_status reha_image_encode_jpeg(const reha_gray *image, int quality, uint8_t **out, size_t *out_bytes,
                                   reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    *out_bytes = 0;
    if (quality < 1 || quality > 100 || image->width_px > JPEG_MAX_DIMENSION ||
        image->height_px > JPEG_MAX_DIMENSION) {
        return reha_fail(
            err, REHA_E_ARG,
            "no JPEG of %u x %u px and quality %d can be written: at most %ld px a side, 1 to 100",
            image->width_px, image->height_px, quality, (long)JPEG_MAX_DIMENSION);
    }
    job work = {.row = reha_alloc(image->width_px)};
    work.jpeg.err = jpeg_std_error(&work.errors);
    work.errors.error_exit = on_error; /* the default one ends the process */
    if (work.row != NULL) {
        write_all(&work, image, quality);
    }
    jpeg_destroy_compress(&work.jpeg); /* safe on a zeroed struct too */
    *out = work.is_done ? reha_alloc(work.length) : NULL;
    if (*out == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a JPEG of %u x %u px", image->width_px,
                           image->height_px);
    } else {
        memcpy(*out, work.bytes, work.length);
        *out_bytes = work.length;
    }
    free(work.bytes); /* allowed: libjpeg took it from the C library */
    reha_free(work.row);
    return status;
}
