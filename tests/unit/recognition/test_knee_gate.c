#include "support.h"

#include "base/memory.h"
#include "recognition/knee_finder.h"
#include "recognition/knee_gate.h"

#include <math.h>
#include <string.h>

/* ---- What the file says ---- */

static reha_acquisition facts(const char *modality, const char *body_part, const char *view)
{
    reha_acquisition a = reha_acquisition_unknown();
    (void)snprintf(a.modality, sizeof a.modality, "%s", modality);
    (void)snprintf(a.body_part, sizeof a.body_part, "%s", body_part);
    (void)snprintf(a.view_position, sizeof a.view_position, "%s", view);
    return a;
}

static void the_tags_of_a_knee_film_pass(void **state)
{
    (void)state;
    static const char *const good[][3] = {{"", "", ""},
                                          {"DX", "KNEE", "AP"},
                                          {"CR", "LEFT KNEE", "PA"},
                                          {"CR", "Knee", ""},
                                          {"DX", "EXTREMITY", "AP"},
                                          {"OT", "LOWER LIMB", ""},
                                          {"DX", "TIBIA FIBULA", "AP"},
                                          {"RF", "LEG", "FRONTAL"}};
    char what[64];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const reha_acquisition a = facts(good[i][0], good[i][1], good[i][2]);
        assert_null(reha_gate_by_facts(&a, what));
        assert_string_equal(what, "");
    }
}

static void the_tags_of_other_images_do_not(void **state)
{
    (void)state;
    static const char *const bad[][4] = {
        {"US", "", "", "wrong-modality"},         {"MR", "KNEE", "", "wrong-modality"},
        {"CT", "KNEE", "AP", "wrong-modality"},   {"DX", "HAND", "AP", "wrong-body-part"},
        {"CR", "chest", "PA", "wrong-body-part"}, {"DX", "KNEE", "LL", "wrong-view"},
        {"DX", "", "LATERAL", "wrong-view"},      {"CR", "PATELLA", "SKYLINE", "wrong-view"},
        {"SR", "", "", "wrong-modality"},         {"MG", "BREAST", "ML", "wrong-modality"}};
    char what[64];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const reha_acquisition a = facts(bad[i][0], bad[i][1], bad[i][2]);
        const char *code = reha_gate_by_facts(&a, what);
        assert_non_null(code);
        assert_string_equal(code, bad[i][3]);
        assert_true(what[0] != '\0');
        assert_true(strlen(reha_gate_advice(code)) > 10);
    }
    reha_acquisition a = facts("DX", "", "");
    memset(a.body_part, 'Q', sizeof a.body_part - 1); /* as long as it can be */
    assert_non_null(reha_gate_by_facts(&a, what));
}

static void every_class_has_a_code_with_advice(void **state)
{
    (void)state;
    for (int k = REHA_GATE_INVERTED; k < REHA_GATE_CLASS_COUNT; k++) {
        const char *code = reha_gate_code((reha_gate_class)k);
        assert_true(strlen(code) < 32);
        assert_null(strstr(reha_gate_advice(code), "model card")); /* the fallback's words */
    }
    assert_non_null(strstr(reha_gate_advice("something new"), "model card"));
}

/* ---- Statistics ---- */

static reha_gray *ramp(uint32_t width, uint32_t height, float low, float high)
{
    reha_gray *image = NULL;
    if (reha_gray_new(width, height, &image, NULL) != REHA_OK) {
        fail();
    }
    for (uint32_t i = 0; i < width * height; i++) {
        image->pixels[i] = low + (high - low) * (float)(i % width) / (float)(width - 1);
    }
    return image;
}

static void eight_bit_files_keep_their_grey_values(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_acquisition a = reha_acquisition_unknown();
    reha_quality quality;
    reha_grey_scale scale;
    a.bits_stored = 8;
    reha_gray *dark = ramp(200, 100, 10.0f, 40.0f);
    assert_ok(reha_quality_of_image(dark, &a, &quality, &scale, &err), &err);
    assert_true(scale.gain == 1.0 && scale.offset == 0.0);
    assert_true(fabs(quality.values[REHA_STAT_IMAGE_CONTRAST] - 29.4) < 0.5);
    assert_true(quality.values[REHA_STAT_IMAGE_SHORT_SIDE_PX] == 100.0);
    assert_true(isnan(quality.values[REHA_STAT_NOISE])); /* of a box: not measured here */
    a.bits_stored = 12; /* the same numbers in a 12-bit file: exposure says nothing, full scale is theirs */
    assert_ok(reha_quality_of_image(dark, &a, &quality, &scale, &err), &err);
    assert_true(quality.values[REHA_STAT_IMAGE_CONTRAST] > 240.0);
    reha_gray_free(dark);
}

