/*
 * activation_avx2.c - layer norm, softmax and the three gelus with 8 lanes
 *
 * Everything rests on 2^x: split x into a whole number, which goes into the exponent bits, and a rest in
 * [-1/2, 1/2], which goes through the polynomial of internal.h. Tails are loaded and stored under a mask; masked
 * lanes compute on zeros and are thrown away.
 */
#if !defined(__AVX2__) || !defined(__FMA__)
#    error "build this file with -mavx2 -mfma"
#endif
#include "kernels/internal.h"

#include <immintrin.h>
#include <math.h>

enum { LANES = 8 };

static inline __m256i mask_of(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)PN_MIN(n, (size_t)LANES)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline float sum_of(__m256 v)
{
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}

static inline float max_of(__m256 v)
{
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_shuffle_ps(half, half, 1)));
}

/* 2^(whole + rest), rest in [-1/2, 1/2]. whole is held within what two exponents can carry: the result reaches 0 and
 * infinity. min and max return their second operand for a NaN, so a NaN passes through rest. */
static inline __m256 exp2_split(__m256 whole, __m256 rest)
{
    __m256 p = _mm256_set1_ps(PN_EXP2[PN_EXP2_TERMS - 1]);
    for (int i = PN_EXP2_TERMS - 2; i >= 0; i--)
        p = _mm256_fmadd_ps(p, rest, _mm256_set1_ps(PN_EXP2[i]));
    p = _mm256_fmadd_ps(p, rest, _mm256_set1_ps(1.0f));
    __m256i n = _mm256_cvtps_epi32(
        _mm256_min_ps(_mm256_max_ps(whole, _mm256_set1_ps(-250.0f)), _mm256_set1_ps(250.0f)));
    __m256i half = _mm256_srai_epi32(n, 1);
    __m256i bias = _mm256_set1_epi32(127);
    __m256 scale1 = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    __m256 scale2 = _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(n, half), bias), 23));
    return _mm256_mul_ps(_mm256_mul_ps(p, scale1), scale2);
}

/* Finite or infinite x is held where the split is exact; a NaN comes out as a NaN. */
static inline __m256 held(__m256 x)
{
    return _mm256_max_ps(_mm256_set1_ps(-300.0f), _mm256_min_ps(_mm256_set1_ps(300.0f), x));
}

static inline __m256 exp2_of(__m256 x)
{
    x = held(x);
    __m256 whole = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return exp2_split(whole, _mm256_sub_ps(x, whole));
}

