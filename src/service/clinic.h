/* The clinic: every use case that a page, the command line or a program can ask for. The only door to the
 * records: web and app know no table and no file of the home folder.
 *
 * Every use case takes the actor, enforces the role itself (reha_role_may) and writes its own audit event, in
 * the same transaction as the change. The faults that all share: REHA_E_DENIED      the role may not do this
 *   REHA_E_NOT_FOUND   no such record
 *   REHA_E_ARG         a member is missing, of a wrong type or out of range; the text names it
 *   REHA_E_STALE       `if_version` is not the record's version any more: read again; nothing was changed
 *   REHA_E_CONFLICT    it exists already, or its state does not allow this (the text says why)
 * What was acknowledged (REHA_OK) is on disk: it survives kill -9 and a power cut. JSON that goes in and out
 * is described in docs/formats/records.md; outputs are new references (json_decref). Unknown members of
 * inputs are REHA_E_ARG, so that a misspelt one is not lost in silence.
 *
 * Threads: a reha_clinic is internally locked: any thread, several at once. A reha_upload: one thread at a
 * time. */
#ifndef REHA_SERVICE_CLINIC_H
#define REHA_SERVICE_CLINIC_H

#include "base/json.h"
#include "base/status.h"
#include "service/export.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reha_clinic reha_clinic;

/* ---- who asks ---- */

typedef enum reha_role {
    REHA_ROLE_NONE = 0,        /* nobody signed in: may nothing */
    REHA_ROLE_PHYSIOTHERAPIST, /* the clinician: patients, uploads, review, signature, plans */
    REHA_ROLE_REVIEWER,        /* reads, uploads, reviews and signs; changes no patient and no plan */
    REHA_ROLE_ADMINISTRATOR,   /* users, settings, audit log, backup, uploads, patients; signs nothing */
    REHA_ROLE_RESEARCHER,      /* reads under the pseudonym only (names are null) and exports results */
    REHA_ROLE_READ_ONLY,       /* reads */
    REHA_ROLE_LOCAL,           /* the command line of somebody who can read the key file; signs nothing */
    REHA_ROLE_COUNT
} reha_role;
const char *reha_role_name(reha_role role); /* "none", "physiotherapist", "reviewer", "administrator", ... */
reha_role reha_role_find(const char *name); /* NONE if unknown; LOCAL and NONE cannot be named */

typedef enum reha_permission {
    REHA_MAY_READ = 0, /* worklist, studies, images, results, patients, series, plans, model cards, events */
    REHA_MAY_IDENTITY, /* see and search patients' names and birth dates */
    REHA_MAY_UPLOAD,
    REHA_MAY_PATIENTS, /* make and change patients, episodes; file a study under a patient */
    REHA_MAY_CARE,     /* scores, plans, predictions */
    REHA_MAY_REVIEW,   /* accept, amend, reject */
    REHA_MAY_SIGN,     /* sign and reopen */
    REHA_MAY_EXPORT,   /* reports and result tables */
    REHA_MAY_USERS,
    REHA_MAY_AUDIT,
    REHA_MAY_ADMINISTER, /* settings, backup, analysis again, erasing a patient */
    REHA_PERMISSION_COUNT
} reha_permission;
const char *reha_permission_name(reha_permission permission);   /* "read", "identity", ... */
bool reha_role_may(reha_role role, reha_permission permission); /* the whole matrix is one const table */

enum { REHA_ID_BYTES = 32, REHA_TOKEN_BYTES = 64 }; /* with the end mark */

typedef struct reha_actor {
    char user_id[REHA_ID_BYTES]; /* "" for nobody; "local" for the command line */
    reha_role role;
    char session_id[REHA_ID_BYTES]; /* internal id of the session, not its token */
} reha_actor;
reha_actor reha_actor_nobody(void);
reha_actor reha_actor_local(void);

/* ---- the home folder ---- */

typedef struct reha_clinic_limits {
    size_t upload_bytes_max;    /* one uploaded file or archive: 1 GiB */
    size_t archive_entries_max; /* 5,000 */
    size_t archive_bytes_max;   /* all entries unpacked: 2 GiB */
    double archive_ratio_max;   /* unpacked over packed of one entry: 200 */
    int password_length_min;    /* 10 */
    int sign_in_tries;        /* failures before the account waits: 5; then 1, 2, 4 ... minutes, 60 at most */
    double session_idle_min;  /* 30 */
    double session_hours_max; /* 12 */
    int page_items_max;       /* 200 */
    size_t worker_memory_bytes; /* RLIMIT_AS of a worker: 4 GiB */
    double worker_cpu_s;        /* RLIMIT_CPU per image: 60 */
    double worker_wall_s;       /* 120 */
} reha_clinic_limits;
reha_clinic_limits reha_clinic_limits_default(void);

typedef struct reha_clinic_options {
    const char *home;          /* made (0700) if absent */
    const char *models_folder; /* NULL: reha_models_folder */
    const char *program;       /* the rehascope program, for workers; NULL: this one (/proc/self/exe) */
    reha_clinic_limits limits; /* all zero: defaults */
    bool with_workers; /* analyse jobs in this process's supervisor threads (serve, worker); else jobs wait.
                        * Needs models: REHA_E_NOT_FOUND or REHA_E_IO says what is missing */
    const char *inbox; /* the watched folder; NULL: home/inbox, if somebody makes it */
    const char *inbox_task; /* what is asked of files from there (reha_upload_options.task); NULL: the program
                               chooses */
    bool must_exist;        /* REHA_E_NOT_FOUND instead of making a new home */
} reha_clinic_options;

