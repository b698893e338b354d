/* How well the gate tells kinds apart, and how many good pictures it would keep out; shares with 95 %
 * intervals by bootstrap over groups (persons, sequences, sources). Real and drawn pictures are never mixed
 * in a figure. */
#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "recognition/scene_admit.h"
#include "recognition/scene_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A share to be measured: of the pictures that `counted` marks, those that `hit` marks. */
typedef struct share {
    const bool *counted, *hit;
} share;

static double share_of(const share *of, const reha_scene_data *data, const int *weights)
{
    double hits = 0.0;
    double all = 0.0;
    for (size_t i = 0; i < data->count; i++) {
        if (of->counted[i]) {
            all += weights[data->items[i].group_idx];
            hits += of->hit[i] ? weights[data->items[i].group_idx] : 0;
        }
    }
    return all > 0.0 ? hits / all : (double)NAN;
}

static int by_value(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return left < right ? -1 : left > right ? 1 : 0;
}

/* {"value","low","high","n"}; NULL without pictures or memory. */
static json_t *estimate(const share *of, const reha_scene_data *data, int rounds, uint64_t seed)
{
    int *weights = reha_alloc_zero(data->group_count + 1, sizeof *weights);
    double *values = reha_alloc(((size_t)rounds + 1) * sizeof *values);
    int n = 0;
    size_t known = 0;
    json_t *out = NULL;
    for (size_t i = 0; i < data->count; i++) {
        n += of->counted[i] ? 1 : 0;
    }
    if (weights == NULL || values == NULL || n == 0) {
        goto done;
    }
    reha_random random = reha_random_init(seed, 31);
    for (int r = 0; r < rounds; r++) {
        memset(weights, 0, data->group_count * sizeof *weights);
        for (size_t g = 0; g < data->group_count; g++) {
            weights[reha_random_below(&random, (uint32_t)data->group_count)]++;
        }
        const double value = share_of(of, data, weights);
        values[known] = value;
        known += isfinite(value) ? 1 : 0;
    }
    for (size_t g = 0; g < data->group_count; g++) {
        weights[g] = 1;
    }
    qsort(values, known, sizeof *values, by_value);
    out = json_pack("{s:f, s:o, s:o, s:i}", "value", share_of(of, data, weights), "low",
                    reha_json_real(known > 0 ? values[(size_t)(0.025 * (double)known)] : (double)NAN), "high",
                    reha_json_real(known > 0 ? values[(size_t)(0.975 * (double)(known - 1))] : (double)NAN),
                    "n", n);
done:
    reha_free(weights);
    reha_free(values);
    return out;
}

/* What the gate said of one picture. */
typedef struct answer {
    reha_scene scene;
    bool is_refused; /* as a picture of its own kind */
    char why[32];
} answer;

static reha_status ask_all(scene_eye *eye, const reha_scene_card *card, const reha_scene_data *data,
                           answer *out, reha_error *err)
{
    for (size_t i = 0; i < data->count; i++) {
        const reha_scene_item *item = &data->items[i];
        reha_gray *image = NULL;
        REHA_TRY(reha_scene_item_gray(item, &image, err));
        const reha_status status = scene_eye_look(eye, image, false, &out[i].scene, err);
        reha_gray_free(image);
        REHA_TRY(status);
        for (int k = 0; k < REHA_SCENE_KINDS; k++) {
            out[i].scene.distances[k] =
                reha_scene_distance(card, (reha_scene_kind)k, eye->outputs[REHA_SCENE_OUT_FEATURES]);
        }
        out[i].scene.contrast = item->contrast;
        out[i].scene.shorter_px = item->shorter_px;
        if (card->limits[item->kind].is_present) {
            const char *code = reha_scene_fault(card, item->kind, &out[i].scene);
            out[i].is_refused = code != NULL;
            (void)snprintf(out[i].why, sizeof out[i].why, "%s", code != NULL ? code : "");
        }
    }
    return REHA_OK;
}

typedef struct measuring {
    const reha_scene_data *data;
    const answer *answers;
    bool *counted, *hit;
    int rounds;
    uint64_t seed;
} measuring;

static json_t *ask(const measuring *of)
{
    const share what = {of->counted, of->hit};
    return estimate(&what, of->data, of->rounds, of->seed);
}

/* Under "<prefix>_<kind>". */
static void set_kind(json_t *to, const char *prefix, int kind, json_t *value)
{
    char key[64];
    (void)snprintf(key, sizeof key, "%s_%s", prefix, reha_scene_name((reha_scene_kind)kind));
    if (value != NULL) {
        (void)json_object_set_new(to, key, value);
    }
}

static void add_recall(const measuring *of, bool is_drawn, json_t *to)
{
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        for (size_t i = 0; i < of->data->count; i++) {
            const reha_scene_item *item = &of->data->items[i];
            of->counted[i] = item->kind == (reha_scene_kind)k && (item->path == NULL) == is_drawn;
            of->hit[i] = reha_scene_verdict(&of->answers[i].scene) == (reha_scene_kind)k;
        }
        set_kind(to, is_drawn ? "recall_drawn" : "recall", k, ask(of));
    }
}

