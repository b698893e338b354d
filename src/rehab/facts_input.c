#include "rehab/facts.h"

#include "base/clock.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const double DAYS_PER_WEEK = 7.0;
static const double WEEKS_TOLERANCE = 1.5; /* stated weeks against a stated date */

void reha_plan_input_note(reha_plan_input *input, const char *format, ...)
{
    if (input->note_count < REHA_PLAN_NOTES_MAX) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(input->notes[input->note_count++], REHA_PLAN_NOTE_BYTES, format, arguments);
        va_end(arguments);
    }
}

/* ---- Dates ---- */

static bool read_date(const char *text, long *out_days)
{
    int year = 0;
    int month = 0;
    int day = 0;
    int used = 0;
    if (text == NULL || strlen(text) != 10 ||
        sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3 || used != 10 || year < 1900 ||
        year > 2200) {
        return false;
    }
    *out_days = reha_days_from_civil(year, month, day);
    int year_back = 0;
    int month_back = 0;
    int day_back = 0;
    reha_civil_from_days(*out_days, &year_back, &month_back, &day_back);
    return year == year_back && month == month_back && day == day_back;
}

bool reha_date_days(const char *from, const char *to, int *out_days)
{
    long a = 0;
    long b = 0;
    const bool is_fine = read_date(from, &a) && read_date(to, &b);
    *out_days = is_fine ? (int)(b - a) : 0;
    return is_fine;
}

bool reha_date_after(const char *date, int days, char *out, size_t out_bytes)
{
    long start = 0;
    int year = 0;
    int month = 0;
    int day = 0;
    out[0] = '\0';
    if (!read_date(date, &start)) {
        return false;
    }
    reha_civil_from_days(start + days, &year, &month, &day);
    (void)snprintf(out, out_bytes, "%04d-%02d-%02d", year, month, day);
    return true;
}

/* ---- Sections ---- */

static bool is_special(const char *section, const char *key)
{
    const bool has_date = strcmp(section, "surgery") == 0 || strcmp(section, "injury") == 0;
    return (has_date && strcmp(key, "date") == 0) ||
           (strcmp(section, "red_flags") == 0 && strcmp(key, "others_absent") == 0);
}

static reha_status read_section(const reha_place *root, const char *section, const json_t *json,
                                const reha_fact_list *list, reha_facts *facts, reha_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    const reha_place place = reha_place_key(root, section);
    if (!json_is_object(json)) {
        return reha_place_fail(&place, err, "must be an object");
    }
    json_object_foreach((json_t *)json, key, value)
    {
        const reha_place at = reha_place_key(&place, key);
        if (is_special(section, key) || json_is_null(value)) {
            continue; /* null says the same as leaving it out: not known */
        }
        const int index = reha_fact_find(list, key);
        if (index < 0 || strcmp(list->items[index].section, section) != 0) {
            const char *near = reha_fact_near(list, key);
            return index >= 0 ? reha_place_fail(&at, err, "belongs to '%s'", list->items[index].section)
                              : reha_place_fail(&at, err, "no such fact%s%s%s",
                                                near != NULL ? "; did you mean '" : "",
                                                near != NULL ? near : "", near != NULL ? "'?" : "");
        }
        REHA_TRY(reha_fact_parse(&list->items[index], value, &at, &facts->values[index], err));
    }
    return REHA_OK;
}

/* "others_absent": true is the clinician's word that every red flag not listed was asked and is absent. */
static reha_status read_red_flags(const reha_place *root, const json_t *json, const reha_fact_list *list,
                                  reha_facts *facts, reha_error *err)
{
    const json_t *others = json_object_get(json, "others_absent");
    const reha_place place = reha_place_key(root, "red_flags");
    const reha_place at = reha_place_key(&place, "others_absent");
    if (others != NULL && !json_is_boolean(others)) {
        return reha_place_fail(&at, err, "must be true or false");
    }
    for (size_t i = 0; json_is_true(others) && i < list->count; i++) {
        if (list->items[i].origin == REHA_FACT_RED_FLAG && isnan(facts->values[i])) {
            facts->values[i] = 0.0;
            (void)snprintf(facts->from[i], REHA_FACT_FROM_BYTES, "asked and absent (others_absent)");
        }
    }
    return REHA_OK;
}

static void derive(const reha_fact_list *list, reha_facts *facts, const char *name, double value,
                   const char *from)
{
    const int index = reha_fact_find(list, name);
    if (index >= 0 && isnan(facts->values[index]) && !isnan(value)) {
        facts->values[index] = value;
        (void)snprintf(facts->from[index], REHA_FACT_FROM_BYTES, "%s", from);
    }
}

