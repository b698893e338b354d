#include "rehab/outcome_own.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "rehab/outcome_figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char PATIENT_COLUMN[] = "patient_id";
static const double NUMBER_SHARE = 0.95;
static const double FAR_RANGES = 10.0;
enum { WHOLE_LEVELS_MAX = 5, DISTINCT_MAX = 64 };

/* What one column holds. */
typedef struct survey {
    size_t missing, suppressed, numbers, texts, implausible;
    size_t commas;                    /* texts that are numbers with a decimal comma */
    size_t distinct;                  /* counted up to DISTINCT_MAX + 1 */
    const char *values[DISTINCT_MAX]; /* borrowed from the table */
    size_t value_rows[DISTINCT_MAX];
    bool is_whole;
    double low, high; /* of plausible numbers */
} survey;

static bool is_unknown(const char *cell)
{
    static const char *const words[] = {"", "*", "NA", "N/A", "NULL", "nan"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (reha_str_equal_nocase(cell, words[i])) {
            return true;
        }
    }
    return false;
}

static void count_value(survey *found, const char *cell)
{
    for (size_t k = 0; k < found->distinct && k < DISTINCT_MAX; k++) {
        if (strcmp(found->values[k], cell) == 0) {
            found->value_rows[k]++;
            return;
        }
    }
    if (found->distinct < DISTINCT_MAX) {
        found->values[found->distinct] = cell;
        found->value_rows[found->distinct] = 1;
    }
    found->distinct += found->distinct <= DISTINCT_MAX;
}

/* Plausible range of the sorted numbers. */
static void find_range(survey *found, double *numbers, size_t count)
{
    reha_outcome_sort(numbers, count);
    const double q25 = numbers[count / 4];
    const double q75 = numbers[3 * count / 4];
    const double reach = FAR_RANGES * (q75 - q25);
    const double least = reach > 0.0 ? q25 - reach : -INFINITY;
    const double most = reach > 0.0 ? q75 + reach : INFINITY;
    found->low = INFINITY;
    found->high = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] < least || numbers[i] > most) {
            found->implausible++;
        } else {
            found->low = fmin(found->low, numbers[i]);
            found->high = fmax(found->high, numbers[i]);
        }
    }
}

static void look_at(const reha_csv *csv, int column, survey *found, double *numbers)
{
    size_t count = 0;
    memset(found, 0, sizeof *found);
    found->is_whole = true;
    for (size_t row = 0; row < reha_csv_rows(csv); row++) {
        const char *cell = reha_csv_get(csv, row, column);
        double value = 0.0;
        if (is_unknown(cell)) {
            found->missing++;
            found->suppressed += strcmp(cell, "*") == 0;
            continue;
        }
        count_value(found, cell);
        if (reha_csv_number(csv, row, column, &value)) {
            numbers[count++] = value;
            found->is_whole = found->is_whole && value == floor(value);
        } else {
            found->texts++; /* a comma that parts the columns, too, is no decimal mark to reha_csv_number */
            found->commas += reha_parse_decimal_comma(cell, &value) ? 1 : 0;
        }
    }
    found->numbers = count;
    if (count > 0) {
        find_range(found, numbers, count);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const reha_feature *)a)->key, ((const reha_feature *)b)->key);
}

/* Levels in the order of their texts, so that the model does not depend on the order of the rows. */
static void add_levels(const survey *found, reha_feature *feature)
{
    reha_feature sorted[REHA_FEATURE_LEVELS_MAX];
    size_t count = 0;
    memset(sorted, 0, sizeof sorted);
    for (size_t k = 0; k < found->distinct; k++) {
        if (found->value_rows[k] >= REHA_FEATURE_ROWS_MIN &&
            strlen(found->values[k]) < REHA_FEATURE_TEXT_BYTES) {
            (void)snprintf(sorted[count++].key, REHA_FEATURE_TEXT_BYTES, "%s", found->values[k]);
        }
    }
    qsort(sorted, count, sizeof sorted[0], by_text);
    for (size_t k = 0; k < count; k++) {
        memcpy(feature->levels[k], sorted[k].key, REHA_FEATURE_TEXT_BYTES);
    }
    feature->level_count = count;
}

