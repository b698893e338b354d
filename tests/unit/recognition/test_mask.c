/* Masks over the image: where a map lies, what is inside, what the region owns. */
#include "support.h"

#include "recognition/finding.h"

#include <string.h>

enum { SIDE = 8, WIDTH = 40, HEIGHT = 24 };

static size_t count_inside(const reha_mask *mask)
{
    size_t count = 0;
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT; i++) {
        count += mask->inside[i];
    }
    return count;
}

/* The left half of a map over a box of 16 x 8 pixels: its left 8 columns, no mirror image of them. */
static void test_half_a_map(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    float map[SIDE * SIDE];
    reha_mask mask;
    const reha_box_px box = {9.5, 3.5, 16.0, 8.0}; /* pixels 10 to 25, rows 4 to 11 */
    for (int i = 0; i < SIDE * SIDE; i++) {
        map[i] = i % SIDE < SIDE / 2 ? 1.0F : 0.0F;
    }
    assert_ok(reha_mask_new("half", WIDTH, HEIGHT, &mask, &err), &err);
    assert_int_equal(count_inside(&mask), 0);
    reha_mask_from_map(map, SIDE, box, WIDTH, HEIGHT, &mask);
    for (uint32_t y = 0; y < HEIGHT; y++) {
        for (uint32_t x = 0; x < WIDTH; x++) {
            const bool is_inside = x >= 10 && x < 18 && y >= 4 && y < 12;
            assert_int_equal(mask.inside[y * WIDTH + x], is_inside ? 1 : 0);
        }
    }
    reha_mask_clear(&mask);
    assert_null(mask.inside);
}

/* A box that is partly or wholly outside, or none at all. */
static void test_boxes_beside_the_image(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    float map[SIDE * SIDE];
    reha_mask mask;
    for (int i = 0; i < SIDE * SIDE; i++) {
        map[i] = 1.0F;
    }
    const struct {
        reha_box_px box;
        size_t count;
    } cases[] = {{{-0.5, -0.5, WIDTH, HEIGHT}, (size_t)WIDTH * HEIGHT},
                 {{-10.5, -10.5, 20.0, 20.0}, 100},
                 {{WIDTH - 2.5, 0.5, 100.0, 2.0}, 4},
                 {{WIDTH + 5.0, 0.0, 10.0, 10.0}, 0},
                 {{-50.0, 0.0, 10.0, 10.0}, 0},
                 {{5.0, 5.0, 0.0, 10.0}, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(reha_mask_new("all", WIDTH, HEIGHT, &mask, &err), &err);
        reha_mask_from_map(map, SIDE, cases[i].box, WIDTH, HEIGHT, &mask);
        assert_int_equal(count_inside(&mask), cases[i].count);
        reha_mask_clear(&mask);
    }
}

static void test_masks_of_a_region(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_analysis *analysis = NULL;
    reha_mask *mask = NULL;
    assert_ok(reha_analysis_new("muscle-us", &analysis, &err), &err);
    analysis->width_px = WIDTH;
    analysis->height_px = HEIGHT;
    for (int i = 0; i < REHA_MASKS_MAX; i++) {
        assert_ok(reha_region_add_mask(analysis, &analysis->regions[0], "belly", &mask, &err), &err);
        assert_string_equal(mask->key, "belly");
        mask->inside[(size_t)WIDTH * HEIGHT - 1] = 1;
    }
    assert_int_equal(analysis->regions[0].mask_count, REHA_MASKS_MAX);
    reha_analysis_free(analysis); /* the sanitizer's build tells what is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_half_a_map),
                                       cmocka_unit_test(test_boxes_beside_the_image),
                                       cmocka_unit_test(test_masks_of_a_region)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
