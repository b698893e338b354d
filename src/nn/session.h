/* Inference: a graph compiled for this CPU. Batch-norm is folded, ReLU and sums are fused, one
 * scratch arena is reused, weights are re-ordered once. */
#ifndef REHA_NN_SESSION_H
#define REHA_NN_SESSION_H

#include "nn/graph.h"

typedef enum reha_precision { REHA_F32, REHA_BF16, REHA_INT8 } reha_precision;

/* What this CPU runs fast: BF16 only with AVX512_BF16 or AMX, INT8 only with VNNI. */
bool reha_precision_is_fast(reha_precision precision);
const char *reha_precision_name(reha_precision precision);
const char *reha_nn_isa(void); /* for `doctor`: "avx512_bf16", "avx2", ... */

typedef struct reha_session_options {
    int batch_max;       /* 1; arrays of fewer images run with the compiled batch size sets */
    bool is_whole_batch; /* always batch_max images: nothing is compiled for fewer, and fewer are refused */
    int threads;         /* 0: all processors */
    reha_precision precision; /* falls back to F32 where not fast unless force_precision */
    bool force_precision;
    const struct reha_calibration *calibration; /* INT8 only: see nn/quantize.h; borrowed during create */
} reha_session_options;
reha_session_options reha_session_options_default(void);

typedef struct reha_session reha_session; /* one thread at a time; several sessions may share a graph */

/* Copies what it needs: the graph may go afterwards. Fails with REHA_E_INTERNAL and the layer's name
 * if oneDNN offers only a reference implementation for a convolution. */
REHA_MUST_USE reha_status reha_session_new(const reha_graph *graph, const reha_session_options *options,
                                           reha_session **out, reha_error *err);
void reha_session_free(reha_session *session);

/* inputs[i]: NCHW floats of graph input i for `batch` images (1 to batch_max, or just that); outputs[i]: room
 * for output i, NCHW. Deterministic: bit-identical between runs and thread counts. */
REHA_MUST_USE reha_status reha_session_run(reha_session *session, int batch, const float *const *inputs,
                                           float *const *outputs, reha_error *err);

size_t reha_session_memory_bytes(const reha_session *session);
/* Implementation chosen for each primitive ("jit_avx512_core..."), for tests and `doctor`:
 * false past the end. Borrowed. */
bool reha_session_layer_info(const reha_session *session, int index, const char **node_name,
                             const char **implementation);

#endif
