/* The DICOM node: who may send, objects from our own caller to our own node, and its limits made small. */
#include "clinic_support.h"

#include "base/clock.h"
#include "dicom/write.h"
#include "service/node_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static reha_status load(node_settings *settings, const char *text, reha_error *err)
{
    char path[] = "/tmp/reha-peers-XXXXXX";
    const int fd = mkstemp(path);
    *settings = (node_settings){.clinic = NULL};
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
    const reha_status status = node_peers_load(path, settings, err);
    assert_int_equal(unlink(path), 0);
    return status;
}

static void test_who_may_send(void **state)
{
    node_settings settings;
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    assert_ok(
        load(
            &settings,
            "{\"peers\":[{\"ae_title\":\"CT1\",\"address\":\"10.0.0.5\"},{\"ae_title\":\"PACS\",\"note\":\"x\"},"
            "{\"ae_title\":\"US\",\"address\":\"2001:DB8::1\"}]}",
            &err),
        &err);
    (void)snprintf(settings.ae_title, sizeof settings.ae_title, "CLINIC");
    assert_int_equal(node_judge(&settings, "10.0.0.5", false, "CT1", "CLINIC"), REHA_ASSOCIATION_ACCEPT);
    assert_int_equal(node_judge(&settings, "10.0.0.6", false, "CT1", "CLINIC"),
                     REHA_ASSOCIATION_UNKNOWN_CALLER);
    assert_int_equal(node_judge(&settings, "10.0.0.6", false, "PACS", "CLINIC"), REHA_ASSOCIATION_ACCEPT);
    assert_int_equal(node_judge(&settings, "2001:db8::1", false, "US", "CLINIC"), REHA_ASSOCIATION_ACCEPT);
    assert_int_equal(node_judge(&settings, "10.0.0.5", false, "ct1", "CLINIC"),
                     REHA_ASSOCIATION_UNKNOWN_CALLER);
    assert_int_equal(node_judge(&settings, "10.0.0.5", false, "", ""), REHA_ASSOCIATION_UNKNOWN_CALLER);
    assert_int_equal(node_judge(&settings, "10.0.0.5", false, "CT1", "OTHER"), REHA_ASSOCIATION_WRONG_NAME);
    assert_int_equal(node_judge(&settings, "10.0.0.5", true, "CT1", "CLINIC"), REHA_ASSOCIATION_BUSY);
    /* A stranger learns nothing of how busy we are. */
    assert_int_equal(node_judge(&settings, "10.0.0.5", true, "X", "CLINIC"), REHA_ASSOCIATION_UNKNOWN_CALLER);
    reha_free(settings.peers);
}

static void test_addresses_have_one_spelling(void **state)
{
    char out[NODE_ADDRESS_BYTES];
    (void)state;
    assert_true(node_address("::ffff:10.0.0.5", out));
    assert_string_equal(out, "10.0.0.5");
    assert_true(node_address("2001:0DB8:0::1", out));
    assert_string_equal(out, "2001:db8::1");
    assert_false(node_address("clinic.example", out));
    assert_false(node_address("10.0.0", out));
}

static void test_files_of_peers_that_do_not_do(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"peers\":[]}",
        "{\"peers\":{}}",
        "{\"peers\":[{}]}",
        "{\"peers\":[{\"ae_title\":\"\"}]}",
        "{\"peers\":[{\"ae_title\":\"CT1\",\"address\":\"ct1.clinic\"}]}",
        "{\"peers\":[{\"ae_title\":\"CT1\",\"address\":7}]}",
        "{\"peers\":[{\"ae_title\":\"CT1\",\"adress\":\"10.0.0.5\"}]}",
        "{\"peers\":[7]}",
        "peers",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        node_settings settings;
        reha_error err = REHA_ERROR_INIT;
        assert_int_not_equal(load(&settings, bad[i], &err), REHA_OK);
        assert_non_null(strstr(err.text, "reha-peers-"));
        assert_false(settings.has_peers);
        reha_free(settings.peers);
    }
}

/* ---- a node ---- */

typedef struct fate {
    int count;
    reha_status status;
    char text[REHA_ERROR_TEXT_BYTES];
} fate;

