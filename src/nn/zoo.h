/* Standard networks as graphs: backbones for the recognisers, and the networks of the benches.
 *
 * Weights are not filled: call reha_graph_init_params, then perhaps reha_backbone_load (nn/npy.h).
 * Node names are those of the published gluon weights without their prefix ("stage1_conv0",
 * "linearbottleneck3_batchnorm1"), so such weights load by name. */
#ifndef REHA_NN_ZOO_H
#define REHA_NN_ZOO_H

#include "nn/graph.h"

/* ResNet-50 v2 (He et al. 2016, pre-activation bottlenecks, gluon layout): batch-norm on the data,
 * stem, `stages` (1 to 4) stages, then the batch-norm and ReLU that open the next stage, so that
 * *out is a rectified map: 256, 512, 1024 or 2048 channels at stride 4, 8, 16 or 32. `input` has 3
 * channels, (RGB/255 - mean) / deviation of ImageNet. */
REHA_MUST_USE reha_status reha_zoo_resnet50v2_trunk(reha_graph *graph, reha_value_id input, int stages,
                                                    reha_value_id *out, reha_error *err);

/* MobileNetV2 1.0 (Sandler et al. 2018, gluon layout): *out has 1280 channels at stride 32. */
REHA_MUST_USE reha_status reha_zoo_mobilenetv2(reha_graph *graph, reha_value_id input, reha_value_id *out,
                                               reha_error *err);
/* Its first `units` inverted residuals behind a stem of the caller's with 32 channels at stride 2: after 6,
 * 10, 13 and 17 units *out has 32, 64, 96 and 320 channels at stride 8, 16, 16 and 32. */
enum { REHA_MOBILENETV2_UNITS = 17 };
REHA_MUST_USE reha_status reha_zoo_mobilenetv2_units(reha_graph *graph, reha_value_id stem, int units,
                                                     reha_value_id *out, reha_error *err);

/* ResNet-18 (He et al. 2015): *out has 512 channels at stride 32. */
REHA_MUST_USE reha_status reha_zoo_resnet18(reha_graph *graph, reha_value_id input, reha_value_id *out,
                                            reha_error *err);

/* U-Net (Ronneberger et al. 2015) with batch-norm and padding: `depth` halvings (input sides divisible
 * by 2^depth), base, 2*base, ... channels; 2x2 transposed convolutions. *out: `channels` logits at full size.
 */
REHA_MUST_USE reha_status reha_zoo_unet(reha_graph *graph, reha_value_id input, int base, int depth,
                                        int channels, reha_value_id *out, reha_error *err);

/* Global average pool, flatten, one fully connected layer named `name`: *out [n, outputs]. */
REHA_MUST_USE reha_status reha_zoo_classifier(reha_graph *graph, const char *name, reha_value_id input,
                                              int outputs, reha_value_id *out, reha_error *err);

/* Convolution without bias, batch-norm, then `activation` (RELU, RELU6, or INPUT for none). Nodes:
 * conv_name, norm_name, "<norm_name>_relu". */
typedef struct reha_conv_norm {
    const char *conv_name, *norm_name;
    int channels;
    reha_window window;
    int groups;
    reha_op activation;
} reha_conv_norm;
REHA_MUST_USE reha_status reha_zoo_conv_norm(reha_graph *graph, const reha_conv_norm *spec,
                                             reha_value_id input, reha_value_id *out, reha_error *err);

#endif
