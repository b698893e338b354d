/* The whole path on drawn pictures, and on real ones where the data folder is present. Needs the shipped
 * model (models/muscle-us) or the one that REHA_MODELS names; skipped without. */
#include "muscle_picture.h"

#include "base/memory.h"
#include "image/resample.h"
#include "recognition/muscle_us.h"

#include <string.h>

static reha_model *model;

#define NEED_MODEL()                                                                                         \
    do {                                                                                                     \
        if (model == NULL) {                                                                                 \
            print_message("skipped: no model in models/muscle-us (set REHA_MODELS)\n");                      \
            skip();                                                                                          \
        }                                                                                                    \
    } while (0)

static int open_model(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const char *models = getenv("REHA_MODELS") != NULL ? getenv("REHA_MODELS") : REHA_SOURCE_DIR "/models";
    char *folder = NULL;
    if (reha_model_folder(models, "muscle-us", &folder, &err) != REHA_OK) {
        return 0;
    }
    const reha_model_options options = {.model_folder = folder, .threads = 1};
    const reha_status status = reha_recogniser_muscle_us.open(&options, &model, &err);
    reha_free(folder);
    if (status != REHA_OK) {
        print_message("%s\n", err.text);
        return -1; /* a model that is there must open */
    }
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    reha_recogniser_muscle_us.close(model);
    model = NULL;
    return 0;
}

static reha_analysis *analyse(const reha_gray *image, const reha_acquisition *facts)
{
    reha_error err = REHA_ERROR_INIT;
    reha_analysis *analysis = NULL;
    const reha_acquisition unknown = reha_acquisition_unknown();
    assert_ok(reha_recogniser_muscle_us.analyse(model, image, facts != NULL ? facts : &unknown, NULL,
                                                &analysis, &err),
              &err);
    assert_non_null(analysis);
    return analysis;
}

static double value(const reha_analysis *analysis, const char *key)
{
    const reha_finding *finding = reha_region_find(&analysis->regions[0], key);
    assert_non_null(finding);
    return finding->measure.value;
}

static bool has_note(const reha_analysis *analysis, const char *code)
{
    bool found = false;
    for (int i = 0; i < analysis->note_count; i++) {
        found = found || strcmp(analysis->notes[i].code, code) == 0;
    }
    return found;
}

static void assert_near(double is, double wanted, double within)
{
    if (!(fabs(is - wanted) <= within)) {
        fail_msg("%g, expected %g within %g", is, wanted, within);
    }
}

static void a_drawn_muscle_is_measured(void **state)
{
    NEED_MODEL();
    (void)state;
    const muscle_picture spec = muscle_picture_default();
    reha_gray *image = muscle_picture_draw(&spec);
    reha_analysis *analysis = analyse(image, NULL);
    assert_true(analysis->is_accepted && analysis->region_count == 1);
    assert_near(value(analysis, "superficial-aponeurosis-angle"), -1.7, 1.0);
    assert_near(value(analysis, "deep-aponeurosis-angle"), -5.7, 1.0);
    assert_near(value(analysis, "thickness-px"), 160.0, 12.0);
    assert_near(value(analysis, "fascicle-angle"), 14.0, 5.0);
    /* Eight ticks 70 px apart: millimetres, and a caution that they were read from the picture. */
    assert_true(has_note(analysis, "scale-by-ruler"));
    assert_near(value(analysis, "thickness") / value(analysis, "thickness-px"), 10.0 / 70.0, 0.001);
    assert_true(analysis->regions[0].profile_is_thickness && analysis->regions[0].profile_count > 0);
    assert_true(analysis->regions[0].point_count >= REHA_MUSCLE_POINTS_FASCICLES);
    reha_analysis_free(analysis);
    reha_gray_free(image);
}

static void a_stated_scale_goes_before_the_ruler(void **state)
{
    NEED_MODEL();
    (void)state;
    const muscle_picture spec = muscle_picture_default();
    reha_gray *image = muscle_picture_draw(&spec);
    image->spacing = (reha_spacing){0.1, 0.1, REHA_SPACING_CALIBRATED};
    reha_analysis *analysis = analyse(image, NULL);
    assert_false(has_note(analysis, "scale-by-ruler"));
    assert_near(value(analysis, "thickness"), 0.1 * value(analysis, "thickness-px"), 1e-9);
    reha_analysis_free(analysis);
    reha_gray_free(image);
}

static bool region_has_note(const reha_analysis *analysis, const char *code)
{
    bool found = false;
    for (int i = 0; i < analysis->regions[0].note_count; i++) {
        found = found || strcmp(analysis->regions[0].notes[i].code, code) == 0;
    }
    return found;
}

/* Pixels that are not square are made so before anything is measured; what is drawn lies on the given
 * picture. */
static void pixels_that_are_not_square_are_made_square(void **state)
{
    NEED_MODEL();
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    static const double ratios[2][2] = {{0.7, 1.0}, {1.0, 0.7}};
    const muscle_picture spec = muscle_picture_default();
    reha_gray *image = muscle_picture_draw(&spec);
    image->spacing = (reha_spacing){0.1, 0.1, REHA_SPACING_CALIBRATED};
    reha_analysis *square = analyse(image, NULL);
    assert_false(has_note(square, "not-square"));
    for (int i = 0; i < 2; i++) {
        reha_gray *uneven = NULL;
        assert_ok(reha_gray_resize(image, (uint32_t)(ratios[i][0] * PICTURE_W),
                                   (uint32_t)(ratios[i][1] * PICTURE_H), REHA_FILTER_LINEAR, &uneven, &err),
                  &err);
        reha_analysis *analysis = analyse(uneven, NULL);
        assert_true(has_note(analysis, "not-square"));
        assert_near(value(analysis, "thickness"), value(square, "thickness"), 0.5);
        assert_near(value(analysis, "deep-aponeurosis-angle"), value(square, "deep-aponeurosis-angle"), 0.7);
        assert_near(value(analysis, "pennation"), value(square, "pennation"), 3.0);
        const reha_region *region = &analysis->regions[0];
        for (int p = 0; p < REHA_MUSCLE_POINTS_FASCICLES; p += 5) {
            assert_near(region->points[p].x_px / ratios[i][0], square->regions[0].points[p].x_px, 12.0);
            assert_near(region->points[p].y_px / ratios[i][1], square->regions[0].points[p].y_px, 6.0);
        }
        assert_true(region->box.x_px + region->box.width_px <= uneven->width_px);
        reha_analysis_free(analysis);
        reha_gray_free(uneven);
    }
    reha_analysis_free(square);
    reha_gray_free(image);
}

