#include "web/call_priv.h"

#include "base/memory.h"
#include "web/fhir_priv.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

reha_status reha_web_new(const reha_web_options *options, reha_web **out, reha_error *err)
{
    *out = NULL;
    reha_web *web = reha_alloc_zero(1, sizeof *web);
    if (web == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory while starting the web server");
    }
    web->options = *options;
    reha_web_options *o = &web->options;
    o->json_bytes_max = o->json_bytes_max != 0 ? o->json_bytes_max : (size_t)256 << 10;
    o->upload_bytes_max = o->upload_bytes_max != 0 ? o->upload_bytes_max : (size_t)1 << 30;
    o->streams_max = o->streams_max != 0 ? o->streams_max : 200;
    o->sign_ins_max = o->sign_ins_max != 0 ? o->sign_ins_max : 3;
    web->routes = reha_routes(&web->route_count);
    const reha_status status = reha_thumbs_new((size_t)64 << 20, &web->thumbs, err);
    if (status != REHA_OK) {
        reha_free(web);
        return status;
    }
    *out = web;
    return REHA_OK;
}

void reha_web_free(reha_web *web)
{
    if (web == NULL) {
        return;
    }
    reha_thumbs_free(web->thumbs);
    reha_free(web);
}

void reha_web_stop(reha_web *web)
{
    atomic_store(&web->is_stopping, true);
    reha_clinic_wake(web->options.clinic);
}

const char *reha_call_header(const reha_call *call, const char *name)
{
    return call->request->header(call->request->context, name);
}

