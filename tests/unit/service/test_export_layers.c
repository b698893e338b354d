/* Presentation states and segmentations of results: read back by our own reader, element by element, and
 * judged by dciodvfy. The pictures and coordinates of real recognisers are in tests/e2e/test_export.sh. */
#include "export_cases.h"

#include "base/memory.h"
#include "dicom/dataset_priv.h"
#include "dicom/presentation.h"
#include "dicom/segmentation.h"
#include "dicom/tags_priv.h"
#include "dicom/write.h"

#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_BYTES = 8192, VALUES_MAX = 64, WIDTH = 37, HEIGHT = 23, CELLS = WIDTH * HEIGHT };

static const char AS_OF[] = "2026-01-31T12:34:56.789Z";

static json_t *result_of(const json_t *study)
{
    const json_t *image = json_array_get(json_object_get(study, "images"), 0);
    return json_array_get(json_object_get(image, "results"), 0);
}

static json_t *region_of(const json_t *study)
{
    return json_array_get(json_object_get(json_object_get(result_of(study), "analysis"), "regions"), 0);
}

/* ---- reading back ---- */

typedef struct read_back {
    reha_dcm_dataset set;
    reha_dcm_scope root;
} read_back;

static read_back read_file(const reha_export_file *file)
{
    reha_error err = REHA_ERROR_INIT;
    read_back out;
    assert_ok(reha_dcm_parse(file->bytes, file->count, &out.set, &err), &err);
    out.root = reha_dcm_root(&out.set);
    return out;
}

static reha_dcm_scope item_of(const read_back *in, reha_dcm_scope scope, uint32_t tag, uint32_t idx)
{
    reha_dcm_scope item;
    assert_true(reha_dcm_item(&in->set, reha_dcm_find(&in->set, scope, tag), idx, &item));
    return item;
}

static uint32_t count_of(const read_back *in, reha_dcm_scope scope, uint32_t tag)
{
    const reha_dcm_node *node = reha_dcm_find(&in->set, scope, tag);
    return node != NULL ? reha_dcm_item_count(&in->set, node) : 0;
}

static const char *text_of(const read_back *in, reha_dcm_scope scope, uint32_t tag)
{
    static char text[TEXT_BYTES];
    const reha_dcm_node *node = reha_dcm_find(&in->set, scope, tag);
    text[0] = '\0';
    if (node != NULL && node->length < TEXT_BYTES) {
        memcpy(text, in->set.bytes + node->offset, node->length);
        text[node->length] = '\0';
        for (size_t used = strlen(text); used > 0 && text[used - 1] == ' ';) {
            text[--used] = '\0';
        }
    }
    return text;
}

static size_t floats_of(const read_back *in, reha_dcm_scope scope, uint32_t tag, float out[VALUES_MAX])
{
    const reha_dcm_node *node = reha_dcm_find(&in->set, scope, tag);
    assert_non_null(node);
    const size_t count = node->length / sizeof(float);
    assert_true(count <= VALUES_MAX);
    memcpy(out, in->set.bytes + node->offset, node->length);
    return count;
}

enum {
    ANNOTATIONS = 0x00700001,
    LAYER = 0x00700002,
    WORDS = 0x00700006,
    TEXTS = 0x00700008,
    LINES = 0x00700009,
    DATA = 0x00700022,
    KIND = 0x00700023
};

/* The annotations of a layer; false: there is none. */
static bool layer_of(const read_back *in, const char *name, reha_dcm_scope *out)
{
    for (uint32_t i = 0; i < count_of(in, in->root, ANNOTATIONS); i++) {
        *out = item_of(in, in->root, ANNOTATIONS, i);
        if (strcmp(text_of(in, *out, LAYER), name) == 0) {
            return true;
        }
    }
    return false;
}

