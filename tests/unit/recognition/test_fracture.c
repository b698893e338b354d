/* The fracture recogniser on a small network of random weights: what it refuses, what it says of itself, how
 * boxes come back into the picture; and the card that it reads. */
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "nn/fold.h"
#include "nn/onnx.h"
#include "recognition/fracture.h"
#include "recognition/fracture_card.h"
#include "recognition/fracture_net.h"
#include "recognition/fracture_score.h"

#include <math.h>
#include <string.h>

enum { SIDE = 96 };
static char folder[] = "reha-fracture-model-XXXXXX";
static reha_model *model;

static int make_model(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    reha_graph *folded = NULL;
    reha_fracture_card card;
    char path[64];
    const reha_fracture_net_spec spec = {SIDE, 1.0F};
    const reha_onnx_save_options how = {.float16_weights = true, .producer = "test"};
    (void)state;
    if (mkdtemp(folder) == NULL || reha_fracture_net_new(&spec, NULL, 3, &graph, &err) != REHA_OK ||
        reha_graph_fold_batch_norm(graph, &folded, &err) != REHA_OK ||
        reha_fracture_card_init(&card, &err) != REHA_OK) {
        print_message("%s\n", err.text);
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/model.onnx", folder);
    card.view.side_px = SIDE;
    card.view.score_min = 0.001; /* random weights: every peak is told */
    card.precision = REHA_F32;
    card.points[REHA_FRACTURE_SENSITIVE] = (reha_operating_point){0.001, 0.5, 1.0, 0.3};
    card.points[REHA_FRACTURE_SPECIFIC] = (reha_operating_point){0.999, 0.1, 0.1, 0.5};
    const bool is_saved = reha_onnx_save(folded, path, &how, &err) == REHA_OK &&
                          reha_fracture_card_save(&card, folder, &err) == REHA_OK;
    reha_fracture_card_clear(&card);
    reha_graph_free(graph);
    reha_graph_free(folded);
    const reha_model_options options = {.model_folder = folder, .threads = 1};
    if (!is_saved || reha_recogniser_fracture.open(&options, &model, &err) != REHA_OK) {
        print_message("%s\n", err.text);
        return -1;
    }
    return 0;
}

static int remove_model(void **state)
{
    char command[64];
    (void)state;
    reha_recogniser_fracture.close(model);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static reha_gray *picture(uint32_t width, uint32_t height)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    reha_random random = reha_random_init(5, 5);
    assert_ok(reha_gray_new(width, height, &image, &err), &err);
    for (size_t i = 0; i < (size_t)width * height; i++) {
        image->pixels[i] = (float)(i % width) + 40.0F * (float)reha_random_unit(&random);
    }
    return image;
}

static reha_analysis *analyse(const reha_gray *image, const reha_acquisition *facts)
{
    reha_error err = REHA_ERROR_INIT;
    reha_analysis *out = NULL;
    assert_ok(reha_recogniser_fracture.analyse(model, image, facts, NULL, &out, &err), &err);
    return out;
}

static bool has_note(const reha_analysis *analysis, reha_note_level level, const char *code)
{
    for (int i = 0; i < analysis->note_count; i++) {
        if (analysis->notes[i].level == level && strcmp(analysis->notes[i].code, code) == 0) {
            return true;
        }
    }
    return false;
}

static void test_a_result_says_what_it_is(void **state)
{
    reha_gray *image = picture(150, 240);
    reha_analysis *result = analyse(image, NULL);
    const reha_region *region = &result->regions[0];
    (void)state;
    assert_true(result->is_accepted && result->region_count == 1 && region->is_accepted);
    assert_true(has_note(result, REHA_NOTE_WARNING, "research-only"));
    assert_true(has_note(result, REHA_NOTE_INFO, "operating-points"));
    assert_true(region->finding_count >= 1);
    assert_string_equal(region->findings[0].key, "possible-fracture-1"); /* none reaches 0.999 */
    for (int i = 0; i < region->finding_count; i++) {
        const reha_finding *finding = &region->findings[i];
        const reha_box_px box = finding->region;
        assert_true(finding->research_only && finding->has_region);
        assert_true(finding->probability > 0.0 && finding->probability < 1.0);
        assert_true(i == 0 || finding->probability <= region->findings[i - 1].probability);
        assert_true(box.x_px >= 0.0 && box.y_px >= 0.0 && box.width_px > 0.0 && box.height_px > 0.0);
        assert_true(box.x_px + box.width_px <= 150.001 && box.y_px + box.height_px <= 240.001);
    }
    reha_analysis_free(result);
    reha_gray_free(image);
}

static void test_what_is_no_radiograph_is_refused(void **state)
{
    reha_acquisition facts = reha_acquisition_unknown();
    reha_gray *image = picture(150, 240);
    reha_gray *small = picture(300, 40);
    (void)state;
    (void)snprintf(facts.modality, sizeof facts.modality, "US");
    reha_analysis *result = analyse(image, &facts);
    assert_true(!result->is_accepted && has_note(result, REHA_NOTE_REFUSED, "not-a-radiograph"));
    reha_analysis_free(result);
    facts = reha_acquisition_unknown();
    facts.chroma_fraction = 0.4;
    result = analyse(image, &facts);
    assert_true(!result->is_accepted && has_note(result, REHA_NOTE_REFUSED, "not-a-radiograph"));
    reha_analysis_free(result);
    result = analyse(small, NULL);
    assert_true(!result->is_accepted && has_note(result, REHA_NOTE_REFUSED, "too-small"));
    reha_analysis_free(result);
    for (size_t i = 0; i < (size_t)150 * 240; i++) {
        image->pixels[i] = 7.0F;
    }
    result = analyse(image, NULL);
    assert_true(!result->is_accepted && has_note(result, REHA_NOTE_REFUSED, "blank"));
    reha_analysis_free(result);
    reha_gray_free(image);
    reha_gray_free(small);
}

/* The picture and its mirror image are averaged, so a mirrored picture has the mirrored boxes. */
static void test_mirrored_pictures_have_mirrored_boxes(void **state)
{
    reha_gray *image = picture(SIDE, SIDE);
    (void)state;
    reha_analysis *straight = analyse(image, NULL);
    for (uint32_t y = 0; y < SIDE; y++) {
        for (uint32_t x = 0; x < SIDE / 2; x++) {
            float *row = image->pixels + (size_t)y * SIDE;
            const float swap = row[x];
            row[x] = row[SIDE - 1 - x];
            row[SIDE - 1 - x] = swap;
        }
    }
    reha_analysis *mirrored = analyse(image, NULL);
    const reha_box_px a = straight->regions[0].findings[0].region;
    const reha_box_px b = mirrored->regions[0].findings[0].region;
    assert_true(fabs(a.x_px - (SIDE - b.x_px - b.width_px)) < 0.05 && fabs(a.y_px - b.y_px) < 0.05);
    assert_true(fabs(a.width_px - b.width_px) < 0.05 && fabs(a.height_px - b.height_px) < 0.05);
    reha_analysis_free(straight);
    reha_analysis_free(mirrored);
    reha_gray_free(image);
}

static void test_card_faults_name_the_member(void **state)
{
    static const struct {
        const char *part, *key, *value, *expected;
    } bad[] = {{NULL, "name", "7", "'name'"},
               {NULL, "view", "[]", "'view'"},
               {"view", "input_px", "100", "'input_px' is 100, expected a multiple of 32"},
               {"view", "input_px", "4096", "'input_px'"},
               {"view", "boxes_max", "100", "'boxes_max'"},
               {"view", "score_min", "0", "'score_min'"},
               {"network", "file", "\"../x.onnx\"", "folder part"},
               {"network", "precision", "\"int8\"", "'precision' is 'int8'"},
               {"calibration", "slope", "-1", "'slope'"},
               {"calibration", "iou_hit", "null", "'iou_hit'"},
               {"operating_points", "high_sensitivity", "{\"score_min\": 1}", "higher score"},
               {NULL, "usual_box", "[1, 2]", "usual_box"}};
    reha_error err = REHA_ERROR_INIT;
    reha_fracture_card card;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *json = json_deep_copy(reha_recogniser_fracture.card(model));
        json_t *part = bad[i].part != NULL ? json_object_get(json, bad[i].part) : json;
        (void)json_object_set_new(part, bad[i].key, json_loads(bad[i].value, JSON_DECODE_ANY, NULL));
        assert_int_equal(reha_fracture_card_parse(json, &card, &err), REHA_E_FORMAT);
        if (strstr(err.text, bad[i].expected) == NULL) {
            fail_msg("'%s' is not in '%s'", bad[i].expected, err.text);
        }
        json_decref(json);
    }
    assert_int_equal(reha_fracture_card_load("no/such/folder", &card, &err), REHA_E_NOT_FOUND);
}

