#include "app/commands.h"
#include "app/outcome.h"
#include "app/terminal.h"
#include "base/file.h"
#include "base/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct evaluate_arguments {
    const char *data;
    const char *split;
    const char *predictions;
    const char *models;
    const char *model;
    int rounds;
    int threads;
    int explain_images;
    bool json;
    bool explain;
    bool save_card;
    const char *changes;
    const char *sheet;
} evaluate_arguments;

static const app_option evaluate_options[] = {
    {"data", APP_TEXT, "DIR",
     "labelled folder (labels.csv: path,knee_id,patient_id,side,split,kl); of an outcome: CSV, zip or folder",
     offsetof(evaluate_arguments, data), 0, 0},
    {"split", APP_TEXT, "NAME", "only rows of this split (default: all)", offsetof(evaluate_arguments, split),
     0, 0},
    {"predictions", APP_TEXT, "FILE", "write a CSV row per image", offsetof(evaluate_arguments, predictions),
     0, 0},
    {"json", APP_FLAG, NULL, "the report as JSON on standard output", offsetof(evaluate_arguments, json), 0,
     0},
    {"model", APP_TEXT, "DIR", "exactly this model", offsetof(evaluate_arguments, model), 0, 0},
    {"models", APP_TEXT, "DIR", "folder of models (default: beside the program)",
     offsetof(evaluate_arguments, models), 0, 0},
    {"rounds", APP_INTEGER, "N", "bootstrap rounds for the intervals (default 1000)",
     offsetof(evaluate_arguments, rounds), 0, 100000},
    {"threads", APP_INTEGER, "N", "processors to use (default: all)", offsetof(evaluate_arguments, threads),
     1, 256},
    {"explain", APP_FLAG, NULL,
     "measure the explanations too: insertion, deletion, pointing, shuffled weights",
     offsetof(evaluate_arguments, explain), 0, 0},
    {"explain-images", APP_INTEGER, "N", "on so many images, drawn at random (default 200; 0: all)",
     offsetof(evaluate_arguments, explain_images), 0, 1000000},
    {"save-card", APP_FLAG, NULL,
     "with --explain: write these figures and the subgroups into the model's card",
     offsetof(evaluate_arguments, save_card), 0, 0},
    {"changes", APP_TEXT, "KINDS",
     "muscle-us: measure the same images as other scanners would show them too: all, or names like screen,gain-low",
     offsetof(evaluate_arguments, changes), 0, 0},
    {"sheet", APP_TEXT, "FILE", "with --changes: the first image in all of its looks, as a PNG",
     offsetof(evaluate_arguments, sheet), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static bool is_known(const json_t *estimate, const char *key)
{
    return json_is_number(json_object_get(estimate, key));
}

/* Any report: each figure with its interval. */
static void print_figures(const json_t *report)
{
    const char *name = NULL;
    json_t *figure = NULL;
    json_t *metrics = json_object_get(report, "metrics");
    (void)printf("%s, split %s: %lld images of %lld groups\n", reha_json_string(report, "data", ""),
                 reha_json_string(report, "split", ""), (long long)reha_json_number(metrics, "n", 0.0),
                 (long long)reha_json_number(metrics, "groups", 0.0));
    json_object_foreach(metrics, name, figure)
    {
        if (json_is_object(figure)) {
            app_print_estimate(metrics, name, name);
        }
    }
    const json_t *pointing = json_object_get(report, "pointing");
    if (pointing != NULL) {
        app_print_estimate(pointing, "surest_box", "surest box points into one");
        app_print_estimate(pointing, "usual_box", "usual box does (control)");
    }
}

static void print_subgroups(const json_t *rows)
{
    size_t i = 0;
    json_t *row = NULL;
    const char *by = "";
    json_array_foreach(rows, i, row)
    {
        if (strcmp(by, reha_json_string(row, "by", "")) != 0) {
            by = reha_json_string(row, "by", "");
            (void)printf("  by %s\n", by);
        }
        (void)printf("    %-14s n %5lld", reha_json_string(row, "group", ""),
                     (long long)reha_json_number(row, "n", 0.0));
        if (is_known(row, "refused")) {
            (void)printf("  refused %lld", (long long)reha_json_number(row, "refused", 0.0));
        }
        static const char *const keys[][2] = {{"accuracy", "accuracy"},
                                              {"kappa", "kappa"},
                                              {"coverage", "coverage"},
                                              {"dice_aponeurosis", "Dice of aponeuroses"},
                                              {"thickness_error_ratio", "error of thickness (ratio)"},
                                              {"fascicle_angle_error_deg", "of fascicle angle (degrees)"}};
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
            const json_t *one = json_object_get(row, keys[k][0]);
            if (!is_known(one, "value")) {
                continue;
            }
            (void)printf("  %s %.2f", keys[k][1], reha_json_number(one, "value", 0.0));
            app_print_interval(one, " ", 2);
        }
        (void)printf("%s\n",
                     json_is_true(json_object_get(row, "few")) ? "  few: do not conclude from it" : "");
    }
}

static void print_range(const json_t *object, const char *key)
{
    const json_t *one = json_object_get(object, key);
    (void)printf("  %5.2f (%.2f-%.2f)", reha_json_number(one, "value", (double)NAN),
                 reha_json_number(one, "low", (double)NAN), reha_json_number(one, "high", (double)NAN));
}

static void print_explanation(const json_t *explanation)
{
    static const char *const keys[] = {"insertion", "deletion", "gain", "pointing", "mass_in_target"};
    size_t i = 0;
    json_t *one = NULL;
    (void)printf("explanations of %lld images (95 %% intervals); target is %.0f %% of the picture\n"
                 "  %-21s %17s %18s %18s %18s %18s  left when shuffled\n",
                 (long long)reha_json_number(explanation, "n", 0.0),
                 100.0 * reha_json_number(explanation, "target_share", (double)NAN), "", "insertion",
                 "deletion", "gain", "points at target", "mass in target");
    json_array_foreach(json_object_get(explanation, "methods"), i, one)
    {
        (void)printf("  %-21s", reha_json_string(one, "name", ""));
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
            print_range(one, keys[k]);
        }
        const json_t *levels = json_object_get(one, "shuffled");
        if (json_array_size(levels) > 0) {
            print_range(json_array_get(levels, json_array_size(levels) - 1), "likeness");
        }
        (void)printf("%s\n", json_is_true(json_object_get(one, "control")) ? "  control" : "");
    }
    (void)printf("  used by the program: %s (%s)\n", reha_json_string(explanation, "method", ""),
                 reha_json_string(explanation, "why", ""));
}

