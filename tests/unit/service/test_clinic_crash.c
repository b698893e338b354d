/* kill -9 at random instants of upload, analysis, review, setting aside, signature and migration, many times:
 * whatever was acknowledged is there afterwards, nothing is half there, the chain verifies, and no clear text
 * of a former version stays. */
#include "clinic_support.h"
#include "former_home.h"

#include "base/clock.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ROUNDS = 12,
    MAKING_ROUNDS = 16,
    MIGRATION_ROUNDS = 5,
    MIGRATION_COPIES = 400,
    PROMISES_MAX = 5,
    KILL_AFTER_MS_MAX = 40,
    IMAGES_MAX = 4000,
    LINE_BYTES = 96,
    SLOW_S = 120,
    ASKED = 8
};

/* REHA_CRASH_ROUNDS=300 for a long test: as many kills of the work, and a quarter of that of making and of
 * migrating a home. */
static uint64_t rounds(int usual, long share)
{
    const char *asked = getenv("REHA_CRASH_ROUNDS");
    const long count = asked != NULL ? strtol(asked, NULL, 10) / share : 0;
    return count > 0 ? (uint64_t)count : (uint64_t)usual;
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

/* Signs a study that needs no decision any more: those whose images the gate refused. */
static void sign_one(reha_clinic *clinic, const reha_actor *actor, int fd)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *list = NULL;
    json_t *in = json_object();
    const reha_query query = {.status = "to-review", .limit = 8};
    if (reha_clinic_studies(clinic, actor, &query, &list, &err) == REHA_OK) {
        const json_t *items = json_object_get(list, "items");
        for (size_t i = 0; i < json_array_size(items); i++) {
            const json_t *study = json_array_get(items, i);
            const char *id = reha_json_string(study, "id", "");
            json_t *out = NULL;
            if (json_integer_value(json_object_get(study, "to_review")) == 0 &&
                reha_clinic_sign(clinic, actor, id, version_of(study), in, &out, &err) == REHA_OK) {
                promise(fd, "signed", id);
                json_decref(out);
                break;
            }
        }
    }
    json_decref(in);
    json_decref(list);
}

/* One more decision on a knee that was graded before the kills began; its reason is the promise. */
static void review_one(reha_clinic *clinic, const reha_actor *actor, const char *study_id, uint64_t number,
                       int fd)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *study = NULL;
    json_t *out = NULL;
    char reason[32];
    (void)snprintf(reason, sizeof reason, "r%llu", (unsigned long long)number);
    if (reha_clinic_study(clinic, actor, study_id, &study, &err) == REHA_OK) {
        const char *result_id = reha_json_string(first_result(study), "id", "");
        json_t *in = json_pack("{s:i, s:s, s:s, s:s}", "region", 0, "finding",
                               number % 2 == 0 ? "kl-grade" : "oa", "decision", "reject", "reason", reason);
        if (reha_clinic_review(clinic, actor, result_id, version_of(study), in, &out, &err) == REHA_OK) {
            promise(fd, "review", reason);
        }
        json_decref(in);
    }
    json_decref(out);
    json_decref(study);
}

/* Sets aside what was asked for last; a former one of the task stands then, until there is none. */
static void set_aside_one(reha_clinic *clinic, const reha_actor *actor, const char *study_id, int fd)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *study = NULL;
    json_t *out = NULL;
    json_t *in = json_pack("{s:s}", "reason", "asked by mistake");
    if (reha_clinic_study(clinic, actor, study_id, &study, &err) == REHA_OK) {
        const json_t *results =
            json_object_get(json_array_get(json_object_get(study, "images"), 0), "results");
        const json_t *newest = json_array_get(results, json_array_size(results) - 1);
        const char *id = reha_json_string(newest, "id", "");
        if (json_is_true(json_object_get(newest, "asked")) &&
            reha_clinic_set_aside(clinic, actor, id, version_of(study), in, &out, &err) == REHA_OK) {
            promise(fd, "aside", id);
        }
    }
    json_decref(in);
    json_decref(out);
    json_decref(study);
}

typedef struct scene { /* what all children work on */
    const char *home;
    reha_actor actor;
    char patient_id[REHA_ID_BYTES];
    char study_id[REHA_ID_BYTES]; /* of a knee with findings */
    char image_id[REHA_ID_BYTES];
} scene;

