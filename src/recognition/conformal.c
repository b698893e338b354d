#include "recognition/conformal.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NEWTON_ROUNDS_MAX = 60, BISECTION_ROUNDS = 60 };
static const double MISS_SQUARE_COST = 0.3; /* of a squared grade, beside 1 for any miss */

reha_ordinal_calibration reha_ordinal_calibration_none(int grade_count)
{
    assert(grade_count >= 2 && grade_count <= REHA_CLASSES_MAX);
    reha_ordinal_calibration none = {.grade_count = grade_count, .temperature = 1.0, .coverage = 0.9};
    return none;
}

reha_ordinal_fit_options reha_ordinal_fit_options_default(void)
{
    return (reha_ordinal_fit_options){
        .coverage = 0.9, .grade_floor = 0.85, .with_bias = false, .bias_penalty = 0.01};
}

/* ---- Probabilities ---- */

/* softmax(logits * sharpness + bias): sharpness = 1 / temperature keeps the likelihood concave. */
static void soften(const double *logits, double sharpness, const double *bias, int count, double *out)
{
    double highest = -INFINITY;
    for (int i = 0; i < count; i++) {
        out[i] = logits[i] * sharpness + bias[i];
        highest = fmax(highest, out[i]);
    }
    double sum = 0.0;
    for (int i = 0; i < count; i++) {
        out[i] = exp(out[i] - highest);
        sum += out[i];
    }
    for (int i = 0; i < count; i++) {
        out[i] /= sum;
    }
}

void reha_ordinal_probabilities(const reha_ordinal_calibration *calibration, const double *logits,
                                double *probabilities)
{
    soften(logits, 1.0 / calibration->temperature, calibration->bias, calibration->grade_count,
           probabilities);
}

typedef struct fit_data {
    const double *logits; /* count x grades */
    const int *labels;
    size_t count;
    int grades;
    double bias_penalty;
    bool with_bias;
} fit_data;

/* parameters: [sharpness, bias 0 .. grades-1]. Mean negative log likelihood plus penalty. */
static double fit_loss(const fit_data *data, const double *parameters)
{
    double loss = 0.0;
    double p[REHA_CLASSES_MAX];
    for (size_t i = 0; i < data->count; i++) {
        soften(data->logits + i * (size_t)data->grades, parameters[0], parameters + 1, data->grades, p);
        loss -= log(fmax(p[data->labels[i]], 1e-300));
    }
    loss /= (double)data->count;
    for (int k = 0; k < data->grades; k++) {
        loss += data->bias_penalty * parameters[1 + k] * parameters[1 + k];
    }
    return loss;
}

/* Gradient and Hessian of fit_loss. The model is linear in its parameters: features of class k are
 * (logit_k, unit vector k), so gradient and Hessian are the usual ones of multinomial regression. */
static void fit_derivatives(const fit_data *data, const double *parameters, double *gradient, double *hessian)
{
    enum { WIDTH = REHA_CLASSES_MAX + 1 };
    const int grades = data->grades;
    memset(gradient, 0, sizeof(double) * WIDTH);
    memset(hessian, 0, sizeof(double) * WIDTH * WIDTH);
    double p[REHA_CLASSES_MAX];
    for (size_t i = 0; i < data->count; i++) {
        const double *z = data->logits + i * (size_t)grades;
        soften(z, parameters[0], parameters + 1, grades, p);
        double mean = 0.0;
        double mean_square = 0.0;
        for (int k = 0; k < grades; k++) {
            mean += p[k] * z[k];
            mean_square += p[k] * z[k] * z[k];
        }
        gradient[0] += mean - z[data->labels[i]];
        hessian[0] += mean_square - mean * mean;
        for (int k = 0; k < grades; k++) {
            gradient[1 + k] += p[k] - (data->labels[i] == k ? 1.0 : 0.0);
            hessian[1 + k] += p[k] * (z[k] - mean);
            for (int l = 0; l < grades; l++) {
                hessian[(1 + k) * WIDTH + 1 + l] += (k == l ? p[k] : 0.0) - p[k] * p[l];
            }
        }
    }
    const double scale = 1.0 / (double)data->count;
    for (int a = 0; a <= grades; a++) {
        gradient[a] *= scale;
        for (int b = 0; b <= grades; b++) {
            hessian[a * WIDTH + b] *= scale;
        }
    }
    for (int k = 0; k < grades; k++) {
        gradient[1 + k] += 2.0 * data->bias_penalty * parameters[1 + k];
        hessian[(1 + k) * WIDTH + 1 + k] += 2.0 * data->bias_penalty;
        hessian[(size_t)(1 + k) * WIDTH] = hessian[1 + k];
    }
}

