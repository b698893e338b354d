#include "recognition/drift.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = REHA_DRIFT_COLUMNS_MAX, PERMUTATIONS_MAX = 100000 };

void reha_drift_table_clear(reha_drift_table *table)
{
    reha_free(table->values);
    reha_free(table->groups);
    *table = (reha_drift_table){0};
}

reha_status reha_drift_table_add(reha_drift_table *table, double **row, reha_error *err)
{
    if (table->row_count == table->row_capacity) {
        const size_t capacity = table->row_capacity == 0 ? 64 : 2 * table->row_capacity;
        double *values = reha_realloc(table->values, capacity * COLUMNS * sizeof *values);
        table->values = values != NULL ? values : table->values;
        size_t *groups = reha_realloc(table->groups, capacity * sizeof *groups);
        table->groups = groups != NULL ? groups : table->groups;
        if (values == NULL || groups == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", capacity);
        }
        table->row_capacity = capacity;
    }
    table->groups[table->row_count] = table->row_count;
    *row = table->values + table->row_count++ * COLUMNS;
    for (size_t c = 0; c < COLUMNS; c++) {
        (*row)[c] = (double)NAN;
    }
    return REHA_OK;
}

reha_drift_options reha_drift_options_default(void)
{
    return (reha_drift_options){.false_alarm_rate = 0.01, .permutations = 1999, .rows_min = 20, .seed = 1};
}

/* ---- one column ---- */

typedef struct entry {
    double value;
    size_t row; /* of the pooled table: the reference's rows first */
} entry;

typedef struct column { /* its known values in rising order */
    entry *entries;
    size_t count;
} column;

typedef struct comparison {
    const reha_drift_table *tables[2];
    column columns[COLUMNS];
    unsigned char *is_fresh;       /* per pooled row */
    unsigned char *group_is_fresh; /* per group: the label that is permuted */
    size_t *groups;                /* per pooled row */
    size_t row_count, group_count;
} comparison;

static int by_value(const void *a, const void *b)
{
    const double left = ((const entry *)a)->value;
    const double right = ((const entry *)b)->value;
    return (left > right) - (left < right);
}

static size_t fresh_count(const comparison *all, const column *one)
{
    size_t count = 0;
    for (size_t i = 0; i < one->count; i++) {
        count += all->is_fresh[one->entries[i].row];
    }
    return count;
}

/* Largest difference of the two step functions, looked at where the value changes. */
static double distance(const comparison *all, const column *one)
{
    const double fresh = (double)fresh_count(all, one);
    const double reference = (double)one->count - fresh;
    double most = 0.0;
    double below_fresh = 0.0;
    if (fresh == 0.0 || reference == 0.0) {
        return 0.0;
    }
    for (size_t i = 0; i < one->count; i++) {
        below_fresh += all->is_fresh[one->entries[i].row];
        if (i + 1 == one->count || one->entries[i + 1].value > one->entries[i].value) {
            const double below_reference = (double)(i + 1) - below_fresh;
            most = fmax(most, fabs(below_fresh / fresh - below_reference / reference));
        }
    }
    return most;
}

/* Distances of columns with few known values scatter more: this makes them comparable. */
static double scaled(const comparison *all, const column *one, double d)
{
    const double fresh = (double)fresh_count(all, one);
    const double reference = (double)one->count - fresh;
    return one->count == 0 ? 0.0 : d * sqrt(fresh * reference / (double)one->count);
}

static reha_status take_column(comparison *all, size_t c, reha_error *err)
{
    column *one = &all->columns[c];
    size_t row = 0;
    one->entries = reha_alloc(all->row_count * sizeof *one->entries);
    if (one->entries == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a column");
    }
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < all->tables[side]->row_count; i++, row++) {
            const double value = all->tables[side]->values[i * COLUMNS + c];
            if (isfinite(value)) {
                one->entries[one->count++] = (entry){value, row};
            }
        }
    }
    qsort(one->entries, one->count, sizeof *one->entries, by_value);
    return REHA_OK;
}

/* Median, or the mean of a 0/1 column, of one side; NaN where nothing is known. */
static double middle_of(const comparison *all, const column *one, bool fresh, bool is_share, size_t count)
{
    size_t seen = 0;
    double sum = 0.0;
    double lower = (double)NAN;
    for (size_t i = 0; i < one->count && count > 0; i++) {
        if ((all->is_fresh[one->entries[i].row] != 0) != fresh) {
            continue;
        }
        const double value = one->entries[i].value;
        sum += value;
        if (seen == (count - 1) / 2) {
            lower = value;
        }
        if (!is_share && seen == count / 2) {
            return 0.5 * (lower + value);
        }
        seen++;
    }
    return count > 0 ? sum / (double)count : (double)NAN;
}

static void describe(const comparison *all, size_t c, size_t rows_min, reha_drift_column *out)
{
    const column *one = &all->columns[c];
    const bool is_share = all->tables[0]->is_share[c];
    out->fresh_count = fresh_count(all, one);
    out->reference_count = one->count - out->fresh_count;
    out->reference_middle = middle_of(all, one, false, is_share, out->reference_count);
    out->fresh_middle = middle_of(all, one, true, is_share, out->fresh_count);
    const bool is_testable = out->fresh_count >= rows_min && out->reference_count >= rows_min;
    out->distance = is_testable ? distance(all, one) : (double)NAN;
    out->p = is_testable ? 1.0 : (double)NAN;
}

/* ---- all columns ---- */

