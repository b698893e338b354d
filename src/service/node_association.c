/* The server's side of one association: a process for the peer, and the objects that it hands over. Nothing
 * that it says is believed: a peer may have taken it over. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#endif
#include "service/node_priv.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "service/clinic_priv.h"
#include "service/intake_priv.h"
#include "service/sandbox_spawn_priv.h"
#include "service/sandbox_wire_priv.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const double MS_PER_S = 1000.0;

typedef struct association {
    const node_settings *settings;
    const char *address;
    bool is_busy;
    int link;
    char calling[REHA_AE_BYTES]; /* "": nobody that is served */
    intake objects;
    char end[16]; /* what the process says of it */
} association;

/* The process has alarms of its own; these times are for one that ignores them. */
static double wait_ms(const association *at)
{
    const reha_association_limits *limits = &at->settings->limits.association;
    return 2.0 * MS_PER_S *
           (limits->request_s + limits->idle_s + limits->grace_s +
            INTAKE_PIECE_BYTES / limits->rate_bytes_per_s);
}

static double patience_ms(const association *at)
{
    return reha_clock_ms() + wait_ms(at);
}

static reha_status reply(const association *at, json_t *answer, reha_error *err)
{
    const reha_status status = answer != NULL ? wire_send(at->link, answer, NULL, 0, patience_ms(at), err)
                                              : reha_fail(err, REHA_E_NOMEM, "out of memory for an answer");
    json_decref(answer);
    return status;
}

static reha_status on_ask(association *at, const json_t *asked, reha_error *err)
{
    static const char *const reasons[] = {"none", "unknown-caller", "wrong-name", "busy"};
    char from[REHA_AE_BYTES];
    const char *calling = reha_json_string(asked, "calling", "");
    const reha_association_verdict verdict =
        node_judge(at->settings, at->address, at->is_busy, calling, reha_json_string(asked, "called", ""));
    intake_word(calling, from);
    if (verdict == REHA_ASSOCIATION_ACCEPT && reha_ae_title_is_valid(calling)) {
        (void)snprintf(at->calling, sizeof at->calling, "%s", calling);
        (void)snprintf(at->objects.from, sizeof at->objects.from, "%s", calling);
    } else {
        reha_log(REHA_LOG_WARN, "dicom.rejected", "from=%s peer=%s reason=%s", from, at->address,
                 reasons[verdict]);
    }
    return reply(at, json_pack("{s:i}", "verdict", (int)verdict), err);
}

static reha_status handle(association *at, const wire_message *message, bool *is_over, reha_error *err)
{
    const char *op = reha_json_string(message->json, "op", "");
    if (strcmp(op, "over") == 0) {
        (void)snprintf(at->end, sizeof at->end, "%s", reha_json_string(message->json, "end", "broken"));
        *is_over = true;
        return REHA_OK;
    }
    if (strcmp(op, "ask") == 0 && at->calling[0] == '\0') {
        return on_ask(at, message->json, err);
    }
    if (at->calling[0] != '\0') { /* the rest is for those who were let in */
        bool is_mine = false;
        REHA_TRY(intake_handle(&at->objects, at->link, wait_ms(at), message, &is_mine, err));
        if (is_mine) {
            return REHA_OK;
        }
    }
    return reha_fail(err, REHA_E_FORMAT, "the process of an association makes no sense");
}

static json_t *settings_json(const node_settings *settings)
{
    const reha_node_limits *limits = &settings->limits;
    const reha_association_limits *one = &limits->association;
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s*, s:s*, s:s*}", "pdu_bytes",
                     (double)one->pdu_bytes, "request_bytes_max", (double)one->request_bytes_max,
                     "object_bytes_max", (double)one->object_bytes_max, "request_s", one->request_s, "idle_s",
                     one->idle_s, "grace_s", one->grace_s, "rate_bytes_per_s", one->rate_bytes_per_s,
                     "memory_bytes", (double)limits->memory_bytes, "cpu_s", limits->cpu_s, "certificate",
                     settings->certificate, "key", settings->key, "authority", settings->authority);
}

static reha_status converse(association *at, reha_error *err)
{
    bool is_over = false;
    reha_status status = reply(at, settings_json(at->settings), err);
    while (status == REHA_OK && !is_over) {
        wire_message message;
        status = wire_receive(at->link, INTAKE_PIECE_BYTES, patience_ms(at), &message, err);
        if (status == REHA_OK) {
            status = handle(at, &message, &is_over, err);
            wire_clear(&message);
        }
    }
    return status;
}

/* What is told of the end where the process could not tell it itself. */
static const char *end_of(const association *at, reha_status status, int how)
{
    if (at->end[0] != '\0') {
        return at->end;
    }
    if (status != REHA_E_IO && status != REHA_OK) {
        return "stopped"; /* by us: it made no sense, or took its time */
    }
    if (!WIFSIGNALED(how)) {
        return "failed";
    }
    return WTERMSIG(how) == SIGALRM ? "slow" : WTERMSIG(how) == SIGKILL ? "killed" : "crashed";
}

static void log_end(const association *at, reha_status status, int how)
{
    char from[REHA_AE_BYTES];
    const char *end = end_of(at, status, how);
    const bool is_fine = strcmp(end, "released") == 0 || strcmp(end, "rejected") == 0;
    intake_word(at->calling, from);
    reha_log(is_fine ? REHA_LOG_INFO : REHA_LOG_WARN, "dicom.association",
             "from=%s peer=%s end=%s stored=%d known=%d refused=%d", from, at->address, end,
             at->objects.stored, at->objects.known, at->objects.refused);
}

void node_serve(const node_settings *settings, int socket, const char *address, bool is_busy,
                node_started started, void *context)
{
    int pair[2];
    int how = 0;
    pid_t pid = 0;
    reha_error err = REHA_ERROR_INIT;
    association at = {.settings = settings,
                      .address = address,
                      .is_busy = is_busy,
                      .link = -1,
                      .objects = {.clinic = settings->clinic, .actor = clinic_system_actor()}};
    char *const arguments[] = {settings->program, "worker", "--association", NULL};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        (void)close(socket);
        reha_log(REHA_LOG_ERROR, "dicom.dropped", "reason=no-socket");
        return;
    }
    reha_status status = sandbox_spawn(arguments, pair[1], socket, &pid, &err);
    (void)close(pair[1]);
    (void)close(socket);
    at.link = pair[0];
    if (status == REHA_OK) {
        started(context, pid);
        status = converse(&at, &err);
    }
    intake_drop(&at.objects);
    (void)close(at.link);
    if (pid > 0) {
        /* It has hung up before it says its last word, so nothing is cut off; one that says it and stays is
         * not waited for. */
        (void)kill(pid, SIGKILL);
        /* Until it is waited for, its id is nobody else's. */
        started(context, 0);
        while (waitpid(pid, &how, 0) < 0 && errno == EINTR) {
        }
    } else {
        reha_log(REHA_LOG_ERROR, "dicom.dropped", "reason=no-process");
    }
    log_end(&at, status, how);
}
