/* Access tokens: how a program that belongs to another system shows who it is. */
#include "service/clinic_priv.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* "rht_", the token's id, "_", and 32 random bytes as text. */
static const char MARK[] = "rht_";
static const char REFUSAL[] = "this access token is not known, or its secret is wrong";
enum {
    MARK_BYTES = sizeof MARK - 1,
    ID_CHARS = REHA_IDENTIFIER_BYTES - 1,
    SECRET_CHARS = REHA_TOKEN_TEXT_BYTES - 1,
    TEXT_CHARS = MARK_BYTES + ID_CHARS + 1 + SECRET_CHARS,
    NAME_MAX_BYTES = 64,
    DAYS = 365,
    SECONDS_PER_DAY = 86400,
    SECONDS_PER_MINUTE = 60,
    USED_EVERY_S = 60
};
_Static_assert((int)TEXT_CHARS < (int)REHA_ACCESS_TOKEN_BYTES, "a token's text fits its place");

static int64_t integer_of(const json_t *row, const char *key)
{
    return json_integer_value(json_object_get(row, key));
}

/* The times of the table as all records tell them. */
static void tell_times(json_t *token)
{
    char text[REHA_TIMESTAMP_BYTES];
    const int64_t expires_s = integer_of(token, "expires_s");
    reha_timestamp_of(expires_s, 0, text);
    (void)json_object_set_new(token, "expires_at", json_string(text));
    reha_timestamp_of(integer_of(token, "used_s"), 0, text);
    const bool was_used = json_is_integer(json_object_get(token, "used_s"));
    (void)json_object_set_new(token, "last_used_at", was_used ? json_string(text) : json_null());
    (void)json_object_set_new(
        token, "active",
        json_boolean(json_is_null(json_object_get(token, "revoked_at")) && expires_s > (int64_t)time(NULL)));
    (void)json_object_del(token, "expires_s");
    (void)json_object_del(token, "used_s");
}

static reha_status read_record(reha_store *store, const char *id, json_t **out, reha_error *err)
{
    REHA_TRY(reha_store_row(store, REHA_SQL_TOKEN, REHA_BIND(reha_of_text(id)), out, err));
    tell_times(*out);
    return REHA_OK;
}

reha_status reha_clinic_tokens(reha_clinic *clinic, const reha_actor *actor, json_t **out, reha_error *err)
{
    json_t *rows = NULL;
    json_t *row = NULL;
    size_t i = 0;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_USERS, err));
    REHA_TRY(clinic_rows(clinic, REHA_SQL_TOKENS, REHA_BIND_NONE, &rows, err));
    json_array_foreach(rows, i, row)
    {
        tell_times(row);
    }
    *out = json_pack("{s:o, s:n, s:I}", "items", rows, "next", "total", (json_int_t)json_array_size(rows));
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the access tokens");
}

reha_status reha_clinic_token_add(reha_clinic *clinic, const reha_actor *actor, const json_t *in,
                                  char text[REHA_ACCESS_TOKEN_BYTES], json_t **out, reha_error *err)
{
    const char *name = NULL;
    const char *role = NULL;
    double days = 0.0;
    char id[REHA_IDENTIFIER_BYTES];
    char secret[REHA_TOKEN_TEXT_BYTES];
    char hash[REHA_DIGEST_TEXT_BYTES];
    char now[REHA_TIMESTAMP_BYTES];
    clinic_write write;
    reha_status status = REHA_OK;
    *out = NULL;
    text[0] = '\0';
    REHA_TRY(clinic_may(actor, REHA_MAY_USERS, err));
    REHA_TRY(clinic_check_members(in, "name role days", err));
    REHA_TRY(clinic_text(in, "name", true, NAME_MAX_BYTES, &name, err));
    REHA_TRY(clinic_word(in, "role", true, "read-only researcher", &role, err));
    REHA_TRY(clinic_number(in, "days", false, 1.0, REHA_ACCESS_DAYS_MAX, &days, err));
    days = days == days ? days : DAYS;
    const int64_t expires_s = (int64_t)time(NULL) + (int64_t)(days * SECONDS_PER_DAY);
    reha_identifier_new(id);
    reha_token_new(secret);
    reha_digest_bytes(secret, strlen(secret), hash);
    reha_clock_timestamp(now);
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(
        reha_store_do(write.store, REHA_SQL_TOKEN_ADD,
                      REHA_BIND(reha_of_text(id), reha_of_text(name), reha_of_text(role), reha_of_text(hash),
                                reha_of_text(actor->user_id), reha_of_text(now), reha_of_int(expires_s)),
                      NULL, err));
    REHA_CHECK(clinic_note(&write, actor, "token.add", "token", id, json_pack("{s:s}", "role", role), err));
    REHA_CHECK(read_record(write.store, id, out, err));
done:
    status = clinic_end_with(&write, status, out, err);
    if (status == REHA_OK) {
        (void)snprintf(text, REHA_ACCESS_TOKEN_BYTES, "%s%s_%s", MARK, id, secret);
    }
    reha_wipe(secret, sizeof secret);
    return status;
}

