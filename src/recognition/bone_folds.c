#include "recognition/bone_folds_priv.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <string.h>

enum { POWER_ROUNDS = 30 };
static const double RIDGES[] = {1.0, 3.0, 10.0, 30.0, 100.0, 300.0};
enum { RIDGE_COUNT = sizeof RIDGES / sizeof RIDGES[0] };

int reha_bone_columns_(const bone_problem *problem)
{
    return (problem->parts & BONE_WITH_FACTS ? REHA_BONE_FACTS : 0) +
           (problem->parts & BONE_WITH_TEXTURE ? REHA_BONE_TEXTURE : 0) +
           (problem->parts & BONE_WITH_EMBEDDING ? BONE_COMPONENTS : 0) +
           (problem->parts & BONE_WITH_ACQUISITION ? REHA_BONE_BACKGROUND + problem->table->set_count : 0);
}

/* Deals the groups of `use` rows out to folds, class by class, so that each fold has its share of each. */
static reha_status deal(const bone_problem *problem, const bool *use, int folds, uint64_t stream,
                        int *fold_of, reha_error *err)
{
    const size_t n = problem->table->count;
    size_t *order = reha_alloc(n * sizeof *order);
    if (order == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for folds");
    }
    for (size_t i = 0; i < n; i++) {
        order[i] = i;
        fold_of[i] = -1;
    }
    reha_random random = reha_random_init(problem->seed, stream);
    reha_random_shuffle(&random, order, n);
    int next = 0;
    for (int k = 0; k < problem->class_count; k++) {
        for (size_t o = 0; o < n; o++) {
            const size_t i = order[o];
            if (!use[i] || problem->classes[i] != k || fold_of[i] >= 0) {
                continue;
            }
            for (size_t j = 0; j < n; j++) {
                if (use[j] && problem->table->rows[j].group_idx == problem->table->rows[i].group_idx) {
                    fold_of[j] = next;
                }
            }
            next = (next + 1) % folds;
        }
    }
    reha_free(order);
    return REHA_OK;
}

/* ---- Columns ---- */

typedef struct columns {
    double *values; /* count * columns of the problem */
    double *work;   /* count * (count + 2 * BONE_COMPONENTS) */
} columns;

static void columns_clear(columns *c)
{
    reha_free(c->values);
    reha_free(c->work);
}

static reha_status columns_init(const bone_problem *problem, columns *out, reha_error *err)
{
    const size_t n = problem->table->count;
    out->values = reha_alloc_zero(n * (size_t)reha_bone_columns_(problem), sizeof(double));
    out->work = reha_alloc_zero(n * (n + (size_t)2 * BONE_COMPONENTS + 1), sizeof(double));
    return out->values != NULL && out->work != NULL
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for a regression");
}

static void orthonormalise(double *vectors, size_t n)
{
    for (int c = 0; c < BONE_COMPONENTS; c++) {
        double *v = vectors + (size_t)c * n;
        for (int b = 0; b < c; b++) {
            const double *u = vectors + (size_t)b * n;
            double dot = 0.0;
            for (size_t i = 0; i < n; i++) {
                dot += u[i] * v[i];
            }
            for (size_t i = 0; i < n; i++) {
                v[i] -= dot * u[i];
            }
        }
        double norm = 0.0;
        for (size_t i = 0; i < n; i++) {
            norm += v[i] * v[i];
        }
        norm = norm > 0.0 ? sqrt(norm) : 1.0;
        for (size_t i = 0; i < n; i++) {
            v[i] /= norm;
        }
    }
}

/* Inner products centred on the training rows; rows that are not in training get a centred row too, but no
 * column. */
static void centre(const bone_problem *problem, const bool *train, double *centred, double *means)
{
    const size_t n = problem->table->count;
    double all = 0.0;
    double trained = 0.0;
    for (size_t i = 0; i < n; i++) {
        double sum = 0.0;
        double count = 0.0;
        for (size_t j = 0; j < n; j++) {
            sum += train[j] ? problem->gram[i * n + j] : 0.0;
            count += train[j] ? 1.0 : 0.0;
        }
        means[i] = sum / count;
        all += train[i] ? means[i] : 0.0;
        trained = count;
    }
    all /= trained;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            centred[i * n + j] = train[j] ? problem->gram[i * n + j] - means[i] - means[j] + all : 0.0;
        }
    }
}

