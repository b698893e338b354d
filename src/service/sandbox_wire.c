#include "service/sandbox_wire_priv.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLICE_MS = 1000 };

/* Waits until the descriptor can be used; the answers of send and recv tell about its end. */
static reha_status wait_for(int fd, short what, double until_ms, reha_error *err)
{
    for (;;) {
        const double left_ms = until_ms - reha_clock_ms();
        struct pollfd one = {.fd = fd, .events = what};
        if (left_ms <= 0.0) {
            return reha_fail(err, REHA_E_CANCELLED, "the work took too long");
        }
        const int ready = poll(&one, 1, left_ms < SLICE_MS ? (int)left_ms + 1 : SLICE_MS);
        if (ready > 0) {
            return REHA_OK;
        }
        if (ready < 0 && errno != EINTR) {
            return reha_fail(err, REHA_E_IO, "cannot wait for the worker: %s", strerror(errno));
        }
    }
}

static reha_status send_all(int fd, const void *bytes, size_t count, double until_ms, reha_error *err)
{
    const char *from = bytes;
    while (count > 0) {
        if (isfinite(until_ms)) {
            REHA_TRY(wait_for(fd, POLLOUT, until_ms, err));
        }
        const ssize_t put = send(fd, from, count, MSG_NOSIGNAL | (isfinite(until_ms) ? MSG_DONTWAIT : 0));
        if (put < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (put <= 0) {
            return reha_fail(err, REHA_E_IO, "the other side is gone: %s", strerror(errno));
        }
        from += put;
        count -= (size_t)put;
    }
    return REHA_OK;
}

static reha_status receive_all(int fd, void *bytes, size_t count, double until_ms, reha_error *err)
{
    char *to = bytes;
    while (count > 0) {
        if (isfinite(until_ms)) {
            REHA_TRY(wait_for(fd, POLLIN, until_ms, err));
        }
        const ssize_t got = recv(fd, to, count, isfinite(until_ms) ? MSG_DONTWAIT : 0);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (got <= 0) {
            return reha_fail(err, REHA_E_IO, "the other side is gone");
        }
        to += got;
        count -= (size_t)got;
    }
    return REHA_OK;
}

reha_status wire_send(int fd, const json_t *json, const void *bytes, size_t count, double until_ms,
                      reha_error *err)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a message");
    }
    const wire_head head = {WIRE_MAGIC, (uint32_t)strlen(text), count};
    reha_status status = send_all(fd, &head, sizeof head, until_ms, err);
    if (status == REHA_OK) {
        status = send_all(fd, text, head.json_bytes, until_ms, err);
    }
    if (status == REHA_OK) {
        status = send_all(fd, bytes, count, until_ms, err);
    }
    free(text); /* allowed: jansson's */
    return status;
}

reha_status wire_receive(int fd, size_t blob_max, double until_ms, wire_message *out, reha_error *err)
{
    wire_head head;
    reha_status status = REHA_OK;
    *out = (wire_message){.json = NULL};
    REHA_TRY(receive_all(fd, &head, sizeof head, until_ms, err));
    /* The sender may be a child that a hostile file took over: nothing of it is believed. */
    if (head.magic != WIRE_MAGIC || head.json_bytes > WIRE_JSON_MAX || head.blob_bytes > blob_max) {
        return reha_fail(err, REHA_E_FORMAT, "the worker's answer makes no sense");
    }
    char *text = reha_alloc((size_t)head.json_bytes + 1);
    out->count = (size_t)head.blob_bytes;
    out->bytes = out->count > 0 ? reha_alloc(out->count + 1) : NULL;
    if (text == NULL || (out->count > 0 && out->bytes == NULL)) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a message");
        goto done;
    }
    REHA_CHECK(receive_all(fd, text, head.json_bytes, until_ms, err));
    REHA_CHECK(receive_all(fd, out->bytes, out->count, until_ms, err));
    if (out->bytes != NULL) {
        out->bytes[out->count] = 0;
    }
    status = reha_json_parse(text, head.json_bytes, &out->json, err);
done:
    reha_free(text);
    if (status != REHA_OK) {
        wire_clear(out);
    }
    return status;
}

void wire_clear(wire_message *message)
{
    json_decref(message->json);
    reha_free(message->bytes);
    *message = (wire_message){.json = NULL};
}

reha_status wire_status(const char *name)
{
    for (int i = REHA_OK; i < REHA_STATUS_COUNT; i++) {
        if (strcmp(reha_status_name((reha_status)i), name) == 0) {
            return (reha_status)i;
        }
    }
    return REHA_E_INTERNAL;
}
