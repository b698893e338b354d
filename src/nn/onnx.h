/* ONNX files (opset 13 to 17) to graphs and back. Source: onnx.proto of ONNX 1.12 and the operator
 * specifications of the ONNX project. */
#ifndef REHA_NN_ONNX_H
#define REHA_NN_ONNX_H

#include "nn/graph.h"

typedef struct reha_onnx_limits {
    size_t file_bytes_max; /* 256 MiB */
    size_t nodes_max;      /* 20,000 */
    size_t params_max;     /* float count over all initialisers: 128 Mi */
} reha_onnx_limits;
reha_onnx_limits reha_onnx_limits_default(void);

/* An unsupported operator, attribute or data type is REHA_E_UNSUPPORTED and the text names the
 * operator and node. A symbolic batch dimension is read as 1; float16 initialisers are widened. */
REHA_MUST_USE reha_status reha_onnx_load(const char *path, const reha_onnx_limits *limits, reha_graph **out,
                                         reha_error *err);
REHA_MUST_USE reha_status reha_onnx_parse(const void *bytes, size_t count, const reha_onnx_limits *limits,
                                          reha_graph **out, reha_error *err);

typedef struct reha_onnx_save_options {
    bool float16_weights; /* convolution and fully connected weights as float16 (+ Cast): half the file */
    const char *producer; /* "rehascope 0.1.0" */
    const char *doc;      /* free text, may be NULL */
} reha_onnx_save_options;

/* Symbolic batch dimension "N". Opens in ONNX Runtime and Netron. Atomic replace of `path`. */
REHA_MUST_USE reha_status reha_onnx_save(const reha_graph *graph, const char *path,
                                         const reha_onnx_save_options *options, reha_error *err);

#endif
