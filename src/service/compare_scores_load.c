/* Tables of scores as clinics keep them: long (a row per score), wide (a column per score), or JSON. */
#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/compare_scores.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char EPOCH[] = "1970-01-01";
static const char SCHEMA[] = "rehascope/score-series/1";
static const double SAME_VALUE = 1e-6;

/* One score as written: a value, or items. */
typedef struct entry {
    const char *date, *instrument, *side;
    double value; /* NaN: from items */
    double items[REHA_ITEMS_MAX];
    size_t item_count;
} entry;

static bool is_missing(const char *word, size_t length)
{
    static const char *const words[] = {"-", "na", "n/a", "null", ".", "?"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i]) == length && strncmp(word, words[i], length) == 0) {
            return true;
        }
    }
    return false;
}

/* "3 2 - 4" or "3;2;-;4". */
static reha_status read_items(const char *text, entry *out, reha_error *err)
{
    const char *at = text;
    out->item_count = 0;
    while (*at != '\0') {
        char word[24];
        size_t length = 0;
        while (*at == ' ' || *at == ';' || *at == '\t') {
            at++;
        }
        while (at[length] != '\0' && strchr(" ;\t", at[length]) == NULL) {
            length++;
        }
        if (length == 0) {
            break;
        }
        if (out->item_count >= REHA_ITEMS_MAX || length >= sizeof word) {
            return reha_fail(err, REHA_E_FORMAT, "more than %d items, or an item that is no number",
                             REHA_ITEMS_MAX);
        }
        for (size_t i = 0; i <= length; i++) {
            word[i] = i < length ? (char)tolower((unsigned char)at[i]) : '\0';
        }
        double *item = &out->items[out->item_count++];
        *item = (double)NAN;
        if (!is_missing(word, length) && !reha_parse_double(word, true, item)) {
            return reha_fail(err, REHA_E_FORMAT,
                             "item %zu is '%.20s': write numbers, and '-' for a missing one", out->item_count,
                             word);
        }
        at += length;
    }
    return REHA_OK;
}

static reha_score_series *find_series(reha_score_table *table, const reha_instrument *instrument,
                                      const char *side)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->items[i].instrument == instrument && strcmp(table->items[i].side, side) == 0) {
            return &table->items[i];
        }
    }
    if (table->count >= REHA_SCORE_SERIES_MAX) {
        return NULL;
    }
    reha_score_series *series = &table->items[table->count++];
    series->instrument = instrument;
    (void)snprintf(series->side, sizeof series->side, "%s", side);
    return series;
}

static reha_status score(const reha_instrument *instrument, const entry *from, reha_score_visit *to,
                         reha_error *err)
{
    reha_error why = REHA_ERROR_INIT;
    reha_score result = {.value = from->value};
    reha_status status = REHA_OK;
    if (from->item_count > 0) {
        status = reha_score_compute(instrument, from->items, from->item_count, &result, &why);
    } else {
        status = reha_score_check(instrument, from->value, &why);
    }
    to->answered = result.answered;
    to->missing = result.missing;
    to->value = result.value;
    if (status ==
        REHA_E_REFUSED) { /* too many items are missing: one visit without a score, not a broken file */
        to->value = (double)NAN;
        (void)snprintf(to->note, sizeof to->note, "%s", why.text);
        return REHA_OK;
    }
    if (status == REHA_OK && to->missing > 0) {
        (void)snprintf(to->note, sizeof to->note, "%zu of %zu items missing, scored by the published rule",
                       to->missing, to->missing + to->answered);
    }
    return status == REHA_OK ? REHA_OK : reha_fail(err, status, "%s", why.text);
}

/* ---- One score twice on one day ---- */

static void add_note(reha_score_visit *visit, const char *format, ...) REHA_PRINTF(2, 3);

static void add_note(reha_score_visit *visit, const char *format, ...)
{
    va_list arguments;
    const size_t used = strlen(visit->note);
    (void)snprintf(visit->note + used, sizeof visit->note - used, "%s", used > 0 ? "; " : "");
    const size_t next = strlen(visit->note);
    va_start(arguments, format);
    (void)vsnprintf(visit->note + next, sizeof visit->note - next, format, arguments);
    va_end(arguments);
}

/* A form without a score beside one with a score contradicts nothing. */
static reha_score_visit *scored_that_day(reha_score_series *series, const reha_score_visit *visit)
{
    for (size_t i = 0; !isnan(visit->value) && i < series->count; i++) {
        if (strcmp(series->visits[i].date, visit->date) == 0 && !isnan(series->visits[i].value)) {
            return &series->visits[i];
        }
    }
    return NULL;
}

