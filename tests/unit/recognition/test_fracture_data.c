/* The three layouts of fracture data, on small generated folders; faults name file and line. */
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "image/save.h"
#include "recognition/fracture.h"
#include "recognition/fracture_data.h"

#include <math.h>
#include <string.h>

static char root[] = "reha-fracture-XXXXXX";

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int empty_root(void **state)
{
    char command[64];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s' && mkdir '%s'", root, root);
    return system(command);
}

static int remove_root(void **state)
{
    char command[64];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

/* The loaders look at names only, so a picture may be any bytes. */
static void put(const char *name, const char *text)
{
    reha_error err = REHA_ERROR_INIT;
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_ok(reha_folder_make(path, &err), &err);
    *slash = '/';
    assert_ok(reha_file_save(path, text, strlen(text), &err), &err);
}

static void assert_edges(const reha_edges *box, double x0, double y0, double x1, double y1)
{
    if (fabs(box->x0 - x0) + fabs(box->y0 - y0) + fabs(box->x1 - x1) + fabs(box->y1 - y1) > 1e-6) {
        fail_msg("box %g %g %g %g, expected %g %g %g %g", box->x0, box->y0, box->x1, box->y1, x0, y0, x1, y1);
    }
}

static void test_yolo(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    reha_fracture_data data;
    (void)state;
    put("images/b.jpg", "b");
    put("images/a.png", "a");
    put("images/c.png", "c");
    put("images/notes.txt", "no picture");
    put("boxes/a.txt", "1 0.5 0.5 0.2 0.4\n0 0.1 0.1 0.2 0.2");
    put("boxes/b.txt", "");
    put("classes.txt", "angle\nline\n");
    put("index.csv", "name,source_picture\na,7\nb,8\nc,7\n");
    assert_ok(reha_fracture_data_load(root, &data, &err), &err);
    assert_int_equal(data.layout, REHA_FRACTURE_YOLO);
    assert_int_equal(data.image_count, 3);
    assert_int_equal(data.box_count, 2);
    assert_int_equal(data.group_count, 2);
    assert_string_equal(data.group_kind, "source picture");
    assert_string_equal(data.images[0].path, "images/a.png");
    assert_int_equal(data.images[0].box_count, 2);
    assert_int_equal(data.images[1].box_count, 0); /* an empty file */
    assert_int_equal(data.images[2].box_count, 0); /* no file */
    assert_int_equal(data.images[0].group_idx, data.images[2].group_idx);
    assert_int_not_equal(data.images[0].group_idx, data.images[1].group_idx);
    assert_edges(&data.boxes[0].edges, 0.4, 0.3, 0.6, 0.7);
    assert_edges(&data.boxes[1].edges, 0.0, 0.0, 0.2, 0.2);
    assert_int_equal(data.boxes[0].class_idx, 1);
    assert_string_equal(data.classes[1], "line");
    reha_fracture_data_clear(&data);
}

/* Two pictures of one patient must not be torn apart, though they come from two sources. */
static void test_patients_count_before_sources(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    reha_fracture_data data;
    (void)state;
    put("images/a.png", "");
    put("images/b.png", "");
    put("images/c.png", "");
    put("boxes/a.txt", "");
    put("index.csv", "name,source_picture,patient_id\na,1,anna\nb,2,anna\nc,3,bert\n");
    assert_ok(reha_fracture_data_load(root, &data, &err), &err);
    assert_string_equal(data.group_kind, "patient");
    assert_int_equal(data.group_count, 2);
    assert_int_equal(data.images[0].group_idx, data.images[1].group_idx);
    assert_int_not_equal(data.images[0].group_idx, data.images[2].group_idx);
    reha_fracture_data_clear(&data);
}

static void test_augmented_copies_are_one_group(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    reha_fracture_data data;
    (void)state;
    put("images/x_jpg.rf.0a1b.jpg", "1");
    put("images/x_jpg.rf.2c3d.jpg", "2");
    put("images/y_jpg.rf.4e5f.jpg", "3");
    put("labels/x_jpg.rf.0a1b.txt", "3 0.5 0.5 0.1 0.1\n");
    assert_ok(reha_fracture_data_load(root, &data, &err), &err);
    assert_int_equal(data.group_count, 2);
    assert_int_equal(data.images[0].group_idx, data.images[1].group_idx);
    assert_string_equal(data.classes[3], "3");
    reha_fracture_data_clear(&data);
}

static void load_fails(const char *expected)
{
    reha_error err = REHA_ERROR_INIT;
    reha_fracture_data data;
    assert_int_equal(reha_fracture_data_load(root, &data, &err), REHA_E_FORMAT);
    if (strstr(err.text, expected) == NULL) {
        fail_msg("'%s' is not in '%s'", expected, err.text);
    }
    assert_int_equal(data.image_count, 0);
}

static void test_yolo_faults_name_file_and_line(void **state)
{
    static const char *const bad[][2] = {
        {"1 0.5 0.5 0.2\n", "boxes/a.txt: line 1: not five"},
        {"\n1 0.5 0.5 0.2 0.4 0.1 0.2\n", "boxes/a.txt: line 2: not five"},
        {"1 0.5 0.5 0.2 0.4\n1 0.5 x 0.2 0.4\n", "line 2: not five"},
        {"2 0.5 0.5 0.2 0.4\n", "line 1: class 2, expected a whole number 0 to 1"},
        {"-1 0.5 0.5 0.2 0.4\n", "line 1: class -1"},
        {"0.5 0.5 0.5 0.2 0.4\n", "line 1: class 0.5"},
        {"1 0.5 0.5 0 0.4\n", "line 1: the box is empty"},
        {"1 0.95 0.5 0.2 0.4\n", "line 1: the box is empty or leaves"},
        {"1 250 300 40 40\n", "line 1: the box is empty or leaves"},
        {"1 nan 0.5 0.2 0.4\n", "line 1: not five"}};
    (void)state;
    put("images/a.png", "a");
    put("classes.txt", "angle\nline\n");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put("boxes/a.txt", bad[i][0]);
        load_fails(bad[i][1]);
    }
    put("boxes/a.txt", "");
    put("index.csv", "name,source_picture\na,\n");
    load_fails("index.csv: line 2: 'source_picture' is empty");
    put("index.csv", "name,kind\na,1\n");
    load_fails("index.csv: line 1: the column 'patient_id' or 'source_picture' is missing");
    put("index.csv", "name,source_picture\na,1\n");
    put("images/deep/a.jpg", "again");
    load_fails("two pictures of one name");
}

