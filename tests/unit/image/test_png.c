/* PNG: exact values for every kind of sample, and damaged files. */
#include "unit/image/pictures.h"

#include <sys/resource.h>
#include <zlib.h>

static void put_chunk(buffer *file, const char *type, const void *data, uint32_t count)
{
    uint8_t head[8] = {(uint8_t)(count >> 24), (uint8_t)(count >> 16), (uint8_t)(count >> 8), (uint8_t)count};
    memcpy(head + 4, type, 4);
    uLong sum = crc32(0, head + 4, 4);
    if (count > 0) {
        sum = crc32(sum, data, count);
    }
    const uint8_t tail[4] = {(uint8_t)(sum >> 24), (uint8_t)(sum >> 16), (uint8_t)(sum >> 8), (uint8_t)sum};
    buffer_write(file, head, 8);
    if (count > 0) {
        buffer_write(file, data, count);
    }
    buffer_write(file, tail, 4);
}

/* A file with any header, however wrong, and matching check sums. */
static buffer png_with_header(uint32_t width, uint32_t height, uint8_t depth, uint8_t colour)
{
    buffer file = {0};
    buffer_write(&file, "\x89PNG\r\n\x1a\n", 8);
    const uint8_t header[13] = {(uint8_t)(width >> 24),
                                (uint8_t)(width >> 16),
                                (uint8_t)(width >> 8),
                                (uint8_t)width,
                                (uint8_t)(height >> 24),
                                (uint8_t)(height >> 16),
                                (uint8_t)(height >> 8),
                                (uint8_t)height,
                                depth,
                                colour};
    put_chunk(&file, "IHDR", header, 13);
    uint8_t plain[64] = {0};
    uint8_t packed[128];
    uLongf packed_count = sizeof packed;
    assert_int_equal(compress(packed, &packed_count, plain, sizeof plain), Z_OK);
    put_chunk(&file, "IDAT", packed, (uint32_t)packed_count);
    put_chunk(&file, "IEND", NULL, 0);
    return file;
}

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
        fail_msg("%s: %s", reha_status_name(status), err.text);
    }
    assert_null(image);
    buffer_free(&file);
}

static void test_grey_of_every_depth(void **state)
{
    (void)state;
    const int depths[] = {1, 2, 4, 8, 16};
    for (size_t d = 0; d < 5; d++) {
        for (int interlaced = 0; interlaced < 2; interlaced++) {
            const int depth = depths[d];
            enum { W = 19, H = 11 };
            uint8_t rows[W * H * 2] = {0};
            uint32_t values[W * H];
            const size_t row_bytes = ((size_t)W * (unsigned)depth + 7) / 8;
            reha_random random = reha_random_init(7, (uint64_t)depth);
            for (unsigned y = 0; y < H; y++) {
                for (unsigned x = 0; x < W; x++) {
                    const uint32_t value = reha_random_below(&random, 1u << depth);
                    values[y * W + x] = value;
                    uint8_t *row = rows + y * row_bytes;
                    if (depth == 16) {
                        row[2 * x] = (uint8_t)(value >> 8);
                        row[2 * x + 1] = (uint8_t)value;
                    } else {
                        const unsigned bit = x * (unsigned)depth;
                        row[bit / 8] |= (uint8_t)(value << (8u - (unsigned)depth - bit % 8));
                    }
                }
            }
            const png_spec spec = {.width = W,
                                   .height = H,
                                   .depth = depth,
                                   .colour = PNG_COLOR_TYPE_GRAY,
                                   .interlaced = interlaced != 0,
                                   .with_phys = true};
            buffer file = png_make(&spec, rows);
            reha_acquisition facts;
            reha_gray *image = decode_good(&file, &facts);
            assert_int_equal(image->width_px, W);
            assert_int_equal(image->height_px, H);
            for (unsigned i = 0; i < W * H; i++) {
                assert_true(image->pixels[i] == (float)values[i]);
            }
            assert_string_equal(facts.container, "png");
            assert_int_equal(facts.bits_stored, depth);
            assert_int_equal(facts.frame_count, 1);
            assert_false(facts.is_lossy);
            assert_true(facts.chroma_fraction == 0.0);
            /* 300 dpi in pHYs is paper, not patient. */
            assert_false(reha_spacing_is_known(image->spacing));
            reha_gray_free(image);
            buffer_free(&file);
        }
    }
}

