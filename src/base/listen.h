/* Listening sockets, and which addresses others can reach. */
#ifndef REHA_BASE_LISTEN_H
#define REHA_BASE_LISTEN_H

#include "base/status.h"

#include <stdbool.h>

/* Numeric addresses only: "127.0.0.1", "0.0.0.0", "::1". */
bool reha_listen_is_loopback(const char *address);
/* A listening socket; *out_port: where it listens (port 0: any free one). */
REHA_MUST_USE reha_status reha_listen_open(const char *address, int port, int *out_socket, int *out_port,
                                           reha_error *err);

#endif
