#include "app/commands.h"
#include "app/outcome.h"
#include "app/terminal.h"
#include "store/digest.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct predict_arguments {
    const char *input;
    const char *models;
    const char *model;
    bool json;
    bool why;
} predict_arguments;

static const app_option predict_options[] = {
    {"input", APP_TEXT, "F.json", "what is known before treatment (docs/formats/outcome.md)",
     offsetof(predict_arguments, input), 0, 0},
    {"why", APP_FLAG, NULL, "what each input adds to the expected score", offsetof(predict_arguments, why), 0,
     0},
    {"json", APP_FLAG, NULL, "the prediction as JSON on standard output", offsetof(predict_arguments, json),
     0, 0},
    {"model", APP_TEXT, "DIR", "exactly this model", offsetof(predict_arguments, model), 0, 0},
    {"models", APP_TEXT, "DIR", "folder of models (default: beside the program)",
     offsetof(predict_arguments, models), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

enum { SHOWN_MAX = 96 };
static const double SAME_POINTS = 0.5; /* below, a prediction rounds to the group's mean */

static double number(const json_t *object, const char *key)
{
    return reha_json_number(object, key, (double)NAN);
}

static int by_size(const void *a, const void *b)
{
    const double left = fabs(number(*(json_t *const *)a, "points"));
    const double right = fabs(number(*(json_t *const *)b, "points"));
    return (left < right) - (left > right);
}

static void print_why(const json_t *why)
{
    const json_t *sorted[SHOWN_MAX];
    const json_t *all = json_object_get(why, "contributions");
    size_t count = 0;
    double small = 0.0;
    size_t small_count = 0;
    for (size_t i = 0; i < json_array_size(all) && count < SHOWN_MAX; i++) {
        sorted[count++] = json_array_get(all, i);
    }
    qsort(sorted, count, sizeof sorted[0], by_size);
    (void)printf("Why: all patients %.2f", number(why, "base"));
    (void)printf(", and what this patient's answers add (they sum to the expected score):\n");
    for (size_t i = 0; i < count; i++) {
        const double points = number(sorted[i], "points");
        if (fabs(points) < 0.1) {
            small += points;
            small_count++;
        } else {
            (void)printf("  %+6.2f  %s: %s\n", points, reha_json_string(sorted[i], "title", ""),
                         reha_json_string(sorted[i], "value", ""));
        }
    }
    (void)printf("  %+6.2f  %zu answers that add less than 0.1 each\n", small, small_count);
    if (json_is_true(json_object_get(why, "clipped"))) {
        (void)printf("  The sum lies outside the range of the score and was cut to it.\n");
    }
}

static void print_naive(const json_t *result)
{
    const json_t *naive = json_object_get(result, "naive");
    const double difference = number(result, "expected") - number(naive, "mean");
    (void)printf("  plain group mean: %.1f (%.0f patients); the model says %+.1f\n", number(naive, "mean"),
                 number(naive, "patients"), difference);
    if (!json_is_true(json_object_get(naive, "model_is_better"))) {
        (void)printf("  The model was no better than this mean when it was checked: use the mean.\n");
    } else if (fabs(difference) < SAME_POINTS) {
        (void)printf("  For this patient the model says nothing that the group mean does not.\n");
    }
}

static void print_similar(const json_t *similar)
{
    size_t i = 0;
    const json_t *goal = NULL;
    if (!json_is_object(similar)) {
        return;
    }
    (void)printf("  how %.0f similar patients fared (%s): half between %.0f and %.0f, middle %.0f",
                 number(similar, "patients"), reha_json_string(similar, "alike_in", ""),
                 number(similar, "q25"), number(similar, "q75"), number(similar, "median"));
    json_array_foreach((json_t *)json_object_get(similar, "goals"), i, goal)
    {
        (void)printf("; %s %.0f %%", reha_json_string(goal, "goal", ""), 100.0 * number(goal, "share"));
    }
    (void)printf("\n");
}

static void print_goal(const json_t *goal)
{
    if (json_is_true(json_object_get(goal, "reachable"))) {
        (void)printf("  chance of %s (%.4g or more): %.0f %%\n", reha_json_string(goal, "goal", ""),
                     number(goal, "score_needed"), 100.0 * number(goal, "chance"));
    } else {
        (void)printf("  %s cannot be reached: it would need %.4g, more than the best score\n",
                     reha_json_string(goal, "goal", ""), number(goal, "score_needed"));
    }
    (void)printf("    %s\n", reha_json_string(goal, "source", ""));
}

static void print_change(const json_t *result)
{
    const double before = reha_json_number(result, "before", (double)NAN);
    const double change = number(result, "expected") - before;
    if (change > 0.0) {
        (void)printf("  %.1f more than the %.4g before\n", change, before);
    } else if (change <= 0.0) {
        (void)printf("  no improvement is expected: the score before is %.4g\n", before);
    }
}

static void print_prediction(const json_t *result, bool with_why)
{
    size_t i = 0;
    const json_t *one = NULL;
    const json_t *half = json_array_get(json_object_get(result, "intervals"), 0);
    const json_t *most = json_array_get(json_object_get(result, "intervals"), 1);
    (void)printf("%s: %.1f %s expected\n", reha_json_string(result, "target", ""), number(result, "expected"),
                 reha_json_string(result, "unit", ""));
    print_change(result);
    (void)printf("  5 in 10 such patients end between %.4g and %.4g, 9 in 10 between %.4g and %.4g\n",
                 number(half, "low"), number(half, "high"), number(most, "low"), number(most, "high"));
    json_array_foreach((json_t *)json_object_get(result, "goals"), i, one)
    {
        print_goal(one);
    }
    print_naive(result);
    print_similar(json_object_get(result, "similar"));
    const json_t *model = json_object_get(result, "model");
    (void)printf("  model %s %s, %s; a named clinician decides\n", reha_json_string(model, "name", ""),
                 reha_json_string(model, "version", ""), reha_json_string(result, "status", ""));
    if (with_why) {
        print_why(json_object_get(result, "why"));
    }
}

static reha_status predict(const predict_arguments *given, const char *task, json_t **out, reha_error *err)
{
    reha_outcome_model *model = NULL;
    json_t *card = NULL;
    json_t *input = NULL;
    char hash[REHA_DIGEST_TEXT_BYTES];
    *out = NULL;
    if (!app_is_outcome(task)) {
        return reha_fail(err, REHA_E_NOT_FOUND,
                         "no outcome '%.40s': knee-replacement, hip-replacement, knee-oa-progression, or "
                         "outcome (your own)",
                         task);
    }
    reha_status status = app_outcome_open(given->models, given->model, task, &model, &card, hash, err);
    if (status == REHA_OK) {
        status = reha_json_load(given->input, &input, err);
    }
    if (status == REHA_OK) {
        status = reha_outcome_run(model, card, hash, input, out, err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "%s", given->input);
        }
    }
    json_decref(input);
    json_decref(card);
    reha_outcome_close(model);
    return status;
}

static int run_predict(const app_command *command, int argc, char **argv)
{
    predict_arguments given = {0};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    json_t *result = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    if (given.input == NULL) {
        return app_wrong_use(command, "--input is needed");
    }
    if (app_is_progression(words[0])) {
        return app_progression_predict(given.models, given.model, given.input, given.json, given.why);
    }
    const reha_status status = predict(&given, words[0], &result, &err);
    if (status != REHA_OK) {
        return app_fail(status, &err);
    }
    code = EXIT_DONE;
    if (given.json) {
        code = app_print_json(result);
    } else {
        print_prediction(result, given.why);
    }
    json_decref(result);
    return code;
}

const app_command app_predict = {.name = "predict",
                                 .arguments = "OUTCOME --input F.json",
                                 .summary = "what to expect after treatment, as a distribution",
                                 .example = "rehascope predict knee-replacement --input patient.json --why",
                                 .options = predict_options,
                                 .words_min = 1,
                                 .words_max = 1,
                                 .run = run_predict};
