#include "service/clinic_priv.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Of no password: verified when there is no such user, so that the answer takes as long as for a wrong
 * password. */
static const char NOBODYS_HASH[] =
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$YJJUrmEXUn3Cjz3cnjm0PlkcS1iKDrl2XSpCFUT0mzo";
static const char REFUSAL[] = "name and password do not match";
enum {
    NAME_MAX_BYTES = 64,
    PASSWORD_MAX_BYTES = 256,
    LOCK_MINUTES_MAX = 60,
    SEEN_EVERY_S = 60,
    SECONDS_PER_MINUTE = 60,
    SECONDS_PER_HOUR = 3600
};

static int64_t integer_of(const json_t *row, const char *key)
{
    return json_integer_value(json_object_get(row, key));
}

static void hash_token(const char *token, char out[REHA_DIGEST_TEXT_BYTES])
{
    reha_digest_bytes(token, strlen(token), out);
}

static void make_csrf(const char *token, char out[REHA_DIGEST_TEXT_BYTES])
{
    char text[REHA_TOKEN_BYTES + 8];
    const int length = snprintf(text, sizeof text, "csrf|%s", token);
    reha_digest_bytes(text, (size_t)length, out);
}

bool reha_clinic_csrf_fits(const char *token, const char *csrf)
{
    char right[REHA_DIGEST_TEXT_BYTES];
    if (token == NULL || csrf == NULL || strlen(token) >= REHA_TOKEN_BYTES ||
        strlen(csrf) != sizeof right - 1) {
        return false;
    }
    make_csrf(token, right);
    return reha_equal_constant_time(right, csrf, sizeof right - 1);
}

static int64_t ends_at(const reha_clinic *clinic, int64_t created_s, int64_t seen_s)
{
    const int64_t by_idle = seen_s + (int64_t)(clinic->limits.session_idle_min * SECONDS_PER_MINUTE);
    const int64_t by_age = created_s + (int64_t)(clinic->limits.session_hours_max * SECONDS_PER_HOUR);
    return by_idle < by_age ? by_idle : by_age;
}

static reha_status session_json(reha_store *store, const char *user_id, const char *token, int64_t expires_s,
                                json_t **out, reha_error *err)
{
    char csrf[REHA_DIGEST_TEXT_BYTES];
    char expires[REHA_TIMESTAMP_BYTES];
    json_t *user = NULL;
    REHA_TRY(reha_store_row(store, REHA_SQL_USER, REHA_BIND(reha_of_text(user_id)), &user, err));
    json_t *may = json_array();
    const reha_role role = reha_role_find(reha_json_string(user, "role", ""));
    for (int i = 0; i < REHA_PERMISSION_COUNT; i++) {
        if (reha_role_may(role, (reha_permission)i)) {
            (void)json_array_append_new(may, json_string(reha_permission_name((reha_permission)i)));
        }
    }
    make_csrf(token, csrf);
    reha_timestamp_of(expires_s, 0, expires);
    *out = json_pack("{s:o, s:o, s:s, s:s}", "user", user, "permissions", may, "csrf", csrf, "expires_at",
                     expires);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a session");
}

/* ---- signing in ---- */

typedef struct sign_in_try {
    const char *name;
    const char *password;
    const char *code;
    char user_id[REHA_ID_BYTES];
    reha_role role;
    int64_t totp_step;
} sign_in_try;

int64_t clinic_locked_until_s(const reha_clinic *clinic, int64_t tries)
{
    const int64_t over = tries - clinic->limits.sign_in_tries;
    if (over < 0) {
        return 0;
    }
    const int64_t minutes = over < 6 ? (int64_t)1 << over : LOCK_MINUTES_MAX;
    return time(NULL) + minutes * SECONDS_PER_MINUTE;
}

static reha_status count_failure(reha_clinic *clinic, const json_t *user, reha_error *err)
{
    clinic_write write;
    const int64_t tries = integer_of(user, "failed_tries") + 1;
    const int64_t locked_s = clinic_locked_until_s(clinic, tries);
    const char *id = reha_json_string(user, "id", "");
    const reha_actor nobody = reha_actor_nobody();
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    reha_status status =
        reha_store_do(write.store, REHA_SQL_USER_FAILED,
                      REHA_BIND(reha_of_text(id), reha_of_int(tries), reha_of_int(locked_s)), NULL, err);
    if (status == REHA_OK) {
        status = clinic_note(&write, &nobody, locked_s > 0 ? "session.locked" : "session.refused", "user", id,
                             NULL, err);
    }
    return clinic_end(&write, status, err);
}

