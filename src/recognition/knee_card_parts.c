#include "recognition/knee_card_priv.h"

#include "base/memory.h"
#include "recognition/knee_gate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A number that must lie in [low, high]. */
static reha_status number_in(const json_t *object, const char *key, double low, double high, double *out,
                             reha_error *err)
{
    REHA_TRY(reha_json_need_number(object, key, out, err));
    if (!(*out >= low && *out <= high)) {
        return reha_fail(err, REHA_E_FORMAT, "'%s' must lie between %g and %g, not %g", key, low, high, *out);
    }
    return REHA_OK;
}

static reha_status whole_in(const json_t *object, const char *key, int low, int high, int *out,
                            reha_error *err)
{
    double value = 0.0;
    *out = 0;
    REHA_TRY(number_in(object, key, low, high, &value, err));
    if (value != floor(value)) {
        return reha_fail(err, REHA_E_FORMAT, "'%s' must be a whole number, not %g", key, value);
    }
    *out = (int)value;
    return REHA_OK;
}

static reha_status percentiles(const json_t *object, double *low, double *high, reha_error *err)
{
    double pair[2];
    REHA_TRY(reha_json_need_numbers(object, "percentiles", 2, pair, err));
    if (!(pair[0] >= 0.0 && pair[0] < pair[1] && pair[1] <= 100.0)) {
        return reha_fail(err, REHA_E_FORMAT, "'percentiles' %g to %g are no range", pair[0], pair[1]);
    }
    *low = pair[0];
    *high = pair[1];
    return REHA_OK;
}

static reha_status parse_rule(const json_t *item, reha_quality_rule *out, reha_error *err)
{
    const char *statistic = NULL;
    const char *code = NULL;
    REHA_TRY(reha_json_need_string(item, "statistic", &statistic, err));
    REHA_TRY(reha_json_need_string(item, "code", &code, err));
    if (!reha_knee_statistic_is_known(statistic)) {
        return reha_fail(err, REHA_E_FORMAT, "statistic '%.24s' is not known", statistic);
    }
    (void)snprintf(out->statistic, sizeof out->statistic, "%s", statistic);
    (void)snprintf(out->code, sizeof out->code, "%s", code);
    out->low = reha_json_number(item, "min", (double)-INFINITY);
    out->high = reha_json_number(item, "max", (double)INFINITY);
    out->is_refusal = strcmp(reha_json_string(item, "level", "refused"), "warning") != 0;
    if (!(out->low <= out->high) || (isinf(out->low) && isinf(out->high))) {
        return reha_fail(err, REHA_E_FORMAT, "rule '%s' needs 'min' or 'max'", code);
    }
    return REHA_OK;
}

reha_status reha_card_parse_quality_(const json_t *section, reha_knee_card *out, reha_error *err)
{
    const json_t *list = NULL;
    REHA_TRY(reha_json_need_array(section, "rules", 0, &list, err));
    if (json_array_size(list) > REHA_KNEE_RULES_MAX) {
        return reha_fail(err, REHA_E_FORMAT, "more than %d rules", REHA_KNEE_RULES_MAX);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const reha_status status = parse_rule(json_array_get(list, i), &out->rules[i], err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "rules[%zu]", i);
            return status;
        }
        out->rule_count++;
    }
    return REHA_OK;
}

reha_status reha_card_parse_finder_(const json_t *section, reha_knee_card *out, reha_error *err)
{
    reha_finder_spec *spec = &out->finder;
    REHA_TRY(whole_in(section, "input_px", 32, 2048, &spec->input_px, err));
    REHA_TRY(whole_in(section, "stride_px", 1, 64, &spec->stride_px, err));
    REHA_TRY(percentiles(section, &spec->low_percentile, &spec->high_percentile, err));
    REHA_TRY(number_in(section, "width_unit_px", 1.0, 4096.0, &spec->width_unit_px, err));
    REHA_TRY(number_in(section, "score_min", 0.0, 1.0, &spec->score_min, err));
    REHA_TRY(number_in(section, "separation", 0.0, 10.0, &spec->separation, err));
    REHA_TRY(number_in(section, "turned_min", 0.0, 2.0, &spec->turned_min, err));
    return whole_in(section, "knees_max", 1, REHA_REGIONS_MAX, &spec->knees_max, err);
}

