/* `rehascope worker`: analyses the waiting images of a clinic without its pages; and, with --sandbox, the
 * process that touches foreign bytes. */
#include "app/commands.h"
#include "app/home.h"
#include "app/terminal.h"
#include "service/archive.h"
#include "service/node.h"
#include "service/sandbox.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

enum { MEMORY_MIB = 4096, CPU_S = 60 };

typedef struct worker_arguments {
    const char *home;
    const char *models;
    const char *task;
    bool once;
    bool sandbox;
    bool association;
    bool call;
    int memory_mib;
    int cpu_s;
} worker_arguments;

static const app_option worker_options[] = {
    APP_HOME_OPTION(worker_arguments),
    {"once", APP_FLAG, NULL, "end when nothing waits any more", offsetof(worker_arguments, once), 0, 0},
    {"models", APP_TEXT, "DIR", "folder of models (default: beside the program)",
     offsetof(worker_arguments, models), 0, 0},
    {"task", APP_TEXT, "TASK", "internal: the recogniser of a locked-in process",
     offsetof(worker_arguments, task), 0, 0},
    {"sandbox", APP_FLAG, NULL, "internal: serve requests on standard input, locked in",
     offsetof(worker_arguments, sandbox), 0, 0},
    {"association", APP_FLAG, NULL, "internal: serve one DICOM association, locked in",
     offsetof(worker_arguments, association), 0, 0},
    {"call", APP_FLAG, NULL, "internal: call a DICOM archive, locked in", offsetof(worker_arguments, call), 0,
     0},
    {"memory-mib", APP_INTEGER, "N", "internal: memory of a locked-in process",
     offsetof(worker_arguments, memory_mib), 256, 1048576},
    {"cpu-s", APP_INTEGER, "N", "internal: processor time for one image", offsetof(worker_arguments, cpu_s),
     1, 3600},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static volatile sig_atomic_t must_stop;

static void on_signal(int signal_no)
{
    (void)signal_no;
    must_stop = 1;
}

static reha_status work(const worker_arguments *given, reha_error *err)
{
    reha_clinic *clinic = NULL;
    struct sigaction action = {.sa_handler = on_signal};
    const struct timespec second = {.tv_sec = 1};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    REHA_TRY(app_open_clinic(given->home, given->models, true, true, &clinic, err));
    reha_status status = REHA_OK;
    if (given->once) {
        status = reha_clinic_drain(clinic, err);
    } else {
        while (must_stop == 0) {
            (void)nanosleep(&second, NULL);
        }
    }
    reha_clinic_close(clinic);
    return status;
}

static int run_worker(const app_command *command, int argc, char **argv)
{
    worker_arguments given = {.memory_mib = MEMORY_MIB, .cpu_s = CPU_S};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    const int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    if (given.sandbox) {
        return reha_sandbox_main(given.models, given.task, (size_t)given.memory_mib << 20,
                                 (double)given.cpu_s);
    }
    if (given.association) {
        return reha_node_main();
    }
    if (given.call) {
        return reha_archive_main();
    }
    const reha_status status = work(&given, &err);
    return status == REHA_OK ? EXIT_DONE : app_fail(status, &err);
}

const app_command app_worker = {.name = "worker",
                                .arguments = "",
                                .summary = "analyse the waiting images of a clinic",
                                .example = "rehascope worker --home clinic --once",
                                .options = worker_options,
                                .words_min = 0,
                                .words_max = 0,
                                .is_large = true,
                                .run = run_worker};
