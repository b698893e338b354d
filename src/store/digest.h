/* SHA-256 (FIPS 180-4) of inputs and models: what a result was made from, and by. */
#ifndef REHA_STORE_DIGEST_H
#define REHA_STORE_DIGEST_H

#include "base/status.h"

#include <stddef.h>

enum { REHA_DIGEST_TEXT_BYTES = 65 };

/* Lower-case hexadecimal and an end mark. Any thread. */
void reha_digest_bytes(const void *bytes, size_t count, char out[REHA_DIGEST_TEXT_BYTES]);
REHA_MUST_USE reha_status reha_digest_file(const char *path, char out[REHA_DIGEST_TEXT_BYTES],
                                           reha_error *err);
/* Of the given files of a folder: names and contents, in the given order. */
REHA_MUST_USE reha_status reha_digest_files(const char *folder, const char *const *names, size_t count,
                                            char out[REHA_DIGEST_TEXT_BYTES], reha_error *err);

#endif
