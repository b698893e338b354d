/* The lock, and what the asking side does when the process behind it is hostile, dies or hangs. */
#include "clinic_support.h"

#include "service/sandbox_child_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zip.h>

#if defined(__SANITIZE_ADDRESS__)
static const bool is_sanitized = true;
#else
static const bool is_sanitized = false;
#endif

/* ---- the lock ---- */

typedef void (*attempt)(void);

/* How a process ends that locks itself in and then tries something: exit code, or 1000 + the signal. */
static int ends_within(sandbox_reach reach, attempt try_it)
{
    int how = 0;
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        if (sandbox_lock_down((size_t)512 << 20, 1.0, reach, NULL) != REHA_OK) {
            _exit(99);
        }
        try_it();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    return WIFSIGNALED(how) ? 1000 + WTERMSIG(how) : WEXITSTATUS(how);
}

static int ends_with(attempt try_it)
{
    return ends_within(SANDBOX_ALONE, try_it);
}

static void try_files(void)
{
    if (open("/etc/passwd", O_RDONLY) >= 0 || open("/tmp/reha-escape", O_CREAT | O_WRONLY, 0600) >= 0) {
        _exit(1);
    }
    if (rename("/tmp/a", "/tmp/b") == 0 || mkfifo("/tmp/reha-escape", 0600) == 0 || chdir("/") == 0) {
        _exit(2);
    }
}

static void try_socket(void)
{
    (void)socket(AF_INET, SOCK_STREAM, 0);
}

static void try_program(void)
{
    char *const arguments[] = {"sh", NULL};
    (void)execv("/bin/sh", arguments);
}

static void try_process(void)
{
    if (fork() >= 0) {
        _exit(1);
    }
}

static void try_kill(void)
{
    (void)kill(getppid(), 0);
}

static void try_memory(void)
{
    volatile char *block = malloc((size_t)1 << 30); /* the limit is 512 MiB */
    if (block != NULL) {
        block[0] = 1;
        _exit(1);
    }
}

static void try_time(void)
{
    for (volatile unsigned long i = 0;; i++) {
    }
}

static void do_work(void)
{
    char *block = malloc(1 << 22);
    if (block == NULL) {
        _exit(1);
    }
    memset(block, 1, 1 << 22);
    free(block);
}

static void test_the_lock_holds(void **state)
{
    (void)state;
    assert_int_equal(ends_with(do_work), 0);
    assert_int_equal(ends_with(try_files), 0);
    assert_int_equal(ends_with(try_socket), 1000 + SIGSYS);
    assert_int_equal(ends_with(try_program), 1000 + SIGSYS);
    assert_int_equal(ends_with(try_process), 0);
    assert_int_equal(ends_with(try_kill), 1000 + SIGSYS);
    if (!is_sanitized) { /* the sanitizer reserves terabytes of addresses: no limit there */
        assert_int_equal(ends_with(try_memory), 0);
    }
    const int ended = ends_with(try_time);
    assert_true(ended == 1000 + SIGXCPU || ended == 1000 + SIGKILL);
}

static void talk(void)
{
    struct pollfd one = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&one, 1, 0) < 0) {
        _exit(1);
    }
}

/* Who serves an association may wait for its connection, and no more than others. */
static void test_the_lock_of_a_connection_holds(void **state)
{
    (void)state;
    assert_int_equal(ends_within(SANDBOX_CONNECTED, talk), 0);
    assert_int_equal(ends_within(SANDBOX_ALONE, talk), 1);
    assert_int_equal(ends_within(SANDBOX_CONNECTED, try_files), 0);
    assert_int_equal(ends_within(SANDBOX_CONNECTED, try_socket), 1000 + SIGSYS);
    assert_int_equal(ends_within(SANDBOX_CONNECTED, try_program), 1000 + SIGSYS);
    assert_int_equal(ends_within(SANDBOX_CONNECTED, try_process), 0);
    assert_int_equal(ends_within(SANDBOX_CONNECTED, try_kill), 1000 + SIGSYS);
}

/* ---- hostile workers ---- */

enum { HOSTILE_MIB = 777, LINK_FD = STDIN_FILENO, WALL_S = 10, HANG_S = 3600 };

