/* Command lines: a command is a const table of options and a function. */
#ifndef REHA_APP_OPTIONS_H
#define REHA_APP_OPTIONS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Exit codes of every command. */
enum { EXIT_DONE = 0, EXIT_INPUT = 1, EXIT_USAGE = 2, EXIT_OURS = 3 };

typedef enum app_option_kind { APP_FLAG, APP_TEXT, APP_INTEGER, APP_NUMBER } app_option_kind;

typedef struct app_option {
    const char *name; /* "threads": --threads N or --threads=N */
    app_option_kind kind;
    const char *value; /* "N", for the help; NULL for flags */
    const char *help;
    size_t offset;    /* of the member of the command's struct: bool, const char *, int, double */
    double low, high; /* allowed range of numbers */
} app_option;

enum { APP_PATHS_MAX = 4096 };

typedef struct app_command {
    const char *name;
    const char *arguments; /* "PATH..." */
    const char *summary;   /* one line */
    const char *example;
    const app_option *options; /* ends with a NULL name; may be NULL */
    int words_min, words_max;  /* of the plain arguments */
    bool is_large;             /* opens models or volumes: reha_mem_expect_models */
    int (*run)(const struct app_command *command, int argc, char **argv);
} app_command;

/* Fills the struct at `target` and `words` (room for words_max). Returns -1 to go on, else the exit code
 * (help was shown, or the usage was wrong and told on stderr). */
int app_parse(const app_command *command, int argc, char **argv, void *target, const char **words,
              int *word_count);
/* "rehascope NAME: text" on standard error, and where the help is; returns EXIT_USAGE. */
int app_wrong_use(const app_command *command, const char *format, ...) REHA_PRINTF(2, 3);
void app_command_help(const app_command *command);

#endif