const char *reha_call_query(const reha_call *call, const char *name)
{
    const char *value = call->request->query(call->request->context, name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Only what belongs into a host: it is written into addresses. */
static bool is_host(const char *host)
{
    const size_t length = strlen(host);
    return length > 0 && length < REHA_BASE_BYTES - 40 &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") == length;
}

void reha_call_base(const reha_call *call, const char *root, char out[REHA_BASE_BYTES])
{
    const char *host = reha_call_header(call, "Host");
    (void)snprintf(out, REHA_BASE_BYTES, "%s://%s%s", call->request->is_secure ? "https" : "http",
                   host != NULL && is_host(host) ? host : "localhost", root);
}

static void refuse(reha_call *call, int code, const char *name, const char *message, const char *hint)
{
    call->is_refused = true;
    if (reha_fhir_is_path(call->request->path)) {
        reha_fhir_respond_error(&call->response, code, message, hint, call->request->id);
    } else {
        reha_http_respond_error(&call->response, code, name, message, hint, call->request->id);
    }
}

static void refuse_status(reha_call *call, reha_status status, const reha_error *err)
{
    call->is_refused = true;
    if (reha_fhir_is_path(call->request->path)) {
        reha_fhir_respond_error(&call->response, reha_http_code(status),
                                err->text[0] != '\0' ? err->text : reha_status_name(status),
                                reha_http_hint(status), call->request->id);
    } else {
        reha_http_respond_status(&call->response, status, err, call->request->id);
    }
    if (status == REHA_E_BUSY) {
        call->response.retry_after_s = 60;
    }
}

/* Where the request comes from. A page of another origin can make a browser send requests here with the
 * user's cookie, or rename 127.0.0.1 to its own host: neither gets past this point. */
static bool check_place(reha_call *call)
{
    const char *host = reha_call_header(call, "Host");
    const char *origin = reha_call_header(call, "Origin");
    if (host == NULL || (call->web->options.loopback_only && !reha_http_is_loopback_host(host))) {
        refuse(call, 421, "wrong-host", "this server answers as 127.0.0.1 and localhost only",
               "Open http://127.0.0.1 with the port that the server printed.");
        return false;
    }
    if (origin != NULL && !reha_http_is_safe(call->request->method) &&
        !reha_http_is_same_origin(origin, host, call->request->is_secure)) {
        refuse(call, 403, "foreign-origin", "the request comes from a page of another site",
               "Use the pages that this server gives out.");
        return false;
    }
    return true;
}

static bool find_route(reha_call *call)
{
    const reha_http_request *request = call->request;
    const char *hint =
        reha_fhir_is_path(request->path) ? "See /fhir/R4/metadata." : "See /api/v1/openapi.json.";
    call->match = reha_route_find(call->web->routes, call->web->route_count, request->method, request->path);
    if (call->match.route != NULL) {
        return true;
    }
    if (call->match.is_known_path) {
        refuse(call, 405, "method", "this address does not take the method of the request", hint);
    } else {
        refuse(call, 404, "not-found", "no such address", hint);
    }
    return false;
}

/* Whom the token of a machine stands for. Tokens read, and have no account of their own to look after. A
 * token in an address would end in logs and histories: that request is refused before anything else is looked
 * at. */
static bool check_token(reha_call *call)
{
    reha_error err = REHA_ERROR_INIT;
    const reha_route *route = call->match.route;
    const char *bearer = reha_http_bearer(reha_call_header(call, "Authorization"));
    if (reha_call_query(call, "access_token") != NULL) {
        refuse(call, 400, "argument", "an access token must not stand in the address: addresses are logged",
               "Revoke this token, and send a new one in the header Authorization: Bearer.");
        return false;
    }
    if (bearer == NULL) {
        return true;
    }
    const reha_status status = reha_clinic_token_actor(call->clinic, bearer, &call->actor, &err);
    if (status != REHA_OK) {
        refuse_status(call, status, &err);
        return false;
    }
    if (!reha_http_is_safe(call->request->method) || route->permission == REHA_ROUTE_SIGNED_IN) {
        refuse(call, 403, "denied", "an access token reads records and nothing else",
               "Sign in with an account for this.");
        return false;
    }
    return true;
}

/* Who asks, and may they. The clinic checks the permission again: this one spares it the body. */
static bool check_actor(reha_call *call)
{
    const int permission = call->match.route->permission;
    reha_error err = REHA_ERROR_INIT;
    call->actor = reha_actor_nobody();
    if (!check_token(call)) {
        return false;
    }
    const bool is_machine = call->actor.role != REHA_ROLE_NONE; /* then cookies are passed over */
    if (!is_machine && reha_http_cookie(reha_call_header(call, "Cookie"), REHA_COOKIE_NAME, call->token,
                                        sizeof call->token)) {
        const reha_status status =
            reha_clinic_session(call->clinic, call->token, &call->actor, &call->session, &err);
        if (status == REHA_E_SIGNED_OUT) {
            call->token[0] = '\0';
        } else if (status != REHA_OK) {
            refuse_status(call, status, &err);
            return false;
        }
    }
    if (permission == REHA_ROUTE_PUBLIC) {
        return true;
    }
    if (call->actor.role == REHA_ROLE_NONE) {
        refuse(call, 401, "signed-out", "nobody is signed in, or the session has ended",
               "Sign in and try again.");
        return false;
    }
    if (!reha_route_may(call->match.route, call->actor.role)) {
        char text[160];
        (void)snprintf(text, sizeof text, "the role '%s' may not do this: it needs the permission '%s'%s",
                       reha_role_name(call->actor.role), reha_permission_name((reha_permission)permission),
                       (call->match.route->flags & REHA_ROUTE_IDENTITY) != 0 ? " and 'identity'" : "");
        refuse(call, 403, "denied", text, "Ask an administrator for a role that may.");
        return false;
    }
    return true;
}

/* A change needs the secret that only a page of ours has read. Requests without a session change nothing that
 * a cookie could steal; their JSON bodies cannot be sent by a foreign form. */
static bool check_csrf(reha_call *call)
{
    if (reha_http_is_safe(call->request->method) || call->token[0] == '\0' ||
        call->match.route->permission == REHA_ROUTE_PUBLIC) {
        return true;
    }
    const char *csrf = reha_call_header(call, "X-CSRF-Token");
    if (csrf != NULL && reha_clinic_csrf_fits(call->token, csrf)) {
        return true;
    }
    refuse(call, 403, "csrf", "the header X-CSRF-Token is missing or does not belong to this session",
           "Load the page again; programs read 'csrf' from GET /api/v1/session.");
    return false;
}

static bool check_if_match(reha_call *call)
{
    call->if_version = REHA_ANY_VERSION;
    if ((call->match.route->flags & REHA_ROUTE_IF_MATCH) == 0) {
        return true;
    }
    const char *text = reha_call_header(call, "If-Match");
    long long version = 0;
    char after = '\0';
    if (text == NULL) {
        refuse(call, 428, "precondition-required",
               "an edit needs the header If-Match with the ETag that was read",
               "Read the record, then send its ETag along.");
        return false;
    }
    /* "3" or "3-content"; a star would mean: whatever is there now, and lose the other's edit. */
    if (sscanf(text, " \"%18lld%c", &version, &after) != 2 || version < 0 || (after != '"' && after != '-')) {
        refuse(call, 400, "argument", "If-Match must hold the one ETag of the record",
               "Send the ETag as it came.");
        return false;
    }
    call->if_version = version;
    return true;
}

static bool check_body_head(reha_call *call)
{
    const reha_route_body kind = call->match.route->body;
    const char *length_text = reha_call_header(call, "Content-Length");
    int64_t length = 0;
    const int64_t most = kind == REHA_BODY_UPLOAD || kind == REHA_BODY_RELATED
                             ? (int64_t)call->web->options.upload_bytes_max
                             : (int64_t)call->web->options.json_bytes_max;
    if (length_text != NULL && (!reha_parse_int64(length_text, &length) || length > most)) {
        refuse(call, 413, "limit", "the body is larger than this address takes", "Send less at once.");
        return false;
    }
    const char *type = reha_call_header(call, "Content-Type");
    if (kind == REHA_BODY_JSON && (type == NULL || strncasecmp(type, "application/json", 16) != 0)) {
        refuse(call, 415, "unsupported", "the body must be application/json", "Set the header Content-Type.");
        return false;
    }
    return true;
}

reha_call *reha_call_open(reha_web *web, const reha_http_request *request)
{
    reha_call *call = reha_alloc_zero(1, sizeof *call);
    if (call == NULL) {
        return NULL;
    }
    call->web = web;
    call->clinic = web->options.clinic;
    call->request = request;
    call->actor = reha_actor_nobody();
    if (check_place(call) && find_route(call) && check_actor(call) && check_csrf(call) &&
        check_if_match(call) && check_body_head(call)) {
        reha_error err = REHA_ERROR_INIT;
        const reha_route_body kind = call->match.route->body;
        const reha_status status = kind == REHA_BODY_UPLOAD    ? reha_call_upload_begin(call, &err)
                                   : kind == REHA_BODY_RELATED ? reha_dicomweb_store_begin(call, &err)
                                                               : REHA_OK;
        if (status != REHA_OK) {
            refuse_status(call, status, &err);
        }
    }
    return call;
}

bool reha_call_is_refused(const reha_call *call)
{
    return call->is_refused;
}

bool reha_call_feed(reha_call *call, const void *bytes, size_t count)
{
    reha_error err = REHA_ERROR_INIT;
    if (call->is_refused) {
        return false;
    }
    if (call->upload != NULL || call->store != NULL) {
        const reha_status status = call->upload != NULL
                                       ? reha_upload_write(call->upload, bytes, count, &err)
                                       : reha_dicomweb_store_feed(call->store, bytes, count, &err);
        if (status != REHA_OK) {
            refuse_status(call, status, &err);
        }
        return status == REHA_OK;
    }
    if (count > call->web->options.json_bytes_max - call->body.length) {
        refuse(call, 413, "limit", "the body is larger than this address takes", "Send less at once.");
        return false;
    }
    reha_text_add_n(&call->body, bytes, count);
    return true;
}

static reha_status read_json(reha_call *call, reha_error *err)
{
    if (call->match.route->body != REHA_BODY_JSON) {
        return REHA_OK;
    }
    if (call->body.failed) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory while reading the request");
    }
    REHA_TRY(
        reha_json_parse(call->body.data != NULL ? call->body.data : "", call->body.length, &call->in, err));
    if (!json_is_object(call->in)) {
        return reha_fail(err, REHA_E_FORMAT, "the body must be a JSON object");
    }
    return REHA_OK;
}

/* A page that has it already gets 304 in place of the bytes. */
static void answer_unchanged(reha_call *call)
{
    reha_http_response *response = &call->response;
    const char *known = reha_call_header(call, "If-None-Match");
    if (known != NULL && call->request->method == REHA_HTTP_GET && response->code == 200 &&
        reha_http_etag_matches(known, response->etag)) {
        reha_free(response->body);
        response->body = NULL;
        response->body_bytes = 0;
        response->code = 304;
    }
}

reha_http_response *reha_call_finish(reha_call *call)
{
    reha_error err = REHA_ERROR_INIT;
    if (!call->is_refused) {
        reha_status status = read_json(call, &err);
        if (status == REHA_OK) {
            status = call->match.route->handle(call, &err);
        }
        if (status != REHA_OK) {
            refuse_status(call, status, &err);
        } else {
            answer_unchanged(call);
        }
    }
    return &call->response;
}

void reha_call_close(reha_call *call)
{
    if (call == NULL) {
        return;
    }
    reha_upload_close(call->upload);
    reha_dicomweb_store_close(call->store);
    json_decref(call->session);
    json_decref(call->in);
    reha_text_clear(&call->body);
    reha_http_response_clear(&call->response);
    reha_free(call);
}

const char *reha_call_route(const reha_call *call)
{
    return call->match.route != NULL ? call->match.route->pattern : "none";
}

const char *reha_call_user(const reha_call *call)
{
    return call->actor.user_id[0] != '\0' ? call->actor.user_id : "none";
}
