#include "service/clinic_priv.h"

#include "base/clock.h"
#include "base/memory.h"
#include "store/digest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 40, REASON_BYTES = 2000, COMMENT_BYTES = 4000, REGION_MAX = 64 };

/* The finding of an analysis, or NULL. */
static const json_t *find_finding(const json_t *result, int region, const char *key)
{
    const json_t *regions = json_object_get(json_object_get(result, "analysis"), "regions");
    const json_t *findings = json_object_get(json_array_get(regions, (size_t)region), "findings");
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *finding = json_array_get(findings, i);
        if (strcmp(reha_json_string(finding, "key", ""), key) == 0) {
            return finding;
        }
    }
    return NULL;
}

/* What the software said in one number: the grade, the measure, or the probability. */
static double software_value(const json_t *finding)
{
    const json_t *grading = json_object_get(finding, "grading");
    const json_t *measure = json_object_get(finding, "measure");
    if (json_is_object(grading)) {
        return reha_json_number(grading, "grade", (double)NAN);
    }
    if (json_is_object(measure)) {
        return reha_json_number(measure, "value", (double)NAN);
    }
    return reha_json_number(finding, "probability", (double)NAN);
}

bool reha_finding_needs_decision(const json_t *finding)
{
    return isfinite(software_value(finding));
}

typedef struct decision {
    int region;
    const char *finding, *word, *reason;
    double value;
} decision;

static reha_status read_decision(const json_t *in, decision *out, reha_error *err)
{
    double region = 0.0;
    REHA_TRY(clinic_check_members(in, "region finding decision value reason", err));
    REHA_TRY(clinic_number(in, "region", true, 0.0, REGION_MAX, &region, err));
    REHA_TRY(clinic_text(in, "finding", true, KEY_BYTES, &out->finding, err));
    REHA_TRY(clinic_word(in, "decision", true, "accept amend reject", &out->word, err));
    REHA_TRY(clinic_text(in, "reason", false, REASON_BYTES, &out->reason, err));
    REHA_TRY(clinic_number(in, "value", false, -1e6, 1e6, &out->value, err));
    out->region = (int)region;
    if (region != floor(region)) {
        return reha_fail(err, REHA_E_ARG, "'region' must be a whole number");
    }
    const bool is_amend = strcmp(out->word, "amend") == 0;
    if (is_amend != isfinite(out->value)) {
        return reha_fail(err, REHA_E_ARG,
                         is_amend ? "'value' is needed to amend" : "'value' is only for amend");
    }
    if (strcmp(out->word, "accept") != 0 && out->reason == NULL) {
        return reha_fail(err, REHA_E_ARG, "'reason' is needed to amend or reject");
    }
    return REHA_OK;
}

reha_status clinic_check_open(const json_t *study, const json_t *result, reha_error *err)
{
    const json_t *images = json_object_get(study, "images");
    const char *id = reha_json_string(result, "id", "");
    if (strcmp(reha_json_string(study, "status", ""), "signed") == 0) {
        return reha_fail(err, REHA_E_CONFLICT, "the study is signed: reopen it first");
    }
    if (json_is_object(json_object_get(result, "set_aside"))) {
        return reha_fail(err, REHA_E_CONFLICT,
                         "this result was set aside: ask for its task again, then a new one stands");
    }
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *results = json_object_get(json_array_get(images, i), "results");
        for (size_t k = 0; k < json_array_size(results); k++) {
            if (strcmp(reha_json_string(json_array_get(results, k), "id", ""), id) == 0) {
                return REHA_OK;
            }
        }
    }
    return reha_fail(err, REHA_E_CONFLICT,
                     "a newer result of this image has taken the place of this one: decide on that");
}

