/* Sixteen landmarks on tibia and femur by heat maps, in two stages: a first pass on the knee as the finder
 * framed it, then refining passes on the knee turned upright and scaled to a fixed plateau width. The
 * refining passes differ a little in scale, place and angle; their mean is the result and their spread the
 * test-time part of the error. Left knees are mirrored, so that the network sees right knees only.
 *
 * Order of the points: tibia 0 to 8, femur 9 to 15, each from the lateral to the medial side. */
#ifndef REHA_RECOGNITION_KNEE_LANDMARKS_H
#define REHA_RECOGNITION_KNEE_LANDMARKS_H

#include "image/gray.h"
#include "recognition/knee_card.h"
#include "recognition/knee_net.h"
#include "recognition/knee_finder.h"
#include "recognition/knee_preprocess.h"

typedef struct reha_knee_points {
    reha_point_px points[REHA_KNEE_POINTS];                           /* mean of the refining passes */
    int pass_count;
    reha_point_px passes[REHA_KNEE_PASSES_MAX][REHA_KNEE_POINTS];     /* each of them */
    double blur_px;       /* width of the heat maps in the first pass: mean over the points of the RMS distance
                           * of the softmax's mass from its centre, in pixels of the network's input */
    double shift_ratio;   /* mean distance of first pass to refined points, in plateau widths */
    double spread_ratio;  /* RMS deviation of points over the passes, in plateau widths; NaN with one pass */
    bool lateral_is_left; /* the lateral side of the knee is on the image's left */
} reha_knee_points;

/* Soft-argmax over each of `count` maps (cells x cells logits): mean position under the softmax, in pixels
 * of the network's input (centre of its first pixel = 0). *blur_px as in reha_knee_points. Pure. */
void reha_heatmap_decode(const float *logits, int count, int cells, int stride_px, reha_point_px *out,
                         double *blur_px);

/* Side of the fibula, lateral_is_left as in reha_knee_points: compares the first pass on the image with that
 * on its mirror image. *margin_px: difference of the heat maps' widths (0: none). */
REHA_MUST_USE reha_status reha_knee_landmarks_side(const reha_gray *image, const reha_knee_candidate *knee,
                                                   bool inverted, const reha_knee_net *net,
                                                   const reha_landmark_spec *spec, bool *lateral_is_left,
                                                   double *margin_px, reha_error *err);

REHA_MUST_USE reha_status reha_knee_landmarks_find(const reha_gray *image, const reha_knee_candidate *knee,
                                                   bool lateral_is_left, bool inverted, const reha_knee_net *net,
                                                   const reha_landmark_spec *spec, reha_knee_points *out,
                                                   reha_error *err);

/* Pose of a knee by its plateau: middle, width and angle of the line from point 0 to point 8. */
reha_knee_pose reha_knee_pose_of_points(const reha_point_px *points, bool lateral_is_left);

#endif
