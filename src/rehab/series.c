#include "rehab/series.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double Z_95 = 1.959963984540054;
enum { EXACT_MAX = 8, PERMUTATIONS = 4999, SEED = 20240901, LEVEL_MIN = 2 };

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

static double median(double *values, size_t count) /* sorts */
{
    qsort(values, count, sizeof *values, by_value);
    return count % 2 == 1 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

/* ---- slope ---- */

static void set_interval(const double *sorted, size_t pairs, size_t count, reha_series *out)
{
    const double n = (double)count;
    const double spread = Z_95 * sqrt(n * (n - 1.0) * (2.0 * n + 5.0) / 18.0);
    const double low = 0.5 * ((double)pairs - spread); /* rank from 1 */
    const double high = 0.5 * ((double)pairs + spread) + 1.0;
    if (low < 1.0 || high > (double)pairs) {
        return; /* too few visits: every slope is possible */
    }
    out->slope_low = sorted[(size_t)floor(low) - 1]; /* outward, so that 95 % is kept */
    out->slope_high = sorted[(size_t)ceil(high) - 1];
}

static reha_status find_slope(const reha_series_point *points, size_t count, reha_series *out,
                              reha_error *err)
{
    size_t pairs = 0;
    if (count < REHA_SLOPE_VISITS_MIN) {
        return REHA_OK;
    }
    double *slopes = reha_alloc_zero(count * (count - 1) / 2, sizeof *slopes);
    if (slopes == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the slopes of %zu visits", count);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; k < count; k++) {
            if (points[k].day > points[i].day) {
                slopes[pairs++] = (points[k].value - points[i].value) / (points[k].day - points[i].day);
            }
        }
    }
    if (pairs > 0) {
        double rest[REHA_SERIES_MAX];
        out->slope_per_day = median(slopes, pairs);
        if (count >= REHA_INTERVAL_VISITS_MIN) {
            set_interval(slopes, pairs, count, out);
        }
        for (size_t i = 0; i < count; i++) {
            rest[i] = points[i].value - out->slope_per_day * points[i].day;
        }
        out->intercept = median(rest, count);
    }
    reha_free(slopes);
    return REHA_OK;
}

/* ---- level shift ---- */

/* Largest difference of means over all splits, in units of its standard error; *at: the split. */
static double best_split(const double *values, size_t count, size_t *at, double *shift)
{
    double total = 0.0;
    double left = 0.0;
    double best = -1.0;
    for (size_t i = 0; i < count; i++) {
        total += values[i];
    }
    for (size_t k = 1; k + LEVEL_MIN <= count; k++) {
        left += values[k - 1];
        if (k < LEVEL_MIN) {
            continue;
        }
        const double a = (double)k;
        const double b = (double)(count - k);
        const double difference = (total - left) / b - left / a;
        const double score = fabs(difference) / sqrt(1.0 / a + 1.0 / b);
        if (score > best) {
            best = score;
            *at = k;
            *shift = difference;
        }
    }
    return best;
}

typedef struct permutations {
    double values[REHA_SERIES_MAX];
    size_t count;
    double limit;
    unsigned long total, as_good;
} permutations;

static void count_one(permutations *p)
{
    size_t at = 0;
    double shift = 0.0;
    p->total++;
    p->as_good += best_split(p->values, p->count, &at, &shift) >= p->limit - 1e-12 * fabs(p->limit) ? 1 : 0;
}

static void swap(double *a, double *b)
{
    const double kept = *a;
    *a = *b;
    *b = kept;
}

/* Heap's algorithm: every order once, by one exchange each. */
static void count_all(permutations *p)
{
    size_t turns[EXACT_MAX] = {0};
    count_one(p);
    for (size_t i = 1; i < p->count;) {
        if (turns[i] < i) {
            swap(&p->values[i % 2 == 0 ? 0 : turns[i]], &p->values[i]);
            count_one(p);
            turns[i]++;
            i = 1;
        } else {
            turns[i++] = 0;
        }
    }
}

static void count_some(permutations *p)
{
    reha_random random = reha_random_init(SEED, 1);
    p->total = p->as_good = 1; /* the order that was seen is one of them */
    for (int round = 0; round < PERMUTATIONS; round++) {
        for (size_t i = p->count - 1; i > 0; i--) {
            swap(&p->values[i], &p->values[reha_random_below(&random, (uint32_t)i + 1)]);
        }
        count_one(p);
    }
}

static void find_shift(const reha_series_point *points, size_t count, reha_series *out)
{
    permutations p = {.count = count};
    if (count < REHA_SHIFT_VISITS_MIN) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        p.values[i] = points[i].value;
    }
    p.limit = best_split(p.values, count, &out->shift_at, &out->shift);
    if (count <= EXACT_MAX) {
        count_all(&p);
    } else {
        count_some(&p);
    }
    out->shift_p = (double)p.as_good / (double)p.total;
}

/* ---- against the first visit ---- */

static reha_change against(const reha_series_point *from, const reha_series_point *to,
                           const reha_change_spec *spec)
{
    return reha_change_judge((reha_reading){from->value, from->sd}, (reha_reading){to->value, to->sd}, spec);
}

static bool is_real(reha_verdict verdict)
{
    return verdict == REHA_IMPROVED || verdict == REHA_WORSENED || verdict == REHA_DIFFERENT;
}

static void find_reached(const reha_series_point *points, size_t count, const reha_change_spec *spec,
                         reha_series *out)
{
    for (size_t i = 1; i < count && !out->is_confirmed; i++) {
        const reha_change now = against(&points[0], &points[i], spec);
        if (!is_real(now.verdict)) {
            continue;
        }
        out->reached_at = out->reached_at == 0 ? i : out->reached_at;
        if (i + 1 < count) {
            const reha_change next = against(&points[0], &points[i + 1], spec);
            if (is_real(next.verdict) && (next.difference > 0.0) == (now.difference > 0.0)) {
                out->reached_at = i;
                out->is_confirmed = true;
            }
        }
    }
    out->is_back = out->is_confirmed && !is_real(out->latest.verdict);
}

reha_status reha_series_judge(const reha_series_point *points, size_t count, const reha_change_spec *spec,
                              reha_series *out, reha_error *err)
{
    const double unknown = (double)NAN;
    *out = (reha_series){.slope_per_day = unknown,
                         .slope_low = unknown,
                         .slope_high = unknown,
                         .intercept = unknown,
                         .shift = unknown,
                         .shift_p = unknown};
    if (count == 0 || count > REHA_SERIES_MAX) {
        return reha_fail(err, REHA_E_ARG, "a series has 1 to %d visits, not %zu", REHA_SERIES_MAX, count);
    }
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(points[i].day) || !isfinite(points[i].value) ||
            (i > 0 && points[i].day < points[i - 1].day)) {
            return reha_fail(err, REHA_E_ARG, "visit %zu of the series: not finite, or before the one before",
                             i + 1);
        }
    }
    out->latest = against(&points[0], &points[count - 1], spec);
    out->previous = against(&points[count > 1 ? count - 2 : 0], &points[count - 1], spec);
    REHA_TRY(find_slope(points, count, out, err));
    find_shift(points, count, out);
    find_reached(points, count, spec, out);
    return REHA_OK;
}
