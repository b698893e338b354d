/* Resampling and grey statistics for what networks see. Pixel coordinates as in image/gray.h: the
 * centre of the first pixel is (0, 0). All functions: any thread. */
#ifndef REHA_RECOGNITION_SAMPLING_H
#define REHA_RECOGNITION_SAMPLING_H

#include "image/gray.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum reha_border { REHA_BORDER_ZERO, REHA_BORDER_NEAREST } reha_border;

/* Grey values are mapped on the fly: out = clip((in - low) / (high - low), 0, 1); low > high inverts.
 * low == high: values are kept. */
typedef struct reha_tone {
    double low, high;
} reha_tone;

/* Resamples the axis-parallel rectangle (edges, not centres: {0, 0, width, height} is the whole image) to
 * width x height floats. Tent filter as wide as one output pixel when shrinking, bilinear when
 * enlarging: the "triangle" or "bilinear with antialias" filter of the imaging libraries; like them, the
 * filter is cut off and renormalised at the border of the (zero-extended) rectangle. */
REHA_MUST_USE reha_status reha_sample_rect(const reha_gray *image, reha_box_px edges, reha_border border,
                                           reha_tone tone, int width, int height, float *out,
                                           reha_error *err);

/* Resamples a turned rectangle: its centre, its size in image pixels, its rotation (positive: clockwise on
 * screen). Falls back to reha_sample_rect for angle 0. */
REHA_MUST_USE reha_status reha_sample_turned(const reha_gray *image, reha_point_px centre, double width_px,
                                             double height_px, double angle_deg, reha_border border,
                                             reha_tone tone, int width, int height, float *out,
                                             reha_error *err);

/* Reduces by whole factors (mean of factor x factor blocks; what is left over at the edges is dropped). */
REHA_MUST_USE reha_status reha_sample_reduce(const reha_gray *image, uint32_t factor, reha_gray **out,
                                             reha_error *err);

/* Percentiles 0..100 with linear interpolation between order statistics, of at most `sample_max` pixels
 * (taken at even distances; 0: all) of the rectangle of whole pixels [x0,x1) x [y0,y1). */
REHA_MUST_USE reha_status reha_sample_percentiles(const reha_gray *image, uint32_t x0, uint32_t y0,
                                                  uint32_t x1, uint32_t y1, size_t sample_max,
                                                  const double *percentiles, int count, double *out,
                                                  reha_error *err);
/* Of an array, which is re-ordered. */
void reha_select_percentiles(float *values, size_t n, const double *percentiles, int count, double *out);

/* Mean over a (2r+1) x (2r+1) box, edges repeated; `scratch`: width * height. In place is fine. */
void reha_box_filter(const float *in, int width, int height, int radius, float *scratch, float *out);

#endif
