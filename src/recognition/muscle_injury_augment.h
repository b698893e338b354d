/* Random variations of a training picture, with or without an injury in it: what another probe, another gain
 * or another position would have made of it. */
#ifndef REHA_RECOGNITION_MUSCLE_INJURY_AUGMENT_H
#define REHA_RECOGNITION_MUSCLE_INJURY_AUGMENT_H

#include "recognition/muscle_injury_scene.h"

/* The network's two maps. */
typedef enum reha_injury_map { REHA_INJURY_INJURED, REHA_INJURY_TORN, REHA_INJURY_MAPS } reha_injury_map;

/* input: REHA_MUSCLE_INPUT_PX squared, standardised; targets: REHA_INJURY_MAPS maps of REHA_MUSCLE_MAP_PX
 * squared, 0..1. random NULL: the picture as it is. Fixed for a given state. */
void reha_injury_augment(const reha_injury_view *view, const reha_muscle_frame *frame, reha_random *random,
                         float *input, float *targets);

#endif
