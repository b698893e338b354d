#include "store/schema_priv.h"

/* Statements keep the lines of their SQL. */
/* clang-format off */

/* What may never change says so itself: a trigger refuses it, whoever asks. */
#define IMMUTABLE(table)                                                                                               \
    "CREATE TRIGGER " table "_keep BEFORE UPDATE ON " table                                                            \
    " BEGIN SELECT RAISE(ABORT, '" table " records are never changed'); END;"                                          \
    "CREATE TRIGGER " table "_stay BEFORE DELETE ON " table                                                            \
    " BEGIN SELECT RAISE(ABORT, '" table " records are never deleted'); END;"

/* Version 1: accounts, */
static const char version_1[] =
    "CREATE TABLE setting (name TEXT PRIMARY KEY, version INTEGER NOT NULL, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE user (id TEXT PRIMARY KEY, version INTEGER NOT NULL DEFAULT 1,"
    " name TEXT NOT NULL COLLATE NOCASE UNIQUE, display_name TEXT NOT NULL, password_hash TEXT NOT NULL,"
    " role TEXT NOT NULL, active INTEGER NOT NULL DEFAULT 1, totp_secret TEXT, totp_on INTEGER NOT NULL DEFAULT 0,"
    " totp_step INTEGER NOT NULL DEFAULT 0, failed_tries INTEGER NOT NULL DEFAULT 0,"
    " locked_until_s INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL, last_sign_in_at TEXT) STRICT;"
    "CREATE TABLE session (id TEXT PRIMARY KEY, token_hash TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL REFERENCES user(id),"
    " created_s INTEGER NOT NULL, seen_s INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX session_user ON session(user_id);"
    /* patients and their images, */
    "CREATE TABLE patient (id TEXT PRIMARY KEY, version INTEGER NOT NULL DEFAULT 1, pseudonym TEXT NOT NULL UNIQUE,"
    " name TEXT, birth_year INTEGER, sex TEXT CHECK (sex IN ('f', 'm', 'x')), note TEXT,"
    " external_mac TEXT UNIQUE, created_at TEXT NOT NULL) STRICT;"
    "CREATE TABLE episode (id TEXT PRIMARY KEY, version INTEGER NOT NULL DEFAULT 1,"
    " patient_id TEXT NOT NULL REFERENCES patient(id), condition TEXT NOT NULL, side TEXT, onset TEXT, surgery TEXT,"
    " surgery_date TEXT, goals TEXT, open INTEGER NOT NULL DEFAULT 1, created_at TEXT NOT NULL) STRICT;"
    "CREATE INDEX episode_patient ON episode(patient_id);"
    "CREATE TABLE study (id TEXT PRIMARY KEY, version INTEGER NOT NULL DEFAULT 1, patient_id TEXT REFERENCES patient(id),"
    " episode_id TEXT REFERENCES episode(id), uid TEXT NOT NULL UNIQUE, modality TEXT, body_part TEXT, image_date TEXT,"
    " received_at TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'waiting', image_count INTEGER NOT NULL DEFAULT 0,"
    " first_image_id TEXT, headline TEXT, finding_count INTEGER NOT NULL DEFAULT 0, reviewed INTEGER NOT NULL DEFAULT 0,"
    " signed_by TEXT, signed_at TEXT,"
    " place INTEGER GENERATED ALWAYS AS (CASE status WHEN 'signed' THEN 2 WHEN 'waiting' THEN 1 ELSE 0 END) STORED) STRICT;"
    "CREATE INDEX study_place ON study(place, id);"
    "CREATE INDEX study_patient ON study(patient_id);"
    "CREATE TABLE image (id TEXT PRIMARY KEY, study_id TEXT NOT NULL REFERENCES study(id), sop_uid TEXT NOT NULL UNIQUE,"
    " digest TEXT NOT NULL UNIQUE, source_digest TEXT NOT NULL UNIQUE, size_bytes INTEGER NOT NULL, facts TEXT NOT NULL,"
    " image_date TEXT, side_hint TEXT, result_id TEXT REFERENCES result(id) DEFERRABLE INITIALLY DEFERRED,"
    " created_at TEXT NOT NULL) STRICT;"
    "CREATE INDEX image_study ON image(study_id);"
    "CREATE TABLE job (id TEXT PRIMARY KEY, image_id TEXT NOT NULL REFERENCES image(id), state TEXT NOT NULL DEFAULT 'queued',"
    " text TEXT, tries INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL, started_at TEXT, ended_at TEXT) STRICT;"
    "CREATE INDEX job_state ON job(state, id);"
    "CREATE INDEX job_image ON job(image_id, id);"
    "CREATE TABLE upload (user_id TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, answer TEXT NOT NULL,"
    " created_at TEXT NOT NULL, PRIMARY KEY (user_id, key)) STRICT, WITHOUT ROWID;"
    /* what was found and decided, */
    "CREATE TABLE result (id TEXT PRIMARY KEY, image_id TEXT NOT NULL REFERENCES image(id), created_at TEXT NOT NULL,"
    " input_digest TEXT NOT NULL, model TEXT NOT NULL, model_version TEXT NOT NULL, model_hash TEXT NOT NULL,"
    " software TEXT NOT NULL, accepted INTEGER NOT NULL, headline TEXT NOT NULL, finding_count INTEGER NOT NULL,"
    " analysis TEXT NOT NULL) STRICT;" IMMUTABLE("result")
    "CREATE INDEX result_image ON result(image_id, id);"
    "CREATE TABLE result_picture (result_id TEXT NOT NULL REFERENCES result(id), name TEXT NOT NULL, digest TEXT NOT NULL,"
    " PRIMARY KEY (result_id, name)) STRICT, WITHOUT ROWID;" IMMUTABLE("result_picture")
    "CREATE TABLE measurement (id INTEGER PRIMARY KEY, result_id TEXT NOT NULL REFERENCES result(id),"
    " region INTEGER NOT NULL, key TEXT NOT NULL, label TEXT NOT NULL, side TEXT NOT NULL, value REAL NOT NULL,"
    " unit TEXT NOT NULL, error_95 REAL) STRICT;" IMMUTABLE("measurement")
    "CREATE INDEX measurement_result ON measurement(result_id);"
    "CREATE TABLE review (id TEXT PRIMARY KEY, result_id TEXT NOT NULL REFERENCES result(id), region INTEGER NOT NULL,"
    " finding TEXT NOT NULL, decision TEXT NOT NULL CHECK (decision IN ('accept', 'amend', 'reject')), value REAL,"
    " software_value REAL, reason TEXT, user_id TEXT NOT NULL REFERENCES user(id), created_at TEXT NOT NULL) STRICT;"
    IMMUTABLE("review")
    "CREATE INDEX review_result ON review(result_id, region, finding, id);"
    "CREATE TABLE signature (id TEXT PRIMARY KEY, study_id TEXT NOT NULL REFERENCES study(id),"
    " user_id TEXT NOT NULL REFERENCES user(id), role TEXT NOT NULL, signed_at TEXT NOT NULL, comment TEXT,"
    " content TEXT NOT NULL, content_hash TEXT NOT NULL) STRICT;" IMMUTABLE("signature")
    "CREATE INDEX signature_study ON signature(study_id, id);"
    "CREATE TABLE withdrawal (signature_id TEXT PRIMARY KEY REFERENCES signature(id), user_id TEXT NOT NULL REFERENCES user(id),"
    " reason TEXT NOT NULL, created_at TEXT NOT NULL) STRICT;" IMMUTABLE("withdrawal")
    /* care over time, and who did what. */
    "CREATE TABLE score (id TEXT PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patient(id),"
    " episode_id TEXT REFERENCES episode(id), instrument TEXT NOT NULL, value REAL NOT NULL, unit TEXT, side TEXT,"
    " date TEXT NOT NULL, note TEXT, user_id TEXT NOT NULL, created_at TEXT NOT NULL, withdrawn_reason TEXT) STRICT;"
    "CREATE INDEX score_patient ON score(patient_id, date);"
    "CREATE TABLE plan (id TEXT PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patient(id),"
    " episode_id TEXT REFERENCES episode(id), version INTEGER NOT NULL) STRICT;"
    "CREATE INDEX plan_patient ON plan(patient_id);"
    "CREATE TABLE plan_version (plan_id TEXT NOT NULL REFERENCES plan(id), version INTEGER NOT NULL, content TEXT NOT NULL,"
    " reason TEXT, user_id TEXT NOT NULL, created_at TEXT NOT NULL, PRIMARY KEY (plan_id, version)) STRICT, WITHOUT ROWID;"
    IMMUTABLE("plan_version")
    "CREATE TABLE prediction (id TEXT PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patient(id),"
    " episode_id TEXT REFERENCES episode(id), outcome TEXT NOT NULL, content TEXT NOT NULL, model TEXT, model_hash TEXT,"
    " user_id TEXT NOT NULL, created_at TEXT NOT NULL) STRICT;" IMMUTABLE("prediction")
    "CREATE INDEX prediction_patient ON prediction(patient_id);"
    "CREATE TABLE audit (no INTEGER PRIMARY KEY, at TEXT NOT NULL, user_id TEXT NOT NULL, role TEXT NOT NULL,"
    " action TEXT NOT NULL, entity TEXT NOT NULL, entity_id TEXT NOT NULL, detail TEXT NOT NULL, prev_hash TEXT NOT NULL,"
    " hash TEXT NOT NULL) STRICT;" IMMUTABLE("audit")
    "CREATE TABLE audit_head (one INTEGER PRIMARY KEY CHECK (one = 1), no INTEGER NOT NULL, hash TEXT NOT NULL,"
    " mac TEXT NOT NULL) STRICT;";

