#include "service/outcome.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "rehab/outcome_figures.h"
#include "rehab/outcome_nhs.h"
#include "service/outcome_priv.h"
#include "store/digest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool reha_outcome_is_task(const char *task)
{
    return reha_nhs_layout_find(task) != NULL;
}

void reha_outcome_close(reha_outcome_model *model)
{
    reha_outcome_model_free(model);
}

static reha_status hash_folder(const char *folder, bool has_trees, char *out, reha_error *err)
{
    static const char *const names[] = {"card.json", "model.json", "trees.ubj"};
    return reha_digest_files(folder, names, has_trees ? 3 : 2, out, err);
}

static reha_status find_folder(const char *models_folder, const char *task, char **out, reha_error *err)
{
    char name[128];
    (void)snprintf(name, sizeof name, "outcome-%.100s", task);
    return reha_model_folder(models_folder, name, out, err);
}

reha_status reha_outcome_open(const char *models_folder, const char *model_folder, const char *task,
                              reha_outcome_model **model, json_t **card, char *model_hash, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_outcome_model *loaded = NULL;
    char *folder = NULL;
    char *path = NULL;
    *model = NULL;
    *card = NULL;
    if (model_folder != NULL) {
        folder = reha_strdup(model_folder);
    } else {
        REHA_CHECK(find_folder(models_folder, task, &folder, err));
    }
    path = folder != NULL ? reha_path_join(folder, "card.json") : NULL;
    if (path == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
        goto done;
    }
    REHA_CHECK(reha_outcome_model_load(folder, &loaded, err));
    if (task != NULL && strcmp(loaded->design.task, task) != 0) {
        status = reha_fail(err, REHA_E_ARG, "%s is a model of '%s', not of '%.60s'", folder,
                           loaded->design.task, task);
        goto done;
    }
    REHA_CHECK(hash_folder(folder, loaded->boost != NULL, model_hash, err));
    REHA_CHECK(reha_json_load(path, card, err));
    *model = loaded;
    loaded = NULL;
done:
    reha_outcome_model_free(loaded);
    reha_free(folder);
    reha_free(path);
    return status;
}

reha_status reha_outcome_run(reha_outcome_model *model, const json_t *card, const char *model_hash,
                             const json_t *input, json_t **out, reha_error *err)
{
    float x[REHA_FEATURES_MAX];
    reha_outcome_prediction prediction;
    *out = NULL;
    REHA_TRY(reha_table_row_from_json(model->features, model->feature_count, input, x, err));
    REHA_TRY(reha_outcome_predict(model, x, &prediction, err));
    REHA_TRY(reha_outcome_prediction_to_json(model, x, &prediction, out, err));
    json_t *made_by = json_pack("{s:s, s:s, s:s}", "name", reha_json_string(card, "name", ""), "version",
                                reha_json_string(card, "version", ""), "hash", model_hash);
    (void)json_object_set_new(*out, "model", made_by);
    (void)json_object_set_new(*out, "status", json_string(reha_json_string(card, "status", "research only")));
    return REHA_OK;
}

/* ---- tables of the NHS ---- */

typedef struct nhs_reading {
    const reha_nhs_layout *layout;
    reha_table *table;
    reha_nhs_counts counts;
    size_t files;
} nhs_reading;

static reha_status visit_nhs(void *context, const char *name, const reha_csv *csv, reha_error *err)
{
    nhs_reading *reading = context;
    (void)name;
    if (!reha_nhs_accepts(reading->layout, csv)) {
        return REHA_OK; /* the other joint, or another table of the folder */
    }
    reading->files++;
    return reha_nhs_read(reading->layout, csv, reading->table, &reading->counts, err);
}

