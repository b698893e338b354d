#include "recognition/muscle_screen.h"

#include "base/memory.h"
#include "image/draw.h"
#include "image/load.h"

#include <math.h>
#include <stdio.h>

typedef struct screen {
    const reha_muscle_screen_spec *spec;
    reha_random *random;
    reha_canvas *canvas;
    double x, y, width, height; /* of the tissue */
    double unit;                /* height of small print */
} screen;

static const char *const settings[] = {"MI 0.7", "TIS 0.3", "FR 42 Hz", "12L-RS", "Gn 52",
                                       "DR 66",  "FP 3",    "Map E/0",  "Pers 2", "D 5.0 cm"};
static const char *const labels[] = {"GASTROC MED", "L",    "VL 50%",     "R CALF LONG",
                                     "TA",          "REST", "Deep apon.", "MVC 20%"};
static const char *const files[] = {"IM_0001", "IM_0002",    "IM_0003",   "cine_04",
                                    "cine_05", "report.pdf", "calf_left", "calf_right"};

enum {
    SETTINGS = sizeof settings / sizeof settings[0],
    LABELS = sizeof labels / sizeof labels[0],
    FILES = sizeof files / sizeof files[0]
};

static reha_colour grey(double level)
{
    return (reha_colour){level, level, level, 1.0};
}

static double between(const screen *s, double low, double high)
{
    return reha_random_range(s->random, low, high);
}

static bool toss(const screen *s)
{
    return reha_random_unit(s->random) < 0.5;
}

static void write_at(const screen *s, double x, double y, double size, double level, const char *text)
{
    const reha_type type = {.size = size, .bold = toss(s), .colour = grey(level)};
    (void)reha_canvas_text(s->canvas, (reha_spot){x, y}, text, &type);
}

static void line(const screen *s, double x0, double y0, double x1, double y1, double level, double width)
{
    reha_canvas_line(s->canvas, (reha_spot){x0, y0}, (reha_spot){x1, y1},
                     (reha_stroke){grey(level), width, 0.0});
}

static void fill(const screen *s, double x, double y, double width, double height, double level)
{
    reha_canvas_fill_box(s->canvas, (reha_rect){x, y, width, height}, 0.0, grey(level));
}

/* Ticks from the skin down; `inward` is the direction in which they point from x. */
static void draw_ruler(const screen *s, double x, double inward, double step)
{
    for (int k = 0; k * step < s->height; k++) {
        const double y = s->y + k * step;
        char number[16];
        line(s, x, y, x + inward * s->unit * (k % 2 == 0 ? 0.8 : 0.45), y, 0.9, 1.5);
        if (k % 2 == 0) {
            (void)snprintf(number, sizeof number, "%d", k / 2);
            write_at(s, inward > 0.0 ? x + s->unit : x - 1.8 * s->unit, y - 0.5 * s->unit, s->unit, 0.85,
                     number);
        }
    }
}

static void draw_wedge(const screen *s, double x)
{
    const double height = s->height * between(s, 0.3, 0.6);
    for (int i = 0; i < (int)height; i++) {
        fill(s, x, s->y + i, s->unit, 1.0, 1.0 - i / height);
    }
}

static void draw_scanner(const screen *s)
{
    const double right = s->x + s->width;
    const double margin = 0.4 * s->unit;
    const bool ruler_right = toss(s);
    write_at(s, 3.5 * s->unit, margin, 1.1 * s->unit, 0.95, "SAMPLE, ALEX   0012345   01.02.1980");
    write_at(s, right - 6.0 * s->unit, margin + 1.3 * s->unit, s->unit, 0.8, "12:34:56   MSK Calf");
    reha_canvas_fill_circle(s->canvas, (reha_spot){1.7 * s->unit, 1.7 * s->unit}, 1.2 * s->unit, grey(0.75));
    for (int i = 0; i < SETTINGS; i++) {
        write_at(s, margin, s->y + i * 1.4 * s->unit, s->unit, 0.8, settings[i]);
    }
    draw_wedge(s,
               ruler_right ? s->x - between(s, 1.3, 2.0) * s->unit : right + between(s, 0.3, 1.0) * s->unit);
    draw_ruler(s, ruler_right ? right + 0.3 * s->unit : s->x - 0.3 * s->unit, ruler_right ? 1.0 : -1.0,
               s->height / between(s, 6.0, 12.0));
    for (int i = 0; i < 6; i++) { /* soft keys */
        const double x = s->x + i * s->width / 6.0;
        const double y = s->y + s->height + s->unit;
        fill(s, x, y, s->width / 6.0 - 4.0, 1.8 * s->unit, 0.3);
        write_at(s, x + 4.0, y + 0.3 * s->unit, s->unit, 0.9, settings[(i * 3) % SETTINGS]);
    }
}

