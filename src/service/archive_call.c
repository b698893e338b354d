/* The server's side of a call. What the process says of the archive's answers is bounded, and believed only
 * for what it was started for: whoever takes the process over can claim that the archive has this report. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#endif
#include "service/archive_priv.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
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

/* ---- settings ---- */

static reha_status own_text(const char *text, char **out, reha_error *err)
{
    *out = reha_strdup(text);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
}

/* Tried once now, so that a wrong file is told at the start. */
static reha_status keep_tls(archive_settings *settings, const reha_tls_files *files, reha_error *err)
{
    reha_tls *tls = NULL;
    if (files == NULL) {
        return REHA_OK;
    }
    REHA_TRY(reha_tls_open(files, false, &tls, err));
    reha_tls_close(tls);
    REHA_TRY(own_text(files->certificate, &settings->certificate, err));
    REHA_TRY(own_text(files->key, &settings->key, err));
    return own_text(files->authority, &settings->authority, err);
}

reha_status archive_settings_make(archive_settings *settings, const reha_archive_options *options,
                                  reha_error *err)
{
    const char *title = options->own_title != NULL ? options->own_title : "REHASCOPE";
    if (!reha_ae_title_is_valid(title)) {
        return reha_fail(err, REHA_E_ARG, "'%.40s' is no AE title: 1 to 16 characters, no backslash", title);
    }
    (void)snprintf(settings->own_title, sizeof settings->own_title, "%s", title);
    settings->remote = options->remote;
    settings->limits = options->limits.tries_max > 0 ? options->limits : reha_archive_limits_default();
    REHA_TRY(options->program != NULL ? own_text(options->program, &settings->program, err)
                                      : reha_program_path(&settings->program, err));
    REHA_TRY(keep_tls(settings, options->tls, err));
    return reha_network_prepare(err); /* what the processes will need is missing: say it now */
}

void archive_settings_clear(archive_settings *settings)
{
    reha_free(settings->program);
    reha_free(settings->certificate);
    reha_free(settings->key);
    reha_free(settings->authority);
    *settings = (archive_settings){.program = NULL};
}

static json_t *settings_json(const archive_settings *settings)
{
    const reha_archive_limits *limits = &settings->limits;
    const reha_remote *remote = &settings->remote;
    return json_pack("{s:s, s:s, s:i, s:s, s:f, s:f, s:f, s:f, s:f, s:s*, s:s*, s:s*}", "ae_title",
                     remote->ae_title, "host", remote->host, "port", remote->port, "own_title",
                     settings->own_title, "connect_s", limits->connect_s, "answer_s", limits->answer_s,
                     "call_s", limits->call_s, "memory_bytes", (double)limits->memory_bytes, "cpu_s",
                     limits->cpu_s, "certificate", settings->certificate, "key", settings->key, "authority",
                     settings->authority);
}

/* ---- a process ---- */

reha_status archive_begin(const archive_settings *settings, const json_t *what, archive_started started,
                          void *context, archive_process *out, reha_error *err)
{
    int pair[2];
    char *const arguments[] = {settings->program, "worker", "--call", NULL};
    *out = (archive_process){.settings = settings, .link = -1, .started = started, .context = context};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return reha_fail(err, REHA_E_INTERNAL, "no link to a process: %s", strerror(errno));
    }
    reha_status status = sandbox_spawn(arguments, pair[1], -1, &out->pid, err);
    (void)close(pair[1]);
    if (status != REHA_OK) {
        (void)close(pair[0]);
        return status;
    }
    out->link = pair[0];
    started(context, out->pid);
    json_t *head = settings_json(settings);
    status = head != NULL && json_object_update(head, (json_t *)(uintptr_t)what) == 0
                 ? wire_send(out->link, head, NULL, 0, reha_clock_ms() + MS_PER_S * GRACE_S, err)
                 : reha_fail(err, REHA_E_NOMEM, "out of memory for a call");
    json_decref(head);
    return status != REHA_OK ? archive_end(out, status, false, err) : REHA_OK;
}