reha_status reha_outcome_read_nhs(const char *task, const char *data, reha_table **out, json_t **counts,
                                  reha_error *err)
{
    reha_status status = REHA_OK;
    nhs_reading reading = {.layout = reha_nhs_layout_find(task)};
    *out = NULL;
    *counts = NULL;
    if (reading.layout == NULL) {
        return reha_fail(err, REHA_E_NOT_FOUND, "no outcome '%.60s'", task);
    }
    REHA_TRY(reha_nhs_table_new(reading.layout, &reading.table, err));
    REHA_CHECK(reha_tables_visit(data, visit_nhs, &reading, err));
    if (reading.table->row_count == 0) {
        status = reha_fail(err, REHA_E_FORMAT, "%s: %s", data,
                           reading.files == 0 ? "no table with the columns of this joint's NHS PROMs file"
                                              : "no row with a score before and after surgery");
        goto done;
    }
    const reha_nhs_counts *found = &reading.counts;
    *counts = json_pack("{s:I, s:I, s:I, s:I, s:I, s:s}", "files", (json_int_t)reading.files, "rows",
                        (json_int_t)found->rows, "without_outcome", (json_int_t)found->no_outcome,
                        "without_score_before", (json_int_t)found->no_score, "unreadable",
                        (json_int_t)found->unreadable, "first_unreadable", found->fault);
    *out = reading.table;
    reading.table = NULL;
done:
    reha_table_free(reading.table);
    return status;
}

static void add_number(reha_text *text, double value, const char *end)
{
    if (isfinite(value)) {
        reha_text_addf(text, "%.6g", value);
    }
    reha_text_add(text, end);
}

static reha_status save_predictions(const char *path, const reha_outcome_model *model,
                                    const reha_table *table, const reha_outcome_row *rows, reha_error *err)
{
    reha_text text = {0};
    char *data = NULL;
    reha_text_add(&text, "period,line,observed,expected,low_50,high_50,low_90,high_90,");
    for (size_t g = 0; g < model->design.goal_count; g++) {
        reha_text_addf(&text, "chance_%s,",
                       model->design.goals[g].above[0] != '\0' ? "improvement" : "acceptable");
    }
    reha_text_add(&text, "naive,benchmark,refused\n");
    for (size_t i = 0; i < table->row_count; i++) {
        const reha_outcome_row *row = &rows[i];
        const double none = row->is_refused ? (double)NAN : 0.0;
        reha_text_addf(&text, "%u,%u,", table->period[i], table->line_no[i]);
        add_number(&text, table->y[i], ",");
        add_number(&text, row->expected + none, ",");
        for (size_t l = 0; l < REHA_INTERVALS; l++) {
            add_number(&text, row->low[l] + none, ",");
            add_number(&text, row->high[l] + none, ",");
        }
        for (size_t g = 0; g < model->design.goal_count; g++) {
            add_number(&text, row->reached[g] + none, ",");
        }
        add_number(&text, row->naive + none, ",");
        add_number(&text, table->benchmark[i], ",");
        reha_text_addf(&text, "%s\n", row->is_refused ? model->features[row->refused_feature].key : "");
    }
    const size_t length = text.length;
    REHA_TRY(reha_text_take(&text, &data, err));
    const reha_status status = reha_file_save(path, data, length, err);
    reha_free(data);
    return status;
}

reha_status reha_outcome_measure(reha_outcome_model *model, const reha_table *table,
                                 const reha_outcome_options *options, json_t **report, reha_error *err)
{
    reha_status status = REHA_OK;
    *report = NULL;
    reha_outcome_row *rows = reha_alloc_zero(table->row_count + 1, sizeof *rows);
    if (rows == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for predictions");
    }
    REHA_CHECK(reha_outcome_predict_rows(model, table, rows, err));
    if (options->predictions_path != NULL) {
        REHA_CHECK(save_predictions(options->predictions_path, model, table, rows, err));
    }
    REHA_CHECK(
        reha_outcome_report(model, table, rows, options->bootstrap_rounds, options->seed, report, err));
done:
    reha_free(rows);
    return status;
}

reha_status reha_outcome_evaluate(reha_outcome_model *model, const reha_outcome_options *options,
                                  json_t **report, reha_error *err)
{
    reha_table *table = NULL;
    json_t *counts = NULL;
    *report = NULL;
    reha_status status = reha_outcome_read_nhs(model->design.task, options->data, &table, &counts, err);
    if (status == REHA_OK) {
        status = reha_outcome_measure(model, table, options, report, err);
    }
    if (status == REHA_OK) {
        (void)json_object_set(*report, "read", counts);
    }
    json_decref(counts);
    reha_table_free(table);
    return status;
}
