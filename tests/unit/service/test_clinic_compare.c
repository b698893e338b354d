/* Two visits compared in the records; the frames of a sequence measured and shown; stacks told apart. */
#include "clinic_support.h"
#include "values.h"

#include "../recognition/muscle_picture.h"
#include "dicom/write.h"
#include "image/load.h"

#include <math.h>

enum { FRAMES = 5, SIDE_PX = 48 };

typedef struct fixture {
    test_home home;
    reha_actor physio;
    char patient[REHA_ID_BYTES], other[REHA_ID_BYTES];
    char early[REHA_ID_BYTES], late[REHA_ID_BYTES]; /* images of one knee, the later one narrower */
    char foreign[REHA_ID_BYTES], stray[REHA_ID_BYTES];
} fixture;

static fixture f;

static void add_patient(const char *pseudonym, char id[REHA_ID_BYTES])
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    json_t *in = json_pack("{s:s}", "pseudonym", pseudonym);
    assert_ok(reha_clinic_patient_add(f.home.clinic, &f.physio, in, &out, &err), &err);
    (void)snprintf(id, REHA_ID_BYTES, "%s", reha_json_string(out, "id", ""));
    json_decref(out);
    json_decref(in);
}

static void add_film(const char *patient, const char *date, double medial_mm, uint64_t seed,
                     char id[REHA_ID_BYTES])
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    uint8_t *png = NULL;
    size_t count = 0;
    json_t *out = NULL;
    reha_phantom_spec spec = reha_phantom_film(REHA_SIDE_RIGHT, seed);
    reha_phantom_set_grade(&spec.knees[0], 1, 7);
    spec.knees[0].medial_jsw_mm = medial_mm;
    spec.bits = 8;
    assert_ok(reha_phantom_draw(&spec, &image, NULL, &err), &err);
    assert_ok(reha_image_encode_png(image, 8, &png, &count, &err), &err);
    const reha_upload_options options = {
        .patient_id = patient, .image_date = date, .file_name = "right.png", .mm_per_px = 0.2};
    assert_ok(upload_bytes(f.home.clinic, &f.physio, &options, png, count, &out, &err), &err);
    (void)snprintf(id, REHA_ID_BYTES, "%s", item_text(out, 0, "image_id"));
    json_decref(out);
    reha_free(png);
    reha_gray_free(image);
}

static int open_fixture(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    assert_int_equal(setenv("REHASCOPE_GUIDELINES", REHA_SOURCE_DIR "/guidelines", 1), 0);
    open_home(&f.home, true);
    f.physio = add_user(f.home.clinic, "petra", REHA_ROLE_PHYSIOTHERAPIST);
    add_patient("P-1", f.patient);
    add_patient("P-2", f.other);
    add_film(f.patient, "2024-01-31", 5.2, 21, f.early);
    add_film(f.patient, "2026-01-31", 2.6, 22, f.late);
    add_film(f.other, "2025-01-31", 4.0, 23, f.foreign);
    add_film(NULL, "2025-01-31", 4.0, 24, f.stray);
    assert_ok(reha_clinic_drain(f.home.clinic, &err), &err);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    close_home(&f.home);
    return 0;
}

static reha_status compare(const char *before, const char *after, bool same_setup, json_t **out,
                           reha_error *err)
{
    const reha_clinic_comparing how = {.is_same_setup = same_setup};
    return reha_clinic_compare(f.home.clinic, &f.physio, before, after, &how, out, err);
}

static const json_t *measure_of(const json_t *comparison, const char *key)
{
    const json_t *joint = json_array_get(json_object_get(comparison, "joints"), 0);
    const json_t *measures = json_object_get(joint, "measures");
    for (size_t i = 0; i < json_array_size(measures); i++) {
        if (strcmp(reha_json_string(json_array_get(measures, i), "key", ""), key) == 0) {
            return json_array_get(measures, i);
        }
    }
    fail_msg("no measure %s", key);
    return NULL;
}

