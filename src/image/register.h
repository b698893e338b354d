/* Lays one image over another: which point of `moving` shows what a point of `fixed` shows.
 *
 * By intensity: normalised mutual information (Studholme et al. 1999), which needs no equal exposure and
 * works on an inverted film too; coarse to fine, from a grid of starts, so that a turn of 15 degrees and a
 * shift of a quarter of the picture are found; simplex search (Nelder and Mead 1965). By landmarks: least
 * squares (resample.h).
 *
 * Mutual information has no error of its own. The residual that is told is the inconsistency: there by one
 * registration, back by another, independent one, and how far from the start one arrives. Two registrations
 * of different pictures end nowhere near each other, so that a large one means: do not believe it. Any
 * thread. */
#ifndef REHA_IMAGE_REGISTER_H
#define REHA_IMAGE_REGISTER_H

#include "image/gray.h"
#include "image/resample.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum reha_register_kind {
    REHA_REGISTER_RIGID,      /* turn and shift; in millimetres where both spacings are known */
    REHA_REGISTER_SIMILARITY, /* and enlargement */
    REHA_REGISTER_AFFINE      /* and shear */
} reha_register_kind;
const char *reha_register_kind_text(reha_register_kind kind); /* "rigid", "similarity", "affine" */

typedef struct reha_register_options {
    reha_register_kind kind;
    uint32_t finest_px;              /* longest side of the finest level, 32..1024 */
    double angle_max_deg, scale_max; /* of the grid of starts: +- angle, 1 / scale_max .. scale_max */
    double shift_max_ratio;          /* of the picture's longest side */
} reha_register_options;
/* Similarity, 160 px, 12 degrees, 1.2, 0.2. */
reha_register_options reha_register_options_default(void);

typedef struct reha_registration {
    reha_affine fixed_to_moving;
    double information_start, information; /* normalised mutual information, 1 (none) .. 2 */
    double overlap;                        /* share of `fixed` that `moving` covers */
    double residual_px; /* mean inconsistency, or RMS distance of landmarks, in pixels of `fixed` */
    double residual_mm; /* NaN where the spacing of `fixed` is unknown */
    bool is_reliable;   /* residual below 2 % of the longest side, overlap at least 40 % */
} reha_registration;

/* REHA_E_ARG for pictures below 16 px a side or options out of range; REHA_E_NOMEM. A hopeless pair is no
 * error: it is not reliable. `options` NULL: defaults. */
REHA_MUST_USE reha_status reha_register(const reha_gray *fixed, const reha_gray *moving,
                                        const reha_register_options *options, reha_registration *out,
                                        reha_error *err);

/* From landmarks in the same order. RIGID is taken for SIMILARITY without spacing. REHA_E_ARG as
 * reha_affine_fit_similarity. `spacing`: of the fixed image, for residual_mm. */
REHA_MUST_USE reha_status reha_register_points(const reha_point_px *fixed, const reha_point_px *moving,
                                               size_t count, reha_register_kind kind, reha_spacing spacing,
                                               reha_registration *out, reha_error *err);

/* Normalised mutual information of two pictures under a map; 1 for none. For tests and reports. */
REHA_MUST_USE reha_status reha_mutual_information(const reha_gray *fixed, const reha_gray *moving,
                                                  reha_affine fixed_to_moving, double *out, reha_error *err);

/* `moving` as `fixed` would show it: warped into its frame, its grey values fitted to it by mean and spread
 * within the common part; pixels outside get `fixed`'s value, so that a difference there is 0. New image. */
REHA_MUST_USE reha_status reha_register_apply(const reha_gray *fixed, const reha_gray *moving,
                                              reha_affine fixed_to_moving, reha_gray **out, reha_error *err);

#endif
