#include "app/outcome.h"

#include "app/options.h"
#include "app/terminal.h"
#include "base/memory.h"
#include "store/digest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char OWN_TASK[] = "outcome";

bool app_is_outcome(const char *task)
{
    return strcmp(task, OWN_TASK) == 0 || reha_outcome_is_task(task);
}

reha_status app_outcome_open(const char *models, const char *model, const char *task,
                             reha_outcome_model **out, json_t **card, char *hash, reha_error *err)
{
    char *folder = NULL;
    *out = NULL;
    *card = NULL;
    if (model == NULL && strcmp(task, OWN_TASK) == 0) {
        return reha_fail(err, REHA_E_ARG, "the model of your own table must be named: --model DIR");
    }
    if (models == NULL && model == NULL) {
        REHA_TRY(reha_models_folder(&folder, err));
    }
    const reha_status status =
        reha_outcome_open(models != NULL ? models : folder, model, task, out, card, hash, err);
    reha_free(folder);
    return status;
}

static double number(const json_t *object, const char *key)
{
    return reha_json_number(object, key, (double)NAN);
}

static void print_figure(const json_t *report, const char *key, const char *label)
{
    const json_t *one = json_object_get(report, key);
    (void)printf("  %-34s %7.3f   (%.3f to %.3f)\n", label, number(one, "value"), number(one, "low"),
                 number(one, "high"));
}

static const char *star(const json_t *one, const char *key)
{
    return json_is_true(json_object_get(one, key)) ? "*" : " ";
}

static void print_group(const json_t *one)
{
    char name[160];
    const json_t *half = json_object_get(one, "coverage_50");
    const json_t *most = json_object_get(one, "coverage_90");
    const char *feature = reha_json_string(one, "feature", NULL);
    if (feature != NULL) {
        (void)snprintf(name, sizeof name, "%s: %s", feature, reha_json_string(one, "level", "not known"));
    } else if (json_object_get(one, "from") != NULL) {
        (void)snprintf(name, sizeof name, "expected: %.1f to %.1f", number(one, "from"), number(one, "to"));
    } else {
        (void)snprintf(name, sizeof name, "all");
    }
    (void)printf("  %-34s %6.0f   %5.1f %%%s %5.1f %%%s  %6.2f   %+6.2f\n", name, number(one, "n"),
                 100.0 * number(half, "value"), star(one, "beyond_chance_50"), 100.0 * number(most, "value"),
                 star(one, "beyond_chance_90"), number(one, "rmse"), number(one, "bias"));
}

static void print_goal(const json_t *goal)
{
    (void)printf(
        "  %-34s predicted %.1f %%, came %.1f %%; Brier score %.4f (the same chance for all: %.4f)\n",
        reha_json_string(goal, "goal", ""), 100.0 * number(goal, "predicted"),
        100.0 * number(goal, "observed"), number(goal, "brier"), number(goal, "brier_naive"));
}

static void print_benchmark(const json_t *benchmark)
{
    if (!json_is_object(benchmark)) {
        return;
    }
    (void)printf("The prediction in the file (NHS case mix), on its %.0f rows:\n", number(benchmark, "n"));
    print_figure(benchmark, "r2", "R2 of the file's prediction");
    print_figure(benchmark, "model_r2_same_rows", "R2 of the model, same rows");
    print_figure(benchmark, "rmse", "RMSE of the file's prediction");
    print_figure(benchmark, "model_rmse_same_rows", "RMSE of the model, same rows");
    print_figure(benchmark, "rmse_gain", "RMSE gained on it");
}

