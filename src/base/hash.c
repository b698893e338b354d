#include "base/hash.h"

#include <string.h>

uint32_t reha_hash32(uint32_t hash, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ at[i]) * 16777619U;
    }
    return hash;
}

uint64_t reha_hash64(uint64_t hash, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ at[i]) * 1099511628211ULL;
    }
    return hash;
}

uint32_t reha_hash32_text(const char *text)
{
    return reha_hash32(REHA_HASH32_START, text, strlen(text));
}

uint64_t reha_hash64_text(const char *text)
{
    return reha_hash64(REHA_HASH64_START, text, strlen(text));
}