static void test_colour_is_luma(void **state)
{
    (void)state;
    const uint8_t rows[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 77, 77, 77};
    const png_spec spec = {.width = 4, .height = 1, .depth = 8, .colour = PNG_COLOR_TYPE_RGB};
    buffer file = png_make(&spec, rows);
    reha_acquisition facts;
    reha_gray *image = decode_good(&file, &facts);
    assert_float_equal(image->pixels[0], 0.299 * 255, 1e-3);
    assert_float_equal(image->pixels[1], 0.587 * 255, 1e-3);
    assert_float_equal(image->pixels[2], 0.114 * 255, 1e-3);
    assert_true(image->pixels[3] == 77.0f); /* grey stays exact */
    assert_true(facts.chroma_fraction == 0.75);
    reha_gray_free(image);
    buffer_free(&file);
}

static void test_grey_stored_as_16_bit_colour(void **state)
{
    (void)state;
    uint8_t rows[5 * 6];
    const unsigned values[5] = {0, 1, 4660, 65534, 65535};
    for (size_t i = 0; i < 15; i++) {
        rows[2 * i] = (uint8_t)(values[i / 3] >> 8);
        rows[2 * i + 1] = (uint8_t)values[i / 3];
    }
    const png_spec spec = {.width = 5, .height = 1, .depth = 16, .colour = PNG_COLOR_TYPE_RGB};
    buffer file = png_make(&spec, rows);
    reha_acquisition facts;
    reha_gray *image = decode_good(&file, &facts);
    for (size_t i = 0; i < 5; i++) {
        assert_true(image->pixels[i] == (float)values[i]);
    }
    assert_true(facts.chroma_fraction == 0.0);
    assert_int_equal(facts.bits_stored, 16);
    reha_gray_free(image);
    buffer_free(&file);
}

static void test_transparency_shows_black(void **state)
{
    (void)state;
    const uint8_t ga[] = {200, 255, 200, 0, 100, 51};
    const png_spec spec = {.width = 3, .height = 1, .depth = 8, .colour = PNG_COLOR_TYPE_GRAY_ALPHA};
    buffer file = png_make(&spec, ga);
    reha_gray *image = decode_good(&file, NULL);
    assert_true(image->pixels[0] == 200.0f);
    assert_true(image->pixels[1] == 0.0f);
    assert_float_equal(image->pixels[2], 20.0, 1e-4);
    reha_gray_free(image);
    buffer_free(&file);

    const uint8_t rgba[] = {9, 9, 9, 255, 90, 90, 90, 128};
    const png_spec colour = {.width = 2, .height = 1, .depth = 8, .colour = PNG_COLOR_TYPE_RGB_ALPHA};
    file = png_make(&colour, rgba);
    image = decode_good(&file, NULL);
    assert_true(image->pixels[0] == 9.0f);
    assert_float_equal(image->pixels[1], 90.0 * 128.0 / 255.0, 1e-4);
    reha_gray_free(image);
    buffer_free(&file);
}

