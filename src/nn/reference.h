/* The definition of every operator: slow, obvious, NCHW, sums in double. Used by tests as the judge
 * of the sessions and trainers, and by nothing else. */
#ifndef REHA_NN_REFERENCE_H
#define REHA_NN_REFERENCE_H

#include "nn/graph.h"

typedef struct reha_reference reha_reference; /* immutable after creation: any thread */

/* Runs the graph in inference mode (batch-norm with running statistics, dropout off). inputs[i]: NCHW
 * floats of graph input i for `batch` images. */
REHA_MUST_USE reha_status reha_reference_new(const reha_graph *graph, int batch, const float *const *inputs,
                                             reha_reference **out, reha_error *err);
void reha_reference_free(reha_reference *reference);
/* Result of any node, NCHW, batch images; borrowed. */
const float *reha_reference_value(const reha_reference *reference, reha_value_id value);
/* Floats in that result. */
size_t reha_reference_count(const reha_reference *reference, reha_value_id value);

#endif
