/* Drawing: pixels where they belong, files that can be read back, errors that are kept. */
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "image/draw.h"
#include "image/load.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const reha_colour WHITE = {1, 1, 1, 1};
static const reha_colour BLACK = {0, 0, 0, 1};

static reha_canvas *new_picture(uint32_t width, uint32_t height)
{
    reha_canvas *canvas = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_canvas_new_picture(width, height, WHITE, &canvas, &err), &err);
    return canvas;
}

/* Encodes, decodes, frees the canvas. */
static reha_gray *read_back(reha_canvas *canvas, reha_acquisition *facts)
{
    reha_error err = REHA_ERROR_INIT;
    uint8_t *bytes = NULL;
    size_t count = 0;
    assert_ok(reha_canvas_encode(canvas, &bytes, &count, &err), &err);
    reha_gray *image = NULL;
    assert_ok(reha_image_decode(bytes, count, NULL, &image, facts, &err), &err);
    reha_free(bytes);
    reha_canvas_free(canvas);
    return image;
}

static void test_shapes_are_where_they_belong(void **state)
{
    (void)state;
    reha_canvas *canvas = new_picture(100, 80);
    reha_canvas_fill_box(canvas, (reha_rect){10, 20, 30, 10}, 0, BLACK);
    reha_canvas_fill_circle(canvas, (reha_spot){70, 40}, 10, BLACK);
    reha_canvas_line(canvas, (reha_spot){0, 70.5}, (reha_spot){100, 70.5}, (reha_stroke){BLACK, 1, 0});
    const reha_spot triangle[3] = {{5, 50}, {25, 50}, {5, 65}};
    reha_canvas_fill_polygon(canvas, triangle, 3, BLACK);
    reha_acquisition facts;
    reha_gray *image = read_back(canvas, &facts);
    assert_int_equal(image->width_px, 100);
    assert_int_equal(image->height_px, 80);
    assert_true(reha_gray_at(image, 9, 25) == 255.0f);
    assert_true(reha_gray_at(image, 10, 20) == 0.0f);
    assert_true(reha_gray_at(image, 39, 29) == 0.0f);
    assert_true(reha_gray_at(image, 40, 29) == 255.0f);
    assert_true(reha_gray_at(image, 70, 40) == 0.0f);
    assert_true(reha_gray_at(image, 78, 47) == 255.0f);
    assert_true(reha_gray_at(image, 50, 70) == 0.0f && reha_gray_at(image, 50, 71) == 255.0f);
    assert_true(reha_gray_at(image, 7, 53) == 0.0f && reha_gray_at(image, 22, 62) == 255.0f);
    assert_true(facts.chroma_fraction == 0.0);
    reha_gray_free(image);
}

static void test_outlines_and_dashes(void **state)
{
    (void)state;
    reha_canvas *canvas = new_picture(100, 100);
    reha_canvas_box(canvas, (reha_rect){10.5, 10.5, 80, 80}, 0, (reha_stroke){BLACK, 1, 10});
    reha_canvas_circle(canvas, (reha_spot){50, 50}, 20, (reha_stroke){BLACK, 2, 0});
    reha_gray *image = read_back(canvas, NULL);
    int dark = 0;
    for (uint32_t x = 12; x < 88; x++) {
        dark += reha_gray_at(image, x, 10) < 128.0f;
    }
    assert_true(dark > 25 && dark < 55); /* about half of it */
    assert_true(reha_gray_at(image, 50, 50) == 255.0f);
    assert_true(reha_gray_at(image, 50, 30) < 30.0f);
    reha_gray_free(image);
}

