#include "recognition/muscle_injury_rule.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

enum {
    GRADES = REHA_LESION_GRADES,
    FEATURES = REHA_INJURY_FEATURES,
    FOLDS = 5,
    STEPS = 1500,
    EXAMPLES_MIN = 30
};
static const double RATE = 0.3;
static const double PENALTY = 2e-3;

void reha_injury_rule_logits(const reha_injury_rule *rule, const double *features, double *logits)
{
    for (int g = 0; g < GRADES; g++) {
        logits[g] = rule->weights[g][FEATURES];
        for (int f = 0; f < FEATURES; f++) {
            logits[g] += rule->weights[g][f] * (features[f] - rule->mean[f]) / rule->sd[f];
        }
    }
}

static void softmax(double *values)
{
    double most = values[0];
    double sum = 0.0;
    for (int g = 1; g < GRADES; g++) {
        most = fmax(most, values[g]);
    }
    for (int g = 0; g < GRADES; g++) {
        values[g] = exp(values[g] - most);
        sum += values[g];
    }
    for (int g = 0; g < GRADES; g++) {
        values[g] /= sum;
    }
}

static void standardise(const reha_injury_example *examples, size_t count, reha_injury_rule *rule)
{
    for (int f = 0; f < FEATURES; f++) {
        double sum = 0.0, squares = 0.0;
        for (size_t i = 0; i < count; i++) {
            sum += examples[i].features[f];
            squares += examples[i].features[f] * examples[i].features[f];
        }
        rule->mean[f] = sum / (double)count;
        rule->sd[f] = fmax(1e-3, sqrt(fmax(0.0, squares / (double)count - rule->mean[f] * rule->mean[f])));
    }
}

/* Gradient descent on a convex loss with standardised features: slow, plain, and the same every time. Groups
 * of `left_out` (-1: none) do not teach. */
static void fit_weights(const reha_injury_example *examples, size_t count, int left_out,
                        reha_injury_rule *rule)
{
    memset(rule->weights, 0, sizeof rule->weights);
    for (int step = 0; step < STEPS; step++) {
        double gradient[GRADES][FEATURES + 1] = {{0}};
        double n = 0.0;
        for (size_t i = 0; i < count; i++) {
            double p[GRADES];
            if ((int)(examples[i].group_idx % FOLDS) == left_out) {
                continue;
            }
            reha_injury_rule_logits(rule, examples[i].features, p);
            softmax(p);
            for (int g = 0; g < GRADES; g++) {
                const double off = p[g] - (g == examples[i].grade ? 1.0 : 0.0);
                for (int f = 0; f < FEATURES; f++) {
                    gradient[g][f] += off * (examples[i].features[f] - rule->mean[f]) / rule->sd[f];
                }
                gradient[g][FEATURES] += off;
            }
            n += 1.0;
        }
        for (int g = 0; g < GRADES; g++) {
            for (int f = 0; f <= FEATURES; f++) {
                const double pull = f < FEATURES ? PENALTY * rule->weights[g][f] : 0.0;
                rule->weights[g][f] -= RATE * (gradient[g][f] / fmax(1.0, n) + pull);
            }
        }
    }
}

reha_status reha_injury_rule_fit(const reha_injury_example *examples, size_t count, reha_injury_rule *out,
                                 reha_error *err)
{
    reha_status status = REHA_OK;
    if (count < EXAMPLES_MIN) {
        return reha_fail(err, REHA_E_ARG, "%zu pictures are too few to fit grades to: at least %d are needed",
                         count, EXAMPLES_MIN);
    }
    double *logits = reha_alloc_zero(count * GRADES, sizeof *logits);
    int *grades = reha_alloc_zero(count, sizeof *grades);
    if (logits == NULL || grades == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pictures", count);
        goto done;
    }
    standardise(examples, count, out);
    for (int fold = 0; fold < FOLDS; fold++) {
        fit_weights(examples, count, fold, out);
        for (size_t i = 0; i < count; i++) {
            grades[i] = examples[i].grade;
            if ((int)(examples[i].group_idx % FOLDS) == fold) {
                reha_injury_rule_logits(out, examples[i].features, logits + i * GRADES);
            }
        }
    }
    fit_weights(examples, count, -1, out);
    const reha_ordinal_fit_options how = reha_ordinal_fit_options_default();
    REHA_CHECK(reha_ordinal_fit(logits, grades, count, GRADES, &how, &out->calibration, err));
done:
    reha_free(logits);
    reha_free(grades);
    return status;
}

static json_t *numbers(const double *values, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        (void)json_array_append_new(list, reha_json_real(values[i]));
    }
    return list;
}

reha_status reha_injury_rule_to_json(const reha_injury_rule *rule, json_t **out, reha_error *err)
{
    json_t *calibration = NULL;
    json_t *names = json_array();
    json_t *weights = json_array();
    *out = NULL;
    const reha_status status = reha_ordinal_to_json(&rule->calibration, &calibration, err);
    if (status != REHA_OK) {
        json_decref(names);
        json_decref(weights);
        return status;
    }
    for (int f = 0; f < FEATURES; f++) {
        (void)json_array_append_new(names, json_string(reha_injury_feature_name(f)));
    }
    for (int g = 0; g < GRADES; g++) {
        (void)json_array_append_new(weights, numbers(rule->weights[g], FEATURES + 1));
    }
    *out = json_pack("{s:o, s:o, s:o, s:o, s:o, s:f}", "features", names, "feature_mean",
                     numbers(rule->mean, FEATURES), "feature_sd", numbers(rule->sd, FEATURES),
                     "weights_by_grade", weights, "calibration", calibration, "region_score_min",
                     rule->score_min);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the card");
}

static reha_status read_weights(const json_t *list, reha_injury_rule *out, reha_error *err)
{
    for (size_t g = 0; g < GRADES; g++) {
        const json_t *row = json_array_get(list, g);
        if (json_array_size(row) != FEATURES + 1) {
            return reha_fail(err, REHA_E_FORMAT, "weights_by_grade: grade %zu has not %d numbers", g,
                             FEATURES + 1);
        }
        for (size_t f = 0; f <= FEATURES; f++) {
            out->weights[g][f] = json_number_value(json_array_get(row, f));
        }
    }
    return REHA_OK;
}

reha_status reha_injury_rule_from_json(const json_t *object, reha_injury_rule *out, reha_error *err)
{
    const json_t *weights = NULL;
    *out = (reha_injury_rule){0};
    REHA_TRY(reha_json_need_numbers(object, "feature_mean", FEATURES, out->mean, err));
    REHA_TRY(reha_json_need_numbers(object, "feature_sd", FEATURES, out->sd, err));
    REHA_TRY(reha_json_need_array(object, "weights_by_grade", GRADES, &weights, err));
    REHA_TRY(reha_json_need_number(object, "region_score_min", &out->score_min, err));
    REHA_TRY(read_weights(weights, out, err));
    REHA_TRY(reha_ordinal_from_json(json_object_get(object, "calibration"), &out->calibration, err));
    for (int f = 0; f < FEATURES; f++) {
        if (!(out->sd[f] > 0.0)) {
            return reha_fail(err, REHA_E_FORMAT, "feature_sd: %g is not above 0", out->sd[f]);
        }
    }
    return out->calibration.grade_count == GRADES
               ? REHA_OK
               : reha_fail(err, REHA_E_FORMAT, "calibration: %d grades, not %d", out->calibration.grade_count,
                           GRADES);
}