static void work_until_killed(const scene *at, uint64_t seed, uint64_t images, int fd)
{
    reha_clinic *clinic = NULL;
    const reha_clinic_options options = {.home = at->home,
                                         .models_folder = REHA_SOURCE_DIR "/models",
                                         .limits = patient_limits(),
                                         .with_workers = true};
    reha_error err = REHA_ERROR_INIT;
    if (reha_clinic_open(&options, &clinic, &err) != REHA_OK) {
        (void)fprintf(stderr, "the home does not open after a kill: %s\n", err.text);
        _exit(5);
    }
    for (uint64_t i = 0;; i++) {
        if (i < images) {
            upload_one(clinic, &at->actor, seed * IMAGES_MAX + i, fd);
            plan_one(clinic, &at->actor, at->patient_id, fd);
            review_one(clinic, &at->actor, at->study_id, seed * IMAGES_MAX + i, fd);
            set_aside_one(clinic, &at->actor, at->study_id, fd);
        } else {
            (void)usleep(20000);
        }
        sign_one(clinic, &at->actor, fd);
    }
}

/* A review is there if the newest decision on its finding is at least as new. */
static bool has_review(const json_t *study, const char *reason)
{
    const json_t *reviews = json_object_get(first_result(study), "reviews");
    const unsigned long long wanted = strtoull(reason + 1, NULL, 10);
    for (size_t i = 0; i < json_array_size(reviews); i++) {
        const char *newest = reha_json_string(json_array_get(reviews, i), "reason", "r0");
        const unsigned long long number = strtoull(newest + 1, NULL, 10);
        if (number % 2 == wanted % 2 && number >= wanted) {
            return true;
        }
    }
    return false;
}

enum { IMAGES_KEPT, PLANS_KEPT, SIGNED_KEPT, REVIEWS_KEPT, ASIDES_KEPT, KINDS };

static void check_promises(reha_clinic *clinic, const scene *at, const char *path, int counts[KINDS])
{
    reha_error err = REHA_ERROR_INIT;
    const reha_actor *actor = &at->actor;
    char kind[16];
    char id[40];
    json_t *graded = NULL;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    memset(counts, 0, KINDS * sizeof *counts);
    assert_ok(reha_clinic_study(clinic, actor, at->study_id, &graded, &err), &err);
    while (fscanf(file, "%15s %39s", kind, id) == 2) {
        json_t *out = NULL;
        if (strcmp(kind, "image") == 0) {
            uint8_t *bytes = NULL;
            size_t count = 0;
            assert_ok(reha_clinic_image_dicom(clinic, actor, id, &bytes, &count, &err), &err);
            reha_free(bytes);
            counts[IMAGES_KEPT]++;
        } else if (strcmp(kind, "plan") == 0) {
            assert_ok(reha_clinic_plan(clinic, actor, id, 1, &out, &err), &err);
            assert_string_equal(reha_json_string(out, "patient_id", ""), at->patient_id);
            counts[PLANS_KEPT]++;
        } else if (strcmp(kind, "review") == 0) {
            assert_true(has_review(graded, id));
            counts[REVIEWS_KEPT]++;
        } else if (strcmp(kind, "aside") == 0) {
            assert_ok(reha_clinic_result(clinic, actor, id, &out, &err), &err);
            assert_true(json_is_object(json_object_get(out, "set_aside")));
            counts[ASIDES_KEPT]++;
        } else {
            assert_ok(reha_clinic_study(clinic, actor, id, &out, &err), &err);
            assert_string_equal(reha_json_string(out, "status", ""), "signed");
            assert_true(json_is_object(json_object_get(out, "signature")));
            counts[SIGNED_KEPT]++;
        }
        json_decref(out);
    }
    json_decref(graded);
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
        assert_ok(reha_clinic_study(clinic, actor, reha_json_string(json_array_get(items, i), "id", ""),
                                    &study, &err),
                  &err);
        const json_t *images = json_object_get(study, "images");
        assert_true(json_array_size(images) >= 1);
        const json_t *image = json_array_get(images, 0);
        assert_true(json_is_object(json_object_get(image, "job")));
        const json_t *result = first_result(study);
        if (json_is_object(result)) {
            assert_true(json_array_size(json_object_get(result, "pictures")) >= 1);
            assert_true(json_is_object(json_object_get(result, "analysis")));
        }
        json_decref(study);
    }
    json_decref(list);
}

