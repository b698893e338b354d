#include "store/sql.h"

/* Statements keep the lines of their SQL. */
/* clang-format off */

/* A sealed column as it was written, and the seal of a value for one (functions_priv.h); the name binds it to its place. */
#define OPEN(value, id, name) "unseal(" value ", " id ", '" name "')"
#define SEAL(value, id, name) "seal(" value ", " id ", '" name "')"
#define NAME OPEN("p.name", "p.id", "patient.name")
#define VERSION_ID "x.plan_id || '/' || x.version"

/* What several statements select; ?1 is whether the reader may know names, where there is one. */
#define USER \
    "SELECT id, version, name, display_name, role, active AS \"active:bool\", totp_on AS \"totp:bool\", " \
    "created_at, last_sign_in_at "
#define TOKEN \
    "SELECT t.id, t.name, t.role, COALESCE(u.display_name, t.made_by) AS made_by, t.created_at, t.expires_s, t.revoked_at, t.used_s " \
    "FROM token t LEFT JOIN user u ON u.id = t.made_by "
#define PATIENT \
    "SELECT p.id, p.version, p.pseudonym, CASE WHEN ?1 THEN " NAME " END AS name, CAST(" \
    OPEN("p.birth_year", "p.id", "patient.birth_year") " AS INTEGER) AS birth_year, p.sex, CASE WHEN ?1 THEN " \
    OPEN("p.note", "p.id", "patient.note") " END AS note, p.created_at, p.changed_at, (SELECT COUNT(*) FROM study s WHERE s.patient_id = p.id) " \
    "AS study_count, (SELECT MAX(s.image_date) FROM study s WHERE s.patient_id = p.id) AS last_image_date "
#define EPISODE \
    "SELECT id, version, patient_id, " OPEN("condition", "id", "episode.condition") " AS condition, side, onset, " \
    OPEN("surgery", "id", "episode.surgery") " AS surgery, surgery_date, " OPEN("goals", "id", "episode.goals") \
    " AS goals, open AS \"open:bool\", created_at "
#define STUDY \
    "SELECT s.id, s.version, s.status, CASE WHEN p.id IS NULL THEN NULL ELSE json_object('id', p.id, " \
    "'pseudonym', p.pseudonym, 'name', CASE WHEN ?1 THEN " NAME " END) END AS \"patient:json\", s.episode_id, " \
    "s.modality, s.body_part, s.image_date, s.received_at, s.image_count, s.first_image_id, s.headline, " \
    "s.tasks AS \"tasks:json\", " \
    "s.reviewed, MAX(s.finding_count - s.reviewed, 0) AS to_review, s.signed_by, s.signed_at, s.changed_at "
#define IMAGE \
    "SELECT id, study_id, digest, facts AS \"facts:json\", image_date, side_hint "
#define HEAD OPEN("i.head", "i.id", "image.head")
/* A pattern is lower case, as GLOB has it: sealed values are opened one by one, other filters first. */
#define IN_HEAD(tag, pattern) \
    "(" pattern " IS NULL OR EXISTS (SELECT 1 FROM image i WHERE i.study_id = s.id AND lower(json_extract(" HEAD \
    ", '$.\"" tag "\".Value[0]')) GLOB " pattern "))"
#define DICOM_STUDIES \
    "FROM study s LEFT JOIN patient p ON p.id = s.patient_id WHERE s.image_count > 0 AND (?1 IS NULL OR s.uid IN (SELECT value FROM " \
    "json_each(?1))) AND (?2 IS NULL OR lower(p.pseudonym) GLOB ?2 OR p.external_mac = ?3) AND (?5 IS NULL OR s.image_date >= ?5) AND " \
    "(?6 IS NULL OR s.image_date <= ?6) AND (?7 IS NULL OR EXISTS (SELECT 1 FROM image i WHERE i.study_id = s.id AND " \
    "json_extract(i.facts, '$.modality') IN (SELECT value FROM json_each(?7)))) AND (?4 IS NULL OR lower(" NAME ") GLOB ?4) AND " \
    IN_HEAD("00080050", "?8") " AND " IN_HEAD("00081030", "?9")
#define JOB \
    "SELECT j.id, j.image_id, i.study_id, j.task, j.state, j.text, j.tries, j.created_at, j.started_at, j.ended_at " \
    "FROM job j JOIN image i ON i.id = j.image_id "
#define RESULT \
    "SELECT id, image_id, (SELECT study_id FROM image i WHERE i.id = image_id) AS study_id, created_at, task, " \
    "asked AS \"asked:bool\", input_digest, model, model_version, model_hash, software, accepted AS \"accepted:bool\", headline, " \
    "analysis AS \"analysis:json\", (SELECT json_group_array(name) FROM result_picture WHERE result_id = " \
    "result.id) AS \"pictures:json\" "
#define SET_ASIDE \
    "SELECT a.result_id, r.task, r.created_at AS analysed_at, a.user_id, u.display_name AS user_name, " \
    OPEN("a.reason", "a.result_id", "set_aside.reason") " AS reason, a.created_at FROM set_aside a JOIN result r ON r.id = " \
    "a.result_id JOIN user u ON u.id = a.user_id "
#define OUTBOX \
    "SELECT o.signature_id AS id, o.study_id, CASE WHEN p.id IS NULL THEN NULL ELSE json_object('id', p.id, 'pseudonym', p.pseudonym) " \
    "END AS \"patient:json\", o.state, o.tries, CASE WHEN o.state = 'waiting' AND o.due_s > 0 THEN strftime('%Y-%m-%dT%H:%M:%fZ', o.due_s, " \
    "'unixepoch') END AS due_at, " OPEN("o.reason", "o.signature_id", "outbox.reason") " AS reason, o.destination, " \
    "o.objects AS \"objects:json\", o.created_at, o.ended_at, w.created_at AS withdrawn_at FROM outbox o JOIN study s ON s.id = o.study_id " \
    "LEFT JOIN patient p ON p.id = s.patient_id LEFT JOIN withdrawal w ON w.signature_id = o.signature_id "
