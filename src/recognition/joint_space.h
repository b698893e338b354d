/* Joint space width from landmarks: the distance between tibial plateau and femoral condyle, measured
 * square to the plateau line along each compartment, as radiologists' computer-aided methods do
 * (Duryea et al. 2003: fixed locations; Neumann et al. 2009: minimum). The plateau line runs from the
 * lateral (0) to the medial (1) edge of the tibia; widths are in plateau widths here and become
 * millimetres only where the spacing of the image is known. Pure functions; any thread. */
#ifndef REHA_RECOGNITION_JOINT_SPACE_H
#define REHA_RECOGNITION_JOINT_SPACE_H

#include "image/gray.h"
#include "recognition/knee_card.h"

enum { REHA_LATERAL = 0, REHA_MEDIAL = 1 };

typedef struct reha_compartment {
    int count;
    double x_ratio[REHA_PROFILE_MAX / 2]; /* place along the plateau line */
    double width[REHA_PROFILE_MAX / 2];   /* in plateau widths */
    double tibia[REHA_PROFILE_MAX / 2],
        femur[REHA_PROFILE_MAX / 2]; /* depth below the line, in plateau widths */
    double minimum, mean;            /* in plateau widths */
    double minimum_at;               /* x_ratio of the narrowest place */
} reha_compartment;

typedef struct reha_joint_space {
    reha_compartment sides[2]; /* REHA_LATERAL, REHA_MEDIAL */
    double plateau_width;      /* in the unit of the points: px or mm */
} reha_joint_space;

/* points: in any isotropic unit (pixels, or millimetres where rows and columns are spaced differently),
 * in the order of knee_landmarks.h; either orientation of the image. All fields NaN if the plateau has no
 * width. */
void reha_joint_space_measure(const reha_point_px *points, const reha_joint_space_spec *spec,
                              reha_joint_space *out);

/* Moves tibial and femoral edges of a measured profile to the strongest grey value edge near them (dynamic
 * programming along the compartment) and measures again. `image`, `points`: in pixels; bone bright unless
 * `inverted`. spec->refine_range_ratio 0: does nothing. REHA_E_NOMEM. */
REHA_MUST_USE reha_status reha_joint_space_refine(const reha_gray *image, const reha_point_px *points,
                                                  bool inverted, const reha_joint_space_spec *spec,
                                                  reha_joint_space *out, reha_error *err);

#endif