#define COCO_HEAD                                                                                            \
    "{\"images\":[{\"id\":4,\"file_name\":\"IMG2.jpg\",\"width\":200,\"height\":100},"                       \
    "{\"id\":1,\"file_name\":\"IMG9.jpg\",\"width\":10,\"height\":10}],\"annotations\":["

static void put_fracatlas(void)
{
    put("images/Fractured/IMG2.jpg", "2");
    put("images/Non_fractured/IMG1.jpg", "1");
    put("dataset.csv",
        "image_id,hand,leg,hip,shoulder,mixed,fractured\nIMG1.jpg,1,0,0,0,0,0\nIMG2.jpg,0,1,0,0,0,1\n");
}

static void test_fracatlas_coco(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    reha_fracture_data data;
    (void)state;
    put_fracatlas();
    put("Annotations/COCO JSON/COCO_fracture_masks.json",
        COCO_HEAD "{\"id\":0,\"image_id\":4,\"category_id\":0,\"bbox\":[20,10,40,30]},"
                  "{\"id\":1,\"image_id\":1,\"category_id\":0,\"bbox\":[1,1,2,2]},"
                  "{\"id\":2,\"image_id\":4,\"category_id\":0,\"bbox\":[100,50,100,50]}]}");
    assert_ok(reha_fracture_data_load(root, &data, &err), &err);
    assert_int_equal(data.layout, REHA_FRACTURE_FRACATLAS);
    assert_int_equal(data.image_count, 2); /* IMG9 is not among the pictures: its box is left out */
    assert_int_equal(data.box_count, 2);
    assert_string_equal(data.images[0].path, "images/Non_fractured/IMG1.jpg");
    assert_int_equal(data.images[0].box_count, 0);
    assert_int_equal(data.images[1].box_count, 2);
    assert_edges(&data.boxes[0].edges, 0.1, 0.1, 0.3, 0.4);
    assert_edges(&data.boxes[1].edges, 0.5, 0.5, 1.0, 1.0);
    assert_string_equal(data.images[1].subgroup, "leg");
    assert_int_equal(data.group_count, 2);
    assert_string_equal(data.group_kind, "picture");
    reha_fracture_data_clear(&data);
}

