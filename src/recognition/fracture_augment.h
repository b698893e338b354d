/* Random square parts of a radiograph with its boxes, for training a detector: another position, size,
 * direction or exposure of the same limb. */
#ifndef REHA_RECOGNITION_FRACTURE_AUGMENT_H
#define REHA_RECOGNITION_FRACTURE_AUGMENT_H

#include "base/random.h"
#include "recognition/boxes.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct reha_fracture_picture { /* prepared: grey values 0..255 after the view's percentiles */
    uint8_t *pixels;                   /* row-major */
    int width_px, height_px;
    const reha_edges *boxes; /* relative */
    size_t box_count;
} reha_fracture_picture;

typedef struct reha_fracture_augment_spec {
    int side_px;           /* of the part */
    double step_px;        /* picture pixels per pixel of the part, before the random scale */
    double scale_log;      /* exp(+-) */
    double rotate_deg;     /* +- */
    double quarter_chance; /* of a quarter turn either way: limbs lie in all directions */
    double flip_chance;
    double towards_chance; /* the part holds a box chosen at random */
    double contrast_log, brightness, gamma_log;
    double noise_high; /* SD, uniform from 0 */
} reha_fracture_augment_spec;
reha_fracture_augment_spec reha_fracture_augment_spec_default(void);

enum { REHA_FRACTURE_PART_BOXES_MAX = 32 };

/* out: side_px^2 values in 0..1; boxes: in pixels of the part, clipped to it, those whose centre lies in it;
 * room for REHA_FRACTURE_PART_BOXES_MAX. Returns their number. The same random state gives the same part. */
size_t reha_fracture_augment(const reha_fracture_picture *picture, const reha_fracture_augment_spec *spec,
                             reha_random *random, float *out, reha_edges *boxes);

/* What the network is to say of these boxes: centres [cells], 1 at a centre and falling off around it; sizes
 * [4 * cells], NaN where nothing is asked. cells = (side_px / 8)^2. */
void reha_fracture_targets(const reha_edges *boxes, size_t count, int side_px, double size_unit_px,
                           float *centres, float *sizes);

#endif