/* A worker that misbehaves as the request's "how" says. */
static int hostile_worker(void)
{
    char go = '\0';
    wire_message request;
    json_t *hello = json_pack("{s:b}", "ready", 1);
    int code = wire_send(LINK_FD, hello, NULL, 0, (double)INFINITY, NULL) == REHA_OK ? 0 : 1;
    json_decref(hello);
    while (code == 0 && recv(LINK_FD, &go, 1, 0) == 1) {
        if (wire_receive(LINK_FD, 1 << 20, (double)INFINITY, &request, NULL) != REHA_OK) {
            return 1;
        }
        const char *how = reha_json_string(request.json, "how", "");
        if (strcmp(how, "crash") == 0) {
            return 100 + SIGSEGV;
        }
        if (strcmp(how, "garbage") == 0) {
            (void)send(LINK_FD, "this is no message, it only looks long enough", 45, 0);
            (void)sleep(HANG_S);
        }
        if (strcmp(how, "huge") == 0) {
            const wire_head head = {WIRE_MAGIC, 0xffffffffU, UINT64_MAX};
            (void)send(LINK_FD, &head, sizeof head, 0);
            (void)sleep(HANG_S);
        }
        if (strcmp(how, "half") == 0) {
            const wire_head head = {WIRE_MAGIC, 100, 0};
            (void)send(LINK_FD, &head, sizeof head, 0);
            return 3;
        }
        if (strcmp(how, "hang") == 0) {
            (void)sleep(HANG_S);
        }
        if (strcmp(how, "parts") == 0) {
            sandbox_reply reply = {.fd = LINK_FD};
            for (int i = 0; i < 100; i++) {
                (void)!sandbox_part(&reply, "part", "x", 1, NULL);
            }
        }
        json_t *end = json_pack("{s:{s:s}}", "done", "how", how);
        code = wire_send(LINK_FD, end, NULL, 0, (double)INFINITY, NULL) == REHA_OK ? 0 : 1;
        json_decref(end);
        wire_clear(&request);
    }
    return code;
}

static reha_sandbox *new_sandbox(size_t memory_mib, double wall_s)
{
    reha_error err = REHA_ERROR_INIT;
    reha_sandbox *sandbox = NULL;
    static char program[4096];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    assert_true(length > 0);
    program[length] = '\0';
    const reha_sandbox_options options = {
        .program = program, .memory_bytes = memory_mib << 20, .cpu_s = TEST_PATIENCE_S, .wall_s = wall_s};
    assert_ok(reha_sandbox_new(&options, &sandbox, &err), &err);
    return sandbox;
}

static void test_survives_hostile_workers(void **state)
{
    (void)state;
    static const struct {
        const char *how;
        reha_status status;
        const char *text;
    } cases[] = {{"crash", REHA_E_REFUSED, "a crash while reading"},
                 {"garbage", REHA_E_FORMAT, "makes no sense"},
                 {"huge", REHA_E_FORMAT, "makes no sense"},
                 {"half", REHA_E_REFUSED, "ended without an answer"},
                 {"hang", REHA_E_REFUSED, "for more than"},
                 {"parts", REHA_E_LIMIT, "too many parts"}};
    /* The time is also that of a start: long enough for a busy machine, and shorter than the one that hangs.
     */
    reha_sandbox *sandbox = new_sandbox(HOSTILE_MIB, WALL_S);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_sandbox_answer answer;
        json_t *request = json_pack("{s:s}", "how", cases[i].how);
        assert_int_equal(reha_sandbox_run(sandbox, request, "bytes", 5, NULL, NULL, &answer, &err),
                         cases[i].status);
        if (strstr(err.text, cases[i].text) == NULL) {
            fail_msg("%s: %s", cases[i].how, err.text);
        }
        json_decref(request);
        /* The next request finds a fresh worker. */
        request = json_pack("{s:s}", "how", "well");
        assert_ok(reha_sandbox_run(sandbox, request, "bytes", 5, NULL, NULL, &answer, &err), &err);
        assert_string_equal(reha_json_string(answer.json, "how", ""), "well");
        reha_sandbox_answer_clear(&answer);
        json_decref(request);
    }
    reha_sandbox_free(sandbox);
}

static void test_a_missing_program_is_said(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_sandbox *sandbox = NULL;
    const reha_sandbox_options options = {
        .program = "/no/such/program", .memory_bytes = 1 << 30, .cpu_s = 1.0, .wall_s = 2.0};
    assert_ok(reha_sandbox_new(&options, &sandbox, &err), &err);
    assert_int_equal(reha_sandbox_warm(sandbox, &err), REHA_E_INTERNAL);
    assert_non_null(strstr(err.text, "cannot be started"));
    reha_sandbox_free(sandbox);
}

/* ---- archives ---- */

typedef struct archive_entry {
    const char *name;
    const void *bytes;
    size_t count;
} archive_entry;

static uint8_t *make_zip(const archive_entry *entries, size_t entry_count, size_t *out_bytes)
{
    reha_error err = REHA_ERROR_INIT;
    char path[] = "/tmp/reha-zip-XXXXXX";
    uint8_t *bytes = NULL;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    zip_t *archive = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(archive);
    for (size_t i = 0; i < entry_count; i++) {
        zip_source_t *source = zip_source_buffer(archive, entries[i].bytes, entries[i].count, 0);
        assert_true(zip_file_add(archive, entries[i].name, source, ZIP_FL_ENC_UTF_8) >= 0);
    }
    assert_int_equal(zip_close(archive), 0);
    assert_ok(reha_file_load(path, 1 << 26, &bytes, out_bytes, &err), &err);
    (void)unlink(path);
    return bytes;
}