/* Makes or opens the home folder: database (migrated forward), blobs, key (0600). Jobs that a stopped process
 * left half done are queued again. REHA_E_UNSUPPORTED: made by a newer version. REHA_E_TAMPERED: key and data
 * do not fit. */
REHA_MUST_USE reha_status reha_clinic_open(const reha_clinic_options *options, reha_clinic **out,
                                           reha_error *err);
void reha_clinic_close(reha_clinic *clinic); /* stops the workers; NULL is fine */

/* {"setup_needed", "version", "clinic_name", "schema"}: anybody may ask. */
REHA_MUST_USE reha_status reha_clinic_state(reha_clinic *clinic, json_t **out, reha_error *err);
/* The first account, an administrator: in {"name","display_name","password","clinic_name"?}, out a user.
 * REHA_E_CONFLICT once there is any account. */
REHA_MUST_USE reha_status reha_clinic_setup(reha_clinic *clinic, const json_t *in, json_t **out,
                                            reha_error *err);

/* ---- sessions ---- */

/* in {"name","password","code"?}. `token` is for the cookie and stored nowhere; out is a session (with
 * "csrf", "user", "permissions"). REHA_E_SIGNED_OUT: name and password do not match (one text for both; same
 * time for both), or a one-time code is needed ("code" in the text); REHA_E_BUSY: locked for now, the text
 * says how long. */
REHA_MUST_USE reha_status reha_clinic_sign_in(reha_clinic *clinic, const json_t *in,
                                              char token[REHA_TOKEN_BYTES], json_t **out, reha_error *err);
/* Whom a token stands for. Touches no disk on most calls. REHA_E_SIGNED_OUT: unknown or ended. `out` may be
 * NULL. */
REHA_MUST_USE reha_status reha_clinic_session(reha_clinic *clinic, const char *token, reha_actor *actor,
                                              json_t **out, reha_error *err);
/* True if `csrf` (from a request header) belongs to this token; constant time. */
bool reha_clinic_csrf_fits(const char *token, const char *csrf);
REHA_MUST_USE reha_status reha_clinic_sign_out(reha_clinic *clinic, const reha_actor *actor, reha_error *err);
/* The signed-in user's own: in {"old_password","new_password"}; ends the user's other sessions. */
REHA_MUST_USE reha_status reha_clinic_password_change(reha_clinic *clinic, const reha_actor *actor,
                                                      const json_t *in, reha_error *err);
/* One-time codes (RFC 6238). begin: out {"secret","uri"}; confirm: in {"code"}; off: in {"password"}. */
REHA_MUST_USE reha_status reha_clinic_totp_begin(reha_clinic *clinic, const reha_actor *actor, json_t **out,
                                                 reha_error *err);
REHA_MUST_USE reha_status reha_clinic_totp_confirm(reha_clinic *clinic, const reha_actor *actor,
                                                   const json_t *in, reha_error *err);
REHA_MUST_USE reha_status reha_clinic_totp_off(reha_clinic *clinic, const reha_actor *actor, const json_t *in,
                                               reha_error *err);

/* ---- access tokens of machines ---- */

/* A hospital's information system cannot sign in as people do: it shows a token with every request
 * (docs/adr/0028). Making, listing and revoking: REHA_MAY_USERS. The text holds the token's id, so that wrong
 * secrets are counted for that token, as wrong passwords are for an account. */
enum { REHA_ACCESS_TOKEN_BYTES = 80, REHA_ACCESS_DAYS_MAX = 730 };
/* in {"name","role": "read-only" or "researcher","days"? (365)}. `text` is the token: shown this once, stored
 * nowhere. */
REHA_MUST_USE reha_status reha_clinic_token_add(reha_clinic *clinic, const reha_actor *actor,
                                                const json_t *in, char text[REHA_ACCESS_TOKEN_BYTES],
                                                json_t **out, reha_error *err);
REHA_MUST_USE reha_status reha_clinic_tokens(reha_clinic *clinic, const reha_actor *actor, json_t **out,
                                             reha_error *err);
/* From now on. Revoking twice is REHA_E_CONFLICT. Out: the token's record. */
REHA_MUST_USE reha_status reha_clinic_token_revoke(reha_clinic *clinic, const reha_actor *actor,
                                                   const char *id, json_t **out, reha_error *err);
/* Whom a token stands for: user_id is the token's id. REHA_E_SIGNED_OUT: unknown, wrong (one text for both),
 * revoked or expired; REHA_E_BUSY: locked for now. Touches no disk on most calls. */
REHA_MUST_USE reha_status reha_clinic_token_actor(reha_clinic *clinic, const char *text, reha_actor *actor,
                                                  reha_error *err);

/* ---- users (REHA_MAY_USERS) ---- */

REHA_MUST_USE reha_status reha_clinic_users(reha_clinic *clinic, const reha_actor *actor, json_t **out,
                                            reha_error *err);
/* in {"name","display_name","password","role"}. */
REHA_MUST_USE reha_status reha_clinic_user_add(reha_clinic *clinic, const reha_actor *actor, const json_t *in,
                                               json_t **out, reha_error *err);
