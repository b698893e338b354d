/* Shapes and truth of the drawn knee. */
#include "recognition/knee_phantom.h"

#include "base/random.h"
#include "recognition/knee_phantom_priv.h"

#include <math.h>
#include <string.h>

static const double RAD_PER_DEG = 3.14159265358979323846 / 180.0;
static const double MEAN_PLATEAU_MM = 79.2;

/* Mean knee of 529 annotated adults at 0.3 mm per pixel, a little smoothed, plateau line level. */
static const reha_point_mm tibia_surface[] = {
    {-40.2, 0.0},  {-36.0, 0.15}, {-28.0, 0.0}, {-21.0, -0.9}, {-15.6, -2.9}, {-11.0, -6.2}, {-7.6, -9.6},
    {-5.7, -10.7}, {-3.4, -9.7},  {0.0, -8.5},  {3.4, -10.0},  {6.2, -12.2},  {8.4, -9.2},   {10.8, -4.6},
    {13.5, -1.9},  {18.0, -0.4},  {26.0, 0.6},  {33.0, 0.55},  {39.0, 0.0},
};

/* Joint space: the smallest width at x0, wider to both sides. */
typedef struct gap {
    double x0_mm;
    double curve_per_mm;
    double from_mm, to_mm; /* the compartment */
    double normal_mm;
} gap;

static const gap lateral_gap = {-25.0, 0.0097, -35.5, -12.5, 5.7};
static const gap medial_gap = {27.0, 0.0145, 12.5, 36.5, 4.6};

static const double tibia_landmark_x[9] = {-40.2, -28.0, -15.6, -5.7, 0.0, 6.2, 13.5, 26.0, 39.0};
static const double femur_landmark_x[7] = {-35.5, -26.4, -13.8, -0.75, 12.75, 26.0, 36.5};
static const reha_point_mm notch_top = {-0.75, -20.5};

/* Catmull-Rom with chord-length knots over all four points (Barry & Goldman 1988): no loops between
 * points at uneven distances. */
static reha_point_mm spline_point(const reha_point_mm p[4], double part)
{
    double t[4] = {0.0, 0.0, 0.0, 0.0};
    for (int i = 1; i < 4; i++) {
        const double chord = hypot(p[i].x_mm - p[i - 1].x_mm, p[i].y_mm - p[i - 1].y_mm);
        t[i] = t[i - 1] + sqrt(fmax(chord, 1e-6));
    }
    const double at = t[1] + part * (t[2] - t[1]);
    reha_point_mm level[4] = {p[0], p[1], p[2], p[3]};
    for (int step = 1; step < 4; step++) {
        for (int i = 0; i < 4 - step; i++) {
            /* The last step blends over [t1, t2], the ones before over their own span. */
            const double from = step == 3 ? t[1] : t[i];
            const double to = step == 3 ? t[2] : step == 1 ? t[i + 1] : t[i + 2];
            const double share = (at - from) / (to - from);
            level[i].x_mm += share * (level[i + 1].x_mm - level[i].x_mm);
            level[i].y_mm += share * (level[i + 1].y_mm - level[i].y_mm);
        }
    }
    return level[0];
}

/* Cubic through the surface points as a function of x (slopes: finite differences). */
static double surface_y(const reha_point_mm *points, size_t count, double x_mm)
{
    if (x_mm <= points[0].x_mm) {
        return points[0].y_mm;
    }
    if (x_mm >= points[count - 1].x_mm) {
        return points[count - 1].y_mm;
    }
    size_t i = 0;
    while (points[i + 1].x_mm < x_mm) {
        i++;
    }
    double slope[2];
    for (size_t k = 0; k < 2; k++) {
        const size_t left = i + k > 0 ? i + k - 1 : 0;
        const size_t right = i + k + 1 < count ? i + k + 1 : count - 1;
        slope[k] = (points[right].y_mm - points[left].y_mm) / (points[right].x_mm - points[left].x_mm);
    }
    const double width = points[i + 1].x_mm - points[i].x_mm;
    const double t = (x_mm - points[i].x_mm) / width;
    const double t2 = t * t;
    const double t3 = t2 * t;
    return (2.0 * t3 - 3.0 * t2 + 1.0) * points[i].y_mm + (t3 - 2.0 * t2 + t) * width * slope[0] +
           (3.0 * t2 - 2.0 * t3) * points[i + 1].y_mm + (t3 - t2) * width * slope[1];
}

