/* Patients, episodes of care, and what is followed over time. */
#include "web/call_priv.h"

#include "base/text.h"

#define ID call->match.params[0]

reha_status reha_web_patients(reha_call *call, reha_error *err)
{
    reha_query query;
    json_t *list = NULL;
    REHA_TRY(reha_call_list_query(call, &query, err));
    REHA_TRY(reha_clinic_patients(call->clinic, &call->actor, &query, &list, err));
    return reha_call_json(call, 200, list, err);
}

reha_status reha_web_patient_add(reha_call *call, reha_error *err)
{
    json_t *patient = NULL;
    REHA_TRY(reha_clinic_patient_add(call->clinic, &call->actor, call->in, &patient, err));
    return reha_call_json(call, 201, patient, err);
}

reha_status reha_web_patient(reha_call *call, reha_error *err)
{
    json_t *patient = NULL;
    REHA_TRY(reha_clinic_patient(call->clinic, &call->actor, ID, &patient, err));
    return reha_call_json(call, 200, patient, err);
}

reha_status reha_web_patient_change(reha_call *call, reha_error *err)
{
    json_t *patient = NULL;
    REHA_TRY(reha_clinic_patient_change(call->clinic, &call->actor, ID, call->if_version, call->in, &patient,
                                        err));
    return reha_call_json(call, 200, patient, err);
}

reha_status reha_web_patient_erase(reha_call *call, reha_error *err)
{
    json_t *report = NULL;
    REHA_TRY(reha_clinic_erase(call->clinic, &call->actor, ID, call->if_version, call->in, &report, err));
    reha_thumbs_clear(call->web->thumbs);
    return reha_call_json(call, 200, report, err);
}

reha_status reha_web_episode_add(reha_call *call, reha_error *err)
{
    json_t *episode = NULL;
    REHA_TRY(reha_clinic_episode_add(call->clinic, &call->actor, ID, call->in, &episode, err));
    return reha_call_json(call, 201, episode, err);
}

reha_status reha_web_episode_change(reha_call *call, reha_error *err)
{
    json_t *episode = NULL;
    REHA_TRY(reha_clinic_episode_change(call->clinic, &call->actor, ID, call->if_version, call->in, &episode,
                                        err));
    return reha_call_json(call, 200, episode, err);
}

reha_status reha_web_series(reha_call *call, reha_error *err)
{
    json_t *series = NULL;
    REHA_TRY(reha_clinic_series(call->clinic, &call->actor, ID, &series, err));
    return reha_call_json(call, 200, series, err);
}

reha_status reha_web_score_add(reha_call *call, reha_error *err)
{
    json_t *score = NULL;
    REHA_TRY(reha_clinic_score_add(call->clinic, &call->actor, ID, call->in, &score, err));
    return reha_call_json(call, 201, score, err);
}

reha_status reha_web_score_withdraw(reha_call *call, reha_error *err)
{
    json_t *score = NULL;
    REHA_TRY(reha_clinic_score_withdraw(call->clinic, &call->actor, ID, call->in, &score, err));
    return reha_call_json(call, 200, score, err);
}

reha_status reha_web_plans(reha_call *call, reha_error *err)
{
    json_t *plans = NULL;
    REHA_TRY(reha_clinic_plans(call->clinic, &call->actor, ID, &plans, err));
    return reha_call_json(call, 200, plans, err);
}

reha_status reha_web_plan_add(reha_call *call, reha_error *err)
{
    json_t *plan = NULL;
    REHA_TRY(
        reha_clinic_plan_save(call->clinic, &call->actor, ID, NULL, REHA_ANY_VERSION, call->in, &plan, err));
    return reha_call_json(call, 201, plan, err);
}

reha_status reha_web_plan(reha_call *call, reha_error *err)
{
    int64_t version = 0;
    json_t *plan = NULL;
    REHA_TRY(reha_http_query_integer(call->request, "version", 1, 1000000, REHA_ANY_VERSION, &version, err));
    REHA_TRY(reha_clinic_plan(call->clinic, &call->actor, ID, version, &plan, err));
    return reha_call_json(call, 200, plan, err);
}

reha_status reha_web_plan_save(reha_call *call, reha_error *err)
{
    json_t *plan = NULL;
    REHA_TRY(reha_clinic_plan_save(call->clinic, &call->actor, ID, call->match.params[1], call->if_version,
                                   call->in, &plan, err));
    return reha_call_json(call, 200, plan, err);
}

reha_status reha_web_predictions(reha_call *call, reha_error *err)
{
    json_t *predictions = NULL;
    REHA_TRY(reha_clinic_predictions(call->clinic, &call->actor, ID, &predictions, err));
    return reha_call_json(call, 200, predictions, err);
}

reha_status reha_web_prediction_add(reha_call *call, reha_error *err)
{
    json_t *prediction = NULL;
    REHA_TRY(reha_clinic_prediction_add(call->clinic, &call->actor, ID, call->in, &prediction, err));
    return reha_call_json(call, 201, prediction, err);
}
