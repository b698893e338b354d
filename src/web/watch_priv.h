/* Time limits of connections. A client that sends or reads drop by drop keeps a plain inactivity timeout from
 * ever firing; each connection therefore has a deadline for what it is doing, and the server cuts those past
 * it. */
#ifndef REHA_WEB_WATCH_PRIV_H
#define REHA_WEB_WATCH_PRIV_H

#include "base/sync.h"

typedef struct reha_link reha_link;
typedef struct reha_watch {
    reha_mutex *lock;
    reha_link *first;
} reha_watch; /* internally locked */

REHA_MUST_USE reha_status reha_watch_init(reha_watch *watch, reha_error *err);
void reha_watch_clear(reha_watch *watch); /* zeroed is fine */
/* Borrowed until dropped; NULL if memory is out (then the connection has only the inactivity timeout). */
reha_link *reha_watch_add(reha_watch *watch, int socket, double deadline_ms);
void reha_watch_set(reha_watch *watch, reha_link *link, double deadline_ms); /* link NULL is fine */
void reha_watch_drop(reha_watch *watch, reha_link *link);
/* Shuts down the sockets whose deadline has passed; how many. */
int reha_watch_cut(reha_watch *watch, double now_ms);

#endif
