/* The gate: its table of pictures, drawn pictures, variations, cards that are wrong, memory that is short,
 * and the decision table. The network is a random one made here; what the trained one can do is measured by
 * bench/gate_bench. */
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "image/save.h"
#include "nn/fold.h"
#include "nn/onnx.h"
#include "recognition/scene_admit.h"
#include "recognition/scene_augment.h"
#include "recognition/scene_data.h"
#include "recognition/scene_drawn.h"
#include "recognition/scene_priv.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/reha-scene-XXXXXX";

static void save_text(const char *name, const char *text)
{
    reha_error err = REHA_ERROR_INIT;
    char *path = reha_path_join(folder, name);
    assert_ok(reha_file_save(path, text, strlen(text), &err), &err);
    reha_free(path);
}

/* A card with every kind's mean at 0, the identity for covariance and wide limits. */
static void save_card(void)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *features = NULL;
    json_t *limits = NULL;
    json_t *training = json_object();
    reha_scene_card *card = reha_alloc_zero(1, sizeof *card);
    for (int i = 0; i < REHA_SCENE_FEATURES; i++) {
        card->inverse[i * REHA_SCENE_FEATURES + i] = 1.0;
    }
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        card->has_mean[k] = true;
    }
    const reha_scene_kind kinds[] = {REHA_SCENE_KNEE, REHA_SCENE_LIMB, REHA_SCENE_MUSCLE};
    for (size_t i = 0; i < 3; i++) {
        card->limits[kinds[i]] = (reha_scene_limits){.is_present = true,
                                                     .share_min = 0.1,
                                                     .modality_min = 0.7,
                                                     .distance_max = 100.0,
                                                     .contrast_min = 20.0,
                                                     .shorter_px_min = 100.0,
                                                     .inverted_max = 0.8,
                                                     .turned_max = kinds[i] == REHA_SCENE_LIMB ? 1.0 : 0.8,
                                                     .flaw_max = {1.0, 0.8, 0.8, 0.8, 0.8}};
    }
    assert_ok(reha_scene_card_numbers(card, &features, &limits, &err), &err);
    assert_ok(reha_scene_card_write(NULL, folder, training, features, limits, NULL, &err), &err);
    json_decref(features);
    json_decref(limits);
    json_decref(training);
    reha_free(card);
}

static void save_network(const char *name, uint64_t seed)
{
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    reha_graph *folded = NULL;
    char *path = reha_path_join(folder, name);
    assert_ok(reha_scene_network_new(NULL, seed, &graph, &err), &err);
    assert_ok(reha_graph_fold_batch_norm(graph, &folded, &err), &err);
    assert_ok(reha_onnx_save(folded, path, NULL, &err), &err);
    reha_graph_free(graph);
    reha_graph_free(folded);
    reha_free(path);
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    save_network("model.onnx", 3);
    save_card();
    return 0;
}

static int remove_folder(void **state)
{
    char command[64];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static reha_model *open_gate(void)
{
    reha_error err = REHA_ERROR_INIT;
    reha_model *gate = NULL;
    const reha_model_options how = {.model_folder = folder, .threads = 1};
    assert_ok(reha_recogniser_gate.open(&how, &gate, &err), &err);
    return gate;
}

/* A picture that is nearly surely of one kind and has no fault. */
static reha_scene clear_scene(reha_scene_kind kind)
{
    reha_scene scene = {.inverted = 0.01, .contrast = 200.0, .shorter_px = 400};
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        scene.kinds[k] = 0.03 / (REHA_SCENE_KINDS - 1);
        scene.distances[k] = 10.0;
    }
    scene.kinds[kind] = 0.97;
    scene.turns[REHA_SCENE_UPRIGHT] = 0.99;
    scene.turns[REHA_SCENE_UPSIDE_DOWN] = 0.01;
    scene.flaws[REHA_SCENE_CLEAR] = 0.99;
    return scene;
}

/* ---- names ---- */

static void every_kind_has_a_name_that_leads_back(void **state)
{
    (void)state;
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        assert_int_equal(reha_scene_find(reha_scene_name((reha_scene_kind)k)), k);
        assert_true(strlen(reha_scene_text((reha_scene_kind)k)) > 5);
    }
    assert_int_equal(reha_scene_find("foot"), REHA_SCENE_KINDS);
    assert_int_equal(reha_scene_find(""), REHA_SCENE_KINDS);
    assert_string_equal(reha_scene_name((reha_scene_kind)99), "?");
    assert_string_equal(reha_scene_flaw_name((reha_scene_flaw)-1), "?");
}

/* ---- the decision table ---- */

