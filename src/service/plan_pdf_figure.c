#include "service/plan_pdf.h"

#include <math.h>
#include <string.h>

/* A figure lives in a field of 100 x 80 units: x right, y down. A pose is a body of fixed limb lengths,
 * given by where the hip is and by the angle of each limb (degrees, 0 right, 90 down, clockwise). */
static const double FIELD_WIDTH = 100.0;
static const double FIELD_HEIGHT = 80.0;
static const double TRUNK = 24.0;
static const double NECK = 3.0;
static const double HEAD_RADIUS = 5.5;

typedef struct limb { /* lengths and widths of its parts, from the body outwards */
    size_t count;
    double lengths[3];
    double widths[3];
} limb;
static const limb LEG = {3, {18.0, 18.0, 6.5}, {6.0, 5.0, 3.6}};
static const limb ARM = {2, {12.0, 11.0}, {4.2, 3.6}};
static const double NECK_WIDTH = 4.2;
static const double TRUNK_WIDTH = 8.0;
static const double RAD_PER_DEG = 3.14159265358979323846 / 180.0;

static const unsigned NEAR_COLOUR = 0x1f4e79;
static const unsigned FAR_COLOUR = 0x7da3c4;
static const unsigned GHOST = 0xd3dfea;
static const unsigned GHOST_FAR = 0xe4ecf3;
static const unsigned PROP = 0xb9b2a6;
static const unsigned ACCENT = 0xd9480f;
static const unsigned BAND = 0x2b8a3e;

typedef struct pen {
    reha_canvas *canvas;
    double x, y, scale;
} pen;

static reha_spot at(const pen *p, double x, double y)
{
    return (reha_spot){p->x + p->scale * x, p->y + p->scale * y};
}

static void draw_line(const pen *p, double x1, double y1, double x2, double y2, double width, unsigned colour)
{
    reha_canvas_line(p->canvas, at(p, x1, y1), at(p, x2, y2),
                     (reha_stroke){reha_rgb(colour), p->scale * width, 0.0});
}

static double item(const json_t *array, size_t index)
{
    return json_number_value(json_array_get(array, index));
}

/* ---- The body ---- */

static void draw_limb(const pen *p, double x, double y, const json_t *angles, const limb *parts,
                      unsigned colour)
{
    for (size_t i = 0; i < parts->count && i < json_array_size(angles); i++) {
        const double angle = item(angles, i) * RAD_PER_DEG;
        const double to_x = x + parts->lengths[i] * cos(angle);
        const double to_y = y + parts->lengths[i] * sin(angle);
        draw_line(p, x, y, to_x, to_y, parts->widths[i], colour);
        x = to_x;
        y = to_y;
    }
}

static void draw_pose(const pen *p, const json_t *pose, bool is_ghost)
{
    const json_t *hip = json_object_get(pose, "hip");
    const json_t *legs = json_object_get(pose, "legs");
    const json_t *arms = json_object_get(pose, "arms");
    const double trunk = reha_json_number(pose, "trunk", 270.0) * RAD_PER_DEG;
    const double head = reha_json_number(pose, "head", trunk / RAD_PER_DEG) * RAD_PER_DEG;
    const unsigned near = is_ghost ? GHOST : NEAR_COLOUR;
    const unsigned far = is_ghost ? GHOST_FAR : FAR_COLOUR;
    const double x = item(hip, 0);
    const double y = item(hip, 1);
    const double shoulder_x = x + TRUNK * cos(trunk);
    const double shoulder_y = y + TRUNK * sin(trunk);
    const double head_x = shoulder_x + (NECK + HEAD_RADIUS) * cos(head);
    const double head_y = shoulder_y + (NECK + HEAD_RADIUS) * sin(head);
    draw_limb(p, x, y, json_array_get(legs, 1), &LEG, far);
    draw_limb(p, shoulder_x, shoulder_y, json_array_get(arms, 1), &ARM, far);
    draw_line(p, x, y, shoulder_x, shoulder_y, TRUNK_WIDTH, near);
    draw_line(p, shoulder_x, shoulder_y, head_x, head_y, NECK_WIDTH, near);
    reha_canvas_fill_circle(p->canvas, at(p, head_x, head_y), p->scale * HEAD_RADIUS, reha_rgb(near));
    draw_limb(p, x, y, json_array_get(legs, 0), &LEG, near);
    draw_limb(p, shoulder_x, shoulder_y, json_array_get(arms, 0), &ARM, near);
}

/* ---- Things and arrows ---- */

static void draw_head_of_arrow(const pen *p, double x, double y, double angle)
{
    const double length = 5.5;
    const double spread = 28.0 * RAD_PER_DEG;
    const reha_spot spots[3] = {at(p, x, y),
                                at(p, x - length * cos(angle - spread), y - length * sin(angle - spread)),
                                at(p, x - length * cos(angle + spread), y - length * sin(angle + spread))};
    reha_canvas_fill_polygon(p->canvas, spots, 3, reha_rgb(ACCENT));
}

static void draw_arrow(const pen *p, const json_t *a)
{
    const double angle = atan2(item(a, 3) - item(a, 1), item(a, 2) - item(a, 0));
    draw_line(p, item(a, 0), item(a, 1), item(a, 2) - 3.0 * cos(angle), item(a, 3) - 3.0 * sin(angle), 1.6,
              ACCENT);
    draw_head_of_arrow(p, item(a, 2), item(a, 3), angle);
}

