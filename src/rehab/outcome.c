#include "rehab/outcome.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void reha_outcome_model_free(reha_outcome_model *model)
{
    if (model != NULL) {
        reha_free(model->features);
        reha_linear_clear(&model->linear);
        reha_boost_free(model->boost);
        reha_spread_clear(&model->spread);
        reha_free(model->strata);
        reha_free(model);
    }
}

static double within(const reha_outcome_model *model, double value)
{
    return fmin(model->spread.high, fmax(model->spread.low, value));
}

reha_status reha_outcome_expect(reha_outcome_model *model, const float *x, size_t rows, double *out,
                                reha_error *err)
{
    if (model->boost != NULL) {
        REHA_TRY(reha_boost_predict(model->boost, x, rows, 0, out, err));
    }
    for (size_t i = 0; i < rows; i++) {
        const double raw =
            model->boost != NULL ? out[i] : reha_linear_predict(&model->linear, x + i * model->feature_count);
        out[i] = within(model, raw + model->shift);
    }
    return REHA_OK;
}

reha_status reha_outcome_check(const reha_outcome_model *model, const float *x, reha_error *err)
{
    for (size_t j = 0; j < model->feature_count; j++) {
        REHA_TRY(reha_feature_check(&model->features[j], (double)x[j], err));
    }
    return REHA_OK;
}

/* What a goal asks for in the row: its points, above the value of its feature. NaN where that is not known.
 */
static double goal_value(const reha_outcome_design *design, const reha_feature *features, size_t count,
                         size_t g, const float *x)
{
    const reha_outcome_goal *goal = &design->goals[g];
    if (goal->above[0] == '\0') {
        return goal->points;
    }
    const int j = reha_feature_find(features, count, goal->above);
    return j >= 0 ? (double)x[j] + goal->points : (double)NAN;
}

bool reha_outcome_reaches(const reha_outcome_design *design, const reha_feature *features, size_t count,
                          size_t g, const float *x, double y, bool *is_known)
{
    const double value = goal_value(design, features, count, g, x);
    *is_known = !isnan(value);
    return *is_known && y >= value;
}

void reha_outcome_describe(const reha_outcome_model *model, const float *x, double expected,
                           reha_outcome_prediction *out)
{
    memset(out, 0, sizeof *out);
    out->expected = expected;
    out->base = (double)NAN;
    reha_spread_cdf(&model->spread, expected, out->cdf);
    out->median = reha_spread_quantile(&model->spread, out->cdf, 0.5);
    out->median = within(model, model->spread.is_whole ? round(out->median) : out->median);
    reha_spread_intervals(&model->spread, out->cdf, x, out->low, out->high);
    for (size_t g = 0; g < model->design.goal_count; g++) {
        const double value = goal_value(&model->design, model->features, model->feature_count, g, x);
        out->reached[g] = isnan(value) ? value : reha_spread_chance(&model->spread, out->cdf, value);
    }
    const unsigned all = (1U << model->design.axis_count) - 1U;
    const reha_outcome_stratum *naive = reha_outcome_stratum_of(model, x, expected, all & ~1U);
    out->naive = naive != NULL ? naive->mean : model->linear.base;
    out->naive_rows = naive != NULL ? naive->rows : model->rows;
}

reha_status reha_outcome_predict(reha_outcome_model *model, const float *x, reha_outcome_prediction *out,
                                 reha_error *err)
{
    double expected = 0.0;
    double contribution[REHA_FEATURES_MAX + 1] = {0.0};
    memset(out, 0, sizeof *out);
    REHA_TRY(reha_outcome_check(model, x, err));
    REHA_TRY(reha_outcome_expect(model, x, 1, &expected, err));
    if (model->boost != NULL) {
        REHA_TRY(reha_boost_explain(model->boost, x, contribution, err));
    } else {
        reha_linear_explain(&model->linear, x, contribution);
        contribution[model->feature_count] = model->linear.base;
    }
    reha_outcome_describe(model, x, expected, out);
    double sum = contribution[model->feature_count] + model->shift;
    out->base = sum;
    for (size_t j = 0; j < model->feature_count; j++) {
        out->contribution[j] = contribution[j];
        sum += contribution[j];
    }
    out->is_clipped = sum < model->spread.low || sum > model->spread.high;
    return REHA_OK;
}

static json_t *goal_to_json(const reha_outcome_model *model, size_t g, const float *x, double chance)
{
    const reha_outcome_goal *goal = &model->design.goals[g];
    const double needed = goal_value(&model->design, model->features, model->feature_count, g, x);
    return json_pack("{s:s, s:o, s:b, s:o, s:s}", "goal", goal->name, "score_needed", reha_json_real(needed),
                     "reachable", needed <= model->spread.high ? 1 : 0, "chance", reha_json_real(chance),
                     "source", goal->source);
}

/* The score before, above which a goal asks for an improvement; NaN: the model knows none. */
static double score_before(const reha_outcome_model *model, const float *x)
{
    for (size_t g = 0; g < model->design.goal_count; g++) {
        const int j = reha_feature_find(model->features, model->feature_count, model->design.goals[g].above);
        if (j >= 0) {
            return (double)x[j];
        }
    }
    return (double)NAN;
}

