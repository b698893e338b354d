#include "support.h"

#include "base/memory.h"
#include "recognition/knee_preprocess.h"

#include <math.h>
#include <string.h>

enum { SIDE = 224 };

/* A drawn knee: shafts bright, joint line dark, soft tissue falling off to the sides. */
static reha_gray *drawing(uint32_t side, bool inverted)
{
    reha_gray *image = NULL;
    if (reha_gray_new(side, side, &image, NULL) != REHA_OK) {
        fail();
    }
    const double zoom = (double)SIDE / side;
    for (uint32_t row = 0; row < side; row++) {
        for (uint32_t column = 0; column < side; column++) {
            const double x = (column + 0.5) * zoom - 0.5;
            const double y = (row + 0.5) * zoom - 0.5;
            double v = 120 + 70 * exp(-(pow(x - 112, 2) + pow(y - 60, 2)) / 5000) +
                       60 * exp(-(pow(x - 112, 2) + pow(y - 190, 2)) / 3500) -
                       50 * exp(-pow(y - 132, 2) / 40) - 0.25 * fabs(x - 112) +
                       fmod(x * 7 + y * 13, 17) / 4.0;
            v = floor(fmin(fmax(v, 0.0), 255.0));
            image->pixels[row * side + column] = (float)(inverted ? 255.0 - v : v);
        }
    }
    return image;
}

/* The reference values come from the recipe's own NumPy preparation of the same drawing. */
static void a_ready_crop_is_prepared_as_in_training(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const reha_knee_crop_spec spec = reha_knee_crop_spec_default();
    static const int places[8][2] = {{0, 0},     {60, 112},  {100, 40},  {132, 100},
                                     {131, 190}, {190, 112}, {223, 223}, {150, 30}};
    static const int wanted[8] = {58, 188, 130, 46, 12, 198, 70, 112};
    static float square[SIDE * SIDE];
    for (int inverted = 0; inverted < 2; inverted++) {
        reha_gray *image = drawing(SIDE, inverted != 0);
        const reha_knee_pose whole = reha_knee_pose_whole(image, &spec);
        assert_ok(reha_knee_square(image, &whole, &spec, false, square, &err), &err);
        assert_int_equal(memcmp(square, image->pixels, sizeof square), 0); /* copied, not resampled */
        assert_int_equal(reha_knee_looks_inverted(square, SIDE), inverted);
        assert_ok(reha_knee_square(image, &whole, &spec, inverted != 0, square, &err), &err);
        assert_ok(reha_knee_normalise(&spec, square, &err), &err);
        double mean = 0.0;
        for (int i = 0; i < SIDE * SIDE; i++) {
            assert_true(square[i] >= 0.0f && square[i] <= 1.0f);
            mean += (double)square[i] * 255.0 / (SIDE * SIDE);
        }
        assert_true(fabs(mean - 125.688) < 0.02);
        for (int i = 0; i < 8; i++) {
            const float value = square[places[i][0] * SIDE + places[i][1]] * 255.0f;
            assert_true(fabsf(value - (float)wanted[i]) < 1.01f);
        }
        reha_gray_free(image);
    }
}

static void the_window_is_cut_between_rows_and_mirrored(void **state)
{
    (void)state;
    reha_knee_crop_spec spec = reha_knee_crop_spec_default();
    static float square[SIDE * SIDE];
    static float plain[SIDE * 128];
    static float mirrored[SIDE * 128];
    for (int i = 0; i < SIDE * SIDE; i++) {
        square[i] = (float)(i / SIDE) + 0.001f * (float)(i % SIDE);
    }
    reha_knee_window(&spec, square, false, plain);
    reha_knee_window(&spec, square, true, mirrored);
    assert_true(fabsf(plain[0] - 68.5f) < 1e-4f); /* between rows 68 and 69 */
    assert_true(fabsf(plain[127 * SIDE + 223] - 195.723f) < 1e-3f);
    for (int y = 0; y < 128; y++) {
        for (int x = 0; x < SIDE; x++) {
            assert_true(plain[y * SIDE + x] == mirrored[y * SIDE + SIDE - 1 - x]);
        }
    }
}

