/* A scratch folder for a test program: make_folder before its tests, remove_folder after them. */
#ifndef REHA_TESTS_SCRATCH_H
#define REHA_TESTS_SCRATCH_H

#include "support.h"

#include <stdlib.h>

static char folder[] = "/tmp/reha-test-XXXXXX"; /* its name, once it is made */

static inline int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    char command[64];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

#endif
