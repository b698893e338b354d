/* What a scanner or a person writes over an ultrasound picture, drawn at random for training
 * (muscle_augment.h): labels, settings, rulers, grey wedges, callipers, arrows, boxes, body marks. */
#ifndef REHA_RECOGNITION_MUSCLE_MARKS_H
#define REHA_RECOGNITION_MUSCLE_MARKS_H

#include "base/random.h"
#include "base/status.h"

#include <stdint.h>

/* Over `grey`, side_px squared, 0..1: what is drawn is at least as bright as what it covers, but for the dark
 * ground of some labels. Any thread. */
REHA_MUST_USE reha_status reha_muscle_marks_draw(float *grey, uint32_t side_px, reha_random *random,
                                                 reha_error *err);

#endif