/* Scores of all rows on the first principal components of the training rows, by orthogonal iteration. */
static void components_of(const bone_problem *problem, const bool *train, columns *c, int first_column)
{
    const size_t n = problem->table->count;
    const size_t width = (size_t)reha_bone_columns_(problem);
    double *centred = c->work;
    double *vectors = centred + n * n;
    double *next = vectors + n * BONE_COMPONENTS;
    reha_random random = reha_random_init(problem->seed, 9);
    centre(problem, train, centred, next);
    for (size_t i = 0; i < n * BONE_COMPONENTS; i++) {
        vectors[i] = train[i % n] ? reha_random_normal(&random) : 0.0;
    }
    orthonormalise(vectors, n);
    for (int round = 0; round <= POWER_ROUNDS; round++) {
        for (int v = 0; v < BONE_COMPONENTS; v++) {
            for (size_t i = 0; i < n; i++) {
                double sum = 0.0;
                for (size_t j = 0; j < n; j++) {
                    sum += centred[i * n + j] * vectors[(size_t)v * n + j];
                }
                next[(size_t)v * n + i] = sum;
            }
        }
        if (round == POWER_ROUNDS) {
            break;
        }
        for (size_t i = 0; i < n * BONE_COMPONENTS; i++) {
            vectors[i] = train[i % n] ? next[i] : 0.0;
        }
        orthonormalise(vectors, n);
    }
    for (int v = 0; v < BONE_COMPONENTS; v++) {
        for (size_t i = 0; i < n; i++) {
            c->values[i * width + (size_t)(first_column + v)] = next[(size_t)v * n + i];
        }
    }
}

static void build(const bone_problem *problem, const bool *train, columns *c)
{
    const size_t width = (size_t)reha_bone_columns_(problem);
    int at = 0;
    for (size_t i = 0; i < problem->table->count; i++) {
        const reha_bone_row *row = &problem->table->rows[i];
        double *to = c->values + i * width;
        at = 0;
        for (int f = 0; f < REHA_BONE_FACTS && (problem->parts & BONE_WITH_FACTS); f++) {
            to[at++] = row->facts[f];
        }
        for (int f = 0; f < REHA_BONE_TEXTURE && (problem->parts & BONE_WITH_TEXTURE); f++) {
            to[at++] = row->texture[f];
        }
        for (int f = 0; f < REHA_BONE_BACKGROUND && (problem->parts & BONE_WITH_ACQUISITION); f++) {
            to[at++] = row->background[f];
        }
        for (int f = 0; f < problem->table->set_count && (problem->parts & BONE_WITH_ACQUISITION); f++) {
            to[at++] = row->set_idx == f ? 1.0 : 0.0;
        }
    }
    if (problem->parts & BONE_WITH_EMBEDDING) {
        components_of(problem, train, c, at);
    }
}

/* ---- Folds ---- */

static reha_status fit_rows(const bone_problem *problem, const columns *c, const bool *train, double ridge,
                            reha_regression *out, reha_error *err)
{
    const size_t n = problem->table->count;
    const int width = reha_bone_columns_(problem);
    reha_status status = REHA_OK;
    double *rows = reha_alloc(n * (size_t)width * sizeof *rows);
    int *classes = reha_alloc(n * sizeof *classes);
    size_t count = 0;
    if (rows == NULL || classes == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for a regression"));
    }
    for (size_t i = 0; i < n; i++) {
        if (train[i]) {
            memcpy(rows + count * (size_t)width, c->values + i * (size_t)width, (size_t)width * sizeof *rows);
            classes[count++] = problem->classes[i];
        }
    }
    REHA_CHECK(reha_regression_fit(rows, classes, count, width, problem->class_count, ridge, out, err));
done:
    reha_free(rows);
    reha_free(classes);
    return status;
}

