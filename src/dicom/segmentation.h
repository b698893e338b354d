/* A segmentation: masks over the first frame of one image, one binary frame for each of them.
 *
 * Frames have the rows and columns of the image, pixel for pixel, and say so (derivation image, spatial
 * locations preserved): that is the place of a segmentation of a radiograph or an ultrasound picture, which
 * have no frame of reference (PS3.3 A.51.5.1). Position and orientation are written where the image has them,
 * the size of a pixel where it is known. Same inputs, same bytes. Any thread.
 *
 * Source: DICOM PS3.3 A.51, C.8.20, C.7.6.16, C.7.6.17; PS3.16 CID 7150, 7151. */
#ifndef REHA_DICOM_SEGMENTATION_H
#define REHA_DICOM_SEGMENTATION_H

#include "dicom/report_sr.h"

typedef struct reha_dicom_segment { /* borrowed */
    const char *label, *description;
    reha_sr_concept category, type;
    reha_sr_concept modifier; /* of the type; value NULL: none */
    const char *tracking;     /* what it is called wherever it is told of */
    char tracking_uid[65];    /* the same in every object that tells of it */
    unsigned rgb;             /* recommended colour, 0xRRGGBB */
    const uint8_t *inside;    /* a byte a pixel, 0: outside */
} reha_dicom_segment;

typedef struct reha_dicom_segmentation { /* borrowed */
    const reha_dicom_object *object;     /* made from one image */
    const char *label;                   /* 16 of A-Z, 0-9, blank, underscore */
    const char *description;
    const char *creator; /* as people write it; "" for none */
    const char *algorithm_name, *algorithm_version, *algorithm_parameters;
    const reha_dicom_segment *segments;
    size_t count;
} reha_dicom_segmentation;

/* *out: reha_free. REHA_E_LIMIT: too many pixels or segments for an object. */
REHA_MUST_USE reha_status reha_dicom_write_segmentation(const reha_dicom_segmentation *what, uint8_t **out,
                                                        size_t *out_bytes, reha_error *err);

#endif
