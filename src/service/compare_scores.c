/* Words and JSON of a table of scores. */
#include "service/compare_scores.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double DAYS_PER_MONTH = 30.4375;
static const double SHIFT_P_MAX = 0.05;
enum { MANY = 4 }; /* measures: at this number a false alarm among them is no rarity (19 %) */

static const reha_score_visit *scored_visit(const reha_score_series *series, size_t index)
{
    for (size_t i = 0; i < series->count; i++) {
        if (!isnan(series->visits[i].value) && index-- == 0) {
            return &series->visits[i];
        }
    }
    return &series->visits[0];
}

/* ---- words ---- */

static void say_latest(const reha_score_series *series, reha_text *text)
{
    const reha_change *latest = &series->series.latest;
    char remark[256];
    reha_change_remark(latest, remark, sizeof remark);
    reha_text_addf(text, "since the first visit: %+.4g %s: %s", latest->difference, series->instrument->unit,
                   reha_verdict_text(latest->verdict));
    reha_text_addf(text, remark[0] != '\0' ? "; %s\n" : "%s\n", remark);
    if (series->scored > 2) {
        reha_text_addf(text, "since the visit before: %+.4g %s: %s\n", series->series.previous.difference,
                       series->instrument->unit, reha_verdict_text(series->series.previous.verdict));
    }
}

static void say_reached(const reha_score_series *series, reha_text *text)
{
    const reha_series *judged = &series->series;
    if (series->scored < 3 || judged->reached_at == 0) {
        return;
    }
    const char *date = scored_visit(series, judged->reached_at)->date;
    if (judged->is_back) {
        reha_text_addf(text, "a real change was reached on %s and confirmed, but is lost again\n", date);
    } else if (judged->is_confirmed) {
        reha_text_addf(text, "a real change was reached on %s and confirmed at the next visit\n", date);
    } else if (judged->reached_at + 1 < series->scored) {
        reha_text_addf(
            text, "beyond the measurement error once, on %s, but the next visit did not confirm it\n", date);
    } else {
        reha_text_addf(
            text, "beyond the measurement error for the first time on %s: one more visit would confirm it\n",
            date);
    }
}

/* The state that patients call acceptable is another question than a change: a large gain may still fall
 * short of it. */
static void say_acceptable(const reha_score_series *series, reha_text *text)
{
    const reha_instrument *instrument = series->instrument;
    const reha_threshold *aim = &instrument->acceptable;
    if (isnan(aim->value) || series->scored == 0) {
        return;
    }
    const double last = scored_visit(series, series->scored - 1)->value;
    const bool is_reached = instrument->better > 0 ? last >= aim->value : last <= aim->value;
    const bool is_end = aim->value == (instrument->better > 0 ? instrument->high : instrument->low);
    reha_text_addf(text, "%s: %g%s %s (%s; %s)\n", is_reached ? "reached" : "not reached", aim->value,
                   is_end                   ? ""
                   : instrument->better > 0 ? " or more"
                                            : " or less",
                   aim->note, aim->population, aim->source);
}

static void say_trend(const reha_score_series *series, reha_text *text)
{
    const reha_series *judged = &series->series;
    if (isnan(judged->slope_per_day)) {
        return;
    }
    reha_text_addf(text, "trend: %+.2g %s per month", judged->slope_per_day * DAYS_PER_MONTH,
                   series->instrument->unit);
    if (isnan(judged->slope_low)) {
        reha_text_addf(text, " (too few visits for an interval: %d are needed)\n", REHA_INTERVAL_VISITS_MIN);
    } else {
        const bool is_sure = judged->slope_low > 0.0 || judged->slope_high < 0.0;
        reha_text_addf(text, ", 95 %% interval %+.2g to %+.2g%s\n", judged->slope_low * DAYS_PER_MONTH,
                       judged->slope_high * DAYS_PER_MONTH, is_sure ? "" : ": no trend is shown");
    }
    if (judged->shift_p <= SHIFT_P_MAX) {
        reha_text_addf(text, "level: %+.3g %s from %s on (p %.3f; a steady trend looks alike)\n",
                       judged->shift, series->instrument->unit, scored_visit(series, judged->shift_at)->date,
                       judged->shift_p);
    }
}

reha_status reha_score_series_text(const reha_score_series *series, char **out, reha_error *err)
{
    reha_text text = {0};
    if (series->scored > 1) {
        say_latest(series, &text);
        say_reached(series, &text);
        say_trend(series, &text);
        say_acceptable(series, &text);
    } else {
        reha_text_add(&text, series->scored == 1 ? "one visit: nothing to compare with yet\n"
                                                 : "no visit could be scored\n");
    }
    if (series->instrument->note[0] != '\0') {
        reha_text_addf(&text, "note: %s\n", series->instrument->note);
    }
    return reha_text_take(&text, out, err);
}