static bool layer_says(const read_back *in, const char *layer, const char *words)
{
    reha_dcm_scope at;
    bool is_said = false;
    if (layer_of(in, layer, &at)) {
        for (uint32_t i = 0; i < count_of(in, at, TEXTS); i++) {
            is_said = is_said || strstr(text_of(in, item_of(in, at, TEXTS, i), WORDS), words) != NULL;
        }
    }
    return is_said;
}

static void overlay_of(const json_t *study, const reha_dicom_origin *origin, reha_export *out)
{
    reha_error err = REHA_ERROR_INIT;
    const reha_export_source source = {.study = study, .origins = origin};
    *out = (reha_export){.files = NULL};
    assert_ok(reha_export_overlay(&source, AS_OF, 0, 0, "overlay-1-1.dcm", out, &err), &err);
}

/* ---- overlays ---- */

static void test_overlay_of_a_knee(void **state)
{
    (void)state;
    const reha_dicom_origin origin = example_origin();
    reha_export files;
    reha_dcm_scope at;
    float values[VALUES_MAX];
    json_t *study = load_study("knee");
    json_t *profile = json_object_get(region_of(study), "joint_space_profile");
    json_object_set_new(profile, "width", json_pack("[f, f, n, f, f]", 5.0, 5.0, 3.5, 4.0));
    overlay_of(study, &origin, &files);
    assert_int_equal(files.count, 1);
    judge(&files);
    const read_back in = read_file(&files.files[0]);
    assert_string_equal(text_of(&in, in.root, TAG_MODALITY), "PR");
    /* Landmark (310.5, 890.25) from the centre of the first pixel is (311, 890.75) from its corner. */
    assert_true(layer_of(&in, "TIBIA", &at));
    const reha_dcm_scope tibia = item_of(&in, at, LINES, 0);
    assert_int_equal(floats_of(&in, tibia, DATA, values), 4);
    assert_float_equal(values[0], 311.0F, 1e-4);
    assert_float_equal(values[1], 890.75F, 1e-4);
    assert_float_equal(values[2], 690.5F, 1e-4);
    assert_string_equal(text_of(&in, tibia, KIND), "POLYLINE");
    /* Two edges with a gap in the notch: four runs. */
    assert_true(layer_of(&in, "JOINT SPACE", &at));
    assert_int_equal(count_of(&in, at, LINES), 4);
    /* The narrowest place: the one of the profile in the finding's box. */
    assert_true(layer_of(&in, "WIDTHS", &at));
    assert_int_equal(floats_of(&in, item_of(&in, at, LINES, 0), DATA, values), 4);
    assert_float_equal(values[1], 845.5F, 1e-4);
    assert_float_equal(values[3], 872.5F, 1e-4);
    assert_true(layer_says(&in, "WIDTHS", "Minimum joint space width, medial: 3.5 \xc2\xb1 0.4 mm"));
    assert_true(layer_says(&in, "MEASURES", "Kellgren-Lawrence grade: 2 (90 % set: 1 to 2)\r\n"));
    assert_true(layer_says(&in, "NOT REVIEWED", "Not reviewed"));
    assert_false(layer_of(&in, "REJECTED", &at));
    /* The region's box begins 20 px beside the image: pressed to its edge. */
    assert_true(layer_of(&in, "REGION", &at));
    assert_int_equal(floats_of(&in, item_of(&in, at, LINES, 0), DATA, values), 10);
    assert_float_equal(values[0], 0.0F, 0.0);
    /* Every layer that is drawn in is described, and no other. */
    assert_int_equal(count_of(&in, in.root, 0x00700060), count_of(&in, in.root, ANNOTATIONS));
    /* It is of this image, shown as the image is. */
    const reha_dcm_scope series = item_of(&in, in.root, 0x00081115, 0);
    assert_string_equal(text_of(&in, series, TAG_SERIES_INSTANCE_UID), "1.2.3.4");
    const reha_dcm_scope image = item_of(&in, series, TAG_REFERENCED_IMAGE_SEQUENCE, 0);
    assert_string_equal(text_of(&in, image, 0x00081155), "1.2.3.4.5");
    assert_string_equal(text_of(&in, image, 0x00081160), "");
    const reha_dcm_scope voi = item_of(&in, in.root, 0x00283110, 0);
    assert_string_equal(text_of(&in, voi, TAG_WINDOW_CENTER), "2048");
    assert_string_equal(text_of(&in, voi, TAG_WINDOW_WIDTH), "4096");
    assert_string_equal(text_of(&in, in.root, 0x20500020), "IDENTITY");
    assert_null(reha_dcm_find(&in.set, in.root, TAG_RESCALE_SLOPE));
    reha_dcm_dataset set = in.set;
    reha_dcm_clear(&set);
    reha_export_clear(&files);
    json_decref(study);
}

