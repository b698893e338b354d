/* Maps of T2: every voxel of a multi-echo series fitted (t2_fit.h), and statistics of regions.
 *
 * Voxels that are no tissue or cannot be fitted are NaN in the maps and have their reason in `states`;
 * statistics say how many they were. */
#ifndef REHA_RECOGNITION_T2_MAP_H
#define REHA_RECOGNITION_T2_MAP_H

#include "image/volume.h"
#include "recognition/t2_fit.h"
#include "recognition/t2_noise.h"

typedef struct reha_t2_map {
    reha_volume *t2_ms;    /* NaN: not fitted; owned, as all below */
    reha_volume *error_ms; /* half width of the 95 % interval */
    reha_volume *s0;
    uint8_t *states; /* reha_t2_state of each voxel */
    size_t counts[REHA_T2_STATE_COUNT];
    reha_t2_options options; /* as used: no zeros left */
    size_t echo_count;       /* used */
    double echo_ms[REHA_T2_ECHOES_MAX];
    reha_t2_noise noise;
    double threshold;   /* first echo below it: background */
    double first_ratio; /* median of (measured - fitted) / fitted at the first echo used: the mark of
                           stimulated echoes; NaN: nothing was fitted */
} reha_t2_map;

/* Echoes of one grid, their times ascending. `sigma` > 0: the noise is known; 0: found in the air; < 0: taken
 * as unknown. threads 0: all. REHA_E_ARG or REHA_E_FORMAT where the echoes are too few (3 at least, after the
 * first one was left out), not ascending, or of different grids. */
REHA_MUST_USE reha_status reha_t2_map_new(const reha_volume *const *echoes, const double *echo_ms,
                                          size_t count, double sigma, const reha_t2_options *options,
                                          size_t threads, reha_t2_map **out, reha_error *err);
void reha_t2_map_free(reha_t2_map *map); /* NULL is fine */

typedef struct reha_t2_statistics { /* NaN where nothing was fitted */
    size_t voxels;                  /* of the region */
    size_t fitted;
    double unfitted_share; /* of the region */
    double median_ms;
    double q1_ms;
    double q3_ms;
    double mean_ms;
    double sd_ms;
    double error_ms; /* median of the voxels' own errors */
} reha_t2_statistics;

/* Over slice k (negative: all). `labels` NULL: all voxels that are not background; else those whose label is
 * `label`, background among them counted as not fitted. */
REHA_MUST_USE reha_status reha_t2_describe(const reha_t2_map *map, const uint8_t *labels, uint8_t label,
                                           int k, reha_t2_statistics *out, reha_error *err);

#endif
