/* Overlap, suppression, matching and the figures of detectors, against values worked out by hand. */
#include "support.h"

#include "recognition/boxes.h"

#include <math.h>

static const reha_edges unit = {0.0, 0.0, 1.0, 1.0};

static void test_iou(void **state)
{
    const reha_edges half = {0.0, 0.0, 0.5, 1.0};
    const reha_edges beside = {1.0, 0.0, 2.0, 1.0};
    const reha_edges shifted = {0.5, 0.5, 1.5, 1.5};
    const reha_edges flat = {0.0, 0.0, 1.0, 0.0};
    (void)state;
    assert_true(reha_edges_iou(&unit, &unit) == 1.0);
    assert_true(fabs(reha_edges_iou(&unit, &half) - 0.5) < 1e-12);
    assert_true(reha_edges_iou(&unit, &beside) == 0.0);
    assert_true(fabs(reha_edges_iou(&unit, &shifted) - 0.25 / 1.75) < 1e-12);
    assert_true(reha_edges_iou(&unit, &flat) == 0.0 && reha_edges_iou(&flat, &flat) == 0.0);
}

static void test_doubles_are_dropped_within_an_image(void **state)
{
    reha_found found[4] = {
        {0, {0, 0, 1, 1}, 0.5}, {0, {0, 0, 0.95, 1}, 0.9}, {1, {0, 0, 1, 1}, 0.7}, {0, {2, 0, 3, 1}, 0.6}};
    (void)state;
    assert_int_equal(reha_boxes_suppress(found, 4, 0.5), 3);
    assert_true(found[0].score == 0.9 && found[1].score == 0.7 && found[2].score == 0.6);
    assert_int_equal(reha_boxes_suppress(found, 0, 0.5), 0);
}

/* Two images, three drawn boxes. Scores fall: hit, miss (a second box on the same drawn one), hit, miss; the
 * third drawn box is never found. Precision at the hits 1 and 2/3, so AP = 1/3 + 1/3 * 2/3 = 5/9. */
static const size_t groups[2] = {0, 1};
static const reha_drawn drawn[3] = {{0, {0, 0, 1, 1}}, {0, {5, 5, 6, 6}}, {1, {0, 0, 1, 1}}};
static const reha_found found[4] = {
    {0, {0, 0, 1, 1}, 0.9}, {0, {0, 0, 1, 0.9}, 0.8}, {1, {0, 0, 1, 0.8}, 0.7}, {1, {3, 3, 4, 4}, 0.6}};
static const reha_detections set = {2, groups, 2, found, 4, drawn, 3};

static void test_matching(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    int64_t matches[4];
    (void)state;
    assert_ok(reha_boxes_match(&set, 0.5, matches, &err), &err);
    assert_int_equal(matches[0], 0);
    assert_int_equal(matches[1], REHA_NOT_MATCHED);
    assert_int_equal(matches[2], 2);
    assert_int_equal(matches[3], REHA_NOT_MATCHED);
    assert_ok(reha_boxes_match(&set, 0.85, matches, &err), &err);
    assert_int_equal(matches[2], REHA_NOT_MATCHED); /* overlaps by 0.8 only */
}

static void test_a_found_box_takes_the_drawn_box_it_overlaps_most(void **state)
{
    const reha_drawn two[2] = {{0, {0, 0, 1.3, 1}}, {0, {0, 0, 1, 1}}};
    const reha_found one[2] = {{0, {0, 0, 1, 1}, 0.9}, {0, {0, 0, 1, 1}, 0.4}};
    const reha_detections pair = {1, groups, 1, one, 2, two, 2};
    reha_error err = REHA_ERROR_INIT;
    int64_t matches[2];
    (void)state;
    assert_ok(reha_boxes_match(&pair, 0.5, matches, &err), &err);
    assert_int_equal(matches[0], 1);
    assert_int_equal(matches[1], 0); /* the other one is still free */
}

static void test_figures_by_hand(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    reha_detection_metrics m;
    (void)state;
    assert_ok(reha_detection_metrics_compute(&set, 0.5, 200, 1, &m, &err), &err);
    assert_true(fabs(m.average_precision.value - 5.0 / 9.0) < 1e-12);
    assert_true(m.average_precision.low <= 5.0 / 9.0 && m.average_precision.high >= 5.0 / 9.0);
    assert_true(fabs(m.sensitivity_half.value - 2.0 / 3.0) < 1e-12); /* one false box in two images */
    assert_true(fabs(m.sensitivity_one.value - 2.0 / 3.0) < 1e-12);
    assert_int_equal(m.images_without, 0);
    assert_true(isnan(m.false_positives_without.value));
}

