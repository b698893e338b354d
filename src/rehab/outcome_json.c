/* The files of an outcome model: model.json and trees.ubj. */
#include "rehab/outcome.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char FORMAT[] = "rehascope-outcome-model";
static const char MODEL_FILE[] = "model.json";
static const char TREES_FILE[] = "trees.ubj";
enum { FORMAT_VERSION = 1, TREES_BYTES_MAX = 64 << 20, STRATA_MAX = 4096, CHECKSUM_BYTES = 17 };

static json_t *axes_to_json(const reha_outcome_model *model)
{
    json_t *array = json_array();
    for (size_t a = 0; a < model->design.axis_count; a++) {
        const reha_outcome_axis *axis = &model->design.axes[a];
        json_t *cuts = json_array();
        for (size_t k = 0; k < axis->cut_count; k++) {
            (void)json_array_append_new(cuts, reha_json_real(axis->cuts[k]));
        }
        json_t *name = axis->feature == REHA_AXIS_EXPECTED ? json_null()
                                                           : json_string(model->features[axis->feature].key);
        (void)json_array_append_new(array, json_pack("{s:o, s:o}", "feature", name, "cuts", cuts));
    }
    return array;
}

static json_t *goals_to_json(const reha_outcome_design *design)
{
    json_t *array = json_array();
    for (size_t g = 0; g < design->goal_count; g++) {
        const reha_outcome_goal *goal = &design->goals[g];
        (void)json_array_append_new(array,
                                    json_pack("{s:s, s:s, s:f, s:s}", "name", goal->name, "above",
                                              goal->above, "points", goal->points, "source", goal->source));
    }
    return array;
}

static json_t *strata_to_json(const reha_outcome_model *model)
{
    json_t *array = json_array();
    for (size_t s = 0; s < model->stratum_count; s++) {
        const reha_outcome_stratum *one = &model->strata[s];
        (void)json_array_append_new(
            array, json_pack("{s:[i, i, i], s:I, s:f, s:[f, f, f, f, f], s:[o, o]}", "code", one->code[0],
                             one->code[1], one->code[2], "rows", (json_int_t)one->rows, "mean", one->mean,
                             "quantiles", one->quantile[0], one->quantile[1], one->quantile[2],
                             one->quantile[3], one->quantile[4], "reached", reha_json_real(one->reached[0]),
                             reha_json_real(one->reached[1])));
    }
    return array;
}

static reha_status model_to_json(const reha_outcome_model *model, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *features = NULL;
    json_t *linear = NULL;
    json_t *spread = NULL;
    *out = NULL;
    REHA_CHECK(reha_features_to_json(model->features, model->feature_count, &features, err));
    REHA_CHECK(reha_linear_to_json(&model->linear, model->features, &linear, err));
    REHA_CHECK(reha_spread_to_json(&model->spread, model->features, &spread, err));
    *out = json_pack(
        "{s:s, s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:I, s:o, s:o, s:b, s:o, s:o, s:O, s:O, s:O, s:f}",
        "format", FORMAT, "format_version", FORMAT_VERSION, "task", model->design.task, "title",
        model->design.title, "target", model->design.target, "unit", model->design.unit, "low",
        reha_json_real(model->spread.low), "high", reha_json_real(model->spread.high), "trees",
        model->boost != NULL ? 1 : 0, "rows", (json_int_t)model->rows, "goals", goals_to_json(&model->design),
        "axes", axes_to_json(model), "beats_naive", model->beats_naive ? 1 : 0, "strata",
        strata_to_json(model), "note", json_string("counts and summaries only: no row of a patient"),
        "features", features, "regression", linear, "distribution", spread, "level_shift", model->shift);
    if (*out == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
    }
done:
    json_decref(features);
    json_decref(linear);
    json_decref(spread);
    return status;
}

/* The library trusts the sizes that a file of trees states, so a damaged one must not
 * reach it. */
static void checksum_of(const uint8_t *bytes, size_t count, char out[CHECKSUM_BYTES])
{
    const uint64_t hash = reha_hash64(REHA_HASH64_START, bytes, count);
    (void)snprintf(out, CHECKSUM_BYTES, "%016llx", (unsigned long long)hash);
}

reha_status reha_outcome_model_save(const reha_outcome_model *model, const char *folder, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *object = NULL;
    uint8_t *bytes = NULL;
    size_t byte_count = 0;
    char *path = reha_path_join(folder, MODEL_FILE);
    char *trees = reha_path_join(folder, TREES_FILE);
    if (path == NULL || trees == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
        goto done;
    }
    REHA_CHECK(model_to_json(model, &object, err));
    if (model->boost != NULL) {
        char checksum[CHECKSUM_BYTES];
        REHA_CHECK(reha_boost_write(model->boost, &bytes, &byte_count, err));
        checksum_of(bytes, byte_count, checksum);
        (void)json_object_set_new(object, "trees_checksum", json_string(checksum));
        REHA_CHECK(reha_file_save(trees, bytes, byte_count, err));
    }
    REHA_CHECK(reha_json_save(path, object, err));
done:
    json_decref(object);
    reha_free(bytes);
    reha_free(path);
    reha_free(trees);
    return status;
}