static void test_clip(void **state)
{
    (void)state;
    reha_canvas *canvas = new_picture(50, 50);
    reha_canvas_clip(canvas, (reha_rect){10, 10, 10, 10});
    reha_canvas_fill_box(canvas, (reha_rect){0, 0, 50, 50}, 0, BLACK);
    reha_canvas_unclip(canvas);
    reha_canvas_fill_box(canvas, (reha_rect){40, 40, 5, 5}, 0, BLACK);
    reha_gray *image = read_back(canvas, NULL);
    assert_true(reha_gray_at(image, 15, 15) == 0.0f && reha_gray_at(image, 25, 25) == 255.0f);
    assert_true(reha_gray_at(image, 42, 42) == 0.0f);
    reha_gray_free(image);
}

static reha_gray *ramp(uint32_t side)
{
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_gray_new(side, side, &image, &err), &err);
    for (size_t i = 0; i < (size_t)side * side; i++) {
        image->pixels[i] = (float)(i % side) * 10.0f + (float)(i / side);
    }
    return image;
}

static void test_an_image_at_its_own_size_is_itself(void **state)
{
    (void)state;
    reha_gray *source = ramp(20);
    reha_canvas *canvas = new_picture(40, 40);
    reha_canvas_gray(canvas, source, (reha_rect){10, 5, 20, 20}, 0.0f, 255.0f);
    reha_gray *image = read_back(canvas, NULL);
    for (uint32_t y = 0; y < 20; y++) {
        for (uint32_t x = 0; x < 20; x++) {
            assert_float_equal(reha_gray_at(image, x + 10, y + 5), reha_gray_at(source, x, y), 1.01);
        }
    }
    assert_true(reha_gray_at(image, 9, 10) == 255.0f && reha_gray_at(image, 30, 10) == 255.0f);
    reha_gray_free(image);
    reha_gray_free(source);
}

static void test_window_cuts(void **state)
{
    (void)state;
    reha_gray *source = ramp(20);
    reha_canvas *canvas = new_picture(20, 20);
    reha_canvas_gray(canvas, source, (reha_rect){0, 0, 20, 20}, 50.0f, 100.0f);
    reha_gray *image = read_back(canvas, NULL);
    assert_true(reha_gray_at(image, 2, 5) == 0.0f && reha_gray_at(image, 15, 5) == 255.0f);
    assert_float_equal(reha_gray_at(image, 7, 5), 127.5, 1.5);
    reha_gray_free(image);
    reha_gray_free(source);
}

/* A bright pixel shown anywhere is where reha_canvas_place says. */
static void test_place(void **state)
{
    (void)state;
    reha_gray *source = ramp(30);
    memset(source->pixels, 0, 900 * sizeof(float));
    source->pixels[7 * 30 + 22] = 1.0f;
    const reha_rect box = {13, 21, 150, 90};
    reha_canvas *canvas = new_picture(200, 150);
    reha_canvas_gray(canvas, source, box, 0.0f, 1.0f);
    reha_gray *image = read_back(canvas, NULL);
    double sum = 0.0, at_x = 0.0, at_y = 0.0;
    for (uint32_t y = 21; y < 111; y++) {
        for (uint32_t x = 13; x < 163; x++) {
            const double value = (double)reha_gray_at(image, x, y);
            sum += value;
            at_x += value * (x + 0.5);
            at_y += value * (y + 0.5);
        }
    }
    const reha_spot wanted = reha_canvas_place(source, box, (reha_point_px){22, 7});
    assert_float_equal(at_x / sum, wanted.x, 0.1);
    assert_float_equal(at_y / sum, wanted.y, 0.1);
    reha_gray_free(image);
    reha_gray_free(source);
}

static void test_fit_keeps_the_shape(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    assert_ok(reha_gray_new(200, 100, &image, &err), &err);
    reha_rect box = reha_rect_fit(image, (reha_rect){0, 0, 100, 100});
    assert_float_equal(box.height, 50.0, 1e-9);
    assert_float_equal(box.y, 25.0, 1e-9);
    image->spacing = (reha_spacing){0.1, 0.4, REHA_SPACING_CALIBRATED}; /* half as wide as high in mm */
    box = reha_rect_fit(image, (reha_rect){10, 0, 100, 100});
    assert_float_equal(box.width, 50.0, 1e-9);
    assert_float_equal(box.x, 35.0, 1e-9);
    reha_gray_free(image);
}

