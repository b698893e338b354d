/* What a pixel cell means: sign, bits, colour, tables, padding, windows, frames. */
#include "builder.h"
#include "support.h"

#include "base/memory.h"
#include "dicom/dicom.h"
#include "dicom/voi_priv.h"

#include <math.h>
#include <zlib.h>

static reha_dicom *open_built(const builder *b)
{
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom;
    assert_ok(reha_dicom_open(b->data, b->length, NULL, &dicom, &err), &err);
    return dicom;
}

static void assert_opens_not(builder *b, reha_status expected)
{
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom;
    assert_int_equal(reha_dicom_open(b->data, b->length, NULL, &dicom, &err), expected);
    assert_null(dicom);
    assert_true(err.text[0] != '\0');
    b_end(b);
}

static void assert_pixels(const reha_gray *image, const float *expected, size_t count)
{
    assert_int_equal((size_t)image->width_px * image->height_px, count);
    for (size_t i = 0; i < count; i++) {
        if (fabsf(image->pixels[i] - expected[i]) > 1e-4f) {
            fail_msg("pixel %zu is %g, expected %g", i, (double)image->pixels[i], (double)expected[i]);
        }
    }
}

typedef enum view { VIEW_FRAME, VIEW_STORED, VIEW_DISPLAY } view;

static void assert_view(const reha_dicom *dicom, uint32_t frame_idx, view which, const float *expected,
                        size_t count)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    reha_status status = which == VIEW_FRAME ? reha_dicom_read_frame(dicom, frame_idx, &image, NULL, &err)
                         : which == VIEW_STORED
                             ? reha_dicom_read_stored(dicom, frame_idx, &image, &err)
                             : reha_dicom_read_display(dicom, frame_idx, NULL, &image, &err);
    assert_ok(status, &err);
    assert_pixels(image, expected, count);
    reha_gray_free(image);
}

/* Opens, compares one view of frame 0 and ends the builder. */
static void assert_built(builder *b, view which, const float *expected, size_t count)
{
    reha_dicom *dicom = open_built(b);
    assert_view(dicom, 0, which, expected, count);
    reha_dicom_close(dicom);
    b_end(b);
}

static builder grey16(const char *syntax, pixel_module module, const uint16_t *cells, size_t count)
{
    builder b = b_start(syntax);
    b_pixel_module(&b, module);
    b_words(&b, 0x7FE00010, cells, count);
    return b;
}

static void test_signed_16(void **state)
{
    static const uint16_t cells[] = {0x8000, 0xFFFF, 0, 0x7FFF};
    static const float expected[] = {-32768, -1, 0, 32767};
    static const char *const syntaxes[] = {TS_EXPLICIT, TS_IMPLICIT, TS_BIG_ENDIAN};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        builder b =
            grey16(syntaxes[i], (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16, .is_signed = 1},
                   cells, 4);
        assert_built(&b, VIEW_FRAME, expected, 4);
    }
}

/* Twelve signed bits in the middle of the word, overlay planes around them. */
static void test_bits_and_embedded_overlays(void **state)
{
    static const uint16_t cells[] = {0xC000 | 0x0800 << 2 | 3, 0x07FF << 2, 0x4000 | 0x0FFF << 2 | 1, 2};
    static const float expected[] = {-2048, 2047, -1, 0};
    static const uint16_t low_cells[] = {0xF123, 0x0FFF, 0x8000, 0x1001};
    static const float low_expected[] = {0x123, 0xFFF, 0, 1};
    (void)state;
    builder b = grey16(
        TS_EXPLICIT,
        (pixel_module){
            .columns = 2, .rows = 2, .bits_allocated = 16, .bits_stored = 12, .high_bit = 13, .is_signed = 1},
        cells, 4);
    assert_built(&b, VIEW_STORED, expected, 4);
    b = grey16(TS_EXPLICIT, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16, .bits_stored = 12},
               low_cells, 4);
    assert_built(&b, VIEW_STORED, low_expected, 4);
}

