/* Multipart bodies (RFC 2046, 5.1) as they come: the parser keeps no part, only the head of the one that
 * begins and what might be a delimiter, so that a body of any size costs the same memory. Bytes from outside:
 * nothing of them is believed, and everything that grows has a limit. */
#ifndef REHA_BASE_MULTIPART_H
#define REHA_BASE_MULTIPART_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct reha_multipart reha_multipart; /* one thread at a time */

typedef struct reha_multipart_limits {
    size_t parts_max;      /* 2,000 */
    size_t head_bytes_max; /* all header lines of one part: 4,096 */
} reha_multipart_limits;
reha_multipart_limits reha_multipart_limits_default(void);

enum { REHA_MULTIPART_TYPE_BYTES = 256, REHA_BOUNDARY_BYTES = 71 };

/* What becomes of the parts. A status that is not REHA_OK ends it all. */
typedef struct reha_multipart_taker {
    /* `type`: the Content-Type as it stands there, "" if there is none; borrowed. */
    reha_status (*begin)(void *context, const char *type, reha_error *err);
    reha_status (*add)(void *context, const void *bytes, size_t count, reha_error *err); /* count > 0 */
    reha_status (*end)(void *context, reha_error *err);
    void *context;
} reha_multipart_taker;

/* `boundary`: 1 to 70 characters, as the parameter of the body's own Content-Type gives it, else REHA_E_ARG.
 * `limits` NULL: defaults. */
REHA_MUST_USE reha_status reha_multipart_new(const char *boundary, const reha_multipart_limits *limits,
                                             const reha_multipart_taker *taker, reha_multipart **out,
                                             reha_error *err);
void reha_multipart_free(reha_multipart *parser); /* NULL is fine; a part that has begun gets no end */

/* More bytes, cut anywhere. REHA_E_FORMAT: no multipart body; REHA_E_LIMIT: above a limit; or what the taker
 * says. After a fault only free is left. */
REHA_MUST_USE reha_status reha_multipart_feed(reha_multipart *parser, const void *bytes, size_t count,
                                              reha_error *err);
/* All is there: REHA_E_FORMAT if the closing delimiter is not, so that half a body is not taken for whole. */
REHA_MUST_USE reha_status reha_multipart_finish(reha_multipart *parser, reha_error *err);

/* One parameter of a media type such as `multipart/related; type="application/dicom"; boundary=x`: its value
 * without quotes. False (and "") if it is absent, or longer than `room`. Names without regard to case. */
bool reha_media_parameter(const char *media_type, const char *name, char *out, size_t room);
/* True if the media type itself (what stands before the parameters) is this one, without regard to case. */
bool reha_media_is(const char *media_type, const char *wanted);

#endif
