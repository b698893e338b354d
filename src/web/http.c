#include "web/http.h"

#include "base/memory.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

typedef struct fault_row {
    reha_status status;
    int code;
    const char *hint;
} fault_row;

static const fault_row faults[] = {
    {REHA_E_ARG, 400, "Correct the marked value and send it again."},
    {REHA_E_FORMAT, 400, "The file or request is damaged or of another kind than its name says."},
    {REHA_E_UNSUPPORTED, 415, "Export it in a format that is read here: DICOM, PNG, JPEG or TIFF."},
    {REHA_E_LIMIT, 413, "Send less at once."},
    {REHA_E_NOT_FOUND, 404, "It may have been removed, or the address is mistyped."},
    {REHA_E_REFUSED, 422, "See the message for what can be done."},
    {REHA_E_CONFLICT, 409, "See the message: what is there already, or what has to be done first."},
    {REHA_E_STALE, 412, "Load it again, look at what changed, and repeat your change."},
    {REHA_E_DENIED, 403, "Ask an administrator for a role that may do this."},
    {REHA_E_CANCELLED, 409, "It was stopped on request; start it again if you need it."},
    {REHA_E_SIGNED_OUT, 401, "Sign in and try again."},
    {REHA_E_BUSY, 429, "Wait for the time in the message, then try again."},
    {REHA_E_TAMPERED, 500, "The records do not fit their seal: tell the administrator at once."},
    {REHA_E_IO, 503, "The server could not read or write its records: tell the administrator."},
    {REHA_E_FULL, 507, "Nothing was stored: tell the administrator, who makes room; then send it again."},
    {REHA_E_NOMEM, 503, "The server is out of memory: try again in a minute."},
    {REHA_E_INTERNAL, 500, "This is a fault of the program: report it with the request number."}};

reha_http_method reha_http_method_parse(const char *text)
{
    static const struct {
        const char *text;
        reha_http_method method;
    } known[] = {{"GET", REHA_HTTP_GET},
                 {"HEAD", REHA_HTTP_GET},
                 {"POST", REHA_HTTP_POST},
                 {"PUT", REHA_HTTP_PUT},
                 {"DELETE", REHA_HTTP_DELETE}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(text, known[i].text) == 0) {
            return known[i].method;
        }
    }
    return REHA_HTTP_OTHER;
}

const char *reha_http_method_text(reha_http_method method)
{
    static const char *const texts[] = {"GET", "POST", "PUT", "DELETE", "OTHER"};
    return texts[method];
}

bool reha_http_is_safe(reha_http_method method)
{
    return method == REHA_HTTP_GET;
}

void reha_http_response_clear(reha_http_response *response)
{
    reha_free(response->body);
    if (response->stream.release != NULL) {
        response->stream.release(response->stream.context);
    }
    *response = (reha_http_response){0};
}

reha_status reha_http_respond_json(reha_http_response *response, int code, json_t *value, reha_error *err)
{
    if (value == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory while writing the answer");
    }
    const size_t length = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_REAL_PRECISION(9));
    uint8_t *body = length > 0 ? reha_alloc(length) : NULL;
    if (body != NULL &&
        json_dumpb(value, (char *)body, length, JSON_COMPACT | JSON_REAL_PRECISION(9)) != length) {
        reha_free(body);
        body = NULL;
    }
    json_decref(value);
    if (body == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory while writing the answer");
    }
    reha_free(response->body);
    response->body = body;
    response->body_bytes = length;
    response->code = code;
    response->type = "application/json";
    return REHA_OK;
}

void reha_http_respond_error(reha_http_response *response, int code, const char *name, const char *message,
                             const char *hint, const char *request_id)
{
    const int retry_after_s = response->retry_after_s;
    char cookie[sizeof response->cookie];
    memcpy(cookie, response->cookie, sizeof cookie);
    reha_http_response_clear(response);
    json_t *text = reha_json_text(message);
    json_t *value = json_pack("{s:{s:s, s:o*, s:s, s:s}}", "error", "code", name, "message", text, "hint",
                              hint, "request", request_id);
    if (reha_http_respond_json(response, code, value, NULL) != REHA_OK) {
        response->code = code;
        response->type = "application/json";
    }
    response->retry_after_s = retry_after_s;
    memcpy(response->cookie, cookie, sizeof cookie);
}

static const fault_row *find_fault(reha_status status)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (faults[i].status == status) {
            return &faults[i];
        }
    }
    return &faults[sizeof faults / sizeof faults[0] - 1];
}

int reha_http_code(reha_status status)
{
    return status == REHA_OK ? 200 : find_fault(status)->code;
}

const char *reha_http_hint(reha_status status)
{
    return find_fault(status)->hint;
}

