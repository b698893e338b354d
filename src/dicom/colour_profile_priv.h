/* The profile of sRGB, which colour presentation states must carry (PS3.3 C.11.15). */
#ifndef REHA_DICOM_COLOUR_PROFILE_PRIV_H
#define REHA_DICOM_COLOUR_PROFILE_PRIV_H

#include "dicom/element_priv.h"

/* An input profile of version 2 with three colorants and curves: ICC.1:2001-04, 6.3.1.2 and IEC 61966-2-1. */
void reha_dcm_put_srgb_profile(reha_dcm_writer *w, uint32_t tag);

#endif
