#include "service/figure_muscle_priv.h"

#include "base/memory.h"
#include "recognition/muscle_us.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CURVE_POINTS = REHA_MUSCLE_POINTS_DEEP, PAGE_PX = 620, PANEL_PX = 360, GAP_PX = 16 };
static const unsigned INK = 0x1b2733;
static const unsigned SOFT = 0x6b7785;
static const unsigned RULE = 0xd5dbe1;
static const unsigned SUPERFICIAL = 0xffd23f;
static const unsigned DEEP = 0x35c2ff;
static const unsigned FASCICLE = 0x5bd68a;
static const unsigned THICKNESS = 0xff5a3c;

static reha_type type_of(double size, unsigned colour)
{
    return (reha_type){.size = size, .colour = reha_rgb(colour)};
}

static void draw_curve(reha_canvas *canvas, const reha_gray *image, reha_rect box,
                       const reha_point_px *points, unsigned colour)
{
    reha_spot spots[CURVE_POINTS];
    for (int i = 0; i < CURVE_POINTS; i++) {
        spots[i] = reha_canvas_place(image, box, points[i]);
    }
    reha_canvas_polyline(canvas, spots, CURVE_POINTS, false, (reha_stroke){reha_rgb(colour), 2.0, 0.0});
}

/* The drawn border of a transverse picture. */
static void draw_border(reha_canvas *canvas, const reha_gray *image, reha_rect box, const reha_region *region)
{
    reha_spot spots[REHA_POINTS_MAX];
    for (int i = 0; i < region->point_count; i++) {
        spots[i] = reha_canvas_place(image, box, region->points[i]);
    }
    reha_canvas_polyline(canvas, spots, (size_t)region->point_count, true,
                         (reha_stroke){reha_rgb(SUPERFICIAL), 2.0, 0.0});
}

static void draw_pairs(reha_canvas *canvas, const reha_gray *image, reha_rect box, const reha_region *region,
                       int from, int to, reha_stroke stroke)
{
    for (int i = from; i + 1 < to; i += 2) {
        reha_canvas_line(canvas, reha_canvas_place(image, box, region->points[i]),
                         reha_canvas_place(image, box, region->points[i + 1]), stroke);
    }
}

void reha_figure_muscle(reha_canvas *canvas, reha_rect frame, const reha_case *result,
                        const reha_region *region)
{
    const reha_gray *image = result->image;
    const reha_rect box = reha_rect_fit(image, frame);
    reha_canvas_gray_stretched(canvas, image, box, 0.01, 0.998);
    reha_canvas_clip(canvas, box);
    reha_canvas_box(canvas,
                    (reha_rect){box.x + (region->box.x_px + 0.5) / image->width_px * box.width,
                                box.y + (region->box.y_px + 0.5) / image->height_px * box.height,
                                region->box.width_px / image->width_px * box.width,
                                region->box.height_px / image->height_px * box.height},
                    0.0, (reha_stroke){reha_rgb(SOFT), 1.0, 4.0});
    if (reha_region_find(region, "cross-sectional-area-px2") != NULL) {
        draw_border(canvas, image, box, region);
    }
    if (region->point_count >= REHA_MUSCLE_POINTS_FASCICLES) {
        draw_pairs(canvas, image, box, region, REHA_MUSCLE_POINTS_FASCICLES, region->point_count,
                   (reha_stroke){reha_rgb(FASCICLE), 1.2, 0.0});
        draw_pairs(canvas, image, box, region, REHA_MUSCLE_POINTS_THICKNESS, REHA_MUSCLE_POINTS_FASCICLES,
                   (reha_stroke){reha_rgb(THICKNESS), 2.0, 5.0});
        draw_curve(canvas, image, box, region->points + REHA_MUSCLE_POINTS_SUPERFICIAL, SUPERFICIAL);
        draw_curve(canvas, image, box, region->points + REHA_MUSCLE_POINTS_DEEP, DEEP);
    }
    reha_canvas_unclip(canvas);
}