static void test_heat_leaves_nothing_where_there_is_nothing(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *map = NULL;
    assert_ok(reha_gray_new(10, 10, &map, &err), &err);
    for (size_t i = 0; i < 100; i++) {
        map->pixels[i] = i % 10 < 5 ? 0.0f : 1.0f;
    }
    map->pixels[0] = NAN;
    reha_canvas *canvas = new_picture(100, 100);
    reha_canvas_heat(canvas, map, (reha_rect){0, 0, 100, 100}, 0.5);
    reha_acquisition facts;
    reha_gray *image = read_back(canvas, &facts);
    assert_true(reha_gray_at(image, 20, 50) == 255.0f);
    const reha_colour top = reha_heat_colour(1.0);
    const double luma = 255.0 * (0.299 * top.red + 0.587 * top.green + 0.114 * top.blue);
    assert_float_equal(reha_gray_at(image, 80, 50), 0.5 * luma + 0.5 * 255.0, 2.0);
    assert_true(facts.chroma_fraction > 0.3);
    reha_gray_free(image);
    reha_gray_free(map);
}

static double linear(double value)
{
    return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

/* Lightness of a colour as seen by the three dichromats must rise too (Vienot, Brettel & Mollon 1999 for
 * red and green; for blue blindness luminance as for all: blue adds little to it). */
static void test_heat_colours_are_ordered_for_everyone(void **state)
{
    (void)state;
    double last[3] = {-1, -1, -1};
    for (int i = 0; i <= 50; i++) {
        const reha_colour colour = reha_heat_colour(i / 50.0);
        const double red = linear(colour.red);
        const double green = linear(colour.green);
        const double blue = linear(colour.blue);
        assert_true(red >= 0 && red <= 1 && green >= 0 && green <= 1 && blue >= 0 && blue <= 1);
        const double seen[3] = {
            0.2126 * red + 0.7152 * green + 0.0722 * blue,
            0.1124 * red + 0.8876 * green, /* protanopia: red seen as mixed with green */
            0.2928 * red + 0.7072 * green, /* deuteranopia */
        };
        for (int k = 0; k < 3; k++) {
            assert_true(seen[k] > last[k]);
            last[k] = seen[k];
        }
    }
    const reha_colour below = reha_heat_colour(-5.0);
    const reha_colour zero = reha_heat_colour(0.0);
    const reha_colour none = reha_heat_colour(NAN);
    assert_memory_equal(&below, &zero, sizeof zero);
    assert_memory_equal(&none, &zero, sizeof zero);
}

static void test_text(void **state)
{
    (void)state;
    reha_canvas *canvas = new_picture(300, 200);
    reha_type type = {.size = 20, .colour = BLACK};
    const reha_spot one = reha_canvas_measure(canvas, "Knee", &type);
    assert_true(one.x > 30 && one.x < 80 && one.y > 18 && one.y < 32);
    const reha_spot two = reha_canvas_measure(canvas, "Knee\nKnee", &type);
    assert_float_equal(two.x, one.x, 0.01);
    assert_float_equal(two.y, 2 * one.y, 1.0);
    const reha_spot drawn = reha_canvas_text(canvas, (reha_spot){10, 10},
                                             "Gr\xc3\xb6\xc3\x9f"
                                             "e \xe2\x89\xa5 2 mm",
                                             &type);
    assert_true(drawn.x > one.x);
    type.wrap_width = 100;
    const reha_spot wrapped =
        reha_canvas_text(canvas, (reha_spot){10, 60}, "several words that need lines", &type);
    assert_true(wrapped.x <= 100.5 && wrapped.y > 2.5 * one.y);
    type.lines_max = 2;
    const reha_spot cut =
        reha_canvas_measure(canvas, "several words that need many more lines than two", &type);
    assert_float_equal(cut.y, 2 * one.y, 1.0);
    type = (reha_type){.size = 20, .colour = BLACK, .align = REHA_ALIGN_RIGHT, .bold = true};
    const reha_spot right = reha_canvas_text(canvas, (reha_spot){290, 10}, "right", &type);
    reha_gray *image = read_back(canvas, NULL);
    int ink = 0;
    for (uint32_t y = 10; y < 35; y++) {
        for (uint32_t x = 0; x < 300; x++) {
            const bool is_dark = reha_gray_at(image, x, y) < 128.0f;
            ink += is_dark;
            assert_false(is_dark && (x < 8 || x > 291));
            assert_false(is_dark && x > 12 + drawn.x && x < 288 - right.x);
        }
    }
    assert_true(ink > 200);
    reha_gray_free(image);
}

static void test_broken_utf8_is_shown_somehow(void **state)
{
    (void)state;
    reha_canvas *canvas = new_picture(200, 50);
    const reha_type type = {.size = 14, .colour = BLACK};
    const char *texts[] = {"\xff\xfe broken", "cut \xc3", "over \xc0\xaf", "", "tab\tand\x01 control"};
    for (size_t i = 0; i < 5; i++) {
        (void)reha_canvas_text(canvas, (reha_spot){5, 5}, texts[i], &type);
    }
    reha_gray_free(read_back(canvas, NULL));
}

static void test_bars(void **state)
{
    (void)state;
    reha_canvas *canvas = new_picture(200, 120);
    const reha_bar bars[4] = {{1.0, "a", {0, 0, 0, 1}},
                              {0.5, "b", {0, 0, 0, 1}},
                              {0.0, NULL, {0, 0, 0, 1}},
                              {9.0, "d", {0, 0, 0, 1}}};
    reha_canvas_bars(canvas, (reha_rect){0, 0, 200, 118}, bars, 4, 1.0, 12, BLACK);
    reha_gray *image = read_back(canvas, NULL);
    assert_true(reha_gray_at(image, 25, 3) == 0.0f);    /* full height */
    assert_true(reha_gray_at(image, 75, 40) == 255.0f); /* half height */
    assert_true(reha_gray_at(image, 75, 60) == 0.0f);
    assert_true(reha_gray_at(image, 125, 90) == 255.0f);
    assert_true(reha_gray_at(image, 175, 3) == 0.0f); /* cut at the top */
    reha_gray_free(image);
}

static bool contains(const uint8_t *bytes, size_t count, const char *text)
{
    const size_t length = strlen(text);
    for (size_t i = 0; i + length <= count; i++) {
        if (memcmp(bytes + i, text, length) == 0) {
            return true;
        }
    }
    return false;
}

static void make_pdf(uint8_t **bytes, size_t *count)
{
    const reha_pdf_facts facts = {.title = "Knee report",
                                  .author = "Clinic",
                                  .subject = "Radiograph",
                                  .created = "2026-01-31T12:34:56Z"};
    reha_canvas *canvas = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_canvas_new_pdf(595.28, 841.89, &facts, &canvas, &err), &err);
    reha_gray *image = ramp(64);
    const reha_type type = {.size = 12, .colour = BLACK, .wrap_width = 300};
    for (int page = 0; page < 3; page++) {
        if (page > 0) {
            reha_canvas_next_page(canvas);
        }
        reha_canvas_gray(canvas, image, (reha_rect){50, 50, 200, 200}, 0, 700);
        (void)reha_canvas_text(canvas, (reha_spot){50, 300}, "joint space \xe2\x89\xa5 3 mm", &type);
    }
    assert_int_equal(reha_canvas_pages(canvas), 3);
    assert_ok(reha_canvas_encode(canvas, bytes, count, &err), &err);
    reha_canvas_free(canvas);
    reha_gray_free(image);
}

