/* The two layouts of muscle-injury, their splits and their audit, on generated pictures. */
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/save.h"
#include "recognition/audit.h"
#include "recognition/muscle_data.h"
#include "recognition/muscle_injury.h"
#include "recognition/muscle_injury_card.h"
#include "recognition/muscle_injury_data.h"
#include "recognition/muscle_injury_scene.h"
#include "recognition/muscle_net.h"
#include "recognition/muscle_phantom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/reha-injury-XXXXXX";

static void save_text(const char *name, const char *text)
{
    reha_error err = REHA_ERROR_INIT;
    char *path = reha_path_join(folder, name);
    assert_ok(reha_file_save(path, text, strlen(text), &err), &err);
    reha_free(path);
}

static void save_image(const char *name, const reha_gray *image)
{
    reha_error err = REHA_ERROR_INIT;
    char *path = reha_path_join(folder, name);
    assert_ok(reha_image_save_png(image, 8, path, &err), &err);
    reha_free(path);
}

/* picture-N.png, lines-N.png (aponeuroses), box-N.png (an injury), empty.png, small.png. */
static int make_folder(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    for (int i = 0; i < 3; i++) {
        char name[32];
        reha_gray *image = NULL;
        reha_gray *mask = NULL;
        const reha_muscle_phantom phantom = reha_muscle_phantom_of(90 + (uint64_t)i);
        assert_ok(reha_muscle_phantom_draw(&phantom, &image, &mask, &err), &err);
        (void)snprintf(name, sizeof name, "picture-%d.png", i);
        save_image(name, image);
        (void)snprintf(name, sizeof name, "lines-%d.png", i);
        save_image(name, mask);
        for (uint32_t y = 0; y < mask->height_px; y++) {
            for (uint32_t x = 0; x < mask->width_px; x++) {
                mask->pixels[y * mask->width_px + x] =
                    x > 200 && x < 260 && y > 130 && y < 180 ? 255.0F : 0.0F;
            }
        }
        (void)snprintf(name, sizeof name, "box-%d.png", i);
        save_image(name, mask);
        memset(mask->pixels, 0, (size_t)mask->width_px * mask->height_px * sizeof(float));
        save_image("empty.png", mask);
        mask->height_px = 100;
        save_image("small.png", mask);
        mask->height_px = REHA_MUSCLE_PHANTOM_H;
        reha_gray_free(image);
        reha_gray_free(mask);
    }
    save_text("broken.png", "\x89PNG\r\n\x1a\nno picture");
    return 0;
}

