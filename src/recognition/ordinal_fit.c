#include "recognition/ordinal_fit.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

enum {
    PARAMETERS_MAX = REHA_REGRESSION_COLUMNS_MAX + REHA_REGRESSION_CLASSES_MAX - 1,
    STEPS_MAX = 60,
    HALVINGS = 12
};
static const double CHANCE_MIN = 1e-9;
static const double SETTLED = 1e-8; /* change of the penalised log-likelihood, relative */

typedef struct fit {
    const double *x; /* standardised */
    const int *classes;
    size_t count;
    int columns, cuts, parameters; /* parameters: thresholds, then weights */
    double ridge;
    double hessian[PARAMETERS_MAX * PARAMETERS_MAX];
    double gradient[PARAMETERS_MAX];
} fit;

static double sigmoid(double x)
{
    return x >= 0.0 ? 1.0 / (1.0 + exp(-x)) : exp(x) / (1.0 + exp(x));
}

static double score_of(const double *weights, const double *x, int columns)
{
    double sum = 0.0;
    for (int c = 0; c < columns; c++) {
        sum += weights[c] * x[c];
    }
    return sum;
}

/* P(class <= k) for k = -1 .. cuts, at a score. */
static double below(const double *thresholds, int cuts, int k, double score)
{
    return k < 0 ? 0.0 : k >= cuts ? 1.0 : sigmoid(thresholds[k] - score);
}

static double objective(const fit *f, const double *parameters)
{
    const double *weights = parameters + f->cuts;
    double sum = 0.0;
    for (int k = 1; k < f->cuts; k++) {
        if (!(parameters[k] > parameters[k - 1])) {
            return -INFINITY;
        }
    }
    for (size_t i = 0; i < f->count; i++) {
        const double score = score_of(weights, f->x + i * (size_t)f->columns, f->columns);
        const double p = below(parameters, f->cuts, f->classes[i], score) -
                         below(parameters, f->cuts, f->classes[i] - 1, score);
        sum += log(fmax(p, CHANCE_MIN));
    }
    for (int c = 0; c < f->columns; c++) {
        sum -= 0.5 * f->ridge * weights[c] * weights[c];
    }
    return sum;
}

/* d P(class = k) / d parameters: two thresholds and the score. */
static void slopes_of(const fit *f, const double *parameters, int k, double score, double *upper,
                      double *lower)
{
    const double up = below(parameters, f->cuts, k, score);
    const double down = below(parameters, f->cuts, k - 1, score);
    *upper = up * (1.0 - up);
    *lower = down * (1.0 - down);
}

static void add_outer(fit *f, const double *slope, double weight)
{
    for (int a = 0; a < f->parameters; a++) {
        for (int b = 0; b <= a && slope[a] != 0.0; b++) {
            f->hessian[a * PARAMETERS_MAX + b] += weight * slope[a] * slope[b];
        }
    }
}

/* Gradient and expected information of one row. */
static void add_row(fit *f, const double *parameters, size_t i)
{
    const double *x = f->x + i * (size_t)f->columns;
    const double score = score_of(parameters + f->cuts, x, f->columns);
    for (int k = 0; k <= f->cuts; k++) {
        double slope[PARAMETERS_MAX] = {0.0};
        double upper = 0.0;
        double lower = 0.0;
        const double p =
            fmax(below(parameters, f->cuts, k, score) - below(parameters, f->cuts, k - 1, score), CHANCE_MIN);
        slopes_of(f, parameters, k, score, &upper, &lower);
        if (k < f->cuts) {
            slope[k] = upper;
        }
        if (k > 0) {
            slope[k - 1] = -lower;
        }
        for (int c = 0; c < f->columns; c++) {
            slope[f->cuts + c] = -(upper - lower) * x[c];
        }
        add_outer(f, slope, 1.0 / p);
        for (int a = 0; a < f->parameters && k == f->classes[i]; a++) {
            f->gradient[a] += slope[a] / p;
        }
    }
}

