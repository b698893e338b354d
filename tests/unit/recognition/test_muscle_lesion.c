/* The simulator: what it changes, what it leaves alone, and that the grain stays the picture's own. Pictures
 * are generated; no data are needed. */
#include "support.h"

#include "base/memory.h"
#include "recognition/muscle_injury_detect.h"
#include "recognition/muscle_lesion.h"
#include "recognition/muscle_net.h"
#include "recognition/muscle_phantom.h"

#include <math.h>
#include <string.h>

typedef struct stage { /* a healthy picture with all that is known of it */
    reha_gray *image;
    reha_muscle_frame frame;
    reha_injury_belly belly;
    reha_speckle speckle;
} stage;

static stage set_up(uint64_t seed)
{
    stage s = {0};
    reha_error err = REHA_ERROR_INIT;
    const reha_muscle_phantom phantom = reha_muscle_phantom_of(seed);
    assert_ok(reha_muscle_phantom_draw(&phantom, &s.image, NULL, &err), &err);
    assert_ok(reha_muscle_frame_find(s.image, &s.frame, &err), &err);
    s.belly = reha_muscle_phantom_belly(&phantom);
    assert_ok(reha_speckle_measure(s.image, &s.frame, &s.belly, &s.speckle, &err), &err);
    return s;
}

static reha_lesion_spec draw(const stage *s, reha_lesion_kind kind, uint64_t seed)
{
    reha_random random = reha_random_init(seed, 1);
    return reha_lesion_draw(kind, &s->belly, &s->frame, &random);
}

static reha_gray *apply(const stage *s, const reha_lesion_spec *spec, reha_lesion_truth *truth)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *changed = NULL;
    assert_ok(reha_gray_copy(s->image, &changed, &err), &err);
    assert_ok(reha_lesion_apply(changed, &s->frame, &s->belly, &s->speckle, spec, truth, &err), &err);
    return changed;
}

static size_t area(const reha_gray *image, const uint8_t *mask)
{
    size_t count = 0;
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        count += mask[i] != 0 ? 1 : 0;
    }
    return count;
}

static double mean_where(const reha_gray *image, const uint8_t *mask)
{
    double sum = 0.0, n = 0.0;
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        sum += mask[i] != 0 ? (double)image->pixels[i] : 0.0;
        n += mask[i] != 0 ? 1.0 : 0.0;
    }
    return sum / n;
}

/* SD of the difference of neighbours, and the correlation of neighbours dx apart, where `mask` is set. */
typedef struct grain {
    double mean, sd, correlation[2]; /* one to the right, one below */
} grain;

static grain measure(const reha_gray *image, const uint8_t *mask)
{
    grain g = {0};
    double n = 0.0, squares = 0.0, products[2] = {0};
    const uint32_t w = image->width_px;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t y = 2; y + 2 < image->height_px; y++) {
            for (uint32_t x = 2; x + 2 < w; x++) {
                const size_t at = (size_t)y * w + x;
                if (mask[at] == 0) {
                    continue;
                }
                if (pass == 0) {
                    g.mean += (double)image->pixels[at];
                    n += 1.0;
                } else {
                    const double here = (double)image->pixels[at] - g.mean;
                    squares += here * here;
                    products[0] += here * ((double)image->pixels[at + 1] - g.mean);
                    products[1] += here * ((double)image->pixels[at + w] - g.mean);
                }
            }
        }
        g.mean = pass == 0 ? g.mean / n : g.mean;
    }
    g.sd = sqrt(squares / n);
    g.correlation[0] = products[0] / squares;
    g.correlation[1] = products[1] / squares;
    return g;
}

static void the_grain_is_measured_as_it_was_made(void **state)
{
    (void)state;
    stage s = set_up(3);
    /* The phantom's pulse has SD 2.0 and 1.1 px; structure along the fascicles and the floor of the logarithm
     * change the correlation a little. */
    assert_true(s.speckle.sigma_x_px > 1.4 && s.speckle.sigma_x_px < 2.6);
    assert_true(s.speckle.sigma_y_px > 0.7 && s.speckle.sigma_y_px < 1.6);
    assert_true(s.speckle.sigma_x_px > 1.2 * s.speckle.sigma_y_px);
    assert_true(s.speckle.low < s.speckle.middle && s.speckle.middle < s.speckle.high);
    for (int k = 1; k < REHA_SPECKLE_QUANTILES; k++) {
        assert_true(s.speckle.quantiles[k] >= s.speckle.quantiles[k - 1]);
    }
    reha_gray_free(s.image);
}

