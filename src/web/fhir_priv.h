/* FHIR R4 (4.0.1), for reading: what the records hold as resources of the standard. Which record becomes
 * what, the codes and what is left out stand in docs/formats/fhir.md. The clinic decides who may see what;
 * this only renames. */
#ifndef REHA_WEB_FHIR_PRIV_H
#define REHA_WEB_FHIR_PRIV_H

#include "web/call_priv.h"

#define FHIR_TYPE "application/fhir+json"
/* Code systems of our own: names without a place on the web. */
#define FHIR_FINDINGS    "urn:rehascope:finding"
#define FHIR_COMPONENTS  "urn:rehascope:component"
#define FHIR_INSTRUMENTS "urn:rehascope:instrument"
#define FHIR_PSEUDONYM   "urn:rehascope:pseudonym"
#define FHIR_NUMBER      "urn:rehascope:dicom-patient-id"
#define FHIR_TAGS        "urn:rehascope:tag"
#define FHIR_DICOM_UID   "urn:dicom:uid"
#define FHIR_SNOMED      "http://snomed.info/sct"
#define FHIR_LOINC       "http://loinc.org"
#define FHIR_UCUM        "http://unitsofmeasure.org"

typedef enum fhir_kind { FHIR_PATIENT = 0, FHIR_STUDY, FHIR_REPORT, FHIR_OBSERVATION, FHIR_KINDS } fhir_kind;
const char *fhir_kind_name(fhir_kind kind); /* "Patient", ... */

typedef struct fhir {
    reha_call *call;
    char base[REHA_BASE_BYTES]; /* "https://clinic.example/fhir/R4" */
    bool may_identity;
    bool failed; /* out of memory somewhere: what was made is not complete */
} fhir;

/* ---- errors (fhir.c) ---- */

bool reha_fhir_is_path(const char *path);
/* An OperationOutcome: never fails; out of memory gives an empty body. */
void reha_fhir_respond_error(reha_http_response *response, int code, const char *message, const char *hint,
                             const char *request_id);
/* Begins an answer. *is_done: the answer is there already (a format that is not ours). */
void fhir_begin(reha_call *call, fhir *f, bool *is_done);
/* Answers with a resource (taken in any case), with ETag and Last-Modified of its meta. */
REHA_MUST_USE reha_status fhir_answer(fhir *f, json_t *resource, reha_error *err);
/* For codes that no fault of ours has: 406, 410. */
void fhir_refuse(reha_call *call, int code, const char *message, const char *hint);

/* ---- pieces (fhir.c): new references; what fails sets f->failed ---- */

void fhir_put(fhir *f, json_t *to, const char *key, json_t *value);             /* takes the value */
void fhir_add(fhir *f, json_t *to, json_t *value);                              /* the same, to an array */
void fhir_put_text(fhir *f, json_t *to, const char *key, const char *value);    /* NULL and "": nothing */
json_t *fhir_coding(const char *system, const char *code, const char *display); /* display may be NULL */
json_t *fhir_concept(json_t *coding, const char *text); /* takes the coding, which may be NULL */
/* `unit` as our records write it; with a UCUM code where there is one. */
json_t *fhir_quantity(double value, const char *unit);
json_t *fhir_reference(const char *type, const char *id);
/* The side of a body part: SNOMED CT where a code is known for it; NULL: nothing is known. */
json_t *fhir_body_site(const char *part, const char *side);
/* versionId and lastUpdated (NULL: unknown). */
void fhir_put_meta(fhir *f, json_t *to, json_int_t version, const char *changed_at);

/* ---- resources: from records as service/clinic.h gives them ---- */

json_t *fhir_patient(fhir *f, const json_t *patient);                      /* fhir_study.c */
json_t *fhir_imaging_study(fhir *f, const json_t *study, const char *uid); /* uid NULL: not for this reader */
json_t *fhir_report(fhir *f, const json_t *study);
/* "<result>.<region>.<finding>": names an observation of a finding. */
enum { FHIR_ID_BYTES = 80 };
void fhir_finding_id(const char *result_id, size_t region, const char *key, char out[FHIR_ID_BYTES]);
/* All findings of the results of a study that stand, as Observations, to the end of `out`. */
void fhir_findings(fhir *f, const json_t *study, json_t *out); /* fhir_observation.c */
/* Those of one result; `is_aside`: it was set aside. */
void fhir_result_findings(fhir *f, const json_t *study, const json_t *result, bool is_aside, json_t *out);
json_t *fhir_score(fhir *f, const json_t *score); /* fhir_score.c */
json_t *fhir_capability(fhir *f);                 /* fhir_capability.c */

/* ---- searching (fhir_search.c) ---- */

typedef struct fhir_parameter {
    const char *name, *type,
        *text; /* type of the standard: "token", "reference", "date"; text: for the description */
} fhir_parameter;
/* The parameters of a kind, ended by a NULL name. */
const fhir_parameter *fhir_parameters(fhir_kind kind);

enum { FHIR_ARGUMENTS_MAX = 32 };
typedef struct fhir_argument {
    const char *name, *value; /* borrowed from the request */
} fhir_argument;
typedef struct fhir_arguments {
    fhir_argument items[FHIR_ARGUMENTS_MAX];
    size_t count;
} fhir_arguments;

/* Whether a resource fits all arguments (those that no filter is for fit). REHA_E_ARG: a value is none. */
REHA_MUST_USE reha_status fhir_fits(const fhir_arguments *args, const json_t *resource, bool *out,
                                    reha_error *err); /* fhir_filter.c */
/* The same for what is known before the resource is made: when its record changed. */
REHA_MUST_USE reha_status fhir_fits_changed(const fhir_arguments *args, const char *changed_at, bool *out,
                                            reha_error *err);
/* Dates and times that are none must be told where nothing is found, too. */
REHA_MUST_USE reha_status fhir_check_times(const fhir_arguments *args, reha_error *err);
/* "x", "Patient/x" or an address that ends so. */
REHA_MUST_USE reha_status fhir_reference_id(const char *text, const char *type, char out[FHIR_ID_BYTES],
                                            reha_error *err);
/* "urn:dicom:uid|urn:oid:1.2.3", "urn:oid:1.2.3" and "1.2.3" name the same. Borrowed. */
const char *fhir_uid_of(const char *identifier);

/* A study as clinic.h gives it, as resources of one kind to the end of `out`. */
REHA_MUST_USE reha_status fhir_study_resources(fhir *f, fhir_kind kind, const json_t *study, json_t *out,
                                               reha_error *err);

#endif