/* in any of {"display_name","role","active","password","totp": false (a lost telephone)}; a changed role,
 * password or inactivity ends the user's sessions. The last active administrator stays one (REHA_E_CONFLICT).
 * `user` is an id or a sign-in name. */
REHA_MUST_USE reha_status reha_clinic_user_change(reha_clinic *clinic, const reha_actor *actor,
                                                  const char *user, int64_t if_version, const json_t *in,
                                                  json_t **out, reha_error *err);
/* For callers without If-Match (the command line): changes whatever version there is. */
enum { REHA_ANY_VERSION = -1 };

/* ---- lists ---- */

/* What lists share. Texts may be NULL: no filter. A list is {"items":[...], "next": cursor or null, "total"}.
 */
typedef struct reha_query {
    const char
        *text; /* words, all of which must occur: pseudonym, name (REHA_MAY_IDENTITY), condition, body part */
    const char
        *status; /* studies: "waiting","to-review","signed","failed", or "today" (all that needs somebody) */
    const char *patient_id;
    const char *modality;
    const char *from, *to; /* dates "2026-01-31", inclusive: of the image; audit: of the event */
    const char *user_id;   /* audit */
    const char *action;    /* audit: beginning of the action, "study." */
    const char *cursor;    /* "next" of the page before */
    int limit;             /* 0: 50; at most limits.page_items_max */
} reha_query;

/* ---- patients and episodes ---- */

REHA_MUST_USE reha_status reha_clinic_patients(reha_clinic *clinic, const reha_actor *actor,
                                               const reha_query *query, json_t **out, reha_error *err);
REHA_MUST_USE reha_status reha_clinic_patient(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                              json_t **out,
                                              reha_error *err); /* with its episodes; audited as seen */
/* Those whom another system calls `identifier`: the pseudonym, or (REHA_MAY_IDENTITY) the number of the
 * patient in the DICOM files that came. Out {"items": patients without episodes, one or none in most cases};
 * audited as seen. */
enum { REHA_PATIENT_BY_PSEUDONYM = 1, REHA_PATIENT_BY_NUMBER = 2 };
REHA_MUST_USE reha_status reha_clinic_patient_find(reha_clinic *clinic, const reha_actor *actor,
                                                   const char *identifier, unsigned by, json_t **out,
                                                   reha_error *err);
/* in {"pseudonym"?, "name"?, "birth_year"?, "sex"?, "note"?}: all optional; a pseudonym is made where none is
 * given. */
REHA_MUST_USE reha_status reha_clinic_patient_add(reha_clinic *clinic, const reha_actor *actor,
                                                  const json_t *in, json_t **out, reha_error *err);
REHA_MUST_USE reha_status reha_clinic_patient_change(reha_clinic *clinic, const reha_actor *actor,
                                                     const char *id, int64_t if_version, const json_t *in,
                                                     json_t **out, reha_error *err);
/* in {"condition","side"?,"onset"?,"surgery"?,"surgery_date"?,"goals"?,"open"?}. */
REHA_MUST_USE reha_status reha_clinic_episode_add(reha_clinic *clinic, const reha_actor *actor,
                                                  const char *patient_id, const json_t *in, json_t **out,
                                                  reha_error *err);
REHA_MUST_USE reha_status reha_clinic_episode_change(reha_clinic *clinic, const reha_actor *actor,
                                                     const char *id, int64_t if_version, const json_t *in,
                                                     json_t **out, reha_error *err);

/* Erases a patient with everything that belongs to one, also what is otherwise never deleted (docs/adr/0022):
 * for the right to erasure and the end of the time of keeping. in {"pseudonym","reason"}: the pseudonym,
 * typed again, and "request" (of the patient), "keeping-over", "no-basis" or "mistake". `patient` is an id or
 * a pseudonym. Out {"patient_id","reason","studies", "images","sent" (signed reports that went to the
 * archive: it still has them),"wiped"}; "wiped" false: it is erased, and the last traces in the files go
 * later (somebody read at that moment). REHA_MAY_ADMINISTER; audited with counts and the reason, without a
 * name. REHA_E_CONFLICT: an image is being analysed, or a report being sent; what waits goes with the
 * patient. Killed at any instant, the patient is whole or erased. Backups are not touched. */
REHA_MUST_USE reha_status reha_clinic_erase(reha_clinic *clinic, const reha_actor *actor, const char *patient,
                                            int64_t if_version, const json_t *in, json_t **out,
                                            reha_error *err);

/* ---- uploads (REHA_MAY_UPLOAD) ---- */

