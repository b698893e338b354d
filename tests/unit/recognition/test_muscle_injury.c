/* From maps to regions, from regions to grades, from shown pictures to figures: on made-up maps of known
 * truth. */
#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "recognition/muscle_injury_figures.h"
#include "recognition/muscle_net.h"

#include <math.h>
#include <string.h>

enum { MAP = REHA_MUSCLE_MAP_PX, COUNT = MAP * MAP };

/* A level belly between y = 100 and 300 in a picture of 640 x 480. */
static reha_injury_belly level_belly(void)
{
    reha_injury_belly belly = {.thickness_px = 200.0, .fascicle_deg = 0.0};
    for (int i = 0; i < REHA_INJURY_CURVE; i++) {
        const double x = 639.0 * i / (REHA_INJURY_CURVE - 1.0);
        belly.superficial[i] = (reha_point_px){x, 100.0};
        belly.deep[i] = (reha_point_px){x, 300.0};
    }
    return belly;
}

static const reha_muscle_frame whole = {.box = {0.0, 0.0, 640.0, 480.0}, .low = 0.0, .high = 255.0};

/* Cells of 4 x 3 px: an ellipse of a probability, in pixels of the picture. */
static void add_blob(float *map, double x, double y, double half_x, double half_y, float value)
{
    for (int i = 0; i < COUNT; i++) {
        const double u = ((i % MAP + 0.5) * 4.0 - 0.5 - x) / half_x;
        const double v = (((double)(i / MAP) + 0.5) * 3.0 - 0.5 - y) / half_y;
        map[i] = u * u + v * v <= 1.0 ? value : map[i];
    }
}

static void regions_are_found_and_measured(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    float *maps = reha_alloc_zero(2 * COUNT, sizeof *maps);
    int *labels = reha_alloc_zero(COUNT, sizeof *labels);
    reha_injury_reading reading;
    const reha_injury_belly belly = level_belly();
    add_blob(maps, 200, 200, 60, 50, 0.9F);
    add_blob(maps, 500, 220, 40, 20, 0.6F);
    add_blob(maps, 300, 400, 60, 50, 0.99F);        /* below the belly: not looked at */
    add_blob(maps + COUNT, 200, 200, 60, 25, 0.9F); /* torn: half of the first */
    assert_ok(reha_injury_read(maps, maps + COUNT, &whole, &belly, labels, &reading, &err), &err);
    assert_int_equal(reading.count, 2);
    const reha_injury_found *first = &reading.found[0];
    assert_true(fabs(first->score - 0.9) < 0.01 && fabs(reading.found[1].score - 0.6) < 0.01);
    assert_true(fabs(first->share - 0.5) < 0.06);
    assert_true(fabs(first->along_px - 120.0) < 13.0);
    assert_true(fabs(first->torn_share - 0.5) < 0.12);
    assert_true(fabs(first->area_share - 3.1416 * 60 * 50 / (640.0 * 200.0)) < 0.01);
    assert_true(hypot(first->at.x_px - 200.0, first->at.y_px - 200.0) < 60.0);
    assert_true(fabs(first->box.x_px - 140.0) < 9.0 && fabs(first->box.width_px - 120.0) < 13.0);
    assert_true(fabs(reading.features[2] - 0.5) < 0.25); /* both regions together */
    reha_point_px outline[REHA_INJURY_OUTLINE];
    const int points = reha_injury_outline(labels, first->label, &whole, outline);
    assert_int_equal(points, REHA_INJURY_OUTLINE);
    for (int i = 0; i < points; i++) {
        const double r = hypot((outline[i].x_px - 200.0) / 60.0, (outline[i].y_px - 200.0) / 50.0);
        assert_true(r > 0.8 && r < 1.1);
    }
    assert_int_equal(reha_injury_outline(labels, 77, &whole, outline), 0);
    reha_free(maps);
    reha_free(labels);
}