static void test_a_network_of_another_size_is_refused(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    reha_fracture_card card;
    reha_model *other = NULL;
    const reha_model_options options = {.model_folder = folder, .threads = 1};
    (void)state;
    assert_ok(reha_fracture_card_load(folder, &card, &err), &err);
    card.view.side_px = 128;
    assert_ok(reha_fracture_card_save(&card, folder, &err), &err);
    assert_int_equal(reha_recogniser_fracture.open(&options, &other, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "not a detector of 128 x 128 px"));
    card.view.side_px = SIDE;
    assert_ok(reha_fracture_card_save(&card, folder, &err), &err);
    reha_fracture_card_clear(&card);
}

/* 600 boxes whose chance of a hit is known: the fit finds it again; and the operating points keep their
 * promise. */
static void test_probabilities_are_fitted(void **state)
{
    enum { BOXES = 600 };
    static reha_found found[BOXES];
    static reha_drawn drawn[BOXES];
    static size_t groups[BOXES];
    reha_random random = reha_random_init(4, 4);
    reha_error err = REHA_ERROR_INIT;
    reha_fracture_card card;
    (void)state;
    for (size_t i = 0; i < BOXES; i++) {
        const double z = reha_random_range(&random, -3.0, 3.0);
        const bool is_hit = reha_random_unit(&random) < 1.0 / (1.0 + exp(-(0.5 * z - 1.0)));
        found[i] = (reha_found){i, {0, 0, 1, 1}, 1.0 / (1.0 + exp(-z))};
        drawn[i] = (reha_drawn){i, {is_hit ? 0.0 : 5.0, 0, is_hit ? 1.0 : 6.0, 1}};
        groups[i] = i;
    }
    const reha_detections set = {BOXES, groups, BOXES, found, BOXES, drawn, BOXES};
    assert_ok(reha_fracture_card_init(&card, &err), &err);
    assert_ok(reha_fracture_fit(&set, &card, &err), &err);
    assert_true(fabs(card.slope - 0.5) < 0.15 && fabs(card.intercept + 1.0) < 0.25);
    assert_true(card.points[REHA_FRACTURE_SPECIFIC].false_positives <= 0.1);
    assert_true(card.points[REHA_FRACTURE_SENSITIVE].sensitivity >=
                card.points[REHA_FRACTURE_SPECIFIC].sensitivity);
    assert_true(card.points[REHA_FRACTURE_SENSITIVE].score_min <=
                card.points[REHA_FRACTURE_SPECIFIC].score_min);
    reha_fracture_card_clear(&card);
}

