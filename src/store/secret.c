#include "store/secret.h"

#include "base/file.h"
#include "base/memory.h"
#include "store/disk_priv.h"

#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const char KEY_MAGIC[] = "rehascope-key-1 ";
enum { KEY_FILE_BYTES = 16 + 2 * REHA_KEY_BYTES + 1 };

reha_status reha_secret_start(reha_error *err)
{
    if (sodium_init() < 0) {
        return reha_fail(err, REHA_E_INTERNAL, "libsodium cannot start: the system gives no random numbers");
    }
    return REHA_OK;
}

void reha_random_fill(void *out, size_t count)
{
    randombytes_buf(out, count);
}

bool reha_equal_constant_time(const void *a, const void *b, size_t count)
{
    return sodium_memcmp(a, b, count) == 0;
}

void reha_wipe(void *bytes, size_t count)
{
    sodium_memzero(bytes, count);
}

void reha_identifier_new(char out[REHA_IDENTIFIER_BYTES])
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    enum { TIME_CHARS = 10, RANDOM_CHARS = 16 };
    uint8_t random[RANDOM_CHARS];
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U;
    for (int i = TIME_CHARS - 1; i >= 0; i--) {
        out[i] = digits[ms % 32U];
        ms /= 32U;
    }
    randombytes_buf(random, sizeof random);
    for (int i = 0; i < RANDOM_CHARS; i++) {
        out[TIME_CHARS + i] = digits[random[i] % 32U];
    }
    out[TIME_CHARS + RANDOM_CHARS] = '\0';
}

void reha_token_new(char out[REHA_TOKEN_TEXT_BYTES])
{
    uint8_t random[32];
    randombytes_buf(random, sizeof random);
    (void)sodium_bin2base64(out, REHA_TOKEN_TEXT_BYTES, random, sizeof random,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof random);
}

reha_status reha_password_hash(const char *password, char out[REHA_PASSWORD_HASH_BYTES], reha_error *err)
{
    _Static_assert(crypto_pwhash_STRBYTES <= REHA_PASSWORD_HASH_BYTES, "the hash must fit");
    out[0] = '\0';
    if (crypto_pwhash_str(out, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                          crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for hashing a password (64 MiB are needed)");
    }
    return REHA_OK;
}

bool reha_password_fits(const char *password, const char *hash)
{
    return crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
}

void reha_mac(const uint8_t key[REHA_KEY_BYTES], const void *bytes, size_t count,
              char out[REHA_MAC_TEXT_BYTES])
{
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    (void)crypto_auth_hmacsha256(mac, bytes, count, key);
    (void)sodium_bin2hex(out, REHA_MAC_TEXT_BYTES, mac, sizeof mac);
}

static void derive(const uint8_t master[REHA_KEY_BYTES], reha_keys *out)
{
    static const char context[crypto_kdf_CONTEXTBYTES + 1] = "rehascop";
    static const char name[] = "rehascope key check";
    uint8_t check[REHA_KEY_BYTES];
    uint8_t *const keys[] = {out->blobs, out->audit, out->pseudonyms, out->totp, check, out->records};
    _Static_assert(crypto_kdf_KEYBYTES == REHA_KEY_BYTES, "one key length");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        (void)crypto_kdf_derive_from_key(keys[i], REHA_KEY_BYTES, i + 1, context, master);
    }
    reha_mac(check, name, sizeof name - 1, out->check);
    sodium_memzero(check, sizeof check);
}

static reha_status make_key(const char *path, reha_error *err)
{
    uint8_t key[REHA_KEY_BYTES];
    char text[KEY_FILE_BYTES + 1];
    randombytes_buf(key, sizeof key);
    memcpy(text, KEY_MAGIC, sizeof KEY_MAGIC - 1);
    (void)sodium_bin2hex(text + sizeof KEY_MAGIC - 1, 2 * REHA_KEY_BYTES + 1, key, sizeof key);
    text[KEY_FILE_BYTES - 1] = '\n';
    const reha_status status = reha_disk_save(path, text, KEY_FILE_BYTES, err);
    sodium_memzero(key, sizeof key);
    sodium_memzero(text, sizeof text);
    return status;
}

reha_status reha_keys_load(const char *path, bool may_make, reha_keys *out, reha_error *err)
{
    uint8_t *text = NULL;
    size_t count = 0;
    uint8_t key[REHA_KEY_BYTES];
    size_t key_bytes = 0;
    struct stat info;
    sodium_memzero(out, sizeof *out);
    if (may_make && !reha_path_is_file(path)) {
        REHA_TRY(make_key(path, err));
    }
    if (stat(path, &info) == 0 && (info.st_mode & 077U) != 0) {
        return reha_fail(err, REHA_E_DENIED, "%s: others may read or write the key; run: chmod 600 on it",
                         path);
    }
    REHA_TRY(reha_file_load(path, KEY_FILE_BYTES, &text, &count, err));
    const bool is_key = count == KEY_FILE_BYTES && memcmp(text, KEY_MAGIC, sizeof KEY_MAGIC - 1) == 0 &&
                        sodium_hex2bin(key, sizeof key, (const char *)text + sizeof KEY_MAGIC - 1,
                                       (size_t)2 * REHA_KEY_BYTES, NULL, &key_bytes, NULL) == 0 &&
                        key_bytes == REHA_KEY_BYTES;
    sodium_memzero(text, count);
    reha_free(text);
    if (!is_key) {
        return reha_fail(err, REHA_E_FORMAT,
                         "%s: is no key file of rehascope; bring back the one of this home", path);
    }
    derive(key, out);
    sodium_memzero(key, sizeof key);
    return REHA_OK;
}

reha_status reha_secret_seal(const uint8_t key[REHA_KEY_BYTES], const void *bytes, size_t count, char **out,
                             reha_error *err)
{
    enum { OVERHEAD = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES };
    const size_t sealed_bytes = OVERHEAD + count;
    uint8_t *sealed = reha_alloc(sealed_bytes);
    *out = reha_alloc(2 * sealed_bytes + 1);
    if (sealed == NULL || *out == NULL) {
        reha_free(sealed);
        reha_free(*out);
        *out = NULL;
        return reha_fail(err, REHA_E_NOMEM, "out of memory for sealing a secret");
    }
    randombytes_buf(sealed, crypto_secretbox_NONCEBYTES);
    (void)crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, bytes, count, sealed, key);
    (void)sodium_bin2hex(*out, 2 * sealed_bytes + 1, sealed, sealed_bytes);
    reha_free(sealed);
    return REHA_OK;
}

reha_status reha_secret_open(const uint8_t key[REHA_KEY_BYTES], const char *sealed, void *out, size_t count,
                             reha_error *err)
{
    const size_t sealed_bytes = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + count;
    size_t got = 0;
    uint8_t *bytes = reha_alloc(sealed_bytes);
    if (bytes == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for opening a secret");
    }
    const bool fits = sodium_hex2bin(bytes, sealed_bytes, sealed, strlen(sealed), NULL, &got, NULL) == 0 &&
                      got == sealed_bytes &&
                      crypto_secretbox_open_easy(out, bytes + crypto_secretbox_NONCEBYTES,
                                                 sealed_bytes - crypto_secretbox_NONCEBYTES, bytes, key) == 0;
    reha_free(bytes);
    return fits ? REHA_OK : reha_fail(err, REHA_E_TAMPERED, "a sealed secret does not open with this key");
}