static void test_operating_points(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    reha_operating_point at;
    (void)state;
    assert_ok(reha_boxes_operating_point(&set, 0.5, 0.0, &at, &err), &err);
    assert_true(at.score_min == 0.9 && fabs(at.sensitivity - 1.0 / 3.0) < 1e-12 && at.false_positives == 0.0);
    assert_ok(reha_boxes_operating_point(&set, 0.5, 0.5, &at, &err), &err);
    assert_true(at.score_min == 0.7 && at.false_positives == 0.5 && fabs(at.precision - 2.0 / 3.0) < 1e-12);
    assert_ok(reha_boxes_at_score(&set, 0.5, 0.75, &at, &err), &err);
    assert_true(fabs(at.sensitivity - 1.0 / 3.0) < 1e-12 && at.false_positives == 0.5);
    assert_ok(reha_boxes_at_score(&set, 0.5, 0.95, &at, &err), &err);
    assert_true(at.sensitivity == 0.0 && isnan(at.precision));
}

/* Scores that are equal cannot be told apart by a threshold: they are told together or not at all. */
static void test_ties_go_together(void **state)
{
    const reha_found tied[2] = {{0, {0, 0, 1, 1}, 0.5}, {0, {3, 3, 4, 4}, 0.5}};
    const reha_detections equal = {1, groups, 1, tied, 2, drawn, 1};
    reha_error err = REHA_ERROR_INIT;
    reha_operating_point at;
    (void)state;
    assert_ok(reha_boxes_operating_point(&equal, 0.5, 0.5, &at, &err), &err);
    assert_true(isinf(at.score_min) && at.sensitivity == 0.0);
    assert_ok(reha_boxes_operating_point(&equal, 0.5, 1.0, &at, &err), &err);
    assert_true(at.sensitivity == 1.0 && at.false_positives == 1.0);
}

static void test_pictures_without_boxes_count(void **state)
{
    const reha_detections none = {2, groups, 2, found, 4, drawn, 2}; /* image 1 has none now */
    reha_error err = REHA_ERROR_INIT;
    reha_detection_metrics m;
    json_t *json = NULL;
    (void)state;
    assert_ok(reha_detection_metrics_compute(&none, 0.5, 0, 1, &m, &err), &err);
    assert_int_equal(m.images_without, 1);
    assert_true(fabs(m.sensitivity_half.value - 0.5) < 1e-12);
    assert_true(m.false_positives_without.value == 0.0); /* the threshold lies at 0.8 */
    assert_true(isnan(m.average_precision.low));
    assert_ok(reha_detection_metrics_to_json(&m, &json, &err), &err);
    assert_true(json_is_null(json_object_get(json_object_get(json, "average_precision"), "low")));
    json_decref(json);
}

static void test_nothing_found_and_nothing_drawn(void **state)
{
    const reha_detections empty = {2, groups, 2, NULL, 0, NULL, 0};
    reha_error err = REHA_ERROR_INIT;
    reha_detection_metrics m;
    (void)state;
    assert_ok(reha_detection_metrics_compute(&empty, 0.5, 20, 1, &m, &err), &err);
    assert_true(isnan(m.average_precision.value) && isnan(m.sensitivity_half.value));
}

static void test_bad_sets_are_refused(void **state)
{
    const reha_found odd[1] = {{7, {0, 0, 1, 1}, 0.5}};
    const reha_found nan_score[1] = {{0, {0, 0, 1, 1}, NAN}};
    const reha_detections far = {2, groups, 2, odd, 1, drawn, 3};
    const reha_detections sick = {2, groups, 2, nan_score, 1, drawn, 3};
    const reha_detections group = {2, groups, 1, found, 4, drawn, 3};
    reha_detection_metrics m;
    (void)state;
    assert_int_equal(reha_detection_metrics_compute(&far, 0.5, 0, 1, &m, NULL), REHA_E_ARG);
    assert_int_equal(reha_detection_metrics_compute(&sick, 0.5, 0, 1, &m, NULL), REHA_E_ARG);
    assert_int_equal(reha_detection_metrics_compute(&group, 0.5, 0, 1, &m, NULL), REHA_E_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_iou),
        cmocka_unit_test(test_doubles_are_dropped_within_an_image),
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_a_found_box_takes_the_drawn_box_it_overlaps_most),
        cmocka_unit_test(test_figures_by_hand),
        cmocka_unit_test(test_operating_points),
        cmocka_unit_test(test_ties_go_together),
        cmocka_unit_test(test_pictures_without_boxes_count),
        cmocka_unit_test(test_nothing_found_and_nothing_drawn),
        cmocka_unit_test(test_bad_sets_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
