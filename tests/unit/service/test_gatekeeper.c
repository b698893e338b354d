/* A folder of mixed pictures through the whole use case: each goes to its recogniser or is refused with one
 * clear line. Needs the shipped models; skipped without. */
#include "../recognition/muscle_picture.h"

#include "base/file.h"
#include "base/memory.h"
#include "dicom/write.h"
#include "image/save.h"
#include "image/statistics.h"
#include "recognition/knee_phantom.h"
#include "recognition/scene_drawn.h"
#include "service/analyse.h"
#include "service/gatekeeper.h"

#include <string.h>
#include <unistd.h>

static char root[] = "/tmp/reha-gatekeeper-XXXXXX";
static const char models[] = REHA_SOURCE_DIR "/models";

#define NEED_GATE()                                                                                          \
    do {                                                                                                     \
        if (!reha_path_is_folder(REHA_SOURCE_DIR "/models/gate")) {                                          \
            print_message("skipped: no model in models/gate\n");                                             \
            skip();                                                                                          \
        }                                                                                                    \
    } while (0)

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_root(void **state)
{
    char command[64];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static void make_link(const char *from, const char *to)
{
    char command[600];
    (void)snprintf(command, sizeof command, "mkdir -p \"$(dirname '%s/%s')\" && ln -s '%s/%s' '%s/%s'", root,
                   to, models, from, root, to);
    assert_int_equal(system(command), 0);
}

static void save_take(const char *name, reha_gray *image)
{
    reha_error err = REHA_ERROR_INIT;
    char *path = reha_path_join(root, name);
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        image->pixels[i] = fminf(255.0F, fmaxf(0.0F, image->pixels[i]));
    }
    assert_ok(reha_image_save_png(image, 8, path, &err), &err);
    reha_gray_free(image);
    reha_free(path);
}

static reha_gray *draw_knee(void)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    const reha_phantom_spec spec = reha_phantom_crop(REHA_SIDE_LEFT, 77);
    assert_ok(reha_phantom_draw(&spec, &image, NULL, &err), &err);
    return image;
}

static reha_gray *draw(reha_scene_kind kind)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    reha_random random = reha_random_init(987654, 3);
    assert_ok(reha_scene_draw(kind, &random, &image, &err), &err);
    return image;
}

static reha_analyser *open_analyser(const char *models_folder, const char *task)
{
    reha_error err = REHA_ERROR_INIT;
    reha_analyser *analyser = NULL;
    const reha_analyser_options how = {.task = task, .models_folder = models_folder, .threads = 1};
    assert_ok(reha_analyser_open(&how, &analyser, &err), &err);
    return analyser;
}

static void run(reha_analyser *analyser, const char *name, reha_case *out)
{
    char *path = reha_path_join(root, name);
    reha_analyser_run(analyser, path, false, out);
    assert_int_equal(out->status, REHA_OK);
    reha_free(path);
}

/* One line that says refused, why, and what it is instead; `code` NULL: any. */
static void assert_refused(const reha_case *result, const char *code, const char *says)
{
    reha_error err = REHA_ERROR_INIT;
    char *line = NULL;
    assert_false(reha_case_is_accepted(result));
    assert_true(result->analysis->note_count > 0);
    if (code != NULL) {
        assert_string_equal(result->analysis->notes[0].code, code);
    }
    assert_int_equal(strlen(result->analysis->model_hash), 64);
    assert_ok(reha_case_line(result, &line, &err), &err);
    assert_null(strchr(line, '\n'));
    assert_ptr_equal(strstr(line, "refused: "), line);
    if (strstr(line, says) == NULL) {
        fail_msg("'%s' does not say '%s'", line, says);
    }
    reha_free(line);
}

/* A muscle amid a page of text: what is around it looks like a page, and only muscle-us may have what is in
 * it. */
