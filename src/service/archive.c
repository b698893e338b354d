/* The thread that empties the outbox. */
#include "service/archive_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sync.h"
#include "service/clinic_priv.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { LOOK_MS = 1000 };

struct reha_archive {
    archive_settings settings;
    reha_clinic *clinic;
    reha_thread *sender;
    reha_mutex *lock;
    reha_condition *stopped;
    bool is_stopping; /* with the lock */
    pid_t pid;        /* with the lock: of a running call; 0: none */
};

reha_archive_limits reha_archive_limits_default(void)
{
    return (reha_archive_limits){.refusals_max = 8,
                                 .tries_max = 200,
                                 .pause_first_s = 30,
                                 .pause_max_s = 3600,
                                 .connect_s = 10.0,
                                 .answer_s = 60.0,
                                 .call_s = 600.0,
                                 .memory_bytes = (size_t)1 << 30,
                                 .cpu_s = 120.0};
}

static clinic_address address_of(const reha_archive *archive)
{
    const reha_remote *remote = &archive->settings.remote;
    return (clinic_address){remote->ae_title, remote->host, remote->port};
}

static clinic_patience patience_of(const reha_archive *archive)
{
    const reha_archive_limits *limits = &archive->settings.limits;
    return (clinic_patience){limits->refusals_max, limits->tries_max, limits->pause_first_s,
                             limits->pause_max_s};
}

static void remember(void *context, pid_t pid)
{
    reha_archive *self = context;
    reha_mutex_lock(self->lock);
    self->pid = pid;
    if (pid > 0 && self->is_stopping) {
        (void)kill(pid, SIGKILL);
    }
    reha_mutex_unlock(self->lock);
}

/* False: the end has come. */
static bool wait_a_while(reha_archive *archive, int wait_ms)
{
    reha_mutex_lock(archive->lock);
    if (!archive->is_stopping && wait_ms > 0) {
        (void)reha_condition_wait(archive->stopped, archive->lock, wait_ms);
    }
    const bool goes_on = !archive->is_stopping;
    reha_mutex_unlock(archive->lock);
    return goes_on;
}

/* ---- one report ---- */

/* What the call means for the report, and for the others that wait. */
static void judge(const reha_export *objects, const archive_fate *fates, reha_status called,
                  const reha_error *fault, bool *arrived, clinic_setback *out)
{
    *out = (clinic_setback){.objects = objects, .arrived = arrived};
    for (size_t i = 0; i < objects->count; i++) {
        arrived[i] = fates[i].status == REHA_OK;
        out->arrived_count += arrived[i] ? 1 : 0;
        if (called == REHA_OK && !arrived[i] && out->fault.status == REHA_OK) {
            (void)reha_fail(&out->fault, fates[i].status, "%s: %.200s", objects->files[i].name,
                            fates[i].text);
            out->is_refusal = true;
        }
    }
    if (called != REHA_OK) {
        out->fault = *fault;
        /* One that took a part is there: only this report waits. */
        out->is_for_all = out->arrived_count == 0;
        out->is_refusal = called == REHA_E_DENIED || called == REHA_E_UNSUPPORTED || called == REHA_E_ARG;
    }
}

static reha_status send_objects(reha_archive *archive, const clinic_letter *letter,
                                const reha_export *objects, reha_error *err)
{
    const clinic_address to = address_of(archive);
    const clinic_patience patience = patience_of(archive);
    reha_error fault = REHA_ERROR_INIT;
    clinic_setback setback;
    archive_fate *fates = reha_alloc_zero(objects->count + 1, sizeof *fates);
    bool *arrived = reha_alloc_zero(objects->count + 1, sizeof *arrived);
    reha_status status = REHA_E_NOMEM;
    if (fates != NULL && arrived != NULL) {
        const reha_status called =
            archive_call(&archive->settings, objects, fates, remember, archive, &fault);
        judge(objects, fates, called, &fault, arrived, &setback);
        status = called == REHA_OK && setback.arrived_count == objects->count
                     ? clinic_outbox_sent(archive->clinic, letter, &to, objects, err)
                     : clinic_outbox_later(archive->clinic, letter, &to, &setback, &patience, err);
        reha_log(setback.fault.status == REHA_OK ? REHA_LOG_INFO : REHA_LOG_WARN, "archive.call",
                 "to=%s signature=%s objects=%zu arrived=%zu try=%d status=%s", to.host, letter->signature_id,
                 objects->count, setback.arrived_count, (int)letter->tries + 1,
                 reha_status_name(setback.fault.status));
    }
    reha_free(fates);
    reha_free(arrived);
    return status;
}

