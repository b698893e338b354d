/* The drawn knee: what it says about itself is what can be measured in its picture. */
#include "support.h"

#include "base/memory.h"
#include "image/resample.h"
#include "image/statistics.h"
#include "recognition/knee_phantom.h"

#include <math.h>
#include <string.h>

static reha_gray *draw(const reha_phantom_spec *spec, reha_phantom_truth *truths)
{
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_phantom_draw(spec, &image, truths, &err), &err);
    return image;
}

static double value_at(const reha_gray *image, double x, double y)
{
    const reha_affine map = {1, 0, x, 0, 1, y};
    reha_gray *one = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_gray_warp(image, map, 1, 1, REHA_SAMPLING_CUBIC, (reha_fill){0}, &one, &err), &err);
    const double value = (double)one->pixels[0];
    reha_gray_free(one);
    return value;
}

static reha_point_px along(reha_point_px from, reha_point_px to, double part)
{
    return (reha_point_px){from.x_px + part * (to.x_px - from.x_px),
                           from.y_px + part * (to.y_px - from.y_px)};
}

static double length(reha_point_px a, reha_point_px b)
{
    return hypot(a.x_px - b.x_px, a.y_px - b.y_px);
}

/* Width of the dark gap on the line through both bones: between the places of steepest rise. */
static double measure_gap_mm(const reha_gray *image, reha_point_px tibia, reha_point_px femur,
                             double mm_per_px)
{
    enum { STEPS = 600 };
    const double gap_px = length(tibia, femur);
    const double beyond_px = 2.6 / mm_per_px;
    const double whole_px = gap_px + 2.0 * beyond_px;
    double values[STEPS + 1];
    for (int i = 0; i <= STEPS; i++) {
        const double part = (whole_px * i / STEPS - beyond_px) / gap_px;
        const reha_point_px at = along(tibia, femur, part);
        values[i] = value_at(image, at.x_px, at.y_px);
    }
    int steepest[2] = {0, 0};
    double most[2] = {0.0, 0.0};
    const int reach = (int)(0.15 / mm_per_px / whole_px * STEPS) + 1;
    for (int i = reach; i + reach <= STEPS; i++) {
        const double rise = values[i + reach] - values[i - reach];
        const int side = i < STEPS / 2 ? 0 : 1;
        const double wanted = side == 0 ? -rise : rise; /* dark in the middle */
        if (wanted > most[side]) {
            most[side] = wanted;
            steepest[side] = i;
        }
    }
    return (steepest[1] - steepest[0]) * whole_px / STEPS * mm_per_px;
}

static void test_joint_space_can_be_measured(void **state)
{
    (void)state;
    const double widths[] = {1.5, 2.5, 4.0, 6.0};
    const double spacings[] = {0.15, 0.2, 0.3};
    for (size_t w = 0; w < 4; w++) {
        for (size_t s = 0; s < 3; s++) {
            reha_phantom_spec spec = reha_phantom_crop(w % 2 == 0 ? REHA_SIDE_RIGHT : REHA_SIDE_LEFT, 5 + w);
            spec.mm_per_px = spacings[s];
            spec.width_px = spec.height_px = (uint32_t)(100.0 / spec.mm_per_px);
            spec.knees[0].joint_px = (reha_point_px){0.5 * spec.width_px, 0.6 * spec.height_px};
            spec.knees[0].angle_deg = 4.0 * (double)s - 4.0;
            spec.knees[0].medial_jsw_mm = widths[w];
            spec.knees[0].lateral_jsw_mm = 7.0 - widths[w] * 0.5;
            spec.noise_sd = 0.0;
            spec.bits = 16;
            reha_phantom_truth truth;
            reha_gray *image = draw(&spec, &truth);
            const double medial =
                measure_gap_mm(image, truth.medial_tibia_px, truth.medial_femur_px, spec.mm_per_px);
            const double lateral =
                measure_gap_mm(image, truth.lateral_tibia_px, truth.lateral_femur_px, spec.mm_per_px);
            assert_float_equal(medial, widths[w], 0.35);
            assert_float_equal(lateral, spec.knees[0].lateral_jsw_mm, 0.35);
            reha_gray_free(image);
        }
    }
}

