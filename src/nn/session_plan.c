/* From the graph to fused steps. A convolution takes with it the batch-norm, sum and activations that
 * follow it and that nobody else reads; dropout and reshapes without effect vanish. */
#include "nn/session_priv.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

typedef struct value_info {
    reha_value_id root; /* the value that holds the same numbers */
    int uses;
    int reader; /* a node that reads it: the only one if uses is 1 */
    bool is_output;
    bool is_needed;
    bool is_absorbed; /* its node is part of another step */
} value_info;

typedef struct fuser {
    reha_plan *plan;
    const reha_graph *graph;
    value_info *values;
} fuser;

bool reha_step_has_add(const reha_step *step)
{
    for (int i = 0; i < step->post_count; i++) {
        if (step->posts[i] == REHA_OP_ADD) {
            return true;
        }
    }
    return false;
}

static bool is_plain_vector(reha_shape shape)
{
    return shape.rank == 2 || (shape.dims[2] == 1 && shape.dims[3] == 1);
}

static void inspect_values(fuser *f)
{
    const int count = reha_graph_node_count(f->graph);
    for (int i = 0; i < count; i++) {
        const reha_node *node = reha_graph_node(f->graph, i);
        f->values[i] = (value_info){.root = i};
        if (node->op == REHA_OP_DROPOUT ||
            (node->op == REHA_OP_FLATTEN &&
             is_plain_vector(reha_graph_node(f->graph, node->inputs[0])->shape))) {
            f->values[i].root = f->values[node->inputs[0]].root;
        }
    }
    for (int i = 0; i < reha_graph_output_count(f->graph); i++) {
        value_info *value = &f->values[f->values[reha_graph_output(f->graph, i)].root];
        value->is_output = true;
        value->is_needed = true;
    }
    for (int i = count - 1; i >= 0; i--) {
        const reha_node *node = reha_graph_node(f->graph, i);
        if (f->values[i].root != i || !f->values[i].is_needed) {
            continue;
        }
        for (int k = 0; k < node->input_count; k++) {
            value_info *input = &f->values[f->values[node->inputs[k]].root];
            input->is_needed = true;
            input->uses++;
            input->reader = i;
        }
    }
}

static reha_status add_step(fuser *f, reha_step_kind kind, int node, reha_step **out, reha_error *err)
{
    reha_plan *plan = f->plan;
    if (plan->step_count == plan->step_capacity) {
        const int capacity = plan->step_capacity == 0 ? 64 : 2 * plan->step_capacity;
        reha_step *steps = reha_realloc(plan->steps, (size_t)capacity * sizeof *steps);
        if (steps == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "no memory for %d steps", capacity);
        }
        plan->steps = steps;
        plan->step_capacity = capacity;
    }
    reha_step *step = &plan->steps[plan->step_count++];
    memset(step, 0, sizeof *step);
    step->kind = kind;
    step->node = node;
    step->norm_node = -1;
    step->order = node;
    step->output = node; /* a value, until tensors are made */
    step->port = -1;
    const reha_node *source = reha_graph_node(f->graph, node);
    step->input_count = source->input_count;
    for (int i = 0; i < source->input_count; i++) {
        step->inputs[i] = f->values[source->inputs[i]].root;
    }
    *out = step;
    return REHA_OK;
}

/* The node that alone reads the result of `step` so far, or -1. */
static int only_reader(const fuser *f, const reha_step *step)
{
    const value_info *value = &f->values[step->order];
    return value->uses == 1 && !value->is_output ? value->reader : -1;
}

static void absorb(fuser *f, reha_step *step, int node)
{
    f->values[node].is_absorbed = true;
    step->order = node;
    step->output = node;
}

static bool absorb_norm(fuser *f, reha_step *step)
{
    const int reader = only_reader(f, step);
    if (reader < 0 || reha_graph_node(f->graph, reader)->op != REHA_OP_BATCH_NORM) {
        return false;
    }
    step->norm_node = reader;
    absorb(f, step, reader);
    return true;
}

/* True if the other side of a sum is a convolution that comes later and will take the sum itself: the
 * later one should, since its own operands then live less long. */
static bool other_takes_sum(const fuser *f, const reha_step *step, reha_value_id other)
{
    const reha_node *node = reha_graph_node(f->graph, other);
    if (node->op == REHA_OP_BATCH_NORM) {
        node = reha_graph_node(f->graph, f->values[node->inputs[0]].root);
    }
    return other > step->order && f->values[other].uses == 1 && !f->values[other].is_output &&
           node->op == REHA_OP_CONV && !f->values[other].is_absorbed;
}

