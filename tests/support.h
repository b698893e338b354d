/* What the unit tests share: cmocka's headers in their required order, the data folder, skipping. */
#ifndef REHA_TESTS_SUPPORT_H
#define REHA_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Folder of the shared data set, or NULL (then say so and skip()). */
static inline const char *test_data_dir(void)
{
    const char *dir = getenv("REHA_DATA");
    struct stat info;
    if (dir == NULL) {
        dir = REHA_DATA_DIR;
    }
    return stat(dir, &info) == 0 ? dir : NULL;
}

#define TEST_NEED_DATA()                                                                                     \
    do {                                                                                                     \
        if (test_data_dir() == NULL) {                                                                       \
            print_message("skipped: the data folder is absent (set REHA_DATA)\n");                           \
            skip();                                                                                          \
        }                                                                                                    \
    } while (0)

/* For limits of time that stand in a test's way and are none of its matter: also a sanitized program on a
 * busy machine is done by then. */
enum { TEST_PATIENCE_S = 1200 };

#define assert_ok(call, err)                                                                                 \
    do {                                                                                                     \
        const reha_status assert_ok_status_ = (call);                                                        \
        if (assert_ok_status_ != REHA_OK) {                                                                  \
            fail_msg("%s: %s: %s", #call, reha_status_name(assert_ok_status_), (err)->text);                 \
        }                                                                                                    \
    } while (0)

#endif