/* A row per kind of change: means, and the shares as percentages. */
static void print_changes(const json_t *rows)
{
    static const struct {
        const char *key, *head;
        double factor;
        int decimals;
    } columns[] = {{"dice_aponeurosis", "Dice", 1.0, 2},
                   {"thickness_change_ratio", "thick%", 100.0, 1},
                   {"aponeurosis_change_deg", "apon", 1.0, 1},
                   {"fascicle_change_deg", "fasc", 1.0, 1},
                   {"pennation_change_deg", "penn", 1.0, 1},
                   {"thickness_error_ratio", "thick%", 100.0, 1},
                   {"aponeurosis_error_deg", "apon", 1.0, 1},
                   {"fascicle_error_deg", "fasc", 1.0, 1},
                   {"measured", "meas%", 100.0, 0},
                   {"gate_refused", "gate%", 100.0, 0},
                   {"refused", "ref%", 100.0, 0},
                   {"flagged", "flag%", 100.0, 0},
                   {"thickness_outside", "outT%", 100.0, 0},
                   {"pennation_outside", "outP%", 100.0, 0},
                   {"silent", "silent%", 100.0, 0}};
    size_t i = 0;
    json_t *row = NULL;
    (void)printf(
        "  changed images: mean change from the image's own result, then mean error against the masks (degrees, %%);\n"
        "  shares measured, refused, flagged, changed beyond both stated errors, misleading without a warning\n"
        "  %-14s",
        "");
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
        (void)printf(" %7s", columns[c].head);
    }
    (void)printf("\n");
    json_array_foreach(rows, i, row)
    {
        (void)printf("  %-14s", reha_json_string(row, "name", ""));
        for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
            const double value = reha_json_number(json_object_get(row, columns[c].key), "value", (double)NAN);
            (void)printf(" %7.*f", columns[c].decimals, columns[c].factor * value);
        }
        (void)printf("\n");
    }
}