static void each_recogniser_gets_its_kind_and_no_other(void **state)
{
    (void)state;
    static const struct {
        const char *task;
        reha_scene_kind kind;
    } takes[] = {
        {"knee-oa", REHA_SCENE_KNEE}, {"muscle-us", REHA_SCENE_MUSCLE}, {"fracture", REHA_SCENE_LIMB}};
    reha_model *gate = open_gate();
    const reha_acquisition facts = reha_acquisition_unknown();
    for (size_t t = 0; t < sizeof takes / sizeof takes[0]; t++) {
        for (int k = 0; k < REHA_SCENE_KINDS; k++) {
            const reha_scene scene = clear_scene((reha_scene_kind)k);
            const reha_scene_admission answer = reha_scene_admit(gate, takes[t].task, &scene, &facts);
            const bool says_no = answer.is_refused || answer.names_refusal;
            assert_int_equal(says_no, takes[t].kind != (reha_scene_kind)k);
            assert_false(answer.is_refused &&
                         strcmp(takes[t].task, "knee-oa") == 0); /* has its own admission */
            assert_false(answer.turns_over);
            if (says_no) { /* what it is, what it should be, and one line */
                assert_non_null(strstr(answer.text, reha_scene_text((reha_scene_kind)k)));
                assert_non_null(strstr(answer.text, reha_scene_text(takes[t].kind)));
                assert_null(strchr(answer.text, '\n'));
                assert_string_not_equal(answer.code, "");
            }
        }
    }
    const reha_scene photo = clear_scene(REHA_SCENE_PHOTO);
    assert_false(reha_scene_admit(gate, "no-such-task", &photo, &facts).is_refused);
    reha_recogniser_gate.close(gate);
}

/* A photograph and a page by halves is neither for sure, but no radiograph. */
static void what_is_more_likely_no_medical_image_is_refused(void **state)
{
    (void)state;
    reha_model *gate = open_gate();
    const reha_acquisition facts = reha_acquisition_unknown();
    reha_scene scene = clear_scene(REHA_SCENE_LIMB);
    scene.kinds[REHA_SCENE_LIMB] = 0.44;
    scene.kinds[REHA_SCENE_PHOTO] = 0.33;
    scene.kinds[REHA_SCENE_PAGE] = 0.20;
    const reha_scene_admission answer = reha_scene_admit(gate, "fracture", &scene, &facts);
    assert_true(answer.is_refused);
    assert_string_equal(answer.code, "not-a-radiograph");
    assert_non_null(strstr(answer.text, reha_scene_text(REHA_SCENE_PHOTO)));
    scene.kinds[REHA_SCENE_LIMB] = 0.74;
    scene.kinds[REHA_SCENE_PHOTO] = 0.13;
    scene.kinds[REHA_SCENE_PAGE] = 0.10;
    assert_false(reha_scene_admit(gate, "fracture", &scene, &facts).is_refused);
    reha_recogniser_gate.close(gate);
}

/* An ankle may look half a knee; what may be no radiograph at all is not taken, though a limb is the
 * likeliest. */
static void what_may_be_no_radiograph_is_refused_as_uncertain(void **state)
{
    (void)state;
    reha_model *gate = open_gate();
    const reha_acquisition facts = reha_acquisition_unknown();
    reha_scene scene = clear_scene(REHA_SCENE_LIMB);
    scene.kinds[REHA_SCENE_LIMB] = 0.40;
    scene.kinds[REHA_SCENE_KNEE] = 0.57;
    assert_true(reha_scene_modality_share(&scene, REHA_SCENE_LIMB) > 0.96);
    assert_false(reha_scene_admit(gate, "fracture", &scene, &facts).is_refused);
    scene.kinds[REHA_SCENE_LIMB] = 0.60;
    scene.kinds[REHA_SCENE_KNEE] = 0.05;
    scene.kinds[REHA_SCENE_PHOTO] = 0.32;
    const reha_scene_admission answer = reha_scene_admit(gate, "fracture", &scene, &facts);
    assert_true(answer.is_refused);
    assert_string_equal(answer.code, "uncertain");
    scene.kinds[REHA_SCENE_MUSCLE] = 0.2;
    scene.kinds[REHA_SCENE_ECHO] = 0.1;
    assert_true(fabs(reha_scene_modality_share(&scene, REHA_SCENE_MUSCLE) - 0.3) < 1e-12);
    assert_true(fabs(reha_scene_modality_share(&scene, REHA_SCENE_PHOTO) - 0.32) < 1e-12);
    reha_recogniser_gate.close(gate);
}

static void without_a_task_the_kind_chooses(void **state)
{
    (void)state;
    reha_acquisition facts = reha_acquisition_unknown();
    for (int k = 0; k < REHA_SCENE_KINDS; k++) { /* what is nobody's goes to the strictest admission */
        const reha_scene scene = clear_scene((reha_scene_kind)k);
        assert_string_equal(reha_scene_task(&scene, &facts),
                            k == REHA_SCENE_MUSCLE ? "muscle-us" : "knee-oa");
    }
    /* What the file says counts. */
    const reha_scene knee = clear_scene(REHA_SCENE_KNEE);
    const reha_scene muscle = clear_scene(REHA_SCENE_MUSCLE);
    (void)snprintf(facts.modality, sizeof facts.modality, "US");
    assert_string_equal(reha_scene_task(&knee, &facts), "muscle-us");
    (void)snprintf(facts.modality, sizeof facts.modality, "DX");
    assert_string_equal(reha_scene_task(&muscle, &facts), "knee-oa");
    (void)snprintf(facts.modality, sizeof facts.modality, "MR");
    assert_string_equal(reha_scene_task(&muscle, &facts), "knee-oa");
}

