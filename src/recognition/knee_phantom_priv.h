/* The outlines of a drawn knee, between knee_phantom.c (shapes and truth) and knee_phantom_draw.c. */
#ifndef REHA_RECOGNITION_KNEE_PHANTOM_PRIV_H
#define REHA_RECOGNITION_KNEE_PHANTOM_PRIV_H

#include "recognition/knee_phantom.h"

enum { REHA_OUTLINE_POINTS_MAX = 4096 };

/* A closed outline in knee coordinates; short straight pieces. */
typedef struct reha_outline {
    size_t count;
    reha_point_mm points[REHA_OUTLINE_POINTS_MAX];
} reha_outline;

typedef struct reha_knee_shape {
    double size; /* plateau width over the mean one */
    reha_outline tibia;
    reha_outline femur;
    reha_outline fibula;
} reha_knee_shape;

void reha_knee_shape_make(const reha_phantom_knee *knee, reha_knee_shape *out);

/* Joint surfaces, y in mm at x in mm, for knees of this size. */
double reha_phantom_tibia_y(double x_mm, double size);
double reha_phantom_femur_y(const reha_phantom_knee *knee, double x_mm, double size);

/* Knee coordinates to image and back. */
reha_point_px reha_phantom_to_px(const reha_phantom_knee *knee, double mm_per_px, reha_point_mm point);
reha_point_mm reha_phantom_to_mm(const reha_phantom_knee *knee, double mm_per_px, reha_point_px point);

/* Paints a checked specification. */
REHA_MUST_USE reha_status reha_phantom_paint(const reha_phantom_spec *spec, reha_gray **out, reha_error *err);

#endif
