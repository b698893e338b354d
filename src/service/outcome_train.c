/* Training of outcome models: the years of the NHS, or a clinic's own table; and their cards. */
#include "service/outcome_priv.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "rehab/outcome_figures.h"
#include "rehab/outcome_nhs.h"
#include "rehab/outcome_own.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct bar {
    const reha_progress *progress;
    double from, to; /* the part of the whole work that this training is */
} bar;

static bool show(void *context, double share, const char *text)
{
    const bar *shown = context;
    const reha_progress *progress = shown->progress;
    if (progress != NULL && progress->update != NULL) {
        progress->update(progress->context, 100.0 * (shown->from + share * (shown->to - shown->from)), 100.0,
                         "%", 0.0, -1.0, text);
    }
    return progress == NULL || progress->should_stop == NULL || !progress->should_stop(progress->context);
}

static reha_outcome_fit_options fit_options(const reha_outcome_options *options, bar *shown)
{
    reha_outcome_fit_options how = reha_outcome_fit_options_default();
    how.seed = options->seed;
    how.rounds = options->rounds;
    how.bootstrap_rounds = options->bootstrap_rounds;
    how.progress = show;
    how.context = shown;
    return how;
}

static const char *kind_name(reha_outcome_kind kind)
{
    return kind == REHA_OUTCOME_TREES ? "boosted trees" : "ridge regression";
}

static json_t *choice_to_json(const reha_outcome_choice *choice, size_t rows)
{
    return json_pack("{s:s, s:i, s:I, s:o, s:o, s:o, s:{s:o, s:o}}", "kept", kind_name(choice->kind), "trees",
                     choice->kind == REHA_OUTCOME_TREES ? choice->rounds : 0, "rows", (json_int_t)rows,
                     "rmse_naive_unseen_folds", reha_json_real(choice->rmse_naive),
                     "rmse_regression_unseen_folds", reha_json_real(choice->rmse_regression),
                     "rmse_trees_unseen_folds", reha_json_real(choice->rmse_trees), "mse_gain_of_trees_95",
                     "low", reha_json_real(choice->gain_low), "high", reha_json_real(choice->gain_high));
}

static reha_status save_card(const char *folder, const json_t *card, reha_error *err)
{
    char *path = reha_path_join(folder, "card.json");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const reha_status status = reha_json_save(path, card, err);
    reha_free(path);
    return status;
}

/* What every card begins with. `metrics` and `training` are taken over. */
static json_t *new_card(const reha_outcome_model *model, const reha_outcome_options *options,
                        const char *name, json_t *training, json_t *metrics)
{
    return json_pack(
        "{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "format", "rehascope-model-card",
        "format_version", 1, "name", name, "version", "1", "task", model->design.task, "title",
        model->design.title, "status", "research only", "target", model->design.target, "not_for",
        "Deciding whether someone gets an operation, rationing care, or patients outside the ranges in "
        "model.json (these are refused).",
        "privacy",
        "No row of a patient is in the model: counts, coefficients, trees and summaries of at least 20.",
        "command", options->command != NULL ? options->command : "", "training", training, "metrics",
        metrics);
}

/* ---- the years of the NHS ---- */

static uint32_t last_period(const reha_table *table, bool *has_earlier)
{
    uint32_t last = 0;
    for (size_t i = 0; i < table->row_count; i++) {
        last = table->period[i] > last ? table->period[i] : last;
    }
    *has_earlier = false;
    for (size_t i = 0; i < table->row_count; i++) {
        *has_earlier = *has_earlier || table->period[i] < last;
    }
    return last;
}

static reha_status split_by_period(const reha_table *table, uint32_t last, reha_table **learn,
                                   reha_table **rest, reha_error *err)
{
    bool *keep = reha_alloc_zero(table->row_count, sizeof *keep);
    *learn = NULL;
    *rest = NULL;
    if (keep == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for training");
    }
    for (size_t i = 0; i < table->row_count; i++) {
        keep[i] = table->period[i] < last;
    }
    reha_status status = reha_table_select(table, keep, learn, err);
    for (size_t i = 0; i < table->row_count; i++) {
        keep[i] = !keep[i];
    }
    if (status == REHA_OK) {
        status = reha_table_select(table, keep, rest, err);
    }
    reha_free(keep);
    if (status == REHA_OK) {
        reha_table_count(*learn);
    }
    return status;
}

/* The plain regression beside the trees on the rows of the later year: RMSE, and the 95 % interval of the
 * gain. */
