#include "app/commands.h"
#include "app/terminal.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "rehab/guideline.h"
#include "service/analyse.h"
#include "service/compare.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct compare_arguments {
    bool json;
    bool why;
    const char *report;
    const char *overlay;
    bool same_setup;
    const char *before_date, *after_date;
    const char *registration;
    bool intensity;
    const char *setting, *task;
    double mm_per_px;
    const char *models, *model, *guidelines;
    int threads;
} compare_arguments;

#define AT(member) offsetof(compare_arguments, member)
static const app_option compare_options[] = {
    {"json", APP_FLAG, NULL, "the comparison as JSON on standard output (docs/formats/comparison.md)",
     AT(json), 0, 0},
    {"report", APP_TEXT, "FILE", "write a report: FILE.html (with blink) or FILE.pdf", AT(report), 0, 0},
    {"overlay", APP_TEXT, "FILE.png", "write before, after and difference as one picture", AT(overlay), 0, 0},
    {"why", APP_FLAG, NULL, "all checks, and how each measurement error was made up", AT(why), 0, 0},
    {"same-setup", APP_FLAG, NULL, "I state: same machine, view, position and distance at both visits",
     AT(same_setup), 0, 0},
    {"before-date", APP_TEXT, "DATE", "of the first visit, as 2026-01-31 (default: from the file)",
     AT(before_date), 0, 0},
    {"after-date", APP_TEXT, "DATE", "of the second visit", AT(after_date), 0, 0},
    {"mm-per-px", APP_NUMBER, "X", "scale of images that have none, the same for both", AT(mm_per_px), 0.001,
     10},
    {"setting", APP_TEXT, "WORD", "which published errors: surgical, non-surgical, same-rater, other-rater",
     AT(setting), 0, 0},
    {"registration", APP_TEXT, "KIND",
     "rigid, similarity (default) or affine, where no landmarks are at hand", AT(registration), 0, 0},
    {"intensity", APP_FLAG, NULL, "register by mutual information even where there are landmarks",
     AT(intensity), 0, 0},
    {"task", APP_TEXT, "TASK", "the recogniser to use (default: by what the images are)", AT(task), 0, 0},
    {"models", APP_TEXT, "DIR", "folder of models (default: beside the program)", AT(models), 0, 0},
    {"model", APP_TEXT, "DIR", "exactly this model", AT(model), 0, 0},
    {"guidelines", APP_TEXT, "DIR", "folder of scores.json (default: beside the program)", AT(guidelines), 0,
     0},
    {"threads", APP_INTEGER, "N", "processors to use (default: all)", AT(threads), 1, 256},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

/* ---- terminal ---- */

static void print_checks(const reha_films *films, bool all)
{
    static const char *const words[] = {"ok", "note", "caution", "cannot measure", "REFUSED"};
    for (int i = 0; i < films->check_count; i++) {
        /* A refusal stands alone: the rest no longer matters. */
        if (all || films->checks[i].level > (films->is_refused ? REHA_CHECK_BLOCKS : REHA_CHECK_OK)) {
            (void)printf("%s: %s\n", words[films->checks[i].level], films->checks[i].text);
        }
    }
}

static void print_measure(const reha_compared *measure, bool why)
{
    char numbers[160];
    reha_compared_text(measure, numbers, sizeof numbers);
    (void)printf("  %s: %s: %s\n", measure->label, numbers, reha_verdict_text(measure->change.verdict));
    if (measure->remark[0] != '\0') {
        (void)printf("    %s\n", measure->remark);
    }
    if (why) {
        (void)printf("    error: %s\n", measure->basis);
        if (measure->instrument != NULL && measure->instrument->note[0] != '\0') {
            (void)printf("    note: %s\n", measure->instrument->note);
        }
        if (measure->instrument != NULL && measure->instrument->repeat_count > 0) {
            (void)printf("    repeatability measured by: %s\n", measure->instrument->repeats[0].source);
            (void)printf("    positioning: %s\n", measure->instrument->acquisition_source);
        }
    }
}

static void print_comparison(const reha_comparison *comparison, bool why)
{
    const reha_films *films = &comparison->films;
    (void)printf("%s → %s\n", comparison->visits[0].path, comparison->visits[1].path);
    print_checks(films, why);
    for (int i = 0; i < films->pair_count && !films->is_refused; i++) {
        char text[200];
        (void)printf("%s:\n",
                     strcmp(films->pairs[i].side, "unknown") == 0 ? "side unknown" : films->pairs[i].side);
        for (int k = 0; k < films->pairs[i].measure_count; k++) {
            print_measure(&films->pairs[i].measures[k], why);
        }
        reha_registration_text(&comparison->pictures[i], text, sizeof text);
        if (text[0] != '\0') {
            (void)printf("  pictures: %s\n", text);
        }
    }
    if (!films->is_refused) {
        (void)printf("Not reviewed. A picture says little about pain or function: compare those with "
                     "'rehascope scores'.\n");
    }
}

/* ---- outputs ---- */

static int check_usage(const compare_arguments *given, reha_compare_options *options)
{
    static const char *const kinds[] = {"rigid", "similarity", "affine"};
    if (given->report != NULL && !reha_str_ends_nocase(given->report, ".html") &&
        !reha_str_ends_nocase(given->report, ".pdf")) {
        return app_wrong_use(&app_compare, "--report must end in .html or .pdf: %s", given->report);
    }
    if (given->setting != NULL && !reha_setting_is_known(given->setting)) {
        return app_wrong_use(&app_compare,
                             "--setting is surgical, non-surgical, same-rater or other-rater, not %s",
                             given->setting);
    }
    options->kind = REHA_REGISTER_SIMILARITY;
    for (int i = 0; given->registration != NULL && i < 3; i++) {
        if (strcmp(given->registration, kinds[i]) == 0) {
            options->kind = (reha_register_kind)i;
            return -1;
        }
    }
    if (given->registration != NULL) {
        return app_wrong_use(&app_compare, "--registration is rigid, similarity or affine, not %s",
                             given->registration);
    }
    return -1;
}

static reha_status write_outputs(const compare_arguments *given, const reha_comparison *comparison,
                                 reha_error *err)
{
    if (given->report != NULL) {
        REHA_TRY(reha_str_ends_nocase(given->report, ".pdf")
                     ? reha_comparison_pdf(comparison, given->report, err)
                     : reha_comparison_html(comparison, given->report, err));
    }
    if (given->overlay != NULL && !comparison->films.is_refused) {
        uint8_t *png = NULL;
        size_t png_bytes = 0;
        REHA_TRY(reha_comparison_png(comparison, &png, &png_bytes, err));
        const reha_status status = reha_file_save(given->overlay, png, png_bytes, err);
        reha_free(png);
        return status;
    }
    return REHA_OK;
}

static int show(const compare_arguments *given, const reha_comparison *comparison)
{
    reha_error err = REHA_ERROR_INIT;
    int code = comparison->films.is_refused ? EXIT_INPUT : EXIT_DONE;
    if (given->json) {
        json_t *json = NULL;
        const reha_status status = reha_comparison_to_json(comparison, &json, &err);
        const int printed = status == REHA_OK ? app_print_json(json) : app_fail(status, &err);
        json_decref(json);
        code = printed > code ? printed : code;
    } else {
        print_comparison(comparison, given->why);
    }
    const reha_status status = write_outputs(given, comparison, &err);
    if (status != REHA_OK) {
        const int fault = app_fail(status, &err);
        code = fault > code ? fault : code;
    }
    return code;
}

static int run_compare(const app_command *command, int argc, char **argv)
{
    compare_arguments given = {0};
    const char *words[2];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    reha_comparison *comparison = NULL;
    char *models = NULL;
    char *guidelines = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    reha_compare_options options = {.task = given.task,
                                    .model_folder = given.model,
                                    .threads = given.threads,
                                    .mm_per_px = given.mm_per_px,
                                    .dates = {given.before_date, given.after_date},
                                    .setting = given.setting,
                                    .is_setup_stated = given.same_setup,
                                    .with_pictures = given.report != NULL || given.overlay != NULL ||
                                                     given.json || given.why,
                                    .by_intensity = given.intensity};
    code = check_usage(&given, &options);
    if (code >= 0) {
        return code;
    }
    /* Results need no model: a missing folder is told only where an image asks for it. */
    if (given.models == NULL && given.model == NULL && reha_models_folder(&models, &err) != REHA_OK) {
        err = (reha_error)REHA_ERROR_INIT;
    }
    options.models_folder = given.models != NULL ? given.models : models != NULL ? models : "models";
    reha_status status = given.guidelines != NULL ? REHA_OK : reha_guidelines_folder(&guidelines, &err);
    if (status == REHA_OK) {
        options.guidelines_folder = given.guidelines != NULL ? given.guidelines : guidelines;
        status = reha_compare(words[0], words[1], &options, &comparison, &err);
    }
    code = status == REHA_OK ? show(&given, comparison) : app_fail(status, &err);
    reha_comparison_free(comparison);
    reha_free(models);
    reha_free(guidelines);
    return code;
}

const app_command app_compare = {
    .name = "compare",
    .arguments = "BEFORE AFTER",
    .summary = "two visits of one patient: what has really changed (images or results)",
    .example = "rehascope compare knee-2024.dcm knee-2026.dcm --report change.html",
    .options = compare_options,
    .words_min = 2,
    .words_max = 2,
    .is_large = true,
    .run = run_compare};
