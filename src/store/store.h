/* The records: one SQLite database, all of its SQL in this room (sql.h names each statement, schema.c holds
 * the tables and their migrations). Callers bind values and get rows as JSON objects, so that another
 * database can stand behind the same statements later.
 *
 * WAL, foreign keys, and synchronous=FULL: what was committed is on disk. */
#ifndef REHA_STORE_STORE_H
#define REHA_STORE_STORE_H

#include "base/json.h"
#include "base/status.h"
#include "store/secret.h"
#include "store/sql.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reha_store reha_store; /* one connection; one thread at a time; several per file are fine */

/* Opens or makes the file and migrates it forward. Columns that tell who somebody is, and
 * whatever people write, are sealed with keys->records (docs/adr/0014); callers give and get them in clear.
 * REHA_E_UNSUPPORTED: of a newer version; REHA_E_STALE: of an older one and not `may_migrate`; REHA_E_FORMAT:
 * no database; REHA_E_TAMPERED: of another key, or of a version that never was. */
REHA_MUST_USE reha_status reha_store_open(const char *path, const reha_keys *keys, bool may_migrate,
                                          reha_store **out, reha_error *err);
void reha_store_close(reha_store *store); /* NULL is fine; an open transaction is undone */
/* A migration that sealed columns leaves the clear texts in free pages and in the journal: rewrites both,
 * once. Without such a migration it costs nothing. REHA_E_BUSY: somebody reads; call it again at the next
 * start. */
REHA_MUST_USE reha_status reha_store_sweep(reha_store *store, reha_error *err);
/* The newest version of the tables, and that of an open file (0: it cannot be read now). */
int reha_store_schema_newest(void);
int reha_store_schema(reha_store *store);

/* A value to bind; texts are borrowed until the call returns. */
typedef enum reha_value_kind {
    REHA_VALUE_NULL = 0,
    REHA_VALUE_INTEGER,
    REHA_VALUE_REAL,
    REHA_VALUE_TEXT
} reha_value_kind;
typedef struct reha_value {
    reha_value_kind kind;
    int64_t integer;
    double real;
    const char *text;
} reha_value;
static inline reha_value reha_of_text(const char *text) /* NULL: null */
{
    return (reha_value){text != NULL ? REHA_VALUE_TEXT : REHA_VALUE_NULL, 0, 0.0, text};
}
static inline reha_value reha_of_int(int64_t value)
{
    return (reha_value){REHA_VALUE_INTEGER, value, 0.0, NULL};
}
static inline reha_value reha_of_real(double value) /* NaN: null */
{
    return (reha_value){value == value ? REHA_VALUE_REAL : REHA_VALUE_NULL, 0, value, NULL};
}
/* Two arguments: the values and their count. */
#define REHA_BIND(...)                                                                                       \
    (const reha_value[]){__VA_ARGS__}, sizeof((const reha_value[]){__VA_ARGS__}) / sizeof(reha_value)
#define REHA_BIND_NONE NULL, 0

/* All rows as an array of objects; a column "x:bool" becomes a boolean x, "x:json" the JSON that it holds.
 * New reference. REHA_E_CONFLICT: breaks uniqueness or immutability; REHA_E_NOT_FOUND: refers to a record
 * that is not there; REHA_E_TAMPERED: a sealed column does not open. */
REHA_MUST_USE reha_status reha_store_rows(reha_store *store, reha_sql which, const reha_value *values,
                                          size_t count, json_t **out, reha_error *err);
/* The first row; REHA_E_NOT_FOUND if there is none. */
REHA_MUST_USE reha_status reha_store_row(reha_store *store, reha_sql which, const reha_value *values,
                                         size_t count, json_t **out, reha_error *err);
/* The first column of the first row as a number; 0 if there is none. */
REHA_MUST_USE reha_status reha_store_number(reha_store *store, reha_sql which, const reha_value *values,
                                            size_t count, int64_t *out, reha_error *err);
/* Changes; `changed` (may be NULL): how many rows. */
REHA_MUST_USE reha_status reha_store_do(reha_store *store, reha_sql which, const reha_value *values,
                                        size_t count, int64_t *changed, reha_error *err);

/* Writing happens between begin and commit; begin waits for other writers (REHA_E_BUSY after 20 s). `durable`
 * false: safe against the end of the process, but the last second may be lost when the power goes (records of
 * mere reading). */
REHA_MUST_USE reha_status reha_store_begin(reha_store *store, bool durable, reha_error *err);
REHA_MUST_USE reha_status reha_store_commit(reha_store *store, reha_error *err);
void reha_store_rollback(reha_store *store); /* without a transaction: nothing */
bool reha_store_is_writing(
    reha_store *store); /* false also after a fault (a full disk) that undid the transaction by itself */
/* Changes when another connection (of any process) committed. */
int64_t reha_store_change_mark(reha_store *store);

/* A consistent copy into a new file while others read and write. */
REHA_MUST_USE reha_status reha_store_copy(reha_store *store, const char *path, reha_error *err);
/* SQLite's own check of structure and foreign keys; REHA_E_TAMPERED with what is wrong. */
REHA_MUST_USE reha_status reha_store_check(reha_store *store, reha_error *err);

#endif
