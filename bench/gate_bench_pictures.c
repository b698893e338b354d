#include "gate_bench_pictures.h"

#include "base/memory.h"
#include "image/draw.h"
#include "image/load.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LINES_MAX = 60, CURVE_SPOTS = 50, ARC_SPOTS = 16 };

static double between(reha_random *random, double low, double high)
{
    return reha_random_range(random, low, high);
}

static bool happens(reha_random *random, double chance)
{
    return reha_random_unit(random) < chance;
}

static reha_colour any_colour(reha_random *random, bool is_grey)
{
    const double grey = reha_random_unit(random);
    return (reha_colour){grey, is_grey ? grey : reha_random_unit(random),
                         is_grey ? grey : reha_random_unit(random), 1.0};
}

static reha_colour grey_of(double value)
{
    return (reha_colour){value, value, value, 1.0};
}

/* From canvas to image by way of its file, as a user's picture would come. */
static reha_status finish(reha_canvas *canvas, reha_gray **out, double *chroma_fraction, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_acquisition facts;
    reha_status status = reha_canvas_encode(canvas, &bytes, &count, err);
    if (status == REHA_OK) {
        status = reha_image_decode(bytes, count, NULL, out, &facts, err);
    }
    if (status == REHA_OK && chroma_fraction != NULL) {
        *chroma_fraction = facts.chroma_fraction;
    }
    reha_free(bytes);
    reha_canvas_free(canvas);
    return status;
}

/* ---- Pictures that are no knees ---- */

/* Overlapping shapes of all sizes ("dead leaves") have the statistics of photographs. */
static void draw_scene(reha_canvas *canvas, reha_random *random, bool is_grey)
{
    const double width = reha_canvas_width(canvas);
    const double height = reha_canvas_height(canvas);
    const int count = 60 + (int)reha_random_below(random, 300);
    for (int i = 0; i < count; i++) {
        const double radius =
            fmin(0.6 * width, 4.0 / pow(reha_random_unit(random) + 0.01, 0.8) * between(random, 0.5, 3.0));
        const reha_spot at = {between(random, 0.0, width), between(random, 0.0, height)};
        const reha_colour colour = any_colour(random, is_grey);
        const double shape = reha_random_unit(random);
        if (shape < 0.4) {
            reha_canvas_fill_circle(canvas, at, radius, colour);
        } else if (shape < 0.7) {
            const reha_rect box = {at.x - radius, at.y - radius, radius * between(random, 0.5, 2.0),
                                   2.0 * radius};
            reha_canvas_fill_box(canvas, box, 0.0, colour);
        } else {
            reha_spot spots[5];
            for (int s = 0; s < 5; s++) {
                const double angle = (s + reha_random_unit(random)) * 1.2566;
                spots[s] = (reha_spot){at.x + radius * cos(angle), at.y + radius * sin(angle)};
            }
            reha_canvas_fill_polygon(canvas, spots, 5, colour);
        }
    }
}

static void draw_text(reha_canvas *canvas, reha_random *random, reha_colour ink)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDE0123456789.,";
    reha_type type = {.size = between(random, 8.0, 26.0), .colour = ink, .bold = happens(random, 0.2)};
    double y = between(random, 2.0, 20.0);
    for (int line = 0; line < LINES_MAX && y < reha_canvas_height(canvas); line++) {
        char text[96];
        size_t n = 0;
        while (n + 1 < sizeof text) {
            text[n++] = happens(random, 0.15) ? ' ' : letters[reha_random_below(random, sizeof letters - 1)];
        }
        text[n] = '\0';
        if (happens(random, 0.9)) {
            reha_canvas_text(canvas, (reha_spot){happens(random, 0.7) ? 8.0 : 25.0, y}, text, &type);
        }
        y += type.size * between(random, 1.1, 2.0);
    }
}

