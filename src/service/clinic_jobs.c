#include "service/clinic_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/erase.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 2, POLL_MS = 1000, FULL_MS = 5000 };
static const double WATCH_MS = 3000.0;
static const double LOCK_MS = 2000.0;
static const double ASKED_MS = 120000.0;
static const double FRAMES_SHARE = 0.4; /* of a worker's time, for the further frames of a sequence */

/* ---- the queue ---- */

reha_status clinic_job_add(clinic_write *write, const char *image_id, const char *task,
                           char job_id[REHA_ID_BYTES], reha_error *err)
{
    char now[REHA_TIMESTAMP_BYTES];
    reha_identifier_new(job_id);
    reha_clock_timestamp(now);
    return reha_store_do(write->store, REHA_SQL_JOB_ADD,
                         REHA_BIND(reha_of_text(job_id), reha_of_text(image_id),
                                   reha_of_text(task != NULL && task[0] != '\0' ? task : NULL),
                                   reha_of_text(now)),
                         NULL, err);
}

void clinic_job_wake(reha_clinic *clinic)
{
    reha_mutex_lock(clinic->event_lock);
    reha_condition_wake_all(clinic->job_came);
    reha_mutex_unlock(clinic->event_lock);
}

reha_status reha_clinic_job(reha_clinic *clinic, const reha_actor *actor, const char *id, json_t **out,
                            reha_error *err)
{
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    return clinic_row(clinic, REHA_SQL_JOB, REHA_BIND(reha_of_text(id)), "job", out, err);
}

static reha_status check_again(reha_store *store, const reha_actor *actor, const char *image_id,
                               const char *task, char study_id[REHA_ID_BYTES], reha_error *err)
{
    json_t *image = NULL;
    json_t *study = NULL;
    int64_t open = 0;
    reha_status status =
        reha_store_row(store, REHA_SQL_IMAGE, REHA_BIND(reha_of_text(image_id)), &image, err);
    if (status == REHA_E_NOT_FOUND) {
        return reha_fail(err, status, "no such image");
    }
    REHA_CHECK(status);
    (void)snprintf(study_id, REHA_ID_BYTES, "%s", reha_json_string(image, "study_id", ""));
    REHA_CHECK(reha_store_row(store, REHA_SQL_STUDY,
                              REHA_BIND(clinic_identity(actor), reha_of_text(study_id)), &study, err));
    REHA_CHECK(reha_store_number(store, REHA_SQL_JOB_OPEN,
                                 REHA_BIND(reha_of_text(image_id), reha_of_text(task)), &open, err));
    if (strcmp(reha_json_string(study, "status", ""), "signed") == 0) {
        status = reha_fail(err, REHA_E_CONFLICT, "the study is signed: reopen it first");
    } else if (open > 0) {
        status = reha_fail(err, REHA_E_CONFLICT, "the image is waiting for this analysis already");
    }
done:
    json_decref(image);
    json_decref(study);
    return status;
}

/* What a key stands for, so that it is noticed when it comes with another request. */
static void request_digest(const char *image_id, const char *task, char out[REHA_DIGEST_TEXT_BYTES])
{
    char text[REHA_ID_BYTES + CLINIC_TASK_BYTES + 16];
    const int length =
        snprintf(text, sizeof text, "analysis|%.31s|%.39s", image_id, task != NULL ? task : "");
    reha_digest_bytes(text, (size_t)length, out);
}

static reha_status add_again(clinic_write *write, const reha_actor *actor, const char *image_id,
                             const char *task, char study_id[REHA_ID_BYTES], json_t **out, reha_error *err)
{
    char job_id[REHA_ID_BYTES] = "";
    REHA_TRY(check_again(write->store, actor, image_id, task, study_id, err));
    REHA_TRY(clinic_job_add(write, image_id, task, job_id, err));
    REHA_TRY(
        reha_store_do(write->store, REHA_SQL_STUDY_REFRESH, REHA_BIND(reha_of_text(study_id)), NULL, err));
    REHA_TRY(clinic_note(write, actor, "image.analyse", "image", image_id, json_pack("{s:s?}", "task", task),
                         err));
    return reha_store_row(write->store, REHA_SQL_JOB, REHA_BIND(reha_of_text(job_id)), out, err);
}