static void test_pdf_has_pages_title_and_is_reproducible(void **state)
{
    (void)state;
    uint8_t *first = NULL;
    uint8_t *second = NULL;
    size_t first_bytes = 0;
    size_t second_bytes = 0;
    make_pdf(&first, &first_bytes);
    make_pdf(&second, &second_bytes);
    assert_memory_equal(first, "%PDF-1.", 7);
    assert_true(contains(first, first_bytes, "%%EOF"));
    assert_true(contains(first, first_bytes, "/Count 3"));
    assert_true(contains(first, first_bytes, "Knee report"));
    assert_true(contains(first, first_bytes, "20260131"));
    assert_int_equal(first_bytes, second_bytes);
    assert_memory_equal(first, second, first_bytes);
    reha_free(first);
    reha_free(second);
}

static void test_saved_is_encoded(void **state)
{
    (void)state;
    char path[] = "/tmp/reha-draw-XXXXXX";
    const int handle = mkstemp(path);
    assert_true(handle >= 0);
    close(handle);
    reha_canvas *canvas = new_picture(10, 10);
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_canvas_save(canvas, path, &err), &err);
    uint8_t *encoded = NULL;
    uint8_t *saved = NULL;
    size_t encoded_bytes = 0;
    size_t saved_bytes = 0;
    assert_ok(reha_canvas_encode(canvas, &encoded, &encoded_bytes, &err), &err);
    assert_ok(reha_file_load(path, 1 << 20, &saved, &saved_bytes, &err), &err);
    assert_int_equal(encoded_bytes, saved_bytes);
    assert_memory_equal(encoded, saved, saved_bytes);
    reha_free(encoded);
    reha_free(saved);
    unlink(path);
    assert_true(reha_canvas_save(canvas, "/nonexistent-folder/x.png", &err) != REHA_OK);
    reha_canvas_free(canvas);
}