static void two_visits_are_judged_and_laid_over_each_other(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    assert_ok(compare(f.early, f.late, true, &out, &err), &err);
    assert_true(json_is_true(json_object_get(out, "comparable")));
    assert_string_equal(reha_json_string(out, "lengths", ""), "mm");
    assert_int_equal(json_array_size(json_object_get(out, "joints")), 1);
    const json_t *joint = json_array_get(json_object_get(out, "joints"), 0);
    const json_t *laid = json_object_get(joint, "registration");
    assert_true(json_is_true(json_object_get(laid, "reliable")));
    assert_string_equal(reha_json_string(laid, "by", ""), "landmarks");
    /* One drawing, another place: the map must take the joint of the first film near to that of the second.
     */
    const json_t *map = json_object_get(laid, "before_to_after");
    assert_int_equal(json_array_size(map), 6);
    const double a = json_number_value(json_array_get(map, 0));
    const double d = json_number_value(json_array_get(map, 3));
    assert_true(fabs(hypot(a, d) - 1.0) < 0.05);
    const json_t *change = json_object_get(measure_of(out, "jsw-medial-min"), "change");
    assert_true(reha_json_number(change, "difference", 0.0) < -1.5);
    assert_string_equal(reha_json_string(change, "verdict", ""), "worsened");
    assert_true(
        json_is_null(json_array_get(json_object_get(measure_of(out, "jsw-medial-min"), "decisions"), 0)));
    json_decref(out);
    /* Without the statement the full error of each reading counts. */
    assert_ok(compare(f.early, f.late, false, &out, &err), &err);
    const json_t *loose = json_object_get(measure_of(out, "jsw-medial-min"), "change");
    assert_true(reha_json_number(loose, "sdc_95", 0.0) > 1.0);
    json_decref(out);
}

static void grey_values_serve_where_landmarks_are_not_wanted(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    const reha_clinic_comparing how = {.by_intensity = true};
    assert_ok(reha_clinic_compare(f.home.clinic, &f.physio, f.early, f.late, &how, &out, &err), &err);
    const json_t *joint = json_array_get(json_object_get(out, "joints"), 0);
    assert_string_equal(reha_json_string(json_object_get(joint, "registration"), "by", ""), "intensity");
    json_decref(out);
}

static void what_cannot_be_compared_is_told(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    const reha_clinic_comparing how = {0};
    const reha_actor nobody = reha_actor_nobody();
    assert_int_equal(compare(f.early, f.early, false, &out, &err), REHA_E_ARG);
    assert_int_equal(compare("none", f.late, false, &out, &err), REHA_E_NOT_FOUND);
    assert_int_equal(compare(f.early, "none", false, &out, &err), REHA_E_NOT_FOUND);
    assert_int_equal(compare(f.early, f.foreign, false, &out, &err), REHA_E_CONFLICT);
    assert_non_null(strstr(err.text, "two patients"));
    assert_int_equal(compare(f.stray, f.late, false, &out, &err), REHA_E_CONFLICT);
    assert_int_equal(reha_clinic_compare(f.home.clinic, &nobody, f.early, f.late, &how, &out, &err),
                     REHA_E_SIGNED_OUT);
    assert_null(out);
    /* The wrong way round is a refusal, which is a result, and nothing is laid over anything. */
    assert_ok(compare(f.late, f.early, false, &out, &err), &err);
    assert_false(json_is_true(json_object_get(out, "comparable")));
    json_decref(out);
}

static void the_audit_log_knows_who_compared_what(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    const reha_actor admin = add_user(f.home.clinic, "ada", REHA_ROLE_ADMINISTRATOR);
    const reha_query query = {.action = "image.compare", .limit = 10};
    assert_ok(compare(f.early, f.late, false, &out, &err), &err);
    json_decref(out);
    assert_ok(reha_clinic_audit(f.home.clinic, &admin, &query, &out, &err), &err);
    const json_t *event = json_array_get(json_object_get(out, "items"), 0);
    assert_string_equal(reha_json_string(event, "entity_id", ""), f.late);
    assert_string_equal(reha_json_string(json_object_get(event, "detail"), "before", ""), f.early);
    json_decref(out);
}

