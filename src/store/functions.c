#include "store/functions_priv.h"

#include "base/memory.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const char SEAL_MARK[] = "s1"; /* of this form of seal; another one would be s2 */
enum {
    MARK_BYTES = sizeof SEAL_MARK - 1,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    PLACE_BYTES = 256,
    BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING
};

/* Lower case of ASCII and of the Latin letters with accents (in UTF-8: C3 80..9E to C3 A0..BE). */
static void fold(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at != 0; at++) {
        if (*at >= 'A' && *at <= 'Z') {
            *at = (unsigned char)(*at + ('a' - 'A'));
        } else if (*at == 0xc3 && at[1] >= 0x80 && at[1] <= 0x9e && at[1] != 0x97) {
            at[1] = (unsigned char)(at[1] + 0x20);
            at++;
        }
    }
}

/* has_words(text, words): whether each word occurs in the text, whatever its case. */
static void has_words(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    const char *text = (const char *)sqlite3_value_text(values[0]);
    const char *words = (const char *)sqlite3_value_text(values[1]);
    char *hay = reha_strdup(text != NULL ? text : "");
    char *needles = reha_strdup(words != NULL ? words : "");
    bool has_all = true;
    if (hay == NULL || needles == NULL) {
        sqlite3_result_error_nomem(context);
        goto done;
    }
    fold(hay);
    fold(needles);
    for (char *at = needles; *at != '\0' && has_all;) {
        const size_t length = strcspn(at, " ");
        char *next = at + length + (at[length] != '\0' ? 1 : 0);
        at[length] = '\0';
        has_all = strstr(hay, at) != NULL;
        at = next;
    }
    sqlite3_result_int(context, has_all ? 1 : 0);
done:
    reha_free(hay);
    reha_free(needles);
}

/* ---- the seal ---- */

/* Where the value belongs, as the seal binds it; 0: it cannot be told. */
static size_t place_of(sqlite3_value **values, char out[PLACE_BYTES])
{
    const char *id = (const char *)sqlite3_value_text(values[1]);
    const char *column = (const char *)sqlite3_value_text(values[2]);
    const size_t id_bytes = id != NULL ? (size_t)sqlite3_value_bytes(values[1]) : 0;
    const size_t column_bytes = column != NULL ? (size_t)sqlite3_value_bytes(values[2]) : 0;
    if (id_bytes == 0 || column_bytes == 0 || column_bytes + 1 + id_bytes > PLACE_BYTES) {
        return 0;
    }
    memcpy(out, column, column_bytes);
    out[column_bytes] = '|';
    memcpy(out + column_bytes + 1, id, id_bytes);
    return column_bytes + 1 + id_bytes;
}

static void seal(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    char place[PLACE_BYTES];
    if (sqlite3_value_type(values[0]) == SQLITE_NULL) {
        return;
    }
    const size_t place_bytes = place_of(values, place);
    const unsigned char *plain = sqlite3_value_text(values[0]);
    const size_t plain_bytes = (size_t)sqlite3_value_bytes(values[0]);
    const size_t sealed_bytes = NONCE_BYTES + plain_bytes + TAG_BYTES;
    const size_t text_bytes = MARK_BYTES + sodium_base64_ENCODED_LEN(sealed_bytes, BASE64);
    uint8_t *sealed = plain != NULL ? reha_alloc(sealed_bytes) : NULL;
    char *text = sealed != NULL ? sqlite3_malloc64(text_bytes) : NULL;
    if (text == NULL) {
        reha_free(sealed);
        sqlite3_result_error_nomem(context);
        return;
    }
    if (place_bytes == 0) {
        reha_free(sealed);
        sqlite3_free(text);
        sqlite3_result_error(context, "a value is sealed for no record", -1);
        return;
    }
    randombytes_buf(sealed, NONCE_BYTES);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE_BYTES, NULL, plain, plain_bytes,
                                                     (const uint8_t *)place, place_bytes, NULL, sealed,
                                                     sqlite3_user_data(context));
    memcpy(text, SEAL_MARK, MARK_BYTES);
    (void)sodium_bin2base64(text + MARK_BYTES, text_bytes - MARK_BYTES, sealed, sealed_bytes, BASE64);
    reha_free(sealed);
    sqlite3_result_text(context, text, (int)strlen(text), sqlite3_free);
}

