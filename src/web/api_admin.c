/* Models, users, settings, the audit log and backups. */
#include "web/call_priv.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#define ID call->match.params[0]

reha_status reha_web_models(reha_call *call, reha_error *err)
{
    json_t *models = NULL;
    REHA_TRY(reha_clinic_models(call->clinic, &call->actor, &models, err));
    return reha_call_json(call, 200, models, err);
}

reha_status reha_web_model_card(reha_call *call, reha_error *err)
{
    json_t *card = NULL;
    REHA_TRY(reha_clinic_model_card(call->clinic, &call->actor, ID, &card, err));
    return reha_call_json(call, 200, card, err);
}

reha_status reha_web_users(reha_call *call, reha_error *err)
{
    json_t *users = NULL;
    REHA_TRY(reha_clinic_users(call->clinic, &call->actor, &users, err));
    return reha_call_json(call, 200, users, err);
}

reha_status reha_web_user_add(reha_call *call, reha_error *err)
{
    json_t *user = NULL;
    REHA_TRY(reha_clinic_user_add(call->clinic, &call->actor, call->in, &user, err));
    return reha_call_json(call, 201, user, err);
}

reha_status reha_web_user_change(reha_call *call, reha_error *err)
{
    json_t *user = NULL;
    REHA_TRY(reha_clinic_user_change(call->clinic, &call->actor, ID, call->if_version, call->in, &user, err));
    return reha_call_json(call, 200, user, err);
}

reha_status reha_web_tokens(reha_call *call, reha_error *err)
{
    json_t *tokens = NULL;
    REHA_TRY(reha_clinic_tokens(call->clinic, &call->actor, &tokens, err));
    return reha_call_json(call, 200, tokens, err);
}

/* The one time that the token is shown: no cache keeps it. */
reha_status reha_web_token_add(reha_call *call, reha_error *err)
{
    char text[REHA_ACCESS_TOKEN_BYTES];
    json_t *token = NULL;
    REHA_TRY(reha_clinic_token_add(call->clinic, &call->actor, call->in, text, &token, err));
    if (json_object_set_new(token, "token", json_string(text)) != 0) {
        json_decref(token);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the token: revoke it and make a new one");
    }
    REHA_TRY(reha_call_json(call, 201, token, err));
    call->response.cache = NULL;
    call->response.etag[0] = '\0';
    return REHA_OK;
}

reha_status reha_web_token_revoke(reha_call *call, reha_error *err)
{
    json_t *token = NULL;
    REHA_TRY(reha_clinic_token_revoke(call->clinic, &call->actor, ID, &token, err));
    return reha_call_json(call, 200, token, err);
}

reha_status reha_web_settings(reha_call *call, reha_error *err)
{
    json_t *settings = NULL;
    REHA_TRY(reha_clinic_settings(call->clinic, &call->actor, &settings, err));
    return reha_call_json(call, 200, settings, err);
}

reha_status reha_web_settings_save(reha_call *call, reha_error *err)
{
    json_t *settings = NULL;
    REHA_TRY(
        reha_clinic_settings_save(call->clinic, &call->actor, call->if_version, call->in, &settings, err));
    return reha_call_json(call, 200, settings, err);
}

reha_status reha_web_audit(reha_call *call, reha_error *err)
{
    reha_query query;
    json_t *list = NULL;
    REHA_TRY(reha_call_list_query(call, &query, err));
    REHA_TRY(reha_clinic_audit(call->clinic, &call->actor, &query, &list, err));
    return reha_call_json(call, 200, list, err);
}

reha_status reha_web_audit_verify(reha_call *call, reha_error *err)
{
    const char *blobs = reha_call_query(call, "blobs");
    json_t *verdict = NULL;
    REHA_TRY(reha_clinic_audit_verify(call->clinic, &call->actor, blobs != NULL && strcmp(blobs, "1") == 0,
                                      &verdict, err));
    return reha_call_json(call, 200, verdict, err);
}

reha_status reha_web_audit_export(reha_call *call, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    REHA_TRY(reha_clinic_audit_export(call->clinic, &call->actor, &bytes, &count, err));
    reha_call_bytes(call, "application/jsonl", bytes, count);
    (void)snprintf(call->response.file_name, sizeof call->response.file_name, "audit.jsonl");
    return REHA_OK;
}

/* The folder's name is ours: a web request must not choose where the server writes. */
reha_status reha_web_backup(reha_call *call, reha_error *err)
{
    const char *root = call->web->options.backup_folder;
    char stamp[REHA_TIMESTAMP_BYTES];
    char name[REHA_TIMESTAMP_BYTES + 16];
    json_t *answer = NULL;
    if (root == NULL) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "this server was started without a folder for backups");
    }
    if (!reha_role_may(call->actor.role, REHA_MAY_ADMINISTER)) {
        return reha_fail(err, REHA_E_DENIED, "the role '%s' makes no backups",
                         reha_role_name(call->actor.role));
    }
    REHA_TRY(reha_folder_make(root, err));
    reha_clock_timestamp(stamp);
    for (char *c = stamp; *c != '\0'; c++) {
        *c = *c == ':' || *c == '.' ? '-' : *c;
    }
    (void)snprintf(name, sizeof name, "backup-%s", stamp);
    char *folder = reha_path_join(root, name);
    if (folder == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory while naming the backup");
    }
    const reha_status status = reha_clinic_backup(call->clinic, &call->actor, folder, &answer, err);
    reha_free(folder);
    REHA_TRY(status);
    return reha_call_json(call, 201, answer, err);
}

/* ---- reports on their way to the archive ---- */

reha_status reha_web_outbox(reha_call *call, reha_error *err)
{
    json_t *list = NULL;
    REHA_TRY(reha_clinic_outbox(call->clinic, &call->actor, reha_call_query(call, "state"), &list, err));
    return reha_call_json(call, 200, list, err);
}

reha_status reha_web_outbox_again(reha_call *call, reha_error *err)
{
    int64_t count = 0;
    const char *id = call->match.route->variant == OUTBOX_ALL ? NULL : ID;
    REHA_TRY(reha_clinic_outbox_again(call->clinic, &call->actor, id, &count, err));
    return reha_call_json(call, 200, json_pack("{s:I}", "again", (json_int_t)count), err);
}

reha_status reha_web_outbox_give_up(reha_call *call, reha_error *err)
{
    REHA_TRY(reha_clinic_outbox_give_up(call->clinic, &call->actor, ID, err));
    return reha_call_json(call, 200, json_pack("{s:i}", "given_up", 1), err);
}
