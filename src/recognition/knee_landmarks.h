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
#include "recognition/knee_finder.h"
#include "recognition/knee_net.h"
#include "recognition/knee_preprocess.h"

typedef struct reha_knee_points {
    reha_point_px points[REHA_KNEE_POINTS]; /* mean of the refining passes */
    int pass_count;
    reha_point_px passes[REHA_KNEE_PASSES_MAX][REHA_KNEE_POINTS]; /* each of them */
    double blur_px;      /* width of the heat maps in the first pass: mean over the points of the RMS distance
                          * of the softmax's mass from its centre, in pixels of the network's input */
    double shift_ratio;  /* mean distance of first pass to refined points, in plateau widths */
    double spread_ratio; /* RMS deviation of points over the passes, in plateau widths; NaN with one pass */
    bool lateral_is_left; /* the lateral side of the knee is on the image's left */
} reha_knee_points;

/* Soft-argmax over each of `count` maps (cells x cells logits): mean position under the softmax, in pixels
 * of the network's input (centre of its first pixel = 0). *blur_px as in reha_knee_points. Pure. */
void reha_heatmap_decode(const float *logits, int count, int cells, int stride_px, reha_point_px *out,
                         double *blur_px);

/* The first pass, once as the image shows the knee and once mirrored. Only one of the two is a right knee to
 * the network, and its heat maps are the sharper ones: that tells on which side the fibula, and so the
 * lateral side, lies. */
typedef struct reha_knee_first_look {
    reha_point_px points[2][REHA_KNEE_POINTS]; /* [0]: taken as lateral on the left, [1]: on the right */
    double blur_px[2];
    bool lateral_is_left; /* the sharper one */
    double margin_px;     /* by which it is */
} reha_knee_first_look;

REHA_MUST_USE reha_status reha_knee_landmarks_look(const reha_gray *image, const reha_knee_candidate *knee,
                                                   bool inverted, const reha_knee_net *net,
                                                   const reha_landmark_spec *spec, reha_knee_first_look *out,
                                                   reha_error *err);

/* The refining passes from a first look, taken for a knee with that lateral side. */
REHA_MUST_USE reha_status reha_knee_landmarks_find(const reha_gray *image, const reha_knee_candidate *knee,
                                                   const reha_knee_first_look *first, bool lateral_is_left,
                                                   bool inverted, const reha_knee_net *net,
                                                   const reha_landmark_spec *spec, reha_knee_points *out,
                                                   reha_error *err);

/* Pose of a knee by its plateau: middle, width and angle of the line from point 0 to point 8. */
reha_knee_pose reha_knee_pose_of_points(const reha_point_px *points, bool lateral_is_left);

#endif
