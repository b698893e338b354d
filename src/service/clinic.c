#include "service/clinic_priv.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "service/analyse.h"
#include "service/models.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const double SEEN_AGAIN_MS = 600000.0;
enum { WAIT_MS = 1000, PATH_ROOM = 64 };

reha_clinic_limits reha_clinic_limits_default(void)
{
    return (reha_clinic_limits){.upload_bytes_max = (size_t)1 << 30,
                                .archive_entries_max = 5000,
                                .archive_bytes_max = (size_t)2 << 30,
                                .archive_ratio_max = 200.0,
                                .password_length_min = 10,
                                .sign_in_tries = 5,
                                .session_idle_min = 30.0,
                                .session_hours_max = 12.0,
                                .page_items_max = 200,
                                .worker_memory_bytes = (size_t)4 << 30,
                                .worker_cpu_s = 60.0,
                                .worker_wall_s = 120.0};
}

/* ---- opening ---- */

static reha_status make_locks(reha_clinic *clinic, reha_error *err)
{
    REHA_TRY(reha_mutex_new(&clinic->write_lock, err));
    REHA_TRY(reha_mutex_new(&clinic->read_lock, err));
    REHA_TRY(reha_mutex_new(&clinic->hash_lock, err));
    REHA_TRY(reha_mutex_new(&clinic->event_lock, err));
    REHA_TRY(reha_condition_new(&clinic->reader_free, err));
    REHA_TRY(reha_condition_new(&clinic->event_came, err));
    REHA_TRY(reha_condition_new(&clinic->job_came, err));
    return reha_condition_new(&clinic->viewer_free, err);
}

static reha_status own_text(const char *text, char **out, reha_error *err)
{
    *out = reha_strdup(text);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
}

static reha_status program_path(const char *given, char **out, reha_error *err)
{
    return given != NULL ? own_text(given, out, err) : reha_program_path(out, err);
}

static reha_status choose_inbox(reha_clinic *clinic, const char *given, const char *task, reha_error *err)
{
    REHA_TRY(clinic_check_task(clinic, task, err));
    if (task != NULL) {
        REHA_TRY(own_text(task, &clinic->inbox_task, err));
    }
    if (given != NULL && (!reha_path_is_folder(given) || access(given, R_OK | W_OK | X_OK) != 0)) {
        return reha_fail(err, REHA_E_ARG,
                         "%s: is no folder that can be read and emptied: make it, and give it to this user",
                         given);
    }
    clinic->inbox = given != NULL ? reha_strdup(given) : reha_path_join(clinic->home, "inbox");
    return clinic->inbox != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
}

/* Records work without models; whoever analyses says at the start what is missing, not job by job. */
static reha_status choose_models(reha_clinic *clinic, const reha_clinic_options *options, reha_error *err)
{
    reha_status status = options->models_folder != NULL
                             ? own_text(options->models_folder, &clinic->models_folder, err)
                             : reha_models_folder(&clinic->models_folder, err);
    if (status == REHA_E_NOT_FOUND && !options->with_workers) {
        status = own_text("models", &clinic->models_folder, err);
    }
    REHA_TRY(status);
    return options->with_workers ? reha_models_check(clinic->models_folder, err) : REHA_OK;
}

static reha_status open_home(reha_clinic *clinic, const reha_clinic_options *options, reha_error *err)
{
    char path[PATH_MAX];
    struct stat info;
    if (strlen(options->home) + PATH_ROOM >= sizeof clinic->home) {
        return reha_fail(err, REHA_E_ARG, "%.60s...: the path is too long", options->home);
    }
    (void)snprintf(clinic->home, sizeof clinic->home, "%s", options->home);
    (void)snprintf(path, sizeof path, "%s/key", clinic->home);
    if (options->must_exist && !reha_path_is_file(path)) {
        return reha_fail(err, REHA_E_NOT_FOUND, "%s: is no home folder of rehascope (it has no key file)",
                         clinic->home);
    }
    /* What root makes, the owner's server could not read afterwards. */
    if (geteuid() == 0 && stat(clinic->home, &info) == 0 && info.st_uid != 0) {
        return reha_fail(err, REHA_E_DENIED,
                         "%s: belongs to another user: run this as that user (sudo -u NAME rehascope ...)",
                         clinic->home);
    }
    if (!reha_path_is_folder(clinic->home)) {
        REHA_TRY(reha_folder_make(clinic->home, err));
        if (chmod(clinic->home, 0700) != 0) {
            return reha_fail(err, REHA_E_IO, "%s: its mode cannot be set: %s", clinic->home, strerror(errno));
        }
    }
    return REHA_OK;
}

