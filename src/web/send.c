#include "web/send_priv.h"

#include "base/memory.h"

#include <microhttpd.h>

#include <stdio.h>

enum { EVENT_BLOCK_BYTES = 4096, COUNTED_BLOCK_BYTES = 1 << 18 };

typedef struct header {
    const char *name, *value;
} header;

/* Scripts, styles and pictures come from here and from nowhere else; no page may put ours into a frame;
 * nothing is told to other sites. */
static const header fixed_headers[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
     "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), microphone=(), geolocation=(), usb=(), payment=()"}};

static void add(struct MHD_Response *to, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        (void)MHD_add_response_header(to, name, value);
    }
}

static ssize_t read_stream(void *context, uint64_t at, char *out, size_t room)
{
    (void)at;
    const reha_http_stream *stream = context;
    const size_t count = stream->next(stream->context, out, room);
    return count > 0 ? (ssize_t)count : MHD_CONTENT_READER_END_OF_STREAM;
}

static void release_stream(void *context)
{
    reha_http_stream *stream = context;
    stream->release(stream->context);
    reha_free(stream);
}

static struct MHD_Response *make(reha_http_response *response)
{
    struct MHD_Response *made = NULL;
    if (response->stream.next != NULL) {
        reha_http_stream *stream = reha_alloc(sizeof *stream);
        if (stream == NULL) {
            return NULL;
        }
        *stream = response->stream;
        const bool is_counted = response->body_bytes > 0;
        made = MHD_create_response_from_callback(is_counted ? response->body_bytes : MHD_SIZE_UNKNOWN,
                                                 is_counted ? COUNTED_BLOCK_BYTES : EVENT_BLOCK_BYTES,
                                                 read_stream, stream, release_stream);
        if (made == NULL) {
            reha_free(stream); /* the response still holds the stream itself */
            return NULL;
        }
        response->stream = (reha_http_stream){0};
    } else if (response->body != NULL) {
        made = MHD_create_response_from_buffer_with_free_callback(response->body_bytes, response->body,
                                                                  reha_free);
        response->body = made != NULL ? NULL : response->body;
    } else {
        made = MHD_create_response_from_buffer(response->fixed != NULL ? response->body_bytes : 0,
                                               (void *)(uintptr_t)response->fixed, MHD_RESPMEM_PERSISTENT);
    }
    return made;
}

bool reha_send(struct MHD_Connection *connection, reha_http_response *response, const char *request_id,
               bool is_secure)
{
    char text[128];
    struct MHD_Response *made = make(response);
    if (made == NULL) {
        return false;
    }
    for (size_t i = 0; i < sizeof fixed_headers / sizeof fixed_headers[0]; i++) {
        add(made, fixed_headers[i].name, fixed_headers[i].value);
    }
    add(made, "Strict-Transport-Security", is_secure ? "max-age=31536000" : NULL);
    add(made, "X-Request-Id", request_id);
    add(made, "Cache-Control", response->cache != NULL ? response->cache : "no-store");
    add(made, "Content-Type", response->own_type[0] != '\0' ? response->own_type : response->type);
    add(made, "ETag", response->etag);
    add(made, "Last-Modified", response->last_modified);
    add(made, "WWW-Authenticate", response->code == 401 ? "Bearer realm=\"rehascope\"" : NULL);
    add(made, "Set-Cookie", response->cookie);
    add(made, "Warning", response->warning);
    if (response->file_name[0] != '\0') {
        (void)snprintf(text, sizeof text, "attachment; filename=\"%s\"", response->file_name);
        add(made, "Content-Disposition", text);
    }
    if (response->retry_after_s > 0) {
        (void)snprintf(text, sizeof text, "%d", response->retry_after_s);
        add(made, "Retry-After", text);
    }
    const enum MHD_Result queued = MHD_queue_response(connection, (unsigned)response->code, made);
    MHD_destroy_response(made);
    return queued == MHD_YES;
}