static void a_decision_travels_with_the_measure(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    json_t *study = NULL;
    json_t *after = NULL;
    assert_ok(compare(f.early, f.late, false, &out, &err), &err);
    const json_t *visit = json_array_get(json_object_get(out, "visits"), 1);
    assert_ok(
        reha_clinic_study(f.home.clinic, &f.physio, reha_json_string(visit, "study_id", ""), &study, &err),
        &err);
    json_t *in = json_pack("{s:i, s:s, s:s, s:s}", "region", 0, "finding", "jsw-medial-min", "decision",
                           "reject", "reason", "seen otherwise");
    assert_ok(reha_clinic_review(f.home.clinic, &f.physio, reha_json_string(visit, "result_id", ""),
                                 version_of(study), in, &after, &err),
              &err);
    json_decref(out);
    assert_ok(compare(f.early, f.late, false, &out, &err), &err);
    const json_t *decisions = json_object_get(measure_of(out, "jsw-medial-min"), "decisions");
    assert_string_equal(reha_json_string(json_array_get(decisions, 1), "decision", ""), "reject");
    json_decref(in);
    json_decref(after);
    json_decref(study);
    json_decref(out);
}

/* What reaches the locked-in process is judged there, too. */
static void a_bad_request_to_lay_over_is_refused(void **state)
{
    (void)state;
    static const struct {
        int before_bytes, after_idx;
        reha_status status;
    } cases[] = {{4, 1, REHA_E_ARG},
                 {4, -1, REHA_E_ARG},
                 {99, 0, REHA_E_ARG},
                 {4, 0, REHA_E_FORMAT},
                 {0, 0, REHA_E_FORMAT}};
    reha_error err = REHA_ERROR_INIT;
    reha_sandbox *sandbox = NULL;
    const reha_sandbox_options how = {.program = "/proc/self/exe",
                                      .memory_bytes = (size_t)1 << 30,
                                      .cpu_s = TEST_PATIENCE_S,
                                      .wall_s = TEST_PATIENCE_S};
    assert_ok(reha_sandbox_new(&how, &sandbox, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reha_sandbox_answer answer = {.json = NULL};
        json_t *request = json_pack("{s:s, s:i, s:[{s:[{}]}, {s:[{}]}], s:[{s:i, s:i}]}", "op", "register",
                                    "before_bytes", cases[i].before_bytes, "analyses", "regions", "regions",
                                    "pairs", "before", 0, "after", cases[i].after_idx);
        assert_non_null(request);
        assert_int_equal(reha_sandbox_run(sandbox, request, "no image", 8, NULL, NULL, &answer, &err),
                         cases[i].status);
        reha_sandbox_answer_clear(&answer);
        json_decref(request);
    }
    reha_sandbox_free(sandbox);
}

/* ---- frames ---- */

/* A film whose frame i has the grey value 40 i everywhere, or a drawn muscle in every frame. */
static void add_sequence(bool is_muscle, char image_id[REHA_ID_BYTES], char study_id[REHA_ID_BYTES])
{
    reha_error err = REHA_ERROR_INIT;
    uint8_t *bytes = NULL;
    size_t count = 0;
    json_t *out = NULL;
    reha_gray *muscle = NULL;
    muscle_picture picture = muscle_picture_default();
    picture.tick_step_px = 0.0; /* no ruler: pixels only */
    reha_dicom_image image = reha_dicom_image_empty();
    image.width_px = is_muscle ? PICTURE_W : SIDE_PX;
    image.height_px = is_muscle ? PICTURE_H : SIDE_PX;
    const size_t size = (size_t)image.width_px * image.height_px;
    uint8_t *pixels = reha_alloc(size * FRAMES);
    assert_non_null(pixels);
    muscle = is_muscle ? muscle_picture_draw(&picture) : NULL;
    for (size_t i = 0; i < size * FRAMES; i++) {
        pixels[i] = muscle != NULL ? (uint8_t)fminf(fmaxf(muscle->pixels[i % size], 0.0F), 255.0F)
                                   : (uint8_t)(40 * (i / size) + i % 3);
    }
    image.bits_stored = 8;
    image.frame_count = FRAMES;
    image.pixels = pixels;
    (void)snprintf(image.facts.modality, sizeof image.facts.modality, is_muscle ? "US" : "XA");
    assert_ok(reha_dicom_write_image(&image, &bytes, &count, &err), &err);
    const reha_upload_options options = {.file_name = "film.dcm"};
    assert_ok(upload_bytes(f.home.clinic, &f.physio, &options, bytes, count, &out, &err), &err);
    (void)snprintf(image_id, REHA_ID_BYTES, "%s", item_text(out, 0, "image_id"));
    (void)snprintf(study_id, REHA_ID_BYTES, "%s", item_text(out, 0, "study_id"));
    json_decref(out);
    reha_free(bytes);
    reha_free(pixels);
    reha_gray_free(muscle);
}

static reha_status values_of(const char *image_id, const reha_view *view, reha_gray **out, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    *out = NULL;
    REHA_TRY(reha_clinic_image_view(f.home.clinic, &f.physio, image_id, view, &bytes, &count, NULL, err));
    values_head head;
    *out = read_values(bytes, count, &head);
    reha_free(bytes);
    return REHA_OK;
}

static void frames_come_one_by_one_and_as_a_strip(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char image_id[REHA_ID_BYTES];
    char study_id[REHA_ID_BYTES];
    reha_gray *one = NULL;
    reha_gray *strip = NULL;
    json_t *study = NULL;
    add_sequence(false, image_id, study_id);
    assert_ok(reha_clinic_study(f.home.clinic, &f.physio, study_id, &study, &err), &err);
    const json_t *image = json_array_get(json_object_get(study, "images"), 0);
    const json_t *display = json_object_get(image, "display");
    const double slope = reha_json_number(display, "slope", 0.0);
    const double intercept = reha_json_number(display, "intercept", 1e9);
    assert_int_equal(reha_json_number(image, "frame_count", 0), FRAMES);
    assert_int_equal(strlen(reha_json_string(json_object_get(image, "stack"), "key", "")), 12);
    /* Brighter than anything in the first frame, which made the scale: not cut off. */
    const reha_view last = {.frame_idx = FRAMES - 1, .modality_values = true};
    assert_ok(values_of(image_id, &last, &one, &err), &err);
    assert_true(fabs(slope * one->pixels[0] + intercept - 40.0 * (FRAMES - 1)) < 1.5);
    const reha_view middle = {.frame_idx = 1, .frames = 3, .modality_values = true};
    assert_ok(values_of(image_id, &middle, &strip, &err), &err);
    assert_int_equal(strip->width_px, SIDE_PX);
    assert_int_equal(strip->height_px, 3 * SIDE_PX);
    for (size_t i = 0; i < 3; i++) {
        const float grey = strip->pixels[i * SIDE_PX * SIDE_PX];
        assert_true(fabs(slope * grey + intercept - 40.0 * (double)(i + 1)) < 2.5);
    }
    reha_gray_free(one);
    reha_gray_free(strip);
    json_decref(study);
    /* What is not there is told, whichever way it is asked for. */
    const reha_view beyond = {.frame_idx = FRAMES, .modality_values = true};
    const reha_view across = {.frame_idx = FRAMES - 1, .frames = 2, .modality_values = true};
    const reha_view more = {.frame_idx = 0, .frames = 64, .modality_values = true};
    assert_int_equal(values_of(image_id, &beyond, &one, &err), REHA_E_NOT_FOUND);
    assert_int_equal(values_of(image_id, &across, &one, &err), REHA_E_NOT_FOUND);
    assert_int_equal(values_of(image_id, &more, &one, &err), REHA_E_NOT_FOUND);
}

static void every_frame_of_a_muscle_is_measured(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char image_id[REHA_ID_BYTES];
    char study_id[REHA_ID_BYTES];
    json_t *study = NULL;
    json_t *frames = NULL;
    uint8_t *text = NULL;
    size_t count = 0;
    add_sequence(true, image_id, study_id);
    assert_ok(reha_clinic_drain(f.home.clinic, &err), &err);
    assert_ok(reha_clinic_study(f.home.clinic, &f.physio, study_id, &study, &err), &err);
    const json_t *result = first_result(study);
    const char *result_id = reha_json_string(result, "id", "none");
    assert_ok(reha_clinic_result_frames(f.home.clinic, &f.physio, result_id, &text, &count, &err), &err);
    assert_ok(reha_json_parse((const char *)text, count, &frames, &err), &err);
    assert_int_equal(reha_json_number(frames, "frame_count", 0), FRAMES);
    assert_int_equal(json_array_size(json_object_get(frames, "frames")), FRAMES);
    assert_true(json_is_true(json_object_get(frames, "complete")));
    const json_t *measures = json_object_get(frames, "measures");
    for (size_t i = 0; i < json_array_size(measures); i++) { /* one drawing in every frame: one value */
        const json_t *values = json_object_get(json_array_get(measures, i), "value");
        assert_int_equal(json_array_size(values), FRAMES);
        assert_true(fabs(json_number_value(json_array_get(values, 0)) -
                         json_number_value(json_array_get(values, 4))) < 1e-4);
    }
    /* What was not measured asks for no decision and takes none. */
    const json_t *findings = json_object_get(
        json_array_get(json_object_get(json_object_get(result, "analysis"), "regions"), 0), "findings");
    int needed = 0;
    const char *unmeasured = NULL;
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const bool needs = reha_finding_needs_decision(json_array_get(findings, i));
        needed += needs ? 1 : 0;
        unmeasured = needs ? unmeasured : reha_json_string(json_array_get(findings, i), "key", NULL);
    }
    assert_true(needed > 0 && unmeasured != NULL); /* no scale: no millimetres */
    assert_int_equal(reha_json_number(study, "to_review", -1.0), needed);
    json_t *in = json_pack("{s:i, s:s, s:s}", "region", 0, "finding", unmeasured, "decision", "accept");
    json_t *reviewed = NULL;
    assert_int_equal(
        reha_clinic_review(f.home.clinic, &f.physio, result_id, version_of(study), in, &reviewed, &err),
        REHA_E_ARG);
    json_decref(in);
    reha_free(text);
    json_decref(frames);
    /* It is no picture, and a film of a knee has none. */
    assert_int_equal(
        reha_clinic_result_picture(f.home.clinic, &f.physio, result_id, "frames.json", &text, &count, &err),
        REHA_E_NOT_FOUND);
    json_decref(study);
    json_t *out = NULL;
    assert_ok(compare(f.early, f.late, false, &out, &err), &err);
    const char *knee = reha_json_string(json_array_get(json_object_get(out, "visits"), 0), "result_id", "");
    assert_int_equal(reha_clinic_result_frames(f.home.clinic, &f.physio, knee, &text, &count, &err),
                     REHA_E_NOT_FOUND);
    json_decref(out);
}

int main(int argc, char **argv)
{
    const int worker = clinic_worker(argc, argv);
    if (worker >= 0) {
        return worker;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_visits_are_judged_and_laid_over_each_other),
        cmocka_unit_test(grey_values_serve_where_landmarks_are_not_wanted),
        cmocka_unit_test(what_cannot_be_compared_is_told),
        cmocka_unit_test(the_audit_log_knows_who_compared_what),
        cmocka_unit_test(a_decision_travels_with_the_measure),
        cmocka_unit_test(a_bad_request_to_lay_over_is_refused),
        cmocka_unit_test(frames_come_one_by_one_and_as_a_strip),
        cmocka_unit_test(every_frame_of_a_muscle_is_measured),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
