/* Random variations of a knee crop for training: what another machine, another positioning or another
 * hospital would have made of the same knee. */
#ifndef REHA_RECOGNITION_KNEE_AUGMENT_H
#define REHA_RECOGNITION_KNEE_AUGMENT_H

#include "base/random.h"
#include "recognition/knee_preprocess.h"

#include <stdint.h>

typedef struct reha_knee_augment_spec {
    double flip_chance;
    double rotate_deg;                  /* uniform in +- */
    double scale_log;                   /* exp(+-): both axes */
    double aspect_log;                  /* exp(+-): x against y */
    double stretch_log, stretch_chance; /* instead of aspect_log: a picture whose pixels are not square */
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

/* How another hospital cuts and exposes a film: before the normalisation, which then sees what it would see
 * of such a picture. */
typedef struct reha_knee_reframe_spec {
    double chance;
    double height_min, height_max;            /* of the window that is kept, in shares of the square's side */
    double joint_min, joint_max;              /* where in this window's height the joint line lies, 0 = top */
    double side_max;                          /* up to this share is cut off at each side */
    double gamma_log;                         /* exp(+-) */
    double low_percent_max, high_percent_max; /* share of the pixels made black, made white: up to */
} reha_knee_reframe_spec;

/* The recipe's own ranges. */
reha_knee_augment_spec reha_knee_augment_spec_default(void);
reha_knee_reframe_spec reha_knee_reframe_spec_default(void);

/* The picture as another hospital would have cut and exposed it (spec->chance is the caller's to draw).
 * raw: crop->size_px^2 bytes, bone bright. square: crop->size_px^2 floats, 0 to 255, not normalised; what
 * lies outside of the window kept repeats its nearest pixel, as reha_knee_square does. */
void reha_knee_reframe(const uint8_t *raw, const reha_knee_crop_spec *crop,
                       const reha_knee_reframe_spec *spec, reha_random *random, float *square);

/* square: spec->size_px^2 bytes, normalised (0..255 for 0..1). out: window_h_px * window_w_px floats in
 * 0..1. Draws a fixed sequence from *random for a given square, spec and state. */
void reha_knee_augment(const uint8_t *square, const reha_knee_crop_spec *crop,
                       const reha_knee_augment_spec *spec, reha_random *random, float *out);

#endif