static void test_decisions_in_an_overlay(void **state)
{
    (void)state;
    const reha_dicom_origin origin = example_origin();
    reha_export files;
    reha_dcm_scope at;
    json_t *study = load_study("knee-signed");
    overlay_of(study, &origin, &files);
    judge(&files);
    read_back in = read_file(&files.files[0]);
    assert_false(layer_of(&in, "NOT REVIEWED", &at));
    assert_true(layer_says(&in, "MEASURES", "Kellgren-Lawrence grade: amended to 3 (software: 2"));
    assert_true(layer_says(&in, "MEASURES", "medial: amended to 3.1 (software: 3.5"));
    assert_true(layer_says(&in, "REJECTED", "Width of the tibial plateau: rejected"));
    assert_false(layer_says(&in, "MEASURES", "tibial plateau"));
    assert_false(layer_says(&in, "REJECTED", "77"));
    assert_string_equal(text_of(&in, in.root, 0x00700084), "J\xC3\xB6rg M\xC3\xBCller");
    reha_dcm_clear(&in.set);
    reha_export_clear(&files);
    json_decref(study);
}

/* One box at each operating point, and one that was rejected: three layers. */
static void test_fracture_boxes(void **state)
{
    (void)state;
    const reha_dicom_origin origin = example_origin();
    static const char *const keys[] = {"fracture-1", "possible-fracture-1", "fracture-2"};
    static const char *const layers[] = {"HIGH SPECIFICITY", "HIGH SENSITIVITY", "REJECTED"};
    reha_export files;
    reha_dcm_scope at;
    float values[VALUES_MAX];
    json_t *study = load_study("knee");
    json_t *findings = json_array();
    json_t *region = region_of(study);
    for (int i = 0; i < 3; i++) {
        json_array_append_new(findings,
                              json_pack("{s:s, s:s, s:n, s:f, s:n, s:n, s:{s:f, s:f, s:f, s:f}, s:n, s:b}",
                                        "key", keys[i], "label", keys[i], "code", "probability", 0.75,
                                        "grading", "measure", "region", "x_px", 10.0 + i, "y_px", 20.0,
                                        "width_px", 30.0, "height_px", 40.0, "evidence", "research_only", 1));
    }
    json_object_set_new(region, "findings", findings);
    json_object_set_new(region, "joint_space_profile", json_null());
    json_object_set_new(region, "landmarks_px", json_array());
    json_object_set_new(result_of(study), "task", json_string("fracture"));
    json_array_append_new(json_object_get(result_of(study), "reviews"),
                          json_pack("{s:i, s:s, s:s, s:n, s:s, s:s}", "region", 0, "finding", "fracture-2",
                                    "decision", "reject", "value", "user_name", "A", "created_at", AS_OF));
    overlay_of(study, &origin, &files);
    judge(&files);
    read_back in = read_file(&files.files[0]);
    for (int i = 0; i < 3; i++) {
        assert_true(layer_of(&in, layers[i], &at));
        assert_int_equal(count_of(&in, at, LINES), 1);
        assert_int_equal(floats_of(&in, item_of(&in, at, LINES, 0), DATA, values), 10);
        assert_float_equal(values[0], 10.5F + (float)i, 1e-4);
        assert_float_equal(values[4], 40.5F + (float)i, 1e-4);
        assert_float_equal(values[5], 60.5F, 1e-4);
    }
    assert_true(layer_says(&in, "HIGH SPECIFICITY", "fracture-1: 75 %"));
    assert_true(layer_says(&in, "MEASURES", "Research only"));
    reha_dcm_clear(&in.set);
    reha_export_clear(&files);
    json_decref(study);
}

