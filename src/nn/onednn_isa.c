/* What this CPU offers. */
#include "nn/onednn_parts_priv.h"

#include "nn/session.h"

typedef struct isa_row {
    dnnl_cpu_isa_t isa;
    const char *name;
} isa_row;

/* Best first; a CPU has a set if all its bits are there. */
static const isa_row isa_rows[] = {{dnnl_cpu_isa_avx512_core_amx, "avx512_amx"},
                                   {dnnl_cpu_isa_avx512_core_bf16, "avx512_bf16"},
                                   {dnnl_cpu_isa_avx512_core_vnni, "avx512_vnni"},
                                   {dnnl_cpu_isa_avx512_core, "avx512"},
                                   {dnnl_cpu_isa_avx2_vnni, "avx2_vnni"},
                                   {dnnl_cpu_isa_avx2, "avx2"},
                                   {dnnl_cpu_isa_avx, "avx"},
                                   {dnnl_cpu_isa_sse41, "sse41"}};

static bool has_isa(dnnl_cpu_isa_t isa)
{
    return ((unsigned)dnnl_get_effective_cpu_isa() & (unsigned)isa) == (unsigned)isa;
}

bool reha_dnn_has_blocked(void)
{
    return has_isa(dnnl_cpu_isa_avx512_core);
}

bool reha_precision_is_fast(reha_precision precision)
{
    switch (precision) {
    case REHA_F32:
        return true;
    case REHA_BF16:
        return has_isa(dnnl_cpu_isa_avx512_core_bf16);
    case REHA_INT8:
        return has_isa(dnnl_cpu_isa_avx512_core_vnni) || has_isa(dnnl_cpu_isa_avx2_vnni);
    }
    return false;
}

const char *reha_precision_name(reha_precision precision)
{
    switch (precision) {
    case REHA_F32:
        return "f32";
    case REHA_BF16:
        return "bf16";
    case REHA_INT8:
        return "int8";
    }
    return "unknown";
}

const char *reha_nn_isa(void)
{
    for (size_t i = 0; i < sizeof isa_rows / sizeof isa_rows[0]; i++) {
        if (has_isa(isa_rows[i].isa)) {
            return isa_rows[i].name;
        }
    }
    return "baseline";
}
