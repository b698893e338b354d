#include "recognition/evaluate.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "recognition/conformal.h"
#include "recognition/dataset.h"
#include "recognition/each.h"
#include "recognition/metrics.h"
#include "recognition/subgroups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REASON_BYTES = 32, DEFAULT_ROUNDS = 1000, EXPLAIN_MAX = 200, UNREADABLE_TOLD_MAX = 20 };

typedef struct evaluation {
    const reha_recogniser *recogniser;
    reha_model *model;
    const reha_graded_task *task;
    const reha_evaluate_options *options;
    reha_dataset data;
    reha_graded_case *cases;
    char (*reasons)[REASON_BYTES]; /* of refusals, per image */
    reha_subgroup_facts *facts;    /* what the image itself told, per image */
    size_t unreadable_count;
    json_t *unreadable; /* the first of them: path, what is wrong */
    double total_ms;
} evaluation;

reha_evaluate_options reha_evaluate_options_default(void)
{
    return (reha_evaluate_options){.bootstrap_rounds = DEFAULT_ROUNDS, .seed = 1, .explain_max = EXPLAIN_MAX};
}

/* The largest accepted region: a labelled image shows one joint, more may peep in at its edge. */
static const reha_region *main_region(const reha_analysis *analysis)
{
    const reha_region *best = NULL;
    for (int i = 0; i < analysis->region_count; i++) {
        const reha_region *region = &analysis->regions[i];
        if (region->is_accepted && (best == NULL || region->box.width_px > best->box.width_px)) {
            best = region;
        }
    }
    return best;
}

static const char *refusal_code(const reha_analysis *analysis)
{
    for (int i = 0; i < analysis->note_count; i++) {
        if (analysis->notes[i].level == REHA_NOTE_REFUSED) {
            return analysis->notes[i].code;
        }
    }
    for (int r = 0; r < analysis->region_count; r++) {
        for (int i = 0; i < analysis->regions[r].note_count; i++) {
            if (analysis->regions[r].notes[i].level == REHA_NOTE_REFUSED) {
                return analysis->regions[r].notes[i].code;
            }
        }
    }
    return "refused";
}

static void refuse(evaluation *run, size_t index, const char *reason)
{
    run->cases[index].is_refused = true;
    (void)snprintf(run->reasons[index], REASON_BYTES, "%s", reason);
}

/* A file that is absent or damaged is a fault of the folder, not an image that the model refused. */
static reha_status add_unreadable(evaluation *run, size_t index, const char *text, reha_error *err)
{
    run->unreadable_count++;
    refuse(run, index, "unreadable");
    if (run->unreadable_count > UNREADABLE_TOLD_MAX) {
        return REHA_OK;
    }
    if (run->unreadable == NULL) {
        run->unreadable = json_array();
    }
    json_t *one = json_pack("{s:o, s:o}", "path", reha_json_text(run->data.items[index].path), "text",
                            reha_json_text(text));
    return json_array_append_new(run->unreadable, one) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for a list of files");
}

static reha_status evaluate_one(void *context, size_t index, reha_error *err)
{
    evaluation *run = context;
    const reha_labelled *item = &run->data.items[index];
    reha_graded_case *one = &run->cases[index];
    reha_gray *image = NULL;
    reha_analysis *analysis = NULL;
    reha_acquisition facts;
    reha_error fault = REHA_ERROR_INIT;
    *one = (reha_graded_case){
        .patient_idx = item->patient_idx, .grade = item->grade, .set_low = -1, .set_high = -1};
    const reha_load_function load = run->options->load != NULL ? run->options->load : reha_load_picture;
    reha_status status = load(item->full_path, &image, &facts, &fault);
    if (status != REHA_OK && reha_status_is_input_fault(status)) {
        return add_unreadable(run, index, fault.text, err);
    }
    if (status != REHA_OK) {
        return reha_fail(err, status, "%s", fault.text);
    }
    const reha_analyse_options how = {.side_hint = item->side, .side_source = "labels.csv"};
    const double start_ms = reha_clock_ms();
    status = run->recogniser->analyse(run->model, image, &facts, &how, &analysis, err);
    run->total_ms += reha_clock_ms() - start_ms;
    if (status == REHA_OK) {
        run->facts[index].was_inverted = analysis->was_inverted;
        (void)snprintf(run->facts[index].device, sizeof run->facts[index].device, "%s", facts.device_model);
        const reha_region *region = main_region(analysis);
        const reha_finding *finding =
            region != NULL ? reha_region_find(region, run->task->finding_key) : NULL;
        if (finding == NULL || finding->class_count != run->task->class_count) {
            refuse(run, index, refusal_code(analysis));
        } else {
            memcpy(one->probabilities, finding->class_probabilities, sizeof one->probabilities);
            one->set_low = finding->set_low;
            one->set_high = finding->set_high;
        }
    }
    reha_analysis_free(analysis);
    reha_gray_free(image);
    return status;
}

