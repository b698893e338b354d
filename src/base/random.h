/* PCG32 random numbers (O'Neill 2014): small, fast, and the same on every machine. */
#ifndef REHA_BASE_RANDOM_H
#define REHA_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct reha_random {
    uint64_t state;
    uint64_t stream;
} reha_random; /* one thread at a time */

/* Different streams with one seed are independent sequences. */
reha_random reha_random_init(uint64_t seed, uint64_t stream);
uint32_t reha_random_u32(reha_random *random);
uint32_t reha_random_below(reha_random *random, uint32_t bound); /* [0, bound), bound > 0 */
double reha_random_unit(reha_random *random);                    /* [0, 1) */
double reha_random_range(reha_random *random, double low, double high);
double reha_random_normal(reha_random *random); /* mean 0, SD 1 */
void reha_random_shuffle(reha_random *random, size_t *items, size_t count);

#endif
