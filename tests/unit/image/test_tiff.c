/* TIFF: depths, signs, floats, strips and tiles, planes, byte orders, pages, and damaged files. */
#include "unit/image/pictures.h"

#include <math.h>

static reha_gray *decode_good(const buffer *file, reha_acquisition *facts)
{
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(decode_part(file->data, file->size, &image, facts, &err), &err);
    return image;
}

static void expect_bad(buffer file, reha_status wanted, const char *part)
{
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    const reha_status status = decode_part(file.data, file.size, &image, NULL, &err);
    if (status != wanted || strstr(err.text, part) == NULL) {
        fail_msg("wanted %s: %s: %s", part, reha_status_name(status), err.text);
    }
    assert_null(image);
    buffer_free(&file);
}

enum { W = 37, H = 23 };

/* Random samples of one kind, their true values beside them. */
static void make_samples(uint16_t bits, uint16_t format, uint8_t *bytes, double *values)
{
    reha_random random = reha_random_init(bits, format);
    for (size_t i = 0; i < W * H; i++) {
        const uint32_t raw = reha_random_u32(&random);
        if (format == SAMPLEFORMAT_IEEEFP) {
            const double value = (double)raw / 1e6 - 1000.0;
            const float single = (float)value;
            values[i] = (double)single;
            if (bits == 32) {
                memcpy(bytes + 4 * i, &single, 4);
            } else {
                memcpy(bytes + 8 * i, &values[i], 8);
            }
        } else if (bits == 8) {
            bytes[i] = (uint8_t)raw;
            values[i] = format == SAMPLEFORMAT_INT ? (double)(int8_t)bytes[i] : (double)bytes[i];
        } else if (bits == 16) {
            const uint16_t value = (uint16_t)raw;
            memcpy(bytes + 2 * i, &value, 2);
            values[i] = format == SAMPLEFORMAT_INT ? (double)(int16_t)value : (double)value;
        } else {
            const uint32_t value = raw & 0xff00ffu; /* exact in float32 */
            const int32_t negative = -(int32_t)value;
            memcpy(bytes + 4 * i, format == SAMPLEFORMAT_INT ? (const void *)&negative : &value, 4);
            values[i] = format == SAMPLEFORMAT_INT ? (double)negative : (double)value;
        }
    }
}

static void test_exact_values(void **state)
{
    (void)state;
    static const struct {
        uint16_t bits, format;
    } kinds[] = {{8, SAMPLEFORMAT_UINT},    {16, SAMPLEFORMAT_UINT},  {32, SAMPLEFORMAT_UINT},
                 {8, SAMPLEFORMAT_INT},     {16, SAMPLEFORMAT_INT},   {32, SAMPLEFORMAT_INT},
                 {32, SAMPLEFORMAT_IEEEFP}, {64, SAMPLEFORMAT_IEEEFP}};
    static const uint16_t compressions[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE,
                                            COMPRESSION_PACKBITS};
    static const char *const modes[] = {"wl", "wb", "w8l", "w8b"}; /* byte orders, classic and BigTIFF */
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        uint8_t bytes[W * H * 8];
        double values[W * H];
        make_samples(kinds[k].bits, kinds[k].format, bytes, values);
        for (size_t m = 0; m < 4; m++) {
            for (int tiled = 0; tiled < 2; tiled++) {
                const tiff_spec spec = {.width = W,
                                        .height = H,
                                        .bits = kinds[k].bits,
                                        .format = kinds[k].format,
                                        .photometric = PHOTOMETRIC_MINISBLACK,
                                        .compression = compressions[m],
                                        .tile = tiled ? 16 : 0,
                                        .rows_per_strip = m == 2 ? 1000 : 5};
                buffer file = tiff_make(&spec, modes[m], bytes);
                reha_acquisition facts;
                reha_gray *image = decode_good(&file, &facts);
                assert_int_equal(image->width_px, W);
                assert_int_equal(image->height_px, H);
                for (size_t i = 0; i < W * H; i++) {
                    assert_true((double)image->pixels[i] == values[i]);
                }
                assert_string_equal(facts.container, "tiff");
                assert_int_equal(facts.bits_stored, kinds[k].bits);
                assert_int_equal(facts.frame_count, 1);
                assert_false(facts.was_monochrome1);
                assert_false(facts.is_lossy);
                assert_false(reha_spacing_is_known(image->spacing)); /* 300 dpi is paper */
                reha_gray_free(image);
                buffer_free(&file);
            }
        }
    }
}

