/* The messages between a sandbox and the one that asks. A message is a head, JSON, and bytes; an answer is
 * any number of parts ({"part": name}) and an end ({"done": ...} or {"error": {code, text}}). */
#ifndef REHA_SERVICE_SANDBOX_WIRE_PRIV_H
#define REHA_SERVICE_SANDBOX_WIRE_PRIV_H

#include "base/json.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { WIRE_MAGIC = 0x31534852, WIRE_JSON_MAX = 16 << 20, WIRE_GO = 'J' };

typedef struct wire_head {
    uint32_t magic;
    uint32_t json_bytes;
    uint64_t blob_bytes;
} wire_head;

typedef struct wire_message {
    json_t *json;   /* owned */
    uint8_t *bytes; /* owned; NULL if there are none */
    size_t count;
} wire_message;

/* Blocking, until `until_ms` of reha_clock_ms (INFINITY: for ever). REHA_E_CANCELLED: the time is over;
 * REHA_E_IO: the other side is gone. */
REHA_MUST_USE reha_status wire_send(int fd, const json_t *json, const void *bytes, size_t count,
                                    double until_ms, reha_error *err);
REHA_MUST_USE reha_status wire_receive(int fd, size_t blob_max, double until_ms, wire_message *out,
                                       reha_error *err);
void wire_clear(wire_message *message);
/* The status of that name; REHA_E_INTERNAL if there is none. */
reha_status wire_status(const char *name);

#endif
