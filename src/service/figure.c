#include "service/figure.h"

#include "base/memory.h"
#include "image/statistics.h"
#include "recognition/finding_text.h"
#include "service/figure_boxes_priv.h"
#include "service/figure_injury_priv.h"
#include "service/figure_muscle_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    TIBIA_POINTS = 9, /* order of the landmarks: recognition/knee_card.h */
    SAMPLE_SIDE_PX = 448,
    PANEL_PX = 420,
    GAP_PX = 16
};

static const unsigned INK = 0x1b2733;
static const unsigned SOFT = 0x6b7785;
static const unsigned BLUE = 0x1f77b4;
static const unsigned PALE = 0xb9d3e8;
static const unsigned AMBER = 0xd98c00;
static const unsigned FEMUR = 0x35c2ff;
static const unsigned TIBIA = 0xffd23f;
static const unsigned NARROW = 0xff5a3c;

static reha_type type_of(double size, unsigned colour)
{
    return (reha_type){.size = size, .colour = reha_rgb(colour)};
}

static void window_of(const reha_gray *image, float *low, float *high)
{
    const double fractions[2] = {0.01, 0.995};
    float levels[2] = {0.0F, 1.0F};
    const size_t count = (size_t)image->width_px * image->height_px;
    if (reha_percentiles(image->pixels, count, fractions, 2, levels, NULL) != REHA_OK ||
        levels[1] <= levels[0]) {
        levels[0] = 0.0F;
        levels[1] = 255.0F;
    }
    *low = levels[0];
    *high = levels[1];
}

/* An inverted film is shown as the analysis saw it. */
static void show(reha_canvas *canvas, const reha_gray *image, reha_rect box, float low, float high,
                 bool inverted)
{
    reha_canvas_gray(canvas, image, box, inverted ? high : low, inverted ? low : high);
}

void reha_figure_overview(reha_canvas *canvas, reha_rect frame, const reha_case *result)
{
    float low = 0.0F;
    float high = 1.0F;
    const reha_gray *image = result->image;
    const reha_rect box = reha_rect_fit(image, frame);
    window_of(image, &low, &high);
    show(canvas, image, box, low, high, result->analysis->was_inverted);
    const double scale_x = box.width / image->width_px;
    const double scale_y = box.height / image->height_px;
    reha_canvas_clip(canvas, box);
    for (int i = 0; i < result->analysis->region_count; i++) {
        const reha_region *region = &result->analysis->regions[i];
        const reha_rect mark = {box.x + region->box.x_px * scale_x, box.y + region->box.y_px * scale_y,
                                region->box.width_px * scale_x, region->box.height_px * scale_y};
        const reha_stroke stroke = {reha_rgb(region->is_accepted ? FEMUR : AMBER), 1.5,
                                    region->is_accepted ? 0.0 : 4.0};
        reha_canvas_box(canvas, mark, 2.0, stroke);
        char label[64];
        (void)snprintf(label, sizeof label, "%s%s",
                       region->side == REHA_SIDE_UNKNOWN ? "knee" : reha_side_text(region->side),
                       region->is_accepted ? "" : " (refused)");
        const reha_type type = type_of(frame.width / 30.0, region->is_accepted ? FEMUR : AMBER);
        (void)reha_canvas_text(canvas, (reha_spot){fmax(mark.x, box.x) + 3.0, fmax(mark.y, box.y) + 2.0},
                               label, &type);
    }
    reha_canvas_unclip(canvas);
}

/* ---- the enlarged region ---- */

typedef struct view { /* a square part of the image in a square of the canvas */
    reha_rect frame;
    double x_px, y_px, side_px; /* part of the image */
} view;

static view view_of(reha_rect frame, const reha_region *region)
{
    const double side = fmin(frame.width, frame.height);
    const double side_px = fmax(region->box.width_px, region->box.height_px);
    return (view){{frame.x + (frame.width - side) / 2.0, frame.y, side, side},
                  region->box.x_px + region->box.width_px / 2.0 - side_px / 2.0,
                  region->box.y_px + region->box.height_px / 2.0 - side_px / 2.0,
                  side_px};
}

static reha_spot place(const view *at, reha_point_px point)
{
    const double scale = at->frame.width / at->side_px;
    return (reha_spot){at->frame.x + (point.x_px + 0.5 - at->x_px) * scale,
                       at->frame.y + (point.y_px + 0.5 - at->y_px) * scale};
}

/* Draws the part of the image that the view shows: cut out first, so that its own window applies. What lies
 * outside of the image stays black. */
