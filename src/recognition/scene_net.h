/* What the gate's network sees, and the network itself. */
#ifndef REHA_RECOGNITION_SCENE_NET_H
#define REHA_RECOGNITION_SCENE_NET_H

#include "image/gray.h"
#include "nn/graph.h"
#include "recognition/scene.h"

enum {
    REHA_SCENE_WORK_PX = 512, /* longer side of the picture that is looked at */
    REHA_SCENE_SIDE_PX = 128, /* of the network's square */
    REHA_SCENE_CHANNELS = 2,  /* grey; detail */
    REHA_SCENE_PLANE = REHA_SCENE_SIDE_PX * REHA_SCENE_SIDE_PX,
    REHA_SCENE_INPUT = REHA_SCENE_CHANNELS * REHA_SCENE_PLANE,
    REHA_SCENE_FEATURES = 48
};

typedef enum reha_scene_output {
    REHA_SCENE_OUT_KIND,
    REHA_SCENE_OUT_TURN,
    REHA_SCENE_OUT_TONE, /* as usual, inverted */
    REHA_SCENE_OUT_FLAW,
    REHA_SCENE_OUT_FEATURES,
    REHA_SCENE_OUTPUTS
} reha_scene_output;

/* Numbers of an output. */
int reha_scene_output_size(reha_scene_output output);

/* The picture at the size that is looked at; *out NULL: it is small enough as it is. */
REHA_MUST_USE reha_status reha_scene_reduce(const reha_gray *image, reha_gray **out, reha_error *err);

/* From such a picture to REHA_SCENE_INPUT numbers: the whole picture in the middle of the square with its
 * grey values between the 1st and 99th percentile, and the mean strength of its finest detail (Laplacian at
 * full size), in which blur and noise show although the square is small. */
REHA_MUST_USE reha_status reha_scene_view(const reha_gray *work, bool inverted, float *input,
                                          reha_error *err);

/* MobileNetV2 up to stride 16 (Sandler et al. 2018); outputs in the order of reha_scene_output.
 * backbone_folder: .npy weights of MobileNetV2; NULL: random. */
REHA_MUST_USE reha_status reha_scene_network_new(const char *backbone_folder, uint64_t seed, reha_graph **out,
                                                 reha_error *err);

#endif