/* Faults of the record last until somebody changes it; others of ours may pass. */
static reha_status explain_unmade(reha_archive *archive, const clinic_letter *letter, const reha_error *why,
                                  reha_error *err)
{
    const clinic_address to = address_of(archive);
    const clinic_patience patience = patience_of(archive);
    const clinic_setback setback = {.fault = *why};
    switch (why->status) {
    case REHA_E_STALE: /* withdrawn, or erased */
    case REHA_E_NOT_FOUND:
        return clinic_outbox_end(archive->clinic, letter, &to, false, why, err);
    case REHA_E_CONFLICT:
    case REHA_E_FORMAT:
    case REHA_E_UNSUPPORTED:
    case REHA_E_LIMIT:
    case REHA_E_REFUSED:
    case REHA_E_TAMPERED:
        reha_log(REHA_LOG_WARN, "archive.unmade", "signature=%s status=%s", letter->signature_id,
                 reha_status_name(why->status));
        return clinic_outbox_end(archive->clinic, letter, &to, true, why, err);
    default:
        return clinic_outbox_later(archive->clinic, letter, &to, &setback, &patience, err);
    }
}

static reha_status deliver(reha_archive *archive, const clinic_letter *letter, reha_error *err)
{
    reha_error why = REHA_ERROR_INIT;
    reha_export objects = {.files = NULL};
    if (clinic_export_signed(archive->clinic, letter->study_id, letter->signature_id, &objects, &why) !=
        REHA_OK) {
        return explain_unmade(archive, letter, &why, err);
    }
    const reha_status status = send_objects(archive, letter, &objects, err);
    reha_export_clear(&objects);
    return status;
}

/* What could not be noted (a full disk) is taken up again before anything else is. */
static void send_all(void *context)
{
    reha_archive *archive = context;
    const clinic_address to = address_of(archive);
    const clinic_patience patience = patience_of(archive);
    bool is_noted = false;
    int wait_ms = 0;
    while (wait_a_while(archive, wait_ms)) {
        clinic_letter letter;
        reha_error err = REHA_ERROR_INIT;
        wait_ms = LOOK_MS;
        if (!is_noted) {
            is_noted = clinic_outbox_resume(archive->clinic, &to, &patience, &err) == REHA_OK;
            continue;
        }
        const reha_status taken = clinic_outbox_take(archive->clinic, &letter, &err);
        if (taken == REHA_E_NOT_FOUND) {
            continue;
        }
        if (taken != REHA_OK || deliver(archive, &letter, &err) != REHA_OK) {
            reha_log(REHA_LOG_ERROR, "archive.unrecorded", "status=%s", reha_status_name(err.status));
            is_noted = taken != REHA_OK;
            continue;
        }
        wait_ms = 0;
    }
}

/* ---- open and close ---- */

reha_status reha_archive_open(reha_clinic *clinic, const reha_archive_options *options, reha_archive **out,
                              reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    reha_archive *archive = reha_alloc_zero(1, sizeof *archive);
    if (archive == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the archive");
    }
    archive->clinic = clinic;
    REHA_CHECK(archive_settings_make(&archive->settings, options, err));
    REHA_CHECK(reha_mutex_new(&archive->lock, err));
    REHA_CHECK(reha_condition_new(&archive->stopped, err));
    const clinic_address to = address_of(archive);
    clinic_outbox_open(clinic, &to);
    REHA_CHECK(reha_thread_start(send_all, archive, &archive->sender, err));
    reha_log(REHA_LOG_INFO, "archive.start", "to=%s port=%d tls=%d", archive->settings.remote.host,
             archive->settings.remote.port, archive->settings.key != NULL ? 1 : 0);
    *out = archive;
    archive = NULL;
done:
    reha_archive_close(archive);
    return status;
}

void reha_archive_close(reha_archive *archive)
{
    if (archive == NULL) {
        return;
    }
    if (archive->sender != NULL) {
        reha_mutex_lock(archive->lock);
        archive->is_stopping = true;
        if (archive->pid > 0) {
            (void)kill(archive->pid, SIGKILL);
        }
        reha_condition_wake_all(archive->stopped);
        reha_mutex_unlock(archive->lock);
        reha_thread_join(archive->sender);
    }
    reha_condition_free(archive->stopped);
    reha_mutex_free(archive->lock);
    archive_settings_clear(&archive->settings);
    reha_free(archive);
}
