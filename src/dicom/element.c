#include "dicom/element_priv.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "dicom/tags_priv.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char EXPLICIT_LITTLE[] = "1.2.840.10008.1.2.1";

enum { SHORT_VALUE_MAX = 65534, DECIMAL_MAX = 16, LENGTH_BYTES = 4 };

void reha_dcm_write_failed(reha_dcm_writer *w, reha_status status, const char *what)
{
    if (w->status == REHA_OK) {
        w->status = reha_fail(w->err, status, "%s", what);
    }
}

void reha_dcm_put_bytes(reha_dcm_writer *w, const void *bytes, size_t count)
{
    size_t needed;
    if (w->status != REHA_OK || count == 0) {
        return;
    }
    if (!reha_add_size(w->length, count, &needed)) {
        reha_dcm_write_failed(w, REHA_E_LIMIT, "the DICOM file would be too large");
        return;
    }
    if (needed > w->capacity) {
        const size_t capacity = needed + needed / 2 + 1024;
        uint8_t *data = reha_realloc(w->data, capacity);
        if (data == NULL) {
            reha_dcm_write_failed(w, REHA_E_NOMEM, "out of memory for a DICOM file");
            return;
        }
        w->data = data;
        w->capacity = capacity;
    }
    memcpy(w->data + w->length, bytes, count);
    w->length = needed;
}

void reha_dcm_put_u16(reha_dcm_writer *w, uint16_t value)
{
    const uint8_t low = (uint8_t)value;
    const uint8_t high = (uint8_t)(value >> 8);
    const uint8_t bytes[2] = {w->is_big_endian ? high : low, w->is_big_endian ? low : high};
    reha_dcm_put_bytes(w, bytes, sizeof(bytes));
}

void reha_dcm_put_u32(reha_dcm_writer *w, uint32_t value)
{
    const uint16_t low = (uint16_t)value;
    const uint16_t high = (uint16_t)(value >> 16);
    reha_dcm_put_u16(w, w->is_big_endian ? high : low);
    reha_dcm_put_u16(w, w->is_big_endian ? low : high);
}

