/* What the clinic works out for a patient: plans by the rules, predictions by the models, the instruments of
 * scores. */
#include "web/call_priv.h"

#include <stdio.h>

#define ID   call->match.params[0]
#define PLAN call->match.params[1]

reha_status reha_web_instruments(reha_call *call, reha_error *err)
{
    json_t *instruments = NULL;
    REHA_TRY(reha_clinic_instruments(call->clinic, &call->actor, &instruments, err));
    return reha_call_json(call, 200, instruments, err);
}

reha_status reha_web_plan_form(reha_call *call, reha_error *err)
{
    json_t *form = NULL;
    REHA_TRY(reha_clinic_plan_form(call->clinic, &call->actor, ID, reha_call_query(call, "episode_id"),
                                   reha_call_query(call, "plan_id"), &form, err));
    return reha_call_json(call, 200, form, err);
}

reha_status reha_web_plan_make(reha_call *call, reha_error *err)
{
    json_t *plan = NULL;
    REHA_TRY(
        reha_clinic_plan_make(call->clinic, &call->actor, ID, NULL, REHA_ANY_VERSION, call->in, &plan, err));
    return reha_call_json(call, 201, plan, err);
}

reha_status reha_web_plan_make_again(reha_call *call, reha_error *err)
{
    json_t *plan = NULL;
    REHA_TRY(
        reha_clinic_plan_make(call->clinic, &call->actor, ID, PLAN, call->if_version, call->in, &plan, err));
    return reha_call_json(call, 201, plan, err);
}

reha_status reha_web_plan_edit(reha_call *call, reha_error *err)
{
    json_t *plan = NULL;
    REHA_TRY(
        reha_clinic_plan_edit(call->clinic, &call->actor, ID, PLAN, call->if_version, call->in, &plan, err));
    return reha_call_json(call, 201, plan, err);
}

reha_status reha_web_plan_confirm(reha_call *call, reha_error *err)
{
    json_t *plan = NULL;
    REHA_TRY(reha_clinic_plan_confirm(call->clinic, &call->actor, ID, PLAN, call->if_version, call->in, &plan,
                                      err));
    return reha_call_json(call, 201, plan, err);
}

reha_status reha_web_plan_pdf(reha_call *call, reha_error *err)
{
    const reha_plan_paper paper = (reha_plan_paper)call->match.route->variant;
    int64_t version = 0;
    uint8_t *bytes = NULL;
    size_t count = 0;
    REHA_TRY(reha_http_query_integer(call->request, "version", 1, 1000000, REHA_ANY_VERSION, &version, err));
    REHA_TRY(reha_clinic_plan_pdf(call->clinic, &call->actor, ID, version, paper, &bytes, &count, err));
    reha_call_bytes(call, "application/pdf", bytes, count);
    (void)snprintf(call->response.file_name, sizeof call->response.file_name, "%s-%.40s.pdf",
                   paper == REHA_PLAN_FOR_PATIENT ? "exercises" : "plan", ID);
    return REHA_OK;
}

reha_status reha_web_prediction_form(reha_call *call, reha_error *err)
{
    json_t *form = NULL;
    const char *outcome = reha_call_query(call, "outcome");
    if (outcome == NULL) {
        return reha_fail(err, REHA_E_ARG, "'outcome' is needed: which one is predicted?");
    }
    REHA_TRY(reha_clinic_prediction_form(call->clinic, &call->actor, ID, outcome, &form, err));
    return reha_call_json(call, 200, form, err);
}

reha_status reha_web_prediction_make(reha_call *call, reha_error *err)
{
    json_t *prediction = NULL;
    REHA_TRY(reha_clinic_prediction_make(call->clinic, &call->actor, ID, call->in, &prediction, err));
    return reha_call_json(call, 201, prediction, err);
}