static reha_status check_code(reha_clinic *clinic, const json_t *user, sign_in_try *given, reha_error *err)
{
    uint8_t secret[REHA_TOTP_SECRET_BYTES];
    given->totp_step = integer_of(user, "totp_step");
    if (integer_of(user, "totp_on") == 0) {
        return REHA_OK;
    }
    if (given->code == NULL) {
        return reha_fail(err, REHA_E_SIGNED_OUT, "a one-time code is needed");
    }
    int64_t step = 0;
    REHA_TRY(reha_secret_open(clinic->keys.totp, reha_json_string(user, "totp_secret", ""), secret,
                              sizeof secret, err));
    const bool fits = reha_totp_fits(secret, time(NULL), given->code, &step) && step > given->totp_step;
    reha_wipe(secret, sizeof secret);
    if (!fits) {
        REHA_TRY(count_failure(clinic, user, err));
        return reha_fail(err, REHA_E_SIGNED_OUT, "the one-time code does not fit, or was used before");
    }
    given->totp_step = step;
    return REHA_OK;
}

/* With hash_lock held: tries of one account one after the other, so that they are counted. */
static reha_status check_password(reha_clinic *clinic, sign_in_try *given, reha_error *err)
{
    json_t *user = NULL;
    reha_status status =
        clinic_row(clinic, REHA_SQL_USER_SECRETS, REHA_BIND(reha_of_text(given->name)), "user", &user, err);
    if (status == REHA_E_NOT_FOUND) {
        (void)reha_password_fits(given->password, NOBODYS_HASH);
        return reha_fail(err, REHA_E_SIGNED_OUT, "%s", REFUSAL);
    }
    REHA_TRY(status);
    const int64_t wait_s = integer_of(user, "locked_until_s") - time(NULL);
    if (wait_s > 0) {
        status = reha_fail(err, REHA_E_BUSY, "too many failed tries: try again in %lld minutes",
                           (long long)((wait_s + SECONDS_PER_MINUTE - 1) / SECONDS_PER_MINUTE));
        goto done;
    }
    const bool fits = reha_password_fits(given->password, reha_json_string(user, "password_hash", ""));
    if (!fits || integer_of(user, "active") == 0) {
        REHA_CHECK(count_failure(clinic, user, err));
        status = reha_fail(err, REHA_E_SIGNED_OUT, "%s", REFUSAL);
        goto done;
    }
    REHA_CHECK(check_code(clinic, user, given, err));
    (void)snprintf(given->user_id, sizeof given->user_id, "%s", reha_json_string(user, "id", ""));
    given->role = reha_role_find(reha_json_string(user, "role", ""));
done:
    json_decref(user);
    return status;
}

static reha_status open_session(reha_clinic *clinic, const sign_in_try *given, char token[REHA_TOKEN_BYTES],
                                json_t **out, reha_error *err)
{
    char hash[REHA_DIGEST_TEXT_BYTES];
    char now[REHA_TIMESTAMP_BYTES];
    clinic_write write;
    reha_status status = REHA_OK;
    const int64_t now_s = time(NULL);
    reha_actor actor = {.role = given->role};
    memcpy(actor.user_id, given->user_id, sizeof actor.user_id);
    reha_identifier_new(actor.session_id);
    reha_token_new(token);
    hash_token(token, hash);
    reha_clock_timestamp(now);
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    const int64_t forget_s = now_s - 2 * (int64_t)(clinic->limits.session_hours_max * SECONDS_PER_HOUR);
    REHA_CHECK(
        reha_store_do(write.store, REHA_SQL_SESSIONS_FORGET, REHA_BIND(reha_of_int(forget_s)), NULL, err));
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_SESSION_ADD,
                             REHA_BIND(reha_of_text(actor.session_id), reha_of_text(hash),
                                       reha_of_text(actor.user_id), reha_of_int(now_s)),
                             NULL, err));
    REHA_CHECK(reha_store_do(
        write.store, REHA_SQL_USER_SIGNED_IN,
        REHA_BIND(reha_of_text(actor.user_id), reha_of_text(now), reha_of_int(given->totp_step)), NULL, err));
    REHA_CHECK(clinic_note(&write, &actor, "session.open", "session", actor.session_id, NULL, err));
    REHA_CHECK(session_json(write.store, actor.user_id, token, ends_at(clinic, now_s, now_s), out, err));
