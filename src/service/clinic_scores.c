/* Scores of patients: which instruments there are, what a new score must be, and what a series of them says.
 */
#include "service/clinic_care_priv.h"

#include "base/memory.h"
#include "base/text.h"
#include "service/compare_scores.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 120, UNIT_BYTES = 60 };

reha_status reha_clinic_instruments(reha_clinic *clinic, const reha_actor *actor, json_t **out,
                                    reha_error *err)
{
    reha_scores *scores = NULL;
    (void)clinic;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_TRY(clinic_instruments(&scores, err));
    const reha_status status = reha_scores_to_json(scores, out, err);
    reha_scores_free(scores);
    return status;
}

/* By key, or by the title as people write it. */
static const reha_instrument *find(const reha_scores *scores, const char *name)
{
    const reha_instrument *found = reha_scores_find(scores, name);
    for (size_t i = 0; found == NULL && i < reha_scores_count(scores); i++) {
        const reha_instrument *one = reha_scores_at(scores, i);
        found = reha_str_equal_nocase(one->title, name) ? one : NULL;
    }
    return found;
}

/* ---- A new score ---- */

/* "[3,2,null,4]", so that a score can be counted again, and answer by answer. */
static void write_items(const double *items, size_t count, char *out, size_t out_bytes)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) { /* six digits with sign, point, exponent and comma are 14 bytes */
        const char *before = i == 0 ? "[" : ",";
        const int added = isnan(items[i])
                              ? snprintf(out + used, out_bytes - used, "%snull", before)
                              : snprintf(out + used, out_bytes - used, "%s%.6g", before, items[i]);
        used += added > 0 ? (size_t)added : 0;
    }
    (void)snprintf(out + used, out_bytes - used, "]");
}

static reha_status read_items(const json_t *list, const reha_instrument *instrument, clinic_score *out,
                              reha_error *err)
{
    double items[REHA_ITEMS_MAX];
    reha_score score;
    const size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0 || count > REHA_ITEMS_MAX) {
        return reha_fail(err, REHA_E_ARG, "'items' must be a list of 1 to %d answers", REHA_ITEMS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_number(item) && !json_is_null(item)) {
            return reha_fail(err, REHA_E_ARG,
                             "'items': item %zu must be a number, or null if it was not answered", i + 1);
        }
        items[i] = json_is_number(item) ? json_number_value(item) : (double)NAN;
    }
    REHA_TRY(reha_score_compute(instrument, items, count, &score, err));
    out->value = score.value;
    write_items(items, count, out->items, sizeof out->items);
    return REHA_OK;
}

static reha_status read_known(const json_t *in, const reha_instrument *instrument, clinic_score *out,
                              reha_error *err)
{
    const json_t *items = json_object_get(in, "items");
    const bool has_items = items != NULL && !json_is_null(items);
    const json_t *value = json_object_get(in, "value");
    (void)snprintf(out->instrument, sizeof out->instrument, "%s", instrument->key);
    (void)snprintf(out->known_unit, sizeof out->known_unit, "%s", instrument->unit);
    out->unit = out->known_unit;
    if (has_items) {
        if (value != NULL && !json_is_null(value)) {
            return reha_fail(err, REHA_E_ARG, "'value' or 'items', not both");
        }
        if (instrument->item_count == 0) {
            return reha_fail(err, REHA_E_ARG, "'items': %s is one measured value", instrument->title);
        }
        return read_items(items, instrument, out, err);
    }
    REHA_TRY(clinic_number(in, "value", true, -1e9, 1e9, &out->value, err));
    return reha_score_check(instrument, out->value, err);
}

static reha_status read_other(const json_t *in, const reha_scores *scores, clinic_score *out, reha_error *err)
{
    const char *name = NULL;
    REHA_TRY(clinic_text(in, "name", true, NAME_BYTES, &name, err));
    const reha_instrument *known = find(scores, name);
    if (known != NULL || reha_str_equal_nocase(name, "other")) {
        return reha_fail(err, REHA_E_ARG,
                         "'name': choose %s itself as the instrument, so that it is checked and judged",
                         known != NULL ? known->key : "an instrument");
    }
    (void)snprintf(out->instrument, sizeof out->instrument, "%s", name);
    REHA_TRY(clinic_text(in, "unit", false, UNIT_BYTES, &out->unit, err));
    return clinic_number(in, "value", true, -1e9, 1e9, &out->value, err);
}

