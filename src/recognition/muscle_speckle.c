#include "recognition/muscle_speckle.h"

#include "base/memory.h"
#include "recognition/sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    TAPS_MAX = 64,
    REACH_MAX = TAPS_MAX / 2 - 1,
    RUN = 128,
    WINDOW_MAX_PX = 320,
    LAGS = 3,
    PIXELS_MIN = 1500,
    LEVEL_PIXELS_MIN = 40
};
static const double DEG = 180.0 / 3.14159265358979323846;
static const double ALONG_RATIO = 0.06; /* of the thickness: fascicles stay, grain goes */
static const double ALONG_MIN_PX = 3.0, ALONG_MAX_PX = 10.0;
static const double BROAD_RATIO = 0.15; /* of the thickness: the trend of the gain over depth */
static const double SD_FLOOR = 0.004;   /* grey steps of an 8 bit picture */
static const double SIGMA_MIN_PX = 0.45, SIGMA_MAX_PX = 6.0;

/* ---- smoothing ---- */

void reha_speckle_smooth_along(const float *in, int width, int height, double fascicle_deg, double sigma_px,
                               float *out)
{
    double weight[TAPS_MAX] = {0};
    double dx[TAPS_MAX] = {0}, dy[TAPS_MAX] = {0};
    const double step = fmax(1.0, 0.4 * sigma_px);
    const int reach = (int)fmin(REACH_MAX, ceil(2.0 * sigma_px / step));
    double total = 0.0;
    for (int k = -reach; k <= reach; k++) {
        const double at = k * step;
        weight[k + reach] = exp(-0.5 * at * at / (sigma_px * sigma_px));
        dx[k + reach] = at * cos(fascicle_deg / DEG);
        dy[k + reach] = -at * sin(fascicle_deg / DEG);
        total += weight[k + reach];
    }
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            double sum = 0.0;
            for (int k = 0; k <= 2 * reach; k++) {
                const double sx = fmin(width - 1.001, fmax(0.0, x + dx[k]));
                const double sy = fmin(height - 1.001, fmax(0.0, y + dy[k]));
                const int ix = (int)sx;
                const int iy = (int)sy;
                const double fx = sx - ix;
                const double fy = sy - iy;
                const float *at = in + (size_t)iy * (size_t)width + ix;
                sum += weight[k] * ((1.0 - fy) * ((1.0 - fx) * (double)at[0] + fx * (double)at[1]) +
                                    fy * ((1.0 - fx) * (double)at[width] + fx * (double)at[width + 1]));
            }
            out[(size_t)y * (size_t)width + (size_t)x] = (float)(sum / total);
        }
    }
}

/* A run of columns at a time, row by row: along columns alone every step would miss the cache. */
static void smooth_rows(const float *in, int width, int height, const double *weight, int reach, float *out)
{
    double sum[RUN];
    for (int y = 0; y < height; y++) {
        const float *row = in + (size_t)y * (size_t)width;
        for (int x0 = 0; x0 < width; x0 += RUN) {
            const int run = width - x0 < RUN ? width - x0 : RUN;
            memset(sum, 0, sizeof sum);
            for (int k = -reach; k <= reach; k++) {
                const double w = weight[k + reach];
                const int first = x0 + k < 0 ? -x0 - k : 0; /* the first within the row */
                const int past = width - x0 - k;            /* one past the last */
                int j = 0;
                for (; j < run && j < first; j++) {
                    sum[j] += w * (double)row[0];
                }
                for (; j < run && j < past; j++) {
                    sum[j] += w * (double)row[x0 + j + k];
                }
                for (; j < run; j++) {
                    sum[j] += w * (double)row[width - 1];
                }
            }
            for (int j = 0; j < run; j++) {
                out[(size_t)y * (size_t)width + (size_t)(x0 + j)] = (float)sum[j];
            }
        }
    }
}

