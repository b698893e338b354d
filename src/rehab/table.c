#include "rehab/table.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

reha_status reha_table_new(const reha_feature *features, size_t count, reha_table **out, reha_error *err)
{
    *out = NULL;
    assert(count > 0 && count <= REHA_FEATURES_MAX);
    reha_table *table = reha_alloc_zero(1, sizeof *table);
    if (table != NULL) {
        table->features = reha_alloc_zero(count, sizeof *table->features);
    }
    if (table == NULL || table->features == NULL) {
        reha_table_free(table);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a table");
    }
    memcpy(table->features, features, count * sizeof *features);
    table->feature_count = count;
    *out = table;
    return REHA_OK;
}

void reha_table_free(reha_table *table)
{
    if (table != NULL) {
        reha_free(table->features);
        reha_free(table->x);
        reha_free(table->y);
        reha_free(table->benchmark);
        reha_free(table->patient);
        reha_free(table->period);
        reha_free(table->line_no);
        reha_free(table);
    }
}

static bool grow(void **block, size_t count, size_t item_bytes)
{
    size_t bytes = 0;
    void *grown = reha_mul_size(count, item_bytes, &bytes) ? reha_realloc(*block, bytes) : NULL;
    if (grown == NULL) {
        return false;
    }
    *block = grown;
    return true;
}

reha_status reha_table_add_row(reha_table *table, size_t *row, reha_error *err)
{
    *row = 0;
    if (table->row_count == table->row_capacity) {
        const size_t capacity = table->row_capacity > 0 ? 2 * table->row_capacity : 1024;
        if (!grow((void **)&table->x, capacity, table->feature_count * sizeof *table->x) ||
            !grow((void **)&table->y, capacity, sizeof *table->y) ||
            !grow((void **)&table->benchmark, capacity, sizeof *table->benchmark) ||
            !grow((void **)&table->patient, capacity, sizeof *table->patient) ||
            !grow((void **)&table->period, capacity, sizeof *table->period) ||
            !grow((void **)&table->line_no, capacity, sizeof *table->line_no)) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for a table of %zu rows", capacity);
        }
        table->row_capacity = capacity;
    }
    const size_t at = table->row_count++;
    for (size_t j = 0; j < table->feature_count; j++) {
        table->x[at * table->feature_count + j] = NAN;
    }
    table->y[at] = (double)NAN;
    table->benchmark[at] = (double)NAN;
    table->patient[at] = (uint32_t)at;
    table->period[at] = 0;
    table->line_no[at] = 0;
    *row = at;
    return REHA_OK;
}

reha_status reha_table_select(const reha_table *table, const bool *keep, reha_table **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_table *part = NULL;
    const size_t width = table->feature_count;
    *out = NULL;
    REHA_TRY(reha_table_new(table->features, width, &part, err));
    for (size_t i = 0; i < table->row_count; i++) {
        size_t row = 0;
        if (!keep[i]) {
            continue;
        }
        REHA_CHECK(reha_table_add_row(part, &row, err));
        memcpy(part->x + row * width, table->x + i * width, width * sizeof *part->x);
        part->y[row] = table->y[i];
        part->benchmark[row] = table->benchmark[i];
        part->patient[row] = table->patient[i];
        part->period[row] = table->period[i];
        part->line_no[row] = table->line_no[i];
    }
    *out = part;
    part = NULL;
done:
    reha_table_free(part);
    return status;
}

static void count_feature(reha_table *table, size_t j)
{
    reha_feature *feature = &table->features[j];
    memset(feature->level_rows, 0, sizeof feature->level_rows);
    feature->unknown_rows = 0;
    feature->low = INFINITY;
    feature->high = -INFINITY;
    for (size_t i = 0; i < table->row_count; i++) {
        const double value = (double)table->x[i * table->feature_count + j];
        if (isnan(value)) {
            feature->unknown_rows++;
        } else if (feature->kind == REHA_FEATURE_CATEGORY) {
            assert(value >= 0.0 && value < (double)feature->level_count);
            feature->level_rows[(size_t)value]++;
        } else {
            feature->low = fmin(feature->low, value);
            feature->high = fmax(feature->high, value);
        }
    }
    if (feature->low > feature->high) { /* a category, or nothing known */
        feature->low = feature->high = 0.0;
    }
}

void reha_table_count(reha_table *table)
{
    for (size_t j = 0; j < table->feature_count; j++) {
        count_feature(table, j);
    }
}

void reha_table_add_sums(const reha_feature *features, size_t count, float *x)
{
    for (size_t j = 0; j < count; j++) {
        const reha_feature *feature = &features[j];
        if (feature->kind != REHA_FEATURE_SUM) {
            continue;
        }
        double sum = 0.0;
        size_t known = 0;
        for (size_t k = feature->sum_first; k < feature->sum_first + feature->sum_count; k++) {
            if (!isnan(x[k])) {
                sum += (double)x[k];
                known++;
            }
        }
        const bool is_known = known > 0 && known + feature->sum_unknown_max >= feature->sum_count;
        x[j] = is_known ? (float)round(sum * (double)feature->sum_count / (double)known) : NAN;
    }
}

int reha_feature_find(const reha_feature *features, size_t count, const char *key)
{
    for (size_t j = 0; j < count; j++) {
        if (strcmp(features[j].key, key) == 0) {
            return (int)j;
        }
    }
    return -1;
}

int reha_feature_level(const reha_feature *feature, const char *text)
{
    for (size_t k = 0; k < feature->level_count; k++) {
        if (strcmp(feature->levels[k], text) == 0) {
            return (int)k;
        }
    }
    return -1;
}

reha_status reha_feature_check(const reha_feature *feature, double value, reha_error *err)
{
    if (isnan(value)) {
        if (feature->unknown_rows >= REHA_FEATURE_ROWS_MIN) {
            return REHA_OK;
        }
        return reha_fail(err, REHA_E_REFUSED,
                         "%s (%s) must be known: only %zu of the patients the model learnt from lacked it",
                         feature->key, feature->title, feature->unknown_rows);
    }
    if (feature->kind == REHA_FEATURE_CATEGORY) {
        const size_t level = (size_t)value;
        assert(level < feature->level_count);
        if (feature->level_rows[level] >= REHA_FEATURE_ROWS_MIN) {
            return REHA_OK;
        }
        return reha_fail(err, REHA_E_REFUSED,
                         "%s '%s': outside the range of the model, which learnt from %zu such patients (at "
                         "least %d are needed)",
                         feature->key, feature->levels[level], feature->level_rows[level],
                         REHA_FEATURE_ROWS_MIN);
    }
    if (value < feature->low || value > feature->high) {
        return reha_fail(err, REHA_E_REFUSED,
                         "%s %g: outside the range of the patients the model learnt from (%g to %g)",
                         feature->key, value, feature->low, feature->high);
    }
    return REHA_OK;
}

void reha_feature_text(const reha_feature *feature, double value, char *out, size_t out_bytes)
{
    if (isnan(value)) {
        (void)snprintf(out, out_bytes, "not known");
    } else if (feature->kind == REHA_FEATURE_CATEGORY) {
        (void)snprintf(out, out_bytes, "%s", feature->levels[(size_t)value]);
    } else {
        (void)snprintf(out, out_bytes, "%g", value);
    }
}
