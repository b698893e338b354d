/* A borrowed, shrinking window over foreign bytes. A failed take moves nothing. */
#ifndef REHA_BASE_BYTES_H
#define REHA_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reha_bytes {
    const uint8_t *data; /* borrowed */
    size_t left;
} reha_bytes;

bool reha_bytes_take(reha_bytes *in, size_t count, reha_bytes *out);
bool reha_bytes_skip(reha_bytes *in, size_t count);
bool reha_bytes_u8(reha_bytes *in, uint8_t *out);
bool reha_bytes_u16le(reha_bytes *in, uint16_t *out);
bool reha_bytes_u16be(reha_bytes *in, uint16_t *out);
bool reha_bytes_u32le(reha_bytes *in, uint32_t *out);
bool reha_bytes_u32be(reha_bytes *in, uint32_t *out);
/* True if the window begins with these bytes. */
bool reha_bytes_starts(reha_bytes in, const void *magic, size_t count);

#endif
