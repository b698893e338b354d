/* Compressed frames carry more than pixels: comments, EXIF, thumbnails, whatever stands behind their end.
 * All of it is filled with zeros in its place, so that lengths, offsets and pixels stay what they are.
 *
 * Sources: ITU-T T.81 annex B (JPEG; T.87 for JPEG-LS), T.800 annex A (JPEG 2000), PS3.5 annex G (RLE). */
#include "dicom/deidentify_priv.h"

#include <string.h>

typedef struct stream {
    uint8_t *data;
    size_t size;
    size_t at;
    uint32_t *cleared;
} stream;

static void wipe(stream *s, size_t from, size_t to)
{
    bool is_empty = true;
    for (size_t i = from; i < to; i++) {
        is_empty = is_empty && s->data[i] == 0;
        s->data[i] = 0;
    }
    *s->cleared += is_empty ? 0 : 1;
}

/* The two bytes of a marker at the position; fill bytes before it are legal in JPEG. */
static bool take_marker(stream *s, uint8_t *out)
{
    if (s->at + 2 > s->size || s->data[s->at] != 0xFF) {
        return false;
    }
    while (s->at + 2 < s->size && s->data[s->at + 1] == 0xFF) {
        s->at++;
    }
    *out = s->data[s->at + 1];
    s->at += 2;
    return true;
}

/* The segment behind a marker: its content is [from, to). */
static bool take_segment(stream *s, size_t *from, size_t *to)
{
    if (s->at + 2 > s->size) {
        return false;
    }
    const size_t length = (size_t)s->data[s->at] << 8 | s->data[s->at + 1];
    if (length < 2 || length > s->size - s->at) {
        return false;
    }
    *from = s->at + 2;
    *to = s->at + length;
    s->at = *to;
    return true;
}

/* Application segments that decide how the pixels are decoded keep the part that does. */
static size_t needed_of(const stream *s, uint8_t marker, size_t from, size_t to)
{
    static const struct {
        uint8_t marker;
        const char *name;
        size_t name_bytes;
        size_t needed;
    } kinds[] = {{0xE0, "JFIF", 5, 12}, {0xE8, "mrfx", 4, 5}, {0xEE, "Adobe", 5, 12}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (marker == kinds[i].marker && to - from >= kinds[i].needed &&
            memcmp(s->data + from, kinds[i].name, kinds[i].name_bytes) == 0) {
            return kinds[i].needed;
        }
    }
    return 0;
}

/* Behind a scan's header: on to the next marker that is no part of the coded data. */
static void skip_coded(stream *s)
{
    while (s->at + 1 < s->size) {
        const uint8_t next = s->data[s->at + 1];
        if (s->data[s->at] == 0xFF && next >= 0x80 && next != 0xFF && (next < 0xD0 || next > 0xD7)) {
            return;
        }
        s->at++;
    }
    s->at = s->size;
}

static bool clean_jpeg(stream *s)
{
    uint8_t marker;
    size_t from;
    size_t to;
    bool has_scan = false;
    if (!take_marker(s, &marker) || marker != 0xD8) {
        return false;
    }
    while (s->at < s->size) {
        if (!take_marker(s, &marker)) {
            return false;
        }
        if (marker == 0xD9) {
            wipe(s, s->at, s->size);
            return true;
        }
        if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {
            continue;
        }
        if (!take_segment(s, &from, &to)) {
            return false;
        }
        if (marker == 0xFE || (marker >= 0xE0 && marker <= 0xEF)) {
            wipe(s, from + needed_of(s, marker, from, to), to);
        }
        if (marker == 0xDA) {
            has_scan = true;
            skip_coded(s);
        }
    }
    return has_scan; /* some devices leave the end mark out */
}

/* Marker segments of a main or tile-part header up to and with `last`. */
static bool clean_j2k_header(stream *s, uint8_t last)
{
    uint8_t marker;
    size_t from;
    size_t to;
    for (;;) {
        if (!take_marker(s, &marker)) {
            return false;
        }
        if (marker == last) {
            return true;
        }
        if (!take_segment(s, &from, &to)) {
            return false;
        }
        if (marker == 0x64) { /* a comment begins with two bytes that say what it is */
            wipe(s, from + 2 < to ? from + 2 : to, to);
        }
    }
}

static bool clean_j2k(stream *s)
{
    enum { SOT = 0x90, SOD = 0x93, EOC = 0xD9 };
    uint8_t marker;
    if (!take_marker(s, &marker) || marker != 0x4F || !clean_j2k_header(s, SOT)) {
        return false;
    }
    for (;;) { /* behind the mark of a tile part */
        const size_t start = s->at - 2;
        size_t from;
        size_t to;
        if (!take_segment(s, &from, &to) || to - from != 8) {
            return false;
        }
        const uint8_t *p = s->data + from + 2;
        const size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (!clean_j2k_header(s, SOD)) {
            return false;
        }
        if (length == 0) { /* the last one, up to the end mark, which coded data cannot hold */
            while (s->at + 1 < s->size && !(s->data[s->at] == 0xFF && s->data[s->at + 1] == EOC)) {
                s->at++;
            }
        } else if (length > s->size - start || start + length < s->at) {
            return false;
        } else {
            s->at = start + length;
        }
        if (s->at + 2 > s->size) {
            return true; /* cut right there, or without an end mark */
        }
        if (!take_marker(s, &marker)) {
            return false;
        }
        if (marker == EOC) {
            wipe(s, s->at, s->size);
            return true;
        }
        if (marker != SOT) {
            return false;
        }
    }
}

/* A count and 15 places for offsets, of which the first ones are used. */
static bool clean_rle(stream *s)
{
    enum { HEADER_BYTES = 64, SEGMENTS_MAX = 15 };
    if (s->size < HEADER_BYTES || s->data[0] < 1 || s->data[0] > SEGMENTS_MAX) {
        return false;
    }
    wipe(s, 4 + 4 * (size_t)s->data[0], HEADER_BYTES);
    return true;
}

bool reha_deid_clean_stream(const char *transfer_syntax_uid, uint8_t *data, size_t size_bytes,
                            uint32_t *cleared)
{
    stream s = {.data = data, .size = size_bytes, .cleared = cleared};
    if (strcmp(transfer_syntax_uid, "1.2.840.10008.1.2.5") == 0) {
        return clean_rle(&s);
    }
    if (strncmp(transfer_syntax_uid, "1.2.840.10008.1.2.4.9", 21) == 0) {
        return clean_j2k(&s);
    }
    return clean_jpeg(&s);
}
