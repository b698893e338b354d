#include "recognition/joint_space.h"

#include "base/memory.h"
#include "recognition/sampling.h"

#include <math.h>
#include <string.h>

/* ---- From landmarks ---- */

/* The plateau's own axes: u from the lateral to the medial edge, n down into the tibia. */
typedef struct plateau_frame {
    reha_point_px origin;
    double ux, uy, nx, ny, width;
} plateau_frame;

static plateau_frame frame_of(const reha_point_px *points)
{
    const reha_point_px lateral = points[0];
    const reha_point_px medial = points[REHA_KNEE_TIBIA_POINTS - 1];
    plateau_frame frame = {.origin = lateral};
    frame.width = hypot(medial.x_px - lateral.x_px, medial.y_px - lateral.y_px);
    frame.ux = (medial.x_px - lateral.x_px) / frame.width;
    frame.uy = (medial.y_px - lateral.y_px) / frame.width;
    frame.nx = -frame.uy;
    frame.ny = frame.ux;
    if (frame.ux < 0.0) { /* lateral edge on the right: the other normal points down */
        frame.nx = frame.uy;
        frame.ny = -frame.ux;
    }
    return frame;
}

static reha_point_px in_frame(const plateau_frame *frame, reha_point_px point)
{
    const double dx = point.x_px - frame->origin.x_px;
    const double dy = point.y_px - frame->origin.y_px;
    return (reha_point_px){.x_px = (dx * frame->ux + dy * frame->uy) / frame->width,
                           .y_px = (dx * frame->nx + dy * frame->ny) / frame->width};
}

enum { CURVE_POINTS = 3 };

/* Piecewise linear through three points sorted by x; constant outside. */
static double depth_at(const reha_point_px *sorted, double x)
{
    if (!(x > sorted[0].x_px)) {
        return sorted[0].y_px;
    }
    for (int i = 1; i < CURVE_POINTS; i++) {
        if (x < sorted[i].x_px) {
            const double span = sorted[i].x_px - sorted[i - 1].x_px;
            const double part = (x - sorted[i - 1].x_px) / span;
            return sorted[i - 1].y_px + part * (sorted[i].y_px - sorted[i - 1].y_px);
        }
    }
    return sorted[CURVE_POINTS - 1].y_px;
}

static void sort_by_x(reha_point_px *points)
{
    for (int i = 1; i < CURVE_POINTS; i++) {
        for (int k = i; k > 0 && points[k].x_px < points[k - 1].x_px; k--) {
            const reha_point_px swap = points[k];
            points[k] = points[k - 1];
            points[k - 1] = swap;
        }
    }
}

static void summarise(reha_compartment *side)
{
    side->minimum = (double)NAN;
    side->minimum_at = (double)NAN;
    side->mean = 0.0;
    for (int i = 0; i < side->count; i++) {
        side->width[i] = fmax(side->tibia[i] - side->femur[i], 0.0);
        side->mean += side->width[i] / side->count;
        if (!(side->minimum <= side->width[i])) {
            side->minimum = side->width[i];
            side->minimum_at = side->x_ratio[i];
        }
    }
}

/* Only the three landmarks of a compartment shape its curve: the spines in between are no joint space. */
static void measure_side(const reha_point_px *points, int tibia_first, int femur_first, double low,
                         double high, int samples, reha_compartment *out)
{
    const plateau_frame frame = frame_of(points);
    reha_point_px tibia[CURVE_POINTS];
    reha_point_px femur[CURVE_POINTS];
    for (int i = 0; i < CURVE_POINTS; i++) {
        tibia[i] = in_frame(&frame, points[tibia_first + i]);
        femur[i] = in_frame(&frame, points[femur_first + i]);
    }
    sort_by_x(tibia);
    sort_by_x(femur);
    out->count = samples;
    for (int i = 0; i < samples; i++) {
        const double x = low + (high - low) * i / (samples - 1);
        out->x_ratio[i] = x;
        out->tibia[i] = depth_at(tibia, x);
        out->femur[i] = depth_at(femur, x);
    }
    summarise(out);
}

void reha_joint_space_measure(const reha_point_px *points, const reha_joint_space_spec *spec,
                              reha_joint_space *out)
{
    memset(out, 0, sizeof *out);
    out->plateau_width = frame_of(points).width;
    if (!(out->plateau_width > 0.0) || !isfinite(out->plateau_width)) {
        out->plateau_width = (double)NAN;
        for (int side = 0; side < 2; side++) {
            out->sides[side] =
                (reha_compartment){.minimum = (double)NAN, .mean = (double)NAN, .minimum_at = (double)NAN};
        }
        return;
    }
    measure_side(points, 0, REHA_KNEE_TIBIA_POINTS, spec->lateral_low, spec->lateral_high, spec->samples,
                 &out->sides[REHA_LATERAL]);
    measure_side(points, REHA_KNEE_TIBIA_POINTS - CURVE_POINTS, REHA_KNEE_POINTS - CURVE_POINTS,
                 spec->medial_low, spec->medial_high, spec->samples, &out->sides[REHA_MEDIAL]);
}

