/* Strings: a growable text and strict parsing of numbers. */
#ifndef REHA_BASE_TEXT_H
#define REHA_BASE_TEXT_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growable, always NUL-terminated text. One thread at a time. {0} is a valid empty one.
 * Out of memory is sticky: `failed` is set, further appends do nothing, and reha_text_take
 * reports it, so callers check once at the end. */
typedef struct reha_text {
    char *data; /* NULL while nothing was appended */
    size_t length;
    size_t capacity;
    bool failed;
} reha_text;

void reha_text_clear(reha_text *text); /* frees; the text is empty and usable again */
void reha_text_add(reha_text *text, const char *bytes);
void reha_text_add_n(reha_text *text, const char *bytes, size_t count);
void reha_text_addf(reha_text *text, const char *format, ...) REHA_PRINTF(2, 3);
/* Escapes & < > " ' for HTML and XML text and attributes. */
void reha_text_add_html(reha_text *text, const char *bytes);
/* RFC 4648 base 64 with padding. */
void reha_text_add_base64(reha_text *text, const uint8_t *bytes, size_t count);
/* Moves the string out (caller frees with reha_free); an empty text gives "". */
REHA_MUST_USE reha_status reha_text_take(reha_text *text, char **out, reha_error *err);

/* Whole-string parsing, leading and trailing blanks allowed, locale independent, no hex, no
 * overflow. reha_parse_double accepts "nan" and "inf" only if `finite` is false. */
bool reha_parse_int64(const char *text, int64_t *out);
bool reha_parse_double(const char *text, bool finite, double *out);
/* "3,5": a finite number whose decimal mark is one comma, as spreadsheets of many countries write it. */
bool reha_parse_decimal_comma(const char *text, double *out);

bool reha_str_equal_nocase(const char *a, const char *b); /* ASCII */
bool reha_str_ends_nocase(const char *text, const char *suffix);

#endif
