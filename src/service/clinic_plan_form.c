/* The form of facts for a plan: every fact of guidelines/facts.json with what the record knows of it, and for
 * which conditions it counts. A new fact or condition needs no code here. */
#include "rehab/plan.h"
#include "service/clinic_care_priv.h"

#include "base/memory.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What changes from week to week is not taken over when it is older than this; it is shown beside the field.
 */
enum { RECENT_DAYS = 28, DAYS_PER_WEEK = 7, TEXT_BYTES = 160, TITLE_BYTES = 200 };

typedef struct filler {
    reha_clinic *clinic;
    const reha_guideline *guideline;
    const clinic_known *known;
    const char *side;
    const json_t *input; /* of the last plan; NULL: none */
    const char *plan_date;
    int this_year;
} filler;

/* ---- What is known of one fact ---- */

static void put_known(json_t *to, json_t *value, const char *from) /* steals */
{
    (void)json_object_set_new(to, "value", value);
    (void)json_object_set_new(to, "from", reha_json_text(from));
}

/* Known, but not of now: shown, not filled in. */
static void put_last(json_t *to, json_t *value, const char *from) /* steals */
{
    (void)json_object_set_new(to, "last", value);
    (void)json_object_set_new(to, "last_from", reha_json_text(from));
}

static bool fill_person(const filler *f, const reha_fact *fact, json_t *to)
{
    char text[TEXT_BYTES];
    const double birth_year = reha_json_number(f->known->patient, "birth_year", (double)NAN);
    const char *sex = reha_json_string(f->known->patient, "sex", "");
    if (strcmp(fact->name, "age_years") == 0 && isfinite(birth_year)) {
        (void)snprintf(text, sizeof text, "born %.0f: correct it by one if the birthday is still to come",
                       birth_year);
        put_known(to, json_integer(f->this_year - (json_int_t)birth_year), text);
        return true;
    }
    if (strcmp(fact->name, "sex") == 0 && sex[0] != '\0') {
        put_known(to,
                  json_string(sex[0] == 'f'   ? "female"
                              : sex[0] == 'm' ? "male"
                                              : "other"),
                  "the patient's record");
        return true;
    }
    return false;
}

static bool fill_episode(const filler *f, const reha_fact *fact, json_t *to)
{
    int days = 0;
    char text[TEXT_BYTES];
    const char *onset = reha_json_string(f->known->episode, "onset", "");
    const char *surgery = reha_json_string(f->known->episode, "surgery", "");
    if (strcmp(fact->name, "weeks_of_symptoms") == 0 && reha_date_days(onset, f->known->today, &days) &&
        days >= 0) {
        (void)snprintf(text, sizeof text, "the episode began on %s", onset);
        put_known(to, json_integer(days / DAYS_PER_WEEK), text);
        return true;
    }
    for (int i = 0; strcmp(fact->name, "procedure") == 0 && surgery[0] != '\0' && i < fact->choice_count;
         i++) {
        size_t k = 0; /* "Total knee replacement" is total-knee-replacement */
        const char *choice = fact->choices[i];
        while (choice[k] != '\0' && (choice[k] == '-' ? surgery[k] == ' ' || surgery[k] == '-'
                                                      : tolower((unsigned char)surgery[k]) == choice[k])) {
            k++;
        }
        if (choice[k] == '\0' && surgery[k] == '\0') {
            put_known(to, json_string(choice), "surgery of the episode");
            return true;
        }
    }
    return false;
}

static bool is_recent(const filler *f, const char *date)
{
    int days = 0;
    return reha_date_days(date, f->known->today, &days) && days <= RECENT_DAYS;
}

static bool fill_score(const filler *f, const reha_fact *fact, json_t *to)
{
    char text[TEXT_BYTES];
    const json_t *row =
        fact->instrument != NULL ? clinic_known_score(f->known, fact->instrument, f->side) : NULL;
    const double value = reha_json_number(row, "value", (double)NAN);
    const char *date = reha_json_string(row, "date", "");
    if (!(value >= fact->low && value <= fact->high)) {
        return false;
    }
    (void)snprintf(text, sizeof text, "score of %s", date);
    if (!is_recent(f, date)) {
        put_last(to, json_real(value), text);
        return false;
    }
    put_known(to, json_real(value), text);
    return true;
}

/* A picture's facts are never filled in: the analysis is handed to the rules with its own provenance, and
 * what a clinician types outranks it. */
