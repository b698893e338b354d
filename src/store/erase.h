/* Erasing a patient (docs/adr/0022): the one way in which anything immutable leaves the records.
 *
 * First, in one transaction of the caller, every record goes, and a note says that traces are left; then,
 * after the commit, the traces: stored files that no record names any more, and what free pages and the
 * journal of the database still hold. A process that is killed before the commit has erased nothing; after
 * it, the note is there, and whoever opens the records next goes on. */
#ifndef REHA_STORE_ERASE_H
#define REHA_STORE_ERASE_H

#include "store/blob.h"
#include "store/store.h"

typedef struct reha_erasure { /* what belonged to the patient */
    int64_t studies, images;
    int64_t running; /* jobs that somebody has taken, and may be working on */
    int64_t sending; /* signed reports that somebody has taken, and may be sending to the archive */
    int64_t sent;    /* signed reports that the archive has */
} reha_erasure;

/* Inside a transaction. Everything that belongs to the patient: episodes, studies (those without a patient in
 * one of the episodes, too), and all that belongs to these. A study of somebody else that was put into an
 * episode of the patient stays, without the episode. REHA_E_NOT_FOUND: no such patient, or a table that this
 * knows nothing of refers to the patient. */
REHA_MUST_USE reha_status reha_erase_records(reha_store *store, const char *patient_id, reha_erasure *out,
                                             reha_error *err);

/* Outside of a transaction; without a note it costs a look. Removes what the note says, all stored files that
 * no record names (also those of stopped uploads), and rewrites database and journal. REHA_E_BUSY: somebody
 * reads; call it again. */
REHA_MUST_USE reha_status reha_erase_traces(reha_store *store, const reha_blobs *blobs, reha_error *err);

/* Inside a transaction: removes this stored file if no record names it, for a file whose record could not be
 * made. As far as that can be done: what stays is nobody's, and goes with the next erasing. */
void reha_erase_unnamed(reha_store *store, const reha_blobs *blobs, const char *digest);

#endif
