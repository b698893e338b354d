/* From file to result: what a clinician waits for. Prints for each task medians of many runs in one process,
 * the start of the program to its first result, and the program's peak memory.
 *
 *     path_bench PROGRAM MODELS [DATA]
 *
 * Knees and MR series are generated. DATA: a folder with muscle_ultrasound/ and fracture_xray/, whose first
 * pictures the other tasks are measured on (no generated picture passes their gate for certain). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* wait4 */
#endif
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "service/analyse.h"
#include "service/phantoms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUNS = 21, STARTS = 5, LIST_MAX = 20000 };

static int compare(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

static void quote(const char *what, double *times_ms, int count, double limit_ms)
{
    qsort(times_ms, (size_t)count, sizeof *times_ms, compare);
    (void)printf("%-64s median %7.1f ms  (min %.1f, max %.1f)", what, times_ms[count / 2], times_ms[0],
                 times_ms[count - 1]);
    (void)printf(limit_ms > 0.0 ? "  target %.0f\n" : "\n", limit_ms);
}

/* task NULL: by what the image is. limit_ms 0: none was set. */
static int time_path(const char *what, const char *models, const char *task, const char *path,
                     bool with_explanation, int threads, double limit_ms)
{
    double times_ms[RUNS];
    reha_error err = REHA_ERROR_INIT;
    reha_analyser *analyser = NULL;
    const reha_analyser_options how = {
        .task = task, .models_folder = models, .with_explanation = with_explanation, .threads = threads};
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

/* The program itself with these arguments, from its start to its end. The system counts the memory that this
 * process had when it made the other one, so starts are timed before anything is opened here. */
static int time_program(const char *what, const char *program, const char *const *arguments, double limit_ms)
{
    double times_ms[STARTS];
    double peak_mib = 0.0;
    for (int i = 0; i < STARTS; i++) {
        struct rusage usage;
        int status = 0;
        (void)fflush(stdout); /* or the child prints it once more */
        const double start_ms = reha_clock_ms();
        const pid_t child = fork();
        if (child == 0) {
            if (freopen("/dev/null", "w", stdout) != NULL) {
                (void)execv(program, (char *const *)(uintptr_t)arguments);
            }
            _exit(127);
        }
        if (child < 0 || wait4(child, &status, 0, &usage) != child || !WIFEXITED(status) ||
            WEXITSTATUS(status) > 1) {
            (void)fprintf(stderr, "path_bench: %s could not be run\n", program);
            return 1;
        }
        times_ms[i] = reha_clock_ms() - start_ms;
        peak_mib = usage.ru_maxrss / 1024.0 > peak_mib ? usage.ru_maxrss / 1024.0 : peak_mib;
    }
    quote(what, times_ms, STARTS, limit_ms);
    (void)printf("%-64s %7.0f MiB  target 512\n", "    its peak resident memory", peak_mib);
    return 0;
}

static int time_start(const char *what, const char *program, const char *models, const char *task,
                      const char *path, double limit_ms)
{
    const char *const by_image[] = {program, "analyse", path, "--models", models, NULL};
    const char *const by_task[] = {program, "analyse", path, "--models", models, "--task", task, NULL};
    return time_program(what, program, task != NULL ? by_task : by_image, limit_ms);
}

static int write_knees(const char *folder)
{
    reha_error err = REHA_ERROR_INIT;
    const reha_phantoms_options film = {
        .count = 1, .seed = 1, .films = true, .dicom = true, .mm_per_px = 0.172};
    const reha_phantoms_options crop = {.count = 1, .seed = 1};
    if (reha_phantoms_write(folder, &film, &err) != REHA_OK ||
        reha_phantoms_write(folder, &crop, &err) != REHA_OK) {
        (void)fprintf(stderr, "path_bench: %s\n", err.text);
        return 1;
    }
    return 0;
}

static int time_knees(const char *models, const char *film, const char *crop)
{
    return time_path("2500 x 2035 DICOM, two knees, with explanation, all processors", models, NULL, film,
                     true, 0, 300.0) |
           time_path("224 px crop, without explanation, all processors", models, NULL, crop, false, 0,
                     100.0) |
           time_path("224 px crop, without explanation, one thread", models, NULL, crop, false, 1, 100.0) |
           time_path("224 px crop, with explanation, all processors", models, NULL, crop, true, 0, 300.0);
}

static int time_series(const char *program, const char *folder)
{
    char series[64], map[64];
    reha_error err = REHA_ERROR_INIT;
    (void)snprintf(series, sizeof series, "%s/t2", folder);
    (void)snprintf(map, sizeof map, "%s/map.png", folder);
    const char *const arguments[] = {program, "t2-map", series, "--map", map, NULL};
    if (reha_t2_phantoms_write(series, 4, 1, &err) != REHA_OK) {
        (void)fprintf(stderr, "path_bench: %s\n", err.text);
        return 1;
    }
    return time_program("t2-map of 4 slices of 8 echoes, start to end", program, arguments, 0.0);
}

typedef struct task_picture {
    const char *task, *folder; /* of DATA; its first picture is taken */
    double limit_ms;           /* 0: none was set */
    char *path;
} task_picture;

static int find_picture(const char *data, task_picture *one)
{
    reha_paths files = {0};
    reha_error err = REHA_ERROR_INIT;
    char *folder = reha_path_join(data, one->folder);
    if (folder != NULL && reha_folder_list(folder, LIST_MAX, &files, &err) == REHA_OK && files.count > 0) {
        one->path = reha_strdup(files.items[0]);
    }
    if (one->path == NULL) {
        (void)fprintf(stderr, "path_bench: %s/%s: no pictures\n", data, one->folder);
    }
    reha_paths_clear(&files);
    reha_free(folder);
    return one->path == NULL;
}

int main(int argc, char **argv)
{
    static task_picture tasks[] = {{"muscle-us", "muscle_ultrasound/aponeurosis/images", 100.0, NULL},
                                   {"muscle-injury", "muscle_ultrasound/aponeurosis/images", 0.0, NULL},
                                   {"fracture", "fracture_xray/images", 0.0, NULL},
                                   {"gate", "fracture_xray/images", 0.0, NULL}};
    const size_t count = argc == 4 ? sizeof tasks / sizeof tasks[0] : 0;
    char folder[] = "/tmp/reha-bench-XXXXXX";
    char film[64], crop[64], text[80];
    if (argc < 3 || argc > 4 || mkdtemp(folder) == NULL) {
        (void)fprintf(stderr, "usage: path_bench PROGRAM MODELS_FOLDER [DATA]\n");
        return 2;
    }
    (void)snprintf(film, sizeof film, "%s/knee-000.dcm", folder);
    (void)snprintf(crop, sizeof crop, "%s/knee-000R.png", folder);
    int failed = write_knees(folder);
    failed |= time_start("start of the program to its first result, film with explanation", argv[1], argv[2],
                         NULL, film, 1000.0);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(text, sizeof text, "%s, start of the program to its first result", tasks[i].task);
        failed |= find_picture(argv[3], &tasks[i]) ||
                  time_start(text, argv[1], argv[2], tasks[i].task, tasks[i].path, 0.0);
    }
    failed |= time_series(argv[1], folder);
    failed |= time_knees(argv[2], film, crop);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(text, sizeof text, "%s, a picture, all processors", tasks[i].task);
        failed |= tasks[i].path == NULL ||
                  time_path(text, argv[2], tasks[i].task, tasks[i].path, true, 0, tasks[i].limit_ms);
        reha_free(tasks[i].path);
    }
    (void)snprintf(text, sizeof text, "rm -rf '%s'", folder);
    return system(text) != 0 || failed ? 1 : 0;
}
