#include "app/commands.h"
#include "app/terminal.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "rehab/guideline.h"
#include "service/compare_scores.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct scores_arguments {
    bool json, why, list;
    const char *report, *setting, *mdc, *guidelines;
} scores_arguments;

static const app_option scores_options[] = {
    {"json", APP_FLAG, NULL, "the judged series as JSON on standard output (docs/formats/scores.md)",
     offsetof(scores_arguments, json), 0, 0},
    {"report", APP_TEXT, "FILE", "write tables and plots: FILE.html or FILE.pdf",
     offsetof(scores_arguments, report), 0, 0},
    {"why", APP_FLAG, NULL, "all published errors and important changes, and the scoring rules",
     offsetof(scores_arguments, why), 0, 0},
    {"setting", APP_TEXT, "WORD", "which of them to use: surgical, non-surgical, same-rater, other-rater",
     offsetof(scores_arguments, setting), 0, 0},
    {"mdc", APP_TEXT, "KEY=X,...", "your clinic's own measurement errors (95 %), such as nrs-pain=2,odi=9",
     offsetof(scores_arguments, mdc), 0, 0},
    {"list", APP_FLAG, NULL, "list the instruments with range, error and important change",
     offsetof(scores_arguments, list), 0, 0},
    {"guidelines", APP_TEXT, "DIR", "folder of scores.json (default: beside the program)",
     offsetof(scores_arguments, guidelines), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

/* ---- terminal ---- */

static void print_number(const char *name, const reha_threshold *one)
{
    if (one == NULL) {
        (void)printf("  %s not known", name);
    } else {
        (void)printf("  %s %.4g%s", name, one->value, one->kind == REHA_ABSOLUTE ? "" : " %");
    }
}

static int print_list(const char *path)
{
    reha_error err = REHA_ERROR_INIT;
    reha_scores *scores = NULL;
    const reha_status status = reha_scores_load(path, &scores, &err);
    if (status != REHA_OK) {
        return app_fail(status, &err);
    }
    for (size_t i = 0; i < reha_scores_count(scores); i++) {
        const reha_instrument *one = reha_scores_at(scores, i);
        (void)printf("%-28s %g to %g %s, %s%s", one->key, one->low, one->high, one->unit,
                     one->better > 0   ? "higher is better"
                     : one->better < 0 ? "lower is better"
                                       : "neither end is better",
                     one->item_count > 1 ? "" : ", one value");
        if (one->item_count > 1) {
            (void)printf(", %zu items (at least %zu)", one->item_count, one->answered_min);
        }
        print_number("MDC", reha_threshold_choose(one->mdc, one->mdc_count, NULL));
        print_number("MIC", reha_threshold_choose(one->mic, one->mic_count, NULL));
        (void)printf("\n");
    }
    reha_scores_free(scores);
    return EXIT_DONE;
}

static void print_lines(const char *text)
{
    for (const char *at = text; *at != '\0';) {
        const size_t length = strcspn(at, "\n");
        (void)printf("  %.*s\n", (int)length, at);
        at += length + (at[length] == '\n' ? 1 : 0);
    }
}

static void print_visits(const reha_score_series *series)
{
    bool is_first = true;
    for (size_t i = 0; i < series->count; i++) {
        const reha_score_visit *visit = &series->visits[i];
        (void)printf("  %s  ", visit->date);
        if (isnan(visit->value)) {
            (void)printf("no score");
        } else if (is_first) {
            (void)printf("%.4g", visit->value);
            is_first = false;
        } else {
            (void)printf("%.4g  %+.4g  %s", visit->value, visit->change.difference,
                         reha_verdict_text(visit->change.verdict));
        }
        (void)printf(visit->note[0] != '\0' ? "  (%s)\n" : "%s\n", visit->note);
    }
}

static reha_status print_table(const reha_score_table *table, bool why, reha_error *err)
{
    for (size_t i = 0; i < table->count; i++) {
        const reha_score_series *series = &table->items[i];
        char *words = NULL;
        char *sources = NULL;
        (void)printf("%s%s%s (%s), %g to %g %s\n", series->instrument->title,
                     series->side[0] != '\0' ? ", " : "", series->side, series->instrument->key,
                     series->instrument->low, series->instrument->high, series->instrument->unit);
        print_visits(series);
        reha_status status = reha_score_series_text(series, &words, err);
        if (status == REHA_OK) {
            status = reha_score_sources_text(series, why, &sources, err);
        }
        if (status == REHA_OK) {
            print_lines(words);
            print_lines(sources);
        }
        reha_free(words);
        reha_free(sources);
        REHA_TRY(status);
    }
    char remark[240];
    reha_score_table_remark(table, remark, sizeof remark);
    if (remark[0] != '\0') {
        (void)printf("%s\n", remark);
    }
    return REHA_OK;
}

/* ---- command ---- */

static reha_status show(const scores_arguments *given, const reha_score_table *table, reha_error *err)
{
    if (given->json) {
        json_t *json = NULL;
        REHA_TRY(reha_score_table_to_json(table, &json, err));
        const int printed = app_print_json(json);
        json_decref(json);
        if (printed != EXIT_DONE) {
            return reha_fail(err, REHA_E_IO, "the scores could not be written");
        }
    } else {
        REHA_TRY(print_table(table, given->why, err));
    }
    if (given->report == NULL) {
        return REHA_OK;
    }
    return reha_str_ends_nocase(given->report, ".pdf") ? reha_score_report_pdf(table, given->report, err)
                                                       : reha_score_report_html(table, given->report, err);
}

static int usage_fault(const scores_arguments *given, int word_count)
{
    if (given->list == (word_count > 0)) {
        return app_wrong_use(&app_scores, "give a table of scores, or --list");
    }
    if (given->setting != NULL && !reha_setting_is_known(given->setting)) {
        return app_wrong_use(&app_scores,
                             "--setting is surgical, non-surgical, same-rater or other-rater, not %s",
                             given->setting);
    }
    if (given->report != NULL && !reha_str_ends_nocase(given->report, ".html") &&
        !reha_str_ends_nocase(given->report, ".pdf")) {
        return app_wrong_use(&app_scores, "--report must end in .html or .pdf: %s", given->report);
    }
    return -1;
}

static int run_scores(const app_command *command, int argc, char **argv)
{
    scores_arguments given = {0};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    reha_score_table *table = NULL;
    char *folder = NULL;
    char *path = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    code = code >= 0 ? code : usage_fault(&given, word_count);
    if (code >= 0) {
        return code;
    }
    reha_status status = given.guidelines != NULL ? REHA_OK : reha_guidelines_folder(&folder, &err);
    if (status == REHA_OK) {
        path = reha_path_join(given.guidelines != NULL ? given.guidelines : folder, "scores.json");
        status = path != NULL ? REHA_OK : reha_fail(&err, REHA_E_NOMEM, "out of memory for a path");
    }
    if (status == REHA_OK && given.list) {
        code = print_list(path);
    } else {
        const reha_score_options options = {
            .scores_path = path, .setting = given.setting, .own_mdc = given.mdc};
        status = status == REHA_OK ? reha_score_table_load(words[0], &options, &table, &err) : status;
        status = status == REHA_OK ? show(&given, table, &err) : status;
        code = status == REHA_OK ? EXIT_DONE : app_fail(status, &err);
    }
    reha_score_table_free(table);
    reha_free(folder);
    reha_free(path);
    return code;
}

const app_command app_scores = {.name = "scores",
                                .arguments = "[FILE.csv|FILE.json]",
                                .summary =
                                    "questionnaires and tests of one patient over time: real change or error",
                                .example = "rehascope scores anna.csv --report anna.pdf",
                                .options = scores_options,
                                .words_min = 0,
                                .words_max = 1,
                                .run = run_scores};