static void draw_desktop(const screen *s)
{
    const double width = reha_canvas_width(s->canvas);
    const double height = reha_canvas_height(s->canvas);
    fill(s, 0.0, 0.0, width, 1.8 * s->unit, 0.95);
    write_at(s, 4.0, 2.0, 1.1 * s->unit, 0.1, "File   Edit   View   Measure   Window   Help");
    for (int i = 0; i < 14; i++) {
        fill(s, (0.5 + 2.2 * i) * s->unit, 2.2 * s->unit, 1.6 * s->unit, 1.6 * s->unit,
             between(s, 0.3, 0.75));
    }
    fill(s, 2.0, s->y, s->x - 0.5 * s->unit, s->height, 1.0);
    for (int i = 0; i < 2 * FILES; i++) {
        write_at(s, 6.0, s->y + (0.3 + 1.5 * i) * s->unit, s->unit, 0.1, files[i % FILES]);
    }
    fill(s, 0.0, height - 2.0 * s->unit, width, 2.0 * s->unit, 0.35);
    write_at(s, width - 6.0 * s->unit, height - 1.6 * s->unit, s->unit, 1.0, "12:34  01.02.");
}

static void draw_text(const screen *s)
{
    const int count = 2 + (int)reha_random_below(s->random, 3);
    for (int i = 0; i < count; i++) {
        write_at(s, s->x + between(s, 0.05, 0.7) * s->width,
                 s->y + s->spec->belly_middle_px + between(s, -0.45, 0.3) * s->spec->belly_height_px,
                 s->unit * between(s, 1.2, 2.2), between(s, 0.85, 1.0),
                 labels[reha_random_below(s->random, LABELS)]);
    }
    if (toss(s)) { /* an arrow to something */
        const double x = s->x + between(s, 0.2, 0.8) * s->width;
        const double y = s->y + s->spec->belly_middle_px;
        line(s, x, y, x + 3.0 * s->unit, y - 2.0 * s->unit, 1.0, 2.0);
    }
}

static void draw_cross(const screen *s, double x, double y)
{
    line(s, x - 0.5 * s->unit, y, x + 0.5 * s->unit, y, 1.0, 2.0);
    line(s, x, y - 0.5 * s->unit, x, y + 0.5 * s->unit, 1.0, 2.0);
}

static void draw_callipers(const screen *s)
{
    const double top = s->y + s->spec->belly_middle_px - 0.5 * s->spec->belly_height_px;
    const double bottom = s->y + s->spec->belly_middle_px + 0.5 * s->spec->belly_height_px;
    for (int i = 0; i < 2; i++) {
        const double x = s->x + (i == 0 ? between(s, 0.2, 0.45) : between(s, 0.55, 0.8)) * s->width;
        draw_cross(s, x, top);
        draw_cross(s, x, bottom);
        reha_canvas_line(s->canvas, (reha_spot){x, top}, (reha_spot){x, bottom},
                         (reha_stroke){grey(1.0), 2.0, 4.0});
    }
    const double y = s->y + s->height - 3.5 * s->unit;
    fill(s, s->x + s->width - 9.0 * s->unit, y, 8.5 * s->unit, 3.0 * s->unit, 0.25);
    write_at(s, s->x + s->width - 8.8 * s->unit, y + 0.2 * s->unit, s->unit, 1.0, "1 D  2.13 cm");
    write_at(s, s->x + s->width - 8.8 * s->unit, y + 1.5 * s->unit, s->unit, 1.0, "2 D  2.09 cm");
}

