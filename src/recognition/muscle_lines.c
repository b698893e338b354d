#include "recognition/muscle_lines.h"

#include "base/memory.h"
#include "recognition/sampling.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    SIDE = REHA_MUSCLE_MAP_PX,
    MIDDLE = SIDE / 2,
    COUNT = SIDE * SIDE,
    ROUNDS = 8,
    PIECES_MAX = 64,
    RUNS_MAX = 16
};
static const double DEG = 180.0 / 3.14159265358979323846;
static const double PIECE_COLUMNS_MIN = 0.05; /* of the box: shorter pieces of a band are specks */
static const double BAND_COLUMNS_MIN = 0.25;  /* a band seen in fewer columns is none */
static const double JOIN_DISTANCE = 0.035;    /* of the box's height: how far a piece may lie from the line */
static const double JOIN_SLOPE = 0.25;        /* difference of slopes of pieces of one line */
static const double ARM_MIN = 0.4;            /* of the strongest arm's probability: less is a spur */
static const double TUKEY = 4.685;
static const double SCALE_FLOOR_PX = 0.25;
static const double SEGMENT_STRAIGHT_MIN = 0.80;

double reha_muscle_curve_at(const reha_muscle_curve *curve, double x_px)
{
    const double u = (x_px - curve->x_middle) / curve->x_half;
    return curve->coefficients[0] + u * (curve->coefficients[1] + u * curve->coefficients[2]);
}

double reha_muscle_curve_slope_at(const reha_muscle_curve *curve, double x_px)
{
    const double u = (x_px - curve->x_middle) / curve->x_half;
    return (curve->coefficients[1] + 2.0 * u * curve->coefficients[2]) / curve->x_half;
}

double reha_muscle_angle_of_slope(double slope)
{
    return -DEG * atan(slope);
}

void reha_muscle_label(const float *map, int width, int height, double threshold, int *labels, int *queue,
                       int *count)
{
    memset(labels, 0, (size_t)width * (size_t)height * sizeof *labels);
    *count = 0;
    for (int start = 0; start < width * height; start++) {
        if (labels[start] != 0 || (double)map[start] <= threshold) {
            continue;
        }
        int head = 0;
        int tail = 0;
        queue[tail++] = start;
        labels[start] = ++*count;
        while (head < tail) {
            const int at = queue[head++];
            for (int k = 0; k < 9; k++) {
                const int x = at % width + k % 3 - 1;
                const int y = at / width + k / 3 - 1;
                const int next = y * width + x;
                if (x >= 0 && x < width && y >= 0 && y < height && labels[next] == 0 &&
                    (double)map[next] > threshold) {
                    labels[next] = *count;
                    queue[tail++] = next;
                }
            }
        }
    }
}

/* ---- Robust curves ---- */

/* Solves the 3 x 3 (or smaller) normal equations in place; false if singular. */
static bool solve(double m[3][4], int n)
{
    for (int i = 0; i < n; i++) {
        int pivot = i;
        for (int r = i + 1; r < n; r++) {
            pivot = fabs(m[r][i]) > fabs(m[pivot][i]) ? r : pivot;
        }
        if (fabs(m[pivot][i]) < 1e-9) {
            return false;
        }
        for (int c = 0; c < 4; c++) {
            const double keep = m[i][c];
            m[i][c] = m[pivot][c];
            m[pivot][c] = keep;
        }
        for (int r = 0; r < n; r++) {
            const double factor = r != i ? m[r][i] / m[i][i] : 0.0;
            for (int c = i; c < 4; c++) {
                m[r][c] -= factor * m[i][c];
            }
        }
    }
    for (int i = 0; i < n; i++) {
        m[i][3] /= m[i][i];
    }
    return true;
}

static bool fit_weighted(const double *u, const double *y, const double *w, int count, int terms, double *out)
{
    double m[3][4] = {{0}};
    assert(terms >= 1 && terms <= 3);
    for (int i = 0; i < count; i++) {
        const double powers[3] = {1.0, u[i], u[i] * u[i]};
        for (int r = 0; r < terms; r++) {
            for (int c = 0; c < terms; c++) {
                m[r][c] += w[i] * powers[r] * powers[c];
            }
            m[r][3] += w[i] * powers[r] * y[i];
        }
    }
    /* terms < 3: the right side stands in column 3 either way */
    if (!solve(m, terms)) {
        return false;
    }
    for (int r = 0; r < 3; r++) {
        out[r] = r < terms ? m[r][3] : 0.0;
    }
    return true;
}

