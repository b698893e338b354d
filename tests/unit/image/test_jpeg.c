/* JPEG: grey, YCC, RGB, CMYK, progressive, arithmetic, EXIF orientation, and damaged files. */
#include "unit/image/pictures.h"

#include <math.h>

static reha_gray *decode_good(const buffer *file, reha_acquisition *facts)
{
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(decode_part(file->data, file->size, &image, facts, &err), &err);
    return image;
}

static void expect_bad(const buffer *file, reha_status wanted, const char *part)
{
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    const reha_status status = decode_part(file->data, file->size, &image, NULL, &err);
    if (status != wanted || strstr(err.text, part) == NULL) {
        fail_msg("%s: %s", reha_status_name(status), err.text);
    }
    assert_null(image);
}

static uint8_t *make_ramp(uint32_t width, uint32_t height, unsigned channels)
{
    uint8_t *rows = malloc((size_t)width * height * channels);
    assert_non_null(rows);
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            for (unsigned c = 0; c < channels; c++) {
                rows[((size_t)y * width + x) * channels + c] = (uint8_t)(x * 3 + y);
            }
        }
    }
    return rows;
}

/* What libjpeg itself gives, as the judge: our floats must be those bytes. */
static uint8_t *judge(const buffer *file, J_COLOR_SPACE space)
{
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, file->data, file->size);
    jpeg_read_header(&jpeg, TRUE);
    jpeg.out_color_space = space;
    jpeg_start_decompress(&jpeg);
    const size_t stride = (size_t)jpeg.output_width * (size_t)jpeg.output_components;
    uint8_t *rows = malloc(stride * jpeg.output_height);
    assert_non_null(rows);
    while (jpeg.output_scanline < jpeg.output_height) {
        JSAMPROW row = rows + jpeg.output_scanline * stride;
        jpeg_read_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_decompress(&jpeg);
    jpeg_destroy_decompress(&jpeg);
    return rows;
}

static void test_grey_is_exactly_what_the_library_gives(void **state)
{
    (void)state;
    uint8_t *rows = make_ramp(37, 29, 1);
    for (int kind = 0; kind < 4; kind++) {
        const jpeg_spec spec = {.width = 37,
                                .height = 29,
                                .components = 1,
                                .input = JCS_GRAYSCALE,
                                .stored = JCS_GRAYSCALE,
                                .quality = 80,
                                .is_progressive = (kind & 1) != 0,
                                .is_arithmetic = (kind & 2) != 0};
        buffer file = jpeg_make(&spec, rows);
        reha_acquisition facts;
        reha_gray *image = decode_good(&file, &facts);
        uint8_t *wanted = judge(&file, JCS_GRAYSCALE);
        assert_int_equal(image->width_px, 37);
        assert_int_equal(image->height_px, 29);
        for (size_t i = 0; i < 37 * 29; i++) {
            assert_true(image->pixels[i] == (float)wanted[i]);
        }
        assert_string_equal(facts.container, "jpeg");
        assert_int_equal(facts.bits_stored, 8);
        assert_true(facts.is_lossy);
        assert_true(facts.chroma_fraction == 0.0);
        assert_false(reha_spacing_is_known(image->spacing)); /* density is not millimetres */
        free(wanted);
        reha_gray_free(image);
        buffer_free(&file);
    }
    free(rows);
}

static void test_grey_saved_as_colour_keeps_its_luma(void **state)
{
    (void)state;
    uint8_t *rows = make_ramp(40, 24, 3);
    const jpeg_spec spec = {
        .width = 40, .height = 24, .components = 3, .input = JCS_RGB, .stored = JCS_YCbCr, .quality = 90};
    buffer file = jpeg_make(&spec, rows);
    reha_acquisition facts;
    reha_gray *image = decode_good(&file, &facts);
    uint8_t *wanted = judge(&file, JCS_GRAYSCALE);
    for (size_t i = 0; i < 40 * 24; i++) {
        assert_true(image->pixels[i] == (float)wanted[i]);
    }
    assert_true(facts.chroma_fraction == 0.0);
    free(wanted);
    free(rows);
    reha_gray_free(image);
    buffer_free(&file);
}

