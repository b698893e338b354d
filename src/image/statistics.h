/* Numbers about grey values, and the simple filters. All functions: any thread. Pixels are assumed
 * finite (decoders guarantee it). */
#ifndef REHA_IMAGE_STATISTICS_H
#define REHA_IMAGE_STATISTICS_H

#include "image/gray.h"

#include <stddef.h>
#include <stdint.h>

typedef struct reha_gray_summary {
    float low;
    float high;
    double mean;
    double sd; /* population */
} reha_gray_summary;

reha_gray_summary reha_gray_summarise(const reha_gray *image);

/* out[i] = the fractions[i] quantile (0..1, clamped), with linear interpolation between ranks
 * (Hyndman & Fan 1996, type 7), exact: the same as after sorting. REHA_E_ARG for no values or a NaN
 * fraction. */
REHA_MUST_USE reha_status reha_percentiles(const float *values, size_t count, const double *fractions,
                                           size_t fraction_count, float *out, reha_error *err);

/* Maps [low, high] to [0, 1] and cuts the rest, in place; low == high gives 0 everywhere. */
void reha_gray_window(reha_gray *image, float low, float high);

/* As window between two quantiles; the values used go to *low and *high (NULL is fine). */
REHA_MUST_USE reha_status reha_gray_stretch(reha_gray *image, double low_fraction, double high_fraction,
                                            float *low, float *high, reha_error *err);

/* v -> low + high - v around the present range, in place: dark and bright exchanged, range kept. */
void reha_gray_invert(reha_gray *image);

/* Mean squared length of the gradient (central differences, per pixel), and variance of the 4-neighbour
 * Laplacian: two usual sharpness measures. In squared grey values: stretch first to compare pictures.
 * 0 for pictures below 3 x 3. */
double reha_gray_gradient_energy(const reha_gray *image);
double reha_gray_laplacian_variance(const reha_gray *image);

/* Gaussian blur, edges repeated. sigma_px in (0, 1000]; kernels are cut at 4 sigma. Above 10 px the
 * picture is blurred at reduced size (relative error below 1 %). REHA_E_ARG otherwise. */
REHA_MUST_USE reha_status reha_gray_blur(const reha_gray *image, double sigma_px, reha_gray **out,
                                         reha_error *err);

/* (v - local mean) / sqrt(local variance + sd_floor^2), both over a Gaussian of sigma_px: evens out
 * exposure and soft tissue. `sd_floor` > 0 in grey values keeps noise of flat parts small. */
REHA_MUST_USE reha_status reha_gray_local_contrast(const reha_gray *image, double sigma_px, double sd_floor,
                                                   reha_gray **out, reha_error *err);

#endif