static void test_small_depths(void **state)
{
    (void)state;
    const uint8_t bits[] = {0xa5, 0x80, 0x3c, 0x00}; /* 10 x 2 of 1 bit */
    const tiff_spec one = {.width = 10, .height = 2, .bits = 1, .photometric = PHOTOMETRIC_MINISBLACK};
    buffer file = tiff_make(&one, "w", bits);
    reha_gray *image = decode_good(&file, NULL);
    const float wanted[20] = {1, 0, 1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0};
    assert_memory_equal(image->pixels, wanted, sizeof wanted);
    reha_gray_free(image);
    buffer_free(&file);

    const uint8_t nibbles[] = {0x0f, 0x70};
    const tiff_spec four = {.width = 3, .height = 1, .bits = 4, .photometric = PHOTOMETRIC_MINISWHITE};
    file = tiff_make(&four, "w", nibbles);
    reha_acquisition facts;
    image = decode_good(&file, &facts);
    assert_true(image->pixels[0] == 15.0f && image->pixels[1] == 0.0f && image->pixels[2] == 8.0f);
    assert_true(facts.was_monochrome1);
    reha_gray_free(image);
    buffer_free(&file);
}

static void test_min_is_white_is_turned_over(void **state)
{
    (void)state;
    const uint16_t values[4] = {0, 1, 65535, 4095};
    const tiff_spec spec = {.width = 4, .height = 1, .bits = 16, .photometric = PHOTOMETRIC_MINISWHITE};
    buffer file = tiff_make(&spec, "w", (const uint8_t *)values);
    reha_acquisition facts;
    reha_gray *image = decode_good(&file, &facts);
    for (size_t i = 0; i < 4; i++) {
        assert_true(image->pixels[i] == 65535.0f - (float)values[i]);
    }
    assert_true(facts.was_monochrome1);
    reha_gray_free(image);
    buffer_free(&file);

    const float floats[3] = {-1.0f, 0.5f, 3.0f};
    const tiff_spec real = {.width = 3,
                            .height = 1,
                            .bits = 32,
                            .format = SAMPLEFORMAT_IEEEFP,
                            .photometric = PHOTOMETRIC_MINISWHITE};
    file = tiff_make(&real, "w", (const uint8_t *)floats);
    image = decode_good(&file, NULL);
    assert_true(image->pixels[0] == 3.0f && image->pixels[1] == 1.5f && image->pixels[2] == -1.0f);
    reha_gray_free(image);
    buffer_free(&file);
}

static void test_colour_mixed_and_apart(void **state)
{
    (void)state;
    const uint8_t mixed[] = {255, 0, 0, 0, 255, 0, 9, 9, 9, 200, 200, 200};
    const uint8_t apart[] = {255, 0, 9, 200, 0, 255, 9, 200, 0, 0, 9, 200};
    for (int kind = 0; kind < 4; kind++) {
        const tiff_spec spec = {.width = 4,
                                .height = 1,
                                .bits = 8,
                                .channels = 3,
                                .photometric = PHOTOMETRIC_RGB,
                                .planar = (kind & 1) != 0 ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG,
                                .tile = (kind & 2) != 0 ? 16 : 0};
        buffer file = tiff_make(&spec, "w", (kind & 1) != 0 ? apart : mixed);
        reha_acquisition facts;
        reha_gray *image = decode_good(&file, &facts);
        assert_float_equal(image->pixels[0], 76.245, 1e-3);
        assert_float_equal(image->pixels[1], 149.685, 1e-3);
        assert_true(image->pixels[2] == 9.0f && image->pixels[3] == 200.0f);
        assert_true(facts.chroma_fraction == 0.5);
        reha_gray_free(image);
        buffer_free(&file);
    }
}