static void show_view(reha_canvas *canvas, const reha_case *result, const view *at)
{
    reha_gray *part = NULL;
    float low = 0.0F;
    float high = 1.0F;
    const reha_gray *image = result->image;
    const double left_px = fmax(floor(at->x_px + 0.5), 0.0);
    const double top_px = fmax(floor(at->y_px + 0.5), 0.0);
    const double right_px = fmin(floor(at->x_px + at->side_px + 0.5), image->width_px);
    const double bottom_px = fmin(floor(at->y_px + at->side_px + 0.5), image->height_px);
    if (right_px - left_px < 2.0 || bottom_px - top_px < 2.0 ||
        reha_gray_new((uint32_t)(right_px - left_px), (uint32_t)(bottom_px - top_px), &part, NULL) !=
            REHA_OK) {
        return;
    }
    for (uint32_t y = 0; y < part->height_px; y++) {
        const float *row = image->pixels + ((size_t)top_px + y) * image->width_px + (size_t)left_px;
        memcpy(part->pixels + (size_t)y * part->width_px, row, part->width_px * sizeof *row);
    }
    window_of(part, &low, &high);
    const double scale = at->frame.width / at->side_px;
    const reha_rect box = {at->frame.x + (left_px - at->x_px) * scale,
                           at->frame.y + (top_px - at->y_px) * scale, (right_px - left_px) * scale,
                           (bottom_px - top_px) * scale};
    reha_canvas_fill_box(canvas, at->frame, 0.0, reha_rgb(0));
    reha_canvas_clip(canvas, at->frame);
    show(canvas, part, box, low, high, result->analysis->was_inverted);
    reha_canvas_unclip(canvas);
    reha_gray_free(part);
}

static void draw_line(reha_canvas *canvas, const view *at, const reha_point_px *points, int count,
                      unsigned colour)
{
    reha_spot spots[REHA_POINTS_MAX];
    for (int i = 0; i < count; i++) {
        spots[i] = place(at, points[i]);
    }
    reha_canvas_polyline(canvas, spots, (size_t)count, false, (reha_stroke){reha_rgb(colour), 1.2, 0.0});
    for (int i = 0; i < count; i++) {
        reha_canvas_fill_circle(canvas, spots[i], 2.2, reha_rgb(colour));
    }
}

static void mark_narrowest(reha_canvas *canvas, const view *at, const reha_region *region)
{
    const reha_finding *narrowest = reha_region_find(region, "jsw-min");
    if (narrowest == NULL || !narrowest->has_region) {
        return;
    }
    const reha_box_px box = narrowest->region;
    const reha_spot centre =
        place(at, (reha_point_px){box.x_px + box.width_px / 2.0 - 0.5, box.y_px + box.height_px / 2.0 - 0.5});
    reha_canvas_circle(canvas, centre, at->frame.width / 22.0, (reha_stroke){reha_rgb(NARROW), 2.0, 0.0});
}

void reha_figure_joint(reha_canvas *canvas, reha_rect frame, const reha_case *result,
                       const reha_region *region)
{
    const view at = view_of(frame, region);
    show_view(canvas, result, &at);
    reha_canvas_clip(canvas, at.frame);
    if (region->point_count > TIBIA_POINTS) {
        draw_line(canvas, &at, region->points, TIBIA_POINTS, TIBIA);
        draw_line(canvas, &at, region->points + TIBIA_POINTS, region->point_count - TIBIA_POINTS, FEMUR);
    }
    mark_narrowest(canvas, &at, region);
    reha_canvas_unclip(canvas);
}

/* The map lies over explanation_box, turned about its centre: resampled into the view, positives only. */
static reha_status map_in_view(const reha_region *region, const view *at, reha_gray **out, reha_error *err)
{
    const reha_gray *map = region->explanation;
    const reha_box_px box = region->explanation_box;
    const double radians = region->explanation_angle_deg * 0.017453292519943295;
    const double c = cos(radians);
    const double s = sin(radians);
    float most = 0.0F;
    REHA_TRY(reha_gray_new(SAMPLE_SIDE_PX, SAMPLE_SIDE_PX, out, err));
    for (size_t i = 0; i < (size_t)map->width_px * map->height_px; i++) {
        most = fmaxf(most, map->pixels[i]);
    }
    for (int y = 0; y < SAMPLE_SIDE_PX; y++) {
        for (int x = 0; x < SAMPLE_SIDE_PX; x++) {
            const double dx =
                at->x_px + (x + 0.5) / SAMPLE_SIDE_PX * at->side_px - (box.x_px + box.width_px / 2.0);
            const double dy =
                at->y_px + (y + 0.5) / SAMPLE_SIDE_PX * at->side_px - (box.y_px + box.height_px / 2.0);
            const double u = ((c * dx + s * dy) / box.width_px + 0.5) * map->width_px - 0.5;
            const double v = ((c * dy - s * dx) / box.height_px + 0.5) * map->height_px - 0.5;
            if (most <= 0.0F || u < -0.5 || v < -0.5 || u > map->width_px - 0.5 || v > map->height_px - 0.5) {
                continue;
            }
            const double cu = fmin(fmax(u, 0.0), map->width_px - 1.001);
            const double cv = fmin(fmax(v, 0.0), map->height_px - 1.001);
            const uint32_t u0 = (uint32_t)cu;
            const uint32_t v0 = (uint32_t)cv;
            const uint32_t u1 = u0 + 1 < map->width_px ? u0 + 1 : u0;
            const uint32_t v1 = v0 + 1 < map->height_px ? v0 + 1 : v0;
            const double fu = cu - u0;
            const double fv = cv - v0;
            const double value = (1.0 - fv) * ((1.0 - fu) * (double)reha_gray_at(map, u0, v0) +
                                               fu * (double)reha_gray_at(map, u1, v0)) +
                                 fv * ((1.0 - fu) * (double)reha_gray_at(map, u0, v1) +
                                       fu * (double)reha_gray_at(map, u1, v1));
            (*out)->pixels[y * SAMPLE_SIDE_PX + x] = value > 0.0 ? (float)(value / (double)most) : 0.0F;
        }
    }
    return REHA_OK;
}

