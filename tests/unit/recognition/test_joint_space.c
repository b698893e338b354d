#include "support.h"

#include "base/memory.h"
#include "recognition/joint_space.h"
#include "recognition/knee_landmarks.h"

#include <math.h>
#include <string.h>

static reha_joint_space_spec spec(void)
{
    return (reha_joint_space_spec){.lateral_low = 0.06,
                                   .lateral_high = 0.26,
                                   .medial_low = 0.74,
                                   .medial_high = 0.94,
                                   .samples = 21,
                                   .refine_pull = 1.0,
                                   .refine_stiffness = 0.05,
                                   .refine_blur_px = 1.0};
}

/* Invented knees; the wanted widths come from the research code that defined the measure (NumPy). */
static const struct vector {
    double points[REHA_KNEE_POINTS][2];
    double lateral_min, medial_min, lateral_mean, medial_mean, plateau_width;
} vectors[] = {
    {{{44.42, 135.67},
      {63.87, 129.59},
      {90.20, 130.32},
      {104.95, 123.72},
      {114.92, 129.28},
      {122.54, 124.46},
      {141.79, 131.65},
      {165.49, 130.26},
      {189.62, 132.63},
      {46.57, 114.21},
      {66.07, 119.68},
      {99.68, 117.46},
      {113.16, 94.83},
      {135.93, 116.13},
      {162.22, 120.55},
      {188.34, 116.63}},
     0.069053,
     0.068737,
     0.082336,
     0.079771,
     145.2318},
    {{{36.57, 125.24},
      {60.36, 122.54},
      {86.88, 126.35},
      {105.47, 123.21},
      {109.65, 130.00},
      {122.80, 122.64},
      {136.66, 131.91},
      {160.99, 136.43},
      {183.16, 142.40},
      {46.36, 108.09},
      {69.19, 115.67},
      {99.07, 114.11},
      {118.48, 93.89},
      {133.07, 116.44},
      {162.69, 136.24},
      {185.36, 124.95}},
     0.054959,
     0.006371,
     0.073066,
     0.034237,
     147.5910},
    {{{44.62, 146.29},
      {67.60, 137.85},
      {95.16, 136.05},
      {105.68, 126.95},
      {117.97, 131.51},
      {127.78, 122.46},
      {144.06, 125.90},
      {165.67, 124.80},
      {190.98, 123.35},
      {47.35, 124.77},
      {74.69, 154.69},
      {98.09, 118.87},
      {107.50, 95.51},
      {134.38, 112.88},
      {163.02, 114.08},
      {185.82, 103.73}},
     0.0,
     0.073886,
     0.016238,
     0.088634,
     148.1469},
    {{{41.30, 130.62},
      {62.03, 131.31},
      {91.34, 128.14},
      {104.22, 124.49},
      {116.22, 130.05},
      {123.30, 123.14},
      {140.32, 131.43},
      {163.38, 132.94},
      {188.50, 138.79},
      {43.35, 112.35},
      {69.27, 118.15},
      {95.09, 117.67},
      {114.48, 96.02},
      {133.20, 115.33},
      {163.39, 123.55},
      {186.53, 118.38}},
     0.077781,
     0.064422,
     0.093980,
     0.082989,
     147.4266},
};

static void load(const struct vector *vector, bool mirrored, double scale, reha_point_px *points)
{
    for (int i = 0; i < REHA_KNEE_POINTS; i++) {
        const double x = mirrored ? 223.0 - vector->points[i][0] : vector->points[i][0];
        points[i] = (reha_point_px){x * scale, vector->points[i][1] * scale};
    }
}

static void widths_equal_the_definition(void **state)
{
    (void)state;
    const reha_joint_space_spec s = spec();
    for (size_t v = 0; v < sizeof vectors / sizeof vectors[0]; v++) {
        for (int form = 0; form < 4; form++) { /* right and left knees, pixels and millimetres */
            const double scale = form % 2 == 0 ? 1.0 : 0.52;
            reha_point_px points[REHA_KNEE_POINTS];
            reha_joint_space space;
            load(&vectors[v], form >= 2, scale, points);
            reha_joint_space_measure(points, &s, &space);
            assert_true(fabs(space.plateau_width - vectors[v].plateau_width * scale) < 1e-3);
            assert_true(fabs(space.sides[REHA_LATERAL].minimum - vectors[v].lateral_min) < 2e-6);
            assert_true(fabs(space.sides[REHA_MEDIAL].minimum - vectors[v].medial_min) < 2e-6);
            assert_true(fabs(space.sides[REHA_LATERAL].mean - vectors[v].lateral_mean) < 2e-6);
            assert_true(fabs(space.sides[REHA_MEDIAL].mean - vectors[v].medial_mean) < 2e-6);
            for (int side = 0; side < 2; side++) {
                const double at = space.sides[side].minimum_at;
                assert_true(side == REHA_LATERAL ? at >= 0.06 && at <= 0.26 : at >= 0.74 && at <= 0.94);
            }
        }
    }
}