/* NULL if the column is used (then *feature is filled), else why not. */
static const char *judge(const survey *found, size_t rows, reha_feature *feature)
{
    const double known = (double)(found->numbers + found->texts);
    if (found->numbers + found->texts == 0) {
        return "empty";
    }
    if (found->distinct == 1) {
        return "constant";
    }
    if (rows - found->missing < REHA_FEATURE_ROWS_MIN) {
        return "known in fewer than 30 rows";
    }
    if (found->commas > 0 && (double)(found->numbers + found->commas) >= NUMBER_SHARE * known) {
        return "numbers with a decimal comma: write a point, as in 3.5";
    }
    const bool is_number = (double)found->numbers >= NUMBER_SHARE * known;
    if (is_number && !(found->is_whole && found->distinct <= WHOLE_LEVELS_MAX)) {
        feature->kind = REHA_FEATURE_NUMBER;
        feature->low = found->low;
        feature->high = found->high;
        return found->low < found->high ? NULL : "constant";
    }
    if (found->distinct > REHA_FEATURE_LEVELS_MAX) {
        return "text with more than 24 values: free text or an identifier";
    }
    feature->kind = REHA_FEATURE_CATEGORY;
    feature->is_group = true;
    add_levels(found, feature);
    return feature->level_count >= 2 ? NULL : "fewer than two values with at least 30 rows";
}

static json_t *column_to_json(const char *name, const survey *found, const reha_feature *feature,
                              const char *reason)
{
    const bool is_number = reason == NULL && feature->kind == REHA_FEATURE_NUMBER;
    json_t *one =
        json_pack("{s:o, s:b, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "column", reha_json_text(name), "used",
                  reason == NULL ? 1 : 0, "kind",
                  reason != NULL ? json_null() : json_string(is_number ? "number" : "category"), "reason",
                  reason != NULL ? json_string(reason) : json_null(), "missing", (json_int_t)found->missing,
                  "suppressed", (json_int_t)found->suppressed, "unreadable",
                  (json_int_t)(is_number ? found->texts : 0), "implausible",
                  (json_int_t)(is_number ? found->implausible : 0), "distinct", (json_int_t)found->distinct);
    if (found->distinct > DISTINCT_MAX) {
        (void)json_object_set_new(one, "distinct", json_string("more than 64"));
    }
    return one;
}

reha_status reha_own_describe(const reha_csv *csv, const char *target, reha_feature **features, size_t *count,
                              json_t **cleaning, reha_error *err)
{
    reha_status status = REHA_OK;
    int target_column = 0;
    survey found;
    *features = NULL;
    *count = 0;
    *cleaning = NULL;
    REHA_TRY(reha_csv_need(csv, target, &target_column, err));
    json_t *columns = json_array();
    reha_feature *made = reha_alloc_zero(REHA_FEATURES_MAX + 1, sizeof *made);
    double *numbers = reha_alloc_zero(reha_csv_rows(csv) + 1, sizeof *numbers);
    if (made == NULL || numbers == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a table");
        goto done;
    }
    for (size_t c = 0; c < reha_csv_columns(csv); c++) {
        const char *name = reha_csv_header(csv, c);
        reha_feature *feature = &made[*count];
        if ((int)c == target_column || strcmp(name, PATIENT_COLUMN) == 0) {
            continue;
        }
        memset(feature, 0, sizeof *feature);
        look_at(csv, (int)c, &found, numbers);
        const char *reason = judge(&found, reha_csv_rows(csv), feature);
        if (strlen(name) == 0 || strlen(name) >= sizeof feature->key ||
            reha_feature_find(made, *count, name) >= 0) {
            reason = "its name is empty, longer than 63 bytes, or used twice";
        } else if (reason == NULL && *count == REHA_FEATURES_MAX) {
            reason = "more columns than a model can hold (96)";
        }
        if (reason == NULL) {
            (void)snprintf(feature->key, sizeof feature->key, "%s", name);
            (void)snprintf(feature->title, sizeof feature->title, "%s", name);
            (*count)++;
        }
        (void)json_array_append_new(columns, column_to_json(name, &found, feature, reason));
    }
    if (*count == 0) {
        const json_t *first = json_array_get(columns, 0);
        status = reha_fail(err, REHA_E_REFUSED, "no column but '%.60s' can be learnt from%s%.60s%s%s", target,
                           first != NULL ? "; the first, '" : "", reha_json_string(first, "column", ""),
                           first != NULL ? "': " : "", reha_json_string(first, "reason", ""));
        goto done;
    }
    *features = made;
    *cleaning = columns;
    made = NULL;
    columns = NULL;
done:
    reha_free(made);
    reha_free(numbers);
    json_decref(columns);
    return status;
}

/* A small open-addressing set that numbers texts in the order of their first appearance. */
typedef struct numbering {
    const char **texts;
    uint32_t *numbers;
    size_t capacity;
    uint32_t count;
} numbering;

