#include "recognition/bone_study.h"

#include "base/memory.h"
#include "base/random.h"
#include "recognition/bone_folds_priv.h"
#include "recognition/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 3, LOW_DENSITY = 1, OSTEOPOROSIS = 2, MODELS = 6, GROUPS_PER_CLASS_MIN = 10 };

static const struct {
    const char *name;
    int parts;
    const char *text;
} kinds[MODELS] = {
    {"baseline", BONE_WITH_FACTS, "age, sex, BMI"},
    {"texture", BONE_WITH_TEXTURE, "trabecular texture and brightness in regions placed by landmarks"},
    {"embedding", BONE_WITH_EMBEDDING, "12 principal components of the grading network's last map"},
    {"baseline+texture", BONE_WITH_FACTS | BONE_WITH_TEXTURE, "age, sex, BMI and texture"},
    {"baseline+embedding", BONE_WITH_FACTS | BONE_WITH_EMBEDDING, "age, sex, BMI and embedding"},
    {"acquisition", BONE_WITH_ACQUISITION,
     "shortcut test: acquisition set, border and exposure of the picture, no bone"},
};
enum { BASELINE, TEXTURE, EMBEDDING, BASELINE_TEXTURE, BASELINE_EMBEDDING, ACQUISITION };

typedef struct study {
    const reha_bone_table *table;
    int rounds;
    uint64_t seed;
    int *classes, *sets, *labels;
    double *gram;
    double *probabilities[MODELS]; /* NULL: not measured */
    double *weights, *scores[2];   /* work */
    double *draws;                 /* rounds * count: weights of the rows in each bootstrap draw */
} study;

/* ---- Figures ---- */

double reha_bone_auc(const double *scores, const int *labels, const int *strata, const double *weights,
                     size_t count)
{
    double wins = 0.0;
    double pairs = 0.0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; labels[i] != 0 && weights[i] > 0.0 && j < count; j++) {
            if (labels[j] == 0 && (strata == NULL || strata[i] == strata[j])) {
                const double weight = weights[i] * weights[j];
                pairs += weight;
                wins += scores[i] > scores[j] ? weight : scores[i] == scores[j] ? 0.5 * weight : 0.0;
            }
        }
    }
    return pairs > 0.0 ? wins / pairs : (double)NAN;
}

/* Whole groups are drawn; the same draws for every figure, so that differences are paired. */
static reha_status make_draws(study *s, reha_error *err)
{
    const size_t n = s->table->count;
    size_t groups = 0;
    for (size_t i = 0; i < n; i++) {
        groups = s->table->rows[i].group_idx >= groups ? s->table->rows[i].group_idx + 1 : groups;
    }
    double *times = reha_alloc_zero(groups, sizeof *times);
    bool *is_there = reha_alloc_zero(groups, sizeof *is_there);
    size_t *list = reha_alloc_zero(groups, sizeof *list);
    size_t known = 0;
    reha_status status = REHA_OK;
    if (times == NULL || is_there == NULL || list == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for the bootstrap"));
    }
    for (size_t i = 0; i < n; i++) {
        const size_t group = s->table->rows[i].group_idx;
        if (!is_there[group]) {
            is_there[group] = true;
            list[known++] = group;
        }
    }
    reha_random random = reha_random_init(s->seed, 0x0b02);
    for (int r = 0; r < s->rounds; r++) {
        memset(times, 0, groups * sizeof *times);
        for (size_t g = 0; g < known; g++) {
            times[list[reha_random_below(&random, (uint32_t)known)]] += 1.0;
        }
        for (size_t i = 0; i < n; i++) {
            s->draws[(size_t)r * n + i] = times[s->table->rows[i].group_idx];
        }
    }
done:
    reha_free(times);
    reha_free(is_there);
    reha_free(list);
    return status;
}

