/* The looks of other scanners: what each may touch, and where the tissue lies afterwards. */
#include "muscle_picture.h"

#include "recognition/muscle_changes.h"

#include <string.h>

typedef struct changed {
    reha_gray *image, *mask;
} changed;

static reha_gray *drawn, *drawn_mask;

static int draw(void **state)
{
    (void)state;
    const muscle_picture spec = muscle_picture_default();
    drawn = muscle_picture_draw(&spec);
    drawn->spacing = (reha_spacing){0.5, 0.5, REHA_SPACING_USER};
    drawn_mask = muscle_picture_draw(&spec);
    drawn_mask->spacing = drawn->spacing;
    for (int i = 0; i < PICTURE_W * PICTURE_H; i++) { /* of the deep band only, so that every flip shows */
        const double off = i / PICTURE_W - muscle_picture_bottom(&spec, i % PICTURE_W);
        drawn_mask->pixels[i] = off > 0.0 && off < 10.0 ? 255.0F : 0.0F;
    }
    return 0;
}

static int forget(void **state)
{
    (void)state;
    reha_gray_free(drawn);
    reha_gray_free(drawn_mask);
    return 0;
}

static reha_muscle_scan scan(void)
{
    return (reha_muscle_scan){.image = drawn,
                              .mask = drawn_mask,
                              .box = {TISSUE_X, TISSUE_Y, TISSUE_W, TISSUE_H},
                              .top_px = 110.0,
                              .bottom_px = 300.0};
}

