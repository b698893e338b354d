/* The whole path on drawn knees and, where the data folder is present, on real images. Needs the shipped
 * model (models/knee-oa) or the one that REHA_MODELS names; skipped without. */
#include "support.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "image/load.h"
#include "recognition/conformal.h"
#include "recognition/knee_oa.h"
#include "recognition/knee_phantom.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static reha_model *model; /* opened once: compiling the networks takes the longest */
static char model_folder[512];
static const reha_recogniser *const knee_oa = &reha_recogniser_knee_oa;

#define NEED_MODEL()                                                                                         \
    do {                                                                                                     \
        if (model == NULL) {                                                                                 \
            print_message("skipped: no model in models/knee-oa (set REHA_MODELS)\n");                        \
            skip();                                                                                          \
        }                                                                                                    \
    } while (0)

static int open_model(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const char *models = getenv("REHA_MODELS") != NULL ? getenv("REHA_MODELS") : REHA_SOURCE_DIR "/models";
    char *folder = NULL;
    if (reha_model_folder(models, "knee-oa", &folder, &err) != REHA_OK) {
        return 0;
    }
    (void)snprintf(model_folder, sizeof model_folder, "%s", folder);
    reha_free(folder);
    const reha_model_options options = {.model_folder = model_folder, .threads = 1, .with_explanation = true};
    if (knee_oa->open(&options, &model, &err) != REHA_OK) {
        print_message("%s\n", err.text);
        return -1; /* a model that is there must open */
    }
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    knee_oa->close(model);
    model = NULL;
    return 0;
}

static reha_analysis *analyse(const reha_gray *image, const reha_acquisition *facts, bool explain)
{
    reha_error err = REHA_ERROR_INIT;
    reha_analysis *analysis = NULL;
    const reha_analyse_options options = {.with_explanation = explain};
    assert_ok(knee_oa->analyse(model, image, facts, &options, &analysis, &err), &err);
    assert_non_null(analysis);
    return analysis;
}

static reha_gray *phantom(reha_phantom_spec spec, reha_phantom_truth *truths)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    assert_ok(reha_phantom_draw(&spec, &image, truths, &err), &err);
    return image;
}

static reha_acquisition eight_bit(void)
{
    reha_acquisition facts = reha_acquisition_unknown();
    facts.bits_stored = 8;
    return facts;
}

/* Everything that must hold of any graded region. */
static void assert_sound(const reha_analysis *analysis, const reha_region *region)
{
    const reha_finding *grade = reha_region_find(region, "kl-grade");
    const reha_finding *disease = reha_region_find(region, "oa");
    assert_non_null(grade);
    assert_non_null(disease);
    assert_int_equal(grade->class_count, 5);
    double sum = 0.0;
    double expected = 0.0;
    for (int k = 0; k < 5; k++) {
        assert_true(grade->class_probabilities[k] >= 0.0 && grade->class_probabilities[k] <= 1.0);
        sum += grade->class_probabilities[k];
        expected += k * grade->class_probabilities[k];
    }
    assert_int_equal(grade->grade, reha_ordinal_grade(grade->class_probabilities, 5));
    assert_true(fabs(sum - 1.0) < 1e-9);
    assert_true(fabs(expected - grade->expected_grade) < 1e-9);
    assert_true(fabs(disease->probability - grade->class_probabilities[2] - grade->class_probabilities[3] -
                     grade->class_probabilities[4]) < 1e-9);
    if (grade->set_low >= 0) {
        assert_true(grade->set_low <= grade->grade && grade->grade <= grade->set_high &&
                    grade->set_high <= 4);
        assert_true(grade->set_coverage > 0.5);
    }
    for (int i = 0; i < region->finding_count; i++) {
        const reha_finding *finding = &region->findings[i];
        if (isfinite(finding->measure.value)) { /* never without unit, error and source */
            assert_true(finding->measure.unit[0] != '\0' && finding->measure.source[0] != '\0');
            assert_true(finding->measure.error > 0.0 && finding->measure.error_source[0] != '\0');
        }
        if (!reha_spacing_is_known(analysis->spacing)) { /* no millimetres anywhere */
            assert_true(strcmp(finding->measure.unit, "mm") != 0);
            assert_null(strstr(finding->evidence, " mm"));
        }
    }
}

