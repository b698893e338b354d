#include "service/figure_injury_priv.h"

#include "base/memory.h"
#include "recognition/muscle_injury.h"
#include "recognition/muscle_us.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    CURVE_POINTS = REHA_MUSCLE_POINTS_DEEP,
    PICTURE_PX = 700,
    PANEL_PX = 320,
    LEGEND_PX = 64,
    GAP_PX = 16
};
static const unsigned INK = 0x1b2733;
static const unsigned AMBER = 0x8a5800;
static const unsigned SUPERFICIAL = 0xffd23f;
static const unsigned DEEP = 0x35c2ff;
static const unsigned REGION = 0xff5a3c;
static const unsigned SOLID = 0x2f6fb0;
static const unsigned PALE = 0xc9d6e3;

static void draw_curve(reha_canvas *canvas, const reha_gray *image, reha_rect box,
                       const reha_point_px *points, unsigned colour)
{
    reha_spot spots[CURVE_POINTS];
    for (int i = 0; i < CURVE_POINTS; i++) {
        spots[i] = reha_canvas_place(image, box, points[i]);
    }
    reha_canvas_polyline(canvas, spots, CURVE_POINTS, false, (reha_stroke){reha_rgb(colour), 1.5, 0.0});
}

/* ---- the border of the map at its threshold: marching squares ---- */

typedef struct contour {
    const reha_gray *map, *image;
    reha_box_px over;
    reha_rect box;
} contour;

static reha_spot spot_between(const contour *c, double x0, double y0, double v0, double x1, double y1,
                              double v1)
{
    const double t = v1 != v0 ? (REHA_INJURY_REGION_MIN - v0) / (v1 - v0) : 0.5;
    const double column = x0 + t * (x1 - x0) + 0.5;
    const double row = y0 + t * (y1 - y0) + 0.5;
    const reha_point_px at = {c->over.x_px + column * c->over.width_px / c->map->width_px,
                              c->over.y_px + row * c->over.height_px / c->map->height_px};
    return reha_canvas_place(c->image, c->box, at);
}

static void draw_cell(reha_canvas *canvas, const contour *c, uint32_t x, uint32_t y, reha_stroke stroke)
{
    static const int corner_x[5] = {0, 1, 1, 0, 0};
    static const int corner_y[5] = {0, 0, 1, 1, 0};
    reha_spot crossings[4];
    size_t count = 0;
    for (int k = 0; k < 4; k++) {
        const double x0 = x + corner_x[k], y0 = y + corner_y[k];
        const double x1 = x + corner_x[k + 1], y1 = y + corner_y[k + 1];
        const double v0 = (double)reha_gray_at(c->map, (uint32_t)x0, (uint32_t)y0);
        const double v1 = (double)reha_gray_at(c->map, (uint32_t)x1, (uint32_t)y1);
        if ((v0 > REHA_INJURY_REGION_MIN) != (v1 > REHA_INJURY_REGION_MIN)) {
            crossings[count++] = spot_between(c, x0, y0, v0, x1, y1, v1);
        }
    }
    for (size_t k = 0; k + 1 < count; k += 2) {
        reha_canvas_line(canvas, crossings[k], crossings[k + 1], stroke);
    }
}

static void draw_regions(reha_canvas *canvas, const reha_case *result, const reha_region *region,
                         reha_rect box)
{
    const contour c = {region->explanation, result->image, region->explanation_box, box};
    const reha_stroke stroke = {reha_rgb(REGION), 1.8, 0.0};
    for (uint32_t y = 0; c.map != NULL && y + 1 < c.map->height_px; y++) {
        for (uint32_t x = 0; x + 1 < c.map->width_px; x++) {
            draw_cell(canvas, &c, x, y, stroke);
        }
    }
}

/* "1: 43 % of the thickness" beside each region. */
static void write_labels(reha_canvas *canvas, const reha_case *result, const reha_region *region,
                         reha_rect box)
{
    const reha_type type = {.size = box.width / 50.0, .bold = true, .colour = reha_rgb(REGION)};
    for (int i = 0; i < region->finding_count; i++) {
        const reha_finding *finding = &region->findings[i];
        char text[64];
        if (!finding->has_region) {
            continue;
        }
        const char *number = strrchr(finding->key, '-');
        (void)snprintf(text, sizeof text, "%s: %.0f %% of the thickness", number != NULL ? number + 1 : "",
                       finding->measure.value);
        const reha_box_px *at = &finding->region;
        const reha_spot above = reha_canvas_place(result->image, box, (reha_point_px){at->x_px, at->y_px});
        const reha_spot below =
            reha_canvas_place(result->image, box, (reha_point_px){at->x_px, at->y_px + at->height_px});
        const double y = above.y - 1.4 * type.size > box.y ? above.y - 1.4 * type.size : below.y + 2.0;
        (void)reha_canvas_text(canvas, (reha_spot){above.x, y}, text, &type);
    }
}