static void a_file_that_contradicts_its_picture_is_told(void **state)
{
    (void)state;
    reha_model *gate = open_gate();
    reha_acquisition facts = reha_acquisition_unknown();
    const reha_scene knee = clear_scene(REHA_SCENE_KNEE);
    const reha_scene hand = clear_scene(REHA_SCENE_LIMB);
    (void)snprintf(facts.modality, sizeof facts.modality, "US");
    reha_scene_admission answer = reha_scene_admit(gate, "muscle-us", &knee, &facts);
    assert_true(answer.is_refused);
    assert_non_null(strstr(answer.text, "the file says modality US, but"));
    answer = reha_scene_admit(gate, "knee-oa", &knee, &facts);
    assert_true(answer.is_refused);
    assert_string_equal(answer.code, "wrong-modality");
    assert_non_null(strstr(answer.text, "modality US"));
    (void)snprintf(facts.modality, sizeof facts.modality, "DX");
    (void)snprintf(facts.body_part, sizeof facts.body_part, "KNEE");
    answer = reha_scene_admit(gate, "fracture", &hand, &facts);
    assert_true(answer.has_warning && !answer.is_refused);
    assert_string_equal(answer.code, "file-contradicts");
    assert_non_null(strstr(answer.text, "KNEE"));
    (void)snprintf(facts.body_part, sizeof facts.body_part, "HAND");
    assert_false(reha_scene_admit(gate, "fracture", &hand, &facts).has_warning);
    reha_recogniser_gate.close(gate);
}

/* Each fault refused under its own name, by recognisers that have no admission of their own. */
static void faults_have_their_names(void **state)
{
    (void)state;
    reha_model *gate = open_gate();
    const reha_acquisition facts = reha_acquisition_unknown();
    const reha_scene good = clear_scene(REHA_SCENE_MUSCLE);
    reha_scene spoilt[9];
    static const char *const codes[9] = {"blurred", "noisy",        "burnt-out",
                                         "part",    "low-contrast", "too-small",
                                         "rotated", "upside-down",  "unlike-training"};
    for (int i = 0; i < 9; i++) {
        spoilt[i] = good;
        if (i < 4) {
            spoilt[i].flaws[REHA_SCENE_BLURRED + i] = 0.95;
        }
    }
    spoilt[4].contrast = 8.0;
    spoilt[5].shorter_px = 48;
    spoilt[6].turns[REHA_SCENE_UPRIGHT] = 0.02;
    spoilt[6].turns[REHA_SCENE_TURNED_LEFT] = 0.97;
    spoilt[7].turns[REHA_SCENE_UPRIGHT] = 0.02;
    spoilt[7].turns[REHA_SCENE_UPSIDE_DOWN] = 0.97;
    spoilt[8].distances[REHA_SCENE_MUSCLE] = 1000.0;
    for (int i = 0; i < 9; i++) {
        const reha_scene_admission answer = reha_scene_admit(gate, "muscle-us", &spoilt[i], &facts);
        assert_true(answer.is_refused);
        assert_string_equal(answer.code, codes[i]);
        assert_true(strlen(answer.text) > 20);
    }
    reha_scene inverted = good;
    inverted.inverted = 0.95;
    assert_true(reha_scene_admit(gate, "muscle-us", &inverted, &facts).turns_over);
    /* Limbs lie on the plate as it suits. */
    reha_scene turned = clear_scene(REHA_SCENE_LIMB);
    turned.turns[REHA_SCENE_UPRIGHT] = 0.0;
    turned.turns[REHA_SCENE_TURNED_RIGHT] = 1.0;
    assert_false(reha_scene_admit(gate, "fracture", &turned, &facts).is_refused);
    /* The knee judges blur and inversion itself. */
    reha_scene knee = clear_scene(REHA_SCENE_KNEE);
    knee.flaws[REHA_SCENE_BLURRED] = 0.95;
    knee.inverted = 0.95;
    const reha_scene_admission own = reha_scene_admit(gate, "knee-oa", &knee, &facts);
    assert_false(own.is_refused || own.turns_over);
    reha_recogniser_gate.close(gate);
}

/* ---- looking ---- */