/* Solves a * x = b for a symmetric positive definite `a` (leading n x n of rows of `width`), in place. */
static bool solve(double *a, double *b, int n, int width)
{
    for (int i = 0; i < n; i++) {
        const double pivot = a[i * width + i];
        if (!(pivot > 1e-14)) {
            return false;
        }
        for (int r = i + 1; r < n; r++) {
            const double ratio = a[r * width + i] / pivot;
            for (int c = i; c < n; c++) {
                a[r * width + c] -= ratio * a[i * width + c];
            }
            b[r] -= ratio * b[i];
        }
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int c = i + 1; c < n; c++) {
            b[i] -= a[i * width + c] * b[c];
        }
        b[i] /= a[i * width + i];
    }
    return true;
}

/* Newton's method with halved steps: the loss is convex in (sharpness, bias). */
static void fit_temperature(const fit_data *data, reha_ordinal_calibration *out)
{
    enum { WIDTH = REHA_CLASSES_MAX + 1 };
    double x[WIDTH] = {1.0};
    double gradient[WIDTH];
    double hessian[WIDTH * WIDTH];
    const int free_count = data->with_bias ? data->grades + 1 : 1;
    double loss = fit_loss(data, x);
    for (int round = 0; round < NEWTON_ROUNDS_MAX; round++) {
        fit_derivatives(data, x, gradient, hessian);
        hessian[0] += 1e-9; /* logits that are all equal carry no information on the sharpness */
        if (!solve(hessian, gradient, free_count, WIDTH)) {
            break;
        }
        bool improved = false;
        double step = 2.0;
        for (int halving = 0; halving < 20; halving++) {
            step *= 0.5;
            double trial[WIDTH];
            memcpy(trial, x, sizeof trial);
            for (int i = 0; i < free_count; i++) {
                trial[i] -= step * gradient[i];
            }
            if (trial[0] < 0.01 || trial[0] > 100.0) {
                continue;
            }
            const double trial_loss = fit_loss(data, trial);
            if (trial_loss < loss) {
                improved = loss - trial_loss > 1e-12;
                loss = trial_loss;
                memcpy(x, trial, sizeof x);
                break;
            }
        }
        if (!improved) {
            break;
        }
    }
    out->temperature = 1.0 / x[0];
    for (int k = 0; k < data->grades; k++) {
        out->bias[k] = data->with_bias ? x[1 + k] : 0.0;
    }
}

int reha_ordinal_grade(const double *probabilities, int grade_count)
{
    int told = 0;
    double least = (double)INFINITY;
    for (int g = 0; g < grade_count; g++) {
        double cost = 0.0;
        for (int k = 0; k < grade_count; k++) {
            cost += k == g ? 0.0 : probabilities[k] * (1.0 + MISS_SQUARE_COST * (k - g) * (k - g));
        }
        if (cost < least) {
            least = cost;
            told = g;
        }
    }
    return told;
}

/* ---- Sets ---- */

