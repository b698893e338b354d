/* The network that grades a knee: ResNet-50 v2 (He et al. 2016) up to stage 3, its ImageNet batch-norms
 * frozen, a head that reads mean and maximum of the last map. See docs/adr/0004. */
#ifndef REHA_RECOGNITION_KNEE_NETWORK_H
#define REHA_RECOGNITION_KNEE_NETWORK_H

#include "nn/graph.h"

typedef struct reha_knee_network_spec {
    int height_px, width_px;     /* input: 1 channel, values 0..1 as knee_preprocess makes them */
    int grade_count;             /* 5 */
    int frozen_stages;           /* of 3, counted from the input; the stem is frozen with the first */
    float head_rate_ratio;       /* learning rate of the head against the trunk's: 5 */
    float dropout;               /* before the last layers: 0.2 */
} reha_knee_network_spec;
reha_knee_network_spec reha_knee_network_spec_default(void);

/* backbone_folder: the "weights" of resnet50v2_stage1to3; NULL: He initialisation and nothing frozen.
 * Output "logits" [n, grade_count]; the last rectified map is the node "stage4_batchnorm0_relu". */
REHA_MUST_USE reha_status reha_knee_network_new(const reha_knee_network_spec *spec, const char *backbone_folder,
                                                uint64_t seed, reha_graph **out, reha_error *err);

/* The node whose activation an explanation weighs; REHA_E_NOT_FOUND if the graph has none. */
REHA_MUST_USE reha_status reha_knee_network_explained(const reha_graph *graph, reha_value_id *out, reha_error *err);

#endif
