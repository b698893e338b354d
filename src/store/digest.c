#include "store/digest.h"

#include "base/file.h"
#include "base/memory.h"

#include <sodium.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 30 };

void reha_digest_init(reha_digest *digest)
{
    sha256_init(&digest->state);
}

void reha_digest_add(reha_digest *digest, const void *bytes, size_t count)
{
    sha256_update(&digest->state, count, bytes);
}

void reha_digest_end(reha_digest *digest, char out[REHA_DIGEST_TEXT_BYTES])
{
    uint8_t hash[SHA256_DIGEST_SIZE];
    sha256_digest(&digest->state, sizeof hash, hash);
    (void)sodium_bin2hex(out, REHA_DIGEST_TEXT_BYTES, hash, sizeof hash);
}

void reha_digest_bytes(const void *bytes, size_t count, char out[REHA_DIGEST_TEXT_BYTES])
{
    reha_digest digest;
    reha_digest_init(&digest);
    reha_digest_add(&digest, bytes, count);
    reha_digest_end(&digest, out);
}

static void add_piece(void *context, const uint8_t *bytes, size_t count)
{
    reha_digest_add(context, bytes, count);
}

reha_status reha_digest_file(const char *path, char out[REHA_DIGEST_TEXT_BYTES], reha_error *err)
{
    reha_digest digest;
    out[0] = '\0';
    reha_digest_init(&digest);
    REHA_TRY(reha_file_pieces(path, FILE_BYTES_MAX, add_piece, &digest, err));
    reha_digest_end(&digest, out);
    return REHA_OK;
}

reha_status reha_digest_files(const char *folder, const char *const *names, size_t count,
                              char out[REHA_DIGEST_TEXT_BYTES], reha_error *err)
{
    reha_digest digest;
    out[0] = '\0';
    reha_digest_init(&digest);
    for (size_t i = 0; i < count; i++) {
        char *path = reha_path_join(folder, names[i]);
        if (path == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
        }
        reha_digest_add(&digest, names[i], strlen(names[i]) + 1);
        const reha_status status = reha_file_pieces(path, FILE_BYTES_MAX, add_piece, &digest, err);
        reha_free(path);
        REHA_TRY(status);
    }
    reha_digest_end(&digest, out);
    return REHA_OK;
}