static bool absorb_sum(fuser *f, reha_step *step)
{
    const int reader = only_reader(f, step);
    if (step->post_count > 0) {
        return false; /* only AVX-512 kernels can add after an activation */
    }
    if (reader < 0 || reha_graph_node(f->graph, reader)->op != REHA_OP_ADD || reha_step_has_add(step) ||
        f->values[reader].is_absorbed) {
        return false;
    }
    const reha_node *sum = reha_graph_node(f->graph, reader);
    const reha_value_id a = f->values[sum->inputs[0]].root;
    const reha_value_id b = f->values[sum->inputs[1]].root;
    const reha_value_id other = a == step->order ? b : a;
    if (a == b || other_takes_sum(f, step, other)) {
        return false;
    }
    step->inputs[step->input_count++] = other;
    step->posts[step->post_count++] = REHA_OP_ADD;
    absorb(f, step, reader);
    return true;
}

static bool absorb_activation(fuser *f, reha_step *step)
{
    const int reader = only_reader(f, step);
    if (reader < 0) {
        return false;
    }
    const reha_op op = reha_graph_node(f->graph, reader)->op;
    if (op != REHA_OP_RELU && op != REHA_OP_RELU6 && op != REHA_OP_SIGMOID) {
        return false;
    }
    step->posts[step->post_count++] = op;
    absorb(f, step, reader);
    return true;
}

static void absorb_tail(fuser *f, reha_step *step, bool with_sum)
{
    while (step->post_count < REHA_STEP_POSTS_MAX) {
        /* after a sigmoid 8-bit results are in their final unit: nothing may follow */
        if (step->post_count > 0 && step->posts[step->post_count - 1] == REHA_OP_SIGMOID) {
            return;
        }
        if (!(with_sum && absorb_sum(f, step)) && !absorb_activation(f, step)) {
            return;
        }
    }
}

static reha_status fuse_conv(fuser *f, int index, reha_error *err)
{
    const reha_node *node = reha_graph_node(f->graph, index);
    const reha_window *w = &node->window;
    reha_step *step = NULL;
    REHA_TRY(add_step(f, REHA_STEP_CONV, index, &step, err));
    absorb_norm(f, step);
    step->is_pointwise = node->op == REHA_OP_CONV_TRANSPOSE && w->kernel_h == w->stride_h &&
                         w->kernel_w == w->stride_w && w->pad_top == 0 && w->pad_left == 0 &&
                         w->pad_bottom == 0 && w->pad_right == 0 && w->dilation_h == 1 && w->dilation_w == 1;
    absorb_tail(f, step, node->op == REHA_OP_CONV);
    if (!step->is_pointwise || (w->kernel_h == 1 && w->kernel_w == 1)) {
        return REHA_OK;
    }
    const int value = step->order;
    reha_step *shuffle = NULL;
    REHA_TRY(add_step(f, REHA_STEP_SHUFFLE, index, &shuffle, err));
    shuffle->order = value;
    shuffle->output = value;
    shuffle->inputs[0] = -1; /* the step before */
    return REHA_OK;
}

static void absorb_relu(fuser *f, reha_step *step)
{
    const int reader = only_reader(f, step);
    if (reader >= 0 && reha_graph_node(f->graph, reader)->op != REHA_OP_SIGMOID) {
        absorb_activation(f, step);
    }
}

static reha_status fuse_scale(fuser *f, int index, reha_error *err)
{
    const reha_op op = reha_graph_node(f->graph, index)->op;
    reha_step *step = NULL;
    REHA_TRY(add_step(f, REHA_STEP_SCALE, index, &step, err));
    if (op == REHA_OP_BATCH_NORM) {
        step->norm_node = index;
        absorb_relu(f, step);
    } else {
        step->posts[step->post_count++] = op;
    }
    return REHA_OK;
}

