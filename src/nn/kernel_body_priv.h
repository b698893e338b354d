/* What kernels.c and kernels_map.c share: bodies compiled for several instruction sets, bf16. */
#ifndef REHA_NN_KERNEL_BODY_PRIV_H
#define REHA_NN_KERNEL_BODY_PRIV_H

#include "nn/kernels_priv.h"

#include <string.h>

typedef void reha_kernel_fn(const void *args, int64_t begin, int64_t end, int part);

/* Ranges depend on `threads` only, not on how many threads the run time really grants. */
void reha_kernel_run(reha_kernel_fn *fn, const void *args, int64_t items, int64_t values_per_item,
                     int threads);

/* One body, three instruction sets. Function multi-versioning by ifunc would be shorter, but its
 * resolvers run before the sanitizers are ready. */
#if defined(__x86_64__)
#define KERNEL(name)                                                                                         \
    static void name##_base(const void *args, int64_t begin, int64_t end, int part)                          \
    {                                                                                                        \
        name##_body(args, begin, end, part);                                                                 \
    }                                                                                                        \
    __attribute__((target("avx2,fma"))) static void name##_avx2(const void *args, int64_t begin,             \
                                                                int64_t end, int part)                       \
    {                                                                                                        \
        name##_body(args, begin, end, part);                                                                 \
    }                                                                                                        \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))) static void name##_avx512(             \
        const void *args, int64_t begin, int64_t end, int part)                                              \
    {                                                                                                        \
        name##_body(args, begin, end, part);                                                                 \
    }                                                                                                        \
    static reha_kernel_fn *name(void)                                                                        \
    {                                                                                                        \
        if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&                      \
            __builtin_cpu_supports("avx512vl")) {                                                            \
            return name##_avx512;                                                                            \
        }                                                                                                    \
        return __builtin_cpu_supports("avx2") ? name##_avx2 : name##_base;                                   \
    }
#else
#define KERNEL(name)                                                                                         \
    static void name##_base(const void *args, int64_t begin, int64_t end, int part)                          \
    {                                                                                                        \
        name##_body(args, begin, end, part);                                                                 \
    }                                                                                                        \
    static reha_kernel_fn *name(void)                                                                        \
    {                                                                                                        \
        return name##_base;                                                                                  \
    }
#endif
/* Outputs may be inputs (same place, same index): tell the vectoriser that this is no dependence. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* loops with expf stay scalar */
#define IN_PLACE_OK _Pragma("clang loop vectorize(assume_safety)")
#else
#define IN_PLACE_OK _Pragma("GCC ivdep")
#endif
#define BODY static inline __attribute__((always_inline)) void

/* ---- values ---- */

static inline __attribute__((always_inline)) float get(const void *data, int64_t i, bool half)
{
    float value;
    if (half) {
        const uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    return ((const float *)data)[i];
}

/* To bf16: nearest, ties to even. */
static inline __attribute__((always_inline)) void put(void *data, int64_t i, bool half, float value)
{
    if (half) {
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        bits += 0x7fffU + ((bits >> 16) & 1U);
        ((uint16_t *)data)[i] = (uint16_t)(bits >> 16);
    } else {
        ((float *)data)[i] = value;
    }
}

static inline __attribute__((always_inline)) void *at(reha_span span, int64_t i)
{
    return (char *)span.data + i * (span.half ? 2 : 4);
}

#endif
