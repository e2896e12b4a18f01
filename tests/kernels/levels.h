/*
 * levels.h - run a check once for every level this machine has; arrays of seeded random numbers
 */
#ifndef PN_TESTS_KERNELS_LEVELS_H
#define PN_TESTS_KERNELS_LEVELS_H

#include "base/rng.h"
#include "kernels/kernels.h"
#include "support/guarded.h"

static const char *const levels[] = {"portable", "avx2", "avx512",  "avx512bf16",
                                     "amx",      "neon", "dotprod", "i8mm"};

static inline void for_every_level(void (*check)(const pn_kernels *k))
{
    for (size_t i = 0; i < PN_COUNT_OF(levels); i++) {
        pn_kernels k;
        if (pn_kernels_init_level(&k, levels[i]))
            check(&k);
    }
}

/* n normal numbers times scale, between guards; guarded_free(). */
static inline float *random_floats(size_t n, size_t shift, uint64_t seed, double scale)
{
    float *v = guarded_alloc(n * sizeof *v, shift);
    pn_rng rng = pn_rng_seed(seed);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(pn_rng_normal(&rng) * scale);
    return v;
}

#endif
