/* Random variations of a knee crop for training: what another machine, another positioning or another
 * hospital would have made of the same knee. */
#ifndef REHA_RECOGNITION_KNEE_AUGMENT_H
#define REHA_RECOGNITION_KNEE_AUGMENT_H

#include "base/random.h"
#include "recognition/knee_preprocess.h"

#include <stdint.h>

typedef struct reha_knee_augment_spec {
    double flip_chance;
    double rotate_deg; /* uniform in +- */
    double scale_log;  /* exp(+-): both axes */
    double aspect_log; /* exp(+-): x against y */
    double shift_x_px, shift_y_px;
    double contrast_log; /* about the mean */
    double brightness;   /* added, +- */
    double gamma_log, gamma_chance;
    double noise_low, noise_high, noise_chance;    /* Gaussian SD */
    double blur_low_px, blur_high_px, blur_chance; /* box-filter-like smoothing, SD */
    double cut_chance;                             /* one grey rectangle */
    int cut_h_min_px, cut_h_max_px, cut_w_min_px, cut_w_max_px;
    double cut_grey;
} reha_knee_augment_spec;

/* The recipe's own ranges. */
reha_knee_augment_spec reha_knee_augment_spec_default(void);

/* square: spec->size_px^2 bytes, normalised (0..255 for 0..1). out: window_h_px * window_w_px floats in
 * 0..1. Draws a fixed sequence from *random for a given square, spec and state. */
void reha_knee_augment(const uint8_t *square, const reha_knee_crop_spec *crop,
                       const reha_knee_augment_spec *spec, reha_random *random, float *out);

#endif
