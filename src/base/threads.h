/* Threads: a loop shared by several threads, and threads that stand on processors of their own. */
#ifndef REHA_BASE_THREADS_H
#define REHA_BASE_THREADS_H

#include "base/status.h"

#include <stdatomic.h>
#include <stddef.h>

enum { REHA_PROCESSORS_MAX = 1024 }; /* as in glibc's cpu_set_t */

/* Processors on which threads of one team were seen; zeroed at first ({0}). Any thread may claim at any
 * time. */
typedef struct reha_processors {
    atomic_uint_fast64_t words[REHA_PROCESSORS_MAX / 64];
} reha_processors;

/* Claims the processor that the calling thread runs on. If another thread of the team has claimed it, the
 * caller moves to one that none has, where its affinity allows one, and may roam again afterwards. Linux lets
 * a thread that slept wake up beside the one that woke it: a virtual machine that packs its processors then
 * runs both on one for some 10 ms, each waiting for the other at every barrier. Costs below a microsecond
 * where nothing is shared; does nothing where the system forbids it. */
void reha_processors_claim(reha_processors *taken);

/* Usable processors (affinity respected), at least 1. */
size_t reha_threads_available(void);

typedef reha_status (*reha_parallel_body)(void *context, size_t index, size_t thread_idx, reha_error *err);

/* Calls body(context, i, thread_idx, err) once for each i in [0, count) from up to `threads` threads
 * (0: all processors), in no fixed order, each on a processor of its own if there is one; thread_idx is in
 * [0, threads). The first failure stops the hand-out of further indices and is returned. threads = 1 runs on
 * the caller in order. */
REHA_MUST_USE reha_status reha_parallel_for(size_t count, size_t threads, reha_parallel_body body,
                                            void *context, reha_error *err);

#endif
