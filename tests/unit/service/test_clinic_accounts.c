/* Setup, sessions, lockout, passwords, one-time codes, users. */
#include "clinic_support.h"

#include "store/secret.h"

#include <time.h>

static json_t *credentials(const char *name, const char *word, const char *code)
{
    return json_pack("{s:s, s:s, s:s?}", "name", name, "password", word, "code", code);
}

static reha_status sign_in(reha_clinic *clinic, const char *name, const char *word, const char *code,
                           char *token, json_t **out, reha_error *err)
{
    json_t *in = credentials(name, word, code);
    const reha_status status = reha_clinic_sign_in(clinic, in, token, out, err);
    json_decref(in);
    return status;
}

static void test_setup_works_once(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *out = NULL;
    open_home(&home, false);
    assert_ok(reha_clinic_state(home.clinic, &out, &err), &err);
    assert_true(json_is_true(json_object_get(out, "setup_needed")));
    json_decref(out);
    static const struct {
        const char *name, *word;
    } bad[] = {{"a", password},     {"admin", "short"},      {"admin", "aaaaaaaaaaaaaa"},
               {"local", password}, {"two words", password}, {"administrator", "administrator"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *in = credentials(bad[i].name, bad[i].word, NULL);
        (void)json_object_del(in, "code");
        assert_int_equal(reha_clinic_setup(home.clinic, in, &out, &err), REHA_E_ARG);
        assert_null(out);
        json_decref(in);
    }
    json_t *in =
        json_pack("{s:s, s:s, s:s}", "name", "admin", "password", password, "clinic_name", "Clinic One");
    assert_ok(reha_clinic_setup(home.clinic, in, &out, &err), &err);
    assert_string_equal(reha_json_string(out, "role", ""), "administrator");
    json_decref(out);
    assert_int_equal(reha_clinic_setup(home.clinic, in, &out, &err), REHA_E_CONFLICT);
    assert_ok(reha_clinic_state(home.clinic, &out, &err), &err);
    assert_true(json_is_false(json_object_get(out, "setup_needed")));
    assert_string_equal(reha_json_string(out, "clinic_name", ""), "Clinic One");
    json_decref(out);
    json_decref(in);
    close_home(&home);
}

static void test_sessions(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *session = NULL;
    char token[REHA_TOKEN_BYTES];
    char second[REHA_TOKEN_BYTES];
    reha_actor actor;
    open_home(&home, false);
    (void)add_user(home.clinic, "anna", REHA_ROLE_PHYSIOTHERAPIST);
    assert_int_equal(sign_in(home.clinic, "anna", "wrong password", NULL, token, &session, &err),
                     REHA_E_SIGNED_OUT);
    reha_error unknown = REHA_ERROR_INIT;
    assert_int_equal(sign_in(home.clinic, "nobody", password, NULL, token, &session, &unknown),
                     REHA_E_SIGNED_OUT);
    assert_string_equal(err.text, unknown.text); /* nobody learns which names exist */
    assert_string_equal(token, "");
    assert_ok(sign_in(home.clinic, "ANNA", password, NULL, token, &session, &err), &err);
    const char *csrf = reha_json_string(session, "csrf", "");
    assert_true(reha_clinic_csrf_fits(token, csrf));
    assert_false(reha_clinic_csrf_fits(token, token));
    assert_false(reha_clinic_csrf_fits(token, ""));
    assert_false(reha_clinic_csrf_fits(NULL, csrf));
    assert_ok(reha_clinic_session(home.clinic, token, &actor, NULL, &err), &err);
    assert_int_equal(actor.role, REHA_ROLE_PHYSIOTHERAPIST);
    json_decref(session);
    assert_ok(sign_in(home.clinic, "anna", password, NULL, second, &session, &err), &err);
    assert_false(reha_clinic_csrf_fits(second, "0000"));
    json_decref(session);
    /* A session survives a restart of the server; the token itself is stored nowhere. */
    reha_clinic_close(home.clinic);
    char command[200];
    (void)snprintf(command, sizeof command, "! grep -rqF '%s' '%s'", token, home.path);
    assert_int_equal(system(command), 0);
    home.clinic = open_clinic(home.path, false);
    assert_ok(reha_clinic_session(home.clinic, token, &actor, NULL, &err), &err);
    assert_ok(reha_clinic_sign_out(home.clinic, &actor, &err), &err);
    assert_int_equal(reha_clinic_session(home.clinic, token, &actor, NULL, &err), REHA_E_SIGNED_OUT);
    assert_int_equal(actor.role, REHA_ROLE_NONE);
    assert_ok(reha_clinic_session(home.clinic, second, &actor, NULL, &err), &err);
    assert_int_equal(reha_clinic_session(home.clinic, "short", &actor, NULL, &err), REHA_E_SIGNED_OUT);
    assert_int_equal(reha_clinic_session(home.clinic, NULL, &actor, NULL, &err), REHA_E_SIGNED_OUT);
    close_home(&home);
}

static void test_idle_sessions_end(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *session = NULL;
    char token[REHA_TOKEN_BYTES];
    reha_actor actor;
    open_home(&home, false);
    (void)add_user(home.clinic, "anna", REHA_ROLE_REVIEWER);
    assert_ok(sign_in(home.clinic, "anna", password, NULL, token, &session, &err), &err);
    json_decref(session);
    reha_clinic_close(home.clinic);
    reha_clinic_options options = {.home = home.path, .limits = reha_clinic_limits_default()};
    options.limits.session_idle_min = 0.0;
    assert_ok(reha_clinic_open(&options, &home.clinic, &err), &err);
    assert_int_equal(reha_clinic_session(home.clinic, token, &actor, NULL, &err), REHA_E_SIGNED_OUT);
    close_home(&home);
}

static void test_lockout(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *session = NULL;
    char token[REHA_TOKEN_BYTES];
    open_home(&home, false);
    (void)add_user(home.clinic, "anna", REHA_ROLE_REVIEWER);
    const int tries = reha_clinic_limits_default().sign_in_tries;
    for (int i = 0; i < tries; i++) {
        assert_int_equal(sign_in(home.clinic, "anna", "wrong password", NULL, token, &session, &err),
                         REHA_E_SIGNED_OUT);
    }
    /* Now even the right password has to wait. */
    assert_int_equal(sign_in(home.clinic, "anna", password, NULL, token, &session, &err), REHA_E_BUSY);
    assert_non_null(strstr(err.text, "1 minutes"));
    /* A new password by an administrator unlocks. */
    const reha_actor local = reha_actor_local();
    json_t *in = json_pack("{s:s}", "password", "another long word");
    json_t *user = NULL;
    assert_ok(reha_clinic_user_change(home.clinic, &local, "anna", REHA_ANY_VERSION, in, &user, &err), &err);
    json_decref(in);
    json_decref(user);
    assert_ok(sign_in(home.clinic, "anna", "another long word", NULL, token, &session, &err), &err);
    json_decref(session);
    close_home(&home);
}

static void decode_base32(const char *text, uint8_t out[REHA_TOTP_SECRET_BYTES])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    unsigned held = 0;
    int bits = 0;
    size_t used = 0;
    for (; *text != '\0'; text++) {
        held = held << 5 | (unsigned)(strchr(digits, *text) - digits);
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            out[used++] = (uint8_t)(held >> bits);
        }
    }
}