reha_status archive_last_word(const json_t *over, reha_error *err)
{
    const reha_status status = wire_status(reha_json_string(over, "status", ""));
    return status == REHA_OK ? REHA_OK : reha_fail(err, status, "%s", reha_json_string(over, "text", ""));
}

/* Why the process fell silent; the link only tells that it did. */
static reha_status explain_end(int how, const archive_settings *settings, reha_error *err)
{
    const reha_remote *remote = &settings->remote;
    if (WIFSIGNALED(how) && WTERMSIG(how) == SIGALRM) {
        return reha_fail(err, REHA_E_IO, "%s at %s port %d is too slow: it was hung up on", remote->ae_title,
                         remote->host, remote->port);
    }
    return reha_fail(err, REHA_E_IO, "the call of %s broke off: the process that made it ended (%s %d)",
                     remote->ae_title, WIFSIGNALED(how) ? "signal" : "code",
                     WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how));
}

reha_status archive_end(archive_process *process, reha_status status, bool is_over, reha_error *err)
{
    int how = 0;
    (void)close(process->link);
    (void)kill(process->pid, SIGKILL);     /* it has ended, or said its last word, or makes no sense */
    process->started(process->context, 0); /* until it is waited for, its id is nobody else's */
    while (waitpid(process->pid, &how, 0) < 0 && errno == EINTR) {
    }
    process->link = -1;
    return status == REHA_E_IO && !is_over ? explain_end(how, process->settings, err) : status;
}

/* ---- objects to an archive ---- */

static reha_status give_objects(int link, const reha_export *objects, double until_ms, reha_error *err)
{
    json_t *part = json_object();
    reha_status status = part != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a call");
    for (size_t i = 0; status == REHA_OK && i < objects->count; i++) {
        status = wire_send(link, part, objects->files[i].bytes, objects->files[i].count, until_ms, err);
    }
    json_decref(part);
    return status;
}

/* *is_over: the process has said its last word. */
static reha_status hear(int link, size_t count, archive_fate *fates, double until_ms, bool *is_over,
                        reha_error *err)
{
    for (size_t told = 0;;) {
        wire_message message;
        reha_status status = REHA_OK;
        REHA_TRY(wire_receive(link, 0, until_ms, &message, err));
        const char *op = reha_json_string(message.json, "op", "");
        *is_over = strcmp(op, "over") == 0;
        if (*is_over) {
            status = archive_last_word(message.json, err);
        }
        if (!*is_over && strcmp(op, "fate") == 0 && told < count) {
            fates[told].status = wire_status(reha_json_string(message.json, "status", ""));
            (void)snprintf(fates[told].text, sizeof fates[told].text, "%s",
                           reha_json_string(message.json, "text", ""));
            told++;
        } else if (!*is_over || (status == REHA_OK && told < count)) {
            status = reha_fail(err, REHA_E_FORMAT, "the process that calls the archive makes no sense");
        }
        wire_clear(&message);
        if (*is_over || status != REHA_OK) {
            return status;
        }
    }
}

reha_status archive_call(const archive_settings *settings, const reha_export *objects, archive_fate *fates,
                         archive_started started, void *context, reha_error *err)
{
    archive_process process;
    bool is_over = false;
    for (size_t i = 0; i < objects->count; i++) {
        fates[i] = (archive_fate){.status = REHA_E_CANCELLED};
    }
    if (objects->count == 0 || objects->count > ARCHIVE_OBJECTS_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "a report of %zu objects is not sent (1 to %d)", objects->count,
                         ARCHIVE_OBJECTS_MAX);
    }
    json_t *what = json_pack("{s:s, s:I}", "op", "store", "objects", (json_int_t)objects->count);
    if (what == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a call");
    }
    const double until_ms = reha_clock_ms() + MS_PER_S * (settings->limits.call_s + GRACE_S);
    reha_status status = archive_begin(settings, what, started, context, &process, err);
    json_decref(what);
    REHA_TRY(status);
    status = give_objects(process.link, objects, until_ms, err);
    if (status == REHA_OK) {
        status = hear(process.link, objects->count, fates, until_ms, &is_over, err);
    }
    return archive_end(&process, status, is_over, err);
}
