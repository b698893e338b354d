/* The progression model from and to JSON. */
#include "rehab/outcome_pairs.h"

#include <math.h>
#include <string.h>

static const char FORMAT[] = "rehascope-progression-model";
enum { FORMAT_VERSION = 1 };

static json_t *numbers(const double *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(array, reha_json_real(values[i]));
    }
    return array;
}

static json_t *fit_to_json(const reha_pairs_fit *fit)
{
    json_t *draws = json_array();
    for (size_t d = 0; d < REHA_PAIR_DRAWS; d++) {
        (void)json_array_append_new(draws, numbers(fit->draws[d], REHA_PAIR_FEATURES + 1));
    }
    return json_pack("{s:i, s:o, s:f, s:o}", "mask", (int)fit->mask, "b", numbers(fit->b, REHA_PAIR_FEATURES),
                     "log_mean", fit->log_mean, "draws", draws);
}

reha_status reha_pairs_to_json(const reha_pairs_model *model, json_t **out, reha_error *err)
{
    json_t *features = json_array();
    for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
        (void)json_array_append_new(features, json_string(reha_pair_key(f)));
    }
    *out = json_pack("{s:s, s:i, s:s, s:o, s:I, s:o, s:o, s:o, s:b, s:b, s:o, s:o}", "format", FORMAT,
                     "format_version", FORMAT_VERSION, "task", "knee-oa-progression", "features", features,
                     "pairs", (json_int_t)model->pairs, "low", numbers(model->low, REHA_PAIR_FEATURES),
                     "high", numbers(model->high, REHA_PAIR_FEATURES), "control_mean",
                     numbers(model->control_mean, REHA_PAIR_FEATURES), "ranks_better",
                     model->ranks_better ? 1 : 0, "odds_better", model->odds_better ? 1 : 0, "grade",
                     fit_to_json(&model->grade), "full", fit_to_json(&model->full));
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
}

static reha_status read_fit(const json_t *object, const char *key, reha_pairs_fit *out, reha_error *err)
{
    const json_t *fit = json_object_get(object, key);
    const json_t *draws = NULL;
    double mask = 0.0;
    REHA_TRY(reha_json_need_number(fit, "mask", &mask, err));
    out->mask = mask >= 0.0 && mask < 8.0 ? (unsigned)mask : 0;
    REHA_TRY(reha_json_need_numbers(fit, "b", REHA_PAIR_FEATURES, out->b, err));
    REHA_TRY(reha_json_need_number(fit, "log_mean", &out->log_mean, err));
    REHA_TRY(reha_json_need_array(fit, "draws", REHA_PAIR_DRAWS, &draws, err));
    for (size_t d = 0; d < REHA_PAIR_DRAWS; d++) {
        const json_t *one = json_array_get(draws, d);
        for (size_t k = 0; k <= REHA_PAIR_FEATURES; k++) {
            const json_t *value = json_array_get(one, k);
            if (!json_is_number(value)) {
                return reha_fail(err, REHA_E_FORMAT, "'%s': draw %zu is not complete", key, d);
            }
            out->draws[d][k] = json_number_value(value);
        }
    }
    return REHA_OK;
}

reha_status reha_pairs_from_json(const json_t *object, reha_pairs_model *out, reha_error *err)
{
    double pairs = 0.0;
    memset(out, 0, sizeof *out);
    if (strcmp(reha_json_string(object, "format", ""), FORMAT) != 0 ||
        reha_json_number(object, "format_version", 0.0) != FORMAT_VERSION) {
        return reha_fail(err, REHA_E_FORMAT, "not a %s of version %d", FORMAT, FORMAT_VERSION);
    }
    REHA_TRY(reha_json_need_number(object, "pairs", &pairs, err));
    out->pairs = pairs >= 0.0 && pairs < 1e9 ? (size_t)pairs : 0;
    out->ranks_better = json_is_true(json_object_get(object, "ranks_better"));
    out->odds_better = json_is_true(json_object_get(object, "odds_better"));
    REHA_TRY(reha_json_need_numbers(object, "low", REHA_PAIR_FEATURES, out->low, err));
    REHA_TRY(reha_json_need_numbers(object, "high", REHA_PAIR_FEATURES, out->high, err));
    REHA_TRY(reha_json_need_numbers(object, "control_mean", REHA_PAIR_FEATURES, out->control_mean, err));
    REHA_TRY(read_fit(object, "grade", &out->grade, err));
    return read_fit(object, "full", &out->full, err);
}
