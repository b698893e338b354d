#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/threads.h"

#include "base/memory.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct parallel_loop {
    size_t count;
    reha_parallel_body body;
    void *context;
    atomic_size_t next;
    atomic_bool stop;
    pthread_mutex_t lock; /* guards the two below */
    reha_status status;
    reha_error error;
} parallel_loop;

typedef struct parallel_worker {
    parallel_loop *loop;
    size_t thread_idx;
    pthread_t thread;
    bool started;
} parallel_worker;

size_t reha_threads_available(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    const int count = CPU_COUNT(&set);
    return count > 0 ? (size_t)count : 1;
}

static void *work(void *argument)
{
    parallel_worker *worker = argument;
    parallel_loop *loop = worker->loop;
    while (!atomic_load(&loop->stop)) {
        const size_t index = atomic_fetch_add(&loop->next, 1);
        if (index >= loop->count) {
            break;
        }
        reha_error error = REHA_ERROR_INIT;
        const reha_status status = loop->body(loop->context, index, worker->thread_idx, &error);
        if (status != REHA_OK) {
            atomic_store(&loop->stop, true);
            (void)pthread_mutex_lock(&loop->lock);
            if (loop->status == REHA_OK) {
                loop->status = status;
                loop->error = error;
            }
            (void)pthread_mutex_unlock(&loop->lock);
        }
    }
    return NULL;
}

reha_status reha_parallel_for(size_t count, size_t threads, reha_parallel_body body, void *context,
                              reha_error *err)
{
    if (threads == 0) {
        threads = reha_threads_available();
    }
    if (threads > count) {
        threads = count > 0 ? count : 1;
    }
    parallel_worker *workers = reha_alloc_zero(threads, sizeof *workers);
    if (workers == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu threads", threads);
    }
    parallel_loop loop = {.count = count, .body = body, .context = context, .status = REHA_OK};
    (void)pthread_mutex_init(&loop.lock, NULL);
    for (size_t i = 0; i < threads; i++) {
        workers[i].loop = &loop;
        workers[i].thread_idx = i;
        /* A thread that cannot be started costs speed only: the others take its share. */
        workers[i].started = i > 0 && pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0;
    }
    (void)work(&workers[0]);
    for (size_t i = 1; i < threads; i++) {
        if (workers[i].started) {
            (void)pthread_join(workers[i].thread, NULL);
        }
    }
    (void)pthread_mutex_destroy(&loop.lock);
    reha_free(workers);
    if (loop.status != REHA_OK && err != NULL) {
        *err = loop.error;
    }
    return loop.status;
}
