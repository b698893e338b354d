/* DICOMweb (PS3.18): searching (QIDO-RS), retrieving (WADO-RS) and storing (STOW-RS) over HTTP. What is
 * answered, and what is not, stands in docs/formats/dicomweb.md. The clinic decides who may see what; this
 * only renames. */
#ifndef REHA_WEB_DICOMWEB_PRIV_H
#define REHA_WEB_DICOMWEB_PRIV_H

#include "web/call_priv.h"

#define DICOMWEB_ROOT "/dicom-web"
#define DICOMWEB_JSON "application/dicom+json"
#define DICOM_TYPE    "application/dicom"

/* Attributes, as keys of the DICOM JSON Model. */
#define TAG_CHARACTER_SET   "00080005"
#define TAG_SOP_CLASS       "00080016"
#define TAG_SOP_INSTANCE    "00080018"
#define TAG_STUDY_DATE      "00080020"
#define TAG_ACCESSION       "00080050"
#define TAG_AVAILABILITY    "00080056"
#define TAG_MODALITY        "00080060"
#define TAG_MODALITIES      "00080061"
#define TAG_DESCRIPTION     "00081030"
#define TAG_REF_CLASS       "00081150"
#define TAG_REF_INSTANCE    "00081155"
#define TAG_RETRIEVE_URL    "00081190"
#define TAG_FAILURE_REASON  "00081197"
#define TAG_FAILED_SEQUENCE "00081198"
#define TAG_STORED_SEQUENCE "00081199"
#define TAG_OTHER_FAILURES  "0008119A"
#define TAG_TRANSFER_SYNTAX "00083002"
#define TAG_PATIENT_NAME    "00100010"
#define TAG_PATIENT_ID      "00100020"
#define TAG_PATIENT_SEX     "00100040"
#define TAG_STUDY_UID       "0020000D"
#define TAG_SERIES_UID      "0020000E"
#define TAG_STUDY_SERIES    "00201206"
#define TAG_STUDY_INSTANCES "00201208"
#define TAG_SERIES_IMAGES   "00201209"

enum { DICOMWEB_URL_BYTES = 480, DICOMWEB_ITEMS_MAX = 1000 };

/* ---- attributes (dicomweb.c); what fails for want of memory is noticed by dicomweb_answer ---- */

typedef struct dicomweb {
    reha_call *call;
    char base[REHA_BASE_BYTES]; /* "https://clinic.example/dicom-web" */
    bool failed;                /* out of memory somewhere: what was made is not complete */
} dicomweb;
dicomweb dicomweb_begin(reha_call *call);
void dicomweb_put(dicomweb *d, json_t *to, const char *tag, const char *vr, json_t *value); /* takes it */
/* "" and NULL: the attribute without a value. */
void dicomweb_put_text(dicomweb *d, json_t *to, const char *tag, const char *vr, const char *text);
void dicomweb_put_number(dicomweb *d, json_t *to, const char *tag, const char *vr, json_int_t number);
/* From attributes to attributes; one that is not there is left out. */
void dicomweb_copy(dicomweb *d, json_t *to, const json_t *from, const char *tag);
/* The first value as text, "" if there is none; borrowed. */
const char *dicomweb_text(const json_t *attributes, const char *tag);
/* Answers with a value (taken in any case). */
REHA_MUST_USE reha_status dicomweb_answer(dicomweb *d, int code, json_t *value, reha_error *err);

/* ---- asking ---- */

/* Whether the Accept header takes DICOM JSON; answers 406 if it does not. */
bool dicomweb_takes_json(reha_call *call);
/* Answers with a code that no fault of ours has. */
void dicomweb_refuse(reha_call *call, int code, const char *message, const char *hint);
/* The next media type of an Accept header ("a/b; c=d"), cut to room; false at the end. */
bool dicomweb_next_type(const char **list, char *out, size_t room);
/* The images that the address names: of the study {study}, {series} and {instance}. New reference in *out as
 * of reha_clinic_dicom_images. REHA_E_NOT_FOUND. */
REHA_MUST_USE reha_status dicomweb_images(reha_call *call, json_t **out, reha_error *err);

#endif
