/* A server on a real socket, and what a client says and hears there. */
#ifndef REHA_TESTS_WEB_WIRE_H
#define REHA_TESTS_WEB_WIRE_H

#include "caller.h"

#include "web/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

static reha_server *server;

static inline int open_wire(void **state, reha_server_options options)
{
    reha_error err = REHA_ERROR_INIT;
    (void)open_bench_with(state, false);
    const bench *b = *state;
    assert_ok(reha_server_open(b->web, &options, &server, &err), &err);
    return 0;
}

static inline int close_wire(void **state)
{
    reha_server_close(server);
    return close_bench(state);
}

/* How long a test waits for what must come, on however busy a machine; nothing is measured by it. */
enum { PATIENCE_S = 120, PAUSE_MS = 20, PAUSES = PATIENCE_S * 1000 / PAUSE_MS };

static inline int dial(void)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)reha_server_port(server))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static inline void say_bytes(int fd, const void *bytes, size_t count)
{
    size_t done = 0;
    while (done < count) {
        const ssize_t put = send(fd, (const char *)bytes + done, count - done, MSG_NOSIGNAL);
        if (put <= 0) {
            return; /* the other end has had enough: the answer tells */
        }
        done += (size_t)put;
    }
}

static inline void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

/* Reads until `mark` has come (or the end); NUL-terminated. */
static inline void hear(int fd, const char *mark, char *out, size_t room)
{
    size_t used = 0;
    out[0] = '\0';
    while (used + 1 < room && strstr(out, mark) == NULL) {
        const ssize_t count = recv(fd, out + used, room - 1 - used, 0);
        if (count <= 0) {
            break;
        }
        used += (size_t)count;
        out[used] = '\0';
    }
}

static inline void wait_ms(int ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};
    (void)nanosleep(&pause, NULL);
}

/* One request on a connection of its own, with its JSON answer (or NULL). The status code; 0: no answer. */
static inline int ask_wire(const account *who, const char *method, const char *path, const char *more_headers,
                           const void *body, size_t body_bytes, json_t **out)
{
    static const char LAST[] = "\x01never";
    enum { ROOM = 1 << 17 };
    char head[1200];
    int code = 0;
    char *answer = malloc(ROOM);
    assert_non_null(answer);
    const int fd = dial();
    (void)snprintf(head, sizeof head,
                   "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: "
                   "close\r\n%s%s\r\n%s%s\r\n%sContent-Length: %zu\r\n\r\n",
                   method, path, who->cookie[0] != '\0' ? "Cookie: " : "X-None: ", who->cookie,
                   who->csrf[0] != '\0' ? "X-CSRF-Token: " : "X-Nothing: ", who->csrf, more_headers,
                   body_bytes);
    say(fd, head);
    say_bytes(fd, body, body_bytes);
    hear(fd, LAST, answer, ROOM);
    (void)close(fd);
    (void)sscanf(answer, "HTTP/1.1 %d", &code);
    const char *text = strstr(answer, "\r\n\r\n");
    if (out != NULL) {
        *out = text != NULL ? json_loads(text + 4, 0, NULL) : NULL;
    }
    free(answer);
    return code;
}

#endif