typedef struct reha_upload reha_upload;
typedef struct reha_upload_options {
    const char *idempotency_key; /* NULL: none. Same key and content again: the first answer again, nothing
                                  * twice; same key, other content: REHA_E_CONFLICT */
    const char
        *file_name; /* as the user calls it: side hint and error texts; shown in no list. May be NULL */
    const char *patient_id; /* NULL: by the DICOM Patient ID; pictures stay without a patient */
    const char *episode_id; /* NULL: none */
    const char *study_id;   /* add pictures to this study; NULL: a new one */
    const char *image_date; /* of pictures, "2026-01-31"; NULL: today */
    double mm_per_px;       /* of pictures without a scale; 0: unknown */
    const char
        *task; /* the recogniser that is asked for; NULL or "": chosen by what the image is. One that is not
                * offered (reha_clinic_models) is REHA_E_ARG, one that its own card switches off, or of
                * which no model is installed, REHA_E_REFUSED. A duplicate is not analysed anew */
    const char *from_ae_title;      /* who sent it over the DICOM network, for the audit log; NULL: nobody */
    const char *sop_instance_uid;   /* what the file must be, as its sender said; NULL: whatever it is */
    const char *study_instance_uid; /* the study that it must be of: REHA_E_ARG otherwise; NULL: any */
    bool is_dicom;                  /* it must be a DICOM file: no picture and no archive is unpacked */
    struct reha_upload_seen *seen;  /* what it says it is, filled by finish, also for a refused one as far as
                                     * it could be read; must outlive the upload. NULL: not asked */
} reha_upload_options;
typedef struct reha_upload_seen { /* "": unknown */
    char study_uid[65], sop_uid[65], class_uid[65];
} reha_upload_seen;
/* Bytes go to disk sealed as they come; nothing is visible before `finish`. */
REHA_MUST_USE reha_status reha_upload_begin(reha_clinic *clinic, const reha_actor *actor,
                                            const reha_upload_options *options, reha_upload **out,
                                            reha_error *err);
/* REHA_E_LIMIT: the file is too large (then only close is left). */
REHA_MUST_USE reha_status reha_upload_write(reha_upload *upload, const void *bytes, size_t count,
                                            reha_error *err);
/* DICOM, PNG, JPEG, TIFF, or a zip of such. Out
 * {"items":[{"name","outcome","study_id","image_id","job_id","error"}]}, outcome "stored", "duplicate" or
 * "refused": REHA_OK as soon as one item is stored or a duplicate; a single bad file is its own error.
 * Acknowledged means: on disk. */
REHA_MUST_USE reha_status reha_upload_finish(reha_upload *upload, json_t **out, reha_error *err);
void reha_upload_close(
    reha_upload *upload); /* after finish, or instead of it (nothing stays); NULL is fine */
/* Files and folders of this machine (import); out as finish, `name` is the path. */
REHA_MUST_USE reha_status reha_clinic_import(reha_clinic *clinic, const reha_actor *actor,
                                             const char *const *paths, size_t count,
                                             const reha_upload_options *options, json_t **out,
                                             reha_error *err);

/* ---- studies, images, results ---- */

/* The worklist: newest first, those that need somebody before the others. Items: study summaries. */
REHA_MUST_USE reha_status reha_clinic_studies(reha_clinic *clinic, const reha_actor *actor,
                                              const reha_query *query, json_t **out, reha_error *err);
/* {"today","waiting","to-review","signed","failed"}: how many of each. */
REHA_MUST_USE reha_status reha_clinic_study_counts(reha_clinic *clinic, const reha_actor *actor, json_t **out,
                                                   reha_error *err);
/* The study with images, the results of each that stand with their reviews, those that were set aside,
 * signature. Audited as seen. */
REHA_MUST_USE reha_status reha_clinic_study(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                            json_t **out, reha_error *err);
/* {"items": [{"id","changed_at"}]} of all studies, by their making: for whoever keeps up with the clinic. */
REHA_MUST_USE reha_status reha_clinic_study_times(reha_clinic *clinic, const reha_actor *actor, json_t **out,
                                                  reha_error *err);
/* The DICOM UID of a study, as a PACS knows it (for pictures: one of our making), out {"uid",...}; and the
 * study of a UID, out {"id",...}. It leads to the patient: REHA_MAY_IDENTITY. */
REHA_MUST_USE reha_status reha_clinic_study_uid(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                                json_t **out, reha_error *err);
REHA_MUST_USE reha_status reha_clinic_study_find(reha_clinic *clinic, const reha_actor *actor,
                                                 const char *uid, json_t **out, reha_error *err);
/* Files it: in {"patient_id","episode_id"?} (REHA_MAY_PATIENTS); REHA_E_CONFLICT when signed. */
REHA_MUST_USE reha_status reha_clinic_study_assign(reha_clinic *clinic, const reha_actor *actor,
                                                   const char *id, int64_t if_version, const json_t *in,
                                                   json_t **out, reha_error *err);

/* ---- images as DICOM knows them: for DICOMweb (docs/formats/dicomweb.md) ----
 * UIDs lead to the patient in the archive: REHA_MAY_READ and REHA_MAY_IDENTITY. "head" and "model" are
 * attributes in the DICOM JSON Model (dicom/model.h). */

typedef struct reha_dicom_query {  /* NULL: no filter. Patterns: '*' and '?', ASCII letters of either case */
    const json_t *study_uids;      /* array of texts; borrowed */
    const char *patient_id;        /* pattern of the pseudonym, or the whole number in the files that came */
    const char *patient_name;      /* pattern of the name in the record */
    const char *from, *to;         /* dates of the image, "2026-01-31", inclusive */
    const json_t *modalities;      /* array of texts; borrowed */
    const char *accession_number;  /* pattern */
    const char *study_description; /* pattern */
    int64_t limit, offset;         /* limit > 0 */
} reha_dicom_query;
/* Studies with images, the newest first: {"items":[{"id","uid","image_date","image_count","pseudonym","name",
 * "sex","modalities":[...],"series_count","head": of the first image}],"total"}; the last two are null while
 * a head was not read. Audited as a search. */
REHA_MUST_USE reha_status reha_clinic_dicom_studies(reha_clinic *clinic, const reha_actor *actor,
                                                    const reha_dicom_query *query, json_t **out,
                                                    reha_error *err);
