#include "app/commands.h"
#include "app/outcome.h"
#include "app/terminal.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "service/analyse.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct train_arguments {
    const char *data;
    const char *out;
    const char *backbone;
    const char *base;
    const char *network;
    const char *target;
    const char *teacher;
    int seed;
    int threads;
    int epochs;
    double minutes;
    bool f32;
    bool resume;
} train_arguments;

static const app_option train_options[] = {
    {"data", APP_TEXT, "DIR", "labelled folder (labels.csv); of an outcome: CSV, zip or folder",
     offsetof(train_arguments, data), 0, 0},
    {"out", APP_TEXT, "DIR", "where the model and its card go", offsetof(train_arguments, out), 0, 0},
    {"backbone", APP_TEXT, "DIR",
     "pre-trained weights to start from (.npy files), or a muscle model to go on from",
     offsetof(train_arguments, backbone), 0, 0},
    {"base", APP_TEXT, "DIR", "model to take the other networks from (default: the installed one)",
     offsetof(train_arguments, base), 0, 0},
    {"network", APP_TEXT, "NAME", "knee-oa: resnet50 (default) or mobilenetv2",
     offsetof(train_arguments, network), 0, 0},
    {"teacher", APP_TEXT, "FILE",
     "knee-oa: predictions for the training images by models that did not learn from them (evaluate "
     "--predictions), as a second reader beside the labels",
     offsetof(train_arguments, teacher), 0, 0},
    {"target", APP_TEXT, "COLUMN", "outcome: the column of your own table to predict",
     offsetof(train_arguments, target), 0, 0},
    {"epochs", APP_INTEGER, "N", "rounds over the data (default: the recipe's)",
     offsetof(train_arguments, epochs), 1, 1000},
    {"minutes", APP_NUMBER, "M", "fewer epochs if the recipe's would take longer",
     offsetof(train_arguments, minutes), 0.01, 100000},
    {"seed", APP_INTEGER, "N", "same seed, same threads, same weights (default 1)",
     offsetof(train_arguments, seed), 0, 2147483647},
    {"threads", APP_INTEGER, "N", "processors to use (default: all)", offsetof(train_arguments, threads), 1,
     256},
    {"f32", APP_FLAG, NULL, "single precision even where bf16 is fast", offsetof(train_arguments, f32), 0, 0},
    {"resume", APP_FLAG, NULL, "go on from the checkpoint in --out", offsetof(train_arguments, resume), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static void quote_command(int argc, char **argv, char *out, size_t out_bytes)
{
    size_t used = (size_t)snprintf(out, out_bytes, "rehascope train");
    for (int i = 0; i < argc && used < out_bytes; i++) {
        used += (size_t)snprintf(out + used, out_bytes - used, " %s", argv[i]);
    }
}

static int train_outcome(const train_arguments *given, const char *task, int argc, char **argv)
{
    char command[512];
    const bool is_progression = app_is_progression(task);
    const bool is_own = !is_progression && !reha_outcome_is_task(task);
    if (given->data == NULL || given->out == NULL || (is_own && given->target == NULL)) {
        return app_wrong_use(&app_train, "--data and --out are needed%s", is_own ? ", and --target" : "");
    }
    quote_command(argc, argv, command, sizeof command);
    const app_outcome_arguments outcome = {.task = task,
                                           .data = given->data,
                                           .out = given->out,
                                           .target = given->target,
                                           .command = command,
                                           .bootstrap_rounds = 500,
                                           .seed = given->seed};
    return is_progression ? app_progression_train(&outcome) : app_outcome_train(&outcome);
}

/* A network that was taught from nothing does nothing wrong, and still disappoints: said before the hours. */
static void tell_no_backbone(const char *task, const train_arguments *given)
{
    static const char *const pretrained[] = {"knee-oa", "muscle-us", "fracture", "knee-mri", "gate"};
    for (size_t i = 0; i < sizeof pretrained / sizeof pretrained[0]; i++) {
        if (strcmp(task, pretrained[i]) == 0 && given->backbone == NULL && !given->resume) {
            (void)fprintf(stderr,
                          "rehascope: caution: without --backbone the network starts from random weights and "
                          "learns much less from the same images\n");
        }
    }
}

/* What the card says of the new model, where it says it in single figures. */
static void print_card(const char *folder)
{
    const char *name = NULL;
    json_t *card = NULL;
    json_t *figure = NULL;
    char *path = reha_path_join(folder, "card.json");
    (void)printf("model and card: %s\n", folder);
    if (path != NULL && reha_json_load(path, &card, NULL) == REHA_OK) {
        json_t *metrics = json_object_get(card, "metrics");
        json_object_foreach(metrics, name, figure)
        {
            if (json_is_number(json_object_get(figure, "value"))) {
                app_print_estimate(metrics, name, name);
            }
        }
    }
    json_decref(card);
    reha_free(path);
}

static int run_train(const app_command *command, int argc, char **argv)
{
    train_arguments given = {.seed = 1};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    const int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    if (app_is_outcome(words[0]) || app_is_progression(words[0])) {
        return train_outcome(&given, words[0], argc, argv);
    }
    const reha_recogniser *recogniser = reha_recogniser_find(words[0]);
    if (recogniser == NULL || recogniser->train == NULL) {
        return app_fail(reha_fail(&err, REHA_E_NOT_FOUND,
                                  "no task '%.40s' to train; see 'rehascope model list'", words[0]),
                        &err);
    }
    if (given.data == NULL || given.out == NULL) {
        return app_wrong_use(command, "--data and --out are needed");
    }
    char *models = NULL;
    char *base = NULL;
    if (given.base == NULL && reha_models_folder(&models, NULL) == REHA_OK) {
        /* None installed is fine: the new model then takes ready crops only. */
        (void)(reha_model_folder(models, words[0], &base, NULL) == REHA_OK);
    }
    reha_train_options how = reha_train_options_default();
    how.base_folder = given.base != NULL ? given.base : base;
    how.load = reha_input_load_gray;
    how.data_folder = given.data;
    how.out_folder = given.out;
    how.backbone_folder = given.backbone;
    how.network = given.network;
    how.teacher_path = given.teacher;
    how.seed = (uint64_t)given.seed;
    how.threads = given.threads;
    how.epochs = given.epochs;
    how.minutes_max = given.minutes;
    how.force_f32 = given.f32;
    how.resume = given.resume;
    quote_command(argc, argv, how.command, sizeof how.command);
    tell_no_backbone(words[0], &given);
    const reha_progress progress = app_progress();
    const reha_status status = recogniser->train(&how, &progress, &err);
    app_progress_end();
    reha_free(models);
    reha_free(base);
    if (status != REHA_OK) {
        return app_fail(status, &err);
    }
    print_card(given.out);
    return EXIT_DONE;
}

const app_command app_train = {
    .name = "train",
    .arguments = "TASK --data DIR --out DIR",
    .summary = "train a recogniser on your own labelled images",
    .example = "rehascope train knee-oa --data knees --out my-model --backbone resnet50v2/weights",
    .options = train_options,
    .words_min = 1,
    .words_max = 1,
    .is_large = true,
    .run = run_train};
