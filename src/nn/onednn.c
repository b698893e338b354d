/* oneDNN 2.x behind onednn_priv.h: the context, layouts, memories and running. Operators stand in
 * onednn_ops.c; a port to 3.x touches onednn*.c only (see the notes marked "3.x"). */
#include "nn/onednn_parts_priv.h"

#include "base/memory.h"
#include "base/threads.h"

#include <omp.h>
#include <sched.h>
#include <string.h>

struct reha_memory {
    dnnl_memory_t handle;
    const reha_layout *layout;
    void *data;
    bool owns_data;
};

struct reha_call {
    reha_dnn *dnn;
    const reha_primitive *primitive;
    reha_memory *scratch; /* NULL: needs none */
    int count;
    dnnl_exec_arg_t args[REHA_DNN_ARGS_MAX];
};

reha_status reha_dnn_check_(dnnl_status_t code, const char *what, reha_error *err)
{
    switch (code) {
    case dnnl_success:
        return REHA_OK;
    case dnnl_out_of_memory:
        return reha_fail(err, REHA_E_NOMEM, "out of memory in the network engine (%s)", what);
    case dnnl_unimplemented:
        return reha_fail(err, REHA_E_UNSUPPORTED, "the network engine has no implementation of %s here",
                         what);
    default:
        return reha_fail(err, REHA_E_INTERNAL, "the network engine refused %s (status %d)", what, (int)code);
    }
}

reha_status reha_dnn_no_memory_(reha_error *err)
{
    return reha_fail(err, REHA_E_NOMEM, "out of memory in the network engine");
}

static void destroy(owned entry)
{
    if (entry.kind == OWNED_PRIMITIVE) {
        reha_primitive *primitive = entry.item;
        dnnl_primitive_destroy(primitive->handle);
        dnnl_primitive_desc_destroy(primitive->desc);
    } else if (entry.kind == OWNED_MEMORY) {
        reha_memory *memory = entry.item;
        dnnl_memory_destroy(memory->handle);
        if (memory->owns_data) {
            reha_free(memory->data);
        }
    }
    reha_free(entry.item);
}

reha_status reha_dnn_own_(reha_dnn *dnn, owned_kind kind, void *item, reha_error *err)
{
    if (dnn->item_count == dnn->item_capacity) {
        const size_t capacity = dnn->item_capacity == 0 ? 64 : 2 * dnn->item_capacity;
        owned *items = reha_realloc(dnn->items, capacity * sizeof *items);
        if (items == NULL) {
            destroy((owned){kind, item});
            return reha_dnn_no_memory_(err);
        }
        dnn->items = items;
        dnn->item_capacity = capacity;
    }
    dnn->items[dnn->item_count++] = (owned){kind, item};
    return REHA_OK;
}

reha_status reha_dnn_new(int threads, reha_dnn **out, reha_error *err)
{
    reha_status status;
    reha_dnn *dnn = NULL;

    *out = NULL;
    if (threads < 0 || threads > 1024) {
        return reha_fail(err, REHA_E_ARG, "%d threads: expected 0 to 1024", threads);
    }
    dnn = reha_alloc_zero(1, sizeof *dnn);
    if (dnn == NULL) {
        return reha_dnn_no_memory_(err);
    }
    dnn->threads = threads > 0 ? threads : omp_get_num_procs();
    (void)dnnl_set_jit_profiling_flags(DNNL_JIT_PROFILE_NONE); /* else every kernel is told to a profiler */
    REHA_CHECK(reha_dnn_check_(dnnl_engine_create(&dnn->engine, dnnl_cpu, 0), "a CPU engine", err));
    REHA_CHECK(reha_dnn_check_(dnnl_stream_create(&dnn->stream, dnn->engine, dnnl_stream_default_flags),
                               "a stream", err));
    *out = dnn;
    dnn = NULL;
done:
    reha_dnn_free(dnn);
    return status;
}

void reha_dnn_free(reha_dnn *dnn)
{
    if (dnn == NULL) {
        return;
    }
    for (size_t i = dnn->item_count; i > 0; i--) {
        destroy(dnn->items[i - 1]);
    }
    if (dnn->stream != NULL) {
        dnnl_stream_destroy(dnn->stream);
    }
    if (dnn->engine != NULL) {
        dnnl_engine_destroy(dnn->engine);
    }
    reha_free(dnn->scratch);
    reha_free(dnn->items);
    reha_free(dnn);
}

int reha_dnn_threads(const reha_dnn *dnn)
{
    return dnn->threads;
}

/* Wakes the team and puts each of its threads on a processor of its own, before the first operator waits for
 * them. Without it two threads of a team that had slept shared one processor for the whole of a short run:
 * MobileNetV2 took 15 ms on two processors, and takes 3.7 (5.5 on one). */
static void wake_team(int threads)
{
    reha_processors taken = {0};
    atomic_int awake = 1;

    reha_processors_claim(&taken);
#pragma omp parallel num_threads(threads)
    {
        if (omp_get_thread_num() > 0) {
            reha_processors_claim(&taken);
            atomic_fetch_add(&awake, 1);
        } else { /* spinning here would keep the processor from a thread that is to leave it */
            while (atomic_load(&awake) < omp_get_num_threads()) {
                (void)sched_yield();
            }
        }
    }
}