double reha_phantom_tibia_y(double x_mm, double size)
{
    return size * surface_y(tibia_surface, sizeof tibia_surface / sizeof tibia_surface[0], x_mm / size);
}

static double gap_at(const gap *space, double smallest_mm, double x_mm, double size)
{
    const double away = x_mm / size - space->x0_mm;
    return smallest_mm + size * space->curve_per_mm * away * away;
}

double reha_phantom_femur_y(const reha_phantom_knee *knee, double x_mm, double size)
{
    const bool is_medial = x_mm > 0.0;
    return reha_phantom_tibia_y(x_mm, size) - gap_at(is_medial ? &medial_gap : &lateral_gap,
                                                     is_medial ? knee->medial_jsw_mm : knee->lateral_jsw_mm,
                                                     x_mm, size);
}

static void add_point(reha_outline *outline, double x_mm, double y_mm)
{
    if (outline->count < REHA_OUTLINE_POINTS_MAX) {
        outline->points[outline->count++] = (reha_point_mm){x_mm, y_mm};
    }
}

/* Adds the curve through knots[1] .. knots[count - 2]; the first and last knot only give direction. */
static void add_spline(reha_outline *outline, const reha_point_mm *knots, size_t count)
{
    const double step_mm = 0.8;
    for (size_t i = 0; i + 3 < count; i++) {
        const double chord =
            hypot(knots[i + 2].x_mm - knots[i + 1].x_mm, knots[i + 2].y_mm - knots[i + 1].y_mm);
        const int pieces = 1 + (int)(chord / step_mm);
        for (int k = i == 0 ? 0 : 1; k <= pieces; k++) {
            const reha_point_mm at = spline_point(knots + i, (double)k / pieces);
            add_point(outline, at.x_mm, at.y_mm);
        }
    }
}

static void make_tibia(const reha_phantom_knee *knee, double size, reha_outline *out)
{
    const double lateral = knee->osteophyte_mm[REHA_MARGIN_TIBIA_LATERAL] / size;
    const double medial = knee->osteophyte_mm[REHA_MARGIN_TIBIA_MEDIAL] / size;
    out->count = 0;
    const double step_mm = 0.4;
    const double first_mm = tibia_surface[0].x_mm;
    const double last_mm = tibia_surface[sizeof tibia_surface / sizeof tibia_surface[0] - 1].x_mm;
    const int pieces = (int)ceil((last_mm - first_mm) / step_mm);
    for (int i = 0; i <= pieces; i++) {
        const double x = first_mm + (last_mm - first_mm) * i / pieces;
        add_point(out, x, reha_phantom_tibia_y(size * x, size) / size);
    }
    /* Beaks point outwards and, as in life, a little up. */
    const reha_point_mm medial_side[] = {
        {37.0, 0.2},
        {39.0, 0.0},
        {40.3 + medial, 0.9 - 0.25 * medial},
        {40.6 + 0.25 * medial, 3.6},
        {40.0, 9.0},
        {37.6, 17.0},
        {33.0, 28.0},
        {27.2, 40.0},
        {21.2, 55.0},
        {16.8, 74.0},
        {14.4, 100.0},
        {13.2, 150.0},
        {12.8, 260.0},
        {12.8, 280.0},
    };
    add_spline(out, medial_side, sizeof medial_side / sizeof medial_side[0]);
    const reha_point_mm lateral_side[] = {
        {-12.2, 280.0},
        {-12.2, 260.0},
        {-12.6, 150.0},
        {-13.6, 100.0},
        {-16.2, 66.0},
        {-21.0, 48.0},
        {-27.0, 35.0},
        {-33.0, 25.0},
        {-38.2, 15.0},
        {-41.0, 7.5},
        {-41.6 - 0.25 * lateral, 3.4},
        {-41.2 - lateral, 0.9 - 0.25 * lateral},
        {-40.2, 0.0},
        {-38.0, 0.1},
    };
    add_spline(out, lateral_side, sizeof lateral_side / sizeof lateral_side[0]);
}

/* How far the femur comes down when the joint space narrows: linear between the compartments, so it
 * tilts when only one side does. */