static void test_alpha(void **state)
{
    (void)state;
    const uint8_t rgba[] = {100, 100, 100, 255, 100, 100, 100, 0, 100, 100, 100, 51};
    const float unassociated[3] = {100.0f, 0.0f, 20.0f};
    for (int kind = 0; kind < 3; kind++) {
        const uint16_t extras[3] = {EXTRASAMPLE_UNASSALPHA, EXTRASAMPLE_ASSOCALPHA, EXTRASAMPLE_UNSPECIFIED};
        const tiff_spec spec = {.width = 3,
                                .height = 1,
                                .bits = 8,
                                .channels = 4,
                                .photometric = PHOTOMETRIC_RGB,
                                .with_extra = true,
                                .extra = extras[kind]};
        buffer file = tiff_make(&spec, "w", rgba);
        reha_gray *image = decode_good(&file, NULL);
        for (size_t i = 0; i < 3; i++) {
            assert_float_equal(image->pixels[i], kind == 0 ? unassociated[i] : 100.0f, 1e-4);
        }
        reha_gray_free(image);
        buffer_free(&file);
    }
}

static void test_palettes_of_both_habits(void **state)
{
    (void)state;
    uint16_t wide[256];
    uint16_t narrow[256];
    for (unsigned i = 0; i < 256; i++) {
        wide[i] = (uint16_t)((255 - i) * 257);
        narrow[i] = (uint16_t)(255 - i);
    }
    const uint8_t row[] = {0, 1, 100, 255};
    const uint16_t *maps[2] = {wide, narrow};
    for (size_t k = 0; k < 2; k++) {
        const tiff_spec spec = {.width = 4,
                                .height = 1,
                                .bits = 8,
                                .photometric = PHOTOMETRIC_PALETTE,
                                .map = {maps[k], maps[k], maps[k]}};
        buffer file = tiff_make(&spec, "w", row);
        reha_gray *image = decode_good(&file, NULL);
        for (size_t i = 0; i < 4; i++) {
            assert_true(image->pixels[i] == 255.0f - (float)row[i]);
        }
        reha_gray_free(image);
        buffer_free(&file);
    }
}

static void test_orientation(void **state)
{
    (void)state;
    const uint8_t rows[6] = {1, 2, 3, 4, 5, 6}; /* 3 x 2 */
    static const float wanted[9][6] = {{0},
                                       {1, 2, 3, 4, 5, 6},
                                       {3, 2, 1, 6, 5, 4},
                                       {6, 5, 4, 3, 2, 1},
                                       {4, 5, 6, 1, 2, 3},
                                       {1, 4, 2, 5, 3, 6},
                                       {4, 1, 5, 2, 6, 3},
                                       {6, 3, 5, 2, 4, 1},
                                       {3, 6, 2, 5, 1, 4}};
    for (uint16_t orientation = 1; orientation <= 8; orientation++) {
        const tiff_spec spec = {.width = 3,
                                .height = 2,
                                .bits = 8,
                                .photometric = PHOTOMETRIC_MINISBLACK,
                                .orientation = orientation};
        buffer file = tiff_make(&spec, "w", rows);
        reha_gray *image = decode_good(&file, NULL);
        assert_int_equal(image->width_px, orientation >= 5 ? 2 : 3);
        assert_memory_equal(image->pixels, wanted[orientation], sizeof wanted[orientation]);
        reha_gray_free(image);
        buffer_free(&file);
    }
}

static buffer three_pages(void)
{
    buffer file = {0};
    TIFF *tiff = tiff_open(&file, "w");
    for (uint8_t page = 0; page < 3; page++) {
        const uint8_t row[2] = {page, (uint8_t)(page + 100)};
        const tiff_spec spec = {.width = 2, .height = 1, .bits = 8, .photometric = PHOTOMETRIC_MINISBLACK};
        tiff_add_page(tiff, &spec, row);
    }
    TIFFClose(tiff);
    return file;
}

