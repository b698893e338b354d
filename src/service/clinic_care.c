#include "service/clinic_care_priv.h"

#include "base/clock.h"
#include "base/memory.h"
#include "rehab/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT_BYTES = 120, LONG_BYTES = 4000, CONTENT_BYTES = 1 << 20 };

/* A list that is never long enough for pages. */
static reha_status whole_list(reha_clinic *clinic, const reha_actor *actor, reha_sql which,
                              const char *patient_id, json_t **out, reha_error *err)
{
    json_t *patient = NULL;
    json_t *rows = NULL;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_TRY(clinic_row(clinic, REHA_SQL_PATIENT, REHA_BIND(clinic_identity(actor), reha_of_text(patient_id)),
                        "patient", &patient, err));
    json_decref(patient);
    REHA_TRY(clinic_rows(clinic, which, REHA_BIND(reha_of_text(patient_id)), &rows, err));
    *out = json_pack("{s:o, s:n, s:I}", "items", rows, "next", "total", (json_int_t)json_array_size(rows));
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a list");
}

reha_status reha_clinic_series(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                               json_t **out, reha_error *err)
{
    json_t *patient = NULL;
    json_t *measurements = NULL;
    json_t *scores = NULL;
    json_t *judged = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_CHECK(clinic_row(clinic, REHA_SQL_PATIENT,
                          REHA_BIND(clinic_identity(actor), reha_of_text(patient_id)), "patient", &patient,
                          err));
    REHA_CHECK(clinic_rows(clinic, REHA_SQL_SERIES_MEASUREMENTS, REHA_BIND(reha_of_text(patient_id)),
                           &measurements, err));
    REHA_CHECK(clinic_rows(clinic, REHA_SQL_SCORES, REHA_BIND(reha_of_text(patient_id)), &scores, err));
    REHA_CHECK(clinic_scores_judge(scores, &judged, err));
    *out = json_pack("{s:O, s:O, s:O}", "measurements", measurements, "scores", scores, "judged", judged);
    status = *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a series");
done:
    json_decref(patient);
    json_decref(measurements);
    json_decref(scores);
    json_decref(judged);
    return status;
}

reha_status reha_clinic_score(reha_clinic *clinic, const reha_actor *actor, const char *id, json_t **out,
                              reha_error *err)
{
    json_t *row = NULL;
    json_t *judged = NULL;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_TRY(clinic_row(clinic, REHA_SQL_SCORE, REHA_BIND(reha_of_text(id)), "score", &row, err));
    json_t *rows = json_pack("[O]", row);
    reha_status status = clinic_scores_judge(rows, &judged, err); /* gives it its key and title */
    json_decref(judged);
    json_decref(rows);
    if (status == REHA_OK) {
        status =
            clinic_saw(clinic, actor, "patient.see", "patient", reha_json_string(row, "patient_id", ""), err);
    }
    if (status != REHA_OK) {
        json_decref(row);
        return status;
    }
    *out = row;
    return REHA_OK;
}

/* An episode must be the patient's own. */
static reha_status check_episode(reha_store *store, const char *patient_id, const char *episode_id,
                                 reha_error *err)
{
    json_t *row = NULL;
    if (episode_id == NULL) {
        return REHA_OK;
    }
    reha_status status =
        reha_store_row(store, REHA_SQL_EPISODE, REHA_BIND(reha_of_text(episode_id)), &row, err);
    if (status == REHA_E_NOT_FOUND ||
        (status == REHA_OK && strcmp(reha_json_string(row, "patient_id", ""), patient_id) != 0)) {
        status = reha_fail(err, REHA_E_NOT_FOUND, "the patient has no such episode");
    }
    json_decref(row);
    return status;
}

static reha_status check_patient(reha_store *store, const char *patient_id, reha_error *err)
{
    json_t *row = NULL;
    const reha_status status = reha_store_row(store, REHA_SQL_PATIENT,
                                              REHA_BIND(reha_of_int(0), reha_of_text(patient_id)), &row, err);
    json_decref(row);
    return status == REHA_E_NOT_FOUND ? reha_fail(err, status, "no such patient") : status;
}