static int remove_folder(void **state)
{
    char command[64];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void no_patient_is_split(void **state)
{
    (void)state;
    static const char *const splits[3] = {"train", "tune", "val"};
    reha_error err = REHA_ERROR_INIT;
    reha_text table = {0};
    reha_injury_data all, part[3];
    size_t images = 0, groups = 0;
    reha_text_add(&table, "image,mask,grade,patient_id\n");
    for (int i = 0; i < 600; i++) {
        reha_text_addf(&table, "i%d.png,m%d.png,%d,P%d\n", i, i, i % 4, i / 3);
    }
    save_text("index.csv", table.data);
    reha_text_clear(&table);
    assert_ok(reha_injury_data_load(folder, NULL, &all, &err), &err);
    assert_int_equal(all.count, 600);
    assert_int_equal(all.group_count, 200);
    assert_int_equal(all.labelled_count, 600);
    assert_int_equal(all.items[5].grade, 1);
    for (int s = 0; s < 3; s++) {
        assert_ok(reha_injury_data_load(folder, splits[s], &part[s], &err), &err);
        images += part[s].count;
        groups += part[s].group_count;
        assert_string_equal(part[s].items[0].split, splits[s]);
    }
    assert_int_equal(images, 600);
    assert_int_equal(groups, 200); /* a patient in two splits would be counted twice */
    assert_true(part[0].group_count > part[2].group_count && part[2].group_count > 20 &&
                part[1].group_count > 10);
    for (int s = 0; s < 3; s++) {
        reha_injury_data_clear(&part[s]);
    }
    reha_injury_data_clear(&all);
    assert_int_equal(reha_injury_data_load(folder, "test", &all, &err), REHA_E_NOT_FOUND);
}

/* What muscle-us has not seen, muscle-injury has not seen either. */
static void healthy_pictures_split_as_in_muscle_us(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_text table = {0};
    reha_muscle_data muscle;
    reha_injury_data injury;
    reha_text_add(&table, "structure,image,mask,similarity_group\n");
    for (int i = 0; i < 300; i++) {
        reha_text_addf(&table, "%s,i%d.png,m%d.png,%d\n", i % 4 == 3 ? "fascicle" : "aponeurosis", i, i,
                       i / 2);
    }
    save_text("index.csv", table.data);
    reha_text_clear(&table);
    assert_ok(reha_muscle_data_load(folder, "val", &muscle, &err), &err);
    assert_ok(reha_injury_data_load(folder, "val", &injury, &err), &err);
    size_t at = 0;
    for (size_t i = 0; i < muscle.count; i++) {
        if (muscle.items[i].structure == REHA_MUSCLE_APONEUROSIS) {
            assert_string_equal(muscle.items[i].image, injury.items[at++].image);
        }
    }
    assert_int_equal(at, injury.count);
    assert_int_equal(injury.labelled_count, 0);
    reha_muscle_data_clear(&muscle);
    reha_injury_data_clear(&injury);
}

static void bad_tables_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *table, *says;
    } cases[] = {
        {"image,mask\na.png,b.png\n", "needs the columns grade and patient_id"},
        {"image,grade,patient_id\na.png,1,P\n", "mask"},
        {"mask,grade,patient_id\na.png,1,P\n", "image"},
        {"image,mask,grade,patient_id\n", "no usable rows"},
        {"image,mask,grade,patient_id\na.png,b.png,4,P\n", "line 2: grade '4'"},
        {"image,mask,grade,patient_id\na.png,b.png,-1,P\n", "line 2: grade '-1'"},
        {"image,mask,grade,patient_id\na.png,b.png,two,P\n", "line 2: grade 'two'"},
        {"image,mask,grade,patient_id\na.png,b.png,1.5,P\n", "line 2: grade '1.5'"},
        {"image,mask,grade,patient_id\na.png,b.png,1,\n", "line 2: patient_id is empty"},
        {"image,mask,grade,patient_id\na.png,,2,P\n", "line 2: no mask"},
        {"image,mask,grade,patient_id\n,b.png,2,P\n", "line 2: image and mask must be paths inside"},
        {"image,mask,grade,patient_id\n../a.png,b.png,2,P\n", "line 2: image and mask must be paths inside"},
        {"image,mask,grade,patient_id\na.png,/etc/passwd,2,P\n",
         "line 2: image and mask must be paths inside"},
        {"image,mask,grade,patient_id\na.png,b.png,2\n", "line 2"},
        {"structure,image,mask,similarity_group\naponeurosis,a.png,b.png,\n",
         "line 2: similarity_group is empty"},
        {"structure,image,mask,similarity_group\naponeurosis,a.png,,1\n", "line 2: no mask"},
        {"structure,image,mask,similarity_group\nfascicle,a.png,b.png,1\n", "no usable rows"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_injury_data data;
        save_text("index.csv", cases[i].table);
        const reha_status status = reha_injury_data_load(folder, NULL, &data, &err);
        assert_true(status == REHA_E_FORMAT || status == REHA_E_NOT_FOUND);
        if (strstr(err.text, cases[i].says) == NULL) {
            fail_msg("'%s' does not say '%s'", err.text, cases[i].says);
        }
        assert_null(data.items);
    }
    reha_error err = REHA_ERROR_INIT;
    reha_injury_data data;
    assert_int_not_equal(reha_injury_data_load("/nowhere", NULL, &data, &err), REHA_OK);
}

/* One table may hold both; a row with a grade is taken at its word. */
static void labels_take_precedence(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_injury_data data;
    reha_injury_scene scene;
    reha_injury_view view;
    save_text("index.csv", "image,mask,grade,patient_id,structure,similarity_group\n"
                           "picture-0.png,box-0.png,2,P1,aponeurosis,1\n"
                           "picture-1.png,lines-1.png,,,aponeurosis,2\n"
                           "picture-2.png,,0,P3,,\n");
    assert_ok(reha_injury_data_load(folder, NULL, &data, &err), &err);
    assert_int_equal(data.labelled_count, 2);
    assert_true(data.items[0].is_labelled && !data.items[1].is_labelled && data.items[2].mask_path == NULL);
    assert_ok(reha_injury_scene_open(&data.items[0], reha_load_picture, false, &scene, &err), &err);
    const reha_lesion_spec spec = {
        .kind = REHA_LESION_HAEMATOMA, .strength = 1.0, .across_px = 40, .along_px = 40};
    assert_ok(reha_injury_scene_view(&scene, &spec, &view, &err),
              &err); /* nothing is simulated in a labelled one */
    assert_int_equal(view.grade, 2);
    assert_int_equal(view.spec.kind, REHA_LESION_NOTHING);
    assert_int_equal(view.truth.injured[150 * REHA_MUSCLE_PHANTOM_W + 230], 255);
    assert_int_equal(view.truth.torn[150 * REHA_MUSCLE_PHANTOM_W + 230], 255);
    assert_int_equal(view.truth.injured[150 * REHA_MUSCLE_PHANTOM_W + 20], 0);
    reha_injury_view_clear(&view);
    reha_injury_scene_clear(&scene);
    assert_ok(reha_injury_scene_open(&data.items[1], reha_load_picture, true, &scene, &err), &err);
    assert_true(scene.belly.thickness_px > 80.0 && scene.belly.thickness_px < 180.0);
    assert_true(scene.frame.box.width_px <= REHA_INJURY_WORK_PX + 1);
    reha_injury_scene_clear(&scene);
    assert_ok(reha_injury_scene_open(&data.items[2], reha_load_picture, true, &scene, &err), &err);
    assert_int_equal(scene.grade, 0);
    reha_injury_scene_clear(&scene);
    reha_injury_data_clear(&data);
}