void reha_figure_explanation(reha_canvas *canvas, reha_rect frame, const reha_case *result,
                             const reha_region *region)
{
    reha_gray *map = NULL;
    const view at = view_of(frame, region);
    if (region->explanation == NULL) {
        return;
    }
    show_view(canvas, result, &at);
    if (map_in_view(region, &at, &map, NULL) == REHA_OK) {
        reha_canvas_heat(canvas, map, at.frame, 0.6);
    }
    reha_gray_free(map);
}

/* ---- charts ---- */

void reha_figure_grades(reha_canvas *canvas, reha_rect frame, const reha_finding *finding)
{
    reha_bar bars[REHA_CLASSES_MAX];
    char labels[REHA_CLASSES_MAX][24];
    const double size = frame.height / 12.0;
    const reha_type title = type_of(size, INK);
    (void)reha_canvas_text(canvas, (reha_spot){frame.x, frame.y}, "Probability of each grade", &title);
    for (int k = 0; k < finding->class_count; k++) {
        const bool is_in = k >= finding->set_low && k <= finding->set_high;
        char percent[REHA_PERCENT_BYTES];
        reha_percent_text(finding->class_probabilities[k], percent);
        (void)snprintf(labels[k], sizeof labels[k], "KL %d\n%s", k, percent);
        bars[k] = (reha_bar){finding->class_probabilities[k], labels[k], reha_rgb(is_in ? BLUE : PALE)};
    }
    const reha_rect box = {frame.x, frame.y + 1.8 * size, frame.width, frame.height - 1.8 * size};
    reha_canvas_bars(canvas, box, bars, (size_t)finding->class_count, 1.0, 0.85 * size, reha_rgb(INK));
}

void reha_figure_profile(reha_canvas *canvas, reha_rect frame, const reha_region *region)
{
    const double size = frame.height / 12.0;
    const bool is_mm = region->profile_unit != NULL && strcmp(region->profile_unit, "mm") == 0;
    const reha_type title = type_of(size, INK);
    const reha_type small = type_of(0.85 * size, SOFT);
    const reha_rect plot = {frame.x + 3.0 * size, frame.y + 1.9 * size, frame.width - 3.2 * size,
                            frame.height - 3.6 * size};
    double top = is_mm ? 8.0 : 0.10;
    char text[64];
    if (region->profile_count < 2) {
        return;
    }
    for (int i = 0; i < region->profile_count; i++) {
        top = isfinite(region->profile_width[i]) ? fmax(top, region->profile_width[i]) : top;
    }
    (void)reha_canvas_text(canvas, (reha_spot){frame.x, frame.y},
                           is_mm ? "Joint space width, mm" : "Joint space width / plateau width", &title);
    for (int tick = 0; tick <= 2; tick++) {
        const double y = plot.y + plot.height * (1.0 - tick / 2.0);
        reha_canvas_line(canvas, (reha_spot){plot.x, y}, (reha_spot){plot.x + plot.width, y},
                         (reha_stroke){reha_rgb(0xd5dbe1), 0.6, 0.0});
        (void)snprintf(text, sizeof text, is_mm ? "%.0f" : "%.2f", top * tick / 2.0);
        (void)reha_canvas_text(canvas, (reha_spot){frame.x, y - 0.5 * size}, text, &small);
    }
    /* Drawn as the knee lies in the picture: on a left knee the medial side is on the left. */
    const bool is_mirrored =
        region->point_count >= TIBIA_POINTS && region->points[0].x_px > region->points[TIBIA_POINTS - 1].x_px;
    reha_spot spots[REHA_PROFILE_MAX];
    size_t count = 0;
    for (int i = 0; i <= region->profile_count; i++) {
        const bool is_end = i == region->profile_count || !isfinite(region->profile_width[i]);
        if (is_end && count > 1) {
            reha_canvas_polyline(canvas, spots, count, false, (reha_stroke){reha_rgb(BLUE), 1.6, 0.0});
        }
        if (is_end) {
            count = 0;
            continue;
        }
        spots[count++] = (reha_spot){plot.x + plot.width * (is_mirrored ? 1.0 - region->profile_x_ratio[i]
                                                                        : region->profile_x_ratio[i]),
                                     plot.y + plot.height * (1.0 - region->profile_width[i] / top)};
    }
    reha_type right = small;
    right.align = REHA_ALIGN_RIGHT;
    (void)reha_canvas_text(canvas, (reha_spot){plot.x, plot.y + plot.height + 0.3 * size},
                           is_mirrored ? "medial" : "lateral", &small);
    (void)reha_canvas_text(canvas, (reha_spot){plot.x + plot.width, plot.y + plot.height + 0.3 * size},
                           is_mirrored ? "lateral" : "medial", &right);
}

