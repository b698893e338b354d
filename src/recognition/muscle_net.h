/* The segmentation network of muscle ultrasound: a MobileNetV2 encoder (Sandler et al. 2018) and a light
 * decoder that adds what each scale knows, from coarse to fine. Two maps at half the input's resolution:
 * aponeurosis, fascicle.
 *
 * Input: the tissue box (muscle_frame.h), stretched to a square of one grey channel with mean 0 and SD 1. */
#ifndef REHA_RECOGNITION_MUSCLE_NET_H
#define REHA_RECOGNITION_MUSCLE_NET_H

#include "nn/graph.h"
#include "recognition/muscle_frame.h"

enum { REHA_MUSCLE_INPUT_PX = 320, REHA_MUSCLE_MAP_PX = REHA_MUSCLE_INPUT_PX / 2 };

typedef enum reha_muscle_map {
    REHA_MUSCLE_APONEUROSIS,
    REHA_MUSCLE_FASCICLE,
    REHA_MUSCLE_MAPS
} reha_muscle_map;

/* backbone_folder: .npy weights (gluon names), or NULL: He initialisation. Output "maps": logits. */
REHA_MUST_USE reha_status reha_muscle_network_new(const char *backbone_folder, uint64_t seed,
                                                  reha_graph **out, reha_error *err);

/* Grey 0..1 to mean 0 and SD 1, in place: gain and brightness of the scanner drop out. */
void reha_muscle_standardise(float *square, size_t count);

/* What the network sees of an image: REHA_MUSCLE_INPUT_PX squared floats, standardised. */
REHA_MUST_USE reha_status reha_muscle_square(const reha_gray *image, const reha_muscle_frame *frame,
                                             float *out, reha_error *err);

#endif
