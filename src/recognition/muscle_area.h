/* Cross-sectional area of a muscle on a transverse ultrasound image, inside a border that a person drew.
 * Nothing here looks for the border: no labelled transverse images were there to learn it from. */
#ifndef REHA_RECOGNITION_MUSCLE_AREA_H
#define REHA_RECOGNITION_MUSCLE_AREA_H

#include "recognition/finding.h"

enum { REHA_OUTLINE_POINTS_MAX = 512 };

typedef struct reha_outline {
    int count;                                     /* 3 or more */
    reha_point_px points[REHA_OUTLINE_POINTS_MAX]; /* in order, the last joins the first */
} reha_outline;

/* docs/formats/outline.md: {"polygon_px": [[x, y], ...]} or {"ellipse_px": {"centre", "radii", "angle_deg"}}.
 * REHA_E_FORMAT names the file and what is wrong: too few or too many points, no number, a border that
 * crosses itself. */
REHA_MUST_USE reha_status reha_outline_load(const char *path, reha_outline *out, reha_error *err);

double reha_outline_area_px2(const reha_outline *outline);
double reha_outline_perimeter_px(const reha_outline *outline);

/* A result of task "muscle-us" with the area (mm2 only where the image has a scale), the perimeter and the
 * echo intensity inside. REHA_E_ARG: the border leaves the image or is smaller than 100 px2. Another modality
 * is a refusal. */
REHA_MUST_USE reha_status reha_muscle_area(const reha_gray *image, const reha_acquisition *facts,
                                           const reha_outline *outline, reha_analysis **out, reha_error *err);

#endif