reha_status reha_clinic_analyse(reha_clinic *clinic, const reha_actor *actor, const char *image_id,
                                const json_t *in, const char *idempotency_key, json_t **out, reha_error *err)
{
    const char *task = NULL;
    char digest[REHA_DIGEST_TEXT_BYTES];
    char study_id[REHA_ID_BYTES] = "";
    clinic_write write;
    reha_status status = REHA_OK;
    bool is_new = false;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_UPLOAD, err));
    REHA_TRY(clinic_check_members(in, "task", err));
    REHA_TRY(clinic_text(in, "task", false, CLINIC_TASK_BYTES, &task, err));
    REHA_TRY(clinic_check_task(clinic, task, err));
    REHA_TRY(clinic_check_key(idempotency_key, err));
    request_digest(image_id, task, digest);
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(clinic_answer_find(write.store, actor, idempotency_key, digest, out, err));
    is_new = *out == NULL;
    if (is_new) {
        REHA_CHECK(add_again(&write, actor, image_id, task, study_id, out, err));
        REHA_CHECK(clinic_answer_keep(write.store, actor, idempotency_key, digest, *out, err));
    }
done:
    status = clinic_end_with(&write, status, out, err);
    if (status == REHA_OK && is_new) {
        const char *job_id = reha_json_string(*out, "id", "");
        clinic_event_add(clinic, "job", study_id, image_id, job_id, "queued");
        clinic_job_wake(clinic);
    }
    return status;
}

/* ---- storing a result ---- */

typedef struct work { /* one job that was claimed */
    char job_id[REHA_ID_BYTES], image_id[REHA_ID_BYTES], study_id[REHA_ID_BYTES];
    char digest[REHA_DIGEST_TEXT_BYTES];
    char side_hint[16];
    char task[CLINIC_TASK_BYTES + 1]; /* "": the program chooses */
    int64_t tries;
} work;

static reha_status store_measurements(clinic_write *write, const char *result_id, int region_idx,
                                      const json_t *region, reha_error *err)
{
    const json_t *findings = json_object_get(region, "findings");
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *finding = json_array_get(findings, i);
        const json_t *measure = json_object_get(finding, "measure");
        const json_t *grading = json_object_get(finding, "grading");
        const json_t *value = json_is_object(measure)   ? json_object_get(measure, "value")
                              : json_is_object(grading) ? json_object_get(grading, "grade")
                                                        : json_object_get(finding, "probability");
        const char *unit = json_is_object(measure)   ? reha_json_string(measure, "unit", "1")
                           : json_is_object(grading) ? "{grade}"
                                                     : "1";
        if (!json_is_number(value)) {
            continue; /* not measured: the result says why */
        }
        REHA_TRY(reha_store_do(write->store, REHA_SQL_MEASUREMENT_ADD,
                               REHA_BIND(reha_of_text(result_id), reha_of_int(region_idx),
                                         reha_of_text(reha_json_string(finding, "key", "")),
                                         reha_of_text(reha_json_string(finding, "label", "")),
                                         reha_of_text(reha_json_string(region, "side", "unknown")),
                                         reha_of_real(json_number_value(value)), reha_of_text(unit),
                                         reha_of_real(reha_json_number(measure, "error_95", (double)NAN))),
                               NULL, err));
    }
    return REHA_OK;
}

static int count_findings(const json_t *analysis)
{
    int count = 0;
    const json_t *regions = json_object_get(analysis, "regions");
    for (size_t i = 0; i < json_array_size(regions); i++) {
        const json_t *findings = json_object_get(json_array_get(regions, i), "findings");
        for (size_t k = 0; k < json_array_size(findings); k++) {
            count += reha_finding_needs_decision(json_array_get(findings, k)) ? 1 : 0;
        }
    }
    return count;
}

