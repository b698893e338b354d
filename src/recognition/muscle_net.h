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

/* What is done to every picture before the network sees it, in training as in use. Width by height of a
 * framing: a picture much wider or taller gets black below or beside it. Mean grey of the tissue to which a
 * picture is brought by a power of its grey (the training pictures' median), and the powers allowed:
 * scanners' grey maps differ by about that much. */
#define REHA_MUSCLE_ASPECT_MIN 0.85
#define REHA_MUSCLE_ASPECT_MAX 1.40
#define REHA_MUSCLE_TONE_MEAN  0.25
#define REHA_MUSCLE_GAMMA_MIN  0.4
#define REHA_MUSCLE_GAMMA_MAX  2.0

typedef enum reha_muscle_map {
    REHA_MUSCLE_APONEUROSIS,
    REHA_MUSCLE_FASCICLE,
    REHA_MUSCLE_MAPS
} reha_muscle_map;

/* backbone_folder: .npy weights (gluon names), or NULL: He initialisation. Output "maps": logits. */
REHA_MUST_USE reha_status reha_muscle_network_new(const char *backbone_folder, uint64_t seed,
                                                  reha_graph **out, reha_error *err);

/* REHA_E_FORMAT, with `path` in its words: a network of other shapes. */
REHA_MUST_USE reha_status reha_muscle_network_check(const reha_graph *graph, const char *path,
                                                    reha_error *err);
/* One that was trained, from its model.onnx, to be trained on: its batch-norms are part of its weights. The
 * encoder learns slower, as in a new one. */
REHA_MUST_USE reha_status reha_muscle_network_go_on(const char *path, reha_graph **out, reha_error *err);

/* Grey 0..1 to mean 0 and SD 1, in place: gain and brightness of the scanner drop out. */
void reha_muscle_standardise(float *square, size_t count);

/* What the network sees of an image: REHA_MUSCLE_INPUT_PX squared floats, standardised. */
REHA_MUST_USE reha_status reha_muscle_square(const reha_gray *image, const reha_muscle_frame *frame,
                                             float *out, reha_error *err);

#endif
