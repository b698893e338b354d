/* The side of a sandbox that touches foreign bytes. Everything before `sandbox_lock_down` is our own
 * business; everything after it may be under the control of the file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* CLONE_THREAD */
#endif
#include "service/sandbox.h"

#include "base/memory.h"
#include "dicom/dicom.h"
#include "service/sandbox_child_priv.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUEST_BYTES_MAX = 1 << 30, SIGNAL_EXIT = 100, LINK_FD = STDIN_FILENO, ANALYSIS_NICE = 5 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool is_sanitized = true; /* the shadow memory needs terabytes of addresses */
#else
static const bool is_sanitized = false;
#endif

/* Memory, the link, clocks, and the end. All else is refused with an error, so that what libraries try
 * harmlessly (to open a font, to look at a terminal) harms nobody; what only an attacker would try kills the
 * process. */
static int allow_calls(scmp_filter_ctx filter, sandbox_reach reach)
{
    static const int allowed[] = {SCMP_SYS(read),
                                  SCMP_SYS(write),
                                  SCMP_SYS(recvfrom),
                                  SCMP_SYS(sendto),
                                  SCMP_SYS(close),
                                  SCMP_SYS(lseek),
                                  SCMP_SYS(fstat),
                                  SCMP_SYS(brk),
                                  SCMP_SYS(mmap),
                                  SCMP_SYS(munmap),
                                  SCMP_SYS(mremap),
                                  SCMP_SYS(mprotect),
                                  SCMP_SYS(madvise),
                                  SCMP_SYS(futex),
                                  SCMP_SYS(clock_gettime),
                                  SCMP_SYS(clock_getres),
                                  SCMP_SYS(gettimeofday),
                                  SCMP_SYS(time),
                                  SCMP_SYS(getrandom),
                                  SCMP_SYS(sched_yield),
                                  SCMP_SYS(getpid),
                                  SCMP_SYS(gettid),
                                  SCMP_SYS(tgkill),
                                  SCMP_SYS(rt_sigreturn),
                                  SCMP_SYS(rt_sigaction),
                                  SCMP_SYS(rt_sigprocmask),
                                  SCMP_SYS(sigaltstack),
                                  SCMP_SYS(sched_getaffinity),
                                  SCMP_SYS(getrusage),
                                  SCMP_SYS(sysinfo),
                                  SCMP_SYS(exit),
                                  SCMP_SYS(exit_group),
                                  SCMP_SYS(nanosleep),
                                  SCMP_SYS(clock_nanosleep),
                                  SCMP_SYS(restart_syscall),
                                  SCMP_SYS(rseq),
                                  SCMP_SYS(set_robust_list),
                                  SCMP_SYS(access),
                                  SCMP_SYS(faccessat)}; /* is the font still there? opens nothing */
    static const int deadly[] = {SCMP_SYS(execve),
                                 SCMP_SYS(execveat),
                                 SCMP_SYS(fork),
                                 SCMP_SYS(vfork),
                                 SCMP_SYS(socket),
                                 SCMP_SYS(connect),
                                 SCMP_SYS(bind),
                                 SCMP_SYS(listen),
                                 SCMP_SYS(ptrace),
                                 SCMP_SYS(kill),
                                 SCMP_SYS(unlink),
                                 SCMP_SYS(unlinkat),
                                 SCMP_SYS(process_vm_readv),
                                 SCMP_SYS(process_vm_writev)};
    /* On a connection that is there already; new ones stay deadly. */
    static const int connected[] = {SCMP_SYS(recvmsg),     SCMP_SYS(sendmsg),    SCMP_SYS(poll),
                                    SCMP_SYS(ppoll),       SCMP_SYS(select),     SCMP_SYS(pselect6),
                                    SCMP_SYS(getsockopt),  SCMP_SYS(setsockopt), SCMP_SYS(getpeername),
                                    SCMP_SYS(getsockname), SCMP_SYS(shutdown),   SCMP_SYS(fcntl),
                                    SCMP_SYS(setitimer)};
    int code = 0;
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) != 0 ? -1 : code;
    }
    for (size_t i = 0; reach == SANDBOX_CONNECTED && i < sizeof connected / sizeof connected[0]; i++) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, connected[i], 0) != 0 ? -1 : code;
    }
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++) {
        code = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0) != 0 ? -1 : code;
    }
    /* Threads (the text library makes one), never processes; the newer call hides its flags in memory. */
    const int threads = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                         SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    const int newer = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return threads == 0 && newer == 0 ? code : -1;
}

static bool set_limit(int which, rlim_t value)
{
    const struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
    return setrlimit((__rlimit_resource_t)which, &limit) == 0;
}

reha_status sandbox_lock_down(size_t memory_bytes, double cpu_s, sandbox_reach reach, reha_error *err)
{
    if (!set_limit(RLIMIT_CORE, 0) || !set_limit(RLIMIT_FSIZE, 0) || !set_limit(RLIMIT_CPU, (rlim_t)cpu_s) ||
        (!is_sanitized && !set_limit(RLIMIT_AS, memory_bytes))) {
        return reha_fail(err, REHA_E_INTERNAL, "the worker's limits cannot be set: %s", strerror(errno));
    }
    (void)signal(SIGXFSZ, SIG_DFL); /* who writes a file here is no longer our program */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EACCES));
    const bool is_locked = filter != NULL && allow_calls(filter, reach) == 0 && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return is_locked ? REHA_OK
                     : reha_fail(err, REHA_E_INTERNAL, "the worker's system calls cannot be restricted");
}