static void fresh_grain_has_the_pictures_statistics(void **state)
{
    (void)state;
    enum { N = 128 };
    stage s = set_up(3);
    reha_random random = reha_random_init(1, 2);
    float *planes = reha_alloc((size_t)3 * N * N * sizeof *planes);
    double sum = 0.0, squares = 0.0, beside = 0.0;
    reha_speckle_field(&s.speckle, N, N, &random, planes + N * N, planes);
    for (int i = 0; i < N * N; i++) {
        sum += (double)planes[i];
        squares += (double)planes[i] * (double)planes[i];
        beside += i % N + 1 < N ? (double)planes[i] * (double)planes[i + 1] : 0.0;
    }
    assert_true(fabs(sum / (N * N)) < 0.12);
    assert_true(fabs(sqrt(squares / (N * N)) - 1.0) < 0.12);
    const double expected = exp(-0.5 / (s.speckle.sigma_x_px * s.speckle.sigma_x_px));
    assert_true(fabs(beside / squares - expected) < 0.1);
    reha_free(planes);
    reha_gray_free(s.image);
}

/* A lesion of strength 0 goes the whole way and must leave level, spread and correlation as they were. */
static void a_lesion_of_no_strength_keeps_the_speckle(void **state)
{
    (void)state;
    static const reha_lesion_kind kinds[] = {REHA_LESION_DISRUPTION, REHA_LESION_HAEMATOMA,
                                             REHA_LESION_RETRACTION};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        stage s = set_up(10 + k);
        reha_lesion_truth drawn = {0};
        reha_lesion_truth none = {0};
        reha_lesion_spec spec = draw(&s, kinds[k], 5);
        spec.share = 0.7;
        spec.across_px = 0.7 * s.belly.thickness_px;
        spec.along_px = 0.8 * s.belly.thickness_px;
        spec.has_halo = false;
        reha_gray *strong = apply(&s, &spec, &drawn);
        spec.strength = 0.0;
        reha_gray *null = apply(&s, &spec, &none);
        assert_true(area(s.image, drawn.torn) > 2000);
        assert_int_equal(area(s.image, none.injured), 0);
        assert_int_equal(reha_lesion_grade(&spec), 0);
        size_t differing = 0;
        for (size_t i = 0; i < (size_t)s.image->width_px * s.image->height_px; i++) {
            differing += drawn.torn[i] != 0 && null->pixels[i] != s.image->pixels[i] ? 1 : 0;
        }
        assert_true(differing > area(s.image, drawn.torn) / 2); /* the grain was made anew */
        const grain before = measure(s.image, drawn.torn);
        const grain after = measure(null, drawn.torn);
        assert_true(fabs(after.mean - before.mean) < 4.0);
        assert_true(fabs(after.sd / before.sd - 1.0) < 0.15);
        assert_true(fabs(after.mean / after.sd - before.mean / before.sd) <
                    0.2 * before.mean / before.sd); /* SNR */
        assert_true(fabs(after.correlation[0] - before.correlation[0]) < 0.12);
        assert_true(fabs(after.correlation[1] - before.correlation[1]) < 0.15);
        reha_gray_free(strong);
        reha_gray_free(null);
        reha_gray_free(s.image);
        reha_lesion_truth_clear(&drawn);
        reha_lesion_truth_clear(&none);
    }
}

static void injuries_lie_in_the_belly(void **state)
{
    (void)state;
    for (int kind = 0; kind < REHA_LESION_KINDS; kind++) {
        for (uint64_t seed = 0; seed < 4; seed++) {
            stage s = set_up(20 + seed);
            reha_lesion_truth truth = {0};
            const reha_lesion_spec spec = draw(&s, (reha_lesion_kind)kind, seed);
            reha_gray *changed = apply(&s, &spec, &truth);
            assert_true(area(changed, truth.injured) > 30);
            assert_true(kind == REHA_LESION_OEDEMA ? area(changed, truth.torn) == 0
                                                   : area(changed, truth.torn) > 10);
            for (uint32_t y = 0; y < changed->height_px; y++) {
                for (uint32_t x = 0; x < changed->width_px; x++) {
                    const size_t at = (size_t)y * changed->width_px + x;
                    const double depth = reha_injury_depth(&s.belly, (reha_point_px){x, y});
                    assert_true(truth.injured[at] == 0 || depth >= 0.0);
                    assert_true(truth.torn[at] == 0 || truth.injured[at] != 0);
                    /* Above the muscle nothing changes; below it only what lies behind fluid. */
                    assert_true(depth > -1.0 || y > s.belly.deep[0].y_px - 40.0 ||
                                changed->pixels[at] == s.image->pixels[at]);
                    assert_true(changed->pixels[at] >= 0.0F && changed->pixels[at] <= 255.0F &&
                                changed->pixels[at] == floorf(changed->pixels[at]));
                }
            }
            reha_gray_free(changed);
            reha_gray_free(s.image);
            reha_lesion_truth_clear(&truth);
        }
    }
}

