#include "recognition/explain_evaluate.h"

#include "base/memory.h"
#include "recognition/explain_measure.h"
#include "recognition/metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LEVELS = 5, TRUE_METHODS = REHA_EXPLAIN_RANDOM /* the controls come last */ };

/* Share of the layers with weights that are shuffled, counted from the output; the first: the last layer
 * alone. */
static const double LEVEL_SHARES[LEVELS] = {0.0, 0.1, 0.25, 0.5, 1.0};
static const double FORGOTTEN_MAX =
    0.3; /* upper end of the likeness at the last level with which a method passes */

typedef struct figures { /* of one case and method */
    double insertion, deletion, hit, mass, cpu_ms;
} figures;

struct reha_explain_study {
    reha_explain_network networks[REHA_EXPLAIN_NETWORKS_MAX];
    int network_count;
    reha_explain_maker *maker;
    int width, height;
    size_t cases_max, count, shuffled_max, shuffled;
    figures *found; /* per case, per method */
    size_t *patients;
    bool *is_ill, *has_target;
    double *target_shares;
    int *classes;
    float *pictures; /* of the first `shuffled` cases */
    float *maps;     /* theirs, per true method */
    double *alike;   /* [level][method][case] */
    float *work;     /* a map */
};

void reha_explain_study_free(reha_explain_study *study)
{
    if (study != NULL) {
        reha_explain_maker_free(study->maker);
        reha_free(study->found);
        reha_free(study->patients);
        reha_free(study->is_ill);
        reha_free(study->has_target);
        reha_free(study->target_shares);
        reha_free(study->classes);
        reha_free(study->pictures);
        reha_free(study->maps);
        reha_free(study->alike);
        reha_free(study->work);
        reha_free(study);
    }
}

static size_t area_of(const reha_explain_study *study)
{
    return (size_t)study->width * (size_t)study->height;
}

static reha_status allocate(reha_explain_study *study, reha_error *err)
{
    const size_t n = study->cases_max > 0 ? study->cases_max : 1;
    const size_t kept = study->shuffled_max > 0 ? study->shuffled_max : 1;
    const size_t area = area_of(study);
    study->found = reha_alloc_zero(n * REHA_EXPLAIN_METHODS, sizeof *study->found);
    study->patients = reha_alloc_zero(n, sizeof *study->patients);
    study->is_ill = reha_alloc_zero(n, sizeof *study->is_ill);
    study->has_target = reha_alloc_zero(n, sizeof *study->has_target);
    study->target_shares = reha_alloc_zero(n, sizeof *study->target_shares);
    study->classes = reha_alloc_zero(n, sizeof *study->classes);
    study->pictures = reha_alloc_zero(kept * area, sizeof *study->pictures);
    study->maps = reha_alloc_zero(kept * TRUE_METHODS * area, sizeof *study->maps);
    study->alike = reha_alloc_zero(kept * TRUE_METHODS * LEVELS, sizeof *study->alike);
    study->work = reha_alloc_zero(area, sizeof *study->work);
    const bool is_whole = study->found != NULL && study->patients != NULL && study->is_ill != NULL &&
                          study->has_target != NULL && study->target_shares != NULL &&
                          study->classes != NULL && study->pictures != NULL && study->maps != NULL &&
                          study->alike != NULL && study->work != NULL;
    return is_whole
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory to measure explanations of %zu pictures", n);
}

reha_status reha_explain_study_new(const reha_explain_network *networks, int network_count, size_t cases_max,
                                   size_t shuffled_max, reha_explain_study **out, reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    reha_explain_study *study = reha_alloc_zero(1, sizeof *study);
    if (study == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory to measure explanations");
    }
    study->cases_max = cases_max;
    study->shuffled_max = shuffled_max < cases_max ? shuffled_max : cases_max;
    REHA_CHECK(reha_explain_maker_new(networks, network_count, &study->maker, err));
    memcpy(study->networks, networks, (size_t)network_count * sizeof *networks);
    study->network_count = network_count;
    study->width = reha_explain_maker_width(study->maker);
    study->height = reha_explain_maker_height(study->maker);
    REHA_CHECK(allocate(study, err));
    *out = study;
    study = NULL;
done:
    reha_explain_study_free(study);
    return status;
}

int reha_explain_study_width(const reha_explain_study *study)
{
    return study->width;
}

