/* Predictions of the clinic: the model's own questions filled in from the record, run, and kept. */
#include "service/clinic_care_priv.h"
#include "service/outcome_form.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 160, NAME_BYTES = 60 };
static const double DAYS_PER_YEAR = 365.25;

/* ---- What the record knows of a question ---- */

static bool has_level(const json_t *input, const char *level)
{
    const json_t *levels = json_object_get(input, "levels");
    for (size_t i = 0; i < json_array_size(levels); i++) {
        if (strcmp(reha_json_string(json_array_get(levels, i), "level", ""), level) == 0) {
            return true;
        }
    }
    return false;
}

static void put_level(json_t *input, const char *level, const char *from)
{
    if (has_level(input, level)) {
        (void)json_object_set_new(input, "value", json_string(level));
        (void)json_object_set_new(input, "from", reha_json_text(from));
    }
}

static const char *band_of(const json_t *input, int years)
{
    const json_t *levels = json_object_get(input, "levels");
    for (size_t i = 0; i < json_array_size(levels); i++) {
        const char *level = reha_json_string(json_array_get(levels, i), "level", "");
        int low = 0;
        int high = 0;
        if (sscanf(level, "%d to %d", &low, &high) == 2 && years >= low && years <= high) {
            return level;
        }
    }
    return NULL;
}

/* The record knows the year of birth only: around a birthday between two bands nothing is filled in. */
static void fill_age(const clinic_known *known, json_t *input)
{
    char text[TEXT_BYTES];
    const double born = reha_json_number(known->patient, "birth_year", (double)NAN);
    if (isnan(born)) {
        return;
    }
    const int oldest = (int)strtol(known->today, NULL, 10) - (int)born;
    const char *band = band_of(input, oldest);
    const char *other = band_of(input, oldest - 1);
    (void)snprintf(text, sizeof text, "born %.0f", born);
    if (band != NULL && other != NULL && strcmp(band, other) == 0) {
        put_level(input, band, text);
    } else {
        (void)snprintf(text, sizeof text, "born %.0f: %d or %d years old, choose", born, oldest - 1, oldest);
        (void)json_object_set_new(input, "from", json_string(text));
    }
}

static void fill_sex(const clinic_known *known, json_t *input)
{
    const char *sex = reha_json_string(known->patient, "sex", "");
    put_level(input, sex[0] == 'f' ? "female" : sex[0] == 'm' ? "male" : "", "the patient's record");
}

static void fill_period(const clinic_known *known, json_t *input)
{
    int days = 0;
    char text[TEXT_BYTES];
    const char *onset = reha_json_string(known->episode, "onset", "");
    if (!reha_date_days(onset, known->today, &days) || days < 0) {
        return;
    }
    const int years = (int)(days / DAYS_PER_YEAR);
    (void)snprintf(text, sizeof text, "the episode began on %s", onset);
    put_level(input,
              years < 1    ? "under 1 year"
              : years <= 5 ? "1 to 5 years"
              : years < 10 ? "6 to 10 years"
                           : "over 10 years",
              text);
}

/* An illness of the last plan's facts that bears the same name. */
static void fill_illness(const clinic_known *known, const char *key, json_t *input)
{
    char text[TEXT_BYTES];
    const json_t *plan = json_object_get(known->plan, "content");
    const json_t *facts = json_object_get(json_object_get(plan, "input"), "comorbidity");
    const json_t *fact = json_object_get(facts, key);
    if (json_is_boolean(fact)) {
        (void)snprintf(text, sizeof text, "plan of %s", reha_json_string(plan, "date", ""));
        put_level(input, json_is_true(fact) ? "yes" : "no", text);
    }
}

/* Two grades of one finding: the one that a reader stands for, only after a decision on it; and the one that
 * the analysis expects, as it was measured. */
static void fill_grades(const json_t *row, const json_t *grading, bool is_reader, json_t *input)
{
    char text[TEXT_BYTES];
    const bool is_decided = json_is_string(json_object_get(row, "decision"));
    json_t *value = json_object_get(grading, is_reader ? "grade" : "expected_grade");
    (void)snprintf(text, sizeof text, "image of %s%s", reha_json_string(row, "date", ""),
                   !is_reader   ? ", as measured"
                   : is_decided ? ", reviewed"
                                : ": the software's grade is not reviewed yet; give your own");
    if (json_is_number(value) && (!is_reader || is_decided)) {
        (void)json_object_set(input, "value", value);
    }
    (void)json_object_set_new(input, "from", reha_json_text(text));
}