/* Iteratively re-weighted with Tukey's biweight: stray columns lose their say. Returns the robust SD. */
static double fit_robust(const double *u, const double *y, int count, int terms, double *out)
{
    static const double middle[1] = {50.0};
    double weights[SIDE];
    float sizes[SIDE];
    double scale = SCALE_FLOOR_PX;
    for (int i = 0; i < count; i++) {
        weights[i] = 1.0;
    }
    out[0] = out[1] = out[2] = 0.0;
    for (int round = 0; round < ROUNDS; round++) {
        if (!fit_weighted(u, y, weights, count, terms, out)) {
            return scale;
        }
        double median = 0.0;
        for (int i = 0; i < count; i++) {
            sizes[i] = (float)fabs(y[i] - out[0] - u[i] * (out[1] + u[i] * out[2]));
        }
        reha_select_percentiles(sizes, (size_t)count, middle, 1, &median);
        scale = fmax(SCALE_FLOOR_PX, 1.4826 * median);
        for (int i = 0; i < count; i++) {
            const double r = fabs(y[i] - out[0] - u[i] * (out[1] + u[i] * out[2])) / (TUKEY * scale);
            weights[i] = r < 1.0 ? (1.0 - r * r) * (1.0 - r * r) : 0.0;
        }
    }
    return scale;
}

/* ---- Aponeuroses ---- */

typedef struct trace { /* the boundaries of one band, in map rows; NaN where it is not */
    double top[SIDE], bottom[SIDE];
    double most[SIDE]; /* highest probability */
    int columns, from, to;
    double slope, middle; /* of a plain line through the centres: y at column SIDE / 2 */
    bool is_used;
} trace;

/* The row at which the probability crosses the threshold, between two cells. */
static double crossing(const float *map, int x, int inside, int outside, double threshold)
{
    if (outside < 0 || outside >= SIDE) {
        return inside + 0.5 * (outside - inside);
    }
    const double in = (double)map[inside * SIDE + x];
    const double out = (double)map[outside * SIDE + x];
    const double share = in > out ? (in - threshold) / (in - out) : 0.5;
    return inside + fmin(1.0, fmax(0.0, share)) * (outside - inside);
}

static void describe(trace *t)
{
    double sx = 0.0, sy = 0.0, sxx = 0.0, sxy = 0.0;
    t->columns = 0;
    t->from = SIDE;
    t->to = -1;
    for (int x = 0; x < SIDE; x++) {
        if (isnan(t->top[x])) {
            continue;
        }
        const double y = 0.5 * (t->top[x] + t->bottom[x]);
        const double u = x - MIDDLE;
        t->columns++;
        t->from = x < t->from ? x : t->from;
        t->to = x;
        sx += u;
        sy += y;
        sxx += u * u;
        sxy += u * y;
    }
    const double n = t->columns;
    const double spread = sxx - sx * sx / fmax(1.0, n);
    t->slope = spread > 1e-9 ? (sxy - sx * sy / n) / spread : 0.0;
    t->middle = n > 0.0 ? (sy - t->slope * sx) / n : 0.0;
}

/* In each column the runs of a piece. Where a band forks, the belly lies outside of the fork: its upper arm
 * bounds the muscle above, its lower arm the one below, and so each edge follows its own arm. Arms that are
 * thin against the strongest one are spurs. */
static void trace_piece(const float *map, const int *labels, int label, double threshold, trace *out)
{
    for (int x = 0; x < SIDE; x++) {
        int first[RUNS_MAX];
        int last[RUNS_MAX];
        double sums[RUNS_MAX];
        double best = 0.0;
        int count = 0;
        out->top[x] = out->bottom[x] = (double)NAN;
        out->most[x] = 0.0;
        for (int y = 0; y < SIDE && count < RUNS_MAX; y++) {
            if (labels[y * SIDE + x] != label) {
                continue;
            }
            first[count] = y;
            sums[count] = 0.0;
            for (; y < SIDE && labels[y * SIDE + x] == label; y++) {
                sums[count] += (double)map[y * SIDE + x];
                out->most[x] = fmax(out->most[x], (double)map[y * SIDE + x]);
            }
            last[count] = y - 1;
            best = fmax(best, sums[count++]);
        }
        for (int i = 0; i < count; i++) {
            if (sums[i] < ARM_MIN * best) {
                continue;
            }
            if (isnan(out->top[x])) {
                out->top[x] = crossing(map, x, first[i], first[i] - 1, threshold);
            }
            out->bottom[x] = crossing(map, x, last[i], last[i] + 1, threshold);
        }
    }
    describe(out);
}