void reha_figure_injury(reha_canvas *canvas, reha_rect frame, const reha_case *result,
                        const reha_region *region)
{
    const double legend = frame.height * LEGEND_PX / (PICTURE_PX + LEGEND_PX);
    const reha_rect box =
        reha_rect_fit(result->image, (reha_rect){frame.x, frame.y, frame.width, frame.height - legend});
    const reha_type type = {.size = legend / 4.6, .colour = reha_rgb(INK), .wrap_width = frame.width};
    reha_type warning = type;
    warning.bold = true;
    warning.colour = reha_rgb(AMBER);
    reha_canvas_gray_stretched(canvas, result->image, box, 0.01, 0.998);
    reha_canvas_clip(canvas, box);
    if (region->point_count >= REHA_INJURY_POINTS_OUTLINE) {
        draw_curve(canvas, result->image, box, region->points + REHA_MUSCLE_POINTS_SUPERFICIAL, SUPERFICIAL);
        draw_curve(canvas, result->image, box, region->points + REHA_MUSCLE_POINTS_DEEP, DEEP);
    }
    draw_regions(canvas, result, region, box);
    write_labels(canvas, result, region, box);
    reha_canvas_unclip(canvas);
    const double y = box.y + box.height + 6.0;
    (void)reha_canvas_text(canvas, (reha_spot){frame.x, y},
                           "RESEARCH ONLY, trained on simulated lesions: for no decision about a patient",
                           &warning);
    (void)reha_canvas_text(
        canvas, (reha_spot){frame.x, y + 1.4 * type.size},
        "Red: what looks like the simulated injuries. Yellow and blue: the aponeuroses between which "
        "was looked. No red line excludes nothing.",
        &type);
}

void reha_figure_injury_grades(reha_canvas *canvas, reha_rect frame, const reha_region *region)
{
    static const char *const words[] = {"none", "oedema", "partial", "complete"};
    reha_bar bars[REHA_CLASSES_MAX];
    char labels[REHA_CLASSES_MAX][32];
    const double size = 13.0;
    const reha_type title = {.size = size, .colour = reha_rgb(INK)};
    const reha_finding *grade = reha_region_find(region, "muscle-injury-grade");
    if (grade == NULL) {
        return;
    }
    (void)reha_canvas_text(canvas, (reha_spot){frame.x, frame.y}, "Grade proposal (research only)", &title);
    for (int k = 0; k < grade->class_count; k++) {
        const bool is_in = k >= grade->set_low && k <= grade->set_high;
        (void)snprintf(labels[k], sizeof labels[k], "%d %s\n%.0f %%", k, words[k & 3],
                       100.0 * grade->class_probabilities[k]);
        bars[k] = (reha_bar){grade->class_probabilities[k], labels[k], reha_rgb(is_in ? SOLID : PALE)};
    }
    const reha_rect box = {frame.x, frame.y + 1.8 * size, frame.width, frame.height - 1.8 * size};
    reha_canvas_bars(canvas, box, bars, (size_t)grade->class_count, 1.0, 0.85 * size, reha_rgb(INK));
}

reha_status reha_figure_injury_png(const reha_case *result, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    const uint32_t width = PICTURE_PX + PANEL_PX + 3 * GAP_PX;
    const double ratio = (double)result->image->height_px / result->image->width_px;
    const uint32_t picture = (uint32_t)fmin(PICTURE_PX, fmax(260.0, PICTURE_PX * ratio));
    const reha_region *region = &result->analysis->regions[0];
    reha_canvas *canvas = NULL;
    REHA_TRY(
        reha_canvas_new_picture(width, picture + LEGEND_PX + 2 * GAP_PX, reha_rgb(0xffffff), &canvas, err));
    /* The legend keeps its height whatever the picture's shape. */
    const double height = picture + LEGEND_PX * (double)(picture + LEGEND_PX) / (PICTURE_PX + LEGEND_PX);
    reha_figure_injury(canvas, (reha_rect){GAP_PX, GAP_PX, PICTURE_PX, fmin(height, picture + LEGEND_PX)},
                       result, region);
    reha_figure_injury_grades(canvas, (reha_rect){PICTURE_PX + 2 * GAP_PX, GAP_PX, PANEL_PX, 200.0}, region);
    const reha_status status = reha_canvas_encode(canvas, out, out_bytes, err);
    reha_canvas_free(canvas);
    return status;
}
