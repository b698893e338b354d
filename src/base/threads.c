#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/threads.h"

#include "base/memory.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct parallel_loop {
    size_t count;
    reha_parallel_body body;
    void *context;
    reha_processors taken;
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

static size_t current_processor(void)
{
    const int here = sched_getcpu();
    return here < 0 ? SIZE_MAX : (size_t)here;
}

/* Whether nobody had claimed it. */
static bool claim(reha_processors *taken, size_t processor)
{
    const uint_fast64_t bit = (uint_fast64_t)1 << processor % 64;
    return (atomic_fetch_or(&taken->words[processor / 64], bit) & bit) == 0;
}

void reha_processors_claim(reha_processors *taken)
{
    size_t here = current_processor();
    cpu_set_t allowed;
    if (here >= REHA_PROCESSORS_MAX || claim(taken, here) ||
        sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return;
    }
    cpu_set_t unclaimed = allowed;
    for (size_t i = 0; i < REHA_PROCESSORS_MAX; i++) {
        if ((atomic_load(&taken->words[i / 64]) >> i % 64 & 1) != 0) {
            CPU_CLR(i, &unclaimed);
        }
    }
    if (CPU_COUNT(&unclaimed) == 0 || sched_setaffinity(0, sizeof unclaimed, &unclaimed) != 0) {
        return;
    }
    here = current_processor();
    if (here < REHA_PROCESSORS_MAX) {
        (void)claim(taken, here);
    }
    (void)sched_setaffinity(0, sizeof allowed, &allowed);
}

static void work(const parallel_worker *worker)
{
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
}

static void *helper(void *argument)
{
    const parallel_worker *worker = argument;
    reha_processors_claim(&worker->loop->taken);
    work(worker);
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
    reha_processors_claim(&loop.taken); /* the caller's, before any thread is born on it */
    for (size_t i = 0; i < threads; i++) {
        workers[i].loop = &loop;
        workers[i].thread_idx = i;
        /* A thread that cannot be started costs speed only: the others take its share. */
        workers[i].started = i > 0 && pthread_create(&workers[i].thread, NULL, helper, &workers[i]) == 0;
    }
    work(&workers[0]);
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
