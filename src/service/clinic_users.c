#include "service/clinic_priv.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char USER_SETTING[] = "settings";
enum { NAME_MAX_BYTES = 64, DISPLAY_MAX_BYTES = 120, PASSWORD_MAX_BYTES = 256 };

static int64_t integer_of(const json_t *row, const char *key)
{
    return json_integer_value(json_object_get(row, key));
}

/* ---- users ---- */

static reha_status check_new_password(const reha_clinic *clinic, const char *password, const char *name,
                                      reha_error *err)
{
    if (strlen(password) < (size_t)clinic->limits.password_length_min) {
        return reha_fail(err, REHA_E_ARG, "'password' needs at least %d characters",
                         clinic->limits.password_length_min);
    }
    if (strspn(password, (char[]){password[0], '\0'}) == strlen(password) ||
        (name != NULL && reha_str_equal_nocase(password, name))) {
        return reha_fail(err, REHA_E_ARG, "'password' is too easy to guess");
    }
    return REHA_OK;
}

static bool is_sign_in_name(const char *name)
{
    const size_t allowed = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@");
    return name[allowed] == '\0' && strlen(name) >= 2 && strcmp(name, "local") != 0 &&
           strcmp(name, "system") != 0;
}

static reha_status hash_password(reha_clinic *clinic, const char *password,
                                 char out[REHA_PASSWORD_HASH_BYTES], reha_error *err)
{
    reha_mutex_lock(clinic->hash_lock);
    const reha_status status = reha_password_hash(password, out, err);
    reha_mutex_unlock(clinic->hash_lock);
    return status;
}

static reha_status add_user(clinic_write *write, const reha_actor *actor, const json_t *in, const char *hash,
                            const char *role, json_t **out, reha_error *err)
{
    char id[REHA_IDENTIFIER_BYTES];
    char now[REHA_TIMESTAMP_BYTES];
    const char *name = reha_json_string(in, "name", "");
    const char *display = reha_json_string(in, "display_name", "");
    reha_identifier_new(id);
    reha_clock_timestamp(now);
    const reha_status status = reha_store_do(
        write->store, REHA_SQL_USER_ADD,
        REHA_BIND(reha_of_text(id), reha_of_text(name), reha_of_text(display[0] != '\0' ? display : name),
                  reha_of_text(hash), reha_of_text(role), reha_of_text(now)),
        NULL, err);
    if (status == REHA_E_CONFLICT) {
        return reha_fail(err, status, "there is a user of this name already");
    }
    REHA_TRY(status);
    REHA_TRY(clinic_note(write, actor, "user.add", "user", id, json_pack("{s:s}", "role", role), err));
    return reha_store_row(write->store, REHA_SQL_USER, REHA_BIND(reha_of_text(id)), out, err);
}

static reha_status check_new_user(reha_clinic *clinic, const json_t *in, char hash[REHA_PASSWORD_HASH_BYTES],
                                  reha_error *err)
{
    const char *name = NULL;
    const char *display = NULL;
    const char *password = NULL;
    REHA_TRY(clinic_text(in, "name", true, NAME_MAX_BYTES, &name, err));
    REHA_TRY(clinic_text(in, "display_name", false, DISPLAY_MAX_BYTES, &display, err));
    REHA_TRY(clinic_text(in, "password", true, PASSWORD_MAX_BYTES, &password, err));
    if (!is_sign_in_name(name)) {
        return reha_fail(err, REHA_E_ARG, "'name' takes 2 to %d letters, digits and . _ - @", NAME_MAX_BYTES);
    }
    REHA_TRY(check_new_password(clinic, password, name, err));
    return hash_password(clinic, password, hash, err);
}

reha_status reha_clinic_setup(reha_clinic *clinic, const json_t *in, json_t **out, reha_error *err)
{
    char hash[REHA_PASSWORD_HASH_BYTES];
    clinic_write write;
    reha_status status = REHA_OK;
    int64_t users = 0;
    const char *clinic_name = NULL;
    char *settings = NULL;
    const reha_actor nobody = reha_actor_nobody();
    *out = NULL;
    REHA_TRY(clinic_check_members(in, "name display_name password clinic_name", err));
    REHA_TRY(clinic_text(in, "clinic_name", false, DISPLAY_MAX_BYTES, &clinic_name, err));
    REHA_TRY(check_new_user(clinic, in, hash, err));
    json_t *value = json_pack("{s:s?}", "clinic_name", clinic_name);
    status = reha_json_format(value, &settings, err);
    json_decref(value);
    REHA_TRY(status);
    status = clinic_begin(clinic, true, &write, err);
    if (status != REHA_OK) {
        reha_free(settings);
        return status;
    }
    REHA_CHECK(reha_store_number(write.store, REHA_SQL_USER_COUNT, REHA_BIND_NONE, &users, err));
    if (users > 0) {
        status = reha_fail(err, REHA_E_CONFLICT, "the clinic was set up already: sign in");
        goto done;
    }
    REHA_CHECK(add_user(&write, &nobody, in, hash, reha_role_name(REHA_ROLE_ADMINISTRATOR), out, err));
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_SETTING_ADD,
                             REHA_BIND(reha_of_text(USER_SETTING), reha_of_text(settings)), NULL, err));