/* Patients alike in age, sex and score are no example where hardly any of them had this operation. */
static bool had_another_operation(const reha_outcome_model *model, const float *x)
{
    static const char key[] = "procedure";
    static const double rare_share = 0.1;
    const int j = reha_feature_find(model->features, model->feature_count, key);
    if (j < 0 || model->features[j].kind != REHA_FEATURE_CATEGORY || isnan(x[j])) {
        return false;
    }
    for (size_t a = 0; a < model->design.axis_count; a++) {
        if (model->design.axes[a].feature == j) {
            return false;
        }
    }
    return (double)model->features[j].level_rows[(size_t)x[j]] < rare_share * (double)model->rows;
}

static json_t *stratum_to_json(const reha_outcome_model *model, const reha_outcome_stratum *stratum,
                               const float *x)
{
    char text[REHA_OUTCOME_TEXT_BYTES];
    if (stratum == NULL || had_another_operation(model, x)) {
        return json_null();
    }
    reha_outcome_stratum_text(model, stratum, text, sizeof text);
    json_t *goals = json_array();
    for (size_t g = 0; g < model->design.goal_count; g++) {
        if (goal_value(&model->design, model->features, model->feature_count, g, x) > model->spread.high) {
            continue; /* they could reach what this patient cannot */
        }
        (void)json_array_append_new(goals, json_pack("{s:s, s:o}", "goal", model->design.goals[g].name,
                                                     "share", reha_json_real(stratum->reached[g])));
    }
    return json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:o}", "alike_in", text, "patients",
                     (json_int_t)stratum->rows, "mean", stratum->mean, "q10", stratum->quantile[0], "q25",
                     stratum->quantile[1], "median", stratum->quantile[2], "q75", stratum->quantile[3], "q90",
                     stratum->quantile[4], "goals", goals);
}

static json_t *contributions_to_json(const reha_outcome_model *model, const float *x,
                                     const reha_outcome_prediction *prediction)
{
    json_t *array = json_array();
    for (size_t j = 0; j < model->feature_count; j++) {
        char value[REHA_FEATURE_TEXT_BYTES];
        reha_feature_text(&model->features[j], (double)x[j], value, sizeof value);
        (void)json_array_append_new(array,
                                    json_pack("{s:s, s:s, s:s, s:f}", "feature", model->features[j].key,
                                              "title", model->features[j].title, "value", value, "points",
                                              prediction->contribution[j]));
    }
    return array;
}

static json_t *distribution_to_json(const reha_outcome_model *model,
                                    const reha_outcome_prediction *prediction)
{
    json_t *array = json_array();
    double before = 0.0;
    for (size_t k = 0; k < model->spread.cell_count; k++) {
        (void)json_array_append_new(array, reha_json_real(prediction->cdf[k] - before));
        before = prediction->cdf[k];
    }
    return json_pack("{s:f, s:f, s:o}", "from", model->spread.edge, "cell", model->spread.width, "chances",
                     array);
}

static json_t *interval_to_json(const reha_outcome_prediction *prediction, size_t l)
{
    return json_pack("{s:f, s:f, s:f}", "level", reha_interval_levels[l], "low", prediction->low[l], "high",
                     prediction->high[l]);
}

reha_status reha_outcome_prediction_to_json(const reha_outcome_model *model, const float *x,
                                            const reha_outcome_prediction *prediction, json_t **out,
                                            reha_error *err)
{
    const unsigned all = (1U << model->design.axis_count) - 1U;
    json_t *intervals = json_array();
    json_t *goals = json_array();
    for (size_t l = 0; l < REHA_INTERVALS; l++) {
        (void)json_array_append_new(intervals, interval_to_json(prediction, l));
    }
    for (size_t g = 0; g < model->design.goal_count; g++) {
        (void)json_array_append_new(goals, goal_to_json(model, g, x, prediction->reached[g]));
    }
    json_t *naive =
        json_pack("{s:f, s:I, s:b}", "mean", prediction->naive, "patients",
                  (json_int_t)prediction->naive_rows, "model_is_better", model->beats_naive ? 1 : 0);
    json_t *why =
        json_pack("{s:f, s:b, s:o}", "base", prediction->base, "clipped", prediction->is_clipped ? 1 : 0,
                  "contributions", contributions_to_json(model, x, prediction));
    *out = json_pack("{s:i, s:s, s:s, s:s, s:o, s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", 1, "task",
                     model->design.task, "target", model->design.target, "unit", model->design.unit, "before",
                     reha_json_real(score_before(model, x)), "expected", prediction->expected, "median",
                     prediction->median, "intervals", intervals, "goals", goals, "naive", naive, "similar",
                     stratum_to_json(model, reha_outcome_stratum_of(model, x, prediction->expected, all), x),
                     "distribution", distribution_to_json(model, prediction), "why", why);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a prediction");
}
