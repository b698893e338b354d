/* Features and rows from and to JSON. */
#include "rehab/table.h"

#include "base/memory.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const kinds[] = {"category", "number", "sum"};

static void list_levels(const reha_feature *feature, char *out, size_t out_bytes)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t k = 0; k < feature->level_count && used < out_bytes; k++) {
        used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", k > 0 ? ", " : "", feature->levels[k]);
    }
}

static reha_status no_level(const reha_feature *feature, reha_error *err)
{
    char levels[160];
    list_levels(feature, levels, sizeof levels);
    return reha_fail(err, REHA_E_FORMAT, "'%s' must be one of: %s (or null: not known)", feature->key,
                     levels);
}

static reha_status read_category(const reha_feature *feature, const json_t *value, float *out,
                                 reha_error *err)
{
    char text[REHA_FEATURE_TEXT_BYTES];
    if (json_is_boolean(value)) {
        (void)snprintf(text, sizeof text, "%s", json_is_true(value) ? "yes" : "no");
    } else if (json_is_integer(value)) {
        (void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    } else if (json_is_string(value)) {
        (void)snprintf(text, sizeof text, "%s", json_string_value(value));
    } else {
        return no_level(feature, err);
    }
    const int level = reha_feature_level(feature, text);
    if (level < 0) {
        return no_level(feature, err);
    }
    *out = (float)level;
    return REHA_OK;
}

static reha_status read_value(const reha_feature *feature, const json_t *value, float *out, reha_error *err)
{
    *out = NAN;
    if (value == NULL) {
        return reha_fail(err, REHA_E_FORMAT, "'%s' (%s) is missing; write null if it is not known",
                         feature->key, feature->title);
    }
    if (!json_is_null(value)) {
        if (feature->kind == REHA_FEATURE_CATEGORY) {
            REHA_TRY(read_category(feature, value, out, err));
        } else if (json_is_number(value)) {
            *out = (float)json_number_value(value);
        } else {
            return reha_fail(err, REHA_E_FORMAT, "'%s' must be a number (or null: not known)", feature->key);
        }
    }
    return reha_feature_check(feature, (double)*out, err);
}

reha_status reha_table_row_from_json(const reha_feature *features, size_t count, const json_t *input,
                                     float *x, reha_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    if (!json_is_object(input)) {
        return reha_fail(err, REHA_E_FORMAT, "the input must be a JSON object with one member per question");
    }
    json_object_foreach((json_t *)input, key, value)
    {
        const int j = reha_feature_find(features, count, key);
        if (j < 0 || features[j].kind == REHA_FEATURE_SUM) {
            return reha_fail(err, REHA_E_FORMAT, "'%.60s' is no input of this model%s", key,
                             j >= 0 ? ": it is formed from the items" : "");
        }
    }
    for (size_t j = 0; j < count; j++) {
        x[j] = NAN;
        if (features[j].kind != REHA_FEATURE_SUM) {
            REHA_TRY(read_value(&features[j], json_object_get(input, features[j].key), &x[j], err));
        }
    }
    reha_table_add_sums(features, count, x);
    for (size_t j = 0; j < count; j++) {
        if (features[j].kind != REHA_FEATURE_SUM) {
            continue;
        }
        if (isnan(x[j])) {
            return reha_fail(err, REHA_E_REFUSED,
                             "%s: more than %zu of its items are not known, no score can be formed",
                             features[j].title, features[j].sum_unknown_max);
        }
        REHA_TRY(reha_feature_check(&features[j], (double)x[j], err));
    }
    return REHA_OK;
}

static json_t *feature_to_json(const reha_feature *feature, const reha_feature *features)
{
    json_t *one = json_pack("{s:s, s:s, s:s, s:b, s:I}", "key", feature->key, "title", feature->title, "kind",
                            kinds[feature->kind], "group", feature->is_group ? 1 : 0, "unknown_rows",
                            (json_int_t)feature->unknown_rows);
    if (feature->kind == REHA_FEATURE_CATEGORY) {
        json_t *levels = json_array();
        for (size_t k = 0; k < feature->level_count; k++) {
            (void)json_array_append_new(levels, json_pack("{s:s, s:I}", "level", feature->levels[k], "rows",
                                                          (json_int_t)feature->level_rows[k]));
        }
        (void)json_object_set_new(one, "levels", levels);
    } else {
        (void)json_object_set_new(one, "low", reha_json_real(feature->low));
        (void)json_object_set_new(one, "high", reha_json_real(feature->high));
    }
    if (feature->kind == REHA_FEATURE_SUM) {
        (void)json_object_set_new(one, "first_item", json_string(features[feature->sum_first].key));
        (void)json_object_set_new(one, "items", json_integer((json_int_t)feature->sum_count));
        (void)json_object_set_new(one, "unknown_max", json_integer((json_int_t)feature->sum_unknown_max));
    }
    return one;
}

reha_status reha_features_to_json(const reha_feature *features, size_t count, json_t **out, reha_error *err)
{
    *out = json_array();
    for (size_t j = 0; j < count; j++) {
        if (json_array_append_new(*out, feature_to_json(&features[j], features)) != 0) {
            json_decref(*out);
            *out = NULL;
            return reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
        }
    }
    return REHA_OK;
}

static reha_status copy_text(const json_t *object, const char *key, char *out, reha_error *err)
{
    const char *text = NULL;
    REHA_TRY(reha_json_need_string(object, key, &text, err));
    if (strlen(text) >= REHA_FEATURE_TEXT_BYTES) {
        return reha_fail(err, REHA_E_LIMIT, "'%s' is longer than %d bytes", key, REHA_FEATURE_TEXT_BYTES - 1);
    }
    (void)snprintf(out, REHA_FEATURE_TEXT_BYTES, "%s", text);
    return REHA_OK;
}

static reha_status need_count(const json_t *object, const char *key, size_t *out, reha_error *err)
{
    double value = 0.0;
    REHA_TRY(reha_json_need_number(object, key, &value, err));
    if (!(value >= 0.0 && value <= 1e9 && value == floor(value))) {
        return reha_fail(err, REHA_E_FORMAT, "'%s' must be a count", key);
    }
    *out = (size_t)value;
    return REHA_OK;
}

static reha_status read_levels(const json_t *object, reha_feature *feature, reha_error *err)
{
    const json_t *levels = NULL;
    REHA_TRY(reha_json_need_array(object, "levels", 0, &levels, err));
    if (json_array_size(levels) > REHA_FEATURE_LEVELS_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "'%s' has more than %d levels", feature->key,
                         REHA_FEATURE_LEVELS_MAX);
    }
    feature->level_count = json_array_size(levels);
    for (size_t k = 0; k < feature->level_count; k++) {
        const json_t *level = json_array_get(levels, k);
        REHA_TRY(copy_text(level, "level", feature->levels[k], err));
        REHA_TRY(need_count(level, "rows", &feature->level_rows[k], err));
    }
    return REHA_OK;
}

