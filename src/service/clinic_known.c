/* What the record knows of a patient, for forms that are filled in before somebody types. */
#include "service/clinic_care_priv.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

void clinic_today(char out[CLINIC_DATE_BYTES])
{
    char now[REHA_TIMESTAMP_BYTES];
    reha_clock_timestamp(now);
    (void)snprintf(out, CLINIC_DATE_BYTES, "%.10s", now);
}

/* ---- The rule base ---- */

reha_status clinic_guideline(reha_guideline **out, reha_error *err)
{
    char *folder = NULL;
    *out = NULL;
    REHA_TRY(reha_guidelines_folder(&folder, err));
    const reha_status status = reha_guideline_load(folder, out, err);
    reha_free(folder);
    return status;
}

reha_status clinic_instruments(reha_scores **out, reha_error *err)
{
    char *folder = NULL;
    *out = NULL;
    REHA_TRY(reha_guidelines_folder(&folder, err));
    char *path = reha_path_join(folder, "scores.json");
    const reha_status status = path != NULL ? reha_scores_load(path, out, err)
                                            : reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    reha_free(path);
    reha_free(folder);
    return status;
}

/* ---- Reading ---- */

static reha_status find_episode(reha_clinic *clinic, const char *patient_id, const char *id, json_t **out,
                                reha_error *err)
{
    json_t *rows = NULL;
    const json_t *found = NULL;
    REHA_TRY(clinic_rows(clinic, REHA_SQL_EPISODES, REHA_BIND(reha_of_text(patient_id)), &rows, err));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *one = json_array_get(rows, i);
        const bool is_newer = strcmp(reha_json_string(one, "id", ""), reha_json_string(found, "id", "")) > 0;
        const bool fits = id != NULL ? strcmp(reha_json_string(one, "id", ""), id) == 0
                                     : json_is_true(json_object_get(one, "open")) && is_newer;
        found = fits ? one : found;
    }
    *out = json_incref((json_t *)found);
    json_decref(rows);
    return id == NULL || *out != NULL ? REHA_OK
                                      : reha_fail(err, REHA_E_NOT_FOUND, "the patient has no such episode");
}

static reha_status find_plan(reha_clinic *clinic, const char *patient_id, const char *id, json_t **out,
                             reha_error *err)
{
    json_t *rows = NULL;
    if (id != NULL) {
        return clinic_plan_read(clinic, patient_id, id, REHA_ANY_VERSION, out, err);
    }
    REHA_TRY(clinic_rows(clinic, REHA_SQL_PLANS, REHA_BIND(reha_of_text(patient_id)), &rows, err));
    for (size_t i = 0; i < json_array_size(rows) && *out == NULL; i++) {
        if (clinic_plan_is_ours(json_object_get(json_array_get(rows, i), "content"))) {
            *out = json_incref(json_array_get(rows, i));
        }
    }
    json_decref(rows);
    return REHA_OK;
}

reha_status clinic_known_read(reha_clinic *clinic, const char *patient_id, const char *episode_id,
                              const char *plan_id, clinic_known *out, reha_error *err)
{
    reha_status status = REHA_OK;
    *out = (clinic_known){.patient = NULL};
    clinic_today(out->today);
    REHA_CHECK(clinic_row(clinic, REHA_SQL_PATIENT, REHA_BIND(reha_of_int(0), reha_of_text(patient_id)),
                          "patient", &out->patient, err));
    REHA_CHECK(find_episode(clinic, patient_id, episode_id, &out->episode, err));
    REHA_CHECK(clinic_rows(clinic, REHA_SQL_SERIES_MEASUREMENTS, REHA_BIND(reha_of_text(patient_id)),
                           &out->measurements, err));
    REHA_CHECK(clinic_rows(clinic, REHA_SQL_SCORES, REHA_BIND(reha_of_text(patient_id)), &out->scores, err));
    REHA_CHECK(find_plan(clinic, patient_id, plan_id, &out->plan, err));
done:
    if (status != REHA_OK) {
        clinic_known_clear(out);
    }
    return status;
}

