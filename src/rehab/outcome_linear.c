#include "rehab/outcome_linear.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool reha_solve_positive(double *a, double *b, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        double pivot = a[j * n + j];
        for (size_t k = 0; k < j; k++) {
            pivot -= a[j * n + k] * a[j * n + k];
        }
        if (!(pivot > 0.0)) {
            return false;
        }
        a[j * n + j] = sqrt(pivot);
        for (size_t i = j + 1; i < n; i++) {
            double sum = a[i * n + j];
            for (size_t k = 0; k < j; k++) {
                sum -= a[i * n + k] * a[j * n + k];
            }
            a[i * n + j] = sum / a[j * n + j];
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            b[i] -= a[i * n + k] * b[k];
        }
        b[i] /= a[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++) {
            b[i] -= a[k * n + i] * b[k];
        }
        b[i] /= a[i * n + i];
    }
    return true;
}

static double column_value(const reha_linear *linear, const reha_linear_column *column, const float *x)
{
    const double value = (double)x[column->feature];
    if (isnan(value)) {
        return column->level == REHA_LINEAR_UNKNOWN ? 1.0 : 0.0;
    }
    if (column->level >= 0) {
        return value == (double)column->level ? 1.0 : 0.0;
    }
    const double z = (value - linear->centre[column->feature]) / linear->scale[column->feature];
    return column->level == REHA_LINEAR_VALUE ? z : column->level == REHA_LINEAR_SQUARE ? z * z : 0.0;
}

static void add_column(reha_linear *linear, size_t feature, int level)
{
    linear->columns[linear->column_count++] =
        (reha_linear_column){.feature = (uint32_t)feature, .level = level};
}

static void add_category(reha_linear *linear, const reha_feature *feature, size_t j)
{
    size_t reference = 0;
    for (size_t k = 1; k < feature->level_count; k++) {
        reference = feature->level_rows[k] > feature->level_rows[reference] ? k : reference;
    }
    for (size_t k = 0; k < feature->level_count; k++) {
        if (k != reference && feature->level_rows[k] >= REHA_FEATURE_ROWS_MIN) {
            add_column(linear, j, (int)k);
        }
    }
}

/* Mean and spread of a number, so that all columns have about one size. */
static void add_number(reha_linear *linear, const reha_table *table, size_t j)
{
    double sum = 0.0;
    double squares = 0.0;
    size_t known = 0;
    for (size_t i = 0; i < table->row_count; i++) {
        const double value = (double)table->x[i * table->feature_count + j];
        if (!isnan(value)) {
            sum += value;
            squares += value * value;
            known++;
        }
    }
    const double mean = known > 0 ? sum / (double)known : 0.0;
    const double variance = known > 0 ? squares / (double)known - mean * mean : 0.0;
    linear->centre[j] = mean;
    linear->scale[j] = variance > 1e-12 ? sqrt(variance) : 1.0;
    if (variance > 1e-12) {
        add_column(linear, j, REHA_LINEAR_VALUE);
        add_column(linear, j, REHA_LINEAR_SQUARE);
    }
}

static reha_status add_columns(reha_linear *linear, const reha_table *table, reha_error *err)
{
    linear->columns =
        reha_alloc_zero(table->feature_count * (REHA_FEATURE_LEVELS_MAX + 3), sizeof *linear->columns);
    if (linear->columns == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a regression");
    }
    for (size_t j = 0; j < table->feature_count; j++) {
        const reha_feature *feature = &table->features[j];
        linear->scale[j] = 1.0;
        if (feature->kind == REHA_FEATURE_CATEGORY) {
            add_category(linear, feature, j);
        } else {
            add_number(linear, table, j);
        }
        if (feature->unknown_rows >= REHA_FEATURE_ROWS_MIN) {
            add_column(linear, j, REHA_LINEAR_UNKNOWN);
        }
    }
    return REHA_OK;
}

/* Sums of products of the non-zero columns: most indicators of a row are zero. */
static void add_row(const reha_linear *linear, const float *x, double y, double *a, double *b, size_t *at,
                    double *value)
{
    const size_t n = linear->column_count;
    size_t used = 0;
    for (size_t c = 0; c < n; c++) {
        const double one = column_value(linear, &linear->columns[c], x);
        if (one != 0.0) {
            at[used] = c;
            value[used++] = one;
        }
    }
    for (size_t p = 0; p < used; p++) {
        b[at[p]] += value[p] * (y - linear->base);
        linear->columns[at[p]].mean += value[p];
        for (size_t q = 0; q <= p; q++) {
            a[at[p] * n + at[q]] += value[p] * value[q];
        }
    }
}

reha_status reha_linear_fit(const reha_table *table, double ridge, reha_linear *out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_linear linear = {0};
    double *a = NULL;
    double *value = NULL;
    size_t *at = NULL;
    const double rows = (double)table->row_count;
    *out = linear;
    REHA_CHECK(add_columns(&linear, table, err));
    const size_t n = linear.column_count;
    a = reha_alloc_zero(n * n + n + 1, sizeof *a);
    value = reha_alloc_zero(n + 1, sizeof *value);
    at = reha_alloc_zero(n + 1, sizeof *at);
    if (a == NULL || value == NULL || at == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a regression");
        goto done;
    }
    double *b = a + n * n;
    for (size_t i = 0; i < table->row_count; i++) {
        linear.base += table->y[i] / rows;
    }
    for (size_t i = 0; i < table->row_count; i++) {
        add_row(&linear, table->x + i * table->feature_count, table->y[i], a, b, at, value);
    }
    for (size_t p = 0; p < n; p++) { /* to centred columns; the outcome is centred already */
        linear.columns[p].mean /= rows;
        for (size_t q = 0; q <= p; q++) {
            a[p * n + q] -= rows * linear.columns[p].mean * linear.columns[q].mean;
        }
        a[p * n + p] += ridge;
    }
    if (!reha_solve_positive(a, b, n)) {
        status = reha_fail(err, REHA_E_INTERNAL, "the regression has no solution (%zu rows, %zu columns)",
                           table->row_count, n);
        goto done;
    }
    for (size_t p = 0; p < n; p++) {
        linear.columns[p].coefficient = b[p];
    }
    *out = linear;
    linear = (reha_linear){0};
done:
    reha_linear_clear(&linear);
    reha_free(a);
    reha_free(value);
    reha_free(at);
    return status;
}

