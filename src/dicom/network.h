/* DICOM over the network: one association as the one who is called (C-ECHO, C-STORE), or as the one who
 * calls.
 *
 * Who is called parses what a stranger sends. reha_association_provide is therefore for a process of its own
 * that has nothing to lose (service/node_child.c): an alarm ends that process when the peer is too slow, and
 * whatever goes wrong inside of DCMTK's network code stays inside of it. Objects are handed on as they come,
 * bit for bit, behind a file head; nothing is kept in memory but one fragment.
 *
 * Source: DICOM PS3.8 (upper layer), PS3.7 (messages), PS3.4 annexes A and B, PS3.10 section 7 (file head).
 */
#ifndef REHA_DICOM_NETWORK_H
#define REHA_DICOM_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/status.h" /* inside: its functions are C */

enum { REHA_AE_BYTES = 17, REHA_UID_BYTES = 65, REHA_HOST_BYTES = 256 };

/* 1 to 16 printable ASCII characters, no backslash, no blank at either end (PS3.5 6.2). */
bool reha_ae_title_is_valid(const char *title);

/* ---- TLS ---- */

/* Both sides show a certificate (PS3.15 B.10: TLS 1.2 or newer). Which name it bears is not compared: whoever
 * has one of this authority is let in, so the authority must be your own. */
typedef struct reha_tls_files { /* PEM */
    const char *certificate;    /* ours; what it is signed by may follow in the file */
    const char *key;            /* without a password */
    const char *authority;      /* what signs the certificates of the others */
} reha_tls_files;
/* Some of the three are given, but not all: nothing that can be used. */
bool reha_tls_files_are_partial(const reha_tls_files *files);
typedef struct reha_tls reha_tls;
/* Reads the files. REHA_E_ARG names the one that does not do. `is_called`: for reha_association_provide, else
 * for calls. */
REHA_MUST_USE reha_status reha_tls_open(const reha_tls_files *files, bool is_called, reha_tls **out,
                                        reha_error *err);
void reha_tls_close(reha_tls *tls); /* after all that used it; NULL is fine */

/* ---- the one who is called ---- */

typedef struct reha_association_limits {
    uint32_t pdu_bytes;       /* the largest PDU that the peer is asked to send: 128 KiB */
    size_t request_bytes_max; /* of the request for an association: 256 KiB */
    size_t object_bytes_max;  /* of one object: 512 MiB */
    double request_s;         /* the request must be there within: 20 */
    double idle_s;            /* between two messages: 60 */
    double grace_s;           /* an object may take this long, and on top of it ...: 30 */
    double rate_bytes_per_s;  /* ... its size over this: 16 KiB/s. The time that we take counts for nothing */
} reha_association_limits;
reha_association_limits reha_association_limits_default(void);

typedef enum reha_association_verdict {
    REHA_ASSOCIATION_ACCEPT = 0,
    REHA_ASSOCIATION_UNKNOWN_CALLER, /* rejected for good: calling AE title not recognised */
    REHA_ASSOCIATION_WRONG_NAME,     /* rejected for good: called AE title not recognised */
    REHA_ASSOCIATION_BUSY            /* rejected for now: local limit exceeded */
} reha_association_verdict;

typedef enum reha_association_end {
    REHA_ASSOCIATION_RELEASED = 0,
    REHA_ASSOCIATION_REJECTED,
    REHA_ASSOCIATION_ABORTED, /* by the peer */
    REHA_ASSOCIATION_LOST,    /* the connection broke, or nothing came any more */
    REHA_ASSOCIATION_BROKEN   /* what came makes no sense, or is something that was not agreed on */
} reha_association_end;
const char *reha_association_end_name(reha_association_end end); /* "released", ... */

typedef struct reha_incoming {
    char sop_class_uid[REHA_UID_BYTES]; /* as the command says; checked to be UIDs */
    char sop_instance_uid[REHA_UID_BYTES];
    char syntax_uid[REHA_UID_BYTES];
} reha_incoming;

