#include "rehab/outcome_pairs.h"

#include "base/memory.h"
#include "base/random.h"
#include "rehab/outcome_figures.h"
#include "rehab/outcome_figures_priv.h"
#include "rehab/outcome_linear.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const keys[REHA_PAIR_FEATURES] = {"kl", "expected_grade", "jsw_min_ratio"};
/* About one standard deviation each, so that the ridge treats them alike. */
static const double scales[REHA_PAIR_FEATURES] = {1.0, 1.0, 0.02};
static const double RIDGE = 1.0;
/* KL alone first; all others hold it. */
static const unsigned masks[] = {1U << REHA_PAIR_KL, 1U << REHA_PAIR_KL | 1U << REHA_PAIR_JOINT_SPACE,
                                 1U << REHA_PAIR_KL | 1U << REHA_PAIR_IMAGE_GRADE,
                                 1U << REHA_PAIR_KL | 1U << REHA_PAIR_IMAGE_GRADE |
                                     1U << REHA_PAIR_JOINT_SPACE};
static const char *const mask_names[] = {"KL grade alone", "KL grade and joint space",
                                         "KL grade and grade of the picture",
                                         "KL grade, grade of the picture and joint space"};
enum { MODELS = sizeof masks / sizeof masks[0], STEPS_MAX = 50 };

/* A matched pair: case less control, in units of `scales`. */
typedef struct pair {
    double difference[REHA_PAIR_FEATURES];
    double control[REHA_PAIR_FEATURES];
    uint32_t patient[2];
    uint32_t group; /* pairs that share a person */
} pair;

const char *reha_pair_key(size_t feature)
{
    return keys[feature];
}

static int by_stratum(const void *a, const void *b)
{
    const reha_knee_row *left = a;
    const reha_knee_row *right = b;
    if (left->stratum != right->stratum) {
        return left->stratum < right->stratum ? -1 : 1;
    }
    return (left->is_case < right->is_case) - (left->is_case > right->is_case); /* the case first */
}

static size_t make_pairs(const reha_knee_row *sorted, size_t count, pair *out)
{
    size_t made = 0;
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && sorted[to].stratum == sorted[from].stratum; to++) {
        }
        if (to - from != 2 || !sorted[from].is_case || sorted[from + 1].is_case) {
            continue;
        }
        pair *one = &out[made++];
        for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
            one->control[f] = sorted[from + 1].x[f] / scales[f];
            one->difference[f] = sorted[from].x[f] / scales[f] - one->control[f];
        }
        one->patient[0] = sorted[from].patient;
        one->patient[1] = sorted[from + 1].patient;
    }
    return made;
}

/* The smallest number spreads over pairs that share a person until nothing changes. */
static void make_groups(pair *pairs, size_t count)
{
    bool has_changed = true;
    for (size_t i = 0; i < count; i++) {
        pairs[i].group = (uint32_t)i;
    }
    while (has_changed) {
        has_changed = false;
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < i; j++) {
                const bool is_shared = pairs[i].patient[0] == pairs[j].patient[0] ||
                                       pairs[i].patient[0] == pairs[j].patient[1] ||
                                       pairs[i].patient[1] == pairs[j].patient[0] ||
                                       pairs[i].patient[1] == pairs[j].patient[1];
                if (is_shared && pairs[i].group != pairs[j].group) {
                    const uint32_t least = pairs[i].group < pairs[j].group ? pairs[i].group : pairs[j].group;
                    pairs[i].group = pairs[j].group = least;
                    has_changed = true;
                }
            }
        }
    }
}

static double score_of(const double *b, const double *x)
{
    double sum = 0.0;
    for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
        sum += b[f] != 0.0 ? b[f] * x[f] : 0.0; /* what is not used may be unknown */
    }
    return sum;
}

