/* Calibrating a model again on labelled images of its user: another hospital's machine and readers shift
 * probabilities first. The networks stay as they are; temperature and set thresholds are fitted to the
 * uncalibrated output of the whole deployed path. */
#include "recognition/knee_oa_priv.h"

#include "base/memory.h"
#include "recognition/evaluate.h"
#include "recognition/metrics.h"

#include <math.h>
#include <string.h>

enum { DISEASE_GRADE = 2 };

typedef struct graded { /* the accepted cases */
    reha_graded_case *cases;
    double *logits; /* count * REHA_GRADES: logarithms of the uncalibrated probabilities */
    int *labels;
    size_t count;
} graded;

static reha_status take_accepted(reha_graded_case *cases, size_t count, graded *out, reha_error *err)
{
    out->cases = cases;
    out->logits = reha_alloc_zero(count * REHA_GRADES, sizeof *out->logits);
    out->labels = reha_alloc_zero(count, sizeof *out->labels);
    if (out->logits == NULL || out->labels == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu cases", count);
    }
    for (size_t i = 0; i < count; i++) {
        if (cases[i].is_refused) {
            continue;
        }
        for (int k = 0; k < REHA_GRADES; k++) {
            out->logits[out->count * REHA_GRADES + (size_t)k] = log(fmax(cases[i].probabilities[k], 1e-12));
        }
        out->labels[out->count++] = cases[i].grade;
    }
    return REHA_OK;
}

/* Replaces the cases' probabilities and sets by what the new calibration makes of them. */
static void apply(const reha_ordinal_calibration *calibration, const graded *data, size_t count)
{
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        reha_graded_case *one = &data->cases[i];
        if (!one->is_refused) {
            reha_ordinal_probabilities(calibration, data->logits + next * REHA_GRADES, one->probabilities);
            reha_ordinal_set(calibration, one->probabilities, &one->set_low, &one->set_high);
            next++;
        }
    }
}

static reha_status save(reha_model *model, const reha_ordinal_calibration *calibration,
                        const reha_graded_metrics *figures, const reha_evaluate_options *options,
                        const char *model_folder, json_t **report, reha_error *err)
{
    json_t *metrics = NULL;
    REHA_TRY(reha_graded_metrics_to_json(figures, &metrics, err));
    (void)json_object_set_new(
        metrics, "split",
        json_sprintf("%s (calibrated on it: optimistic)", options->split != NULL ? options->split : "all"));
    *report = json_incref(metrics);
    model->card.calibration = *calibration;
    REHA_TRY(reha_knee_card_set_take(&model->card, "metrics", metrics, err));
    return reha_knee_card_save(&model->card, model_folder, err);
}

reha_status reha_knee_calibrate(reha_model *model, const char *model_folder,
                                const reha_evaluate_options *options, const reha_progress *progress,
                                json_t **report, reha_error *err)
{
    static const reha_graded_task task = {"kl-grade", REHA_GRADES, DISEASE_GRADE};
    reha_status status = REHA_OK;
    reha_graded_case *cases = NULL;
    size_t count = 0;
    graded data = {0};
    reha_graded_metrics figures;
    reha_ordinal_calibration fitted;
    const reha_ordinal_fit_options how = reha_ordinal_fit_options_default();
    const reha_ordinal_calibration before = model->card.calibration;
    *report = NULL;
    model->card.calibration = reha_ordinal_calibration_none(REHA_GRADES);
    REHA_CHECK(
        reha_evaluate_cases(&reha_recogniser_knee_oa, model, &task, options, progress, &cases, &count, err));
    REHA_CHECK(take_accepted(cases, count, &data, err));
    REHA_CHECK(reha_ordinal_fit(data.logits, data.labels, data.count, REHA_GRADES, &how, &fitted, err));
    apply(&fitted, &data, count);
    REHA_CHECK(reha_graded_metrics_compute(cases, count, REHA_GRADES, DISEASE_GRADE,
                                           options->bootstrap_rounds, options->seed, &figures, err));
    REHA_CHECK(save(model, &fitted, &figures, options, model_folder, report, err));
done:
    if (status != REHA_OK) {
        model->card.calibration = before;
    }
    reha_free(data.logits);
    reha_free(data.labels);
    reha_free(cases);
    return status;
}
