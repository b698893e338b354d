#include "rehab/outcome_figures.h"
#include "rehab/outcome_figures_priv.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

/* What is summed of every row for R2 and RMSE. */
enum { N, Y, YY, MODEL, NAIVE, B_N, B_Y, B_YY, B_MODEL, B_BENCHMARK, SUMS };
/* The figures formed from these sums. */
enum { R2, RMSE, NAIVE_R2, NAIVE_RMSE, GAIN, B_R2, B_RMSE, B_MODEL_R2, B_MODEL_RMSE, B_GAIN, FIGURES };

reha_status reha_outcome_predict_rows(reha_outcome_model *model, const reha_table *table,
                                      reha_outcome_row *rows, reha_error *err)
{
    const size_t width = model->feature_count;
    double *expected = reha_alloc_zero(table->row_count + 1, sizeof *expected);
    if (expected == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for predictions");
    }
    const reha_status status = reha_outcome_expect(model, table->x, table->row_count, expected, err);
    for (size_t i = 0; status == REHA_OK && i < table->row_count; i++) {
        reha_outcome_prediction one;
        const float *x = table->x + i * width;
        reha_outcome_row *row = &rows[i];
        *row = (reha_outcome_row){0};
        for (size_t j = 0; j < width && !row->is_refused; j++) {
            row->is_refused = reha_feature_check(&model->features[j], (double)x[j], NULL) != REHA_OK;
            row->refused_feature = j;
        }
        if (!row->is_refused) {
            reha_outcome_describe(model, x, expected[i], &one);
            row->expected = one.expected;
            row->naive = one.naive;
            memcpy(row->low, one.low, sizeof row->low);
            memcpy(row->high, one.high, sizeof row->high);
            memcpy(row->reached, one.reached, sizeof row->reached);
        }
    }
    reha_free(expected);
    return status;
}

static double square(double value)
{
    return value * value;
}

static void row_sums(const reha_table *table, const reha_outcome_row *row, size_t i, double *out)
{
    const double y = table->y[i];
    const double model = square(row->expected - y);
    memset(out, 0, SUMS * sizeof *out);
    out[N] = 1.0;
    out[Y] = y;
    out[YY] = y * y;
    out[MODEL] = model;
    out[NAIVE] = square(row->naive - y);
    if (!isnan(table->benchmark[i])) {
        out[B_N] = 1.0;
        out[B_Y] = y;
        out[B_YY] = y * y;
        out[B_MODEL] = model;
        out[B_BENCHMARK] = square(table->benchmark[i] - y);
    }
}

static void figures_of(const double *sums, double *out)
{
    const double spread = sums[YY] - square(sums[Y]) / sums[N];
    const double b_spread = sums[B_YY] - square(sums[B_Y]) / sums[B_N];
    out[R2] = 1.0 - sums[MODEL] / spread;
    out[RMSE] = sqrt(sums[MODEL] / sums[N]);
    out[NAIVE_R2] = 1.0 - sums[NAIVE] / spread;
    out[NAIVE_RMSE] = sqrt(sums[NAIVE] / sums[N]);
    out[GAIN] = out[NAIVE_RMSE] - out[RMSE];
    out[B_R2] = 1.0 - sums[B_BENCHMARK] / b_spread;
    out[B_RMSE] = sqrt(sums[B_BENCHMARK] / sums[B_N]);
    out[B_MODEL_R2] = 1.0 - sums[B_MODEL] / b_spread;
    out[B_MODEL_RMSE] = sqrt(sums[B_MODEL] / sums[B_N]);
    out[B_GAIN] = out[B_RMSE] - out[B_MODEL_RMSE];
}

typedef struct estimates {
    double value[FIGURES], low[FIGURES], high[FIGURES];
    size_t rows, patients, benchmark_rows;
    double mean, bias, benchmark_bias;
} estimates;

bool reha_outcome_counts(const reha_table *table, const reha_outcome_row *rows, size_t i)
{
    return !rows[i].is_refused && !isnan(table->y[i]);
}