/* Solves hessian * step = gradient by Cholesky; false if it is not positive definite. */
static bool solve(fit *f, double *step)
{
    double *h = f->hessian;
    const int n = f->parameters;
    for (int j = 0; j < n; j++) {
        for (int i = j; i < n; i++) {
            double sum = h[i * PARAMETERS_MAX + j];
            for (int k = 0; k < j; k++) {
                sum -= h[i * PARAMETERS_MAX + k] * h[j * PARAMETERS_MAX + k];
            }
            if (i == j && !(sum > 0.0)) {
                return false;
            }
            h[i * PARAMETERS_MAX + j] = i == j ? sqrt(sum) : sum / h[j * PARAMETERS_MAX + j];
        }
    }
    for (int i = 0; i < n; i++) {
        step[i] = f->gradient[i];
        for (int k = 0; k < i; k++) {
            step[i] -= h[i * PARAMETERS_MAX + k] * step[k];
        }
        step[i] /= h[i * PARAMETERS_MAX + i];
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int k = i + 1; k < n; k++) {
            step[i] -= h[k * PARAMETERS_MAX + i] * step[k];
        }
        step[i] /= h[i * PARAMETERS_MAX + i];
    }
    return true;
}

static bool find_step(fit *f, const double *parameters, double *step)
{
    memset(f->hessian, 0, sizeof f->hessian);
    memset(f->gradient, 0, sizeof f->gradient);
    for (size_t i = 0; i < f->count; i++) {
        add_row(f, parameters, i);
    }
    for (int a = 0; a < f->parameters; a++) {
        f->hessian[a * PARAMETERS_MAX + a] += a < f->cuts ? 1e-6 : f->ridge;
        f->gradient[a] -= a < f->cuts ? 0.0 : f->ridge * parameters[a];
    }
    return solve(f, step);
}

static reha_status climb(fit *f, double *parameters, reha_error *err)
{
    double best = objective(f, parameters);
    for (int s = 0; s < STEPS_MAX; s++) {
        double step[PARAMETERS_MAX] = {0.0};
        double next[PARAMETERS_MAX] = {0.0};
        if (!find_step(f, parameters, step)) {
            return reha_fail(err, REHA_E_INTERNAL, "the regression's equations cannot be solved");
        }
        double share = 1.0;
        double reached = -INFINITY;
        for (int h = 0; h < HALVINGS && !(reached > best); h++, share *= 0.5) {
            for (int a = 0; a < f->parameters; a++) {
                next[a] = parameters[a] + share * step[a];
            }
            reached = objective(f, next);
        }
        if (!(reached > best)) {
            return REHA_OK;
        }
        memcpy(parameters, next, (size_t)f->parameters * sizeof *parameters);
        const bool is_settled = reached - best < SETTLED * (1.0 + fabs(best));
        best = reached;
        if (is_settled) {
            return REHA_OK;
        }
    }
    return REHA_OK;
}

/* ---- Columns ---- */

static double standard(const reha_regression *model, const double *row, int c)
{
    return isfinite(row[c]) ? (row[c] - model->mean[c]) / model->sd[c] : 0.0;
}

static void learn_columns(const double *rows, size_t count, reha_regression *model)
{
    for (int c = 0; c < model->column_count; c++) {
        double sum = 0.0;
        double square = 0.0;
        size_t known = 0;
        for (size_t i = 0; i < count; i++) {
            const double value = rows[i * (size_t)model->column_count + (size_t)c];
            if (isfinite(value)) {
                sum += value;
                known++;
            }
        }
        model->mean[c] = known > 0 ? sum / (double)known : 0.0;
        for (size_t i = 0; i < count; i++) {
            const double value = rows[i * (size_t)model->column_count + (size_t)c];
            square += isfinite(value) ? (value - model->mean[c]) * (value - model->mean[c]) : 0.0;
        }
        const double sd = known > 1 ? sqrt(square / (double)(known - 1)) : 0.0;
        model->sd[c] = sd > 1e-9 ? sd : 1.0; /* a constant column stays 0 */
    }
}

/* Thresholds that give each class its share where nothing else is known. */
static reha_status start(const int *classes, size_t count, int class_count, double *parameters,
                         reha_error *err)
{
    size_t counts[REHA_REGRESSION_CLASSES_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        if (classes[i] < 0 || classes[i] >= class_count) {
            return reha_fail(err, REHA_E_ARG, "row %zu: class %d of %d", i, classes[i], class_count);
        }
        counts[classes[i]]++;
    }
    double seen = 0.0;
    for (int k = 0; k < class_count; k++) {
        if (counts[k] == 0) {
            return reha_fail(err, REHA_E_FORMAT, "no row of class %d among %zu: it cannot be learnt", k,
                             count);
        }
        seen += (double)counts[k];
        if (k < class_count - 1) {
            parameters[k] = log(seen / ((double)count - seen));
        }
    }
    return REHA_OK;
}

