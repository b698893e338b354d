/* Studies as objects for an archive. What is written is judged by others: dciodvfy (is it a correct object?)
 * and dsrdump (what does it say?, against tests/golden/export; REHA_GOLDEN=write writes it anew), and by our
 * own reader.
 */
#include "export_cases.h"

#include "base/file.h"
#include "base/memory.h"
#include "dicom/dataset_priv.h"
#include "dicom/derived.h"
#include "image/draw.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_BYTES = 64 << 20 };

/* All objects of a study with a drawn figure of its results. */
static void export_study(const json_t *study, const reha_dicom_origin *origin, reha_export *out)
{
    reha_error err = REHA_ERROR_INIT;
    char as_of[REHA_AS_OF_BYTES];
    reha_canvas *canvas = NULL;
    uint8_t *png = NULL;
    size_t count = 0;
    const reha_export_source source = {
        .study = study, .origins = origin, .clinic_name = "Praxis M\xC3\xBCnchen"};
    const json_t *image = json_array_get(json_object_get(study, "images"), 0);
    *out = (reha_export){.files = NULL};
    reha_export_as_of(study, as_of);
    assert_ok(reha_export_results(&source, as_of, "results.dcm", out, &err), &err);
    assert_ok(reha_export_report(&source, as_of, (const uint8_t *)"%PDF-1.5", 8, out, &err), &err);
    assert_ok(reha_canvas_new_picture(80, 50, reha_rgb(0x3366cc), &canvas, &err), &err);
    assert_ok(reha_canvas_encode(canvas, &png, &count, &err), &err);
    if (json_array_size(json_object_get(image, "results")) > 0) {
        assert_ok(reha_export_picture(&source, as_of, 0, 0, png, count, out, &err), &err);
    }
    reha_free(png);
    reha_canvas_free(canvas);
}

static char *output_of(const char *command)
{
    char *text = calloc(1, LIMIT_BYTES / 16);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_true(fread(text, 1, LIMIT_BYTES / 16 - 1, pipe) > 0);
    (void)pclose(pipe);
    return text;
}

/* The content tree as DCMTK reads it, without what a new version of the program may change. */
static void compare(const char *name, const char *folder)
{
    reha_error err = REHA_ERROR_INIT;
    char command[COMMAND_BYTES];
    char path[COMMAND_BYTES];
    uint8_t *expected = NULL;
    size_t count = 0;
    if (!has_tool("dsrdump")) {
        return;
    }
    (void)snprintf(command, sizeof command,
                   "dsrdump +Pl +Pc +Pt '%s/results.dcm' 2>&1 | grep -v -e 'VR checker' -e 'Device Observer'",
                   folder);
    char *said = output_of(command);
    (void)snprintf(path, sizeof path, GOLDEN "%s.txt", name);
    if (getenv("REHA_GOLDEN") != NULL) {
        assert_ok(reha_file_save(path, said, strlen(said), &err), &err);
    }
    assert_ok(reha_file_load(path, LIMIT_BYTES, &expected, &count, &err), &err);
    if (strcmp((char *)expected, said) != 0) {
        fail_msg("%s differs from %s:\n%s", name, path, said);
    }
    reha_free(expected);
    free(said);
}

static void test_golden(void **state)
{
    (void)state;
    static const char *const names[] = {"knee",   "knee-signed", "knee-no-scale",
                                        "muscle", "refused",     "no-result"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_export files;
        reha_dicom_origin origin = example_origin();
        char folder[] = "/tmp/reha-export-XXXXXX";
        json_t *study = load_study(names[i]);
        if (strcmp(names[i], "muscle") == 0) {
            (void)snprintf(origin.modality, sizeof origin.modality, "US");
            (void)snprintf(origin.ids.sop_class_uid, sizeof origin.ids.sop_class_uid,
                           "1.2.840.10008.5.1.4.1.1.3.1");
            origin.frame_count = 7;
        }
        export_study(study, &origin, &files);
        assert_non_null(mkdtemp(folder));
        assert_ok(reha_export_save(&files, folder, &err), &err);
        judge_folder(&files, folder);
        compare(names[i], folder);
        assert_int_equal(reha_export_save(&files, folder, &err), REHA_E_CONFLICT);
        remove_folder(folder);
        reha_export_clear(&files);
        json_decref(study);
    }
}

/* What must be true of the dumps whatever else they say. */
static char *golden_text(const char *name)
{
    reha_error err = REHA_ERROR_INIT;
    char path[COMMAND_BYTES];
    uint8_t *text = NULL;
    size_t count = 0;
    (void)snprintf(path, sizeof path, GOLDEN "%s.txt", name);
    assert_ok(reha_file_load(path, LIMIT_BYTES, &text, &count, &err), &err);
    return (char *)text;
}

static bool says(const char *text, const char *words)
{
    return strstr(text, words) != NULL;
}

