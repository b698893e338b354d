/* Which way the fascicles of a belly run.
 *
 * The network's map of fascicles is a map of ridges, and its structure tensor has a direction everywhere,
 * also in pieces too faint or too short to be cut out. The clear pieces, cut out, know the angle of their
 * own. The angle told is a mean of both that leans on the pieces as there are more of them (training groups:
 * pieces alone miss by 1.46 degrees and read 1.0 too flat, the tensor alone by 1.17, the mean by 1.15; of
 * pictures with fewer than six pieces by 3.6 and 2.6). */
#include "recognition/muscle_measure.h"

#include "base/memory.h"
#include "recognition/sampling.h"

#include <math.h>
#include <string.h>

enum { SIDE = REHA_MUSCLE_MAP_PX, COUNT = SIDE * SIDE, TAPS = 5, TENSOR_RADIUS = 1, BINS = 180, ROUNDS = 3 };
static const double DEG = 180.0 / 3.14159265358979323846;
static const double FASCICLE_THRESHOLDS[] = {0.45, 0.25};
/* Marked fascicle, of the box's width: with less the threshold is lowered; with less still the texture
 * speaks. */
static const double LENGTH_GOOD = 0.25;
static const double LENGTH_MIN = 0.08;
static const double SEGMENT_LENGTH_MIN = 0.03; /* of the box's diagonal */
static const double SIDE_MIN_DEG = 4.0; /* from the middle direction: flatter pieces are connective tissue */
static const double SIDE_SHARE_MIN = 0.25; /* of the marked length: less, and flat pieces are all there is */
static const double PENNATION_MAX_DEG = 65.0;
static const double NORMAL_MAD = 1.4826;
/* Smoothing and derivative that keep directions true on thin lines (central differences read them steeper).
 */
static const float SMOOTH_TAPS[TAPS] = {0.037659F, 0.249153F, 0.426375F, 0.249153F, 0.037659F};
static const float SLOPE_TAPS[TAPS] = {-0.109604F, -0.276691F, 0.0F, 0.276691F, 0.109604F};
static const double MARGIN = 0.15;     /* of the thickness: there an aponeurosis lends its direction */
static const double OFF_MIN_DEG = 6.0; /* from the middle direction */
static const double OFF_MAX_DEG = 60.0;
static const double BIN_SIGMA_DEG = 4.0;
static const double WINDOW_DEG = 8.0;
static const double PIECES_HALF = 20.0; /* so many pieces weigh as much as the tensor */
static const double MASS_MIN = 2.0;     /* cells: with less there is no direction at all */

double reha_muscle_wrap(double angle_deg)
{
    return angle_deg - 180.0 * floor((angle_deg + 90.0) / 180.0);
}

double reha_muscle_angle_between(double a_deg, double b_deg)
{
    return fabs(reha_muscle_wrap(a_deg - b_deg));
}

/* Mean direction over the doubled angle, then the weighted median of the differences from it. */
double reha_muscle_median_angle(const reha_muscle_segment *segments, int count, double *spread_deg)
{
    float differences[REHA_MUSCLE_SEGMENTS_MAX] = {0};
    int order[REHA_MUSCLE_SEGMENTS_MAX] = {0};
    double c = 0.0, s = 0.0, total = 0.0;
    *spread_deg = (double)NAN;
    count = count < REHA_MUSCLE_SEGMENTS_MAX ? count : REHA_MUSCLE_SEGMENTS_MAX;
    if (count == 0) {
        return (double)NAN;
    }
    for (int i = 0; i < count; i++) {
        c += segments[i].length_px * cos(2.0 * segments[i].angle_deg / DEG);
        s += segments[i].length_px * sin(2.0 * segments[i].angle_deg / DEG);
        total += segments[i].length_px;
    }
    const double mean = 0.5 * DEG * atan2(s, c);
    double median = 0.0;
    /* Twice: first the median, then the median of the distances from it. */
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < count; i++) {
            const double d = reha_muscle_wrap(segments[i].angle_deg - mean);
            differences[i] = (float)(pass == 0 ? d : fabs(d - median));
            int at = i;
            for (; at > 0 && differences[order[at - 1]] > differences[i]; at--) {
                order[at] = order[at - 1];
            }
            order[at] = i;
        }
        double below = 0.0;
        int k = 0;
        while (k + 1 < count && below + segments[order[k]].length_px < 0.5 * total) {
            below += segments[order[k++]].length_px;
        }
        if (pass == 0) {
            median = (double)differences[order[k]];
        } else {
            *spread_deg = NORMAL_MAD * (double)differences[order[k]];
        }
    }
    return reha_muscle_wrap(mean + median);
}

