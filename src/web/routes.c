#include "web/call_priv.h"
#include "web/dicomweb_priv.h"
#include "web/fhir_priv.h"

#define V          "/api/v1"
#define JSON       "application/json"
#define F          "/fhir/R4"
#define FHIR       FHIR_TYPE
#define FHIR_QUERY ", _count, _summary, _cursor, _format"
#define D          DICOMWEB_ROOT
#define D_JSON     DICOMWEB_JSON
#define D_PAGE     ", limit, offset, includefield, fuzzymatching"
#define D_SERIES   "Modality, SeriesInstanceUID, SeriesNumber, SeriesDescription, BodyPartExamined"
#define D_INSTANCE D_SERIES ", SOPInstanceUID, SOPClassUID, InstanceNumber"
#define D_FILES    "multipart/related"

/* Fixed names stand before {id}: the first fitting pattern wins. */
static const reha_route routes[] = {
    /* method, pattern, permission, handler, body, flags, summary, request, query, answer, variant */
    {REHA_HTTP_GET, V "/health", REHA_ROUTE_PUBLIC, reha_web_health, REHA_BODY_NONE, 0,
     "Whether the server answers", NULL, NULL, JSON, 0},
    {REHA_HTTP_GET, V "/state", REHA_ROUTE_PUBLIC, reha_web_state, REHA_BODY_NONE, 0,
     "Whether a first account is needed; version and name of the clinic", NULL, NULL, JSON, 0},
    {REHA_HTTP_GET, V "/openapi.json", REHA_ROUTE_PUBLIC, reha_web_openapi, REHA_BODY_NONE, 0,
     "This description", NULL, NULL, JSON, 0},
    {REHA_HTTP_POST, V "/setup", REHA_ROUTE_PUBLIC, reha_web_setup, REHA_BODY_JSON, 0,
     "Make the first account, an administrator; only while there is none",
     "name, display_name, password, clinic_name?", NULL, JSON, 0},
    {REHA_HTTP_POST, V "/session", REHA_ROUTE_PUBLIC, reha_web_sign_in, REHA_BODY_JSON, 0,
     "Sign in; sets the session cookie", "name, password, code?", NULL, JSON, 0},
    {REHA_HTTP_GET, V "/session", REHA_ROUTE_SIGNED_IN, reha_web_session, REHA_BODY_NONE, 0,
     "Who is signed in, with the secret for X-CSRF-Token", NULL, NULL, JSON, 0},
    {REHA_HTTP_DELETE, V "/session", REHA_ROUTE_SIGNED_IN, reha_web_sign_out, REHA_BODY_NONE, 0, "Sign out",
     NULL, NULL, JSON, 0},
    {REHA_HTTP_PUT, V "/session/password", REHA_ROUTE_SIGNED_IN, reha_web_password, REHA_BODY_JSON, 0,
     "Change one's own password; ends one's other sessions", "old_password, new_password", NULL, JSON, 0},
    {REHA_HTTP_POST, V "/session/totp", REHA_ROUTE_SIGNED_IN, reha_web_totp_begin, REHA_BODY_JSON, 0,
     "Begin to use one-time codes: a secret for the authenticator", "", NULL, JSON, 0},
    {REHA_HTTP_PUT, V "/session/totp", REHA_ROUTE_SIGNED_IN, reha_web_totp_confirm, REHA_BODY_JSON, 0,
     "Confirm one-time codes with the first one", "code", NULL, JSON, 0},
    {REHA_HTTP_POST, V "/session/totp/off", REHA_ROUTE_SIGNED_IN, reha_web_totp_off, REHA_BODY_JSON, 0,
     "Stop using one-time codes", "password", NULL, JSON, 0},

    {REHA_HTTP_POST, V "/uploads", REHA_MAY_UPLOAD, reha_web_upload, REHA_BODY_UPLOAD, REHA_ROUTE_IDEMPOTENT,
     "Store an image (DICOM, PNG, JPEG, TIFF) or a zip of such; answered once it is on disk. Header "
     "X-File-Name: "
     "percent-encoded; task: an offered recogniser of /models, else chosen by what the image is",
     NULL, "patient_id, episode_id, study_id, image_date, mm_per_px, task", JSON, 0},
    {REHA_HTTP_GET, V "/studies", REHA_MAY_READ, reha_web_studies, REHA_BODY_NONE, REHA_ROUTE_PAGED,
     "The worklist: those that need somebody first", NULL, "text, status, patient_id, modality, from, to",
     JSON, 0},
    {REHA_HTTP_GET, V "/studies/counts", REHA_MAY_READ, reha_web_study_counts, REHA_BODY_NONE, 0,
     "How many studies are in each state", NULL, NULL, JSON, 0},
    {REHA_HTTP_GET, V "/studies/{id}", REHA_MAY_READ, reha_web_study, REHA_BODY_NONE, 0,
     "A study with its images, the results that stand, those set aside, reviews and signature", NULL, NULL,
     JSON, 0},
    {REHA_HTTP_PUT, V "/studies/{id}/patient", REHA_MAY_PATIENTS, reha_web_study_assign, REHA_BODY_JSON,
     REHA_ROUTE_IF_MATCH, "File a study under a patient", "patient_id, episode_id?", NULL, JSON, 0},
    {REHA_HTTP_POST, V "/studies/{id}/signature", REHA_MAY_SIGN, reha_web_sign, REHA_BODY_JSON,
     REHA_ROUTE_IF_MATCH, "Sign the report: every finding has been decided", "comment?", NULL, JSON, 0},
    {REHA_HTTP_POST, V "/studies/{id}/reopen", REHA_MAY_SIGN, reha_web_reopen, REHA_BODY_JSON,
     REHA_ROUTE_IF_MATCH, "Withdraw the signature, with a reason", "reason", NULL, JSON, 0},
    {REHA_HTTP_GET, V "/studies/{id}/report.html", REHA_MAY_EXPORT, reha_web_report, REHA_BODY_NONE, 0,
     "The report as a page", NULL, NULL, "text/html", REHA_REPORT_HTML},
    {REHA_HTTP_GET, V "/studies/{id}/report.pdf", REHA_MAY_EXPORT, reha_web_report, REHA_BODY_NONE, 0,
     "The report as PDF", NULL, NULL, "application/pdf", REHA_REPORT_PDF},
    {REHA_HTTP_GET, V "/studies/{id}/report.json", REHA_MAY_EXPORT, reha_web_report, REHA_BODY_NONE, 0,
     "The report for programs", NULL, NULL, JSON, REHA_REPORT_JSON},
    {REHA_HTTP_GET, V "/studies/{id}/export", REHA_MAY_EXPORT, reha_web_study_export, REHA_BODY_NONE,
     REHA_ROUTE_IDENTITY,
     "The results as DICOM objects for the archive that the images came from, zipped: structured report, report "
     "as PDF, pictures, overlays, masks (docs/formats/dicom-export.md)",
     NULL, NULL, "application/zip", 0},

    {REHA_HTTP_GET, V "/images/{id}/picture.png", REHA_MAY_READ, reha_web_image, REHA_BODY_NONE, 0,
     "One frame, or 'frames' of them below each other, as a picture; side_max_px (16 to 20000): scaled down "
     "to fit",
     NULL, "frame, frames, window_center, window_width, side_max_px", "image/png", 0},
    {REHA_HTTP_GET, V "/images/{id}/values", REHA_MAY_READ, reha_web_image_values, REHA_BODY_NONE, 0,
     "The same, as grey values for windowing in the page (docs/formats/values.md)", NULL,
     "frame, frames, side_max_px", "application/octet-stream", 0},
    {REHA_HTTP_GET, V "/images/{id}/file.dcm", REHA_MAY_EXPORT, reha_web_image_dicom, REHA_BODY_NONE,
     REHA_ROUTE_IDENTITY, "The stored DICOM file", NULL, NULL, "application/dicom", 0},
    {REHA_HTTP_POST, V "/images/{id}/analysis", REHA_MAY_UPLOAD, reha_web_analyse, REHA_BODY_JSON,
     REHA_ROUTE_IDEMPOTENT,
     "Analyse an image again, with the newest model; task: an offered recogniser of /models, else chosen by "
     "what the image is. The result stands beside those of other tasks",
     "task?", NULL, JSON, 0},
    {REHA_HTTP_GET, V "/images/{id}/comparison", REHA_MAY_READ, reha_web_compare, REHA_BODY_NONE, 0,
     "What has really changed since an earlier image of the patient, and how one lies over the other; by: "
     "landmarks or intensity",
     NULL, "before, same_setup, by", JSON, 0},
    {REHA_HTTP_GET, V "/results/{id}", REHA_MAY_READ, reha_web_result, REHA_BODY_NONE, 0,
     "A result with its analysis, reviews, and who set it aside", NULL, NULL, JSON, 0},
    {REHA_HTTP_GET, V "/results/{id}/pictures/{name}", REHA_MAY_READ, reha_web_result_picture, REHA_BODY_NONE,
     0, "A picture of a result, by its name", NULL, NULL, "image/png", 0},
    {REHA_HTTP_GET, V "/results/{id}/frames", REHA_MAY_READ, reha_web_result_frames, REHA_BODY_NONE, 0,
     "What was measured in each frame of an ultrasound sequence", NULL, NULL, JSON, 0},
    {REHA_HTTP_POST, V "/results/{id}/reviews", REHA_MAY_REVIEW, reha_web_review, REHA_BODY_JSON,
     REHA_ROUTE_IF_MATCH, "Accept, amend or reject a finding; If-Match is the study's",
     "region, finding, decision, value?, reason?", NULL, JSON, 0},
    {REHA_HTTP_POST, V "/results/{id}/set-aside", REHA_MAY_REVIEW, reha_web_set_aside, REHA_BODY_JSON,
     REHA_ROUTE_IF_MATCH,
     "A result that was asked for by name, by mistake: it stays in the record and stands no more, and the "
     "study says who set it aside and why; 409 if the program chose it, the study is signed or a newer one "
     "stands. For good: ask for the task again for a new one. If-Match is the study's",
     "reason", NULL, JSON, 0},
    {REHA_HTTP_GET, V "/jobs/{id}", REHA_MAY_READ, reha_web_job, REHA_BODY_NONE, 0, "How far an analysis is",
     NULL, NULL, JSON, 0},
    {REHA_HTTP_GET, V "/events", REHA_MAY_READ, reha_web_events, REHA_BODY_NONE, 0,
     "What happens to jobs and studies, as server-sent events", NULL, "after", "text/event-stream", 0},

    {REHA_HTTP_GET, V "/patients", REHA_MAY_READ, reha_web_patients, REHA_BODY_NONE, REHA_ROUTE_PAGED,
     "Patients", NULL, "text", JSON, 0},
    {REHA_HTTP_POST, V "/patients", REHA_MAY_PATIENTS, reha_web_patient_add, REHA_BODY_JSON, 0,
     "A new patient", "pseudonym?, name?, birth_year?, sex?, note?", NULL, JSON, 0},
    {REHA_HTTP_GET, V "/patients/{id}", REHA_MAY_READ, reha_web_patient, REHA_BODY_NONE, 0,
     "A patient with the episodes of care", NULL, NULL, JSON, 0},
    {REHA_HTTP_PUT, V "/patients/{id}", REHA_MAY_PATIENTS, reha_web_patient_change, REHA_BODY_JSON,
     REHA_ROUTE_IF_MATCH, "Change a patient", "pseudonym?, name?, birth_year?, sex?, note?", NULL, JSON, 0},
    {REHA_HTTP_DELETE, V "/patients/{id}", REHA_MAY_ADMINISTER, reha_web_patient_erase, REHA_BODY_JSON,
     REHA_ROUTE_IF_MATCH,
     "Erase a patient with everything that belongs to one, for good; 409 while an image is being analysed. "
     "reason: request, keeping-over, no-basis or mistake. Backups are not touched",
     "pseudonym, reason", NULL, JSON, 0},
    {REHA_HTTP_POST, V "/patients/{id}/episodes", REHA_MAY_PATIENTS, reha_web_episode_add, REHA_BODY_JSON, 0,
     "A new episode of care", "condition, side?, onset?, surgery?, surgery_date?, goals?, open?", NULL, JSON,
     0},
    {REHA_HTTP_PUT, V "/episodes/{id}", REHA_MAY_PATIENTS, reha_web_episode_change, REHA_BODY_JSON,
     REHA_ROUTE_IF_MATCH, "Change an episode",
     "condition?, side?, onset?, surgery?, surgery_date?, goals?, open?", NULL, JSON, 0},
    {REHA_HTTP_GET, V "/patients/{id}/series", REHA_MAY_READ, reha_web_series, REHA_BODY_NONE, 0,
     "All measurements and scores of a patient, oldest first", NULL, NULL, JSON, 0},
    {REHA_HTTP_GET, V "/instruments", REHA_MAY_READ, reha_web_instruments, REHA_BODY_NONE, 0,
     "The questionnaires and tests that scores can be of, with range, error and important change", NULL, NULL,
     JSON, 0},
    {REHA_HTTP_POST, V "/patients/{id}/scores", REHA_MAY_CARE, reha_web_score_add, REHA_BODY_JSON, 0,
     "A new score: of a known instrument, or \"other\" with its name",
     "instrument, name?, value?, items?, unit?, date, side?, episode_id?, note?", NULL, JSON, 0},
    {REHA_HTTP_POST, V "/scores/{id}/withdrawal", REHA_MAY_CARE, reha_web_score_withdraw, REHA_BODY_JSON, 0,
     "Withdraw a wrong score", "reason", NULL, JSON, 0},
    {REHA_HTTP_GET, V "/patients/{id}/plans", REHA_MAY_READ, reha_web_plans, REHA_BODY_NONE, 0,
     "Plans of a patient", NULL, NULL, JSON, 0},
    {REHA_HTTP_GET, V "/patients/{id}/plan-form", REHA_MAY_CARE, reha_web_plan_form, REHA_BODY_NONE, 0,
     "The facts that a plan asks for, filled in as far as the record knows", NULL, "episode_id, plan_id",
     JSON, 0},
    {REHA_HTTP_POST, V "/patients/{id}/plans/made", REHA_MAY_CARE, reha_web_plan_make, REHA_BODY_JSON, 0,
     "Make a new plan by the rules", "input, episode_id?, reason?", NULL, JSON, 0},
    {REHA_HTTP_POST, V "/patients/{id}/plans/{plan}/made", REHA_MAY_CARE, reha_web_plan_make_again,
     REHA_BODY_JSON, REHA_ROUTE_IF_MATCH,
     "Make a plan again by the rules, after the clinician's edits: the next version",
     "input, episode_id?, reason?", NULL, JSON, 0},
    {REHA_HTTP_POST, V "/patients/{id}/plans/{plan}/edits", REHA_MAY_CARE, reha_web_plan_edit, REHA_BODY_JSON,
     REHA_ROUTE_IF_MATCH, "Change, leave out, add or restore one line, with a reason",
     "phase, list, line?, reason, text?, state?, dose?, exercise?, target?, by?, measure?, direction?, "
     "restore?",
     NULL, JSON, 0},
    {REHA_HTTP_POST, V "/patients/{id}/plans/{plan}/confirmation", REHA_MAY_SIGN, reha_web_plan_confirm,
     REHA_BODY_JSON, REHA_ROUTE_IF_MATCH, "A clinician stands for this version of a plan", "comment?", NULL,
     JSON, 0},
    {REHA_HTTP_GET, V "/plans/{id}/plan.pdf", REHA_MAY_EXPORT, reha_web_plan_pdf, REHA_BODY_NONE, 0,
     "The plan for the clinician, marked until it is confirmed", NULL, "version", "application/pdf",
     REHA_PLAN_FOR_CLINICIAN},
    {REHA_HTTP_GET, V "/plans/{id}/patient.pdf", REHA_MAY_EXPORT, reha_web_plan_pdf, REHA_BODY_NONE, 0,
     "The page for the patient, marked until the plan is confirmed", NULL, "version", "application/pdf",
     REHA_PLAN_FOR_PATIENT},
    {REHA_HTTP_POST, V "/patients/{id}/plans", REHA_MAY_CARE, reha_web_plan_add, REHA_BODY_JSON, 0,
     "A new plan", "content, episode_id?, reason?", NULL, JSON, 0},
    {REHA_HTTP_PUT, V "/patients/{id}/plans/{plan}", REHA_MAY_CARE, reha_web_plan_save, REHA_BODY_JSON,
     REHA_ROUTE_IF_MATCH, "A new version of a plan; the former ones stay", "content, episode_id?, reason?",
     NULL, JSON, 0},
    {REHA_HTTP_GET, V "/plans/{id}", REHA_MAY_READ, reha_web_plan, REHA_BODY_NONE, 0,
     "A plan, the newest version or one", NULL, "version", JSON, 0},
    {REHA_HTTP_GET, V "/patients/{id}/predictions", REHA_MAY_READ, reha_web_predictions, REHA_BODY_NONE, 0,
     "Predictions of a patient", NULL, NULL, JSON, 0},
    {REHA_HTTP_GET, V "/patients/{id}/prediction-form", REHA_MAY_CARE, reha_web_prediction_form,
     REHA_BODY_NONE, 0, "What the model of an outcome asks, filled in as far as the record knows", NULL,
     "outcome", JSON, 0},
    {REHA_HTTP_POST, V "/patients/{id}/predictions/made", REHA_MAY_CARE, reha_web_prediction_make,
     REHA_BODY_JSON, 0, "Predict an outcome, and keep the prediction", "outcome, input, episode_id?", NULL,
     JSON, 0},
    {REHA_HTTP_POST, V "/patients/{id}/predictions", REHA_MAY_CARE, reha_web_prediction_add, REHA_BODY_JSON,
     0, "Keep a prediction", "outcome, content, model?, model_hash?, episode_id?", NULL, JSON, 0},

    {REHA_HTTP_GET, V "/models", REHA_MAY_READ, reha_web_models, REHA_BODY_NONE, 0, "The installed models",
     NULL, NULL, JSON, 0},
    {REHA_HTTP_GET, V "/models/{task}", REHA_MAY_READ, reha_web_model_card, REHA_BODY_NONE, 0,
     "The card of a model", NULL, NULL, JSON, 0},
    {REHA_HTTP_GET, V "/users", REHA_MAY_USERS, reha_web_users, REHA_BODY_NONE, 0, "Users and their roles",
     NULL, NULL, JSON, 0},
    {REHA_HTTP_POST, V "/users", REHA_MAY_USERS, reha_web_user_add, REHA_BODY_JSON, 0, "A new user",
     "name, display_name, password, role", NULL, JSON, 0},
    {REHA_HTTP_PUT, V "/users/{id}", REHA_MAY_USERS, reha_web_user_change, REHA_BODY_JSON,
     REHA_ROUTE_IF_MATCH, "Change a user; ends the user's sessions",
     "display_name?, role?, active?, password?", NULL, JSON, 0},
    {REHA_HTTP_GET, V "/tokens", REHA_MAY_USERS, reha_web_tokens, REHA_BODY_NONE, 0,
     "Access tokens of machines, without their secrets", NULL, NULL, JSON, 0},
    {REHA_HTTP_POST, V "/tokens", REHA_MAY_USERS, reha_web_token_add, REHA_BODY_JSON, 0,
     "A new access token for a machine, shown this once; role: read-only or researcher; days: 1 to 730, 365 if "
     "none are given",
     "name, role, days?", NULL, JSON, 0},
    {REHA_HTTP_DELETE, V "/tokens/{id}", REHA_MAY_USERS, reha_web_token_revoke, REHA_BODY_NONE, 0,
     "Revoke an access token, from now on", NULL, NULL, JSON, 0},
    {REHA_HTTP_GET, V "/settings", REHA_MAY_READ, reha_web_settings, REHA_BODY_NONE, 0,
     "Settings of the clinic", NULL, NULL, JSON, 0},
    {REHA_HTTP_PUT, V "/settings", REHA_MAY_ADMINISTER, reha_web_settings_save, REHA_BODY_JSON,
     REHA_ROUTE_IF_MATCH, "Replace the settings", "any", NULL, JSON, 0},
    {REHA_HTTP_GET, V "/audit", REHA_MAY_AUDIT, reha_web_audit, REHA_BODY_NONE, REHA_ROUTE_PAGED,
     "The audit log, newest first", NULL, "text, user_id, action, from, to", JSON, 0},
    {REHA_HTTP_POST, V "/audit/verification", REHA_MAY_AUDIT, reha_web_audit_verify, REHA_BODY_JSON, 0,
     "Check the audit chain; blobs=1: every stored file too", "", "blobs", JSON, 0},
    {REHA_HTTP_GET, V "/audit/export", REHA_MAY_AUDIT, reha_web_audit_export, REHA_BODY_NONE, 0,
     "The whole audit log as JSON lines", NULL, NULL, "application/jsonl", 0},
    {REHA_HTTP_POST, V "/backups", REHA_MAY_ADMINISTER, reha_web_backup, REHA_BODY_JSON, 0,
     "Make a backup on the server's disk", "", NULL, JSON, 0},

    /* FHIR R4 (docs/formats/fhir.md); variant: which resource */
    {REHA_HTTP_GET, F "/metadata", REHA_ROUTE_PUBLIC, reha_fhir_metadata, REHA_BODY_NONE, 0,
     "What this FHIR server does (CapabilityStatement)", NULL, "_format", FHIR, 0},
    {REHA_HTTP_GET, F "/Patient", REHA_MAY_READ, reha_fhir_search, REHA_BODY_NONE, 0,
     "Patients by pseudonym or, for who may know names, by their number in DICOM files", NULL,
     "_id, identifier" FHIR_QUERY, FHIR, FHIR_PATIENT},
    {REHA_HTTP_GET, F "/Patient/{id}", REHA_MAY_READ, reha_fhir_read, REHA_BODY_NONE, 0,
     "A patient as FHIR resource", NULL, "_format", FHIR, FHIR_PATIENT},
    {REHA_HTTP_GET, F "/Patient/{id}/$everything", REHA_MAY_READ, reha_fhir_everything, REHA_BODY_NONE, 0,
     "A patient with all studies, reports, findings and scores", NULL, "_count, _cursor, _format", FHIR,
     FHIR_PATIENT},
    {REHA_HTTP_GET, F "/ImagingStudy", REHA_MAY_READ, reha_fhir_search, REHA_BODY_NONE, 0,
     "Studies of a patient, or the study of a DICOM UID", NULL,
     "_id, patient, subject, identifier, _lastUpdated" FHIR_QUERY, FHIR, FHIR_STUDY},
    {REHA_HTTP_GET, F "/ImagingStudy/{id}", REHA_MAY_READ, reha_fhir_read, REHA_BODY_NONE, 0,
     "A study as FHIR resource", NULL, "_format", FHIR, FHIR_STUDY},
    {REHA_HTTP_GET, F "/DiagnosticReport", REHA_MAY_READ, reha_fhir_search, REHA_BODY_NONE, 0,
     "Reports of a patient or of a study", NULL,
     "_id, patient, subject, study, status, date, _lastUpdated" FHIR_QUERY, FHIR, FHIR_REPORT},
    {REHA_HTTP_GET, F "/DiagnosticReport/{id}", REHA_MAY_READ, reha_fhir_read, REHA_BODY_NONE, 0,
     "The report of a study as FHIR resource", NULL, "_format", FHIR, FHIR_REPORT},
    {REHA_HTTP_GET, F "/Observation", REHA_MAY_READ, reha_fhir_search, REHA_BODY_NONE, 0,
     "Findings and scores of a patient, or findings of a study", NULL,
     "_id, patient, subject, derived-from, code, category, status, date" FHIR_QUERY, FHIR, FHIR_OBSERVATION},
    {REHA_HTTP_GET, F "/Observation/{id}", REHA_MAY_READ, reha_fhir_read, REHA_BODY_NONE, 0,
     "A finding or a score as FHIR resource", NULL, "_format", FHIR, FHIR_OBSERVATION},

    /* DICOMweb (docs/formats/dicomweb.md); variant of a search: the level */
    {REHA_HTTP_GET, D "/studies", REHA_MAY_READ, reha_dicomweb_search, REHA_BODY_NONE, REHA_ROUTE_IDENTITY,
     "Search for studies (QIDO-RS)", NULL,
     "StudyInstanceUID, PatientID, PatientName, StudyDate, ModalitiesInStudy, AccessionNumber, "
     "StudyDescription" D_PAGE,
     D_JSON, 0},
    {REHA_HTTP_POST, D "/studies", REHA_MAY_UPLOAD, reha_dicomweb_store_end, REHA_BODY_RELATED, 0,
     "Store DICOM files (STOW-RS): multipart/related; type=\"application/dicom\"; answered once they are on "
     "disk. 202 and 409 tell of each that was not stored",
     NULL, NULL, D_JSON, 0},
    {REHA_HTTP_POST, D "/studies/{study}", REHA_MAY_UPLOAD, reha_dicomweb_store_end, REHA_BODY_RELATED, 0,
     "The same, of this study only", NULL, NULL, D_JSON, 0},
    {REHA_HTTP_GET, D "/studies/{study}", REHA_MAY_EXPORT, reha_dicomweb_retrieve, REHA_BODY_NONE,
     REHA_ROUTE_IDENTITY, "The files of a study as they are stored (WADO-RS)", NULL, NULL, D_FILES, 0},
    {REHA_HTTP_GET, D "/studies/{study}/metadata", REHA_MAY_READ, reha_dicomweb_metadata, REHA_BODY_NONE,
     REHA_ROUTE_IDENTITY, "Their attributes without bulk data (WADO-RS)", NULL, NULL, D_JSON, 0},
    {REHA_HTTP_GET, D "/studies/{study}/series", REHA_MAY_READ, reha_dicomweb_search, REHA_BODY_NONE,
     REHA_ROUTE_IDENTITY, "Search for series of a study (QIDO-RS)", NULL, D_SERIES D_PAGE, D_JSON, 1},
    {REHA_HTTP_GET, D "/studies/{study}/instances", REHA_MAY_READ, reha_dicomweb_search, REHA_BODY_NONE,
     REHA_ROUTE_IDENTITY, "Search for instances of a study (QIDO-RS)", NULL, D_INSTANCE D_PAGE, D_JSON, 2},
    {REHA_HTTP_GET, D "/studies/{study}/series/{series}", REHA_MAY_EXPORT, reha_dicomweb_retrieve,
     REHA_BODY_NONE, REHA_ROUTE_IDENTITY, "The files of a series (WADO-RS)", NULL, NULL, D_FILES, 0},
    {REHA_HTTP_GET, D "/studies/{study}/series/{series}/metadata", REHA_MAY_READ, reha_dicomweb_metadata,
     REHA_BODY_NONE, REHA_ROUTE_IDENTITY, "Their attributes without bulk data (WADO-RS)", NULL, NULL, D_JSON,
     0},
    {REHA_HTTP_GET, D "/studies/{study}/series/{series}/instances", REHA_MAY_READ, reha_dicomweb_search,
     REHA_BODY_NONE, REHA_ROUTE_IDENTITY, "Search for instances of a series (QIDO-RS)", NULL,
     D_INSTANCE D_PAGE, D_JSON, 2},
    {REHA_HTTP_GET, D "/studies/{study}/series/{series}/instances/{instance}", REHA_MAY_EXPORT,
     reha_dicomweb_retrieve, REHA_BODY_NONE, REHA_ROUTE_IDENTITY, "The file of an instance (WADO-RS)", NULL,
     NULL, D_FILES, 0},
    {REHA_HTTP_GET, D "/studies/{study}/series/{series}/instances/{instance}/metadata", REHA_MAY_READ,
     reha_dicomweb_metadata, REHA_BODY_NONE, REHA_ROUTE_IDENTITY,
     "Its attributes without bulk data (WADO-RS)", NULL, NULL, D_JSON, 0}};

const reha_route *reha_routes(size_t *count)
{
    *count = sizeof routes / sizeof routes[0];
    return routes;
}

bool reha_route_may(const reha_route *route, reha_role role)
{
    if (route->permission == REHA_ROUTE_PUBLIC) {
        return true;
    }
    if (route->permission == REHA_ROUTE_SIGNED_IN) {
        return role != REHA_ROLE_NONE;
    }
    return reha_role_may(role, (reha_permission)route->permission) &&
           ((route->flags & REHA_ROUTE_IDENTITY) == 0 || reha_role_may(role, REHA_MAY_IDENTITY));
}
