/* What a simulated lesion does to the tissue at one place. */
#ifndef REHA_RECOGNITION_MUSCLE_LESION_PRIV_H
#define REHA_RECOGNITION_MUSCLE_LESION_PRIV_H

#include "recognition/muscle_lesion.h"

typedef struct reha_lesion_effect {
    double injured, torn; /* weights 0..1: the truth is where they exceed a half */
    double fade;          /* share of the fascicles' pattern that goes */
    double blotch;        /* share of it that comes back without a direction */
    double add;           /* to the grey */
    double pull;          /* towards `level`, 0..1 */
    double level;
    double redraw; /* share of the grain that is made anew; holds at strength 0 too */
} reha_lesion_effect;

typedef struct reha_lesion_scene {
    const reha_lesion_spec *spec;
    const reha_muscle_frame *frame;
    const reha_injury_belly *belly;
    const reha_speckle *speckle;
    reha_injury_axes axes; /* about the lesion's centre, turned by its tilt */
    double thickness_px;
} reha_lesion_scene;

reha_lesion_effect reha_lesion_effect_at(const reha_lesion_scene *scene, double x_px, double y_px);
/* How far the tissue here was drawn away from the centre along the fascicles. */
double reha_lesion_shift_px(const reha_lesion_scene *scene, double x_px, double y_px);
/* Half sizes of what can change around the centre: left and right, above, below. */
void reha_lesion_reach_px(const reha_lesion_scene *scene, double *sideways, double *above, double *below);

/* Smooth noise, about -1..1 with SD near 0.5, one feature a unit. */
double reha_lesion_noise(uint64_t seed, double x, double y);

#endif