int reha_explain_study_height(const reha_explain_study *study)
{
    return study->height;
}

static double cpu_ms(void)
{
    return 1e3 * (double)clock() / CLOCKS_PER_SEC;
}

static reha_status measure_method(reha_explain_study *study, const reha_explain_case *one, int method,
                                  figures *out, reha_error *err)
{
    reha_explain_curves curves;
    const double start_ms = cpu_ms();
    REHA_TRY(reha_explain_map(study->maker, (reha_explain_method)method, one->picture, one->class_idx,
                              study->count, study->work, err));
    out->cpu_ms = cpu_ms() - start_ms;
    REHA_TRY(reha_explain_curves_of(study->maker, one->picture, study->work, one->class_idx, &curves, err));
    out->insertion = curves.insertion;
    out->deletion = curves.deletion;
    out->hit = out->mass = (double)NAN;
    if (one->target != NULL) {
        const reha_explain_pointing at =
            reha_explain_point(study->work, one->target, study->width, study->height);
        out->hit = at.is_hit ? 1.0 : 0.0;
        out->mass = at.mass;
    }
    return REHA_OK;
}

reha_status reha_explain_study_add(reha_explain_study *study, const reha_explain_case *one, reha_error *err)
{
    const size_t area = area_of(study);
    if (study->count >= study->cases_max) {
        return reha_fail(err, REHA_E_ARG, "more than the %zu pictures that were announced", study->cases_max);
    }
    const size_t i = study->count;
    const bool is_kept = study->shuffled < study->shuffled_max;
    for (int m = 0; m < REHA_EXPLAIN_METHODS; m++) {
        REHA_TRY(measure_method(study, one, m, &study->found[i * REHA_EXPLAIN_METHODS + (size_t)m], err));
        if (is_kept && m < TRUE_METHODS) {
            memcpy(study->maps + (study->shuffled * TRUE_METHODS + (size_t)m) * area, study->work,
                   area * sizeof(float));
        }
    }
    if (is_kept) {
        memcpy(study->pictures + study->shuffled * area, one->picture, area * sizeof(float));
        study->shuffled++;
    }
    study->patients[i] = one->patient_idx;
    study->is_ill[i] = one->is_ill;
    study->has_target[i] = one->target != NULL;
    study->target_shares[i] = one->target_share;
    study->classes[i] = one->class_idx;
    study->count++;
    return REHA_OK;
}

/* ---- Shuffling ---- */

static reha_status say(const reha_progress *progress, size_t done, size_t total, reha_error *err)
{
    if (reha_progress_is_stopped(progress)) {
        return reha_fail(err, REHA_E_CANCELLED, "stopped in the shuffling test");
    }
    if (progress != NULL && progress->update != NULL) {
        progress->update(progress->context, (double)done, (double)total, "maps of shuffled networks", 0.0,
                         -1.0, "");
    }
    return REHA_OK;
}

static reha_status shuffle_level(reha_explain_study *study, int level, uint64_t seed,
                                 const reha_progress *progress, reha_error *err)
{
    reha_status status = REHA_OK;
    const size_t area = area_of(study);
    reha_explain_maker *maker = NULL;
    reha_graph *graphs[REHA_EXPLAIN_NETWORKS_MAX] = {NULL};
    reha_explain_network networks[REHA_EXPLAIN_NETWORKS_MAX];
    const double share = LEVEL_SHARES[level] > 0.0 ? LEVEL_SHARES[level] : 1e-6; /* at least one layer */
    for (int n = 0; n < study->network_count; n++) {
        networks[n] = study->networks[n];
        REHA_CHECK(reha_explain_randomised(networks[n].graph, share, seed + (uint64_t)n, &graphs[n], err));
        networks[n].graph = graphs[n];
    }
    REHA_CHECK(reha_explain_maker_new(networks, study->network_count, &maker, err));
    for (size_t i = 0; i < study->shuffled; i++) {
        for (int m = 0; m < TRUE_METHODS; m++) {
            double *alike =
                &study->alike[((size_t)level * TRUE_METHODS + (size_t)m) * study->shuffled_max + i];
            REHA_CHECK(reha_explain_map(maker, (reha_explain_method)m, study->pictures + i * area,
                                        study->classes[i], 0, study->work, err));
            REHA_CHECK(reha_explain_alike(study->maps + (i * TRUE_METHODS + (size_t)m) * area, study->work,
                                          study->width, study->height, alike, err));
        }
        REHA_CHECK(say(progress, (size_t)level * study->shuffled + i + 1, LEVELS * study->shuffled, err));
    }
done:
    reha_explain_maker_free(maker);
    for (int n = 0; n < study->network_count; n++) {
        reha_graph_free(graphs[n]);
    }
    return status;
}