static void expect_failure(reha_canvas *canvas)
{
    uint8_t *bytes = (uint8_t *)1;
    size_t count = 1;
    reha_error err = REHA_ERROR_INIT;
    assert_int_equal(reha_canvas_encode(canvas, &bytes, &count, &err), REHA_E_ARG);
    assert_null(bytes);
    assert_int_equal(count, 0);
    assert_true(strlen(err.text) > 10);
    reha_canvas_free(canvas);
}

static void test_bad_arguments_are_kept(void **state)
{
    (void)state;
    const reha_type type = {.size = 12, .colour = BLACK};
    const reha_type zero = {.size = 0};
    const reha_type endless = {.size = 12, .wrap_width = INFINITY};
    reha_gray *image = ramp(5);
    const reha_stroke stroke = {BLACK, 1, 0};
    for (int kind = 0; kind < 9; kind++) {
        reha_canvas *canvas = new_picture(20, 20);
        switch (kind) {
        case 0:
            reha_canvas_line(canvas, (reha_spot){NAN, 0}, (reha_spot){1, 1}, stroke);
            break;
        case 1:
            reha_canvas_box(canvas, (reha_rect){0, 0, INFINITY, 1}, 0, stroke);
            break;
        case 2:
            reha_canvas_fill_box(canvas, (reha_rect){0, 0, -1, 1}, 0, BLACK);
            break;
        case 3:
            reha_canvas_gray(canvas, image, (reha_rect){0, NAN, 5, 5}, 0, 1);
            break;
        case 4:
            (void)reha_canvas_text(canvas, (reha_spot){0, INFINITY}, "x", &type);
            break;
        case 5:
            (void)reha_canvas_text(canvas, (reha_spot){0, 0}, "x", &zero);
            break;
        case 6:
            (void)reha_canvas_measure(canvas, "x", &endless);
            break;
        case 7:
            reha_canvas_next_page(canvas);
            break;
        default:
            reha_canvas_circle(canvas, (reha_spot){NAN, 1}, 3, stroke);
            break;
        }
        expect_failure(canvas);
    }
    reha_gray_free(image);
    reha_canvas_free(NULL);
}

