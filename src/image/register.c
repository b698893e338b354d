#include "image/register_priv.h"

#include "image/statistics.h"

#include <math.h>
#include <string.h>

static const double OVERLAP_MIN = 0.4;
static const double RESIDUAL_MAX_RATIO = 0.02;
static const double LEVEL_STEP = 2.25; /* 32, 72, 162 px */
static const double RADIANS = 0.017453292519943295;
enum { COARSEST_PX = 32, STARTS_KEPT = 4, SIDE_MIN_PX = 16 };

const char *reha_register_kind_text(reha_register_kind kind)
{
    static const char *const texts[] = {"rigid", "similarity", "affine"};
    return texts[kind];
}

reha_register_options reha_register_options_default(void)
{
    return (reha_register_options){.kind = REHA_REGISTER_SIMILARITY,
                                   .finest_px = 160,
                                   .angle_max_deg = 12.0,
                                   .scale_max = 1.2,
                                   .shift_max_ratio = 0.2};
}

/* ---- parameters ---- */

/* Common plane: centre of each picture is 0, one unit is a pixel of fixed (square ones) or `unit`
 * millimetres. All parameters are lengths in it, at the rim of the picture for turn, scale and shear: equal
 * steps move it equally. */
typedef struct plane {
    reha_affine fixed_to_plane, plane_to_moving;
    double radius;
    size_t count; /* parameters in use */
} plane;

static size_t parameter_count(reha_register_kind kind)
{
    return kind == REHA_REGISTER_RIGID ? 3 : kind == REHA_REGISTER_SIMILARITY ? 4 : 6;
}

static plane plane_of(const reha_gray *fixed, const reha_gray *moving, reha_register_kind kind)
{
    const bool is_mm = reha_spacing_is_known(fixed->spacing) && reha_spacing_is_known(moving->spacing);
    const double unit = is_mm ? sqrt(fixed->spacing.x_mm * fixed->spacing.y_mm) : 1.0;
    const double ratio =
        sqrt((double)fixed->width_px * fixed->height_px / ((double)moving->width_px * moving->height_px));
    const double fx = is_mm ? fixed->spacing.x_mm / unit : 1.0;
    const double fy = is_mm ? fixed->spacing.y_mm / unit : 1.0;
    /* Without millimetres a picture of twice the pixels is taken for the same view, not for a larger joint.
     */
    const double mx = is_mm ? unit / moving->spacing.x_mm : 1.0 / ratio;
    const double my = is_mm ? unit / moving->spacing.y_mm : 1.0 / ratio;
    return (plane){.fixed_to_plane = {fx, 0.0, -fx * 0.5 * (fixed->width_px - 1.0), 0.0, fy,
                                      -fy * 0.5 * (fixed->height_px - 1.0)},
                   .plane_to_moving = {mx, 0.0, 0.5 * (moving->width_px - 1.0), 0.0, my,
                                       0.5 * (moving->height_px - 1.0)},
                   .radius = 0.25 * (fx * fixed->width_px + fy * fixed->height_px),
                   .count = parameter_count(kind)};
}

/* Order: shift x, shift y, turn, scale, stretch, shear. */
static reha_affine map_of(const plane *at, const double *p)
{
    const double angle = p[2] / at->radius;
    const double scale = at->count > 3 ? exp(p[3] / at->radius) : 1.0;
    const double stretch = at->count > 4 ? exp(p[4] / at->radius) : 1.0;
    const double shear = at->count > 5 ? p[5] / at->radius : 0.0;
    const double c = cos(angle) * scale;
    const double s = sin(angle) * scale;
    const reha_affine middle = {c * stretch, c * stretch * shear - s / stretch, p[0],
                                s * stretch, s * stretch * shear + c / stretch, p[1]};
    return reha_affine_then(reha_affine_then(at->fixed_to_plane, middle), at->plane_to_moving);
}

typedef struct problem {
    const plane *at;
    const reha_register_level *level;
} problem;

