#include "recognition/muscle_measure.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

enum { SIDE = REHA_MUSCLE_MAP_PX, PLACES = 9, STEPS = 64, DEPTHS_MIN = 6 };
static const double DEG = 180.0 / 3.14159265358979323846;
static const double BAND_THRESHOLDS[] = {0.5, 0.25}; /* the second where the first finds too few lines */
static const double STRENGTH_CLEAR = 0.4;            /* of a line: mean probability over the width */
static const double THICKNESS_MIN =
    0.06; /* of the box's height: two lines closer than this are one aponeurosis */
static const double LENGTH_PENNATION_MIN_DEG =
    3.0; /* flatter: the crossing with the aponeurosis is arbitrary */

bool reha_muscle_in_belly(const reha_muscle_measurement *belly, reha_point_px at)
{
    return (!belly->has_superficial || at.y_px > reha_muscle_curve_at(&belly->superficial, at.x_px)) &&
           (!belly->has_deep || at.y_px < reha_muscle_curve_at(&belly->deep, at.x_px));
}

bool reha_muscle_well_in_belly(const reha_muscle_measurement *belly, reha_point_px at, double margin)
{
    if (!belly->has_superficial || !belly->has_deep) {
        return reha_muscle_in_belly(belly, at);
    }
    const double top = reha_muscle_curve_at(&belly->superficial, at.x_px);
    const double bottom = reha_muscle_curve_at(&belly->deep, at.x_px);
    return at.y_px > top + margin * (bottom - top) && at.y_px < bottom - margin * (bottom - top);
}

/* ---- Which two bands ---- */

/* Fascicle probability between two bands: the labelled belly is the one whose fascicles are seen. */
static double fascicles_between(const float *fascicle, reha_box_px box, const reha_muscle_curve *top,
                                const reha_muscle_curve *bottom)
{
    double sum = 0.0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        const int row = i / SIDE;
        const double x = box.x_px + (i % SIDE + 0.5) / SIDE * box.width_px - 0.5;
        const double y = box.y_px + (row + 0.5) / SIDE * box.height_px - 0.5;
        if (fascicle[i] > 0.1F && y > reha_muscle_curve_at(top, x) && y < reha_muscle_curve_at(bottom, x)) {
            sum += (double)fascicle[i];
        }
    }
    return sum;
}

static void take_pair(const reha_muscle_band *top, const reha_muscle_band *bottom,
                      reha_muscle_measurement *out)
{
    out->has_superficial = top != NULL;
    out->has_deep = bottom != NULL;
    if (top != NULL) {
        out->superficial = top->edges[REHA_MUSCLE_LOWER_EDGE];
        out->superficial_angle_deg = reha_muscle_angle_of_slope(out->superficial.slope);
    }
    if (bottom != NULL) {
        out->deep = bottom->edges[REHA_MUSCLE_UPPER_EDGE];
        out->deep_angle_deg = reha_muscle_angle_of_slope(out->deep.slope);
    }
}

static void choose_pair(const reha_muscle_band *bands, int count, const float *fascicle, reha_box_px box,
                        reha_muscle_measurement *out)
{
    double best = 0.0;
    int chosen[2] = {-1, -1};
    for (int i = 0; i + 1 < count; i++) {
        /* Over a line that is hardly seen the next one may be the true border; over a clear one never. */
        bool is_clear = false;
        for (int k = i + 1; k < count && !is_clear; k++) {
            const reha_muscle_curve *top = &bands[i].edges[REHA_MUSCLE_LOWER_EDGE];
            const reha_muscle_curve *bottom = &bands[k].edges[REHA_MUSCLE_UPPER_EDGE];
            const double middle = top->x_middle;
            const double thickness = reha_muscle_curve_at(bottom, middle) - reha_muscle_curve_at(top, middle);
            if (thickness >= THICKNESS_MIN * box.height_px) {
                const double seen = fmin(1.0, fmin(bands[i].strength, bands[k].strength) / STRENGTH_CLEAR);
                const double score = seen * (1e-6 + fascicles_between(fascicle, box, top, bottom));
                if (score > best) {
                    best = score;
                    chosen[0] = i;
                    chosen[1] = k;
                }
            }
            is_clear = bands[k].strength >= STRENGTH_CLEAR;
        }
    }
    if (chosen[0] >= 0) {
        take_pair(&bands[chosen[0]], &bands[chosen[1]], out);
    } else if (count > 0) {
        /* One line only: a band in the upper half is taken for the superficial one. */
        const bool is_upper = bands[0].y_middle_px < box.y_px + 0.5 * box.height_px;
        take_pair(is_upper ? &bands[0] : NULL, is_upper ? NULL : &bands[0], out);
    }
}

