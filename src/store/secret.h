/* Randomness, identifiers, passwords, tokens and the keys of a home folder. Everything of libsodium that is
 * not a blob. Any thread. */
#ifndef REHA_STORE_SECRET_H
#define REHA_STORE_SECRET_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REHA_KEY_BYTES = 32,
    REHA_MAC_TEXT_BYTES = 65,   /* hexadecimal with the end mark */
    REHA_IDENTIFIER_BYTES = 27, /* 26 characters and the end mark */
    REHA_TOKEN_TEXT_BYTES = 44, /* 32 random bytes in base 64 for URLs, and the end mark */
    REHA_PASSWORD_HASH_BYTES = 128
};

/* Prepares libsodium; REHA_E_INTERNAL if the system has no randomness. Idempotent. */
REHA_MUST_USE reha_status reha_secret_start(reha_error *err);

/* Time in milliseconds and 80 random bits, in 26 characters that sort by time (as ULID, lower case). */
void reha_identifier_new(char out[REHA_IDENTIFIER_BYTES]);
void reha_token_new(char out[REHA_TOKEN_TEXT_BYTES]);
void reha_random_fill(void *out, size_t count); /* from the system */
bool reha_equal_constant_time(const void *a, const void *b, size_t count);
void reha_wipe(void *bytes, size_t count);

/* argon2id, interactive strength (64 MiB, about 0.1 s). Slow on purpose. */
REHA_MUST_USE reha_status reha_password_hash(const char *password, char out[REHA_PASSWORD_HASH_BYTES],
                                             reha_error *err);
bool reha_password_fits(const char *password, const char *hash);

/* One-time codes of RFC 6238 (SHA-1, 30 s, 6 digits), as the usual apps make them. */
enum { REHA_TOTP_SECRET_BYTES = 20, REHA_TOTP_TEXT_BYTES = 33 };
void reha_totp_text(const uint8_t secret[REHA_TOTP_SECRET_BYTES],
                    char out[REHA_TOTP_TEXT_BYTES]); /* base 32 */
uint32_t reha_totp_code(const uint8_t secret[REHA_TOTP_SECRET_BYTES], int64_t unix_s);
/* Accepts one step before and after. *step gets the step that fitted, so that a code works once. */
bool reha_totp_fits(const uint8_t secret[REHA_TOTP_SECRET_BYTES], int64_t unix_s, const char *code,
                    int64_t *step);

typedef struct reha_keys {
    uint8_t blobs[REHA_KEY_BYTES];
    uint8_t audit[REHA_KEY_BYTES];
    uint8_t pseudonyms[REHA_KEY_BYTES];
    uint8_t totp[REHA_KEY_BYTES];
    uint8_t records[REHA_KEY_BYTES]; /* sealed columns */
    char check[REHA_MAC_TEXT_BYTES]; /* names the key without telling it */
} reha_keys;
/* Reads the key file; makes it (mode 0600, on disk before the return) if absent and `may_make`.
 * REHA_E_NOT_FOUND: absent; REHA_E_FORMAT: no key file; REHA_E_DENIED: others may read it. */
REHA_MUST_USE reha_status reha_keys_load(const char *path, bool may_make, reha_keys *out, reha_error *err);
/* HMAC-SHA-256 in hexadecimal. */
void reha_mac(const uint8_t key[REHA_KEY_BYTES], const void *bytes, size_t count,
              char out[REHA_MAC_TEXT_BYTES]);

/* A short secret for a database column: XChaCha20-Poly1305, hexadecimal, reha_free. */
REHA_MUST_USE reha_status reha_secret_seal(const uint8_t key[REHA_KEY_BYTES], const void *bytes, size_t count,
                                           char **out, reha_error *err);
REHA_MUST_USE reha_status reha_secret_open(const uint8_t key[REHA_KEY_BYTES], const char *sealed, void *out,
                                           size_t count, reha_error *err);

#endif
