/* Grades, probabilities, prediction sets, the threshold of the regions and the errors of the sizes, fitted to
 * pictures that taught no weight. */
#include "base/file.h"
#include "base/memory.h"
#include "recognition/muscle_injury_card.h"
#include "recognition/muscle_injury_show.h"
#include "recognition/muscle_us.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double FALSE_ALARMS = 0.1; /* regions told in a picture without a lesion, on average */
static const double SCORE_LOWEST = 0.4;
enum { PAIRS_MIN = 10 };

static int rising(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* The least score that tells at most FALSE_ALARMS false regions a picture without a lesion. */
static reha_status find_threshold(const reha_injury_show *show, double *out, reha_error *err)
{
    size_t count = 0;
    size_t pictures = 0;
    double *scores = reha_alloc((show->count * REHA_INJURY_FOUND_MAX + 1) * sizeof *scores);
    if (scores == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pictures", show->count);
    }
    for (size_t i = 0; i < show->count; i++) {
        const reha_injury_shown *one = &show->items[i];
        pictures += reha_injury_is_free(one) ? 1 : 0;
        for (int k = 0; reha_injury_is_free(one) && k < one->reading.count; k++) {
            scores[count++] = one->reading.found[k].score;
        }
    }
    qsort(scores, count, sizeof *scores, rising);
    const size_t allowed = (size_t)(FALSE_ALARMS * (double)pictures);
    *out = count > allowed ? fmin(1.0, scores[count - allowed - 1] + 1e-6) : SCORE_LOWEST;
    *out = fmax(SCORE_LOWEST, *out);
    reha_free(scores);
    return REHA_OK;
}

typedef double error_of(const reha_injury_found *found, const reha_injury_found *truth);

static double share_error(const reha_injury_found *found, const reha_injury_found *truth)
{
    return fabs(found->share - truth->share);
}

static double along_error(const reha_injury_found *found, const reha_injury_found *truth)
{
    return truth->along_px > 0.0 ? fabs(found->along_px / truth->along_px - 1.0) : (double)NAN;
}

/* The 95th percentile over the lesions that are told and hit. */
static reha_status size_error(const reha_injury_show *show, double score_min, error_of *error, double *out,
                              reha_error *err)
{
    size_t count = 0;
    double *values = reha_alloc((show->count + 1) * sizeof *values);
    if (values == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pictures", show->count);
    }
    for (size_t i = 0; i < show->count; i++) {
        const reha_injury_shown *one = &show->items[i];
        const bool is_told = one->has_truth && one->reading.count > 0 && one->hit[0] &&
                             one->reading.found[0].score >= score_min;
        const double value = is_told ? error(&one->reading.found[0], &one->truth) : (double)NAN;
        if (isfinite(value)) {
            values[count++] = value;
        }
    }
    qsort(values, count, sizeof *values, rising);
    *out = count >= PAIRS_MIN ? values[(size_t)ceil(0.95 * (double)count) - 1] : (double)NAN;
    reha_free(values);
    return REHA_OK;
}

static reha_status fit(const reha_injury_show *show, reha_injury_rule *rule, reha_injury_errors *errors,
                       reha_error *err)
{
    reha_injury_example *examples = reha_alloc_zero(show->count, sizeof *examples);
    if (examples == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pictures", show->count);
    }
    for (size_t i = 0; i < show->count; i++) {
        memcpy(examples[i].features, show->items[i].reading.features, sizeof examples[i].features);
        examples[i].grade = show->items[i].grade;
        examples[i].group_idx = show->items[i].group_idx;
    }
    const reha_status status = reha_injury_rule_fit(examples, show->count, rule, err);
    reha_free(examples);
    REHA_TRY(status);
    REHA_TRY(find_threshold(show, &rule->score_min, err));
    REHA_TRY(size_error(show, rule->score_min, share_error, &errors->share, err));
    return size_error(show, rule->score_min, along_error, &errors->along_ratio, err);
}

static json_t *facts_of(const reha_injury_show *show, const reha_evaluate_options *options, bool has_muscle)
{
    size_t by_grade[REHA_LESION_GRADES] = {0};
    size_t labelled = 0;
    for (size_t i = 0; i < show->count; i++) {
        by_grade[show->items[i].grade]++;
        labelled += show->items[i].is_labelled ? 1 : 0;
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:[I, I, I, I], s:s}", "split",
                     options->split != NULL ? options->split : "all", "pictures", (json_int_t)show->count,
                     "labelled", (json_int_t)labelled, "groups", (json_int_t)show->data.group_count,
                     "by_grade", (json_int_t)by_grade[0], (json_int_t)by_grade[1], (json_int_t)by_grade[2],
                     (json_int_t)by_grade[3], "belly",
                     has_muscle ? "as muscle-us finds it" : "from the masks");
}