void reha_linear_clear(reha_linear *linear)
{
    reha_free(linear->columns);
    *linear = (reha_linear){0};
}

double reha_linear_predict(const reha_linear *linear, const float *x)
{
    double sum = linear->base;
    for (size_t c = 0; c < linear->column_count; c++) {
        const reha_linear_column *column = &linear->columns[c];
        sum += column->coefficient * (column_value(linear, column, x) - column->mean);
    }
    return sum;
}

void reha_linear_explain(const reha_linear *linear, const float *x, double *out)
{
    for (size_t c = 0; c < linear->column_count; c++) {
        const reha_linear_column *column = &linear->columns[c];
        out[column->feature] += column->coefficient * (column_value(linear, column, x) - column->mean);
    }
}

static const char *column_kind(int level)
{
    return level >= 0                     ? "level"
           : level == REHA_LINEAR_UNKNOWN ? "unknown"
           : level == REHA_LINEAR_VALUE   ? "value"
                                          : "square";
}

reha_status reha_linear_to_json(const reha_linear *linear, const reha_feature *features, json_t **out,
                                reha_error *err)
{
    json_t *columns = json_array();
    for (size_t c = 0; c < linear->column_count; c++) {
        const reha_linear_column *column = &linear->columns[c];
        const reha_feature *feature = &features[column->feature];
        json_t *one =
            json_pack("{s:s, s:s, s:f, s:f}", "feature", feature->key, "column", column_kind(column->level),
                      "coefficient", column->coefficient, "mean", column->mean);
        if (column->level >= 0) {
            (void)json_object_set_new(one, "level", json_string(feature->levels[column->level]));
        } else if (column->level != REHA_LINEAR_UNKNOWN) {
            (void)json_object_set_new(one, "centre", reha_json_real(linear->centre[column->feature]));
            (void)json_object_set_new(one, "scale", reha_json_real(linear->scale[column->feature]));
        }
        (void)json_array_append_new(columns, one);
    }
    *out = json_pack("{s:f, s:o}", "base", linear->base, "columns", columns);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
}

static reha_status read_column(const json_t *object, const reha_feature *features, size_t count,
                               reha_linear *linear, reha_error *err)
{
    const char *key = NULL;
    const char *kind = NULL;
    reha_linear_column *column = &linear->columns[linear->column_count];
    REHA_TRY(reha_json_need_string(object, "feature", &key, err));
    REHA_TRY(reha_json_need_string(object, "column", &kind, err));
    REHA_TRY(reha_json_need_number(object, "coefficient", &column->coefficient, err));
    REHA_TRY(reha_json_need_number(object, "mean", &column->mean, err));
    const int j = reha_feature_find(features, count, key);
    if (j < 0) {
        return reha_fail(err, REHA_E_FORMAT, "the regression uses '%.60s', which is no feature", key);
    }
    column->feature = (uint32_t)j;
    for (column->level = REHA_LINEAR_UNKNOWN; column->level >= REHA_LINEAR_SQUARE; column->level--) {
        if (strcmp(kind, column_kind(column->level)) == 0) {
            break;
        }
    }
    if (column->level == REHA_LINEAR_VALUE || column->level == REHA_LINEAR_SQUARE) {
        REHA_TRY(reha_json_need_number(object, "centre", &linear->centre[j], err));
        REHA_TRY(reha_json_need_number(object, "scale", &linear->scale[j], err));
        if (!(linear->scale[j] > 0.0)) {
            return reha_fail(err, REHA_E_FORMAT, "'%s': its scale must be positive", key);
        }
    } else if (column->level < REHA_LINEAR_SQUARE) {
        column->level = reha_feature_level(&features[j], reha_json_string(object, "level", ""));
        if (strcmp(kind, "level") != 0 || column->level < 0) {
            return reha_fail(err, REHA_E_FORMAT, "'%s': no such column or level", key);
        }
    }
    linear->column_count++;
    return REHA_OK;
}

reha_status reha_linear_from_json(const json_t *object, const reha_feature *features, size_t count,
                                  reha_linear *out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_linear linear = {0};
    const json_t *columns = NULL;
    *out = linear;
    for (size_t j = 0; j < count; j++) {
        linear.scale[j] = 1.0;
    }
    REHA_TRY(reha_json_need_number(object, "base", &linear.base, err));
    REHA_TRY(reha_json_need_array(object, "columns", 0, &columns, err));
    linear.columns = reha_alloc_zero(json_array_size(columns) + 1, sizeof *linear.columns);
    if (linear.columns == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
    }
    for (size_t c = 0; c < json_array_size(columns); c++) {
        REHA_CHECK(read_column(json_array_get(columns, c), features, count, &linear, err));
    }
    *out = linear;
    linear = (reha_linear){0};
done:
    reha_linear_clear(&linear);
    return status;
}