static double cost(void *context, const double *p)
{
    const problem *this = context;
    double overlap = 0.0;
    const double information = reha_register_information(this->level, map_of(this->at, p), &overlap);
    /* A sliver of overlap always agrees well: it must not win. */
    return overlap < OVERLAP_MIN ? 10.0 * (OVERLAP_MIN - overlap) : -information;
}

/* ---- starts ---- */

typedef struct start {
    double place[REHA_REGISTER_PARAMETERS];
    double cost;
} start;

static void keep(start *starts, const double *place, double value)
{
    size_t k = STARTS_KEPT;
    while (k > 0 && value < starts[k - 1].cost) {
        if (k < STARTS_KEPT) {
            starts[k] = starts[k - 1];
        }
        k--;
    }
    if (k < STARTS_KEPT) {
        memcpy(starts[k].place, place, sizeof starts[k].place);
        starts[k].cost = value;
    }
}

static void try_grid(problem *this, const reha_register_options *options, double side, start *starts)
{
    const bool has_scale = this->at->count > 3;
    for (int k = 0; k < STARTS_KEPT; k++) {
        starts[k].cost = INFINITY;
    }
    for (int angle = -2; angle <= 2; angle++) {
        for (int scale = has_scale ? -1 : 0; scale <= (has_scale ? 1 : 0); scale++) {
            for (int y = -2; y <= 2; y++) {
                for (int x = -2; x <= 2; x++) {
                    const double place[REHA_REGISTER_PARAMETERS] = {
                        0.5 * x * options->shift_max_ratio * side,
                        0.5 * y * options->shift_max_ratio * side,
                        0.5 * angle * options->angle_max_deg * RADIANS * this->at->radius,
                        scale * log(options->scale_max) * this->at->radius,
                        0.0,
                        0.0};
                    keep(starts, place, cost(this, place));
                }
            }
        }
    }
}

/* ---- levels ---- */

static double longest(const reha_gray *image)
{
    return image->width_px > image->height_px ? image->width_px : image->height_px;
}

static void refine(problem *this, start *place, double step_units, size_t evaluations)
{
    double steps[REHA_REGISTER_PARAMETERS];
    for (size_t i = 0; i < REHA_REGISTER_PARAMETERS; i++) {
        steps[i] = step_units;
    }
    place->cost = reha_simplex(cost, this, this->at->count, place->place, steps, evaluations, 1e-7);
}

static void coarse(problem *this, const reha_register_options *options, double side, double pixel,
                   start *best)
{
    start starts[STARTS_KEPT];
    try_grid(this, options, side, starts);
    for (int k = 0; k < STARTS_KEPT; k++) {
        refine(this, &starts[k], 2.0 * pixel, 120);
        if (k == 0 || starts[k].cost < best->cost) {
            *best = starts[k];
        }
    }
}

/* One direction. */
static reha_status find(const reha_gray *fixed, const reha_gray *moving, const reha_register_options *options,
                        reha_registration *out, reha_error *err)
{
    const plane at = plane_of(fixed, moving, options->kind);
    const double side = 2.0 * at.radius;
    const double finest = fmin(longest(fixed), options->finest_px);
    start best = {.cost = INFINITY};
    for (double size = COARSEST_PX;; size = fmin(LEVEL_STEP * size, finest)) {
        reha_register_level level;
        double overlap = 0.0;
        const double used = fmin(size, finest);
        REHA_TRY(reha_register_level_make(fixed, moving, used / longest(fixed), used / longest(moving),
                                          &level, err));
        problem this = {&at, &level};
        const double pixel = side / used;
        if (!isfinite(best.cost)) {
            coarse(&this, options, side, pixel, &best);
        } else {
            refine(&this, &best, 1.5 * pixel, 180);
            refine(&this, &best, 0.5 * pixel, 120); /* a second simplex: the first may have collapsed */
        }
        if (used >= finest) {
            const double nothing[REHA_REGISTER_PARAMETERS] = {0};
            out->fixed_to_moving = map_of(&at, best.place);
            out->information = reha_register_information(&level, out->fixed_to_moving, &out->overlap);
            out->information_start = reha_register_information(&level, map_of(&at, nothing), &overlap);
        }
        reha_register_level_clear(&level);
        if (used >= finest) {
            return REHA_OK;
        }
    }
}