/* White paper, up to the very edge of the tissue, is no tissue and no line. */
static void a_page_around_the_tissue_changes_nothing(void **state)
{
    NEED_MODEL();
    (void)state;
    muscle_picture spec = muscle_picture_default();
    spec.tick_step_px = 0.0;
    reha_gray *image = muscle_picture_draw(&spec);
    reha_analysis *plain = analyse(image, NULL);
    for (int i = 0; i < PICTURE_W * PICTURE_H; i++) {
        const int x = i % PICTURE_W;
        const int y = i / PICTURE_W;
        if (x < TISSUE_X || x >= TISSUE_X + TISSUE_W || y < TISSUE_Y || y >= TISSUE_Y + TISSUE_H) {
            image->pixels[i] = 255.0F;
        }
    }
    reha_analysis *paged = analyse(image, NULL);
    const reha_box_px *box = &paged->regions[0].box;
    assert_near(box->x_px + 0.5, TISSUE_X, 2.0);
    assert_near(box->y_px + 0.5, TISSUE_Y, 2.0);
    assert_near(box->width_px, TISSUE_W, 4.0);
    assert_near(value(paged, "thickness-px"), value(plain, "thickness-px"), 4.0);
    assert_near(value(paged, "deep-aponeurosis-angle"), value(plain, "deep-aponeurosis-angle"), 0.7);
    assert_near(value(paged, "pennation"), value(plain, "pennation"), 3.0);
    assert_false(region_has_note(paged, "views-differ"));
    reha_analysis_free(plain);
    reha_analysis_free(paged);
    reha_gray_free(image);
}

static void no_ruler_no_millimetres(void **state)
{
    NEED_MODEL();
    (void)state;
    muscle_picture spec = muscle_picture_default();
    spec.tick_step_px = 0.0;
    reha_gray *image = muscle_picture_draw(&spec);
    reha_analysis *analysis = analyse(image, NULL);
    assert_true(analysis->is_accepted && has_note(analysis, "no-millimetres"));
    assert_true(isnan(value(analysis, "thickness")) && isfinite(value(analysis, "thickness-px")));
    reha_analysis_free(analysis);
    reha_gray_free(image);
}

static void refused_as(reha_gray *image, const reha_acquisition *facts, const char *code)
{
    reha_analysis *analysis = analyse(image, facts);
    assert_false(analysis->is_accepted);
    if (!has_note(analysis, code)) {
        fail_msg("refused, but not as '%s'", code);
    }
    reha_analysis_free(analysis);
}

static void what_is_no_ultrasound_is_refused(void **state)
{
    NEED_MODEL();
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_acquisition facts = reha_acquisition_unknown();
    const muscle_picture spec = muscle_picture_default();
    reha_gray *image = muscle_picture_draw(&spec);
    (void)snprintf(facts.modality, sizeof facts.modality, "CT");
    refused_as(image, &facts, "wrong-modality");
    facts = reha_acquisition_unknown();
    facts.chroma_fraction = 0.8;
    reha_analysis *tinted = analyse(image, &facts); /* clear lines: a scanner with tinted echo */
    assert_true(tinted->is_accepted && has_note(tinted, "colour-picture"));
    reha_analysis_free(tinted);
    reha_random noise = reha_random_init(2, 2);
    for (int i = 0; i < PICTURE_W * PICTURE_H; i++) {
        image->pixels[i] = (float)reha_random_range(&noise, 0, 255);
    }
    refused_as(image, &facts, "colour-picture");
    memset(image->pixels, 0, sizeof(float) * PICTURE_W * PICTURE_H);
    refused_as(image, NULL, "blank");
    for (int i = 0; i < PICTURE_W * PICTURE_H; i++) {
        image->pixels[i] = (float)(i % PICTURE_W / 5);
    }
    refused_as(image, NULL, "no-tissue");
    reha_gray_free(image);
    assert_ok(reha_gray_new(40, 40, &image, &err), &err);
    reha_random random = reha_random_init(1, 1);
    for (int i = 0; i < 1600; i++) {
        image->pixels[i] = (float)reha_random_range(&random, 0, 255);
    }
    refused_as(image, NULL, "too-small");
    reha_gray_free(image);
    assert_ok(reha_gray_new(1, 1, &image, &err), &err);
    refused_as(image, NULL, "blank");
    reha_gray_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drawn_muscle_is_measured),
        cmocka_unit_test(a_stated_scale_goes_before_the_ruler),
        cmocka_unit_test(pixels_that_are_not_square_are_made_square),
        cmocka_unit_test(a_page_around_the_tissue_changes_nothing),
        cmocka_unit_test(no_ruler_no_millimetres),
        cmocka_unit_test(what_is_no_ultrasound_is_refused),
    };
    return cmocka_run_group_tests_name("muscle-us", tests, open_model, close_model);
}