static reha_status find_pair(const float *aponeurosis, const float *fascicle, reha_box_px box,
                             reha_muscle_measurement *out, reha_error *err)
{
    reha_muscle_band bands[REHA_MUSCLE_CURVES_MAX];
    for (size_t t = 0; t < sizeof BAND_THRESHOLDS / sizeof BAND_THRESHOLDS[0]; t++) {
        REHA_TRY(reha_muscle_find_bands(aponeurosis, box, BAND_THRESHOLDS[t], bands, &out->band_count, err));
        out->has_superficial = out->has_deep = false;
        choose_pair(bands, out->band_count, fascicle, box, out);
        if (out->has_superficial && out->has_deep) {
            break;
        }
    }
    return REHA_OK;
}

/* ---- Thickness ---- */

/* Where the line from (x, y) along (dx, dy) meets the curve: Newton on the height difference. */
static bool meet(const reha_muscle_curve *curve, reha_point_px from, double dx, double dy, double *distance)
{
    double t = 0.0;
    for (int i = 0; i < 30; i++) {
        const double x = from.x_px + t * dx;
        const double off = from.y_px + t * dy - reha_muscle_curve_at(curve, x);
        const double slope = dy - dx * reha_muscle_curve_slope_at(curve, x);
        if (fabs(slope) < 1e-3) {
            return false;
        }
        const double step = off / slope;
        t -= step;
        if (fabs(step) < 1e-3) {
            *distance = t;
            return isfinite(t);
        }
    }
    return false;
}

static void measure_thickness(const reha_muscle_frame *frame, reha_muscle_measurement *out)
{
    double sum = 0.0;
    double squares = 0.0;
    int count = 0;
    /* Between the places where both lines were seen, as far as that is most of the picture. */
    double from = fmax(out->superficial.x_from_px, out->deep.x_from_px);
    double to = fmin(out->superficial.x_to_px, out->deep.x_to_px);
    if (to - from < 0.25 * frame->box.width_px) {
        from = frame->box.x_px;
        to = frame->box.x_px + frame->box.width_px;
    }
    for (int i = 0; i < REHA_MUSCLE_PROFILE; i++) {
        const double x = from + (to - from) * (i + 0.5) / REHA_MUSCLE_PROFILE;
        const double y =
            0.5 * (reha_muscle_curve_at(&out->superficial, x) + reha_muscle_curve_at(&out->deep, x));
        const double slope = 0.5 * (reha_muscle_curve_slope_at(&out->superficial, x) +
                                    reha_muscle_curve_slope_at(&out->deep, x));
        const double norm = sqrt(1.0 + slope * slope);
        double up = 0.0;
        double down = 0.0;
        out->profile_px[i] = (double)NAN;
        out->profile_x_px[i] = x;
        out->profile_y_px[i] = y;
        const reha_point_px at = {x, y};
        if (meet(&out->superficial, at, slope / norm, -1.0 / norm, &up) &&
            meet(&out->deep, at, -slope / norm, 1.0 / norm, &down) && up + down > 0.0) {
            out->profile_px[i] = up + down;
            sum += up + down;
            squares += (up + down) * (up + down);
            count++;
        }
    }
    if (count > REHA_MUSCLE_PROFILE / 2) {
        out->thickness_px = sum / count;
        out->thickness_sd_px = sqrt(fmax(0.0, squares / count - out->thickness_px * out->thickness_px));
    }
}

/* ---- Length ---- */

static double depth_share(const reha_muscle_measurement *m, reha_point_px at)
{
    const double top = reha_muscle_curve_at(&m->superficial, at.x_px);
    const double bottom = reha_muscle_curve_at(&m->deep, at.x_px);
    return bottom > top ? (bottom - at.y_px) / (bottom - top) : 0.0; /* 0 at the deep one */
}

