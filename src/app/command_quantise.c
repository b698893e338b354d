#include "app/commands.h"
#include "app/terminal.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

typedef struct quantise_arguments {
    const char *data;
    const char *split;
    const char *model;
    int threads;
    bool json;
} quantise_arguments;

static const app_option quantise_options[] = {
    {"data", APP_TEXT, "DIR", "labelled folder (labels.csv: path,knee_id,patient_id,side,split,kl)",
     offsetof(quantise_arguments, data), 0, 0},
    {"split", APP_TEXT, "NAME", "only rows of this split (default: all)", offsetof(quantise_arguments, split),
     0, 0},
    {"model", APP_TEXT, "DIR", "the model to change", offsetof(quantise_arguments, model), 0, 0},
    {"json", APP_FLAG, NULL, "the report as JSON on standard output", offsetof(quantise_arguments, json), 0,
     0},
    {"threads", APP_INTEGER, "N", "processors to use (default: all)", offsetof(quantise_arguments, threads),
     1, 256},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static double figure(const json_t *report, const char *when, const char *name)
{
    return reha_json_number(json_object_get(json_object_get(report, when), name), "value", (double)NAN);
}

static int print(const json_t *report)
{
    static const char *const names[][2] = {
        {"accuracy", "accuracy"}, {"kappa", "quadratic kappa"}, {"auc", "AUC of osteoarthritis"}};
    (void)printf("  %-24s %8s %8s\n", "", "before", "int8");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)printf("  %-24s %8.4f %8.4f\n", names[i][1], figure(report, "before", names[i][0]),
                     figure(report, "after", names[i][0]));
    }
    (void)printf("%s\n", json_is_true(json_object_get(report, "kept"))
                             ? "kept: the model now runs in int8 where the processor is fast at it"
                             : "not kept: it costs more than half a point; the model is as it was");
    return EXIT_DONE;
}

static int run_quantise(const app_command *command, int argc, char **argv)
{
    quantise_arguments given = {0};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    reha_analyser *analyser = NULL;
    json_t *report = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    if (given.data == NULL || given.model == NULL) {
        return app_wrong_use(command, "--data and --model are needed");
    }
    const reha_analyser_options open = {
        .task = words[0], .model_folder = given.model, .threads = given.threads};
    reha_status status = reha_analyser_open(&open, &analyser, &err);
    if (status == REHA_OK && reha_analyser_recogniser(analyser)->quantise == NULL) {
        status = reha_fail(&err, REHA_E_UNSUPPORTED, "%s has no networks that can run in int8", words[0]);
    }
    if (status == REHA_OK) {
        reha_evaluate_options how = reha_evaluate_options_default();
        how.load = reha_input_load_gray;
        how.data_folder = given.data;
        how.split = given.split;
        const reha_progress progress = app_progress();
        status = reha_analyser_recogniser(analyser)->quantise(reha_analyser_model(analyser), given.model,
                                                              &how, &progress, &report, &err);
        app_progress_end();
    }
    if (status != REHA_OK) {
        code = app_fail(status, &err);
    } else {
        code = given.json ? app_print_json(report) : print(report);
    }
    json_decref(report);
    reha_analyser_close(analyser);
    return code;
}

const app_command app_quantise = {.name = "quantise",
                                  .arguments = "TASK --data DIR --model DIR",
                                  .summary = "let a model's networks run in int8, if that costs nothing",
                                  .example =
                                      "rehascope quantise knee-oa --data knees --split val --model my-model",
                                  .options = quantise_options,
                                  .words_min = 1,
                                  .words_max = 1,
                                  .is_large = true,
                                  .run = run_quantise};
