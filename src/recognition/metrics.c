#include "recognition/metrics.h"

#include "base/memory.h"
#include "base/random.h"
#include "recognition/conformal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ECE_BINS = 15, PATIENTS_MAX = 1 << 24 };

/* All figures of one (re)sample, in one flat array so that the bootstrap treats them alike. */
enum figure {
    FIGURE_ACCURACY,
    FIGURE_KAPPA,
    FIGURE_MAE,
    FIGURE_AUC,
    FIGURE_ECE,
    FIGURE_COVERAGE,
    FIGURE_SET_SIZE,
    FIGURE_RECALL,
    FIGURE_COVERAGE_BY_GRADE = FIGURE_RECALL + REHA_CLASSES_MAX,
    FIGURE_COUNT = FIGURE_COVERAGE_BY_GRADE + REHA_CLASSES_MAX
};

static int most_probable(const double *probabilities, int count)
{
    int best = 0;
    for (int k = 1; k < count; k++) {
        best = probabilities[k] > probabilities[best] ? k : best;
    }
    return best;
}

typedef struct scored {
    double score;
    double positive; /* weight of positives and negatives at this score */
    double negative;
} scored;

static int compare_scored(const void *a, const void *b)
{
    const double left = ((const scored *)a)->score;
    const double right = ((const scored *)b)->score;
    return (left > right) - (left < right);
}

/* Sorted by score; weights may be 0. */
static double auc_of_sorted(const scored *items, size_t count)
{
    double below = 0.0;
    double positives = 0.0;
    double wins = 0.0;
    for (size_t i = 0; i < count;) {
        double tied_positive = 0.0;
        double tied_negative = 0.0;
        size_t j = i;
        for (; j < count && items[j].score == items[i].score; j++) {
            tied_positive += items[j].positive;
            tied_negative += items[j].negative;
        }
        wins += tied_positive * (below + 0.5 * tied_negative);
        below += tied_negative;
        positives += tied_positive;
        i = j;
    }
    return positives > 0.0 && below > 0.0 ? wins / (positives * below) : (double)NAN;
}

reha_status reha_auc(const double *scores, const int *labels, size_t count, double *out, reha_error *err)
{
    *out = (double)NAN;
    scored *items = reha_alloc_zero(count, sizeof *items);
    if (items == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu scores", count);
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = (scored){scores[i], labels[i] != 0 ? 1.0 : 0.0, labels[i] != 0 ? 0.0 : 1.0};
    }
    qsort(items, count, sizeof *items, compare_scored);
    *out = auc_of_sorted(items, count);
    reha_free(items);
    return REHA_OK;
}

typedef struct sample {
    const reha_graded_case *cases;
    size_t count;
    int class_count;
    int boundary;
    const double *weights; /* times each case was drawn */
    const size_t *order;   /* cases by score of disease */
    scored *work;          /* count items */
} sample;

static double disease_score(const reha_graded_case *one, int class_count, int boundary)
{
    double score = 0.0;
    for (int k = boundary; k < class_count; k++) {
        score += one->probabilities[k];
    }
    return score;
}

static double kappa_of(double confusion[REHA_CLASSES_MAX][REHA_CLASSES_MAX], int class_count)
{
    double rows[REHA_CLASSES_MAX] = {0};
    double columns[REHA_CLASSES_MAX] = {0};
    double total = 0.0;
    for (int i = 0; i < class_count; i++) {
        for (int j = 0; j < class_count; j++) {
            rows[i] += confusion[i][j];
            columns[j] += confusion[i][j];
            total += confusion[i][j];
        }
    }
    double observed = 0.0;
    double expected = 0.0;
    for (int i = 0; i < class_count; i++) {
        for (int j = 0; j < class_count; j++) {
            const double weight = (double)((i - j) * (i - j));
            observed += weight * confusion[i][j];
            expected += weight * rows[i] * columns[j] / total;
        }
    }
    return expected > 0.0 ? 1.0 - observed / expected : (double)NAN;
}

static int bin_of(double confidence)
{
    const int bin = (int)(confidence * ECE_BINS);
    return bin < 0 ? 0 : bin >= ECE_BINS ? ECE_BINS - 1 : bin;
}