static void any_size_of_picture_is_looked_at(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{1, 1}, {1, 900}, {3000, 2}, {128, 128}, {511, 513}, {1400, 900}};
    reha_error err = REHA_ERROR_INIT;
    reha_model *gate = open_gate();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        reha_gray *image = NULL;
        reha_scene scene;
        double sum = 0.0;
        assert_ok(reha_gray_new(sizes[i][0], sizes[i][1], &image, &err), &err);
        for (size_t p = 0; p < (size_t)image->width_px * image->height_px; p++) {
            image->pixels[p] = (float)(p % 251);
        }
        assert_ok(reha_scene_look(gate, image, NULL, i % 2 == 1, &scene, &err), &err);
        for (int k = 0; k < REHA_SCENE_KINDS; k++) {
            sum += scene.kinds[k];
            assert_true(isfinite(scene.distances[k]));
        }
        assert_true(fabs(sum - 1.0) < 1e-9);
        assert_int_equal(scene.shorter_px, sizes[i][0] < sizes[i][1] ? sizes[i][0] : sizes[i][1]);
        image->pixels[0] = (float)NAN;
        assert_int_equal(reha_scene_look(gate, image, NULL, false, &scene, &err), REHA_E_FORMAT);
        reha_gray_free(image);
    }
    reha_recogniser_gate.close(gate);
}

static void the_view_keeps_shape_tone_and_detail(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    static float input[REHA_SCENE_INPUT];
    static float other[REHA_SCENE_INPUT];
    reha_gray *image = NULL;
    assert_ok(reha_gray_new(200, 100, &image, &err), &err);
    for (uint32_t y = 0; y < 100; y++) {
        for (uint32_t x = 0; x < 200; x++) {
            image->pixels[(size_t)y * 200 + x] = (float)x;
        }
    }
    assert_ok(reha_scene_view(image, false, input, &err), &err);
    enum { S = REHA_SCENE_SIDE_PX };
    assert_true(input[0] == 0.0F && input[S * S - 1] == 0.0F);        /* above and below the wide picture */
    assert_true(input[S / 2 * S + 4] < input[S / 2 * S + S - 5]);     /* bright to the right */
    assert_true(input[REHA_SCENE_PLANE + S / 2 * S + S / 2] < -1.0F); /* a ramp has no detail */
    assert_ok(reha_scene_view(image, true, other, &err), &err);
    assert_true(other[S / 2 * S + 4] > other[S / 2 * S + S - 5]);
    /* Grey values may lie anywhere: the same picture. */
    for (size_t i = 0; i < 200 * 100; i++) {
        image->pixels[i] = 7.0F * image->pixels[i] - 3000.0F;
    }
    assert_ok(reha_scene_view(image, false, other, &err), &err);
    for (size_t i = 0; i < REHA_SCENE_INPUT; i++) {
        assert_true(fabsf(other[i] - input[i]) < 1e-3F);
    }
    reha_gray_free(image);
}

/* ---- cards that are wrong ---- */

static void refuse_card(const char *key, json_t *value, const char *expected)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *card = NULL;
    reha_model *gate = NULL;
    char *path = reha_path_join(folder, "card.json");
    const reha_model_options how = {.model_folder = folder, .threads = 1};
    assert_ok(reha_json_load(path, &card, &err), &err);
    if (value != NULL) {
        (void)json_object_set_new(card, key, value);
    } else {
        (void)json_object_del(card, key);
    }
    assert_ok(reha_json_save(path, card, &err), &err);
    const reha_status status = reha_recogniser_gate.open(&how, &gate, &err);
    assert_true(status == REHA_E_FORMAT || status == REHA_E_UNSUPPORTED || status == REHA_E_NOT_FOUND);
    assert_null(gate);
    if (strstr(err.text, expected) == NULL) {
        fail_msg("'%s' does not say '%s'", err.text, expected);
    }
    json_decref(card);
    reha_free(path);
    save_card();
}

static void bad_cards_are_named(void **state)
{
    (void)state;
    refuse_card("format", json_string("other"), "no model card");
    refuse_card("task", json_string("knee-oa"), "no model card of task gate");
    refuse_card("format_version", json_integer(2), "format_version");
    refuse_card("file", NULL, "file");
    refuse_card("file", json_string("../secret.onnx"), "plain file name");
    refuse_card("file", json_string("absent.onnx"), "absent.onnx");
    refuse_card("further_files", json_string("more.onnx"), "further_files is no list");
    refuse_card("further_files", json_pack("[s,s,s,s]", "1", "2", "3", "4"), "at most 3");
    refuse_card("further_files", json_pack("[s]", "../secret.onnx"), "further_files is no plain file name");
    refuse_card("further_files", json_pack("[i]", 3), "further_files is no plain file name");
    refuse_card("further_files", json_pack("[s]", "absent.onnx"), "absent.onnx");
    refuse_card("features", NULL, "features.means");
    refuse_card("features", json_pack("{s:{s:[f,f]}}", "means", "knee", 1.0, 2.0), "knee");
    refuse_card("features", json_pack("{s:{}, s:[f]}", "means", "inverse_covariance", 1.0),
                "inverse_covariance");
    refuse_card("limits_by_kind", NULL, "limits_by_kind");
    refuse_card("limits_by_kind", json_object(), "limits_by_kind");
    refuse_card("limits_by_kind", json_pack("{s:{}}", "foot"), "foot");
    refuse_card("limits_by_kind", json_pack("{s:{s:f}}", "knee", "share_min", 3.0), "share_min");
    reha_recogniser_gate.close(open_gate()); /* the card as it was is fine */
}