static reha_status dispatch(reha_analyser *analyser, const wire_message *request, sandbox_reply *reply,
                            reha_error *err)
{
    const char *op = reha_json_string(request->json, "op", "");
    if (strcmp(op, "inspect") == 0) {
        return sandbox_inspect(request, reply, err);
    }
    if (strcmp(op, "origin") == 0) {
        return sandbox_origin(request, reply, err);
    }
    if (strcmp(op, "model") == 0) {
        return sandbox_model(request, reply, err);
    }
    if (strcmp(op, "render") == 0) {
        return sandbox_render(request, reply, err);
    }
    if (strcmp(op, "register") == 0) {
        return sandbox_register(request, reply, err);
    }
    if (strcmp(op, "unpack") == 0) {
        return sandbox_unpack(request, reply, err);
    }
    if (strcmp(op, "analyse") == 0 && analyser != NULL) {
        return sandbox_analyse(analyser, request, reply, err);
    }
    return reha_fail(err, REHA_E_UNSUPPORTED, "the worker knows no '%.20s'", op);
}

reha_status sandbox_part(sandbox_reply *reply, const char *name, const void *bytes, size_t count,
                         reha_error *err)
{
    json_t *head = json_pack("{s:o}", "part", reha_json_text(name));
    const reha_status status = wire_send(reply->fd, head, bytes, count, (double)INFINITY, err);
    json_decref(head);
    return status;
}

/* One request, then the end: nothing of this process is used again. */
static int serve_one(reha_analyser *analyser, size_t memory_bytes, double cpu_s)
{
    reha_error err = REHA_ERROR_INIT;
    wire_message request = {.json = NULL};
    sandbox_reply reply = {.fd = LINK_FD, .done = NULL};
    reha_status status = sandbox_lock_down(memory_bytes, cpu_s, SANDBOX_ALONE, &err);
    if (status == REHA_OK) {
        status = wire_receive(LINK_FD, REQUEST_BYTES_MAX, (double)INFINITY, &request, &err);
    }
    if (status == REHA_OK) {
        status = dispatch(analyser, &request, &reply, &err);
    }
    json_t *end = status == REHA_OK ? json_pack("{s:o?}", "done", reply.done)
                                    : json_pack("{s:{s:s, s:o}}", "error", "code", reha_status_name(status),
                                                "text", reha_json_text(err.text));
    return end != NULL && wire_send(LINK_FD, end, NULL, 0, (double)INFINITY, &err) == REHA_OK ? 0 : 1;
}

/* What libraries load when first used must be there before files can no longer be opened. */
static reha_status prepare(const char *models_folder, const char *task, reha_analyser **out,
                           reha_canvas **letters, reha_error *err)
{
    *out = NULL;
    *letters = NULL;
    reha_dicom_warm();
    if (models_folder == NULL) {
        return REHA_OK;
    }
    /* Loading takes a second of processor time: not for a server that was killed meanwhile. (The thread that
     * started us lives as long as its process; those that start sandboxes without models may end earlier.) */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    struct pollfd link = {.fd = LINK_FD};
    if (poll(&link, 1, 0) > 0 &&
        (link.revents & POLLHUP) != 0) { /* it was killed before it could be asked to kill us */
        return reha_fail(err, REHA_E_CANCELLED, "nobody is there any more");
    }
    (void)setpriority(PRIO_PROCESS, 0, ANALYSIS_NICE); /* people who wait for a page come first */
    const reha_analyser_options how = {
        .task = task, .models_folder = models_folder, .threads = 1, .with_explanation = true};
    REHA_TRY(reha_analyser_open(&how, out, err));
    return sandbox_warm_up(*out, letters, err);
}

int reha_sandbox_main(const char *models_folder, const char *task, size_t memory_bytes, double cpu_s)
{
    reha_error err = REHA_ERROR_INIT;
    reha_analyser *analyser = NULL;
    reha_canvas *letters = NULL;
    int code = 0;
    char go = '\0';
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return 1;
    }
    const reha_status status = prepare(models_folder, task, &analyser, &letters, &err);
    json_t *hello = status == REHA_OK ? json_pack("{s:b}", "ready", 1)
                                      : json_pack("{s:o}", "error", reha_json_text(err.text));
    if (wire_send(LINK_FD, hello, NULL, 0, (double)INFINITY, &err) != REHA_OK || status != REHA_OK) {
        code = 1;
    }
    json_decref(hello);
    while (code == 0 && recv(LINK_FD, &go, 1, 0) == 1 && go == WIRE_GO) {
        int how = 0;
        const pid_t child = fork();
        if (child == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
            _exit(serve_one(analyser, memory_bytes, cpu_s));
        }
        while (child > 0 && waitpid(child, &how, 0) < 0 && errno == EINTR) {
        }
        /* After a child that failed, the link may hold half a message: end, and be started anew. */
        code = child < 0 ? 1 : WIFSIGNALED(how) ? SIGNAL_EXIT + WTERMSIG(how) : WEXITSTATUS(how);
    }
    reha_canvas_free(letters);
    reha_analyser_close(analyser);
    return code;
}
