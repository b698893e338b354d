/* IEEE 754 binary16, as weight files store it. */
#ifndef REHA_NN_HALF_PRIV_H
#define REHA_NN_HALF_PRIV_H

#include <stdint.h>
#include <string.h>

static inline float reha_half_to_float(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 0x1fu;
    uint32_t fraction = half & 0x3ffu;
    uint32_t bits = sign;
    if (exponent == 31) {
        bits |= 0x7f800000u | fraction << 13;
    } else if (exponent != 0) {
        bits |= (exponent + 112) << 23 | fraction << 13;
    } else if (fraction != 0) { /* subnormal there, normal here */
        exponent = 113;
        while ((fraction & 0x400u) == 0) {
            fraction <<= 1;
            exponent--;
        }
        bits |= exponent << 23 | (fraction & 0x3ffu) << 13;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Round to nearest even; beyond the largest half: infinity. */
static inline uint16_t reha_float_to_half(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) {
        return (uint16_t)(sign | 0x7e00u);
    }
    if (bits >= 0x477ff000u) {
        return (uint16_t)(sign | 0x7c00u);
    }
    if (bits < 0x38800000u) { /* subnormal or zero: let the adder of a float do the rounding */
        float magnitude;
        memcpy(&magnitude, &bits, sizeof magnitude);
        magnitude += 0.5F;
        memcpy(&bits, &magnitude, sizeof bits);
        return (uint16_t)(sign | (uint16_t)(bits - 0x3f000000u));
    }
    const uint32_t odd = bits >> 13 & 1u;
    bits += 0xfffu + odd;
    return (uint16_t)(sign | (uint16_t)((bits - 0x38000000u) >> 13));
}

#endif
