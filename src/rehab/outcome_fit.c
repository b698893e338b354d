#include "rehab/outcome_fit.h"

#include "base/memory.h"
#include "base/random.h"
#include "rehab/outcome_figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double RIDGE = 10.0;
static const int round_candidates[] = {50, 100, 150, 200, 300};
enum { CANDIDATES = sizeof round_candidates / sizeof round_candidates[0] };

/* Predictions of every row by models that have not seen its fold. */
typedef struct unseen {
    size_t rows;
    uint8_t *fold;
    double *regression;
    double *trees[CANDIDATES];
    double *naive;
} unseen;

reha_outcome_fit_options reha_outcome_fit_options_default(void)
{
    return (reha_outcome_fit_options){.kind = REHA_OUTCOME_AUTO, .seed = 1, .bootstrap_rounds = 500};
}

static void clear_unseen(unseen *seen)
{
    reha_free(seen->fold);
    reha_free(seen->regression);
    for (size_t c = 0; c < CANDIDATES; c++) {
        reha_free(seen->trees[c]);
    }
    reha_free(seen->naive);
}

static reha_status new_unseen(const reha_table *table, uint64_t seed, unseen *out, reha_error *err)
{
    const size_t n = table->row_count;
    unseen seen = {.rows = n};
    seen.fold = reha_alloc_zero(n, sizeof *seen.fold);
    seen.regression = reha_alloc_zero(n, sizeof *seen.regression);
    seen.naive = reha_alloc_zero(n, sizeof *seen.naive);
    bool is_full = seen.fold != NULL && seen.regression != NULL && seen.naive != NULL;
    for (size_t c = 0; c < CANDIDATES; c++) {
        seen.trees[c] = reha_alloc_zero(n, sizeof *seen.trees[c]);
        is_full = is_full && seen.trees[c] != NULL;
    }
    *out = seen;
    if (!is_full) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for training");
    }
    for (size_t i = 0; i < n; i++) { /* the fold follows from the patient alone */
        reha_random random = reha_random_init(seed, table->patient[i]);
        out->fold[i] = (uint8_t)reha_random_below(&random, REHA_OUTCOME_FOLDS);
    }
    return REHA_OK;
}

static reha_status tell(const reha_outcome_fit_options *options, double share, const char *text,
                        reha_error *err)
{
    if (options->progress != NULL && !options->progress(options->context, share, text)) {
        return reha_fail(err, REHA_E_CANCELLED, "stopped on request");
    }
    return REHA_OK;
}

static reha_boost_options tree_options(const reha_table *table, const reha_outcome_fit_options *options,
                                       int rounds)
{
    reha_boost_options how = reha_boost_options_default();
    how.seed = (int)(options->seed & 0x7fffffff);
    how.rounds = rounds;
    how.child_weight_min = fmax(5.0, fmin(how.child_weight_min, (double)table->row_count / 50.0));
    return how;
}

static reha_status predict_trees(const reha_table *learn, const reha_table *rest, const size_t *rest_rows,
                                 const reha_outcome_fit_options *options, unseen *seen, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_boost *boost = NULL;
    double *out = NULL;
    const reha_boost_options how = tree_options(learn, options, round_candidates[CANDIDATES - 1]);
    out = reha_alloc_zero(rest->row_count + 1, sizeof *out);
    if (out == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for training");
    }
    REHA_CHECK(reha_boost_fit(learn->x, learn->y, learn->row_count, learn->feature_count, &how, &boost, err));
    for (size_t c = 0; c < CANDIDATES; c++) {
        REHA_CHECK(reha_boost_predict(boost, rest->x, rest->row_count, round_candidates[c], out, err));
        for (size_t i = 0; i < rest->row_count; i++) {
            seen->trees[c][rest_rows[i]] = out[i];
        }
    }
done:
    reha_boost_free(boost);
    reha_free(out);
    return status;
}

static reha_status predict_fold(const reha_table *table, size_t fold, const reha_outcome_fit_options *options,
                                unseen *seen, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_table *learn = NULL;
    reha_table *rest = NULL;
    reha_linear linear = {0};
    bool *keep = reha_alloc_zero(table->row_count, sizeof *keep);
    size_t *rest_rows = reha_alloc_zero(table->row_count, sizeof *rest_rows);
    size_t rest_count = 0;
    if (keep == NULL || rest_rows == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for training");
        goto done;
    }
    for (size_t i = 0; i < table->row_count; i++) {
        keep[i] = seen->fold[i] != fold;
    }
    REHA_CHECK(reha_table_select(table, keep, &learn, err));
    for (size_t i = 0; i < table->row_count; i++) {
        keep[i] = !keep[i];
        if (keep[i]) {
            rest_rows[rest_count++] = i;
        }
    }
    REHA_CHECK(reha_table_select(table, keep, &rest, err));
    if (learn->row_count == 0) {
        status = reha_fail(err, REHA_E_REFUSED, "too few patients: a fold of training is empty");
        goto done;
    }
    reha_table_count(learn);
    REHA_CHECK(reha_linear_fit(learn, RIDGE, &linear, err));
    for (size_t i = 0; i < rest_count; i++) {
        seen->regression[rest_rows[i]] = reha_linear_predict(&linear, rest->x + i * rest->feature_count);
    }
    if (options->kind != REHA_OUTCOME_REGRESSION) {
        REHA_CHECK(predict_trees(learn, rest, rest_rows, options, seen, err));
    }
done:
    reha_linear_clear(&linear);
    reha_table_free(learn);
    reha_table_free(rest);
    reha_free(keep);
    reha_free(rest_rows);
    return status;
}