static bool fill_image(const filler *f, const reha_fact *fact, json_t *to)
{
    char text[TEXT_BYTES];
    char seen[TEXT_BYTES];
    json_t *finding = NULL;
    const json_t *row = fact->finding != NULL ? clinic_known_measure(f->known, fact->finding, f->side) : NULL;
    if (row == NULL || clinic_known_finding(f->clinic, row, &finding, NULL) != REHA_OK || finding == NULL) {
        return false;
    }
    const double probability = reha_json_number(finding, "probability", (double)NAN);
    const double grade = reha_json_number(json_object_get(finding, "grading"), "grade", (double)NAN);
    if (isfinite(grade) || isnan(probability)) {
        (void)snprintf(seen, sizeof seen, "%.3g",
                       isfinite(grade) ? grade : reha_json_number(row, "value", (double)NAN));
    } else {
        (void)snprintf(seen, sizeof seen, "%.0f %%", 100.0 * probability);
    }
    json_decref(finding);
    const char *decision = reha_json_string(row, "decision", "");
    (void)snprintf(
        text, sizeof text, "image of %s%s, %s", reha_json_string(row, "date", ""),
        clinic_known_is_ambiguous(f->known, row) ? " (several joints, sides unknown: the worse counts)" : "",
        json_is_true(json_object_get(row, "signed")) ? "signed"
        : decision[0] != '\0'                        ? "reviewed, not signed"
                                                     : "not reviewed");
    (void)json_object_set_new(to, "seen", json_string(seen));
    (void)json_object_set_new(to, "seen_from", reha_json_text(text));
    return false;
}

/* What was said at the last plan: what stays so is taken over, what changes is shown; red flags and the
 * response are asked anew every time. */
static void fill_last(const filler *f, const reha_fact *fact, json_t *to)
{
    char text[TEXT_BYTES];
    const bool stays = fact->origin == REHA_FACT_PERSON || fact->origin == REHA_FACT_HISTORY ||
                       strcmp(fact->section, "comorbidity") == 0;
    const bool is_time = strstr(fact->name, "weeks_") != NULL; /* has gone on since */
    json_t *value = json_object_get(json_object_get(f->input, fact->section), fact->name);
    if (value == NULL || json_is_null(value) || is_time || fact->origin == REHA_FACT_RED_FLAG ||
        fact->origin == REHA_FACT_RESPONSE || fact->origin == REHA_FACT_IMAGE) {
        return;
    }
    (void)snprintf(text, sizeof text, "plan of %s", f->plan_date);
    if (stays && json_object_get(to, "value") == NULL) {
        put_known(to, json_incref(value), text);
    } else if (!stays && json_object_get(to, "value") == NULL && json_object_get(to, "last") == NULL) {
        put_last(to, json_incref(value), text);
    }
}

/* ---- The form ---- */

/* The conditions whose plans can hang on the fact; null: all. */
static json_t *concerned(const filler *f, unsigned char (*sets)[REHA_FACTS_MAX], size_t index)
{
    json_t *list = json_array();
    bool is_all = true;
    for (size_t p = 0; p < f->guideline->programme_count; p++) {
        const char *condition = f->guideline->programmes[p].condition;
        if (condition != NULL && sets[p][index] != 0) {
            (void)json_array_append_new(list, json_string(condition));
        }
        is_all = is_all && (condition == NULL || sets[p][index] != 0);
    }
    if (is_all) {
        json_decref(list);
        return json_null();
    }
    return list;
}

static json_t *fact_json(const filler *f, const reha_fact *fact, json_t *conditions)
{
    static const char *const types[] = {"number", "bool", "choice"};
    json_t *to =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "fact", fact->name, "label", fact->label, "unit",
                  fact->unit, "section", fact->section, "type", types[fact->type], "conditions", conditions);
    if (fact->type == REHA_FACT_NUMBER) {
        (void)json_object_set_new(to, "low", json_real(fact->low));
        (void)json_object_set_new(to, "high", json_real(fact->high));
    }
    if (fact->type == REHA_FACT_CHOICE) {
        json_t *choices = json_array();
        for (int i = 0; i < fact->choice_count; i++) {
            (void)json_array_append_new(choices, json_string(fact->choices[i]));
        }
        (void)json_object_set_new(to, "choices", choices);
    }
    if (!fill_person(f, fact, to) && !fill_episode(f, fact, to) && !fill_score(f, fact, to) &&
        !fill_image(f, fact, to)) {
        fill_last(f, fact, to);
    }
    return to;
}

static json_t *facts_json(const filler *f, reha_error *err)
{
    const reha_guideline *g = f->guideline;
    json_t *list = json_array();
    unsigned char(*sets)[REHA_FACTS_MAX] = reha_alloc_zero(g->programme_count + 1, sizeof *sets);
    if (sets == NULL || list == NULL) {
        reha_free(sets);
        json_decref(list);
        (void)reha_fail(err, REHA_E_NOMEM, "out of memory for a form");
        return NULL;
    }
    for (size_t p = 0; p < g->programme_count; p++) {
        reha_guideline_facts(g, (int)p, sets[p]);
    }
    for (size_t i = 0; i < g->facts.count; i++) {
        if (g->facts.items[i].section[0] != '\0') { /* the others are derived, or stand at the top */
            (void)json_array_append_new(list, fact_json(f, &g->facts.items[i], concerned(f, sets, i)));
        }
    }
    reha_free(sets);
    return list;
}

