#include "store/store.h"

#include "base/memory.h"
#include "store/disk_priv.h"
#include "store/functions_priv.h"
#include "store/schema_priv.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 20000, NAME_BYTES = 64 };

/* Names of settings that are the store's own. */
static const char KEY_CHECK[] = "key-check";
static const char SWEEP[] = "sweep";

struct reha_store {
    sqlite3 *db;
    sqlite3_stmt *statements[REHA_SQL_COUNT]; /* prepared when first used */
    bool is_durable;
    bool in_transaction;
    uint8_t key[REHA_KEY_BYTES]; /* of sealed columns; the functions of the connection read it here */
};

static reha_status fail_sql(reha_store *store, int code, const char *what, reha_error *err)
{
    const char *text = sqlite3_errmsg(store->db);
    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
        return reha_fail(err, REHA_E_CONFLICT, "it exists already");
    case SQLITE_CONSTRAINT_TRIGGER:
        return reha_fail(err, REHA_E_CONFLICT, "%s", text);
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return reha_fail(err, REHA_E_NOT_FOUND, "it refers to a record that does not exist");
    default:
        break;
    }
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return reha_fail(err, REHA_E_BUSY, "the records are busy; try again");
    case SQLITE_NOMEM:
        return reha_fail(err, REHA_E_NOMEM, "out of memory in the records");
    case SQLITE_FULL:
        return reha_fail(err, REHA_E_FULL, "the disk of the records is full: nothing was stored");
    case SQLITE_NOTADB:
        return reha_fail(err, REHA_E_FORMAT, "the file is no database");
    case SQLITE_CORRUPT:
        return reha_fail(err, REHA_E_TAMPERED, "the database is damaged: restore a backup (%s)", text);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        if (code == SQLITE_IOERR_WRITE) { /* a quota, or a disk that fails: SQLite does not keep which */
            return reha_fail(err, REHA_E_FULL,
                             "the disk of the records is full or refuses to be written: nothing was stored");
        }
        return reha_fail(err, REHA_E_IO, "the database cannot be read or written: %s", text);
    default:
        return reha_fail(err, REHA_E_INTERNAL, "%s: %s", what, text);
    }
}

static reha_status execute(reha_store *store, const char *sql, reha_error *err)
{
    const int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? REHA_OK : fail_sql(store, sqlite3_extended_errcode(store->db), sql, err);
}

/* The number of steps that made the tables; 0: there are none. */
static reha_status read_version(reha_store *store, int *out, reha_error *err)
{
    static const char sql[] = "PRAGMA user_version";
    sqlite3_stmt *statement = NULL;
    reha_status status = REHA_OK;
    *out = 0;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    code = code == SQLITE_OK ? sqlite3_step(statement) : code;
    const int version = code == SQLITE_ROW ? sqlite3_column_int(statement, 0) : 0;
    if (code != SQLITE_ROW) {
        status = fail_sql(store, code, sql, err);
    } else if (version < 0) {
        status =
            reha_fail(err, REHA_E_TAMPERED,
                      "the database is damaged: restore a backup (its tables have the version %d)", version);
    } else {
        *out = version;
    }
    (void)sqlite3_finalize(statement);
    return status;
}

/* The key of one home must not open, and then seal, the records of another. */
static reha_status check_key(reha_store *store, const reha_keys *keys, reha_error *err)
{
    char wanted[REHA_MAC_TEXT_BYTES + 2];
    json_t *row = NULL;
    (void)snprintf(wanted, sizeof wanted, "\"%s\"", keys->check);
    reha_status status =
        reha_store_row(store, REHA_SQL_SETTING, REHA_BIND(reha_of_text(KEY_CHECK)), &row, err);
    if (status == REHA_E_NOT_FOUND) { /* a new home, or one that was stopped before this was noted */
        return reha_store_do(store, REHA_SQL_SETTING_ADD,
                             REHA_BIND(reha_of_text(KEY_CHECK), reha_of_text(wanted)), NULL, err);
    }
    if (status == REHA_OK && strcmp(reha_json_string(row, "value", ""), keys->check) != 0) {
        status =
            reha_fail(err, REHA_E_TAMPERED, "the key is not that of these records; bring back the right one");
    }
    json_decref(row);
    return status;
}