static int graded_count(const reha_analysis *analysis)
{
    int count = 0;
    for (int i = 0; i < analysis->region_count; i++) {
        count += analysis->regions[i].is_accepted;
        if (analysis->regions[i].is_accepted) {
            assert_sound(analysis, &analysis->regions[i]);
        } else {
            assert_int_equal(analysis->regions[i].finding_count, 0);
        }
    }
    assert_int_equal(analysis->is_accepted, count > 0);
    return count;
}

static bool has_refusal(const reha_analysis *analysis, const char *code)
{
    for (int i = 0; i < analysis->note_count; i++) {
        if (analysis->notes[i].level == REHA_NOTE_REFUSED &&
            (code == NULL || strcmp(analysis->notes[i].code, code) == 0)) {
            return true;
        }
    }
    for (int r = 0; r < analysis->region_count; r++) {
        const reha_region *region = &analysis->regions[r];
        for (int i = 0; i < region->note_count; i++) {
            if (region->notes[i].level == REHA_NOTE_REFUSED &&
                (code == NULL || strcmp(region->notes[i].code, code) == 0)) {
                return true;
            }
        }
    }
    return false;
}

static void assert_refused(const reha_gray *image, const reha_acquisition *facts, const char *code)
{
    reha_analysis *analysis = analyse(image, facts, false);
    assert_int_equal(graded_count(analysis), 0);
    if (!has_refusal(analysis, code)) {
        fail_msg("wanted a refusal '%s', got '%s'", code != NULL ? code : "any",
                 analysis->note_count > 0     ? analysis->notes[0].code
                 : analysis->region_count > 0 ? analysis->regions[0].notes[0].code
                                              : "nothing");
    }
    reha_analysis_free(analysis);
}

/* ---- Drawn knees ---- */

static void a_drawn_film_is_measured_within_its_error(void **state)
{
    (void)state;
    NEED_MODEL();
    const reha_acquisition facts = eight_bit();
    int measured = 0;
    double error_sum = 0.0;
    for (int i = 0; i < 4; i++) {
        reha_phantom_spec spec = reha_phantom_film_both((uint64_t)i + 1);
        reha_phantom_truth truths[2];
        spec.is_spacing_known = true;
        reha_phantom_set_grade(&spec.knees[0], i, 5);
        reha_phantom_set_grade(&spec.knees[1], 3 - i, 6);
        reha_gray *image = phantom(spec, truths);
        reha_analysis *analysis = analyse(image, &facts, false);
        assert_int_equal(analysis->region_count, 2);
        (void)graded_count(analysis);
        for (int r = 0; r < 2; r++) {
            const reha_region *region = &analysis->regions[r];
            const reha_finding *medial = reha_region_find(region, "jsw-medial-min");
            if (medial == NULL) {
                continue;
            }
            assert_string_equal(medial->measure.unit, "mm");
            assert_string_equal(medial->measure.source, "calibrated");
            assert_true(fabs(medial->measure.value - truths[r].medial_jsw_mm) < 1.6 * medial->measure.error);
            error_sum += fabs(medial->measure.value - truths[r].medial_jsw_mm);
            measured++;
            /* the landmarks lie on the drawn bones, in the whole image's pixels */
            double distance_px = 0.0;
            assert_int_equal(region->point_count, REHA_PHANTOM_LANDMARKS);
            for (int p = 0; p < REHA_PHANTOM_LANDMARKS; p++) {
                distance_px += hypot(region->points[p].x_px - truths[r].landmarks[p].x_px,
                                     region->points[p].y_px - truths[r].landmarks[p].y_px) /
                               REHA_PHANTOM_LANDMARKS;
            }
            assert_true(distance_px * spec.mm_per_px < 4.0);
            assert_true(region->profile_count > 10);
        }
        reha_analysis_free(analysis);
        reha_gray_free(image);
    }
    assert_true(measured >= 6);
    print_message("medial joint space of %d drawn knees: mean error %.2f mm\n", measured,
                  error_sum / measured);
    assert_true(error_sum / measured < 0.8);
}

static void lengths_are_ratios_without_spacing(void **state)
{
    (void)state;
    NEED_MODEL();
    const reha_acquisition facts = eight_bit();
    reha_phantom_spec spec = reha_phantom_film_both(3);
    spec.is_spacing_known = false;
    reha_gray *image = phantom(spec, NULL);
    reha_analysis *analysis = analyse(image, &facts, false);
    assert_true(graded_count(analysis) > 0); /* checks the units */
    bool says_so = false;
    for (int i = 0; i < analysis->note_count; i++) {
        says_so = says_so || strcmp(analysis->notes[i].code, "no-millimetres") == 0;
    }
    assert_true(says_so);
    reha_analysis_free(analysis);
    reha_gray_free(image);
}

