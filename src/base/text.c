#include "base/text.h"

#include "base/memory.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

static bool reserve(reha_text *text, size_t extra)
{
    size_t needed;
    if (text->failed || !reha_add_size(text->length, extra, &needed) || !reha_add_size(needed, 1, &needed)) {
        text->failed = true;
        return false;
    }
    if (needed <= text->capacity) {
        return true;
    }
    size_t capacity = text->capacity > 0 ? text->capacity : FIRST_CAPACITY;
    while (capacity < needed) {
        if (!reha_mul_size(capacity, 2, &capacity)) {
            text->failed = true;
            return false;
        }
    }
    char *data = reha_realloc(text->data, capacity);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void reha_text_clear(reha_text *text)
{
    reha_free(text->data);
    *text = (reha_text){0};
}

void reha_text_add_n(reha_text *text, const char *bytes, size_t count)
{
    if (reserve(text, count)) {
        memcpy(text->data + text->length, bytes, count);
        text->length += count;
        text->data[text->length] = '\0';
    }
}

void reha_text_add(reha_text *text, const char *bytes)
{
    reha_text_add_n(text, bytes, strlen(bytes));
}

void reha_text_addf(reha_text *text, const char *format, ...)
{
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, args);
    if (length < 0) {
        text->failed = true;
    } else if (reserve(text, (size_t)length)) {
        (void)vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
    va_end(args);
}

void reha_text_add_html(reha_text *text, const char *bytes)
{
    for (const char *at = bytes; *at != '\0'; at++) {
        switch (*at) {
        case '&':
            reha_text_add(text, "&amp;");
            break;
        case '<':
            reha_text_add(text, "&lt;");
            break;
        case '>':
            reha_text_add(text, "&gt;");
            break;
        case '"':
            reha_text_add(text, "&quot;");
            break;
        case '\'':
            reha_text_add(text, "&#39;");
            break;
        default:
            reha_text_add_n(text, at, 1);
        }
    }
}

void reha_text_add_base64(reha_text *text, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < count; i += 3) {
        const unsigned second = i + 1 < count ? bytes[i + 1] : 0U;
        const unsigned third = i + 2 < count ? bytes[i + 2] : 0U;
        const unsigned word = (unsigned)bytes[i] << 16 | second << 8 | third;
        const char quad[4] = {digits[word >> 18], digits[word >> 12 & 63],
                              (char)(i + 1 < count ? digits[word >> 6 & 63] : '='),
                              (char)(i + 2 < count ? digits[word & 63] : '=')};
        reha_text_add_n(text, quad, sizeof quad);
    }
}

reha_status reha_text_take(reha_text *text, char **out, reha_error *err)
{
    *out = NULL;
    reha_text_add_n(text, "", 0); /* makes the empty text a real string */
    if (text->failed) {
        reha_text_clear(text);
        return reha_fail(err, REHA_E_NOMEM, "out of memory while writing a text");
    }
    *out = text->data;
    *text = (reha_text){0};
    return REHA_OK;
}

static bool only_blanks(const char *text)
{
    while (isspace((unsigned char)*text)) {
        text++;
    }
    return *text == '\0';
}

bool reha_parse_int64(const char *text, int64_t *out)
{
    char *end = NULL;
    *out = 0;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (end == text || errno != 0 || !only_blanks(end)) {
        return false;
    }
    *out = value;
    return true;
}

bool reha_parse_double(const char *text, bool finite, double *out)
{
    /* strtod follows the locale; the program never calls setlocale for LC_NUMERIC, so it is "C". */
    char *end = NULL;
    *out = (double)NAN;
    if (strpbrk(text, "xX") != NULL) {
        return false;
    }
    const double value = strtod(text, &end);
    if (end == text || !only_blanks(end) || (finite && !isfinite(value))) {
        return false;
    }
    *out = value;
    return true;
}

bool reha_parse_decimal_comma(const char *text, double *out)
{
    char copy[64];
    const char *comma = strchr(text, ',');
    *out = (double)NAN;
    if (comma == NULL || strchr(text, '.') != NULL || strlen(text) >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, strlen(text) + 1);
    copy[comma - text] = '.';
    return reha_parse_double(copy, true, out);
}

bool reha_str_equal_nocase(const char *a, const char *b)
{
    while (*a != '\0' && tolower((unsigned char)*a) == tolower((unsigned char)*b)) {
        a++;
        b++;
    }
    return tolower((unsigned char)*a) == tolower((unsigned char)*b);
}

bool reha_str_ends_nocase(const char *text, const char *suffix)
{
    const size_t length = strlen(text);
    const size_t tail = strlen(suffix);
    return length >= tail && reha_str_equal_nocase(text + length - tail, suffix);
}
