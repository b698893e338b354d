/* A clinic in a scratch folder, and the test program as its own worker: `main` must call clinic_worker first.
 */
#ifndef REHA_TESTS_CLINIC_SUPPORT_H
#define REHA_TESTS_CLINIC_SUPPORT_H

#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "image/save.h"
#include "recognition/knee_phantom.h"
#include "service/archive.h"
#include "service/clinic.h"
#include "service/node.h"
#include "service/sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char password[] = "correct horse battery";

/* Exit code of the sandbox, or of an association or a call, if this process was started as one, else -1. */
static inline int clinic_worker(int argc, char **argv)
{
    const char *models = NULL;
    const char *task = NULL;
    long memory_mib = 4096;
    long cpu_s = 60;
    if (argc == 3 && strcmp(argv[1], "worker") == 0 && strcmp(argv[2], "--association") == 0) {
        return reha_node_main();
    }
    if (argc == 3 && strcmp(argv[1], "worker") == 0 && strcmp(argv[2], "--call") == 0) {
        return reha_archive_main();
    }
    if (argc < 3 || strcmp(argv[1], "worker") != 0 || strcmp(argv[2], "--sandbox") != 0) {
        return -1;
    }
    for (int i = 3; i < argc; i++) {
        if (strncmp(argv[i], "--memory-mib=", 13) == 0) {
            memory_mib = strtol(argv[i] + 13, NULL, 10);
        } else if (strncmp(argv[i], "--cpu-s=", 8) == 0) {
            cpu_s = strtol(argv[i] + 8, NULL, 10);
        } else if (strcmp(argv[i], "--models") == 0 && i + 1 < argc) {
            models = argv[++i];
        } else if (strcmp(argv[i], "--task") == 0 && i + 1 < argc) {
            task = argv[++i];
        }
    }
    return reha_sandbox_main(models, task, (size_t)memory_mib << 20, (double)cpu_s);
}

typedef struct test_home {
    char path[64];
    reha_clinic *clinic;
} test_home;

/* The usual ones; an image may take its time. */
static inline reha_clinic_limits patient_limits(void)
{
    reha_clinic_limits limits = reha_clinic_limits_default();
    limits.worker_cpu_s = TEST_PATIENCE_S;
    limits.worker_wall_s = TEST_PATIENCE_S;
    return limits;
}

static inline reha_clinic *open_clinic(const char *home, bool with_workers)
{
    reha_error err = REHA_ERROR_INIT;
    reha_clinic *clinic = NULL;
    assert_int_equal(setenv("REHASCOPE_GUIDELINES", REHA_SOURCE_DIR "/guidelines", 1), 0);
    const reha_clinic_options options = {.home = home,
                                         .models_folder = REHA_SOURCE_DIR "/models",
                                         .limits = patient_limits(),
                                         .with_workers = with_workers};
    assert_ok(reha_clinic_open(&options, &clinic, &err), &err);
    return clinic;
}

static inline void open_home(test_home *home, bool with_workers)
{
    (void)snprintf(home->path, sizeof home->path, "/tmp/reha-clinic-XXXXXX");
    assert_non_null(mkdtemp(home->path));
    home->clinic = open_clinic(home->path, with_workers);
}

static inline void close_home(test_home *home)
{
    char command[96];
    reha_clinic_close(home->clinic);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", home->path);
    assert_int_equal(system(command), 0);
}

/* An account of this role and an actor for it. */
static inline reha_actor add_user(reha_clinic *clinic, const char *name, reha_role role)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *user = NULL;
    const reha_actor local = reha_actor_local();
    reha_actor actor = {.role = role, .session_id = "test"};
    json_t *in =
        json_pack("{s:s, s:s, s:s}", "name", name, "password", password, "role", reha_role_name(role));
    assert_ok(reha_clinic_user_add(clinic, &local, in, &user, &err), &err);
    (void)snprintf(actor.user_id, sizeof actor.user_id, "%s", reha_json_string(user, "id", ""));
    json_decref(in);
    json_decref(user);
    return actor;
}

/* A drawn knee as PNG; another seed, another picture. */
static inline void knee_png(uint64_t seed, uint8_t **out, size_t *out_bytes)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    const reha_phantom_spec spec = reha_phantom_crop(REHA_SIDE_RIGHT, seed);
    assert_ok(reha_phantom_draw(&spec, &image, NULL, &err), &err);
    assert_ok(reha_image_encode_png(image, 8, out, out_bytes, &err), &err);
    reha_gray_free(image);
}

static inline reha_status upload_bytes(reha_clinic *clinic, const reha_actor *actor,
                                       const reha_upload_options *options, const void *bytes, size_t count,
                                       json_t **out, reha_error *err)
{
    reha_upload *upload = NULL;
    *out = NULL;
    reha_status status = reha_upload_begin(clinic, actor, options, &upload, err);
    if (status == REHA_OK) {
        status = reha_upload_write(upload, bytes, count, err);
    }
    if (status == REHA_OK) {
        status = reha_upload_finish(upload, out, err);
    }
    reha_upload_close(upload);
    return status;
}

static inline const char *item_text(const json_t *answer, size_t i, const char *key)
{
    return reha_json_string(json_array_get(json_object_get(answer, "items"), i), key, "");
}

/* The first result that stands of a study's first image; NULL: none yet. */
static inline const json_t *first_result(const json_t *study)
{
    return json_array_get(json_object_get(json_array_get(json_object_get(study, "images"), 0), "results"), 0);
}

static inline int64_t version_of(const json_t *record)
{
    return json_integer_value(json_object_get(record, "version"));
}

#endif
