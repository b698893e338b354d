#include "app/commands.h"

#include <stdio.h>

static int run_version(const app_command *command, int argc, char **argv)
{
    const char *words[1];
    int word_count = 0;
    char nothing = 0;
    const int code = app_parse(command, argc, argv, &nothing, words, &word_count);
    if (code >= 0) {
        return code;
    }
    (void)printf("rehascope %s\n", REHA_VERSION);
    return EXIT_DONE;
}

const app_command app_version = {.name = "version",
                                 .arguments = "",
                                 .summary = "the version of this program",
                                 .example = "rehascope version",
                                 .words_min = 0,
                                 .words_max = 0,
                                 .run = run_version};
