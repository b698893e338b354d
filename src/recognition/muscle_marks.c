#include "recognition/muscle_marks.h"

#include "base/memory.h"
#include "image/draw.h"
#include "image/load.h"

#include <math.h>
#include <stdio.h>

enum { WORD_MAX = 12, LINES_MAX = 6 };
static const double PI = 3.14159265358979323846;

typedef struct drawing {
    reha_canvas *canvas;
    reha_random *random;
    double side;
    float *ground; /* side squared: the picture, darkened where a label has its own ground */
} drawing;

static double between(const drawing *d, double low, double high)
{
    return reha_random_range(d->random, low, high);
}

static bool happens(const drawing *d, double share)
{
    return reha_random_unit(d->random) < share;
}

static int below(const drawing *d, uint32_t bound)
{
    return (int)reha_random_below(d->random, bound);
}

static reha_colour grey(double level)
{
    return (reha_colour){level, level, level, 1.0};
}

static void line(const drawing *d, double x0, double y0, double x1, double y1, double level, double width,
                 double dash)
{
    reha_canvas_line(d->canvas, (reha_spot){x0, y0}, (reha_spot){x1, y1},
                     (reha_stroke){grey(level), width, dash});
}

/* Letters or a number: what they say does not matter, only what they look like. */
static void make_word(const drawing *d, char *out)
{
    static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char smalls[] = "abcdefghijklmnopqrstuvwxyz";
    static const char *const units[] = {"", " cm", " mm", "%", " Hz", " dB"};
    if (happens(d, 0.35)) {
        (void)snprintf(out, WORD_MAX + 1, "%.1f%s", between(d, 0.0, 99.0), units[below(d, 6)]);
        return;
    }
    const int length = 1 + below(d, WORD_MAX - 2);
    const bool is_capital = happens(d, 0.6);
    for (int i = 0; i < length; i++) {
        out[i] = is_capital || i == 0 ? capitals[below(d, 26)] : smalls[below(d, 26)];
        if (i > 1 && i + 1 < length && happens(d, 0.12)) {
            out[i] = ' ';
        }
    }
    out[length] = '\0';
}

static void darken(const drawing *d, double x, double y, double width, double height, float share)
{
    const int side = (int)d->side;
    for (int py = (int)fmax(0.0, y); py < (int)fmin(d->side, y + height); py++) {
        for (int px = (int)fmax(0.0, x); px < (int)fmin(d->side, x + width); px++) {
            d->ground[py * side + px] *= 1.0F - share;
        }
    }
}

static void draw_label(const drawing *d)
{
    const double size = d->side * between(d, 0.022, 0.085);
    const double level = between(d, 0.55, 1.0);
    const bool has_ground = happens(d, 0.25);
    const int lines = happens(d, 0.3) ? 2 + below(d, LINES_MAX - 1) : 1;
    const double x = d->side * between(d, -0.02, 0.85);
    double y = d->side * between(d, -0.02, 0.95);
    const reha_type type = {
        .size = size, .bold = happens(d, 0.5), .mono = happens(d, 0.3), .colour = grey(level)};
    for (int k = 0; k < lines; k++) {
        char word[WORD_MAX + 1];
        make_word(d, word);
        const reha_spot taken = reha_canvas_text(d->canvas, (reha_spot){x, y}, word, &type);
        if (has_ground) {
            darken(d, x - 2.0, y - 1.0, taken.x + 4.0, taken.y + 2.0, 0.9F);
        }
        y += 1.25 * size;
    }
}

/* Along an edge of the tissue or through it, with or without numbers. */
static void draw_ruler(const drawing *d)
{
    const bool is_upright = happens(d, 0.7);
    const double at =
        d->side * (happens(d, 0.8) ? (happens(d, 0.5) ? between(d, 0.0, 0.06) : between(d, 0.94, 1.0))
                                   : between(d, 0.0, 1.0));
    const double inward = at < 0.5 * d->side ? 1.0 : -1.0;
    const double step = d->side / between(d, 4.0, 40.0);
    const double length = d->side * between(d, 0.01, 0.035);
    const double level = between(d, 0.5, 1.0);
    const double width = between(d, 1.0, 2.2);
    const int longer = 1 + below(d, 10);
    const bool has_numbers = happens(d, 0.4) && step > 0.05 * d->side;
    for (int k = 0; k * step < d->side; k++) {
        const double along = k * step;
        const double reach = inward * length * (k % longer == 0 ? 1.8 : 1.0);
        line(d, is_upright ? at : along, is_upright ? along : at, is_upright ? at + reach : along,
             is_upright ? along : at + reach, level, width, 0.0);
        if (has_numbers) {
            char number[8];
            const reha_type type = {.size = d->side * 0.035, .colour = grey(level)};
            (void)snprintf(number, sizeof number, "%d", k);
            (void)reha_canvas_text(d->canvas,
                                   is_upright ? (reha_spot){at + inward * 2.0 * length, along}
                                              : (reha_spot){along, at + inward * 2.0 * length},
                                   number, &type);
        }
    }
}