static void each_kind_does_what_it_is_named_for(void **state)
{
    (void)state;
    stage s = set_up(31);
    reha_lesion_truth truth = {0};
    reha_lesion_spec spec = draw(&s, REHA_LESION_HAEMATOMA, 1);
    spec.level = 0.1;
    reha_gray *changed = apply(&s, &spec, &truth);
    assert_true(mean_where(changed, truth.torn) < 0.6 * mean_where(s.image, truth.torn));
    reha_gray_free(changed);
    reha_lesion_truth_clear(&truth);
    spec = draw(&s, REHA_LESION_OEDEMA, 2);
    spec.change = 0.2;
    changed = apply(&s, &spec, &truth);
    assert_true(mean_where(changed, truth.injured) > mean_where(s.image, truth.injured) + 8.0);
    reha_gray_free(changed);
    reha_lesion_truth_clear(&truth);
    spec = draw(&s, REHA_LESION_RETRACTION, 3);
    changed = apply(&s, &spec, &truth);
    assert_true(mean_where(changed, truth.torn) < mean_where(s.image, truth.torn));
    assert_int_equal(reha_lesion_grade(&spec), 3);
    reha_gray_free(changed);
    reha_lesion_truth_clear(&truth);
    reha_gray_free(s.image);
}

static void grades_follow_kind_and_size(void **state)
{
    (void)state;
    const reha_lesion_spec gap = {.kind = REHA_LESION_GAP, .strength = 1.0, .share = 0.89};
    const reha_lesion_spec wide = {.kind = REHA_LESION_GAP, .strength = 0.5, .share = 0.91};
    const reha_lesion_spec oedema = {.kind = REHA_LESION_OEDEMA, .strength = 1.0, .share = 0.95};
    const reha_lesion_spec vessel = {.kind = REHA_LESION_VESSEL, .strength = 1.0};
    const reha_lesion_spec none = {.kind = REHA_LESION_NOTHING, .strength = 1.0};
    assert_int_equal(reha_lesion_grade(&gap), 2);
    assert_int_equal(reha_lesion_grade(&wide), 3);
    assert_int_equal(reha_lesion_grade(&oedema), 1);
    assert_int_equal(reha_lesion_grade(&vessel), 0);
    assert_int_equal(reha_lesion_grade(&none), 0);
}

/* What is told of a mask is what was drawn: share of the thickness, and whole thickness for a retraction. */
static void the_masks_size_is_the_drawn_one(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    float *map = reha_alloc((size_t)REHA_MUSCLE_MAP_PX * REHA_MUSCLE_MAP_PX * sizeof *map);
    for (int k = 0; k < 2; k++) {
        stage s = set_up(41);
        reha_lesion_truth truth = {0};
        reha_injury_found found;
        reha_lesion_spec spec = draw(&s, k == 0 ? REHA_LESION_HAEMATOMA : REHA_LESION_RETRACTION, 9);
        if (k == 0) {
            spec.share = 0.5;
            spec.across_px = 0.5 * s.belly.thickness_px;
            spec.along_px = s.belly.thickness_px;
            spec.centre = (reha_point_px){
                280.0, 0.5 * (reha_injury_top(&s.belly, 280.0) + reha_injury_bottom(&s.belly, 280.0))};
        }
        spec.has_halo = false;
        reha_gray *changed = apply(&s, &spec, &truth);
        assert_ok(
            reha_injury_mask_map(truth.torn, changed->width_px, changed->height_px, &s.frame, map, &err),
            &err);
        assert_true(reha_injury_extent(map, &s.frame, &s.belly, &found));
        if (k == 0) { /* tilted along the fascicles and with an uneven border */
            assert_true(found.share > 0.4 && found.share < 0.85);
            assert_true(found.along_px > 0.6 * spec.along_px && found.along_px < 1.5 * spec.along_px);
        } else {
            assert_true(found.share > 0.9);
        }
        reha_gray_free(changed);
        reha_gray_free(s.image);
        reha_lesion_truth_clear(&truth);
    }
    reha_free(map);
}