static void a_pose_brings_the_knee_to_its_place(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const reha_knee_crop_spec spec = reha_knee_crop_spec_default();
    reha_gray *image = NULL;
    assert_ok(reha_gray_new(800, 600, &image, &err), &err);
    const double angle = 8.0 * 3.14159265358979 / 180.0;
    /* two bright spots at the ends of a plateau that is 260 px wide and turned by 8 degrees */
    const double ends[2][2] = {{500 - 130 * cos(angle), 300 - 130 * sin(angle)},
                               {500 + 130 * cos(angle), 300 + 130 * sin(angle)}};
    for (int y = 0; y < 600; y++) {
        for (int x = 0; x < 800; x++) {
            for (int e = 0; e < 2; e++) {
                image->pixels[y * 800 + x] +=
                    (float)(100 * exp(-(pow(x - ends[e][0], 2) + pow(y - ends[e][1], 2)) / 30.0));
            }
        }
    }
    static float square[SIDE * SIDE];
    const reha_knee_pose pose = {.x_px = 500, .y_px = 300, .plateau_width_px = 260, .angle_deg = 8.0};
    assert_ok(reha_knee_square(image, &pose, &spec, false, square, &err), &err);
    for (int e = 0; e < 2; e++) {
        double sum = 0.0;
        double x_mean = 0.0;
        double y_mean = 0.0;
        for (int y = 0; y < SIDE; y++) {
            for (int x = e * SIDE / 2; x < (e + 1) * SIDE / 2; x++) {
                const double v = (double)square[y * SIDE + x];
                sum += v;
                x_mean += v * x;
                y_mean += v * y;
            }
        }
        const double wanted = spec.joint_x_px + (e - 0.5) * spec.plateau_width_px;
        assert_true(fabs(x_mean / sum - wanted) < 0.25);
        assert_true(fabs(y_mean / sum - spec.joint_y_px) < 0.25);
    }
    assert_false(reha_knee_pose_is_ready(image, &pose, &spec));
    reha_gray_free(image);
}

static void a_ready_crop_is_told_from_a_whole_film(void **state)
{
    (void)state;
    const reha_knee_crop_spec spec = reha_knee_crop_spec_default();
    reha_gray *image = drawing(448, false);
    reha_knee_pose pose = reha_knee_pose_whole(image, &spec);
    assert_true(reha_knee_pose_is_ready(image, &pose, &spec));
    pose.plateau_width_px *= 1.1;
    pose.x_px += 20.0;
    assert_true(reha_knee_pose_is_ready(image, &pose, &spec));
    pose.plateau_width_px *= 0.6;
    assert_false(reha_knee_pose_is_ready(image, &pose, &spec));
    pose = reha_knee_pose_whole(image, &spec);
    pose.y_px += 100.0;
    assert_false(reha_knee_pose_is_ready(image, &pose, &spec));
    reha_gray_free(image);
}

static void a_crop_of_other_size_gives_nearly_the_same_input(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_knee_crop_spec spec = reha_knee_crop_spec_default();
    reha_gray *small = drawing(SIDE, false);
    reha_gray *large = drawing(2 * SIDE, false);
    static float a[SIDE * 128];
    static float b[SIDE * 128];
    assert_ok(reha_knee_canonical(small, NULL, &spec, false, false, a, &err), &err);
    assert_ok(reha_knee_canonical(large, NULL, &spec, false, false, b, &err), &err);
    double difference = 0.0;
    for (int i = 0; i < SIDE * 128; i++) {
        difference += fabs((double)a[i] - (double)b[i]) / (SIDE * 128);
    }
    assert_true(difference < 0.03);
    reha_gray_free(large);
    reha_gray_free(small);
}

static void a_blank_square_stays_finite(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const reha_knee_crop_spec spec = reha_knee_crop_spec_default();
    static float square[SIDE * SIDE];
    for (int i = 0; i < SIDE * SIDE; i++) {
        square[i] = i == 77 ? NAN : 1000.0f;
    }
    assert_ok(reha_knee_normalise(&spec, square, &err), &err);
    for (int i = 0; i < SIDE * SIDE; i++) {
        assert_true(square[i] >= 0.0f && square[i] <= 1.0f);
    }
}

