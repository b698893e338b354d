/* What the commands on a clinic's records share. */
#ifndef REHA_APP_HOME_H
#define REHA_APP_HOME_H

#include "app/options.h"
#include "service/clinic.h"

#include <stddef.h>

/* `given`, else $REHASCOPE_HOME, else ~/.local/share/rehascope; reha_free. */
REHA_MUST_USE reha_status app_home(const char *given, char **out, reha_error *err);
/* Opens the records with owner-only files. `must_exist`: a misspelt --home makes no new clinic. */
REHA_MUST_USE reha_status app_open_clinic(const char *home, const char *models, bool must_exist,
                                          bool with_workers, reha_clinic **out, reha_error *err);
/* Whether this machine's clock stands before the newest record: whatever is written now would get a false
 * time. `text` says so, or what was compared. False where nothing can be read. */
enum { APP_CLOCK_TEXT_BYTES = 200 };
bool app_clock_is_behind(reha_clinic *clinic, char text[APP_CLOCK_TEXT_BYTES]);
/* From standard input: one line; typed twice without an echo where it is a terminal. */
REHA_MUST_USE reha_status app_read_password(char *out, size_t out_bytes, reha_error *err);

/* A command's `const char *home`, for app_home and app_open_clinic. */
#define APP_HOME_OPTION(arguments)                                                                           \
    {                                                                                                        \
        "home", APP_TEXT, "DIR",                                                                             \
            "the clinic's records (default: $REHASCOPE_HOME, else ~/.local/share/rehascope)",                \
            offsetof(arguments, home), 0, 0                                                                  \
    }

#endif
