/* Training: forward, backward, update on oneDNN primitives, f32 or bf16 with f32 master weights.
 *
 * A trainer is created for a graph at one batch size, then fed batches:
 *
 *     reha_trainer_new(graph, &options, &trainer, err);
 *     for each batch: reha_trainer_step(trainer, inputs, targets, learning_rate, &loss, err);
 *     reha_trainer_read_params(trainer, graph, use_ema, err);   // back into the graph
 *
 * Same seed, thread count and CPU: bit-identical weights. */
#ifndef REHA_NN_TRAINER_H
#define REHA_NN_TRAINER_H

#include "nn/graph.h"
#include "nn/session.h"

typedef enum reha_loss_kind {
    REHA_LOSS_CROSS_ENTROPY, /* logits [n,k]; target: k probabilities per image (soft or one-hot) */
    REHA_LOSS_EXPECTED_RANK, /* logits [n,k]; target: k probabilities; (E[class] - E[target])^2, for ordered
                              * classes beside cross-entropy: far misses cost more than near ones */
    REHA_LOSS_CORN,          /* logits [n,k-1]; target: 1 rank per image (Shi, Cao, Raschka 2021) */
    REHA_LOSS_CORAL,         /* logits [n,k-1]; target: 1 rank per image (Cao et al. 2020) */
    REHA_LOSS_MSE,           /* any shape; target: same shape */
    REHA_LOSS_HUBER,         /* any shape; delta 1 */
    REHA_LOSS_BCE,           /* logits; target in [0,1], same shape */
    REHA_LOSS_BCE_DICE, /* logits [n,c,h,w]; target masks, soft or hard; a map whose first target is negative
                         * is not labelled and is left out */
    REHA_LOSS_HEATMAP,  /* logits [n,c,h,w]; target: non-negative maps, each summing to 1 (or all 0 =
                         * ignored); softmax over h*w, cross-entropy */
    REHA_LOSS_CENTRE_FOCAL, /* logits, any shape; target in [0,1], 1 = the centre of an object, falling off
                             * around it; penalty-reduced focal loss (Law and Deng 2018), sum / number of
                             * centres */
    REHA_LOSS_HUBER_KNOWN /* any shape; delta 1; NaN targets are not known and left out; mean of the others */
} reha_loss_kind;

typedef struct reha_loss {
    reha_loss_kind kind;
    int output;                 /* index of the graph output it reads: logits, not probabilities */
    float weight;               /* 1 */
    float label_smoothing;      /* cross-entropy */
    const float *class_weights; /* cross-entropy, k values or NULL; borrowed for the trainer's life */
} reha_loss;

typedef enum reha_optimizer { REHA_ADAMW, REHA_SGD } reha_optimizer;

enum { REHA_LOSSES_MAX = 4 };

typedef struct reha_trainer_options {
    int batch;
    int threads;              /* 0: all processors */
    reha_precision precision; /* F32 or BF16; BF16 falls back to F32 where it is not fast */
    reha_optimizer optimizer;
    float beta1, beta2, epsilon; /* AdamW: 0.9, 0.999, 1e-8; SGD: momentum = beta1 */
    float weight_decay;          /* decoupled, only parameters with `decays` */
    float clip_norm;             /* global gradient norm; 0 = off */
    float ema_decay;             /* weight average; 0 = off. Warmed up as min(decay, (1+t)/(10+t)) */
    float batch_norm_momentum;   /* running = (1-m)*running + m*batch; 0.1 */
    uint64_t seed;               /* dropout */
    int loss_count;
    reha_loss losses[REHA_LOSSES_MAX];
} reha_trainer_options;
reha_trainer_options reha_trainer_options_default(void);

typedef struct reha_trainer reha_trainer; /* one thread at a time */

REHA_MUST_USE reha_status reha_trainer_new(const reha_graph *graph, const reha_trainer_options *options,
                                           reha_trainer **out, reha_error *err);
void reha_trainer_free(reha_trainer *trainer);

/* One update with exactly `options.batch` images. inputs[i]: NCHW of graph input i; targets[j]: of
 * loss j. *loss: weighted mean before the update. image_weights: one per image, or NULL for 1.
 * A non-finite loss or gradient skips the update and is counted (see reha_trainer_skipped). */
REHA_MUST_USE reha_status reha_trainer_step(reha_trainer *trainer, const float *const *inputs,
                                            const float *const *targets, const float *image_weights,
                                            float learning_rate, double *loss, reha_error *err);
/* Loss and gradients without an update, for gradient checks and explanations: gradients of the
 * parameters (param index, plain ONNX layout) and of the inputs can then be read. */
REHA_MUST_USE reha_status reha_trainer_backward(reha_trainer *trainer, const float *const *inputs,
                                                const float *const *targets, double *loss, reha_error *err);
/* Last forward's output i (the network's, training mode): borrowed NCHW, batch images. */
REHA_MUST_USE reha_status reha_trainer_read_output(reha_trainer *trainer, int output, float *values,
                                                   reha_error *err);
REHA_MUST_USE reha_status reha_trainer_read_gradient(reha_trainer *trainer, int param, float *values,
                                                     reha_error *err);
REHA_MUST_USE reha_status reha_trainer_read_params(const reha_trainer *trainer, reha_graph *graph,
                                                   bool use_ema, reha_error *err);
size_t reha_trainer_skipped(const reha_trainer *trainer);
size_t reha_trainer_memory_bytes(const reha_trainer *trainer);

/* Checkpoint: weights, moments, averages, step count; magic, version, length, checksum; written
 * atomically. Loading needs the same graph and options (REHA_E_CONFLICT otherwise). */
REHA_MUST_USE reha_status reha_trainer_save(const reha_trainer *trainer, const char *path, reha_error *err);
REHA_MUST_USE reha_status reha_trainer_load(reha_trainer *trainer, const char *path, reha_error *err);

/* Cosine from `peak` to 0 over `steps` after a linear warm-up; step counts from 0. */
float reha_cosine_rate(float peak, long step, long warmup_steps, long steps);

#endif
