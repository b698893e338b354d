/* Areas of generated transverse pictures: a dark background, a bright oval of known axes. */
#include "recognition/muscle_area.h"

#include "base/file.h"
#include "base/memory.h"
#include "image/gray.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/reha_outline_XXXXXX";

static reha_status load(const char *text, reha_outline *out, reha_error *err)
{
    assert_int_equal(reha_file_save(path, text, strlen(text), NULL), REHA_OK);
    return reha_outline_load(path, out, err);
}

static reha_gray *oval(double a, double b, double inside)
{
    reha_gray *image = NULL;
    assert_int_equal(reha_gray_new(300, 200, &image, NULL), REHA_OK);
    for (uint32_t i = 0; i < 300U * 200U; i++) {
        const double u = (i % 300 - 150.0) / a;
        const double v = ((double)(i / 300) - 100.0) / b;
        image->pixels[i] = (float)(u * u + v * v <= 1.0 ? inside + (double)(i % 2) : 5.0);
    }
    return image;
}

static double value_of(const reha_analysis *analysis, const char *key)
{
    const reha_finding *finding = reha_region_find(&analysis->regions[0], key);
    assert_non_null(finding);
    return finding->measure.value;
}

static void test_area_and_echo_are_those_of_the_oval(void **state)
{
    (void)state;
    reha_outline outline;
    reha_analysis *analysis = NULL;
    reha_gray *image = oval(90.0, 50.0, 80.0);
    const reha_acquisition facts = reha_acquisition_unknown();
    const double area = 3.14159265358979 * 90.0 * 50.0;
    assert_int_equal(load("{\"ellipse_px\": {\"centre\": [150, 100], \"radii\": [90, 50], \"angle_deg\": 0}}",
                          &outline, NULL),
                     REHA_OK);
    assert_int_equal(reha_muscle_area(image, &facts, &outline, &analysis, NULL), REHA_OK);
    assert_true(fabs(value_of(analysis, "cross-sectional-area-px2") / area - 1.0) < 1e-3);
    assert_true(isnan(value_of(analysis, "cross-sectional-area"))); /* no scale: no millimetres */
    assert_true(fabs(value_of(analysis, "echo-intensity") - 80.5) < 1.0);
    assert_null(reha_region_find(&analysis->regions[0], "pennation"));
    reha_analysis_free(analysis);

    image->spacing = (reha_spacing){0.1, 0.1, REHA_SPACING_USER};
    assert_int_equal(reha_muscle_area(image, &facts, &outline, &analysis, NULL), REHA_OK);
    assert_true(fabs(value_of(analysis, "cross-sectional-area") / (0.01 * area) - 1.0) < 1e-3);
    const reha_finding *mm2 = reha_region_find(&analysis->regions[0], "cross-sectional-area");
    assert_true(mm2->measure.error > 0.0 && mm2->measure.error < 0.1 * mm2->measure.value);
    reha_analysis_free(analysis);
    reha_gray_free(image);
}

static void test_a_turn_keeps_the_area_and_rises_to_the_right(void **state)
{
    (void)state;
    reha_outline outline;
    assert_int_equal(
        load("{\"ellipse_px\": {\"centre\": [150, 100], \"radii\": [90, 50], \"angle_deg\": 30}}", &outline,
             NULL),
        REHA_OK);
    assert_true(fabs(reha_outline_area_px2(&outline) / (3.14159265358979 * 90.0 * 50.0) - 1.0) < 1e-3);
    assert_true(outline.points[0].x_px > 150.0 && outline.points[0].y_px < 100.0);
    assert_int_equal(load("{\"polygon_px\": [[0, 0], [30, 0], [30, 40], [0, 40]]}", &outline, NULL), REHA_OK);
    assert_true(fabs(reha_outline_area_px2(&outline) - 1200.0) < 1e-9);
    assert_true(fabs(reha_outline_perimeter_px(&outline) - 140.0) < 1e-9);
}

static void test_bad_borders_are_told(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "[]",
        "3",
        "{\"polygon_px\": []}",
        "{\"polygon_px\": [[0, 0], [1, 1]]}",
        "{\"polygon_px\": 5}",
        "{\"polygon_px\": [[0, 0], [30, 0], [30]]}",
        "{\"polygon_px\": [[0, 0], [\"a\", 0], [30, 3]]}",
        "{\"polygon_px\": [[0, 0], [30, 30], [30, 0], [0, 30]]}",
        "{\"ellipse_px\": {}}",
        "{\"ellipse_px\": {\"centre\": [1, 2], \"radii\": [0, 5]}}",
        "{\"ellipse_px\": {\"centre\": [1, 2], \"radii\": [-4, 5]}}",
        "{\"ellipse_px\": {\"centre\": [1], \"radii\": [4, 5]}}",
        "{\"ellipse_px\": {\"centre\": [1, 2], \"radii\": [4, 5]}, \"polygon_px\": [[0, 0], [3, 0], [3, 4]]}",
        "{\"polygon_px"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_outline outline;
        assert_int_not_equal(load(bad[i], &outline, &err), REHA_OK);
        assert_int_equal(outline.count, 0);
        assert_non_null(strstr(err.text, path));
    }
}

static void test_a_border_outside_or_tiny_is_refused(void **state)
{
    (void)state;
    reha_outline outline;
    reha_analysis *analysis = NULL;
    reha_gray *image = oval(90.0, 50.0, 80.0);
    reha_acquisition facts = reha_acquisition_unknown();
    assert_int_equal(load("{\"ellipse_px\": {\"centre\": [150, 100], \"radii\": [190, 50]}}", &outline, NULL),
                     REHA_OK);
    assert_int_equal(reha_muscle_area(image, &facts, &outline, &analysis, NULL), REHA_E_ARG);
    assert_null(analysis);
    assert_int_equal(load("{\"polygon_px\": [[10, 10], [15, 10], [15, 14]]}", &outline, NULL), REHA_OK);
    assert_int_equal(reha_muscle_area(image, &facts, &outline, &analysis, NULL), REHA_E_ARG);
    assert_int_equal(load("{\"polygon_px\": [[10, 10], [150, 10], [150, 140]]}", &outline, NULL), REHA_OK);
    (void)snprintf(facts.modality, sizeof facts.modality, "MR");
    assert_int_equal(reha_muscle_area(image, &facts, &outline, &analysis, NULL), REHA_OK);
    assert_false(analysis->is_accepted);
    assert_int_equal(analysis->region_count, 0);
    reha_analysis_free(analysis);
    reha_gray_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_area_and_echo_are_those_of_the_oval),
        cmocka_unit_test(test_a_turn_keeps_the_area_and_rises_to_the_right),
        cmocka_unit_test(test_bad_borders_are_told),
        cmocka_unit_test(test_a_border_outside_or_tiny_is_refused),
    };
    const int handle = mkstemp(path);
    if (handle < 0) {
        return 1;
    }
    (void)close(handle);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    return failed;
}
