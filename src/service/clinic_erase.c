/* Erasing a patient: who may, what must be said, and the order in which it is done (docs/adr/0022). */
#include "service/clinic_priv.h"

#include "base/log.h"
#include "store/erase.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { PSEUDONYM_BYTES = 120 };

/* A fixed choice, because it stands in the audit chain for ever: a free text would bring the name back. */
static const char REASONS[] = "request keeping-over no-basis mistake";

/* Under the writing lock: nobody else of this process writes meanwhile. */
static bool wipe(reha_clinic *clinic)
{
    reha_mutex_lock(clinic->write_lock);
    const reha_status status = reha_erase_traces(clinic->writer, clinic->blobs, NULL);
    clinic->has_traces = status != REHA_OK;
    reha_mutex_unlock(clinic->write_lock);
    if (status != REHA_OK) {
        reha_log(REHA_LOG_WARN, "records.unswept", "status=%s", reha_status_name(status));
    }
    return status == REHA_OK;
}

void clinic_wipe_traces(reha_clinic *clinic)
{
    (void)wipe(clinic);
}

void clinic_wipe_again(reha_clinic *clinic)
{
    reha_mutex_lock(clinic->write_lock);
    const bool has_traces = clinic->has_traces;
    reha_mutex_unlock(clinic->write_lock);
    if (has_traces) {
        (void)wipe(clinic);
    }
}

/* The lock of whoever works on jobs, for as long as the erasing takes; -1: somebody works, here or elsewhere.
 */
static int hold_work(const reha_clinic *clinic)
{
    char path[PATH_MAX];
    if (clinic->lock_fd >= 0) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/worker.lock", clinic->home);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static reha_status check_patient(reha_store *store, const reha_actor *actor, const char *id,
                                 int64_t if_version, const char *pseudonym, reha_error *err)
{
    json_t *row = NULL;
    REHA_TRY(reha_store_row(store, REHA_SQL_PATIENT, REHA_BIND(clinic_identity(actor), reha_of_text(id)),
                            &row, err));
    reha_status status = clinic_version(row, if_version, err);
    if (status == REHA_OK && strcmp(pseudonym, reha_json_string(row, "pseudonym", "")) != 0) {
        status = reha_fail(err, REHA_E_ARG,
                           "'pseudonym' is not that of this patient: type it as it stands in the record; "
                           "nothing was erased");
    }
    json_decref(row);
    return status;
}

/* A job that stands as running while nobody works (and a report as being sent) was left by a stopped process;
 * those that wait go with the patient. */
static reha_status erase_records(clinic_write *write, const char *id, reha_erasure *found, reha_error *err)
{
    const int held = hold_work(write->clinic);
    reha_status status = reha_erase_records(write->store, id, found, err);
    if (status == REHA_OK && (found->running > 0 || found->sending > 0) && held < 0) {
        status = reha_fail(err, REHA_E_CONFLICT, "%s: nothing was erased; try again when it is done",
                           found->running > 0 ? "an image of the patient is being analysed"
                                              : "a report on the patient is being sent to the archive");
    }
    if (held >= 0) {
        (void)close(held);
    }
    return status;
}

reha_status reha_clinic_erase(reha_clinic *clinic, const reha_actor *actor, const char *patient,
                              int64_t if_version, const json_t *in, json_t **out, reha_error *err)
{
    const char *pseudonym = NULL, *reason = NULL;
    char id[REHA_ID_BYTES] = "";
    reha_erasure found = {.studies = 0};
    clinic_write write;
    json_t *row = NULL;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_ADMINISTER, err));
    REHA_TRY(clinic_check_members(in, "pseudonym reason", err));
    REHA_TRY(clinic_text(in, "pseudonym", true, PSEUDONYM_BYTES, &pseudonym, err));
    REHA_TRY(clinic_word(in, "reason", true, REASONS, &reason, err));
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    reha_status status = reha_store_row(write.store, REHA_SQL_PATIENT_BY_PSEUDONYM,
                                        REHA_BIND(reha_of_text(patient)), &row, err);
    if (status == REHA_E_NOT_FOUND) {
        (void)reha_fail(err, status, "no such patient");
    }
    REHA_CHECK(status);
    (void)snprintf(id, sizeof id, "%s", reha_json_string(row, "id", ""));
    REHA_CHECK(check_patient(write.store, actor, id, if_version, pseudonym, err));
    REHA_CHECK(erase_records(&write, id, &found, err));
    REHA_CHECK(
        clinic_note(&write, actor, "patient.erase", "patient", id,
                    json_pack("{s:s, s:I, s:I, s:I}", "reason", reason, "studies", (json_int_t)found.studies,
                              "images", (json_int_t)found.images, "sent", (json_int_t)found.sent),
                    err));
done:
    json_decref(row);
    REHA_TRY(clinic_end(&write, status, err));
    reha_log(REHA_LOG_INFO, "patient.erased", "patient=%s studies=%lld images=%lld", id,
             (long long)found.studies, (long long)found.images);
    /* From here on it is erased whatever happens: what cannot be wiped now is wiped later. */
    const bool is_wiped = wipe(clinic);
    clinic_event_add(clinic, "patient", NULL, NULL, NULL, "erased");
    *out = json_pack("{s:s, s:s, s:I, s:I, s:I, s:b}", "patient_id", id, "reason", reason, "studies",
                     (json_int_t)found.studies, "images", (json_int_t)found.images, "sent",
                     (json_int_t)found.sent, "wiped", is_wiped ? 1 : 0);
    return *out != NULL ? REHA_OK
                        : reha_fail(err, REHA_E_NOMEM, "the patient is erased; out of memory for the report");
}

bool reha_clinic_has_image(reha_clinic *clinic, const char *image_id)
{
    json_t *row = NULL;
    const reha_status status =
        clinic_row(clinic, REHA_SQL_IMAGE, REHA_BIND(reha_of_text(image_id)), "image", &row, NULL);
    json_decref(row);
    return status == REHA_OK;
}