/* Newton's method on the conditional likelihood, the pairs weighted; features outside the mask stay 0. */
static void fit_pairs(const pair *pairs, const double *weight, size_t count, unsigned mask, double *b)
{
    memset(b, 0, REHA_PAIR_FEATURES * sizeof *b);
    for (int step = 0; step < STEPS_MAX; step++) {
        double a[REHA_PAIR_FEATURES * REHA_PAIR_FEATURES] = {0.0};
        double g[REHA_PAIR_FEATURES];
        double moved = 0.0;
        for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
            const bool is_used = (mask >> f & 1U) != 0;
            a[f * REHA_PAIR_FEATURES + f] = is_used ? RIDGE : 1.0;
            g[f] = is_used ? -RIDGE * b[f] : 0.0;
        }
        for (size_t i = 0; i < count; i++) {
            const double p = 1.0 / (1.0 + exp(-score_of(b, pairs[i].difference)));
            for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
                const double x = (mask >> f & 1U) != 0 ? pairs[i].difference[f] : 0.0;
                g[f] += weight[i] * (1.0 - p) * x;
                for (size_t k = 0; k <= f; k++) {
                    const double other = (mask >> k & 1U) != 0 ? pairs[i].difference[k] : 0.0;
                    a[f * REHA_PAIR_FEATURES + k] += weight[i] * p * (1.0 - p) * x * other;
                }
            }
        }
        if (!reha_solve_positive(a, g, REHA_PAIR_FEATURES)) {
            assert(0 && "a ridge makes the matrix positive");
            return;
        }
        for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
            b[f] += g[f];
            moved = fmax(moved, fabs(g[f]));
        }
        if (moved < 1e-9) {
            return;
        }
    }
}

static double log_mean_of(const pair *pairs, const double *weight, size_t count, const double *b)
{
    double sum = 0.0;
    double total = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += weight[i] * exp(score_of(b, pairs[i].control));
        total += weight[i];
    }
    return log(sum / total);
}

/* Scores of all pairs by models that have not seen their group. */
static void leave_out(const pair *pairs, size_t count, unsigned mask, double *weight, double *score)
{
    double b[REHA_PAIR_FEATURES];
    for (size_t i = 0; i < count; i++) {
        if (pairs[i].group != i) {
            continue; /* done with the first pair of its group */
        }
        for (size_t j = 0; j < count; j++) {
            weight[j] = pairs[j].group == i ? 0.0 : 1.0;
        }
        fit_pairs(pairs, weight, count, mask, b);
        for (size_t j = 0; j < count; j++) {
            if (pairs[j].group == i) {
                score[j] = score_of(b, pairs[j].difference);
            }
        }
    }
}

static double win(double score)
{
    return score > 0.0 ? 1.0 : score == 0.0 ? 0.5 : 0.0;
}

static double log_loss(const double *score, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += log1p(exp(-score[i]));
    }
    return sum / (double)count;
}

/* Mean of value and its 95 % interval by a bootstrap of groups. */
static reha_status with_interval(const double *value, const uint32_t *group, size_t count, int rounds,
                                 uint64_t seed, double *low, json_t **out, reha_error *err)
{
    double mean = 0.0;
    double high = 0.0;
    for (size_t i = 0; i < count; i++) {
        mean += value[i] / (double)count;
    }
    REHA_TRY(reha_outcome_mean_interval(value, group, count, rounds, seed, low, &high, err));
    *out = json_pack("{s:f, s:o, s:o}", "value", mean, "low", reha_json_real(*low), "high",
                     reha_json_real(high));
    return REHA_OK;
}

