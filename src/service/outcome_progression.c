#include "service/outcome_progression.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "rehab/outcome_pairs.h"
#include "service/outcome_tables.h"
#include "store/digest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char TASK_FOLDER[] = "outcome-knee-oa-progression";
static const char PRIOR[] = "prior_9y_risk";
enum { ID_BYTES = 64, RESULTS_MAX = 100000 };

/* ---- prediction ---- */

static bool is_used(const reha_pairs_model *model, size_t f)
{
    return (model->full.mask >> f & 1U) != 0;
}

static reha_status read_input(const reha_pairs_model *model, const json_t *input, double *x, double *prior,
                              reha_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    if (!json_is_object(input)) {
        return reha_fail(err, REHA_E_FORMAT, "the input must be a JSON object");
    }
    json_object_foreach((json_t *)input, key, value)
    {
        bool is_known = strcmp(key, PRIOR) == 0;
        for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
            is_known = is_known || strcmp(key, reha_pair_key(f)) == 0;
        }
        if (!is_known) {
            return reha_fail(err, REHA_E_FORMAT, "'%.60s' is no input of this model", key);
        }
    }
    for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
        x[f] = model->control_mean[f];
        if (is_used(model, f)) {
            REHA_TRY(reha_json_need_number(input, reha_pair_key(f), &x[f], err));
        }
    }
    *prior = (double)NAN;
    const json_t *given = json_object_get(input, PRIOR);
    if (given == NULL) {
        return reha_fail(err, REHA_E_FORMAT,
                         "'%s' is missing: the share of such people whose knee is replaced within 9 years, "
                         "or null for odds only",
                         PRIOR);
    }
    return json_is_null(given) ? REHA_OK : reha_json_need_number(input, PRIOR, prior, err);
}

static json_t *estimate(double value, double low, double high)
{
    if (isnan(value)) {
        return json_null();
    }
    return json_pack("{s:f, s:f, s:f}", "value", value, "low", low, "high", high);
}

static json_t *to_json(const reha_pairs_model *model, const double *x, double prior,
                       const reha_progression *found)
{
    json_t *contributions = json_array();
    for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
        if (is_used(model, f)) {
            (void)json_array_append_new(contributions,
                                        json_pack("{s:s, s:f, s:f}", "feature", reha_pair_key(f), "value",
                                                  x[f], "log_odds", found->contribution[f]));
        }
    }
    json_t *naive = json_pack("{s:f, s:o}", "likelihood_ratio", found->grade_ratio, "risk",
                              reha_json_real(found->grade_risk));
    return json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:b, s:b, s:o, s:o}", "schema", 1, "task",
                     "knee-oa-progression", "target", "knee replacement within 9 years", "likelihood_ratio",
                     estimate(found->ratio, found->ratio_low, found->ratio_high), "prior",
                     reha_json_real(prior), "risk", estimate(found->risk, found->risk_low, found->risk_high),
                     "ranks_better_than_grade", model->ranks_better ? 1 : 0, "odds_better_than_grade",
                     model->odds_better ? 1 : 0, "grade_alone", naive, "contributions", contributions);
}

static reha_status load(const char *folder, reha_pairs_model *model, json_t **card, char *hash,
                        reha_error *err)
{
    static const char *const names[] = {"card.json", "model.json"};
    reha_status status = REHA_OK;
    json_t *object = NULL;
    char *path = reha_path_join(folder, names[1]);
    char *card_path = reha_path_join(folder, names[0]);
    *card = NULL;
    if (path == NULL || card_path == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
        goto done;
    }
    REHA_CHECK(reha_json_load(path, &object, err));
    status = reha_pairs_from_json(object, model, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
        goto done;
    }
    REHA_CHECK(reha_digest_files(folder, names, 2, hash, err));
    REHA_CHECK(reha_json_load(card_path, card, err));
done:
    json_decref(object);
    reha_free(path);
    reha_free(card_path);
    return status;
}

reha_status reha_progression_run(const char *models_folder, const char *model_folder, const json_t *input,
                                 json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_progression found;
    double x[REHA_PAIR_FEATURES];
    double prior = 0.0;
    char hash[REHA_DIGEST_TEXT_BYTES];
    json_t *card = NULL;
    char *folder = NULL;
    *out = NULL;
    reha_pairs_model *model = reha_alloc_zero(1, sizeof *model);
    if (model == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
    }
    if (model_folder == NULL) {
        REHA_CHECK(reha_model_folder(models_folder, TASK_FOLDER, &folder, err));
    }
    REHA_CHECK(load(folder != NULL ? folder : model_folder, model, &card, hash, err));
    REHA_CHECK(read_input(model, input, x, &prior, err));
    REHA_CHECK(reha_pairs_predict(model, x, prior, &found, err));
    *out = to_json(model, x, prior, &found);
    (void)json_object_set_new(*out, "model",
                              json_pack("{s:s, s:s, s:s}", "name", reha_json_string(card, "name", ""),
                                        "version", reha_json_string(card, "version", ""), "hash", hash));
    (void)json_object_set_new(*out, "status", json_string(reha_json_string(card, "status", "research only")));
done:
    json_decref(card);
    reha_free(folder);
    reha_free(model);
    return status;
}