static int compare_double(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

typedef double (*figure_of)(const study *s, const void *what, const double *weights);

static reha_status estimate(const study *s, figure_of figure, const void *what, reha_estimate *out,
                            reha_error *err)
{
    double *values = reha_alloc(((size_t)s->rounds + 1) * sizeof *values);
    int finite = 0;
    if (values == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the bootstrap");
    }
    *out = (reha_estimate){figure(s, what, s->weights), (double)NAN, (double)NAN};
    for (int r = 0; r < s->rounds; r++) {
        const double value = figure(s, what, s->draws + (size_t)r * s->table->count);
        if (isfinite(value)) {
            values[finite++] = value;
        }
    }
    if (finite > 0) {
        qsort(values, (size_t)finite, sizeof *values, compare_double);
        out->low = values[(size_t)(0.025 * (finite - 1) + 0.5)];
        out->high = values[(size_t)(0.975 * (finite - 1) + 0.5)];
    }
    reha_free(values);
    return REHA_OK;
}

typedef struct auc_of {         /* what to compute: probabilities of one model, or of two for a difference */
    const double *of, *against; /* NULL: no difference */
    int boundary;               /* 0: mean of both */
    bool within_sets;
} auc_of;

static double auc_at(const study *s, const double *probabilities, int boundary, bool within_sets,
                     const double *weights)
{
    const size_t n = s->table->count;
    for (size_t i = 0; i < n; i++) {
        const double *p = probabilities + i * CLASSES;
        s->scores[0][i] = boundary == LOW_DENSITY ? p[1] + p[2] : p[2];
        s->labels[i] = s->classes[i] >= boundary;
    }
    return reha_bone_auc(s->scores[0], s->labels, within_sets ? s->sets : NULL, weights, n);
}

static double auc_figure(const study *s, const void *what, const double *weights)
{
    const auc_of *w = what;
    double value = 0.0;
    const int first = w->boundary > 0 ? w->boundary : LOW_DENSITY;
    const int last = w->boundary > 0 ? w->boundary : OSTEOPOROSIS;
    for (int b = first; b <= last; b++) {
        double one = auc_at(s, w->of, b, w->within_sets, weights);
        one -= w->against != NULL ? auc_at(s, w->against, b, w->within_sets, weights) : 0.0;
        value += one / (last - first + 1);
    }
    return value;
}

static reha_status add_auc(const study *s, json_t *to, const char *key, auc_of what, reha_estimate *out,
                           reha_error *err)
{
    reha_estimate one;
    REHA_TRY(estimate(s, auc_figure, &what, &one, err));
    (void)json_object_set_new(to, key, reha_estimate_to_json(&one));
    if (out != NULL) {
        *out = one;
    }
    return REHA_OK;
}

static reha_status add_graded(const study *s, json_t *to, const double *probabilities, reha_error *err)
{
    const size_t n = s->table->count;
    reha_graded_metrics metrics;
    reha_graded_case *cases = reha_alloc_zero(n, sizeof *cases);
    if (cases == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the figures");
    }
    for (size_t i = 0; i < n; i++) {
        cases[i] = (reha_graded_case){.patient_idx = s->table->rows[i].group_idx,
                                      .grade = s->classes[i],
                                      .set_low = -1,
                                      .set_high = -1};
        memcpy(cases[i].probabilities, probabilities + i * CLASSES, CLASSES * sizeof(double));
    }
    const reha_status status =
        reha_graded_metrics_compute(cases, n, CLASSES, LOW_DENSITY, s->rounds, s->seed, &metrics, err);
    reha_free(cases);
    REHA_TRY(status);
    (void)json_object_set_new(to, "accuracy", reha_estimate_to_json(&metrics.accuracy));
    (void)json_object_set_new(to, "kappa", reha_estimate_to_json(&metrics.kappa));
    return REHA_OK;
}

static reha_status add_model(const study *s, int kind, json_t *models, reha_error *err)
{
    const double *p = s->probabilities[kind];
    json_t *one = json_pack("{s:s, s:s}", "name", kinds[kind].name, "columns", kinds[kind].text);
    (void)json_array_append_new(models, one);
    REHA_TRY(add_auc(s, one, "auc_low_density", (auc_of){p, NULL, LOW_DENSITY, false}, NULL, err));
    REHA_TRY(add_auc(s, one, "auc_osteoporosis", (auc_of){p, NULL, OSTEOPOROSIS, false}, NULL, err));
    REHA_TRY(add_auc(s, one, "auc_low_density_within_sets", (auc_of){p, NULL, LOW_DENSITY, true}, NULL, err));
    REHA_TRY(
        add_auc(s, one, "auc_osteoporosis_within_sets", (auc_of){p, NULL, OSTEOPOROSIS, true}, NULL, err));
    return add_graded(s, one, p, err);
}

/* ---- Shortcuts ---- */

typedef struct binary {
    const double *scores;
    const int *labels;
} binary;

static double binary_figure(const study *s, const void *what, const double *weights)
{
    const binary *b = what;
    return reha_bone_auc(b->scores, b->labels, NULL, weights, s->table->count);
}

/* Can one acquisition set be told from the others by the features? Sets of too few groups are passed over. */
static reha_status tell_set(study *s, int parts, int set, double *p, json_t *to, reha_error *err)
{
    const size_t n = s->table->count;
    size_t inside = 0;
    int *is_set = s->labels;
    for (size_t i = 0; i < n; i++) {
        is_set[i] = s->sets[i] == set;
        inside += is_set[i] != 0 ? 1 : 0;
    }
    if (inside < GROUPS_PER_CLASS_MIN || n - inside < GROUPS_PER_CLASS_MIN) {
        return REHA_OK;
    }
    const bone_problem problem = {s->table, s->gram, parts, is_set, 2, s->seed};
    REHA_TRY(reha_bone_cross_validate_(&problem, p, err));
    for (size_t i = 0; i < n; i++) {
        s->scores[1][i] = p[2 * i + 1];
    }
    reha_estimate one;
    const binary what = {s->scores[1], is_set};
    REHA_TRY(estimate(s, binary_figure, &what, &one, err));
    json_t *row = json_pack("{s:i, s:I, s:o}", "set", set, "n", (json_int_t)inside, "auc_of_set",
                            reha_estimate_to_json(&one));
    return row != NULL && json_array_append_new(to, row) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
}

static reha_status tell_sets(study *s, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    double *p = reha_alloc(2 * s->table->count * sizeof *p);
    json_t *by_texture = json_array();
    json_t *by_embedding = json_array();
    *out = NULL;
    if (p == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for the shortcut tests"));
    }
    for (int set = 0; set < s->table->set_count && s->table->set_count > 1; set++) {
        REHA_CHECK(tell_set(s, BONE_WITH_TEXTURE, set, p, by_texture, err));
        if (s->gram != NULL) {
            REHA_CHECK(tell_set(s, BONE_WITH_EMBEDDING, set, p, by_embedding, err));
        }
    }
    *out = json_pack("{s:O, s:O}", "set_from_texture", by_texture, "set_from_embedding", by_embedding);
done:
    json_decref(by_texture);
    json_decref(by_embedding);
    reha_free(p);
    return status;
}

/* ---- The study ---- */

static void study_clear(study *s)
{
    reha_free(s->classes);
    reha_free(s->sets);
    reha_free(s->labels);
    reha_free(s->gram);
    for (int m = 0; m < MODELS; m++) {
        reha_free(s->probabilities[m]);
    }
    reha_free(s->weights);
    reha_free(s->scores[0]);
    reha_free(s->scores[1]);
    reha_free(s->draws);
}

static void fill_gram(study *s)
{
    const size_t n = s->table->count;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = 0.0;
            for (int c = 0; c < s->table->embedding_count; c++) {
                sum += (double)s->table->rows[i].embedding[c] * (double)s->table->rows[j].embedding[c];
            }
            s->gram[i * n + j] = s->gram[j * n + i] = sum;
        }
    }
}