int reha_dnn_enter(const reha_dnn *dnn)
{
    const int token = omp_get_max_threads();
    if (token != dnn->threads) {
        omp_set_num_threads(dnn->threads);
    }
    if (dnn->threads > 1) {
        wake_team(dnn->threads);
    }
    return token;
}

void reha_dnn_leave(int token)
{
    if (token != omp_get_max_threads()) {
        omp_set_num_threads(token);
    }
}

size_t reha_dnn_memory_bytes(const reha_dnn *dnn)
{
    const size_t scratch =
        dnn->scratch_bytes > dnn->scratch_wanted_bytes ? dnn->scratch_bytes : dnn->scratch_wanted_bytes;
    return dnn->data_bytes + scratch;
}

/* ---- layouts and memories ---- */

static reha_status own_layout(reha_dnn *dnn, const dnnl_memory_desc_t *md, const reha_layout **out,
                              reha_error *err)
{
    dnnl_memory_desc_t *copy = reha_alloc(sizeof *copy);

    *out = NULL;
    if (copy == NULL) {
        return reha_dnn_no_memory_(err);
    }
    *copy = *md;
    REHA_TRY(reha_dnn_own_(dnn, OWNED_BLOCK, copy, err));
    *out = (const reha_layout *)(const void *)copy;
    return REHA_OK;
}

/* oneDNN declares its dims as arrays of 12 whatever the rank. */
static void copy_dims(int rank, const int64_t *dims, dnnl_dims_t out)
{
    memset(out, 0, sizeof(dnnl_dims_t));
    memcpy(out, dims, (size_t)rank * sizeof *dims);
}

reha_status reha_dnn_make_md_(int rank, const int64_t *dims, dnnl_data_type_t type, reha_order order,
                              dnnl_memory_desc_t *out, reha_error *err)
{
    static const dnnl_format_tag_t plain[] = {
        dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde};
    dnnl_format_tag_t tag = dnnl_format_tag_any;
    dnnl_dims_t full;

    if (rank < 1 || rank > REHA_DNN_DIMS_MAX) {
        return reha_fail(err, REHA_E_INTERNAL, "a tensor of rank %d", rank);
    }
    if (order == REHA_ORDER_PLAIN || (order == REHA_ORDER_NHWC && rank != 4)) {
        tag = plain[rank];
    } else if (order == REHA_ORDER_NHWC) {
        tag = dnnl_acdb;
    } else if (order == REHA_ORDER_BLOCKED) {
        tag = dnnl_aBcd16b;
    }
    copy_dims(rank, dims, full);
    return reha_dnn_check_(dnnl_memory_desc_init_by_tag(out, rank, full, type, tag), "a tensor shape", err);
}

reha_status reha_dnn_layout(reha_dnn *dnn, int rank, const int64_t *dims, dnnl_data_type_t type,
                            reha_order order, const reha_layout **out, reha_error *err)
{
    dnnl_memory_desc_t md;
    *out = NULL;
    REHA_TRY(reha_dnn_make_md_(rank, dims, type, order, &md, err));
    return own_layout(dnn, &md, out, err);
}

reha_status reha_dnn_layout_strided(reha_dnn *dnn, int rank, const int64_t *dims, dnnl_data_type_t type,
                                    const int64_t *strides, const reha_layout **out, reha_error *err)
{
    dnnl_memory_desc_t md;
    dnnl_dims_t full_dims, full_strides;

    *out = NULL;
    if (rank < 1 || rank > REHA_DNN_DIMS_MAX) {
        return reha_fail(err, REHA_E_INTERNAL, "a tensor of rank %d", rank);
    }
    copy_dims(rank, dims, full_dims);
    copy_dims(rank, strides, full_strides);
    REHA_TRY(reha_dnn_check_(dnnl_memory_desc_init_by_strides(&md, rank, full_dims, type, full_strides),
                             "a tensor layout", err));
    return own_layout(dnn, &md, out, err);
}

reha_status reha_dnn_layout_part(reha_dnn *dnn, const reha_layout *parent, const int64_t *dims,
                                 const int64_t *offsets, const reha_layout **out, reha_error *err)
{
    const int rank = reha_dnn_md_(parent)->ndims;
    dnnl_memory_desc_t md;
    dnnl_dims_t full_dims, full_offsets;

    *out = NULL;
    copy_dims(rank, dims, full_dims);
    copy_dims(rank, offsets, full_offsets);
    REHA_TRY(
        reha_dnn_check_(dnnl_memory_desc_init_submemory(&md, reha_dnn_md_(parent), full_dims, full_offsets),
                        "a part of a tensor", err));
    return own_layout(dnn, &md, out, err);
}

size_t reha_layout_bytes(const reha_layout *layout)
{
    return dnnl_memory_desc_get_size(reha_dnn_md_(layout));
}

bool reha_layout_equal(const reha_layout *a, const reha_layout *b)
{
    return dnnl_memory_desc_equal(reha_dnn_md_(a), reha_dnn_md_(b)) != 0;
}