static void draw_chart(reha_canvas *canvas, reha_random *random, reha_colour ink)
{
    const double width = reha_canvas_width(canvas);
    const double height = reha_canvas_height(canvas);
    const double margin = 25.0;
    const reha_stroke axis = {.colour = ink, .width = 2.0};
    reha_canvas_line(canvas, (reha_spot){margin, height - margin}, (reha_spot){width - 5.0, height - margin},
                     axis);
    reha_canvas_line(canvas, (reha_spot){margin, 5.0}, (reha_spot){margin, height - margin}, axis);
    if (happens(random, 0.5)) {
        const int count = 4 + (int)reha_random_below(random, 10);
        const double step = (width - margin - 15.0) / count;
        for (int i = 0; i < count; i++) {
            const double top = between(random, 10.0, height - margin - 2.0);
            const reha_rect bar = {margin + 8.0 + i * step, top, 0.6 * step, height - margin - top};
            reha_canvas_fill_box(canvas, bar, 0.0, happens(random, 0.5) ? ink : any_colour(random, true));
        }
    } else {
        for (int curve = 1 + (int)reha_random_below(random, 4); curve > 0; curve--) {
            reha_spot spots[CURVE_SPOTS];
            double y = 0.5 * height;
            for (int i = 0; i < CURVE_SPOTS; i++) {
                y = fmin(fmax(10.0, y + 0.05 * height * reha_random_normal(random)), height - margin);
                spots[i] = (reha_spot){margin + i * (width - margin) / CURVE_SPOTS, y};
            }
            const reha_stroke stroke = {.colour = any_colour(random, true),
                                        .width = between(random, 1.0, 4.0)};
            reha_canvas_polyline(canvas, spots, CURVE_SPOTS, false, stroke);
        }
    }
    const reha_type type = {.size = between(random, 8.0, 14.0), .colour = ink};
    for (int i = 0; i < 5; i++) {
        char label[8];
        (void)snprintf(label, sizeof label, "%d", 10 * i);
        reha_canvas_text(canvas, (reha_spot){margin + i * (width - margin) / 5.0, height - margin + 4.0},
                         label, &type);
        reha_canvas_text(canvas, (reha_spot){2.0, height - margin - i * (height - margin) / 5.0 - 10.0},
                         label, &type);
    }
}

static float gradient_at(double x, double y, const double shape[5])
{
    const double along = cos(shape[0]) * x + sin(shape[0]) * y;
    const double round = hypot(x - shape[1], y - shape[2]);
    const double value = shape[3] > 0.6 ? round : along;
    return (float)(shape[4] > 3.0 ? 127.5 + 127.5 * sin(value * shape[4]) : 255.0 * fabs(value));
}

static reha_status draw_pixels(bench_picture_kind kind, uint32_t side, reha_random *random, reha_gray **out,
                               reha_error *err)
{
    const double shape[5] = {between(random, 0.0, 6.28), reha_random_unit(random), reha_random_unit(random),
                             reha_random_unit(random),
                             happens(random, 0.3) ? between(random, 3.0, 40.0) : 0.0};
    const double mean = between(random, 0.0, 255.0);
    const double sd = kind == BENCH_BLANK ? between(random, 0.0, 1.5) : between(random, 10.0, 80.0);
    const bool is_binary = kind == BENCH_NOISE && happens(random, 0.2);
    REHA_TRY(reha_gray_new(side, side, out, err));
    for (uint32_t y = 0; y < side; y++) {
        for (uint32_t x = 0; x < side; x++) {
            float *at = &(*out)->pixels[(size_t)y * side + x];
            if (kind == BENCH_GRADIENT) {
                *at = gradient_at((double)x / side, (double)y / side, shape);
            } else if (is_binary) {
                *at = happens(random, 0.3) ? 255.0f : 0.0f;
            } else {
                *at = (float)(mean + sd * reha_random_normal(random));
            }
        }
    }
    return REHA_OK;
}

/* Light from one side, and the noise of a camera. */
static void shade(reha_gray *image, reha_random *random)
{
    const double left = between(random, 0.4, 1.2);
    const double right = between(random, 0.4, 1.2);
    for (uint32_t y = 0; y < image->height_px; y++) {
        for (uint32_t x = 0; x < image->width_px; x++) {
            float *at = &image->pixels[(size_t)y * image->width_px + x];
            const double light = left + (right - left) * x / image->width_px;
            *at = (float)((double)*at * light + 4.0 * reha_random_normal(random));
        }
    }
}

reha_status bench_draw_picture(bench_picture_kind kind, reha_random *random, reha_gray **out,
                               double *chroma_fraction, reha_error *err)
{
    const uint32_t side = 180 + reha_random_below(random, 340);
    *chroma_fraction = 0.0;
    if (kind == BENCH_GRADIENT || kind == BENCH_NOISE || kind == BENCH_BLANK) {
        return draw_pixels(kind, side, random, out, err);
    }
    const bool is_scene = kind == BENCH_SCENE || kind == BENCH_COLOUR;
    const bool is_dark = happens(random, 0.3);
    const reha_colour paper =
        is_scene ? any_colour(random, kind == BENCH_SCENE) : grey_of(is_dark ? 0.05 : 1.0);
    const reha_colour ink = grey_of(is_dark ? 0.95 : 0.0);
    reha_canvas *canvas = NULL;
    REHA_TRY(
        reha_canvas_new_picture((uint32_t)(side * between(random, 0.75, 1.3)), side, paper, &canvas, err));
    if (is_scene) {
        draw_scene(canvas, random, kind == BENCH_SCENE);
    } else if (kind == BENCH_TEXT) {
        draw_text(canvas, random, ink);
    } else {
        draw_chart(canvas, random, ink);
    }
    REHA_TRY(finish(canvas, out, chroma_fraction, err));
    if (kind == BENCH_SCENE) {
        shade(*out, random);
    }
    return REHA_OK;
}