static reha_status study_init(study *s, reha_error *err)
{
    const size_t n = s->table->count;
    const bool with_embedding = s->table->embedding_count > 0;
    s->classes = reha_alloc_zero(n, sizeof *s->classes);
    s->sets = reha_alloc_zero(n, sizeof *s->sets);
    s->labels = reha_alloc_zero(n, sizeof *s->labels);
    s->weights = reha_alloc_zero(n, sizeof *s->weights);
    s->scores[0] = reha_alloc_zero(n, sizeof(double));
    s->scores[1] = reha_alloc_zero(n, sizeof(double));
    s->draws = reha_alloc_zero(n * (size_t)(s->rounds > 0 ? s->rounds : 1), sizeof *s->draws);
    s->gram = with_embedding ? reha_alloc(n * n * sizeof *s->gram) : NULL;
    if (s->classes == NULL || s->sets == NULL || s->labels == NULL || s->weights == NULL ||
        s->scores[0] == NULL || s->scores[1] == NULL || s->draws == NULL ||
        (with_embedding && s->gram == NULL)) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a study of %zu pictures", n);
    }
    for (size_t i = 0; i < n; i++) {
        s->classes[i] = s->table->rows[i].class_idx;
        s->sets[i] = s->table->rows[i].set_idx;
        s->weights[i] = 1.0;
    }
    if (with_embedding) {
        fill_gram(s);
    }
    return make_draws(s, err);
}

/* Every training part of every fold must see each class. */
static reha_status check_classes(const reha_bone_table *table, reha_error *err)
{
    for (int k = 0; k < CLASSES; k++) {
        size_t groups = 0;
        for (size_t i = 0; i < table->count; i++) {
            bool is_first = table->rows[i].class_idx == k;
            for (size_t j = 0; j < i && is_first; j++) {
                is_first = table->rows[j].group_idx != table->rows[i].group_idx;
            }
            groups += is_first ? 1 : 0;
        }
        if (groups < GROUPS_PER_CLASS_MIN) {
            return reha_fail(
                err, REHA_E_FORMAT,
                "class %d of 0 to 2 has %zu people with a usable picture: at least %d are needed", k, groups,
                GROUPS_PER_CLASS_MIN);
        }
    }
    return REHA_OK;
}

