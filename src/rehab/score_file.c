/* guidelines/scores.json: read strictly, so that a slip in the file is found by the tests and not by a
 * patient. */
#include "base/memory.h"
#include "base/text.h"
#include "rehab/score.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct reha_scores {
    json_t *document;
    size_t count;
    reha_instrument *items;
};

static const char SCHEMA[] = "rehascope/scores/1";

typedef struct word {
    const char *text;
    int value;
} word;

static reha_status find_word(const word *words, size_t count, const char *text, const char *member, int *out,
                             reha_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i].text, text) == 0) {
            *out = words[i].value;
            return REHA_OK;
        }
    }
    return reha_fail(err, REHA_E_FORMAT, "%s: '%.40s' is no known word", member, text);
}
#define FIND_WORD(words, text, member, out, err)                                                             \
    find_word(words, sizeof(words) / sizeof((words)[0]), text, member, out, err)

static double number_or_nan(const json_t *object, const char *key)
{
    return reha_json_number(object, key, (double)NAN);
}

static reha_status read_threshold(const json_t *from, reha_threshold *out, reha_error *err)
{
    static const word kinds[] = {
        {"absolute", REHA_ABSOLUTE}, {"percent", REHA_PERCENT}, {"percent-of-range", REHA_PERCENT_OF_RANGE}};
    static const word sures[] = {{"A", 0}, {"B", 0}, {"C", 0}, {"K", 0}};
    const char *text = NULL;
    int kind = 0;
    *out = (reha_threshold){.value = number_or_nan(from, "value"),
                            .range_low = (double)NAN,
                            .range_high = (double)NAN,
                            .confidence = number_or_nan(from, "confidence"),
                            .note = reha_json_string(from, "note", "")};
    REHA_TRY(reha_json_need_string(from, "kind", &text, err));
    REHA_TRY(FIND_WORD(kinds, text, "kind", &kind, err));
    out->kind = (reha_threshold_kind)kind;
    REHA_TRY(reha_json_need_string(from, "setting", &out->setting, err));
    if (!reha_setting_is_known(out->setting)) {
        return reha_fail(err, REHA_E_FORMAT, "setting: '%.40s' is no known word", out->setting);
    }
    REHA_TRY(reha_json_need_string(from, "sure", &out->sure, err));
    REHA_TRY(FIND_WORD(sures, out->sure, "sure", &kind, err));
    REHA_TRY(reha_json_need_string(from, "population", &out->population, err));
    REHA_TRY(reha_json_need_string(from, "source", &out->source, err));
    if (json_is_array(json_object_get(from, "range"))) {
        double range[2];
        REHA_TRY(reha_json_need_numbers(from, "range", 2, range, err));
        out->range_low = range[0];
        out->range_high = range[1];
    }
    const bool has_range = out->range_low > 0.0 && out->range_high > out->range_low;
    if (!(out->value > 0.0) && !(isnan(out->value) && has_range)) {
        return reha_fail(err, REHA_E_FORMAT, "a threshold needs a value above 0, or null and a range");
    }
    if (!isnan(out->confidence) && !(out->confidence >= 50.0 && out->confidence < 100.0)) {
        return reha_fail(err, REHA_E_FORMAT, "confidence %g is no percentage from 50 to below 100",
                         out->confidence);
    }
    return REHA_OK;
}

static reha_status read_thresholds(const json_t *from, const char *key, reha_threshold *out, size_t *count,
                                   reha_error *err)
{
    const json_t *array = NULL;
    REHA_TRY(reha_json_need_array(from, key, 0, &array, err));
    if (json_array_size(array) > REHA_THRESHOLDS_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "%s: more than %d entries", key, REHA_THRESHOLDS_MAX);
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        const reha_status status = read_threshold(json_array_get(array, i), &out[i], err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "%s[%zu]", key, i);
            return status;
        }
        *count = i + 1;
    }
    return REHA_OK;
}

static reha_status read_items(const json_t *items, reha_instrument *out, reha_error *err)
{
    double count = 0.0;
    double high = 0.0;
    REHA_TRY(reha_json_need_number(items, "count", &count, err));
    REHA_TRY(reha_json_need_number(items, "low", &out->item_low, err));
    REHA_TRY(reha_json_need_number(items, "high", &high, err));
    if (!(count >= 1.0 && count <= REHA_ITEMS_MAX) || !(high > out->item_low)) {
        return reha_fail(err, REHA_E_FORMAT, "items: 1 to %d items with high above low are needed",
                         REHA_ITEMS_MAX);
    }
    out->item_count = (size_t)count;
    const double least = reha_json_number(items, "count_min", count);
    if (!(least >= 1.0 && least <= count)) {
        return reha_fail(err, REHA_E_FORMAT, "items.count_min: 1 to %zu, not %g", out->item_count, least);
    }
    out->item_count_min = (size_t)least;
    for (size_t i = 0; i < out->item_count; i++) {
        out->item_high[i] = high;
    }
    if (json_is_array(json_object_get(items, "ranges"))) {
        REHA_TRY(reha_json_need_numbers(items, "ranges", out->item_count, out->item_high, err));
    }
    const json_t *groups = json_object_get(items, "groups");
    size_t sum = 0;
    for (size_t i = 0; i < json_array_size(groups) && i < 3; i++) {
        const json_int_t size = json_integer_value(json_array_get(groups, i));
        if (size < 1 || (size_t)size > out->item_count - sum) {
            return reha_fail(err, REHA_E_FORMAT, "items: group %zu holds %lld items of %zu that are left",
                             i + 1, (long long)size, out->item_count - sum);
        }
        out->groups[i] = (size_t)size;
        sum += out->groups[i];
    }
    if (groups != NULL && sum != out->item_count) {
        return reha_fail(err, REHA_E_FORMAT, "items: the groups hold %zu items of %zu", sum, out->item_count);
    }
    return REHA_OK;
}

