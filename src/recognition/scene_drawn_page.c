/* Text, tables, charts and screens, as they come when a report or a window is exported instead of its
 * picture. */
#include "recognition/scene_drawn_priv.h"

#include "base/memory.h"
#include "image/draw.h"
#include "image/load.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_BYTES = 80, POINTS = 40 };

static reha_colour grey_of(double value)
{
    return (reha_colour){value, value, value, 1.0};
}

static void write_words(reha_random *random, char *out, size_t bytes)
{
    static const char *const words[] = {
        "knee",  "left",    "the",   "report", "of",    "12.4", "date",  "normal", "mm",  "and",
        "joint", "patient", "after", "pain",   "table", "is",   "2026",  "view",   "no",  "degree",
        "WARD",  "Result",  "MEAN",  "score",  "range", "%",    "total", "plan",   "for", "week"};
    size_t used = 0;
    out[0] = '\0';
    while (used + 12 < bytes) {
        used += (size_t)snprintf(out + used, bytes - used, "%s ",
                                 words[reha_random_below(random, sizeof words / sizeof words[0])]);
    }
}

static void draw_lines(reha_canvas *canvas, reha_random *random, reha_rect at, reha_colour ink)
{
    char words[WORDS_BYTES];
    reha_type type = {.size = scene_between(random, 7.0, 22.0),
                      .colour = ink,
                      .bold = scene_happens(random, 0.2),
                      .mono = scene_happens(random, 0.2),
                      .italic = scene_happens(random, 0.1)};
    reha_canvas_clip(canvas, at);
    double y = at.y + 2.0;
    while (y < at.y + at.height) {
        write_words(random, words, (size_t)scene_between(random, 14.0, WORDS_BYTES));
        reha_canvas_text(canvas, (reha_spot){at.x + (scene_happens(random, 0.2) ? 14.0 : 3.0), y}, words,
                         &type);
        y += type.size * scene_between(random, 1.1, 1.9);
    }
    reha_canvas_unclip(canvas);
}

static void draw_table(reha_canvas *canvas, reha_random *random, reha_rect at, reha_colour ink)
{
    const int rows = 3 + (int)reha_random_below(random, 10);
    const int columns = 2 + (int)reha_random_below(random, 5);
    const reha_stroke rule = {.colour = ink, .width = 1.0};
    const reha_type type = {.size = fmin(14.0, 0.6 * at.height / rows), .colour = ink};
    for (int r = 0; r <= rows; r++) {
        const double y = at.y + at.height * r / rows;
        reha_canvas_line(canvas, (reha_spot){at.x, y}, (reha_spot){at.x + at.width, y}, rule);
        for (int c = 0; c < columns && r < rows; c++) {
            char number[16];
            (void)snprintf(number, sizeof number, "%.1f", scene_between(random, 0.0, 999.0));
            reha_canvas_text(canvas, (reha_spot){at.x + 3.0 + at.width * c / columns, y + 2.0}, number,
                             &type);
        }
    }
    for (int c = 0; c <= columns; c++) {
        const double x = at.x + at.width * c / columns;
        reha_canvas_line(canvas, (reha_spot){x, at.y}, (reha_spot){x, at.y + at.height}, rule);
    }
}

static void draw_plot(reha_canvas *canvas, reha_random *random, reha_rect at, reha_colour ink)
{
    const reha_stroke axis = {.colour = ink, .width = 1.5};
    const double bottom = at.y + at.height;
    reha_canvas_line(canvas, (reha_spot){at.x, bottom}, (reha_spot){at.x + at.width, bottom}, axis);
    reha_canvas_line(canvas, (reha_spot){at.x, at.y}, (reha_spot){at.x, bottom}, axis);
    const uint32_t how = reha_random_below(random, 3);
    const int count = how == 0 ? 3 + (int)reha_random_below(random, 12) : POINTS;
    reha_spot spots[POINTS];
    double level = 0.5;
    for (int i = 0; i < count; i++) {
        level = fmin(
            1.0, fmax(0.02, how == 0 ? reha_random_unit(random) : level + 0.1 * reha_random_normal(random)));
        spots[i] = (reha_spot){at.x + at.width * (i + 0.1) / count, bottom - level * at.height};
        if (how == 0) {
            reha_canvas_fill_box(
                canvas, (reha_rect){spots[i].x, spots[i].y, 0.7 * at.width / count, bottom - spots[i].y}, 0.0,
                grey_of(reha_random_unit(random)));
        } else if (how == 1) {
            reha_canvas_fill_circle(canvas, spots[i], 2.5, ink);
        }
    }
    if (how == 2) {
        reha_canvas_polyline(canvas, spots, (size_t)count, false,
                             (reha_stroke){.colour = ink, .width = scene_between(random, 1.0, 3.5)});
    }
}

/* A window: bars, panes, buttons. */
static void draw_window(reha_canvas *canvas, reha_random *random, reha_rect at, reha_colour ink)
{
    reha_canvas_fill_box(canvas, (reha_rect){at.x, at.y, at.width, 16.0}, 0.0,
                         grey_of(scene_between(random, 0.2, 0.8)));
    for (int i = (int)reha_random_below(random, 6); i > 0; i--) {
        const reha_rect pane = {at.x + scene_between(random, 0.0, 0.7) * at.width,
                                at.y + 18.0 + scene_between(random, 0.0, 0.8) * at.height,
                                scene_between(random, 0.1, 0.4) * at.width,
                                scene_between(random, 0.05, 0.3) * at.height};
        reha_canvas_fill_box(canvas, pane, 4.0, grey_of(reha_random_unit(random)));
        reha_canvas_box(canvas, pane, 4.0, (reha_stroke){.colour = ink, .width = 1.0});
    }
}

reha_status scene_draw_page(reha_random *random, reha_gray **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_canvas *canvas = NULL;
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_acquisition facts;
    const double width = 200.0 + reha_random_below(random, 180);
    const double height = width * scene_between(random, 0.7, 1.4);
    const bool is_dark = scene_happens(random, 0.35);
    const reha_colour ink =
        grey_of(is_dark ? scene_between(random, 0.6, 1.0) : scene_between(random, 0.0, 0.35));
    const reha_colour paper =
        grey_of(is_dark ? scene_between(random, 0.0, 0.25) : scene_between(random, 0.75, 1.0));
    REHA_CHECK(reha_canvas_new_picture((uint32_t)width, (uint32_t)height, paper, &canvas, err));
    if (scene_happens(random, 0.3)) {
        draw_window(canvas, random, (reha_rect){0.0, 0.0, width, height}, ink);
    }
    double y = scene_between(random, 4.0, 30.0);
    while (y < height - 20.0) {
        const double part = fmin(height - y - 4.0, scene_between(random, 0.15, 1.0) * height);
        const double left = scene_happens(random, 0.3) ? 0.3 * width : 12.0;
        const reha_rect at = {left, y, width - left - 8.0, part};
        const uint32_t how = reha_random_below(random, 4);
        if (how < 2) {
            draw_lines(canvas, random, at, ink);
        } else if (how == 2) {
            draw_plot(canvas, random, at, ink);
        } else {
            draw_table(canvas, random, at, ink);
        }
        y += part + 12.0;
    }
    REHA_CHECK(reha_canvas_encode(canvas, &bytes, &count, err));
    status = reha_image_decode(bytes, count, NULL, out, &facts, err);
done:
    reha_free(bytes);
    reha_canvas_free(canvas);
    return status;
}
