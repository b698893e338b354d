/* The whole path of one image: upload, sandboxed analysis, review, signature, report. */
#include "clinic_support.h"
#include "values.h"

#include "image/load.h"

static void expect_verified(reha_clinic *clinic)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *report = NULL;
    const reha_actor local = reha_actor_local();
    assert_ok(reha_clinic_audit_verify(clinic, &local, true, &report, &err), &err);
    if (!json_is_true(json_object_get(report, "ok"))) {
        fail_msg("%s", reha_json_string(report, "fault", "?"));
    }
    json_decref(report);
}

static json_t *decide(reha_clinic *clinic, const reha_actor *actor, json_t *study, size_t region,
                      const char *key, const char *decision)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    const json_t *result = first_result(study);
    const bool is_amend = strcmp(decision, "amend") == 0;
    json_t *in = json_pack("{s:i, s:s, s:s, s:o, s:s?}", "region", (int)region, "finding", key, "decision",
                           decision, "value", is_amend ? json_integer(2) : json_null(), "reason",
                           strcmp(decision, "accept") == 0 ? NULL : "seen otherwise");
    assert_ok(reha_clinic_review(clinic, actor, reha_json_string(result, "id", ""), version_of(study), in,
                                 &out, &err),
              &err);
    json_decref(in);
    json_decref(study);
    return out;
}

static json_t *decide_all(reha_clinic *clinic, const reha_actor *actor, json_t *study)
{
    json_t *keys = json_array();
    const json_t *result = first_result(study);
    const json_t *regions = json_object_get(json_object_get(result, "analysis"), "regions");
    for (size_t r = 0; r < json_array_size(regions); r++) {
        const json_t *findings = json_object_get(json_array_get(regions, r), "findings");
        for (size_t f = 0; f < json_array_size(findings); f++) {
            json_array_append_new(keys, json_pack("{s:i, s:s}", "r", (int)r, "k",
                                                  reha_json_string(json_array_get(findings, f), "key", "")));
        }
    }
    assert_true(json_array_size(keys) >= 3);
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *one = json_array_get(keys, i);
        const char *key = reha_json_string(one, "k", "");
        study = decide(clinic, actor, study, (size_t)reha_json_number(one, "r", 0.0), key,
                       strcmp(key, "kl-grade") == 0 ? "amend" : "accept");
    }
    json_decref(keys);
    return study;
}

static bool contains(const uint8_t *bytes, size_t count, const char *text)
{
    const size_t length = strlen(text);
    for (size_t i = 0; i + length <= count; i++) {
        if (memcmp(bytes + i, text, length) == 0) {
            return true;
        }
    }
    return false;
}

static void expect_reports(reha_clinic *clinic, const reha_actor *actor, const char *study_id, bool is_signed)
{
    for (int format = REHA_REPORT_HTML; format <= REHA_REPORT_JSON; format++) {
        reha_error err = REHA_ERROR_INIT;
        uint8_t *bytes = NULL;
        size_t count = 0;
        assert_ok(
            reha_clinic_report(clinic, actor, study_id, (reha_report_format)format, &bytes, &count, &err),
            &err);
        if (format == REHA_REPORT_PDF) {
            assert_memory_equal(bytes, "%PDF", 4);
        } else {
            assert_int_equal(contains(bytes, count, "Not reviewed"), !is_signed);
            assert_int_equal(contains(bytes, count, "Signed by"), is_signed);
            assert_true(!is_signed || contains(bytes, count, "amend"));
        }
        reha_free(bytes);
    }
}

