/* The second half of the one door to DCMTK (bridge_priv.h): its network layer. network.c checks what goes in
 * and what comes out; no exception crosses; DCMTK's log goes nowhere, because it would hold what peers send.
 */
#ifndef REHA_DICOM_BRIDGE_NET_PRIV_H
#define REHA_DICOM_BRIDGE_NET_PRIV_H

#include "dicom/network.h"

#ifdef __cplusplus
extern "C" {
#endif

reha_status reha_bridge_prepare(reha_error *err);
reha_status reha_bridge_tls(const reha_tls_files *files, bool is_called, reha_tls **out, reha_error *err);
void reha_bridge_tls_close(reha_tls *tls);

/* As reha_association_provide. `classes`: the SOP classes that are stored; `syntaxes`: what is accepted of
 * them, the preferred first. */
typedef struct reha_bridge_offer {
    const char *const *classes;
    size_t class_count;
    const char *const *syntaxes;
    size_t syntax_count;
} reha_bridge_offer;
reha_status reha_bridge_provide(int socket, reha_tls *tls, const reha_bridge_offer *offer,
                                const reha_association_limits *limits, const reha_provider *provider,
                                reha_association_end *end, reha_error *err);

/* One kind of object that a call proposes; an uncompressed one also in implicit little endian. */
typedef struct reha_bridge_kind {
    char sop_class_uid[REHA_UID_BYTES];
    char syntax_uid[REHA_UID_BYTES];
    bool is_plain;
} reha_bridge_kind;
typedef struct reha_bridge_caller reha_bridge_caller;
typedef struct reha_bridge_proposal { /* all zero: verification */
    const reha_bridge_kind *kinds;    /* to store there; at most 60 */
    size_t kind_count;
    const char *question_class;     /* to ask there; NULL: nothing */
    const reha_bridge_offer *offer; /* what we take on the way, as the one who is called; NULL: nothing */
} reha_bridge_proposal;
reha_status reha_bridge_call(const reha_call *call, const reha_bridge_proposal *proposal,
                             reha_bridge_caller **out, reha_error *err);
reha_status reha_bridge_echo(reha_bridge_caller *caller, reha_error *err);
/* *is_lost: the association is gone, not only this file. */
reha_status reha_bridge_store(reha_bridge_caller *caller, const reha_outgoing *file,
                              const reha_bridge_kind *kind, const char *sop_instance_uid, bool *is_lost,
                              reha_error *err);
typedef struct reha_bridge_key {
    uint32_t tag;
    const char *value; /* "": asked for */
} reha_bridge_key;
typedef struct reha_bridge_question {
    bool is_get; /* C-GET, else C-FIND */
    const char *class_uid;
    const char *instance_uid; /* C-FIND: the name that an answer is given to `provider` by */
    const reha_bridge_key *keys;
    size_t key_count;
} reha_bridge_question;
typedef struct reha_bridge_outcome {
    uint16_t code; /* the status that it ended with */
    char comment[REHA_UID_BYTES];
    int completed, failed, warned; /* C-GET: objects */
} reha_bridge_outcome;
/* Asks, and gives to `provider` what comes: the objects of a C-GET, as to one who is called; of a C-FIND each
 * answer's data set, as an object of that class and instance: what its `end` fails with ends the
 * conversation. Uses the process's alarm. */
reha_status reha_bridge_ask(reha_bridge_caller *caller, const reha_bridge_question *question,
                            const reha_association_limits *limits, const reha_provider *provider,
                            reha_bridge_outcome *out, reha_error *err);
void reha_bridge_hang_up(reha_bridge_caller *caller); /* releases; NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
