/* A structured report (Comprehensive SR) that is written item by item, in the order of its tree:
 *
 *     reha_sr_new(title, "1500", &sr, err);
 *     reha_sr_container(sr, REHA_SR_CONTAINS, name, NULL);      opens an item
 *         reha_sr_number(sr, REHA_SR_CONTAINS, name, 3.4, mm);  opens one inside of it
 *             reha_sr_code(sr, REHA_SR_HAS_PROPERTIES, ...);
 *             reha_sr_end(sr);
 *         reha_sr_end(sr);
 *     reha_sr_end(sr);
 *     reha_sr_encode(sr, &document, &bytes, &count, err);
 *
 * Every call opens one content item; reha_sr_end closes the last one that is open. Calls return nothing: the
 * first failure is kept, later calls do nothing, and encode reports it. Texts are UTF-8 and copied. What goes
 * under what is the caller's duty (PS3.3 table A.35.3-2); the tests let dciodvfy and dsrdump judge.
 *
 * Same calls, same bytes. One thread at a time per report.
 *
 * Source: DICOM PS3.3 A.35.3, C.17; PS3.16 for templates and codes. */
#ifndef REHA_DICOM_REPORT_SR_H
#define REHA_DICOM_REPORT_SR_H

#include "dicom/derived.h"

typedef struct reha_sr reha_sr;

typedef struct reha_sr_concept { /* borrowed; a value above 16 characters is written as a long one */
    const char *value;
    const char *scheme; /* "DCM", "SCT", "UCUM", "LN", ... */
    const char *meaning;
} reha_sr_concept;

typedef enum reha_sr_relation {
    REHA_SR_CONTAINS,
    REHA_SR_HAS_CONCEPT_MOD,
    REHA_SR_HAS_OBS_CONTEXT,
    REHA_SR_HAS_ACQ_CONTEXT,
    REHA_SR_HAS_PROPERTIES,
    REHA_SR_INFERRED_FROM,
    REHA_SR_SELECTED_FROM
} reha_sr_relation;

typedef enum reha_sr_shape { REHA_SR_POINT, REHA_SR_MULTIPOINT, REHA_SR_POLYLINE } reha_sr_shape;

/* `template_id`: of DCMR; NULL: none. The root container is open. */
REHA_MUST_USE reha_status reha_sr_new(reha_sr_concept title, const char *template_id, reha_sr **out,
                                      reha_error *err);
void reha_sr_free(reha_sr *sr); /* NULL is fine */

void reha_sr_container(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, const char *template_id);
/* Line ends are kept, other control characters are blanks. */
void reha_sr_text(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, const char *text);
void reha_sr_code(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, reha_sr_concept value);
void reha_sr_number(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, double value,
                    reha_sr_concept unit);
void reha_sr_uid(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, const char *uid);
void reha_sr_person(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, const char *person);
/* `time`: "20260131123456", by the clock of the place, as the study's own times are. (An offset would be
 * allowed, but DCMTK 3.6.7 refuses a document with "+0000".) */
void reha_sr_datetime(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, const char *time);
/* The first frame of an image of several. `name` NULL: none. */
void reha_sr_image(reha_sr *sr, reha_sr_relation relation, const reha_sr_concept *name,
                   const reha_dicom_origin *image);
/* Points (column, row) of the image that the item inside of it is SELECTED FROM. Pixel (0, 0)'s centre is (0,
 * 0) here and (0.5, 0.5) there: converted. Points are cut to the image by the caller. */
void reha_sr_coordinates(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, reha_sr_shape shape,
                         const reha_point_px *points, size_t count);
void reha_sr_end(reha_sr *sr);

/* Who verified it; name NULL: nobody, it is preliminary. Borrowed. */
typedef struct reha_sr_document {
    const reha_dicom_object *object;
    const char *verifier_name; /* as people write it */
    const char *verifier_organization;
    const char *verified_at;  /* as reha_sr_datetime */
    const char *completeness; /* one line: why it is not complete; NULL: it is */
} reha_sr_document;
/* Every item must be closed. May be called again with another object (a UID that follows from the content).
 * *out: reha_free. */
REHA_MUST_USE reha_status reha_sr_encode(reha_sr *sr, const reha_sr_document *document, uint8_t **out,
                                         size_t *out_bytes, reha_error *err);

#endif