static void look_alikes_are_no_injury(void **state)
{
    (void)state;
    for (int kind = REHA_LESION_KINDS; kind < REHA_LESION_ALL_KINDS; kind++) {
        stage s = set_up(50);
        reha_lesion_truth truth = {0};
        const reha_lesion_spec spec = draw(&s, (reha_lesion_kind)kind, 6);
        reha_gray *changed = apply(&s, &spec, &truth);
        size_t differing = 0;
        for (size_t i = 0; i < (size_t)changed->width_px * changed->height_px; i++) {
            differing += changed->pixels[i] != s.image->pixels[i] ? 1 : 0;
        }
        assert_int_equal(area(changed, truth.injured), 0);
        assert_true(kind == REHA_LESION_NOTHING ? differing == 0 : differing > 50);
        assert_true(strlen(reha_lesion_name((reha_lesion_kind)kind)) > 0);
        reha_gray_free(changed);
        reha_gray_free(s.image);
        reha_lesion_truth_clear(&truth);
    }
}

static void the_seed_decides(void **state)
{
    (void)state;
    stage s = set_up(60);
    reha_lesion_spec spec = draw(&s, REHA_LESION_DISRUPTION, 7);
    reha_gray *first = apply(&s, &spec, NULL);
    reha_gray *again = apply(&s, &spec, NULL);
    spec.seed++;
    reha_gray *other = apply(&s, &spec, NULL);
    const size_t bytes = (size_t)first->width_px * first->height_px * sizeof(float);
    assert_memory_equal(first->pixels, again->pixels, bytes);
    assert_true(memcmp(first->pixels, other->pixels, bytes) != 0);
    reha_gray_free(first);
    reha_gray_free(again);
    reha_gray_free(other);
    reha_gray_free(s.image);
}

static void what_cannot_be_simulated_is_refused(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    stage s = set_up(70);
    reha_speckle speckle;
    reha_injury_belly thin = s.belly;
    for (int i = 0; i < REHA_INJURY_CURVE; i++) {
        thin.deep[i].y_px = thin.superficial[i].y_px + 3.0;
    }
    thin.thickness_px = 3.0;
    assert_int_equal(reha_speckle_measure(s.image, &s.frame, &thin, &speckle, &err), REHA_E_REFUSED);
    assert_true(strstr(err.text, "too little") != NULL);
    reha_injury_belly beside = s.belly;
    for (int i = 0; i < REHA_INJURY_CURVE; i++) {
        beside.deep[i].x_px += 5000.0;
        beside.superficial[i].x_px += 5000.0;
    }
    assert_int_equal(reha_speckle_measure(s.image, &s.frame, &beside, &speckle, &err), REHA_E_REFUSED);
    /* A place outside of the picture changes nothing and harms nothing. */
    reha_lesion_spec far = draw(&s, REHA_LESION_GAP, 8);
    far.centre = (reha_point_px){-4000.0, 9000.0};
    reha_gray *changed = apply(&s, &far, NULL);
    assert_memory_equal(changed->pixels, s.image->pixels,
                        (size_t)changed->width_px * changed->height_px * sizeof(float));
    reha_gray_free(changed);
    /* A mask without two lines has no belly. */
    reha_gray *blank = NULL;
    reha_injury_belly belly;
    assert_ok(reha_gray_new(s.image->width_px, s.image->height_px, &blank, &err), &err);
    assert_int_equal(reha_injury_belly_from_mask(s.image, &s.frame, blank, &belly, &err), REHA_E_REFUSED);
    reha_gray_free(blank);
    reha_gray_free(s.image);
}

static void no_memory_is_no_crash(void **state)
{
    (void)state;
    stage s = set_up(80);
    const reha_lesion_spec spec = draw(&s, REHA_LESION_GAP, 9);
    reha_status status = REHA_E_NOMEM;
    for (long n = 0; status != REHA_OK && n < 50; n++) {
        reha_gray *changed = NULL;
        reha_lesion_truth truth = {0};
        assert_int_equal(reha_gray_copy(s.image, &changed, NULL), REHA_OK);
        const size_t blocks = reha_mem_live_blocks();
        reha_mem_fail_after(n);
        status = reha_lesion_apply(changed, &s.frame, &s.belly, &s.speckle, &spec, &truth, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_lesion_truth_clear(&truth);
        assert_int_equal(reha_mem_live_blocks(), blocks);
        reha_gray_free(changed);
    }
    assert_int_equal(status, REHA_OK);
    reha_gray_free(s.image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grain_is_measured_as_it_was_made),
        cmocka_unit_test(fresh_grain_has_the_pictures_statistics),
        cmocka_unit_test(a_lesion_of_no_strength_keeps_the_speckle),
        cmocka_unit_test(injuries_lie_in_the_belly),
        cmocka_unit_test(each_kind_does_what_it_is_named_for),
        cmocka_unit_test(grades_follow_kind_and_size),
        cmocka_unit_test(the_masks_size_is_the_drawn_one),
        cmocka_unit_test(look_alikes_are_no_injury),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(what_cannot_be_simulated_is_refused),
        cmocka_unit_test(no_memory_is_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
