/* Replays the corpus of the image fuzzer, and what libFuzzer would do first with it: cut, flip, splice.
 * With REHA_WRITE_CORPUS=1 it writes the seed files anew. */
#include "unit/image/pictures.h"

#include "base/file.h"
#include "base/text.h"

#include "../../../fuzz/fuzz_image.c"

#define CORPUS REHA_SOURCE_DIR "/fuzz/corpus/image"

static void save(const char *name, buffer file)
{
    char *path = reha_path_join(CORPUS, name);
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_file_save(path, file.data, file.size, &err), &err);
    reha_free(path);
    buffer_free(&file);
}

static uint8_t *noise(size_t count)
{
    uint8_t *bytes = malloc(count);
    assert_non_null(bytes);
    reha_random random = reha_random_init(11, count);
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(i / 3 + reha_random_below(&random, 20));
    }
    return bytes;
}

static void write_png_seeds(const uint8_t *bytes)
{
    const png_color palette[4] = {{0, 0, 0}, {90, 90, 90}, {200, 10, 10}, {255, 255, 255}};
    const uint8_t alpha[2] = {0, 128};
    const png_color_16 key = {.gray = 3};
    const png_spec specs[] = {
        {.width = 9, .height = 7, .depth = 8, .colour = PNG_COLOR_TYPE_GRAY, .with_phys = true},
        {.width = 9, .height = 7, .depth = 16, .colour = PNG_COLOR_TYPE_GRAY, .interlaced = true},
        {.width = 8, .height = 5, .depth = 8, .colour = PNG_COLOR_TYPE_RGB_ALPHA},
        {.width = 11, .height = 4, .depth = 2, .colour = PNG_COLOR_TYPE_GRAY, .key = &key},
        {.width = 11,
         .height = 4,
         .depth = 2,
         .colour = PNG_COLOR_TYPE_PALETTE,
         .palette = palette,
         .palette_count = 4,
         .palette_alpha = alpha,
         .alpha_count = 2,
         .interlaced = true},
    };
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "png-%zu.png", i);
        save(name, png_make(&specs[i], bytes));
    }
}

static void write_jpeg_seeds(const uint8_t *bytes)
{
    const jpeg_spec specs[] = {
        {.width = 17,
         .height = 9,
         .components = 1,
         .input = JCS_GRAYSCALE,
         .stored = JCS_GRAYSCALE,
         .quality = 60,
         .exif_orientation = 6},
        {.width = 17, .height = 9, .components = 3, .input = JCS_RGB, .stored = JCS_YCbCr, .quality = 60},
        {.width = 17,
         .height = 9,
         .components = 3,
         .input = JCS_RGB,
         .stored = JCS_YCbCr,
         .quality = 60,
         .is_progressive = true},
        {.width = 9, .height = 9, .components = 4, .input = JCS_CMYK, .stored = JCS_YCCK, .quality = 60},
        {.width = 17,
         .height = 9,
         .components = 1,
         .input = JCS_GRAYSCALE,
         .stored = JCS_GRAYSCALE,
         .quality = 60,
         .is_arithmetic = true},
    };
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "jpeg-%zu.jpg", i);
        save(name, jpeg_make(&specs[i], bytes));
    }
}

static void write_tiff_seeds(const uint8_t *bytes)
{
    const tiff_spec specs[] = {
        {.width = 9, .height = 7, .bits = 8, .photometric = PHOTOMETRIC_MINISBLACK, .orientation = 8},
        {.width = 9,
         .height = 7,
         .bits = 16,
         .photometric = PHOTOMETRIC_MINISWHITE,
         .compression = COMPRESSION_LZW},
        {.width = 9,
         .height = 7,
         .bits = 16,
         .photometric = PHOTOMETRIC_MINISBLACK,
         .compression = COMPRESSION_ADOBE_DEFLATE,
         .tile = 16},
        {.width = 6,
         .height = 3,
         .bits = 8,
         .channels = 3,
         .photometric = PHOTOMETRIC_RGB,
         .planar = PLANARCONFIG_SEPARATE,
         .compression = COMPRESSION_PACKBITS},
        {.width = 16,
         .height = 16,
         .bits = 8,
         .photometric = PHOTOMETRIC_MINISBLACK,
         .compression = COMPRESSION_JPEG,
         .rows_per_strip = 16},
    };
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "tiff-%zu.tif", i);
        save(name, tiff_make(&specs[i], i % 2 == 0 ? "wl" : "w8b", bytes));
    }
    buffer pages = {0};
    TIFF *tiff = tiff_open(&pages, "wb");
    for (size_t page = 0; page < 2; page++) {
        tiff_add_page(tiff, &specs[0], bytes + page);
    }
    TIFFClose(tiff);
    save("tiff-pages.tif", pages);
}

static void test_write_corpus(void **state)
{
    (void)state;
    if (getenv("REHA_WRITE_CORPUS") == NULL) {
        return;
    }
    uint8_t *bytes = noise(4096);
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_folder_make(CORPUS, &err), &err);
    write_png_seeds(bytes);
    write_jpeg_seeds(bytes);
    write_tiff_seeds(bytes);
    free(bytes);
}

static void run_exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void test_replay(void **state)
{
    (void)state;
    reha_paths files = {0};
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_folder_list(CORPUS, 10000, &files, &err), &err);
    assert_true(files.count >= 16);
    const size_t blocks = reha_mem_live_blocks();
    reha_random random = reha_random_init(1, 2);
    uint8_t *previous = NULL;
    size_t previous_bytes = 0;
    for (size_t i = 0; i < files.count; i++) {
        uint8_t *data = NULL;
        size_t size = 0;
        assert_ok(reha_file_load(files.items[i], 1 << 20, &data, &size, &err), &err);
        run_exact(data, size);
        for (size_t count = 0; count < size; count += 1 + size / 64) {
            run_exact(data, count);
        }
        for (int round = 0; round < 60; round++) {
            const size_t at = reha_random_below(&random, (uint32_t)size);
            const uint8_t kept = data[at];
            data[at] = (uint8_t)reha_random_u32(&random);
            run_exact(data, size);
            data[at] = kept;
        }
        if (previous != NULL && previous_bytes > 0) { /* the head of one file on the tail of another */
            const size_t part = (size < previous_bytes ? size : previous_bytes) / 2;
            memcpy(previous, data, part);
            run_exact(previous, previous_bytes);
        }
        reha_free(previous);
        previous = data;
        previous_bytes = size;
    }
    reha_free(previous);
    assert_int_equal(reha_mem_live_blocks(), blocks);
    reha_paths_clear(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_corpus),
        cmocka_unit_test(test_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
