#include "recognition/t2_noise.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { STARTS = 60, ROUNDS_MAX = 100, VOXELS_MIN = 400, SAMPLED_MAX = 200000 };
static const double Z_99 = 2.5758;          /* bracket of 99 % of noise voxels */
static const double RAYLEIGH_CV = 0.5227;   /* standard deviation over mean */
static const double CV_TOLERANCE = 0.12;    /* relative */
static const double DECAY_TOLERANCE = 0.10; /* last echo against the first one, relative */
static const double SHARE_MIN = 0.002;      /* of all voxels */

/* Quantile of chi-squared over its mean (Wilson and Hilferty 1931). */
static double chi_ratio(double freedom, double z)
{
    const double c = 2.0 / (9.0 * freedom);
    const double root = 1.0 - c + z * sqrt(c);
    return root * root * root;
}

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a;
    const float y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Mean power over the echoes, halved: sigma squared where there is nothing but noise. NaN: not to be used, as
 * where the scanner or a mask has put zeros. */
static float power_of(const reha_volume *const *echoes, size_t count, size_t voxel)
{
    double sum = 0.0;
    size_t zeros = 0;
    for (size_t e = 0; e < count; e++) {
        const double value = (double)echoes[e]->voxels[voxel];
        sum += value * value;
        zeros += value == 0.0 ? 1 : 0;
    }
    return zeros * 2 > count || !isfinite(sum) ? NAN : (float)(sum / (2.0 * (double)count));
}

static size_t lower_bound(const float *sorted, size_t count, double value)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if ((double)sorted[middle] < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* From a start to the variance that its own bracket gives back; 0 if it runs empty. */
static double settle(const float *sorted, size_t count, double freedom, double variance, size_t *inside)
{
    const double low_ratio = chi_ratio(freedom, -Z_99);
    const double high_ratio = chi_ratio(freedom, Z_99);
    const double median_ratio = chi_ratio(freedom, 0.0);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        const size_t from = lower_bound(sorted, count, variance * low_ratio);
        const size_t to = lower_bound(sorted, count, variance * high_ratio);
        *inside = to - from;
        if (*inside < VOXELS_MIN) {
            return 0.0;
        }
        const double next = (double)sorted[from + *inside / 2] / median_ratio;
        const bool is_settled = fabs(next / variance - 1.0) < 1e-6;
        variance = next;
        if (is_settled) {
            break;
        }
    }
    return variance;
}

/* Do the voxels of this bracket look like noise: no decay, scatter of Rayleigh? */
static bool is_noise(const reha_volume *const *echoes, size_t count, size_t stride, double variance)
{
    const double freedom = 2.0 * (double)count;
    const double low = variance * chi_ratio(freedom, -Z_99);
    const double high = variance * chi_ratio(freedom, Z_99);
    const size_t voxels = reha_volume_count(echoes[0]);
    const size_t half = count / 2;
    double sum = 0.0;
    double squares = 0.0;
    double early = 0.0;
    double late = 0.0;
    size_t samples = 0;
    for (size_t v = 0; v < voxels; v += stride) {
        const double power = (double)power_of(echoes, count, v);
        if (!(power >= low && power <= high)) {
            continue;
        }
        for (size_t e = 0; e < count; e++) {
            const double value = (double)echoes[e]->voxels[v];
            sum += value;
            squares += value * value;
            early += e < half ? value : 0.0;
            late += e >= count - half ? value : 0.0;
        }
        samples += count;
    }
    const double mean = sum / (double)samples;
    const double cv = sqrt(fmax(squares / (double)samples - mean * mean, 0.0)) / mean;
    return fabs(cv / RAYLEIGH_CV - 1.0) <= CV_TOLERANCE && fabs(late / early - 1.0) <= DECAY_TOLERANCE;
}

static size_t collect(const reha_volume *const *echoes, size_t count, size_t stride, float *out)
{
    const size_t voxels = reha_volume_count(echoes[0]);
    size_t used = 0;
    for (size_t v = 0; v < voxels; v += stride) {
        const float power = power_of(echoes, count, v);
        if (power > 0.0F) {
            out[used++] = power;
        }
    }
    qsort(out, used, sizeof *out, compare_floats);
    return used;
}

static double try_starts(const reha_volume *const *echoes, size_t count, size_t stride, const float *sorted,
                         size_t used, size_t *best_inside)
{
    const double freedom = 2.0 * (double)count;
    const double lowest = log((double)sorted[used / 1000]);
    const double highest = log((double)sorted[used - 1]);
    double best = 0.0;
    double last = 0.0;
    *best_inside = 0;
    for (int s = 0; s < STARTS; s++) {
        size_t inside = 0;
        const double from = exp(lowest + (highest - lowest) * s / (STARTS - 1.0));
        const double variance = settle(sorted, used, freedom, from, &inside);
        if (variance <= 0.0 || fabs(variance / (last > 0.0 ? last : 1e300) - 1.0) < 1e-4) {
            continue;
        }
        last = variance;
        if (inside > *best_inside && (double)inside >= SHARE_MIN * (double)used &&
            is_noise(echoes, count, stride, variance)) {
            best = variance;
            *best_inside = inside;
        }
    }
    return best;
}

reha_status reha_t2_find_noise(const reha_volume *const *echoes, size_t count, reha_t2_noise *out,
                               reha_error *err)
{
    *out = (reha_t2_noise){0};
    if (count < 2) {
        (void)snprintf(out->reason, sizeof out->reason, "noise is judged over echoes, and there is one only");
        return REHA_OK;
    }
    const size_t voxels = reha_volume_count(echoes[0]);
    const size_t stride = voxels / SAMPLED_MAX + 1;
    float *powers = reha_alloc((voxels / stride + 1) * sizeof *powers);
    if (powers == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the noise of %zu voxels", voxels);
    }
    const size_t used = collect(echoes, count, stride, powers);
    size_t inside = 0;
    const double variance =
        used >= VOXELS_MIN ? try_starts(echoes, count, stride, powers, used, &inside) : 0.0;
    reha_free(powers);
    if (variance > 0.0) {
        out->sigma = sqrt(variance);
        out->voxels = inside * stride;
    } else {
        (void)snprintf(out->reason, sizeof out->reason, "%s",
                       "the images show no air with plain noise (it is cut off, masked to 0, filtered, or of "
                       "several coils)");
    }
    return REHA_OK;
}
