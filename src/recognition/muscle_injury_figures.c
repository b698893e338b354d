#include "recognition/muscle_injury_figures.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double SMALL_SHARE = 0.32,
                    LARGE_SHARE = 0.71;                /* of the thickness: 10 and 50 % of a cross-section */
static const double FEW_FALSE = 0.1, MORE_FALSE = 0.5; /* false regions a picture */

reha_injury_answer reha_injury_answer_of(const reha_injury_rule *rule, const double *features)
{
    double logits[REHA_LESION_GRADES];
    reha_injury_answer to;
    reha_injury_rule_logits(rule, features, logits);
    reha_ordinal_probabilities(&rule->calibration, logits, to.probabilities);
    to.probability = 1.0 - to.probabilities[0];
    to.grade = reha_ordinal_grade(to.probabilities, REHA_LESION_GRADES);
    reha_ordinal_set(&rule->calibration, to.probabilities, &to.set_low, &to.set_high);
    return to;
}

/* ---- one detector: the network, or the plain rule ---- */

typedef struct scored {
    double score;
    size_t at;
} scored;

typedef struct detector {
    double *best_hit; /* of each picture: the surest region that hits; -1: none */
    double *image;    /* score of the picture as a whole */
    scored *wrong;    /* regions that hit nothing, falling */
    size_t wrong_count;
    scored *by_image; /* all pictures, falling */
} detector;

typedef struct figures {
    const reha_injury_show *show;
    const reha_injury_rule *rule;
    reha_injury_answer *answers;
    double *weights; /* of each picture in this round */
    double *group_weights;
    detector network, plain;
    double network_few, network_more, plain_few, plain_more; /* thresholds of this round */
} figures;

static int falling(const void *a, const void *b)
{
    const scored *left = a;
    const scored *right = b;
    return left->score != right->score ? (left->score < right->score) - (left->score > right->score)
                                       : (left->at > right->at) - (left->at < right->at);
}

static reha_status detector_new(const figures *f, bool is_plain, detector *out, reha_error *err)
{
    const size_t n = f->show->count;
    out->best_hit = reha_alloc(n * sizeof *out->best_hit);
    out->image = reha_alloc(n * sizeof *out->image);
    out->wrong = reha_alloc(n * REHA_INJURY_FOUND_MAX * sizeof *out->wrong);
    out->by_image = reha_alloc(n * sizeof *out->by_image);
    if (out->best_hit == NULL || out->image == NULL || out->wrong == NULL || out->by_image == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the figures");
    }
    for (size_t i = 0; i < n; i++) {
        const reha_injury_shown *one = &f->show->items[i];
        const reha_injury_reading *reading = is_plain ? &one->plain : &one->reading;
        const bool *hit = is_plain ? one->plain_hit : one->hit;
        out->best_hit[i] = -1.0;
        for (int k = 0; k < reading->count; k++) {
            if (hit[k]) {
                out->best_hit[i] = fmax(out->best_hit[i], reading->found[k].score);
            } else {
                out->wrong[out->wrong_count++] = (scored){reading->found[k].score, i};
            }
        }
        out->image[i] = is_plain ? reading->features[0] : f->answers[i].probability;
        out->by_image[i] = (scored){out->image[i], i};
    }
    qsort(out->wrong, out->wrong_count, sizeof *out->wrong, falling);
    qsort(out->by_image, n, sizeof *out->by_image, falling);
    return REHA_OK;
}

static void detector_clear(detector *d)
{
    reha_free(d->best_hit);
    reha_free(d->image);
    reha_free(d->wrong);
    reha_free(d->by_image);
}

/* Above this score at most `allowed` false regions a picture are told. */
static double threshold(const figures *f, const detector *d, double allowed)
{
    double total = 0.0;
    double told = 0.0;
    for (size_t i = 0; i < f->show->count; i++) {
        total += f->weights[i];
    }
    for (size_t k = 0; k < d->wrong_count; k++) {
        told += f->weights[d->wrong[k].at];
        if (told > allowed * total) {
            return d->wrong[k].score;
        }
    }
    return 0.0;
}

typedef bool takes(const reha_injury_shown *one);

/* Probability that a lesion scores higher than a picture without one, ties counted half. */
static double auc(const figures *f, const detector *d, takes *counts_as_free)
{
    double lesions = 0.0, others = 0.0, won = 0.0;
    const size_t n = f->show->count;
    for (size_t i = 0; i < n;) {
        double tied_lesions = 0.0, tied_others = 0.0;
        const double score = d->by_image[i].score;
        for (; i < n && d->by_image[i].score == score; i++) {
            const size_t at = d->by_image[i].at;
            const reha_injury_shown *one = &f->show->items[at];
            tied_lesions += one->grade > 0 ? f->weights[at] : 0.0;
            tied_others += one->grade == 0 && counts_as_free(one) ? f->weights[at] : 0.0;
        }
        won += tied_others * (lesions + 0.5 * tied_lesions);
        lesions += tied_lesions;
        others += tied_others;
    }
    return lesions > 0.0 && others > 0.0 ? won / (lesions * others) : (double)NAN;
}