static void nothing_gives_nothing(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    float *maps = reha_alloc_zero(2 * COUNT, sizeof *maps);
    reha_injury_reading reading;
    reha_injury_found found;
    reha_injury_belly belly = level_belly();
    assert_ok(reha_injury_read(maps, maps + COUNT, &whole, &belly, NULL, &reading, &err), &err);
    assert_int_equal(reading.count, 0);
    for (int f = 0; f < REHA_INJURY_FEATURES; f++) {
        assert_true(isfinite(reading.features[f]));
        assert_true(strlen(reha_injury_feature_name(f)) > 0);
    }
    assert_false(reha_injury_extent(maps, &whole, &belly, &found));
    assert_true(isnan(reha_injury_dice(maps, maps, &whole, &belly)));
    /* Single sure cells are noise; a belly outside of the frame has no cells. */
    maps[50 * MAP + 60] = 1.0F;
    assert_ok(reha_injury_read(maps, maps + COUNT, &whole, &belly, NULL, &reading, &err), &err);
    assert_int_equal(reading.count, 0);
    for (int i = 0; i < REHA_INJURY_CURVE; i++) {
        belly.superficial[i].y_px += 5000.0;
        belly.deep[i].y_px += 5000.0;
    }
    add_blob(maps, 200, 200, 60, 50, 0.9F);
    assert_ok(reha_injury_read(maps, maps + COUNT, &whole, &belly, NULL, &reading, &err), &err);
    assert_int_equal(reading.count, 0);
    assert_int_equal(reading.belly_cells, 0);
    reha_free(maps);
}

static void overlap_is_dice(void **state)
{
    (void)state;
    const reha_injury_belly belly = level_belly();
    float *maps = reha_alloc_zero(2 * COUNT, sizeof *maps);
    add_blob(maps, 200, 200, 60, 50, 1.0F);
    add_blob(maps + COUNT, 200, 200, 60, 50, 1.0F);
    assert_true(reha_injury_dice(maps, maps + COUNT, &whole, &belly) > 0.999);
    memset(maps + COUNT, 0, COUNT * sizeof *maps);
    add_blob(maps + COUNT, 450, 200, 60, 50, 1.0F);
    assert_true(reha_injury_dice(maps, maps + COUNT, &whole, &belly) < 0.001);
    reha_free(maps);
}

/* The plain rule marks a dark hole in noise. */
static void the_plain_rule_sees_darkness(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    reha_random random = reha_random_init(4, 4);
    float *maps = reha_alloc_zero(4 * COUNT, sizeof *maps);
    reha_injury_reading reading;
    const reha_injury_belly belly = level_belly();
    assert_ok(reha_gray_new(640, 480, &image, &err), &err);
    for (uint32_t y = 0; y < 480; y++) {
        for (uint32_t x = 0; x < 640; x++) {
            const bool is_hole = hypot(x - 320.0, y - 200.0) < 40.0;
            image->pixels[y * 640 + x] = (float)(is_hole ? 10.0 : 90.0 + 25.0 * reha_random_normal(&random));
        }
    }
    assert_ok(reha_injury_darkness(image, &whole, &belly, maps + COUNT, maps, &err), &err);
    assert_ok(reha_injury_read(maps, maps, &whole, &belly, NULL, &reading, &err), &err);
    assert_true(reading.count >= 1);
    assert_true(hypot(reading.found[0].at.x_px - 320.0, reading.found[0].at.y_px - 200.0) < 40.0);
    reha_gray_free(image);
    reha_free(maps);
}

/* Grades that features tell apart, with some overlap. */
static size_t make_examples(reha_injury_example *out, size_t count)
{
    reha_random random = reha_random_init(9, 9);
    for (size_t i = 0; i < count; i++) {
        out[i].grade = (int)(i % REHA_LESION_GRADES);
        out[i].group_idx = i / 8;
        for (int f = 0; f < REHA_INJURY_FEATURES; f++) {
            out[i].features[f] = (f % 2 == 0 ? 1.5 : -0.5) * out[i].grade + reha_random_normal(&random);
        }
    }
    return count;
}

