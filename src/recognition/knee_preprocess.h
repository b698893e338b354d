/* The one definition of what a knee network sees: where the crop lies, how it is sampled and how its
 * grey values are normalised. Training, calibration and analysis all go through these functions, so
 * a model can never meet another preparation than the one it was trained with; the numbers travel in
 * the model card ("crop").
 *
 * Stages: image --pose--> square (size_px x size_px grey, knee at a fixed place and size)
 *               --normalise--> square of 0..1 --window--> network input (window_h_px x window_w_px).
 * All functions: any thread, no state. */
#ifndef REHA_RECOGNITION_KNEE_PREPROCESS_H
#define REHA_RECOGNITION_KNEE_PREPROCESS_H

#include "base/json.h"
#include "image/gray.h"

#include <stdbool.h>

/* Where a knee lies in an image: a similarity transform. */
typedef struct reha_knee_pose {
    double x_px, y_px;       /* centre of the joint: middle of the tibial plateau, on the joint line */
    double plateau_width_px; /* edge to edge */
    double angle_deg; /* of the plateau's line against the rows; positive = turned clockwise on screen */
} reha_knee_pose;

typedef struct reha_knee_crop_spec {
    int size_px;                             /* side of the square: 224 */
    double joint_x_px, joint_y_px;           /* where the joint's centre comes to lie in the square */
    double plateau_width_px;                 /* how wide the plateau is in the square */
    double ready_scale_min, ready_scale_max; /* a picture that is a ready crop is taken whole, as in training,
                                        if its plateau in the square is this many times plateau_width_px */
    double ready_shift_px;           /* ... and its joint centre no further than this from its place */
    double window_x_px, window_y_px; /* first pixel of the part that the network gets; may be fractional */
    int window_w_px, window_h_px;    /* its size: 224 x 128 */
    double low_percentile, high_percentile; /* stretch to 0..1: 1 and 99 */
    double span_min;    /* least span of the stretch, in grey values of an 8-bit picture: 8 */
    int local_box_px;   /* odd side of the box filter for the local mean and spread: 41; 0: none */
    int local_rounds;   /* how often the box filter is applied: 2 */
    double local_floor; /* spread added in quadrature: 0.02 */
    double local_centre, local_gain; /* local = clip(centre + gain * deviation / spread, 0, 1) */
    double local_share;              /* result = (1 - share) * stretched + share * local */
    bool quantise;                   /* round to n/255, as when training data are cached as bytes */
} reha_knee_crop_spec;

/* The recipe's own numbers. */
reha_knee_crop_spec reha_knee_crop_spec_default(void);
REHA_MUST_USE reha_status reha_knee_crop_spec_check(const reha_knee_crop_spec *spec, reha_error *err);
REHA_MUST_USE reha_status reha_knee_crop_to_json(const reha_knee_crop_spec *spec, json_t **out,
                                                 reha_error *err);
REHA_MUST_USE reha_status reha_knee_crop_from_json(const json_t *object, reha_knee_crop_spec *out,
                                                   reha_error *err);

/* The pose with which the whole image fills the square (of ready crops: the training data). An image that
 * is not square is fitted by its longer side and centred. */
reha_knee_pose reha_knee_pose_whole(const reha_gray *image, const reha_knee_crop_spec *spec);
/* True if the image is a ready crop in which this pose lies where training images have it. */
bool reha_knee_pose_is_ready(const reha_gray *image, const reha_knee_pose *pose,
                             const reha_knee_crop_spec *spec);

/* Grey square, size_px * size_px floats with the image's values, row-major. Area outside of the image
 * repeats its nearest pixel. Tent filter when shrinking, bilinear otherwise; a whole-image pose of an
 * image of exactly size_px x size_px copies it. `inverted`: take -value (photometric inversion).
 * REHA_E_ARG: the pose is not finite or shows nothing of the image. */
REHA_MUST_USE reha_status reha_knee_square(const reha_gray *image, const reha_knee_pose *pose,
                                           const reha_knee_crop_spec *spec, bool inverted, float *square,
                                           reha_error *err);
/* Normalises a grey square to 0..1 in place. REHA_E_NOMEM. */
REHA_MUST_USE reha_status reha_knee_normalise(const reha_knee_crop_spec *spec, float *square,
                                              reha_error *err);
/* Cuts the network's window, mirrored left to right if asked. out: window_h_px * window_w_px. */
void reha_knee_window(const reha_knee_crop_spec *spec, const float *square, bool mirror, float *out);

/* All three in one. pose NULL: the whole image. */
REHA_MUST_USE reha_status reha_knee_canonical(const reha_gray *image, const reha_knee_pose *pose,
                                              const reha_knee_crop_spec *spec, bool inverted, bool mirror,
                                              float *out, reha_error *err);

/* True if a grey square of a ready crop is photometrically inverted: bone darker than the soft tissue
 * beside it. Statistics only (no network), for training data; the analysis asks the gate network too. */
bool reha_knee_looks_inverted(const float *square, int size_px);

#endif
