/* Files of muscle ultrasound to results, with held-out pictures of the shared data: what a screen writes over
 * or beside the tissue changes no number beyond its stated error, and the frames of a DICOM film are those
 * pictures. */
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#define reha_window                                                                                          \
    reha_window_of_dicom /* nn/graph.h has another, and no program but this test needs both                  \
                          */
#include "dicom/write.h"
#undef reha_window
#include "image/load.h"
#include "image/save.h"
#include "recognition/muscle_changes.h"
#include "recognition/muscle_data.h"
#include "service/analyse.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { PICTURES = 5, FRAMES_MAX = 4 };
static const double MM_PER_PX = 0.08;

static char folder[] = "/tmp/reha-muscle-path-XXXXXX";
static char path[128];
static reha_analyser *analyser;
static reha_muscle_data data;

static int open_all(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char data_folder[512];
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/file", folder);
    if (test_data_dir() == NULL) {
        return 0;
    }
    (void)snprintf(data_folder, sizeof data_folder, "%s/muscle_ultrasound", test_data_dir());
    const reha_analyser_options how = {.task = "muscle-us",
                                       .models_folder = REHA_SOURCE_DIR "/models",
                                       .threads = 1,
                                       .mm_per_px = MM_PER_PX};
    if (reha_muscle_data_load(data_folder, "val", &data, &err) != REHA_OK ||
        reha_analyser_open(&how, &analyser, &err) != REHA_OK) {
        print_message("%s\n", err.text);
        return -1;
    }
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    reha_analyser_close(analyser);
    reha_muscle_data_clear(&data);
    (void)unlink(path);
    return rmdir(folder);
}

typedef struct numbers {
    double thickness_mm, thickness_error_mm, pennation_deg, pennation_error_deg;
} numbers;

static numbers numbers_of(const reha_case *result, const char *what)
{
    numbers out;
    if (result->status != REHA_OK || !reha_case_is_accepted(result)) {
        fail_msg("%s: %s", what, result->status != REHA_OK ? result->error.text : "refused");
    }
    const reha_region *region = &result->analysis->regions[0];
    const reha_measure *thickness = &reha_region_find(region, "thickness")->measure;
    const reha_measure *pennation = &reha_region_find(region, "pennation")->measure;
    out = (numbers){thickness->value, thickness->error, pennation->value, pennation->error};
    return out;
}

static numbers analyse_file(const char *file, const char *what)
{
    reha_case result;
    reha_analyser_run(analyser, file, false, &result);
    const numbers out = numbers_of(&result, what);
    reha_case_clear(&result);
    return out;
}

/* The n-th picture with a mask of aponeuroses, each of another group. */
static const reha_muscle_item *item_of_group(size_t n)
{
    size_t seen = 0;
    for (size_t i = 0; i < data.count; i++) {
        bool is_new = data.items[i].structure == REHA_MUSCLE_APONEUROSIS;
        for (size_t k = 0; k < i && is_new; k++) {
            is_new = data.items[k].group_idx != data.items[i].group_idx;
        }
        if (is_new && seen++ == n) {
            return &data.items[i];
        }
    }
    return NULL;
}

static reha_gray *load(const char *file)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    assert_ok(reha_image_load(file, NULL, &image, NULL, &err), &err);
    return image;
}

static const reha_muscle_change *find(const char *name)
{
    const reha_muscle_change *change = reha_muscle_changes;
    while (change->name != NULL && strcmp(change->name, name) != 0) {
        change++;
    }
    assert_non_null(change->name);
    return change;
}

static void what_is_written_on_a_picture_is_no_tissue(void **state)
{
    (void)state;
    TEST_NEED_DATA();
    static const char *const kinds[] = {"text-over", "ruler-over", "callipers",
                                        "screen",    "desktop",    "margin-white"};
    int compared = 0;
    int outside = 0;
    for (size_t n = 0; n < PICTURES; n++) {
        reha_error err = REHA_ERROR_INIT;
        const reha_muscle_item *item = item_of_group(n * 4);
        assert_non_null(item);
        reha_gray *image = load(item->image_path);
        reha_gray *mask = load(item->mask_path);
        reha_muscle_frame frame;
        assert_ok(reha_muscle_frame_find(image, &frame, &err), &err);
        const reha_muscle_scan scan = {.image = image,
                                       .mask = mask,
                                       .box = frame.box,
                                       .top_px = frame.box.y_px + 0.2 * frame.box.height_px,
                                       .bottom_px = frame.box.y_px + 0.6 * frame.box.height_px};
        const numbers without = analyse_file(item->image_path, item->image);
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            reha_random random = reha_random_init(n + 1, k + 1);
            reha_gray *written = NULL;
            reha_gray *written_mask = NULL;
            assert_ok(reha_muscle_change_make(find(kinds[k]), &scan, &random, &written, &written_mask, &err),
                      &err);
            assert_ok(reha_image_save_png(written, 8, path, &err), &err);
            const numbers with = analyse_file(path, kinds[k]);
            const bool differs = !(fabs(with.thickness_mm - without.thickness_mm) <=
                                   hypot(with.thickness_error_mm, without.thickness_error_mm)) ||
                                 !(fabs(with.pennation_deg - without.pennation_deg) <=
                                   hypot(with.pennation_error_deg, without.pennation_error_deg));
            if (differs) {
                print_message("%s, %s: %.2f mm and %.1f deg, without %.2f mm and %.1f deg\n", item->image,
                              kinds[k], with.thickness_mm, with.pennation_deg, without.thickness_mm,
                              without.pennation_deg);
            }
            outside += differs ? 1 : 0;
            compared++;
            reha_gray_free(written);
            reha_gray_free(written_mask);
        }
        reha_gray_free(image);
        reha_gray_free(mask);
    }
    /* Errors are 95 % intervals: of 30 pairs one or two may lie outside by chance. */
    if (outside > compared / 15) {
        fail_msg("%d of %d results changed by more than their stated errors", outside, compared);
    }
}