void reha_figure_thickness(reha_canvas *canvas, reha_rect frame, const reha_region *region)
{
    const double size = 13.0;
    const reha_type title = type_of(size, INK);
    const reha_type small = type_of(0.85 * size, SOFT);
    const reha_rect plot = {frame.x + 3.4 * size, frame.y + 1.9 * size, frame.width - 3.6 * size,
                            frame.height - 3.6 * size};
    const bool is_mm = region->profile_unit != NULL && strcmp(region->profile_unit, "mm") == 0;
    reha_spot spots[REHA_PROFILE_MAX];
    size_t count = 0;
    double top = 0.0;
    char text[64];
    for (int i = 0; i < region->profile_count; i++) {
        top = isfinite(region->profile_width[i]) ? fmax(top, 1.15 * region->profile_width[i]) : top;
    }
    if (!(top > 0.0)) {
        return;
    }
    (void)snprintf(text, sizeof text, "Thickness along the muscle, %s", is_mm ? "mm" : "px");
    (void)reha_canvas_text(canvas, (reha_spot){frame.x, frame.y}, text, &title);
    for (int tick = 0; tick <= 2; tick++) {
        const double y = plot.y + plot.height * (1.0 - tick / 2.0);
        reha_canvas_line(canvas, (reha_spot){plot.x, y}, (reha_spot){plot.x + plot.width, y},
                         (reha_stroke){reha_rgb(RULE), 0.6, 0.0});
        (void)snprintf(text, sizeof text, is_mm ? "%.1f" : "%.0f", top * tick / 2.0);
        (void)reha_canvas_text(canvas, (reha_spot){frame.x, y - 0.5 * size}, text, &small);
    }
    for (int i = 0; i < region->profile_count; i++) {
        if (isfinite(region->profile_width[i])) {
            spots[count++] = (reha_spot){plot.x + plot.width * region->profile_x_ratio[i],
                                         plot.y + plot.height * (1.0 - region->profile_width[i] / top)};
        }
    }
    reha_canvas_polyline(canvas, spots, count, false, (reha_stroke){reha_rgb(THICKNESS), 1.8, 0.0});
    (void)reha_canvas_text(canvas, (reha_spot){plot.x, plot.y + plot.height + 0.3 * size},
                           "left in the image", &small);
}

static void write_values(reha_canvas *canvas, reha_rect frame, const reha_region *region)
{
    static const struct {
        const char *key, *name;
        unsigned colour;
    } rows[] = {{"superficial-aponeurosis-angle", "Superficial aponeurosis", SUPERFICIAL},
                {"deep-aponeurosis-angle", "Deep aponeurosis", DEEP},
                {"fascicle-angle", "Fascicles", FASCICLE},
                {"pennation", "Pennation", FASCICLE},
                {"cross-sectional-area", "Cross-sectional area", SUPERFICIAL},
                {"cross-sectional-area-px2", "Cross-sectional area", SUPERFICIAL},
                {"thickness", "Thickness", THICKNESS},
                {"thickness-px", "Thickness", THICKNESS},
                {"fascicle-length", "Fascicle length", FASCICLE},
                {"fascicle-length-px", "Fascicle length", FASCICLE},
                {"fascicle-length-extrapolated", "of it extrapolated", FASCICLE},
                {"echo-intensity", "Echo intensity", SOFT}};
    const double line = 24.0;
    const reha_type name = type_of(14.0, INK);
    reha_type value = type_of(14.0, INK);
    value.align = REHA_ALIGN_RIGHT;
    double y = frame.y;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[64];
        const reha_finding *finding = reha_region_find(region, rows[i].key);
        if (finding == NULL || !isfinite(finding->measure.value)) {
            continue;
        }
        const reha_measure *m = &finding->measure;
        if (isfinite(m->error)) {
            (void)snprintf(text, sizeof text, "%.1f ± %.1f %s", m->value, m->error, m->unit);
        } else {
            (void)snprintf(text, sizeof text, "%.1f %s", m->value,
                           strcmp(m->unit, "{grey}") == 0 ? "grey" : m->unit);
        }
        reha_canvas_fill_box(canvas, (reha_rect){frame.x, y + 3.0, 12.0, 12.0}, 2.0,
                             reha_rgb(rows[i].colour));
        (void)reha_canvas_text(canvas, (reha_spot){frame.x + 20.0, y}, rows[i].name, &name);
        (void)reha_canvas_text(canvas, (reha_spot){frame.x + frame.width, y}, text, &value);
        y += line;
    }
}

reha_status reha_figure_muscle_png(const reha_case *result, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_canvas *canvas = NULL;
    const reha_region *region = &result->analysis->regions[0];
    const reha_rect picture = {GAP_PX, GAP_PX, PAGE_PX, PAGE_PX};
    const double x = 2.0 * GAP_PX + PAGE_PX;
    REHA_TRY(reha_canvas_new_picture(PAGE_PX + PANEL_PX + 3 * GAP_PX, PAGE_PX + 2 * GAP_PX,
                                     reha_rgb(0xffffff), &canvas, err));
    reha_figure_muscle(canvas, picture, result, region);
    write_values(canvas, (reha_rect){x, 2.0 * GAP_PX, PANEL_PX, 260.0}, region);
    reha_figure_thickness(canvas, (reha_rect){x, PAGE_PX - 200.0, PANEL_PX, 200.0}, region);
    status = reha_canvas_encode(canvas, out, out_bytes, err);
    reha_canvas_free(canvas);
    return status;
}