static const reha_muscle_change *find(const char *name)
{
    for (const reha_muscle_change *c = reha_muscle_changes; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    fail_msg("no change '%s'", name);
    return NULL;
}

static changed make(const char *name)
{
    reha_error err = REHA_ERROR_INIT;
    changed out = {NULL, NULL};
    const reha_muscle_scan from = scan();
    reha_random random = reha_random_init(3, 7);
    assert_ok(reha_muscle_change_make(find(name), &from, &random, &out.image, &out.mask, &err), &err);
    return out;
}

static void clear(changed *c)
{
    reha_gray_free(c->image);
    reha_gray_free(c->mask);
}

static double at(const reha_gray *image, int x, int y)
{
    return (double)reha_gray_at(image, (uint32_t)x, (uint32_t)y);
}

static void each_gives_a_picture_with_its_mask(void **state)
{
    (void)state;
    for (const reha_muscle_change *c = reha_muscle_changes; c->name != NULL; c++) {
        changed one = make(c->name);
        changed again = make(c->name);
        double drawn_px = 0.0;
        const size_t count = (size_t)one.image->width_px * one.image->height_px;
        if (one.image->width_px != one.mask->width_px || one.image->height_px != one.mask->height_px ||
            !reha_spacing_is_known(one.image->spacing) || c->text[0] == '\0') {
            fail_msg("%s: sizes or spacing", c->name);
        }
        for (size_t i = 0; i < count; i++) {
            drawn_px += one.mask->pixels[i] > 127.0F ? 1.0 : 0.0;
            if (!(one.image->pixels[i] >= 0.0F && one.image->pixels[i] <= 255.01F)) {
                fail_msg("%s: grey %g", c->name, (double)one.image->pixels[i]);
            }
        }
        if (drawn_px < 500.0) {
            fail_msg("%s: the mask is gone", c->name);
        }
        assert_memory_equal(one.image->pixels, again.image->pixels,
                            count * sizeof(float)); /* same seed, same picture */
        clear(&one);
        clear(&again);
    }
}

static void none_changes_nothing_and_greys_leave_the_screen_alone(void **state)
{
    (void)state;
    static const char *const tones[] = {"gain-low", "range-40", "gamma-dark", "gain-steps", "grain-smooth"};
    changed none = make("none");
    assert_memory_equal(none.image->pixels, drawn->pixels, sizeof(float) * PICTURE_W * PICTURE_H);
    clear(&none);
    for (size_t i = 0; i < sizeof tones / sizeof tones[0]; i++) {
        changed one = make(tones[i]);
        assert_memory_equal(one.mask->pixels, drawn_mask->pixels, sizeof(float) * PICTURE_W * PICTURE_H);
        assert_memory_equal(one.image->pixels, drawn->pixels, sizeof(float) * PICTURE_W * TISSUE_Y);
        assert_true(memcmp(one.image->pixels, drawn->pixels, sizeof(float) * PICTURE_W * PICTURE_H) != 0);
        clear(&one);
    }
}

static void a_narrow_range_keeps_white_or_the_tissues_mean(void **state)
{
    (void)state;
    changed cut = make("blacks-cut");
    double sums[2] = {0.0, 0.0};
    for (int y = TISSUE_Y; y < TISSUE_Y + TISSUE_H; y++) {
        for (int x = TISSUE_X; x < TISSUE_X + TISSUE_W; x++) {
            const double was = at(drawn, x, y);
            const double wanted = was > 0.0 ? fmax(0.0, 255.0 - (255.0 - was) * 1.5) : 0.0;
            assert_true(fabs(at(cut.image, x, y) - wanted) < 0.01);
        }
    }
    clear(&cut);
    changed wide = make("range-90");
    for (int y = TISSUE_Y; y < TISSUE_Y + TISSUE_H; y++) {
        for (int x = TISSUE_X; x < TISSUE_X + TISSUE_W; x++) {
            sums[0] += at(drawn, x, y);
            sums[1] += at(wide.image, x, y);
        }
    }
    assert_true(fabs(sums[1] / sums[0] - 1.0) < 0.03);
    clear(&wide);
}

static void flips_and_depths_move_the_mask_along(void **state)
{
    (void)state;
    changed mirror = make("mirror");
    changed over = make("upside-down");
    for (int y = 0; y < PICTURE_H; y += 7) {
        for (int x = 0; x < PICTURE_W; x += 5) {
            assert_true(at(mirror.image, x, y) == at(drawn, PICTURE_W - 1 - x, y));
            assert_true(at(mirror.mask, x, y) == at(drawn_mask, PICTURE_W - 1 - x, y));
            assert_true(at(over.mask, x, y) == at(drawn_mask, x, PICTURE_H - 1 - y));
        }
    }
    assert_true(find("mirror")->is_mirrored && find("upside-down")->is_upside_down);
    clear(&mirror);
    clear(&over);
    changed shallow = make("depth-1.6"); /* 512 / 1.6 = 320 rows hold a belly that ends at 300 - 40 */
    assert_int_equal(shallow.image->height_px, 320);
    assert_int_equal(shallow.image->width_px, TISSUE_W);
    assert_true(at(shallow.image, 10, 10) == at(drawn, TISSUE_X + 10, TISSUE_Y + 10));
    clear(&shallow);
    changed deep = make("depth-0.6");
    assert_int_equal(deep.image->height_px, (int)(TISSUE_H / 0.6));
    assert_true(at(deep.image, 10, 500) == at(drawn, TISSUE_X + 10, TISSUE_Y + 500));
    assert_true(at(deep.mask, 10, 700) == 0.0);
    clear(&deep);
}

static void pixel_sizes_follow(void **state)
{
    (void)state;
    changed wide = make("pixels-wide");
    assert_int_equal(wide.image->width_px, (int)(0.7 * PICTURE_W + 0.5));
    assert_true(fabs(wide.image->spacing.x_mm / wide.image->spacing.y_mm - 1.0 / 0.7) < 0.01);
    clear(&wide);
    changed twice = make("size-double");
    assert_true(fabs(twice.image->spacing.x_mm - 0.25) < 1e-9);
    clear(&twice);
}

/* Where the mask went, the tissue went: the screen draws over it in bright strokes only. */
static void screens_keep_the_tissue(void **state)
{
    (void)state;
    static const char *const screens[] = {"margin-black", "margin-white", "screen",   "desktop",
                                          "ruler-over",   "text-over",    "callipers"};
    for (size_t i = 0; i < sizeof screens / sizeof screens[0]; i++) {
        changed one = make(screens[i]);
        int x0 = -1;
        int y0 = -1;
        int covered = 0;
        for (int p = 0; x0 < 0; p++) { /* the left end of the drawn band: column 0 of the tissue */
            const int x = p / (int)one.mask->height_px;
            const int y = p % (int)one.mask->height_px;
            if (at(one.mask, x, y) > 0.0) {
                x0 = x;
                y0 = y;
            }
        }
        int y_drawn = TISSUE_Y;
        while (at(drawn_mask, TISSUE_X, y_drawn) <= 0.0) {
            y_drawn++;
        }
        for (int y = 0; y < TISSUE_H; y++) {
            for (int x = 0; x < TISSUE_W; x++) {
                const double is = at(one.image, x0 + x, y0 - y_drawn + TISSUE_Y + y);
                const double was = at(drawn, TISSUE_X + x, TISSUE_Y + y);
                assert_true(is >= was);
                covered += is > was ? 1 : 0;
            }
        }
        const bool draws_over = i >= 4;
        if (draws_over != (covered > 0) || covered > TISSUE_W * TISSUE_H / 20) {
            fail_msg("%s: %d pixels of tissue are covered", screens[i], covered);
        }
        clear(&one);
    }
}

static void a_box_outside_is_refused(void **state)
{
    (void)state;
    static const reha_box_px boxes[] = {{-1.0, 0.0, 100.0, 100.0},
                                        {0.0, 0.0, PICTURE_W + 1.0, 100.0},
                                        {600.0, 500.0, 100.0, 100.0},
                                        {0.0, 0.0, 8.0, 100.0},
                                        {(double)NAN, 0.0, 100.0, 100.0}};
    for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_random random = reha_random_init(1, 1);
        reha_muscle_scan from = scan();
        reha_gray *image = drawn;
        reha_gray *mask = drawn;
        from.box = boxes[i];
        assert_int_equal(reha_muscle_change_make(find("none"), &from, &random, &image, &mask, &err),
                         REHA_E_ARG);
        assert_null(image);
        assert_null(mask);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gives_a_picture_with_its_mask),
        cmocka_unit_test(none_changes_nothing_and_greys_leave_the_screen_alone),
        cmocka_unit_test(a_narrow_range_keeps_white_or_the_tissues_mean),
        cmocka_unit_test(flips_and_depths_move_the_mask_along),
        cmocka_unit_test(pixel_sizes_follow),
        cmocka_unit_test(screens_keep_the_tissue),
        cmocka_unit_test(a_box_outside_is_refused),
    };
    return cmocka_run_group_tests_name("muscle-changes", tests, draw, forget);
}