/* What sodium_bin2base64 wrote; libsodium's own way back takes the same time for every character, which costs
 * a search as much as the decryption, and what is sealed is no secret. 0: not base 64. */
static size_t from_base64(const char *text, size_t text_bytes, uint8_t *out)
{
    /* of '-' to 'z' */
    static const int8_t values[] = {62, -1, -1, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1,
                                    -1, -1, -1, -1, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                    12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, -1, -1,
                                    -1, -1, 63, -1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37,
                                    38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51};
    uint32_t held = 0;
    int bits = 0;
    size_t used = 0;
    for (size_t i = 0; i < text_bytes; i++) {
        const unsigned at = (unsigned)(unsigned char)text[i] - '-';
        if (at >= sizeof values || values[at] < 0) {
            return 0;
        }
        held = held << 6 | (uint32_t)values[at];
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[used++] = (uint8_t)(held >> bits);
        }
    }
    return used;
}

/* The bytes that `text` stands for, opened in place; false: no seal of ours, or of another place or key. */
static bool open_seal(const char *text, size_t text_bytes, const char *place, size_t place_bytes,
                      const uint8_t *key, uint8_t *out, size_t *plain_bytes)
{
    unsigned long long opened_bytes = 0;
    const bool is_marked = text_bytes > MARK_BYTES && memcmp(text, SEAL_MARK, MARK_BYTES) == 0;
    const size_t sealed_bytes = is_marked ? from_base64(text + MARK_BYTES, text_bytes - MARK_BYTES, out) : 0;
    const bool fits = place_bytes > 0 && sealed_bytes >= NONCE_BYTES + TAG_BYTES &&
                      crypto_aead_xchacha20poly1305_ietf_decrypt(
                          out + NONCE_BYTES, &opened_bytes, NULL, out + NONCE_BYTES,
                          sealed_bytes - NONCE_BYTES, (const uint8_t *)place, place_bytes, out, key) == 0;
    *plain_bytes = (size_t)opened_bytes;
    return fits;
}

static void unseal(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    char place[PLACE_BYTES];
    size_t plain_bytes = 0;
    if (sqlite3_value_type(values[0]) == SQLITE_NULL) {
        return;
    }
    const size_t place_bytes = place_of(values, place);
    const char *text = (const char *)sqlite3_value_text(values[0]);
    const size_t text_bytes = (size_t)sqlite3_value_bytes(values[0]);
    uint8_t *opened = text != NULL ? sqlite3_malloc64(text_bytes + 1) : NULL;
    if (opened == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    if (!open_seal(text, text_bytes, place, place_bytes, sqlite3_user_data(context), opened, &plain_bytes)) {
        sqlite3_free(opened);
        sqlite3_result_error(context, "a sealed value does not open: altered, moved, or of another key", -1);
        sqlite3_result_error_code(context, SQLITE_CORRUPT);
        return;
    }
    sqlite3_result_text(context, (const char *)opened + NONCE_BYTES, (int)plain_bytes, SQLITE_TRANSIENT);
    sodium_memzero(opened, text_bytes);
    sqlite3_free(opened);
}

reha_status reha_functions_add(sqlite3 *db, const uint8_t key[REHA_KEY_BYTES], reha_error *err)
{
    static const struct {
        const char *name;
        int arguments, flags;
        void (*call)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {
        {"has_words", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, has_words},
        {"seal", 3, SQLITE_UTF8 | SQLITE_DIRECTONLY, seal}, /* by us, never by what a file's schema says */
        {"unseal", 3, SQLITE_UTF8 | SQLITE_DIRECTONLY | SQLITE_DETERMINISTIC, unseal}};
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (sqlite3_create_function(db, functions[i].name, functions[i].arguments, functions[i].flags,
                                    (void *)(uintptr_t)key, functions[i].call, NULL, NULL) != SQLITE_OK) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for the records");
        }
    }
    return REHA_OK;
}
