#include "service/paper_priv.h"
#include "service/plan_pdf_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double MARGIN_PT = 36.0;
static const double GAP_PT = 10.0;
static const double TEXT_PT = 10.5;
static const double FIGURE_PT = 96.0;
static const unsigned DRAFT_BACK = 0xfdeecb;
static const unsigned DRAFT_INK = 0x7a4a00;
static const unsigned BLUE = 0x1f4e79;
static const unsigned BLUE_LIGHT = 0xeaf1f8;
static const unsigned RED_LIGHT = 0xfdecec;

typedef struct sheet {
    reha_canvas *canvas;
    const plan_page *page;
    double y;
    int page_no;
} sheet;

static double inner_width(void)
{
    return REHA_A4_WIDTH_PT - 2.0 * MARGIN_PT;
}

static double write_text(sheet *s, double x, double y, double width, double size, bool bold, unsigned colour,
                         const char *text)
{
    const reha_type type = {.size = size, .bold = bold, .colour = reha_rgb(colour), .wrap_width = width};
    return reha_canvas_text(s->canvas, (reha_spot){x, y}, text, &type).y;
}

static double height_of(sheet *s, double width, double size, bool bold, const char *text)
{
    const reha_type type = {.size = size, .bold = bold, .colour = reha_rgb(REHA_INK), .wrap_width = width};
    return text[0] != '\0' ? reha_canvas_measure(s->canvas, text, &type).y : 0.0;
}

static void footer(sheet *s)
{
    char text[400];
    const char *draft = reha_json_string(s->page->facts, "draft", "");
    (void)snprintf(text, sizeof text, "%s%s%s  (%d)", draft, draft[0] != '\0' ? " " : "",
                   reha_json_string(s->page->facts, "footer", ""), s->page_no);
    (void)write_text(s, MARGIN_PT, REHA_A4_HEIGHT_PT - MARGIN_PT + 6.0, inner_width(), 7.5, false,
                     REHA_INK_SOFT, text);
}

static void new_page(sheet *s)
{
    if (s->page_no > 0) {
        reha_canvas_next_page(s->canvas);
    }
    s->page_no++;
    s->y = MARGIN_PT;
    footer(s);
}

static void ensure(sheet *s, double height)
{
    if (s->y + height > REHA_A4_HEIGHT_PT - MARGIN_PT - 4.0) {
        new_page(s);
    }
}

static void write_title(sheet *s)
{
    const double band = 58.0;
    reha_canvas_fill_box(s->canvas, (reha_rect){0.0, 0.0, REHA_A4_WIDTH_PT, band + 14.0}, 0.0,
                         reha_rgb(BLUE));
    double y = 16.0;
    y += write_text(s, MARGIN_PT, y, inner_width(), 21.0, true, 0xffffff,
                    reha_json_string(s->page->facts, "title", ""));
    (void)write_text(s, MARGIN_PT, y + 2.0, inner_width(), 11.0, false, 0xffffff,
                     reha_json_string(s->page->facts, "subtitle", ""));
    s->y = band + 26.0;
    const char *draft = reha_json_string(s->page->facts, "draft", "");
    if (draft[0] != '\0') {
        reha_canvas_fill_box(s->canvas, (reha_rect){MARGIN_PT, s->y - 4.0, inner_width(), 22.0}, 4.0,
                             reha_rgb(DRAFT_BACK));
        s->y +=
            write_text(s, MARGIN_PT + 8.0, s->y, inner_width() - 16.0, 10.5, true, DRAFT_INK, draft) + 12.0;
    }
    s->y += write_text(s, MARGIN_PT, s->y, inner_width(), 11.5, false, REHA_INK,
                       reha_json_string(s->page->facts, "intro", ""));
    s->y += GAP_PT;
}

static void write_heading(sheet *s, const char *text, double keep_with)
{
    ensure(s, 22.0 + keep_with);
    s->y += write_text(s, MARGIN_PT, s->y, inner_width(), 13.5, true, BLUE, text) + 4.0;
}

static double bullet(sheet *s, double x, double y, double width, unsigned colour, const char *text)
{
    reha_canvas_fill_circle(s->canvas, (reha_spot){x + 3.0, y + 7.0}, 2.0, reha_rgb(colour));
    return write_text(s, x + 12.0, y, width - 12.0, TEXT_PT, false, REHA_INK, text) + 3.0;
}