static void blank_and_broken_pixels_are_noticed(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_quality quality;
    reha_grey_scale scale;
    reha_gray *image = ramp(64, 64, 900.0f, 900.0f);
    assert_ok(reha_quality_of_image(image, NULL, &quality, &scale, &err), &err);
    assert_true(quality.values[REHA_STAT_IMAGE_LEVELS] == 0.0);
    assert_true(isfinite(scale.gain) && isfinite(quality.values[REHA_STAT_IMAGE_CONTRAST]));
    const float wrong[3] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        image->pixels[77] = wrong[i];
        assert_int_equal(reha_quality_of_image(image, NULL, &quality, &scale, &err), REHA_E_FORMAT);
        assert_non_null(strstr(err.text, "not numbers"));
    }
    reha_gray_free(image);
    reha_gray *one = ramp(2, 1, 3.0f, 4.0f);
    assert_ok(reha_quality_of_image(one, NULL, &quality, &scale, &err), &err);
    reha_gray_free(one);
}

static void rules_refuse_and_warn(void **state)
{
    (void)state;
    static reha_knee_card card;
    memset(&card, 0, sizeof card);
    card.rule_count = 3;
    card.rules[0] = (reha_quality_rule){"image_contrast", 20.0, INFINITY, "low-contrast", true};
    card.rules[1] = (reha_quality_rule){"noise", -INFINITY, 0.04, "noisy", false};
    card.rules[2] = (reha_quality_rule){"p99", 55.0, INFINITY, "too-dark", true};
    reha_quality quality;
    for (int i = 0; i < REHA_STAT_COUNT; i++) {
        quality.values[i] = (double)NAN; /* what was not measured breaks no rule */
    }
    reha_note notes[REHA_NOTES_MAX];
    int count = 0;
    assert_false(reha_quality_judge(&card, &quality, true, notes, &count));
    quality.values[REHA_STAT_IMAGE_CONTRAST] = 12.0;
    quality.values[REHA_STAT_NOISE] = 0.05;
    quality.values[REHA_STAT_P99] = 80.0;
    assert_true(reha_quality_judge(&card, &quality, true, notes, &count));
    assert_int_equal(count, 1);
    assert_int_equal(notes[0].level, REHA_NOTE_REFUSED);
    assert_string_equal(notes[0].code, "low-contrast");
    assert_non_null(strstr(notes[0].text, "image_contrast 12, at least 20"));
    count = 0;
    assert_false(reha_quality_judge(&card, &quality, false, notes, &count)); /* a warning refuses nothing */
    assert_int_equal(count, 1);
    assert_int_equal(notes[0].level, REHA_NOTE_WARNING);
    quality.values[REHA_STAT_P99] = 30.0;
    count = REHA_NOTES_MAX; /* full: still refused */
    assert_true(reha_quality_judge(&card, &quality, false, notes, &count));
    assert_int_equal(count, REHA_NOTES_MAX);
}

static void statistics_are_known_by_name(void **state)
{
    (void)state;
    for (int i = 0; i < REHA_STAT_COUNT; i++) {
        assert_true(reha_knee_statistic_is_known(reha_statistic_name((reha_statistic)i)));
    }
    assert_false(reha_knee_statistic_is_known(""));
    assert_false(reha_knee_statistic_is_known("beauty"));
}

static void the_verdict_is_the_most_probable_class(void **state)
{
    (void)state;
    reha_gate_view view = {.distance = 1.0};
    view.probabilities[REHA_GATE_METAL] = 0.6;
    view.probabilities[REHA_GATE_KNEE] = 0.4;
    assert_int_equal(reha_gate_verdict(&view), REHA_GATE_METAL);
}

/* ---- The finder's decoding ---- */

enum { CELLS = 32, STRIDE = 8, SIDE = CELLS * STRIDE };
static float maps[REHA_FINDER_CHANNELS * CELLS * CELLS];

static void put_knee(int row, int column, float score, float dx, float dy, double width_px)
{
    const int at = row * CELLS + column;
    const int plane = CELLS * CELLS;
    maps[at] = score;
    maps[plane + at] = dx;
    maps[2 * plane + at] = dy;
    maps[3 * plane + at] = (float)log(width_px / 64.0);
    maps[4 * plane + at] = -5.0f;
}

static void clear_maps(void)
{
    memset(maps, 0, sizeof maps);
    for (int i = 0; i < CELLS * CELLS; i++) {
        maps[i] = -6.0f;
    }
}

