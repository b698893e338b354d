#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#endif
#include "service/sandbox.h"

#include "base/clock.h"
#include "base/log.h"
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

enum { ANSWER_BYTES_MAX = 1 << 30, SIGNAL_EXIT = 100, TEXT_BYTES = 64, SOCKET_BYTES = 1 << 20 };
static const double MS_PER_S = 1000.0;

struct reha_sandbox {
    char *program;
    char *models_folder; /* NULL: none */
    char *task;          /* NULL: none */
    size_t memory_bytes;
    double cpu_s, wall_s;
    pid_t pid; /* 0: not running */
    int fd;
};

reha_status reha_sandbox_new(const reha_sandbox_options *options, reha_sandbox **out, reha_error *err)
{
    *out = NULL;
    reha_sandbox *sandbox = reha_alloc_zero(1, sizeof *sandbox);
    if (sandbox != NULL) {
        sandbox->fd = -1;
        sandbox->program = reha_strdup(options->program);
        sandbox->models_folder = options->models_folder != NULL ? reha_strdup(options->models_folder) : NULL;
        sandbox->task = options->task != NULL ? reha_strdup(options->task) : NULL;
        sandbox->memory_bytes = options->memory_bytes;
        sandbox->cpu_s = options->cpu_s;
        sandbox->wall_s = options->wall_s;
    }
    if (sandbox == NULL || sandbox->program == NULL ||
        (options->models_folder != NULL && sandbox->models_folder == NULL) ||
        (options->task != NULL && sandbox->task == NULL)) {
        reha_sandbox_free(sandbox);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a worker");
    }
    *out = sandbox;
    return REHA_OK;
}

/* Kills what is left of it and says how it ended: an exit code, or 100 + the signal. */
static int stop(reha_sandbox *sandbox, bool kill_it)
{
    int how = 0;
    if (sandbox->pid <= 0) {
        return 0;
    }
    (void)close(sandbox->fd); /* without requests it ends by itself */
    sandbox->fd = -1;
    if (kill_it) {
        (void)kill(-sandbox->pid, SIGKILL); /* its group: the child that works, too */
    }
    while (waitpid(sandbox->pid, &how, 0) < 0 && errno == EINTR) {
    }
    (void)kill(-sandbox->pid, SIGKILL);
    sandbox->pid = 0;
    return WIFSIGNALED(how) ? SIGNAL_EXIT + WTERMSIG(how) : WEXITSTATUS(how);
}

void reha_sandbox_free(reha_sandbox *sandbox)
{
    if (sandbox != NULL) {
        (void)stop(sandbox, true);
        reha_free(sandbox->program);
        reha_free(sandbox->models_folder);
        reha_free(sandbox->task);
        reha_free(sandbox);
    }
}

static reha_status spawn(reha_sandbox *sandbox, int theirs, reha_error *err)
{
    char memory[TEXT_BYTES];
    char cpu[TEXT_BYTES];
    (void)snprintf(memory, sizeof memory, "--memory-mib=%zu", sandbox->memory_bytes >> 20);
    (void)snprintf(cpu, sizeof cpu, "--cpu-s=%d", (int)sandbox->cpu_s);
    char *const arguments[] = {sandbox->program,
                               "worker",
                               "--sandbox",
                               memory,
                               cpu,
                               sandbox->models_folder != NULL ? "--models" : NULL,
                               sandbox->models_folder,
                               sandbox->task != NULL ? "--task" : NULL,
                               sandbox->task,
                               NULL};
    return sandbox_spawn(arguments, theirs, -1, &sandbox->pid, err);
}

