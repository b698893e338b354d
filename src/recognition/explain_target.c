#include "recognition/explain_target.h"

#include <math.h>

static const double BAND_RATIO = 0.04;
static const double MARGIN_RATIO = 0.09;

enum { TIBIA = REHA_KNEE_TIBIA_POINTS, FEMUR = REHA_KNEE_POINTS - REHA_KNEE_TIBIA_POINTS };

static double distance_to_line(double x, double y, reha_point_px a, reha_point_px b)
{
    const double dx = b.x_px - a.x_px;
    const double dy = b.y_px - a.y_px;
    const double square = dx * dx + dy * dy;
    double along = square > 0.0 ? ((x - a.x_px) * dx + (y - a.y_px) * dy) / square : 0.0;
    along = fmin(fmax(along, 0.0), 1.0);
    return hypot(x - a.x_px - along * dx, y - a.y_px - along * dy);
}

/* The space between the bones: along the tibia and back along the femur. */
static void outline(const reha_point_px points[REHA_KNEE_POINTS], reha_point_px out[REHA_KNEE_POINTS])
{
    for (int i = 0; i < TIBIA; i++) {
        out[i] = points[i];
    }
    for (int i = 0; i < FEMUR; i++) {
        out[TIBIA + i] = points[REHA_KNEE_POINTS - 1 - i];
    }
}

static bool is_near_joint(const reha_point_px ring[REHA_KNEE_POINTS], double x, double y, double band_px)
{
    bool is_inside = false;
    for (int i = 0; i < REHA_KNEE_POINTS; i++) {
        const reha_point_px a = ring[i];
        const reha_point_px b = ring[(i + 1) % REHA_KNEE_POINTS];
        if (distance_to_line(x, y, a, b) <= band_px) {
            return true;
        }
        if ((a.y_px > y) != (b.y_px > y) &&
            x < a.x_px + (y - a.y_px) * (b.x_px - a.x_px) / (b.y_px - a.y_px)) {
            is_inside = !is_inside;
        }
    }
    return is_inside;
}

double reha_explain_joint_target(const reha_point_px points[REHA_KNEE_POINTS], int width, int height,
                                 bool *mask)
{
    static const int margins[] = {0, TIBIA - 1, TIBIA, REHA_KNEE_POINTS - 1};
    const double plateau =
        hypot(points[TIBIA - 1].x_px - points[0].x_px, points[TIBIA - 1].y_px - points[0].y_px);
    reha_point_px ring[REHA_KNEE_POINTS];
    size_t marked = 0;
    outline(points, ring);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            bool is_in = is_near_joint(ring, x, y, BAND_RATIO * plateau);
            for (size_t i = 0; i < sizeof margins / sizeof margins[0]; i++) {
                const reha_point_px at = points[margins[i]];
                is_in = is_in || hypot(x - at.x_px, y - at.y_px) <= MARGIN_RATIO * plateau;
            }
            mask[(size_t)y * (size_t)width + (size_t)x] = is_in;
            marked += is_in ? 1 : 0;
        }
    }
    return (double)marked / ((double)width * (double)height);
}

/* Landmark i counted from the other side, tibia and femur apart. */
static int other_way(int i)
{
    return i < TIBIA ? TIBIA - 1 - i : REHA_KNEE_POINTS - 1 - (i - TIBIA);
}

typedef struct fit {
    double residual_px;
    double scale, sign, from_x, from_y, to_x, to_y;
    bool is_reversed;
} fit;

static bool fit_points(const reha_point_px *expert, const reha_point_px *model, double sign, bool is_reversed,
                       fit *out)
{
    *out = (fit){.sign = sign, .is_reversed = is_reversed};
    for (int i = 0; i < REHA_KNEE_POINTS; i++) {
        const reha_point_px e = expert[is_reversed ? other_way(i) : i];
        out->from_x += e.x_px / REHA_KNEE_POINTS;
        out->from_y += e.y_px / REHA_KNEE_POINTS;
        out->to_x += model[i].x_px / REHA_KNEE_POINTS;
        out->to_y += model[i].y_px / REHA_KNEE_POINTS;
    }
    double across = 0.0;
    double spread = 0.0;
    for (int i = 0; i < REHA_KNEE_POINTS; i++) {
        const reha_point_px e = expert[is_reversed ? other_way(i) : i];
        const double x = sign * (e.x_px - out->from_x);
        const double y = e.y_px - out->from_y;
        across += x * (model[i].x_px - out->to_x) + y * (model[i].y_px - out->to_y);
        spread += x * x + y * y;
    }
    if (!(spread > 0.0) || !(across > 0.0)) {
        return false;
    }
    out->scale = across / spread;
    double square = 0.0;
    for (int i = 0; i < REHA_KNEE_POINTS; i++) {
        const reha_point_px e = expert[is_reversed ? other_way(i) : i];
        const double x = out->to_x + out->scale * sign * (e.x_px - out->from_x);
        const double y = out->to_y + out->scale * (e.y_px - out->from_y);
        square += (x - model[i].x_px) * (x - model[i].x_px) + (y - model[i].y_px) * (y - model[i].y_px);
    }
    out->residual_px = sqrt(square / REHA_KNEE_POINTS);
    return isfinite(out->residual_px);
}

reha_status reha_explain_place_points(const reha_point_px expert[REHA_KNEE_POINTS],
                                      const reha_point_px model[REHA_KNEE_POINTS],
                                      reha_point_px out[REHA_KNEE_POINTS], double *residual_ratio,
                                      reha_error *err)
{
    fit best = {.residual_px = INFINITY};
    for (int way = 0; way < 4; way++) {
        fit one;
        if (fit_points(expert, model, way % 2 == 0 ? 1.0 : -1.0, way >= 2, &one) &&
            one.residual_px < best.residual_px) {
            best = one;
        }
    }
    *residual_ratio = (double)NAN;
    if (!isfinite(best.residual_px)) {
        return reha_fail(err, REHA_E_FORMAT, "landmarks that span no area");
    }
    for (int i = 0; i < REHA_KNEE_POINTS; i++) {
        const reha_point_px e = expert[best.is_reversed ? other_way(i) : i];
        out[i].x_px = best.to_x + best.scale * best.sign * (e.x_px - best.from_x);
        out[i].y_px = best.to_y + best.scale * (e.y_px - best.from_y);
    }
    *residual_ratio = best.residual_px /
                      hypot(model[TIBIA - 1].x_px - model[0].x_px, model[TIBIA - 1].y_px - model[0].y_px);
    return REHA_OK;
}
