#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "recognition/knee_card.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

/* A whole card with invented numbers. */
static const char CARD[] =
    "{\"format\": \"rehascope-model-card\", \"format_version\": 1, \"name\": \"knee-oa\", \"version\": \"7\","
    " \"intended_use\": \"decision support\", \"mirror_average\": true,"
    " \"views\": [{\"place\": \"framed\", \"scale\": 1}, {\"place\": \"plateau\", \"scale\": 0.95}], \"networks\": ["
    "  {\"role\": \"kl\", \"file\": \"a.onnx\", \"precision\": \"bf16\", \"weight\": 2, \"explain_node\": "
    "\"map\"},"
    "  {\"role\": \"kl\", \"file\": \"b.onnx\"},"
    "  {\"role\": \"finder\", \"file\": \"f.onnx\", \"input_offset\": 0.5, \"input_gain\": 4},"
    "  {\"role\": \"gate\", \"file\": \"g.onnx\"}, {\"role\": \"landmarks\", \"file\": \"l.onnx\"}],"
    " \"crop\": {\"size_px\": 224, \"joint_px\": [111.5, 138], \"plateau_width_px\": 171.5, \"ready_scale\": "
    "[0.8, 1.2],"
    "  \"ready_shift_px\": 30, \"window_px\": [0, 68.5, 224, 128], \"percentiles\": [1, 99], \"span_min\": 8,"
    "  \"local_contrast\": {\"box_px\": 41, \"rounds\": 2, \"floor\": 0.02, \"centre\": 0.45, \"gain\": 0.16,"
    "  \"share\": 0.65}, \"quantise\": true},"
    " \"calibration\": {\"grades\": 5, \"temperature\": 1.2, \"bias\": [0,0,0,0,0], \"coverage\": 0.9,"
    "  \"grade_floor\": 0.85, \"thresholds\": [0.1,0.1,0.1,0.1,0.1], \"fitted_on\": 800},"
    " \"quality\": {\"rules\": [{\"statistic\": \"contrast\", \"min\": 30, \"code\": \"low-contrast\"},"
    "  {\"statistic\": \"image_chroma\", \"max\": 0.05, \"code\": \"colour-picture\", \"level\": "
    "\"warning\"}]},"
    " \"finder\": {\"input_px\": 256, \"stride_px\": 8, \"percentiles\": [1, 99], \"width_unit_px\": 64,"
    "  \"score_min\": 0.35, \"separation\": 0.6, \"turned_min\": 2, \"knees_max\": 2},"
    " \"gate\": {\"input_px\": 128, \"box_scale\": 1.3, \"box_up\": 0.12, \"percentiles\": [1, 99], "
    "\"temperature\": 1,"
    "  \"gives_probabilities\": true, \"classes\": [\"knee_ok\", \"knee_inverted\", \"metal\"],"
    "  \"refuse_min\": {\"metal\": 0.4}, \"accept_min\": 0.5, \"invert_min\": 0.2,"
    "  \"distance\": {\"mean\": [1, 2], \"inverse_covariance\": [1, 0, 0, 4], \"refuse_above\": 5, "
    "\"warn_above\": 4}},"
    " \"landmarks\": {\"input_px\": 224, \"stride_px\": 4, \"percentiles\": [1, 99], \"centre_px\": [111.5, "
    "111.5],"
    "  \"first_width_px\": 160, \"first_up_ratio\": 0.07, \"blur_warn_px\": 11, \"blur_refuse_px\": 16,"
    "  \"shift_refuse_ratio\": 0.03, \"side_margin_px\": 0.35,"
    "  \"passes\": [{\"plateau_width_px\": 176}, {\"plateau_width_px\": 164, \"turn_deg\": 3}]},"
    " \"joint_space\": {\"lateral\": [0.06, 0.26], \"medial\": [0.74, 0.94], \"samples\": 21,"
    "  \"refine_range_ratio\": 0.01, \"refine_strength\": 1, \"refine_pull\": 1, \"refine_stiffness\": 0.05,"
    "  \"refine_blur_px\": 1},"
    " \"measurement\": {\"landmark_mean_mm\": 1, \"jsw_sd_mm\": 0.5, \"jsw_sd_ratio\": 0.006,"
    "  \"plateau_width_mm\": 79, \"reference_jsw_mm\": [4.7, 4.7, 4.3, 2.9, 1.1]}}";

static json_t *card_json(void)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *json = NULL;
    assert_ok(reha_json_parse(CARD, strlen(CARD), &json, &err), &err);
    return json;
}