/* A measurement error has a level of confidence, an important change has none. */
static void say_threshold(reha_text *text, const char *name, const reha_threshold *one, const char *unit,
                          bool has_level)
{
    reha_text_addf(text, "%s ", name);
    if (isnan(one->value)) {
        reha_text_addf(text, "only as a range, %.4g to %.4g", one->range_low, one->range_high);
    } else {
        reha_text_addf(text, "%.4g %s", one->value,
                       one->kind == REHA_ABSOLUTE ? unit : "% of the value before");
    }
    if (!isnan(one->confidence)) {
        reha_text_addf(text, " (%.0f %%)", one->confidence);
    } else if (has_level) {
        reha_text_add(text, " (level not stated: taken for 90 %)");
    }
    reha_text_addf(text, ": %s; %s [%s]\n", one->population, one->source, one->sure);
}

static void say_thresholds(reha_text *text, const reha_score_series *series, const char *name,
                           const reha_threshold *items, size_t count, const reha_threshold *chosen, bool all)
{
    const bool has_level = items == series->instrument->mdc;
    if (chosen == NULL) {
        reha_text_addf(text, "%s: not known", name);
        if (has_level && !series->instrument->is_image) {
            reha_text_addf(text, "; state your clinic's own with --mdc %s=X", series->instrument->key);
        }
        reha_text_add(text, "\n");
    } else {
        say_threshold(text, name, chosen, series->instrument->unit, has_level);
    }
    for (size_t i = 0; all && i < count; i++) {
        if (&items[i] != chosen) {
            reha_text_add(text, "also published, not used: ");
            say_threshold(text, name, &items[i], series->instrument->unit, has_level);
        }
    }
}

reha_status reha_score_sources_text(const reha_score_series *series, bool all, char **out, reha_error *err)
{
    const reha_instrument *instrument = series->instrument;
    const reha_change *latest = &series->series.latest;
    reha_text text = {0};
    say_thresholds(&text, series, "measurement error (MDC)", instrument->mdc, instrument->mdc_count,
                   series->spec.mdc, all);
    if (isfinite(latest->sdc_reading) && series->scored > 0) {
        reha_text_addf(&text, "full error of both readings ± %.2f %s, positioning ± %.2f (%s)\n",
                       latest->sdc_reading, instrument->unit, latest->sdc_acquisition,
                       instrument->acquisition_source);
    }
    if (series->scored > 0 && isfinite(latest->sdc)) {
        reha_text_addf(&text, "smallest detectable change used, 95 %%: %.3g %s\n", latest->sdc,
                       instrument->unit);
    }
    say_thresholds(&text, series, "important change (MIC)", instrument->mic, instrument->mic_count,
                   series->spec.mic, all);
    if (all && instrument->rule != REHA_RULE_NONE) {
        reha_text_addf(&text, "scoring: %s\n", instrument->rule_source);
    }
    return reha_text_take(&text, out, err);
}

void reha_score_table_remark(const reha_score_table *table, char *out, size_t out_bytes)
{
    size_t judged = 0;
    out[0] = '\0';
    for (size_t i = 0; i < table->count; i++) {
        judged += table->items[i].scored > 1 && isfinite(table->items[i].series.latest.sdc) ? 1 : 0;
    }
    if (judged >= MANY) {
        (void)snprintf(out, out_bytes,
                       "%zu measures were judged. Where nothing changed, one in twenty still reads as a real "
                       "change: look for "
                       "measures that agree.",
                       judged);
    }
}

/* ---- JSON ---- */

static json_t *text_or_null(const char *text)
{
    return text[0] != '\0' ? reha_json_text(text) : json_null();
}

static const char *better_text(const reha_instrument *instrument)
{
    return instrument->better > 0 ? "higher" : instrument->better < 0 ? "lower" : "neutral";
}

static json_t *visits_json(const reha_score_series *series)
{
    json_t *out = json_array();
    for (size_t i = 0; i < series->count; i++) {
        const reha_score_visit *visit = &series->visits[i];
        json_t *change = isnan(visit->value) ? json_null() : reha_change_to_json(&visit->change);
        (void)json_array_append_new(out, json_pack("{s:s, s:o, s:i, s:o, s:o}", "date", visit->date, "value",
                                                   reha_json_real(visit->value), "items_missing",
                                                   (int)visit->missing, "note", text_or_null(visit->note),
                                                   "against_first", change));
    }
    return out;
}

static json_t *threshold_json(const reha_threshold *one)
{
    return one == NULL ? json_null()
                       : json_pack("{s:o, s:o, s:s, s:s, s:s, s:s}", "value", reha_json_real(one->value),
                                   "confidence", reha_json_real(one->confidence), "setting", one->setting,
                                   "population", one->population, "source", one->source, "sure", one->sure);
}

