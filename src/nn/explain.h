/* True gradients in the deployed program: the ground for explanation maps. */
#ifndef REHA_NN_EXPLAIN_H
#define REHA_NN_EXPLAIN_H

#include "nn/graph.h"

/* A compiled head for class activation maps with gradients (Grad-CAM, Selvaraju et al. 2017; with
 * the element-wise weighting of HiResCAM, Draelos and Carin 2020, which is faithful for networks
 * that end in pooling and one linear layer). One thread at a time. */
typedef struct reha_explainer reha_explainer;

/* `value`: node whose activation is explained (the last convolutional map); `output`: graph output. */
REHA_MUST_USE reha_status reha_explainer_new(const reha_graph *graph, reha_value_id value, int output,
                                             int threads, reha_explainer **out, reha_error *err);
void reha_explainer_free(reha_explainer *explainer);
/* One image. output_weights: d(score)/d(output), e.g. one-hot of the class. outputs: the network's
 * output; map: height*width of `value`, sum over channels of activation * gradient (signed). */
REHA_MUST_USE reha_status reha_explainer_run(reha_explainer *explainer, const float *const *inputs,
                                             const float *output_weights, float *outputs, float *map,
                                             reha_error *err);

/* Ways to turn activation and gradient of the last run into a map. */
typedef enum reha_cam {
    REHA_CAM_HIRES, /* sum over channels of activation * gradient, place by place: what the run returned */
    REHA_CAM_MEAN,  /* Grad-CAM: each channel weighed by its mean gradient; signed (the original cuts at 0) */
    REHA_CAM_PLUS,  /* Grad-CAM++ (Chattopadhay et al. 2018) for the exponential of the score; not negative
                     * where the activation is rectified */
    REHA_CAM_GRADIENT /* sum over channels of the gradient alone: for path integrals over an input */
} reha_cam;

/* Of the last run; map: height*width of `value`. */
void reha_explainer_read(const reha_explainer *explainer, reha_cam cam, float *map);

#endif
