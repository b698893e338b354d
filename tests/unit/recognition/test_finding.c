#include "support.h"

#include "base/memory.h"
#include "recognition/finding_text.h"

#include <math.h>
#include <string.h>

static reha_analysis *full_analysis(void)
{
    reha_error err = REHA_ERROR_INIT;
    reha_analysis *a = NULL;
    assert_ok(reha_analysis_new("knee-oa", &a, &err), &err);
    (void)snprintf(a->model_name, sizeof a->model_name, "knee-oa");
    (void)snprintf(a->model_version, sizeof a->model_version, "1");
    a->width_px = 640;
    a->height_px = 480;
    a->spacing = (reha_spacing){0.15, 0.15, REHA_SPACING_AT_DETECTOR};
    (void)snprintf(a->acquisition.modality, sizeof a->acquisition.modality, "DX");
    (void)snprintf(a->acquisition.device_model, sizeof a->acquisition.device_model,
                   "R\xf6ntgen \"1\"\\"); /* Latin-1 */
    a->acquisition.side = REHA_SIDE_LEFT;
    (void)snprintf(a->acquisition.acquired_on, sizeof a->acquisition.acquired_on, "2026-01-31");
    a->is_accepted = true;
    a->analysis_ms = 12.5;
    reha_analysis_note(a, REHA_NOTE_WARNING, "at-detector", "lengths read %d %% too long", 15);
    a->region_count = 1;
    reha_region *r = &a->regions[0];
    r->is_accepted = true;
    r->side = REHA_SIDE_LEFT;
    (void)snprintf(r->side_source, sizeof r->side_source, "DICOM");
    r->box = (reha_box_px){10.5, 20.0, 300.0, 300.0};
    r->certainty = 0.97;
    reha_region_note(r, REHA_NOTE_REPAIRED, "inverted", "turned over");
    reha_finding *f = reha_region_add(r, "kl-grade", "Kellgren-Lawrence grade");
    f->class_count = 5;
    const double p[5] = {0.05, 0.10, 0.60, 0.20, 0.05};
    memcpy(f->class_probabilities, p, sizeof p);
    f->grade = 2;
    f->probability = 0.6;
    f->expected_grade = 2.1;
    f->set_low = 1;
    f->set_high = 3;
    f->set_coverage = 0.9;
    reha_finding *w = reha_region_add(r, "jsw-medial-min", "Minimum joint space width, medial");
    w->measure = (reha_measure){.value = 3.2, .unit = "mm", .error = 0.7};
    (void)snprintf(w->measure.source, sizeof w->measure.source, "calibrated");
    w->has_region = true;
    w->region = (reha_box_px){1, 2, 3, 4};
    r->point_count = 2;
    r->points[1] = (reha_point_px){33.25, 44.5};
    r->profile_count = 3;
    r->profile_unit = "mm";
    r->profile_x_ratio[1] = 0.5;
    r->profile_width[0] = 4.0;
    r->profile_width[1] = (double)NAN;
    assert_ok(reha_gray_new(8, 4, &r->explanation, &err), &err);
    r->explanation_box = (reha_box_px){10, 20, 300, 150};
    r->explanation_angle_deg = -3.5;
    return a;
}

/* What a clinician reads: unit, error and where both come from, never a unit in braces or a probability of
 * nought. */
static void numbers_are_written_as_people_write_them(void **state)
{
    static const struct {
        double value, error;
        const char *unit, *text;
    } cases[] = {{3.234, 0.96, "mm", "3.2 \xc2\xb1 1.0 mm"},
                 {9.56, 21.21, "deg", "9.6 \xc2\xb1 21.2\xc2\xb0"},
                 {0.0732, 0.0131, "1", "0.073 \xc2\xb1 0.013 of plateau width"},
                 {86.5, (double)NAN, "{grey}", "86 grey levels"},
                 {171.5, 4.27, "px", "172 \xc2\xb1 4 px"},
                 {2.5, (double)NAN, "cm2", "2.50 cm2"},
                 {(double)NAN, 1.0, "mm", "not measured"}};
    char text[REHA_SOURCES_BYTES];
    char percent[REHA_PERCENT_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reha_measure_text(cases[i].value, cases[i].error, cases[i].unit, text, sizeof text);
        assert_string_equal(text, cases[i].text);
    }
    static const struct {
        double p;
        const char *text;
    } shares[] = {{0.0, "< 1 %"}, {0.004, "< 1 %"}, {0.006, "1 %"}, {0.764, "76 %"}, {0.999, "> 99 %"}};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        reha_percent_text(shares[i].p, percent);
        assert_string_equal(percent, shares[i].text);
    }
    reha_measure width = {.value = 3.2, .unit = "mm", .error = 0.7, .source = "calibrated"};
    (void)snprintf(width.error_source, sizeof width.error_source, "95 %%: cross-validated error");
    reha_measure_sources(&width, text, sizeof text);
    assert_string_equal(text, "Scale: calibrated. Error (95 %): cross-validated error");
    reha_measure angle = {.value = 3.2, .unit = "deg", .error = (double)NAN, .source = "image"};
    reha_measure_sources(&angle, text, sizeof text);
    assert_string_equal(text, "From: image. No error known");
    angle.value = (double)NAN;
    reha_measure_sources(&angle, text, sizeof text);
    assert_string_equal(text, "");
}

