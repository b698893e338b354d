/* Where tensors live: sums in place, parts of concatenations inside the whole, and one arena in which
 * buffers whose lives do not overlap share bytes. */
#include "nn/session_priv.h"

#include "base/memory.h"

#include <assert.h>

enum { ALIGN_BYTES = 64 };

static size_t type_bytes(dnnl_data_type_t type)
{
    return type == dnnl_f32 ? 4 : type == dnnl_bf16 ? 2 : 1;
}

/* A fused sum overwrites its second operand: whoever else needs that one keeps the original. */
static reha_status copy_shared_sums(reha_plan *plan, reha_error *err)
{
    for (int i = 0; i < plan->step_count; i++) {
        const reha_step *step = &plan->steps[i];
        if (step->kind != REHA_STEP_CONV || !reha_step_has_add(step)) {
            continue;
        }
        const int which = step->input_count - 1;
        const int other = step->inputs[which];
        const reha_tensor tensor = plan->tensors[other];
        if (tensor.last == i && other != step->inputs[0]) {
            continue;
        }
        int copy = -1;
        const reha_quantity same = {tensor.type, tensor.scale, tensor.order};
        REHA_TRY(reha_plan_insert_convert(plan, i, other, same, &copy, err));
        i++;
        plan->steps[i].inputs[which] = copy;
        reha_plan_count_uses(plan);
    }
    return REHA_OK;
}

static void place_own(reha_plan *plan, int tensor)
{
    plan->tensors[tensor].buffer = tensor;
    plan->tensors[tensor].channel_offset = 0;
    plan->tensors[tensor].channel_stride = (int)plan->tensors[tensor].channels;
}

/* Only our own kernels can write with a stride, so only shuffled maps go straight into the whole. */
static void place_parts(reha_plan *plan, const reha_step *concat)
{
    const reha_tensor *whole = &plan->tensors[concat->output];
    int offset = 0;
    for (int k = 0; k < concat->input_count; k++) {
        reha_tensor *part = &plan->tensors[concat->inputs[k]];
        if (plan->steps[part->first].kind == REHA_STEP_SHUFFLE && part->uses == 1 &&
            part->order == whole->order) {
            part->buffer = whole->buffer;
            part->channel_offset = offset;
            part->channel_stride = (int)whole->channels;
        }
        offset += (int)part->channels;
    }
}

reha_status reha_plan_assign_buffers(reha_plan *plan, reha_error *err)
{
    REHA_TRY(copy_shared_sums(plan, err));
    plan->buffer_count = plan->tensor_count;
    plan->buffers = reha_alloc_zero((size_t)plan->buffer_count, sizeof *plan->buffers);
    if (plan->buffers == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for %d buffers", plan->buffer_count);
    }
    for (int i = 0; i < plan->tensor_count; i++) {
        place_own(plan, i);
    }
    for (int i = 0; i < plan->step_count; i++) {
        const reha_step *step = &plan->steps[i];
        if (step->kind == REHA_STEP_CONCAT) {
            place_parts(plan, step);
        } else if (step->kind == REHA_STEP_CONV && reha_step_has_add(step)) {
            plan->tensors[step->output].buffer = plan->tensors[step->inputs[step->input_count - 1]].buffer;
        }
    }
    for (int i = 0; i < plan->tensor_count; i++) {
        const reha_tensor *tensor = &plan->tensors[i];
        reha_buffer *buffer = &plan->buffers[tensor->buffer];
        const size_t block = tensor->order == REHA_ORDER_BLOCKED ? 16 : 1;
        const size_t channels = ((size_t)tensor->channel_stride + block - 1) / block * block;
        const size_t bytes = channels * (size_t)(tensor->height * tensor->width) * type_bytes(tensor->type);
        if (tensor->first < 0) {
            continue;
        }
        if (!buffer->is_used || tensor->first < buffer->first) {
            buffer->first = tensor->first;
        }
        if (!buffer->is_used || tensor->last > buffer->last) {
            buffer->last = tensor->last;
        }
        buffer->image_bytes = bytes > buffer->image_bytes ? bytes : buffer->image_bytes;
        buffer->is_used = true;
    }
    return REHA_OK;
}

static size_t padded(size_t bytes)
{
    return (bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
}

/* Lowest place for a buffer among those placed before it whose lives overlap with its own. */
static size_t lowest_place(const reha_plan *plan, int which, size_t bytes, int batch)
{
    const reha_buffer *self = &plan->buffers[which];
    size_t offset = 0;
    bool moved = true;
    while (moved) {
        moved = false;
        for (int i = 0; i < plan->buffer_count; i++) {
            const reha_buffer *other = &plan->buffers[i];
            const size_t other_bytes = padded(other->image_bytes * (size_t)batch);
            if (i != which && other->is_used && other->offset != SIZE_MAX && other->first <= self->last &&
                self->first <= other->last && other->offset < offset + bytes &&
                offset < other->offset + other_bytes) {
                offset = other->offset + other_bytes;
                moved = true;
            }
        }
    }
    return offset;
}

size_t reha_plan_arrange(reha_plan *plan, int batch)
{
    size_t arena_bytes = 0;
    for (int i = 0; i < plan->buffer_count; i++) {
        plan->buffers[i].offset = SIZE_MAX;
    }
    for (;;) { /* the largest first: small ones fill the gaps */
        int largest = -1;
        for (int i = 0; i < plan->buffer_count; i++) {
            const reha_buffer *buffer = &plan->buffers[i];
            if (buffer->is_used && buffer->offset == SIZE_MAX &&
                (largest < 0 || buffer->image_bytes > plan->buffers[largest].image_bytes)) {
                largest = i;
            }
        }
        if (largest < 0) {
            return arena_bytes;
        }
        const size_t bytes = padded(plan->buffers[largest].image_bytes * (size_t)batch);
        plan->buffers[largest].offset = lowest_place(plan, largest, bytes, batch);
        if (plan->buffers[largest].offset + bytes > arena_bytes) {
            arena_bytes = plan->buffers[largest].offset + bytes;
        }
    }
}
