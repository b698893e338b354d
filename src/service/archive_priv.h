/* What the files that call the archive share: one who sends (archive.c) and one who asks (fetch.c).
 *
 * Over the link (sandbox_wire_priv.h) the server sends the settings with "op" and what belongs to it. The
 * process ends with {"op": "over", "status", "text"} of the call.
 *
 * "store", with the number of "objects", each of which follows as a message with bytes. Answered for each, in
 * order, with {"op": "fate", "status", "text"}.
 *
 * "find", with what must agree and limits. Answered with {"op": "match", ...} for each study; "over" has
 * "cut".
 *
 * "get", with "study_uid" and limits. Objects are handed over as intake_priv.h says; "over" has "failed". */
#ifndef REHA_SERVICE_ARCHIVE_PRIV_H
#define REHA_SERVICE_ARCHIVE_PRIV_H

#include "base/json.h"
#include "service/archive.h"

#include <sys/types.h>

enum { ARCHIVE_OBJECTS_MAX = 512, ARCHIVE_OBJECT_BYTES_MAX = 256 << 20 };

typedef struct archive_settings { /* constant while the archive is open */
    char *program;                /* owned */
    reha_remote remote;
    char own_title[REHA_AE_BYTES];
    char *certificate, *key, *authority; /* owned; NULL: in clear */
    reha_archive_limits limits;
} archive_settings;

typedef struct archive_fate { /* of one object */
    reha_status status;       /* REHA_E_CANCELLED: it was not sent */
    char text[REHA_ERROR_TEXT_BYTES];
} archive_fate;

/* `started` tells the process's id, and 0 when it is gone, for whoever wants to end it. */
typedef void (*archive_started)(void *context, pid_t pid);
/* Calls the archive with these objects, in a process of its own. REHA_OK: it was spoken to, and `fates` (one
 * for each object) say the rest; else as reha_remote_store. */
REHA_MUST_USE reha_status archive_call(const archive_settings *settings, const reha_export *objects,
                                       archive_fate *fates, archive_started started, void *context,
                                       reha_error *err);

/* ---- the pieces of it (archive_call.c) ---- */

/* REHA_E_ARG: the title or the files of TLS do not do. Clear it also then. */
REHA_MUST_USE reha_status archive_settings_make(archive_settings *settings,
                                                const reha_archive_options *options, reha_error *err);
void archive_settings_clear(archive_settings *settings);

typedef struct archive_process {
    const archive_settings *settings; /* borrowed */
    int link;                         /* -1: none */
    pid_t pid;
    archive_started started;
    void *context;
} archive_process;
/* Starts a process and sends it the settings with the members of `what`. */
REHA_MUST_USE reha_status archive_begin(const archive_settings *settings, const json_t *what,
                                        archive_started started, void *context, archive_process *out,
                                        reha_error *err);
/* What the message "over" says of the call. */
REHA_MUST_USE reha_status archive_last_word(const json_t *over, reha_error *err);
/* Ends it, whatever it does; `status`: of the conversation, to which it gives the reason where the process
 * did not come to its last word (`is_over`). */
REHA_MUST_USE reha_status archive_end(archive_process *process, reha_status status, bool is_over,
                                      reha_error *err);

#endif