static void every_picture_gets_the_whole_list(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_injury_data data;
    reha_injury_scene scene;
    int shown[REHA_LESION_ALL_KINDS] = {0};
    int nulls = 0;
    save_text("index.csv",
              "structure,image,mask,similarity_group\naponeurosis,picture-0.png,lines-0.png,1\n");
    assert_ok(reha_injury_data_load(folder, NULL, &data, &err), &err);
    assert_ok(reha_injury_scene_open(&data.items[0], reha_load_picture, true, &scene, &err), &err);
    for (int v = 0; v < REHA_INJURY_VIEWS; v++) {
        const reha_lesion_spec spec = reha_injury_listed(&scene, v, 1, 0);
        const reha_lesion_spec again = reha_injury_listed(&scene, v, 1, 0);
        assert_memory_equal(&spec, &again, sizeof spec);
        nulls += spec.kind < REHA_LESION_KINDS && spec.strength <= 0.0 ? 1 : 0;
        shown[spec.kind] += spec.strength > 0.0 || spec.kind == REHA_LESION_NOTHING ? 1 : 0;
    }
    assert_int_equal(nulls, 1);
    for (int k = 0; k < REHA_LESION_ALL_KINDS; k++) {
        assert_int_equal(shown[k], k < REHA_LESION_KINDS ? 2 : 1);
    }
    reha_injury_scene_clear(&scene);
    reha_injury_data_clear(&data);
}

/* Empty lines and cells of two lines stand in tables that people keep by hand. */
static void groups_follow_rows_not_lines(void **state)
{
    (void)state;
    static const size_t lines[] = {3, 5, 7, 8};
    reha_error err = REHA_ERROR_INIT;
    reha_injury_data data;
    save_text("index.csv", "image,mask,grade,patient_id,note\n\na.png,,0,anna,\"two\nlines\"\n"
                           "b.png,,0,bert,\n\nc.png,,0,anna,\nd.png,,0,bert,\n");
    assert_ok(reha_injury_data_load(folder, NULL, &data, &err), &err);
    assert_int_equal(data.count, 4);
    assert_int_equal(data.group_count, 2);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(data.items[i].line, lines[i]);
        assert_int_equal(data.items[i].group_idx, i % 2);
    }
    reha_injury_data_clear(&data);
}

static json_t *audit(const char *table)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *report = NULL;
    save_text("index.csv", table);
    assert_ok(reha_recogniser_muscle_injury.audit(folder, reha_load_picture, NULL, &report, &err), &err);
    return report;
}

static int count_of(const json_t *report, const char *code)
{
    const json_t *problems = json_object_get(report, "problems");
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const json_t *one = json_array_get(problems, i);
        if (strcmp(reha_json_string(one, "code", ""), code) == 0) {
            return (int)reha_json_number(one, "count", 0.0);
        }
    }
    return 0;
}

static void the_audit_finds_what_spoils_labels(void **state)
{
    (void)state;
    json_t *report = audit("image,mask,grade,patient_id,split\n"
                           "picture-0.png,box-0.png,2,P1,train\n"
                           "picture-1.png,empty.png,1,P2,train\n" /* empty */
                           "picture-2.png,box-2.png,0,P3,train\n" /* contradiction */
                           "picture-0.png,box-0.png,3,P4,val\n"   /* copy of another patient, other grade */
                           "broken.png,box-0.png,2,P5,train\n"    /* unreadable */
                           "missing.png,box-0.png,2,P6,train\n"   /* unreadable */
                           "picture-1.png,small.png,2,P2,val\n"); /* other size, patient in two splits */
    assert_int_equal(count_of(report, "empty-mask"), 1);
    assert_int_equal(count_of(report, "contradiction"), 1);
    assert_int_equal(count_of(report, "copy-across-groups"), 1);
    assert_int_equal(count_of(report, "label-conflict"), 2); /* picture 0: 2 and 3; picture 1: 1 and 2 */
    assert_int_equal(count_of(report, "unreadable"), 2);
    assert_int_equal(count_of(report, "other-size"), 1);
    assert_int_equal(count_of(report, "group-in-two-splits"), 1);
    assert_int_equal(count_of(report, "rare-grade"), 4);
    assert_int_equal(json_integer_value(json_object_get(report, "labelled")), 7);
    json_decref(report);
}