static double value_of(const reha_fact_list *list, const reha_facts *facts, const char *name)
{
    const int index = reha_fact_find(list, name);
    return index >= 0 ? facts->values[index] : (double)NAN;
}

/* Weeks from the date of the surgery or injury; a stated number of weeks must agree with it. */
static reha_status derive_weeks(const reha_place *root, const json_t *json, const char *section,
                                const char *fact, const reha_fact_list *list, reha_plan_input *out,
                                reha_error *err)
{
    char from[REHA_FACT_FROM_BYTES];
    const json_t *date = json_object_get(json_object_get(json, section), "date");
    const reha_place place = reha_place_key(root, section);
    const reha_place at = reha_place_key(&place, "date");
    int days = 0;
    if (date == NULL || json_is_null(date)) {
        return REHA_OK;
    }
    if (!json_is_string(date) || !reha_date_days(json_string_value(date), out->date, &days)) {
        return reha_place_fail(&at, err, "must be a date like 2026-05-01");
    }
    if (days < 0) {
        return reha_place_fail(&at, err, "lies after the date of the plan (%s)", out->date);
    }
    const double stated = value_of(list, &out->facts, fact);
    const double weeks = days / DAYS_PER_WEEK;
    if (!isnan(stated) && fabs(stated - weeks) > WEEKS_TOLERANCE) {
        return reha_place_fail(&at, err,
                               "is %.1f weeks before the plan, but %s says %g: one of them is wrong", weeks,
                               fact, stated);
    }
    (void)snprintf(from, sizeof from, "from the dates of %s and plan", section);
    derive(list, &out->facts, fact, floor(10.0 * weeks) / 10.0, from);
    return REHA_OK;
}

/* Whom nobody would ask: a question that makes a clinician smile hides the others. Whoever states it is
 * believed, and from 60 years on asked which of the two is wrong (general.input.pregnant-age). */
static void derive_pregnant(const reha_fact_list *list, reha_facts *facts)
{
    enum { ASKED_BELOW_YEARS = 60 };
    const int sex = reha_fact_find(list, "sex");
    const double choice = value_of(list, facts, "sex");
    const bool is_male = !isnan(choice) && strcmp(list->items[sex].choices[(int)choice], "male") == 0;
    if (is_male || value_of(list, facts, "age_years") >= ASKED_BELOW_YEARS) {
        derive(list, facts, "pregnant", 0.0, is_male ? "from the sex: not asked" : "from the age: not asked");
    }
}

static void derive_all(const reha_fact_list *list, reha_facts *facts)
{
    derive_pregnant(list, facts);
    const double height_m = 0.01 * value_of(list, facts, "height_cm");
    const double bmi = value_of(list, facts, "weight_kg") / (height_m * height_m);
    derive(list, facts, "bmi", round(10.0 * bmi) / 10.0, "from height and weight");
}

/* ---- Goals in the patient's words ---- */

static reha_status read_goals(const reha_place *root, const json_t *json, const reha_fact_list *list,
                              reha_plan_input *out, reha_error *err)
{
    const json_t *goals = json_object_get(json, "goals");
    const reha_place place = reha_place_key(root, "goals");
    double sum = 0.0;
    int scored = 0;
    if (goals == NULL) {
        return REHA_OK;
    }
    if (!json_is_array(goals) || json_array_size(goals) > REHA_OWN_GOALS_MAX) {
        return reha_place_fail(&place, err, "must be a list of at most %d goals", REHA_OWN_GOALS_MAX);
    }
    for (size_t i = 0; i < json_array_size(goals); i++) {
        const json_t *goal = json_array_get(goals, i);
        const reha_place at = reha_place_item(&place, i);
        const char *activity = NULL;
        reha_own_goal *to = &out->own_goals[out->own_goal_count];
        REHA_TRY(reha_place_keys(&at, goal, " activity psfs ", err));
        REHA_TRY(reha_place_string(&at, goal, "activity", &activity, err));
        (void)snprintf(to->activity, sizeof to->activity, "%s", activity);
        to->psfs = reha_json_number(goal, "psfs", (double)NAN);
        if (!isnan(to->psfs)) {
            if (to->psfs < 0.0 || to->psfs > 10.0) {
                return reha_place_fail(&at, err, "psfs must be 0 (cannot) to 10 (as before)");
            }
            sum += to->psfs;
            scored++;
        }
        out->own_goal_count++;
    }
    derive(list, &out->facts, "psfs", scored > 0 ? sum / scored : (double)NAN,
           "mean of the patient's own goals");
    return REHA_OK;
}