/* ---- Report ---- */

typedef struct summary {
    const reha_explain_study *study;
    int rounds;
    uint64_t seed;
    double *values; /* one per case */
} summary;

typedef enum column { COLUMN_INSERTION, COLUMN_DELETION, COLUMN_GAIN, COLUMN_HIT, COLUMN_MASS } column;

static double value_of(const figures *one, column which)
{
    switch (which) {
    case COLUMN_INSERTION:
        return one->insertion;
    case COLUMN_DELETION:
        return one->deletion;
    case COLUMN_GAIN:
        return one->insertion - one->deletion;
    case COLUMN_HIT:
        return one->hit;
    default:
        return one->mass;
    }
}

static reha_status estimate(const summary *of, int method, column which, bool ill_only, reha_estimate *out,
                            reha_error *err)
{
    const reha_explain_study *study = of->study;
    for (size_t i = 0; i < study->count; i++) {
        of->values[i] = ill_only && !study->is_ill[i]
                            ? (double)NAN
                            : value_of(&study->found[i * REHA_EXPLAIN_METHODS + (size_t)method], which);
    }
    return reha_mean_estimate(of->values, study->patients, study->count, of->rounds, of->seed, out, err);
}

static reha_status add_columns(const summary *of, int method, bool ill_only, json_t *to, reha_error *err)
{
    static const char *const keys[] = {"insertion", "deletion", "gain", "pointing", "mass_in_target"};
    for (int c = COLUMN_INSERTION; c <= COLUMN_MASS; c++) {
        reha_estimate one;
        REHA_TRY(estimate(of, method, (column)c, ill_only, &one, err));
        (void)json_object_set_new(to, keys[c], reha_estimate_to_json(&one));
    }
    return REHA_OK;
}

static double mean_cpu_ms(const reha_explain_study *study, int method)
{
    double sum = 0.0;
    for (size_t i = 0; i < study->count; i++) {
        sum += study->found[i * REHA_EXPLAIN_METHODS + (size_t)method].cpu_ms;
    }
    return sum / (double)study->count;
}

/* Likeness of the maps level by level; *passes: at the last level nothing is left of them. */
static reha_status add_levels(const summary *of, int method, json_t *to, bool *passes, reha_error *err)
{
    const reha_explain_study *study = of->study;
    json_t *levels = json_array();
    *passes = false;
    for (int level = 0; level < LEVELS; level++) {
        reha_estimate one;
        const double *alike =
            &study->alike[((size_t)level * TRUE_METHODS + (size_t)method) * study->shuffled_max];
        const reha_status status =
            reha_mean_estimate(alike, study->patients, study->shuffled, of->rounds, of->seed, &one, err);
        if (status != REHA_OK) {
            json_decref(levels);
            return status;
        }
        (void)json_array_append_new(levels, json_pack("{s:f, s:o}", "share_of_layers", LEVEL_SHARES[level],
                                                      "likeness", reha_estimate_to_json(&one)));
        *passes = isfinite(one.high) ? one.high < FORGOTTEN_MAX : one.value < FORGOTTEN_MAX;
    }
    (void)json_object_set_new(to, "shuffled", levels);
    (void)json_object_set_new(to, "passes", json_boolean(*passes));
    return REHA_OK;
}

typedef struct candidate { /* what the choice of the shipped method looks at */
    bool is_quick;         /* one pass of the last map: can go with every analysis */
    bool passes;
    reha_estimate gain;
    double mass; /* in the target; NaN: not known */
} candidate;

/* Of largest gain among the quick ones (that pass, if asked); of those whose gain lies within its interval,
 * which nothing tells apart, the one with most of its map in the target. -1: none. */