static reha_status parse_gate_classes(const json_t *section, reha_gate_spec *spec, reha_error *err)
{
    const json_t *list = NULL;
    bool seen[REHA_GATE_CLASS_COUNT] = {false};
    REHA_TRY(reha_json_need_array(section, "classes", 0, &list, err));
    if (json_array_size(list) < 2 || json_array_size(list) > REHA_GATE_CLASS_COUNT) {
        return reha_fail(err, REHA_E_FORMAT, "'classes' must have 2 to %d names", REHA_GATE_CLASS_COUNT);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        int found = REHA_GATE_CLASS_COUNT;
        for (int k = 0; name != NULL && k < REHA_GATE_CLASS_COUNT; k++) {
            found = strcmp(name, reha_gate_class_name((reha_gate_class)k)) == 0 ? k : found;
        }
        if (found == REHA_GATE_CLASS_COUNT || seen[found]) {
            return reha_fail(err, REHA_E_FORMAT, "'classes'[%zu] '%.24s' is unknown or repeated", i,
                             name != NULL ? name : "(no text)");
        }
        seen[found] = true;
        spec->classes[spec->class_count++] = (reha_gate_class)found;
    }
    if (!seen[REHA_GATE_KNEE]) {
        return reha_fail(err, REHA_E_FORMAT, "'classes' lacks '%s'", reha_gate_class_name(REHA_GATE_KNEE));
    }
    const json_t *refuse = json_object_get(section, "refuse_min");
    for (int k = 0; k < REHA_GATE_CLASS_COUNT; k++) {
        spec->refuse_min[k] = reha_json_number(refuse, reha_gate_class_name((reha_gate_class)k), 0.5);
        if (!(spec->refuse_min[k] > 0.0)) {
            return reha_fail(err, REHA_E_FORMAT, "'refuse_min' of '%s' must be above 0",
                             reha_gate_class_name((reha_gate_class)k));
        }
    }
    return REHA_OK;
}

static reha_status parse_gate_distance(const json_t *section, reha_gate_spec *spec, reha_error *err)
{
    const json_t *distance = json_object_get(section, "distance");
    if (distance == NULL) {
        return REHA_OK;
    }
    const json_t *mean = NULL;
    const json_t *precision = NULL;
    REHA_TRY(reha_json_need_array(distance, "mean", 0, &mean, err));
    const size_t n = json_array_size(mean);
    if (n < 1 || n > REHA_GATE_FEATURES_MAX) {
        return reha_fail(err, REHA_E_FORMAT, "'distance.mean' must have 1 to %d numbers",
                         REHA_GATE_FEATURES_MAX);
    }
    REHA_TRY(reha_json_need_numbers(distance, "mean", n, spec->feature_mean, err));
    REHA_TRY(reha_json_need_array(distance, "inverse_covariance", n * n, &precision, err));
    REHA_TRY(number_in(distance, "refuse_above", 0.0, 1e9, &spec->distance_max, err));
    REHA_TRY(number_in(distance, "warn_above", 0.0, 1e9, &spec->distance_warn, err));
    spec->distance_outside_max = reha_json_number(distance, "outside_max", 1.0);
    spec->feature_precision = reha_alloc_zero(n * n, sizeof(float));
    if (spec->feature_precision == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the model card");
    }
    for (size_t i = 0; i < n * n; i++) {
        const json_t *item = json_array_get(precision, i);
        if (!json_is_number(item)) {
            return reha_fail(err, REHA_E_FORMAT, "'distance.inverse_covariance[%zu]' must be a number", i);
        }
        spec->feature_precision[i] = (float)json_number_value(item);
    }
    spec->feature_count = (int)n;
    return REHA_OK;
}

reha_status reha_card_parse_gate_(const json_t *section, reha_knee_card *out, reha_error *err)
{
    reha_gate_spec *spec = &out->gate;
    REHA_TRY(whole_in(section, "input_px", 16, 1024, &spec->input_px, err));
    REHA_TRY(number_in(section, "box_scale", 0.1, 10.0, &spec->box_scale, err));
    REHA_TRY(number_in(section, "box_up", -5.0, 5.0, &spec->box_up, err));
    REHA_TRY(percentiles(section, &spec->low_percentile, &spec->high_percentile, err));
    spec->gives_probabilities = json_is_true(json_object_get(section, "gives_probabilities"));
    REHA_TRY(number_in(section, "temperature", 0.01, 100.0, &spec->temperature, err));
    REHA_TRY(number_in(section, "accept_min", 0.0, 1.0, &spec->accept_min, err));
    REHA_TRY(number_in(section, "invert_min", 0.0, 2.0, &spec->invert_min, err));
    REHA_TRY(parse_gate_classes(section, spec, err));
    return parse_gate_distance(section, spec, err);
}

static reha_status parse_pass(const json_t *item, reha_landmark_pass *out, reha_error *err)
{
    REHA_TRY(number_in(item, "plateau_width_px", 8.0, 2048.0, &out->plateau_width_px, err));
    out->shift_x_px = reha_json_number(item, "shift_x_px", 0.0);
    out->shift_y_px = reha_json_number(item, "shift_y_px", 0.0);
    out->turn_deg = reha_json_number(item, "turn_deg", 0.0);
    return REHA_OK;
}

