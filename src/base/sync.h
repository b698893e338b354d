/* Locks, conditions and threads for long-lived services. For loops over data see base/threads.h. */
#ifndef REHA_BASE_SYNC_H
#define REHA_BASE_SYNC_H

#include "base/status.h"

#include <stdbool.h>

typedef struct reha_mutex reha_mutex; /* not recursive */
REHA_MUST_USE reha_status reha_mutex_new(reha_mutex **out, reha_error *err);
void reha_mutex_free(reha_mutex *mutex); /* NULL is fine; nobody may hold it */
void reha_mutex_lock(reha_mutex *mutex);
void reha_mutex_unlock(reha_mutex *mutex);

typedef struct reha_condition reha_condition;
REHA_MUST_USE reha_status reha_condition_new(reha_condition **out, reha_error *err);
void reha_condition_free(reha_condition *condition);
/* With the mutex held. Wakes for a signal, the time (false), or no reason: check in a loop. */
bool reha_condition_wait(reha_condition *condition, reha_mutex *mutex, int timeout_ms);
void reha_condition_wake_all(reha_condition *condition);

typedef struct reha_thread reha_thread;
/* Runs body(context) in a thread of its own, all signals blocked. */
REHA_MUST_USE reha_status reha_thread_start(void (*body)(void *context), void *context, reha_thread **out,
                                            reha_error *err);
void reha_thread_join(reha_thread *thread); /* waits for its end and frees it; NULL is fine */

#endif
