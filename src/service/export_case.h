/* What `analyse` said of a DICOM file, as objects for its archive: unsigned, and marked so. */
#ifndef REHA_SERVICE_EXPORT_CASE_H
#define REHA_SERVICE_EXPORT_CASE_H

#include "service/analyse.h"
#include "service/export.h"

/* Appends the objects of one analysed file (frame 0 of one with several): "results-<no>.dcm", and where there
 * is something to draw or to mark, "overlay-<no>.dcm" and "masks-<no>.dcm". REHA_E_UNSUPPORTED: the file is
 * no DICOM, so that no archive knows its study. */
REHA_MUST_USE reha_status reha_export_case(const reha_case *one, size_t no, reha_export *out,
                                           reha_error *err);

#endif
