/* Simulated injuries in real pictures of healthy muscle, and what looks like one and is none.
 *
 * There is no open labelled set of muscle injuries on ultrasound, so a detector is trained and measured on
 * these. They follow what readers describe (Lee et al. 2012; Paczesny and Kruczynski 2011): loss of the
 * fascicles' pattern, a cleft poor in echo across them, stumps drawn apart, a haematoma from black to grey
 * with more echo behind it, the feathery brightening of oedema. Shapes and sizes are drawn from the ranges in
 * muscle_lesion.c. The grain is the picture's own (muscle_speckle.h): added to the logarithmic grey value,
 * with the spread, the distribution and the correlation that were measured in the same belly; where fascicles
 * are lost the structure changes, never the grain. Nothing is pasted.
 *
 * A simulation is no patient: figures on simulated lesions say what a detector can see of these, no more. */
#ifndef REHA_RECOGNITION_MUSCLE_LESION_H
#define REHA_RECOGNITION_MUSCLE_LESION_H

#include "recognition/muscle_speckle.h"

typedef enum reha_lesion_kind {
    REHA_LESION_OEDEMA,     /* feathery change of echo, fascicles still there: grade 1 */
    REHA_LESION_DISRUPTION, /* fascicles without direction, no gap: grade 2 */
    REHA_LESION_GAP,        /* a cleft across the fascicles: grade 2, from 90 % of the thickness on 3 */
    REHA_LESION_HAEMATOMA,  /* black to grey, irregular, more echo behind it: grade 2 */
    REHA_LESION_RETRACTION, /* the whole thickness, stumps drawn apart: grade 3 */
    REHA_LESION_KINDS,
    /* no injury */
    REHA_LESION_VESSEL = REHA_LESION_KINDS, /* smooth, black, with bright walls */
    REHA_LESION_ANISOTROPY, /* darker where the beam meets the fascicles at a slant; pattern kept */
    REHA_LESION_SHADOW,     /* a dark column below poor coupling or something hard */
    REHA_LESION_GAIN,       /* a step of the gain at one depth */
    REHA_LESION_NOTHING,    /* the picture as it is */
    REHA_LESION_ALL_KINDS
} reha_lesion_kind;
const char *reha_lesion_name(reha_lesion_kind kind); /* "oedema", ... "nothing" */

enum { REHA_LESION_GRADES = 4 }; /* 0 none, 1 oedema without disruption, 2 partial, 3 complete or retracted */

typedef struct reha_lesion_spec {
    reha_lesion_kind kind;
    double strength; /* 1 as drawn; 0: the whole way of the picture through the simulator, and no lesion */
    reha_point_px centre;
    double across_px, along_px; /* full sizes across and along the fascicles */
    double share;               /* across_px of the muscle's thickness there */
    double change;              /* of the echo, in grey 0..1: the lesion's main effect */
    double level;    /* haematoma, gap, vessel: grey inside, as a share of the belly's darkest twentieth */
    double behind;   /* more echo behind it, grey */
    double disorder; /* share of the fascicles' pattern that is lost, 0..1 */
    double soft;     /* width of the border of a disruption, gap or haematoma, of half its size */
    double rim;      /* brightness of stumps or walls, grey */
    double tilt_deg; /* against the belly's axes */
    bool has_halo;   /* of oedema around a tear */
    uint64_t seed;   /* of borders and grain */
} reha_lesion_spec;

/* A random one of its kind that fits into the belly. strength: 1. */
reha_lesion_spec reha_lesion_draw(reha_lesion_kind kind, const reha_injury_belly *belly,
                                  const reha_muscle_frame *frame, reha_random *random);
int reha_lesion_grade(const reha_lesion_spec *spec); /* 0 for what is no injury and for strength 0 */

typedef struct reha_lesion_truth {
    uint8_t *injured; /* width * height of the image: 255 where tissue is changed; owned */
    uint8_t *torn;    /* of it, where fibres are interrupted */
} reha_lesion_truth;
void reha_lesion_truth_clear(reha_lesion_truth *truth);

/* Changes `image` (whole grey levels stay whole). truth may be NULL; free it with reha_lesion_truth_clear,
 * also after a failure. The same arguments give the same picture. Any thread. */
REHA_MUST_USE reha_status reha_lesion_apply(reha_gray *image, const reha_muscle_frame *frame,
                                            const reha_injury_belly *belly, const reha_speckle *speckle,
                                            const reha_lesion_spec *spec, reha_lesion_truth *truth,
                                            reha_error *err);

#endif
