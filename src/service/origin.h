/* Whose image a file is, as the sandbox tells it: dicom/derived.h's origin as JSON and back. */
#ifndef REHA_SERVICE_ORIGIN_H
#define REHA_SERVICE_ORIGIN_H

#include "base/json.h"
#include "dicom/derived.h"

/* New reference; NULL: out of memory. IDENTIFYING. */
json_t *reha_origin_to_json(const reha_dicom_origin *origin);
/* What came out of a sandbox is checked again: REHA_E_FORMAT. */
REHA_MUST_USE reha_status reha_origin_from_json(const json_t *from, reha_dicom_origin *out, reha_error *err);

#endif
