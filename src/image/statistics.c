#include "image/statistics.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LANES = 8,           /* independent sums, so that the loops vectorise without -ffast-math */
    RUN = 4096,          /* values summed in float before they go to double */
    SORT_COUNT = 2048,   /* below this, sorting a copy is faster than two histograms */
    HALF_BINS = 1 << 16, /* a float is looked at in two halves of 16 bits */
    TABLES = 2           /* histograms filled in turn: equal neighbours do not wait for each other */
};

reha_gray_summary reha_gray_summarise(const reha_gray *image)
{
    const float *values = image->pixels;
    const size_t count = (size_t)image->width_px * image->height_px;
    float low[LANES];
    float high[LANES];
    for (int k = 0; k < LANES; k++) {
        low[k] = high[k] = values[0];
    }
    /* Deviations from the first value: no cancellation for a narrow range far from 0. */
    const float origin = values[0];
    double sum = 0.0;
    double squares = 0.0;
    for (size_t start = 0; start < count; start += RUN) {
        const size_t end = start + RUN < count ? start + RUN : count;
        float sums[LANES] = {0.0f};
        float square_sums[LANES] = {0.0f};
        size_t i = start;
        for (; i + LANES <= end; i += LANES) {
            for (int k = 0; k < LANES; k++) {
                const float value = values[i + (size_t)k];
                const float part = value - origin;
                low[k] = value < low[k] ? value : low[k];
                high[k] = value > high[k] ? value : high[k];
                sums[k] += part;
                square_sums[k] += part * part;
            }
        }
        for (; i < end; i++) {
            const float part = values[i] - origin;
            low[0] = values[i] < low[0] ? values[i] : low[0];
            high[0] = values[i] > high[0] ? values[i] : high[0];
            sums[0] += part;
            square_sums[0] += part * part;
        }
        for (int k = 0; k < LANES; k++) {
            sum += (double)sums[k];
            squares += (double)square_sums[k];
        }
    }
    reha_gray_summary result = {low[0], high[0], 0.0, 0.0};
    for (int k = 1; k < LANES; k++) {
        result.low = low[k] < result.low ? low[k] : result.low;
        result.high = high[k] > result.high ? high[k] : result.high;
    }
    const double shift = sum / (double)count;
    const double variance = squares / (double)count - shift * shift;
    result.mean = (double)origin + shift;
    result.sd = variance > 0.0 ? sqrt(variance) : 0.0;
    return result;
}

/* Floats as integers of the same order: the sign bit is turned over, and for negative numbers all
 * bits. -0 and +0 fall beside each other. */
static uint32_t to_key(float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t mask = (uint32_t)((int32_t)bits >> 31) | UINT32_C(0x80000000);
    return bits ^ mask;
}

static float from_key(uint32_t key)
{
    const uint32_t bits = (key & UINT32_C(0x80000000)) != 0 ? key ^ UINT32_C(0x80000000) : ~key;
    float value = 0.0f;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a;
    const float y = *(const float *)b;
    return (x > y) - (x < y);
}

typedef struct rank {
    size_t lower;
    double part; /* of the way to lower + 1 */
} rank;

static rank rank_of(double fraction, size_t count)
{
    const double clamped = fraction < 0.0 ? 0.0 : fraction > 1.0 ? 1.0 : fraction;
    const double position = clamped * (double)(count - 1);
    size_t lower = (size_t)position;
    if (lower + 1 >= count) {
        lower = count - 1;
    }
    return (rank){lower, position - (double)lower};
}

static float between(float lower, float upper, double part)
{
    return (float)((double)lower + part * ((double)upper - (double)lower));
}

static reha_status percentiles_by_sorting(const float *values, size_t count, const double *fractions,
                                          size_t fraction_count, float *out, reha_error *err)
{
    float *sorted = reha_alloc(count * sizeof *sorted);
    if (sorted == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for percentiles");
    }
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_floats);
    for (size_t i = 0; i < fraction_count; i++) {
        const rank at = rank_of(fractions[i], count);
        const size_t next = at.lower + 1 < count ? at.lower + 1 : at.lower;
        out[i] = between(sorted[at.lower], sorted[next], at.part);
    }
    reha_free(sorted);
    return REHA_OK;
}

/* A rank that is looked for: which upper half it has, and how many values of that half come before. */
typedef struct target {
    size_t rank;
    size_t before;
    uint32_t upper;
    float value;
} target;

static void count_upper(const float *values, size_t count, uint32_t *tables)
{
    size_t i = 0;
    for (; i + TABLES <= count; i += TABLES) {
        for (size_t k = 0; k < TABLES; k++) {
            tables[k * HALF_BINS + (to_key(values[i + k]) >> 16)]++;
        }
    }
    for (; i < count; i++) {
        tables[to_key(values[i]) >> 16]++;
    }
    for (size_t bin = 0; bin < HALF_BINS; bin++) {
        for (size_t k = 1; k < TABLES; k++) {
            tables[bin] += tables[k * HALF_BINS + bin];
        }
    }
}

