/* Do the intervals hold what they promise: on the whole, in each group, and for high and low expectations? */
#include "rehab/outcome_figures.h"
#include "rehab/outcome_figures_priv.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>

static const double TOLERANCE = 0.02;                  /* of a share covered */
static const double CHANCE = 0.05;                     /* that any group is named without cause */
static const char *const level_names[] = {"50", "90"}; /* reha_interval_levels, in per cent */
enum { BANDS = 5 };

typedef struct tally {
    size_t n;
    size_t covered[REHA_INTERVALS];
    double width[REHA_INTERVALS]; /* sums */
    double squares, bias;
} tally;

static void count_row(const reha_table *table, const reha_outcome_row *rows, size_t i, tally *out)
{
    const double y = table->y[i];
    const double error = rows[i].expected - y;
    out->n++;
    out->squares += error * error;
    out->bias += error;
    for (size_t l = 0; l < REHA_INTERVALS; l++) {
        out->covered[l] += y >= rows[i].low[l] && y <= rows[i].high[l];
        out->width[l] += rows[i].high[l] - rows[i].low[l];
    }
}

/* feature NULL: all rows; level -1: not known. */
static tally count_group(const reha_table *table, const reha_outcome_row *rows, const reha_feature *feature,
                         size_t j, int level)
{
    tally out = {0};
    for (size_t i = 0; i < table->row_count; i++) {
        const float x = table->x[i * table->feature_count + j];
        const bool is_in = feature == NULL || (level < 0 ? isnan(x) : x == (float)level);
        if (is_in && reha_outcome_counts(table, rows, i)) {
            count_row(table, rows, i, &out);
        }
    }
    return out;
}

static json_t *share(size_t hits, size_t count)
{
    double low = 0.0;
    double high = 0.0;
    reha_outcome_wilson(hits, count, &low, &high);
    return json_pack("{s:f, s:f, s:f}", "value", (double)hits / (double)count, "low", low, "high", high);
}

/* True if the share covered is further from the promise than the tolerance, and by more than the size of the
 * group explains when `tests` shares are looked at (Bonferroni). */
static bool is_beyond_chance(const tally *counted, size_t l, double tests)
{
    const double n = (double)counted->n;
    const double promise = reha_interval_levels[l];
    const double excess = fabs((double)counted->covered[l] / n - promise) - TOLERANCE;
    return excess > 0.0 && tests * erfc(excess / sqrt(2.0 * promise * (1.0 - promise) / n)) < CHANCE;
}

static json_t *tally_to_json(const tally *counted, double tests)
{
    const double n = (double)counted->n;
    json_t *out = json_pack("{s:I, s:f, s:f}", "n", (json_int_t)counted->n, "rmse",
                            sqrt(counted->squares / n), "bias", counted->bias / n);
    for (size_t l = 0; l < REHA_INTERVALS; l++) {
        char key[32];
        (void)snprintf(key, sizeof key, "coverage_%s", level_names[l]);
        (void)json_object_set_new(out, key, share(counted->covered[l], counted->n));
        (void)snprintf(key, sizeof key, "width_%s", level_names[l]);
        (void)json_object_set_new(out, key, json_real(counted->width[l] / n));
        (void)snprintf(key, sizeof key, "beyond_chance_%s", level_names[l]);
        (void)json_object_set_new(out, key, json_boolean(is_beyond_chance(counted, l, tests)));
    }
    return out;
}

typedef struct group {
    const reha_feature *feature;
    int level; /* -1: not known */
    tally counted;
} group;

/* All groups that have rows; out: room for every level of every feature, and for "not known". */
static size_t count_groups(const reha_outcome_model *model, const reha_table *table,
                           const reha_outcome_row *rows, group *out)
{
    size_t count = 0;
    for (size_t j = 0; j < model->feature_count; j++) {
        const reha_feature *feature = &model->features[j];
        for (int level = -1; feature->is_group && level < (int)feature->level_count; level++) {
            const tally counted = count_group(table, rows, feature, j, level);
            if (counted.n > 0) {
                out[count++] = (group){feature, level, counted};
            }
        }
    }
    return count;
}

static reha_status groups_to_json(const reha_outcome_model *model, const reha_table *table,
                                  const reha_outcome_row *rows, json_t **out, reha_error *err)
{
    size_t room = 0;
    for (size_t j = 0; j < model->feature_count; j++) {
        room += model->features[j].level_count + 1;
    }
    group *groups = reha_alloc_zero(room + 1, sizeof *groups);
    *out = NULL;
    if (groups == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the figures");
    }
    const size_t count = count_groups(model, table, rows, groups);
    *out = json_array();
    for (size_t g = 0; g < count; g++) {
        const group *of = &groups[g];
        json_t *one = tally_to_json(&of->counted, (double)(count * REHA_INTERVALS));
        (void)json_object_set_new(one, "feature", json_string(of->feature->key));
        (void)json_object_set_new(one, "level",
                                  of->level < 0 ? json_null() : json_string(of->feature->levels[of->level]));
        (void)json_array_append_new(*out, one);
    }
    reha_free(groups);
    return REHA_OK;
}

/* Fifths of the expected outcome: what holds in the middle may fail near the best or worst score. */
static reha_status bands_to_json(const reha_table *table, const reha_outcome_row *rows, json_t **out,
                                 reha_error *err)
{
    double edges[BANDS + 1] = {0.0};
    tally bands[BANDS] = {0};
    size_t count = 0;
    double *sorted = reha_alloc_zero(table->row_count + 1, sizeof *sorted);
    *out = NULL;
    if (sorted == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the figures");
    }
    for (size_t i = 0; i < table->row_count; i++) {
        if (reha_outcome_counts(table, rows, i)) {
            sorted[count++] = rows[i].expected;
        }
    }
    reha_outcome_sort(sorted, count);
    for (size_t b = 0; b <= BANDS && count > 0; b++) {
        edges[b] = sorted[b * (count - 1) / BANDS];
    }
    reha_free(sorted);
    for (size_t i = 0; i < table->row_count; i++) {
        if (reha_outcome_counts(table, rows, i)) {
            size_t b = 0;
            while (b + 1 < BANDS && rows[i].expected >= edges[b + 1]) {
                b++;
            }
            count_row(table, rows, i, &bands[b]);
        }
    }
    *out = json_array();
    for (size_t b = 0; b < BANDS; b++) {
        if (bands[b].n > 0) {
            json_t *one = tally_to_json(&bands[b], (double)(BANDS * REHA_INTERVALS));
            (void)json_object_set_new(one, "from", json_real(edges[b]));
            (void)json_object_set_new(one, "to", json_real(edges[b + 1]));
            (void)json_array_append_new(*out, one);
        }
    }
    return REHA_OK;
}

reha_status reha_outcome_coverage(const reha_outcome_model *model, const reha_table *table,
                                  const reha_outcome_row *rows, json_t **out, reha_error *err)
{
    json_t *groups = NULL;
    json_t *bands = NULL;
    *out = NULL;
    const tally all = count_group(table, rows, NULL, 0, -1);
    if (all.n == 0) {
        return reha_fail(err, REHA_E_REFUSED, "no row with an outcome and a prediction: nothing to measure");
    }
    REHA_TRY(groups_to_json(model, table, rows, &groups, err));
    const reha_status status = bands_to_json(table, rows, &bands, err);
    if (status != REHA_OK) {
        json_decref(groups);
        return status;
    }
    *out = json_pack("{s:o, s:o, s:o}", "coverage", tally_to_json(&all, (double)REHA_INTERVALS), "groups",
                     groups, "by_expected", bands);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
}
