/* What handlers see of a request. */
#ifndef REHA_WEB_CALL_PRIV_H
#define REHA_WEB_CALL_PRIV_H

#include "base/text.h"
#include "web/route.h"
#include "web/thumbs_priv.h"
#include "web/web.h"

#include <stdatomic.h>

#define REHA_COOKIE_NAME "rehascope_session"

struct reha_web {
    reha_web_options options;
    const reha_route *routes;
    size_t route_count;
    reha_thumbs *thumbs; /* owned */
    atomic_bool is_stopping;
    atomic_int stream_count;
    atomic_int sign_in_count;
};

typedef struct reha_dicomweb_store reha_dicomweb_store; /* dicomweb_store.c */

struct reha_call {
    reha_web *web;
    reha_clinic *clinic;
    const reha_http_request *request;
    reha_route_match match;
    reha_actor actor;
    char token[REHA_TOKEN_BYTES]; /* "" : nobody */
    json_t *session;              /* owned; NULL: nobody */
    json_t *in;                   /* the JSON body; owned; NULL without one */
    reha_text body;
    reha_upload *upload;        /* of upload routes */
    reha_dicomweb_store *store; /* of routes that take several at once */
    int64_t if_version;         /* of If-Match */
    bool is_refused;
    reha_http_response response;
};

const char *reha_call_header(const reha_call *call, const char *name); /* NULL if absent; borrowed */
const char *reha_call_query(const reha_call *call, const char *name);  /* NULL if absent or empty; borrowed */
/* Answers with `value` (its reference is taken in any case). */
REHA_MUST_USE reha_status reha_call_json(reha_call *call, int code, json_t *value, reha_error *err);
/* Answers with bytes (taken in any case). */
void reha_call_bytes(reha_call *call, const char *type, uint8_t *bytes, size_t count);
/* The list filters of the query string. */
REHA_MUST_USE reha_status reha_call_list_query(const reha_call *call, reha_query *out, reha_error *err);
/* Opens the upload of an upload route. */
REHA_MUST_USE reha_status reha_call_upload_begin(reha_call *call, reha_error *err);
/* "https://clinic.example" and `root`, as whoever asks knows us: for addresses in answers. */
enum { REHA_BASE_BYTES = 200 };
void reha_call_base(const reha_call *call, const char *root, char out[REHA_BASE_BYTES]);

/* The body of a storing request (dicomweb_store.c). begin: REHA_E_UNSUPPORTED if it is of another type; sets
 * call->store. */
REHA_MUST_USE reha_status reha_dicomweb_store_begin(reha_call *call, reha_error *err);
REHA_MUST_USE reha_status reha_dicomweb_store_feed(reha_dicomweb_store *store, const void *bytes,
                                                   size_t count, reha_error *err);
void reha_dicomweb_store_close(reha_dicomweb_store *store); /* NULL is fine */

enum { OUTBOX_ONE = 0, OUTBOX_ALL = 1 }; /* variants of reha_web_outbox_again */

/* Handlers, by file. */
#define REHA_HANDLER(name) reha_status name(reha_call *call, reha_error *err)
REHA_HANDLER(reha_web_health); /* api_session.c */
REHA_HANDLER(reha_web_state);
REHA_HANDLER(reha_web_setup);
REHA_HANDLER(reha_web_openapi);
REHA_HANDLER(reha_web_sign_in);
REHA_HANDLER(reha_web_session);
REHA_HANDLER(reha_web_sign_out);
REHA_HANDLER(reha_web_password);
REHA_HANDLER(reha_web_totp_begin);
REHA_HANDLER(reha_web_totp_confirm);
REHA_HANDLER(reha_web_totp_off);
REHA_HANDLER(reha_web_upload); /* api_studies.c */
REHA_HANDLER(reha_web_studies);
REHA_HANDLER(reha_web_study_counts);
REHA_HANDLER(reha_web_study);
REHA_HANDLER(reha_web_study_assign);
REHA_HANDLER(reha_web_sign);
REHA_HANDLER(reha_web_reopen);
REHA_HANDLER(reha_web_report);
REHA_HANDLER(reha_web_study_export);
REHA_HANDLER(reha_web_image);
REHA_HANDLER(reha_web_image_values);
REHA_HANDLER(reha_web_image_dicom);
REHA_HANDLER(reha_web_analyse);
REHA_HANDLER(reha_web_compare);
REHA_HANDLER(reha_web_result);
REHA_HANDLER(reha_web_result_picture);
REHA_HANDLER(reha_web_result_frames);
REHA_HANDLER(reha_web_review);
REHA_HANDLER(reha_web_set_aside);
REHA_HANDLER(reha_web_job);
REHA_HANDLER(reha_web_events);   /* events.c */
REHA_HANDLER(reha_web_patients); /* api_patients.c */
REHA_HANDLER(reha_web_patient_add);
REHA_HANDLER(reha_web_patient);
REHA_HANDLER(reha_web_patient_change);
REHA_HANDLER(reha_web_patient_erase);
REHA_HANDLER(reha_web_episode_add);
REHA_HANDLER(reha_web_episode_change);
REHA_HANDLER(reha_web_series);
REHA_HANDLER(reha_web_score_add);
REHA_HANDLER(reha_web_score_withdraw);
REHA_HANDLER(reha_web_plans);
REHA_HANDLER(reha_web_plan_add);
REHA_HANDLER(reha_web_plan);
REHA_HANDLER(reha_web_plan_save);
REHA_HANDLER(reha_web_predictions);
REHA_HANDLER(reha_web_prediction_add);
REHA_HANDLER(reha_web_instruments); /* api_care.c */
REHA_HANDLER(reha_web_plan_form);
REHA_HANDLER(reha_web_plan_make);
REHA_HANDLER(reha_web_plan_make_again);
REHA_HANDLER(reha_web_plan_edit);
REHA_HANDLER(reha_web_plan_confirm);
REHA_HANDLER(reha_web_plan_pdf);
REHA_HANDLER(reha_web_prediction_form);
REHA_HANDLER(reha_web_prediction_make);
REHA_HANDLER(reha_web_models); /* api_admin.c */
REHA_HANDLER(reha_web_model_card);
REHA_HANDLER(reha_web_users);
REHA_HANDLER(reha_web_user_add);
REHA_HANDLER(reha_web_user_change);
REHA_HANDLER(reha_web_tokens);
REHA_HANDLER(reha_web_token_add);
REHA_HANDLER(reha_web_token_revoke);
REHA_HANDLER(reha_web_settings);
REHA_HANDLER(reha_web_settings_save);
REHA_HANDLER(reha_web_audit);
REHA_HANDLER(reha_web_audit_verify);
REHA_HANDLER(reha_web_audit_export);
REHA_HANDLER(reha_web_backup);
REHA_HANDLER(reha_web_outbox);
REHA_HANDLER(reha_web_outbox_again);
REHA_HANDLER(reha_web_outbox_give_up);
REHA_HANDLER(reha_fhir_metadata); /* fhir.c */
REHA_HANDLER(reha_fhir_read);
REHA_HANDLER(reha_fhir_search); /* fhir_search.c */
REHA_HANDLER(reha_fhir_everything);
REHA_HANDLER(reha_dicomweb_search);   /* dicomweb_search.c */
REHA_HANDLER(reha_dicomweb_retrieve); /* dicomweb_retrieve.c */
REHA_HANDLER(reha_dicomweb_metadata);
REHA_HANDLER(reha_dicomweb_store_end); /* dicomweb_store.c */

#endif