/* ---- one picture ---- */

static void draw_region_row(reha_canvas *canvas, double y, const reha_case *result, const reha_region *region)
{
    const reha_rect joint = {GAP_PX, y, PANEL_PX, PANEL_PX};
    const reha_rect map = {2.0 * GAP_PX + PANEL_PX, y, PANEL_PX, PANEL_PX};
    const reha_rect grades = {3.0 * GAP_PX + 2.0 * PANEL_PX, y, PANEL_PX, PANEL_PX / 2.0 - GAP_PX};
    const reha_rect profile = {3.0 * GAP_PX + 2.0 * PANEL_PX, y + PANEL_PX / 2.0, PANEL_PX, PANEL_PX / 2.0};
    const reha_finding *grade = reha_region_find(region, "kl-grade");
    reha_figure_joint(canvas, joint, result, region);
    reha_figure_explanation(canvas, map, result, region);
    if (grade != NULL && grade->class_count > 0) {
        reha_figure_grades(canvas, grades, grade);
    }
    reha_figure_profile(canvas, profile, region);
}

reha_status reha_figure_png(const reha_case *result, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_canvas *canvas = NULL;
    int rows = 0;
    *out = NULL;
    *out_bytes = 0;
    if (result->image == NULL || result->analysis == NULL) {
        return reha_fail(err, REHA_E_ARG, "%s: there is no image to draw", result->path);
    }
    if (result->analysis->region_count == 1 && strcmp(result->analysis->task, "muscle-us") == 0) {
        return reha_figure_muscle_png(result, out, out_bytes, err);
    }
    if (result->analysis->region_count == 1 && strcmp(result->analysis->task, "fracture") == 0) {
        return reha_figure_boxes_png(result, out, out_bytes, err);
    }
    if (result->analysis->region_count == 1 && strcmp(result->analysis->task, "muscle-injury") == 0) {
        return reha_figure_injury_png(result, out, out_bytes, err);
    }
    for (int i = 0; i < result->analysis->region_count; i++) {
        rows += result->analysis->regions[i].is_accepted ? 1 : 0;
    }
    /* The overview tells where a knee lies on a film; a single ready crop needs none. */
    const bool with_overview =
        rows != 1 || result->image->width_px > 2 * (uint32_t)result->analysis->regions[0].box.width_px;
    const int height_rows = rows + (with_overview ? 1 : 0);
    const uint32_t width_px = rows == 0 ? PANEL_PX + 2 * GAP_PX : 3 * PANEL_PX + 4 * GAP_PX;
    REHA_CHECK(reha_canvas_new_picture(width_px, (uint32_t)(height_rows * (PANEL_PX + GAP_PX) + GAP_PX),
                                       reha_rgb(0xffffff), &canvas, err));
    double y = GAP_PX;
    if (with_overview) {
        reha_figure_overview(canvas, (reha_rect){GAP_PX, y, width_px - 2.0 * GAP_PX, PANEL_PX}, result);
        y += PANEL_PX + GAP_PX;
    }
    for (int i = 0; i < result->analysis->region_count; i++) {
        if (result->analysis->regions[i].is_accepted) {
            draw_region_row(canvas, y, result, &result->analysis->regions[i]);
            y += PANEL_PX + GAP_PX;
        }
    }
    REHA_CHECK(reha_canvas_encode(canvas, out, out_bytes, err));
done:
    reha_canvas_free(canvas);
    return status;
}