static void the_rule_learns_grades_and_survives_the_card(void **state)
{
    (void)state;
    enum { N = 400 };
    reha_error err = REHA_ERROR_INIT;
    reha_injury_example *examples = reha_alloc_zero(N, sizeof *examples);
    reha_injury_rule rule = {.score_min = 0.61};
    reha_injury_rule read;
    json_t *json = NULL;
    int right = 0;
    int covered = 0;
    (void)make_examples(examples, N);
    assert_ok(reha_injury_rule_fit(examples, N, &rule, &err), &err);
    assert_ok(reha_injury_rule_to_json(&rule, &json, &err), &err);
    assert_ok(reha_injury_rule_from_json(json, &read, &err), &err);
    assert_true(fabs(read.score_min - 0.61) < 1e-6);
    for (int i = 0; i < N; i++) {
        const reha_injury_answer a = reha_injury_answer_of(&rule, examples[i].features);
        const reha_injury_answer b = reha_injury_answer_of(&read, examples[i].features);
        double sum = 0.0;
        for (int g = 0; g < REHA_LESION_GRADES; g++) {
            sum += a.probabilities[g];
            assert_true(fabs(a.probabilities[g] - b.probabilities[g]) < 1e-6);
        }
        assert_true(fabs(sum - 1.0) < 1e-9 && fabs(a.probability - (1.0 - a.probabilities[0])) < 1e-12);
        right += a.grade == examples[i].grade ? 1 : 0;
        covered += examples[i].grade >= a.set_low && examples[i].grade <= a.set_high ? 1 : 0;
    }
    assert_true(right > 0.7 * N);
    assert_true(covered > 0.85 * N);
    assert_int_equal(reha_injury_rule_fit(examples, 20, &rule, &err), REHA_E_ARG);
    json_decref(json);
    reha_free(examples);
}

static void a_spoilt_rule_is_refused(void **state)
{
    (void)state;
    enum { N = 80 };
    static const char *const keys[] = {"feature_mean", "feature_sd", "weights_by_grade", "calibration",
                                       "region_score_min"};
    reha_error err = REHA_ERROR_INIT;
    reha_injury_example examples[N];
    reha_injury_rule rule = {.score_min = 0.5};
    reha_injury_rule read;
    json_t *json = NULL;
    (void)make_examples(examples, N);
    assert_ok(reha_injury_rule_fit(examples, N, &rule, &err), &err);
    assert_ok(reha_injury_rule_to_json(&rule, &json, &err), &err);
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        json_t *copy = json_deep_copy(json);
        assert_int_equal(json_object_del(copy, keys[k]), 0);
        assert_int_not_equal(reha_injury_rule_from_json(copy, &read, &err), REHA_OK);
        json_decref(copy);
    }
    (void)json_array_set_new(json_object_get(json, "feature_sd"), 1, json_real(0.0));
    assert_int_equal(reha_injury_rule_from_json(json, &read, &err), REHA_E_FORMAT);
    (void)json_array_set_new(json_object_get(json, "feature_sd"), 1, json_real(1.0));
    (void)json_array_remove(json_array_get(json_object_get(json, "weights_by_grade"), 2), 0);
    assert_int_equal(reha_injury_rule_from_json(json, &read, &err), REHA_E_FORMAT);
    assert_int_not_equal(reha_injury_rule_from_json(NULL, &read, &err), REHA_OK);
    json_decref(json);
}

/* ---- figures ---- */

static double value_of(const reha_injury_figure *figures, int count, const char *key)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(figures[i].key, key) == 0) {
            return figures[i].value.value;
        }
    }
    fail_msg("no figure '%s'", key);
    return 0.0;
}

/* 20 groups with a found lesion (score 0.9), a missed one, an untouched picture and a false region (0.6) on a
 * null simulation in every second group. */
static reha_injury_show make_show(reha_injury_shown *items)
{
    size_t n = 0;
    for (size_t g = 0; g < 20; g++) {
        for (int k = 0; k < 4; k++) {
            reha_injury_shown *one = &items[n++];
            *one = (reha_injury_shown){.group_idx = g, .dice = (double)NAN, .contrast = (double)NAN};
            one->spec.kind = k == 0   ? REHA_LESION_GAP
                             : k == 1 ? REHA_LESION_OEDEMA
                             : k == 2 ? REHA_LESION_NOTHING
                                      : REHA_LESION_GAP;
            one->spec.strength = k < 2 ? 1.0 : 0.0;
            one->grade = k == 0 ? 2 : k == 1 ? 1 : 0;
            one->has_truth = k < 2;
            one->truth = (reha_injury_found){.share = k == 0 ? 0.5 : 0.8, .along_px = 100.0};
            one->dice = k == 0 ? 0.8 : k == 1 ? 0.0 : (double)NAN;
            one->reading.count = k == 0 || (k == 3 && g % 2 == 0) ? 1 : 0;
            one->reading.found[0] =
                (reha_injury_found){.score = k == 0 ? 0.9 : 0.6, .share = 0.6, .along_px = 90.0};
            one->hit[0] = k == 0;
            one->reading.features[0] = k == 0 ? 3.0 : -3.0;
            one->plain.features[0] = -1.0;
        }
    }
    return (reha_injury_show){.items = items, .count = n, .data = {.group_count = 20}};
}

