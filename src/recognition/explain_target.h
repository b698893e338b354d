/* Where the signs of knee osteoarthritis can lie, drawn from landmarks, as the target of the pointing game;
 * and expert landmarks of another frame brought into the picture. Pure; any thread. */
#ifndef REHA_RECOGNITION_EXPLAIN_TARGET_H
#define REHA_RECOGNITION_EXPLAIN_TARGET_H

#include "base/status.h"
#include "image/gray.h"
#include "recognition/knee_card.h"

#include <stdbool.h>

/* Marks the joint line and the margins: all within 4 % of the plateau's width (3 mm) of the space between
 * tibia and femur, and within 9 % (7 mm) of the four outermost landmarks, where osteophytes grow.
 * points: tibia 0 to 8, femur 9 to 15, in pixels of the picture (centre of the first = 0). Returns the share
 * of the picture that is marked. */
double reha_explain_joint_target(const reha_point_px points[REHA_KNEE_POINTS], int width, int height,
                                 bool *mask);

/* Expert landmarks in pixels of an unknown frame, placed by the scale and shift (mirrored or in the other
 * order if that fits better) that bring them closest to the model's own. *residual_ratio: RMS distance left,
 * in plateau widths. The shape stays the expert's. REHA_E_FORMAT: they do not span an area. */
REHA_MUST_USE reha_status reha_explain_place_points(const reha_point_px expert[REHA_KNEE_POINTS],
                                                    const reha_point_px model[REHA_KNEE_POINTS],
                                                    reha_point_px out[REHA_KNEE_POINTS],
                                                    double *residual_ratio, reha_error *err);

#endif