/* Counts under to.row.column. */
static void count(json_t *to, const char *row, const char *column)
{
    json_t *counts = json_object_get(to, row);
    if (counts == NULL) {
        counts = json_object();
        (void)json_object_set_new(to, row, counts);
    }
    (void)json_object_set_new(counts, column,
                              json_integer(json_integer_value(json_object_get(counts, column)) + 1));
}

/* Real pictures of a kind that would be refused as such, and, of real pictures of other kinds, those that the
 * distance alone keeps away from it. */
static void add_refusals(const measuring *of, const reha_scene_card *card, json_t *to, json_t *reasons)
{
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        if (!card->limits[k].is_present) {
            continue;
        }
        for (size_t i = 0; i < of->data->count; i++) {
            of->counted[i] = of->data->items[i].kind == (reha_scene_kind)k && of->data->items[i].path != NULL;
            of->hit[i] = of->answers[i].is_refused;
            if (of->counted[i] && of->hit[i]) {
                count(reasons, reha_scene_name((reha_scene_kind)k), of->answers[i].why);
            }
        }
        set_kind(to, "good_refused", k, ask(of));
        for (size_t i = 0; i < of->data->count; i++) {
            of->counted[i] = of->data->items[i].kind != (reha_scene_kind)k && of->data->items[i].path != NULL;
            of->hit[i] = of->answers[i].scene.distances[k] > card->limits[k].distance_max;
        }
        set_kind(to, "others_beyond_distance", k, ask(of));
    }
}

reha_status scene_measure(scene_eye *eye, const reha_scene_card *card, const reha_scene_data *data,
                          int rounds, uint64_t seed, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    answer *answers = reha_alloc_zero(data->count + 1, sizeof *answers);
    bool *marks = reha_alloc_zero(2 * data->count + 2, sizeof *marks);
    json_t *metrics = json_pack("{s:i, s:i}", "n", (int)data->count, "groups", (int)data->group_count);
    json_t *taken_for = json_object();
    json_t *reasons = json_object();
    if (answers == NULL || marks == NULL || metrics == NULL || taken_for == NULL || reasons == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the figures");
        goto done;
    }
    REHA_CHECK(ask_all(eye, card, data, answers, err));
    const measuring of = {data, answers, marks, marks + data->count + 1, rounds, seed};
    add_recall(&of, false, metrics);
    add_recall(&of, true, metrics);
    add_refusals(&of, card, metrics, reasons);
    for (size_t i = 0; i < data->count; i++) {
        if (data->items[i].path != NULL) {
            count(taken_for, reha_scene_name(data->items[i].kind),
                  reha_scene_name(reha_scene_verdict(&answers[i].scene)));
        }
    }
    *out =
        json_pack("{s:O, s:O, s:O}", "metrics", metrics, "taken_for", taken_for, "refusal_reasons", reasons);
    if (*out == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the figures");
    }
done:
    json_decref(metrics);
    json_decref(taken_for);
    json_decref(reasons);
    reha_free(answers);
    reha_free(marks);
    return status;
}

/* ---- evaluate gate ---- */

static reha_status write_predictions(scene_eye *eye, const reha_scene_data *data, const char *path,
                                     reha_error *err)
{
    reha_status status = REHA_OK;
    reha_text text = {0};
    char *bytes = NULL;
    reha_text_add(&text, "path,scene,told,probability,inverted,upright,clear\n");
    for (size_t i = 0; i < data->count; i++) {
        reha_gray *image = NULL;
        reha_scene scene;
        REHA_CHECK(reha_scene_item_gray(&data->items[i], &image, err));
        status = scene_eye_look(eye, image, false, &scene, err);
        reha_gray_free(image);
        REHA_CHECK(status);
        const reha_scene_kind told = reha_scene_verdict(&scene);
        reha_csv_add_field(&text, data->items[i].path);
        reha_text_addf(&text, ",%s,%s,%.4f,%.4f,%.4f,%.4f\n", reha_scene_name(data->items[i].kind),
                       reha_scene_name(told), scene.kinds[told], scene.inverted,
                       scene.turns[REHA_SCENE_UPRIGHT], scene.flaws[REHA_SCENE_CLEAR]);
    }
    REHA_CHECK(reha_text_take(&text, &bytes, err));
    status = reha_file_save(path, bytes, strlen(bytes), err);
done:
    reha_text_clear(&text);
    reha_free(bytes);
    return status;
}

reha_status scene_evaluate(reha_model *model, const reha_evaluate_options *options,
                           const reha_progress *progress, json_t **report, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_scene_data data = {0};
    const char *split = options->split != NULL ? options->split : "val";
    (void)progress;
    *report = NULL;
    if (options->explain) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "the gate has no explanations to measure");
    }
    REHA_CHECK(reha_scene_data_load(options->data_folder, split, options->load, 1, &data, err));
    REHA_CHECK(scene_measure(&model->eye, &model->card, &data, options->bootstrap_rounds, options->seed,
                             report, err));
    (void)json_object_set_new(*report, "task", json_string("gate"));
    (void)json_object_set_new(*report, "data", reha_json_text(options->data_folder));
    (void)json_object_set_new(*report, "split", json_string(split));
    if (options->predictions_path != NULL) {
        status = write_predictions(&model->eye, &data, options->predictions_path, err);
    }
done:
    reha_scene_data_clear(&data);
    if (status != REHA_OK) {
        json_decref(*report);
        *report = NULL;
    }
    return status;
}
