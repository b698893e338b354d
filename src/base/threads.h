/* Threads: a loop shared by several threads, nothing more. */
#ifndef REHA_BASE_THREADS_H
#define REHA_BASE_THREADS_H

#include "base/status.h"

#include <stddef.h>

/* Usable processors (affinity respected), at least 1. */
size_t reha_threads_available(void);

typedef reha_status (*reha_parallel_body)(void *context, size_t index, size_t thread_idx,
                                          reha_error *err);

/* Calls body(context, i, thread_idx, err) once for each i in [0, count) from up to `threads` threads
 * (0: all processors), in no fixed order; thread_idx is in [0, threads). The first failure stops the
 * hand-out of further indices and is returned. threads = 1 runs on the caller in order. */
REHA_MUST_USE reha_status reha_parallel_for(size_t count, size_t threads, reha_parallel_body body,
                                            void *context, reha_error *err);

#endif