static reha_status write_predictions(const evaluation *run, const char *path, reha_error *err)
{
    reha_text text = {0};
    char *written = NULL;
    reha_text_add(&text, "path,kl");
    for (int k = 0; k < run->task->class_count; k++) {
        reha_text_addf(&text, ",p%d", k);
    }
    reha_text_add(&text, ",set_low,set_high,refused,reason\n");
    for (size_t i = 0; i < run->data.count; i++) {
        const reha_graded_case *one = &run->cases[i];
        reha_csv_add_field(&text, run->data.items[i].path);
        reha_text_add(&text, ",");
        if (!one->is_refused) {
            reha_text_addf(&text, "%d", reha_ordinal_grade(one->probabilities, run->task->class_count));
        }
        for (int k = 0; k < run->task->class_count; k++) {
            if (one->is_refused) {
                reha_text_add(&text, ",");
            } else {
                reha_text_addf(&text, ",%.6f", one->probabilities[k]);
            }
        }
        if (one->is_refused) {
            reha_text_addf(&text, ",,,1,%s\n", run->reasons[i]);
        } else {
            reha_text_addf(&text, ",%d,%d,0,\n", one->set_low, one->set_high);
        }
    }
    REHA_TRY(reha_text_take(&text, &written, err));
    const reha_status status = reha_file_save(path, written, strlen(written), err);
    reha_free(written);
    return status;
}

/* What somebody reaches who knows only how frequent each grade is. */
static json_t *baseline_to_json(const evaluation *run)
{
    size_t counts[REHA_CLASSES_MAX] = {0};
    int best = 0;
    for (size_t i = 0; i < run->data.count; i++) {
        counts[run->cases[i].grade]++;
    }
    for (int k = 1; k < run->task->class_count; k++) {
        best = counts[k] > counts[best] ? k : best;
    }
    double distance = 0.0;
    for (int k = 0; k < run->task->class_count; k++) {
        distance += (double)counts[k] * abs(k - best);
    }
    return json_pack("{s:s, s:i, s:f, s:f, s:f, s:f}", "what", "always the most frequent grade", "grade",
                     best, "accuracy", (double)counts[best] / (double)run->data.count, "mae",
                     distance / (double)run->data.count, "kappa", 0.0, "auc", 0.5);
}

static json_t *refusals_to_json(const evaluation *run)
{
    json_t *counts = json_object();
    for (size_t i = 0; i < run->data.count; i++) {
        if (run->cases[i].is_refused) {
            const json_int_t count = json_integer_value(json_object_get(counts, run->reasons[i]));
            (void)json_object_set_new(counts, run->reasons[i], json_integer(count + 1));
        }
    }
    return counts;
}

/* Where no image was accepted no figure exists; why is what helps. */
static reha_status check_accepted(const evaluation *run, reha_error *err)
{
    size_t refused = 0;
    for (size_t i = 0; i < run->data.count; i++) {
        refused += run->cases[i].is_refused ? 1 : 0;
    }
    if (refused < run->data.count) {
        return REHA_OK;
    }
    const json_t *first = json_array_get(run->unreadable, 0);
    if (first == NULL) {
        return reha_fail(err, REHA_E_REFUSED,
                         "none of %zu images was accepted, so there is nothing to measure; %s was refused as "
                         "'%s': 'rehascope analyse' says more",
                         run->data.count, run->data.items[0].path, run->reasons[0]);
    }
    return reha_fail(err, REHA_E_REFUSED,
                     "none of %zu images was accepted, so there is nothing to measure; %zu cannot be read, "
                     "the first is %.80s: %.60s",
                     run->data.count, run->unreadable_count, reha_json_string(first, "path", ""),
                     reha_json_string(first, "text", ""));
}

