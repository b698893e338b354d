/* A picture as another hospital would have cut and exposed it: what is kept stays where it was, what lies
 * outside repeats the border, grey values keep their order. */
#include "support.h"

#include "recognition/knee_augment.h"

#include <math.h>
#include <string.h>

enum { SIDE = 224, DRAWS = 200 };
static uint8_t raw[SIDE * SIDE];
static float square[SIDE * SIDE];
static float again[SIDE * SIDE];

/* Every grey value, brighter to the right and, a little, downwards: rows and columns can be told apart. */
static void draw_ramp(void)
{
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            raw[y * SIDE + x] = (uint8_t)(x / 2 + y / 2);
        }
    }
}

static bool rows_equal(int one, int other)
{
    return memcmp(square + one * SIDE, square + other * SIDE, SIDE * sizeof *square) == 0;
}

static void test_the_window_holds_the_joint(void **state)
{
    (void)state;
    const reha_knee_crop_spec crop = reha_knee_crop_spec_default();
    const reha_knee_reframe_spec spec = reha_knee_reframe_spec_default();
    int cut_above = 0;
    int cut_below = 0;
    draw_ramp();
    for (int i = 0; i < DRAWS; i++) {
        reha_random random = reha_random_init(3, (uint64_t)i);
        reha_knee_reframe(raw, &crop, &spec, &random, square);
        int top = 0;
        int bottom = SIDE - 1;
        while (top < SIDE - 1 && rows_equal(top, top + 1)) {
            top++;
        }
        while (bottom > 0 && rows_equal(bottom, bottom - 1)) {
            bottom--;
        }
        /* Rows of the ramp differ from every second one only. */
        assert_in_range(bottom - top, (int)(spec.height_min * SIDE) - 4, (int)(spec.height_max * SIDE) + 2);
        assert_true(top < crop.joint_y_px && bottom > crop.joint_y_px);
        cut_above += top > 2 ? 1 : 0;
        cut_below += bottom < SIDE - 3 ? 1 : 0;
    }
    assert_true(cut_above > DRAWS / 2 && cut_below > DRAWS / 10);
}

static void test_tones_keep_their_order_and_reach_both_ends(void **state)
{
    (void)state;
    const reha_knee_crop_spec crop = reha_knee_crop_spec_default();
    reha_knee_reframe_spec spec = reha_knee_reframe_spec_default();
    int changed = 0;
    spec.height_min = spec.height_max = 1.0;
    spec.side_max = 0.0;
    draw_ramp();
    for (int i = 0; i < DRAWS; i++) {
        reha_random random = reha_random_init(4, (uint64_t)i);
        reha_knee_reframe(raw, &crop, &spec, &random, square);
        for (int p = 1; p < SIDE * SIDE; p++) {
            assert_true(square[p] >= 0.0F && square[p] <= 255.0F);
            if (p % SIDE != 0) {
                assert_true(square[p] >= square[p - 1]); /* the ramp rises along its rows */
            }
        }
        assert_true(square[0] == 0.0F && square[SIDE * SIDE - 1] == 255.0F);
        changed += fabsf(square[112 * SIDE + 112] - (float)raw[112 * SIDE + 112]) > 4.0F ? 1 : 0;
    }
    assert_true(changed > DRAWS / 2);
}

static void test_the_same_draw_gives_the_same_picture(void **state)
{
    (void)state;
    const reha_knee_crop_spec crop = reha_knee_crop_spec_default();
    const reha_knee_reframe_spec spec = reha_knee_reframe_spec_default();
    draw_ramp();
    reha_random one = reha_random_init(5, 1);
    reha_random same = reha_random_init(5, 1);
    reha_random other = reha_random_init(5, 2);
    reha_knee_reframe(raw, &crop, &spec, &one, square);
    reha_knee_reframe(raw, &crop, &spec, &same, again);
    assert_memory_equal(square, again, sizeof square);
    reha_knee_reframe(raw, &crop, &spec, &other, again);
    assert_memory_not_equal(square, again, sizeof square);
    memset(raw, 77, sizeof raw); /* a blank picture is no fault */
    reha_knee_reframe(raw, &crop, &spec, &one, square);
    for (int p = 0; p < SIDE * SIDE; p++) {
        assert_true(isfinite(square[p]) && square[p] == square[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_window_holds_the_joint),
                                       cmocka_unit_test(test_tones_keep_their_order_and_reach_both_ends),
                                       cmocka_unit_test(test_the_same_draw_gives_the_same_picture)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
