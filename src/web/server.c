#include "web/server.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/listen.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "web/assets.h"
#include "web/send_priv.h"
#include "web/watch_priv.h"

#include <microhttpd.h>

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STREAM_MS = 11 * 60000, DRAIN_MS = 3000, PEM_BYTES_MAX = 1 << 20 };

struct reha_server {
    reha_web *web;
    reha_server_options options;
    struct MHD_Daemon *daemon;
    reha_watch watch;
    int listener; /* -1 once the library has it */
    int port;
    char address[96];
    char *certificate, *key;
    atomic_int active;
};

/* One request on its connection. */
typedef struct exchange {
    reha_server *server;
    struct MHD_Connection *connection;
    reha_http_request request;
    reha_call *call; /* NULL for pages */
    reha_link *link;
    double start_ms, deadline_ms;
    int code;
    size_t answer_bytes;
    bool is_queued;
} exchange;

static const char *look_up_header(const void *context, const char *name)
{
    return MHD_lookup_connection_value(((const exchange *)context)->connection, MHD_HEADER_KIND, name);
}

static const char *look_up_query(const void *context, const char *name)
{
    return MHD_lookup_connection_value(((const exchange *)context)->connection, MHD_GET_ARGUMENT_KIND, name);
}

typedef struct query_walk {
    reha_http_visit visit;
    void *to;
} query_walk;

static enum MHD_Result walk_query(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    const query_walk *walk = context;
    (void)kind;
    walk->visit(walk->to, name, value != NULL ? value : "");
    return MHD_YES;
}

static void each_query(const void *context, reha_http_visit visit, void *to)
{
    query_walk walk = {visit, to};
    (void)MHD_get_connection_values(((const exchange *)context)->connection, MHD_GET_ARGUMENT_KIND,
                                    walk_query, &walk);
}

static reha_link *link_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static void allow(exchange *e, double bytes, double extra_ms)
{
    const double ms =
        1000.0 * e->server->options.grace_s + extra_ms + 1000.0 * bytes / e->server->options.rate_bytes_per_s;
    e->deadline_ms = reha_clock_ms() + ms;
    reha_watch_set(&e->server->watch, e->link, e->deadline_ms);
}

static enum MHD_Result queue(exchange *e, reha_http_response *response)
{
    const bool is_stream = response->stream.next != NULL && response->body_bytes == 0;
    e->is_queued = true;
    e->code = response->code;
    e->answer_bytes = response->body_bytes;
    allow(e, (double)response->body_bytes, is_stream ? STREAM_MS : 0.0);
    return reha_send(e->connection, response, e->request.id, e->request.is_secure) ? MHD_YES : MHD_NO;
}

static enum MHD_Result send_page(exchange *e)
{
    reha_http_response response = {.code = 404};
    const reha_asset *asset = reha_asset_find(e->request.path);
    if (!reha_http_is_safe(e->request.method)) {
        reha_http_respond_error(&response, 405, "method", "pages are only read", "Use /api/v1 for changes.",
                                e->request.id);
    } else if (asset == NULL) {
        reha_http_respond_error(&response, 404, "not-found", "no such page", "Begin at /.", e->request.id);
    } else {
        const char *known = look_up_header(e, "If-None-Match");
        const bool is_known = known != NULL && reha_http_etag_matches(known, asset->etag);
        response.code = is_known ? 304 : 200;
        response.type = asset->type;
        response.fixed = asset->bytes;
        response.body_bytes = is_known ? 0 : asset->count;
        response.cache = asset->is_immutable ? "public, max-age=31536000, immutable" : "no-cache";
        (void)snprintf(response.etag, sizeof response.etag, "%s", asset->etag);
    }
    const enum MHD_Result result = queue(e, &response);
    reha_http_response_clear(&response);
    return result;
}

static exchange *begin(reha_server *server, struct MHD_Connection *connection, const char *path,
                       const char *method)
{
    exchange *e = reha_alloc_zero(1, sizeof *e);
    if (e == NULL) {
        return NULL;
    }
    e->server = server;
    e->connection = connection;
    e->link = link_of(connection);
    e->start_ms = reha_clock_ms();
    e->request = (reha_http_request){.method = reha_http_method_parse(method),
                                     .path = path,
                                     .header = look_up_header,
                                     .query = look_up_query,
                                     .each_query = each_query,
                                     .context = e,
                                     .is_secure = server->options.certificate != NULL};
    reha_http_random_hex(e->request.id, sizeof e->request.id);
    (void)atomic_fetch_add(&server->active, 1);
    return e;
}

