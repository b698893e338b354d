/* Geometry of grey images: crop, resize, warp, flip, turn. Spacing follows.
 *
 * Convention everywhere (see gray.h): the centre of pixel (i, j) is the point (i, j). The whole picture
 * of width W therefore reaches from -0.5 to W - 0.5, and a resize maps edges on edges:
 *     x_in + 0.5 = (x_out + 0.5) * W_in / W_out.
 * Boxes (reha_box_px) are in the same coordinates: the whole picture is {-0.5, -0.5, W, H}, and a box
 * {10, 20, 30, 40} minus half a pixel covers the 30 x 40 pixels from (10, 20) on.
 *
 * Functions that return a new image give it to the caller (reha_gray_free). All functions: any thread,
 * one thread at a time per written image. Single threaded inside: callers parallelise over images. */
#ifndef REHA_IMAGE_RESAMPLE_H
#define REHA_IMAGE_RESAMPLE_H

#include "image/gray.h"

#include <stdbool.h>
#include <stdint.h>

/* The box of the whole picture: {-0.5, -0.5, width, height}. */
reha_box_px reha_gray_box(const reha_gray *image);

/* What lies beyond the edge. */
typedef enum reha_edge {
    REHA_EDGE_REPEAT, /* the nearest edge pixel */
    REHA_EDGE_VALUE   /* a constant */
} reha_edge;

typedef struct reha_fill {
    reha_edge edge;
    float value; /* for REHA_EDGE_VALUE */
} reha_fill;

/* Copies the width x height pixels whose first one is (x_px, y_px) of `image`; the part outside is
 * filled. Output pixel (0, 0) is input pixel (x_px, y_px). Exact values. */
REHA_MUST_USE reha_status reha_gray_crop(const reha_gray *image, int64_t x_px, int64_t y_px,
                                         uint32_t width_px, uint32_t height_px, reha_fill fill,
                                         reha_gray **out, reha_error *err);

typedef enum reha_filter {
    REHA_FILTER_LINEAR, /* bilinear when enlarging; when shrinking its triangle is widened by the factor,
                           so that nothing aliases (each axis on its own) */
    REHA_FILTER_AREA    /* mean over the covered area, parts of pixels counted as parts; when enlarging,
                           pixels with thin blended borders. Keeps the mean of the picture exactly */
} reha_filter;

/* Edge pixels are repeated. The mean of a constant image stays exact to rounding. */
REHA_MUST_USE reha_status reha_gray_resize(const reha_gray *image, uint32_t width_px, uint32_t height_px,
                                           reha_filter filter, reha_gray **out, reha_error *err);

/* As resize, of the part `box` only (fractional; may reach beyond the picture, edge pixels are then
 * repeated). REHA_E_ARG for a box that is empty, not finite, or wholly outside. */
REHA_MUST_USE reha_status reha_gray_resize_box(const reha_gray *image, reha_box_px box, uint32_t width_px,
                                               uint32_t height_px, reha_filter filter, reha_gray **out,
                                               reha_error *err);

/* x' = a x + b y + c,  y' = d x + e y + f, in pixel-centre coordinates. */
typedef struct reha_affine {
    double a, b, c;
    double d, e, f;
} reha_affine;

reha_affine reha_affine_identity(void);
/* Turns by angle_deg (positive: clockwise on the screen, since y points down), scales, and moves `from`
 * onto `to`. */
reha_affine reha_affine_similarity(double scale, double angle_deg, reha_point_px from, reha_point_px to);
/* First `first`, then `second`. */
reha_affine reha_affine_then(reha_affine first, reha_affine second);
/* False (and *out = identity) for a map that cannot be inverted. */
bool reha_affine_invert(reha_affine map, reha_affine *out);
reha_point_px reha_affine_apply(reha_affine map, reha_point_px point);
/* The map of reha_gray_resize_box from output points to input points. */
reha_affine reha_affine_of_box(reha_box_px box, uint32_t width_px, uint32_t height_px);

/* The similarity or affine map that takes from[i] to to[i] with the least sum of squared distances
 * (Umeyama 1991 for the similarity, without mirroring). REHA_E_ARG for fewer than 2 (similarity) or 3
 * (affine) points, or points in one place (similarity) or on one line (affine). */
REHA_MUST_USE reha_status reha_affine_fit_similarity(const reha_point_px *from, const reha_point_px *to,
                                                     size_t count, reha_affine *out, reha_error *err);
REHA_MUST_USE reha_status reha_affine_fit(const reha_point_px *from, const reha_point_px *to, size_t count,
                                          reha_affine *out, reha_error *err);

typedef enum reha_sampling {
    REHA_SAMPLING_LINEAR,
    REHA_SAMPLING_CUBIC /* Catmull-Rom (Keys 1981, a = -1/2); may overshoot at edges */
} reha_sampling;

/* Output pixel p shows the input at out_to_in(p). Where one output step is longer than 1.5 input
 * pixels the source is first shrunk by area, so that nothing aliases. Spacing: the length in
 * millimetres of one output step along each axis, where the input's spacing is known. */
REHA_MUST_USE reha_status reha_gray_warp(const reha_gray *image, reha_affine out_to_in, uint32_t width_px,
                                         uint32_t height_px, reha_sampling sampling, reha_fill fill,
                                         reha_gray **out, reha_error *err);

/* In place: left and right, or top and bottom, exchanged. */
void reha_gray_flip_x(reha_gray *image);
void reha_gray_flip_y(reha_gray *image);

/* Turned clockwise by quarter_turns * 90 degrees (any integer); exact values, spacing exchanged. */
REHA_MUST_USE reha_status reha_gray_rotate90(const reha_gray *image, int quarter_turns, reha_gray **out,
                                             reha_error *err);

#endif
