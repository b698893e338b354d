/* Progression of knee osteoarthritis on the command line. */
#include "service/outcome_progression.h"
#include "app/options.h"
#include "app/outcome.h"
#include "app/terminal.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool app_is_progression(const char *task)
{
    return strcmp(task, "knee-oa-progression") == 0;
}

static double number(const json_t *object, const char *key)
{
    return reha_json_number(object, key, (double)NAN);
}

static const char *verdict(const json_t *object, const char *ranks, const char *odds)
{
    if (!json_is_true(json_object_get(object, ranks))) {
        return "it is not shown that the picture adds to the grade";
    }
    return json_is_true(json_object_get(object, odds))
               ? "the picture adds to the grade: knees are ranked better, and the odds are more accurate"
               : "the picture adds to the grade in ranking knees; that the odds are more accurate is not "
                 "shown";
}

int app_progression_train(const app_outcome_arguments *given)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *card = NULL;
    size_t i = 0;
    const json_t *one = NULL;
    const reha_outcome_options how = {.data = given->data,
                                      .out_folder = given->out,
                                      .bootstrap_rounds = given->bootstrap_rounds,
                                      .seed = (uint64_t)given->seed,
                                      .command = given->command};
    const reha_status status = reha_progression_train(&how, &card, &err);
    if (status != REHA_OK) {
        return app_fail(status, &err);
    }
    const json_t *metrics = json_object_get(card, "metrics");
    (void)printf("%.0f matched pairs; each pair scored by a model that has not seen its people\n",
                 number(metrics, "pairs"));
    json_array_foreach((json_t *)json_object_get(metrics, "models"), i, one)
    {
        const json_t *auc = json_object_get(one, "auc_within_strata");
        const json_t *gain = json_object_get(one, "auc_gain_on_kl");
        const char *kept = reha_json_string(one, "kept", NULL);
        if (kept != NULL) {
            (void)printf("  kept: %s\n", kept);
            continue;
        }
        (void)printf("  %-48s AUC %.3f (%.3f to %.3f)  log loss %.4f  gain on KL %+.3f (%+.3f to %+.3f)\n",
                     reha_json_string(one, "model", ""), number(auc, "value"), number(auc, "low"),
                     number(auc, "high"), number(one, "log_loss"), number(gain, "value"), number(gain, "low"),
                     number(gain, "high"));
    }
    (void)printf("  %s\nmodel and card: %s\n", verdict(metrics, "ranks_better", "odds_better"), given->out);
    json_decref(card);
    return EXIT_DONE;
}

static void print_result(const json_t *result, bool with_why)
{
    size_t i = 0;
    const json_t *one = NULL;
    const json_t *ratio = json_object_get(result, "likelihood_ratio");
    const json_t *risk = json_object_get(result, "risk");
    const json_t *grade = json_object_get(result, "grade_alone");
    (void)printf("%s: such a knee is met %.2f times (%.2f to %.2f) as often among replaced knees as among "
                 "the others\n",
                 reha_json_string(result, "target", ""), number(ratio, "value"), number(ratio, "low"),
                 number(ratio, "high"));
    (void)printf("  from the grade alone: %.2f times\n", number(grade, "likelihood_ratio"));
    if (json_is_object(risk)) {
        (void)printf(
            "  with the stated prior of %.3g %%: %.1f %% (%.1f to %.1f); from the grade alone %.1f %%\n",
            100.0 * number(result, "prior"), 100.0 * number(risk, "value"), 100.0 * number(risk, "low"),
            100.0 * number(risk, "high"), 100.0 * number(grade, "risk"));
    } else {
        (void)printf(
            "  no risk without a prior: cases and controls were matched, so the data tell odds only\n");
    }
    (void)printf("  %s\n", verdict(result, "ranks_better_than_grade", "odds_better_than_grade"));
    (void)printf("  model %s, %s; a named clinician decides\n",
                 reha_json_string(json_object_get(result, "model"), "name", ""),
                 reha_json_string(result, "status", ""));
    json_array_foreach((json_t *)json_object_get(result, "contributions"), i, one)
    {
        if (with_why) {
            (void)printf("  %+6.2f log odds against the mean control  %s %.3g\n", number(one, "log_odds"),
                         reha_json_string(one, "feature", ""), number(one, "value"));
        }
    }
}

int app_progression_predict(const char *models, const char *model, const char *input_path, bool with_json,
                            bool with_why)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *input = NULL;
    json_t *result = NULL;
    char *folder = NULL;
    int code = EXIT_DONE;
    reha_status status = models != NULL || model != NULL ? REHA_OK : reha_models_folder(&folder, &err);
    if (status == REHA_OK) {
        status = reha_json_load(input_path, &input, &err);
    }
    if (status == REHA_OK) {
        status = reha_progression_run(models != NULL ? models : folder, model, input, &result, &err);
        if (status != REHA_OK) {
            reha_error_prefix(&err, "%s", input_path);
        }
    }
    if (status != REHA_OK) {
        code = app_fail(status, &err);
    } else if (with_json) {
        code = app_print_json(result);
    } else {
        print_result(result, with_why);
    }
    json_decref(input);
    json_decref(result);
    reha_free(folder);
    return code;
}