/* The same number again is a copy: counted once. Another number on the same day is a slip, and which of the
 * two is right only the clinic knows; in a record it stands, and both visits say so. */
static reha_status meet_same_day(const reha_score_table *table, const reha_instrument *instrument,
                                 reha_score_visit *before, reha_score_visit *visit, bool *is_copy,
                                 reha_error *err)
{
    *is_copy = fabs(before->value - visit->value) < SAME_VALUE;
    if (*is_copy && table->place_word != NULL) {
        add_note(before, "given twice, in %s %zu and %zu: counted once", table->place_word, before->place,
                 visit->place);
    } else if (*is_copy) {
        add_note(before, "given twice on this day: counted once");
    } else if (table->place_word != NULL) {
        return reha_fail(
            err, REHA_E_FORMAT,
            "%s on %s is %.6g here, but %.6g in %s %zu: two values on one day; keep the right one",
            instrument->key, visit->date, visit->value, before->value, table->place_word, before->place);
    } else {
        add_note(before, "another value on this day: %.6g; withdraw the wrong one", visit->value);
        add_note(visit, "another value on this day: %.6g; withdraw the wrong one", before->value);
    }
    return REHA_OK;
}

static reha_status add_entry(reha_score_table *table, const entry *from, size_t place, reha_error *err)
{
    const reha_instrument *instrument = reha_scores_find(table->scores, from->instrument);
    const double day = reha_days_between(EPOCH, from->date);
    if (instrument == NULL) {
        return reha_fail(err, REHA_E_ARG, "'%.40s' is no known instrument: see 'rehascope scores --list'",
                         from->instrument);
    }
    if (isnan(day)) {
        return reha_fail(err, REHA_E_FORMAT, "'%.20s' is no date: write it as 2026-01-31", from->date);
    }
    if (from->side[0] != '\0' && strcmp(from->side, "right") != 0 && strcmp(from->side, "left") != 0) {
        return reha_fail(err, REHA_E_FORMAT, "side '%.20s': right, left or nothing", from->side);
    }
    reha_score_series *series = find_series(table, instrument, from->side);
    if (series == NULL || series->count >= REHA_SERIES_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "more than %d series, or than %d visits in one",
                         REHA_SCORE_SERIES_MAX, REHA_SERIES_MAX);
    }
    reha_score_visit *visits = reha_realloc(series->visits, (series->count + 1) * sizeof *visits);
    if (visits == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu visits", series->count + 1);
    }
    series->visits = visits;
    reha_score_visit *visit = &visits[series->count];
    *visit = (reha_score_visit){.day = day, .place = place};
    (void)snprintf(visit->date, sizeof visit->date, "%.10s", from->date);
    REHA_TRY(score(instrument, from, visit, err));
    reha_score_visit *before = scored_that_day(series, visit);
    bool is_copy = false;
    if (before != NULL) {
        REHA_TRY(meet_same_day(table, instrument, before, visit, &is_copy, err));
    }
    series->count += is_copy ? 0 : 1;
    return REHA_OK;
}

/* ---- CSV ---- */

static reha_status add_long_row(reha_score_table *table, const reha_csv *csv, size_t row, reha_error *err)
{
    const int value = reha_csv_find(csv, "value");
    const int items = reha_csv_find(csv, "items");
    const int side = reha_csv_find(csv, "side");
    const char *items_text = items >= 0 ? reha_csv_get(csv, row, items) : "";
    entry one = {.date = reha_csv_get(csv, row, reha_csv_find(csv, "date")),
                 .instrument = reha_csv_get(csv, row, reha_csv_find(csv, "instrument")),
                 .side = side >= 0 ? reha_csv_get(csv, row, side) : "",
                 .value = (double)NAN};
    REHA_TRY(read_items(items_text, &one, err));
    if (one.item_count == 0 && (value < 0 || !reha_csv_number(csv, row, value, &one.value))) {
        return reha_fail(err, REHA_E_FORMAT, "neither a number in 'value' nor items in 'items'");
    }
    return add_entry(table, &one, reha_csv_line(csv, row), err);
}

/* Column names are instruments, with ":right" or ":left" where there are two sides. Empty cells: not taken
 * that day. */