static bool has_long_length(const char *vr)
{
    static const char *const known[] = {"OB", "OW", "SQ", "UT", "UC"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(vr, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void put_tag(reha_dcm_writer *w, uint32_t tag)
{
    reha_dcm_put_u16(w, (uint16_t)(tag >> 16));
    reha_dcm_put_u16(w, (uint16_t)tag);
}

void reha_dcm_put_mark(reha_dcm_writer *w, uint32_t tag, uint32_t length)
{
    put_tag(w, tag);
    reha_dcm_put_u32(w, length);
}

void reha_dcm_put_header(reha_dcm_writer *w, uint32_t tag, const char *vr, uint32_t length)
{
    if (w->is_implicit) {
        reha_dcm_put_mark(w, tag, length);
        return;
    }
    put_tag(w, tag);
    reha_dcm_put_bytes(w, vr, 2);
    if (has_long_length(vr)) {
        reha_dcm_put_u16(w, 0);
        reha_dcm_put_u32(w, length);
    } else {
        reha_dcm_put_u16(w, (uint16_t)length);
    }
}

void reha_dcm_put_value_u16(reha_dcm_writer *w, uint32_t tag, uint32_t value)
{
    reha_dcm_put_header(w, tag, "US", 2);
    reha_dcm_put_u16(w, (uint16_t)value);
}

void reha_dcm_put_value_u32(reha_dcm_writer *w, uint32_t tag, uint32_t value)
{
    reha_dcm_put_header(w, tag, "UL", LENGTH_BYTES);
    reha_dcm_put_u32(w, value);
}

void reha_dcm_put_value(reha_dcm_writer *w, uint32_t tag, const char *vr, const void *bytes, size_t count)
{
    const bool has_text = strcmp(vr, "UI") != 0 && strcmp(vr, "OB") != 0;
    reha_dcm_put_header(w, tag, vr, (uint32_t)(count + count % 2));
    reha_dcm_put_bytes(w, bytes, count);
    reha_dcm_put_bytes(w, has_text ? " " : "", count % 2);
}

void reha_dcm_put_text(reha_dcm_writer *w, uint32_t tag, const char *vr, const char *text)
{
    const size_t length = strlen(text);
    if (length > SHORT_VALUE_MAX) {
        reha_dcm_write_failed(w, REHA_E_ARG, "a text is too long for its DICOM attribute");
        return;
    }
    reha_dcm_put_value(w, tag, vr, text, length);
}

static bool begins_character(char byte)
{
    return ((unsigned char)byte & 0xC0U) != 0x80U;
}

static bool is_forbidden(char byte)
{
    return (unsigned char)byte < 0x20 || byte == 0x7F || byte == '\\';
}

void reha_dcm_put_checked(reha_dcm_writer *w, uint32_t tag, const char *vr, const char *text,
                          size_t max_chars)
{
    size_t count = 0;
    text = text != NULL ? text : "";
    for (const char *p = text; *p != '\0'; p++) {
        count += begins_character(*p) ? 1 : 0;
        if (is_forbidden(*p)) {
            reha_dcm_write_failed(w, REHA_E_ARG, "a text for DICOM holds a backslash or control character");
        }
    }
    if (count > max_chars) {
        reha_dcm_write_failed(w, REHA_E_ARG, "a text is too long for its DICOM attribute");
    }
    reha_dcm_put_text(w, tag, vr, text);
}

void reha_dcm_put_words(reha_dcm_writer *w, uint32_t tag, const char *vr, const char *text, size_t max_chars)
{
    char words[1024];
    size_t used = 0;
    size_t count = 0;
    for (const char *p = text != NULL ? text : ""; *p != '\0'; p++) {
        count += begins_character(*p) ? 1 : 0;
        if (count > max_chars || used + 1 >= sizeof(words)) {
            break;
        }
        words[used++] = is_forbidden(*p) ? ' ' : *p;
    }
    words[used] = '\0';
    reha_dcm_put_text(w, tag, vr, words);
}

static bool add_decimal(reha_dcm_writer *w, char *text, size_t size, double value, int digits)
{
    char one[40];
    const size_t used = strlen(text);
    if (!isfinite(value) || snprintf(one, sizeof(one), "%.*g", digits, value) > DECIMAL_MAX ||
        used + strlen(one) + 2 > size) {
        reha_dcm_write_failed(w, REHA_E_ARG, "a number is too long or not finite for a DICOM decimal string");
        return false;
    }
    (void)snprintf(text + used, size - used, used > 0 ? "\\%s" : "%s", one);
    return true;
}

void reha_dcm_put_decimal(reha_dcm_writer *w, uint32_t tag, double first, double second)
{
    char text[72] = "";
    if (add_decimal(w, text, sizeof(text), first, 10) &&
        (isnan(second) || add_decimal(w, text, sizeof(text), second, 10))) {
        reha_dcm_put_text(w, tag, "DS", text);
    }
}

void reha_dcm_put_decimals(reha_dcm_writer *w, uint32_t tag, const double *values, size_t count)
{
    char text[128] = "";
    for (size_t i = 0; i < count; i++) {
        if (!add_decimal(w, text, sizeof(text), values[i], 9)) {
            return;
        }
    }
    reha_dcm_put_text(w, tag, "DS", text);
}

size_t reha_dcm_open_sequence(reha_dcm_writer *w, uint32_t tag)
{
    reha_dcm_put_header(w, tag, "SQ", 0);
    return w->length;
}

size_t reha_dcm_open_item(reha_dcm_writer *w)
{
    reha_dcm_put_mark(w, TAG_ITEM, 0);
    return w->length;
}

void reha_dcm_close(reha_dcm_writer *w, size_t opened)
{
    const size_t length = w->length - opened;
    if (w->status != REHA_OK) {
        return;
    }
    if (length > UINT32_MAX - 1) {
        reha_dcm_write_failed(w, REHA_E_LIMIT, "the DICOM file would be too large");
        return;
    }
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        w->data[opened - LENGTH_BYTES + i] = (uint8_t)(length >> (8 * i));
    }
}

void reha_dcm_put_meta(reha_dcm_writer *w, const char *class_uid, const char *instance_uid,
                       const char *syntax_uid)
{
    static const uint8_t preamble[128];
    static const uint8_t version[2] = {0, 1};
    const bool is_implicit = w->is_implicit;
    const bool is_big_endian = w->is_big_endian;
    reha_dcm_put_bytes(w, preamble, sizeof(preamble));
    reha_dcm_put_bytes(w, "DICM", 4);
    w->is_implicit = w->is_big_endian = false; /* whatever the data set is (PS3.10 7.1) */
    reha_dcm_put_value_u32(w, 0x00020000u, 0);
    const size_t opened = w->length; /* the group's length is of the same form as a sequence's */
    reha_dcm_put_value(w, 0x00020001u, "OB", version, sizeof(version));
    reha_dcm_put_text(w, 0x00020002u, "UI", class_uid);
    reha_dcm_put_text(w, 0x00020003u, "UI", instance_uid);
    reha_dcm_put_text(w, TAG_TRANSFER_SYNTAX_UID, "UI", syntax_uid != NULL ? syntax_uid : EXPLICIT_LITTLE);
    reha_dcm_put_text(w, 0x00020012u, "UI", REHA_IMPLEMENTATION_CLASS_UID);
    reha_dcm_put_text(w, 0x00020013u, "SH", "REHASCOPE");
    reha_dcm_close(w, opened);
    w->is_implicit = is_implicit;
    w->is_big_endian = is_big_endian;
}
