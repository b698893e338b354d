/* What is known about how an image was made, whatever file it came in. Filled by the decoders,
 * read by the gate and the recognisers, printed in results. Holds no patient identity. */
#ifndef REHA_IMAGE_ACQUISITION_H
#define REHA_IMAGE_ACQUISITION_H

#include "image/gray.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum reha_side { REHA_SIDE_UNKNOWN = 0, REHA_SIDE_RIGHT, REHA_SIDE_LEFT, REHA_SIDE_BOTH } reha_side;

const char *reha_side_text(reha_side side); /* "unknown", "right", "left", "both" */

/* Texts are UTF-8, empty when unknown. */
typedef struct reha_acquisition {
    char container[16];        /* "png", "jpeg", "tiff", "dicom", "nifti" */
    char modality[17];         /* DICOM (0008,0060): "CR", "DX", "US", "MR"; empty for plain files */
    char body_part[65];        /* (0018,0015), upper case */
    char view_position[17];    /* (0018,5101): "AP", "PA", "LL", ... */
    char patient_position[17]; /* (0018,5100) */
    reha_side side;            /* (0020,0062) or (0020,0060) */
    char acquired_on[11];      /* "2026-01-31": day of acquisition, else of the content, else of the study */
    char manufacturer[65];
    char device_model[65];
    char transfer_syntax_uid[65];
    char orientation[33];    /* Patient Orientation (0020,0020): "L\\F" */
    bool was_monochrome1;    /* stored dark = high; already turned over by the decoder */
    bool is_lossy;           /* a lossy compression was applied at some time */
    bool has_burned_in_text; /* (0028,0301) YES */
    double chroma_fraction;  /* share of pixels with visible colour; 0 for grey files */
    uint32_t bits_stored;    /* of the file */
    uint32_t frame_count;
} reha_acquisition;

reha_acquisition reha_acquisition_unknown(void);

#endif