static bool is_continuation(const trace *line, const trace *piece)
{
    const int gap_from = piece->from > line->from ? piece->from : line->from;
    const int gap_to = piece->to < line->to ? piece->to : line->to;
    if (gap_to - gap_from > SIDE / 20) {
        return false; /* beside each other, not one after the other */
    }
    const double u = 0.5 * (piece->from + piece->to) - MIDDLE;
    const double off = piece->middle + piece->slope * u - (line->middle + line->slope * u);
    return fabs(off) < JOIN_DISTANCE * SIDE && fabs(piece->slope - line->slope) < JOIN_SLOPE;
}

static void join(trace *line, const trace *piece)
{
    for (int x = 0; x < SIDE; x++) {
        if (isnan(line->top[x])) {
            line->top[x] = piece->top[x];
            line->bottom[x] = piece->bottom[x];
            line->most[x] = piece->most[x];
        }
    }
    describe(line);
}

static void fit_edge(const trace *t, const double *rows, reha_box_px box, reha_muscle_curve *out)
{
    double u[SIDE];
    double y[SIDE];
    double line[3];
    int count = 0;
    const double step_x = box.width_px / SIDE;
    const double step_y = box.height_px / SIDE;
    out->x_middle = box.x_px + 0.5 * box.width_px - 0.5;
    out->x_half = 0.5 * box.width_px;
    for (int x = 0; x < SIDE; x++) {
        if (!isnan(rows[x])) {
            u[count] = (box.x_px + (x + 0.5) * step_x - 0.5 - out->x_middle) / out->x_half;
            y[count++] = box.y_px + (rows[x] + 0.5) * step_y - 0.5;
        }
    }
    (void)fit_robust(u, y, count, 2, line);
    out->slope = line[1] / out->x_half;
    /* Bending is only trusted where nearly all of the line was seen: it runs away where it was not. */
    out->residual_px = fit_robust(u, y, count, t->columns > 7 * SIDE / 10 ? 3 : 2, out->coefficients);
    out->x_from_px = box.x_px + t->from * step_x;
    out->x_to_px = box.x_px + (t->to + 1) * step_x;
    out->coverage = (double)t->columns / SIDE;
}

static void sort_by_columns(trace *pieces, int count)
{
    for (int i = 1; i < count; i++) {
        const trace keep = pieces[i];
        int at = i;
        for (; at > 0 && pieces[at - 1].columns < keep.columns; at--) {
            pieces[at] = pieces[at - 1];
        }
        pieces[at] = keep;
    }
}

static int collect_pieces(const float *map, const int *labels, int label_count, double threshold,
                          trace *pieces)
{
    int count = 0;
    for (int label = 1; label <= label_count && count < PIECES_MAX; label++) {
        trace_piece(map, labels, label, threshold, &pieces[count]);
        pieces[count].is_used = false;
        count += pieces[count].columns >= (int)(PIECE_COLUMNS_MIN * SIDE) ? 1 : 0;
    }
    sort_by_columns(pieces, count);
    return count;
}

static void insert_band(const trace *line, reha_box_px box, reha_muscle_band *out, int *count)
{
    reha_muscle_band band;
    fit_edge(line, line->top, box, &band.edges[REHA_MUSCLE_UPPER_EDGE]);
    fit_edge(line, line->bottom, box, &band.edges[REHA_MUSCLE_LOWER_EDGE]);
    const double middle = band.edges[0].x_middle;
    band.y_middle_px =
        0.5 * (reha_muscle_curve_at(&band.edges[0], middle) + reha_muscle_curve_at(&band.edges[1], middle));
    band.strength = 0.0;
    for (int x = 0; x < SIDE; x++) {
        band.strength += line->most[x] / SIDE;
    }
    int at = (*count)++;
    for (; at > 0 && out[at - 1].y_middle_px > band.y_middle_px; at--) {
        out[at] = out[at - 1];
    }
    out[at] = band;
}