static void the_audit_is_silent_where_all_is_well(void **state)
{
    (void)state;
    json_t *report =
        audit("structure,image,mask,similarity_group\n"
              "aponeurosis,picture-0.png,lines-0.png,1\naponeurosis,picture-1.png,lines-1.png,2\n");
    assert_int_equal(json_array_size(json_object_get(report, "problems")), 0);
    assert_int_equal(reha_audit_error_count(report), 0);
    json_decref(report);
    report = audit("structure,image,mask,similarity_group\naponeurosis,picture-0.png,empty.png,1\n"
                   "aponeurosis,picture-1.png,box-1.png,2\n");
    assert_int_equal(count_of(report, "no-belly"), 2);
    assert_int_equal(reha_audit_error_count(report), 0); /* a warning */
    json_decref(report);
}

static void the_card_says_what_it_was_trained_on(void **state)
{
    (void)state;
    static const struct {
        bool labelled, simulated;
        const char *says;
    } cases[] = {{false, true, "trained on simulated lesions, research only"},
                 {true, true, "simulated lesions and on the labelled images"},
                 {true, false, "trained on the labelled images of one clinic, research only"}};
    for (size_t i = 0; i < 3; i++) {
        reha_error err = REHA_ERROR_INIT;
        json_t *card = NULL;
        json_t *training = json_object();
        assert_ok(reha_injury_card_write(folder, training, cases[i].labelled, cases[i].simulated, &err),
                  &err);
        json_decref(training);
        assert_ok(reha_injury_card_load(folder, &card, &err), &err);
        assert_string_equal(reha_json_string(card, "status", ""), "research only");
        assert_non_null(strstr(reha_json_string(card, "trained_on", ""), cases[i].says));
        assert_int_equal(json_object_get(card, "limits") != NULL, cases[i].simulated);
        json_decref(card);
    }
    json_t *card = NULL;
    reha_error err = REHA_ERROR_INIT;
    save_text("card.json",
              "{\"format\": \"rehascope-model-card\", \"task\": \"muscle-us\", \"format_version\": 1}");
    assert_int_equal(reha_injury_card_load(folder, &card, &err), REHA_E_FORMAT);
    save_text("card.json",
              "{\"format\": \"rehascope-model-card\", \"task\": \"muscle-injury\", \"format_version\": 2}");
    assert_int_equal(reha_injury_card_load(folder, &card, &err), REHA_E_UNSUPPORTED);
    save_text("card.json", "{");
    assert_int_not_equal(reha_injury_card_load(folder, &card, &err), REHA_OK);
}

static reha_status load_without_memory(const char *path, reha_gray **out, reha_acquisition *facts,
                                       reha_error *err)
{
    *out = NULL;
    *facts = reha_acquisition_unknown();
    return reha_fail(err, REHA_E_NOMEM, "%s: out of memory", path);
}

/* The files are whole: the audit must not call them unreadable. */
static void the_audit_ends_where_memory_does(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    json_t *report = NULL;
    save_text("index.csv",
              "structure,image,mask,similarity_group\naponeurosis,picture-0.png,lines-0.png,1\n");
    assert_int_equal(reha_recogniser_muscle_injury.audit(folder, load_without_memory, NULL, &report, &err),
                     REHA_E_NOMEM);
    assert_non_null(strstr(err.text, "out of memory"));
    assert_null(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_patient_is_split),
        cmocka_unit_test(groups_follow_rows_not_lines),
        cmocka_unit_test(healthy_pictures_split_as_in_muscle_us),
        cmocka_unit_test(bad_tables_are_named),
        cmocka_unit_test(labels_take_precedence),
        cmocka_unit_test(every_picture_gets_the_whole_list),
        cmocka_unit_test(the_audit_finds_what_spoils_labels),
        cmocka_unit_test(the_audit_ends_where_memory_does),
        cmocka_unit_test(the_audit_is_silent_where_all_is_well),
        cmocka_unit_test(the_card_says_what_it_was_trained_on),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