/* Labels shuffled over whole groups of rows, so that columns and images that hang together stay so. */
static void permute(comparison *all, reha_random *random)
{
    for (size_t i = all->group_count; i > 1; i--) {
        const size_t j = reha_random_below(random, (uint32_t)i);
        const unsigned char kept = all->group_is_fresh[i - 1];
        all->group_is_fresh[i - 1] = all->group_is_fresh[j];
        all->group_is_fresh[j] = kept;
    }
    for (size_t i = 0; i < all->row_count; i++) {
        all->is_fresh[i] = all->group_is_fresh[all->groups[i]];
    }
}

static void test_columns(comparison *all, const reha_drift_options *options, reha_drift_report *out)
{
    double observed[COLUMNS] = {0};
    size_t as_far[COLUMNS] = {0};
    reha_random random = reha_random_init(options->seed, 0x64726966);
    for (size_t c = 0; c < out->column_count; c++) {
        observed[c] =
            isnan(out->columns[c].p) ? 0.0 : scaled(all, &all->columns[c], out->columns[c].distance);
    }
    for (int round = 0; round < options->permutations; round++) {
        double most = 0.0;
        permute(all, &random);
        for (size_t c = 0; c < out->column_count; c++) {
            if (!isnan(out->columns[c].p)) {
                const column *one = &all->columns[c];
                most = fmax(most, scaled(all, one, distance(all, one)));
            }
        }
        for (size_t c = 0; c < out->column_count; c++) {
            as_far[c] += most >= observed[c];
        }
    }
    out->p = 1.0;
    for (size_t c = 0; c < out->column_count; c++) {
        reha_drift_column *one = &out->columns[c];
        if (!isnan(one->p)) {
            one->p = (double)(as_far[c] + 1) / (double)(options->permutations + 1);
            one->is_changed = one->p <= options->false_alarm_rate;
            out->is_alarm = out->is_alarm || one->is_changed;
            out->p = fmin(out->p, one->p);
        }
    }
}

/* Pools the rows; the groups in use are numbered from 0, those of the reference first. */
static reha_status take_groups(comparison *all, reha_error *err)
{
    reha_status status = REHA_OK;
    size_t row = 0;
    all->row_count = all->tables[0]->row_count + all->tables[1]->row_count;
    size_t *number = reha_alloc(all->row_count * sizeof *number);
    all->is_fresh = reha_alloc_zero(all->row_count, sizeof *all->is_fresh);
    all->group_is_fresh = reha_alloc_zero(all->row_count, sizeof *all->group_is_fresh);
    all->groups = reha_alloc_zero(all->row_count, sizeof *all->groups);
    if (number == NULL || all->is_fresh == NULL || all->group_is_fresh == NULL || all->groups == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", all->row_count);
        goto done;
    }
    for (int side = 0; side < 2; side++) {
        const reha_drift_table *table = all->tables[side];
        for (size_t i = 0; i < table->row_count; i++) {
            number[i] = SIZE_MAX;
        }
        for (size_t i = 0; i < table->row_count; i++, row++) {
            size_t *own = &number[table->groups[i]];
            if (*own == SIZE_MAX) {
                *own = all->group_count++;
                all->group_is_fresh[*own] = (unsigned char)side;
            }
            all->groups[row] = *own;
            all->is_fresh[row] = (unsigned char)side;
        }
    }
done:
    reha_free(number);
    return status;
}

static reha_status check(const reha_drift_table *reference, const reha_drift_table *fresh,
                         const reha_drift_options *options, reha_error *err)
{
    if (!(options->false_alarm_rate > 0.0 && options->false_alarm_rate < 1.0) || options->permutations < 19 ||
        options->permutations > PERMUTATIONS_MAX || options->rows_min < 2) {
        return reha_fail(err, REHA_E_ARG,
                         "a false alarm rate between 0 and 1 and 19 to %d permutations are needed",
                         PERMUTATIONS_MAX);
    }
    if (1.0 / (options->permutations + 1) > options->false_alarm_rate) {
        return reha_fail(err, REHA_E_ARG, "%d permutations cannot show a false alarm rate of %g: take more",
                         options->permutations, options->false_alarm_rate);
    }
    bool is_same = reference->column_count == fresh->column_count && reference->column_count <= COLUMNS;
    for (size_t c = 0; is_same && c < reference->column_count; c++) {
        is_same = strcmp(reference->names[c], fresh->names[c]) == 0;
    }
    if (!is_same) {
        return reha_fail(err, REHA_E_ARG, "the two tables have different columns");
    }
    const size_t least = reference->row_count < fresh->row_count ? reference->row_count : fresh->row_count;
    if (least < options->rows_min) {
        return reha_fail(err, REHA_E_ARG,
                         "%zu images are too few to compare: at least %zu are needed on both sides", least,
                         options->rows_min);
    }
    return REHA_OK;
}

reha_status reha_drift_compare(const reha_drift_table *reference, const reha_drift_table *fresh,
                               const reha_drift_options *options, reha_drift_report *out, reha_error *err)
{
    reha_status status = REHA_OK;
    comparison all = {.tables = {reference, fresh}};
    *out = (reha_drift_report){.p = 1.0};
    REHA_TRY(check(reference, fresh, options, err));
    out->column_count = reference->column_count;
    REHA_CHECK(take_groups(&all, err));
    for (size_t c = 0; c < out->column_count; c++) {
        REHA_CHECK(take_column(&all, c, err));
        describe(&all, c, options->rows_min, &out->columns[c]);
    }
    test_columns(&all, options, out);
done:
    for (size_t c = 0; c < COLUMNS; c++) {
        reha_free(all.columns[c].entries);
    }
    reha_free(all.is_fresh);
    reha_free(all.group_is_fresh);
    reha_free(all.groups);
    return status;
}
