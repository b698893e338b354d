/* Graphs made from graphs. Batch-norms folded into the convolutions before them: the same with fewer
 * operators, for inference, and for fine-tuning with frozen statistics, where the fold saves the memory
 * traffic of every batch-norm. And the part of a graph behind one of its values. */
#ifndef REHA_NN_FOLD_H
#define REHA_NN_FOLD_H

#include "nn/graph.h"

/* New graph in *out. A batch-norm is folded when its input is a convolution, transposed convolution or
 * fully connected layer that nobody else reads and that is no output; the others are copied. Node and
 * parameter names of the kept nodes stay; a folded convolution gets a ".bias". is_trainable, decays and
 * learning_rate_ratio of the weights are kept; the new bias follows its weight. */
REHA_MUST_USE reha_status reha_graph_fold_batch_norm(const reha_graph *graph, reha_graph **out,
                                                     reha_error *err);

/* The part behind `value`, which has four dimensions: a new graph in *out with that value as its only input,
 * under its name, and with the outputs of `graph`. Frozen-ness, parameters and their flags are copied.
 * REHA_E_ARG: an output does not depend on the value, or on something else as well, and then it says which
 * node reaches past it. A network that ends in pooling and a linear layer is so explained from its last map
 * without being compiled a second time (nn/explain.h). */
REHA_MUST_USE reha_status reha_graph_tail(const reha_graph *graph, reha_value_id value, reha_graph **out,
                                          reha_error *err);

/* Appends a copy of `node` (of graph `from`) with new inputs, its parameters copied with their values
 * and flags. For those who rewrite graphs. */
REHA_MUST_USE reha_status reha_graph_add_copy(reha_graph *graph, const reha_graph *from,
                                              const reha_node *node, const reha_value_id *inputs,
                                              reha_value_id *out, reha_error *err);

#endif
