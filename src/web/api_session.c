/* Who is there: first account, signing in and out, one-time codes; and what anybody may ask. */
#include "web/call_priv.h"

#include <stdio.h>

reha_status reha_web_health(reha_call *call, reha_error *err)
{
    json_t *archive = NULL;
    REHA_TRY(reha_clinic_outbox_care(call->clinic, &archive, err));
    return reha_call_json(call, 200, json_pack("{s:b, s:o}", "ok", 1, "archive", archive), err);
}

reha_status reha_web_state(reha_call *call, reha_error *err)
{
    json_t *state = NULL;
    REHA_TRY(reha_clinic_state(call->clinic, &state, err));
    return reha_call_json(call, 200, state, err);
}

reha_status reha_web_openapi(reha_call *call, reha_error *err)
{
    json_t *description = NULL;
    REHA_TRY(reha_openapi(call->web->routes, call->web->route_count, &description, err));
    return reha_call_json(call, 200, description, err);
}

reha_status reha_web_setup(reha_call *call, reha_error *err)
{
    json_t *user = NULL;
    REHA_TRY(reha_clinic_setup(call->clinic, call->in, &user, err));
    return reha_call_json(call, 201, user, err);
}

/* HttpOnly: no script reads it. Strict: no other site's page makes a browser send it. */
static void set_cookie(reha_call *call, const char *token)
{
    const char *secure = call->request->is_secure ? "; Secure" : "";
    (void)snprintf(call->response.cookie, sizeof call->response.cookie,
                   REHA_COOKIE_NAME "=%s; Path=/; HttpOnly; SameSite=Strict%s%s", token, secure,
                   token[0] == '\0' ? "; Max-Age=0" : "");
}

reha_status reha_web_sign_in(reha_call *call, reha_error *err)
{
    json_t *session = NULL;
    char token[REHA_TOKEN_BYTES] = "";
    if (atomic_fetch_add(&call->web->sign_in_count, 1) >= call->web->options.sign_ins_max) {
        (void)atomic_fetch_sub(&call->web->sign_in_count, 1);
        return reha_fail(err, REHA_E_BUSY,
                         "too many people sign in at this moment: try again in a few seconds");
    }
    const reha_status status = reha_clinic_sign_in(call->clinic, call->in, token, &session, err);
    (void)atomic_fetch_sub(&call->web->sign_in_count, 1);
    REHA_TRY(status);
    REHA_TRY(reha_call_json(call, 201, session, err));
    set_cookie(call, token);
    call->response.cache = NULL;
    return REHA_OK;
}

reha_status reha_web_session(reha_call *call, reha_error *err)
{
    REHA_TRY(reha_call_json(call, 200, json_incref(call->session), err));
    call->response.cache = NULL;
    return REHA_OK;
}

static reha_status answer_nothing(reha_call *call)
{
    call->response.code = 204;
    return REHA_OK;
}

reha_status reha_web_sign_out(reha_call *call, reha_error *err)
{
    REHA_TRY(reha_clinic_sign_out(call->clinic, &call->actor, err));
    set_cookie(call, "");
    return answer_nothing(call);
}

reha_status reha_web_password(reha_call *call, reha_error *err)
{
    REHA_TRY(reha_clinic_password_change(call->clinic, &call->actor, call->in, err));
    return answer_nothing(call);
}

reha_status reha_web_totp_begin(reha_call *call, reha_error *err)
{
    json_t *secret = NULL;
    REHA_TRY(reha_clinic_totp_begin(call->clinic, &call->actor, &secret, err));
    REHA_TRY(reha_call_json(call, 200, secret, err));
    call->response.cache = NULL;
    return REHA_OK;
}

reha_status reha_web_totp_confirm(reha_call *call, reha_error *err)
{
    REHA_TRY(reha_clinic_totp_confirm(call->clinic, &call->actor, call->in, err));
    return answer_nothing(call);
}

reha_status reha_web_totp_off(reha_call *call, reha_error *err)
{
    REHA_TRY(reha_clinic_totp_off(call->clinic, &call->actor, call->in, err));
    return answer_nothing(call);
}