static void test_fracatlas_yolo_and_faults(void **state)
{
    static const char *const bad[][2] = {
        {COCO_HEAD "{\"id\":0,\"image_id\":5,\"bbox\":[0,0,1,1]}]}", "annotations[0]: image_id 5"},
        {COCO_HEAD "{\"id\":0,\"image_id\":4,\"bbox\":[0,0,1]}]}", "annotations[0]: "},
        {COCO_HEAD "{\"id\":0,\"image_id\":4.5,\"bbox\":[0,0,1,1]}]}", "image_id 4.5 is no whole number"},
        {COCO_HEAD "{\"id\":0,\"image_id\":1e300,\"bbox\":[0,0,1,1]}]}",
         "image_id 1e+300 is no whole number"},
        {"{\"images\":[{\"id\":1,\"file_name\":\"IMG1.jpg\",\"width\":9,\"height\":9},{\"id\":1,"
         "\"file_name\":\"IMG2.jpg\",\"width\":9,\"height\":9}],\"annotations\":[]}",
         "images: two have the id 1"},
        {COCO_HEAD "{\"id\":0,\"image_id\":4,\"bbox\":[190,0,20,10]}]}",
         "annotations[0]: the box is empty or leaves"},
        {"{\"annotations\":[]}", "COCO_fracture_masks.json: "},
        {"{\"images\":[{\"id\":1,\"width\":1,\"height\":1}],\"annotations\":[]}", "images[0]: "},
        {"{\"images\":[", "COCO_fracture_masks.json"}};
    reha_error err = REHA_ERROR_INIT;
    reha_fracture_data data;
    (void)state;
    put_fracatlas();
    /* Boxes in a form that is not read would make normal pictures of all fractures. */
    put("Annotations/PASCAL VOC/IMG2.xml", "<annotation/>");
    load_fails("neither 'COCO JSON/COCO_fracture_masks.json' nor YOLO/");
    put("Annotations/YOLO/IMG2.txt", "0 0.5 0.5 0.5 0.5\n");
    assert_ok(reha_fracture_data_load(root, &data, &err), &err);
    assert_int_equal(data.layout, REHA_FRACTURE_FRACATLAS);
    assert_int_equal(data.images[1].box_count, 1);
    assert_false(data.images[0].is_called_fractured);
    assert_true(data.images[1].is_called_fractured);
    reha_fracture_data_clear(&data);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put("Annotations/COCO JSON/COCO_fracture_masks.json", bad[i][0]);
        load_fails(bad[i][1]);
    }
}

static const json_t *problem_of(const json_t *report, const char *code)
{
    size_t i = 0;
    json_t *one = NULL;
    json_array_foreach(json_object_get(report, "problems"), i, one)
    {
        if (strcmp(reha_json_string(one, "code", ""), code) == 0) {
            return one;
        }
    }
    return NULL;
}

static void test_audit_finds_fractures_without_a_box(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *report = NULL;
    (void)state;
    put_fracatlas();
    put("images/Fractured/IMG3.jpg", "3");
    put("dataset.csv", "image_id,fractured\nIMG1.jpg,0\nIMG2.jpg,1\nIMG3.jpg,1\n");
    put("Annotations/YOLO/IMG2.txt", "0 0.5 0.5 0.5 0.5\n");
    assert_ok(reha_recogniser_fracture.audit(root, NULL, NULL, &report, &err), &err);
    const json_t *found = problem_of(report, "fracture-without-box");
    assert_non_null(found);
    assert_int_equal(json_integer_value(json_object_get(found, "count")), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(found, "examples"), 0)),
                        "images/Fractured/IMG3.jpg");
    json_decref(report);
}

