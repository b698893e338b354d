#include "recognition/t2_map.h"

#include "base/memory.h"
#include "base/threads.h"
#include "image/statistics.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double SNR_MIN = 5.0;
static const double SAME_GRID_VOX = 0.1;

typedef struct job {
    const reha_volume *const *echoes; /* used ones */
    reha_t2_map *map;
    float *first_ratios; /* NaN: not fitted */
    size_t row_voxels;
} job;

static reha_status check(const reha_volume *const *echoes, const double *echo_ms, size_t count,
                         bool skip_first, reha_error *err)
{
    const size_t least = REHA_T2_ECHOES_MIN + (skip_first ? 1u : 0u);
    if (count < least || count > REHA_T2_ECHOES_MAX) {
        return reha_fail(err, REHA_E_FORMAT,
                         "T2 needs %zu to %d echoes%s, and there %s %zu: give a multi-echo series", least,
                         REHA_T2_ECHOES_MAX, skip_first ? " (the first one is left out)" : "",
                         count == 1 ? "is" : "are", count);
    }
    for (size_t e = 0; e < count; e++) {
        if (!(echo_ms[e] > 0.0 && echo_ms[e] < 1e4) || (e > 0 && !(echo_ms[e] > echo_ms[e - 1]))) {
            return reha_fail(err, REHA_E_FORMAT,
                             "echo %zu has the echo time %g ms; they must be above 0 and rise", e + 1,
                             echo_ms[e]);
        }
        if (!reha_volume_same_grid(echoes[0], echoes[e], SAME_GRID_VOX)) {
            return reha_fail(err, REHA_E_FORMAT, "echo %zu lies elsewhere in the patient than echo 1", e + 1);
        }
    }
    return REHA_OK;
}

/* Brightest value but for a few outliers; slices that are missing (NaN) left out. */
static reha_status find_top(const reha_volume *echo, float *out, reha_error *err)
{
    const double fractions[1] = {0.999};
    const size_t count = reha_volume_count(echo);
    size_t used = 0;
    float *values = reha_alloc(count * sizeof *values);
    *out = 0.0F;
    if (values == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a threshold");
    }
    for (size_t v = 0; v < count; v++) {
        if (!isnan(echo->voxels[v])) {
            values[used++] = echo->voxels[v];
        }
    }
    const reha_status status = used > 0 ? reha_percentiles(values, used, fractions, 1, out, err) : REHA_OK;
    reha_free(values);
    return status;
}

/* Where the noise is unknown: the threshold between two classes of brightness (Otsu 1979). */
static reha_status dark_threshold(const reha_volume *echo, double *out, reha_error *err)
{
    enum { BINS = 512 };
    double histogram[BINS] = {0};
    const size_t count = reha_volume_count(echo);
    float top = 0.0F;
    double all = 0.0;
    double all_sum = 0.0;
    double best = -1.0;
    REHA_TRY(find_top(echo, &top, err));
    *out = 0.0;
    if (!(top > 0.0F)) {
        return reha_fail(err, REHA_E_FORMAT, "the first echo is empty: no voxel is above 0");
    }
    for (size_t v = 0; v < count; v++) {
        const double value = (double)echo->voxels[v];
        if (value >= 0.0) { /* no NaN */
            const double bin = fmin(value / (double)top * BINS, BINS - 1.0);
            histogram[(size_t)bin] += 1.0;
            all += 1.0;
            all_sum += floor(bin);
        }
    }
    double below = 0.0;
    double below_sum = 0.0;
    for (int b = 0; b < BINS - 1; b++) {
        below += histogram[b];
        below_sum += histogram[b] * b;
        const double above = all - below;
        if (below > 0.0 && above > 0.0) {
            const double gap = below_sum / below - (all_sum - below_sum) / above;
            const double between = below * above * gap * gap;
            if (between > best) {
                best = between;
                *out = (b + 1.0) / BINS * (double)top;
            }
        }
    }
    return REHA_OK;
}

