/* What training is made of: the labelled folder, the variations, the network's shapes, the card. Needs no
 * data. */
#include "muscle_picture.h"
#include "scratch.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/save.h"
#include "nn/onnx.h"
#include "recognition/audit.h"
#include "recognition/muscle_augment.h"
#include "recognition/muscle_card.h"
#include "recognition/muscle_data.h"
#include "recognition/muscle_us.h"

#include <string.h>
#include <unistd.h>

enum { STORE = REHA_MUSCLE_STORE_PX, MAP = REHA_MUSCLE_MAP_PX, INPUT = REHA_MUSCLE_INPUT_PX };

static void save_text(const char *name, const char *text)
{
    reha_error err = REHA_ERROR_INIT;
    char *path = reha_path_join(folder, name);
    assert_ok(reha_file_save(path, text, strlen(text), &err), &err);
    reha_free(path);
}

static void groups_are_never_split(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_text table = {0};
    reha_muscle_data all;
    reha_muscle_data train;
    reha_muscle_data val;
    reha_text_add(&table, "structure,image,mask,similarity_group\n");
    for (int i = 0; i < 200; i++) {
        reha_text_addf(&table, "%s,i%d.png,m%d.png,%d\n", i % 3 == 0 ? "fascicle" : "aponeurosis", i, i,
                       i / 4);
    }
    save_text("index.csv", table.data);
    reha_text_clear(&table);
    assert_ok(reha_muscle_data_load(folder, NULL, &all, &err), &err);
    assert_ok(reha_muscle_data_load(folder, "train", &train, &err), &err);
    assert_ok(reha_muscle_data_load(folder, "val", &val, &err), &err);
    assert_int_equal(all.count, 200);
    assert_int_equal(all.group_count, 50);
    assert_int_equal(train.count + val.count, 200);
    assert_int_equal(train.group_count + val.group_count, 50);
    assert_true(val.group_count >= 4 && val.group_count <= 17);
    assert_int_equal(all.items[3].structure, REHA_MUSCLE_FASCICLE);
    assert_int_equal(all.items[3].group_idx, all.items[0].group_idx);
    reha_muscle_data_clear(&all);
    reha_muscle_data_clear(&train);
    reha_muscle_data_clear(&val);
    assert_int_equal(reha_muscle_data_load(folder, "test", &val, &err), REHA_E_NOT_FOUND);
}

static void bad_rows_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *row, *says;
    } rows[] = {
        {"tendon,a.png,b.png,1\n", "line 2: structure 'tendon'"},
        {"fascicle,../a.png,b.png,1\n", "line 2: 'image' must be a file below the folder, not '../a.png'"},
        {"fascicle,a.png,/etc/passwd,1\n",
         "line 2: 'mask' must be a file below the folder, not '/etc/passwd'"},
        {"fascicle,,b.png,1\n", "line 2"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_muscle_data data;
        char text[200];
        (void)snprintf(text, sizeof text, "structure,image,mask,similarity_group\n%s", rows[i].row);
        save_text("index.csv", text);
        assert_int_equal(reha_muscle_data_load(folder, NULL, &data, &err), REHA_E_FORMAT);
        assert_non_null(strstr(err.text, rows[i].says));
    }
    save_text("index.csv", "structure,image,mask\n");
    reha_error err = REHA_ERROR_INIT;
    reha_muscle_data data;
    assert_int_equal(reha_muscle_data_load(folder, NULL, &data, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "similarity_group"));
}

typedef struct varied { /* one bright bar across a stored picture, which is its own mask, and what became of
                           it */
    uint8_t *grey;
    reha_muscle_stored stored;
    float *input, *targets;
} varied;

static varied varied_bar(int top, int bottom)
{
    varied v = {reha_alloc_zero((size_t)STORE * STORE, 1),
                {0},
                reha_alloc((size_t)INPUT * INPUT * sizeof(float)),
                reha_alloc((size_t)REHA_MUSCLE_MAPS * MAP * MAP * sizeof(float))};
    memset(v.grey, 60, (size_t)STORE * STORE);
    memset(v.grey + top * STORE, 255, (size_t)(bottom - top) * STORE);
    uint8_t *mask = reha_alloc_zero((size_t)STORE * STORE, 1);
    memset(mask + top * STORE, 255, (size_t)(bottom - top) * STORE);
    v.stored = (reha_muscle_stored){v.grey, mask, 1.0, REHA_MUSCLE_APONEUROSIS};
    return v;
}

static void varied_clear(varied *v)
{
    reha_free(v->grey);
    reha_free((void *)v->stored.mask);
    reha_free(v->input);
    reha_free(v->targets);
}

static void vary(varied *v, const reha_muscle_looks *looks, uint64_t seed)
{
    reha_error err = REHA_ERROR_INIT;
    reha_random random = reha_random_init(seed, 3);
    assert_ok(reha_muscle_augment(&v->stored, looks, &random, v->input, v->targets, &err), &err);
}