static void the_explanation_lies_over_the_joint(void **state)
{
    (void)state;
    NEED_MODEL();
    const reha_acquisition facts = eight_bit();
    reha_phantom_spec spec = reha_phantom_film(REHA_SIDE_RIGHT, 4);
    reha_phantom_truth truth;
    reha_gray *image = phantom(spec, &truth);
    reha_analysis *analysis = analyse(image, &facts, true);
    assert_int_equal(graded_count(analysis), 1);
    const reha_region *region = &analysis->regions[0];
    if (region->explanation != NULL) { /* a card may name no map */
        const reha_box_px box = region->explanation_box;
        const double x = 0.5 * (truth.landmarks[0].x_px + truth.landmarks[8].x_px);
        const double y = 0.5 * (truth.landmarks[0].y_px + truth.landmarks[8].y_px);
        assert_true(x > box.x_px && x < box.x_px + box.width_px && y > box.y_px &&
                    y < box.y_px + box.height_px);
        assert_true(fabs(region->explanation_angle_deg) < 20.0);
        float largest = 0.0f;
        for (uint32_t i = 0; i < region->explanation->width_px * region->explanation->height_px; i++) {
            largest = fmaxf(largest, fabsf(region->explanation->pixels[i]));
        }
        assert_true(largest > 0.5f && largest <= 1.0f);
    }
    reha_analysis_free(analysis);
    reha_gray_free(image);
}

static void the_same_image_gives_the_same_result(void **state)
{
    (void)state;
    NEED_MODEL();
    const reha_acquisition facts = eight_bit();
    reha_gray *image = phantom(reha_phantom_crop(REHA_SIDE_LEFT, 9), NULL);
    reha_analysis *a = analyse(image, &facts, false);
    reha_analysis *b = analyse(image, &facts, false);
    assert_int_equal(graded_count(a), 1);
    assert_memory_equal(a->regions[0].points, b->regions[0].points, sizeof a->regions[0].points);
    assert_memory_equal(a->regions[0].findings[0].class_probabilities,
                        b->regions[0].findings[0].class_probabilities,
                        sizeof a->regions[0].findings[0].class_probabilities);
    reha_analysis_free(b);
    reha_analysis_free(a);
    reha_gray_free(image);
}

static void stated_facts_decide_before_any_network(void **state)
{
    (void)state;
    NEED_MODEL();
    reha_gray *image = phantom(reha_phantom_crop(REHA_SIDE_LEFT, 9), NULL);
    reha_acquisition facts = eight_bit();
    (void)snprintf(facts.modality, sizeof facts.modality, "US");
    assert_refused(image, &facts, "wrong-modality");
    facts = eight_bit();
    (void)snprintf(facts.body_part, sizeof facts.body_part, "HAND");
    assert_refused(image, &facts, "wrong-body-part");
    facts = eight_bit();
    (void)snprintf(facts.view_position, sizeof facts.view_position, "LL");
    assert_refused(image, &facts, "wrong-view");
    facts = eight_bit();
    facts.chroma_fraction = 0.9;
    assert_refused(image, &facts, "colour-picture");
    reha_gray_free(image);
}

static void the_side_comes_from_the_file_first(void **state)
{
    (void)state;
    NEED_MODEL();
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = phantom(reha_phantom_crop(REHA_SIDE_LEFT, 9), NULL);
    reha_acquisition facts = eight_bit();
    facts.side = REHA_SIDE_LEFT;
    const reha_analyse_options options = {.side_hint = REHA_SIDE_RIGHT, .side_source = "file name"};
    reha_analysis *analysis = NULL;
    assert_ok(knee_oa->analyse(model, image, &facts, &options, &analysis, &err), &err);
    assert_int_equal(analysis->regions[0].side, REHA_SIDE_LEFT);
    assert_string_equal(analysis->regions[0].side_source, "DICOM");
    reha_analysis_free(analysis);
    facts.side = REHA_SIDE_UNKNOWN;
    assert_ok(knee_oa->analyse(model, image, &facts, &options, &analysis, &err), &err);
    assert_int_equal(analysis->regions[0].side, REHA_SIDE_RIGHT);
    assert_string_equal(analysis->regions[0].side_source, "file name");
    reha_analysis_free(analysis);
    reha_gray_free(image);
}

