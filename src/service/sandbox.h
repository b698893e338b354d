/* Work on foreign bytes in a process apart: decoding, unpacking, analysing. A hostile file can stop that
 * process, never the one that asked.
 *
 * A sandbox is a fresh program (`rehascope worker --sandbox`) that loads what it needs and then makes a child
 * for every request. The child gives up, before it reads the first foreign byte: all system calls but those
 * for memory, its two pipe ends and clocks (seccomp), memory beyond RLIMIT_AS, processor time beyond
 * RLIMIT_CPU, files (RLIMIT_FSIZE 0). It cannot open a file or a socket and cannot start a program. Each
 * request has a child of its own, so that one file cannot change what is found in the next.
 * docs/adr/0007-sandbox.md. */
#ifndef REHA_SERVICE_SANDBOX_H
#define REHA_SERVICE_SANDBOX_H

#include "base/json.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reha_sandbox reha_sandbox; /* one thread at a time */

typedef struct reha_sandbox_options {
    const char *program;       /* that understands `worker --sandbox` */
    const char *models_folder; /* NULL: without models (request "analyse" is not understood) */
    const char *task;          /* what every image is given to; NULL: chosen by what it is */
    size_t memory_bytes;
    double cpu_s;
    double wall_s; /* per request, and for the start */
} reha_sandbox_options;
/* Starts nothing yet: the program starts with the first request, and again after it was stopped. */
REHA_MUST_USE reha_status reha_sandbox_new(const reha_sandbox_options *options, reha_sandbox **out,
                                           reha_error *err);
void reha_sandbox_free(reha_sandbox *sandbox); /* ends the process; NULL is fine */
/* Starts it now, so that the first request is fast. */
REHA_MUST_USE reha_status reha_sandbox_warm(reha_sandbox *sandbox, reha_error *err);

enum { REHA_SANDBOX_PARTS = 16 };
typedef struct reha_sandbox_part {
    char name[256];
    uint8_t *bytes; /* owned by the answer */
    size_t count;
} reha_sandbox_part;
typedef struct reha_sandbox_answer {
    json_t *json; /* owned */
    size_t part_count;
    reha_sandbox_part parts[REHA_SANDBOX_PARTS];
} reha_sandbox_answer;
void reha_sandbox_answer_clear(reha_sandbox_answer *answer);

/* For requests with more parts than an answer holds: called for each as it comes (bytes are borrowed). */
typedef reha_status (*reha_sandbox_take)(void *context, const char *name, const uint8_t *bytes, size_t count,
                                         reha_error *err);

/* Requests ("op"): "inspect", "origin", "model", "render", "register", "unpack", "analyse": sandbox_child.c.
 * `take` NULL: parts go to *out. A fault that the child found comes back as its own status and text.
 * REHA_E_REFUSED: the file stopped the process (the text says by what); REHA_E_INTERNAL: the process cannot
 * be started. */
REHA_MUST_USE reha_status reha_sandbox_run(reha_sandbox *sandbox, const json_t *request, const void *bytes,
                                           size_t count, reha_sandbox_take take, void *context,
                                           reha_sandbox_answer *out, reha_error *err);

/* The other side: the main function of `rehascope worker --sandbox`. Returns the exit code. */
int reha_sandbox_main(const char *models_folder, const char *task, size_t memory_bytes, double cpu_s);

#endif