/* The gate's second look at what a screen shows opens no door to what is no muscle. */
static void a_knee_on_a_screen_is_refused(void **state)
{
    (void)state;
    TEST_NEED_DATA();
    reha_error err = REHA_ERROR_INIT;
    reha_paths knees = {0};
    char knee_folder[512];
    (void)snprintf(knee_folder, sizeof knee_folder, "%s/knee_xray/images", test_data_dir());
    const char *folders[1] = {knee_folder};
    assert_ok(reha_input_expand(folders, 1, &knees, &err), &err);
    for (size_t n = 0; n < 3; n++) {
        reha_case result;
        reha_gray *image = load(knees.items[n * 7]);
        const reha_muscle_scan scan = {.image = image,
                                       .mask = image,
                                       .box = {0.0, 0.0, image->width_px, image->height_px},
                                       .top_px = 10.0,
                                       .bottom_px = 100.0};
        reha_random random = reha_random_init(n, 1);
        reha_gray *shown = NULL;
        reha_gray *unused = NULL;
        assert_ok(reha_muscle_change_make(find("desktop"), &scan, &random, &shown, &unused, &err), &err);
        assert_ok(reha_image_save_png(shown, 8, path, &err), &err);
        reha_analyser_run(analyser, path, false, &result);
        assert_true(result.status == REHA_OK && !reha_case_is_accepted(&result));
        reha_case_clear(&result);
        reha_gray_free(shown);
        reha_gray_free(unused);
        reha_gray_free(image);
    }
    reha_paths_clear(&knees);
}

/* The longest run of pictures of one group and size, as a film has them. */
static size_t find_film(const reha_muscle_item **out)
{
    size_t best = 0;
    for (size_t i = 0; i < data.count && best < FRAMES_MAX; i++) {
        const reha_muscle_item *found[FRAMES_MAX];
        size_t count = 0;
        reha_gray *first = load(data.items[i].image_path);
        for (size_t k = i; k < data.count && count < FRAMES_MAX; k++) {
            if (data.items[k].group_idx == data.items[i].group_idx &&
                data.items[k].structure == data.items[i].structure) {
                reha_gray *other = load(data.items[k].image_path);
                if (other->width_px == first->width_px && other->height_px == first->height_px) {
                    found[count++] = &data.items[k];
                }
                reha_gray_free(other);
            }
        }
        reha_gray_free(first);
        if (count > best) {
            best = count;
            memcpy(out, found, count * sizeof *found);
        }
    }
    return best;
}

static void frames_of_a_film_are_measured_as_the_pictures_are(void **state)
{
    (void)state;
    TEST_NEED_DATA();
    reha_error err = REHA_ERROR_INIT;
    const reha_muscle_item *film[FRAMES_MAX];
    const size_t count = find_film(film);
    assert_true(count >= 2);
    reha_gray *first = load(film[0]->image_path);
    const size_t pixels = (size_t)first->width_px * first->height_px;
    uint8_t *stored = reha_alloc(count * pixels);
    assert_non_null(stored);
    reha_dicom_image image = reha_dicom_image_empty();
    image.width_px = first->width_px;
    image.height_px = first->height_px;
    image.frame_count = (uint32_t)count;
    image.bits_stored = 8;
    image.pixels = stored;
    image.spacing = (reha_spacing){MM_PER_PX, MM_PER_PX, REHA_SPACING_CALIBRATED};
    (void)snprintf(image.facts.modality, sizeof image.facts.modality, "US");
    (void)snprintf(image.ids.sop_class_uid, sizeof image.ids.sop_class_uid,
                   "1.2.840.10008.5.1.4.1.1.3.1"); /* US multi-frame */
    for (size_t f = 0; f < count; f++) {
        reha_gray *one = load(film[f]->image_path);
        for (size_t i = 0; i < pixels; i++) {
            stored[f * pixels + i] = (uint8_t)(one->pixels[i] + 0.5F);
        }
        reha_gray_free(one);
    }
    assert_ok(reha_dicom_save_image(&image, path, &err), &err);
    for (size_t f = 0; f < count; f++) {
        reha_case result;
        const numbers still = analyse_file(film[f]->image_path, film[f]->image);
        reha_analyser_run_frame(analyser, path, (uint32_t)f, false, &result);
        assert_int_equal(result.frame_count, count);
        const numbers frame = numbers_of(&result, "frame");
        assert_true(f > 0 || reha_case_has_more_frames(&result));
        if (!(fabs(frame.thickness_mm - still.thickness_mm) < 1e-3 * still.thickness_mm) ||
            !(fabs(frame.pennation_deg - still.pennation_deg) < 0.05)) {
            fail_msg("frame %zu: %g mm, %g deg; the picture %g mm, %g deg", f + 1, frame.thickness_mm,
                     frame.pennation_deg, still.thickness_mm, still.pennation_deg);
        }
        reha_case_clear(&result);
    }
    reha_case beyond;
    reha_analyser_run_frame(analyser, path, (uint32_t)count, false, &beyond);
    assert_int_equal(beyond.status, REHA_E_NOT_FOUND);
    reha_case_clear(&beyond);
    reha_free(stored);
    reha_gray_free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_on_a_picture_is_no_tissue),
        cmocka_unit_test(a_knee_on_a_screen_is_refused),
        cmocka_unit_test(frames_of_a_film_are_measured_as_the_pictures_are),
    };
    return cmocka_run_group_tests_name("muscle-path", tests, open_all, close_all);
}