static reha_status copy_text(const json_t *object, const char *key, char *out, size_t out_bytes,
                             reha_error *err)
{
    const char *text = NULL;
    REHA_TRY(reha_json_need_string(object, key, &text, err));
    (void)snprintf(out, out_bytes, "%s", text);
    return REHA_OK;
}

static reha_status read_goals(const json_t *object, reha_outcome_design *design, reha_error *err)
{
    const json_t *goals = NULL;
    REHA_TRY(reha_json_need_array(object, "goals", 0, &goals, err));
    if (json_array_size(goals) > REHA_OUTCOME_GOALS_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "'goals' has more than %d items", REHA_OUTCOME_GOALS_MAX);
    }
    for (size_t g = 0; g < json_array_size(goals); g++) {
        const json_t *one = json_array_get(goals, g);
        reha_outcome_goal *goal = &design->goals[g];
        REHA_TRY(copy_text(one, "name", goal->name, sizeof goal->name, err));
        REHA_TRY(copy_text(one, "above", goal->above, sizeof goal->above, err));
        REHA_TRY(copy_text(one, "source", goal->source, sizeof goal->source, err));
        REHA_TRY(reha_json_need_number(one, "points", &goal->points, err));
        design->goal_count++;
    }
    return REHA_OK;
}

static reha_status read_axes(const json_t *object, reha_outcome_model *model, reha_error *err)
{
    const json_t *axes = NULL;
    REHA_TRY(reha_json_need_array(object, "axes", 0, &axes, err));
    if (json_array_size(axes) > REHA_OUTCOME_AXES_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "'axes' has more than %d items", REHA_OUTCOME_AXES_MAX);
    }
    for (size_t a = 0; a < json_array_size(axes); a++) {
        const json_t *one = json_array_get(axes, a);
        const char *key = json_string_value(json_object_get(one, "feature"));
        const json_t *cuts = NULL;
        reha_outcome_axis *axis = &model->design.axes[a];
        axis->feature =
            key != NULL ? reha_feature_find(model->features, model->feature_count, key) : REHA_AXIS_EXPECTED;
        if (key != NULL && axis->feature < 0) {
            return reha_fail(err, REHA_E_FORMAT, "'axes[%zu]' names no feature", a);
        }
        REHA_TRY(reha_json_need_array(one, "cuts", 0, &cuts, err));
        axis->cut_count = json_array_size(cuts);
        const bool is_category = key != NULL && model->features[axis->feature].kind == REHA_FEATURE_CATEGORY;
        if (axis->cut_count > REHA_OUTCOME_CUTS_MAX || (axis->cut_count == 0) != is_category) {
            return reha_fail(err, REHA_E_FORMAT,
                             "'axes[%zu]': 1 to %d cuts for a number, none for a category", a,
                             REHA_OUTCOME_CUTS_MAX);
        }
        REHA_TRY(reha_json_need_numbers(one, "cuts", axis->cut_count, axis->cuts, err));
        model->design.axis_count++;
    }
    return REHA_OK;
}

/* A code from outside must name a level or band of its axis: texts are made from it. */
static bool is_code(const reha_outcome_model *model, size_t a, double code)
{
    if (code != floor(code) || code < REHA_STRATUM_UNKNOWN) {
        return false;
    }
    if (code < 0.0 || a >= model->design.axis_count) {
        return code < 0.0;
    }
    const reha_outcome_axis *axis = &model->design.axes[a];
    if (axis->feature != REHA_AXIS_EXPECTED && model->features[axis->feature].kind == REHA_FEATURE_CATEGORY) {
        return code < (double)model->features[axis->feature].level_count;
    }
    return code <= (double)axis->cut_count;
}

static reha_status read_stratum(const json_t *one, const reha_outcome_model *model,
                                reha_outcome_stratum *stratum, reha_error *err)
{
    double code[REHA_OUTCOME_AXES_MAX];
    double rows = 0.0;
    REHA_TRY(reha_json_need_numbers(one, "code", REHA_OUTCOME_AXES_MAX, code, err));
    for (size_t a = 0; a < REHA_OUTCOME_AXES_MAX; a++) {
        if (!is_code(model, a, code[a])) {
            return reha_fail(err, REHA_E_FORMAT, "a stratum's code %zu is no level of its axis", a);
        }
        stratum->code[a] = (int)code[a];
    }
    REHA_TRY(reha_json_need_number(one, "rows", &rows, err));
    REHA_TRY(reha_json_need_number(one, "mean", &stratum->mean, err));
    REHA_TRY(reha_json_need_numbers(one, "quantiles", 5, stratum->quantile, err));
    stratum->rows = rows >= 0.0 && rows < 1e9 ? (size_t)rows : 0;
    const json_t *reached = json_object_get(one, "reached");
    for (size_t g = 0; g < REHA_OUTCOME_GOALS_MAX; g++) {
        const json_t *share = json_array_get(reached, g);
        stratum->reached[g] = json_is_number(share) ? json_number_value(share) : (double)NAN;
    }
    return REHA_OK;
}