static void test_how_it_is_shown(void **state)
{
    (void)state;
    reha_export files;
    json_t *study = load_study("knee");
    reha_dicom_origin origin = example_origin();
    origin.shown.is_monochrome1 = true;
    origin.shown.slope = 2.0;
    origin.shown.intercept = -100.0;
    origin.shown.window.shape = REHA_WINDOW_SIGMOID;
    origin.shown.x_mm = 0.1;
    origin.shown.y_mm = 0.2;
    origin.frame_count = 5;
    (void)snprintf(origin.ids.sop_class_uid, sizeof origin.ids.sop_class_uid, "1.2.840.10008.5.1.4.1.1.3.1");
    overlay_of(study, &origin, &files);
    judge(&files);
    read_back in = read_file(&files.files[0]);
    assert_string_equal(text_of(&in, in.root, 0x20500020), "INVERSE");
    assert_string_equal(text_of(&in, in.root, TAG_RESCALE_SLOPE), "2");
    assert_string_equal(text_of(&in, in.root, TAG_RESCALE_INTERCEPT), "-100");
    const reha_dcm_scope voi = item_of(&in, in.root, 0x00283110, 0);
    assert_string_equal(text_of(&in, voi, TAG_VOI_LUT_FUNCTION), "SIGMOID");
    const reha_dcm_scope area = item_of(&in, in.root, 0x0070005A, 0);
    assert_string_equal(text_of(&in, area, 0x00700101), "0.2\\0.1"); /* rows first */
    const reha_dcm_scope image =
        item_of(&in, item_of(&in, in.root, 0x00081115, 0), TAG_REFERENCED_IMAGE_SEQUENCE, 0);
    assert_string_equal(text_of(&in, image, 0x00081160), "1"); /* results are of the first frame */
    reha_dcm_clear(&in.set);
    reha_export_clear(&files);
    /* Colour has a class of its own, and no window. */
    origin.shown.is_colour = true;
    origin.shown.is_monochrome1 = false;
    overlay_of(study, &origin, &files);
    judge(&files);
    in = read_file(&files.files[0]);
    assert_string_equal(text_of(&in, in.root, TAG_SOP_CLASS_UID), "1.2.840.10008.5.1.4.1.1.11.2");
    assert_null(reha_dcm_find(&in.set, in.root, 0x00283110));
    const reha_dcm_node *profile = reha_dcm_find(&in.set, in.root, 0x00282000);
    assert_non_null(profile);
    assert_memory_equal(in.set.bytes + profile->offset + 36, "acsp", 4);
    reha_dcm_clear(&in.set);
    reha_export_clear(&files);
    /* What would be shown wrongly is not written: values through a table, no window, a refusal. */
    origin.shown.is_colour = false;
    origin.shown.has_modality_lut = true;
    overlay_of(study, &origin, &files);
    assert_int_equal(files.count, 0);
    origin.shown.has_modality_lut = false;
    origin.shown.window.width = 0.0;
    overlay_of(study, &origin, &files);
    assert_int_equal(files.count, 0);
    json_decref(study);
    study = load_study("refused");
    origin = example_origin();
    overlay_of(study, &origin, &files);
    assert_int_equal(files.count, 0);
    json_decref(study);
}