static reha_status read_rule(const json_t *from, reha_instrument *out, reha_error *err)
{
    static const word rules[] = {{"sum", REHA_RULE_SUM},
                                 {"sum-prorated", REHA_RULE_SUM_PRORATED},
                                 {"sum-percent", REHA_RULE_SUM_PERCENT},
                                 {"mean", REHA_RULE_MEAN},
                                 {"mean-percent", REHA_RULE_MEAN_PERCENT},
                                 {"mean-percent-reversed", REHA_RULE_MEAN_PERCENT_REVERSED},
                                 {"mean-of-group-percents", REHA_RULE_MEAN_OF_GROUPS},
                                 {"ratio-percent", REHA_RULE_RATIO_PERCENT}};
    const json_t *rule = json_object_get(from, "rule");
    const json_t *items = json_object_get(from, "items");
    const char *kind = NULL;
    double answered = 0.0;
    int value = 0;
    if (!json_is_object(rule) || !json_is_object(items)) {
        return json_is_null(rule) && json_is_null(items)
                   ? REHA_OK
                   : reha_fail(err, REHA_E_FORMAT, "'rule' and 'items' must be both objects or both null");
    }
    REHA_TRY(read_items(items, out, err));
    REHA_TRY(reha_json_need_string(rule, "kind", &kind, err));
    REHA_TRY(FIND_WORD(rules, kind, "rule.kind", &value, err));
    REHA_TRY(reha_json_need_number(rule, "answered_min", &answered, err));
    REHA_TRY(reha_json_need_string(rule, "source", &out->rule_source, err));
    if (!(answered >= 1.0 && answered <= (double)out->item_count)) {
        return reha_fail(err, REHA_E_FORMAT, "rule.answered_min: 1 to %zu, not %g", out->item_count,
                         answered);
    }
    out->rule = (reha_score_rule)value;
    out->answered_min = (size_t)answered;
    if (out->rule == REHA_RULE_MEAN_OF_GROUPS && out->groups[0] == 0) {
        return reha_fail(err, REHA_E_FORMAT, "items.groups are missing");
    }
    return REHA_OK;
}

static reha_status read_image_part(const json_t *from, reha_instrument *out, reha_error *err)
{
    const json_t *repeats = json_object_get(from, "repeatability");
    const json_t *acquisition = json_object_get(from, "acquisition");
    const json_t *method = json_object_get(from, "method_sd");
    out->is_image = json_is_array(repeats);
    out->finding = reha_json_string(from, "finding", "");
    out->cannot_improve = json_is_true(json_object_get(from, "cannot_improve"));
    for (size_t i = 0; i < json_array_size(repeats) && i < REHA_REPEATS_MAX; i++) {
        const json_t *one = json_array_get(repeats, i);
        reha_repeat *to = &out->repeats[i];
        REHA_TRY(reha_json_need_string(one, "task", &to->task, err));
        REHA_TRY(reha_json_need_string(one, "version", &to->version, err));
        REHA_TRY(reha_json_need_string(one, "unit", &to->unit, err));
        REHA_TRY(reha_json_need_number(one, "sd", &to->sd, err));
        REHA_TRY(reha_json_need_string(one, "population", &to->population, err));
        REHA_TRY(reha_json_need_string(one, "source", &to->source, err));
        if (!(to->sd > 0.0)) {
            return reha_fail(err, REHA_E_FORMAT, "repeatability[%zu]: sd must be above 0", i);
        }
        out->repeat_count = i + 1;
    }
    out->acquisition_sd = number_or_nan(acquisition, "sd");
    out->acquisition_scale = number_or_nan(acquisition, "mean_scale_mm");
    out->acquisition_unit = reha_json_string(acquisition, "unit", "");
    out->acquisition_source = reha_json_string(acquisition, "source", "");
    out->method_sd = number_or_nan(method, "mm");
    out->method_sd_ratio = number_or_nan(method, "ratio");
    return REHA_OK;
}