static void a_whole_card_is_read(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_knee_card card;
    json_t *json = card_json();
    assert_ok(reha_knee_card_parse(json, &card, &err), &err);
    assert_string_equal(card.version, "7");
    assert_int_equal(card.network_count, 5);
    assert_int_equal(card.networks[0].precision, REHA_BF16);
    assert_string_equal(card.networks[0].explain_node, "map");
    assert_true(card.networks[0].weight == 2.0 && card.networks[1].weight == 1.0);
    assert_true(card.networks[2].input_gain == 4.0 && card.networks[1].input_gain == 1.0);
    assert_true(card.finder.is_present && card.gate.is_present && card.landmarks.is_present &&
                card.mirror_average);
    assert_int_equal(card.view_count, 2);
    assert_true(!card.views[0].by_plateau && card.views[1].by_plateau && card.views[1].scale == 0.95);
    assert_int_equal(reha_knee_card_pictures(&card), 4);
    assert_int_equal(card.gate.class_count, 3);
    assert_int_equal(card.gate.classes[2], REHA_GATE_METAL);
    assert_true(card.gate.refuse_min[REHA_GATE_METAL] == 0.4);
    assert_int_equal(card.gate.feature_count, 2);
    assert_true(card.gate.feature_precision[3] == 4.0f);
    assert_int_equal(card.rule_count, 2);
    assert_true(card.rules[0].is_refusal && !card.rules[1].is_refusal);
    assert_true(isinf(card.rules[0].high) && card.rules[1].high == 0.05);
    assert_int_equal(card.landmarks.pass_count, 2);
    assert_true(card.landmarks.passes[1].turn_deg == 3.0);
    assert_true(card.errors.reference_jsw_mm[4] == 1.1 && isnan(card.errors.reference_jsw_sd_mm[0]));
    reha_knee_card_clear(&card);
    reha_knee_card_clear(&card); /* twice is fine */
    json_decref(json);
}

/* Sets `value` (JSON, or NULL: delete) at a path such as "gate/classes" or "networks/0/file". */
static void change(json_t *json, const char *path, const char *value)
{
    char copy[96];
    (void)snprintf(copy, sizeof copy, "%s", path);
    json_t *at = json;
    char *part = strtok(copy, "/");
    for (char *next = strtok(NULL, "/"); next != NULL; next = strtok(NULL, "/")) {
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(part)) : json_object_get(at, part);
        part = next;
    }
    json_t *item = value == NULL ? NULL : json_loads(value, JSON_DECODE_ANY, NULL);
    assert_true(value == NULL || item != NULL);
    if (json_is_array(at)) {
        assert_int_equal(json_array_set_new(at, (size_t)atoi(part), item), 0);
    } else if (item == NULL) {
        assert_int_equal(json_object_del(at, part), 0);
    } else {
        assert_int_equal(json_object_set_new(at, part, item), 0);
    }
}

static void every_fault_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *path, *value, *says;
    } faults[] = {
        {"format", "\"other\"", "format"},
        {"format", NULL, "format"},
        {"format_version", "2", "version 2"},
        {"version", NULL, "version"},
        {"version", "3", "version"},
        {"networks", NULL, "networks"},
        {"networks", "[]", "none of role 'kl'"},
        {"networks/0/role", "\"oracle\"", "networks[0]"},
        {"networks/0/file", "\"../../etc/passwd\"", "plain file name"},
        {"networks/0/file", "\"/etc/passwd\"", "plain file name"},
        {"networks/0/file", "\"\"", "plain file name"},
        {"networks/0/file", "7", "file"},
        {"networks/1/precision", "\"fp4\"", "fp4"},
        {"networks/1/weight", "0", "weight"},
        {"networks/0/precision", "\"int8\"", "ranges"},
        {"networks/0/ranges", "\"r.json\"", "ranges"},
        {"networks/0/ranges", "\"../r.json\"", "plain file name"},
        {"networks/2/input_gain", "0", "input_gain"},
        {"networks/3/role", "\"finder\"", "2 of role 'finder'"},
        {"views", "[]", "views"},
        {"views", "{}", "views"},
        {"views/1/place", "\"side\"", "views[1]: 'place'"},
        {"views/0/scale", "0.4", "views[0]: 'scale'"},
        {"views/0/scale", NULL, "scale"},
        {"crop", NULL, "crop"},
        {"crop/window_px", "[0, 100, 224, 128]", "window"},
        {"calibration", NULL, "calibration"},
        {"calibration/grades", "4", "calibration"},
        {"calibration/temperature", "0", "temperature"},
        {"quality/rules", "7", "quality"},
        {"quality/rules/0/statistic", "\"beauty\"", "beauty"},
        {"quality/rules/0/min", NULL, "needs 'min' or 'max'"},
        {"quality/rules/0/code", NULL, "code"},
        {"finder", NULL, "finder"},
        {"finder/stride_px", "0", "stride_px"},
        {"finder/input_px", "256.5", "whole number"},
        {"finder/knees_max", "9", "knees_max"},
        {"finder/percentiles", "[99, 1]", "percentiles"},
        {"gate", "[]", "gate"},
        {"gate/classes", "[\"knee_ok\", \"cat\"]", "cat"},
        {"gate/classes", "[\"knee_ok\", \"knee_ok\"]", "repeated"},
        {"gate/classes", "[\"metal\", \"ct_mr\"]", "lacks 'knee_ok'"},
        {"gate/classes", "[\"knee_ok\"]", "classes"},
        {"gate/refuse_min", "{\"metal\": 0}", "refuse_min"},
        {"gate/accept_min", "1.5", "accept_min"},
        {"gate/distance/inverse_covariance", "[1, 2, 3]", "inverse_covariance"},
        {"gate/distance/inverse_covariance", "[1, 2, 3, \"x\"]", "inverse_covariance[3]"},
        {"gate/distance/mean", "[]", "mean"},
        {"gate/distance/refuse_above", NULL, "refuse_above"},
        {"landmarks", NULL, "landmarks"},
        {"landmarks/passes", "[]", "passes"},
        {"landmarks/passes/1/plateau_width_px", "1", "passes[1]"},
        {"landmarks/centre_px", "[1]", "centre_px"},
        {"joint_space", NULL, "joint_space"},
        {"joint_space/lateral", "[0.3, 0.2]", "lateral"},
        {"joint_space/medial", "[0.1, 0.2]", "medial"},
        {"joint_space/samples", "2", "samples"},
        {"joint_space/refine_blur_px", "0", "refine_blur_px"},
        {"measurement", NULL, "measurement"},
        {"measurement/jsw_sd_mm", "-1", "jsw_sd_mm"},
        {"measurement/reference_jsw_mm", "[1, 2]", "reference_jsw_mm"},
        {"measurement/reference_jsw_sd_mm", "[1, 2]", "reference_jsw_sd_mm"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_knee_card card;
        json_t *json = card_json();
        change(json, faults[i].path, faults[i].value);
        const reha_status status = reha_knee_card_parse(json, &card, &err);
        if ((status != REHA_E_FORMAT && status != REHA_E_UNSUPPORTED) ||
            strstr(err.text, faults[i].says) == NULL) {
            fail_msg("%s = %s: %s: %s", faults[i].path, faults[i].value, reha_status_name(status), err.text);
        }
        json_decref(json);
    }
    reha_error err = REHA_ERROR_INIT;
    reha_knee_card card;
    json_t *array = json_array();
    assert_int_equal(reha_knee_card_parse(array, &card, &err), REHA_E_FORMAT);
    json_decref(array);
}

