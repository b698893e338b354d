/* The OpenAPI description, made from the table that the router itself reads: it cannot leave a route out. */
#include "web/route.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Sets a member and takes the value; a NULL value (out of memory) is noticed at the end by its absence. */
static void put(json_t *to, const char *key, json_t *value)
{
    (void)json_object_set_new(to, key, value);
}

/* One word of "a, b?, c"; false at the end. */
static bool next_word(const char **list, char word[64], bool *is_optional)
{
    const char *at = *list;
    size_t length = 0;
    at += strspn(at, ", ");
    while (length < 63 && (isalnum((unsigned char)at[length]) || at[length] == '_' || at[length] == '-')) {
        length++;
    }
    memcpy(word, at, length);
    word[length] = '\0';
    *is_optional = at[length] == '?';
    *list = at + length + (*is_optional ? 1 : 0);
    return length > 0;
}

static json_t *parameter(const char *name, const char *in, bool is_required, const char *text)
{
    return json_pack("{s:s, s:s, s:b, s:s, s:{s:s}}", "name", name, "in", in, "required", (int)is_required,
                     "description", text, "schema", "type", "string");
}

static json_t *parameters(const reha_route *route)
{
    json_t *list = json_array();
    char word[64];
    bool is_optional = false;
    for (const char *at = strchr(route->pattern, '{'); at != NULL; at = strchr(at + 1, '{')) {
        const size_t length = strcspn(at + 1, "}");
        (void)snprintf(word, sizeof word, "%.*s", (int)length, at + 1);
        (void)json_array_append_new(list, parameter(word, "path", true, "Identifier"));
    }
    for (const char *at = route->query; at != NULL && next_word(&at, word, &is_optional);) {
        (void)json_array_append_new(list, parameter(word, "query", false, "Filter or choice"));
    }
    if ((route->flags & REHA_ROUTE_PAGED) != 0) {
        (void)json_array_append_new(list, parameter("cursor", "query", false, "'next' of the page before"));
        (void)json_array_append_new(list, parameter("limit", "query", false, "Items of a page, 1 to 200"));
    }
    if ((route->flags & REHA_ROUTE_IF_MATCH) != 0) {
        (void)json_array_append_new(
            list, parameter("If-Match", "header", true, "ETag of the record that was read"));
    }
    if ((route->flags & REHA_ROUTE_IDEMPOTENT) != 0) {
        (void)json_array_append_new(
            list, parameter("Idempotency-Key", "header", false, "Repeat safely: one key, one effect"));
    }
    if (route->permission != REHA_ROUTE_PUBLIC && !reha_http_is_safe(route->method)) {
        (void)json_array_append_new(list, parameter("X-CSRF-Token", "header", true, "'csrf' of the session"));
    }
    return list;
}

static json_t *request_body(const reha_route *route)
{
    if (route->body == REHA_BODY_UPLOAD) {
        return json_pack("{s:b, s:{s:{s:{s:s, s:s}}}}", "required", 1, "content", "application/octet-stream",
                         "schema", "type", "string", "format", "binary");
    }
    if (route->body == REHA_BODY_RELATED) {
        return json_pack("{s:b, s:{s:{s:{s:s}}}}", "required", 1, "content", "multipart/related", "schema",
                         "type", "object");
    }
    json_t *properties = json_object();
    json_t *required = json_array();
    char word[64];
    bool is_optional = false;
    for (const char *at = route->request;
         at != NULL && strcmp(at, "any") != 0 && next_word(&at, word, &is_optional);) {
        put(properties, word, json_object());
        if (!is_optional) {
            (void)json_array_append_new(required, json_string(word));
        }
    }
    return json_pack("{s:b, s:{s:{s:{s:s, s:o, s:o}}}}", "required", 1, "content", "application/json",
                     "schema", "type", "object", "properties", properties, "required", required);
}

static const char *permission_text(const reha_route *route)
{
    return route->permission == REHA_ROUTE_PUBLIC ? "public"
           : route->permission == REHA_ROUTE_SIGNED_IN
               ? "signed-in"
               : reha_permission_name((reha_permission)route->permission);
}

static void add_answer(json_t *answers, const char *code, const char *text)
{
    put(answers, code,
        json_pack("{s:s, s:{s:{s:{s:s}}}}", "description", text, "content", "application/json", "schema",
                  "$ref", "#/components/schemas/Error"));
}

static json_t *answers(const reha_route *route)
{
    json_t *to = json_object();
    put(to, "2XX", json_pack("{s:s, s:{s:{}}}", "description", "Done", "content", route->answer));
    add_answer(to, "400", "A value is missing, misspelt or out of range");
    if (route->permission != REHA_ROUTE_PUBLIC) {
        add_answer(to, "401", "Nobody is signed in");
        add_answer(to, "403", "The role may not, or the CSRF token does not fit");
    }
    if (strchr(route->pattern, '{') != NULL) {
        add_answer(to, "404", "No such record");
    }
    if ((route->flags & (REHA_ROUTE_IF_MATCH | REHA_ROUTE_IDEMPOTENT)) != 0) {
        add_answer(to, "409", "It exists already, or its state does not allow this: the message says why");
    }
    if ((route->flags & REHA_ROUTE_IF_MATCH) != 0) {
        add_answer(
            to, "412",
            "Somebody changed it first: the version in If-Match is not the newest; nothing was changed");
        add_answer(to, "428", "If-Match is missing");
    }
    if (route->body != REHA_BODY_NONE) {
        add_answer(to, "413", "The body is too large");
    }
    add_answer(to, "429", "Too much at once: see Retry-After");
    return to;
}

static json_t *operation(const reha_route *route)
{
    json_t *to = json_pack("{s:s, s:o, s:s, s:o}", "summary", route->summary, "parameters", parameters(route),
                           "x-permission", permission_text(route), "responses", answers(route));
    if (route->body != REHA_BODY_NONE) {
        put(to, "requestBody", request_body(route));
    }
    return to;
}

static const char *method_name(reha_http_method method)
{
    static const char *const names[] = {"get", "post", "put", "delete", "other"};
    return names[method];
}

reha_status reha_openapi(const reha_route *routes, size_t count, json_t **out, reha_error *err)
{
    json_t *paths = json_object();
    for (size_t i = 0; i < count; i++) {
        json_t *path = json_object_get(paths, routes[i].pattern);
        if (path == NULL) {
            put(paths, routes[i].pattern, json_object());
            path = json_object_get(paths, routes[i].pattern);
        }
        put(path, method_name(routes[i].method), operation(&routes[i]));
    }
    *out = json_pack(
        "{s:s, s:{s:s, s:s, s:s}, s:o, s:{s:{s:{s:s, s:{s:{s:s, s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}}}}}}, "
        "s:{s:{s:s, s:s, s:s}, s:{s:s, s:s}}}}",
        "openapi", "3.1.0", "info", "title", "Rehascope", "version", REHA_VERSION, "description",
        "Objects are described in docs/formats/records.md. Every answer has a request number in "
        "X-Request-Id.",
        "paths", paths, "components", "schemas", "Error", "type", "object", "properties", "error", "type",
        "object", "properties", "code", "type", "string", "message", "type", "string", "hint", "type",
        "string", "request", "type", "string", "securitySchemes", "session", "type", "apiKey", "in", "cookie",
        "name", "rehascope_session", "token", "type", "http", "scheme", "bearer");
    if (*out == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory while writing the description of the interface");
    }
    return REHA_OK;
}