reha_status reha_muscle_find_bands(const float *map, reha_box_px box, double threshold, reha_muscle_band *out,
                                   int *count, reha_error *err)
{
    int *work = reha_alloc((size_t)2 * COUNT * sizeof *work);
    trace *pieces = reha_alloc(((size_t)PIECES_MAX + 1) * sizeof *pieces);
    *count = 0;
    if (work == NULL || pieces == NULL) {
        reha_free(work);
        reha_free(pieces);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the lines of a picture");
    }
    int label_count = 0;
    reha_muscle_label(map, SIDE, SIDE, threshold, work, work + COUNT, &label_count);
    const int piece_count = collect_pieces(map, work, label_count, threshold, pieces);
    for (int i = 0; i < piece_count && *count < REHA_MUSCLE_CURVES_MAX; i++) {
        if (pieces[i].is_used) {
            continue;
        }
        for (int k = i + 1; k < piece_count; k++) {
            if (!pieces[k].is_used && is_continuation(&pieces[i], &pieces[k])) {
                join(&pieces[i], &pieces[k]);
                pieces[k].is_used = true;
            }
        }
        if (pieces[i].columns >= (int)(BAND_COLUMNS_MIN * SIDE)) {
            insert_band(&pieces[i], box, out, count);
        }
    }
    reha_free(work);
    reha_free(pieces);
    return REHA_OK;
}

/* ---- Fascicles ---- */

typedef struct moments {
    double n, x, y, xx, xy, yy;
} moments;

/* Angle and length of the even line that has these moments. */
static reha_muscle_segment segment_of(const moments *m, const reha_muscle_grid *grid)
{
    const double step_x = grid->box.width_px / grid->width;
    const double step_y = grid->box.height_px / grid->height;
    const double mean_x = m->x / m->n;
    const double mean_y = m->y / m->n;
    const double xx = (m->xx / m->n - mean_x * mean_x) * step_x * step_x;
    const double yy = (m->yy / m->n - mean_y * mean_y) * step_y * step_y;
    const double xy = (m->xy / m->n - mean_x * mean_y) * step_x * step_y;
    const double half = 0.5 * (xx + yy);
    const double root = sqrt(0.25 * (xx - yy) * (xx - yy) + xy * xy);
    const double large = half + root;
    const double small = fmax(0.0, half - root);
    return (reha_muscle_segment){.centre = {grid->box.x_px + (mean_x + 0.5) * step_x - 0.5,
                                            grid->box.y_px + (mean_y + 0.5) * step_y - 0.5},
                                 .angle_deg = -0.5 * DEG * atan2(2.0 * xy, xx - yy),
                                 .length_px = sqrt(12.0 * large),
                                 .straightness = large > 0.0 ? 1.0 - small / large : 0.0};
}

static void add_moments(const reha_muscle_grid *grid, const int *labels, moments *sums)
{
    for (int i = 0; i < grid->width * grid->height; i++) {
        if (labels[i] != 0) {
            moments *m = &sums[labels[i]];
            const double w = (double)grid->map[i];
            const int row = i / grid->width;
            const double x = i % grid->width;
            const double y = row;
            m->n += w;
            m->x += w * x;
            m->y += w * y;
            m->xx += w * x * x;
            m->xy += w * x * y;
            m->yy += w * y * y;
        }
    }
}

reha_status reha_muscle_find_segments(const reha_muscle_grid *grid, double threshold, double length_min_px,
                                      reha_muscle_segment *out, int *count, reha_error *err)
{
    reha_status status = REHA_OK;
    moments *sums = NULL;
    int label_count = 0;
    const size_t cells = (size_t)grid->width * (size_t)grid->height;
    int *work = reha_alloc(2 * cells * sizeof *work);
    *count = 0;
    if (work == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the lines of a picture");
    }
    reha_muscle_label(grid->map, grid->width, grid->height, threshold, work, work + cells, &label_count);
    sums = reha_alloc_zero((size_t)label_count + 1, sizeof *sums);
    if (sums == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the lines of a picture");
        goto done;
    }
    add_moments(grid, work, sums);
    for (int label = 1; label <= label_count && *count < REHA_MUSCLE_SEGMENTS_MAX; label++) {
        const reha_muscle_segment segment = segment_of(&sums[label], grid);
        if (segment.length_px >= length_min_px && segment.straightness >= SEGMENT_STRAIGHT_MIN) {
            out[(*count)++] = segment;
        }
    }
done:
    reha_free(sums);
    reha_free(work);
    return status;
}