static json_t *conditions_json(const reha_guideline *g)
{
    json_t *list = json_array();
    for (size_t p = 0; p < g->programme_count; p++) {
        json_t *phases = json_array();
        for (int i = 0; i < g->programmes[p].phase_count; i++) {
            (void)json_array_append_new(phases, json_pack("{s:s, s:s}", "id", g->programmes[p].phases[i].id,
                                                          "title", g->programmes[p].phases[i].title));
        }
        if (g->programmes[p].condition == NULL) {
            json_decref(phases);
            continue;
        }
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "id", g->programmes[p].condition,
                                                    "title", g->programmes[p].title, "phases", phases));
    }
    return list;
}

static void lower(const char *text, char out[TITLE_BYTES])
{
    size_t i = 0;
    for (; text[i] != '\0' && i + 1 < TITLE_BYTES; i++) {
        out[i] = text[i] == '-' ? ' ' : (char)tolower((unsigned char)text[i]);
    }
    out[i] = '\0';
}

/* The one condition whose title or name stands in the episode's words; NULL if there is none, or more than
 * one. */
static const char *condition_of(const filler *f)
{
    const char *found = NULL;
    char words[TITLE_BYTES];
    lower(reha_json_string(f->known->episode, "condition", ""), words);
    for (size_t p = 0; words[0] != '\0' && p < f->guideline->programme_count; p++) {
        char title[TITLE_BYTES];
        char name[TITLE_BYTES];
        const char *condition = f->guideline->programmes[p].condition;
        if (condition == NULL) {
            continue;
        }
        lower(f->guideline->programmes[p].title, title);
        lower(condition, name);
        if (strstr(words, title) != NULL || strstr(words, name) != NULL) {
            if (found != NULL) {
                return NULL;
            }
            found = condition;
        }
    }
    return found;
}

/* The patient's activities are the same, how well they go is asked anew. */
static json_t *goals_json(const filler *f)
{
    json_t *list = json_array();
    const json_t *goals = json_object_get(f->input, "goals");
    for (size_t i = 0; i < json_array_size(goals); i++) {
        const json_t *goal = json_array_get(goals, i);
        json_t *last = json_object_get(goal, "psfs");
        (void)json_array_append_new(
            list, json_pack("{s:s, s:O?}", "activity", reha_json_string(goal, "activity", ""), "last", last));
    }
    return list;
}

static json_t *exercises_json(const reha_guideline *g)
{
    json_t *list = json_array();
    for (size_t i = 0; i < g->exercise_count; i++) {
        (void)json_array_append_new(
            list, json_pack("{s:s, s:s}", "id", g->exercises[i].id, "title", g->exercises[i].title));
    }
    return list;
}

static reha_status write_form(const filler *f, json_t **out, reha_error *err)
{
    json_t *facts = facts_json(f, err);
    const json_t *plan = json_object_get(f->known->plan, "content");
    const char *condition = reha_json_string(plan, "condition", condition_of(f));
    if (facts == NULL) {
        return REHA_E_NOMEM;
    }
    *out = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s?, s:s, s:s?, s:s?}", "schema",
                     "rehascope/plan-form/1", "date", f->known->today, "conditions",
                     conditions_json(f->guideline), "facts", facts, "goals", goals_json(f), "exercises",
                     exercises_json(f->guideline), "condition", condition, "side", f->side, "surgery_date",
                     reha_json_string(f->known->episode, "surgery_date",
                                      reha_json_string(json_object_get(f->input, "surgery"), "date", NULL)),
                     "injury_date", reha_json_string(json_object_get(f->input, "injury"), "date", NULL));
    if (*out == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a form");
    }
    (void)json_object_set_new(
        *out, "previous",
        plan == NULL
            ? json_null()
            : json_pack("{s:s, s:O, s:s, s:s, s:s}", "id", reha_json_string(f->known->plan, "id", ""),
                        "version", json_object_get(f->known->plan, "version"), "date", f->plan_date,
                        "condition", reha_json_string(plan, "condition", ""), "side",
                        reha_json_string(plan, "side", "none")));
    return REHA_OK;
}

reha_status reha_clinic_plan_form(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                                  const char *episode_id, const char *plan_id, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_guideline *guideline = NULL;
    clinic_known known = {.patient = NULL};
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_CARE, err));
    REHA_CHECK(clinic_known_read(clinic, patient_id, episode_id, plan_id, &known, err));
    REHA_CHECK(clinic_guideline(&guideline, err));
    const json_t *plan = json_object_get(known.plan, "content");
    if (plan != NULL && !clinic_plan_is_ours(plan)) {
        status = reha_fail(err, REHA_E_CONFLICT, "this plan came from elsewhere: begin a new one");
        goto done;
    }
    filler f = {.clinic = clinic,
                .guideline = guideline,
                .known = &known,
                .input = json_object_get(plan, "input"),
                .plan_date = reha_json_string(plan, "date", "")};
    f.side = clinic_known_side(&known, reha_json_string(plan, "side", NULL));
    f.this_year = (int)strtol(known.today, NULL, 10);
    REHA_CHECK(write_form(&f, out, err));
done:
    clinic_known_clear(&known);
    reha_guideline_free(guideline);
    return status;
}
