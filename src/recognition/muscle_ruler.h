/* The ruler at the side of a scanner's picture: ticks at even distances beside the tissue. */
#ifndef REHA_RECOGNITION_MUSCLE_RULER_H
#define REHA_RECOGNITION_MUSCLE_RULER_H

#include "recognition/muscle_frame.h"

typedef struct reha_muscle_ruler {
    int tick_count;     /* seen, of those that an even ruler would have between the first and the last */
    double step_px;     /* between neighbours */
    double residual_px; /* largest distance of a tick from its place on the even ruler */
    double unit_mm;     /* what a step is taken for: 10 mm; 5 mm where long and short ticks take turns */
    bool is_certain;    /* at least 5 ticks, none missing, even to within a pixel, and a possible depth */
} reha_muscle_ruler;

/* No ruler is no error: tick_count 0. */
REHA_MUST_USE reha_status reha_muscle_ruler_read(const reha_gray *image, const reha_muscle_frame *frame,
                                                 reha_muscle_ruler *out, reha_error *err);

#endif
