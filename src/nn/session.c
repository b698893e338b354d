#include "nn/session.h"

#include "base/memory.h"
#include "base/threads.h"
#include "nn/session_priv.h"

#include <stdio.h>
#include <string.h>

enum { PROGRAMS_MAX = 16, BATCH_MAX = 4096, PORTS_MAX = 16 };

struct reha_session {
    reha_dnn *dnn;
    uint8_t *arena;
    size_t arena_bytes;
    reha_program programs[PROGRAMS_MAX]; /* largest batch first, the last one is batch_min */
    int program_count;
    int batch_min, batch_max;
    size_t input_counts[PORTS_MAX], output_counts[PORTS_MAX]; /* floats of one image */
    int input_count, output_count;
    char (*names)[REHA_NN_NAME_BYTES]; /* of the steps' nodes */
};

reha_session_options reha_session_options_default(void)
{
    const reha_session_options options = {.batch_max = 1, .threads = 0, .precision = REHA_F32};
    return options;
}

static reha_status keep_names(reha_session *session, const reha_plan *plan, reha_error *err)
{
    session->names = reha_alloc_zero((size_t)plan->step_count, sizeof *session->names);
    if (session->names == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for %d names", plan->step_count);
    }
    for (int i = 0; i < plan->step_count; i++) {
        memcpy(session->names[i], reha_graph_node(plan->graph, plan->steps[i].node)->name,
               REHA_NN_NAME_BYTES);
    }
    return REHA_OK;
}

static void keep_ports(reha_session *session, const reha_graph *graph)
{
    session->input_count = reha_graph_input_count(graph);
    session->output_count = reha_graph_output_count(graph);
    for (int i = 0; i < session->input_count; i++) {
        session->input_counts[i] =
            reha_shape_count(reha_graph_node(graph, reha_graph_input(graph, i))->shape);
    }
    for (int i = 0; i < session->output_count; i++) {
        session->output_counts[i] =
            reha_shape_count(reha_graph_node(graph, reha_graph_output(graph, i))->shape);
    }
}

/* batch_max and, if fewer may come, the powers of two below it: any number of images is a sum of few of
 * these. */
static void choose_batches(reha_session *session)
{
    int power = 1;
    while (power * 2 < session->batch_max) {
        power *= 2;
    }
    session->programs[session->program_count++].batch = session->batch_max;
    for (; power >= 1 && session->batch_max > session->batch_min; power /= 2) {
        session->programs[session->program_count++].batch = power;
    }
}

static reha_status build_programs(reha_session *session, reha_plan *plan, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_builder builder = {.dnn = session->dnn, .plan = plan};
    const int token = reha_dnn_enter(session->dnn);
    for (int i = 0; i < session->program_count; i++) {
        const size_t bytes = reha_plan_arrange(plan, session->programs[i].batch);
        session->arena_bytes = bytes > session->arena_bytes ? bytes : session->arena_bytes;
    }
    session->arena = reha_alloc_aligned(session->arena_bytes);
    builder.weights = reha_alloc_zero((size_t)plan->step_count, sizeof *builder.weights);
    if (session->arena == NULL || builder.weights == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "no memory for the session (%zu bytes)", session->arena_bytes);
        goto done;
    }
    memset(session->arena, 0, session->arena_bytes); /* touched now, not in the first run */
    builder.arena = session->arena;
    for (int i = 0; i < session->program_count; i++) {
        builder.program = &session->programs[i];
        (void)reha_plan_arrange(plan, session->programs[i].batch);
        REHA_CHECK(reha_program_build(&builder, err));
    }
done:
    reha_free(builder.weights);
    reha_dnn_leave(token);
    return status;
}

static reha_status check_options(const reha_session_options *options, reha_error *err)
{
    if (options->batch_max < 1 || options->batch_max > BATCH_MAX) {
        return reha_fail(err, REHA_E_ARG, "a largest batch of %d is outside 1 to %d", options->batch_max,
                         BATCH_MAX);
    }
    if (options->threads < 0 || options->threads > 1024) {
        return reha_fail(err, REHA_E_ARG, "%d threads: expected 0 to 1024", options->threads);
    }
    if (options->precision != REHA_F32 && options->precision != REHA_BF16 &&
        options->precision != REHA_INT8) {
        return reha_fail(err, REHA_E_ARG, "precision %d does not exist", (int)options->precision);
    }
    return REHA_OK;
}

/* Do 3x3 convolutions of stride 1 carry enough of the work for blocks of channels to pay? Winograd's
 * algorithm does them in half the time or less. */
static bool is_worth_blocking(const reha_graph *graph)
{
    double total = 0;
    double faster = 0;
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        const reha_node *node = reha_graph_node(graph, i);
        const reha_window *w = &node->window;
        if (node->op != REHA_OP_CONV) {
            continue;
        }
        const reha_shape weight = reha_graph_param(graph, node->params[0])->shape;
        const double macs =
            (double)reha_shape_count(weight) * (double)(node->shape.dims[2] * node->shape.dims[3]);
        total += macs;
        if (node->groups == 1 && w->kernel_h == 3 && w->kernel_w == 3 && w->stride_h == 1 &&
            w->stride_w == 1 && w->dilation_h == 1 && w->dilation_w == 1 && weight.dims[0] % 16 == 0 &&
            weight.dims[1] % 16 == 0) {
            faster += macs;
        }
    }
    return reha_dnn_has_blocked() && faster > 0.25 * total;
}

static bool has_reference(const reha_session *session)
{
    const char *node;
    const char *implementation;
    for (int i = 0; reha_session_layer_info(session, i, &node, &implementation); i++) {
        if (strstr(implementation, "ref") != NULL) {
            return true;
        }
    }
    return false;
}

