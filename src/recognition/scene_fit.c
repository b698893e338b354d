/* Where the training pictures lie among the features, and from where on a picture of a kind is refused. */
#include "base/memory.h"
#include "recognition/sampling.h"
#include "recognition/scene_augment.h"
#include "recognition/scene_priv.h"

#include <math.h>
#include <string.h>

enum { TRAIN_VIEWS = 2, CAL_VIEWS = 4 };    /* of each picture: as it is, and mild variations */
static const double SHRINK = 0.02;          /* of the mean variance, added to the covariance */
static const double KEPT_PERCENT = 99.7;    /* of good pictures, by each limit */
static const double DISTANCE_MARGIN = 1.25; /* few pictures show less than there is */
static const double CONTRAST_SHARE = 0.5;   /* of the least contrast that a training picture has */
static const double SIZE_SHARE = 0.4; /* of the smallest training picture: previews, not small exports */
static const double CONTRAST_MOST = 40.0;
static const double MODALITY_MOST = 0.9; /* few pictures are surer of themselves than others will be */

/* What limits bound from above. */
typedef enum statistic {
    BY_SHARE,
    BY_MODALITY,
    BY_DISTANCE,
    BY_INVERSION,
    BY_TURN,
    BY_FLAW, /* and one for each further flaw */
    STATISTICS = BY_FLAW + REHA_SCENE_FLAWS - 1
} statistic;

typedef struct looks { /* one row per look */
    size_t count;
    float (*features)[REHA_SCENE_FEATURES];
    reha_scene *scenes;
    reha_scene_kind *kinds;
} looks;

static void looks_clear(looks *of)
{
    reha_free(of->features);
    reha_free(of->scenes);
    reha_free(of->kinds);
    *of = (looks){0};
}

static reha_status look_at_all(scene_eye *eye, const reha_scene_data *data, size_t views, uint64_t seed,
                               looks *out, reha_error *err)
{
    *out = (looks){0};
    out->features = reha_alloc_zero(data->count * views, sizeof *out->features);
    out->scenes = reha_alloc_zero(data->count * views, sizeof *out->scenes);
    out->kinds = reha_alloc_zero(data->count * views, sizeof *out->kinds);
    if (out->features == NULL || out->scenes == NULL || out->kinds == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the features of %zu pictures", data->count);
    }
    for (size_t i = 0; i < data->count; i++) {
        reha_random random = reha_random_init(seed, 9000 + i);
        for (size_t v = 0; v < views; v++) {
            reha_gray *image = NULL;
            reha_scene_truth truth;
            REHA_TRY(v == 0 ? reha_scene_item_gray(&data->items[i], &image, err)
                            : reha_scene_vary(&data->items[i], true, &random, &image, &truth, err));
            const reha_status status = scene_eye_look(eye, image, false, &out->scenes[out->count], err);
            reha_gray_free(image);
            REHA_TRY(status);
            memcpy(out->features[out->count], eye->outputs[REHA_SCENE_OUT_FEATURES], sizeof out->features[0]);
            out->kinds[out->count++] = data->items[i].kind;
        }
    }
    return REHA_OK;
}

/* ---- features ---- */

static void find_means(const looks *of, reha_scene_card *card)
{
    size_t counts[REHA_SCENE_KINDS] = {0};
    for (size_t i = 0; i < of->count; i++) {
        counts[of->kinds[i]]++;
        for (int f = 0; f < REHA_SCENE_FEATURES; f++) {
            card->means[of->kinds[i]][f] += (double)of->features[i][f];
        }
    }
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        card->has_mean[k] = counts[k] > 0;
        for (int f = 0; f < REHA_SCENE_FEATURES && counts[k] > 0; f++) {
            card->means[k][f] /= (double)counts[k];
        }
    }
}

/* Gauss-Jordan on a symmetric positive definite matrix, in place: no pivoting is needed. */
static void invert(double *matrix, int n)
{
    for (int p = 0; p < n; p++) {
        const double pivot = 1.0 / matrix[p * n + p];
        matrix[p * n + p] = 1.0;
        for (int j = 0; j < n; j++) {
            matrix[p * n + j] *= pivot;
        }
        for (int i = 0; i < n; i++) {
            const double factor = matrix[i * n + p];
            if (i == p) {
                continue;
            }
            matrix[i * n + p] = 0.0;
            for (int j = 0; j < n; j++) {
                matrix[i * n + j] -= factor * matrix[p * n + j];
            }
        }
    }
}

/* Of the distances to the kind's own mean; every kind counts alike. */
static void find_covariance(const looks *of, reha_scene_card *card)
{
    enum { N = REHA_SCENE_FEATURES };
    double counts[REHA_SCENE_KINDS] = {0};
    double trace = 0.0;
    for (size_t i = 0; i < of->count; i++) {
        counts[of->kinds[i]] += 1.0;
    }
    for (size_t i = 0; i < of->count; i++) {
        double away[N];
        for (int f = 0; f < N; f++) {
            away[f] = (double)of->features[i][f] - card->means[of->kinds[i]][f];
        }
        const double weight = 1.0 / (REHA_SCENE_KINDS * counts[of->kinds[i]]);
        for (int f = 0; f < N; f++) {
            for (int g = 0; g < N; g++) {
                card->inverse[f * N + g] += weight * away[f] * away[g];
            }
        }
    }
    for (int f = 0; f < N; f++) {
        trace += card->inverse[f * N + f];
    }
    for (int f = 0; f < N; f++) {
        card->inverse[f * N + f] += SHRINK * trace / N + 1e-9;
    }
    invert(card->inverse, N);
}