static void test_truth_agrees_with_itself(void **state)
{
    (void)state;
    reha_phantom_spec spec = reha_phantom_film(REHA_SIDE_RIGHT, 2);
    spec.knees[0].medial_jsw_mm = 3.25;
    spec.knees[0].lateral_jsw_mm = 5.5;
    spec.knees[0].plateau_width_mm = 70.0;
    spec.knees[0].angle_deg = 11.0;
    reha_phantom_truth truth;
    reha_gray *image = draw(&spec, &truth);
    assert_float_equal(length(truth.medial_tibia_px, truth.medial_femur_px), truth.medial_jsw_px, 1e-9);
    assert_float_equal(length(truth.lateral_tibia_px, truth.lateral_femur_px), truth.lateral_jsw_px, 1e-9);
    assert_float_equal(truth.medial_jsw_px, 3.25 / 0.2, 1e-9);
    assert_float_equal(truth.medial_jsw_mm, 3.25, 1e-12);
    assert_float_equal(length(truth.landmarks[0], truth.landmarks[8]), truth.plateau_width_px, 1e-6);
    assert_float_equal(truth.plateau_width_px, 350.0, 1e-9);
    /* Square to the plateau line. */
    const reha_point_px plateau = {truth.landmarks[8].x_px - truth.landmarks[0].x_px,
                                   truth.landmarks[8].y_px - truth.landmarks[0].y_px};
    const double dot = plateau.x_px * (truth.medial_femur_px.x_px - truth.medial_tibia_px.x_px) +
                       plateau.y_px * (truth.medial_femur_px.y_px - truth.medial_tibia_px.y_px);
    assert_float_equal(dot, 0.0, 1e-6);
    reha_gray_free(image);
}

/* In the knee's own frame: lateral to medial, femur above tibia, no condyle nearer than the narrowest place.
 */
static void test_landmarks_are_in_order(void **state)
{
    (void)state;
    for (int grade = 0; grade <= 4; grade++) {
        reha_phantom_spec spec = reha_phantom_crop(REHA_SIDE_RIGHT, 3);
        reha_phantom_set_grade(&spec.knees[0], grade, 40 + (uint64_t)grade);
        reha_phantom_truth truth;
        reha_gray *image = draw(&spec, &truth);
        const reha_point_px *at = truth.landmarks;
        for (int i = 1; i < 9; i++) {
            assert_true(at[i].x_px > at[i - 1].x_px);
        }
        for (int i = 10; i < 16; i++) {
            assert_true(at[i].x_px > at[i - 1].x_px);
        }
        assert_true(at[3].y_px < at[4].y_px && at[5].y_px < at[4].y_px);     /* spines above the dip */
        assert_true(at[12].y_px < at[11].y_px && at[12].y_px < at[13].y_px); /* the notch is the top */
        /* Tibia 1, 2, 6, 7 under femur 10, 11, 13, 14. */
        const int pairs[4][2] = {{1, 10}, {2, 11}, {6, 13}, {7, 14}};
        for (int p = 0; p < 4; p++) {
            const double gap_px = at[pairs[p][0]].y_px - at[pairs[p][1]].y_px;
            const double least = p < 2 ? truth.lateral_jsw_px : truth.medial_jsw_px;
            assert_true(gap_px > least - 3.0 && gap_px > 0.0);
        }
        for (int i = 0; i < REHA_PHANTOM_LANDMARKS; i++) {
            assert_true(at[i].x_px > 0 && at[i].x_px < 223 && at[i].y_px > 0 && at[i].y_px < 223);
        }
        reha_gray_free(image);
    }
}

static void test_bone_is_brighter_than_the_gap(void **state)
{
    (void)state;
    reha_phantom_spec spec = reha_phantom_film_both(6);
    reha_phantom_truth truths[2];
    reha_gray *image = draw(&spec, truths);
    for (int k = 0; k < 2; k++) {
        const reha_phantom_truth *truth = &truths[k];
        const double gap = value_at(image, along(truth->medial_tibia_px, truth->medial_femur_px, 0.5).x_px,
                                    along(truth->medial_tibia_px, truth->medial_femur_px, 0.5).y_px);
        const reha_point_px tibia = along(truth->medial_tibia_px, truth->medial_femur_px, -1.5);
        const reha_point_px femur = along(truth->medial_tibia_px, truth->medial_femur_px, 2.5);
        assert_true(value_at(image, tibia.x_px, tibia.y_px) > gap + 300.0);
        assert_true(value_at(image, femur.x_px, femur.y_px) > gap + 300.0);
        assert_true(gap > value_at(image, 5.0, 875.0) + 300.0); /* tissue over air */
    }
    /* As films are hung: right knee on the left, both lateral sides outside. */
    assert_true(truths[0].landmarks[0].x_px < truths[0].landmarks[8].x_px);
    assert_true(truths[1].landmarks[0].x_px > truths[1].landmarks[8].x_px);
    assert_true(truths[0].landmarks[8].x_px < truths[1].landmarks[8].x_px);
    reha_gray_free(image);
}