/* Angle as a line over depth; supported only by pieces in the deep and the superficial third. */
static bool fit_bending(const reha_muscle_measurement *m, const reha_muscle_segment *segments, int count,
                        double *at_deep, double *bending)
{
    double n = 0.0, x = 0.0, y = 0.0, xx = 0.0, xy = 0.0;
    int deep = 0;
    int shallow = 0;
    for (int i = 0; i < count; i++) {
        const double share = depth_share(m, segments[i].centre);
        const double off = reha_muscle_wrap(segments[i].angle_deg - m->fascicle_angle_deg);
        const double w = segments[i].length_px;
        if (fabs(off) > 20.0) {
            continue;
        }
        deep += share < 1.0 / 3.0 ? 1 : 0;
        shallow += share > 2.0 / 3.0 ? 1 : 0;
        n += w;
        x += w * share;
        y += w * off;
        xx += w * share * share;
        xy += w * share * off;
    }
    const double spread = xx - x * x / fmax(n, 1e-9);
    if (deep < 2 || shallow < 2 || count < DEPTHS_MIN || spread <= 1e-9) {
        return false;
    }
    *bending = (xy - x * y / n) / spread;
    *at_deep = m->fascicle_angle_deg + y / n - *bending * x / n;
    return true;
}

/* Follows the direction upwards from a point on the deep aponeurosis until the superficial one is met. */
static double follow(const reha_muscle_measurement *m, reha_point_px from, double sign, double at_deep,
                     double bending)
{
    const double step = m->thickness_px / STEPS;
    double length = 0.0;
    reha_point_px at = from;
    for (int i = 0; i < 40 * STEPS; i++) {
        const double share = fmin(1.0, fmax(0.0, depth_share(m, at)));
        const double angle = (at_deep + bending * share) / DEG;
        const reha_point_px next = {at.x_px + sign * step * cos(angle), at.y_px - sign * step * sin(angle)};
        const double gap = at.y_px - reha_muscle_curve_at(&m->superficial, at.x_px);
        const double next_gap = next.y_px - reha_muscle_curve_at(&m->superficial, next.x_px);
        if (next_gap <= 0.0) {
            return length + step * gap / fmax(1e-9, gap - next_gap);
        }
        length += step;
        at = next;
    }
    return (double)NAN;
}

static double share_outside(const reha_muscle_frame *frame, reha_point_px a, reha_point_px b)
{
    const double low = frame->box.x_px;
    const double high = frame->box.x_px + frame->box.width_px;
    const double from = fmin(a.x_px, b.x_px);
    const double to = fmax(a.x_px, b.x_px);
    const double inside = fmax(0.0, fmin(to, high) - fmax(from, low));
    return to - from > 1e-6 ? 1.0 - inside / (to - from) : 0.0;
}

static void measure_length(const reha_muscle_frame *frame, const reha_muscle_segment *segments, int count,
                           reha_muscle_measurement *out)
{
    double at_deep = 0.0;
    double bending = 0.0;
    double sum = 0.0, squares = 0.0, outside = 0.0, curved = 0.0;
    int places = 0;
    int curves = 0;
    /* Towards the superficial aponeurosis, seen from the deep one: up, and so to the right for rising ones.
     */
    const double relative = reha_muscle_wrap(out->fascicle_angle_deg - out->deep_angle_deg);
    if (fabs(relative) < LENGTH_PENNATION_MIN_DEG) {
        return;
    }
    const double sign = relative > 0.0 ? 1.0 : -1.0;
    const bool is_bent = out->direction_source == REHA_MUSCLE_DIRECTION_FASCICLES &&
                         fit_bending(out, segments, count, &at_deep, &bending);
    const double angle = out->fascicle_angle_deg / DEG;
    for (int i = 0; i < PLACES; i++) {
        /* Lines through the middle of the belly, spread over the field of view. */
        const double x = frame->box.x_px + frame->box.width_px * (i + 0.5) / PLACES;
        const reha_point_px middle = {
            x, 0.5 * (reha_muscle_curve_at(&out->superficial, x) + reha_muscle_curve_at(&out->deep, x))};
        double up = 0.0;
        double down = 0.0;
        if (!meet(&out->superficial, middle, sign * cos(angle), -sign * sin(angle), &up) ||
            !meet(&out->deep, middle, -sign * cos(angle), sign * sin(angle), &down) || up <= 0.0 ||
            down <= 0.0 || up + down > 20.0 * out->thickness_px) {
            continue;
        }
        const reha_point_px low = {x - sign * down * cos(angle), middle.y_px + sign * down * sin(angle)};
        const reha_point_px high = {x + sign * up * cos(angle), middle.y_px - sign * up * sin(angle)};
        const double along = is_bent ? follow(out, low, sign, at_deep, bending) : (double)NAN;
        curved += isnan(along) ? 0.0 : along;
        curves += isnan(along) ? 0 : 1;
        sum += up + down;
        squares += (up + down) * (up + down);
        outside += share_outside(frame, low, high);
        if (places < REHA_MUSCLE_SHOWN_MAX) {
            out->shown[out->shown_count][0] = low;
            out->shown[out->shown_count++][1] = high;
        }
        places++;
    }
    if (places > 0) {
        out->length_px = sum / places;
        out->length_sd_px = sqrt(fmax(0.0, squares / places - out->length_px * out->length_px));
        out->length_outside = outside / places;
    }
    if (curves > 0) {
        out->length_curved_px = curved / curves;
        out->bending_deg = bending;
    }
}

