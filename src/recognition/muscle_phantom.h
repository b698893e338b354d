/* A generated longitudinal ultrasound picture of a muscle: skin and fat, two aponeuroses, fascicles at an
 * angle, speckle on a logarithmic scale. For trying the program, for figures and for tests: its truth is
 * known, it is nobody's. */
#ifndef REHA_RECOGNITION_MUSCLE_PHANTOM_H
#define REHA_RECOGNITION_MUSCLE_PHANTOM_H

#include "recognition/muscle_injury_belly.h"

enum { REHA_MUSCLE_PHANTOM_W = 560, REHA_MUSCLE_PHANTOM_H = 420 };

typedef struct reha_muscle_phantom {
    double top_y_px, bottom_y_px;   /* edges of the belly at the middle column */
    double top_slope, bottom_slope; /* dy/dx */
    double fascicle_deg;            /* positive rises to the right */
    uint64_t seed;
} reha_muscle_phantom;
/* A different one for each seed, with a belly of 130 to 190 px. */
reha_muscle_phantom reha_muscle_phantom_of(uint64_t seed);

/* image: 8 bit grey, the whole picture is tissue. mask (may be NULL): 255 on the aponeuroses. The caller
 * frees them. */
REHA_MUST_USE reha_status reha_muscle_phantom_draw(const reha_muscle_phantom *phantom, reha_gray **image,
                                                   reha_gray **mask, reha_error *err);
/* Its true belly. */
reha_injury_belly reha_muscle_phantom_belly(const reha_muscle_phantom *phantom);

#endif
