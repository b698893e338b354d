/* SHA-256 (FIPS 180-4) of inputs and models: what a result was made from, and by. By nettle, which uses the
 * processor's own instructions for it: a start of the program reads and hashes 40 MB of models. */
#ifndef REHA_STORE_DIGEST_H
#define REHA_STORE_DIGEST_H

#include "base/status.h"

#include <nettle/sha2.h>
#include <stddef.h>

enum { REHA_DIGEST_TEXT_BYTES = 65 };

/* Bytes that come piece by piece. After reha_digest_end it begins anew. One thread at a time. */
typedef struct reha_digest {
    struct sha256_ctx state;
} reha_digest;
void reha_digest_init(reha_digest *digest);
void reha_digest_add(reha_digest *digest, const void *bytes, size_t count);
void reha_digest_end(reha_digest *digest, char out[REHA_DIGEST_TEXT_BYTES]);

/* Lower-case hexadecimal and an end mark. Any thread. */
void reha_digest_bytes(const void *bytes, size_t count, char out[REHA_DIGEST_TEXT_BYTES]);
REHA_MUST_USE reha_status reha_digest_file(const char *path, char out[REHA_DIGEST_TEXT_BYTES],
                                           reha_error *err);
/* Of the given files of a folder: names and contents, in the given order. */
REHA_MUST_USE reha_status reha_digest_files(const char *folder, const char *const *names, size_t count,
                                            char out[REHA_DIGEST_TEXT_BYTES], reha_error *err);

#endif