static double ece_of(const double *confidence, const double *correct, double total)
{
    double sum = 0.0;
    for (int b = 0; b < ECE_BINS; b++) {
        sum += fabs(confidence[b] - correct[b]);
    }
    return sum / total;
}

static void compute_figures(const sample *in, double figures[FIGURE_COUNT])
{
    double confusion[REHA_CLASSES_MAX][REHA_CLASSES_MAX] = {{0}};
    double bin_confidence[ECE_BINS] = {0};
    double bin_correct[ECE_BINS] = {0};
    double covered_by_grade[REHA_CLASSES_MAX] = {0};
    double grade_weight[REHA_CLASSES_MAX] = {0};
    double total = 0.0;
    double correct = 0.0;
    double distance = 0.0;
    double set_size = 0.0;
    double covered = 0.0;
    for (size_t i = 0; i < in->count; i++) {
        const reha_graded_case *one = &in->cases[i];
        const double weight = in->weights[i];
        if (one->is_refused || weight == 0.0) {
            continue;
        }
        const int grade = reha_ordinal_grade(one->probabilities, in->class_count);
        const int top = most_probable(one->probabilities, in->class_count);
        const double confidence = one->probabilities[top];
        const int bin = bin_of(confidence);
        total += weight;
        confusion[one->grade][grade] += weight;
        correct += grade == one->grade ? weight : 0.0;
        distance += weight * abs(grade - one->grade);
        bin_confidence[bin] += weight * confidence;
        bin_correct[bin] += top == one->grade ? weight : 0.0;
        grade_weight[one->grade] += weight;
        if (one->set_low >= 0) {
            const bool is_in = one->grade >= one->set_low && one->grade <= one->set_high;
            covered += is_in ? weight : 0.0;
            covered_by_grade[one->grade] += is_in ? weight : 0.0;
            set_size += weight * (one->set_high - one->set_low + 1);
        }
    }
    for (size_t i = 0; i < in->count; i++) {
        const size_t c = in->order[i];
        const reha_graded_case *one = &in->cases[c];
        const double weight = one->is_refused ? 0.0 : in->weights[c];
        const bool is_ill = one->grade >= in->boundary;
        in->work[i] = (scored){disease_score(one, in->class_count, in->boundary), is_ill ? weight : 0.0,
                               is_ill ? 0.0 : weight};
    }
    figures[FIGURE_ACCURACY] = correct / total;
    figures[FIGURE_KAPPA] = kappa_of(confusion, in->class_count);
    figures[FIGURE_MAE] = distance / total;
    figures[FIGURE_AUC] = auc_of_sorted(in->work, in->count);
    figures[FIGURE_ECE] = ece_of(bin_confidence, bin_correct, total);
    figures[FIGURE_COVERAGE] = covered / total;
    figures[FIGURE_SET_SIZE] = set_size / total;
    for (int k = 0; k < REHA_CLASSES_MAX; k++) {
        const double weight = grade_weight[k];
        figures[FIGURE_RECALL + k] = weight > 0.0 ? confusion[k][k] / weight : (double)NAN;
        figures[FIGURE_COVERAGE_BY_GRADE + k] = weight > 0.0 ? covered_by_grade[k] / weight : (double)NAN;
    }
}

static int compare_double(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Percentile interval of the finite ones among `values` (sorted in place). */
static void interval_of(double *values, size_t count, reha_estimate *out)
{
    size_t finite = 0;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(values[i])) {
            values[finite++] = values[i];
        }
    }
    out->low = (double)NAN;
    out->high = (double)NAN;
    if (finite == 0) {
        return;
    }
    qsort(values, finite, sizeof *values, compare_double);
    out->low = values[(size_t)(0.025 * (double)(finite - 1) + 0.5)];
    out->high = values[(size_t)(0.975 * (double)(finite - 1) + 0.5)];
}

typedef struct workspace {
    double *weights;      /* per case */
    double *patient;      /* draws per patient, patient_limit values */
    size_t patient_limit; /* above every patient_idx */
    size_t *patient_list; /* distinct patients */
    double *rounds;       /* FIGURE_COUNT x rounds */
    size_t *order;
    scored *work;
} workspace;

static void workspace_clear(workspace *space)
{
    reha_free(space->weights);
    reha_free(space->patient);
    reha_free(space->patient_list);
    reha_free(space->rounds);
    reha_free(space->order);
    reha_free(space->work);
}

