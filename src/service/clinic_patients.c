#include "service/clinic_priv.h"

#include "base/clock.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SHORT_BYTES = 120, LONG_BYTES = 4000, TRIES = 8 };

static const char *id_cursor(const json_t *row, char *text)
{
    (void)snprintf(text, CLINIC_CURSOR_BYTES, "%s", reha_json_string(row, "id", ""));
    return text;
}

reha_status reha_clinic_patients(reha_clinic *clinic, const reha_actor *actor, const reha_query *query,
                                 json_t **out, reha_error *err)
{
    json_t *rows = NULL;
    int64_t total = 0;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    const int limit = clinic_limit(clinic, query);
    reha_store *store = clinic_read(clinic);
    reha_status status = reha_store_rows(store, REHA_SQL_PATIENTS,
                                         REHA_BIND(clinic_identity(actor), reha_of_text(query->text),
                                                   reha_of_text(query->cursor), reha_of_int(limit + 1)),
                                         &rows, err);
    if (status == REHA_OK) {
        status = reha_store_number(store, REHA_SQL_PATIENTS_COUNT,
                                   REHA_BIND(clinic_identity(actor), reha_of_text(query->text)), &total, err);
    }
    clinic_read_end(clinic, store);
    if (status != REHA_OK) {
        json_decref(rows);
        return status;
    }
    return clinic_page(rows, limit, total, id_cursor, out, err);
}