/* A line that leaves the image keeps its direction; what is outside is left out. */
static void test_lines_end_at_the_image(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_dicom_origin origin = example_origin();
    origin.width_px = 100;
    origin.height_px = 50;
    const reha_dicom_origin *const images[] = {&origin};
    const reha_dicom_object object = {
        .origin = &origin, .images = images, .image_count = 1, .series_uid = "1.2", .instance_uid = "1.3"};
    const reha_ps_layer_look look = {"A LAYER", "words", 0xff0000};
    const reha_ps_document document = {&object, "LABEL", "words", ""};
    const reha_point_px across[] = {{-100.0, -50.0}, {100.0, 50.0}, {200.0, 50.0}, {50.0, 25.0}};
    const reha_point_px outside[] = {{-5.0, 0.0}, {-5.0, 40.0}};
    reha_ps *ps = NULL;
    reha_export_file file = {.bytes = NULL};
    reha_dcm_scope at;
    float values[VALUES_MAX];
    assert_ok(reha_ps_new(&origin, &ps, &err), &err);
    reha_ps_line(ps, across, 4, false); /* no layer yet: nothing */
    assert_true(reha_ps_is_empty(ps));
    reha_ps_layer(ps, &look);
    reha_ps_line(ps, across, 4, false);
    reha_ps_line(ps, outside, 2, false);
    assert_ok(reha_ps_encode(ps, &document, &file.bytes, &file.count, &err), &err);
    read_back in = read_file(&file);
    assert_true(layer_of(&in, "A LAYER", &at));
    assert_int_equal(count_of(&in, at, LINES), 2);
    assert_int_equal(floats_of(&in, item_of(&in, at, LINES, 0), DATA, values), 4);
    /* From (-100, -50) to (100, 50), y is x / 2: it comes in by x = -0.5 and leaves by y = 49.5. */
    assert_float_equal(values[0], 0.0F, 1e-4);
    assert_float_equal(values[1], -0.25F + 0.5F, 1e-4);
    assert_float_equal(values[2], 99.0F + 0.5F, 1e-4);
    assert_float_equal(values[3], 49.5F + 0.5F, 1e-4);
    reha_dcm_clear(&in.set);
    reha_free(file.bytes);
    reha_ps_free(ps);
}

/* ---- masks ---- */

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 16;
}

static reha_dicom_origin small_origin(void)
{
    reha_dicom_origin origin = example_origin();
    (void)snprintf(origin.modality, sizeof origin.modality, "US");
    (void)snprintf(origin.ids.sop_class_uid, sizeof origin.ids.sop_class_uid, "1.2.840.10008.5.1.4.1.1.3.1");
    origin.width_px = WIDTH;
    origin.height_px = HEIGHT;
    origin.frame_count = 7;
    return origin;
}

static void masks_of(const json_t *study, const reha_dicom_origin *origin, const reha_export_mask *masks,
                     size_t count, reha_export *out)
{
    reha_error err = REHA_ERROR_INIT;
    const reha_export_source source = {.study = study, .origins = origin};
    *out = (reha_export){.files = NULL};
    assert_ok(reha_export_masks(&source, AS_OF, 0, 0, masks, count, "masks-1-1.dcm", out, &err), &err);
}

