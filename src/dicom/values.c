/* Values of elements: texts and numbers (declared in dataset_priv.h). */
#include "dicom/dataset_priv.h"
#include "dicom/dicom.h"

#include "base/text.h"

#include <iconv.h>
#include <math.h>
#include <string.h>

static const uint8_t *value_bytes(const reha_dcm_dataset *set, const reha_dcm_node *node)
{
    return set->bytes + node->offset;
}

static uint64_t read_uint(const uint8_t *p, size_t count, bool little)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value = value << 8 | p[little ? count - 1 - i : i];
    }
    return value;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\0';
}

/* The bytes of one backslash separated value without blanks around it. */
static bool find_text(const reha_dcm_dataset *set, const reha_dcm_node *node, uint32_t value_idx,
                      const uint8_t **out, size_t *out_length)
{
    if (node == NULL) {
        return false;
    }
    const uint8_t *p = value_bytes(set, node);
    const uint8_t *end = p + node->length;
    for (; value_idx > 0; value_idx--) {
        p = p < end ? memchr(p, '\\', (size_t)(end - p)) : NULL;
        if (p == NULL) {
            return false;
        }
        p++;
    }
    const uint8_t *stop = p < end ? memchr(p, '\\', (size_t)(end - p)) : NULL;
    stop = stop != NULL ? stop : end;
    while (p < stop && is_blank(*p)) {
        p++;
    }
    while (stop > p && is_blank(stop[-1])) {
        stop--;
    }
    *out = p;
    *out_length = (size_t)(stop - p);
    return stop > p;
}

bool reha_dcm_text(const reha_dcm_dataset *set, const reha_dcm_node *node, uint32_t value_idx, char *out,
                   size_t out_bytes)
{
    const uint8_t *text;
    size_t length;
    out[0] = '\0';
    if (!find_text(set, node, value_idx, &text, &length) || length >= out_bytes) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20 || text[i] > 0x7E) {
            out[0] = '\0';
            return false;
        }
        out[i] = (char)text[i];
    }
    out[length] = '\0';
    return true;
}

static const struct {
    const char *dicom;
    const char *iconv;
} charsets[] = {
    {"ISO_IR 100", "ISO-8859-1"},  {"ISO_IR 101", "ISO-8859-2"}, {"ISO_IR 109", "ISO-8859-3"},
    {"ISO_IR 110", "ISO-8859-4"},  {"ISO_IR 144", "ISO-8859-5"}, {"ISO_IR 127", "ISO-8859-6"},
    {"ISO_IR 126", "ISO-8859-7"},  {"ISO_IR 138", "ISO-8859-8"}, {"ISO_IR 148", "ISO-8859-9"},
    {"ISO_IR 203", "ISO-8859-15"}, {"ISO_IR 166", "TIS-620"},    {"ISO_IR 13", "SHIFT_JIS"},
    {"ISO_IR 192", "UTF-8"},       {"GB18030", "GB18030"},       {"GBK", "GBK"},
};
enum { CHARSETS = sizeof(charsets) / sizeof(charsets[0]) };

/* NULL: the default repertoire, or code extensions with escapes. */
static const char *iconv_name(const char *dicom_name)
{
    for (size_t i = 0; i < CHARSETS; i++) {
        if (strcmp(charsets[i].dicom, dicom_name) == 0) {
            return charsets[i].iconv;
        }
    }
    return NULL;
}

void reha_dicom_warm(void)
{
    static iconv_t kept[CHARSETS]; /* open for ever: a converter that is closed may be unloaded */
    for (size_t i = 0; i < CHARSETS; i++) {
        kept[i] = iconv_open("UTF-8", charsets[i].iconv);
    }
    (void)kept;
}

/* Removes control characters in place: a value must not be able to forge lines in a report. */
static void remove_controls(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if ((unsigned char)*from >= 0x20 && *from != 0x7F) {
            *to++ = *from;
        }
    }
    *to = '\0';
}

static void copy_ascii(const uint8_t *text, size_t length, char *out, size_t out_bytes)
{
    size_t count = length < out_bytes - 1 ? length : out_bytes - 1;
    for (size_t i = 0; i < count; i++) {
        out[i] = text[i] < 0x80 ? (char)text[i] : '?';
    }
    out[count] = '\0';
}

/* A full output stops at a whole character, a bad byte stops too; `whole`: neither may be. */
static bool convert(const char *from, const uint8_t *text, size_t length, bool whole, char *out,
                    size_t out_bytes)
{
    const iconv_t converter = iconv_open("UTF-8", from);
    if (converter == (iconv_t)-1) {
        return false;
    }
    char *in = (char *)(uintptr_t)text;
    char *to = out;
    size_t left = out_bytes - 1;
    const bool is_whole = iconv(converter, &in, &length, &to, &left) != (size_t)-1;
    *to = '\0';
    (void)iconv_close(converter);
    return is_whole || !whole;
}

bool reha_dcm_text_utf8(const reha_dcm_dataset *set, const reha_dcm_node *node, char *out, size_t out_bytes)
{
    return reha_dcm_text_utf8_at(set, node, 0, out, out_bytes);
}

