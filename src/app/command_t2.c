#include "app/commands.h"
#include "app/terminal.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/t2_map.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const double RANGE_LOW_MS = 0.0;
static const double RANGE_HIGH_MS = 100.0; /* one scale for all, so that pictures compare */

typedef struct t2_arguments {
    bool json;
    const char *report;
    const char *map;
    const char *nifti;
    const char *roi;
    const char *echo_times;
    const char *range;
    int series;
    bool skip_first;
    bool no_noise;
    double noise;
    double t2_max;
    double snr_min;
    int threads;
} t2_arguments;

static const app_option t2_options[] = {
    {"json", APP_FLAG, NULL, "the result as JSON on standard output (docs/formats/t2-map.md)",
     offsetof(t2_arguments, json), 0, 0},
    {"report", APP_TEXT, "F.html", "write a report with the colour map", offsetof(t2_arguments, report), 0,
     0},
    {"map", APP_TEXT, "F.png", "write the colour map", offsetof(t2_arguments, map), 0, 0},
    {"nifti", APP_TEXT, "F.nii.gz", "write T2 in ms, and its error beside it as F_error.nii.gz",
     offsetof(t2_arguments, nifti), 0, 0},
    {"roi", APP_TEXT, "R",
     "statistics of regions: x,y,w,h[@slice] in pixels, or a mask of labels as .nii[.gz]",
     offsetof(t2_arguments, roi), 0, 0},
    {"series", APP_INTEGER, "N", "series number, where a folder has several", offsetof(t2_arguments, series),
     0, 2147483647},
    {"skip-first-echo", APP_FLAG, NULL, "leave out the first echo, which stimulated echoes make too weak",
     offsetof(t2_arguments, skip_first), 0, 0},
    {"noise", APP_NUMBER, "X", "standard deviation of the noise in grey values (default: from the air)",
     offsetof(t2_arguments, noise), 1e-6, 1e9},
    {"no-noise-floor", APP_FLAG, NULL, "fit without a noise floor", offsetof(t2_arguments, no_noise), 0, 0},
    {"t2-max", APP_NUMBER, "MS", "longest T2 that is given (default: ten times the last echo time)",
     offsetof(t2_arguments, t2_max), 1, 10000},
    {"snr-min", APP_NUMBER, "X", "first echo over noise, below which a voxel is background (default 5)",
     offsetof(t2_arguments, snr_min), 1, 1000},
    {"echo-times", APP_TEXT, "A,B,..", "echo times in ms, for a 4D NIfTI file",
     offsetof(t2_arguments, echo_times), 0, 0},
    {"range", APP_TEXT, "A,B", "T2 in ms of the darkest and lightest colour (default 0,100)",
     offsetof(t2_arguments, range), 0, 0},
    {"threads", APP_INTEGER, "N", "processors to use (default: all)", offsetof(t2_arguments, threads), 1,
     256},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static bool parse_range(const char *text, double range_ms[2])
{
    char low[32];
    const char *comma = strchr(text, ',');
    if (comma == NULL || (size_t)(comma - text) >= sizeof low) {
        return false;
    }
    memcpy(low, text, (size_t)(comma - text));
    low[comma - text] = '\0';
    return reha_parse_double(low, true, &range_ms[0]) && reha_parse_double(comma + 1, true, &range_ms[1]) &&
           range_ms[0] >= 0.0 && range_ms[1] > range_ms[0] && range_ms[1] <= 1e5;
}

/* Wrong names are told before minutes of work, not after. */
static int check_targets(const t2_arguments *given, double range_ms[2])
{
    if (given->report != NULL && !reha_str_ends_nocase(given->report, ".html")) {
        return app_wrong_use(&app_t2_map, "--report must end in .html: %s", given->report);
    }
    if (given->map != NULL && !reha_str_ends_nocase(given->map, ".png")) {
        return app_wrong_use(&app_t2_map, "--map must end in .png: %s", given->map);
    }
    if (given->nifti != NULL && !reha_str_ends_nocase(given->nifti, ".nii") &&
        !reha_str_ends_nocase(given->nifti, ".nii.gz")) {
        return app_wrong_use(&app_t2_map, "--nifti must end in .nii or .nii.gz: %s", given->nifti);
    }
    if (given->range != NULL && !parse_range(given->range, range_ms)) {
        return app_wrong_use(&app_t2_map, "--range is two rising numbers of ms, as 0,100: %s", given->range);
    }
    if (given->no_noise && given->noise > 0.0) {
        return app_wrong_use(&app_t2_map, "only one of --noise and --no-noise-floor");
    }
    return -1;
}

static reha_status write_picture(const reha_t2_result *result, const double range_ms[2], const char *path,
                                 reha_error *err)
{
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    REHA_TRY(reha_t2_picture(result, range_ms[0], range_ms[1], &png, &png_bytes, err));
    const reha_status status = reha_file_save(path, png, png_bytes, err);
    reha_free(png);
    return status;
}

static reha_status write_outputs(const t2_arguments *given, const reha_t2_result *result,
                                 const double range_ms[2], reha_error *err)
{
    json_t *document = NULL;
    char *lines = NULL;
    if (given->map != NULL) {
        REHA_TRY(write_picture(result, range_ms, given->map, err));
    }
    if (given->report != NULL) {
        REHA_TRY(reha_t2_report(result, range_ms[0], range_ms[1], given->report, err));
    }
    if (given->nifti != NULL) {
        REHA_TRY(reha_t2_save_nifti(result, given->nifti, err));
    }
    if (given->json) {
        REHA_TRY(reha_t2_to_json(result, &document, err));
        const int code = app_print_json(document);
        json_decref(document);
        return code == EXIT_DONE ? REHA_OK : reha_fail(err, REHA_E_IO, "the result could not be written");
    }
    REHA_TRY(reha_t2_lines(result, &lines, err));
    const bool is_written = fputs(lines, stdout) >= 0 && fflush(stdout) == 0;
    reha_free(lines);
    return is_written ? REHA_OK : reha_fail(err, REHA_E_IO, "the result could not be written");
}

static int run_t2(const app_command *command, int argc, char **argv)
{
    t2_arguments given = {.series = -1};
    const char *words[1];
    int word_count = 0;
    double range_ms[2] = {RANGE_LOW_MS, RANGE_HIGH_MS};
    reha_error err = REHA_ERROR_INIT;
    reha_t2_result result;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code < 0) {
        code = check_targets(&given, range_ms);
    }
    if (code >= 0) {
        return code;
    }
    const reha_t2_request request = {
        .path = words[0],
        .series = given.series,
        .echo_times = given.echo_times,
        .roi = given.roi,
        .sigma = given.no_noise ? -1.0 : given.noise,
        .fit = {.t2_max_ms = given.t2_max, .snr_min = given.snr_min, .skip_first = given.skip_first},
        .threads = given.threads};
    reha_status status = reha_t2_analyse(&request, &result, &err);
    if (status == REHA_OK) {
        status = write_outputs(&given, &result, range_ms, &err);
        reha_t2_result_clear(&result);
    }
    return status == REHA_OK ? EXIT_DONE : app_fail(status, &err);
}

const app_command app_t2_map = {.name = "t2-map",
                                .arguments = "FOLDER",
                                .summary = "measure T2 in a multi-echo MR series: maps, regions, errors",
                                .example = "rehascope t2-map knee-mr/ --report t2.html --roi 120,90,30,20",
                                .options = t2_options,
                                .words_min = 1,
                                .words_max = 1,
                                .is_large = true,
                                .run = run_t2};