reha_status reha_clinic_score_add(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                                  const json_t *in, json_t **out, reha_error *err)
{
    const char *date = NULL, *side = NULL, *episode = NULL, *note = NULL;
    clinic_score score;
    char id[REHA_IDENTIFIER_BYTES];
    char now[REHA_TIMESTAMP_BYTES];
    clinic_write write;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_CARE, err));
    REHA_TRY(clinic_check_members(in, "instrument name value items unit date side episode_id note", err));
    REHA_TRY(clinic_score_read(in, &score, err));
    REHA_TRY(clinic_date(in, "date", true, &date, err));
    REHA_TRY(clinic_word(in, "side", false, "left right both", &side, err));
    REHA_TRY(clinic_text(in, "episode_id", false, REHA_ID_BYTES, &episode, err));
    REHA_TRY(clinic_text(in, "note", false, LONG_BYTES, &note, err));
    reha_identifier_new(id);
    reha_clock_timestamp(now);
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(check_patient(write.store, patient_id, err));
    REHA_CHECK(check_episode(write.store, patient_id, episode, err));
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_SCORE_ADD,
                             REHA_BIND(reha_of_text(id), reha_of_text(patient_id), reha_of_text(episode),
                                       reha_of_text(score.instrument), reha_of_real(score.value),
                                       reha_of_text(score.items[0] != '\0' ? score.items : NULL),
                                       reha_of_text(score.unit), reha_of_text(side), reha_of_text(date),
                                       reha_of_text(note), reha_of_text(actor->user_id), reha_of_text(now)),
                             NULL, err));
    REHA_CHECK(clinic_note(&write, actor, "score.add", "score", id,
                           json_pack("{s:s}", "patient_id", patient_id), err));
    REHA_CHECK(reha_store_row(write.store, REHA_SQL_SCORE, REHA_BIND(reha_of_text(id)), out, err));
done:
    return clinic_end_with(&write, status, out, err);
}

reha_status reha_clinic_score_withdraw(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                       const json_t *in, json_t **out, reha_error *err)
{
    const char *reason = NULL;
    int64_t changed = 0;
    clinic_write write;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_CARE, err));
    REHA_TRY(clinic_check_members(in, "reason", err));
    REHA_TRY(clinic_text(in, "reason", true, LONG_BYTES, &reason, err));
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    status = reha_store_row(write.store, REHA_SQL_SCORE, REHA_BIND(reha_of_text(id)), out, err);
    if (status == REHA_E_NOT_FOUND) {
        (void)reha_fail(err, status, "no such score");
    }
    REHA_CHECK(status);
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_SCORE_WITHDRAW,
                             REHA_BIND(reha_of_text(id), reha_of_text(reason)), &changed, err));
    if (changed == 0) {
        status = reha_fail(err, REHA_E_CONFLICT, "the score was withdrawn already");
        goto done;
    }
    REHA_CHECK(clinic_note(&write, actor, "score.withdraw", "score", id, NULL, err));
    json_decref(*out);
    REHA_CHECK(reha_store_row(write.store, REHA_SQL_SCORE, REHA_BIND(reha_of_text(id)), out, err));
done:
    return clinic_end_with(&write, status, out, err);
}

/* ---- plans and predictions ---- */

/* The content as it is stored; free() it. */
static reha_status content_text(const json_t *content, char **out, reha_error *err)
{
    *out = NULL;
    if (!json_is_object(content)) {
        return reha_fail(err, REHA_E_ARG, "'content' must be an object");
    }
    *out = json_dumps(content, JSON_COMPACT);
    if (*out == NULL || strlen(*out) > CONTENT_BYTES) {
        free(*out); /* allowed: jansson's */
        *out = NULL;
        return reha_fail(err, REHA_E_LIMIT, "'content' is larger than %d bytes", CONTENT_BYTES);
    }
    return REHA_OK;
}