static reha_status compare_kinds(reha_outcome_model *model, const reha_table *rest,
                                 const reha_outcome_options *options, double *gain_low, json_t **out,
                                 reha_error *err)
{
    reha_status status = REHA_OK;
    const size_t n = rest->row_count;
    double high = 0.0;
    double sums[2] = {0.0, 0.0};
    double *trees = reha_alloc_zero(2 * n + 1, sizeof *trees);
    *out = NULL;
    *gain_low = -1.0;
    if (trees == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for training");
    }
    double *gain = trees + n;
    REHA_CHECK(reha_outcome_expect(model, rest->x, n, trees, err));
    for (size_t i = 0; i < n; i++) {
        const double plain = reha_linear_predict(&model->linear, rest->x + i * rest->feature_count);
        const double bounded = fmin(model->spread.high, fmax(model->spread.low, plain + model->shift));
        const double one = (bounded - rest->y[i]) * (bounded - rest->y[i]);
        const double other = (trees[i] - rest->y[i]) * (trees[i] - rest->y[i]);
        sums[0] += one;
        sums[1] += other;
        gain[i] = one - other;
    }
    REHA_CHECK(reha_outcome_mean_interval(gain, rest->patient, n, options->bootstrap_rounds, options->seed,
                                          gain_low, &high, err));
    *out = json_pack("{s:f, s:f, s:f, s:f}", "rmse_regression", sqrt(sums[0] / (double)n), "rmse_trees",
                     sqrt(sums[1] / (double)n), "mse_gain_low", *gain_low, "mse_gain_high", high);
done:
    reha_free(trees);
    return status;
}

/* Learns from the earlier years, measures the last one, and decides what the kept model is. foreseen:
 * room for reha_outcome_foresee. */
static reha_status check_on_last(const reha_outcome_design *design, const reha_table *table,
                                 const reha_outcome_options *options, const reha_progress *progress,
                                 uint32_t last, reha_outcome_fit_options *next, double *foreseen,
                                 json_t **training, json_t **metrics, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_table *learn = NULL;
    reha_table *rest = NULL;
    reha_outcome_model *model = NULL;
    reha_outcome_choice choice;
    json_t *later = NULL;
    double gain_low = -1.0;
    bar shown = {progress, 0.0, 0.4};
    REHA_CHECK(split_by_period(table, last, &learn, &rest, err));
    reha_outcome_fit_options how = fit_options(options, &shown);
    REHA_CHECK(reha_outcome_fit(design, learn, &how, &model, &choice, err));
    next->rounds = choice.rounds;
    next->kind = REHA_OUTCOME_REGRESSION;
    if (choice.kind == REHA_OUTCOME_TREES) {
        REHA_CHECK(compare_kinds(model, rest, options, &gain_low, &later, err));
        next->kind = gain_low > 0.0 ? REHA_OUTCOME_TREES : REHA_OUTCOME_REGRESSION;
    }
    if (choice.kind == REHA_OUTCOME_TREES && next->kind == REHA_OUTCOME_REGRESSION) {
        reha_outcome_model_free(model);
        model = NULL;
        how.kind = REHA_OUTCOME_REGRESSION;
        REHA_CHECK(reha_outcome_fit(design, learn, &how, &model, &choice, err));
    }
    REHA_CHECK(reha_outcome_measure(model, rest, options, metrics, err));
    REHA_CHECK(reha_outcome_foresee(model, table, last, foreseen, err));
    next->foreseen = foreseen;
    (void)json_object_set_new(*metrics, "period", json_integer((json_int_t)last));
    *training = choice_to_json(&choice, learn->row_count);
    (void)json_object_set_new(*training, "later_year", later != NULL ? json_incref(later) : json_null());
done:
    json_decref(later);
    reha_outcome_model_free(model);
    reha_table_free(learn);
    reha_table_free(rest);
    return status;
}

