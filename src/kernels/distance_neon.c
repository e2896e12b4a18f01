/*
 * distance_neon.c - dot products and squared distances with 4 lanes
 *
 * Eight sums of four lanes: fused multiply-adds take 4 cycles on Neoverse and Apple cores, two to four start in a
 * cycle. Tails go through a zero-filled copy, so that a row's result does not depend on where it lies.
 */
#if !defined(__ARM_NEON)
#    error "this file is for 64-bit Arm"
#endif
#include "kernels/internal.h"

#include <arm_neon.h>
#include <math.h>
#include <string.h>

enum { LANES = 4, SUMS = 8, STEP = LANES * SUMS };

static inline float32x4_t term(float32x4_t sum, float32x4_t a, float32x4_t b, bool l2)
{
    if (!l2)
        return vfmaq_f32(sum, a, b);
    float32x4_t d = vsubq_f32(a, b);
    return vfmaq_f32(sum, d, d);
}

static PN_ALWAYS_INLINE float reduce(const float *a, const float *b, size_t n, const bool l2)
{
    float32x4_t s[SUMS];
    for (int j = 0; j < SUMS; j++)
        s[j] = vdupq_n_f32(0);
    size_t i = 0;
    for (; i + STEP <= n; i += STEP) {
        PN_UNROLL for (int j = 0; j < SUMS; j++) s[j] =
            term(s[j], vld1q_f32(a + i + LANES * j), vld1q_f32(b + i + LANES * j), l2);
    }
    for (; i + LANES <= n; i += LANES)
        s[0] = term(s[0], vld1q_f32(a + i), vld1q_f32(b + i), l2);
    if (i < n) {
        float ta[LANES] = {0}, tb[LANES] = {0};
        memcpy(ta, a + i, (n - i) * sizeof *a);
        memcpy(tb, b + i, (n - i) * sizeof *b);
        s[1] = term(s[1], vld1q_f32(ta), vld1q_f32(tb), l2);
    }
    for (int j = SUMS / 2; j > 0; j /= 2)
        for (int r = 0; r < j; r++)
            s[r] = vaddq_f32(s[r], s[r + j]);
    return vaddvq_f32(s[0]);
}

static float dot(const float *a, const float *b, size_t n)
{
    return reduce(a, b, n, false);
}

static float l2sq(const float *a, const float *b, size_t n)
{
    return reduce(a, b, n, true);
}

static float norm(const float *a, size_t n)
{
    return sqrtf(dot(a, a, n));
}

static float normalise(float *x, size_t n)
{
    float length = norm(x, n);
    for (size_t i = 0; length > 0 && i < n; i++)
        x[i] /= length;
    return length;
}

static void dot_many(float *out, const float *query, const float *rows, size_t n_rows, size_t dim)
{
    for (size_t i = 0; i < n_rows; i++)
        out[i] = reduce(query, rows + i * dim, dim, false);
}

static void l2sq_many(float *out, const float *query, const float *rows, size_t n_rows, size_t dim)
{
    for (size_t i = 0; i < n_rows; i++)
        out[i] = reduce(query, rows + i * dim, dim, true);
}

void pn_distance_init_neon(pn_kernels *k)
{
    k->dot_f32 = dot;
    k->l2sq_f32 = l2sq;
    k->norm_f32 = norm;
    k->normalise_f32 = normalise;
    k->dot_many_f32 = dot_many;
    k->l2sq_many_f32 = l2sq_many;
}