static void test_from_upload_to_signature(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    json_t *out = NULL;
    open_home(&home, true);
    const reha_actor clinician = add_user(home.clinic, "clinician", REHA_ROLE_PHYSIOTHERAPIST);
    json_t *patient = NULL;
    json_t *in = json_pack("{s:s}", "name", "ZZSECRET Person");
    assert_ok(reha_clinic_patient_add(home.clinic, &clinician, in, &patient, &err), &err);
    json_decref(in);
    knee_png(1, &png, &png_bytes);
    const reha_upload_options options = {.idempotency_key = "k1",
                                         .file_name = "knee_right.png",
                                         .patient_id = reha_json_string(patient, "id", ""),
                                         .image_date = "2026-01-31",
                                         .mm_per_px = 0.45};
    assert_ok(upload_bytes(home.clinic, &clinician, &options, png, png_bytes, &out, &err), &err);
    assert_string_equal(item_text(out, 0, "outcome"), "stored");
    char study_id[REHA_ID_BYTES];
    char image_id[REHA_ID_BYTES];
    (void)snprintf(study_id, sizeof study_id, "%s", item_text(out, 0, "study_id"));
    (void)snprintf(image_id, sizeof image_id, "%s", item_text(out, 0, "image_id"));
    json_decref(out);

    /* The same request again is the same answer; the same file without a key is a duplicate. */
    assert_ok(upload_bytes(home.clinic, &clinician, &options, png, png_bytes, &out, &err), &err);
    assert_string_equal(item_text(out, 0, "outcome"), "stored");
    assert_string_equal(item_text(out, 0, "image_id"), image_id);
    json_decref(out);
    assert_int_equal(upload_bytes(home.clinic, &clinician, &options, png, png_bytes - 1, &out, &err),
                     REHA_E_CONFLICT);
    const reha_upload_options plain = {.file_name = "again.png"};
    assert_ok(upload_bytes(home.clinic, &clinician, &plain, png, png_bytes, &out, &err), &err);
    assert_string_equal(item_text(out, 0, "outcome"), "duplicate");
    json_decref(out);

    assert_ok(reha_clinic_drain(home.clinic, &err), &err);
    json_t *study = NULL;
    assert_ok(reha_clinic_study(home.clinic, &clinician, study_id, &study, &err), &err);
    const json_t *image = json_array_get(json_object_get(study, "images"), 0);
    const json_t *result = first_result(study);
    if (!json_is_object(result)) {
        fail_msg("no result: %s", reha_json_string(json_object_get(image, "job"), "text", "?"));
    }
    assert_string_equal(reha_json_string(study, "status", ""), "to-review");
    assert_true(json_is_true(json_object_get(result, "accepted")));
    assert_string_equal(reha_json_string(result, "input_digest", ""), reha_json_string(image, "digest", "-"));
    assert_int_equal(strlen(reha_json_string(result, "model_hash", "")), 64);
    assert_true(json_is_true(json_object_get(image, "wrapped")));

    /* Pictures of the result. */
    const json_t *pictures = json_object_get(result, "pictures");
    assert_true(json_array_size(pictures) >= 2);
    for (size_t i = 0; i < json_array_size(pictures); i++) {
        uint8_t *bytes = NULL;
        size_t count = 0;
        assert_ok(reha_clinic_result_picture(home.clinic, &clinician, reha_json_string(result, "id", ""),
                                             json_string_value(json_array_get(pictures, i)), &bytes, &count,
                                             &err),
                  &err);
        assert_string_equal(reha_image_detect(bytes, count), "png");
        reha_free(bytes);
    }

    expect_reports(home.clinic, &clinician, study_id, false);
    in = json_object();
    assert_int_equal(reha_clinic_sign(home.clinic, &clinician, study_id, version_of(study), in, &out, &err),
                     REHA_E_CONFLICT);
    assert_non_null(strstr(err.text, "no decision"));
    const int64_t old_version = version_of(study);
    study = decide_all(home.clinic, &clinician, study);
    assert_int_equal(reha_clinic_sign(home.clinic, &clinician, study_id, old_version, in, &out, &err),
                     REHA_E_STALE);
    assert_ok(reha_clinic_sign(home.clinic, &clinician, study_id, version_of(study), in, &out, &err), &err);
    assert_string_equal(reha_json_string(out, "status", ""), "signed");
    assert_string_equal(reha_json_string(json_object_get(out, "signature"), "user_id", ""),
                        clinician.user_id);
    expect_reports(home.clinic, &clinician, study_id, true);

    /* Signed is signed, until it is reopened with a reason; the signature stays on record. */
    json_t *job = NULL;
    assert_int_equal(reha_clinic_analyse(home.clinic, &clinician, image_id, in, NULL, &job, &err),
                     REHA_E_CONFLICT);
    json_t *reason = json_pack("{s:s}", "reason", "second look");
    json_t *reopened = NULL;
    assert_ok(reha_clinic_reopen(home.clinic, &clinician, study_id, version_of(out), reason, &reopened, &err),
              &err);
    assert_string_equal(reha_json_string(reopened, "status", ""), "to-review");
    assert_true(json_is_null(json_object_get(reopened, "signature")));
    assert_int_equal(json_array_size(json_object_get(reopened, "signatures")), 1);
    expect_reports(home.clinic, &clinician, study_id, false);

    /* The series holds the human's value beside the software's. */
    json_t *series = NULL;
    bool has_amended = false;
    assert_ok(reha_clinic_series(home.clinic, &clinician, reha_json_string(patient, "id", ""), &series, &err),
              &err);
    const json_t *measurements = json_object_get(series, "measurements");
    for (size_t i = 0; i < json_array_size(measurements); i++) {
        const json_t *one = json_array_get(measurements, i);
        assert_string_equal(reha_json_string(one, "date", ""), "2026-01-31");
        if (strcmp(reha_json_string(one, "key", ""), "kl-grade") == 0) {
            has_amended = strcmp(reha_json_string(one, "origin", ""), "human") == 0 &&
                          reha_json_number(one, "value", -1.0) == 2.0;
        }
    }
    assert_true(has_amended);
    expect_verified(home.clinic);
    json_decref(series);
    json_decref(reopened);
    json_decref(reason);
    json_decref(in);
    json_decref(out);
    json_decref(study);
    json_decref(patient);
    reha_free(png);
    close_home(&home);
}

