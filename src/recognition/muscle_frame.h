/* Where in an ultrasound picture the tissue is. The screen of a scanner shows more than the echo: rulers,
 * grey bars, logos, text, the outline of the probe. Tissue is speckle: nearly every pixel differs from its
 * neighbours; drawn things are flat with thin edges. */
#ifndef REHA_RECOGNITION_MUSCLE_FRAME_H
#define REHA_RECOGNITION_MUSCLE_FRAME_H

#include "image/gray.h"

#include <stdbool.h>

typedef struct reha_muscle_frame {
    reha_box_px box;  /* of the tissue, edges (0 is the left edge of the first pixel) */
    double low, high; /* grey levels of the 1st and 99.5th percentile in the box */
    double mean, sd;  /* of the grey in the box after low..high became 0..1 */
    double speckle;   /* share of the box's cells that look like echo: 0 for drawings, about 1 for tissue */
    double cover;     /* share of the picture that the box takes */
} reha_muscle_frame;

/* Of any picture; one without any echo gets the whole picture with `speckle` near 0. Any thread. */
REHA_MUST_USE reha_status reha_muscle_frame_find(const reha_gray *image, reha_muscle_frame *out,
                                                 reha_error *err);

#endif