done:
    reha_free(settings);
    return clinic_end_with(&write, status, out, err);
}

reha_status reha_clinic_users(reha_clinic *clinic, const reha_actor *actor, json_t **out, reha_error *err)
{
    json_t *rows = NULL;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_USERS, err));
    REHA_TRY(clinic_rows(clinic, REHA_SQL_USERS, REHA_BIND_NONE, &rows, err));
    *out = json_pack("{s:o, s:n, s:I}", "items", rows, "next", "total", (json_int_t)json_array_size(rows));
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the users");
}

reha_status reha_clinic_user_add(reha_clinic *clinic, const reha_actor *actor, const json_t *in, json_t **out,
                                 reha_error *err)
{
    char hash[REHA_PASSWORD_HASH_BYTES];
    clinic_write write;
    const char *role = NULL;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_USERS, err));
    REHA_TRY(clinic_check_members(in, "name display_name password role", err));
    REHA_TRY(clinic_word(in, "role", true, "physiotherapist reviewer administrator researcher read-only",
                         &role, err));
    REHA_TRY(check_new_user(clinic, in, hash, err));
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    return clinic_end_with(&write, add_user(&write, actor, in, hash, role, out, err), out, err);
}

typedef struct user_change {
    const char *display_name, *role, *password; /* NULL: stays */
    int active;                                 /* -1: stays */
    bool ends_totp;
    char hash[REHA_PASSWORD_HASH_BYTES];
} user_change;

static reha_status read_user_change(reha_clinic *clinic, const json_t *in, user_change *out, reha_error *err)
{
    const json_t *active = json_object_get(in, "active");
    const json_t *totp = json_object_get(in, "totp");
    *out = (user_change){.active = active == NULL         ? -1
                                   : json_is_true(active) ? 1
                                                          : 0,
                         .ends_totp = totp != NULL};
    REHA_TRY(clinic_check_members(in, "display_name role active password totp", err));
    REHA_TRY(clinic_text(in, "display_name", false, DISPLAY_MAX_BYTES, &out->display_name, err));
    REHA_TRY(clinic_word(in, "role", false, "physiotherapist reviewer administrator researcher read-only",
                         &out->role, err));
    REHA_TRY(clinic_text(in, "password", false, PASSWORD_MAX_BYTES, &out->password, err));
    if (active != NULL && !json_is_boolean(active)) {
        return reha_fail(err, REHA_E_ARG, "'active' must be true or false");
    }
    if (totp != NULL && !json_is_false(totp)) {
        return reha_fail(err, REHA_E_ARG, "'totp' can only be turned off here (false)");
    }
    if (out->password != NULL) {
        REHA_TRY(check_new_password(clinic, out->password, NULL, err));
        REHA_TRY(hash_password(clinic, out->password, out->hash, err));
    }
    return REHA_OK;
}

