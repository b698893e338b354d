/* Calibration: the ranges of a network's activations over real images, which int8 sessions need.
 *
 *     reha_calibration_new(graph, &options, &calibration, err);
 *     for each batch of validation images: reha_calibration_add(calibration, batch, inputs, err);
 *     session_options.precision = REHA_INT8; session_options.calibration = calibration;
 *
 * Weights get one scale per output channel, activations one scale per tensor: unsigned where the
 * smallest value seen is not negative, else signed and symmetric. */
#ifndef REHA_NN_QUANTIZE_H
#define REHA_NN_QUANTIZE_H

#include "nn/graph.h"

typedef struct reha_calibration_options {
    int threads;      /* 0: all processors */
    float percentile; /* share of the magnitudes that must fit, in (0.5, 1]; 1 = the largest value. 0.99995 */
} reha_calibration_options;
reha_calibration_options reha_calibration_options_default(void);

typedef struct reha_calibration reha_calibration; /* one thread at a time */

/* The graph is copied where needed and may go afterwards. */
REHA_MUST_USE reha_status reha_calibration_new(const reha_graph *graph,
                                               const reha_calibration_options *options,
                                               reha_calibration **out, reha_error *err);
void reha_calibration_free(reha_calibration *calibration);
/* Runs `batch` images (any number) in f32 and widens the ranges. inputs as in reha_session_run. */
REHA_MUST_USE reha_status reha_calibration_add(reha_calibration *calibration, int batch,
                                               const float *const *inputs, reha_error *err);
/* Range of a graph value; false if no image was added or the value vanished by fusion. */
bool reha_calibration_range(const reha_calibration *calibration, reha_value_id value, float *low,
                            float *high);

/* JSON: {"format": "rehascope-calibration", "version": 1, "graph": name, "ranges": {node: [low, high]}}.
 * Loading fails with REHA_E_CONFLICT if a node of the file is not in the graph. */
REHA_MUST_USE reha_status reha_calibration_save(const reha_calibration *calibration, const char *path,
                                                reha_error *err);
REHA_MUST_USE reha_status reha_calibration_load(const reha_graph *graph, const char *path,
                                                reha_calibration **out, reha_error *err);

#endif
