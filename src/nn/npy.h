/* NumPy array files (.npy), and pre-trained backbones stored as one such file per tensor.
 * Source: NEP 1, "A simple file format for NumPy arrays". */
#ifndef REHA_NN_NPY_H
#define REHA_NN_NPY_H

#include "nn/graph.h"

typedef struct reha_npy {
    reha_shape shape; /* rank 0 to 4 */
    float *values;    /* row major; owned */
} reha_npy;

/* Little-endian float32, float16, uint8, int16 or uint16 in C order, at most 4 dimensions; else
 * REHA_E_UNSUPPORTED. A length that differs from the shape is REHA_E_FORMAT. */
REHA_MUST_USE reha_status reha_npy_parse(const void *bytes, size_t count, reha_npy *out, reha_error *err);
REHA_MUST_USE reha_status reha_npy_load(const char *path, reha_npy *out, reha_error *err);
void reha_npy_clear(reha_npy *array);

/* Loads "<folder>/<file_prefix><node name><suffix>.npy" into each parameter of each convolution,
 * fully connected and batch-norm node, with gluon's suffixes: _weight, _bias, _gamma, _beta,
 * _running_mean, _running_var. Nodes without any file are left as they are (heads); a node with only
 * some of its files, or one of another shape, is an error that names it. *loaded: parameters loaded.
 * None at all is REHA_E_NOT_FOUND.
 *
 *     reha_backbone_load(graph, "backbones/resnet50v2_stage1to3/weights", "resnetv24_", &n, err);
 *     reha_backbone_load(graph, "backbones/mobilenetv2/weights", "mobilenetv20_features_", &n, err); */
REHA_MUST_USE reha_status reha_backbone_load(reha_graph *graph, const char *folder, const char *file_prefix,
                                             int *loaded, reha_error *err);

#endif