static reha_status apply_user_change(clinic_write *write, const reha_actor *actor, const json_t *row,
                                     const user_change *change, reha_error *err)
{
    const char *id = reha_json_string(row, "id", "");
    const char *old_role = reha_json_string(row, "role", "");
    const char *role = change->role != NULL ? change->role : old_role;
    const bool was_active = json_is_true(json_object_get(row, "active"));
    const bool is_active = change->active >= 0 ? change->active == 1 : was_active;
    int64_t others = 0;
    REHA_TRY(reha_store_number(write->store, REHA_SQL_USER_ADMINISTRATORS, REHA_BIND(reha_of_text(id)),
                               &others, err));
    if (others == 0 && was_active && strcmp(old_role, "administrator") == 0 &&
        (!is_active || strcmp(role, "administrator") != 0)) {
        return reha_fail(err, REHA_E_CONFLICT,
                         "this is the last active administrator: make another one first");
    }
    REHA_TRY(reha_store_do(
        write->store, REHA_SQL_USER_CHANGE,
        REHA_BIND(reha_of_text(id),
                  reha_of_text(change->display_name != NULL ? change->display_name
                                                            : reha_json_string(row, "display_name", "")),
                  reha_of_text(role), reha_of_int(is_active ? 1 : 0)),
        NULL, err));
    if (change->password != NULL) {
        REHA_TRY(reha_store_do(write->store, REHA_SQL_USER_PASSWORD,
                               REHA_BIND(reha_of_text(id), reha_of_text(change->hash)), NULL, err));
    }
    if (change->ends_totp) { /* a lost telephone */
        REHA_TRY(reha_store_do(
            write->store, REHA_SQL_USER_TOTP,
            REHA_BIND(reha_of_text(id), reha_of_text(NULL), reha_of_int(0), reha_of_int(0)), NULL, err));
    }
    if (change->password != NULL || !is_active || strcmp(role, old_role) != 0) {
        const bool is_own = strcmp(actor->user_id, id) == 0; /* whoever changes oneself stays signed in */
        REHA_TRY(reha_store_do(write->store, REHA_SQL_SESSIONS_END,
                               REHA_BIND(reha_of_text(id), reha_of_text(is_own ? actor->session_id : "")),
                               NULL, err));
    }
    return clinic_note(write, actor, "user.change", "user", id,
                       json_pack("{s:s, s:b, s:b, s:b}", "role", role, "active", is_active ? 1 : 0,
                                 "password", change->password != NULL ? 1 : 0, "totp_off",
                                 change->ends_totp ? 1 : 0),
                       err);
}

reha_status reha_clinic_user_change(reha_clinic *clinic, const reha_actor *actor, const char *user,
                                    int64_t if_version, const json_t *in, json_t **out, reha_error *err)
{
    user_change change;
    clinic_write write;
    json_t *row = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_USERS, err));
    REHA_TRY(read_user_change(clinic, in, &change, err));
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    status = reha_store_row(write.store, REHA_SQL_USER, REHA_BIND(reha_of_text(user)), &row, err);
    if (status == REHA_E_NOT_FOUND) {
        (void)reha_fail(err, status, "no such user");
    }
    REHA_CHECK(status);
    REHA_CHECK(clinic_version(row, if_version, err));
    REHA_CHECK(apply_user_change(&write, actor, row, &change, err));
    REHA_CHECK(reha_store_row(write.store, REHA_SQL_USER, REHA_BIND(reha_of_text(user)), out, err));
done:
    json_decref(row);
    reha_wipe(&change, sizeof change);
    return clinic_end_with(&write, status, out, err);
}

/* ---- the user's own account ---- */

/* Whoever sits at a page that was left open must not be able to change what guards the account. */
static reha_status check_own_password(reha_clinic *clinic, const reha_actor *actor, const char *password,
                                      json_t **user, reha_error *err)
{
    REHA_TRY(clinic_row(clinic, REHA_SQL_USER_SECRETS, REHA_BIND(reha_of_text(actor->user_id)), "user", user,
                        err));
    reha_mutex_lock(clinic->hash_lock);
    const bool fits = reha_password_fits(password, reha_json_string(*user, "password_hash", ""));
    reha_mutex_unlock(clinic->hash_lock);
    return fits ? REHA_OK : reha_fail(err, REHA_E_DENIED, "the password does not fit");
}

reha_status reha_clinic_password_change(reha_clinic *clinic, const reha_actor *actor, const json_t *in,
                                        reha_error *err)
{
    const char *old_one = NULL;
    const char *new_one = NULL;
    char hash[REHA_PASSWORD_HASH_BYTES];
    json_t *user = NULL;
    clinic_write write = {.store = NULL};
    reha_status status = REHA_OK;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_TRY(clinic_check_members(in, "old_password new_password", err));
    REHA_TRY(clinic_text(in, "old_password", true, PASSWORD_MAX_BYTES, &old_one, err));
    REHA_TRY(clinic_text(in, "new_password", true, PASSWORD_MAX_BYTES, &new_one, err));
    REHA_TRY(check_new_password(clinic, new_one, NULL, err));
    REHA_CHECK(check_own_password(clinic, actor, old_one, &user, err));
    REHA_CHECK(hash_password(clinic, new_one, hash, err));
    REHA_CHECK(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_USER_PASSWORD,
                             REHA_BIND(reha_of_text(actor->user_id), reha_of_text(hash)), NULL, err));
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_SESSIONS_END,
                             REHA_BIND(reha_of_text(actor->user_id), reha_of_text(actor->session_id)), NULL,
                             err));
    REHA_CHECK(clinic_note(&write, actor, "user.password", "user", actor->user_id, NULL, err));
