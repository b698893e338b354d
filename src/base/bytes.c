#include "base/bytes.h"

#include <string.h>

bool reha_bytes_take(reha_bytes *in, size_t count, reha_bytes *out)
{
    if (count > in->left) {
        return false;
    }
    *out = (reha_bytes){in->data, count};
    in->data += count;
    in->left -= count;
    return true;
}

bool reha_bytes_skip(reha_bytes *in, size_t count)
{
    reha_bytes skipped;
    return reha_bytes_take(in, count, &skipped);
}

bool reha_bytes_u8(reha_bytes *in, uint8_t *out)
{
    reha_bytes part;
    if (!reha_bytes_take(in, 1, &part)) {
        return false;
    }
    *out = part.data[0];
    return true;
}

bool reha_bytes_u16le(reha_bytes *in, uint16_t *out)
{
    reha_bytes part;
    if (!reha_bytes_take(in, 2, &part)) {
        return false;
    }
    *out = (uint16_t)(part.data[0] | part.data[1] << 8);
    return true;
}

bool reha_bytes_u16be(reha_bytes *in, uint16_t *out)
{
    reha_bytes part;
    if (!reha_bytes_take(in, 2, &part)) {
        return false;
    }
    *out = (uint16_t)(part.data[0] << 8 | part.data[1]);
    return true;
}

bool reha_bytes_u32le(reha_bytes *in, uint32_t *out)
{
    reha_bytes part;
    if (!reha_bytes_take(in, 4, &part)) {
        return false;
    }
    *out = (uint32_t)part.data[0] | (uint32_t)part.data[1] << 8 | (uint32_t)part.data[2] << 16 |
           (uint32_t)part.data[3] << 24;
    return true;
}

bool reha_bytes_u32be(reha_bytes *in, uint32_t *out)
{
    reha_bytes part;
    if (!reha_bytes_take(in, 4, &part)) {
        return false;
    }
    *out = (uint32_t)part.data[0] << 24 | (uint32_t)part.data[1] << 16 | (uint32_t)part.data[2] << 8 |
           (uint32_t)part.data[3];
    return true;
}

bool reha_bytes_starts(reha_bytes in, const void *magic, size_t count)
{
    return in.left >= count && memcmp(in.data, magic, count) == 0;
}