static reha_point_mm settle(const reha_phantom_knee *knee, double size, reha_point_mm at)
{
    const double lateral = lateral_gap.normal_mm - knee->lateral_jsw_mm / size;
    const double medial = medial_gap.normal_mm - knee->medial_jsw_mm / size;
    const double slope = (medial - lateral) / (medial_gap.x0_mm - lateral_gap.x0_mm);
    return (reha_point_mm){at.x_mm - slope * (at.y_mm + 5.0),
                           at.y_mm + lateral + slope * (at.x_mm - lateral_gap.x0_mm)};
}

static void add_settled(reha_outline *out, const reha_phantom_knee *knee, double size,
                        const reha_point_mm *knots, size_t count)
{
    enum { KNOTS_MAX = 32 };
    reha_point_mm moved[KNOTS_MAX];
    for (size_t i = 0; i < count && i < KNOTS_MAX; i++) {
        moved[i] = settle(knee, size, knots[i]);
    }
    /* The outermost knots belong to the joint surface, which is where the joint space puts it. */
    const bool is_lateral = knots[count - 1].x_mm < 0.0;
    const size_t ends[2] = {is_lateral ? count - 2 : 0, is_lateral ? count - 1 : 1};
    for (size_t k = 0; k < 2; k++) {
        moved[ends[k]] = (reha_point_mm){knots[ends[k]].x_mm,
                                         reha_phantom_femur_y(knee, size * knots[ends[k]].x_mm, size) / size};
    }
    add_spline(out, moved, count);
}

static void add_condyle(reha_outline *out, const reha_phantom_knee *knee, double size, const gap *space)
{
    const double step_mm = 0.4;
    const int pieces = (int)ceil((space->to_mm - space->from_mm) / step_mm);
    for (int i = 0; i <= pieces; i++) {
        const double x = space->from_mm + (space->to_mm - space->from_mm) * i / pieces;
        add_point(out, x, reha_phantom_femur_y(knee, size * x, size) / size);
    }
}

static void make_femur(const reha_phantom_knee *knee, double size, reha_outline *out)
{
    const double lateral = knee->osteophyte_mm[REHA_MARGIN_FEMUR_LATERAL] / size;
    const double medial = knee->osteophyte_mm[REHA_MARGIN_FEMUR_MEDIAL] / size;
    out->count = 0;
    const reha_point_mm lateral_side[] = {
        {-15.2, -280.0},
        {-15.2, -260.0},
        {-15.4, -170.0},
        {-16.2, -125.0},
        {-19.0, -95.0},
        {-24.0, -72.0},
        {-29.0, -57.0},
        {-37.4, -44.5},
        {-41.2, -36.0},
        {-39.8, -26.5},
        {-36.2, -19.5},
        {-37.2, -13.6},
        {-38.6 - lateral, -9.6 + 0.25 * lateral},
        {-38.0 - 0.3 * lateral, -7.4},
        {-35.5, 0.0},
        {-33.0, 0.0},
    };
    add_settled(out, knee, size, lateral_side, sizeof lateral_side / sizeof lateral_side[0]);
    add_condyle(out, knee, size, &lateral_gap);

    const double left_y = reha_phantom_femur_y(knee, size * lateral_gap.to_mm, size) / size;
    const double left_before_y = reha_phantom_femur_y(knee, size * (lateral_gap.to_mm - 3.0), size) / size;
    const double right_y = reha_phantom_femur_y(knee, size * medial_gap.from_mm, size) / size;
    const double right_after_y = reha_phantom_femur_y(knee, size * (medial_gap.from_mm + 3.0), size) / size;
    const reha_point_mm top = settle(knee, size, notch_top);
    const reha_point_mm notch[] = {
        {lateral_gap.to_mm - 3.0, left_before_y},
        {lateral_gap.to_mm, left_y},
        {-9.4, left_y - 0.42 * (left_y - top.y_mm)},
        {-6.4, left_y - 0.80 * (left_y - top.y_mm)},
        {notch_top.x_mm, top.y_mm},
        {5.2, right_y - 0.86 * (right_y - top.y_mm)},
        {9.2, right_y - 0.45 * (right_y - top.y_mm)},
        {medial_gap.from_mm, right_y},
        {medial_gap.from_mm + 3.0, right_after_y},
    };
    add_spline(out, notch, sizeof notch / sizeof notch[0]);
    add_condyle(out, knee, size, &medial_gap);

    const reha_point_mm medial_side[] = {
        {34.0, 0.0},
        {36.5, 0.0},
        {39.6 + 0.3 * medial, -7.0},
        {40.8 + medial, -9.2 + 0.25 * medial},
        {41.2, -13.5},
        {43.6, -22.0},
        {45.8, -31.0},
        {46.4, -39.5},
        {43.4, -48.0},
        {37.0, -57.0},
        {28.6, -70.0},
        {21.4, -92.0},
        {17.8, -124.0},
        {16.4, -170.0},
        {16.0, -260.0},
        {16.0, -280.0},
    };
    add_settled(out, knee, size, medial_side, sizeof medial_side / sizeof medial_side[0]);
}