static void test_odd_widths_of_cells(void **state)
{
    static const uint8_t bits[] = {0xA5, 0x01}; /* lowest bit first */
    static const float bits_expected[] = {1, 0, 1, 0, 0, 1, 0, 1, 1};
    static const uint8_t longs[] = {0x00, 0x00, 0x01, 0x00, 0xFF, 0xFF, 0xFF, 0xFF};
    static const float longs_expected[] = {65536, -1};
    (void)state;
    builder b = b_start(TS_EXPLICIT);
    b_pixel_module(&b, (pixel_module){.columns = 3, .rows = 3, .bits_allocated = 1});
    b_octets(&b, 0x7FE00010, "OB", bits, sizeof(bits));
    assert_built(&b, VIEW_FRAME, bits_expected, 9);
    b = b_start(TS_EXPLICIT);
    b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 1, .bits_allocated = 32, .is_signed = 1});
    b_octets(&b, 0x7FE00010, "OW", longs, sizeof(longs));
    assert_built(&b, VIEW_FRAME, longs_expected, 2);
}

/* In big endian files 8-bit pixels written as words lie swapped. */
static void test_big_endian_8_bit(void **state)
{
    static const uint16_t words[] = {0x0201, 0x0403, 0x0605, 0x0807, 0x0009};
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const float expected[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    (void)state;
    builder b = b_start(TS_BIG_ENDIAN);
    b_pixel_module(&b, (pixel_module){.columns = 3, .rows = 3, .bits_allocated = 8});
    b_words(&b, 0x7FE00010, words, 5);
    assert_built(&b, VIEW_FRAME, expected, 9);
    b = b_start(TS_BIG_ENDIAN);
    b_pixel_module(&b, (pixel_module){.columns = 3, .rows = 3, .bits_allocated = 8});
    b_octets(&b, 0x7FE00010, "OB", bytes, sizeof(bytes));
    assert_built(&b, VIEW_FRAME, expected, 9);
}

static void test_monochrome1(void **state)
{
    static const uint16_t cells[] = {0, 1000, 4095, 5};
    static const float turned[] = {4095, 3095, 0, 4090};
    static const float stored[] = {0, 1000, 4095, 5};
    static const float rescaled[] = {4095 * 2 - 10, 3095 * 2 - 10, -10, 4090 * 2 - 10};
    const pixel_module module = {
        .columns = 2, .rows = 2, .bits_allocated = 16, .bits_stored = 12, .photometric = "MONOCHROME1"};
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image;
    reha_acquisition facts;
    (void)state;
    builder b = grey16(TS_EXPLICIT, module, cells, 4);
    reha_dicom *dicom = open_built(&b);
    assert_view(dicom, 0, VIEW_STORED, stored, 4);
    assert_ok(reha_dicom_read_frame(dicom, 0, &image, &facts, &err), &err);
    assert_pixels(image, turned, 4);
    assert_true(facts.was_monochrome1 && facts.bits_stored == 12);
    reha_gray_free(image);
    reha_dicom_close(dicom);
    b_end(&b);

    b = b_start(TS_EXPLICIT);
    b_pixel_module(&b, module);
    b_text(&b, 0x00281052, "DS", "-10");
    b_text(&b, 0x00281053, "DS", "2");
    b_words(&b, 0x7FE00010, cells, 4);
    assert_built(&b, VIEW_FRAME, rescaled, 4);
}

static void test_monochrome1_signed(void **state)
{
    static const uint16_t cells[] = {0xFF80, 0x007F, 0, 0xFFFF};
    static const float turned[] = {127, -128, -1, 0};
    (void)state;
    builder b = grey16(TS_EXPLICIT,
                       (pixel_module){.columns = 2,
                                      .rows = 2,
                                      .bits_allocated = 16,
                                      .bits_stored = 8,
                                      .is_signed = 1,
                                      .photometric = "MONOCHROME1"},
                       cells, 4);
    assert_built(&b, VIEW_FRAME, turned, 4);
}

static void test_rescale(void **state)
{
    static const uint16_t cells[] = {0, 1, 1000, 65535};
    static const struct {
        const char *slope;
        const char *intercept;
        float expected[4];
    } table[] = {
        {"1", "-1024", {-1024, -1023, -24, 64511}}, {"0.5", "1", {1, 1.5f, 501, 32768.5f}},
        {"-1", "0", {0, -1, -1000, -65535}},        {"0", "7", {0, 1, 1000, 65535}}, /* unusable */
        {"nan", "0", {0, 1, 1000, 65535}},          {"1e300", "0", {0, 1, 1000, 65535}},
        {"1", "1e300", {0, 1, 1000, 65535}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        builder b = b_start(TS_EXPLICIT);
        b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16});
        b_text(&b, 0x00281052, "DS", table[i].intercept);
        b_text(&b, 0x00281053, "DS", table[i].slope);
        b_words(&b, 0x7FE00010, cells, 4);
        assert_built(&b, VIEW_FRAME, table[i].expected, 4);
    }
}

