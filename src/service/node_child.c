/* The process of one association: it parses what a stranger sends and can do nothing else. */
#include "service/node_priv.h"

#include "base/json.h"
#include "service/sandbox_child_priv.h"
#include "service/sandbox_spawn_priv.h"
#include "service/sandbox_talk_priv.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Without the server there is nobody to store for. */
static void leave_if(reha_status status)
{
    if (status != REHA_OK) {
        _exit(1);
    }
}

static reha_association_verdict ask(void *context, const char *calling, const char *called)
{
    json_t *answer = NULL;
    reha_error err;
    (void)context;
    leave_if(talk_tell(json_pack("{s:s, s:s, s:s}", "op", "ask", "calling", calling, "called", called), NULL,
                       0, &err));
    leave_if(talk_receive(&answer, &err));
    const int verdict = (int)reha_json_number(answer, "verdict", (double)REHA_ASSOCIATION_BUSY);
    json_decref(answer);
    return (reha_association_verdict)verdict;
}

static void read_limits(const json_t *from, reha_node_limits *out)
{
    reha_association_limits *one = &out->association;
    *out = reha_node_limits_default();
    one->pdu_bytes = (uint32_t)reha_json_number(from, "pdu_bytes", (double)one->pdu_bytes);
    one->request_bytes_max =
        (size_t)reha_json_number(from, "request_bytes_max", (double)one->request_bytes_max);
    one->object_bytes_max = (size_t)reha_json_number(from, "object_bytes_max", (double)one->object_bytes_max);
    one->request_s = reha_json_number(from, "request_s", one->request_s);
    one->idle_s = reha_json_number(from, "idle_s", one->idle_s);
    one->grace_s = reha_json_number(from, "grace_s", one->grace_s);
    one->rate_bytes_per_s = reha_json_number(from, "rate_bytes_per_s", one->rate_bytes_per_s);
    out->memory_bytes = (size_t)reha_json_number(from, "memory_bytes", (double)out->memory_bytes);
    out->cpu_s = reha_json_number(from, "cpu_s", out->cpu_s);
}

int reha_node_main(void)
{
    reha_node_limits limits;
    reha_error err = REHA_ERROR_INIT;
    json_t *settings = NULL;
    reha_tls *tls = NULL;
    reha_association_end end = REHA_ASSOCIATION_LOST;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || talk_receive(&settings, &err) != REHA_OK) {
        return 1;
    }
    read_limits(settings, &limits);
    reha_status status = reha_network_prepare(&err);
    if (status == REHA_OK) {
        status = talk_tls(settings, true, &tls, &err);
    }
    json_decref(settings);
    if (status == REHA_OK) {
        status = sandbox_lock_down(limits.memory_bytes, limits.cpu_s, SANDBOX_CONNECTED, &err);
    }
    reha_provider provider = talk_objects();
    provider.ask = ask;
    if (status == REHA_OK) {
        status = reha_association_provide(SANDBOX_SECOND_FD, tls, &limits.association, &provider, &end, &err);
    }
    leave_if(
        talk_tell(json_pack("{s:s, s:s}", "op", "over", "end",
                            status == REHA_OK ? reha_association_end_name(end) : reha_status_name(status)),
                  NULL, 0, &err));
    _exit(0); /* what a program does at its end (and a finder of leaks more so) is not allowed here */
}