/* [centre x, centre y, radius, from, to] in degrees; the arrow goes the shorter way round. */
static void draw_curve(const pen *p, const json_t *a)
{
    enum { PARTS = 16 };
    reha_spot spots[PARTS + 1];
    double turn = fmod(item(a, 4) - item(a, 3), 360.0);
    turn = turn > 180.0 ? turn - 360.0 : turn < -180.0 ? turn + 360.0 : turn;
    const double from = item(a, 3) * RAD_PER_DEG;
    const double radius = item(a, 2);
    double angle = from;
    for (int i = 0; i <= PARTS; i++) {
        angle = from + turn * RAD_PER_DEG * i / PARTS;
        spots[i] = at(p, item(a, 0) + radius * cos(angle), item(a, 1) + radius * sin(angle));
    }
    reha_canvas_polyline(p->canvas, spots, PARTS, false,
                         (reha_stroke){reha_rgb(ACCENT), p->scale * 1.6, 0.0});
    draw_head_of_arrow(p, item(a, 0) + radius * cos(angle), item(a, 1) + radius * sin(angle),
                       angle + (turn > 0.0 ? 90.0 : -90.0) * RAD_PER_DEG);
}

static void draw_thick(const pen *p, const json_t *prop)
{
    const json_t *spots = json_object_get(prop, "limb");
    const bool is_far = strcmp(reha_json_string(prop, "tone", "near"), "far") == 0;
    for (size_t i = 0; i + 1 < json_array_size(spots); i++) {
        const json_t *a = json_array_get(spots, i);
        const json_t *b = json_array_get(spots, i + 1);
        draw_line(p, item(a, 0), item(a, 1), item(b, 0), item(b, 1), reha_json_number(prop, "width", 4.0),
                  is_far ? GHOST : NEAR_COLOUR);
    }
}

static void draw_thing(const pen *p, const json_t *prop)
{
    const json_t *a = NULL;
    if ((a = json_object_get(prop, "line")) != NULL) {
        draw_line(p, item(a, 0), item(a, 1), item(a, 2), item(a, 3), 2.0, PROP);
    } else if ((a = json_object_get(prop, "band")) != NULL) {
        draw_line(p, item(a, 0), item(a, 1), item(a, 2), item(a, 3), 1.8, BAND);
    } else if ((a = json_object_get(prop, "box")) != NULL) {
        const reha_spot corner = at(p, item(a, 0), item(a, 1));
        reha_canvas_fill_box(p->canvas,
                             (reha_rect){corner.x, corner.y, p->scale * item(a, 2), p->scale * item(a, 3)},
                             p->scale, reha_rgb(PROP));
    } else if ((a = json_object_get(prop, "disc")) != NULL) {
        reha_canvas_fill_circle(p->canvas, at(p, item(a, 0), item(a, 1)), p->scale * item(a, 2),
                                reha_rgb(BAND));
    } else if ((a = json_object_get(prop, "ring")) != NULL) {
        reha_canvas_circle(p->canvas, at(p, item(a, 0), item(a, 1)), p->scale * item(a, 2),
                           (reha_stroke){reha_rgb(PROP), p->scale * 2.0, 0.0});
    } else if (json_object_get(prop, "limb") != NULL) {
        draw_thick(p, prop);
    }
}

static bool is_arrow(const json_t *prop)
{
    return json_object_get(prop, "arrow") != NULL || json_object_get(prop, "curve") != NULL;
}

void reha_plan_figure(reha_canvas *canvas, reha_rect box, const json_t *figures, const char *name)
{
    const json_t *figure = json_object_get(figures, name);
    const json_t *poses = json_object_get(figure, "poses");
    const json_t *props = json_object_get(figure, "props");
    const json_t *floor = json_object_get(figure, "floor");
    double view[4] = {0.0, 0.0, FIELD_WIDTH, FIELD_HEIGHT}; /* the part of the field that is shown */
    if (figure == NULL) {
        return;
    }
    if (reha_json_need_numbers(figure, "view", 4, view, NULL) != REHA_OK ||
        !(view[2] > 0.0 && view[3] > 0.0)) {
        view[0] = 0.0;
        view[1] = 0.0;
        view[2] = FIELD_WIDTH;
        view[3] = FIELD_HEIGHT;
    }
    const double scale = fmin(box.width / view[2], box.height / view[3]);
    const pen p = {canvas, box.x + 0.5 * (box.width - scale * view[2]) - scale * view[0],
                   box.y + 0.5 * (box.height - scale * view[3]) - scale * view[1], scale};
    if (json_is_number(floor)) {
        draw_line(&p, 2.0, json_number_value(floor) + 2.0, 98.0, json_number_value(floor) + 2.0, 1.0, PROP);
    }
    for (size_t i = 0; i < json_array_size(props); i++) {
        draw_thing(&p, json_array_get(props, i));
    }
    for (size_t i = 0; i < json_array_size(poses); i++) {
        draw_pose(&p, json_array_get(poses, i), i + 1 < json_array_size(poses));
    }
    for (size_t i = 0; i < json_array_size(props); i++) { /* arrows lie on top */
        const json_t *prop = json_array_get(props, i);
        if (is_arrow(prop) && json_object_get(prop, "arrow") != NULL) {
            draw_arrow(&p, json_object_get(prop, "arrow"));
        } else if (is_arrow(prop)) {
            draw_curve(&p, json_object_get(prop, "curve"));
        }
    }
}