/* ---- limits ---- */

static double percentile(double *values, size_t count, double percent)
{
    float *copy = reha_alloc((count + 1) * sizeof *copy);
    double out = (double)NAN;
    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = (float)values[i];
    }
    if (copy != NULL) {
        reha_select_percentiles(copy, count, &percent, 1, &out);
    }
    reha_free(copy);
    return out;
}

static double within(double value, double low, double high)
{
    return fmin(high, fmax(low, value));
}

static double statistic_of(const reha_scene_card *card, const looks *of, size_t i, reha_scene_kind kind,
                           statistic which)
{
    const reha_scene *scene = &of->scenes[i];
    switch (which) {
    case BY_SHARE:
        return 1.0 - scene->kinds[kind];
    case BY_MODALITY:
        return 1.0 - reha_scene_modality_share(scene, kind);
    case BY_DISTANCE:
        return reha_scene_distance(card, kind, of->features[i]);
    case BY_INVERSION:
        return scene->inverted;
    case BY_TURN:
        return 1.0 - scene->turns[REHA_SCENE_UPRIGHT];
    default:
        return scene->flaws[REHA_SCENE_CLEAR + 1 + (which - BY_FLAW)];
    }
}

static reha_status fit_kind(const reha_scene_data *train, const looks *cal, reha_scene_kind kind,
                            reha_scene_card *card, reha_error *err)
{
    reha_scene_limits *limits = &card->limits[kind];
    double found[STATISTICS];
    double *values = reha_alloc((cal->count + 1) * sizeof *values);
    if (values == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the gate's limits");
    }
    size_t count = 0;
    for (int s = 0; s < STATISTICS; s++) {
        count = 0;
        for (size_t i = 0; i < cal->count; i++) {
            if (cal->kinds[i] == kind) {
                values[count++] = statistic_of(card, cal, i, kind, (statistic)s);
            }
        }
        found[s] = count > 0 ? percentile(values, count, KEPT_PERCENT) : (double)NAN;
    }
    reha_free(values);
    if (count == 0) {
        return reha_fail(err, REHA_E_ARG, "split 'cal' has no picture of kind '%s'", reha_scene_name(kind));
    }
    double contrast = 255.0;
    double shorter = 1e5;
    for (size_t i = 0; i < train->count; i++) {
        if (train->items[i].kind == kind && train->items[i].path != NULL) {
            contrast = fmin(contrast, train->items[i].contrast);
            shorter = fmin(shorter, train->items[i].shorter_px);
        }
    }
    *limits = (reha_scene_limits){
        .is_present = true,
        .share_min = within(1.0 - found[BY_SHARE], 0.02, 0.5),
        /* A limb's recogniser takes what the gate lets in; a muscle's and a knee's look once more
         * themselves, and drawn muscle films, sure for them, came out below such a limit. */
        .modality_min = kind == REHA_SCENE_LIMB ? within(1.0 - found[BY_MODALITY], 0.5, MODALITY_MOST) : 0.0,
        .distance_max = DISTANCE_MARGIN * found[BY_DISTANCE],
        .contrast_min = fmin(CONTRAST_MOST, CONTRAST_SHARE * contrast),
        .shorter_px_min = SIZE_SHARE * shorter,
        .inverted_max = within(found[BY_INVERSION], 0.5, 0.99),
        .turned_max = kind == REHA_SCENE_LIMB ? 1.0 : within(found[BY_TURN], 0.5, 0.99)};
    limits->flaw_max[REHA_SCENE_CLEAR] = 1.0;
    for (int f = REHA_SCENE_CLEAR + 1; f < REHA_SCENE_FLAWS; f++) {
        limits->flaw_max[f] = within(found[BY_FLAW + f - (REHA_SCENE_CLEAR + 1)], 0.5, 0.995);
    }
    return REHA_OK;
}

reha_status scene_fit(scene_eye *eye, const reha_scene_data *train, const reha_scene_data *cal, uint64_t seed,
                      reha_scene_card *card, reha_error *err)
{
    /* Kinds that a recogniser takes: only these are ever admitted, so only these need limits. */
    static const reha_scene_kind admitted[] = {REHA_SCENE_KNEE, REHA_SCENE_LIMB, REHA_SCENE_MUSCLE};
    reha_status status = REHA_OK;
    looks seen = {0};
    REHA_CHECK(look_at_all(eye, train, TRAIN_VIEWS, seed, &seen, err));
    find_means(&seen, card);
    find_covariance(&seen, card);
    looks_clear(&seen);
    REHA_CHECK(look_at_all(eye, cal, CAL_VIEWS, seed + 1, &seen, err));
    for (size_t i = 0; i < sizeof admitted / sizeof admitted[0]; i++) {
        REHA_CHECK(fit_kind(train, &seen, admitted[i], card, err));
    }
done:
    looks_clear(&seen);
    return status;
}
