/* What the files of the sender share.
 *
 * Over the link (sandbox_wire_priv.h) the server sends the settings with the number of "objects", then each
 * object as a message with bytes. The process answers for each, in order, {"op": "fate", "status", "text"},
 * and at the end {"op": "over", "status", "text"} of the call. */
#ifndef REHA_SERVICE_ARCHIVE_PRIV_H
#define REHA_SERVICE_ARCHIVE_PRIV_H

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

/* Calls the archive with these objects, in a process of its own. REHA_OK: it was spoken to, and `fates` (one
 * for each object) say the rest; else as reha_remote_store. `started` tells the process's id, and 0 when it
 * is gone, for whoever wants to end it. */
typedef void (*archive_started)(void *context, pid_t pid);
REHA_MUST_USE reha_status archive_call(const archive_settings *settings, const reha_export *objects,
                                       archive_fate *fates, archive_started started, void *context,
                                       reha_error *err);

#endif