/* ---- residual ---- */

static double inconsistency(const reha_gray *fixed, reha_affine there, reha_affine back)
{
    const reha_affine round_trip = reha_affine_then(there, back);
    double sum = 0.0;
    int count = 0;
    for (int j = 0; j <= 4; j++) {
        for (int i = 0; i <= 4; i++, count++) {
            const reha_point_px at = {0.25 * i * (fixed->width_px - 1.0),
                                      0.25 * j * (fixed->height_px - 1.0)};
            const reha_point_px end = reha_affine_apply(round_trip, at);
            sum += hypot(end.x_px - at.x_px, end.y_px - at.y_px);
        }
    }
    return sum / count;
}

static double mm_of(double length_px, reha_spacing spacing)
{
    return reha_spacing_is_known(spacing) ? length_px * sqrt(spacing.x_mm * spacing.y_mm) : (double)NAN;
}

static reha_status check(const reha_gray *fixed, const reha_gray *moving,
                         const reha_register_options *options, reha_error *err)
{
    const reha_gray *both[2] = {fixed, moving};
    for (int i = 0; i < 2; i++) {
        if (both[i]->width_px < SIDE_MIN_PX || both[i]->height_px < SIDE_MIN_PX) {
            return reha_fail(err, REHA_E_ARG, "a picture of %u x %u px is too small to lay over another",
                             both[i]->width_px, both[i]->height_px);
        }
    }
    if (options->finest_px < COARSEST_PX || options->finest_px > 1024 ||
        !(options->angle_max_deg >= 0.0 && options->angle_max_deg <= 90.0) ||
        !(options->scale_max >= 1.0 && options->scale_max <= 3.0) ||
        !(options->shift_max_ratio >= 0.0 && options->shift_max_ratio <= 0.5)) {
        return reha_fail(err, REHA_E_ARG, "options of the registration are out of their range");
    }
    return REHA_OK;
}

reha_status reha_register(const reha_gray *fixed, const reha_gray *moving,
                          const reha_register_options *options, reha_registration *out, reha_error *err)
{
    const reha_register_options defaults = reha_register_options_default();
    const reha_register_options *how = options != NULL ? options : &defaults;
    reha_registration back;
    *out = (reha_registration){
        .fixed_to_moving = reha_affine_identity(), .residual_px = (double)NAN, .residual_mm = (double)NAN};
    REHA_TRY(check(fixed, moving, how, err));
    REHA_TRY(find(fixed, moving, how, out, err));
    REHA_TRY(find(moving, fixed, how, &back, err));
    out->residual_px = inconsistency(fixed, out->fixed_to_moving, back.fixed_to_moving);
    out->residual_mm = mm_of(out->residual_px, fixed->spacing);
    out->is_reliable = out->residual_px <= RESIDUAL_MAX_RATIO * longest(fixed) &&
                       out->overlap >= OVERLAP_MIN && out->information > 1.0 + 1e-6;
    return REHA_OK;
}