static void test_colour_key(void **state)
{
    (void)state;
    const uint8_t nibbles[] = {0x3f, 0x70}; /* 4-bit values 3, 15, 7 */
    const png_color_16 key = {.gray = 15};
    const png_spec spec = {.width = 3, .height = 1, .depth = 4, .colour = PNG_COLOR_TYPE_GRAY, .key = &key};
    buffer file = png_make(&spec, nibbles);
    reha_gray *image = decode_good(&file, NULL);
    assert_true(image->pixels[0] == 3.0f && image->pixels[1] == 0.0f && image->pixels[2] == 7.0f);
    reha_gray_free(image);
    buffer_free(&file);

    const uint8_t rgb[] = {5, 6, 7, 50, 50, 50};
    const png_color_16 rgb_key = {.red = 5, .green = 6, .blue = 7};
    const png_spec colour = {
        .width = 2, .height = 1, .depth = 8, .colour = PNG_COLOR_TYPE_RGB, .key = &rgb_key};
    file = png_make(&colour, rgb);
    image = decode_good(&file, NULL);
    assert_true(image->pixels[0] == 0.0f && image->pixels[1] == 50.0f);
    reha_gray_free(image);
    buffer_free(&file);
}

static void test_palette(void **state)
{
    (void)state;
    const png_color palette[4] = {{0, 0, 0}, {10, 10, 10}, {250, 250, 250}, {255, 0, 0}};
    const uint8_t alpha[3] = {255, 255, 0};
    const uint8_t rows[] = {0x1b}; /* indices 0, 1, 2, 3 of 2 bits */
    png_spec spec = {.width = 4,
                     .height = 1,
                     .depth = 2,
                     .colour = PNG_COLOR_TYPE_PALETTE,
                     .palette = palette,
                     .palette_count = 4};
    buffer file = png_make(&spec, rows);
    reha_acquisition facts;
    reha_gray *image = decode_good(&file, &facts);
    assert_true(image->pixels[0] == 0.0f && image->pixels[1] == 10.0f && image->pixels[2] == 250.0f);
    assert_float_equal(image->pixels[3], 76.245, 1e-3);
    assert_true(facts.chroma_fraction == 0.25);
    assert_int_equal(facts.bits_stored, 8);
    reha_gray_free(image);
    buffer_free(&file);

    spec.palette_alpha = alpha;
    spec.alpha_count = 3;
    file = png_make(&spec, rows);
    image = decode_good(&file, NULL);
    assert_true(image->pixels[1] == 10.0f && image->pixels[2] == 0.0f);
    reha_gray_free(image);
    buffer_free(&file);
}

static void test_one_pixel_is_fine(void **state)
{
    (void)state;
    const uint8_t row[] = {0x12, 0x34};
    const png_spec spec = {.width = 1, .height = 1, .depth = 16, .colour = PNG_COLOR_TYPE_GRAY};
    buffer file = png_make(&spec, row);
    reha_gray *image = decode_good(&file, NULL);
    assert_true(image->pixels[0] == (float)0x1234);
    reha_gray_free(image);
    buffer_free(&file);
}

static buffer sample_file(bool interlaced)
{
    static uint8_t rows[40 * 40 * 8];
    reha_random random = reha_random_init(3, 3);
    for (size_t i = 0; i < sizeof rows; i++) {
        rows[i] = (uint8_t)reha_random_u32(&random);
    }
    const png_spec spec = {
        .width = 40, .height = 40, .depth = 16, .colour = PNG_COLOR_TYPE_RGB_ALPHA, .interlaced = interlaced};
    return png_make(&spec, rows);
}

static void test_truncated(void **state)
{
    (void)state;
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        buffer file = sample_file(interlaced != 0);
        check_truncations(&file);
        buffer_free(&file);
    }
}

static void test_flipped_bits(void **state)
{
    (void)state;
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        buffer file = sample_file(interlaced != 0);
        check_bit_flips(&file, 400);
        buffer_free(&file);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    buffer file = sample_file(true);
    check_out_of_memory(&file);
    buffer_free(&file);
}

