#include "app/commands.h"
#include "app/terminal.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/drift.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

typedef struct drift_arguments {
    const char *reference;
    const char *fresh;
    const char *task;
    const char *models;
    int threads;
    double false_alarm_rate;
    bool json;
} drift_arguments;

static const app_option drift_options[] = {
    {"reference", APP_TEXT, "A",
     "images the model is known to read well: a folder, or a document of 'analyse --json'",
     offsetof(drift_arguments, reference), 0, 0},
    {"new", APP_TEXT, "B", "the images to compare, likewise", offsetof(drift_arguments, fresh), 0, 0},
    {"false-alarms", APP_NUMBER, "P", "chance of an alarm where nothing changed (default 0.01)",
     offsetof(drift_arguments, false_alarm_rate), 0.0005, 0.5},
    {"task", APP_TEXT, "TASK", "the recogniser to use for images", offsetof(drift_arguments, task), 0, 0},
    {"models", APP_TEXT, "DIR", "folder of models (default: beside the program)",
     offsetof(drift_arguments, models), 0, 0},
    {"threads", APP_INTEGER, "N", "processors to use (default: all)", offsetof(drift_arguments, threads), 1,
     256},
    {"json", APP_FLAG, NULL, "the comparison as JSON on standard output", offsetof(drift_arguments, json), 0,
     0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static int print_json(const drift_arguments *given, const reha_drift_table *reference,
                      const reha_drift_table *fresh, const reha_drift_report *report, size_t left_out)
{
    json_t *columns = json_array();
    for (size_t c = 0; c < report->column_count; c++) {
        const reha_drift_column *one = &report->columns[c];
        (void)json_array_append_new(
            columns,
            json_pack("{s:o, s:b, s:I, s:I, s:o, s:o, s:o, s:o, s:b}", "name",
                      reha_json_text(reference->names[c]), "is_share", reference->is_share[c], "n_reference",
                      (json_int_t)one->reference_count, "n_new", (json_int_t)one->fresh_count,
                      "middle_reference", reha_json_real(one->reference_middle), "middle_new",
                      reha_json_real(one->fresh_middle), "distance", reha_json_real(one->distance), "p",
                      reha_json_real(one->p), "changed", one->is_changed));
    }
    json_t *document =
        json_pack("{s:s, s:I, s:I, s:f, s:b, s:f, s:I, s:o}", "schema", "rehascope/drift/1", "n_reference",
                  (json_int_t)reference->row_count, "n_new", (json_int_t)fresh->row_count, "false_alarm_rate",
                  given->false_alarm_rate, "alarm", report->is_alarm, "p", report->p, "columns_left_out",
                  (json_int_t)left_out, "columns", columns);
    const int code = app_print_json(document);
    json_decref(document);
    return code;
}

static void print_value(const reha_drift_table *table, size_t column, double value)
{
    if (isnan(value)) {
        (void)printf(" %9s", "-");
    } else if (table->is_share[column]) {
        (void)printf(" %7.1f %%", 100.0 * value);
    } else {
        (void)printf(" %9.4g", value);
    }
}

static void print_report(const drift_arguments *given, const reha_drift_table *reference,
                         const reha_drift_table *fresh, const reha_drift_report *report)
{
    (void)printf("%zu images against %zu of the reference\n\n%-44s %9s %9s %9s %9s\n", fresh->row_count,
                 reference->row_count, "median, or share", "reference", "new", "distance", "p");
    for (size_t c = 0; c < report->column_count; c++) {
        const reha_drift_column *one = &report->columns[c];
        (void)printf("%-44s", reference->names[c]);
        print_value(reference, c, one->reference_middle);
        print_value(reference, c, one->fresh_middle);
        if (isnan(one->distance)) {
            (void)printf("  too few values\n");
        } else {
            (void)printf(" %9.3f %9.4f%s\n", one->distance, one->p, one->is_changed ? "  CHANGED" : "");
        }
    }
    (void)printf(
        report->is_alarm
            ? "\nALARM: these images do not look like the reference. Do not trust the model's figures here"
              " before it was evaluated on labelled images of this kind ('rehascope evaluate').\n"
            : "\nNo change seen. A change too small for this number of images may be there all the same.\n");
    (void)printf(
        "Where nothing changed, an alarm comes in %g %% of comparisons (several images of one person: more"
        " often, unless their names differ in the side alone).\n",
        100.0 * given->false_alarm_rate);
}

static reha_status open_analyser(const drift_arguments *given, reha_analyser **out, reha_error *err)
{
    char *models = NULL;
    *out = NULL;
    if (reha_str_ends_nocase(given->reference, ".json") && reha_str_ends_nocase(given->fresh, ".json")) {
        return REHA_OK;
    }
    if (given->models == NULL) {
        REHA_TRY(reha_models_folder(&models, err));
    }
    const reha_analyser_options how = {.task = given->task,
                                       .models_folder = given->models != NULL ? given->models : models,
                                       .threads = given->threads};
    const reha_status status = reha_analyser_open(&how, out, err);
    reha_free(models);
    return status;
}

static reha_status compare(drift_arguments *given, int *code, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_analyser *analyser = NULL;
    json_t *reference = NULL;
    json_t *fresh = NULL;
    size_t left_out = 0;
    reha_drift_table tables[2] = {{0}, {0}};
    static reha_drift_report report;
    reha_drift_options how = reha_drift_options_default();
    const reha_progress progress = app_progress();
    given->false_alarm_rate = given->false_alarm_rate > 0.0 ? given->false_alarm_rate : how.false_alarm_rate;
    how.false_alarm_rate = given->false_alarm_rate;
    REHA_CHECK(open_analyser(given, &analyser, err));
    REHA_CHECK(reha_drift_collect(analyser, given->reference, &progress, &reference, err));
    REHA_CHECK(reha_drift_collect(analyser, given->fresh, &progress, &fresh, err));
    REHA_CHECK(reha_drift_tables(reference, fresh, tables, &left_out, err));
    REHA_CHECK(reha_drift_compare(&tables[0], &tables[1], &how, &report, err));
    app_progress_end();
    *code = EXIT_DONE;
    if (given->json) {
        *code = print_json(given, &tables[0], &tables[1], &report, left_out);
    } else {
        print_report(given, &tables[0], &tables[1], &report);
    }
done:
    app_progress_end();
    reha_drift_table_clear(&tables[0]);
    reha_drift_table_clear(&tables[1]);
    json_decref(reference);
    json_decref(fresh);
    reha_analyser_close(analyser);
    return status;
}

static int run_drift(const app_command *command, int argc, char **argv)
{
    drift_arguments given = {0};
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    int code = app_parse(command, argc, argv, &given, NULL, &word_count);
    if (code >= 0) {
        return code;
    }
    if (given.reference == NULL || given.fresh == NULL) {
        return app_wrong_use(command, "--reference and --new are needed");
    }
    const reha_status status = compare(&given, &code, &err);
    return status == REHA_OK ? code : app_fail(status, &err);
}

const app_command app_drift = {.name = "drift",
                               .arguments = "--reference A --new B",
                               .summary =
                                   "do new images still look like those the model is known to read well?",
                               .example = "rehascope drift --reference results-2025.json --new incoming",
                               .options = drift_options,
                               .is_large = true,
                               .run = run_drift};