/* Each step with its new number, all in one transaction: a kill between leaves the former version whole. */
static reha_status migrate(reha_store *store, const reha_keys *keys, reha_error *err)
{
    char number[NAME_BYTES];
    int version = 0;
    reha_status status = REHA_OK;
    REHA_TRY(execute(store, "BEGIN IMMEDIATE", err));
    REHA_CHECK(read_version(store, &version, err)); /* another process may have migrated meanwhile */
    if (version > 0) {
        REHA_CHECK(check_key(store, keys, err)); /* before anything is sealed with it */
    }
    for (int step = version; step < reha_schema_count(); step++) {
        REHA_CHECK(execute(store, reha_schema_step(step), err));
        (void)snprintf(number, sizeof number, "PRAGMA user_version = %d", step + 1);
        REHA_CHECK(execute(store, number, err));
    }
    REHA_CHECK(check_key(store, keys, err));
    status = execute(store, "COMMIT", err);
done:
    if (status != REHA_OK) {
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return status;
}

/* The note that clear texts must go stays until file and journal are rewritten, so that a kill between is
 * made good. */
reha_status reha_store_sweep(reha_store *store, reha_error *err)
{
    json_t *row = NULL;
    int64_t is_busy = 0;
    const reha_status noted =
        reha_store_row(store, REHA_SQL_SETTING, REHA_BIND(reha_of_text(SWEEP)), &row, err);
    json_decref(row);
    if (noted != REHA_OK) {
        return noted == REHA_E_NOT_FOUND ? REHA_OK : noted;
    }
    /* The copy of a large database would not fit into memory; sealed, it may lie in a temporary file. */
    REHA_TRY(execute(store, "PRAGMA temp_store = FILE; VACUUM; PRAGMA temp_store = MEMORY;", err));
    REHA_TRY(reha_store_number(store, REHA_SQL_CHECKPOINT, REHA_BIND_NONE, &is_busy, err));
    if (is_busy != 0) {
        return reha_fail(err, REHA_E_BUSY,
                         "somebody reads the records: what was sealed is wiped at the next start");
    }
    return reha_store_do(store, REHA_SQL_SETTING_DROP, REHA_BIND(reha_of_text(SWEEP)), NULL, err);
}

static reha_status bring_forward(reha_store *store, const reha_keys *keys, bool may_migrate, reha_error *err)
{
    int version = 0;
    REHA_TRY(read_version(store, &version, err));
    if (version > reha_schema_count()) {
        return reha_fail(
            err, REHA_E_UNSUPPORTED,
            "the records were made by a newer version (tables %d, this program knows %d): update rehascope",
            version, reha_schema_count());
    }
    if (version == reha_schema_count()) { /* the usual case takes no lock */
        return check_key(store, keys, err);
    }
    if (version > 0 && !may_migrate) {
        return reha_fail(err, REHA_E_STALE,
                         "the records are of an older version (tables %d, this program makes %d)", version,
                         reha_schema_count());
    }
    return migrate(store, keys, err);
}

reha_status reha_store_open(const char *path, const reha_keys *keys, bool may_migrate, reha_store **out,
                            reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    reha_store *store = reha_alloc_zero(1, sizeof *store);
    if (store == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the records");
    }
    memcpy(store->key, keys->records, sizeof store->key);
    /* Owner only from the first byte; SQLite gives its journal files the mode of the database. Only a new
     * file is opened here: closing any descriptor of a file drops all locks that this process holds on it
     * (POSIX), and another process would then take itself for the last one and remove the journal under our
     * other connections. */
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                        NULL) != SQLITE_OK) {
        status = reha_fail(err, REHA_E_IO, "%s: the database cannot be opened: %s", path,
                           sqlite3_errmsg(store->db));
        goto done;
    }
    (void)sqlite3_busy_timeout(store->db, BUSY_MS);
    store->is_durable = true;
    REHA_CHECK(execute(store,
                       "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                       "PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;",
                       err));
    REHA_CHECK(reha_functions_add(store->db, store->key, err));
    REHA_CHECK(bring_forward(store, keys, may_migrate, err));
    *out = store;
    store = NULL;
done:
    if (status != REHA_OK && err != NULL && strncmp(err->text, path, strlen(path)) != 0) {
        reha_error_prefix(err, "%s", path);
    }
    reha_store_close(store);
    return status;
}