static void another_network_is_refused(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    reha_value_id value = 0;
    scene_eye eye;
    assert_ok(reha_graph_new("other", &graph, &err), &err);
    assert_ok(reha_graph_add_input(graph, "x", 1, 32, 32, &value, &err), &err);
    assert_ok(reha_graph_add_unary(graph, "flat", REHA_OP_FLATTEN, value, &value, &err), &err);
    assert_ok(reha_graph_mark_output(graph, value, "y", &err), &err);
    assert_int_equal(scene_eye_init(&eye, graph, 1, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "no gate network"));
    reha_graph_free(graph);
}

/* The card with other networks: `first`, and `further` (a new reference) or none. */
static void save_card_of(const char *first, json_t *further)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *card = NULL;
    char *path = reha_path_join(folder, "card.json");
    assert_ok(reha_json_load(path, &card, &err), &err);
    (void)json_object_set_new(card, "file", json_string(first));
    if (further != NULL) {
        (void)json_object_set_new(card, "further_files", further);
    }
    assert_ok(reha_json_save(path, card, &err), &err);
    json_decref(card);
    reha_free(path);
}

static reha_scene look_of(const char *first, json_t *further, const reha_gray *image)
{
    reha_error err = REHA_ERROR_INIT;
    reha_scene scene;
    save_card_of(first, further);
    reha_model *gate = open_gate();
    assert_ok(reha_scene_look(gate, image, NULL, false, &scene, &err), &err);
    reha_recogniser_gate.close(gate);
    save_card();
    return scene;
}

/* Each has the same say in every answer; the distance is the first's, whose features the card describes. */
static void several_networks_give_their_mean(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    assert_ok(reha_gray_new(300, 200, &image, &err), &err);
    for (size_t i = 0; i < 300 * 200; i++) {
        image->pixels[i] = (float)(i * 7919 % 251);
    }
    save_network("second.onnx", 4);
    const reha_scene first = look_of("model.onnx", NULL, image);
    const reha_scene second = look_of("second.onnx", NULL, image);
    const reha_scene both = look_of("model.onnx", json_pack("[s]", "second.onnx"), image);
    double apart = 0.0;
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        assert_true(fabs(both.kinds[k] - 0.5 * (first.kinds[k] + second.kinds[k])) < 1e-9);
        assert_true(fabs(both.distances[k] - first.distances[k]) < 1e-9 * first.distances[k]);
        apart += fabs(first.kinds[k] - second.kinds[k]);
    }
    for (int t = 0; t < REHA_SCENE_TURNS; t++) {
        assert_true(fabs(both.turns[t] - 0.5 * (first.turns[t] + second.turns[t])) < 1e-9);
    }
    for (int f = 0; f < REHA_SCENE_FLAWS; f++) {
        assert_true(fabs(both.flaws[f] - 0.5 * (first.flaws[f] + second.flaws[f])) < 1e-9);
    }
    assert_true(fabs(both.inverted - 0.5 * (first.inverted + second.inverted)) < 1e-9);
    assert_true(apart > 1e-3);
    reha_gray_free(image);
}

static void a_training_takes_the_further_networks_over(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    scene_eye eye;
    char *out = reha_path_join(folder, "trained");
    char *taken = reha_path_join(out, "second.onnx");
    char *first = reha_path_join(folder, "model.onnx");
    reha_train_options how = reha_train_options_default();
    how.out_folder = out;
    how.threads = 1;
    assert_ok(reha_folder_make(out, &err), &err);
    assert_ok(reha_onnx_load(first, NULL, &graph, &err), &err);
    assert_ok(scene_eye_init(&eye, graph, 1, &err), &err);
    assert_ok(scene_take_over_further(&how, &eye, &err), &err); /* nothing to go on from */
    how.base_folder = folder;
    assert_ok(scene_take_over_further(&how, &eye, &err), &err); /* one network of its own */
    assert_int_equal(eye.network_count, 1);
    save_network("second.onnx", 4);
    save_card_of("model.onnx", json_pack("[s]", "second.onnx"));
    assert_ok(scene_take_over_further(&how, &eye, &err), &err);
    assert_int_equal(eye.network_count, 2);
    assert_true(reha_path_is_file(taken));
    save_card_of("model.onnx", json_pack("[s]", "absent.onnx"));
    assert_int_equal(scene_take_over_further(&how, &eye, &err), REHA_E_NOT_FOUND);
    save_card();
    for (int i = 0; i < REHA_SCENE_NETWORKS_MAX; i++) {
        const reha_status status = scene_eye_add(&eye, graph, 1, &err);
        assert_int_equal(status, i < REHA_SCENE_NETWORKS_MAX - 2 ? REHA_OK : REHA_E_LIMIT);
    }
    scene_eye_clear(&eye);
    reha_graph_free(graph);
    reha_free(out);
    reha_free(taken);
    reha_free(first);
}

