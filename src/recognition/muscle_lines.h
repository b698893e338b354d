/* From the network's maps to lines in the image: the aponeuroses as curves, the fascicles as segments.
 *
 * Angles are against the image's horizontal: 0 is level, positive rises to the right (so y falls), -90..90.
 */
#ifndef REHA_RECOGNITION_MUSCLE_LINES_H
#define REHA_RECOGNITION_MUSCLE_LINES_H

#include "recognition/muscle_net.h"

#include <stdbool.h>

enum { REHA_MUSCLE_CURVES_MAX = 8, REHA_MUSCLE_SEGMENTS_MAX = 256 };

/* Which boundary of the bright band: muscle lies below a superficial aponeurosis and above a deep one. */
typedef enum reha_muscle_edge { REHA_MUSCLE_UPPER_EDGE, REHA_MUSCLE_LOWER_EDGE } reha_muscle_edge;

/* y = c0 + c1 u + c2 u^2 with u = (x - x_middle) / x_half, in image pixels. */
typedef struct reha_muscle_curve {
    double coefficients[3];
    double x_middle, x_half;
    double slope;              /* dy/dx of the best straight line */
    double residual_px;        /* robust SD of the points about the curve */
    double x_from_px, x_to_px; /* where it was seen */
    double coverage;           /* share of the box's columns in which it was seen */
} reha_muscle_curve;

typedef struct reha_muscle_band { /* one aponeurosis */
    reha_muscle_curve edges[2];   /* by reha_muscle_edge */
    double y_middle_px;           /* mean height of its centre */
    double strength; /* mean over the box's columns of its highest probability; 0 where it was not seen */
} reha_muscle_band;

typedef struct reha_muscle_segment { /* a visible piece of fascicle */
    reha_point_px centre;
    double angle_deg;
    double length_px;
    double straightness; /* 1 - width^2 / length^2 of its second moments: 0 for a blob, 1 for a line */
} reha_muscle_segment;

double reha_muscle_curve_at(const reha_muscle_curve *curve, double x_px);
double reha_muscle_curve_slope_at(const reha_muscle_curve *curve, double x_px);
double reha_muscle_angle_of_slope(double slope); /* dy/dx to degrees, sign as above */

/* map: REHA_MUSCLE_MAP_PX squared probabilities over `box` (edges). Bands from top to bottom; pieces of one
 * line are joined. Returns their number through *count. */
REHA_MUST_USE reha_status reha_muscle_find_bands(const float *map, reha_box_px box, double threshold,
                                                 reha_muscle_band *out, int *count, reha_error *err);

/* map: width x height over `box`; pieces shorter than length_min_px or not straight are passed over. out:
 * room for REHA_MUSCLE_SEGMENTS_MAX. */
typedef struct reha_muscle_grid {
    const float *map;
    int width, height;
    reha_box_px box;
} reha_muscle_grid;
REHA_MUST_USE reha_status reha_muscle_find_segments(const reha_muscle_grid *grid, double threshold,
                                                    double length_min_px, reha_muscle_segment *out,
                                                    int *count, reha_error *err);

/* Connected sets (8 neighbours) of cells above the threshold: labels from 1, 0 outside. *count: how many.
 * queue: room for width * height. */
void reha_muscle_label(const float *map, int width, int height, double threshold, int *labels, int *queue,
                       int *count);

#endif
