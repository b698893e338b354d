/* The inside of a trainer, for trainer.c (steps), optimizer.c (update) and checkpoint.c (files). */
#ifndef REHA_NN_TRAINER_PRIV_H
#define REHA_NN_TRAINER_PRIV_H

#include "nn/net_priv.h"
#include "nn/trainer.h"

struct reha_trainer {
    reha_trainer_options options;
    reha_net *net;
    reha_shape *output_shapes; /* with the batch */
    float **logits;            /* per output, NCHW; NULL where no loss reads it */
    float **output_grads;
    float *first, *second; /* moments, net->grad_count each; `second` NULL with SGD */
    float *average;        /* net->weight_count, or NULL */
    double *partial;       /* room for the gradient's norm */
    uint64_t steps;        /* updates done */
    uint64_t batches;      /* batches seen: another dropout each time */
    size_t skipped;
};

/* One update of all trained weights from net->grads, then of the running averages. Returns false,
 * and changes nothing, if the gradient is not finite. */
bool reha_optimizer_step(reha_trainer *trainer, float learning_rate);

#endif