/* A ruler in the picture gives millimetres where the file gives none: the scale is then the ruler. */
static void the_scale_is_that_of_the_millimetres(void **state)
{
    reha_analysis *a = full_analysis();
    (void)state;
    a->spacing = reha_spacing_unknown();
    assert_string_equal(reha_analysis_scale_text(a), "calibrated");
    a->regions[0].findings[1].measure.unit = "px";
    assert_string_equal(reha_analysis_scale_text(a), "unknown");
    reha_analysis_free(a);
}

static const json_t *at(const json_t *json, const char *path)
{
    char copy[96];
    (void)snprintf(copy, sizeof copy, "%s", path);
    for (char *part = strtok(copy, "/"); part != NULL; part = strtok(NULL, "/")) {
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(part)) : json_object_get(json, part);
    }
    return json;
}

static void the_json_holds_what_the_analysis_holds(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_analysis *a = full_analysis();
    json_t *json = NULL;
    char *text = NULL;
    json_t *back = NULL;
    assert_ok(reha_analysis_to_json(a, &json, &err), &err);
    assert_ok(reha_json_format(json, &text, &err), &err);
    assert_ok(reha_json_parse(text, strlen(text), &back, &err), &err); /* through text, as a reader gets it */
    assert_int_equal(json_integer_value(at(back, "schema")), 1);
    assert_string_equal(json_string_value(at(back, "task")), "knee-oa");
    assert_true(json_is_null(at(back, "model/hash"))); /* not known yet: null, not "" */
    assert_int_equal(json_integer_value(at(back, "image/width_px")), 640);
    assert_true(fabs(json_number_value(at(back, "image/spacing/x_mm")) - 0.15) < 1e-9);
    assert_string_equal(json_string_value(at(back, "image/spacing/source")),
                        "at detector, magnification unknown");
    assert_string_equal(json_string_value(at(back, "image/device_model")), "R?ntgen \"1\"\\");
    assert_string_equal(json_string_value(at(back, "image/acquired_on")), "2026-01-31");
    assert_true(json_is_null(at(back, "image/patient_position"))); /* not known */
    assert_string_equal(json_string_value(at(back, "notes/0/level")), "warning");
    assert_string_equal(json_string_value(at(back, "notes/0/text")), "lengths read 15 % too long");
    assert_string_equal(json_string_value(at(back, "regions/0/side")), "left");
    assert_string_equal(json_string_value(at(back, "regions/0/notes/0/code")), "inverted");
    assert_int_equal(json_integer_value(at(back, "regions/0/findings/0/grading/grade")), 2);
    assert_int_equal(json_array_size(at(back, "regions/0/findings/0/grading/probabilities")), 5);
    assert_int_equal(json_integer_value(at(back, "regions/0/findings/0/grading/prediction_set/high")), 3);
    assert_true(json_is_null(at(back, "regions/0/findings/0/measure")));
    assert_true(json_is_null(at(back, "regions/0/findings/1/grading")));
    assert_true(json_is_null(at(back, "regions/0/findings/1/probability")));
    assert_string_equal(json_string_value(at(back, "regions/0/findings/1/measure/unit")), "mm");
    assert_true(json_is_null(at(back, "regions/0/findings/1/measure/error_source")));
    assert_true(fabs(json_number_value(at(back, "regions/0/landmarks_px/1/1")) - 44.5) < 1e-9);
    assert_true(json_is_null(at(back, "regions/0/joint_space_profile/width/1"))); /* the notch */
    assert_true(fabs(json_number_value(at(back, "regions/0/explanation/angle_deg")) + 3.5) < 1e-9);
    json_decref(back);
    json_decref(json);
    reha_free(text);
    reha_analysis_free(a);
}