static void fit_one(const job *work, size_t voxel)
{
    reha_t2_map *map = work->map;
    double signal[REHA_T2_ECHOES_MAX];
    reha_t2_fit fit;
    double first = (double)NAN;
    size_t values = 0;
    for (size_t e = 0; e < map->echo_count; e++) {
        signal[e] = (double)work->echoes[e]->voxels[voxel];
        if (!isnan(signal[e])) {
            first = values == 0 ? signal[e] : first;
            values++;
        }
    }
    fit.state = values == 0 ? REHA_T2_NO_DATA : REHA_T2_BACKGROUND;
    if (values > 0 && first >= map->threshold && first > 0.0) {
        reha_t2_fit_voxel(map->echo_ms, signal, map->echo_count, map->noise.sigma, &map->options, &fit);
    }
    const bool is_fitted = fit.state == REHA_T2_FITTED;
    map->states[voxel] = (uint8_t)fit.state;
    map->t2_ms->voxels[voxel] = is_fitted ? (float)fit.t2_ms : NAN;
    map->error_ms->voxels[voxel] = is_fitted ? (float)fit.t2_error_ms : NAN;
    map->s0->voxels[voxel] = is_fitted ? (float)fit.s0 : NAN;
    work->first_ratios[voxel] = is_fitted ? (float)fit.first_ratio : NAN;
}

static reha_status fit_row(void *context, size_t index, size_t thread_idx, reha_error *err)
{
    const job *work = context;
    (void)thread_idx;
    (void)err;
    for (size_t i = 0; i < work->row_voxels; i++) {
        fit_one(work, index * work->row_voxels + i);
    }
    return REHA_OK;
}

static reha_status allocate(reha_t2_map *map, const reha_volume *like, reha_error *err)
{
    REHA_TRY(reha_volume_new(like->size, &like->to_mm, &map->t2_ms, err));
    REHA_TRY(reha_volume_new(like->size, &like->to_mm, &map->error_ms, err));
    REHA_TRY(reha_volume_new(like->size, &like->to_mm, &map->s0, err));
    map->states = reha_alloc_zero(reha_volume_count(like), 1);
    return map->states != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a T2 map");
}

static void choose_options(reha_t2_map *map, const reha_t2_options *options)
{
    static const reha_t2_options defaults = {0};
    map->options = options != NULL ? *options : defaults;
    reha_t2_options *used = &map->options;
    used->t2_min_ms = used->t2_min_ms > 0.0 ? used->t2_min_ms : 0.5 * map->echo_ms[0];
    used->t2_max_ms = used->t2_max_ms > 0.0 ? used->t2_max_ms : 10.0 * map->echo_ms[map->echo_count - 1];
    used->snr_min = used->snr_min > 0.0 ? used->snr_min : SNR_MIN;
}

static reha_status find_threshold(const reha_volume *const *echoes, size_t count, double sigma,
                                  reha_t2_map *map, reha_error *err)
{
    if (sigma > 0.0) {
        map->noise.sigma = sigma;
    } else if (sigma == 0.0) {
        REHA_TRY(reha_t2_find_noise(echoes, count, &map->noise, err));
    }
    if (map->noise.sigma > 0.0) {
        map->threshold = map->options.snr_min * map->noise.sigma;
        return REHA_OK;
    }
    return dark_threshold(echoes[map->options.skip_first ? 1 : 0], &map->threshold, err);
}

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a;
    const float y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Linear between order statistics (type 7 of Hyndman and Fan 1996). */
static double quantile(const float *sorted, size_t count, double q)
{
    const double at = q * ((double)count - 1.0);
    const size_t low = (size_t)at;
    const size_t high = low + 1 < count ? low + 1 : low;
    return (double)sorted[low] + (at - (double)low) * ((double)sorted[high] - (double)sorted[low]);
}

static double median_of(float *values, size_t count) /* NaN passed over; sorts in place */
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isnan(values[i])) {
            values[used++] = values[i];
        }
    }
    qsort(values, used, sizeof *values, compare_floats);
    return used > 0 ? quantile(values, used, 0.5) : (double)NAN;
}

static reha_status run(job *work, size_t threads, reha_error *err)
{
    reha_t2_map *map = work->map;
    const size_t voxels = reha_volume_count(map->t2_ms);
    work->row_voxels = map->t2_ms->size[0];
    work->first_ratios = reha_alloc(voxels * sizeof *work->first_ratios);
    if (work->first_ratios == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a T2 map");
    }
    const reha_status status = reha_parallel_for(voxels / work->row_voxels, threads, fit_row, work, err);
    if (status == REHA_OK) {
        for (size_t v = 0; v < voxels; v++) {
            map->counts[map->states[v]]++;
        }
        map->first_ratio = median_of(work->first_ratios, voxels);
    }
    reha_free(work->first_ratios);
    return status;
}