static reha_status fill_grade(reha_clinic *clinic, const clinic_known *known, bool is_reader, json_t *input,
                              reha_error *err)
{
    json_t *finding = NULL;
    const json_t *row = clinic_known_measure(known, "kl-grade", clinic_known_side(known, NULL));
    if (row == NULL) {
        return REHA_OK;
    }
    if (clinic_known_is_ambiguous(known, row)) {
        (void)json_object_set_new(input, "from",
                                  json_string("several joints of unknown side on the newest image: choose"));
        return REHA_OK;
    }
    REHA_TRY(clinic_known_finding(clinic, row, &finding, err));
    if (finding != NULL) {
        fill_grades(row, json_object_get(finding, "grading"), is_reader, input);
    }
    json_decref(finding);
    return REHA_OK;
}

static reha_status fill(reha_clinic *clinic, const clinic_known *known, json_t *input, reha_error *err)
{
    static const struct {
        const char *key;
        void (*fill)(const clinic_known *known, json_t *input);
    } ways[] = {{"age_band", fill_age}, {"sex", fill_sex}, {"symptom_period", fill_period}};
    const char *key = reha_json_string(input, "key", "");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (strcmp(ways[i].key, key) == 0) {
            ways[i].fill(known, input);
            return REHA_OK;
        }
    }
    if (strcmp(key, "kl") == 0 || strcmp(key, "expected_grade") == 0) {
        return fill_grade(clinic, known, strcmp(key, "kl") == 0, input, err);
    }
    fill_illness(known, key, input);
    return REHA_OK;
}

/* ---- The use cases ---- */

reha_status reha_clinic_prediction_form(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                                        const char *outcome, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    clinic_known known = {.patient = NULL};
    size_t i = 0;
    json_t *input = NULL;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_CARE, err));
    REHA_CHECK(clinic_known_read(clinic, patient_id, NULL, NULL, &known, err));
    REHA_CHECK(reha_outcome_form(clinic->models_folder, outcome, out, err));
    json_array_foreach(json_object_get(*out, "inputs"), i, input)
    {
        REHA_CHECK(fill(clinic, &known, input, err));
    }
done:
    if (status != REHA_OK) {
        json_decref(*out);
        *out = NULL;
    }
    clinic_known_clear(&known);
    return status;
}

reha_status reha_clinic_prediction_make(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                                        const json_t *in, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *patient = NULL;
    json_t *content = NULL;
    clinic_prediction made = {.patient_id = patient_id};
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_CARE, err));
    REHA_TRY(clinic_check_members(in, "outcome input episode_id", err));
    REHA_TRY(clinic_text(in, "outcome", true, NAME_BYTES, &made.outcome, err));
    REHA_TRY(clinic_text(in, "episode_id", false, REHA_ID_BYTES, &made.episode_id, err));
    REHA_TRY(clinic_row(clinic, REHA_SQL_PATIENT, REHA_BIND(reha_of_int(0), reha_of_text(patient_id)),
                        "patient", &patient, err));
    json_decref(patient);
    status = reha_outcome_run_named(clinic->models_folder, made.outcome, json_object_get(in, "input"),
                                    &content, err);
    if (status == REHA_E_FORMAT) { /* of the form, not of a file */
        const reha_error fault = err != NULL ? *err : (reha_error)REHA_ERROR_INIT;
        status = reha_fail(err, REHA_E_ARG, "%s", fault.text);
    }
    REHA_CHECK(status);
    const json_t *model = json_object_get(content, "model");
    (void)json_object_set(content, "input", json_object_get(in, "input"));
    made.content = content;
    made.model = reha_json_string(model, "name", NULL);
    made.model_hash = reha_json_string(model, "hash", NULL);
    REHA_CHECK(clinic_prediction_store(clinic, actor, &made, out, err));
done:
    json_decref(content);
    return status;
}