static reha_status resample(const double *sums, size_t patients, int rounds, uint64_t seed, estimates *out,
                            reha_error *err)
{
    double drawn[SUMS];
    double figures[FIGURES];
    double *all = reha_alloc_zero((size_t)rounds * FIGURES + 1, sizeof *all);
    if (all == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the intervals");
    }
    for (int round = 0; round < rounds; round++) {
        reha_patients_resample(sums, SUMS, patients, seed, (uint64_t)round, drawn);
        figures_of(drawn, figures);
        for (size_t f = 0; f < FIGURES; f++) {
            all[f * (size_t)rounds + (size_t)round] = figures[f];
        }
    }
    for (size_t f = 0; f < FIGURES; f++) {
        reha_interval_of(all + f * (size_t)rounds, (size_t)rounds, &out->low[f], &out->high[f]);
    }
    reha_free(all);
    return REHA_OK;
}

static reha_status estimate(const reha_table *table, const reha_outcome_row *rows, int rounds, uint64_t seed,
                            estimates *out, reha_error *err)
{
    reha_status status = REHA_OK;
    double total[SUMS] = {0.0};
    double *value = reha_alloc_zero(table->row_count * SUMS + 1, sizeof *value);
    uint32_t *patient = reha_alloc_zero(table->row_count + 1, sizeof *patient);
    double *sums = NULL;
    memset(out, 0, sizeof *out);
    if (value == NULL || patient == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the figures");
        goto done;
    }
    for (size_t i = 0; i < table->row_count; i++) {
        if (!reha_outcome_counts(table, rows, i)) {
            continue;
        }
        double *one = value + out->rows * SUMS;
        row_sums(table, &rows[i], i, one);
        for (size_t k = 0; k < SUMS; k++) {
            total[k] += one[k];
        }
        out->bias += rows[i].expected - table->y[i];
        out->benchmark_bias += isnan(table->benchmark[i]) ? 0.0 : table->benchmark[i] - table->y[i];
        patient[out->rows++] = table->patient[i];
    }
    if (out->rows < 2) {
        status = reha_fail(err, REHA_E_REFUSED,
                           "%zu rows with an outcome and a prediction: nothing to measure", out->rows);
        goto done;
    }
    out->mean = total[Y] / total[N];
    out->bias /= total[N];
    out->benchmark_rows = (size_t)total[B_N];
    out->benchmark_bias /= total[B_N];
    figures_of(total, out->value);
    REHA_CHECK(reha_patients_sum(value, SUMS, patient, out->rows, &sums, &out->patients, err));
    REHA_CHECK(resample(sums, out->patients, rounds, seed, out, err));
done:
    reha_free(value);
    reha_free(patient);
    reha_free(sums);
    return status;
}

static json_t *interval(const estimates *found, size_t figure)
{
    return json_pack("{s:o, s:o, s:o}", "value", reha_json_real(found->value[figure]), "low",
                     reha_json_real(found->low[figure]), "high", reha_json_real(found->high[figure]));
}

/* How chances of a goal compare with what came: Brier score, and observed against predicted in five bands. */
static json_t *goal_to_json(const reha_outcome_model *model, const reha_table *table,
                            const reha_outcome_row *rows, size_t g)
{
    enum { BANDS = 5 };
    static const double edges[BANDS + 1] = {0.0, 0.5, 0.7, 0.8, 0.9, 1.0};
    double n[BANDS] = {0.0};
    double chance[BANDS] = {0.0};
    double came[BANDS] = {0.0};
    double brier = 0.0;
    double total = 0.0;
    double total_came = 0.0;
    double total_chance = 0.0;
    json_t *bands = json_array();
    for (size_t i = 0; i < table->row_count; i++) {
        bool is_known = false;
        const bool has = reha_outcome_reaches(&model->design, model->features, model->feature_count, g,
                                              table->x + i * table->feature_count, table->y[i], &is_known);
        if (!reha_outcome_counts(table, rows, i) || !is_known) {
            continue;
        }
        const double p = rows[i].reached[g];
        size_t band = 0;
        while (band + 1 < BANDS && p >= edges[band + 1]) {
            band++;
        }
        n[band] += 1.0;
        chance[band] += p;
        came[band] += has;
        brier += square(p - (has ? 1.0 : 0.0));
    }
    for (size_t b = 0; b < BANDS; b++) {
        total += n[b];
        total_came += came[b];
        total_chance += chance[b];
        if (n[b] > 0.0) {
            (void)json_array_append_new(bands, json_pack("{s:f, s:f, s:I, s:f, s:f}", "from", edges[b], "to",
                                                         edges[b + 1], "n", (json_int_t)n[b], "predicted",
                                                         chance[b] / n[b], "observed", came[b] / n[b]));
        }
    }
    const double rate = total_came / total;
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "goal", model->design.goals[g].name, "n",
                     (json_int_t)total, "predicted", reha_json_real(total_chance / total), "observed",
                     reha_json_real(rate), "brier", reha_json_real(brier / total), "brier_naive",
                     reha_json_real(rate * (1.0 - rate)), "bands", bands);
}