/* ---- Bad input ---- */

static void pictures_that_are_no_knees_are_refused(void **state)
{
    (void)state;
    NEED_MODEL();
    reha_error err = REHA_ERROR_INIT;
    const reha_acquisition facts = eight_bit();
    static const struct {
        uint32_t width, height;
    } sizes[] = {{1, 1}, {2, 500}, {500, 2}, {16, 16}, {64, 64}, {300, 300}, {3000, 40}, {1500, 1100}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (int kind = 0; kind < 3; kind++) {
            reha_gray *image = NULL;
            assert_ok(reha_gray_new(sizes[s].width, sizes[s].height, &image, &err), &err);
            reha_random random = reha_random_init(s, (uint64_t)kind);
            for (size_t i = 0; i < (size_t)sizes[s].width * sizes[s].height; i++) {
                image->pixels[i] = kind == 0   ? 128.0f
                                   : kind == 1 ? (float)reha_random_below(&random, 256)
                                               : (float)((i / 7) % 256);
            }
            assert_refused(image, &facts, NULL);
            reha_gray_free(image);
        }
    }
}

static void strange_numbers_do_not_crash(void **state)
{
    (void)state;
    NEED_MODEL();
    reha_error err = REHA_ERROR_INIT;
    const reha_acquisition facts = reha_acquisition_unknown();
    reha_analysis *analysis = NULL;
    reha_gray *image = phantom(reha_phantom_crop(REHA_SIDE_LEFT, 9), NULL);
    image->pixels[4711] = NAN;
    assert_int_equal(knee_oa->analyse(model, image, &facts, NULL, &analysis, &err), REHA_E_FORMAT);
    assert_null(analysis);
    image->pixels[4711] = 0.0f;
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        image->pixels[i] = image->pixels[i] * 1e30f - 1e32f; /* an absurd but finite scale */
    }
    image->spacing = (reha_spacing){(double)NAN, 0.2, REHA_SPACING_CALIBRATED};
    assert_ok(knee_oa->analyse(model, image, NULL, NULL, &analysis, &err), &err);
    (void)graded_count(analysis);
    reha_analysis_free(analysis);
    reha_gray_free(image);
}

static void the_scale_of_grey_values_does_not_matter(void **state)
{
    (void)state;
    NEED_MODEL();
    const reha_acquisition facts = eight_bit();
    reha_acquisition deep = reha_acquisition_unknown();
    deep.bits_stored = 16;
    reha_gray *image = phantom(reha_phantom_crop(REHA_SIDE_RIGHT, 12), NULL);
    reha_analysis *a = analyse(image, &facts, false);
    assert_int_equal(graded_count(a), 1);
    const double scales[3][2] = {{1.0 / 255.0, 0.0}, {257.0, 0.0}, {14.0, -1024.0}};
    for (int s = 0; s < 3; s++) {
        reha_error err = REHA_ERROR_INIT;
        reha_gray *copy = NULL;
        assert_ok(reha_gray_copy(image, &copy, &err), &err);
        for (size_t i = 0; i < (size_t)copy->width_px * copy->height_px; i++) {
            copy->pixels[i] = (float)((double)copy->pixels[i] * scales[s][0] + scales[s][1]);
        }
        reha_analysis *b = analyse(copy, &deep, false);
        assert_int_equal(graded_count(b), 1);
        for (int k = 0; k < 5; k++) {
            assert_true(fabs(a->regions[0].findings[0].class_probabilities[k] -
                             b->regions[0].findings[0].class_probabilities[k]) < 0.05);
        }
        reha_analysis_free(b);
        reha_gray_free(copy);
    }
    reha_analysis_free(a);
    reha_gray_free(image);
}