/* Frames of 851 cells do not end with a byte: every bit must come back in its place. */
static void test_masks_bit_for_bit(void **state)
{
    (void)state;
    static uint8_t cells[5][CELLS];
    uint32_t seed = 7;
    reha_export files;
    json_t *study = load_study("muscle");
    reha_dicom_origin origin = small_origin();
    reha_export_mask masks[] = {{0, {"belly", cells[0]}},
                                {0, {"aponeurosis", cells[1]}},
                                {0, {"fascicle", cells[2]}},
                                {0, {"lesion-1", cells[3]}},
                                {0, {"lesion-2", cells[4]}}};
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < CELLS; i++) {
            cells[k][i] = (uint8_t)(next_random(&seed) % 2);
        }
    }
    masks_of(study, &origin, masks, 5, &files); /* the last one has nothing inside */
    assert_int_equal(files.count, 1);
    judge(&files);
    read_back in = read_file(&files.files[0]);
    assert_string_equal(text_of(&in, in.root, TAG_NUMBER_OF_FRAMES), "4");
    assert_int_equal(count_of(&in, in.root, 0x00620002), 4);
    const reha_dcm_node *pixels = reha_dcm_find(&in.set, in.root, TAG_PIXEL_DATA);
    assert_int_equal(pixels->length, (4 * CELLS + 15) / 16 * 2);
    for (size_t at = 0; at < (size_t)4 * CELLS; at++) {
        const int bit = in.set.bytes[pixels->offset + at / 8] >> at % 8 & 1;
        assert_int_equal(bit, cells[at / CELLS][at % CELLS]);
    }
    /* Each frame says which segment it is; all say which image they lie over, pixel for pixel. */
    for (uint32_t i = 0; i < 4; i++) {
        const reha_dcm_scope frame = item_of(&in, in.root, TAG_PER_FRAME_FUNCTIONAL_GROUPS, i);
        const reha_dcm_scope segment = item_of(&in, frame, 0x0062000A, 0);
        assert_int_equal(reha_dcm_u16_at(&in.set, reha_dcm_find(&in.set, segment, 0x0062000B), 0), i + 1);
    }
    const reha_dcm_scope shared = item_of(&in, in.root, TAG_SHARED_FUNCTIONAL_GROUPS, 0);
    const reha_dcm_scope source =
        item_of(&in, item_of(&in, shared, 0x00089124, 0), TAG_SOURCE_IMAGE_SEQUENCE, 0);
    assert_string_equal(text_of(&in, source, 0x00081155), "1.2.3.4.5");
    assert_string_equal(text_of(&in, source, 0x00081160), "1");
    assert_string_equal(text_of(&in, source, 0x0028135A), "YES");
    const reha_dcm_scope series = item_of(&in, in.root, 0x00081115, 0);
    assert_string_equal(text_of(&in, series, TAG_SERIES_INSTANCE_UID), "1.2.3.4");
    assert_int_equal(count_of(&in, series, 0x0008114A), 1);
    /* No size and no place where none is known. */
    assert_int_equal(count_of(&in, shared, TAG_PIXEL_MEASURES_SEQUENCE), 0);
    assert_int_equal(count_of(&in, shared, TAG_PLANE_POSITION_SEQUENCE), 0);
    assert_null(reha_dcm_find(&in.set, in.root, TAG_FRAME_OF_REFERENCE_UID));
    const reha_dcm_scope lesion = item_of(&in, in.root, 0x00620002, 3);
    assert_string_equal(text_of(&in, lesion, 0x00620005), "Marked region 1");
    assert_string_equal(text_of(&in, lesion, 0x00620008), "AUTOMATIC");
    assert_string_equal(text_of(&in, item_of(&in, lesion, 0x0062000F, 0), 0x00080100), "52988006");
    const reha_dcm_scope algorithm = item_of(&in, lesion, 0x00620007, 0);
    assert_non_null(strstr(text_of(&in, algorithm, 0x00660032), "model sha256=cdcd"));
    reha_dcm_clear(&in.set);
    reha_export_clear(&files);
    json_decref(study);
}