/* At the start of a training the detail says nothing, and grey goes the way of (grey, grey, grey). */
static void a_pretrained_trunk_begins_with_grey(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    char weights[512];
    assert_int_equal(reha_scene_network_new(folder, 3, &graph, &err), REHA_E_NOT_FOUND);
    assert_null(graph);
    TEST_NEED_DATA();
    (void)snprintf(weights, sizeof weights, "%s/backbones/mobilenetv2/weights", test_data_dir());
    assert_ok(reha_scene_network_new(weights, 3, &graph, &err), &err);
    const reha_param *stem =
        reha_graph_param(graph, reha_graph_node(graph, reha_graph_find_node(graph, "stem"))->params[0]);
    double grey = 0.0;
    for (size_t i = 0; i < reha_shape_count(stem->shape); i++) {
        const bool is_grey = i / 9 % REHA_SCENE_CHANNELS == 0;
        grey += is_grey ? fabs((double)stem->values[i]) : 0.0;
        assert_true(is_grey || stem->values[i] == 0.0F);
    }
    assert_true(grey > 1.0);
    reha_graph_free(graph);
}

/* ---- the table of pictures ---- */

static void save_picture(const char *name)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    reha_random random = reha_random_init(1, 1);
    char *path = reha_path_join(folder, name);
    assert_ok(reha_scene_draw(REHA_SCENE_SLICE, &random, &image, &err), &err);
    assert_ok(reha_image_save_png(image, 8, path, &err), &err);
    reha_gray_free(image);
    reha_free(path);
}

static void refuse_table(const char *text, const char *expected)
{
    reha_error err = REHA_ERROR_INIT;
    reha_scene_data data;
    save_text("scenes.csv", text);
    assert_true(reha_scene_data_load(folder, "train", NULL, 1, &data, &err) != REHA_OK);
    assert_int_equal(data.count, 0);
    if (strstr(err.text, expected) == NULL) {
        fail_msg("'%s' does not say '%s'", err.text, expected);
    }
}

static void tables_are_read_and_bad_ones_named(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_scene_data data;
    save_picture("a.png");
    save_text("scenes.csv", "path,scene,split,group,optional\na.png,slice,train,b,0\na.png,knee,val,x,0\n"
                            "a.png,page,train,a,0\nabsent.png,photograph,train,c,1\na.png,blank,train,b,0\n");
    assert_ok(reha_scene_data_load(folder, "train", NULL, 1, &data, &err), &err);
    assert_int_equal(data.count, 3);
    assert_int_equal(data.left_out, 1);
    assert_int_equal(data.items[0].repeat, 1);
    assert_int_equal(data.group_count, 2);
    assert_int_equal(data.items[0].group_idx, data.items[2].group_idx);
    assert_int_not_equal(data.items[0].group_idx, data.items[1].group_idx);
    assert_ok(reha_scene_data_draw(&data, REHA_SCENE_PAGE, 2, 5, &err), &err);
    assert_int_equal(data.count, 5);
    assert_int_equal(data.group_count, 4);
    reha_scene_data_clear(&data);
    save_text("scenes.csv", "path,scene,split,group,repeat\na.png,slice,train,b,8\na.png,page,train,a,1\n");
    assert_ok(reha_scene_data_load(folder, "train", NULL, 1, &data, &err), &err);
    assert_int_equal(data.items[0].repeat, 8);
    assert_int_equal(data.items[1].repeat, 1);
    reha_scene_data_clear(&data);
    refuse_table("path,scene,split,group,repeat\na.png,knee,train,1,0\n", "line 2: repeat");
    refuse_table("path,scene,split,group,repeat\na.png,knee,train,1,many\n", "line 2: repeat");
    refuse_table("path,scene,split,group,repeat\na.png,knee,train,1,2.5\n", "line 2: repeat");
    refuse_table("path,scene,split\na.png,knee,train\n", "group");
    refuse_table("path,scene,split,group\na.png,foot,train,1\n", "line 2: no scene 'foot'");
    refuse_table("path,scene,split,group\na.png,knee,val,1\n", "no picture of split 'train'");
    refuse_table("path,scene,split,group\nabsent.png,knee,train,1\n", "absent.png");
    refuse_table("", "scenes.csv");
}

static bool reports(const json_t *report, const char *code)
{
    size_t i = 0;
    json_t *one = NULL;
    bool found = false;
    json_array_foreach(json_object_get(report, "problems"), i, one)
    {
        found = found || strcmp(reha_json_string(one, "code", ""), code) == 0;
    }
    return found;
}

