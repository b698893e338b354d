/* kill -9 at random instants of upload, analysis, review and signature, many times over one home: whatever was acknowledged is
 * there afterwards, nothing is half there, the chain verifies. */
#include "clinic_support.h"

#include "base/clock.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 12, MAKING_ROUNDS = 16, PROMISES_MAX = 5, KILL_AFTER_MS_MAX = 40, IMAGES_MAX = 4000, LINE_BYTES = 96, SLOW_S = 120 };

/* REHA_CRASH_ROUNDS=300 for a long test. */
static uint64_t rounds(void)
{
    const char *asked = getenv("REHA_CRASH_ROUNDS");
    const long count = asked != NULL ? strtol(asked, NULL, 10) : 0;
    return count > 0 ? (uint64_t)count : ROUNDS;
}

/* What the child was told is done; written after each acknowledgement, so a line is a promise. */
static void promise(int fd, const char *kind, const char *id)
{
    char line[LINE_BYTES];
    const int length = snprintf(line, sizeof line, "%s %s\n", kind, id);
    if (write(fd, line, (size_t)length) != length) {
        _exit(3);
    }
}

static void upload_one(reha_clinic *clinic, const reha_actor *actor, uint64_t seed, int fd)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    reha_gray *image = NULL;
    /* Small random pictures: decoding is not what this is about. */
    if (reha_gray_new(48, 48, &image, &err) != REHA_OK) {
        _exit(4);
    }
    uint64_t value = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    for (int i = 0; i < 48 * 48; i++) {
        value = value * 6364136223846793005ULL + 1442695040888963407ULL;
        image->pixels[i] = (float)(value >> 56);
    }
    if (reha_image_encode_png(image, 8, &png, &png_bytes, &err) != REHA_OK) {
        _exit(4);
    }
    const reha_upload_options options = {.file_name = "x.png"};
    if (upload_bytes(clinic, actor, &options, png, png_bytes, &out, &err) == REHA_OK) {
        promise(fd, "image", item_text(out, 0, "image_id"));
    }
    json_decref(out);
    reha_free(png);
    reha_gray_free(image);
}

static void plan_one(reha_clinic *clinic, const reha_actor *actor, const char *patient_id, int fd)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    json_t *in = json_pack("{s:{s:s}}", "content", "exercise", "squats");
    if (reha_clinic_plan_save(clinic, actor, patient_id, NULL, REHA_ANY_VERSION, in, &out, &err) == REHA_OK) {
        promise(fd, "plan", reha_json_string(out, "id", ""));
    }
    json_decref(in);
    json_decref(out);
}

/* Reviews whatever has a result and signs it when that is possible. */
static void review_one(reha_clinic *clinic, const reha_actor *actor, int fd)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *list = NULL;
    json_t *out = NULL;
    json_t *in = json_object();
    const reha_query query = {.status = "to-review", .limit = 1};
    if (reha_clinic_studies(clinic, actor, &query, &list, &err) == REHA_OK &&
        json_array_size(json_object_get(list, "items")) == 1) {
        const json_t *study = json_array_get(json_object_get(list, "items"), 0);
        const char *id = reha_json_string(study, "id", "");
        if (reha_clinic_sign(clinic, actor, id, version_of(study), in, &out, &err) == REHA_OK) {
            promise(fd, "signed", id);
        }
    }
    json_decref(in);
    json_decref(out);
    json_decref(list);
}

static void work_until_killed(const char *home, const reha_actor *actor, const char *patient_id, uint64_t seed, uint64_t images,
                              int fd)
{
    reha_clinic *clinic = NULL;
    const reha_clinic_options options = {.home = home, .models_folder = REHA_SOURCE_DIR "/models", .with_workers = true};
    if (reha_clinic_open(&options, &clinic, NULL) != REHA_OK) {
        _exit(5);
    }
    for (uint64_t i = 0;; i++) {
        if (i < images) {
            upload_one(clinic, actor, seed * IMAGES_MAX + i, fd);
            plan_one(clinic, actor, patient_id, fd);
        } else {
            (void)usleep(20000);
        }
        review_one(clinic, actor, fd);
    }
}

static void check_promises(reha_clinic *clinic, const reha_actor *actor, const char *path, const char *patient_id, int counts[3])
{
    reha_error err = REHA_ERROR_INIT;
    char kind[16];
    char id[40];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    counts[0] = counts[1] = counts[2] = 0;
    while (fscanf(file, "%15s %39s", kind, id) == 2) {
        json_t *out = NULL;
        if (strcmp(kind, "image") == 0) {
            uint8_t *bytes = NULL;
            size_t count = 0;
            assert_ok(reha_clinic_image_dicom(clinic, actor, id, &bytes, &count, &err), &err);
            reha_free(bytes);
            counts[0]++;
        } else if (strcmp(kind, "plan") == 0) {
            assert_ok(reha_clinic_plan(clinic, actor, id, 1, &out, &err), &err);
            assert_string_equal(reha_json_string(out, "patient_id", ""), patient_id);
            counts[1]++;
        } else {
            assert_ok(reha_clinic_study(clinic, actor, id, &out, &err), &err);
            assert_string_equal(reha_json_string(out, "status", ""), "signed");
            assert_true(json_is_object(json_object_get(out, "signature")));
            counts[2]++;
        }
        json_decref(out);
    }
    assert_int_equal(fclose(file), 0);
}

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* Until `wanted` more lines were promised (of this kind, if one is named), on however slow a machine. */
static void wait_for_promises(const char *path, const char *kind, int wanted)
{
    static long read_until; /* lines of former rounds */
    const time_t begin = time(NULL);
    int seen = -1;
    while (seen < wanted && time(NULL) - begin < SLOW_S) {
        char line[LINE_BYTES];
        FILE *file = fopen(path, "r");
        pause_ms(3);
        seen = 0;
        if (file != NULL) {
            (void)fseek(file, kind == NULL ? read_until : 0, SEEK_SET);
            while (fgets(line, sizeof line, file) != NULL) {
                seen += kind == NULL || strncmp(line, kind, strlen(kind)) == 0 ? 1 : 0;
            }
            if (seen >= wanted) {
                read_until = ftell(file);
            }
            (void)fclose(file);
        }
    }
}