/* Figures of one combination against the baseline's scores. */
static reha_status figures_of(const pair *pairs, size_t count, size_t m, const double *score,
                              const double *base, int rounds, uint64_t seed, bool adds[2], json_t **out,
                              reha_error *err)
{
    reha_status status = REHA_OK;
    double low = 0.0;
    json_t *auc = NULL;
    json_t *gain = NULL;
    json_t *loss_gain = NULL;
    double *value = reha_alloc_zero(count, sizeof *value);
    uint32_t *group = reha_alloc_zero(count, sizeof *group);
    if (value == NULL || group == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the figures");
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        group[i] = pairs[i].group;
        value[i] = win(score[i]);
    }
    REHA_CHECK(with_interval(value, group, count, rounds, seed, &low, &auc, err));
    for (size_t i = 0; i < count; i++) {
        value[i] = log1p(exp(-base[i])) - log1p(exp(-score[i]));
    }
    REHA_CHECK(with_interval(value, group, count, rounds, seed, &low, &loss_gain, err));
    adds[1] = low > 0.0;
    for (size_t i = 0; i < count; i++) {
        value[i] = win(score[i]) - win(base[i]);
    }
    REHA_CHECK(with_interval(value, group, count, rounds, seed, &low, &gain, err));
    adds[0] = low > 0.0;
    *out =
        json_pack("{s:s, s:O, s:f, s:O, s:O}", "model", mask_names[m], "auc_within_strata", auc, "log_loss",
                  log_loss(score, count), "auc_gain_on_kl", gain, "log_loss_gain_on_kl", loss_gain);
done:
    json_decref(auc);
    json_decref(gain);
    json_decref(loss_gain);
    reha_free(value);
    reha_free(group);
    return status;
}

static void draw_weights(size_t count, uint64_t seed, uint64_t round, double *weight)
{
    reha_random random = reha_random_init(seed, round);
    memset(weight, 0, count * sizeof *weight);
    for (size_t i = 0; i < count; i++) {
        weight[reha_random_below(&random, (uint32_t)count)] += 1.0;
    }
}

static void fit_with_draws(const pair *pairs, size_t count, unsigned mask, uint64_t seed, double *weight,
                           reha_pairs_fit *out)
{
    out->mask = mask;
    for (size_t i = 0; i < count; i++) {
        weight[i] = 1.0;
    }
    fit_pairs(pairs, weight, count, mask, out->b);
    out->log_mean = log_mean_of(pairs, weight, count, out->b);
    for (size_t d = 0; d < REHA_PAIR_DRAWS; d++) {
        double *drawn = out->draws[d];
        draw_weights(count, seed, d, weight);
        fit_pairs(pairs, weight, count, mask, drawn);
        drawn[REHA_PAIR_FEATURES] = log_mean_of(pairs, weight, count, drawn);
        for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
            drawn[f] /= scales[f];
        }
    }
    for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
        out->b[f] /= scales[f];
    }
}

static void find_ranges(const pair *pairs, size_t count, reha_pairs_model *out)
{
    for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
        out->low[f] = INFINITY;
        out->high[f] = -INFINITY;
        for (size_t i = 0; i < count; i++) {
            const double control = pairs[i].control[f] * scales[f];
            const double replaced = control + pairs[i].difference[f] * scales[f];
            out->low[f] = fmin(out->low[f], fmin(control, replaced));
            out->high[f] = fmax(out->high[f], fmax(control, replaced));
            out->control_mean[f] += control / (double)count;
        }
    }
}

static reha_status train(const pair *pairs, size_t count, uint64_t seed, int rounds, reha_pairs_model *out,
                         json_t *figures, reha_error *err)
{
    reha_status status = REHA_OK;
    size_t best = 1;
    bool adds[MODELS][2] = {{false}};
    double loss[MODELS];
    double *work = reha_alloc_zero((MODELS + 1) * count, sizeof *work);
    if (work == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for training");
    }
    double *weight = work + MODELS * count;
    for (size_t m = 0; m < MODELS; m++) {
        json_t *one = NULL;
        double *score = work + m * count;
        leave_out(pairs, count, masks[m], weight, score);
        loss[m] = log_loss(score, count);
        REHA_CHECK(figures_of(pairs, count, m, score, work, rounds, seed, adds[m], &one, err));
        (void)json_array_append_new(figures, one);
        best = m > 0 && loss[m] < loss[best] ? m : best;
    }
    out->pairs = count;
    out->ranks_better = adds[best][0];
    out->odds_better = adds[best][1];
    find_ranges(pairs, count, out);
    fit_with_draws(pairs, count, masks[0], seed, weight, &out->grade);
    fit_with_draws(pairs, count, masks[best], seed, weight, &out->full);
    (void)json_array_append_new(figures, json_pack("{s:s}", "kept", mask_names[best]));
done:
    reha_free(work);
    return status;
}