reha_status reha_clinic_token_revoke(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                     json_t **out, reha_error *err)
{
    char now[REHA_TIMESTAMP_BYTES];
    int64_t changed = 0;
    clinic_write write;
    json_t *row = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_USERS, err));
    reha_clock_timestamp(now);
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    status = read_record(write.store, id, &row, err);
    if (status == REHA_E_NOT_FOUND) {
        (void)reha_fail(err, status, "no such access token");
    }
    REHA_CHECK(status);
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_TOKEN_REVOKE,
                             REHA_BIND(reha_of_text(id), reha_of_text(now)), &changed, err));
    if (changed == 0) {
        status = reha_fail(err, REHA_E_CONFLICT, "this access token was revoked already");
        goto done;
    }
    REHA_CHECK(clinic_note(&write, actor, "token.revoke", "token", id, NULL, err));
    REHA_CHECK(read_record(write.store, id, out, err));
done:
    json_decref(row);
    return clinic_end_with(&write, status, out, err);
}

/* ---- showing one ---- */

/* The tries are read again where nobody else writes, so that those that come at once are all counted. */
static reha_status count_failure(reha_clinic *clinic, const char *id, reha_error *err)
{
    clinic_write write;
    json_t *row = NULL;
    reha_status status = REHA_OK;
    const reha_actor nobody = reha_actor_nobody();
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(reha_store_row(write.store, REHA_SQL_TOKEN_SECRETS, REHA_BIND(reha_of_text(id)), &row, err));
    const int64_t tries = integer_of(row, "failed_tries") + 1;
    const int64_t locked_s = clinic_locked_until_s(clinic, tries);
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_TOKEN_FAILED,
                             REHA_BIND(reha_of_text(id), reha_of_int(tries), reha_of_int(locked_s)), NULL,
                             err));
    REHA_CHECK(clinic_note(&write, &nobody, locked_s > 0 ? "token.locked" : "token.refused", "token", id,
                           NULL, err));
done:
    json_decref(row);
    return clinic_end(&write, status, err);
}

static reha_status note_use(reha_clinic *clinic, const char *id, reha_error *err)
{
    clinic_write write;
    REHA_TRY(clinic_begin(clinic, false, &write, err));
    return clinic_end(&write,
                      reha_store_do(write.store, REHA_SQL_TOKEN_USED,
                                    REHA_BIND(reha_of_text(id), reha_of_int((int64_t)time(NULL))), NULL, err),
                      err);
}

static reha_status check_token(reha_clinic *clinic, const json_t *row, const char *secret, reha_error *err)
{
    char hash[REHA_DIGEST_TEXT_BYTES];
    const int64_t now_s = time(NULL);
    const int64_t wait_s = integer_of(row, "locked_until_s") - now_s;
    const char *right = reha_json_string(row, "secret_hash", "");
    if (wait_s > 0) {
        return reha_fail(err, REHA_E_BUSY,
                         "too many wrong secrets for this access token: try again in %lld minutes",
                         (long long)((wait_s + SECONDS_PER_MINUTE - 1) / SECONDS_PER_MINUTE));
    }
    reha_digest_bytes(secret, strlen(secret), hash);
    if (strlen(right) != sizeof hash - 1 || !reha_equal_constant_time(hash, right, sizeof hash - 1)) {
        REHA_TRY(count_failure(clinic, reha_json_string(row, "id", ""), err));
        return reha_fail(err, REHA_E_SIGNED_OUT, "%s", REFUSAL);
    }
    if (!json_is_null(json_object_get(row, "revoked_at"))) {
        return reha_fail(err, REHA_E_SIGNED_OUT, "this access token was revoked: ask for a new one");
    }
    if (integer_of(row, "expires_s") <= now_s) {
        return reha_fail(err, REHA_E_SIGNED_OUT, "this access token has expired: ask for a new one");
    }
    return REHA_OK;
}

reha_status reha_clinic_token_actor(reha_clinic *clinic, const char *text, reha_actor *actor, reha_error *err)
{
    char id[REHA_ID_BYTES] = "";
    json_t *row = NULL;
    *actor = reha_actor_nobody();
    if (text == NULL || strlen(text) != TEXT_CHARS || strncmp(text, MARK, MARK_BYTES) != 0 ||
        text[MARK_BYTES + ID_CHARS] != '_') {
        return reha_fail(err, REHA_E_SIGNED_OUT, "%s", REFUSAL);
    }
    memcpy(id, text + MARK_BYTES, ID_CHARS);
    reha_store *store = clinic_read(clinic);
    reha_status status =
        reha_store_row(store, REHA_SQL_TOKEN_SECRETS, REHA_BIND(reha_of_text(id)), &row, err);
    clinic_read_end(clinic, store);
    if (status == REHA_E_NOT_FOUND) {
        return reha_fail(err, REHA_E_SIGNED_OUT, "%s", REFUSAL);
    }
    REHA_TRY(status);
    status = check_token(clinic, row, text + MARK_BYTES + ID_CHARS + 1, err);
    const bool is_noted = integer_of(row, "failed_tries") == 0 &&
                          (int64_t)time(NULL) - integer_of(row, "used_s") < USED_EVERY_S;
    if (status == REHA_OK && !is_noted) {
        status = note_use(clinic, id, err);
    }
    if (status == REHA_OK) {
        actor->role = reha_role_find(reha_json_string(row, "role", ""));
        memcpy(actor->user_id, id, sizeof actor->user_id);
        memcpy(actor->session_id, id, sizeof actor->session_id);
    }
    json_decref(row);
    return status;
}