/* ---- Refinement on grey value edges ---- */

/* The patch around the plateau line: PATCH_WIDTH pixels per plateau width, from x_ratio PATCH_LEFT and depth
 * PATCH_TOP on. The scale is that of the crops which the parameters were chosen on. */
enum { PLATEAU_PX = 172, PATCH_W = 224, PATCH_H = 128, STEPS = 25, KERNEL_MAX = 64 };
static const double PATCH_LEFT = -0.15;
static const double PATCH_TOP = -0.45;
static const double STEP_UNIT = 0.005;  /* plateau widths, unit of the stiffness */
static const double GRADIENT_CAP = 1.5; /* one strong edge (metal, cortex) must not outvote the neighbours */

typedef struct edge_search {
    float *gradient; /* PATCH_H x PATCH_W, down the plateau's normal */
    bool lateral_is_left;
    const reha_joint_space_spec *spec;
} edge_search;

static int gaussian_kernels(double sigma, double *smooth, double *slope)
{
    int radius = (int)(4.0 * sigma + 0.5);
    radius = radius > (KERNEL_MAX - 1) / 2 ? (KERNEL_MAX - 1) / 2 : radius < 1 ? 1 : radius;
    double sum = 0.0;
    for (int i = -radius; i <= radius; i++) {
        smooth[i + radius] = exp(-0.5 * i * i / (sigma * sigma));
        sum += smooth[i + radius];
    }
    for (int i = -radius; i <= radius; i++) {
        smooth[i + radius] /= sum;
        slope[i + radius] = smooth[i + radius] * i / (sigma * sigma);
    }
    return radius;
}

/* Derivative of the Gaussian-smoothed patch along y; `scratch` and `patch` are overwritten. */
static void smooth_slope(float *patch, float *scratch, float *out, double sigma, double sign)
{
    double smooth[KERNEL_MAX];
    double slope[KERNEL_MAX];
    const int radius = gaussian_kernels(sigma, smooth, slope);
    for (int y = 0; y < PATCH_H; y++) {
        for (int x = 0; x < PATCH_W; x++) {
            double sum = 0.0;
            for (int k = -radius; k <= radius; k++) {
                const int at = x + k < 0 ? 0 : x + k >= PATCH_W ? PATCH_W - 1 : x + k;
                sum += smooth[k + radius] * (double)patch[y * PATCH_W + at];
            }
            scratch[y * PATCH_W + x] = (float)sum;
        }
    }
    for (int y = 0; y < PATCH_H; y++) {
        for (int x = 0; x < PATCH_W; x++) {
            double sum = 0.0;
            for (int k = -radius; k <= radius; k++) {
                const int at = y + k < 0 ? 0 : y + k >= PATCH_H ? PATCH_H - 1 : y + k;
                sum += slope[k + radius] * (double)scratch[at * PATCH_W + x];
            }
            out[y * PATCH_W + x] = (float)(sign * sum);
        }
    }
}

static double gradient_at(const edge_search *search, double x_ratio, double depth)
{
    const double along = search->lateral_is_left ? x_ratio : 1.0 - x_ratio;
    const double x = fmin(fmax((along - PATCH_LEFT) * PLATEAU_PX - 0.5, 0.0), PATCH_W - 1.001);
    const double y = fmin(fmax((depth - PATCH_TOP) * PLATEAU_PX - 0.5, 0.0), PATCH_H - 1.001);
    const int column = (int)x;
    const int row = (int)y;
    const double fx = x - column;
    const double fy = y - row;
    const float *top = search->gradient + (ptrdiff_t)row * PATCH_W + column;
    const float *bottom = top + PATCH_W;
    return (1.0 - fy) * ((1.0 - fx) * (double)top[0] + fx * (double)top[1]) +
           fy * ((1.0 - fx) * (double)bottom[0] + fx * (double)bottom[1]);
}

/* Cheapest path through the offsets of all places: edge strength against pull and bending. costs and
 * path costs: count x STEPS. */
static void cheapest_path(const double *costs, double *totals, unsigned char *from, int count, double bend,
                          int *path)
{
    memcpy(totals, costs, sizeof(double) * STEPS);
    for (int i = 1; i < count; i++) {
        for (int k = 0; k < STEPS; k++) {
            double best = INFINITY;
            for (int j = 0; j < STEPS; j++) {
                const double total = totals[(i - 1) * STEPS + j] + bend * (k - j) * (k - j);
                if (total < best) {
                    best = total;
                    from[i * STEPS + k] = (unsigned char)j;
                }
            }
            totals[i * STEPS + k] = best + costs[i * STEPS + k];
        }
    }
    path[count - 1] = 0;
    for (int k = 1; k < STEPS; k++) {
        path[count - 1] = totals[(count - 1) * STEPS + k] < totals[(count - 1) * STEPS + path[count - 1]]
                              ? k
                              : path[count - 1];
    }
    for (int i = count - 1; i > 0; i--) {
        path[i - 1] = from[i * STEPS + path[i]];
    }
}

