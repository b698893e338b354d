/* Requests and responses without a network: what the router, the handlers and their tests speak. The
 * transport (server.c) fills a request, feeds its body to a call (web.h) and sends the response. */
#ifndef REHA_WEB_HTTP_H
#define REHA_WEB_HTTP_H

#include "base/json.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum reha_http_method {
    REHA_HTTP_GET,
    REHA_HTTP_POST,
    REHA_HTTP_PUT,
    REHA_HTTP_DELETE,
    REHA_HTTP_OTHER
} reha_http_method;

reha_http_method reha_http_method_parse(const char *text);
const char *reha_http_method_text(reha_http_method method); /* "GET"; "OTHER" for the rest */
bool reha_http_is_safe(reha_http_method method);            /* changes nothing */

typedef const char *(*reha_http_lookup)(const void *context, const char *name); /* NULL if absent; borrowed */

typedef void (*reha_http_visit)(void *to, const char *name,
                                const char *value); /* borrowed; value "" for none */

enum { REHA_REQUEST_ID_BYTES = 17 };

typedef struct reha_http_request { /* all borrowed for the time of the call */
    reha_http_method method;
    const char *path; /* decoded, begins with '/' */
    char id[REHA_REQUEST_ID_BYTES];
    reha_http_lookup header; /* names without regard to case */
    reha_http_lookup query;
    void (*each_query)(const void *context, reha_http_visit visit,
                       void *to); /* repeated ones too; NULL: none */
    const void *context;          /* of both */
    bool is_secure;               /* came by TLS */
} reha_http_request;

/* A body that is made while it is sent: server-sent events, or one that is too large for memory, whose length
 * is then known as body_bytes. `next` may block; it writes up to `room` bytes and returns their number, 0 for
 * the end; an end before body_bytes cuts the connection. `release` is called once, sent or not. */
typedef struct reha_http_stream {
    size_t (*next)(void *context, char *out, size_t room);
    void (*release)(void *context);
    void *context;
} reha_http_stream;

typedef struct reha_http_response {
    int code;           /* 200, ... */
    const char *type;   /* "application/json"; static */
    char own_type[140]; /* in its place where it is made for this answer; "" for none */
    uint8_t *body;      /* owned; NULL: none */
    size_t body_bytes;
    const uint8_t *fixed;    /* a body that lives as long as the program, in place of `body` */
    reha_http_stream stream; /* in place of `body` where `next` is set */
    char etag[80];           /* with its quotes; "" for none */
    char last_modified[32];  /* as HTTP writes dates; "" for none */
    char cookie[240];        /* Set-Cookie; "" for none */
    char file_name[80];      /* Content-Disposition; "" for none */
    char warning[640];       /* Warning; "" for none */
    const char *cache;       /* Cache-Control; NULL: "no-store"; static */
    int retry_after_s;       /* 0: none */
} reha_http_response;

void reha_http_response_clear(reha_http_response *response);

/* Takes the reference of `value` in any case. */
REHA_MUST_USE reha_status reha_http_respond_json(reha_http_response *response, int code, json_t *value,
                                                 reha_error *err);
/* {"error": {"code", "message", "hint", "request"}}: never fails; out of memory gives an empty body. */
void reha_http_respond_error(reha_http_response *response, int code, const char *name, const char *message,
                             const char *hint, const char *request_id);
/* The same from a status: the one table from our faults to HTTP's codes. */
void reha_http_respond_status(reha_http_response *response, reha_status status, const reha_error *err,
                              const char *request_id);
int reha_http_code(reha_status status);
const char *reha_http_hint(reha_status status); /* what whoever asked can do; static */

/* "Mon, 30 Nov 2026 12:34:56 GMT" from "2026-11-30T12:34:56.789Z"; "" if it is none. */
void reha_http_date(const char *timestamp, char out[32]);
/* The token of "Authorization: Bearer TOKEN"; NULL if the header is absent or of another scheme. Borrowed. */
const char *reha_http_bearer(const char *header);
/* Value of a cookie of a Cookie header into out (cut: treated as absent). False if absent. */
bool reha_http_cookie(const char *header, const char *name, char *out, size_t room);
/* True if the If-None-Match / If-Match list holds `etag` (weak marks of both are passed over) or is "*". */
bool reha_http_etag_matches(const char *list, const char *etag);
/* True for "127.0.0.1", "[::1]:8080", "localhost:80" and the like. */
bool reha_http_is_loopback_host(const char *host);
/* True if an Origin header names the host of the Host header. */
bool reha_http_is_same_origin(const char *origin, const char *host, bool is_secure);
/* A whole number of the query; `fallback` if absent, REHA_E_ARG if it is none or out of range. */
REHA_MUST_USE reha_status reha_http_query_integer(const reha_http_request *request, const char *name,
                                                  int64_t low, int64_t high, int64_t fallback, int64_t *out,
                                                  reha_error *err);
/* Random lower-case hexadecimal text of out_bytes - 1 digits. */
void reha_http_random_hex(char *out, size_t out_bytes);

#endif
