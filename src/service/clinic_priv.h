/* What the files of the clinic's use cases share: the handle, transactions with their audit events, checked
 * inputs. */
#ifndef REHA_SERVICE_CLINIC_PRIV_H
#define REHA_SERVICE_CLINIC_PRIV_H

#include "base/sync.h"
#include "service/clinic.h"
#include "service/sandbox.h"
#include "store/audit.h"
#include "store/blob.h"
#include "store/store.h"

#include <limits.h>
#include <stdatomic.h>

enum {
    CLINIC_READERS = 4,
    CLINIC_SEEN = 1024,
    CLINIC_EVENTS = 1024,
    CLINIC_VIEWERS = 2,
    CLINIC_PLACE_BYTES = 300
};

typedef struct clinic_event {
    int64_t no;
    const char *kind; /* static */
    char study_id[REHA_ID_BYTES], image_id[REHA_ID_BYTES], job_id[REHA_ID_BYTES], patient_id[REHA_ID_BYTES];
    const char *state; /* static; NULL: none */
} clinic_event;

typedef struct clinic_seen { /* "this session saw this lately": such a look is in the audit log already */
    uint64_t what;
    double at_ms;
} clinic_seen;

struct reha_clinic {
    char home[PATH_MAX - 256];
    reha_clinic_limits limits;
    char *models_folder; /* owned */
    char *program;       /* owned */
    char *inbox;         /* owned */
    char *inbox_task;    /* owned; NULL: none */
    reha_keys keys;
    reha_blobs *blobs;
    reha_mutex *write_lock; /* guards writer */
    reha_store *writer;
    atomic_bool has_outbox; /* signatures put their reports into it */
    bool has_traces; /* with write_lock: of an erased patient, which could not be wiped when they should */
    reha_mutex *read_lock; /* guards reader_is_busy */
    reha_condition *reader_free;
    reha_store *readers[CLINIC_READERS];
    bool reader_is_busy[CLINIC_READERS];
    reha_mutex *hash_lock;  /* one password at a time: 64 MiB and 0.1 s each */
    reha_mutex *event_lock; /* guards the events, what was seen, the worker's flags */
    reha_condition *event_came;
    clinic_event events[CLINIC_EVENTS];
    int64_t event_first, event_last; /* numbers of this process are after event_first */
    bool is_waking;
    clinic_seen seen[CLINIC_SEEN];
    reha_condition
        *viewer_free; /* with event_lock, which guards the flags; whoever holds a viewer is alone with it */
    reha_sandbox *viewers[CLINIC_VIEWERS];
    bool viewer_is_busy[CLINIC_VIEWERS];
    int viewers_of_uploads;
    reha_thread *supervisor;  /* NULL without workers */
    reha_condition *job_came; /* with event_lock */
    bool is_stopping;
    int lock_fd;                      /* of the one process that works on jobs; -1 */
    char archive[CLINIC_PLACE_BYTES]; /* "PACS@host:104"; written before has_outbox is true */
};

/* ---- roles ---- */

REHA_MUST_USE reha_status clinic_may(const reha_actor *actor, reha_permission permission, reha_error *err);
static inline reha_value
clinic_identity(const reha_actor *actor) /* whether names may be read: ?1 of the statements */
{
    return reha_of_int(reha_role_may(actor->role, REHA_MAY_IDENTITY) ? 1 : 0);
}

/* Until when an account or a token waits after so many failures in a row (limits.sign_in_tries); 0: it does
 * not. */
int64_t clinic_locked_until_s(const reha_clinic *clinic, int64_t tries);

/* ---- reading and writing ---- */

reha_store *clinic_read(reha_clinic *clinic); /* waits for a free connection */
void clinic_read_end(reha_clinic *clinic, reha_store *store);
/* One read with one statement, for use cases that are no more than that. */
REHA_MUST_USE reha_status clinic_rows(reha_clinic *clinic, reha_sql which, const reha_value *values,
                                      size_t count, json_t **out, reha_error *err);
REHA_MUST_USE reha_status clinic_row(reha_clinic *clinic, reha_sql which, const reha_value *values,
                                     size_t count, const char *what, json_t **out, reha_error *err);

typedef struct clinic_write {
    reha_clinic *clinic;
    reha_store *store; /* NULL: not begun */
    reha_audit_head head;
} clinic_write;
/* Takes the writing lock; every path after it must reach clinic_end. */
REHA_MUST_USE reha_status clinic_begin(reha_clinic *clinic, bool durable, clinic_write *out, reha_error *err);
/* The audit event of this change; `detail` (may be NULL) is taken, holds ids and words only, never a name. */
REHA_MUST_USE reha_status clinic_note(clinic_write *write, const reha_actor *actor, const char *action,
                                      const char *entity, const char *id, json_t *detail, reha_error *err);