void reha_ordinal_set(const reha_ordinal_calibration *calibration, const double *probabilities, int *low,
                      int *high)
{
    const int told = reha_ordinal_grade(probabilities, calibration->grade_count);
    *low = told;
    *high = told;
    for (int k = 0; k < calibration->grade_count; k++) {
        if (probabilities[k] >= calibration->threshold[k]) {
            *low = k < *low ? k : *low;
            *high = k > *high ? k : *high;
        }
    }
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The largest threshold that still covers `level` of these probabilities of the true grade, with the
 * finite-sample correction; 0 (everything is in) where there are too few to promise it. */
static double covering_threshold(double *values, size_t count, double level)
{
    const double wanted = ceil(((double)count + 1.0) * level - 1e-9);
    if (count == 0 || wanted > (double)count) {
        return 0.0;
    }
    qsort(values, count, sizeof *values, by_value);
    return values[count - (size_t)wanted];
}

typedef struct set_data {
    const double *probabilities; /* count x grades */
    const int *labels;
    size_t count;
    const double *ceiling; /* per grade: the threshold that keeps the grade's own floor */
} set_data;

static void apply_common(const set_data *data, double common, reha_ordinal_calibration *calibration)
{
    for (int k = 0; k < calibration->grade_count; k++) {
        calibration->threshold[k] = fmin(common, data->ceiling[k]);
    }
}

static size_t covered(const set_data *data, const reha_ordinal_calibration *calibration)
{
    size_t hits = 0;
    for (size_t i = 0; i < data->count; i++) {
        int low = 0;
        int high = 0;
        reha_ordinal_set(calibration, data->probabilities + i * (size_t)calibration->grade_count, &low,
                         &high);
        hits += data->labels[i] >= low && data->labels[i] <= high;
    }
    return hits;
}

/* Coverage falls as the common threshold rises (sets shrink), so bisection finds the largest one that
 * still keeps the promise, with the closing of gaps and the floors of the grades counted in. */
static void fit_common(const set_data *data, reha_ordinal_calibration *calibration)
{
    const double wanted = ceil(((double)data->count + 1.0) * calibration->coverage - 1e-9);
    double keeps = 0.0;
    double breaks = 1.0;
    for (int round = 0; round < BISECTION_ROUNDS; round++) {
        const double middle = 0.5 * (keeps + breaks);
        apply_common(data, middle, calibration);
        if ((double)covered(data, calibration) >= wanted) {
            keeps = middle;
        } else {
            breaks = middle;
        }
    }
    apply_common(data, keeps, calibration);
}

static reha_status check_fit(const fit_data *data, const reha_ordinal_fit_options *options, reha_error *err)
{
    if (data->grades < 2 || data->grades > REHA_CLASSES_MAX) {
        return reha_fail(err, REHA_E_ARG, "calibration needs 2 to %d grades, not %d", REHA_CLASSES_MAX,
                         data->grades);
    }
    if (data->count < REHA_CALIBRATION_IMAGES_MIN) {
        return reha_fail(err, REHA_E_ARG, "calibration needs at least %d images, got %zu",
                         REHA_CALIBRATION_IMAGES_MIN, data->count);
    }
    if (!(options->coverage > 0.0 && options->coverage < 1.0) ||
        !(options->grade_floor >= 0.0 && options->grade_floor < 1.0) || !(options->bias_penalty >= 0.0)) {
        return reha_fail(err, REHA_E_ARG,
                         "coverage %g and grade floor %g must lie in (0, 1), bias penalty %g above 0",
                         options->coverage, options->grade_floor, options->bias_penalty);
    }
    for (size_t i = 0; i < data->count; i++) {
        if (data->labels[i] < 0 || data->labels[i] >= data->grades) {
            return reha_fail(err, REHA_E_ARG, "image %zu: grade %d is not in 0 to %d", i, data->labels[i],
                             data->grades - 1);
        }
        for (int k = 0; k < data->grades; k++) {
            if (!isfinite(data->logits[i * (size_t)data->grades + (size_t)k])) {
                return reha_fail(err, REHA_E_ARG, "image %zu: the output of grade %d is not a number", i, k);
            }
        }
    }
    return REHA_OK;
}

reha_status reha_ordinal_fit(const double *logits, const int *labels, size_t count, int grade_count,
                             const reha_ordinal_fit_options *options, reha_ordinal_calibration *out,
                             reha_error *err)
{
    const reha_ordinal_fit_options defaults = reha_ordinal_fit_options_default();
    options = options != NULL ? options : &defaults;
    const fit_data data = {.logits = logits,
                           .labels = labels,
                           .count = count,
                           .grades = grade_count,
                           .bias_penalty = options->with_bias ? fmax(options->bias_penalty, 1e-6) : 0.0,
                           .with_bias = options->with_bias};
    memset(out, 0, sizeof *out);
    REHA_TRY(check_fit(&data, options, err));

    double *probabilities = reha_alloc_zero(count, sizeof(double) * (size_t)grade_count);
    double *own = reha_alloc_zero(count, sizeof(double));
    reha_status status = REHA_OK;
    if (probabilities == NULL || own == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the calibration of %zu images", count);
        goto done;
    }
    *out = reha_ordinal_calibration_none(grade_count);
    out->coverage = options->coverage;
    out->grade_floor = options->grade_floor;
    out->fitted_on = count;
    fit_temperature(&data, out);

    double ceiling[REHA_CLASSES_MAX] = {0.0};
    for (size_t i = 0; i < count; i++) {
        reha_ordinal_probabilities(out, logits + i * (size_t)grade_count,
                                   probabilities + i * (size_t)grade_count);
    }
    for (int k = 0; k < grade_count; k++) {
        size_t own_count = 0;
        for (size_t i = 0; i < count; i++) {
            if (labels[i] == k) {
                own[own_count++] = probabilities[i * (size_t)grade_count + (size_t)k];
            }
        }
        ceiling[k] = own_count == 0 ? 1.0 : covering_threshold(own, own_count, options->grade_floor);
    }
    const set_data sets = {
        .probabilities = probabilities, .labels = labels, .count = count, .ceiling = ceiling};
    fit_common(&sets, out);
done:
    reha_free(own);
    reha_free(probabilities);
    return status;
}

/* ---- JSON ---- */

static json_t *numbers(const double *values, int count)
{
    json_t *array = json_array();
    for (int i = 0; array != NULL && i < count; i++) {
        if (json_array_append_new(array, json_real(values[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

reha_status reha_ordinal_to_json(const reha_ordinal_calibration *calibration, json_t **out, reha_error *err)
{
    *out = json_pack("{s:i, s:f, s:o, s:f, s:f, s:o, s:I}", "grades", calibration->grade_count, "temperature",
                     calibration->temperature, "bias", numbers(calibration->bias, calibration->grade_count),
                     "coverage", calibration->coverage, "grade_floor", calibration->grade_floor, "thresholds",
                     numbers(calibration->threshold, calibration->grade_count), "fitted_on",
                     (json_int_t)calibration->fitted_on);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the calibration's JSON");
}

reha_status reha_ordinal_from_json(const json_t *object, reha_ordinal_calibration *out, reha_error *err)
{
    double grades = 0.0;
    memset(out, 0, sizeof *out);
    REHA_TRY(reha_json_need_number(object, "grades", &grades, err));
    if (!(grades >= 2.0 && grades <= REHA_CLASSES_MAX) || grades != floor(grades)) {
        return reha_fail(err, REHA_E_FORMAT, "'grades' must be a whole number from 2 to %d",
                         REHA_CLASSES_MAX);
    }
    *out = reha_ordinal_calibration_none((int)grades);
    REHA_TRY(reha_json_need_number(object, "temperature", &out->temperature, err));
    REHA_TRY(reha_json_need_number(object, "coverage", &out->coverage, err));
    REHA_TRY(reha_json_need_numbers(object, "bias", (size_t)out->grade_count, out->bias, err));
    REHA_TRY(reha_json_need_numbers(object, "thresholds", (size_t)out->grade_count, out->threshold, err));
    out->grade_floor = reha_json_number(object, "grade_floor", 0.0);
    const double fitted_on = reha_json_number(object, "fitted_on", 0.0);
    out->fitted_on = fitted_on >= 0.0 && fitted_on < 1e12 ? (size_t)fitted_on : 0;
    if (!(out->temperature > 0.0 && out->temperature < 1e6)) {
        return reha_fail(err, REHA_E_FORMAT, "'temperature' must be above 0, not %g", out->temperature);
    }
    if (!(out->coverage > 0.0 && out->coverage < 1.0)) {
        return reha_fail(err, REHA_E_FORMAT, "'coverage' must lie between 0 and 1, not %g", out->coverage);
    }
    for (int k = 0; k < out->grade_count; k++) {
        if (!(out->threshold[k] >= 0.0 && out->threshold[k] <= 1.0)) {
            return reha_fail(err, REHA_E_FORMAT, "'thresholds'[%d] must lie between 0 and 1, not %g", k,
                             out->threshold[k]);
        }
    }
    return REHA_OK;
}
