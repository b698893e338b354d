/* What the files of the DICOM node share.
 *
 * Over the link (sandbox_wire_priv.h) the server sends the settings, then answers. The process of an
 * association sends messages by "op".
 *
 * "ask" with "calling" and "called" is answered with a "verdict".
 *
 * Objects are handed over as intake_priv.h says.
 *
 * "over" with "end" is the last one. */
#ifndef REHA_SERVICE_NODE_PRIV_H
#define REHA_SERVICE_NODE_PRIV_H

#include "service/node.h"

#include <sys/types.h>

enum { NODE_ADDRESS_BYTES = 46, NODE_PEERS_MAX = 1024 };

typedef struct node_peer {
    char ae_title[REHA_AE_BYTES];
    char address[NODE_ADDRESS_BYTES]; /* "": from everywhere */
} node_peer;

typedef struct node_settings { /* constant while the node is open */
    reha_clinic *clinic;
    char *program; /* owned */
    char ae_title[REHA_AE_BYTES];
    bool has_tls;
    char *certificate, *key, *authority; /* owned; with has_tls */
    bool has_peers;
    node_peer *peers; /* owned */
    size_t peer_count;
    reha_node_limits limits;
} node_settings;

/* node_peers.c. A numeric address in one spelling: IPv4 in IPv6 becomes IPv4. False: it is none. */
bool node_address(const char *text, char out[NODE_ADDRESS_BYTES]);
REHA_MUST_USE reha_status node_peers_load(const char *path, node_settings *settings, reha_error *err);
reha_association_verdict node_judge(const node_settings *settings, const char *address, bool is_busy,
                                    const char *calling, const char *called);

/* Serves one connection to its end; takes the socket. `started` tells the process's id, and 0 when it is
 * gone, for whoever wants to end it. */
typedef void (*node_started)(void *context, pid_t pid);
void node_serve(const node_settings *settings, int socket, const char *address, bool is_busy,
                node_started started, void *context);

#endif