/* Commits if status is REHA_OK, else undoes; gives the lock back; returns the status of it all. */
REHA_MUST_USE reha_status clinic_end(clinic_write *write, reha_status status, reha_error *err);
/* As clinic_end; on failure the output is given up. */
REHA_MUST_USE reha_status clinic_end_with(clinic_write *write, reha_status status, json_t **out,
                                          reha_error *err);
/* An audit event of its own for something that was seen; the same look again within 10 minutes is none. */
REHA_MUST_USE reha_status clinic_saw(reha_clinic *clinic, const reha_actor *actor, const char *action,
                                     const char *entity, const char *id, reha_error *err);

/* ---- checked inputs: the text of a fault names the member ---- */

/* `members`: "name password role", all that may occur. */
REHA_MUST_USE reha_status clinic_check_members(const json_t *in, const char *members, reha_error *err);
/* *out is NULL if absent, null or "" (an error if `needed`); otherwise borrowed, at most `bytes_max`, no
 * control characters other than line ends. */
REHA_MUST_USE reha_status clinic_text(const json_t *in, const char *key, bool needed, size_t bytes_max,
                                      const char **out, reha_error *err);
REHA_MUST_USE reha_status clinic_date(const json_t *in, const char *key, bool needed, const char **out,
                                      reha_error *err);
/* One of the words; "" separated by blanks. */
REHA_MUST_USE reha_status clinic_word(const json_t *in, const char *key, bool needed, const char *words,
                                      const char **out, reha_error *err);
/* NaN if absent or null. */
REHA_MUST_USE reha_status clinic_number(const json_t *in, const char *key, bool needed, double low,
                                        double high, double *out, reha_error *err);
REHA_MUST_USE reha_status clinic_version(const json_t *row, int64_t if_version, reha_error *err);
bool clinic_is_date(const char *text);
int clinic_limit(const reha_clinic *clinic, const reha_query *query);
/* {"items","next","total"}; takes `rows`, cut to `limit` (one more was asked for); `cursor` makes the next
 * cursor from the last kept row. */
REHA_MUST_USE reha_status clinic_page(json_t *rows, int limit, int64_t total,
                                      const char *cursor_of(const json_t *row, char *text), json_t **out,
                                      reha_error *err);
enum { CLINIC_CURSOR_BYTES = 64 };

/* ---- shared pieces ---- */

void clinic_event_add(reha_clinic *clinic, const char *kind, const char *study_id, const char *image_id,
                      const char *job_id, const char *state);
/* Runs one request in a sandbox for looking at images (no models). */
REHA_MUST_USE reha_status clinic_view(reha_clinic *clinic, const json_t *request, const void *bytes,
                                      size_t count, reha_sandbox_answer *out, reha_error *err);
/* The study as clinic.h gives it, without a check or an audit event. */
REHA_MUST_USE reha_status clinic_study_read(reha_store *store, const reha_actor *actor, const char *id,
                                            json_t **out, reha_error *err);
/* A result with reviews and pictures, and who set it aside. */
REHA_MUST_USE reha_status clinic_result_read(reha_store *store, const char *id, json_t **out,
                                             reha_error *err);
/* REHA_E_CONFLICT unless people may still decide on this result of the study: it stands, and the study is not
 * signed. */
REHA_MUST_USE reha_status clinic_check_open(const json_t *study, const json_t *result, reha_error *err);
/* In a transaction: a patient; `external_mac` (may be NULL) stands for the identity of another system. */
REHA_MUST_USE reha_status clinic_patient_make(clinic_write *write, const reha_actor *actor, const json_t *in,
                                              const char *external_mac, char id[REHA_ID_BYTES],
                                              reha_error *err);
/* In a transaction: one more job for an image; `task` NULL: the program chooses. */
REHA_MUST_USE reha_status clinic_job_add(clinic_write *write, const char *image_id, const char *task,
                                         char job_id[REHA_ID_BYTES], reha_error *err);
enum { CLINIC_TASK_BYTES = 39, CLINIC_KEY_BYTES = 128 };
/* Whether this task can be asked for here (clinic.h); NULL can. */
REHA_MUST_USE reha_status clinic_check_task(const reha_clinic *clinic, const char *task, reha_error *err);
/* clinic_answers.c: answers by idempotency key. find: *out NULL if the key is new (or NULL); REHA_E_CONFLICT:
 * it stands for another request, which `digest` tells. keep: the first answer stays. */
