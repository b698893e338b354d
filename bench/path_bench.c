/* From file to result: what a clinician waits for. Prints medians of many runs in one process, the start
 * of the program to its first result, and the peak memory. Usage: path_bench PROGRAM MODELS_FOLDER */
#include "base/clock.h"
#include "base/memory.h"
#include "service/analyse.h"
#include "service/phantoms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUNS = 21, STARTS = 5 };

static int compare(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

static void quote(const char *what, double *times_ms, int count, double limit_ms)
{
    qsort(times_ms, (size_t)count, sizeof *times_ms, compare);
    (void)printf("%-64s median %7.1f ms  (min %.1f, max %.1f)  target %.0f\n", what, times_ms[count / 2],
                 times_ms[0], times_ms[count - 1], limit_ms);
}

static int time_path(const char *what, const char *models, const char *path, bool with_explanation,
                     int threads, double limit_ms)
{
    double times_ms[RUNS];
    reha_error err = REHA_ERROR_INIT;
    reha_analyser *analyser = NULL;
    const reha_analyser_options how = {
        .models_folder = models, .with_explanation = with_explanation, .threads = threads};
    if (reha_analyser_open(&how, &analyser, &err) != REHA_OK) {
        (void)fprintf(stderr, "path_bench: %s\n", err.text);
        return 1;
    }
    for (int i = -2; i < RUNS; i++) { /* two to warm up */
        reha_case result;
        reha_analyser_run(analyser, path, false, &result);
        if (result.status != REHA_OK || !reha_case_is_accepted(&result)) {
            (void)fprintf(stderr, "path_bench: %s was not accepted: %s\n", path, result.error.text);
        }
        if (i >= 0) {
            times_ms[i] = result.total_ms;
        }
        reha_case_clear(&result);
    }
    reha_analyser_close(analyser);
    quote(what, times_ms, RUNS, limit_ms);
    return 0;
}

static int time_start(const char *program, const char *models, const char *path)
{
    double times_ms[STARTS];
    for (int i = 0; i < STARTS; i++) {
        const double start_ms = reha_clock_ms();
        const pid_t child = fork();
        if (child == 0) {
            if (freopen("/dev/null", "w", stdout) != NULL) {
                (void)execl(program, program, "analyse", path, "--models", models, (char *)NULL);
            }
            _exit(127);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
            WEXITSTATUS(status) > 1) {
            (void)fprintf(stderr, "path_bench: %s could not be run\n", program);
            return 1;
        }
        times_ms[i] = reha_clock_ms() - start_ms;
    }
    struct rusage usage;
    (void)getrusage(RUSAGE_CHILDREN, &usage);
    quote("start of the program to its first result, film with explanation", times_ms, STARTS, 1000.0);
    (void)printf("%-64s %7.0f MiB  target 512\n", "peak resident memory of the program",
                 usage.ru_maxrss / 1024.0);
    return 0;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/reha-bench-XXXXXX";
    char path[64];
    char command[64];
    reha_error err = REHA_ERROR_INIT;
    if (argc != 3 || mkdtemp(folder) == NULL) {
        (void)fprintf(stderr, "usage: path_bench PROGRAM MODELS_FOLDER\n");
        return 2;
    }
    const reha_phantoms_options film = {
        .count = 1, .seed = 1, .films = true, .dicom = true, .mm_per_px = 0.172};
    const reha_phantoms_options crop = {.count = 1, .seed = 1};
    int failed = reha_phantoms_write(folder, &film, &err) != REHA_OK ||
                 reha_phantoms_write(folder, &crop, &err) != REHA_OK;
    (void)snprintf(path, sizeof path, "%s/knee-000.dcm", folder);
    failed = failed || time_path("2500 x 2035 DICOM, two knees, with explanation, all processors", argv[2],
                                 path, true, 0, 300.0);
    failed = failed || time_start(argv[1], argv[2], path);
    (void)snprintf(path, sizeof path, "%s/knee-000R.png", folder);
    failed = failed ||
             time_path("224 px crop, without explanation, all processors", argv[2], path, false, 0, 100.0);
    failed =
        failed || time_path("224 px crop, without explanation, one thread", argv[2], path, false, 1, 100.0);
    failed =
        failed || time_path("224 px crop, with explanation, all processors", argv[2], path, true, 0, 300.0);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0 || failed ? 1 : 0;
}
