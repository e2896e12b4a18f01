/*
 * distance_avx2.c - dot products and squared distances with 8 lanes
 *
 *     instruction        Zen 3/4           Skylake
 *     vfmadd ymm         2 a cycle, 4      2 a cycle, 4 cycles latency
 *     vmovups ymm        2 a cycle         2 a cycle
 *
 * Latency x throughput asks for 8 independent sums; the two loads per FMA are the tighter bound, and 4 sums cover it.
 * The one-to-many kernels take two rows at once and so load the query half as often; each row keeps its own four
 * sums in the same order as the one-to-one kernel, which makes the results equal bit for bit.
 * Tails of less than 8 values are loaded under a mask: masked lanes read nothing and count as zero.
 */
#if !defined(__AVX2__) || !defined(__FMA__)
#    error "build this file with -mavx2 -mfma"
#endif
#include "kernels/internal.h"

#include <immintrin.h>
#include <math.h>

enum { LANES = 8, SUMS = 4, STEP = LANES * SUMS };

/* The first n of 8 lanes, n in [0, 8]. */
static inline __m256i mask_of(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline float sum_of(const __m256 *s)
{
    __m256 all = _mm256_add_ps(_mm256_add_ps(s[0], s[1]), _mm256_add_ps(s[2], s[3]));
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    half = _mm_add_ss(half, _mm_shuffle_ps(half, half, 1));
    return _mm_cvtss_f32(half);
}

static inline __m256 term(__m256 sum, __m256 a, __m256 b, bool squared_difference)
{
    if (!squared_difference)
        return _mm256_fmadd_ps(a, b, sum);
    __m256 d = _mm256_sub_ps(a, b);
    return _mm256_fmadd_ps(d, d, sum);
}

/* n_rows (1 or 2, a constant where this is inlined) sums of a against rows that lie dim apart. */
static PN_ALWAYS_INLINE void reduce(float *out, const float *a, const float *rows, size_t n,
                                    const int n_rows, const bool l2)
{
    __m256 s[2][SUMS];
    for (int r = 0; r < 2; r++)
        for (int j = 0; j < SUMS; j++)
            s[r][j] = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + STEP <= n; i += STEP) {
        PN_UNROLL for (int j = 0; j < SUMS; j++)
        {
            __m256 q = _mm256_loadu_ps(a + i + LANES * (size_t)j);
            PN_UNROLL for (int r = 0; r < n_rows; r++)
            {
                __m256 b = _mm256_loadu_ps(rows + (size_t)r * n + i + LANES * (size_t)j);
                s[r][j] = term(s[r][j], q, b, l2);
            }
        }
    }
    for (; i < n; i += LANES) {
        __m256i mask = mask_of(PN_MIN(n - i, (size_t)LANES));
        __m256 q = _mm256_maskload_ps(a + i, mask);
        PN_UNROLL for (int r = 0; r < n_rows; r++)
        {
            __m256 b = _mm256_maskload_ps(rows + (size_t)r * n + i, mask);
            s[r][0] = term(s[r][0], q, b, l2);
        }
    }
    for (int r = 0; r < n_rows; r++)
        out[r] = sum_of(s[r]);
}

static float dot(const float *a, const float *b, size_t n)
{
    float out;
    reduce(&out, a, b, n, 1, false);
    return out;
}

static float l2sq(const float *a, const float *b, size_t n)
{
    float out;
    reduce(&out, a, b, n, 1, true);
    return out;
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
    size_t i = 0;
    for (; i + 2 <= n_rows; i += 2)
        reduce(out + i, query, rows + i * dim, dim, 2, false);
    if (i < n_rows)
        out[i] = dot(query, rows + i * dim, dim);
}

static void l2sq_many(float *out, const float *query, const float *rows, size_t n_rows, size_t dim)
{
    size_t i = 0;
    for (; i + 2 <= n_rows; i += 2)
        reduce(out + i, query, rows + i * dim, dim, 2, true);
    if (i < n_rows)
        out[i] = l2sq(query, rows + i * dim, dim);
}

void pn_distance_init_avx2(pn_kernels *k)
{
    k->dot_f32 = dot;
    k->l2sq_f32 = l2sq;
    k->norm_f32 = norm;
    k->normalise_f32 = normalise;
    k->dot_many_f32 = dot_many;
    k->l2sq_many_f32 = l2sq_many;
}