/* While we work the client is not slow, it waits for us. */
static double begin_work(const exchange *e)
{
    reha_watch_set(&e->server->watch, e->link, (double)INFINITY);
    (void)MHD_set_connection_option(e->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
    return reha_clock_ms();
}

static void end_work(exchange *e, double since_ms)
{
    (void)MHD_set_connection_option(e->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                    (unsigned)e->server->options.idle_s);
    e->deadline_ms += reha_clock_ms() - since_ms;
    reha_watch_set(&e->server->watch, e->link, e->deadline_ms);
}

/* A proof of all files or a backup takes minutes. */
static enum MHD_Result answer(exchange *e)
{
    if (e->call == NULL) {
        return send_page(e);
    }
    const double since_ms = begin_work(e);
    reha_http_response *response = reha_call_finish(e->call);
    end_work(e, since_ms);
    return queue(e, response);
}

/* The head has come: who asks and may they is decided before the body is read. An answer this early closes
 * the connection, so it is given only where a body would have to be read for nothing. */
static enum MHD_Result on_head(exchange *e)
{
    int64_t length = 0;
    const char *text = look_up_header(e, "Content-Length");
    const bool has_body = text != NULL || look_up_header(e, "Transfer-Encoding") != NULL;
    if (strncmp(e->request.path, "/api/", 5) == 0 || strncmp(e->request.path, "/fhir/", 6) == 0 ||
        strncmp(e->request.path, "/dicom-web/", 11) == 0) {
        e->call = reha_call_open(e->server->web, &e->request);
        if (e->call == NULL) {
            return MHD_NO;
        }
    }
    const bool is_counted = text != NULL && reha_parse_int64(text, &length);
    const bool is_empty = is_counted ? length == 0 : !has_body;
    if (!is_empty && (e->call == NULL || reha_call_is_refused(e->call))) {
        return answer(e);
    }
    allow(e, (double)length, 0.0);
    return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_count, void **state)
{
    (void)version;
    exchange *e = *state;
    if (e == NULL) {
        e = begin(context, connection, path, method);
        *state = e;
        return e != NULL ? on_head(e) : MHD_NO;
    }
    if (*data_count > 0) {
        /* After a refusal the rest of the body is read and forgotten, so that the client sees the answer. */
        if (e->call != NULL && !e->is_queued) {
            const double since_ms = begin_work(e); /* a part that is over may have to be looked at */
            (void)reha_call_feed(e->call, data, *data_count);
            end_work(e, since_ms);
        }
        *data_count = 0;
        return MHD_YES;
    }
    return e->is_queued ? MHD_YES : answer(e);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    reha_server *server = context;
    exchange *e = *state;
    if (e == NULL) {
        return;
    }
    const double ms = reha_clock_ms() - e->start_ms;
    if (e->call != NULL || e->code >= 400) {
        reha_log(e->code >= 500 ? REHA_LOG_ERROR : REHA_LOG_INFO, "http.request",
                 "request=%s method=%s route=%s status=%d ms=%.1f bytes=%zu user=%s%s", e->request.id,
                 reha_http_method_text(e->request.method),
                 e->call != NULL ? reha_call_route(e->call) : "page", e->code, ms, e->answer_bytes,
                 e->call != NULL ? reha_call_user(e->call) : "none",
                 why == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : " broken=1");
    }
    reha_watch_set(&server->watch, link_of(connection), reha_clock_ms() + 1000.0 * server->options.idle_s);
    reha_call_close(e->call);
    reha_free(e);
    *state = NULL;
    (void)atomic_fetch_sub(&server->active, 1);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **link,
                          enum MHD_ConnectionNotificationCode what)
{
    reha_server *server = context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *link = info != NULL ? reha_watch_add(&server->watch, info->connect_fd,
                                              reha_clock_ms() + 1000.0 * server->options.head_s)
                             : NULL;
    } else {
        reha_watch_drop(&server->watch, *link);
        *link = NULL;
    }
}

static reha_status load_pem(const char *path, char **out, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    const reha_status status = reha_file_load(path, PEM_BYTES_MAX, &bytes, &count, err);
    *out = (char *)bytes; /* ends with a NUL */
    return status;
}

