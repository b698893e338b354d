#include "nn/trainer_priv.h"

#include "base/memory.h"
#include "base/random.h"
#include "nn/loss_priv.h"

#include <math.h>
#include <string.h>

reha_trainer_options reha_trainer_options_default(void)
{
    const reha_trainer_options options = {.batch = 16,
                                          .precision = REHA_BF16,
                                          .optimizer = REHA_ADAMW,
                                          .beta1 = 0.9F,
                                          .beta2 = 0.999F,
                                          .epsilon = 1e-8F,
                                          .weight_decay = 0.01F,
                                          .batch_norm_momentum = 0.1F,
                                          .seed = 1};
    return options;
}

static reha_status check_range(const char *name, float value, float low, float high, reha_error *err)
{
    if (!(value >= low && value <= high)) {
        return reha_fail(err, REHA_E_ARG, "training option %s is %g: expected %g to %g", name, (double)value,
                         (double)low, (double)high);
    }
    return REHA_OK;
}

static reha_status check_options(const reha_graph *graph, const reha_trainer_options *o, reha_error *err)
{
    REHA_TRY(check_range("beta1", o->beta1, 0.0F, 0.99999F, err));
    REHA_TRY(check_range("beta2", o->beta2, 0.0F, 0.999999F, err));
    REHA_TRY(check_range("weight_decay", o->weight_decay, 0.0F, 1e3F, err));
    REHA_TRY(check_range("clip_norm", o->clip_norm, 0.0F, 1e30F, err));
    REHA_TRY(check_range("ema_decay", o->ema_decay, 0.0F, 0.999999F, err));
    REHA_TRY(check_range("batch_norm_momentum", o->batch_norm_momentum, 0.0F, 1.0F, err));
    if (o->optimizer == REHA_ADAMW) {
        REHA_TRY(check_range("epsilon", o->epsilon, 1e-30F, 1.0F, err));
    }
    if (o->precision != REHA_F32 && o->precision != REHA_BF16) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "training in %s", reha_precision_name(o->precision));
    }
    if (o->loss_count < 1 || o->loss_count > REHA_LOSSES_MAX) {
        return reha_fail(err, REHA_E_ARG, "%d losses: expected 1 to %d", o->loss_count, REHA_LOSSES_MAX);
    }
    for (int i = 0; i < o->loss_count; i++) {
        const reha_loss *loss = &o->losses[i];
        if (loss->output < 0 || loss->output >= reha_graph_output_count(graph)) {
            return reha_fail(err, REHA_E_ARG, "loss %d reads output %d of %d", i, loss->output,
                             reha_graph_output_count(graph));
        }
        REHA_TRY(check_range("weight of a loss", loss->weight, 0.0F, 1e6F, err));
        REHA_TRY(check_range("label_smoothing", loss->label_smoothing, 0.0F, 0.999F, err));
        const reha_shape shape = reha_graph_node(graph, reha_graph_output(graph, loss->output))->shape;
        if ((int)loss->kind < 0 || loss->kind > REHA_LOSS_HUBER_KNOWN ||
            reha_loss_target_count(loss->kind, shape) == 0) {
            return reha_fail(err, REHA_E_ARG, "loss %d does not fit the shape of output %s", i,
                             reha_graph_output_name(graph, loss->output));
        }
    }
    return REHA_OK;
}

static reha_status make_outputs(reha_trainer *trainer, const reha_graph *graph, reha_error *err)
{
    const size_t outputs = (size_t)reha_graph_output_count(graph);

    trainer->output_shapes = reha_alloc_zero(outputs, sizeof *trainer->output_shapes);
    trainer->logits = reha_alloc_zero(outputs, sizeof *trainer->logits);
    trainer->output_grads = reha_alloc_zero(outputs, sizeof *trainer->output_grads);
    if (trainer->output_shapes == NULL || trainer->logits == NULL || trainer->output_grads == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the trainer");
    }
    for (size_t i = 0; i < outputs; i++) {
        trainer->output_shapes[i] = reha_graph_node(graph, reha_graph_output(graph, (int)i))->shape;
        trainer->output_shapes[i].dims[0] = trainer->options.batch;
    }
    for (int i = 0; i < trainer->options.loss_count; i++) {
        const int output = trainer->options.losses[i].output;
        const size_t count = reha_shape_count(trainer->output_shapes[output]);
        if (trainer->logits[output] != NULL) {
            continue;
        }
        trainer->logits[output] = reha_alloc_aligned(count * sizeof(float));
        trainer->output_grads[output] = reha_alloc_aligned(count * sizeof(float));
        if (trainer->logits[output] == NULL || trainer->output_grads[output] == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for the trainer");
        }
    }
    return REHA_OK;
}

