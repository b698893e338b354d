/* Sealed files beside the database, named by the SHA-256 of their content.
 *
 * On disk: "RHBLOB01", the header of a libsodium secretstream (XChaCha20-Poly1305), then pieces of 64 KiB,
 * each with its own tag, the last one marked final: altered, swapped, cut or lengthened files are found, and
 * so is a file under another's name, because the content is hashed again. docs/formats/home.md. */
#ifndef REHA_STORE_BLOB_H
#define REHA_STORE_BLOB_H

#include "store/digest.h"
#include "store/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reha_blobs reha_blobs; /* immutable after opening: any thread */

/* `home`/blobs and `home`/incoming, made if absent. What stopped processes left in incoming is removed. */
REHA_MUST_USE reha_status reha_blobs_open(const char *home, const uint8_t key[REHA_KEY_BYTES],
                                          reha_blobs **out, reha_error *err);
void reha_blobs_close(reha_blobs *blobs); /* NULL is fine */

/* On disk when it returns. Content that is there already costs nothing. */
REHA_MUST_USE reha_status reha_blobs_put(const reha_blobs *blobs, const void *bytes, size_t count,
                                         char digest[REHA_DIGEST_TEXT_BYTES], reha_error *err);
/* *out ends with an extra NUL, reha_free. REHA_E_NOT_FOUND; REHA_E_TAMPERED; REHA_E_LIMIT beyond limit_bytes.
 */
REHA_MUST_USE reha_status reha_blobs_get(const reha_blobs *blobs, const char *digest, size_t limit_bytes,
                                         uint8_t **out, size_t *out_bytes, reha_error *err);
bool reha_blobs_has(const reha_blobs *blobs, const char *digest);
/* The path of a blob, for copying it sealed. reha_free. */
char *reha_blobs_path(const reha_blobs *blobs, const char *digest);
/* For good: without its header, which is overwritten, no piece opens, also where a disk editor finds them. It
 * leaves its place before that: what lies there is whole. One that is not there is fine. On disk when it
 * returns. */
REHA_MUST_USE reha_status reha_blobs_remove(const reha_blobs *blobs, const char *digest, reha_error *err);
/* Removes every blob that is not named, and what stopped processes left in incoming. */
typedef reha_status reha_blob_is_named(void *context, const char *digest, bool *out, reha_error *err);
REHA_MUST_USE reha_status reha_blobs_sweep(const reha_blobs *blobs, reha_blob_is_named *is_named,
                                           void *context, reha_error *err);

/* A blob that comes in pieces. One thread at a time. */
typedef struct reha_blob_writer reha_blob_writer;
REHA_MUST_USE reha_status reha_blob_writer_new(const reha_blobs *blobs, reha_blob_writer **out,
                                               reha_error *err);
REHA_MUST_USE reha_status reha_blob_writer_add(reha_blob_writer *writer, const void *bytes, size_t count,
                                               reha_error *err);
size_t reha_blob_writer_bytes(const reha_blob_writer *writer);
/* No more pieces; gives the digest and the content back (either may be NULL). Nothing is kept yet. */
REHA_MUST_USE reha_status reha_blob_writer_end(reha_blob_writer *writer, char digest[REHA_DIGEST_TEXT_BYTES],
                                               uint8_t **out, size_t *out_bytes, reha_error *err);
/* After end: files it under its digest, on disk when it returns. */
REHA_MUST_USE reha_status reha_blob_writer_keep(reha_blob_writer *writer, reha_error *err);
void reha_blob_writer_free(reha_blob_writer *writer); /* what was not kept is gone; NULL is fine */

/* A blob that is given out in pieces: no more of it is in memory than one. One thread at a time. */
typedef struct reha_blob_reader reha_blob_reader;
REHA_MUST_USE reha_status reha_blob_reader_new(const reha_blobs *blobs, const char *digest,
                                               reha_blob_reader **out, reha_error *err);
size_t reha_blob_reader_bytes(const reha_blob_reader *reader); /* of the whole content */
/* The next piece, borrowed until the next call: each was checked against its own tag. *count 0: that was all,
 * and it is what the name says; REHA_E_TAMPERED otherwise, when the pieces before are gone out already. */
REHA_MUST_USE reha_status reha_blob_reader_next(reha_blob_reader *reader, const uint8_t **out, size_t *count,
                                                reha_error *err);
void reha_blob_reader_free(reha_blob_reader *reader); /* NULL is fine */

#endif
