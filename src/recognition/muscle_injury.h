/* Focal muscle injury on B-mode ultrasound: a research demonstration, trained on simulated lesions. The belly
 * comes from muscle-us; the path of an image is written in muscle_injury.c. */
#ifndef REHA_RECOGNITION_MUSCLE_INJURY_H
#define REHA_RECOGNITION_MUSCLE_INJURY_H

#include "recognition/recogniser.h"

extern const reha_recogniser reha_recogniser_muscle_injury;

/* Where the region's points lie: the aponeuroses as in muscle_us.h, then the outline of the surest region. */
enum { REHA_INJURY_POINTS_OUTLINE = 32 };
/* The region's explanation is the map of injured tissue, 0..1; from here on a place belongs to a region. */
#define REHA_INJURY_REGION_MIN 0.4

#endif
