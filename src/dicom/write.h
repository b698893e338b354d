/* A minimal DICOM writer: one grey image (or several frames) with its acquisition facts, explicit little
 * endian.
 *
 * For secondary captures of our results, for wrapping pictures and for test images of exactly known
 * content. It writes what the image needs to be read, displayed and filed; modality objects for a
 * clinical archive need more attributes than a caller of this can know. */
#ifndef REHA_DICOM_WRITE_H
#define REHA_DICOM_WRITE_H

#include "dicom/dicom.h"

/* Where a slice lies in the patient, and its echo: what makes files a series (dicom/series.h). */
typedef struct reha_dicom_slice {
    double position_mm[3]; /* centre of the first pixel */
    double row[3];         /* unit vectors: along a row, and along a column */
    double column[3];
    double thickness_mm;
    double between_mm;    /* from slice to slice */
    double echo_ms;       /* 0: none is written */
    double repetition_ms; /* 0: none is written */
    uint32_t instance_no;
} reha_dicom_slice;

typedef struct reha_dicom_image {
    uint32_t width_px;
    uint32_t height_px;
    uint32_t frame_count;     /* 0: one; else that many frames follow each other in `pixels` */
    uint32_t bits_stored;     /* 1 to 8: `pixels` are uint8_t; 9 to 16: uint16_t in host byte order */
    const void *pixels;       /* stored values, row-major; for facts.was_monochrome1 dark is high */
    reha_acquisition facts;   /* written: modality, body part, view, side, positions, maker, burned-in text,
                                 lossy, monochrome1; the rest is ignored */
    reha_dicom_ids ids;       /* empty UIDs are made; empty class: DX, CR or secondary capture by modality */
    const char *patient_id;   /* IDENTIFYING; NULL or "" for none */
    const char *patient_name; /* IDENTIFYING; NULL or "" for none */
    /* Written so that reading it gives the same value and source: see reha_dicom_spacing.
     * REHA_SPACING_USER is written as a calibration, with a text that says so. */
    reha_spacing spacing;
    double magnification; /* for REHA_SPACING_MAGNIFICATION: the factor that was divided by */
    double rescale_slope; /* 0: none is written */
    double rescale_intercept;
    double window_center;
    double window_width;           /* 0: none is written */
    const reha_dicom_slice *slice; /* borrowed; NULL: no place in the patient */
} reha_dicom_image;

/* Width, height and pixels zero or NULL, everything else unknown. */
reha_dicom_image reha_dicom_image_empty(void);

/* The file as bytes; *out ends with reha_free. REHA_E_ARG names what cannot be written: sizes beyond
 * 65535, bits outside 1..16, texts that are too long or hold a backslash or control character. */
REHA_MUST_USE reha_status reha_dicom_write_image(const reha_dicom_image *image, uint8_t **out,
                                                 size_t *out_bytes, reha_error *err);
/* Writes atomically (reha_file_save). */
REHA_MUST_USE reha_status reha_dicom_save_image(const reha_dicom_image *image, const char *path,
                                                reha_error *err);

/* A new UID below 2.25 from 128 random bits of the system (PS3.5 B.2). */
REHA_MUST_USE reha_status reha_dicom_uid_new(char out[65], reha_error *err);
/* The UID below 2.25 that belongs to these contents: of the first 128 bits of a digest in lower-case
 * hexadecimal (as a UUID of version 8, RFC 9562). */
void reha_dicom_uid_of(const char *digest, char out[65]);

#endif
