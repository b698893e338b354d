/* The modules that all made objects share, in the order of their tags. */
#ifndef REHA_DICOM_DERIVED_PRIV_H
#define REHA_DICOM_DERIVED_PRIV_H

#include "dicom/derived.h"
#include "dicom/element_priv.h"

/* One item of a code sequence; a value above 16 characters becomes a long one (PS3.3 8.8). */
void reha_dcm_put_code(reha_dcm_writer *w, uint32_t tag, const char *value, const char *scheme,
                       const char *meaning);
/* Group 0008: general, SOP common, series and equipment. `modality`: "SR", ... */
void reha_dcm_put_object_head(reha_dcm_writer *w, const reha_dicom_object *object, const char *class_uid,
                              const char *modality);
/* Group 0010, and 0018 software. */
void reha_dcm_put_object_patient(reha_dcm_writer *w, const reha_dicom_object *object);
/* Group 0020. */
void reha_dcm_put_object_place(reha_dcm_writer *w, const reha_dicom_object *object);
/* A sequence of references to the source images. */
void reha_dcm_put_sources(reha_dcm_writer *w, uint32_t tag, const reha_dicom_object *object);
void reha_dcm_put_source(reha_dcm_writer *w, const reha_dicom_origin *image);
/* The one series that a single source image is of, with the image: its sequence of references has the tag
 * `references_tag`. */
void reha_dcm_put_source_series(reha_dcm_writer *w, uint32_t references_tag, const reha_dicom_origin *image,
                                bool with_frame);
/* As above, with the frame that results are of where there are several: the first. */
void reha_dcm_put_source_frame(reha_dcm_writer *w, const reha_dicom_origin *image);
/* Points of an image, (0, 0) here and (0.5, 0.5) there is the centre of its first pixel, as FL. */
void reha_dcm_put_points(reha_dcm_writer *w, uint32_t tag, const reha_point_px *points, size_t count);
/* A colour (0xRRGGBB of sRGB) as CIELab under D50, in 16 bits each (C.10.7.1.1). */
void reha_dcm_put_lab(reha_dcm_writer *w, uint32_t tag, unsigned rgb);
/* What people write, as a name: no parts, no other scripts. "" is `none`. */
void reha_dcm_put_person(reha_dcm_writer *w, uint32_t tag, const char *person, const char *none);
/* Hands the bytes over, or frees them. */
REHA_MUST_USE reha_status reha_dcm_take(reha_dcm_writer *w, uint8_t **out, size_t *out_bytes);

#endif
