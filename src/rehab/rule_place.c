#include "rehab/rule_place.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    SOURCE_BYTES_MAX = 16 << 20,
    SOURCE_MEMORY_BYTES_MAX = 128 << 20, /* of values; the largest file of the rule base takes 0.3 MiB */
    WAY_BYTES = 120,
    DEPTH_MAX = 32
};

reha_status reha_source_parse(const char *name, const char *text, reha_source_text *out, reha_error *err)
{
    reha_error fault = REHA_ERROR_INIT;
    *out = (reha_source_text){.name = reha_strdup(name), .text = reha_strdup(text)};
    reha_status status = REHA_OK;
    if (out->name == NULL || out->text == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory while reading %.100s", name);
    } else if (reha_json_parse_within(text, strlen(text), SOURCE_MEMORY_BYTES_MAX, &out->json, &fault) !=
               REHA_OK) {
        status = reha_fail(err, fault.status, "%.100s: %.120s", name, fault.text);
    }
    if (status != REHA_OK) {
        reha_source_clear(out);
    }
    return status;
}

reha_status reha_source_load(const char *path, reha_source_text *out, reha_error *err)
{
    uint8_t *data = NULL;
    size_t size_bytes = 0;
    *out = (reha_source_text){0};
    REHA_TRY(reha_file_load(path, SOURCE_BYTES_MAX, &data, &size_bytes, err));
    reha_status status = REHA_OK;
    if (strlen((const char *)data) != size_bytes) {
        status = reha_fail(err, REHA_E_FORMAT, "%.120s: a byte 0 in a JSON text", path);
    } else {
        status = reha_source_parse(reha_path_name(path), (const char *)data, out, err);
    }
    reha_free(data);
    return status;
}

void reha_source_clear(reha_source_text *source)
{
    json_decref(source->json);
    reha_free(source->name);
    reha_free(source->text);
    *source = (reha_source_text){0};
}

/* ---- Walking a text that jansson has accepted ---- */

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

static const char *skip_text(const char *at) /* at the opening quote */
{
    for (at++; *at != '\0' && *at != '"'; at++) {
        if (*at == '\\' && at[1] != '\0') {
            at++;
        }
    }
    return *at == '"' ? at + 1 : at;
}

static const char *skip_value(const char *at)
{
    int depth = 0;
    do {
        at = skip_blanks(at);
        if (*at == '"') {
            at = skip_text(at);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            depth--;
            at++;
        } else if (*at == ',' || *at == ':') {
            at++;
        } else {
            at += strcspn(at, ",:]}[{\" \t\r\n");
        }
    } while (depth > 0 && *at != '\0');
    return at;
}

/* From the start of a container to the value that the step leads to; NULL if it has none. */
static const char *step(const char *at, const reha_place *place)
{
    const bool is_object = *at == '{';
    if ((place->key != NULL) != is_object || (*at != '{' && *at != '[')) {
        return NULL;
    }
    at = skip_blanks(at + 1);
    for (size_t i = 0; *at != '\0' && *at != '}' && *at != ']'; i++) {
        bool is_here = i == place->index;
        if (is_object) {
            const size_t length = strlen(place->key);
            is_here = strncmp(at + 1, place->key, length) == 0 && at[1 + length] == '"';
            at = skip_blanks(skip_text(at));
            at = skip_blanks(*at == ':' ? at + 1 : at);
        }
        if (is_here) {
            return at;
        }
        at = skip_blanks(skip_value(at));
        at = skip_blanks(*at == ',' ? at + 1 : at);
    }
    return NULL;
}

static const reha_source_text *file_of(const reha_place *place)
{
    while (place->up != NULL) {
        place = place->up;
    }
    return place->file;
}

int reha_place_line(const reha_place *place)
{
    const reha_place *way[DEPTH_MAX];
    int depth = 0;
    const reha_source_text *file = file_of(place);
    if (file == NULL || file->text == NULL) {
        return 0;
    }
    for (const reha_place *p = place; p->up != NULL && depth < DEPTH_MAX; p = p->up) {
        way[depth++] = p;
    }
    const char *at = skip_blanks(file->text);
    while (depth > 0) {
        const char *next = step(at, way[--depth]);
        if (next == NULL) {
            break;
        }
        at = next;
    }
    int line = 1;
    for (const char *p = file->text; p < at; p++) {
        line += *p == '\n';
    }
    return line;
}

static void write_way(const reha_place *place, char *out, size_t out_bytes)
{
    out[0] = '\0';
    if (place->up == NULL) {
        return;
    }
    write_way(place->up, out, out_bytes);
    const size_t used = strlen(out);
    if (place->key != NULL) {
        (void)snprintf(out + used, out_bytes - used, "%s%.60s", used > 0 ? "." : "", place->key);
    } else {
        (void)snprintf(out + used, out_bytes - used, "[%zu]", place->index);
    }
}

reha_status reha_place_fail(const reha_place *place, reha_error *err, const char *format, ...)
{
    char way[WAY_BYTES];
    char text[REHA_ERROR_TEXT_BYTES];
    va_list arguments;
    const reha_source_text *file = file_of(place);
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    write_way(place, way, sizeof way);
    return reha_fail(err, REHA_E_FORMAT, "%s line %d%s%s: %s", file != NULL ? file->name : "?",
                     reha_place_line(place), way[0] != '\0' ? ", " : "", way, text);
}

reha_status reha_place_keys(const reha_place *place, const json_t *object, const char *allowed,
                            reha_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    if (!json_is_object(object)) {
        return reha_place_fail(place, err, "must be an object");
    }
    json_object_foreach((json_t *)object, key, value)
    {
        char padded[80];
        (void)snprintf(padded, sizeof padded, " %.70s ", key);
        if (strchr(key, ' ') != NULL || strstr(allowed, padded) == NULL) {
            const reha_place at = reha_place_key(place, key);
            return reha_place_fail(&at, err, "no such member here; known:%.100s", allowed);
        }
    }
    return REHA_OK;
}

reha_status reha_place_string(const reha_place *place, const json_t *object, const char *key,
                              const char **out, reha_error *err)
{
    *out = json_string_value(json_object_get(object, key));
    if (*out == NULL || (*out)[0] == '\0') {
        const reha_place at = reha_place_key(place, key);
        return reha_place_fail(&at, err, "%smust be a text",
                               json_object_get(object, key) == NULL ? "is missing; it " : "");
    }
    return REHA_OK;
}
