#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4 */
#endif
#include "service/node_priv.h"

#include "base/file.h"
#include "base/listen.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sync.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ASSOCIATIONS_MAX = 64, REFUSALS_MAX = 4, PAUSE_MS = 100 };

typedef struct seat { /* of one connection and its thread */
    reha_node *node;
    reha_thread *thread; /* NULL: free */
    bool is_over;        /* with the lock: the thread ends by itself */
    pid_t pid;           /* with the lock: of its process; 0: none */
    bool is_busy;        /* beyond the associations that are served */
    int socket;
    char address[NODE_ADDRESS_BYTES];
} seat;

struct reha_node {
    node_settings settings;
    int listener, port;
    int stop[2]; /* a pipe: its closed end wakes the thread up */
    reha_thread *acceptor;
    reha_mutex *lock;
    bool is_closing; /* with the lock */
    seat seats[ASSOCIATIONS_MAX + REFUSALS_MAX];
};

reha_node_limits reha_node_limits_default(void)
{
    return (reha_node_limits){.associations_max = 8,
                              .association = reha_association_limits_default(),
                              .memory_bytes = (size_t)1 << 30,
                              .cpu_s = 600.0};
}

static void remember(void *context, pid_t pid)
{
    seat *self = context;
    reha_mutex_lock(self->node->lock);
    self->pid = pid;
    if (pid > 0 && self->node->is_closing) {
        (void)kill(pid, SIGKILL);
    }
    reha_mutex_unlock(self->node->lock);
}

static void serve_seat(void *context)
{
    seat *self = context;
    node_serve(&self->node->settings, self->socket, self->address, self->is_busy, remember, self);
    reha_mutex_lock(self->node->lock);
    self->is_over = true;
    reha_mutex_unlock(self->node->lock);
}

/* A free seat, after those whose thread has ended were given up; NULL: none. */
static seat *find_seat(reha_node *node)
{
    seat *free_seat = NULL;
    int served = 0, refused = 0;
    for (size_t i = 0; i < sizeof node->seats / sizeof node->seats[0]; i++) {
        seat *one = &node->seats[i];
        reha_mutex_lock(node->lock);
        const bool is_over = one->thread != NULL && one->is_over;
        reha_mutex_unlock(node->lock);
        if (is_over) {
            reha_thread_join(one->thread);
            one->thread = NULL;
        }
        served += one->thread != NULL && !one->is_busy ? 1 : 0;
        refused += one->thread != NULL && one->is_busy ? 1 : 0;
        free_seat = one->thread == NULL ? one : free_seat;
    }
    /* Those on their way out take no place from others: who asks again at once would shut itself out. */
    const bool is_busy = served >= node->settings.limits.associations_max;
    if (free_seat == NULL || (is_busy && refused >= REFUSALS_MAX)) {
        return NULL;
    }
    *free_seat = (seat){.node = node, .is_busy = is_busy};
    return free_seat;
}