static void a_muscle_on_a_page_is_for_muscle_us_alone(void **state)
{
    (void)state;
    NEED_GATE();
    TEST_NEED_DATA();
    reha_error err = REHA_ERROR_INIT;
    reha_gatekeeper *keeper = NULL;
    reha_gray *page = NULL;
    reha_gray *muscle = NULL;
    reha_acquisition facts;
    char *path = reha_path_join(test_data_dir(), "muscle_ultrasound/aponeurosis/images/img_00043.jpg");
    assert_ok(reha_load_picture(path, &muscle, &facts, &err), &err);
    reha_free(path);
    facts = reha_acquisition_unknown();
    assert_ok(reha_gray_new(2 * muscle->width_px, 2 * muscle->height_px, &page, &err), &err);
    for (uint32_t y = 0; y < page->height_px; y++) {
        for (uint32_t x = 0; x < page->width_px; x++) {
            const uint32_t from_x = x - muscle->width_px / 2;
            const uint32_t from_y = y - muscle->height_px / 2;
            const bool is_ink = y % 20 < 8 && x % 50 < 41 && (x / 3 + y) % 3 != 0;
            page->pixels[(size_t)y * page->width_px + x] =
                from_x < muscle->width_px && from_y < muscle->height_px
                    ? muscle->pixels[(size_t)from_y * muscle->width_px + from_x]
                : is_ink ? 20.0F
                         : 245.0F;
        }
    }
    assert_ok(reha_gatekeeper_new(models, 1, &keeper, &err), &err);
    static const struct {
        const char *task;
        bool is_let_in;
    } asked[] = {{"muscle-us", true}, {"fracture", false}};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        reha_ruling ruling;
        assert_ok(reha_gatekeeper_ask(keeper, page, &facts, asked[i].task, &ruling, &err), &err);
        assert_int_equal(!ruling.is_refused, asked[i].is_let_in);
        assert_int_equal(strcmp(ruling.note.code, "screen-around") == 0, asked[i].is_let_in);
        assert_string_equal(ruling.task, asked[i].task);
        reha_ruling_clear(&ruling);
    }
    reha_gatekeeper_free(keeper);
    reha_gray_free(page);
    reha_gray_free(muscle);
}

static void each_picture_goes_where_it_belongs(void **state)
{
    (void)state;
    NEED_GATE();
    reha_case result;
    const muscle_picture muscle = muscle_picture_default();
    reha_gray *inverted = draw_knee();
    reha_gray_invert(inverted);
    save_take("knee.png", draw_knee());
    save_take("inverted.png", inverted);
    save_take("muscle.png", muscle_picture_draw(&muscle));
    save_take("photo.png", draw(REHA_SCENE_PHOTO));
    save_take("page.png", draw(REHA_SCENE_PAGE));
    save_take("blank.png", draw(REHA_SCENE_BLANK));
    save_take("slice.png", draw(REHA_SCENE_SLICE));
    reha_analyser *any = open_analyser(models, NULL);
    run(any, "knee.png", &result);
    assert_true(reha_case_is_accepted(&result));
    assert_string_equal(result.analysis->task, "knee-oa");
    reha_case_clear(&result);
    run(any, "inverted.png", &result);
    assert_true(reha_case_is_accepted(&result) && result.analysis->was_inverted);
    reha_case_clear(&result);
    run(any, "muscle.png", &result);
    assert_true(reha_case_is_accepted(&result));
    assert_string_equal(result.analysis->task, "muscle-us");
    reha_case_clear(&result);
    /* What such drawings are called may change with every training; that they are refused may not. */
    static const char *const others[] = {"photo.png", "page.png", "blank.png", "slice.png"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        run(any, others[i], &result);
        assert_refused(&result, NULL, "");
        assert_null(strstr(result.analysis->notes[0].code, "prosthesis"));
        reha_case_clear(&result);
    }
    reha_analyser_close(any);
}