static double rmse(const reha_table *table, const double *expected)
{
    double sum = 0.0;
    for (size_t i = 0; i < table->row_count; i++) {
        sum += (expected[i] - table->y[i]) * (expected[i] - table->y[i]);
    }
    return sqrt(sum / (double)table->row_count);
}

/* 95 % interval of mean(error_a^2 - error_b^2) by a bootstrap of patients. */
static reha_status compare(const reha_table *table, const double *a, const double *b,
                           const reha_outcome_fit_options *options, double *low, double *high,
                           reha_error *err)
{
    double *gain = reha_alloc_zero(table->row_count, sizeof *gain);
    if (gain == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for training");
    }
    for (size_t i = 0; i < table->row_count; i++) {
        gain[i] = (a[i] - table->y[i]) * (a[i] - table->y[i]) - (b[i] - table->y[i]) * (b[i] - table->y[i]);
    }
    const reha_status status = reha_outcome_mean_interval(
        gain, table->patient, table->row_count, options->bootstrap_rounds, options->seed, low, high, err);
    reha_free(gain);
    return status;
}

static reha_status choose(const reha_table *table, const reha_outcome_fit_options *options,
                          const unseen *seen, reha_outcome_choice *choice, const double **expected,
                          reha_error *err)
{
    size_t best = 0;
    choice->kind = REHA_OUTCOME_REGRESSION;
    choice->rmse_regression = rmse(table, seen->regression);
    choice->rmse_trees = choice->gain_low = choice->gain_high = (double)NAN;
    *expected = seen->regression;
    if (options->kind == REHA_OUTCOME_REGRESSION) {
        return REHA_OK;
    }
    for (size_t c = 0; c < CANDIDATES; c++) {
        const bool is_asked = options->rounds > 0;
        const bool is_nearer =
            abs(round_candidates[c] - options->rounds) < abs(round_candidates[best] - options->rounds);
        if (is_asked ? is_nearer : rmse(table, seen->trees[c]) < rmse(table, seen->trees[best])) {
            best = c;
        }
    }
    choice->rounds = options->rounds > 0 ? options->rounds : round_candidates[best];
    choice->rmse_trees = rmse(table, seen->trees[best]);
    REHA_TRY(compare(table, seen->regression, seen->trees[best], options, &choice->gain_low,
                     &choice->gain_high, err));
    if (options->kind == REHA_OUTCOME_TREES || choice->gain_low > 0.0) {
        choice->kind = REHA_OUTCOME_TREES;
        *expected = seen->trees[best];
    }
    return REHA_OK;
}

/* Cuts of an axis that has none yet: fifths of the expected outcome. */
static void cut_axes(reha_outcome_model *model, const double *expected, size_t rows, double *work)
{
    for (size_t a = 0; a < model->design.axis_count; a++) {
        reha_outcome_axis *axis = &model->design.axes[a];
        if (axis->feature != REHA_AXIS_EXPECTED || axis->cut_count > 0) {
            continue;
        }
        memcpy(work, expected, rows * sizeof *work);
        reha_outcome_sort(work, rows);
        for (size_t k = 1; k < 5; k++) {
            axis->cuts[axis->cut_count++] = work[k * rows / 5];
        }
    }
}

/* Expected outcomes at the level of their own period; returns the shift to the level of the latest. */
static double anchor(const reha_table *table, const double *expected, double *out)
{
    enum { PERIODS_MAX = 64 };
    double error[PERIODS_MAX] = {0.0};
    size_t rows[PERIODS_MAX] = {0};
    uint32_t first = UINT32_MAX;
    uint32_t last = 0;
    memcpy(out, expected, table->row_count * sizeof *out);
    for (size_t i = 0; i < table->row_count; i++) {
        first = table->period[i] < first ? table->period[i] : first;
        last = table->period[i] > last ? table->period[i] : last;
    }
    if (first == last || last - first >= PERIODS_MAX) {
        return 0.0; /* one level, or numbers that are no years */
    }
    for (size_t i = 0; i < table->row_count; i++) {
        error[table->period[i] - first] += table->y[i] - expected[i];
        rows[table->period[i] - first]++;
    }
    for (size_t i = 0; i < table->row_count; i++) {
        out[i] += error[table->period[i] - first] / (double)rows[table->period[i] - first];
    }
    return error[last - first] / (double)rows[last - first];
}

