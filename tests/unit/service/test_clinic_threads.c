/* One clinic, many threads: readers, writers, uploads and waiting ones at once; nothing is lost, and the
 * chain verifies. */
#include "clinic_support.h"

#include "base/threads.h"

enum { THREADS = 8, STEPS = 10 };

typedef struct crowd {
    reha_clinic *clinic;
    char patient_id[REHA_ID_BYTES];
} crowd;

static reha_status read_lists(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                              reha_error *err)
{
    json_t *out = NULL;
    const reha_query query = {.limit = 20};
    REHA_TRY(reha_clinic_studies(clinic, actor, &query, &out, err));
    json_decref(out);
    REHA_TRY(reha_clinic_patient(clinic, actor, patient_id, &out, err));
    json_decref(out);
    REHA_TRY(reha_clinic_events(clinic, actor, 1, 0, &out, err));
    json_decref(out);
    return REHA_OK;
}

static reha_status add_score(reha_clinic *clinic, const reha_actor *actor, const char *patient_id, int value,
                             reha_error *err)
{
    json_t *out = NULL;
    json_t *in = json_pack("{s:s, s:s, s:i, s:s}", "instrument", "other", "name", "Count", "value", value,
                           "date", "2026-01-31");
    const reha_status status = reha_clinic_score_add(clinic, actor, patient_id, in, &out, err);
    json_decref(in);
    json_decref(out);
    return status;
}

static reha_status upload_picture(reha_clinic *clinic, const reha_actor *actor, size_t thread, int step,
                                  reha_error *err)
{
    json_t *out = NULL;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    reha_gray *image = NULL;
    REHA_TRY(reha_gray_new(16, 16, &image, err));
    for (int i = 0; i < 256; i++) {
        image->pixels[i] = (float)((i * 7 + (int)thread * 31 + step * 3) % 256);
    }
    reha_status status = reha_image_encode_png(image, 8, &png, &png_bytes, err);
    const reha_upload_options options = {.file_name = "x.png"};
    if (status == REHA_OK) {
        status = upload_bytes(clinic, actor, &options, png, png_bytes, &out, err);
    }
    json_decref(out);
    reha_free(png);
    reha_gray_free(image);
    return status;
}

static reha_status one_user(void *context, size_t index, size_t thread_idx, reha_error *err)
{
    const crowd *all = context;
    const reha_actor actor = {
        .user_id = "u", .role = REHA_ROLE_PHYSIOTHERAPIST, .session_id = {(char)('a' + index)}};
    (void)thread_idx;
    for (int step = 0; step < STEPS; step++) {
        REHA_TRY(read_lists(all->clinic, &actor, all->patient_id, err));
        REHA_TRY(add_score(all->clinic, &actor, all->patient_id, step, err));
        if (step % 5 == 0) {
            REHA_TRY(upload_picture(all->clinic, &actor, index, step, err));
        }
    }
    return REHA_OK;
}

static void test_a_crowd(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    crowd all;
    json_t *out = NULL;
    json_t *in = json_object();
    open_home(&home, false);
    all.clinic = home.clinic;
    const reha_actor local = reha_actor_local();
    assert_ok(reha_clinic_patient_add(home.clinic, &local, in, &out, &err), &err);
    (void)snprintf(all.patient_id, sizeof all.patient_id, "%s", reha_json_string(out, "id", ""));
    json_decref(out);
    json_decref(in);
    assert_ok(reha_parallel_for(THREADS, THREADS, one_user, &all, &err), &err);
    assert_ok(reha_clinic_series(home.clinic, &local, all.patient_id, &out, &err), &err);
    assert_int_equal(json_array_size(json_object_get(out, "scores")), THREADS * STEPS);
    json_decref(out);
    const reha_query query = {.limit = 1};
    assert_ok(reha_clinic_studies(home.clinic, &local, &query, &out, &err), &err);
    assert_true(reha_json_number(out, "total", 0.0) >=
                2.0); /* some of the drawn pictures are alike: duplicates */
    json_decref(out);
    assert_ok(reha_clinic_audit_verify(home.clinic, &local, true, &out, &err), &err);
    assert_true(json_is_true(json_object_get(out, "ok")));
    json_decref(out);
    close_home(&home);
}

int main(int argc, char **argv)
{
    const int code = clinic_worker(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_crowd)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
