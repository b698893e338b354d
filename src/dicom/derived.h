/* Objects that are made from an image and go back to the archive it came from: of the same patient and study,
 * in new series. Here what they share, and the two simple ones: a report as encapsulated PDF, and a picture
 * as secondary capture. The structured report is in dicom/report_sr.h, what lies over an image in
 * dicom/presentation.h and dicom/segmentation.h.
 *
 * All are explicit VR little endian and UTF-8 (ISO_IR 192). Patient and study are copied from the source,
 * never made up: an archive files by them. Same inputs, same bytes. Any thread.
 *
 * Source: DICOM PS3.3 A.8.1 (Secondary Capture Image), A.45.1 (Encapsulated PDF), C.7, C.8.6, C.24, C.12.1.
 */
#ifndef REHA_DICOM_DERIVED_H
#define REHA_DICOM_DERIVED_H

#include "dicom/dicom.h"

/* Coding scheme designator of codes that no public scheme has; a structured report says whose it is. */
#define REHA_DICOM_OWN_SCHEME "99REHA"

enum { REHA_DICOM_NAME_BYTES = 800, REHA_DICOM_LONG_BYTES = 260, REHA_DICOM_SHORT_BYTES = 68 };

/* How the first frame of an image is shown and where it lies: what an object that is laid over it repeats. */
typedef struct reha_dicom_shown {
    bool is_colour; /* palette and colour */
    bool is_monochrome1;
    bool has_modality_lut; /* a table in place of slope and intercept: not repeated */
    double slope, intercept;
    /* In modality values: as reha_dicom_read_display shows the frame. Where the file has a VOI LUT, the
     * window through its tenth and nine tenths. Width 0: the frame could not be read. */
    reha_window window;
    double x_mm, y_mm; /* of a pixel, in the patient; 0: not known, or at the detector only */
    double aspect;     /* height of a pixel over its width */
    bool is_lossy;
    char lossy_ratio[17], lossy_method[17]; /* "" where the file says none */
    /* "" where the image has no place in the patient, else all three, as DICOM writes them. */
    char frame_of_reference_uid[65];
    char position_mm[52];
    char orientation[104];
} reha_dicom_shown;

/* IDENTIFYING: whose image it is, of which study, and which one. UTF-8; "" where the file says nothing. */
typedef struct reha_dicom_origin {
    char patient_name[REHA_DICOM_NAME_BYTES];
    char patient_id[REHA_DICOM_LONG_BYTES];
    char patient_id_issuer[REHA_DICOM_LONG_BYTES];
    char patient_birth_date[9]; /* as DICOM writes it: "19640229" */
    char patient_sex[17];
    char study_date[9];
    char study_time[17];
    char study_id[REHA_DICOM_SHORT_BYTES];
    char study_description[REHA_DICOM_LONG_BYTES];
    char accession_number[REHA_DICOM_SHORT_BYTES];
    char referring_physician[REHA_DICOM_NAME_BYTES];
    char modality[17];
    reha_dicom_ids ids;
    uint32_t width_px, height_px, frame_count;
    reha_dicom_shown shown;
} reha_dicom_origin;

/* Decodes the first frame where its window must be found. REHA_E_UNSUPPORTED: the patient's number is in a
 * character set that is not read. Other texts in such a set are left out, never written wrongly.
 * REHA_E_FORMAT: a UID is missing. */
REHA_MUST_USE reha_status reha_dicom_origin_of(const reha_dicom *dicom, reha_dicom_origin *out,
                                               reha_error *err);

/* What a made object says of itself. Texts are borrowed, UTF-8. */
typedef struct reha_dicom_object {
    const reha_dicom_origin *origin;        /* patient and study */
    const reha_dicom_origin *const *images; /* that it was made from, all of this study */
    size_t image_count;
    char series_uid[65];
    char instance_uid[65];
    int series_number;
    int instance_number;
    const char *series_description;
    char content_date[9]; /* "20260131", of the place where the archive is */
    char content_time[7]; /* "123456" */
    const char *software; /* version */
    const char *serial;   /* of the device, where an object must state one; NULL: none is written */
    bool is_verified;     /* a person stands for it */
} reha_dicom_object;

/* *out: reha_free. `pdf` as it is (even bytes: padded). */
REHA_MUST_USE reha_status reha_dicom_write_pdf(const reha_dicom_object *object, const char *title,
                                               const uint8_t *pdf, size_t pdf_bytes, uint8_t **out,
                                               size_t *out_bytes, reha_error *err);
/* A colour picture, three bytes a pixel, row by row. `description`: what was done to the source. */
REHA_MUST_USE reha_status reha_dicom_write_capture(const reha_dicom_object *object, const char *description,
                                                   const uint8_t *rgb, uint32_t width_px, uint32_t height_px,
                                                   uint8_t **out, size_t *out_bytes, reha_error *err);

#endif