reha_status reha_regression_fit(const double *rows, const int *classes, size_t count, int column_count,
                                int class_count, double ridge, reha_regression *out, reha_error *err)
{
    reha_status status = REHA_OK;
    double parameters[PARAMETERS_MAX] = {0.0};
    *out = (reha_regression){.class_count = class_count, .column_count = column_count};
    if (column_count < 1 || column_count > REHA_REGRESSION_COLUMNS_MAX || class_count < 2 ||
        class_count > REHA_REGRESSION_CLASSES_MAX || !(ridge > 0.0)) {
        return reha_fail(err, REHA_E_ARG, "a regression of %d columns, %d classes, ridge %g", column_count,
                         class_count, ridge);
    }
    REHA_TRY(start(classes, count, class_count, parameters, err));
    learn_columns(rows, count, out);
    double *x = reha_alloc(count * (size_t)column_count * sizeof *x);
    fit *f = reha_alloc_zero(1, sizeof *f);
    if (x == NULL || f == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for %zu rows", count));
    }
    for (size_t i = 0; i < count * (size_t)column_count; i++) {
        const int c = (int)(i % (size_t)column_count);
        x[i] = standard(out, rows + i - (size_t)c, c);
    }
    f->x = x;
    f->classes = classes;
    f->count = count;
    f->columns = column_count;
    f->cuts = class_count - 1;
    f->parameters = f->cuts + column_count;
    f->ridge = ridge;
    REHA_CHECK(climb(f, parameters, err));
    memcpy(out->thresholds, parameters, (size_t)f->cuts * sizeof *parameters);
    memcpy(out->weights, parameters + f->cuts, (size_t)column_count * sizeof *parameters);
done:
    reha_free(x);
    reha_free(f);
    return status;
}

void reha_regression_predict(const reha_regression *model, const double *row, double *probabilities)
{
    double score = 0.0;
    for (int c = 0; c < model->column_count; c++) {
        score += model->weights[c] * standard(model, row, c);
    }
    for (int k = 0; k < model->class_count; k++) {
        probabilities[k] = below(model->thresholds, model->class_count - 1, k, score) -
                           below(model->thresholds, model->class_count - 1, k - 1, score);
    }
}

/* ---- JSON ---- */

static json_t *numbers(const double *values, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        (void)json_array_append_new(list, reha_json_real(values[i]));
    }
    return list;
}

reha_status reha_regression_to_json(const reha_regression *model, json_t **out, reha_error *err)
{
    *out = json_pack("{s:i, s:i, s:o, s:o, s:o, s:o}", "classes", model->class_count, "columns",
                     model->column_count, "mean", numbers(model->mean, model->column_count), "sd",
                     numbers(model->sd, model->column_count), "weights",
                     numbers(model->weights, model->column_count), "thresholds",
                     numbers(model->thresholds, model->class_count - 1));
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a regression");
}

static reha_status need_count(const json_t *object, const char *key, int low, int high, int *out,
                              reha_error *err)
{
    double value = 0.0;
    REHA_TRY(reha_json_need_number(object, key, &value, err));
    if (!(value >= low && value <= high) || value != floor(value)) {
        return reha_fail(err, REHA_E_FORMAT, "'%s' is %g, not a whole number from %d to %d", key, value, low,
                         high);
    }
    *out = (int)value;
    return REHA_OK;
}

reha_status reha_regression_from_json(const json_t *object, reha_regression *out, reha_error *err)
{
    *out = (reha_regression){0};
    REHA_TRY(need_count(object, "classes", 2, REHA_REGRESSION_CLASSES_MAX, &out->class_count, err));
    REHA_TRY(need_count(object, "columns", 1, REHA_REGRESSION_COLUMNS_MAX, &out->column_count, err));
    REHA_TRY(reha_json_need_numbers(object, "mean", (size_t)out->column_count, out->mean, err));
    REHA_TRY(reha_json_need_numbers(object, "sd", (size_t)out->column_count, out->sd, err));
    REHA_TRY(reha_json_need_numbers(object, "weights", (size_t)out->column_count, out->weights, err));
    REHA_TRY(
        reha_json_need_numbers(object, "thresholds", (size_t)out->class_count - 1, out->thresholds, err));
    for (int c = 0; c < out->column_count; c++) {
        if (!(out->sd[c] > 0.0)) {
            return reha_fail(err, REHA_E_FORMAT, "'sd' %d is %g, not above 0", c, out->sd[c]);
        }
    }
    for (int k = 1; k < out->class_count - 1; k++) {
        if (!(out->thresholds[k] > out->thresholds[k - 1])) {
            return reha_fail(err, REHA_E_FORMAT, "'thresholds' do not rise");
        }
    }
    return REHA_OK;
}