reha_status reha_pairs_train(const reha_knee_row *rows, size_t count, uint64_t seed, int bootstrap_rounds,
                             reha_pairs_model *out, json_t **report, reha_error *err)
{
    reha_status status = REHA_OK;
    memset(out, 0, sizeof *out);
    *report = NULL;
    reha_knee_row *sorted = reha_alloc_zero(count + 1, sizeof *sorted);
    pair *pairs = reha_alloc_zero(count + 1, sizeof *pairs);
    json_t *figures = json_array();
    if (sorted == NULL || pairs == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for training");
        goto done;
    }
    if (count > 0) {
        memcpy(sorted, rows, count * sizeof *sorted);
    }
    qsort(sorted, count, sizeof *sorted, by_stratum);
    const size_t made = make_pairs(sorted, count, pairs);
    if (made < REHA_PAIRS_MIN) {
        status =
            reha_fail(err, REHA_E_REFUSED, "%zu matched pairs: at least %d are needed", made, REHA_PAIRS_MIN);
        goto done;
    }
    make_groups(pairs, made);
    REHA_CHECK(train(pairs, made, seed, bootstrap_rounds, out, figures, err));
    *report = json_pack("{s:I, s:I, s:b, s:b, s:O}", "knees", (json_int_t)count, "pairs", (json_int_t)made,
                        "ranks_better", out->ranks_better ? 1 : 0, "odds_better", out->odds_better ? 1 : 0,
                        "models", figures);
done:
    json_decref(figures);
    reha_free(sorted);
    reha_free(pairs);
    return status;
}

/* Log likelihood ratio of a fit, and its interval if asked for. */
static double log_ratio(const reha_pairs_fit *fit, const double *x, double *low, double *high)
{
    double drawn[REHA_PAIR_DRAWS];
    for (size_t d = 0; d < REHA_PAIR_DRAWS; d++) {
        drawn[d] = score_of(fit->draws[d], x) - fit->draws[d][REHA_PAIR_FEATURES];
    }
    reha_interval_of(drawn, REHA_PAIR_DRAWS, low, high);
    return score_of(fit->b, x) - fit->log_mean;
}

static double risk_of(double prior, double log_likelihood_ratio)
{
    return 1.0 / (1.0 + (1.0 - prior) / prior * exp(-log_likelihood_ratio));
}

reha_status reha_pairs_predict(const reha_pairs_model *model, const double *x, double prior,
                               reha_progression *out, reha_error *err)
{
    double low = 0.0;
    double high = 0.0;
    memset(out, 0, sizeof *out);
    for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
        if ((model->full.mask >> f & 1U) != 0 && !(x[f] >= model->low[f] && x[f] <= model->high[f])) {
            return reha_fail(err, REHA_E_REFUSED,
                             "%s %g: outside the range of the knees the model learnt from (%.3g to %.3g)",
                             keys[f], x[f], model->low[f], model->high[f]);
        }
    }
    if (!isnan(prior) && !(prior > 0.0 && prior < 1.0)) {
        return reha_fail(err, REHA_E_ARG, "prior_9y_risk must lie between 0 and 1, both excluded");
    }
    const double log_full = log_ratio(&model->full, x, &low, &high);
    double unused[2];
    const double log_grade = log_ratio(&model->grade, x, &unused[0], &unused[1]);
    out->ratio = exp(log_full);
    out->ratio_low = exp(low);
    out->ratio_high = exp(high);
    out->grade_ratio = exp(log_grade);
    out->risk = risk_of(prior, log_full);
    out->risk_low = risk_of(prior, low);
    out->risk_high = risk_of(prior, high);
    out->grade_risk = risk_of(prior, log_grade);
    for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
        out->contribution[f] =
            model->full.b[f] != 0.0 ? model->full.b[f] * (x[f] - model->control_mean[f]) : 0.0;
    }
    return REHA_OK;
}