static reha_status read_sum(const json_t *object, const reha_feature *features, size_t before,
                            reha_feature *feature, reha_error *err)
{
    const char *first = NULL;
    REHA_TRY(reha_json_need_string(object, "first_item", &first, err));
    REHA_TRY(need_count(object, "items", &feature->sum_count, err));
    REHA_TRY(need_count(object, "unknown_max", &feature->sum_unknown_max, err));
    const int at = reha_feature_find(features, before, first);
    if (at < 0 || feature->sum_count == 0 || feature->sum_count > before - (size_t)at) {
        return reha_fail(err, REHA_E_FORMAT, "'%s': its items do not stand before it", feature->key);
    }
    feature->sum_first = (size_t)at;
    for (size_t k = 0; k < feature->sum_count; k++) {
        if (features[feature->sum_first + k].kind == REHA_FEATURE_SUM) {
            return reha_fail(err, REHA_E_FORMAT, "'%s': a sum of sums", feature->key);
        }
    }
    return REHA_OK;
}

static reha_status feature_from_json(const json_t *object, reha_feature *features, size_t before,
                                     reha_error *err)
{
    reha_feature *feature = &features[before];
    char kind[REHA_FEATURE_TEXT_BYTES];
    REHA_TRY(copy_text(object, "key", feature->key, err));
    REHA_TRY(copy_text(object, "title", feature->title, err));
    REHA_TRY(copy_text(object, "kind", kind, err));
    REHA_TRY(need_count(object, "unknown_rows", &feature->unknown_rows, err));
    feature->is_group = json_is_true(json_object_get(object, "group"));
    if (strcmp(kind, kinds[REHA_FEATURE_CATEGORY]) == 0) {
        feature->kind = REHA_FEATURE_CATEGORY;
        return read_levels(object, feature, err);
    }
    REHA_TRY(reha_json_need_number(object, "low", &feature->low, err));
    REHA_TRY(reha_json_need_number(object, "high", &feature->high, err));
    if (strcmp(kind, kinds[REHA_FEATURE_NUMBER]) == 0) {
        feature->kind = REHA_FEATURE_NUMBER;
        return REHA_OK;
    }
    if (strcmp(kind, kinds[REHA_FEATURE_SUM]) == 0) {
        feature->kind = REHA_FEATURE_SUM;
        return read_sum(object, features, before, feature, err);
    }
    return reha_fail(err, REHA_E_FORMAT, "'%s': no kind '%s'", feature->key, kind);
}

reha_status reha_features_from_json(const json_t *array, reha_feature **out, size_t *count, reha_error *err)
{
    const size_t wanted = json_array_size(array);
    *out = NULL;
    *count = 0;
    if (wanted == 0 || wanted > REHA_FEATURES_MAX) {
        return reha_fail(err, REHA_E_FORMAT, "'features' must be an array of 1 to %d items",
                         REHA_FEATURES_MAX);
    }
    reha_feature *features = reha_alloc_zero(wanted, sizeof *features);
    if (features == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
    }
    for (size_t j = 0; j < wanted; j++) {
        const reha_status status = feature_from_json(json_array_get(array, j), features, j, err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "feature %zu", j);
            reha_free(features);
            return status;
        }
    }
    *out = features;
    *count = wanted;
    return REHA_OK;
}