static reha_status read_analyses(const reha_place *root, const json_t *json, const reha_fact_list *list,
                                 reha_plan_input *out, reha_error *err)
{
    const json_t *analyses = json_object_get(json, "analyses");
    const reha_place place = reha_place_key(root, "analyses");
    if (analyses == NULL) {
        return REHA_OK;
    }
    if (!json_is_array(analyses)) {
        return reha_place_fail(&place, err, "must be a list of analyses");
    }
    for (size_t i = 0; i < json_array_size(analyses); i++) {
        const json_t *one = json_array_get(analyses, i);
        const json_t *inner = json_object_get(one, "analysis"); /* as `analyse --json` wraps it */
        const reha_place at = reha_place_item(&place, i);
        REHA_TRY(reha_facts_take_analysis(&at, json_is_object(inner) ? inner : one, list, out, err));
    }
    return REHA_OK;
}

/* ---- The whole file ---- */

static reha_status read_top(const reha_place *root, const json_t *json, const reha_fact_list *list,
                            reha_plan_input *out, reha_error *err)
{
    static const char *const top[] = {"condition", "side"};
    char *const texts[] = {out->condition, out->side};
    const size_t sizes[] = {sizeof out->condition, sizeof out->side};
    int days = 0;
    const char *date = NULL;
    REHA_TRY(reha_place_string(root, json, "date", &date, err));
    if (!reha_date_days(date, date, &days)) {
        const reha_place at = reha_place_key(root, "date");
        return reha_place_fail(&at, err, "must be a date like 2026-05-01");
    }
    (void)snprintf(out->date, sizeof out->date, "%s", date);
    for (size_t i = 0; i < sizeof top / sizeof top[0]; i++) {
        const char *text = NULL;
        const reha_place at = reha_place_key(root, top[i]);
        const int index = reha_fact_find(list, top[i]);
        if (index < 0) {
            return reha_fail(err, REHA_E_FORMAT, "%s: the fact '%s' is missing", list->source.name, top[i]);
        }
        REHA_TRY(reha_fact_parse(&list->items[index], json_object_get(json, top[i]), &at,
                                 &out->facts.values[index], err));
        REHA_TRY(reha_place_string(root, json, top[i], &text, err));
        (void)snprintf(texts[i], sizes[i], "%s", text);
    }
    (void)snprintf(out->phase, sizeof out->phase, "%s", reha_json_string(json, "phase", ""));
    return REHA_OK;
}

reha_status reha_plan_input_read(const reha_source_text *source, const reha_fact_list *list,
                                 reha_plan_input *out, reha_error *err)
{
    static const char *const sections[] = {"person",    "symptoms", "function", "scores",
                                           "history",   "surgery",  "injury",   "comorbidity",
                                           "red_flags", "response", "image"};
    const json_t *json = source->json;
    const reha_place root = reha_place_root(source);
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < REHA_FACTS_MAX; i++) {
        out->facts.values[i] = (double)NAN;
    }
    REHA_TRY(reha_place_keys(
        &root, json,
        " schema patient_id date condition side phase person symptoms function scores history "
        "surgery injury comorbidity red_flags response image goals analyses ",
        err));
    if (strcmp(reha_json_string(json, "schema", ""), "rehascope/plan-input/1") != 0) {
        return reha_place_fail(&root, err, "schema must be rehascope/plan-input/1");
    }
    REHA_TRY(read_top(&root, json, list, out, err));
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        const json_t *section = json_object_get(json, sections[i]);
        if (section != NULL) {
            REHA_TRY(read_section(&root, sections[i], section, list, &out->facts, err));
        }
    }
    REHA_TRY(read_red_flags(&root, json_object_get(json, "red_flags"), list, &out->facts, err));
    REHA_TRY(derive_weeks(&root, json, "surgery", "weeks_since_surgery", list, out, err));
    REHA_TRY(derive_weeks(&root, json, "injury", "weeks_since_injury", list, out, err));
    REHA_TRY(read_goals(&root, json, list, out, err));
    REHA_TRY(read_analyses(&root, json, list, out, err));
    derive_all(list, &out->facts);
    return REHA_OK;
}

reha_status reha_plan_input_load(const char *path, const reha_fact_list *list, reha_plan_input *out,
                                 reha_error *err)
{
    reha_source_text source = {0};
    REHA_TRY(reha_source_load(path, &source, err));
    const reha_status status = reha_plan_input_read(&source, list, out, err);
    reha_source_clear(&source);
    return status;
}