static void add_nhs_texts(json_t *card, const reha_outcome_design *design, json_t *counts)
{
    (void)json_object_set_new(
        card, "intended_use",
        json_string("Talking with a person about what to expect 6 months after the operation, and planning "
                    "rehabilitation goals. A named clinician uses it; it decides nothing."));
    (void)json_object_set_new(
        card, "data",
        json_string(
            "NHS England, Finalised Patient Reported Outcome Measures (PROMs), record-level provider files "
            "2016/17 and 2017/18 as read; complete pairs of scores before and after surgery."));
    (void)json_object_set_new(
        card, "licence",
        json_string("Contains public sector information licensed under the Open Government "
                    "Licence v3.0 (NHS Digital). Question texts of the Oxford scores and EQ-5D are "
                    "not open and not included."));
    (void)json_object_set_new(card, "read", counts);
    (void)json_object_set_new(card, "limits",
                              json_pack("[s, s, s, s, s]",
                                        "England, NHS-funded operations, people who returned both "
                                        "questionnaires: those who did not may fare otherwise.",
                                        "About four fifths of the spread of outcomes is not explained by "
                                        "anything asked before surgery: the intervals "
                                        "are wide because the future is.",
                                        "Outcomes rise by about half a point a year; check the figures on a "
                                        "recent year with 'rehascope evaluate'.",
                                        "The score that counts as acceptable was found about 3 years after "
                                        "surgery and is used here at 6 months.",
                                        "Age and sex are suppressed in part of the records; ethnicity and "
                                        "deprivation are not in the files: no figures "
                                        "by these groups can be given."));
    (void)design;
}

reha_status reha_outcome_train(const reha_outcome_options *options, const reha_progress *progress,
                               json_t **card, reha_error *err)
{
    reha_status status = REHA_OK;
    const reha_nhs_layout *layout = reha_nhs_layout_find(options->task);
    reha_outcome_design design;
    reha_table *table = NULL;
    reha_outcome_model *model = NULL;
    reha_outcome_choice choice;
    json_t *counts = NULL;
    json_t *training = json_null();
    json_t *metrics = json_null();
    double *foreseen = NULL;
    char name[128];
    bool has_earlier = false;
    *card = NULL;
    REHA_CHECK(reha_outcome_read_nhs(options->task, options->data, &table, &counts, err));
    REHA_CHECK(reha_folder_make(options->out_folder, err));
    reha_nhs_design(layout, &design);
    reha_table_count(table);
    bar shown = {progress, 0.4, 1.0};
    reha_outcome_fit_options how = fit_options(options, &shown);
    const uint32_t last = last_period(table, &has_earlier);
    if (has_earlier) {
        foreseen = reha_alloc_zero(table->row_count * REHA_INTERVALS, sizeof *foreseen);
        if (foreseen == NULL) {
            status = reha_fail(err, REHA_E_NOMEM, "out of memory for training");
            goto done;
        }
        REHA_CHECK(
            check_on_last(&design, table, options, progress, last, &how, foreseen, &training, &metrics, err));
    }
    REHA_CHECK(reha_outcome_fit(&design, table, &how, &model, &choice, err));
    REHA_CHECK(reha_outcome_model_save(model, options->out_folder, err));
    (void)snprintf(name, sizeof name, "outcome-%s", design.task);
    json_t *both = json_pack("{s:o, s:o}", "earlier_years", training, "all_years",
                             choice_to_json(&choice, table->row_count));
    *card = new_card(model, options, name, both, metrics);
    training = metrics = NULL;
    add_nhs_texts(*card, &design, counts);
    counts = NULL;
    REHA_CHECK(save_card(options->out_folder, *card, err));
done:
    if (status != REHA_OK) {
        json_decref(*card);
        *card = NULL;
    }
    json_decref(counts);
    json_decref(training);
    json_decref(metrics);
    reha_free(foreseen);
    reha_table_free(table);
    reha_outcome_model_free(model);
    return status;
}

/* ---- a clinic's own table ---- */

typedef struct own_reading {
    const char *target;
    const reha_feature *features; /* of a model; NULL: chosen from the table */
    size_t feature_count;
    reha_table *table;
    reha_own_counts counts;
    json_t *cleaning;
    size_t files;
} own_reading;

static reha_status visit_own(void *context, const char *name, const reha_csv *csv, reha_error *err)
{
    own_reading *reading = context;
    reha_feature *made = NULL;
    size_t count = 0;
    (void)name;
    if (reading->files++ > 0) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "more than one table: put all rows into one");
    }
    if (reading->features != NULL) {
        return reha_own_read(csv, reading->target, reading->features, reading->feature_count, &reading->table,
                             &reading->counts, err);
    }
    REHA_TRY(reha_own_describe(csv, reading->target, &made, &count, &reading->cleaning, err));
    const reha_status status =
        reha_own_read(csv, reading->target, made, count, &reading->table, &reading->counts, err);
    reha_free(made);
    if (status == REHA_OK) {
        reha_own_clean(reading->table);
        reha_table_count(reading->table);
    }
    return status;
}