static reha_status build_session(const reha_graph *graph, const reha_session_options *options,
                                 bool is_blocked, reha_session **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_plan *plan = NULL;
    reha_session *session = reha_alloc_zero(1, sizeof *session);
    *out = NULL;
    if (session == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for a session");
    }
    session->batch_max = options->batch_max;
    session->batch_min = options->is_whole_batch ? options->batch_max : 1;
    const int threads = options->threads > 0 ? options->threads : (int)reha_threads_available();
    REHA_CHECK(reha_dnn_new(threads, &session->dnn, err));
    REHA_CHECK(reha_plan_new(graph, options->precision, is_blocked, options->calibration, &plan, err));
    keep_ports(session, graph);
    REHA_CHECK(keep_names(session, plan, err));
    choose_batches(session);
    REHA_CHECK(build_programs(session, plan, err));
    *out = session;
    session = NULL; /* handed over */
done:
    reha_plan_free(plan);
    reha_session_free(session);
    return status;
}

static reha_status new_session(const reha_graph *graph, const reha_session_options *options, bool may_block,
                               reha_session **out, reha_error *err)
{
    const reha_session_options defaults = reha_session_options_default();
    reha_session_options chosen = options != NULL ? *options : defaults;
    *out = NULL;
    REHA_TRY(check_options(&chosen, err));
    if (!chosen.force_precision && !reha_precision_is_fast(chosen.precision)) {
        chosen.precision = REHA_F32;
    }
    if (may_block && chosen.precision == REHA_F32 && is_worth_blocking(graph)) {
        const reha_status status = build_session(graph, &chosen, true, out, err);
        if (status == REHA_OK && !has_reference(*out)) {
            return REHA_OK;
        }
        reha_session_free(*out);
        *out = NULL;
        if (status == REHA_E_NOMEM) {
            return status;
        }
    }
    return build_session(graph, &chosen, false, out, err);
}

reha_status reha_session_new(const reha_graph *graph, const reha_session_options *options, reha_session **out,
                             reha_error *err)
{
    return new_session(graph, options, true, out, err);
}

reha_status reha_session_new_nhwc(const reha_graph *graph, const reha_session_options *options,
                                  reha_session **out, reha_error *err)
{
    return new_session(graph, options, false, out, err);
}

void reha_session_free(reha_session *session)
{
    if (session == NULL) {
        return;
    }
    for (int i = 0; i < session->program_count; i++) {
        reha_program_clear(&session->programs[i]);
    }
    reha_dnn_free(session->dnn);
    reha_free(session->arena);
    reha_free(session->names);
    reha_free(session);
}

typedef struct observer {
    reha_observe observe; /* NULL: nobody looks */
    void *context;
} observer;

static reha_status run_program(reha_session *session, const reha_program *program, size_t done,
                               const float *const *inputs, float *const *outputs, observer watch,
                               reha_error *err)
{
    for (int i = 0; i < program->run_count; i++) {
        const reha_op_run *run = &program->runs[i];
        if (run->user != NULL && run->is_output) {
            reha_memory_set_data(run->user, outputs[run->port] + done * session->output_counts[run->port]);
        } else if (run->user != NULL) {
            const float *image = inputs[run->port] + done * session->input_counts[run->port];
            reha_memory_set_data(run->user, (void *)(uintptr_t)image); /* only read */
        }
        if (run->kernel != NULL) {
            run->kernel(run);
        } else if (run->call != NULL) {
            REHA_TRY(reha_call_run(run->call, err));
        }
        if (watch.observe != NULL && run->value >= 0) {
            watch.observe(watch.context, run->value, run->result, run->result_pixels, run->result_channels,
                          run->result_stride);
        }
    }
    return REHA_OK;
}

static reha_status run_batch(reha_session *session, int batch, const float *const *inputs,
                             float *const *outputs, observer watch, reha_error *err)
{
    if (batch < session->batch_min || batch > session->batch_max) {
        return reha_fail(err, REHA_E_ARG, "a batch of %d images: this session takes %d to %d", batch,
                         session->batch_min, session->batch_max);
    }
    reha_status status = REHA_OK;
    const int token = reha_dnn_enter(session->dnn);
    int done = 0;
    for (int i = 0; i < session->program_count && status == REHA_OK; i++) {
        const reha_program *program = &session->programs[i];
        while (batch - done >= program->batch && status == REHA_OK) {
            status = run_program(session, program, (size_t)done, inputs, outputs, watch, err);
            done += program->batch;
        }
    }
    reha_dnn_leave(token);
    return status;
}

reha_status reha_session_run(reha_session *session, int batch, const float *const *inputs,
                             float *const *outputs, reha_error *err)
{
    return run_batch(session, batch, inputs, outputs, (observer){NULL, NULL}, err);
}

reha_status reha_session_observe(reha_session *session, int batch, const float *const *inputs,
                                 float *const *outputs, reha_observe observe, void *context, reha_error *err)
{
    return run_batch(session, batch, inputs, outputs, (observer){observe, context}, err);
}

size_t reha_session_memory_bytes(const reha_session *session)
{
    return session->arena_bytes + reha_dnn_memory_bytes(session->dnn);
}

bool reha_session_layer_info(const reha_session *session, int index, const char **node_name,
                             const char **implementation)
{
    const reha_program *program = &session->programs[0];
    if (index < 0 || index >= program->run_count) {
        return false;
    }
    *node_name = session->names[program->runs[index].step];
    *implementation = program->runs[index].implementation;
    return true;
}