static void test_place_of_masks(void **state)
{
    (void)state;
    static uint8_t cells[CELLS];
    reha_export files;
    json_t *study = load_study("muscle");
    reha_dicom_origin origin = small_origin();
    reha_export_mask masks[] = {{0, {"belly", cells}}, {0, {"lesion-1", cells}}};
    cells[5] = 1;
    origin.frame_count = 1;
    origin.shown.x_mm = 0.1;
    origin.shown.y_mm = 0.2;
    origin.shown.is_lossy = true;
    (void)snprintf(origin.shown.lossy_ratio, sizeof origin.shown.lossy_ratio, "12.5");
    (void)snprintf(origin.shown.lossy_method, sizeof origin.shown.lossy_method, "ISO_10918_1");
    (void)snprintf(origin.shown.frame_of_reference_uid, sizeof origin.shown.frame_of_reference_uid, "1.2.9");
    (void)snprintf(origin.shown.position_mm, sizeof origin.shown.position_mm, "1\\2\\3");
    (void)snprintf(origin.shown.orientation, sizeof origin.shown.orientation, "1\\0\\0\\0\\1\\0");
    json_array_append_new(json_object_get(result_of(study), "reviews"),
                          json_pack("{s:i, s:s, s:s, s:n, s:s, s:s}", "region", 0, "finding", "lesion-1",
                                    "decision", "reject", "value", "user_name", "A", "created_at", AS_OF));
    masks_of(study, &origin, masks, 2, &files); /* the region was rejected */
    read_back in = read_file(&files.files[0]);
    assert_int_equal(count_of(&in, in.root, 0x00620002), 1);
    const reha_dcm_scope shared = item_of(&in, in.root, TAG_SHARED_FUNCTIONAL_GROUPS, 0);
    const reha_dcm_scope measures = item_of(&in, shared, TAG_PIXEL_MEASURES_SEQUENCE, 0);
    assert_string_equal(text_of(&in, measures, TAG_PIXEL_SPACING), "0.2\\0.1");
    const reha_dcm_scope position = item_of(&in, shared, TAG_PLANE_POSITION_SEQUENCE, 0);
    assert_string_equal(text_of(&in, position, TAG_IMAGE_POSITION_PATIENT), "1\\2\\3");
    assert_string_equal(text_of(&in, in.root, TAG_FRAME_OF_REFERENCE_UID), "1.2.9");
    assert_string_equal(text_of(&in, in.root, TAG_LOSSY_IMAGE_COMPRESSION), "01");
    assert_string_equal(text_of(&in, in.root, TAG_LOSSY_COMPRESSION_METHOD), "ISO_10918_1");
    reha_dcm_clear(&in.set);
    reha_export_clear(&files);
    cells[5] = 0; /* nothing is inside of any */
    masks_of(study, &origin, masks, 2, &files);
    assert_int_equal(files.count, 0);
    json_decref(study);
}

static void test_same_record_same_layers(void **state)
{
    (void)state;
    static uint8_t cells[CELLS] = {1};
    const reha_export_mask mask = {0, {"belly", cells}};
    const reha_dicom_origin origin = small_origin();
    json_t *study = load_study("muscle");
    for (int kind = 0; kind < 2; kind++) {
        reha_export first, again;
        kind == 0 ? overlay_of(study, &origin, &first) : masks_of(study, &origin, &mask, 1, &first);
        kind == 0 ? overlay_of(study, &origin, &again) : masks_of(study, &origin, &mask, 1, &again);
        assert_int_equal(first.files[0].count, again.files[0].count);
        assert_memory_equal(first.files[0].bytes, again.files[0].bytes, first.files[0].count);
        reha_export_clear(&first);
        reha_export_clear(&again);
    }
    json_decref(study);
}

/* Out of memory anywhere: a status, no leak (the sanitizer's build tells), no half export. */
static void test_memory(void **state)
{
    (void)state;
    static uint8_t cells[CELLS] = {1};
    const reha_export_mask mask = {0, {"belly", cells}};
    const reha_dicom_origin origins[2] = {example_origin(), small_origin()};
    json_t *studies[2] = {load_study("knee-signed"), load_study("muscle")};
    for (int kind = 0; kind < 2; kind++) {
        const reha_export_source source = {.study = studies[kind], .origins = &origins[kind]};
        reha_status status = REHA_E_NOMEM;
        for (long n = 0; status != REHA_OK && n < 1000; n++) {
            reha_error err = REHA_ERROR_INIT;
            reha_export files = {.files = NULL};
            reha_mem_fail_after(n);
            status = kind == 0 ? reha_export_overlay(&source, AS_OF, 0, 0, "o.dcm", &files, &err)
                               : reha_export_masks(&source, AS_OF, 0, 0, &mask, 1, "m.dcm", &files, &err);
            reha_mem_fail_after(-1);
            assert_true(status == REHA_OK || status == REHA_E_NOMEM);
            assert_int_equal(files.count, status == REHA_OK ? 1 : 0);
            reha_export_clear(&files);
        }
        assert_int_equal(status, REHA_OK);
        json_decref(studies[kind]);
    }
}