static void print_report(const json_t *report)
{
    static const char *const figures[][2] = {{"accuracy", "accuracy"},
                                             {"kappa", "quadratic kappa"},
                                             {"mae", "mean absolute error, grades"},
                                             {"auc", "AUC of osteoarthritis"},
                                             {"ece", "expected calibration error"},
                                             {"ece_by_chance", "  by chance if exactly right"},
                                             {"coverage", "coverage of the 90 % sets"},
                                             {"mean_set_size", "mean set size, grades"}};
    const json_t *metrics = json_object_get(report, "metrics");
    const long long unreadable = (long long)reha_json_number(report, "unreadable", 0.0);
    const json_t *recall = json_object_get(metrics, "recall_by_grade");
    const json_t *coverage = json_object_get(metrics, "coverage_by_grade");
    if (recall == NULL) {
        print_figures(report);
        if (json_is_array(json_object_get(report, "changes"))) {
            print_changes(json_object_get(report, "changes"));
        }
        if (json_is_array(json_object_get(report, "subgroups"))) {
            print_subgroups(json_object_get(report, "subgroups"));
        }
        return;
    }
    (void)printf("%s, split %s: %lld images of %lld patients, %lld refused",
                 reha_json_string(report, "data", ""), reha_json_string(report, "split", ""),
                 (long long)reha_json_number(metrics, "n", 0.0),
                 (long long)reha_json_number(metrics, "patients", 0.0),
                 (long long)reha_json_number(metrics, "refused", 0.0));
    if (unreadable > 0) {
        (void)printf(" (%lld of them could not be read)", unreadable);
    }
    (void)printf("\n");
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        app_print_estimate(metrics, figures[i][0], figures[i][1]);
    }
    for (size_t k = 0; k < json_array_size(recall); k++) {
        const json_t *one = json_array_get(recall, k);
        const json_t *set = json_array_get(coverage, k);
        (void)printf(
            "  grade %zu: n %5lld", k,
            (long long)json_integer_value(json_array_get(json_object_get(metrics, "n_by_grade"), k)));
        if (is_known(one, "value")) {
            (void)printf("  recall %.3f", reha_json_number(one, "value", 0.0));
            app_print_interval(one, " ", 3);
            (void)printf("  coverage %.3f", reha_json_number(set, "value", 0.0));
        }
        (void)printf("\n");
    }
    (void)printf("  baseline (most frequent grade): accuracy %.3f, kappa 0\n",
                 reha_json_number(json_object_get(report, "baseline"), "accuracy", (double)NAN));
    print_subgroups(json_object_get(report, "subgroups"));
    if (json_object_get(report, "explanation") != NULL) {
        print_explanation(json_object_get(report, "explanation"));
    }
}

/* What the folder names and cannot be read is in no figure: told apart from the report, as a fault of the
 * input. */
static int tell_unreadable(const json_t *report)
{
    const json_t *files = json_object_get(report, "unreadable_files");
    const json_t *metrics = json_object_get(report, "metrics"); /* where the task counts them there */
    const size_t count =
        (size_t)reha_json_number(report, "unreadable", reha_json_number(metrics, "unreadable", 0.0));
    size_t i = 0;
    json_t *one = NULL;
    json_array_foreach(files, i, one)
    {
        (void)fprintf(stderr, "rehascope: %s: not measured: %s\n", reha_json_string(one, "path", ""),
                      reha_json_string(one, "text", ""));
    }
    if (count > json_array_size(files)) {
        (void)fprintf(stderr, "rehascope: %zu %simages cannot be read\n", count - json_array_size(files),
                      json_array_size(files) > 0 ? "more " : "");
    }
    return count > 0 ? EXIT_INPUT : EXIT_DONE;
}

static int evaluate_outcome(const evaluate_arguments *given, const char *task)
{
    if (given->split != NULL) {
        return app_wrong_use(&app_evaluate,
                             "--split is for images; the table of an outcome is measured whole");
    }
    return app_outcome_evaluate(
        &(app_outcome_arguments){.task = task,
                                 .data = given->data,
                                 .predictions = given->predictions,
                                 .models = given->models,
                                 .model = given->model,
                                 .bootstrap_rounds = given->rounds >= 0 ? given->rounds : 1000,
                                 .json = given->json});
}

/* What is missing or cannot be asked for together; NULL: nothing. */
static const char *wrong_use_of(const evaluate_arguments *given, bool is_calibration)
{
    if (given->data == NULL || (is_calibration && given->model == NULL)) {
        return is_calibration ? "--data and --model are needed" : "--data is needed";
    }
    if (is_calibration && (given->explain || given->save_card)) {
        return "explanations are measured by 'rehascope evaluate'";
    }
    if (is_calibration && (given->changes != NULL || given->sheet != NULL)) {
        return "changed images are measured by 'rehascope evaluate'";
    }
    if (given->save_card && !given->explain) {
        return "--save-card writes what --explain measures: give both";
    }
    if (given->sheet != NULL && given->changes == NULL) {
        return "--sheet shows what --changes measures: give both";
    }
    return NULL;
}