static void test_what_the_dumps_say(void **state)
{
    (void)state;
    char *knee = golden_text("knee");
    char *no_scale = golden_text("knee-no-scale");
    char *as_signed = golden_text("knee-signed");
    char *muscle = golden_text("muscle");
    assert_true(says(knee, "UNVERIFIED") && says(knee, "Not reviewed") && !says(knee, "Person"));
    assert_true(
        says(knee, "(jsw-medial-min,99REHA,\"Minimum joint space width, medial\")=\"3.46\" (mm,UCUM"));
    assert_true(says(knee, "(239873007,SCT,\"Osteoarthritis of knee\")") &&
                says(knee, "(24028007,SCT,\"Right\")"));
    assert_false(says(no_scale, "(mm,UCUM")); /* no millimetre without a scale */
    assert_true(says(no_scale, "(1,UCUM") && says(no_scale, "({pixels},UCUM"));
    assert_true(says(as_signed, "Verification Flag   : VERIFIED") &&
                says(as_signed, "J\xC3\xB6rg M\xC3\xBCller"));
    assert_true(says(as_signed, "=(kl-grade-3,99REHA,\"Kellgren-Lawrence grade 3\")"));
    assert_true(says(as_signed, "Software's value\")=(kl-grade-2,99REHA"));
    assert_true(says(as_signed, "=\"3.1\" (mm,UCUM") &&
                says(as_signed, "Software's value\")=\"3.46\" (mm,UCUM"));
    assert_true(
        says(as_signed, "CODE:(plateau-width,99REHA,\"Width of the tibial plateau\")=(rejected,99REHA"));
    assert_true(
        says(as_signed, "CODE:(jsw-lateral-min,99REHA,\"Minimum joint space width, lateral\")=(114006,DCM"));
    assert_true(says(as_signed, "(rejected,99REHA,\"Rejected\")") &&
                says(as_signed, "set aside by J\xC3\xB6rg"));
    assert_true(says(muscle, "=\"18.25\" (deg,UCUM") && says(muscle, "Skeletal muscle"));
    reha_free(knee);
    reha_free(no_scale);
    reha_free(as_signed);
    reha_free(muscle);
}

static void instance_of(const reha_export_file *file, uint32_t tag, char out[65])
{
    reha_error err = REHA_ERROR_INIT;
    reha_dcm_dataset set;
    assert_ok(reha_dcm_parse(file->bytes, file->count, &set, &err), &err);
    assert_true(reha_dcm_text(&set, reha_dcm_find(&set, reha_dcm_root(&set), tag), 0, out, 65));
    reha_dcm_clear(&set);
}

static void test_same_record_same_objects(void **state)
{
    (void)state;
    const reha_dicom_origin origin = example_origin();
    reha_export first, again, decided;
    char one[65], two[65];
    json_t *study = load_study("knee-signed");
    export_study(study, &origin, &first);
    export_study(study, &origin, &again);
    assert_int_equal(first.count, 3);
    for (size_t i = 0; i < first.count; i++) {
        assert_int_equal(first.files[i].count, again.files[i].count);
        assert_memory_equal(first.files[i].bytes, again.files[i].bytes, first.files[i].count);
    }
    /* Before it was signed: other instances, and a series of their own. */
    json_object_set_new(study, "signature", json_null());
    export_study(study, &origin, &decided);
    for (size_t i = 0; i < first.count; i++) {
        instance_of(&first.files[i], TAG_SOP_INSTANCE_UID, one);
        instance_of(&decided.files[i], TAG_SOP_INSTANCE_UID, two);
        assert_string_not_equal(one, two);
        instance_of(&first.files[i], TAG_SERIES_INSTANCE_UID, one);
        instance_of(&decided.files[i], TAG_SERIES_INSTANCE_UID, two);
        assert_string_not_equal(one, two);
        instance_of(&first.files[i], TAG_STUDY_INSTANCE_UID, one);
        assert_string_equal(one, "1.2.3");
    }
    reha_export_clear(&first);
    reha_export_clear(&again);
    reha_export_clear(&decided);
    json_decref(study);
}