static void address_of(const struct sockaddr_storage *from, char out[NODE_ADDRESS_BYTES])
{
    char text[NODE_ADDRESS_BYTES] = "";
    const void *number = from->ss_family == AF_INET
                             ? (const void *)&((const struct sockaddr_in *)(const void *)from)->sin_addr
                             : (const void *)&((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
    (void)inet_ntop(from->ss_family, number, text, sizeof text);
    (void)node_address(text, out);
}

static void take_connection(reha_node *node)
{
    struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof from;
    reha_error err = REHA_ERROR_INIT;
    const int peer = accept4(node->listener, (struct sockaddr *)&from, &size, SOCK_CLOEXEC);
    if (peer < 0) {
        (void)poll(NULL, 0, errno == EMFILE || errno == ENFILE ? PAUSE_MS : 0); /* until others end */
        return;
    }
    seat *place = find_seat(node);
    if (place == NULL) {
        (void)close(peer);
        reha_log(REHA_LOG_WARN, "dicom.dropped", "reason=too-many-connections");
        return;
    }
    place->socket = peer;
    address_of(&from, place->address);
    if (reha_thread_start(serve_seat, place, &place->thread, &err) != REHA_OK) {
        (void)close(peer);
        place->thread = NULL;
        reha_log(REHA_LOG_ERROR, "dicom.dropped", "reason=no-thread");
    }
}

static void accept_all(void *context)
{
    reha_node *node = context;
    for (;;) {
        struct pollfd both[] = {{.fd = node->listener, .events = POLLIN},
                                {.fd = node->stop[0], .events = POLLIN}};
        if (poll(both, 2, -1) < 0 && errno != EINTR) {
            reha_log(REHA_LOG_ERROR, "dicom.deaf", "reason=poll");
            return;
        }
        if (both[1].revents != 0) {
            return;
        }
        if (both[0].revents != 0) {
            take_connection(node);
        }
    }
}

static reha_status check_options(reha_node *node, const reha_node_options *options, reha_error *err)
{
    node_settings *settings = &node->settings;
    const char *title = options->ae_title != NULL ? options->ae_title : "REHASCOPE";
    if (!reha_ae_title_is_valid(title)) {
        return reha_fail(err, REHA_E_ARG, "'%.40s' is no AE title: 1 to 16 characters, no backslash", title);
    }
    (void)snprintf(settings->ae_title, sizeof settings->ae_title, "%s", title);
    settings->limits = options->limits.associations_max > 0 ? options->limits : reha_node_limits_default();
    if (settings->limits.associations_max > ASSOCIATIONS_MAX) {
        return reha_fail(err, REHA_E_ARG, "at most %d associations at once", ASSOCIATIONS_MAX);
    }
    if (options->peers_file != NULL) {
        return node_peers_load(options->peers_file, settings, err);
    }
    if (options->address != NULL && !reha_listen_is_loopback(options->address)) {
        return reha_fail(err, REHA_E_ARG,
                         "others can reach the DICOM node at %s: say who may send, with --dicom-peers FILE",
                         options->address);
    }
    return REHA_OK;
}

/* Tried once now, so that a wrong file is told at the start. */
static reha_status keep_tls(node_settings *settings, const reha_tls_files *files, reha_error *err)
{
    reha_tls *tls = NULL;
    if (files == NULL) {
        return REHA_OK;
    }
    REHA_TRY(reha_tls_open(files, true, &tls, err));
    reha_tls_close(tls);
    settings->certificate = reha_strdup(files->certificate);
    settings->key = reha_strdup(files->key);
    settings->authority = reha_strdup(files->authority);
    settings->has_tls = true;
    return settings->certificate != NULL && settings->key != NULL && settings->authority != NULL
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for paths");
}

reha_status reha_node_open(reha_clinic *clinic, const reha_node_options *options, reha_node **out,
                           reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    reha_node *node = reha_alloc_zero(1, sizeof *node);
    if (node == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the DICOM node");
    }
    node->listener = node->stop[0] = node->stop[1] = -1;
    node->settings.clinic = clinic;
    REHA_CHECK(check_options(node, options, err));
    if (options->program != NULL) {
        node->settings.program = reha_strdup(options->program);
        status = node->settings.program != NULL ? REHA_OK
                                                : reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    } else {
        status = reha_program_path(&node->settings.program, err);
    }
    REHA_CHECK(status);
    REHA_CHECK(keep_tls(&node->settings, options->tls, err));
    REHA_CHECK(reha_network_prepare(err)); /* what its processes will need is missing: say it now */
    REHA_CHECK(reha_mutex_new(&node->lock, err));
    REHA_CHECK(reha_listen_open(options->address != NULL ? options->address : "127.0.0.1", options->port,
                                &node->listener, &node->port, err));
    if (pipe(node->stop) != 0 || fcntl(node->stop[0], F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(node->stop[1], F_SETFD, FD_CLOEXEC) != 0) {
        status = reha_fail(err, REHA_E_IO, "no pipe for the DICOM node: %s", strerror(errno));
        goto done;
    }
    REHA_CHECK(reha_thread_start(accept_all, node, &node->acceptor, err));
    reha_log(REHA_LOG_INFO, "dicom.start", "port=%d peers=%zu tls=%d", node->port, node->settings.peer_count,
             node->settings.has_tls ? 1 : 0);
    *out = node;
    node = NULL;
done:
    reha_node_close(node);
    return status;
}

int reha_node_port(const reha_node *node)
{
    return node->port;
}

const char *reha_node_title(const reha_node *node)
{
    return node->settings.ae_title;
}

static void end_associations(reha_node *node)
{
    reha_mutex_lock(node->lock);
    node->is_closing = true;
    for (size_t i = 0; i < sizeof node->seats / sizeof node->seats[0]; i++) {
        if (node->seats[i].thread != NULL && node->seats[i].pid > 0) {
            (void)kill(node->seats[i].pid, SIGKILL);
        }
    }
    reha_mutex_unlock(node->lock);
    for (size_t i = 0; i < sizeof node->seats / sizeof node->seats[0]; i++) {
        reha_thread_join(node->seats[i].thread);
    }
}

void reha_node_close(reha_node *node)
{
    if (node == NULL) {
        return;
    }
    if (node->stop[1] >= 0) {
        (void)close(node->stop[1]);
    }
    reha_thread_join(node->acceptor);
    if (node->acceptor != NULL) {
        end_associations(node);
    }
    if (node->stop[0] >= 0) {
        (void)close(node->stop[0]);
    }
    if (node->listener >= 0) {
        (void)close(node->listener);
    }
    reha_mutex_free(node->lock);
    reha_free(node->settings.program);
    reha_free(node->settings.peers);
    reha_free(node->settings.certificate);
    reha_free(node->settings.key);
    reha_free(node->settings.authority);
    reha_free(node);
}
