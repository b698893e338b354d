#include "base/json.h"

#include "base/file.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_BYTES_MAX = 64 << 20, SIGNIFICANT_DIGITS = 9 };
static const size_t json_memory_bytes_max = (size_t)1 << 30;

/* What jansson will take at least: "{}," are three bytes of text and about 240 of memory. Words inside of
 * strings do not count. */
static size_t count_memory(const char *text, size_t length)
{
    enum { OBJECT_BYTES = 240, ARRAY_BYTES = 128, MEMBER_BYTES = 96, VALUE_BYTES = 48 };
    size_t total = length;
    bool is_string = false;
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        if (is_string) {
            i += c == '\\' ? 1 : 0;
            is_string = c != '"';
            continue;
        }
        is_string = c == '"';
        total += c == '{'   ? OBJECT_BYTES
                 : c == '[' ? ARRAY_BYTES
                 : c == ':' ? MEMBER_BYTES
                 : c == ',' ? VALUE_BYTES
                            : 0;
    }
    return total;
}

reha_status reha_json_parse_within(const char *text, size_t length, size_t memory_bytes_max, json_t **out,
                                   reha_error *err)
{
    json_error_t fault;
    *out = NULL;
    const size_t memory_bytes = count_memory(text, length);
    if (memory_bytes > memory_bytes_max) {
        return reha_fail(err, REHA_E_LIMIT,
                         "JSON whose values would take %zu MiB of memory, at most %zu are allowed",
                         memory_bytes >> 20, memory_bytes_max >> 20);
    }
    *out = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    if (*out == NULL) {
        return reha_fail(err, REHA_E_FORMAT, "JSON line %d, column %d: %s", fault.line, fault.column,
                         fault.text);
    }
    return REHA_OK;
}

reha_status reha_json_parse(const char *text, size_t length, json_t **out, reha_error *err)
{
    return reha_json_parse_within(text, length, json_memory_bytes_max, out, err);
}

reha_status reha_json_load(const char *path, json_t **out, reha_error *err)
{
    uint8_t *data = NULL;
    size_t size_bytes = 0;
    *out = NULL;
    REHA_TRY(reha_file_load(path, JSON_BYTES_MAX, &data, &size_bytes, err));
    const reha_status status = reha_json_parse((const char *)data, size_bytes, out, err);
    reha_free(data);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
    }
    return status;
}

reha_status reha_json_format(const json_t *value, char **out, reha_error *err)
{
    *out = NULL;
    char *text =
        json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(SIGNIFICANT_DIGITS));
    if (text == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory while writing JSON");
    }
    *out = reha_strdup(text);
    free(text); /* allowed: the block is of jansson */
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory while writing JSON");
}

reha_status reha_json_save(const char *path, const json_t *value, reha_error *err)
{
    char *text = NULL;
    REHA_TRY(reha_json_format(value, &text, err));
    const size_t length = strlen(text);
    text[length] = '\n'; /* its end mark: a text file ends with a line end */
    const reha_status status = reha_file_save(path, text, length + 1, err);
    reha_free(text);
    return status;
}

reha_status reha_json_need_string(const json_t *object, const char *key, const char **out, reha_error *err)
{
    *out = json_string_value(json_object_get(object, key));
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_FORMAT, "'%s' must be a text", key);
}

reha_status reha_json_need_number(const json_t *object, const char *key, double *out, reha_error *err)
{
    const json_t *value = json_object_get(object, key);
    *out = (double)NAN;
    if (!json_is_number(value)) {
        return reha_fail(err, REHA_E_FORMAT, "'%s' must be a number", key);
    }
    *out = json_number_value(value);
    return REHA_OK;
}

reha_status reha_json_need_array(const json_t *object, const char *key, size_t count, const json_t **out,
                                 reha_error *err)
{
    const json_t *value = json_object_get(object, key);
    *out = NULL;
    if (!json_is_array(value)) {
        return reha_fail(err, REHA_E_FORMAT, "'%s' must be an array", key);
    }
    if (count > 0 && json_array_size(value) != count) {
        return reha_fail(err, REHA_E_FORMAT, "'%s' must have %zu items, not %zu", key, count,
                         json_array_size(value));
    }
    *out = value;
    return REHA_OK;
}

reha_status reha_json_need_numbers(const json_t *object, const char *key, size_t count, double *out,
                                   reha_error *err)
{
    const json_t *array = NULL;
    REHA_TRY(reha_json_need_array(object, key, count, &array, err));
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        if (!json_is_number(item)) {
            return reha_fail(err, REHA_E_FORMAT, "'%s[%zu]' must be a number", key, i);
        }
        out[i] = json_number_value(item);
    }
    return REHA_OK;
}

double reha_json_number(const json_t *object, const char *key, double fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : fallback;
}

const char *reha_json_string(const json_t *object, const char *key, const char *fallback)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : fallback;
}

json_t *reha_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *reha_json_text(const char *text)
{
    if (text == NULL) {
        return json_null();
    }
    json_t *value = json_string(text);
    char *copy = value == NULL ? reha_strdup(text) : NULL;
    if (copy != NULL) {
        for (char *at = copy; *at != '\0'; at++) {
            *at = (unsigned char)*at < 0x80 ? *at : '?';
        }
        value = json_string(copy);
        reha_free(copy);
    }
    return value;
}
