/* Starting this program again, for work on what strangers send: with a chosen environment and a socket. */
#ifndef REHA_SERVICE_SANDBOX_SPAWN_PRIV_H
#define REHA_SERVICE_SANDBOX_SPAWN_PRIV_H

#include "base/status.h"

#include <sys/types.h>

enum { SANDBOX_SECOND_FD = 3 };

/* arguments[0] is the program. It begins in a process group of its own, with `link` as its standard input, no
 * standard output, and `second` (-1: none) as SANDBOX_SECOND_FD. */
REHA_MUST_USE reha_status sandbox_spawn(char *const *arguments, int link, int second, pid_t *pid,
                                        reha_error *err);

#endif