reha_status reha_sandbox_warm(reha_sandbox *sandbox, reha_error *err)
{
    int pair[2];
    wire_message hello;
    if (sandbox->pid > 0) {
        return REHA_OK;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return reha_fail(err, REHA_E_INTERNAL, "a worker cannot be started: %s", strerror(errno));
    }
    const int room = SOCKET_BYTES;
    (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    (void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    const reha_status started = spawn(sandbox, pair[1], err);
    (void)close(pair[1]);
    if (started != REHA_OK) {
        (void)close(pair[0]);
        return started;
    }
    sandbox->fd = pair[0];
    reha_status status =
        wire_receive(sandbox->fd, 0, reha_clock_ms() + MS_PER_S * sandbox->wall_s, &hello, err);
    if (status != REHA_OK) {
        const int code = stop(sandbox, true);
        return reha_fail(err, REHA_E_INTERNAL,
                         "the worker did not start (end code %d); try: rehascope worker --sandbox", code);
    }
    const char *fault = reha_json_string(hello.json, "error", NULL);
    if (fault != NULL) {
        status = reha_fail(err, REHA_E_NOT_FOUND, "%.200s", fault);
        (void)stop(sandbox, true);
    }
    wire_clear(&hello);
    return status;
}

void reha_sandbox_answer_clear(reha_sandbox_answer *answer)
{
    json_decref(answer->json);
    for (size_t i = 0; i < answer->part_count; i++) {
        reha_free(answer->parts[i].bytes);
    }
    *answer = (reha_sandbox_answer){.json = NULL};
}

static reha_status keep_part(reha_sandbox_answer *answer, const char *name, wire_message *message,
                             reha_error *err)
{
    if (answer->part_count == REHA_SANDBOX_PARTS) {
        return reha_fail(err, REHA_E_LIMIT, "the worker's answer has too many parts");
    }
    reha_sandbox_part *part = &answer->parts[answer->part_count++];
    (void)snprintf(part->name, sizeof part->name, "%s", name);
    part->bytes = message->bytes;
    part->count = message->count;
    message->bytes = NULL;
    return REHA_OK;
}

static reha_status child_error(const json_t *error, reha_error *err)
{
    const reha_status status = wire_status(reha_json_string(error, "code", ""));
    return reha_fail(err, status != REHA_OK ? status : REHA_E_INTERNAL, "%.230s",
                     reha_json_string(error, "text", "no reason"));
}

/* `is_whole`: the answer came to its end and the sandbox is ready for the next request. */
static reha_status receive_answer(reha_sandbox *sandbox, double until_ms, reha_sandbox_take take,
                                  void *context, reha_sandbox_answer *out, bool *is_whole, reha_error *err)
{
    for (;;) {
        wire_message message;
        reha_status status = wire_receive(sandbox->fd, ANSWER_BYTES_MAX, until_ms, &message, err);
        if (status != REHA_OK) {
            return status;
        }
        const char *name = reha_json_string(message.json, "part", NULL);
        const json_t *error = json_object_get(message.json, "error");
        if (name != NULL) {
            status = take != NULL ? take(context, name, message.bytes, message.count, err)
                                  : keep_part(out, name, &message, err);
            wire_clear(&message);
            if (status != REHA_OK) {
                return status;
            }
            continue;
        }
        *is_whole = true;
        if (error != NULL) {
            status = child_error(error, err);
        } else {
            out->json = json_incref(json_object_get(message.json, "done"));
        }
        wire_clear(&message);
        return status;
    }
}

static reha_status explain_end(int code, bool was_slow, const reha_sandbox *sandbox, reha_error *err)
{
    const int number = code - SIGNAL_EXIT;
    if (was_slow) {
        return reha_fail(err, REHA_E_REFUSED,
                         "the file kept the worker busy for more than %g s; it was stopped", sandbox->wall_s);
    }
    return reha_fail(err, REHA_E_REFUSED, "the file stopped the worker: %s",
                     number == SIGXCPU                       ? "too much processor time"
                     : number == SIGSYS                      ? "a forbidden system call"
                     : number == SIGKILL                     ? "killed, perhaps for memory"
                     : number == SIGSEGV || number == SIGBUS ? "a crash while reading it"
                     : number == SIGABRT                     ? "an abort while reading it"
                                                             : "it ended without an answer");
}

reha_status reha_sandbox_run(reha_sandbox *sandbox, const json_t *request, const void *bytes, size_t count,
                             reha_sandbox_take take, void *context, reha_sandbox_answer *out, reha_error *err)
{
    static const char go = WIRE_GO;
    bool is_whole = false;
    *out = (reha_sandbox_answer){.json = NULL};
    REHA_TRY(reha_sandbox_warm(sandbox, err));
    const double until_ms = reha_clock_ms() + MS_PER_S * sandbox->wall_s;
    reha_error fault = REHA_ERROR_INIT;
    reha_status status = send(sandbox->fd, &go, 1, MSG_NOSIGNAL) == 1 ? REHA_OK : REHA_E_IO;
    if (status == REHA_OK) {
        status = wire_send(sandbox->fd, request, bytes, count, until_ms, &fault);
    }
    if (status == REHA_OK) {
        status = receive_answer(sandbox, until_ms, take, context, out, &is_whole, &fault);
    }
    if (status == REHA_OK) {
        return REHA_OK;
    }
    reha_sandbox_answer_clear(out);
    if (is_whole) {
        return reha_fail(err, status, "%s", fault.text);
    }
    const bool is_gone = status == REHA_E_IO;
    const bool was_slow = status == REHA_E_CANCELLED;
    const int code = stop(sandbox, !is_gone);
    reha_log(REHA_LOG_WARN, "sandbox.stopped", "code=%d slow=%d", code, was_slow ? 1 : 0);
    return is_gone || was_slow ? explain_end(code, was_slow, sandbox, err)
                               : reha_fail(err, status, "%s", fault.text);
}
