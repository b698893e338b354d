/* Reports of an analysis for people: one HTML page (self-contained, no script, no external request) and
 * one PDF (a page per image). Both say "not reviewed" on every page: a clinician has not signed them. */
#ifndef REHA_SERVICE_REPORT_H
#define REHA_SERVICE_REPORT_H

#include "service/analyse.h"

/* Cases need their images (keep_image) where they were analysed. File names without their folders are
 * printed; nothing of the patient is. Atomic replace. */
REHA_MUST_USE reha_status reha_report_html(const reha_case *cases, size_t count, const char *path,
                                           reha_error *err);
REHA_MUST_USE reha_status reha_report_pdf(const reha_case *cases, size_t count, const char *path,
                                          reha_error *err);

#endif
