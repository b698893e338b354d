/* The report of a study: what the software said, what was decided, and by whom, as rows that both formats
 * print. */
#ifndef REHA_SERVICE_CLINIC_REPORT_PRIV_H
#define REHA_SERVICE_CLINIC_REPORT_PRIV_H

#include "service/clinic_priv.h"

typedef struct report_row {
    char label[120];
    char software[120];   /* "2 (90 % set: 1 to 3)", "3.4 ± 0.4 mm" */
    char human[160];      /* "accepted", "amended to 3", "rejected", "no decision" */
    char who[160];        /* "A. Clinician, 2026-01-31" */
    const char *reason;   /* borrowed; may be NULL */
    const char *evidence; /* borrowed; may be NULL */
    bool research_only;
    bool is_measured; /* false: there is nothing to decide on */
} report_row;

typedef struct report_picture {
    uint8_t *png; /* owned; NULL: none */
    size_t png_bytes;
} report_picture;

typedef struct report_source {
    const json_t *study;            /* as clinic.h gives it */
    const report_picture *pictures; /* one for each result, image by image: the composed figure */
    const char *clinic_name;        /* may be NULL */
    const char *made_at;
} report_source;

bool report_is_signed(const json_t *study);
/* "Not reviewed: ..." or "Signed by ... on ...". */
void report_banner(const json_t *study, char *out, size_t out_bytes);
/* Whose study it is: "P-ABC123, Name", or that it is nobody's yet. */
void report_patient(const json_t *study, char *out, size_t out_bytes);
/* "Fractures on radiographs (fracture, asked for)": which task gave a result. */
void report_task(const json_t *result, char *out, size_t out_bytes);
enum { REPORT_LINE_BYTES = 1000 };
/* "Fractures on radiographs (fracture): asked for by name, analysed 2026-01-31; set aside by A. Clinician on
 * 2026-01-31: why". */
void report_set_aside(const json_t *aside, char out[REPORT_LINE_BYTES]);
/* Why no result of an image stands: not analysed (yet), or set aside. */
void report_no_result(const json_t *image, char *out, size_t out_bytes);
/* "Right knee", "Joint 2 from the left, side unknown", "Muscle". */
void report_region_title(const json_t *analysis, size_t region_idx, char *out, size_t out_bytes);
/* "Muscle thickness, Fascicle length": what a region's findings could not measure; "" if nothing. */
void report_unmeasured(const json_t *findings, char *out, size_t out_bytes);
/* The newest decision on a finding; NULL: none. Borrowed. */
const json_t *report_find_review(const json_t *result, int region_idx, const char *key);
/* The composed figure of every result that stands, image by image; end with report_free_pictures, also after
 * a failure. */
REHA_MUST_USE reha_status report_load_pictures(reha_clinic *clinic, const json_t *study, report_picture **out,
                                               size_t *count, reha_error *err);
void report_free_pictures(report_picture *pictures, size_t count);
/* Row of one finding of a result. */
report_row report_make_row(const json_t *result, int region_idx, const json_t *finding);
REHA_MUST_USE reha_status report_html(const report_source *source, uint8_t **out, size_t *out_bytes,
                                      reha_error *err);
REHA_MUST_USE reha_status report_pdf(const report_source *source, uint8_t **out, size_t *out_bytes,
                                     reha_error *err);

#endif
