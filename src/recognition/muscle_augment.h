/* Random variations of a muscle ultrasound picture for training: what another scanner, another probe, another
 * gain, depth or position would have made of the same muscle, and what its screen writes over it.
 *
 * Every picture draws anew, within the ranges below: the fixed looks that `evaluate muscle-us --changes`
 * measures (muscle_changes.h) share no code with them, but they are relatives. No rendering has another
 * probe's physics. */
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

/* How often something is done to a picture (`_share`, 0..1) and how far it goes. Symmetric ranges are given
 * by their end; `_log` ones are of the natural logarithm. */
typedef struct reha_muscle_looks {
    double plain_share; /* of pictures that only get a place and a tone near their own */

    /* Place: in the scan's own pixels, so that angles stay those of the same muscle, turned. Left and right
     * change places in half of the pictures. */
    double turn_deg, scale_log, stretch_log, shift; /* shift: of the tissue's size */

    /* What probe and depth take in. */
    double depth_share, depth_least,
        depth_most;                   /* size of the muscle in the picture's height: below the deepest
                                       * tissue comes noise, or what is too deep is cut off */
    double narrow_share, narrow_most; /* so much of the width is cut off */
    double framed_share; /* black around the tissue, as the program shows it to the network; else what the
                          * scanner's screen has there */
    double wider_most;   /* framing wider than the tissue by up to this share */
    double sector_share; /* outline of a convex or steered probe */

    /* Grey. */
    double gamma_log, gain_log, slope_log, side_slope_log; /* slopes: of the gain, from end to end */
    double cut_share, cut_most;                            /* darkest greys lost */
    double range_share, range_least_db, range_most_db;     /* dynamic range, of pictures taken for 60 dB */
    double curve_share;                                    /* S-shaped or inverse S-shaped grey map */
    double sliders_share, sliders_db;                      /* gain over depth, slider by slider */
    double contact_share;                                  /* a dark strip below badly coupled skin */
    double toned_share; /* spread over the grey scale and brought to the usual mean again, as the program does
                         */

    /* Grain and resolution. */
    double blur_share, blur_most_px;    /* SD, across; along the beam half of it */
    double coarse_share, coarse_most;   /* fewer pixels, enlarged again: by up to this factor */
    double speckle_share, speckle_most; /* SD of grains that multiply the grey */
    double noise_share, noise_most;     /* SD of noise on top */
    double jpeg_share;                  /* compressed at quality jpeg_least to jpeg_most */
    int jpeg_least, jpeg_most;

    double marks_share;  /* text, rulers, callipers, arrows, boxes over the tissue; the mask stays */
    double blocks_share; /* bright or black boxes */
} reha_muscle_looks;

reha_muscle_looks reha_muscle_looks_default(void);

/* input: REHA_MUSCLE_INPUT_PX squared, standardised; targets: REHA_MUSCLE_MAPS maps of REHA_MUSCLE_MAP_PX
 * squared, the one that is not labelled filled with -1. looks NULL: the picture as it is, and random is not
 * read. Fixed for a given state. Errors: memory. Any thread. */
REHA_MUST_USE reha_status reha_muscle_augment(const reha_muscle_stored *stored,
                                              const reha_muscle_looks *looks, reha_random *random,
                                              float *input, float *targets, reha_error *err);

#endif