done:
    status = clinic_end_with(&write, status, out, err);
    if (status != REHA_OK) {
        token[0] = '\0';
    }
    return status;
}

reha_status reha_clinic_sign_in(reha_clinic *clinic, const json_t *in, char token[REHA_TOKEN_BYTES],
                                json_t **out, reha_error *err)
{
    sign_in_try given = {.role = REHA_ROLE_NONE};
    *out = NULL;
    token[0] = '\0';
    REHA_TRY(clinic_check_members(in, "name password code", err));
    REHA_TRY(clinic_text(in, "name", true, NAME_MAX_BYTES, &given.name, err));
    REHA_TRY(clinic_text(in, "password", true, PASSWORD_MAX_BYTES, &given.password, err));
    REHA_TRY(clinic_text(in, "code", false, 10, &given.code, err));
    reha_mutex_lock(clinic->hash_lock);
    reha_status status = check_password(clinic, &given, err);
    if (status == REHA_OK) {
        status = open_session(clinic, &given, token, out, err);
    }
    reha_mutex_unlock(clinic->hash_lock);
    reha_log(REHA_LOG_INFO, "session.sign_in", "user=%s status=%s", given.user_id, reha_status_name(status));
    return status;
}

reha_status reha_clinic_session(reha_clinic *clinic, const char *token, reha_actor *actor, json_t **out,
                                reha_error *err)
{
    char hash[REHA_DIGEST_TEXT_BYTES];
    json_t *row = NULL;
    *actor = reha_actor_nobody();
    if (out != NULL) {
        *out = NULL;
    }
    if (token == NULL || strlen(token) != REHA_TOKEN_TEXT_BYTES - 1) {
        return reha_fail(err, REHA_E_SIGNED_OUT, "sign in first");
    }
    hash_token(token, hash);
    reha_store *store = clinic_read(clinic);
    reha_status status = reha_store_row(store, REHA_SQL_SESSION, REHA_BIND(reha_of_text(hash)), &row, err);
    const int64_t now_s = time(NULL);
    const int64_t end_s = ends_at(clinic, integer_of(row, "created_s"), integer_of(row, "seen_s"));
    if (status == REHA_E_NOT_FOUND || (status == REHA_OK && now_s >= end_s)) {
        status = reha_fail(err, REHA_E_SIGNED_OUT, "the session ended: sign in again");
    }
    if (status == REHA_OK) {
        (void)snprintf(actor->user_id, sizeof actor->user_id, "%s", reha_json_string(row, "user_id", ""));
        (void)snprintf(actor->session_id, sizeof actor->session_id, "%s", reha_json_string(row, "id", ""));
        actor->role = reha_role_find(reha_json_string(row, "role", ""));
        status = out != NULL ? session_json(store, actor->user_id, token,
                                            ends_at(clinic, integer_of(row, "created_s"), now_s), out, err)
                             : REHA_OK;
    }
    clinic_read_end(clinic, store);
    if (status == REHA_OK && now_s - integer_of(row, "seen_s") >= SEEN_EVERY_S) {
        clinic_write write;
        status = clinic_begin(clinic, false, &write, err);
        if (status == REHA_OK) {
            status = clinic_end(&write,
                                reha_store_do(write.store, REHA_SQL_SESSION_SEEN,
                                              REHA_BIND(reha_of_text(actor->session_id), reha_of_int(now_s)),
                                              NULL, err),
                                err);
        }
    }
    json_decref(row);
    return status;
}

reha_status reha_clinic_sign_out(reha_clinic *clinic, const reha_actor *actor, reha_error *err)
{
    clinic_write write;
    reha_status status = REHA_OK;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_SESSION_END, REHA_BIND(reha_of_text(actor->session_id)),
                             NULL, err));
    REHA_CHECK(clinic_note(&write, actor, "session.close", "session", actor->session_id, NULL, err));
done:
    return clinic_end(&write, status, err);
}