static void test_identity(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const reha_dicom_origin origin = example_origin();
    reha_export files;
    reha_dicom *dicom = NULL;
    reha_dicom_origin back, wired;
    json_t *study = load_study("knee-signed");
    export_study(study, &origin, &files);
    /* The picture is an image: our own reader gives the same patient and study again. */
    assert_string_equal(files.files[2].name, "picture-1-1.dcm");
    assert_ok(reha_dicom_open(files.files[2].bytes, files.files[2].count, NULL, &dicom, &err), &err);
    assert_ok(reha_dicom_origin_of(dicom, &back, &err), &err);
    assert_string_equal(back.patient_name, origin.patient_name);
    assert_string_equal(back.patient_id, origin.patient_id);
    assert_string_equal(back.patient_id_issuer, origin.patient_id_issuer);
    assert_string_equal(back.patient_birth_date, origin.patient_birth_date);
    assert_string_equal(back.patient_sex, "M");
    assert_string_equal(back.accession_number, origin.accession_number);
    assert_string_equal(back.study_description, origin.study_description);
    assert_string_equal(back.study_time, origin.study_time);
    assert_string_equal(back.ids.study_instance_uid, origin.ids.study_instance_uid);
    assert_true(back.width_px >= 640 && back.height_px > 50);
    reha_dicom_close(dicom);
    /* Through the wire of the sandbox, and what it must not let through. */
    json_t *json = reha_origin_to_json(&back);
    assert_ok(reha_origin_from_json(json, &wired, &err), &err);
    assert_memory_equal(wired.patient_name, back.patient_name, strlen(back.patient_name) + 1);
    assert_string_equal(wired.ids.sop_class_uid, back.ids.sop_class_uid);
    static const double counts[] = {0.0, -1.0, 4294967296.0, 4294967936.0, 1e300};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        json_object_set_new(json, "width_px", json_real(counts[i]));
        assert_int_equal(reha_origin_from_json(json, &wired, &err), REHA_E_FORMAT);
        assert_int_equal(wired.width_px, 0);
    }
    json_object_set_new(json, "width_px", json_integer(640));
    assert_ok(reha_origin_from_json(json, &wired, &err), &err);
    json_object_set_new(json, "study_instance_uid", json_string("1.2/3"));
    assert_int_equal(reha_origin_from_json(json, &wired, &err), REHA_E_FORMAT);
    json_decref(json);
    reha_export_clear(&files);
    json_decref(study);
}

static void test_zip(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_export files = {.files = NULL};
    uint8_t *one = NULL, *two = NULL;
    size_t one_bytes = 0, two_bytes = 0;
    for (int i = 0; i < 2; i++) {
        char name[REHA_EXPORT_NAME_BYTES];
        uint8_t *bytes = reha_alloc(5);
        memcpy(bytes, "hello", 5);
        (void)snprintf(name, sizeof name, "file-%d.dcm", i);
        assert_ok(reha_export_add(&files, name, bytes, 5, &err), &err);
    }
    assert_ok(reha_export_zip(&files, &one, &one_bytes, &err), &err);
    assert_ok(reha_export_zip(&files, &two, &two_bytes, &err), &err);
    assert_int_equal(one_bytes, two_bytes);
    assert_memory_equal(one, two, one_bytes);
    assert_memory_equal(one, "PK\3\4", 4);
    reha_free(one);
    reha_free(two);
    reha_export_clear(&files);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The last file finds no room (the system's limit on the size of a file stands for the disk's end): none of
 * them is left, nor the folder, unless it was there before. */
static void test_all_files_or_none(void **state)
{
    (void)state;
    enum { LARGE = 1 << 16 };
    reha_error err = REHA_ERROR_INIT;
    reha_export files = {.files = NULL};
    char home[] = "/tmp/reha-export-XXXXXX";
    char folder[COMMAND_BYTES];
    char path[COMMAND_BYTES];
    static const size_t counts[] = {5, LARGE};
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "file-%d.dcm", i);
        assert_ok(reha_export_add(&files, path, reha_alloc_zero(1, counts[i]), counts[i], &err), &err);
    }
    assert_non_null(mkdtemp(home));
    (void)snprintf(folder, sizeof folder, "%s/out", home);
    (void)snprintf(path, sizeof path, "%s/file-0.dcm", home);
    (void)signal(SIGXFSZ, SIG_IGN); /* as the program does */
    limit_files(LARGE / 2);
    assert_int_equal(reha_export_save(&files, folder, &err), REHA_E_IO);
    assert_int_equal(reha_export_save(&files, home, &err), REHA_E_IO);
    limit_files(RLIM_INFINITY);
    assert_false(reha_path_is_folder(folder));
    assert_true(reha_path_is_folder(home));
    assert_false(reha_path_is_file(path));
    assert_ok(reha_export_save(&files, folder, &err), &err); /* nothing is in its way */
    remove_folder(home);
    reha_export_clear(&files);
}

/* Out of memory anywhere: a status, no leak (the sanitizer's build tells), no half export. */
static void test_memory(void **state)
{
    (void)state;
    const reha_dicom_origin origin = example_origin();
    json_t *study = load_study("knee-signed");
    const reha_export_source source = {.study = study, .origins = &origin};
    reha_status status = REHA_E_NOMEM;
    for (long n = 0; status != REHA_OK && n < 1000; n++) {
        reha_error err = REHA_ERROR_INIT;
        reha_export files = {.files = NULL};
        reha_mem_fail_after(n);
        status = reha_export_results(&source, "2026-01-31T12:34:56.789Z", "results.dcm", &files, &err);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_int_equal(files.count, status == REHA_OK ? 1 : 0);
        reha_export_clear(&files);
    }
    assert_int_equal(status, REHA_OK);
    json_decref(study);
}

int main(void)
{
    (void)setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden),
                                       cmocka_unit_test(test_what_the_dumps_say),
                                       cmocka_unit_test(test_same_record_same_objects),
                                       cmocka_unit_test(test_identity),
                                       cmocka_unit_test(test_zip),
                                       cmocka_unit_test(test_all_files_or_none),
                                       cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
