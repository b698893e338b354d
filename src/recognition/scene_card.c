#include "recognition/scene_card.h"

#include "base/file.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char TASK[] = "gate";

/* ---- reading ---- */

static reha_status read_features(const json_t *json, reha_scene_card *out, reha_error *err)
{
    const json_t *features = json_object_get(json, "features");
    const json_t *means = json_object_get(features, "means");
    if (!json_is_object(means)) {
        return reha_fail(err, REHA_E_FORMAT, "features.means is missing");
    }
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        const char *name = reha_scene_name((reha_scene_kind)k);
        if (json_object_get(means, name) == NULL) {
            continue;
        }
        REHA_TRY(reha_json_need_numbers(means, name, REHA_SCENE_FEATURES, out->means[k], err));
        out->has_mean[k] = true;
    }
    return reha_json_need_numbers(features, "inverse_covariance",
                                  (size_t)REHA_SCENE_FEATURES * REHA_SCENE_FEATURES, out->inverse, err);
}

static reha_status read_kind_limits(const json_t *from, reha_scene_limits *out, reha_error *err)
{
    const struct {
        const char *key;
        double *to;
        double low, high;
    } numbers[] = {
        {"share_min", &out->share_min, 0.0, 1.0},           {"modality_min", &out->modality_min, 0.0, 1.0},
        {"distance_max", &out->distance_max, 0.0, 1e9},     {"contrast_min", &out->contrast_min, 0.0, 255.0},
        {"shorter_px_min", &out->shorter_px_min, 0.0, 1e5}, {"inverted_max", &out->inverted_max, 0.0, 1.0},
        {"turned_max", &out->turned_max, 0.0, 1.0}};
    const json_t *flaws = json_object_get(from, "flaw_max");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        REHA_TRY(reha_json_need_number(from, numbers[i].key, numbers[i].to, err));
        if (!(*numbers[i].to >= numbers[i].low && *numbers[i].to <= numbers[i].high)) {
            return reha_fail(err, REHA_E_FORMAT, "%s is %g, not %g to %g", numbers[i].key, *numbers[i].to,
                             numbers[i].low, numbers[i].high);
        }
    }
    out->flaw_max[REHA_SCENE_CLEAR] = 1.0;
    for (int f = REHA_SCENE_CLEAR + 1; f < REHA_SCENE_FLAWS; f++) {
        REHA_TRY(
            reha_json_need_number(flaws, reha_scene_flaw_name((reha_scene_flaw)f), &out->flaw_max[f], err));
    }
    out->is_present = true;
    return REHA_OK;
}

static reha_status read_limits(const json_t *json, reha_scene_card *out, reha_error *err)
{
    const json_t *limits = json_object_get(json, "limits_by_kind");
    const char *name = NULL;
    json_t *entry = NULL;
    if (!json_is_object(limits) || json_object_size(limits) == 0) {
        return reha_fail(err, REHA_E_FORMAT, "limits_by_kind is missing");
    }
    json_object_foreach((json_t *)limits, name, entry)
    {
        const reha_scene_kind kind = reha_scene_find(name);
        if (kind == REHA_SCENE_KINDS) {
            return reha_fail(err, REHA_E_FORMAT, "limits_by_kind: no kind '%.40s'", name);
        }
        const reha_status status = read_kind_limits(entry, &out->limits[kind], err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "limits_by_kind.%.40s", name);
            return status;
        }
    }
    return REHA_OK;
}

static reha_status keep_file(const char *file, const char *key, char out[64], reha_error *err)
{
    if (file[0] == '\0' || strchr(file, '/') != NULL || strlen(file) >= 64) {
        return reha_fail(err, REHA_E_FORMAT, "%s is no plain file name", key);
    }
    (void)snprintf(out, 64, "%s", file);
    return REHA_OK;
}

static reha_status read_further(const json_t *json, reha_scene_card *out, reha_error *err)
{
    const json_t *further = json_object_get(json, "further_files");
    if (further == NULL) {
        return REHA_OK;
    }
    if (!json_is_array(further) || json_array_size(further) > REHA_SCENE_NETWORKS_MAX - 1) {
        return reha_fail(err, REHA_E_FORMAT, "further_files is no list of at most %d files",
                         REHA_SCENE_NETWORKS_MAX - 1);
    }
    for (size_t i = 0; i < json_array_size(further); i++) {
        const char *file = json_string_value(json_array_get(further, i));
        REHA_TRY(keep_file(file != NULL ? file : "", "an entry of further_files", out->further[i], err));
        out->further_count++;
    }
    return REHA_OK;
}

static reha_status read_card(json_t *json, reha_scene_card *out, reha_error *err)
{
    const char *file = NULL;
    if (strcmp(reha_json_string(json, "format", ""), "rehascope-model-card") != 0 ||
        strcmp(reha_json_string(json, "task", ""), TASK) != 0) {
        return reha_fail(err, REHA_E_FORMAT, "is no model card of task %s", TASK);
    }
    if (reha_json_number(json, "format_version", 0.0) != 1.0) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "format_version is not 1");
    }
    REHA_TRY(reha_json_need_string(json, "file", &file, err));
    REHA_TRY(keep_file(file, "file", out->file, err));
    REHA_TRY(read_further(json, out, err));
    (void)snprintf(out->name, sizeof out->name, "%s", reha_json_string(json, "name", TASK));
    (void)snprintf(out->version, sizeof out->version, "%s", reha_json_string(json, "version", ""));
    REHA_TRY(read_features(json, out, err));
    return read_limits(json, out, err);
}

