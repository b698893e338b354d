/* Muscle architecture from longitudinal B-mode ultrasound: aponeuroses, thickness, pennation, fascicle
 * length, echo intensity. The path of an image is written in muscle_us.c; its parts are muscle_frame,
 * muscle_net, muscle_lines, muscle_measure, muscle_texture and muscle_ruler. */
#ifndef REHA_RECOGNITION_MUSCLE_US_H
#define REHA_RECOGNITION_MUSCLE_US_H

#include "recognition/recogniser.h"

extern const reha_recogniser reha_recogniser_muscle_us;

/* Names of the numbers that every result has in `measurements` (docs/formats/analysis.md), NULL-terminated:
 * null where nothing was measured. */
extern const char *const reha_muscle_measurement_names[];

/* Where the findings' points lie in reha_region.points. */
enum {
    REHA_MUSCLE_POINTS_SUPERFICIAL =
        0,                        /* 16 along the lower edge of the superficial aponeurosis, left to right */
    REHA_MUSCLE_POINTS_DEEP = 16, /* 16 along the upper edge of the deep one */
    REHA_MUSCLE_POINTS_THICKNESS = 32, /* 3 pairs: upper and lower end of a thickness line */
    REHA_MUSCLE_POINTS_FASCICLES = 38  /* pairs, deep end first, to the end of the list */
};

#endif