static void no_millimetres_without_a_known_spacing(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_analysis *a = full_analysis();
    json_t *json = NULL;
    a->spacing = (reha_spacing){0.15, (double)NAN, REHA_SPACING_CALIBRATED};
    assert_ok(reha_analysis_to_json(a, &json, &err), &err);
    assert_true(json_is_null(at(json, "image/spacing/x_mm")));
    assert_string_equal(json_string_value(at(json, "image/spacing/source")), "unknown");
    json_decref(json);
    reha_analysis_free(a);
}

static void an_empty_analysis_is_valid_json(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_analysis *a = NULL;
    json_t *json = NULL;
    assert_ok(reha_analysis_new("knee-oa", &a, &err), &err);
    assert_ok(reha_analysis_to_json(a, &json, &err), &err);
    assert_int_equal(json_array_size(at(json, "regions")), 0);
    assert_true(json_is_false(at(json, "accepted")));
    assert_true(json_is_null(at(json, "analysis_ms")));
    json_decref(json);
    reha_analysis_free(a);
    reha_analysis_free(NULL);
}

static void full_lists_keep_the_first_items(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_analysis *a = NULL;
    assert_ok(reha_analysis_new("knee-oa", &a, &err), &err);
    for (int i = 0; i < REHA_NOTES_MAX + 5; i++) {
        reha_analysis_note(a, REHA_NOTE_INFO, "n", "note %d", i);
    }
    assert_int_equal(a->note_count, REHA_NOTES_MAX);
    assert_string_equal(a->notes[REHA_NOTES_MAX - 1].text, "note 11");
    reha_region *r = &a->regions[0];
    for (int i = 0; i < REHA_FINDINGS_MAX; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "f%d", i);
        assert_non_null(reha_region_add(r, key, "x"));
    }
    assert_null(reha_region_add(r, "one-more", "x"));
    assert_non_null(reha_region_find(r, "f23"));
    assert_null(reha_region_find(r, "one-more"));
    reha_analysis_free(a);
}

static void a_new_finding_is_harmless(void **state)
{
    (void)state;
    static reha_region region;
    memset(&region, 0xAB, sizeof region);
    region.finding_count = 0;
    const reha_finding *f = reha_region_add(&region, "k", "label");
    assert_string_equal(f->key, "k");
    assert_true(isnan(f->measure.value) && isnan(f->measure.error) && isnan(f->probability) &&
                isnan(f->expected_grade));
    assert_int_equal(f->grade, -1);
    assert_int_equal(f->set_low, -1);
    assert_int_equal(f->class_count, 0);
    assert_string_equal(f->measure.unit, "");
    assert_string_equal(f->code.code, "");
    assert_string_equal(f->evidence, "");
}

static void long_notes_end_with_a_whole_character(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_analysis *a = NULL;
    json_t *json = NULL;
    char text[400];
    for (int shift = 0; shift < 4; shift++) {
        assert_ok(reha_analysis_new("knee-oa", &a, &err), &err);
        memset(text, 'a', (size_t)shift);
        for (int i = shift; i + 2 < 400; i += 2) {
            text[i] = '\xc3';
            text[i + 1] = '\xa4';
            text[i + 2] = '\0';
        }
        reha_analysis_note(a, REHA_NOTE_INFO, "long", "%s", text);
        assert_ok(reha_analysis_to_json(a, &json, &err), &err);
        const char *got = json_string_value(at(json, "notes/0/text"));
        assert_null(strchr(got, '?'));
        assert_true(strlen(got) > 230);
        json_decref(json);
        reha_analysis_free(a);
    }
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    reha_analysis *a = NULL;
    const size_t before = reha_mem_live_blocks();
    reha_mem_fail_after(0);
    assert_int_equal(reha_analysis_new("knee-oa", &a, NULL), REHA_E_NOMEM);
    reha_mem_fail_after(-1);
    assert_null(a);
    assert_int_equal(reha_mem_live_blocks(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_json_holds_what_the_analysis_holds),
        cmocka_unit_test(no_millimetres_without_a_known_spacing),
        cmocka_unit_test(an_empty_analysis_is_valid_json),
        cmocka_unit_test(full_lists_keep_the_first_items),
        cmocka_unit_test(a_new_finding_is_harmless),
        cmocka_unit_test(long_notes_end_with_a_whole_character),
        cmocka_unit_test(numbers_are_written_as_people_write_them),
        cmocka_unit_test(the_scale_is_that_of_the_millimetres),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