/* Version 2: what tells who a patient is, and every text that people write, is sealed (functions_priv.h). The records of former
 * versions are sealed once, so the triggers that keep them step aside for it; "sweep" has the clear texts wiped from the file. */
#define SEALED(column, id, name) column " = seal(" column ", " id ", '" name "')"
#define RESEAL(table, what)                                                                                            \
    "DROP TRIGGER " table "_keep; DROP TRIGGER " table "_stay; UPDATE " table " SET " what ";" IMMUTABLE(table)
static const char version_2[] =
    "ALTER TABLE patient RENAME COLUMN birth_year TO birth_number; ALTER TABLE patient ADD COLUMN birth_year TEXT;"
    "UPDATE patient SET birth_year = seal(birth_number, id, 'patient.birth_year')," SEALED("name", "id", "patient.name") ","
    SEALED("note", "id", "patient.note") "; ALTER TABLE patient DROP COLUMN birth_number;"
    "UPDATE episode SET " SEALED("condition", "id", "episode.condition") "," SEALED("surgery", "id", "episode.surgery") ","
    SEALED("goals", "id", "episode.goals") ";"
    "UPDATE upload SET " SEALED("answer", "user_id || '/' || key", "upload.answer") ";"
    "UPDATE score SET " SEALED("note", "id", "score.note") "," SEALED("withdrawn_reason", "id", "score.withdrawn_reason") ";"
    RESEAL("review", SEALED("reason", "id", "review.reason"))
    RESEAL("signature", SEALED("comment", "id", "signature.comment") "," SEALED("content", "id", "signature.content"))
    RESEAL("withdrawal", SEALED("reason", "signature_id", "withdrawal.reason"))
    RESEAL("plan_version", SEALED("content", "plan_id || '/' || version", "plan_version.content") ","
                           SEALED("reason", "plan_id || '/' || version", "plan_version.reason"))
    RESEAL("prediction", SEALED("content", "id", "prediction.content"))
    "INSERT INTO setting (name, version, value) VALUES ('sweep', 1, 'true');";