/* ---- what a file says of how it is shown ---- */

/* Whatever the file says, the window that is repeated gives the picture that our own reader gives. */
static void test_window_of_files(void **state)
{
    (void)state;
    enum { SIDE = 16 };
    uint16_t cells[SIDE * SIDE];
    for (int i = 0; i < SIDE * SIDE; i++) {
        cells[i] = (uint16_t)(100 + 13 * i % 3000);
    }
    for (int kind = 0; kind < 4; kind++) { /* with and without a window, rescaled, and dark is high */
        reha_error err = REHA_ERROR_INIT;
        reha_dicom *dicom = NULL;
        reha_dicom_origin origin, wired;
        reha_gray *as_is = NULL, *as_told = NULL;
        uint8_t *bytes = NULL;
        size_t count = 0;
        reha_dicom_image image = reha_dicom_image_empty();
        image.width_px = image.height_px = SIDE;
        image.bits_stored = 12;
        image.pixels = cells;
        image.window_center = kind == 1 ? 700.0 : 0.0;
        image.window_width = kind == 1 ? 900.0 : 0.0;
        image.rescale_slope = kind == 2 ? 2.0 : 0.0;
        image.rescale_intercept = kind == 2 ? -1024.0 : 0.0;
        image.facts.was_monochrome1 = kind == 3;
        assert_ok(reha_dicom_write_image(&image, &bytes, &count, &err), &err);
        assert_ok(reha_dicom_open(bytes, count, NULL, &dicom, &err), &err);
        assert_ok(reha_dicom_origin_of(dicom, &origin, &err), &err);
        assert_true(origin.shown.window.width > 0.0);
        assert_true(origin.shown.is_monochrome1 == (kind == 3));
        assert_float_equal(origin.shown.slope, kind == 2 ? 2.0 : 1.0, 0.0);
        assert_ok(reha_dicom_read_display(dicom, 0, NULL, &as_is, &err), &err);
        assert_ok(reha_dicom_read_display(dicom, 0, &origin.shown.window, &as_told, &err), &err);
        for (int i = 0; i < SIDE * SIDE; i++) {
            assert_float_equal(as_is->pixels[i], as_told->pixels[i], 1e-5);
        }
        json_t *json = reha_origin_to_json(&origin); /* out of the sandbox */
        assert_ok(reha_origin_from_json(json, &wired, &err), &err);
        assert_float_equal(wired.shown.window.center, origin.shown.window.center, 0.0);
        assert_float_equal(wired.shown.window.width, origin.shown.window.width, 0.0);
        assert_float_equal(wired.shown.intercept, origin.shown.intercept, 0.0);
        assert_true(wired.shown.is_monochrome1 == origin.shown.is_monochrome1);
        json_decref(json);
        reha_gray_free(as_is);
        reha_gray_free(as_told);
        reha_dicom_close(dicom);
        reha_free(bytes);
    }
}

int main(void)
{
    (void)setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_overlay_of_a_knee),
                                       cmocka_unit_test(test_decisions_in_an_overlay),
                                       cmocka_unit_test(test_fracture_boxes),
                                       cmocka_unit_test(test_how_it_is_shown),
                                       cmocka_unit_test(test_lines_end_at_the_image),
                                       cmocka_unit_test(test_masks_bit_for_bit),
                                       cmocka_unit_test(test_place_of_masks),
                                       cmocka_unit_test(test_same_record_same_layers),
                                       cmocka_unit_test(test_memory),
                                       cmocka_unit_test(test_window_of_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