static reha_status make_state(reha_trainer *trainer, reha_error *err)
{
    const reha_net *net = trainer->net;

    trainer->first = reha_alloc_zero(net->grad_count, sizeof(float));
    trainer->partial = reha_alloc_zero(net->grad_count / 65536 + 1, sizeof *trainer->partial);
    if (trainer->options.optimizer == REHA_ADAMW) {
        trainer->second = reha_alloc_zero(net->grad_count, sizeof(float));
    }
    if (trainer->options.ema_decay > 0.0F) {
        trainer->average = reha_alloc(net->weight_count * sizeof(float));
    }
    if (trainer->first == NULL || trainer->partial == NULL ||
        (trainer->options.optimizer == REHA_ADAMW && trainer->second == NULL) ||
        (trainer->options.ema_decay > 0.0F && trainer->average == NULL)) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the trainer");
    }
    if (trainer->average != NULL) {
        memcpy(trainer->average, net->weights, net->weight_count * sizeof(float));
    }
    return REHA_OK;
}

reha_status reha_trainer_new(const reha_graph *graph, const reha_trainer_options *options, reha_trainer **out,
                             reha_error *err)
{
    reha_status status;
    reha_trainer *trainer = NULL;

    *out = NULL;
    REHA_TRY(check_options(graph, options, err));
    trainer = reha_alloc_zero(1, sizeof *trainer);
    if (trainer == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the trainer");
    }
    trainer->options = *options;
    const reha_net_options net_options = {.batch = options->batch,
                                          .threads = options->threads,
                                          .half = options->precision == REHA_BF16 &&
                                                  reha_precision_is_fast(REHA_BF16),
                                          .training = true,
                                          .grad_value = -1,
                                          .train_params = true,
                                          .norm_momentum = options->batch_norm_momentum};
    REHA_CHECK(reha_net_new(graph, &net_options, &trainer->net, err));
    REHA_CHECK(make_outputs(trainer, graph, err));
    REHA_CHECK(make_state(trainer, err));
    *out = trainer;
    trainer = NULL;
done:
    reha_trainer_free(trainer);
    return status;
}

void reha_trainer_free(reha_trainer *trainer)
{
    if (trainer == NULL) {
        return;
    }
    for (int i = 0; trainer->net != NULL && i < trainer->net->output_count; i++) {
        if (trainer->logits != NULL) {
            reha_free(trainer->logits[i]);
        }
        if (trainer->output_grads != NULL) {
            reha_free(trainer->output_grads[i]);
        }
    }
    reha_free(trainer->output_shapes);
    reha_free(trainer->logits);
    reha_free(trainer->output_grads);
    reha_free(trainer->first);
    reha_free(trainer->second);
    reha_free(trainer->average);
    reha_free(trainer->partial);
    reha_net_free(trainer->net);
    reha_free(trainer);
}

/* Forward, losses, backward. A loss that is not finite stops before the backward pass. */
static reha_status run_batch(reha_trainer *trainer, const float *const *inputs, const float *const *targets,
                             const float *image_weights, double *loss, reha_error *err)
{
    reha_net *net = trainer->net;
    reha_random random = reha_random_init(trainer->options.seed, trainer->batches);
    const uint64_t dropout_seed = ((uint64_t)reha_random_u32(&random) << 32) | reha_random_u32(&random);

    trainer->batches++;
    REHA_TRY(reha_net_forward(net, inputs, dropout_seed, err));
    for (int i = 0; i < net->output_count; i++) {
        if (trainer->logits[i] != NULL) {
            reha_net_read_output(net, i, trainer->logits[i]);
            memset(trainer->output_grads[i], 0, reha_net_output_count(net, i) * sizeof(float));
        }
    }
    for (int i = 0; i < trainer->options.loss_count; i++) {
        const reha_loss *term = &trainer->options.losses[i];
        double value;
        REHA_TRY(reha_loss_run(term, trainer->output_shapes[term->output], trainer->logits[term->output],
                               targets[i], image_weights, trainer->output_grads[term->output], &value, err));
        *loss += value;
    }
    if (!isfinite(*loss)) {
        return REHA_OK;
    }
    return reha_net_backward(net, (const float *const *)trainer->output_grads, err);
}