#define REVIEW \
    "SELECT v.id, v.result_id, v.region, v.finding, v.decision, v.value, v.software_value, " \
    OPEN("v.reason", "v.id", "review.reason") " AS reason, v.user_id, u.display_name AS user_name, v.created_at FROM review v JOIN user u ON u.id = v.user_id "
#define SCORE \
    "SELECT c.id, c.patient_id, c.episode_id, c.instrument, c.value, " OPEN("c.items", "c.id", "score.items") \
    " AS \"items:json\", c.unit, c.side, c.date, " \
    OPEN("c.note", "c.id", "score.note") " AS note, u.display_name AS user_name, c.created_at, " \
    OPEN("c.withdrawn_reason", "c.id", "score.withdrawn_reason") " AS withdrawn_reason FROM score c LEFT JOIN user u ON u.id = " \
    "c.user_id "
#define PLAN \
    "SELECT l.id, l.patient_id, l.episode_id, x.version, " \
    OPEN("x.content", VERSION_ID, "plan_version.content") " AS \"content:json\", " \
    OPEN("x.reason", VERSION_ID, "plan_version.reason") " AS reason, u.display_name AS user_name, x.created_at FROM plan l JOIN plan_version x ON x.plan_id = l.id LEFT JOIN " \
    "user u ON u.id = x.user_id "
#define PREDICTION \
    "SELECT k.id, k.patient_id, k.episode_id, k.outcome, " \
    OPEN("k.content", "k.id", "prediction.content") " AS \"content:json\", k.model, " \
    "k.model_hash, u.display_name AS user_name, k.created_at FROM prediction k LEFT JOIN user u ON u.id = " \
    "k.user_id "