static reha_status workspace_init(workspace *space, size_t count, int rounds, reha_error *err)
{
    const size_t round_count = rounds > 0 ? (size_t)rounds : 1;
    space->weights = reha_alloc_zero(count, sizeof *space->weights);
    space->patient = reha_alloc_zero(space->patient_limit, sizeof *space->patient);
    space->patient_list = reha_alloc_zero(count, sizeof *space->patient_list);
    space->rounds = reha_alloc_zero(round_count * FIGURE_COUNT, sizeof *space->rounds);
    space->order = reha_alloc_zero(count, sizeof *space->order);
    space->work = reha_alloc_zero(count, sizeof *space->work);
    const bool is_complete = space->weights != NULL && space->patient != NULL &&
                             space->patient_list != NULL && space->rounds != NULL && space->order != NULL &&
                             space->work != NULL;
    return is_complete ? REHA_OK
                       : reha_fail(err, REHA_E_NOMEM, "out of memory for the figures of %zu cases", count);
}

typedef struct ordered {
    double score;
    size_t index;
} ordered;

static int compare_ordered(const void *a, const void *b)
{
    const ordered *left = a;
    const ordered *right = b;
    if (left->score != right->score) {
        return left->score > right->score ? 1 : -1;
    }
    return (left->index > right->index) - (left->index < right->index);
}

static reha_status sort_by_score(const sample *in, size_t *order, reha_error *err)
{
    ordered *items = reha_alloc_zero(in->count, sizeof *items);
    if (items == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu scores", in->count);
    }
    for (size_t i = 0; i < in->count; i++) {
        const bool is_scored = !in->cases[i].is_refused;
        items[i] =
            (ordered){is_scored ? disease_score(&in->cases[i], in->class_count, in->boundary) : 0.0, i};
    }
    qsort(items, in->count, sizeof *items, compare_ordered);
    for (size_t i = 0; i < in->count; i++) {
        order[i] = items[i].index;
    }
    reha_free(items);
    return REHA_OK;
}

static reha_status check_cases(const reha_graded_case *cases, size_t count, int class_count, reha_error *err)
{
    if (class_count < 2 || class_count > REHA_CLASSES_MAX) {
        return reha_fail(err, REHA_E_ARG, "%d classes: 2 to %d are possible", class_count, REHA_CLASSES_MAX);
    }
    size_t accepted = 0;
    for (size_t i = 0; i < count; i++) {
        if (cases[i].grade < 0 || cases[i].grade >= class_count || cases[i].patient_idx >= PATIENTS_MAX) {
            return reha_fail(err, REHA_E_ARG, "case %zu: grade %d or patient %zu is out of range", i,
                             cases[i].grade, cases[i].patient_idx);
        }
        for (int k = 0; k < class_count && !cases[i].is_refused; k++) {
            if (!isfinite(cases[i].probabilities[k])) {
                return reha_fail(err, REHA_E_ARG, "case %zu: probability %d is not a number", i, k);
            }
        }
        accepted += cases[i].is_refused ? 0 : 1;
    }
    return accepted > 0 ? REHA_OK
                        : reha_fail(err, REHA_E_ARG, "no case was accepted: there is nothing to measure");
}

static void count_cases(const sample *in, const workspace *space, reha_graded_metrics *out)
{
    for (size_t i = 0; i < in->count; i++) {
        const reha_graded_case *one = &in->cases[i];
        if (one->is_refused) {
            out->refused_count++;
        } else {
            out->grade_count[one->grade]++;
            out->confusion[one->grade][reha_ordinal_grade(one->probabilities, in->class_count)]++;
        }
        if (space->patient[one->patient_idx] == 0.0) {
            space->patient[one->patient_idx] = 1.0;
            space->patient_list[out->patient_count++] = one->patient_idx;
        }
    }
}

static void bootstrap(const sample *in, workspace *space, size_t patient_count, int rounds, uint64_t seed)
{
    reha_random random = reha_random_init(seed, 0x0b00);
    for (int r = 0; r < rounds; r++) {
        double figures[FIGURE_COUNT];
        memset(space->patient, 0, space->patient_limit * sizeof *space->patient);
        for (size_t i = 0; i < patient_count; i++) {
            space->patient[space->patient_list[reha_random_below(&random, (uint32_t)patient_count)]] += 1.0;
        }
        for (size_t i = 0; i < in->count; i++) {
            space->weights[i] = space->patient[in->cases[i].patient_idx];
        }
        compute_figures(in, figures);
        for (int f = 0; f < FIGURE_COUNT; f++) {
            space->rounds[(size_t)f * (size_t)rounds + (size_t)r] = figures[f];
        }
    }
}

