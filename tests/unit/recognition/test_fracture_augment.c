/* Parts of pictures keep their boxes on what was boxed, and targets say where it lies. */
#include "support.h"

#include "recognition/fracture_augment.h"
#include "recognition/fracture_net.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 300, HEIGHT = 500, SIDE = 256, CELLS = (SIDE / 8) * (SIDE / 8) };
static uint8_t pixels[WIDTH * HEIGHT];
static float part[SIDE * SIDE];
static float centres[CELLS];
static float sizes[4 * CELLS];

/* A bright ellipse in a dim picture, with its box. */
static const reha_edges mark = {0.40, 0.52, 0.60, 0.58};

static void draw_mark(void)
{
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            const double dx = ((x + 0.5) / WIDTH - 0.5) / 0.10;
            const double dy = ((y + 0.5) / HEIGHT - 0.55) / 0.03;
            pixels[y * WIDTH + x] = dx * dx + dy * dy <= 1.0 ? 250 : 60;
        }
    }
}

static reha_edges bright_box(void)
{
    reha_edges box = {SIDE, SIDE, 0.0, 0.0};
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            if (part[y * SIDE + x] > 0.62F) {
                box.x0 = fmin(box.x0, x);
                box.y0 = fmin(box.y0, y);
                box.x1 = fmax(box.x1, x + 1.0);
                box.y1 = fmax(box.y1, y + 1.0);
            }
        }
    }
    return box;
}

static void test_boxes_follow_the_picture(void **state)
{
    const reha_fracture_picture picture = {pixels, WIDTH, HEIGHT, &mark, 1};
    reha_fracture_augment_spec spec = reha_fracture_augment_spec_default();
    int seen = 0;
    (void)state;
    draw_mark();
    spec.side_px = SIDE;
    spec.contrast_log = spec.brightness = spec.gamma_log = spec.noise_high = 0.0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        reha_edges boxes[REHA_FRACTURE_PART_BOXES_MAX];
        reha_random random = reha_random_init(seed, 1);
        const size_t count = reha_fracture_augment(&picture, &spec, &random, part, boxes);
        const reha_edges bright = bright_box();
        const bool is_whole =
            bright.x0 > 1.0 && bright.y0 > 1.0 && bright.x1 < SIDE - 1.0 && bright.y1 < SIDE - 1.0;
        if (bright.x1 <= 0.0 || !is_whole) {
            continue;
        }
        assert_int_equal(count, 1);
        if (reha_edges_iou(&bright, &boxes[0]) < 0.75) {
            fail_msg("seed %d: bright %.0f %.0f %.0f %.0f, box %.0f %.0f %.0f %.0f", (int)seed, bright.x0,
                     bright.y0, bright.x1, bright.y1, boxes[0].x0, boxes[0].y0, boxes[0].x1, boxes[0].y1);
        }
        seen++;
    }
    assert_true(seen > 30);
}

static void test_same_random_state_same_part(void **state)
{
    const reha_fracture_picture picture = {pixels, WIDTH, HEIGHT, &mark, 1};
    const reha_fracture_augment_spec spec = reha_fracture_augment_spec_default();
    reha_edges boxes[REHA_FRACTURE_PART_BOXES_MAX];
    static float again[SIDE * SIDE];
    (void)state;
    assert_int_equal(spec.side_px, SIDE);
    reha_random random = reha_random_init(7, 1);
    (void)reha_fracture_augment(&picture, &spec, &random, part, boxes);
    random = reha_random_init(7, 1);
    (void)reha_fracture_augment(&picture, &spec, &random, again, boxes);
    assert_memory_equal(part, again, sizeof part);
}

/* Box from (96, 64) to (128, 80): its centre (112, 72) lies in cell (14, 9), on that cell's corner. */
static void test_targets_by_hand(void **state)
{
    const reha_edges box = {96.0, 64.0, 128.0, 80.0};
    const int side = SIDE / 8;
    const int cell = 9 * side + 14;
    (void)state;
    reha_fracture_targets(&box, 1, SIDE, 32.0, centres, sizes);
    assert_true(centres[cell] == 1.0F);
    assert_true(centres[cell + 1] < 1.0F && centres[cell + 1] > centres[cell + 2]);
    assert_true(centres[0] < 1e-6F);
    assert_true(fabs((double)sizes[cell] - 0.0) < 1e-6);
    assert_true(fabs((double)sizes[CELLS + cell] - log(0.5)) < 1e-6);
    assert_true(fabs((double)sizes[2 * CELLS + cell] + 0.5) < 1e-6);
    assert_true(fabs((double)sizes[3 * CELLS + cell] + 0.5) < 1e-6);
    assert_true(isnan(sizes[0]) && isnan(sizes[CELLS]));
    reha_fracture_targets(&box, 0, SIDE, 32.0, centres, sizes);
    assert_true(centres[cell] == 0.0F && isnan(sizes[cell]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_boxes_follow_the_picture),
                                       cmocka_unit_test(test_same_random_state_same_part),
                                       cmocka_unit_test(test_targets_by_hand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
