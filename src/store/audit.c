#include "store/audit.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/digest.h"
#include "store/disk_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char FIRST_HASH[] = "0000000000000000000000000000000000000000000000000000000000000000";
enum { PART_EVENTS = 500, HEAD_FILE_BYTES = 256 };

static void seal_head(const uint8_t key[REHA_KEY_BYTES], const reha_audit_head *head,
                      char mac[REHA_MAC_TEXT_BYTES])
{
    char text[HEAD_FILE_BYTES];
    const int length = snprintf(text, sizeof text, "%" PRId64 "|%s", head->no, head->hash);
    reha_mac(key, text, (size_t)length, mac);
}

static reha_status hash_event(int64_t no, const char *at, const reha_audit_event *event, const char *before,
                              char hash[REHA_DIGEST_TEXT_BYTES], reha_error *err)
{
    reha_text text = {0};
    char *line = NULL;
    reha_text_addf(&text, "%" PRId64 "|%s|%s|%s|%s|%s|%s|", no, at, event->user_id, event->role,
                   event->action, event->entity, event->entity_id);
    reha_text_add(&text, event->detail);
    reha_text_addf(&text, "|%s", before);
    const size_t length = text.length;
    REHA_TRY(reha_text_take(&text, &line, err));
    reha_digest_bytes(line, length, hash);
    reha_free(line);
    return REHA_OK;
}

/* The head in the database; no 0 while there is none. */
static reha_status read_head(reha_store *store, const uint8_t key[REHA_KEY_BYTES], reha_audit_head *out,
                             reha_error *err)
{
    json_t *row = NULL;
    char mac[REHA_MAC_TEXT_BYTES];
    *out = (reha_audit_head){.no = 0};
    memcpy(out->hash, FIRST_HASH, sizeof FIRST_HASH);
    reha_status status = reha_store_row(store, REHA_SQL_AUDIT_HEAD, REHA_BIND_NONE, &row, NULL);
    if (status == REHA_E_NOT_FOUND) {
        return REHA_OK;
    }
    if (status != REHA_OK) {
        return reha_fail(err, status, "the head of the audit chain cannot be read");
    }
    out->no = (int64_t)reha_json_number(row, "no", 0.0);
    (void)snprintf(out->hash, sizeof out->hash, "%s", reha_json_string(row, "hash", ""));
    seal_head(key, out, mac);
    const char *stored = reha_json_string(row, "mac", "");
    if (strlen(stored) != strlen(mac) || !reha_equal_constant_time(stored, mac, strlen(mac))) {
        status = reha_fail(err, REHA_E_TAMPERED, "the head of the audit chain does not match its seal");
    }
    json_decref(row);
    return status;
}

reha_status reha_audit_append(reha_store *store, const uint8_t key[REHA_KEY_BYTES],
                              const reha_audit_event *event, reha_audit_head *head, reha_error *err)
{
    reha_audit_head before;
    reha_audit_event full = *event;
    char at[REHA_TIMESTAMP_BYTES];
    char mac[REHA_MAC_TEXT_BYTES];
    full.detail = event->detail != NULL ? event->detail : "{}";
    REHA_TRY(read_head(store, key, &before, err));
    reha_clock_timestamp(at);
    head->no = before.no + 1;
    REHA_TRY(hash_event(head->no, at, &full, before.hash, head->hash, err));
    seal_head(key, head, mac);
    REHA_TRY(
        reha_store_do(store, REHA_SQL_AUDIT_ADD,
                      REHA_BIND(reha_of_int(head->no), reha_of_text(at), reha_of_text(full.user_id),
                                reha_of_text(full.role), reha_of_text(full.action), reha_of_text(full.entity),
                                reha_of_text(full.entity_id), reha_of_text(full.detail),
                                reha_of_text(before.hash), reha_of_text(head->hash)),
                      NULL, err));
    return reha_store_do(store, REHA_SQL_AUDIT_HEAD_PUT,
                         REHA_BIND(reha_of_int(head->no), reha_of_text(head->hash), reha_of_text(mac)), NULL,
                         err);
}

reha_status reha_audit_note_head(const char *path, const uint8_t key[REHA_KEY_BYTES],
                                 const reha_audit_head *head, reha_error *err)
{
    char mac[REHA_MAC_TEXT_BYTES];
    char text[HEAD_FILE_BYTES];
    seal_head(key, head, mac);
    const int length = snprintf(text, sizeof text, "%" PRId64 " %s %s\n", head->no, head->hash, mac);
    return reha_disk_save_soon(path, text, (size_t)length, err);
}

