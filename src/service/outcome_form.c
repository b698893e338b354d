#include "service/outcome_form.h"

#include "rehab/outcome.h"
#include "rehab/table.h"
#include "service/outcome.h"
#include "service/outcome_progression.h"
#include "store/digest.h"

#include <string.h>

static const char PROGRESSION[] = "knee-oa-progression";

const char *const *reha_outcome_names(void)
{
    static const char *const names[] = {"knee-replacement", "hip-replacement", PROGRESSION, NULL};
    return names;
}

static reha_status check_name(const char *outcome, reha_error *err)
{
    for (const char *const *name = reha_outcome_names(); *name != NULL; name++) {
        if (strcmp(*name, outcome) == 0) {
            return REHA_OK;
        }
    }
    return reha_fail(err, REHA_E_NOT_FOUND,
                     "no outcome '%.40s': knee-replacement, hip-replacement or knee-oa-progression", outcome);
}

/* The title of the sum that a feature is an item of; "" for none. */
static const char *sum_of(const reha_outcome_model *model, size_t index)
{
    for (size_t j = 0; j < model->feature_count; j++) {
        const reha_feature *sum = &model->features[j];
        if (sum->kind == REHA_FEATURE_SUM && index >= sum->sum_first &&
            index < sum->sum_first + sum->sum_count) {
            return sum->title;
        }
    }
    return "";
}

static json_t *input_json(const reha_outcome_model *model, size_t index)
{
    const reha_feature *feature = &model->features[index];
    const char *sum = sum_of(model, index);
    json_t *one = json_pack("{s:s, s:s, s:s, s:b, s:s?}", "key", feature->key, "title", feature->title,
                            "kind", feature->kind == REHA_FEATURE_CATEGORY ? "category" : "number",
                            "may_be_unknown", feature->unknown_rows >= REHA_FEATURE_ROWS_MIN ? 1 : 0,
                            "item_of", sum[0] != '\0' ? sum : NULL);
    if (feature->kind == REHA_FEATURE_NUMBER) {
        (void)json_object_set_new(one, "low", reha_json_real(feature->low));
        (void)json_object_set_new(one, "high", reha_json_real(feature->high));
        return one;
    }
    json_t *levels = json_array();
    for (size_t k = 0; k < feature->level_count; k++) {
        (void)json_array_append_new(levels,
                                    json_pack("{s:s, s:b}", "level", feature->levels[k], "is_known",
                                              feature->level_rows[k] >= REHA_FEATURE_ROWS_MIN ? 1 : 0));
    }
    (void)json_object_set_new(one, "levels", levels);
    return one;
}

static reha_status table_form(const char *models_folder, const char *outcome, json_t **inputs, json_t **card,
                              char *hash, reha_error *err)
{
    reha_outcome_model *model = NULL;
    REHA_TRY(reha_outcome_open(models_folder, NULL, outcome, &model, card, hash, err));
    *inputs = json_array();
    for (size_t j = 0; j < model->feature_count; j++) {
        if (model->features[j].kind != REHA_FEATURE_SUM) {
            (void)json_array_append_new(*inputs, input_json(model, j));
        }
    }
    reha_outcome_close(model);
    return REHA_OK;
}

reha_status reha_outcome_form(const char *models_folder, const char *outcome, json_t **out, reha_error *err)
{
    json_t *card = NULL;
    json_t *inputs = NULL;
    char hash[REHA_DIGEST_TEXT_BYTES] = "";
    *out = NULL;
    REHA_TRY(check_name(outcome, err));
    REHA_TRY(strcmp(outcome, PROGRESSION) == 0
                 ? reha_progression_form(models_folder, &inputs, &card, hash, err)
                 : table_form(models_folder, outcome, &inputs, &card, hash, err));
    *out = json_pack("{s:s, s:s, s:s, s:s, s:O?, s:O?, s:{s:s, s:s, s:s}, s:O}", "outcome", outcome, "title",
                     reha_json_string(card, "title", outcome), "target",
                     reha_json_string(card, "target", reha_json_string(card, "title", "")), "status",
                     reha_json_string(card, "status", "research only"), "intended_use",
                     json_object_get(card, "intended_use"), "not_for", json_object_get(card, "not_for"),
                     "model", "name", reha_json_string(card, "name", ""), "version",
                     reha_json_string(card, "version", ""), "hash", hash, "inputs", inputs);
    json_decref(card);
    json_decref(inputs);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a form");
}

reha_status reha_outcome_run_named(const char *models_folder, const char *outcome, const json_t *input,
                                   json_t **out, reha_error *err)
{
    reha_outcome_model *model = NULL;
    json_t *card = NULL;
    char hash[REHA_DIGEST_TEXT_BYTES];
    *out = NULL;
    REHA_TRY(check_name(outcome, err));
    if (strcmp(outcome, PROGRESSION) == 0) {
        return reha_progression_run(models_folder, NULL, input, out, err);
    }
    REHA_TRY(reha_outcome_open(models_folder, NULL, outcome, &model, &card, hash, err));
    const reha_status status = reha_outcome_run(model, card, hash, input, out, err);
    reha_outcome_close(model);
    json_decref(card);
    return status;
}