/* What is asked of us. An object is begin, add ..., end (or drop, if it breaks off); after a fault of any of
 * them the rest of the object is passed over and the peer is told. `end` answers REHA_OK only when the object
 * is kept for good: then the peer may forget it. */
typedef struct reha_provider {
    void *context;
    reha_association_verdict (*ask)(void *context, const char *calling, const char *called);
    reha_status (*begin)(void *context, const reha_incoming *object, reha_error *err);
    reha_status (*add)(void *context, const void *bytes, size_t count, reha_error *err);
    reha_status (*end)(void *context, reha_error *err);
    void (*drop)(void *context);
} reha_provider;

/* Loads what DCMTK reads from disk; before a process locks itself in. REHA_E_NOT_FOUND: DCMTK's data
 * dictionary is missing. */
REHA_MUST_USE reha_status reha_network_prepare(reha_error *err);

/* Serves the association that the peer at the other end of this connected TCP socket asks for, to its end.
 * `tls` NULL: in clear. Takes the socket. Uses the process's alarm (ITIMER_REAL), whose signal must be left
 * as it is: it ends the process. */
REHA_MUST_USE reha_status reha_association_provide(int socket, reha_tls *tls,
                                                   const reha_association_limits *limits,
                                                   const reha_provider *provider, reha_association_end *end,
                                                   reha_error *err);

/* ---- the one who calls ---- */

typedef struct reha_remote {
    char ae_title[REHA_AE_BYTES];
    char host[REHA_HOST_BYTES]; /* a name or an IPv4 address: DCMTK knows no others */
    int port;
} reha_remote;
/* "AE@host:port". REHA_E_ARG says what is wrong. */
REHA_MUST_USE reha_status reha_remote_parse(const char *text, reha_remote *out, reha_error *err);

typedef struct reha_call {
    const reha_remote *remote;
    const char *own_title; /* our AE title */
    reha_tls *tls;         /* borrowed; NULL: in clear */
    double connect_s;      /* 0: 10 */
    double answer_s;       /* for each message; 0: 60 */
    /* May be NULL. The connection stands, and no byte of it was read yet: where a process locks itself in.
     * What it fails with is what the call fails with. */
    reha_status (*connected)(void *context, reha_error *err);
    void *context;
} reha_call;

/* Asks the remote whether it is there and understands us (C-ECHO). REHA_E_IO: it cannot be reached;
 * REHA_E_DENIED: it rejects us for good (the text says why); REHA_E_BUSY: ... for now; REHA_E_UNSUPPORTED: it
 * does not offer that. */
REHA_MUST_USE reha_status reha_remote_echo(const reha_call *call, reha_error *err);

typedef struct reha_outgoing { /* a DICOM file, as a path or as its bytes; borrowed */
    const char *path;          /* NULL: bytes */
    const uint8_t *bytes;
    size_t count;
} reha_outgoing;
/* A file's own fate; `text` says why it was not taken, "" if it was without a remark. REHA_E_CANCELLED: the
 * call had failed before its turn came, and nothing of it was sent. */
typedef void (*reha_sent)(void *context, size_t file_idx, reha_status status, const char *text);
/* Sends DICOM files (C-STORE) in as few associations as their kinds allow; `sent` is called once for each, in
 * order. Each file's structure is checked by our own parser before DCMTK opens it, and goes out in its own
 * transfer syntax (uncompressed ones in whichever the remote takes). Nothing is tried twice. Returns REHA_OK
 * if the remote was spoken to, whatever became of the files; else as reha_remote_echo, after `sent` was
 * called for all files that were not sent. */
REHA_MUST_USE reha_status reha_remote_store(const reha_call *call, const reha_outgoing *files, size_t count,
                                            reha_sent sent, void *context, reha_error *err);

#ifdef __cplusplus
}
#endif
#endif
