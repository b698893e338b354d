/* Server-sent events: what happens to jobs and studies, as it happens. */
#include "web/call_priv.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAIT_MS = 10000,            /* then a comment shows that the line is alive */
    STREAM_MS_MAX = 10 * 60000, /* then the page asks again, and the session is looked at anew */
    RETRY_MS = 2000
};

typedef struct stream {
    reha_web *web;
    char token[REHA_TOKEN_BYTES];
    int64_t last;
    double end_ms;
    bool has_begun;
    char *text; /* what did not fit yet */
    size_t length, sent;
} stream;

static void release(void *context)
{
    stream *s = context;
    (void)atomic_fetch_sub(&s->web->stream_count, 1);
    reha_free(s->text);
    reha_free(s);
}

/* The next piece of text: events, or a comment when nothing happened. False: the stream is over. */
static bool fetch(stream *s, reha_text *text)
{
    reha_actor actor;
    json_t *events = NULL;
    reha_clinic *clinic = s->web->options.clinic;
    if (reha_clinic_session(clinic, s->token, &actor, NULL, NULL) != REHA_OK) {
        reha_text_addf(text, "event: signed-out\ndata: {}\n\n");
        s->end_ms = 0.0; /* after this piece */
        return true;
    }
    if (reha_clinic_events(clinic, &actor, s->last, s->has_begun ? WAIT_MS : 0, &events, NULL) != REHA_OK) {
        return false;
    }
    const json_t *items = json_object_get(events, "items");
    const json_int_t last = json_integer_value(json_object_get(events, "last"));
    const bool is_lost = json_is_true(json_object_get(events, "lost"));
    if (!s->has_begun || is_lost || json_array_size(items) > 0) {
        char *body = json_dumps(events, JSON_COMPACT);
        if (body != NULL) {
            reha_text_addf(text, "retry: %d\nid: %lld\nevent: changes\ndata: %s\n\n", (int)RETRY_MS,
                           (long long)last, body);
        }
        free(body); /* allowed: jansson's */
        s->last = last;
    } else {
        reha_text_add(text, ": alive\n\n");
    }
    s->has_begun = true;
    json_decref(events);
    return true;
}

static size_t next(void *context, char *out, size_t room)
{
    stream *s = context;
    if (s->sent == s->length) {
        reha_text text = {0};
        reha_free(s->text);
        s->text = NULL;
        s->sent = 0;
        s->length = 0;
        if (atomic_load(&s->web->is_stopping) || reha_clock_ms() > s->end_ms || !fetch(s, &text)) {
            return 0;
        }
        s->length = text.length;
        if (reha_text_take(&text, &s->text, NULL) != REHA_OK) {
            s->length = 0;
            return 0;
        }
    }
    const size_t left = s->length - s->sent;
    const size_t count = left < room ? left : room;
    memcpy(out, s->text + s->sent, count);
    s->sent += count;
    return count;
}

reha_status reha_web_events(reha_call *call, reha_error *err)
{
    reha_web *web = call->web;
    const char *last = reha_call_header(call, "Last-Event-ID");
    int64_t after = 0;
    REHA_TRY(reha_http_query_integer(call->request, "after", 0, INT64_MAX, 0, &after, err));
    if (last != NULL && (!reha_parse_int64(last, &after) || after < 0)) {
        return reha_fail(err, REHA_E_ARG, "Last-Event-ID must be a whole number");
    }
    if (atomic_load(&web->is_stopping) ||
        atomic_fetch_add(&web->stream_count, 1) >= web->options.streams_max) {
        if (!atomic_load(&web->is_stopping)) {
            (void)atomic_fetch_sub(&web->stream_count, 1);
        }
        return reha_fail(err, REHA_E_BUSY,
                         "too many pages follow events at the same time, or the server stops");
    }
    stream *s = reha_alloc_zero(1, sizeof *s);
    if (s == NULL) {
        (void)atomic_fetch_sub(&web->stream_count, 1);
        return reha_fail(err, REHA_E_NOMEM, "out of memory while opening a stream of events");
    }
    s->web = web;
    s->last = after;
    s->end_ms = reha_clock_ms() + STREAM_MS_MAX;
    memcpy(s->token, call->token, sizeof s->token);
    call->response.code = 200;
    call->response.type = "text/event-stream";
    call->response.stream = (reha_http_stream){.next = next, .release = release, .context = s};
    return REHA_OK;
}
