/* A study's results as a DICOM structured report: TID 1500 Measurement Report, as
 * docs/formats/dicom-export.md describes it. One measurement group for each region of each result that
 * stands; every finding with the value that stands now: the software's (accepted, or not looked at yet), the
 * clinician's (amended), or none (rejected). What the software said is always told beside an amended or
 * rejected value. */
#ifndef REHA_SERVICE_EXPORT_SR_H
#define REHA_SERVICE_EXPORT_SR_H

#include "base/json.h"
#include "dicom/derived.h"

typedef struct reha_export_source {
    const json_t *study;              /* as service/clinic.h gives it; borrowed */
    const reha_dicom_origin *origins; /* one for each of its images */
    const char *clinic_name;          /* may be NULL */
} reha_export_source;

enum { REHA_LOCAL_BYTES = 15 };
/* A time of the record, "2026-01-31T12:34:56.789Z", as "20260131123456" by the clock of the place, as a
 * study's own times are; "" if it is none. */
void reha_export_local(const char *time, char out[REHA_LOCAL_BYTES]);

/* `object` says what the document is called; *out: reha_free. */
REHA_MUST_USE reha_status reha_export_sr(const reha_export_source *source, const reha_dicom_object *object,
                                         uint8_t **out, size_t *out_bytes, reha_error *err);

#endif