static reha_status store_result(clinic_write *write, const work *job, const json_t *answer,
                                const char *result_id, reha_error *err)
{
    char now[REHA_TIMESTAMP_BYTES];
    const json_t *analysis = json_object_get(answer, "analysis");
    const json_t *model = json_object_get(analysis, "model");
    const json_t *regions = json_object_get(analysis, "regions");
    const bool is_accepted = json_is_true(json_object_get(answer, "accepted"));
    char *text = json_dumps(analysis, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (text == NULL || !json_is_array(regions)) {
        free(text); /* allowed: jansson's */
        return reha_fail(err, REHA_E_FORMAT, "the worker's answer makes no sense");
    }
    reha_clock_timestamp(now);
    const reha_status status = reha_store_do(
        write->store, REHA_SQL_RESULT_ADD,
        REHA_BIND(reha_of_text(result_id), reha_of_text(job->image_id), reha_of_text(now),
                  reha_of_text(reha_json_string(analysis, "task", reha_json_string(model, "name", ""))),
                  reha_of_int(job->task[0] != '\0' ? 1 : 0), reha_of_text(job->digest),
                  reha_of_text(reha_json_string(model, "name", "")),
                  reha_of_text(reha_json_string(model, "version", "")),
                  reha_of_text(reha_json_string(model, "hash", "")), reha_of_text("rehascope " REHA_VERSION),
                  reha_of_int(is_accepted ? 1 : 0), reha_of_text(reha_json_string(answer, "headline", "")),
                  reha_of_int(is_accepted ? count_findings(analysis) : 0), reha_of_text(text)),
        NULL, err);
    free(text); /* allowed: jansson's */
    REHA_TRY(status);
    for (size_t i = 0; i < json_array_size(regions); i++) {
        REHA_TRY(store_measurements(write, result_id, (int)i, json_array_get(regions, i), err));
    }
    return REHA_OK;
}

static reha_status store_pictures(reha_clinic *clinic, const reha_sandbox_answer *answer,
                                  char digests[REHA_SANDBOX_PARTS][REHA_DIGEST_TEXT_BYTES], bool again,
                                  reha_error *err)
{
    for (size_t i = 0; i < answer->part_count; i++) {
        if (again && reha_blobs_has(clinic->blobs, digests[i])) {
            continue;
        }
        REHA_TRY(
            reha_blobs_put(clinic->blobs, answer->parts[i].bytes, answer->parts[i].count, digests[i], err));
    }
    return REHA_OK;
}

static reha_status end_job(clinic_write *write, const work *job, const char *state, const char *text,
                           reha_error *err)
{
    char now[REHA_TIMESTAMP_BYTES];
    const reha_actor system = clinic_system_actor();
    reha_clock_timestamp(now);
    REHA_TRY(reha_store_do(
        write->store, REHA_SQL_JOB_END,
        REHA_BIND(reha_of_text(job->job_id), reha_of_text(state), reha_of_text(text), reha_of_text(now)),
        NULL, err));
    REHA_TRY(reha_store_do(write->store, REHA_SQL_STUDY_REFRESH, REHA_BIND(reha_of_text(job->study_id)), NULL,
                           err));
    return clinic_note(write, &system, strcmp(state, "done") == 0 ? "job.done" : "job.failed", "image",
                       job->image_id,
                       json_pack("{s:s, s:s, s:s?}", "job_id", job->job_id, "state", state, "task",
                                 job->task[0] != '\0' ? job->task : NULL),
                       err);
}

/* Pictures first, then everything that names them in one transaction: a half result is never visible. */
static reha_status keep_result(reha_clinic *clinic, const work *job, const reha_sandbox_answer *answer,
                               reha_error *err)
{
    char digests[REHA_SANDBOX_PARTS][REHA_DIGEST_TEXT_BYTES];
    char result_id[REHA_IDENTIFIER_BYTES];
    clinic_write write;
    reha_status status = REHA_OK;
    REHA_TRY(store_pictures(clinic, answer, digests, false, err));
    reha_identifier_new(result_id);
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(store_result(&write, job, answer->json, result_id, err));
    for (size_t i = 0; i < answer->part_count; i++) {
        REHA_CHECK(reha_store_do(
            write.store, REHA_SQL_PICTURE_ADD,
            REHA_BIND(reha_of_text(result_id), reha_of_text(answer->parts[i].name), reha_of_text(digests[i])),
            NULL, err));
    }
    REHA_CHECK(store_pictures(clinic, answer, digests, true,
                              err)); /* an erasing may have swept them away as nobody's */
    REHA_CHECK(end_job(&write, job, "done", NULL, err));
done:
    for (size_t i = 0; i < answer->part_count && status != REHA_OK; i++) {
        reha_erase_unnamed(write.store, clinic->blobs, digests[i]);
    }
    return clinic_end(&write, status, err);
}

/* False: the end could not be noted, and the job stands as running. */
static bool give_up(reha_clinic *clinic, const work *job, const reha_error *fault, bool again)
{
    clinic_write write;
    reha_error err = REHA_ERROR_INIT;
    reha_status status = clinic_begin(clinic, true, &write, &err);
    if (status == REHA_OK) {
        status = again ? reha_store_do(write.store, REHA_SQL_JOB_END,
                                       REHA_BIND(reha_of_text(job->job_id), reha_of_text("queued"),
                                                 reha_of_text(fault->text), reha_of_text(NULL)),
                                       NULL, &err)
                       : end_job(&write, job, "failed", fault->text, &err);
        status = clinic_end(&write, status, &err);
    }
    if (status != REHA_OK) {
        reha_log(REHA_LOG_ERROR, "job.unrecorded", "job=%s status=%s", job->job_id, reha_status_name(status));
    }
    return status == REHA_OK;
}

/* Whoever holds the lock is the only one who works: what is "running" while he does nothing was left. */
static reha_status queue_again(reha_clinic *clinic, reha_error *err)
{
    clinic_write write;
    int64_t requeued = 0;
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_TRY(clinic_end(
        &write, reha_store_do(write.store, REHA_SQL_JOBS_REQUEUE, REHA_BIND_NONE, &requeued, err), err));
    if (requeued > 0) {
        reha_log(REHA_LOG_INFO, "job.requeued", "count=%lld", (long long)requeued);
    }
    return REHA_OK;
}

/* ---- working ---- */

static bool claim(reha_clinic *clinic, work *out)
{
    char now[REHA_TIMESTAMP_BYTES];
    clinic_write write;
    json_t *row = NULL;
    int64_t waiting = 0;
    reha_store *store = clinic_read(clinic);
    const reha_status counted =
        reha_store_number(store, REHA_SQL_JOBS_WAITING, REHA_BIND_NONE, &waiting, NULL);
    clinic_read_end(clinic, store);
    if (counted != REHA_OK || waiting == 0 || clinic_begin(clinic, true, &write, NULL) != REHA_OK) {
        return false;
    }
    reha_clock_timestamp(now);
    reha_status status =
        reha_store_row(write.store, REHA_SQL_JOB_CLAIM, REHA_BIND(reha_of_text(now)), &row, NULL);
    status = clinic_end(&write, status, NULL);
    if (status == REHA_OK) {
        *out = (work){.tries = json_integer_value(json_object_get(row, "tries"))};
        (void)snprintf(out->job_id, sizeof out->job_id, "%s", reha_json_string(row, "id", ""));
        (void)snprintf(out->image_id, sizeof out->image_id, "%s", reha_json_string(row, "image_id", ""));
        (void)snprintf(out->study_id, sizeof out->study_id, "%s", reha_json_string(row, "study_id", ""));
        (void)snprintf(out->digest, sizeof out->digest, "%s", reha_json_string(row, "digest", ""));
        (void)snprintf(out->side_hint, sizeof out->side_hint, "%s", reha_json_string(row, "side_hint", ""));
        (void)snprintf(out->task, sizeof out->task, "%s", reha_json_string(row, "task", ""));
    }
    json_decref(row);
    return status == REHA_OK;
}

typedef struct crew { /* the locked-in programs: one that chooses by the image, and one of the task that was
                         asked for last */
    reha_sandbox *chooser, *asked; /* owned; NULL: not made */
    char task[CLINIC_TASK_BYTES + 1];
    double asked_ms; /* when it was last needed */
} crew;

static void send_away(reha_sandbox **sandbox)
{
    reha_sandbox_free(*sandbox);
    *sandbox = NULL;
}

static reha_status crew_for(reha_clinic *clinic, crew *all, const char *task, reha_sandbox **out,
                            reha_error *err)
{
    const bool is_asked = task[0] != '\0';
    reha_sandbox **one = is_asked ? &all->asked : &all->chooser;
    if (is_asked && strcmp(all->task, task) != 0) {
        send_away(&all->asked);
        (void)snprintf(all->task, sizeof all->task, "%s", task);
    }
    all->asked_ms = is_asked ? reha_clock_ms() : all->asked_ms;
    if (*one == NULL) {
        const reha_sandbox_options how = {.program = clinic->program,
                                          .models_folder = clinic->models_folder,
                                          .task = is_asked ? task : NULL,
                                          .memory_bytes = clinic->limits.worker_memory_bytes,
                                          .cpu_s = clinic->limits.worker_cpu_s,
                                          .wall_s = clinic->limits.worker_wall_s};
        REHA_TRY(reha_sandbox_new(&how, one, err));
    }
    *out = *one;
    return REHA_OK;
}

static reha_status analyse(reha_clinic *clinic, crew *all, const work *job, reha_error *err)
{
    reha_sandbox *sandbox = NULL;
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_sandbox_answer answer = {.json = NULL};
    json_t *request = json_pack("{s:s, s:s, s:f}", "op", "analyse", "name", job->side_hint, "frames_s",
                                FRAMES_SHARE * clinic->limits.worker_cpu_s);
    reha_status status = REHA_OK;
    REHA_CHECK(crew_for(clinic, all, job->task, &sandbox, err));
    REHA_CHECK(
        reha_blobs_get(clinic->blobs, job->digest, clinic->limits.archive_bytes_max, &bytes, &count, err));
    REHA_CHECK(reha_sandbox_run(sandbox, request, bytes, count, NULL, NULL, &answer, err));
    status = keep_result(clinic, job, &answer, err);
done:
    reha_sandbox_answer_clear(&answer);
    json_decref(request);
    reha_free(bytes);
    return status;
}

/* False: the job stands as running, and is to be queued again when there is room: a full disk is no fault of
 * the image. */
static bool do_job(reha_clinic *clinic, crew *all, const work *job)
{
    reha_error err = REHA_ERROR_INIT;
    const double start_ms = reha_clock_ms();
    clinic_event_add(clinic, "job", job->study_id, job->image_id, job->job_id, "running");
    const reha_status status = analyse(clinic, all, job, &err);
    const bool is_full = status == REHA_E_FULL;
    const bool again = is_full || (status != REHA_OK && job->tries < TRIES);
    const bool is_noted = status == REHA_OK || (!is_full && give_up(clinic, job, &err, again));
    const char *state = status == REHA_OK ? "done" : again ? "queued" : "failed";
    clinic_event_add(clinic, "job", job->study_id, job->image_id, job->job_id, state);
    clinic_event_add(clinic, "study", job->study_id, NULL, NULL, "changed");
    reha_log(status == REHA_OK ? REHA_LOG_INFO : REHA_LOG_WARN, "job.ended",
             "job=%s image=%s state=%s try=%d status=%s ms=%.0f", job->job_id, job->image_id, state,
             (int)job->tries, reha_status_name(status), reha_clock_ms() - start_ms);
    return is_noted;
}

/* Until there is news, or that long; false: the end has come. */
static bool wait_for_work(reha_clinic *clinic, int timeout_ms)
{
    reha_mutex_lock(clinic->event_lock);
    if (!clinic->is_stopping) { /* jobs of other processes are found by looking again */
        (void)reha_condition_wait(clinic->job_came, clinic->event_lock, timeout_ms);
    }
    const bool goes_on = !clinic->is_stopping;
    reha_mutex_unlock(clinic->event_lock);
    return goes_on;
}

static void supervise(void *context)
{
    reha_clinic *clinic = context;
    crew all = {.task = ""};
    double watched_ms = 0.0;
    bool is_noted = true;
    bool may_be_headless = true; /* no image comes so any more: until there is none left */
    while (wait_for_work(clinic, is_noted ? 0 : FULL_MS)) {
        work job;
        if (!is_noted && queue_again(clinic, NULL) != REHA_OK) {
            continue;
        }
        is_noted = true;
        if (reha_clock_ms() - watched_ms > WATCH_MS) {
            clinic_watch(clinic);
            clinic_wipe_again(clinic);
            watched_ms = reha_clock_ms();
        }
        if (claim(clinic, &job)) {
            is_noted = do_job(clinic, &all, &job);
        } else if (may_be_headless) {
            may_be_headless = clinic_read_one_head(clinic);
        } else {
            if (reha_clock_ms() - all.asked_ms > ASKED_MS) {
                send_away(&all.asked); /* seldom needed: its networks need not stay in memory */
            }
            (void)wait_for_work(clinic, POLL_MS);
        }
    }
    send_away(&all.asked);
    send_away(&all.chooser);
}

reha_status clinic_workers_start(reha_clinic *clinic, reha_error *err)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/worker.lock", clinic->home);
    clinic->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (clinic->lock_fd < 0) {
        return reha_fail(err, REHA_E_IO, "%s: cannot be made: %s", path, strerror(errno));
    }
    /* A server that was killed while it started a worker leaves the lock with that for a moment. */
    const double until_ms = reha_clock_ms() + LOCK_MS;
    const struct timespec pause = {.tv_nsec = 20 * 1000000L};
    bool is_ours = flock(clinic->lock_fd, LOCK_EX | LOCK_NB) == 0;
    while (!is_ours && reha_clock_ms() < until_ms) {
        (void)nanosleep(&pause, NULL);
        is_ours = flock(clinic->lock_fd, LOCK_EX | LOCK_NB) == 0;
    }
    if (!is_ours) {
        return reha_fail(err, REHA_E_CONFLICT, "%s: another process works on this home's jobs already",
                         clinic->home);
    }
    REHA_TRY(queue_again(clinic, err));
    return reha_thread_start(supervise, clinic, &clinic->supervisor, err);
}

void clinic_workers_stop(reha_clinic *clinic)
{
    if (clinic->supervisor != NULL) {
        reha_mutex_lock(clinic->event_lock);
        clinic->is_stopping = true;
        reha_condition_wake_all(clinic->job_came);
        reha_mutex_unlock(clinic->event_lock);
        reha_thread_join(clinic->supervisor);
        clinic->supervisor = NULL;
    }
    if (clinic->lock_fd >= 0) {
        (void)close(clinic->lock_fd);
        clinic->lock_fd = -1;
    }
}

reha_status reha_clinic_drain(reha_clinic *clinic, reha_error *err)
{
    int64_t open = 1;
    while (open > 0) {
        reha_store *store = clinic_read(clinic);
        const reha_status status = reha_store_number(store, REHA_SQL_JOBS_OPEN, REHA_BIND_NONE, &open, err);
        clinic_read_end(clinic, store);
        REHA_TRY(status);
        if (open > 0) {
            reha_mutex_lock(clinic->event_lock);
            (void)reha_condition_wait(clinic->event_came, clinic->event_lock, POLL_MS);
            reha_mutex_unlock(clinic->event_lock);
        }
    }
    return REHA_OK;
}