static json_t *number_input(const char *key, const char *title, double low, double high, bool may_be_unknown)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:n, s:f, s:f}", "key", key, "title", title, "kind", "number",
                     "may_be_unknown", may_be_unknown ? 1 : 0, "item_of", "low", low, "high", high);
}

reha_status reha_progression_form(const char *models_folder, json_t **inputs, json_t **card, char *hash,
                                  reha_error *err)
{
    static const char *const titles[REHA_PAIR_FEATURES] = {
        "Kellgren-Lawrence grade, as a reader gives it",
        "expected grade of the picture, as the analysis gives it",
        "narrowest joint space, share of the plateau width"};
    reha_status status = REHA_OK;
    char *folder = NULL;
    reha_pairs_model *model = reha_alloc_zero(1, sizeof *model);
    *inputs = NULL;
    *card = NULL;
    if (model == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
    }
    REHA_CHECK(reha_model_folder(models_folder, TASK_FOLDER, &folder, err));
    REHA_CHECK(load(folder, model, card, hash, err));
    *inputs = json_array();
    for (size_t f = 0; f < REHA_PAIR_FEATURES; f++) {
        if (is_used(model, f)) {
            (void)json_array_append_new(
                *inputs, number_input(reha_pair_key(f), titles[f], model->low[f], model->high[f], false));
        }
    }
    (void)json_array_append_new(
        *inputs,
        number_input(PRIOR,
                     "share of such people whose knee is replaced within 9 years (0 to 1; empty: odds only)",
                     0.0, 1.0, true));
done:
    reha_free(folder);
    reha_free(model);
    return status;
}

/* ---- training ---- */

typedef struct joining {
    const json_t *results; /* of the analysis */
    reha_knee_row *rows;
    size_t count;
    size_t listed, not_graded;
} joining;

/* "images/9000099L.jpg" -> "9000099L" */
static void id_of(const char *path, char out[ID_BYTES])
{
    const char *name = reha_path_name(path);
    const char *dot = strrchr(name, '.');
    const size_t length = dot != NULL ? (size_t)(dot - name) : strlen(name);
    (void)snprintf(out, ID_BYTES, "%.*s", (int)(length < ID_BYTES ? length : ID_BYTES - 1), name);
}

static const json_t *finding_of(const json_t *region, const char *key)
{
    const json_t *findings = json_object_get(region, "findings");
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *one = json_array_get(findings, i);
        if (strcmp(reha_json_string(one, "key", ""), key) == 0) {
            return one;
        }
    }
    return NULL;
}

/* The grade and the joint space ratio that the analysis found on the picture of a knee. */
static bool find_picture(const json_t *results, const char *knee, double *grade, double *space)
{
    for (size_t i = 0; i < json_array_size(results); i++) {
        char id[ID_BYTES];
        const json_t *result = json_array_get(results, i);
        id_of(reha_json_string(result, "path", ""), id);
        if (strcmp(id, knee) != 0) {
            continue;
        }
        const json_t *region =
            json_array_get(json_object_get(json_object_get(result, "analysis"), "regions"), 0);
        const json_t *measure = json_object_get(finding_of(region, "jsw-min"), "measure");
        *grade = reha_json_number(json_object_get(finding_of(region, "kl-grade"), "grading"),
                                  "expected_grade", (double)NAN);
        *space = reha_json_number(measure, "value", (double)NAN);
        return isfinite(*grade) && isfinite(*space) &&
               strcmp(reha_json_string(measure, "unit", ""), "1") == 0;
    }
    return false;
}

/* By the id without the side. */
static uint32_t person_of(const char *knee)
{
    const size_t length = strlen(knee);
    return reha_hash32(REHA_HASH32_START, knee, length > 0 ? length - 1 : 0);
}

static reha_status join_row(const reha_csv *csv, size_t row, const int *columns, joining *join,
                            reha_error *err)
{
    int64_t numbers[3];
    const char *knee = reha_csv_get(csv, row, columns[0]);
    reha_knee_row *made = &join->rows[join->count];
    for (size_t k = 0; k < 3; k++) {
        if (!reha_parse_int64(reha_csv_get(csv, row, columns[k + 1]), &numbers[k]) || numbers[k] < 0) {
            return reha_fail(err, REHA_E_FORMAT, "line %zu: '%s' must be a whole number",
                             reha_csv_line(csv, row), reha_csv_header(csv, (size_t)columns[k + 1]));
        }
    }
    join->listed++;
    made->x[REHA_PAIR_KL] = (double)numbers[0];
    made->is_case = numbers[1] != 0;
    made->stratum = (uint32_t)numbers[2];
    made->patient = person_of(knee);
    if (find_picture(join->results, knee, &made->x[REHA_PAIR_IMAGE_GRADE], &made->x[REHA_PAIR_JOINT_SPACE])) {
        join->count++;
    } else {
        join->not_graded++;
    }
    return REHA_OK;
}