static void set_defaults(reha_server_options *o)
{
    o->address = o->address != NULL ? o->address : "127.0.0.1";
    o->connections_max = o->connections_max > 0 ? o->connections_max : 512;
    o->connections_per_client = o->connections_per_client > 0 ? o->connections_per_client : 192;
    o->head_s = o->head_s > 0.0 ? o->head_s : 20.0;
    o->idle_s = o->idle_s > 0.0 ? o->idle_s : 60.0;
    o->grace_s = o->grace_s > 0.0 ? o->grace_s : 30.0;
    o->rate_bytes_per_s = o->rate_bytes_per_s > 0.0 ? o->rate_bytes_per_s : 16384.0;
}

static reha_status check_options(const reha_server_options *o, reha_error *err)
{
    if ((o->certificate == NULL) != (o->key == NULL)) {
        return reha_fail(err, REHA_E_ARG, "a certificate and its key are needed together");
    }
    if (o->certificate == NULL && !reha_listen_is_loopback(o->address)) {
        return reha_fail(
            err, REHA_E_ARG,
            "%s can be reached by others: plain HTTP is for 127.0.0.1 only, give --tls-cert and --tls-key",
            o->address);
    }
    return REHA_OK;
}

static reha_status start(reha_server *server, reha_error *err)
{
    const reha_server_options *o = &server->options;
    const bool is_secure = o->certificate != NULL;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, server->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, server->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL}};
    if (!is_secure) {
        tls[0] = tls[3];
    }
    server->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC |
            (is_secure ? MHD_USE_TLS : 0u),
        0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, server->listener,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        server, MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)o->connections_per_client, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)o->idle_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32 << 10, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    if (server->daemon == NULL) {
        return reha_fail(err, is_secure ? REHA_E_ARG : REHA_E_IO,
                         is_secure ? "the server did not start: do certificate %s and key fit together?"
                                   : "the server did not start on %s",
                         is_secure ? o->certificate : o->address);
    }
    server->listener = -1;
    return REHA_OK;
}

reha_status reha_server_open(reha_web *web, const reha_server_options *options, reha_server **out,
                             reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    reha_server *server = reha_alloc_zero(1, sizeof *server);
    if (server == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory while starting the web server");
    }
    server->web = web;
    server->options = *options;
    server->listener = -1;
    set_defaults(&server->options);
    REHA_CHECK(check_options(&server->options, err));
    if (server->options.certificate != NULL) {
        REHA_CHECK(load_pem(server->options.certificate, &server->certificate, err));
        REHA_CHECK(load_pem(server->options.key, &server->key, err));
    }
    REHA_CHECK(reha_watch_init(&server->watch, err));
    REHA_CHECK(reha_listen_open(server->options.address, server->options.port, &server->listener,
                                &server->port, err));
    REHA_CHECK(start(server, err));
    const bool is_v6 = strchr(server->options.address, ':') != NULL;
    (void)snprintf(server->address, sizeof server->address, "%s://%s%s%s:%d",
                   server->certificate != NULL ? "https" : "http", is_v6 ? "[" : "", server->options.address,
                   is_v6 ? "]" : "", server->port);
    *out = server;
    server = NULL;
done:
    reha_server_close(server);
    return status;
}

int reha_server_port(const reha_server *server)
{
    return server->port;
}

const char *reha_server_address(const reha_server *server)
{
    return server->address;
}

int reha_server_tick(reha_server *server)
{
    const int count = reha_watch_cut(&server->watch, reha_clock_ms());
    if (count > 0) {
        reha_log(REHA_LOG_WARN, "http.cut", "connections=%d", count);
    }
    return count;
}

/* Streams end by themselves within moments (reha_web_stop woke them); other answers are short. */
static void drain(reha_server *server)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000000L};
    const double end_ms = reha_clock_ms() + DRAIN_MS;
    const int listener = MHD_quiesce_daemon(server->daemon);
    if (listener >= 0) {
        (void)close(listener);
    }
    while (atomic_load(&server->active) > 0 && reha_clock_ms() < end_ms) {
        (void)nanosleep(&pause, NULL);
    }
}

void reha_server_close(reha_server *server)
{
    if (server == NULL) {
        return;
    }
    if (server->daemon != NULL) {
        reha_web_stop(server->web);
        drain(server);
        MHD_stop_daemon(server->daemon);
    }
    if (server->listener >= 0) {
        (void)close(server->listener);
    }
    reha_watch_clear(&server->watch);
    reha_free(server->certificate);
    reha_free(server->key);
    reha_free(server);
}
