/* What the files behind onednn_priv.h share: the context, compiled operators, and how a status of oneDNN
 * becomes one of ours. Only onednn*.c include it. */
#ifndef REHA_NN_ONEDNN_PARTS_PRIV_H
#define REHA_NN_ONEDNN_PARTS_PRIV_H

#include "nn/onednn_priv.h"

#if DNNL_VERSION_MAJOR != 2
#error "written for oneDNN 2.x; 3.x drops operation descriptors: see the notes marked 3.x"
#endif

typedef enum owned_kind { OWNED_BLOCK, OWNED_PRIMITIVE, OWNED_MEMORY } owned_kind;

typedef struct owned {
    owned_kind kind;
    void *item;
} owned;

struct reha_dnn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int threads;
    owned *items;
    size_t item_count, item_capacity;
    size_t data_bytes;
    void *scratch;
    size_t scratch_bytes, scratch_wanted_bytes;
};

struct reha_primitive {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t handle;
};

/* In 2.x a layout is a heap copy of the descriptor, or the one inside a primitive descriptor; in 3.x
 * it would be the opaque handle itself. Either way it is only ever seen through this cast. */
static inline const dnnl_memory_desc_t *reha_dnn_md_(const reha_layout *layout)
{
    return (const dnnl_memory_desc_t *)(const void *)layout;
}

/* REHA_OK, or a fault that names `what` was refused. */
reha_status reha_dnn_check_(dnnl_status_t code, const char *what, reha_error *err);
reha_status reha_dnn_no_memory_(reha_error *err);
/* The context takes the item, or destroys it at once when the list cannot grow. */
REHA_MUST_USE reha_status reha_dnn_own_(reha_dnn *dnn, owned_kind kind, void *item, reha_error *err);

/* The descriptor of a dense tensor. */
REHA_MUST_USE reha_status reha_dnn_make_md_(int rank, const int64_t *dims, dnnl_data_type_t type,
                                            reha_order order, dnnl_memory_desc_t *out, reha_error *err);

#endif