static reha_status metrics_of(const evaluation *run, const reha_graded_case *cases, size_t count,
                              json_t **out, reha_error *err)
{
    reha_graded_metrics metrics;
    REHA_TRY(reha_graded_metrics_compute(cases, count, run->task->class_count, run->task->boundary,
                                         run->options->bootstrap_rounds, run->options->seed, &metrics, err));
    return reha_graded_metrics_to_json(&metrics, out, err);
}

static reha_status make_report(const evaluation *run, json_t **out, reha_error *err)
{
    json_t *metrics = NULL;
    json_t *subgroups = NULL;
    REHA_TRY(metrics_of(run, run->cases, run->data.count, &metrics, err));
    const reha_status status =
        reha_subgroups_to_json(&run->data, run->cases, run->facts,
                               &(reha_subgroup_figures){run->task->class_count, run->task->boundary,
                                                        run->options->bootstrap_rounds, run->options->seed},
                               &subgroups, err);
    if (status != REHA_OK) {
        json_decref(metrics);
        return status;
    }
    const json_t *card = run->recogniser->card(run->model);
    *out = json_pack(
        "{s:s, s:s, s:o, s:s, s:i, s:o, s:f, s:o, s:o, s:o, s:o}", "task", run->recogniser->name,
        "model_version", reha_json_string(card, "version", ""), "data",
        reha_json_text(run->options->data_folder), "split",
        run->options->split != NULL ? run->options->split : "all", "unreadable", (int)run->unreadable_count,
        "unreadable_files", run->unreadable != NULL ? json_incref(run->unreadable) : json_array(),
        "mean_ms_per_image", run->total_ms / (double)run->data.count, "metrics", metrics, "baseline",
        baseline_to_json(run), "subgroups", subgroups, "refusals", refusals_to_json(run));
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
}

static reha_status run_all(evaluation *run, const reha_progress *progress, reha_error *err)
{
    REHA_TRY(reha_dataset_load(run->options->data_folder, run->options->split, &run->data, err));
    run->cases = reha_alloc_zero(run->data.count, sizeof *run->cases);
    run->reasons = reha_alloc_zero(run->data.count, sizeof *run->reasons);
    run->facts = reha_alloc_zero(run->data.count, sizeof *run->facts);
    if (run->cases == NULL || run->facts == NULL || run->reasons == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", run->data.count);
    }
    return reha_each(run->data.count, "images", progress, evaluate_one, run, err);
}

static void evaluation_clear(evaluation *run)
{
    reha_free(run->cases);
    reha_free(run->reasons);
    reha_free(run->facts);
    json_decref(run->unreadable);
    reha_dataset_clear(&run->data);
}

reha_status reha_evaluate_graded(const reha_recogniser *recogniser, reha_model *model,
                                 const reha_graded_task *task, const reha_evaluate_options *options,
                                 const reha_progress *progress, json_t **report, reha_error *err)
{
    reha_status status = REHA_OK;
    evaluation run = {.recogniser = recogniser, .model = model, .task = task, .options = options};
    *report = NULL;
    REHA_CHECK(run_all(&run, progress, err));
    if (options->predictions_path != NULL) {
        REHA_CHECK(write_predictions(&run, options->predictions_path, err));
    }
    REHA_CHECK(check_accepted(&run, err));
    REHA_CHECK(make_report(&run, report, err));
done:
    evaluation_clear(&run);
    return status;
}

reha_status reha_evaluate_cases(const reha_recogniser *recogniser, reha_model *model,
                                const reha_graded_task *task, const reha_evaluate_options *options,
                                const reha_progress *progress, reha_graded_case **cases, size_t *count,
                                reha_error *err)
{
    evaluation run = {.recogniser = recogniser, .model = model, .task = task, .options = options};
    *cases = NULL;
    *count = 0;
    reha_status status = run_all(&run, progress, err);
    if (status == REHA_OK) {
        status = check_accepted(&run, err);
    }
    if (status == REHA_OK) {
        *cases = run.cases;
        *count = run.data.count;
        run.cases = NULL;
    }
    evaluation_clear(&run);
    return status;
}