/* Drawn boxes that are half or twice as large as the found ones: the gain lies between, above 1; a found box
 * where nothing was drawn does not count. */
static void test_a_gain_makes_boxes_overlap_better(void **state)
{
    const size_t groups[3] = {0, 1, 2};
    const reha_found found[3] = {{1, {0.45, 0.45, 0.55, 0.55}, 0.4},
                                 {0, {0.45, 0.45, 0.55, 0.55}, 0.9},
                                 {2, {0.1, 0.1, 0.2, 0.2}, 0.8}};
    const reha_drawn same[1] = {{0, {0.44, 0.44, 0.56, 0.56}}};
    const reha_drawn two[2] = {{0, {0.475, 0.45, 0.525, 0.55}}, {1, {0.4, 0.4, 0.6, 0.6}}};
    const reha_drawn elsewhere[1] = {{2, {0.7, 0.7, 0.9, 0.9}}};
    reha_detections set = {3, groups, 3, found, 3, same, 1};
    reha_error err = REHA_ERROR_INIT;
    double gain = 0.0;
    (void)state;
    assert_ok(reha_fracture_size_gain(&set, &gain, &err), &err);
    assert_float_equal(gain, 1.2, 1e-9);
    set.drawn = two;
    set.drawn_count = 2;
    assert_ok(reha_fracture_size_gain(&set, &gain, &err), &err);
    assert_float_equal(gain, 1.6, 1e-9); /* d/dg of g^2/4 + 1/(2g^2) is positive from 1.19 on: the largest */
    set.drawn = elsewhere;
    set.drawn_count = 1;
    assert_ok(reha_fracture_size_gain(&set, &gain, &err), &err);
    assert_float_equal(gain, 1.0, 1e-9);
}

static void test_a_score_that_misleads_gets_no_slope(void **state)
{
    const size_t groups[4] = {0, 1, 2, 3};
    const reha_found found[4] = {
        {0, {0, 0, 1, 1}, 0.9}, {1, {0, 0, 1, 1}, 0.8}, {2, {0, 0, 1, 1}, 0.2}, {3, {0, 0, 1, 1}, 0.1}};
    const reha_drawn drawn[2] = {{2, {0, 0, 1, 1}}, {3, {0, 0, 1, 1}}};
    const reha_detections set = {4, groups, 4, found, 4, drawn, 2};
    reha_error err = REHA_ERROR_INIT;
    reha_fracture_card card;
    (void)state;
    assert_ok(reha_fracture_card_init(&card, &err), &err);
    assert_ok(reha_fracture_fit(&set, &card, &err), &err);
    assert_true(card.slope == 0.0);
    assert_true(fabs(reha_fracture_probability(&card, 0.9) - 0.5) < 1e-9);
    reha_fracture_card_clear(&card);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_result_says_what_it_is),
                                       cmocka_unit_test(test_what_is_no_radiograph_is_refused),
                                       cmocka_unit_test(test_mirrored_pictures_have_mirrored_boxes),
                                       cmocka_unit_test(test_card_faults_name_the_member),
                                       cmocka_unit_test(test_a_network_of_another_size_is_refused),
                                       cmocka_unit_test(test_probabilities_are_fitted),
                                       cmocka_unit_test(test_a_gain_makes_boxes_overlap_better),
                                       cmocka_unit_test(test_a_score_that_misleads_gets_no_slope)};
    return cmocka_run_group_tests(tests, make_model, remove_model);
}
