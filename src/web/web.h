/* The interface of the clinic for browsers and programs: a request in, a response out. Checks who asks, from
 * where, and how much, before a handler sees anything; the clinic checks the role once more itself. */
#ifndef REHA_WEB_WEB_H
#define REHA_WEB_WEB_H

#include "service/clinic.h"
#include "web/http.h"

typedef struct reha_web reha_web;   /* immutable but for counters: any thread */
typedef struct reha_call reha_call; /* one request, from its head to its answer; one thread at a time */

typedef struct reha_web_options {
    reha_clinic *clinic; /* borrowed */
    bool loopback_only;  /* refuse other Host names: a page elsewhere must not reach us by a renamed 127.0.0.1
                          */
    const char *backup_folder; /* where backups on request go, one folder each; borrowed. NULL: none */
    size_t json_bytes_max;     /* 0: 256 KiB */
    size_t upload_bytes_max;   /* 0: 1 GiB */
    int streams_max;           /* open event streams; 0: 200 */
    int sign_ins_max;          /* at the same time (each costs memory and time on purpose); 0: 3 */
} reha_web_options;

REHA_MUST_USE reha_status reha_web_new(const reha_web_options *options, reha_web **out, reha_error *err);
void reha_web_free(reha_web *web); /* NULL is fine; after all calls are closed */
void reha_web_stop(reha_web *web); /* event streams end; new ones are refused */

/* From the head of a request. NULL: out of memory. `request` must outlive the call. After it, is_refused
 * tells that no body is wanted: the response is ready. */
reha_call *reha_call_open(reha_web *web, const reha_http_request *request);
bool reha_call_is_refused(const reha_call *call);
/* More bytes of the body. False: too many or of no use; is_refused is true then. */
bool reha_call_feed(reha_call *call, const void *bytes, size_t count);
/* The whole body is there: the answer. Borrowed: dies with the call. */
reha_http_response *reha_call_finish(reha_call *call);
void reha_call_close(reha_call *call); /* NULL is fine; at any stage */

/* For the log: the pattern of the route (never the path: a search has names in it) and the internal user id.
 */
const char *reha_call_route(const reha_call *call);
const char *reha_call_user(const reha_call *call);

#endif