static void test_modality_lut(void **state)
{
    static const uint16_t cells[] = {0, 10, 11, 100};
    static const uint16_t entries[] = {500, 600, 700};
    static const float expected[] = {500, 500, 600, 700};
    (void)state;
    builder b = b_start(TS_EXPLICIT);
    b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16});
    b_sequence(&b, 0x00283000);
    b_item(&b);
    b_u16x3(&b, 0x00283002, 3, 10, 16);
    b_words(&b, 0x00283006, entries, 3);
    b_item_end(&b);
    b_sequence_end(&b);
    b_words(&b, 0x7FE00010, cells, 4);
    assert_built(&b, VIEW_FRAME, expected, 4);
}

static void test_padding(void **state)
{
    static const uint16_t cells[] = {0xF830, 100, 300, 0xF830}; /* -2000 */
    static const float expected[] = {100 - 5, 100 - 5, 300 - 5, 100 - 5};
    static const float stored[] = {-2000, 100, 300, -2000};
    static const float display[] = {0, 0, 1, 0};
    static const uint16_t range_cells[] = {0, 3, 9, 7};
    static const float range_expected[] = {7, 7, 9, 7};
    static const uint16_t all_cells[] = {9, 9, 9, 9};
    static const float all_expected[] = {0, 0, 0, 0};
    (void)state;
    builder b = b_start(TS_EXPLICIT);
    b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16, .is_signed = 1});
    b_u16(&b, 0x00280120, 0xF830);
    b_text(&b, 0x00281052, "DS", "-5");
    b_text(&b, 0x00281053, "DS", "1");
    b_words(&b, 0x7FE00010, cells, 4);
    reha_dicom *dicom = open_built(&b);
    assert_view(dicom, 0, VIEW_FRAME, expected, 4);
    assert_view(dicom, 0, VIEW_STORED, stored, 4);
    assert_view(dicom, 0, VIEW_DISPLAY, display, 4);
    reha_dicom_close(dicom);
    b_end(&b);

    b = b_start(TS_EXPLICIT);
    b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16});
    b_u16(&b, 0x00280120, 0);
    b_u16(&b, 0x00280121, 5);
    b_words(&b, 0x7FE00010, range_cells, 4);
    assert_built(&b, VIEW_FRAME, range_expected, 4);

    b = b_start(TS_EXPLICIT);
    b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16});
    b_u16(&b, 0x00280120, 9);
    b_words(&b, 0x7FE00010, all_cells, 4);
    assert_built(&b, VIEW_FRAME, all_expected, 4);
}

/* Padding of a MONOCHROME1 film is black background after it is turned over, too. */
static void test_padding_monochrome1(void **state)
{
    static const uint16_t cells[] = {0, 50, 200, 255};
    static const float expected[] = {0, 205, 55, 0};
    (void)state;
    builder b = b_start(TS_EXPLICIT);
    b_pixel_module(
        &b,
        (pixel_module){
            .columns = 2, .rows = 2, .bits_allocated = 16, .bits_stored = 8, .photometric = "MONOCHROME1"});
    b_u16(&b, 0x00280120, 0);
    b_words(&b, 0x7FE00010, cells, 4);
    assert_built(&b, VIEW_FRAME, expected, 4);
}