static reha_status unpack(const uint8_t *bytes, size_t count, double entries_max, double bytes_max,
                          size_t *parts, reha_error *err)
{
    reha_sandbox_answer answer;
    reha_sandbox *sandbox = new_sandbox(4096, TEST_PATIENCE_S);
    json_t *request = json_pack("{s:s, s:f, s:f, s:f}", "op", "unpack", "entries_max", entries_max,
                                "bytes_max", bytes_max, "ratio_max", 200.0);
    const reha_status status = reha_sandbox_run(sandbox, request, bytes, count, NULL, NULL, &answer, err);
    *parts = status == REHA_OK ? answer.part_count : 0;
    reha_sandbox_answer_clear(&answer);
    json_decref(request);
    reha_sandbox_free(sandbox);
    return status;
}

static void test_archives(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    size_t zip_bytes = 0;
    size_t parts = 0;
    knee_png(3, &png, &png_bytes);
    const archive_entry entries[] = {{"DICOM/IM1", png, png_bytes},
                                     {"readme.txt", "hello", 5},
                                     {"../../../etc/cron.d/x", png, png_bytes}}; /* a name is only a name */
    uint8_t *archive = make_zip(entries, 3, &zip_bytes);
    assert_ok(unpack(archive, zip_bytes, 100.0, 1e8, &parts, &err), &err);
    assert_int_equal(parts, 2);
    assert_int_equal(unpack(archive, zip_bytes, 2.0, 1e8, &parts, &err), REHA_E_LIMIT);
    assert_int_equal(unpack(archive, zip_bytes, 100.0, 1000.0, &parts, &err), REHA_E_LIMIT);
    archive[zip_bytes / 2] ^= 0x5a;
    assert_int_equal(unpack(archive, zip_bytes, 100.0, 1e8, &parts, &err), REHA_E_FORMAT);
    assert_int_equal(unpack(archive, zip_bytes / 2, 100.0, 1e8, &parts, &err), REHA_E_FORMAT);
    reha_free(archive);
    /* 16 MiB of zeros pack a thousandfold: a bomb. */
    uint8_t *zeros = reha_alloc_zero(1, 16 << 20);
    const archive_entry bomb = {"bomb.dcm", zeros, 16 << 20};
    archive = make_zip(&bomb, 1, &zip_bytes);
    assert_int_equal(unpack(archive, zip_bytes, 100.0, 1e9, &parts, &err), REHA_E_LIMIT);
    assert_non_null(strstr(err.text, "times its size"));
    reha_free(archive);
    reha_free(zeros);
    reha_free(png);
}

static void test_archives_are_ingested(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    uint8_t *png[2];
    size_t png_bytes[2];
    size_t zip_bytes = 0;
    json_t *out = NULL;
    open_home(&home, false);
    const reha_actor local = reha_actor_local();
    knee_png(4, &png[0], &png_bytes[0]);
    knee_png(5, &png[1], &png_bytes[1]);
    const archive_entry entries[] = {{"a/left.png", png[0], png_bytes[0]},
                                     {"b/x.png", png[1], png_bytes[1]},
                                     {"b/again.png", png[0], png_bytes[0]},
                                     {"notes.txt", "hello", 5}};
    uint8_t *archive = make_zip(entries, 4, &zip_bytes);
    const reha_upload_options options = {.file_name = "study.zip"};
    assert_ok(upload_bytes(home.clinic, &local, &options, archive, zip_bytes, &out, &err), &err);
    assert_int_equal(json_array_size(json_object_get(out, "items")), 3);
    assert_string_equal(item_text(out, 0, "outcome"), "stored");
    assert_string_equal(item_text(out, 0, "name"), "a/left.png");
    assert_string_equal(item_text(out, 1, "outcome"), "stored");
    assert_string_equal(item_text(out, 2, "outcome"), "duplicate");
    json_decref(out);
    reha_free(archive);
    reha_free(png[0]);
    reha_free(png[1]);
    close_home(&home);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--memory-mib=777") == 0) {
            _exit(hostile_worker()); /* it leaves its memory as a crash would */
        }
    }
    const int code = clinic_worker(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_lock_holds),
                                       cmocka_unit_test(test_the_lock_of_a_connection_holds),
                                       cmocka_unit_test(test_survives_hostile_workers),
                                       cmocka_unit_test(test_a_missing_program_is_said),
                                       cmocka_unit_test(test_archives),
                                       cmocka_unit_test(test_archives_are_ingested)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