static void test_views(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    json_t *out = NULL;
    json_t *study = NULL;
    char etag[REHA_TOKEN_BYTES + 2];
    char other[REHA_TOKEN_BYTES + 2];
    open_home(&home, false);
    const reha_actor clinician = add_user(home.clinic, "clinician", REHA_ROLE_PHYSIOTHERAPIST);
    knee_png(2, &png, &png_bytes);
    const reha_upload_options options = {.file_name = "knee.png"};
    assert_ok(upload_bytes(home.clinic, &clinician, &options, png, png_bytes, &out, &err), &err);
    assert_ok(reha_clinic_study(home.clinic, &clinician, item_text(out, 0, "study_id"), &study, &err), &err);
    assert_string_equal(reha_json_string(study, "status", ""), "waiting");
    const char *image_id = item_text(out, 0, "image_id");

    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_gray *before = NULL;
    reha_gray *after = NULL;
    reha_view view = {.modality_values = true};
    assert_ok(reha_clinic_image_view(home.clinic, &clinician, image_id, &view, &bytes, &count, etag, &err),
              &err);
    assert_ok(reha_image_decode(png, png_bytes, NULL, &before, NULL, &err), &err);
    values_head head;
    after = read_values(bytes, count, &head);
    const json_t *display = json_object_get(json_array_get(json_object_get(study, "images"), 0), "display");
    const double slope = reha_json_number(display, "slope", 0.0);
    const double intercept = reha_json_number(display, "intercept", -1.0);
    assert_int_equal(after->width_px, before->width_px);
    for (size_t i = 0; i < (size_t)before->width_px * before->height_px;
         i++) { /* wrapped and shown without a loss */
        assert_float_equal(slope * (double)after->pixels[i] + intercept, before->pixels[i], 0.0);
    }
    reha_free(bytes);
    view = (reha_view){.window_center = 100.0, .window_width = 50.0, .side_max_px = 64};
    assert_ok(reha_clinic_image_view(home.clinic, &clinician, image_id, &view, &bytes, &count, other, &err),
              &err);
    assert_string_not_equal(etag, other);
    reha_gray_free(after);
    assert_ok(reha_image_decode(bytes, count, NULL, &after, NULL, &err), &err);
    assert_int_equal(after->width_px > after->height_px ? after->width_px : after->height_px, 64);
    reha_free(bytes);
    view = (reha_view){.frame_idx = 7};
    assert_int_equal(
        reha_clinic_image_view(home.clinic, &clinician, image_id, &view, &bytes, &count, NULL, &err),
        REHA_E_NOT_FOUND);
    assert_null(bytes);
    assert_ok(reha_clinic_image_dicom(home.clinic, &clinician, image_id, &bytes, &count, &err), &err);
    assert_memory_equal(bytes + 128, "DICM", 4);
    reha_free(bytes);
    reha_gray_free(before);
    reha_gray_free(after);
    reha_free(png);
    json_decref(out);
    json_decref(study);
    close_home(&home);
}

static void test_what_is_no_image_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "hello, a letter", "%PDF-1.7 ...", "PK\3\4 broken archive"};
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *out = NULL;
    open_home(&home, false);
    const reha_actor clinician = add_user(home.clinic, "clinician", REHA_ROLE_PHYSIOTHERAPIST);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const reha_upload_options options = {.file_name = "x.dcm", .idempotency_key = bad[i]};
        const reha_status status =
            upload_bytes(home.clinic, &clinician, &options, bad[i], strlen(bad[i]), &out, &err);
        assert_true(reha_status_is_input_fault(status));
        assert_null(out);
    }
    reha_query all = {.limit = 10};
    assert_ok(reha_clinic_studies(home.clinic, &clinician, &all, &out, &err), &err);
    assert_int_equal(reha_json_number(out, "total", -1.0), 0);
    json_decref(out);
    expect_verified(home.clinic);
    close_home(&home);
}

int main(int argc, char **argv)
{
    const int code = clinic_worker(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_from_upload_to_signature),
                                       cmocka_unit_test(test_views),
                                       cmocka_unit_test(test_what_is_no_image_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
