#include "store/erase.h"

#include "base/log.h"

/* Names of settings: stored files are to be removed; free pages and journal are to be wiped (store.c). */
static const char FILES[] = "sweep-files";
static const char PAGES[] = "sweep";

/* What refers to something before what it refers to: the database checks it, and so finds a table that is
 * missing here. */
static const reha_sql order[] = {
    REHA_SQL_ERASE_OUTBOX,      REHA_SQL_ERASE_WITHDRAWALS,   REHA_SQL_ERASE_SIGNATURES,
    REHA_SQL_ERASE_REVIEWS,     REHA_SQL_ERASE_SET_ASIDES,    REHA_SQL_ERASE_MEASUREMENTS,
    REHA_SQL_ERASE_PICTURES,    REHA_SQL_ERASE_UPLOADS,       REHA_SQL_ERASE_RESULTS,
    REHA_SQL_ERASE_JOBS,        REHA_SQL_ERASE_IMAGES,        REHA_SQL_ERASE_STUDIES,
    REHA_SQL_ERASE_PREDICTIONS, REHA_SQL_ERASE_PLAN_VERSIONS, REHA_SQL_ERASE_PLANS,
    REHA_SQL_ERASE_SCORES,      REHA_SQL_ERASE_LINKS,         REHA_SQL_ERASE_EPISODES,
    REHA_SQL_ERASE_UNMARK};

reha_status reha_erase_records(reha_store *store, const char *patient_id, reha_erasure *out, reha_error *err)
{
    json_t *row = NULL;
    int64_t changed = 0;
    *out = (reha_erasure){.studies = 0};
    REHA_TRY(reha_store_do(store, REHA_SQL_ERASE_MARK, REHA_BIND(reha_of_text(patient_id)), NULL, err));
    REHA_TRY(reha_store_row(store, REHA_SQL_ERASE_COUNTS, REHA_BIND_NONE, &row, err));
    *out = (reha_erasure){.studies = json_integer_value(json_object_get(row, "studies")),
                          .images = json_integer_value(json_object_get(row, "images")),
                          .running = json_integer_value(json_object_get(row, "running")),
                          .sending = json_integer_value(json_object_get(row, "sending")),
                          .sent = json_integer_value(json_object_get(row, "sent"))};
    json_decref(row);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        REHA_TRY(reha_store_do(store, order[i], REHA_BIND_NONE, NULL, err));
    }
    REHA_TRY(
        reha_store_do(store, REHA_SQL_ERASE_PATIENT, REHA_BIND(reha_of_text(patient_id)), &changed, err));
    if (changed != 1) {
        return reha_fail(err, REHA_E_NOT_FOUND, "no such patient");
    }
    REHA_TRY(reha_store_do(store, REHA_SQL_SETTING_ADD, REHA_BIND(reha_of_text(FILES), reha_of_text("true")),
                           NULL, err));
    return reha_store_do(store, REHA_SQL_SETTING_ADD, REHA_BIND(reha_of_text(PAGES), reha_of_text("true")),
                         NULL, err);
}

static reha_status is_named(void *context, const char *digest, bool *out, reha_error *err)
{
    int64_t named = 1;
    const reha_status status =
        reha_store_number(context, REHA_SQL_FILE_IS_NAMED, REHA_BIND(reha_of_text(digest)), &named, err);
    *out = status != REHA_OK || named != 0;
    return status;
}

void reha_erase_unnamed(reha_store *store, const reha_blobs *blobs, const char *digest)
{
    bool stays = true;
    /* A fault may have undone the transaction by itself: whose file it is could not be told safely then. */
    if (reha_store_is_writing(store) && is_named(store, digest, &stays, NULL) == REHA_OK && !stays &&
        reha_blobs_remove(blobs, digest, NULL) != REHA_OK) {
        reha_log(REHA_LOG_WARN, "file.unremoved", "digest=%.12s", digest);
    }
}

/* In a transaction, so that nobody makes a record for a file that is being removed: whoever makes one looks,
 * in a transaction, too, whether the file is still there. */
static reha_status sweep_files(reha_store *store, const reha_blobs *blobs, reha_error *err)
{
    json_t *row = NULL;
    const reha_status noted =
        reha_store_row(store, REHA_SQL_SETTING, REHA_BIND(reha_of_text(FILES)), &row, err);
    json_decref(row);
    if (noted != REHA_OK) {
        return noted == REHA_E_NOT_FOUND ? REHA_OK : noted;
    }
    REHA_TRY(reha_store_begin(store, true, err));
    reha_status status = reha_blobs_sweep(blobs, is_named, store, err);
    if (status == REHA_OK) {
        status = reha_store_do(store, REHA_SQL_SETTING_DROP, REHA_BIND(reha_of_text(FILES)), NULL, err);
    }
    if (status != REHA_OK) {
        reha_store_rollback(store);
        return status;
    }
    return reha_store_commit(store, err);
}

reha_status reha_erase_traces(reha_store *store, const reha_blobs *blobs, reha_error *err)
{
    const reha_status files = sweep_files(store, blobs, err);
    const reha_status pages = reha_store_sweep(store, files == REHA_OK ? err : NULL);
    return files != REHA_OK ? files : pages;
}