static void test_one_time_codes(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *out = NULL;
    char token[REHA_TOKEN_BYTES];
    char code[24];
    uint8_t secret[REHA_TOTP_SECRET_BYTES];
    open_home(&home, false);
    const reha_actor anna = add_user(home.clinic, "anna", REHA_ROLE_REVIEWER);
    assert_ok(reha_clinic_totp_begin(home.clinic, &anna, &out, &err), &err);
    decode_base32(reha_json_string(out, "secret", ""), secret);
    json_decref(out);
    /* Not confirmed yet: signing in works without. */
    assert_ok(sign_in(home.clinic, "anna", password, NULL, token, &out, &err), &err);
    json_decref(out);
    json_t *in = json_pack("{s:s}", "code", "12345");
    assert_int_equal(reha_clinic_totp_confirm(home.clinic, &anna, in, &err), REHA_E_ARG);
    (void)snprintf(code, sizeof code, "%06u", (unsigned)reha_totp_code(secret, time(NULL)));
    (void)json_object_set_new(in, "code", json_string(code));
    assert_ok(reha_clinic_totp_confirm(home.clinic, &anna, in, &err), &err);
    assert_int_equal(sign_in(home.clinic, "anna", password, NULL, token, &out, &err), REHA_E_SIGNED_OUT);
    assert_non_null(strstr(err.text, "one-time code"));
    /* The code that confirmed was used up: one code, one use. */
    assert_int_equal(sign_in(home.clinic, "anna", password, code, token, &out, &err), REHA_E_SIGNED_OUT);
    (void)snprintf(code, sizeof code, "%06u", (unsigned)reha_totp_code(secret, time(NULL) + 30));
    assert_ok(sign_in(home.clinic, "anna", password, code, token, &out, &err), &err);
    json_decref(out);
    /* A lost telephone: an administrator turns the codes off; anna turns them on again. */
    const reha_actor local = reha_actor_local();
    json_t *lost = json_pack("{s:b}", "totp", 1);
    assert_int_equal(reha_clinic_user_change(home.clinic, &local, "anna", REHA_ANY_VERSION, lost, &out, &err),
                     REHA_E_ARG);
    (void)json_object_set_new(lost, "totp", json_false());
    assert_ok(reha_clinic_user_change(home.clinic, &local, "anna", REHA_ANY_VERSION, lost, &out, &err), &err);
    assert_true(json_is_false(json_object_get(out, "totp")));
    json_decref(out);
    json_decref(lost);
    assert_ok(sign_in(home.clinic, "anna", password, NULL, token, &out, &err), &err);
    json_decref(out);
    assert_ok(reha_clinic_totp_begin(home.clinic, &anna, &out, &err), &err);
    decode_base32(reha_json_string(out, "secret", ""), secret);
    json_decref(out);
    (void)snprintf(code, sizeof code, "%06u", (unsigned)reha_totp_code(secret, time(NULL)));
    (void)json_object_clear(in);
    (void)json_object_set_new(in, "code", json_string(code));
    assert_ok(reha_clinic_totp_confirm(home.clinic, &anna, in, &err), &err);
    (void)json_object_clear(in);
    (void)json_object_set_new(in, "password", json_string("wrong one here"));
    assert_int_equal(reha_clinic_totp_off(home.clinic, &anna, in, &err), REHA_E_DENIED);
    (void)json_object_set_new(in, "password", json_string(password));
    assert_ok(reha_clinic_totp_off(home.clinic, &anna, in, &err), &err);
    assert_ok(sign_in(home.clinic, "anna", password, NULL, token, &out, &err), &err);
    json_decref(out);
    json_decref(in);
    close_home(&home);
}

