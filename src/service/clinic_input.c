#include "service/clinic_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PAGE_DEFAULT = 50 };

static bool has_word(const char *words, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = words; length > 0 && (at = strstr(at, word)) != NULL; at += length) {
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

reha_status clinic_check_members(const json_t *in, const char *members, reha_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    if (!json_is_object(in)) {
        return reha_fail(err, REHA_E_ARG, "a JSON object is needed");
    }
    json_object_foreach((json_t *)in, key, value)
    {
        if (!has_word(members, key) || strchr(key, ' ') != NULL) {
            return reha_fail(err, REHA_E_ARG, "'%.40s' is no member here; there are: %s", key, members);
        }
    }
    return REHA_OK;
}

reha_status clinic_text(const json_t *in, const char *key, bool needed, size_t bytes_max, const char **out,
                        reha_error *err)
{
    const json_t *value = json_object_get(in, key);
    *out = NULL;
    if (value != NULL && !json_is_null(value) && !json_is_string(value)) {
        return reha_fail(err, REHA_E_ARG, "'%s' must be a text", key);
    }
    const char *text = json_string_value(value);
    if (text == NULL || text[0] == '\0') {
        return needed ? reha_fail(err, REHA_E_ARG, "'%s' is needed", key) : REHA_OK;
    }
    if (strlen(text) > bytes_max) {
        return reha_fail(err, REHA_E_ARG, "'%s' is too long (%zu bytes at most)", key, bytes_max);
    }
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' && *at != '\n' && *at != '\t') {
            return reha_fail(err, REHA_E_ARG, "'%s' holds a control character", key);
        }
    }
    *out = text;
    return REHA_OK;
}

bool clinic_is_date(const char *text)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = 0;
    int month = 0;
    int day = 0;
    char extra = '\0';
    return strlen(text) == 10 && sscanf(text, "%4d-%2d-%2d%c", &year, &month, &day, &extra) == 3 &&
           text[4] == '-' && text[7] == '-' && year >= 1850 && month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] &&
           !(month == 2 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0)));
}

reha_status clinic_date(const json_t *in, const char *key, bool needed, const char **out, reha_error *err)
{
    REHA_TRY(clinic_text(in, key, needed, 10, out, err));
    if (*out != NULL && !clinic_is_date(*out)) {
        *out = NULL;
        return reha_fail(err, REHA_E_ARG, "'%s' must be a date such as 2026-01-31", key);
    }
    return REHA_OK;
}

reha_status clinic_word(const json_t *in, const char *key, bool needed, const char *words, const char **out,
                        reha_error *err)
{
    REHA_TRY(clinic_text(in, key, needed, 100, out, err));
    if (*out != NULL && !has_word(words, *out)) {
        *out = NULL;
        return reha_fail(err, REHA_E_ARG, "'%s' must be one of: %s", key, words);
    }
    return REHA_OK;
}

reha_status clinic_number(const json_t *in, const char *key, bool needed, double low, double high,
                          double *out, reha_error *err)
{
    const json_t *value = json_object_get(in, key);
    *out = (double)NAN;
    if (value == NULL || json_is_null(value)) {
        return needed ? reha_fail(err, REHA_E_ARG, "'%s' is needed", key) : REHA_OK;
    }
    const double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= low && number <= high)) {
        return reha_fail(err, REHA_E_ARG, "'%s' must be a number from %g to %g", key, low, high);
    }
    *out = number;
    return REHA_OK;
}

reha_status clinic_version(const json_t *row, int64_t if_version, reha_error *err)
{
    const int64_t now = json_integer_value(json_object_get(row, "version"));
    if (if_version != REHA_ANY_VERSION && if_version != now) {
        return reha_fail(err, REHA_E_STALE,
                         "somebody changed it meanwhile (version %" PRId64 ", not %" PRId64
                         "): read it again",
                         now, if_version);
    }
    return REHA_OK;
}

int clinic_limit(const reha_clinic *clinic, const reha_query *query)
{
    const int limit = query->limit > 0 ? query->limit : PAGE_DEFAULT;
    return limit < clinic->limits.page_items_max ? limit : clinic->limits.page_items_max;
}

reha_status clinic_page(json_t *rows, int limit, int64_t total,
                        const char *cursor_of(const json_t *row, char *text), json_t **out, reha_error *err)
{
    char text[CLINIC_CURSOR_BYTES];
    const char *next = NULL;
    if (json_array_size(rows) > (size_t)limit) {
        (void)json_array_remove(rows, (size_t)limit);
        next = cursor_of(json_array_get(rows, (size_t)limit - 1), text);
    }
    *out = json_pack("{s:o, s:s?, s:I}", "items", rows, "next", next, "total", (json_int_t)total);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a list");
}