reha_status reha_dnn_memory(reha_dnn *dnn, const reha_layout *layout, void *data, reha_memory **out,
                            reha_error *err)
{
    reha_status status;
    reha_memory *memory = reha_alloc_zero(1, sizeof *memory);

    *out = NULL;
    if (memory == NULL) {
        return reha_dnn_no_memory_(err);
    }
    memory->layout = layout;
    memory->data = data;
    status = reha_dnn_check_(dnnl_memory_create(&memory->handle, reha_dnn_md_(layout), dnn->engine,
                                                data != NULL ? data : DNNL_MEMORY_NONE),
                             "a memory object", err);
    if (status != REHA_OK) {
        reha_free(memory);
        return status;
    }
    REHA_TRY(reha_dnn_own_(dnn, OWNED_MEMORY, memory, err));
    *out = memory;
    return REHA_OK;
}

reha_status reha_dnn_memory_alloc(reha_dnn *dnn, const reha_layout *layout, reha_memory **out,
                                  reha_error *err)
{
    const size_t bytes = reha_layout_bytes(layout);

    REHA_TRY(reha_dnn_memory(dnn, layout, NULL, out, err));
    (*out)->data = reha_alloc_aligned(bytes);
    if ((*out)->data == NULL) {
        *out = NULL;
        return reha_dnn_no_memory_(err);
    }
    (*out)->owns_data = true;
    memset((*out)->data, 0, bytes);
    dnn->data_bytes += bytes;
    return reha_dnn_check_(dnnl_memory_set_data_handle((*out)->handle, (*out)->data), "a memory handle", err);
}

void reha_memory_set_data(reha_memory *memory, void *data)
{
    if (memory->data != data) {
        memory->data = data;
        (void)dnnl_memory_set_data_handle(memory->handle, data);
    }
}

void *reha_memory_data(const reha_memory *memory)
{
    return memory->data;
}

const reha_layout *reha_memory_layout(const reha_memory *memory)
{
    return memory->layout;
}

/* ---- running ---- */

reha_status reha_dnn_call(reha_dnn *dnn, const reha_primitive *primitive, const reha_call_arg *args,
                          int count, reha_call **out, reha_error *err)
{
    const dnnl_memory_desc_t *scratch =
        dnnl_primitive_desc_query_md(primitive->desc, dnnl_query_scratchpad_md, 0);
    reha_call *call;

    *out = NULL;
    if (count < 1 || count >= REHA_DNN_ARGS_MAX) {
        return reha_fail(err, REHA_E_INTERNAL, "a call with %d arguments", count);
    }
    call = reha_alloc_zero(1, sizeof *call);
    if (call == NULL) {
        return reha_dnn_no_memory_(err);
    }
    call->dnn = dnn;
    call->primitive = primitive;
    call->count = count;
    for (int i = 0; i < count; i++) {
        call->args[i] = (dnnl_exec_arg_t){.arg = args[i].arg, .memory = args[i].memory->handle};
    }
    REHA_TRY(reha_dnn_own_(dnn, OWNED_BLOCK, call, err));
    if (scratch != NULL && dnnl_memory_desc_get_size(scratch) > 0) {
        REHA_TRY(reha_dnn_memory(dnn, (const reha_layout *)(const void *)scratch, NULL, &call->scratch, err));
        call->args[call->count++] =
            (dnnl_exec_arg_t){.arg = DNNL_ARG_SCRATCHPAD, .memory = call->scratch->handle};
    }
    *out = call;
    return REHA_OK;
}

/* Primitives may be added after the first run: the shared scratchpad grows when one needs more. */
static reha_status ready_scratch(reha_dnn *dnn, reha_error *err)
{
    if (dnn->scratch_bytes < dnn->scratch_wanted_bytes) {
        void *scratch = reha_alloc_aligned(dnn->scratch_wanted_bytes);
        if (scratch == NULL) {
            return reha_dnn_no_memory_(err);
        }
        reha_free(dnn->scratch);
        dnn->scratch = scratch;
        dnn->scratch_bytes = dnn->scratch_wanted_bytes;
    }
    return REHA_OK;
}

reha_status reha_call_run(reha_call *call, reha_error *err)
{
    reha_dnn *dnn = call->dnn;

    if (call->scratch != NULL) {
        REHA_TRY(ready_scratch(dnn, err));
        reha_memory_set_data(call->scratch, dnn->scratch);
    }
    return reha_dnn_check_(
        dnnl_primitive_execute(call->primitive->handle, dnn->stream, call->count, call->args),
        "running an operator", err);
}

const reha_primitive *reha_call_primitive(const reha_call *call)
{
    return call->primitive;
}

reha_status reha_dnn_reorder_call(reha_dnn *dnn, reha_memory *from, reha_memory *to, reha_call **out,
                                  reha_error *err)
{
    const reha_call_arg args[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    reha_primitive *reorder = NULL;

    *out = NULL;
    REHA_TRY(reha_dnn_reorder(dnn, from->layout, to->layout, NULL, &reorder, err));
    return reha_dnn_call(dnn, reorder, args, 2, out, err);
}
