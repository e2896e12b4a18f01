/*
 * kernels.h - arithmetic on plain arrays: one struct of function pointers
 *
 * pn_kernels_get() returns the table for this processor, filled once, low to high: every instruction set overwrites
 * the entries it does better, and what it leaves alone stays portable. Callers fetch the pointer outside their loops.
 *
 * All kernels are pure: no allocation, no errors, no threads, any length (also 0), any alignment, tails handled
 * inside, nothing read or written outside the arrays. Outputs come first, as in memcpy; an output may be the same
 * array as an input where this is said, and may not overlap it otherwise.
 *
 * Accuracy classes, against the same sum in double:
 *
 *     exact      the same bits on every level
 *     reduction  |error| <= 1e-6 x sum of |terms| x (1 + n / 65536): the order of the additions is the level's own
 *     pointwise  |error| <= 1e-6 x max(1, |x|) for every value
 *
 * Within one level everything is deterministic, and results do not depend on how a call is cut: dot_many_f32 gives
 * bit for bit what dot_f32 gives, and a row of a product is the same whatever other rows it is computed with.
 *
 * Threads: the table is immutable after the first call; all kernels may run anywhere.
 */
#ifndef PN_KERNELS_KERNELS_H
#define PN_KERNELS_KERNELS_H

#include "base/compiler.h"

typedef struct pn_kernels {
    const char
        *level; /* "portable", "avx2", "avx512", "neon": the highest that wrote into the table */

    /* ---- distance. Class: reduction. Sums run over n values; vectors need not be normalised. */

    /* Sum of a[i] * b[i]. */
    float (*dot_f32)(const float *a, const float *b, size_t n);
    /* Sum of (a[i] - b[i])^2. */
    float (*l2sq_f32)(const float *a, const float *b, size_t n);
    /* Square root of the sum of a[i]^2. */
    float (*norm_f32)(const float *a, size_t n);
    /* out[i] = query . rows[i], rows [n_rows][dim] contiguous: the inner loop of exact search. Bound by memory. */
    void (*dot_many_f32)(float *out, const float *query, const float *rows, size_t n_rows,
                         size_t dim);
    /* out[i] = |query - rows[i]|^2. */
    void (*l2sq_many_f32)(float *out, const float *query, const float *rows, size_t n_rows,
                          size_t dim);
} pn_kernels;

/* The table for this processor, at most as high as PN_CPU (portable|avx2|avx512|neon) allows. */
const pn_kernels *pn_kernels_get(void);

/* Fill *out with the table of one level, for tests that compare them. False when this processor (or this build) does
 * not have the level, or its name is unknown. PN_CPU does not matter here. */
PN_NODISCARD bool pn_kernels_init_level(pn_kernels *out, const char *level);

#endif
