/* Data types, scales and orders of the tensors, and the conversions between them. In f32 only orders
 * matter: blocks of 16 channels where Winograd's convolutions pay, else nhwc. In bf16 everything is bf16 but
 * probabilities and results. In int8 images are 8-bit integers with a scale from the calibration; pooled
 * vectors, fully connected layers and results are floats, because they cost little and decide much. */
#include "nn/session_priv.h"

#include "base/memory.h"
#include "nn/quantize.h"

#include <math.h>

typedef struct typer {
    reha_plan *plan;
    reha_quantity *native; /* of each tensor, if it is an image */
    int *group;            /* tensors that must share one scale: index of the first one */
    int *converted;        /* a converted copy of each tensor, or -1 */
    int capacity;
} typer;

static bool is_integer(dnnl_data_type_t type)
{
    return type == dnnl_u8 || type == dnnl_s8;
}

static int group_of(typer *t, int tensor)
{
    while (t->group[tensor] != tensor) {
        tensor = t->group[tensor];
    }
    return tensor;
}

static void join(typer *t, int a, int b)
{
    const int first = group_of(t, a);
    const int second = group_of(t, b);
    t->group[first > second ? first : second] = first > second ? second : first;
}

/* Operators that move numbers without computing keep the scale. */
static bool keeps_scale(reha_step_kind kind)
{
    return kind == REHA_STEP_POOL || kind == REHA_STEP_RESIZE || kind == REHA_STEP_CONCAT ||
           kind == REHA_STEP_SHUFFLE;
}

static void join_groups(typer *t)
{
    for (int i = 0; i < t->plan->tensor_count; i++) {
        t->group[i] = i;
    }
    for (int i = 0; i < t->plan->step_count; i++) {
        const reha_step *step = &t->plan->steps[i];
        for (int k = 0; keeps_scale(step->kind) && k < step->input_count; k++) {
            join(t, step->output, step->inputs[k]);
        }
    }
}

static reha_status quantize_groups(typer *t, const struct reha_calibration *calibration, reha_error *err)
{
    const reha_plan *plan = t->plan;
    if (calibration == NULL) {
        return reha_fail(err, REHA_E_ARG, "an int8 session needs a calibration");
    }
    join_groups(t);
    for (int leader = 0; leader < plan->tensor_count; leader++) {
        if (group_of(t, leader) != leader) {
            continue;
        }
        float low = 0.0F;
        float high = 0.0F;
        bool is_known = false; /* a concatenation of parts written in place is never seen whole */
        for (int i = leader; i < plan->tensor_count; i++) {
            float one_low;
            float one_high;
            if (group_of(t, i) != leader ||
                !reha_calibration_range(calibration, plan->tensors[i].value, &one_low, &one_high)) {
                continue;
            }
            low = fminf(low, one_low);
            high = fmaxf(high, one_high);
            is_known = true;
        }
        if (!is_known) {
            return reha_fail(err, REHA_E_ARG, "node %s: the calibration has no range for it",
                             reha_graph_node(plan->graph, plan->tensors[leader].value)->name);
        }
        const float largest = fmaxf(-low, high);
        const float safe = largest > 1e-20F && isfinite(largest) ? largest : 1.0F;
        t->native[leader] = low >= 0.0F ? (reha_quantity){dnnl_u8, safe / 255.0F, REHA_ORDER_NHWC}
                                        : (reha_quantity){dnnl_s8, safe / 127.0F, REHA_ORDER_NHWC};
    }
    for (int i = 0; i < plan->tensor_count; i++) {
        t->native[i] = t->native[group_of(t, i)];
    }
    return REHA_OK;
}

/* True if every reader of the tensor takes floats, so that its producer should not round first. */
static bool is_read_as_float(const reha_plan *plan, int tensor)
{
    bool is_read = false;
    for (int i = 0; i < plan->step_count; i++) {
        const reha_step *step = &plan->steps[i];
        for (int k = 0; k < step->input_count; k++) {
            if (step->inputs[k] == tensor) {
                is_read = true;
                if (step->kind != REHA_STEP_OUTPUT && step->kind != REHA_STEP_SIGMOID &&
                    step->kind != REHA_STEP_SOFTMAX) {
                    return false;
                }
            }
        }
    }
    return is_read;
}

/* ---- orders ---- */

static bool is_aligned(const reha_plan *plan, int tensor)
{
    return plan->tensors[tensor].channels % 16 == 0;
}