static void smooth_columns(const float *in, int width, int height, const double *weight, int reach,
                           float *out)
{
    double sum[RUN];
    for (int y = 0; y < height; y++) {
        for (int x0 = 0; x0 < width; x0 += RUN) {
            const int run = width - x0 < RUN ? width - x0 : RUN;
            memset(sum, 0, sizeof sum);
            for (int k = -reach; k <= reach; k++) {
                const int at = y + k < 0 ? 0 : y + k >= height ? height - 1 : y + k;
                const float *row = in + (size_t)at * (size_t)width + x0;
                for (int j = 0; j < run; j++) {
                    sum[j] += weight[k + reach] * (double)row[j];
                }
            }
            for (int j = 0; j < run; j++) {
                out[(size_t)y * (size_t)width + (size_t)(x0 + j)] = (float)sum[j];
            }
        }
    }
}

static int gaussian(double sigma, double *weight)
{
    double total = 0.0;
    const int reach = (int)fmin(REACH_MAX, ceil(3.0 * sigma));
    for (int k = -reach; k <= reach; k++) {
        weight[k + reach] = exp(-0.5 * k * k / (sigma * sigma));
        total += weight[k + reach];
    }
    for (int k = 0; k <= 2 * reach; k++) {
        weight[k] /= total;
    }
    return reach;
}

void reha_speckle_smooth(const float *in, int width, int height, double sigma_x_px, double sigma_y_px,
                         float *scratch, float *out)
{
    double weight[TAPS_MAX] = {0};
    int reach = gaussian(sigma_x_px, weight);
    smooth_rows(in, width, height, weight, reach, scratch);
    reach = gaussian(sigma_y_px, weight);
    smooth_columns(scratch, width, height, weight, reach, out);
}

/* ---- measuring ---- */

typedef struct window { /* the middle of the belly with its surroundings, grey 0..1 */
    int width, height, x0, y0;
    float *grey, *structure, *broad, *scratch; /* one block */
    uint8_t *inside;
    size_t inside_count;
} window;

static void window_clear(window *w)
{
    reha_free(w->grey);
    reha_free(w->inside);
}

static reha_status window_new(const reha_gray *image, const reha_muscle_frame *frame,
                              const reha_injury_belly *belly, window *w, reha_error *err)
{
    const double middle = 0.5 * (belly->deep[0].x_px + belly->deep[REHA_INJURY_CURVE - 1].x_px);
    const double half =
        fmin(0.5 * WINDOW_MAX_PX, 0.5 * (belly->deep[REHA_INJURY_CURVE - 1].x_px - belly->deep[0].x_px));
    const double centre_y = 0.5 * (reha_injury_top(belly, middle) + reha_injury_bottom(belly, middle));
    const double half_y = fmin(0.5 * WINDOW_MAX_PX, 0.75 * belly->thickness_px + 8.0);
    w->x0 = (int)fmax(fmax(0.0, frame->box.x_px), middle - half);
    w->y0 = (int)fmax(fmax(0.0, frame->box.y_px), centre_y - half_y);
    const double x1 = fmin(fmin(image->width_px, frame->box.x_px + frame->box.width_px), middle + half);
    const double y1 = fmin(fmin(image->height_px, frame->box.y_px + frame->box.height_px), centre_y + half_y);
    w->width = (int)x1 - w->x0;
    w->height = (int)y1 - w->y0;
    if (w->width < 16 || w->height < 16) {
        return reha_fail(err, REHA_E_REFUSED, "too little of the muscle belly is visible");
    }
    const size_t count = (size_t)w->width * (size_t)w->height;
    w->grey = reha_alloc(4 * count * sizeof *w->grey);
    w->inside = reha_alloc_zero(count, 1);
    if (w->grey == NULL || w->inside == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the speckle of a picture");
    }
    w->structure = w->grey + count;
    w->broad = w->structure + count;
    w->scratch = w->broad + count;
    const double range = fmax(1e-6, frame->high - frame->low);
    const double margin = 0.08 * belly->thickness_px;
    for (int y = 0; y < w->height; y++) {
        for (int x = 0; x < w->width; x++) {
            const size_t at = (size_t)y * (size_t)w->width + (size_t)x;
            const float v = reha_gray_at(image, (uint32_t)(w->x0 + x), (uint32_t)(w->y0 + y));
            w->grey[at] = (float)(((double)v - frame->low) / range);
            w->inside[at] = reha_injury_depth(belly, (reha_point_px){w->x0 + x, w->y0 + y}) > margin ? 1 : 0;
            w->inside_count += w->inside[at];
        }
    }
    return w->inside_count >= PIXELS_MIN
               ? REHA_OK
               : reha_fail(err, REHA_E_REFUSED, "too little of the muscle belly is visible");
}

