#include "service/compare.h"

#include "base/file.h"
#include "base/memory.h"
#include "recognition/finding.h"
#include "recognition/finding_text.h"
#include "service/compare_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static reha_status judge(const reha_compare_options *options, reha_comparison *out, reha_error *err)
{
    reha_visit visits[2];
    const reha_film_options how = {.is_setup_stated = options->is_setup_stated, .setting = options->setting};
    for (int i = 0; i < 2; i++) {
        const reha_compare_visit *from = &out->visits[i];
        visits[i] = (reha_visit){from->analysis, from->patient, from->date, from->digest, from->position};
    }
    return reha_films_compare(&visits[0], &visits[1], out->scores, &how, &out->films, err);
}

static reha_status check_dates(const reha_compare_options *options, reha_error *err)
{
    for (int i = 0; i < 2; i++) {
        if (options->dates[i] != NULL && isnan(reha_days_between(options->dates[i], options->dates[i]))) {
            return reha_fail(err, REHA_E_ARG, "'%.40s' is no date: write it as 2026-01-31",
                             options->dates[i]);
        }
    }
    return REHA_OK;
}

reha_status reha_compare(const char *before, const char *after, const reha_compare_options *options,
                         reha_comparison **out, reha_error *err)
{
    reha_status status = REHA_OK;
    const char *const paths[2] = {before, after};
    *out = NULL;
    REHA_TRY(check_dates(options, err));
    reha_comparison *comparison = reha_alloc_zero(1, sizeof *comparison);
    char *table = reha_path_join(options->guidelines_folder, "scores.json");
    if (comparison == NULL || table == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a comparison");
        goto done;
    }
    REHA_CHECK(reha_scores_load(table, &comparison->scores, err));
    REHA_CHECK(reha_compare_load_(paths, options, comparison, err));
    REHA_CHECK(judge(options, comparison, err));
    if (options->with_pictures && !comparison->films.is_refused) {
        REHA_CHECK(reha_compare_register_(options, comparison, err));
    }
    *out = comparison;
    comparison = NULL;
done:
    reha_free(table);
    reha_comparison_free(comparison);
    return status;
}

void reha_comparison_free(reha_comparison *comparison)
{
    if (comparison == NULL) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        reha_free(comparison->visits[i].path);
        json_decref(comparison->visits[i].analysis);
        reha_gray_free(comparison->visits[i].image);
    }
    for (int i = 0; i < REHA_PAIRS_MAX; i++) {
        reha_gray_free(comparison->pictures[i].before);
        reha_gray_free(comparison->pictures[i].after);
        reha_gray_free(comparison->pictures[i].difference);
    }
    reha_scores_free(comparison->scores);
    reha_free(comparison);
}

/* ---- words ---- */

static void set_text(const int set[2], char *out, size_t out_bytes)
{
    if (set[0] < 0) {
        (void)snprintf(out, out_bytes, "no set");
    } else if (set[0] == set[1]) {
        (void)snprintf(out, out_bytes, "set %d", set[0]);
    } else {
        (void)snprintf(out, out_bytes, "set %d to %d", set[0], set[1]);
    }
}

void reha_compared_text(const reha_compared *measure, char *out, size_t out_bytes)
{
    const reha_change *change = &measure->change;
    const int digits = strcmp(measure->unit, "1") == 0 ? 4 : 2;
    const char *unit = strcmp(measure->unit, "1") == 0 ? "of plateau width" : reha_unit_text(measure->unit);
    if (strcmp(measure->unit, "{grade}") == 0) {
        char first[24];
        char second[24];
        set_text(measure->set_before, first, sizeof first);
        set_text(measure->set_after, second, sizeof second);
        (void)snprintf(out, out_bytes, "%d (%s) → %d (%s)", measure->grade_before, first,
                       measure->grade_after, second);
    } else if (isnan(change->difference)) {
        (void)snprintf(out, out_bytes, "not measured in both");
    } else if (isnan(change->sdc)) {
        (void)snprintf(out, out_bytes, "%.*f → %.*f %s, %+.*f (measurement error not known)", digits,
                       change->before, digits, change->after, unit, digits, change->difference);
    } else {
        (void)snprintf(out, out_bytes, "%.*f → %.*f %s, %+.*f (smallest detectable %.*f)", digits,
                       change->before, digits, change->after, unit, digits, change->difference, digits,
                       change->sdc);
    }
}

void reha_registration_text(const reha_joint_pictures *pictures, char *out, size_t out_bytes)
{
    const reha_registration *at = &pictures->registration;
    char mm[32] = "";
    out[0] = '\0';
    if (pictures->after == NULL) {
        return;
    }
    if (isfinite(at->residual_mm)) {
        (void)snprintf(mm, sizeof mm, " = %.2f mm", at->residual_mm);
    }
    (void)snprintf(out, out_bytes, "laid over each other by %s, residual %.1f px%s%s",
                   pictures->is_by_landmarks ? "the landmarks of the tibia" : "mutual information",
                   at->residual_px, mm,
                   at->is_reliable ? "" : ": NOT RELIABLE, do not judge by the difference picture");
}

/* ---- JSON ---- */

static json_t *visit_json(const reha_compare_visit *visit)
{
    json_t *model = json_object_get(visit->analysis, "model");
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "file", reha_json_text(reha_path_name(visit->path)),
                     "sha256", visit->digest[0] != '\0' ? json_string(visit->digest) : json_null(), "date",
                     visit->date[0] != '\0' ? json_string(visit->date) : json_null(), "model",
                     model != NULL ? json_incref(model) : json_null(), "image_at_hand",
                     json_boolean(visit->image != NULL));
}

json_t *reha_compare_registration_json_(const reha_joint_pictures *pictures)
{
    const reha_registration *at = &pictures->registration;
    const reha_affine *map = &pictures->before_to_after;
    if (pictures->after == NULL) {
        return json_null();
    }
    return json_pack("{s:s, s:o, s:o, s:b, s:o, s:o, s:[o, o, o, o, o, o]}", "by",
                     pictures->is_by_landmarks ? "landmarks" : "intensity", "residual_px",
                     reha_json_real(at->residual_px), "residual_mm", reha_json_real(at->residual_mm),
                     "reliable", at->is_reliable, "mutual_information", reha_json_real(at->information),
                     "overlap", reha_json_real(at->overlap), "before_to_after", reha_json_real(map->a),
                     reha_json_real(map->b), reha_json_real(map->c), reha_json_real(map->d),
                     reha_json_real(map->e), reha_json_real(map->f));
}

reha_status reha_comparison_to_json(const reha_comparison *comparison, json_t **out, reha_error *err)
{
    json_t *judged = reha_films_to_json(&comparison->films);
    *out = json_pack("{s:s, s:s, s:[o, o], s:b}", "schema", "rehascope/comparison/1", "software",
                     "rehascope " REHA_VERSION, "visits", visit_json(&comparison->visits[0]),
                     visit_json(&comparison->visits[1]), "reviewed", 0);
    json_t *joints = json_object_get(judged, "joints");
    for (size_t i = 0; i < json_array_size(joints); i++) {
        (void)json_object_set_new(json_array_get(joints, i), "registration",
                                  reha_compare_registration_json_(&comparison->pictures[i]));
    }
    if (*out == NULL || judged == NULL || json_object_update(*out, judged) != 0) {
        json_decref(judged);
        json_decref(*out);
        *out = NULL;
        return reha_fail(err, REHA_E_NOMEM, "the comparison cannot be written as JSON");
    }
    json_decref(judged);
    return REHA_OK;
}