static reha_status visit_cases(void *context, const char *name, const reha_csv *csv, reha_error *err)
{
    static const char *const names[] = {"knee_id", "kl", "tkr_within_9y", "strata_matched_pair"};
    joining *join = context;
    int columns[4];
    (void)name;
    if (join->rows != NULL) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "more than one table in the folder");
    }
    for (size_t k = 0; k < 4; k++) {
        REHA_TRY(reha_csv_need(csv, names[k], &columns[k], err));
    }
    join->rows = reha_alloc_zero(reha_csv_rows(csv) + 1, sizeof *join->rows);
    if (join->rows == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a table");
    }
    for (size_t row = 0; row < reha_csv_rows(csv); row++) {
        REHA_TRY(join_row(csv, row, columns, join, err));
    }
    return REHA_OK;
}

static json_t *make_card(const joining *join, const reha_outcome_options *options, json_t *report,
                         const json_t *analysis)
{
    json_t *card = json_pack(
        "{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "format", "rehascope-model-card",
        "format_version", 1, "name", TASK_FOLDER, "version", "1", "task", "knee-oa-progression", "title",
        "Knee replacement within 9 years, from the grade and the picture", "status", "research only",
        "intended_use", "Research: whether a picture tells more than its grade about later knee replacement.",
        "not_for", "Any decision about a patient: matched cases and controls tell odds, not risks.",
        "command", options->command != NULL ? options->command : "");
    (void)json_object_set_new(card, "data",
                              json_string("denizlab/oai-xray-tkr-klg, derived from the Osteoarthritis "
                                          "Initiative: matched cases and controls, baseline radiographs"));
    (void)json_object_set_new(card, "licence", json_string("AGPL-3.0 list of cases, OAI data: research use"));
    (void)json_object_set_new(card, "read",
                              json_pack("{s:I, s:I}", "knees", (json_int_t)join->listed,
                                        "without_a_graded_picture", (json_int_t)join->not_graded));
    (void)json_object_set(card, "grading_model_sha256", json_object_get(analysis, "model_sha256"));
    (void)json_object_set(card, "metrics", report);
    (void)json_object_set_new(
        card, "limits",
        json_pack("[s, s, s, s, s]",
                  "The grading network has learnt from the grades (not from the replacements) of most of "
                  "these knees: on other "
                  "pictures its grade agrees less well with the reader's, and will tell less.",
                  "Three combinations with the grade were tried and the best kept; where the grades of a "
                  "pair are equal, only the picture decides.",
                  "Joint space as a ratio to the tibial plateau: the pictures state no spacing.",
                  "Replacement depends on symptoms, wishes and waiting lists, not on the film alone.",
                  "One study (United States, 45 to 79 years); no other data have been tried."));
    return card;
}

static reha_status save_json(const char *folder, const char *name, const json_t *value, reha_error *err)
{
    char *path = reha_path_join(folder, name);
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const reha_status status = reha_json_save(path, value, err);
    reha_free(path);
    return status;
}

static reha_status load_analysis(const char *folder, json_t **out, reha_error *err)
{
    char *path = reha_path_join(folder, "analysis.json");
    *out = NULL;
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    reha_status status = reha_json_load(path, out, err);
    if (status == REHA_OK && json_array_size(json_object_get(*out, "results")) > RESULTS_MAX) {
        status = reha_fail(err, REHA_E_LIMIT, "%s: more than %d results", path, RESULTS_MAX);
    }
    reha_free(path);
    return status;
}

reha_status reha_progression_train(const reha_outcome_options *options, json_t **card, reha_error *err)
{
    reha_status status = REHA_OK;
    joining join = {0};
    json_t *analysis = NULL;
    json_t *report = NULL;
    json_t *object = NULL;
    *card = NULL;
    reha_pairs_model *model = reha_alloc_zero(1, sizeof *model);
    if (model == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
    }
    REHA_CHECK(load_analysis(options->data, &analysis, err));
    join.results = json_object_get(analysis, "results");
    REHA_CHECK(reha_tables_visit(options->data, visit_cases, &join, err));
    REHA_CHECK(reha_pairs_train(join.rows, join.count, options->seed, options->bootstrap_rounds, model,
                                &report, err));
    REHA_CHECK(reha_pairs_to_json(model, &object, err));
    REHA_CHECK(reha_folder_make(options->out_folder, err));
    *card = make_card(&join, options, report, analysis);
    REHA_CHECK(save_json(options->out_folder, "model.json", object, err));
    REHA_CHECK(save_json(options->out_folder, "card.json", *card, err));
done:
    if (status != REHA_OK) {
        json_decref(*card);
        *card = NULL;
    }
    json_decref(analysis);
    json_decref(report);
    json_decref(object);
    reha_free(join.rows);
    reha_free(model);
    return status;
}