void reha_store_close(reha_store *store)
{
    if (store != NULL) {
        for (int i = 0; i < REHA_SQL_COUNT; i++) {
            (void)sqlite3_finalize(store->statements[i]);
        }
        (void)sqlite3_close(store->db);
        reha_wipe(store->key, sizeof store->key);
        reha_free(store);
    }
}

int reha_store_schema_newest(void)
{
    return reha_schema_count();
}

int reha_store_schema(reha_store *store)
{
    int version = 0;
    (void)read_version(store, &version, NULL);
    return version;
}

static reha_status prepare(reha_store *store, reha_sql which, const reha_value *values, size_t count,
                           sqlite3_stmt **out, reha_error *err)
{
    const char *sql = reha_sql_text(which);
    if (store->statements[which] == NULL) {
        const int code = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                            &store->statements[which], NULL);
        if (code != SQLITE_OK) {
            return fail_sql(store, code, sql, err);
        }
    }
    sqlite3_stmt *statement = store->statements[which];
    if ((size_t)sqlite3_bind_parameter_count(statement) != count) {
        return reha_fail(err, REHA_E_INTERNAL, "%zu values for the %d of: %.80s", count,
                         sqlite3_bind_parameter_count(statement), sql);
    }
    for (size_t i = 0; i < count; i++) {
        const int at = (int)i + 1;
        const reha_value *value = &values[i];
        const int code = value->kind == REHA_VALUE_INTEGER ? sqlite3_bind_int64(statement, at, value->integer)
                         : value->kind == REHA_VALUE_REAL  ? sqlite3_bind_double(statement, at, value->real)
                         : value->kind == REHA_VALUE_TEXT
                             ? sqlite3_bind_text(statement, at, value->text, -1, SQLITE_STATIC)
                             : sqlite3_bind_null(statement, at);
        if (code != SQLITE_OK) {
            return fail_sql(store, code, sql, err);
        }
    }
    *out = statement;
    return REHA_OK;
}

static void finish(sqlite3_stmt *statement)
{
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
}

static json_t *column_value(sqlite3_stmt *statement, int column, const char *kind)
{
    const int type = sqlite3_column_type(statement, column);
    if (type == SQLITE_NULL) {
        return json_null();
    }
    if (strcmp(kind, "bool") == 0) {
        return json_boolean(sqlite3_column_int(statement, column));
    }
    if (type == SQLITE_INTEGER) {
        return json_integer(sqlite3_column_int64(statement, column));
    }
    if (type == SQLITE_FLOAT) {
        return reha_json_real(sqlite3_column_double(statement, column));
    }
    const char *text = (const char *)sqlite3_column_text(statement, column);
    if (text == NULL) {
        return NULL; /* memory is out */
    }
    if (strcmp(kind, "json") == 0) {
        return json_loads(text, JSON_DECODE_ANY, NULL);
    }
    return reha_json_text(text);
}

static reha_status row_json(sqlite3_stmt *statement, json_t **out, reha_error *err)
{
    json_t *row = json_object();
    bool is_ok = row != NULL;
    for (int i = 0; is_ok && i < sqlite3_column_count(statement); i++) {
        char name[NAME_BYTES];
        (void)snprintf(name, sizeof name, "%s", sqlite3_column_name(statement, i));
        char *kind = strchr(name, ':');
        if (kind != NULL) {
            *kind++ = '\0';
        }
        is_ok = json_object_set_new(row, name, column_value(statement, i, kind != NULL ? kind : "")) == 0;
    }
    if (!is_ok) {
        json_decref(row);
        *out = NULL;
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a record, or its JSON is damaged");
    }
    *out = row;
    return REHA_OK;
}

reha_status reha_store_rows(reha_store *store, reha_sql which, const reha_value *values, size_t count,
                            json_t **out, reha_error *err)
{
    sqlite3_stmt *statement = NULL;
    reha_status status = REHA_OK;
    int code = SQLITE_ROW;
    *out = NULL;
    REHA_TRY(prepare(store, which, values, count, &statement, err));
    json_t *rows = json_array();
    while ((code = sqlite3_step(statement)) == SQLITE_ROW && status == REHA_OK) {
        json_t *row = NULL;
        status = row_json(statement, &row, err);
        if (status == REHA_OK && json_array_append_new(rows, row) != 0) {
            status = reha_fail(err, REHA_E_NOMEM, "out of memory for the records of a list");
        }
    }
    if (status == REHA_OK && code != SQLITE_DONE) {
        status = fail_sql(store, code, reha_sql_text(which), err);
    }
    finish(statement);
    if (status != REHA_OK) {
        json_decref(rows);
        rows = NULL;
    }
    *out = rows;
    return status;
}