static reha_status patient_row(reha_store *store, const reha_actor *actor, const char *id, json_t **out,
                               reha_error *err)
{
    json_t *episodes = NULL;
    reha_status status = reha_store_row(store, REHA_SQL_PATIENT,
                                        REHA_BIND(clinic_identity(actor), reha_of_text(id)), out, err);
    if (status == REHA_E_NOT_FOUND) {
        return reha_fail(err, status, "no such patient");
    }
    REHA_TRY(status);
    status = reha_store_rows(store, REHA_SQL_EPISODES, REHA_BIND(reha_of_text(id)), &episodes, err);
    if (status == REHA_OK && json_object_set_new(*out, "episodes", episodes) != 0) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a patient");
    }
    if (status != REHA_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

reha_status reha_clinic_patient(reha_clinic *clinic, const reha_actor *actor, const char *id, json_t **out,
                                reha_error *err)
{
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_READ, err));
    reha_store *store = clinic_read(clinic);
    reha_status status = patient_row(store, actor, id, out, err);
    clinic_read_end(clinic, store);
    if (status == REHA_OK) {
        status = clinic_saw(clinic, actor, "patient.see", "patient", id, err);
    }
    if (status != REHA_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

static reha_status find_one(reha_clinic *clinic, const reha_actor *actor, reha_sql which, const char *text,
                            json_t *items, reha_error *err)
{
    json_t *row = NULL;
    json_t *patient = NULL;
    reha_store *store = clinic_read(clinic);
    reha_status status = reha_store_row(store, which, REHA_BIND(reha_of_text(text)), &row, err);
    if (status == REHA_OK) {
        status = reha_store_row(
            store, REHA_SQL_PATIENT,
            REHA_BIND(clinic_identity(actor), reha_of_text(reha_json_string(row, "id", ""))), &patient, err);
    }
    clinic_read_end(clinic, store);
    json_decref(row);
    if (status == REHA_E_NOT_FOUND) {
        return REHA_OK;
    }
    REHA_TRY(status);
    const char *id = reha_json_string(patient, "id", "");
    const char *first = reha_json_string(json_array_get(items, 0), "id", "");
    if (strcmp(id, first) == 0 || (which == REHA_SQL_PATIENT_BY_PSEUDONYM &&
                                   strcmp(reha_json_string(patient, "pseudonym", ""), text) != 0)) {
        json_decref(patient); /* known already, or found by our own id, which is no identifier */
        return REHA_OK;
    }
    status = clinic_saw(clinic, actor, "patient.see", "patient", id, err);
    if (status != REHA_OK) {
        json_decref(patient);
        return status;
    }
    return json_array_append_new(items, patient) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for the patients");
}

reha_status reha_clinic_patient_find(reha_clinic *clinic, const reha_actor *actor, const char *identifier,
                                     unsigned by, json_t **out, reha_error *err)
{
    char mac[REHA_MAC_TEXT_BYTES];
    reha_status status = REHA_OK;
    json_t *items = json_array();
    *out = NULL;
    REHA_CHECK(clinic_may(actor, REHA_MAY_READ, err));
    if ((by & REHA_PATIENT_BY_PSEUDONYM) != 0) {
        REHA_CHECK(find_one(clinic, actor, REHA_SQL_PATIENT_BY_PSEUDONYM, identifier, items, err));
    }
    /* Whoever must not know who a patient is, must not find it out by trying numbers either. */
    if ((by & REHA_PATIENT_BY_NUMBER) != 0 && reha_role_may(actor->role, REHA_MAY_IDENTITY)) {
        reha_mac(clinic->keys.pseudonyms, identifier, strlen(identifier), mac);
        REHA_CHECK(find_one(clinic, actor, REHA_SQL_PATIENT_BY_EXTERNAL, mac, items, err));
    }
    *out = json_pack("{s:O}", "items", items);
    status = *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the patients");
done:
    json_decref(items);
    return status;
}

typedef struct patient_input {
    const char *pseudonym, *name, *sex, *note;
    double birth_year;
} patient_input;

static reha_status read_patient(const json_t *in, patient_input *out, reha_error *err)
{
    const time_t now = time(NULL);
    struct tm parts;
    (void)gmtime_r(&now, &parts);
    REHA_TRY(clinic_check_members(in, "pseudonym name birth_year sex note", err));
    REHA_TRY(clinic_text(in, "pseudonym", false, SHORT_BYTES, &out->pseudonym, err));
    REHA_TRY(clinic_text(in, "name", false, SHORT_BYTES, &out->name, err));
    REHA_TRY(clinic_word(in, "sex", false, "f m x", &out->sex, err));
    REHA_TRY(clinic_text(in, "note", false, LONG_BYTES, &out->note, err));
    REHA_TRY(clinic_number(in, "birth_year", false, 1850.0, parts.tm_year + 1900.0, &out->birth_year, err));
    if (isfinite(out->birth_year) && out->birth_year != floor(out->birth_year)) {
        return reha_fail(err, REHA_E_ARG, "'birth_year' must be a whole number");
    }
    return REHA_OK;
}

static reha_value year_value(double year)
{
    return isfinite(year) ? reha_of_int((int64_t)year) : reha_of_text(NULL);
}

/* Short enough to be read out, without letters that look alike. */
static void make_pseudonym(char out[16])
{
    static const char digits[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    uint8_t random[6];
    reha_random_fill(random, sizeof random);
    (void)snprintf(out, 16, "P-%c%c%c%c%c%c", digits[random[0] % 32], digits[random[1] % 32],
                   digits[random[2] % 32], digits[random[3] % 32], digits[random[4] % 32],
                   digits[random[5] % 32]);
}

reha_status clinic_patient_make(clinic_write *write, const reha_actor *actor, const json_t *in,
                                const char *external_mac, char id[REHA_ID_BYTES], reha_error *err)
{
    patient_input given;
    char now[REHA_TIMESTAMP_BYTES];
    char made[16];
    reha_status status = REHA_E_CONFLICT;
    REHA_TRY(read_patient(in, &given, err));
    reha_identifier_new(id);
    reha_clock_timestamp(now);
    for (int i = 0; status == REHA_E_CONFLICT && i < (given.pseudonym != NULL ? 1 : TRIES); i++) {
        make_pseudonym(made);
        status = reha_store_do(
            write->store, REHA_SQL_PATIENT_ADD,
            REHA_BIND(reha_of_text(id), reha_of_text(given.pseudonym != NULL ? given.pseudonym : made),
                      reha_of_text(given.name), year_value(given.birth_year), reha_of_text(given.sex),
                      reha_of_text(given.note), reha_of_text(external_mac), reha_of_text(now)),
            NULL, err);
    }
    if (status == REHA_E_CONFLICT) {
        return reha_fail(err, status, "there is a patient of this pseudonym already");
    }
    REHA_TRY(status);
    return clinic_note(write, actor, "patient.add", "patient", id, NULL, err);
}

reha_status reha_clinic_patient_add(reha_clinic *clinic, const reha_actor *actor, const json_t *in,
                                    json_t **out, reha_error *err)
{
    clinic_write write;
    char id[REHA_ID_BYTES];
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_PATIENTS, err));
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    reha_status status = clinic_patient_make(&write, actor, in, NULL, id, err);
    if (status == REHA_OK) {
        status = patient_row(write.store, actor, id, out, err);
    }
    status = clinic_end_with(&write, status, out, err);
    return status;
}

/* Members that are absent stay; null clears. */
static const char *member_or(const json_t *in, const json_t *row, const char *key, const char *given)
{
    return json_object_get(in, key) != NULL ? given : reha_json_string(row, key, NULL);
}

reha_status reha_clinic_patient_change(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                       int64_t if_version, const json_t *in, json_t **out, reha_error *err)
{
    patient_input given;
    clinic_write write;
    json_t *row = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_PATIENTS, err));
    REHA_TRY(read_patient(in, &given, err));
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    REHA_CHECK(patient_row(write.store, actor, id, &row, err));
    REHA_CHECK(clinic_version(row, if_version, err));
    const double old_year = reha_json_number(row, "birth_year", (double)NAN);
    const double year = json_object_get(in, "birth_year") != NULL ? given.birth_year : old_year;
    const char *pseudonym =
        given.pseudonym != NULL ? given.pseudonym : reha_json_string(row, "pseudonym", "");
    status = reha_store_do(write.store, REHA_SQL_PATIENT_CHANGE,
                           REHA_BIND(reha_of_text(id), reha_of_text(pseudonym),
                                     reha_of_text(member_or(in, row, "name", given.name)), year_value(year),
                                     reha_of_text(member_or(in, row, "sex", given.sex)),
                                     reha_of_text(member_or(in, row, "note", given.note))),
                           NULL, err);
    if (status == REHA_E_CONFLICT) {
        (void)reha_fail(err, status, "there is a patient of this pseudonym already");
    }
    REHA_CHECK(status);
    REHA_CHECK(clinic_note(&write, actor, "patient.change", "patient", id, NULL, err));
    REHA_CHECK(patient_row(write.store, actor, id, out, err));