static void variations_move_picture_and_mask_together(void **state)
{
    (void)state;
    varied v = varied_bar(180, 220);
    const reha_muscle_looks looks = reha_muscle_looks_default();
    vary(&v, NULL, 1);
    assert_true(v.targets[MAP * MAP] == -1.0F); /* fascicles are not labelled here */
    assert_true(v.targets[MAP / 2 * MAP + MAP / 2] == 1.0F && v.targets[MAP / 4 * MAP] == 0.0F);
    int judged = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        double in_mask = 0.0, outside = 0.0;
        int n_in = 0, n_out = 0;
        vary(&v, &looks, seed);
        for (int i = 0; i < MAP * MAP; i++) {
            const float value = v.input[i / MAP * 2 * INPUT + i % MAP * 2];
            assert_true(isfinite(value) && v.targets[i] >= 0.0F && v.targets[i] <= 1.0F);
            in_mask += v.targets[i] > 0.9F ? (double)value : 0.0;
            outside += v.targets[i] < 0.1F ? (double)value : 0.0;
            n_in += v.targets[i] > 0.9F ? 1 : 0;
            n_out += v.targets[i] < 0.1F ? 1 : 0;
        }
        if (n_in > 100 && n_out > 100) { /* the bar may be beyond the depth */
            assert_true(in_mask / n_in > outside / n_out + 0.3);
            judged++;
        }
        const float first = v.input[1000];
        vary(&v, &looks, seed);
        assert_true(v.input[1000] == first); /* the same state, the same picture */
    }
    assert_true(judged > 50);
    varied_clear(&v);
}

/* What is written over a picture, its grey, its grain, its compression: the mask is that of the untouched
 * picture. */
static void grey_and_marks_leave_the_mask(void **state)
{
    (void)state;
    varied v = varied_bar(180, 220);
    float *input = reha_alloc((size_t)INPUT * INPUT * sizeof *input);
    float *targets = reha_alloc((size_t)MAP * MAP * sizeof *targets);
    const reha_muscle_looks quiet = {.turn_deg = 10.0, .framed_share = 1.0};
    reha_muscle_looks each[8];
    for (int k = 0; k < 8; k++) {
        each[k] = quiet;
    }
    each[0].marks_share = 1.0;
    each[1].blocks_share = 1.0;
    each[2].jpeg_share = 1.0, each[2].jpeg_least = each[2].jpeg_most = 20;
    each[3].speckle_share = 1.0, each[3].speckle_most = 0.3;
    each[4].noise_share = 1.0, each[4].noise_most = 0.1;
    each[5].gamma_log = 0.8, each[5].range_share = 1.0, each[5].range_least_db = each[5].range_most_db = 40.0;
    each[6].sliders_share = 1.0, each[6].sliders_db = 12.0;
    each[7].coarse_share = 1.0, each[7].coarse_most = 3.0, each[7].blur_share = 1.0,
    each[7].blur_most_px = 2.0;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        vary(&v, &quiet, seed);
        memcpy(input, v.input, (size_t)INPUT * INPUT * sizeof *input);
        memcpy(targets, v.targets, (size_t)MAP * MAP * sizeof *targets);
        for (int k = 0; k < 8; k++) {
            vary(&v, &each[k], seed);
            assert_memory_equal(targets, v.targets, (size_t)MAP * MAP * sizeof *targets);
            assert_memory_not_equal(input, v.input, (size_t)INPUT * INPUT * sizeof *input);
        }
    }
    reha_free(input);
    reha_free(targets);
    varied_clear(&v);
}

static int first_marked_row(const varied *v)
{
    for (int i = 0; i < MAP * MAP; i++) {
        if (v->targets[i] > 0.5F) {
            return i / MAP;
        }
    }
    return -1;
}

/* Twice the depth: the muscle keeps its top at the skin and takes half of the height, with noise and no mask
 * below; less depth: it is cut off. */
static void depth_is_measured_from_the_skin(void **state)
{
    (void)state;
    varied v = varied_bar(200, 280); /* the lower half begins with it */
    reha_muscle_looks looks = {
        .framed_share = 1.0, .depth_share = 1.0, .depth_least = 0.5, .depth_most = 0.5};
    vary(&v, &looks, 1);
    assert_int_equal(first_marked_row(&v), MAP / 4);
    for (int i = MAP * MAP / 2 + MAP; i < MAP * MAP; i++) {
        assert_true(v.targets[i] == 0.0F);
    }
    looks.depth_least = looks.depth_most = 1.0 / 0.8; /* with its shape kept: no black is needed */
    vary(&v, &looks, 1);
    assert_int_equal(first_marked_row(&v), MAP / 2 * 5 / 4);
    looks.depth_least = looks.depth_most = 2.5;
    vary(&v, &looks, 1);
    assert_int_equal(first_marked_row(&v), -1);
    varied_clear(&v);
}