static void a_new_card_is_saved_and_read_back(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char folder[] = "/tmp/reha-card-XXXXXX";
    assert_non_null(mkdtemp(folder));
    reha_knee_card card;
    reha_knee_card back;
    assert_ok(reha_knee_card_init(&card, "3", &err), &err);
    (void)snprintf(card.networks[0].explain_node, sizeof card.networks[0].explain_node, "last_map");
    card.networks[0].precision = REHA_INT8;
    (void)snprintf(card.networks[0].ranges, sizeof card.networks[0].ranges, "r.json");
    card.crop.joint_y_px = 131.0;
    card.calibration.temperature = 1.75;
    assert_int_equal(card.view_count, 1);
    card.view_count = 2;
    card.views[1] = (reha_knee_view){.by_plateau = true, .scale = 0.9};
    assert_ok(reha_knee_card_set_take(&card, "command", json_string("train it"), &err), &err);
    assert_int_equal(reha_knee_card_set_take(&card, "broken", NULL, &err), REHA_E_NOMEM);
    assert_ok(reha_knee_card_save(&card, folder, &err), &err);
    assert_ok(reha_knee_card_load(folder, &back, &err), &err);
    assert_string_equal(back.version, "3");
    assert_string_equal(json_string_value(json_object_get(back.json, "command")), "train it");
    assert_true(back.crop.joint_y_px == 131.0 && back.calibration.temperature == 1.75 && back.mirror_average);
    assert_true(back.view_count == 2 && back.views[1].by_plateau && back.views[1].scale == 0.9);
    assert_true(!back.views[0].by_plateau && back.views[0].scale == 1.0);
    assert_string_equal(back.networks[0].explain_node, "last_map");
    assert_int_equal(back.networks[0].precision, REHA_INT8);
    assert_string_equal(back.networks[0].ranges, "r.json");
    assert_false(back.finder.is_present);
    reha_knee_card_clear(&back);
    reha_knee_card_clear(&card);
    char path[64];
    (void)snprintf(path, sizeof path, "%s/card.json", folder);
    assert_ok(reha_file_save(path, "{\"format\":", 10, &err), &err);
    assert_int_equal(reha_knee_card_load(folder, &back, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, folder)); /* names the file */
    (void)unlink(path);
    assert_int_equal(reha_knee_card_load(folder, &back, &err), REHA_E_NOT_FOUND);
    (void)rmdir(folder);
}

static void failing_allocations_leak_nothing(void **state)
{
    (void)state;
    json_t *json = card_json();
    reha_status status = REHA_E_NOMEM;
    for (long round = 0; status != REHA_OK; round++) {
        reha_knee_card card;
        const size_t before = reha_mem_live_blocks();
        reha_mem_fail_after(round);
        status = reha_knee_card_parse(json, &card, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_knee_card_clear(&card);
        assert_int_equal(reha_mem_live_blocks(), before);
        assert_true(round < 40);
    }
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_card_is_read),
        cmocka_unit_test(every_fault_is_named),
        cmocka_unit_test(a_new_card_is_saved_and_read_back),
        cmocka_unit_test(failing_allocations_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