/* Blocks of 16 channels cannot be cut: our own kernels move whole ones. */
static bool moves_whole_blocks(const reha_plan *plan, const reha_step *step)
{
    for (int k = 0; k < step->input_count; k++) {
        if (!is_aligned(plan, step->inputs[k])) {
            return false;
        }
    }
    return is_aligned(plan, step->output);
}

/* Pictures of few channels stay as the caller gives them if only first convolutions read them, perhaps
 * behind a scaling: such convolutions want them so. */
static bool stays_plain(const reha_plan *plan, int tensor)
{
    if (plan->tensors[tensor].channels > 3) {
        return false;
    }
    for (int i = 0; i < plan->step_count; i++) {
        const reha_step *step = &plan->steps[i];
        for (int k = 0; k < step->input_count; k++) {
            const reha_node *node = reha_graph_node(plan->graph, step->node);
            const bool is_first_conv =
                step->kind == REHA_STEP_CONV && k == 0 && node->op == REHA_OP_CONV && node->groups == 1;
            if (step->inputs[k] == tensor && !is_first_conv &&
                !(step->kind == REHA_STEP_SCALE && stays_plain(plan, step->output))) {
                return false;
            }
        }
    }
    return true;
}

/* In which a step works, in a blocked plan. */
static reha_order order_of(const reha_plan *plan, int index)
{
    const reha_step *step = &plan->steps[index];
    switch (step->kind) {
    case REHA_STEP_INPUT:
    case REHA_STEP_SCALE:
        return stays_plain(plan, step->output) ? REHA_ORDER_PLAIN : REHA_ORDER_BLOCKED;
    case REHA_STEP_SOFTMAX:
    case REHA_STEP_FULLY_CONNECTED:
    case REHA_STEP_FLATTEN:
    case REHA_STEP_GLOBAL_POOL:
        return REHA_ORDER_NHWC;
    case REHA_STEP_CONCAT:
    case REHA_STEP_SHUFFLE:
        return moves_whole_blocks(plan, step) ? REHA_ORDER_BLOCKED : REHA_ORDER_NHWC;
    case REHA_STEP_CONV: /* the shuffle behind it decides */
        return step->is_pointwise && plan->steps[index + 1].kind == REHA_STEP_SHUFFLE
                   ? order_of(plan, index + 1)
                   : REHA_ORDER_BLOCKED;
    default:
        return REHA_ORDER_BLOCKED;
    }
}

static void assign_orders(reha_plan *plan)
{
    for (int i = 0; i < plan->step_count; i++) {
        const reha_step *step = &plan->steps[i];
        if (step->output < 0) {
            continue;
        }
        plan->tensors[step->output].order = order_of(plan, i);
    }
}

/* One pixel of whole blocks looks the same in both orders. */
static bool is_same_order(const reha_tensor *tensor, reha_order order)
{
    return tensor->order == order ||
           (tensor->height == 1 && tensor->width == 1 && tensor->channels % 16 == 0);
}

/* ---- types ---- */

static reha_quantity result_of(const typer *t, const reha_step *step)
{
    const reha_order order = t->plan->tensors[step->output].order;
    const reha_quantity f32 = {dnnl_f32, 1.0F, order};
    const reha_quantity vector = {t->plan->vector_type, 1.0F, order};
    switch (step->kind) {
    case REHA_STEP_SIGMOID:
    case REHA_STEP_SOFTMAX:
        return f32;
    case REHA_STEP_GLOBAL_POOL:
    case REHA_STEP_FULLY_CONNECTED:
        return is_read_as_float(t->plan, step->output) ? f32 : vector;
    case REHA_STEP_CONV:
        return !reha_step_has_add(step) && is_read_as_float(t->plan, step->output) ? f32
                                                                                   : t->native[step->output];
    default:
        return t->native[step->output];
    }
}

