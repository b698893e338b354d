/* Answers by idempotency key: a request that is sent twice is done once. */
#include "service/clinic_priv.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

reha_status clinic_check_key(const char *key, reha_error *err)
{
    return key == NULL || strlen(key) <= CLINIC_KEY_BYTES
               ? REHA_OK
               : reha_fail(err, REHA_E_ARG, "the idempotency key is longer than %d bytes", CLINIC_KEY_BYTES);
}

reha_status clinic_answer_find(reha_store *store, const reha_actor *actor, const char *key,
                               const char *digest, json_t **out, reha_error *err)
{
    json_t *row = NULL;
    *out = NULL;
    if (key == NULL || key[0] == '\0') {
        return REHA_OK;
    }
    const reha_status status = reha_store_row(
        store, REHA_SQL_UPLOAD, REHA_BIND(reha_of_text(actor->user_id), reha_of_text(key)), &row, NULL);
    if (status == REHA_E_NOT_FOUND) {
        return REHA_OK;
    }
    if (status != REHA_OK) {
        return reha_fail(err, status, "the records of former answers cannot be read");
    }
    reha_status found = REHA_OK;
    if (strcmp(reha_json_string(row, "digest", ""), digest) != 0) {
        found = reha_fail(err, REHA_E_CONFLICT, "the idempotency key was used for another file or task");
    } else {
        *out = json_incref(json_object_get(row, "answer"));
    }
    json_decref(row);
    return found;
}

reha_status clinic_answer_keep(reha_store *store, const reha_actor *actor, const char *key,
                               const char *digest, const json_t *answer, reha_error *err)
{
    char now[REHA_TIMESTAMP_BYTES];
    if (key == NULL || key[0] == '\0') {
        return REHA_OK;
    }
    char *text = json_dumps(answer, JSON_COMPACT);
    reha_clock_timestamp(now);
    const reha_status status =
        reha_store_do(store, REHA_SQL_UPLOAD_ADD,
                      REHA_BIND(reha_of_text(actor->user_id), reha_of_text(key), reha_of_text(digest),
                                reha_of_text(text), reha_of_text(now)),
                      NULL, err);
    free(text);                                          /* allowed: jansson's */
    return status == REHA_E_CONFLICT ? REHA_OK : status; /* sent twice at once */
}
