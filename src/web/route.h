/* The table of routes: what every address of the interface does, who may ask, and how it is described. The
 * OpenAPI description, the router and the tests of the role matrix all read this one table. */
#ifndef REHA_WEB_ROUTE_H
#define REHA_WEB_ROUTE_H

#include "service/clinic.h"
#include "web/http.h"

struct reha_call;

/* Who may ask, beside the permissions of the clinic (reha_permission). */
enum { REHA_ROUTE_PUBLIC = -1, REHA_ROUTE_SIGNED_IN = -2 };

typedef enum reha_route_body {
    REHA_BODY_NONE,
    REHA_BODY_JSON,   /* application/json of at most body_bytes_max */
    REHA_BODY_UPLOAD, /* any bytes: streamed into the clinic */
    REHA_BODY_RELATED /* multipart/related, each part of which is an upload (DICOMweb) */
} reha_route_body;

typedef enum reha_route_flag {
    REHA_ROUTE_IF_MATCH = 1,   /* an edit: needs If-Match */
    REHA_ROUTE_IDEMPOTENT = 2, /* takes Idempotency-Key */
    REHA_ROUTE_PAGED = 4,      /* takes cursor and limit */
    REHA_ROUTE_IDENTITY = 8    /* shows who the patient is: needs REHA_MAY_IDENTITY too */
} reha_route_flag;

typedef struct reha_route {
    reha_http_method method;
    const char *pattern; /* "/api/v1/studies/{id}": {x} stands for one segment of [A-Za-z0-9._-] */
    int permission;      /* a reha_permission, or REHA_ROUTE_PUBLIC, REHA_ROUTE_SIGNED_IN */
    reha_status (*handle)(struct reha_call *call, reha_error *err);
    reha_route_body body;
    unsigned flags;
    const char *summary; /* one line, for the description */
    const char *request; /* members of the JSON body: "name, password, code?"; NULL without one */
    const char *query;   /* names of query values, "text, status"; NULL: none */
    const char *answer;  /* what comes back: "application/json", "image/png", ... */
    int variant;         /* for handlers that serve several routes */
} reha_route;

const reha_route *reha_routes(size_t *count);

/* The whole answer to "may this role ask": permission and flags. NONE stands for nobody. */
bool reha_route_may(const reha_route *route, reha_role role);

enum { REHA_PARAMS_MAX = 3, REHA_PARAM_BYTES = 80 };
typedef struct reha_route_match {
    const reha_route *route;                        /* NULL: see is_known_path */
    bool is_known_path;                             /* another method would be answered */
    char params[REHA_PARAMS_MAX][REHA_PARAM_BYTES]; /* in the order of the pattern */
} reha_route_match;
reha_route_match reha_route_find(const reha_route *routes, size_t count, reha_http_method method,
                                 const char *path);

/* The OpenAPI 3.1 description of the table. New reference. */
REHA_MUST_USE reha_status reha_openapi(const reha_route *routes, size_t count, json_t **out, reha_error *err);

#endif