static void test_changes_of_users(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    json_t *out = NULL;
    char token[REHA_TOKEN_BYTES];
    reha_actor actor;
    open_home(&home, false);
    const reha_actor admin = add_user(home.clinic, "admin", REHA_ROLE_ADMINISTRATOR);
    (void)add_user(home.clinic, "anna", REHA_ROLE_REVIEWER);
    /* The last administrator stays one. */
    json_t *in = json_pack("{s:b}", "active", 0);
    assert_int_equal(reha_clinic_user_change(home.clinic, &admin, "admin", REHA_ANY_VERSION, in, &out, &err),
                     REHA_E_CONFLICT);
    json_decref(in);
    in = json_pack("{s:s}", "role", "reviewer");
    assert_int_equal(reha_clinic_user_change(home.clinic, &admin, "admin", REHA_ANY_VERSION, in, &out, &err),
                     REHA_E_CONFLICT);
    json_decref(in);
    /* A changed role ends the sessions that had the old one. */
    assert_ok(sign_in(home.clinic, "anna", password, NULL, token, &out, &err), &err);
    json_decref(out);
    in = json_pack("{s:s}", "role", "read-only");
    assert_int_equal(reha_clinic_user_change(home.clinic, &admin, "anna", 77, in, &out, &err), REHA_E_STALE);
    assert_ok(reha_clinic_user_change(home.clinic, &admin, "anna", 1, in, &out, &err), &err);
    assert_int_equal(version_of(out), 2);
    json_decref(out);
    assert_int_equal(reha_clinic_session(home.clinic, token, &actor, NULL, &err), REHA_E_SIGNED_OUT);
    json_decref(in);
    in = json_pack("{s:b}", "active", 0);
    assert_ok(reha_clinic_user_change(home.clinic, &admin, "anna", 2, in, &out, &err), &err);
    json_decref(out);
    assert_int_equal(sign_in(home.clinic, "anna", password, NULL, token, &out, &err), REHA_E_SIGNED_OUT);
    json_decref(in);
    /* What is misspelt or impossible is told. */
    static const char *const bad[] = {"{\"rolle\":\"reviewer\"}",
                                      "{\"role\":\"local\"}",
                                      "{\"role\":5}",
                                      "{\"active\":\"no\"}",
                                      "{\"password\":\"short\"}",
                                      "[]",
                                      "{\"display_name\":\"a\\u0007b\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        in = json_loads(bad[i], 0, NULL);
        assert_int_equal(
            reha_clinic_user_change(home.clinic, &admin, "anna", REHA_ANY_VERSION, in, &out, &err),
            REHA_E_ARG);
        assert_null(out);
        json_decref(in);
    }
    in = json_pack("{s:s, s:s, s:s}", "name", "ANNA", "password", password, "role", "reviewer");
    assert_int_equal(reha_clinic_user_add(home.clinic, &admin, in, &out, &err), REHA_E_CONFLICT);
    json_decref(in);
    close_home(&home);
}

