/* The server on a real socket: what a browser, a slow client and a flood of connections get. */
#include "wire.h"

#define HEALTH_END "\"failed_s\":null}}" /* of the answer to /health where no archive is configured */

static int open_server(void **state)
{
    return open_wire(
        state, (reha_server_options){.connections_per_client = 12, .head_s = 0.2, .idle_s = PATIENCE_S});
}

static void test_one_connection_many_requests(void **state)
{
    (void)state;
    char answer[8192];
    const int fd = dial();
    for (int i = 0; i < 3; i++) {
        say(fd, "GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        hear(fd, HEALTH_END, answer, sizeof answer);
        assert_non_null(strstr(answer, "HTTP/1.1 200"));
        assert_non_null(strstr(answer, "X-Request-Id: "));
        assert_non_null(strstr(answer, "Content-Security-Policy: default-src 'none'"));
        assert_null(strstr(answer, "unsafe"));
        assert_null(strstr(answer, "Connection: close"));
    }
    (void)close(fd);
}

static void test_pages_and_what_is_none(void **state)
{
    (void)state;
    static const char *const asked[][2] = {
        {"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "200"},
        {"HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "200"},
        {"GET /none.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "404"},
        {"GET /../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "404"},
        {"GET /%2e%2e/key HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "404"},
        {"DELETE / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "405"},
        {"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\nabcde", "405"},
        {"GET /api/v1/studies HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "401"},
        {"GET /api/v1/health HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421"}};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        char answer[4096];
        char expected[32];
        const int fd = dial();
        say(fd, asked[i][0]);
        hear(fd, "\r\n\r\n", answer, sizeof answer);
        (void)snprintf(expected, sizeof expected, "HTTP/1.1 %s", asked[i][1]);
        if (strncmp(answer, expected, strlen(expected)) != 0) {
            fail_msg("%s: %.60s", asked[i][0], answer);
        }
        (void)close(fd);
    }
}

static void test_nonsense_is_refused(void **state)
{
    (void)state;
    char *large = malloc(70000);
    char answer[4096];
    (void)snprintf(large, 70000, "GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Large: ");
    memset(large + strlen(large), 'x', 60000);
    (void)snprintf(large + 60040, 20, "\r\n\r\n");
    const char *const bad[] = {
        large,
        "\r\n\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        "POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999999999\r\n\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const int fd = dial();
        say(fd, bad[i]);
        (void)shutdown(fd, SHUT_WR);
        hear(fd, "\r\n\r\n", answer, sizeof answer);
        assert_null(strstr(answer, "HTTP/1.1 2")); /* an error or a closed line */
        (void)close(fd);
    }
    free(large);
    const int fd = dial(); /* and the next one is served */
    say(fd, "GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    hear(fd, HEALTH_END, answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    (void)close(fd);
}

static void test_a_refused_body_is_not_waited_for(void **state)
{
    (void)state;
    char answer[4096];
    const int fd = dial();
    say(fd, "POST /api/v1/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500000000\r\n\r\n");
    hear(fd, "}}", answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 401"));
    assert_non_null(strstr(answer, "Connection: close"));
    (void)close(fd);
}

static void test_drops_of_a_head_are_cut(void **state)
{
    (void)state;
    char answer[256];
    int cut = 0;
    const int slow = dial();
    say(slow, "GET /api/v1/health HTTP/1.1\r\n");
    for (int i = 0; i < PAUSES && cut == 0; i++) { /* each drop would please an inactivity timeout */
        wait_ms(PAUSE_MS);
        say(slow, "X: y\r\n");
        cut = reha_server_tick(server);
    }
    assert_true(cut >= 1);
    hear(slow, "never", answer, sizeof answer);
    assert_null(strstr(answer, "200"));
    (void)close(slow);
}

/* The server learns by itself, some time later, that a connection is gone and its place free. */
static void wait_for_a_place(void)
{
    char answer[4096] = "";
    for (int i = 0; i < PAUSES && strstr(answer, "HTTP/1.1 200") == NULL; i++) {
        const int fd = dial();
        say(fd, "GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        hear(fd, HEALTH_END, answer, sizeof answer);
        (void)close(fd);
        wait_ms(PAUSE_MS);
    }
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
}

static void test_one_client_cannot_take_all(void **state)
{
    (void)state;
    int held[20];
    int served = 0;
    wait_for_a_place();
    for (int i = 0; i < 20; i++) {
        held[i] = dial();
        say(held[i], "GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    }
    for (int i = 0; i < 20; i++) {
        char answer[4096];
        hear(held[i], HEALTH_END, answer, sizeof answer);
        served += strstr(answer, "HTTP/1.1 200") != NULL ? 1 : 0;
    }
    assert_in_range(served, 1, 12);
    for (int i = 0; i < 20; i++) {
        (void)close(held[i]);
    }
    wait_for_a_place();
}

static void test_events_are_streamed(void **state)
{
    const bench *b = *state;
    char text[1024];
    char answer[8192];
    const int fd = dial();
    (void)snprintf(text, sizeof text, "GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: %s\r\n\r\n",
                   b->accounts[REHA_ROLE_ADMINISTRATOR].cookie);
    say(fd, text);
    hear(fd, "\"items\":[]", answer, sizeof answer);
    assert_non_null(strstr(answer, "text/event-stream"));
    assert_non_null(strstr(answer, "event: changes"));
    assert_non_null(strstr(answer, "\nid: "));
    (void)close(fd);
}

static void test_plain_http_is_for_this_machine(void **state)
{
    const bench *b = *state;
    static const char *const reachable[] = {"0.0.0.0", "::", "192.0.2.1"};
    reha_error err = REHA_ERROR_INIT;
    reha_server *other = NULL;
    for (size_t i = 0; i < sizeof reachable / sizeof reachable[0]; i++) {
        const reha_server_options options = {.address = reachable[i]};
        assert_int_equal(reha_server_open(b->web, &options, &other, &err), REHA_E_ARG);
        assert_null(other);
        assert_non_null(strstr(err.text, "--tls-cert"));
    }
    const reha_server_options half = {.certificate = "cert.pem"};
    assert_int_equal(reha_server_open(b->web, &half, &other, &err), REHA_E_ARG);
    const reha_server_options none = {.certificate = "/no/cert.pem", .key = "/no/key.pem"};
    assert_int_equal(reha_server_open(b->web, &none, &other, &err), REHA_E_NOT_FOUND);
    const reha_server_options taken = {.port = reha_server_port(server)};
    assert_int_equal(reha_server_open(b->web, &taken, &other, &err), REHA_E_CONFLICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_connection_many_requests),
                                       cmocka_unit_test(test_pages_and_what_is_none),
                                       cmocka_unit_test(test_nonsense_is_refused),
                                       cmocka_unit_test(test_a_refused_body_is_not_waited_for),
                                       cmocka_unit_test(test_drops_of_a_head_are_cut),
                                       cmocka_unit_test(test_one_client_cannot_take_all),
                                       cmocka_unit_test(test_events_are_streamed),
                                       cmocka_unit_test(test_plain_http_is_for_this_machine)};
    return cmocka_run_group_tests(tests, open_server, close_wire);
}
