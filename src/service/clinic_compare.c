/* Two images of one patient in the records: what has really changed, and how one lies over the other. */
#include "service/clinic_priv.h"

#include "base/file.h"
#include "base/memory.h"
#include "rehab/change_films.h"
#include "rehab/guideline.h"

#include <stdio.h>
#include <string.h>

typedef struct side {               /* one of the two images, as the records have it */
    json_t *image, *study, *result; /* owned */
    json_t *standing;               /* owned; rows of the results that stand */
    uint8_t *bytes;                 /* owned */
    size_t count;
} side;

static const char *patient_of(const side *at)
{
    return reha_json_string(json_object_get(at->study, "patient"), "id", "");
}

static reha_status read_side(reha_store *store, const reha_actor *actor, const char *image_id, side *out,
                             reha_error *err)
{
    reha_status status =
        reha_store_row(store, REHA_SQL_IMAGE, REHA_BIND(reha_of_text(image_id)), &out->image, err);
    if (status == REHA_E_NOT_FOUND) {
        return reha_fail(err, status, "no such image");
    }
    REHA_TRY(status);
    REHA_TRY(reha_store_row(
        store, REHA_SQL_STUDY,
        REHA_BIND(clinic_identity(actor), reha_of_text(reha_json_string(out->image, "study_id", ""))),
        &out->study, err));
    REHA_TRY(
        reha_store_rows(store, REHA_SQL_RESULTS, REHA_BIND(reha_of_text(image_id)), &out->standing, err));
    return json_array_size(out->standing) > 0
               ? REHA_OK
               : reha_fail(
                     err, REHA_E_CONFLICT,
                     "an image without a result that stands cannot be compared: wait for its analysis, or ask for one");
}

static const json_t *find_task(const json_t *rows, const char *task)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        if (strcmp(reha_json_string(json_array_get(rows, i), "task", ""), task) == 0) {
            return json_array_get(rows, i);
        }
    }
    return NULL;
}

/* Two results of one task: of those that the program chose by itself, else of any. Where there are none, the
 * first of each, and the judgement says why they cannot be compared. */
static void choose_rows(const side sides[2], const json_t *rows[2])
{
    rows[0] = json_array_get(sides[0].standing, 0);
    rows[1] = json_array_get(sides[1].standing, 0);
    for (int asked = 0; asked <= 1; asked++) {
        for (size_t i = 0; i < json_array_size(sides[0].standing); i++) {
            const json_t *row = json_array_get(sides[0].standing, i);
            const json_t *other = find_task(sides[1].standing, reha_json_string(row, "task", ""));
            if (other != NULL && (asked == 1 || reha_json_number(row, "asked", 0.0) == 0.0)) {
                rows[0] = row;
                rows[1] = other;
                return;
            }
        }
    }
}

static reha_status read_sides(reha_store *store, const reha_actor *actor, const char *const ids[2],
                              side sides[2], reha_error *err)
{
    const json_t *rows[2];
    REHA_TRY(read_side(store, actor, ids[0], &sides[0], err));
    REHA_TRY(read_side(store, actor, ids[1], &sides[1], err));
    choose_rows(sides, rows);
    REHA_TRY(clinic_result_read(store, reha_json_string(rows[0], "result_id", ""), &sides[0].result, err));
    return clinic_result_read(store, reha_json_string(rows[1], "result_id", ""), &sides[1].result, err);
}

static reha_status check_patient(const side sides[2], reha_error *err)
{
    if (patient_of(&sides[0])[0] == '\0' || patient_of(&sides[1])[0] == '\0') {
        return reha_fail(err, REHA_E_CONFLICT, "file both images under their patient first");
    }
    return strcmp(patient_of(&sides[0]), patient_of(&sides[1])) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_CONFLICT, "the images are of two patients: nothing is compared");
}

