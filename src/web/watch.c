#include "web/watch_priv.h"

#include "base/memory.h"

#include <sys/socket.h>

struct reha_link {
    int socket;
    double deadline_ms;
    bool is_cut;
    reha_link *next, *previous;
};

reha_status reha_watch_init(reha_watch *watch, reha_error *err)
{
    watch->first = NULL;
    return reha_mutex_new(&watch->lock, err);
}

void reha_watch_clear(reha_watch *watch)
{
    while (watch->first != NULL) {
        reha_watch_drop(watch, watch->first);
    }
    reha_mutex_free(watch->lock);
    watch->lock = NULL;
}

reha_link *reha_watch_add(reha_watch *watch, int socket, double deadline_ms)
{
    reha_link *link = reha_alloc_zero(1, sizeof *link);
    if (link == NULL) {
        return NULL;
    }
    link->socket = socket;
    link->deadline_ms = deadline_ms;
    reha_mutex_lock(watch->lock);
    link->next = watch->first;
    if (link->next != NULL) {
        link->next->previous = link;
    }
    watch->first = link;
    reha_mutex_unlock(watch->lock);
    return link;
}

void reha_watch_set(reha_watch *watch, reha_link *link, double deadline_ms)
{
    if (link != NULL) {
        reha_mutex_lock(watch->lock);
        link->deadline_ms = deadline_ms;
        reha_mutex_unlock(watch->lock);
    }
}

void reha_watch_drop(reha_watch *watch, reha_link *link)
{
    if (link == NULL) {
        return;
    }
    reha_mutex_lock(watch->lock);
    if (link->previous != NULL) {
        link->previous->next = link->next;
    } else {
        watch->first = link->next;
    }
    if (link->next != NULL) {
        link->next->previous = link->previous;
    }
    reha_mutex_unlock(watch->lock);
    reha_free(link);
}

int reha_watch_cut(reha_watch *watch, double now_ms)
{
    int count = 0;
    reha_mutex_lock(watch->lock);
    for (reha_link *link = watch->first; link != NULL; link = link->next) {
        if (!link->is_cut && now_ms > link->deadline_ms) {
            /* Not closed: the library owns the socket and closes it when its thread wakes up. */
            (void)shutdown(link->socket, SHUT_RDWR);
            link->is_cut = true;
            count++;
        }
    }
    reha_mutex_unlock(watch->lock);
    return count;
}
