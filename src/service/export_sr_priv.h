/* What the files of the structured report share. */
#ifndef REHA_SERVICE_EXPORT_SR_PRIV_H
#define REHA_SERVICE_EXPORT_SR_PRIV_H

#include "dicom/report_sr.h"
#include "service/export_sr.h"

static inline reha_sr_concept export_dcm(const char *value, const char *meaning)
{
    return (reha_sr_concept){value, "DCM", meaning};
}

static inline reha_sr_concept export_sct(const char *value, const char *meaning)
{
    return (reha_sr_concept){value, "SCT", meaning};
}

/* docs/formats/dicom-export.md lists them. */
static inline reha_sr_concept export_own(const char *value, const char *meaning)
{
    return (reha_sr_concept){value, REHA_DICOM_OWN_SCHEME, meaning};
}

/* A finding of a region of a result, as items of the open measurement group. */
void export_sr_finding(reha_sr *sr, const json_t *result, int region_idx, const json_t *finding,
                       const reha_dicom_origin *image);
/* A closed outline of a box, cut to the image, SELECTED FROM it. Nothing if nothing of it is in the image. */
void export_sr_box(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, const json_t *box,
                   const reha_dicom_origin *image);

#endif