static uint32_t number_of(numbering *all, const char *text)
{
    size_t slot = (size_t)(reha_hash64_text(text) % all->capacity);
    while (all->texts[slot] != NULL && strcmp(all->texts[slot], text) != 0) {
        slot = (slot + 1) % all->capacity;
    }
    if (all->texts[slot] == NULL) {
        all->texts[slot] = text;
        all->numbers[slot] = all->count++;
    }
    return all->numbers[slot];
}

static void read_value(const reha_feature *feature, const reha_csv *csv, size_t row, int column, float *out)
{
    const char *cell = reha_csv_get(csv, row, column);
    double value = 0.0;
    *out = NAN;
    if (is_unknown(cell)) {
        return;
    }
    if (feature->kind == REHA_FEATURE_CATEGORY) {
        const int level = reha_feature_level(feature, cell);
        *out = level >= 0 ? (float)level : NAN;
    } else if (reha_csv_number(csv, row, column, &value)) {
        *out = (float)value;
    }
}

static reha_status read_row(const reha_csv *csv, size_t row, int target, int patient, const int *columns,
                            reha_table *table, numbering *patients, reha_own_counts *counts, reha_error *err)
{
    const char *cell = reha_csv_get(csv, row, target);
    double outcome = 0.0;
    size_t made = 0;
    counts->rows++;
    if (is_unknown(cell)) {
        counts->no_outcome++;
        return REHA_OK;
    }
    if (!reha_csv_number(csv, row, target, &outcome)) {
        return reha_fail(
            err, REHA_E_FORMAT, "line %zu: the outcome '%.20s' is no number%s", reha_csv_line(csv, row), cell,
            reha_parse_decimal_comma(cell, &outcome) ? ": write a decimal point, as in 3.5" : "");
    }
    REHA_TRY(reha_table_add_row(table, &made, err));
    table->y[made] = outcome;
    table->line_no[made] = (uint32_t)(reha_csv_line(csv, row));
    for (size_t j = 0; j < table->feature_count; j++) {
        read_value(&table->features[j], csv, row, columns[j], &table->x[made * table->feature_count + j]);
    }
    if (patient >= 0) {
        table->patient[made] = number_of(patients, reha_csv_get(csv, row, patient));
    }
    return REHA_OK;
}

reha_status reha_own_read(const reha_csv *csv, const char *target, const reha_feature *features, size_t count,
                          reha_table **out, reha_own_counts *counts, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_table *table = NULL;
    numbering patients = {.capacity = 2 * reha_csv_rows(csv) + 1};
    int columns[REHA_FEATURES_MAX];
    int target_column = 0;
    *out = NULL;
    *counts = (reha_own_counts){0};
    REHA_TRY(reha_csv_need(csv, target, &target_column, err));
    for (size_t j = 0; j < count; j++) {
        REHA_TRY(reha_csv_need(csv, features[j].key, &columns[j], err));
    }
    const int patient = reha_csv_find(csv, PATIENT_COLUMN);
    patients.texts = reha_alloc_zero(patients.capacity, sizeof *patients.texts);
    patients.numbers = reha_alloc_zero(patients.capacity, sizeof *patients.numbers);
    if (patients.texts == NULL || patients.numbers == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a table");
        goto done;
    }
    REHA_CHECK(reha_table_new(features, count, &table, err));
    for (size_t row = 0; row < reha_csv_rows(csv); row++) {
        REHA_CHECK(read_row(csv, row, target_column, patient, columns, table, &patients, counts, err));
    }
    *out = table;
    table = NULL;
done:
    reha_table_free(table);
    reha_free(patients.texts);
    reha_free(patients.numbers);
    return status;
}

void reha_own_clean(reha_table *table)
{
    for (size_t j = 0; j < table->feature_count; j++) {
        const reha_feature *feature = &table->features[j];
        for (size_t i = 0; feature->kind == REHA_FEATURE_NUMBER && i < table->row_count; i++) {
            float *value = &table->x[i * table->feature_count + j];
            if ((double)*value < feature->low || (double)*value > feature->high) {
                *value = NAN;
            }
        }
    }
}

void reha_own_design(const char *target, reha_outcome_design *out)
{
    memset(out, 0, sizeof *out);
    (void)snprintf(out->task, sizeof out->task, "outcome");
    (void)snprintf(out->title, sizeof out->title, "'%.60s', learnt from the clinic's own table", target);
    (void)snprintf(out->target, sizeof out->target, "%s", target);
    (void)snprintf(out->unit, sizeof out->unit, "units of the table");
    out->low = out->high = (double)NAN;
    out->axis_count = 1;
    out->axes[0] = (reha_outcome_axis){.feature = REHA_AXIS_EXPECTED};
}
