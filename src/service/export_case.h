/* What `analyse` said of a DICOM file, as a structured report for its archive: unsigned, and marked so. */
#ifndef REHA_SERVICE_EXPORT_CASE_H
#define REHA_SERVICE_EXPORT_CASE_H

#include "service/analyse.h"
#include "service/export.h"

/* Appends the report of one analysed file (frame 0 of one with several) as `name`. REHA_E_UNSUPPORTED: the
 * file is no DICOM, so that no archive knows its study. */
REHA_MUST_USE reha_status reha_export_case(const reha_case *one, const char *name, reha_export *out,
                                           reha_error *err);

#endif