/* Version 3: a job may name its task (null: the program chooses), and an image keeps the newest result of every task
 * beside the others: those stand, older ones are history. "asked": the task was named. A result of a task, or of the
 * program's choice, takes the place of the former one. The column image.result_id of former versions is empty since. The
 * answers that a score was counted from have a (sealed) place of their own; former versions wrote them into the note. */
static const char version_3[] =
    "ALTER TABLE job ADD COLUMN task TEXT; ALTER TABLE score ADD COLUMN items TEXT;"
    "ALTER TABLE result ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE result ADD COLUMN task TEXT NOT NULL DEFAULT '';"
    RESEAL("result", "task = COALESCE(json_extract(analysis, '$.task'), model)")
    "DROP INDEX result_image; CREATE INDEX result_image ON result(image_id, id, task, asked);"
    "CREATE VIEW standing AS SELECT r.image_id, r.id AS result_id, r.task, r.asked FROM result r WHERE NOT EXISTS (SELECT 1 FROM"
    " result n WHERE n.image_id = r.image_id AND n.id > r.id AND (n.task = r.task OR (n.asked = 0 AND r.asked = 0)));"
    "ALTER TABLE study ADD COLUMN tasks TEXT NOT NULL DEFAULT '[]';"
    "UPDATE study SET tasks = (SELECT json_group_array(task) FROM (SELECT t.task FROM image i JOIN standing t ON t.image_id ="
    " i.id WHERE i.study_id = study.id GROUP BY t.task ORDER BY MIN(t.result_id)));"
    "UPDATE image SET result_id = NULL;";

