/* The HTTP server: sockets, TLS and time limits around a reha_web. */
#ifndef REHA_WEB_SERVER_H
#define REHA_WEB_SERVER_H

#include "web/web.h"

typedef struct reha_server reha_server;

typedef struct reha_server_options {
    const char *address;     /* NULL: "127.0.0.1". Others only with a certificate. */
    int port;                /* 0: any free one */
    const char *certificate; /* PEM files; NULL: plain HTTP */
    const char *key;
    int connections_max;        /* 0: 512 */
    int connections_per_client; /* 0: 192 (many people may sit behind one address) */
    double head_s;              /* a request's head must be there within; 0: 20 s */
    double idle_s;              /* nothing heard for; 0: 60 s */
    double rate_bytes_per_s; /* bodies and answers slower than this, after the grace, are cut; 0: 16 KiB/s */
    double grace_s; /* 0: 30 s. The time that an answer takes to make counts for nothing: then the client
                       waits for us */
} reha_server_options;

/* Serves from threads of its own until closed. REHA_E_ARG: plain HTTP was asked for on an address that others
 * can reach, or the certificate is unreadable; REHA_E_IO: the port is taken. `web` is borrowed. */
REHA_MUST_USE reha_status reha_server_open(reha_web *web, const reha_server_options *options,
                                           reha_server **out, reha_error *err);
int reha_server_port(const reha_server *server);
const char *reha_server_address(const reha_server *server); /* "http://127.0.0.1:8080"; borrowed */
/* To be called about once a second: cuts connections that are past their time. Returns how many were cut. */
int reha_server_tick(reha_server *server);
void reha_server_close(reha_server *server); /* answers what it has begun; NULL is fine */

#endif