static void test_windows(void **state)
{
    static const uint16_t cells[] = {0, 100, 150, 200};
    static const struct {
        const char *center;
        const char *width;
        const char *shape;
        float expected[4];
    } table[] = {
        {"150", "101", NULL, {0, 0.005f, 0.505f, 1}},
        {"150", "100", "LINEAR_EXACT", {0, 0, 0.5f, 1}},
        {"150", "50", "SIGMOID", {6.1441746e-6f, 0.01798621f, 0.5f, 0.98201379f}},
        {"150", "1", NULL, {0, 0, 1, 1}},
        {NULL, NULL, NULL, {0, 0.5f, 0.75f, 1}},
        {"150", "0", NULL, {0, 0.5f, 0.75f, 1}}, /* unusable windows: the span of the values */
        {"150", "-5", NULL, {0, 0.5f, 0.75f, 1}},
        {"nan", "100", NULL, {0, 0.5f, 0.75f, 1}},
        {"1e300", "1e300", NULL, {0, 0.5f, 0.75f, 1}},
        {"150\\40", "101\\400", NULL, {0, 0.005f, 0.505f, 1}}, /* the first of several */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        builder b = b_start(TS_EXPLICIT);
        b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16});
        if (table[i].center != NULL) {
            b_text(&b, 0x00281050, "DS", table[i].center);
            b_text(&b, 0x00281051, "DS", table[i].width);
        }
        if (table[i].shape != NULL) {
            b_text(&b, 0x00281056, "CS", table[i].shape);
        }
        b_words(&b, 0x7FE00010, cells, 4);
        assert_built(&b, VIEW_DISPLAY, table[i].expected, 4);
    }
}

static void test_own_window_and_inversion(void **state)
{
    static const uint16_t cells[] = {0, 100, 150, 200};
    static const float expected[] = {1, 1, 0.5f, 0};
    const reha_window window = {150.0, 100.0, REHA_WINDOW_LINEAR_EXACT};
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image;
    (void)state;
    builder b =
        grey16(TS_EXPLICIT,
               (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16, .photometric = "MONOCHROME1"},
               cells, 4);
    reha_dicom *dicom = open_built(&b);
    assert_ok(reha_dicom_read_display(dicom, 0, &window, &image, &err), &err);
    assert_pixels(image, expected, 4);
    reha_gray_free(image);
    reha_dicom_close(dicom);
    b_end(&b);
}

static void test_voi_lut(void **state)
{
    static const uint16_t cells[] = {0, 10, 11, 12};
    static const uint16_t entries[] = {0, 51, 255};
    static const float expected[] = {0, 0, 0.2f, 1};
    static const float span[] = {0, 10 / 12.0f, 11 / 12.0f, 1};
    (void)state;
    for (int has_data = 0; has_data < 2; has_data++) {
        builder b = b_start(TS_EXPLICIT);
        b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16});
        b_sequence(&b, 0x00283010);
        b_item(&b);
        b_u16x3(&b, 0x00283002, 3, 10, 8);
        b_words(&b, 0x00283006, entries, has_data ? 3 : 0);
        b_item_end(&b);
        b_sequence_end(&b);
        b_words(&b, 0x7FE00010, cells, 4);
        assert_built(&b, VIEW_DISPLAY, has_data ? expected : span, 4);
    }
}

/* A window in place of a table: the same for a straight one; a falling one has none, so that the span of the
 * values (without padding) counts. */
static void test_window_near_to_a_lut(void **state)
{
    enum { ENTRIES = 256, FIRST = 1000 };
    static const uint16_t cells[] = {FIRST, FIRST + 100, FIRST + 200, FIRST + 255};
    uint16_t entries[ENTRIES];
    (void)state;
    for (int is_falling = 0; is_falling < 2; is_falling++) {
        for (int i = 0; i < ENTRIES; i++) {
            entries[i] = (uint16_t)(257 * (is_falling ? ENTRIES - 1 - i : i));
        }
        builder b = b_start(TS_EXPLICIT);
        b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16});
        b_u16(&b, 0x00280120, FIRST + 255); /* padding */
        b_sequence(&b, 0x00283010);
        b_item(&b);
        b_u16x3(&b, 0x00283002, ENTRIES, FIRST, 16);
        b_words(&b, 0x00283006, entries, ENTRIES);
        b_item_end(&b);
        b_sequence_end(&b);
        b_words(&b, 0x7FE00010, cells, 4);
        reha_dicom *dicom = open_built(&b);
        const reha_window window = reha_dcm_shown_window(dicom, 0);
        const double low =
            window.center - 0.5 - 0.5 * (window.width - 1.0); /* black below, white from high */
        const double high = low + window.width - 1.0;
        assert_float_equal(low, FIRST, is_falling ? 0.0 : 1.0);
        assert_float_equal(high, is_falling ? FIRST + 200 : FIRST + 255, is_falling ? 0.0 : 1.0);
        reha_dicom_close(dicom);
        b_end(&b);
    }
}

