/* Copies among pictures: what counts as one, and what does not. */
#include "support.h"

#include "base/random.h"
#include "recognition/audit_priv.h"

#include <math.h>

enum { W = 90, H = 70, PAIRS_MAX = 16 };

static reha_gray *draw(double phase, double noise, uint64_t seed)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    reha_random random = reha_random_init(seed, 0);
    assert_ok(reha_gray_new(W, H, &image, &err), &err);
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            image->pixels[y * W + x] =
                (float)(120.0 + 60.0 * sin(0.09 * x + phase) * cos(0.07 * y + 2.0 * phase) + 0.4 * x +
                        noise * reha_random_unit(&random));
        }
    }
    return image;
}

static reha_look look_of(reha_gray *image, const reha_box_px *part)
{
    reha_look look;
    reha_look_at(image, part, &look);
    reha_gray_free(image);
    return look;
}

typedef struct pairs {
    size_t first[PAIRS_MAX], second[PAIRS_MAX];
    bool is_exact[PAIRS_MAX];
    size_t count;
} pairs;

static void take(void *context, size_t first, size_t second, bool is_exact)
{
    pairs *to = context;
    assert_true(first < second && to->count < PAIRS_MAX);
    to->first[to->count] = first;
    to->second[to->count] = second;
    to->is_exact[to->count++] = is_exact;
}

static void equal_and_nearly_equal_pictures_are_told_apart(void **state)
{
    (void)state;
    pairs found = {0};
    const reha_look looks[] = {
        look_of(draw(0.3, 0.0, 1), NULL),
        look_of(draw(1.9, 0.0, 1), NULL), /* another picture */
        look_of(draw(0.3, 0.0, 1), NULL), /* the first again */
        look_of(draw(0.3, 3.0, 7), NULL), /* and with a little noise */
        {0},                              /* could not be read */
    };
    reha_find_copies(looks, sizeof looks / sizeof looks[0], take, &found);
    assert_int_equal(found.count, 3);
    assert_true(found.first[0] == 0 && found.second[0] == 2 && found.is_exact[0]);
    assert_true(found.first[1] == 0 && found.second[1] == 3 && !found.is_exact[1]);
    assert_true(found.first[2] == 2 && found.second[2] == 3 && !found.is_exact[2]);
}

static void blank_pictures_are_no_copies(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    pairs found = {0};
    reha_look looks[2];
    for (int i = 0; i < 2; i++) {
        reha_gray *image = NULL;
        assert_ok(reha_gray_new(W, H, &image, &err), &err);
        looks[i] = look_of(image, NULL);
        assert_true(looks[i].is_known && looks[i].is_blank);
    }
    reha_find_copies(looks, 2, take, &found);
    assert_int_equal(found.count, 0);
}

/* One screen around two pictures makes them alike; its part alone does not. */
static void only_the_part_counts(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_look whole[2];
    reha_look inside[2];
    const reha_box_px part = {4.0 * W, 4.0 * H, W, H};
    for (int i = 0; i < 2; i++) {
        reha_gray *screen = NULL;
        reha_gray *image = draw(0.3 + 1.6 * i, 0.0, 1);
        assert_ok(reha_gray_new(9 * W, 9 * H, &screen, &err), &err);
        for (int y = 0; y < 9 * H; y++) {
            for (int x = 0; x < 9 * W; x++) {
                const bool is_inside = x / W == 4 && y / H == 4;
                screen->pixels[y * 9 * W + x] =
                    is_inside ? image->pixels[y % H * W + x % W] : (float)(255 * (x / 37 % 2));
            }
        }
        reha_look_at(screen, NULL, &whole[i]);
        reha_look_at(screen, &part, &inside[i]);
        reha_gray_free(image);
        reha_gray_free(screen);
    }
    pairs found = {0};
    reha_find_copies(whole, 2, take, &found);
    assert_int_equal(found.count, 1);
    found.count = 0;
    reha_find_copies(inside, 2, take, &found);
    assert_int_equal(found.count, 0);
}

static void a_part_beyond_the_picture_is_cut(void **state)
{
    (void)state;
    reha_look look;
    reha_gray *image = draw(0.3, 0.0, 1);
    const reha_box_px parts[] = {{-5.0, -5.0, 1e6, 1e6}, {1e6, 1e6, 5.0, 5.0}, {3.0, 3.0, 0.2, NAN}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        reha_look_at(image, &parts[i], &look);
        assert_true(look.is_known && isfinite(look.mean_level));
    }
    reha_gray_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_and_nearly_equal_pictures_are_told_apart),
        cmocka_unit_test(blank_pictures_are_no_copies),
        cmocka_unit_test(only_the_part_counts),
        cmocka_unit_test(a_part_beyond_the_picture_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