static void the_audit_finds_what_leaks(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    json_t *report = NULL;
    save_picture("a.png");
    save_text("scenes.csv",
              "path,scene,split,group\na.png,slice,train,b\na.png,page,cal,b\na.png,slice,val,c\n");
    assert_ok(scene_audit(folder, NULL, NULL, &report, &err), &err);
    assert_true(reports(report, "group-in-two-splits") && reports(report, "copies-across-splits"));
    assert_true(reports(report, "conflicting-kinds") && reports(report, "kind-without-pictures"));
    assert_false(reports(report, "left-out"));
    json_decref(report);
    save_text("scenes.csv", "path,scene,split,group\na.png,slice,train,b\n");
    assert_int_equal(scene_audit(folder, NULL, NULL, &report, &err), REHA_E_NOT_FOUND);
}

/* ---- drawn and varied pictures ---- */

static void drawn_pictures_repeat_and_differ(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        reha_gray *images[3] = {NULL};
        if (k == REHA_SCENE_LIMB) {
            reha_random random = reha_random_init(1, 1);
            assert_int_equal(reha_scene_draw(REHA_SCENE_LIMB, &random, &images[0], &err), REHA_E_ARG);
            continue;
        }
        for (int i = 0; i < 3; i++) {
            reha_random random = reha_random_init(i == 2 ? 43 : 42, 1);
            assert_ok(reha_scene_draw((reha_scene_kind)k, &random, &images[i], &err), &err);
        }
        const size_t bytes = (size_t)images[0]->width_px * images[0]->height_px * sizeof(float);
        assert_int_equal(images[0]->width_px, images[1]->width_px);
        assert_memory_equal(images[0]->pixels, images[1]->pixels, bytes);
        assert_true(images[2]->width_px != images[0]->width_px ||
                    images[2]->height_px != images[0]->height_px ||
                    memcmp(images[0]->pixels, images[2]->pixels, bytes) != 0);
        for (size_t p = 0; p < bytes / sizeof(float); p++) {
            assert_true(images[0]->pixels[p] >= 0.0F && images[0]->pixels[p] <= 255.0F);
        }
        for (int i = 0; i < 3; i++) {
            reha_gray_free(images[i]);
        }
    }
}

/* Mean step from a pixel to its right neighbour, in grey values. */
static double mean_step(const reha_gray *image)
{
    double sum = 0.0;
    for (uint32_t y = 0; y < image->height_px; y++) {
        const float *row = image->pixels + (size_t)y * image->width_px;
        for (uint32_t x = 1; x < image->width_px; x++) {
            sum += fabs((double)row[x] - (double)row[x - 1]);
        }
    }
    return sum / ((double)image->width_px * image->height_px);
}

/* Skies and wallpapers beside scenes full of things: the gate must know both for photographs. */
static void drawn_photographs_are_smooth_and_rough(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    int smooth = 0;
    int rough = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        reha_random random = reha_random_init(seed, 1);
        reha_gray *image = NULL;
        assert_ok(reha_scene_draw(REHA_SCENE_PHOTO, &random, &image, &err), &err);
        const double step = mean_step(image);
        assert_true(isfinite(step));
        smooth += step < 2.0 ? 1 : 0;
        rough += step > 4.0 ? 1 : 0;
        reha_gray_free(image);
    }
    assert_true(smooth >= 10 && rough >= 10);
}

/* Out of focus, a photograph is one all the same, and has no flaw that a medical picture could have. */
static void photographs_are_also_shown_out_of_focus(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_scene_data data = {0};
    int soft = 0;
    assert_ok(reha_scene_data_draw(&data, REHA_SCENE_BLANK, 1, 1, &err), &err);
    reha_scene_item *item = &data.items[0];
    item->kind = REHA_SCENE_PHOTO; /* a chequered floor */
    for (size_t i = 0; i < (size_t)item->width_px * item->height_px; i++) {
        item->pixels[i] = (i % item->width_px / 4 + i / item->width_px / 4) % 2 == 0 ? 40 : 200;
    }
    for (uint64_t seed = 0; seed < 80; seed++) {
        reha_random random = reha_random_init(seed, 1);
        reha_gray *image = NULL;
        reha_scene_truth truth;
        assert_ok(reha_scene_vary(item, false, &random, &image, &truth, &err), &err);
        assert_true(truth.kinds[REHA_SCENE_PHOTO] == 1.0F);
        assert_true(truth.flaws[REHA_SCENE_BLURRED] == 0.0F && truth.flaws[REHA_SCENE_CLEAR] == 0.0F);
        soft += mean_step(image) < 5.0 ? 1 : 0;
        reha_gray_free(image);
    }
    assert_true(soft >= 5 && soft <= 40);
    reha_scene_data_clear(&data);
}

