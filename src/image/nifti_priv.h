/* What the reader and the writer of NIfTI share. */
#ifndef REHA_IMAGE_NIFTI_PRIV_H
#define REHA_IMAGE_NIFTI_PRIV_H

#include "image/nifti.h"

#include <nifti2_io.h>

enum {
    NIFTI_1_BYTES = 348,
    NIFTI_2_BYTES = 540,
    NIFTI_1_DATA = 352, /* where the voxels begin at the earliest: behind the header's extension mark */
    NIFTI_2_DATA = 544
};

_Static_assert(sizeof(nifti_1_header) == NIFTI_1_BYTES, "nifti1.h is not packed as the format is");
_Static_assert(sizeof(nifti_2_header) == NIFTI_2_BYTES, "nifti2.h is not packed as the format is");

/* RAS to LPS and back: the same turn. */
reha_affine3 reha_nifti_turn(const reha_affine3 *map);

/* gzip. Inflates at most `wanted` bytes; *got tells how many there were. */
REHA_MUST_USE reha_status reha_gunzip(const uint8_t *bytes, size_t count, uint8_t *out, size_t wanted,
                                      size_t *got, reha_error *err);
REHA_MUST_USE reha_status reha_gzip(const uint8_t *bytes, size_t count, uint8_t **out, size_t *out_bytes,
                                    reha_error *err);

#endif
