/* A labelled muscle ultrasound picture as another scanner would show it: what `evaluate muscle-us --changes`
 * measures.
 *
 * Grey changes touch the tissue only. Kinds that draw a screen cut the tissue out of its own one first. What
 * no rendering can imitate is another probe's physics (beam, frequency, compounding): these figures are no
 * substitute for pictures of another laboratory. */
#ifndef REHA_RECOGNITION_MUSCLE_CHANGES_H
#define REHA_RECOGNITION_MUSCLE_CHANGES_H

#include "base/random.h"
#include "recognition/muscle_frame.h"

typedef struct reha_muscle_scan {
    const reha_gray *image;
    const reha_gray *mask; /* of the image's size */
    reha_box_px box;       /* the tissue, in whole pixels inside of the image (reha_muscle_frame_find) */
    double top_px,
        bottom_px; /* rows of the belly at the middle of the box: what is written over it, what must stay */
} reha_muscle_scan;

typedef struct reha_muscle_change {
    const char *name;    /* "gain-low" */
    const char *text;    /* what it stands for */
    bool is_mirrored;    /* left and right change places: angles change their sign */
    bool is_upside_down; /* top and bottom do: the sign too, and which aponeurosis is the superficial one */
    /* Both new; mask: the same pixels of the drawn mask. */
    reha_status (*make)(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                        reha_gray **mask, reha_error *err);
} reha_muscle_change;

/* Ends with a NULL name; the first one, "none", changes nothing. Lengths: the spacing of `scan->image` is
 * kept true, so that they are to be compared in millimetres (where it is unknown, a pixel is taken for a
 * millimetre). */
extern const reha_muscle_change reha_muscle_changes[];

/* Free *image and *mask with reha_gray_free. REHA_E_ARG: a box that does not lie in the image. Any thread. */
REHA_MUST_USE reha_status reha_muscle_change_make(const reha_muscle_change *change,
                                                  const reha_muscle_scan *scan, reha_random *random,
                                                  reha_gray **image, reha_gray **mask, reha_error *err);

#endif