static reha_finder_spec finder_spec(void)
{
    return (reha_finder_spec){.is_present = true,
                              .input_px = SIDE,
                              .stride_px = STRIDE,
                              .low_percentile = 1,
                              .high_percentile = 99,
                              .width_unit_px = 64,
                              .score_min = 0.35,
                              .separation = 0.6,
                              .turned_min = 2,
                              .knees_max = 2};
}

static void the_letterbox_centres_the_picture(void **state)
{
    (void)state;
    reha_letterbox box = reha_letterbox_make(800, 500, 256);
    assert_true(fabs(box.scale - 0.32) < 1e-12);
    assert_int_equal(box.width, 256);
    assert_int_equal(box.height, 160);
    assert_int_equal(box.left, 0);
    assert_int_equal(box.top, 48);
    box = reha_letterbox_make(1, 20000, 256);
    assert_int_equal(box.width, 1); /* never empty */
    assert_int_equal(box.height, 256);
}

static void peaks_become_knees_in_image_pixels(void **state)
{
    (void)state;
    const reha_finder_spec spec = finder_spec();
    const reha_letterbox box = reha_letterbox_make(800, 500, SIDE);
    reha_knee_candidate found[2];
    clear_maps();
    put_knee(16, 8, 3.0f, 0.25f, -0.5f, 60.0);
    put_knee(16, 9, 2.0f, -0.75f, -0.5f,
             60.0); /* the same knee, seen from the next cell: no peak of its own */
    put_knee(15, 24, 1.0f, 0.0f, 0.0f, 55.0);
    assert_int_equal(reha_finder_decode(maps, CELLS, &spec, box, found), 2);
    assert_true(fabs(found[0].x_px - ((8 + 0.5 + 0.25) * 8 / 0.32 - 0.5)) < 1e-3);
    assert_true(fabs(found[0].y_px - (((16 + 0.5 - 0.5) * 8 - 48) / 0.32 - 0.5)) < 1e-3);
    assert_true(fabs(found[0].width_px - 60.0 / 0.32) < 1e-2);
    assert_true(fabs(found[0].score - 1.0 / (1.0 + exp(-3.0))) < 1e-6 && found[0].turned < 0.01);
    assert_true(found[1].score < found[0].score);
}

static void doubles_weak_ones_and_crowds_are_dropped(void **state)
{
    (void)state;
    const reha_finder_spec spec = finder_spec();
    const reha_letterbox box = reha_letterbox_make(256, 256, SIDE);
    reha_knee_candidate found[2];
    clear_maps();
    assert_int_equal(reha_finder_decode(maps, CELLS, &spec, box, found), 0);
    put_knee(10, 10, -0.7f, 0, 0, 60); /* sigmoid 0.33 */
    assert_int_equal(reha_finder_decode(maps, CELLS, &spec, box, found), 0);
    put_knee(10, 10, 2.0f, 0, 0, 80);
    put_knee(10, 13, 1.0f, 0, 0, 80); /* 24 px apart: 0.3 widths */
    assert_int_equal(reha_finder_decode(maps, CELLS, &spec, box, found), 1);
    clear_maps();
    for (int r = 0; r < CELLS; r += 3) { /* more peaks than anyone can have knees; the best ones win */
        for (int c = 0; c < CELLS; c += 3) {
            put_knee(r, c, (float)(r * CELLS + c) / 500.0f, 0, 0, 8);
        }
    }
    assert_int_equal(reha_finder_decode(maps, CELLS, &spec, box, found), 2);
    assert_true(found[0].score >= found[1].score);
    assert_true(found[0].y_px > 230.0 && found[0].x_px > 230.0);
    clear_maps();
    put_knee(5, 5, 3.0f, NAN, 0, 60);
    put_knee(20, 20, NAN, 0, 0, 60);
    put_knee(20, 5, 3.0f, 0, INFINITY, 60);
    assert_int_equal(reha_finder_decode(maps, CELLS, &spec, box, found), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tags_of_a_knee_film_pass),
        cmocka_unit_test(the_tags_of_other_images_do_not),
        cmocka_unit_test(every_class_has_a_code_with_advice),
        cmocka_unit_test(eight_bit_files_keep_their_grey_values),
        cmocka_unit_test(blank_and_broken_pixels_are_noticed),
        cmocka_unit_test(rules_refuse_and_warn),
        cmocka_unit_test(statistics_are_known_by_name),
        cmocka_unit_test(the_verdict_is_the_most_probable_class),
        cmocka_unit_test(the_letterbox_centres_the_picture),
        cmocka_unit_test(peaks_become_knees_in_image_pixels),
        cmocka_unit_test(doubles_weak_ones_and_crowds_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
