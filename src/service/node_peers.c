/* Who may send images: the file of peers, and the verdict on a caller. */
#include "service/node_priv.h"

#include "base/json.h"
#include "base/memory.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool node_address(const char *text, char out[NODE_ADDRESS_BYTES])
{
    struct in_addr v4;
    struct in6_addr v6;
    out[0] = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1) {
        return inet_ntop(AF_INET, &v4, out, NODE_ADDRESS_BYTES) != NULL;
    }
    if (inet_pton(AF_INET6, text, &v6) != 1) {
        return false;
    }
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        return inet_ntop(AF_INET, &v6.s6_addr[12], out, NODE_ADDRESS_BYTES) != NULL;
    }
    return inet_ntop(AF_INET6, &v6, out, NODE_ADDRESS_BYTES) != NULL;
}

static reha_status read_peer(const json_t *from, size_t number, node_peer *out, reha_error *err)
{
    const char *title = reha_json_string(from, "ae_title", NULL);
    const char *address = reha_json_string(from, "address", NULL);
    const json_t *value = NULL;
    const char *key = NULL;
    json_object_foreach((json_t *)from, key, value)
    {
        if (strcmp(key, "ae_title") != 0 && strcmp(key, "address") != 0 && strcmp(key, "note") != 0) {
            return reha_fail(err, REHA_E_ARG,
                             "peer %zu: there is no '%.40s'; members are ae_title, address, note", number,
                             key);
        }
    }
    if (title == NULL || !reha_ae_title_is_valid(title)) {
        return reha_fail(err, REHA_E_ARG, "peer %zu: 'ae_title' must have 1 to 16 characters", number);
    }
    if ((address == NULL && json_object_get(from, "address") != NULL) ||
        (address != NULL && !node_address(address, out->address))) {
        return reha_fail(err, REHA_E_ARG,
                         "peer %zu: 'address' must be a number such as 192.168.1.20, or be left out", number);
    }
    (void)snprintf(out->ae_title, sizeof out->ae_title, "%s", title);
    return REHA_OK;
}

reha_status node_peers_load(const char *path, node_settings *settings, reha_error *err)
{
    json_t *file = NULL;
    const json_t *peers = NULL;
    reha_status status = REHA_OK;
    REHA_CHECK(reha_json_load(path, &file, err)); /* its text begins with the path */
    status = reha_json_need_array(file, "peers", 0, &peers, err);
    if (status == REHA_OK && (json_array_size(peers) == 0 || json_array_size(peers) > NODE_PEERS_MAX)) {
        status = reha_fail(err, REHA_E_ARG, "'peers' must have 1 to %d entries", NODE_PEERS_MAX);
    }
    if (status == REHA_OK) {
        settings->peers = reha_alloc_zero(json_array_size(peers), sizeof *settings->peers);
        status = settings->peers != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for peers");
    }
    for (size_t i = 0; status == REHA_OK && i < json_array_size(peers); i++) {
        status = read_peer(json_array_get(peers, i), i + 1, &settings->peers[i], err);
        settings->peer_count++;
    }
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
    }
    settings->has_peers = status == REHA_OK;
done:
    json_decref(file);
    return status;
}

reha_association_verdict node_judge(const node_settings *settings, const char *address, bool is_busy,
                                    const char *calling, const char *called)
{
    bool is_known = !settings->has_peers; /* then only this machine can reach us */
    for (size_t i = 0; i < settings->peer_count; i++) {
        const node_peer *peer = &settings->peers[i];
        is_known = is_known || (strcmp(peer->ae_title, calling) == 0 &&
                                (peer->address[0] == '\0' || strcmp(peer->address, address) == 0));
    }
    if (!is_known) {
        return REHA_ASSOCIATION_UNKNOWN_CALLER;
    }
    if (strcmp(settings->ae_title, called) != 0) {
        return REHA_ASSOCIATION_WRONG_NAME;
    }
    return is_busy ? REHA_ASSOCIATION_BUSY : REHA_ASSOCIATION_ACCEPT;
}