static reha_status fuse_node(fuser *f, int index, reha_error *err)
{
    const reha_node *node = reha_graph_node(f->graph, index);
    reha_step *step = NULL;
    switch (node->op) {
    case REHA_OP_INPUT:
        return add_step(f, REHA_STEP_INPUT, index, &step, err);
    case REHA_OP_CONV:
    case REHA_OP_CONV_TRANSPOSE:
        return fuse_conv(f, index, err);
    case REHA_OP_FULLY_CONNECTED:
        REHA_TRY(add_step(f, REHA_STEP_FULLY_CONNECTED, index, &step, err));
        absorb_tail(f, step, false);
        return REHA_OK;
    case REHA_OP_BATCH_NORM:
    case REHA_OP_RELU:
    case REHA_OP_RELU6:
        return fuse_scale(f, index, err);
    case REHA_OP_ADD:
    case REHA_OP_MUL:
        REHA_TRY(add_step(f, node->op == REHA_OP_ADD ? REHA_STEP_ADD : REHA_STEP_MUL, index, &step, err));
        absorb_relu(f, step);
        return REHA_OK;
    case REHA_OP_CONCAT:
        return add_step(f, REHA_STEP_CONCAT, index, &step, err);
    case REHA_OP_MAX_POOL:
    case REHA_OP_AVERAGE_POOL:
        return add_step(f, REHA_STEP_POOL, index, &step, err);
    case REHA_OP_GLOBAL_AVERAGE_POOL:
        return add_step(f, REHA_STEP_GLOBAL_POOL, index, &step, err);
    case REHA_OP_RESIZE_NEAREST:
    case REHA_OP_RESIZE_BILINEAR:
        return add_step(f, REHA_STEP_RESIZE, index, &step, err);
    case REHA_OP_SIGMOID:
        return add_step(f, REHA_STEP_SIGMOID, index, &step, err);
    case REHA_OP_SOFTMAX:
        return add_step(f, REHA_STEP_SOFTMAX, index, &step, err);
    case REHA_OP_FLATTEN:
        return add_step(f, REHA_STEP_FLATTEN, index, &step, err);
    case REHA_OP_DROPOUT:
    case REHA_OP_COUNT:
        break;
    }
    return reha_fail(err, REHA_E_INTERNAL, "node %s: %s cannot be compiled", node->name,
                     reha_op_name(node->op));
}

static reha_status add_ports(fuser *f, reha_error *err)
{
    for (int i = 0; i < f->plan->step_count; i++) {
        reha_step *step = &f->plan->steps[i];
        for (int k = 0; step->kind == REHA_STEP_INPUT && k < reha_graph_input_count(f->graph); k++) {
            if (reha_graph_input(f->graph, k) == step->node) {
                step->port = k;
            }
        }
    }
    for (int i = 0; i < reha_graph_output_count(f->graph); i++) {
        const reha_value_id value = reha_graph_output(f->graph, i);
        reha_step *step = NULL;
        REHA_TRY(add_step(f, REHA_STEP_OUTPUT, value, &step, err));
        step->input_count = 1;
        step->inputs[0] = f->values[value].root;
        step->output = -1;
        step->order = reha_graph_node_count(f->graph) + i;
        step->port = i;
    }
    return REHA_OK;
}

/* By order; insertion keeps the sequence of equal ones. Nearly sorted already. */
static void sort_steps(reha_plan *plan)
{
    for (int i = 1; i < plan->step_count; i++) {
        const reha_step step = plan->steps[i];
        int k = i;
        for (; k > 0 && plan->steps[k - 1].order > step.order; k--) {
            plan->steps[k] = plan->steps[k - 1];
        }
        plan->steps[k] = step;
    }
}

static reha_status add_tensor(reha_plan *plan, const reha_tensor *tensor, int *out, reha_error *err)
{
    if (plan->tensor_count == plan->tensor_capacity) {
        const int capacity = plan->tensor_capacity == 0 ? 64 : 2 * plan->tensor_capacity;
        reha_tensor *tensors = reha_realloc(plan->tensors, (size_t)capacity * sizeof *tensors);
        if (tensors == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "no memory for %d tensors", capacity);
        }
        plan->tensors = tensors;
        plan->tensor_capacity = capacity;
    }
    *out = plan->tensor_count++;
    plan->tensors[*out] = *tensor;
    return REHA_OK;
}

static reha_tensor tensor_init(const fuser *f, const reha_step *step)
{
    const reha_shape shape = reha_graph_node(f->graph, step->output)->shape;
    const reha_node *node = reha_graph_node(f->graph, step->node);
    reha_tensor tensor = {.value = step->output,
                          .channels = shape.dims[1],
                          .height = 1,
                          .width = 1,
                          .type = dnnl_f32,
                          .scale = 1.0F,
                          .order = REHA_ORDER_NHWC,
                          .is_output = f->values[step->output].is_output};
    if (shape.rank == 4) {
        tensor.height = shape.dims[2];
        tensor.width = shape.dims[3];
    }
    if (step->is_pointwise) {
        tensor.channels *= node->window.kernel_h * node->window.kernel_w;
        tensor.height /= node->window.kernel_h;
        tensor.width /= node->window.kernel_w;
        tensor.is_output = tensor.is_output && tensor.channels == shape.dims[1];
    }
    return tensor;
}