static void put_palette(builder *b, uint16_t bits, const uint16_t red[4], const uint16_t green[4],
                        const uint16_t blue[4])
{
    b_u16x3(b, 0x00281101, 4, 0, bits);
    b_u16x3(b, 0x00281102, 4, 0, bits);
    b_u16x3(b, 0x00281103, 4, 0, bits);
    b_words(b, 0x00281201, red, 4);
    b_words(b, 0x00281202, green, 4);
    b_words(b, 0x00281203, blue, 4);
}

static void test_palette(void **state)
{
    static const uint8_t cells[] = {0, 1, 2, 9};
    static const uint16_t wide[3][4] = {{0, 65535, 65535, 0}, {0, 65535, 0, 0}, {0, 65535, 0, 65535}};
    static const uint16_t narrow[3][4] = {{0, 255, 255, 0}, {0, 255, 0, 0}, {0, 255, 0, 255}};
    static const float expected[] = {0, 255, 0.299f * 255, 0.114f * 255};
    (void)state;
    for (int k = 0; k < 3; k++) { /* 16 bit, 16 bit declared but 8 used, 8 bit in words */
        const uint16_t(*palette)[4] = k == 0 ? wide : narrow;
        reha_error err = REHA_ERROR_INIT;
        reha_gray *image;
        reha_acquisition facts;
        builder b = b_start(TS_EXPLICIT);
        b_pixel_module(
            &b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 8, .photometric = "PALETTE COLOR"});
        put_palette(&b, k == 2 ? 8 : 16, palette[0], palette[1], palette[2]);
        b_octets(&b, 0x7FE00010, "OB", cells, sizeof(cells));
        reha_dicom *dicom = open_built(&b);
        assert_ok(reha_dicom_read_frame(dicom, 0, &image, &facts, &err), &err);
        assert_pixels(image, expected, 4);
        assert_true(fabs(facts.chroma_fraction - 0.5) < 1e-9);
        reha_gray_free(image);
        reha_dicom_close(dicom);
        b_end(&b);
    }
}

static void test_bad_palettes(void **state)
{
    static const uint16_t entries[4];
    static const uint8_t cells[4];
    (void)state;
    for (int k = 0; k < 5; k++) { /* absent, short, 0 bits, 17 bits, segmented */
        reha_error err = REHA_ERROR_INIT;
        reha_gray *image;
        builder b = b_start(TS_EXPLICIT);
        b_pixel_module(
            &b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 8, .photometric = "PALETTE COLOR"});
        if (k == 1) {
            b_u16x3(&b, 0x00281101, 0, 0, 16); /* 0 stands for 65536 */
        } else if (k > 1) {
            b_u16x3(&b, 0x00281101, 4, 0, k == 2 ? 0 : 17);
        }
        b_words(&b, k == 4 ? 0x00281221 : 0x00281201, entries, 4);
        b_octets(&b, 0x7FE00010, "OB", cells, sizeof(cells));
        reha_dicom *dicom = open_built(&b);
        assert_int_equal(reha_dicom_read_frame(dicom, 0, &image, NULL, &err),
                         k == 4 ? REHA_E_UNSUPPORTED : REHA_E_FORMAT);
        assert_null(image);
        reha_dicom_close(dicom);
        b_end(&b);
    }
}

