/* The server's side of a call. What the process says of the archive's answers is bounded, and believed only
 * for this report: whoever takes the process over can claim that the archive has it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#endif
#include "service/archive_priv.h"

#include "base/clock.h"
#include "base/json.h"
#include "service/sandbox_spawn_priv.h"
#include "service/sandbox_wire_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const double MS_PER_S = 1000.0;
static const double GRACE_S = 30.0; /* on top of the process's own alarm, for one that ignores it */

static json_t *settings_json(const archive_settings *settings, size_t count)
{
    const reha_archive_limits *limits = &settings->limits;
    const reha_remote *remote = &settings->remote;
    return json_pack("{s:s, s:s, s:i, s:s, s:f, s:f, s:f, s:f, s:f, s:I, s:s*, s:s*, s:s*}", "ae_title",
                     remote->ae_title, "host", remote->host, "port", remote->port, "own_title",
                     settings->own_title, "connect_s", limits->connect_s, "answer_s", limits->answer_s,
                     "call_s", limits->call_s, "memory_bytes", (double)limits->memory_bytes, "cpu_s",
                     limits->cpu_s, "objects", (json_int_t)count, "certificate", settings->certificate, "key",
                     settings->key, "authority", settings->authority);
}

static reha_status give_objects(int link, const archive_settings *settings, const reha_export *objects,
                                double until_ms, reha_error *err)
{
    json_t *head = settings_json(settings, objects->count);
    json_t *part = json_object();
    reha_status status = head != NULL && part != NULL
                             ? wire_send(link, head, NULL, 0, until_ms, err)
                             : reha_fail(err, REHA_E_NOMEM, "out of memory for a call");
    for (size_t i = 0; status == REHA_OK && i < objects->count; i++) {
        status = wire_send(link, part, objects->files[i].bytes, objects->files[i].count, until_ms, err);
    }
    json_decref(head);
    json_decref(part);
    return status;
}

/* *is_over: the process has said its last word. */
static reha_status hear(int link, size_t count, archive_fate *fates, double until_ms, bool *is_over,
                        reha_error *err)
{
    for (size_t told = 0;;) {
        wire_message message;
        REHA_TRY(wire_receive(link, 0, until_ms, &message, err));
        const bool is_fate = strcmp(reha_json_string(message.json, "op", ""), "fate") == 0;
        const reha_status status = wire_status(reha_json_string(message.json, "status", ""));
        const char *text = reha_json_string(message.json, "text", "");
        if (is_fate && told < count) {
            fates[told].status = status;
            (void)snprintf(fates[told].text, sizeof fates[told].text, "%s", text);
            told++;
        } else if (is_fate || (status == REHA_OK && told < count)) {
            wire_clear(&message);
            return reha_fail(err, REHA_E_FORMAT, "the process that calls the archive makes no sense");
        } else {
            *is_over = true;
            const reha_status over = status == REHA_OK ? REHA_OK : reha_fail(err, status, "%s", text);
            wire_clear(&message);
            return over;
        }
        wire_clear(&message);
    }
}

/* Why the process fell silent; the link only tells that it did. */
static reha_status explain_end(int how, const archive_settings *settings, reha_error *err)
{
    const reha_remote *remote = &settings->remote;
    if (WIFSIGNALED(how) && WTERMSIG(how) == SIGALRM) {
        return reha_fail(err, REHA_E_IO, "%s at %s port %d did not take all of it within %.0f s",
                         remote->ae_title, remote->host, remote->port, settings->limits.call_s);
    }
    return reha_fail(err, REHA_E_IO, "the call of %s broke off: the process that made it ended (%s %d)",
                     remote->ae_title, WIFSIGNALED(how) ? "signal" : "code",
                     WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how));
}

reha_status archive_call(const archive_settings *settings, const reha_export *objects, archive_fate *fates,
                         archive_started started, void *context, reha_error *err)
{
    int pair[2];
    int how = 0;
    bool is_over = false;
    pid_t pid = 0;
    char *const arguments[] = {settings->program, "worker", "--call", NULL};
    for (size_t i = 0; i < objects->count; i++) {
        fates[i] = (archive_fate){.status = REHA_E_CANCELLED};
    }
    if (objects->count == 0 || objects->count > ARCHIVE_OBJECTS_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "a report of %zu objects is not sent (1 to %d)", objects->count,
                         ARCHIVE_OBJECTS_MAX);
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return reha_fail(err, REHA_E_INTERNAL, "no link to a process: %s", strerror(errno));
    }
    reha_status status = sandbox_spawn(arguments, pair[1], -1, &pid, err);
    (void)close(pair[1]);
    if (status == REHA_OK) {
        const double until_ms = reha_clock_ms() + MS_PER_S * (settings->limits.call_s + GRACE_S);
        started(context, pid);
        status = give_objects(pair[0], settings, objects, until_ms, err);
        if (status == REHA_OK) {
            status = hear(pair[0], objects->count, fates, until_ms, &is_over, err);
        }
    }
    (void)close(pair[0]);
    if (pid <= 0) {
        return status;
    }
    (void)kill(pid, SIGKILL); /* it has ended, or said its last word, or makes no sense */
    started(context, 0);      /* until it is waited for, its id is nobody else's */
    while (waitpid(pid, &how, 0) < 0 && errno == EINTR) {
    }
    return status == REHA_E_IO && !is_over ? explain_end(how, settings, err) : status;
}
