/* Builds small DICOM files of any shape, right or wrong, for the tests of the reader. */
#ifndef REHA_TESTS_DICOM_BUILDER_H
#define REHA_TESTS_DICOM_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TS_IMPLICIT   "1.2.840.10008.1.2"
#define TS_EXPLICIT   "1.2.840.10008.1.2.1"
#define TS_DEFLATED   "1.2.840.10008.1.2.1.99"
#define TS_BIG_ENDIAN "1.2.840.10008.1.2.2"
#define TS_RLE        "1.2.840.10008.1.2.5"
#define TS_JPEG       "1.2.840.10008.1.2.4.50"
#define TS_JPEG_LS    "1.2.840.10008.1.2.4.80"
#define TS_JPEG_2000  "1.2.840.10008.1.2.4.90"

typedef struct builder {
    uint8_t *data;
    size_t length;
    size_t capacity;
    bool is_implicit;
    bool is_big_endian;
} builder;

static inline void b_bytes(builder *b, const void *bytes, size_t count)
{
    if (b->length + count > b->capacity) {
        b->capacity = (b->length + count) * 2 + 256;
        b->data = realloc(b->data, b->capacity);
        if (b->data == NULL) {
            abort();
        }
    }
    if (count > 0) {
        memcpy(b->data + b->length, bytes, count);
    }
    b->length += count;
}

static inline void b_raw16(builder *b, uint16_t value)
{
    const uint8_t little[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    const uint8_t big[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    b_bytes(b, b->is_big_endian ? big : little, 2);
}

static inline void b_raw32(builder *b, uint32_t value)
{
    b_raw16(b, (uint16_t)(b->is_big_endian ? value >> 16 : value));
    b_raw16(b, (uint16_t)(b->is_big_endian ? value : value >> 16));
}

static inline void b_header(builder *b, uint32_t tag, const char *vr, uint32_t length)
{
    b_raw16(b, (uint16_t)(tag >> 16));
    b_raw16(b, (uint16_t)tag);
    if (b->is_implicit) {
        b_raw32(b, length);
    } else if (strstr("OB OW OF SQ UN UT OV", vr) != NULL) {
        b_bytes(b, vr, 2);
        b_raw16(b, 0);
        b_raw32(b, length);
    } else {
        b_bytes(b, vr, 2);
        b_raw16(b, (uint16_t)length);
    }
}

static inline void b_text(builder *b, uint32_t tag, const char *vr, const char *text)
{
    const size_t length = strlen(text);
    b_header(b, tag, vr, (uint32_t)(length + length % 2));
    b_bytes(b, text, length);
    b_bytes(b, strcmp(vr, "UI") == 0 ? "" : " ", length % 2);
}

static inline void b_u16(builder *b, uint32_t tag, uint16_t value)
{
    b_header(b, tag, "US", 2);
    b_raw16(b, value);
}

static inline void b_u16x3(builder *b, uint32_t tag, uint16_t v0, uint16_t v1, uint16_t v2)
{
    b_header(b, tag, "US", 6);
    b_raw16(b, v0);
    b_raw16(b, v1);
    b_raw16(b, v2);
}

static inline void b_u32(builder *b, uint32_t tag, uint32_t value)
{
    b_header(b, tag, "UL", 4);
    b_raw32(b, value);
}

static inline void b_f64(builder *b, uint32_t tag, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    b_header(b, tag, "FD", 8);
    b_raw32(b, (uint32_t)(b->is_big_endian ? bits >> 32 : bits));
    b_raw32(b, (uint32_t)(b->is_big_endian ? bits : bits >> 32));
}

static inline void b_words(builder *b, uint32_t tag, const uint16_t *words, size_t count)
{
    b_header(b, tag, "OW", (uint32_t)(count * 2));
    for (size_t i = 0; i < count; i++) {
        b_raw16(b, words[i]);
    }
}

static inline void b_octets(builder *b, uint32_t tag, const char *vr, const void *bytes, size_t count)
{
    b_header(b, tag, vr, (uint32_t)(count + count % 2));
    b_bytes(b, bytes, count);
    b_bytes(b, "", count % 2);
}

/* Sequences and items of undefined length. */
static inline void b_sequence(builder *b, uint32_t tag)
{
    b_header(b, tag, "SQ", 0xFFFFFFFFu);
}

static inline void b_mark(builder *b, uint16_t element, uint32_t length)
{
    b_raw16(b, 0xFFFE);
    b_raw16(b, element);
    b_raw32(b, length);
}

static inline void b_item(builder *b)
{
    b_mark(b, 0xE000, 0xFFFFFFFFu);
}

static inline void b_item_end(builder *b)
{
    b_mark(b, 0xE00D, 0);
}

static inline void b_sequence_end(builder *b)
{
    b_mark(b, 0xE0DD, 0);
}

static inline void b_fragment(builder *b, const void *bytes, size_t count)
{
    b_mark(b, 0xE000, (uint32_t)(count + count % 2));
    b_bytes(b, bytes, count);
    b_bytes(b, "", count % 2);
}

/* Preamble and file meta information; the data set follows in the named syntax. */
static inline builder b_start(const char *transfer_syntax_uid)
{
    static const uint8_t preamble[128];
    builder b = {0};
    b_bytes(&b, preamble, sizeof(preamble));
    b_bytes(&b, "DICM", 4);
    b_text(&b, 0x00020010, "UI", transfer_syntax_uid);
    b.is_implicit = strcmp(transfer_syntax_uid, TS_IMPLICIT) == 0;
    b.is_big_endian = strcmp(transfer_syntax_uid, TS_BIG_ENDIAN) == 0;
    return b;
}

typedef struct pixel_module {
    uint16_t columns;
    uint16_t rows;
    uint16_t samples; /* 0: 1 */
    uint16_t bits_allocated;
    uint16_t bits_stored; /* 0: as allocated */
    uint16_t high_bit;    /* 0: bits_stored - 1 */
    uint16_t is_signed;
    const char *photometric; /* NULL: MONOCHROME2 */
} pixel_module;

static inline void b_pixel_module(builder *b, pixel_module m)
{
    const uint16_t stored = m.bits_stored > 0 ? m.bits_stored : m.bits_allocated;
    b_u16(b, 0x00280002, m.samples > 0 ? m.samples : 1);
    b_text(b, 0x00280004, "CS", m.photometric != NULL ? m.photometric : "MONOCHROME2");
    b_u16(b, 0x00280010, m.rows);
    b_u16(b, 0x00280011, m.columns);
    b_u16(b, 0x00280100, m.bits_allocated);
    b_u16(b, 0x00280101, stored);
    b_u16(b, 0x00280102, m.high_bit > 0 ? m.high_bit : (uint16_t)(stored - 1));
    b_u16(b, 0x00280103, m.is_signed);
}

static inline void b_end(builder *b)
{
    free(b->data);
    *b = (builder){0};
}

#endif