/* What operand k of step `index` must be; false if anything will do. */
static bool operand_of(const typer *t, int index, int k, reha_quantity *out)
{
    const reha_step *step = &t->plan->steps[index];
    const reha_tensor *tensor = &t->plan->tensors[step->inputs[k]];
    const reha_order order = t->plan->is_blocked ? order_of(t->plan, index) : REHA_ORDER_NHWC;
    switch (step->kind) {
    case REHA_STEP_SIGMOID:
    case REHA_STEP_SOFTMAX:
        *out = (reha_quantity){dnnl_f32, 1.0F, order};
        return true;
    case REHA_STEP_FULLY_CONNECTED:
        *out = (reha_quantity){t->plan->vector_type, 1.0F, order};
        return true;
    case REHA_STEP_POOL:
    case REHA_STEP_RESIZE:
    case REHA_STEP_CONCAT:
    case REHA_STEP_SHUFFLE:
        *out =
            (reha_quantity){t->plan->tensors[step->output].type, t->plan->tensors[step->output].scale, order};
        return true;
    case REHA_STEP_CONV:
    case REHA_STEP_SCALE:
    case REHA_STEP_ADD:
    case REHA_STEP_MUL:
        if (t->plan->precision == REHA_INT8 && step->kind == REHA_STEP_MUL && k == 1) {
            *out = (reha_quantity){dnnl_f32, 1.0F,
                                   order}; /* gates: the engine mixes floats with integers here */
            return true;
        }
        *out = is_integer(tensor->type) ? (reha_quantity){tensor->type, tensor->scale, order}
                                        : t->native[step->inputs[k]];
        out->order =
            step->kind == REHA_STEP_CONV && tensor->order == REHA_ORDER_PLAIN ? REHA_ORDER_PLAIN : order;
        return true;
    default:
        return false;
    }
}

static bool is_quantity(const reha_tensor *tensor, reha_quantity wanted)
{
    return tensor->type == wanted.type && tensor->scale == wanted.scale &&
           is_same_order(tensor, wanted.order);
}

static reha_status convert_operands(typer *t, reha_error *err)
{
    reha_plan *plan = t->plan;
    for (int i = 0; i < plan->step_count; i++) {
        for (int k = 0; k < plan->steps[i].input_count; k++) {
            reha_quantity wanted;
            const int source = plan->steps[i].inputs[k];
            if (!operand_of(t, i, k, &wanted) || is_quantity(&plan->tensors[source], wanted)) {
                continue;
            }
            int copy = source < t->capacity ? t->converted[source] : -1;
            if (copy < 0 || !is_quantity(&plan->tensors[copy], wanted)) {
                REHA_TRY(reha_plan_insert_convert(plan, i, source, wanted, &copy, err));
                i++; /* the step moved */
                if (source < t->capacity) {
                    t->converted[source] = copy;
                }
            }
            plan->steps[i].inputs[k] = copy;
        }
        reha_step *step = &plan->steps[i];
        if (step->kind == REHA_STEP_FLATTEN) {
            plan->tensors[step->output].type = plan->tensors[step->inputs[0]].type;
            plan->tensors[step->output].scale = plan->tensors[step->inputs[0]].scale;
        }
    }
    return REHA_OK;
}

reha_status reha_plan_assign_types(reha_plan *plan, const struct reha_calibration *calibration,
                                   reha_error *err)
{
    plan->vector_type = dnnl_f32;
    if (plan->precision == REHA_F32 && !plan->is_blocked) {
        return REHA_OK;
    }
    if (plan->precision != REHA_F32 && (plan->precision == REHA_BF16 || reha_precision_is_fast(REHA_BF16))) {
        plan->vector_type = dnnl_bf16;
    }
    reha_status status = REHA_OK;
    const size_t count = (size_t)plan->tensor_count;
    typer t = {.plan = plan, .capacity = plan->tensor_count};
    t.native = reha_alloc(count * sizeof *t.native);
    t.group = reha_alloc(count * sizeof *t.group);
    t.converted = reha_alloc(count * sizeof *t.converted);
    if (t.native == NULL || t.group == NULL || t.converted == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "no memory for the types of %zu tensors", count);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        t.native[i] =
            (reha_quantity){plan->precision == REHA_F32 ? dnnl_f32 : dnnl_bf16, 1.0F, REHA_ORDER_NHWC};
        t.converted[i] = -1;
    }
    if (plan->is_blocked) {
        assign_orders(plan);
    }
    if (plan->precision == REHA_INT8) {
        REHA_CHECK(quantize_groups(&t, calibration, err));
    }
    for (int i = 0; i < plan->step_count; i++) {
        const reha_step *step = &plan->steps[i];
        if (step->output >= 0) {
            const reha_quantity result = result_of(&t, step);
            plan->tensors[step->output].type = result.type;
            plan->tensors[step->output].scale = result.scale;
        }
    }
    REHA_CHECK(convert_operands(&t, err));
    reha_plan_count_uses(plan);
done:
    reha_free(t.native);
    reha_free(t.group);
    reha_free(t.converted);
    return status;
}
