#include "dicom/inflate_priv.h"

#include "base/memory.h"

#include <string.h>
#include <zlib.h>

enum { INFLATED_MAX_BYTES = 256 * 1024 * 1024, STEP_BYTES = 64 * 1024 };

static reha_status start(z_stream *stream, const uint8_t *bytes, size_t count, reha_error *err)
{
    *stream = (z_stream){.next_in = (z_const Bytef *)(uintptr_t)bytes, .avail_in = (uInt)count};
    /* Negative window bits: a raw stream without zlib's header (PS3.5 A.5). */
    return inflateInit2(stream, -MAX_WBITS) == Z_OK
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory while inflating a DICOM file");
}

/* First pass: how large it becomes. Costs time, but no memory, however hostile the stream is. */
static reha_status count_inflated(const uint8_t *bytes, size_t count, size_t *out, reha_error *err)
{
    z_stream stream;
    uint8_t step[STEP_BYTES];
    size_t total = 0;
    int result = Z_OK;
    *out = 0;
    REHA_TRY(start(&stream, bytes, count, err));
    while (result == Z_OK && total <= INFLATED_MAX_BYTES) {
        stream.next_out = step;
        stream.avail_out = sizeof(step);
        result = inflate(&stream, Z_NO_FLUSH);
        total += sizeof(step) - stream.avail_out;
    }
    (void)inflateEnd(&stream);
    if (total > INFLATED_MAX_BYTES) {
        return reha_fail(err, REHA_E_LIMIT, "the deflated data set grows beyond %d MiB",
                         INFLATED_MAX_BYTES / (1024 * 1024));
    }
    if (result != Z_STREAM_END || total == 0) {
        return reha_fail(err, REHA_E_FORMAT, "the deflated data set is damaged or cut after %zu bytes",
                         total);
    }
    *out = total;
    return REHA_OK;
}

reha_status reha_dcm_inflate(const uint8_t *bytes, size_t size_bytes, size_t from, uint8_t **out,
                             size_t *out_bytes, reha_error *err)
{
    z_stream stream;
    size_t total;
    size_t inflated_bytes;
    const size_t packed_bytes = size_bytes - from;
    *out = NULL;
    if (packed_bytes > INFLATED_MAX_BYTES) {
        return reha_fail(err, REHA_E_LIMIT, "a deflated data set of %zu bytes is too large", packed_bytes);
    }
    REHA_TRY(count_inflated(bytes + from, packed_bytes, &inflated_bytes, err));
    uint8_t *block = reha_add_size(from, inflated_bytes, &total) ? reha_alloc(total) : NULL;
    if (block == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory while inflating a DICOM file");
    }
    memcpy(block, bytes, from);
    const reha_status status = start(&stream, bytes + from, packed_bytes, err);
    if (status != REHA_OK) {
        reha_free(block);
        return status;
    }
    stream.next_out = block + from;
    stream.avail_out = (uInt)inflated_bytes;
    const int result = inflate(&stream, Z_FINISH);
    (void)inflateEnd(&stream);
    if (result != Z_STREAM_END) {
        reha_free(block);
        return reha_fail(err, REHA_E_INTERNAL, "the deflated data set changed between two readings");
    }
    *out = block;
    *out_bytes = total;
    return REHA_OK;
}