reha_status reha_scene_card_load(const char *folder, reha_scene_card *out, reha_error *err)
{
    *out = (reha_scene_card){0};
    char *path = reha_path_join(folder, "card.json");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    reha_status status = reha_json_load(path, &out->json, err);
    if (status == REHA_OK) {
        status = read_card(out->json, out, err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "%s", path);
        }
    }
    reha_free(path);
    if (status != REHA_OK) {
        reha_scene_card_clear(out);
    }
    return status;
}

void reha_scene_card_clear(reha_scene_card *card)
{
    json_decref(card->json);
    *card = (reha_scene_card){0};
}

double reha_scene_distance(const reha_scene_card *card, reha_scene_kind kind, const float *features)
{
    double away[REHA_SCENE_FEATURES];
    double sum = 0.0;
    if (!card->has_mean[kind]) {
        return (double)NAN;
    }
    for (int i = 0; i < REHA_SCENE_FEATURES; i++) {
        away[i] = (double)features[i] - card->means[kind][i];
    }
    for (int i = 0; i < REHA_SCENE_FEATURES; i++) {
        double row = 0.0;
        for (int j = 0; j < REHA_SCENE_FEATURES; j++) {
            row += card->inverse[i * REHA_SCENE_FEATURES + j] * away[j];
        }
        sum += row * away[i];
    }
    return sum;
}

/* ---- writing ---- */

/* Six digits are more than a threshold needs and keep the file small. */
static json_t *rounded(double value)
{
    char text[32];
    double back = value;
    (void)snprintf(text, sizeof text, "%.6g", value);
    (void)sscanf(text, "%lf", &back);
    return reha_json_real(back);
}

static json_t *numbers_of(const double *values, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(list, rounded(values[i]));
    }
    return list;
}

static json_t *limits_of(const reha_scene_limits *limits)
{
    json_t *flaws = json_object();
    for (int f = REHA_SCENE_CLEAR + 1; f < REHA_SCENE_FLAWS; f++) {
        (void)json_object_set_new(flaws, reha_scene_flaw_name((reha_scene_flaw)f),
                                  rounded(limits->flaw_max[f]));
    }
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "share_min", rounded(limits->share_min), "modality_min",
        rounded(limits->modality_min), "distance_max", rounded(limits->distance_max), "contrast_min",
        rounded(limits->contrast_min), "shorter_px_min", rounded(limits->shorter_px_min), "inverted_max",
        rounded(limits->inverted_max), "turned_max", rounded(limits->turned_max), "flaw_max", flaws);
}

reha_status reha_scene_card_numbers(const reha_scene_card *card, json_t **features, json_t **limits,
                                    reha_error *err)
{
    json_t *means = json_object();
    *limits = json_object();
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        const char *name = reha_scene_name((reha_scene_kind)k);
        if (card->has_mean[k]) {
            (void)json_object_set_new(means, name, numbers_of(card->means[k], REHA_SCENE_FEATURES));
        }
        if (card->limits[k].is_present) {
            (void)json_object_set_new(*limits, name, limits_of(&card->limits[k]));
        }
    }
    *features = json_pack("{s:o, s:o}", "means", means, "inverse_covariance",
                          numbers_of(card->inverse, (size_t)REHA_SCENE_FEATURES * REHA_SCENE_FEATURES));
    return *features != NULL && *limits != NULL ? REHA_OK
                                                : reha_fail(err, REHA_E_NOMEM, "out of memory for the card");
}

static json_t *plain_card(void)
{
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "format", "rehascope-model-card",
                     "format_version", 1, "name", TASK, "version", "1", "task", TASK, "title",
                     "What a picture shows, for all recognisers", "status", "research only", "intended_use",
                     "Tells kinds of pictures apart before a recogniser sees them, so that a wrong or spoilt "
                     "picture is refused "
                     "with its reason.",
                     "not_for", "Any statement about a patient. No certified medical device.", "file",
                     "model.onnx");
}

static reha_status base_card(const char *base_folder, json_t **out, reha_error *err)
{
    if (base_folder == NULL) {
        *out = plain_card();
        return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the card");
    }
    reha_scene_card base;
    REHA_TRY(reha_scene_card_load(base_folder, &base, err));
    *out = json_incref(base.json);
    reha_scene_card_clear(&base);
    return REHA_OK;
}

reha_status reha_scene_card_write(const char *base_folder, const char *out_folder, json_t *training,
                                  json_t *features, json_t *limits, json_t *measured, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *card = NULL;
    char *path = NULL;
    REHA_CHECK(base_card(base_folder, &card, err));
    const struct {
        const char *key;
        json_t *value;
    } parts[] = {{"training", training},
                 {"limits_by_kind", limits},
                 {"metrics", json_object_get(measured, "metrics")},
                 {"taken_for", json_object_get(measured, "taken_for")},
                 {"refusal_reasons", json_object_get(measured, "refusal_reasons")},
                 {"features", features}};
    (void)json_object_del(card, "bench"); /* was measured with other weights */
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        (void)json_object_del(card, parts[i].key); /* set anew: comes last, the long lists at the end */
        if (parts[i].value != NULL && json_object_set(card, parts[i].key, parts[i].value) != 0) {
            status = reha_fail(err, REHA_E_NOMEM, "out of memory for the card");
            goto done;
        }
    }
    path = reha_path_join(out_folder, "card.json");
    if (path == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
        goto done;
    }
    status = reha_json_save(path, card, err);
done:
    reha_free(path);
    json_decref(card);
    return status;
}