/* The ridge with the least log loss over the inner folds of the rows in `use`. */
static reha_status choose_ridge(const bone_problem *problem, const bool *use, uint64_t stream, columns *c,
                                double *ridge, reha_error *err)
{
    const size_t n = problem->table->count;
    const size_t width = (size_t)reha_bone_columns_(problem);
    double losses[RIDGE_COUNT] = {0.0};
    reha_status status = REHA_OK;
    int *fold_of = reha_alloc(n * sizeof *fold_of);
    bool *train = reha_alloc(n * sizeof *train);
    if (fold_of == NULL || train == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for folds"));
    }
    REHA_CHECK(deal(problem, use, BONE_INNER, stream, fold_of, err));
    for (int fold = 0; fold < BONE_INNER; fold++) {
        for (size_t i = 0; i < n; i++) {
            train[i] = use[i] && fold_of[i] != fold;
        }
        build(problem, train, c);
        for (int r = 0; r < RIDGE_COUNT; r++) {
            reha_regression model;
            REHA_CHECK(fit_rows(problem, c, train, RIDGES[r], &model, err));
            for (size_t i = 0; i < n; i++) {
                double p[REHA_REGRESSION_CLASSES_MAX];
                if (use[i] && fold_of[i] == fold) {
                    reha_regression_predict(&model, c->values + i * width, p);
                    losses[r] -= log(fmax(p[problem->classes[i]], 1e-9));
                }
            }
        }
    }
    int best = 0;
    for (int r = 1; r < RIDGE_COUNT; r++) {
        best = losses[r] < losses[best] ? r : best;
    }
    *ridge = RIDGES[best];
done:
    reha_free(fold_of);
    reha_free(train);
    return status;
}

static reha_status run_repeat(const bone_problem *problem, int repeat, columns *c, int *fold_of, bool *train,
                              double *probabilities, reha_error *err)
{
    const size_t n = problem->table->count;
    const size_t width = (size_t)reha_bone_columns_(problem);
    for (size_t i = 0; i < n; i++) {
        train[i] = true;
    }
    REHA_TRY(deal(problem, train, BONE_OUTER, 100 + (uint64_t)repeat, fold_of, err));
    for (int fold = 0; fold < BONE_OUTER; fold++) {
        reha_regression model;
        double ridge = 0.0;
        for (size_t i = 0; i < n; i++) {
            train[i] = fold_of[i] != fold;
        }
        REHA_TRY(choose_ridge(problem, train, 1000 + (uint64_t)(repeat * BONE_OUTER + fold), c, &ridge, err));
        build(problem, train, c);
        REHA_TRY(fit_rows(problem, c, train, ridge, &model, err));
        for (size_t i = 0; i < n; i++) {
            double p[REHA_REGRESSION_CLASSES_MAX];
            if (fold_of[i] == fold) {
                reha_regression_predict(&model, c->values + i * width, p);
                for (int k = 0; k < problem->class_count; k++) {
                    probabilities[i * (size_t)problem->class_count + (size_t)k] += p[k] / BONE_REPEATS;
                }
            }
        }
    }
    return REHA_OK;
}

reha_status reha_bone_cross_validate_(const bone_problem *problem, double *probabilities, reha_error *err)
{
    const size_t n = problem->table->count;
    reha_status status = REHA_OK;
    columns c = {0};
    int *fold_of = reha_alloc(n * sizeof *fold_of);
    bool *train = reha_alloc(n * sizeof *train);
    if (fold_of == NULL || train == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for folds"));
    }
    REHA_CHECK(columns_init(problem, &c, err));
    memset(probabilities, 0, n * (size_t)problem->class_count * sizeof *probabilities);
    for (int repeat = 0; repeat < BONE_REPEATS; repeat++) {
        REHA_CHECK(run_repeat(problem, repeat, &c, fold_of, train, probabilities, err));
    }
done:
    columns_clear(&c);
    reha_free(fold_of);
    reha_free(train);
    return status;
}

reha_status reha_bone_fit_all_(const bone_problem *problem, reha_regression *out, double *ridge,
                               reha_error *err)
{
    const size_t n = problem->table->count;
    reha_status status = REHA_OK;
    columns c = {0};
    bool *all = reha_alloc(n * sizeof *all);
    if (all == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for a regression"));
    }
    for (size_t i = 0; i < n; i++) {
        all[i] = true;
    }
    REHA_CHECK(columns_init(problem, &c, err));
    REHA_CHECK(choose_ridge(problem, all, 7, &c, ridge, err));
    build(problem, all, &c);
    REHA_CHECK(fit_rows(problem, &c, all, *ridge, out, err));
done:
    columns_clear(&c);
    reha_free(all);
    return status;
}