static inline __m256 exp_of(__m256 x)
{
    x = held(x);
    __m256 log2e = _mm256_set1_ps(PN_LOG2_E);
    __m256 whole =
        _mm256_round_ps(_mm256_mul_ps(x, log2e), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 rest = _mm256_fmsub_ps(x, log2e, whole);
    rest = _mm256_fmadd_ps(x, _mm256_set1_ps(PN_LOG2_E_REST), rest);
    return exp2_split(whole, rest);
}

static void layer_norm(float *out, const float *in, const float *weight, const float *bias,
                       size_t n, float eps)
{
    __m256 sum = _mm256_setzero_ps(), squares = _mm256_setzero_ps();
    for (size_t i = 0; i < n; i += LANES)
        sum = _mm256_add_ps(sum, _mm256_maskload_ps(in + i, mask_of(n - i)));
    float mean = n > 0 ? sum_of(sum) / (float)n : 0;
    __m256 means = _mm256_set1_ps(mean);
    for (size_t i = 0; i < n; i += LANES) {
        __m256i mask = mask_of(n - i);
        __m256 d = _mm256_sub_ps(_mm256_maskload_ps(in + i, mask), means);
        d = _mm256_and_ps(d, _mm256_castsi256_ps(mask));
        squares = _mm256_fmadd_ps(d, d, squares);
    }
    float variance = n > 0 ? sum_of(squares) / (float)n : 0;
    __m256 factor = _mm256_set1_ps(1.0f / sqrtf(variance + eps));
    for (size_t i = 0; i < n; i += LANES) {
        __m256i mask = mask_of(n - i);
        __m256 d = _mm256_sub_ps(_mm256_maskload_ps(in + i, mask), means);
        d = _mm256_fmadd_ps(_mm256_mul_ps(d, factor), _mm256_maskload_ps(weight + i, mask),
                            _mm256_maskload_ps(bias + i, mask));
        _mm256_maskstore_ps(out + i, mask, d);
    }
}

static void softmax(float *x, size_t n, float scale)
{
    __m256 low = _mm256_set1_ps(-INFINITY);
    __m256 most = low;
    for (size_t i = 0; i < n; i += LANES) {
        __m256i mask = mask_of(n - i);
        __m256 v = _mm256_maskload_ps(x + i, mask);
        most = _mm256_max_ps(most, _mm256_blendv_ps(low, v, _mm256_castsi256_ps(mask)));
    }
    __m256 top = _mm256_set1_ps(max_of(most));
    __m256 factor = _mm256_set1_ps(scale), sum = _mm256_setzero_ps();
    for (size_t i = 0; i < n; i += LANES) {
        __m256i mask = mask_of(n - i);
        __m256 v = _mm256_sub_ps(_mm256_maskload_ps(x + i, mask), top);
        v = exp_of(_mm256_mul_ps(v, factor));
        sum = _mm256_add_ps(sum, _mm256_and_ps(v, _mm256_castsi256_ps(mask)));
        _mm256_maskstore_ps(x + i, mask, v);
    }
    __m256 share = _mm256_set1_ps(1.0f / sum_of(sum));
    for (size_t i = 0; i < n; i += LANES) {
        __m256i mask = mask_of(n - i);
        _mm256_maskstore_ps(x + i, mask, _mm256_mul_ps(_mm256_maskload_ps(x + i, mask), share));
    }
}

static inline __m256 gelu_of(__m256 x)
{
    __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 t = _mm256_min_ps(_mm256_set1_ps(PN_TAIL_END), _mm256_andnot_ps(sign, x));
    __m256 g = _mm256_set1_ps(PN_TAIL[PN_TAIL_TERMS - 1]);
    for (int i = PN_TAIL_TERMS - 2; i >= 0; i--)
        g = _mm256_fmadd_ps(g, t, _mm256_set1_ps(PN_TAIL[i]));
    __m256 q =
        _mm256_mul_ps(exp2_of(_mm256_xor_ps(_mm256_mul_ps(g, t), sign)), _mm256_set1_ps(0.5f));
    __m256 upper = _mm256_sub_ps(_mm256_set1_ps(1.0f), q);
    return _mm256_mul_ps(x, _mm256_blendv_ps(upper, q, x)); /* by the sign of x */
}

static inline __m256 sigmoid_times(__m256 x, __m256 minus_argument)
{
    return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), exp2_of(minus_argument)));
}

static inline __m256 quick_gelu_of(__m256 x)
{
    return sigmoid_times(x, _mm256_mul_ps(x, _mm256_set1_ps(-PN_QUICK_GELU_FACTOR * PN_LOG2_E)));
}

static inline __m256 gelu_tanh_of(__m256 x)
{
    __m256 cubic =
        _mm256_fmadd_ps(_mm256_mul_ps(x, x), _mm256_set1_ps(-PN_GELU_TANH_CUBIC * PN_LOG2_E),
                        _mm256_set1_ps(-PN_GELU_TANH_LINEAR * PN_LOG2_E));
    return sigmoid_times(x, _mm256_mul_ps(x, cubic));
}

static PN_ALWAYS_INLINE void map(float *x, size_t n, __m256 (*f)(__m256))
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(x + i, f(_mm256_loadu_ps(x + i)));
    if (i < n) {
        __m256i mask = mask_of(n - i);
        _mm256_maskstore_ps(x + i, mask, f(_mm256_maskload_ps(x + i, mask)));
    }
}

static void gelu(float *x, size_t n)
{
    map(x, n, gelu_of);
}

static void quick_gelu(float *x, size_t n)
{
    map(x, n, quick_gelu_of);
}

static void gelu_tanh(float *x, size_t n)
{
    map(x, n, gelu_tanh_of);
}

void pn_activation_init_avx2(pn_kernels *k)
{
    k->layer_norm_f32 = layer_norm;
    k->softmax_f32 = softmax;
    k->gelu_f32 = gelu;
    k->quick_gelu_f32 = quick_gelu;
    k->gelu_tanh_f32 = gelu_tanh;
}
