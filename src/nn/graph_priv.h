/* The inside of a graph, for graph.c (storage) and graph_build.c (operators). */
#ifndef REHA_NN_GRAPH_PRIV_H
#define REHA_NN_GRAPH_PRIV_H

#include "nn/graph.h"

enum { REHA_GRAPH_IO_MAX = 16 };

typedef struct reha_graph_output_entry {
    reha_value_id value;
    char name[REHA_NN_NAME_BYTES];
} reha_graph_output_entry;

struct reha_graph {
    char name[REHA_NN_NAME_BYTES];
    reha_node *nodes;
    uint32_t *name_hashes; /* of nodes: keeps the search for duplicates cheap in large graphs */
    int node_count;
    int node_capacity;
    reha_param *params;
    int param_count;
    int param_capacity;
    reha_value_id inputs[REHA_GRAPH_IO_MAX];
    int input_count;
    reha_graph_output_entry outputs[REHA_GRAPH_IO_MAX];
    int output_count;
};

/* Room for one more node and `params` more parameters, so that appending cannot fail half-way. */
REHA_MUST_USE reha_status reha_graph_reserve(reha_graph *graph, int params, reha_error *err);
/* Both need reha_graph_reserve first. The values are taken over. */
reha_value_id reha_graph_append_node(reha_graph *graph, const reha_node *node);
int reha_graph_append_param(reha_graph *graph, const reha_param *param);

#endif