/* A patient, and a knee that was analysed, also for what nobody meant: its findings are there to be decided
 * on. */
static void set_scene(test_home *home, scene *at)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    json_t *in = json_object();
    open_home(home, true);
    at->home = home->path;
    at->actor = add_user(home->clinic, "anna", REHA_ROLE_PHYSIOTHERAPIST);
    assert_ok(reha_clinic_patient_add(home->clinic, &at->actor, in, &out, &err), &err);
    (void)snprintf(at->patient_id, sizeof at->patient_id, "%s", reha_json_string(out, "id", ""));
    json_decref(in);
    json_decref(out);
    knee_png(1, &png, &png_bytes);
    const reha_upload_options options = {.file_name = "knee_right.png", .mm_per_px = 0.45};
    assert_ok(upload_bytes(home->clinic, &at->actor, &options, png, png_bytes, &out, &err), &err);
    (void)snprintf(at->study_id, sizeof at->study_id, "%s", item_text(out, 0, "study_id"));
    (void)snprintf(at->image_id, sizeof at->image_id, "%s", item_text(out, 0, "image_id"));
    json_decref(out);
    reha_free(png);
    assert_ok(reha_clinic_drain(home->clinic, &err), &err);
    in = json_pack("{s:s}", "task", "fracture");
    for (int i = 0; i < ASKED; i++) { /* one after the other is set aside later */
        assert_ok(reha_clinic_analyse(home->clinic, &at->actor, at->image_id, in, NULL, &out, &err), &err);
        json_decref(out);
        assert_ok(reha_clinic_drain(home->clinic, &err), &err);
    }
    json_decref(in);
    reha_clinic_close(home->clinic);
    home->clinic = NULL;
}

static pid_t start_child(const scene *at, uint64_t seed, uint64_t images, const char *log)
{
    const pid_t child = fork();
    if (child == 0) {
        FILE *file = fopen(log, "a");
        if (file == NULL) {
            _exit(6);
        }
        work_until_killed(at, seed, images, fileno(file));
    }
    return child;
}

static void test_nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    scene at;
    json_t *out = NULL;
    char log[96];
    int counts[KINDS] = {0};
    const uint64_t kills = rounds(ROUNDS, 1);
    set_scene(&home, &at);
    (void)snprintf(log, sizeof log, "%s.promises", home.path);
    unsigned random = 12345;
    for (uint64_t round = 0; round < kills; round++) {
        random = random * 1103515245U + 12345U;
        const pid_t child = start_child(&at, round, IMAGES_MAX, log);
        wait_for_promises(log, NULL, (int)((random >> 8) % PROMISES_MAX));
        pause_ms((long)(random >> 16) % KILL_AFTER_MS_MAX);
        int how = 0;
        (void)kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how)); /* it was still at work: no error stopped it */
    }
    /* One round has time for results and signatures. */
    const pid_t child = start_child(&at, kills, 3, log);
    wait_for_promises(log, "signed", 2);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);

    home.clinic = open_clinic(home.path, false);
    check_promises(home.clinic, &at, log, counts);
    for (int kind = 0; kind < KINDS; kind++) {
        assert_true(counts[kind] > 0);
    }
    print_message("kept: %d images, %d plans, %d reviews, %d set aside, %d signatures over %d kills\n",
                  counts[IMAGES_KEPT], counts[PLANS_KEPT], counts[REVIEWS_KEPT], counts[ASIDES_KEPT],
                  counts[SIGNED_KEPT], (int)kills + 1);
    check_no_halves(home.clinic, &at.actor);
    const reha_actor local = reha_actor_local();
    assert_ok(reha_clinic_audit_verify(home.clinic, &local, true, &out, &err), &err);
    if (!json_is_true(json_object_get(out, "ok"))) {
        fail_msg("%s", reha_json_string(out, "fault", "?"));
    }
    json_decref(out);
    (void)unlink(log);
    close_home(&home);
}