static void test_pages(void **state)
{
    (void)state;
    buffer file = three_pages();
    for (uint32_t page = 0; page < 3; page++) {
        reha_gray *image = NULL;
        reha_acquisition facts;
        reha_error err = REHA_ERROR_INIT;
        assert_ok(reha_image_decode_frame(file.data, file.size, page, NULL, &image, &facts, &err), &err);
        assert_true(image->pixels[0] == (float)page && image->pixels[1] == (float)(page + 100));
        assert_int_equal(facts.frame_count, 3);
        reha_gray_free(image);
    }
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_int_equal(reha_image_decode_frame(file.data, file.size, 3, NULL, &image, NULL, &err),
                     REHA_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "3 page"));
    reha_image_limits limits = reha_image_limits_default();
    limits.frames_max = 2;
    assert_int_equal(reha_image_decode(file.data, file.size, &limits, &image, NULL, &err), REHA_E_LIMIT);
    buffer_free(&file);
}

static void test_jpeg_inside(void **state)
{
    (void)state;
    uint8_t rows[64 * 32];
    for (size_t i = 0; i < sizeof rows; i++) {
        rows[i] = (uint8_t)(i % 64 * 3);
    }
    const tiff_spec spec = {.width = 64,
                            .height = 32,
                            .bits = 8,
                            .photometric = PHOTOMETRIC_MINISBLACK,
                            .compression = COMPRESSION_JPEG,
                            .rows_per_strip = 16};
    buffer file = tiff_make(&spec, "w", rows);
    reha_acquisition facts;
    reha_gray *image = decode_good(&file, &facts);
    for (size_t i = 0; i < sizeof rows; i++) {
        assert_float_equal(image->pixels[i], rows[i], 12.0);
    }
    assert_true(facts.is_lossy);
    reha_gray_free(image);
    buffer_free(&file);
}

static buffer sample_file(uint16_t compression, uint32_t tile, const char *mode)
{
    uint8_t bytes[W * H * 8];
    double values[W * H];
    make_samples(16, SAMPLEFORMAT_UINT, bytes, values);
    const tiff_spec spec = {.width = W,
                            .height = H,
                            .bits = 16,
                            .photometric = PHOTOMETRIC_MINISBLACK,
                            .compression = compression,
                            .tile = tile,
                            .rows_per_strip = 4};
    return tiff_make(&spec, mode, bytes);
}

static void test_truncated(void **state)
{
    (void)state;
    const uint16_t kinds[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE};
    for (size_t k = 0; k < 3; k++) {
        for (int tiled = 0; tiled < 2; tiled++) {
            buffer file = sample_file(kinds[k], tiled ? 16 : 0, tiled ? "wb" : "wl");
            /* libtiff writes the directory last, so the cut takes it away; and once with the pixels
             * last, as other programs write. */
            check_truncations(&file);
            buffer_free(&file);
        }
    }
    buffer pages = three_pages();
    pages.size -= 16; /* the very last are two resolution values of page 3, which nothing needs */
    check_truncations(&pages);
    buffer_free(&pages);
}

/* The directory in front, the pixels behind, as written by hand. */
static buffer plain_file(uint32_t width, uint32_t height, uint16_t bits, uint16_t photometric, size_t pixels)
{
    const struct {
        uint16_t tag, type;
        uint32_t count, value;
    } entries[] = {{256, 4, 1, width},  {257, 4, 1, height},          {258, 3, 1, bits},
                   {259, 3, 1, 1},      {262, 3, 1, photometric},     {273, 4, 1, 8 + 2 + 8 * 12 + 4},
                   {278, 4, 1, height}, {279, 4, 1, (uint32_t)pixels}};
    buffer file = {0};
    buffer_write(&file, "II*\0\x08\0\0\0", 8);
    const uint16_t count = 8;
    buffer_write(&file, &count, 2);
    for (size_t i = 0; i < 8; i++) {
        buffer_write(&file, &entries[i], 12);
    }
    buffer_write(&file, "\0\0\0\0", 4);
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t value = (uint8_t)i;
        buffer_write(&file, &value, 1);
    }
    return file;
}

static void test_truncated_pixels(void **state)
{
    (void)state;
    buffer file = plain_file(20, 10, 8, PHOTOMETRIC_MINISBLACK, 200);
    reha_gray *image = decode_good(&file, NULL);
    assert_true(image->pixels[199] == 199.0f);
    reha_gray_free(image);
    check_truncations(&file);
    buffer_free(&file);
}