static void a_place_outside_of_the_image_is_refused(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const reha_knee_crop_spec spec = reha_knee_crop_spec_default();
    reha_gray *image = drawing(SIDE, false);
    static float square[SIDE * SIDE];
    const reha_knee_pose wrong[] = {{.x_px = NAN, .y_px = 3, .plateau_width_px = 100},
                                    {.x_px = 3, .y_px = INFINITY, .plateau_width_px = 100},
                                    {.x_px = 3, .y_px = 3, .plateau_width_px = 0},
                                    {.x_px = 3, .y_px = 3, .plateau_width_px = -5},
                                    {.x_px = 3, .y_px = 3, .plateau_width_px = NAN},
                                    {.x_px = 3, .y_px = 3, .plateau_width_px = 1e9},
                                    {.x_px = 5000, .y_px = 3, .plateau_width_px = 100},
                                    {.x_px = 3, .y_px = 3, .plateau_width_px = 100, .angle_deg = NAN}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(reha_knee_square(image, &wrong[i], &spec, false, square, &err), REHA_E_ARG);
    }
    reha_gray_free(image);
}

static void the_spec_survives_json_and_nonsense_does_not(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_knee_crop_spec spec = reha_knee_crop_spec_default();
    reha_knee_crop_spec back;
    json_t *json = NULL;
    spec.joint_y_px = 131.25;
    spec.quantise = false;
    assert_ok(reha_knee_crop_spec_check(&spec, &err), &err);
    assert_ok(reha_knee_crop_to_json(&spec, &json, &err), &err);
    assert_ok(reha_knee_crop_from_json(json, &back, &err), &err);
    assert_true(back.joint_y_px == 131.25 && !back.quantise && back.window_y_px == spec.window_y_px);
    assert_true(back.local_share == spec.local_share && back.local_box_px == spec.local_box_px);
    assert_true(back.ready_scale_max == spec.ready_scale_max && back.window_h_px == spec.window_h_px);
    static const struct {
        const char *key, *value;
    } wrong[] = {{"size_px", "0"},
                 {"size_px", "224.5"},
                 {"size_px", "\"big\""},
                 {"size_px", "100000"},
                 {"window_px", "[0,0,224]"},
                 {"window_px", "[0,100,224,128]"},
                 {"window_px", "[-1,0,224,128]"},
                 {"window_px", "[0,0,4,4]"},
                 {"percentiles", "[99,1]"},
                 {"percentiles", "[0,101]"},
                 {"joint_px", "[500,1]"},
                 {"plateau_width_px", "0"},
                 {"ready_scale", "[2,1]"},
                 {"local_contrast", "{}"},
                 {"local_contrast", "7"},
                 {"ready_shift_px", "-1"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_t *broken = json_deep_copy(json);
        json_object_set_new(broken, wrong[i].key, json_loads(wrong[i].value, JSON_DECODE_ANY, NULL));
        assert_int_equal(reha_knee_crop_from_json(broken, &back, &err), REHA_E_FORMAT);
        json_object_del(broken, wrong[i].key);
        assert_int_equal(reha_knee_crop_from_json(broken, &back, &err), REHA_E_FORMAT);
        json_decref(broken);
    }
    json_decref(json);
}

static void failing_allocations_leak_nothing(void **state)
{
    (void)state;
    const reha_knee_crop_spec spec = reha_knee_crop_spec_default();
    reha_gray *image = drawing(300, false);
    static float out[SIDE * 128];
    reha_status status = REHA_E_NOMEM;
    for (long round = 0; status != REHA_OK; round++) {
        const size_t before = reha_mem_live_blocks();
        reha_mem_fail_after(round);
        status = reha_knee_canonical(image, NULL, &spec, false, true, out, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_int_equal(reha_mem_live_blocks(), before);
        assert_true(round < 40);
    }
    reha_gray_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ready_crop_is_prepared_as_in_training),
        cmocka_unit_test(the_window_is_cut_between_rows_and_mirrored),
        cmocka_unit_test(a_pose_brings_the_knee_to_its_place),
        cmocka_unit_test(a_ready_crop_is_told_from_a_whole_film),
        cmocka_unit_test(a_crop_of_other_size_gives_nearly_the_same_input),
        cmocka_unit_test(a_blank_square_stays_finite),
        cmocka_unit_test(a_place_outside_of_the_image_is_refused),
        cmocka_unit_test(the_spec_survives_json_and_nonsense_does_not),
        cmocka_unit_test(failing_allocations_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