static long most_memory_kib(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static void test_huge_headers(void **state)
{
    const long before_kib = most_memory_kib();
    (void)state;
    expect_bad(png_with_header(30000, 30000, 8, PNG_COLOR_TYPE_GRAY), REHA_E_LIMIT, "30000 x 30000");
    expect_bad(png_with_header(0x7fffffff, 0x7fffffff, 16, PNG_COLOR_TYPE_RGB_ALPHA), REHA_E_LIMIT, "claims");
    expect_bad(png_with_header(20000, 5001, 8, PNG_COLOR_TYPE_GRAY), REHA_E_LIMIT, "pixels");
    /* Within the limits, but no file of 100 bytes can hold it. */
    expect_bad(png_with_header(10000, 10000, 8, PNG_COLOR_TYPE_GRAY), REHA_E_FORMAT, "too short");
    /* Nothing is made ready for what is refused (libpng would take 16 GiB for one row of the second). */
    assert_true(most_memory_kib() - before_kib < 64L * 1024);
}

static void test_bad_headers(void **state)
{
    (void)state;
    expect_bad(png_with_header(0, 4, 8, PNG_COLOR_TYPE_GRAY), REHA_E_FORMAT, "PNG");
    expect_bad(png_with_header(4, 0, 8, PNG_COLOR_TYPE_GRAY), REHA_E_FORMAT, "PNG");
    expect_bad(png_with_header(0x80000001, 4, 8, PNG_COLOR_TYPE_GRAY), REHA_E_FORMAT, "PNG");
    expect_bad(png_with_header(4, 4, 3, PNG_COLOR_TYPE_GRAY), REHA_E_FORMAT, "PNG");
    expect_bad(png_with_header(4, 4, 4, PNG_COLOR_TYPE_RGB), REHA_E_FORMAT, "PNG");
    expect_bad(png_with_header(4, 4, 8, 5), REHA_E_FORMAT, "PNG");
    expect_bad(png_with_header(4, 4, 8, PNG_COLOR_TYPE_PALETTE), REHA_E_FORMAT, "PNG"); /* no palette */
    expect_bad(png_with_header(40, 40, 8, PNG_COLOR_TYPE_GRAY), REHA_E_FORMAT, "PNG");  /* rows missing */
}

static void test_bad_check_sum(void **state)
{
    (void)state;
    buffer file = sample_file(false);
    file.data[file.size - 20] ^= 0x10; /* inside the last IDAT or its check sum */
    expect_bad(file, REHA_E_FORMAT, "PNG");
    file = sample_file(false);
    file.data[29] ^= 1; /* check sum of IHDR */
    expect_bad(file, REHA_E_FORMAT, "PNG");
}

static void test_second_frame_is_not_there(void **state)
{
    (void)state;
    buffer file = sample_file(false);
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_int_equal(reha_image_decode_frame(file.data, file.size, 1, NULL, &image, NULL, &err),
                     REHA_E_NOT_FOUND);
    assert_null(image);
    buffer_free(&file);
}

static void test_own_limits(void **state)
{
    (void)state;
    buffer file = sample_file(true);
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    reha_image_limits limits = reha_image_limits_default();
    limits.decoded_bytes_max = 40 * 40 * 8; /* the floats fit, the interlaced raw rows do not */
    assert_int_equal(reha_image_decode(file.data, file.size, &limits, &image, NULL, &err), REHA_E_LIMIT);
    limits = reha_image_limits_default();
    limits.file_bytes_max = file.size - 1;
    assert_int_equal(reha_image_decode(file.data, file.size, &limits, &image, NULL, &err), REHA_E_LIMIT);
    limits.file_bytes_max = file.size;
    assert_ok(reha_image_decode(file.data, file.size, &limits, &image, NULL, &err), &err);
    reha_gray_free(image);
    buffer_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grey_of_every_depth),
        cmocka_unit_test(test_colour_is_luma),
        cmocka_unit_test(test_grey_stored_as_16_bit_colour),
        cmocka_unit_test(test_transparency_shows_black),
        cmocka_unit_test(test_colour_key),
        cmocka_unit_test(test_palette),
        cmocka_unit_test(test_one_pixel_is_fine),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_huge_headers),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_bad_check_sum),
        cmocka_unit_test(test_second_frame_is_not_there),
        cmocka_unit_test(test_own_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