static void landmarks_without_a_plateau_give_no_number(void **state)
{
    (void)state;
    const reha_joint_space_spec s = spec();
    reha_point_px points[REHA_KNEE_POINTS] = {{0, 0}};
    reha_joint_space space;
    reha_joint_space_measure(points, &s, &space); /* all in one place */
    assert_true(isnan(space.plateau_width) && isnan(space.sides[0].minimum) && isnan(space.sides[1].mean));
    load(&vectors[0], false, 1.0, points);
    points[8].x_px = (double)NAN;
    reha_joint_space_measure(points, &s, &space);
    assert_true(isnan(space.plateau_width) && isnan(space.sides[REHA_MEDIAL].minimum));
}

/* ---- Refinement ---- */

static const double base[REHA_KNEE_POINTS][2] = {
    {30, 140},  {55, 136}, {85, 135}, {101, 128}, {112, 134}, {123, 127}, {140, 134}, {168, 135},
    {196, 139}, {34, 118}, {60, 123}, {92, 120},  {112, 96},  {134, 119}, {166, 124}, {192, 117}};

static double curve(int first, int count, double x)
{
    if (x <= base[first][0]) {
        return base[first][1];
    }
    for (int i = 1; i < count; i++) {
        if (x < base[first + i][0]) {
            const double part = (x - base[first + i - 1][0]) / (base[first + i][0] - base[first + i - 1][0]);
            return base[first + i - 1][1] + part * (base[first + i][1] - base[first + i - 1][1]);
        }
    }
    return base[first + count - 1][1];
}

/* Bone edges 3 px below the femoral and 2 px below the tibial landmarks: the true space is 1 px narrower. */
static reha_gray *drawn_knee(bool mirrored, bool inverted)
{
    reha_gray *image = NULL;
    if (reha_gray_new(224, 224, &image, NULL) != REHA_OK) {
        fail();
    }
    for (int y = 0; y < 224; y++) {
        for (int x = 0; x < 224; x++) {
            const double femur = 1.0 / (1.0 + exp((y - curve(9, 7, x) - 3.0) / 1.2));
            const double tibia = 1.0 / (1.0 + exp(-(y - curve(0, 9, x) - 2.0) / 1.2));
            const double v = inverted ? 2.0 - femur - tibia : femur + tibia;
            image->pixels[y * 224 + (mirrored ? 223 - x : x)] = (float)v;
        }
    }
    return image;
}

static void edges_pull_the_widths(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    for (int form = 0; form < 4; form++) {
        reha_gray *image = drawn_knee(form % 2 != 0, form >= 2);
        reha_point_px points[REHA_KNEE_POINTS];
        for (int i = 0; i < REHA_KNEE_POINTS; i++) {
            points[i] = (reha_point_px){form % 2 != 0 ? 223.0 - base[i][0] : base[i][0], base[i][1]};
        }
        static const struct {
            double range, strength, pull, lateral, medial;
        } cases[] = {{0.02, 1.0, 0.6, 0.07335, 0.06168},
                     {0.01, 0.5, 1.0, 0.07723, 0.06558},
                     {0.0, 1.0, 1.0, 0.07759, 0.0659}};
        for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
            reha_joint_space_spec s = spec();
            reha_joint_space space;
            s.refine_range_ratio = cases[c].range;
            s.refine_strength = cases[c].strength;
            s.refine_pull = cases[c].pull;
            reha_joint_space_measure(points, &s, &space);
            assert_ok(reha_joint_space_refine(image, points, form >= 2, &s, &space, &err), &err);
            /* 0.002 of the plateau is 0.15 mm: the two codes resample differently, and the pull decides. */
            assert_true(fabs(space.sides[REHA_LATERAL].minimum - cases[c].lateral) < 0.002);
            assert_true(fabs(space.sides[REHA_MEDIAL].minimum - cases[c].medial) < 0.002);
        }
        reha_gray_free(image);
    }
}