static reha_status check_task(const evaluate_arguments *given, const reha_recogniser *recogniser,
                              bool is_calibration, reha_error *err)
{
    if (given->explain && !recogniser->explains) {
        return reha_fail(err, REHA_E_UNSUPPORTED,
                         "task '%.40s' makes no maps to be measured; see docs/researcher.md, Explanations",
                         recogniser->name);
    }
    if (given->changes != NULL && !recogniser->changes) {
        return reha_fail(err, REHA_E_UNSUPPORTED,
                         "task '%.40s' has no changed images to be measured on; muscle-us has",
                         recogniser->name);
    }
    if (is_calibration && recogniser->calibrate == NULL) {
        return reha_fail(err, REHA_E_UNSUPPORTED,
                         "the limits of task '%s' are set by its training: use 'rehascope train %s'",
                         recogniser->name, recogniser->name);
    }
    return REHA_OK;
}

static reha_status measure(const evaluate_arguments *given, reha_analyser *analyser, bool is_calibration,
                           json_t **report, reha_error *err)
{
    const reha_recogniser *recogniser = reha_analyser_recogniser(analyser);
    reha_evaluate_options how = reha_evaluate_options_default();
    how.load = reha_input_load_gray;
    how.data_folder = given->data;
    how.split = given->split;
    how.predictions_path = given->predictions;
    how.bootstrap_rounds = given->rounds >= 0 ? given->rounds : how.bootstrap_rounds;
    how.explain = given->explain;
    how.explain_max = given->explain_images >= 0 ? (size_t)given->explain_images : how.explain_max;
    how.save_card = given->save_card;
    how.changes = given->changes;
    how.sheet_path = given->sheet;
    const reha_progress progress = app_progress();
    const reha_status status =
        is_calibration
            ? recogniser->calibrate(reha_analyser_model(analyser), given->model, &how, &progress, report, err)
            : recogniser->evaluate(reha_analyser_model(analyser), &how, &progress, report, err);
    app_progress_end();
    return status;
}

static int run_evaluate(const app_command *command, int argc, char **argv)
{
    evaluate_arguments given = {.rounds = -1, .explain_images = -1};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    reha_analyser *analyser = NULL;
    json_t *report = NULL;
    char *models = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    const bool is_calibration = command == &app_calibrate;
    const char *wrong = wrong_use_of(&given, is_calibration);
    if (wrong != NULL) {
        return app_wrong_use(command, "%s", wrong);
    }
    if (!is_calibration && app_is_outcome(words[0])) {
        return evaluate_outcome(&given, words[0]);
    }
    reha_status status = reha_file_check_target(given.predictions, &err);
    status = status == REHA_OK ? reha_file_check_target(given.sheet, &err) : status;
    if (status != REHA_OK) {
        return app_fail(status, &err);
    }
    /* A model given by its folder may still need another one from beside the program (muscle-injury:
     * muscle-us). */
    status = given.models != NULL ? REHA_OK : reha_models_folder(&models, given.model != NULL ? NULL : &err);
    status = given.model != NULL ? REHA_OK : status;
    if (status == REHA_OK) {
        const reha_analyser_options how = {.task = words[0],
                                           .models_folder = given.models != NULL ? given.models : models,
                                           .model_folder = given.model,
                                           .threads = given.threads,
                                           .with_explanation = given.explain};
        status = reha_analyser_open(&how, &analyser, &err);
    }
    if (status == REHA_OK) {
        status = check_task(&given, reha_analyser_recogniser(analyser), is_calibration, &err);
    }
    if (status == REHA_OK) {
        status = measure(&given, analyser, is_calibration, &report, &err);
    }
    if (status != REHA_OK) {
        code = app_fail(status, &err);
    } else if (given.json || is_calibration) {
        code = app_print_json(report);
    } else {
        print_report(report);
        code = EXIT_DONE;
    }
    if (status == REHA_OK && code == EXIT_DONE) {
        code = tell_unreadable(report);
    }
    json_decref(report);
    reha_analyser_close(analyser);
    reha_free(models);
    return code;
}

const app_command app_evaluate = {.name = "evaluate",
                                  .arguments = "TASK --data DIR",
                                  .summary = "measure a model on labelled images, with intervals",
                                  .example = "rehascope evaluate knee-oa --data knees --split val --json",
                                  .options = evaluate_options,
                                  .words_min = 1,
                                  .words_max = 1,
                                  .is_large = true,
                                  .run = run_evaluate};

const app_command app_calibrate = {
    .name = "calibrate",
    .arguments = "TASK --data DIR --model DIR",
    .summary = "fit a model's probabilities and sets to your own labelled images",
    .example = "rehascope calibrate knee-oa --data knees --split val --model my-model",
    .options = evaluate_options,
    .words_min = 1,
    .words_max = 1,
    .is_large = true,
    .run = run_evaluate};