static void test_a_colour_photograph_is_noticed(void **state)
{
    (void)state;
    uint8_t rows[32 * 32 * 3];
    for (size_t i = 0; i < 32 * 32; i++) {
        const bool is_left = i % 32 < 16; /* 16 columns: two whole blocks, so no mixing */
        rows[3 * i] = is_left ? 200 : 100;
        rows[3 * i + 1] = is_left ? 120 : 100;
        rows[3 * i + 2] = is_left ? 80 : 100;
    }
    const J_COLOR_SPACE kinds[] = {JCS_YCbCr, JCS_RGB};
    for (size_t k = 0; k < 2; k++) {
        const jpeg_spec spec = {
            .width = 32, .height = 32, .components = 3, .input = JCS_RGB, .stored = kinds[k]};
        buffer file = jpeg_make(&spec, rows);
        reha_acquisition facts;
        reha_gray *image = decode_good(&file, &facts);
        assert_float_equal(facts.chroma_fraction, 0.5, 1e-9);
        assert_float_equal(image->pixels[0], 0.299 * 200 + 0.587 * 120 + 0.114 * 80, 1.5);
        assert_float_equal(image->pixels[31], 100.0, 1.5);
        reha_gray_free(image);
        buffer_free(&file);
    }
}

static void test_cmyk_of_both_polarities(void **state)
{
    (void)state;
    uint8_t rows[16 * 16 * 4];
    for (size_t i = 0; i < 16 * 16; i++) {
        rows[4 * i] = rows[4 * i + 1] = rows[4 * i + 2] = 255;
        rows[4 * i + 3] = 100;
    }
    /* libjpeg writes the Adobe marker for CMYK and YCCK: 255 = no ink, so black lets 100/255 through. */
    const J_COLOR_SPACE kinds[] = {JCS_CMYK, JCS_YCCK};
    for (size_t k = 0; k < 2; k++) {
        const jpeg_spec spec = {
            .width = 16, .height = 16, .components = 4, .input = JCS_CMYK, .stored = kinds[k]};
        buffer file = jpeg_make(&spec, rows);
        reha_gray *image = decode_good(&file, NULL);
        assert_float_equal(image->pixels[100], 100.0, 1.5);
        reha_gray_free(image);
        if (kinds[k] == JCS_CMYK) { /* without the marker: 100/255 of ink */
            uint8_t *adobe = NULL;
            for (size_t i = 0; i + 5 < file.size && adobe == NULL; i++) {
                adobe = memcmp(file.data + i, "Adobe", 5) == 0 ? file.data + i : NULL;
            }
            assert_non_null(adobe);
            adobe[0] = 'X';
            image = decode_good(&file, NULL);
            assert_float_equal(image->pixels[100], 0.0, 1.5); /* full inks: black */
            reha_gray_free(image);
        }
        buffer_free(&file);
    }
}

/* A picture with one bright corner block, to see where it goes. */
static void test_exif_orientation(void **state)
{
    (void)state;
    enum { W = 48, H = 32 };
    uint8_t rows[W * H];
    for (size_t i = 0; i < W * H; i++) {
        const size_t x = i % W;
        const size_t y = i / W;
        rows[i] = x < 8 && y < 8 ? 250 : x >= 40 && y < 8 ? 150 : 20; /* top left, top right */
    }
    /* Where the stored top left and top right corners are after turning upright (EXIF 2.3, 4.6.4). */
    static const struct {
        bool tl_right, tl_bottom, tr_right, tr_bottom;
    } wanted[9] = {
        {0, 0, 0, 0}, {0, 0, 1, 0}, {1, 0, 0, 0}, {1, 1, 0, 1}, {0, 1, 1, 1},
        {0, 0, 0, 1}, {1, 0, 1, 1}, {1, 1, 1, 0}, {0, 1, 0, 0},
    };
    for (int orientation = 1; orientation <= 8; orientation++) {
        for (int big = 0; big < 2; big++) {
            const jpeg_spec spec = {.width = W,
                                    .height = H,
                                    .components = 1,
                                    .input = JCS_GRAYSCALE,
                                    .stored = JCS_GRAYSCALE,
                                    .exif_orientation = orientation,
                                    .exif_big_endian = big != 0};
            buffer file = jpeg_make(&spec, rows);
            reha_gray *image = decode_good(&file, NULL);
            assert_int_equal(image->width_px, orientation >= 5 ? H : W);
            assert_int_equal(image->height_px, orientation >= 5 ? W : H);
            const uint32_t right = image->width_px - 3;
            const uint32_t bottom = image->height_px - 3;
            assert_float_equal(reha_gray_at(image, wanted[orientation].tl_right ? right : 2,
                                            wanted[orientation].tl_bottom ? bottom : 2),
                               250.0, 3.0);
            assert_float_equal(reha_gray_at(image, wanted[orientation].tr_right ? right : 2,
                                            wanted[orientation].tr_bottom ? bottom : 2),
                               150.0, 3.0);
            reha_gray_free(image);
            buffer_free(&file);
        }
    }
}

