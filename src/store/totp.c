#include "store/secret.h"

#include <stdio.h>
#include <string.h>

/* libsodium has no SHA-1, and the authenticator apps that people have know nothing else. HMAC-SHA-1 of eight
 * bytes is all that is needed; it is sound for this use although SHA-1 no longer resists collisions. */
enum { BLOCK_BYTES = 64, HASH_BYTES = 20, STEP_S = 30, CODE_DIGITS = 6 };

static uint32_t turn(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32U - bits);
}

static void sha1_block(uint32_t h[5], const uint8_t block[BLOCK_BYTES])
{
    uint32_t w[80];
    for (size_t i = 0; i < 16; i++) {
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    }
    for (int i = 16; i < 80; i++) {
        w[i] = turn(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    }
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
        const uint32_t f = i < 20   ? (b & c) | (~b & d)
                           : i < 40 ? b ^ c ^ d
                           : i < 60 ? (b & c) | (b & d) | (c & d)
                                    : b ^ c ^ d;
        const uint32_t k = i < 20 ? 0x5a827999U : i < 40 ? 0x6ed9eba1U : i < 60 ? 0x8f1bbcdcU : 0xca62c1d6U;
        const uint32_t next = turn(a, 5) + f + e + k + w[i];
        e = d;
        d = c;
        c = turn(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* Of a full first block and a short rest (at most 55 bytes): what HMAC asks for. */
static void sha1_two(const uint8_t first[BLOCK_BYTES], const uint8_t *rest, size_t count,
                     uint8_t out[HASH_BYTES])
{
    uint32_t h[5] = {0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U, 0xc3d2e1f0U};
    uint8_t last[BLOCK_BYTES] = {0};
    const uint32_t bits = (uint32_t)(BLOCK_BYTES + count) * 8U;
    memcpy(last, rest, count);
    last[count] = 0x80;
    last[62] = (uint8_t)(bits >> 8);
    last[63] = (uint8_t)bits;
    sha1_block(h, first);
    sha1_block(h, last);
    for (int i = 0; i < HASH_BYTES; i++) {
        out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
    }
}

uint32_t reha_totp_code(const uint8_t secret[REHA_TOTP_SECRET_BYTES], int64_t unix_s)
{
    uint8_t inner[BLOCK_BYTES];
    uint8_t outer[BLOCK_BYTES];
    uint8_t counter[8];
    uint8_t hash[HASH_BYTES];
    const uint64_t step = (uint64_t)(unix_s / STEP_S);
    for (int i = 0; i < BLOCK_BYTES; i++) {
        const uint8_t key = i < REHA_TOTP_SECRET_BYTES ? secret[i] : 0;
        inner[i] = key ^ 0x36;
        outer[i] = key ^ 0x5c;
    }
    for (int i = 0; i < 8; i++) {
        counter[i] = (uint8_t)(step >> (56 - 8 * i));
    }
    sha1_two(inner, counter, sizeof counter, hash);
    sha1_two(outer, hash, sizeof hash, hash);
    const unsigned at = hash[HASH_BYTES - 1] & 15U;
    const uint32_t cut = ((uint32_t)hash[at] & 0x7fU) << 24 | (uint32_t)hash[at + 1] << 16 |
                         (uint32_t)hash[at + 2] << 8 | hash[at + 3];
    return cut % 1000000U;
}

void reha_totp_text(const uint8_t secret[REHA_TOTP_SECRET_BYTES], char out[REHA_TOTP_TEXT_BYTES])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    for (int i = 0; i < REHA_TOTP_TEXT_BYTES - 1; i++) {
        const int bit = 5 * i;
        const unsigned pair = (unsigned)secret[bit / 8] << 8 |
                              (bit / 8 + 1 < REHA_TOTP_SECRET_BYTES ? secret[bit / 8 + 1] : 0U);
        out[i] = digits[pair >> (11 - bit % 8) & 31U];
    }
    out[REHA_TOTP_TEXT_BYTES - 1] = '\0';
}

bool reha_totp_fits(const uint8_t secret[REHA_TOTP_SECRET_BYTES], int64_t unix_s, const char *code,
                    int64_t *step)
{
    bool fits = false;
    *step = 0;
    if (strlen(code) != CODE_DIGITS) {
        return false;
    }
    for (int64_t shift = -1; shift <= 1; shift++) {
        char right[CODE_DIGITS + 5];
        const int64_t at = unix_s + shift * STEP_S;
        (void)snprintf(right, sizeof right, "%06u", (unsigned)reha_totp_code(secret, at));
        if (reha_equal_constant_time(right, code, CODE_DIGITS)) {
            fits = true;
            *step = at / STEP_S;
        }
    }
    return fits;
}