static void test_left_is_the_mirror_of_right(void **state)
{
    (void)state;
    reha_phantom_spec right = reha_phantom_crop(REHA_SIDE_RIGHT, 12);
    right.noise_sd = 0.0;
    right.knees[0].angle_deg = 5.0;
    reha_phantom_spec left = right;
    left.knees[0].side = REHA_SIDE_LEFT;
    left.knees[0].angle_deg = -5.0;
    reha_phantom_truth right_truth;
    reha_phantom_truth left_truth;
    reha_gray *a = draw(&right, &right_truth);
    reha_gray *b = draw(&left, &left_truth);
    reha_gray_flip_x(b); /* the joint is in the middle column */
    for (size_t i = 0; i < 224 * 224; i++) {
        assert_float_equal(a->pixels[i], b->pixels[i], 1.01);
    }
    for (int i = 0; i < REHA_PHANTOM_LANDMARKS; i++) {
        assert_float_equal(left_truth.landmarks[i].x_px, 223.0 - right_truth.landmarks[i].x_px, 1e-9);
        assert_float_equal(left_truth.landmarks[i].y_px, right_truth.landmarks[i].y_px, 1e-9);
    }
    reha_gray_free(a);
    reha_gray_free(b);
}

static void test_same_seed_same_picture(void **state)
{
    (void)state;
    const reha_phantom_spec spec = reha_phantom_crop(REHA_SIDE_LEFT, 77);
    const reha_phantom_spec other = reha_phantom_crop(REHA_SIDE_LEFT, 78);
    reha_gray *a = draw(&spec, NULL);
    reha_gray *b = draw(&spec, NULL);
    reha_gray *c = draw(&other, NULL);
    assert_memory_equal(a->pixels, b->pixels, 224 * 224 * sizeof(float));
    assert_true(memcmp(a->pixels, c->pixels, 224 * 224 * sizeof(float)) != 0);
    reha_gray_free(a);
    reha_gray_free(b);
    reha_gray_free(c);
}

static void test_inversion_bits_and_spacing(void **state)
{
    (void)state;
    for (unsigned bits = 8; bits <= 16; bits += 4) {
        reha_phantom_spec spec = reha_phantom_crop(REHA_SIDE_RIGHT, 9);
        spec.bits = bits;
        spec.noise_sd = 0.0;
        reha_gray *plain = draw(&spec, NULL);
        spec.is_inverted = true;
        spec.is_spacing_known = false;
        reha_gray *inverted = draw(&spec, NULL);
        const double full = ldexp(1.0, (int)bits) - 1.0;
        for (size_t i = 0; i < 224 * 224; i++) {
            const double value = (double)plain->pixels[i];
            assert_true(value >= 0.0 && value <= full && value == floor(value));
            assert_float_equal(value + (double)inverted->pixels[i], full, 1.01); /* two roundings */
        }
        assert_true(reha_spacing_is_known(plain->spacing) && plain->spacing.x_mm == 0.45);
        assert_false(reha_spacing_is_known(inverted->spacing));
        reha_gray_free(plain);
        reha_gray_free(inverted);
    }
}

static void test_exposure_contrast_noise_and_blur(void **state)
{
    (void)state;
    reha_phantom_spec spec = reha_phantom_crop(REHA_SIDE_RIGHT, 9);
    reha_gray *normal = draw(&spec, NULL);
    const reha_gray_summary usual = reha_gray_summarise(normal);
    const double sharp = reha_gray_gradient_energy(normal);
    assert_true(usual.mean > 80.0 && usual.mean < 160.0);
    spec.exposure = -1.0;
    reha_gray *dark = draw(&spec, NULL);
    assert_true(reha_gray_summarise(dark).mean < 0.5 * usual.mean);
    spec.exposure = 1.0;
    reha_gray *bright = draw(&spec, NULL);
    assert_true(reha_gray_summarise(bright).mean > 1.4 * usual.mean);
    spec.exposure = 0.0;
    spec.contrast = 0.3;
    reha_gray *flat = draw(&spec, NULL);
    assert_true(reha_gray_summarise(flat).sd < 0.5 * usual.sd);
    spec.contrast = 1.0;
    spec.blur_mm = 3.0;
    reha_gray *blurred = draw(&spec, NULL);
    assert_true(reha_gray_gradient_energy(blurred) < 0.5 * sharp);
    spec.blur_mm = 0.2;
    spec.noise_sd = 0.1;
    reha_gray *noisy = draw(&spec, NULL);
    double squares = 0.0;
    for (size_t i = 0; i < 224 * 224; i++) {
        squares += pow((double)(noisy->pixels[i] - normal->pixels[i]), 2.0);
    }
    assert_float_equal(sqrt(squares / (224.0 * 224.0)), 0.1 * 255.0, 3.5);
    reha_gray_free(normal);
    reha_gray_free(dark);
    reha_gray_free(bright);
    reha_gray_free(flat);
    reha_gray_free(blurred);
    reha_gray_free(noisy);
}

