/* What somebody asked for by mistake leaves the findings, and stays in the record. */
#include "service/clinic_priv.h"

#include "base/clock.h"

#include <string.h>

enum { REASON_BYTES = 300 }; /* it stands in one line above the findings and in reports */

/* The same request again: its answer may have been lost on the way, and with it the study's new version. */
static bool is_repeat(const json_t *result, const reha_actor *actor, const char *reason)
{
    const json_t *aside = json_object_get(result, "set_aside");
    return json_is_object(aside) && strcmp(reha_json_string(aside, "user_id", ""), actor->user_id) == 0 &&
           strcmp(reha_json_string(aside, "reason", ""), reason) == 0;
}

static reha_status check(const json_t *study, const json_t *result, reha_error *err)
{
    const json_t *aside = json_object_get(result, "set_aside");
    if (!json_is_true(json_object_get(result, "asked"))) {
        return reha_fail(err, REHA_E_CONFLICT,
                         "the program chose this task, nobody asked for it: decide on its findings instead");
    }
    if (json_is_object(aside)) {
        return reha_fail(err, REHA_E_CONFLICT, "%s has set this result aside already",
                         reha_json_string(aside, "user_name", ""));
    }
    return clinic_check_open(study, result, err);
}

static reha_status store_aside(clinic_write *write, const reha_actor *actor, const json_t *result,
                               const char *reason, reha_error *err)
{
    char now[REHA_TIMESTAMP_BYTES];
    const char *result_id = reha_json_string(result, "id", "");
    reha_clock_timestamp(now);
    REHA_TRY(reha_store_do(write->store, REHA_SQL_SET_ASIDE_ADD,
                           REHA_BIND(reha_of_text(result_id), reha_of_text(actor->user_id),
                                     reha_of_text(reason), reha_of_text(now)),
                           NULL, err));
    REHA_TRY(reha_store_do(write->store, REHA_SQL_STUDY_REFRESH,
                           REHA_BIND(reha_of_text(reha_json_string(result, "study_id", ""))), NULL, err));
    return clinic_note(write, actor, "result.set-aside", "result", result_id,
                       json_pack("{s:s}", "task", reha_json_string(result, "task", "")), err);
}

reha_status reha_clinic_set_aside(reha_clinic *clinic, const reha_actor *actor, const char *result_id,
                                  int64_t if_study_version, const json_t *in, json_t **out, reha_error *err)
{
    const char *reason = NULL;
    clinic_write write;
    json_t *result = NULL;
    json_t *study = NULL;
    reha_status status = REHA_OK;
    bool is_new = false;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_REVIEW, err));
    REHA_TRY(clinic_check_members(in, "reason", err));
    REHA_TRY(clinic_text(in, "reason", true, REASON_BYTES, &reason, err));
    if (reason[strspn(reason, " \t\r\n")] == '\0') {
        return reha_fail(err, REHA_E_ARG, "'reason' is blank: say why, the report repeats it");
    }
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(clinic_result_read(write.store, result_id, &result, err));
    const char *study_id = reha_json_string(result, "study_id", "");
    REHA_CHECK(clinic_study_read(write.store, actor, study_id, &study, err));
    is_new = !is_repeat(result, actor, reason);
    if (is_new) {
        REHA_CHECK(clinic_version(study, if_study_version, err));
        REHA_CHECK(check(study, result, err));
        REHA_CHECK(store_aside(&write, actor, result, reason, err));
    }
    REHA_CHECK(clinic_study_read(write.store, actor, study_id, out, err));
done:
    status = clinic_end_with(&write, status, out, err);
    if (status == REHA_OK && is_new) {
        clinic_event_add(clinic, "study", reha_json_string(result, "study_id", ""), NULL, NULL, "set-aside");
    }
    json_decref(result);
    json_decref(study);
    return status;
}