/* Of the two aponeuroses, or of the one there is. */
static double middle_angle(const reha_muscle_measurement *m)
{
    return m->has_superficial && m->has_deep ? 0.5 * (m->superficial_angle_deg + m->deep_angle_deg)
           : m->has_deep                     ? m->deep_angle_deg
           : m->has_superficial              ? m->superficial_angle_deg
                                             : 0.0;
}

/* Fascicles run to one side of the middle direction. Flat pieces and those of the other side are fat or
 * connective tissue (on held-out pictures leaving them out lowers the error of the angle by a quarter). */
static void keep_one_side(const reha_muscle_measurement *belly, reha_muscle_segment *segments, int *count)
{
    double sums[2] = {0.0, 0.0};
    double total = 0.0;
    int kept = 0;
    const double middle = middle_angle(belly);
    for (int i = 0; i < *count; i++) {
        const double off = reha_muscle_wrap(segments[i].angle_deg - middle);
        total += segments[i].length_px;
        sums[off < 0.0 ? 1 : 0] += fabs(off) >= SIDE_MIN_DEG ? segments[i].length_px : 0.0;
    }
    const double sign = sums[0] >= sums[1] ? 1.0 : -1.0;
    if ((!belly->has_superficial && !belly->has_deep) || fmax(sums[0], sums[1]) < SIDE_SHARE_MIN * total) {
        return;
    }
    for (int i = 0; i < *count; i++) {
        if (sign * reha_muscle_wrap(segments[i].angle_deg - middle) >= SIDE_MIN_DEG) {
            segments[kept++] = segments[i];
        }
    }
    *count = kept;
}

/* Keeps the pieces that lie in the belly and are not steeper than any fascicle; returns their total length.
 */
static double keep_in_belly(const reha_muscle_measurement *belly, reha_muscle_segment *segments, int *count)
{
    int kept = 0;
    double total = 0.0;
    const double middle = middle_angle(belly);
    for (int i = 0; i < *count; i++) {
        if (reha_muscle_in_belly(belly, segments[i].centre) &&
            fabs(reha_muscle_wrap(segments[i].angle_deg - middle)) < PENNATION_MAX_DEG) {
            total += segments[i].length_px;
            segments[kept++] = segments[i];
        }
    }
    *count = kept;
    return total;
}

/* ---- Tensor ---- */

static void filter_lines(const float *from, const float *taps, int step, float *to)
{
    for (int i = 0; i < COUNT; i++) {
        const int at = step == 1 ? i % SIDE : i / SIDE;
        float sum = 0.0F;
        for (int k = 0; k < TAPS; k++) {
            const int place = at + k - TAPS / 2;
            const int inside = place < 0 ? 0 : place >= SIDE ? SIDE - 1 : place;
            sum += taps[k] * from[i + (inside - at) * step];
        }
        to[i] = sum;
    }
}

typedef struct tensor {
    float *xx, *xy, *yy; /* COUNT each, smoothed, per image pixel; one block with room for two more */
} tensor;