/* clang-format off */
static const char *const texts[REHA_SQL_COUNT] = {
    [REHA_SQL_CHANGE_MARK] =
        "PRAGMA data_version",
    [REHA_SQL_CHECK] =
        "SELECT integrity_check AS fault FROM pragma_integrity_check(1) WHERE integrity_check <> 'ok' UNION ALL "
        "SELECT 'a reference in the table ' || \"table\" FROM pragma_foreign_key_check",
    [REHA_SQL_CHECKPOINT] =
        "PRAGMA wal_checkpoint(TRUNCATE)",
    [REHA_SQL_SETTING] =
        "SELECT version, value AS \"value:json\" FROM setting WHERE name = ?1",
    [REHA_SQL_SETTING_ADD] =
        "INSERT INTO setting (name, version, value) VALUES (?1, 1, ?2) ON CONFLICT (name) DO NOTHING",
    [REHA_SQL_SETTING_PUT] =
        "UPDATE setting SET value = ?2, version = version + 1 WHERE name = ?1 AND version = ?3",
    [REHA_SQL_SETTING_DROP] =
        "DELETE FROM setting WHERE name = ?1",
    [REHA_SQL_USER_COUNT] =
        "SELECT COUNT(*) FROM user",
    [REHA_SQL_USERS] =
        USER "FROM user ORDER BY name",
    [REHA_SQL_USER] =
        USER "FROM user WHERE id = ?1 OR name = ?1",
    [REHA_SQL_USER_ADD] =
        "INSERT INTO user (id, name, display_name, password_hash, role, created_at) VALUES (?1, ?2, ?3, ?4, ?5, "
        "?6)",
    [REHA_SQL_USER_CHANGE] =
        "UPDATE user SET display_name = ?2, role = ?3, active = ?4, version = version + 1 WHERE id = ?1",
    [REHA_SQL_USER_PASSWORD] =
        "UPDATE user SET password_hash = ?2, failed_tries = 0, locked_until_s = 0, version = version + 1 WHERE "
        "id = ?1",
    [REHA_SQL_USER_SECRETS] =
        "SELECT id, password_hash, active, role, failed_tries, locked_until_s, totp_secret, totp_on, totp_step "
        "FROM user WHERE id = ?1 OR name = ?1",
    [REHA_SQL_USER_FAILED] =
        "UPDATE user SET failed_tries = ?2, locked_until_s = ?3 WHERE id = ?1",
    [REHA_SQL_USER_SIGNED_IN] =
        "UPDATE user SET failed_tries = 0, locked_until_s = 0, last_sign_in_at = ?2, totp_step = ?3 WHERE id = ?1",
    [REHA_SQL_USER_TOTP] =
        "UPDATE user SET totp_secret = ?2, totp_on = ?3, totp_step = ?4, version = version + 1 WHERE id = ?1",
    [REHA_SQL_USER_ADMINISTRATORS] =
        "SELECT COUNT(*) FROM user WHERE role = 'administrator' AND active = 1 AND id <> ?1",
    [REHA_SQL_SESSION_ADD] =
        "INSERT INTO session (id, token_hash, user_id, created_s, seen_s) VALUES (?1, ?2, ?3, ?4, ?4)",
    [REHA_SQL_SESSION] =
        "SELECT s.id, s.user_id, s.created_s, s.seen_s, u.role FROM session s JOIN user u ON u.id = s.user_id "
        "WHERE s.token_hash = ?1 AND s.ended = 0 AND u.active = 1",
    [REHA_SQL_SESSION_SEEN] =
        "UPDATE session SET seen_s = ?2 WHERE id = ?1",
    [REHA_SQL_SESSION_END] =
        "UPDATE session SET ended = 1 WHERE id = ?1",
    [REHA_SQL_SESSIONS_END] =
        "UPDATE session SET ended = 1 WHERE user_id = ?1 AND id <> ?2",
    [REHA_SQL_SESSIONS_FORGET] =
        "DELETE FROM session WHERE created_s < ?1",
    [REHA_SQL_TOKENS] =
        TOKEN "ORDER BY t.id DESC",
    [REHA_SQL_TOKEN] =
        TOKEN "WHERE t.id = ?1",
    [REHA_SQL_TOKEN_SECRETS] =
        "SELECT id, role, secret_hash, expires_s, revoked_at, failed_tries, locked_until_s, used_s FROM token WHERE id = ?1",
    [REHA_SQL_TOKEN_ADD] =
        "INSERT INTO token (id, name, role, secret_hash, made_by, created_at, expires_s) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [REHA_SQL_TOKEN_REVOKE] =
        "UPDATE token SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
    [REHA_SQL_TOKEN_FAILED] =
        "UPDATE token SET failed_tries = ?2, locked_until_s = ?3 WHERE id = ?1",
    [REHA_SQL_TOKEN_USED] =
        "UPDATE token SET used_s = ?2, failed_tries = 0, locked_until_s = 0 WHERE id = ?1",
    [REHA_SQL_PATIENTS] =
        PATIENT "FROM patient p WHERE (?2 IS NULL OR has_words(p.pseudonym || ' ' || CASE WHEN ?1 THEN COALESCE(" NAME ", "
        "'') ELSE '' END || ' ' || COALESCE((SELECT group_concat(" OPEN("e.condition", "e.id", "episode.condition") ", ' ') FROM episode e WHERE "
        "e.patient_id = p.id), ''), ?2)) AND (?3 IS NULL OR p.id < ?3) ORDER BY p.id DESC LIMIT ?4",
    [REHA_SQL_PATIENTS_COUNT] =
        "SELECT COUNT(*) FROM patient p WHERE (?2 IS NULL OR has_words(p.pseudonym || ' ' || CASE WHEN ?1 THEN "
        "COALESCE(" NAME ", '') ELSE '' END || ' ' || COALESCE((SELECT group_concat(" OPEN("e.condition", "e.id", "episode.condition") ", ' ') FROM episode "
        "e WHERE e.patient_id = p.id), ''), ?2))",
    [REHA_SQL_PATIENT] =
        PATIENT "FROM patient p WHERE p.id = ?2",
    [REHA_SQL_PATIENT_ADD] =
        "INSERT INTO patient (id, pseudonym, name, birth_year, sex, note, external_mac, created_at) VALUES (?1, "
        "?2, " SEAL("?3", "?1", "patient.name") ", " SEAL("?4", "?1", "patient.birth_year") ", ?5, "
        SEAL("?6", "?1", "patient.note") ", ?7, ?8)",
    [REHA_SQL_PATIENT_CHANGE] =
        "UPDATE patient SET pseudonym = ?2, name = " SEAL("?3", "?1", "patient.name") ", birth_year = "
        SEAL("?4", "?1", "patient.birth_year") ", sex = ?5, note = " SEAL("?6", "?1", "patient.note")
        ", version = version + 1 WHERE id = ?1",
    [REHA_SQL_PATIENT_BY_EXTERNAL] =
        "SELECT id FROM patient WHERE external_mac = ?1",
    [REHA_SQL_PATIENT_BY_PSEUDONYM] =
        "SELECT id FROM patient WHERE id = ?1 OR pseudonym = ?1",
    [REHA_SQL_EPISODES] =
        EPISODE "FROM episode WHERE patient_id = ?1 ORDER BY id",
    [REHA_SQL_EPISODE] =
        EPISODE "FROM episode WHERE id = ?1",
    [REHA_SQL_EPISODE_ADD] =
        "INSERT INTO episode (id, patient_id, condition, side, onset, surgery, surgery_date, goals, open, "
        "created_at) VALUES (?1, ?2, " SEAL("?3", "?1", "episode.condition") ", ?4, ?5, "
        SEAL("?6", "?1", "episode.surgery") ", ?7, " SEAL("?8", "?1", "episode.goals") ", ?9, ?10)",
    [REHA_SQL_EPISODE_CHANGE] =
        "UPDATE episode SET condition = " SEAL("?2", "?1", "episode.condition") ", side = ?3, onset = ?4, surgery = "
        SEAL("?5", "?1", "episode.surgery") ", surgery_date = ?6, goals = " SEAL("?7", "?1", "episode.goals") ", open = ?8, version = version + 1 WHERE id = ?1",
    [REHA_SQL_STUDIES] =
        STUDY ", s.place FROM study s LEFT JOIN patient p ON p.id = s.patient_id LEFT JOIN episode e ON e.id = "
        "s.episode_id WHERE (?2 IS NULL OR has_words(COALESCE(p.pseudonym, '') || ' ' || CASE WHEN ?1 THEN "
        "COALESCE(" NAME ", '') ELSE '' END || ' ' || COALESCE(s.modality, '') || ' ' || COALESCE(s.body_part, '') "
        "|| ' ' || COALESCE(s.headline, '') || ' ' || COALESCE(" OPEN("e.condition", "e.id", "episode.condition") ", ''), ?2)) AND (?3 IS NULL OR "
        "s.status = ?3 OR (?3 = 'today' AND s.place = 0)) AND (?4 IS NULL OR s.patient_id = ?4) AND (?5 IS NULL "
        "OR s.modality = ?5) AND (?6 IS NULL OR s.image_date >= ?6) AND (?7 IS NULL OR s.image_date <= ?7) AND "
        "(?9 IS NULL OR s.place > ?8 OR (s.place = ?8 AND s.id < ?9)) ORDER BY s.place, s.id DESC LIMIT ?10",
    [REHA_SQL_STUDIES_COUNT] =
        "SELECT COUNT(*) FROM study s LEFT JOIN patient p ON p.id = s.patient_id LEFT JOIN episode e ON e.id = "
        "s.episode_id WHERE (?2 IS NULL OR has_words(COALESCE(p.pseudonym, '') || ' ' || CASE WHEN ?1 THEN "
        "COALESCE(" NAME ", '') ELSE '' END || ' ' || COALESCE(s.modality, '') || ' ' || COALESCE(s.body_part, '') "
        "|| ' ' || COALESCE(s.headline, '') || ' ' || COALESCE(" OPEN("e.condition", "e.id", "episode.condition") ", ''), ?2)) AND (?3 IS NULL OR "
        "s.status = ?3 OR (?3 = 'today' AND s.place = 0)) AND (?4 IS NULL OR s.patient_id = ?4) AND (?5 IS NULL "
        "OR s.modality = ?5) AND (?6 IS NULL OR s.image_date >= ?6) AND (?7 IS NULL OR s.image_date <= ?7)",
    [REHA_SQL_STUDY_TIMES] =
        "SELECT id, changed_at FROM study ORDER BY id",
    [REHA_SQL_STUDY_COUNTS] =
        "SELECT status, COUNT(*) AS n FROM study GROUP BY status",
    [REHA_SQL_STUDY] =
        STUDY "FROM study s LEFT JOIN patient p ON p.id = s.patient_id WHERE s.id = ?2",
    [REHA_SQL_STUDY_BY_UID] =
        "SELECT id, patient_id, signed_at FROM study WHERE uid = ?1",
    [REHA_SQL_STUDY_UID] =
        "SELECT uid FROM study WHERE id = ?1",
    [REHA_SQL_STUDY_ADD] =
        "INSERT INTO study (id, patient_id, episode_id, uid, modality, body_part, image_date, received_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [REHA_SQL_STUDY_ASSIGN] =
        "UPDATE study SET patient_id = ?2, episode_id = ?3 WHERE id = ?1",
    [REHA_SQL_STUDY_SIGNED] =
        "UPDATE study SET signed_by = ?2, signed_at = ?3 WHERE id = ?1",
    [REHA_SQL_STUDY_REFRESH] =
        "UPDATE study SET version = version + 1, image_count = (SELECT COUNT(*) FROM image i WHERE i.study_id = "
        "?1), first_image_id = (SELECT MIN(i.id) FROM image i WHERE i.study_id = ?1), finding_count = (SELECT "
        "COALESCE(SUM(r.finding_count), 0) FROM image i JOIN standing t ON t.image_id = i.id JOIN result r ON r.id = "
        "t.result_id WHERE i.study_id = ?1), reviewed = (SELECT COUNT(*) FROM (SELECT DISTINCT v.result_id, v.region, "
        "v.finding FROM image i JOIN standing t ON t.image_id = i.id JOIN review v ON v.result_id = t.result_id WHERE "
        "i.study_id = ?1)), tasks = (SELECT json_group_array(task) FROM (SELECT t.task FROM image i JOIN standing t ON "
        "t.image_id = i.id WHERE i.study_id = ?1 GROUP BY t.task ORDER BY MIN(t.result_id))), headline = COALESCE((SELECT "
        "r.headline FROM image i JOIN standing t ON t.image_id = i.id JOIN result r ON r.id = t.result_id WHERE "
        "i.study_id = ?1 ORDER BY r.accepted DESC, r.id LIMIT 1), (SELECT j.text FROM image i JOIN job j ON j.image_id = i.id WHERE i.study_id = ?1 "
        "AND j.state = 'failed' ORDER BY j.id DESC LIMIT 1), (SELECT 'no result stands: what was asked for was set aside' "
        "FROM image i JOIN result r ON r.image_id = i.id JOIN set_aside a ON a.result_id = r.id WHERE i.study_id = ?1 LIMIT 1)), status = CASE WHEN signed_at IS NOT NULL THEN "
        "'signed' WHEN EXISTS (SELECT 1 FROM image i JOIN job j ON j.image_id = i.id WHERE i.study_id = ?1 AND "
        "j.state IN ('queued', 'running')) THEN 'waiting' WHEN NOT EXISTS (SELECT 1 FROM image i JOIN "
        "result r ON r.image_id = i.id WHERE i.study_id = ?1) THEN 'failed' ELSE 'to-review' END WHERE id = ?1",
    [REHA_SQL_IMAGES] =
        IMAGE "FROM image WHERE study_id = ?1 ORDER BY id",
    [REHA_SQL_IMAGE] =
        IMAGE "FROM image WHERE id = ?1",
    [REHA_SQL_IMAGE_KNOWN] =
        "SELECT id, study_id FROM image WHERE source_digest = ?1 OR digest = ?1 OR sop_uid = ?2",
    [REHA_SQL_IMAGE_ADD] =
        "INSERT INTO image (id, study_id, sop_uid, digest, source_digest, size_bytes, facts, image_date, "
        "side_hint, created_at, head) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, " SEAL("?11", "?1", "image.head") ")",
    [REHA_SQL_IMAGE_HEADLESS] =
        "SELECT id, digest FROM image WHERE head IS NULL ORDER BY id LIMIT 1",
    [REHA_SQL_IMAGE_HEAD_PUT] =
        "UPDATE image SET head = " SEAL("?2", "?1", "image.head") " WHERE id = ?1 AND head IS NULL",
    [REHA_SQL_DICOM_STUDIES] =
        "SELECT s.id, s.uid, s.image_date, s.image_count, p.pseudonym, " NAME " AS name, p.sex, (SELECT json_group_array(m) FROM (SELECT "
        "DISTINCT json_extract(i.facts, '$.modality') AS m FROM image i WHERE i.study_id = s.id) WHERE m IS NOT NULL) AS \"modalities:json\", "
        "CASE WHEN NOT EXISTS (SELECT 1 FROM image i WHERE i.study_id = s.id AND i.head IS NULL) THEN (SELECT COUNT(DISTINCT "
        "json_extract(" HEAD ", '$.\"0020000E\".Value[0]')) FROM image i WHERE i.study_id = s.id) END AS series_count, "
        "(SELECT " HEAD " FROM image i WHERE i.study_id = s.id ORDER BY i.id LIMIT 1) AS \"head:json\" "
        DICOM_STUDIES " ORDER BY s.id DESC LIMIT ?10 OFFSET ?11",
    [REHA_SQL_DICOM_STUDIES_COUNT] =
        "SELECT COUNT(*) " DICOM_STUDIES,
    [REHA_SQL_DICOM_IMAGES] =
        "SELECT i.id, i.sop_uid, i.digest, i.size_bytes, " HEAD " AS \"head:json\" FROM image i WHERE i.study_id = ?1 ORDER BY i.id",
    [REHA_SQL_DICOM_REFERENCE] =
        "SELECT s.uid AS study_uid, i.sop_uid, i.digest, " HEAD " AS \"head:json\" FROM image i JOIN study s ON s.id = i.study_id WHERE i.id = ?1",
    [REHA_SQL_IMAGE_DIGESTS] =
        "SELECT digest FROM image UNION SELECT digest FROM result_picture",
    [REHA_SQL_JOB] =
        JOB "WHERE j.id = ?1",
    [REHA_SQL_JOB_NEWEST] =
        JOB "WHERE j.image_id = ?1 ORDER BY j.id DESC LIMIT 1",
    [REHA_SQL_JOB_ADD] =
        "INSERT INTO job (id, image_id, task, created_at) VALUES (?1, ?2, ?3, ?4)",
    [REHA_SQL_JOB_OPEN] =
        "SELECT COUNT(*) FROM job WHERE image_id = ?1 AND task IS ?2 AND state IN ('queued', 'running')",
    [REHA_SQL_JOBS_OPEN] =
        "SELECT COUNT(*) FROM job WHERE state IN ('queued', 'running')",
    [REHA_SQL_JOBS_WAITING] =
        "SELECT COUNT(*) FROM job WHERE state = 'queued'",
    [REHA_SQL_JOB_CLAIM] =
        "UPDATE job SET state = 'running', tries = tries + 1, started_at = ?1 WHERE id = (SELECT id FROM job "
        "WHERE state = 'queued' ORDER BY tries, id LIMIT 1) RETURNING id, image_id, task, tries, (SELECT study_id FROM "
        "image WHERE id = image_id) AS study_id, (SELECT digest FROM image WHERE id = image_id) AS digest, "
        "(SELECT side_hint FROM image WHERE id = image_id) AS side_hint",
    [REHA_SQL_JOB_END] =
        "UPDATE job SET state = ?2, text = ?3, ended_at = ?4 WHERE id = ?1 AND state = 'running'",
    [REHA_SQL_JOBS_REQUEUE] =
        "UPDATE job SET state = 'queued', started_at = NULL, tries = MAX(tries - 1, 0) WHERE state = 'running'",
    [REHA_SQL_UPLOAD] =
        "SELECT digest, " OPEN("answer", "user_id || '/' || key", "upload.answer") " AS \"answer:json\" FROM upload WHERE user_id = ?1 AND key = ?2",
    [REHA_SQL_UPLOAD_ADD] =
        "INSERT INTO upload (user_id, key, digest, answer, created_at) VALUES (?1, ?2, ?3, "
        SEAL("?4", "?1 || '/' || ?2", "upload.answer") ", ?5)",
    [REHA_SQL_RESULT] =
        RESULT "FROM result WHERE id = ?1",
    [REHA_SQL_RESULTS] =
        "SELECT result_id, task, asked FROM standing WHERE image_id = ?1 ORDER BY result_id",
    [REHA_SQL_RESULT_ADD] =
        "INSERT INTO result (id, image_id, created_at, task, asked, input_digest, model, model_version, model_hash, software, "
        "accepted, headline, finding_count, analysis) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    [REHA_SQL_PICTURE_ADD] =
        "INSERT INTO result_picture (result_id, name, digest) VALUES (?1, ?2, ?3)",
    [REHA_SQL_PICTURE] =
        "SELECT digest FROM result_picture WHERE result_id = ?1 AND name = ?2",
    [REHA_SQL_MEASUREMENT_ADD] =
        "INSERT INTO measurement (result_id, region, key, label, side, value, unit, error_95) VALUES (?1, ?2, "
        "?3, ?4, ?5, ?6, ?7, ?8)",
    [REHA_SQL_REVIEWS] =
        REVIEW "WHERE v.result_id = ?1 AND v.id = (SELECT MAX(n.id) FROM review n WHERE n.result_id = v.result_id AND "
        "n.region = v.region AND n.finding = v.finding) ORDER BY v.region, v.id",
    [REHA_SQL_REVIEW_ADD] =
        "INSERT INTO review (id, result_id, region, finding, decision, value, software_value, reason, user_id, "
        "created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, " SEAL("?8", "?1", "review.reason") ", ?9, ?10)",
    [REHA_SQL_SET_ASIDE] =
        SET_ASIDE "WHERE a.result_id = ?1",
    [REHA_SQL_SET_ASIDES] =
        SET_ASIDE "WHERE r.image_id = ?1 ORDER BY a.created_at, a.result_id",
    [REHA_SQL_SET_ASIDE_ADD] =
        "INSERT INTO set_aside (result_id, user_id, reason, created_at) VALUES (?1, ?2, " SEAL("?3", "?1", "set_aside.reason") ", ?4)",
    [REHA_SQL_SIGNATURES] =
        "SELECT g.id, g.study_id, g.user_id, u.display_name AS user_name, g.role, g.signed_at, "
        OPEN("g.comment", "g.id", "signature.comment") " AS comment, g.content_hash, w.created_at AS withdrawn_at, (SELECT display_name FROM user WHERE id = w.user_id) AS "
        "withdrawn_by, " OPEN("w.reason", "w.signature_id", "withdrawal.reason") " AS withdrawn_reason, CASE WHEN o.state IS NOT NULL THEN "
        "json_object('state', o.state, 'since', COALESCE(o.ended_at, o.created_at)) END AS \"archive:json\" FROM signature g JOIN user u ON "
        "u.id = g.user_id LEFT JOIN withdrawal w ON w.signature_id = g.id LEFT JOIN outbox o ON o.signature_id = g.id WHERE g.study_id = ?1 ORDER BY g.id",
    [REHA_SQL_SIGNATURE_ADD] =
        "INSERT INTO signature (id, study_id, user_id, role, signed_at, comment, content, content_hash) VALUES "
        "(?1, ?2, ?3, ?4, ?5, " SEAL("?6", "?1", "signature.comment") ", " SEAL("?7", "?1", "signature.content") ", ?8)",
    [REHA_SQL_SIGNATURE_WITHDRAW] =
        "INSERT INTO withdrawal (signature_id, user_id, reason, created_at) VALUES (?1, ?2, "
        SEAL("?3", "?1", "withdrawal.reason") ", ?4)",
    [REHA_SQL_OUTBOX] =
        OUTBOX "WHERE (?1 IS NULL OR o.signature_id = ?1) AND (?2 IS NULL OR o.state = ?2) ORDER BY o.signature_id DESC LIMIT ?3",
    [REHA_SQL_OUTBOX_COUNTS] =
        "SELECT state, COUNT(*) AS n, MIN(created_at) AS first_at, MAX(ended_at) AS last_end_at FROM outbox GROUP BY state",
    [REHA_SQL_OUTBOX_CARE] =
        "SELECT state, COUNT(*) AS n, MAX(0, unixepoch('now') - unixepoch(MIN(CASE state WHEN 'failed' THEN ended_at ELSE created_at END))) "
        "AS age_s FROM outbox WHERE state IN ('failed', 'waiting') GROUP BY state",
    [REHA_SQL_OUTBOX_ADD] =
        "INSERT INTO outbox (signature_id, study_id, created_at) VALUES (?1, ?2, ?3)",
    [REHA_SQL_OUTBOX_DROP] =
        "UPDATE outbox SET state = 'dropped', reason = " SEAL("?2", "signature_id", "outbox.reason") ", ended_at = ?3 "
        "WHERE study_id = ?1 AND state IN ('waiting', 'failed')",
    [REHA_SQL_OUTBOX_NEXT] =
        "SELECT o.signature_id, o.study_id, o.tries FROM outbox o WHERE o.state = 'waiting' AND o.due_s <= ?1 ORDER BY o.signature_id LIMIT 1",
    [REHA_SQL_OUTBOX_TAKE] =
        "UPDATE outbox SET taken = 1 WHERE signature_id = ?1 AND state = 'waiting'",
    [REHA_SQL_OUTBOX_TAKEN] =
        "SELECT signature_id, study_id FROM outbox WHERE taken = 1",
    [REHA_SQL_OUTBOX_GIVE_BACK] = /* also what was withdrawn meanwhile */
        "UPDATE outbox SET taken = 0 WHERE taken = 1 AND (?1 IS NULL OR signature_id = ?1)",
    [REHA_SQL_OUTBOX_SENT] =
        "UPDATE outbox SET state = 'sent', taken = 0, tries = tries + 1, reason = NULL, destination = ?2, objects = ?3, ended_at = ?4 "
        "WHERE signature_id = ?1",
    [REHA_SQL_OUTBOX_END] =
        "UPDATE outbox SET state = ?2, reason = " SEAL("?3", "?1", "outbox.reason") ", ended_at = ?4 "
        "WHERE signature_id = ?1 AND state = 'waiting'",
    [REHA_SQL_OUTBOX_LATER] = /* the pause doubles with each try */
        "UPDATE outbox SET tries = tries + 1, refusals = refusals + ?5, reason = "
        SEAL("?4", "signature_id", "outbox.reason") ", due_s = ?2 + MIN(?8 << MIN(tries, 20), ?9), state = CASE WHEN "
        "refusals + ?5 >= ?6 OR tries + 1 >= ?7 THEN 'failed' ELSE state END, ended_at = CASE WHEN refusals + ?5 >= ?6 OR "
        "tries + 1 >= ?7 THEN ?3 END WHERE state = 'waiting' AND (signature_id = ?1 OR (?1 IS NULL AND due_s <= ?2))",
    [REHA_SQL_OUTBOX_ENDED_AT] =
        "SELECT signature_id, study_id FROM outbox WHERE state = 'failed' AND ended_at = ?1",
    [REHA_SQL_OUTBOX_AGAIN] =
        "UPDATE outbox SET state = 'waiting', tries = 0, refusals = 0, due_s = 0, ended_at = NULL WHERE state IN ('failed', 'waiting') AND "
        "(?1 IS NULL OR signature_id = ?1)",
    [REHA_SQL_OUTBOX_GIVE_UP] = /* one that is on its way at this moment is told as sent if it arrives */
        "UPDATE outbox SET state = 'dropped', reason = " SEAL("?2", "signature_id", "outbox.reason") ", ended_at = ?3 "
        "WHERE signature_id = ?1 AND state IN ('failed', 'waiting')",
    [REHA_SQL_SERIES_MEASUREMENTS] =
        "SELECT m.key, m.label, m.side, CASE WHEN v.decision = 'amend' THEN v.value ELSE m.value END AS value, "
        "m.unit, CASE WHEN v.decision = 'amend' THEN NULL ELSE m.error_95 END AS error_95, "
        "COALESCE(i.image_date, substr(s.received_at, 1, 10)) AS date, s.id AS study_id, i.id AS image_id, "
        "m.result_id, m.region, CASE WHEN v.decision = 'amend' THEN 'human' ELSE 'software' END AS origin, "
        "m.value AS software_value, v.decision, s.signed_at IS NOT NULL AS \"signed:bool\" FROM study s JOIN "
        "image i ON i.study_id = s.id JOIN standing t ON t.image_id = i.id JOIN measurement m ON m.result_id = t.result_id "
        "LEFT JOIN review v ON "
        "v.result_id = m.result_id AND v.region = m.region AND v.finding = m.key AND v.id = (SELECT MAX(n.id) "
        "FROM review n WHERE n.result_id = v.result_id AND n.region = v.region AND n.finding = v.finding) WHERE "
        "s.patient_id = ?1 ORDER BY date, i.id, m.id",
    [REHA_SQL_SCORES] =
        SCORE "WHERE c.patient_id = ?1 ORDER BY c.date, c.id",
    [REHA_SQL_SCORE] =
        SCORE "WHERE c.id = ?1",
    [REHA_SQL_SCORE_ADD] =
        "INSERT INTO score (id, patient_id, episode_id, instrument, value, items, unit, side, date, note, user_id, "
        "created_at) VALUES (?1, ?2, ?3, ?4, ?5, " SEAL("?6", "?1", "score.items") ", ?7, ?8, ?9, "
        SEAL("?10", "?1", "score.note") ", ?11, ?12)",
    [REHA_SQL_SCORE_WITHDRAW] =
        "UPDATE score SET withdrawn_reason = " SEAL("?2", "?1", "score.withdrawn_reason") " WHERE id = ?1 AND withdrawn_reason IS NULL",
    [REHA_SQL_PLANS] =
        PLAN "WHERE l.patient_id = ?1 AND x.version = l.version ORDER BY l.id DESC",
    [REHA_SQL_PLAN] =
        PLAN "WHERE l.id = ?1 AND x.version = CASE WHEN ?2 < 0 THEN l.version ELSE ?2 END",
    [REHA_SQL_PLAN_VERSIONS] =
        "SELECT x.version, u.display_name AS user_name, x.created_at, " OPEN("x.reason", VERSION_ID, "plan_version.reason")
        " AS reason FROM plan_version x LEFT JOIN "
        "user u ON u.id = x.user_id WHERE x.plan_id = ?1 ORDER BY x.version DESC",
    [REHA_SQL_PLAN_ADD] =
        "INSERT INTO plan (id, patient_id, episode_id, version) VALUES (?1, ?2, ?3, 0)",
    [REHA_SQL_PLAN_NEXT] =
        "UPDATE plan SET version = version + 1 WHERE id = ?1 AND version = ?2",
    [REHA_SQL_PLAN_VERSION_ADD] =
        "INSERT INTO plan_version (plan_id, version, content, reason, user_id, created_at) VALUES (?1, ?2, "
        SEAL("?3", "?1 || '/' || ?2", "plan_version.content") ", " SEAL("?4", "?1 || '/' || ?2", "plan_version.reason") ", ?5, ?6)",
    [REHA_SQL_PREDICTIONS] =
        PREDICTION "WHERE k.patient_id = ?1 ORDER BY k.id DESC",
    [REHA_SQL_PREDICTION] =
        PREDICTION "WHERE k.id = ?1",
    [REHA_SQL_PREDICTION_ADD] =
        "INSERT INTO prediction (id, patient_id, episode_id, outcome, content, model, model_hash, user_id, "
        "created_at) VALUES (?1, ?2, ?3, ?4, " SEAL("?5", "?1", "prediction.content") ", ?6, ?7, ?8, ?9)",
    [REHA_SQL_FILE_IS_NAMED] =
        "SELECT EXISTS (SELECT 1 FROM image WHERE digest = ?1) OR EXISTS (SELECT 1 FROM result_picture WHERE digest = ?1)",
    [REHA_SQL_ERASE_MARK] =
        "INSERT INTO erasing (patient_id) VALUES (?1)",
    [REHA_SQL_ERASE_COUNTS] =
        "SELECT (SELECT COUNT(*) FROM erasing_study) AS studies, (SELECT COUNT(*) FROM erasing_image) AS images, "
        "(SELECT COUNT(*) FROM job j JOIN erasing_image i ON i.id = j.image_id WHERE j.state = 'running') AS running, "
        "(SELECT COUNT(*) FROM outbox o JOIN erasing_study s ON s.id = o.study_id WHERE o.taken = 1) AS sending, "
        "(SELECT COUNT(*) FROM outbox o JOIN erasing_study s ON s.id = o.study_id WHERE o.state = 'sent') AS sent",
    [REHA_SQL_ERASE_OUTBOX] =
        "DELETE FROM outbox WHERE study_id IN (SELECT id FROM erasing_study)",
    [REHA_SQL_ERASE_WITHDRAWALS] =
        "DELETE FROM withdrawal WHERE signature_id IN (SELECT g.id FROM signature g JOIN erasing_study s ON s.id = g.study_id)",
    [REHA_SQL_ERASE_SIGNATURES] =
        "DELETE FROM signature WHERE study_id IN (SELECT id FROM erasing_study)",
    [REHA_SQL_ERASE_REVIEWS] =
        "DELETE FROM review WHERE result_id IN (SELECT id FROM erasing_result)",
    [REHA_SQL_ERASE_SET_ASIDES] =
        "DELETE FROM set_aside WHERE result_id IN (SELECT id FROM erasing_result)",
    [REHA_SQL_ERASE_MEASUREMENTS] =
        "DELETE FROM measurement WHERE result_id IN (SELECT id FROM erasing_result)",
    [REHA_SQL_ERASE_PICTURES] =
        "DELETE FROM result_picture WHERE result_id IN (SELECT id FROM erasing_result)",
    [REHA_SQL_ERASE_UPLOADS] = /* answers that name one of the studies: they hold the names of the files */
        "DELETE FROM upload WHERE EXISTS (SELECT 1 FROM json_tree(" OPEN("upload.answer", "upload.user_id || '/' || upload.key", "upload.answer") ") t "
        "WHERE t.key = 'study_id' AND t.atom IN (SELECT id FROM erasing_study))",
    [REHA_SQL_ERASE_RESULTS] =
        "DELETE FROM result WHERE image_id IN (SELECT id FROM erasing_image)",
    [REHA_SQL_ERASE_JOBS] =
        "DELETE FROM job WHERE image_id IN (SELECT id FROM erasing_image)",
    [REHA_SQL_ERASE_IMAGES] =
        "DELETE FROM image WHERE study_id IN (SELECT id FROM erasing_study)",
    [REHA_SQL_ERASE_STUDIES] =
        "DELETE FROM study WHERE id IN (SELECT id FROM erasing_study)",
    [REHA_SQL_ERASE_PREDICTIONS] =
        "DELETE FROM prediction WHERE patient_id IN (SELECT patient_id FROM erasing)",
    [REHA_SQL_ERASE_PLAN_VERSIONS] =
        "DELETE FROM plan_version WHERE plan_id IN (SELECT l.id FROM plan l JOIN erasing e ON e.patient_id = l.patient_id)",
    [REHA_SQL_ERASE_PLANS] =
        "DELETE FROM plan WHERE patient_id IN (SELECT patient_id FROM erasing)",
    [REHA_SQL_ERASE_SCORES] =
        "DELETE FROM score WHERE patient_id IN (SELECT patient_id FROM erasing)",
    [REHA_SQL_ERASE_LINKS] =
        "UPDATE study SET episode_id = NULL, version = version + 1 WHERE episode_id IN (SELECT p.id FROM episode p JOIN erasing e ON "
        "e.patient_id = p.patient_id)",
    [REHA_SQL_ERASE_EPISODES] =
        "DELETE FROM episode WHERE patient_id IN (SELECT patient_id FROM erasing)",
    [REHA_SQL_ERASE_UNMARK] =
        "DELETE FROM erasing",
    [REHA_SQL_ERASE_PATIENT] =
        "DELETE FROM patient WHERE id = ?1",
    [REHA_SQL_AUDIT_HEAD] =
        "SELECT no, hash, mac FROM audit_head WHERE one = 1",
    [REHA_SQL_AUDIT_HEAD_PUT] =
        "INSERT INTO audit_head (one, no, hash, mac) VALUES (1, ?1, ?2, ?3) ON CONFLICT (one) DO UPDATE SET no = "
        "?1, hash = ?2, mac = ?3",
    [REHA_SQL_AUDIT_ADD] =
        "INSERT INTO audit (no, at, user_id, role, action, entity, entity_id, detail, prev_hash, hash) VALUES "
        "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [REHA_SQL_AUDIT_PART] =
        "SELECT no, at, user_id, role, action, entity, entity_id, detail, prev_hash, hash FROM audit WHERE no > "
        "?1 ORDER BY no LIMIT ?2",
    [REHA_SQL_AUDIT] =
        "SELECT a.no, a.at, a.user_id, COALESCE(u.display_name, 'token ' || t.name) AS user_name, a.role, a.action, a.entity, a.entity_id, "
        "a.detail AS \"detail:json\", a.prev_hash, a.hash FROM audit a LEFT JOIN user u ON u.id = a.user_id LEFT JOIN token t ON t.id = a.user_id "
        "WHERE (?1 IS NULL OR a.user_id = ?1) AND (?2 IS NULL OR substr(a.action, 1, length(?2)) = ?2) AND (?3 "
        "IS NULL OR a.at >= ?3) AND (?4 IS NULL OR substr(a.at, 1, 10) <= ?4) AND (?5 IS NULL OR a.no < ?5) "
        "ORDER BY a.no DESC LIMIT ?6",
    [REHA_SQL_AUDIT_COUNT] =
        "SELECT COUNT(*) FROM audit a LEFT JOIN user u ON u.id = a.user_id WHERE (?1 IS NULL OR a.user_id = ?1) "
        "AND (?2 IS NULL OR substr(a.action, 1, length(?2)) = ?2) AND (?3 IS NULL OR a.at >= ?3) AND (?4 IS NULL "
        "OR substr(a.at, 1, 10) <= ?4)",
};
/* clang-format on */
/* clang-format on */

const char *reha_sql_text(reha_sql which)
{
    return texts[which];
}