/* Counts the lower halves of the values with one of the wanted upper halves. slot[upper] is 0 for
 * unwanted ones, else 1 + the index of the table. */
static void count_lower(const float *values, size_t count, const uint8_t *slot, uint32_t *tables)
{
    for (size_t i = 0; i < count; i++) {
        const uint32_t key = to_key(values[i]);
        const uint8_t table = slot[key >> 16];
        if (table != 0) {
            tables[(size_t)(table - 1) * HALF_BINS + (key & 0xffff)]++;
        }
    }
}

static reha_status find_targets(const float *values, size_t count, target *targets, size_t target_count,
                                reha_error *err)
{
    reha_status status = REHA_OK;
    uint32_t *upper = reha_alloc_zero((size_t)TABLES * HALF_BINS, sizeof *upper);
    uint8_t *slot = reha_alloc_zero(HALF_BINS, 1);
    uint32_t *lower = NULL;
    size_t slots = 0;
    if (upper == NULL || slot == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "no memory for percentiles");
        goto done;
    }
    count_upper(values, count, upper);
    for (size_t t = 0; t < target_count; t++) {
        size_t before = 0;
        uint32_t bin = 0;
        while (before + upper[bin] <= targets[t].rank) {
            before += upper[bin];
            bin++;
        }
        targets[t].upper = bin;
        targets[t].before = before;
        if (slot[bin] == 0) {
            slot[bin] = (uint8_t)++slots;
        }
    }
    lower = reha_alloc_zero(slots * HALF_BINS, sizeof *lower);
    if (lower == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "no memory for percentiles");
        goto done;
    }
    count_lower(values, count, slot, lower);
    for (size_t t = 0; t < target_count; t++) {
        const uint32_t *table = lower + (size_t)(slot[targets[t].upper] - 1) * HALF_BINS;
        size_t before = targets[t].before;
        uint32_t bin = 0;
        while (before + table[bin] <= targets[t].rank) {
            before += table[bin];
            bin++;
        }
        targets[t].value = from_key(targets[t].upper << 16 | bin);
    }
done:
    reha_free(upper);
    reha_free(slot);
    reha_free(lower);
    return status;
}

reha_status reha_percentiles(const float *values, size_t count, const double *fractions,
                             size_t fraction_count, float *out, reha_error *err)
{
    enum { GROUP = 16 }; /* fractions per scan of the values */
    for (size_t i = 0; i < fraction_count; i++) {
        out[i] = NAN;
    }
    for (size_t i = 0; i < fraction_count; i++) {
        if (isnan(fractions[i])) {
            return reha_fail(err, REHA_E_ARG, "a percentile that is not a number");
        }
    }
    if (count == 0 || count > UINT32_MAX) {
        return reha_fail(err, REHA_E_ARG, "percentiles of %zu values", count);
    }
    if (count <= SORT_COUNT) {
        return percentiles_by_sorting(values, count, fractions, fraction_count, out, err);
    }
    for (size_t start = 0; start < fraction_count; start += GROUP) {
        const size_t group = fraction_count - start < GROUP ? fraction_count - start : GROUP;
        target targets[2 * GROUP];
        for (size_t i = 0; i < group; i++) {
            const rank at = rank_of(fractions[start + i], count);
            targets[2 * i] = (target){.rank = at.lower};
            targets[2 * i + 1] = (target){.rank = at.lower + 1 < count ? at.lower + 1 : at.lower};
        }
        REHA_TRY(find_targets(values, count, targets, 2 * group, err));
        for (size_t i = 0; i < group; i++) {
            out[start + i] = between(targets[2 * i].value, targets[2 * i + 1].value,
                                     rank_of(fractions[start + i], count).part);
        }
    }
    return REHA_OK;
}

void reha_gray_window(reha_gray *image, float low, float high)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    const float factor = high > low ? 1.0f / (high - low) : 0.0f;
    float *values = image->pixels;
    for (size_t i = 0; i < count; i++) {
        const float value = (values[i] - low) * factor;
        const float floored = value > 0.0f ? value : 0.0f;
        values[i] = floored < 1.0f ? floored : 1.0f;
    }
}

reha_status reha_gray_stretch(reha_gray *image, double low_fraction, double high_fraction, float *low,
                              float *high, reha_error *err)
{
    const double fractions[2] = {low_fraction, high_fraction};
    float values[2] = {NAN, NAN};
    REHA_TRY(reha_percentiles(image->pixels, (size_t)image->width_px * image->height_px, fractions, 2, values,
                              err));
    reha_gray_window(image, values[0], values[1]);
    if (low != NULL) {
        *low = values[0];
    }
    if (high != NULL) {
        *high = values[1];
    }
    return REHA_OK;
}

void reha_gray_invert(reha_gray *image)
{
    const reha_gray_summary range = reha_gray_summarise(image);
    const float sum = range.low + range.high;
    const size_t count = (size_t)image->width_px * image->height_px;
    for (size_t i = 0; i < count; i++) {
        image->pixels[i] = sum - image->pixels[i];
    }
}