/* ---- access tokens ---- */

static void make_token(reha_clinic *clinic, const char *role, double days, char text[REHA_ACCESS_TOKEN_BYTES],
                       char id[REHA_ID_BYTES])
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    const reha_actor local = reha_actor_local();
    json_t *in = json_pack("{s:s, s:s, s:f}", "name", "ward system", "role", role, "days", days);
    assert_ok(reha_clinic_token_add(clinic, &local, in, text, &out, &err), &err);
    (void)snprintf(id, REHA_ID_BYTES, "%s", reha_json_string(out, "id", ""));
    assert_true(json_is_true(json_object_get(out, "active")));
    assert_true(json_is_null(json_object_get(out, "last_used_at")));
    assert_non_null(strstr(text, id)); /* whose secret it is, so that wrong ones are counted */
    json_decref(in);
    json_decref(out);
}

static void run_sql(const test_home *home, const char *sql)
{
    char command[400];
    (void)snprintf(
        command, sizeof command,
        "python3 -c \"import sqlite3; d = sqlite3.connect('%s/records.db'); d.execute('%s'); d.commit()\"",
        home->path, sql);
    assert_int_equal(system(command), 0);
}

/* What a token saw stands in the audit log under its name. */
static void expect_in_audit(const test_home *home, const reha_actor *machine)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *patient = NULL;
    json_t *out = NULL;
    const reha_actor local = reha_actor_local();
    const reha_actor clinician = add_user(home->clinic, "anna", REHA_ROLE_PHYSIOTHERAPIST);
    json_t *in = json_object();
    assert_ok(reha_clinic_patient_add(home->clinic, &clinician, in, &patient, &err), &err);
    assert_ok(reha_clinic_patient(home->clinic, machine, reha_json_string(patient, "id", ""), &out, &err),
              &err);
    json_decref(out);
    const reha_query query = {.action = "patient.see"};
    assert_ok(reha_clinic_audit(home->clinic, &local, &query, &out, &err), &err);
    const json_t *event = json_array_get(json_object_get(out, "items"), 0);
    assert_string_equal(reha_json_string(event, "user_name", ""), "token ward system");
    assert_string_equal(reha_json_string(event, "user_id", ""), machine->user_id);
    assert_string_equal(reha_json_string(event, "role", ""), "researcher");
    json_decref(in);
    json_decref(patient);
    json_decref(out);
}

static void test_access_tokens(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    char text[REHA_ACCESS_TOKEN_BYTES];
    char other[REHA_ACCESS_TOKEN_BYTES];
    char id[REHA_ID_BYTES];
    char other_id[REHA_ID_BYTES];
    char command[240];
    reha_actor actor;
    json_t *out = NULL;
    const reha_actor local = reha_actor_local();
    open_home(&home, false);
    make_token(home.clinic, "read-only", 30.0, text, id);
    make_token(home.clinic, "researcher", 30.0, other, other_id);
    assert_ok(reha_clinic_token_actor(home.clinic, text, &actor, &err), &err);
    assert_int_equal(actor.role, REHA_ROLE_READ_ONLY);
    assert_string_equal(actor.user_id, id);
    assert_ok(reha_clinic_token_actor(home.clinic, other, &actor, &err), &err);
    assert_int_equal(actor.role, REHA_ROLE_RESEARCHER);
    expect_in_audit(&home, &actor);
    (void)snprintf(command, sizeof command, "! grep -rqF -e '%s' '%s'", text + strlen(text) - 43, home.path);
    assert_int_equal(system(command), 0); /* the secret is stored nowhere */

    assert_ok(reha_clinic_tokens(home.clinic, &local, &out, &err), &err);
    const json_t *items = json_object_get(out, "items");
    assert_int_equal(json_array_size(items), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *one = json_array_get(items, i);
        assert_true(json_is_string(json_object_get(one, "last_used_at")));
        assert_string_equal(reha_json_string(one, "made_by", ""), "local");
        assert_null(json_object_get(one, "secret_hash"));
        assert_null(json_object_get(one, "token"));
    }
    json_decref(out);

    /* Revoked once, for good; the other one lives until its time is over. */
    assert_ok(reha_clinic_token_revoke(home.clinic, &local, id, &out, &err), &err);
    assert_true(json_is_false(json_object_get(out, "active")));
    json_decref(out);
    assert_int_equal(reha_clinic_token_revoke(home.clinic, &local, id, &out, &err), REHA_E_CONFLICT);
    assert_int_equal(reha_clinic_token_actor(home.clinic, text, &actor, &err), REHA_E_SIGNED_OUT);
    assert_int_equal(actor.role, REHA_ROLE_NONE);
    assert_non_null(strstr(err.text, "revoked"));
    assert_ok(reha_clinic_token_actor(home.clinic, other, &actor, &err), &err);
    run_sql(&home, "UPDATE token SET expires_s = 1");
    assert_int_equal(reha_clinic_token_actor(home.clinic, other, &actor, &err), REHA_E_SIGNED_OUT);
    assert_non_null(strstr(err.text, "expired"));
    close_home(&home);
}

