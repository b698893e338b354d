/* Random variations of a muscle ultrasound picture for training: what another scanner, another probe, another
 * gain or another position would have made of the same muscle. */
#ifndef REHA_RECOGNITION_MUSCLE_AUGMENT_H
#define REHA_RECOGNITION_MUSCLE_AUGMENT_H

#include "base/random.h"
#include "recognition/muscle_net.h"

#include <stdint.h>

enum {
    REHA_MUSCLE_STORE_PX = 400
}; /* side of a stored picture: the box with REHA_MUSCLE_STORE_MARGIN around */
#define REHA_MUSCLE_STORE_MARGIN 0.125

typedef struct reha_muscle_stored {
    const uint8_t *grey, *mask; /* REHA_MUSCLE_STORE_PX squared: 0..255 */
    double aspect;              /* width / height of the box in the image */
    reha_muscle_map structure;
} reha_muscle_stored;

/* input: REHA_MUSCLE_INPUT_PX squared, standardised; targets: REHA_MUSCLE_MAPS maps of REHA_MUSCLE_MAP_PX
 * squared, the one that is not labelled filled with -1. random NULL: the picture as it is. Fixed for a given
 * state. */
void reha_muscle_augment(const reha_muscle_stored *stored, reha_random *random, float *input, float *targets);

#endif
