/* The grain of an ultrasound picture: how its speckle is measured, and how more of the same is made.
 *
 * A B-mode picture is the logarithm of an echo's envelope, so speckle, which multiplies the echo, is added to
 * the grey value, with nearly one spread at every level but the darkest. Fully developed speckle has a
 * Rayleigh envelope (Burckhardt 1978; Wagner et al. 1983) whose correlation is that of the scanner's pulse.
 * What a scanner does after that is unknown, so everything is taken from the picture: the spread by grey
 * level, the distribution about it and the correlation lengths. Grey values here are 0..1 over the picture's
 * own range. */
#ifndef REHA_RECOGNITION_MUSCLE_SPECKLE_H
#define REHA_RECOGNITION_MUSCLE_SPECKLE_H

#include "base/random.h"
#include "recognition/muscle_injury_belly.h"

enum { REHA_SPECKLE_LEVELS = 12, REHA_SPECKLE_QUANTILES = 65 };

typedef struct reha_speckle {
    double sigma_x_px, sigma_y_px; /* of the Gaussian pulse that gives the measured correlation */
    double along_px; /* SD of the smoothing along the fascicles that parts grain and structure */
    double level_sd[REHA_SPECKLE_LEVELS]; /* SD of the grain by grey level, at the middles of equal steps */
    float quantiles[REHA_SPECKLE_QUANTILES]; /* of the grain over its SD, from the least to the most */
    double low, middle, high;                /* 5th, 50th, 95th percentile of the structure in the belly */
    double structure_sd;                     /* of what remains without grain and without the broad trend */
} reha_speckle;

/* Of the belly in a picture; REHA_E_REFUSED: too little of it is visible. */
REHA_MUST_USE reha_status reha_speckle_measure(const reha_gray *image, const reha_muscle_frame *frame,
                                               const reha_injury_belly *belly, reha_speckle *out,
                                               reha_error *err);

double reha_speckle_sd(const reha_speckle *speckle, double level);

/* width x height values of fresh grain with the picture's correlation and distribution, mean about 0, SD
 * about 1. scratch: twice as many floats. */
void reha_speckle_field(const reha_speckle *speckle, int width, int height, reha_random *random,
                        float *scratch, float *out);

/* A Gaussian mean of width x height values along the fascicles, edges repeated: the structure without its
 * grain. */
void reha_speckle_smooth_along(const float *in, int width, int height, double fascicle_deg, double sigma_px,
                               float *out);
/* A Gaussian mean in both directions, edges repeated; in place is fine. scratch: width * height. */
void reha_speckle_smooth(const float *in, int width, int height, double sigma_x_px, double sigma_y_px,
                         float *scratch, float *out);

#endif
