#ifndef REHA_SERVICE_T2_MAP_PRIV_H
#define REHA_SERVICE_T2_MAP_PRIV_H

#include "image/volume.h"
#include "service/t2_map.h"

/* A rectangle "x,y,w,h[@slice]" or a NIfTI file of labels, as one label for each voxel of `grid`; *out:
 * reha_free. REHA_E_ARG, REHA_E_FORMAT or REHA_E_NOT_FOUND say what is wrong with it. */
REHA_MUST_USE reha_status reha_t2_read_roi(const char *roi, const reha_volume *grid, uint8_t **out,
                                           reha_error *err);

#endif