static void keep_fate(void *context, size_t file_idx, reha_status status, const char *text)
{
    fate *out = context;
    (void)file_idx;
    out->count++;
    out->status = status;
    (void)snprintf(out->text, sizeof out->text, "%s", text);
}

static reha_node *open_node(reha_clinic *clinic, const reha_node_limits *limits)
{
    reha_error err = REHA_ERROR_INIT;
    reha_node *node = NULL;
    const reha_node_options how = {.limits = *limits};
    assert_ok(reha_node_open(clinic, &how, &node, &err), &err);
    assert_string_equal(reha_node_title(node), "REHASCOPE");
    return node;
}

static reha_remote remote_of(const reha_node *node)
{
    return (reha_remote){.ae_title = "REHASCOPE", .host = "127.0.0.1", .port = reha_node_port(node)};
}

/* From the disk, or as bytes. */
static fate send_file(const reha_node *node, const reha_outgoing *file)
{
    const reha_remote remote = remote_of(node);
    const reha_call call = {.remote = &remote, .own_title = "TEST", .connect_s = 10.0, .answer_s = 60.0};
    reha_error err = REHA_ERROR_INIT;
    fate out = {.count = 0};
    assert_ok(reha_remote_store(&call, file, 1, keep_fate, &out, &err), &err);
    assert_int_equal(out.count, 1);
    return out;
}

static void test_from_our_caller_to_our_node(void **state)
{
    test_home home;
    reha_error err = REHA_ERROR_INIT;
    reha_node_limits limits = reha_node_limits_default();
    static uint8_t pixels[64 * 64];
    char path[128];
    json_t *out = NULL;
    uint8_t *bytes = NULL;
    size_t count = 0;
    (void)state;
    open_home(&home, false);
    (void)snprintf(path, sizeof path, "%s/one.dcm", home.path);
    reha_dicom_image image = reha_dicom_image_empty();
    image.width_px = image.height_px = 64;
    image.bits_stored = 8;
    image.pixels = pixels;
    (void)snprintf(image.facts.modality, sizeof image.facts.modality, "DX");
    assert_ok(reha_dicom_save_image(&image, path, &err), &err);

    reha_node *node = open_node(home.clinic, &limits);
    const reha_remote remote = remote_of(node);
    const reha_call call = {.remote = &remote, .own_title = "TEST"};
    assert_ok(reha_remote_echo(&call, &err), &err);
    const reha_outgoing file = {.path = path};
    fate got = send_file(node, &file);
    assert_int_equal(got.status, REHA_OK);
    got = send_file(node, &file); /* known: acknowledged, too */
    assert_int_equal(got.status, REHA_OK);
    assert_ok(reha_file_load(path, 1 << 20, &bytes, &count, &err), &err);
    const reha_outgoing same = {.bytes = bytes, .count = count};
    got = send_file(node, &same);
    assert_int_equal(got.status, REHA_OK);
    const reha_outgoing cut = {.bytes = bytes, .count = count / 2};
    got = send_file(node, &cut);
    assert_int_equal(got.status, REHA_E_FORMAT);
    reha_node_close(node);
    /* What was acknowledged is there, once. */
    const reha_actor local = reha_actor_local();
    const reha_upload_options options = {.file_name = "one.dcm"};
    assert_ok(upload_bytes(home.clinic, &local, &options, bytes, count, &out, &err), &err);
    assert_string_equal(item_text(out, 0, "outcome"), "duplicate");
    json_decref(out);
    reha_free(bytes);

    /* Too large: the caller is told so, and may go on. */
    limits.association.object_bytes_max = 1000;
    node = open_node(home.clinic, &limits);
    assert_ok(reha_dicom_save_image(&image, path, &err), &err); /* another instance */
    got = send_file(node, &file);
    assert_int_equal(got.status, REHA_E_REFUSED);
    assert_non_null(strstr(got.text, "A700H"));
    assert_non_null(strstr(got.text, "larger than"));
    reha_node_close(node);
    close_home(&home);
}

static int connect_to(const reha_node *node)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)reha_node_port(node))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(peer >= 0);
    assert_int_equal(connect(peer, (const struct sockaddr *)&to, sizeof to), 0);
    return peer;
}

/* However busy the machine: nothing is measured by it. */
static const double PATIENCE_S = 120.0;