static int choose(const candidate *all, bool must_pass)
{
    int best = -1;
    for (int m = 0; m < REHA_EXPLAIN_METHODS; m++) {
        const bool may = all[m].is_quick && (all[m].passes || !must_pass);
        best = may && (best < 0 || all[m].gain.value > all[best].gain.value) ? m : best;
    }
    const double enough = best < 0                       ? 0.0
                          : isfinite(all[best].gain.low) ? all[best].gain.low
                                                         : all[best].gain.value;
    for (int m = 0; m < REHA_EXPLAIN_METHODS && best >= 0; m++) {
        const bool may = all[m].is_quick && (all[m].passes || !must_pass) && all[m].gain.value >= enough;
        best = may && all[m].mass > all[best].mass ? m : best;
    }
    return best;
}

static reha_status add_method(const summary *of, int method, json_t *methods, candidate *to, reha_error *err)
{
    const char *name = reha_explain_method_name((reha_explain_method)method);
    const bool is_control = reha_explain_method_is_control((reha_explain_method)method);
    reha_estimate mass;
    reha_cam cam;
    json_t *one = json_pack("{s:s, s:b}", "name", name, "control", is_control ? 1 : 0);
    json_t *ill = json_object();
    (void)json_array_append_new(methods, one);
    reha_status status = add_columns(of, method, false, one, err);
    if (status == REHA_OK) {
        status = add_columns(of, method, true, ill, err);
    }
    (void)json_object_set_new(one, "disease", ill);
    REHA_TRY(status);
    REHA_TRY(estimate(of, method, COLUMN_GAIN, false, &to->gain, err));
    REHA_TRY(estimate(of, method, COLUMN_MASS, false, &mass, err));
    if (!is_control) {
        (void)json_object_set_new(one, "cpu_ms", reha_json_real(mean_cpu_ms(of->study, method)));
        REHA_TRY(add_levels(of, method, one, &to->passes, err));
    }
    to->is_quick = reha_explain_method_cam(name, &cam);
    to->mass = mass.value;
    return REHA_OK;
}

static json_t *why(bool is_sound)
{
    return json_sprintf(
        "of the methods that cost one pass of the last map%s the one of largest gain; where intervals do "
        "not tell gains apart, the one with most of its map in the target",
        is_sound ? " and pass the shuffling test"
                 : " (none of them passes the shuffling test: read the maps with that in mind)");
}

static reha_status make_report(const summary *of, json_t **out, reha_error *err)
{
    const reha_explain_study *study = of->study;
    candidate all[REHA_EXPLAIN_METHODS] = {{0}};
    double share = 0.0;
    size_t pointed = 0;
    size_t ill = 0;
    json_t *methods = json_array();
    for (int m = 0; m < REHA_EXPLAIN_METHODS; m++) {
        const reha_status status = add_method(of, m, methods, &all[m], err);
        if (status != REHA_OK) {
            json_decref(methods);
            return status;
        }
    }
    for (size_t i = 0; i < study->count; i++) {
        ill += study->is_ill[i] ? 1 : 0;
        pointed += study->has_target[i] ? 1 : 0;
        share += study->has_target[i] ? study->target_shares[i] : 0.0;
    }
    const int sound = choose(all, true);
    const int chosen = sound >= 0 ? sound : choose(all, false);
    *out =
        json_pack("{s:s, s:o, s:I, s:I, s:I, s:o, s:I, s:o}", "method",
                  reha_explain_method_name((reha_explain_method)chosen), "why", why(sound >= 0), "n",
                  (json_int_t)study->count, "n_disease", (json_int_t)ill, "n_pointing", (json_int_t)pointed,
                  "target_share", reha_json_real(pointed > 0 ? share / (double)pointed : (double)NAN),
                  "n_shuffled", (json_int_t)study->shuffled, "methods", methods);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
}

reha_status reha_explain_study_finish(reha_explain_study *study, int rounds, uint64_t seed,
                                      const reha_progress *progress, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    if (study->count == 0) {
        return reha_fail(err, REHA_E_ARG, "no picture was accepted: there is no explanation to measure");
    }
    summary of = {study, rounds, seed, reha_alloc_zero(study->count, sizeof(double))};
    if (of.values == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
    }
    for (int level = 0; level < LEVELS; level++) {
        REHA_CHECK(shuffle_level(study, level, seed, progress, err));
    }
    REHA_CHECK(make_report(&of, out, err));
done:
    reha_free(of.values);
    return status;
}