static reha_status load_copy(const char *path, const uint8_t key[REHA_KEY_BYTES], reha_audit_head *out,
                             reha_error *err)
{
    uint8_t *text = NULL;
    size_t count = 0;
    char stored[REHA_MAC_TEXT_BYTES] = "";
    char mac[REHA_MAC_TEXT_BYTES];
    *out = (reha_audit_head){.no = 0};
    reha_status status = reha_file_load(path, HEAD_FILE_BYTES, &text, &count, NULL);
    if (status != REHA_OK) {
        return reha_fail(err, REHA_E_TAMPERED, "%s: the copy of the chain's head is missing or unreadable",
                         path);
    }
    const bool is_read =
        sscanf((const char *)text, "%" SCNd64 " %64s %64s", &out->no, out->hash, stored) == 3;
    reha_free(text);
    seal_head(key, out, mac);
    return is_read && strcmp(stored, mac) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_TAMPERED, "%s: the copy of the chain's head does not match its seal",
                           path);
}

typedef struct walk { /* what was seen of the chain so far */
    int64_t no;
    char hash[REHA_MAC_TEXT_BYTES];
    const reha_audit_head *copy;
    bool met_copy;
} walk;

static reha_status step(walk *at, const json_t *row, reha_error *err)
{
    char hash[REHA_DIGEST_TEXT_BYTES];
    const int64_t no = (int64_t)json_integer_value(json_object_get(row, "no"));
    const reha_audit_event event = {.user_id = reha_json_string(row, "user_id", ""),
                                    .role = reha_json_string(row, "role", ""),
                                    .action = reha_json_string(row, "action", ""),
                                    .entity = reha_json_string(row, "entity", ""),
                                    .entity_id = reha_json_string(row, "entity_id", ""),
                                    .detail = reha_json_string(row, "detail", "")};
    if (no != at->no + 1) {
        return reha_fail(err, REHA_E_TAMPERED, "audit record %" PRId64 " is missing", at->no + 1);
    }
    if (strcmp(reha_json_string(row, "prev_hash", ""), at->hash) != 0) {
        return reha_fail(err, REHA_E_TAMPERED, "audit record %" PRId64 " does not follow the one before it",
                         no);
    }
    REHA_TRY(hash_event(no, reha_json_string(row, "at", ""), &event, at->hash, hash, err));
    if (strcmp(reha_json_string(row, "hash", ""), hash) != 0) {
        return reha_fail(err, REHA_E_TAMPERED, "audit record %" PRId64 " was altered", no);
    }
    at->no = no;
    memcpy(at->hash, hash, sizeof hash);
    at->met_copy =
        at->met_copy || (at->copy != NULL && at->copy->no == no && strcmp(at->copy->hash, hash) == 0);
    return REHA_OK;
}

reha_status reha_audit_verify(reha_store *store, const uint8_t key[REHA_KEY_BYTES], const char *head_path,
                              int64_t *events, reha_error *err)
{
    reha_audit_head copy = {.no = 0};
    reha_audit_head head;
    walk at = {.no = 0};
    size_t seen = 0;
    memcpy(at.hash, FIRST_HASH, sizeof FIRST_HASH);
    if (events != NULL) {
        *events = 0;
    }
    /* The copy first: records that others append meanwhile only make the chain longer than it says. */
    if (head_path != NULL) {
        REHA_TRY(load_copy(head_path, key, &copy, err));
        at.copy = &copy;
    }
    REHA_TRY(read_head(store, key, &head, err));
    do {
        json_t *rows = NULL;
        REHA_TRY(reha_store_rows(store, REHA_SQL_AUDIT_PART,
                                 REHA_BIND(reha_of_int(at.no), reha_of_int(PART_EVENTS)), &rows, err));
        reha_status status = REHA_OK;
        seen = json_array_size(rows);
        for (size_t i = 0; i < seen && status == REHA_OK; i++) {
            status = step(&at, json_array_get(rows, i), err);
            if (status == REHA_OK && at.no == head.no && strcmp(at.hash, head.hash) != 0) {
                status =
                    reha_fail(err, REHA_E_TAMPERED, "audit record %" PRId64 " is not the sealed head", at.no);
            }
        }
        json_decref(rows);
        REHA_TRY(status);
    } while (seen == PART_EVENTS);
    if (at.no < head.no) {
        return reha_fail(err, REHA_E_TAMPERED,
                         "the audit chain ends at record %" PRId64 ", its sealed head is %" PRId64, at.no,
                         head.no);
    }
    if (head_path != NULL && !at.met_copy) {
        return reha_fail(err, REHA_E_TAMPERED,
                         "the audit chain does not hold record %" PRId64
                         " that the sealed copy of its head names: records "
                         "were cut off, or an older database was put back",
                         copy.no);
    }
    if (events != NULL) {
        *events = at.no;
    }
    return REHA_OK;
}