/* As a threshold, but a score of 0 may be the acceptable one. */
static reha_status read_acceptable(const json_t *from, reha_threshold *out, reha_error *err)
{
    *out = (reha_threshold){.range_low = (double)NAN,
                            .range_high = (double)NAN,
                            .confidence = (double)NAN,
                            .setting = "any",
                            .note = reha_json_string(from, "note", "")};
    REHA_TRY(reha_json_need_number(from, "value", &out->value, err));
    REHA_TRY(reha_json_need_string(from, "population", &out->population, err));
    REHA_TRY(reha_json_need_string(from, "source", &out->source, err));
    return reha_json_need_string(from, "sure", &out->sure, err);
}

static reha_status read_instrument(const json_t *from, reha_instrument *out, reha_error *err)
{
    static const word directions[] = {{"higher", 1}, {"lower", -1}, {"neutral", 0}};
    const char *better = NULL;
    REHA_TRY(reha_json_need_string(from, "key", &out->key, err));
    REHA_TRY(reha_json_need_string(from, "title", &out->title, err));
    REHA_TRY(reha_json_need_string(from, "family", &out->family, err));
    REHA_TRY(reha_json_need_string(from, "body", &out->body, err));
    REHA_TRY(reha_json_need_string(from, "unit", &out->unit, err));
    REHA_TRY(reha_json_need_number(from, "low", &out->low, err));
    REHA_TRY(reha_json_need_number(from, "high", &out->high, err));
    REHA_TRY(reha_json_need_string(from, "better", &better, err));
    REHA_TRY(FIND_WORD(directions, better, "better", &out->better, err));
    out->note = reha_json_string(from, "note", "");
    out->rule_source = "";
    if (!(out->high > out->low)) {
        return reha_fail(err, REHA_E_FORMAT, "high must be above low");
    }
    REHA_TRY(read_rule(from, out, err));
    REHA_TRY(read_thresholds(from, "mdc", out->mdc, &out->mdc_count, err));
    REHA_TRY(read_thresholds(from, "mic", out->mic, &out->mic_count, err));
    out->acceptable = (reha_threshold){.value = (double)NAN};
    if (json_is_object(json_object_get(from, "acceptable"))) {
        REHA_TRY(read_acceptable(json_object_get(from, "acceptable"), &out->acceptable, err));
    }
    return read_image_part(from, out, err);
}

static reha_status read_all(reha_scores *scores, reha_error *err)
{
    const json_t *array = NULL;
    const char *schema = NULL;
    REHA_TRY(reha_json_need_string(scores->document, "schema", &schema, err));
    if (strcmp(schema, SCHEMA) != 0) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "schema '%.40s' instead of '%s'", schema, SCHEMA);
    }
    REHA_TRY(reha_json_need_array(scores->document, "instruments", 0, &array, err));
    scores->items = reha_alloc_zero(json_array_size(array) + 1, sizeof *scores->items);
    if (scores->items == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu instruments", json_array_size(array));
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *one = json_array_get(array, i);
        const reha_status status = read_instrument(one, &scores->items[i], err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "instrument %zu (%.40s)", i + 1, reha_json_string(one, "key", "no key"));
            return status;
        }
        if (reha_scores_find(scores, scores->items[i].key) != NULL) {
            return reha_fail(err, REHA_E_FORMAT, "the key '%.40s' appears twice", scores->items[i].key);
        }
        scores->count = i + 1;
    }
    return REHA_OK;
}

reha_status reha_scores_parse(json_t *document, reha_scores **out, reha_error *err)
{
    *out = NULL;
    reha_scores *scores = reha_alloc_zero(1, sizeof *scores);
    if (scores == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the instruments");
    }
    scores->document = json_incref(document);
    const reha_status status = read_all(scores, err);
    if (status != REHA_OK) {
        reha_scores_free(scores);
        return status;
    }
    *out = scores;
    return REHA_OK;
}

reha_status reha_scores_load(const char *path, reha_scores **out, reha_error *err)
{
    json_t *document = NULL;
    *out = NULL;
    REHA_TRY(reha_json_load(path, &document, err));
    const reha_status status = reha_scores_parse(document, out, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
    }
    json_decref(document);
    return status;
}

void reha_scores_free(reha_scores *scores)
{
    if (scores != NULL) {
        json_decref(scores->document);
        reha_free(scores->items);
        reha_free(scores);
    }
}

size_t reha_scores_count(const reha_scores *scores)
{
    return scores->count;
}

const reha_instrument *reha_scores_at(const reha_scores *scores, size_t index)
{
    return index < scores->count ? &scores->items[index] : NULL;
}

const reha_instrument *reha_scores_find(const reha_scores *scores, const char *key)
{
    for (size_t i = 0; i < scores->count; i++) {
        if (reha_str_equal_nocase(scores->items[i].key, key)) {
            return &scores->items[i];
        }
    }
    return NULL;
}

const reha_instrument *reha_scores_find_measure(const reha_scores *scores, const char *finding_key)
{
    for (size_t i = 0; i < scores->count; i++) {
        const reha_instrument *one = &scores->items[i];
        if (one->is_image && strcmp(one->finding[0] != '\0' ? one->finding : one->key, finding_key) == 0) {
            return one;
        }
    }
    return NULL;
}