static void test_damaged_exif_is_ignored(void **state)
{
    (void)state;
    uint8_t *rows = make_ramp(16, 8, 1);
    const jpeg_spec spec = {.width = 16,
                            .height = 8,
                            .components = 1,
                            .input = JCS_GRAYSCALE,
                            .stored = JCS_GRAYSCALE,
                            .exif_orientation = 6};
    const buffer good = jpeg_make(&spec, rows);
    size_t exif = 0;
    while (memcmp(good.data + exif, "Exif", 4) != 0) {
        exif++;
    }
    /* byte order, mark, directory offset, count, tag, type, value out of range */
    const struct {
        size_t at;
        uint8_t value;
    } harms[] = {{6, 'X'}, {8, 99}, {10, 255}, {13, 255}, {16, 0}, {18, 9}, {24, 9}, {24, 0}};
    for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++) {
        buffer file = {0};
        buffer_write(&file, good.data, good.size);
        file.data[exif + harms[i].at] = harms[i].value;
        reha_gray *image = decode_good(&file, NULL);
        assert_int_equal(image->width_px, 16); /* not turned */
        reha_gray_free(image);
        buffer_free(&file);
    }
    free(good.data);
    free(rows);
}

static void test_one_pixel_is_fine(void **state)
{
    (void)state;
    const uint8_t row[] = {128};
    const jpeg_spec spec = {
        .width = 1, .height = 1, .components = 1, .input = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE};
    buffer file = jpeg_make(&spec, row);
    reha_gray *image = decode_good(&file, NULL);
    assert_true(image->pixels[0] == 128.0f);
    reha_gray_free(image);
    buffer_free(&file);
}

static buffer sample_file(bool is_progressive, bool is_arithmetic)
{
    uint8_t *rows = make_ramp(64, 48, 3);
    reha_random random = reha_random_init(5, 5);
    for (size_t i = 0; i < 64 * 48 * 3; i++) {
        rows[i] = (uint8_t)(rows[i] + reha_random_below(&random, 60));
    }
    const jpeg_spec spec = {.width = 64,
                            .height = 48,
                            .components = 3,
                            .input = JCS_RGB,
                            .stored = JCS_YCbCr,
                            .quality = 85,
                            .is_progressive = is_progressive,
                            .is_arithmetic = is_arithmetic};
    const buffer file = jpeg_make(&spec, rows);
    free(rows);
    return file;
}

static void test_truncated(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        buffer file = sample_file((kind & 1) != 0, (kind & 2) != 0);
        check_truncations(&file);
        buffer_free(&file);
    }
}

static void test_flipped_bits(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        buffer file = sample_file((kind & 1) != 0, (kind & 2) != 0);
        check_bit_flips(&file, 300);
        buffer_free(&file);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    buffer file = sample_file(false, false);
    check_out_of_memory(&file);
    buffer_free(&file);
}

static size_t find_frame_header(const buffer *file)
{
    for (size_t i = 2; i + 9 < file->size;) {
        if (file->data[i + 1] >= 0xc0 && file->data[i + 1] <= 0xc2) {
            return i;
        }
        i += 2u + ((size_t)file->data[i + 2] << 8 | file->data[i + 3]);
    }
    fail();
    return 0;
}