void clinic_known_clear(clinic_known *known)
{
    json_decref(known->patient);
    json_decref(known->episode);
    json_decref(known->measurements);
    json_decref(known->scores);
    json_decref(known->plan);
    *known = (clinic_known){.patient = NULL};
}

/* ---- Looking up ---- */

/* A row of no side fits every side, and a plan of no side takes every row. */
static bool fits_side(const json_t *row, const char *side)
{
    const char *own = reha_json_string(row, "side", "unknown");
    return strcmp(own, "unknown") == 0 || strcmp(own, "both") == 0 || strcmp(side, "none") == 0 ||
           strcmp(side, "both") == 0 || strcmp(own, side) == 0;
}

const json_t *clinic_known_measure(const clinic_known *known, const char *finding, const char *side)
{
    for (size_t i = json_array_size(known->measurements); i-- > 0;) {
        const json_t *row = json_array_get(known->measurements, i);
        if (strcmp(reha_json_string(row, "key", ""), finding) == 0 && fits_side(row, side) &&
            strcmp(reha_json_string(row, "decision", ""), "reject") != 0) {
            return row;
        }
    }
    return NULL;
}

const json_t *clinic_known_beside(const clinic_known *known, const json_t *measurement, const char *side,
                                  size_t *next)
{
    while (*next < json_array_size(known->measurements)) {
        const json_t *row = json_array_get(known->measurements, (*next)++);
        if (strcmp(reha_json_string(row, "key", ""), reha_json_string(measurement, "key", "")) == 0 &&
            strcmp(reha_json_string(row, "study_id", ""), reha_json_string(measurement, "study_id", "")) ==
                0 &&
            fits_side(row, side) && strcmp(reha_json_string(row, "decision", ""), "reject") != 0) {
            return row;
        }
    }
    return NULL;
}

bool clinic_known_is_ambiguous(const clinic_known *known, const json_t *measurement)
{
    size_t next = 0;
    int count = 0;
    const char *side = reha_json_string(measurement, "side", "unknown");
    while (clinic_known_beside(known, measurement, "none", &next) != NULL) {
        count++;
    }
    return count > 1 && strcmp(side, "unknown") == 0;
}

reha_status clinic_known_finding(reha_clinic *clinic, const json_t *measurement, json_t **out,
                                 reha_error *err)
{
    json_t *result = NULL;
    const char *key = reha_json_string(measurement, "key", "");
    const size_t region_idx = (size_t)reha_json_number(measurement, "region", 0.0);
    *out = NULL;
    reha_store *store = clinic_read(clinic);
    const reha_status status =
        clinic_result_read(store, reha_json_string(measurement, "result_id", ""), &result, err);
    clinic_read_end(clinic, store);
    REHA_TRY(status);
    const json_t *regions = json_object_get(json_object_get(result, "analysis"), "regions");
    const json_t *findings = json_object_get(json_array_get(regions, region_idx), "findings");
    for (size_t i = 0; i < json_array_size(findings) && *out == NULL; i++) {
        if (strcmp(reha_json_string(json_array_get(findings, i), "key", ""), key) == 0) {
            *out = json_deep_copy(json_array_get(findings, i));
        }
    }
    json_decref(result);
    json_t *grading = json_object_get(*out, "grading");
    if (json_is_object(grading) && strcmp(reha_json_string(measurement, "origin", ""), "human") == 0) {
        (void)json_object_set(grading, "grade", json_object_get(measurement, "value"));
    }
    return REHA_OK;
}

const json_t *clinic_known_score(const clinic_known *known, const char *instrument, const char *side)
{
    for (size_t i = json_array_size(known->scores); i-- > 0;) {
        const json_t *row = json_array_get(known->scores, i);
        if (strcmp(reha_json_string(row, "instrument", ""), instrument) == 0 && fits_side(row, side) &&
            json_is_null(json_object_get(row, "withdrawn_reason"))) {
            return row;
        }
    }
    return NULL;
}

const char *clinic_known_side(const clinic_known *known, const char *side)
{
    return side != NULL ? side : reha_json_string(known->episode, "side", "none");
}