static void broken_model_folders_are_named(void **state)
{
    (void)state;
    NEED_MODEL();
    reha_error err = REHA_ERROR_INIT;
    char folder[] = "/tmp/reha-model-XXXXXX";
    char path[640];
    char target[640];
    json_t *card = NULL;
    reha_model *broken = NULL;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/card.json", model_folder);
    assert_ok(reha_json_load(path, &card, &err), &err);
    (void)snprintf(path, sizeof path, "%s/card.json", folder);
    assert_ok(reha_json_save(path, card, &err), &err);
    const reha_model_options options = {.model_folder = folder, .threads = 1};
    assert_int_equal(knee_oa->open(&options, &broken, &err),
                     REHA_E_NOT_FOUND); /* no network beside the card */
    assert_non_null(strstr(err.text, folder));
    /* every network is there, but the grader's file holds another network */
    const json_t *networks = json_object_get(card, "networks");
    const char *other =
        json_string_value(json_object_get(json_array_get(networks, json_array_size(networks) - 1), "file"));
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(networks, i, item)
    {
        const char *file = json_string_value(json_object_get(item, "file"));
        (void)snprintf(path, sizeof path, "%s/%s", folder, file);
        (void)snprintf(target, sizeof target, "%s/%s", model_folder, i == 0 ? other : file);
        assert_int_equal(symlink(target, path), 0);
    }
    if (json_array_size(networks) > 1) {
        assert_int_equal(knee_oa->open(&options, &broken, &err), REHA_E_FORMAT);
        assert_non_null(strstr(err.text, "'kl' network"));
    }
    assert_null(broken);
    json_decref(card);
    (void)snprintf(path, sizeof path, "rm -r %s", folder);
    assert_int_equal(system(path), 0);
}

static void failing_allocations_are_reported(void **state)
{
    (void)state;
    NEED_MODEL();
    const reha_acquisition facts = eight_bit();
    reha_gray *image = phantom(reha_phantom_crop(REHA_SIDE_LEFT, 9), NULL);
    reha_status status = REHA_E_NOMEM;
    long round = 0;
    for (; status != REHA_OK && round < 4000; round += round < 12 ? 1 : 3) {
        reha_analysis *analysis = NULL;
        const size_t before = reha_mem_live_blocks();
        reha_mem_fail_after(round);
        status = knee_oa->analyse(model, image, &facts, NULL, &analysis, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_analysis_free(analysis);
        assert_int_equal(reha_mem_live_blocks(), before);
    }
    assert_int_equal(status, REHA_OK);
    reha_gray_free(image);
}

/* ---- Real images ---- */

enum { VAL_STEP = 40 };

static reha_gray *load(const char *folder, const char *name, reha_acquisition *facts)
{
    reha_error err = REHA_ERROR_INIT;
    char path[1024];
    reha_gray *image = NULL;
    (void)snprintf(path, sizeof path, "%s/%s/%s", test_data_dir(), folder, name);
    assert_ok(reha_image_load(path, NULL, &image, facts, &err), &err);
    return image;
}

static void turn_upside_down(reha_gray *image)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    for (size_t i = 0; i < count / 2; i++) {
        const float swap = image->pixels[i];
        image->pixels[i] = image->pixels[count - 1 - i];
        image->pixels[count - 1 - i] = swap;
    }
}

/* Every VAL_STEP-th knee of the validation split: graded as it is; the same when inverted; refused upside
 * down. */
static void real_knees_are_graded_repaired_and_refused(void **state)
{
    (void)state;
    NEED_MODEL();
    TEST_NEED_DATA();
    reha_error err = REHA_ERROR_INIT;
    reha_csv *table = NULL;
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/knee_xray/labels.csv", test_data_dir());
    assert_ok(reha_csv_load(path, &table, &err), &err);
    int seen = 0;
    int graded = 0;
    int near = 0;
    int same_inverted = 0;
    int refused_turned = 0;
    int side_right = 0;
    int side_known = 0;
    for (size_t row = 0, val = 0; row < reha_csv_rows(table); row++) {
        if (strcmp(reha_csv_get(table, row, reha_csv_find(table, "split")), "val") != 0 ||
            val++ % VAL_STEP != 0) {
            continue;
        }
        reha_acquisition facts = reha_acquisition_unknown();
        reha_gray *image = load("knee_xray", reha_csv_get(table, row, reha_csv_find(table, "path")), &facts);
        reha_analysis *a = analyse(image, &facts, false);
        seen++;
        if (graded_count(a) == 1) {
            const reha_finding *finding = reha_region_find(&a->regions[0], "kl-grade");
            const int kl = atoi(reha_csv_get(table, row, reha_csv_find(table, "kl")));
            graded++;
            near += abs(finding->grade - kl) <= 1;
            if (a->regions[0].side != REHA_SIDE_UNKNOWN) {
                const char *side = reha_csv_get(table, row, reha_csv_find(table, "side"));
                side_known++;
                side_right += (a->regions[0].side == REHA_SIDE_LEFT) == (side[0] == 'L');
            }
            for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
                image->pixels[i] = 255.0f - image->pixels[i];
            }
            reha_analysis *b = analyse(image, &facts, false);
            if (graded_count(b) == 1 && b->was_inverted != a->was_inverted) {
                same_inverted += reha_region_find(&b->regions[0], "kl-grade")->grade == finding->grade;
            }
            reha_analysis_free(b);
            for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
                image->pixels[i] = 255.0f - image->pixels[i];
            }
            turn_upside_down(image);
            reha_analysis *c = analyse(image, &facts, false);
            refused_turned += graded_count(c) == 0;
            reha_analysis_free(c);
        }
        reha_analysis_free(a);
        reha_gray_free(image);
    }
    reha_csv_free(table);
    print_message("%d knees: %d graded, %d within one grade; inverted: %d the same; upside down: %d refused; "
                  "side: %d of %d\n",
                  seen, graded, near, same_inverted, refused_turned, side_right, side_known);
    assert_true(seen >= 15);
    assert_true(graded >= seen * 9 / 10);
    assert_true(near >= graded * 7 / 10);
    assert_true(same_inverted >= graded * 9 / 10);
    assert_true(refused_turned >= graded * 9 / 10);
    assert_true(side_known >= graded / 2 && side_right >= side_known * 95 / 100);
}