static void test_grazpedwri(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    reha_fracture_data data;
    (void)state;
    put("images_part1/0001_1_01_WRI-L1_M010.png", "1");
    put("images_part2/0001_1_02_WRI-L2_M010.png", "2");
    put("images_part2/0002_1_01_WRI-R1_F009.png", "3");
    put("dataset.csv", "filestem,patient_id,gender,fracture_visible\n0001_1_01_WRI-L1_M010,1,M,1\n"
                       "0001_1_02_WRI-L2_M010,1,M,1\n0002_1_01_WRI-R1_F009,2,F,\n");
    put("folder_structure/yolov5/labels/0001_1_01_WRI-L1_M010.txt", "3 0.5 0.5 0.2 0.2\n8 0.1 0.1 0.1 0.1\n");
    put("folder_structure/yolov5/labels/0002_1_01_WRI-R1_F009.txt", "8 0.1 0.1 0.1 0.1\n");
    assert_ok(reha_fracture_data_load(root, &data, &err), &err);
    assert_int_equal(data.layout, REHA_FRACTURE_GRAZPEDWRI);
    assert_int_equal(data.image_count, 3);
    assert_int_equal(data.box_count, 1); /* "text" is no fracture */
    assert_int_equal(data.group_count, 2);
    assert_string_equal(data.group_kind, "patient");
    assert_int_equal(data.images[0].group_idx, data.images[1].group_idx);
    assert_string_equal(data.images[2].subgroup, "F");
    reha_fracture_data_clear(&data);
    put("folder_structure/yolov5/labels/0002_1_01_WRI-R1_F009.txt", "9 0.1 0.1 0.1 0.1\n");
    load_fails("line 1: class 9, expected a whole number 0 to 8");
    put("dataset.csv", "filestem,patient_id\n0001_1_01_WRI-L1_M010,\n");
    load_fails("dataset.csv: line 2: 'patient_id' is empty");
}

static void test_unknown_folders(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    reha_fracture_data data;
    (void)state;
    assert_int_equal(reha_fracture_data_load(root, &data, &err), REHA_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "FracAtlas"));
    assert_int_equal(reha_fracture_data_load("no/such/folder", &data, &err), REHA_E_NOT_FOUND);
}

static void test_folds_keep_groups_together_and_repeat(void **state)
{
    reha_fracture_data data = {.group_count = 10, .group_kind = "patient"};
    reha_error err = REHA_ERROR_INIT;
    int folds[10];
    int again[10];
    int counts[3] = {0};
    (void)state;
    assert_ok(reha_fracture_folds(&data, 3, 5, folds, &err), &err);
    assert_ok(reha_fracture_folds(&data, 3, 5, again, &err), &err);
    assert_memory_equal(folds, again, sizeof folds);
    for (int i = 0; i < 10; i++) {
        assert_in_range(folds[i], 0, 2);
        counts[folds[i]]++;
    }
    assert_true(counts[0] >= 3 && counts[1] >= 3 && counts[2] >= 3);
    assert_int_equal(reha_fracture_folds(&data, 11, 5, folds, &err), REHA_E_ARG);
}

static void test_fingerprints(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    char path[256];
    char print[REHA_FRACTURE_FINGERPRINT_BYTES];
    (void)state;
    put("a", "a");
    (void)snprintf(path, sizeof path, "%s/a", root);
    assert_ok(reha_fracture_fingerprint(path, print, &err), &err);
    assert_string_equal(print, "af63dc4c8601ec8c"); /* FNV-1a of "a", from its authors' test vectors */
}

/* A wave, and `lift` on every third pixel: what another compression may leave. */
static void put_picture(const char *name, double phase, float lift)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    char path[256];
    assert_ok(reha_gray_new(96, 80, &image, &err), &err);
    for (int y = 0; y < 80; y++) {
        for (int x = 0; x < 96; x++) {
            image->pixels[y * 96 + x] =
                (float)(120.0 + 60.0 * sin(0.09 * x + phase) * cos(0.07 * y + 2.0 * phase) + 0.4 * x) +
                (x % 3 == 0 ? lift : 0.0F);
        }
    }
    put(name, "");
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    assert_ok(reha_image_save_png(image, 8, path, &err), &err);
    reha_gray_free(image);
}

static void test_audit_finds_copies_of_other_sources(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *report = NULL;
    (void)state;
    put_picture("images/a.png", 0.3, 0.0F);
    put_picture("images/b.png", 0.3, 0.0F);
    put_picture("images/c.png", 0.3, 3.0F);
    put_picture("images/d.png", 1.9, 0.0F);
    put_picture("images/e.png", 1.9, 0.0F);
    put("boxes/a.txt", "0 0.5 0.5 0.2 0.4\n");
    put("classes.txt", "line\n");
    put("index.csv", "name,source_picture\na,1\nb,1\nc,2\nd,3\ne,4\n");
    assert_ok(reha_recogniser_fracture.audit(root, NULL, NULL, &report, &err), &err);
    static const struct {
        const char *code;
        double count;
    } wanted[] = {
        {"copy-leak", 1},      /* d = e */
        {"near-copy-leak", 2}, /* a and b with c */
        {"duplicate", 1},      /* a = b of one source */
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        double count = 0.0;
        size_t at;
        const json_t *one;
        json_array_foreach(json_object_get(report, "problems"), at, one)
        {
            if (strcmp(reha_json_string(one, "code", ""), wanted[i].code) == 0) {
                count += reha_json_number(one, "count", 0.0);
            }
        }
        if (count != wanted[i].count) {
            fail_msg("%s: %g, expected %g", wanted[i].code, count, wanted[i].count);
        }
    }
    json_decref(report);
}

