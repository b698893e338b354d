#include "base/sync.h"

#include "base/memory.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

enum { MS_PER_S = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

struct reha_mutex {
    pthread_mutex_t lock;
};
struct reha_condition {
    pthread_cond_t condition;
};
struct reha_thread {
    pthread_t thread;
    void (*body)(void *context);
    void *context;
};

reha_status reha_mutex_new(reha_mutex **out, reha_error *err)
{
    *out = reha_alloc_zero(1, sizeof **out);
    if (*out == NULL || pthread_mutex_init(&(*out)->lock, NULL) != 0) {
        reha_free(*out);
        *out = NULL;
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a lock");
    }
    return REHA_OK;
}

void reha_mutex_free(reha_mutex *mutex)
{
    if (mutex != NULL) {
        (void)pthread_mutex_destroy(&mutex->lock);
        reha_free(mutex);
    }
}

void reha_mutex_lock(reha_mutex *mutex)
{
    (void)pthread_mutex_lock(&mutex->lock);
}

void reha_mutex_unlock(reha_mutex *mutex)
{
    (void)pthread_mutex_unlock(&mutex->lock);
}

reha_status reha_condition_new(reha_condition **out, reha_error *err)
{
    pthread_condattr_t attributes;
    *out = reha_alloc_zero(1, sizeof **out);
    if (*out == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a condition");
    }
    /* Monotonic: a clock that is set back must not stretch a wait. */
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    const int code = pthread_cond_init(&(*out)->condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (code != 0) {
        reha_free(*out);
        *out = NULL;
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a condition");
    }
    return REHA_OK;
}

void reha_condition_free(reha_condition *condition)
{
    if (condition != NULL) {
        (void)pthread_cond_destroy(&condition->condition);
        reha_free(condition);
    }
}

bool reha_condition_wait(reha_condition *condition, reha_mutex *mutex, int timeout_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / MS_PER_S;
    until.tv_nsec += (long)(timeout_ms % MS_PER_S) * NS_PER_MS;
    if (until.tv_nsec >= NS_PER_S) {
        until.tv_sec++;
        until.tv_nsec -= NS_PER_S;
    }
    return pthread_cond_timedwait(&condition->condition, &mutex->lock, &until) == 0;
}

void reha_condition_wake_all(reha_condition *condition)
{
    (void)pthread_cond_broadcast(&condition->condition);
}

static void *run(void *argument)
{
    reha_thread *thread = argument;
    thread->body(thread->context);
    return NULL;
}

reha_status reha_thread_start(void (*body)(void *context), void *context, reha_thread **out, reha_error *err)
{
    sigset_t all;
    sigset_t before;
    reha_thread *thread = reha_alloc_zero(1, sizeof *thread);
    *out = NULL;
    if (thread == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a thread");
    }
    thread->body = body;
    thread->context = context;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(&thread->thread, NULL, run, thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        reha_free(thread);
        return reha_fail(err, REHA_E_INTERNAL, "a thread cannot be started (system limit)");
    }
    *out = thread;
    return REHA_OK;
}

void reha_thread_join(reha_thread *thread)
{
    if (thread != NULL) {
        (void)pthread_join(thread->thread, NULL);
        reha_free(thread);
    }
}