static void a_named_task_refuses_what_is_something_else(void **state)
{
    (void)state;
    NEED_GATE();
    static const char *const tasks[] = {"fracture", "muscle-us"};
    reha_case result;
    for (size_t t = 0; t < 2; t++) {
        reha_analyser *analyser = open_analyser(models, tasks[t]);
        run(analyser, "knee.png", &result);
        assert_string_equal(result.analysis->task, tasks[t]);
        assert_refused(&result, "knee-radiograph", "a frontal radiograph of the knee");
        reha_case_clear(&result);
        run(analyser, "page.png", &result);
        assert_refused(&result, NULL, "");
        reha_case_clear(&result);
        reha_analyser_close(analyser);
    }
    reha_analyser *gate = open_analyser(models, "gate"); /* tells, and refuses nothing */
    run(gate, "photo.png", &result);
    assert_true(reha_case_is_accepted(&result));
    assert_non_null(strstr(result.analysis->regions[0].findings[0].evidence, "This looks like "));
    reha_case_clear(&result);
    reha_analyser_close(gate);
}

/* A file that says ultrasound around a picture of a knee. */
static void what_the_file_says_is_held_against_the_picture(void **state)
{
    (void)state;
    NEED_GATE();
    reha_error err = REHA_ERROR_INIT;
    uint8_t pixels[224 * 224];
    reha_case result;
    reha_gray *knee = draw_knee();
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)fminf(255.0F, fmaxf(0.0F, knee->pixels[i]));
    }
    reha_dicom_image file = reha_dicom_image_empty();
    file.width_px = knee->width_px;
    file.height_px = knee->height_px;
    file.bits_stored = 8;
    file.pixels = pixels;
    (void)snprintf(file.facts.modality, sizeof file.facts.modality, "US");
    char *path = reha_path_join(root, "wrong.dcm");
    assert_ok(reha_dicom_save_image(&file, path, &err), &err);
    reha_analyser *any = open_analyser(models, NULL);
    run(any, "wrong.dcm", &result);
    assert_refused(&result, "knee-radiograph",
                   "the file says modality US, but this looks like a frontal radiograph");
    reha_case_clear(&result);
    reha_analyser_close(any);
    reha_gray_free(knee);
    reha_free(path);
}

static void without_a_gate_every_result_says_so(void **state)
{
    (void)state;
    reha_case result;
    char *folder = reha_path_join(root, "ungated");
    make_link("knee-oa", "ungated/knee-oa");
    if (!reha_path_is_file(REHA_SOURCE_DIR "/models/knee-oa/1/card.json")) {
        reha_free(folder);
        skip();
    }
    save_take("knee.png", draw_knee());
    reha_analyser *analyser = open_analyser(folder, NULL);
    run(analyser, "knee.png", &result);
    assert_true(reha_case_is_accepted(&result));
    bool is_told = false;
    for (int i = 0; i < result.analysis->note_count; i++) {
        is_told = is_told || strcmp(result.analysis->notes[i].code, "no-gate") == 0;
    }
    assert_true(is_told);
    reha_case_clear(&result);
    reha_analyser_close(analyser);
    reha_free(folder);
}

static void a_broken_gate_is_an_error_and_no_open_door(void **state)
{
    (void)state;
    NEED_GATE();
    reha_error err = REHA_ERROR_INIT;
    reha_case result;
    char *folder = reha_path_join(root, "broken");
    char *knee = reha_path_join(root, "knee.png");
    make_link("knee-oa", "broken/knee-oa");
    make_link("gate/1/model.onnx", "broken/gate/1/model.onnx");
    char *card = reha_path_join(folder, "gate/1/card.json");
    assert_ok(reha_file_save(card, "{}", 2, &err), &err);
    reha_analyser *analyser = open_analyser(folder, NULL);
    reha_analyser_run(analyser, knee, false, &result);
    assert_int_equal(result.status, REHA_E_FORMAT);
    assert_non_null(strstr(result.error.text, "no model card of task gate"));
    reha_case_clear(&result);
    reha_analyser_close(analyser);
    reha_free(card);
    reha_free(knee);
    reha_free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_picture_goes_where_it_belongs),
        cmocka_unit_test(a_muscle_on_a_page_is_for_muscle_us_alone),
        cmocka_unit_test(a_named_task_refuses_what_is_something_else),
        cmocka_unit_test(what_the_file_says_is_held_against_the_picture),
        cmocka_unit_test(without_a_gate_every_result_says_so),
        cmocka_unit_test(a_broken_gate_is_an_error_and_no_open_door),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