/* One study with all its images: {"study": an item of the above,"items":[{"id","sop_uid","digest",
 * "size_bytes","head"}]}. Heads of images that a former version stored are read here. Audited as seen. */
REHA_MUST_USE reha_status reha_clinic_dicom_images(reha_clinic *clinic, const reha_actor *actor,
                                                   const char *study_uid, json_t **out, reha_error *err);
/* All attributes of an image but bulk data, read from its file in a sandbox; whoever asks has asked for the
 * images of its study before, which is audited. */
REHA_MUST_USE reha_status reha_clinic_dicom_model(reha_clinic *clinic, const reha_actor *actor,
                                                  const char *image_id, json_t **out, reha_error *err);
/* Which instance a stored image is: for who may upload. {"study_uid","series_uid","sop_uid",
 * "class_uid"}. */
REHA_MUST_USE reha_status reha_clinic_dicom_reference(reha_clinic *clinic, const reha_actor *actor,
                                                      const char *image_id, json_t **out, reha_error *err);

/* The stored files of a study, as they came, one after the other and in pieces. One thread at a time. */
typedef struct reha_retrieval reha_retrieval;
/* `images`: items of reha_clinic_dicom_images, in the order in which they are wanted. REHA_MAY_EXPORT beside
 * the others, as for reha_clinic_image_dicom; audited once, before the first byte. */
REHA_MUST_USE reha_status reha_clinic_retrieve(reha_clinic *clinic, const reha_actor *actor,
                                               const char *study_id, const json_t *images,
                                               reha_retrieval **out, reha_error *err);
/* To the next file; *has_one false: that was the last. REHA_E_NOT_FOUND: it was erased meanwhile. */
REHA_MUST_USE reha_status reha_retrieval_next(reha_retrieval *retrieval, bool *has_one, reha_error *err);
/* Some bytes of it, borrowed until the next call; *count 0: all of it was given. */
REHA_MUST_USE reha_status reha_retrieval_read(reha_retrieval *retrieval, const uint8_t **out, size_t *count,
                                              reha_error *err);
void reha_retrieval_close(reha_retrieval *retrieval); /* NULL is fine */

typedef struct reha_view {
    uint32_t frame_idx;
    uint32_t frames; /* 0: one; else so many from frame_idx on, below each other in one picture */
    double window_center, window_width; /* width 0: the file's own window, else the span of its values */
    bool modality_values; /* grey values for windowing in the page (docs/formats/values.md), not a PNG; window
                           * ignored */
    uint32_t side_max_px; /* 0: full size; else reduced by area to fit (thumbnails, what is shown first) */
} reha_view;
/* One frame as a PNG or as values, decoded in a sandbox. *out: reha_free. `etag` (may be NULL): names the
 * content. */
REHA_MUST_USE reha_status reha_clinic_image_view(reha_clinic *clinic, const reha_actor *actor,
                                                 const char *image_id, const reha_view *view, uint8_t **out,
                                                 size_t *out_bytes, char etag[REHA_TOKEN_BYTES + 2],
                                                 reha_error *err);
/* Notes in the audit log that the actor saw this image, as the two functions around this one do: for pictures
 * that were made before and kept. The same look again within 10 minutes is none. */
REHA_MUST_USE reha_status reha_clinic_image_seen(reha_clinic *clinic, const reha_actor *actor,
                                                 const char *image_id, reha_error *err);
/* The PNG of a small view and, from the same opening of the file, what a page asks for when the image is
 * opened: the values of a copy that fits into REHA_REDUCED_SIDE_PX. *values stays NULL for images that open
 * fast as they are: below 2 million pixels and of one frame. Both: reha_free. */
enum { REHA_REDUCED_SIDE_PX = 1024 };
REHA_MUST_USE reha_status reha_clinic_image_thumbnail(reha_clinic *clinic, const reha_actor *actor,
                                                      const char *image_id, const reha_view *view,
                                                      uint8_t **png, size_t *png_bytes, uint8_t **values,
                                                      size_t *values_bytes, reha_error *err);
/* Whether it is (still) there: for whoever keeps copies of pictures. */
bool reha_clinic_has_image(reha_clinic *clinic, const char *image_id);
/* The stored DICOM file as it came (pictures: as wrapped). REHA_MAY_EXPORT, audited. *out: reha_free. */
REHA_MUST_USE reha_status reha_clinic_image_dicom(reha_clinic *clinic, const reha_actor *actor,
                                                  const char *image_id, uint8_t **out, size_t *out_bytes,
                                                  reha_error *err);
/* A result with its analysis (docs/formats/analysis.md), reviews, picture names, and whether it was set
 * aside. */
REHA_MUST_USE reha_status reha_clinic_result(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                             json_t **out, reha_error *err);
/* A PNG of a result: "overlay" (the composed figure), "map-0" (grey map of what spoke for the grade over
 * regions[0].explanation), ...; the names are in the result's "pictures". */
REHA_MUST_USE reha_status reha_clinic_result_picture(reha_clinic *clinic, const reha_actor *actor,
                                                     const char *id, const char *name, uint8_t **out,
                                                     size_t *out_bytes, reha_error *err);

/* What was measured in each frame of an ultrasound sequence, JSON text (docs/formats/frames.md).
 * REHA_E_NOT_FOUND: the image is no such sequence. *out: reha_free. */