static void make_fibula(reha_outline *out)
{
    const reha_point_mm knots[] = {
        {-31.5, 280.0}, {-31.5, 260.0}, {-32.0, 120.0}, {-33.6, 62.0},  {-34.2, 46.0},
        {-31.8, 34.0},  {-30.0, 25.0},  {-33.0, 17.6},  {-39.5, 13.4},  {-45.4, 9.6},
        {-48.6, 12.0},  {-50.4, 19.5},  {-49.6, 28.0},  {-46.2, 38.0},  {-44.2, 50.0},
        {-43.4, 66.0},  {-42.2, 120.0}, {-41.4, 260.0}, {-41.4, 280.0},
    };
    out->count = 0;
    add_spline(out, knots, sizeof knots / sizeof knots[0]);
}

static void scale_outline(reha_outline *outline, double size)
{
    for (size_t i = 0; i < outline->count; i++) {
        outline->points[i].x_mm *= size;
        outline->points[i].y_mm *= size;
    }
}

void reha_knee_shape_make(const reha_phantom_knee *knee, reha_knee_shape *out)
{
    out->size = knee->plateau_width_mm / MEAN_PLATEAU_MM;
    make_tibia(knee, out->size, &out->tibia);
    make_femur(knee, out->size, &out->femur);
    make_fibula(&out->fibula);
    scale_outline(&out->tibia, out->size);
    scale_outline(&out->femur, out->size);
    scale_outline(&out->fibula, out->size);
}

reha_point_px reha_phantom_to_px(const reha_phantom_knee *knee, double mm_per_px, reha_point_mm point)
{
    const double x = (knee->side == REHA_SIDE_LEFT ? -point.x_mm : point.x_mm) / mm_per_px;
    const double y = point.y_mm / mm_per_px;
    const double cosine = cos(knee->angle_deg * RAD_PER_DEG);
    const double sine = sin(knee->angle_deg * RAD_PER_DEG);
    return (reha_point_px){knee->joint_px.x_px + cosine * x - sine * y,
                           knee->joint_px.y_px + sine * x + cosine * y};
}

reha_point_mm reha_phantom_to_mm(const reha_phantom_knee *knee, double mm_per_px, reha_point_px point)
{
    const double u = point.x_px - knee->joint_px.x_px;
    const double v = point.y_px - knee->joint_px.y_px;
    const double cosine = cos(knee->angle_deg * RAD_PER_DEG);
    const double sine = sin(knee->angle_deg * RAD_PER_DEG);
    const double x = (cosine * u + sine * v) * mm_per_px;
    return (reha_point_mm){knee->side == REHA_SIDE_LEFT ? -x : x, (cosine * v - sine * u) * mm_per_px};
}

/* ---- ready-made specifications ---- */

static reha_phantom_knee normal_knee(reha_side side, double x_px, double y_px)
{
    return (reha_phantom_knee){
        .side = side == REHA_SIDE_LEFT ? REHA_SIDE_LEFT : REHA_SIDE_RIGHT,
        .joint_px = {x_px, y_px},
        .plateau_width_mm = MEAN_PLATEAU_MM,
        .medial_jsw_mm = medial_gap.normal_mm,
        .lateral_jsw_mm = lateral_gap.normal_mm,
        .density = 1.0,
    };
}

static reha_phantom_spec normal_spec(uint32_t width_px, uint32_t height_px, double mm_per_px, uint64_t seed)
{
    return (reha_phantom_spec){
        .seed = seed,
        .width_px = width_px,
        .height_px = height_px,
        .mm_per_px = mm_per_px,
        .is_spacing_known = true,
        .knee_count = 1,
        .contrast = 1.0,
        .blur_mm = 0.2,
        .noise_sd = 0.006,
        .bits = 12,
    };
}

