/* Intervals of figures: resampling whole patients, and Wilson's for shares. */
#include "rehab/outcome_figures.h"
#include "rehab/outcome_figures_priv.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

void reha_outcome_sort(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
}

void reha_outcome_wilson(size_t hits, size_t count, double *low, double *high)
{
    static const double z = 1.959963985;
    const double n = (double)count;
    const double p = (double)hits / n;
    const double middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    const double half = z / (1.0 + z * z / n) * sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n));
    *low = middle - half;
    *high = middle + half;
}

typedef struct numbered {
    uint32_t patient;
    uint32_t row;
} numbered;

static int by_patient(const void *a, const void *b)
{
    const uint32_t left = ((const numbered *)a)->patient;
    const uint32_t right = ((const numbered *)b)->patient;
    return (left > right) - (left < right);
}

reha_status reha_patients_sum(const double *value, size_t width, const uint32_t *patient, size_t rows,
                              double **out, size_t *out_count, reha_error *err)
{
    numbered *order = reha_alloc_zero(rows + 1, sizeof *order);
    double *sums = reha_alloc_zero(rows * width + 1, sizeof *sums);
    *out = NULL;
    *out_count = 0;
    if (order == NULL || sums == NULL) {
        reha_free(order);
        reha_free(sums);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the intervals");
    }
    for (size_t i = 0; i < rows; i++) {
        order[i] = (numbered){patient[i], (uint32_t)i};
    }
    qsort(order, rows, sizeof *order, by_patient);
    size_t count = 0;
    for (size_t i = 0; i < rows; i++) {
        count += i == 0 || order[i].patient != order[i - 1].patient;
        for (size_t k = 0; k < width; k++) {
            sums[(count - 1) * width + k] += value[order[i].row * width + k];
        }
    }
    reha_free(order);
    *out = sums;
    *out_count = count;
    return REHA_OK;
}

void reha_patients_resample(const double *sums, size_t width, size_t count, uint64_t seed, uint64_t round,
                            double *out)
{
    reha_random random = reha_random_init(seed, round);
    memset(out, 0, width * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        const double *one = sums + (size_t)reha_random_below(&random, (uint32_t)count) * width;
        for (size_t k = 0; k < width; k++) {
            out[k] += one[k];
        }
    }
}

void reha_interval_of(double *values, size_t count, double *low, double *high)
{
    *low = *high = (double)NAN;
    if (count > 0) {
        reha_outcome_sort(values, count);
        *low = values[(size_t)(0.025 * (double)(count - 1) + 0.5)];
        *high = values[(size_t)(0.975 * (double)(count - 1) + 0.5)];
    }
}

reha_status reha_outcome_mean_interval(const double *value, const uint32_t *patient, size_t rows,
                                       int bootstrap_rounds, uint64_t seed, double *low, double *high,
                                       reha_error *err)
{
    reha_status status = REHA_OK;
    double *pairs = reha_alloc_zero(2 * rows + 1, sizeof *pairs);
    double *means = reha_alloc_zero((size_t)bootstrap_rounds + 1, sizeof *means);
    double *sums = NULL;
    size_t count = 0;
    *low = *high = (double)NAN;
    if (pairs == NULL || means == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the intervals");
        goto done;
    }
    for (size_t i = 0; i < rows; i++) {
        pairs[2 * i] = value[i];
        pairs[2 * i + 1] = 1.0;
    }
    REHA_CHECK(reha_patients_sum(pairs, 2, patient, rows, &sums, &count, err));
    for (int round = 0; round < bootstrap_rounds; round++) {
        double drawn[2];
        reha_patients_resample(sums, 2, count, seed, (uint64_t)round, drawn);
        means[round] = drawn[0] / drawn[1];
    }
    reha_interval_of(means, (size_t)bootstrap_rounds, low, high);
done:
    reha_free(pairs);
    reha_free(means);
    reha_free(sums);
    return status;
}