/* ---- which pictures a figure is of ---- */

static bool any(const reha_injury_shown *one)
{
    (void)one;
    return true;
}

static bool is_untouched(const reha_injury_shown *one)
{
    return one->grade == 0 && one->spec.kind == REHA_LESION_NOTHING;
}

static bool is_null(const reha_injury_shown *one)
{
    return one->spec.kind < REHA_LESION_KINDS && one->spec.strength <= 0.0;
}

static bool is_look_alike(const reha_injury_shown *one)
{
    return one->spec.kind >= REHA_LESION_KINDS && one->spec.kind < REHA_LESION_NOTHING;
}

static bool is_lesion(const reha_injury_shown *one)
{
    return one->grade > 0;
}

static bool is_told(const figures *f, size_t at)
{
    const reha_injury_reading *reading = &f->show->items[at].reading;
    return reading->count > 0 && reading->found[0].score >= f->rule->score_min;
}

/* ---- means over pictures: NaN leaves a picture out ---- */

typedef struct mean_of {
    const char *key;
    double (*value)(const figures *f, size_t at, int which);
    int which;
} mean_of;

static double caught(bool is_in, double score, double least)
{
    return is_in ? score >= least && score >= 0.0 ? 1.0 : 0.0 : (double)NAN;
}

static double sensitivity(const figures *f, size_t at, int which)
{
    const bool is_plain = which >= 2;
    const double least = which == 0   ? f->network_few
                         : which == 1 ? f->network_more
                         : which == 2 ? f->plain_few
                                      : f->plain_more;
    /* At the threshold itself one false region too many is told. */
    return caught(is_lesion(&f->show->items[at]), (is_plain ? &f->plain : &f->network)->best_hit[at],
                  nextafter(least, 2.0));
}

static double sensitivity_of_kind(const figures *f, size_t at, int kind)
{
    const reha_injury_shown *one = &f->show->items[at];
    return is_lesion(one) && (int)one->spec.kind == kind ? sensitivity(f, at, 0) : (double)NAN;
}

static double plain_of_kind(const figures *f, size_t at, int kind)
{
    const reha_injury_shown *one = &f->show->items[at];
    return is_lesion(one) && (int)one->spec.kind == kind ? sensitivity(f, at, 2) : (double)NAN;
}

static double sensitivity_of_size(const figures *f, size_t at, int size)
{
    const reha_injury_shown *one = &f->show->items[at];
    const int of = one->truth.share < SMALL_SHARE ? 0 : one->truth.share < LARGE_SHARE ? 1 : 2;
    return is_lesion(one) && one->has_truth && of == size ? sensitivity(f, at, 0) : (double)NAN;
}

static double sensitivity_of_strength(const figures *f, size_t at, int half)
{
    const reha_injury_shown *one = &f->show->items[at];
    return is_lesion(one) && !one->is_labelled && (one->spec.strength < 0.72 ? 0 : 1) == half
               ? sensitivity(f, at, 0)
               : (double)NAN;
}

static double dice(const figures *f, size_t at, int kind)
{
    const reha_injury_shown *one = &f->show->items[at];
    return is_lesion(one) && one->has_truth && (kind < 0 || (int)one->spec.kind == kind) ? one->dice
                                                                                         : (double)NAN;
}

static double size_error(const figures *f, size_t at, int which)
{
    const reha_injury_shown *one = &f->show->items[at];
    if (!is_lesion(one) || !one->has_truth || !is_told(f, at) || !one->hit[0]) {
        return (double)NAN;
    }
    return which == 0 ? fabs(one->reading.found[0].share - one->truth.share)
                      : fabs(one->reading.found[0].along_px / one->truth.along_px - 1.0);
}

static double told_lesion(const figures *f, size_t at, int which)
{
    (void)which;
    return is_lesion(&f->show->items[at]) ? is_told(f, at) && f->show->items[at].hit[0] ? 1.0 : 0.0
                                          : (double)NAN;
}

static double alarm(const figures *f, size_t at, int kind)
{
    const reha_injury_shown *one = &f->show->items[at];
    const bool is_in = kind == -1                    ? is_null(one)
                       : kind == REHA_LESION_NOTHING ? is_untouched(one)
                                                     : (int)one->spec.kind == kind;
    return is_in ? is_told(f, at) ? 1.0 : 0.0 : (double)NAN;
}