static void draw_wedge(const drawing *d)
{
    const double x = d->side * (happens(d, 0.5) ? between(d, 0.0, 0.05) : between(d, 0.92, 0.98));
    const double y = d->side * between(d, 0.0, 0.4);
    const int height = (int)(d->side * between(d, 0.2, 0.6));
    const double width = d->side * between(d, 0.01, 0.035);
    for (int i = 0; i < height; i++) {
        reha_canvas_fill_box(d->canvas, (reha_rect){x, y + i, width, 1.0}, 0.0,
                             grey(1.0 - (double)i / height));
    }
}

static void draw_end(const drawing *d, double x, double y, double size, double level, int shape)
{
    if (shape == 0) {
        line(d, x - size, y, x + size, y, level, 1.5, 0.0);
        line(d, x, y - size, x, y + size, level, 1.5, 0.0);
    } else if (shape == 1) {
        line(d, x - size, y - size, x + size, y + size, level, 1.5, 0.0);
        line(d, x + size, y - size, x - size, y + size, level, 1.5, 0.0);
    } else {
        reha_canvas_circle(d->canvas, (reha_spot){x, y}, size, (reha_stroke){grey(level), 1.5, 0.0});
    }
}

static void draw_callipers(const drawing *d)
{
    const int shape = below(d, 3);
    const double size = d->side * between(d, 0.008, 0.02);
    const double level = between(d, 0.7, 1.0);
    const double x = d->side * between(d, 0.1, 0.9);
    const double y = d->side * between(d, 0.05, 0.7);
    const double turn = happens(d, 0.6) ? 0.5 * PI + between(d, -0.1, 0.1) : between(d, -PI, PI);
    const double length = d->side * between(d, 0.1, 0.5);
    const double x1 = x + length * cos(turn);
    const double y1 = y + length * sin(turn);
    draw_end(d, x, y, size, level, shape);
    draw_end(d, x1, y1, size, level, shape);
    if (happens(d, 0.7)) {
        line(d, x, y, x1, y1, level, between(d, 1.0, 2.0), happens(d, 0.7) ? between(d, 2.0, 6.0) : 0.0);
    }
}

static void draw_arrow(const drawing *d)
{
    const double x = d->side * between(d, 0.05, 0.95);
    const double y = d->side * between(d, 0.05, 0.95);
    const double turn = between(d, -PI, PI);
    const double length = d->side * between(d, 0.04, 0.15);
    const double level = between(d, 0.7, 1.0);
    line(d, x, y, x + length * cos(turn), y + length * sin(turn), level, between(d, 1.5, 3.0), 0.0);
    for (int k = -1; k <= 1; k += 2) {
        line(d, x, y, x + 0.35 * length * cos(turn + 0.5 * k), y + 0.35 * length * sin(turn + 0.5 * k), level,
             2.0, 0.0);
    }
}

static void draw_box(const drawing *d)
{
    const reha_rect box = {d->side * between(d, 0.0, 0.7), d->side * between(d, 0.0, 0.7),
                           d->side * between(d, 0.05, 0.4), d->side * between(d, 0.05, 0.4)};
    reha_canvas_box(
        d->canvas, box, 0.0,
        (reha_stroke){grey(between(d, 0.5, 1.0)), between(d, 1.0, 2.0), happens(d, 0.3) ? 4.0 : 0.0});
}

static void draw_body_mark(const drawing *d)
{
    const reha_spot at = {d->side * between(d, 0.03, 0.97), d->side * between(d, 0.03, 0.97)};
    const double radius = d->side * between(d, 0.01, 0.05);
    if (happens(d, 0.5)) {
        reha_canvas_fill_circle(d->canvas, at, radius, grey(between(d, 0.5, 1.0)));
    } else {
        reha_canvas_circle(d->canvas, at, radius, (reha_stroke){grey(between(d, 0.5, 1.0)), 2.0, 0.0});
    }
}

static void draw_all(const drawing *d)
{
    static void (*const kinds[])(const drawing *) = {draw_label, draw_label, draw_label,     draw_ruler,
                                                     draw_ruler, draw_wedge, draw_callipers, draw_callipers,
                                                     draw_arrow, draw_box,   draw_body_mark};
    const int count = 1 + below(d, 5);
    for (int k = 0; k < count; k++) {
        kinds[below(d, sizeof kinds / sizeof kinds[0])](d);
    }
}

reha_status reha_muscle_marks_draw(float *grey_square, uint32_t side_px, reha_random *random, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *marks = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;
    drawing d = {.random = random, .side = side_px, .ground = grey_square};
    REHA_CHECK(reha_canvas_new_picture(side_px, side_px, grey(0.0), &d.canvas, err));
    draw_all(&d);
    REHA_CHECK(reha_canvas_encode(d.canvas, &bytes, &length, err));
    REHA_CHECK(reha_image_decode(bytes, length, NULL, &marks, NULL, err));
    for (size_t i = 0; i < (size_t)side_px * side_px; i++) {
        grey_square[i] = fmaxf(grey_square[i], marks->pixels[i] / 255.0F);
    }
done:
    reha_gray_free(marks);
    reha_canvas_free(d.canvas);
    reha_free(bytes);
    return status;
}