static void find_tensor(const float *map, reha_box_px box, tensor *t)
{
    float *slope_x = t->yy + COUNT;
    float *scratch = slope_x + COUNT;
    const float per_x = (float)(SIDE / box.width_px);
    const float per_y = (float)(SIDE / box.height_px);
    filter_lines(map, SLOPE_TAPS, 1, scratch);
    filter_lines(scratch, SMOOTH_TAPS, SIDE, slope_x);
    filter_lines(map, SLOPE_TAPS, SIDE, scratch);
    filter_lines(scratch, SMOOTH_TAPS, 1, t->yy);
    for (int i = 0; i < COUNT; i++) {
        const float gx = per_x * slope_x[i];
        const float gy = per_y * t->yy[i];
        t->xx[i] = gx * gx;
        t->xy[i] = gx * gy;
        t->yy[i] = gy * gy;
    }
    reha_box_filter(t->xx, SIDE, SIDE, TENSOR_RADIUS, scratch, t->xx);
    reha_box_filter(t->xy, SIDE, SIDE, TENSOR_RADIUS, scratch, t->xy);
    reha_box_filter(t->yy, SIDE, SIDE, TENSOR_RADIUS, scratch, t->yy);
}

/* Weight by angle from the middle direction, -90 to 90, a degree a bin. */
static void fill_bins(const float *map, const tensor *t, reha_box_px box,
                      const reha_muscle_measurement *belly, double middle_deg, double *bins)
{
    for (int i = 0; i < COUNT; i++) {
        const int row = i / SIDE;
        const reha_point_px at = {box.x_px + (i % SIDE + 0.5) / SIDE * box.width_px - 0.5,
                                  box.y_px + (row + 0.5) / SIDE * box.height_px - 0.5};
        const double sum = (double)(t->xx[i] + t->yy[i]);
        const double difference = (double)(t->xx[i] - t->yy[i]);
        if (sum <= 1e-12 || !reha_muscle_well_in_belly(belly, at, MARGIN)) {
            continue;
        }
        const double coherence = hypot(difference, 2.0 * (double)t->xy[i]) / sum;
        /* The slope stands across the line, a quarter turn; y points down: the sign. */
        const double angle = -(0.5 * DEG * atan2(2.0 * (double)t->xy[i], difference) + 90.0);
        const int bin = (int)floor(reha_muscle_wrap(angle - middle_deg) + 90.0);
        const double squared = coherence * coherence;
        bins[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin] += (double)(map[i] * map[i]) * squared * squared;
    }
}

/* The highest place of one side, then the mean of what lies near it; NaN for nothing. */
static double find_peak(const double *bins, double sign, double *mass)
{
    double best = 0.0;
    double peak = (double)NAN;
    *mass = 0.0;
    for (int i = (int)OFF_MIN_DEG; i < (int)OFF_MAX_DEG; i++) {
        double sum = 0.0;
        for (int k = (int)OFF_MIN_DEG; k < (int)OFF_MAX_DEG; k++) {
            const double d = (k - i) / BIN_SIGMA_DEG;
            sum += bins[sign > 0.0 ? 90 + k : 89 - k] * exp(-0.5 * d * d);
        }
        *mass += bins[sign > 0.0 ? 90 + i : 89 - i];
        if (sum > best) {
            best = sum;
            peak = i + 0.5;
        }
    }
    for (int round = 0; round < ROUNDS && !isnan(peak); round++) {
        double sum = 0.0;
        double moment = 0.0;
        for (int k = (int)OFF_MIN_DEG; k < (int)OFF_MAX_DEG; k++) {
            const double weight =
                fabs(k + 0.5 - peak) < WINDOW_DEG ? bins[sign > 0.0 ? 90 + k : 89 - k] : 0.0;
            sum += weight;
            moment += weight * (k + 0.5);
        }
        peak = sum > 0.0 ? moment / sum : peak;
    }
    return peak;
}