/* Outside of a convex or steered probe's picture nothing is seen and nothing is marked. */
static void sectors_cut_picture_and_mask(void **state)
{
    (void)state;
    varied v = varied_bar(0, STORE);
    const reha_muscle_looks looks = {.framed_share = 1.0, .sector_share = 1.0};
    for (uint64_t seed = 1; seed <= 12; seed++) {
        int black = 0;
        vary(&v, &looks, seed);
        float darkest = v.input[0];
        for (int i = 0; i < INPUT * INPUT; i++) {
            darkest = fminf(darkest, v.input[i]);
        }
        for (int i = 0; i < MAP * MAP; i++) {
            const float *at = v.input + i / MAP * 2 * INPUT + i % MAP * 2;
            const bool is_black =
                at[0] == darkest && at[1] == darkest && at[INPUT] == darkest && at[INPUT + 1] == darkest;
            assert_true(!is_black || v.targets[i] == 0.0F);
            black += is_black ? 1 : 0;
        }
        assert_in_range(black, MAP * MAP / 50, MAP * MAP * 6 / 10);
    }
    varied_clear(&v);
}

static void the_network_has_the_promised_shapes(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    assert_ok(reha_muscle_network_new(NULL, 1, &graph, &err), &err);
    const reha_shape in = reha_graph_node(graph, reha_graph_input(graph, 0))->shape;
    const reha_shape out = reha_graph_node(graph, reha_graph_output(graph, 0))->shape;
    assert_true(in.dims[1] == 1 && in.dims[2] == INPUT && in.dims[3] == INPUT);
    assert_true(out.dims[1] == REHA_MUSCLE_MAPS && out.dims[2] == MAP && out.dims[3] == MAP);
    assert_true(reha_graph_macs(graph) < 1.6e9); /* fast enough for a frame in a tenth of a second */
    reha_graph_free(graph);
}

/* A trained network is trained on as it is, at the encoder's slower rate; another one is refused by its path.
 */
static void training_goes_on_from_a_network(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    reha_graph *again = NULL;
    reha_value_id value = 0;
    char *path = reha_path_join(folder, "network.onnx");
    assert_ok(reha_muscle_network_new(NULL, 1, &graph, &err), &err);
    assert_ok(reha_onnx_save(graph, path, NULL, &err), &err);
    assert_ok(reha_muscle_network_go_on(path, &again, &err), &err);
    const int stem = reha_graph_find_node(again, "conv0");
    const int head = reha_graph_find_node(again, "head");
    assert_true(stem >= 0 && head >= 0);
    const float slow = reha_graph_param(again, reha_graph_node(again, stem)->params[0])->learning_rate_ratio;
    const float fast = reha_graph_param(again, reha_graph_node(again, head)->params[0])->learning_rate_ratio;
    assert_true(slow > 0.0F && slow < fast);
    reha_graph_free(graph);
    reha_graph_free(again);
    assert_ok(reha_graph_new("other", &graph, &err), &err);
    assert_ok(reha_graph_add_input(graph, "image", 1, 32, 32, &value, &err), &err);
    assert_ok(
        reha_graph_add_conv(graph, "head", value, 2, reha_window_square(1, 1, 0), 1, true, &value, &err),
        &err);
    assert_ok(reha_graph_mark_output(graph, value, "maps", &err), &err);
    assert_ok(reha_onnx_save(graph, path, NULL, &err), &err);
    assert_int_equal(reha_muscle_network_go_on(path, &again, &err), REHA_E_FORMAT);
    assert_null(again);
    assert_non_null(strstr(err.text, "network.onnx: is no muscle network"));
    reha_graph_free(graph);
    reha_free(path);
}

static void a_new_model_takes_over_texts_but_no_figures(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    json_t *card = NULL;
    json_t *training = json_pack("{s:i}", "epochs", 3);
    save_text("card.json", "{\"format\":\"rehascope-model-card\",\"format_version\":1,\"task\":\"muscle-us\","
                           "\"licence\":\"kept\",\"metrics\":{\"n\":1},\"measurement_error_95\":{}}");
    char *out = reha_path_join(folder, "new");
    assert_ok(reha_folder_make(out, &err), &err);
    assert_ok(reha_muscle_card_write(folder, out, training, &err), &err);
    assert_ok(reha_muscle_card_load(out, &card, &err), &err);
    assert_string_equal(reha_json_string(card, "licence", ""), "kept");
    assert_null(json_object_get(card, "metrics"));
    assert_null(json_object_get(card, "measurement_error_95"));
    assert_true(reha_json_number(json_object_get(card, "training"), "epochs", 0.0) == 3.0);
    json_decref(card);
    save_text("card.json", "{\"format\":\"rehascope-model-card\",\"format_version\":1,\"task\":\"knee-oa\"}");
    assert_int_equal(reha_muscle_card_load(folder, &card, &err), REHA_E_FORMAT);
    json_decref(training);
    reha_free(out);
}