REHA_MUST_USE reha_status clinic_check_key(const char *key, reha_error *err);
REHA_MUST_USE reha_status clinic_answer_find(reha_store *store, const reha_actor *actor, const char *key,
                                             const char *digest, json_t **out, reha_error *err);
REHA_MUST_USE reha_status clinic_answer_keep(reha_store *store, const reha_actor *actor, const char *key,
                                             const char *digest, const json_t *answer, reha_error *err);
void clinic_job_wake(reha_clinic *clinic);
void clinic_wipe_traces(
    reha_clinic *clinic); /* of erased patients, and of columns that were sealed: at the start */
void clinic_wipe_again(reha_clinic *clinic); /* if there are some that this process could not wipe */
/* Of an image that a former version stored; false: there is none left, or it cannot be read now. */
bool clinic_read_one_head(reha_clinic *clinic);
void clinic_watch(reha_clinic *clinic); /* one look into the watched folder */
REHA_MUST_USE reha_status clinic_workers_start(reha_clinic *clinic, reha_error *err);
void clinic_workers_stop(reha_clinic *clinic);
/* One file of known content: stored, duplicate or refused; *item is always made (an upload answer's item),
 * and the status is that of our own faults only. */
REHA_MUST_USE reha_status clinic_ingest(reha_clinic *clinic, const reha_actor *actor,
                                        const reha_upload_options *options, const char *name,
                                        const uint8_t *bytes, size_t count, char study_id[REHA_ID_BYTES],
                                        json_t **item, reha_error *err);
/* Adds up the items of an answer: REHA_OK if one was stored or known, else the first item's error. */
REHA_MUST_USE reha_status clinic_answer(json_t *items, json_t **out, reha_error *err);
reha_actor clinic_system_actor(void);

/* ---- what goes to the archive (clinic_outbox.c, archive.h) ---- */

/* In the transaction of a signature: its report, if the outbox is open. */
REHA_MUST_USE reha_status clinic_outbox_add(clinic_write *write, const json_t *study,
                                            const char *signature_id, reha_error *err);
/* In the transaction of a withdrawal: what was not sent yet is not sent any more. */
REHA_MUST_USE reha_status clinic_outbox_drop(clinic_write *write, const char *study_id, reha_error *err);

typedef struct clinic_address { /* of the archive; borrowed */
    const char *ae_title, *host;
    int port;
} clinic_address;
/* From here on signatures fill it. Once, before anybody can sign. */
void clinic_outbox_open(reha_clinic *clinic, const clinic_address *to);
typedef struct clinic_patience {
    int refusals_max, tries_max, pause_first_s, pause_max_s;
} clinic_patience;
typedef struct clinic_letter { /* a signed report that was taken to be sent */
    char signature_id[REHA_ID_BYTES], study_id[REHA_ID_BYTES];
    int64_t tries; /* before this one */
} clinic_letter;
typedef struct clinic_setback { /* it was not sent, or not all of it */
    bool is_for_all;            /* so is everything that is due: the archive could not be spoken to */
    bool is_refusal;
    reha_error fault;
    const reha_export *objects; /* with arrived; borrowed */
    const bool *arrived;        /* which of them the archive has */
    size_t arrived_count;
} clinic_setback;
/* Gives back what a stopped process had taken. */
REHA_MUST_USE reha_status clinic_outbox_resume(reha_clinic *clinic, const clinic_address *to,
                                               const clinic_patience *patience, reha_error *err);
/* REHA_E_NOT_FOUND: nothing is due. One of the four below gives it back; so does clinic_outbox_resume. */
REHA_MUST_USE reha_status clinic_outbox_take(reha_clinic *clinic, clinic_letter *out, reha_error *err);
/* Its objects. REHA_E_STALE: the signature is not in force any more; others as reha_clinic_export. No audit
 * event: that is for what leaves. */
REHA_MUST_USE reha_status clinic_export_signed(reha_clinic *clinic, const char *study_id,
                                               const char *signature_id, reha_export *out, reha_error *err);
REHA_MUST_USE reha_status clinic_outbox_sent(reha_clinic *clinic, const clinic_letter *letter,
                                             const clinic_address *to, const reha_export *objects,
                                             reha_error *err);
REHA_MUST_USE reha_status clinic_outbox_later(reha_clinic *clinic, const clinic_letter *letter,
                                              const clinic_address *to, const clinic_setback *setback,
                                              const clinic_patience *patience, reha_error *err);
/* For good: failed, or (no fault) there is nothing to send. */
REHA_MUST_USE reha_status clinic_outbox_end(reha_clinic *clinic, const clinic_letter *letter,
                                            const clinic_address *to, bool is_fault, const reha_error *why,
                                            reha_error *err);

#endif