/* A finite number of cases misses its probabilities by chance: each answer is drawn as the probabilities say.
 */
static void draw_ece(const sample *in, workspace *space, int rounds, uint64_t seed, reha_estimate *out)
{
    reha_random random = reha_random_init(seed, 0x0ece);
    double sum = 0.0;
    for (int r = 0; r < rounds; r++) {
        double confidence[ECE_BINS] = {0};
        double correct[ECE_BINS] = {0};
        double total = 0.0;
        for (size_t i = 0; i < in->count; i++) {
            const reha_graded_case *one = &in->cases[i];
            if (!one->is_refused) {
                const double top = one->probabilities[most_probable(one->probabilities, in->class_count)];
                confidence[bin_of(top)] += top;
                correct[bin_of(top)] += reha_random_unit(&random) < top ? 1.0 : 0.0;
                total += 1.0;
            }
        }
        space->rounds[r] = ece_of(confidence, correct, total);
        sum += space->rounds[r];
    }
    out->value = rounds > 0 ? sum / rounds : (double)NAN;
    interval_of(space->rounds, rounds > 0 ? (size_t)rounds : 0, out);
}

reha_status reha_graded_metrics_compute(const reha_graded_case *cases, size_t count, int class_count,
                                        int boundary, int rounds, uint64_t seed, reha_graded_metrics *out,
                                        reha_error *err)
{
    reha_status status = REHA_OK;
    workspace space = {0};
    double figures[FIGURE_COUNT];
    *out = (reha_graded_metrics){.class_count = class_count, .case_count = count};
    REHA_TRY(check_cases(cases, count, class_count, err));
    for (size_t i = 0; i < count; i++) {
        space.patient_limit =
            cases[i].patient_idx >= space.patient_limit ? cases[i].patient_idx + 1 : space.patient_limit;
    }
    REHA_CHECK(workspace_init(&space, count, rounds, err));
    const sample all = {cases, count, class_count, boundary, space.weights, space.order, space.work};
    REHA_CHECK(sort_by_score(&all, space.order, err));
    count_cases(&all, &space, out);
    for (size_t i = 0; i < count; i++) {
        space.weights[i] = 1.0;
    }
    compute_figures(&all, figures);
    bootstrap(&all, &space, out->patient_count, rounds, seed);
    reha_estimate *targets[FIGURE_COUNT] = {&out->accuracy, &out->kappa,    &out->mae,     &out->auc,
                                            &out->ece,      &out->coverage, &out->set_size};
    for (int k = 0; k < REHA_CLASSES_MAX; k++) {
        targets[FIGURE_RECALL + k] = &out->recall[k];
        targets[FIGURE_COVERAGE_BY_GRADE + k] = &out->coverage_by_grade[k];
    }
    for (int f = 0; f < FIGURE_COUNT; f++) {
        targets[f]->value = figures[f];
        interval_of(space.rounds + (size_t)f * (size_t)(rounds > 0 ? rounds : 0),
                    rounds > 0 ? (size_t)rounds : 0, targets[f]);
    }
    draw_ece(&all, &space, rounds, seed, &out->ece_by_chance);
done:
    workspace_clear(&space);
    return status;
}

/* Sums and counts per patient, for means whose bootstrap draws patients. */
static void sum_by_patient(const double *values, const size_t *patients, size_t count, double *sums,
                           double *counts)
{
    for (size_t i = 0; i < count; i++) {
        if (isfinite(values[i])) {
            sums[patients[i]] += values[i];
            counts[patients[i]] += 1.0;
        }
    }
}

