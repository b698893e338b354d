#include "app/commands.h"
#include "app/terminal.h"
#include "service/phantoms.h"

#include <stddef.h>
#include <stdio.h>

enum { SLICES_MAX = 100 };

typedef struct phantom_arguments {
    int count;
    int seed;
    bool films;
    bool dicom;
    bool t2;
    bool muscle, injured;
    double mm_per_px;
} phantom_arguments;

static const app_option phantom_options[] = {
    {"count", APP_INTEGER, "N", "images, grades 0 to 4 in turn (default 5)",
     offsetof(phantom_arguments, count), 1, 100000},
    {"films", APP_FLAG, NULL, "whole films with both knees instead of crops",
     offsetof(phantom_arguments, films), 0, 0},
    {"dicom", APP_FLAG, NULL, "DICOM with its spacing instead of PNG without",
     offsetof(phantom_arguments, dicom), 0, 0},
    {"t2", APP_FLAG, NULL, "a multi-echo MR series of tubes of known T2 instead, --count slices",
     offsetof(phantom_arguments, t2), 0, 0},
    {"muscle", APP_FLAG, NULL, "ultrasound pictures of healthy muscle instead, with masks of the aponeuroses",
     offsetof(phantom_arguments, muscle), 0, 0},
    {"injured", APP_FLAG, NULL,
     "ultrasound pictures of muscle with and without simulated injuries instead, with masks and grades",
     offsetof(phantom_arguments, injured), 0, 0},
    {"mm-per-px", APP_NUMBER, "X", "pixel size of films (default 0.2)",
     offsetof(phantom_arguments, mm_per_px), 0.05, 2},
    {"seed", APP_INTEGER, "N", "of texture and noise (default 1)", offsetof(phantom_arguments, seed), 0,
     2147483647},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static int run_phantom(const app_command *command, int argc, char **argv)
{
    phantom_arguments given = {.count = 5, .seed = 1};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    const int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    if (given.t2) {
        const int slices = given.count < SLICES_MAX ? given.count : SLICES_MAX;
        const reha_status written = reha_t2_phantoms_write(words[0], slices, (uint64_t)given.seed, &err);
        if (written != REHA_OK) {
            return app_fail(written, &err);
        }
        (void)printf("%d slices of a multi-echo series, labels.nii.gz and tubes.csv in %s\n", slices,
                     words[0]);
        return EXIT_DONE;
    }
    if (given.muscle || given.injured) {
        const reha_status written =
            reha_muscle_phantoms_write(words[0], given.count, (uint64_t)given.seed, given.injured, &err);
        if (written != REHA_OK) {
            return app_fail(written, &err);
        }
        (void)printf("%d generated ultrasound pictures with masks and index.csv in %s\n", given.count,
                     words[0]);
        return EXIT_DONE;
    }
    const reha_phantoms_options how = {.count = given.count,
                                       .seed = (uint64_t)given.seed,
                                       .films = given.films,
                                       .dicom = given.dicom,
                                       .mm_per_px = given.mm_per_px};
    const reha_status status = reha_phantoms_write(words[0], &how, &err);
    if (status != REHA_OK) {
        return app_fail(status, &err);
    }
    (void)printf("%d generated images and labels.csv in %s\n", given.count, words[0]);
    return EXIT_DONE;
}

const app_command app_phantom = {.name = "phantom",
                                 .arguments = "DIR",
                                 .summary =
                                     "write generated knee radiographs with known truth, to try the program",
                                 .example = "rehascope phantom trial && rehascope analyse trial",
                                 .options = phantom_options,
                                 .words_min = 1,
                                 .words_max = 1,
                                 .run = run_phantom};