reha_status clinic_score_read(const json_t *in, clinic_score *out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_scores *scores = NULL;
    const char *name = NULL;
    *out = (clinic_score){.value = (double)NAN};
    REHA_TRY(clinic_text(in, "instrument", true, NAME_BYTES, &name, err));
    REHA_TRY(clinic_instruments(&scores, err));
    const reha_instrument *instrument = find(scores, name);
    if (instrument != NULL) {
        status = read_known(in, instrument, out, err);
    } else if (strcmp(name, "other") == 0) {
        status = read_other(in, scores, out, err);
    } else {
        status = reha_fail(
            err, REHA_E_ARG,
            "'instrument': '%.40s' is none of the known ones; for another take \"other\" and its 'name'",
            name);
    }
    reha_scores_free(scores);
    return status;
}

/* ---- What a series says ---- */

/* What the judgement reads; scores that no instrument knows, or that are out of its range (of old records),
 * are left out. */
static json_t *entries_of(json_t *rows, const reha_scores *scores)
{
    json_t *entries = json_array();
    const size_t count = json_array_size(rows);
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach(rows, i, row)
    {
        const reha_instrument *one = find(scores, reha_json_string(row, "instrument", ""));
        const char *side = reha_json_string(row, "side", "");
        if (one == NULL) {
            continue;
        }
        (void)json_object_set_new(row, "title", json_string(one->title));
        (void)json_object_set_new(row, "key", json_string(one->key));
        if (i + REHA_SERIES_MAX < count || json_is_string(json_object_get(row, "withdrawn_reason")) ||
            reha_score_check(one, reha_json_number(row, "value", (double)NAN), NULL) != REHA_OK) {
            continue;
        }
        (void)json_array_append_new(entries, json_pack("{s:s, s:s, s:O, s:s}", "instrument", one->key, "date",
                                                       reha_json_string(row, "date", ""), "value",
                                                       json_object_get(row, "value"), "side",
                                                       strcmp(side, "both") == 0 ? "" : side));
    }
    return entries;
}

static json_t *lines_of(const char *text)
{
    json_t *lines = json_array();
    while (*text != '\0') {
        const size_t length = strcspn(text, "\n");
        (void)json_array_append_new(lines, json_stringn(text, length));
        text += length + (text[length] == '\n' ? 1 : 0);
    }
    return lines;
}

static reha_status add_words(const reha_score_table *table, json_t *list, reha_error *err)
{
    for (size_t i = 0; i < table->count; i++) {
        char *words = NULL;
        char *sources = NULL;
        json_t *to = json_array_get(list, i);
        reha_status status = reha_score_series_text(&table->items[i], &words, err);
        if (status == REHA_OK) {
            status = reha_score_sources_text(&table->items[i], false, &sources, err);
        }
        if (status == REHA_OK) {
            (void)json_object_set_new(to, "words", lines_of(words));
            (void)json_object_set_new(to, "sources", lines_of(sources));
        }
        reha_free(words);
        reha_free(sources);
        REHA_TRY(status);
    }
    return REHA_OK;
}

reha_status clinic_scores_judge(json_t *rows, json_t **judged, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_scores *scores = NULL;
    reha_score_table *table = NULL;
    json_t *entries = NULL;
    json_t *report = NULL;
    *judged = json_array();
    if (json_array_size(rows) == 0) {
        return REHA_OK;
    }
    REHA_CHECK(clinic_instruments(&scores, err));
    entries = entries_of(rows, scores);
    if (json_array_size(entries) > 0) {
        REHA_CHECK(reha_score_table_read(entries, scores, NULL, &table, err));
        scores = NULL; /* the table's now */
        REHA_CHECK(reha_score_table_to_json(table, &report, err));
        json_decref(*judged);
        *judged = json_incref(json_object_get(report, "series"));
        REHA_CHECK(add_words(table, *judged, err));
    }
done:
    if (status != REHA_OK) {
        json_decref(*judged);
        *judged = NULL;
    }
    json_decref(entries);
    json_decref(report);
    reha_score_table_free(table);
    reha_scores_free(scores);
    return status;
}