/* Version 4: a patient can be erased (erase.h). Who stands in "erasing", for the length of one transaction, is the only one whose
 * immutable records may be deleted; the views say which these are. A step after this one that makes triggers anew makes them so. */
#define ERASABLE(table, exception)                                                                                     \
    "DROP TRIGGER " table "_stay; CREATE TRIGGER " table "_stay BEFORE DELETE ON " table " WHEN NOT EXISTS (" exception \
    ") BEGIN SELECT RAISE(ABORT, '" table " records are never deleted'); END;"
static const char version_4[] =
    "CREATE TABLE erasing (patient_id TEXT PRIMARY KEY REFERENCES patient(id)) STRICT, WITHOUT ROWID;"
    "CREATE VIEW erasing_study AS SELECT s.id FROM study s WHERE s.patient_id IN (SELECT patient_id FROM erasing) OR"
    " (s.patient_id IS NULL AND s.episode_id IN (SELECT p.id FROM episode p JOIN erasing e ON e.patient_id = p.patient_id));"
    "CREATE VIEW erasing_image AS SELECT i.id FROM image i JOIN erasing_study s ON s.id = i.study_id;"
    "CREATE VIEW erasing_result AS SELECT r.id FROM result r JOIN erasing_image i ON i.id = r.image_id;"
    ERASABLE("result", "SELECT 1 FROM erasing_image i WHERE i.id = OLD.image_id")
    ERASABLE("result_picture", "SELECT 1 FROM erasing_result r WHERE r.id = OLD.result_id")
    ERASABLE("measurement", "SELECT 1 FROM erasing_result r WHERE r.id = OLD.result_id")
    ERASABLE("review", "SELECT 1 FROM erasing_result r WHERE r.id = OLD.result_id")
    ERASABLE("signature", "SELECT 1 FROM erasing_study s WHERE s.id = OLD.study_id")
    ERASABLE("withdrawal", "SELECT 1 FROM signature g JOIN erasing_study s ON s.id = g.study_id WHERE g.id = OLD.signature_id")
    ERASABLE("plan_version", "SELECT 1 FROM plan l JOIN erasing e ON e.patient_id = l.patient_id WHERE l.id = OLD.plan_id")
    ERASABLE("prediction", "SELECT 1 FROM erasing e WHERE e.patient_id = OLD.patient_id")
    /* What names a file, and what a deleted result must not be named by, is asked row by row. */
    "CREATE INDEX result_picture_digest ON result_picture(digest); CREATE INDEX image_result ON image(result_id);";

/* Version 5: a result that somebody asked for by name can be set aside (at most once, for good). It stands no more, and what it
 * took the place of stands again. */