REHA_MUST_USE reha_status reha_clinic_result_frames(reha_clinic *clinic, const reha_actor *actor,
                                                    const char *id, uint8_t **out, size_t *out_bytes,
                                                    reha_error *err);

typedef struct reha_clinic_comparing {
    bool is_same_setup; /* the user states: same machine, view, position, distance */
    bool by_intensity;  /* laid over each other by grey values even where both have landmarks */
} reha_clinic_comparing;
/* Two images of one patient, by their newest results: docs/formats/comparison.md, with ids instead of file
 * names, the decisions on each measure, and how the later image lies over the earlier one (found in a
 * sandbox). A refusal is a result
 * ("comparable" false). REHA_E_CONFLICT: no result stands, no patient, or two patients. Audited. */
REHA_MUST_USE reha_status reha_clinic_compare(reha_clinic *clinic, const reha_actor *actor,
                                              const char *before_id, const char *after_id,
                                              const reha_clinic_comparing *how, json_t **out,
                                              reha_error *err);

/* ---- jobs and events ---- */

REHA_MUST_USE reha_status reha_clinic_job(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                          json_t **out, reha_error *err);
/* Analyses an image again, with the newest model: in {"task"?}, as of reha_upload_options; out a job. The
 * result stands beside those of other tasks and takes the place of the former one of its task, or of the
 * program's former choice. REHA_MAY_UPLOAD. `idempotency_key` as of uploads; may be NULL. */
REHA_MUST_USE reha_status reha_clinic_analyse(reha_clinic *clinic, const reha_actor *actor,
                                              const char *image_id, const json_t *in,
                                              const char *idempotency_key, json_t **out, reha_error *err);
/* Events since `after` (0: only the newest number): {"last", "lost",
 * "items":[{"no","kind","study_id","image_id","job_id", "patient_id","state"}]}. Waits up to timeout_ms for
 * the first one; empty after that. "lost": some were forgotten, read all again. Numbers grow over restarts.
 * Events hold no patient data. An upload of another process (import) shows when its analysis starts, within 2
 * s. */
REHA_MUST_USE reha_status reha_clinic_events(reha_clinic *clinic, const reha_actor *actor, int64_t after,
                                             int timeout_ms, json_t **out, reha_error *err);
/* Wakes all waiting in reha_clinic_events, now and from now on: before a server stops. */
void reha_clinic_wake(reha_clinic *clinic);

/* Waits until no job is queued or running (with_workers): for `worker --once` and tests. */
REHA_MUST_USE reha_status reha_clinic_drain(reha_clinic *clinic, reha_error *err);

/* ---- review, signature, report ---- */

/* One decision on one finding: in {"region": index, "finding": key, "decision": "accept"|"amend"|"reject",
 * "value"? (amend: number), "reason" (amend and reject)}. Former decisions are kept. Out: the study. */
REHA_MUST_USE reha_status reha_clinic_review(reha_clinic *clinic, const reha_actor *actor,
                                             const char *result_id, int64_t if_study_version,
                                             const json_t *in, json_t **out, reha_error *err);
/* A result that was asked for by name, by mistake: in {"reason"}, of at most 300 bytes. It stays in the
 * record and stands no more (what it took the place of does), so that nobody need decide on it; the study and
 * its reports tell who set it aside, when and why. For good: whoever asks for the task again has a new result
 * that stands. The same again by the same user does nothing twice. REHA_MAY_REVIEW. REHA_E_CONFLICT: the
 * program chose the task, somebody else was first, the study is signed, or a newer result stands. Out: the
 * study. */
REHA_MUST_USE reha_status reha_clinic_set_aside(reha_clinic *clinic, const reha_actor *actor,
                                                const char *result_id, int64_t if_study_version,
                                                const json_t *in, json_t **out, reha_error *err);
/* Whether a finding (docs/formats/analysis.md) says anything that can be decided on: one that was not
 * measured does not, and a decision on it is REHA_E_ARG. */
bool reha_finding_needs_decision(const json_t *finding);
/* in {"comment"?}. Every finding of every accepted result that stands needs a decision, and no image may be
 * waiting (REHA_E_CONFLICT says what is missing). Stores what the software said, what was decided, and who,
 * with the hash of it all. Out: the study. */
REHA_MUST_USE reha_status reha_clinic_sign(reha_clinic *clinic, const reha_actor *actor, const char *study_id,
                                           int64_t if_version, const json_t *in, json_t **out,
                                           reha_error *err);
/* in {"reason"}: the signature stays in the record as withdrawn, review is possible again. */
REHA_MUST_USE reha_status reha_clinic_reopen(reha_clinic *clinic, const reha_actor *actor,
                                             const char *study_id, int64_t if_version, const json_t *in,
                                             json_t **out, reha_error *err);
typedef enum reha_report_format {
    REHA_REPORT_HTML = 0,
    REHA_REPORT_PDF,
    REHA_REPORT_JSON
} reha_report_format;
/* "Not reviewed" on every page until signed; then who signed when. REHA_MAY_EXPORT, audited. *out: reha_free.
 */
REHA_MUST_USE reha_status reha_clinic_report(reha_clinic *clinic, const reha_actor *actor,
                                             const char *study_id, reha_report_format format, uint8_t **out,
                                             size_t *out_bytes, reha_error *err);