static reha_status add_wide_row(reha_score_table *table, const reha_csv *csv, size_t row, reha_error *err)
{
    const int date = reha_csv_find(csv, "date");
    for (size_t k = 0; k < reha_csv_columns(csv); k++) {
        const char *cell = reha_csv_get(csv, row, (int)k);
        char name[64];
        if ((int)k == date || cell[strspn(cell, " \t")] == '\0') {
            continue;
        }
        (void)snprintf(name, sizeof name, "%s", reha_csv_header(csv, k));
        char *colon = strchr(name, ':');
        entry one = {
            .date = reha_csv_get(csv, row, date), .instrument = name, .side = "", .value = (double)NAN};
        if (colon != NULL) {
            *colon = '\0';
            one.side = colon + 1;
        }
        if (!reha_csv_number(csv, row, (int)k, &one.value)) {
            return reha_fail(err, REHA_E_FORMAT, "column %.40s: '%.20s' is no number", name, cell);
        }
        REHA_TRY(add_entry(table, &one, reha_csv_line(csv, row), err));
    }
    return REHA_OK;
}

static reha_status load_csv(const char *path, reha_score_table *table, reha_error *err)
{
    reha_csv *csv = NULL;
    reha_status status = reha_csv_load(path, &csv, err);
    if (status != REHA_OK) {
        return status;
    }
    const bool is_long = reha_csv_find(csv, "instrument") >= 0;
    table->place_word = "line";
    if (reha_csv_find(csv, "date") < 0) {
        status = reha_fail(
            err, REHA_E_FORMAT,
            "%s: no column 'date'; columns are date,instrument,value[,items][,side], or date and one column "
            "per instrument",
            path);
    }
    for (size_t row = 0; status == REHA_OK && row < reha_csv_rows(csv); row++) {
        status = is_long ? add_long_row(table, csv, row, err) : add_wide_row(table, csv, row, err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "%s, line %zu", path, reha_csv_line(csv, row));
        }
    }
    reha_csv_free(csv);
    return status;
}

/* ---- JSON ---- */

static reha_status add_json_entry(reha_score_table *table, const json_t *from, size_t place, reha_error *err)
{
    entry one = {.side = reha_json_string(from, "side", ""),
                 .value = reha_json_number(from, "value", (double)NAN)};
    const json_t *items = json_object_get(from, "items");
    REHA_TRY(reha_json_need_string(from, "date", &one.date, err));
    REHA_TRY(reha_json_need_string(from, "instrument", &one.instrument, err));
    if (json_array_size(items) > REHA_ITEMS_MAX || (!json_is_array(items) && isnan(one.value))) {
        return reha_fail(err, REHA_E_FORMAT, "needs a number in 'value', or up to %d 'items'",
                         REHA_ITEMS_MAX);
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        if (!json_is_number(item) && !json_is_null(item)) {
            return reha_fail(err, REHA_E_FORMAT, "item %zu is neither a number nor null", i + 1);
        }
        one.items[one.item_count++] = json_is_number(item) ? json_number_value(item) : (double)NAN;
    }
    return add_entry(table, &one, place, err);
}

static reha_status load_json(const char *path, reha_score_table *table, reha_error *err)
{
    json_t *document = NULL;
    const json_t *entries = NULL;
    REHA_TRY(reha_json_load(path, &document, err));
    const char *schema = reha_json_string(document, "schema", "");
    table->place_word = "entry";
    reha_status status =
        strcmp(schema, SCHEMA) == 0
            ? reha_json_need_array(document, "entries", 0, &entries, err)
            : reha_fail(err, REHA_E_FORMAT, "%s: schema '%.40s' instead of '%s'", path, schema, SCHEMA);
    for (size_t i = 0; status == REHA_OK && i < json_array_size(entries); i++) {
        status = add_json_entry(table, json_array_get(entries, i), i + 1, err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "%s, entry %zu", path, i + 1);
        }
    }
    json_decref(document);
    return status;
}

/* ---- judging ---- */

static int by_day(const void *a, const void *b)
{
    const reha_score_visit *x = a;
    const reha_score_visit *y = b;
    return x->day < y->day ? -1 : x->day > y->day ? 1 : 0;
}