static bool is_hung_up_on(int peer)
{
    char rest[256];
    const struct timeval patience = {.tv_sec = (time_t)PATIENCE_S};
    ssize_t count = 1;
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    while (count > 0) {
        count = recv(peer, rest, sizeof rest, 0);
    }
    return count == 0 || errno == ECONNRESET;
}

/* A peer sees the end a moment before its place is free. */
static void echo_soon(const reha_call *call)
{
    const double from_ms = reha_clock_ms();
    reha_error err = REHA_ERROR_INIT;
    reha_status status = reha_remote_echo(call, &err);
    while (status == REHA_E_BUSY && reha_clock_ms() - from_ms < 1000.0 * PATIENCE_S) {
        status = reha_remote_echo(call, &err);
    }
    assert_ok(status, &err);
}

static void test_limits(void **state)
{
    test_home home;
    reha_error err = REHA_ERROR_INIT;
    reha_node_limits limits = reha_node_limits_default();
    (void)state;
    open_home(&home, false);
    limits.associations_max = 1;
    limits.association.request_s = 10.0 * PATIENCE_S;
    reha_node *node = open_node(home.clinic, &limits);
    const reha_remote remote = remote_of(node);
    const reha_call call = {.remote = &remote, .own_title = "TEST"};
    const int first = connect_to(node);
    /* One is served: the second is told to come later, and does. */
    assert_int_equal(reha_remote_echo(&call, &err), REHA_E_BUSY);
    assert_non_null(strstr(err.text, "busy"));
    (void)close(first);
    echo_soon(&call);
    /* It is closed while somebody is connected, and does not wait for them. */
    const int late = connect_to(node);
    reha_node_close(node);
    assert_true(is_hung_up_on(late));
    (void)close(late);
    /* Who says nothing is hung up on. */
    limits.association.request_s = 1.0;
    node = open_node(home.clinic, &limits);
    const int silent = connect_to(node);
    assert_true(is_hung_up_on(silent));
    (void)close(silent);
    reha_node_close(node);
    close_home(&home);
}

static void test_those_turned_away_take_no_place(void **state)
{
    test_home home;
    reha_error err = REHA_ERROR_INIT;
    reha_node_limits limits = reha_node_limits_default();
    (void)state;
    open_home(&home, false);
    limits.associations_max = 1;
    limits.association.request_s = 10.0 * PATIENCE_S;
    reha_node *node = open_node(home.clinic, &limits);
    const reha_remote remote = remote_of(node);
    const reha_call call = {.remote = &remote, .own_title = "TEST"};
    const int served = connect_to(node);
    const int turned_away[] = {connect_to(node), connect_to(node)};
    assert_int_equal(reha_remote_echo(&call, &err), REHA_E_BUSY);
    (void)close(served);
    echo_soon(&call); /* though the two are still connected */
    reha_node_close(node);
    (void)close(turned_away[0]);
    (void)close(turned_away[1]);
    close_home(&home);
}

static void test_options_that_do_not_do(void **state)
{
    test_home home;
    reha_error err = REHA_ERROR_INIT;
    reha_node *node = NULL;
    (void)state;
    open_home(&home, false);
    const reha_node_options far = {.address = "0.0.0.0"};
    const reha_node_options title = {.ae_title = "BACK\\SLASH"};
    const reha_node_options crowd = {.limits = {.associations_max = 65}};
    const reha_node_options absent = {.peers_file = "/nowhere/peers.json"};
    assert_int_equal(reha_node_open(home.clinic, &far, &node, &err), REHA_E_ARG);
    assert_int_equal(reha_node_open(home.clinic, &title, &node, &err), REHA_E_ARG);
    assert_int_equal(reha_node_open(home.clinic, &crowd, &node, &err), REHA_E_ARG);
    assert_int_not_equal(reha_node_open(home.clinic, &absent, &node, &err), REHA_OK);
    assert_null(node);
    close_home(&home);
}

int main(int argc, char **argv)
{
    const int code = clinic_worker(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may_send),
        cmocka_unit_test(test_addresses_have_one_spelling),
        cmocka_unit_test(test_files_of_peers_that_do_not_do),
        cmocka_unit_test(test_from_our_caller_to_our_node),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_those_turned_away_take_no_place),
        cmocka_unit_test(test_options_that_do_not_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