static reha_status store_decision(clinic_write *write, const reha_actor *actor, const json_t *result,
                                  const decision *given, reha_error *err)
{
    char id[REHA_IDENTIFIER_BYTES];
    char now[REHA_TIMESTAMP_BYTES];
    const char *result_id = reha_json_string(result, "id", "");
    const json_t *finding = find_finding(result, given->region, given->finding);
    if (finding == NULL) {
        return reha_fail(err, REHA_E_NOT_FOUND, "the result has no such finding in region %d", given->region);
    }
    if (!reha_finding_needs_decision(finding)) {
        return reha_fail(err, REHA_E_ARG, "this was not measured: there is nothing to decide on");
    }
    reha_identifier_new(id);
    reha_clock_timestamp(now);
    REHA_TRY(
        reha_store_do(write->store, REHA_SQL_REVIEW_ADD,
                      REHA_BIND(reha_of_text(id), reha_of_text(result_id), reha_of_int(given->region),
                                reha_of_text(given->finding), reha_of_text(given->word),
                                reha_of_real(given->value), reha_of_real(software_value(finding)),
                                reha_of_text(given->reason), reha_of_text(actor->user_id), reha_of_text(now)),
                      NULL, err));
    return clinic_note(write, actor, "finding.review", "result", result_id,
                       json_pack("{s:i, s:s, s:s}", "region", given->region, "finding", given->finding,
                                 "decision", given->word),
                       err);
}

reha_status reha_clinic_review(reha_clinic *clinic, const reha_actor *actor, const char *result_id,
                               int64_t if_study_version, const json_t *in, json_t **out, reha_error *err)
{
    decision given;
    clinic_write write;
    json_t *result = NULL;
    json_t *study = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_REVIEW, err));
    REHA_TRY(read_decision(in, &given, err));
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(clinic_result_read(write.store, result_id, &result, err));
    const char *study_id = reha_json_string(result, "study_id", "");
    REHA_CHECK(clinic_study_read(write.store, actor, study_id, &study, err));
    REHA_CHECK(clinic_version(study, if_study_version, err));
    REHA_CHECK(clinic_check_open(study, result, err));
    REHA_CHECK(store_decision(&write, actor, result, &given, err));
    REHA_CHECK(
        reha_store_do(write.store, REHA_SQL_STUDY_REFRESH, REHA_BIND(reha_of_text(study_id)), NULL, err));
    REHA_CHECK(clinic_study_read(write.store, actor, study_id, out, err));
done:
    status = clinic_end_with(&write, status, out, err);
    if (status == REHA_OK) {
        clinic_event_add(clinic, "study", reha_json_string(result, "study_id", ""), NULL, NULL, "reviewed");
    }
    json_decref(result);
    json_decref(study);
    return status;
}

/* ---- signature ---- */

static reha_status check_complete(const json_t *study, reha_error *err)
{
    const char *status = reha_json_string(study, "status", "");
    const int64_t missing = json_integer_value(json_object_get(study, "to_review"));
    if (strcmp(status, "signed") == 0) {
        return reha_fail(err, REHA_E_CONFLICT, "the study is signed already");
    }
    if (strcmp(status, "waiting") == 0) {
        return reha_fail(err, REHA_E_CONFLICT, "an image of the study is still being analysed");
    }
    if (missing > 0) {
        return reha_fail(err, REHA_E_CONFLICT,
                         "%lld findings have no decision yet: accept, amend or reject them",
                         (long long)missing);
    }
    return REHA_OK;
}