reha_status reha_outcome_evaluate_own(reha_outcome_model *model, const reha_outcome_options *options,
                                      json_t **report, reha_error *err)
{
    own_reading reading = {
        .target = model->design.target, .features = model->features, .feature_count = model->feature_count};
    *report = NULL;
    reha_status status = reha_tables_visit(options->data, visit_own, &reading, err);
    if (status == REHA_OK) {
        status = reha_outcome_measure(model, reading.table, options, report, err);
    }
    if (status == REHA_OK) {
        (void)json_object_set_new(*report, "read",
                                  json_pack("{s:I, s:I}", "rows", (json_int_t)reading.counts.rows,
                                            "without_outcome", (json_int_t)reading.counts.no_outcome));
    }
    reha_table_free(reading.table);
    return status;
}

/* A fifth of the patients, drawn by the patient alone, is kept for the figures. */
static reha_status split_by_patient(const reha_table *table, uint64_t seed, reha_table **learn,
                                    reha_table **rest, reha_error *err)
{
    enum { PARTS = 5 };
    static const uint64_t STREAM = 0x7465737400000000ULL; /* apart from the folds' */
    bool *keep = reha_alloc_zero(table->row_count + 1, sizeof *keep);
    *learn = NULL;
    *rest = NULL;
    if (keep == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for training");
    }
    for (size_t i = 0; i < table->row_count; i++) {
        reha_random random = reha_random_init(seed, STREAM + table->patient[i]);
        keep[i] = reha_random_below(&random, PARTS) != 0;
    }
    reha_status status = reha_table_select(table, keep, learn, err);
    for (size_t i = 0; i < table->row_count; i++) {
        keep[i] = !keep[i];
    }
    if (status == REHA_OK) {
        status = reha_table_select(table, keep, rest, err);
    }
    reha_free(keep);
    if (status == REHA_OK) {
        reha_table_count(*learn);
    }
    return status;
}

static void add_own_texts(json_t *card, const own_reading *reading)
{
    (void)json_object_set_new(
        card, "intended_use",
        json_string("Whatever the clinic that trained it has checked it for; research until then."));
    (void)json_object_set_new(card, "data", json_string("the clinic's own table"));
    (void)json_object_set_new(card, "licence", json_string("the clinic's"));
    (void)json_object_set_new(card, "read",
                              json_pack("{s:I, s:I}", "rows", (json_int_t)reading->counts.rows,
                                        "without_outcome", (json_int_t)reading->counts.no_outcome));
    (void)json_object_set(card, "cleaning", reading->cleaning);
    (void)json_object_set_new(
        card, "limits",
        json_pack("[s]", "One clinic, one table: the figures hold for patients drawn like these. "
                         "Columns known only after treatment make a model look better than it is."));
}

reha_status reha_outcome_train_own(const reha_outcome_options *options, const reha_progress *progress,
                                   json_t **card, reha_error *err)
{
    reha_status status = REHA_OK;
    own_reading reading = {.target = options->target};
    reha_outcome_design design;
    reha_outcome_model *model = NULL;
    reha_outcome_choice choice;
    reha_table *learn = NULL;
    reha_table *rest = NULL;
    json_t *metrics = NULL;
    *card = NULL;
    REHA_CHECK(reha_tables_visit(options->data, visit_own, &reading, err));
    REHA_CHECK(reha_folder_make(options->out_folder, err));
    REHA_CHECK(split_by_patient(reading.table, options->seed, &learn, &rest, err));
    reha_own_design(options->target, &design);
    bar shown = {progress, 0.0, 1.0};
    reha_outcome_fit_options how = fit_options(options, &shown);
    REHA_CHECK(reha_outcome_fit(&design, learn, &how, &model, &choice, err));
    REHA_CHECK(reha_outcome_measure(model, rest, options, &metrics, err));
    REHA_CHECK(reha_outcome_model_save(model, options->out_folder, err));
    *card = new_card(model, options, "outcome", choice_to_json(&choice, learn->row_count), metrics);
    metrics = NULL;
    add_own_texts(*card, &reading);
    REHA_CHECK(save_card(options->out_folder, *card, err));
done:
    if (status != REHA_OK) {
        json_decref(*card);
        *card = NULL;
    }
    json_decref(metrics);
    json_decref(reading.cleaning);
    reha_table_free(reading.table);
    reha_table_free(learn);
    reha_table_free(rest);
    reha_outcome_model_free(model);
    return status;
}