reha_status reha_card_parse_landmarks_(const json_t *section, reha_knee_card *out, reha_error *err)
{
    reha_landmark_spec *spec = &out->landmarks;
    double centre[2];
    const json_t *passes = NULL;
    REHA_TRY(whole_in(section, "input_px", 32, 1024, &spec->input_px, err));
    REHA_TRY(whole_in(section, "stride_px", 1, 32, &spec->stride_px, err));
    REHA_TRY(percentiles(section, &spec->low_percentile, &spec->high_percentile, err));
    REHA_TRY(reha_json_need_numbers(section, "centre_px", 2, centre, err));
    spec->centre_x_px = centre[0];
    spec->centre_y_px = centre[1];
    REHA_TRY(number_in(section, "first_width_px", 8.0, 2048.0, &spec->first_width_px, err));
    spec->first_up_ratio = reha_json_number(section, "first_up_ratio", 0.0);
    REHA_TRY(number_in(section, "blur_warn_px", 0.0, 1e4, &spec->blur_warn_px, err));
    REHA_TRY(number_in(section, "blur_refuse_px", 0.0, 1e4, &spec->blur_refuse_px, err));
    REHA_TRY(number_in(section, "shift_refuse_ratio", 0.0, 10.0, &spec->shift_refuse_ratio, err));
    REHA_TRY(number_in(section, "side_margin_px", 0.0, 1e9, &spec->side_margin_px, err));
    REHA_TRY(reha_json_need_array(section, "passes", 0, &passes, err));
    if (json_array_size(passes) < 1 || json_array_size(passes) > REHA_KNEE_PASSES_MAX) {
        return reha_fail(err, REHA_E_FORMAT, "'passes' must have 1 to %d items", REHA_KNEE_PASSES_MAX);
    }
    for (size_t i = 0; i < json_array_size(passes); i++) {
        const reha_status status = parse_pass(json_array_get(passes, i), &spec->passes[i], err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "passes[%zu]", i);
            return status;
        }
        spec->pass_count++;
    }
    return REHA_OK;
}

reha_status reha_card_parse_joint_space_(const json_t *section, reha_knee_card *out, reha_error *err)
{
    reha_joint_space_spec *spec = &out->joint_space;
    double pair[2];
    REHA_TRY(reha_json_need_numbers(section, "lateral", 2, pair, err));
    spec->lateral_low = pair[0];
    spec->lateral_high = pair[1];
    REHA_TRY(reha_json_need_numbers(section, "medial", 2, pair, err));
    spec->medial_low = pair[0];
    spec->medial_high = pair[1];
    if (!(spec->lateral_low >= -0.5 && spec->lateral_low < spec->lateral_high &&
          spec->lateral_high <= spec->medial_low && spec->medial_low < spec->medial_high &&
          spec->medial_high <= 1.5)) {
        return reha_fail(err, REHA_E_FORMAT, "'lateral' and 'medial' must be ranges in this order");
    }
    REHA_TRY(whole_in(section, "samples", 3, REHA_PROFILE_MAX / 2 - 1, &spec->samples, err));
    REHA_TRY(number_in(section, "refine_range_ratio", 0.0, 0.5, &spec->refine_range_ratio, err));
    REHA_TRY(number_in(section, "refine_strength", 0.0, 1.0, &spec->refine_strength, err));
    REHA_TRY(number_in(section, "refine_pull", 0.0, 1e3, &spec->refine_pull, err));
    REHA_TRY(number_in(section, "refine_stiffness", 0.0, 1e3, &spec->refine_stiffness, err));
    return number_in(section, "refine_blur_px", 0.1, 20.0, &spec->refine_blur_px, err);
}

reha_status reha_card_parse_measurement_(const json_t *section, reha_knee_card *out, reha_error *err)
{
    reha_knee_errors *errors = &out->errors;
    REHA_TRY(number_in(section, "landmark_mean_mm", 0.0, 100.0, &errors->landmark_mean_mm, err));
    REHA_TRY(number_in(section, "jsw_sd_mm", 0.0, 100.0, &errors->jsw_sd_mm, err));
    REHA_TRY(number_in(section, "jsw_sd_ratio", 0.0, 1.0, &errors->jsw_sd_ratio, err));
    REHA_TRY(number_in(section, "plateau_width_mm", 10.0, 200.0, &errors->plateau_width_mm, err));
    REHA_TRY(reha_json_need_numbers(section, "reference_jsw_mm", REHA_GRADES, errors->reference_jsw_mm, err));
    for (int k = 0; k < REHA_GRADES; k++) {
        errors->reference_jsw_sd_mm[k] = (double)NAN;
    }
    if (json_object_get(section, "reference_jsw_sd_mm") != NULL) {
        REHA_TRY(reha_json_need_numbers(section, "reference_jsw_sd_mm", REHA_GRADES,
                                        errors->reference_jsw_sd_mm, err));
    }
    return REHA_OK;
}
