#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* environ */
#endif
#include "service/sandbox_spawn_priv.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { PASSED_MAX = 8 };

/* What the program needs and no more: secrets of the server's environment stay outside. */
static void choose_environment(char **out, char *threads)
{
    static const char *const passed[] = {"PATH",         "LANG",          "HOME",
                                         "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"};
    size_t count = 0;
    out[count++] = threads;
    for (char **at = environ; *at != NULL && count + 1 < PASSED_MAX; at++) {
        for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
            const size_t length = strlen(passed[i]);
            if (strncmp(*at, passed[i], length) == 0 && (*at)[length] == '=' && count + 1 < PASSED_MAX) {
                out[count++] = *at;
            }
        }
    }
    out[count] = NULL;
}

reha_status sandbox_spawn(char *const *arguments, int link, int second, pid_t *pid, reha_error *err)
{
    char threads[] = "OMP_NUM_THREADS=1"; /* a process with threads could not make children */
    char *environment[PASSED_MAX];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    choose_environment(environment, threads);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawn_file_actions_adddup2(&actions, link, STDIN_FILENO);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (second >= 0) {
        (void)posix_spawn_file_actions_adddup2(&actions, second, SANDBOX_SECOND_FD);
    }
    (void)sigemptyset(&none);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    const int code = posix_spawn(pid, arguments[0], &actions, &attributes, arguments, environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    if (code != 0) {
        *pid = 0;
        return reha_fail(err, REHA_E_INTERNAL, "%s: the worker cannot be started: %s", arguments[0],
                         strerror(code));
    }
    return REHA_OK;
}