/* What is signed: what the software said and what was decided, without the patient's identity. free() it. */
static char *signed_content(const json_t *study)
{
    json_t *content =
        json_pack("{s:O, s:O, s:O}", "study_id", json_object_get(study, "id"), "image_date",
                  json_object_get(study, "image_date"), "images", json_object_get(study, "images"));
    char *text = json_dumps(content, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(content);
    return text;
}

static reha_status store_signature(clinic_write *write, const reha_actor *actor, const json_t *study,
                                   const char *comment, reha_error *err)
{
    char id[REHA_IDENTIFIER_BYTES];
    char now[REHA_TIMESTAMP_BYTES];
    char hash[REHA_DIGEST_TEXT_BYTES];
    json_t *user = NULL;
    reha_status status = REHA_OK;
    const char *study_id = reha_json_string(study, "id", "");
    char *content = signed_content(study);
    if (content == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a signature");
    }
    reha_identifier_new(id);
    reha_clock_timestamp(now);
    reha_digest_bytes(content, strlen(content), hash);
    REHA_CHECK(
        reha_store_row(write->store, REHA_SQL_USER, REHA_BIND(reha_of_text(actor->user_id)), &user, err));
    REHA_CHECK(reha_store_do(write->store, REHA_SQL_SIGNATURE_ADD,
                             REHA_BIND(reha_of_text(id), reha_of_text(study_id), reha_of_text(actor->user_id),
                                       reha_of_text(reha_role_name(actor->role)), reha_of_text(now),
                                       reha_of_text(comment), reha_of_text(content), reha_of_text(hash)),
                             NULL, err));
    REHA_CHECK(
        reha_store_do(write->store, REHA_SQL_STUDY_SIGNED,
                      REHA_BIND(reha_of_text(study_id),
                                reha_of_text(reha_json_string(user, "display_name", "")), reha_of_text(now)),
                      NULL, err));
    REHA_CHECK(
        reha_store_do(write->store, REHA_SQL_STUDY_REFRESH, REHA_BIND(reha_of_text(study_id)), NULL, err));
    REHA_CHECK(clinic_outbox_add(write, study, id, err));
    REHA_CHECK(clinic_note(write, actor, "study.sign", "study", study_id,
                           json_pack("{s:s, s:s}", "signature_id", id, "content_hash", hash), err));
done:
    json_decref(user);
    free(content); /* allowed: jansson's */
    return status;
}

reha_status reha_clinic_sign(reha_clinic *clinic, const reha_actor *actor, const char *study_id,
                             int64_t if_version, const json_t *in, json_t **out, reha_error *err)
{
    const char *comment = NULL;
    clinic_write write;
    json_t *study = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_SIGN, err));
    REHA_TRY(clinic_check_members(in, "comment", err));
    REHA_TRY(clinic_text(in, "comment", false, COMMENT_BYTES, &comment, err));
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(clinic_study_read(write.store, actor, study_id, &study, err));
    REHA_CHECK(clinic_version(study, if_version, err));
    REHA_CHECK(check_complete(study, err));
    REHA_CHECK(store_signature(&write, actor, study, comment, err));
    REHA_CHECK(clinic_study_read(write.store, actor, study_id, out, err));
done:
    json_decref(study);
    status = clinic_end_with(&write, status, out, err);
    if (status == REHA_OK) {
        clinic_event_add(clinic, "study", study_id, NULL, NULL, "signed");
    }
    return status;
}

reha_status reha_clinic_reopen(reha_clinic *clinic, const reha_actor *actor, const char *study_id,
                               int64_t if_version, const json_t *in, json_t **out, reha_error *err)
{
    const char *reason = NULL;
    char now[REHA_TIMESTAMP_BYTES];
    clinic_write write;
    json_t *study = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_SIGN, err));
    REHA_TRY(clinic_check_members(in, "reason", err));
    REHA_TRY(clinic_text(in, "reason", true, REASON_BYTES, &reason, err));
    reha_clock_timestamp(now);
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(clinic_study_read(write.store, actor, study_id, &study, err));
    REHA_CHECK(clinic_version(study, if_version, err));
    const json_t *signature = json_object_get(study, "signature");
    if (!json_is_object(signature)) {
        status = reha_fail(err, REHA_E_CONFLICT, "the study is not signed");
        goto done;
    }
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_SIGNATURE_WITHDRAW,
                             REHA_BIND(reha_of_text(reha_json_string(signature, "id", "")),
                                       reha_of_text(actor->user_id), reha_of_text(reason), reha_of_text(now)),
                             NULL, err));
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_STUDY_SIGNED,
                             REHA_BIND(reha_of_text(study_id), reha_of_text(NULL), reha_of_text(NULL)), NULL,
                             err));
    REHA_CHECK(
        reha_store_do(write.store, REHA_SQL_STUDY_REFRESH, REHA_BIND(reha_of_text(study_id)), NULL, err));
    REHA_CHECK(clinic_outbox_drop(&write, study_id, err));
    REHA_CHECK(clinic_note(&write, actor, "study.reopen", "study", study_id, NULL, err));
    REHA_CHECK(clinic_study_read(write.store, actor, study_id, out, err));
done:
    json_decref(study);
    status = clinic_end_with(&write, status, out, err);
    if (status == REHA_OK) {
        clinic_event_add(clinic, "study", study_id, NULL, NULL, "reopened");
    }
    return status;
}