/* Into the card; figures measured with another rule no longer belong to it. */
static reha_status write_card(reha_model *model, const char *folder, json_t *facts, reha_error *err)
{
    json_t *rule = NULL;
    REHA_TRY(reha_injury_rule_to_json(&model->rule, &rule, err));
    json_t *errors = json_pack("{s:o, s:o}", "share_of_thickness", reha_json_real(model->errors.share),
                               "length_ratio", reha_json_real(model->errors.along_ratio));
    (void)json_object_del(model->card, "metrics");
    if (json_object_set_new(model->card, "rule", rule) != 0 ||
        json_object_set_new(model->card, "measurement_error_95", errors) != 0 ||
        json_object_set(model->card, "calibrated_on", facts) != 0) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the card");
    }
    return reha_injury_card_save(folder, model->card, err);
}

reha_status reha_injury_calibrate_(reha_model *model, const char *model_folder,
                                   const reha_evaluate_options *options, const reha_progress *progress,
                                   json_t **report, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_injury_show show;
    json_t *facts = NULL;
    *report = NULL;
    REHA_CHECK(reha_injury_show_run(model, options, progress, &show, err));
    REHA_CHECK(fit(&show, &model->rule, &model->errors, err));
    model->has_rule = true;
    facts = facts_of(&show, options, model->muscle != NULL);
    if (facts == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
        goto done;
    }
    REHA_CHECK(write_card(model, model_folder, facts, err));
    *report = json_pack("{s:s, s:O, s:O, s:O}", "task", REHA_INJURY_TASK, "calibrated_on", facts, "rule",
                        json_object_get(model->card, "rule"), "measurement_error_95",
                        json_object_get(model->card, "measurement_error_95"));
    status = *report != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
done:
    json_decref(facts);
    reha_injury_show_clear(&show);
    return status;
}

/* models/muscle-injury/1 -> the newest of models/muscle-us, NULL if there is none. */
static char *muscle_beside(const char *base_folder)
{
    char *found = NULL;
    char *models = base_folder != NULL ? reha_path_join(base_folder, "../..") : NULL;
    if (models != NULL &&
        reha_model_folder(models, reha_recogniser_muscle_us.name, &found, NULL) != REHA_OK) {
        found = NULL;
    }
    reha_free(models);
    return found;
}

reha_status reha_injury_fit_after_training_(const reha_train_options *options, const reha_progress *progress,
                                            reha_error *err)
{
    reha_status status = REHA_OK;
    reha_model *model = NULL;
    json_t *report = NULL;
    reha_evaluate_options how = reha_evaluate_options_default();
    how.load = options->load;
    how.data_folder = options->data_folder;
    how.split = "tune";
    how.seed = options->seed;
    reha_injury_data data;
    char *muscle = NULL;
    REHA_TRY(reha_injury_data_load(options->data_folder, how.split, &data, err));
    /* Simulated pictures have drawn aponeuroses: what is fitted then depends on nothing that happens to be
     * installed. */
    muscle = data.labelled_count > 0 ? muscle_beside(options->base_folder) : NULL;
    reha_injury_data_clear(&data);
    REHA_CHECK(reha_injury_model_load_(options->out_folder, muscle, options->threads, &model, err));
    status = reha_injury_calibrate_(model, options->out_folder, &how, progress, &report, err);
    if (status != REHA_OK) {
        reha_error_prefix(err,
                          "the network is trained and saved, but its grades could not be fitted (give more "
                          "patients, or 'rehascope calibrate')");
    }
done:
    json_decref(report);
    reha_injury_model_close_(model);
    reha_free(muscle);
    return status;
}
