/* Heap memory: the only door to malloc, so that tests can count blocks and make allocations fail. */
#ifndef REHA_BASE_MEMORY_H
#define REHA_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* For a process that will open models: to be called once, when it begins, before it has threads. The first
 * 128 MiB of the heap, and single blocks from 32 MiB, lie in large pages where the system lends them on
 * request (a virtual machine takes a third longer over small ones), and what was freed is used again before
 * the system is asked for more. Costs address space, no memory; does nothing where the C library's heap is
 * another one (sanitizers). */
void reha_mem_expect_models(void);

/* All return NULL when memory is out (or a test asked for it). Size 0 gives a unique block.
 * Every block, from any of these, ends with reha_free. Any thread. */
void *reha_alloc(size_t size_bytes);
void *reha_alloc_zero(size_t count, size_t size_bytes);
void *reha_realloc(void *block, size_t size_bytes); /* on failure the old block stays valid */
void *reha_alloc_aligned(size_t size_bytes);        /* 64 byte aligned, not zeroed */
char *reha_strdup(const char *text);
char *reha_strndup(const char *text, size_t length);
void reha_free(void *block); /* NULL is fine */

/* a * b into *out; false (and *out = 0) on overflow. */
bool reha_mul_size(size_t a, size_t b, size_t *out);
bool reha_add_size(size_t a, size_t b, size_t *out);

/* Test hooks. The n-th allocation from now fails (0 = the next), and all after it; -1 turns it off. */
void reha_mem_fail_after(long n);
size_t reha_mem_live_blocks(void);
/* Peak resident set of this process in bytes, 0 if unknown. */
size_t reha_mem_peak_rss_bytes(void);

#endif