static void draw_inner_ruler(const screen *s)
{
    const bool is_right = toss(s);
    draw_ruler(s, is_right ? s->x + s->width - 3.0 : s->x + 3.0, is_right ? -1.0 : 1.0,
               s->height / between(s, 6.0, 12.0));
    for (int k = 0; k < 2; k++) { /* focus */
        const double x = is_right ? s->x + s->width - 0.5 * s->unit : s->x + 0.5 * s->unit;
        reha_canvas_fill_circle(s->canvas, (reha_spot){x, s->y + between(s, 0.2, 0.8) * s->height},
                                0.4 * s->unit, grey(0.95));
    }
}

static void place_tissue(screen *s, double *canvas_width, double *canvas_height)
{
    double left = 0.06, right = 0.06, top = 0.06, bottom = 0.06; /* of the tissue's width, of its height */
    switch (s->spec->kind) {
    case REHA_MUSCLE_SCREEN_BLACK:
    case REHA_MUSCLE_SCREEN_WHITE:
        left = between(s, 0.05, 0.5);
        right = between(s, 0.05, 0.5);
        top = between(s, 0.05, 0.4);
        bottom = between(s, 0.05, 0.6);
        break;
    case REHA_MUSCLE_SCREEN_SCANNER:
        left = between(s, 0.25, 0.4);
        right = between(s, 0.2, 0.35);
        top = between(s, 0.15, 0.25);
        bottom = between(s, 0.15, 0.25);
        break;
    case REHA_MUSCLE_SCREEN_DESKTOP:
        left = between(s, 0.3, 0.5);
        right = between(s, 0.03, 0.2);
        top = between(s, 0.18, 0.25);
        bottom = between(s, 0.15, 0.25);
        break;
    default:
        break;
    }
    s->width = s->spec->tissue_width_px;
    s->height = s->spec->tissue_height_px;
    s->x = floor(left * s->width);
    s->y = floor(top * s->height);
    *canvas_width = floor(s->x + s->width + right * s->width);
    *canvas_height = floor(s->y + s->height + bottom * s->height);
    s->unit = fmax(9.0, 0.028 * fmax(s->width, s->height));
}

static reha_status draw_all(screen *s, reha_gray **out, reha_error *err)
{
    static const double paper[] = {[REHA_MUSCLE_SCREEN_BLACK] = 0.0,    [REHA_MUSCLE_SCREEN_WHITE] = 1.0,
                                   [REHA_MUSCLE_SCREEN_SCANNER] = 0.0,  [REHA_MUSCLE_SCREEN_DESKTOP] = 0.82,
                                   [REHA_MUSCLE_SCREEN_RULER] = 0.0,    [REHA_MUSCLE_SCREEN_TEXT] = 0.0,
                                   [REHA_MUSCLE_SCREEN_CALLIPERS] = 0.0};
    double width = 0.0;
    double height = 0.0;
    uint8_t *bytes = NULL;
    size_t length = 0;
    place_tissue(s, &width, &height);
    REHA_TRY(reha_canvas_new_picture((uint32_t)width, (uint32_t)height, grey(paper[s->spec->kind]),
                                     &s->canvas, err));
    if (s->spec->kind == REHA_MUSCLE_SCREEN_SCANNER) {
        draw_scanner(s);
    } else if (s->spec->kind == REHA_MUSCLE_SCREEN_DESKTOP) {
        draw_desktop(s);
    }
    fill(s, s->x, s->y, s->width, s->height, 0.0);
    if (s->spec->kind == REHA_MUSCLE_SCREEN_RULER) {
        draw_inner_ruler(s);
    } else if (s->spec->kind == REHA_MUSCLE_SCREEN_TEXT) {
        draw_text(s);
    } else if (s->spec->kind == REHA_MUSCLE_SCREEN_CALLIPERS) {
        draw_callipers(s);
    }
    REHA_TRY(reha_canvas_encode(s->canvas, &bytes, &length, err));
    const reha_status status = reha_image_decode(bytes, length, NULL, out, NULL, err);
    reha_free(bytes);
    return status;
}

reha_status reha_muscle_screen_draw(const reha_muscle_screen_spec *spec, reha_random *random, reha_gray **out,
                                    uint32_t *x_px, uint32_t *y_px, reha_error *err)
{
    screen s = {.spec = spec, .random = random};
    *out = NULL;
    const reha_status status = draw_all(&s, out, err);
    reha_canvas_free(s.canvas);
    *x_px = (uint32_t)s.x;
    *y_px = (uint32_t)s.y;
    return status;
}
