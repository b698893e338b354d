#include "base/memory.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    ALIGNMENT_BYTES = 64,
    LARGE_PAGE_BYTES = 2 << 20,
    OWN_MAPPING_BYTES =
        32 << 20, /* blocks from here on are no part of the heap: the most that malloc allows */
    RESERVED_BYTES = 128 << 20,
    GROWTH_BYTES = 4 << 20 /* of the heap beyond that */
};

/* Counters of the test hooks: the only state of this room besides the log sink. */
static atomic_long fail_after = -1;
static atomic_size_t live_blocks;

static bool must_fail(void)
{
    long left = atomic_load_explicit(&fail_after, memory_order_relaxed);
    if (left < 0) {
        return false;
    }
    while (left > 0) {
        if (atomic_compare_exchange_weak(&fail_after, &left, left - 1)) {
            return false;
        }
    }
    return left == 0;
}

/* The whole large pages of a stretch of memory. Only a wish: where it is not granted, nothing changes. */
static void wish_large_pages(void *begin, size_t size_bytes)
{
    const uintptr_t from = ((uintptr_t)begin + LARGE_PAGE_BYTES - 1) / LARGE_PAGE_BYTES * LARGE_PAGE_BYTES;
    const uintptr_t to = ((uintptr_t)begin + size_bytes) / LARGE_PAGE_BYTES * LARGE_PAGE_BYTES;
    if (to > from) {
        (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
    }
}

void reha_mem_expect_models(void)
{
    enum { PROBE_BYTES = 1 << 20 };
    char *const old_end = sbrk(0);
    (void)mallopt(M_MMAP_THRESHOLD, OWN_MAPPING_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, 2 * RESERVED_BYTES);
    (void)mallopt(M_TOP_PAD, RESERVED_BYTES);
    void *volatile probe = malloc(PROBE_BYTES); /* the heap grows by this and by what was asked for above */
    free(probe);                                /* volatile: compilers leave out what nobody looks at */
    (void)mallopt(M_TOP_PAD, GROWTH_BYTES);
    char *const new_end = sbrk(0);
    if (new_end != (void *)-1 && old_end != (void *)-1 && new_end > old_end) {
        wish_large_pages(old_end, (size_t)(new_end - old_end));
    }
}

static void *count_block(void *block, size_t size_bytes)
{
    if (block != NULL && size_bytes >= OWN_MAPPING_BYTES) {
        wish_large_pages(block, size_bytes);
    }
    if (block != NULL) {
        atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    }
    return block;
}

void *reha_alloc(size_t size_bytes)
{
    return must_fail() ? NULL : count_block(malloc(size_bytes > 0 ? size_bytes : 1), size_bytes);
}

void *reha_alloc_zero(size_t count, size_t size_bytes)
{
    size_t total_bytes;
    if (!reha_mul_size(count, size_bytes, &total_bytes) || must_fail()) {
        return NULL;
    }
    return count_block(calloc(1, total_bytes > 0 ? total_bytes : 1), total_bytes);
}

void *reha_realloc(void *block, size_t size_bytes)
{
    if (block == NULL) {
        return reha_alloc(size_bytes);
    }
    return must_fail() ? NULL : realloc(block, size_bytes > 0 ? size_bytes : 1);
}

void *reha_alloc_aligned(size_t size_bytes)
{
    size_t padded_bytes;
    void *block = NULL;
    if (!reha_add_size(size_bytes, ALIGNMENT_BYTES, &padded_bytes) || must_fail() ||
        posix_memalign(&block, ALIGNMENT_BYTES, padded_bytes) != 0) {
        return NULL;
    }
    return count_block(block, padded_bytes);
}

char *reha_strndup(const char *text, size_t length)
{
    size_t size_bytes;
    if (!reha_add_size(length, 1, &size_bytes)) {
        return NULL;
    }
    char *copy = reha_alloc(size_bytes);
    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

char *reha_strdup(const char *text)
{
    return reha_strndup(text, strlen(text));
}

void reha_free(void *block)
{
    if (block != NULL) {
        atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
        free(block);
    }
}

bool reha_mul_size(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b) {
        *out = 0;
        return false;
    }
    *out = a * b;
    return true;
}

bool reha_add_size(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b) {
        *out = 0;
        return false;
    }
    *out = a + b;
    return true;
}

void reha_mem_fail_after(long n)
{
    atomic_store(&fail_after, n);
}

size_t reha_mem_live_blocks(void)
{
    return atomic_load(&live_blocks);
}

size_t reha_mem_peak_rss_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
}