static int level_of(double grey)
{
    const double at = grey * REHA_SPECKLE_LEVELS;
    return at < 0.0 ? 0 : at >= REHA_SPECKLE_LEVELS ? REHA_SPECKLE_LEVELS - 1 : (int)at;
}

/* SD by level; levels that hardly occur take the nearest one that does. */
static void measure_levels(const window *w, reha_speckle *out)
{
    double sum[REHA_SPECKLE_LEVELS] = {0};
    size_t count[REHA_SPECKLE_LEVELS] = {0};
    for (size_t i = 0; i < (size_t)w->width * (size_t)w->height; i++) {
        if (w->inside[i] != 0) {
            const double grain = (double)(w->grey[i] - w->structure[i]);
            const int level = level_of((double)w->structure[i]);
            sum[level] += grain * grain;
            count[level]++;
        }
    }
    for (int l = 0; l < REHA_SPECKLE_LEVELS; l++) {
        int nearest = -1;
        for (int k = 0; k < REHA_SPECKLE_LEVELS; k++) {
            if (count[k] >= LEVEL_PIXELS_MIN && (nearest < 0 || abs(k - l) < abs(nearest - l))) {
                nearest = k;
            }
        }
        out->level_sd[l] =
            nearest < 0 ? SD_FLOOR : fmax(SD_FLOOR, sqrt(sum[nearest] / (double)count[nearest]));
    }
}

/* The intensity of a field whose amplitude was smoothed by a Gaussian pulse of SD s is correlated as
 * exp(-d^2 / (2 s^2)) at distance d. */
static double sigma_along(const window *w, int dx, int dy)
{
    double both[LAGS + 1] = {0};
    double count[LAGS + 1] = {0};
    double best = SIGMA_MIN_PX;
    double weight = 0.0, sum = 0.0;
    for (int y = 0; y < w->height - LAGS * dy; y++) {
        for (int x = 0; x < w->width - LAGS * dx; x++) {
            const size_t at = (size_t)y * (size_t)w->width + (size_t)x;
            for (int lag = 0; w->inside[at] != 0 && lag <= LAGS; lag++) {
                const size_t other = at + (size_t)lag * ((size_t)dy * (size_t)w->width + (size_t)dx);
                if (w->inside[other] != 0) {
                    both[lag] += (double)(w->grey[at] - w->structure[at]) *
                                 (double)(w->grey[other] - w->structure[other]);
                    count[lag] += 1.0;
                }
            }
        }
    }
    for (int lag = 1; lag <= LAGS; lag++) {
        const double r = both[lag] / fmax(1.0, count[lag]) / fmax(1e-12, both[0] / fmax(1.0, count[0]));
        if (r > 0.2 && r < 0.999) {
            sum += r * sqrt(lag * lag / (-2.0 * log(r)));
            weight += r;
        }
    }
    best = weight > 0.0 ? sum / weight : best;
    return fmin(SIGMA_MAX_PX, fmax(SIGMA_MIN_PX, best));
}

