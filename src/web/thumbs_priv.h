/* Small pictures that were asked for lately, and reduced copies of the values of large ones. A worklist shows
 * a hundred at once, and each costs a sandboxed decoding of a whole film; a stored image never changes, so
 * its picture may be kept. */
#ifndef REHA_WEB_THUMBS_PRIV_H
#define REHA_WEB_THUMBS_PRIV_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reha_thumbs reha_thumbs; /* internally locked */

enum { REHA_THUMB_SIDE_MAX_PX = 256 };

REHA_MUST_USE reha_status reha_thumbs_new(size_t bytes_max, reha_thumbs **out, reha_error *err);
void reha_thumbs_free(reha_thumbs *thumbs);  /* NULL is fine */
void reha_thumbs_clear(reha_thumbs *thumbs); /* forgets all: a patient was erased */
/* Between these, nobody else makes a picture of (about) this key, or of this image, as the caller names it:
 * fifty people who open one worklist cost one decoding of each film. Look again after taking it. */
void reha_thumbs_make_begin(reha_thumbs *thumbs, const char *key);
void reha_thumbs_make_end(reha_thumbs *thumbs, const char *key);
/* A copy (reha_free), or false. */
bool reha_thumbs_get(reha_thumbs *thumbs, const char *key, uint8_t **out, size_t *out_bytes);
/* Keeps a copy; the longest unused ones make room. Too large a picture, or no memory: it is not kept. */
void reha_thumbs_put(reha_thumbs *thumbs, const char *key, const uint8_t *bytes, size_t count);

#endif
