/* `evaluate muscle-injury`: pictures that taught nothing, with and without simulated lesions, through the
 * whole path of an analysis; labelled ones as they are. */
#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "recognition/muscle_injury_card.h"
#include "recognition/muscle_injury_figures.h"

#include <math.h>
#include <string.h>

static void add_number(reha_text *csv, double value)
{
    if (isfinite(value)) {
        reha_text_addf(csv, ",%.5g", value);
    } else {
        reha_text_add(csv, ",");
    }
}

static void add_row(const reha_injury_show *show, const reha_injury_rule *rule, size_t at, reha_text *csv)
{
    const reha_injury_shown *one = &show->items[at];
    const reha_injury_answer answer = reha_injury_answer_of(rule, one->reading.features);
    const bool has_found = one->reading.count > 0;
    reha_csv_add_field(csv, show->data.items[one->item_idx].image);
    reha_text_addf(csv, ",%zu,%s", one->group_idx,
                   one->is_labelled ? "labelled" : reha_lesion_name(one->spec.kind));
    add_number(csv, one->is_labelled ? (double)NAN : one->spec.strength);
    reha_text_addf(csv, ",%d,%d,%d,%d,%d", one->grade, one->is_refused ? 1 : 0, answer.grade, answer.set_low,
                   answer.set_high);
    add_number(csv, answer.probability);
    add_number(csv, has_found ? one->reading.found[0].score : 0.0);
    reha_text_addf(csv, ",%d", has_found && one->hit[0] ? 1 : 0);
    add_number(csv, one->dice);
    add_number(csv, one->has_truth ? one->truth.share : (double)NAN);
    add_number(csv, has_found ? one->reading.found[0].share : (double)NAN);
    add_number(csv, one->has_truth ? one->truth.along_px : (double)NAN);
    add_number(csv, has_found ? one->reading.found[0].along_px : (double)NAN);
    add_number(csv, one->contrast);
    reha_text_add(csv, "\n");
}

static reha_status save_predictions(const reha_injury_show *show, const reha_injury_rule *rule,
                                    const char *path, reha_error *err)
{
    reha_text csv = {0};
    char *text = NULL;
    reha_text_add(
        &csv,
        "image,group,shown,strength,grade,refused,told_grade,set_low,set_high,probability,best_score,hit,"
        "dice,share,told_share,length_px,told_length_px,contrast_sd\n");
    for (size_t i = 0; i < show->count; i++) {
        add_row(show, rule, i, &csv);
    }
    REHA_TRY(reha_text_take(&csv, &text, err));
    const reha_status status = reha_file_save(path, text, strlen(text), err);
    reha_free(text);
    return status;
}

static json_t *estimate_json(const reha_estimate *estimate)
{
    return json_pack("{s:o, s:o, s:o}", "value", reha_json_real(estimate->value), "low",
                     reha_json_real(estimate->low), "high", reha_json_real(estimate->high));
}

static reha_status make_report(const reha_injury_show *show, const reha_model *model,
                               const reha_evaluate_options *options, json_t **out, reha_error *err)
{
    reha_injury_figure figures[REHA_INJURY_FIGURES_MAX];
    int count = 0;
    size_t lesions = 0;
    size_t labelled = 0;
    REHA_TRY(reha_injury_figures_compute(show, &model->rule, options->bootstrap_rounds, options->seed,
                                         figures, &count, err));
    for (size_t i = 0; i < show->count; i++) {
        lesions += show->items[i].grade > 0 ? 1 : 0;
        labelled += show->items[i].is_labelled ? 1 : 0;
    }
    json_t *metrics = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "n", (json_int_t)show->count, "groups",
                                (json_int_t)show->data.group_count, "pictures",
                                (json_int_t)show->picture_count, "unusable", (json_int_t)show->unusable,
                                "with_lesion", (json_int_t)lesions, "labelled", (json_int_t)labelled);
    for (int k = 0; k < count; k++) {
        if (isfinite(figures[k].value.value)) {
            (void)json_object_set_new(metrics, figures[k].key, estimate_json(&figures[k].value));
        }
    }
    const char *what = labelled == show->count ? "labelled pictures"
                       : labelled > 0
                           ? "labelled pictures, and lesions simulated in healthy ones"
                           : "SIMULATED lesions in healthy pictures: says nothing of real injuries";
    *out = json_pack(
        "{s:s, s:o, s:s, s:s, s:o}", "task", REHA_INJURY_TASK, "data", reha_json_text(options->data_folder),
        "split", options->split != NULL ? options->split : "all", "measured_on", what, "metrics", metrics);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
}

reha_status reha_injury_evaluate_(reha_model *model, const reha_evaluate_options *options,
                                  const reha_progress *progress, json_t **report, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_injury_show show;
    *report = NULL;
    if (!model->has_rule) {
        return reha_fail(err, REHA_E_FORMAT,
                         "the model's card has no rule for grades: run 'rehascope calibrate' first");
    }
    if (options->explain) {
        return reha_fail(err, REHA_E_ARG,
                         "muscle-injury shows the map itself; there is no explanation to measure");
    }
    REHA_CHECK(reha_injury_show_run(model, options, progress, &show, err));
    REHA_CHECK(make_report(&show, model, options, report, err));
    if (options->predictions_path != NULL) {
        REHA_CHECK(save_predictions(&show, &model->rule, options->predictions_path, err));
    }
done:
    if (status != REHA_OK) {
        json_decref(*report);
        *report = NULL;
    }
    reha_injury_show_clear(&show);
    return status;
}