static void write_section(sheet *s, const json_t *block)
{
    const json_t *lines = json_object_get(block, "lines");
    write_heading(s, reha_json_string(block, "heading", ""), 20.0);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const char *text = json_string_value(json_array_get(lines, i));
        ensure(s, height_of(s, inner_width() - 12.0, TEXT_PT, false, text) + 3.0);
        s->y += bullet(s, MARGIN_PT, s->y, inner_width(), BLUE, text);
    }
    s->y += GAP_PT - 2.0;
}

/* Short lines in two columns, in a red box: it must be seen, and it must not push the exercises away. */
static void write_alarm(sheet *s, const json_t *block)
{
    const double pad = 10.0;
    const double column = (inner_width() - 3.0 * pad) / 2.0;
    const json_t *lines = json_object_get(block, "lines");
    const size_t count = json_array_size(lines);
    const size_t half = (count + 1) / 2;
    double heights[2] = {0.0, 0.0};
    for (size_t i = 0; i < count; i++) {
        heights[i < half ? 0 : 1] +=
            height_of(s, column - 12.0, TEXT_PT, false, json_string_value(json_array_get(lines, i))) + 3.0;
    }
    const double head =
        height_of(s, inner_width() - 2.0 * pad, 13.0, true, reha_json_string(block, "heading", "")) + 5.0;
    const double height = head + fmax(heights[0], heights[1]) + 2.0 * pad - 2.0;
    ensure(s, height);
    const reha_rect box = {MARGIN_PT, s->y, inner_width(), height};
    reha_canvas_fill_box(s->canvas, box, 6.0, reha_rgb(RED_LIGHT));
    reha_canvas_box(s->canvas, box, 6.0, (reha_stroke){reha_rgb(REHA_INK_RED), 1.2, 0.0});
    (void)write_text(s, MARGIN_PT + pad, s->y + pad - 2.0, inner_width() - 2.0 * pad, 13.0, true,
                     REHA_INK_RED, reha_json_string(block, "heading", ""));
    double y = s->y + pad + head - 2.0;
    for (size_t i = 0; i < count; i++) {
        if (i == half) {
            y = s->y + pad + head - 2.0;
        }
        y += bullet(s, MARGIN_PT + pad + (i < half ? 0.0 : column + pad), y, column, REHA_INK_RED,
                    json_string_value(json_array_get(lines, i)));
    }
    s->y += height + GAP_PT + 2.0;
}

/* Pain 0 to 10 in three colours, with what each means. */
static void write_scale(sheet *s, const json_t *block)
{
    static const unsigned colours[] = {0x2b8a3e, 0xe8a200, 0xc92a2a};
    static const int last[] = {3, 5, 10};
    const json_t *lines = json_object_get(block, "lines");
    write_heading(s, reha_json_string(block, "heading", ""), 90.0);
    const double cell = inner_width() / 11.0;
    for (int i = 0, zone = 0; i <= 10; i++) {
        char number[8];
        zone += i > last[zone];
        const reha_type type = {
            .size = 10.5, .bold = true, .align = REHA_ALIGN_CENTRE, .colour = reha_rgb(0xffffff)};
        reha_canvas_fill_box(s->canvas, (reha_rect){MARGIN_PT + i * cell + 1.0, s->y, cell - 2.0, 18.0}, 3.0,
                             reha_rgb(colours[zone]));
        (void)snprintf(number, sizeof number, "%d", i);
        (void)reha_canvas_text(s->canvas, (reha_spot){MARGIN_PT + (i + 0.5) * cell, s->y + 2.5}, number,
                               &type);
    }
    s->y += 23.0;
    for (size_t i = 0; i < json_array_size(lines) && i < 3; i++) {
        s->y += bullet(s, MARGIN_PT, s->y, inner_width(), colours[i],
                       json_string_value(json_array_get(lines, i)));
    }
    s->y += GAP_PT;
}

/* ---- Exercise cards, two in a row ---- */

static double card_text(sheet *s, const json_t *card, double x, double y, double width, bool draw)
{
    static const char *const parts[] = {"name", "how", "dose", "note"};
    static const double sizes[] = {11.5, 9.5, 9.5, 9.5};
    const double start = y;
    for (int i = 0; i < 4; i++) {
        const char *text = reha_json_string(card, parts[i], "");
        const bool bold = i == 0 || i == 2;
        if (text[0] != '\0') {
            y += (draw ? write_text(s, x, y, width, sizes[i], bold, i == 2 ? BLUE : REHA_INK, text)
                       : height_of(s, width, sizes[i], bold, text)) +
                 3.0;
        }
    }
    return y - start;
}