enum { PLACES_MAX = REHA_PROFILE_MAX / 2 };
typedef struct path_work {
    double costs[PLACES_MAX * STEPS];
    double totals[PLACES_MAX * STEPS];
    unsigned char from[PLACES_MAX * STEPS];
    float positive[PLACES_MAX * STEPS];
    int path[PLACES_MAX];
} path_work;

/* Shifts `depth` (one curve of a compartment) towards the edge. sign +1: brighter below (tibia). */
static void refine_curve(const edge_search *search, const double *x_ratio, double *depth, int count,
                         double sign, path_work *work)
{
    const double range = search->spec->refine_range_ratio;
    const double step = 2.0 * range / (STEPS - 1);
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < STEPS; k++) {
            const double g = sign * gradient_at(search, x_ratio[i], depth[i] - range + k * step);
            work->costs[i * STEPS + k] = g;
            work->positive[i * STEPS + k] = (float)fmax(g, 0.0);
        }
    }
    static const double high = 95.0;
    double strength = 0.0;
    reha_select_percentiles(work->positive, (size_t)count * STEPS, &high, 1, &strength);
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < STEPS; k++) {
            const double off = -range + k * step;
            const double g = work->costs[i * STEPS + k] / (strength + 1e-6);
            work->costs[i * STEPS + k] =
                -fmin(g, GRADIENT_CAP) + search->spec->refine_pull * pow(off / range, 2);
        }
    }
    const double bend = search->spec->refine_stiffness * pow(step / STEP_UNIT, 2);
    cheapest_path(work->costs, work->totals, work->from, count, bend, work->path);
    for (int i = 0; i < count; i++) {
        const int k = work->path[i];
        double off = -range + k * step;
        if (k > 0 && k < STEPS - 1) { /* parabola through the three costs */
            const double *c = work->costs + (ptrdiff_t)i * STEPS + k;
            const double curve = c[-1] - 2.0 * c[0] + c[1];
            if (curve > 1e-9) {
                off += step * fmin(fmax(0.5 * (c[-1] - c[1]) / curve, -0.5), 0.5);
            }
        }
        depth[i] += search->spec->refine_strength * off;
    }
}

reha_status reha_joint_space_refine(const reha_gray *image, const reha_point_px *points, bool inverted,
                                    const reha_joint_space_spec *spec, reha_joint_space *out, reha_error *err)
{
    if (!(spec->refine_range_ratio > 0.0) || !(spec->refine_strength > 0.0) ||
        !isfinite(out->plateau_width)) {
        return REHA_OK;
    }
    const plateau_frame frame = frame_of(points);
    const bool lateral_is_left = frame.ux > 0.0;
    const double scale = frame.width / PLATEAU_PX; /* image pixels per patch pixel */
    const double along = PATCH_LEFT + 0.5 * PATCH_W / (double)PLATEAU_PX;
    const double down = (PATCH_TOP + 0.5 * PATCH_H / (double)PLATEAU_PX) * frame.width;
    const double right = (lateral_is_left ? along : 1.0 - along) * frame.width;
    const reha_point_px centre = {.x_px = frame.origin.x_px + right * frame.ux + down * frame.nx,
                                  .y_px = frame.origin.y_px + right * frame.uy + down * frame.ny};
    const double direction = lateral_is_left ? 1.0 : -1.0;
    const double angle_deg =
        atan2(direction * frame.uy, direction * frame.ux) * (180.0 / 3.14159265358979323846);
    const size_t pixels = (size_t)PATCH_W * PATCH_H;
    float *patch = reha_alloc(3 * pixels * sizeof(float));
    path_work *work = reha_alloc(sizeof *work);
    reha_status status = REHA_OK;
    if (patch == NULL || work == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the joint space");
        goto done;
    }
    REHA_CHECK(reha_sample_turned(image, centre, PATCH_W * scale, PATCH_H * scale, angle_deg,
                                  REHA_BORDER_NEAREST, (reha_tone){0.0, 0.0}, PATCH_W, PATCH_H, patch, err));
    smooth_slope(patch, patch + pixels, patch + 2 * pixels, spec->refine_blur_px, inverted ? -1.0 : 1.0);
    const edge_search search = {
        .gradient = patch + 2 * pixels, .lateral_is_left = lateral_is_left, .spec = spec};
    for (int s = 0; s < 2; s++) {
        reha_compartment *side = &out->sides[s];
        refine_curve(&search, side->x_ratio, side->tibia, side->count, 1.0, work);
        refine_curve(&search, side->x_ratio, side->femur, side->count, -1.0, work);
        summarise(side);
    }
done:
    reha_free(work);
    reha_free(patch);
    return status;
}