done:
    json_decref(user);
    return clinic_end(&write, status, err);
}

static reha_status store_totp(reha_clinic *clinic, const reha_actor *actor, const char *sealed, bool on,
                              int64_t step, const char *action, reha_error *err)
{
    clinic_write write;
    reha_status status = REHA_OK;
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(reha_store_do(write.store, REHA_SQL_USER_TOTP,
                             REHA_BIND(reha_of_text(actor->user_id), reha_of_text(sealed),
                                       reha_of_int(on ? 1 : 0), reha_of_int(step)),
                             NULL, err));
    REHA_CHECK(clinic_note(&write, actor, action, "user", actor->user_id, NULL, err));
done:
    return clinic_end(&write, status, err);
}

reha_status reha_clinic_totp_begin(reha_clinic *clinic, const reha_actor *actor, json_t **out,
                                   reha_error *err)
{
    uint8_t secret[REHA_TOTP_SECRET_BYTES];
    char text[REHA_TOTP_TEXT_BYTES];
    char uri[200];
    char *sealed = NULL;
    json_t *user = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_TRY(clinic_row(clinic, REHA_SQL_USER, REHA_BIND(reha_of_text(actor->user_id)), "user", &user, err));
    if (json_is_true(json_object_get(user, "totp"))) {
        status = reha_fail(err, REHA_E_CONFLICT, "one-time codes are on already: turn them off first");
        goto done;
    }
    reha_random_fill(secret, sizeof secret);
    reha_totp_text(secret, text);
    REHA_CHECK(reha_secret_seal(clinic->keys.totp, secret, sizeof secret, &sealed, err));
    REHA_CHECK(store_totp(clinic, actor, sealed, false, 0, "user.totp_begin", err));
    (void)snprintf(uri, sizeof uri, "otpauth://totp/Rehascope:%s?secret=%s&issuer=Rehascope",
                   reha_json_string(user, "name", ""), text);
    *out = json_pack("{s:s, s:s}", "secret", text, "uri", uri);
done:
    reha_wipe(secret, sizeof secret);
    reha_free(sealed);
    json_decref(user);
    return status;
}

reha_status reha_clinic_totp_confirm(reha_clinic *clinic, const reha_actor *actor, const json_t *in,
                                     reha_error *err)
{
    const char *code = NULL;
    json_t *user = NULL;
    uint8_t secret[REHA_TOTP_SECRET_BYTES];
    int64_t step = 0;
    reha_status status = REHA_OK;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_TRY(clinic_check_members(in, "code", err));
    REHA_TRY(clinic_text(in, "code", true, 10, &code, err));
    REHA_TRY(clinic_row(clinic, REHA_SQL_USER_SECRETS, REHA_BIND(reha_of_text(actor->user_id)), "user", &user,
                        err));
    const char *sealed = reha_json_string(user, "totp_secret", NULL);
    if (sealed == NULL || integer_of(user, "totp_on") != 0) {
        status = reha_fail(err, REHA_E_CONFLICT, "there is no secret to confirm: begin again");
        goto done;
    }
    REHA_CHECK(reha_secret_open(clinic->keys.totp, sealed, secret, sizeof secret, err));
    const bool fits = reha_totp_fits(secret, time(NULL), code, &step);
    reha_wipe(secret, sizeof secret);
    status = fits ? store_totp(clinic, actor, sealed, true, step, "user.totp_on", err)
                  : reha_fail(err, REHA_E_ARG, "'code' does not fit: is the clock of the phone right?");
done:
    json_decref(user);
    return status;
}

reha_status reha_clinic_totp_off(reha_clinic *clinic, const reha_actor *actor, const json_t *in,
                                 reha_error *err)
{
    const char *password = NULL;
    json_t *user = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    REHA_TRY(clinic_check_members(in, "password", err));
    REHA_TRY(clinic_text(in, "password", true, PASSWORD_MAX_BYTES, &password, err));
    reha_status status = check_own_password(clinic, actor, password, &user, err);
    if (status == REHA_OK) {
        status = store_totp(clinic, actor, NULL, false, 0, "user.totp_off", err);
    }
    json_decref(user);
    return status;
}