static void figures_are_what_was_shown(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_injury_shown *items = reha_alloc_zero(80, sizeof *items);
    reha_injury_figure figures[REHA_INJURY_FIGURES_MAX];
    int count = 0;
    reha_injury_rule rule = {.score_min = 0.7,
                             .calibration = reha_ordinal_calibration_none(REHA_LESION_GRADES)};
    for (int f = 0; f < REHA_INJURY_FEATURES; f++) {
        rule.sd[f] = 1.0;
    }
    rule.weights[2][0] = 1.0; /* the larger the first feature, the more of grade 2 */
    reha_injury_show show = make_show(items);
    assert_ok(reha_injury_figures_compute(&show, &rule, 100, 1, figures, &count, &err), &err);
    assert_true(count <= REHA_INJURY_FIGURES_MAX);
    /* One lesion of two scores above all others, the other ties with them: 1/2 + 1/2 * 1/2. */
    assert_true(fabs(value_of(figures, count, "auc") - 0.75) < 1e-9);
    assert_true(fabs(value_of(figures, count, "auc_plain_rule") - 0.5) < 1e-9);
    /* 10 false regions in 80 pictures are more than 0.1 each: the threshold rises above them. */
    assert_true(fabs(value_of(figures, count, "sensitivity_at_0.1_fp") - 0.5) < 1e-9);
    assert_true(fabs(value_of(figures, count, "sensitivity_gap") - 1.0) < 1e-9);
    assert_true(fabs(value_of(figures, count, "sensitivity_oedema")) < 1e-9);
    assert_true(fabs(value_of(figures, count, "sensitivity_at_0.5_fp_plain_rule")) < 1e-9);
    assert_true(fabs(value_of(figures, count, "dice") - 0.4) < 1e-9);
    assert_true(fabs(value_of(figures, count, "share_error_mean") - 0.1) < 1e-9);
    assert_true(fabs(value_of(figures, count, "length_error_ratio_mean") - 0.1) < 1e-9);
    assert_true(fabs(value_of(figures, count, "alarms_null_simulation")) < 1e-9); /* 0.6 is below 0.7 */
    rule.score_min = 0.5;
    assert_ok(reha_injury_figures_compute(&show, &rule, 0, 1, figures, &count, &err), &err);
    assert_true(fabs(value_of(figures, count, "alarms_null_simulation") - 0.5) < 1e-9);
    assert_true(fabs(value_of(figures, count, "alarms_untouched")) < 1e-9);
    assert_true(isnan(value_of(figures, count, "alarms_vessel"))); /* none was shown */
    assert_true(isnan(figures[0].value.low));                      /* no rounds, no interval */
    assert_ok(reha_injury_figures_compute(&show, &rule, 200, 1, figures, &count, &err), &err);
    for (int i = 0; i < count; i++) {
        assert_true(isnan(figures[i].value.value) ||
                    (figures[i].value.low <= figures[i].value.value + 1e-9 &&
                     figures[i].value.high >= figures[i].value.value - 1e-9));
    }
    reha_free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regions_are_found_and_measured),
        cmocka_unit_test(nothing_gives_nothing),
        cmocka_unit_test(overlap_is_dice),
        cmocka_unit_test(the_plain_rule_sees_darkness),
        cmocka_unit_test(the_rule_learns_grades_and_survives_the_card),
        cmocka_unit_test(a_spoilt_rule_is_refused),
        cmocka_unit_test(figures_are_what_was_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