static reha_status judge(const side sides[2], bool is_same_setup, reha_films *out, reha_error *err)
{
    reha_status status = REHA_OK;
    char *folder = NULL;
    char *table = NULL;
    reha_scores *scores = NULL;
    reha_visit visits[2];
    const reha_film_options how = {.is_setup_stated = is_same_setup};
    for (int i = 0; i < 2; i++) {
        const json_t *image = sides[i].image;
        visits[i] =
            (reha_visit){json_object_get(sides[i].result, "analysis"), patient_of(&sides[i]),
                         reha_json_string(image, "image_date", ""), reha_json_string(image, "digest", ""),
                         reha_json_string(json_object_get(image, "facts"), "patient_position", "")};
    }
    REHA_CHECK(reha_guidelines_folder(&folder, err));
    table = reha_path_join(folder, "scores.json");
    if (table == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
        goto done;
    }
    REHA_CHECK(reha_scores_load(table, &scores, err));
    status = reha_films_compare(&visits[0], &visits[1], scores, &how, out, err);
done:
    reha_scores_free(scores);
    reha_free(table);
    reha_free(folder);
    return status;
}

/* ---- registration: in a sandbox, for it decodes foreign bytes ---- */

static json_t *register_request(const side sides[2], const reha_films *films, bool by_intensity)
{
    json_t *pairs = json_array();
    for (int i = 0; i < films->pair_count; i++) {
        (void)json_array_append_new(pairs, json_pack("{s:i, s:i}", "before", (int)films->pairs[i].before_idx,
                                                     "after", (int)films->pairs[i].after_idx));
    }
    return json_pack("{s:s, s:I, s:[O, O], s:o, s:b}", "op", "register", "before_bytes",
                     (json_int_t)sides[0].count, "analyses", json_object_get(sides[0].result, "analysis"),
                     json_object_get(sides[1].result, "analysis"), "pairs", pairs, "by_intensity",
                     by_intensity ? 1 : 0);
}

static reha_status lay_over(reha_clinic *clinic, side sides[2], const reha_films *films, bool by_intensity,
                            reha_sandbox_answer *out, reha_error *err)
{
    uint8_t *both = NULL;
    size_t count = 0;
    for (int i = 0; i < 2; i++) {
        const reha_status status =
            reha_blobs_get(clinic->blobs, reha_json_string(sides[i].image, "digest", ""),
                           clinic->limits.archive_bytes_max, &sides[i].bytes, &sides[i].count, err);
        if (status == REHA_E_NOT_FOUND) {
            return reha_fail(err, REHA_E_TAMPERED,
                             "the file of an image is missing; restore it from a backup");
        }
        REHA_TRY(status);
    }
    if (!reha_add_size(sides[0].count, sides[1].count, &count) || (both = reha_alloc(count)) == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for two images");
    }
    memcpy(both, sides[0].bytes, sides[0].count);
    memcpy(both + sides[0].count, sides[1].bytes, sides[1].count);
    json_t *request = register_request(sides, films, by_intensity);
    const reha_status status = clinic_view(clinic, request, both, count, out, err);
    json_decref(request);
    reha_free(both);
    return status;
}

/* ---- the answer ---- */

static json_t *visit_json(const side *at)
{
    const json_t *result = at->result;
    return json_pack("{s:O, s:O, s:O, s:O, s:O, s:O, s:O, s:b}", "image_id", json_object_get(at->image, "id"),
                     "study_id", json_object_get(at->image, "study_id"), "result_id",
                     json_object_get(result, "id"), "sha256", json_object_get(at->image, "digest"), "date",
                     json_object_get(at->image, "image_date"), "model",
                     json_object_get(json_object_get(result, "analysis"), "model"), "signed_by",
                     json_object_get(at->study, "signed_by"), "signed",
                     json_is_string(json_object_get(at->study, "signed_at")) ? 1 : 0);
}

/* What a clinician decided on this finding: a measure that was rejected must not be read as if it stood. */
static json_t *decision_of(const side *at, size_t region_idx, const char *key)
{
    const json_t *reviews = json_object_get(at->result, "reviews");
    for (size_t i = 0; i < json_array_size(reviews); i++) {
        const json_t *review = json_array_get(reviews, i);
        if ((size_t)reha_json_number(review, "region", 0.0) == region_idx &&
            strcmp(reha_json_string(review, "finding", ""), key) == 0) {
            return json_pack("{s:O, s:O}", "decision", json_object_get(review, "decision"), "value",
                             json_object_get(review, "value"));
        }
    }
    return json_null();
}