static void test_colour(void **state)
{
    static const uint8_t interleaved[] = {10, 10, 10, 255, 0, 0, 0, 255, 0, 7, 7, 7};
    static const uint8_t planar[] = {10, 255, 0, 7, 10, 0, 255, 7, 10, 0, 0, 7};
    static const float expected[] = {10, 0.299f * 255, 0.587f * 255, 7};
    static const uint8_t ybr[] = {10, 128, 128, 76, 85, 255, 150, 44, 21, 7, 128, 128};
    static const float ybr_expected[] = {10, 76, 150, 7};
    static const uint8_t ybr_422[] = {10, 20, 128, 128, 76, 75, 85, 255};
    static const float ybr_422_expected[] = {10, 20, 76, 75};
    static const struct {
        const char *photometric;
        uint16_t planar;
        const uint8_t *cells;
        size_t count;
        const float *expected;
    } table[] = {{"RGB", 0, interleaved, 12, expected},
                 {"RGB", 1, planar, 12, expected},
                 {"YBR_FULL", 0, ybr, 12, ybr_expected},
                 {"YBR_FULL_422", 0, ybr_422, 8, ybr_422_expected}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_gray *image;
        reha_acquisition facts;
        builder b = b_start(TS_EXPLICIT);
        b_pixel_module(&b, (pixel_module){.columns = 2,
                                          .rows = 2,
                                          .samples = 3,
                                          .bits_allocated = 8,
                                          .photometric = table[i].photometric});
        b_u16(&b, 0x00280006, table[i].planar);
        b_octets(&b, 0x7FE00010, "OB", table[i].cells, table[i].count);
        reha_dicom *dicom = open_built(&b);
        assert_ok(reha_dicom_read_frame(dicom, 0, &image, &facts, &err), &err);
        assert_pixels(image, table[i].expected, 4);
        assert_true(fabs(facts.chroma_fraction - 0.5) < 1e-9);
        reha_gray_free(image);
        reha_dicom_close(dicom);
        b_end(&b);
    }
}

static void test_frames(void **state)
{
    static const uint16_t cells[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const float second[] = {5, 6, 7, 8};
    static const float third[] = {9, 10, 11, 12};
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image;
    (void)state;
    builder b = b_start(TS_EXPLICIT);
    b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16});
    b_text(&b, 0x00280008, "IS", "3");
    b_words(&b, 0x7FE00010, cells, 12);
    reha_dicom *dicom = open_built(&b);
    assert_int_equal(reha_dicom_frame_count(dicom), 3);
    assert_view(dicom, 1, VIEW_FRAME, second, 4);
    assert_view(dicom, 2, VIEW_FRAME, third, 4);
    assert_int_equal(reha_dicom_read_frame(dicom, 3, &image, NULL, &err), REHA_E_NOT_FOUND);
    assert_int_equal(reha_dicom_read_frame(dicom, UINT32_MAX, &image, NULL, &err), REHA_E_NOT_FOUND);
    reha_dicom_close(dicom);
    b_end(&b);
}

/* Frames of 9 bits each: the second begins within a byte. */
static void test_bit_frames(void **state)
{
    static const uint8_t bits[] = {0x00, 0xFE, 0x03, 0x00}; /* 9 zeros, 9 ones */
    static const float zeros[9] = {0};
    static const float ones[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    (void)state;
    builder b = b_start(TS_EXPLICIT);
    b_pixel_module(&b, (pixel_module){.columns = 3, .rows = 3, .bits_allocated = 1});
    b_text(&b, 0x00280008, "IS", "2");
    b_octets(&b, 0x7FE00010, "OB", bits, sizeof(bits));
    reha_dicom *dicom = open_built(&b);
    assert_view(dicom, 0, VIEW_FRAME, zeros, 9);
    assert_view(dicom, 1, VIEW_FRAME, ones, 9);
    reha_dicom_close(dicom);
    b_end(&b);
}

/* An RLE stream of one segment for each byte plane. */
static size_t rle_frame(uint8_t out[128], const uint8_t *high, size_t high_bytes, const uint8_t *low,
                        size_t low_bytes)
{
    memset(out, 0, 128);
    out[0] = 2;
    out[4] = 64;
    out[8] = (uint8_t)(64 + high_bytes);
    memcpy(out + 64, high, high_bytes);
    memcpy(out + 64 + high_bytes, low, low_bytes);
    return 64 + high_bytes + low_bytes;
}

static void test_rle_frames_with_table(void **state)
{
    static const uint8_t high[] = {0xFD, 0x01};            /* four times 1 */
    static const uint8_t low[] = {0x80, 0x03, 5, 6, 7, 8}; /* no operation, four literals */
    static const uint8_t short_low[] = {0x01, 5, 6};       /* two of four */
    static const float expected[] = {261, 262, 263, 264};
    uint8_t stream[128];
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image;
    (void)state;
    builder b = b_start(TS_RLE);
    b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16});
    b_text(&b, 0x00280008, "IS", "2");
    b_header(&b, 0x7FE00010, "OB", 0xFFFFFFFFu);
    b_fragment(&b, "", 0);
    b_fragment(&b, stream, rle_frame(stream, high, sizeof(high), low, sizeof(low)));
    b_fragment(&b, stream, rle_frame(stream, high, sizeof(high), short_low, sizeof(short_low)));
    b_sequence_end(&b);
    reha_dicom *dicom = open_built(&b);
    assert_view(dicom, 0, VIEW_FRAME, expected, 4);
    assert_int_equal(reha_dicom_read_frame(dicom, 1, &image, NULL, &err), REHA_E_FORMAT);
    reha_dicom_close(dicom);
    b_end(&b);
}