reha_status reha_mean_estimate(const double *values, const size_t *patients, size_t count, int rounds,
                               uint64_t seed, reha_estimate *out, reha_error *err)
{
    reha_status status = REHA_OK;
    size_t limit = 1;
    *out = (reha_estimate){(double)NAN, (double)NAN, (double)NAN};
    for (size_t i = 0; i < count; i++) {
        limit = patients[i] >= limit ? patients[i] + 1 : limit;
    }
    double *sums = reha_alloc_zero(2 * limit, sizeof *sums);
    double *means = reha_alloc_zero(rounds > 0 ? (size_t)rounds : 1, sizeof *means);
    if (sums == NULL || means == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu values", count);
        goto done;
    }
    double *counts = sums + limit;
    sum_by_patient(values, patients, count, sums, counts);
    double total[2] = {0.0, 0.0};
    size_t known = 0; /* patients with a value, moved to the front */
    for (size_t p = 0; p < limit; p++) {
        if (counts[p] > 0.0) {
            total[0] += sums[p];
            total[1] += counts[p];
            sums[known] = sums[p];
            counts[known++] = counts[p];
        }
    }
    if (known == 0) {
        goto done;
    }
    out->value = total[0] / total[1];
    reha_random random = reha_random_init(seed, 0x0b01);
    for (int r = 0; r < rounds; r++) {
        double sum = 0.0;
        double n = 0.0;
        for (size_t i = 0; i < known; i++) {
            const size_t p = reha_random_below(&random, (uint32_t)known);
            sum += sums[p];
            n += counts[p];
        }
        means[r] = sum / n;
    }
    interval_of(means, rounds > 0 ? (size_t)rounds : 0, out);
done:
    reha_free(sums);
    reha_free(means);
    return status;
}

json_t *reha_estimate_to_json(const reha_estimate *estimate)
{
    return json_pack("{s:o, s:o, s:o}", "value", reha_json_real(estimate->value), "low",
                     reha_json_real(estimate->low), "high", reha_json_real(estimate->high));
}

reha_status reha_graded_metrics_to_json(const reha_graded_metrics *metrics, json_t **out, reha_error *err)
{
    json_t *object = json_object();
    json_t *recall = json_array();
    json_t *coverage = json_array();
    json_t *counts = json_array();
    json_t *confusion = json_array();
    int failed = 0;
    for (int k = 0; k < metrics->class_count; k++) {
        json_t *row = json_array();
        failed |= json_array_append_new(recall, reha_estimate_to_json(&metrics->recall[k]));
        failed |= json_array_append_new(coverage, reha_estimate_to_json(&metrics->coverage_by_grade[k]));
        failed |= json_array_append_new(counts, json_integer((json_int_t)metrics->grade_count[k]));
        for (int j = 0; j < metrics->class_count; j++) {
            failed |= json_array_append_new(row, json_integer((json_int_t)metrics->confusion[k][j]));
        }
        failed |= json_array_append_new(confusion, row);
    }
    failed |= json_object_set_new(object, "n", json_integer((json_int_t)metrics->case_count));
    failed |= json_object_set_new(object, "refused", json_integer((json_int_t)metrics->refused_count));
    failed |= json_object_set_new(object, "patients", json_integer((json_int_t)metrics->patient_count));
    failed |= json_object_set_new(object, "accuracy", reha_estimate_to_json(&metrics->accuracy));
    failed |= json_object_set_new(object, "kappa", reha_estimate_to_json(&metrics->kappa));
    failed |= json_object_set_new(object, "mae", reha_estimate_to_json(&metrics->mae));
    failed |= json_object_set_new(object, "auc", reha_estimate_to_json(&metrics->auc));
    failed |= json_object_set_new(object, "ece", reha_estimate_to_json(&metrics->ece));
    failed |= json_object_set_new(object, "ece_by_chance", reha_estimate_to_json(&metrics->ece_by_chance));
    failed |= json_object_set_new(object, "coverage", reha_estimate_to_json(&metrics->coverage));
    failed |= json_object_set_new(object, "mean_set_size", reha_estimate_to_json(&metrics->set_size));
    failed |= json_object_set_new(object, "recall_by_grade", recall);
    failed |= json_object_set_new(object, "coverage_by_grade", coverage);
    failed |= json_object_set_new(object, "n_by_grade", counts);
    failed |= json_object_set_new(object, "confusion", confusion);
    if (failed != 0) {
        json_decref(object);
        *out = NULL;
        return reha_fail(err, REHA_E_NOMEM, "out of memory while writing the figures");
    }
    *out = object;
    return REHA_OK;
}
