/* The audit chain: who did what and when; each record is hashed with the one before, and the newest one (the
 * head) is sealed with a key, in the database and again in a file beside it. So an altered, removed or
 * inserted record is found, and so is a chain that was cut off or rebuilt without the key. Putting back an
 * old database is found by the file. */
#ifndef REHA_STORE_AUDIT_H
#define REHA_STORE_AUDIT_H

#include "store/secret.h"
#include "store/store.h"

typedef struct reha_audit_event { /* texts never hold a patient's name or other value */
    const char *user_id;          /* "" for nobody */
    const char *role;
    const char *action;    /* "study.sign" */
    const char *entity;    /* "study", or "" */
    const char *entity_id; /* or "" */
    const char *detail;    /* JSON object; NULL: {} */
} reha_audit_event;

typedef struct reha_audit_head {
    int64_t no;
    char hash[REHA_MAC_TEXT_BYTES];
} reha_audit_head;

/* Inside a transaction: the event is kept if and only if what it tells about is. `head` gets the new head. */
REHA_MUST_USE reha_status reha_audit_append(reha_store *store, const uint8_t key[REHA_KEY_BYTES],
                                            const reha_audit_event *event, reha_audit_head *head,
                                            reha_error *err);
/* After the commit: the head's copy outside of the database (may lag behind after a power cut, never ahead).
 */
REHA_MUST_USE reha_status reha_audit_note_head(const char *path, const uint8_t key[REHA_KEY_BYTES],
                                               const reha_audit_head *head, reha_error *err);
/* Walks the whole chain; `head_path` NULL: without the copy. REHA_E_TAMPERED: the text says which record and
 * why. `events` (may be NULL): how many there are. */
REHA_MUST_USE reha_status reha_audit_verify(reha_store *store, const uint8_t key[REHA_KEY_BYTES],
                                            const char *head_path, int64_t *events, reha_error *err);

#endif