reha_status reha_t2_map_new(const reha_volume *const *echoes, const double *echo_ms, size_t count,
                            double sigma, const reha_t2_options *options, size_t threads, reha_t2_map **out,
                            reha_error *err)
{
    const size_t skipped = options != NULL && options->skip_first ? 1 : 0;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(check(echoes, echo_ms, count, skipped > 0, err));
    reha_t2_map *map = reha_alloc_zero(1, sizeof *map);
    if (map == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a T2 map");
    }
    map->echo_count = count - skipped;
    memcpy(map->echo_ms, echo_ms + skipped, map->echo_count * sizeof *echo_ms);
    choose_options(map, options);
    job work = {.echoes = echoes + skipped, .map = map};
    REHA_CHECK(allocate(map, echoes[0], err));
    REHA_CHECK(find_threshold(echoes, count, sigma, map, err));
    REHA_CHECK(run(&work, threads, err));
    *out = map;
    map = NULL;
done:
    reha_t2_map_free(map);
    return status;
}

void reha_t2_map_free(reha_t2_map *map)
{
    if (map != NULL) {
        reha_volume_free(map->t2_ms);
        reha_volume_free(map->error_ms);
        reha_volume_free(map->s0);
        reha_free(map->states);
        reha_free(map);
    }
}

static void summarise(float *values, float *errors, reha_t2_statistics *out)
{
    double sum = 0.0;
    double squares = 0.0;
    qsort(values, out->fitted, sizeof *values, compare_floats);
    for (size_t i = 0; i < out->fitted; i++) {
        sum += (double)values[i];
    }
    out->mean_ms = sum / (double)out->fitted;
    for (size_t i = 0; i < out->fitted; i++) {
        squares += ((double)values[i] - out->mean_ms) * ((double)values[i] - out->mean_ms);
    }
    out->sd_ms = out->fitted > 1 ? sqrt(squares / ((double)out->fitted - 1.0)) : (double)NAN;
    out->median_ms = quantile(values, out->fitted, 0.5);
    out->q1_ms = quantile(values, out->fitted, 0.25);
    out->q3_ms = quantile(values, out->fitted, 0.75);
    out->error_ms = median_of(errors, out->fitted);
}

reha_status reha_t2_describe(const reha_t2_map *map, const uint8_t *labels, uint8_t label, int k,
                             reha_t2_statistics *out, reha_error *err)
{
    const double nothing = (double)NAN;
    const size_t slice_voxels = (size_t)map->t2_ms->size[0] * map->t2_ms->size[1];
    const size_t from = k >= 0 ? (size_t)k * slice_voxels : 0;
    const size_t to = k >= 0 ? from + slice_voxels : reha_volume_count(map->t2_ms);
    *out = (reha_t2_statistics){0, 0, nothing, nothing, nothing, nothing, nothing, nothing, nothing};
    if (k >= 0 && (uint32_t)k >= map->t2_ms->size[2]) {
        return reha_fail(err, REHA_E_NOT_FOUND, "slice %d of %" PRIu32, k + 1, map->t2_ms->size[2]);
    }
    float *values = reha_alloc((to - from) * sizeof *values);
    float *errors = reha_alloc((to - from) * sizeof *errors);
    if (values == NULL || errors == NULL) {
        reha_free(values);
        reha_free(errors);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the statistics of a T2 map");
    }
    for (size_t v = from; v < to; v++) {
        const bool is_inside =
            labels != NULL ? labels[v] == label
                           : map->states[v] != REHA_T2_BACKGROUND && map->states[v] != REHA_T2_NO_DATA;
        out->voxels += is_inside ? 1 : 0;
        if (is_inside && map->states[v] == REHA_T2_FITTED) {
            values[out->fitted] = map->t2_ms->voxels[v];
            errors[out->fitted++] = map->error_ms->voxels[v];
        }
    }
    out->unfitted_share = out->voxels > 0 ? 1.0 - (double)out->fitted / (double)out->voxels : nothing;
    if (out->fitted > 0) {
        summarise(values, errors, out);
    }
    reha_free(values);
    reha_free(errors);
    return REHA_OK;
}