static void the_refinement_survives_a_blank_and_a_tiny_image(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_joint_space_spec s = spec();
    reha_point_px points[REHA_KNEE_POINTS];
    reha_joint_space space;
    reha_gray *tiny = NULL;
    s.refine_range_ratio = 0.02;
    s.refine_strength = 1.0;
    load(&vectors[0], false, 1.0, points);
    assert_ok(reha_gray_new(3, 2, &tiny, &err), &err);
    reha_joint_space_measure(points, &s, &space);
    assert_ok(reha_joint_space_refine(tiny, points, false, &s, &space, &err), &err);
    assert_true(isfinite(space.sides[0].minimum) && fabs(space.sides[0].minimum - 0.069053) < 0.01);
    reha_gray_free(tiny);
}

static void failing_allocations_leak_nothing(void **state)
{
    (void)state;
    reha_joint_space_spec s = spec();
    s.refine_range_ratio = 0.02;
    s.refine_strength = 1.0;
    reha_gray *image = drawn_knee(false, false);
    reha_point_px points[REHA_KNEE_POINTS];
    reha_joint_space space;
    load(&vectors[1], false, 1.0, points);
    reha_status status = REHA_E_NOMEM;
    for (long round = 0; status != REHA_OK; round++) {
        reha_joint_space_measure(points, &s, &space);
        const size_t before = reha_mem_live_blocks();
        reha_mem_fail_after(round);
        status = reha_joint_space_refine(image, points, false, &s, &space, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_int_equal(reha_mem_live_blocks(), before);
        assert_true(round < 60);
    }
    reha_gray_free(image);
}

/* ---- Heat maps and poses ---- */

static void a_heat_map_is_read_at_its_centre(void **state)
{
    (void)state;
    enum { CELLS = 56, STRIDE = 4 };
    static float maps[2 * CELLS * CELLS];
    const double centres[2][2] = {{100.3, 61.7}, {13.5, 201.25}};
    for (int m = 0; m < 2; m++) {
        for (int r = 0; r < CELLS; r++) {
            for (int c = 0; c < CELLS; c++) {
                const double dx = c * STRIDE + 1.5 - centres[m][0];
                const double dy = r * STRIDE + 1.5 - centres[m][1];
                maps[(m * CELLS + r) * CELLS + c] = (float)(40.0 - (dx * dx + dy * dy) / (2 * 5.0 * 5.0));
            }
        }
    }
    reha_point_px points[2];
    double blur_px = 0.0;
    reha_heatmap_decode(maps, 2, CELLS, STRIDE, points, &blur_px);
    for (int m = 0; m < 2; m++) {
        assert_true(fabs(points[m].x_px - centres[m][0]) < 0.05);
        assert_true(fabs(points[m].y_px - centres[m][1]) < 0.05);
    }
    assert_true(fabs(blur_px - 5.0 * sqrt(2.0)) < 0.05);
    memset(maps, 0, sizeof maps); /* knows nothing: the middle, and very blurred */
    reha_heatmap_decode(maps, 2, CELLS, STRIDE, points, &blur_px);
    assert_true(fabs(points[0].x_px - 111.5) < 1e-3 && blur_px > 80.0);
}

static void the_pose_follows_the_plateau_on_both_sides(void **state)
{
    (void)state;
    reha_point_px points[REHA_KNEE_POINTS] = {{0, 0}};
    points[0] = (reha_point_px){100, 200};
    points[8] = (reha_point_px){300, 220};
    reha_knee_pose pose = reha_knee_pose_of_points(points, true);
    assert_true(fabs(pose.x_px - 200) < 1e-9 && fabs(pose.y_px - 210) < 1e-9);
    assert_true(fabs(pose.angle_deg - 5.7106) < 1e-3);
    assert_true(fabs(pose.plateau_width_px - 200.9975) < 1e-3);
    const reha_point_px swap = points[0];
    points[0] = points[8];
    points[8] = swap;
    pose = reha_knee_pose_of_points(points, false);
    assert_true(fabs(pose.angle_deg - 5.7106) < 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths_equal_the_definition),
        cmocka_unit_test(landmarks_without_a_plateau_give_no_number),
        cmocka_unit_test(edges_pull_the_widths),
        cmocka_unit_test(the_refinement_survives_a_blank_and_a_tiny_image),
        cmocka_unit_test(failing_allocations_leak_nothing),
        cmocka_unit_test(a_heat_map_is_read_at_its_centre),
        cmocka_unit_test(the_pose_follows_the_plateau_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