static void test_grades_narrow_the_joint(void **state)
{
    (void)state;
    double mean[5] = {0};
    for (int grade = 0; grade <= 4; grade++) {
        for (uint64_t seed = 0; seed < 50; seed++) {
            reha_phantom_spec spec = reha_phantom_crop(REHA_SIDE_RIGHT, seed);
            reha_phantom_set_grade(&spec.knees[0], grade, seed);
            mean[grade] += spec.knees[0].medial_jsw_mm / 50.0;
            for (int i = 0; i < REHA_MARGIN_COUNT; i++) {
                assert_true(spec.knees[0].osteophyte_mm[i] >= 0.0 && spec.knees[0].osteophyte_mm[i] <= 10.0);
            }
        }
    }
    assert_true(mean[4] < mean[3] - 1.0 && mean[3] < mean[2] - 1.0);
    assert_float_equal(mean[0], 4.6, 0.3);
    reha_phantom_spec spec = reha_phantom_crop(REHA_SIDE_RIGHT, 1);
    reha_phantom_knee clamped = spec.knees[0];
    reha_phantom_set_grade(&spec.knees[0], 4, 3);
    reha_phantom_set_grade(&clamped, 99, 3);
    assert_true(clamped.medial_jsw_mm == spec.knees[0].medial_jsw_mm);
}

/* Every osteophyte adds bone where there was tissue. */
static void test_osteophytes_show(void **state)
{
    (void)state;
    reha_phantom_spec spec = reha_phantom_crop(REHA_SIDE_RIGHT, 4);
    spec.noise_sd = 0.0;
    reha_gray *plain = draw(&spec, NULL);
    for (int i = 0; i < REHA_MARGIN_COUNT; i++) {
        reha_phantom_spec other = spec;
        other.knees[0].osteophyte_mm[i] = 6.0;
        reha_gray *image = draw(&other, NULL);
        int brighter = 0;
        int darker = 0;
        for (size_t p = 0; p < 224 * 224; p++) {
            brighter += image->pixels[p] > plain->pixels[p] + 20.0f;
            darker += image->pixels[p] < plain->pixels[p] - 20.0f;
        }
        assert_true(brighter > 25);
        assert_true(darker < brighter / 3);
        reha_gray_free(image);
    }
    reha_gray_free(plain);
}

static void test_extremes_are_drawn(void **state)
{
    (void)state;
    reha_phantom_spec spec = reha_phantom_crop(REHA_SIDE_LEFT, 4);
    spec.knees[0].medial_jsw_mm = 0.0;
    spec.knees[0].lateral_jsw_mm = 12.0;
    spec.knees[0].angle_deg = 180.0;
    spec.knees[0].plateau_width_mm = 50.0;
    for (int i = 0; i < REHA_MARGIN_COUNT; i++) {
        spec.knees[0].osteophyte_mm[i] = 10.0;
    }
    spec.knees[0].medial_sclerosis = spec.knees[0].lateral_sclerosis = 1.0;
    spec.knees[0].density = 1.7;
    reha_gray_free(draw(&spec, NULL));
    spec = reha_phantom_crop(REHA_SIDE_LEFT, 4);
    spec.width_px = spec.height_px = 1;
    reha_gray_free(draw(&spec, NULL));
    spec = reha_phantom_crop(REHA_SIDE_LEFT, 4);
    spec.knees[0].joint_px = (reha_point_px){-1e5, 1e5}; /* far outside: an empty film */
    reha_gray *image = draw(&spec, NULL);
    assert_true(reha_gray_summarise(image).mean < 10.0);
    reha_gray_free(image);
}