/* ---- Metal ---- */

typedef struct implant {
    reha_canvas *canvas;
    bench_joint joint;
    double angle;
    reha_colour colour;
    reha_random *random;
} implant;

/* From plateau widths around the joint (y down the leg) to the canvas. */
static reha_spot place(const implant *on, double x, double y)
{
    const double c = cos(on->angle);
    const double s = sin(on->angle);
    return (reha_spot){on->joint.x_px + 0.5 + (x * c - y * s) * on->joint.width_px,
                       on->joint.y_px + 0.5 + (x * s + y * c) * on->joint.width_px};
}

static void fill(const implant *on, const double (*points)[2], size_t count)
{
    reha_spot spots[2 * ARC_SPOTS];
    for (size_t i = 0; i < count; i++) {
        spots[i] = place(on, points[i][0], points[i][1]);
    }
    reha_canvas_fill_polygon(on->canvas, spots, count, on->colour);
}

static void draw_screw(const implant *on, double x0, double y0, double x1, double y1, double thickness)
{
    const double width = fmax(1.5, thickness * on->joint.width_px);
    const reha_stroke shank = {.colour = on->colour, .width = width};
    reha_canvas_line(on->canvas, place(on, x0, y0), place(on, x1, y1), shank);
    const double length = hypot(x1 - x0, y1 - y0);
    const double nx = -(y1 - y0) / length;
    const double ny = (x1 - x0) / length;
    const reha_stroke thread = {.colour = on->colour, .width = fmax(1.0, 0.008 * on->joint.width_px)};
    for (double at = 0.0; at < length; at += 0.025) {
        const double x = x0 + (x1 - x0) * at / length;
        const double y = y0 + (y1 - y0) * at / length;
        reha_canvas_line(on->canvas, place(on, x - 0.9 * thickness * nx, y - 0.9 * thickness * ny),
                         place(on, x + 0.9 * thickness * nx, y + 0.9 * thickness * ny), thread);
    }
    const reha_stroke head = {.colour = on->colour, .width = 1.3 * width};
    reha_canvas_line(on->canvas, place(on, x0 - 1.5 * thickness * nx, y0 - 1.5 * thickness * ny),
                     place(on, x0 + 1.5 * thickness * nx, y0 + 1.5 * thickness * ny), head);
}

static void draw_condyle(const implant *on, double centre, double radius, double gap)
{
    const double height = between(on->random, 0.16, 0.30);
    const double middle = -0.6 * gap - height;
    double points[ARC_SPOTS + 2][2];
    for (int i = 0; i < ARC_SPOTS; i++) {
        const double angle = 3.14159 * i / (ARC_SPOTS - 1);
        points[i][0] = centre + radius * cos(angle);
        points[i][1] = middle + height * sin(angle);
    }
    const double top = middle - height * between(on->random, 0.0, 0.6);
    points[ARC_SPOTS][0] = centre - radius;
    points[ARC_SPOTS][1] = top;
    points[ARC_SPOTS + 1][0] = centre + radius;
    points[ARC_SPOTS + 1][1] = top;
    fill(on, (const double(*)[2])points, ARC_SPOTS + 2);
}

static void draw_prosthesis(const implant *on, bool is_total, double side)
{
    const double gap = between(on->random, 0.05, 0.11);
    const double half = 0.48 * between(on->random, 0.9, 1.08);
    for (int k = -1; k <= 1; k += 2) {
        if (is_total || k == (int)side) {
            draw_condyle(on, k * 0.55 * half, 0.45 * half, gap);
        }
    }
    const double y = 0.5 * gap + between(on->random, 0.0, 0.04);
    const double thick = between(on->random, 0.025, 0.07);
    const double x0 = is_total ? -half : fmin(0.08 * side, half * side);
    const double x1 = is_total ? half : fmax(0.08 * side, half * side);
    const double tray[4][2] = {{x0, y}, {x1, y}, {x1, y + thick}, {x0, y + thick}};
    fill(on, tray, 4);
    if (is_total) {
        const double top = -0.6 * gap - between(on->random, 0.22, 0.34);
        const double flange[4][2] = {
            {-half, top}, {half, top}, {0.9 * half, top + 0.16}, {-0.9 * half, top + 0.16}};
        fill(on, flange, 4);
        const double a = between(on->random, 0.06, 0.13);
        const double b = between(on->random, 0.03, 0.07);
        const double length = between(on->random, 0.18, 0.55);
        const double keel[4][2] = {{-a, y}, {a, y}, {b, y + length}, {-b, y + length}};
        fill(on, keel, 4);
    } else {
        const double peg[4][2] = {
            {0.22 * side, y}, {0.28 * side, y}, {0.27 * side, y + 0.1}, {0.23 * side, y + 0.1}};
        fill(on, peg, 4);
    }
}