static void print_report(const json_t *report)
{
    size_t i = 0;
    const json_t *one = NULL;
    const json_t *naive = json_object_get(report, "naive");
    (void)printf("%s: %.0f rows with an outcome, %.0f measured, %.0f refused (outside the model's range)\n",
                 reha_json_string(report, "target", ""), number(report, "rows"), number(report, "n"),
                 number(json_object_get(report, "refused"), "n"));
    (void)printf("  mean outcome %.2f, model's bias %+.2f\n", number(report, "mean"), number(report, "bias"));
    print_figure(report, "r2", "R2 of the model");
    print_figure(report, "rmse", "RMSE of the model");
    print_figure(naive, "r2", "R2 of the group mean");
    print_figure(naive, "rmse", "RMSE of the group mean");
    if (json_is_false(json_object_get(naive, "model_is_better"))) {
        (void)printf("  The model is no better than the group mean here.\n");
    }
    print_benchmark(json_object_get(report, "benchmark"));
    (void)printf("Intervals and error:                    n     50 %%     90 %%     RMSE     bias\n");
    print_group(json_object_get(report, "coverage"));
    json_array_foreach((json_t *)json_object_get(report, "by_expected"), i, one)
    {
        print_group(one);
    }
    json_array_foreach((json_t *)json_object_get(report, "groups"), i, one)
    {
        print_group(one);
    }
    (void)printf("  (*: more than 2 points off, and more than a group of this size is by chance)\n");
    json_array_foreach((json_t *)json_object_get(report, "goals"), i, one)
    {
        print_goal(one);
    }
}

int app_outcome_evaluate(const app_outcome_arguments *given)
{
    reha_error err = REHA_ERROR_INIT;
    reha_outcome_model *model = NULL;
    json_t *card = NULL;
    json_t *report = NULL;
    char hash[REHA_DIGEST_TEXT_BYTES];
    int code = EXIT_DONE;
    reha_status status =
        app_outcome_open(given->models, given->model, given->task, &model, &card, hash, &err);
    if (status == REHA_OK) {
        const reha_outcome_options how = {.task = given->task,
                                          .data = given->data,
                                          .predictions_path = given->predictions,
                                          .bootstrap_rounds = given->bootstrap_rounds,
                                          .seed = 1};
        status = strcmp(given->task, OWN_TASK) == 0 ? reha_outcome_evaluate_own(model, &how, &report, &err)
                                                    : reha_outcome_evaluate(model, &how, &report, &err);
    }
    if (status != REHA_OK) {
        code = app_fail(status, &err);
    } else if (given->json) {
        code = app_print_json(report);
    } else {
        print_report(report);
    }
    json_decref(report);
    json_decref(card);
    reha_outcome_close(model);
    return code;
}

static void print_cleaning(const json_t *cleaning)
{
    size_t i = 0;
    const json_t *one = NULL;
    if (json_is_array(cleaning)) {
        (void)printf("Columns:\n");
    }
    json_array_foreach((json_t *)cleaning, i, one)
    {
        const char *reason = reha_json_string(one, "reason", NULL);
        (void)printf("  %-28s %s%s; not known %.0f (suppressed %.0f), unreadable %.0f, implausible %.0f\n",
                     reha_json_string(one, "column", ""), reason != NULL ? "left out: " : "used as ",
                     reason != NULL ? reason : reha_json_string(one, "kind", ""), number(one, "missing"),
                     number(one, "suppressed"), number(one, "unreadable"), number(one, "implausible"));
    }
}

int app_outcome_train(const app_outcome_arguments *given)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *card = NULL;
    const bool is_own = strcmp(given->task, OWN_TASK) == 0;
    const reha_outcome_options how = {.task = given->task,
                                      .data = given->data,
                                      .out_folder = given->out,
                                      .target = given->target,
                                      .bootstrap_rounds = given->bootstrap_rounds,
                                      .seed = (uint64_t)given->seed,
                                      .command = given->command};
    const reha_progress progress = app_progress();
    const reha_status status = is_own ? reha_outcome_train_own(&how, &progress, &card, &err)
                                      : reha_outcome_train(&how, &progress, &card, &err);
    app_progress_end();
    if (status != REHA_OK) {
        return app_fail(status, &err);
    }
    const json_t *metrics = json_object_get(card, "metrics");
    print_cleaning(json_object_get(card, "cleaning"));
    if (json_is_object(metrics)) {
        (void)printf("On rows that were not learnt from:\n");
        print_report(metrics);
    } else {
        (void)printf("Only one year: nothing is left to measure the model on; its card has no figures.\n");
    }
    (void)printf("model and card: %s\n", given->out);
    json_decref(card);
    return EXIT_DONE;
}
