#include "base/random.h"

#include <assert.h>
#include <math.h>

static const double TWO_PI = 6.283185307179586;

reha_random reha_random_init(uint64_t seed, uint64_t stream)
{
    reha_random random = {0, stream << 1 | 1};
    (void)reha_random_u32(&random);
    random.state += seed;
    (void)reha_random_u32(&random);
    return random;
}

uint32_t reha_random_u32(reha_random *random)
{
    const uint64_t old = random->state;
    random->state = old * 6364136223846793005ULL + random->stream;
    const uint32_t mixed = (uint32_t)((old >> 18 ^ old) >> 27);
    const uint32_t turn = (uint32_t)(old >> 59);
    return mixed >> turn | mixed << ((32 - turn) & 31);
}

uint32_t reha_random_below(reha_random *random, uint32_t bound)
{
    assert(bound > 0);
    /* Rejecting the short first part makes all results equally likely. */
    const uint32_t least = (0U - bound) % bound;
    for (;;) {
        const uint32_t value = reha_random_u32(random);
        if (value >= least) {
            return value % bound;
        }
    }
}

double reha_random_unit(reha_random *random)
{
    const uint64_t high = reha_random_u32(random) >> 5;
    const uint64_t low = reha_random_u32(random) >> 6;
    return (double)(high << 26 | low) / 9007199254740992.0;
}

double reha_random_range(reha_random *random, double low, double high)
{
    return low + (high - low) * reha_random_unit(random);
}

double reha_random_normal(reha_random *random)
{
    const double radius = sqrt(-2.0 * log(1.0 - reha_random_unit(random)));
    return radius * cos(TWO_PI * reha_random_unit(random));
}

void reha_random_shuffle(reha_random *random, size_t *items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        const size_t j = reha_random_below(random, (uint32_t)i);
        const size_t item = items[i - 1];
        items[i - 1] = items[j];
        items[j] = item;
    }
}