static reha_status fit_rest(reha_outcome_model *model, const reha_table *table,
                            const reha_outcome_fit_options *options, const double *expected, unseen *seen,
                            reha_outcome_choice *choice, reha_error *err)
{
    reha_status status = REHA_OK;
    double low = 0.0;
    double high = 0.0;
    double *level = reha_alloc_zero(2 * table->row_count, sizeof *level);
    if (level == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for training");
    }
    model->shift = anchor(table, expected, level);
    REHA_CHECK(reha_spread_fit(table, level, options->foreseen, model->design.low, model->design.high,
                               &model->spread, err));
    cut_axes(model, level, table->row_count, level + table->row_count);
    REHA_CHECK(reha_outcome_add_strata(model, table, level, err));
    const unsigned all = (1U << model->design.axis_count) - 1U;
    for (size_t i = 0; i < table->row_count; i++) {
        const reha_outcome_stratum *naive =
            reha_outcome_stratum_of(model, table->x + i * table->feature_count, level[i], all & ~1U);
        seen->naive[i] = naive != NULL ? naive->mean : model->linear.base;
    }
    choice->rmse_naive = rmse(table, seen->naive);
    REHA_CHECK(compare(table, seen->naive, expected, options, &low, &high, err));
    model->beats_naive = low > 0.0;
done:
    reha_free(level);
    return status;
}

static reha_status new_model(const reha_outcome_design *design, const reha_table *table,
                             reha_outcome_model **out, reha_error *err)
{
    reha_outcome_model *model = reha_alloc_zero(1, sizeof *model);
    *out = model;
    if (model != NULL) {
        model->features = reha_alloc_zero(table->feature_count, sizeof *model->features);
    }
    if (model == NULL || model->features == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
    }
    memcpy(model->features, table->features, table->feature_count * sizeof *model->features);
    model->feature_count = table->feature_count;
    model->design = *design;
    model->rows = table->row_count;
    return REHA_OK;
}

static reha_status check_rows(const reha_table *table, reha_error *err)
{
    double low = INFINITY;
    double high = -INFINITY;
    if (table->row_count < REHA_OUTCOME_ROWS_MIN) {
        return reha_fail(err, REHA_E_REFUSED,
                         "%zu rows with an outcome: at least %d are needed to train and check a model",
                         table->row_count, REHA_OUTCOME_ROWS_MIN);
    }
    for (size_t i = 0; i < table->row_count; i++) {
        low = fmin(low, table->y[i]);
        high = fmax(high, table->y[i]);
    }
    return low < high ? REHA_OK
                      : reha_fail(err, REHA_E_REFUSED,
                                  "all rows have the same outcome: there is nothing to predict");
}

reha_status reha_outcome_fit(const reha_outcome_design *design, const reha_table *table,
                             const reha_outcome_fit_options *options, reha_outcome_model **out,
                             reha_outcome_choice *choice, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_outcome_model *model = NULL;
    unseen seen = {0};
    const double *expected = NULL;
    *out = NULL;
    *choice = (reha_outcome_choice){0};
    REHA_TRY(check_rows(table, err));
    REHA_CHECK(new_unseen(table, options->seed, &seen, err));
    for (size_t fold = 0; fold < REHA_OUTCOME_FOLDS; fold++) {
        char text[48];
        (void)snprintf(text, sizeof text, "fold %zu of %d", fold + 1, REHA_OUTCOME_FOLDS);
        REHA_CHECK(tell(options, (double)fold / (REHA_OUTCOME_FOLDS + 1), text, err));
        REHA_CHECK(predict_fold(table, fold, options, &seen, err));
    }
    REHA_CHECK(tell(options, (double)REHA_OUTCOME_FOLDS / (REHA_OUTCOME_FOLDS + 1), "all rows", err));
    REHA_CHECK(choose(table, options, &seen, choice, &expected, err));
    REHA_CHECK(new_model(design, table, &model, err));
    REHA_CHECK(reha_linear_fit(table, RIDGE, &model->linear, err));
    REHA_CHECK(fit_rest(model, table, options, expected, &seen, choice, err));
    if (choice->kind == REHA_OUTCOME_TREES) {
        const reha_boost_options how = tree_options(table, options, choice->rounds);
        REHA_CHECK(reha_boost_fit(table->x, table->y, table->row_count, table->feature_count, &how,
                                  &model->boost, err));
    }
    *out = model;
    model = NULL;
done:
    reha_outcome_model_free(model);
    clear_unseen(&seen);
    return status;
}

reha_status reha_outcome_foresee(reha_outcome_model *model, const reha_table *table, uint32_t period,
                                 double *out, reha_error *err)
{
    double cdf[REHA_SPREAD_CELLS_MAX];
    double *expected = reha_alloc_zero(table->row_count + 1, sizeof *expected);
    if (expected == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for training");
    }
    const reha_status status = reha_outcome_expect(model, table->x, table->row_count, expected, err);
    for (size_t i = 0; status == REHA_OK && i < table->row_count; i++) {
        double *one = out + i * REHA_INTERVALS;
        reha_spread_cdf(&model->spread, expected[i], cdf);
        reha_spread_outside(&model->spread, cdf, table->x + i * table->feature_count, table->y[i], one);
        for (size_t l = 0; l < REHA_INTERVALS && table->period[i] != period; l++) {
            one[l] = (double)NAN;
        }
    }
    reha_free(expected);
    return status;
}