/* The study's results as DICOM objects of the patient and study that the images name, for the archive they
 * came from (docs/formats/dicom-export.md): a structured report, the report as PDF, and of each
 * result a picture, an overlay and masks where there are some.
 * Marked until it is signed; the same record gives the same objects again. REHA_MAY_EXPORT and
 * REHA_MAY_IDENTITY, audited with what was exported. REHA_E_CONFLICT: an image came as a picture, an analysis
 * has not ended, or the images name somebody else than the record. reha_export_clear. */
REHA_MUST_USE reha_status reha_clinic_export(reha_clinic *clinic, const reha_actor *actor,
                                             const char *study_id, reha_export *out, reha_error *err);

/* What went to the archive by itself, and what did not (service/archive.h; the newest 1,000 of `state`; NULL:
 * of all): docs/formats/records.md. "reason" may quote the archive, and that somebody: it is for
 * administrators only. REHA_MAY_ADMINISTER. */
REHA_MUST_USE reha_status reha_clinic_outbox(reha_clinic *clinic, const reha_actor *actor, const char *state,
                                             json_t **out, reha_error *err);
/* Tries again now what failed or waits, as if for the first time; `id` NULL: all of it. REHA_MAY_ADMINISTER;
 * audited. */
REHA_MUST_USE reha_status reha_clinic_outbox_again(reha_clinic *clinic, const reha_actor *actor,
                                                   const char *id, int64_t *count, reha_error *err);
/* What failed or waits is not sent, for good ("dropped", with the reason why it had not gone). One that is on
 * its way at this moment may still arrive, and is "sent" then. REHA_MAY_ADMINISTER; audited. */
REHA_MUST_USE reha_status reha_clinic_outbox_give_up(reha_clinic *clinic, const reha_actor *actor,
                                                     const char *id, reha_error *err);
/* For monitoring; anybody may ask: {"configured" (this process sends to an archive), "waiting", "failed"
 * (how many), "waiting_s" (since the oldest of those was signed), "failed_s" (since the first of those
 * failed)}, null: none. */
REHA_MUST_USE reha_status reha_clinic_outbox_care(reha_clinic *clinic, json_t **out, reha_error *err);

/* ---- over time: series, scores, plans, predictions ---- */

/* All measurements and scores of a patient, oldest first; a human's amendment replaces the software's value
 * and says so; rejected ones are marked. {"measurements":[...], "scores":[...], "judged":[...]}: "judged" has
 * a series for each instrument and side, with what it says in words (docs/formats/scores.md). */
REHA_MUST_USE reha_status reha_clinic_series(reha_clinic *clinic, const reha_actor *actor,
                                             const char *patient_id, json_t **out, reha_error *err);
/* The instruments of guidelines/scores.json: {"items":[...]}. */
REHA_MUST_USE reha_status reha_clinic_instruments(reha_clinic *clinic, const reha_actor *actor, json_t **out,
                                                  reha_error *err);
/* in {"instrument","value" or "items","date","side"?,"episode_id"?,"note"?}; out the score. `instrument` is a
 * key or title of a known one, whose range is checked and whose rule counts the items; or "other" with its
 * "name" and "unit"?. Wrong ones are withdrawn, not deleted (in {"reason"}). */
REHA_MUST_USE reha_status reha_clinic_score_add(reha_clinic *clinic, const reha_actor *actor,
                                                const char *patient_id, const json_t *in, json_t **out,
                                                reha_error *err);
/* One score, withdrawn or not; audited as a look at the patient. */
REHA_MUST_USE reha_status reha_clinic_score(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                            json_t **out, reha_error *err);
REHA_MUST_USE reha_status reha_clinic_score_withdraw(reha_clinic *clinic, const reha_actor *actor,
                                                     const char *id, const json_t *in, json_t **out,
                                                     reha_error *err);
/* Plans: {"id","patient_id","version","content",...}; content is any JSON object (the room rehab makes it).
 * Saving makes a new version, the former ones stay. `id` NULL: a new plan. in
 * {"content","episode_id"?,"reason"?}. */
REHA_MUST_USE reha_status reha_clinic_plans(reha_clinic *clinic, const reha_actor *actor,
                                            const char *patient_id, json_t **out, reha_error *err);
REHA_MUST_USE reha_status reha_clinic_plan(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                           int64_t version, json_t **out,
                                           reha_error *err); /* version REHA_ANY_VERSION: the newest */
REHA_MUST_USE reha_status reha_clinic_plan_save(reha_clinic *clinic, const reha_actor *actor,
                                                const char *patient_id, const char *id, int64_t if_version,
                                                const json_t *in, json_t **out, reha_error *err);
/* What the plan's form asks, filled in as far as the record knows (docs/formats/records.md). `episode_id`
 * NULL: the newest open one; `plan_id` NULL: after the newest plan, if there is one. REHA_MAY_CARE. */
REHA_MUST_USE reha_status reha_clinic_plan_form(reha_clinic *clinic, const reha_actor *actor,
                                                const char *patient_id, const char *episode_id,
                                                const char *plan_id, json_t **out, reha_error *err);
/* Runs the rules: in {"input","episode_id"?,"reason"?}, `input` as docs/formats/plan.md without schema and
 * analyses, which come from the record. `id` NULL: a new plan; else the next version, after the clinician's
 * edits and with the changes. REHA_E_REFUSED: the facts contradict each other. */
REHA_MUST_USE reha_status reha_clinic_plan_make(reha_clinic *clinic, const reha_actor *actor,
                                                const char *patient_id, const char *id, int64_t if_version,
                                                const json_t *in, json_t **out, reha_error *err);