reha_phantom_spec reha_phantom_crop(reha_side side, uint64_t seed)
{
    reha_phantom_spec spec = normal_spec(224, 224, 0.45, seed);
    spec.bits = 8;
    spec.knees[0] = normal_knee(side, 111.5, 140.0);
    return spec;
}

reha_phantom_spec reha_phantom_film(reha_side side, uint64_t seed)
{
    reha_phantom_spec spec = normal_spec(1200, 1500, 0.2, seed);
    spec.has_marker = true;
    spec.knees[0] = normal_knee(side, 600.0, 770.0);
    spec.knees[0].angle_deg = side == REHA_SIDE_LEFT ? 2.0 : -2.0;
    return spec;
}

reha_phantom_spec reha_phantom_film_both(uint64_t seed)
{
    reha_phantom_spec spec = normal_spec(2150, 1750, 0.2, seed);
    spec.has_marker = true;
    spec.knee_count = 2;
    spec.knees[0] = normal_knee(REHA_SIDE_RIGHT, 590.0, 880.0);
    spec.knees[1] = normal_knee(REHA_SIDE_LEFT, 1560.0, 890.0);
    spec.knees[0].angle_deg = -3.0;
    spec.knees[1].angle_deg = 2.5;
    return spec;
}

void reha_phantom_set_grade(reha_phantom_knee *knee, int grade, uint64_t seed)
{
    static const struct {
        double jsw_mm, jsw_sd_mm, osteophyte_mm, sclerosis;
    } typical[5] = {
        {4.6, 0.5, 0.0, 0.0},  {4.5, 0.5, 0.6, 0.05}, {4.2, 0.5, 2.2, 0.15},
        {2.6, 0.5, 3.6, 0.45}, {0.7, 0.3, 5.5, 0.85},
    };
    const int idx = grade < 0 ? 0 : grade > 4 ? 4 : grade;
    reha_random random = reha_random_init(seed, 0x6772616465);
    const double medial = typical[idx].jsw_mm + typical[idx].jsw_sd_mm * reha_random_normal(&random);
    knee->medial_jsw_mm = fmin(fmax(medial, 0.2), 8.0);
    /* The other side stays, or gapes a little when the medial one gives way. */
    knee->lateral_jsw_mm = fmin(fmax(5.6 + 0.5 * reha_random_normal(&random), 3.0), 9.0);
    for (int i = 0; i < REHA_MARGIN_COUNT; i++) {
        const bool is_medial = i == REHA_MARGIN_TIBIA_MEDIAL || i == REHA_MARGIN_FEMUR_MEDIAL;
        const double share = (is_medial ? 1.0 : 0.6) * reha_random_range(&random, 0.6, 1.3);
        knee->osteophyte_mm[i] = fmin(share * typical[idx].osteophyte_mm, 9.0);
    }
    knee->medial_sclerosis = fmin(typical[idx].sclerosis * reha_random_range(&random, 0.7, 1.3), 1.0);
    knee->lateral_sclerosis = 0.3 * knee->medial_sclerosis;
}

/* ---- truth ---- */

static void truth_of(const reha_phantom_knee *knee, double mm_per_px, reha_phantom_truth *out)
{
    const double size = knee->plateau_width_mm / MEAN_PLATEAU_MM;
    for (int i = 0; i < 9; i++) {
        const double x = size * tibia_landmark_x[i];
        out->landmarks[i] =
            reha_phantom_to_px(knee, mm_per_px, (reha_point_mm){x, reha_phantom_tibia_y(x, size)});
    }
    for (int i = 0; i < 7; i++) {
        const double x = size * femur_landmark_x[i];
        const double y =
            i == 3 ? size * settle(knee, size, notch_top).y_mm : reha_phantom_femur_y(knee, x, size);
        out->landmarks[9 + i] = reha_phantom_to_px(knee, mm_per_px, (reha_point_mm){x, y});
    }
    out->plateau_width_mm = knee->plateau_width_mm;
    out->plateau_width_px = knee->plateau_width_mm / mm_per_px;
    out->medial_jsw_mm = knee->medial_jsw_mm;
    out->lateral_jsw_mm = knee->lateral_jsw_mm;
    out->medial_jsw_px = knee->medial_jsw_mm / mm_per_px;
    out->lateral_jsw_px = knee->lateral_jsw_mm / mm_per_px;
    const double medial_x = size * medial_gap.x0_mm;
    const double lateral_x = size * lateral_gap.x0_mm;
    out->medial_tibia_px =
        reha_phantom_to_px(knee, mm_per_px, (reha_point_mm){medial_x, reha_phantom_tibia_y(medial_x, size)});
    out->medial_femur_px = reha_phantom_to_px(
        knee, mm_per_px, (reha_point_mm){medial_x, reha_phantom_femur_y(knee, medial_x, size)});
    out->lateral_tibia_px = reha_phantom_to_px(
        knee, mm_per_px, (reha_point_mm){lateral_x, reha_phantom_tibia_y(lateral_x, size)});
    out->lateral_femur_px = reha_phantom_to_px(
        knee, mm_per_px, (reha_point_mm){lateral_x, reha_phantom_femur_y(knee, lateral_x, size)});
}