static void draw_plate(const implant *on, double side)
{
    const double x = side * between(on->random, 0.36, 0.50);
    const double top = between(on->random, 0.04, 0.14);
    const double end = between(on->random, 0.45, 0.80);
    const reha_spot spots[3] = {place(on, x, top), place(on, 0.95 * x, 0.25), place(on, 0.72 * x, end)};
    const reha_stroke stroke = {.colour = on->colour,
                                .width = between(on->random, 0.03, 0.06) * on->joint.width_px};
    reha_canvas_polyline(on->canvas, spots, 3, false, stroke);
    for (int i = 2 + (int)reha_random_below(on->random, 4); i > 0; i--) {
        const double y = between(on->random, top, 0.5);
        draw_screw(on, 0.95 * x, y, 0.95 * x - side * between(on->random, 0.3, 0.85),
                   y + between(on->random, -0.03, 0.03), between(on->random, 0.014, 0.03));
    }
}

static void draw_screws(const implant *on, double side)
{
    for (int i = 1 + (int)reha_random_below(on->random, 3); i > 0; i--) {
        const double up = happens(on->random, 0.35) ? -1.0 : 1.0;
        const double x = side * between(on->random, 0.25, 0.50);
        const double y = up * between(on->random, 0.06, 0.40);
        const double length = between(on->random, 0.3, 0.8);
        const double tilt = 0.35 * reha_random_normal(on->random);
        draw_screw(on, x, y, x - side * length * cos(tilt), y + length * sin(tilt),
                   between(on->random, 0.018, 0.04));
    }
}

static void draw_nail(const implant *on)
{
    const double up = happens(on->random, 0.5) ? -1.0 : 1.0;
    const double b = between(on->random, 0.05, 0.09);
    const double x = between(on->random, -0.08, 0.08);
    const double nail[4][2] = {
        {x - b, 0.12 * up}, {x + b, 0.1 * up}, {x + 0.9 * b, 0.9 * up}, {x - 0.9 * b, 0.9 * up}};
    fill(on, nail, 4);
    const double y = up * between(on->random, 0.15, 0.40);
    draw_screw(on, 0.45, y, -between(on->random, 0.2, 0.45), y, between(on->random, 0.018, 0.03));
}

reha_status bench_draw_metal(const reha_gray *knee, bench_joint joint, reha_random *random, reha_gray **out,
                             reha_error *err)
{
    reha_canvas *canvas = NULL;
    REHA_TRY(reha_canvas_new_picture(knee->width_px, knee->height_px, grey_of(0.0), &canvas, err));
    /* Metal is brighter than all bone: the knee takes the lower part of the grey values, as exposure does. */
    reha_canvas_gray(canvas, knee, (reha_rect){0.0, 0.0, knee->width_px, knee->height_px}, 0.0f,
                     (float)(255.0 / between(random, 0.62, 0.92)));
    const double side = happens(random, 0.5) ? -1.0 : 1.0;
    const implant on = {.canvas = canvas,
                        .joint = joint,
                        .angle = 0.05 * reha_random_normal(random),
                        .colour = grey_of(between(random, 0.92, 1.0)),
                        .random = random};
    const double kind = reha_random_unit(random);
    if (kind < 0.45) {
        draw_prosthesis(&on, true, side);
    } else if (kind < 0.60) {
        draw_prosthesis(&on, false, side);
    } else if (kind < 0.75) {
        draw_plate(&on, side);
    } else if (kind < 0.90) {
        draw_screws(&on, side);
    } else {
        draw_nail(&on);
    }
    return finish(canvas, out, NULL, err);
}

reha_status bench_draw_tinted(const reha_gray *knee, reha_random *random, reha_gray **out,
                              double *chroma_fraction, reha_error *err)
{
    reha_canvas *canvas = NULL;
    REHA_TRY(reha_canvas_new_picture(knee->width_px, knee->height_px, grey_of(0.0), &canvas, err));
    const reha_rect whole = {0.0, 0.0, knee->width_px, knee->height_px};
    reha_canvas_gray(canvas, knee, whole, 0.0f, 255.0f);
    reha_colour glass = reha_heat_colour(between(random, 0.3, 0.8));
    glass.alpha = between(random, 0.2, 0.5);
    reha_canvas_fill_box(canvas, whole, 0.0, glass);
    return finish(canvas, out, chroma_fraction, err);
}
