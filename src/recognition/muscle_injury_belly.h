/* The muscle belly in which injuries are looked for: what lies between two aponeuroses, and how its fascicles
 * run. It comes from the findings of muscle-us or, where masks are drawn, from the masks. */
#ifndef REHA_RECOGNITION_MUSCLE_INJURY_BELLY_H
#define REHA_RECOGNITION_MUSCLE_INJURY_BELLY_H

#include "recognition/finding.h"
#include "recognition/muscle_frame.h"

enum { REHA_INJURY_CURVE = 16 };

typedef struct reha_injury_belly {
    /* Left to right at equal steps; the same x in both. The belly ends where they end. */
    reha_point_px superficial[REHA_INJURY_CURVE], deep[REHA_INJURY_CURVE];
    double thickness_px; /* mean distance of the two, perpendicular to the middle line */
    double fascicle_deg; /* against the image's horizontal, positive rises to the right */
} reha_injury_belly;

/* Of an accepted region of muscle-us. False: it has no two aponeuroses. */
bool reha_injury_belly_from_region(const reha_region *region, reha_injury_belly *out);

/* Of a drawn mask of the aponeuroses, as large as the image. REHA_E_REFUSED: no two of them are drawn. */
REHA_MUST_USE reha_status reha_injury_belly_from_mask(const reha_gray *image, const reha_muscle_frame *frame,
                                                      const reha_gray *mask, reha_injury_belly *out,
                                                      reha_error *err);

/* Heights of the two lines in a column; beyond their ends they go on level. */
double reha_injury_top(const reha_injury_belly *belly, double x_px);
double reha_injury_bottom(const reha_injury_belly *belly, double x_px);
/* How far a point lies inside, in vertical pixels; negative: outside of both lines. */
double reha_injury_depth(const reha_injury_belly *belly, reha_point_px at);

/* The belly's own axes: along the fascicles (to the right) and across them (downwards), in pixels from
 * `origin`. */
typedef struct reha_injury_axes {
    reha_point_px origin;
    double cosine, sine;
} reha_injury_axes;
reha_injury_axes reha_injury_axes_at(const reha_injury_belly *belly, reha_point_px origin);
static inline double reha_injury_along(const reha_injury_axes *axes, double x_px, double y_px)
{
    return (x_px - axes->origin.x_px) * axes->cosine - (y_px - axes->origin.y_px) * axes->sine;
}
static inline double reha_injury_across(const reha_injury_axes *axes, double x_px, double y_px)
{
    return (x_px - axes->origin.x_px) * axes->sine + (y_px - axes->origin.y_px) * axes->cosine;
}

#endif