void reha_http_respond_status(reha_http_response *response, reha_status status, const reha_error *err,
                              const char *request_id)
{
    assert(status != REHA_OK);
    const fault_row *row = find_fault(status);
    const char *message = err != NULL && err->text[0] != '\0' ? err->text : reha_status_name(status);
    reha_http_respond_error(response, row->code, reha_status_name(status), message, row->hint, request_id);
}

void reha_http_date(const char *timestamp, char out[32])
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm parts = {0};
    out[0] = '\0';
    if (timestamp == NULL || sscanf(timestamp, "%4d-%2d-%2dT%2d:%2d:%2d", &parts.tm_year, &parts.tm_mon,
                                    &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec) != 6) {
        return;
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    const time_t at = timegm(&parts); /* puts what is out of range right */
    (void)gmtime_r(&at, &parts);
    (void)snprintf(out, 32, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[parts.tm_wday], parts.tm_mday,
                   months[parts.tm_mon], (parts.tm_year + 1900) % 10000, parts.tm_hour, parts.tm_min,
                   parts.tm_sec);
}

const char *reha_http_bearer(const char *header)
{
    static const char scheme[] = "Bearer ";
    if (header == NULL || strncasecmp(header, scheme, sizeof scheme - 1) != 0) {
        return NULL;
    }
    return header + sizeof scheme - 1 + strspn(header + sizeof scheme - 1, " ");
}

bool reha_http_cookie(const char *header, const char *name, char *out, size_t room)
{
    const size_t name_length = strlen(name);
    const char *at = header;
    out[0] = '\0';
    while (at != NULL && *at != '\0') {
        at += strspn(at, " ;");
        const size_t length = strcspn(at, ";");
        if (length > name_length && strncmp(at, name, name_length) == 0 && at[name_length] == '=') {
            const size_t value_length = length - name_length - 1;
            if (value_length == 0 || value_length >= room) {
                return false;
            }
            memcpy(out, at + name_length + 1, value_length);
            out[value_length] = '\0';
            return true;
        }
        at += length;
    }
    return false;
}

bool reha_http_etag_matches(const char *list, const char *etag)
{
    etag += strncmp(etag, "W/", 2) == 0 ? 2 : 0;
    const size_t etag_length = strlen(etag);
    const char *at = list;
    while (at != NULL && etag_length > 0 && *at != '\0') {
        at += strspn(at, " ,");
        if (*at == '*') {
            return true;
        }
        if (strncmp(at, "W/", 2) == 0) {
            at += 2;
        }
        const size_t length = strcspn(at, ",");
        size_t trimmed = length;
        while (trimmed > 0 && at[trimmed - 1] == ' ') {
            trimmed--;
        }
        if (trimmed == etag_length && strncmp(at, etag, etag_length) == 0) {
            return true;
        }
        at += length;
    }
    return false;
}

/* Length of the host part of "host:port" or "[v6]:port". */
static size_t host_length(const char *host)
{
    if (host[0] == '[') {
        const char *end = strchr(host, ']');
        return end != NULL ? (size_t)(end - host) + 1 : strlen(host);
    }
    return strcspn(host, ":");
}

bool reha_http_is_loopback_host(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]", "::1"};
    const size_t length = strcmp(host, "::1") == 0 ? 3 : host_length(host);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == length && strncasecmp(host, names[i], length) == 0) {
            return true;
        }
    }
    return false;
}

bool reha_http_is_same_origin(const char *origin, const char *host, bool is_secure)
{
    const char *scheme = is_secure ? "https://" : "http://";
    return host != NULL && strncasecmp(origin, scheme, strlen(scheme)) == 0 &&
           strcasecmp(origin + strlen(scheme), host) == 0;
}

reha_status reha_http_query_integer(const reha_http_request *request, const char *name, int64_t low,
                                    int64_t high, int64_t fallback, int64_t *out, reha_error *err)
{
    const char *text = request->query(request->context, name);
    *out = fallback;
    if (text == NULL || text[0] == '\0') {
        return REHA_OK;
    }
    int64_t value = 0;
    if (!reha_parse_int64(text, &value) || value < low || value > high) {
        return reha_fail(err, REHA_E_ARG, "'%s' must be a whole number from %lld to %lld", name,
                         (long long)low, (long long)high);
    }
    *out = value;
    return REHA_OK;
}

void reha_http_random_hex(char *out, size_t out_bytes)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[64];
    assert(out_bytes >= 1 && out_bytes - 1 <= 2 * sizeof bytes);
    size_t have = 0;
    while (have < sizeof bytes) { /* may give less only for larger requests than this; signals apart */
        const ssize_t got = getrandom(bytes + have, sizeof bytes - have, 0);
        have += got > 0 ? (size_t)got : 0;
    }
    for (size_t i = 0; i + 1 < out_bytes; i++) {
        out[i] = digits[(bytes[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15u];
    }
    out[out_bytes - 1] = '\0';
}
