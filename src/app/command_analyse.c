#include "app/commands.h"
#include "app/terminal.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/export_case.h"
#include "service/figure.h"
#include "service/report.h"
#include "service/sequence.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct analyse_arguments {
    const char *task;
    const char *models;
    const char *model;
    bool json;
    const char *report; /* .html, .pdf, or a folder that gets both */
    const char *overlay;
    const char *dicom;
    const char *table;
    const char *plot;
    const char *outline;
    bool no_explanation;
    bool switched_off;
    int threads;
    double mm_per_px;
} analyse_arguments;

static const app_option analyse_options[] = {
    {"task", APP_TEXT, "TASK", "the recogniser to use (default: by what the image is)",
     offsetof(analyse_arguments, task), 0, 0},
    {"json", APP_FLAG, NULL, "all results as JSON on standard output (docs/formats/analysis.md)",
     offsetof(analyse_arguments, json), 0, 0},
    {"report", APP_TEXT, "FILE", "write a report: FILE.html, FILE.pdf, or FOLDER/ for both",
     offsetof(analyse_arguments, report), 0, 0},
    {"dicom", APP_TEXT, "DIR",
     "write a structured report, overlays and masks (DICOM SR, GSPS, SEG, not reviewed) of each file into a "
     "new or empty folder",
     offsetof(analyse_arguments, dicom), 0, 0},
    {"overlay", APP_TEXT, "FILE.png", "write the picture of the result (one image only)",
     offsetof(analyse_arguments, overlay), 0, 0},
    {"table", APP_TEXT, "FILE.csv", "write a row of measurements per image or frame (muscle ultrasound)",
     offsetof(analyse_arguments, table), 0, 0},
    {"plot", APP_TEXT, "FILE.png", "draw a muscle ultrasound sequence over its frames",
     offsetof(analyse_arguments, plot), 0, 0},
    {"switched-off", APP_FLAG, NULL,
     "run a research recogniser that its own card switches off (bone-density)",
     offsetof(analyse_arguments, switched_off), 0, 0},
    {"outline", APP_TEXT, "FILE.json",
     "measure the area inside this border of a transverse muscle image (one image only)",
     offsetof(analyse_arguments, outline), 0, 0},
    {"no-explanation", APP_FLAG, NULL, "leave out the explanation map (faster)",
     offsetof(analyse_arguments, no_explanation), 0, 0},
    {"mm-per-px", APP_NUMBER, "X", "scale of files that have none", offsetof(analyse_arguments, mm_per_px),
     0.001, 10},
    {"models", APP_TEXT, "DIR", "folder of models (default: beside the program)",
     offsetof(analyse_arguments, models), 0, 0},
    {"model", APP_TEXT, "DIR", "exactly this model", offsetof(analyse_arguments, model), 0, 0},
    {"threads", APP_INTEGER, "N", "processors to use (default: all)", offsetof(analyse_arguments, threads), 1,
     256},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static bool names_folder(const char *path)
{
    return path[strlen(path) - 1] == '/' || reha_path_is_folder(path);
}

static int check_targets(const analyse_arguments *given, size_t path_count)
{
    if (given->report != NULL && !names_folder(given->report) &&
        !reha_str_ends_nocase(given->report, ".html") && !reha_str_ends_nocase(given->report, ".pdf")) {
        return app_wrong_use(&app_analyse, "--report must end in .html or .pdf, or be a folder: %s",
                             given->report);
    }
    if (given->overlay != NULL && path_count != 1) {
        return app_wrong_use(&app_analyse, "--overlay is for one image, not %zu; use --report", path_count);
    }
    if (given->outline != NULL && path_count != 1) {
        return app_wrong_use(
            &app_analyse, "--outline is for one image, not %zu: a border belongs to one picture", path_count);
    }
    return -1;
}

/* Before the work, not after an hour of it. */
static reha_status check_places(const analyse_arguments *given, reha_error *err)
{
    if (given->report != NULL && !names_folder(given->report)) {
        REHA_TRY(reha_file_check_target(given->report, err));
    }
    REHA_TRY(reha_file_check_target(given->overlay, err));
    REHA_TRY(reha_file_check_target(given->table, err));
    return reha_file_check_target(given->plot, err);
}

static reha_status write_both(const char *folder, const reha_case *cases, size_t count, reha_error *err)
{
    reha_status status = REHA_OK;
    char *html = reha_path_join(folder, "report.html");
    char *pdf = reha_path_join(folder, "report.pdf");
    if (html == NULL || pdf == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
        goto done;
    }
    REHA_CHECK(reha_folder_make(folder, err));
    REHA_CHECK(reha_report_html(cases, count, html, err));
    REHA_CHECK(reha_report_pdf(cases, count, pdf, err));
done:
    reha_free(html);
    reha_free(pdf);
    return status;
}

static reha_status write_overlay(const reha_case *result, const char *path, reha_error *err)
{
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    if (result->status != REHA_OK) {
        return REHA_OK; /* its error was told already */
    }
    REHA_TRY(reha_figure_png(result, &png, &png_bytes, err));
    const reha_status status = reha_file_save(path, png, png_bytes, err);
    reha_free(png);
    return status;
}

static reha_status write_dicom(const char *folder, const reha_case *cases, size_t count, reha_error *err)
{
    reha_export files = {.files = NULL};
    reha_status status = REHA_OK;
    size_t no = 0;
    for (size_t i = 0; i < count; i++) {
        if (cases[i].status == REHA_OK && cases[i].frame_idx == 0) { /* errors were told already */
            REHA_CHECK(reha_export_case(&cases[i], ++no, &files, err));
        }
    }
    REHA_CHECK(reha_export_save(&files, folder, err));
done:
    reha_export_clear(&files);
    return status;
}

static reha_status write_outputs(const analyse_arguments *given, const reha_case *cases, size_t count,
                                 reha_error *err)
{
    if (given->report != NULL) {
        const bool is_pdf = reha_str_ends_nocase(given->report, ".pdf");
        REHA_TRY(names_folder(given->report) ? write_both(given->report, cases, count, err)
                 : is_pdf                    ? reha_report_pdf(cases, count, given->report, err)
                                             : reha_report_html(cases, count, given->report, err));
    }
    if (given->dicom != NULL) {
        REHA_TRY(write_dicom(given->dicom, cases, count, err));
    }
    if (given->overlay != NULL) {
        REHA_TRY(write_overlay(&cases[0], given->overlay, err));
    }
    if (given->table != NULL) {
        REHA_TRY(reha_sequence_table(cases, count, given->table, err));
    }
    return given->plot != NULL ? reha_sequence_plot(cases, count, given->plot, err) : REHA_OK;
}

static reha_status print_all(const reha_analyser *analyser, const reha_case *cases, size_t count,
                             reha_error *err)
{
    json_t *results = json_array();
    reha_status status = REHA_OK;
    for (size_t i = 0; i < count; i++) {
        json_t *one = NULL;
        REHA_CHECK(reha_case_to_json(&cases[i], &one, err));
        (void)json_array_append_new(results, one);
    }
    json_t *document = json_pack("{s:s, s:s, s:s, s:O}", "schema", "rehascope/results/1", "software",
                                 "rehascope " REHA_VERSION, "model_sha256",
                                 reha_analyser_model_hash(analyser), "results", results);
    if (document == NULL || app_print_json(document) != EXIT_DONE) {
        status = reha_fail(err, REHA_E_IO, "the results could not be written");
    }
    json_decref(document);
done:
    json_decref(results);
    return status;
}

/* Exit code for the cases as a whole: our own faults weigh more than the input's. */
static int exit_code(const reha_case *cases, size_t count)
{
    int code = EXIT_DONE;
    for (size_t i = 0; i < count; i++) {
        if (cases[i].status != REHA_OK && !reha_status_is_input_fault(cases[i].status)) {
            return EXIT_OURS;
        }
        if (!reha_case_is_accepted(&cases[i])) {
            code = EXIT_INPUT;
        }
    }
    return code;
}

typedef struct case_list {
    reha_case *items;
    size_t count, room;
} case_list;

/* A new, empty case at the end; NULL if memory is out. */
static reha_case *add_case(case_list *list)
{
    if (list->count == list->room) {
        const size_t room = list->room > 0 ? 2 * list->room : 16;
        reha_case *items = reha_realloc(list->items, room * sizeof *items);
        if (items == NULL) {
            return NULL;
        }
        list->items = items;
        list->room = room;
    }
    reha_case *added = &list->items[list->count++];
    *added = (reha_case){.error = REHA_ERROR_INIT};
    return added;
}

/* One path: one result, or one per frame of an ultrasound sequence. */
static reha_status analyse_path(reha_analyser *analyser, const analyse_arguments *given, const char *path,
                                const reha_progress *progress, case_list *list, reha_error *err)
{
    const bool keep_image = given->report != NULL || given->overlay != NULL || given->outline != NULL;
    reha_outline outline = {0};
    if (given->outline != NULL) {
        REHA_TRY(reha_outline_load(given->outline, &outline, err));
    }
    uint32_t frames = 1;
    for (uint32_t frame = 0; frame < frames && (frame == 0 || !progress->should_stop(progress->context));
         frame++) {
        reha_case *one = add_case(list);
        if (one == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu results", list->count + 1);
        }
        reha_analyser_run_frame(analyser, path, frame, keep_image, one);
        if (given->outline != NULL) {
            reha_case_measure_area(one, &outline);
        }
        if (!given->json) {
            app_print_case(one);
        }
        if (frame == 0 && given->overlay == NULL && given->outline == NULL &&
            reha_case_has_more_frames(one)) {
            frames = one->frame_count;
        }
    }
    return REHA_OK;
}

static reha_status analyse_each(reha_analyser *analyser, const analyse_arguments *given,
                                const reha_paths *paths, case_list *list, size_t *done, reha_error *err)
{
    const reha_progress progress = app_progress();
    const double start_ms = reha_clock_ms();
    reha_status status = REHA_OK;
    for (size_t i = 0; i < paths->count && !progress.should_stop(progress.context); i++) {
        REHA_CHECK(analyse_path(analyser, given, paths->items[i], &progress, list, err));
        *done = i + 1;
        if (progress.update != NULL && paths->count > 1) {
            const double rate = (double)(i + 1) / (1e-3 * (reha_clock_ms() - start_ms));
            progress.update(progress.context, (double)(i + 1), (double)paths->count, "images", rate,
                            (double)(paths->count - i - 1) / rate, "");
        }
    }
done:
    app_progress_end();
    return status;
}

static int analyse_paths(reha_analyser *analyser, const analyse_arguments *given, const reha_paths *paths)
{
    reha_error err = REHA_ERROR_INIT;
    size_t done = 0;
    case_list list = {0};
    reha_status status = analyse_each(analyser, given, paths, &list, &done, &err);
    if (status == REHA_OK && list.count > 0) {
        status = write_outputs(given, list.items, list.count, &err);
    }
    if (status == REHA_OK && given->json) {
        status = print_all(analyser, list.items, list.count, &err);
    }
    int code = exit_code(list.items, list.count);
    if (status != REHA_OK) {
        const int fault = app_fail(status, &err);
        code = fault > code ? fault : code;
    }
    if (status == REHA_OK && done < paths->count) {
        (void)fprintf(stderr, "rehascope: stopped after %zu of %zu images\n", done, paths->count);
        code = code > EXIT_INPUT ? code : EXIT_INPUT;
    }
    for (size_t i = 0; i < list.count; i++) {
        reha_case_clear(&list.items[i]);
    }
    reha_free(list.items);
    return code;
}

static int run_analyse(const app_command *command, int argc, char **argv)
{
    analyse_arguments given = {0};
    static const char *words[APP_PATHS_MAX];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    reha_paths paths = {0};
    reha_analyser *analyser = NULL;
    char *models = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    reha_status status = reha_input_expand(words, (size_t)word_count, &paths, &err);
    if (status == REHA_OK) {
        code = check_targets(&given, paths.count);
        if (code >= 0) {
            goto done;
        }
        status = check_places(&given, &err);
    }
    if (status == REHA_OK) {
        /* A model given by its folder may still need another one from beside the program. */
        status =
            given.models != NULL ? REHA_OK : reha_models_folder(&models, given.model != NULL ? NULL : &err);
        status = given.model != NULL ? REHA_OK : status;
    }
    if (status == REHA_OK) {
        const reha_analyser_options how = {.task = given.task == NULL && given.outline != NULL ? "muscle-us"
                                                                                               : given.task,
                                           .models_folder = given.models != NULL ? given.models : models,
                                           .model_folder = given.model,
                                           .threads = given.threads,
                                           .with_explanation = !given.no_explanation,
                                           .allow_switched_off = given.switched_off,
                                           .mm_per_px = given.mm_per_px};
        status = reha_analyser_open(&how, &analyser, &err);
    }
    code = status == REHA_OK ? analyse_paths(analyser, &given, &paths) : app_fail(status, &err);
done:
    reha_analyser_close(analyser);
    reha_paths_clear(&paths);
    reha_free(models);
    return code;
}

const app_command app_analyse = {.name = "analyse",
                                 .arguments = "PATH...",
                                 .summary = "recognise: DICOM, PNG, JPEG or TIFF images, or folders of them",
                                 .example = "rehascope analyse knee.dcm --report knee.pdf",
                                 .options = analyse_options,
                                 .words_min = 1,
                                 .words_max = APP_PATHS_MAX,
                                 .is_large = true,
                                 .run = run_analyse};