/* ---- Echo intensity ---- */

static void measure_echo(const reha_gray *image, const reha_muscle_frame *frame, reha_muscle_measurement *out)
{
    double sum = 0.0, squares = 0.0, count = 0.0;
    const uint32_t x0 = (uint32_t)frame->box.x_px;
    const uint32_t x1 = (uint32_t)(frame->box.x_px + frame->box.width_px);
    const uint32_t y0 = (uint32_t)frame->box.y_px;
    const uint32_t y1 = (uint32_t)(frame->box.y_px + frame->box.height_px);
    for (uint32_t x = x0; x < x1; x++) {
        const double top = reha_muscle_curve_at(&out->superficial, x);
        const double bottom = reha_muscle_curve_at(&out->deep, x);
        for (uint32_t y = y0; y < y1; y++) {
            if (y >= top && y < bottom) {
                const double v = (double)reha_gray_at(image, x, y);
                sum += v;
                squares += v * v;
                count += 1.0;
            }
        }
    }
    if (count > 0.0) {
        out->echo_mean = sum / count;
        out->echo_sd = sqrt(fmax(0.0, squares / count - out->echo_mean * out->echo_mean));
    }
}

static reha_muscle_measurement nothing(void)
{
    reha_muscle_measurement m;
    const double none = (double)NAN;
    memset(&m, 0, sizeof m);
    m.superficial_angle_deg = m.deep_angle_deg = m.thickness_px = m.thickness_sd_px = none;
    m.fascicle_angle_deg = m.fascicle_spread_deg = m.fascicle_error_deg = none;
    m.texture_angle_deg = m.pennation_deg = m.pennation_superficial_deg = none;
    m.length_px = m.length_sd_px = m.length_outside = m.length_curved_px = m.bending_deg = none;
    m.echo_mean = m.echo_sd = none;
    for (int i = 0; i < REHA_MUSCLE_PROFILE; i++) {
        m.profile_px[i] = m.profile_x_px[i] = m.profile_y_px[i] = none;
    }
    return m;
}

reha_status reha_muscle_measure(const reha_gray *image, const reha_muscle_frame *frame,
                                const float *aponeurosis, const float *fascicle, reha_muscle_measurement *out,
                                reha_error *err)
{
    reha_status status = REHA_OK;
    *out = nothing();
    reha_muscle_segment *segments = reha_alloc(REHA_MUSCLE_SEGMENTS_MAX * sizeof *segments);
    if (segments == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the fascicles of a picture");
    }
    REHA_CHECK(find_pair(aponeurosis, fascicle, frame->box, out, err));
    REHA_CHECK(reha_muscle_direction(image, frame, fascicle, segments, out, err));
    if (out->has_superficial && out->has_deep) {
        measure_thickness(frame, out);
        if (image != NULL) {
            measure_echo(image, frame, out);
        }
        if (isfinite(out->thickness_px) && isfinite(out->fascicle_angle_deg)) {
            measure_length(frame, segments, out->segment_count, out);
        }
    }
done:
    reha_free(segments);
    return status;
}