static void write_cards(sheet *s, const json_t *block)
{
    const json_t *cards = json_object_get(block, "cards");
    const double width = (inner_width() - GAP_PT) / 2.0;
    const double pad = 8.0;
    const double figure = FIGURE_PT;
    const double text_width = width - figure - 2.0 * pad - 6.0;
    write_heading(s, reha_json_string(block, "heading", ""), 130.0);
    for (size_t i = 0; i < json_array_size(cards); i += 2) {
        double height = 0.8 * figure;
        for (size_t k = i; k < i + 2 && k < json_array_size(cards); k++) {
            height = fmax(height, card_text(s, json_array_get(cards, k), 0.0, 0.0, text_width, false));
        }
        height += 2.0 * pad - 3.0;
        ensure(s, height);
        for (size_t k = i; k < i + 2 && k < json_array_size(cards); k++) {
            const json_t *card = json_array_get(cards, k);
            const double x = MARGIN_PT + (k == i ? 0.0 : width + GAP_PT);
            reha_canvas_box(s->canvas, (reha_rect){x, s->y, width, height}, 5.0,
                            (reha_stroke){reha_rgb(REHA_INK_LINE), 1.0, 0.0});
            reha_canvas_fill_box(s->canvas, (reha_rect){x + 4.0, s->y + 4.0, figure + 6.0, height - 8.0}, 4.0,
                                 reha_rgb(BLUE_LIGHT));
            reha_plan_figure(s->canvas, (reha_rect){x + 7.0, s->y + 4.0, figure, height - 8.0},
                             s->page->figures, reha_json_string(card, "figure", ""));
            (void)card_text(s, card, x + figure + pad + 8.0, s->y + pad - 1.0, text_width, true);
        }
        s->y += height + GAP_PT - 2.0;
    }
    s->y += 4.0;
}

/* The whole page on a canvas of its own. */
static reha_status draw_page(const json_t *plan, const char *guidelines_folder, const char *language,
                             reha_canvas **out, reha_error *err)
{
    reha_status status = REHA_OK;
    plan_page page;
    sheet s = {.page = &page};
    *out = NULL;
    REHA_TRY(reha_plan_page_make_(plan, guidelines_folder, language, &page, err));
    const reha_pdf_facts facts = {.title = reha_json_string(page.facts, "title", ""),
                                  .author = "rehascope " REHA_VERSION,
                                  .subject = reha_json_string(page.facts, "subtitle", "")};
    REHA_CHECK(reha_canvas_new_pdf(REHA_A4_WIDTH_PT, REHA_A4_HEIGHT_PT, &facts, &s.canvas, err));
    new_page(&s);
    write_title(&s);
    for (size_t i = 0; i < json_array_size(page.blocks); i++) {
        const json_t *block = json_array_get(page.blocks, i);
        const char *kind = reha_json_string(block, "kind", "");
        if (strcmp(kind, "alarm") == 0) {
            write_alarm(&s, block);
        } else if (strcmp(kind, "cards") == 0) {
            write_cards(&s, block);
        } else if (strcmp(kind, "scale") == 0) {
            write_scale(&s, block);
        } else {
            write_section(&s, block);
        }
    }
    *out = s.canvas;
done:
    reha_plan_page_clear_(&page);
    return status;
}

reha_status reha_plan_patient_pdf(const json_t *plan, const char *guidelines_folder, const char *language,
                                  const char *path, reha_error *err)
{
    reha_canvas *canvas = NULL;
    REHA_TRY(draw_page(plan, guidelines_folder, language, &canvas, err));
    const reha_status status = reha_canvas_save(canvas, path, err);
    reha_canvas_free(canvas);
    return status;
}

reha_status reha_plan_patient_pdf_encode(const json_t *plan, const char *guidelines_folder,
                                         const char *language, uint8_t **out, size_t *out_bytes,
                                         reha_error *err)
{
    reha_canvas *canvas = NULL;
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(draw_page(plan, guidelines_folder, language, &canvas, err));
    const reha_status status = reha_canvas_encode(canvas, out, out_bytes, err);
    reha_canvas_free(canvas);
    return status;
}
