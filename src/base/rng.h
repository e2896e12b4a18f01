/*
 * rng.h - seeded random numbers: tests, sampling, k-means
 *
 * SplitMix64 (Steele, Lea, Flood 2014): one 64-bit state, passes BigCrush, and any seed is a good seed, so that
 * streams split by adding a constant to it. Never for secrets. Threads: one pn_rng per thread.
 */
#ifndef PN_BASE_RNG_H
#define PN_BASE_RNG_H

#include "base/compiler.h"

__extension__ typedef unsigned __int128 pn_u128;

typedef struct pn_rng {
    uint64_t state;
} pn_rng;

static inline pn_rng pn_rng_seed(uint64_t seed)
{
    return (pn_rng){seed};
}

static inline uint64_t pn_rng_u64(pn_rng *rng)
{
    uint64_t z = (rng->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* In [0, n), n >= 1; the bias is below n / 2^64. */
static inline uint64_t pn_rng_below(pn_rng *rng, uint64_t n)
{
    return (uint64_t)(((pn_u128)pn_rng_u64(rng) * n) >> 64);
}

/* In [0, 1). */
static inline double pn_rng_unit(pn_rng *rng)
{
    return (double)(pn_rng_u64(rng) >> 11) * 0x1.0p-53;
}

/* Standard normal. */
double pn_rng_normal(pn_rng *rng);

#endif