/* NaN where the map shows nothing that could be a fascicle. */
static reha_status find_ridges(const float *map, const reha_muscle_frame *frame,
                               const reha_muscle_measurement *belly, double *angle_deg, reha_error *err)
{
    double bins[BINS] = {0};
    double masses[2];
    tensor t = {.xx = reha_alloc((size_t)5 * COUNT * sizeof(float))};
    *angle_deg = (double)NAN;
    if (t.xx == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the direction of fascicles");
    }
    t.xy = t.xx + COUNT;
    t.yy = t.xy + COUNT;
    const double middle = middle_angle(belly);
    find_tensor(map, frame->box, &t);
    fill_bins(map, &t, frame->box, belly, middle, bins);
    const double up = find_peak(bins, 1.0, &masses[0]);
    const double down = find_peak(bins, -1.0, &masses[1]);
    if (fmax(masses[0], masses[1]) >= MASS_MIN) {
        *angle_deg = reha_muscle_wrap(middle + (masses[0] >= masses[1] ? up : -down));
    }
    reha_free(t.xx);
    return REHA_OK;
}

/* ---- The direction ---- */

static void set_pennation(reha_muscle_measurement *out)
{
    if (out->has_deep) {
        out->pennation_deg = fabs(reha_muscle_wrap(out->fascicle_angle_deg - out->deep_angle_deg));
    }
    if (out->has_superficial) {
        out->pennation_superficial_deg =
            fabs(reha_muscle_wrap(out->fascicle_angle_deg - out->superficial_angle_deg));
    }
}

reha_status reha_muscle_direction(const reha_gray *image, const reha_muscle_frame *frame,
                                  const float *fascicle, reha_muscle_segment *segments,
                                  reha_muscle_measurement *out, reha_error *err)
{
    double total = 0.0;
    double ridges_deg = (double)NAN;
    int count = 0;
    const reha_muscle_grid grid = {fascicle, SIDE, SIDE, frame->box};
    const double shortest = SEGMENT_LENGTH_MIN * hypot(frame->box.width_px, frame->box.height_px);
    for (size_t t = 0; t < sizeof FASCICLE_THRESHOLDS / sizeof FASCICLE_THRESHOLDS[0]; t++) {
        REHA_TRY(reha_muscle_find_segments(&grid, FASCICLE_THRESHOLDS[t], shortest, segments, &count, err));
        total = keep_in_belly(out, segments, &count);
        if (total >= LENGTH_GOOD * frame->box.width_px) {
            break;
        }
    }
    keep_one_side(out, segments, &count);
    REHA_TRY(find_ridges(fascicle, frame, out, &ridges_deg, err));
    if (image != NULL) {
        REHA_TRY(reha_muscle_texture(image, frame, out, &out->texture_angle_deg, &out->texture_share, err));
    }
    out->segment_count = count;
    const double pieces_deg = reha_muscle_median_angle(segments, count, &out->fascicle_spread_deg);
    if (!isnan(ridges_deg) || !isnan(pieces_deg)) {
        const bool is_faint = total < LENGTH_MIN * frame->box.width_px;
        out->direction_source = is_faint ? REHA_MUSCLE_DIRECTION_FAINT : REHA_MUSCLE_DIRECTION_FASCICLES;
        const double lean = isnan(ridges_deg) ? 1.0 : count / (count + PIECES_HALF);
        const double from = isnan(ridges_deg) ? pieces_deg : ridges_deg;
        const double apart = isnan(pieces_deg) ? 0.0 : reha_muscle_wrap(pieces_deg - from);
        out->fascicle_angle_deg = reha_muscle_wrap(from + lean * apart);
        out->fascicle_error_deg =
            count > 0 ? 1.2533 * out->fascicle_spread_deg / sqrt((double)count) : (double)NAN;
    } else if (!isnan(out->texture_angle_deg)) {
        out->direction_source = REHA_MUSCLE_DIRECTION_TEXTURE;
        out->fascicle_angle_deg = out->texture_angle_deg;
    }
    if (!isnan(out->fascicle_angle_deg)) {
        set_pennation(out);
    }
    return REHA_OK;
}