static void test_flipped_bits(void **state)
{
    (void)state;
    const uint16_t kinds[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE,
                              COMPRESSION_PACKBITS};
    for (size_t k = 0; k < 4; k++) {
        buffer file = sample_file(kinds[k], k % 2 == 0 ? 16 : 0, k < 2 ? "wl" : "w8b");
        check_bit_flips(&file, 250);
        buffer_free(&file);
    }
    buffer file = plain_file(20, 10, 8, PHOTOMETRIC_MINISBLACK, 200);
    check_bit_flips(&file, 800);
    buffer_free(&file);
}

static void test_no_memory(void **state)
{
    (void)state;
    buffer file = sample_file(COMPRESSION_LZW, 16, "wl");
    check_out_of_memory(&file);
    buffer_free(&file);
}

static void test_bad_headers(void **state)
{
    (void)state;
    expect_bad(plain_file(30000, 30000, 8, PHOTOMETRIC_MINISBLACK, 100), REHA_E_LIMIT, "30000 x 30000");
    expect_bad(plain_file(0xffffffff, 0xffffffff, 16, PHOTOMETRIC_MINISBLACK, 10), REHA_E_FORMAT, "TIFF");
    expect_bad(plain_file(10000, 10000, 8, PHOTOMETRIC_MINISBLACK, 100), REHA_E_FORMAT, "TIFF");
    expect_bad(plain_file(0, 10, 8, PHOTOMETRIC_MINISBLACK, 100), REHA_E_FORMAT, "");
    expect_bad(plain_file(10, 0, 8, PHOTOMETRIC_MINISBLACK, 100), REHA_E_FORMAT, "");
    expect_bad(plain_file(10, 10, 12, PHOTOMETRIC_MINISBLACK, 150), REHA_E_UNSUPPORTED, "12-bit");
    expect_bad(plain_file(10, 10, 7, PHOTOMETRIC_MINISBLACK, 150), REHA_E_UNSUPPORTED, "7-bit");
    expect_bad(plain_file(10, 10, 8, PHOTOMETRIC_RGB, 100), REHA_E_FORMAT, "TIFF");
    expect_bad(plain_file(10, 10, 4, PHOTOMETRIC_PALETTE, 50), REHA_E_FORMAT, "TIFF");
    expect_bad(plain_file(10, 10, 8, PHOTOMETRIC_CIELAB, 100), REHA_E_UNSUPPORTED, "colour kind");
    expect_bad(plain_file(10, 10, 8, 999, 100), REHA_E_UNSUPPORTED, "colour kind");
}

static void test_not_a_number(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        const float values[4] = {1.0f, 2.0f, bad[i], 4.0f};
        const tiff_spec spec = {.width = 2,
                                .height = 2,
                                .bits = 32,
                                .format = SAMPLEFORMAT_IEEEFP,
                                .photometric = PHOTOMETRIC_MINISBLACK};
        expect_bad(tiff_make(&spec, "w", (const uint8_t *)values), REHA_E_FORMAT, "column 0, row 1");
    }
}

static void test_loops_and_nothing(void **state)
{
    (void)state;
    /* The next-page link points to the same directory. */
    buffer loop = plain_file(4, 4, 8, PHOTOMETRIC_MINISBLACK, 16);
    loop.data[8 + 2 + 8 * 12] = 8;
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_int_equal(decode_part(loop.data, loop.size, &image, NULL, &err), REHA_E_LIMIT);
    assert_null(image);
    buffer_free(&loop);

    const char *headers[] = {"II*\0\0\0\0\0", "MM\0*\xff\xff\xff\xff", "II*\0\x08\0\0\0", "II+\0\x08\0\0\0",
                             "MM\0+\0\x08\0\0"};
    for (size_t i = 0; i < 5; i++) {
        buffer file = {0};
        buffer_write(&file, headers[i], 8);
        expect_bad(file, REHA_E_FORMAT, "TIFF");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_values),
        cmocka_unit_test(test_small_depths),
        cmocka_unit_test(test_min_is_white_is_turned_over),
        cmocka_unit_test(test_colour_mixed_and_apart),
        cmocka_unit_test(test_alpha),
        cmocka_unit_test(test_palettes_of_both_habits),
        cmocka_unit_test(test_orientation),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_jpeg_inside),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_truncated_pixels),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_not_a_number),
        cmocka_unit_test(test_loops_and_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