static json_t *refusals_to_json(const reha_outcome_model *model, const reha_table *table,
                                const reha_outcome_row *rows)
{
    json_t *reasons = json_object();
    size_t refused = 0;
    for (size_t j = 0; j < model->feature_count; j++) {
        size_t count = 0;
        for (size_t i = 0; i < table->row_count; i++) {
            count += rows[i].is_refused && rows[i].refused_feature == j;
        }
        refused += count;
        if (count > 0) {
            (void)json_object_set_new(reasons, model->features[j].key, json_integer((json_int_t)count));
        }
    }
    return json_pack("{s:I, s:o}", "n", (json_int_t)refused, "by_feature", reasons);
}

static json_t *benchmark_to_json(const estimates *found)
{
    if (found->benchmark_rows < 2) {
        return json_null();
    }
    return json_pack("{s:I, s:o, s:o, s:f, s:o, s:o, s:o}", "n", (json_int_t)found->benchmark_rows, "r2",
                     interval(found, B_R2), "rmse", interval(found, B_RMSE), "bias", found->benchmark_bias,
                     "model_r2_same_rows", interval(found, B_MODEL_R2), "model_rmse_same_rows",
                     interval(found, B_MODEL_RMSE), "rmse_gain", interval(found, B_GAIN));
}

reha_status reha_outcome_report(const reha_outcome_model *model, const reha_table *table,
                                const reha_outcome_row *rows, int bootstrap_rounds, uint64_t seed,
                                json_t **out, reha_error *err)
{
    estimates found;
    *out = NULL;
    REHA_TRY(estimate(table, rows, bootstrap_rounds, seed, &found, err));
    json_t *goals = json_array();
    for (size_t g = 0; g < model->design.goal_count; g++) {
        (void)json_array_append_new(goals, goal_to_json(model, table, rows, g));
    }
    json_t *is_better = isnan(found.low[GAIN]) ? json_null() : json_boolean(found.low[GAIN] > 0.0);
    json_t *naive = json_pack("{s:o, s:o, s:o, s:o}", "r2", interval(&found, NAIVE_R2), "rmse",
                              interval(&found, NAIVE_RMSE), "rmse_gain", interval(&found, GAIN),
                              "model_is_better", is_better);
    json_t *coverage = NULL;
    const reha_status status = reha_outcome_coverage(model, table, rows, &coverage, err);
    if (status != REHA_OK) {
        json_decref(goals);
        json_decref(naive);
        return status;
    }
    *out = json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:f, s:f, s:o, s:o, s:o, s:o, s:o}", "task",
                     model->design.task, "target", model->design.target, "rows", (json_int_t)table->row_count,
                     "n", (json_int_t)found.rows, "patients", (json_int_t)found.patients, "refused",
                     refusals_to_json(model, table, rows), "mean", found.mean, "bias", found.bias, "r2",
                     interval(&found, R2), "rmse", interval(&found, RMSE), "naive", naive, "benchmark",
                     benchmark_to_json(&found), "goals", goals);
    (void)json_object_update(*out, coverage);
    json_decref(coverage);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
}
