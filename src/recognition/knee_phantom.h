/* A drawn frontal knee radiograph whose joint space is known exactly: the ruler of the measurement tests,
 * and the picture to show where no patient's may be shown. Shapes and sizes follow mean landmark positions
 * of adult knees; brightness follows a simple model of X-rays through soft tissue, trabecular and cortical
 * bone, with texture, blur and noise. It looks like a knee; it is nobody's.
 *
 * Knee coordinates in millimetres: origin on the plateau line in the middle between the tibial spines, x
 * from lateral (negative) to medial, y down the leg. In an image, the lateral side is on the left for a
 * right knee (the usual way to hang a film) and on the right for a left knee. All functions: any thread. */
#ifndef REHA_RECOGNITION_KNEE_PHANTOM_H
#define REHA_RECOGNITION_KNEE_PHANTOM_H

#include "image/acquisition.h"
#include "image/gray.h"

#include <stdbool.h>
#include <stdint.h>

enum { REHA_PHANTOM_KNEES_MAX = 2, REHA_PHANTOM_LANDMARKS = 16 };

typedef enum reha_phantom_margin {
    REHA_MARGIN_TIBIA_LATERAL,
    REHA_MARGIN_TIBIA_MEDIAL,
    REHA_MARGIN_FEMUR_LATERAL,
    REHA_MARGIN_FEMUR_MEDIAL,
    REHA_MARGIN_COUNT
} reha_phantom_margin;

typedef struct reha_phantom_knee {
    reha_side side;          /* REHA_SIDE_RIGHT or REHA_SIDE_LEFT */
    reha_point_px joint_px;  /* where the origin of the knee coordinates lies in the image */
    double angle_deg;        /* the knee turned clockwise on the screen, -180..180 */
    double plateau_width_mm; /* 50..120; 79 is an adult's at detector scale */
    double medial_jsw_mm;    /* smallest joint space width of the compartment, 0..12 */
    double lateral_jsw_mm;
    double osteophyte_mm[REHA_MARGIN_COUNT]; /* length of the beak, 0..10 */
    double medial_sclerosis;                 /* whitening under the joint surface, 0..1 */
    double lateral_sclerosis;
    double density; /* of the bones, 0.3..1.7; 1 is normal */
} reha_phantom_knee;

typedef struct reha_phantom_spec {
    uint64_t seed; /* of texture and noise */
    uint32_t width_px;
    uint32_t height_px;
    double mm_per_px;      /* 0.05..2 */
    bool is_spacing_known; /* the image's spacing is set (calibrated), else left unknown */
    int knee_count;        /* 1..2 */
    reha_phantom_knee knees[REHA_PHANTOM_KNEES_MAX];
    double exposure;  /* -1 very dark .. 0 normal .. 1 very bright */
    double contrast;  /* 0.1..3; 1 is normal */
    double blur_mm;   /* of focus and detector, 0..5 */
    double noise_sd;  /* of full scale, 0..0.5 */
    bool is_inverted; /* bone dark */
    bool has_marker;  /* a lead letter R or L beside each knee */
    unsigned bits;    /* 8..16: values are integers 0 .. 2^bits - 1 */
} reha_phantom_spec;

/* What is true of a drawn knee. */
typedef struct reha_phantom_truth {
    /* tibia 0..8, femur 9..15, each from lateral to medial: edges of the plateau (0, 8), plateaus (1, 2, 6,
     * 7), spines (3, 5) and the dip between them (4); condyles (9..11, 13..15) and notch (12). Exactly on the
     * bones' outlines. */
    reha_point_px landmarks[REHA_PHANTOM_LANDMARKS];
    double plateau_width_mm;
    double plateau_width_px;
    double medial_jsw_mm; /* smallest distance square to the plateau line, as asked for */
    double lateral_jsw_mm;
    double medial_jsw_px;
    double lateral_jsw_px;
    reha_point_px medial_tibia_px; /* the two ends of the narrowest place */
    reha_point_px medial_femur_px;
    reha_point_px lateral_tibia_px;
    reha_point_px lateral_femur_px;
} reha_phantom_truth;

/* One knee as in ready crops: 224 x 224 px, about 101 mm, joint in the middle. */
reha_phantom_spec reha_phantom_crop(reha_side side, uint64_t seed);
/* One knee on a film of 240 x 300 mm, and both knees (right one on the left, as hung) on 430 x 350 mm, at
 * 0.2 mm per pixel. */
reha_phantom_spec reha_phantom_film(reha_side side, uint64_t seed);
reha_phantom_spec reha_phantom_film_both(uint64_t seed);

/* Changes a knee to what is typical of a Kellgren-Lawrence grade (0..4; others: nearest): joint space,
 * osteophytes and sclerosis of the medial side, varied by `seed` within what such knees vary. */
void reha_phantom_set_grade(reha_phantom_knee *knee, int grade, uint64_t seed);

/* Draws. `truths`: knee_count entries, may be NULL. REHA_E_ARG for values outside of the ranges above (the
 * text names the field), REHA_E_LIMIT for sizes over the image limits. */
REHA_MUST_USE reha_status reha_phantom_draw(const reha_phantom_spec *spec, reha_gray **out,
                                            reha_phantom_truth *truths, reha_error *err);

#endif
