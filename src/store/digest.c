#include "store/digest.h"

#include "base/file.h"
#include "base/memory.h"

#include <sodium.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 30 };

static void to_text(const unsigned char hash[crypto_hash_sha256_BYTES], char out[REHA_DIGEST_TEXT_BYTES])
{
    (void)sodium_bin2hex(out, REHA_DIGEST_TEXT_BYTES, hash, crypto_hash_sha256_BYTES);
}

void reha_digest_bytes(const void *bytes, size_t count, char out[REHA_DIGEST_TEXT_BYTES])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256(hash, bytes, count);
    to_text(hash, out);
}

reha_status reha_digest_file(const char *path, char out[REHA_DIGEST_TEXT_BYTES], reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    out[0] = '\0';
    REHA_TRY(reha_file_load(path, FILE_BYTES_MAX, &bytes, &count, err));
    reha_digest_bytes(bytes, count, out);
    reha_free(bytes);
    return REHA_OK;
}

reha_status reha_digest_files(const char *folder, const char *const *names, size_t count,
                              char out[REHA_DIGEST_TEXT_BYTES], reha_error *err)
{
    crypto_hash_sha256_state state;
    unsigned char hash[crypto_hash_sha256_BYTES];
    out[0] = '\0';
    (void)crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < count; i++) {
        uint8_t *bytes = NULL;
        size_t size_bytes = 0;
        char *path = reha_path_join(folder, names[i]);
        if (path == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
        }
        const reha_status status = reha_file_load(path, FILE_BYTES_MAX, &bytes, &size_bytes, err);
        reha_free(path);
        REHA_TRY(status);
        (void)crypto_hash_sha256_update(&state, (const unsigned char *)names[i], strlen(names[i]) + 1);
        (void)crypto_hash_sha256_update(&state, bytes, size_bytes);
        reha_free(bytes);
    }
    (void)crypto_hash_sha256_final(&state, hash);
    to_text(hash, out);
    return REHA_OK;
}
