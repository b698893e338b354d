/* The noise of a multi-echo magnitude series, from its air.
 *
 * Air shows noise only: Rayleigh distributed and without decay. As in PIESNO (Koay et al. 2009, J Magn Reson
 * 199:94) the mean power of a voxel over its echoes is compared with what sigma predicts, and sigma is found
 * where the voxels that agree give it back. Homogeneous tissue can give itself back too, so a solution counts
 * only if its voxels do not decay and scatter as Rayleigh noise does. */
#ifndef REHA_RECOGNITION_T2_NOISE_H
#define REHA_RECOGNITION_T2_NOISE_H

#include "image/volume.h"

typedef struct reha_t2_noise {
    double sigma;     /* of each channel, in grey values; 0: unknown */
    size_t voxels;    /* of air that it comes from */
    char reason[160]; /* why it is unknown; "" if known */
} reha_t2_noise;

/* Echoes of one grid. Unknown is no error. */
REHA_MUST_USE reha_status reha_t2_find_noise(const reha_volume *const *echoes, size_t count,
                                             reha_t2_noise *out, reha_error *err);

#endif
