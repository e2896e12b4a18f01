/*
 * half.h - what a 16-bit float is worth
 *
 * Sign, 5 bits of exponent, 10 of mantissa. Put where a double has them, with its exponent off by 1023 - 15, which one exact
 * multiplication puts right; numbers below 2^-14 come out of it, too. Source: IEEE 754, binary16. Threads: pure.
 */
#ifndef PN_BASE_HALF_H
#define PN_BASE_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline double pn_half_value(uint16_t half)
{
    uint64_t bits = (uint64_t)(half & 0x7FFFu) << 42;
    double magnitude;
    memcpy(&magnitude, &bits, sizeof magnitude);
    if ((half & 0x7C00u) == 0x7C00u)
        magnitude = half & 0x3FFu ? (double)NAN : (double)INFINITY;
    else
        magnitude *= 0x1p1008;
    return half & 0x8000u ? -magnitude : magnitude;
}

#endif