static double graded(const figures *f, size_t at, int which)
{
    const reha_injury_shown *one = &f->show->items[at];
    const reha_injury_answer *answer = &f->answers[at];
    const double truth = one->grade > 0 ? 1.0 : 0.0;
    switch (which) {
    case 0:
        return answer->grade == one->grade ? 1.0 : 0.0;
    case 1:
        return fabs((double)(answer->grade - one->grade));
    case 2:
        return one->grade >= answer->set_low && one->grade <= answer->set_high ? 1.0 : 0.0;
    case 3:
        return answer->set_high - answer->set_low + 1.0;
    case 4:
        return (answer->probability - truth) * (answer->probability - truth);
    default:
        return answer->probability - truth;
    }
}

static double covered(const figures *f, size_t at, int grade)
{
    return f->show->items[at].grade == grade ? graded(f, at, 2) : (double)NAN;
}

static double recalled(const figures *f, size_t at, int grade)
{
    return f->show->items[at].grade == grade ? graded(f, at, 0) : (double)NAN;
}

static double refused(const figures *f, size_t at, int which)
{
    (void)which;
    return f->show->items[at].is_refused ? 1.0 : 0.0;
}

static double contrast(const figures *f, size_t at, int which)
{
    (void)which;
    return is_lesion(&f->show->items[at]) ? f->show->items[at].contrast : (double)NAN;
}

static const mean_of means[] = {{"sensitivity_at_0.1_fp", sensitivity, 0},
                                {"sensitivity_at_0.5_fp", sensitivity, 1},
                                {"sensitivity_at_0.1_fp_plain_rule", sensitivity, 2},
                                {"sensitivity_at_0.5_fp_plain_rule", sensitivity, 3},
                                {"sensitivity_oedema", sensitivity_of_kind, REHA_LESION_OEDEMA},
                                {"sensitivity_disruption", sensitivity_of_kind, REHA_LESION_DISRUPTION},
                                {"sensitivity_gap", sensitivity_of_kind, REHA_LESION_GAP},
                                {"sensitivity_haematoma", sensitivity_of_kind, REHA_LESION_HAEMATOMA},
                                {"sensitivity_retraction", sensitivity_of_kind, REHA_LESION_RETRACTION},
                                {"plain_rule_oedema", plain_of_kind, REHA_LESION_OEDEMA},
                                {"plain_rule_disruption", plain_of_kind, REHA_LESION_DISRUPTION},
                                {"plain_rule_gap", plain_of_kind, REHA_LESION_GAP},
                                {"plain_rule_haematoma", plain_of_kind, REHA_LESION_HAEMATOMA},
                                {"plain_rule_retraction", plain_of_kind, REHA_LESION_RETRACTION},
                                {"sensitivity_small", sensitivity_of_size, 0},
                                {"sensitivity_medium", sensitivity_of_size, 1},
                                {"sensitivity_large", sensitivity_of_size, 2},
                                {"sensitivity_weak", sensitivity_of_strength, 0},
                                {"sensitivity_strong", sensitivity_of_strength, 1},
                                {"told_and_right", told_lesion, 0},
                                {"dice", dice, -1},
                                {"dice_oedema", dice, REHA_LESION_OEDEMA},
                                {"dice_disruption", dice, REHA_LESION_DISRUPTION},
                                {"dice_gap", dice, REHA_LESION_GAP},
                                {"dice_haematoma", dice, REHA_LESION_HAEMATOMA},
                                {"dice_retraction", dice, REHA_LESION_RETRACTION},
                                {"share_error_mean", size_error, 0},
                                {"length_error_ratio_mean", size_error, 1},
                                {"alarms_untouched", alarm, REHA_LESION_NOTHING},
                                {"alarms_null_simulation", alarm, -1},
                                {"alarms_vessel", alarm, REHA_LESION_VESSEL},
                                {"alarms_anisotropy", alarm, REHA_LESION_ANISOTROPY},
                                {"alarms_shadow", alarm, REHA_LESION_SHADOW},
                                {"alarms_gain_step", alarm, REHA_LESION_GAIN},
                                {"grade_accuracy", graded, 0},
                                {"grade_mae", graded, 1},
                                {"set_coverage", graded, 2},
                                {"set_size", graded, 3},
                                {"brier", graded, 4},
                                {"probability_minus_rate", graded, 5},
                                {"recall_grade_0", recalled, 0},
                                {"recall_grade_1", recalled, 1},
                                {"recall_grade_2", recalled, 2},
                                {"recall_grade_3", recalled, 3},
                                {"coverage_grade_0", covered, 0},
                                {"coverage_grade_1", covered, 1},
                                {"coverage_grade_2", covered, 2},
                                {"coverage_grade_3", covered, 3},
                                {"refused", refused, 0},
                                {"lesion_contrast_sd", contrast, 0}};
enum { MEANS = sizeof means / sizeof means[0], RANKED = 5, ALL = MEANS + RANKED };