static void complete_joint(json_t *joint, const side sides[2], const reha_film_pair *pair,
                           json_t *registration)
{
    size_t i = 0;
    json_t *measure = NULL;
    json_array_foreach(json_object_get(joint, "measures"), i, measure)
    {
        const char *key = reha_json_string(measure, "key", "");
        (void)json_object_set_new(measure, "decisions",
                                  json_pack("[o, o]", decision_of(&sides[0], pair->before_idx, key),
                                            decision_of(&sides[1], pair->after_idx, key)));
    }
    (void)json_object_set_new(joint, "regions",
                              json_pack("[i, i]", (int)pair->before_idx, (int)pair->after_idx));
    (void)json_object_set(joint, "registration", json_is_object(registration) ? registration : json_null());
}

static reha_status write_answer(const side sides[2], const reha_films *films, const json_t *laid,
                                json_t **out, reha_error *err)
{
    json_t *judged = reha_films_to_json(films);
    *out = json_pack("{s:s, s:s, s:[o, o], s:b}", "schema", "rehascope/comparison/1", "software",
                     "rehascope " REHA_VERSION, "visits", visit_json(&sides[0]), visit_json(&sides[1]),
                     "reviewed", 0);
    json_t *joints = json_object_get(judged, "joints");
    for (size_t i = 0; i < json_array_size(joints) && i < (size_t)films->pair_count; i++) {
        complete_joint(json_array_get(joints, i), sides, &films->pairs[i],
                       json_array_get(json_object_get(laid, "joints"), i));
    }
    const bool is_whole = *out != NULL && judged != NULL && json_object_update(*out, judged) == 0;
    json_decref(judged);
    if (!is_whole) {
        json_decref(*out);
        *out = NULL;
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a comparison");
    }
    return REHA_OK;
}

static reha_status note(reha_clinic *clinic, const reha_actor *actor, const char *before_id,
                        const char *after_id, bool is_refused, reha_error *err)
{
    clinic_write write;
    REHA_TRY(clinic_begin(clinic, false, &write, err));
    return clinic_end(&write,
                      clinic_note(&write, actor, "image.compare", "image", after_id,
                                  json_pack("{s:s, s:b}", "before", before_id, "refused", is_refused ? 1 : 0),
                                  err),
                      err);
}

reha_status reha_clinic_compare(reha_clinic *clinic, const reha_actor *actor, const char *before_id,
                                const char *after_id, const reha_clinic_comparing *how, json_t **out,
                                reha_error *err)
{
    side sides[2] = {{0}, {0}};
    reha_sandbox_answer answer = {.json = NULL};
    reha_films *films = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    if (strcmp(before_id, after_id) == 0) {
        return reha_fail(err, REHA_E_ARG, "an image cannot be compared with itself");
    }
    const char *const ids[2] = {before_id, after_id};
    reha_store *store = clinic_read(clinic);
    status = read_sides(store, actor, ids, sides, err);
    clinic_read_end(clinic, store);
    REHA_CHECK(status);
    REHA_CHECK(check_patient(sides, err));
    films = reha_alloc_zero(1, sizeof *films);
    if (films == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a comparison");
        goto done;
    }
    REHA_CHECK(judge(sides, how->is_same_setup, films, err));
    REHA_CHECK(
        note(clinic, actor, before_id, after_id, films->is_refused, err)); /* before anything is shown */
    if (!films->is_refused && films->pair_count > 0) {
        REHA_CHECK(lay_over(clinic, sides, films, how->by_intensity, &answer, err));
    }
    status = write_answer(sides, films, answer.json, out, err);
done:
    for (int i = 0; i < 2; i++) {
        json_decref(sides[i].image);
        json_decref(sides[i].study);
        json_decref(sides[i].result);
        json_decref(sides[i].standing);
        reha_free(sides[i].bytes);
    }
    reha_free(films);
    reha_sandbox_answer_clear(&answer);
    return status;
}
