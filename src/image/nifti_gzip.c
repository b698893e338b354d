#include "image/nifti_priv.h"

#include "base/memory.h"

#include <zlib.h>

enum { GZIP_BITS = MAX_WBITS + 16, MEMORY_LEVEL = 8 };

static uInt part_of(size_t left)
{
    return left > (1u << 30) ? 1u << 30 : (uInt)left;
}

reha_status reha_gunzip(const uint8_t *bytes, size_t count, uint8_t *out, size_t wanted, size_t *got,
                        reha_error *err)
{
    z_stream stream = {.next_in = (z_const Bytef *)(uintptr_t)bytes};
    size_t left_in = count;
    int result = Z_OK;
    *got = 0;
    if (inflateInit2(&stream, GZIP_BITS) != Z_OK) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory while unpacking");
    }
    while (result == Z_OK && *got < wanted) {
        if (stream.avail_in == 0) {
            stream.avail_in = part_of(left_in);
            left_in -= stream.avail_in;
        }
        const uInt room = part_of(wanted - *got);
        stream.next_out = out + *got;
        stream.avail_out = room;
        result = inflate(&stream, Z_NO_FLUSH);
        *got += room - stream.avail_out;
        if (result == Z_STREAM_END && stream.avail_in + left_in > 0 && *got < wanted) {
            result = inflateReset(&stream); /* members may follow one another (RFC 1952) */
        }
    }
    (void)inflateEnd(&stream);
    if (result == Z_DATA_ERROR) {
        return reha_fail(err, REHA_E_FORMAT, "the gzip data are damaged after %zu unpacked bytes", *got);
    }
    if (result == Z_MEM_ERROR) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory while unpacking");
    }
    return REHA_OK; /* too few bytes are the caller's to judge */
}

reha_status reha_gzip(const uint8_t *bytes, size_t count, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    z_stream stream = {.next_in = (z_const Bytef *)(uintptr_t)bytes};
    size_t left_in = count;
    int result = Z_OK;
    *out = NULL;
    *out_bytes = 0;
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_BITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory while packing");
    }
    const size_t room = deflateBound(&stream, (uLong)count);
    uint8_t *packed = reha_alloc(room);
    if (packed == NULL) {
        (void)deflateEnd(&stream);
        return reha_fail(err, REHA_E_NOMEM, "out of memory while packing %zu bytes", count);
    }
    stream.next_out = packed;
    while (result == Z_OK) {
        if (stream.avail_in == 0) {
            stream.avail_in = part_of(left_in);
            left_in -= stream.avail_in;
        }
        stream.avail_out = part_of(room - *out_bytes);
        const uInt before = stream.avail_out;
        result = deflate(&stream, left_in == 0 ? Z_FINISH : Z_NO_FLUSH);
        *out_bytes += before - stream.avail_out;
    }
    (void)deflateEnd(&stream);
    if (result != Z_STREAM_END) {
        reha_free(packed);
        *out_bytes = 0;
        return reha_fail(err, REHA_E_INTERNAL, "packing %zu bytes failed", count);
    }
    *out = packed;
    return REHA_OK;
}