done:
    json_decref(row);
    status = clinic_end_with(&write, status, out, err);
    return status;
}

/* ---- episodes ---- */

typedef struct episode_input {
    const char *condition, *side, *onset, *surgery, *surgery_date, *goals;
} episode_input;

static reha_status read_episode(const json_t *in, bool is_new, episode_input *out, reha_error *err)
{
    const json_t *open = json_object_get(in, "open");
    REHA_TRY(clinic_check_members(in, "condition side onset surgery surgery_date goals open", err));
    REHA_TRY(clinic_text(in, "condition", is_new, SHORT_BYTES, &out->condition, err));
    REHA_TRY(clinic_word(in, "side", false, "left right both", &out->side, err));
    REHA_TRY(clinic_date(in, "onset", false, &out->onset, err));
    REHA_TRY(clinic_text(in, "surgery", false, SHORT_BYTES, &out->surgery, err));
    REHA_TRY(clinic_date(in, "surgery_date", false, &out->surgery_date, err));
    REHA_TRY(clinic_text(in, "goals", false, LONG_BYTES, &out->goals, err));
    if (open != NULL && !json_is_boolean(open)) {
        return reha_fail(err, REHA_E_ARG, "'open' must be true or false");
    }
    return REHA_OK;
}

reha_status reha_clinic_episode_add(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                                    const json_t *in, json_t **out, reha_error *err)
{
    episode_input given;
    clinic_write write;
    char id[REHA_IDENTIFIER_BYTES];
    char now[REHA_TIMESTAMP_BYTES];
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_PATIENTS, err));
    REHA_TRY(read_episode(in, true, &given, err));
    reha_identifier_new(id);
    reha_clock_timestamp(now);
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    status = reha_store_do(
        write.store, REHA_SQL_EPISODE_ADD,
        REHA_BIND(reha_of_text(id), reha_of_text(patient_id), reha_of_text(given.condition),
                  reha_of_text(given.side), reha_of_text(given.onset), reha_of_text(given.surgery),
                  reha_of_text(given.surgery_date), reha_of_text(given.goals),
                  reha_of_int(json_is_false(json_object_get(in, "open")) ? 0 : 1), reha_of_text(now)),
        NULL, err);
    if (status == REHA_E_NOT_FOUND) {
        (void)reha_fail(err, status, "no such patient");
    }
    REHA_CHECK(status);
    REHA_CHECK(clinic_note(&write, actor, "episode.add", "episode", id,
                           json_pack("{s:s}", "patient_id", patient_id), err));
    REHA_CHECK(reha_store_row(write.store, REHA_SQL_EPISODE, REHA_BIND(reha_of_text(id)), out, err));
done:
    return clinic_end_with(&write, status, out, err);
}

reha_status reha_clinic_episode_change(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                       int64_t if_version, const json_t *in, json_t **out, reha_error *err)
{
    episode_input given;
    clinic_write write;
    json_t *row = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_PATIENTS, err));
    REHA_TRY(read_episode(in, false, &given, err));
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    status = reha_store_row(write.store, REHA_SQL_EPISODE, REHA_BIND(reha_of_text(id)), &row, err);
    if (status == REHA_E_NOT_FOUND) {
        (void)reha_fail(err, status, "no such episode");
    }
    REHA_CHECK(status);
    REHA_CHECK(clinic_version(row, if_version, err));
    const json_t *open = json_object_get(in, "open");
    const bool is_open = json_is_true(open != NULL ? open : json_object_get(row, "open"));
    REHA_CHECK(reha_store_do(
        write.store, REHA_SQL_EPISODE_CHANGE,
        REHA_BIND(
            reha_of_text(id),
            reha_of_text(given.condition != NULL ? given.condition : reha_json_string(row, "condition", "")),
            reha_of_text(member_or(in, row, "side", given.side)),
            reha_of_text(member_or(in, row, "onset", given.onset)),
            reha_of_text(member_or(in, row, "surgery", given.surgery)),
            reha_of_text(member_or(in, row, "surgery_date", given.surgery_date)),
            reha_of_text(member_or(in, row, "goals", given.goals)), reha_of_int(is_open ? 1 : 0)),
        NULL, err));
    REHA_CHECK(clinic_note(&write, actor, "episode.change", "episode", id, NULL, err));
    REHA_CHECK(reha_store_row(write.store, REHA_SQL_EPISODE, REHA_BIND(reha_of_text(id)), out, err));
done:
    json_decref(row);
    return clinic_end_with(&write, status, out, err);
}