/* An older program that still works with these records would go on writing in clear what the new tables seal:
 * it must be gone before they are brought forward. Whoever works holds the lock (clinic_jobs.c). */
static reha_status bring_forward(reha_clinic *clinic, const char *database, reha_error *err)
{
    char path[PATH_MAX];
    reha_status status = REHA_OK;
    (void)snprintf(path, sizeof path, "%s/worker.lock", clinic->home);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
        status = reha_fail(err, REHA_E_CONFLICT,
                           "%s: an older rehascope still works with these records: stop it, then try again",
                           clinic->home);
    } else {
        status = reha_store_open(database, &clinic->keys, true, &clinic->writer, err);
        reha_log(REHA_LOG_INFO, "records.migrated", "tables=%d status=%s", reha_store_schema_newest(),
                 reha_status_name(status));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

static reha_status open_records(reha_clinic *clinic, reha_error *err)
{
    char path[PATH_MAX];
    struct stat info;
    (void)snprintf(path, sizeof path, "%s/key", clinic->home);
    /* A new key beside old records would lock them for ever: only an empty home gets one. */
    char database[PATH_MAX];
    (void)snprintf(database, sizeof database, "%s/records.db", clinic->home);
    const bool is_new = stat(database, &info) != 0 || info.st_size == 0;
    /* Never an empty clinic in the place of a lost one: whoever came first would set it up anew. */
    char head[PATH_MAX];
    (void)snprintf(head, sizeof head, "%s/audit.head", clinic->home);
    if (is_new && reha_path_is_file(head)) {
        return reha_fail(
            err, REHA_E_NOT_FOUND,
            "%.80s: records.db is gone or empty, though there were records: bring it back, or restore "
            "a backup into a new folder (rehascope restore)",
            clinic->home);
    }
    REHA_TRY(reha_keys_load(path, is_new, &clinic->keys, err));
    const reha_status status = reha_store_open(database, &clinic->keys, false, &clinic->writer, err);
    REHA_TRY(status == REHA_E_STALE ? bring_forward(clinic, database, err) : status);
    REHA_TRY(reha_blobs_open(clinic->home, clinic->keys.blobs, &clinic->blobs, err));
    clinic_wipe_traces(clinic); /* if it fails, the records are whole and sealed; whoever works tries again */
    for (int i = 0; i < CLINIC_READERS; i++) {
        REHA_TRY(reha_store_open(database, &clinic->keys, false, &clinic->readers[i], err));
    }
    return REHA_OK;
}

static reha_status open_viewers(reha_clinic *clinic, reha_error *err)
{
    const reha_sandbox_options how = {.program = clinic->program,
                                      .models_folder = NULL,
                                      .memory_bytes = clinic->limits.worker_memory_bytes,
                                      .cpu_s = clinic->limits.worker_cpu_s,
                                      .wall_s = clinic->limits.worker_wall_s};
    for (int i = 0; i < CLINIC_VIEWERS; i++) {
        REHA_TRY(reha_sandbox_new(&how, &clinic->viewers[i], err));
    }
    return REHA_OK;
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

reha_status reha_clinic_open(const reha_clinic_options *options, reha_clinic **out, reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    reha_clinic *clinic = reha_alloc_zero(1, sizeof *clinic);
    if (clinic == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the clinic");
    }
    clinic->lock_fd = -1;
    clinic->limits = options->limits.upload_bytes_max > 0 ? options->limits : reha_clinic_limits_default();
    clinic->event_first = clinic->event_last = now_ms(); /* grows over restarts */
    REHA_CHECK(reha_secret_start(err));
    REHA_CHECK(make_locks(clinic, err));
    REHA_CHECK(choose_models(clinic, options, err));
    REHA_CHECK(open_home(clinic, options, err));
    REHA_CHECK(program_path(options->program, &clinic->program, err));
    REHA_CHECK(choose_inbox(clinic, options->inbox, options->inbox_task, err));
    REHA_CHECK(open_records(clinic, err));
    REHA_CHECK(open_viewers(clinic, err));
    if (options->with_workers) {
        REHA_CHECK(clinic_workers_start(clinic, err));
    }
    *out = clinic;
    clinic = NULL;
done:
    reha_clinic_close(clinic);
    return status;
}

void reha_clinic_close(reha_clinic *clinic)
{
    if (clinic == NULL) {
        return;
    }
    clinic_workers_stop(clinic);
    for (int i = 0; i < CLINIC_VIEWERS; i++) {
        reha_sandbox_free(clinic->viewers[i]);
    }
    for (int i = 0; i < CLINIC_READERS; i++) {
        reha_store_close(clinic->readers[i]);
    }
    reha_store_close(clinic->writer);
    reha_blobs_close(clinic->blobs);
    reha_mutex_free(clinic->write_lock);
    reha_mutex_free(clinic->read_lock);
    reha_mutex_free(clinic->hash_lock);
    reha_mutex_free(clinic->event_lock);
    reha_condition_free(clinic->reader_free);
    reha_condition_free(clinic->event_came);
    reha_condition_free(clinic->job_came);
    reha_condition_free(clinic->viewer_free);
    reha_free(clinic->models_folder);
    reha_free(clinic->program);
    reha_free(clinic->inbox);
    reha_free(clinic->inbox_task);
    reha_wipe(&clinic->keys, sizeof clinic->keys);
    reha_free(clinic);
}

/* ---- reading ---- */

reha_store *clinic_read(reha_clinic *clinic)
{
    reha_store *store = NULL;
    reha_mutex_lock(clinic->read_lock);
    while (store == NULL) {
        for (int i = 0; i < CLINIC_READERS && store == NULL; i++) {
            if (!clinic->reader_is_busy[i]) {
                clinic->reader_is_busy[i] = true;
                store = clinic->readers[i];
            }
        }
        if (store == NULL) {
            (void)reha_condition_wait(clinic->reader_free, clinic->read_lock, WAIT_MS);
        }
    }
    reha_mutex_unlock(clinic->read_lock);
    return store;
}

void clinic_read_end(reha_clinic *clinic, reha_store *store)
{
    reha_mutex_lock(clinic->read_lock);
    for (int i = 0; i < CLINIC_READERS; i++) {
        if (clinic->readers[i] == store) {
            clinic->reader_is_busy[i] = false;
        }
    }
    reha_condition_wake_all(clinic->reader_free);
    reha_mutex_unlock(clinic->read_lock);
}

reha_status clinic_rows(reha_clinic *clinic, reha_sql which, const reha_value *values, size_t count,
                        json_t **out, reha_error *err)
{
    reha_store *store = clinic_read(clinic);
    const reha_status status = reha_store_rows(store, which, values, count, out, err);
    clinic_read_end(clinic, store);
    return status;
}

reha_status clinic_row(reha_clinic *clinic, reha_sql which, const reha_value *values, size_t count,
                       const char *what, json_t **out, reha_error *err)
{
    reha_store *store = clinic_read(clinic);
    const reha_status status = reha_store_row(store, which, values, count, out, err);
    clinic_read_end(clinic, store);
    return status == REHA_E_NOT_FOUND ? reha_fail(err, status, "no such %s", what) : status;
}

/* ---- writing ---- */

reha_status clinic_begin(reha_clinic *clinic, bool durable, clinic_write *out, reha_error *err)
{
    *out = (clinic_write){.clinic = clinic};
    reha_mutex_lock(clinic->write_lock);
    const reha_status status = reha_store_begin(clinic->writer, durable, err);
    if (status != REHA_OK) {
        reha_mutex_unlock(clinic->write_lock);
        return status;
    }
    out->store = clinic->writer;
    return REHA_OK;
}

reha_status clinic_note(clinic_write *write, const reha_actor *actor, const char *action, const char *entity,
                        const char *id, json_t *detail, reha_error *err)
{
    char *text = detail != NULL ? json_dumps(detail, JSON_COMPACT) : NULL;
    const reha_audit_event event = {.user_id = actor->user_id,
                                    .role = reha_role_name(actor->role),
                                    .action = action,
                                    .entity = entity,
                                    .entity_id = id,
                                    .detail = text};
    const reha_status status =
        reha_audit_append(write->store, write->clinic->keys.audit, &event, &write->head, err);
    json_decref(detail);
    free(text); /* allowed: jansson's */
    return status;
}

reha_status clinic_end(clinic_write *write, reha_status status, reha_error *err)
{
    if (write->store == NULL) {
        return status;
    }
    reha_clinic *clinic = write->clinic;
    if (status == REHA_OK) {
        status = reha_store_commit(write->store, err);
    } else {
        reha_store_rollback(write->store);
    }
    if (status == REHA_OK && write->head.no > 0) {
        char path[PATH_MAX];
        (void)snprintf(path, sizeof path, "%s/audit.head", clinic->home);
        /* The change is committed: a copy that lags is no reason to deny it. */
        if (reha_audit_note_head(path, clinic->keys.audit, &write->head, NULL) != REHA_OK) {
            reha_log(REHA_LOG_ERROR, "audit.head", "event=%lld reason=unwritable", (long long)write->head.no);
        }
    }
    write->store = NULL;
    reha_mutex_unlock(clinic->write_lock);
    return status;
}

reha_status clinic_end_with(clinic_write *write, reha_status status, json_t **out, reha_error *err)
{
    status = clinic_end(write, status, err);
    if (status != REHA_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

static uint64_t mix(uint64_t hash, const char *text)
{
    return reha_hash64(hash, text, strlen(text) + 1); /* with its end: "a", "bc" is not "ab", "c" */
}

reha_status clinic_saw(reha_clinic *clinic, const reha_actor *actor, const char *action, const char *entity,
                       const char *id, reha_error *err)
{
    const double at_ms = reha_clock_ms();
    const uint64_t what =
        mix(mix(mix(mix(REHA_HASH64_START, actor->user_id), actor->session_id), action), id);
    clinic_seen *slot = &clinic->seen[what % CLINIC_SEEN];
    reha_mutex_lock(clinic->event_lock);
    const bool is_known = slot->what == what && at_ms - slot->at_ms < SEEN_AGAIN_MS;
    if (!is_known) {
        *slot = (clinic_seen){what, at_ms};
    }
    reha_mutex_unlock(clinic->event_lock);
    if (is_known) {
        return REHA_OK;
    }
    clinic_write write;
    reha_status status = clinic_begin(clinic, false, &write, err);
    if (status == REHA_OK) {
        status = clinic_end(&write, clinic_note(&write, actor, action, entity, id, NULL, err), err);
    }
    if (status != REHA_OK) { /* not recorded: the next look must be */
        reha_mutex_lock(clinic->event_lock);
        slot->what = 0;
        reha_mutex_unlock(clinic->event_lock);
    }
    return status;
}

/* ---- looking at images ---- */

/* One is always left for those who look at images, however many files arrive. */
static int take_viewer(reha_clinic *clinic, bool is_upload)
{
    int taken = -1;
    reha_mutex_lock(clinic->event_lock);
    while (taken < 0) {
        const bool may = !is_upload || clinic->viewers_of_uploads < CLINIC_VIEWERS - 1;
        for (int i = 0; i < CLINIC_VIEWERS && may && taken < 0; i++) {
            taken = clinic->viewer_is_busy[i] ? -1 : i;
        }
        if (taken < 0) {
            (void)reha_condition_wait(clinic->viewer_free, clinic->event_lock, WAIT_MS);
        }
    }
    clinic->viewer_is_busy[taken] = true;
    clinic->viewers_of_uploads += is_upload ? 1 : 0;
    reha_mutex_unlock(clinic->event_lock);
    return taken;
}

reha_status clinic_view(reha_clinic *clinic, const json_t *request, const void *bytes, size_t count,
                        reha_sandbox_answer *out, reha_error *err)
{
    const bool is_upload = strcmp(reha_json_string(request, "op", ""), "inspect") == 0;
    const int viewer = take_viewer(clinic, is_upload);
    const reha_status status =
        reha_sandbox_run(clinic->viewers[viewer], request, bytes, count, NULL, NULL, out, err);
    reha_mutex_lock(clinic->event_lock);
    clinic->viewer_is_busy[viewer] = false;
    clinic->viewers_of_uploads -= is_upload ? 1 : 0;
    reha_condition_wake_all(clinic->viewer_free);
    reha_mutex_unlock(clinic->event_lock);
    return status;
}

/* ---- events ---- */

static void put_id(char out[REHA_ID_BYTES], const char *id)
{
    (void)snprintf(out, REHA_ID_BYTES, "%s", id != NULL ? id : "");
}

void clinic_event_add(reha_clinic *clinic, const char *kind, const char *study_id, const char *image_id,
                      const char *job_id, const char *state)
{
    reha_mutex_lock(clinic->event_lock);
    const int64_t no = ++clinic->event_last;
    clinic_event *event = &clinic->events[no % CLINIC_EVENTS];
    *event = (clinic_event){.no = no, .kind = kind, .state = state};
    put_id(event->study_id, study_id);
    put_id(event->image_id, image_id);
    put_id(event->job_id, job_id);
    reha_condition_wake_all(clinic->event_came);
    reha_mutex_unlock(clinic->event_lock);
}

static json_t *event_json(const clinic_event *event)
{
    return json_pack("{s:I, s:s, s:s?, s:s?, s:s?, s:s?, s:s?}", "no", (json_int_t)event->no, "kind",
                     event->kind, "study_id", event->study_id[0] != '\0' ? event->study_id : NULL, "image_id",
                     event->image_id[0] != '\0' ? event->image_id : NULL, "job_id",
                     event->job_id[0] != '\0' ? event->job_id : NULL, "patient_id",
                     event->patient_id[0] != '\0' ? event->patient_id : NULL, "state", event->state);
}

reha_status reha_clinic_events(reha_clinic *clinic, const reha_actor *actor, int64_t after, int timeout_ms,
                               json_t **out, reha_error *err)
{
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    json_t *items = json_array();
    const double until_ms = reha_clock_ms() + timeout_ms;
    bool is_ok = items != NULL;
    reha_mutex_lock(clinic->event_lock);
    while (after > 0 && clinic->event_last <= after && !clinic->is_waking) {
        const double left_ms = until_ms - reha_clock_ms();
        if (left_ms <= 0.0) {
            break;
        }
        (void)reha_condition_wait(clinic->event_came, clinic->event_lock, (int)left_ms + 1);
    }
    const int64_t last = clinic->event_last;
    const int64_t kept_after =
        last - CLINIC_EVENTS > clinic->event_first ? last - CLINIC_EVENTS : clinic->event_first;
    const bool lost = after > 0 && after < kept_after;
    for (int64_t no = after > kept_after ? after + 1 : kept_after + 1; after > 0 && no <= last; no++) {
        is_ok = is_ok && json_array_append_new(items, event_json(&clinic->events[no % CLINIC_EVENTS])) == 0;
    }
    reha_mutex_unlock(clinic->event_lock);
    *out = json_pack("{s:I, s:b, s:o}", "last", (json_int_t)last, "lost", lost ? 1 : 0, "items", items);
    if (!is_ok || *out == NULL) {
        json_decref(*out);
        *out = NULL;
        return reha_fail(err, REHA_E_NOMEM, "out of memory for events");
    }
    return REHA_OK;
}

void reha_clinic_wake(reha_clinic *clinic)
{
    reha_mutex_lock(clinic->event_lock);
    clinic->is_waking = true;
    reha_condition_wake_all(clinic->event_came);
    reha_mutex_unlock(clinic->event_lock);
}