/* Replaces the values in the steps by tensors. */
static reha_status make_tensors(fuser *f, reha_error *err)
{
    reha_plan *plan = f->plan;
    reha_status status = REHA_OK;
    const int count = reha_graph_node_count(f->graph);
    int *tensor_of = reha_alloc((size_t)count * sizeof *tensor_of);
    if (tensor_of == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for %d values", count);
    }
    for (int i = 0; i < plan->step_count; i++) {
        reha_step *step = &plan->steps[i];
        for (int k = 0; k < step->input_count; k++) {
            step->inputs[k] = step->inputs[k] < 0 ? plan->steps[i - 1].output : tensor_of[step->inputs[k]];
        }
        if (step->output >= 0) {
            const int value = step->output;
            const reha_tensor tensor = tensor_init(f, step);
            REHA_CHECK(add_tensor(plan, &tensor, &step->output, err));
            tensor_of[value] = step->output;
        }
    }
done:
    reha_free(tensor_of);
    return status;
}

void reha_plan_count_uses(reha_plan *plan)
{
    for (int i = 0; i < plan->tensor_count; i++) {
        plan->tensors[i].uses = 0;
        plan->tensors[i].first = plan->tensors[i].last = -1;
    }
    for (int i = 0; i < plan->step_count; i++) {
        const reha_step *step = &plan->steps[i];
        for (int k = 0; k < step->input_count; k++) {
            plan->tensors[step->inputs[k]].uses++;
            plan->tensors[step->inputs[k]].last = i;
        }
        if (step->output >= 0) {
            plan->tensors[step->output].first = i;
            plan->tensors[step->output].last = i;
        }
    }
}

reha_status reha_plan_insert_convert(reha_plan *plan, int at, int tensor, reha_quantity quantity, int *out,
                                     reha_error *err)
{
    fuser f = {plan, plan->graph, NULL};
    reha_tensor copy = plan->tensors[tensor];
    reha_step *step = NULL;
    copy.type = quantity.type;
    copy.scale = quantity.scale;
    copy.order = quantity.order;
    copy.is_output = false;
    REHA_TRY(add_tensor(plan, &copy, out, err));
    /* an input node has no operands, so add_step needs no table of values for it */
    REHA_TRY(add_step(&f, REHA_STEP_CONVERT, reha_graph_input(plan->graph, 0), &step, err));
    step->node = copy.value;
    step->order = plan->steps[at].order;
    step->input_count = 1;
    step->inputs[0] = tensor;
    step->output = *out;
    const reha_step made = *step;
    memmove(&plan->steps[at + 1], &plan->steps[at], (size_t)(plan->step_count - 1 - at) * sizeof made);
    plan->steps[at] = made;
    return REHA_OK;
}

void reha_plan_free(reha_plan *plan)
{
    if (plan == NULL) {
        return;
    }
    reha_free(plan->steps);
    reha_free(plan->tensors);
    reha_free(plan->buffers);
    reha_free(plan);
}

reha_status reha_plan_new(const reha_graph *graph, reha_precision precision, bool is_blocked,
                          const struct reha_calibration *calibration, reha_plan **out, reha_error *err)
{
    reha_status status = REHA_OK;
    const int count = reha_graph_node_count(graph);
    fuser f = {NULL, graph, NULL};
    *out = NULL;
    if (reha_graph_output_count(graph) == 0 || reha_graph_input_count(graph) == 0) {
        return reha_fail(err, REHA_E_ARG, "graph %s has no input or no output", reha_graph_name(graph));
    }
    f.plan = reha_alloc_zero(1, sizeof *f.plan);
    f.values = reha_alloc_zero((size_t)count, sizeof *f.values);
    if (f.plan == NULL || f.values == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "no memory for a plan of %d nodes", count);
        goto done;
    }
    f.plan->graph = graph;
    f.plan->precision = precision;
    f.plan->is_blocked = is_blocked;
    inspect_values(&f);
    for (int i = 0; i < count; i++) {
        if (f.values[i].is_needed && f.values[i].root == i && !f.values[i].is_absorbed) {
            REHA_CHECK(fuse_node(&f, i, err));
        }
    }
    REHA_CHECK(add_ports(&f, err));
    sort_steps(f.plan);
    REHA_CHECK(make_tensors(&f, err));
    reha_plan_count_uses(f.plan);
    REHA_CHECK(reha_plan_assign_types(f.plan, calibration, err));
    REHA_CHECK(reha_plan_assign_buffers(f.plan, err));
    *out = f.plan;
    f.plan = NULL; /* handed over */
done:
    reha_free(f.values);
    reha_plan_free(f.plan);
    return status;
}
