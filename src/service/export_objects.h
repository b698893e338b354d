/* The objects for an archive, made from a study's record: structured report, and where there are some, the
 * report as PDF, pictures as secondary captures, what is drawn over an image as a presentation state, and
 * masks as a segmentation. Their UIDs follow from their contents and from nothing else: the same record by
 * the same version of the program gives the same objects again. */
#ifndef REHA_SERVICE_EXPORT_OBJECTS_H
#define REHA_SERVICE_EXPORT_OBJECTS_H

#include "recognition/mask.h"
#include "service/export.h"
#include "service/export_sr.h"

enum { REHA_AS_OF_BYTES = 25 };

/* The newest time that a record tells of itself (members that end in "_at"): the time of what is made from
 * it. */
void reha_export_as_of(const json_t *record, char out[REHA_AS_OF_BYTES]);

/* Appends the structured report as `name`. `as_of`: when the record was last changed. */
REHA_MUST_USE reha_status reha_export_results(const reha_export_source *source, const char *as_of,
                                              const char *name, reha_export *out, reha_error *err);
/* Appends "report.dcm". */
REHA_MUST_USE reha_status reha_export_report(const reha_export_source *source, const char *as_of,
                                             const uint8_t *pdf, size_t pdf_bytes, reha_export *out,
                                             reha_error *err);
/* Appends "picture-<image>-<result>.dcm" (from 1): the composed figure of a result, below lines that say what
 * of it was decided. */
REHA_MUST_USE reha_status reha_export_picture(const reha_export_source *source, const char *as_of,
                                              size_t image_idx, size_t result_idx, const uint8_t *png,
                                              size_t png_bytes, reha_export *out, reha_error *err);

/* Appends the presentation state of a result as `name`: its lines, boxes and words in layers over the image,
 * with the values that stand; what was rejected is in a layer of its own. Appends nothing where nothing is to
 * be drawn (a refusal), or where the image could not be shown rightly (dicom/presentation.h). */
REHA_MUST_USE reha_status reha_export_overlay(const reha_export_source *source, const char *as_of,
                                              size_t image_idx, size_t result_idx, const char *name,
                                              reha_export *out, reha_error *err);

typedef struct reha_export_mask {
    size_t region_idx;
    reha_mask mask; /* of the image's size */
} reha_export_mask;
/* Appends the masks of a result as `name`, without those of rejected findings and those with nothing inside;
 * appends nothing if none is left. */
REHA_MUST_USE reha_status reha_export_masks(const reha_export_source *source, const char *as_of,
                                            size_t image_idx, size_t result_idx,
                                            const reha_export_mask *masks, size_t count, const char *name,
                                            reha_export *out, reha_error *err);

#endif