/* Changes one line (in: rehab/plan_edit.h), with a reason: a new version that nobody has confirmed. */
REHA_MUST_USE reha_status reha_clinic_plan_edit(reha_clinic *clinic, const reha_actor *actor,
                                                const char *patient_id, const char *id, int64_t if_version,
                                                const json_t *in, json_t **out, reha_error *err);
/* A clinician stands for this plan: in {"comment"?}. REHA_MAY_SIGN. REHA_E_REFUSED: safety questions are
 * open. */
REHA_MUST_USE reha_status reha_clinic_plan_confirm(reha_clinic *clinic, const reha_actor *actor,
                                                   const char *patient_id, const char *id, int64_t if_version,
                                                   const json_t *in, json_t **out, reha_error *err);
typedef enum reha_plan_paper { REHA_PLAN_FOR_CLINICIAN = 0, REHA_PLAN_FOR_PATIENT } reha_plan_paper;
/* As PDF, marked until it is confirmed. REHA_MAY_EXPORT, audited. *out: reha_free. */
REHA_MUST_USE reha_status reha_clinic_plan_pdf(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                               int64_t version, reha_plan_paper paper, uint8_t **out,
                                               size_t *out_bytes, reha_error *err);
/* What the model of an outcome asks, by its own description, filled in as far as the record knows.
 * REHA_MAY_CARE. */
REHA_MUST_USE reha_status reha_clinic_prediction_form(reha_clinic *clinic, const reha_actor *actor,
                                                      const char *patient_id, const char *outcome,
                                                      json_t **out, reha_error *err);
/* Runs the model and keeps what it says: in {"outcome","input","episode_id"?}. REHA_E_REFUSED: outside of
 * what it learnt from; the text says which answer, and nothing is kept. */
REHA_MUST_USE reha_status reha_clinic_prediction_make(reha_clinic *clinic, const reha_actor *actor,
                                                      const char *patient_id, const json_t *in, json_t **out,
                                                      reha_error *err);
/* Predictions are immutable: in {"outcome","content","model"?,"model_hash"?,"episode_id"?}. */
REHA_MUST_USE reha_status reha_clinic_predictions(reha_clinic *clinic, const reha_actor *actor,
                                                  const char *patient_id, json_t **out, reha_error *err);
REHA_MUST_USE reha_status reha_clinic_prediction_add(reha_clinic *clinic, const reha_actor *actor,
                                                     const char *patient_id, const json_t *in, json_t **out,
                                                     reha_error *err);

/* ---- models ---- */

/* As reha_models_list, but for where the models lie: "folder" is left out, and "fault" names it to
 * administrators only. */
REHA_MUST_USE reha_status reha_clinic_models(reha_clinic *clinic, const reha_actor *actor, json_t **out,
                                             reha_error *err);
REHA_MUST_USE reha_status reha_clinic_model_card(reha_clinic *clinic, const reha_actor *actor,
                                                 const char *task, json_t **out, reha_error *err);

/* ---- administration ---- */

/* Settings: {"version", "clinic_name", "language", ...}: any JSON object up to 64 KiB, replaced as a whole.
 */
REHA_MUST_USE reha_status reha_clinic_settings(reha_clinic *clinic, const reha_actor *actor, json_t **out,
                                               reha_error *err);
REHA_MUST_USE reha_status reha_clinic_settings_save(reha_clinic *clinic, const reha_actor *actor,
                                                    int64_t if_version, const json_t *in, json_t **out,
                                                    reha_error *err);
/* Newest first. REHA_MAY_AUDIT. */
REHA_MUST_USE reha_status reha_clinic_audit(reha_clinic *clinic, const reha_actor *actor,
                                            const reha_query *query, json_t **out, reha_error *err);
/* {"events","ok","fault": null or text, "blobs", "blobs_bad"}: the chain, its sealed head, and (with_blobs)
 * every stored file. A fault that was found is a result (ok false), not an error. */
REHA_MUST_USE reha_status reha_clinic_audit_verify(reha_clinic *clinic, const reha_actor *actor,
                                                   bool with_blobs, json_t **out, reha_error *err);
/* All events as JSON lines, oldest first, hashes included. *out: reha_free. */
REHA_MUST_USE reha_status reha_clinic_audit_export(reha_clinic *clinic, const reha_actor *actor,
                                                   uint8_t **out, size_t *out_bytes, reha_error *err);
/* For what happens outside of use cases (a refused request, a server start): the actor may be nobody. */
REHA_MUST_USE reha_status reha_clinic_audit_note(reha_clinic *clinic, const reha_actor *actor,
                                                 const char *action, const char *text, reha_error *err);
/* A consistent copy, while the clinic works, into a new folder: database, blobs, key (the backup is as secret
 * as the home). Out {"folder","blobs","bytes"}. REHA_E_CONFLICT: the folder is not empty. One that fails
 * leaves nothing behind: REHA_E_NOT_FOUND when a patient was erased meanwhile. */
REHA_MUST_USE reha_status reha_clinic_backup(reha_clinic *clinic, const reha_actor *actor, const char *folder,
                                             json_t **out, reha_error *err);
/* Makes a home folder from a backup, after checking every blob and the audit chain; `home` must be absent or
 * empty. */
REHA_MUST_USE reha_status reha_clinic_restore(const char *backup_folder, const char *home, json_t **out,
                                              reha_error *err);

#endif