static const char version_5[] =
    "CREATE TABLE set_aside (result_id TEXT NOT NULL PRIMARY KEY REFERENCES result(id), user_id TEXT NOT NULL REFERENCES user(id),"
    " reason TEXT NOT NULL, created_at TEXT NOT NULL) STRICT;" IMMUTABLE("set_aside")
    ERASABLE("set_aside", "SELECT 1 FROM erasing_result r WHERE r.id = OLD.result_id")
    "CREATE VIEW kept AS SELECT r.id, r.image_id, r.task, r.asked FROM result r WHERE NOT EXISTS (SELECT 1 FROM"
    " set_aside a WHERE a.result_id = r.id);"
    "DROP VIEW standing; CREATE VIEW standing AS SELECT r.image_id, r.id AS result_id, r.task, r.asked FROM kept r WHERE NOT EXISTS"
    " (SELECT 1 FROM kept n WHERE n.image_id = r.image_id AND n.id > r.id AND (n.task = r.task OR (n.asked = 0 AND r.asked = 0)));";

/* Version 6: access tokens of machines: the secret itself is nowhere, only its hash. Patients and studies tell when they were changed
 * last, which the database writes itself; of former changes it is known only that they were before this step. */
#define CHANGED_AT(table)                                                                                              \
    "ALTER TABLE " table " ADD COLUMN changed_at TEXT; UPDATE " table " SET changed_at = " NOW_TEXT ";"                \
    "CREATE TRIGGER " table "_made AFTER INSERT ON " table                                                             \
    " BEGIN UPDATE " table " SET changed_at = " NOW_TEXT " WHERE id = NEW.id; END;"                                    \
    "CREATE TRIGGER " table "_changed AFTER UPDATE OF version ON " table                                               \
    " BEGIN UPDATE " table " SET changed_at = " NOW_TEXT " WHERE id = NEW.id; END;"
#define NOW_TEXT "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
static const char version_6[] =
    "CREATE TABLE token (id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL CHECK (role IN ('read-only', 'researcher')),"
    " secret_hash TEXT NOT NULL UNIQUE, made_by TEXT NOT NULL, created_at TEXT NOT NULL, expires_s INTEGER NOT NULL, revoked_at TEXT,"
    " failed_tries INTEGER NOT NULL DEFAULT 0, locked_until_s INTEGER NOT NULL DEFAULT 0, used_s INTEGER) STRICT;"
    CHANGED_AT("patient") CHANGED_AT("study");

/* Version 7: what is to go to the archive, one row for each signature (docs/adr/0032). "taken": a process is at it now; "due_s": not
 * before; what the archive said is sealed: it may name somebody. */
static const char version_7[] =
    "CREATE TABLE outbox (signature_id TEXT NOT NULL PRIMARY KEY REFERENCES signature(id), study_id TEXT NOT NULL REFERENCES study(id),"
    " state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed', 'dropped')), created_at TEXT NOT NULL,"
    " taken INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, refusals INTEGER NOT NULL DEFAULT 0,"
    " due_s INTEGER NOT NULL DEFAULT 0, reason TEXT, destination TEXT, objects TEXT NOT NULL DEFAULT '[]', ended_at TEXT) STRICT;"
    "CREATE INDEX outbox_state ON outbox(state, due_s); CREATE INDEX outbox_study ON outbox(study_id);";

/* Version 8: what the DICOM file of an image says of its study, series and instance, for searches by DICOMweb. Sealed, for it holds
 * numbers and names that lead to the patient. Null: of a former version, and not read yet. */
static const char version_8[] =
    "ALTER TABLE image ADD COLUMN head TEXT; CREATE INDEX image_headless ON image(id) WHERE head IS NULL;";

/* clang-format on */

static const char *const steps[] = {version_1, version_2, version_3, version_4,
                                    version_5, version_6, version_7, version_8};

int reha_schema_count(void)
{
    return (int)(sizeof steps / sizeof steps[0]);
}

const char *reha_schema_step(int from_version)
{
    return steps[from_version];
}