static void test_bad_rle(void **state)
{
    static const uint8_t high[] = {0xFD, 0x01};
    static const uint8_t low[] = {0x03, 5, 6, 7, 8};
    (void)state;
    for (int k = 0; k < 6; k++) {
        uint8_t stream[128];
        reha_error err = REHA_ERROR_INIT;
        reha_gray *image;
        size_t length = rle_frame(stream, high, sizeof(high), low, sizeof(low));
        stream[0] = k == 0 ? 1 : k == 1 ? 255 : stream[0]; /* wrong number of segments */
        stream[4] = k == 2 ? 3 : stream[4];                /* segment within the header */
        stream[11] = k == 3 ? 0x7F : stream[11];           /* segment behind the end */
        stream[8] = k == 4 ? 60 : stream[8];               /* segments in reverse */
        length = k == 5 ? 40 : length;                     /* no header */
        builder b = b_start(TS_RLE);
        b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16});
        b_header(&b, 0x7FE00010, "OB", 0xFFFFFFFFu);
        b_fragment(&b, "", 0);
        b_fragment(&b, stream, length);
        b_sequence_end(&b);
        reha_dicom *dicom = open_built(&b);
        assert_int_equal(reha_dicom_read_frame(dicom, 0, &image, NULL, &err), REHA_E_FORMAT);
        assert_null(image);
        reha_dicom_close(dicom);
        b_end(&b);
    }
}

static builder deflated(const builder *plain, size_t from)
{
    uint8_t packed[4096];
    z_stream stream = {.next_in = plain->data + from, .avail_in = (uInt)(plain->length - from)};
    builder b = b_start(TS_DEFLATED);
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_out = packed;
    stream.avail_out = sizeof(packed);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    b_bytes(&b, packed, sizeof(packed) - stream.avail_out);
    (void)deflateEnd(&stream);
    return b;
}

static void test_deflated(void **state)
{
    static const uint16_t cells[] = {1, 2, 3, 65535};
    static const float expected[] = {1, 2, 3, 65535};
    (void)state;
    builder plain =
        grey16(TS_EXPLICIT, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 16}, cells, 4);
    builder start = b_start(TS_EXPLICIT);
    builder b = deflated(&plain, start.length);
    builder cut = b_start(TS_DEFLATED);
    b_bytes(&cut, b.data + cut.length, b.length - cut.length - 3);
    assert_built(&b, VIEW_FRAME, expected, 4);
    assert_opens_not(&cut, REHA_E_FORMAT);
    builder empty = b_start(TS_DEFLATED);
    assert_opens_not(&empty, REHA_E_FORMAT);
    b_end(&start);
    b_end(&plain);
}