static void test_bad_canvases(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_canvas *canvas = (reha_canvas *)1;
    assert_int_equal(reha_canvas_new_picture(0, 5, WHITE, &canvas, &err), REHA_E_ARG);
    assert_null(canvas);
    assert_int_equal(reha_canvas_new_picture(5, 20001, WHITE, &canvas, &err), REHA_E_ARG);
    assert_int_equal(reha_canvas_new_pdf(0, 100, NULL, &canvas, &err), REHA_E_ARG);
    assert_int_equal(reha_canvas_new_pdf(NAN, 100, NULL, &canvas, &err), REHA_E_ARG);
    assert_int_equal(reha_canvas_new_pdf(100, 1e6, NULL, &canvas, &err), REHA_E_ARG);
    assert_null(canvas);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    reha_gray *image = ramp(40);
    const size_t blocks = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    for (long n = 0; status != REHA_OK && n < 100; n++) {
        reha_canvas *canvas = NULL;
        uint8_t *bytes = NULL;
        size_t count = 0;
        reha_mem_fail_after(n);
        status = reha_canvas_new_picture(30, 30, WHITE, &canvas, NULL);
        if (status == REHA_OK) {
            reha_canvas_gray(canvas, image, (reha_rect){0, 0, 10, 10}, 0, 400);
            status = reha_canvas_encode(canvas, &bytes, &count, NULL);
        }
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_free(bytes);
        reha_canvas_free(canvas);
        assert_int_equal(reha_mem_live_blocks(), blocks);
    }
    assert_int_equal(status, REHA_OK);
    reha_gray_free(image);
}

/* Part by part over pages: nothing is lost, nothing twice, no letter is cut, every part stands in its height.
 */
static void test_a_long_text_in_parts(void **state)
{
    (void)state;
    enum { WORDS = 200 };
    char text[WORDS * 12 + 1] = "";
    char again[sizeof text] = "";
    for (int i = 0; i < WORDS; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text),
                       "M\xc3\xbc"
                       "he%03d ",
                       i);
    }
    reha_canvas *canvas = new_picture(300, 100);
    const reha_type type = {.size = 12, .wrap_width = 280};
    int parts = 0;
    for (const char *at = text; *at != '\0'; parts++) {
        const size_t fits = reha_canvas_fit(canvas, at, &type, 60);
        assert_true(fits > 0);
        assert_true(((unsigned char)at[fits] & 0xc0) != 0x80);
        char part[sizeof text];
        (void)snprintf(part, sizeof part, "%.*s", (int)fits, at);
        assert_true(reha_canvas_measure(canvas, part, &type).y <= 60.0);
        strcat(again, part);
        at += fits;
    }
    assert_string_equal(again, text);
    assert_true(parts > 3);
    assert_int_equal(reha_canvas_fit(canvas, text, &type, 3), 0);
    assert_int_equal(reha_canvas_fit(canvas, "short", &type, 60), 5);
    assert_int_equal(reha_canvas_fit(canvas, "", &type, 60), 0);
    assert_int_equal(reha_canvas_fit(canvas, "broken \xc3", &type, 60), 8);
    reha_canvas_free(canvas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes_are_where_they_belong),
        cmocka_unit_test(test_outlines_and_dashes),
        cmocka_unit_test(test_clip),
        cmocka_unit_test(test_an_image_at_its_own_size_is_itself),
        cmocka_unit_test(test_window_cuts),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_fit_keeps_the_shape),
        cmocka_unit_test(test_heat_leaves_nothing_where_there_is_nothing),
        cmocka_unit_test(test_heat_colours_are_ordered_for_everyone),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_broken_utf8_is_shown_somehow),
        cmocka_unit_test(test_a_long_text_in_parts),
        cmocka_unit_test(test_bars),
        cmocka_unit_test(test_pdf_has_pages_title_and_is_reproducible),
        cmocka_unit_test(test_saved_is_encoded),
        cmocka_unit_test(test_bad_arguments_are_kept),
        cmocka_unit_test(test_bad_canvases),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