reha_status reha_trainer_step(reha_trainer *trainer, const float *const *inputs, const float *const *targets,
                              const float *image_weights, float learning_rate, double *loss, reha_error *err)
{
    *loss = 0.0;
    if (!(learning_rate >= 0.0F && learning_rate <= 1e6F)) {
        return reha_fail(err, REHA_E_ARG, "learning rate %g", (double)learning_rate);
    }
    for (int i = 0; image_weights != NULL && i < trainer->options.batch; i++) {
        if (!(image_weights[i] >= 0.0F && image_weights[i] <= 1e6F)) {
            return reha_fail(err, REHA_E_ARG, "weight of image %d is %g", i, (double)image_weights[i]);
        }
    }
    REHA_TRY(run_batch(trainer, inputs, targets, image_weights, loss, err));
    if (!isfinite(*loss) || !reha_optimizer_step(trainer, learning_rate)) {
        trainer->skipped++;
    }
    return REHA_OK;
}

reha_status reha_trainer_backward(reha_trainer *trainer, const float *const *inputs,
                                  const float *const *targets, double *loss, reha_error *err)
{
    *loss = 0.0;
    return run_batch(trainer, inputs, targets, NULL, loss, err);
}

reha_status reha_trainer_read_output(reha_trainer *trainer, int output, float *values, reha_error *err)
{
    if (output < 0 || output >= trainer->net->output_count) {
        return reha_fail(err, REHA_E_ARG, "output %d of %d", output, trainer->net->output_count);
    }
    if (trainer->batches == 0) {
        return reha_fail(err, REHA_E_ARG, "no batch has run yet");
    }
    reha_net_read_output(trainer->net, output, values);
    return REHA_OK;
}

reha_status reha_trainer_read_gradient(reha_trainer *trainer, int param, float *values, reha_error *err)
{
    const reha_net *net = trainer->net;

    if (param < 0 || param >= net->param_count) {
        return reha_fail(err, REHA_E_ARG, "parameter %d of %d", param, net->param_count);
    }
    if (net->params[param].train_offset == SIZE_MAX) {
        return reha_fail(err, REHA_E_ARG, "parameter %s is frozen: it has no gradient",
                         net->params[param].name);
    }
    memcpy(values, net->grads + net->params[param].train_offset, net->params[param].count * sizeof(float));
    return REHA_OK;
}

reha_status reha_trainer_read_params(const reha_trainer *trainer, reha_graph *graph, bool use_ema,
                                     reha_error *err)
{
    const reha_net *net = trainer->net;
    const float *from = use_ema && trainer->average != NULL ? trainer->average : net->weights;

    if (reha_graph_param_count(graph) != net->param_count) {
        return reha_fail(err, REHA_E_CONFLICT, "the graph has %d parameters, the trainer %d",
                         reha_graph_param_count(graph), net->param_count);
    }
    for (int i = 0; i < net->param_count; i++) {
        if (reha_shape_count(reha_graph_param(graph, i)->shape) != net->params[i].count) {
            return reha_fail(err, REHA_E_CONFLICT, "parameter %s has another shape in this graph",
                             net->params[i].name);
        }
    }
    for (int i = 0; i < net->param_count; i++) {
        memcpy(reha_graph_param_mutable(graph, i)->values, from + net->params[i].offset,
               net->params[i].count * sizeof(float));
    }
    return REHA_OK;
}

size_t reha_trainer_skipped(const reha_trainer *trainer)
{
    return trainer->skipped;
}

size_t reha_trainer_memory_bytes(const reha_trainer *trainer)
{
    const reha_net *net = trainer->net;
    size_t floats = net->grad_count * (trainer->second != NULL ? 2 : 1);
    floats += trainer->average != NULL ? net->weight_count : 0;
    for (int i = 0; i < net->output_count; i++) {
        floats += trainer->logits[i] != NULL ? 2 * reha_net_output_count(net, i) : 0;
    }
    return reha_net_memory_bytes(net) + floats * sizeof(float);
}