reha_status reha_store_row(reha_store *store, reha_sql which, const reha_value *values, size_t count,
                           json_t **out, reha_error *err)
{
    json_t *rows = NULL;
    *out = NULL;
    REHA_TRY(reha_store_rows(store, which, values, count, &rows, err));
    *out = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOT_FOUND, "no such record");
}

reha_status reha_store_number(reha_store *store, reha_sql which, const reha_value *values, size_t count,
                              int64_t *out, reha_error *err)
{
    sqlite3_stmt *statement = NULL;
    *out = 0;
    REHA_TRY(prepare(store, which, values, count, &statement, err));
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
    }
    const reha_status status = code == SQLITE_ROW || code == SQLITE_DONE
                                   ? REHA_OK
                                   : fail_sql(store, code, reha_sql_text(which), err);
    finish(statement);
    return status;
}

reha_status reha_store_do(reha_store *store, reha_sql which, const reha_value *values, size_t count,
                          int64_t *changed, reha_error *err)
{
    sqlite3_stmt *statement = NULL;
    REHA_TRY(prepare(store, which, values, count, &statement, err));
    const int code = sqlite3_step(statement);
    reha_status status = REHA_OK;
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        status = fail_sql(store, code, reha_sql_text(which), err);
    } else if (changed != NULL) {
        *changed = sqlite3_changes64(store->db);
    }
    finish(statement);
    return status;
}

reha_status reha_store_begin(reha_store *store, bool durable, reha_error *err)
{
    if (durable != store->is_durable) {
        REHA_TRY(execute(store, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", err));
        store->is_durable = durable;
    }
    REHA_TRY(execute(store, "BEGIN IMMEDIATE", err));
    store->in_transaction = true;
    return REHA_OK;
}

reha_status reha_store_commit(reha_store *store, reha_error *err)
{
    const reha_status status = execute(store, "COMMIT", err);
    if (status != REHA_OK) {
        reha_store_rollback(store);
    }
    store->in_transaction = false;
    return status;
}

void reha_store_rollback(reha_store *store)
{
    if (store != NULL && store->in_transaction) {
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
        store->in_transaction = false;
    }
}

bool reha_store_is_writing(reha_store *store)
{
    return store->in_transaction && sqlite3_get_autocommit(store->db) == 0;
}

int64_t reha_store_change_mark(reha_store *store)
{
    int64_t mark = 0;
    return reha_store_number(store, REHA_SQL_CHANGE_MARK, REHA_BIND_NONE, &mark, NULL) == REHA_OK ? mark : -1;
}

reha_status reha_store_copy(reha_store *store, const char *path, reha_error *err)
{
    sqlite3 *target = NULL;
    reha_status status = REHA_OK;
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return reha_fail(err, REHA_E_IO, "%s: cannot be made", path);
    }
    int code = sqlite3_open_v2(path, &target, SQLITE_OPEN_READWRITE, NULL);
    sqlite3_backup *backup =
        code == SQLITE_OK ? sqlite3_backup_init(target, "main", store->db, "main") : NULL;
    if (backup != NULL) {
        code = sqlite3_backup_step(backup,
                                   -1); /* one step: one consistent state, readers and writers go on (WAL) */
        (void)sqlite3_backup_finish(backup);
    }
    if (backup == NULL || code != SQLITE_DONE) {
        status =
            reha_fail(err, REHA_E_IO, "%s: the database cannot be copied: %s", path, sqlite3_errmsg(target));
    }
    (void)sqlite3_close(target);
    if (status == REHA_OK && fsync(fd) != 0) {
        status = reha_fail(err, REHA_E_IO, "%s: cannot be flushed to disk", path);
    }
    (void)close(fd);
    return status;
}

reha_status reha_store_check(reha_store *store, reha_error *err)
{
    json_t *rows = NULL;
    REHA_TRY(reha_store_rows(store, REHA_SQL_CHECK, REHA_BIND_NONE, &rows, err));
    const char *first = reha_json_string(json_array_get(rows, 0), "fault", NULL);
    const reha_status status =
        first == NULL ? REHA_OK : reha_fail(err, REHA_E_TAMPERED, "the database is damaged: %.150s", first);
    json_decref(rows);
    return status;
}