static void save_picture(const reha_gray *image, const char *name)
{
    reha_error err = REHA_ERROR_INIT;
    char *path = reha_path_join(folder, name);
    assert_ok(reha_image_save_png(image, 8, path, &err), &err);
    reha_free(path);
}

/* Two groups share a picture, one mask is empty, one has another size, one file is missing. */
static void the_audit_finds_what_spoils_training(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    json_t *report = NULL;
    reha_gray *small = NULL;
    const muscle_picture spec = muscle_picture_default();
    reha_gray *image = muscle_picture_draw(&spec);
    save_picture(image, "a.png");
    save_picture(image, "b.png");
    for (int i = 0; i < PICTURE_W * PICTURE_H; i++) { /* another gain */
        image->pixels[i] = floorf(0.97F * image->pixels[i]);
    }
    save_picture(image, "near.png");
    muscle_picture another = spec;
    another.superficial_y = 150;
    another.deep_y = 420;
    reha_gray *third = muscle_picture_draw(&another);
    save_picture(third, "c.png");
    reha_gray_free(third);
    for (int i = 0; i < PICTURE_W * PICTURE_H; i++) {
        image->pixels[i] = 0.0F;
    }
    save_picture(image, "empty.png");
    image->pixels[300 * PICTURE_W + 300] = 255.0F;
    save_picture(image, "mask.png");
    assert_ok(reha_gray_new(10, 10, &small, &err), &err);
    save_picture(small, "small.png");
    for (int i = 0; i < PICTURE_W * PICTURE_H; i++) {
        image->pixels[i] = 0.0F;
    }
    image->pixels[300 * PICTURE_W + 310] = 255.0F;
    save_picture(image, "other.png");
    save_text("index.csv", "structure,image,mask,similarity_group,split\naponeurosis,a.png,mask.png,1,train\n"
                           "aponeurosis,b.png,empty.png,2,val\nfascicle,b.png,small.png,2,val\n"
                           "fascicle,gone.png,mask.png,3,train\naponeurosis,near.png,mask.png,4,train\n"
                           "fascicle,c.png,mask.png,5,train\nfascicle,c.png,other.png,5,train\n"
                           "fascicle,c.png,mask.png,5,val\n");
    assert_ok(reha_recogniser_muscle_us.audit(folder, NULL, NULL, &report, &err), &err);
    const json_t *problems = json_object_get(report, "problems");
    static const struct {
        const char *code;
        double count; /* of rows, or of pairs of rows */
    } wanted[] = {
        {"unreadable", 1},
        {"other-size", 1},
        {"empty-mask", 1},
        {"label-conflict", 3},          /* c with two masks, the first one twice; a and b */
        {"copy-across-groups", 2},      /* a is b, which stands there with two structures */
        {"near-copy-across-groups", 3}, /* near with a and twice with b */
        {"duplicate", 1},               /* c with the same mask */
        {"group-in-two-splits", 1},
    };
    assert_int_equal(json_array_size(problems), sizeof wanted / sizeof wanted[0]);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const json_t *one = json_array_get(problems, i);
        assert_string_equal(reha_json_string(one, "code", ""), wanted[i].code);
        assert_true(reha_json_number(one, "count", 0.0) == wanted[i].count);
    }
    assert_int_equal(reha_audit_error_count(report), 5); /* the others are warnings */
    json_decref(report);
    reha_gray_free(small);
    reha_gray_free(image);
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
              "structure,image,mask,similarity_group,split\naponeurosis,a.png,mask.png,1,train\n");
    assert_int_equal(reha_recogniser_muscle_us.audit(folder, load_without_memory, NULL, &report, &err),
                     REHA_E_NOMEM);
    assert_non_null(strstr(err.text, "out of memory"));
    assert_null(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_never_split),
        cmocka_unit_test(bad_rows_are_named),
        cmocka_unit_test(variations_move_picture_and_mask_together),
        cmocka_unit_test(grey_and_marks_leave_the_mask),
        cmocka_unit_test(depth_is_measured_from_the_skin),
        cmocka_unit_test(sectors_cut_picture_and_mask),
        cmocka_unit_test(training_goes_on_from_a_network),
        cmocka_unit_test(the_network_has_the_promised_shapes),
        cmocka_unit_test(a_new_model_takes_over_texts_but_no_figures),
        cmocka_unit_test(the_audit_finds_what_spoils_training),
        cmocka_unit_test(the_audit_ends_where_memory_does),
    };
    return cmocka_run_group_tests_name("muscle training", tests, make_folder, remove_folder);
}