static void variations_tell_what_they_did(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_scene_data data = {0};
    int inverted = 0;
    int turned = 0;
    int flawed = 0;
    assert_ok(reha_scene_data_draw(&data, REHA_SCENE_MUSCLE, 1, 1, &err), &err);
    assert_ok(reha_scene_data_draw(&data, REHA_SCENE_PAGE, 1, 1, &err), &err);
    for (uint64_t seed = 0; seed < 60; seed++) {
        reha_random random = reha_random_init(seed, 1);
        reha_gray *image = NULL;
        reha_scene_truth truth;
        assert_ok(reha_scene_vary(&data.items[0], seed % 2 == 1, &random, &image, &truth, &err), &err);
        float flaws = 0.0F;
        for (int f = 0; f < REHA_SCENE_FLAWS; f++) {
            flaws += truth.flaws[f];
        }
        assert_true(flaws == 1.0F);
        if (seed % 2 == 1) { /* mild ones stay good */
            assert_true(truth.kinds[REHA_SCENE_MUSCLE] == 1.0F && truth.flaws[REHA_SCENE_CLEAR] == 1.0F);
            assert_true(truth.tones[0] == 1.0F && truth.turns[REHA_SCENE_UPRIGHT] == 1.0F);
        }
        inverted += truth.tones[1] == 1.0F ? 1 : 0;
        turned += truth.kinds[REHA_SCENE_MUSCLE] == 1.0F && truth.turns[REHA_SCENE_UPRIGHT] == 0.0F ? 1 : 0;
        flawed += truth.flaws[REHA_SCENE_CLEAR] == 0.0F ? 1 : 0;
        reha_gray_free(image);
    }
    assert_true(inverted > 0 && turned > 0 && flawed > 0 && flawed < 30);
    reha_random random = reha_random_init(1, 1);
    reha_gray *page = NULL;
    reha_scene_truth truth;
    assert_ok(reha_scene_vary(&data.items[1], false, &random, &page, &truth, &err), &err);
    assert_true(truth.kinds[REHA_SCENE_PAGE] == 1.0F);
    assert_true(truth.tones[0] + truth.tones[1] == 0.0F); /* text may be white on black */
    reha_gray_free(page);
    reha_scene_data_clear(&data);
}

/* ---- short of memory ---- */

static void running_out_of_memory_is_survived(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const reha_model_options how = {.model_folder = folder, .threads = 1};
    save_network("second.onnx", 4);
    save_card_of("model.onnx", json_pack("[s]", "second.onnx"));
    const size_t before = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    long round = 0;
    while (status != REHA_OK) {
        reha_model *gate = NULL;
        reha_mem_fail_after(round);
        status = reha_recogniser_gate.open(&how, &gate, &err);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_recogniser_gate.close(gate);
        assert_int_equal(reha_mem_live_blocks(), before);
        round += 1 + round / 8; /* every allocation at first, then samples */
    }
    reha_model *gate = open_gate();
    reha_gray *image = NULL;
    assert_ok(reha_gray_new(1100, 700, &image, &err), &err);
    reha_scene first; /* the engine keeps what its first run prepares */
    assert_ok(reha_scene_look(gate, image, NULL, false, &first, &err), &err);
    const size_t opened = reha_mem_live_blocks();
    status = REHA_E_NOMEM;
    for (round = 0; status != REHA_OK; round++) {
        reha_analysis *analysis = NULL;
        reha_mem_fail_after(round);
        status = reha_recogniser_gate.analyse(gate, image, NULL, NULL, &analysis, &err);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_analysis_free(analysis);
        assert_int_equal(reha_mem_live_blocks(), opened);
    }
    reha_gray_free(image);
    reha_recogniser_gate.close(gate);
    save_card();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_name_that_leads_back),
        cmocka_unit_test(each_recogniser_gets_its_kind_and_no_other),
        cmocka_unit_test(what_is_more_likely_no_medical_image_is_refused),
        cmocka_unit_test(what_may_be_no_radiograph_is_refused_as_uncertain),
        cmocka_unit_test(without_a_task_the_kind_chooses),
        cmocka_unit_test(a_file_that_contradicts_its_picture_is_told),
        cmocka_unit_test(faults_have_their_names),
        cmocka_unit_test(any_size_of_picture_is_looked_at),
        cmocka_unit_test(the_view_keeps_shape_tone_and_detail),
        cmocka_unit_test(bad_cards_are_named),
        cmocka_unit_test(another_network_is_refused),
        cmocka_unit_test(several_networks_give_their_mean),
        cmocka_unit_test(a_training_takes_the_further_networks_over),
        cmocka_unit_test(a_pretrained_trunk_begins_with_grey),
        cmocka_unit_test(tables_are_read_and_bad_ones_named),
        cmocka_unit_test(the_audit_finds_what_leaks),
        cmocka_unit_test(drawn_pictures_repeat_and_differ),
        cmocka_unit_test(drawn_photographs_are_smooth_and_rough),
        cmocka_unit_test(photographs_are_also_shown_out_of_focus),
        cmocka_unit_test(variations_tell_what_they_did),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
