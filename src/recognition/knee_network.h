/* The networks that grade a knee: an ImageNet trunk, and a head that reads mean and maximum of the
 * last map. See docs/adr/0004 and 0006. */
#ifndef REHA_RECOGNITION_KNEE_NETWORK_H
#define REHA_RECOGNITION_KNEE_NETWORK_H

#include "nn/graph.h"

typedef enum reha_knee_trunk {
    REHA_KNEE_RESNET50,   /* ResNet-50 v2 (He et al. 2016) up to stage 3: 1.8 GMAC at 128 x 224, stride 16 */
    REHA_KNEE_MOBILENETV2 /* MobileNetV2 (Sandler et al. 2018): 0.18 GMAC, stride 32; nothing is frozen */
} reha_knee_trunk;

typedef struct reha_knee_network_spec {
    reha_knee_trunk trunk;
    int height_px, width_px; /* input: 1 channel, values 0..1 as knee_preprocess makes them */
    int grade_count;         /* 5 */
    int frozen_stages;       /* ResNet-50: of 3, whose weights are kept, counted from the input; with
                              * the first the stem. Their batch-norms still take the statistics of knees */
    float head_rate_ratio;   /* learning rate of the head against the trunk's: 5 */
    float dropout;           /* before the last layers: 0.3 */
} reha_knee_network_spec;
reha_knee_network_spec reha_knee_network_spec_default(void);

/* backbone_folder: .npy weights of the trunk (gluon names); NULL: He initialisation and nothing frozen.
 * Output "logits" [n, grade_count]. */
REHA_MUST_USE reha_status reha_knee_network_new(const reha_knee_network_spec *spec,
                                                const char *backbone_folder, uint64_t seed, reha_graph **out,
                                                reha_error *err);

/* The last rectified map, whose activation an explanation weighs; static. */
const char *reha_knee_network_explained(reha_knee_trunk trunk);

/* "resnet50", "mobilenetv2"; false if unknown. */
bool reha_knee_trunk_parse(const char *name, reha_knee_trunk *out);

#endif