static void both_knees_of_a_film_are_found(void **state)
{
    (void)state;
    NEED_MODEL();
    TEST_NEED_DATA();
    static const char *const films[] = {"images/N10.jpg", "images/N11.jpg", "images/N13.jpg"};
    for (size_t i = 0; i < sizeof films / sizeof films[0]; i++) {
        reha_acquisition facts = reha_acquisition_unknown();
        reha_gray *image = load("knee_radiographs", films[i], &facts);
        reha_analysis *analysis = analyse(image, &facts, false);
        assert_int_equal(analysis->region_count, 2);
        assert_int_equal(graded_count(analysis), 2);
        assert_true(analysis->regions[0].box.x_px < analysis->regions[1].box.x_px);
        reha_analysis_free(analysis);
        reha_gray_free(image);
    }
}

/* The first files of a folder of other images. */
static void refuse_folder(const char *folder, size_t step, size_t limit, size_t miss_max)
{
    reha_error err = REHA_ERROR_INIT;
    reha_paths paths = {0};
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", test_data_dir(), folder);
    assert_ok(reha_folder_list(path, 100000, &paths, &err), &err);
    size_t seen = 0;
    size_t missed = 0;
    for (size_t i = 0; i < paths.count && seen < limit; i += step) {
        reha_gray *image = NULL;
        reha_acquisition facts = reha_acquisition_unknown();
        if (strstr(paths.items[i], "mask") != NULL ||
            reha_image_load(paths.items[i], NULL, &image, &facts, NULL) != REHA_OK) {
            continue;
        }
        reha_analysis *analysis = analyse(image, &facts, false);
        missed += graded_count(analysis) > 0;
        seen++;
        reha_analysis_free(analysis);
        reha_gray_free(image);
    }
    reha_paths_clear(&paths);
    print_message("%s: %zu images, %zu taken for knees\n", folder, seen, missed);
    assert_true(seen > 0 && missed <= miss_max);
}

static void hands_and_ultrasound_are_refused(void **state)
{
    (void)state;
    NEED_MODEL();
    TEST_NEED_DATA();
    refuse_folder("fracture_xray/images", 11, 20, 1); /* the set holds three knees by mistake */
    refuse_folder("muscle_ultrasound", 37, 20, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drawn_film_is_measured_within_its_error),
        cmocka_unit_test(lengths_are_ratios_without_spacing),
        cmocka_unit_test(the_explanation_lies_over_the_joint),
        cmocka_unit_test(the_same_image_gives_the_same_result),
        cmocka_unit_test(stated_facts_decide_before_any_network),
        cmocka_unit_test(the_side_comes_from_the_file_first),
        cmocka_unit_test(pictures_that_are_no_knees_are_refused),
        cmocka_unit_test(strange_numbers_do_not_crash),
        cmocka_unit_test(the_scale_of_grey_values_does_not_matter),
        cmocka_unit_test(broken_model_folders_are_named),
        cmocka_unit_test(failing_allocations_are_reported),
        cmocka_unit_test(real_knees_are_graded_repaired_and_refused),
        cmocka_unit_test(both_knees_of_a_film_are_found),
        cmocka_unit_test(hands_and_ultrasound_are_refused),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