bool reha_dcm_text_utf8_at(const reha_dcm_dataset *set, const reha_dcm_node *node, uint32_t value_idx,
                           char *out, size_t out_bytes)
{
    const uint8_t *text;
    size_t length;
    char charset[17];
    bool has_high = false;
    out[0] = '\0';
    if (!find_text(set, node, value_idx, &text, &length)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        has_high = has_high || text[i] >= 0x80;
    }
    const reha_dcm_node *charset_node = reha_dcm_find(set, reha_dcm_root(set), TAG_SPECIFIC_CHARACTER_SET);
    const char *from = NULL;
    if (has_high && reha_dcm_text(set, charset_node, 0, charset, sizeof(charset))) {
        from = iconv_name(charset);
    }
    if (from == NULL || !convert(from, text, length, false, out, out_bytes)) {
        copy_ascii(text, length, out, out_bytes);
    }
    remove_controls(out);
    return out[0] != '\0';
}

/* What convert() and copy_ascii() would lose, told: escapes, unknown character sets, broken bytes, the end.
 */
bool reha_dcm_text_whole(const reha_dcm_dataset *set, const reha_dcm_node *node, char *out, size_t out_bytes)
{
    const uint8_t *text;
    size_t length;
    char charset[17];
    const uint8_t escape = 0x1B;
    bool has_high = false;
    out[0] = '\0';
    if (!find_text(set, node, 0, &text, &length)) {
        return true; /* nothing is whole */
    }
    for (size_t i = 0; i < length; i++) {
        has_high = has_high || text[i] >= 0x80;
    }
    const reha_dcm_node *charset_node = reha_dcm_find(set, reha_dcm_root(set), TAG_SPECIFIC_CHARACTER_SET);
    const char *from = "ASCII";
    if (has_high) {
        from = reha_dcm_value_count(set, charset_node) == 1 &&
                       reha_dcm_text(set, charset_node, 0, charset, sizeof(charset))
                   ? iconv_name(charset)
                   : NULL;
    }
    if (from == NULL || memchr(text, escape, length) != NULL ||
        !convert(from, text, length, true, out, out_bytes)) {
        out[0] = '\0';
        return false;
    }
    remove_controls(out);
    return true;
}

/* Bytes per value of a binary VR, 0 for texts and others. */
static size_t value_width(uint16_t vr)
{
    switch (vr) {
    case REHA_VR('U', 'S'):
    case REHA_VR('S', 'S'):
    case REHA_VR('O', 'W'):
        return 2;
    case REHA_VR('U', 'L'):
    case REHA_VR('S', 'L'):
    case REHA_VR('F', 'L'):
        return 4;
    case REHA_VR('F', 'D'):
        return 8;
    default:
        return 0;
    }
}

static double binary_number(uint16_t vr, uint64_t bits)
{
    const uint32_t low = (uint32_t)bits;
    float single;
    double number;
    switch (vr) {
    case REHA_VR('S', 'S'):
        return (int16_t)(uint16_t)bits;
    case REHA_VR('S', 'L'):
        return (int32_t)low;
    case REHA_VR('F', 'L'):
        memcpy(&single, &low, sizeof(single));
        return single;
    case REHA_VR('F', 'D'):
        memcpy(&number, &bits, sizeof(number));
        return number;
    default:
        return (double)bits;
    }
}

bool reha_dcm_number(const reha_dcm_dataset *set, const reha_dcm_node *node, uint32_t value_idx, double *out)
{
    char text[33];
    *out = (double)NAN;
    if (node == NULL) {
        return false;
    }
    const size_t width = value_width(node->vr);
    if (width == 0) {
        double number;
        const bool is_text = node->vr == REHA_VR('D', 'S') || node->vr == REHA_VR('I', 'S') ||
                             node->vr == REHA_VR('L', 'O') || node->vr == REHA_VR('S', 'H');
        if (!is_text || !reha_dcm_text(set, node, value_idx, text, sizeof(text)) ||
            !reha_parse_double(text, true, &number)) {
            return false;
        }
        *out = number;
        return true;
    }
    if (value_idx >= node->length / width) {
        return false;
    }
    const double number = binary_number(
        node->vr, read_uint(value_bytes(set, node) + value_idx * width, width, node->little_endian));
    if (!isfinite(number)) {
        return false;
    }
    *out = number;
    return true;
}

bool reha_dcm_u32(const reha_dcm_dataset *set, const reha_dcm_node *node, uint32_t *out)
{
    *out = 0;
    if (node == NULL) {
        return false;
    }
    const bool is_short = node->vr == REHA_VR('U', 'S') || node->vr == REHA_VR('S', 'S');
    const size_t width = is_short ? 2 : node->vr == REHA_VR('U', 'L') ? 4 : 0;
    if (width == 0 || node->length != width) {
        return false;
    }
    *out = (uint32_t)read_uint(value_bytes(set, node), width, node->little_endian);
    return true;
}

uint32_t reha_dcm_value_count(const reha_dcm_dataset *set, const reha_dcm_node *node)
{
    if (node == NULL || node->length == 0) {
        return 0;
    }
    const size_t width = value_width(node->vr);
    if (width > 0) {
        return (uint32_t)(node->length / width);
    }
    uint32_t count = 1;
    const uint8_t *p = value_bytes(set, node);
    for (uint32_t i = 0; i < node->length; i++) {
        count += p[i] == '\\';
    }
    return count;
}

uint16_t reha_dcm_u16_at(const reha_dcm_dataset *set, const reha_dcm_node *node, uint32_t value_idx)
{
    if (node == NULL || node->length / 2 <= value_idx) {
        return 0;
    }
    return (uint16_t)read_uint(value_bytes(set, node) + (size_t)value_idx * 2, 2, node->little_endian);
}
