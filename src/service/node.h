/* The clinic as a DICOM node: modalities and archives send it images (C-STORE) and ask whether it is there
 * (C-ECHO).
 *
 * The server only accepts connections and looks at no byte of them. Each one is served by a process of its
 * own (`rehascope worker --association`) that can do nothing but talk to its peer and to this server: no
 * files, no new connections, no programs, memory and processor time limited. It hands objects over as they
 * come; they take the path of an upload (sealed on disk, looked at in a sandbox, filed, noted in the audit
 * log). The peer is told "success" only after that, so what was acknowledged is in the records: after kill -9
 * of whatever process, too. An object whose instance UID is known already is acknowledged and not stored
 * again. docs/adr/0029-dicom-node.md.
 *
 * Plain DICOM has no encryption, and knows a peer by its AE title and address only; with TLS each peer shows
 * a certificate as well. */
#ifndef REHA_SERVICE_NODE_H
#define REHA_SERVICE_NODE_H

#include "dicom/network.h"
#include "service/clinic.h"

typedef struct reha_node reha_node;

typedef struct reha_node_limits {
    int associations_max; /* at once, 1 to 64: 8. Some more are answered with "busy", others are not answered
                           */
    reha_association_limits association;
    size_t memory_bytes; /* RLIMIT_AS of the process of an association: 1 GiB */
    double cpu_s;        /* RLIMIT_CPU of it: 600 */
} reha_node_limits;
reha_node_limits reha_node_limits_default(void);

typedef struct reha_node_options {
    const char *program;  /* the rehascope program; NULL: this one */
    const char *address;  /* where to listen; NULL: 127.0.0.1. Others only with `peers_file` */
    int port;             /* 0: any free one */
    const char *ae_title; /* ours, which callers must use; NULL: REHASCOPE */
    const reha_tls_files
        *tls; /* NULL: in clear. Read anew for each association: a renewed file counts at once */
    const char
        *peers_file; /* who may call (docs/formats/dicom-conformance.md); NULL: everybody on this machine */
    reha_node_limits limits; /* associations_max 0: defaults */
} reha_node_options;

/* Listens from a thread of its own until closed. `clinic` is borrowed. REHA_E_ARG: title, address or file of
 * peers do not do; REHA_E_CONFLICT: the port is taken. */
REHA_MUST_USE reha_status reha_node_open(reha_clinic *clinic, const reha_node_options *options,
                                         reha_node **out, reha_error *err);
int reha_node_port(const reha_node *node);
const char *reha_node_title(const reha_node *node); /* borrowed */
/* Ends running associations at once: what they had not acknowledged, their peers send again. NULL is fine. */
void reha_node_close(reha_node *node);

/* The process of one association: standard input is the link to the server, descriptor 3 the peer. */
int reha_node_main(void);

#endif