reha_status reha_clinic_plans(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                              json_t **out, reha_error *err)
{
    size_t i = 0;
    json_t *plan = NULL;
    REHA_TRY(whole_list(clinic, actor, REHA_SQL_PLANS, patient_id, out, err));
    reha_status status = REHA_OK;
    json_array_foreach(json_object_get(*out, "items"), i, plan)
    {
        json_t *versions = NULL;
        REHA_CHECK(clinic_rows(clinic, REHA_SQL_PLAN_VERSIONS,
                               REHA_BIND(reha_of_text(reha_json_string(plan, "id", ""))), &versions, err));
        (void)json_object_set_new(plan, "versions", versions);
    }
    status = clinic_saw(clinic, actor, "plan.see", "patient", patient_id, err);
done:
    if (status != REHA_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

reha_status reha_clinic_plan(reha_clinic *clinic, const reha_actor *actor, const char *id, int64_t version,
                             json_t **out, reha_error *err)
{
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_TRY(clinic_row(clinic, REHA_SQL_PLAN, REHA_BIND(reha_of_text(id), reha_of_int(version)), "plan", out,
                        err));
    const reha_status status = clinic_saw(clinic, actor, "plan.see", "plan", id, err);
    if (status != REHA_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

static reha_status next_version(reha_store *store, const char *patient_id, const char *id, int64_t if_version,
                                int64_t *version, reha_error *err)
{
    json_t *row = NULL;
    int64_t changed = 0;
    reha_status status =
        reha_store_row(store, REHA_SQL_PLAN, REHA_BIND(reha_of_text(id), reha_of_int(-1)), &row, err);
    if (status == REHA_E_NOT_FOUND ||
        (status == REHA_OK && strcmp(reha_json_string(row, "patient_id", ""), patient_id) != 0)) {
        status = reha_fail(err, REHA_E_NOT_FOUND, "the patient has no such plan");
    }
    REHA_CHECK(status);
    REHA_CHECK(clinic_version(row, if_version, err));
    *version = json_integer_value(json_object_get(row, "version"));
    REHA_CHECK(reha_store_do(store, REHA_SQL_PLAN_NEXT, REHA_BIND(reha_of_text(id), reha_of_int(*version)),
                             &changed, err));
    (*version)++;
done:
    json_decref(row);
    return status;
}

reha_status clinic_plan_store(reha_clinic *clinic, const reha_actor *actor,
                              const clinic_plan_version *version, json_t **out, reha_error *err)
{
    const char *id = version->id;
    char *content = NULL;
    char made[REHA_IDENTIFIER_BYTES];
    char now[REHA_TIMESTAMP_BYTES];
    int64_t number = 1;
    clinic_write write = {.store = NULL};
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(content_text(version->content, &content, err));
    reha_identifier_new(made);
    reha_clock_timestamp(now);
    REHA_CHECK(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(check_patient(write.store, version->patient_id, err));
    REHA_CHECK(check_episode(write.store, version->patient_id, version->episode_id, err));
    if (id == NULL) {
        id = made;
        REHA_CHECK(reha_store_do(
            write.store, REHA_SQL_PLAN_ADD,
            REHA_BIND(reha_of_text(id), reha_of_text(version->patient_id), reha_of_text(version->episode_id)),
            NULL, err));
        REHA_CHECK(reha_store_do(write.store, REHA_SQL_PLAN_NEXT, REHA_BIND(reha_of_text(id), reha_of_int(0)),
                                 NULL, err));
    } else {
        REHA_CHECK(next_version(write.store, version->patient_id, id, version->if_version, &number, err));
    }
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_PLAN_VERSION_ADD,
                             REHA_BIND(reha_of_text(id), reha_of_int(number), reha_of_text(content),
                                       reha_of_text(version->reason), reha_of_text(actor->user_id),
                                       reha_of_text(now)),
                             NULL, err));
    REHA_CHECK(clinic_note(
        &write, actor, version->action, "plan", id,
        json_pack("{s:s, s:I}", "patient_id", version->patient_id, "version", (json_int_t)number), err));
    REHA_CHECK(reha_store_row(write.store, REHA_SQL_PLAN, REHA_BIND(reha_of_text(id), reha_of_int(number)),
                              out, err));
done:
    free(content); /* allowed: jansson's */
    return clinic_end_with(&write, status, out, err);
}

bool clinic_plan_is_ours(const json_t *content)
{
    return strcmp(reha_json_string(content, "schema", ""), "rehascope/plan/1") == 0;
}

reha_status clinic_plan_read(reha_clinic *clinic, const char *patient_id, const char *id, int64_t version,
                             json_t **out, reha_error *err)
{
    REHA_TRY(clinic_row(clinic, REHA_SQL_PLAN, REHA_BIND(reha_of_text(id), reha_of_int(version)), "plan", out,
                        err));
    if (strcmp(reha_json_string(*out, "patient_id", ""), patient_id) != 0) {
        json_decref(*out);
        *out = NULL;
        return reha_fail(err, REHA_E_NOT_FOUND, "the patient has no such plan");
    }
    return REHA_OK;
}

/* Whoever brings a plan of ours back from outside has not confirmed it by that; and no line is changed
 * without a reason. */
static reha_status take_foreign(const json_t *given, json_t **out, reha_error *err)
{
    reha_source_text source = {0};
    char *text = NULL;
    *out = json_incref((json_t *)given);
    if (!clinic_plan_is_ours(given)) {
        return REHA_OK;
    }
    REHA_TRY(reha_json_format(given, &text, err));
    reha_status status = reha_source_parse("content", text, &source, err);
    if (status == REHA_OK) {
        status = reha_plan_check(&source, err);
    }
    reha_source_clear(&source);
    reha_free(text);
    REHA_TRY(status);
    json_decref(*out);
    *out = json_copy((json_t *)given);
    (void)json_object_del(*out, "review");
    return json_object_set_new(*out, "reviewed", json_false()) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for a plan");
}

reha_status reha_clinic_plan_save(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                                  const char *id, int64_t if_version, const json_t *in, json_t **out,
                                  reha_error *err)
{
    const char *episode = NULL, *reason = NULL;
    json_t *content = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_CARE, err));
    REHA_TRY(clinic_check_members(in, "content episode_id reason", err));
    REHA_TRY(clinic_text(in, "episode_id", false, REHA_ID_BYTES, &episode, err));
    REHA_TRY(clinic_text(in, "reason", false, LONG_BYTES, &reason, err));
    REHA_CHECK(take_foreign(json_object_get(in, "content"), &content, err));
    REHA_CHECK(clinic_plan_store(clinic, actor,
                                 &(clinic_plan_version){.patient_id = patient_id,
                                                        .id = id,
                                                        .if_version = if_version,
                                                        .content = content,
                                                        .episode_id = episode,
                                                        .reason = reason,
                                                        .action = "plan.save"},
                                 out, err));
done:
    json_decref(content);
    return status;
}

reha_status reha_clinic_predictions(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                                    json_t **out, reha_error *err)
{
    return whole_list(clinic, actor, REHA_SQL_PREDICTIONS, patient_id, out, err);
}

reha_status clinic_prediction_store(reha_clinic *clinic, const reha_actor *actor,
                                    const clinic_prediction *prediction, json_t **out, reha_error *err)
{
    char *content = NULL;
    char id[REHA_IDENTIFIER_BYTES];
    char now[REHA_TIMESTAMP_BYTES];
    clinic_write write = {.store = NULL};
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(content_text(prediction->content, &content, err));
    reha_identifier_new(id);
    reha_clock_timestamp(now);
    REHA_CHECK(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(check_patient(write.store, prediction->patient_id, err));
    REHA_CHECK(check_episode(write.store, prediction->patient_id, prediction->episode_id, err));
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_PREDICTION_ADD,
                             REHA_BIND(reha_of_text(id), reha_of_text(prediction->patient_id),
                                       reha_of_text(prediction->episode_id),
                                       reha_of_text(prediction->outcome), reha_of_text(content),
                                       reha_of_text(prediction->model), reha_of_text(prediction->model_hash),
                                       reha_of_text(actor->user_id), reha_of_text(now)),
                             NULL, err));
    REHA_CHECK(clinic_note(&write, actor, "prediction.add", "prediction", id,
                           json_pack("{s:s}", "patient_id", prediction->patient_id), err));
    REHA_CHECK(reha_store_row(write.store, REHA_SQL_PREDICTION, REHA_BIND(reha_of_text(id)), out, err));
done:
    free(content); /* allowed: jansson's */
    return clinic_end_with(&write, status, out, err);
}

reha_status reha_clinic_prediction_add(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                                       const json_t *in, json_t **out, reha_error *err)
{
    clinic_prediction given = {.patient_id = patient_id, .content = json_object_get(in, "content")};
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_CARE, err));
    REHA_TRY(clinic_check_members(in, "outcome content model model_hash episode_id", err));
    REHA_TRY(clinic_text(in, "outcome", true, SHORT_BYTES, &given.outcome, err));
    REHA_TRY(clinic_text(in, "model", false, SHORT_BYTES, &given.model, err));
    REHA_TRY(clinic_text(in, "model_hash", false, SHORT_BYTES, &given.model_hash, err));
    REHA_TRY(clinic_text(in, "episode_id", false, REHA_ID_BYTES, &given.episode_id, err));
    return clinic_prediction_store(clinic, actor, &given, out, err);
}
