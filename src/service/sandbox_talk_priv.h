/* How a locked-in process with a peer talks to the server that started it, over its standard input. */
#ifndef REHA_SERVICE_SANDBOX_TALK_PRIV_H
#define REHA_SERVICE_SANDBOX_TALK_PRIV_H

#include "dicom/network.h"
#include "service/sandbox_wire_priv.h"

/* Takes the message; waits as long as it takes. */
REHA_MUST_USE reha_status talk_tell(json_t *message, const void *bytes, size_t count, reha_error *err);
/* A message without bytes; new reference. */
REHA_MUST_USE reha_status talk_receive(json_t **out, reha_error *err);
/* Of the members "certificate", "key" and "authority"; *out NULL: there are none, in clear. */
REHA_MUST_USE reha_status talk_tls(const json_t *settings, bool is_called, reha_tls **out, reha_error *err);
/* Hands objects over (intake_priv.h); its `ask` is NULL. A process whose server is gone ends. */
reha_provider talk_objects(void);

#endif