static void test_huge_and_odd_headers(void **state)
{
    (void)state;
    buffer file = sample_file(false, false);
    const size_t at = find_frame_header(&file);
    /* 30000 x 30000 */
    file.data[at + 5] = file.data[at + 7] = 0x75;
    file.data[at + 6] = file.data[at + 8] = 0x30;
    expect_bad(&file, REHA_E_LIMIT, "30000 x 30000");
    /* 9984 x 9984: within the limits, but never in a file this short */
    file.data[at + 5] = file.data[at + 7] = 0x27;
    file.data[at + 6] = file.data[at + 8] = 0x00;
    expect_bad(&file, REHA_E_FORMAT, "too short");
    /* no width */
    file.data[at + 7] = file.data[at + 8] = 0;
    expect_bad(&file, REHA_E_FORMAT, "JPEG");
    buffer_free(&file);

    file = sample_file(false, false);
    file.data[at + 4] = 12; /* bits per sample */
    expect_bad(&file, REHA_E_UNSUPPORTED, "8-bit");
    file.data[at + 4] = 8;
    file.data[at + 1] = 0xc3; /* lossless */
    expect_bad(&file, REHA_E_UNSUPPORTED, "JPEG");
    file.data[at + 1] = 0xc0;
    file.data[at + 9] = 0; /* no components */
    expect_bad(&file, REHA_E_FORMAT, "JPEG");
    buffer_free(&file);
}

static void test_no_pictures(void **state)
{
    (void)state;
    const struct {
        const char *bytes;
        size_t count;
    } files[] = {{"\xff\xd8\xff", 3},
                 {"\xff\xd8\xff\xd9", 4},
                 {"\xff\xd8\xff\xe0\x00\x02\xff\xd9", 8},
                 {"\xff\xd8\xff\xff\xff\xff", 6},
                 {"\xff\xd8\xff\xc0\x00\x00", 6}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const buffer file = {(uint8_t *)(uintptr_t)files[i].bytes, files[i].count, 0};
        expect_bad(&file, REHA_E_FORMAT, "JPEG");
    }
}

static void test_endless_scans(void **state)
{
    (void)state;
    buffer file = sample_file(true, false);
    /* Repeat the last scan 400 times: small file, much work. */
    size_t last = 0;
    for (size_t i = 0; i + 1 < file.size; i++) {
        last = file.data[i] == 0xff && file.data[i + 1] == 0xda ? i : last;
    }
    const size_t scan_bytes = file.size - 2 - last;
    buffer bomb = {0};
    buffer_write(&bomb, file.data, file.size - 2);
    for (int i = 0; i < 400; i++) {
        buffer_write(&bomb, file.data + last, scan_bytes);
    }
    buffer_write(&bomb, "\xff\xd9", 2);
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_true(reha_status_is_input_fault(decode_part(bomb.data, bomb.size, &image, NULL, &err)));
    assert_null(image);
    buffer_free(&bomb);
    buffer_free(&file);
}

static void test_second_frame_is_not_there(void **state)
{
    (void)state;
    buffer file = sample_file(false, false);
    reha_gray *image = NULL;
    assert_int_equal(reha_image_decode_frame(file.data, file.size, 1, NULL, &image, NULL, NULL),
                     REHA_E_NOT_FOUND);
    assert_null(image);
    buffer_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grey_is_exactly_what_the_library_gives),
        cmocka_unit_test(test_grey_saved_as_colour_keeps_its_luma),
        cmocka_unit_test(test_a_colour_photograph_is_noticed),
        cmocka_unit_test(test_cmyk_of_both_polarities),
        cmocka_unit_test(test_exif_orientation),
        cmocka_unit_test(test_damaged_exif_is_ignored),
        cmocka_unit_test(test_one_pixel_is_fine),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_huge_and_odd_headers),
        cmocka_unit_test(test_no_pictures),
        cmocka_unit_test(test_endless_scans),
        cmocka_unit_test(test_second_frame_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
