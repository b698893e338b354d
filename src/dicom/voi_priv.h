/* Modality and VOI transformations of one frame (PS3.3 C.11.1 and C.11.2). */
#ifndef REHA_DICOM_VOI_PRIV_H
#define REHA_DICOM_VOI_PRIV_H

#include "dicom/dicom_priv.h"
#include "dicom/lut_priv.h"

typedef struct reha_dcm_modality {
    double slope;
    double intercept;
    bool has_lut;
    reha_dcm_lut lut;
} reha_dcm_modality;

/* Identity where the file has none or an unusable one. */
reha_dcm_modality reha_dcm_find_modality(const reha_dicom *dicom, uint32_t frame_idx);
double reha_dcm_modality_value(const reha_dcm_modality *modality, double stored);

/* The window that shows a frame as reha_dcm_apply_voi does without one: the file's, one near to its VOI LUT,
 * or the span of the values. Width 0: the frame cannot be decoded. */
reha_window reha_dcm_shown_window(const reha_dicom *dicom, uint32_t frame_idx);
/* Lowest and highest modality value of a frame without its padding; false: it cannot be decoded, or is
 * nothing but padding. */
bool reha_dcm_frame_span(const reha_dicom *dicom, uint32_t frame_idx, double *low, double *high);

/* Modality values to 0..1 in place; NaN stays NaN. */
void reha_dcm_apply_voi(const reha_dicom *dicom, uint32_t frame_idx, const reha_window *window,
                        reha_gray *image);

#endif
