#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "recognition/knee_mri.h"
#include "recognition/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t plane_count(const bool planes[REHA_KNEE_MRI_PLANES])
{
    size_t count = 0;
    for (int p = 0; p < REHA_KNEE_MRI_PLANES; p++) {
        count += planes[p] ? 1 : 0;
    }
    return count;
}

static void tell_progress(const reha_progress *progress, size_t done, size_t total, double start_ms)
{
    if (progress != NULL && progress->update != NULL) {
        const double rate = (double)done / (1e-3 * (reha_clock_ms() - start_ms) + 1e-9);
        progress->update(progress->context, (double)done, (double)total, "examinations", rate,
                         (double)(total - done) / rate, "features");
    }
}

reha_status reha_knee_mri_read_all(reha_knee_mri_trunk *trunk, const reha_knee_mri_data *data,
                                   const bool planes[REHA_KNEE_MRI_PLANES], const reha_progress *progress,
                                   float **out, reha_error *err)
{
    const size_t inputs = plane_count(planes) * REHA_KNEE_MRI_FEATURES;
    const double start_ms = reha_clock_ms();
    reha_status status = REHA_OK;
    *out = NULL;
    float *features = reha_alloc_zero(data->count * inputs, sizeof *features);
    if (features == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the features of %zu examinations",
                         data->count);
    }
    for (size_t i = 0; i < data->count && status == REHA_OK; i++) {
        float *at = features + i * inputs;
        if (reha_progress_is_stopped(progress)) {
            status =
                reha_fail(err, REHA_E_CANCELLED, "stopped after %zu of %zu examinations", i, data->count);
        }
        for (int p = 0; p < REHA_KNEE_MRI_PLANES && status == REHA_OK; p++) {
            if (planes[p]) {
                status = reha_knee_mri_read_features(trunk, data->exams[i].paths[p], at, err);
                at += REHA_KNEE_MRI_FEATURES;
            }
        }
        tell_progress(progress, i + 1, data->count, start_ms);
    }
    if (status != REHA_OK) {
        reha_free(features);
        return status;
    }
    *out = features;
    return REHA_OK;
}

reha_status reha_knee_mri_score(const reha_graph *head, const float *features, size_t count, size_t inputs,
                                double **out, reha_error *err)
{
    const reha_session_options options = reha_session_options_default();
    reha_session *session = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    double *probabilities = reha_alloc_zero(count * REHA_KNEE_MRI_LABELS, sizeof *probabilities);
    if (probabilities == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu results", count);
    }
    REHA_CHECK(reha_session_new(head, &options, &session, err));
    for (size_t i = 0; i < count; i++) {
        float logits[REHA_KNEE_MRI_LABELS];
        REHA_CHECK(reha_session_run(session, 1, (const float *const[]){features + i * inputs},
                                    (float *const[]){logits}, err));
        for (size_t k = 0; k < REHA_KNEE_MRI_LABELS; k++) {
            probabilities[i * REHA_KNEE_MRI_LABELS + k] = 1.0 / (1.0 + exp(-(double)logits[k]));
        }
    }
    *out = probabilities;
    probabilities = NULL;
done:
    reha_session_free(session);
    reha_free(probabilities);
    return status;
}

typedef struct sample { /* labelled examinations of one label, and room for a bootstrap draw */
    double *scores;
    int *labels;
    double *drawn_scores;
    int *drawn_labels;
    double *aucs;
    size_t count;
} sample;

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static reha_status bootstrap(sample *s, int rounds, uint64_t seed, double *low, double *high, reha_error *err)
{
    reha_random random = reha_random_init(seed, 7);
    size_t kept = 0;
    *low = *high = (double)NAN;
    for (int r = 0; r < rounds && s->count > 0; r++) {
        double auc = (double)NAN;
        for (size_t i = 0; i < s->count; i++) {
            const uint32_t at = reha_random_below(&random, (uint32_t)s->count);
            s->drawn_scores[i] = s->scores[at];
            s->drawn_labels[i] = s->labels[at];
        }
        REHA_TRY(reha_auc(s->drawn_scores, s->drawn_labels, s->count, &auc, err));
        if (isfinite(auc)) { /* a draw of one class has none */
            s->aucs[kept++] = auc;
        }
    }
    if (kept >= 40) {
        qsort(s->aucs, kept, sizeof *s->aucs, compare);
        *low = s->aucs[(size_t)(0.025 * (double)(kept - 1) + 0.5)];
        *high = s->aucs[(size_t)(0.975 * (double)(kept - 1) + 0.5)];
    }
    return REHA_OK;
}

static reha_status measure_label(sample *s, int rounds, uint64_t seed, json_t **out, reha_error *err)
{
    double auc = (double)NAN;
    double low = (double)NAN;
    double high = (double)NAN;
    int positive = 0;
    if (s->count > 0) {
        REHA_TRY(reha_auc(s->scores, s->labels, s->count, &auc, err));
        REHA_TRY(bootstrap(s, rounds, seed, &low, &high, err));
    }
    for (size_t i = 0; i < s->count; i++) {
        positive += s->labels[i];
    }
    *out = json_pack("{s:o, s:o, s:o, s:I, s:i}", "value", reha_json_real(auc), "low", reha_json_real(low),
                     "high", reha_json_real(high), "n", (json_int_t)s->count, "positive", positive);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for figures");
}

static void gather(const reha_knee_mri_data *data, const double *probabilities, const bool *use, int label,
                   sample *s)
{
    s->count = 0;
    for (size_t i = 0; i < data->count; i++) {
        if (use[i] && data->exams[i].labels[label] >= 0) {
            s->scores[s->count] = probabilities[i * REHA_KNEE_MRI_LABELS + (size_t)label];
            s->labels[s->count++] = data->exams[i].labels[label];
        }
    }
}

reha_status reha_knee_mri_measure(const reha_knee_mri_data *data, const double *probabilities,
                                  const bool *use, int rounds, uint64_t seed, json_t **out, reha_error *err)
{
    const size_t count = data->count + 1;
    sample s = {reha_alloc_zero(count, sizeof(double)),
                reha_alloc_zero(count, sizeof(int)),
                reha_alloc_zero(count, sizeof(double)),
                reha_alloc_zero(count, sizeof(int)),
                reha_alloc_zero((size_t)rounds + 1, sizeof(double)),
                0};
    json_t *figures = json_object();
    reha_status status = REHA_OK;
    *out = NULL;
    if (s.scores == NULL || s.labels == NULL || s.drawn_scores == NULL || s.drawn_labels == NULL ||
        s.aucs == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for figures of %zu examinations", data->count);
    }
    for (int label = 0; label < REHA_KNEE_MRI_LABELS && status == REHA_OK; label++) {
        json_t *one = NULL;
        if (data->has_label[label]) {
            gather(data, probabilities, use, label, &s);
            status = measure_label(&s, rounds, seed, &one, err);
            char key[32];
            (void)snprintf(key, sizeof key, "%s_auc", reha_knee_mri_labels[label]);
            (void)json_object_set_new(figures, key, one);
        }
    }
    if (status == REHA_OK) {
        size_t used = 0;
        for (size_t i = 0; i < data->count; i++) {
            used += use[i] ? 1 : 0;
        }
        (void)json_object_set_new(figures, "n", json_integer((json_int_t)used));
        (void)json_object_set_new(figures, "groups", json_integer((json_int_t)used));
        *out = json_incref(figures);
    }
    json_decref(figures);
    reha_free(s.scores);
    reha_free(s.labels);
    reha_free(s.drawn_scores);
    reha_free(s.drawn_labels);
    reha_free(s.aucs);
    return status;
}
