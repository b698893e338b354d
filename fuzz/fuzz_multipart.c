/* Multipart bodies: any bytes, cut anywhere, end in a status; fed whole and byte by byte they give the same
 * parts, and what the parser gave out was in the body. The first line is the boundary, the rest the body. */
#include "base/memory.h"
#include "base/multipart.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct taken {
    size_t begun, ended, bytes;
    uint64_t hash; /* of all types and bytes, with marks between the parts (FNV-1a) */
    bool is_open;
} taken;

static void mix(taken *all, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < count; i++) {
        all->hash = (all->hash ^ at[i]) * 1099511628211u;
    }
}

static reha_status on_begin(void *context, const char *type, reha_error *err)
{
    taken *all = context;
    (void)err;
    if (all->is_open || strlen(type) >= REHA_MULTIPART_TYPE_BYTES) {
        abort();
    }
    all->is_open = true;
    all->begun++;
    mix(all, type, strlen(type) + 1);
    return REHA_OK;
}

static reha_status on_add(void *context, const void *bytes, size_t count, reha_error *err)
{
    taken *all = context;
    (void)err;
    if (!all->is_open || count == 0) {
        abort();
    }
    all->bytes += count;
    mix(all, bytes, count);
    return REHA_OK;
}

static reha_status on_end(void *context, reha_error *err)
{
    taken *all = context;
    (void)err;
    if (!all->is_open) {
        abort();
    }
    all->is_open = false;
    all->ended++;
    mix(all, "|", 1);
    return REHA_OK;
}

static reha_status parse(const char *boundary, const uint8_t *body, size_t count, size_t step, taken *all)
{
    const reha_multipart_limits limits = {.parts_max = 20, .head_bytes_max = 200};
    const reha_multipart_taker taker = {on_begin, on_add, on_end, all};
    reha_multipart *parser = NULL;
    *all = (taken){.hash = 14695981039346656037u};
    reha_status status = reha_multipart_new(boundary, &limits, &taker, &parser, NULL);
    for (size_t at = 0; at < count && status == REHA_OK; at += step) {
        status = reha_multipart_feed(parser, body + at, count - at < step ? count - at : step, NULL);
    }
    if (status == REHA_OK) {
        status = reha_multipart_finish(parser, NULL);
    }
    reha_multipart_free(parser);
    if (all->begun > limits.parts_max || all->bytes > count || (status == REHA_OK && all->is_open)) {
        abort();
    }
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char first[300];
    char value[80];
    taken whole;
    taken pieces;
    const uint8_t *end = memchr(data, '\n', size);
    const size_t length = end != NULL ? (size_t)(end - data) : size;
    const size_t kept = length < sizeof first ? length : sizeof first - 1;
    memcpy(first, data, kept);
    first[kept] = '\0';
    (void)reha_media_is(first, "multipart/related");
    const bool is_media = reha_media_parameter(first, "boundary", value, sizeof value);
    const char *boundary = is_media ? value : first;
    const uint8_t *body = data + length + (end != NULL ? 1 : 0);
    const size_t count = size - length - (end != NULL ? 1 : 0);
    const reha_status status = parse(boundary, body, count, count + 1, &whole);
    const reha_status again = parse(boundary, body, count, 1, &pieces);
    if (status != again || whole.hash != pieces.hash || whole.ended != pieces.ended) {
        abort();
    }
    return 0;
}