static reha_status read_strata(const json_t *object, reha_outcome_model *model, reha_error *err)
{
    const json_t *strata = NULL;
    REHA_TRY(reha_json_need_array(object, "strata", 0, &strata, err));
    if (json_array_size(strata) > STRATA_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "'strata' has more than %d items", STRATA_MAX);
    }
    model->strata = reha_alloc_zero(json_array_size(strata) + 1, sizeof *model->strata);
    if (model->strata == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
    }
    for (size_t s = 0; s < json_array_size(strata); s++) {
        REHA_TRY(read_stratum(json_array_get(strata, s), model, &model->strata[s], err));
        model->stratum_count++;
    }
    return REHA_OK;
}

static reha_status read_trees(const char *folder, const char *checksum, reha_outcome_model *model,
                              reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    char found[CHECKSUM_BYTES];
    char *path = reha_path_join(folder, TREES_FILE);
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    reha_status status = reha_file_load(path, TREES_BYTES_MAX, &bytes, &count, err);
    if (status == REHA_OK) {
        checksum_of(bytes, count, found);
        if (strcmp(found, checksum) != 0) {
            status = reha_fail(err, REHA_E_FORMAT, "%s is damaged, or of another model", TREES_FILE);
        }
    }
    if (status == REHA_OK) {
        status = reha_boost_read(bytes, count, model->feature_count, &model->boost, err);
    }
    reha_free(bytes);
    reha_free(path);
    return status;
}

static reha_status read_model(const json_t *object, reha_outcome_model *model, reha_error *err)
{
    reha_outcome_design *design = &model->design;
    double rows = 0.0;
    if (strcmp(reha_json_string(object, "format", ""), FORMAT) != 0 ||
        reha_json_number(object, "format_version", 0.0) != FORMAT_VERSION) {
        return reha_fail(err, REHA_E_FORMAT, "not a %s of version %d", FORMAT, FORMAT_VERSION);
    }
    REHA_TRY(copy_text(object, "task", design->task, sizeof design->task, err));
    REHA_TRY(copy_text(object, "title", design->title, sizeof design->title, err));
    REHA_TRY(copy_text(object, "target", design->target, sizeof design->target, err));
    REHA_TRY(copy_text(object, "unit", design->unit, sizeof design->unit, err));
    REHA_TRY(reha_json_need_number(object, "low", &design->low, err));
    REHA_TRY(reha_json_need_number(object, "high", &design->high, err));
    REHA_TRY(reha_json_need_number(object, "rows", &rows, err));
    REHA_TRY(reha_json_need_number(object, "level_shift", &model->shift, err));
    model->rows = rows >= 0.0 && rows < 1e9 ? (size_t)rows : 0;
    model->beats_naive = json_is_true(json_object_get(object, "beats_naive"));
    REHA_TRY(reha_features_from_json(json_object_get(object, "features"), &model->features,
                                     &model->feature_count, err));
    REHA_TRY(reha_linear_from_json(json_object_get(object, "regression"), model->features,
                                   model->feature_count, &model->linear, err));
    REHA_TRY(reha_spread_from_json(json_object_get(object, "distribution"), model->features,
                                   model->feature_count, &model->spread, err));
    REHA_TRY(read_goals(object, design, err));
    REHA_TRY(read_axes(object, model, err));
    return read_strata(object, model, err);
}

reha_status reha_outcome_model_load(const char *folder, reha_outcome_model **out, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *object = NULL;
    char *path = NULL;
    *out = NULL;
    reha_outcome_model *model = reha_alloc_zero(1, sizeof *model);
    path = reha_path_join(folder, MODEL_FILE);
    if (model == NULL || path == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
        goto done;
    }
    REHA_CHECK(reha_json_load(path, &object, err));
    status = read_model(object, model, err);
    if (status == REHA_OK && json_is_true(json_object_get(object, "trees"))) {
        status = read_trees(folder, reha_json_string(object, "trees_checksum", ""), model, err);
    }
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
        goto done;
    }
    *out = model;
    model = NULL;
done:
    json_decref(object);
    reha_free(path);
    reha_outcome_model_free(model);
    return status;
}