static reha_status in_range(const char *name, double value, double low, double high, reha_error *err)
{
    if (!(value >= low && value <= high)) {
        return reha_fail(err, REHA_E_ARG, "phantom: %s = %g is outside %g to %g", name, value, low, high);
    }
    return REHA_OK;
}

static reha_status check_knee(const reha_phantom_knee *knee, reha_error *err)
{
    if (knee->side != REHA_SIDE_RIGHT && knee->side != REHA_SIDE_LEFT) {
        return reha_fail(err, REHA_E_ARG, "phantom: a knee is right or left");
    }
    REHA_TRY(in_range("joint_px.x", knee->joint_px.x_px, -1e5, 1e5, err));
    REHA_TRY(in_range("joint_px.y", knee->joint_px.y_px, -1e5, 1e5, err));
    REHA_TRY(in_range("angle_deg", knee->angle_deg, -180.0, 180.0, err));
    REHA_TRY(in_range("plateau_width_mm", knee->plateau_width_mm, 50.0, 120.0, err));
    REHA_TRY(in_range("medial_jsw_mm", knee->medial_jsw_mm, 0.0, 12.0, err));
    REHA_TRY(in_range("lateral_jsw_mm", knee->lateral_jsw_mm, 0.0, 12.0, err));
    for (int i = 0; i < REHA_MARGIN_COUNT; i++) {
        REHA_TRY(in_range("osteophyte_mm", knee->osteophyte_mm[i], 0.0, 10.0, err));
    }
    REHA_TRY(in_range("medial_sclerosis", knee->medial_sclerosis, 0.0, 1.0, err));
    REHA_TRY(in_range("lateral_sclerosis", knee->lateral_sclerosis, 0.0, 1.0, err));
    return in_range("density", knee->density, 0.3, 1.7, err);
}

static reha_status check_spec(const reha_phantom_spec *spec, reha_error *err)
{
    REHA_TRY(reha_image_check_size(spec->width_px, spec->height_px, NULL, err));
    REHA_TRY(in_range("mm_per_px", spec->mm_per_px, 0.05, 2.0, err));
    REHA_TRY(in_range("knee_count", spec->knee_count, 1, REHA_PHANTOM_KNEES_MAX, err));
    REHA_TRY(in_range("exposure", spec->exposure, -1.0, 1.0, err));
    REHA_TRY(in_range("contrast", spec->contrast, 0.1, 3.0, err));
    REHA_TRY(in_range("blur_mm", spec->blur_mm, 0.0, 5.0, err));
    REHA_TRY(in_range("noise_sd", spec->noise_sd, 0.0, 0.5, err));
    REHA_TRY(in_range("bits", spec->bits, 8, 16, err));
    for (int i = 0; i < spec->knee_count; i++) {
        REHA_TRY(check_knee(&spec->knees[i], err));
    }
    return REHA_OK;
}

reha_status reha_phantom_draw(const reha_phantom_spec *spec, reha_gray **out, reha_phantom_truth *truths,
                              reha_error *err)
{
    *out = NULL;
    REHA_TRY(check_spec(spec, err));
    REHA_TRY(reha_phantom_paint(spec, out, err));
    for (int i = 0; truths != NULL && i < spec->knee_count; i++) {
        truth_of(&spec->knees[i], spec->mm_per_px, &truths[i]);
    }
    return REHA_OK;
}
