#include "recognition/muscle_injury_belly.h"

#include "base/memory.h"
#include "recognition/muscle_measure.h"
#include "recognition/muscle_us.h"
#include "recognition/sampling.h"

#include <math.h>

enum { MAP = REHA_MUSCLE_MAP_PX, CELLS = MAP * MAP, LAST = REHA_INJURY_CURVE - 1 };
static const double DEG = 180.0 / 3.14159265358979323846;

/* Without a direction of its own the texture is taken to run along the middle line. */
static void finish(reha_injury_belly *belly, double fascicle_deg)
{
    double sum = 0.0;
    const double run = belly->deep[LAST].x_px - belly->deep[0].x_px;
    const double rise = 0.5 * (belly->deep[LAST].y_px - belly->deep[0].y_px + belly->superficial[LAST].y_px -
                               belly->superficial[0].y_px);
    for (int i = 0; i < REHA_INJURY_CURVE; i++) {
        sum += belly->deep[i].y_px - belly->superficial[i].y_px;
    }
    const double slope = run > 0.0 ? rise / run : 0.0;
    belly->thickness_px = sum / REHA_INJURY_CURVE / sqrt(1.0 + slope * slope);
    belly->fascicle_deg = isfinite(fascicle_deg) ? fascicle_deg : -atan(slope) * DEG;
}

static bool is_usable(const reha_injury_belly *belly)
{
    for (int i = 0; i < REHA_INJURY_CURVE; i++) {
        if (!(belly->deep[i].y_px > belly->superficial[i].y_px)) {
            return false;
        }
    }
    return belly->deep[LAST].x_px > belly->deep[0].x_px && belly->thickness_px >= 1.0;
}

bool reha_injury_belly_from_region(const reha_region *region, reha_injury_belly *out)
{
    const reha_finding *angle = reha_region_find(region, "fascicle-angle");
    if (!region->is_accepted || region->point_count < REHA_MUSCLE_POINTS_DEEP + REHA_INJURY_CURVE) {
        return false;
    }
    for (int i = 0; i < REHA_INJURY_CURVE; i++) {
        out->superficial[i] = region->points[REHA_MUSCLE_POINTS_SUPERFICIAL + i];
        out->deep[i] = region->points[REHA_MUSCLE_POINTS_DEEP + i];
    }
    finish(out, angle != NULL ? angle->measure.value : (double)NAN);
    return is_usable(out);
}

static reha_status read_mask(const reha_gray *mask, const reha_muscle_frame *frame, float *map,
                             reha_error *err)
{
    float most = 0.0F;
    for (size_t i = 0; i < (size_t)mask->width_px * mask->height_px; i++) {
        most = fmaxf(most, mask->pixels[i]);
    }
    const reha_tone tone = {0.0, most > 0.0F ? (double)most : 1.0};
    return reha_sample_rect(mask, frame->box, REHA_BORDER_ZERO, tone, MAP, MAP, map, err);
}

reha_status reha_injury_belly_from_mask(const reha_gray *image, const reha_muscle_frame *frame,
                                        const reha_gray *mask, reha_injury_belly *out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_muscle_measurement measured;
    float *maps = reha_alloc_zero((size_t)2 * CELLS, sizeof *maps); /* the second: no fascicles */
    if (maps == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a mask");
    }
    REHA_CHECK(read_mask(mask, frame, maps, err));
    REHA_CHECK(reha_muscle_measure(image, frame, maps, maps + CELLS, &measured, err));
    if (!measured.has_superficial || !measured.has_deep) {
        status = reha_fail(err, REHA_E_REFUSED, "the mask shows no two aponeuroses");
        goto done;
    }
    for (int i = 0; i < REHA_INJURY_CURVE; i++) {
        const double x = frame->box.x_px + frame->box.width_px * i / LAST - 0.5;
        out->superficial[i] = (reha_point_px){x, reha_muscle_curve_at(&measured.superficial, x)};
        out->deep[i] = (reha_point_px){x, reha_muscle_curve_at(&measured.deep, x)};
    }
    finish(out, measured.fascicle_angle_deg);
    status =
        is_usable(out) ? REHA_OK : reha_fail(err, REHA_E_REFUSED, "the two aponeuroses of the mask cross");
done:
    reha_free(maps);
    return status;
}

static double height_at(const reha_point_px *curve, double x_px)
{
    const double step = (curve[LAST].x_px - curve[0].x_px) / LAST;
    const double at = fmin(LAST, fmax(0.0, (x_px - curve[0].x_px) / step));
    const int i = at >= LAST ? LAST - 1 : (int)at;
    return curve[i].y_px + (at - i) * (curve[i + 1].y_px - curve[i].y_px);
}

double reha_injury_top(const reha_injury_belly *belly, double x_px)
{
    return height_at(belly->superficial, x_px);
}

double reha_injury_bottom(const reha_injury_belly *belly, double x_px)
{
    return height_at(belly->deep, x_px);
}

double reha_injury_depth(const reha_injury_belly *belly, reha_point_px at)
{
    return fmin(at.y_px - reha_injury_top(belly, at.x_px), reha_injury_bottom(belly, at.x_px) - at.y_px);
}

reha_injury_axes reha_injury_axes_at(const reha_injury_belly *belly, reha_point_px origin)
{
    return (reha_injury_axes){origin, cos(belly->fascicle_deg / DEG), sin(belly->fascicle_deg / DEG)};
}