static reha_status load_without_memory(const char *path, reha_gray **out, reha_acquisition *facts,
                                       reha_error *err)
{
    *out = NULL;
    *facts = reha_acquisition_unknown();
    return reha_fail(err, REHA_E_NOMEM, "%s: out of memory", path);
}

/* The picture is whole: nobody should be told to repair or remove it. */
static void test_audit_ends_where_memory_does(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *report = NULL;
    (void)state;
    put_picture("images/a.png", 0.3, 0.0F);
    put("boxes/a.txt", "");
    put("classes.txt", "line\n");
    put("index.csv", "name,source_picture\na,1\n");
    assert_int_equal(reha_recogniser_fracture.audit(root, load_without_memory, NULL, &report, &err),
                     REHA_E_NOMEM);
    assert_non_null(strstr(err.text, "a.png: out of memory"));
    assert_null(report);
}

typedef struct watch {
    double told;
    double stop_at;
} watch;

static void note_progress(void *context, double done, double total, const char *unit, double rate,
                          double left_s, const char *text)
{
    watch *w = context;
    (void)rate;
    (void)left_s;
    (void)text;
    assert_string_equal(unit, "pictures");
    assert_true(total == 3.0);
    w->told = done;
}

static bool is_enough(void *context)
{
    const watch *w = context;
    return w->told >= w->stop_at;
}

static void test_audit_tells_and_stops(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *report = NULL;
    watch w = {.stop_at = 2.0};
    const reha_progress progress = {&w, note_progress, is_enough};
    (void)state;
    put_picture("images/a.png", 0.3, 0.0F);
    put("images/b.png", "no picture");
    put_picture("images/c.png", 1.9, 0.0F);
    put("boxes/a.txt", "");
    put("classes.txt", "line\n");
    put("index.csv", "name,source_picture\na,1\nb,2\nc,3\n");
    assert_int_equal(reha_recogniser_fracture.audit(root, NULL, &progress, &report, &err), REHA_E_CANCELLED);
    assert_string_equal(err.text, "stopped after 2 of 3 pictures");
    assert_null(report);
    w = (watch){.stop_at = 9.0};
    assert_ok(reha_recogniser_fracture.audit(root, NULL, &progress, &report, &err), &err);
    assert_true(w.told == 3.0);
    const json_t *one = json_array_get(json_object_get(report, "problems"), 0);
    for (size_t i = 1; one != NULL && strcmp(reha_json_string(one, "code", ""), "unreadable") != 0; i++) {
        one = json_array_get(json_object_get(report, "problems"), i);
    }
    assert_true(reha_json_number(one, "count", 0.0) == 1.0);
    json_decref(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_yolo, empty_root),
        cmocka_unit_test_setup(test_patients_count_before_sources, empty_root),
        cmocka_unit_test_setup(test_augmented_copies_are_one_group, empty_root),
        cmocka_unit_test_setup(test_yolo_faults_name_file_and_line, empty_root),
        cmocka_unit_test_setup(test_fracatlas_coco, empty_root),
        cmocka_unit_test_setup(test_fracatlas_yolo_and_faults, empty_root),
        cmocka_unit_test_setup(test_grazpedwri, empty_root),
        cmocka_unit_test_setup(test_unknown_folders, empty_root),
        cmocka_unit_test(test_folds_keep_groups_together_and_repeat),
        cmocka_unit_test_setup(test_audit_finds_fractures_without_a_box, empty_root),
        cmocka_unit_test_setup(test_audit_finds_copies_of_other_sources, empty_root),
        cmocka_unit_test_setup(test_audit_ends_where_memory_does, empty_root),
        cmocka_unit_test_setup(test_audit_tells_and_stops, empty_root),
        cmocka_unit_test_setup(test_fingerprints, empty_root)};
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