static void expect_refused(reha_phantom_spec spec, const char *part)
{
    reha_gray *image = (reha_gray *)1;
    reha_error err = REHA_ERROR_INIT;
    const reha_status status = reha_phantom_draw(&spec, &image, NULL, &err);
    if ((status != REHA_E_ARG && status != REHA_E_LIMIT && status != REHA_E_FORMAT) ||
        strstr(err.text, part) == NULL) {
        fail_msg("%s: %s: %s", part, reha_status_name(status), err.text);
    }
    assert_null(image);
}

static void test_bad_specifications(void **state)
{
    (void)state;
    const reha_phantom_spec good = reha_phantom_crop(REHA_SIDE_RIGHT, 1);
#define REFUSED(field, value, part)                                                                          \
    do {                                                                                                     \
        reha_phantom_spec bad = good;                                                                        \
        bad.field = value;                                                                                   \
        expect_refused(bad, part);                                                                           \
    } while (0)
    REFUSED(width_px, 0, "empty");
    REFUSED(height_px, 30000, "30000");
    REFUSED(mm_per_px, 0.0, "mm_per_px");
    REFUSED(mm_per_px, (double)NAN, "mm_per_px");
    REFUSED(mm_per_px, -0.2, "mm_per_px");
    REFUSED(mm_per_px, 5.0, "mm_per_px");
    REFUSED(knee_count, 0, "knee_count");
    REFUSED(knee_count, 3, "knee_count");
    REFUSED(exposure, 1.5, "exposure");
    REFUSED(contrast, 0.0, "contrast");
    REFUSED(blur_mm, -1.0, "blur_mm");
    REFUSED(blur_mm, (double)INFINITY, "blur_mm");
    REFUSED(noise_sd, 0.6, "noise_sd");
    REFUSED(bits, 7, "bits");
    REFUSED(bits, 17, "bits");
    REFUSED(knees[0].side, REHA_SIDE_BOTH, "right or left");
    REFUSED(knees[0].side, REHA_SIDE_UNKNOWN, "right or left");
    REFUSED(knees[0].joint_px.x_px, (double)NAN, "joint_px.x");
    REFUSED(knees[0].joint_px.y_px, 1e9, "joint_px.y");
    REFUSED(knees[0].angle_deg, 181.0, "angle_deg");
    REFUSED(knees[0].plateau_width_mm, 20.0, "plateau_width_mm");
    REFUSED(knees[0].medial_jsw_mm, -0.1, "medial_jsw_mm");
    REFUSED(knees[0].medial_jsw_mm, (double)NAN, "medial_jsw_mm");
    REFUSED(knees[0].lateral_jsw_mm, 13.0, "lateral_jsw_mm");
    REFUSED(knees[0].osteophyte_mm[2], 11.0, "osteophyte_mm");
    REFUSED(knees[0].medial_sclerosis, 1.1, "medial_sclerosis");
    REFUSED(knees[0].lateral_sclerosis, -0.1, "lateral_sclerosis");
    REFUSED(knees[0].density, 0.0, "density");
#undef REFUSED
}

static void test_out_of_memory(void **state)
{
    (void)state;
    reha_phantom_spec spec = reha_phantom_crop(REHA_SIDE_RIGHT, 1);
    spec.width_px = spec.height_px = 24;
    spec.knees[0].joint_px = (reha_point_px){12, 12};
    const size_t blocks = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    for (long n = 0; status != REHA_OK && n < 100; n++) {
        reha_gray *image = NULL;
        reha_mem_fail_after(n);
        status = reha_phantom_draw(&spec, &image, NULL, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || (status == REHA_E_NOMEM && image == NULL));
        reha_gray_free(image);
        assert_int_equal(reha_mem_live_blocks(), blocks);
    }
    assert_int_equal(status, REHA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joint_space_can_be_measured),
        cmocka_unit_test(test_truth_agrees_with_itself),
        cmocka_unit_test(test_landmarks_are_in_order),
        cmocka_unit_test(test_bone_is_brighter_than_the_gap),
        cmocka_unit_test(test_left_is_the_mirror_of_right),
        cmocka_unit_test(test_same_seed_same_picture),
        cmocka_unit_test(test_inversion_bits_and_spacing),
        cmocka_unit_test(test_exposure_contrast_noise_and_blur),
        cmocka_unit_test(test_grades_narrow_the_joint),
        cmocka_unit_test(test_osteophytes_show),
        cmocka_unit_test(test_extremes_are_drawn),
        cmocka_unit_test(test_bad_specifications),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