reha_status reha_register_points(const reha_point_px *fixed, const reha_point_px *moving, size_t count,
                                 reha_register_kind kind, reha_spacing spacing, reha_registration *out,
                                 reha_error *err)
{
    double squares = 0.0;
    double extent = 0.0;
    *out = (reha_registration){.fixed_to_moving = reha_affine_identity(),
                               .information_start = (double)NAN,
                               .information = (double)NAN,
                               .overlap = (double)NAN,
                               .residual_px = (double)NAN,
                               .residual_mm = (double)NAN};
    REHA_TRY(kind == REHA_REGISTER_AFFINE
                 ? reha_affine_fit(fixed, moving, count, &out->fixed_to_moving, err)
                 : reha_affine_fit_similarity(fixed, moving, count, &out->fixed_to_moving, err));
    /* In pixels of the fixed image: distances in the moving one, shrunk by the map's enlargement. */
    const reha_affine *map = &out->fixed_to_moving;
    const double enlargement = sqrt(fabs(map->a * map->e - map->b * map->d));
    for (size_t i = 0; i < count; i++) {
        const reha_point_px at = reha_affine_apply(*map, fixed[i]);
        squares += pow(at.x_px - moving[i].x_px, 2.0) + pow(at.y_px - moving[i].y_px, 2.0);
        extent = fmax(extent, hypot(fixed[i].x_px - fixed[0].x_px, fixed[i].y_px - fixed[0].y_px));
    }
    out->residual_px = enlargement > 0.0 ? sqrt(squares / (double)count) / enlargement : (double)NAN;
    out->residual_mm = mm_of(out->residual_px, spacing);
    out->is_reliable = out->residual_px <= 2.0 * RESIDUAL_MAX_RATIO * extent;
    return REHA_OK;
}

reha_status reha_mutual_information(const reha_gray *fixed, const reha_gray *moving,
                                    reha_affine fixed_to_moving, double *out, reha_error *err)
{
    reha_register_level level;
    double overlap = 0.0;
    *out = (double)NAN;
    REHA_TRY(reha_register_level_make(fixed, moving, 1.0, 1.0, &level, err));
    *out = reha_register_information(&level, fixed_to_moving, &overlap);
    reha_register_level_clear(&level);
    return REHA_OK;
}

/* ---- applying ---- */

typedef struct moments {
    double count, sum_a, sum_b, squares_a, squares_b, products;
} moments;

static bool is_covered(const reha_gray *moving, reha_point_px at)
{
    return at.x_px >= 0.0 && at.y_px >= 0.0 && at.x_px <= moving->width_px - 1.0 &&
           at.y_px <= moving->height_px - 1.0;
}

reha_status reha_register_apply(const reha_gray *fixed, const reha_gray *moving, reha_affine fixed_to_moving,
                                reha_gray **out, reha_error *err)
{
    moments m = {0};
    REHA_TRY(reha_gray_warp(moving, fixed_to_moving, fixed->width_px, fixed->height_px, REHA_SAMPLING_LINEAR,
                            (reha_fill){REHA_EDGE_REPEAT, 0.0F}, out, err));
    (*out)->spacing = fixed->spacing;
    for (uint32_t y = 0; y < fixed->height_px; y++) {
        for (uint32_t x = 0; x < fixed->width_px; x++) {
            if (is_covered(moving, reha_affine_apply(fixed_to_moving, (reha_point_px){x, y}))) {
                const double a = (double)reha_gray_at(*out, x, y);
                const double b = (double)reha_gray_at(fixed, x, y);
                m = (moments){m.count + 1.0,       m.sum_a + a,         m.sum_b + b,
                              m.squares_a + a * a, m.squares_b + b * b, m.products + a * b};
            }
        }
    }
    const double variance_a = m.count * m.squares_a - m.sum_a * m.sum_a;
    const double variance_b = m.count * m.squares_b - m.sum_b * m.sum_b;
    const double covariance = m.count * m.products - m.sum_a * m.sum_b;
    /* Spread by spread, not by regression: that would fade the picture where the two do not match. */
    const double gain = variance_a > 0.0 ? copysign(sqrt(variance_b / variance_a), covariance) : 1.0;
    const double offset = m.count > 0.0 ? (m.sum_b - gain * m.sum_a) / m.count : 0.0;
    for (uint32_t y = 0; y < fixed->height_px; y++) {
        for (uint32_t x = 0; x < fixed->width_px; x++) {
            float *pixel = &(*out)->pixels[(size_t)y * fixed->width_px + x];
            *pixel = is_covered(moving, reha_affine_apply(fixed_to_moving, (reha_point_px){x, y}))
                         ? (float)(gain * (double)*pixel + offset)
                         : reha_gray_at(fixed, x, y);
        }
    }
    return REHA_OK;
}