/* Whether any file of the home holds the word. */
static bool home_has(const char *folder, const char *word)
{
    char command[160];
    (void)snprintf(command, sizeof command, "grep -rqa -e '%s' '%s'", word, folder);
    return system(command) == 0;
}

static void open_and_stay(const char *folder)
{
    reha_clinic *clinic = NULL;
    const reha_clinic_options options = {.home = folder, .models_folder = "models"};
    _exit(reha_clinic_open(&options, &clinic, NULL) == REHA_OK ? 0 : 1);
}

/* Killed at any instant, the home is of the former version or of the new one, and opens; afterwards it is
 * whole, sealed, and without clear texts, also those in free pages and in the journal. */
static void test_killed_while_a_former_home_is_sealed(void **state)
{
    (void)state;
    const reha_actor local = reha_actor_local();
    const uint64_t kills = rounds(MIGRATION_ROUNDS, 4);
    char former[] = "/tmp/reha-former-XXXXXX";
    char command[200];
    int before = 0;
    assert_non_null(mkdtemp(former));
    make_former_home(former, 1, MIGRATION_COPIES);
    assert_true(home_has(former, "ZZSECRET"));
    unsigned random = 99;
    double whole_ms = 0.0;
    for (uint64_t round = 0; round <= kills; round++) {
        reha_error err = REHA_ERROR_INIT;
        json_t *out = NULL;
        char folder[64];
        (void)snprintf(folder, sizeof folder, "%s.killed", former);
        (void)snprintf(command, sizeof command, "rm -rf '%s' && cp -a '%s' '%s'", folder, former, folder);
        assert_int_equal(system(command), 0);
        const double begin_ms = reha_clock_ms();
        const pid_t child = fork();
        if (child == 0) {
            open_and_stay(folder);
        }
        if (round == 0) { /* how long it takes here and now */
            int how = 0;
            assert_int_equal(waitpid(child, &how, 0), child);
            assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
            whole_ms = reha_clock_ms() - begin_ms;
        } else {
            random = random * 1103515245U + 12345U;
            pause_ms((long)(whole_ms * ((double)(random >> 16 & 0x7fffU) / 32768.0)));
            (void)kill(child, SIGKILL);
            (void)waitpid(child, NULL, 0);
            before += home_has(folder, "Erna ZZSECRET") ? 1 : 0;
        }
        reha_clinic *clinic = open_clinic(folder, false);
        const reha_query query = {.text = "erna zzsecret", .limit = 1};
        assert_ok(reha_clinic_patients(clinic, &local, &query, &out, &err), &err);
        assert_int_equal((int)reha_json_number(out, "total", 0.0), 1 + MIGRATION_COPIES);
        json_decref(out);
        assert_ok(reha_clinic_audit_verify(clinic, &local, false, &out, &err), &err);
        assert_true(json_is_true(json_object_get(out, "ok")));
        json_decref(out);
        assert_false(home_has(folder, "ZZSECRET"));
        reha_clinic_close(clinic);
        assert_false(home_has(folder, "ZZSECRET"));
        (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
        assert_int_equal(system(command), 0);
    }
    print_message("%d kills of a migration that takes %.0f ms; %d left clear texts for the next start\n",
                  (int)kills, whole_ms, before);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", former);
    assert_int_equal(system(command), 0);
}

/* The making of a home is one transaction, too. */
static void test_killed_while_the_home_is_made(void **state)
{
    (void)state;
    const int kills = (int)rounds(MAKING_ROUNDS, 4);
    for (int round = 0; round < kills; round++) {
        reha_error err = REHA_ERROR_INIT;
        json_t *out = NULL;
        char folder[] = "/tmp/reha-make-XXXXXX";
        char command[64];
        assert_non_null(mkdtemp(folder));
        const pid_t child = fork();
        if (child == 0) {
            open_and_stay(folder);
        }
        pause_ms(3L * (round % MAKING_ROUNDS) / 2);
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
                                       cmocka_unit_test(test_killed_while_a_former_home_is_sealed),
                                       cmocka_unit_test(test_nothing_acknowledged_is_lost)};
    cmocka_set_test_filter(getenv("REHA_CRASH_TEST")); /* one of them alone, for a long run; none: all */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
