#include "app/commands.h"

#include "base/memory.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const app_command *const commands[] = {
    &app_serve,    &app_analyse,    &app_compare,    &app_scores,  &app_train,  &app_evaluate, &app_calibrate,
    &app_quantise, &app_audit_data, &app_predict,    &app_drift,   &app_model,  &app_plan,     &app_t2_map,
    &app_volume,   &app_phantom,    &app_doctor,     &app_version, &app_worker, &app_import,   &app_export,
    &app_send,     &app_outbox,     &app_fetch,      &app_user,    &app_token,  &app_audit,    &app_backup,
    &app_restore,  &app_erase,      &app_deidentify,
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void help(FILE *to)
{
    (void)fprintf(to, "rehascope %s: image recognition for physiotherapy rehabilitation\n\nCommands:\n",
                  REHA_VERSION);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        (void)fprintf(to, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    }
    (void)fprintf(to, "\nrehascope COMMAND --help shows the options and an example.\n"
                      "Findings support a clinician's decision and make none.\n");
}

static void on_nothing(int signal_no)
{
    (void)signal_no;
}

/* A file beyond the limit of its size (ulimit -f) is a failed write, as on a full disk: told, and what was
 * begun is taken back. The signal would end us before that. */
static void outlive_full_files(void)
{
    struct sigaction action = {.sa_handler = on_nothing};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGXFSZ, &action, NULL);
}

/* What was printed must have arrived: a list on a full disk is no success. */
static int after_output(int code)
{
    const bool is_lost = fflush(stdout) != 0 || ferror(stdout) != 0;
    if (is_lost && code != EXIT_OURS) {
        (void)fprintf(stderr, "rehascope: the result could not be written to standard output\n");
    }
    return is_lost ? EXIT_OURS : code;
}

int app_main(int argc, char **argv)
{
    if (argc < 2) {
        help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        help(stdout);
        return after_output(EXIT_DONE);
    }
    outlive_full_files();
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            if (commands[i]->is_large) {
                reha_mem_expect_models();
            }
            return after_output(commands[i]->run(commands[i], argc - 2, argv + 2));
        }
    }
    (void)fprintf(stderr, "rehascope: no such command: %s\nSee: rehascope --help\n", argv[1]);
    return EXIT_USAGE;
}