/* ---- all of them ---- */

static void compute_round(figures *f, double *values)
{
    const size_t n = f->show->count;
    for (size_t i = 0; i < n; i++) {
        f->weights[i] = f->group_weights[f->show->items[i].group_idx];
    }
    f->network_few = threshold(f, &f->network, FEW_FALSE);
    f->network_more = threshold(f, &f->network, MORE_FALSE);
    f->plain_few = threshold(f, &f->plain, FEW_FALSE);
    f->plain_more = threshold(f, &f->plain, MORE_FALSE);
    values[0] = auc(f, &f->network, any);
    values[1] = auc(f, &f->network, is_untouched);
    values[2] = auc(f, &f->network, is_null);
    values[3] = auc(f, &f->network, is_look_alike);
    values[4] = auc(f, &f->plain, any);
    for (int m = 0; m < MEANS; m++) {
        double sum = 0.0;
        double total = 0.0;
        for (size_t i = 0; i < n; i++) {
            const double value = f->weights[i] > 0.0 ? means[m].value(f, i, means[m].which) : (double)NAN;
            sum += isnan(value) ? 0.0 : f->weights[i] * value;
            total += isnan(value) ? 0.0 : f->weights[i];
        }
        values[RANKED + m] = total > 0.0 ? sum / total : (double)NAN;
    }
}

static int rising(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* drawn: rounds rows of ALL values. */
static void fill_interval(const double *drawn, int rounds, int which, double *scratch, reha_estimate *to)
{
    int count = 0;
    for (int r = 0; r < rounds; r++) {
        if (isfinite(drawn[(size_t)r * ALL + (size_t)which])) {
            scratch[count++] = drawn[(size_t)r * ALL + (size_t)which];
        }
    }
    qsort(scratch, (size_t)count, sizeof *scratch, rising);
    to->low = count > 0 ? scratch[(size_t)(0.025 * (count - 1) + 0.5)] : (double)NAN;
    to->high = count > 0 ? scratch[(size_t)(0.975 * (count - 1) + 0.5)] : (double)NAN;
}

static reha_status figures_new(const reha_injury_show *show, const reha_injury_rule *rule, figures *f,
                               reha_error *err)
{
    *f = (figures){.show = show, .rule = rule};
    f->answers = reha_alloc_zero(show->count, sizeof *f->answers);
    f->weights = reha_alloc_zero(show->count, sizeof *f->weights);
    f->group_weights = reha_alloc_zero(show->data.group_count, sizeof *f->group_weights);
    if (f->answers == NULL || f->weights == NULL || f->group_weights == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the figures");
    }
    for (size_t i = 0; i < show->count; i++) {
        f->answers[i] = reha_injury_answer_of(rule, show->items[i].reading.features);
    }
    REHA_TRY(detector_new(f, false, &f->network, err));
    return detector_new(f, true, &f->plain, err);
}

reha_status reha_injury_figures_compute(const reha_injury_show *show, const reha_injury_rule *rule,
                                        int rounds, uint64_t seed, reha_injury_figure *out, int *count,
                                        reha_error *err)
{
    static const char *const ranked[RANKED] = {"auc", "auc_against_untouched", "auc_against_null_simulation",
                                               "auc_against_look_alikes", "auc_plain_rule"};
    reha_status status = REHA_OK;
    figures f;
    double values[ALL];
    const size_t groups = show->data.group_count;
    double *drawn =
        reha_alloc_zero((size_t)(rounds + 1) * (ALL + 1), sizeof *drawn); /* a row each, then room to sort */
    *count = 0;
    REHA_CHECK(figures_new(show, rule, &f, err));
    if (drawn == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %d rounds", rounds);
        goto done;
    }
    for (size_t g = 0; g < groups; g++) {
        f.group_weights[g] = 1.0;
    }
    compute_round(&f, values);
    reha_random random = reha_random_init(seed, 0x66696773);
    for (int r = 0; r < rounds; r++) {
        memset(f.group_weights, 0, groups * sizeof *f.group_weights);
        for (size_t g = 0; g < groups; g++) {
            f.group_weights[reha_random_below(&random, (uint32_t)groups)] += 1.0;
        }
        compute_round(&f, drawn + (size_t)r * ALL);
    }
    for (int k = 0; k < ALL; k++) {
        out[k].key = k < RANKED ? ranked[k] : means[k - RANKED].key;
        out[k].value.value = values[k];
        fill_interval(drawn, rounds, k, drawn + (size_t)rounds * ALL, &out[k].value);
    }
    *count = ALL;
done:
    detector_clear(&f.network);
    detector_clear(&f.plain);
    reha_free(f.answers);
    reha_free(f.weights);
    reha_free(f.group_weights);
    reha_free(drawn);
    return status;
}