/* "nrs-pain=2,odi=9" */
static reha_status read_own(const char *text, reha_score_table *table, reha_error *err)
{
    for (const char *at = text; at != NULL && *at != '\0';) {
        const size_t length = strcspn(at, ",");
        const size_t name_length = strcspn(at, "=,");
        char name[64];
        char number[32];
        double value = 0.0;
        (void)snprintf(name, sizeof name, "%.*s",
                       (int)(name_length < sizeof name ? name_length : sizeof name - 1), at);
        (void)snprintf(number, sizeof number, "%.*s",
                       (int)(length > name_length ? length - name_length - 1 : 0),
                       length > name_length ? at + name_length + 1 : "");
        const reha_instrument *instrument = reha_scores_find(table->scores, name);
        if (instrument == NULL) {
            return reha_fail(err, REHA_E_ARG, "'%.40s' is no known instrument: see 'rehascope scores --list'",
                             name);
        }
        if (!reha_parse_double(number, true, &value) || !(value > 0.0) ||
            table->own_count >= REHA_OWN_MDC_MAX) {
            return reha_fail(err, REHA_E_ARG,
                             "own errors are written KEY=VALUE,KEY=VALUE, up to %d, with values above 0",
                             REHA_OWN_MDC_MAX);
        }
        table->own_of[table->own_count] = instrument;
        table->own[table->own_count++] = (reha_threshold){.value = value,
                                                          .range_low = (double)NAN,
                                                          .range_high = (double)NAN,
                                                          .kind = REHA_ABSOLUTE,
                                                          .confidence = 95.0,
                                                          .setting = "any",
                                                          .population = "this clinic",
                                                          .source = "stated by the user",
                                                          .sure = "user",
                                                          .note = ""};
        at += length + (at[length] == ',' ? 1 : 0);
    }
    return REHA_OK;
}

static reha_change_spec spec_of(const reha_score_table *table, const reha_instrument *instrument,
                                const char *setting)
{
    reha_change_spec spec = reha_change_spec_of(instrument, setting);
    for (size_t i = 0; i < table->own_count; i++) {
        if (table->own_of[i] == instrument) {
            spec.mdc = &table->own[i];
        }
    }
    if (instrument->is_image && strcmp(instrument->acquisition_unit, instrument->unit) == 0) {
        spec.acquisition_sd = instrument->acquisition_sd;
    }
    return spec;
}

static reha_status judge(const reha_score_table *table, reha_score_series *series, const char *setting,
                         reha_error *err)
{
    reha_series_point points[REHA_SERIES_MAX];
    const reha_score_visit *first = NULL;
    const double sd = series->instrument->is_image ? series->instrument->method_sd : (double)NAN;
    qsort(series->visits, series->count, sizeof *series->visits, by_day);
    series->spec = spec_of(table, series->instrument, setting);
    for (size_t i = 0; i < series->count; i++) {
        reha_score_visit *visit = &series->visits[i];
        if (isnan(visit->value)) {
            continue;
        }
        first = first == NULL ? visit : first;
        points[series->scored++] = (reha_series_point){visit->day, visit->value, sd};
        visit->change = reha_change_judge((reha_reading){first->value, sd}, (reha_reading){visit->value, sd},
                                          &series->spec);
    }
    return series->scored > 0 ? reha_series_judge(points, series->scored, &series->spec, &series->series, err)
                              : REHA_OK;
}

static reha_status judge_all(reha_score_table *table, const char *setting, reha_error *err)
{
    for (size_t i = 0; i < table->count; i++) {
        REHA_TRY(judge(table, &table->items[i], setting, err));
    }
    return REHA_OK;
}

reha_status reha_score_table_load(const char *path, const reha_score_options *options, reha_score_table **out,
                                  reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    reha_score_table *table = reha_alloc_zero(1, sizeof *table);
    if (table == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a table of scores");
    }
    REHA_CHECK(reha_scores_load(options->scores_path, &table->scores, err));
    REHA_CHECK(read_own(options->own_mdc, table, err));
    REHA_CHECK(reha_str_ends_nocase(path, ".json") ? load_json(path, table, err)
                                                   : load_csv(path, table, err));
    if (table->count == 0) {
        status = reha_fail(err, REHA_E_FORMAT, "%s holds no scores", path);
        goto done;
    }
    REHA_CHECK(judge_all(table, options->setting, err));
    *out = table;
    table = NULL;
done:
    reha_score_table_free(table);
    return status;
}

reha_status reha_score_table_read(const json_t *entries, reha_scores *scores, const char *setting,
                                  reha_score_table **out, reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    reha_score_table *table = reha_alloc_zero(1, sizeof *table);
    if (table == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a table of scores");
    }
    table->scores = scores;
    for (size_t i = 0; i < json_array_size(entries); i++) {
        REHA_CHECK(add_json_entry(table, json_array_get(entries, i), i + 1, err));
    }
    REHA_CHECK(judge_all(table, setting, err));
    *out = table;
    table = NULL;
done:
    if (table != NULL) {
        table->scores = NULL; /* still the caller's */
    }
    reha_score_table_free(table);
    return status;
}

void reha_score_table_free(reha_score_table *table)
{
    if (table != NULL) {
        for (size_t i = 0; i < table->count; i++) {
            reha_free(table->items[i].visits);
        }
        reha_scores_free(table->scores);
        reha_free(table);
    }
}