static json_t *judged_json(const reha_score_series *series)
{
    const reha_series *judged = &series->series;
    const bool is_reached = judged->reached_at > 0;
    const bool has_shift = !isnan(judged->shift_p);
    if (series->scored < 2) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:{s:o, s:o, s:o}, s:{s:o, s:o, s:o}, s:{s:o, s:b, s:b}}", "latest",
                     reha_change_to_json(&judged->latest), "since_previous",
                     reha_change_to_json(&judged->previous), "slope_per_month", "value",
                     reha_json_real(judged->slope_per_day * DAYS_PER_MONTH), "low",
                     reha_json_real(judged->slope_low * DAYS_PER_MONTH), "high",
                     reha_json_real(judged->slope_high * DAYS_PER_MONTH), "level_shift", "date",
                     has_shift ? json_string(scored_visit(series, judged->shift_at)->date) : json_null(),
                     "size", has_shift ? reha_json_real(judged->shift) : json_null(), "p",
                     reha_json_real(judged->shift_p), "reached", "date",
                     is_reached ? json_string(scored_visit(series, judged->reached_at)->date) : json_null(),
                     "confirmed", judged->is_confirmed, "lost_again", judged->is_back);
}

static json_t *series_json(const reha_score_series *series)
{
    const reha_instrument *instrument = series->instrument;
    return json_pack(
        "{s:s, s:s, s:o, s:s, s:[f, f], s:s, s:o, s:o, s:o, s:o, s:o}", "instrument", instrument->key,
        "title", instrument->title, "side", text_or_null(series->side), "unit", instrument->unit, "range",
        instrument->low, instrument->high, "better", better_text(instrument), "mdc",
        threshold_json(series->spec.mdc), "mic", threshold_json(series->spec.mic), "acceptable",
        isnan(instrument->acceptable.value) ? json_null() : threshold_json(&instrument->acceptable), "visits",
        visits_json(series), "judged", judged_json(series));
}

reha_status reha_score_table_to_json(const reha_score_table *table, json_t **out, reha_error *err)
{
    json_t *all = json_array();
    bool is_whole = true;
    for (size_t i = 0; i < table->count; i++) {
        is_whole = json_array_append_new(all, series_json(&table->items[i])) == 0 && is_whole;
    }
    *out = json_pack("{s:s, s:s, s:b, s:o}", "schema", "rehascope/score-report/1", "software",
                     "rehascope " REHA_VERSION, "reviewed", 0, "series", all);
    if (*out == NULL || !is_whole) {
        json_decref(*out);
        *out = NULL;
        return reha_fail(err, REHA_E_NOMEM, "the scores cannot be written as JSON");
    }
    return REHA_OK;
}

static json_t *items_json(const reha_instrument *instrument)
{
    json_t *high = json_array();
    for (size_t i = 0; i < instrument->item_count; i++) {
        (void)json_array_append_new(high, json_real(instrument->item_high[i]));
    }
    return json_pack("{s:I, s:I, s:I, s:f, s:o}", "count", (json_int_t)instrument->item_count, "count_min",
                     (json_int_t)instrument->item_count_min, "answered_min",
                     (json_int_t)instrument->answered_min, "low", instrument->item_low, "high", high);
}

static json_t *instrument_json(const reha_instrument *one)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:s, s:b, s:o, s:o, s:o, s:o, s:s}", "key",
                     one->key, "title", one->title, "family", one->family, "body", one->body, "unit",
                     one->unit, "low", one->low, "high", one->high, "better", better_text(one), "image",
                     one->is_image ? 1 : 0, "items", one->item_count > 1 ? items_json(one) : json_null(),
                     "mdc", threshold_json(reha_threshold_choose(one->mdc, one->mdc_count, NULL)), "mic",
                     threshold_json(reha_threshold_choose(one->mic, one->mic_count, NULL)), "acceptable",
                     isnan(one->acceptable.value) ? json_null() : threshold_json(&one->acceptable), "note",
                     one->note);
}

reha_status reha_scores_to_json(const reha_scores *scores, json_t **out, reha_error *err)
{
    json_t *list = json_array();
    bool is_whole = list != NULL;
    for (size_t i = 0; i < reha_scores_count(scores); i++) {
        is_whole = json_array_append_new(list, instrument_json(reha_scores_at(scores, i))) == 0 && is_whole;
    }
    *out = json_pack("{s:o}", "items", list);
    if (*out == NULL || !is_whole) {
        json_decref(*out);
        *out = NULL;
        return reha_fail(err, REHA_E_NOMEM, "the instruments cannot be written as JSON");
    }
    return REHA_OK;
}
