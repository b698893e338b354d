/* What a stranger sends to the DICOM node: PDUs and messages, all at once and then the end of the connection.
 * Beyond "no crash": an object has a beginning before anything else, one end, and names that are UIDs;
 * whatever came, the association ends and says how. */
#include "base/memory.h"
#include "dicom/network.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_BYTES_MAX = 1 << 16 };

typedef struct node {
    bool is_within; /* an object */
    size_t bytes;
} node;

static void demand(int condition)
{
    if (!condition) {
        abort();
    }
}

static reha_association_verdict ask(void *context, const char *calling, const char *called)
{
    (void)context;
    demand(strlen(calling) < REHA_AE_BYTES && strlen(called) < REHA_AE_BYTES);
    return calling[0] == 'X' ? REHA_ASSOCIATION_UNKNOWN_CALLER : REHA_ASSOCIATION_ACCEPT;
}

static reha_status begin(void *context, const reha_incoming *object, reha_error *err)
{
    node *self = context;
    (void)err;
    demand(!self->is_within);
    demand(strspn(object->sop_class_uid, "0123456789.") == strlen(object->sop_class_uid));
    demand(strspn(object->sop_instance_uid, "0123456789.") == strlen(object->sop_instance_uid));
    self->is_within = true;
    self->bytes = 0;
    return REHA_OK;
}

static reha_status add(void *context, const void *bytes, size_t count, reha_error *err)
{
    node *self = context;
    (void)err;
    demand(self->is_within && (bytes != NULL || count == 0));
    self->bytes += count;
    demand(self->bytes <= INPUT_BYTES_MAX + 4096); /* what came, and the head of a file */
    return REHA_OK;
}

static reha_status end(void *context, reha_error *err)
{
    node *self = context;
    (void)err;
    demand(self->is_within);
    self->is_within = false;
    return REHA_OK;
}

static void drop(void *context)
{
    node *self = context;
    self->is_within = false;
}

/* A connected pair of TCP sockets: DCMTK asks for addresses and ports. */
static int connect_pair(int *theirs)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    const struct linger at_once = {.l_onoff = 1}; /* no port waits for late packets */
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    demand(listener >= 0 && bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 1) == 0);
    demand(getsockname(listener, (struct sockaddr *)&at, &size) == 0);
    *theirs = socket(AF_INET, SOCK_STREAM, 0);
    demand(*theirs >= 0 && connect(*theirs, (struct sockaddr *)&at, size) == 0);
    const int ours = accept(listener, NULL, NULL);
    demand(ours >= 0 && close(listener) == 0);
    demand(setsockopt(*theirs, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    return ours;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const reha_association_limits limits = {.pdu_bytes = 16 << 10,
                                            .request_bytes_max = 32 << 10,
                                            .object_bytes_max = 48 << 10,
                                            .request_s = 600.0,
                                            .idle_s = 600.0,
                                            .grace_s = 600.0,
                                            .rate_bytes_per_s = 1.0};
    node self = {.is_within = false};
    const reha_provider provider = {
        .context = &self, .ask = ask, .begin = begin, .add = add, .end = end, .drop = drop};
    reha_association_end how = REHA_ASSOCIATION_RELEASED;
    reha_error err = REHA_ERROR_INIT;
    int theirs = -1;
    if (size > INPUT_BYTES_MAX) {
        return 0;
    }
    const size_t blocks = reha_mem_live_blocks();
    const int ours = connect_pair(&theirs);
    for (size_t sent = 0; sent < size;) { /* it fits into the socket's buffers */
        const ssize_t count = send(theirs, data + sent, size - sent, MSG_NOSIGNAL);
        demand(count > 0);
        sent += (size_t)count;
    }
    demand(shutdown(theirs, SHUT_WR) == 0);
    const reha_status status = reha_association_provide(ours, NULL, &limits, &provider, &how, &err);
    demand(status == REHA_OK || err.text[0] != '\0');
    demand(status != REHA_E_INTERNAL && !self.is_within);
    demand(reha_association_end_name(how)[0] != '\0');
    (void)close(theirs);
    demand(reha_mem_live_blocks() == blocks);
    return 0;
}
