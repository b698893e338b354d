#include "support.h"

#include "base/listen.h"
#include "base/memory.h"
#include "web/route.h"
#include "web/thumbs_priv.h"
#include "web/watch_priv.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const reha_route table[] = {{.method = REHA_HTTP_GET, .pattern = "/a"},
                                   {.method = REHA_HTTP_GET, .pattern = "/a/counts"},
                                   {.method = REHA_HTTP_GET, .pattern = "/a/{id}"},
                                   {.method = REHA_HTTP_PUT, .pattern = "/a/{id}"},
                                   {.method = REHA_HTTP_GET, .pattern = "/a/{id}/b/{name}"}};

static reha_route_match find(reha_http_method method, const char *path)
{
    return reha_route_find(table, sizeof table / sizeof table[0], method, path);
}

static void test_found(void **state)
{
    (void)state;
    assert_ptr_equal(find(REHA_HTTP_GET, "/a").route, &table[0]);
    assert_ptr_equal(find(REHA_HTTP_GET, "/a/counts").route, &table[1]); /* the fixed name before {id} */
    reha_route_match match = find(REHA_HTTP_PUT, "/a/01-x_Y.z");
    assert_ptr_equal(match.route, &table[3]);
    assert_string_equal(match.params[0], "01-x_Y.z");
    match = find(REHA_HTTP_GET, "/a/1/b/map-0");
    assert_ptr_equal(match.route, &table[4]);
    assert_string_equal(match.params[1], "map-0");
}

static void test_not_found(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "/",          "/a/",         "/a//",     "/b",    "a",      "/a/x/",
        "/a/x/b",    "/a/x/b/",    "/a/x y",      "/a/x%2f",  "/a/..", "/a/.",   "/a/../b/x",
        "/a/x/b/..", "/a/x/b/y/z", "/a/\xc3\xa9", "/a/x/c/y", "/A",    "/a/x;y", "/a/{id}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const reha_route_match match = find(REHA_HTTP_GET, bad[i]);
        assert_null(match.route);
        assert_false(match.is_known_path);
    }
    char longest[200] = "/a/";
    memset(longest + 3, 'x', REHA_PARAM_BYTES - 1);
    longest[3 + REHA_PARAM_BYTES - 1] = '\0';
    assert_non_null(find(REHA_HTTP_GET, longest).route);
    memset(longest + 3, 'x', REHA_PARAM_BYTES);
    longest[3 + REHA_PARAM_BYTES] = '\0';
    assert_null(find(REHA_HTTP_GET, longest).route);
}

static void test_other_method(void **state)
{
    (void)state;
    const reha_route_match match = find(REHA_HTTP_DELETE, "/a/1");
    assert_null(match.route);
    assert_true(match.is_known_path);
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const near[] = {"127.0.0.1", "127.9.9.9", "::1"};
    static const char *const far[] = {"0.0.0.0", "::",      "10.0.0.1",  "localhost",
                                      "",        "127.0.0", "128.0.0.1", "::ffff:10.0.0.1"};
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
        assert_true(reha_listen_is_loopback(near[i]));
    }
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        assert_false(reha_listen_is_loopback(far[i]));
    }
}

static void test_a_taken_port_is_named(void **state)
{
    (void)state;
    int first = -1;
    int second = -1;
    int port = 0;
    int other = 0;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_listen_open("127.0.0.1", 0, &first, &port, &err), &err);
    assert_in_range(port, 1, 65535);
    assert_int_equal(reha_listen_open("127.0.0.1", port, &second, &other, &err), REHA_E_CONFLICT);
    assert_non_null(strstr(err.text, "in use"));
    assert_int_equal(second, -1);
    assert_int_equal(reha_listen_open("nowhere", 0, &second, &other, &err), REHA_E_ARG);
    (void)close(first);
}

static void test_late_connections_are_cut(void **state)
{
    (void)state;
    int early[2];
    int late[2];
    char byte = 0;
    reha_watch watch;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_watch_init(&watch, &err), &err);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, early), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, late), 0);
    reha_link *a = reha_watch_add(&watch, early[0], 100.0);
    reha_link *b = reha_watch_add(&watch, late[0], 1000.0);
    assert_int_equal(reha_watch_cut(&watch, 50.0), 0);
    assert_int_equal(reha_watch_cut(&watch, 500.0), 1);
    assert_int_equal(reha_watch_cut(&watch, 500.0), 0); /* once is enough */
    assert_int_equal(read(early[1], &byte, 1), 0);      /* the other end sees the end */
    assert_int_equal(write(late[1], "x", 1), 1);
    assert_int_equal(read(late[0], &byte, 1), 1);
    reha_watch_set(&watch, b, 2000.0);
    assert_int_equal(reha_watch_cut(&watch, 1500.0), 0);
    reha_watch_set(&watch, NULL, 1.0);
    reha_watch_drop(&watch, a);
    reha_watch_drop(&watch, NULL);
    reha_watch_clear(&watch); /* takes the rest along */
    for (int i = 0; i < 2; i++) {
        (void)close(early[i]);
        (void)close(late[i]);
    }
}

static void test_small_pictures_are_kept(void **state)
{
    (void)state;
    reha_thumbs *thumbs = NULL;
    uint8_t *out = NULL;
    size_t count = 0;
    reha_error err = REHA_ERROR_INIT;
    uint8_t picture[100] = {7};
    assert_ok(reha_thumbs_new(800, &thumbs, &err), &err);
    assert_false(reha_thumbs_get(thumbs, "a", &out, &count));
    for (char name[2] = "a"; name[0] <= 'h'; name[0]++) { /* eight fill it */
        picture[0] = (uint8_t)name[0];
        reha_thumbs_put(thumbs, name, picture, sizeof picture);
    }
    assert_true(reha_thumbs_get(thumbs, "a", &out, &count)); /* used: b is the oldest now */
    assert_int_equal(count, sizeof picture);
    assert_int_equal(out[0], 'a');
    reha_free(out);
    reha_thumbs_put(thumbs, "i", picture, sizeof picture);
    assert_false(reha_thumbs_get(thumbs, "b", &out, &count));
    assert_null(out);
    assert_true(reha_thumbs_get(thumbs, "a", &out, &count));
    reha_free(out);
    reha_thumbs_put(thumbs, "a", picture, 50); /* in place of the former */
    assert_true(reha_thumbs_get(thumbs, "a", &out, &count));
    assert_int_equal(count, 50);
    reha_free(out);
    reha_thumbs_put(thumbs, "large", picture, 101); /* over an eighth of the room */
    assert_false(reha_thumbs_get(thumbs, "large", &out, &count));
    reha_thumbs_put(thumbs, "none", picture, 0);
    assert_false(reha_thumbs_get(thumbs, "none", &out, &count));
    reha_thumbs_free(thumbs);
    reha_thumbs_free(NULL);
    assert_int_equal(reha_mem_live_blocks(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_found),
                                       cmocka_unit_test(test_not_found),
                                       cmocka_unit_test(test_other_method),
                                       cmocka_unit_test(test_addresses),
                                       cmocka_unit_test(test_a_taken_port_is_named),
                                       cmocka_unit_test(test_late_connections_are_cut),
                                       cmocka_unit_test(test_small_pictures_are_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
