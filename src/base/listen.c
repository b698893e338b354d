#include "base/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef union place {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} place;

static bool parse(const char *address, int port, place *out, socklen_t *size)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, address, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons((uint16_t)port);
        *size = sizeof out->v4;
        return true;
    }
    if (inet_pton(AF_INET6, address, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t)port);
        *size = sizeof out->v6;
        return true;
    }
    return false;
}

bool reha_listen_is_loopback(const char *address)
{
    place at;
    socklen_t size = 0;
    if (!parse(address, 0, &at, &size)) {
        return false;
    }
    return at.any.sa_family == AF_INET ? (ntohl(at.v4.sin_addr.s_addr) >> 24) == 127u
                                       : IN6_IS_ADDR_LOOPBACK(&at.v6.sin6_addr) != 0;
}

reha_status reha_listen_open(const char *address, int port, int *out_socket, int *out_port, reha_error *err)
{
    place at;
    socklen_t size = 0;
    const int on = 1;
    *out_socket = -1;
    *out_port = 0;
    if (port < 0 || port > 65535 || !parse(address, port, &at, &size)) {
        return reha_fail(err, REHA_E_ARG,
                         "'%s' port %d is no address to listen on: give a number such as 127.0.0.1", address,
                         port);
    }
    const int listener = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) {
        return reha_fail(err, REHA_E_IO, "no socket for %s: %s", address, strerror(errno));
    }
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, &at.any, size) != 0 || listen(listener, 128) != 0 ||
        getsockname(listener, &at.any, &size) != 0) {
        const int why = errno;
        (void)close(listener);
        return reha_fail(err, why == EADDRINUSE ? REHA_E_CONFLICT : REHA_E_IO,
                         why == EADDRINUSE
                             ? "port %d of %s is in use (%s): stop the other program or choose another port"
                             : "port %d of %s cannot be opened: %s",
                         port, address, strerror(why));
    }
    *out_port = ntohs(at.any.sa_family == AF_INET ? at.v4.sin_port : at.v6.sin6_port);
    *out_socket = listener;
    return REHA_OK;
}