static void test_refused_modules(void **state)
{
    static const uint8_t cells[64];
    static const struct {
        pixel_module module;
        reha_status expected;
    } table[] = {
        {{.columns = 0, .rows = 2, .bits_allocated = 8}, REHA_E_FORMAT},
        {{.columns = 2, .rows = 0, .bits_allocated = 8}, REHA_E_FORMAT},
        {{.columns = 2, .rows = 2, .bits_allocated = 12}, REHA_E_UNSUPPORTED},
        {{.columns = 2, .rows = 2, .bits_allocated = 64}, REHA_E_UNSUPPORTED},
        {{.columns = 2, .rows = 2, .bits_allocated = 8, .bits_stored = 9}, REHA_E_FORMAT},
        {{.columns = 2, .rows = 2, .bits_allocated = 8, .high_bit = 8}, REHA_E_FORMAT},
        {{.columns = 2, .rows = 2, .bits_allocated = 16, .bits_stored = 12, .high_bit = 10}, REHA_E_FORMAT},
        {{.columns = 2, .rows = 2, .bits_allocated = 8, .is_signed = 2}, REHA_E_FORMAT},
        {{.columns = 2, .rows = 2, .bits_allocated = 8, .photometric = "RGB"}, REHA_E_FORMAT},
        {{.columns = 2, .rows = 2, .bits_allocated = 8, .samples = 2}, REHA_E_FORMAT},
        {{.columns = 2, .rows = 2, .bits_allocated = 8, .samples = 5}, REHA_E_FORMAT},
        {{.columns = 2, .rows = 2, .bits_allocated = 8, .photometric = "HSV"}, REHA_E_UNSUPPORTED},
        {{.columns = 2, .rows = 2, .bits_allocated = 8, .photometric = ""}, REHA_E_FORMAT},
        {{.columns = 3, .rows = 2, .bits_allocated = 8, .samples = 3, .photometric = "YBR_FULL_422"},
         REHA_E_FORMAT},
        {{.columns = 2, .rows = 2, .bits_allocated = 8, .samples = 3, .is_signed = 1, .photometric = "RGB"},
         REHA_E_UNSUPPORTED},
        {{.columns = 9, .rows = 8, .bits_allocated = 8}, REHA_E_FORMAT}, /* 72 of 64 bytes */
        {{.columns = 60000, .rows = 60000, .bits_allocated = 8}, REHA_E_LIMIT},
        {{.columns = 30000, .rows = 2, .bits_allocated = 8}, REHA_E_LIMIT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        builder b = b_start(TS_EXPLICIT);
        b_pixel_module(&b, table[i].module);
        b_octets(&b, 0x7FE00010, "OB", cells, sizeof(cells));
        assert_opens_not(&b, table[i].expected);
    }
}

static void test_refused_frames(void **state)
{
    static const uint8_t cells[64];
    static const struct {
        const char *frames;
        reha_status expected;
    } table[] = {{"0", REHA_E_FORMAT},         {"-1", REHA_E_FORMAT},        {"1.5", REHA_E_FORMAT},
                 {"many", REHA_E_FORMAT},      {"17", REHA_E_FORMAT},        {"2001", REHA_E_LIMIT},
                 {"4294967297", REHA_E_LIMIT}, {"99999999999", REHA_E_LIMIT}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        builder b = b_start(TS_EXPLICIT);
        b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 8});
        b_text(&b, 0x00280008, "IS", table[i].frames);
        b_octets(&b, 0x7FE00010, "OB", cells, sizeof(cells));
        assert_opens_not(&b, table[i].expected);
    }
}

static void test_refused_syntaxes(void **state)
{
    static const char *const uids[] = {"1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.201", "1.2.3", TS_RLE};
    static const uint8_t cells[4];
    (void)state;
    for (size_t i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
        builder b = b_start(uids[i]);
        b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 8});
        b_octets(&b, 0x7FE00010, "OB", cells, sizeof(cells));
        /* RLE is known, but its pixel data must be encapsulated. */
        assert_opens_not(&b, strcmp(uids[i], TS_RLE) == 0 ? REHA_E_FORMAT : REHA_E_UNSUPPORTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signed_16),
        cmocka_unit_test(test_bits_and_embedded_overlays),
        cmocka_unit_test(test_odd_widths_of_cells),
        cmocka_unit_test(test_big_endian_8_bit),
        cmocka_unit_test(test_monochrome1),
        cmocka_unit_test(test_monochrome1_signed),
        cmocka_unit_test(test_rescale),
        cmocka_unit_test(test_modality_lut),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_padding_monochrome1),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_own_window_and_inversion),
        cmocka_unit_test(test_voi_lut),
        cmocka_unit_test(test_window_near_to_a_lut),
        cmocka_unit_test(test_palette),
        cmocka_unit_test(test_bad_palettes),
        cmocka_unit_test(test_colour),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_bit_frames),
        cmocka_unit_test(test_rle_frames_with_table),
        cmocka_unit_test(test_bad_rle),
        cmocka_unit_test(test_deflated),
        cmocka_unit_test(test_refused_modules),
        cmocka_unit_test(test_refused_frames),
        cmocka_unit_test(test_refused_syntaxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