/* Every study holds an image, every image a job; a result is whole or absent. */
static void check_no_halves(reha_clinic *clinic, const reha_actor *actor)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *list = NULL;
    const reha_query query = {.limit = 200};
    assert_ok(reha_clinic_studies(clinic, actor, &query, &list, &err), &err);
    const json_t *items = json_object_get(list, "items");
    for (size_t i = 0; i < json_array_size(items) && i < 12; i++) {
        json_t *study = NULL;
        assert_ok(reha_clinic_study(clinic, actor, reha_json_string(json_array_get(items, i), "id", ""), &study, &err), &err);
        const json_t *images = json_object_get(study, "images");
        assert_true(json_array_size(images) >= 1);
        const json_t *image = json_array_get(images, 0);
        assert_true(json_is_object(json_object_get(image, "job")));
        const json_t *result = json_object_get(image, "result");
        if (json_is_object(result)) {
            assert_true(json_array_size(json_object_get(result, "pictures")) >= 1);
            assert_true(json_is_object(json_object_get(result, "analysis")));
        }
        json_decref(study);
    }
    json_decref(list);
}

static void test_nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *out = NULL;
    char patient_id[REHA_ID_BYTES];
    char log[96];
    int counts[3] = {0};
    open_home(&home, false);
    const reha_actor actor = add_user(home.clinic, "anna", REHA_ROLE_PHYSIOTHERAPIST);
    json_t *in = json_object();
    assert_ok(reha_clinic_patient_add(home.clinic, &actor, in, &out, &err), &err);
    (void)snprintf(patient_id, sizeof patient_id, "%s", reha_json_string(out, "id", ""));
    json_decref(in);
    json_decref(out);
    reha_clinic_close(home.clinic);
    home.clinic = NULL;
    (void)snprintf(log, sizeof log, "%s.promises", home.path);
    unsigned random = 12345;
    for (uint64_t round = 0; round < rounds(); round++) {
        random = random * 1103515245U + 12345U;
        const pid_t child = fork();
        if (child == 0) {
            FILE *file = fopen(log, "a");
            if (file == NULL) {
                _exit(6);
            }
            work_until_killed(home.path, &actor, patient_id, round, IMAGES_MAX, fileno(file));
        }
        wait_for_promises(log, NULL, (int)((random >> 8) % PROMISES_MAX));
        pause_ms((long)(random >> 16) % KILL_AFTER_MS_MAX);
        int how = 0;
        (void)kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how)); /* it was still at work: no error stopped it */
    }
    /* One round has time for results and signatures. */
    const pid_t child = fork();
    if (child == 0) {
        FILE *file = fopen(log, "a");
        work_until_killed(home.path, &actor, patient_id, rounds(), 3, fileno(file));
    }
    wait_for_promises(log, "signed", 2);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);

    home.clinic = open_clinic(home.path, false);
    check_promises(home.clinic, &actor, log, patient_id, counts);
    assert_true(counts[0] > 0);
    assert_true(counts[1] > 0);
    assert_true(counts[2] > 0);
    print_message("kept: %d images, %d plans, %d signatures over %d kills\n", counts[0], counts[1], counts[2],
                  (int)rounds() + 1);
    check_no_halves(home.clinic, &actor);
    const reha_actor local = reha_actor_local();
    assert_ok(reha_clinic_audit_verify(home.clinic, &local, true, &out, &err), &err);
    if (!json_is_true(json_object_get(out, "ok"))) {
        fail_msg("%s", reha_json_string(out, "fault", "?"));
    }
    json_decref(out);
    (void)unlink(log);
    close_home(&home);
}

/* Migration is one transaction: killed at any instant, the file is of the version before or after. */
static void test_killed_while_the_home_is_made(void **state)
{
    (void)state;
    for (int round = 0; round < MAKING_ROUNDS; round++) {
        reha_error err = REHA_ERROR_INIT;
        json_t *out = NULL;
        char folder[] = "/tmp/reha-make-XXXXXX";
        char command[64];
        assert_non_null(mkdtemp(folder));
        const pid_t child = fork();
        if (child == 0) {
            reha_clinic *clinic = NULL;
            const reha_clinic_options options = {.home = folder, .models_folder = "models"};
            _exit(reha_clinic_open(&options, &clinic, NULL) == REHA_OK ? 0 : 1);
        }
        pause_ms(3L * round / 2);
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        reha_clinic *clinic = open_clinic(folder, false);
        assert_ok(reha_clinic_state(clinic, &out, &err), &err);
        assert_true(json_is_true(json_object_get(out, "setup_needed")));
        json_decref(out);
        reha_clinic_close(clinic);
        (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
        assert_int_equal(system(command), 0);
    }
}

int main(int argc, char **argv)
{
    const int code = clinic_worker(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_killed_while_the_home_is_made),
                                       cmocka_unit_test(test_nothing_acknowledged_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