static reha_status say(const reha_progress *progress, int done, const char *text, reha_error *err)
{
    if (reha_progress_is_stopped(progress)) {
        return reha_fail(err, REHA_E_CANCELLED, "stopped in the cross-validation");
    }
    if (progress != NULL && progress->update != NULL) {
        progress->update(progress->context, done, MODELS, "models", 0.0, -1.0, text);
    }
    return REHA_OK;
}

static reha_status cross_validate(study *s, const reha_progress *progress, reha_error *err)
{
    for (int m = 0; m < MODELS; m++) {
        REHA_TRY(say(progress, m, kinds[m].name, err));
        if ((kinds[m].parts & BONE_WITH_EMBEDDING) && s->gram == NULL) {
            continue;
        }
        s->probabilities[m] = reha_alloc_zero(s->table->count * CLASSES, sizeof(double));
        if (s->probabilities[m] == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
        }
        const bone_problem problem = {s->table, s->gram, kinds[m].parts, s->classes, CLASSES, s->seed};
        REHA_TRY(reha_bone_cross_validate_(&problem, s->probabilities[m], err));
    }
    return REHA_OK;
}

static reha_status add_difference(const study *s, int kind, json_t *to, bool *adds, reha_error *err)
{
    reha_estimate mean;
    json_t *one = json_object();
    (void)json_object_set_new(to, kinds[kind].name, one);
    const double *p = s->probabilities[kind];
    const double *base = s->probabilities[BASELINE];
    REHA_TRY(add_auc(s, one, "auc_low_density", (auc_of){p, base, LOW_DENSITY, false}, NULL, err));
    REHA_TRY(add_auc(s, one, "auc_osteoporosis", (auc_of){p, base, OSTEOPOROSIS, false}, NULL, err));
    REHA_TRY(add_auc(s, one, "mean", (auc_of){p, base, 0, false}, &mean, err));
    *adds = mean.low > 0.0;
    return REHA_OK;
}

static reha_status make_report(study *s, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *models = json_array();
    json_t *added = json_object();
    json_t *shortcuts = NULL;
    bool texture_adds = false;
    bool embedding_adds = false;
    *out = NULL;
    for (int m = 0; m < MODELS; m++) {
        if (s->probabilities[m] != NULL) {
            REHA_CHECK(add_model(s, m, models, err));
        }
    }
    REHA_CHECK(add_difference(s, BASELINE_TEXTURE, added, &texture_adds, err));
    if (s->probabilities[BASELINE_EMBEDDING] != NULL) {
        REHA_CHECK(add_difference(s, BASELINE_EMBEDDING, added, &embedding_adds, err));
    }
    REHA_CHECK(tell_sets(s, &shortcuts, err));
    *out = json_pack(
        "{s:I, s:s, s:O, s:O, s:o, s:b, s:b}", "n", (json_int_t)s->table->count, "protocol",
        "nested cross-validation by group (5 outer folds, 4 inner ones for the ridge, 5 repeats), ordinal "
        "logistic regression; intervals: bootstrap over groups, differences paired",
        "models", models, "added_to_baseline", added, "shortcuts", shortcuts, "adds", texture_adds ? 1 : 0,
        "embedding_adds", embedding_adds ? 1 : 0);
    if (*out == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
    }
done:
    json_decref(models);
    json_decref(added);
    return status;
}

static reha_status fit_models(study *s, reha_bone_models *models, reha_error *err)
{
    static const int parts[] = {BONE_WITH_FACTS, BONE_WITH_TEXTURE, BONE_WITH_FACTS | BONE_WITH_TEXTURE};
    reha_regression *const to[] = {&models->baseline, &models->image, &models->both};
    for (int m = 0; m < 3; m++) {
        double ridge = 0.0;
        const bone_problem problem = {s->table, NULL, parts[m], s->classes, CLASSES, s->seed};
        REHA_TRY(reha_bone_fit_all_(&problem, to[m], &ridge, err));
    }
    return REHA_OK;
}

reha_status reha_bone_study(const reha_bone_table *table, int rounds, uint64_t seed,
                            const reha_progress *progress, reha_bone_models *models, json_t **report,
                            reha_error *err)
{
    reha_status status = REHA_OK;
    study s = {.table = table, .rounds = rounds, .seed = seed};
    *report = NULL;
    REHA_TRY(check_classes(table, err));
    REHA_CHECK(study_init(&s, err));
    REHA_CHECK(cross_validate(&s, progress, err));
    REHA_CHECK(fit_models(&s, models, err));
    REHA_CHECK(make_report(&s, report, err));
done:
    study_clear(&s);
    return status;
}