/* Quantiles of the grain over its SD and of the structure. scratch holds the values that are sorted. */
static void measure_distribution(window *w, reha_speckle *out)
{
    static const double levels[3] = {5.0, 50.0, 95.0};
    double percentiles[REHA_SPECKLE_QUANTILES];
    double values[REHA_SPECKLE_QUANTILES];
    double squares = 0.0;
    size_t n = 0;
    for (int k = 0; k < REHA_SPECKLE_QUANTILES; k++) {
        percentiles[k] = 100.0 * (k + 0.25) / (REHA_SPECKLE_QUANTILES - 0.5);
    }
    for (size_t i = 0; i < (size_t)w->width * (size_t)w->height; i++) {
        if (w->inside[i] != 0) {
            const double broad = (double)(w->structure[i] - w->broad[i]);
            squares += broad * broad;
            w->scratch[n++] = (float)((double)(w->grey[i] - w->structure[i]) /
                                      reha_speckle_sd(out, (double)w->structure[i]));
        }
    }
    out->structure_sd = sqrt(squares / (double)n);
    reha_select_percentiles(w->scratch, n, percentiles, REHA_SPECKLE_QUANTILES, values);
    for (int k = 0; k < REHA_SPECKLE_QUANTILES; k++) {
        out->quantiles[k] = (float)values[k];
    }
    n = 0;
    for (size_t i = 0; i < (size_t)w->width * (size_t)w->height; i++) {
        if (w->inside[i] != 0) {
            w->scratch[n++] = w->structure[i];
        }
    }
    reha_select_percentiles(w->scratch, n, levels, 3, values);
    out->low = values[0];
    out->middle = values[1];
    out->high = values[2];
}

reha_status reha_speckle_measure(const reha_gray *image, const reha_muscle_frame *frame,
                                 const reha_injury_belly *belly, reha_speckle *out, reha_error *err)
{
    reha_status status = REHA_OK;
    window w = {0};
    *out = (reha_speckle){0};
    REHA_CHECK(window_new(image, frame, belly, &w, err));
    out->along_px = fmin(ALONG_MAX_PX, fmax(ALONG_MIN_PX, ALONG_RATIO * belly->thickness_px));
    reha_speckle_smooth_along(w.grey, w.width, w.height, belly->fascicle_deg, out->along_px, w.structure);
    const double broad = fmin(BROAD_RATIO * belly->thickness_px, TAPS_MAX / 6.0 - 1.0);
    reha_speckle_smooth(w.structure, w.width, w.height, broad, broad, w.scratch, w.broad);
    measure_levels(&w, out);
    out->sigma_x_px = sigma_along(&w, 1, 0);
    out->sigma_y_px = sigma_along(&w, 0, 1);
    measure_distribution(&w, out);
done:
    window_clear(&w);
    return status;
}

double reha_speckle_sd(const reha_speckle *speckle, double level)
{
    const double at = fmin(REHA_SPECKLE_LEVELS - 1.0, fmax(0.0, level * REHA_SPECKLE_LEVELS - 0.5));
    const int i = at >= REHA_SPECKLE_LEVELS - 1 ? REHA_SPECKLE_LEVELS - 2 : (int)at;
    return speckle->level_sd[i] + (at - i) * (speckle->level_sd[i + 1] - speckle->level_sd[i]);
}

/* ---- making ---- */

/* A Gaussian's squared modulus is exponentially distributed: its own distribution function makes it even over
 * 0..1, and the picture's quantiles make it the picture's. */
void reha_speckle_field(const reha_speckle *speckle, int width, int height, reha_random *random,
                        float *scratch, float *out)
{
    const size_t count = (size_t)width * (size_t)height;
    double power = 0.0;
    for (size_t i = 0; i < count; i++) {
        out[i] = (float)reha_random_normal(random);
        scratch[i] = (float)reha_random_normal(random);
    }
    reha_speckle_smooth(out, width, height, speckle->sigma_x_px, speckle->sigma_y_px, scratch + count, out);
    reha_speckle_smooth(scratch, width, height, speckle->sigma_x_px, speckle->sigma_y_px, scratch + count,
                        scratch);
    for (size_t i = 0; i < count; i++) {
        out[i] = out[i] * out[i] + scratch[i] * scratch[i];
        power += (double)out[i];
    }
    const double mean = fmax(1e-20, power / (double)count);
    for (size_t i = 0; i < count; i++) {
        const double even = 1.0 - exp(-(double)out[i] / mean);
        const double at =
            fmin(REHA_SPECKLE_QUANTILES - 1.001, fmax(0.0, even * REHA_SPECKLE_QUANTILES - 0.5));
        const int k = (int)at;
        out[i] = (float)((double)speckle->quantiles[k] +
                         (at - k) * (double)(speckle->quantiles[k + 1] - speckle->quantiles[k]));
    }
}