static void test_wrong_tokens(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    test_home home;
    char text[REHA_ACCESS_TOKEN_BYTES];
    char wrong[REHA_ACCESS_TOKEN_BYTES];
    char id[REHA_ID_BYTES];
    reha_actor actor;
    json_t *out = NULL;
    const reha_actor local = reha_actor_local();
    open_home(&home, false);
    make_token(home.clinic, "read-only", 1.0, text, id);
    static const char *const malformed[] = {NULL, "", "rht_", "Basic abc", "rht_x_y"};
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        assert_int_equal(reha_clinic_token_actor(home.clinic, malformed[i], &actor, &err), REHA_E_SIGNED_OUT);
    }
    (void)snprintf(wrong, sizeof wrong, "%s", text);
    wrong[10] = wrong[10] == '0' ? '1' : '0'; /* of no token at all: nothing to lock */
    assert_int_equal(reha_clinic_token_actor(home.clinic, wrong, &actor, &err), REHA_E_SIGNED_OUT);
    const reha_error unknown = err;
    (void)snprintf(wrong, sizeof wrong, "%s", text);
    char *last = wrong + strlen(wrong) - 2;
    *last = *last == 'A' ? 'B' : 'A';
    const int tries = reha_clinic_limits_default().sign_in_tries;
    for (int i = 0; i < tries; i++) {
        assert_int_equal(reha_clinic_token_actor(home.clinic, wrong, &actor, &err), REHA_E_SIGNED_OUT);
        assert_string_equal(err.text, unknown.text); /* nobody learns which tokens exist */
    }
    assert_int_equal(reha_clinic_token_actor(home.clinic, text, &actor, &err), REHA_E_BUSY);
    assert_int_equal(actor.role, REHA_ROLE_NONE);
    run_sql(&home, "UPDATE token SET locked_until_s = 1");
    assert_ok(reha_clinic_token_actor(home.clinic, text, &actor, &err), &err);
    const reha_query query = {.action = "token."};
    assert_ok(reha_clinic_audit(home.clinic, &local, &query, &out, &err), &err);
    const json_t *items = json_object_get(out, "items");
    assert_int_equal(json_array_size(items), 1 + tries);
    assert_string_equal(reha_json_string(json_array_get(items, 0), "action", ""), "token.locked");
    assert_string_equal(reha_json_string(json_array_get(items, 1), "action", ""), "token.refused");
    json_decref(out);
    static const char *const refused[][2] = {
        {"x", "administrator"}, {"x", "physiotherapist"}, {"", "read-only"}};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        json_t *in = json_pack("{s:s, s:s}", "name", refused[i][0], "role", refused[i][1]);
        assert_int_equal(reha_clinic_token_add(home.clinic, &local, in, wrong, &out, &err), REHA_E_ARG);
        assert_string_equal(wrong, "");
        json_decref(in);
    }
    json_t *in =
        json_pack("{s:s, s:s, s:i}", "name", "x", "role", "read-only", "days", REHA_ACCESS_DAYS_MAX + 1);
    assert_int_equal(reha_clinic_token_add(home.clinic, &local, in, wrong, &out, &err), REHA_E_ARG);
    json_decref(in);
    close_home(&home);
}

int main(int argc, char **argv)
{
    const int code = clinic_worker(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access_tokens),     cmocka_unit_test(test_wrong_tokens),
        cmocka_unit_test(test_setup_works_once),  cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_idle_sessions_end), cmocka_unit_test(test_lockout),
        cmocka_unit_test(test_one_time_codes),    cmocka_unit_test(test_changes_of_users)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
